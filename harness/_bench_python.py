"""What a frame costs a Python program: microseconds of CPU time of the thread that calls, and of the node's.

`python-send` hands 200-byte datagram frames over by `send_many`, 1,000 a call, from one numpy array;
`python-drain` takes them out by `drain`, some thousands a call, and looks at every length and every byte's
place in numpy. They go through a relay in a process of its own, no faster than they arrive. The two threads
run side by side: the dearer one bounds the rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

import numpy as np

import transport
from harness._bench_case import OURS, BenchError, Case, Peer, Reach, Setting, Turn
from harness._bench_program import PATIENCE, relay

SIZE: Final = 200
BATCH: Final = 1_000
BATCHES: Final = 8
"""Of a turn."""
NAMESPACE: Final = "bench/python"
ROUNDS: Final = 20
_ROOM: Final = 64 << 20


class Pair:
    """A publisher and a reader, each with a node, at one relay."""

    def __init__(self, publication: transport.Publication, feed: transport.Feed) -> None:
        self.publication = publication
        self.feed = feed
        self.payloads = np.zeros((BATCH, SIZE), np.uint8)

    def send(self) -> None:
        """A batch, until what was taken of it has arrived, or a second has passed."""
        waiting = self.feed.stats().waiting_frames
        taken = int(np.count_nonzero(self.publication.send_many(self.payloads) == transport.Fate.QUEUED))
        self._arrived(waiting + taken)

    def sending(self, node: transport.Node) -> Mapping[str, float]:
        """A turn of `python-send`."""
        native, spent, sent = node.stats().cpu, 0.0, 0
        for _ in range(BATCHES):
            began = time.thread_time()
            fates = self.publication.send_many(self.payloads)
            spent += time.thread_time() - began
            sent += int(np.count_nonzero(fates == transport.Fate.QUEUED))
            self._arrived(sent)
        self.feed.drain()
        return _each(spent, node.stats().cpu - native, sent)

    def draining(self, node: transport.Node) -> Mapping[str, float]:
        """A turn of `python-drain`."""
        self.feed.drain()
        native = node.stats().cpu
        for _ in range(BATCHES):
            self.send()
        began = time.thread_time()
        batch = self.feed.drain()
        whole = batch.frames["payload_len"] == SIZE
        rows = np.frombuffer(batch.data, np.uint8).reshape(-1, SIZE) if whole.all() else None
        spent = time.thread_time() - began
        count = 0 if rows is None else len(rows)
        return _each(spent, node.stats().cpu - native, count)

    def _arrived(self, frames: int) -> None:
        patience = time.perf_counter() + 1.0
        while self.feed.stats().waiting_frames < frames and time.perf_counter() < patience:
            time.sleep(0.001)


def _each(python: float, native: float, frames: int) -> Mapping[str, float]:
    # Below half the path is what was measured.
    if frames < BATCH * BATCHES / 2:
        return {}
    return {"python": python * 1e6 / frames, "native": native * 1e6 / frames}


@contextmanager
def _subjects(
    of: Callable[[Pair, transport.Node, transport.Node], Turn], setting: Setting
) -> Iterator[Mapping[str, Turn]]:
    with ExitStack() as stack:
        peer = stack.enter_context(relay(Peer(OURS)))
        sender, reader = stack.enter_context(transport.Node()), stack.enter_context(transport.Node())
        trust = transport.Pinned(peer.sha256)
        try:
            link = stack.enter_context(transport.connect_sync(peer.url, trust=trust, node=sender))
            other = stack.enter_context(transport.connect_sync(peer.url, trust=trust, node=reader))
            track = transport.Frame(NAMESPACE, "t", datagram=True, fast=True, queue_bytes=_ROOM)
            publication = link.publish(track)
            feed = stack.enter_context(other.subscribe(NAMESPACE, feed_bytes=_ROOM))
            end = time.monotonic() + PATIENCE
            while not (feed.tracks and publication.stats().subscribers):
                if time.monotonic() > end:
                    raise BenchError(f"the track did not arrive in {PATIENCE:g} s")
                reader.poll(0.01)
                sender.poll()
        except transport.Error as wrong:
            raise BenchError(str(wrong)) from None
        yield {OURS: of(Pair(publication, feed), sender, reader)}


@contextmanager
def _send(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    with _subjects(lambda pair, sender, _: lambda: pair.sending(sender), setting) as found:
        yield found


@contextmanager
def _drain(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    with _subjects(lambda pair, _, reader: lambda: pair.draining(reader), setting) as found:
        yield found


def _case(
    name: str,
    about: str,
    subjects: Callable[[Setting], AbstractContextManager[Mapping[str, Turn]]],
    frames_a_second: float,
) -> Case:
    """Each of the two threads has to be fast enough for so many."""
    reach = tuple(Reach(1e6 / frames_a_second, f"{OURS}, {thread}") for thread in ("python", "native"))
    return Case(name, about, "us/frame", ROUNDS, subjects, warm_up=2, reach=reach)


CASES: Final = (
    _case("python-send", "CPU per frame sent by send_many", _send, 500_000),
    _case("python-drain", "CPU per frame received by drain", _drain, 1_000_000),
)
