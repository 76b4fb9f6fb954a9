"""Runs the steps of a check and reports each in one line.

Steps of one lane run one after the other, because they share a build folder or a processor; lanes run side
by side. A step that fails prints its output and the command that repeats it, and the others go on: one run
shows everything that is wrong.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools import process
from tools.console import Stop, say

PATIENCE = 600.0  # seconds one command may take: a hang must end well within CI's twenty minutes
SHOWN = 400  # lines of a failed step's output that are printed, its last ones


@dataclass(frozen=True)
class Finding:
    """One thing that a lint of the project's own has to say."""

    where: str
    """`path:line` or a path, relative to the checkout."""
    what: str
    """What is wrong and what to do instead."""
    warning: bool = False
    """Printed, but nothing fails for it."""

    def __str__(self) -> str:
        return f"{self.where}: {'warning: ' if self.warning else ''}{self.what}"


@dataclass(frozen=True)
class Step:
    """A command, or a function that returns findings. Exactly one of `command` and `lint` is given."""

    name: str
    lane: str
    command: process.Command = ()
    lint: Callable[[], Sequence[Finding]] | None = None
    cwd: Path = process.ROOT
    absent: str = ""
    """Why there is nothing to check; the step then only says so."""


def run(steps: Sequence[Step]) -> list[str]:
    """Run `steps`, report each, and return the names of those that failed."""
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        lanes.setdefault(step.lane, []).append(step)
    stopping = threading.Event()

    def work(lane: Sequence[Step]) -> list[str]:
        return [step.name for step in lane if not stopping.is_set() and not _run(step)]

    with ThreadPoolExecutor(max_workers=max(1, len(lanes))) as pool:
        futures = [pool.submit(work, lane) for lane in lanes.values()]
        try:
            return [name for future in futures for name in future.result()]
        except BaseException:
            stopping.set()
            process.end_all()
            raise


def _run(step: Step) -> bool:
    if step.absent:
        say(f"  -    {step.name:<16}         {step.absent}")
        return True
    began = time.monotonic()
    try:
        good, output = _perform(step)
    except Stop as stop:
        good, output = False, str(stop)
    took = time.monotonic() - began
    text = f"  {'ok  ' if good else 'FAIL'} {step.name:<16} {took:6.1f} s"
    if output.strip() and (not good or step.lint is not None):
        lines = output.rstrip().splitlines()
        if len(lines) > SHOWN:
            lines = [f"... {len(lines) - SHOWN} lines before these", *lines[-SHOWN:]]
        text += "".join(f"\n       {line}" for line in lines)
    if not good:
        text += f"\n       again: {repeat(step)}"
    say(text)
    return good


def _perform(step: Step) -> tuple[bool, str]:
    if step.lint is not None:
        findings = step.lint()
        return all(finding.warning for finding in findings), "\n".join(map(str, findings))
    code, output = process.capture(step.command, cwd=step.cwd, timeout=PATIENCE)
    return code == 0, output


def repeat(step: Step) -> str:
    """The command line, typed at the top of the checkout, that repeats `step`."""
    if step.lint is not None:
        return f"{Path(sys.executable).stem} dev.py check {step.name}"
    words = [_short(part) for part in step.command]
    line = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
    if step.cwd != process.ROOT:
        folder = step.cwd.relative_to(process.ROOT).as_posix()
        return f"cd {folder} && {line}"
    return line


def _short(part: str | Path) -> str:
    path = Path(part)
    if path.is_absolute() and path.is_relative_to(process.ROOT):
        return str(path.relative_to(process.ROOT))
    return path.name if path.is_absolute() and path.stem == "cargo" else str(part)
