"""What the proxy's program counts, as values: `Counters`, and the change between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times, counted in buckets."""

    counts: Mapping[tuple[float, float], int]
    """How many there are from a time to another, seconds; ascending."""
    total: float
    """The sum of all times, seconds."""
    longest: float
    """The longest since the start, seconds."""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """Their mean in seconds, 0 of none."""
        return self.total / max(1, self.count)

    def quantile(self, share: float) -> float:
        """The time that `share` (0 .. 1) of all stay below, seconds, right to 6%; 0 of none."""
        wanted = share * self.count
        for (begin, end), count in self.counts.items():
            if count and wanted <= count:
                return min(begin + (end - begin) * wanted / count, self.longest)
            wanted -= count
        return self.longest if self.counts else 0.0

    def since(self, earlier: Histogram) -> Histogram:
        """Those that came after `earlier`."""
        counts = {place: now - earlier.counts.get(place, 0) for place, now in self.counts.items()}
        new = {place: count for place, count in counts.items() if count}
        return Histogram(new, self.total - earlier.total, self.longest)


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of all clients together, since the start."""

    packets: int
    """What came in."""
    bytes: int
    """UDP payload."""
    delivered: int
    """What went out, second copies among it."""
    delivered_bytes: int
    lost: Mapping[str, int]
    """By cause; every cause is there."""
    duplicated: int
    corrupted: int
    reordered: int
    waiting_packets: int
    """What waits for the bottleneck now."""
    waiting_bytes: int
    queue_peak_bytes: int
    """The most that one client's bottleneck had before it."""
    inside: int
    """Packets under way now, waiting ones among them."""
    delay: Histogram
    """From arrival to delivery, as the model decided."""

    @property
    def lost_in_all(self) -> int:
        """By any cause."""
        return sum(self.lost.values())

    def since(self, earlier: Direction) -> Direction:
        """What happened after `earlier`; what is a state and no count stays."""
        return Direction(
            self.packets - earlier.packets,
            self.bytes - earlier.bytes,
            self.delivered - earlier.delivered,
            self.delivered_bytes - earlier.delivered_bytes,
            {cause: count - earlier.lost.get(cause, 0) for cause, count in self.lost.items()},
            self.duplicated - earlier.duplicated,
            self.corrupted - earlier.corrupted,
            self.reordered - earlier.reordered,
            self.waiting_packets,
            self.waiting_bytes,
            self.queue_peak_bytes,
            self.inside,
            self.delay.since(earlier.delay),
        )


@dataclass(frozen=True, slots=True)
class Counters:
    """What the proxy did since it started."""

    at: float
    """Seconds since the start."""
    profile: str
    paused: bool
    clients: int
    """Now."""
    clients_ever: int
    up: Direction
    """From the clients."""
    down: Direction
    """To them."""
    outside: Mapping[str, int]
    """Packets lost outside the model: paused, turned_away, no_room, refused, unsent, abandoned,
    rebound."""
    late_mean: float
    """How much later than due packets left since the figures before these, seconds."""
    late_max: float


def parse(line: Mapping[str, Any]) -> Counters:
    """The figures in a line of type `stats`."""
    return Counters(
        line["at_us"] * _MICRO,
        line["profile"],
        line["paused"],
        line["clients"],
        line["clients_ever"],
        _direction(line["up"]),
        _direction(line["down"]),
        line["outside"],
        line["late"]["mean_us"] * _MICRO,
        line["late"]["max_us"] * _MICRO,
    )


def _direction(told: Mapping[str, Any]) -> Direction:
    delay = told["delay"]
    counts = {(begin * _MICRO, end * _MICRO): count for begin, end, count in delay["buckets"]}
    return Direction(
        told["packets"],
        told["bytes"],
        told["delivered"],
        told["delivered_bytes"],
        told["lost"],
        told["duplicated"],
        told["corrupted"],
        told["reordered"],
        told["waiting_packets"],
        told["waiting_bytes"],
        told["queue_peak_bytes"],
        told["inside"],
        Histogram(counts, delay["sum_us"] * _MICRO, delay["max_us"] * _MICRO),
    )
