"""Tokens: a JWT is checked, and turned into the stamp by which the core judges everything a session does.

`Verifier` is what runs unless an operator names another `Hook` (`--auth MODULE:CALLABLE`). It takes ES256,
EdDSA and RS256 (HS256 with a `Secret` only), each key for its own algorithm; `exp` and `aud` are required.
Verdicts are kept by the token's hash while the token lasts. docs/auth.md has the claims.
"""

from __future__ import annotations

import asyncio
import binascii
import functools
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import jwt

from transport import Reason, Stamp

from ._keys import ALGORITHMS, Key, Keys, Secret, load

MAX_TOKEN = 4096
"""Bytes of a token at most."""
MAX_GRANTS = 64
"""Grants of one kind at most, as in the core."""
KEPT_VERDICTS = 65_536
"""Verdicts kept; the least recently used go first."""
HEADERS = 256
"""Headers of tokens kept, read."""
LEEWAY = 10.0
"""How far an issuer's clock may be off, seconds."""
PEER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_BASE64 = bytes.maketrans(b"-_+/", b"+/!!")
"""From base64url; the two characters that it has in place of others become what is no base64."""
_SIGNATURES = jwt.algorithms.get_default_algorithms()
"""PyJWT's, by name. Its `decode` reads each token's header again, and each character of it apart."""

__all__ = [
    "ALGORITHMS",
    "LEEWAY",
    "MAX_TOKEN",
    "Answer",
    "AuthError",
    "Hook",
    "Keys",
    "Secret",
    "Verdict",
    "Verifier",
]


class AuthError(Exception):
    """A token that does not let its bearer in: the bearer's fault, or its issuer's."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        """UNAUTHORIZED, MALFORMED_TOKEN or EXPIRED_TOKEN from a `Verifier`; a hook may use any other."""
        self.text = text
        """Told to the peer: one line, and nothing that it should not know."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A token that holds."""

    stamp: Stamp
    claims: Mapping[str, Any]
    """All of its claims, for games' own rules."""


Answer: TypeAlias = Stamp | Verdict
"""What a hook lets a session in with."""


class Hook(Protocol):
    """Decides on sessions. `Verifier` is one; a function of the same form is too."""

    def __call__(self, token: bytes, path: str, suggested_peer: str, /) -> Answer | Awaitable[Answer]:
        """Let a session in, or raise `AuthError`. Anything else that is raised refuses it as INTERNAL.

        It runs in the relay's event loop: what waits has to be awaited.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A token whose signature and claims were found good."""

    claims: Mapping[str, Any]
    expires: float
    """Unix time at which it no longer holds, leeway included."""


class Verifier:
    """Checks tokens against keys. May be used from one thread at a time.

    `keys` is PEM or JWKS bytes, a JWKS mapping, a path or an http(s) URL of either, a `Secret`, or `Keys`.
    `transport.BadKey` if they can't be had at the start.
    """

    def __init__(
        self,
        keys: Keys | Secret | bytes | str | Path | Mapping[str, Any],
        *,
        audience: str = "clutchcall",
        issuer: str | None = None,
        leeway: float = LEEWAY,
        algorithms: Collection[str] = ALGORITHMS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keys = load(keys)
        self.audience = audience
        self.issuer = issuer
        self.leeway = leeway
        self.hits = 0
        """Tokens answered from kept verdicts."""
        self.checks = 0
        """Tokens whose signature was checked."""
        self._clock = clock
        self._kept: OrderedDict[bytes, _Known] = OrderedDict()
        self._generation = self.keys.generation
        self._refreshing: asyncio.Task[None] | None = None
        self._algorithms = frozenset(algorithms)
        # A secret that was given explicitly is what allows HS256.
        if isinstance(keys, Secret):
            self._algorithms |= {"HS256"}
        unknown = self._algorithms - {*ALGORITHMS, "HS256"}
        if unknown:
            raise ValueError(f"algorithms {sorted(unknown)} are not to be had: pick from {ALGORITHMS}")

    def verify(self, token: bytes, path: str, suggested_peer: str) -> Stamp:
        """What the bearer may do, or `AuthError`. Waits for the keys' source where that is due."""
        return self.judge(token, path, suggested_peer).stamp

    def judge(self, token: bytes, path: str, suggested_peer: str) -> Verdict:
        """As `verify`, with the claims."""
        if self.keys.due(self._is_key_missing(token)):
            self.keys.refresh()
        return self._judge(token, suggested_peer)

    def __call__(self, token: bytes, path: str, suggested_peer: str) -> Verdict | Awaitable[Verdict]:
        """As `judge`, but a fetch of keys runs in a thread while the caller awaits."""
        fetching = self._refreshing is not None and not self._refreshing.done()
        # Asked only where the answer could have the source read: most keys have none.
        missing = (fetching or self.keys.due(True)) and self._is_key_missing(token)
        # However many sessions ask, one fetch is under way; who has a key that is known does not wait for it.
        if self.keys.due(missing) and not fetching:
            self._refreshing = asyncio.create_task(asyncio.to_thread(self.keys.refresh))
            return self._judge_after(self._refreshing, token, suggested_peer)
        if missing and fetching and self._refreshing is not None:
            return self._judge_after(self._refreshing, token, suggested_peer)
        return self._judge(token, suggested_peer)

    async def _judge_after(
        self, refreshing: asyncio.Task[None], token: bytes, suggested_peer: str
    ) -> Verdict:
        await asyncio.shield(refreshing)
        return self._judge(token, suggested_peer)

    def _is_key_missing(self, token: bytes) -> bool:
        """Whether the token could hold but for a key that is not known."""
        if not token or len(token) > MAX_TOKEN or self._digest(token) in self._kept:
            return False
        try:
            kid, algorithm = self._header(token)
        except AuthError:
            return False
        return algorithm in self._algorithms and not self.keys.find(kid, algorithm)

    def _judge(self, token: bytes, suggested_peer: str) -> Verdict:
        self._forget_after_rotation()
        now = self._clock()
        digest = self._digest(token)
        known = self._kept.get(digest)
        if known is None:
            known = self._check(token)
            self.checks += 1
        else:
            self.hits += 1
        if now >= known.expires:
            self._kept.pop(digest, None)
            raise AuthError(Reason.EXPIRED_TOKEN, "the token has expired: get a fresh one")
        starts = known.claims.get("nbf")
        if starts is not None and now < starts - self.leeway:
            raise AuthError(Reason.UNAUTHORIZED, "the token is not valid yet: check the clocks or wait")
        verdict = Verdict(_stamp(known.claims, suggested_peer, known.expires - now), known.claims)
        self._keep(digest, known)
        return verdict

    def _check(self, token: bytes) -> _Known:
        """The signature, and the claims that do not depend on the time."""
        if not token:
            raise AuthError(Reason.UNAUTHORIZED, "a token is required: pass the one that was issued to you")
        if len(token) > MAX_TOKEN:
            text = f"the token has {len(token)} bytes, more than {MAX_TOKEN}"
            raise AuthError(Reason.MALFORMED_TOKEN, text)
        kid, algorithm = self._header(token)
        if algorithm not in self._algorithms:
            raise AuthError(Reason.UNAUTHORIZED, f"tokens signed with {algorithm[:16]!r} are not accepted")
        candidates = self.keys.find(kid, algorithm)
        if not candidates:
            named = "that algorithm" if kid is None else f"its key id {kid[:64]!r}"
            raise AuthError(Reason.UNAUTHORIZED, f"no key for {named} is known here")
        claims = self._claims(token, candidates)
        return _Known(claims, _time(claims, "exp") + self.leeway)

    def _claims(self, token: bytes, candidates: tuple[Key, ...]) -> Mapping[str, Any]:
        signed, _, signature = token.rpartition(b".")
        try:
            read = _decoded(signature)
            if not any(_is_signed(signed, read, key) for key in candidates):
                raise AuthError(Reason.UNAUTHORIZED, "the token's signature does not match")
            claims = json.loads(_decoded(signed.partition(b".")[2]))
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise AuthError(Reason.MALFORMED_TOKEN, "the token's claims can't be read") from None
        if not isinstance(claims, dict) or not isinstance(claims.get("jti", ""), str):
            raise AuthError(Reason.MALFORMED_TOKEN, "the token's claims can't be read")
        self._judge_claims(claims)
        return claims

    def _judge_claims(self, claims: Mapping[str, Any]) -> None:
        """Those that a token has to have. Times are compared with the caller's clock, in `_judge`."""
        audience = claims.get("aud")
        for name, claim in (("exp", claims.get("exp")), ("aud", audience or None)):
            if claim is None:
                raise AuthError(Reason.MALFORMED_TOKEN, f"the token has no {name!r} claim")
        # An issuer is only asked for where the relay names one.
        if self.issuer is not None and claims.get("iss") != self.issuer:
            text = f"the token is not from the issuer {self.issuer!r}"
            raise AuthError(Reason.UNAUTHORIZED, text if "iss" in claims else "the token has no 'iss' claim")
        named = audience if isinstance(audience, list) else [audience]
        if self.audience not in named or not all(isinstance(name, str) for name in named):
            raise AuthError(Reason.UNAUTHORIZED, f"the token is not for the audience {self.audience!r}")
        _time(claims, "exp")
        if "nbf" in claims:
            _time(claims, "nbf")

    def _header(self, token: bytes) -> tuple[str | None, str]:
        """The key id and algorithm that a token names: what it is to be checked with, and no more."""
        try:
            header, _, _ = token.split(b".")
            return _read_header(header)
        except (ValueError, TypeError, RecursionError):
            raise AuthError(Reason.MALFORMED_TOKEN, "the token is no JWT: pass it whole") from None

    def _forget_after_rotation(self) -> None:
        if self._generation != self.keys.generation:
            self._generation = self.keys.generation
            self._kept.clear()

    def _keep(self, digest: bytes, known: _Known) -> None:
        # Only what was found good is kept: others would cost a stranger nothing to fill the table with.
        self._kept[digest] = known
        self._kept.move_to_end(digest)
        if len(self._kept) > KEPT_VERDICTS:
            self._kept.popitem(last=False)

    @staticmethod
    def _digest(token: bytes) -> bytes:
        return hashlib.sha256(token).digest()


@functools.lru_cache(HEADERS)
def _read_header(segment: bytes) -> tuple[str | None, str]:
    """An issuer's tokens have one header, byte for byte. `ValueError` if it is none."""
    header = json.loads(_decoded(segment))
    if not isinstance(header, dict):
        raise AuthError(Reason.MALFORMED_TOKEN, "the token is no JWT: pass it whole")
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(header.get("kid", ""), str) or not isinstance(algorithm, str):
        raise AuthError(Reason.MALFORMED_TOKEN, "the token's header can't be read")
    # Extensions (RFC 7515, section 4.1.11) and payloads in another form (RFC 7797) are not for tokens.
    if "crit" in header or header.get("b64", True) is not True:
        raise AuthError(Reason.MALFORMED_TOKEN, "the token's header asks for what is not known here")
    return kid, algorithm


def _decoded(segment: bytes) -> bytes:
    """A part of a token, base64url. `ValueError` for anything but the one text that its bytes have."""
    bare = segment.rstrip(b"=")
    padding = len(segment) - len(bare)
    standard = bare.translate(_BASE64) + b"=" * (-len(bare) % 4)
    decoded = binascii.a2b_base64(standard)
    # What is no base64 is passed over, and so are bits that are left over; then it is not the same again.
    if binascii.b2a_base64(decoded, newline=False) != standard:
        raise ValueError("no base64url")
    # Some issuers pad.
    if padding and (padding > 2 or len(segment) % 4):
        raise ValueError("wrong padding")
    return decoded


def _is_signed(signed: bytes, signature: bytes, key: Key) -> bool:
    algorithm = _SIGNATURES[key.algorithm]
    return algorithm.verify(signed, algorithm.prepare_key(key.material), signature)


def _stamp(claims: Mapping[str, Any], suggested_peer: str, left: float) -> Stamp:
    peer = claims.get("peer", suggested_peer)
    if not isinstance(peer, str) or not PEER_ID.fullmatch(peer):
        text = "the token's 'peer' claim is not 1 to 64 of A-Z a-z 0-9 _ . -"
        raise AuthError(Reason.MALFORMED_TOKEN, text)
    own = claims.get("cc", {})
    if not isinstance(own, dict):
        raise AuthError(Reason.MALFORMED_TOKEN, "the token's 'cc' claim is not a map")
    return Stamp(
        peer_id=peer,
        publish=tuple([grant.replace("{peer}", peer) for grant in _lines(own, "publish")]),
        subscribe=tuple([grant.replace("{peer}", peer) for grant in _lines(own, "subscribe")]),
        capabilities=_lines(own, "capabilities"),
        tenant=_text(claims, "tenant"),
        subject=_text(claims, "sub"),
        expires=left,
    )


def _lines(own: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of one-line texts. Nothing is assumed of a grant that is not a plain path: it is refused."""
    lines = own.get(name, [])
    if not isinstance(lines, list) or len(lines) > MAX_GRANTS:
        text = f"the token's 'cc.{name}' is not a list of at most {MAX_GRANTS} texts"
        raise AuthError(Reason.MALFORMED_TOKEN, text)
    for line in lines:
        if not isinstance(line, str) or not line or line != line.strip() or not line.isprintable():
            raise AuthError(
                Reason.MALFORMED_TOKEN, f"the token's 'cc.{name}' holds something else than names"
            )
        if name != "capabilities" and line != "*" and "" in line.split("/"):
            text = f"the token's 'cc.{name}' holds a path with an empty field"
            raise AuthError(Reason.MALFORMED_TOKEN, text)
    return tuple(lines)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > 256 or (value and not value.isprintable()):
        text = f"the token's {name!r} claim is not a line of at most 256 characters"
        raise AuthError(Reason.MALFORMED_TOKEN, text)
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise AuthError(Reason.MALFORMED_TOKEN, f"the token's {name!r} claim is not a time in Unix seconds")
    return float(value)
