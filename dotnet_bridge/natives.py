"""The native core's builds by platform: where each is found, and where it stands in the Unity package."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolMissing

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "CLUTCHCALL_NATIVE"
"""Names another library than the one built here, as it does for `transport`."""


BUILT = ROOT / "build" / "natives"
"""Where `dev.py natives` leaves the libraries, each in its platform's folder."""


@dataclass(frozen=True, slots=True)
class Native:
    """A build of the native core."""

    platform: str
    """Its folder below Runtime/Plugins and build/natives."""
    file: str
    players: tuple[str, str]
    """Unity's names of the players that load it: the group, and the platform in it."""
    cpu: str
    """Unity's name of the processor."""
    editor: str = ""
    """Unity's name of the editor's system that loads it; none does if empty."""


_ASIDE = {"fuzz", "interop", "netem", "netproxy", "oracle", "sim"}
"""Crates of the workspace's folder that are not in the library."""
_SO, _DYLIB = "libclutchcall_core_ffi.so", "libclutchcall_core_ffi.dylib"
NATIVES = (
    Native("Linux/x86_64", _SO, ("Standalone", "Linux64"), "x86_64", "Linux"),
    Native("Linux/arm64", _SO, ("EmbeddedLinux", "EmbeddedLinux"), "ARM64"),
    Native("Windows/x86_64", "clutchcall_core_ffi.dll", ("Standalone", "Win64"), "x86_64", "Windows"),
    Native("macOS", _DYLIB, ("Standalone", "OSXUniversal"), "AnyCPU", "OSX"),
)
"""A macOS build holds both processors. Unity's desktop player for Linux is for x86-64 alone."""


def this_machine() -> Native:
    """What this machine loads."""
    if sys.platform == "win32":
        return NATIVES[2]
    if sys.platform == "darwin":
        return NATIVES[3]
    return NATIVES[1] if platform.machine().lower() in ("aarch64", "arm64") else NATIVES[0]


def built(root: Path = ROOT) -> dict[Native, Path]:
    """The libraries below `root`: those of `dev.py natives`, for this machine else the one that tests use."""
    found: dict[Native, Path] = {}
    for native in NATIVES:
        path = root / "build" / "natives" / native.platform / native.file
        if not path.is_file() and native is this_machine():
            path = root / "core" / "target" / "release" / native.file
        if path.is_file():
            found[native] = path
    return found


def sources(root: Path = ROOT) -> str:
    """A digest of everything that the native core is compiled from."""
    core = root / "core"
    hashed = hashlib.sha256()
    named = [core / "Cargo.toml", core / "Cargo.lock"]
    for crate in sorted(path.parent for path in core.glob("*/Cargo.toml")):
        if crate.name in _ASIDE:
            continue
        named += [crate / "Cargo.toml", *sorted((crate / "src").rglob("*.rs"))]
    for path in named:
        hashed.update(f"{path.relative_to(root).as_posix()}\0".encode())
        hashed.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return hashed.hexdigest()


def behind(found: Mapping[Native, Path], root: Path = ROOT) -> list[Native]:
    """Which of these were made by `dev.py natives` from other sources than those in the checkout."""
    folder = root / "build" / "natives"
    try:
        notes = json.loads((folder / "natives.json").read_text("utf-8"))
    except (OSError, ValueError):
        notes = {}
    now = sources(root)
    return [
        native
        for native, path in found.items()
        if path.is_relative_to(folder) and notes.get(native.platform, {}).get("sources") != now
    ]


def here() -> Path:
    """This machine's library: the one that `CLUTCHCALL_NATIVE` names, a wheel's, or the one built here."""
    told = os.environ.get(VARIABLE)
    native = this_machine()
    folders = (ROOT / "transport" / "_lib", ROOT / "core" / "target" / "release")
    candidates = [Path(told)] if told else [folder / native.file for folder in folders]
    for path in candidates:
        if path.is_file():
            return path
    looked = ", ".join(map(str, candidates))
    raise ToolMissing(f"the native core is missing (looked at {looked}): run `python dev.py setup`")
