"""`dev.py natives`: the native core for every platform, in build/natives/<platform>, each one checked.

A library that is kept exports the C ABI and nothing else, needs nothing but what its system has, names no
folder of this machine, and is made from the locked crates alone: the same sources and tools give the same
bytes. `build/natives/natives.json` says from which sources each was made, so that whoever packs them knows
which are behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from dotnet_bridge.natives import BUILT, sources
from tools import image, native, recipes
from tools.console import Stop, say, size
from tools.process import ROOT, capture
from tools.recipes import Recipe

HEADER = native.CORE / "ffi" / "include" / "clutchcall.h"
PATIENCE = 3600.0  # seconds for one target: a standard library and the core, on a machine that is shared
_DECLARED = re.compile(r"^int32_t (cc_\w+)\(", re.MULTILINE)
_ALIGNMENT = {
    "arm64": 14,
    "x86_64": 12,
}  # the pages that a universal library's parts begin at, as powers of 2
_CPUS = {"arm64": 0x0100_000C, "x86_64": 0x0100_0007}
_SUBTYPES = {"arm64": 0, "x86_64": 3}


def main(arguments: Sequence[str]) -> list[Path]:
    """Build what `arguments` name, or all; the libraries. `Stop` names what could not be built."""
    parser = argparse.ArgumentParser("dev.py natives", allow_abbrev=False)
    names = [recipe.name for recipe in recipes.RECIPES]
    parser.add_argument(
        "--target", action="append", default=[], help=f"one of {', '.join(names)}; all if none"
    )
    told = parser.parse_args(arguments)
    made, failed = [], []
    for recipe in recipes.chosen(told.target):
        try:
            made.append(build(recipe))
        except Stop as stop:
            say(f"{recipe.name}: {stop}")
            failed.append(recipe.name)
    if failed:
        raise Stop(f"not built: {', '.join(failed)}")
    return made


def build(recipe: Recipe) -> Path:
    """Build one platform's library and keep it if it is as it has to be."""
    began, made_from = time.monotonic(), sources()
    parts = []
    for triple in recipe.triples:
        command, env = recipes.command(recipe, triple)
        say(f"{recipe.name}: {triple}")
        log = native.BuildLog(began, lambda _: 0)

        def on_line(line: str, log: native.BuildLog = log) -> None:
            text = log.feed(line, time.monotonic())
            if text is not None:
                say(text)

        code, output = capture(command, cwd=native.CORE, env=env, timeout=PATIENCE, on_line=on_line)
        if code != 0:
            told = [line for line in output.splitlines() if not re.match(r"\s*(Compiling|Downloaded) ", line)]
            say("\n".join(told[-60:]))
            raise Stop(f"{triple} does not build")
        parts.append(recipes.artefact(recipe, triple).read_bytes())
    data = parts[0] if len(parts) == 1 else universal(parts)
    path = BUILT / recipe.platform / recipe.file
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    making.write_bytes(data)
    wrong = problems(making, recipe)
    if wrong:
        making.unlink()
        raise Stop("; ".join(wrong))
    making.replace(path)
    _note(recipe, data, made_from)
    exports = len(_abi())
    took = time.monotonic() - began
    name = path.relative_to(ROOT).as_posix()
    say(f"{recipe.name}: {name} {size(len(data))}, {exports} exports, {took:.1f} s")
    return path


def problems(path: Path, recipe: Recipe) -> list[str]:
    """What keeps a library from being shipped; empty if nothing does."""
    try:
        images = image.read(path)
    except image.BadImage as error:
        return [str(error)]
    wanted = ["arm64" if "aarch64" in triple else "x86_64" for triple in recipe.triples]
    found = []
    if [one.cpu for one in images] != wanted:
        found.append(f"it is for {', '.join(one.cpu for one in images)}, not {', '.join(wanted)}")
    for one in images:
        foreign = sorted(one.exports - _abi())
        lacking = sorted(_abi() - one.exports)
        needed = sorted(one.needed - recipe.system)
        if foreign:
            found.append(f"it also exports {len(foreign)} names, such as {foreign[0][:60]}")
        if lacking:
            found.append(f"it does not export {', '.join(lacking[:5])}")
        if needed:
            found.append(f"it needs {', '.join(needed)}, which not every system has")
        oldest = tuple(int(part) for part in recipe.glibc.split(".") if part)
        if one.versions.get("GLIBC", ()) > oldest:
            found.append(f"it needs glibc {'.'.join(map(str, one.versions['GLIBC']))}, not {recipe.glibc}")
        if one.format == "macho" and one.cpu == "arm64" and not one.signed:
            found.append("its part for arm64 is not signed, and Macs refuse that")
        if one.dated:
            found.append("it carries the moment of its making")
    data = path.read_bytes()
    found += [f"it names the folder {name}" for name in _folders() if name.encode() in data]
    return found


def universal(parts: Sequence[bytes]) -> bytes:
    """Mach-O libraries of several processors as one file."""
    heads, bodies, at = [], [], 4096
    for part in parts:
        magic, cpu = struct.unpack_from("<II", part)
        name = image.CPU_TYPES.get(cpu)
        if magic != image.MACHO or name is None:
            raise Stop("a part of the universal library is no 64-bit Mach-O")
        power = _ALIGNMENT[name]
        at = -(-at // (1 << power)) * (1 << power)
        heads.append(struct.pack(">5I", _CPUS[name], _SUBTYPES[name], at, len(part), power))
        bodies.append((at, part))
        at += len(part)
    whole = bytearray(struct.pack(">II", image.FAT, len(parts)) + b"".join(heads))
    for offset, part in bodies:
        whole += bytes(offset - len(whole)) + part
    return bytes(whole)


def _abi() -> set[str]:
    return set(_DECLARED.findall(HEADER.read_text("utf-8")))


def _folders() -> list[str]:
    home = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
    return [str(ROOT), home]


def _note(recipe: Recipe, data: bytes, made_from: str) -> None:
    path = BUILT / "natives.json"
    held = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    held[recipe.platform] = {"sources": made_from, "sha256": hashlib.sha256(data).hexdigest()}
    path.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", "utf-8")
