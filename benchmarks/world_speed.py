"""How fast a world with programs in Python is: `python benchmarks/world_speed.py [CLIENTS] [SECONDS] [SEED]`.

A host with a game in Python and a bot in Python a client, 60 Hz, 3% loss, 40 ms and up to 40 ms more or less
one way; without encryption, then with TLS. Prints virtual seconds a second of this thread's CPU time, which
other work on the machine hardly moves, and a second of wall time; and where the time went.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.world import World
from tests.harness.netcode.games import STATE, Walk, Walker, network

_cpu, _wall = time.thread_time, time.perf_counter


def measure(crypto: str, clients: int, seconds: float, seed: int) -> str:
    """One line."""
    with World(seed, crypto=crypto, guard=False) as world:  # type: ignore[arg-type]
        world.host(Walk)
        world.clients(clients, Walker, network=network(delay_ms=40, loss=3, jitter_ms=40))
        world.run(2)
        native = [0.0]
        run = world._library.run

        def timed(until: int) -> tuple[int, list[int]]:
            began = _cpu()
            try:
                return run(until)
            finally:
                native[0] += _cpu() - began

        world._library.run = timed  # type: ignore[method-assign, assignment]
        records = world.records
        cpu, wall = _cpu(), _wall()
        world.run(seconds)
        cpu, wall = _cpu() - cpu, _wall() - wall
        p99 = world.p99_latency(priority=STATE) * 1e3
        return (
            f"{crypto:5} {clients} clients, {seconds:g} s: {seconds / cpu:.1f}x by CPU time, "
            f"{seconds / wall:.1f}x by wall time; native {native[0] / cpu:.0%} of the CPU time; "
            f"{(world.records - records) / seconds:.0f} records/s, states' p99 {p99:.0f} ms"
        )


def main() -> None:
    """Both kinds of crypto."""
    given = sys.argv[1:]
    clients = int(given[0]) if given else 64
    seconds = float(given[1]) if len(given) > 1 else 30.0
    seed = int(given[2]) if len(given) > 2 else 1
    for crypto in ("null", "tls"):
        print(measure(crypto, clients, seconds, seed), flush=True)


if __name__ == "__main__":
    main()
