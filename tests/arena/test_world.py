from __future__ import annotations

import numpy as np
import pytest

from samples.arena import world as rules
from samples.arena.world import ALIVE, FIRE, INPUT, PLAYER, PRESENT, RIGHT, UNITS, UP, World
from transport import FRAGMENT_BYTES, MAX_FRAGMENTS
from transport.host.protocol import STATE_HEADER
from transport.snapshot import History

DT = 1 / 60


def two(distance: float = 20.0) -> World:
    """Two players, the second to the right of the first."""
    world = World(4)
    for slot, x in ((0, 0.0), (1, distance)):
        world.enter(slot)
        world.position[slot] = (x, 0.0)
    return world


def inputs(**of: object) -> np.ndarray:
    given = np.zeros(4, INPUT)
    for name, value in of.items():
        given[name] = value
    return given


def test_running_is_limited_in_speed_and_space() -> None:
    world = two()
    for tick in range(60):
        world.step(tick, DT, inputs(buttons=[UP | RIGHT, 0, UP, 0]), lambda _: world.snapshot())
    assert np.linalg.norm(world.position[0]) == pytest.approx(rules.SPEED, rel=1e-3), "no faster diagonally"
    assert tuple(world.position[2]) == (0.0, 0.0), "who is absent does not move"
    for tick in range(60 * 60):
        world.step(tick, DT, inputs(buttons=UP), lambda _: world.snapshot())
    assert world.position[0, 1] == rules.HALF


def test_shots_hit_hurt_and_score() -> None:
    world = two()
    fire = inputs(buttons=[FIRE, 0, 0, 0])
    hits = [hit for tick in range(60) for hit in world.step(tick, DT, fire, lambda _: world.snapshot())]
    assert [(hit.by, hit.of, hit.health) for hit in hits] == [(0, 1, 75), (0, 1, 50), (0, 1, 25), (0, 1, 0)]
    assert world.score[0] == 1 and not world.alive[1]
    still = inputs()
    for tick in range(60, 46 + rules.RESPAWN):
        world.step(tick, DT, still, lambda _: world.snapshot())
    assert world.alive[1] and world.health[1] == rules.FULL_HEALTH


@pytest.mark.parametrize(("distance", "aim"), [(rules.RANGE + 1, 0), (20.0, 64), (20.0, 3)])
def test_shots_miss(distance: float, aim: int) -> None:
    world = two(distance)
    assert not world.step(1, DT, inputs(buttons=[FIRE, 0, 0, 0], aim=aim), lambda _: world.snapshot())


def test_a_shot_is_judged_on_what_the_shooter_saw() -> None:
    world = two()
    history = History(PLAYER, 4, interpolate=["x", "y"])
    run = inputs(buttons=[0, UP, 0, 0])
    for tick in range(1, 29):
        world.step(tick, DT, run, history.at)
        history.write(tick, world.snapshot())
    assert world.position[1, 1] > 2 * rules.RADIUS
    saw = inputs(buttons=[FIRE, 0, 0, 0], view=8 * 24)
    assert not world.step(29, DT, saw, lambda _: history.at(28)), "not where it is now"
    world._ready_at[:] = 0
    assert world.step(29, DT, saw, history.at), "but where it was"


def test_a_snapshot_says_what_is() -> None:
    world = two(20.0)
    state = world.snapshot()
    assert state["flags"].tolist() == [PRESENT | ALIVE] * 2 + [0, 0]
    assert state["x"].tolist() == [0, 20 * UNITS, 0, 0]
    world.leave(1)
    assert world.snapshot()[1] == np.zeros((), PLAYER)


def test_256_players_fit_the_fragments() -> None:
    """Full snapshots and deltas over a tenth of a second, while everyone runs, aims and shoots."""
    world, rng = World(256), np.random.default_rng(2)
    history = History(PLAYER, 256, interpolate=["x", "y"])
    for slot in range(256):
        world.enter(slot)
    given = np.zeros(256, INPUT)
    for tick in range(1, 40):
        given["buttons"], given["aim"] = rng.integers(0, 32, 256), rng.integers(0, 256, 256)
        history_at = (lambda _: world.snapshot()) if tick == 1 else history.at
        world.step(tick, DT, given, lambda m, at=history_at: at(max(m, 1)))  # type: ignore[misc]
        history.write(tick, world.snapshot())
    room = FRAGMENT_BYTES * MAX_FRAGMENTS - STATE_HEADER.itemsize
    full, near, far = len(history.delta(39)), len(history.delta(39, 36)), len(history.delta(39, 33))
    assert near <= far <= full < room
    assert near < 2 * FRAGMENT_BYTES - STATE_HEADER.itemsize
