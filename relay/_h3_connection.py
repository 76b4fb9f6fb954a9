"""One client of the HTTP/3 server: its requests as they arrive, and its replies until they are taken."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import ErrorCode, FrameType, H3Connection, encode_frame
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
    StreamDataReceived,
    StreamReset,
)

if TYPE_CHECKING:
    from ._h3 import Server

_REPLY_COST = 256
"""What a reply counts beside its body."""
_log = logging.getLogger("relay.control")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has arrived whole."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """Lower-case names; of repeated ones the last."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A reply."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request; what it raises is answered with 500."""
Refusal = Callable[[int, str], Response]
"""The reply for a request that breaks a bound: status, what is wrong."""


@dataclass(slots=True)
class _Arriving:
    """The stream of a request that is not there yet."""

    deadline: asyncio.TimerHandle
    size: int = 0


@dataclass(slots=True)
class _Incoming:
    method: str
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Reply:
    """What is on its way to the client."""

    size: int
    until: float


def _place(address: Any) -> str:
    """Whose share a connection from this address takes; empty: nobody's."""
    if not address:
        return ""
    ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


class Connection(QuicConnectionProtocol):
    """One client."""

    def __init__(self, quic: Any, server: Server) -> None:
        super().__init__(quic)
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.is_up = False
        """Whether its handshake is through, and it may stay."""
        self.place = ""
        """Whose share it takes, once it is up."""
        self.unread = 0
        """Bytes of replies that the client has not acknowledged."""
        self._server = server
        self._http: H3Connection | None = None
        self._incoming: dict[int, _Incoming] = {}
        self._arriving: dict[int, _Arriving] = {}
        self._replies: dict[int, _Reply] = {}
        self._control_bytes = 0
        self._abandoned: set[int] = set()
        """Streams whose requests are not served: what still comes of them is passed over."""
        self._wasted = 0
        self._ending = False
        self._next_stream = 0
        self._last_stream: int | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._handshake = self._loop.call_later(server.bounds.handshake_seconds, self._too_slow)

    def transmit(self) -> None:
        """Send what is to be sent, and forget the replies that have arrived."""
        super().transmit()
        # aioquic has no event for it: a stream is gone once both its halves are acknowledged.
        for stream in [stream for stream in self._replies if stream not in self._quic._streams]:
            self._forget_reply(stream)
        self._abandoned = {stream for stream in self._abandoned if stream in self._quic._streams}

    def quic_event_received(self, event: QuicEvent) -> None:
        """From aioquic."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        elif isinstance(event, HandshakeCompleted):
            self._handshake.cancel()
            paths = self._quic._network_paths
            self.place = _place(paths[0].addr if paths else None)
            full = self._server.admit(self)
            if full:
                self.close(ErrorCode.H3_EXCESSIVE_LOAD, full)
        elif isinstance(event, ConnectionTerminated):
            self.forget()
            self._server.forget(self)
        elif isinstance(event, StreamReset) and not event.stream_id & 0x2:
            # Both halves have to end before the stream's place is free again.
            self._abandon(event.stream_id)
            self._quic.reset_stream(event.stream_id, ErrorCode.H3_REQUEST_CANCELLED)
        if isinstance(event, StreamDataReceived) and not self._within_bounds(event):
            return
        if self._http is not None:
            for answer in self._http.handle_event(event):
                self._on_http(answer)

    def goaway(self) -> None:
        """Take no further requests."""
        if self._http is None or self._last_stream is not None:
            return
        self._last_stream = self._next_stream
        # aioquic has no call for it: RFC 9114 section 5.2, the first id that will not be served.
        stream = self._http._local_control_stream_id
        assert stream is not None
        frame = encode_frame(FrameType.GOAWAY, encode_uint_var(self._last_stream))
        self._quic.send_stream_data(stream, frame)
        self.transmit()

    def forget(self) -> None:
        """Drop whatever is under way."""
        self._handshake.cancel()
        for stream in [*self._arriving, *self.tasks, *self._replies]:
            self._drop(stream)

    def _too_slow(self) -> None:
        self._server.met["handshake_seconds"] += 1
        self.close(ErrorCode.H3_EXCESSIVE_LOAD, "the handshake takes too long")

    def _within_bounds(self, event: StreamDataReceived) -> bool:
        """aioquic buffers a frame until it is whole, however long it says that it is."""
        stream, size, bounds = event.stream_id, len(event.data), self._server.bounds
        if stream in self._abandoned:
            return False
        if stream & 0x2:
            self._control_bytes += size
            if self._control_bytes > bounds.control_bytes:
                self.waste("control_bytes", "too many bytes on control streams")
                return False
            return True
        arriving = self._arriving.get(stream)
        if arriving is None:
            if len(self._arriving) + len(self.tasks) >= bounds.requests:
                self._reject(stream)
                return False
            text = f"the request did not arrive within {bounds.request_seconds} s"
            deadline = self._loop.call_later(
                bounds.request_seconds, self._cut, stream, 408, text, "request_seconds"
            )
            arriving = self._arriving[stream] = _Arriving(deadline)
        arriving.size += size
        if arriving.size > bounds.stream_bytes:
            self._cut(
                stream, 413, f"the request has more than {bounds.body_bytes} bytes: send less", "body_bytes"
            )
            return False
        return True

    def waste(self, bound: str, text: str) -> None:
        """Close the connection, which has met this bound."""
        if self._ending:
            return
        self._ending = True
        self._server.met[bound] += 1
        for stream in list(self._replies):
            self._forget_reply(stream)
        self.close(ErrorCode.H3_EXCESSIVE_LOAD, text)

    def _reject(self, stream: int) -> None:
        self._server.met["requests"] += 1
        self._abandon(stream)
        self._quic.reset_stream(stream, ErrorCode.H3_REQUEST_REJECTED)
        self._quic.stop_stream(stream, ErrorCode.H3_REQUEST_REJECTED)
        self.transmit()

    def _on_http(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            if event.stream_id not in self._incoming:
                self._begin(event)
        elif isinstance(event, DataReceived):
            request = self._incoming.get(event.stream_id)
            if request is None:
                return
            request.body += event.data
            most = self._server.bounds.body_bytes
            if len(request.body) > most:
                text = f"the body has more than {most} bytes: send less"
                self._cut(event.stream_id, 413, text, "body_bytes")
                return
        else:
            return
        if event.stream_ended and event.stream_id in self._incoming:
            self._serve(event.stream_id, self._incoming.pop(event.stream_id))

    def _begin(self, event: HeadersReceived) -> None:
        stream = event.stream_id
        if stream in self._abandoned or stream in self.tasks:
            return
        self._next_stream = max(self._next_stream, stream + 4)
        if self._last_stream is not None and stream >= self._last_stream:
            return self._reject(stream)
        bounds = self._server.bounds
        size = sum(len(name) + len(value) + 32 for name, value in event.headers)
        if len(event.headers) > bounds.headers or size > bounds.header_bytes:
            text = f"more than {bounds.headers} headers or {bounds.header_bytes} bytes of them"
            return self._cut(stream, 431, text, "header_bytes" if size > bounds.header_bytes else "headers")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        # aioquic has seen that it is a number.
        declared = headers.get("content-length", "0")
        if len(declared) > 12 or int(declared) > bounds.body_bytes:
            text = f"the body has more than {bounds.body_bytes} bytes: send less"
            return self._cut(stream, 413, text, "body_bytes")
        method, path = headers.pop(":method", ""), headers.pop(":path", "")
        self._incoming[stream] = _Incoming(method, path, headers)

    def _serve(self, stream: int, request: _Incoming) -> None:
        self._arriving.pop(stream).deadline.cancel()
        whole = Request(request.method, request.path, request.headers, bytes(request.body))
        task = asyncio.create_task(self._answer(stream, whole))
        self.tasks[stream] = task
        task.add_done_callback(lambda _: self.tasks.pop(stream, None))

    async def _answer(self, stream: int, request: Request) -> None:
        try:
            response = await self._server.handler(request)
        except Exception as wrong:
            _log.error(
                "%s %s: %s: %s", request.method, request.path.partition("?")[0], type(wrong).__name__, wrong,
                exc_info=wrong if _log.isEnabledFor(logging.DEBUG) else None,
            )  # fmt: skip
            response = self._server.refusal(500, "a fault of this server: its log says more")
        self._wasted = max(0, self._wasted - 1)
        self._reply(stream, response)

    def _reply(self, stream: int, response: Response) -> None:
        if self._http is None or self._ending or self._closed.is_set():
            return
        bounds, size = self._server.bounds, len(response.body) + _REPLY_COST
        if self.unread + size > bounds.reply_bytes:
            self.waste("reply_bytes", "replies are not taken")
            return
        if self._server.unread + size > bounds.reply_total:
            # Whoever takes the least pays for it.
            worst = max(self._server.connections, key=lambda connection: connection.unread)
            worst.waste("reply_total", "too many replies are not taken")
            if worst is self:
                return
        self.unread += size
        self._server.unread += size
        self._replies[stream] = _Reply(size, self._loop.time() + bounds.reply_seconds)
        if self._patience is None:
            self._patience = self._loop.call_later(bounds.reply_seconds, self._look_at_replies)
        listed = [
            (b":status", str(response.status).encode()),
            (b"content-length", str(len(response.body)).encode()),
            *((name.encode(), value.encode()) for name, value in response.headers),
        ]
        try:
            self._http.send_headers(stream, listed, end_stream=not response.body)
            if response.body:
                self._http.send_data(stream, response.body, end_stream=True)
        except Exception as wrong:  # the client has gone, or does not want it any more
            _log.debug("reply on stream %s: %s", stream, wrong)
        self.transmit()

    def _look_at_replies(self) -> None:
        """Whether the oldest reply has had its time."""
        self._patience = None
        oldest = min((reply.until for reply in self._replies.values()), default=None)
        if oldest is None:
            return
        if oldest <= self._loop.time():
            return self.waste("reply_seconds", "a reply was not taken in time")
        self._patience = self._loop.call_at(oldest, self._look_at_replies)

    def _forget_reply(self, stream: int) -> None:
        reply = self._replies.pop(stream, None)
        if reply is not None:
            self.unread -= reply.size
            self._server.unread -= reply.size
        if not self._replies and self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self, stream: int, status: int, text: str, bound: str) -> None:
        """Answer a request that is not read to its end."""
        self._server.met[bound] += 1
        self._abandon(stream)
        self._reply(stream, self._server.refusal(status, text))
        self._quic.stop_stream(stream, ErrorCode.H3_NO_ERROR)
        self.transmit()

    def _abandon(self, stream: int) -> None:
        self._drop(stream)
        self._abandoned.add(stream)
        self._wasted += 1
        if self._wasted > self._server.bounds.abandoned:
            self.waste("abandoned", "too many requests were cut short")

    def _drop(self, stream: int) -> None:
        self._incoming.pop(stream, None)
        arriving = self._arriving.pop(stream, None)
        if arriving is not None:
            arriving.deadline.cancel()
        self._forget_reply(stream)
        task = self.tasks.pop(stream, None)
        if task is not None:
            task.cancel()
