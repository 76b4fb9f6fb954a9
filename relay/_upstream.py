"""Relays that this one joins: each link is opened again when it ends for good, with the token that its file
holds then.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import transport
from transport import Down, LinkClosed, Up, _url

from ._log import Log

RETRY_SECONDS = 5.0
"""After which a link that ended for good is opened again: a token may have been replaced meanwhile."""
LOOK_SECONDS = 10.0
"""How often a token file is looked at for a newer token."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One relay to join."""

    url: str
    token_file: Path | None = None
    cert_sha256: str | None = None


class Uplinks:
    """The links to them; `run` until it is cancelled."""

    def __init__(self, node: transport.Node, upstreams: tuple[Upstream, ...], log: Log) -> None:
        self._node = node
        self._upstreams = upstreams
        self._log = log
        self.up: set[str] = set()
        """URLs of those that are up now."""

    async def run(self) -> None:
        """Keep all of them."""
        async with asyncio.TaskGroup() as group:
            for upstream in self._upstreams:
                group.create_task(self._keep(upstream))

    async def _keep(self, upstream: Upstream) -> None:
        said = ""
        while True:
            try:
                await self._hold(upstream)
                said = ""
            except (transport.Error, OSError) as wrong:
                if str(wrong) != said:
                    said = str(wrong)
                    self._log.say(
                        "upstream", f"upstream {upstream.url}: {wrong}", url=upstream.url, state="failed"
                    )
            await asyncio.sleep(RETRY_SECONDS)

    async def _hold(self, upstream: Upstream) -> None:
        """One link, until it ends for good; raises why."""
        token = _token(upstream)
        trust = None if upstream.cert_sha256 is None else transport.Pinned(upstream.cert_sha256)
        addresses = await _url.resolve(_url.parse(upstream.url))
        link = self._node.join(upstream.url, token=token, trust=trust, addresses=addresses)
        watch = asyncio.create_task(self._refresh(link, upstream, token))
        try:
            async for event in link.events():
                if isinstance(event, Up):
                    self.up.add(upstream.url)
                    words = f"joined {upstream.url} as {event.peer_id}"
                    self._log.say("upstream", words, url=upstream.url, state="up", peer_id=event.peer_id)
                elif isinstance(event, Down | LinkClosed):
                    was_up = upstream.url in self.up
                    self.up.discard(upstream.url)
                    if was_up:
                        words = f"lost {upstream.url}: {event.reason.name.lower()} {event.text}".rstrip()
                        self._log.say("upstream", words, url=upstream.url, state="down")
            await link.ready(0)
        finally:
            watch.cancel()
            self.up.discard(upstream.url)
            with contextlib.suppress(transport.Error):
                link.close()

    async def _refresh(self, link: transport.Link, upstream: Upstream, token: str) -> None:
        """Shows a newer token as soon as the file holds one."""
        while upstream.token_file is not None:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(OSError):
                newer = _token(upstream)
                if newer and newer != token:
                    token = newer
                    link.set_token(token)


def _token(upstream: Upstream) -> str:
    return "" if upstream.token_file is None else upstream.token_file.read_text("utf-8").strip()
