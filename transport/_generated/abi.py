# generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
"""The C ABI of clutchcall_core_ffi: structures, argument types, numpy dtypes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .constants import (
    ABI_VERSION,
    PRIORITY_DEFAULT,
    Bound,
    Congestion,
    Drop,
    EventKind,
    Fate,
    FrameFlags,
    GroupOrder,
    LinkFlags,
    LinkState,
    NodeFlags,
    OpusFlags,
    Reason,
    SendFlags,
    Status,
    SubscribeFlags,
    TrackFlags,
    TrackKind,
)

__all__ = [
    "ABI_VERSION",
    "ARGTYPES",
    "FRAME_DTYPE",
    "LIBRARY",
    "PRIORITY_DEFAULT",
    "SEND_DTYPE",
    "SIZES",
    "Bound",
    "CcBatch",
    "CcEvent",
    "CcFrame",
    "CcLinkConfig",
    "CcLinkStats",
    "CcNodeConfig",
    "CcNodeStats",
    "CcOpusConfig",
    "CcRepeat",
    "CcSend",
    "CcStamp",
    "CcStr",
    "CcSubscribeConfig",
    "CcSubscriptionStats",
    "CcTrackConfig",
    "CcTrackStats",
    "CcVersion",
    "Congestion",
    "Drop",
    "EventKind",
    "Fate",
    "FrameFlags",
    "GroupOrder",
    "LinkFlags",
    "LinkState",
    "NodeFlags",
    "OpusFlags",
    "Reason",
    "SendFlags",
    "Status",
    "SubscribeFlags",
    "TrackFlags",
    "TrackKind",
    "bind",
]

LIBRARY = "clutchcall_core_ffi"
"""Name of the shared library, without prefix and suffix."""


class CcStr(ctypes.Structure):
    """A string going in or out: UTF-8 unless a field says raw bytes."""

    ptr: int | None
    """First byte; may be null when len is 0."""
    len: int
    """Length. In bytes."""
    reserved: int
    """0."""

    _fields_ = (
        ("ptr", ctypes.c_void_p),
        ("len", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class CcVersion(ctypes.Structure):
    """What this library is."""

    size: int
    """sizeof(CcVersion), set by the caller. In bytes."""
    abi: int
    """ABI version."""
    drafts: int
    """Drafts spoken: bit n stands for draft n."""
    reserved: int
    """0."""
    build: CcStr
    """Build in words; static."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("abi", ctypes.c_uint32),
        ("drafts", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("build", CcStr),
    )


class CcNodeConfig(ctypes.Structure):
    """How to open a node: one UDP socket, one engine and its I/O thread."""

    size: int
    """sizeof(CcNodeConfig). In bytes."""
    flags: int
    """CcNodeFlags bits."""
    bind: CcStr
    """Local ip:port; port 0 takes a free one."""
    certificate_pem: CcStr
    """Relay: its certificate chain, leaf first."""
    key_pem: CcStr
    """Relay: the leaf's private key."""
    alpns: CcStr
    """Drafts to speak, preferred first, as "moqt-22,moqt-18"; empty: the default."""
    open_scope: CcStr
    """OPEN: the path prefix granted to everyone; empty: all."""
    state_key: CcStr
    """32 raw bytes from which reset, connection-id and retry keys derive; empty: random."""
    max_sessions: int
    """Relay: sessions at once; 0: the default."""
    idle_timeout_ms: int
    """A peer unheard for so long is gone; 0: 30000. In ms."""
    keep_alive_ms: int
    """Quiet time after which a ping is sent, below idle_timeout_ms; 0: 5000, or a third of idle_timeout_ms if that is less. In ms."""
    congestion: int
    """A CcCongestion."""
    session_queue_bytes: int
    """Bound of one session's sending queue; 0: the default. In bytes."""
    track_queue_bytes: int
    """Bound of one track within a session's queue; 0: the default. In bytes."""
    feed_bytes: int
    """Bound of a subscription's frames waiting for cc_drain; 0: the default. In bytes."""
    seed: int
    """Seed of all the node's random choices; 0: from the system."""
    recv_buffer: int
    """Socket receive buffer to ask for; 0: the default. In bytes."""
    send_buffer: int
    """Socket send buffer to ask for; 0: the default. In bytes."""
    auth_timeout_ms: int
    """An AUTH unanswered for so long is refused; 0: the default. In ms."""
    linger_ms: int
    """How long cc_node_close goes on sending what is queued; 0: 500. In ms."""
    secret_file: CcStr
    """Reserved: empty."""
    limits: CcStr
    """Bounds by CcBound's names, as "streams_max=256,tracks=1000"; bytes may be 64k, 4m, 1g; empty: the defaults."""
    shards: int
    """Relay: threads that serve its port, at most 256, each with a socket and an engine of its own; 0: 1. With THREADLESS: 1."""
    reserved: int
    """0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("bind", CcStr),
        ("certificate_pem", CcStr),
        ("key_pem", CcStr),
        ("alpns", CcStr),
        ("open_scope", CcStr),
        ("state_key", CcStr),
        ("max_sessions", ctypes.c_uint32),
        ("idle_timeout_ms", ctypes.c_uint32),
        ("keep_alive_ms", ctypes.c_uint32),
        ("congestion", ctypes.c_uint32),
        ("session_queue_bytes", ctypes.c_uint64),
        ("track_queue_bytes", ctypes.c_uint64),
        ("feed_bytes", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("recv_buffer", ctypes.c_uint32),
        ("send_buffer", ctypes.c_uint32),
        ("auth_timeout_ms", ctypes.c_uint32),
        ("linger_ms", ctypes.c_uint32),
        ("secret_file", CcStr),
        ("limits", CcStr),
        ("shards", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class CcNodeStats(ctypes.Structure):
    """Counters of a node since it was opened."""

    size: int
    """sizeof(CcNodeStats). In bytes."""
    sessions: int
    """Sessions up now, links included."""
    sessions_total: int
    """Sessions that came up."""
    sessions_refused: int
    """Sessions refused."""
    objects_in: int
    """Objects received."""
    objects_out: int
    """Objects sent, once a subscriber."""
    bytes_in: int
    """UDP payload received. In bytes."""
    bytes_out: int
    """UDP payload sent. In bytes."""
    packets_in: int
    """UDP datagrams received."""
    packets_out: int
    """UDP datagrams sent."""
    syscalls_send: int
    """System calls to send."""
    syscalls_recv: int
    """System calls to receive."""
    cpu_us: int
    """The I/O thread's CPU time. In us."""
    tracks: int
    """Tracks known now."""
    subscriptions: int
    """Subscriptions standing now."""
    drops: ctypes.Array[ctypes.c_uint64]
    """Frames not delivered, by CcDrop."""
    auth_waiting: int
    """Sessions waiting for an answer to AUTH now."""
    malformed: int
    """Datagrams and messages that broke a rule."""
    send_errors: int
    """Datagrams the system refused to send."""
    kinds: ctypes.Array[ctypes.c_uint64]
    """Objects that came in or were published here, by CcTrackKind; 0: of tracks that do not say."""
    handshakes: int
    """Handshakes under way."""
    refused: ctypes.Array[ctypes.c_uint64]
    """How often each bound was met, by CcBound: something was refused, dropped or put off."""
    shards: int
    """Threads that serve the port; 1 in the counters of one shard."""
    crossed_in: int
    """Objects that came from another shard."""
    crossed_out: int
    """Objects that went to another shard, once each."""
    handed_over: int
    """Packets that came to another shard's socket and were handed over."""
    handed_lost: int
    """The same that found no room."""
    restarts: int
    """Times that a shard failed and was started again."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("sessions", ctypes.c_uint32),
        ("sessions_total", ctypes.c_uint64),
        ("sessions_refused", ctypes.c_uint64),
        ("objects_in", ctypes.c_uint64),
        ("objects_out", ctypes.c_uint64),
        ("bytes_in", ctypes.c_uint64),
        ("bytes_out", ctypes.c_uint64),
        ("packets_in", ctypes.c_uint64),
        ("packets_out", ctypes.c_uint64),
        ("syscalls_send", ctypes.c_uint64),
        ("syscalls_recv", ctypes.c_uint64),
        ("cpu_us", ctypes.c_uint64),
        ("tracks", ctypes.c_uint64),
        ("subscriptions", ctypes.c_uint64),
        ("drops", ctypes.c_uint64 * 8),
        ("auth_waiting", ctypes.c_uint64),
        ("malformed", ctypes.c_uint64),
        ("send_errors", ctypes.c_uint64),
        ("kinds", ctypes.c_uint64 * 8),
        ("handshakes", ctypes.c_uint64),
        ("refused", ctypes.c_uint64 * 48),
        ("shards", ctypes.c_uint64),
        ("crossed_in", ctypes.c_uint64),
        ("crossed_out", ctypes.c_uint64),
        ("handed_over", ctypes.c_uint64),
        ("handed_lost", ctypes.c_uint64),
        ("restarts", ctypes.c_uint64),
    )


class CcLinkConfig(ctypes.Structure):
    """How to open a link: a client session that dials again by itself and re-establishes its publications and subscriptions."""

    size: int
    """sizeof(CcLinkConfig). In bytes."""
    flags: int
    """CcLinkFlags bits."""
    url: CcStr
    """moqt://host:port/path; the host is also the TLS server name."""
    addresses: CcStr
    """"ip:port,ip:port", resolved by the caller, tried in turn."""
    token: CcStr
    """The token to present; raw bytes, at most TOKEN_BYTES; may be empty."""
    trust_sha256: CcStr
    """Lower-case hex SHA-256 of the one certificate (DER) trusted, or empty; excludes trust_pem."""
    trust_pem: CcStr
    """CA or self-signed certificate trusted, or empty. With both empty: the system's roots."""
    resume_secret: CcStr
    """16 to 64 raw bytes by which a relay knows a returning peer; empty: random."""
    alpns: CcStr
    """Drafts to offer, preferred first; empty: the default."""
    connect_timeout_ms: int
    """Bound of one attempt, admission included; 0: 10000. In ms."""
    backoff_min_ms: int
    """First bound of the random wait before dialling again; 0: 100. In ms."""
    backoff_max_ms: int
    """Cap to which the bound doubles; 0: 2000. In ms."""
    reconnect_limit_ms: int
    """Time after a loss when the link gives up; 0: never. In ms."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("url", CcStr),
        ("addresses", CcStr),
        ("token", CcStr),
        ("trust_sha256", CcStr),
        ("trust_pem", CcStr),
        ("resume_secret", CcStr),
        ("alpns", CcStr),
        ("connect_timeout_ms", ctypes.c_uint32),
        ("backoff_min_ms", ctypes.c_uint32),
        ("backoff_max_ms", ctypes.c_uint32),
        ("reconnect_limit_ms", ctypes.c_uint32),
    )


class CcLinkStats(ctypes.Structure):
    """State and counters of a link, or of a relay's session."""

    size: int
    """sizeof(CcLinkStats). In bytes."""
    state: int
    """A CcLinkState."""
    draft: int
    """Draft number in use, 0 before it is known."""
    reconnects: int
    """Times the link came up again."""
    rtt_us: int
    """Smoothed round-trip time. In us."""
    rtt_min_us: int
    """Least round-trip time on this path. In us."""
    jitter_us: int
    """Mean deviation of the round-trip time. In us."""
    congestion_window: int
    """Congestion window. In bytes."""
    in_flight: int
    """Sent and neither acknowledged nor lost. In bytes."""
    send_rate: int
    """What the controller estimates the path takes. In bytes/s."""
    queued_bytes: int
    """Waiting in the sending queue. In bytes."""
    packets_sent: int
    """QUIC packets sent."""
    packets_lost: int
    """QUIC packets declared lost."""
    bytes_sent: int
    """UDP payload sent. In bytes."""
    bytes_received: int
    """UDP payload received. In bytes."""
    frames_sent: int
    """Frames handed to the transport."""
    frames_received: int
    """Frames received whole."""
    drops: ctypes.Array[ctypes.c_uint64]
    """Frames not delivered to this peer, by CcDrop."""
    queue_delay_us: int
    """How long the last frame sent had waited in the queue. In us."""
    mtu: int
    """Largest UDP payload on this path. In bytes."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("draft", ctypes.c_uint32),
        ("reconnects", ctypes.c_uint32),
        ("rtt_us", ctypes.c_uint64),
        ("rtt_min_us", ctypes.c_uint64),
        ("jitter_us", ctypes.c_uint64),
        ("congestion_window", ctypes.c_uint64),
        ("in_flight", ctypes.c_uint64),
        ("send_rate", ctypes.c_uint64),
        ("queued_bytes", ctypes.c_uint64),
        ("packets_sent", ctypes.c_uint64),
        ("packets_lost", ctypes.c_uint64),
        ("bytes_sent", ctypes.c_uint64),
        ("bytes_received", ctypes.c_uint64),
        ("frames_sent", ctypes.c_uint64),
        ("frames_received", ctypes.c_uint64),
        ("drops", ctypes.c_uint64 * 8),
        ("queue_delay_us", ctypes.c_uint64),
        ("mtu", ctypes.c_uint64),
    )


class CcStamp(ctypes.Structure):
    """What an admitted session may do; the core checks every request against it."""

    size: int
    """sizeof(CcStamp). In bytes."""
    flags: int
    """0."""
    publish: CcStr
    """Path prefixes it may publish under, one a line, as games/room1/up/c7; "*": all; empty: none."""
    subscribe: CcStr
    """Path prefixes it may read, as for publish."""
    capabilities: CcStr
    """Capability tags it may use, one a line; empty: any."""
    tenant: CcStr
    """Tenant, for the application's own use."""
    subject: CcStr
    """The token's subject; a refresh must keep it."""
    peer_id: CcStr
    """The session's peer id; a second session with it closes the first with REPLACED."""
    expires_ms: int
    """Time from now when the session ends with EXPIRED_TOKEN; 0: never. In ms."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("publish", CcStr),
        ("subscribe", CcStr),
        ("capabilities", CcStr),
        ("tenant", CcStr),
        ("subject", CcStr),
        ("peer_id", CcStr),
        ("expires_ms", ctypes.c_uint64),
    )


class CcTrackConfig(ctypes.Structure):
    """How to publish a track."""

    size: int
    """sizeof(CcTrackConfig). In bytes."""
    kind: int
    """A CcTrackKind."""
    flags: int
    """CcTrackFlags bits."""
    priority: int
    """Default publisher priority, 0 first to 255 last; 128 is usual."""
    ns: CcStr
    """Namespace, fields joined by '/'."""
    name: CcStr
    """Track name within the namespace."""
    capability: CcStr
    """Capability tag, or empty."""
    properties: CcStr
    """Further track properties, encoded key-value pairs (raw bytes), or empty."""
    ttl_us: int
    """A frame's default time to live in sending queues; 0: none. In us."""
    object_timeout_ms: int
    """OBJECT_DELIVERY_TIMEOUT of the track; 0: none. In ms."""
    subgroup_timeout_ms: int
    """SUBGROUP_DELIVERY_TIMEOUT of the track; 0: none. In ms."""
    window_messages: int
    """Text: messages kept for replay; 0: the default."""
    queue_bytes: int
    """Bound of this track's sending queue; 0: the node's. In bytes."""
    token: CcStr
    """A token for this track alone, raw bytes; empty: the link's holds."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("priority", ctypes.c_uint32),
        ("ns", CcStr),
        ("name", CcStr),
        ("capability", CcStr),
        ("properties", CcStr),
        ("ttl_us", ctypes.c_uint32),
        ("object_timeout_ms", ctypes.c_uint32),
        ("subgroup_timeout_ms", ctypes.c_uint32),
        ("window_messages", ctypes.c_uint32),
        ("queue_bytes", ctypes.c_uint64),
        ("token", CcStr),
    )


class CcSend(ctypes.Structure):
    """One frame for cc_send; payload and properties are copied before the call returns."""

    publication: int
    """The publication."""
    payload: int
    """Address of the first payload byte."""
    properties: int
    """Address of the object's properties, encoded key-value pairs."""
    payload_len: int
    """Payload length. In bytes."""
    properties_len: int
    """Properties length. In bytes."""
    ttl_us: int
    """Time to live in sending queues; 0: the track's default. In us."""
    priority: int
    """Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's."""
    flags: int
    """CcSendFlags bits."""
    tag: int
    """The caller's own mark; not sent."""

    _fields_ = (
        ("publication", ctypes.c_uint64),
        ("payload", ctypes.c_uint64),
        ("properties", ctypes.c_uint64),
        ("payload_len", ctypes.c_uint32),
        ("properties_len", ctypes.c_uint32),
        ("ttl_us", ctypes.c_uint32),
        ("priority", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("tag", ctypes.c_uint64),
    )


class CcRepeat(ctypes.Structure):
    """A frame that the node sends while the owner of a publication is silent."""

    size: int
    """sizeof(CcRepeat). In bytes."""
    priority: int
    """Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's."""
    payload: CcStr
    """The frame's bytes, at most FRAGMENT_BYTES; copied."""
    silence_ms: int
    """How long the owner has to have sent nothing, 10 to 3,600,000. In ms."""
    every_ms: int
    """Between one and the next, 10 to 3,600,000; each lives so long in queues. 0: repeat nothing any more, whatever the other fields hold. In ms."""
    limit_ms: int
    """How long the owner may be silent before it ends; it begins again when the owner has sent. 0: without end. In ms."""
    reserved: int
    """0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("priority", ctypes.c_uint32),
        ("payload", CcStr),
        ("silence_ms", ctypes.c_uint32),
        ("every_ms", ctypes.c_uint32),
        ("limit_ms", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class CcOpusConfig(ctypes.Structure):
    """How to encode Opus."""

    size: int
    """sizeof(CcOpusConfig). In bytes."""
    flags: int
    """CcOpusFlags bits."""
    rate_hz: int
    """Samples a second and channel: 8000, 12000, 16000, 24000 or 48000. In Hz."""
    channels: int
    """1 or 2; samples of two are interleaved."""
    bit_rate: int
    """Of all channels together, 6,000 to 510,000; 0: 32,000 a channel. In bit/s."""
    complexity: int
    """The encoder's effort, 1 to 10; 0: 5."""
    loss: int
    """Packets expected to be lost, to 100. Above 0, packets carry a coarse copy of the one before, for cc_opus_recover. In %."""
    reserved: int
    """0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("rate_hz", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("bit_rate", ctypes.c_uint32),
        ("complexity", ctypes.c_uint32),
        ("loss", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class CcTrackStats(ctypes.Structure):
    """Counters of a publication since it was opened."""

    size: int
    """sizeof(CcTrackStats). In bytes."""
    subscribers: int
    """Subscribers now."""
    frames: int
    """Frames given to cc_send."""
    bytes: int
    """Their payload. In bytes."""
    queued_bytes: int
    """Waiting now. In bytes."""
    queued_frames: int
    """Waiting now."""
    sent_frames: int
    """Frames handed to the transport."""
    sent_bytes: int
    """Their bytes on the wire, headers included. In bytes."""
    drops: ctypes.Array[ctypes.c_uint64]
    """Frames not delivered, by CcDrop."""
    last_group: int
    """Group id of the last frame."""
    last_object: int
    """Its last object id."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("subscribers", ctypes.c_uint32),
        ("frames", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("queued_bytes", ctypes.c_uint64),
        ("queued_frames", ctypes.c_uint64),
        ("sent_frames", ctypes.c_uint64),
        ("sent_bytes", ctypes.c_uint64),
        ("drops", ctypes.c_uint64 * 8),
        ("last_group", ctypes.c_uint64),
        ("last_object", ctypes.c_uint64),
    )


class CcSubscribeConfig(ctypes.Structure):
    """What to subscribe to."""

    size: int
    """sizeof(CcSubscribeConfig). In bytes."""
    flags: int
    """CcSubscribeFlags bits."""
    ns: CcStr
    """Namespace prefix; with EXACT the whole namespace."""
    name: CcStr
    """EXACT: the track's name."""
    capability: CcStr
    """Only tracks with this tag; empty: any."""
    priority: int
    """Subscriber priority, 0 first to 255 last; 128 is usual."""
    order: int
    """A CcGroupOrder."""
    feed_bytes: int
    """Bound of frames waiting for cc_drain; 0: the node's. In bytes."""
    token: CcStr
    """EXACT: a token for this subscription alone, raw bytes; empty: the link's holds."""
    rendezvous_ms: int
    """EXACT: how long the relay is to wait for a publisher; 0: not at all. The relay may wait shorter. In ms."""
    reserved: int
    """0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("ns", CcStr),
        ("name", CcStr),
        ("capability", CcStr),
        ("priority", ctypes.c_uint32),
        ("order", ctypes.c_uint32),
        ("feed_bytes", ctypes.c_uint64),
        ("token", CcStr),
        ("rendezvous_ms", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class CcFrame(ctypes.Structure):
    """One frame received; its bytes lie in CcBatch.data."""

    track: int
    """Track id, announced by TRACK_ADDED; never reused within a node."""
    group: int
    """Group id."""
    object: int
    """Object id; of a fragmented frame the first."""
    received_us: int
    """When its last byte arrived, on the node's clock. In us."""
    payload_at: int
    """Where the payload begins in the batch's data. In bytes."""
    payload_len: int
    """Payload length. In bytes."""
    properties_at: int
    """Where the object's properties begin in the batch's data. In bytes."""
    properties_len: int
    """Properties length. In bytes."""
    priority: int
    """Publisher priority, as it was sent."""
    flags: int
    """CcFrameFlags bits."""
    reserved: int
    """0."""
    fragments: int
    """Objects it was joined from; 1 for a whole one."""

    _fields_ = (
        ("track", ctypes.c_uint64),
        ("group", ctypes.c_uint64),
        ("object", ctypes.c_uint64),
        ("received_us", ctypes.c_uint64),
        ("payload_at", ctypes.c_uint32),
        ("payload_len", ctypes.c_uint32),
        ("properties_at", ctypes.c_uint32),
        ("properties_len", ctypes.c_uint32),
        ("priority", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint16),
        ("fragments", ctypes.c_uint32),
    )


class CcBatch(ctypes.Structure):
    """Frames taken by one cc_drain; valid until the next drain or close of that subscription."""

    size: int
    """sizeof(CcBatch), set by the caller. In bytes."""
    count: int
    """Frames in the batch."""
    frames: int | None
    """The frames, oldest first."""
    data: int | None
    """Their payloads and properties."""
    data_len: int
    """Length of data. In bytes."""
    dropped: int
    """Frames dropped since the last drain because the feed was full."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("frames", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("data_len", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
    )


class CcSubscriptionStats(ctypes.Structure):
    """Counters of a subscription since it was opened."""

    size: int
    """sizeof(CcSubscriptionStats). In bytes."""
    tracks: int
    """Tracks it matches now."""
    frames: int
    """Frames received whole."""
    bytes: int
    """Their payload. In bytes."""
    waiting_frames: int
    """Waiting for cc_drain now."""
    waiting_bytes: int
    """Waiting for cc_drain now. In bytes."""
    dropped: int
    """Frames dropped because the feed was full."""
    gaps: int
    """Frames known to be missing between received ones."""
    duplicates: int
    """Objects that came again and were ignored."""
    incomplete: int
    """Fragmented frames that never completed."""
    superseded: int
    """Audio and Video: objects of groups that were given up for a newer one, or joined midway."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("tracks", ctypes.c_uint32),
        ("frames", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("waiting_frames", ctypes.c_uint64),
        ("waiting_bytes", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
        ("gaps", ctypes.c_uint64),
        ("duplicates", ctypes.c_uint64),
        ("incomplete", ctypes.c_uint64),
        ("superseded", ctypes.c_uint64),
    )


class CcEvent(ctypes.Structure):
    """One event; CcEventKind says what the fields hold. Texts are valid until the next cc_node_poll of the node."""

    kind: int
    """A CcEventKind."""
    reason: int
    """A CcReason."""
    handle: int
    """What the event is about."""
    a: int
    """See the kind."""
    b: int
    """See the kind."""
    c: int
    """See the kind."""
    code: int
    """The code seen on the wire, if any."""
    text: CcStr
    """See the kind."""
    text2: CcStr
    """See the kind."""
    text3: CcStr
    """See the kind."""
    text4: CcStr
    """See the kind."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("reason", ctypes.c_uint32),
        ("handle", ctypes.c_uint64),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
        ("c", ctypes.c_uint64),
        ("code", ctypes.c_uint64),
        ("text", CcStr),
        ("text2", CcStr),
        ("text3", CcStr),
        ("text4", CcStr),
    )


SIZES: dict[type[ctypes.Structure], int] = {
    CcStr: 16,
    CcVersion: 32,
    CcNodeConfig: 208,
    CcNodeStats: 704,
    CcLinkConfig: 136,
    CcLinkStats: 200,
    CcStamp: 112,
    CcTrackConfig: 120,
    CcSend: 48,
    CcRepeat: 40,
    CcOpusConfig: 32,
    CcTrackStats: 136,
    CcSubscribeConfig: 96,
    CcFrame: 56,
    CcBatch: 40,
    CcSubscriptionStats: 80,
    CcEvent: 112,
}
"""Size of each structure on a 64-bit target. In bytes."""

ARGTYPES: dict[str, tuple[Any, ...]] = {
    "cc_version": (ctypes.POINTER(CcVersion),),
    "cc_status_text": (
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_last_error": (ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)),
    "cc_node_open": (ctypes.POINTER(CcNodeConfig), ctypes.POINTER(ctypes.c_uint64)),
    "cc_node_close": (ctypes.c_uint64,),
    "cc_node_address": (
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_node_wake_fd": (ctypes.c_uint64, ctypes.POINTER(ctypes.c_int64)),
    "cc_node_wake_frames": (ctypes.c_uint64, ctypes.c_uint32),
    "cc_node_drive": (ctypes.c_uint64, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)),
    "cc_node_now": (ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)),
    "cc_node_goaway": (ctypes.c_uint64, CcStr, ctypes.c_uint32),
    "cc_node_poll": (
        ctypes.c_uint64,
        ctypes.POINTER(CcEvent),
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_node_stats": (ctypes.c_uint64, ctypes.POINTER(CcNodeStats)),
    "cc_node_shard_stats": (ctypes.c_uint64, ctypes.c_uint32, ctypes.POINTER(CcNodeStats)),
    "cc_link_open": (
        ctypes.c_uint64,
        ctypes.POINTER(CcLinkConfig),
        ctypes.POINTER(ctypes.c_uint64),
    ),
    "cc_link_close": (ctypes.c_uint64, ctypes.c_uint32, CcStr),
    "cc_link_token": (ctypes.c_uint64, CcStr),
    "cc_link_addresses": (ctypes.c_uint64, CcStr),
    "cc_link_move": (ctypes.c_uint64, CcStr, CcStr),
    "cc_link_stats": (ctypes.c_uint64, ctypes.POINTER(CcLinkStats)),
    "cc_session_accept": (ctypes.c_uint64, ctypes.POINTER(CcStamp)),
    "cc_session_refuse": (ctypes.c_uint64, ctypes.c_uint32, CcStr),
    "cc_session_accept_request": (ctypes.c_uint64, ctypes.c_uint64, ctypes.POINTER(CcStamp)),
    "cc_session_refuse_request": (ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32, CcStr),
    "cc_session_close": (ctypes.c_uint64, ctypes.c_uint32, CcStr),
    "cc_publish": (ctypes.c_uint64, ctypes.POINTER(CcTrackConfig), ctypes.POINTER(ctypes.c_uint64)),
    "cc_publish_close": (ctypes.c_uint64,),
    "cc_publish_repeat": (ctypes.c_uint64, ctypes.POINTER(CcRepeat)),
    "cc_send": (ctypes.POINTER(CcSend), ctypes.c_uint32, ctypes.c_void_p),
    "cc_track_stats": (ctypes.c_uint64, ctypes.POINTER(CcTrackStats)),
    "cc_subscribe": (
        ctypes.c_uint64,
        ctypes.POINTER(CcSubscribeConfig),
        ctypes.POINTER(ctypes.c_uint64),
    ),
    "cc_subscribe_close": (ctypes.c_uint64,),
    "cc_want_group": (ctypes.c_uint64, ctypes.c_uint64),
    "cc_track_properties": (
        ctypes.c_uint64,
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_drain": (ctypes.c_uint64, ctypes.POINTER(CcBatch)),
    "cc_subscription_stats": (ctypes.c_uint64, ctypes.POINTER(CcSubscriptionStats)),
    "cc_opus_encoder": (ctypes.POINTER(CcOpusConfig), ctypes.POINTER(ctypes.c_uint64)),
    "cc_opus_encode": (
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_opus_decoder": (ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)),
    "cc_opus_decode": (
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_opus_recover": (
        ctypes.c_uint64,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "cc_opus_close": (ctypes.c_uint64,),
}
"""Argument types of each function; all return a status as c_int32."""

FRAME_DTYPE: np.dtype[np.void] = np.dtype(
    [
        ("track", "<u8"),
        ("group", "<u8"),
        ("object", "<u8"),
        ("received_us", "<u8"),
        ("payload_at", "<u4"),
        ("payload_len", "<u4"),
        ("properties_at", "<u4"),
        ("properties_len", "<u4"),
        ("priority", "u1"),
        ("flags", "u1"),
        ("reserved", "<u2"),
        ("fragments", "<u4"),
    ]
)
"""CcFrame as numpy reads it: 56 bytes an item."""

SEND_DTYPE: np.dtype[np.void] = np.dtype(
    [
        ("publication", "<u8"),
        ("payload", "<u8"),
        ("properties", "<u8"),
        ("payload_len", "<u4"),
        ("properties_len", "<u4"),
        ("ttl_us", "<u4"),
        ("priority", "<u2"),
        ("flags", "<u2"),
        ("tag", "<u8"),
    ]
)
"""CcSend as numpy reads it: 48 bytes an item."""


def bind(library: ctypes.CDLL) -> None:
    """Gives every function of the loaded library its types; AttributeError if one is missing."""
    for name, args in ARGTYPES.items():
        function = getattr(library, name)
        function.argtypes = args
        function.restype = ctypes.c_int32
