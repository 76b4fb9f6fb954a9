"""The main thread asleep, as while a scene loads: the native thread answers, and what comes is kept."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import transport
from tests.sdk.conftest import bounded, demanded, open_relay, until
from transport import Fate, Frame

IDLE = 2.0
"""A session that hears nothing for so long is lost, seconds."""
PERIOD = 0.1


@pytest.mark.parametrize("seconds", [5.0, pytest.param(60.0, marks=pytest.mark.slow)])
async def test_a_main_thread_asleep_keeps_its_session(
    native: Path, certificate: transport.credentials.Certificate, seconds: float
) -> None:
    options = transport.NodeOptions(idle_timeout=IDLE)
    relay = open_relay(certificate, options=options)
    async with relay.node, transport.Node(options=options) as node, transport.Node(options=options) as other:
        sleeper = await bounded(transport.connect(relay.url, trust=relay.trust, node=node))
        talker = await bounded(transport.connect(relay.url, trust=relay.trust, node=other))
        happened, seen = sleeper.events(), relay.node.events()
        states = await bounded(talker.publish(Frame("games/room1/down", "world", datagram=True)))
        moves = await bounded(sleeper.publish(Frame("games/room1/up", "c7", datagram=True)))
        async with sleeper.subscribe("games/room1/down") as feed, talker.subscribe("games/room1/up") as ups:
            await demanded(states)
            await demanded(moves)
            # Another thread plays on; nobody else in this process does anything.
            done = threading.Event()
            fates: list[Fate] = []

            def play() -> None:
                while not done.wait(PERIOD):
                    fates.append(states.send(b"%d" % len(fates)))

            playing = threading.Thread(target=play)
            playing.start()
            asleep = node.now
            time.sleep(seconds)
            awake = node.now
            done.set()
            playing.join()

            assert awake - asleep >= seconds
            assert set(fates) == {Fate.QUEUED}
            await until(lambda: feed.stats().frames >= len(fates))
            batch = feed.drain()
            arrived = batch.frames["received_us"] / 1e6
            payloads = [bytes(batch.payload(index)) for index in range(len(batch))]
            assert payloads == [b"%d" % number for number in range(len(fates))]
            # They arrived while it slept, one after the other, not when it woke up.
            during = arrived[(arrived > asleep) & (arrived < awake)]
            assert len(during) >= len(fates) - 1
            assert during[-1] - during[0] >= seconds - 10 * PERIOD
            assert moves.send(b"awake") == Fate.QUEUED
            await until(lambda: ups.stats().frames == 1)
        assert sleeper.is_up
        assert sleeper.stats().reconnects == 0
        assert not any(isinstance(event, transport.Down) for event in happened.take())
        assert not any(isinstance(event, transport.SessionDown) for event in seen.take())
        await sleeper.aclose()
        await talker.aclose()
