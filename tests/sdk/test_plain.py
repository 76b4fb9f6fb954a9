"""Plain tick loops, without asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transport
from transport import Fate, Frame, Text

from .conftest import PATIENCE, QUICK, Relay, open_relay


@pytest.fixture
def plain(native: Path, certificate: transport.credentials.Certificate) -> Iterator[Relay]:
    found = open_relay(certificate)
    yield found
    found.node.close()


def tick_until(true: Callable[[], bool], *polled: transport.Link | transport.Node) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        for each in polled:
            each.poll(0.005)


def test_a_tick_loop_sends_and_drains(plain: Relay) -> None:
    with (
        transport.connect_sync(plain.url, trust=plain.trust, options=QUICK) as link,
        transport.connect_sync(plain.url, trust=plain.trust, options=QUICK) as watcher,
        watcher.subscribe("games/room1") as feed,
    ):
        feed.wait_ready(PATIENCE)
        moves = link.publish(Frame("games/room1/up", "c7", datagram=True))
        tick_until(lambda: moves.accepted and moves.subscribers > 0, link)
        got: list[bytes] = []
        for tick in range(30):
            assert moves.send(b"%d" % tick, priority=5) == Fate.QUEUED
            link.poll()
            got += [bytes(batch.payload(index)) for batch in [feed.drain()] for index in range(len(batch))]
        while len(got) < 30:
            link.poll(PATIENCE)
            got += [frame.payload for frame in feed.frames()]
        assert sorted(map(int, got)) == list(range(30))


def test_what_came_after_the_last_drain_ends_a_wait(plain: Relay) -> None:
    with (
        transport.connect_sync(plain.url, trust=plain.trust, options=QUICK) as link,
        plain.node.subscribe("games/room1") as feed,
    ):
        moves = link.publish(Frame("games/room1/up", "c7", datagram=True))
        tick_until(lambda: bool(feed.tracks) and moves.subscribers > 0, link, plain.node)
        plain.node.poll()
        assert len(feed.drain()) == 0
        assert moves.send(b"left") == Fate.QUEUED
        tick_until(lambda: feed.stats().frames == 1, link)
        began = time.monotonic()
        plain.node.poll(PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert [frame.payload for frame in feed.frames()] == [b"left"]


def test_a_link_is_opened_and_polled(plain: Relay) -> None:
    with transport.open(plain.url, trust=plain.trust, options=QUICK) as link:
        events = link.events()
        chat = link.publish(Text("games/room1/chat", "c7"))
        tick_until(lambda: link.is_up and chat.accepted, link)
        assert any(isinstance(event, transport.Up) for event in events.take())
        assert link.peer_id
        with plain.node.subscribe("games/room1/chat") as feed:
            tick_until(lambda: bool(feed.tracks), link, plain.node)
            chat.send("hello")
            heard: list[str] = []
            while not heard:
                plain.node.poll(PATIENCE)
                heard += [frame.text for frame in feed.frames()]
            assert heard == ["hello"]


def test_what_connect_raises_is_raised_here_too(plain: Relay, quiet_port: int) -> None:
    with pytest.raises(transport.CertificateMismatch):
        transport.connect_sync(plain.url, trust=transport.Pinned("00" * 32), timeout=PATIENCE)
    url = f"moqt://127.0.0.1:{quiet_port}"
    options = transport.LinkOptions(connect_timeout=0.2)
    with pytest.raises((transport.TimedOut, transport.Unreachable)):
        transport.connect_sync(url, trust=plain.trust, options=options, timeout=0.5)


def test_a_refused_subscription_is_told_in_a_plain_loop(plain: Relay) -> None:
    with transport.connect_sync(plain.url, trust=plain.trust, options=QUICK) as link:
        feed = link.subscribe(transport.Exact("games/room1", "nobody"))
        with pytest.raises(transport.Error):
            feed.wait_ready(0.5)
            tick_until(lambda: len(feed.drain()) > 0, link)
