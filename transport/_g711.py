"""G.711: 8 bits a sample by the laws of ITU-T G.711, as tables made once when first needed."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_BIAS = 33
"""What mu-law adds to a magnitude of 13 bits, so that every segment begins at a power of two."""


@cache
def _mu_decoding() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4 & 7).astype(np.int32)
    magnitude = (((code & 15).astype(np.int32) << 1) + _BIAS << exponent) - _BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(np.int16)


@cache
def _a_decoding() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = (code >> 4 & 7).astype(np.int32)
    mantissa = ((code & 15).astype(np.int32) << 1) + 1
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 32) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) << 3).astype(np.int16)


def _segments(magnitude: npt.NDArray[np.int32], first: int) -> npt.NDArray[np.int32]:
    """The segment that a magnitude lies in: how often it must be halved to be below `first`."""
    found = np.zeros_like(magnitude)
    for segment in range(7):
        found += magnitude >= first << segment
    return found


@cache
def _mu_encoding() -> npt.NDArray[np.uint8]:
    sample = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + _BIAS, 8191)
    exponent = _segments(magnitude, 64)
    code = exponent << 4 | (magnitude >> (exponent + 1)) & 15
    return np.roll(~(code | np.where(sample < 0, 0x80, 0)).astype(np.uint8), 32768)


@cache
def _a_encoding() -> npt.NDArray[np.uint8]:
    sample = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.where(sample < 0, ~sample, sample) >> 3
    exponent = _segments(magnitude, 32)
    code = exponent << 4 | (magnitude >> np.maximum(exponent, 1)) & 15
    return np.roll((code | np.where(sample < 0, 0, 0x80)).astype(np.uint8) ^ 0x55, 32768)


def encode_mu(samples: npt.NDArray[np.int16]) -> bytes:
    """Mu-law codes of samples."""
    return _mu_encoding()[samples.view(np.uint16)].tobytes()


def encode_a(samples: npt.NDArray[np.int16]) -> bytes:
    """A-law codes of samples."""
    return _a_encoding()[samples.view(np.uint16)].tobytes()


def decode_mu(codes: bytes | memoryview) -> npt.NDArray[np.int16]:
    """Samples of mu-law codes."""
    return _mu_decoding()[np.frombuffer(codes, np.uint8)]


def decode_a(codes: bytes | memoryview) -> npt.NDArray[np.int16]:
    """Samples of A-law codes."""
    return _a_decoding()[np.frombuffer(codes, np.uint8)]
