"""Bots in C#, many in one process: nobody is lost, no garbage is left, and who goes learns why."""

from __future__ import annotations

import asyncio
import importlib
import mmap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import transport
from dotnet_bridge.fixtures import DotnetBots, DotnetServer, Run
from transport import Frame

from .conftest import PATIENCE
from .test_play import open_relay

pytestmark = pytest.mark.timeout(300)

Client = Callable[..., DotnetBots]


def resident() -> int:
    """This process's memory, bytes; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * mmap.PAGESIZE if told.exists() else 0


def play(server: DotnetServer, client: Client, count: int, seconds: int) -> Run:
    """So many bots at 30 Hz, echoed by a server; what has to hold of them whatever the machine does."""
    bots = client(server.url, sha256=server.sha256, count=count)
    assert bots.connect() == count, bots.told
    # The relay reads a bot before the server's own thread hears of its track.
    end = time.monotonic() + PATIENCE
    while server.peers < count and time.monotonic() < end:
        time.sleep(0.005)
    assert server.peers == count
    assert len(set(bots.ids)) == count
    bots.run(ticks=60, hertz=60)
    collector: Any = importlib.import_module("System").GC
    collector.Collect()
    server.measure()
    before = resident()
    run = bots.run(ticks=30 * seconds, hertz=30)
    after = resident()
    print(
        f"{count} bots, {seconds} s: {run.sent} frames sent, {run.echoed} echoed; "
        f"{run.send_ns:.0f} ns a frame in calls of {count}; "
        f"garbage: {run.garbage} bytes of the bots, {server.garbage} of the server; "
        f"{before >> 20} MB before, {after >> 20} MB after"
    )
    assert (run.garbage, server.garbage) == (0, 0)
    assert (run.sent, run.refused, run.damaged) == (count * 30 * seconds, 0, 0)
    assert (bots.told, server.told) == ([], [])
    assert server.peers == count
    assert after - before < 16 << 20
    return run


def test_bots_leave_no_garbage(dotnet_server: DotnetServer, dotnet_client: Client) -> None:
    assert play(dotnet_server, dotnet_client, count=20, seconds=3).echoed > 0


@pytest.mark.slow
def test_two_hundred_bots(
    dotnet_server: DotnetServer, dotnet_client: Client, request: pytest.FixtureRequest
) -> None:
    """For ten seconds, or with `--cc-full` for a minute."""
    seconds = 60 if request.config.getoption("cc_full") else 10
    assert play(dotnet_server, dotnet_client, count=200, seconds=seconds).echoed > 0


def test_each_frame_comes_back(dotnet_server: DotnetServer, dotnet_client: Client) -> None:
    """One at a time, so that nothing has to be dropped; of more than a datagram too."""
    for size in (8, 200, 1100, 1101, 8000):
        bots = dotnet_client(dotnet_server.url, sha256=dotnet_server.sha256, count=2, size=size)
        assert bots.connect() == 2, bots.told
        # The first may come before the bot's subscription does.
        bots.run(ticks=1, hertz=1000)
        while not bots.echoed:
            bots.run(ticks=1, hertz=100)
        before, run = bots.echoed, bots.run(ticks=1, hertz=1000)
        assert run.sent == 2
        assert bots.until_echoed(before + 1)
        assert run.damaged == 0
        bots.close()


def test_a_bot_that_is_kicked_learns_why(dotnet_server: DotnetServer, dotnet_client: Client) -> None:
    bots = dotnet_client(dotnet_server.url, sha256=dotnet_server.sha256, count=2)
    assert bots.connect() == 2
    assert dotnet_server.kick(bots.ids[1], "cheating")
    assert not dotnet_server.kick("nobody", "")
    while not (bots.told and dotnet_server.told):
        bots.run(ticks=1, hertz=100)
    assert bots.told == ["1: Kicked: cheating"]
    assert dotnet_server.told == [f"{bots.ids[1]}: Kicked"]
    assert bots.connect() == 1


def test_bots_that_are_not_let_in(dotnet_bots: Any, dotnet_client: Client) -> None:
    server = DotnetServer(dotnet_bots, token="open sesame")
    try:
        wrong = dotnet_client(server.url, sha256=server.sha256, token="open says me")
        assert wrong.connect() == 0
        assert wrong.told[0].startswith("0: Unauthorized")
        untrusting = dotnet_client(server.url, sha256="00" * 32)
        assert untrusting.connect() == 0
        assert untrusting.told[0].startswith("0: Certificate")
        right = dotnet_client(server.url, sha256=server.sha256, token="open sesame", count=3)
        assert right.connect() == 3
    finally:
        server.close()


async def test_bots_play_against_python(
    dotnet_client: Client, certificate: transport.credentials.Certificate
) -> None:
    """A relay and a game in Python; the namespaces are the game's own."""
    with open_relay(certificate) as (_, url):
        async with (
            transport.connect(url, trust=transport.Pinned(certificate.sha256), timeout=PATIENCE) as link,
            link.subscribe("games/moves", capability="netcode.v1") as feed,
        ):
            await feed.ready()
            states: dict[str, transport.Publication] = {}

            async def game() -> None:
                async for frame in feed:
                    player = frame.track.namespace.rpartition("/")[2]
                    if player not in states:
                        states[player] = await link.publish(
                            Frame(f"games/states/{player}", "state", capability="netcode.v1", datagram=True)
                        )
                    states[player].send(frame.payload)

            running = asyncio.create_task(game())
            names = {"up": "games/moves/{id}", "down": "games/states/{id}"}
            bots = await asyncio.to_thread(
                lambda: dotnet_client(url, sha256=certificate.sha256, count=5, **names)
            )
            assert await asyncio.to_thread(bots.connect) == 5
            async with asyncio.timeout(PATIENCE):
                while bots.echoed < 25:
                    run = await asyncio.to_thread(bots.run, 1, 100.0)
                    assert (run.sent, run.damaged) == (5, 0)
            assert set(states) == set(bots.ids)
            running.cancel()
