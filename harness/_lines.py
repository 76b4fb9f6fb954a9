"""What one direction of a lossy path does to its packets: pure decisions, no socket, no clock.

Each packet draws the same number of times, so what befalls the n-th packet of a direction depends on the seed
and on n alone (and, for a rate limit, on the times that are passed in).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

_MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Burst:
    """Loss in bursts, after Gilbert and Elliott: a good and a bad state, changed by chance at each packet."""

    enter: float
    """Chance to go from good to bad, 0 .. 1."""
    leave: float
    """Chance to go from bad to good, 0 .. 1; bursts last 1 / leave packets on average."""
    loss: float = 1.0
    """Share that is lost in the bad state, 0 .. 1."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_share(getattr(self, field.name), field.name)

    @property
    def share(self) -> float:
        """Share of all packets that is lost in the long run."""
        moves = self.enter + self.leave
        return self.loss * self.enter / moves if moves else 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What happens in one direction. The default does nothing."""

    delay: float = 0.0
    """One-way delay, seconds."""
    jitter: float = 0.0
    """Each packet's delay is drawn from delay - jitter .. delay + jitter, seconds."""
    loss: float = 0.0
    """Share of packets lost, each by itself, 0 .. 1."""
    burst: Burst | None = None
    """Loss in bursts, beside `loss`."""
    rate: float = 0.0
    """Bytes a second that pass, UDP payload; 0: no limit."""
    queue_bytes: int = 64 * 1024
    """What waits for the rate at most; a packet beyond it is dropped. Ignored without a rate."""
    reorder: bool = False
    """Whether jitter may put a packet before an earlier one; else a packet waits for those before it, which
    raises the mean delay towards delay + jitter as packets come closer to each other.
    """

    def __post_init__(self) -> None:
        _check_share(self.loss, "loss")
        for what, value in (("delay", self.delay), ("jitter", self.jitter)):
            if not 0 <= value <= _MAX_SECONDS:
                raise ValueError(f"{what} is {value} s: pass 0 .. {_MAX_SECONDS:g}")
        if self.jitter > self.delay:
            raise ValueError(f"jitter {self.jitter} s is above delay {self.delay} s: no packet comes early")
        if not 0 <= self.rate < 1e12:
            raise ValueError(f"rate is {self.rate}: pass bytes a second, or 0 for none")
        if self.queue_bytes < 1500:
            raise ValueError(f"queue_bytes is {self.queue_bytes}: pass 1500, one packet, or more")


@dataclass(slots=True)
class Counts:
    """What a direction did."""

    passed: int = 0
    """Packets sent on, or waiting to be."""
    passed_bytes: int = 0
    lost: int = 0
    """Packets lost by chance."""
    full: int = 0
    """Packets dropped because the queue before the rate limit was full."""
    delay: float = 0.0
    """Delay given to all that passed together, seconds; over `passed`, the mean."""

    def add(self, other: Counts) -> None:
        """Count another direction's, too."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Line:
    """One direction of one client's packets."""

    def __init__(self, profile: Profile, seed: str) -> None:
        self.profile = profile
        self.counts = Counts()
        self._rng = random.Random(seed)
        self._bad = False
        self._free_at = float("-inf")
        self._last = float("-inf")

    def take(self, now: float, size: int) -> float | None:
        """When a packet of `size` bytes that comes at `now` goes on, seconds; none: it is lost."""
        profile, counts = self.profile, self.counts
        lost = self._is_lost()
        wobble = (2 * self._rng.random() - 1) * profile.jitter
        if lost:
            counts.lost += 1
            return None
        due = now
        if profile.rate:
            waits = max(0.0, self._free_at - now)
            if waits * profile.rate + size > profile.queue_bytes:
                counts.full += 1
                return None
            due = self._free_at = now + waits + size / profile.rate
        due += profile.delay + wobble
        if not profile.reorder:
            due = self._last = max(due, self._last)
        counts.passed += 1
        counts.passed_bytes += size
        counts.delay += due - now
        return due

    def _is_lost(self) -> bool:
        chance, move, bad = self._rng.random(), self._rng.random(), self._rng.random()
        lost = chance < self.profile.loss
        burst = self.profile.burst
        if burst is not None:
            self._bad = move >= burst.leave if self._bad else move < burst.enter
            lost |= self._bad and bad < burst.loss
        return lost


def _check_share(value: float, what: str) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{what} is {value}: pass a share, 0 .. 1")
