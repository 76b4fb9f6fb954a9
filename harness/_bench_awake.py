"""Cores that do not sleep while something is measured.

A core with nothing to do halts, and what it takes to wake it is not of whoever is woken: on a virtual machine
an exit to the host each time, and caches that the host has given to others meanwhile. So each core gets a
process of the least class there is (SCHED_IDLE), which does nothing and makes way for everybody at once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from harness._bench_case import BenchError

_SPIN: Final = """
import os, sys, threading
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
print("awake", flush=True)
while True:
    pass
"""


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep every core that this process may use out of its sleep. `BenchError` where that cannot be done."""
    if sys.platform != "linux":
        raise BenchError("--awake: only Linux has a class of processes for it: leave it out", 2)
    with contextlib.ExitStack() as stack:
        for core in sorted(os.sched_getaffinity(0)):
            spinning = subprocess.Popen(
                [sys.executable, "-I", "-c", _SPIN, str(core)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            # The end of its input ends it, also if this process is killed.
            stack.enter_context(spinning)
            stack.callback(spinning.kill)
            assert spinning.stdout is not None
            if not spinning.stdout.readline():
                assert spinning.stderr is not None
                why = spinning.stderr.read().strip().splitlines()[-1:] or ["it ended"]
                raise BenchError(f"--awake: core {core} cannot be kept awake: {why[0]}")
        yield
