"""HdrHistogram of durations: microseconds to ten minutes, right to three digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 600_000_000
_DIGITS: Final = 3
CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100)
"""Percentiles that a curve is drawn through."""


class Histogram:
    """Durations in milliseconds. Below 1 us counts as 1 us, above ten minutes as ten minutes."""

    def __init__(self) -> None:
        self._inside = _empty()

    def add(self, milliseconds: Iterable[float]) -> None:
        """Count some."""
        values = np.fromiter(milliseconds, np.float64)
        if not len(values):
            return
        whole = np.clip(np.rint(values * 1e3), LOWEST_US, HIGHEST_US).astype(np.int64)
        for value, count in zip(*np.unique(whole, return_counts=True), strict=True):
            self._inside.record_value(int(value), int(count))

    def add_counts(self, counts: Mapping[int, int]) -> None:
        """Count some that are counted already, by microseconds."""
        for value, count in counts.items():
            if count > 0:
                self._inside.record_value(min(max(value, LOWEST_US), HIGHEST_US), count)

    def merge(self, other: Histogram) -> None:
        """Count all of another's."""
        self._inside.add(other._inside)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._inside.total_count)

    @property
    def mean(self) -> float:
        """Milliseconds; 0 of none."""
        return float(self._inside.get_mean_value()) / 1e3 if self.count else 0.0

    @property
    def max(self) -> float:
        """Milliseconds; 0 of none."""
        return float(self._inside.get_max_value()) / 1e3 if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """What `percent` (0 .. 100) of all do not exceed, milliseconds; 0 of none."""
        return float(self._inside.get_value_at_percentile(percent)) / 1e3 if self.count else 0.0

    def curve(self) -> list[tuple[float, float]]:
        """(percent, milliseconds) at `CURVE`."""
        return [(percent, self.percentile(percent)) for percent in CURVE]

    def encode(self) -> str:
        """HdrHistogram's V2 compressed form, base64."""
        return bytes(self._inside.encode()).decode("ascii")

    @staticmethod
    def decode(text: str) -> Histogram:
        """The other way round. `ValueError` for what is none."""
        from hdrh.histogram import HdrHistogram

        found = Histogram()
        try:
            inside = HdrHistogram.decode(text)
        except Exception as wrong:  # the library raises whatever its decoder stumbled over
            raise ValueError(f"{text[:20]!r} is no histogram: {wrong}") from None
        found._inside.add(inside)
        return found


def _empty() -> HdrHistogram:
    try:
        from hdrh.histogram import HdrHistogram
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "hdrhistogram is not installed: pip install clutchcall[harness], "
            "or python3 dev.py setup --dev in a checkout"
        ) from None
    return HdrHistogram(LOWEST_US, HIGHEST_US, _DIGITS)
