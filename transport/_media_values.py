"""Descriptions of audio and video tracks: what a publisher decides once, and what readers learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from . import _properties
from ._errors import BadArgument
from ._generated.constants import (
    PROPERTY_AUDIO_CODEC,
    PROPERTY_CHANNELS,
    PROPERTY_SAMPLE_RATE,
    PROPERTY_VIDEO_CODEC,
)
from ._values import DEFAULT_PRIORITY, _check_bytes, check_priority, micros

VOICE_CAPABILITY = "voice.v1"
VIDEO_CAPABILITY = "video.v1"
AudioCodec: TypeAlias = Literal["opus", "pcm", "mulaw", "alaw"]
"""Opus (by PyAV: `pip install clutchcall[media]`), signed 16-bit little-endian samples, or G.711."""

CODEC_NUMBERS: Final[Mapping[AudioCodec, int]] = {"opus": 1, "pcm": 2, "mulaw": 3, "alaw": 4}
_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
_OPUS_FRAMES: Final = (0.010, 0.020, 0.040, 0.060)


@dataclass(frozen=True, slots=True)
class Audio:
    """A track of audio: packets of 20 ms, a group a second or a talk spurt, the newest first."""

    namespace: str
    """Its namespace, fields joined by "/"."""
    name: str
    """Its name in the namespace."""
    codec: AudioCodec = "opus"
    """How samples are encoded."""
    rate: int = 48_000
    """Samples a second and channel. Opus takes 8000, 12000, 16000, 24000 and 48000; its readers get 48000."""
    channels: int = 1
    """1 or 2; samples of two are interleaved."""
    bitrate: int = 24_000
    """Opus: bits a second to begin with, 6,000 .. 510,000; `AudioTrack.bitrate` changes it."""
    frame: float = 0.020
    """Length of a packet, seconds: 0.010, 0.020, 0.040 or 0.060."""
    group: float = 1.0
    """Longest group, seconds; a reader joins at its beginning."""
    silence: bool = True
    """Send nothing while nobody speaks, by the loudness. False for music."""
    datagram: bool = False
    """True: a group a packet, in QUIC datagrams: what is lost is not sent again."""
    capability: str = VOICE_CAPABILITY
    """The tag that subscribers may filter by; empty: none."""
    priority: int = 64
    """Priority of its packets, 0 (first) .. 255 (last): voice before frames of the default priority."""
    timeout: float = 1.0
    """How long a group that is over may still be sent on, seconds (SUBGROUP_DELIVERY_TIMEOUT); of datagrams,
    how long relays may hold one.
    """
    queue_bytes: int = 0
    """Bound of each subscriber's queue of this track, bytes."""
    properties: Mapping[int, _properties.Value] = field(default_factory=dict)
    """Further track properties."""
    token: str | bytes = field(default="", repr=False)
    """A token for this track alone, over a link; empty: the link's holds."""

    def __post_init__(self) -> None:
        check_priority(self.priority)
        _check_bytes(self.queue_bytes, "queue_bytes")
        micros(self.timeout, "timeout")
        if self.codec not in get_args(AudioCodec):
            raise BadArgument(f"codec is {self.codec!r}: pass one of {', '.join(get_args(AudioCodec))}")
        if self.codec == "opus" and self.rate not in _OPUS_RATES:
            raise BadArgument(f"rate is {self.rate!r}: Opus takes {', '.join(map(str, _OPUS_RATES))}")
        if not isinstance(self.rate, int) or not 8000 <= self.rate <= 192_000:
            raise BadArgument(f"rate is {self.rate!r}: pass 8000 .. 192000 samples a second")
        if self.channels not in (1, 2):
            raise BadArgument(f"channels is {self.channels!r}: pass 1 or 2")
        if self.frame not in _OPUS_FRAMES or self.rate * self.frame % 1:
            raise BadArgument(
                f"frame is {self.frame!r} s: pass 0.010, 0.020, 0.040 or 0.060, whole samples of the rate"
            )
        if not self.frame <= self.group <= 60:
            raise BadArgument(f"group is {self.group!r} s: pass a packet's length .. 60 s")
        check_bitrate(self.bitrate)

    @property
    def samples(self) -> int:
        """Samples of a packet and channel."""
        return round(self.rate * self.frame)

    def track_properties(self) -> dict[int, _properties.Value]:
        """What readers learn from the track."""
        return {
            **self.properties,
            PROPERTY_AUDIO_CODEC: CODEC_NUMBERS[self.codec],
            PROPERTY_SAMPLE_RATE: self.rate,
            PROPERTY_CHANNELS: self.channels,
        }


@dataclass(frozen=True, slots=True)
class Video:
    """A track of encoded video: a group a keyframe, the newest first; who joins late begins at a keyframe."""

    namespace: str
    """Its namespace, fields joined by "/"."""
    name: str
    """Its name in the namespace."""
    codec: str = "vp8"
    """A codec string of WebCodecs' registry, as "vp8", "vp09.00.10.08", "avc1.42E01E"."""
    capability: str = VIDEO_CAPABILITY
    """The tag that subscribers may filter by; empty: none."""
    priority: int = DEFAULT_PRIORITY
    """Priority of its frames, 0 (first) .. 255 (last)."""
    timeout: float = 2.0
    """How long a group may still be sent on when the next has begun, seconds (SUBGROUP_DELIVERY_TIMEOUT)."""
    queue_bytes: int = 0
    """Bound of each subscriber's queue of this track, bytes."""
    properties: Mapping[int, _properties.Value] = field(default_factory=dict)
    """Further track properties."""
    token: str | bytes = field(default="", repr=False)
    """A token for this track alone, over a link; empty: the link's holds."""

    def __post_init__(self) -> None:
        check_priority(self.priority)
        _check_bytes(self.queue_bytes, "queue_bytes")
        micros(self.timeout, "timeout")
        if not isinstance(self.codec, str) or not 0 < len(self.codec) <= 64:
            raise BadArgument(f"codec is {self.codec!r}: pass a codec string such as 'vp8' or 'avc1.42E01E'")

    def track_properties(self) -> dict[int, _properties.Value]:
        """What readers learn from the track."""
        return {**self.properties, PROPERTY_VIDEO_CODEC: self.codec.encode()}


def check_bitrate(bitrate: int) -> int:
    """The bit rate itself, if Opus takes it."""
    if not isinstance(bitrate, int) or not 6_000 <= bitrate <= 510_000:
        raise BadArgument(f"bitrate is {bitrate!r}: pass 6000 .. 510000 bits a second")
    return bitrate
