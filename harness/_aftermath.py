"""After tests failed in virtual time: each is made smaller, and its smallest run leaves qlog and a plot.

The process that reports (with xdist the one that steers) runs a failed test again by itself, in a process a
trial: a world repeats exactly, so what failed fails again. Everything is bounded: so many tests, so many
trials, so many seconds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from harness._minimise import Limit, described, minimise

if TYPE_CHECKING:
    import pytest

PROPERTY: Final = "cc-failure"
"""Of a report: what is needed to run its test again."""
TESTS: Final = 3
"""Failed tests that are looked into."""
SECONDS: Final = 120.0
"""For all trials of one test, of real time."""
_TRIAL: Final = 60.0
"""For one trial."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed in virtual time."""

    node: str
    """pytest's id, without a seed."""
    again: Sequence[str]
    """Options that repeat it."""
    kind: str
    """What was raised, and where: what counts as the same failure."""
    clients: int
    """The most that one call of `clients` made."""
    seconds: float
    """Of the world's time."""
    impairments: tuple[str, ...]
    folder: str
    """Where it left what happened."""
    root: str
    """Where pytest was started."""

    @staticmethod
    def of(told: Mapping[str, Any]) -> Failure:
        """From a report's property."""
        return Failure(**{**told, "again": tuple(told["again"]), "impairments": tuple(told["impairments"])})

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def kind_of(wrong: BaseException) -> str:
    """What was raised, and the last line of the test's own files that it came through."""
    trace, where = wrong.__traceback__, ""
    own = str(Path(__file__).parent)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file and not file.startswith(own) and os.path.isfile(file):
            where = f"{Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(wrong).__name__} at {where}"


def look_into(reports: Sequence[pytest.TestReport], terminal: Any, *, smaller: bool) -> None:
    """Say what was found of each; `smaller`: look for the smallest run first."""
    told = [dict(report.user_properties).get(PROPERTY) for report in reports]
    failures = [Failure.of(one) for one in told if isinstance(one, dict)]
    first = list({failure.node: failure for failure in reversed(failures)}.values())[::-1][:TESTS]
    if not first:
        return
    terminal.section("clutchcall")
    for failure in first:
        terminal.line(failure.node)
        limit = Limit()
        if smaller:
            limit = _smallest(failure, terminal)
        qlog = _again(failure, limit, Path(failure.folder), keep=True)
        made = sorted(Path(failure.folder).glob("**/*.sqlog"))
        what = (
            f"{len(made)} qlog files and report.html"
            if qlog == failure.kind and made
            else "no qlog: it went otherwise"
        )
        terminal.line(f"  {failure.folder}: {what}")


def _smallest(failure: Failure, terminal: Any) -> Limit:
    end = monotonic() + SECONDS

    def fails(limit: Limit) -> bool:
        if monotonic() > end:
            return False
        with tempfile.TemporaryDirectory(prefix="cc-trial-") as folder:
            return _again(failure, limit, Path(folder)) == failure.kind

    found = minimise(failure.clients, failure.seconds, failure.impairments, fails)
    bound = ", its bound" if found.exhausted or monotonic() > end else ""
    terminal.line(f"  smallest that fails, of {found.trials} runs{bound}: {described(found.limit)}")
    terminal.line(f"  again: {command(failure, found.limit)}")
    return found.limit


def command(failure: Failure, limit: Limit) -> str:
    """The line that repeats it."""
    node = f"'{failure.node}'" if re.search(r"[\[\s]", failure.node) else failure.node
    words = ["pytest", node, *failure.again]
    if limit.text():
        words.append(f"--cc-limit={limit.text()}")
    return " ".join(words)


def _again(failure: Failure, limit: Limit, folder: Path, *, keep: bool = False) -> str:
    """Run it once more; the kind of its failure, empty for none."""
    verdict = folder / "verdict.json"
    words = [sys.executable, "-m", "pytest", failure.node, *failure.again, f"--cc-verdict={verdict}"]
    words += [f"--cc-limit={limit.text()}"] if limit.text() else []
    words += [f"--cc-look={folder}"] if keep else []
    words += ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    words += ["-p", "harness.plugin", "--import-mode=importlib"]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(words, cwd=failure.root, capture_output=True, timeout=_TRIAL, check=False)
        told = json.loads(verdict.read_text("utf-8"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    finally:
        verdict.unlink(missing_ok=True)
    return str(told["kind"])
