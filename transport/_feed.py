"""A subscription: frames of every track that matches, as objects (`async for`) or as batches (`drain`)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import _errors, _native, _properties, _stats
from ._batch import FrameBatch, Received, received_batch
from ._events import (
    EventStream,
    FeedEvent,
    Subscribed,
    SubscribeRefused,
    TrackAdded,
    TrackEnded,
    TrackInfo,
    TrackResumed,
    end_all,
)
from ._generated.constants import GroupOrder, Reason, SubscribeFlags, TrackKind
from ._loop import Outcome
from ._values import DEFAULT_PRIORITY, Exact, check_priority, millis, shortened

if TYPE_CHECKING:
    from ._link import Link
    from ._node import Node

_ENDED_KEPT = 1024
"""Tracks that are over and whose last frames may still wait to be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a feed asks for."""

    scope: str | Exact
    """A namespace prefix, or one track."""
    capability: str = ""
    """Only tracks with this tag; empty: any."""
    priority: int = DEFAULT_PRIORITY
    """Subscriber priority, 0 (first) .. 255 (last): what matters before the publisher's."""
    order: GroupOrder = GroupOrder.PUBLISHER
    feed_bytes: int = 0
    """Bound of what may wait here, bytes; 0: the core's default."""
    wait: float = 0.0
    """One track: how long the relay is to wait for its publisher, seconds."""
    token: bytes = field(default=b"", repr=False)
    """One track: a token for this subscription alone."""

    def __post_init__(self) -> None:
        check_priority(self.priority)
        millis(self.wait, "wait")
        if (self.wait or self.token) and not isinstance(self.scope, Exact):
            raise _errors.BadArgument("wait and token are for one track: pass transport.Exact")
        if not isinstance(self.scope, str | Exact):
            raise _errors.BadArgument(
                f"subscribe to {self.scope!r}: pass a namespace prefix or transport.Exact"
            )


class Feed:
    """One subscription. Close it, or use it in a `with` or `async with` block, which also waits until it is
    served.

    Read it either by `async for` (or `for frame in feed.frames()` in a plain loop), or by `drain`. A link
    that reconnects subscribes again by itself; `tracks` is kept current.
    """

    def __init__(self, node: Node, link: Link | None, wanted: Wanted) -> None:
        self.wanted = wanted
        self.tracks: dict[int, TrackInfo] = {}
        """Tracks that match now, by id."""
        self.dropped = 0
        """Frames lost because nobody drained in time."""
        self._node = node
        self._link = link
        self._outcome = Outcome()
        self._error: _errors.Error | None = None
        self._ended: OrderedDict[int, TrackInfo] = OrderedDict()
        self._streams: list[EventStream[FeedEvent]] = []
        self._reader: asyncio.Future[None] | None = None
        self._pending: FrameBatch | None = None
        self._at = 0
        self._current: FrameBatch | None = None
        self._leftover: FrameBatch | None = None
        exact = isinstance(wanted.scope, Exact)
        namespace = wanted.scope.namespace if isinstance(wanted.scope, Exact) else wanted.scope
        name = wanted.scope.name if isinstance(wanted.scope, Exact) else ""
        self._what = shortened(f"subscribe to {namespace}" + (f"/{name}" if exact else ""))
        fields: _native.Fields = {
            "flags": SubscribeFlags.EXACT if exact else 0,
            "ns": namespace,
            "name": name,
            "capability": wanted.capability,
            "priority": wanted.priority,
            "order": wanted.order,
            "feed_bytes": wanted.feed_bytes,
            "rendezvous_ms": millis(wanted.wait, "wait"),
            "token": wanted.token,
        }
        self._handle = _native.subscribe(node.handle if link is None else link.handle, fields, self._what)
        self._drainer = _native.Drainer(self._handle)
        node._feeds[self._handle] = self
        if link is None:
            self._outcome.settle()
        else:
            link._feeds[self] = None

    @property
    def accepted(self) -> bool:
        """Whether the other side serves it. Raises `Refused` (or a kind of it) if it said no."""
        return self._outcome.check()

    async def ready(self) -> Feed:
        """Wait until the other side serves it. Raises `Refused` (or a kind of it) if it says no."""
        self._node._glue.attach()
        await self._outcome.wait()
        return self

    def wait_ready(self, timeout: float = 10.0) -> Feed:
        """As `ready`, in a plain loop. `TimedOut` after `timeout` seconds."""
        self._node._wait(self._outcome, timeout, self._what)
        return self

    async def __aenter__(self) -> Feed:
        try:
            return await self.ready()
        except BaseException:
            self.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def drain(self) -> FrameBatch:
        """What arrived since the last drain, in place: valid until the next drain or close. Never blocks.

        Frames that a frame loop took in and did not reach come first, in a batch of their own. Raises
        `Closed` (or `Refused`) once nothing more can come and everything was read.
        """
        self._node._glue.check()
        if self._current is not None:
            self._current._stale = True
            self._current = None
        pending, self._pending = self._pending, None
        if pending is not None and self._at < len(pending):
            return pending.after(self._at)
        batch = self._take()
        if not len(batch) and self._error is not None:
            raise self._error
        self._current = batch
        return batch

    def frames(self) -> Iterator[Received]:
        """What arrived so far, frame by frame, for a plain loop."""
        while (frame := self._next()) is not None:
            yield frame

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        """The next frame. Ends when the feed is closed here; raises what else ended it."""
        while True:
            frame = self._next()
            if frame is not None:
                return frame
            if self._error is not None:
                if isinstance(self._error, _errors.Closed) and self._error.reason == Reason.LOCAL:
                    raise StopAsyncIteration
                raise self._error
            if self._reader is not None:
                raise _errors.BadState(f"{self._what}: another task reads this feed: subscribe once a reader")
            self._reader = self._node._glue.attach().create_future()
            self._node._reading[self] = None
            self._node._want_frames()
            try:
                # What came before the feed was known to be read does not wake anyone up again.
                if not self._fill():
                    await self._reader
            finally:
                self._node._reading.pop(self, None)
                self._reader = None

    def events(self) -> EventStream[FeedEvent]:
        """What happens to this feed's tracks from now on."""
        return EventStream(self._streams)

    def want_group(self, track: int) -> None:
        """Ask a track's publisher, by the track's id, to begin a new group, as with a keyframe.

        It hears `NewGroupWanted`. A `VideoReader` asks by itself where it can make nothing of what comes.
        """
        if self._handle:
            _native.want_group(self._handle, track)

    def track_properties(self, track: int) -> dict[int, _properties.Value]:
        """What a track was published with, by its id; empty once it is over."""
        return _properties.decode(_native.track_properties(self._handle, track)) if self._handle else {}

    def stats(self) -> _stats.FeedStats:
        """Counters."""
        if not self._handle:
            raise _errors.Closed(f"{self._what}: it is closed, and its counters with it", Reason.LOCAL)
        return _stats.feed(_native.subscription_stats(self._handle))

    def close(self) -> None:
        """End the subscription; batches of it are no longer valid. May be repeated."""
        if not self._handle:
            return
        self._node._glue.check()
        self._end(
            _errors.Closed(f"{self._what}: it was closed here: subscribe again", Reason.LOCAL), keep=False
        )
        self._pending = None

    def _end(self, error: _errors.Error, keep: bool) -> None:
        """Take leave of the native subscription and its memory; `keep` what waits for the reader."""
        if self._current is not None:
            self._current._stale = True
        if keep:
            self._leftover = self._take().copy()
        handle, self._handle = self._handle, 0
        self._node._feeds.pop(handle, None)
        if self._link is not None:
            self._link._feeds.pop(self, None)
        _native.subscribe_close(handle)
        self._outcome.settle(error)
        self._fail(error)
        end_all(self._streams)

    def _fail(self, error: _errors.Error) -> None:
        self._error = self._error or error
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _take(self) -> FrameBatch:
        if self._leftover is not None:
            leftover, self._leftover = self._leftover, None
            return leftover
        raw = self._drainer.drain() if self._handle else None
        batch = received_batch(raw, self._track)
        self.dropped += batch.dropped
        return batch

    def _fill(self) -> bool:
        """Whether frames lie ready for the frame loop."""
        if self._pending is None:
            batch = self._take()
            if not len(batch):
                return False
            self._pending = batch.copy()
            self._at = 0
        return True

    def _next(self) -> Received | None:
        while self._fill():
            assert self._pending is not None
            if self._at < len(self._pending):
                self._at += 1
                return self._pending.received(self._at - 1)
            self._pending = None
        return None

    def _wake_if_ready(self) -> None:
        if self._reader is not None and not self._reader.done() and self._fill():
            self._reader.set_result(None)

    def _track(self, track: int) -> TrackInfo:
        if track not in self.tracks and track not in self._ended:
            # The frame overtook its TRACK_ADDED between two looks at the node.
            self._node._take_events()
        return self._known(track)

    def _known(self, track: int) -> TrackInfo:
        return self.tracks.get(track) or self._ended.get(track) or TrackInfo(track, "", "", "", 0, "")

    def _on_ok(self, _: _native.RawEvent) -> Subscribed:
        self._outcome.settle()
        return Subscribed(self)

    def _on_refused(self, raw: _native.RawEvent) -> SubscribeRefused:
        reason = Reason(raw.reason)
        text = raw.text.decode("utf-8", "replace")
        advice = "subscribe to it over another link" if reason == Reason.DUPLICATE else ""
        error = _errors.from_reason(reason, self._what, text, advice)
        if isinstance(error, _errors.Redirected):
            error.url, error.namespace, error.track = raw.text2, raw.text3, raw.text4
        self._outcome.settle(error)
        self._outcome.error = error
        self._fail(error)
        return SubscribeRefused(self, reason, text, raw.text2, raw.text3, raw.text4)

    def _on_track_added(self, raw: _native.RawEvent) -> TrackAdded:
        namespace = raw.text.decode("utf-8", "replace")
        media = raw.b in (TrackKind.AUDIO, TrackKind.VIDEO)
        properties = self.track_properties(raw.a) if media else {}
        track = TrackInfo(raw.a, namespace, raw.text2, raw.text3, raw.b, raw.text4, properties)
        self.tracks[raw.a] = track
        return TrackAdded(self, track)

    def _on_track_ended(self, raw: _native.RawEvent) -> TrackEnded:
        track = self._known(raw.a)
        self.tracks.pop(raw.a, None)
        self._ended[raw.a] = track
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)
        return TrackEnded(self, track, Reason(raw.reason))

    def _on_track_resumed(self, raw: _native.RawEvent) -> TrackResumed:
        return TrackResumed(self, self._known(raw.a), raw.b, raw.c, raw.code / 1e6)
