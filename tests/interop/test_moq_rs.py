"""The PyPI package `moq-rs` (imported as `moq`) publishes to and subscribes from our relay, at each draft.

Its client offers every draft that it knows, so the relay's own list says which one is spoken. The Rust side
of the same library is tested closer, and at more length, in core/interop (`dev.py interop`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

import transport
from transport import Exact, Fate, Frame, FrameFlags, Text

if TYPE_CHECKING:
    import moq
else:
    moq = pytest.importorskip("moq", reason="moq-rs has no wheel for this platform")

_T = TypeVar("_T")
DRAFTS = (18, 20, 21, 22)
PATIENCE = 15.0
"""How long anything may take on a busy machine, seconds."""
TIMESTAMP = 0x10
"""The object property in which their publisher puts a frame's time."""


@dataclass(frozen=True)
class Theirs:
    """A session of theirs: what it publishes and what it finds are kept apart."""

    publish: moq.OriginProducer
    found: moq.OriginConsumer


@dataclass(frozen=True)
class Relay:
    """Our relay, open to everyone, and clients of both kinds."""

    node: transport.Node
    sha256: str
    drafts: list[int]
    """Of the sessions so far, in the order in which they came up."""

    @property
    def url(self) -> str:
        return f"moqt://127.0.0.1:{self.node.port}/"

    @asynccontextmanager
    async def theirs(self) -> AsyncIterator[Theirs]:
        publish, found = moq.OriginProducer(), moq.OriginProducer()
        client = moq.Client(
            self.url, tls_fingerprints=[self.sha256], reconnect=False, publish=publish, subscribe=found
        )
        async with client:
            yield Theirs(publish, found.consume())

    async def spoken(self, sessions: int = 1) -> list[int]:
        """The drafts, once that many sessions are told of: a client may know of its session before we do."""
        async with asyncio.timeout(PATIENCE):
            while len(self.drafts) < sessions:
                await asyncio.sleep(0.01)
        return self.drafts

    def ours(self) -> transport.Connecting:
        return transport.connect(self.url, trust=transport.Pinned(self.sha256), timeout=PATIENCE)


@pytest.fixture(scope="module")
def certificate() -> transport.credentials.Certificate:
    return transport.credentials.make_certificate()


@asynccontextmanager
async def opened(
    certificate: transport.credentials.Certificate, alpns: tuple[str, ...]
) -> AsyncIterator[Relay]:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    async with transport.Node(config, "127.0.0.1:0", transport.NodeOptions(alpns=alpns)) as node:
        relay = Relay(node, certificate.sha256, [])
        node.on_event(lambda event: note(relay, event))
        yield relay


def note(relay: Relay, event: transport.Event) -> None:
    if isinstance(event, transport.SessionUp):
        relay.drafts.append(event.draft)


@pytest.fixture(params=DRAFTS, ids=lambda draft: f"draft-{draft}")
async def relay(
    request: pytest.FixtureRequest, native: Path, certificate: transport.credentials.Certificate
) -> AsyncIterator[Relay]:
    async with opened(certificate, (f"moqt-{request.param}",)) as found:
        yield found
        assert set(await found.spoken()) == {request.param}


async def soon(waiting: Awaitable[_T]) -> _T:
    """The result, in time."""

    async def wait() -> _T:
        return await waiting

    return await asyncio.wait_for(wait(), PATIENCE)


async def frames(group: moq.GroupConsumer) -> list[tuple[int, bytes]]:
    """A group's frames and their times in microseconds."""
    found = []
    while (frame := await soon(group.read_frame())) is not None:
        found.append((frame.timestamp_us, frame.payload))
    return found


async def test_a_client_that_offers_all_drafts_gets_the_newest(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    async with opened(certificate, ()) as relay, relay.theirs(), relay.ours() as link:
        assert link.draft == 22
        assert await relay.spoken(sessions=2) == [22, 22]


async def test_their_publisher_reaches_their_subscriber(relay: Relay) -> None:
    async with relay.theirs() as publisher, relay.theirs() as subscriber:
        broadcast = publisher.publish.create_broadcast("games/room1")
        track = broadcast.publish_track("c7")
        broadcast.announce()
        found = await soon(subscriber.found.announced_broadcast("games/room1").available())
        reader = await soon(found.subscribe_track("c7"))
        await soon(track.used())
        for number in (3, 1 << 40):
            sent = [(number + 1, b"one"), (number + 2, b""), (number + 3, bytes(range(256)) * 200)]
            group = track.create_group(number)
            for time, payload in sent:
                group.write_frame(payload, time)
            group.finish()
            came = await soon(reader.recv_group())
            assert came is not None
            assert (came.sequence, await frames(came)) == (number, sent)
        for size in (1, 200, 1100):
            payload = bytes((size + index) % 256 for index in range(size))
            sequence = track.append_datagram(payload, size)
            datagram = await soon(reader.recv_datagram())
            assert datagram is not None
            assert (datagram.sequence, datagram.timestamp_us, datagram.payload) == (sequence, size, payload)
        track.finish()
        assert await soon(reader.recv_group()) is None


async def test_their_publisher_reaches_our_feed(relay: Relay) -> None:
    async with relay.theirs() as publisher, relay.theirs() as watcher, relay.ours() as link:
        broadcast = publisher.publish.create_broadcast("games/room1")
        track = broadcast.publish_track("c7")
        broadcast.announce()
        await soon(watcher.found.announced_broadcast("games/room1").available())
        async with link.subscribe(Exact("games/room1", "c7")) as feed:
            await soon(track.used())
            group = track.create_group(7)
            group.write_frame(b"one", 1000)
            group.write_frame(b"two" * 9000, 2000)
            group.finish()
            last = track.append_datagram(b"alone", 3000)
            came: dict[tuple[int, int], tuple[bytes, dict[int, int | bytes], bool]] = {}
            async with asyncio.timeout(PATIENCE):
                async for frame in feed:
                    stream = bool(frame.flags & FrameFlags.STREAM)
                    came[frame.group, frame.object] = (frame.payload, frame.properties, stream)
                    if len(came) == 3:
                        break
            assert came == {
                (7, 0): (b"one", {TIMESTAMP: 1000}, True),
                (7, 1): (b"two" * 9000, {TIMESTAMP: 2000}, True),
                (last, 0): (b"alone", {TIMESTAMP: 3000}, False),
            }


async def test_our_publisher_reaches_their_subscriber(relay: Relay) -> None:
    async with relay.theirs() as subscriber, relay.ours() as link:
        moves = await soon(link.publish(Frame("games/room1/up", "moves", datagram=True)))
        state = await soon(link.publish(Frame("games/room1/up", "state")))
        chat = await soon(link.publish(Text("games/room1/up", "chat")))
        found = await soon(subscriber.found.announced_broadcast("games/room1/up").available())
        of_moves = await soon(found.subscribe_track("moves"))
        of_state = await soon(found.subscribe_track("state"))
        of_chat = await soon(found.subscribe_track("chat"))
        async with asyncio.timeout(PATIENCE):
            while moves.send(b"left", priority=3) != Fate.QUEUED:
                await asyncio.sleep(0.001)
            while state.send(b"whole world" * 5000) != Fate.QUEUED:
                await asyncio.sleep(0.001)
        datagram = await soon(of_moves.recv_datagram())
        assert datagram is not None
        assert datagram.payload == b"left"
        group = await soon(of_state.recv_group())
        assert group is not None
        assert [payload for _, payload in await frames(group)] == [b"whole world" * 5000]
        talk = ["hello", "", "world"]
        for word in talk:
            chat.send(word)
        group = await soon(of_chat.recv_group())
        assert group is not None
        for word in talk:
            message = await soon(group.read_frame())
            assert message is not None
            assert message.payload == word.encode()


async def test_what_is_not_published_is_refused(relay: Relay) -> None:
    async with relay.theirs() as publisher, relay.theirs() as subscriber, relay.ours() as link:
        broadcast = publisher.publish.create_broadcast("games/room1")
        track = broadcast.publish_track("c7")
        broadcast.announce()
        found = await soon(subscriber.found.announced_broadcast("games/room1").available())
        with pytest.raises(moq.Error):
            await soon(found.subscribe_track("none"))
        with pytest.raises(transport.Refused) as refused:
            async with link.subscribe(Exact("games/room1", "none")):
                pass
        assert refused.value.reason == transport.Reason.DOES_NOT_EXIST
        track.finish()
