"""A track that this side publishes: `send` takes a frame or message and says at once what became of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _errors, _native, _properties, _stats
from ._batch import fill_payloads
from ._events import Demand, NewGroupWanted, Published, PublishRefused
from ._generated.constants import Fate, Reason, SendFlags, TrackFlags, TrackKind
from ._loop import Outcome
from ._media_values import Audio, Video
from ._values import Frame, Text, check_priority, micros, millis, shortened, token_bytes

if TYPE_CHECKING:
    from ._link import Link
    from ._node import Node

_FATES = {int(fate): fate for fate in Fate}


Spec: TypeAlias = Frame | Text | Audio | Video
"""What can be published."""


class Publication:
    """One published track. `await` it to know that the other side takes it; `send` works before that, too.

    A link that reconnects publishes it again by itself. `send` and `send_many` may be called from any thread,
    the rest from the node's.
    """

    def __init__(self, node: Node, link: Link | None, spec: Spec) -> None:
        self.spec: Spec = spec
        self.subscribers = 0
        """That want frames now, as far as events told."""
        self._node = node
        self._link = link
        self._outcome = Outcome()
        self._what = shortened(f"publish {spec.namespace}/{spec.name}")
        scope = node.handle if link is None else link.handle
        self._handle = _native.publish(scope, _fields(spec), self._what)
        node._publications[self._handle] = self
        if link is None:
            self._outcome.settle()
        else:
            link._publications[self] = None

    @property
    def handle(self) -> int:
        """The native handle, for a batch's "publication" column; 0 once closed."""
        return self._handle

    @property
    def accepted(self) -> bool:
        """Whether the other side takes it. Raises `Refused` (or a kind of it) if it said no."""
        return self._outcome.check()

    def __await__(self) -> Generator[Any, None, Self]:
        self._node._glue.attach()
        yield from self._outcome.wait().__await__()
        return self

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        payload: bytes | bytearray | memoryview | str,
        *,
        priority: int | None = None,
        ttl: float | None = None,
        properties: Mapping[int, _properties.Value] | bytes | None = None,
        new_group: bool = False,
        end_group: bool = False,
    ) -> Fate:
        """Send one frame or message; never blocks. A str is sent as UTF-8.

        `priority` is 0 (first) .. 255 (last), `ttl` seconds that it may wait here; none takes the track's.
        Of an Audio or Video track, it begins a group, or is the last of one; others have no say in that.
        Properties are a mapping of type to value, or encoded already. Raises only for values that can't be:
        what the network or the queues do to it is the answer.
        """
        if type(payload) is not bytes:
            payload = _as_bytes(payload)
        if not properties:
            properties = b""
        elif type(properties) is not bytes:
            properties = encode_properties(properties)
        if not self._handle:
            return Fate.CLOSED
        fate = _native.sender().send(
            self._handle,
            payload,
            properties,
            0 if ttl is None else micros(ttl, "ttl"),
            _native.PRIORITY_DEFAULT if priority is None else check_priority(priority),
            SendFlags.NEW_GROUP * new_group | SendFlags.END_GROUP * end_group,
        )
        return _FATES[fate]

    def send_many(
        self,
        payloads: Sequence[bytes] | npt.NDArray[np.uint8],
        priorities: npt.ArrayLike | None = None,
        *,
        ttl: float | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Send many frames in one call; their fates (`transport.Fate`) in the same order.

        `payloads` is a sequence of bytes, or an array of shape (frames, bytes) of uint8, a row a frame.
        `priorities` is one number for all or one for each.
        """
        entries, keep = fill_payloads(payloads)
        fates = np.full(len(entries), Fate.CLOSED, np.uint8)
        if not self._handle or not len(entries):
            return fates
        entries["publication"] = self._handle
        entries["ttl_us"] = micros(ttl, "ttl")
        if priorities is not None:
            wanted = np.asarray(priorities)
            if wanted.dtype.kind not in "iu" or np.any((wanted < 0) | (wanted > 255)):
                raise _errors.BadArgument(f"{self._what}: a priority is outside 0 (first) .. 255 (last)")
            if wanted.ndim and wanted.shape != fates.shape:
                raise _errors.BadArgument(f"{self._what}: {wanted.size} priorities for {fates.size} payloads")
            entries["priority"] = wanted
        _native.send_array(entries.ctypes.data, len(entries), fates.ctypes.data)
        del keep
        return fates

    def repeat(
        self,
        payload: bytes | bytearray | memoryview | str,
        *,
        every: float,
        silence: float,
        limit: float | None = None,
        priority: int | None = None,
    ) -> None:
        """Have the node send a frame while this side sends nothing: its thread does, whatever holds Python.

        It goes out once nothing was sent for `silence` seconds, then `every` so many, each 0.01 to 3,600,
        until something is sent or `limit` seconds have passed since something was (none: without end).
        `payload` has 1,100 bytes at most. Another call takes its place, `repeat_nothing` ends it. For
        Frame tracks.
        """
        fields: dict[str, int | str | bytes] = {
            "payload": _as_bytes(payload),
            "priority": _native.PRIORITY_DEFAULT if priority is None else check_priority(priority),
            "silence_ms": millis(silence, "silence"),
            # 0 would end it: what rounds to it is told to be too short.
            "every_ms": max(1, millis(every, "every")),
            "limit_ms": 0 if limit is None else max(1, millis(limit, "limit")),
        }
        _native.publish_repeat(self._open(), fields, f"{self._what}: repeat")

    def repeat_nothing(self) -> None:
        """End what `repeat` began."""
        _native.publish_repeat(self._open(), {}, f"{self._what}: repeat nothing")

    def _open(self) -> int:
        if not self._handle:
            raise _errors.Closed(f"{self._what}: it is closed", Reason.LOCAL)
        return self._handle

    def stats(self) -> _stats.TrackStats:
        """Counters over all subscribers."""
        if not self._handle:
            raise _errors.Closed(f"{self._what}: it is closed, and its counters with it", Reason.LOCAL)
        return _stats.track(_native.track_stats(self._handle))

    def close(self) -> None:
        """End the track; subscribers see TRACK_ENDED. May be repeated."""
        if not self._handle:
            return
        self._node._glue.check()
        self._end(_errors.Closed(f"{self._what}: it was closed here: publish it again", Reason.LOCAL))

    def _end(self, error: _errors.Error) -> None:
        """Take leave of the native publication."""
        handle, self._handle = self._handle, 0
        self._node._publications.pop(handle, None)
        if self._link is not None:
            self._link._publications.pop(self, None)
        _native.publish_close(handle)
        self._outcome.settle(error)

    def _on_ok(self, _: _native.RawEvent) -> Published:
        self._outcome.settle()
        return Published(self)

    def _on_refused(self, raw: _native.RawEvent) -> PublishRefused:
        reason = Reason(raw.reason)
        text = raw.text.decode("utf-8", "replace")
        error = _errors.from_reason(reason, self._what, text)
        if isinstance(error, _errors.Redirected):
            error.url, error.namespace, error.track = raw.text2, raw.text3, raw.text4
        self._outcome.settle(error)
        self._outcome.error = error
        return PublishRefused(self, reason, text, raw.text2, raw.text3, raw.text4)

    def _on_demand(self, raw: _native.RawEvent) -> Demand:
        before, self.subscribers = self.subscribers, raw.a
        if raw.a > before:
            self._on_more_subscribers()
        return Demand(self, raw.a)

    def _on_more_subscribers(self) -> None:
        """Somebody new wants the track."""

    def _on_new_group_wanted(self, _raw: _native.RawEvent) -> NewGroupWanted:
        self._on_more_subscribers()
        return NewGroupWanted(self)


def encode_properties(properties: Mapping[int, _properties.Value] | bytes | bytearray | memoryview) -> bytes:
    """Encoded properties of a mapping, or the bytes themselves."""
    if isinstance(properties, bytes | bytearray | memoryview):
        return bytes(properties)
    return _properties.encode(properties)


def _fields(spec: Spec) -> _native.Fields:
    common: dict[str, int | str | bytes] = {
        "priority": spec.priority,
        "ns": spec.namespace,
        "name": spec.name,
        "capability": spec.capability,
        "properties": _properties.encode(spec.properties),
        "queue_bytes": spec.queue_bytes,
        "token": token_bytes(spec.token),
    }
    if isinstance(spec, Text):
        return common | {"kind": TrackKind.TEXT, "window_messages": spec.window}
    if isinstance(spec, Audio | Video):
        return common | _media_fields(spec)
    flags = TrackFlags.LATEST_WINS * spec.latest_wins | TrackFlags.MICROSECOND_GROUPS * spec.fast
    return common | {
        "kind": TrackKind.FRAME_DATAGRAM if spec.datagram else TrackKind.FRAME_STREAM,
        "flags": flags,
        "ttl_us": micros(spec.ttl, "ttl"),
        "object_timeout_ms": millis(spec.object_timeout, "object_timeout"),
        "subgroup_timeout_ms": millis(spec.subgroup_timeout, "subgroup_timeout"),
    }


def _media_fields(spec: Audio | Video) -> dict[str, int | str | bytes]:
    timeout = millis(spec.timeout, "timeout")
    datagram = isinstance(spec, Audio) and spec.datagram
    return {
        "kind": TrackKind.AUDIO if isinstance(spec, Audio) else TrackKind.VIDEO,
        "flags": TrackFlags.DATAGRAM if datagram else 0,
        "properties": _properties.encode(spec.track_properties()),
        "object_timeout_ms" if datagram else "subgroup_timeout_ms": timeout,
    }


def _as_bytes(payload: object) -> bytes:
    try:
        return payload.encode() if isinstance(payload, str) else bytes(memoryview(payload))  # type: ignore[arg-type]
    except TypeError:
        text = f"payload is {type(payload).__name__}: pass bytes, or a str to be sent as UTF-8"
    except UnicodeEncodeError as wrong:
        text = f"payload is a str that UTF-8 can't carry ({wrong.reason}): pass bytes"
    raise _errors.BadArgument(text)
