"""What the workbench says, and how it stops.

Progress goes to standard error in whole lines, so that it reads the same on a terminal and in a CI log, and
leaves standard output to the programs that are started. A `Stop` is the one way to give up: its text is a
line that says what is wrong and what to do about it.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass

_lock = threading.Lock()

UNITS = {"b": 1, "bytes": 1, "kb": 1e3, "kib": 1024, "mb": 1e6, "mib": 1024**2, "gb": 1e9, "gib": 1024**3}


class Stop(Exception):
    """The target cannot go on. `code` is the exit code: 1 failed at its work, 2 wrong arguments."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Work:
    """What bringing something up to date took. False when nothing had to be done."""

    changed: bool = False
    fetched: float = 0.0
    """Bytes that came over the network."""

    def __bool__(self) -> bool:
        return self.changed

    def __add__(self, other: Work) -> Work:
        return Work(self.changed or other.changed, self.fetched + other.fetched)


def say(text: str) -> None:
    """Write `text` as whole lines, never interleaved with another thread's."""
    with _lock:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stderr.flush()


def size(count: float) -> str:
    """Bytes as people read them: `16.6 MB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def parse_size(text: str) -> float:
    """Bytes from what pip and cargo print: `16.6 MB`, `5.2MiB`. 0 for what is not a size."""
    text = text.strip().lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text[len(number) :].strip()
    try:
        return float(number) * UNITS[unit]
    except (ValueError, KeyError):
        return 0.0
