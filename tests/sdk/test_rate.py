"""The bit rate's control, against a link that is a few lines: a rate, and the queue that stands before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

import transport
from transport import RateControl


@dataclass
class Pipe:
    """A path of `capacity` bits a second, with an estimate of it that lags by a second."""

    capacity: float
    estimate: float
    queued: float = 0.0

    @property
    def send_rate(self) -> int:
        return round(self.estimate / 8)

    @property
    def queued_bytes(self) -> int:
        return round(self.queued / 8)

    def pass_time(self, sent: float, seconds: float) -> None:
        self.queued = max(0.0, self.queued + (sent - self.capacity) * seconds)
        self.estimate += (self.capacity - self.estimate) * min(1.0, seconds)


def run(
    rate: RateControl, pipe: Pipe, seconds: float, at: Callable[[float], float], start: float = 0.0
) -> list[tuple[float, int]]:
    """Time passes; the rates that were set, and when."""
    changes = []
    for step in range(round(seconds * 10)):
        now = start + step / 10
        pipe.capacity = at(now)
        pipe.pass_time(rate.bitrate, 0.1)
        if rate.update(now, pipe):
            changes.append((now, rate.bitrate))
    return changes


def test_a_path_that_takes_less_is_followed_within_two_seconds() -> None:
    rate = RateControl(100_000, 2_000_000)
    pipe = Pipe(4e6, 4e6)
    run(rate, pipe, 30, lambda now: 4e6 if now < 10 else 1e6)
    assert 300_000 < rate.bitrate <= 800_000
    assert pipe.queued < 0.3 * rate.bitrate
    rate = RateControl(100_000, 2_000_000)
    changes = run(rate, Pipe(4e6, 4e6), 30, lambda now: 4e6 if now < 10 else 1e6)
    assert 10 <= changes[0][0] <= 10.6
    assert next(when for when, bits in changes if bits <= 1_000_000) <= 12


def test_it_rises_again_slowly_and_not_beyond_its_share() -> None:
    rate = RateControl(100_000, 2_000_000, start=200_000)
    changes = run(rate, Pipe(2e6, 2e6), 60, lambda now: 2e6)
    assert rate.bitrate <= 1_500_000
    assert rate.bitrate > 1_300_000
    assert changes[0][0] >= 3
    assert all(b[0] - a[0] >= 0.95 and b[1] <= a[1] * 1.11 for a, b in pairwise(changes))


def test_a_wavering_estimate_does_not_make_the_rate_waver() -> None:
    rate = RateControl(100_000, 2_000_000, start=700_000)
    changes = run(rate, Pipe(1e6, 1e6), 120, lambda now: 1e6 * (1 + 0.04 * (-1) ** int(now)))
    assert len(changes) < 12


def test_drops_lower_it_where_nothing_else_tells() -> None:
    rate = RateControl(100_000, 1_000_000)
    pipe = Pipe(1e9, 1e9)
    assert not rate.update(0, pipe)
    assert rate.update(1, pipe, drops=3)
    assert rate.bitrate == 750_000
    assert not rate.update(1.1, pipe, drops=4)
    assert not rate.update(2, pipe, drops=4)
    assert (rate.steps_down, rate.steps_up) == (1, 0)


def test_it_stays_within_its_bounds() -> None:
    rate = RateControl(100_000, 300_000)
    run(rate, Pipe(1e4, 1e4), 30, lambda now: 1e4)
    assert rate.bitrate == 100_000
    run(rate, Pipe(1e9, 1e9), 60, lambda now: 1e9, start=30)
    assert rate.bitrate == 300_000
    unknown = RateControl(1, 10)
    assert not unknown.update(0, Pipe(0, 0))
    assert unknown.bitrate == 10


def test_bad_values_are_refused() -> None:
    for least, most, share in [(0, 1, 0.5), (2, 1, 0.5), (1, 2, 0.0), (1, 2, 1.5)]:
        with pytest.raises(transport.BadArgument):
            RateControl(least, most, share=share)
