"""The samples over real sockets: each is run as its reader would."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

import transport
from samples.arena import Arena
from samples.arena.client import Player
from samples.arena.world import ALIVE, RIGHT
from samples.tiny_game import Counting
from transport.host import protocol

from ..host.conftest import PATIENCE, ROOT, Running, StartHost, start_host, state, until

__all__ = ["start_host", "state"]


def environment(running: Running) -> dict[str, str]:
    host = running.host
    return os.environ | {
        "CLUTCHCALL_URL": host.local_url,
        "CLUTCHCALL_TOKEN": host.access.player_token("main"),
        "CLUTCHCALL_CERT_SHA256": host.access.certificate.sha256,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm",
    }


async def start(running: Running, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments,
        env=environment(running), cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_player_runs_and_is_heard(start_host: StartHost) -> None:
    async with start_host(Arena, "--bots", "2") as running:
        host = running.host
        trust = transport.Pinned(host.access.certificate.sha256)
        token = host.access.player_token("main", "me")
        async with (
            transport.connect(host.local_url, token=token, trust=trust) as link,
            Player(link) as player,
        ):
            events: list[dict[str, object]] = []
            player.say("hello, bots")

            def step() -> bool:
                events.extend(player.receive())
                player.send(RIGHT, 64)
                state = player.state
                return (
                    state is not None
                    and player.lead is not None
                    and player.lead > 0
                    and int(state[player.slot]["aim"]) == 64
                    and int((state["flags"] & ALIVE != 0).sum()) >= 2
                    and any(event["type"] == "chat" for event in events)
                )

            await until(step)
            assert next(event["type"] for event in events if event["type"] != "chat") == "welcome"
            assert player.names[player.slot] == "me"
            game = host.rooms["main"].game
            assert isinstance(game, Arena)
            state = player.state
            assert state is not None and player.waiting_for_full == 0
            assert host.bots is not None and host.bots.connected == 2
            assert state.tobytes() == game.history.exact(player.tick).tobytes()


async def test_watch_shows_the_arena(start_host: StartHost) -> None:
    async with start_host(Arena, "--bots", "3") as running:
        process = await start(running, "-m", "samples.arena.watch", "--seconds", "2")
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, err.decode()
        assert b"pictures with news" in out and not err


async def test_watch_says_what_is_wrong() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "samples.arena.watch",
        env={**os.environ, "CLUTCHCALL_URL": ""}, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 1 and len(err.splitlines()) == 1 and b"watch: " in err


async def test_ten_lines(start_host: StartHost) -> None:
    async with start_host(Arena) as running:
        process = await start(running, "-u", "samples/ten_lines.py")
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line.startswith(b"tick ") and b"priority 64" in line
        process.kill()
        await process.communicate()


async def test_the_tiny_game_counts(start_host: StartHost) -> None:
    async with start_host(Counting) as running:
        host = running.host
        trust = transport.Pinned(host.access.certificate.sha256)
        token = host.access.player_token("main", "me")
        async with transport.connect(host.local_url, token=token, trust=trust) as link:
            moves = await link.publish(protocol.input_track("main", "me"))
            async with link.subscribe(protocol.down("main", "me")) as feed, asyncio.timeout(PATIENCE):
                async for frame in feed:
                    if frame.track.name == "event":
                        assert protocol.parse_event(frame.payload)[1] == b"me is here"
                        continue
                    head, body = protocol.parse_state(frame.payload)
                    if b'"me": 0' not in bytes(body):
                        break
                    moves.send(protocol.pack_inputs(head.tick + 2, 0, 0, [b"\x01"]))


@pytest.fixture(autouse=True)
def loaded(native: object) -> None:
    """The native core is there."""
