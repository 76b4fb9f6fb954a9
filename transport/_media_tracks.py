"""Audio and video that this side publishes: samples and encoded frames in, groups of marked objects out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _codecs, _errors, _loc, _vad
from ._generated.constants import Fate
from ._media_values import Audio, Video, check_bitrate
from ._publication import Publication, Spec

if TYPE_CHECKING:
    from ._link import Link
    from ._node import Node

_RESYNC = 0.2
"""Time that goes by without samples and makes what follows a new beginning, seconds."""


class AudioTrack(Publication):
    """A published audio track. `write` takes samples as they are captured, in pieces of any length.

    Packets are made of whole packet lengths; what is left over waits for the next `write`. A group begins
    when somebody begins to speak, and after `Audio.group` seconds at the latest. One thread at a time may
    write.
    """

    def __init__(
        self, node: Node, link: Link | None, spec: Audio, clock: Callable[[], float] = time.time
    ) -> None:
        self.level = _loc.QUIETEST
        """Loudness of the last packet, -dBov: 0 (loudest) .. 127 (silence)."""
        self.speaking = False
        """Whether the last packet was speech."""
        self.packets = 0
        """Packets that were sent, or would have been if somebody had wanted them."""
        self.quiet = 0
        """Packets that were not sent, for nobody spoke."""
        self._audio = spec
        self._clock = clock
        self._encoder = _codecs.encoder(spec.codec, spec.rate, spec.channels, spec.bitrate, spec.frame)
        self._voice = _vad.Voice(spec.frame)
        self._waiting: _codecs.Samples = np.empty((0, spec.channels), np.int16)
        self._at: float | None = None
        self._in_group = 0
        super().__init__(node, link, spec)

    @property
    def bitrate(self) -> int:
        """Bits a second that the encoder makes; of Opus it may be set, 6,000 .. 510,000."""
        return self._encoder.bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        if self._audio.codec != "opus":
            raise _errors.BadArgument(f"{self._audio.codec} has one bit rate: publish with codec='opus'")
        self._encoder.bitrate = check_bitrate(bitrate)

    def write(
        self, samples: npt.NDArray[np.int16] | npt.NDArray[np.float32], timestamp: float | None = None
    ) -> Fate | None:
        """Send samples: int16, or float32 in -1 .. 1, of shape (samples,) or (samples, channels).

        `timestamp` is when the first of them was captured, seconds since 1970; none: they follow on what was
        written before, or were captured now. The answer is the worst fate of the packets that were made; none
        if none was: too few samples yet, or silence.
        """
        self._take(samples_of(samples, self._audio.channels), timestamp)
        worst: Fate | None = None
        size = self._audio.samples
        while len(self._waiting) >= size:
            assert self._at is not None
            packet, self._waiting = self._waiting[:size], self._waiting[size:]
            fate = self._send_packet(packet, self._at)
            self._at += self._audio.frame
            if fate is not None and (worst is None or fate != Fate.QUEUED):
                worst = fate
        return worst

    def _take(self, samples: _codecs.Samples, timestamp: float | None) -> None:
        rate = self._audio.rate
        due = None if self._at is None else self._at + len(self._waiting) / rate
        if timestamp is None:
            now = self._clock() - len(samples) / rate
            timestamp = now if due is None or now - due > _RESYNC else due
        if due is None or abs(timestamp - due) > self._audio.frame / 2:
            self._waiting = self._waiting[:0]
            self._at = timestamp
            self._in_group = 0
        self._waiting = np.concatenate((self._waiting, samples))

    def _send_packet(self, samples: _codecs.Samples, captured: float) -> Fate | None:
        heard = self._voice.hear(samples)
        self.level, self.speaking = heard.level, heard.active
        if self._audio.silence and not heard.send:
            self.quiet += 1
            self._in_group = 0
            return None
        begins = self._in_group == 0
        self._in_group += 1
        full = self._in_group >= max(1, round(self._audio.group / self._audio.frame))
        ends = full or (self._audio.silence and heard.last)
        if ends:
            self._in_group = 0
        marks = _loc.Marks(timestamp=captured, level=heard.level, active=heard.active)
        self.packets += 1
        return self.send(
            self._encoder.encode(samples), properties=_loc.encode(marks), new_group=begins, end_group=ends
        )


class VideoTrack(Publication):
    """A published video track. `write` takes encoded frames in decoding order."""

    def __init__(self, node: Node, link: Link | None, spec: Video) -> None:
        self.keyframe_wanted = True
        """The next frame should be a keyframe: somebody new looks, or a group was cut short."""
        super().__init__(node, link, spec)

    def write(
        self,
        encoded: bytes | bytearray | memoryview,
        *,
        keyframe: bool,
        timestamp: float | None = None,
        config: bytes = b"",
        discardable: bool = False,
    ) -> Fate:
        """Send one encoded frame: the codec's bitstream as WebCodecs has it (EncodedVideoChunk).

        A keyframe begins a group. `timestamp` is when it was captured, seconds since 1970; none: now.
        `config` goes with a keyframe whose codec keeps its parameter sets apart ("extradata"). What is
        answered with `Fate.NO_GROUP` could not have been decoded: make a keyframe.
        """
        marks = _loc.Marks(
            timestamp=time.time() if timestamp is None else timestamp,
            keyframe=keyframe,
            discardable=discardable,
            config=config,
        )
        fate = self.send(bytes(encoded), properties=_loc.encode(marks), new_group=keyframe)
        if fate == Fate.QUEUED:
            self.keyframe_wanted = self.keyframe_wanted and not keyframe
        else:
            self.keyframe_wanted = True
        return fate

    def want_keyframe(self) -> None:
        """Ask whoever encodes for a keyframe, by `keyframe_wanted`."""
        self.keyframe_wanted = True

    def _on_more_subscribers(self) -> None:
        self.keyframe_wanted = True


def make_publication(node: Node, link: Link | None, spec: Spec) -> Publication:
    """The publication of a description."""
    if isinstance(spec, Audio):
        return AudioTrack(node, link, spec)
    if isinstance(spec, Video):
        return VideoTrack(node, link, spec)
    return Publication(node, link, spec)


def samples_of(samples: npt.NDArray[Any], channels: int) -> _codecs.Samples:
    """Samples as int16 of shape (samples, channels)."""
    array = np.asarray(samples)
    if array.ndim == 1 and channels == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != channels:
        raise _errors.BadArgument(
            f"samples have shape {array.shape}: pass (samples, {channels})"
            + (" or (samples,)" if channels == 1 else "")
        )
    if array.dtype == np.int16:
        return array
    if array.dtype.kind != "f":
        raise _errors.BadArgument(f"samples are {array.dtype}: pass int16, or float32 in -1 .. 1")
    if not np.isfinite(array).all():
        raise _errors.BadArgument("samples are not all finite: pass float32 in -1 .. 1")
    whole: _codecs.Samples = np.rint(np.clip(array, -1.0, 1.0) * 32767.0).astype(np.int16)
    return whole
