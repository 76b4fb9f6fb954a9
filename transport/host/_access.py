"""Who may come in: credentials, tokens, and which room a session is for."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import transport
from relay._addresses import own_addresses
from relay.auth import LEEWAY, Answer, AuthError, Hook, Secret, Verdict, Verifier
from relay.hook import Open
from relay.token import mint
from transport import Reason, Stamp, credentials

from . import protocol
from ._options import Options

_OWN_CLAIMS = frozenset({"aud", "cc", "exp", "iat", "iss", "jti", "nbf", "peer", "sub", "tenant"})
"""What a ticket says itself; the rest is the game's, and goes over to it."""
TOKEN_LIFE = 12 * 3600.0
"""Of tokens that the host makes itself, seconds: a working day."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A session that may come in."""

    room: str
    player: bool
    """Whether it plays; else it only watches or publishes what its token allows."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a host is known by where neither options nor the state folder are to say it, as in a test."""

    certificate: credentials.Certificate
    state_key: bytes
    dial_host: str
    """Its address as in a URL."""
    tokens: dict[bytes, Stamp] = field(default_factory=dict)
    """Tokens that it has made; they stay good over a restart with the same identity."""


class Access:
    """Certificate and keys of a host, and the judgement of sessions."""

    def __init__(self, options: Options, identity: Identity | None = None) -> None:
        """Raises `transport.BadCertificate`, `transport.BadKey` and `transport.PermissionDenied`."""
        # Tokens of this process's own bots and child where somebody else holds the signing key.
        self._insiders: dict[bytes, Stamp] = {}
        self._signing: bytes | None = None
        if identity is not None:
            self.certificate, self.state_key = identity.certificate, identity.state_key
            self._insiders = identity.tokens
            self.default_room, self.dial_host = options.room, identity.dial_host
            self.verifier = Verifier(Secret(identity.state_key))
            self._hook: Hook = Open(options.open_scope or "", self.verifier)
            return
        self.certificate = _certificate(options)
        self.state_key = credentials.state_key()
        self.default_room = options.room
        wild = options.bind in ("0.0.0.0", "::")
        host = next(iter(own_addresses(options.bind)), "127.0.0.1") if wild else options.bind
        self.dial_host = f"[{host}]" if ":" in host else host
        """As in a URL."""
        self._signing = None if options.jwks else credentials.token_key()
        keys = options.jwks if self._signing is None else credentials.public_key(self._signing)
        self.verifier = Verifier(keys if isinstance(keys, bytes) else _source(str(keys)))
        scope = options.open_scope
        self._hook = self.verifier if scope is None else Open(scope, self.verifier)

    @property
    def makes_tokens(self) -> bool:
        """Whether the host signs tokens itself; with `--jwks` somebody else does."""
        return self._signing is not None

    def player_token(self, room: str, peer: str | None = None, *, admin: bool = False) -> str:
        """A token for one player, or without `peer` for anyone, each under the id that its link has."""
        publish, subscribe = protocol.player_grants(room, peer or "{peer}")
        return self._mint(publish, subscribe, peer, admin)

    def ticket(self, room: str, verdict: Verdict) -> tuple[str, float] | None:
        """A player's token for one room, and for how many seconds: it allows and lasts no more than the one
        that was judged. None where others sign tokens. Raises `AuthError` for one that is about to end.
        """
        if self._signing is None:
            return None
        stamp = verdict.stamp
        # A clock's leeway is given once: tokens made of tokens would otherwise live for ever.
        left = TOKEN_LIFE if stamp.expires is None else min(TOKEN_LIFE, stamp.expires - LEEWAY)
        if left < 1.0:
            raise AuthError(Reason.EXPIRED_TOKEN, "the token has expired: get a fresh one")
        publish, subscribe = protocol.player_grants(room, stamp.peer_id)
        ticket = mint(
            self._signing,
            [grant for grant in publish if covers(stamp.publish, grant)],
            [grant for grant in subscribe if covers(stamp.subscribe, grant)],
            left,
            stamp.capabilities,
            stamp.peer_id,
            stamp.tenant or None,
            subject=stamp.subject or None,
            extra={name: value for name, value in verdict.claims.items() if name not in _OWN_CLAIMS},
        )
        return ticket, left

    def server_token(self, room: str, peer: str) -> str:
        """A token for a game server program: everything in one room."""
        everything = (f"games/{room}",)
        return self._mint(everything, everything, peer, False)

    def __call__(self, token: bytes, path: str, suggested_peer: str) -> Answer | Awaitable[Answer]:
        """As `relay.auth.Hook`: whether the token is good."""
        insider = self._insiders.get(token)
        return self._hook(token, path, suggested_peer) if insider is None else insider

    def entry(self, path: str, verdict: Verdict) -> Entry:
        """What a session with a good token may do here. Raises `AuthError`."""
        try:
            room = protocol.room_name(path.strip("/") or self.default_room)
        except transport.BadName as wrong:
            raise AuthError(Reason.REFUSED, str(wrong)) from None
        stamp = verdict.stamp
        player = plays(room, stamp)
        if not player and not touches((*stamp.publish, *stamp.subscribe), f"games/{room}"):
            raise AuthError(Reason.UNAUTHORIZED, f"the token is not for room {room}")
        return Entry(room, player)

    def _mint(
        self, publish: tuple[str, ...], subscribe: tuple[str, ...], peer: str | None, admin: bool
    ) -> str:
        if self._signing is not None:
            return mint(self._signing, publish, subscribe, TOKEN_LIFE, peer=peer, admin=admin)
        if peer is None:
            raise transport.BadState("tokens come from the holder of the keys that --jwks names")
        token = secrets.token_hex(32)
        self._insiders[token.encode()] = Stamp(peer, publish, subscribe)
        return token


def plays(room: str, stamp: Stamp) -> bool:
    """Whether its bearer may send inputs to a room, and read what the room sends to it."""
    return covers(stamp.publish, f"{protocol.up(room)}/{stamp.peer_id}") and covers(
        stamp.subscribe, protocol.down(room, stamp.peer_id)
    )


def covers(grants: tuple[str, ...], path: str) -> bool:
    """Whether one of the grants is the path or a prefix of it, field by field."""
    return any(grant == "*" or path == grant or path.startswith(grant + "/") for grant in grants)


def touches(grants: tuple[str, ...], prefix: str) -> bool:
    """Whether one of the grants reaches anything at or below the prefix."""
    return covers(grants, prefix) or any(grant.startswith(prefix + "/") for grant in grants)


def _certificate(options: Options) -> credentials.Certificate:
    if options.cert is not None and options.key is not None:
        return credentials.load_certificate(options.cert, options.key)
    return credentials.development_certificate(own_addresses(options.bind) if options.dev_lan else ())


def _source(text: str) -> str | Path:
    return text if text.startswith(("http://", "https://")) else Path(text)
