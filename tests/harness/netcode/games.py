"""The game that these tests play, and networks by what is wrong with them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.bots import Player
from transport.host import Game

INPUT, STATE = 16, 64
"""Publisher priorities of the host's protocol."""


class Walk(Game):
    """Everybody walks, and everybody sees all."""

    input_dtype: ClassVar[Any] = np.dtype([("dx", "i1"), ("dy", "i1")])

    def open(self, room: Any) -> None:
        self.at = np.zeros((self.max_players, 2), np.int64)

    def join(self, peer: Any, resumed: bool) -> None:
        self.room.broadcast(f"{peer.id} is {'back' if resumed else 'here'}".encode())

    def tick(self, n: int, dt: float) -> None:
        for peer, step in self.inputs(n).items():
            self.at[peer.slot] += (step["dx"], step["dy"])
        if n % 60 == 0:
            self.room.broadcast(f"second {n // 60}".encode())
        self.room.send_state([self.at[: len(self.room.players)].astype("<i4").tobytes()])


class Walker(Player):
    """Walks to the right, and a little at random."""

    def __init__(self, machine: Any) -> None:
        super().__init__(machine)
        self.events: list[str] = []

    def think(self, tick: int) -> Any:
        return (1, self.random.randint(-1, 1))

    def event(self, body: bytes) -> None:
        self.events.append(body.decode())


def network(
    delay_ms: float = 0.0, loss: float = 0.0, jitter_ms: float = 0.0, kbit: int = 0
) -> dict[str, Any]:
    """A network that is the same both ways; loss in percent, jitter evenly around the delay."""
    way: dict[str, Any] = {"delay_ms": delay_ms}
    if loss:
        way["loss"] = {"independent": loss}
    if jitter_ms:
        way["jitter"] = {"uniform": {"ms": jitter_ms}}
    if kbit:
        way |= {"rate_kbit": kbit, "queue": {"ms": 200}}
    return {"up": way, "down": way}
