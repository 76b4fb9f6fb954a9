"""A small HTTP/1.1 server for operators: metrics, health and the live page. Plain HTTP, one request a
connection.

    admin = AdminServer("127.0.0.1", 9464, {"/metrics": metrics, "POST /kick": kick})
    await admin.start()

Everything from the network is bounded: connections, bytes, and the time that a request may take. Web pages of
other sites get nothing: a POST from another origin is refused, and so is a name that is not this machine's.
"""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from ._h3 import bind_error

MAX_HEAD = 8 * 1024
"""Bytes of a request line with its headers."""
MAX_BODY = 64 * 1024
MAX_CONNECTIONS = 64
REQUEST_SECONDS = 5.0
"""How long a request may take to arrive, and a handler to answer."""
_log = logging.getLogger("relay.admin")


@dataclass(frozen=True, slots=True)
class Request:
    """A request."""

    method: str
    """GET (HEAD comes as GET) or POST."""
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A reply."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request; what it raises is answered with 500."""


def text(words: str, status: int = 200) -> Response:
    """A line of text."""
    return Response(status, (words.rstrip("\n") + "\n").encode())


def json_body(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Response(status, body, "application/json")


def page(html: str) -> Response:
    """A self-contained HTML page: it loads nothing from elsewhere, and nothing may frame it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    policy += "connect-src 'self'; frame-ancestors 'none'"
    return Response(200, html.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": policy})


class AdminServer:
    """The server. Keys of `routes` are paths, for GET, or "POST /path"."""

    def __init__(self, bind: str, port: int, routes: Mapping[str, Handler]) -> None:
        self.address = ""
        """Where it listens, "ip:port", once started."""
        self._bind = bind
        self._port = port
        self._routes: dict[str, dict[str, Handler]] = {}
        for key, handler in routes.items():
            method, _, path = key.rpartition(" ")
            self._routes.setdefault(path, {})[method or "GET"] = handler
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. `transport.AddressInUse`, `PermissionDenied`, `AddressNotAvailable` or `IoFailed`."""
        where = f"[{self._bind}]:{self._port}" if ":" in self._bind else f"{self._bind}:{self._port}"
        try:
            # On Windows the option would let two programs share the port.
            self._server = await asyncio.start_server(
                self._serve, self._bind, self._port, limit=MAX_HEAD, reuse_address=os.name == "posix"
            )
        except OSError as wrong:
            raise bind_error(wrong, f"admin server on {where}", "TCP") from None
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening, and cut what is under way. May be repeated."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(2 * REQUEST_SECONDS):
                head, response = await self._exchange(reader)
                writer.write(_written(response, head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)

    async def _exchange(self, reader: asyncio.StreamReader) -> tuple[bool, Response]:
        """Whether only the head is wanted, and the reply."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await self._read(reader)
        except _Wrong as wrong:
            return False, text(wrong.words, wrong.status)
        except TimeoutError:
            return False, text("the request did not arrive in time", 408)
        head = request.method == "HEAD"
        methods = self._routes.get(request.path)
        if methods is None:
            return head, text(f"no such page: there are {', '.join(sorted(self._routes))}", 404)
        handler = methods.get("GET" if head else request.method)
        if handler is None:
            allowed = ", ".join(sorted(methods))
            return head, Response(405, f"it takes {allowed}\n".encode(), headers={"Allow": allowed})
        if head:
            request = Request("GET", request.path, request.query, request.headers)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = handler(request)
                return head, await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            return head, text("the answer took too long", 503)
        except Exception as wrong:
            _log.error(
                "%s %s: %s: %s", request.method, request.path, type(wrong).__name__, wrong,
                exc_info=wrong if _log.isEnabledFor(logging.DEBUG) else None,
            )  # fmt: skip
            return head, text("a fault of this server: its log says more", 500)

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _Wrong(431, f"the head has more than {MAX_HEAD} bytes") from None
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not target.startswith("/"):
            raise _Wrong(400, "this is no HTTP request")
        if method not in ("GET", "HEAD", "POST"):
            raise _Wrong(405, "only GET, HEAD and POST are taken")
        headers = dict(_header(line) for line in lines)
        self._check_origin(method, headers)
        body = b""
        if "transfer-encoding" in headers:
            raise _Wrong(411, "send a Content-Length")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _Wrong(400, "Content-Length is no number")
        if len(length) > 8 or int(length) > MAX_BODY:
            raise _Wrong(413, f"the body has more than {MAX_BODY} bytes")
        if int(length):
            body = await reader.readexactly(int(length))
        try:
            parts = urlsplit(target)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=32))
        except ValueError:
            raise _Wrong(400, "the address can't be read") from None
        return Request(method, parts.path, query, headers, body)

    def _check_origin(self, method: str, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if self._is_loopback() and not _is_local_name(host):
            # A foreign page whose name was made to point here would otherwise read everything.
            raise _Wrong(403, "ask for it by address or as localhost")
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if method == "POST" and (foreign or headers.get("sec-fetch-site") == "cross-site"):
            raise _Wrong(403, "pages of other sites may not do this")

    def _is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self._bind).is_loopback
        except ValueError:
            return self._bind == "localhost"


class _Wrong(Exception):
    """A request that is not taken."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise _Wrong(400, "a header can't be read")
    return name.lower(), value.strip()


def _is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _written(response: Response, head: bool) -> bytes:
    phrase = HTTPStatus(response.status).phrase
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if head else response.body)
