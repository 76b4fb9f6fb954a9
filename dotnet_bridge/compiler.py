"""C# sources to an assembly, and an assembly into this process."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import _clr, natives, toolchain
from .errors import BridgeError, CompileError
from .fetch import cache
from .toolchain import Toolchain

_KEPT = 24 * 3600.0  # seconds for which an assembly that was compiled anew leaves its predecessors alone


def compile(
    sources: Iterable[Path],
    references: Iterable[Path] = (),
    defines: Iterable[str] = (),
    langversion: str = "9.0",
    *,
    name: str = "ClutchCall.Core",
    unsafe: bool = True,
    tools: Toolchain | None = None,
) -> Path:
    """Compile `sources` against netstandard2.1 and `references`; the assembly's file, in the cache.

    Every warning counts as an error; nullable references are off but where a file enables them, as in Unity.
    The same inputs give the same file, which is compiled once. Raises `CompileError` with the compiler's
    words, or `BridgeError` where there is nothing to compile with.
    """
    files = sorted(path.resolve() for path in sources)
    if not files:
        raise BridgeError(f"{name} has no sources: name one at least")
    tools = tools or toolchain.find()
    libraries = [*sorted(tools.references.glob("*.dll")), *(path.resolve() for path in references)]
    arguments = ["-nologo", "-noconfig", "-nostdlib+", "-target:library", f"-langversion:{langversion}"]
    arguments += ["-nullable:disable", "-warnaserror+", "-warn:4", "-optimize+", "-deterministic+"]
    arguments += ["-unsafe+" if unsafe else "-unsafe-", *(f"-define:{one}" for one in defines)]
    digest = _digest(arguments, [*files, *libraries], tools)
    out = cache() / "assemblies" / f"{name}-{digest}" / f"{name}.dll"
    if out.is_file():
        return out
    _clr.start(tools)
    making = out.with_name(f"{name}.{os.getpid()}.tmp")
    making.parent.mkdir(parents=True, exist_ok=True)
    arguments += [f"-reference:{path}" for path in libraries]
    told = _clr.compile(tools, name, arguments, files, making)
    if told:
        shutil.rmtree(out.parent)
        raise CompileError(name, told)
    making.replace(out)
    _forget_old(out)
    return out


def load(assembly: Path, native: Path | None = None, *, tools: Toolchain | None = None) -> Any:
    """Load a compiled assembly into this process; its namespaces can be imported from Python then.

    .NET looks for a library that C# imports beside the assembly first, so the native core (`native`, else
    the one built here) is linked there. The file is the same one that `transport` loads, and so is the core.
    A library of another name, which has the core inside, is linked under the core's.
    """
    tools = tools or toolchain.find()
    library = (native or natives.here()).resolve()
    _link(library, assembly.parent / natives.this_machine().file)
    _clr.start(tools)
    return _clr.load(assembly)


def _digest(arguments: list[str], files: list[Path], tools: Toolchain) -> str:
    hashed = hashlib.sha256("\0".join([*arguments, str(tools.compiler)]).encode())
    for path in files:
        hashed.update(f"\0{path}\0".encode())
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]


def _link(library: Path, at: Path) -> None:
    """Make `at` the library: a link, or a copy where links are not to be had."""
    if at.exists() and at.samefile(library):
        return
    making = at.with_name(f"{at.name}.{os.getpid()}.tmp")
    making.unlink(missing_ok=True)
    try:
        making.symlink_to(library)
    except OSError:
        shutil.copy2(library, making)
    making.replace(at)


def _forget_old(out: Path) -> None:
    """Drop assemblies of the same name that nobody can still be using."""
    name = out.stem
    for folder in out.parent.parent.glob(f"{name}-*"):
        if folder != out.parent and folder.stat().st_mtime < time.time() - _KEPT:
            shutil.rmtree(folder, ignore_errors=True)
