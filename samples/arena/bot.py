"""Bots: any number of players of one room, thought for at once.

What each bot has is kept apart (a delta on a baseline that this very bot lacks does not decode), but what
they see of a tick is the same world, so equal bytes are decoded once.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import numpy.typing as npt

from transport.snapshot import NotKept, Replica, SnapshotError, header

from .world import (
    ALIVE,
    DOWN,
    FIRE,
    INPUT,
    LEFT,
    PLAYER,
    RANGE,
    RIGHT,
    UNITS,
    UP,
    VIEW_STEPS,
)

CAPACITY: Final = 256
TICKS: Final = 64
_THINK_EVERY: Final = 4
"""Ticks between looks around; in between the last intention holds."""


class Bots:
    """The brains."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self.count = count
        self.replica = Replica(PLAYER, CAPACITY, TICKS)
        """What the bots know together."""
        self.undecodable = 0
        """States that could not be decoded."""
        self.wrong = 0
        """Deltas that did not make the state that another baseline's delta made of the same tick."""
        self.events: dict[str, int] = {}
        """Events had, by type."""
        self._have = np.full((count, TICKS), -1, np.int64)
        self._slots = np.full(count, -1, np.int64)
        self._decoded: dict[bytes, int] = {}
        self._rng = np.random.default_rng(seed)
        self._inputs = np.zeros(count, INPUT)
        self._heading = self._rng.integers(0, 16, count)

    def state(self, bot: int, body: bytes | memoryview) -> int | None:
        """Take a state; the tick that this bot has now, or none."""
        raw = bytes(body)
        try:
            _, _, _, _, tick, baseline = header(raw)
            if baseline < tick and self._have[bot, baseline % TICKS] != baseline:
                raise NotKept(f"bot {bot} lacks baseline {baseline}", baseline)
            if raw not in self._decoded and not self._decode(raw, tick, baseline):
                return None
        except SnapshotError:
            self.undecodable += 1
            return None
        self._have[bot, tick % TICKS] = tick
        return tick

    def event(self, bot: int, body: bytes) -> None:
        """Take an event."""
        event = json.loads(body)
        kind = str(event["type"])
        self.events[kind] = self.events.get(kind, 0) + 1
        if kind == "welcome":
            self._slots[bot] = int(event["slot"])

    def think(self, tick: int) -> npt.NDArray[np.void]:
        """Each bot's input for a tick."""
        newest = self.replica.newest
        if newest is not None and tick % _THINK_EVERY == 0:
            self._look_around(self.replica.exact(newest))
        if newest is not None:
            behind = max(0, tick - newest)
            self._inputs["view"] = min(behind * VIEW_STEPS, 255)
        return self._inputs

    def _decode(self, raw: bytes, tick: int, baseline: int) -> bool:
        newest = self.replica.newest
        if newest is None or tick > newest:
            self.replica.apply(raw)
            if len(self._decoded) > TICKS:
                self._decoded.clear()
        else:
            # Another baseline's delta of a tick that is known, or a tick that all others missed.
            known = self.replica.exact(tick)
            base = self.replica.exact(baseline) if baseline < tick else None
            if self.replica.codec.decode(raw, base).tobytes() != known.tobytes():
                self.wrong += 1
                return False
        self._decoded[raw] = tick
        return True

    def _look_around(self, state: npt.NDArray[np.void]) -> None:
        slots = np.maximum(self._slots, 0)
        where = np.stack([state["x"], state["y"]], axis=1).astype(np.float32) / UNITS
        targets = np.flatnonzero(state["flags"] & ALIVE)
        turn = self._rng.random(self.count) < 0.1
        self._heading[turn] = self._rng.integers(0, 16, int(turn.sum()))
        buttons = self._heading.astype(np.uint8)
        self._inputs["buttons"] = buttons & (UP | DOWN | LEFT | RIGHT)
        if len(targets) < 2:
            return
        offset = where[targets][None, :, :] - where[slots][:, None, :]
        distance = np.hypot(offset[:, :, 0], offset[:, :, 1])
        distance[targets[None, :] == slots[:, None]] = np.inf
        nearest = distance.argmin(axis=1)
        row = np.arange(self.count)
        toward = offset[row, nearest]
        angle = np.arctan2(toward[:, 1], toward[:, 0]) + self._rng.normal(0, 0.02, self.count)
        self._inputs["aim"] = np.rint(angle * (256 / (2 * np.pi))).astype(np.int64) & 0xFF
        in_range = (distance[row, nearest] < RANGE * 0.8) & (self._slots >= 0)
        self._inputs["buttons"] |= np.where(in_range, FIRE, 0).astype(np.uint8)
