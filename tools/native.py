"""The native core: what builds it, and the library that comes out.

Cargo itself decides whether anything has to be done, so a repeated build costs a fraction of a second.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from tools.console import Stop, Work, say, size
from tools.process import ROOT, capture

CORE = ROOT / "core"
TARGET = CORE / "target"

_COMPILING = re.compile(r"^\s*Compiling (\S+) v\S+")
_DOWNLOADED = re.compile(r"^\s*Downloaded (\S+) v(\S+)")
_PACE = 5.0  # seconds between two lines of progress


def library() -> Path:
    """Where the release build leaves the library on this platform."""
    if sys.platform == "win32":
        name = "clutchcall_core_ffi.dll"
    elif sys.platform == "darwin":
        name = "libclutchcall_core_ffi.dylib"
    else:
        name = "libclutchcall_core_ffi.so"
    return TARGET / "release" / name


def cargo() -> str:
    """Cargo's path, new enough for the workspace. Raises `Stop` naming what is missing."""
    found = shutil.which("cargo") or shutil.which("cargo", path=str(_home() / "bin"))
    if found is None:
        raise Stop("Rust is missing: install it from rustup.rs, then run this again in a new terminal")
    code, output = capture([found, "--version"], cwd=CORE, timeout=300)
    match = re.search(r"cargo (\d+)\.(\d+)", output)
    if code != 0 or match is None:
        last = (output.strip().splitlines() or ["no output"])[-1]
        raise Stop(f"Rust does not work: `cargo --version` says: {last}")
    with open(CORE / "Cargo.toml", "rb") as file:
        oldest = str(tomllib.load(file)["workspace"]["package"]["rust-version"])
    if (int(match[1]), int(match[2])) < tuple(int(part) for part in oldest.split(".")[:2]):
        raise Stop(f"Rust {match[1]}.{match[2]} is too old: `rustup update` brings {oldest} or newer")
    if os.name == "posix" and not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        hint = "xcode-select --install" if sys.platform == "darwin" else "apt install gcc, dnf install gcc"
        raise Stop(f"a C compiler is missing: install one ({hint})")
    return found


class BuildLog:
    """Turns cargo's output into a line every few seconds, and adds up what was fetched.

    `weigh` gives the bytes of a fetched crate, named as its file is: `libc-0.2.1`. Cargo itself tells sizes
    to terminals only.
    """

    def __init__(self, began: float, weigh: Callable[[str], int]) -> None:
        self.compiled = 0
        self._crates: list[str] = []
        self._weigh = weigh
        self._began = self._last = began

    @property
    def fetched(self) -> float:
        """Bytes of all crates fetched so far."""
        return float(sum(map(self._weigh, self._crates)))

    def feed(self, line: str, now: float) -> str | None:
        """The line to print for a line of cargo's at `now` seconds, if any."""
        if match := _DOWNLOADED.match(line):
            self._crates.append(f"{match[1]}-{match[2]}")
            return self._paced(now, f"fetched {len(self._crates)} crates, {match[1]}")
        if match := _COMPILING.match(line):
            self.compiled += 1
            if self.compiled == 1 and self._crates:
                return f"  fetched {len(self._crates)} crates, {size(self.fetched)}"
            return self._paced(now, f"compiling crate {self.compiled}, {match[1]}")
        return None

    def _paced(self, now: float, text: str) -> str | None:
        if now - self._last < _PACE:
            return None
        self._last = now
        return f"  {now - self._began:4.0f} s: {text}"


def floor() -> None:
    """The program that sends raw UDP, which benchmarks are compared with."""
    command = [cargo(), "build", "--release", "--locked", "-p", "cc-udp", "--example", "floor"]
    code, output = capture([*command, "--target-dir", str(TARGET)], cwd=CORE, timeout=1800)
    if code != 0:
        say(output)
        raise Stop("the floor of the benchmarks does not build")


def build(*, tests: bool = False) -> Work:
    """Build the library in release mode from the locked crates; `tests`: and what only tests run."""
    program = cargo()
    began = time.monotonic()
    log = BuildLog(began, _weight)

    def on_line(line: str) -> None:
        text = log.feed(line, time.monotonic())
        if text is not None:
            say(text)

    # One crate a call: built together they would share features, and the library would be another one.
    for crate in ("cc-ffi", *(("cc-netproxy", "cc-harness") if tests else ())):
        # The folder is named because a user's own cargo settings may send builds elsewhere.
        command = [program, "build", "--release", "--locked", "-p", crate, "--target-dir", str(TARGET)]
        code, output = capture(command, cwd=CORE, timeout=1800, on_line=on_line)
        if code != 0:
            if re.search(r"linker `?link(\.exe)?`? not found", output):
                raise Stop("a C compiler is missing: install Visual Studio's Build Tools with C++")
            told = [line for line in output.splitlines() if not re.match(r"\s*(Compiling|Downloaded) ", line)]
            say("\n".join(told[-60:]))
            raise Stop(f"{crate} does not build: cd core && cargo build --release --locked -p {crate}")
    path = library()
    if not path.exists():
        raise Stop(f"cargo built no {path.relative_to(ROOT)}: is a cross target set in CARGO_BUILD_TARGET?")
    if log.compiled:
        took = time.monotonic() - began
        fetched = f"{size(log.fetched)} fetched, " if log.fetched else ""
        name = path.relative_to(ROOT).as_posix()
        say(f"core: {log.compiled} crates, {fetched}{name} {size(path.stat().st_size)}, {took:.1f} s")
    return Work(log.compiled > 0, log.fetched)


def _home() -> Path:
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def _weight(crate: str) -> int:
    return sum(path.stat().st_size for path in _home().glob(f"registry/cache/*/{crate}.crate"))
