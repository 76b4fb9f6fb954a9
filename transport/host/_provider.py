"""What the control stack answers for a host: the relay's sessions and counters, and the host's rooms."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

import transport
from relay._bodies import ControlError
from relay.hook import Session, judge
from relay.provider import NodeProvider
from transport._generated import dtos

from . import protocol
from ._access import plays
from ._room import Room, RoomState
from ._status import quantiles

if TYPE_CHECKING:
    from ._host import Host

_WISH: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
"""A player's wished name; with what is put after it, a peer id."""
_STATES = {
    RoomState.OPEN: "open",
    RoomState.CLOSING: "closing",
    RoomState.CLOSED: "closing",
    RoomState.FAILED: "failed",
}


class HostProvider(NodeProvider):
    """A `relay.control.Provider` with rooms."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.node, host.admission, lambda: host.status, "host")
        self._host = host

    def rooms(self) -> dtos.RoomList:
        """All rooms, by name."""
        rooms = sorted(self._host.rooms.values(), key=lambda room: room.name)
        return dtos.RoomList(rooms=tuple(self._describe_room(room) for room in rooms))

    def room_of(self, session: Session) -> str | None:
        """The room that a session is in."""
        return self._host.room_of(session.handle)

    async def join(self, request: dtos.JoinRequest, token: bytes) -> dtos.JoinInfo:
        """What the token's bearer needs to play in a room, as far as the token allows.

        A token that names no peer gets a new peer id, which nobody else has: the wish, and a random end.
        """
        host = self._host
        try:
            room = protocol.room_name(request.room)
        except transport.BadName as wrong:
            raise ControlError(400, "bad_field", str(wrong), field="$.room") from None
        wish = request.player or "player"
        if not _WISH.fullmatch(wish):
            text = f"player {wish[:60]!r}: use 1 to 40 of letters, digits, '_', '.', '-'"
            raise ControlError(400, "bad_field", text, field="$.player")
        if not host.is_ready:
            raise ControlError(503, host.status, f"this host is {host.status}: try another", retry_ms=1000)
        fresh = f"{wish}-{secrets.token_hex(8)}"
        verdict = await judge(self.admission.hook, token, f"/{room}", fresh)
        stamp = verdict.stamp
        if not plays(room, stamp):
            text = f"the token is not for playing in room {room}: pass one that is"
            raise ControlError(403, "forbidden", text)
        made = host.access.ticket(room, verdict)
        if made is not None:
            ticket, lasts = made
        elif stamp.peer_id != fresh:
            ticket, lasts = token.decode("ascii"), stamp.expires or 0.0
        else:
            text = "others sign this host's tokens, and this one names no peer: pass one with a peer"
            raise ControlError(409, "ambiguous", text)
        return dtos.JoinInfo(
            room=room,
            url=host.url_of(room),
            namespace=f"games/{room}",
            peer_id=stamp.peer_id,
            token=ticket,
            expires_ms=round(lasts * 1e3),
            certificate_sha256=host.access.certificate.sha256 if host.options.cert is None else None,
            tick_rate_hz=host.tick_rate,
        )

    def _describe_room(self, room: Room) -> dtos.Room:
        (p99,) = quantiles(room.durations, 0.99)
        return dtos.Room(
            name=room.name,
            namespace=f"games/{room.name}",
            state=_STATES[room.state],
            players=len(room.players),
            max_players=room.game.max_players,
            bots=self._host.bots_in(room),
            tick=room.tick,
            tick_rate_hz=float(room.clock.rate),
            tick_p99_ms=p99 * 1e3,
            overruns=room.clock.late + room.clock.skipped,
            uptime_ms=int((room.now - room.opened_at) * 1e3),
            metadata={},
        )
