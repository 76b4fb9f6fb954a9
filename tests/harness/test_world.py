"""The world in virtual time itself: it repeats, time costs nothing, and machines behave as machines do."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import numpy as np
import pytest

import transport
from harness.bots import Player
from harness.world import World, WorldError
from transport.host import Game


class Walk(Game):
    """A game in ten lines."""

    input_dtype: ClassVar[Any] = np.dtype([("dx", "i1"), ("dy", "i1")])

    def join(self, peer: Any, resumed: bool) -> None:
        if not resumed:
            peer.data = [0, 0]
        self.room.broadcast(f"{peer.id} is {'back' if resumed else 'here'}".encode())

    def tick(self, n: int, dt: float) -> None:
        for peer, step in self.inputs(n).items():
            at: Any = peer.data
            peer.data = [at[0] + int(step["dx"]), at[1] + int(step["dy"])]
        self.room.send_state([repr([peer.data for peer in self.room.players]).encode()])


class Walker(Player):
    """Walks to the right, and a little at random."""

    def think(self, tick: int) -> Any:
        return (1, self.random.randint(-1, 1))


LOSSY = {
    "up": {"delay_ms": 40, "loss": {"independent": 3}},
    "down": {"delay_ms": 40, "loss": {"independent": 3}},
}


def match(seed: int, seconds: float = 3.0) -> tuple[str, str]:
    with World(seed) as world:
        world.host(Walk)
        world.clients(4, Walker, network=LOSSY)
        world.run(seconds)
        return world.digest, world.log


def test_the_same_seed_gives_the_same_log_byte_for_byte() -> None:
    first, log = match(7)
    second, again = match(7)
    assert len(log) > 10_000
    assert log == again
    assert first == second


def test_another_seed_gives_another_log() -> None:
    assert match(7, 1.0) != match(8, 1.0)


def test_a_match_is_played(world: World) -> None:
    host = world.host(Walk)
    world.clients(4, Walker, network=LOSSY)
    world.run(10)
    world.assert_no_disconnect()
    world.assert_reliable_complete()
    where: list[Any] = [peer.data for peer in host.rooms["main"].players]
    assert all(x > 500 for x, _ in where)
    assert 0.040 <= world.latency(0.5, priority=64) < 0.045
    assert world.starvation(buffer=0.1) < 0.01


async def test_an_asyncio_test_runs_on_the_worlds_clock(world: World) -> None:
    world.relay()
    started = asyncio.get_running_loop().time()
    async with transport.connect(world.machines["relay"].url, trust=world.machines["relay"].trust) as link:
        await asyncio.sleep(60)
        assert link.is_up
    assert 60 <= asyncio.get_running_loop().time() - started < 61
    assert world.now < 61


def test_a_machine_that_raises_fails_whoever_lets_time_pass(world: World) -> None:
    async def faulty(machine: Any) -> None:
        await asyncio.sleep(1)
        raise KeyError("my bug")

    world.machine(faulty, name="faulty")
    with pytest.raises(KeyError, match="my bug") as caught:
        world.run(5)
    assert "faulty at 1.000 s, seed" in caught.value.__notes__[0]
    assert world.now < 1.1


def test_a_second_world_is_refused(world: World) -> None:
    with pytest.raises(WorldError, match="a world is open already"):
        World(3)


def test_an_unknown_network_is_named_with_those_that_there_are(world: World) -> None:
    with pytest.raises(WorldError, match="lte-train"):
        world.relay(network="lte-tram")
    with pytest.raises(WorldError, match=r"up\.loss\.independent is 140, must be 0\.\.=100 percent"):
        world.relay(network={"up": {"loss": {"independent": 140}}})
