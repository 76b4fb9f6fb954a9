"""A bit rate that follows the link: down at once when the path takes less, up slowly when it takes more.

Pure: readings and time are passed in. The link's estimated send rate is a ceiling, of which `share` is used;
a queue that grows, or drops, say before it that too much is sent. A rise waits until nothing was wrong for a
while, and small changes are not made at all, so that an encoder is not disturbed for little.
"""

from __future__ import annotations

from typing import Final, Protocol

from ._errors import BadArgument

_DOWN: Final = 0.75
"""What a queue that stands leaves of the rate."""
_DOWN_EVERY: Final = 0.5
"""Least time between such steps, seconds: what the last one did has to show first."""
_CALM: Final = 3.0
"""Time without a step down before the first step up, seconds."""
_UP: Final = 1.10
"""A step up."""
_UP_EVERY: Final = 1.0
"""Least time between steps up, seconds."""
_QUEUE: Final = 0.200
"""So much of the rate's own time may wait in the sending queue, seconds."""
_SMALL: Final = 0.05
"""A share of the rate that is not worth a change."""


class Readings(Protocol):
    """What is looked at of `Link.stats()`."""

    @property
    def send_rate(self) -> int:
        """Bytes a second that the path is estimated to take; 0: not known yet."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Waiting to be sent."""
        ...


class RateControl:
    """One encoder's bit rate. Call `update` a few times a second, and set the encoder to `bitrate`."""

    def __init__(self, least: int, most: int, *, start: int | None = None, share: float = 0.75) -> None:
        """Bits a second; `share` is the part of the link's rate that this encoder may have, 0 .. 1."""
        if not 0 < least <= most:
            raise BadArgument(f"bit rates {least} .. {most}: pass 0 < least <= most, bits a second")
        if not 0 < share <= 1:
            raise BadArgument(f"share is {share}: pass the encoder's part of the link, above 0 and up to 1")
        self.bitrate = min(max(start if start is not None else most, least), most)
        """What the encoder should make now, bits a second."""
        self.steps_down = 0
        self.steps_up = 0
        self._least = least
        self._most = most
        self._share = share
        self._down_at = self._up_at = self._since = float("-inf")
        self._drops = 0

    def update(self, now: float, readings: Readings, drops: int = 0) -> bool:
        """Look at the link at `now`, seconds. True if `bitrate` has changed.

        `drops` counts what the track did not deliver so far, as in `Publication.stats().drops`.
        """
        if self._since == float("-inf"):
            self._since = now
        dropped = drops > self._drops
        self._drops = drops
        ceiling = readings.send_rate * 8 * self._share if readings.send_rate > 0 else float(self._most)
        standing = readings.queued_bytes * 8 > self.bitrate * _QUEUE
        wanted = float(self.bitrate)
        if (standing or dropped) and now - self._down_at >= _DOWN_EVERY:
            wanted *= _DOWN
        wanted = min(wanted, ceiling)
        if wanted < self.bitrate * (1 - _SMALL):
            return self._step_down(round(wanted), now)
        quiet = now - max(self._down_at, self._since)
        if standing or dropped or quiet < _CALM or now - self._up_at < _UP_EVERY:
            return False
        wanted = min(self.bitrate * _UP, ceiling, float(self._most))
        if wanted < self.bitrate * (1 + _SMALL) and wanted < self._most:
            return False
        return self._step_up(round(wanted), now)

    def _step_down(self, wanted: int, now: float) -> bool:
        self._down_at = now
        before, self.bitrate = self.bitrate, max(wanted, self._least)
        changed = self.bitrate < before
        self.steps_down += changed
        return changed

    def _step_up(self, wanted: int, now: float) -> bool:
        self._up_at = now
        before, self.bitrate = self.bitrate, min(wanted, self._most)
        changed = self.bitrate > before
        self.steps_up += changed
        return changed
