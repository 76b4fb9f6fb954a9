"""Media marks of an object: LOC's properties (draft-ietf-moq-loc), written and read in one place.

A capture time without a timescale is the Unix time in microseconds; with one it is media time, in units of
the timescale. Reading never fails on a value out of its range: it counts as not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import _properties
from ._generated.constants import (
    PROPERTY_LOC_AUDIO_LEVEL,
    PROPERTY_LOC_TIMESCALE,
    PROPERTY_LOC_TIMESTAMP,
    PROPERTY_LOC_VIDEO_CONFIG,
    PROPERTY_LOC_VIDEO_FRAME_MARKING,
)

_TIMESTAMP_18 = 0x06
"""The capture time's type in the list of draft -18, which peers may still write."""
_MICROSECONDS = 1_000_000
_ACTIVE = 0x80
_WHOLE = 0xC0
"""Frame marks: start and end of a frame are in this object."""
_INDEPENDENT = 0x20
_DISCARDABLE = 0x10
QUIETEST = 127
"""Level of silence, -dBov."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What an object says of its media."""

    timestamp: float | None = None
    """When it was captured, seconds since 1970, or of media time where the track has a timescale; none: not
    said."""
    level: int | None = None
    """Audio: loudness in -dBov, 0 (loudest) .. 127 (silence); none: not said."""
    active: bool | None = None
    """Audio: whether somebody speaks; none: not said."""
    keyframe: bool | None = None
    """Video: whether it decodes by itself; none: not said."""
    discardable: bool = False
    """Video: no other frame needs it."""
    config: bytes = b""
    """Video: the codec's configuration, ahead of a keyframe."""


def encode(marks: Marks) -> bytes:
    """The marks as encoded properties, the time in microseconds."""
    found: dict[int, _properties.Value] = {}
    if marks.timestamp is not None:
        found[PROPERTY_LOC_TIMESTAMP] = max(0, round(marks.timestamp * _MICROSECONDS))
    if marks.level is not None:
        level = min(max(marks.level, 0), QUIETEST)
        found[PROPERTY_LOC_AUDIO_LEVEL] = level | (_ACTIVE if marks.active else 0)
    if marks.keyframe is not None:
        flags = _WHOLE | (_INDEPENDENT if marks.keyframe else 0) | (_DISCARDABLE if marks.discardable else 0)
        found[PROPERTY_LOC_VIDEO_FRAME_MARKING] = bytes((flags,))
    if marks.config:
        found[PROPERTY_LOC_VIDEO_CONFIG] = marks.config
    return _properties.encode(found)


def decode(properties: Mapping[int, _properties.Value], timescale: int = 0) -> Marks:
    """The marks among an object's properties; `timescale` is the track's, 0 if it has none."""
    own = properties.get(PROPERTY_LOC_TIMESCALE)
    units = own if isinstance(own, int) and own > 0 else timescale or _MICROSECONDS
    time = properties.get(PROPERTY_LOC_TIMESTAMP, properties.get(_TIMESTAMP_18))
    level = properties.get(PROPERTY_LOC_AUDIO_LEVEL)
    marking = properties.get(PROPERTY_LOC_VIDEO_FRAME_MARKING)
    config = properties.get(PROPERTY_LOC_VIDEO_CONFIG, b"")
    flags = marking[0] if isinstance(marking, bytes) and marking else None
    heard = isinstance(level, int) and level <= 0xFF
    return Marks(
        timestamp=time / units if isinstance(time, int) else None,
        level=level & QUIETEST if heard and isinstance(level, int) else None,
        active=bool(level & _ACTIVE) if heard and isinstance(level, int) else None,
        keyframe=None if flags is None else bool(flags & _INDEPENDENT),
        discardable=flags is not None and bool(flags & _DISCARDABLE),
        config=config if isinstance(config, bytes) else b"",
    )
