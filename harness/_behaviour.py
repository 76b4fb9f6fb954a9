"""What bots do, as a table of rates: a state machine that is walked from a seed. It knows no clock.

Times in a state are exponential, as of players who do not know each other. `walk` gives a bot's states one
after the other, each with how long it lasts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What a bot is doing."""

    AWAY = "away"
    """Not in the match: it has not joined, or has left in good order."""
    PLAY = "play"
    """Sends an input a tick, reads states, says something now and then."""
    IDLE = "idle"
    """Connected and reading; sends nothing of its own."""
    BURST = "burst"
    """Plays, and says much more than usual."""
    LOAD = "load"
    """Loads a scene: its main thread stands still; what arrives waits."""
    CRASHED = "crashed"
    """Gone without a word; it comes back as the same player."""


CONNECTED: Final = frozenset({State.PLAY, State.IDLE, State.BURST, State.LOAD})
_GONE: Final = frozenset({State.AWAY, State.CRASHED})


class BehaviourError(ValueError):
    """A table that cannot be walked: which field, and what is wrong with it."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rates from state to state."""

    rates: Mapping[State, Mapping[State, float]]
    """Times a minute that a bot in the one state goes over to the other."""
    start: State = State.PLAY
    """What bots begin with; AWAY joins by its rates."""

    def __post_init__(self) -> None:
        for state, exits in self.rates.items():
            for to, rate in exits.items():
                where = f"{state}.{to}"
                if not 0 <= rate <= 600:
                    raise BehaviourError(where, f"{rate:g} times a minute: use 0 to 600")
                if state == to:
                    raise BehaviourError(where, "a bot is in that state already: leave it out")
                if state in _GONE and to != State.PLAY:
                    raise BehaviourError(where, f"who is {state} can only go on to play")
        for state in sorted(self._reached()):
            if state not in self._stays and not any(self.rates.get(state, {}).values()):
                raise BehaviourError(state, "no way leads out of it: give a rate to another state")

    @property
    def _stays(self) -> frozenset[State]:
        """States that a bot may be in for ever."""
        return frozenset({State.PLAY, State.IDLE, State.AWAY})

    def _reached(self) -> set[State]:
        found, waiting = {self.start}, [self.start]
        while waiting:
            for to, rate in self.rates.get(waiting.pop(), {}).items():
                if rate and to not in found:
                    found.add(to)
                    waiting.append(to)
        return found

    def walk(self, draw: random.Random) -> Iterator[tuple[State, float]]:
        """A bot's states, each with its length in seconds; the last one's is infinite."""
        state = self.start
        while True:
            exits = {to: rate for to, rate in self.rates.get(state, {}).items() if rate}
            total = sum(exits.values())
            if not total:
                yield state, float("inf")
                return
            yield state, draw.expovariate(total / 60.0)
            state = draw.choices(list(exits), list(exits.values()))[0]


def seeded(seed: int, name: str) -> random.Random:
    """A bot's own randomness: one bot more changes no other's."""
    return random.Random(f"{seed}/{name}")
