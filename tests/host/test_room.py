"""A room in memory, on a clock that the test sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import transport
from transport import Fate, Reason, TrackInfo
from transport.host import Game, Peer, Refuse, Room, RoomState, protocol
from transport.snapshot import History, Replica, header

from .home import MemoryHome

DTYPE = np.dtype([("x", "<i2"), ("n", "<u4")])


class Walk(Game):
    """Each player moves by its input."""

    rate = 60.0
    max_players = 4
    input_dtype = np.dtype("i1")

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.raise_at = 0
        self.refuse: Refuse | None = None

    def open(self, room: Room) -> None:
        self.state = np.zeros(self.max_players, DTYPE)
        self.history = History(DTYPE, self.max_players, 16)

    def admit(self, peer: Peer, claims: Mapping[str, Any]) -> Refuse | None:
        if self.refuse is not None:
            raise self.refuse
        return None

    def join(self, peer: Peer, resumed: bool) -> None:
        self.seen.append(("join", peer.id, resumed))

    def leave(self, peer: Peer, reason: Reason) -> None:
        self.seen.append(("leave", peer.id, reason))

    def tick(self, n: int, dt: float) -> None:
        if n == self.raise_at:
            raise ZeroDivisionError("the game's own fault")
        for peer, move in self.inputs(n).items():
            self.state["x"][peer.slot] += move
        self.state["n"] = n
        self.history.write(n, self.state)
        self.room.send_snapshot(self.history, n)

    def close(self) -> None:
        self.seen.append(("close",))


class World:
    """A room, its home, and what it said."""

    def __init__(self) -> None:
        self.home = MemoryHome()
        self.game = Walk()
        self.said: list[str] = []
        self.room = Room(self.home, self.game, "main", lambda line, _: self.said.append(line))  # type: ignore[arg-type]

    def join(self, peer_id: str, session: int) -> Peer:
        self.room.session_up(peer_id, session, "127.0.0.1:1")
        return self.room.peers[peer_id]

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.home.now = max(self.home.now, self.room.clock.next_at + 1e-6)
            self.room.step(self.home.now)

    def states(self, peer_id: str) -> list[bytes]:
        return self.home.sent.get((protocol.down("main", peer_id), "state"), [])


@pytest.fixture
def world() -> World:
    return World()


def test_inputs_move_players_and_snapshots_arrive(world: World) -> None:
    world.join("a", 1)
    world.join("b", 2)
    replica, ack, handled = Replica(DTYPE, 4, 16), 0, 0
    for tick in range(1, 60):
        moves = protocol.pack_inputs(tick, ack, 0, [b"\x02"])
        world.home.feed.waiting.append(
            (TrackInfo(7, "games/main/up", "a", "", 1, "a"), moves, world.home.now)
        )
        world.run(1)
        head, body = protocol.parse_state(world.states("a")[-1])
        assert (head.tick, head.heard) == (tick, tick)
        assert head.lead is not None and 0 < head.lead <= 1
        if tick % 5:  # every fifth is lost
            assert replica.apply(body) == tick
            ack = tick
            handled += 1
            assert replica.exact(tick).tobytes() == world.game.state.tobytes()
    assert handled and int(world.game.state["x"][0]) == 2 * 59
    baselines = [header(protocol.parse_state(world.states(peer)[-1])[1])[5] for peer in "ab"]
    assert baselines == [58, 0xFFFF_FFFF], "b acknowledged nothing: full snapshots"


def test_strangers_inputs_count_for_nobody(world: World) -> None:
    world.join("a", 1)
    packet = protocol.pack_inputs(1, 0, 0, [b"\x05"])
    world.home.feed.waiting.append(
        (TrackInfo(9, "games/main/up", "ghost", "", 1, ""), packet, world.home.now)
    )
    world.run(2)
    assert not world.game.state["x"].any()


def test_overruns_are_counted_and_skipped(world: World) -> None:
    world.run(3)
    world.home.now += 1.0
    assert world.room.step(world.home.now) == 3
    assert world.room.clock.skipped > 50 and world.room.clock.late == 2
    assert world.room.tick == world.room.clock.next - 1


def test_a_room_that_raises_closes_alone(world: World) -> None:
    other = World()
    other.join("x", 9)
    world.join("a", 1)
    world.game.raise_at = 5
    world.run(5)
    other.run(5)
    assert world.room.state == RoomState.FAILED
    assert world.home.ended == [(1, Reason.ROOM_CLOSED, "room main closed")]
    assert len(world.said) == 1 and "ZeroDivisionError: the game's own fault" in world.said[0]
    assert "test_room.py:" in world.said[0]
    assert world.game.seen[-1] == ("close",)
    assert world.home.feed.closed and not world.home.publications
    refusal = world.room.admit("b", {}, "")
    assert refusal is not None and refusal.reason == Reason.ROOM_CLOSED
    assert other.room.state == RoomState.OPEN and other.room.tick == 5


def test_admission_is_typed(world: World) -> None:
    assert world.room.admit("a", {}, "127.0.0.1:1") is None
    world.game.refuse = Refuse("banned until Monday", Reason.REFUSED)
    refusal = world.room.admit("a", {}, "127.0.0.1:1")
    assert refusal is not None and refusal.text == "banned until Monday"
    world.game.refuse = None
    for slot in range(4):
        world.join(f"p{slot}", slot + 1)
    full = world.room.admit("late", {}, "")
    assert full is not None and full.reason == Reason.LIMIT
    assert world.room.admit("p2", {}, "") is None, "who is in may come back"


def test_a_reason_that_no_peer_can_be_told() -> None:
    with pytest.raises(transport.BadArgument, match="TRACK_ENDED"):
        Refuse("no", Reason.TRACK_ENDED)


def test_resume_within_the_grace(world: World) -> None:
    peer = world.join("a", 1)
    world.room.session_down("a", 1, Reason.TIMEOUT)
    assert not peer.connected and world.room.players == ()
    world.home.now += 9.0
    world.run(1)
    assert world.join("a", 2) is peer
    assert world.game.seen == [("join", "a", False), ("join", "a", True)]
    world.room.session_down("a", 1, Reason.REPLACED)  # the old session's end comes late
    assert peer.connected
    world.room.session_down("a", 2, Reason.RESET)
    world.home.now += 10.1
    world.run(1)
    assert world.game.seen[-1] == ("leave", "a", Reason.TIMEOUT)
    assert world.room.empty_since is not None and not world.home.publications


def test_who_leaves_is_not_waited_for(world: World) -> None:
    world.join("a", 1)
    world.room.session_down("a", 1, Reason.PEER)
    assert world.game.seen[-1] == ("leave", "a", Reason.PEER)


def test_kick(world: World) -> None:
    peer = world.join("a", 1)
    peer.kick("be nice")
    assert world.home.ended == [(1, Reason.KICKED, "be nice")]
    world.room.session_down("a", 1, Reason.KICKED)
    assert world.game.seen == [("join", "a", False), ("leave", "a", Reason.KICKED)]


def test_budget_and_fates(world: World) -> None:
    peer = world.join("a", 1)
    world.run(1)
    tick_bytes = 600_000 // 60
    assert tick_bytes - 200 < peer.budget <= tick_bytes
    before = peer.budget
    assert peer.send("state", b"x" * 1000) == Fate.QUEUED
    assert peer.budget == before - 1000
    world.home.queued_bytes = tick_bytes - 500
    world.run(40)
    assert peer.budget <= 500
    world.home.fate = Fate.NO_ROOM
    assert peer.send("event", b"x") == Fate.NO_ROOM
    assert peer.events_sent == 0, "what was not taken has no number"
    world.room.session_down("a", 1, Reason.TIMEOUT)
    assert peer.budget == 0


def test_readings_are_taken_twice_a_second(world: World) -> None:
    for session in range(1, 5):
        world.join(f"p{session}", session)
    world.home.read = 0
    world.run(60)
    assert 8 <= world.home.read <= 60


def test_events_are_numbered_for_each(world: World) -> None:
    world.join("a", 1)
    world.room.broadcast(b"one")
    world.join("b", 2)
    world.room.broadcast(b"two")
    found: dict[str, list[tuple[int, bytes]]] = {"a": [], "b": []}
    for peer, events in found.items():
        for message in world.home.sent[(protocol.down("main", peer), "event")]:
            head, body = protocol.parse_event(message)
            events.append((head.number, body))
    assert found == {"a": [(1, b"one"), (2, b"two")], "b": [(1, b"two")]}


def test_events_wait_until_they_are_read(world: World) -> None:
    peer = world.join("a", 1)
    peer.event.subscribers = 0
    world.room.broadcast(b"one")
    assert peer.send("event", b"two") == Fate.QUEUED
    world.run(2)
    track = (protocol.down("main", "a"), "event")
    assert track not in world.home.sent and peer.events_sent == 0
    peer.event.subscribers = 1
    world.room.broadcast(b"three")
    world.run(1)
    assert [protocol.parse_event(m)[1] for m in world.home.sent[track]] == [b"one", b"two", b"three"]
    peer.event.subscribers = 0
    fates = [peer.send("event", b"x") for _ in range(300)]
    assert fates.count(Fate.NO_ROOM) == peer.events_lost == 44


def test_a_name_or_rate_that_can_not_be() -> None:
    with pytest.raises(transport.BadName):
        Room(MemoryHome(), Walk(), "a/b", lambda *_: None)  # type: ignore[arg-type]

    class Still(Walk):
        rate = 0.0

    with pytest.raises(transport.BadArgument, match=r"Still\.rate is 0"):
        Room(MemoryHome(), Still(), "main", lambda *_: None)  # type: ignore[arg-type]
