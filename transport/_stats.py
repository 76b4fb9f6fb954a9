"""Readings of nodes, links, publications and feeds: seconds as float, sizes in bytes, drops by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ._generated.constants import Bound, Drop, LinkState, TrackKind


@dataclass(frozen=True, slots=True)
class LinkStats:
    """A link or session."""

    state: LinkState
    draft: int
    """MoQT draft spoken; 0 while none is."""
    reconnects: int
    """Times that it came back."""
    rtt: float
    """Smoothed round trip, seconds."""
    rtt_min: float
    """Least round trip, seconds."""
    jitter: float
    """Mean deviation of the round trip, seconds."""
    queue_delay: float
    """Queueing delay on the path that the congestion controller sees, seconds."""
    congestion_window: int
    """Bytes."""
    in_flight: int
    """Bytes sent and neither acknowledged nor lost."""
    send_rate: int
    """Rate that the path is estimated to take, bytes/s."""
    queued_bytes: int
    """Waiting here."""
    packets_sent: int
    packets_lost: int
    bytes_sent: int
    """UDP payload."""
    bytes_received: int
    """UDP payload."""
    frames_sent: int
    frames_received: int
    mtu: int
    """Bytes that a UDP payload may have on this path."""
    drops: Mapping[Drop, int]
    """Not delivered, by reason."""

    @property
    def loss(self) -> float:
        """Share of sent packets that were declared lost, 0 .. 1."""
        return self.packets_lost / self.packets_sent if self.packets_sent else 0.0


@dataclass(frozen=True, slots=True)
class TrackStats:
    """A publication, over all its subscribers."""

    subscribers: int
    """That want frames now."""
    frames: int
    """Taken from the application."""
    bytes: int
    """Payload taken from the application."""
    queued_frames: int
    queued_bytes: int
    sent_frames: int
    """Handed to QUIC, counted for each subscriber."""
    sent_bytes: int
    last_group: int
    """Newest location."""
    last_object: int
    drops: Mapping[Drop, int]
    """Not delivered, by reason."""


@dataclass(frozen=True, slots=True)
class FeedStats:
    """A subscription."""

    tracks: int
    """That match now."""
    frames: int
    """Delivered."""
    bytes: int
    """Payload delivered."""
    waiting_frames: int
    """Delivered and not drained."""
    waiting_bytes: int
    dropped: int
    """Lost because the feed was full."""
    gaps: int
    """Times that objects were missing."""
    duplicates: int
    incomplete: int
    """Fragmented frames that never completed."""
    superseded: int
    """Audio and Video: objects of groups that were given up for a newer one, or joined midway."""


@dataclass(frozen=True, slots=True)
class NodeStats:
    """A node: the native thread, its socket and, on a relay, its sessions."""

    sessions: int
    auth_waiting: int
    """Sessions waiting to be accepted."""
    sessions_total: int
    sessions_refused: int
    objects_in: int
    objects_out: int
    bytes_in: int
    """UDP payload."""
    bytes_out: int
    """UDP payload."""
    packets_in: int
    packets_out: int
    syscalls_send: int
    syscalls_recv: int
    cpu: float
    """CPU time of the I/O thread, seconds."""
    tracks: int
    subscriptions: int
    malformed: int
    """Sessions ended for breaking the protocol, and packets that made no sense."""
    send_errors: int
    kinds: Mapping[TrackKind, int]
    """Objects that came in or were published here, by kind of track."""
    handshakes: int
    """Handshakes under way."""
    drops: Mapping[Drop, int]
    """Not delivered, by reason."""
    refused: Mapping[Bound, int]
    """How often each bound was met: something was refused, dropped or put off for it."""
    shards: int
    """Threads that serve the port; 1 in the counters of one shard."""
    crossed_in: int
    """Objects that came from another shard."""
    crossed_out: int
    """Objects that went to another shard, once to each that has subscribers."""
    handed_over: int
    """Packets that came to another shard's socket than their connection's, and were handed over."""
    handed_lost: int
    """The same that found no room."""
    restarts: int
    """Times that a shard failed and was started again."""


def link(raw: Any) -> LinkStats:
    """From a CcLinkStats."""
    plain = _same(raw, LinkStats)
    return LinkStats(
        state=LinkState(raw.state),
        rtt=raw.rtt_us / 1e6,
        rtt_min=raw.rtt_min_us / 1e6,
        jitter=raw.jitter_us / 1e6,
        queue_delay=raw.queue_delay_us / 1e6,
        **plain,
    )


def track(raw: Any) -> TrackStats:
    """From a CcTrackStats."""
    return TrackStats(**_same(raw, TrackStats))


def feed(raw: Any) -> FeedStats:
    """From a CcSubscriptionStats."""
    return FeedStats(**_same(raw, FeedStats))


def node(raw: Any) -> NodeStats:
    """From a CcNodeStats."""
    kinds = {kind: int(raw.kinds[kind]) for kind in TrackKind}
    return NodeStats(cpu=raw.cpu_us / 1e6, kinds=kinds, **_same(raw, NodeStats))


def _same(raw: Any, kind: type[Any]) -> dict[str, Any]:
    """The counters that have one name and unit on both sides."""
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name == "drops":
            found["drops"] = {drop: int(raw.drops[drop]) for drop in Drop}
        elif field.name == "refused":
            found["refused"] = {bound: int(raw.refused[bound]) for bound in Bound}
        elif field.name not in ("state", "kinds") and hasattr(raw, field.name):
            found[field.name] = getattr(raw, field.name)
    return found
