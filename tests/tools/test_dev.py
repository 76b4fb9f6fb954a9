"""dev.py as its user meets it: one line and an exit code when something is missing or wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import process, targets, venv
from tools.process import ROOT


def dev(*arguments: str | Path, root: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "dev.py"), *map(str, arguments)],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the workbench alone, where a set-up may fail without harm."""
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dev.py", "pyproject.toml", "core/Cargo.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_help_names_every_target() -> None:
    from tools.targets import TARGETS

    done = dev("--help")
    assert done.returncode == 0
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in TARGETS:
        assert f"\n    {target} " in done.stdout
        assert f"\n{target}: ; @$(PY) dev.py {target} $(ARGS)\n" in makefile


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("setup", "--fast"),
        ("check", "nonsense"),
        ("lock", "x"),
        ("natives", "--target", "amiga"),
        ("wheel", "--target", "amiga"),
        ("wheel", "--target", "macos", "--library", "x"),
    ],
)
def test_wrong_arguments_are_one_line_and_code_2(arguments: tuple[str, ...]) -> None:
    done = dev(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        ([], ["--bots", "16"]),
        (["--duration", "30"], ["--bots", "16", "--duration", "30"]),
        (["--bots", "3"], ["--bots", "3"]),
        (["--bots=3"], ["--bots=3"]),
        (["--game", "a:B"], ["--game", "a:B"]),
        (["--exec", "true"], ["--exec", "true"]),
    ],
)
def test_host_has_players_unless_told_otherwise(
    arguments: list[str], run: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Sequence[object]] = []

    def hand_over(command: Sequence[object]) -> int:
        started.append(command)
        return 0

    monkeypatch.setattr(targets, "_set_up", lambda kind: None)
    monkeypatch.setattr(process, "hand_over", hand_over)
    assert targets.run(["host", *arguments], "") == 0
    assert started == [[venv.PYTHON, "-m", "transport.host", *run]]


def test_without_rust_setup_says_so_before_it_fetches_anything(checkout: Path) -> None:
    done = dev("setup", root=checkout, PATH=str(checkout), CARGO_HOME=str(checkout / "none"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "dev.py setup: Rust is missing: install it from rustup.rs, then run this again in a new terminal"
    ]
    assert not (checkout / ".venv").exists()


@pytest.mark.skipif(os.name != "posix", reason="stands in for cargo with a shell script")
def test_an_old_rust_and_a_missing_compiler_are_named(checkout: Path) -> None:
    cargo = checkout / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.write_text("#!/bin/sh\necho cargo 1.60.0\n", encoding="utf-8")
    cargo.chmod(0o755)
    done = dev("host", root=checkout, PATH=str(cargo.parent))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "Rust 1.60 is too old" in done.stderr
    cargo.write_text("#!/bin/sh\necho cargo 1.999.0\n", encoding="utf-8")
    done = dev("host", root=checkout, PATH=str(cargo.parent))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "a C compiler is missing" in done.stderr


def test_the_environment_is_made_again_only_when_its_lock_or_its_place_changes(checkout: Path) -> None:
    """Locks without packages stand in for the real ones: no network, the same decisions."""
    for kind in ("runtime", "dev"):
        (checkout / "requirements" / f"{kind}.lock").write_text("# empty\n", encoding="utf-8")
    left = checkout / ".venv" / "left"

    def ensure(kind: str, root: Path = checkout) -> str:
        code = f"from tools import venv; print(venv.ensure({kind!r}).changed)"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert ensure("runtime") == "True"
    left.touch()
    assert ensure("runtime") == "False"
    assert ensure("dev") == "True"
    assert left.exists(), "a runtime environment grows into a dev one"
    assert (ensure("dev"), ensure("runtime")) == ("False", "False")
    (checkout / "requirements" / "runtime.lock").write_text("# other\n", encoding="utf-8")
    assert ensure("runtime") == "True"
    assert not left.exists(), "what another lock installed is gone"
    moved = checkout.rename(checkout.with_name("moved"))
    assert ensure("runtime", moved) == "True"
    python = next(path for path in moved.glob(".venv/*/python*") if path.stem == "python")
    done = subprocess.run(
        [str(python), "-c", "import tools; print(tools.__file__)"],
        cwd=moved.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert Path(done.stdout.strip()).is_relative_to(moved)


def test_an_old_python_gets_a_sentence() -> None:
    code = "import sys; sys.version_info = (3, 8, 1); import dev; sys.exit(dev.main(['setup']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "dev.py: Python 3.8 is too old: install Python 3.11 or newer and run dev.py with it"
    ]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "transport" / "__init__.py").exists(), reason="no transport to package")
def test_the_wheel_installs_anywhere_and_finds_its_library(native: Path, tmp_path: Path) -> None:
    done = dev("wheel", "--library", native, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("clutchcall-*-py3-none-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert f"transport/_lib/{native.name}" in packed
    assert not any(name.startswith(("tests/", "tools/", "samples/")) for name in packed)
    # Installed packages of this environment serve as the wheel's dependencies; the checkout does not.
    place = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        place,
        wheel,
    ]
    subprocess.run([str(word) for word in pip], check=True, timeout=100)
    for package in ("api", "transport", "relay", "harness", "dotnet_bridge"):
        assert (place / package / "__init__.py").exists() == (ROOT / package / "__init__.py").exists()
    if (ROOT / "transport" / "_native.py").exists():
        code = "import transport._native as n, transport; print(transport.__file__)"
        found = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        assert Path(found.stdout.strip()).is_relative_to(place)
