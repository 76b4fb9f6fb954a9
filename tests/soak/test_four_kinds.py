"""All four kinds at once: 32 clients, each with frames and text of its own, one voice, one picture.

All is read by all. CLUTCHCALL_SOAK_SECONDS sets the time, CLUTCHCALL_SOAK_CLIENTS how many; of a run of more
than two minutes memory grows by no more than text windows and caches hold.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import transport
from tests.sdk.conftest import PATIENCE, Relay, bounded, open_relay, until
from transport import Feed, Frame, Link, Publication, Text, TrackKind
from transport.host._show import Show

SECONDS = float(os.environ.get("CLUTCHCALL_SOAK_SECONDS", "8"))
CLIENTS = int(os.environ.get("CLUTCHCALL_SOAK_CLIENTS", "32"))
STEP = 0.05
FRAMES_EVERY = 0.25
TEXT_EVERY = 1.0
WARM = 60.0
"""Memory is compared from then on, seconds."""
_TEXT = struct.Struct("<II")


@dataclass
class Client:
    number: int
    link: Link
    moves: Publication
    talk: Publication
    feed: Feed
    said: int = 0
    heard: dict[int, int] = field(default_factory=dict)
    """Newest message of each other client."""
    frames: dict[int, int] = field(default_factory=dict)
    """Objects had, by kind."""
    wrong: list[str] = field(default_factory=list)
    last: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Newest location of each picture track."""


def resident() -> int:
    """Memory of this process, bytes; 0 where it can't be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


async def enter(relay: Relay, node: transport.Node, number: int) -> Client:
    link = await transport.connect(relay.url, trust=relay.trust, node=node, timeout=2 * PATIENCE)
    moves = await link.publish(Frame("games/main/up", f"c{number}", datagram=True, ttl=0.5))
    talk = await link.publish(Text("games/main/chat", f"c{number}"))
    feed = await link.subscribe("games/main").ready()
    return Client(number, link, moves, talk, feed)


def take(client: Client, kinds: dict[int, int]) -> None:
    """Count what has come, and check what has an order."""
    batch = client.feed.drain()
    rows = batch.frames[["track", "group", "object"]].tolist()
    for index, (track, group, at_object) in enumerate(rows):
        kind = kinds.get(track)
        if kind is None:
            kind = kinds[track] = batch.track(index).kind
        client.frames[kind] = client.frames.get(kind, 0) + 1
        if kind == TrackKind.TEXT:
            sender, said = _TEXT.unpack_from(batch.payload(index))
            before = client.heard.get(sender, 0)
            if said != before + 1:
                client.wrong.append(f"client {client.number} heard {said} of {sender} after {before}")
            client.heard[sender] = said
        elif kind == TrackKind.VIDEO:
            last = client.last.get(track)
            follows = last is not None and (group, at_object) == (last[0], last[1] + 1)
            begins = at_object == 0 and (last is None or group > last[0])
            if not follows and not begins:
                client.wrong.append(f"client {client.number} saw {group}.{at_object} after {last}")
            client.last[track] = (group, at_object)


def everyone(clients: list[Client]) -> Iterator[tuple[Client, Client]]:
    return ((one, other) for one in clients for other in clients if one is not other)


@pytest.mark.timeout(SECONDS + 150)
async def test_nothing_reliable_is_lost_and_memory_is_flat(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    relay = open_relay(certificate)
    node = transport.Node()
    kinds: dict[int, int] = {}
    memory: list[tuple[float, int]] = []
    try:
        clients = [await bounded(enter(relay, node, number), 3 * PATIENCE) for number in range(CLIENTS)]
        await until(lambda: all(client.moves.subscribers for client in clients), 3 * PATIENCE)
        # A feed that has not yet got a track would miss its first frames.
        await until(lambda: all(len(client.feed.tracks) >= 2 * (CLIENTS - 1) for client in clients), 60)
        show = Show("main", audience=4)
        await show.start([(f"c{client.number}", client.link) for client in clients])
        showing = asyncio.create_task(show.run())
        began = time.monotonic()
        frames_at = text_at = sampled_at = 0.0
        while (now := time.monotonic() - began) < SECONDS:
            if now >= frames_at:
                frames_at = now + FRAMES_EVERY
                for client in clients:
                    client.moves.send(b"m" * 100)
            if now >= text_at:
                text_at = now + TEXT_EVERY
                for client in clients:
                    client.said += 1
                    fate = client.talk.send(_TEXT.pack(client.number, client.said))
                    assert fate == transport.Fate.QUEUED
            if now >= sampled_at:
                sampled_at = now + 5
                memory.append((now, resident()))
            for client in clients:
                take(client, kinds)
            assert not showing.done(), showing.exception()
            await asyncio.sleep(STEP)

        def all_heard() -> bool:
            for client in clients:
                take(client, kinds)
            return all(one.heard.get(other.number, 0) == other.said for one, other in everyone(clients))

        await until(all_heard, 2 * PATIENCE)
        # On a machine that is busy with other things, what the ear needs in a row may come later.
        await until(lambda: show.kinds.tones > 0 and show.kinds.pictures > 0, 2 * PATIENCE)
        showing.cancel()
        report(clients, show, relay, memory)
        assert not [wrong for client in clients for wrong in client.wrong]
        seen = show.kinds
        assert seen.tones > 0
        assert seen.pictures > 0
        assert (seen.wrong_tones, seen.wrong_pictures, seen.undecodable) == (0, 0, 0), seen.notes
        for kind in (TrackKind.FRAME_DATAGRAM, TrackKind.TEXT, TrackKind.AUDIO, TrackKind.VIDEO):
            assert all(client.frames.get(kind, 0) > 0 for client in clients[2:]), kind.name
        assert relay.node.stats().malformed == 0
        warm = [size for at, size in memory if at >= WARM]
        if len(warm) > 12:
            third = len(warm) // 3
            first, last = sum(warm[:third]) / third, sum(warm[-third:]) / third
            assert last < first * 1.10 + (2 << 20), f"memory grew from {first:.0f} to {last:.0f} bytes"
    finally:
        await node.aclose()
        await relay.node.aclose()


def report(clients: list[Client], show: Show, relay: Relay, memory: list[tuple[float, int]]) -> None:
    """The run's figures, for who runs it with -s."""
    stats = relay.node.stats()
    had = {
        kind.name.lower(): sum(client.frames.get(kind, 0) for client in clients)
        for kind in TrackKind
        if kind != TrackKind.FRAME_STREAM
    }
    said = sum(client.said for client in clients)
    drops = {drop.name.lower(): count for drop, count in stats.drops.items() if count}
    print(f"\n{len(clients)} clients, {SECONDS:g} s: delivered {had}, {said} messages said")
    print(f"relay: {stats.objects_out} objects out, {stats.cpu:.1f} s CPU, drops {drops or 'none'}")
    print(f"show: {dict(show.summary())}")
    print(
        "memory:",
        ", ".join(f"{at:.0f} s {size / 2**20:.1f} MiB" for at, size in memory[:: max(1, len(memory) // 12)]),
    )
