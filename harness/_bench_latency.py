"""Latency of one 200-byte frame through a relay, beside a raw UDP echo: relay idle, and at half load.

A frame goes from a publisher's link over the relay, a process of its own, to a subscriber's link; the echo
goes to another process and back: both cross loopback twice. Microseconds:
    udp                 sendto to recv, raw
    clutchcall, native  `send` until the subscriber's native thread picks the packet up
    clutchcall, python  `send` until the subscriber's Python has the frame
    quinn, moq-relay, ...  the same in a player of that implementation (harness._bench_peers)
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

import transport
from harness import _bench_peers as others
from harness._bench_case import FLOOR, OURS, BenchError, Case, Peer, Reach, Setting, Turn
from harness._bench_program import PATIENCE, Program, module, program, relay
from transport import Fate, Frame

SIZE: Final = 200
ROUNDS: Final = 5_000
WARM_UP: Final = 200
SUBSCRIBERS: Final = 10
"""Of the load; the deliveries that the relay makes for it are what "half" is half of."""
BESIDE: Final = (others.MOQ, "quinn", "aioquic", "enet")
_LOST: Final = 1.0
"""A frame or an echo that has not come after so long is lost, seconds."""


class Probe:
    """Frames through one relay, one after the other."""

    def __init__(self, publication: transport.Publication, feed: transport.Feed) -> None:
        self.publication = publication
        self.feed = feed
        self.node = feed._node
        self.payload = bytes(SIZE)

    def turn(self) -> Mapping[str, float]:
        """One frame. The subscriber's clock times both ends of it."""
        self.feed.drain()  # one that was given up and came after all
        began, sent = time.perf_counter(), self.node.now
        if self.publication.send(self.payload) != Fate.QUEUED:
            return {}
        while time.perf_counter() - began < _LOST:
            batch = self.feed.drain()
            if len(batch):
                took = time.perf_counter() - began
                native = float(batch.frames["received_us"][0]) / 1e6 - sent
                return {"native": native * 1e6, "python": took * 1e6}
            self.node.poll(0.1)
        return {}


@contextmanager
def probe(peer: Peer) -> Iterator[Probe]:
    """A publisher and a subscriber at a relay, and its track between them."""
    trust = transport.Pinned(peer.sha256) if peer.sha256 else None
    with ExitStack() as stack:
        sender, reader = stack.enter_context(transport.Node()), stack.enter_context(transport.Node())
        try:
            up = transport.connect_sync(peer.url, token=peer.token, trust=trust, node=sender)
            down = transport.connect_sync(peer.url, token=peer.token, trust=trust, node=reader)
            stack.enter_context(up)
            feed = stack.enter_context(stack.enter_context(down).subscribe("bench/probe"))
            feed.wait_ready()
            publication = up.publish(Frame("bench/probe", "c", datagram=True, fast=True, priority=0))
        except transport.Error as wrong:
            raise BenchError(f"{peer.name}: {wrong}") from None
        end = time.monotonic() + PATIENCE
        while not (feed.tracks and publication.stats().subscribers):
            if time.monotonic() > end:
                raise BenchError(f"{peer.name}: it brought no subscription in {PATIENCE:g} s")
            down.poll(0.01)
            up.poll()
        yield Probe(publication, feed)


@contextmanager
def echo() -> Iterator[Turn]:
    """A raw UDP echo in a process of its own."""
    with (
        program(module("harness._bench_echo"), "the echo") as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
    ):
        ours.connect(("127.0.0.1", int(running.said())))
        ours.settimeout(_LOST)
        payload = bytes(SIZE)

        def turn() -> Mapping[str, float]:
            began = time.perf_counter()
            ours.send(payload)
            try:
                ours.recv(2048)
            except TimeoutError:
                return {}
            return {"": (time.perf_counter() - began) * 1e6}

        yield turn
        ours.send(b"")


@contextmanager
def subjects(share: float, setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """The echo, this build's relay and its peers; each relay carries `share` of what it can beside.

    Other implementations are measured where there is no load. renet is not: its loop waits for a tick.
    """
    with ExitStack() as stack:
        found: dict[str, Turn] = {FLOOR: stack.enter_context(echo())}
        for peer in (Peer(OURS), *setting.peers):
            dialled = stack.enter_context(relay(peer))
            found[peer.name] = stack.enter_context(probe(dialled)).turn
            if share:
                stack.enter_context(load(dialled, share))
        for name in BESIDE if not share else ():
            if name in setting.others:
                one = others.Load(1, 1, 60)
                running = others.find(name).serve(stack, one)
                found[name] = others.latency(stack.enter_context(others.player(running, one, name)))
        yield found


@contextmanager
def load(peer: Peer, share: float) -> Iterator[Program]:
    """Other traffic through the same relay."""
    environment = {
        "CLUTCHCALL_URL": peer.url,
        "CLUTCHCALL_TOKEN": peer.token,
        "CLUTCHCALL_CERT_SHA256": peer.sha256,
    }
    command = module("harness._bench_load", str(SUBSCRIBERS))
    with program(command, f"the load on {peer.name}", environment) as running:
        running.said()  # how many deliveries a second it can make
        running.tell(str(share))
        yield running


REACH: Final = (
    Reach(100, f"{OURS}, native", added=True),
    Reach(1000, f"{OURS}, native", added=True, quantile=0.99),
)
CASES: Final = (
    Case(
        "latency-idle",
        "a 200-byte frame through a relay that does nothing else",
        "us",
        ROUNDS,
        partial(subjects, 0.0),
        WARM_UP,
        "latency",
        REACH,
    ),
    Case(
        "latency-half-load",
        "a 200-byte frame through a relay that carries half of what it can",
        "us",
        ROUNDS,
        partial(subjects, 0.5),
        WARM_UP,
        "latency",
        REACH,
    ),
)
