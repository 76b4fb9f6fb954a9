"""What sessions cost: a relay's memory by how many are idle, and its CPU time for each that it accepts.

Links of one process connect; moq-relay takes them as well. Memory is what of the relay's resident memory is
its own (RssAnon), above what it was before the first, divided by the sessions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import transport
from harness import _bench_peers as others
from harness._bench_case import OURS, BenchError, Case, Peer, Reach, Setting, Turn
from harness._bench_program import PATIENCE, cpu_seconds, module, program, relay
from relay.token import mint

GUARDED: Final = f"{OURS}, token"
"""This build's relay as `python -m relay`, which has each session's token checked."""
RESUMED: Final = f"{OURS}, resumed"
"""The same relay, to which links come back with the tickets that they have of it."""
SIZES: Final = (250, 500, 1000, 2000)
BATCH: Final = 50
"""Connections of one turn."""
_LINKS: Final = 500
"""That share a node."""
_AT_ONCE: Final = 20
"""Links that are dialled together: more would have the relay ask for Retry."""
_SETTLE: Final = 0.5
"""For a relay to free what only handshakes need, seconds."""


class Sessions:
    """Links to one relay, in a number that grows."""

    def __init__(self, peer: Peer, stack: ExitStack) -> None:
        self.peer = peer
        self.stack = stack
        self.nodes: list[transport.Node] = []
        self.count = 0
        self.before = memory(peer.pid)

    def grow(self, count: int) -> None:
        """Connect until there are so many."""
        while self.count < count:
            if self.count % _LINKS == 0:
                self.nodes.append(self.stack.enter_context(transport.Node()))
            now = min(_AT_ONCE, count - self.count, _LINKS - self.count % _LINKS)
            for link in dial(self.peer, self.nodes[-1], now):
                self.stack.callback(link.close)
            self.count += now

    def turn(self, count: int) -> Mapping[str, float]:
        """Bytes a session at so many."""
        self.grow(count)
        time.sleep(_SETTLE)
        return {"": (memory(self.peer.pid) - self.before) / count / 1e3}


def dial(
    peer: Peer, node: transport.Node, count: int, token: Callable[[], str] = str
) -> list[transport.Link]:
    """So many links, connected; `token` makes the token of each, where the peer has none. `BenchError`."""
    trust = transport.Pinned(peer.sha256) if peer.sha256 else None
    links: list[transport.Link] = []
    try:
        for _ in range(count):
            links.append(transport.open(peer.url, token=peer.token or token(), trust=trust, node=node))
        end = time.monotonic() + PATIENCE
        while not all(link.is_up for link in links):
            if time.monotonic() > end:
                raise BenchError(f"{peer.name}: not all sessions stood in {PATIENCE:g} s")
            node.poll(0.01)
    except transport.Error as wrong:
        raise BenchError(f"{peer.name}: {wrong}") from None
    return links


def again(peer: Peer, node: transport.Node, links: Sequence[transport.Link]) -> None:
    """Have links that stand dial the same relay anew, and wait until they are there. `BenchError`."""
    events = [link.events() for link in links]
    for link in links:
        link.move(peer.url)
    end = time.monotonic() + PATIENCE
    while events:
        node.poll(0.01)
        events = [of for of in events if not any(isinstance(event, transport.Up) for event in of.take())]
        if time.monotonic() > end:
            raise BenchError(f"{peer.name}: not all sessions came back in {PATIENCE:g} s")


def memory(pid: int) -> float:
    """Bytes that are a process's own. `BenchError` where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("RssAnon:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    raise BenchError(f"the memory of process {pid} is not to be had: is it running, and is this Linux?")


def _relays(stack: ExitStack, setting: Setting) -> list[Peer]:
    """This build's relay, the peers whose process is known, and moq-relay."""
    found = [stack.enter_context(relay(peer)) for peer in (Peer(OURS), *setting.peers)]
    if others.MOQ in setting.others:
        running = others.find(others.MOQ).serve(stack, others.Load(1, 1, 1))
        found.append(Peer(others.MOQ, running.url, running.sha256, "", running.pid))
    return [peer for peer in found if peer.pid]


@contextmanager
def grown(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """Each relay by each number of sessions."""
    with ExitStack() as stack:
        found: dict[str, Turn] = {}
        for peer in _relays(stack, setting):
            sessions = Sessions(peer, stack)
            for size in SIZES:
                name = str(size) if peer.name == OURS else f"{peer.name} {size}"
                found[name] = partial(sessions.turn, size)
        yield found


def _guarded(stack: ExitStack) -> tuple[Peer, Callable[[], str]]:
    """`python -m relay`, which checks every session's token, and what makes tokens, each another one."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench")))
    ports = (word for name in ("port", "control-port", "admin-port") for word in (f"--{name}", "0"))
    # One shard, as the relay without tokens has.
    command = module("relay", *ports, "--shards", "1", "--log", "json")
    running = stack.enter_context(
        program(command, "the relay with tokens", {"CLUTCHCALL_STATE": str(folder)})
    )
    told: dict[str, str] = {}
    while not {"CLUTCHCALL_URL", "CLUTCHCALL_CERT_SHA256"} <= told.keys():
        line = json.loads(running.said())
        told[line.get("name", "")] = line.get("value", "")
    peer = Peer(GUARDED, told["CLUTCHCALL_URL"], told["CLUTCHCALL_CERT_SHA256"], "", running.pid)
    key, numbers = transport.credentials.token_key(folder), count()
    return peer, lambda: mint(key, ["bench"], ["bench"], peer=f"b{next(numbers)}")


@contextmanager
def _returning(peer: Peer) -> Iterator[Turn]:
    """A turn in which each of some links leaves for a new session with the same relay."""
    with transport.Node() as node:
        groups = [dial(peer, node, min(_AT_ONCE, BATCH - at)) for at in range(0, BATCH, _AT_ONCE)]

        def turn() -> Mapping[str, float]:
            before = cpu_seconds(peer.pid)
            for links in groups:
                again(peer, node, links)
            return {"": (cpu_seconds(peer.pid) - before) * 1e6 / BATCH}

        yield turn


@contextmanager
def accepted(setting: Setting) -> Iterator[Mapping[str, Turn]]:
    """Each relay accepts some connections, one after the other closed."""
    with ExitStack() as stack:

        def turn(peer: Peer, token: Callable[[], str] = str) -> Mapping[str, float]:
            with transport.Node() as node:
                before = cpu_seconds(peer.pid)
                done = 0
                while done < BATCH:
                    links = dial(peer, node, min(_AT_ONCE, BATCH - done), token)
                    done += len(links)
                spent = cpu_seconds(peer.pid) - before
            return {"": spent * 1e6 / done}

        peers = _relays(stack, setting)
        found: dict[str, Turn] = {peer.name: partial(turn, peer) for peer in peers}
        found[GUARDED] = partial(turn, *_guarded(stack))
        found[RESUMED] = stack.enter_context(_returning(peers[0]))
        yield found


CASES: Final = (
    Case(
        "memory",
        "a relay's memory for each session, by sessions that are idle",
        "KB/session",
        1,
        grown,
        group="sessions",
        reach=[Reach(24, str(SIZES[-1]))],
        axis="sessions",
    ),
    Case(
        "accept",
        f"relay CPU for each connection that it accepts, {BATCH} of them, QUIC and SETUP, P-256",
        "us/connection",
        5,
        accepted,
        1,
        "sessions",
        [Reach(600, GUARDED), Reach(300, RESUMED)],
    ),
)
