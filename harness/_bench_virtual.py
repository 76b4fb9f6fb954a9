"""What the network does to a frame, in virtual time: the same figures on every machine.

`priority`: the most important frames, 200 bytes at 60 Hz from a relay over a link of 10 Mbit/s and 40 ms one
way, which lower ones would fill twice. Two players with a link of that kind each: one hears the important
frames alone, one both. It needs the library of the simulated world (`dev.py setup --dev`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

import transport
from harness._bench_case import BenchError, Case, Reach, Setting, Turn
from harness.world import World, WorldError

HZ: Final = 60
IDLE: Final = "idle link"
FULL: Final = "at twice its rate"
SIZE: Final = 200
DELAY_MS: Final = 40
KBIT: Final = 10_000
_BULK: Final = 1000
_PACKET: Final = (SIZE + 100) * 8 / KBIT * 1e3
"""A frame's time on the link with its headers, microseconds."""
_LINK: Final = {
    "sources": ["What this case says of itself."],
    "up": {"rate_kbit": KBIT, "delay_ms": DELAY_MS},
    "down": {"rate_kbit": KBIT, "delay_ms": DELAY_MS},
}


def _listener(*namespaces: str) -> Any:
    async def listen(machine: Any) -> None:
        async with machine.connect() as link:
            feeds = [link.subscribe(namespace) for namespace in namespaces]
            while True:
                for feed in feeds:
                    feed.drain()
                await asyncio.sleep(1 / HZ)

    return listen


async def _important(machine: Any) -> None:
    async with machine.connect() as link:
        track = await link.publish(transport.Frame("game/first", "state", datagram=True, priority=0))
        while True:
            track.send(bytes(SIZE))
            await asyncio.sleep(1 / HZ)


async def _bulk(machine: Any) -> None:
    """Twice the link's rate, in a burst a tick."""
    rows = np.zeros((round(2 * KBIT * 1e3 / 8 / HZ / _BULK), _BULK), np.uint8)
    async with machine.connect() as link:
        track = await link.publish(transport.Frame("game/bulk", "rest", datagram=True, priority=200, ttl=0.1))
        while True:
            track.send_many(rows)
            await asyncio.sleep(1 / HZ)


@contextmanager
def subjects(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """Both players, in one world; a turn is a tick."""
    try:
        world = World(seed=1, log_bytes=0, guard=False)
    except (WorldError, transport.Error) as wrong:
        raise BenchError(f"priority: {wrong}") from None
    with world:
        world.relay()
        players = {
            IDLE: world.machine(_listener("game/first"), name="quiet", network=_LINK),
            FULL: world.machine(_listener("game/first", "game/bulk"), name="busy", network=_LINK),
        }
        world.machine(_important, name="important")
        world.machine(_bulk, name="bulk")
        world.run(5)

        window = world.window()

        def turn(player: Any, ticks: int) -> Mapping[str, float]:
            nonlocal window
            if ticks:
                window = world.window()
                world.run(ticks / HZ)
            took = window.latency(0.5, priority=0, machine=player)
            return {} if math.isnan(took) else {"": took * 1e6}

        # The first of a round lets time pass for both.
        yield {
            IDLE: lambda: turn(players[IDLE], 1),
            FULL: lambda: turn(players[FULL], 0),
        }


CASES: Final = (
    Case(
        "priority",
        "the most important frame over a link of 10 Mbit/s and 40 ms, in virtual time",
        "us",
        900,
        subjects,
        60,
        "virtual",
        [Reach(_PACKET + 0.2 * DELAY_MS * 1e3, FULL, IDLE, added=True, quantile=0.99)],
    ),
)
