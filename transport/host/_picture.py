"""A moving test picture that says its number, painted as blocks that survive compression and are read back.

VP8 by PyAV where that is installed; else the grey picture as it is, each frame a keyframe.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

WIDTH: Final = 160
HEIGHT: Final = 96
BITS: Final = 16
"""Of a frame's number, a block each."""
_BLOCK: Final = WIDTH // BITS
_BLACK, _WHITE = 16, 235
_RAW: Final = "gray8.160x96"
Picture = npt.NDArray[np.uint8]


class PictureEncoder(Protocol):
    """Pictures to frames."""

    codec: str
    bitrate: int

    def encode(self, picture: Picture, keyframe: bool) -> tuple[bytes, bool]:
        """The encoded frame, and whether it is a keyframe."""
        ...


class PictureDecoder(Protocol):
    """Frames to pictures."""

    def decode(self, encoded: bytes) -> Picture | None:
        """The picture; none if there is none in it."""
        ...


def paint(number: int) -> Picture:
    """The picture of a number: a slope that wanders, and the number's bits above it, the lowest first."""
    row, column = np.arange(HEIGHT)[:, np.newaxis], np.arange(WIDTH)[np.newaxis, :]
    picture = ((row + column + number * 3) % 256 // 2 + 40).astype(np.uint8)
    bits = number >> np.arange(BITS) & 1
    picture[8:24] = np.repeat(np.where(bits, _WHITE, _BLACK), _BLOCK)
    return picture


def number_of(picture: Picture) -> int:
    """The number that a picture says."""
    blocks = picture[12:20].reshape(8, BITS, _BLOCK)[:, :, 3:-3].mean(axis=(0, 2))
    return int((blocks > (_BLACK + _WHITE) / 2) @ (1 << np.arange(BITS)))


def encoder(bitrate: int) -> PictureEncoder:
    """The best encoder that there is here."""
    try:
        import av
    except ImportError:
        return _RawPictures()
    return _Vp8Encoder(av, bitrate)


def decoder(codec: str) -> PictureDecoder | None:
    """A decoder; none if the codec is not to be had here."""
    if codec == _RAW:
        return _RawPictures()
    try:
        import av
    except ImportError:
        return None
    return _Vp8Decoder(av) if codec == "vp8" else None


class _RawPictures:
    codec = _RAW
    bitrate = 0

    def encode(self, picture: Picture, keyframe: bool) -> tuple[bytes, bool]:
        return picture.tobytes(), True

    def decode(self, encoded: bytes) -> Picture | None:
        if len(encoded) != WIDTH * HEIGHT:
            return None
        return np.frombuffer(encoded, np.uint8).reshape(HEIGHT, WIDTH)


class _Vp8Encoder:
    codec = "vp8"

    def __init__(self, av: Any, bitrate: int) -> None:
        self._av = av
        self._bitrate = bitrate
        self._frames = 0
        self._context = self._open()

    @property
    def bitrate(self) -> int:
        """Bits a second; a new one begins with a keyframe."""
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        if bitrate != self._bitrate:
            self._bitrate = bitrate
            self._context = self._open()

    def encode(self, picture: Picture, keyframe: bool) -> tuple[bytes, bool]:
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = picture
        frame = self._av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._frames
        self._frames += 1
        if keyframe:
            frame.pict_type = self._av.video.frame.PictureType.I
        packets = self._context.encode(frame)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)

    def _open(self) -> Any:
        context = self._av.CodecContext.create("libvpx", "w")
        context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 15), Fraction(15)
        context.bit_rate = self._bitrate
        context.thread_count = 1
        context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "9999"}
        context.open()
        return context


class _Vp8Decoder:
    def __init__(self, av: Any) -> None:
        self._av = av
        context = av.CodecContext.create("vp8", "r")
        context.thread_count = 1
        context.open()
        self._context = context

    def decode(self, encoded: bytes) -> Picture | None:
        try:
            frames = self._context.decode(self._av.Packet(encoded))
        except (self._av.error.FFmpegError, ValueError):
            return None
        for frame in frames:
            picture: Picture = frame.to_ndarray(format="gray")
            if picture.shape == (HEIGHT, WIDTH):
                return picture
        return None
