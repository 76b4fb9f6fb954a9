"""The control stack: the IDL's methods over HTTP/3, on a port of its own.

    stack = ControlStack("127.0.0.1", 4433, certificate_pem, key_pem, provider)
    await stack.start()

Routes, bodies and who may call come from the IDL's methods. Bodies are JSON or MessagePack, by Content-Type
and Accept; a token goes into `Authorization: Bearer`. A failure's body is an ErrorBody.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from transport import Reason
from transport._generated.constants import MethodId
from transport._generated.dtos import (
    METHODS,
    Health,
    JoinInfo,
    JoinRequest,
    Kick,
    Method,
    Room,
    RoomList,
    SessionInfo,
    SessionList,
    SessionListRequest,
    Statistics,
    TokenRefreshReply,
    TokenRefreshRequest,
)

from ._bodies import JSON, ControlError, accepted, decode, encode, media_type, read
from ._bounds import Bounds
from ._h3 import Server
from ._h3_connection import Request, Response
from .auth import AuthError

HANDLE_SECONDS = 10.0
"""How long a provider may take to answer."""
CLOSE_SECONDS = 1.0
"""How long requests under way may take to end on close."""
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MAX_PATH = 2048
_log = logging.getLogger("relay.control")
_T = TypeVar("_T")
Maybe: TypeAlias = _T | Awaitable[_T]
"""At once, or awaited."""


class Provider(Protocol):
    """What answers. Each may raise `ControlError`; `KeyError` or None is answered with 404."""

    def authorise(self, token: bytes) -> Maybe[Mapping[str, Any]]:
        """A token's claims, or `AuthError`. `cc.admin` opens the methods for administrators."""
        ...

    def health(self) -> Maybe[Health]:
        """How the process is; for everybody."""
        ...

    def rooms(self) -> Maybe[RoomList]:
        """All rooms."""
        ...

    def room(self, name: str, /) -> Maybe[Room | None]:
        """One room."""
        ...

    def sessions(self) -> Maybe[SessionList]:
        """All sessions, in order of peer id; the stack picks the page asked for."""
        ...

    def session(self, peer_id: str, /) -> Maybe[SessionInfo | None]:
        """One session."""
        ...

    def kick(self, peer_id: str, reason: str, /) -> Maybe[SessionInfo | None]:
        """End a session; its last state."""
        ...

    def statistics(self) -> Maybe[Statistics]:
        """Counters."""
        ...

    def refresh(self, request: TokenRefreshRequest, /) -> Maybe[TokenRefreshReply]:
        """Replace the token of the session that the new token is for."""
        ...


class Joining(Protocol):
    """A provider that has rooms to join."""

    def join(self, request: JoinRequest, token: bytes, /) -> Maybe[JoinInfo]:
        """What the bearer of the token, which was found good, needs to join a room."""
        ...


class ControlStack:
    """The stack. A provider may be `Joining` too."""

    def __init__(
        self,
        bind: str,
        port: int,
        certificate_pem: bytes,
        key_pem: bytes,
        provider: Provider,
        bounds: Bounds | None = None,
    ) -> None:
        self._bind = bind
        self._port = port
        self._provider = provider
        self._server = Server(certificate_pem, key_pem, self._handle, _refusal, bounds or Bounds())

    async def start(self) -> None:
        """Listen. `transport.AddressInUse`, `PermissionDenied`, `AddressNotAvailable` or `IoFailed`."""
        await self._server.start(self._bind, self._port)

    @property
    def address(self) -> str:
        """Where it listens, "ip:port"; empty before `start`."""
        return self._server.address

    def met(self) -> Mapping[str, int]:
        """How often each bound was met, by its name in `Bounds`."""
        return self._server.met

    async def close(self) -> None:
        """GOAWAY, let requests under way end, close. May be repeated."""
        await self._server.close(CLOSE_SECONDS)

    async def _handle(self, request: Request) -> Response:
        kind = accepted(request.headers.get("accept", ""), _kind_of_body(request) or JSON)
        try:
            method, values = _route(request)
            if kind is None:
                raise ControlError(
                    406, "not_acceptable", "accept: take application/json or application/msgpack"
                )
            token = await self._permit(method, request.headers.get("authorization", ""))
            asked = read(method.request, _arguments(method, values, request))
            async with asyncio.timeout(HANDLE_SECONDS):
                reply = _CALLS[method.id](self._provider, asked, token)
                if inspect.isawaitable(reply):
                    reply = await reply
            if reply is None:
                raise KeyError(request.path)
            return Response(200, encode(reply, kind), (("content-type", kind),))
        except ControlError as wrong:
            return _failed(wrong, kind or JSON)
        except AuthError as wrong:
            return _failed(_unauthorised(wrong), kind or JSON)
        except KeyError:
            path = request.path.partition("?")[0]
            return _failed(
                ControlError(404, "not_found", f"{path}: there is none: check the name"), kind or JSON
            )
        except TimeoutError:
            text = f"the answer took more than {HANDLE_SECONDS:g} s: try again"
            return _failed(ControlError(503, "timeout", text, retry_ms=1000), kind or JSON)

    async def _permit(self, method: Method, header: str) -> bytes:
        """The token in `header`; `AuthError` or `ControlError` unless it allows the method."""
        if method.auth == "none":
            return b""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ControlError(401, "unauthorized", "a token is required: pass Authorization: Bearer TOKEN")
        shown = token.strip().encode("latin-1")
        answer = self._provider.authorise(shown)
        claims = await answer if inspect.isawaitable(answer) else answer
        own = claims.get("cc")
        admin = isinstance(own, Mapping) and own.get("admin") is True
        if method.auth == "admin" and not admin:
            text = "this is for administrators: pass a token whose cc.admin is true"
            raise ControlError(403, "forbidden", text)
        return shown


async def _sessions(provider: Provider, asked: SessionListRequest, _: bytes) -> SessionList:
    limit = DEFAULT_LIMIT if asked.limit is None else asked.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise ControlError(400, "bad_field", f"limit is {limit}: pass 1 to {MAX_LIMIT}", field="$.limit")
    answer = provider.sessions()
    whole = await answer if inspect.isawaitable(answer) else answer
    wanted = [
        session
        for session in whole.sessions
        if (asked.room is None or session.room == asked.room)
        and (asked.after is None or session.peer_id > asked.after)
    ]
    more = len(wanted) > limit
    page = tuple(wanted[:limit])
    return SessionList(sessions=page, next=page[-1].peer_id if more else None)


def _join(provider: Provider | Joining, asked: JoinRequest, token: bytes) -> Maybe[JoinInfo]:
    if not hasattr(provider, "join"):
        text = "a relay has no rooms: ask the host that runs the room"
        raise ControlError(404, "not_found", text)
    reply: Maybe[JoinInfo] = provider.join(asked, token)
    return reply


def _kick(provider: Provider, asked: Kick, _: bytes) -> Maybe[SessionInfo | None]:
    return provider.kick(asked.peer_id, asked.reason or "")


_CALLS: dict[MethodId, Callable[[Provider, Any, bytes], Any]] = {
    MethodId.HEALTH_GET: lambda provider, *_: provider.health(),
    MethodId.ROOMS_LIST: lambda provider, *_: provider.rooms(),
    MethodId.ROOMS_GET: lambda provider, asked, _: provider.room(asked.room),
    MethodId.ROOMS_JOIN: _join,
    MethodId.SESSIONS_LIST: _sessions,
    MethodId.SESSIONS_GET: lambda provider, asked, _: provider.session(asked.peer_id),
    MethodId.SESSIONS_KICK: _kick,
    MethodId.STATS_GET: lambda provider, *_: provider.statistics(),
    MethodId.TOKEN_REFRESH: lambda provider, asked, _: provider.refresh(asked),
}


def _route(request: Request) -> tuple[Method, dict[str, str]]:
    """The method that a request's verb and path name, and what stands in the path for its fields."""
    path = request.path.partition("?")[0]
    if len(request.path) > _MAX_PATH:
        raise ControlError(414, "too_long", f"the path has more than {_MAX_PATH} characters")
    allowed: list[str] = []
    for method in METHODS.values():
        values = _match(method.route, path)
        if values is None:
            continue
        if method.verb == request.method:
            return method, values
        allowed.append(method.verb)
    if allowed:
        text = f"{path} takes {', '.join(allowed)}, not {request.method[:16]}"
        raise ControlError(405, "method_not_allowed", text)
    raise ControlError(404, "not_found", f"{path[:100]}: no method has that path: see docs/reference/api.md")


def _match(route: str, path: str) -> dict[str, str] | None:
    wanted, given = route.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    values: dict[str, str] = {}
    for pattern, part in zip(wanted, given, strict=True):
        if pattern.startswith("{"):
            try:
                values[pattern[1:-1]] = unquote(part, errors="strict")
            except UnicodeDecodeError:
                raise ControlError(400, "bad_path", "the path is not UTF-8") from None
            if not part:
                return None
        elif pattern != part:
            return None
    return values


def _arguments(method: Method, values: dict[str, str], request: Request) -> dict[str, object]:
    """The request's fields: from the body or the query, and from the path, which has the last word."""
    found: dict[str, object] = {}
    if method.verb == "GET":
        try:
            pairs = parse_qsl(
                urlsplit(request.path).query, keep_blank_values=True, max_num_fields=32, errors="strict"
            )
        except ValueError:
            raise ControlError(400, "bad_query", "the query can't be read") from None
        kinds = {f.name: str(f.type) for f in dataclasses.fields(method.request)}  # type: ignore[arg-type] # all DTOs are dataclasses
        for name, text in pairs:
            found[name] = _number(name, text) if kinds.get(name, "").startswith("int") else text
    elif request.body:
        kind = _kind_of_body(request)
        if kind is None:
            text = "content-type: send application/json or application/msgpack"
            raise ControlError(415, "unsupported_media_type", text)
        body = decode(request.body, kind)
        if not isinstance(body, Mapping):
            raise ControlError(400, "bad_body", "body: it must be a map of fields", field="$")
        found = dict(body)
    for name, value in values.items():
        if found.get(name, value) != value:
            raise ControlError(
                400, "bad_field", f"{name} is another in the path: give it once", field=f"$.{name}"
            )
    return found | values


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ControlError(400, "bad_field", f"{name} is no whole number", field=f"$.{name}")
    return int(text)


def _kind_of_body(request: Request) -> str | None:
    header = request.headers.get("content-type")
    return JSON if header is None else media_type(header)


def _unauthorised(wrong: AuthError) -> ControlError:
    if wrong.reason in (Reason.UNAUTHORIZED, Reason.EXPIRED_TOKEN, Reason.MALFORMED_TOKEN):
        return ControlError(401, wrong.reason.name.lower(), wrong.text)
    return ControlError(403, wrong.reason.name.lower(), wrong.text)


def _failed(wrong: ControlError, kind: str) -> Response:
    headers = [("content-type", kind)]
    if wrong.code == 401:
        headers.append(("www-authenticate", "Bearer"))
    if wrong.code == 405:
        headers.append(("allow", wrong.message.partition(" takes ")[2].partition(", not ")[0]))
    return Response(wrong.code, encode(wrong.body(), kind), tuple(headers))


_WORDS = {408: "timeout", 413: "too_large", 431: "headers_too_large", 500: "internal"}


def _refusal(status: int, text: str) -> Response:
    return _failed(ControlError(status, _WORDS.get(status, "failed"), text), JSON)
