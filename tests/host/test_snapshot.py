"""Deltas: whatever is lost, replaced or reordered, what decodes equals the server's state at that tick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transport
from transport import snapshot

DTYPE = np.dtype([("x", "<i2"), ("big", "<i8"), ("hp", "u1"), ("at", "<f4", (2,)), ("on", "?")])
ROWS = 19


def changed(state: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """The state after some rows of some fields took other values, small and large steps alike."""
    after = state.copy()
    for name in ("x", "big", "hp"):
        rows = rng.random(ROWS) < share
        bound = int(rng.choice([3, 200, 40_000, 1 << 40]))
        steps = rng.integers(-bound, bound, ROWS)
        after[name][rows] = (after[name].astype(np.int64) + steps)[rows].astype(after[name].dtype)
    rows = rng.random(ROWS) < share
    after["at"][rows] = rng.normal(size=(int(rows.sum()), 2))
    after["at"][0, 0] = np.nan if rng.random() < 0.1 else after["at"][0, 0]
    after["on"] ^= rng.random(ROWS) < share
    return after


@given(
    seed=st.integers(0, 1 << 32),
    share=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    fates=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 3)), max_size=40),
)
def test_any_loss_decodes(seed: int, share: float, fates: list[tuple[bool, bool, int]]) -> None:
    rng = np.random.default_rng(seed)
    history = snapshot.History(DTYPE, ROWS, ticks=8)
    acks = snapshot.Acks(history)
    replica = snapshot.Replica(DTYPE, ROWS, ticks=8)
    state, tick, truth = np.zeros(ROWS, DTYPE), 5, {}
    late: list[bytes] = []
    for arrives, acknowledged, step in fates:
        state = changed(state, rng, share)
        history.write(tick, state)
        truth[tick] = state.tobytes()
        body = history.delta(tick, acks.baseline("peer"))
        if arrives:
            decoded = replica.apply(body)
            assert decoded == tick
            assert replica.exact(tick).tobytes() == truth[tick]
            if acknowledged:
                assert acks.acknowledge("peer", tick)
        else:
            late.append(body)
        tick += step
    for body in late:  # reordered: old news is ignored, anything else is still right or refused
        try:
            decoded = replica.apply(body)
        except snapshot.NotKept:
            continue
        assert decoded is None or replica.exact(decoded).tobytes() == truth[decoded]


@given(data=st.binary(max_size=200))
def test_random_bytes_are_refused_or_decoded(data: bytes) -> None:
    replica = snapshot.Replica(DTYPE, ROWS)
    with pytest.raises(snapshot.SnapshotError):
        replica.apply(data)
        raise snapshot.SnapshotError


@given(
    seed=st.integers(0, 1 << 32), at=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400)
)
def test_damaged_bytes_never_escape(seed: int, at: int, value: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    history = snapshot.History(DTYPE, ROWS)
    history.write(1, changed(np.zeros(ROWS, DTYPE), rng, 0.5))
    body = bytearray(history.delta(1))
    body[at % len(body)] = value
    replica = snapshot.Replica(DTYPE, ROWS)
    try:
        replica.apply(bytes(body[: len(body) - cut % 3]))
    except snapshot.SnapshotError:
        assert replica.newest is None


def test_nothing_changed_is_small() -> None:
    history = snapshot.History(DTYPE, ROWS)
    state = changed(np.zeros(ROWS, DTYPE), np.random.default_rng(1), 1.0)
    history.write(1, state)
    history.write(2, state)
    assert len(history.delta(2, 1)) == 16 + 5
    assert history.delta(2, 1) is history.delta(2, 1), "made once, shared"


def test_a_baseline_that_left_the_ring_gives_a_full_snapshot() -> None:
    history = snapshot.History(DTYPE, ROWS, ticks=4)
    acks = snapshot.Acks(history)
    for tick in range(1, 6):
        history.write(tick, np.zeros(ROWS, DTYPE))
        acks.acknowledge("slow", tick) if tick == 1 else None
    assert acks.baseline("slow") is None
    assert snapshot.header(history.delta(5, 1))[5] == 0xFFFF_FFFF
    assert not acks.acknowledge("liar", 9), "it can't have what was never written"


def test_a_restarted_server_is_not_taken_for_its_past() -> None:
    first, second = (snapshot.History(DTYPE, ROWS, epoch=epoch) for epoch in (1, 2))
    state = np.zeros(ROWS, DTYPE)
    replica = snapshot.Replica(DTYPE, ROWS)
    first.write(10, state)
    replica.apply(first.delta(10))
    state["hp"] = 9
    second.write(3, state)
    second.write(12, state)
    with pytest.raises(snapshot.NotKept):
        replica.apply(second.delta(12, 3))
    assert replica.apply(second.delta(3)) == 3
    assert (replica.exact(3)["hp"] == 9).all()


def test_between_ticks() -> None:
    history = snapshot.History(DTYPE, ROWS, ticks=8, interpolate=["x", "at"])
    state = np.zeros(ROWS, DTYPE)
    history.write(10, state)
    state["x"], state["at"], state["hp"] = 100, 1.0, 7
    history.write(14, state)
    middle = history.at(12.0)
    assert (middle["x"] == 50).all() and (middle["at"] == 0.5).all()
    assert (middle["hp"] == 0).all(), "what is not named keeps the earlier value"
    assert (history.at(99.0)["x"] == 100).all()
    assert (history.at(10.0)["x"] == 0).all()
    with pytest.raises(snapshot.NotKept, match=r"before the oldest kept, 10"):
        history.at(9.9)
    with pytest.raises(snapshot.NotKept):
        history.exact(11)


@pytest.mark.parametrize("dtype", ["i4", [("when", "M8[s]")], [("text", "U4")]])
def test_a_dtype_that_can_not_be_sent(dtype: object) -> None:
    with pytest.raises(transport.BadArgument):
        snapshot.History(dtype, ROWS)  # type: ignore[arg-type]


def test_misuse_is_said() -> None:
    history = snapshot.History(DTYPE, ROWS)
    history.write(3, np.zeros(ROWS, DTYPE))
    with pytest.raises(transport.BadArgument, match="rising order"):
        history.write(3, np.zeros(ROWS, DTYPE))
    with pytest.raises(transport.BadArgument, match="shape"):
        history.write(4, np.zeros(2, DTYPE))
