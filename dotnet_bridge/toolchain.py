"""Where the runtime, the C# compiler and the reference assemblies come from.

A .NET SDK that is installed comes first, then the newest editor of Unity; what is lacking, and everything
where neither is installed, comes from the pinned packages (`fetch`). The runtime among them is for 64-bit
Linux on x86; the other two are for all.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import editors, fetch
from .errors import ToolMissing

FRAMEWORK = "Microsoft.NETCore.App"
OLDEST = (8, 0)
"""The oldest runtime and SDK used: what the pinned compiler asks for, and tests have run on."""


OLDEST_IN_EDITORS = (6, 0)
"""The oldest runtime of a Unity editor used, with the compiler that it carries: that of Unity 2022.3."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A runtime and what compiles for it."""

    runtime: Path
    """The folder of `dotnet` and `shared/Microsoft.NETCore.App`."""
    version: str
    """The runtime's version, such as 8.0.4."""
    compiler: Path
    """The folder of Microsoft.CodeAnalysis.CSharp.dll."""
    references: Path
    """The folder of netstandard.dll, 2.1."""


def find(say: fetch.Say = fetch.say, patience: float = fetch.PATIENCE) -> Toolchain:
    """The toolchain of this machine; fetches what is not there, each package within `patience` seconds.

    Raises `ToolMissing` or `BadPackage`.
    """
    installed = list(roots())
    runtime = next((root for root in installed if runtimes(root)), None)
    compiler = sdk_compiler(runtime) if runtime else None
    references = next((found for root in installed if (found := sdk_references(root))), None)
    if runtime is None:
        for editor in reversed(editors.installed()):
            if carried := of_editor(editor):
                return carried
        system = f"{sys.platform} {platform.machine()}"
        if system != "linux x86_64":
            text = f"neither a .NET SDK nor a Unity editor was found, and nothing can be fetched for {system}"
            raise ToolMissing(f"{text}: install .NET 8")
        runtime = fetch.obtain("runtime", say, patience)
    compiler = compiler or fetch.obtain("compiler", say, patience)
    references = references or fetch.obtain("references", say, patience)
    usable = runtimes(runtime)
    if not usable:
        raise ToolMissing(f"{runtime} holds no .NET runtime: remove the folder, and it is fetched again")
    return Toolchain(runtime, usable[-1], compiler, references)


def of_editor(editor: editors.Editor) -> Toolchain | None:
    """What an editor of Unity carries, if it is all there."""
    runtime, compiler = editor.part("NetCoreRuntime"), editor.part("DotNetSdkRoslyn")
    references = editor.part("NetStandard", "ref", "2.1.0")
    if runtime is None or compiler is None or references is None:
        return None
    usable = _versions(runtime / "shared" / FRAMEWORK, OLDEST_IN_EDITORS)
    whole = (compiler / "Microsoft.CodeAnalysis.CSharp.dll", references / "netstandard.dll")
    if not usable or not all(path.is_file() for path in whole):
        return None
    return Toolchain(runtime, usable[-1], compiler, references)


def roots(environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """The folders in which .NET is installed, as `dotnet` itself looks for them, each once."""
    variables = os.environ if environment is None else environment
    told = variables.get("DOTNET_ROOT")
    program = shutil.which("dotnet", path=variables.get("PATH", ""))
    usual = {
        "win32": Path(variables.get("ProgramFiles", r"C:\Program Files")) / "dotnet",
        "darwin": Path("/usr/local/share/dotnet"),
    }.get(sys.platform, Path("/usr/share/dotnet"))
    candidates = [Path(told)] if told else []
    candidates += [Path(program).resolve().parent] if program else []
    seen: set[Path] = set()
    for root in (*candidates, usual, Path("/usr/lib/dotnet")):
        if root not in seen and (root / "shared" / FRAMEWORK).is_dir():
            seen.add(root)
            yield root


def runtimes(root: Path) -> list[str]:
    """Released runtimes in `root` that are new enough, the newest last."""
    return _versions(root / "shared" / FRAMEWORK)


def sdk_compiler(root: Path) -> Path | None:
    """The newest SDK's compiler that the newest runtime in `root` can run."""
    newest = int(runtimes(root)[-1].partition(".")[0])
    for version in reversed(_versions(root / "sdk")):
        folder = root / "sdk" / version / "Roslyn" / "bincore"
        if (
            int(version.partition(".")[0]) <= newest
            and (folder / "Microsoft.CodeAnalysis.CSharp.dll").is_file()
        ):
            return folder
    return None


def sdk_references(root: Path) -> Path | None:
    """The reference assemblies of netstandard2.1 that came with an SDK."""
    folder = root / "packs" / "NETStandard.Library.Ref" / "2.1.0" / "ref" / "netstandard2.1"
    return folder if (folder / "netstandard.dll").is_file() else None


def _versions(folder: Path, oldest: tuple[int, int] = OLDEST) -> list[str]:
    found: list[tuple[tuple[int, ...], str]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        parts = path.name.split(".")
        if all(part.isdigit() for part in parts) and (key := tuple(map(int, parts))) >= oldest:
            found.append((key, path.name))
    return [name for _, name in sorted(found)]
