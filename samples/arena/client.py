"""A player's side of the arena: what arrives is decoded and acknowledged, what is pressed is sent in time."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

import transport
from transport.host import FollowClock, protocol
from transport.snapshot import NotKept, Replica

from .world import INPUT, PLAYER, VIEW_STEPS


class Player:
    """One player on a link. `receive` and `send` once a frame of whatever draws it."""

    def __init__(self, link: transport.Link, room: str = "main") -> None:
        self.link = link
        self.room = room
        self.slot = -1
        """Its row in the state; -1 before it was welcomed."""
        self.names: dict[int, str] = {}
        """Peer ids of the players by slot, as far as events told."""
        self.tick = 0
        """Of the newest snapshot."""
        self.lead: float | None = None
        """How early its inputs arrive, ticks."""
        self.waiting_for_full = 0
        """Snapshots that came on a baseline that it lacks."""
        self._replica: Replica | None = None
        self._clock = FollowClock(60.0)
        self._recent: list[bytes] = []

    async def __aenter__(self) -> Player:
        link, room, peer = self.link, self.room, self.link.peer_id
        self._feed = await link.subscribe(protocol.down(room, peer)).ready()
        self._heard = await link.subscribe(protocol.chat(room)).ready()
        self._moves = await link.publish(protocol.input_track(room, peer))
        self._talk = await link.publish(protocol.chat_track(room, peer))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        for track in (self._feed, self._heard, self._moves, self._talk):
            track.close()

    @property
    def state(self) -> npt.NDArray[np.void] | None:
        """All players as of the newest snapshot; none before the first."""
        return self._replica.exact(self.tick) if self._replica is not None and self.tick else None

    def receive(self) -> list[dict[str, Any]]:
        """Take what has arrived; the events in it, chat among them as {"type": "chat"}."""
        events: list[dict[str, Any]] = []
        for frame in self._feed.frames():
            if frame.track.name == "event":
                events.append(self._take_event(frame.payload))
            elif self._replica is not None:
                self._take_state(frame)
        for frame in self._heard.frames():
            events.append({"type": "chat", "peer": frame.track.name, "text": frame.text})
        return events

    def send(self, buttons: int, aim: int) -> None:
        """Say what is pressed, for each tick that has come since the last call."""
        due = self._clock.due(self.link.node.now)
        if due is None or not self.tick:
            return
        tick, steps = due
        behind = min(max(0, tick - self.tick) * VIEW_STEPS, 255)
        press = np.array((buttons & 0xFF, aim & 0xFF, behind), INPUT).tobytes()
        steps = min(steps, protocol.MAX_INPUTS)
        self._recent = ([press] * steps + self._recent)[: max(protocol.REDUNDANCY, steps)]
        packet = protocol.pack_inputs(tick, self.tick, round(self.link.node.now * 1e6), self._recent)
        self._moves.send(packet)

    def say(self, text: str) -> transport.Fate:
        """Chat."""
        return self._talk.send(text)

    def _take_event(self, payload: bytes) -> dict[str, Any]:
        _, body = protocol.parse_event(payload)
        event: dict[str, Any] = json.loads(body)
        if event["type"] == "welcome":
            self.slot = event["slot"]
            self.names = {int(slot): peer for slot, peer in event["players"].items()}
            self._replica = Replica(PLAYER, event["capacity"])
            self._clock = FollowClock(event["rate"])
            self.tick = 0
        elif event["type"] == "joined":
            self.names[event["slot"]] = event["peer"]
        elif event["type"] == "left":
            self.names.pop(event["slot"], None)
        return event

    def _take_state(self, frame: transport.Received) -> None:
        head, body = protocol.parse_state(frame.payload)
        rtt = self.link.stats().rtt
        self._clock.on_state(head.tick, head.lead, head.heard, frame.received, rtt)
        self.lead = head.lead
        assert self._replica is not None
        try:
            tick = self._replica.apply(body)
        except NotKept:
            self.waiting_for_full += 1  # the host learns from the acknowledgement what to build on
            return
        if tick is not None:
            self.tick = tick
