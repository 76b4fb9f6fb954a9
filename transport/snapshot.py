"""World states as deltas: a ring of past states, deltas against what a peer acknowledged, and the other end.

    history = History(dtype, capacity=256, ticks=64)      # server
    acks = Acks(history)
    history.write(tick, state)                            # one row an entity, fixed rows
    body = history.delta(tick, acks.baseline(peer))       # a full snapshot if there is no baseline
    replica = Replica(dtype, capacity=256, ticks=64)      # client
    acknowledge = replica.apply(body)                     # send this number back

A delta's baseline is a state that the peer said it has, so whatever is lost, replaced or reordered on the
way, the next delta that arrives decodes. States are structured numpy arrays of flat integer, boolean and
float fields (subarrays too); absent entities are rows of zeros. Nothing here knows about networks or time.

Bytes, little-endian: version u8, flags u8, changed rows u16, epoch u32, tick u32, baseline u32 (2^32-1:
none); which rows (flag 1: u16 indices, else a bitmap of all); then for each field a byte (bits 0-1 presence:
none, all, bitmap over the changed rows; bits 2-4 width: 0 values, 1, 2 or 4 bytes of signed difference), the
bitmap if any, and the column's values.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ._errors import BadArgument, Error

State = npt.NDArray[np.void]
"""One row an entity."""

MAX_ROWS: Final = 65_535
MAX_FIELDS: Final = 64
_VERSION: Final = 1
_NONE: Final = 0xFFFF_FFFF
_HEADER: Final = struct.Struct("<BBHIII")
_INDICES: Final = 1
_ABSENT, _ALL, _SOME = 0, 1, 2
_WIDTHS: Final[dict[int, np.dtype[Any]]] = {1: np.dtype("<i1"), 2: np.dtype("<i2"), 4: np.dtype("<i4")}


class SnapshotError(Error):
    """The root of what snapshots raise beside `BadArgument`."""


class Malformed(SnapshotError, ValueError):
    """The bytes are no delta of this kind of state. The sender's fault."""


class NotKept(SnapshotError, LookupError):
    """The tick is not in the ring; `tick` says which."""

    def __init__(self, message: str, tick: float) -> None:
        super().__init__(message)
        self.tick = tick


class Codec:
    """Encodes one state against another, for one dtype and number of rows."""

    def __init__(self, dtype: npt.DTypeLike, capacity: int) -> None:
        if not 0 < capacity <= MAX_ROWS:
            raise BadArgument(f"a snapshot of {capacity} rows: pass 1 .. {MAX_ROWS}")
        self.capacity = capacity
        self.dtype = _packed(np.dtype(dtype))
        self._zeros = np.zeros(capacity, self.dtype)
        self._fields = [_Field(self.dtype, name) for name in self.dtype.names or ()]

    def check(self, state: State) -> State:
        """The state in the codec's own dtype. `BadArgument` if it is of another kind."""
        if state.shape != (self.capacity,) or state.dtype.names != self.dtype.names:
            raise BadArgument(
                f"state has shape {state.shape} and fields {state.dtype.names}: "
                f"pass {self.capacity} rows of {self.dtype.names}"
            )
        return state if state.dtype == self.dtype else state.astype(self.dtype)

    def encode(self, epoch: int, tick: int, state: State, baseline: int | None, base: State | None) -> bytes:
        """The delta's bytes; `base` is the state at `baseline`, none for a full snapshot."""
        old = self._zeros if base is None else base
        columns = [(field.column(state), field.column(old)) for field in self._fields]
        changed = np.stack(
            [field.differs(new, was) for field, (new, was) in zip(self._fields, columns, strict=True)]
        )
        touched = np.logical_or.reduce(changed)
        rows = np.flatnonzero(touched)
        by_index = 2 * len(rows) < -(-self.capacity // 8)
        head = _HEADER.pack(
            _VERSION,
            _INDICES if by_index else 0,
            len(rows),
            epoch,
            tick,
            _NONE if baseline is None else baseline,
        )
        parts = [head, rows.astype("<u2").tobytes() if by_index else _bits(touched)]
        for field, (new, was), marks in zip(self._fields, columns, changed, strict=True):
            present = marks[rows]
            count = int(present.sum())
            if not count:
                parts.append(b"\0")
                continue
            chosen = rows[present]
            width, values = field.pack(new[chosen], was[chosen])
            presence = _ALL if count == len(rows) else _SOME
            parts.append(bytes((presence | width << 2,)))
            if presence == _SOME:
                parts.append(_bits(present))
            parts.append(values)
        return b"".join(parts)

    def decode(self, data: bytes | memoryview, base: State | None) -> State:
        """The state that `data` makes of `base`. `Malformed` for anything that `encode` does not write."""
        version, flags, count, *_ = header(data)
        if version != _VERSION or flags & ~_INDICES or count > self.capacity:
            raise Malformed(f"snapshot: version {version}, flags {flags}, {count} rows: not of this kind")
        read = _Reader(data, _HEADER.size)
        if flags & _INDICES:
            rows = read.array(np.dtype("<u2"), count).astype(np.intp)
            if count and (rows[-1] >= self.capacity or np.any(np.diff(rows) <= 0)):
                raise Malformed("snapshot: its row numbers are out of range or order")
        else:
            rows = np.flatnonzero(read.bitmap(self.capacity))
            if len(rows) != count:
                raise Malformed(f"snapshot: it announces {count} rows and marks {len(rows)}")
        state = self._zeros.copy() if base is None else base.copy()
        for field in self._fields:
            code = read.byte()
            presence, width = code & 3, code >> 2
            if presence == _ABSENT and not width:
                continue
            if presence not in (_ALL, _SOME):
                raise Malformed(f"snapshot: field {field.name} has the unknown code {code}")
            chosen = rows if presence == _ALL else rows[read.bitmap(len(rows))]
            field.unpack(read, width, state, chosen)
        read.end()
        return state


class _Field:
    """One column: how it is compared and packed."""

    def __init__(self, dtype: np.dtype[Any], name: str) -> None:
        self.name = name
        of = dtype[name]
        self.base = of.base
        self.items = of.itemsize // of.base.itemsize
        self.raw: np.dtype[Any] = np.dtype(f"<u{self.base.itemsize}")
        self.widths = [w for w in _WIDTHS if self.base.kind in "iu" and w < self.base.itemsize]

    def column(self, state: State) -> npt.NDArray[Any]:
        """The column as unsigned integers of its size, (rows, items): so that NaN equals itself."""
        return np.ascontiguousarray(state[self.name]).reshape(len(state), -1).view(self.raw)

    def differs(self, new: npt.NDArray[Any], old: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        marks: npt.NDArray[np.bool_] = (new != old).any(axis=1)
        return marks

    def pack(self, new: npt.NDArray[Any], old: npt.NDArray[Any]) -> tuple[int, bytes]:
        """Width and bytes: the narrowest signed difference that holds for all, or the values."""
        if self.widths:
            difference = (new - old).view(np.dtype(f"<i{self.base.itemsize}"))
            low, high = int(difference.min()), int(difference.max())
            for width in self.widths:
                bound = 1 << (8 * width - 1)
                if -bound <= low and high < bound:
                    return width, difference.astype(_WIDTHS[width]).tobytes()
        return 0, new.tobytes()

    def unpack(self, read: _Reader, width: int, state: State, rows: npt.NDArray[np.intp]) -> None:
        count = len(rows) * self.items
        if not width:
            values = read.array(self.raw, count)
        elif width in self.widths:
            wide = read.array(_WIDTHS[width], count).astype(f"<i{self.base.itemsize}").view(self.raw)
            old = np.ascontiguousarray(state[self.name][rows]).reshape(-1).view(self.raw)
            values = old + wide
        else:
            raise Malformed(f"snapshot: field {self.name} can't come in differences of {width} bytes")
        column = state[self.name]
        column[rows] = values.view(self.base).reshape((len(rows), *column.shape[1:]))


class _Reader:
    """Takes arrays off the front of bytes."""

    def __init__(self, data: bytes | memoryview, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> int:
        at, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise Malformed(f"snapshot: it ends after {len(self._data)} bytes, {self._at} were announced")
        return at

    def byte(self) -> int:
        return self._data[self.take(1)]

    def array(self, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self._data, dtype, count, self.take(dtype.itemsize * count))

    def bitmap(self, bits: int) -> npt.NDArray[np.bool_]:
        size = -(-bits // 8)
        packed = np.frombuffer(self._data, np.uint8, size, self.take(size))
        marks = np.unpackbits(packed, bitorder="little")
        if marks[bits:].any():
            raise Malformed("snapshot: a bitmap marks rows that do not exist")
        return marks[:bits].astype(np.bool_)

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed(f"snapshot: {len(self._data) - self._at} bytes follow its end")


class History:
    """States of the last `ticks` ticks. `interpolate` names the fields that `at` blends; none: all floats."""

    def __init__(
        self,
        dtype: npt.DTypeLike,
        capacity: int,
        ticks: int = 64,
        *,
        interpolate: Sequence[str] | None = None,
        epoch: int | None = None,
    ) -> None:
        if not 2 <= ticks <= 1 << 16:
            raise BadArgument(f"a history of {ticks} ticks: pass 2 .. {1 << 16}")
        self.codec = Codec(dtype, capacity)
        self.ticks = ticks
        self.epoch = secrets.randbits(32) if epoch is None else epoch
        """Tells this history from that of a restarted server, whose ticks may be the same."""
        names = self.codec.dtype.names or ()
        self._blend = [
            name
            for name in names
            if (name in interpolate if interpolate is not None else self.codec.dtype[name].base.kind == "f")
        ]
        if interpolate is not None and len(self._blend) != len(set(interpolate)):
            raise BadArgument(f"interpolate names {list(interpolate)}: the state has {list(names)}")
        self._ring = np.zeros((ticks, capacity), self.codec.dtype)
        self._at = np.full(ticks, -1, np.int64)
        self._made: dict[int | None, bytes] = {}
        self.newest: int | None = None
        """Tick of the newest state."""

    @property
    def oldest(self) -> int | None:
        """Tick of the oldest state."""
        return None if self.newest is None else int(self._kept()[0])

    def write(self, tick: int, state: State) -> None:
        """Keep the state of a tick, later than all before; the oldest goes."""
        if not 0 <= tick < _NONE or (self.newest is not None and tick <= self.newest):
            raise BadArgument(f"state of tick {tick} after {self.newest}: write ticks in rising order")
        place = tick % self.ticks
        self._ring[place] = self.codec.check(state)
        self._at[place] = tick
        self.newest = tick
        self._made.clear()

    def __contains__(self, tick: object) -> bool:
        if not isinstance(tick, int | np.integer) or self.newest is None:
            return False
        return bool(self.newest - self.ticks < tick and self._at[tick % self.ticks] == tick)

    def exact(self, tick: int) -> State:
        """The state of a tick, in place and read-only: valid until it leaves the ring. `NotKept`."""
        if tick not in self:
            raise NotKept(
                f"snapshot: tick {tick} is not kept (newest {self.newest}, {self.ticks} kept)", tick
            )
        view: State = self._ring[tick % self.ticks].view()
        view.flags.writeable = False
        return view

    def at(self, tick: float) -> State:
        """The world at a moment, between two ticks too: a copy. A moment after the newest is the newest;
        `NotKept` before the oldest.
        """
        if self.newest is None:
            raise NotKept("snapshot: nothing is kept yet", tick)
        kept = self._kept()
        if not tick >= kept[0]:
            raise NotKept(f"snapshot: moment {tick} is before the oldest kept, {kept[0]}", tick)
        right = int(np.searchsorted(kept, min(tick, self.newest)))
        after = self.exact(int(kept[right]))
        if kept[right] <= tick:
            return after.copy()
        before = self.exact(int(kept[right - 1]))
        share = (tick - kept[right - 1]) / (kept[right] - kept[right - 1])
        blended = before.copy()
        for name in self._blend:
            old, new = before[name].astype(np.float64), after[name].astype(np.float64)
            mixed = old + (new - old) * share
            blended[name] = mixed if self.codec.dtype[name].base.kind == "f" else np.rint(mixed)
        return blended

    def _kept(self) -> npt.NDArray[np.int64]:
        assert self.newest is not None
        return np.sort(self._at[self._at > self.newest - self.ticks])

    def delta(self, tick: int, baseline: int | None = None) -> bytes:
        """What changed from `baseline` to `tick`; all of it if the baseline is none or no longer kept.

        Deltas of the newest tick are made once and shared. `NotKept` if `tick` itself is not there.
        """
        if baseline is not None and (baseline not in self or baseline >= tick):
            baseline = None
        made = self._made.get(baseline) if tick == self.newest else None
        if made is None:
            base = None if baseline is None else self.exact(baseline)
            made = self.codec.encode(self.epoch, tick, self.exact(tick), baseline, base)
            if tick == self.newest:
                self._made[baseline] = made
        return made


class Acks:
    """The newest tick that each peer acknowledged."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._newest: dict[Hashable, int] = {}

    def acknowledge(self, peer: Hashable, tick: int) -> bool:
        """Note that the peer has the state of a tick; False if it is old news or was never sent."""
        known = self._newest.get(peer, -1)
        if tick <= known or self._history.newest is None or tick > self._history.newest:
            return False
        self._newest[peer] = tick
        return True

    def baseline(self, peer: Hashable) -> int | None:
        """The tick to encode against for this peer, if it is still kept."""
        tick = self._newest.get(peer)
        return tick if tick is not None and tick in self._history else None

    def forget(self, peer: Hashable) -> None:
        """The peer left, or starts anew: its next snapshot is a full one."""
        self._newest.pop(peer, None)


class Replica:
    """The other end: the states that were decoded. `ticks` is at least the history's."""

    def __init__(self, dtype: npt.DTypeLike, capacity: int, ticks: int = 64) -> None:
        self._history = History(dtype, capacity, ticks, epoch=0)
        self._epoch: int | None = None

    @property
    def codec(self) -> Codec:
        """How states are encoded."""
        return self._history.codec

    @property
    def newest(self) -> int | None:
        """Tick of the newest state: what to acknowledge."""
        return self._history.newest

    def apply(self, data: bytes | memoryview) -> int | None:
        """Decode a delta; its tick, or none if a newer one was decoded before.

        Raises `Malformed`, and `NotKept` if the baseline is not one that this side has.
        """
        _, _, _, epoch, tick, baseline = header(data)
        kept = self._history
        if epoch != self._epoch:
            if baseline != _NONE:
                raise NotKept(f"snapshot: baseline {baseline} is of another server", baseline)
        elif kept.newest is not None and tick <= kept.newest:
            return None
        if tick == _NONE or (baseline != _NONE and baseline >= tick):
            raise Malformed(f"snapshot: tick {tick} on baseline {baseline}")
        base = None if baseline == _NONE else kept.exact(baseline)
        state = kept.codec.decode(data, base)
        if epoch != self._epoch:
            self._history = kept = History(kept.codec.dtype, kept.codec.capacity, kept.ticks, epoch=0)
            self._epoch = epoch
        kept.write(tick, state)
        return tick

    def at(self, tick: float) -> State:
        """The world at a moment; as `History.at`."""
        return self._history.at(tick)

    def exact(self, tick: int) -> State:
        """The state of a tick; as `History.exact`."""
        return self._history.exact(tick)


def header(data: bytes | memoryview) -> tuple[int, int, int, int, int, int]:
    """Version, flags, rows, epoch, tick and baseline of a delta. `Malformed` if it is too short."""
    if len(data) < _HEADER.size:
        raise Malformed(f"snapshot: {len(data)} bytes are too few")
    version, flags, rows, epoch, tick, baseline = _HEADER.unpack_from(data)
    return version, flags, rows, epoch, tick, baseline


def _bits(marks: npt.NDArray[np.bool_]) -> bytes:
    return np.packbits(marks, bitorder="little").tobytes()


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same fields without padding, little-endian."""
    if not dtype.names or len(dtype.names) > MAX_FIELDS:
        raise BadArgument(f"snapshot dtype {dtype}: pass a structured dtype of 1 .. {MAX_FIELDS} fields")
    fields: list[tuple[str, Any, tuple[int, ...]]] = []
    for name in dtype.names:
        of = dtype[name]
        if of.base.kind not in "biuf" or of.base.itemsize > 8:
            raise BadArgument(f"snapshot field {name} is {of}: use integers, booleans and floats")
        fields.append((name, of.base.newbyteorder("<"), of.shape))
    return np.dtype(fields)
