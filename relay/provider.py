"""What a node with an admission answers on the control stack: its sessions and counters, and no rooms.

A host derives from it and adds its rooms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import transport
from transport import Drop
from transport._generated.dtos import (
    Health,
    Room,
    RoomList,
    SessionInfo,
    SessionList,
    ShardStatistics,
    Statistics,
    TokenRefreshReply,
    TokenRefreshRequest,
)

from ._bodies import ControlError
from .hook import Admission, Session, judge

HEALTHS = ("starting", "ok", "draining", "failed")


class NodeProvider:
    """A `relay.control.Provider` for one node."""

    def __init__(
        self, node: transport.Node, admission: Admission, status: Callable[[], str], name: str = "relay"
    ) -> None:
        self.node = node
        self.admission = admission
        self.name = name
        """Told with health."""
        self._status = status
        self._started = time.monotonic()

    async def authorise(self, token: bytes) -> Mapping[str, Any]:
        """A token's claims, by the hook that admits sessions."""
        return (await judge(self.admission.hook, token, "/", "control")).claims

    @property
    def uptime_ms(self) -> int:
        """Since the start."""
        return int((time.monotonic() - self._started) * 1000)

    def health(self) -> Health:
        """How the process is."""
        status = self._status()
        return Health(
            status=status,
            ready=status == "ok",
            version=version(),
            node=self.name,
            uptime_ms=self.uptime_ms,
            sessions=len(self.admission.sessions),
            rooms=len(self.rooms().rooms),
        )

    def rooms(self) -> RoomList:
        """None: a relay has no rooms."""
        return RoomList(rooms=())

    def room(self, name: str) -> Room | None:
        """The room of that name."""
        return next((room for room in self.rooms().rooms if room.name == name), None)

    def room_of(self, session: Session) -> str | None:
        """The room that a session plays in; none on a relay."""
        return None

    def sessions(self) -> SessionList:
        """All sessions."""
        found = [self._describe(session) for _, session in sorted(self.admission.peers.items())]
        return SessionList(sessions=tuple(info for info in found if info is not None))

    def session(self, peer_id: str) -> SessionInfo | None:
        """A peer's session."""
        session = self.admission.peers.get(peer_id)
        return None if session is None else self._describe(session)

    def kick(self, peer_id: str, reason: str) -> SessionInfo | None:
        """End a peer's session with KICKED; `reason` is told to it."""
        if len(reason) > 256 or (reason and not reason.isprintable()):
            text = "reason: pass one line of at most 256 characters"
            raise ControlError(400, "bad_field", text, field="$.reason")
        info = self.session(peer_id)
        if info is not None:
            self.admission.kick(peer_id, reason)
        return info

    def statistics(self) -> Statistics:
        """Counters."""
        stats = self.node.stats()
        each = [self.node.shard_stats(shard) for shard in range(stats.shards)]
        shards = tuple(
            ShardStatistics(
                shard=shard,
                sessions=own.sessions,
                cpu_us=round(own.cpu * 1e6),
                objects_in=own.objects_in,
                objects_out=own.objects_out,
                packets_in=own.packets_in,
                packets_out=own.packets_out,
                bytes_in=own.bytes_in,
                bytes_out=own.bytes_out,
                drops=drops(own.drops),
            )
            for shard, own in enumerate(each)
        )
        return Statistics(
            uptime_ms=self.uptime_ms,
            sessions=stats.sessions,
            sessions_total=stats.sessions_total,
            sessions_refused=stats.sessions_refused,
            tracks=stats.tracks,
            subscriptions=stats.subscriptions,
            malformed=stats.malformed,
            shards=shards,
        )

    async def refresh(self, request: TokenRefreshRequest) -> TokenRefreshReply:
        """Replace the token of the session that the new token is for."""
        try:
            session = await self.admission.renew(request.token.encode())
        except KeyError:
            text = "no session up belongs to the new token: connect with it"
            raise ControlError(404, "not_found", text) from None
        except LookupError as wrong:
            text = f"{wrong}: pass a token that names its peer"
            raise ControlError(409, "ambiguous", text) from None
        stamp = session.stamp
        return TokenRefreshReply(
            expires_ms=_left_ms(session) or 0,
            publish=stamp.publish,
            subscribe=stamp.subscribe,
            capabilities=stamp.capabilities,
        )

    def _describe(self, session: Session) -> SessionInfo | None:
        try:
            stats = self.node.session_stats(session.handle)
        except (transport.BadHandle, transport.Closed):
            return None  # it has just ended
        return SessionInfo(
            peer_id=session.peer_id,
            subject=session.stamp.subject,
            tenant=session.stamp.tenant,
            room=self.room_of(session),
            address=session.address,
            transport="quic",
            draft=session.draft,
            uptime_ms=int((time.monotonic() - session.since) * 1000),
            expires_ms=_left_ms(session),
            publish=session.stamp.publish,
            subscribe=session.stamp.subscribe,
            capabilities=session.stamp.capabilities,
            rtt_us=round(stats.rtt * 1e6),
            jitter_us=round(stats.jitter * 1e6),
            loss=stats.packets_lost / stats.packets_sent if stats.packets_sent else 0.0,
            send_rate=stats.send_rate,
            queued_bytes=stats.queued_bytes,
            bytes_sent=stats.bytes_sent,
            bytes_received=stats.bytes_received,
            frames_sent=stats.frames_sent,
            frames_received=stats.frames_received,
            drops=drops(stats.drops),
        )


def version() -> str:
    """The package's version; "unknown" in a checkout that was never installed."""
    try:
        return metadata.version("clutchcall")
    except metadata.PackageNotFoundError:
        return "unknown"


def drops(counts: Mapping[Drop, int]) -> dict[str, int]:
    """Drops by reason, those that happened."""
    return {drop.name.lower(): count for drop, count in counts.items() if count}


def _left_ms(session: Session) -> int | None:
    if session.expires is None:
        return None
    return max(1, round((session.expires - time.monotonic()) * 1000))
