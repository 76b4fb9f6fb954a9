"""Each kind of track, both ways through a real relay, byte for byte, at both ends of the drafts spoken."""

from __future__ import annotations

import pytest

import transport
from transport import Exact, Fate, Frame, FrameFlags, Text, TrackKind

from .conftest import DRAFTS, Relay, bounded, collect, demanded, patience, until

PROPERTIES: dict[int, int | bytes] = {0x3810: 5, 0x3811: b"\0mark\xff", 0x3900: (1 << 53) - 1}
KINDS = [
    pytest.param(
        Frame("games/room1/up", "c7", "netcode.v1", datagram=True), TrackKind.FRAME_DATAGRAM, id="datagram"
    ),
    pytest.param(Frame("games/room1/up", "c7", "netcode.v1"), TrackKind.FRAME_STREAM, id="stream"),
    pytest.param(Text("games/room1/up", "c7", "netcode.v1"), TrackKind.TEXT, id="text"),
]
SIZES = (0, 1, 200, 1000, 1101, 8000)
"""Bytes of payload: none, one datagram, and up to 8 fragments."""


def payload(size: int, mark: int) -> bytes:
    return bytes((mark * 31 + index * 7) % 256 for index in range(size))


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(("spec", "kind"), KINDS)
async def test_frames_arrive_byte_for_byte(
    relay: Relay, spec: Frame | Text, kind: TrackKind, draft: int
) -> None:
    async with relay.connect(draft) as sender, relay.connect(draft) as receiver:
        assert (sender.draft, receiver.draft) == (draft, draft)
        async with receiver.subscribe("games/room1", capability="netcode.v1") as feed:
            publication = await bounded(sender.publish(spec))
            await demanded(publication)
            sent = [payload(size, mark) for mark, size in enumerate(SIZES)]
            for mark, data in enumerate(sent):
                fate = publication.send(data, priority=10 + mark, properties=PROPERTIES if mark % 2 else None)
                assert fate == Fate.QUEUED
            frames = await collect(feed, len(sent))
            frames.sort(key=lambda frame: (frame.group, frame.object))
            assert [frame.payload for frame in frames] == sent
            if kind != TrackKind.TEXT:
                assert [frame.priority for frame in frames] == [10 + mark for mark in range(len(sent))]
            assert [frame.properties for frame in frames] == [
                PROPERTIES if mark % 2 else {} for mark in range(len(sent))
            ]
            track = frames[0].track
            assert (track.namespace, track.name, track.capability) == ("games/room1/up", "c7", "netcode.v1")
            assert feed.tracks == {track.id: track}
            assert all(bool(frame.flags & FrameFlags.TEXT) == (kind == TrackKind.TEXT) for frame in frames)
            if kind == TrackKind.FRAME_DATAGRAM:
                assert frames[4].flags & FrameFlags.FRAGMENTED
                assert frames[4].fragments == 2


@pytest.mark.parametrize("draft", DRAFTS)
async def test_both_sides_of_a_link_publish_and_subscribe(relay: Relay, draft: int) -> None:
    async with relay.connect(draft) as one, relay.connect(draft) as other:
        ups, downs = one.subscribe("games/room1/down"), other.subscribe("games/room1/up")
        await bounded(ups.ready())
        await bounded(downs.ready())
        up = await bounded(one.publish(Frame("games/room1/up", "c1", datagram=True)))
        down = await bounded(other.publish(Frame("games/room1/down", "c1", datagram=True)))
        await demanded(up)
        await demanded(down)
        for mark in range(20):
            assert up.send(payload(300, mark)) == Fate.QUEUED
            assert down.send(payload(400, mark)) == Fate.QUEUED
        assert [frame.payload for frame in await collect(downs, 20)] == [
            payload(300, mark) for mark in range(20)
        ]
        assert [frame.payload for frame in await collect(ups, 20)] == [
            payload(400, mark) for mark in range(20)
        ]


@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_capability_keeps_other_tracks_out(relay: Relay, draft: int) -> None:
    async with relay.connect(draft) as sender, relay.connect(draft) as receiver:
        wanted = await bounded(sender.publish(Frame("games/room1/up", "a", "netcode.v1")))
        unwanted = await bounded(sender.publish(Frame("games/room1/up", "b", "voice.v1")))
        elsewhere = await bounded(sender.publish(Frame("games/room2/up", "a", "netcode.v1")))
        async with receiver.subscribe("games/room1", capability="netcode.v1") as feed:
            await demanded(wanted)
            assert unwanted.send(b"voice") in (Fate.NO_SUBSCRIBER, Fate.QUEUED)
            assert elsewhere.send(b"room2") in (Fate.NO_SUBSCRIBER, Fate.QUEUED)
            wanted.send(b"moves")
            frames = await collect(feed, 1)
            assert [frame.payload for frame in frames] == [b"moves"]
            assert [track.name for track in feed.tracks.values()] == ["a"]


@pytest.mark.parametrize("draft", DRAFTS)
async def test_one_exact_track(relay: Relay, draft: int) -> None:
    async with relay.connect(draft) as sender, relay.connect(draft) as receiver:
        wanted = await bounded(sender.publish(Frame("games/room1/up", "a", datagram=True)))
        await bounded(sender.publish(Frame("games/room1/up", "b", datagram=True)))
        async with (
            receiver.subscribe(Exact("games/room1/up", "a")) as feed,
            receiver.subscribe(namespace="games/room1/up", track="b") as other,
        ):
            await demanded(wanted)
            wanted.send(b"mine")
            assert [frame.payload for frame in await collect(feed, 1)] == [b"mine"]
            assert len(other.drain()) == 0


async def test_the_relay_itself_publishes_and_subscribes(relay: Relay) -> None:
    async with relay.connect() as link:
        states = relay.node.publish(Frame("games/room1/down", "world", datagram=True))
        async with (
            link.subscribe("games/room1/down") as feed,
            relay.node.subscribe("games/room1/up") as inputs,
        ):
            moves = await bounded(link.publish(Frame("games/room1/up", "c7", datagram=True)))
            await demanded(moves)
            await demanded(states)
            assert moves.send(b"left", priority=3) == Fate.QUEUED
            assert states.send(b"world", priority=4) == Fate.QUEUED
            (move,) = await collect(inputs, 1)
            (state,) = await collect(feed, 1)
            assert (move.payload, move.priority, move.track.publisher) == (b"left", 3, link.peer_id)
            assert (state.payload, state.priority) == (b"world", 4)


async def test_text_keeps_its_order_and_its_words(relay: Relay) -> None:
    async with relay.connect() as sender, relay.connect() as receiver:
        chat = await bounded(sender.publish(Text("games/room1/chat", "c7")))
        async with receiver.subscribe("games/room1/chat", capability="text.v1") as feed:
            await demanded(chat)
            words = [f"message {number} \N{GRINNING FACE}" for number in range(600)]
            for word in words:
                assert chat.send(word) == Fate.QUEUED
            assert [frame.text for frame in await collect(feed, len(words))] == words


async def test_a_track_that_ends_is_taken_off(relay: Relay) -> None:
    async with (
        relay.connect() as sender,
        relay.connect() as receiver,
        receiver.subscribe("games/room1") as feed,
    ):
        events = feed.events()
        publication = await bounded(sender.publish(Frame("games/room1/up", "c7")))
        await until(lambda: bool(feed.tracks))
        publication.close()
        assert publication.send(b"late") == Fate.CLOSED
        await until(lambda: not feed.tracks)
        kinds = [type(event) for event in events.take()]
        assert kinds[-2:] == [transport.TrackAdded, transport.TrackEnded]


async def test_latest_wins_keeps_the_newest(relay: Relay) -> None:
    async with relay.connect() as sender, relay.connect() as receiver:
        spec = Frame("games/room1/down", "pose", datagram=True, latest_wins=True)
        async with receiver.subscribe("games/room1") as feed:
            poses = await bounded(sender.publish(spec))
            await demanded(poses)
            for number in range(500):
                poses.send(b"%d" % number)
            async with patience():
                async for frame in feed:
                    if frame.payload == b"499":
                        break
            stats = poses.stats()
            assert stats.frames == 500
            assert stats.sent_frames + sum(stats.drops.values()) + stats.queued_frames >= 500
