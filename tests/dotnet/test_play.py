"""C# over the native core, against a relay and a peer in Python."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

import transport
from transport import Frame, FrameFlags, Pinned, Text

from .conftest import PATIENCE, Dotnet

pytestmark = pytest.mark.timeout(300)

DRAFTS = (18, 22)
WHOLE, FRAGMENTED = 0, int(FrameFlags.FRAGMENTED)
STREAM, TEXT = int(FrameFlags.STREAM), int(FrameFlags.STREAM | FrameFlags.TEXT)
KINDS = {
    "datagram": [(WHOLE, 1)] * 4 + [(FRAGMENTED, 2), (FRAGMENTED, 8)],
    "stream": [(STREAM, 1)] * 6,
    "text": [(TEXT, 1)] * 6,
}
"""Flags and fragments of frames of 0, 1, 200, 1000, 1101 and 8000 bytes."""


@contextmanager
def open_relay(
    certificate: transport.credentials.Certificate, scope: str | None = ""
) -> Iterator[tuple[transport.Node, str]]:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope=scope)
    with transport.Node(config) as node:
        yield node, f"moqt://127.0.0.1:{node.port}"


@asynccontextmanager
async def echoing(link: transport.Link) -> AsyncIterator[None]:
    """While it lasts, each frame of games/room1/up comes back on games/room1/down."""
    tracks: dict[str, transport.Publication] = {}
    async with link.subscribe("games/room1/up") as feed:

        async def echo() -> None:
            async for frame in feed:
                name = frame.track.name
                if name not in tracks:
                    spec = Frame("games/room1/down", name, datagram=name == "datagram")
                    text = Text("games/room1/down", name)
                    tracks[name] = await link.publish(text if name == "text" else spec)
                    while tracks[name].stats().subscribers == 0:
                        await asyncio.sleep(0.001)
                fate = tracks[name].send(frame.payload, priority=frame.priority)
                assert fate == transport.Fate.QUEUED

        await feed.ready()
        task = asyncio.create_task(echo())
        try:
            yield
        finally:
            task.cancel()
            # A peer that fell over is told, rather than the silence it leaves.
            done = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(done[0], asyncio.CancelledError), done[0]


@contextmanager
def player(dotnet: Dotnet, url: str, sha256: str, alpns: str = "") -> Iterator[Any]:
    made = dotnet.tests.Player(url, sha256, alpns, PATIENCE)
    try:
        yield made
    finally:
        made.Dispose()


@pytest.mark.parametrize("draft", DRAFTS)
async def test_frames_come_back_byte_for_byte(
    dotnet: Dotnet, certificate: transport.credentials.Certificate, draft: int
) -> None:
    with (
        open_relay(certificate) as (_, url),
        player(dotnet, url, certificate.sha256, f"moqt-{draft}") as client,
    ):
        assert await asyncio.to_thread(client.Connect)
        assert (client.Draft, client.PeerId != "") == (draft, True)
        async with (
            transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link,
            echoing(link),
        ):
            for name, expected in KINDS.items():
                kind = {"datagram": "FrameDatagram", "stream": "FrameStream", "text": "Text"}[name]
                seen = await asyncio.to_thread(client.Echo, getattr(dotnet.core.CcTrackKind, kind), name)
                assert seen == " ".join(f"{flags}/{fragments}" for flags, fragments in expected), name
            assert client.SendClosed() == dotnet.core.CcFate.Closed
        await asyncio.to_thread(client.Leave, "done")
        assert client.Ended == dotnet.core.CcReason.Local


async def test_a_kicked_player_learns_why(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    with (
        open_relay(certificate, scope=None) as (node, url),
        player(dotnet, url, certificate.sha256) as client,
    ):
        events = node.events()
        waiting = asyncio.create_task(asyncio.to_thread(client.Connect))
        async with asyncio.timeout(PATIENCE):
            async for event in events:
                if isinstance(event, transport.Auth):
                    node.refuse(event.session, transport.Reason.REFUSED, "the room is full")
                    break
        assert not await waiting
        assert client.Ended == dotnet.core.CcReason.Refused
        assert "the room is full" in client.EndedText


async def test_the_wrong_certificate_is_told_apart(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    with open_relay(certificate) as (_, url), player(dotnet, url, "00" * 32) as client:
        assert not await asyncio.to_thread(client.Connect)
        assert client.Ended == dotnet.core.CcReason.Certificate


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
async def test_sending_and_draining_leave_no_garbage(
    dotnet: Dotnet, certificate: transport.credentials.Certificate, together: bool
) -> None:
    with open_relay(certificate) as (_, url):
        meter = await asyncio.to_thread(dotnet.tests.Garbage, url, certificate.sha256, PATIENCE)
        try:
            await asyncio.to_thread(meter.Run, 2000, together, False)
            await asyncio.to_thread(meter.Run, 10000, together, False)
            print(f"{meter.SendNanoseconds:.0f} ns a frame sent")
            assert (meter.Received, meter.Bytes) == (10000, 0)
            # The same with a copy of each payload, so that the meter is known to count.
            await asyncio.to_thread(meter.Run, 1000, together, True)
            assert meter.Bytes >= 1000 * 200
        finally:
            meter.Dispose()


def failure(dotnet: Dotnet, call: Any) -> Any:
    """The ClutchCallException that a call ends with."""
    with pytest.raises(importlib.import_module("System").Exception) as caught:
        call()
    assert isinstance(caught.value, dotnet.core.ClutchCallException)
    assert "\n" not in caught.value.Message
    return caught.value


def test_mistakes_are_typed_and_in_words(dotnet: Dotnet) -> None:
    core = dotnet.core
    options = core.NodeOptions()
    options.Bind = "nowhere"
    assert failure(dotnet, lambda: core.Node(options)).Status == core.CcStatus.BadArgument
    with open_node(dotnet) as node:
        link = core.LinkOptions()
        for url, status in (
            ("ftp://127.0.0.1:1", core.CcStatus.BadUrl),
            ("moqt://host.invalid:1", core.CcStatus.BadArgument),
        ):
            link.Url = url
            told = failure(dotnet, lambda: node.Connect(link))
            assert told.Status == status, told.Message
        before = node.NowUs
        assert 0 < before <= node.NowUs
        assert node.Stats().SessionsTotal == 0
    assert failure(dotnet, node.Stats).Status in (core.CcStatus.BadHandle, core.CcStatus.Closed)


async def test_a_host_name_is_resolved(dotnet: Dotnet) -> None:
    found = dotnet.core.Link.ResolveAsync("moqt://localhost:7777/path")
    end = time.monotonic() + PATIENCE
    while not found.IsCompleted:
        assert time.monotonic() < end, "localhost was not resolved in time"
        await asyncio.sleep(0.001)
    assert "127.0.0.1:7777" in str(found.Result).split(",")


@contextmanager
def open_node(dotnet: Dotnet) -> Iterator[Any]:
    made = dotnet.core.Node()
    try:
        yield made
    finally:
        made.Dispose()
