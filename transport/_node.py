"""A node: one UDP socket and one native I/O thread below any number of links, or below a relay and its
sessions.

Client links of one event loop (or of one thread without a loop) share a node that comes and goes with them. A
host or relay opens its own with `RelayConfig`. Events are taken in one place here and handed to the objects
they are about.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import _batch, _errors, _native, _stats, _url
from ._events import (
    Auth,
    AuthRefresh,
    AuthRequest,
    Event,
    EventStream,
    NodeFailed,
    SessionDown,
    SessionUp,
    Warned,
    end_all,
    put_all,
)
from ._feed import Feed, Wanted
from ._generated.constants import EventKind, GroupOrder, Reason
from ._link import Link, scope_of
from ._loop import Glue, Outcome
from ._media_tracks import AudioTrack, VideoTrack, make_publication
from ._media_values import Audio, Video
from ._node_options import NodeOptions, fields_of
from ._publication import Publication, Spec
from ._values import (
    DEFAULT_PRIORITY,
    Exact,
    Frame,
    LinkOptions,
    RelayConfig,
    Stamp,
    Text,
    Trust,
    millis,
    token_bytes,
)

if TYPE_CHECKING:
    _Handler: TypeAlias = Callable[[Any, _native.RawEvent], Any]

_CLIENT_BINDS = ("[::]:0", "0.0.0.0:0")
"""Both address families where the system has them."""
_UNREAD = 8
"""Wakes in a row for which nobody awaited a frame, after which frames wake no more until somebody does."""
_DRAIN_LOOK = 0.05
"""How often a draining relay looks whether all have gone, seconds."""
_PATIENCE = 0.25
"""How long a plain wait sleeps at most before it looks at the time again, seconds."""


class Node:
    """A node. Close it, or use it in a `with` or `async with` block.

    It belongs to the thread that opened it, and to the first event loop that awaits anything of it there.
    """

    def __init__(
        self,
        relay: RelayConfig | None = None,
        bind: str | None = None,
        options: NodeOptions | None = None,
    ) -> None:
        fields = fields_of(relay, options or NodeOptions())
        binds = (bind,) if bind else ("127.0.0.1:0",) if relay else _CLIENT_BINDS
        self._handle = _open(fields, binds)
        # A node that is forgotten, or still open when the program ends, says goodbye too.
        self._last_resort = weakref.finalize(self, _native.node_closer(self._handle))
        self._feeds: dict[int, Feed] = {}
        self._publications: dict[int, Publication] = {}
        self._links: dict[int, Link] = {}
        self._reading: dict[Feed, None] = {}
        self._frames_wake = True
        """Whether frames wake the loop: not where nobody awaits any, as each wake costs what a drain does."""
        self._unread = 0
        """Wakes in a row for which nobody awaited a frame."""
        self._streams: list[EventStream[Event]] = []
        self._callbacks: list[Callable[[Event], object]] = []
        self._after: list[Callable[[], object]] = []
        """What waits for the events that came together to be handed over."""
        self._shared = False
        self._wrong: list[Exception] = []
        self._glue = Glue(_native.node_wake_fd(self._handle), self._dispatch)
        self.address = _native.node_address(self._handle)
        """Where it is bound, "ip:port"."""
        if asyncio._get_running_loop() is not None:
            self._glue.attach()

    @property
    def handle(self) -> int:
        """The native handle; `Closed` once the node is closed."""
        if not self._handle:
            raise _errors.Closed("node: it is closed: open a new one", Reason.LOCAL)
        return self._handle

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self.address.rpartition(":")[2])

    @property
    def now(self) -> float:
        """The node's clock, seconds; `Received.received` is on it."""
        return _native.node_now(self.handle) / 1e6

    # --- tracks of a relay's own ---

    @overload
    def publish(self, spec: Audio) -> AudioTrack: ...

    @overload
    def publish(self, spec: Video) -> VideoTrack: ...

    @overload
    def publish(self, spec: Frame | Text) -> Publication: ...

    def publish(self, spec: Spec) -> Publication:
        """Publish a track of the relay itself."""
        self._glue.check()
        return make_publication(self, None, spec)

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
    ) -> Feed:
        """Subscribe on the relay itself; as `Link.subscribe`."""
        self._glue.check()
        wanted = Wanted(scope_of(scope, namespace, track), capability, priority, order, feed_bytes)
        return Feed(self, None, wanted)

    def send_batch(self, entries: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
        """Send an array of `SEND_DTYPE`, whose addresses the caller answers for; the frames' fates."""
        return _batch.send_batch(entries)

    # --- sessions of a relay ---

    def accept(self, session: int, stamp: Stamp, request: int = 0) -> None:
        """Admit a session that asked by `Auth`, or renew one that asked by `AuthRefresh`; with the number of
        a request, let that one, which asked by `AuthRequest`, do what the stamp says.
        """
        fields: _native.Fields = {
            "publish": "\n".join(stamp.publish),
            "subscribe": "\n".join(stamp.subscribe),
            "capabilities": "\n".join(stamp.capabilities),
            "tenant": stamp.tenant,
            "subject": stamp.subject,
            "peer_id": stamp.peer_id,
            "expires_ms": 0 if stamp.expires is None else max(1, round(stamp.expires * 1e3)),
        }
        if request:
            _native.session_accept_request(session, request, fields)
        else:
            _native.session_accept(session, fields)

    def refuse(
        self, session: int, reason: Reason = Reason.UNAUTHORIZED, text: str = "", request: int = 0
    ) -> None:
        """Turn a session away that asked by `Auth`, or end one whose `AuthRefresh` failed; with the number
        of a request, refuse that one alone.
        """
        if request:
            _native.session_refuse_request(session, request, reason, text)
        else:
            _native.session_refuse(session, reason, text)

    def close_session(self, session: int, reason: Reason = Reason.KICKED, text: str = "") -> None:
        """End a session; its peer learns the reason."""
        _native.session_close(session, reason, text)

    def session_stats(self, session: int) -> _stats.LinkStats:
        """Readings of a session."""
        return _stats.link(_native.link_stats(session))

    def goaway(self, uri: str = "", timeout: float = 10.0) -> None:
        """Ask all sessions to move to `uri`, or to dial anew, within `timeout` seconds, and close those that
        are left then (0: none is); refuse new ones.
        """
        _native.node_goaway(self.handle, uri, millis(timeout, "timeout"))

    async def drain(self, uri: str = "", timeout: float = 10.0) -> bool:
        """`goaway`, and wait until all sessions have gone; whether all went by themselves."""
        self.goaway(uri, timeout)
        end = time.monotonic() + timeout
        while self.stats().sessions:
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(_DRAIN_LOOK)
        return True

    def join(
        self,
        url: str,
        *,
        token: str | bytes = "",
        trust: Trust | None = None,
        options: LinkOptions | None = None,
        addresses: str = "",
    ) -> Link:
        """Join this relay to another: what is published or announced on one is to be had on both.

        Returns at once; without `addresses` ("ip:port,ip:port") the name service is asked before. The link is
        kept until it is closed, and dials for as long as it takes. It has no tracks of its own: publish and
        subscribe on the node. The token has to allow what is to cross.
        """
        self._glue.check()
        parsed = _url.parse(url)
        uplink = replace(options or LinkOptions(), uplink=True)
        return Link(self, parsed, addresses or _url.resolve_now(parsed), token_bytes(token), trust, uplink)

    # --- what happens ---

    def events(self) -> EventStream[Event]:
        """Everything that happens on this node from now on."""
        return EventStream(self._streams)

    def on_event(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call back with each event as it is taken in, in the node's thread; returns what ends that.

        What a callback raises comes out of `poll`, or goes to the event loop's exception handler, after
        everything else was handed over.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def after_events(self, callback: Callable[[], object]) -> None:
        """From inside an `on_event` callback: call back once, when all events that came together with that
        one were handed over. What several of them ask for can be answered together.
        """
        self._after.append(callback)

    def poll(self, timeout: float = 0.0) -> None:
        """From a plain loop: wait up to `timeout` seconds for something, take it in, and hand it to its
        objects.
        """
        self._glue.check()
        if timeout > 0:
            self._want_frames()
            # Not after a look: that takes back the wake-up for frames which nobody has drained yet.
            self._glue.wait(timeout)
        self._dispatch()

    def drive(self, now: float) -> float:
        """A `threadless` node: do all I/O and timers due at `now` (seconds); when to call again at the
        latest.
        """
        return _native.node_drive(self.handle, round(now * 1e6)) / 1e6

    def stats(self) -> _stats.NodeStats:
        """Counters, of all shards together."""
        return _stats.node(_native.node_stats(self.handle))

    def shard_stats(self, shard: int) -> _stats.NodeStats:
        """Counters of one shard, from 0.

        Raises:
            BadArgument: No shard has this number.
        """
        return _stats.node(_native.node_shard_stats(self.handle, shard))

    def close(self) -> None:
        """Close the node with everything on it; peers are told. May take 200 ms. May be repeated."""
        handle = self._take_leave()
        if handle:
            _native.node_close(handle)

    async def aclose(self) -> None:
        """As `close`, without holding up the event loop."""
        handle = self._take_leave()
        if handle:
            await asyncio.get_running_loop().run_in_executor(None, _native.node_close, handle)

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Node:
        self._glue.attach()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # --- within the package ---

    def _add_link(self, link: Link, handle: int) -> None:
        self._links[handle] = link

    def _drop_link(self, handle: int) -> Node | None:
        """The node itself, if it lives for its links and has none left."""
        self._links.pop(handle, None)
        return self if self._shared and not self._links else None

    def _close_if_unused(self) -> None:
        if self._shared and not self._links:
            self.close()

    def _close_soon(self) -> None:
        """Close from inside an event, where the caller still uses the node."""
        loop = self._glue.loop
        if loop is None:
            return
        loop.call_soon(self._close_if_unused)

    def _take_leave(self) -> int:
        if not self._handle:
            return 0
        self._glue.check()
        for link in list(self._links.values()):
            link._close(Reason.LOCAL, "", with_node=True)
        for publication in list(self._publications.values()):
            publication.close()
        for feed in list(self._feeds.values()):
            feed.close()
        self._glue.detach()
        end_all(self._streams)
        _forget_shared(self)
        self._last_resort.detach()
        handle, self._handle = self._handle, 0
        return handle

    def _wait(self, outcome: Outcome, timeout: float, what: str) -> None:
        """Poll until it is settled; raises its error, or `TimedOut`."""
        end = time.monotonic() + timeout
        self._want_frames()
        while True:
            self.poll()
            if outcome.check():
                return
            left = end - time.monotonic()
            if left <= 0:
                raise _errors.from_reason(Reason.TIMEOUT, what, f"nothing came within {timeout:g} s")
            self._glue.wait(min(left, _PATIENCE))

    def _want_frames(self) -> None:
        """Have frames that come from now on wake this side up."""
        self._unread = 0
        if not self._frames_wake and self._handle:
            self._frames_wake = True
            _native.node_wake_frames(self._handle, True)

    def _dispatch(self) -> None:
        """Take in events and wake up readers."""
        if not self._handle:
            return
        self._take_events()
        if self._reading:
            self._unread = 0
            for feed in list(self._reading):
                feed._wake_if_ready()
        elif self._frames_wake:
            self._unread += 1
            if self._unread >= _UNREAD and self._handle and self._glue.loop is not None:
                self._frames_wake = False
                _native.node_wake_frames(self._handle, False)
        wrong, self._wrong = self._wrong, []
        if wrong:
            raise wrong[0] if len(wrong) == 1 else ExceptionGroup("callbacks failed", wrong)

    def _take_events(self) -> None:
        if not self._handle:
            return
        for raw in _native.node_poll(self._handle):
            self._route(raw)
        after, self._after = self._after, []
        for callback in after:
            self._call(callback)

    def _route(self, raw: _native.RawEvent) -> None:
        kind = raw.kind
        if kind in _OF_NODE:
            self._tell(_OF_NODE[kind](self, raw))
        elif kind in _OF_LINK and raw.handle in self._links:
            link = self._links[raw.handle]
            event = _OF_LINK[kind](link, raw)
            put_all(link._streams, event)
            self._tell(event)
        elif kind in _OF_PUBLICATION and raw.handle in self._publications:
            publication = self._publications[raw.handle]
            event = _OF_PUBLICATION[kind](publication, raw)
            if publication._link is not None:
                put_all(publication._link._streams, event)
            self._tell(event)
        elif kind in _OF_FEED and raw.handle in self._feeds:
            feed = self._feeds[raw.handle]
            event = _OF_FEED[kind](feed, raw)
            put_all(feed._streams, event)
            if feed._link is not None:
                put_all(feed._link._streams, event)
                if kind == EventKind.TRACK_RESUMED:
                    feed._link._report(event)
            self._tell(event)

    def _tell(self, event: Event) -> None:
        put_all(self._streams, event)
        for callback in list(self._callbacks):
            self._call(callback, event)

    def _call(self, callback: Callable[..., object], *values: object) -> None:
        try:
            callback(*values)
        except Exception as wrong:  # the application's; the events behind this one must not be lost with it
            self._wrong.append(wrong)

    def _on_auth(self, raw: _native.RawEvent) -> Auth:
        return Auth(raw.handle, raw.text, raw.text2, raw.text3, raw.text4)

    def _on_auth_refresh(self, raw: _native.RawEvent) -> AuthRefresh:
        return AuthRefresh(raw.handle, raw.text, raw.a)

    def _on_auth_request(self, raw: _native.RawEvent) -> AuthRequest:
        return AuthRequest(raw.handle, raw.text, raw.a, raw.text2)

    def _on_session_up(self, raw: _native.RawEvent) -> SessionUp:
        peer_id = raw.text.decode("utf-8", "replace")
        return SessionUp(raw.handle, peer_id, raw.text2, raw.text3, raw.c, bool(raw.a))

    def _on_session_down(self, raw: _native.RawEvent) -> SessionDown:
        return SessionDown(
            raw.handle, Reason(raw.reason), raw.code, raw.text.decode("utf-8", "replace"), raw.text2
        )

    def _on_failed(self, raw: _native.RawEvent) -> NodeFailed:
        text = raw.text.decode("utf-8", "replace")
        error = _errors.Internal(
            f"node {self.address}: its I/O thread failed ({text}): close it and open a new one"
        )
        owners: list[Link | Publication | Feed] = [*self._links.values(), *self._publications.values()]
        for owner in [*owners, *self._feeds.values()]:
            owner._outcome.settle(error)
        for feed in self._feeds.values():
            feed._fail(error)
        return NodeFailed(text)

    def _on_warning(self, raw: _native.RawEvent) -> Warned:
        return Warned(raw.text.decode("utf-8", "replace"))


_OF_NODE: dict[int, _Handler] = {
    EventKind.AUTH: Node._on_auth,
    EventKind.AUTH_REFRESH: Node._on_auth_refresh,
    EventKind.AUTH_REQUEST: Node._on_auth_request,
    EventKind.SESSION_UP: Node._on_session_up,
    EventKind.SESSION_DOWN: Node._on_session_down,
    EventKind.NODE_FAILED: Node._on_failed,
    EventKind.WARNING: Node._on_warning,
}
_OF_LINK: dict[int, _Handler] = {
    EventKind.LINK_UP: Link._on_up,
    EventKind.LINK_DOWN: Link._on_down,
    EventKind.LINK_CLOSED: Link._on_closed,
    EventKind.LINK_GOAWAY: Link._on_goaway,
}
_OF_PUBLICATION: dict[int, _Handler] = {
    EventKind.PUBLISH_OK: Publication._on_ok,
    EventKind.PUBLISH_REFUSED: Publication._on_refused,
    EventKind.PUBLISH_DEMAND: Publication._on_demand,
    EventKind.NEW_GROUP_WANTED: Publication._on_new_group_wanted,
}
_OF_FEED: dict[int, _Handler] = {
    EventKind.SUBSCRIBE_OK: Feed._on_ok,
    EventKind.SUBSCRIBE_REFUSED: Feed._on_refused,
    EventKind.TRACK_ADDED: Feed._on_track_added,
    EventKind.TRACK_ENDED: Feed._on_track_ended,
    EventKind.TRACK_RESUMED: Feed._on_track_resumed,
}


HOME: contextvars.ContextVar[Hashable] = contextvars.ContextVar("clutchcall_home", default=None)
"""Programs that a harness runs side by side in one event loop, each as if on a machine of its own, share no
node: each has another home.
"""
_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Node]] = (
    weakref.WeakKeyDictionary()
)


class _Homes(threading.local):
    """Of a thread without a loop."""

    def __init__(self) -> None:
        self.nodes: dict[Hashable, Node] = {}


_by_thread = _Homes()


def shared_node() -> Node:
    """The node that links of this event loop, or of this thread without one, share; opened on first use."""
    loop = asyncio._get_running_loop()
    homes = _by_thread.nodes if loop is None else _by_loop.setdefault(loop, {})
    home = HOME.get()
    node = homes.get(home)
    if node is None:
        node = Node()
        node._shared = True
        homes[home] = node
    return node


def _forget_shared(node: Node) -> None:
    for homes in [_by_thread.nodes, *_by_loop.values()]:
        for home in [home for home, known in homes.items() if known is node]:
            del homes[home]


def _open(fields: dict[str, int | str | bytes], binds: Iterable[str]) -> int:
    last: _errors.Error | None = None
    for bind in binds:
        try:
            return _native.node_open({**fields, "bind": bind}, f"open node on {bind}")
        except (_errors.AddressNotAvailable, _errors.IoFailed) as wrong:
            last = wrong
    assert last is not None
    raise last
