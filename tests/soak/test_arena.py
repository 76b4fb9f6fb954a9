"""The arena, played by bots of whom half sit behind a bad network. One seed decides path and bots.

CLUTCHCALL_SEED sets the seed, CLUTCHCALL_SOAK_SECONDS the time that is played.
"""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

import transport
from harness.lossy import LossyPath, Profile
from relay._log import Log
from samples.arena import Arena
from samples.arena.bot import Bots as Brains
from tests.sdk.conftest import bounded, until
from transport import LinkOptions, LinkStats
from transport.host._bots import Bots
from transport.host._host import Host
from transport.host._options import Options

SEED = int(os.environ.get("CLUTCHCALL_SEED", "1"))
SECONDS = float(os.environ.get("CLUTCHCALL_SOAK_SECONDS", "20"))
BOTS = 12
BAD = Profile(delay=0.040, jitter=0.020, loss=0.05)
"""Each way."""


@pytest.fixture
def host(native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("CLUTCHCALL_STATE", str(tmp_path))
    options = Options(port=0, control_port=0, admin_port=0)
    return Host(options, Arena, Log(json_lines=False, verbose=False, out=io.StringIO()))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 100)
async def test_half_the_players_behind_a_bad_network(host: Host) -> None:
    print("seed", SEED)
    await host.start()
    running = asyncio.create_task(host.run())
    path = LossyPath(host.node.address, BAD, seed=SEED)
    links: dict[str, transport.Link] = {}
    try:
        async with path as bad:
            bots = make_bots(host, bad, links)
            try:
                await soak(host, bots, links, path)
            finally:
                await bots.close()
    finally:
        host.end()
        assert await running == 0
        assert await host.stop() == 0


def make_bots(host: Host, bad: str, links: dict[str, transport.Link]) -> Bots:
    """Bots of whom every second dials the bad way."""
    room = host.options.room
    trust = transport.Pinned(host.access.certificate.sha256)

    def connect(name: str, node: transport.Node, options: LinkOptions) -> transport.Connecting:
        where = bad if is_far(name) else host.node.address
        token = host.access.player_token(room, name)

        async def dial() -> transport.Link:
            dialled = transport.connect(
                f"moqt://{where}/{room}", token=token, trust=trust, options=options, node=node
            )
            links[name] = await dialled
            return links[name]

        return transport.Connecting(dial)

    def events_sent(name: str) -> int | None:
        peer = host.rooms[room].peers.get(name)
        return None if peer is None else peer.events_sent

    return Bots(Arena, room, BOTS, connect, lambda: host.node.now, events_sent, seed=SEED)


def is_far(name: str) -> bool:
    return int(name.rpartition("-")[2]) % 2 == 0


async def soak(host: Host, bots: Bots, links: dict[str, transport.Link], path: LossyPath) -> None:
    seen = host.node.events()
    await bounded(bots.start(), 30)
    playing = asyncio.create_task(bots.run())
    await asyncio.sleep(SECONDS)
    assert not playing.done(), playing
    playing.cancel()
    stats = {name: link.stats() for name, link in links.items()}
    await bots.settle(5.0)
    room = host.rooms[host.options.room]
    moves = [bot.moves.stats() for bot in bots._bots.values()]
    states = {peer.id: peer.state.stats() for peer in room.players}

    # Nobody was thrown out or had to come back.
    assert bots.ended == {}
    assert len(room.players) == BOTS
    assert all(reading.reconnects == 0 for reading in stats.values())
    assert not any(isinstance(event, transport.SessionDown) for event in seen.take())

    # Each reliable message came once and in order.
    for reliable in (bots.chat, bots.events):
        assert (bots.lost, reliable.repeated, reliable.gaps) == (0, 0, 0), (bots.chat, bots.events)
    assert bots.chat.received == bots.chat.sent >= BOTS * (BOTS - 1)
    assert bots.events.received >= BOTS

    # The far ones see the world too, and what they see is the world.
    brain = bots.brain
    assert isinstance(brain, Brains)
    assert brain.wrong == 0
    for name, of in states.items():
        assert of.sent_frames >= of.frames / 2 > 0, (name, of)

    # Each frame was sent, waits, or was dropped and counted; what the path took, QUIC knows of.
    for publication in [*moves, *states.values()]:
        told = publication.sent_frames + publication.queued_frames + sum(publication.drops.values())
        assert publication.frames <= told <= publication.frames + 2, publication
    check_rtt(stats, path)
    await until(lambda: host.node.stats().sessions == BOTS)


def check_rtt(stats: dict[str, LinkStats], path: LossyPath) -> None:
    """Round trip, jitter and loss as told, beside those that were made.

    A busy machine adds to each what it likes; core/engine/tests holds the upper bounds, in virtual time.
    """
    print(f"path: {path.round_trip * 1e3:.0f} ms, up {path.up}, down {path.down}")
    for name, reading in sorted(stats.items()):
        rtt, jitter = reading.rtt * 1e3, reading.jitter * 1e3
        lost = reading.packets_lost / max(1, reading.packets_sent)
        drops = {drop.name: count for drop, count in reading.drops.items() if count}
        print(f"{name}: rtt {rtt:.1f} ms, jitter {jitter:.1f} ms, lost {lost:.1%}, drops {drops}")
        if is_far(name):
            assert reading.rtt >= 2 * (BAD.delay - BAD.jitter), name
            assert reading.rtt_min >= 2 * (BAD.delay - BAD.jitter), name
            assert reading.jitter >= 0.002, name
            assert lost >= BAD.loss - 0.04, name
