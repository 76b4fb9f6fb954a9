from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transport
from transport.host import protocol
from transport.host._inputs import DEPTH, InputBuffer

DTYPE = np.dtype([("x", "<i2"), ("fire", "u1")])


def value(x: int) -> bytes:
    return np.array((x, 1), DTYPE).tobytes()


def packet(tick: int, values: list[int], ack: int = 0) -> bytes:
    return protocol.pack_inputs(tick, ack, 0, [value(x) for x in values])


def put(buffer: InputBuffer, *packets: tuple[int, bytes], position: float = 0.0) -> int:
    """Put packets of slots; how many were well-formed."""
    data = b"".join(payload for _, payload in packets)
    sizes = np.array([len(payload) for _, payload in packets], np.int64)
    slots = np.array([slot for slot, _ in packets], np.int64)
    at = np.cumsum(sizes) - sizes
    positions = np.full(len(packets), position)
    return len(buffer.put(np.frombuffer(data, np.uint8), at, sizes, slots, positions))


def test_each_tick_gets_its_own_input_whatever_the_order() -> None:
    buffer = InputBuffer(DTYPE, 3)
    assert put(buffer, (1, packet(12, [12])), (0, packet(11, [111, 110])), (1, packet(11, [11]))) == 3
    first, second, third = (buffer.take(tick, ()) for tick in (10, 11, 12))
    assert [int(x) for x in first.by_slot["x"]] == [110, 0, 0]
    assert [int(x) for x in second.by_slot["x"]] == [111, 11, 0]
    assert [int(x) for x in third.by_slot["x"]] == [111, 12, 0], "player 0's last input is repeated"
    assert third.present.tolist() == [False, True, False]
    assert buffer.missing == 2  # player 1 at tick 10, player 0 at tick 12; slot 2 was never heard


def test_redundancy_covers_lost_packets() -> None:
    buffer = InputBuffer(DTYPE, 1)
    for tick in range(1, 40):
        if tick % 3 == 0:
            put(buffer, (0, packet(tick + 2, [tick + 2, tick + 1, tick])))
        taken = buffer.take(tick, ())
        assert tick < 3 or int(taken.by_slot["x"][0]) == tick
    assert buffer.missing == 0


def test_late_early_and_lead() -> None:
    buffer = InputBuffer(DTYPE, 1)
    put(buffer, (0, packet(5, [5])), position=2.5)
    assert buffer.lead[0] == 2.5
    for tick in range(1, 8):
        buffer.take(tick, ())
    put(buffer, (0, packet(6, [6])), position=7.5)
    assert buffer.late == 1 and buffer.lead[0] == 0.5, "half of the way to -1.5 at once"
    put(buffer, (0, packet(7 + DEPTH + 1, [1])), position=7.5)
    assert buffer.early == 1 and buffer.newest[0] == 6
    for _ in range(60):
        put(buffer, (0, packet(12, [1])), position=7.5)
    assert buffer.lead[0] == pytest.approx(4.5, abs=0.1), "an old hiccup fades"


def test_acknowledgements_follow_the_newest_input() -> None:
    buffer = InputBuffer(DTYPE, 1)
    put(buffer, (0, packet(5, [5], ack=4)), (0, packet(4, [4], ack=3)))
    assert buffer.acked[0] == 4
    put(buffer, (0, packet(6, [6], ack=0)))
    assert buffer.acked[0] == 0, "a player that lost its states says so"
    put(buffer, (0, packet(7, [7], ack=5)))
    buffer.reset(0)
    assert buffer.acked[0] == buffer.newest[0] == 0
    assert int(buffer.take(7, ()).by_slot["x"][0]) == 0


@given(
    st.lists(st.one_of(st.binary(max_size=80), st.integers(0, 2**32 - 1).map(lambda t: packet(t, [1, 2]))))
)
def test_anything_may_come(payloads: list[bytes]) -> None:
    buffer = InputBuffer(DTYPE, 2)
    good = put(buffer, *((row % 2, payload) for row, payload in enumerate(payloads))) if payloads else 0
    assert good + buffer.malformed == len(payloads)
    buffer.take(1, ())


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        packet(1, [1])[:-1],
        packet(1, [1]) + b"x",
        protocol.pack_inputs(1, 0, 0, [b"four"]),
        packet(1, [1])[:12] + b"\0" + packet(1, [1])[13:],
        packet(1, [1])[:12] + b"\xff" + packet(1, [1])[13:],
    ],
)
def test_malformed_packets_are_counted(wrong: bytes) -> None:
    buffer = InputBuffer(DTYPE, 1)
    assert put(buffer, (0, wrong), (0, packet(1, [9]))) == 1
    assert buffer.malformed == 1
    assert int(buffer.take(1, ()).by_slot["x"][0]) == 9


def test_rows_are_what_single_packets_are() -> None:
    inputs = np.zeros((2, 3), DTYPE)
    inputs["x"] = [[3, 2, 1], [30, 20, 10]]
    rows = protocol.pack_inputs_rows(3, np.array([0, 2]), 7, inputs)
    assert rows[0].tobytes() == protocol.pack_inputs(3, 0, 7, [inputs[0, i].tobytes() for i in range(3)])
    assert rows[1].tobytes() == protocol.pack_inputs(3, 2, 7, [inputs[1, i].tobytes() for i in range(3)])


def test_what_can_not_be_packed() -> None:
    with pytest.raises(transport.BadArgument):
        protocol.pack_inputs(1, 0, 0, [])
    with pytest.raises(transport.BadArgument):
        protocol.pack_inputs(1, 0, 0, [b"a", b"bc"])


def test_states_and_events_there_and_back() -> None:
    head = protocol.StateHead(9, 7, 5, -1.5)
    assert protocol.parse_state(protocol.pack_state(head, b"body")) == (head, b"body")
    unknown = protocol.StateHead(9, 0, 5, None)
    assert protocol.parse_state(protocol.pack_state(unknown, b""))[0].lead is None
    assert protocol.parse_event(protocol.pack_event(protocol.EventHead(3, 9, 5), b"x")) == ((3, 9, 5), b"x")
    for parse in (protocol.parse_state, protocol.parse_event):
        with pytest.raises(protocol.Malformed):
            parse(b"abc")
