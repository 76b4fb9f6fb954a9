"""Links that come back, links that sleep, and links that live side by side."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import transport
from transport import Fate, Frame, Text, TrackResumed, Up

from .conftest import DRAFTS, Relay, bounded, collect, demanded, first, open_relay, until

KEY = bytes(range(32))


@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_relay_that_restarts_finds_its_links_again(
    native: Path, certificate: transport.credentials.Certificate, draft: int
) -> None:
    options = transport.NodeOptions(state_key=KEY, idle_timeout=2.0)
    before = open_relay(certificate, options=options)
    async with before.connect(draft) as sender, before.connect(draft) as receiver:
        gaps: list[Up | TrackResumed] = []
        receiver.on_gap(gaps.append)
        events = receiver.events()
        peer_ids = (sender.peer_id, receiver.peer_id)
        moves = await bounded(sender.publish(Frame("games/room1/up", "c7", "netcode.v1", datagram=True)))
        async with receiver.subscribe("games/room1", capability="netcode.v1") as feed:
            await demanded(moves)
            moves.send(b"before")
            assert [frame.payload for frame in await collect(feed, 1)] == [b"before"]
            await before.node.aclose()
            await bounded(first(events, transport.Down))
            await until(lambda: not sender.is_up)
            assert moves.send(b"into the void") in (Fate.NOT_CONNECTED, Fate.NO_SUBSCRIBER)
            after = open_relay(certificate, bind=before.node.address, options=options)
            try:
                up = await bounded(first(events, Up))
                assert up.resumed
                assert up.gap > 0
                await until(lambda: sender.is_up)
                assert (sender.peer_id, receiver.peer_id) == peer_ids
                await until(lambda: moves.send(b"after") == Fate.QUEUED)
                (frame,) = await collect(feed, 1)
                assert frame.payload == b"after"
                await until(lambda: any(isinstance(gap, TrackResumed) for gap in gaps))
                resumed = next(gap for gap in gaps if isinstance(gap, TrackResumed))
                assert resumed.track.name == "c7"
                assert resumed.first > resumed.last
                assert resumed.gap > 0
                assert any(isinstance(gap, Up) for gap in gaps)
                assert receiver.stats().reconnects == 1
            finally:
                await after.node.aclose()


async def test_text_that_was_said_meanwhile_is_not_lost(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    options = transport.NodeOptions(state_key=KEY, idle_timeout=2.0)
    before = open_relay(certificate, options=options)
    async with before.connect() as sender, before.connect() as receiver:
        chat = await bounded(sender.publish(Text("games/room1/chat", "c7")))
        async with receiver.subscribe("games/room1/chat") as feed:
            await demanded(chat)
            said = [f"message {number}" for number in range(30)]
            for word in said[:10]:
                chat.send(word)
            heard = [frame.text for frame in await collect(feed, 10)]
            await before.node.aclose()
            await until(lambda: not sender.is_up and not receiver.is_up)
            for word in said[10:20]:
                assert chat.send(word) == Fate.QUEUED
            after = open_relay(certificate, bind=before.node.address, options=options)
            try:
                await until(lambda: sender.is_up and receiver.is_up)
                for word in said[20:]:
                    assert chat.send(word) == Fate.QUEUED
                heard += [frame.text for frame in await collect(feed, 20)]
                assert heard == said
            finally:
                await after.node.aclose()


async def test_a_loop_that_sleeps_keeps_its_session(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    options = transport.NodeOptions(idle_timeout=1.0, keep_alive=0.2)
    relay = open_relay(certificate, options=options)
    async with (
        relay.node,
        transport.Node(options=options) as node,
        transport.connect(relay.url, trust=relay.trust, node=node) as link,
    ):
        events = link.events()
        moves = await bounded(link.publish(Frame("games/room1", "c7", datagram=True)))
        async with relay.node.subscribe("games/room1") as feed:
            await demanded(moves)
            time.sleep(3.0)  # what a scene that loads does to its loop
            assert moves.send(b"awake") == Fate.QUEUED
            assert [frame.payload for frame in await collect(feed, 1)] == [b"awake"]
        assert link.is_up
        assert link.stats().reconnects == 0
        assert not any(isinstance(event, transport.Down) for event in events.take())


async def test_links_of_a_loop_share_a_node_that_ends_with_the_last(relay: Relay) -> None:
    one = await bounded(relay.connect())
    other = await bounded(relay.connect())
    node = one.node
    assert other.node is node
    await one.aclose()
    assert other.is_up
    await other.aclose()
    with pytest.raises(transport.Closed):
        _ = node.handle
    async with relay.connect() as third:
        assert third.node is not node


async def test_many_links_one_node(relay: Relay) -> None:
    links = [await bounded(relay.connect()) for _ in range(16)]
    try:
        async with relay.node.subscribe("games") as feed:
            for number, link in enumerate(links):
                publication = await bounded(link.publish(Frame(f"games/{number}", "c", datagram=True)))
                await demanded(publication)
                publication.send(b"%d" % number)
            frames = await collect(feed, len(links))
            assert {frame.payload for frame in frames} == {b"%d" % number for number in range(len(links))}
            assert len({frame.track.publisher for frame in frames}) == len(links)
    finally:
        for link in links:
            await link.aclose()
