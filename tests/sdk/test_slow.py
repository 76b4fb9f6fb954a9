"""Text for applications that are slow, over real sockets: nothing kept is missed, nobody else waits."""

from __future__ import annotations

import asyncio
import struct
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import pytest

import transport
from transport import Bound, Fate, Feed, FrameFlags, Text

from .conftest import DRAFTS, Relay, bounded, demanded, until

_NUMBER = struct.Struct("<I")


def told(number: int, size: int) -> bytes:
    return _NUMBER.pack(number) + bytes(size - _NUMBER.size)


@dataclass
class Reader:
    """A feed and what was read of it: each sender's messages by number, and whether a gap is before them."""

    feed: Feed
    heard: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)

    def has(self, sender: str, count: int) -> bool:
        """Takes what waits to be read; whether so many messages of a sender were read by now."""
        batch = self.feed.drain()
        for index in range(len(batch)):
            gap = bool(batch.frames["flags"][index] & FrameFlags.GAP)
            (number,) = _NUMBER.unpack_from(batch.payload(index))
            self.heard.setdefault(batch.track(index).name, []).append((number, gap))
        return len(self.heard.get(sender, [])) >= count

    def is_at(self, sender: str, last: int) -> bool:
        """The same; whether the message of this number was read."""
        return self.has(sender, 1) and self.heard[sender][-1][0] == last


@pytest.mark.parametrize("draft", DRAFTS)
async def test_an_application_that_stops_reading_misses_nothing_and_delays_nobody(
    relay: Relay, draft: int
) -> None:
    """It takes nothing while forty times as much comes as may wait for it; then it reads all, in order."""
    count, size = 600, 500
    little = transport.Node(options=transport.NodeOptions(limits={Bound.REORDER_BYTES: 16 << 10}))
    options = transport.LinkOptions(alpns=(f"moqt-{draft}",))
    connecting = transport.connect(relay.url, trust=relay.trust, node=little, options=options)
    try:
        async with relay.connect(draft) as writer, relay.connect(draft) as quick, connecting as slow:
            talk = await bounded(writer.publish(Text("games/r", "talk")))
            fast = Reader(await quick.subscribe("games/r").ready())
            late = Reader(await slow.subscribe("games/r", feed_bytes=8 << 10).ready())
            await demanded(talk)
            await until(lambda: bool(fast.feed.tracks and late.feed.tracks))
            for number in range(count):
                assert talk.send(told(number, size)) == Fate.QUEUED
                if number % 20 == 19:
                    await until(partial(fast.has, "talk", number + 1))
            everything = [(number, False) for number in range(count)]
            assert fast.heard == {"talk": everything}
            await until(lambda: little.stats().refused[Bound.REORDER_BYTES] > 0)
            await until(partial(late.has, "talk", count))
            assert late.heard == {"talk": everything}
            assert late.feed.dropped == 0
            # And goes on as if nothing had been.
            assert talk.send(told(count, size)) == Fate.QUEUED
            await until(partial(late.has, "talk", count + 1))
            assert late.heard["talk"][-1] == (count, False)
    finally:
        await little.aclose()


@pytest.mark.parametrize("draft", DRAFTS)
async def test_large_messages_and_a_short_window_lose_nothing_that_is_not_told(
    relay: Relay, draft: int
) -> None:
    """All talk to all, in bursts longer than what publishers and relay keep, and read by fits and starts.

    What each hears is in order and once, what it does not hear is told as a gap; the last of each arrives.
    """
    talkers, rounds, burst, size = 5, 6, 40, 2000
    async with asyncio.timeout(60):
        links = [await relay.connect(draft) for _ in range(talkers)]
        try:
            names = [f"c{number}" for number in range(talkers)]
            talks = [
                await link.publish(Text("games/r", name, window=64))
                for name, link in zip(names, links, strict=True)
            ]
            readers = [Reader(await link.subscribe("games/r", feed_bytes=64 << 10).ready()) for link in links]
            await until(lambda: all(len(reader.feed.tracks) == talkers - 1 for reader in readers))
            for at in range(rounds):
                for number in range(at * burst, (at + 1) * burst):
                    for talk in talks:
                        assert talk.send(told(number, size)) == Fate.QUEUED
                # Each reads in one round, and sleeps through the others.
                awake, other = readers[at % talkers], names[(at + 1) % talkers]
                await until(partial(awake.has, other, 1))
            last = rounds * burst - 1
            for reader, own in zip(readers, names, strict=True):
                for sender in names:
                    if sender != own:
                        await until(partial(reader.is_at, sender, last), 30)
            for reader in readers:
                assert len(reader.heard) == talkers - 1
                for messages in reader.heard.values():
                    before = -1
                    for number, gap in messages:
                        assert number == before + 1 or (gap and number > before), messages
                        before = number
                assert reader.feed.dropped == 0
        finally:
            with ExitStack() as stack:
                for link in links:
                    stack.callback(link.close)
