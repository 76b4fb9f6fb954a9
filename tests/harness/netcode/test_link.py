"""What a link does with its bandwidth, and what it tells of its network."""

from __future__ import annotations

import asyncio
from statistics import mean
from typing import Any

import pytest

import transport
from harness.world import World

from .games import Walk, Walker, network

FRAME = 200


class Sender:
    """Publishes frames at a rate."""

    def __init__(
        self, track: str, priority: int, hz: float, size: int = FRAME, ttl: float | None = None
    ) -> None:
        self.track, self.priority, self.hz, self.size, self.ttl = track, priority, hz, size, ttl

    async def __call__(self, machine: Any) -> None:
        async with machine.connect() as link:
            spec = transport.Frame("game", self.track, datagram=True, priority=self.priority, ttl=self.ttl)
            track = await link.publish(spec)
            number = 0
            started = asyncio.get_running_loop().time()
            while True:
                track.send(bytes(self.size))
                number += 1
                await asyncio.sleep(max(0.0, started + number / self.hz - asyncio.get_running_loop().time()))


async def listener(machine: Any) -> None:
    async with machine.connect() as link, link.subscribe("game") as feed:
        async for _ in feed:
            pass


def test_the_most_important_frames_at_twice_the_links_rate(world: World) -> None:
    """10 Mbit/s and 40 ms one way, 20 Mbit/s wanted: the important ones arrive as over an idle link."""
    world.relay()
    world.machine(listener, name="player", network=network(delay_ms=40, kbit=10_000))
    world.machine(Sender("first", 0, 60), name="important")
    world.run(10)
    idle = world.p99_latency(priority=0)
    for number in range(8):
        world.machine(Sender(f"low-{number}", 200, 312, size=1000, ttl=0.1), name=f"bulk-{number}")
    world.run(5)
    loaded = world.window()
    world.run(10)
    packet = (FRAME + 100) * 8 / 10e6
    assert loaded.p99_latency(priority=0) <= (idle + packet + 0.2 * 0.040) * 1.03
    assert loaded.delivered(priority=0) > 0.97 * 600
    assert sum(loaded.drops("relay").values()) > 8 * 312 * 10 * 0.3
    assert loaded.delivered(priority=200) > 8 * 312 * 10 * 0.25


@pytest.mark.parametrize("kbit", [20_000, 100_000])
def test_a_3_mib_burst_at_200_ms_while_frames_hold_their_p99(world: World, kbit: int) -> None:
    """What a late joiner is sent, as messages, beside the frames that it gets on the same link."""
    world.relay()
    world.machine(listener, name="player", network=network(delay_ms=100, kbit=kbit))
    world.machine(Sender("moves", 16, 60), name="mover")
    world.run(5)
    before = world.p99_latency(priority=16)

    async def level(machine: Any) -> None:
        async with machine.connect() as link:
            track = await link.publish(transport.Text("game", "level", priority=200))
            for _ in range(96):
                while track.send(bytes(32 << 10)) != transport.Fate.QUEUED:
                    await asyncio.sleep(0.01)
            await asyncio.Event().wait()

    world.machine(level, name="level")
    burst = world.window()
    world.run_until(lambda: world.delivered(priority=200) == 96, seconds=20)
    assert burst.p99_latency(priority=16) < before + 0.040
    assert burst.latency(0.5, priority=16) < before + 0.010
    world.assert_reliable_complete()


@pytest.mark.parametrize("loss", [1.0, 5.0])
def test_round_trip_and_loss_are_reported_as_they_are(world: World, loss: float) -> None:
    host = world.host(Walk)
    bot = world.client(Walker, network=network(delay_ms=50, loss=loss), name="bot")
    world.run(60)
    ends = bot.bot.link.stats(), host.rooms["main"].peers["bot"].stats
    traffic = world.network(bot).traffic()
    for stats, way in zip(ends, ("up", "down"), strict=True):
        assert stats is not None
        injected = traffic[way]["lost"]["independent"] / traffic[way]["packets"]
        assert stats.rtt == pytest.approx(0.100, rel=0.1)
        assert stats.loss == pytest.approx(injected, rel=0.1)


def test_jitter_is_reported_as_it_is(world: World) -> None:
    """Evenly within 5 ms each way: the round trip's mean deviation is a third of the two together."""
    host = world.host(Walk)
    bot = world.client(Walker, network=network(delay_ms=50, jitter_ms=5), name="bot")
    world.run(5)
    told: list[tuple[float, float]] = []
    for _ in range(120):
        world.run(0.5)
        stats = host.rooms["main"].peers["bot"].stats
        assert stats is not None
        told.append((bot.bot.link.stats().jitter, stats.jitter))
    for end in (0, 1):
        assert mean(pair[end] for pair in told) == pytest.approx(0.010 / 3, rel=0.1)
