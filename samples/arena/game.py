"""The arena in a room: inputs in, delta snapshots out, and what happened to whom as events.

Events are JSON objects: `welcome` (slot, rate, capacity, players by slot), `joined` (slot, peer), `left`
(slot), `hit` (by, of, health) to the two it concerns.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from transport import Reason
from transport.host import Game, Peer, Room
from transport.snapshot import History

from .bot import Bots
from .world import INPUT, PLAYER, World

HISTORY_TICKS = 64
"""Snapshots kept as baselines and for lag compensation: a second."""


class Arena(Game):
    """The game."""

    rate = 60.0
    max_players = 256
    input_dtype = INPUT
    bot = Bots

    def open(self, room: Room) -> None:
        self.world = World(self.max_players)
        self.history = History(PLAYER, self.max_players, HISTORY_TICKS, interpolate=["x", "y"])
        self.history.write(0, self.world.snapshot())
        self._by_slot: dict[int, Peer] = {}

    def join(self, peer: Peer, resumed: bool) -> None:
        if not resumed:
            self.world.enter(peer.slot)
            self._by_slot[peer.slot] = peer
            others = [other for other in self.room.players if other is not peer]
            self.room.broadcast(_event("joined", slot=peer.slot, peer=peer.id), peers=others)
        names = {str(slot): other.id for slot, other in self._by_slot.items()}
        welcome = _event("welcome", slot=peer.slot, rate=self.rate, capacity=self.max_players, players=names)
        peer.send("event", welcome)

    def tick(self, n: int, dt: float) -> None:
        inputs = self.inputs(n)
        hits = self.world.step(n, dt, inputs.by_slot, self._past)
        self.history.write(n, self.world.snapshot())
        self.room.send_snapshot(self.history, n)
        for hit in hits:
            both = [self._by_slot[slot] for slot in (hit.by, hit.of) if slot in self._by_slot]
            self.room.broadcast(_event("hit", by=hit.by, of=hit.of, health=hit.health), peers=both)

    def leave(self, peer: Peer, reason: Reason) -> None:
        self.world.leave(peer.slot)
        self._by_slot.pop(peer.slot, None)
        self.room.broadcast(_event("left", slot=peer.slot))

    def _past(self, moment: float) -> npt.NDArray[np.void]:
        """The world at a moment; as far back as is kept."""
        return self.history.at(max(moment, self.history.oldest or 0))


def _event(kind: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, **fields}, separators=(",", ":")).encode()
