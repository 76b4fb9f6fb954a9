"""What a game server program writes: a `Game`. The room that holds it calls it, always in the host's loop.

    class Tag(Game):
        input_dtype = np.dtype([("x", "i1"), ("y", "i1")])

        def tick(self, n: int, dt: float) -> None:
            for peer, input in self.inputs(n).items(): ...
            self.room.send_state([state])

What it raises ends its room, and only that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

import transport
from transport import Reason

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._inputs import Inputs
    from ._peer import Peer
    from ._room import Room


_TOLD = frozenset(
    {
        Reason.REFUSED,
        Reason.UNAUTHORIZED,
        Reason.LIMIT,
        Reason.EXCESSIVE_LOAD,
        Reason.ROOM_CLOSED,
        Reason.KICKED,
        Reason.GOING_AWAY,
    }
)
"""Reasons that a session's close carries."""


class Refuse(transport.Error):
    """Raised or returned by `Game.admit`: the peer is turned away, and told this reason and text."""

    def __init__(self, text: str = "", reason: Reason = Reason.REFUSED) -> None:
        if reason not in _TOLD:
            known = ", ".join(sorted(reason.name for reason in _TOLD))
            raise transport.BadArgument(f"Refuse: {reason.name} can't be told to a peer: use one of {known}")
        super().__init__(text or reason.name.lower().replace("_", " "))
        self.reason = reason
        self.text = text


class BotBrain(Protocol):
    """Plays any number of bots of one room at once. Named by `Game.bot`; made with (count, seed)."""

    def state(self, bot: int, body: bytes | memoryview) -> int | None:
        """Take a state's bytes; the snapshot tick that the bot now has, or none if it can't be decoded."""
        ...

    def event(self, bot: int, body: bytes) -> None:
        """Take an event's bytes."""
        ...

    def think(self, tick: int) -> npt.NDArray[np.void]:
        """Each bot's input for a tick, of the game's `input_dtype`."""
        ...


class Game:
    """A room's game. This one has no rules: players can chat, and their inputs are counted."""

    rate: ClassVar[float] = 60.0
    """Ticks a second, 1 .. 1000."""
    max_players: ClassVar[int] = 256
    """Peers admitted at most, those kept for resumption included."""
    input_dtype: ClassVar[Any] = np.dtype("u1")
    """One input: any numpy dtype of 1 .. 255 bytes."""
    resume_grace: ClassVar[float] = 10.0
    """How long a peer whose session dropped is kept, seconds."""
    bot: ClassVar[type[BotBrain] | None] = None
    """Who plays when the host is started with `--bots`; none: they send zeros."""

    room: Room

    def open(self, room: Room) -> None:
        """The room opens; `self.room` is set."""

    def admit(self, peer: Peer, claims: Mapping[str, Any]) -> Refuse | None:
        """A peer wants in; its token was good for this room. `claims` are the token's, empty for none.

        Return or raise `Refuse` to turn it away.
        """
        return None

    def join(self, peer: Peer, resumed: bool) -> None:
        """The peer is in; `resumed`: it is back within `resume_grace`, as the same `Peer`."""

    def inputs(self, tick: int) -> Inputs:
        """Every player's input for this tick, from its jitter buffer."""
        return self.room.inputs(tick)

    def tick(self, n: int, dt: float) -> None:
        """Tick n; `dt` is 1 / rate. Numbers skipped after a stall never come."""

    def leave(self, peer: Peer, reason: Reason) -> None:
        """The peer is gone for good."""

    def close(self) -> None:
        """The room closes."""
