"""Text against a model of a page: whoever subscribes, publishes, leaves, is killed or cut off, in any order.

The model knows who has said what. What it promises of each reader and track: messages come
in order, each once, none in between is missing, and the last one comes if both ends are still there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import transport
from harness.world import World

NETWORK = {side: {"delay_ms": 20, "loss": {"independent": 5}} for side in ("up", "down")}
NAMES = ("ann", "bob", "cat")
SETTLE = 4.0
"""Seconds in which what is under way arrives, retransmissions among it."""

names = st.sampled_from(NAMES)


@dataclass
class Track:
    """A publication as the model sees it."""

    name: str
    publication: transport.Publication
    said: int = 0


@dataclass
class Reader:
    """A subscription as the model sees it."""

    feed: transport.Feed
    heard: dict[str, list[int]] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    """What the first message of each track is at the latest: all said since then are due."""


class Talk(RuleBasedStateMachine):
    """Three machines and a relay."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(1)
        self.world.__enter__()
        self.world.relay()
        self.links: dict[str, transport.Link] = {}
        self.tracks: dict[str, Track] = {}
        self.readers: dict[str, Reader] = {}
        self.made = 0
        for name in NAMES:
            self.world.client(self.main, name=name, network=NETWORK)
        self.world.run_until(lambda: len(self.links) == len(NAMES))

    async def main(self, machine: Any) -> None:
        async with machine.connect() as link:
            self.links[machine.name] = link
            await asyncio.Event().wait()

    def teardown(self) -> None:
        try:
            self.look(SETTLE)
            for track in self.tracks.values():
                for reader in self.readers.values():
                    last = reader.heard.get(track.name, [0])[-1]
                    if track.said:
                        assert last == track.said or not reader.owed.get(track.name), (track, reader.heard)
        finally:
            self.world.close()

    # --- what happens ---

    @rule(name=names)
    def subscribe(self, name: str) -> None:
        if name in self.links and name not in self.readers:
            self.readers[name] = Reader(self.links[name].subscribe("talk"))
            self.look(SETTLE)
            self.owe()

    @rule(name=names)
    def unsubscribe(self, name: str) -> None:
        if name in self.readers:
            self.look(SETTLE)
            self.readers.pop(name).feed.close()

    @rule(name=names)
    def publish(self, name: str) -> None:
        if name in self.links and name not in self.tracks:
            self.made += 1
            text = transport.Text("talk", f"{name}-{self.made}")
            self.tracks[name] = Track(text.name, self.links[name].publish(text))
            self.look(SETTLE)
            self.owe()

    @rule(name=names)
    def unpublish(self, name: str) -> None:
        if name in self.tracks:
            self.look(SETTLE)
            self.tracks.pop(name).publication.close()

    @precondition(lambda self: self.tracks)
    @rule(name=names, count=st.integers(1, 40))
    def say(self, name: str, count: int) -> None:
        track = self.tracks.get(name)
        if track is not None:
            for _ in range(count):
                fate = track.publication.send(str(track.said + 1))
                assert fate == transport.Fate.QUEUED, fate
                track.said += 1

    @rule(name=names, seconds=st.floats(0.1, 2.0))
    def partition(self, name: str, seconds: float) -> None:
        self.world.network(name).outage(seconds)

    @rule(name=names)
    def rebind(self, name: str) -> None:
        self.world.network(name).rebind()

    @rule(name=names)
    def kill(self, name: str) -> None:
        if name in self.links:
            self.look(0)
            self.world.kill(name)
            self.links.pop(name)
            self.tracks.pop(name, None)
            self.readers.pop(name, None)

    @rule(name=names)
    def restart(self, name: str) -> None:
        if name not in self.links:
            self.world.restart(name)
            self.world.run_until(lambda: name in self.links, seconds=60)

    @rule(seconds=st.floats(0.0, 5.0))
    def wait(self, seconds: float) -> None:
        self.look(seconds)

    # --- what has to hold ---

    def owe(self) -> None:
        """From here on each reader that is there is owed what each track says."""
        for reader in self.readers.values():
            for track in self.tracks.values():
                reader.owed.setdefault(track.name, track.said + 1)

    def look(self, seconds: float) -> None:
        self.world.run(seconds)
        for reader in self.readers.values():
            for frame in reader.feed.frames():
                reader.heard.setdefault(frame.track.name, []).append(int(frame.text))

    @invariant()
    def in_order_each_once_and_none_missing(self) -> None:
        for name, reader in self.readers.items():
            for track, heard in reader.heard.items():
                first = heard[0]
                assert heard == list(range(first, first + len(heard))), (name, track, heard)
                assert first <= reader.owed.get(track, first), (name, track, heard, reader.owed)


class TestTalk(Talk.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=6,
        stateful_step_count=15,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
