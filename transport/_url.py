"""`moqt://host[:port][/path]`: taken apart, and its host turned into addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from ._errors import BadUrl, Unreachable
from ._generated.constants import Reason

DEFAULT_PORT = 443
_MAX_ADDRESSES = 16


@dataclass(frozen=True, slots=True)
class Url:
    """A relay's URL."""

    text: str
    """As given."""
    host: str
    """Name or address, without brackets."""
    port: int
    """UDP port, 1 .. 65535."""

    @property
    def is_literal(self) -> bool:
        """Whether the host is an address, which needs no name service."""
        return _literal(self.host) is not None

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        address = _literal(self.host)
        return self.host == "localhost" if address is None else address.is_loopback


def parse(text: str) -> Url:
    """Take a URL apart. `BadUrl` says what is wrong with it."""
    if not isinstance(text, str) or not text:
        raise BadUrl("the URL is empty: pass moqt://host:port, or set CLUTCHCALL_URL")
    if not text.isprintable() or " " in text:
        raise BadUrl(f"URL {text!r} holds blanks or control characters: pass moqt://host:port")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname
    except ValueError as wrong:
        raise BadUrl(f"URL {text!r}: {wrong}: pass moqt://host:port") from None
    if parts.scheme == "https":
        raise BadUrl(f"URL {text!r} is for browsers (WebTransport): pass moqt://host:port")
    if parts.scheme != "moqt":
        raise BadUrl(f"URL {text!r} has the scheme {parts.scheme!r}: pass moqt://host:port")
    if not host:
        raise BadUrl(f"URL {text!r} names no host: pass moqt://host:port")
    if parts.username is not None or parts.fragment:
        raise BadUrl(f"URL {text!r} holds a user or a fragment: pass moqt://host:port/path and token=...")
    if port == 0:
        raise BadUrl(f"URL {text!r} has port 0: pass the port that the relay printed")
    return Url(text, host, DEFAULT_PORT if port is None else port)


async def resolve(url: Url) -> str:
    """The host's addresses as "ip:port,ip:port", asked for in a thread. `Unreachable` if it has none."""
    literal = _literal(url.host)
    if literal is not None:
        return _join(str(literal), url.port)
    loop = asyncio.get_running_loop()
    try:
        return _addresses(
            url, [e[4] for e in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_DGRAM)]
        )
    except OSError as wrong:
        raise _no_address(url, wrong) from None


def resolve_now(url: Url) -> str:
    """As `resolve`, but waits for the name service."""
    literal = _literal(url.host)
    if literal is not None:
        return _join(str(literal), url.port)
    try:
        return _addresses(url, [e[4] for e in socket.getaddrinfo(url.host, url.port, type=socket.SOCK_DGRAM)])
    except OSError as wrong:
        raise _no_address(url, wrong) from None


def _addresses(url: Url, found: list[tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]) -> str:
    hosts = list(dict.fromkeys(str(entry[0]) for entry in found))
    if url.is_loopback:
        # Relays bind 127.0.0.1 unless told otherwise, while many systems list ::1 first for localhost.
        hosts.sort(key=lambda host: ":" in host)
    return ",".join(_join(host, url.port) for host in hosts[:_MAX_ADDRESSES])


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _no_address(url: Url, wrong: OSError) -> Unreachable:
    why = wrong.strerror or str(wrong)
    return Unreachable(
        f"connect to {url.text}: {url.host} has no address ({why}): check its spelling and the network",
        Reason.UNREACHABLE,
        why,
    )
