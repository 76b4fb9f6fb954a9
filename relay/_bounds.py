"""What a client of the control stack may make it hold: the bounds, by name, and how often each was met."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, fields

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the control stack: bytes, seconds, or how many. docs/limits.md tells the answers."""

    connections: int = 1024
    """Connections at once, whose handshake is through."""
    connections_per_address: int = 64
    """The same from one address, or one /64 of IPv6; loopback is not counted."""
    handshakes: int = 256
    """Handshakes under way; above, a first packet is dropped."""
    handshakes_unproven: int = 32
    """Handshakes under way above which a stranger is sent Retry; 0: always."""
    requests: int = 64
    """Requests of one connection under way, those that have not arrived whole among them."""
    abandoned: int = 100
    """Requests refused, cut short or cancelled that one connection may have had more than served ones."""
    headers: int = 64
    """Header fields of a request."""
    header_bytes: int = 16 << 10
    """Their bytes, with 32 for each."""
    body_bytes: int = 64 << 10
    """A request's body."""
    control_bytes: int = 1 << 20
    """All that comes on a connection's unidirectional streams: settings and header tables."""
    reply_bytes: int = 4 << 20
    """Replies of one connection that its client has not acknowledged."""
    reply_total: int = 64 << 20
    """The same of all connections."""
    request_seconds: int = 10
    """How long a request may take to arrive."""
    reply_seconds: int = 30
    """How long a reply may take to be acknowledged."""
    handshake_seconds: int = 10
    """How long a handshake may take."""
    idle_seconds: int = 30
    """How long a connection may be silent."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1 << 40:
                raise ValueError(f"{item.name} is {value!r}: pass a whole number from 0 to 2^40")

    @property
    def stream_bytes(self) -> int:
        """All bytes of one request's stream, frames among them."""
        return self.body_bytes + 2 * self.header_bytes


NAMES = tuple(item.name for item in fields(Bounds))
Met = Counter[str]
"""How often each bound was met, by its name."""


def read(text: str) -> Bounds:
    """Bounds by name, `requests=16,body_bytes=8k`; `ValueError` with one line for what is none."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name not in NAMES:
            raise ValueError(f"{name!r} is no limit of the control stack: there are {', '.join(NAMES)}")
        match = re.fullmatch(r"([0-9]{1,13})([kmg]?)", value)
        if match is None or int(match[1]) << _UNITS[match[2]] > 1 << 40:
            raise ValueError(f"{part!r}: pass {name}= and a whole number up to 2^40, or one with k, m or g")
        found[name] = int(match[1]) << _UNITS[match[2]]
    return Bounds(**found)
