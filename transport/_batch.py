"""Many frames in one call: `Batch` goes out, `FrameBatch` came in. Both are numpy structured arrays, read in
place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import _errors, _native, _properties
from ._events import TrackInfo
from ._generated.constants import Fate, FrameFlags
from ._values import check_priority, micros

if TYPE_CHECKING:
    from ._publication import Publication

_SEND = struct.Struct("<QQQIIIHHQ")
_FRAME = struct.Struct("<QQQQIIIIBBHI")
"""As FRAME_DTYPE."""
_MAX_BYTES = 1 << 31
_NO_FRAMES: npt.NDArray[np.void] = np.empty(0, _native.FRAME_DTYPE)
_NO_DATA = memoryview(b"")


class Batch:
    """Frames of any number of tracks, collected and then sent by one call. Reusable; belongs to one thread.

    Payloads are copied into memory that the batch owns, so that nothing is allocated a frame.
    """

    def __init__(self, capacity: int = 1024, payload_bytes: int = 1 << 20) -> None:
        if not 0 < capacity <= 1 << 24 or not 0 < payload_bytes <= _MAX_BYTES:
            raise _errors.BadArgument(
                f"a batch of {capacity} frames and {payload_bytes} bytes: pass 1 or more of each"
            )
        self.entries: npt.NDArray[np.void] = np.zeros(capacity, _native.SEND_DTYPE)
        """CcSend of the frames added so far; only the first `len(batch)` count."""
        self._fates = np.zeros(capacity, np.uint8)
        self._memory = np.zeros(payload_bytes, np.uint8)
        self._address = int(self._memory.ctypes.data)
        self._bytes = self._memory.data
        self._raw = self.entries.data.cast("B")
        self._count = 0
        self._used = 0

    def __len__(self) -> int:
        return self._count

    def add(
        self,
        publication: Publication,
        payload: bytes | bytearray | memoryview,
        *,
        priority: int | None = None,
        ttl: float | None = None,
        properties: bytes = b"",
        tag: int = 0,
    ) -> bool:
        """Add a frame; False if the batch has no room for it: send what it holds, then add again.

        `properties` are encoded (`transport.encode_properties`). Raises `TooLarge` if an empty batch could
        not hold it.
        """
        size = len(payload)
        at = self._used
        middle = at + size
        end = middle + len(properties)
        if end > len(self._bytes) or self._count == len(self._fates):
            if end - at > len(self._bytes):
                raise _errors.TooLarge(
                    f"a frame of {end - at} bytes: this batch has {len(self._bytes)}: make a larger one"
                )
            return False
        self._bytes[at:middle] = payload
        if properties:
            self._bytes[middle:end] = properties
        _SEND.pack_into(
            self._raw,
            self._count * _SEND.size,
            publication.handle,
            self._address + at,
            self._address + middle,
            size,
            end - middle,
            0 if ttl is None else micros(ttl, "ttl"),
            _native.PRIORITY_DEFAULT if priority is None else check_priority(priority),
            0,
            tag,
        )
        self._count += 1
        self._used = end
        return True

    def send(self) -> npt.NDArray[np.uint8]:
        """Send what was added and empty the batch. Fates in the order of adding, good until the next."""
        count, self._count, self._used = self._count, 0, 0
        fates = self._fates[:count]
        if count:
            fates[:] = Fate.CLOSED
            _native.send_array(self.entries.ctypes.data, count, fates.ctypes.data)
        return fates


def fill_payloads(payloads: Sequence[bytes] | npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.void], object]:
    """CcSend entries that point at the payloads, priority default, and what keeps the memory alive."""
    if isinstance(payloads, np.ndarray):
        if payloads.dtype != np.uint8 or payloads.ndim != 2:
            raise _errors.BadArgument(
                f"payloads are {payloads.dtype} in {payloads.ndim} dimensions: pass uint8 rows, or bytes"
            )
        rows = np.ascontiguousarray(payloads)
        entries = np.zeros(len(rows), _native.SEND_DTYPE)
        entries["payload"] = np.arange(len(rows), dtype=np.uint64) * rows.shape[1] + rows.ctypes.data
        entries["payload_len"] = rows.shape[1]
        entries["priority"] = _native.PRIORITY_DEFAULT
        return entries, rows
    joined = b"".join(payloads)
    memory = np.frombuffer(joined, np.uint8)
    entries = np.zeros(len(payloads), _native.SEND_DTYPE)
    sizes = np.fromiter(map(len, payloads), np.uint32, len(payloads))
    entries["payload_len"] = sizes
    entries["payload"] = np.cumsum(sizes, dtype=np.uint64) - sizes + np.uint64(memory.ctypes.data)
    entries["priority"] = _native.PRIORITY_DEFAULT
    return entries, memory


def send_batch(entries: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """Send an array of `SEND_DTYPE` whose addresses the caller answers for; the frames' fates."""
    if entries.dtype != _native.SEND_DTYPE or entries.ndim != 1 or not entries.flags.c_contiguous:
        raise _errors.BadArgument(
            "send_batch takes a contiguous one-dimensional array of transport.SEND_DTYPE"
        )
    fates = np.full(len(entries), Fate.CLOSED, np.uint8)
    if len(entries):
        _native.send_array(entries.ctypes.data, len(entries), fates.ctypes.data)
    return fates


class Received:
    """One frame or message that arrived."""

    __slots__ = (
        "_properties",
        "flags",
        "fragments",
        "group",
        "object",
        "payload",
        "priority",
        "received",
        "track",
    )

    def __init__(self, track: TrackInfo, row: tuple[int, ...], data: bytes | memoryview) -> None:
        (_, self.group, self.object, received_us, at, size, properties_at, properties_size) = row[:8]
        self.track = track
        self.priority = row[8]
        """Publisher priority, as it was sent."""
        self.flags = row[9]
        """`transport.FrameFlags` bits."""
        self.fragments = row[11]
        """Datagrams that it came in; 1 if it was whole."""
        self.received = received_us / 1e6
        """When its last byte arrived, seconds on the node's clock (`Node.now`)."""
        self.payload = bytes(data[at : at + size])
        self._properties = bytes(data[properties_at : properties_at + properties_size])

    @property
    def properties(self) -> dict[int, _properties.Value]:
        """Its object properties."""
        return _properties.decode(self._properties)

    @property
    def text(self) -> str:
        """The payload as UTF-8; bytes that are none are replaced."""
        return self.payload.decode("utf-8", "replace")

    @property
    def after_gap(self) -> bool:
        """Whether objects right before it are missing."""
        return bool(self.flags & FrameFlags.GAP)

    def __repr__(self) -> str:
        track = f"{self.track.namespace}/{self.track.name}"
        return f"Received({track}, group={self.group}, priority={self.priority}, {len(self.payload)} bytes)"


class FrameBatch:
    """Frames that arrived, oldest first, in the core's own memory: valid until the feed's next `drain` or its
    close.

    `frames` is a read-only structured array (`FRAME_DTYPE`: track, group, object, received_us, payload_at,
    payload_len, properties_at, properties_len, priority, flags, fragments); offsets count into `data`. Using
    the batch's methods too late is an error; the arrays themselves can't be guarded, so `copy()` what is to
    be kept.
    """

    __slots__ = ("_count", "_data", "_lookup", "_raw", "_rows", "_stale", "dropped")

    def __init__(
        self,
        frames: npt.NDArray[np.void] | memoryview,
        data: memoryview,
        dropped: int,
        lookup: Callable[[int], TrackInfo],
    ) -> None:
        self.dropped = dropped
        """Frames lost since the last drain because the feed was full."""
        self._raw = frames
        """The array, or the bytes that it is made of when it is asked for."""
        self._count = len(frames) if isinstance(frames, np.ndarray) else len(frames) // _FRAME.size
        self._data = data
        self._lookup = lookup
        self._rows: list[tuple[int, ...]] | None = None
        self._stale = False

    @property
    def frames(self) -> npt.NDArray[np.void]:
        """The structured array."""
        self._check()
        if isinstance(self._raw, memoryview):
            self._raw = np.frombuffer(self._raw, _native.FRAME_DTYPE, self._count)
        return self._raw

    def rows(self) -> list[tuple[int, ...]]:
        """The same as tuples, a field after the other: what a few frames are read by faster."""
        self._check()
        if self._rows is None:
            raw = self._raw
            self._rows = list(_FRAME.iter_unpack(raw)) if isinstance(raw, memoryview) else raw.tolist()
        return self._rows

    @property
    def data(self) -> memoryview:
        """All payloads and properties, one after the other."""
        self._check()
        return self._data

    def __len__(self) -> int:
        return self._count

    def payload(self, index: int) -> memoryview:
        """A frame's payload, in place."""
        row = self.rows()[index]
        return self._data[row[4] : row[4] + row[5]]

    def properties(self, index: int) -> dict[int, _properties.Value]:
        """A frame's object properties."""
        row = self.rows()[index]
        return _properties.decode(self._data[row[6] : row[6] + row[7]])

    def track(self, index: int) -> TrackInfo:
        """The track that a frame belongs to."""
        return self._lookup(self.rows()[index][0])

    def __iter__(self) -> Iterator[Received]:
        for index in range(len(self)):
            yield self.received(index)

    def received(self, index: int) -> Received:
        """A frame as an object of its own, which stays valid."""
        row = self.rows()[index]
        return Received(self._lookup(row[0]), row, self._data)

    def copy(self) -> FrameBatch:
        """The same frames in memory of their own, valid for ever."""
        self._check()
        return FrameBatch(self.frames.copy(), memoryview(bytes(self._data)), self.dropped, self._lookup)

    def after(self, index: int) -> FrameBatch:
        """The frames from `index` on; shares this one's memory."""
        self._check()
        return FrameBatch(self.frames[index:], self._data, 0, self._lookup)

    def _check(self) -> None:
        if self._stale:
            raise _errors.BadState(
                "this batch is no longer valid: use it before the feed's next drain, or copy() it"
            )


def received_batch(raw: _native.RawBatch | None, lookup: Callable[[int], TrackInfo]) -> FrameBatch:
    """A drain's answer as a batch; an empty one if there was nothing."""
    if raw is None or not raw.length:
        dropped = 0 if raw is None else raw.dropped
        return FrameBatch(_NO_FRAMES, _NO_DATA, dropped, lookup)
    return FrameBatch(raw.frames, raw.data, raw.dropped, lookup)
