"""A link: this side's session with a relay. It dials again by itself and brings back what it published and
subscribed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, overload

from . import _errors, _native, _stats, _url
from ._events import Down, EventStream, Goaway, LinkClosed, LinkEvent, TrackResumed, Up, end_all
from ._feed import Feed, Wanted
from ._generated.constants import GroupOrder, LinkFlags, LinkState, Reason
from ._loop import Outcome
from ._media_tracks import AudioTrack, VideoTrack, make_publication
from ._media_values import Audio, Video
from ._publication import Publication, Spec
from ._values import (
    DEFAULT_PRIORITY,
    Exact,
    Frame,
    LinkOptions,
    Pem,
    Pinned,
    Text,
    Trust,
    millis,
    token_bytes,
)

if TYPE_CHECKING:
    from ._node import Node

Gap: TypeAlias = Up | TrackResumed
"""What `Link.on_gap` reports: that the link was away, and for each track what is missing."""

_log = logging.getLogger("transport.link")
_PIN_ADVICE = "pass the hash that the relay prints now; a development certificate is made anew every 13 days"
_LOOPBACK_ADVICE = (
    "a relay on this machine shows a development certificate: "
    "pass trust=transport.Pinned(<the hash that it printed>), or set CLUTCHCALL_CERT_SHA256"
)


class Link:
    """A session with a relay, kept alive. Made by `connect`, `connect_sync` and `open`; belongs to its node's
    thread.
    """

    def __init__(
        self,
        node: Node,
        url: _url.Url,
        addresses: str,
        token: bytes,
        trust: Trust | None,
        options: LinkOptions,
    ) -> None:
        self.node = node
        self.url = url.text
        self.state = LinkState.CONNECTING
        self.peer_id = ""
        """This side's id on the relay, given when the link comes up; the same when it comes back."""
        self.draft = 0
        """MoQT draft spoken; 0 before the link is up."""
        self._url = url
        self._trust = trust
        self._follow = options.follow
        self._what = f"connect to {url.text}"
        self._outcome = Outcome()
        self._last: _errors.Ended | None = None
        # Dictionaries, as they keep the order: what is done to all of them is done alike each time.
        self._publications: dict[Publication, None] = {}
        self._feeds: dict[Feed, None] = {}
        self._streams: list[EventStream[LinkEvent]] = []
        self._on_gap: list[Callable[[Gap], object]] = []
        self._resolving: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        fields: dict[str, int | str | bytes] = {
            "flags": LinkFlags.NO_RECONNECT * (not options.reconnect) | LinkFlags.UPLINK * options.uplink,
            "url": url.text,
            "addresses": addresses,
            "token": token,
            "trust_sha256": trust.sha256 if isinstance(trust, Pinned) else "",
            "trust_pem": trust.read() if isinstance(trust, Pem) else b"",
            "resume_secret": options.resume_secret,
            "alpns": ",".join(options.alpns),
            "connect_timeout_ms": millis(options.connect_timeout, "connect_timeout"),
            "backoff_min_ms": millis(options.backoff_min, "backoff_min"),
            "backoff_max_ms": millis(options.backoff_max, "backoff_max"),
            "reconnect_limit_ms": millis(options.reconnect_limit, "reconnect_limit"),
        }
        self._handle = _native.link_open(node.handle, fields, self._what)
        node._add_link(self, self._handle)

    @property
    def handle(self) -> int:
        """The native handle; `Closed` once the link is closed."""
        if not self._handle:
            raise self._outcome.error or _errors.Closed(f"{self._what}: the link is closed", Reason.LOCAL)
        return self._handle

    @property
    def is_up(self) -> bool:
        """Whether frames can be sent right now."""
        return self.state == LinkState.UP

    async def ready(self, timeout: float | None = None) -> Link:
        """Wait until the link was up for the first time.

        Raises at once what trying again can't heal (`Unauthorized`, `CertificateMismatch`, ...), and after
        `timeout` seconds what went wrong last (`Unreachable`, `TimedOut`).
        """
        self.node._glue.attach()
        try:
            async with asyncio.timeout(timeout):
                await self._outcome.wait()
        except _errors.Error:
            raise
        except TimeoutError:
            raise self._timed_out() from None
        return self

    def wait_ready(self, timeout: float = 10.0) -> Link:
        """As `ready`, in a plain loop."""
        try:
            self.node._wait(self._outcome, timeout, self._what)
        except _errors.TimedOut:
            raise self._outcome.error or self._timed_out() from None
        return self

    @overload
    def publish(self, spec: Audio) -> AudioTrack: ...

    @overload
    def publish(self, spec: Video) -> VideoTrack: ...

    @overload
    def publish(self, spec: Frame | Text) -> Publication: ...

    def publish(self, spec: Spec) -> Publication:
        """Publish a track. The publication can be used at once; `await` it to know that the relay takes it.

        Raises `BadName`, and `Exists` if this link publishes that name already; awaiting raises `Refused` (or
        a kind of it) if the relay says no.
        """
        self.node._glue.check()
        return make_publication(self.node, self if self.handle else None, spec)

    def subscribe(
        self,
        scope: str | Exact = "",
        *,
        capability: str = "",
        namespace: str | None = None,
        track: str | None = None,
        priority: int = DEFAULT_PRIORITY,
        order: GroupOrder = GroupOrder.PUBLISHER,
        feed_bytes: int = 0,
        wait: float = 0.0,
        token: str | bytes = "",
    ) -> Feed:
        """Subscribe to every track under a namespace prefix, or to one: `Exact(...)`, or `namespace` with
        `track`.

        `priority` is the subscriber's, 0 (first) .. 255 (last); `feed_bytes` bounds what may wait to be read.
        Of one track, `wait` is how many seconds the relay is to wait for a publisher before it refuses (it
        may wait shorter, and 0 is not at all), and `token` is shown for this subscription alone.
        """
        self.node._glue.check()
        where = scope_of(scope, namespace, track)
        wanted = Wanted(where, capability, priority, order, feed_bytes, wait, token_bytes(token))
        return Feed(self.node, self if self.handle else None, wanted)

    def set_token(self, token: str | bytes) -> None:
        """Present a new token: in place while the link is up, and from then on whenever it dials."""
        self.node._glue.check()
        _native.link_token(self.handle, token_bytes(token))

    def move(self, url: str, addresses: str = "") -> None:
        """Go on at another place: it is dialled beside the session that stands, everything moves there, and
        the old one is left. Token and trust stay. Without `addresses` ("ip:port,ip:port") the name service is
        asked, in a plain loop at once.
        """
        self.node._glue.check()
        target = _url.parse(url)
        loop = self.node._glue.loop
        if addresses or target.is_literal or loop is None:
            return self._move(target, addresses or _url.resolve_now(target))
        if self._moving is not None:
            self._moving.cancel()

        async def look_up() -> None:
            try:
                found = await _url.resolve(target)
            except _errors.Unreachable as wrong:
                _log.warning("%s", wrong)
                return
            if self._handle:
                self._move(target, found)

        self._moving = loop.create_task(look_up())

    def _move(self, target: _url.Url, addresses: str) -> None:
        _native.link_move(self.handle, target.text, addresses)
        self._url = target
        self.url = target.text

    def set_addresses(self, addresses: str) -> None:
        """Dial these from the next attempt on, "ip:port,ip:port". An asyncio link looks its host up again by
        itself.
        """
        self.node._glue.check()
        _native.link_addresses(self.handle, addresses)

    def events(self) -> EventStream[LinkEvent]:
        """What happens to this link, its publications and its feeds from now on."""
        return EventStream(self._streams)

    def on_gap(self, callback: Callable[[Gap], object]) -> None:
        """Call back with an `Up` when the link was away and is back, and with a `TrackResumed` for each
        track.
        """
        self._on_gap.append(callback)

    def poll(self, timeout: float = 0.0) -> None:
        """From a plain loop: wait up to `timeout` seconds for something to happen, and take it in."""
        self.node.poll(timeout)

    def stats(self) -> _stats.LinkStats:
        """Readings."""
        return _stats.link(_native.link_stats(self.handle))

    def close(self, reason: Reason = Reason.LOCAL, text: str = "") -> None:
        """End the link with everything on it; the relay is told. May be repeated."""
        node = self._close(reason, text)
        if node is not None:
            node.close()

    async def aclose(self, reason: Reason = Reason.LOCAL, text: str = "") -> None:
        """As `close`, without holding up the event loop."""
        node = self._close(reason, text)
        if node is not None:
            await node.aclose()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Link:
        return await self.ready()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Link({self.url}, {self.state.name}, peer_id={self.peer_id!r})"

    def _close(self, reason: Reason, text: str, with_node: bool = False) -> Node | None:
        """Close, or with its node have it do so; the node, if that was its last link and nobody else's."""
        if not self._handle:
            return None
        self.node._glue.check()
        for publication in list(self._publications):
            publication.close()
        for feed in list(self._feeds):
            feed.close()
        handle = self._handle
        error = _errors.Closed(f"{self._what}: the link was closed here: connect again", Reason.LOCAL)
        node = self._forget(error)
        if not with_node:
            _native.link_close(handle, reason, text)
        return node

    def _forget(self, error: _errors.Error) -> Node | None:
        self.state = LinkState.CLOSED
        for publication in list(self._publications):
            publication._end(error)
        for feed in list(self._feeds):
            feed._end(error, keep=True)
        for task in (self._resolving, self._moving):
            if task is not None:
                task.cancel()
        handle, self._handle = self._handle, 0
        self._outcome.settle(error)
        self._outcome.error = error
        end_all(self._streams)
        return self.node._drop_link(handle)

    def _timed_out(self) -> _errors.Ended:
        return self._last or _errors.from_reason(Reason.TIMEOUT, self._what, "nothing was heard")

    def _failure(self, reason: Reason, text: str) -> _errors.Ended:
        advice = ""
        if reason == Reason.CERTIFICATE and isinstance(self._trust, Pinned):
            text, advice = "it is not the one whose SHA-256 was pinned", _PIN_ADVICE
        elif reason == Reason.CERTIFICATE and self._url.is_loopback:
            advice = _LOOPBACK_ADVICE
        return _errors.from_reason(reason, self._what, text, advice)

    def _on_up(self, raw: _native.RawEvent) -> Up:
        self.state = LinkState.UP
        self.peer_id = raw.text.decode("utf-8", "replace")
        self.draft = raw.c
        self._outcome.settle()
        event = Up(self, bool(raw.a), raw.b / 1e6, raw.c, self.peer_id)
        if event.resumed:
            self._report(event)
        return event

    def _on_down(self, raw: _native.RawEvent) -> Down:
        self.state = LinkState.WAITING
        reason = Reason(raw.reason)
        text = raw.text.decode("utf-8", "replace")
        self._last = self._failure(reason, text)
        if _errors.is_final(reason):
            self._outcome.settle(self._last)
        self._look_up_again()
        return Down(self, reason, raw.code, raw.a / 1e6, text)

    def _on_closed(self, raw: _native.RawEvent) -> LinkClosed:
        reason = Reason(raw.reason)
        text = raw.text.decode("utf-8", "replace")
        error = self._failure(reason, text)
        if self._last is not None and reason in (Reason.LOCAL, Reason.NONE):
            error = self._last
        event = LinkClosed(self, reason, text)
        for stream in self._streams:
            stream._put(event)
        handle = self._handle
        node = self._forget(error)
        _native.link_close(handle, Reason.NONE, "")
        if node is not None:
            node._close_soon()
        return event

    def _on_goaway(self, raw: _native.RawEvent) -> Goaway:
        uri = raw.text.decode("utf-8", "replace")
        if uri and self._follow:
            try:
                self.move(uri)
            except _errors.Error as wrong:
                # The session goes on as long as the relay lets it, and is dialled again then.
                _log.warning("%s: its GOAWAY can't be followed: %s", self._what, wrong)
        return Goaway(self, uri, raw.a / 1e3)

    def _report(self, gap: Gap) -> None:
        for callback in list(self._on_gap):
            self.node._call(callback, gap)

    def _look_up_again(self) -> None:
        """The host may have moved: ask again, in the background, for the attempts to come."""
        loop = self.node._glue.loop
        if (
            loop is None
            or self._url.is_literal
            or (self._resolving is not None and not self._resolving.done())
        ):
            return

        async def look_up() -> None:
            try:
                addresses = await _url.resolve(self._url)
            except _errors.Unreachable:
                return
            if self._handle:
                _native.link_addresses(self._handle, addresses)

        self._resolving = loop.create_task(look_up())


def scope_of(scope: str | Exact, namespace: str | None, track: str | None) -> str | Exact:
    if namespace is None and track is None:
        return scope
    if scope or namespace is None:
        raise _errors.BadArgument(
            "subscribe: pass a prefix, or Exact(...), or namespace= with or without track="
        )
    return namespace if track is None else Exact(namespace, track)
