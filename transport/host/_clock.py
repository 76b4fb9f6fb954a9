"""Clocks as arithmetic: they are told the time, in seconds of whatever clock the caller has.

`TickClock` says which ticks of a fixed rate are due. Ticks are bound to absolute time, so lateness never adds
up; after a stall at most two ticks are caught up, and the numbers of the rest are skipped. `FollowClock` is a
player's: it follows the host's ticks and aims so that inputs arrive a little before they are needed. `Ahead`
compares two clocks of one machine.
"""

from __future__ import annotations

import math
from typing import Final

CATCH_UP: Final = 2
"""Ticks that are run late after a stall; the rest are skipped."""
TARGET_LEAD: Final = 2.0
"""How early a player's inputs aim to arrive, ticks: covers jitter of one tick and the host's own lateness."""
_JUMP: Final = 15.0
"""An error beyond which the follower jumps instead of bending, ticks."""
_BEND: Final = 0.03
"""Share of the error corrected a state. What the host reports is up to 20 states old, so that more than a
twentieth would make the clock swing.
"""
_SETTLE: Final = 12
"""Inputs after a jump until what the host reports is about them."""
_MASK: Final = 0xFFFF_FFFF
_START_OVER: Final = 32
"""A clock that is set back by more than the host's buffer holds sends ticks anew instead of waiting."""


class Ahead:
    """How far one clock of this machine is ahead of another, which runs as fast and began at another time.

    No clock can be read while another is: of all readings the sharpest counts.
    """

    def __init__(self) -> None:
        self.us = 0
        """Microseconds; 0 before the first reading."""
        self._blur = math.inf

    def read(self, before: float, own: float, after: float) -> None:
        """Take a reading of this clock, `own`, made between two of the other."""
        if after - before < self._blur:
            self._blur = after - before
            self.us = round((own - (before + after) / 2) * 1e6)

    def waited(self, received_us: int, sent_us: int) -> int:
        """From `sent_us`, the other clock modulo 2^32, to `received_us` on this one, microseconds.

        What comes out below nothing is the readings' blur, and nothing.
        """
        waited = (received_us - self.us - sent_us) & _MASK
        return 0 if waited > _MASK // 2 else waited


class TickClock:
    """Tick n is due at `start + n / rate`; the first is 1."""

    def __init__(self, rate: float, start: float) -> None:
        self.rate = rate
        self.period = 1.0 / rate
        self.start = start
        self.next = 1
        """The tick to run next."""
        self.late = 0
        """Ticks that began a whole period late or more: the overruns."""
        self.skipped = 0
        """Ticks never run."""

    @property
    def next_at(self) -> float:
        """When the next tick is due."""
        return self.start + self.next * self.period

    def position(self, moment: float) -> float:
        """The moment in ticks; tick n is due at position n."""
        return (moment - self.start) * self.rate

    def due(self, now: float) -> range:
        """The ticks to run now, oldest first. They count as run."""
        newest = int(self.position(now) + 1e-9)
        if newest < self.next:
            return range(0)
        first = max(self.next, newest - CATCH_UP)
        self.skipped += first - self.next
        self.late += newest - first
        self.next = newest + 1
        return range(first, newest + 1)


class FollowClock:
    """A player's idea of the tick to send an input for, kept by the states that it gets."""

    def __init__(self, rate: float, target: float = TARGET_LEAD) -> None:
        self.rate = rate
        self.target = target
        self._base = 0.0
        self._base_at = 0.0
        self._known = False
        self._sent = 0
        self._heard = 0
        self._settled = 0
        self._deaf = 0

    def on_state(self, tick: int, lead: float | None, heard: int, now: float, rtt: float = 0.0) -> None:
        """Take a state's tick, lead and newest tick heard, as in its header. `rtt` in seconds."""
        guess = tick + rtt * self.rate + self.target
        if not self._known:
            self._jump(guess, now)
            return
        at = self.tick(now)
        if lead is None or heard <= self._heard:
            # Nothing new about this side's inputs. Where that lasts they do not fit the host's buffer.
            self._deaf += 1
            if self._deaf > self.rate:
                self._jump(guess, now)
                self._settled = 0
            return
        self._heard, self._deaf = heard, 0
        error = self.target - lead
        if heard < self._settled:
            return
        if abs(error) >= _JUMP:
            self._jump(at + error, now)
        else:
            self._base, self._base_at = at + error * _BEND, now

    def tick(self, now: float) -> float:
        """The tick that an input made now is for; 0 before the first state."""
        return self._base + (now - self._base_at) * self.rate if self._known else 0.0

    def due(self, now: float) -> tuple[int, int] | None:
        """The tick to send an input for and how many ticks it is since the last; none if none is due."""
        tick = round(self.tick(now))
        if tick < self._sent - _START_OVER:
            self._sent = tick - 1
        if not self._known or tick <= self._sent:
            return None
        steps, self._sent = tick - self._sent, tick
        return tick, steps

    def _jump(self, to: float, now: float) -> None:
        # What is on its way was sent by the old clock: the host's word counts again from here on.
        self._settled = int(max(to, self.tick(now))) + _SETTLE
        self._base, self._base_at, self._known, self._deaf = to, now, True, 0
