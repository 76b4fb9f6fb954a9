"""Audio and video as readers want them: decoded and evenly paced, or frame by frame from a keyframe on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from . import _codecs, _errors, _jitter, _loc
from ._batch import Received
from ._events import TrackInfo
from ._feed import Feed
from ._generated.constants import (
    PROPERTY_AUDIO_CODEC,
    PROPERTY_CHANNELS,
    PROPERTY_LOC_TIMESCALE,
    PROPERTY_SAMPLE_RATE,
    PROPERTY_VIDEO_CODEC,
    TrackKind,
)
from ._media_values import CODEC_NUMBERS, AudioCodec

_T = TypeVar("_T")
_TALKERS: Final = 1024
"""Tracks that a reader keeps the state of; beyond, the one unheard for longest is forgotten."""
_FADE: Final = 0.5
"""What each concealed packet is louder by than the next."""
_CODECS: Final[dict[int, AudioCodec]] = {number: codec for codec, number in CODEC_NUMBERS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """Samples of one packet, to be played right after those before them."""

    track: TrackInfo
    """Whose they are."""
    samples: npt.NDArray[Any]
    """Of shape (samples, channels), int16 or float32 in -1 .. 1."""
    rate: int
    """Samples a second and channel."""
    timestamp: float
    """When the first one was captured, seconds on the talker's clock: since 1970, or media time."""
    concealed: bool
    """The packet is lost, and these are made from what came before."""
    first: bool
    """Silence lies before it."""
    level: int
    """Loudness as its publisher measured it, -dBov: 0 (loudest) .. 127 (silence, or not said)."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One encoded frame, in decoding order."""

    track: TrackInfo
    """Whose it is."""
    payload: bytes
    """The codec's bitstream."""
    keyframe: bool
    """It decodes by itself; it is its group's first."""
    timestamp: float
    """When it was captured, seconds since 1970, or of media time; 0: not said."""
    config: bytes
    """The codec's configuration, with a keyframe whose codec needs it; else empty."""
    discardable: bool
    """No other frame needs it."""
    after_gap: bool
    """Frames before it are missing; always a keyframe."""
    group: int
    object: int
    received: float
    """When it arrived, seconds on the node's clock."""


@dataclass(slots=True)
class AudioCounts:
    """What became of a reader's packets, over all its tracks."""

    packets: int = 0
    """That arrived."""
    played: int = 0
    concealed: int = 0
    """Lost or late, and covered up."""
    late: int = 0
    """Came after their time."""
    trimmed: int = 0
    """Left out to shorten the delay."""
    unreadable: int = 0
    """That no decoder took, or of tracks that are no audio."""


class _Reader(Generic[_T]):
    """What both readers have in common: a feed is looked at, and what is ready handed out one by one."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._ready: deque[_T] = deque()
        self._coming: asyncio.Task[Received | _errors.Error | None] | None = None
        self._over = False

    def _put(self, frame: Received) -> None:
        raise NotImplementedError

    def _due(self, now: float) -> list[_T]:
        raise NotImplementedError

    def _due_at(self) -> float | None:
        raise NotImplementedError

    def read(self, now: float | None = None) -> list[_T]:
        """What is ready by `now`, seconds on the node's clock; none: now. Never blocks.

        For plain loops; poll the node as well. Raises what ended the feed, once all was read.
        """
        for frame in self.feed.frames():
            self._put(frame)
        found = [*self._ready, *self._due(self.feed._node.now if now is None else now)]
        self._ready.clear()
        if not found and self.feed._error is not None:
            raise self.feed._error
        return found

    def __aiter__(self) -> AsyncIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        """The next one, when it is due. Ends when the feed is closed here; raises what else ended it."""
        while not self._ready:
            now = self.feed._node.now
            for frame in self.feed.frames():
                self._put(frame)
            self._ready.extend(self._due(now))
            if self._ready:
                break
            await self._wait()
        return self._ready.popleft()

    async def _wait(self) -> None:
        """Until a frame comes, or something is due."""
        if self._over:
            raise StopAsyncIteration
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._next_frame())
        due = self._due_at()
        patience = None if due is None else max(0.0, due - self.feed._node.now)
        await asyncio.wait((self._coming,), timeout=patience)
        if self._coming.done():
            coming, self._coming = self._coming.result(), None
            if coming is None:
                self._over = True
            elif isinstance(coming, Received):
                self._put(coming)
            else:
                raise coming

    async def _next_frame(self) -> Received | _errors.Error | None:
        """The feed's next frame, what ended it, or none if that was its close here."""
        try:
            return await anext(self.feed)
        except StopAsyncIteration:
            return None
        except _errors.Error as wrong:
            return wrong

    def close(self) -> None:
        """Stop reading; the feed stays open."""
        self._over = True
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None


@dataclass(frozen=True, slots=True)
class _Packet:
    data: bytes
    level: int


class _Talker:
    """One track's packets, decoder and what was last heard."""

    def __init__(self, track: TrackInfo, delays: tuple[float, float]) -> None:
        properties = track.properties
        codec = _CODECS.get(_number(properties.get(PROPERTY_AUDIO_CODEC), 0))
        channels = _number(properties.get(PROPERTY_CHANNELS), 1)
        rate = _number(properties.get(PROPERTY_SAMPLE_RATE), 48_000)
        if codec is None or channels not in (1, 2) or not 8000 <= rate <= 192_000:
            raise _errors.BadArgument(
                f"track {track.namespace}/{track.name}: no audio that this reader knows (codec "
                f"{_number(properties.get(PROPERTY_AUDIO_CODEC), 0)}, {channels} channels, {rate} Hz)"
            )
        self.track = track
        self.channels = channels
        self.decoder = _codecs.decoder(codec, rate, channels)
        self.buffer: _jitter.JitterBuffer[_Packet] = _jitter.JitterBuffer(*delays)
        self.timescale = _number(properties.get(PROPERTY_LOC_TIMESCALE), 0)
        self.last: _codecs.Samples = np.zeros((0, channels), np.int16)
        self.level = _loc.QUIETEST


class AudioReader(_Reader[AudioBlock]):
    """Decoded, evenly paced audio of every track of a feed; each talker has a jitter buffer of its own.

    `async for block in reader` in asyncio, `read()` in a plain loop. What is missing when it is due is
    concealed for a tenth of a second at most. The feed is this reader's alone.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        dtype: Literal["float32", "int16"] = "float32",
        min_delay: float = 0.02,
        max_delay: float = 0.4,
    ) -> None:
        """`min_delay` and `max_delay` bound the wait for late packets, seconds beyond the quickest way."""
        super().__init__(feed)
        if dtype not in ("float32", "int16"):
            raise _errors.BadArgument(f"dtype is {dtype!r}: pass 'float32' or 'int16'")
        if not 0 <= min_delay <= max_delay <= 10:
            raise _errors.BadArgument(f"delays {min_delay} .. {max_delay}: pass 0 .. 10 seconds, least first")
        self.unread: dict[int, str] = {}
        """Tracks that can't be read, by id, and why; the latest 64."""
        self._counts = AudioCounts()
        self._delays = (min_delay, max_delay)
        self._whole = dtype == "int16"
        self._talkers: dict[int, _Talker] = {}

    @property
    def counts(self) -> AudioCounts:
        """What became of the packets so far."""
        counts = [one.buffer.counts for one in self._talkers.values()]
        late, trimmed = sum(one.late for one in counts), sum(one.trimmed for one in counts)
        return replace(self._counts, late=self._counts.late + late, trimmed=self._counts.trimmed + trimmed)

    def delay(self, track: TrackInfo) -> float:
        """How long the track's packets wait now beyond the quickest way, seconds."""
        talker = self._talkers.get(track.id)
        return talker.buffer.delay if talker is not None else 0.0

    def _put(self, frame: Received) -> None:
        talker = self._talker(frame.track)
        if talker is None:
            self._counts.unreadable += 1
            return
        self._counts.packets += 1
        marks = _loc.decode(frame.properties, talker.timescale)
        time = frame.received if marks.timestamp is None else marks.timestamp
        level = _loc.QUIETEST if marks.level is None else marks.level
        try:
            duration = talker.decoder.duration(frame.payload)
        except _codecs.BadPacket:
            self._counts.unreadable += 1
            return
        packet = _Packet(frame.payload, level)
        talker.buffer.put(time, duration, packet, frame.received, marks.active is not False)

    def _due(self, now: float) -> list[AudioBlock]:
        found = []
        for talker in self._talkers.values():
            for due in talker.buffer.take(now):
                block = self._block(talker, due)
                if block is not None:
                    found.append(block)
        return found

    def _due_at(self) -> float | None:
        return min((at for talker in self._talkers.values() if (at := talker.buffer.due_at)), default=None)

    def _talker(self, track: TrackInfo) -> _Talker | None:
        talker = self._talkers.pop(track.id, None)
        if talker is None:
            if track.id in self.unread:
                return None
            try:
                if track.kind != TrackKind.AUDIO:
                    raise _errors.BadArgument(f"track {track.namespace}/{track.name} is no audio")
                talker = _Talker(track, self._delays)
            except _errors.Error as wrong:
                _remember(self.unread, track.id, str(wrong))
                return None
        self._talkers[track.id] = talker
        if len(self._talkers) > _TALKERS:
            gone = self._talkers.pop(next(iter(self._talkers))).buffer.counts
            self._counts.late += gone.late
            self._counts.trimmed += gone.trimmed
        return talker

    def _block(self, talker: _Talker, due: _jitter.Due[_Packet]) -> AudioBlock | None:
        samples = None
        if due.item is not None:
            try:
                samples = talker.decoder.decode(due.item.data)
            except _codecs.BadPacket:
                self._counts.unreadable += 1
            else:
                talker.level = due.item.level
                self._counts.played += 1
        concealed = samples is None
        if samples is None:
            if not len(talker.last):
                return None
            samples = conceal(talker.last)
            self._counts.concealed += 1
        talker.last = samples
        shown = samples if self._whole else samples.astype(np.float32) / 32768.0
        return AudioBlock(
            talker.track, shown, talker.decoder.rate, due.timestamp, concealed, due.first, talker.level
        )


class VideoReader(_Reader[VideoFrame]):
    """Encoded frames of every track of a feed, in decoding order, each track from a keyframe on.

    `async for frame in reader` in asyncio, `read()` in a plain loop. Where frames are missing, those up to
    the next keyframe, which is asked for, are left out and counted. The feed is this reader's alone.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.frames = 0
        """Frames handed out."""
        self.skipped = 0
        """Frames left out, for nothing could have been made of them."""
        self._at: dict[int, tuple[int, int]] = {}
        self._gap: set[int] = set()

    def codec(self, track: TrackInfo) -> str:
        """A track's codec string, as "vp8"; empty: not said."""
        codec = track.properties.get(PROPERTY_VIDEO_CODEC)
        return codec.decode("utf-8", "replace") if isinstance(codec, bytes) else ""

    def _put(self, frame: Received) -> None:
        track, place = frame.track, (frame.group, frame.object)
        marks = _loc.decode(frame.properties, _number(track.properties.get(PROPERTY_LOC_TIMESCALE), 0))
        # Who does not mark frames begins its groups with keyframes, as LOC's mapping has it.
        keyframe = frame.object == 0 if marks.keyframe is None else marks.keyframe
        at = self._at.pop(track.id, None)
        follows = not frame.after_gap and at is not None and place == (at[0], at[1] + 1)
        if frame.after_gap or not (keyframe or follows):
            if not keyframe and track.id not in self._gap:
                self.feed.want_group(track.id)
            self._gap.add(track.id)
            if len(self._gap) > _TALKERS:
                self._gap &= self.feed.tracks.keys() | {track.id}
        if not (keyframe or follows):
            self.skipped += 1
            return
        self._at[track.id] = place
        if len(self._at) > _TALKERS:
            self._at.pop(next(iter(self._at)))
        gap = keyframe and track.id in self._gap
        self._gap.discard(track.id)
        self.frames += 1
        self._ready.append(
            VideoFrame(
                track,
                frame.payload,
                keyframe,
                marks.timestamp or 0.0,
                marks.config,
                marks.discardable,
                gap,
                frame.group,
                frame.object,
                frame.received,
            )
        )

    def _due(self, now: float) -> list[VideoFrame]:
        return []

    def _due_at(self) -> float | None:
        return None


def conceal(last: _codecs.Samples) -> _codecs.Samples:
    """Samples in the place of lost ones: those before them, turned round so that no step is heard, and fading
    out.
    """
    fade = np.linspace(1.0, _FADE, len(last))[:, np.newaxis]
    hidden: _codecs.Samples = np.rint(last[::-1] * fade).astype(np.int16)
    return hidden


def _remember(notes: dict[int, str], track: int, text: str) -> None:
    notes[track] = text
    if len(notes) > 64:
        notes.pop(next(iter(notes)))


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
