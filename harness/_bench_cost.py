"""What a relay costs: user and system time of its process per delivered object, 200-byte frames.

`cost-50x60x20` is 50 subscribers of 20 tracks at 60 Hz, in datagrams, sent in one burst a tick. On streams:
`cost-streams-60` (10x60x20) has 60 objects in each subgroup stream, `cost-stream-a-frame` (10x30x20) one. The
floors are raw UDP that only sends, the same bytes packed into datagrams of up to 1,100, a train a subscriber
and tick: plain, and sealed with AES-128-GCM. A turn takes a few seconds; subjects that are not measured stand
still meanwhile. `shards-*` are such loads on a relay of one shard and on one of two, all of whose threads
have one core, and its clients the others: so they tell what a second shard costs, not what it gains.
`wake` is what a thread pays that sleeps until a packet comes, with nothing to do for it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

import transport
from harness import _bench_peers as others
from harness import _bench_sessions as sessions
from harness._bench_case import FLOOR, OURS, BenchError, Case, Peer, Reach, Setting, Turn
from harness._bench_program import PATIENCE, cpu_seconds, program, relay
from transport._generated.constants import SendFlags

SIZE: Final = 200
SECONDS: Final = 2.0
"""Of a turn."""
ROUNDS: Final = 3
NAMESPACE: Final = "bench/cost"
ONE_SHARD: Final = "1 shard"
TWO_SHARDS: Final = "2 shards"
SHARD_ROUNDS: Final = 5
SEALED: Final = "udp, sealed"
"""The floor with AES-128-GCM."""
THEIRS: Final = f"{OURS} by moq-net"
"""This build's relay, driven by moq-relay's own player."""
WAKES: Final = 2000
"""Of a turn of `wake`."""
_READ_EVERY: Final = 0.1
"""Seconds between two readings of the feeds."""
_LINKS: Final = 100
"""Subscribers that share a node: more overflow its socket's buffer."""
_BUFFER: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Play:
    """Who sends what to whom."""

    subscribers: int
    """Of every track."""
    hz: float
    """Frames a second of each track."""
    tracks: int
    objects: int = 0
    """Of a subgroup stream; 0: datagrams."""
    idle: int = 0
    """Sessions beside that neither send nor receive. What the relay spends on them alone is not counted."""
    seconds: float = SECONDS
    """Of a turn."""

    def track(self, number: int) -> transport.Frame | transport.Video:
        """What is published. A video alone has groups of many objects."""
        if self.objects > 1:
            return transport.Video(NAMESPACE, f"t{number}")
        return transport.Frame(NAMESPACE, f"t{number}", datagram=not self.objects)

    def flags(self, tick: int) -> int:
        """Of a tick's frames: where the groups begin and end."""
        if self.objects <= 1:
            return 0
        begins, ends = tick % self.objects == 0, tick % self.objects == self.objects - 1
        return SendFlags.NEW_GROUP * begins | SendFlags.END_GROUP * ends

    def load(self) -> others.Load:
        """The same for other implementations."""
        return others.Load(self.subscribers, self.tracks, self.hz, SIZE, self.objects)


class Crowd:
    """A publisher of some tracks and the subscribers of all of them, at one relay."""

    def __init__(
        self,
        play: Play,
        peer: Peer,
        publisher: transport.Link,
        publications: list[transport.Publication],
        feeds: list[transport.Feed],
    ) -> None:
        self.play = play
        self.peer = peer
        self.publisher = publisher
        self.publications = publications
        self.feeds = feeds
        self.entries = np.zeros(len(publications), transport.SEND_DTYPE)
        self._payload = np.zeros(SIZE, np.uint8)
        self.entries["publication"] = [one.handle for one in publications]
        self.entries["payload"] = self._payload.ctypes.data
        self.entries["payload_len"] = SIZE
        self.entries["priority"] = 128

    def read(self) -> int:
        """Frames that have arrived since the last reading."""
        return sum(len(feed.drain()) for feed in self.feeds)

    def turn(self, seconds: float | None = None) -> Mapping[str, float]:
        """CPU microseconds of the relay per object that arrived."""
        self.read()
        hz = self.play.hz
        ticks = max(1, round((seconds or self.play.seconds) * hz))
        alone = self._alone(ticks / hz) if self.play.idle else 0.0
        before, began = cpu_seconds(self.peer.pid), time.perf_counter()
        arrived, read = 0, began
        for tick in range(ticks):
            self.entries["flags"] = self.play.flags(tick)
            self.publisher.node.send_batch(self.entries)
            if time.perf_counter() - read >= _READ_EVERY:
                arrived += self.read()
                read = time.perf_counter()
            time.sleep(max(0.0, began + (tick + 1) / hz - time.perf_counter()))
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            more = self.read()
            arrived += more
            if not more:
                break
            time.sleep(0.02)
        spent = cpu_seconds(self.peer.pid) - before - alone
        sent = ticks * len(self.publications) * len(self.feeds)
        # Below half the machine is what was measured, not the relay.
        return {"": spent * 1e6 / arrived} if arrived >= sent / 2 else {}

    def _alone(self, seconds: float) -> float:
        """CPU seconds of the relay in so long without a frame."""
        before = cpu_seconds(self.peer.pid)
        time.sleep(seconds)
        return cpu_seconds(self.peer.pid) - before


@contextmanager
def crowd(peer: Peer, play: Play) -> Iterator[Crowd]:
    """All of them connected, each with every track."""
    trust = transport.Pinned(peer.sha256) if peer.sha256 else None
    with ExitStack() as stack:
        sender = stack.enter_context(transport.Node())
        readers: list[transport.Node] = []
        try:
            publisher = transport.connect_sync(peer.url, token=peer.token, trust=trust, node=sender)
            stack.enter_context(publisher)
            publications = [publisher.publish(play.track(number)) for number in range(play.tracks)]
            feeds = []
            for number in range(play.subscribers):
                if number % _LINKS == 0:
                    options = transport.NodeOptions(recv_buffer=_BUFFER)
                    readers.append(stack.enter_context(transport.Node(options=options)))
                link = transport.connect_sync(peer.url, token=peer.token, trust=trust, node=readers[-1])
                stack.enter_context(link)
                feeds.append(stack.enter_context(link.subscribe(NAMESPACE)))
            if play.idle:
                sessions.Sessions(peer, stack).grow(play.idle)
            end = time.monotonic() + PATIENCE
            while not all(len(feed.tracks) == play.tracks for feed in feeds) or not all(
                publication.stats().subscribers for publication in publications
            ):
                if time.monotonic() > end:
                    raise BenchError(f"{peer.name}: not all tracks reached all in {PATIENCE:g} s")
                for node in readers:
                    node.poll()
                sender.poll(0.01)
        except transport.Error as wrong:
            raise BenchError(f"{peer.name}: {wrong}") from None
        yield Crowd(play, peer, publisher, publications, feeds)


@contextmanager
def subjects(play: Play, beside: Sequence[str], setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """Raw UDP, this build's relay, the peers whose process is known, and other implementations."""
    with ExitStack() as stack:
        found: dict[str, Turn] = {}
        if setting.floor is not None:
            for name, how in ((FLOOR, "plain"), (SEALED, "sealed")):
                arguments = [
                    str(setting.floor),
                    *map(str, (play.subscribers, play.tracks, round(play.hz), SIZE)),
                    how,
                ]
                found[name] = _bare(stack, arguments, play.seconds)
        for peer in (Peer(OURS), *setting.peers):
            dialled = stack.enter_context(relay(peer))
            if dialled.pid:
                found[peer.name] = stack.enter_context(crowd(dialled, play)).turn
        for name in beside:
            if name in setting.others:
                running = others.find(name).serve(stack, play.load())
                found[name] = _played(stack, running, play, name)
                if name == others.MOQ:
                    dialled = stack.enter_context(relay(Peer(OURS)))
                    found[THEIRS] = _played(stack, others.ours(dialled), play, THEIRS)
        yield found


def _played(stack: ExitStack, running: others.Running, play: Play, name: str) -> Turn:
    try:
        playing = stack.enter_context(others.player(running, play.load(), name))
    except BenchError as wrong:
        return partial(_not_there, str(wrong))
    return others.cost(running.pid, playing, play.seconds)


def _not_there(why: str) -> Mapping[str, float]:
    raise BenchError(why)


def _bare(stack: ExitStack, arguments: Sequence[str], amount: float) -> Turn:
    """Turns of the program that sends raw UDP."""
    floor = stack.enter_context(program(arguments, "the floor"))
    floor.said()

    def turn() -> Mapping[str, float]:
        floor.tell(f"{amount}")
        count, spent = map(int, floor.said().split())
        return {"": spent / count}

    return turn


@contextmanager
def wakes(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """A thread that does nothing but receive."""
    with ExitStack() as stack:
        bare = setting.floor is not None
        yield {FLOOR: _bare(stack, [str(setting.floor), "wake"], WAKES)} if bare else {}


@contextmanager
def series(plays: Mapping[str, Play], setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """This build's relay under each of some loads, a relay each."""
    with ExitStack() as stack:
        found: dict[str, Turn] = {}
        for name, play in plays.items():
            dialled = stack.enter_context(relay(Peer(OURS)))
            found[name] = stack.enter_context(crowd(dialled, play)).turn
        yield found


@contextmanager
def by_shards(play: Play, setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """This build's relay with one shard and with two, under the same load."""
    first, rest = _cores()
    with ExitStack() as stack:
        found: dict[str, Turn] = {}
        for name, shards in ((ONE_SHARD, 1), (TWO_SHARDS, 2)):
            with _on(first):
                dialled = stack.enter_context(relay(Peer(OURS), shards))
            with _on(rest):
                found[name] = stack.enter_context(crowd(dialled, play)).turn
        yield found


def _cores() -> tuple[set[int], set[int]]:
    """The first core of this process, and the others. With one core both are that; both empty: not Linux."""
    if sys.platform != "linux":
        return set(), set()
    cores = os.sched_getaffinity(0)
    first = {min(cores)}
    return first, cores - first or first


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    """Threads and programs that begin meanwhile have these cores alone."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _shards(name: str, how: str, play: Play) -> Case:
    who = f"{play.subscribers} subscribers, {play.hz:g} Hz, {play.tracks} tracks{how}"
    about = f"CPU per delivered object of a relay of one shard and of two on one core, {who}"
    opens, reach = partial(by_shards, play), [Reach(1.1, TWO_SHARDS, ONE_SHARD)]
    return Case(name, about, "us/object", SHARD_ROUNDS, opens, 1, "shards", reach, extra=True)


def _case(name: str, how: str, play: Play, beside: Sequence[str], *reach: Reach) -> Case:
    who = f"{play.subscribers} subscribers, {play.hz:g} Hz, {play.tracks} tracks{how}"
    about = f"relay CPU per delivered object, {who}"
    return Case(name, about, "us/object", ROUNDS, partial(subjects, play, beside), group="cost", reach=reach)


def _than_moq(times: float) -> tuple[Reach, Reach]:
    """So many times less than moq-relay, by links of ours, and by the same player as that one."""
    return Reach(1 / times, OURS, others.MOQ), Reach(1 / times, THEIRS, others.MOQ)


ALL: Final = tuple(other.name for other in others.OTHERS)
SUBSCRIBERS: Final = (10, 30, 100, 300, 1000)
TRACKS: Final = (1, 2, 5, 10, 20, 50, 100)
IDLE: Final = (0, 1000, 10_000)
CASES: Final = (
    _case("cost-10x60x20", "", Play(10, 60, 20), ALL, Reach(1.8), *_than_moq(8)),
    _case("cost-50x60x20", "", Play(50, 60, 20), (others.MOQ, "quinn"), Reach(1.1), *_than_moq(8)),
    _case("cost-100x60x20", "", Play(100, 60, 20), (), Reach(1.0)),
    _case("cost-50x60x1", "", Play(50, 60, 1), ALL, Reach(10), *_than_moq(5)),
    _case(
        "cost-streams-60", ", 60 objects a stream", Play(10, 60, 20, objects=60), (others.MOQ,), *_than_moq(8)
    ),
    _case(
        "cost-stream-a-frame",
        ", one object a stream",
        Play(10, 30, 20, objects=1),
        (others.MOQ,),
        *_than_moq(6),
    ),
    _shards("shards-10x60x20", "", Play(10, 60, 20)),
    _shards("shards-50x60x20", "", Play(50, 60, 20)),
    _shards("shards-100x60x40", "", Play(100, 60, 40)),
    _shards("shards-50x60x1", "", Play(50, 60, 1)),
    _shards("shards-stream-a-frame", ", one object a stream", Play(10, 60, 20, objects=1)),
    Case(
        "wake",
        "CPU of a thread for each packet from another core that it sleeps until, with nothing to do for it",
        "us/wake",
        ROUNDS,
        wakes,
        group="wake",
        extra=True,
    ),
    Case(
        "subscribers",
        "relay CPU per delivered object at 12,000 objects/s in bursts of 20 tracks, by subscribers",
        "us/object",
        ROUNDS,
        partial(series, {str(one): Play(one, 600 / one, 20, seconds=5.0) for one in SUBSCRIBERS}),
        group="series",
        reach=[Reach(1.1, str(one), str(SUBSCRIBERS[0])) for one in SUBSCRIBERS[1:]],
        axis="subscribers",
        extra=True,
    ),
    Case(
        "tracks",
        "relay CPU per delivered object, 10 subscribers, 60 Hz, by tracks in a burst",
        "us/object",
        ROUNDS,
        partial(series, {str(one): Play(10, 60, one) for one in TRACKS}),
        group="series",
        axis="tracks",
        extra=True,
    ),
    Case(
        "idle",
        "relay CPU per delivered object, 10 subscribers, 60 Hz, 20 tracks, by sessions that are idle beside",
        "us/object",
        ROUNDS,
        partial(series, {str(one): Play(10, 60, 20, idle=one, seconds=5.0) for one in IDLE}),
        group="series",
        reach=[Reach(1.1, str(one), str(IDLE[0])) for one in IDLE[1:]],
        axis="idle sessions",
        extra=True,
    ),
)
