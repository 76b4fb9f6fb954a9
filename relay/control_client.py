"""A client of the control stack.

    async with ControlClient("https://127.0.0.1:4433", trust=Pinned(sha256), token=token) as control:
        health = await control.call(MethodId.HEALTH_GET)
        await control.call(MethodId.SESSIONS_KICK, Kick(peer_id="c7"))

One connection, one HTTP/3 request a call. A certificate that is not trusted ends it before any token is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamReset
from cryptography.hazmat.primitives.serialization import Encoding

import transport
from transport import Reason
from transport._generated.constants import PORT_CONTROL, MethodId
from transport._generated.dtos import METHODS, Body, Empty, ErrorBody

from ._bodies import JSON, ControlError, decode, encode, media_type, read

MAX_REPLY = 16 << 20
"""Bytes of a reply at most."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply."""

    status: int
    headers: dict[str, str]
    body: bytes


class ControlClient:
    """A connection; use it in an `async with` block, or `open` and `close` it.

    `transport.BadUrl`, `Unreachable`, `TimedOut`, `CertificateMismatch` from `open`.
    """

    def __init__(
        self,
        url: str,
        *,
        trust: transport.Trust | None = None,
        token: str | None = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise transport.BadUrl(f"URL {url!r}: pass https://host:port of a control stack")
        self._url = url
        self._host = parts.hostname
        self._port = parts.port or PORT_CONTROL
        self._trust = trust or transport.System()
        self.token = token
        """Sent with every call."""
        self._kind = content_type
        self._timeout = timeout
        self._connection: _Connection | None = None

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                found = await loop.getaddrinfo(self._host, self._port)
                family, address = found[0][0], found[0][4]
                quic = QuicConnection(configuration=self._configuration())
                endpoint, connection = await loop.create_datagram_endpoint(
                    lambda: _Connection(quic),
                    family=family,
                    local_addr=("::" if family == socket.AF_INET6 else "0.0.0.0", 0),
                )
                connection.endpoint = endpoint
                self._connection = connection
                connection.connect(address)
                await connection.wait_connected()
        except TimeoutError:
            self._abort()
            raise self._failed(
                transport.TimedOut, Reason.TIMEOUT, "nothing was heard: check the port"
            ) from None
        except ConnectionError:
            why = self._connection.ended if self._connection else ""
            self._abort()
            kind, reason = transport.Unreachable, Reason.UNREACHABLE
            if "certificate" in why.lower():
                raise self._failed(transport.CertificateMismatch, Reason.CERTIFICATE, why) from None
            raise self._failed(kind, reason, why or "it refused") from None
        except OSError as wrong:
            self._abort()
            raise self._failed(transport.Unreachable, Reason.UNREACHABLE, str(wrong)) from None
        if isinstance(self._trust, transport.Pinned):
            shown = self._connection.certificate_sha256()
            if shown != self._trust.sha256:
                await self.close()
                why = f"it shows the certificate {shown}: pass the hash that the relay prints"
                raise self._failed(transport.CertificateMismatch, Reason.CERTIFICATE, why)

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(ErrorCode.H3_NO_ERROR)
            connection.stop()

    async def call(self, method: MethodId, request: Body | None = None) -> Any:
        """Call a method of the IDL; the reply's DTO. `ControlError` if it failed there.

        `transport.Closed` if the connection is gone, `transport.TimedOut` if no answer came.
        """
        known = METHODS[method]
        asked = (request or Empty()).to_wire()
        path = known.route
        for name in [name for name in asked if "{" + name + "}" in path]:
            path = path.replace("{" + name + "}", quote(str(asked.pop(name)), safe=""))
        body = b""
        if known.verb == "GET":
            path += "?" + urlencode(asked) if asked else ""
        else:
            body = encode(_Fields(asked), self._kind)
        reply = await self.request(known.verb, path, body)
        kind = media_type(reply.headers.get("content-type", "")) or JSON
        if reply.status >= 400:
            wrong = read(ErrorBody, decode(reply.body, kind))
            raise ControlError(
                wrong.code, wrong.error, wrong.message, field=wrong.field, retry_ms=wrong.retry_ms
            )
        return read(known.reply, decode(reply.body, kind))

    async def request(
        self, verb: str, path: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> Reply:
        """Any request; `headers` stand beside and before the usual ones."""
        if self._connection is None:
            raise transport.Closed(f"control stack {self._url}: not connected: open it first", Reason.LOCAL)
        own = dict(headers)
        listed = {
            ":method": verb,
            ":scheme": "https",
            ":authority": f"{self._host}:{self._port}",
            ":path": path,
        }
        listed |= {"accept": self._kind} | ({"content-type": self._kind} if body else {})
        if self.token:
            listed["authorization"] = f"Bearer {self.token}"
        answer = self._connection.send([*(listed | own).items()], body)
        try:
            return await asyncio.wait_for(answer, self._timeout)
        except TimeoutError:
            raise self._failed(transport.TimedOut, Reason.TIMEOUT, "no answer came") from None
        except ConnectionError as wrong:
            raise self._failed(transport.Closed, Reason.PEER, str(wrong)) from None

    async def __aenter__(self) -> ControlClient:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _configuration(self) -> QuicConfiguration:
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, server_name=self._host, idle_timeout=30.0
        )
        if isinstance(self._trust, transport.Pinned):
            # The pin is compared after the handshake, whose signature proves that the peer has the key.
            configuration.verify_mode = ssl.CERT_NONE
        elif isinstance(self._trust, transport.Pem):
            configuration.load_verify_locations(cadata=self._trust.read())
        return configuration

    def _abort(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stop()

    def _failed(self, kind: type[transport.Ended], reason: Reason, why: str) -> transport.Ended:
        return kind(f"control stack {self._url}: {why}", reason, why)


@dataclass(slots=True)
class _Waiting:
    answer: asyncio.Future[Reply]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class _Fields:
    """What is left of a request's fields, as a body."""

    values: dict[str, object]

    def to_wire(self, path: str = "$") -> dict[str, object]:
        return self.values

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> _Fields:
        return cls(dict(value) if isinstance(value, dict) else {})


class _Connection(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.endpoint: asyncio.BaseTransport | None = None
        self.ended = ""
        """Why it ended."""
        self._http: H3Connection | None = None
        self._waiting: dict[int, _Waiting] = {}

    def certificate_sha256(self) -> str:
        """Of the peer, lower-case hex."""
        shown = self._quic.tls._peer_certificate  # aioquic has no public way to it
        return "" if shown is None else hashlib.sha256(shown.public_bytes(Encoding.DER)).hexdigest()

    def send(self, headers: list[tuple[str, str]], body: bytes) -> asyncio.Future[Reply]:
        """Send a request; its reply, or `ConnectionError`."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        if self._closed.is_set() or self._quic._close_event is not None:
            answer.set_exception(ConnectionError(self.ended or "it is closed: open a new one"))
            return answer
        assert self._http is not None, "connected"
        stream = self._quic.get_next_available_stream_id()
        self._waiting[stream] = _Waiting(answer)
        answer.add_done_callback(lambda _: self._waiting.pop(stream, None))
        listed = [(name.encode(), value.encode()) for name, value in headers]
        self._http.send_headers(stream, listed, end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        return answer

    def quic_event_received(self, event: QuicEvent) -> None:
        """From aioquic."""
        if isinstance(event, ProtocolNegotiated):
            # Before the server's own streams are read: they hold the tables for its headers.
            self._http = H3Connection(self._quic)
        elif isinstance(event, ConnectionTerminated):
            self.ended = event.reason_phrase or f"closed with code {event.error_code:#x}"
            self._fail_all(self.ended)
        elif isinstance(event, StreamReset) and event.stream_id in self._waiting:
            self._fail(event.stream_id, f"the request was rejected with code {event.error_code:#x}")
        if self._http is not None:
            for answer in self._http.handle_event(event):
                if isinstance(answer, HeadersReceived | DataReceived):
                    self._take(answer)

    def stop(self) -> None:
        """Close the socket."""
        self._fail_all("closed here")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.endpoint is not None:
            self.endpoint.close()

    def _take(self, event: HeadersReceived | DataReceived) -> None:
        waiting = self._waiting.get(event.stream_id)
        if waiting is None:
            return
        if isinstance(event, DataReceived):
            waiting.body += event.data
            if len(waiting.body) > MAX_REPLY:
                self._fail(event.stream_id, f"the reply has more than {MAX_REPLY} bytes")
                return
        elif not waiting.status:
            waiting.headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers
            }
            waiting.status = int(waiting.headers.pop(":status"))
        if event.stream_ended and not waiting.answer.done():
            waiting.answer.set_result(Reply(waiting.status, waiting.headers, bytes(waiting.body)))

    def _fail(self, stream: int, why: str) -> None:
        answer = self._waiting[stream].answer
        if not answer.done():
            answer.set_exception(ConnectionError(why))

    def _fail_all(self, why: str) -> None:
        for stream in list(self._waiting):
            self._fail(stream, why)
