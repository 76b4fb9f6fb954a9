"""What the relay is measured beside: the programs of benchmarks/peers, in core/target/peers/release.

They compile some 300 crates that nothing else needs, moq-relay among them, so they are built when asked for.
"""

from __future__ import annotations

import shutil
import sys
import time

from tools import native
from tools.console import Stop, say
from tools.process import ROOT, capture

FOLDER = ROOT / "benchmarks" / "peers"
TARGET = native.TARGET / "peers"
_HOUR = 3600.0


def build() -> None:
    """moq-relay, the players and servers in Rust, and ENet's where its header is."""
    began = time.monotonic()
    log = native.BuildLog(began, lambda crate: 0)

    def on_line(line: str) -> None:
        text = log.feed(line, time.monotonic())
        if text is not None:
            say(text)

    command = [native.cargo(), "build", "--release", "--locked", "--target-dir", str(TARGET)]
    code, output = capture(command, cwd=FOLDER, timeout=_HOUR, on_line=on_line)
    if code != 0:
        say("\n".join(output.splitlines()[-60:]))
        raise Stop("the peers do not build: cd benchmarks/peers && cargo build --release --locked")
    if log.compiled:
        say(f"peers: {log.compiled} crates, {time.monotonic() - began:.0f} s")
    _enet()


def _enet() -> None:
    """A C program, from Debian's ENet."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform == "win32":
        say("peers: ENet is left out: it wants a C compiler that takes -lenet")
        return
    source, made = FOLDER / "enet.c", TARGET / "release" / "enet-peer"
    code, output = capture([compiler, "-O2", "-Wall", "-Wextra", "-o", made, source, "-lenet"])
    if code != 0 and "enet/enet.h" in output:
        say("peers: ENet is left out: apt install libenet-dev (its header and library) brings it")
    elif code != 0:
        say(output)
        raise Stop("benchmarks/peers/enet.c does not build")
