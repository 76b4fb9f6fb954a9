"""Players of the game's own over real UDP, on a node of their own: one task drives all of them in batches.

They measure: how long states, events and chat take, and whether each reliable message arrives once and in
order. Times compare because both nodes' clocks are read in this process.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

import transport
from transport import SEND_DTYPE, Feed, LinkOptions, Publication

from . import protocol
from ._clock import Ahead, FollowClock
from ._game import BotBrain, Game
from ._show import Show
from ._status import Histogram

CHATTERS: Final = 32
"""Bots that chat, and read each other's chat; more would measure little but the square of their number."""
_DIALS: Final = 16
"""Connections made at once."""
_CONNECT_PATIENCE: Final = 20.0
_CLOCK_PERIOD: Final = 1.0
"""How often the two nodes' clocks are compared, seconds: a busy moment blurs a reading."""
_MASK: Final = 0xFFFF_FFFF
_CHAT: Final = re.compile(r"\((\d{1,6}) (\d{1,9}) (\d{1,10})\)$", re.ASCII)
"""What bots say ends with: who says it, its number, when."""


@dataclass(slots=True)
class Reliable:
    """Messages that have to arrive once and in order."""

    sent: int = 0
    received: int = 0
    repeated: int = 0
    """Came twice, or after a later one."""
    gaps: int = 0
    """Numbers that were jumped over."""
    _next: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, receiver: int, source: int, number: int) -> None:
        """A message of a source with a number counted from 1 has arrived."""
        due = self._next.get((receiver, source), 1)
        if number < due:
            self.repeated += 1
            return
        self.received += 1
        self.gaps += number - due
        self._next[receiver, source] = number + 1

    def newest(self, receiver: int, source: int) -> int:
        """The last number that arrived; 0: none."""
        return self._next.get((receiver, source), 1) - 1


@dataclass(slots=True)
class Bot:
    """One bot's link and tracks."""

    link: transport.Link
    moves: Publication
    down: Feed
    talk: Publication | None
    heard: Feed | None


class SilentBrain:
    """Plays games that bring no bots: sends zeros and keeps no states."""

    def __init__(self, count: int, dtype: npt.DTypeLike) -> None:
        self._inputs = np.zeros(count, dtype)

    def state(self, bot: int, body: bytes | memoryview) -> int | None:
        """Nothing is acknowledged."""
        return None

    def event(self, bot: int, body: bytes) -> None:
        """Nothing is done."""

    def think(self, tick: int) -> npt.NDArray[np.void]:
        """Zeros."""
        return self._inputs


class Bots:
    """All bots of one room."""

    def __init__(
        self,
        game: type[Game],
        room: str,
        count: int,
        connect: Callable[[str, transport.Node, LinkOptions], transport.Connecting],
        host_now: Callable[[], float],
        events_sent: Callable[[str], int | None],
        seed: int = 1,
    ) -> None:
        """`connect` dials as a peer id; `events_sent` says how many events a peer was sent so far."""
        self.room = room
        self.count = count
        self.names = [f"bot-{number:03}" for number in range(1, count + 1)]
        self.names_set = frozenset(self.names)
        self.brain: BotBrain = (
            game.bot(count, seed) if game.bot else SilentBrain(count, game.input_dtype)  # type: ignore[call-arg]
        )
        self.chat = Reliable()
        self.events = Reliable()
        self.latency: dict[str, Histogram] = {name: Histogram() for name in ("state", "event", "chat")}
        self.show = Show(room)
        """What some of them say and show."""
        self.lost = 0
        """Reliable messages that had not arrived when the bots stopped."""
        self.ended: dict[str, str] = {}
        """Bots whose link is over, and why."""
        self._rate = game.rate
        self._connect = connect
        self._host_now = host_now
        self._events_sent = events_sent
        self._node = transport.Node()
        self._bots: dict[int, Bot] = {}
        self._clock = FollowClock(game.rate)
        self._acks = np.zeros(count, np.int64)
        self._recent = np.zeros((count, protocol.REDUNDANCY), game.input_dtype)
        self._kinds: dict[int, str] = {}
        self._ahead = Ahead()
        self._read_at = 0.0
        self._chatting = True
        self._chat_at = 0.0
        self._chat_sent = [0] * count
        self._due: dict[int, int] = {}

    @property
    def connected(self) -> int:
        """Bots that play."""
        return len(self._bots)

    async def start(self) -> None:
        """Connect all. Raises what the first failure was."""
        gate = asyncio.Semaphore(_DIALS)

        async def enter(number: int) -> None:
            async with gate:
                self._bots[number] = await self._enter(number)

        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                group.create_task(enter(number))
        await self.show.start([(self.names[number], bot.link) for number, bot in sorted(self._bots.items())])

    async def run(self) -> None:
        """Play until cancelled."""
        showing = asyncio.create_task(self.show.run())
        try:
            await self._play_on(showing)
        finally:
            showing.cancel()

    async def _play_on(self, showing: asyncio.Task[None]) -> None:
        while True:
            if showing.done():
                showing.result()
            now = self._node.now
            self._read_clock(now)
            self._receive(now)
            self._play(now)
            if self._chatting:
                self._talk(now)
            position = self._clock.tick(self._node.now)
            await asyncio.sleep((1.0 - position % 1.0) / self._rate)

    async def settle(self, seconds: float = 2.0) -> None:
        """Stop talking, and wait until what was sent by now has arrived; count what has not."""
        self._chatting = False
        self._due = {number: self._events_sent(self.names[number]) or 0 for number in self._bots}
        end = self._node.now + seconds
        while self._missing() and self._node.now < end:
            self._receive(self._node.now)
            await asyncio.sleep(0.01)
        self._receive(self._node.now)
        self.lost = self._missing()
        self.events.sent = self.events.received + self._missing_events() + self.events.gaps

    async def close(self) -> None:
        """Leave."""
        self._bots.clear()
        await self._node.aclose()

    async def _enter(self, number: int) -> Bot:
        name, room = self.names[number], self.room
        options = LinkOptions(resume_secret=f"{name:16}".encode())
        link = await asyncio.wait_for(self._connect(name, self._node, options), _CONNECT_PATIENCE)
        chats = number < CHATTERS
        down = await link.subscribe(protocol.down(room, name)).ready()
        heard = await link.subscribe(protocol.chat(room)).ready() if chats else None
        moves = await link.publish(protocol.input_track(room, name))
        talk = await link.publish(protocol.chat_track(room, name)) if chats else None
        return Bot(link, moves, down, talk, heard)

    def _read_clock(self, now: float) -> None:
        """How far this node's clock is ahead of the host's."""
        if now >= self._read_at:
            self._read_at = now + _CLOCK_PERIOD
            before, own, after = self._host_now(), self._node.now, self._host_now()
            self._ahead.read(before, own, after)

    def _receive(self, now: float) -> None:
        waits: dict[str, list[int]] = {name: [] for name in self.latency}
        newest: protocol.StateHead | None = None
        for number, bot in list(self._bots.items()):
            try:
                head = self._receive_down(number, bot.down, waits)
                if bot.heard is not None:
                    self._receive_chat(number, bot.heard, waits["chat"])
            except transport.Error as wrong:
                self._bots.pop(number)
                self.ended[self.names[number]] = str(wrong)
                continue
            if head is not None and (newest is None or head.tick > newest.tick):
                newest = head
        if newest is not None:
            self._clock.on_state(newest.tick, newest.lead, newest.heard, now)
        for name, values in waits.items():
            if values:
                self.latency[name].add(np.array(values) / 1e6)

    def _receive_down(
        self, number: int, feed: Feed, waits: dict[str, list[int]]
    ) -> protocol.StateHead | None:
        batch = feed.drain()
        if not len(batch):
            return None
        data = batch.data
        newest: protocol.StateHead | None = None
        for index, row in enumerate(batch.rows()):
            track, received, at, size = row[0], row[3], row[4], row[5]
            kind = self._kinds.get(track)
            if kind is None:
                kind = self._kinds[track] = batch.track(index).name
            payload = data[at : at + size]
            if kind == "state":
                state, body = protocol.parse_state(payload)
                waits["state"].append(self._ahead.waited(received, state.sent))
                tick = self.brain.state(number, body)
                if tick is not None:
                    self._acks[number] = max(tick, self._acks[number])
                newest = state
            elif kind == "event":
                event, message = protocol.parse_event(payload)
                waits["event"].append(self._ahead.waited(received, event.sent))
                self.events.take(number, number, event.number)
                self.brain.event(number, message)
        return newest

    def _receive_chat(self, number: int, feed: Feed, waits: list[int]) -> None:
        batch = feed.drain()
        for index in range(len(batch)):
            frame = batch.received(index)
            said = _CHAT.search(frame.text) if frame.track.name in self.names_set else None
            if said is None:
                continue  # a person's words
            source, count, sent = map(int, said.groups())
            if source == number:
                continue
            self.chat.take(number, source, count)
            waits.append(round(frame.received * 1e6) - sent & _MASK)

    def _play(self, now: float) -> None:
        due = self._clock.due(now)
        if due is None or not self._bots:
            return
        tick, steps = due
        inputs = self.brain.think(tick)
        for _ in range(min(steps, protocol.REDUNDANCY)):
            self._recent[:, 1:] = self._recent[:, :-1].copy()
            self._recent[:, 0] = inputs
        who = list(self._bots)
        sent = round(now * 1e6) - self._ahead.us
        rows = protocol.pack_inputs_rows(tick, self._acks[who], sent, self._recent[who])
        entries = np.zeros(len(who), SEND_DTYPE)
        entries["publication"] = [self._bots[number].moves.handle for number in who]
        entries["payload"] = np.arange(len(who), dtype=np.uint64) * rows.shape[1] + rows.ctypes.data
        entries["payload_len"] = rows.shape[1]
        entries["priority"] = protocol.INPUT_PRIORITY
        self._node.send_batch(entries)

    def _talk(self, now: float) -> None:
        """Each chatter says something every second, or less often where there are many."""
        chatters = [number for number in self._bots if number < CHATTERS]
        if now < self._chat_at or len(chatters) < min(self.count, CHATTERS) or not self._all_hear(chatters):
            return
        self._chat_at = now + max(1.0, len(chatters) / 16)
        for number in chatters:
            talk = self._bots[number].talk
            count = self._chat_sent[number] + 1
            if talk is None:
                continue
            text = f"hello from {self.names[number]} ({number} {count} {round(now * 1e6) & _MASK})"
            if talk.send(text) in (transport.Fate.QUEUED, transport.Fate.NOT_CONNECTED):
                self._chat_sent[number] = count
                self.chat.sent += len(chatters) - 1

    def _all_hear(self, chatters: list[int]) -> bool:
        """Whether each chatter's feed has every other one's track: then nothing may be missed."""
        for number in chatters:
            heard, talk = self._bots[number].heard, self._bots[number].talk
            if heard is None or len(heard.tracks) < len(chatters) - 1 or talk is None or not talk.subscribers:
                return False
        return True

    def _missing(self) -> int:
        return self._missing_chat() + self._missing_events() + self.events.gaps

    def _missing_chat(self) -> int:
        missing = 0
        for receiver, bot in self._bots.items():
            if bot.heard is None:
                continue
            for source in range(min(self.count, CHATTERS)):
                if source != receiver:
                    missing += self._chat_sent[source] - self.chat.newest(receiver, source)
        return missing + self.chat.gaps

    def _missing_events(self) -> int:
        had = self.events.newest
        return sum(max(0, due - had(number, number)) for number, due in self._due.items())
