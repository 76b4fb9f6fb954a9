"""The one definition of "checked": which steps there are, and what each runs.

Rust's steps share cargo's build folder and form one lane, everything else forms the other: two processors
are then busy and no more. A step whose subject is not in the checkout says so.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tools import lints, native, platforms, steps, venv
from tools.console import Stop, say
from tools.process import ROOT, capture
from tools.steps import Finding, Step

TYPED = ("dev.py", "setup.py", "tools", "api", "transport", "relay", "gateway", "harness", "dotnet_bridge")
TYPED_ASIDE = ("samples", "tests")
SUBJECTS = ("source_modules", "forbidden_modules", "protected_modules", "containers")
"""The keys of a contract that list what it is about: with none of it there, there is nothing to check."""
EXEMPT = ("allowed_importers",)
"""The keys that list exceptions."""
EXTERNAL = frozenset({"ctypes"})
"""What the contracts name that is no module of the project."""

LINTS: dict[str, Callable[[Path], Sequence[Finding]]] = {
    "sans-io": lints.sans_io,
    "no-policy": lints.policy,
    "hosts": lints.hosts,
    "locks": lints.locks,
    "versions": lints.versions,
    "header": lints.header,
    "long-files": lints.long_files,
}


def main(arguments: Sequence[str]) -> None:
    """Run the steps named in `arguments`, or all. Raises `Stop` if one fails or a name is unknown."""
    if "--list" in arguments:
        say("\n".join(NAMES))
        return
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        raise Stop(f"check has no step {', '.join(unknown)}: it has {', '.join(NAMES)}", code=2)
    chosen = set(arguments or NAMES)
    if chosen - LINTS.keys() - set(RUST):
        venv.ensure("dev")
    say("check:")
    failed = steps.run([*_rust(chosen), *_python(chosen)])
    if failed:
        raise Stop(f"check failed: {', '.join(failed)}")


RUST = ("rustfmt", "clippy", "cargo-test", "platforms")
PYTHON = ("ruff", "ruff-format", "generated", "unity-package", "imports", "mypy")
NAMES = (*RUST, *LINTS, *PYTHON)


def _rust(chosen: set[str]) -> list[Step]:
    if chosen.isdisjoint(RUST):
        return []
    cargo = native.cargo()
    for tool, names in {"fmt": {"rustfmt"}, "clippy": {"clippy"}}.items():
        if chosen & names and capture([cargo, tool, "--version"], cwd=native.CORE)[0] != 0:
            component = "rustfmt" if tool == "fmt" else tool
            raise Stop(f"cargo {tool} is missing: rustup component add {component}")
    clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]
    lane = functools.partial(Step, lane="rust", cwd=native.CORE)
    all_steps = [
        lane("rustfmt", command=[cargo, "fmt", "--all", "--check"]),
        lane("clippy", command=[cargo, *clippy]),
        lane("cargo-test", command=[cargo, "test", "--workspace", "--locked"]),
        lane(
            "platforms", lint=platforms.compiles, absent=platforms.absent() if "platforms" in chosen else ""
        ),
    ]
    return [step for step in all_steps if step.name in chosen]


def _python(chosen: set[str]) -> list[Step]:
    lane = functools.partial(Step, lane="python")
    subjects = {
        "header": ROOT / "core/ffi/include/clutchcall.h",
        "generated": ROOT / "api/rpc_compiler.py",
        "unity-package": ROOT / "dotnet_bridge/check_package.py",
    }
    absent = {
        name: "" if path.exists() else f"no {path.relative_to(ROOT)}" for name, path in subjects.items()
    }
    all_steps = [
        lane(name, lint=functools.partial(lint, ROOT), absent=absent.get(name, ""))
        for name, lint in LINTS.items()
    ]
    ruff = (str(venv.PYTHON), "-m", "ruff")
    rules = contracts(ROOT) if "imports" in chosen else None
    all_steps += [
        lane("ruff", command=[*ruff, "check", "--quiet", "."]),
        lane("ruff-format", command=[*ruff, "format", "--check", "--quiet", "."]),
        lane(
            "generated",
            command=[venv.PYTHON, "-m", "api.rpc_compiler", "--check"],
            absent=absent["generated"],
        ),
        lane(
            "unity-package",
            command=[venv.PYTHON, "-m", "dotnet_bridge.check_package"],
            absent=absent["unity-package"],
        ),
        lane(
            "imports",
            command=[venv.SCRIPTS / "lint-imports", "--config", rules or "", "--no-cache"],
            absent="" if rules else "none of the packages is here",
        ),
        lane("mypy", command=[venv.PYTHON, "-m", "mypy", *_present((*TYPED, *TYPED_ASIDE))]),
    ]
    return [step for step in all_steps if step.name in chosen]


def _present(names: Iterable[str]) -> list[str]:
    """Those of `names` that are Python files, or folders with some."""
    paths = {name: ROOT / name for name in names}
    return [name for name, path in paths.items() if path.is_file() or any(path.rglob("*.py"))]


def contracts(root: Path) -> Path | None:
    """import-linter's contracts from `root`'s pyproject.toml, cut down to the modules that are there.

    import-linter takes a contract about a missing module for a mistake. Returns the file that was written
    below `build/`, None if no package is there.
    """
    with open(root / "pyproject.toml", "rb") as file:
        whole = tomllib.load(file)["tool"]["importlinter"]

    def present(names: Sequence[str]) -> list[str]:
        return [name for name in names if name in EXTERNAL or _is_module(root, name)]

    whole["root_packages"] = present(whole["root_packages"])
    if not whole["root_packages"]:
        return None
    sections = []
    for index, contract in enumerate(whole.pop("contracts")):
        contract |= {key: present(contract[key]) for key in (*SUBJECTS, *EXEMPT) if key in contract}
        if all(contract.get(key, True) for key in SUBJECTS):
            sections.append(_ini(f"importlinter:contract:{index}", contract))
    path = root / "build" / "importlinter.ini"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([_ini("importlinter", whole), *sections]), encoding="utf-8")
    return path


def _is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _ini(name: str, section: Mapping[str, object]) -> str:
    lines = [f"[{name}]"]
    for key, value in section.items():
        words = ["", *map(str, value)] if isinstance(value, list) else [str(value)]
        lines.append(f"{key} = " + "\n    ".join(words))
    return "\n".join(lines) + "\n"
