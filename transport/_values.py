"""What an application hands over: track specifications, trust, a relay's configuration, a session's stamp.

All are frozen dataclasses, checked when made, so that a bad value is reported where it was written. Times are
seconds as float. Zero in a `*_bytes` field means the native core's default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from . import _properties
from ._errors import BadArgument, BadCertificate

DEFAULT_PRIORITY = 128
"""Publisher and subscriber priority where nothing is said; 0 goes first, 255 last."""
TEXT_CAPABILITY = "text.v1"
_MAX_SECONDS = 4_000.0
_SHOWN = 120


def micros(seconds: float | None, what: str) -> int:
    """Seconds as whole microseconds for a u32; none is 0, and anything above 0 stays above 0."""
    if seconds is None:
        return 0
    if not 0 <= seconds <= _MAX_SECONDS:
        raise BadArgument(f"{what} is {seconds} s: pass 0 .. {_MAX_SECONDS:g} seconds")
    return max(1, round(seconds * 1e6)) if seconds else 0


def millis(seconds: float | None, what: str) -> int:
    """Seconds as whole milliseconds; none is 0, and anything above 0 stays above 0."""
    return -(-micros(seconds, what) // 1000)


def shortened(text: str) -> str:
    """The text on one line of a length that people read, for messages."""
    line = text.replace("\n", " ")
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def check_priority(priority: int) -> int:
    """The priority itself, if it is one."""
    if not isinstance(priority, int) or not 0 <= priority <= 255:
        raise BadArgument(f"priority is {priority!r}: pass 0 (first) .. 255 (last)")
    return priority


def _check_bytes(value: int, what: str) -> None:
    if not isinstance(value, int) or value < 0:
        raise BadArgument(f"{what} is {value!r}: pass a number of bytes, or 0 for the default")


@dataclass(frozen=True, slots=True)
class Frame:
    """A track of opaque frames with a priority each: each is whole or absent, none waits for another."""

    namespace: str
    """Its namespace, fields joined by "/"."""
    name: str
    """Its name in the namespace."""
    capability: str = ""
    """The tag that subscribers may filter by; empty: none."""
    datagram: bool = False
    """True: QUIC datagrams, in at most 8 fragments of 1100 bytes. False: a stream a frame, of any size."""
    priority: int = DEFAULT_PRIORITY
    """Default priority of a frame, 0 (first) .. 255 (last)."""
    ttl: float | None = None
    """How long a frame may wait in the sending queue by default, seconds; none: as long as there is room."""
    latest_wins: bool = False
    """Only the newest frame is worth sending; older ones that wait are dropped."""
    fast: bool = False
    """More than 1,000 frames/s: group ids count from the time in microseconds instead of milliseconds."""
    object_timeout: float | None = None
    """How long relays may hold a datagram frame, seconds (OBJECT_DELIVERY_TIMEOUT)."""
    subgroup_timeout: float | None = None
    """How long relays may go on resending a stream frame, seconds (SUBGROUP_DELIVERY_TIMEOUT)."""
    queue_bytes: int = 0
    """Bound of each subscriber's queue of this track, bytes."""
    properties: Mapping[int, _properties.Value] = field(default_factory=dict)
    """Further track properties."""
    token: str | bytes = field(default="", repr=False)
    """A token for this track alone, over a link; empty: the link's holds."""

    def __post_init__(self) -> None:
        check_priority(self.priority)
        _check_bytes(self.queue_bytes, "queue_bytes")
        micros(self.ttl, "ttl")
        micros(self.object_timeout, "object_timeout")
        micros(self.subgroup_timeout, "subgroup_timeout")


@dataclass(frozen=True, slots=True)
class Text:
    """A track of messages that arrive all and in order; a reader that was away gets them from the window."""

    namespace: str
    """Its namespace, fields joined by "/"."""
    name: str
    """Its name in the namespace."""
    capability: str = TEXT_CAPABILITY
    """The tag that subscribers may filter by; empty: none."""
    priority: int = DEFAULT_PRIORITY
    """Priority of its messages, 0 (first) .. 255 (last)."""
    window: int = 0
    """Messages kept for readers that come back; 0: the core's default."""
    queue_bytes: int = 0
    """Bound of each subscriber's queue of this track, bytes."""
    properties: Mapping[int, _properties.Value] = field(default_factory=dict)
    """Further track properties."""
    token: str | bytes = field(default="", repr=False)
    """A token for this track alone, over a link; empty: the link's holds."""

    def __post_init__(self) -> None:
        check_priority(self.priority)
        _check_bytes(self.queue_bytes, "queue_bytes")
        if not isinstance(self.window, int) or not 0 <= self.window < 1 << 32:
            raise BadArgument(f"window is {self.window!r}: pass a number of messages, or 0 for the default")


@dataclass(frozen=True, slots=True)
class Exact:
    """One track by its full name, for `subscribe`."""

    namespace: str
    """Its namespace, fields joined by "/"."""
    name: str
    """Its name in the namespace."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """Trust the one certificate whose DER bytes have this SHA-256, and nothing else."""

    sha256: str
    """64 hex digits; colons and upper case are taken too."""

    def __post_init__(self) -> None:
        digits = self.sha256.replace(":", "").strip().lower()
        if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits):
            raise BadArgument(
                f"certificate hash {self.sha256!r} is no SHA-256: pass the 64 hex digits that were printed"
            )
        object.__setattr__(self, "sha256", digits)


@dataclass(frozen=True, slots=True)
class Pem:
    """Trust certificates that chain to these (or are one of these, if self-signed)."""

    source: str | Path | bytes
    """The PEM text as bytes, or a file's path."""

    def read(self) -> bytes:
        """The PEM text. `BadCertificate` if it can't be read."""
        if isinstance(self.source, bytes):
            return self.source
        try:
            return Path(self.source).read_bytes()
        except OSError as wrong:
            raise BadCertificate(
                f"certificate file {self.source}: {wrong.strerror}: pass a PEM file's path"
            ) from None


@dataclass(frozen=True, slots=True)
class System:
    """Trust what the operating system trusts."""


Trust: TypeAlias = Pinned | Pem | System
"""Whom a link trusts."""


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """The relay role of a node: it accepts sessions and routes tracks between them."""

    certificate: bytes
    """Certificate chain, PEM. ECDSA P-256 is the cheapest for the relay."""
    key: bytes
    """Its private key, PEM."""
    open_scope: str | None = None
    """None: each session waits for `accept`. A prefix: everyone may publish and subscribe below it; "":
    anything.
    """
    max_sessions: int = 0
    """Sessions at once; 0: the core's default."""
    auth_timeout: float | None = None
    """How long a session may wait for `accept`, seconds."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an admitted session may do. A grant is a path prefix such as "games/room1/up/c7"; "*" is
    everything.
    """

    peer_id: str
    """Unique on the relay: a second session with the same id ends the first with REPLACED."""
    publish: tuple[str, ...] = ()
    """Grants to publish."""
    subscribe: tuple[str, ...] = ()
    """Grants to subscribe."""
    capabilities: tuple[str, ...] = ()
    """Capabilities it may use; empty: any."""
    tenant: str = ""
    """Told back with events."""
    subject: str = ""
    """The token's subject: a refreshed token must name the same."""
    expires: float | None = None
    """Seconds from now until the session ends unless refreshed; none: never."""

    def __post_init__(self) -> None:
        for what in ("publish", "subscribe", "capabilities"):
            lines = getattr(self, what)
            wrong = isinstance(lines, str)
            for line in lines:
                wrong = wrong or not isinstance(line, str) or "\n" in line
            if wrong:
                raise BadArgument(f"Stamp.{what} is {lines!r}: pass a tuple of one-line strings")
            if type(lines) is not tuple:
                object.__setattr__(self, what, tuple(lines))
        if self.expires is not None and not 0 < self.expires < 1e12:
            raise BadArgument(f"Stamp.expires is {self.expires}: pass seconds from now above 0, or none")


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How a link is made and kept. Zero and none mean the native core's default."""

    connect_timeout: float = 10.0
    """How long one attempt may take, seconds."""
    backoff_min: float = 0.1
    """Shortest pause between attempts, seconds; each pause is drawn between 0 and the bound, which doubles.
    """
    backoff_max: float = 2.0
    """Longest pause between attempts, seconds."""
    reconnect: bool = True
    """Whether to dial again when the connection is lost."""
    reconnect_limit: float | None = None
    """How long to try in all before giving up, seconds; none: for ever."""
    resume_secret: bytes = b""
    """16 .. 64 bytes that the peer id is derived from where the token names none; empty: random."""
    alpns: tuple[str, ...] = ()
    """Drafts to offer, best first, such as ("moqt-22", "moqt-18"); empty: all that are spoken."""
    follow: bool = True
    """Whether to go where the relay's GOAWAY says. The same token and trust are used there."""
    uplink: bool = False
    """The link joins a relay to another; see `Node.join`."""

    def __post_init__(self) -> None:
        if self.resume_secret and not 16 <= len(self.resume_secret) <= 64:
            raise BadArgument(f"resume_secret has {len(self.resume_secret)} bytes: pass 16 .. 64, or none")
        if isinstance(self.alpns, str):
            raise BadArgument(f"alpns is {self.alpns!r}: pass a tuple of strings")
        for what in ("connect_timeout", "backoff_min", "backoff_max", "reconnect_limit"):
            micros(getattr(self, what), what)


def token_bytes(token: str | bytes) -> bytes:
    """A token as it travels."""
    return token.encode() if isinstance(token, str) else token


def from_environment(
    url: str | None, token: str | bytes | None, trust: Trust | None
) -> tuple[str, bytes, Trust | None]:
    """Fill what was not passed from CLUTCHCALL_URL, CLUTCHCALL_TOKEN and CLUTCHCALL_CERT_SHA256.

    The token and the hash are only taken along with the URL, so that they are never shown to another relay.
    """
    if url is None:
        url = os.environ.get("CLUTCHCALL_URL", "")
        token = os.environ.get("CLUTCHCALL_TOKEN", "") if token is None else token
        pin = os.environ.get("CLUTCHCALL_CERT_SHA256", "")
        trust = Pinned(pin) if trust is None and pin else trust
    return url, token.encode() if isinstance(token, str) else token or b"", trust
