"""Audio codecs behind one face: samples to a packet, and a packet to samples.

Samples are int16, of shape (samples, channels). A packet from the wire that is none is `BadPacket`. Opus is
libopus by PyAV, imported when first needed; PCM and G.711 are numpy's alone.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import _g711
from ._errors import BadArgument, NativeMissing
from ._media_values import AudioCodec

Samples = npt.NDArray[np.int16]
OPUS_RATE = 48_000
"""What Opus decodes to, whatever was encoded."""
_LONGEST = 0.120
"""An Opus packet's longest time, seconds; other codecs' packets are held to it too."""

_SILK = (0.010, 0.020, 0.040, 0.060)
_HYBRID = (0.010, 0.020)
_CELT = (0.0025, 0.005, 0.010, 0.020)
"""Frame lengths of Opus's modes, seconds."""


class BadPacket(ValueError):
    """A packet that its codec can't read."""


class Encoder(Protocol):
    """Samples of one packet's length to a packet."""

    bitrate: int

    def encode(self, samples: Samples) -> bytes:
        """The packet."""
        ...


class Decoder(Protocol):
    """Packets to samples."""

    rate: int

    def duration(self, packet: bytes) -> float:
        """How long the packet is heard, seconds. `BadPacket` if it is none."""
        ...

    def decode(self, packet: bytes) -> Samples:
        """The samples. `BadPacket` if there are none in it."""
        ...


def encoder(codec: AudioCodec, rate: int, channels: int, bitrate: int, frame: float) -> Encoder:
    """An encoder for packets of `frame` seconds."""
    if codec == "opus":
        return _OpusEncoder(rate, channels, bitrate, frame)
    return _Plain(codec, rate, channels)


def decoder(codec: AudioCodec, rate: int, channels: int) -> Decoder:
    """A decoder."""
    return _OpusDecoder(channels) if codec == "opus" else _Plain(codec, rate, channels)


class _Plain:
    """PCM and G.711: a sample after the other."""

    def __init__(self, codec: AudioCodec, rate: int, channels: int) -> None:
        self.rate = rate
        self.bitrate = rate * channels * (16 if codec == "pcm" else 8)
        self._codec = codec
        self._channels = channels
        self._unit = channels * (2 if codec == "pcm" else 1)

    def encode(self, samples: Samples) -> bytes:
        flat = np.ascontiguousarray(samples).reshape(-1)
        if self._codec == "pcm":
            return flat.astype("<i2", copy=False).tobytes()
        return _g711.encode_mu(flat) if self._codec == "mulaw" else _g711.encode_a(flat)

    def duration(self, packet: bytes) -> float:
        if not packet or len(packet) % self._unit or len(packet) > self._unit * self.rate * _LONGEST:
            raise BadPacket(f"{len(packet)} bytes are no packet: {self._channels} channels of {self._codec}")
        return len(packet) / (self._unit * self.rate)

    def decode(self, packet: bytes) -> Samples:
        self.duration(packet)
        if self._codec == "pcm":
            flat = np.frombuffer(packet, "<i2").astype(np.int16, copy=False)
        else:
            flat = _g711.decode_mu(packet) if self._codec == "mulaw" else _g711.decode_a(packet)
        return flat.reshape(-1, self._channels)


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise NativeMissing(
            "Opus needs PyAV, which is not installed: pip install clutchcall[media], "
            "or publish with codec='pcm' or 'mulaw'"
        ) from None
    return av


def has_opus() -> bool:
    """Whether Opus can be encoded and decoded here."""
    try:
        _av()
    except NativeMissing:
        return False
    return True


def _layout(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"


class _OpusEncoder:
    def __init__(self, rate: int, channels: int, bitrate: int, frame: float) -> None:
        self._av = _av()
        self._rate = rate
        self._channels = channels
        self._frame = frame
        self._bitrate = bitrate
        self._sent = 0
        self._context = self._open()

    @property
    def bitrate(self) -> int:
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        # libopus takes another rate at any time, but FFmpeg hands it over at the opening alone; the reader's
        # decoder goes on as it is.
        if bitrate != self._bitrate:
            self._bitrate = bitrate
            self._context = self._open()

    def encode(self, samples: Samples) -> bytes:
        av = self._av
        if len(samples) != round(self._rate * self._frame):
            raise BadArgument(f"{len(samples)} samples are no packet of {self._frame * 1000:g} ms")
        flat = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=_layout(self._channels))
        frame.sample_rate = self._rate
        frame.pts = self._sent
        self._sent += len(samples)
        return b"".join(bytes(packet) for packet in self._context.encode(frame))

    def _open(self) -> Any:
        context = self._av.CodecContext.create("libopus", "w")
        context.sample_rate = self._rate
        context.layout = _layout(self._channels)
        context.format = "s16"
        context.bit_rate = self._bitrate
        context.options = {"application": "voip", "frame_duration": f"{self._frame * 1000:g}"}
        context.open()
        return context


class _OpusDecoder:
    rate = OPUS_RATE

    def __init__(self, channels: int) -> None:
        self._av = _av()
        self._channels = channels
        context = self._av.CodecContext.create("libopus", "r")
        context.sample_rate = OPUS_RATE
        context.layout = _layout(channels)
        context.open()
        self._context = context

    def duration(self, packet: bytes) -> float:
        # The first byte's bits (RFC 6716, section 3.1): 5 the mode and frame length, 2 how many frames.
        if not packet or (packet[0] & 3 == 3 and len(packet) < 2):
            raise BadPacket(f"{len(packet)} bytes are no Opus packet")
        mode, code = packet[0] >> 3, packet[0] & 3
        frame = _SILK[mode & 3] if mode < 12 else _HYBRID[mode & 1] if mode < 16 else _CELT[mode & 3]
        length = frame * (1 if code == 0 else 2 if code < 3 else packet[1] & 0x3F)
        if not 0 < length <= _LONGEST:
            raise BadPacket(f"an Opus packet of {length} s: at most {_LONGEST} s are")
        return length

    def decode(self, packet: bytes) -> Samples:
        self.duration(packet)
        try:
            frames = self._context.decode(self._av.Packet(packet))
        except (self._av.error.FFmpegError, ValueError) as wrong:
            raise BadPacket(f"{len(packet)} bytes are no Opus packet: {wrong}") from None
        parts = [frame.to_ndarray().reshape(-1, self._channels) for frame in frames]
        if not parts:
            raise BadPacket(f"{len(packet)} bytes hold no Opus frame")
        return np.concatenate(parts)
