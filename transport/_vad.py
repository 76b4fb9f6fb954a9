"""Whether somebody speaks, by loudness: above the room's noise, and for a while after."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._loc import QUIETEST

_ABOVE_NOISE = 9.0
"""Louder than the noise by so much is speech, dB."""
_SPEECH = -35.0
"""As loud as this is speech whatever the noise, dBov."""
_SILENCE = -60.0
"""Quieter than this is never speech, dBov."""
_FLOOR_RISE = 2.0
"""How fast the noise is believed to grow, dB a second."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one packet's samples."""

    level: int
    """Loudness, -dBov: 0 (loudest) .. 127 (silence)."""
    active: bool
    """Somebody speaks."""
    send: bool
    """It is to be sent: somebody speaks, or has until just now."""
    last: bool
    """It is the last one to be sent."""


class Voice:
    """The state of one microphone. Samples come in packets of equal length."""

    def __init__(self, frame: float, hangover: float = 0.2) -> None:
        """`frame` is a packet's length, `hangover` how long sending goes on after speech, both in seconds."""
        self._frame = frame
        self._hold = max(1, round(hangover / frame))
        self._left = 0
        self._noise = _SILENCE

    def hear(self, samples: npt.NDArray[np.int16]) -> Heard:
        """Judge one packet."""
        power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
        loudness = 10 * math.log10(power / 32768.0**2) if power > 0 else -float(QUIETEST)
        active = loudness > min(max(self._noise + _ABOVE_NOISE, _SILENCE), _SPEECH)
        self._noise = min(loudness, self._noise + _FLOOR_RISE * self._frame)
        sent = active or self._left > 0
        self._left = self._hold if active else max(0, self._left - 1)
        level = min(max(round(-loudness), 0), QUIETEST)
        return Heard(level, active, sent, sent and self._left == 0)
