"""What was measured, from raw counts: latencies, ages of snapshots, traffic, drops; since the start or
a mark.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from transport import Drop

_AGE_STEP: Final = 0.001
Group = tuple[int, str, bool, int]
"""Place, kind, latest-wins, priority."""
Part = Literal["latency", "ages", "traffic", "drops"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
"""What a reading is made of; ages grow with tracks times readers, so a figure reads what it needs."""


@dataclass
class Reading:
    """What was counted until a moment, as far as it was asked for."""

    now: float = 0.0
    latency: dict[Group, Counter[int]] = field(default_factory=dict)
    """Frames by the largest microseconds of their bucket."""
    ages: dict[tuple[int, str], Counter[int]] = field(default_factory=dict)
    """Microseconds spent at an age of so many milliseconds, by place and track."""
    sent: dict[int, int] = field(default_factory=dict)
    """Bytes by place."""
    received: dict[int, int] = field(default_factory=dict)
    drops: dict[int, list[int]] = field(default_factory=dict)


def _minus(later: Mapping[int, int], earlier: Mapping[int, int] | None) -> Counter[int]:
    if not earlier:
        return Counter(later)
    return Counter({key: count - earlier.get(key, 0) for key, count in later.items()})


class Measured:
    """Figures between an earlier reading and now."""

    def __init__(
        self,
        read: Callable[[Part], Reading],
        place_of: Callable[[Any], int],
        since: Reading | None = None,
    ) -> None:
        self._read = read
        self._place_of = place_of
        self._since = since or Reading()

    def histogram(
        self, *, priority: int | None = None, kind: str | None = None, machine: Any = None
    ) -> Counter[int]:
        """Frames by latency: the largest microseconds of a bucket of 3%, and how many it has."""
        place = None if machine is None else self._place_of(machine)
        total: Counter[int] = Counter()
        for group, counts in self._read("latency").latency.items():
            at, its_kind, _, its_priority = group
            if place is not None and at != place:
                continue
            if (kind is not None and its_kind != kind) or (priority is not None and its_priority != priority):
                continue
            total.update(_minus(counts, self._since.latency.get(group)))
        return total

    def latency(
        self, quantile: float, *, priority: int | None = None, kind: str | None = None, machine: Any = None
    ) -> float:
        """See `harness.face.Figures`."""
        if not 0 <= quantile <= 1:
            raise ValueError(f"quantile {quantile}: pass 0 .. 1, such as 0.99")
        counts = self.histogram(priority=priority, kind=kind, machine=machine)
        total = sum(counts.values())
        if not total:
            return math.nan
        rank, seen = max(1, math.ceil(total * quantile)), 0
        for value in sorted(counts):
            seen += counts[value]
            if seen >= rank:
                return value / 1e6
        return math.nan

    def p99_latency(
        self, *, priority: int | None = None, kind: str | None = None, machine: Any = None
    ) -> float:
        """See `harness.face.Figures`."""
        return self.latency(0.99, priority=priority, kind=kind, machine=machine)

    def delivered(self, *, priority: int | None = None, kind: str | None = None, machine: Any = None) -> int:
        """See `harness.face.Figures`."""
        return sum(self.histogram(priority=priority, kind=kind, machine=machine).values())

    def starvation(self, *, buffer: float = 0.1, machine: Any = None) -> float:
        """See `harness.face.Figures`."""
        if buffer < 0:
            raise ValueError(f"buffer {buffer}: pass seconds, 0 or more")
        place = None if machine is None else self._place_of(machine)
        shares: list[float] = []
        for key, bins in self._read("ages").ages.items():
            if place is not None and key[0] != place:
                continue
            spent = _minus(bins, self._since.ages.get(key))
            total = sum(spent.values())
            if total > 0:
                starved = sum(time for age, time in spent.items() if age * _AGE_STEP >= buffer - 1e-9)
                shares.append(starved / total)
        return math.nan if not shares else sum(shares) / len(shares)

    def bandwidth(self, machine: Any) -> tuple[float, float]:
        """See `harness.face.Figures`."""
        place, reading, since = self._place_of(machine), self._read("traffic"), self._since
        seconds = max(1e-6, reading.now - since.now)
        sent = reading.sent.get(place, 0) - since.sent.get(place, 0)
        received = reading.received.get(place, 0) - since.received.get(place, 0)
        return sent * 8 / seconds, received * 8 / seconds

    def drops(self, machine: Any = None) -> Mapping[str, int]:
        """See `harness.face.Figures`."""
        place = None if machine is None else self._place_of(machine)
        total: Counter[str] = Counter()
        for at, counts in self._read("drops").drops.items():
            if place is not None and at != place:
                continue
            before = self._since.drops.get(at, [0] * len(counts))
            for number, (count, earlier) in enumerate(zip(counts, before, strict=True)):
                if count > earlier:
                    total[Drop(number).name.lower()] += count - earlier
        return dict(total)
