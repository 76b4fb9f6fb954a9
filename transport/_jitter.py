"""When to play what arrived: packets of one talker in the order of their capture, at an even pace.

Time is passed in, in seconds: `now` is the reader's clock, `timestamp` the talker's. A packet is played at
`timestamp` plus an offset: the quickest way here that was seen lately, plus a delay that covers how unevenly
packets come. The offset is set anew where somebody begins to speak; within speech it grows when packets come
too late, and shrinks, a packet left out at a time, when it has been too long for a while. What is missing
when it is due is told as lost, so that it can be concealed; a silence is not.
"""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")
_SEEN: Final = 250
"""Arrivals that the delay is judged by: five seconds of speech."""
_SHARE: Final = 0.95
"""Packets that the delay is to cover."""
_CONCEAL: Final = 0.100
"""Longest stretch that is concealed, seconds; beyond it is silence."""
_SHRINK_AFTER: Final = 5.0
"""How long the delay is left too long, seconds."""
_SHRINK_EVERY: Final = 0.5
"""How often a packet is left out then, seconds."""
_SET_BACK: Final = 3.0
"""How long nothing but what is too late has to come for the talker's clock to count as set back, seconds."""
_KEPT: Final = 512
"""Packets that wait at most."""


@dataclass(frozen=True, slots=True)
class Due(Generic[_T]):
    """What is to be heard next."""

    timestamp: float
    """When it was captured, on the talker's clock."""
    item: _T | None
    """The packet; none: it is lost."""
    first: bool
    """Silence lies before it."""


@dataclass(slots=True)
class Counts:
    """What became of packets."""

    played: int = 0
    lost: int = 0
    """Missing when they were due."""
    late: int = 0
    """Came after their time, and were not played."""
    trimmed: int = 0
    """Left out to shorten the delay, or because too many waited."""
    duplicates: int = 0


@dataclass(slots=True)
class _Waiting(Generic[_T]):
    timestamp: float
    duration: float
    active: bool
    item: _T


class JitterBuffer(Generic[_T]):
    """One talker's packets. `put` what comes, `take` what is due."""

    def __init__(self, min_delay: float = 0.02, max_delay: float = 0.4) -> None:
        """Least and greatest delay beyond the quickest way, seconds."""
        if not 0 <= min_delay <= max_delay <= 10:
            raise ValueError(f"delays {min_delay} .. {max_delay} s: pass 0 <= min_delay <= max_delay <= 10")
        self.counts = Counts()
        self._least = min_delay
        self._most = max_delay
        self._ways: deque[float] = deque(maxlen=_SEEN)
        self._sorted: list[float] = []
        self._waiting: list[_Waiting[_T]] = []
        self._offset: float | None = None
        self._next: float | None = None
        """Timestamp expected next while somebody speaks."""
        self._played_to: float | None = None
        self._active = False
        self._concealed = 0.0
        self._too_long_since: float | None = None
        self._late_since: float | None = None
        self._last_duration = 0.02

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def delay(self) -> float:
        """The delay beyond the quickest way that is in use, seconds."""
        return 0.0 if self._offset is None or not self._sorted else self._offset - self._sorted[0]

    @property
    def target(self) -> float:
        """The delay beyond the quickest way that recent arrivals ask for, seconds."""
        if not self._sorted:
            return self._least
        at = min(int(len(self._sorted) * _SHARE), len(self._sorted) - 1)
        spread = self._sorted[at] - self._sorted[0]
        return min(max(spread * 1.25, self._least), self._most)

    def put(self, timestamp: float, duration: float, item: _T, now: float, active: bool = True) -> bool:
        """Take a packet in. False if it is not wanted: too late, or there already. `active`: it is speech."""
        self._see(now - timestamp)
        if self._played_to is not None and timestamp < self._played_to - duration / 2:
            self._late_since = now if self._late_since is None else self._late_since
            if now - self._late_since < _SET_BACK:
                self._grow(now - timestamp)
                self.counts.late += 1
                return False
            # Nothing else comes any more: the talker's clock was set back. Begin anew.
            self._restart()
        self._late_since = None
        at = bisect.bisect_left([one.timestamp for one in self._waiting], timestamp - duration / 2)
        if at < len(self._waiting) and abs(self._waiting[at].timestamp - timestamp) < duration / 2:
            self.counts.duplicates += 1
            return False
        self._waiting.insert(at, _Waiting(timestamp, duration, active, item))
        if len(self._waiting) > _KEPT:
            gone = self._waiting.pop(0)
            self.counts.trimmed += 1
            self._next = self._played_to = gone.timestamp + gone.duration
        return True

    def take(self, now: float) -> list[Due[_T]]:
        """What is due by now, in order."""
        found: list[Due[_T]] = []
        while (due := self._one(now)) is not None:
            found.append(due)
        return found

    @property
    def due_at(self) -> float | None:
        """When `take` will have something, as far as is known; none: when something comes."""
        if self._next is not None and self._offset is not None:
            if self._waiting or (self._active and self._concealed < _CONCEAL):
                return self._next + self._offset
            return None
        if not self._waiting:
            return None
        return self._waiting[0].timestamp + self._start_offset()

    def _one(self, now: float) -> Due[_T] | None:
        if self._next is None or self._offset is None:
            return self._begin(now)
        if self._next + self._offset > now:
            return None
        head = self._waiting[0] if self._waiting else None
        if head is not None and head.timestamp < self._next + head.duration / 2:
            self._waiting.pop(0)
            self._note_delay(now)
            if self._too_long_since is not None and now - self._too_long_since > _SHRINK_AFTER:
                self._too_long_since += _SHRINK_EVERY
                self._offset -= head.duration
                self._next = self._played_to = head.timestamp + head.duration
                self.counts.trimmed += 1
                return self._one(now)
            return self._play(head, first=False)
        missing = self._last_duration
        gap = _CONCEAL + 1 if head is None else head.timestamp - self._next
        spoken = self._active if head is None or gap > _CONCEAL else True
        if head is not None and not self._active:
            spoken = False
        if spoken and self._concealed + missing <= _CONCEAL + 1e-9:
            due: Due[_T] = Due(self._next, None, first=False)
            self._concealed += missing
            self._next += missing
            self._played_to = self._next
            self.counts.lost += 1
            return due
        self._next = None
        return self._begin(now)

    def _begin(self, now: float) -> Due[_T] | None:
        """The beginning of speech: the offset is chosen anew."""
        if not self._waiting:
            return None
        head = self._waiting[0]
        offset = self._start_offset()
        if self._played_to is not None and self._offset is not None:
            # Never before what was played has ended.
            offset = max(offset, self._played_to + self._offset - head.timestamp)
        if head.timestamp + offset > now:
            return None
        self._offset = offset
        self._too_long_since = None
        self._waiting.pop(0)
        return self._play(head, first=True)

    def _start_offset(self) -> float:
        quickest = self._sorted[0] if self._sorted else 0.0
        return quickest + self.target

    def _play(self, head: _Waiting[_T], first: bool) -> Due[_T]:
        self._next = self._played_to = head.timestamp + head.duration
        self._active = head.active
        self._concealed = 0.0
        self._last_duration = head.duration
        self.counts.played += 1
        return Due(head.timestamp, head.item, first)

    def _see(self, way: float) -> None:
        if len(self._ways) == _SEEN:
            gone = self._ways[0]
            self._sorted.pop(bisect.bisect_left(self._sorted, gone))
        self._ways.append(way)
        bisect.insort(self._sorted, way)

    def _grow(self, way: float) -> None:
        """A packet came too late: those that follow are given as much time."""
        if self._offset is not None:
            self._offset = max(self._offset, min(way, self._sorted[0] + self._most))

    def _note_delay(self, now: float) -> None:
        if self.delay > self.target + 2 * self._last_duration:
            self._too_long_since = now if self._too_long_since is None else self._too_long_since
        else:
            self._too_long_since = None

    def _restart(self) -> None:
        self._ways.clear()
        self._sorted.clear()
        self._waiting.clear()
        self._offset = self._next = self._played_to = None
