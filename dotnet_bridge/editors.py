"""Unity's editors that Unity Hub has installed, and what of .NET each one carries.

An editor has a .NET runtime, Roslyn and the netstandard2.1 references of its own: enough to compile and run
the package's C# where no .NET SDK is installed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "CLUTCHCALL_UNITY"
"""Names an editor's folder that is nowhere else to be found."""
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)([abfp])(\d+)")


@dataclass(frozen=True, slots=True)
class Editor:
    """An installed editor."""

    version: str
    """Such as 6000.0.23f1; empty if its folder does not tell."""
    data: Path
    """Where its managed code is."""

    @property
    def engine(self) -> Path:
        """The folder of UnityEngine's assemblies."""
        return self.data / "Managed" / "UnityEngine"

    def part(self, *names: str) -> Path | None:
        """A folder of what it carries, at any of the places where editors have it."""
        for base in (self.data, self.data / "Resources" / "Scripting"):
            path = base.joinpath(*names)
            if path.is_dir():
                return path
        return None


def installed(
    environment: Mapping[str, str] | None = None, system: str = sys.platform, root: Path = Path("/")
) -> list[Editor]:
    """The editors of this machine, the newest last; after them the one that `CLUTCHCALL_UNITY` names."""
    variables = os.environ if environment is None else environment
    found: dict[Path, Editor] = {}
    for hub in _hubs(variables, system, root):
        for folder in sorted(hub.iterdir()) if hub.is_dir() else ():
            data = _data(folder, system)
            if data is not None:
                found.setdefault(data, Editor(folder.name, data))
    ordered = sorted(found.values(), key=lambda editor: _key(editor.version))
    if told := variables.get(VARIABLE):
        data = _data(Path(told), system)
        if data is not None:
            ordered.append(Editor(Path(told).name if _key(Path(told).name) else "", data))
    return ordered


def _hubs(variables: Mapping[str, str], system: str, root: Path) -> Iterator[Path]:
    """The folders into which Unity Hub installs: the usual one, and another that its user has chosen."""
    home = Path(variables.get("HOME") or variables.get("USERPROFILE") or root)
    if system == "win32":
        yield Path(variables.get("ProgramFiles", r"C:\Program Files")) / "Unity" / "Hub" / "Editor"
        settings = Path(variables.get("APPDATA", home / "AppData" / "Roaming")) / "UnityHub"
    elif system == "darwin":
        yield root / "Applications" / "Unity" / "Hub" / "Editor"
        settings = home / "Library" / "Application Support" / "UnityHub"
    else:
        yield home / "Unity" / "Hub" / "Editor"
        settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "UnityHub"
    try:
        chosen = json.loads((settings / "secondaryInstallPath.json").read_text("utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(chosen, str) and chosen:
        yield Path(chosen)


def _data(folder: Path, system: str) -> Path | None:
    """Where the managed code of the editor in a folder is, if there is one."""
    inner = ("Unity.app", "Contents") if system == "darwin" else ("Editor", "Data")
    for path in (folder.joinpath(*inner), folder / inner[-1], folder):
        if (path / "Managed").is_dir():
            return path
    return None


def _key(version: str) -> tuple[int, int, int, str, int] | tuple[()]:
    match = _VERSION.match(version)
    if match is None:
        return ()
    return int(match[1]), int(match[2]), int(match[3]), match[4], int(match[5])
