"""What clients of the control stack can make it hold: each bound is met on real sockets, told and counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aioquic._buffer import Buffer
from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header

import transport
from relay import _bounds
from relay._bounds import Bounds
from relay._h3_connection import _place
from relay.control_client import ControlClient, Reply, _Connection, _Waiting
from transport._generated.constants import MethodId
from transport._generated.dtos import RoomList

from .conftest import PATIENCE, Stand, everything, until


def bounded(stand: Stand, **bounds: int) -> None:
    """Other bounds from now on."""
    stand.control._server.bounds = Bounds(**bounds)


def met(stand: Stand) -> dict[str, int]:
    """The bounds that were met, and how often."""
    return {name: count for name, count in stand.control.met().items() if count}


def connection(client: ControlClient) -> _Connection:
    assert client._connection is not None
    return client._connection


# --- requests ---


async def test_many_requests_at_once(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stand.client() as client:
        replies = await asyncio.gather(*(client.call(MethodId.HEALTH_GET) for _ in range(60)))
        assert {reply.status for reply in replies} == {"ok"}
        gate = asyncio.Event()

        async def rooms() -> RoomList:
            await gate.wait()
            return RoomList(rooms=())

        bounded(stand, requests=4)
        monkeypatch.setattr(stand.provider, "rooms", rooms)
        client.token = everything()
        asked = [asyncio.ensure_future(client.call(MethodId.ROOMS_LIST)) for _ in range(20)]
        await until(lambda: sum(one.done() for one in asked) == 16)
        gate.set()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert outcomes.count(RoomList(rooms=())) == 4
        refused = [str(one) for one in outcomes if isinstance(one, transport.Closed)]
        assert len(refused) == 16
        assert all(f"{ErrorCode.H3_REQUEST_REJECTED:#x}" in one for one in refused)
        assert met(stand) == {"requests": 16}
        monkeypatch.undo()
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"


@pytest.mark.parametrize(("declared", "status"), [("5", 408), ("999999", 413)])
async def test_a_request_that_never_ends_is_cut(stand: Stand, declared: str, status: int) -> None:
    bounded(stand, request_seconds=0)
    async with stand.client() as client:
        connection = client._connection
        assert connection is not None
        assert connection._http is not None
        stream = connection._quic.get_next_available_stream_id()
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        connection._waiting[stream] = _Waiting(answer)
        head = {":method": "POST", ":scheme": "https", ":authority": "x", ":path": "/v1/token"}
        head["content-length"] = declared
        listed = [(name.encode(), value.encode()) for name, value in head.items()]
        connection._http.send_headers(stream, listed, end_stream=False)
        connection.transmit()
        async with asyncio.timeout(PATIENCE):
            reply = await answer
        assert reply.status == status
        assert met(stand) == {"request_seconds" if status == 408 else "body_bytes": 1}
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"


async def test_a_frame_without_end_is_cut(stand: Stand) -> None:
    """A HEADERS frame that says it has a gigabyte is not buffered to its end."""
    async with stand.client() as client:
        await client.call(MethodId.HEALTH_GET)
        connection = client._connection
        assert connection is not None
        quic = connection._quic
        stream = quic.get_next_available_stream_id()
        quic.send_stream_data(stream, b"\x01\xc0\x00\x00\x00\x40\x00\x00\x00" + b"x" * 200_000)
        connection.transmit()
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"
        server = stand.control._server
        (peer,) = server.connections
        await until(lambda: met(stand) == {"body_bytes": 1})
        assert peer._http is not None
        assert len(peer._http._stream[stream].buffer) <= server.bounds.stream_bytes


async def test_a_request_counts_from_its_first_byte(stand: Stand) -> None:
    """A stream that has not even its headers takes a request's place, and has a request's time."""
    bounded(stand, requests=2)
    async with stand.client() as client:
        await client.call(MethodId.HEALTH_GET)
        quic = connection(client)._quic
        for _ in range(3):
            quic.send_stream_data(quic.get_next_available_stream_id(), b"\x01")
            connection(client).transmit()
        await until(lambda: met(stand) == {"requests": 1})
        bounded(stand, requests=8, request_seconds=0)
        quic.send_stream_data(quic.get_next_available_stream_id(), b"\x01")
        connection(client).transmit()
        await until(lambda: met(stand) == {"requests": 1, "request_seconds": 1})
        bounded(stand)
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"


async def test_cancelled_requests_leave_their_places(stand: Stand) -> None:
    """More of them than a connection may have streams at once: none is left behind."""
    bounded(stand, abandoned=1000)
    async with stand.client() as client:
        await client.call(MethodId.HEALTH_GET)
        quic = connection(client)._quic
        (peer,) = stand.control._server.connections
        for _ in range(200):
            stream = quic.get_next_available_stream_id()
            quic.send_stream_data(stream, b"\x01")
            quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
            connection(client).transmit()
            await until(lambda stream=stream: stream not in quic._streams)  # type: ignore[misc]
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"
        await until(lambda: len(peer._quic._streams) < 16)
        assert not peer._arriving
        assert len(peer._abandoned) < 16


async def test_a_connection_that_only_wastes_is_closed(stand: Stand) -> None:
    bounded(stand, abandoned=3)
    async with stand.client() as client:
        with pytest.raises(transport.Closed, match="cut short"):
            for _ in range(6):
                await client.request("POST", "/v1/token", b"x" * 65537)


# --- replies ---


def deaf(client: ControlClient, requests: int) -> None:
    """Sends requests over a connection that is up, and from then on hears nothing."""
    one = connection(client)
    one.datagram_received = lambda *_: None  # type: ignore[method-assign]
    head = {":method": "GET", ":scheme": "https", ":authority": "x", ":path": "/v1/health"}
    assert one._http is not None
    for _ in range(requests):
        stream = one._quic.get_next_available_stream_id()
        one._http.send_headers(stream, [(n.encode(), v.encode()) for n, v in head.items()], end_stream=True)
    one.transmit()


@pytest.mark.parametrize("bound", ["reply_bytes", "reply_total"])
async def test_replies_that_are_not_taken_are_bounded(stand: Stand, bound: str) -> None:
    server = stand.control._server
    async with stand.client() as good, stand.client() as client:
        await client.call(MethodId.HEALTH_GET)
        bounded(stand, **{bound: 2000})
        deaf(client, 20)
        await until(lambda: met(stand) == {bound: 1})
        assert server.unread < 2000
        assert (await good.call(MethodId.HEALTH_GET)).status == "ok"
        await until(lambda: server.unread == 0)


async def test_a_reply_has_to_be_taken_in_time(stand: Stand) -> None:
    async with stand.client() as client:
        await client.call(MethodId.HEALTH_GET)
        # The one not taken yet has its time by the bound of before, and the look at others waits for it.
        await until(lambda: not stand.control._server.unread)
        bounded(stand, reply_seconds=0)
        deaf(client, 1)
        await until(lambda: "reply_seconds" in met(stand))


# --- connections ---


async def test_connections_are_bounded(stand: Stand) -> None:
    bounded(stand, connections=1)
    async with stand.client() as first:
        with pytest.raises((transport.Closed, transport.Unreachable), match="too many connections"):
            async with stand.client() as second:
                await second.call(MethodId.HEALTH_GET)
        assert (await first.call(MethodId.HEALTH_GET)).status == "ok"


async def test_an_address_has_its_share(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay._h3_connection._place", lambda _: "192.0.2.1")
    bounded(stand, connections_per_address=1)
    async with stand.client() as first:
        with pytest.raises((transport.Closed, transport.Unreachable), match="from this address"):
            async with stand.client() as second:
                await second.call(MethodId.HEALTH_GET)
        assert (await first.call(MethodId.HEALTH_GET)).status == "ok"
        assert met(stand) == {"connections_per_address": 1}
    await until(lambda: not stand.control._server.connections)
    async with stand.client() as third:
        assert (await third.call(MethodId.HEALTH_GET)).status == "ok"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (("127.0.0.1", 1), ""),
        (("::1", 1, 0, 0), ""),
        (("::ffff:127.0.0.1", 1, 0, 0), ""),
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        (("2001:db8::7", 1, 0, 0), "2001:db8::/64"),
        (("fe80::7%eth0", 1, 0, 2), "fe80::/64"),
        (None, ""),
    ],
)
def test_whose_share_it_is(address: tuple[object, ...] | None, place: str) -> None:
    assert _place(address) == place


@contextmanager
def stranger(stand: Stand) -> Iterator[socket.socket]:
    host, _, port = stand.control.address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect((host, int(port)))
        yield udp


def begin(udp: socket.socket) -> QuicConnection:
    """A first packet, and nothing after it."""
    quic = QuicConnection(
        configuration=QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="x")
    )
    quic.connect(udp.getpeername(), now=0.0)
    for data, _ in quic.datagrams_to_send(now=0.0):
        udp.send(data)
    return quic


async def test_strangers_are_asked_to_prove_their_address(stand: Stand) -> None:
    bounded(stand, handshakes_unproven=2, handshakes=4)
    server = stand.control._server
    with stranger(stand) as udp:
        for _ in range(2):
            begin(udp)
        await until(lambda: server.handshakes == 2)
        loop = asyncio.get_running_loop()
        # The third and the fourth come back with their tokens, and go no further.
        for _ in range(2):
            quic = begin(udp)
            while True:
                data = await loop.sock_recv(udp, 2048)
                if pull_quic_header(Buffer(data=data)).packet_type == QuicPacketType.RETRY:
                    break
            quic.receive_datagram(data, udp.getpeername(), now=0.0)
            for again, _ in quic.datagrams_to_send(now=0.0):
                udp.send(again)
        await until(lambda: server.handshakes == 4)
        assert met(stand) == {"handshakes_unproven": 2}
        begin(udp)
        await until(lambda: met(stand) == {"handshakes_unproven": 2, "handshakes": 1})
        assert server.handshakes == 4
        bounded(stand, handshakes_unproven=2)
        async with stand.client() as client:
            assert (await client.call(MethodId.HEALTH_GET)).status == "ok"


async def test_a_handshake_has_its_time(stand: Stand) -> None:
    bounded(stand, handshake_seconds=0)
    with stranger(stand) as udp:
        begin(udp)
        await until(lambda: met(stand) == {"handshake_seconds": 1})
    await until(lambda: not stand.control._server.connections)


# --- how they are given ---


def test_bounds_by_name() -> None:
    assert _bounds.read("requests=16, body_bytes=8k,") == Bounds(requests=16, body_bytes=8192)
    assert _bounds.read("") == Bounds()


@pytest.mark.parametrize("text", ["nothing=1", "requests", "requests=x", "requests=-1", "requests=2000000g"])
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(ValueError, match=r"there are connections|whole number") as wrong:
        _bounds.read(text)
    assert "\n" not in str(wrong.value)


def test_a_bound_is_a_whole_number() -> None:
    for value in (-1, True, 1.5, (1 << 40) + 1):
        with pytest.raises(ValueError, match="requests is"):
            Bounds(requests=value)  # type: ignore[arg-type]
