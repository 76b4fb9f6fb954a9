"""The bots of a soak: players of any `Game`, whose doing a pilot outside sets.

A game's own brain (`Game.bot`) thinks for all of them at once; without one they send zeros. All chat, more in
a burst.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

import transport
from harness._behaviour import State
from harness.bots import Player
from transport.host import BotBrain, Game, protocol

TALK_EVERY: Final = 5.0
"""Seconds between what a bot says, on average."""
BURST_EVERY: Final = 0.2
"""The same in a burst."""
_KEPT: Final = 64
"""Ticks that thoughts are kept for: bots ask for neighbouring ticks in any order."""


class Left(Exception):
    """The bot leaves in good order: its links are closed on the way out."""


class Mood(Protocol):
    """What a bot asks its pilot."""

    state: State
    quiet: bool
    """Nothing new is to be said: the run is about to end."""


class Crew:
    """What a game's bots think, all at once, a tick at a time."""

    def __init__(self, game: type[Game], count: int, seed: int) -> None:
        self.dtype: np.dtype[Any] = np.dtype(game.input_dtype)
        self.brain: BotBrain | None = None
        if game.bot is not None:
            self.brain = game.bot(count, seed & 0x7FFF_FFFF)  # type: ignore[call-arg]
        self._thoughts: dict[int, npt.NDArray[np.void]] = {}

    def think(self, bot: int, tick: int) -> bytes:
        """A bot's input for a tick."""
        if self.brain is None:
            return bytes(self.dtype.itemsize)
        found = self._thoughts.get(tick)
        if found is None:
            found = self._thoughts[tick] = self.brain.think(tick).copy()
            if len(self._thoughts) > _KEPT:
                del self._thoughts[next(iter(self._thoughts))]
        encoded: bytes = found[bot].tobytes()
        return encoded


class SoakPlayer(Player):
    """One bot, from its joining to its leaving."""

    def __init__(self, machine: Any, crew: Crew, mood: Mood) -> None:
        super().__init__(machine)
        self.crew = crew
        self.mood = mood
        self.said = 0
        """Messages sent."""
        self._number = int(machine.number)
        self._draw: Random = machine.random
        self._talk: transport.Publication | None = None
        self._heard: transport.Feed | None = None
        self._talk_at = 0.0

    def state(self, body: memoryview) -> int | None:
        """Shown to the brain."""
        brain = self.crew.brain
        return None if brain is None else brain.state(self._number, body)

    def event(self, body: bytes) -> None:
        """Shown to the brain."""
        if self.crew.brain is not None:
            self.crew.brain.event(self._number, body)

    async def begin(self) -> None:
        """Chat too."""
        room, name = self.machine.room, self.machine.name
        self._heard = await self.link.subscribe(protocol.chat(room)).ready()
        self._talk = await self.link.publish(protocol.chat_track(room, name))
        self._talk_at = self.link.node.now + self._draw.expovariate(1 / TALK_EVERY)

    def think(self, tick: int) -> bytes:
        """What the brain thinks."""
        return self.crew.think(self._number, tick)

    def _receive(self, feed: transport.Feed, now: float) -> None:
        if self.mood.state == State.AWAY:
            raise Left
        super()._receive(feed, now)
        if self._heard is not None:
            self._heard.drain()
        self._chat(now)

    def _send(self, moves: transport.Publication, now: float) -> None:
        if self.mood.state in (State.PLAY, State.BURST):
            super()._send(moves, now)

    def _chat(self, now: float) -> None:
        mood = self.mood
        if self._talk is None or mood.quiet or mood.state not in (State.PLAY, State.BURST):
            return
        if now < self._talk_at:
            return
        every = BURST_EVERY if mood.state == State.BURST else TALK_EVERY
        self._talk_at = now + self._draw.expovariate(1 / every)
        text = f"{self.machine.name} says {self.said + 1}"
        if self._talk.send(text) in (transport.Fate.QUEUED, transport.Fate.NOT_CONNECTED):
            self.said += 1
