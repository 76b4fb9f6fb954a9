"""`python -m dotnet_bridge.verify PROJECT`: whether a Unity project has all that the package uses of Unity.

Two checks against the project's own `Library/ScriptAssemblies` and its editor's assemblies: each member that
`shim/contract.json` lists is there, and the package's C# compiles over them, with the defines that the
project's packages give it. Nothing is run: Unity's assemblies work in Unity alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import _clr, assemblies, contract, editors, toolchain
from .errors import BridgeError, CompileError


class NoProject(BridgeError):
    """The folder is no Unity project, or not one that can be checked yet."""


def version(project: Path) -> str:
    """The editor that a project is opened with."""
    path = project / "ProjectSettings" / "ProjectVersion.txt"
    try:
        match = re.search(r"^m_EditorVersion: *(\S+)", path.read_text("utf-8"), re.MULTILINE)
    except OSError:
        raise NoProject(
            f"{project} is no Unity project: it has no ProjectSettings/ProjectVersion.txt"
        ) from None
    if match is None:
        raise NoProject(f"{path} names no version of the editor")
    return match[1]


def packages(project: Path) -> dict[str, str]:
    """The project's packages and their versions, as Unity resolved them."""
    path = project / "Packages" / "packages-lock.json"
    try:
        told = json.loads(path.read_text("utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError, TypeError):
        raise NoProject(f"{path} cannot be read: open the project in Unity once") from None
    found = {name: str(one.get("version", "")) for name, one in told.items() if isinstance(one, dict)}
    return {name: held for name, held in found.items() if re.match(r"\d+\.\d+\.\d+", held)}


def engine_of(project: Path, told: Path | None) -> Path:
    """The editor's assemblies: of the folder that was named, else of the editor that Unity Hub installed."""
    wanted = version(project)
    known = editors.installed()
    if told is not None:
        known = [editors.Editor(wanted, data) for data in (told, told / "Editor" / "Data") if data.is_dir()]
    for editor in reversed(known):
        if editor.version in (wanted, "") and editor.engine.is_dir():
            return editor.engine
    raise NoProject(
        f"the editor {wanted} was not found: pass --editor with its Data folder (Contents on macOS)"
    )


def check(project: Path, editor: Path | None = None) -> list[str]:
    """What the project lacks, a line each; empty if the package fits. `NoProject` if it cannot be told."""
    engine = engine_of(project, editor)
    compiled = project / "Library" / "ScriptAssemblies"
    if not any(compiled.glob("*.dll")):
        raise NoProject(
            f"{compiled} holds no assemblies: open the project in Unity once, so that it compiles"
        )
    held = packages(project)
    if assemblies.UTP not in held:
        raise NoProject(f"{project} has no {assemblies.UTP}: add it in the Package Manager")
    tools = toolchain.find()
    _clr.start(tools)
    found = [f"{name} is missing" for name in contract.missing([compiled, engine])]
    over = [path for folder in (compiled, engine) for path in sorted(folder.glob("*.dll"))]
    over = [path for path in over if not path.name.startswith("ClutchCall.")]
    try:
        assemblies.compile_all(assemblies.Project(project.name, held, assemblies.EDITOR), tools, over=over)
    except CompileError as error:
        found += [str(one) for one in error.diagnostics]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a project; 1 if the package does not fit it, 2 if it is none."""
    parser = argparse.ArgumentParser(
        prog="dev.py unity-verify", description="whether a Unity project has what the package uses"
    )
    parser.add_argument("project", type=Path, help="the project's folder")
    parser.add_argument(
        "--editor", type=Path, help="the Data folder of its editor, if Unity Hub did not install it"
    )
    told = parser.parse_args(arguments)
    try:
        found = check(told.project, told.editor)
    except NoProject as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 2
    except BridgeError as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 1
    for line in found:
        print(f"dotnet_bridge: {line}: the package does not fit", file=sys.stderr)
    if not found:
        print(f"{told.project}: the package fits Unity {version(told.project)} and its packages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
