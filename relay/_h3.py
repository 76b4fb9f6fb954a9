"""HTTP/3 server on aioquic: whole requests in, whole replies out. Knows nothing of what they mean.

Everything that a client can make it hold is bounded, and each bound that is met is counted (`_bounds`).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import Counter
from functools import partial
from typing import Any

from aioquic._buffer import Buffer
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from aioquic.quic.retry import QuicRetryTokenHandler
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import transport

from ._bounds import Bounds, Met
from ._h3_connection import Connection, Handler, Refusal

_log = logging.getLogger("relay.control")


class Server:
    """Listens on one UDP port."""

    def __init__(
        self, certificate_pem: bytes, key_pem: bytes, handler: Handler, refusal: Refusal, bounds: Bounds
    ) -> None:
        self.handler = handler
        self.refusal = refusal
        self.bounds = bounds
        self.met: Met = Met()
        self.connections: set[Connection] = set()
        """Those in their handshake among them."""
        self.unread = 0
        """Bytes of replies that no client has acknowledged yet."""
        self._up = 0
        self._places: Counter[str] = Counter()
        self.address = ""
        """Where it is bound, "ip:port", once started."""
        self._configuration = _configuration(certificate_pem, key_pem, bounds)
        self._quic: _QuicServer | None = None

    async def start(self, bind: str, port: int) -> None:
        """Bind. `transport.AddressInUse`, `PermissionDenied`, `AddressNotAvailable` or `IoFailed`."""
        loop = asyncio.get_running_loop()
        where = f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"
        make = partial(_QuicServer, self, configuration=self._configuration, create_protocol=self._connection)
        try:
            endpoint, self._quic = await loop.create_datagram_endpoint(make, local_addr=(bind, port))
        except OSError as wrong:
            raise bind_error(wrong, f"control stack on {where}", "UDP") from None
        host, bound = endpoint.get_extra_info("sockname")[:2]
        self.address = f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"

    @property
    def handshakes(self) -> int:
        """Those under way."""
        return len(self.connections) - self._up

    def admit(self, connection: Connection) -> str:
        """A connection's handshake is through: why it can't stay; empty if it can."""
        if self._up >= self.bounds.connections:
            self.met["connections"] += 1
            return "too many connections"
        if connection.place and self._places[connection.place] >= self.bounds.connections_per_address:
            self.met["connections_per_address"] += 1
            return "too many connections from this address"
        self._up += 1
        self._places[connection.place] += 1
        connection.is_up = True
        return ""

    def forget(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.discard(connection)
        if connection.is_up:
            connection.is_up = False
            self._up -= 1
            self._places[connection.place] -= 1
            if not self._places[connection.place]:
                del self._places[connection.place]

    async def close(self, grace: float) -> None:
        """GOAWAY to all, let what is under way end within `grace` seconds, close."""
        if self._quic is None:
            return
        for connection in list(self.connections):
            connection.goaway()
        tasks = [task for connection in self.connections for task in connection.tasks.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for connection in list(self.connections):
            connection.close(ErrorCode.H3_NO_ERROR)
            connection.forget()
        self._quic.close()
        self._quic = None

    def _connection(self, quic: Any, stream_handler: Any = None) -> Connection:
        connection = Connection(quic, self)
        self.connections.add(connection)
        return connection


class _QuicServer(QuicServer):
    """aioquic's, with a door: who is not proven is sent Retry when many handshakes are under way."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(**options)
        self._server = server
        self._tokens = QuicRetryTokenHandler()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        try:
            if self._lets_in(data):
                super().datagram_received(data, addr)
        except Exception as wrong:  # nothing that a stranger sends may reach the event loop as an error
            _log.debug("datagram from %s: %s", addr, wrong, exc_info=wrong)

    def _lets_in(self, data: bytes | str) -> bool:
        """Whether a datagram is looked at; sets whether a first packet has to prove its address."""
        assert isinstance(data, bytes)
        header = pull_quic_header(Buffer(data=data), host_cid_length=self._configuration.connection_id_length)
        first = header.packet_type == QuicPacketType.INITIAL and len(data) >= SMALLEST_MAX_DATAGRAM_SIZE
        if not first or header.destination_cid in self._protocols:
            return True
        bounds, under_way = self._server.bounds, self._server.handshakes
        if under_way >= bounds.handshakes:
            self._server.met["handshakes"] += 1
            return False
        asks = under_way >= bounds.handshakes_unproven
        if asks and not header.token:
            self._server.met["handshakes_unproven"] += 1
        # A token is one that was sent with Retry, however many handshakes there are by now.
        self._retry = self._tokens if asks or header.token else None  # type: ignore[assignment] # aioquic leaves it untyped
        return True


def bind_error(wrong: OSError, what: str, protocol: str) -> transport.Error:
    """The typed error for a port that can't be bound."""
    if wrong.errno == errno.EADDRINUSE:
        return transport.AddressInUse(f"{what}: another program has that {protocol} port: choose another")
    if wrong.errno in (errno.EACCES, errno.EPERM):
        return transport.PermissionDenied(f"{what}: not allowed to bind there: choose a port from 1024")
    if isinstance(wrong, socket.gaierror) or wrong.errno == errno.EADDRNOTAVAIL:
        return transport.AddressNotAvailable(f"{what}: this machine has no such address: choose another")
    return transport.IoFailed(f"{what}: {wrong.strerror or wrong}")


def _configuration(certificate_pem: bytes, key_pem: bytes, bounds: Bounds) -> QuicConfiguration:
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
    except ValueError as wrong:
        raise transport.BadCertificate(f"control stack: no PEM certificate ({wrong}): pass one") from None
    try:
        private = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError) as wrong:
        raise transport.BadKey(f"control stack: no unencrypted PEM key ({wrong}): pass one") from None
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=H3_ALPN,
        certificate=chain[0],
        certificate_chain=chain[1:],
        private_key=private,
        idle_timeout=float(bounds.idle_seconds),
        max_stream_data=2 * bounds.stream_bytes,
    )
