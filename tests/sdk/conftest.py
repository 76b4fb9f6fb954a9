"""A relay in this process, and links to it. Nothing here sleeps or knows a port."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

import transport

_T = TypeVar("_T")
PATIENCE = 15.0
"""How long anything may take on a busy machine, seconds."""
DRAFTS = (18, 22)
QUICK = transport.LinkOptions(connect_timeout=2.0, backoff_min=0.02, backoff_max=0.2)


@dataclass(frozen=True)
class Relay:
    """A relay node and how to reach it."""

    node: transport.Node
    url: str
    trust: transport.Pinned

    def connect(
        self,
        draft: int = 0,
        *,
        token: str = "",
        options: transport.LinkOptions = QUICK,
        timeout: float = PATIENCE,
    ) -> transport.Connecting:
        if draft:
            options = replace(options, alpns=(f"moqt-{draft}",))
        return transport.connect(self.url, token=token, trust=self.trust, options=options, timeout=timeout)


def open_relay(
    certificate: transport.credentials.Certificate,
    *,
    scope: str | None = "",
    bind: str = "127.0.0.1:0",
    options: transport.NodeOptions | None = None,
) -> Relay:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope=scope)
    node = transport.Node(config, bind, options)
    return Relay(node, f"moqt://127.0.0.1:{node.port}", transport.Pinned(certificate.sha256))


@pytest.fixture(scope="session")
def certificate() -> transport.credentials.Certificate:
    return transport.credentials.make_certificate()


SHARDED = ("test_plain", "test_reconnect", "test_sessions", "test_tracks")
"""Modules whose tests run on a relay of one shard and on one of two."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    if "shards" in metafunc.fixturenames and module in SHARDED:
        metafunc.parametrize("shards", (1, 2), ids=("one", "two"))


@pytest.fixture
def shards() -> int:
    """How many shards a relay has."""
    return 1


@pytest.fixture
async def relay(
    native: Path, certificate: transport.credentials.Certificate, shards: int
) -> AsyncIterator[Relay]:
    """An open relay: everyone may do everything."""
    found = open_relay(certificate, options=transport.NodeOptions(shards=shards))
    yield found
    await found.node.aclose()


@pytest.fixture
async def guarded(
    native: Path, certificate: transport.credentials.Certificate, shards: int
) -> AsyncIterator[Relay]:
    """A relay that waits for the test to accept each session."""
    found = open_relay(certificate, scope=None, options=transport.NodeOptions(shards=shards))
    yield found
    await found.node.aclose()


@pytest.fixture
def quiet_port() -> Iterator[int]:
    """A UDP port that is taken by a socket which never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@asynccontextmanager
async def patience(seconds: float = PATIENCE) -> AsyncIterator[None]:
    """A bound for everything within."""
    async with asyncio.timeout(seconds):
        yield


async def collect(feed: transport.Feed, count: int) -> list[transport.Received]:
    """The next `count` frames."""
    found: list[transport.Received] = []
    async with patience():
        async for frame in feed:
            found.append(frame)
            if len(found) == count:
                break
    return found


async def drain_all(feed: transport.Feed, count: int) -> list[transport.FrameBatch]:
    """Batches (copied) with `count` frames in all."""
    found: list[transport.FrameBatch] = []
    await until(lambda: _drained(feed, found) >= count)
    return found


def _drained(feed: transport.Feed, found: list[transport.FrameBatch]) -> int:
    batch = feed.drain()
    if len(batch):
        found.append(batch.copy())
    return sum(len(batch) for batch in found)


async def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Give other things a turn until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.001)


async def demanded(publication: transport.Publication) -> None:
    """Wait until somebody wants its frames."""
    await until(lambda: publication.subscribers > 0 or publication.stats().subscribers > 0)


async def bounded(waiting: Awaitable[_T], seconds: float = PATIENCE) -> _T:
    """The result, in time."""

    async def wait() -> _T:
        return await waiting

    return await asyncio.wait_for(wait(), seconds)


async def first(events: transport.EventStream[transport.LinkEvent], kind: type[_T]) -> _T:
    """The next event of that kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} came")
