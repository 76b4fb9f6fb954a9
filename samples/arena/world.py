"""The rules: all players are rows of arrays, and a tick is arithmetic on them. No network, no clock.

Players run in a square, aim, and shoot along a ray. A shot is judged against where the others were on the
shooter's screen (lag compensation): `past(view)` gives the world at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

HALF: Final = 100.0
"""Half the square's side, metres."""
SPEED: Final = 10.0
"""Metres a second."""
RANGE: Final = 60.0
RADIUS: Final = 1.0
"""Of a player, metres."""
DAMAGE: Final = 25
FULL_HEALTH: Final = 100
COOLDOWN: Final = 15
"""Ticks between shots."""
RESPAWN: Final = 120
"""Ticks until a dead player is back."""
UNITS: Final = 128
"""Of a position in a snapshot, a metre: what moves in six ticks still fits one byte."""
VIEW_STEPS: Final = 8
"""Of a tick, in an input's `view`."""
MAX_VIEW: Final = 24.0
"""How far back a shot is judged at most, ticks: nobody is shot half a second after taking cover."""

UP, DOWN, LEFT, RIGHT, FIRE = 1, 2, 4, 8, 16
PRESENT, ALIVE = 1, 2

INPUT: Final[np.dtype[Any]] = np.dtype([("buttons", "u1"), ("aim", "u1"), ("view", "u1")])
"""One player's input: buttons, direction (256 steps of a turn), and how many ticks (in 1/8) before the
input's own tick the world on its screen was.
"""
PLAYER: Final[np.dtype[Any]] = np.dtype(
    [
        ("flags", "u1"),
        ("x", "<i2"),
        ("y", "<i2"),
        ("aim", "u1"),
        ("health", "u1"),
        ("score", "<u2"),
        ("shots", "u1"),
    ]
)
"""One player in a snapshot."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A shot that hit."""

    by: int
    of: int
    health: int
    """What is left."""


class World:
    """The state of `capacity` players, of whom some are present."""

    def __init__(self, capacity: int, seed: int = 1) -> None:
        self.capacity = capacity
        self.position = np.zeros((capacity, 2), np.float32)
        self.aim = np.zeros(capacity, np.uint8)
        self.health = np.zeros(capacity, np.int32)
        self.score = np.zeros(capacity, np.int32)
        self.shots = np.zeros(capacity, np.uint8)
        self.present = np.zeros(capacity, np.bool_)
        self._ready_at = np.zeros(capacity, np.int64)
        self._back_at = np.zeros(capacity, np.int64)
        self._rng = np.random.default_rng(seed)

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """Who can move, shoot and be shot."""
        marks: npt.NDArray[np.bool_] = self.present & (self.health > 0)
        return marks

    def enter(self, slot: int) -> None:
        """A player comes in, with nothing to its name."""
        self.present[slot] = True
        self.score[slot] = self.shots[slot] = 0
        self._place(np.array([slot]))

    def leave(self, slot: int) -> None:
        """A player goes."""
        self.present[slot] = False
        self.health[slot] = 0

    def step(
        self,
        tick: int,
        dt: float,
        inputs: npt.NDArray[np.void],
        past: Callable[[float], npt.NDArray[np.void]],
    ) -> list[Hit]:
        """Advance by one tick; `past(moment)` is the snapshot at a moment before this tick."""
        returning = self.present & (self.health <= 0) & (self._back_at <= tick)
        if returning.any():
            self._place(np.flatnonzero(returning))
        alive = self.alive
        buttons = inputs["buttons"]
        pressed = np.unpackbits(buttons[:, None], axis=1, bitorder="little")[:, :5].astype(np.float32)
        move = np.stack([pressed[:, 3] - pressed[:, 2], pressed[:, 0] - pressed[:, 1]], axis=1)
        length = np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1.0)
        self.position += move / length * (SPEED * dt) * alive[:, None]
        np.clip(self.position, -HALF, HALF, out=self.position)
        self.aim = np.where(alive, inputs["aim"], self.aim)
        shooting = alive & (buttons & FIRE != 0) & (self._ready_at <= tick)
        self._ready_at[shooting] = tick + COOLDOWN
        self.shots[shooting] += 1
        return self._judge(tick, np.flatnonzero(shooting), inputs["view"], past)

    def snapshot(self) -> npt.NDArray[np.void]:
        """The players as they are sent; absent ones are zeros."""
        state = np.zeros(self.capacity, PLAYER)
        here = self.present
        state["flags"] = here * PRESENT | self.alive * ALIVE
        units = np.rint(self.position * UNITS).astype(np.int16)
        state["x"], state["y"] = units[:, 0] * here, units[:, 1] * here
        state["aim"] = self.aim * here
        state["health"] = np.clip(self.health, 0, 255) * here
        state["score"] = np.minimum(self.score, 0xFFFF) * here
        state["shots"] = self.shots * here
        return state

    def _judge(
        self,
        tick: int,
        shooters: npt.NDArray[np.intp],
        view: npt.NDArray[np.uint8],
        past: Callable[[float], npt.NDArray[np.void]],
    ) -> list[Hit]:
        """Who was hit; shots of one tick do not see each other's effect on health until they are counted."""
        hits: list[Hit] = []
        moments = np.maximum(tick - np.minimum(view[shooters] / VIEW_STEPS, MAX_VIEW), 0.0)
        for moment in np.unique(moments).tolist():
            then = past(moment)
            where = np.stack([then["x"], then["y"]], axis=1).astype(np.float32) / np.float32(UNITS)
            standing = (then["flags"] & ALIVE != 0) & self.alive
            group = shooters[moments == moment]
            targets = first_hits(self.position[group], self.aim[group], where, standing, group)
            for by, of in zip(group.tolist(), targets.tolist(), strict=True):
                if of < 0 or self.health[of] <= 0:
                    continue
                self.health[of] -= DAMAGE
                if self.health[of] <= 0:
                    self.score[by] += 1
                    self._back_at[of] = tick + RESPAWN
                hits.append(Hit(by, of, max(0, int(self.health[of]))))
        return hits

    def _place(self, slots: npt.NDArray[np.intp]) -> None:
        self.position[slots] = self._rng.uniform(-HALF, HALF, (len(slots), 2))
        self.health[slots] = FULL_HEALTH


def first_hits(
    origins: npt.NDArray[np.float32],
    aims: npt.NDArray[np.uint8],
    where: npt.NDArray[np.float32],
    standing: npt.NDArray[np.bool_],
    shooters: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """For each shooter the nearest player on its ray, or -1."""
    angles = aims * np.float32(2 * np.pi / 256)
    x, y = np.cos(angles)[:, None], np.sin(angles)[:, None]
    dx = where[None, :, 0] - origins[:, 0, None]
    dy = where[None, :, 1] - origins[:, 1, None]
    along = dx * x + dy * y
    on_ray = standing & (along > 0) & (along <= RANGE) & (np.abs(dx * y - dy * x) <= RADIUS)
    on_ray[np.arange(len(shooters)), shooters] = False
    nearest = np.where(on_ray, along, np.inf).argmin(axis=1)
    return np.where(on_ray.any(axis=1), nearest, -1)
