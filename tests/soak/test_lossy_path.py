"""A steady load over a long path, through real sockets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import transport
from harness.lossy import LossyPath, Profile
from tests.sdk.conftest import bounded, demanded, open_relay
from transport import Congestion, Drop, Fate, Frame

RATE, FRAMES, SIZE, SECONDS = 60, 5, 800, 10
"""60 Hz x 5 frames x 800 bytes: 240 kB/s."""
SEED = 20_261


@pytest.mark.parametrize("loss", [0.0, 0.05], ids=["no-loss", "5-percent-loss"])
async def test_a_steady_load_over_80_ms(
    native: Path, certificate: transport.credentials.Certificate, loss: float
) -> None:
    """Sent, dropped and told add up; what share arrives is held in virtual time, in core/engine/tests."""
    relay = open_relay(certificate)
    path = LossyPath(relay.node.address, Profile(delay=0.040, loss=loss), seed=SEED)
    options = transport.NodeOptions(congestion=Congestion.REALTIME)
    async with relay.node, path as address, transport.Node(options=options) as node:
        dialled = transport.connect(f"moqt://{address}", trust=relay.trust, node=node)
        async with dialled as link, relay.node.subscribe("games/room1") as feed:
            spec = Frame("games/room1/up", "c7", datagram=True, ttl=1.0)
            moves = await bounded(link.publish(spec))
            await demanded(moves)
            await steadily(moves)
            received = feed.stats().frames
            stats, ours = link.stats(), moves.stats()
    sent = RATE * FRAMES * SECONDS
    told = f"seed {SEED}: {received} of {sent}, {stats}, {ours}, up {path.up}, down {path.down}"
    assert received >= sent / 2, told
    # What was not sent was dropped here and counted; nothing went on the wire twice.
    assert ours.frames == sent, told
    assert ours.sent_frames + ours.queued_frames + sum(ours.drops.values()) == sent, told
    assert received <= ours.sent_frames, told
    # The round trip as told is the one injected.
    assert stats.rtt >= stats.rtt_min >= 0.080, told
    assert stats.reconnects == 0
    assert (path.up.lost > 0) == (loss > 0)
    if loss:
        assert stats.packets_lost / stats.packets_sent >= loss - 0.03, told
    else:
        assert sum(ours.drops.values()) == ours.drops[Drop.EXPIRED], told


async def steadily(publication: transport.Publication) -> None:
    """Send the load on time, and wait until what is on its way has arrived."""
    payload = bytes(SIZE)
    began = time.monotonic()
    for tick in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, began + tick / RATE - time.monotonic()))
        for _ in range(FRAMES):
            assert publication.send(payload) == Fate.QUEUED
    end = time.monotonic() + 2.0
    while publication.stats().queued_frames and time.monotonic() < end:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # twice the longest way of the last frames
