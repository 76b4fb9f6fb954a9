"""The face of `world` on real sockets. Nothing here depends on how fast the machine is: what is waited for
comes sooner or later, and what no delay can break is asserted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import transport
from harness.live import Live
from harness.world import WorldError

from .netcode.games import STATE, Walk, Walker, network
from .test_plugin import run_pytest

pytestmark = pytest.mark.timeout(300)
PATIENCE = 120.0
"""How long anything may take on a busy machine, seconds."""


async def talker(machine: Any) -> None:
    """Numbered messages, for as long as it is let."""
    async with machine.connect() as link:
        said = await link.publish(transport.Text("game", machine.name))
        machine.bot = []
        while True:
            said.send(b"a word")
            machine.bot.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.02)


async def listener(machine: Any) -> None:
    async with machine.connect() as link, link.subscribe("game") as feed:
        async for _ in feed:
            pass


@pytest.mark.parametrize("stage", ["world", "live"])
def test_one_body_runs_in_virtual_time_and_on_sockets(stage: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(stage)
    host = made.host(Walk)
    bots = made.clients(2, Walker, network=network(delay_ms=30))
    made.run_until(lambda: made.delivered(priority=STATE, machine=bots[1]) >= 60, seconds=PATIENCE)
    made.network(bots[0]).profile(network(delay_ms=10, loss=5))
    seen = made.window()
    made.run_until(lambda: seen.delivered(priority=STATE, machine=bots[0]) >= 60, seconds=PATIENCE)
    assert made.latency(0.0, priority=STATE, machine=bots[1]) >= 0.030 * 0.97
    players = host.rooms["main"]
    made.run_until(lambda: {peer.id for peer in players.players} == {"bot-1", "bot-2"}, seconds=PATIENCE)
    up, down = made.bandwidth(bots[0])
    assert up > 0 and down > 0
    sent, received = made.bandwidth(host)
    assert sent > 0 and received > 0
    made.assert_reliable_complete(within=PATIENCE)
    assert made.starvation(buffer=60.0) == 0.0


def test_messages_are_whole_over_outage_rebinding_and_pause(live: Live) -> None:
    relay = live.relay()
    reader = live.client(listener, network="home-broadband")
    writer = live.client(talker, network={"up": {"loss": {"independent": 10}}})
    live.run_until(lambda: live.delivered(machine=reader) > 20, seconds=PATIENCE)
    for _ in range(100):
        live.network(writer).outage(0.3)
        live.run(0.4)
        if live.network(writer).lost().get("paused", 0) > 0:
            break
    said, at = len(writer.bot), live.now
    live.pause(writer, 0.5)
    live.run_until(lambda: len(writer.bot) > said + 20, seconds=PATIENCE)
    assert writer.bot[said] - at >= 0.5, "its program stood still"
    live.network(writer).rebind()
    live.network(relay).profile({"down": {"delay_ms": 20}})
    heard = live.window()
    live.run_until(lambda: heard.delivered(machine=reader) > 50, seconds=PATIENCE)
    assert live.network(writer).lost()["independent"] > 0
    assert live.network(writer).lost()["paused"] > 0
    live.assert_reliable_complete(within=PATIENCE)


def test_who_is_killed_goes_without_a_word_and_comes_back(live: Live) -> None:
    host = live.host(Walk)
    bots = live.clients(2, Walker)
    seats = host.rooms["main"]
    live.run_until(lambda: len(seats.players) == 2, seconds=PATIENCE)
    lives = bots[0].lives
    live.kill(bots[0])
    assert not bots[0].running
    left = live.window()
    live.run_until(lambda: left.delivered(priority=STATE, machine=bots[1]) > 30, seconds=PATIENCE)
    goodbyes = {int(transport.Reason.LOCAL), int(transport.Reason.PEER), int(transport.Reason.GOING_AWAY)}
    assert not [lost for lost in live._library.ask("lost") if lost["reason"] in goodbyes]
    live.restart(bots[0])
    back = live.window()
    live.run_until(lambda: back.delivered(priority=STATE, machine=bots[0]) > 10, seconds=PATIENCE)
    assert bots[0].lives == lives + 1
    live.kill(host)
    live.restart(host)
    again = live.window()
    live.run_until(lambda: again.delivered(priority=STATE, machine=bots[1]) > 10, seconds=PATIENCE)
    # On a machine that stands still for seconds a link may time out; nothing else ended.
    assert all(": timeout" in line for line in live.disconnects()), live.disconnects()


async def test_an_asyncio_test_dials_by_itself(live: Live) -> None:
    relay = live.relay()
    async with transport.connect(relay.url, trust=relay.trust, timeout=PATIENCE) as link:
        assert link.is_up
    with pytest.raises(WorldError, match="time passes by itself"):
        live.run(1)


def test_a_program_that_raises_fails_whoever_lets_time_pass(live: Live) -> None:
    async def faulty(machine: Any) -> None:
        raise KeyError("my bug")

    live.machine(faulty, name="faulty")
    with pytest.raises(KeyError, match="my bug") as caught:
        live.run(PATIENCE)
    assert "the program of faulty at" in caught.value.__notes__[0]


def test_what_cannot_be_is_told_in_a_line(live: Live) -> None:
    with pytest.raises(WorldError, match=r"network 'lte-tram': there are .*lte-train"):
        live.relay(network="lte-tram")
    with pytest.raises(WorldError, match=r"up\.loss\.independent is 140, must be 0\.\.=100 percent"):
        live.relay(network={"up": {"loss": {"independent": 140}}})
    relay = live.relay("fine")
    with pytest.raises(WorldError, match="behind: real sockets have no shared network"):
        live.client(listener, behind=relay)
    alone = live.machine(listener, name="alone")
    with pytest.raises(WorldError, match=r"up\.delay_ms"):
        live.network(alone).profile({"up": {"delay_ms": -1}})
    with pytest.raises(ValueError, match="outage: -1 s cannot be"):
        live.network(alone).outage(-1)


ANYWHERE = """
from harness import Bot


def test_luck(world):
    world.relay()
    bot = world.client(Bot)
    world.run(0.1)
    assert bot.running and world.clock == "virtual", world.clock
"""


def test_tests_of_a_world_run_live_by_an_option(tmp_path: Path) -> None:
    (tmp_path / "test_luck.py").write_text(ANYWHERE, "utf-8")
    code, said = run_pytest(tmp_path)
    assert code == 0, said
    code, said = run_pytest(tmp_path, "--cc-live")
    assert code == 1 and "AssertionError: real" in said, said
    assert "again: pytest test_luck.py::test_luck --cc-seed=1 --cc-live" in said
    assert "smallest" not in said and "qlog" not in said
