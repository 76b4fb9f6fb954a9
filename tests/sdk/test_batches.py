"""Many frames a call: arrays in place, fates, and the errors of using a batch too late."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import transport
from transport import Fate, Frame

from .conftest import Relay, bounded, demanded, drain_all, until

COUNT = 500
TRACK = Frame("games/room1/up", "c7", datagram=True)


async def test_what_is_sent_in_a_batch_is_drained_in_place(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        publication = await bounded(sender.publish(TRACK))
        await demanded(publication)
        payloads = [b"%d" % number * 20 for number in range(COUNT)]
        fates = publication.send_many(payloads, np.arange(COUNT) % 200)
        assert fates.tolist() == [Fate.QUEUED] * COUNT
        batches = await drain_all(feed, COUNT)
        found = {
            int(row["group"]): (bytes(batch.payload(index)), int(row["priority"]))
            for batch in batches
            for index, row in enumerate(batch.frames)
        }
        assert [found[group] for group in sorted(found)] == [
            (data, number % 200) for number, data in enumerate(payloads)
        ]
        assert all(batch.track(0).name == "c7" for batch in batches)
        assert feed.stats().frames == COUNT


async def test_rows_of_an_array_are_frames(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        publication = await bounded(sender.publish(TRACK))
        await demanded(publication)
        rows = np.arange(COUNT * 16, dtype=np.uint32).astype(np.uint8).reshape(COUNT, 16)
        assert publication.send_many(rows, 7).tolist() == [Fate.QUEUED] * COUNT
        frames = [frame for batch in await drain_all(feed, COUNT) for frame in batch]
        frames.sort(key=lambda frame: frame.group)
        assert b"".join(frame.payload for frame in frames) == rows.tobytes()
        assert {frame.priority for frame in frames} == {7}


async def test_one_batch_feeds_many_tracks(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        tracks = [
            await bounded(sender.publish(Frame("games/room1/up", f"c{number}", datagram=True)))
            for number in range(8)
        ]
        for track in tracks:
            await demanded(track)
        batch = transport.Batch(capacity=64, payload_bytes=4096)
        mark = transport.encode_properties({0x3810: 9})
        for number, track in enumerate(tracks):
            assert batch.add(track, b"for %d" % number, priority=number, properties=mark, ttl=5.0)
        assert batch.send().tolist() == [Fate.QUEUED] * 8
        assert len(batch) == 0
        frames = [frame for part in await drain_all(feed, 8) for frame in part]
        assert {(frame.track.name, frame.payload, frame.priority) for frame in frames} == {
            (f"c{number}", b"for %d" % number, number) for number in range(8)
        }
        assert all(frame.properties == {0x3810: 9} for frame in frames)


async def test_a_full_batch_says_so(relay: Relay) -> None:
    async with relay.connect() as link:
        publication = await bounded(link.publish(TRACK))
        batch = transport.Batch(capacity=2, payload_bytes=100)
        assert batch.add(publication, bytes(60))
        assert not batch.add(publication, bytes(60))
        assert batch.add(publication, bytes(40))
        assert not batch.add(publication, b"")
        with pytest.raises(transport.TooLarge, match="larger"):
            batch.add(publication, bytes(101))
        assert len(batch.send()) == 2


async def test_a_batch_that_was_overtaken_says_so(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        publication = await bounded(sender.publish(TRACK))
        await demanded(publication)
        publication.send(b"first")
        batch = feed.drain()
        while not len(batch):
            await asyncio.sleep(0.001)
            batch = feed.drain()
        assert not batch.frames.flags.writeable
        feed.drain()
        with pytest.raises(transport.BadState, match="copy"):
            _ = batch.frames


async def test_a_frame_loop_and_drain_share_a_feed_without_loss(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        publication = await bounded(sender.publish(TRACK))
        await demanded(publication)
        payloads = [b"%d" % number for number in range(50)]
        publication.send_many(payloads)
        found: list[bytes] = []
        async for frame in feed:
            found.append(frame.payload)
            break
        for batch in await drain_all(feed, 49):
            found += [frame.payload for frame in batch]
        assert sorted(found) == sorted(payloads)


async def test_fates_of_frames_that_cannot_go(relay: Relay) -> None:
    async with relay.connect() as link:
        publication = await bounded(link.publish(TRACK))
        own = relay.node.publish(Frame("games/room1/down", "world"))
        await until(lambda: own.send(b"nobody listens") == Fate.NO_SUBSCRIBER)
        own.close()
        assert own.send(b"late") == Fate.CLOSED
        async with relay.node.subscribe("games/room1"):
            await demanded(publication)
            assert publication.send(bytes(8 * 1100 + 1)) == Fate.TOO_LARGE
            assert publication.send_many([b"x", bytes(9000)]).tolist() == [Fate.QUEUED, Fate.TOO_LARGE]
        publication.close()
        assert publication.send(b"late") == Fate.CLOSED
        assert publication.send_many([b"late", b"later"]).tolist() == [Fate.CLOSED] * 2


async def test_the_array_form_is_checked(relay: Relay) -> None:
    with pytest.raises(transport.BadArgument, match="SEND_DTYPE"):
        relay.node.send_batch(np.zeros(4, np.uint8))
    async with relay.connect() as link:
        publication = await bounded(link.publish(TRACK))
        with pytest.raises(transport.BadArgument, match="priorities for"):
            publication.send_many([b"a", b"b"], [1, 2, 3])
        with pytest.raises(transport.BadArgument, match="priority is outside"):
            publication.send_many([b"a"], [256])
        with pytest.raises(transport.BadArgument, match="uint8 rows"):
            publication.send_many(np.zeros(3, np.uint8))
        assert publication.send_many([]).tolist() == []
        entries = np.zeros(1, transport.SEND_DTYPE)
        entries["publication"] = publication.handle
        entries["priority"] = 5
        assert relay.node.send_batch(entries).tolist() in ([Fate.QUEUED], [Fate.NO_SUBSCRIBER])
