"""What host and players say to each other on the tracks: names, and the bytes of inputs, states and events.

Room R, peer P, all little-endian:
- `games/R/up`, track P: datagram frames of inputs. Header (16 bytes): tick u32 of the newest input, ack u32
  (newest snapshot tick decoded, 0: none), sent u32 (sender's clock, us), count u8 (1..8), size u8 (bytes an
  input), spare u16; then `count` inputs, newest first: ticks tick, tick-1, ...
- `games/R/down/P`, track `state`: latest-wins datagram frames. Header (16 bytes): tick u32, heard u32 (newest
  input tick heard from P, 0: none), sent u32 (host's clock, us), lead i16 (how early inputs arrive, 1/64
  tick; -32768: unknown), spare u16; then the game's bytes.
- `games/R/down/P`, track `event`: messages. Header (12 bytes): number u32 from 1, tick u32, sent u32 (host's
  clock, us); then the game's bytes.
- `games/R/chat`, track P: messages of players to all.
- `games/R/voice`, track P: what P says, and `games/R/video`, track P: what P shows; audio and video tracks.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

import transport

INPUT_PRIORITY: Final = 16
EVENT_PRIORITY: Final = 48
STATE_PRIORITY: Final = 64
CHAT_PRIORITY: Final = 160
VOICE_PRIORITY: Final = 56
VIDEO_PRIORITY: Final = 192
REDUNDANCY: Final = 3
"""Inputs in a packet, so that the loss of two in a row is not noticed."""
MAX_INPUTS: Final = 8
MAX_INPUT_BYTES: Final = 255
CAPABILITY: Final = "netcode.v1"

INPUT_HEADER: Final[np.dtype[Any]] = np.dtype(
    [("tick", "<u4"), ("ack", "<u4"), ("sent", "<u4"), ("count", "u1"), ("size", "u1"), ("spare", "<u2")]
)
STATE_HEADER: Final[np.dtype[Any]] = np.dtype(
    [("tick", "<u4"), ("heard", "<u4"), ("sent", "<u4"), ("lead", "<i2"), ("spare", "<u2")]
)
EVENT_HEADER: Final[np.dtype[Any]] = np.dtype([("number", "<u4"), ("tick", "<u4"), ("sent", "<u4")])
LEAD_STEPS: Final = 64
"""Of a tick, in STATE_HEADER's lead."""
LEAD_UNKNOWN: Final = -0x8000

_INPUT = struct.Struct("<IIIBBH")
_STATE = struct.Struct("<IIIhH")
_EVENT = struct.Struct("<III")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Malformed(transport.Error, ValueError):
    """Bytes that are none of the above. The sender's fault."""


class StateHead(NamedTuple):
    """A state's header."""

    tick: int
    heard: int
    """Newest input tick that the host had from this peer; 0: none."""
    sent: int
    """Host's clock, microseconds modulo 2^32."""
    lead: float | None
    """How many ticks early this peer's inputs arrive; negative: late; none: not heard yet."""


class EventHead(NamedTuple):
    """An event's header."""

    number: int
    """Counts this peer's events, from 1."""
    tick: int
    """When it happened."""
    sent: int
    """Host's clock, microseconds modulo 2^32."""


def room_name(text: str) -> str:
    """The name itself, if a room may be called so. `BadName`."""
    if not _NAME.fullmatch(text):
        raise transport.BadName(f"room {text[:80]!r}: use 1 to 64 of letters, digits, '_', '.', '-'")
    return text


def up(room: str) -> str:
    """Namespace of a room's inputs; a track a peer."""
    return f"games/{room}/up"


def down(room: str, peer: str) -> str:
    """Namespace of what the host sends to one peer: the tracks `state` and `event`."""
    return f"games/{room}/down/{peer}"


def chat(room: str) -> str:
    """Namespace of a room's chat; a track a peer."""
    return f"games/{room}/chat"


def voice(room: str) -> str:
    """Namespace of a room's voices; a track a peer."""
    return f"games/{room}/voice"


def video(room: str) -> str:
    """Namespace of a room's pictures; a track a peer."""
    return f"games/{room}/video"


def player_grants(room: str, peer: str = "{peer}") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a player's token lets it publish and subscribe."""
    everyone = (chat(room), voice(room), video(room))
    own = tuple(f"{shared}/{peer}" for shared in everyone)
    return (f"{up(room)}/{peer}", *own), (down(room, peer), *everyone)


def input_track(room: str, peer: str, ttl: float = 0.1) -> transport.Frame:
    """The specification of a player's input track."""
    return transport.Frame(
        up(room), peer, capability=CAPABILITY, datagram=True, priority=INPUT_PRIORITY, ttl=ttl
    )


def chat_track(room: str, peer: str) -> transport.Text:
    """The specification of a player's chat track."""
    return transport.Text(chat(room), peer, priority=CHAT_PRIORITY)


def voice_track(room: str, peer: str, opus: bool = True) -> transport.Audio:
    """The specification of a player's voice; without Opus it is plain samples."""
    if opus:
        return transport.Audio(voice(room), peer, priority=VOICE_PRIORITY)
    return transport.Audio(voice(room), peer, codec="pcm", rate=16_000, priority=VOICE_PRIORITY)


def video_track(room: str, peer: str, codec: str = "vp8") -> transport.Video:
    """The specification of a player's picture."""
    return transport.Video(video(room), peer, codec=codec, priority=VIDEO_PRIORITY)


def pack_inputs(tick: int, ack: int | None, sent: int, inputs: Sequence[bytes]) -> bytes:
    """An input packet; `inputs` newest first, all of one size. `sent` is in microseconds."""
    size = len(inputs[0]) if inputs else 0
    if not 1 <= len(inputs) <= MAX_INPUTS or size > MAX_INPUT_BYTES or len(set(map(len, inputs))) > 1:
        raise transport.BadArgument(
            f"{len(inputs)} inputs, the first of {size} bytes: "
            f"pass 1 to {MAX_INPUTS} of one size up to {MAX_INPUT_BYTES}"
        )
    return _INPUT.pack(tick, ack or 0, sent & 0xFFFF_FFFF, len(inputs), size, 0) + b"".join(inputs)


def pack_inputs_rows(
    tick: int, acks: npt.NDArray[np.integer[Any]], sent: int, inputs: npt.NDArray[np.void]
) -> npt.NDArray[np.uint8]:
    """Input packets of many players, a row each; `inputs` is (players, count), newest first."""
    players, count = inputs.shape
    size = inputs.dtype.itemsize
    rows = np.empty((players, INPUT_HEADER.itemsize + count * size), np.uint8)
    head = np.zeros(players, INPUT_HEADER)
    head["tick"], head["ack"], head["sent"] = tick, acks, sent & 0xFFFF_FFFF
    head["count"], head["size"] = count, size
    rows[:, : INPUT_HEADER.itemsize] = head.view(np.uint8).reshape(players, -1)
    rows[:, INPUT_HEADER.itemsize :] = np.ascontiguousarray(inputs).view(np.uint8).reshape(players, -1)
    return rows


def pack_state(head: StateHead, body: bytes) -> bytes:
    """A state frame."""
    lead = LEAD_UNKNOWN if head.lead is None else max(-0x7FFF, min(0x7FFF, round(head.lead * LEAD_STEPS)))
    return _STATE.pack(head.tick, head.heard, head.sent & 0xFFFF_FFFF, lead, 0) + body


def parse_state(payload: bytes | memoryview) -> tuple[StateHead, bytes | memoryview]:
    """A state frame's header and the game's bytes. `Malformed` if it is too short."""
    if len(payload) < _STATE.size:
        raise Malformed(f"state of {len(payload)} bytes: its header has {_STATE.size}")
    tick, heard, sent, lead, _ = _STATE.unpack_from(payload)
    known = None if lead == LEAD_UNKNOWN else lead / LEAD_STEPS
    return StateHead(tick, heard, sent, known), payload[_STATE.size :]


def pack_event(head: EventHead, body: bytes) -> bytes:
    """An event message."""
    return _EVENT.pack(head.number & 0xFFFF_FFFF, head.tick, head.sent & 0xFFFF_FFFF) + body


def parse_event(payload: bytes | memoryview) -> tuple[EventHead, bytes]:
    """An event's header and the game's bytes. `Malformed` if it is too short."""
    if len(payload) < _EVENT.size:
        raise Malformed(f"event of {len(payload)} bytes: its header has {_EVENT.size}")
    return EventHead(*_EVENT.unpack_from(payload)), bytes(payload[_EVENT.size :])
