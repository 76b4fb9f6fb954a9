"""A frame that the node sends while Python is silent."""

from __future__ import annotations

import time

import pytest

import transport
from transport import Fate, Frame, Text

from .conftest import Relay, bounded, collect, demanded, patience


async def test_the_node_speaks_while_python_sleeps(relay: Relay) -> None:
    async with relay.connect() as sender, relay.connect() as receiver, receiver.subscribe("room") as feed:
        moves = await bounded(sender.publish(Frame("room", "c7", datagram=True)))
        await demanded(moves)
        moves.repeat(b"here", every=0.02, silence=0.03, priority=3)
        # Whatever holds this thread, and with it the loop: frames come that nothing here has sent.
        time.sleep(0.5)
        frames = await collect(feed, 3)
        assert [(bytes(frame.payload), frame.priority) for frame in frames] == [(b"here", 3)] * 3
        moves.repeat("other", every=0.02, silence=0.03)
        async with patience():
            async for frame in feed:
                if frame.payload == b"other":
                    break
        moves.repeat_nothing()
        # Its order reaches the node before this one's, so nothing is repeated after it.
        assert moves.send(b"last") == Fate.QUEUED
        async with patience():
            async for frame in feed:
                if frame.payload == b"last":
                    break
        assert moves.stats().frames >= 5


async def test_what_cannot_be_repeated_is_said(relay: Relay) -> None:
    async with relay.connect() as link:
        moves = link.publish(Frame("room", "c7", datagram=True))
        for every, silence, limit, words in (
            (0.0, 1.0, None, "every_ms"),
            (0.5, 0.001, None, "silence_ms"),
            (3601.0, 1.0, None, "every_ms"),
            (0.5, 1.0, 0.9, "limit_ms 900 leaves nothing"),
        ):
            with pytest.raises(transport.BadArgument, match=words):
                moves.repeat(b"", every=every, silence=silence, limit=limit)
        with pytest.raises(transport.BadArgument, match="priority is 256"):
            moves.repeat(b"", every=0.5, silence=1.0, priority=256)
        with pytest.raises(transport.Error, match="1100 are the most"):
            moves.repeat(bytes(1101), every=0.5, silence=1.0)
        with pytest.raises(transport.BadArgument, match="use a Frame track"):
            link.publish(Text("room", "chat")).repeat("", every=0.5, silence=1.0)
        moves.close()
        with pytest.raises(transport.Closed):
            moves.repeat(b"", every=0.5, silence=1.0)
        with pytest.raises(transport.Closed):
            moves.repeat_nothing()
