"""A host that is killed and started again: its players are back as the same peers, and told of the gap."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import transport
from tests.sdk.conftest import PATIENCE, until
from transport import Fate, LinkStats, TrackResumed, Up
from transport.host import protocol

from .children import Child, child

PLAYERS = 8
RATE = 30


class Player:
    """One player's link: inputs and chat up, states and chat down."""

    def __init__(self, link: transport.Link, room: str) -> None:
        self.link = link
        self.gaps: list[Up | TrackResumed] = []
        self.down = link.subscribe(protocol.down(room, link.peer_id))
        self.heard = link.subscribe(protocol.chat(room))
        self.moves = link.publish(protocol.input_track(room, link.peer_id))
        self.talk = link.publish(protocol.chat_track(room, link.peer_id))
        self.states = 0
        self.words: list[str] = []
        link.on_gap(self.gaps.append)

    @property
    def ups(self) -> list[Up]:
        """The times that the link came back."""
        return [gap for gap in self.gaps if isinstance(gap, Up)]

    async def ready(self) -> None:
        await self.down.ready()
        await self.heard.ready()
        await self.moves
        await self.talk

    def look(self) -> None:
        """Take what came."""
        self.states += sum(frame.track.name == "state" for frame in self.down.frames())
        self.words += [frame.text for frame in self.heard.frames()]


class Players:
    """All of them, and a task that has them send inputs and read."""

    def __init__(self, players: list[Player]) -> None:
        self.players = players
        self._ticks = itertools.count(1)

    def __iter__(self) -> Iterator[Player]:
        return iter(self.players)

    async def play(self) -> None:
        while True:
            tick = next(self._ticks)
            for player in self.players:
                player.moves.send(protocol.pack_inputs(tick, None, tick, [bytes(3)]))
                player.look()
            await asyncio.sleep(1 / RATE)

    async def hear(self, word: str) -> None:
        """Everyone says it, and hears it from everyone else."""
        self.say(word)
        await self.heard(word)

    def say(self, word: str) -> None:
        """Everyone says it."""
        for player in self.players:
            assert player.talk.send(f"{word} from {player.link.peer_id}") == Fate.QUEUED

    async def heard(self, word: str) -> None:
        """Everyone has heard it from everyone else."""
        end = time.monotonic() + PATIENCE
        while missing := self.missing(word):
            assert time.monotonic() < end, f"never heard, by reader: {missing}"
            await asyncio.sleep(0.01)

    def missing(self, word: str) -> dict[str, list[str]]:
        """Whom each has not heard say it."""
        found = {
            player.link.peer_id: [
                other.link.peer_id
                for other in self.players
                if other is not player and f"{word} from {other.link.peer_id}" not in player.words
            ]
            for player in self.players
        }
        return {reader: others for reader, others in found.items() if others}

    def stats(self) -> list[LinkStats]:
        return [player.link.stats() for player in self.players]


@pytest.fixture
def port() -> int:
    """A UDP port that is free now: the host has to have the same one twice."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def arguments(port: int) -> list[str]:
    return ["-m", "transport.host", "--port", str(port), "--control-port", "0", "--admin-port", "0"]


async def environment(host: Child) -> tuple[str, str, str]:
    """Where it is, a token and the certificate's hash, as it prints them."""
    names = ("URL", "TOKEN", "CERT_SHA256")
    url, token, sha256 = [await host.line(f"CLUTCHCALL_{name}=") for name in names]
    return url, token, sha256


async def joined(stack: AsyncExitStack, host: Child) -> tuple[Players, str]:
    """Players in the host's room who have seen the world and each other; the certificate's hash."""
    url, token, sha256 = await environment(host)
    players = Players([])
    for _ in range(PLAYERS):
        dialled = transport.connect(url, token=token, trust=transport.Pinned(sha256))
        player = Player(await stack.enter_async_context(dialled), "main")
        await player.ready()
        players.players.append(player)
    playing = asyncio.create_task(players.play())
    stack.push_async_callback(ended, playing)
    await until(lambda: all(player.states > 10 for player in players))
    await until(lambda: all(len(player.heard.tracks) == PLAYERS - 1 for player in players))
    await players.hear("before")
    return players, sha256


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("dead", [0.0, 8.0], ids=["at-once", "after-8-s"])
async def test_players_of_a_killed_host_come_back(
    native: Path, port: int, tmp_path: Path, dead: float
) -> None:
    state = {"CLUTCHCALL_STATE": str(tmp_path)}
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(child(*arguments(port), environment=state))
        players, sha256 = await joined(stack, first)
        peer_ids = [player.link.peer_id for player in players]
        assert len(set(peer_ids)) == PLAYERS

        await first.kill()
        await asyncio.sleep(dead)  # the time that a machine takes to start it again
        second = await stack.enter_async_context(child(*arguments(port), environment=state))
        where, _, certificate = await environment(second)
        assert (where, certificate) == (players.players[0].link.url, sha256)
        await until(lambda: all(player.ups and player.link.is_up for player in players))
        # Subscriptions and publications again: each hears of the world, and of each other.
        seen = [player.states for player in players]
        await until(lambda: all(player.states > old for player, old in zip(players, seen, strict=True)))
        await until(lambda: all(len(player.heard.tracks) == PLAYERS - 1 for player in players))

        assert [player.link.peer_id for player in players] == peer_ids
        await players.hear("after")
        for player in players:
            assert [gap.resumed for gap in player.ups] == [True]
            assert dead <= player.ups[0].gap + 1
            chats = {gap.track.name for gap in player.gaps if isinstance(gap, TrackResumed)}
            assert chats >= set(peer_ids) - {player.link.peer_id}
            assert player.link.stats().reconnects == 1
            # Nothing that was said is missing, and nothing came twice.
            assert len(player.words) == len(set(player.words)) == 2 * (PLAYERS - 1)
        for player in players:
            await player.link.aclose()
        assert await second.end() == 0


async def test_what_is_said_while_the_host_is_dead_reaches_everyone(
    native: Path, port: int, tmp_path: Path
) -> None:
    state = {"CLUTCHCALL_STATE": str(tmp_path)}
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(child(*arguments(port), environment=state))
        players, _ = await joined(stack, first)
        await first.kill()
        players.say("meanwhile")
        await stack.enter_async_context(child(*arguments(port), environment=state))
        await players.heard("meanwhile")
        await players.hear("after")
        for player in players:
            assert len(player.words) == len(set(player.words)) == 3 * (PLAYERS - 1)
