"""The import contracts of pyproject.toml, tried on small trees: what they allow and what they catch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools import check, process, venv

WHOLE = {
    "api/__init__.py": "",
    "transport/__init__.py": "from transport import _link",
    "transport/_generated/__init__.py": "",
    "transport/_generated/abi.py": "import ctypes",
    "transport/_native.py": "import ctypes\nfrom transport._generated import abi",
    "transport/_link.py": "from transport import _native",
    "transport/host.py": "import relay.auth\nimport transport\nfrom harness import bots",
    "relay/__init__.py": "",
    "relay/auth.py": "import transport",
    "harness/__init__.py": "",
    "harness/bots.py": "import relay\nimport transport.host",
    "dotnet_bridge/__init__.py": "import transport",
    "samples/__init__.py": "import harness\nimport transport",
}


def lint(root: Path, tree: Mapping[str, str]) -> tuple[int, str]:
    shutil.copy(process.ROOT / "pyproject.toml", root)
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    rules = check.contracts(root)
    assert rules is not None
    env = {"PYTHONPATH": str(root)}
    return process.capture(
        [venv.SCRIPTS / "lint-imports", "--config", rules, "--no-cache"], cwd=root, env=env
    )


def test_the_tree_that_the_design_draws_keeps_every_contract(tmp_path: Path) -> None:
    code, output = lint(tmp_path, WHOLE)
    assert code == 0, output
    assert "Contracts: 7 kept, 0 broken." in output


@pytest.mark.parametrize(
    ("file", "text", "contract"),
    [
        ("api/model.py", "import transport", "api imports nothing of the project"),
        ("transport/_feed.py", "import relay.auth", "the SDK imports no program built on it"),
        ("transport/_feed.py", "import harness", "the SDK imports no program built on it"),
        ("transport/host.py", "import samples", "the SDK imports no program built on it"),
        ("transport/_generated/wire.py", "import transport._native", "generated code stands below the SDK"),
        ("transport/_link.py", "import transport.host", "the SDK does not know its host"),
        ("relay/auth.py", "import transport.host", "the relay knows no program beside it"),
        ("harness/bots.py", "import samples", "nothing shipped imports samples"),
        (
            "transport/_link.py",
            "import ctypes.util",
            "only transport._native, the generated ABI and the world's library know ctypes",
        ),
        (
            "relay/auth.py",
            "from ctypes import CDLL",
            "only transport._native, the generated ABI and the world's library know ctypes",
        ),
    ],
)
def test_a_wrong_import_breaks_its_contract(tmp_path: Path, file: str, text: str, contract: str) -> None:
    code, output = lint(tmp_path, {**WHOLE, file: text})
    assert code != 0
    assert f"{contract} BROKEN" in output


def test_packages_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    part = {name: "" for name in WHOLE if name.startswith(("api/", "transport/__init__", "transport/host"))}
    code, output = lint(tmp_path, part)
    assert code == 0, output
    assert "0 broken" in output
