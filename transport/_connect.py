"""How a link comes to be: `connect` for asyncio, `connect_sync` and `open` for plain loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from . import _errors, _url
from ._generated.constants import Reason
from ._link import Link
from ._node import Node, shared_node
from ._values import LinkOptions, Trust, from_environment


class Connecting:
    """What `connect` returns: `await` it for the link, or use it as `async with connect(...) as link`."""

    def __init__(self, dial: Callable[[], Awaitable[Link]]) -> None:
        self._dial = dial
        self._link: Link | None = None

    def __await__(self) -> Generator[Any, None, Link]:
        link: Link = yield from self._dial().__await__()
        return link

    async def __aenter__(self) -> Link:
        self._link = await self
        return self._link

    async def __aexit__(self, *_: object) -> None:
        if self._link is not None:
            await self._link.aclose()


def connect(
    url: str | None = None,
    *,
    token: str | bytes | None = None,
    trust: Trust | None = None,
    options: LinkOptions | None = None,
    node: Node | None = None,
    timeout: float = 10.0,
) -> Connecting:
    """Connect to a relay: `async with connect(...) as link`, or `link = await connect(...)`.

    Without a URL, CLUTCHCALL_URL, CLUTCHCALL_TOKEN and CLUTCHCALL_CERT_SHA256 say where and how. Links of one
    event loop share one native thread unless `node` names another. Within `timeout` seconds it tries again;
    then it raises what went wrong: `Unreachable`, `TimedOut`, or at once `Unauthorized`,
    `CertificateMismatch`, `BadUrl`, ...
    """

    async def dial() -> Link:
        parsed, raw, trusted = _prepare(url, token, trust)
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout):
                addresses = await _url.resolve(parsed)
        except _errors.Error:
            raise
        except TimeoutError:
            what = f"connect to {parsed.text}"
            raise _errors.from_reason(Reason.TIMEOUT, what, "the name service did not answer") from None
        left = timeout - (asyncio.get_running_loop().time() - started)
        link = _start(node, parsed, addresses, raw, trusted, options)
        try:
            return await link.ready(left)
        except BaseException:
            await link.aclose()
            raise

    return Connecting(dial)


def connect_sync(
    url: str | None = None,
    *,
    token: str | bytes | None = None,
    trust: Trust | None = None,
    options: LinkOptions | None = None,
    node: Node | None = None,
    timeout: float = 10.0,
) -> Link:
    """As `connect`, for a plain loop: waits, and returns a link that is up."""
    link = open(url, token=token, trust=trust, options=options, node=node)
    try:
        return link.wait_ready(timeout)
    except BaseException:
        link.close()
        raise


def open(  # transport.open, as one says it
    url: str | None = None,
    *,
    token: str | bytes | None = None,
    trust: Trust | None = None,
    options: LinkOptions | None = None,
    node: Node | None = None,
) -> Link:
    """Start a link for a plain loop and return at once (after the name service answered); `poll` it."""
    parsed, raw, trusted = _prepare(url, token, trust)
    return _start(node, parsed, _url.resolve_now(parsed), raw, trusted, options)


def _prepare(
    url: str | None, token: str | bytes | None, trust: Trust | None
) -> tuple[_url.Url, bytes, Trust | None]:
    text, raw, trusted = from_environment(url, token, trust)
    return _url.parse(text), raw, trusted


def _start(
    node: Node | None,
    url: _url.Url,
    addresses: str,
    token: bytes,
    trust: Trust | None,
    options: LinkOptions | None,
) -> Link:
    home = node or shared_node()
    try:
        return Link(home, url, addresses, token, trust, options or LinkOptions())
    except BaseException:
        home._close_if_unused()
        raise
