"""What the host says: a reading a second, and latency histograms for the summary."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from transport import NodeStats, TrackKind

HISTORY: Final = 120
"""Readings kept for the live page: two minutes."""


_MODALITIES: Final = {
    "frame": (TrackKind.FRAME_DATAGRAM, TrackKind.FRAME_STREAM),
    "text": (TrackKind.TEXT,),
    "audio": (TrackKind.AUDIO,),
    "video": (TrackKind.VIDEO,),
}


class Histogram:
    """Durations in bins of 5%, from a microsecond to a minute: bounded, however many there are."""

    _LOW: Final = 1e-6
    _STEP: Final = 1.05
    _BINS: Final = 370

    def __init__(self) -> None:
        self.counts = np.zeros(self._BINS, np.int64)

    @property
    def count(self) -> int:
        """Durations noted."""
        return int(self.counts.sum())

    def add(self, seconds: npt.ArrayLike) -> None:
        """Note some durations."""
        values = np.maximum(np.asarray(seconds, np.float64), self._LOW)
        bins = np.minimum(np.log(values / self._LOW) / np.log(self._STEP), self._BINS - 1)
        self.counts += np.bincount(bins.astype(np.int64).reshape(-1), minlength=self._BINS)

    def quantile(self, share: float) -> float:
        """The duration that `share` of them do not exceed, seconds, to 5%; 0 if there are none."""
        total = self.count
        if not total:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self.counts), share * total))
        return float(self._LOW * self._STEP ** (place + 1))


def quantiles(values: Iterable[float], *shares: float) -> list[float]:
    """Quantiles of a few values; zeros if there are none."""
    array = np.fromiter(values, np.float64)
    return [float(np.quantile(array, share)) if len(array) else 0.0 for share in shares]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one second was like."""

    time: float
    """Unix time."""
    name: str
    """The room, or how many."""
    players: int
    frames_in: float
    """Objects received a second."""
    frames_out: float
    """Objects sent a second."""
    drops: Mapping[str, int]
    """Frames not delivered in this second, by reason; only those above 0."""
    rtt_ms: tuple[float, float]
    """p50 and p99 over sessions."""
    tick_ms: tuple[float, float]
    """p50 and p99 over the last ticks of all rooms."""
    late: int
    """Ticks of this second that began a period late, or never."""
    relay_us: float
    """CPU time of the I/O thread an object sent."""
    kinds: Mapping[str, float]
    """Objects that came in, a second, by what they carry: frame, text, audio, video."""

    def line(self) -> str:
        """One line that a person can read."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.time))
        drops = ", ".join(f"{name} {count}" for name, count in self.drops.items()) or "none"
        rtt = f"rtt p50 {self.rtt_ms[0]:.1f} p99 {self.rtt_ms[1]:.1f} ms" if any(self.rtt_ms) else "rtt -"
        cost = f"relay {self.relay_us:.1f} us/object" if self.relay_us else "relay idle"
        kinds = " ".join(f"{name} {rate:.0f}" for name, rate in self.kinds.items())
        who = "player" if self.players == 1 else "players"
        return (
            f"{clock} {self.name} {self.players} {who} | "
            f"in {self.frames_in:.0f}/s out {self.frames_out:.0f}/s | {kinds} | drops {drops} | "
            f"{rtt} | tick p99 {self.tick_ms[1]:.1f} ms ({self.late} late) | {cost}"
        )

    def fields(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "name": self.name,
            "players": self.players,
            "in_per_s": round(self.frames_in, 1),
            "out_per_s": round(self.frames_out, 1),
            "drops": dict(self.drops),
            "rtt_p50_ms": round(self.rtt_ms[0], 3),
            "rtt_p99_ms": round(self.rtt_ms[1], 3),
            "tick_p50_ms": round(self.tick_ms[0], 3),
            "tick_p99_ms": round(self.tick_ms[1], 3),
            "late": self.late,
            "relay_us_per_object": round(self.relay_us, 2),
            "kinds_per_s": {name: round(rate, 1) for name, rate in self.kinds.items()},
        }


@dataclass(slots=True)
class Meter:
    """Turns counters into readings."""

    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _last: NodeStats | None = None
    _last_at: float = 0.0
    _last_late: int = 0

    def begin(self, stats: NodeStats, now: float) -> None:
        """What the first reading counts from."""
        self._last, self._last_at = stats, now

    def read(
        self,
        stats: NodeStats,
        now: float,
        name: str,
        players: int,
        rtts: Iterable[float],
        durations: Iterable[float],
        late: int,
    ) -> Reading:
        """A reading of what happened since the one before; `late` counts from the start."""
        last = self._last
        seconds = max(now - self._last_at, 1e-3)
        sent = stats.objects_out - (last.objects_out if last else 0)
        received = stats.objects_in - (last.objects_in if last else 0)
        cpu = stats.cpu - (last.cpu if last else 0.0)
        drops = {
            drop.name.lower(): count - (last.drops[drop] if last else 0)
            for drop, count in stats.drops.items()
            if count > (last.drops[drop] if last else 0)
        }
        rtt = quantiles(rtts, 0.5, 0.99)
        tick = quantiles(durations, 0.5, 0.99)
        reading = Reading(
            time=time.time(),
            name=name,
            players=players,
            frames_in=received / seconds if last else 0.0,
            frames_out=sent / seconds if last else 0.0,
            drops=drops,
            rtt_ms=(rtt[0] * 1e3, rtt[1] * 1e3),
            tick_ms=(tick[0] * 1e3, tick[1] * 1e3),
            late=late - self._last_late,
            relay_us=cpu / sent * 1e6 if sent else 0.0,
            kinds={
                name: sum(stats.kinds[kind] - (last.kinds[kind] if last else 0) for kind in kinds) / seconds
                for name, kinds in _MODALITIES.items()
            },
        )
        self._last, self._last_at, self._last_late = stats, now, late
        self.readings.append(reading)
        return reading
