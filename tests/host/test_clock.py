from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.host import FollowClock, TickClock, protocol
from transport.host._clock import Ahead
from transport.host._inputs import InputBuffer


def test_ticks_are_bound_to_absolute_time() -> None:
    clock = TickClock(60, start=10.0)
    assert list(clock.due(10.0)) == []
    assert list(clock.due(10.0 + 1 / 60)) == [1]
    assert list(clock.due(10.0 + 1.9 / 60)) == []
    assert clock.next_at == pytest.approx(10.0 + 2 / 60)
    assert list(clock.due(10.0 + 2.5 / 60)) == [2]
    assert clock.next_at == pytest.approx(10.0 + 3 / 60), "lateness does not add up"
    assert (clock.late, clock.skipped) == (0, 0)


def test_a_stall_catches_up_two_and_skips_the_rest() -> None:
    clock = TickClock(60, start=0.0)
    assert list(clock.due(3 / 60)) == [1, 2, 3]
    assert (clock.late, clock.skipped) == (2, 0)
    assert list(clock.due(1.0)) == [58, 59, 60]
    assert (clock.late, clock.skipped) == (4, 54)
    assert list(clock.due(61 / 60)) == [61]


@given(st.lists(st.floats(0, 0.2), max_size=100))
def test_each_tick_runs_once_in_order_or_is_counted(steps: list[float]) -> None:
    clock, now, ran = TickClock(60, 0.0), 0.0, []
    for step in steps:
        now += step
        ran += list(clock.due(now))
    assert ran == sorted(set(ran))
    assert len(ran) + clock.skipped == clock.next - 1


@pytest.mark.parametrize("delay", [0.005, 0.1])
@pytest.mark.parametrize("stale", [0, 100, 1000])
@pytest.mark.parametrize("stall", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("stalled", ["inputs", "states", "player", "all"])
def test_a_follower_settles_at_the_target(delay: float, stale: int, stall: float, stalled: str) -> None:
    """Against a host whose states and inputs take `delay` each way; the first state is `stale` ticks old, and
    ten seconds later something stalls for a while.
    """
    host, player, buffer = TickClock(60, 0.0), FollowClock(60), InputBuffer("u1", 1)
    inputs: list[tuple[float, int]] = []
    states: list[tuple[float, tuple[int, float | None, int]]] = []
    ahead: list[float] = []

    def held(what: str, moment: float) -> float:
        """When something sent at a moment goes on."""
        begin = (1100 + 600) / 60
        return begin + stall if stalled in (what, "all") and begin <= moment < begin + stall else moment

    for tick in range(1100, 1100 + 60 * 25):
        now = tick / 60
        for arrived, newest in [packet for packet in inputs if packet[0] <= now]:
            inputs.remove((arrived, newest))
            payload = np.frombuffer(protocol.pack_inputs(newest, 0, 0, [b"x"]), np.uint8)
            at, size, slot = np.array([0]), np.array([len(payload)]), np.array([0])
            buffer.put(payload, at, size, slot, np.array([host.position(arrived)]))
        buffer.take(tick, ())
        lead = float(buffer.lead[0])
        told = tick - stale if tick == 1100 else tick
        states.append(
            (held("states", now) + delay, (told, None if np.isinf(lead) else lead, int(buffer.newest[0])))
        )
        if held("player", now) != now:
            continue
        for item in [state for state in states if state[0] <= now]:
            states.remove(item)
            player.on_state(*item[1], now)
        due = player.due(now)
        if due is not None:
            arrives = held("inputs", now) + delay
            inputs.append((arrives, due[0]))
            ahead.append(due[0] - host.position(arrives))
    settled = ahead[-300:]
    assert all(abs(late - player.target) < 1.5 for late in settled), settled[::20]


def test_the_sharpest_reading_of_two_clocks_counts() -> None:
    ahead = Ahead()
    assert ahead.us == 0
    ahead.read(100.000, 40.030, 100.040)  # 10 ms off: the reader was held up
    assert ahead.us == -59_990_000
    ahead.read(101.000, 41.000_002, 101.000_004)
    assert ahead.us == -60_000_000
    ahead.read(102.000, 42.020, 102.030)
    assert ahead.us == -60_000_000


def test_what_took_less_than_nothing_took_nothing() -> None:
    """The other clock counts modulo 2^32 microseconds: less than nothing would look like an hour."""
    ahead = Ahead()
    ahead.read(100.0, 40.0, 100.0)
    assert ahead.waited(41_000_500, 101_000_000) == 500
    assert ahead.waited(40_999_999, 101_000_000) == 0
    assert ahead.waited(4_300_001_000, 4_360_000_000 & 0xFFFF_FFFF) == 1000
