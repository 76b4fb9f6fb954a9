"""Starts other programs, bounded in time, and never leaves one behind.

Each child leads its own process group, because what cargo and pytest start has to end with them. That also
takes the children out of the terminal's reach, so whatever ends this process first has to call `end_all`:
`heed_signals` sees to it that an order to end arrives as KeyboardInterrupt.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from tools.console import Stop

ROOT = Path(__file__).resolve().parent.parent

Command = Sequence[str | Path]

_running: set[subprocess.Popen[str]] = set()
_guard = threading.Lock()


def capture(
    command: Command,
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout: float = 900,
    on_line: Callable[[str], None] | None = None,
) -> tuple[int, str]:
    """Run to the end and return the exit code and everything printed.

    `on_line` sees each line as it comes. After `timeout` seconds the whole process group is killed and the
    code is -1. Raises `Stop` if the program cannot be started.
    """
    try:
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise Stop(f"{command[0]} cannot be started: {error.strerror or error}") from error
    with _guard:
        _running.add(child)
    late = threading.Event()

    def expire() -> None:
        late.set()
        _end(child)

    timer = threading.Timer(timeout, expire)
    timer.daemon = True
    timer.start()
    lines: list[str] = []
    try:
        assert child.stdout is not None
        with child.stdout as printed:
            for line in printed:
                lines.append(line)
                if on_line is not None:
                    on_line(line.rstrip("\n"))
        code = child.wait()
    finally:
        timer.cancel()
        _end(child)
        child.wait()
        with _guard:
            _running.discard(child)
    if late.is_set():
        lines.append(f"killed: not done after {timeout:.0f} s\n")
        code = -1
    return code, "".join(lines)


def heed_signals() -> None:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that no child stays behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def end_all() -> None:
    """Kill every program that is still running, with what it started."""
    with _guard:
        children = list(_running)
    for child in children:
        _end(child)


def hand_over(command: Command, env: Mapping[str, str] | None = None) -> int:
    """Run `command` on this terminal, signals and all, and return its exit code.

    On POSIX the program takes this process's place, so that SIGTERM reaches it and not a middleman.
    """
    words = [str(part) for part in command]
    full = {**os.environ, **(env or {})}
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(words[0], words, full)
    with subprocess.Popen(words, env=full) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the console sent Ctrl-C to the child as well; it decides how to end


def _end(child: subprocess.Popen[str]) -> None:
    if sys.platform != "win32":
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # nothing of the group is left
    elif child.poll() is None:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)
