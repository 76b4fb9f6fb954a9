"""The form of a benchmark case, and what is measured against what.

A case opens its **subjects**, each a callable that takes one turn and returns what it measured, in the
case's unit, by series (`""` for a subject that measures one thing). Subjects take turns, so that all of them
see the same machine; one of them, the **floor**, is raw UDP. Nothing is asserted about time: a benchmark says
how fast it was, and people compare.

A file of one's own has its cases in `CASES`; `python -m harness.bench mine.py` runs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

FLOOR: Final = "udp"
"""The subject that others are divided by."""
OURS: Final = "clutchcall"

Turn: TypeAlias = Callable[[], Mapping[str, float]]
"""One turn of a subject. What it could not measure it leaves out."""


class BenchError(Exception):
    """What was asked cannot be measured. One line: what, and what to do."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
        """A program's exit code: 1 failed at its work, 2 wrong arguments."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to measure beside this build: a relay that runs, or another build of the native library."""

    name: str
    url: str = ""
    sha256: str = ""
    """Of its certificate; none: a certificate that the system trusts."""
    token: str = ""
    pid: int = 0
    """Of its process, for the cases that measure CPU time; 0: those leave it out."""
    library: Path | None = None
    """Another build; a relay is started with it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case opens its subjects with."""

    peers: Sequence[Peer] = ()
    floor: Path | None = None
    """The program that sends raw UDP; none: not built."""
    others: Sequence[str] = ()
    """Other implementations that are there, by name: harness._bench_peers."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A figure to reach."""

    most: float
    """What the subject may be at most: in the case's unit, or so many times `beside`."""
    subject: str = OURS
    """With its series, as a result has it."""
    beside: str = ""
    """Of which subject `most` is a multiple; empty: of none."""
    added: bool = False
    """What is above `beside` (`FLOOR`, if that is empty), in the case's unit, and not the whole."""
    quantile: float = 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """A benchmark."""

    name: str
    about: str
    """What one number is, in a sentence."""
    unit: str
    """`us`, `us/object` or `us/frame`; less is better."""
    rounds: int
    """Turns that count."""
    open: Callable[[Setting], AbstractContextManager[Mapping[str, Turn]]]
    """Starts the subjects and ends them."""
    warm_up: int = 0
    """Turns before those."""
    group: str = ""
    """Cases that are listed together."""
    reach: Sequence[Reach] = ()
    """What it should be at."""
    axis: str = ""
    """What the subjects' names count, where a picture shows them as a line; `NAME NUMBER`: another's line."""
    extra: bool = False
    """Takes long: measured when it is named, or by `all`."""


@dataclass(slots=True)
class Result:
    """What came out of a case."""

    case: Case
    values: dict[str, list[float]] = field(default_factory=dict)
    """By `subject` or `subject, series`."""
    empty: dict[str, int] = field(default_factory=dict)
    """Turns that measured nothing, by subject."""
    failed: dict[str, str] = field(default_factory=dict)
    """Other implementations that gave up, with what they said; they take no further turns."""

    def add(self, subject: str, measured: Mapping[str, float]) -> None:
        """Take a turn's values."""
        if not measured:
            self.empty[subject] = self.empty.get(subject, 0) + 1
        for series, value in measured.items():
            self.values.setdefault(f"{subject}, {series}" if series else subject, []).append(value)


_PEER_FIELDS: Final = ("sha256", "token", "pid")


def peer(text: str) -> Peer:
    """`NAME=URL[,sha256=HEX][,token=T][,pid=N]`, or a native library's file. `BenchError`."""
    path = Path(text)
    if "=" not in text:
        if not path.is_file():
            raise BenchError(
                f"--against {text}: there is no such file: pass a build of the native library, or "
                "NAME=URL[,sha256=HEX][,token=T][,pid=N] of a relay that runs",
                2,
            )
        return Peer(path.parent.name + "/" + path.stem, library=path.absolute())
    name, _, rest = text.partition("=")
    url, *options = rest.split(",")
    if not re.fullmatch(r"[\w.-]{1,40}", name) or name in (FLOOR, OURS):
        raise BenchError(f"--against {text}: {name!r} is no name for a peer: use letters and digits", 2)
    if not url.startswith("moqt://"):
        raise BenchError(f"--against {text}: {url!r} is no URL: it begins with moqt://", 2)
    told = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _PEER_FIELDS or not value:
            raise BenchError(f"--against {text}: {option!r}: use {', '.join(_PEER_FIELDS)}", 2)
        told[key] = value
    pid = told.get("pid", "0")
    if not pid.isdecimal():
        raise BenchError(f"--against {text}: pid {pid!r} is no process id", 2)
    return Peer(name, url, told.get("sha256", ""), told.get("token", ""), int(pid))
