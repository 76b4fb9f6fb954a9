"""One player of a room: its session, the tracks that the host sends it, and what its link can still take."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

from transport import Fate, Frame, LinkStats, Publication, Reason, Text

from . import protocol

if TYPE_CHECKING:
    from ._room import Room

STATE_TTL = 0.1
"""How long a state may wait in the queue, seconds: beyond it, a newer one exists anyway."""
MAX_HELD = 256
"""Events kept for a peer that does not read its events yet."""
MAX_HELD_BYTES = 16_384
"""Of one of them."""
FIRST_BUDGET = 12_000
"""Assumed before a session's first reading, bytes: ten packets, QUIC's usual first window (RFC 9002, 7.2)."""


class Peer:
    """A player. It stays the same object when its session drops and comes back within the grace time."""

    def __init__(self, room: Room, peer_id: str, slot: int, session: int, address: str) -> None:
        self.room = room
        self.id = peer_id
        self.slot = slot
        """Its row in inputs and usually in the game's state; free again once it left."""
        self.session = session
        """Handle of its session; 0 while it has none."""
        self.address = address
        """Its "ip:port"."""
        self.away_until: float | None = None
        """When it is given up, on the room's clock; none while it is connected."""
        self.joined_at = room.now
        self.stats: LinkStats | None = None
        """Readings of its session, at most half a second old; none before the first."""
        self.data: object = None
        """Whatever the game keeps with it."""
        self.events_sent = 0
        self.events_lost = 0
        """Events that its queue had no room for; each `send` said so."""
        self._spent = 0
        self._held: deque[bytes] = deque()
        home = room.home
        down = protocol.down(room.name, peer_id)
        self.state: Publication = home.publish(
            Frame(
                down,
                "state",
                capability=protocol.CAPABILITY,
                datagram=True,
                priority=protocol.STATE_PRIORITY,
                ttl=STATE_TTL,
                latest_wins=True,
            )
        )
        self.event: Publication = home.publish(Text(down, "event", priority=protocol.EVENT_PRIORITY))

    @property
    def connected(self) -> bool:
        """Whether it has a session now."""
        return self.session != 0

    @property
    def budget(self) -> int:
        """Bytes that its link can take this tick without queueing: the estimated rate's share of a tick, less
        what waits already and what was sent this tick. 0 while it is away; never below 0.
        """
        if self.session == 0:
            return 0
        if self.stats is None:
            return max(0, FIRST_BUDGET - self._spent)
        room = int(self.stats.send_rate * self.room.clock.period) - self.stats.queued_bytes - self._spent
        return max(0, room)

    def send(
        self,
        kind: Literal["state", "event"],
        payload: bytes,
        *,
        priority: int | None = None,
        ttl: float | None = None,
    ) -> Fate:
        """Send one frame (`state`: newest wins) or message (`event`: reliable, in order); its fate.

        For a state to every player, `Room.send_state` costs a fraction of this.
        """
        if kind == "event":
            fate = self._send_event(payload) if self.listening else self._hold(payload)
        elif kind == "state":
            fate = self.state.send(self.room.state_head(self, payload), priority=priority, ttl=ttl)
            if fate == Fate.QUEUED:
                self.spend(len(payload))
        else:
            raise ValueError(f"peer.send: kind is {kind!r}: pass 'state' or 'event'")
        return fate

    def kick(self, text: str = "", reason: Reason = Reason.KICKED) -> None:
        """End its session with a reason that it is told, and give it up at once."""
        self.room.kick(self, reason, text)

    def new_tick(self, spent: int = 0) -> None:
        """A tick begins: the budget is counted anew."""
        self._spent = spent

    @property
    def listening(self) -> bool:
        """Whether an event sent now reaches it: it subscribes to them, and none is held back before."""
        return self.event.subscribers > 0 and not self._held

    def flush(self) -> bool:
        """Send what was held back, once it listens; whether nothing is held any more."""
        while self._held and self.event.subscribers > 0:
            if self._send_event(self._held.popleft()) == Fate.NO_ROOM:
                break
        return not self._held

    def _send_event(self, payload: bytes) -> Fate:
        fate = self.event.send(self.room.event_head(self, payload))
        self.note_event(fate, len(payload))
        return fate

    def _hold(self, payload: bytes) -> Fate:
        """A track is read from its subscription on: what comes before waits here, up to a bound."""
        if len(self._held) >= MAX_HELD or len(payload) > MAX_HELD_BYTES:
            self.events_lost += 1
            return Fate.NO_ROOM
        self._held.append(payload)
        self.room.holds(self)
        return Fate.QUEUED

    def note_event(self, fate: Fate, size: int) -> None:
        """What became of an event of so many bytes: one that was not taken has no number."""
        if fate in (Fate.QUEUED, Fate.NO_SUBSCRIBER, Fate.NOT_CONNECTED):
            self.events_sent += 1
            self.spend(size)
        else:
            self.events_lost += 1

    def spend(self, size: int) -> None:
        """Count bytes sent on its behalf by the room."""
        self._spent += size

    def close(self) -> None:
        """Its tracks end."""
        self.state.close()
        self.event.close()

    def __repr__(self) -> str:
        return f"Peer({self.id!r}, room={self.room.name!r}, connected={self.connected})"
