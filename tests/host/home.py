"""A relay's node in memory, with a clock that the test sets: what `transport.host._room.Home` asks for."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

import transport
from transport import FRAME_DTYPE, Fate, FrameBatch, LinkState, LinkStats, Reason, TrackInfo


class Publication:
    def __init__(self, home: MemoryHome, spec: transport.Frame | transport.Text, handle: int) -> None:
        self.home, self.spec, self.handle = home, spec, handle
        self.subscribers = 1

    def send(self, payload: bytes, **_: object) -> Fate:
        self.home.sent.setdefault((self.spec.namespace, self.spec.name), []).append(payload)
        return self.home.fate

    def close(self) -> None:
        self.home.publications.pop(self.handle, None)


class Feed:
    def __init__(self) -> None:
        self.waiting: list[tuple[TrackInfo, bytes, float]] = []
        self.closed = False

    def drain(self) -> FrameBatch:
        waiting, self.waiting = self.waiting, []
        frames = np.zeros(len(waiting), FRAME_DTYPE)
        data = b""
        tracks = {}
        for row, (track, payload, when) in zip(frames, waiting, strict=True):
            row["track"], row["received_us"] = track.id, round(when * 1e6)
            row["payload_at"], row["payload_len"] = len(data), len(payload)
            data += payload
            tracks[track.id] = track
        return FrameBatch(frames, memoryview(data), 0, tracks.__getitem__)

    def close(self) -> None:
        self.closed = True


@dataclass
class MemoryHome:
    now: float = 100.0
    fate: Fate = Fate.QUEUED
    send_rate: int = 600_000
    queued_bytes: int = 0
    sent: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    ended: list[tuple[int, Reason, str]] = field(default_factory=list)
    publications: dict[int, Publication] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    read: int = 0

    def publish(self, spec: transport.Frame | transport.Text) -> Publication:
        made = Publication(self, spec, max(self.publications, default=0) + 1)
        self.publications[made.handle] = made
        return made

    def subscribe(self, scope: str | transport.Exact = "", *, capability: str = "") -> Feed:
        return self.feed

    def send_batch(self, entries: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
        for entry in entries:
            payload = ctypes.string_at(int(entry["payload"]), int(entry["payload_len"]))
            self.publications[int(entry["publication"])].send(payload)
        return np.full(len(entries), self.fate, np.uint8)

    def close_session(self, session: int, reason: Reason = Reason.KICKED, text: str = "") -> None:
        self.ended.append((session, reason, text))

    def session_stats(self, session: int) -> LinkStats:
        self.read += 1
        zeros = dict.fromkeys(LinkStats.__dataclass_fields__, 0)
        state = {"state": LinkState.UP, "drops": {}, "send_rate": self.send_rate}
        return LinkStats(**{**zeros, **state, "queued_bytes": self.queued_bytes})  # type: ignore[arg-type]
