"""The jitter buffer, in time of the tests' own."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from transport._jitter import Due, JitterBuffer

PACKET = 0.020


class Listener:
    """Packets with their ways to go, and what is heard, a millisecond at a time."""

    def __init__(self, **options: float) -> None:
        self.buffer: JitterBuffer[int] = JitterBuffer(**options)
        self.heard: list[tuple[float, Due[int]]] = []

    def run(self, arrivals: list[tuple[float, int, bool]], end: float) -> None:
        """Arrivals are (when, number, speech); packet n was captured at 1000 + n * PACKET."""
        arrivals = sorted(arrivals)
        at, now = 0, 0.0
        while now < end:
            while at < len(arrivals) and arrivals[at][0] <= now:
                when, number, active = arrivals[at]
                self.buffer.put(1000 + number * PACKET, PACKET, number, when, active)
                at += 1
            self.heard += [(now, due) for due in self.buffer.take(now)]
            now += 0.001

    @property
    def numbers(self) -> list[int | None]:
        return [due.item for _, due in self.heard]


def test_an_even_stream_is_played_evenly_and_soon() -> None:
    listener = Listener()
    listener.run([(n * PACKET + 0.05, n, True) for n in range(100)], 2.2)
    assert listener.numbers[:100] == list(range(100))
    steps = {round(b[0] - a[0], 3) for a, b in pairwise(listener.heard[:100])}
    assert steps <= {0.019, 0.02, 0.021}
    assert listener.heard[0][0] == pytest.approx(0.07, abs=0.002)


@pytest.mark.parametrize("seed", range(5))
def test_the_delay_follows_the_jitter(seed: int) -> None:
    draw = random.Random(seed)
    # Talk spurts of a second, half a second between them, packets up to 80 ms late.
    numbers = [n for n in range(1500) if n % 75 < 50]
    arrivals = [(n * PACKET + 0.03 + draw.random() * 0.08, n, n % 75 != 49) for n in numbers]
    listener = Listener()
    listener.run(arrivals, 32.0)
    counts = listener.buffer.counts
    later = [due.item for when, due in listener.heard if when > 6]
    assert counts.late + counts.lost < 0.06 * len(numbers)
    assert later.count(None) < 0.05 * len(later)
    played = [item for item in listener.numbers if item is not None]
    assert played == sorted(played)
    assert 0.05 < listener.buffer.target < 0.12
    starts = [due.item for _, due in listener.heard if due.first]
    assert len(starts) >= 18, "the pauses are silence, not loss"


def test_a_lost_packet_is_told_and_a_pause_is_not() -> None:
    listener = Listener()
    arrivals = [(n * PACKET + 0.05, n, n != 49) for n in range(50) if n != 20]
    arrivals += [(n * PACKET + 0.05, n, True) for n in range(100, 150)]
    listener.run(arrivals, 3.1)
    want: list[int | None] = [*range(20), None, *range(21, 50), *range(100, 150)]
    assert listener.numbers[: len(want)] == want
    assert listener.buffer.counts.lost <= 1 + 5


def test_speech_that_breaks_off_is_concealed_for_a_moment_alone() -> None:
    listener = Listener()
    listener.run([(n * PACKET + 0.05, n, True) for n in range(50)], 5.0)
    assert listener.numbers == [*range(50), *[None] * 5]


def test_what_comes_too_late_is_left_out_and_the_delay_grows() -> None:
    listener = Listener()
    # From packet 50 on the way is 150 ms longer.
    arrivals = [(n * PACKET + (0.05 if n < 50 else 0.2), n, True) for n in range(200)]
    listener.run(arrivals, 5.0)
    played = [item for item in listener.numbers if item is not None]
    assert played == sorted(set(played))
    assert len(played) >= 190
    assert listener.buffer.delay >= 0.14


def test_a_delay_that_is_too_long_shrinks() -> None:
    listener = Listener()
    # One packet of the first second comes 300 ms late, nothing ever again.
    arrivals = [(n * PACKET + (0.35 if n == 30 else 0.05), n, True) for n in range(2000)]
    listener.run(arrivals, 40.0)
    assert listener.buffer.delay < 0.1
    assert listener.buffer.counts.trimmed < 30
    assert listener.buffer.counts.lost < 25


def test_duplicates_are_known_and_what_waits_is_bounded() -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    assert buffer.put(1.0, PACKET, 1, 0.0)
    assert not buffer.put(1.0, PACKET, 1, 0.0)
    assert buffer.counts.duplicates == 1
    for n in range(5000):
        buffer.put(2.0 + n * PACKET, PACKET, n, 0.0)
    assert len(buffer) <= 512


def test_a_talker_whose_clock_is_set_back_is_heard_on() -> None:
    listener = Listener()
    listener.run([(n * PACKET + 0.05, n, True) for n in range(50)], 1.05)
    for n in range(250):
        now = 1.2 + n * PACKET
        listener.buffer.put(500 + n * PACKET, PACKET, 1000 + n, now)
        listener.heard += [(now, due) for due in listener.buffer.take(now)]
    assert len([item for item in listener.numbers if item is not None and item >= 1000]) > 40


def test_random_arrivals_never_play_anything_twice_or_backwards() -> None:
    draw = random.Random(7)
    for _ in range(20):
        listener = Listener()
        arrivals = [(n * PACKET + draw.random() ** 4 * 2, n, draw.random() < 0.9) for n in range(300)]
        listener.run([one for one in arrivals if draw.random() < 0.8], 9.0)
        played = [item for item in listener.numbers if item is not None]
        assert played == sorted(set(played))
        times = [due.timestamp for _, due in listener.heard]
        assert all(b > a for a, b in pairwise(times))
        assert listener.buffer.delay <= 2.5


def test_bad_delays_are_refused() -> None:
    with pytest.raises(ValueError, match="min_delay"):
        JitterBuffer(0.5, 0.1)
