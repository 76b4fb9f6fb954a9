"""Players for tests: a program a client, as simple as a test needs it.

`Bot` is any program: override `play`. `Player` plays a `transport.host.Game`: it dials, keeps the host's
clock, sends an input a tick and shows what it gets to `state` and `event`.

    class Runner(Player):
        def think(self, tick):
            return (1, 0)                       # anything that the game's `input_dtype` takes
"""

from __future__ import annotations

import asyncio
import contextvars
from random import Random
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

import transport
from transport import Feed, Publication
from transport.host import FollowClock, Game, protocol


class Seat(Protocol):
    """What a program is given: the machine that it runs on."""

    @property
    def name(self) -> str:
        """The machine's name, which is its peer id where it plays."""
        ...

    @property
    def random(self) -> Random:
        """Random numbers of its own, from the seed."""
        ...

    @property
    def number(self) -> int:
        """Its place among those made together, from 0."""
        ...

    @property
    def room(self) -> str:
        """The room that it is to play in; empty where there is none."""
        ...

    @property
    def game(self) -> type[Game] | None:
        """The game that is played there."""
        ...

    def connect(self, **options: Any) -> transport.Connecting:
        """Dial the host or relay that the machine was told; options are `transport.connect`'s."""
        ...


class Bot:
    """A program of a client; made anew each time that the client starts."""

    def __init__(self, machine: Seat) -> None:
        self.machine = machine
        self.random = machine.random

    async def play(self) -> None:
        """Everything that it does. When it returns, the client has left."""
        async with self.machine.connect():
            await asyncio.Event().wait()


class Player(Bot):
    """Plays a `Game`, by the host's protocol."""

    redundancy: ClassVar[int] = protocol.REDUNDANCY
    """Inputs in a packet."""

    def __init__(self, machine: Seat) -> None:
        super().__init__(machine)
        game = machine.game or Game
        self.rate = float(game.rate)
        self.input_dtype: np.dtype[Any] = np.dtype(game.input_dtype)
        self.link: transport.Link
        self.ticks = 0
        """Inputs sent."""
        self.states = 0
        """States received."""
        self.newest = 0
        """The newest state's tick."""
        self.host_tick = 0.0
        """The tick that the host is at by this player's clock, and its inputs' lead."""
        self._acked = 0
        self._clock = FollowClock(self.rate)
        self._recent: list[bytes] = []
        self._kinds: dict[int, str] = {}

    def think(self, tick: int) -> Any:
        """The input for a tick: anything that `input_dtype` takes, or its bytes."""
        return np.zeros((), self.input_dtype)

    def state(self, body: memoryview) -> int | None:
        """A state's bytes; the snapshot tick to acknowledge, none: nothing."""
        return None

    def event(self, body: bytes) -> None:
        """An event's bytes."""

    async def begin(self) -> None:
        """Connected and seated, before the first input."""

    async def play(self) -> None:
        """Connect, and play until cancelled."""
        name, room = self.machine.name, self.machine.room
        async with self.machine.connect() as self.link:
            down = await self.link.subscribe(protocol.down(room, name)).ready()
            moves = await self.link.publish(protocol.input_track(room, name))
            await self.begin()
            await self._play_on(down, moves)

    async def _play_on(self, down: Feed, moves: Publication) -> None:
        """A step each tick: a plain callback, as a task that sleeps costs twice as much."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        # Both clocks go at one pace, and a context once made is a context less a step.
        ahead = self.link.node.now - loop.time()
        context = contextvars.copy_context()
        timer: asyncio.Handle | None = None

        def step() -> None:
            nonlocal timer
            try:
                now = loop.time() + ahead
                self._receive(down, now)
                self._send(moves, now)
                position = self._clock.tick(now)
                timer = loop.call_later((1.0 - position % 1.0) / self.rate, step, context=context)
            except Exception as wrong:
                if not over.done():
                    over.set_exception(wrong)

        timer = loop.call_soon(step)
        try:
            await over
        finally:
            timer.cancel()

    def _receive(self, feed: Feed, now: float) -> None:
        batch = feed.drain()
        if not len(batch):
            return
        data = batch.data
        newest: protocol.StateHead | None = None
        for index, (track, _, _, _, at, size, *_) in enumerate(batch.rows()):
            kind = self._kinds.get(track)
            if kind is None:
                kind = self._kinds[track] = batch.track(index).name
            payload = data[at : at + size]
            if kind == "state":
                head, body = protocol.parse_state(payload)
                self.states += 1
                acked = self.state(memoryview(body))
                if acked is not None and acked > self._acked:
                    self._acked = acked
                if newest is None or head.tick > newest.tick:
                    newest = head
            elif kind == "event":
                self.event(protocol.parse_event(payload)[1])
        if newest is not None:
            self.newest = max(self.newest, newest.tick)
            self._clock.on_state(newest.tick, newest.lead, newest.heard, now)

    def _send(self, moves: Publication, now: float) -> None:
        due = self._clock.due(now)
        if due is None:
            return
        tick, steps = due
        self.host_tick = float(tick)
        given = self.think(tick)
        encoded = given if isinstance(given, bytes) else np.asarray(given, self.input_dtype).tobytes()
        recent = self._recent
        for _ in range(min(steps, self.redundancy)):
            recent.insert(0, encoded)
        del recent[self.redundancy :]
        moves.send(protocol.pack_inputs(tick, self._acked, round(now * 1e6), recent))
        self.ticks += 1


class BrainPlayer(Player):
    """Plays with a game's own bots (`Game.bot`), one brain a client."""

    brain_type: ClassVar[Any] = None

    def __init__(self, machine: Seat) -> None:
        super().__init__(machine)
        self._brain = self.brain_type(1, machine.random.getrandbits(31))

    def think(self, tick: int) -> Any:
        """What the brain thinks."""
        inputs: npt.NDArray[np.void] = self._brain.think(tick)
        return inputs[0].tobytes()

    def state(self, body: memoryview) -> int | None:
        """Shown to the brain."""
        tick: int | None = self._brain.state(0, body)
        return tick

    def event(self, body: bytes) -> None:
        """Shown to the brain."""
        self._brain.event(0, body)


def _seated(kind: type[Bot]) -> Any:
    async def play(machine: Any) -> None:
        machine.bot = kind(machine)
        await machine.bot.play()

    return play


def program_of(bot: Any, game: type[Game] | None, playing: bool) -> Any:
    """The async function of a machine that plays as `bot` says; see `Face.clients`."""
    if bot is None and game is not None and game.bot is not None:
        bot = game.bot
    if bot is None:
        bot = Player if playing else Bot
    if isinstance(bot, type):
        if issubclass(bot, Bot):
            return _seated(bot)
        if callable(getattr(bot, "think", None)):
            made = type(bot.__name__, (BrainPlayer,), {"brain_type": bot})
            return _seated(made)
        raise TypeError(
            f"bot {bot.__name__}: pass a harness.Bot, a BotBrain, or an async function of the machine"
        )
    if not callable(bot):
        raise TypeError(f"bot {bot!r}: pass a harness.Bot, a BotBrain, or an async function of the machine")
    return bot
