"""Programs beside a benchmark: started, spoken to in lines, and ended; and the CPU time of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from harness._bench_case import BenchError, Peer

ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 20.0
"""How long anything may take on a busy machine, seconds."""
LIBRARY: Final = "CLUTCHCALL_NATIVE"
"""The variable that names another build."""


class Program:
    """A running program."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self.process = process
        self.name = name

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def said(self) -> str:
        """The next line."""
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise BenchError(f"{self.name} has ended (exit code {self.process.wait(PATIENCE)})")
        return line.strip()

    def tell(self, text: str) -> None:
        """A line for its input."""
        pipe = _pipe(self.process.stdin)
        try:
            pipe.write(text + "\n")
            pipe.flush()
        except OSError:
            raise BenchError(f"{self.name} has ended (exit code {self.process.wait(PATIENCE)})") from None


@contextmanager
def program(
    command: Sequence[str], name: str, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """A program that runs while the block does; killed at its end if it still does."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), **(environment or {})},
        )
    except OSError as wrong:
        raise BenchError(f"{name} does not start: {wrong.strerror or wrong}") from None
    with process:
        try:
            yield Program(process, name)
        finally:
            process.kill()


def module(name: str, *arguments: str) -> list[str]:
    """The command for `python -m NAME`."""
    return [sys.executable, "-m", name, *arguments]


@contextmanager
def relay(peer: Peer, shards: int = 1) -> Iterator[Peer]:
    """The peer as something to dial: started here, of so many shards, unless it is one that runs already."""
    if peer.url:
        yield peer
        return
    environment = {LIBRARY: str(peer.library)} if peer.library is not None else {}
    command = module("harness._bench_relay", f"{shards}")
    with program(command, f"the relay of {peer.name}", environment) as running:
        url, sha256 = running.said().split()
        yield Peer(peer.name, url, sha256, peer.token, running.pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process. `BenchError` where the system does not tell."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        spent = 0
        for task in tasks:
            told = Path(f"/proc/{pid}/task/{task}/schedstat").read_text("ascii")
            spent += int(told.split()[0])
    except (OSError, ValueError, IndexError):
        raise BenchError(
            f"the CPU time of process {pid} is not to be had: is it running, and is this Linux?"
        ) from None
    return spent / 1e9


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
