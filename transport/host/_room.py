"""A room: one game, its players, and the loop that runs it at a fixed rate.

`step(now)` does everything that is due; `run` calls it in time. The room reads the node's clock only, on
which frames arrive, too. Whatever the game raises closes the room: its peers learn ROOM_CLOSED, the host goes
on.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import transport
from transport import Fate, Feed, FrameBatch, LinkStats, Publication, Reason
from transport.snapshot import History

from . import protocol
from ._clock import TickClock
from ._game import Game, Refuse
from ._inputs import InputBuffer, Inputs
from ._outbox import send_rows
from ._peer import STATE_TTL, Peer

_READINGS_PERIOD = 0.5
"""How old a peer's readings may get, seconds."""
_DURATIONS_KEPT = 600
_FEW = 8
"""Events for so many peers are cheaper to send one by one than as arrays."""
_STATE_TTL_US = round(STATE_TTL * 1e6)
_AT_ONCE = (Reason.PEER, Reason.KICKED, Reason.UNAUTHORIZED, Reason.EXPIRED_TOKEN, Reason.ROOM_CLOSED)
"""Ends after which nobody is waited for: somebody wanted them."""


class Home(Protocol):
    """What a room needs of the relay's node; `transport.Node` is one."""

    @property
    def now(self) -> float:
        """The clock, seconds."""
        ...

    def publish(self, spec: transport.Frame | transport.Text) -> Publication:
        """Publish a track."""
        ...

    def subscribe(self, scope: str | transport.Exact = "", *, capability: str = "") -> Feed:
        """Subscribe to tracks."""
        ...

    def send_batch(self, entries: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
        """Send frames."""
        ...

    def close_session(self, session: int, reason: Reason = Reason.KICKED, text: str = "") -> None:
        """End a session."""
        ...

    def session_stats(self, session: int) -> LinkStats:
        """Readings of a session."""
        ...


class RoomState(StrEnum):
    """Where a room stands; the IDL's words."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


class Room:
    """A room. Made by the host, which tells it of sessions; the game talks to it."""

    def __init__(self, home: Home, game: Game, name: str, say: Callable[[str, str], None]) -> None:
        """`say(line, detail)` reports what ends the room; `detail` is a traceback."""
        if not 1 <= game.rate <= 1000:
            raise transport.BadArgument(f"{type(game).__name__}.rate is {game.rate}: pass 1 .. 1000 ticks/s")
        size = np.dtype(game.input_dtype).itemsize
        if not 1 <= size <= protocol.MAX_INPUT_BYTES:
            text = f"{type(game).__name__}.input_dtype has {size} bytes: pass 1 .. {protocol.MAX_INPUT_BYTES}"
            raise transport.BadArgument(text)
        self.home = home
        self.game = game
        self.name = protocol.room_name(name)
        self.opened_at = home.now
        self.clock = TickClock(game.rate, self.opened_at)
        self.peers: dict[str, Peer] = {}
        """By peer id, those away for a moment included."""
        self.state = RoomState.OPEN
        self.tick = 0
        """The last tick run."""
        self.failed = ""
        """What the game raised, in one line; empty: nothing."""
        self.durations: deque[float] = deque(maxlen=_DURATIONS_KEPT)
        """Of the last ticks, seconds."""
        self.empty_since: float | None = self.opened_at
        self.states_sent = 0
        self.fates = np.zeros(len(Fate), np.int64)
        """States sent, by fate."""
        self.on_duration: Callable[[float], None] | None = None
        """Told of each tick's time, seconds."""
        self.on_inputs: Callable[[npt.NDArray[np.int64], npt.NDArray[np.uint32]], None] | None = None
        """Told of arrivals (node's clock, us) and "sent" times of input packets; for measuring."""
        self.buffer = InputBuffer(game.input_dtype, game.max_players)
        self._say = say
        self._free = list(range(game.max_players - 1, -1, -1))
        self._slot_of_track: dict[int, int] = {}
        self._everyone: tuple[Peer, ...] | None = ()
        self._read_next = 0
        self._holding: dict[Peer, None] = {}
        self._done = asyncio.Event()
        self._feed = home.subscribe(protocol.up(name))
        game.room = self
        self._guard(lambda: game.open(self))

    # --- for games ---

    @property
    def now(self) -> float:
        """The node's clock, seconds."""
        return self.home.now

    @property
    def players(self) -> tuple[Peer, ...]:
        """Peers with a session, by slot."""
        if self._everyone is None:
            found = [peer for peer in self.peers.values() if peer.session]
            self._everyone = tuple(sorted(found, key=lambda peer: peer.slot))
        return self._everyone

    def inputs(self, tick: int) -> Inputs:
        """Every player's input for this tick, from its jitter buffer."""
        return self.buffer.take(tick, self.players)

    def send_state(
        self,
        bodies: Sequence[bytes],
        which: Sequence[int] | npt.NDArray[np.intp] | None = None,
        *,
        peers: Sequence[Peer] | None = None,
        priority: int | None = None,
        ttl: float = STATE_TTL,
    ) -> npt.NDArray[np.uint8]:
        """Send each peer its state: `bodies[which[i]]` to `peers[i]` (all players), in one call; the fates.

        `which` none: the one body for all. What a peer has not been sent yet is replaced by this.
        """
        to = self.players if peers is None else tuple(peers)
        if not to:
            return np.empty(0, np.uint8)
        chosen = np.zeros(len(to), np.intp) if which is None else np.asarray(which, np.intp)
        slots = np.fromiter((peer.slot for peer in to), np.intp, len(to))
        handles = np.fromiter((peer.state.handle for peer in to), np.uint64, len(to))
        fates = send_rows(
            self.home.send_batch,
            handles,
            self._heads(slots),
            bodies,
            chosen,
            protocol.STATE_PRIORITY if priority is None else priority,
            _STATE_TTL_US if ttl == STATE_TTL else round(ttl * 1e6),
        )
        sizes = [len(body) for body in bodies]
        for peer, body in zip(to, chosen.tolist(), strict=True):
            peer.spend(sizes[body])
        self.states_sent += len(to)
        self.fates += np.bincount(fates, minlength=len(self.fates))
        return fates

    def send_snapshot(self, history: History, tick: int) -> npt.NDArray[np.uint8]:
        """Send each player what changed since the snapshot that it acknowledged; the fates.

        A delta is made once for all players that have the same baseline.
        """
        to = self.players
        acked = self.buffer.acked[[peer.slot for peer in to]] if to else np.empty(0, np.int64)
        known, which = np.unique(acked, return_inverse=True)
        bodies = [history.delta(tick, baseline or None) for baseline in known.tolist()]
        return self.send_state(bodies, which, peers=to)

    def broadcast(self, payload: bytes, *, peers: Sequence[Peer] | None = None) -> None:
        """Send every player (or these) an event: reliable, in order. Who does not listen yet gets it then."""
        to: list[Peer] = []
        for peer in tuple(self.peers.values()) if peers is None else peers:
            if peer.listening:
                to.append(peer)
            else:
                peer.send("event", payload)  # waits until it listens
        if len(to) <= _FEW:
            for peer in to:
                peer.send("event", payload)
            return
        heads = self._event_heads(to)
        handles = np.fromiter((peer.event.handle for peer in to), np.uint64, len(to))
        which = np.zeros(len(to), np.intp)
        fates = send_rows(self.home.send_batch, handles, heads, [payload], which, protocol.EVENT_PRIORITY, 0)
        for peer, fate in zip(to, fates.tolist(), strict=True):
            peer.note_event(Fate(fate), len(payload))

    def kick(self, peer: Peer, reason: Reason = Reason.KICKED, text: str = "") -> None:
        """End a peer's session and give it up at once."""
        session = peer.session
        self._remove(peer, reason)
        if session:
            self._end_session(session, reason, text)

    def close(self, reason: Reason = Reason.ROOM_CLOSED) -> None:
        """Close the room; its peers are told why. May be repeated."""
        if self.state != RoomState.OPEN:
            return
        self.state = RoomState.CLOSING
        self._guard(self.game.close)
        for peer in list(self.peers.values()):
            if peer.session:
                self._end_session(peer.session, reason, f"room {self.name} closed")
            peer.close()
        self.peers.clear()
        self._holding.clear()
        self._everyone = ()
        self._feed.close()
        self.state = RoomState.FAILED if self.failed else RoomState.CLOSED
        self._done.set()

    # --- for the host ---

    def admit(self, peer_id: str, claims: Mapping[str, Any], address: str) -> Refuse | None:
        """Whether a peer may come in: none, or why not."""
        if self.state != RoomState.OPEN:
            return Refuse(f"room {self.name} is closed", Reason.ROOM_CLOSED)
        if peer_id in self.peers:
            return None
        if not self._free:
            return Refuse(f"room {self.name} is full ({self.game.max_players} players)", Reason.LIMIT)
        # Shown to the game only: the peer that joins is made when its session is up.
        visitor = _Visitor(self, peer_id, address)
        try:
            answer = self.game.admit(visitor, claims)
            if not isinstance(answer, Refuse | None):
                raise TypeError(f"admit returned {answer!r:.80}: return None, or a Refuse")
            return answer
        except Refuse as refusal:
            return refusal
        except (Exception, SystemExit) as wrong:
            self._fail(wrong)
            return Refuse(f"room {self.name} is closed", Reason.ROOM_CLOSED)

    def session_up(self, peer_id: str, session: int, address: str) -> None:
        """A peer's session is up: it joins, or is back."""
        if self.state != RoomState.OPEN:
            self._end_session(session, Reason.ROOM_CLOSED, f"room {self.name} closed")
            return
        peer = self.peers.get(peer_id)
        self._everyone = None
        self.empty_since = None
        if peer is not None:
            peer.session, peer.address, peer.away_until, peer.stats = session, address, None, None
            self.buffer.reset(peer.slot)
            self._forget_tracks(peer.slot)
            self._guard(lambda: self.game.join(peer, True))
            return
        if not self._free:
            self._end_session(session, Reason.LIMIT, f"room {self.name} is full")
            return
        slot = self._free.pop()
        self.buffer.reset(slot)
        try:
            joined = Peer(self, peer_id, slot, session, address)
        except transport.Error as wrong:  # somebody publishes under its names already
            self._free.append(slot)
            self._say(f"room {self.name}: {peer_id} could not join: {wrong}", "")
            self._end_session(session, Reason.INTERNAL, "its tracks can't be published")
            return
        self.peers[peer_id] = joined
        self._guard(lambda: self.game.join(joined, False))

    def session_down(self, peer_id: str, session: int, reason: Reason) -> None:
        """A session is gone. A peer that left, or was made to, is not waited for."""
        peer = self.peers.get(peer_id)
        if peer is None or peer.session != session:
            return
        peer.session, peer.stats = 0, None
        self._everyone = None
        if reason in _AT_ONCE or self.game.resume_grace <= 0:
            self._remove(peer, reason)
        else:
            peer.away_until = self.now + self.game.resume_grace

    def step(self, now: float) -> int:
        """Do what is due at `now`; ticks run."""
        due = self.clock.due(now)
        for n in due:
            if self.state != RoomState.OPEN:
                break
            started = self.home.now
            self._take_inputs()
            self._sweep(now)
            for peer in [peer for peer in self._holding if peer.flush()]:
                self._holding.pop(peer, None)
            self._look_at_links()
            self.tick = n
            self._guard(lambda n=n: self.game.tick(n, self.clock.period))  # type: ignore[misc]
            spent = self.home.now - started
            self.durations.append(spent)
            if self.on_duration is not None:
                self.on_duration(spent)
        return len(due)

    async def run(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Run until the room is closed; `after_step` is called after each step that ran a tick."""
        while self.state == RoomState.OPEN:
            wait = self.clock.next_at - self.home.now
            await asyncio.sleep(max(0.0, wait))
            if self.state == RoomState.OPEN and self.step(self.home.now):
                after_step()

    async def closed(self) -> None:
        """Wait until the room is closed."""
        await self._done.wait()

    def state_head(self, peer: Peer, body: bytes) -> bytes:
        """One peer's state frame."""
        return self._heads(np.array([peer.slot], np.intp)).tobytes() + body

    def event_head(self, peer: Peer, body: bytes) -> bytes:
        """One peer's next event message."""
        sent = int(self.home.now * 1e6)
        return protocol.pack_event(protocol.EventHead(peer.events_sent + 1, self.tick, sent), body)

    def holds(self, peer: Peer) -> None:
        """The peer has events that wait until it listens."""
        self._holding[peer] = None

    # --- within ---

    def _event_heads(self, peers: Sequence[Peer]) -> npt.NDArray[np.void]:
        heads = np.zeros(len(peers), protocol.EVENT_HEADER)
        heads["number"] = [peer.events_sent + 1 for peer in peers]
        heads["tick"] = self.tick
        heads["sent"] = int(self.home.now * 1e6) & 0xFFFF_FFFF
        return heads

    def _heads(self, slots: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
        heads = np.zeros(len(slots), protocol.STATE_HEADER)
        heads["tick"] = self.tick
        heads["heard"] = self.buffer.newest[slots]
        heads["sent"] = int(self.home.now * 1e6) & 0xFFFF_FFFF
        lead = self.buffer.lead[slots]
        steps = np.clip(np.where(np.isfinite(lead), lead, 0.0) * protocol.LEAD_STEPS, -0x7FFF, 0x7FFF)
        heads["lead"] = np.where(np.isfinite(lead), np.rint(steps), protocol.LEAD_UNKNOWN)
        return heads

    def _take_inputs(self) -> None:
        while len(batch := self._feed.drain()):
            frames = batch.frames
            known = self._slot_of_track
            slots = np.fromiter((known.get(track, -1) for track in frames["track"].tolist()), np.int64)
            for index in np.flatnonzero(slots < 0).tolist():
                slots[index] = self._look_up(batch, index)
                if self.state != RoomState.OPEN:
                    return  # what was learnt in looking up ended the room, and the batch with it
            keep = slots >= 0
            arrived = frames["received_us"][keep].astype(np.int64)
            sent = self.buffer.put(
                np.frombuffer(batch.data, np.uint8),
                frames["payload_at"][keep].astype(np.int64),
                frames["payload_len"][keep].astype(np.int64),
                slots[keep],
                (arrived / 1e6 - self.clock.start) * self.clock.rate,
            )
            if self.on_inputs is not None and len(sent) == len(arrived):
                self.on_inputs(arrived, sent)

    def _look_up(self, batch: FrameBatch, index: int) -> int:
        """The slot of a frame's player, -1 if it is nobody's; ids of tracks never come again."""
        track = batch.track(index)
        peer = self.peers.get(track.name)
        if peer is None or track.publisher not in (peer.id, ""):
            return -1
        self._slot_of_track[track.id] = peer.slot
        return peer.slot

    def _sweep(self, now: float) -> None:
        if len(self.players) == len(self.peers):
            return
        for peer in [peer for peer in self.peers.values() if peer.away_until is not None]:
            if peer.away_until is not None and peer.away_until <= now:
                self._remove(peer, Reason.TIMEOUT)

    def _look_at_links(self) -> None:
        """Take some peers' readings, so that each has its own twice a second."""
        players = self.players
        for peer in players:
            peer.new_tick()
        if not players:
            return
        share = -(-len(players) // max(1, round(_READINGS_PERIOD * self.clock.rate)))
        for _ in range(share):
            self._read_next = (self._read_next + 1) % len(players)
            peer = players[self._read_next]
            try:
                peer.stats = self.home.session_stats(peer.session)
            except (transport.BadHandle, transport.Closed):
                peer.stats = None  # it has just ended; its event is on its way

    def _remove(self, peer: Peer, reason: Reason) -> None:
        if self.peers.pop(peer.id, None) is None:
            return
        peer.session = 0
        self._everyone = None
        self._forget_tracks(peer.slot)
        self._free.append(peer.slot)
        self._holding.pop(peer, None)
        if not self.peers:
            self.empty_since = self.now
        self._guard(lambda: self.game.leave(peer, reason))
        peer.close()

    def _forget_tracks(self, slot: int) -> None:
        """A player that comes back publishes under new track ids."""
        self._slot_of_track = {track: of for track, of in self._slot_of_track.items() if of != slot}

    def _end_session(self, session: int, reason: Reason, text: str) -> None:
        with contextlib.suppress(transport.BadHandle, transport.Closed):  # it has just ended by itself
            self.home.close_session(session, reason, text)

    def _guard(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except (Exception, SystemExit) as wrong:  # exit() in a game is the room's end, not the host's
            self._fail(wrong)

    def _fail(self, wrong: BaseException) -> None:
        if self.failed:
            return
        self.failed = what_was_raised(wrong)
        detail = "".join(traceback.format_exception(wrong))
        self._say(f"room {self.name}: its game raised {self.failed}: the room is closed", detail)
        self.close()


def what_was_raised(wrong: BaseException) -> str:
    """In one line, with its place."""
    frame = traceback.extract_tb(wrong.__traceback__)[-1]
    what = f"{type(wrong).__name__}: {wrong}".replace("\n", " ")
    return f"{what} ({frame.filename}:{frame.lineno})"


class _Visitor(Peer):
    """A peer as `Game.admit` sees it: known by name, without a session, slot or tracks."""

    def __init__(self, room: Room, peer_id: str, address: str) -> None:
        self.room, self.id, self.address = room, peer_id, address
        self.slot, self.session = -1, 0
        self.events_sent = self.events_lost = 0
        self.away_until, self.stats, self.data = None, None, None
        self.joined_at = room.now
