"""The proxy's program, `clutchcall-netproxy`: where it is, how it is started, spoken to and ended.

It speaks in lines of JSON, which a thread reads as long as it runs; it ends when its standard input does, so
it never outlives whoever started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness._netem_figures import Counters, parse

PROFILES = Path(__file__).parent / "profiles"
_TARGET = Path(__file__).parents[1] / "core" / "target"
_PATIENCE = 30.0
"""How long an answer may take on a busy machine, seconds; loading a long trace is most of it."""
MAX_COMMAND = 8000
"""Bytes of the longest command."""


class NetemError(Exception):
    """The proxy cannot do what it was asked. One line: what, where, what to do."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
        """A program's exit code: 1 failed at its work, 2 wrong arguments."""


def program() -> Path:
    """The proxy's program: what `CLUTCHCALL_NETPROXY` names, else the newest build of this checkout."""
    if chosen := os.environ.get("CLUTCHCALL_NETPROXY"):
        path = Path(chosen)
        if not path.is_file():
            raise NetemError(f"CLUTCHCALL_NETPROXY is {chosen}: there is no such file", 2)
        return path
    name = "clutchcall-netproxy" + (".exe" if sys.platform == "win32" else "")
    built = [path for kind in ("release", "debug") if (path := _TARGET / kind / name).is_file()]
    if not built:
        raise NetemError(
            "the proxy's program is not built: `python3 dev.py setup --dev` does, or set CLUTCHCALL_NETPROXY"
        )
    return max(built, key=lambda path: path.stat().st_mtime_ns)


class Process:
    """The running program."""

    def __init__(self, arguments: Sequence[str], heard: Callable[[str, dict[str, Any]], None] | None = None):
        """`heard` is called by the reading thread with every line, as it came and parsed."""
        self.address = ""
        self.notices: list[str] = []
        """What it had to say to a person; few, each once."""
        self.latest: Counters | None = None
        """The newest figures."""
        self._heard = heard
        self._asking = threading.Lock()
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ended = False
        self._told = NetemError("the proxy has ended")
        command = [str(program()), "--profiles", str(PROFILES), *arguments]
        # A group of its own: Ctrl-C in a terminal is for us, who then end it with a last line of figures.
        group: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        pipe = subprocess.PIPE
        try:
            self._child = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace", **group
            )
        except (OSError, ValueError) as wrong:
            raise NetemError(f"{command[0]} does not start: {wrong}") from None
        self._reader = threading.Thread(target=self._read, name="netem", daemon=True)
        self._reader.start()
        try:
            ready = self._answers.get(timeout=_PATIENCE)
        except queue.Empty:
            self._kill()
            raise NetemError(f"{command[0]} said nothing for {_PATIENCE:g} s") from None
        if ready is None:
            raise self.gone()
        self.address = ready["listen"]

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._reader.is_alive()

    def ask(self, command: str) -> None:
        """Give it a command and wait until it has obeyed. Raises `NetemError` if it cannot."""
        length = len(command.encode("utf-8", "replace"))
        if any(ord(letter) < 32 for letter in command) or length > MAX_COMMAND:
            raise NetemError(f"{command[:60]!r} is no command: one line of up to {MAX_COMMAND} bytes", 2)
        with self._asking:
            self._write(command)
            try:
                answer = self._answers.get(timeout=_PATIENCE)
            except queue.Empty:
                self._kill()
                raise NetemError(f"the proxy did not answer {command!r} in {_PATIENCE:g} s") from None
        if answer is None:
            self._answers.put(None)  # for whoever asks next
            raise self.gone()
        if answer["error"] is not None:
            raise NetemError(answer["error"], 2)

    def figures(self) -> Counters:
        """The figures of now; the last ones, if it has ended."""
        if not self._ended:
            self.ask("stats")
        if self.latest is None:
            raise self.gone()
        return self.latest

    def end(self) -> None:
        """Let it say its last figures, and end."""
        self._ended = True
        with contextlib.suppress(NetemError):
            self.ask("quit")
        self._kill(wait=5.0)

    def _write(self, command: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(f"{command}\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            raise self.gone() from None

    def _read(self) -> None:
        assert self._child.stdout is not None
        for text in self._child.stdout:
            line = json.loads(text)
            match line["type"]:
                case "ready" | "answer":
                    self._answers.put(line)
                case "stats":
                    self.latest = parse(line)
                case "notice":
                    self.notices.append(line["text"])
            if self._heard is not None:
                self._heard(text, line)
        self._answers.put(None)

    def gone(self) -> NetemError:
        """Why it has ended by itself."""
        self._kill(wait=5.0)
        return self._told

    def _kill(self, wait: float = 0.0) -> None:
        """End it, by force if it does not within `wait` seconds, and close the pipes to it."""
        with contextlib.suppress(OSError):
            if self._child.stdin is not None:
                self._child.stdin.close()
        try:
            code = self._child.wait(wait)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait()
        self._reader.join(_PATIENCE)
        if self._child.stderr is not None and not self._child.stderr.closed:
            lines = self._child.stderr.read().strip().splitlines()
            last = lines[-1].removeprefix("netem: ") if lines else f"the proxy has ended (exit code {code})"
            self._told = NetemError(last, 2 if code == 2 else 1)
            self._child.stderr.close()
        if self._child.stdout is not None:
            self._child.stdout.close()
