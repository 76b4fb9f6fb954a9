"""ClutchCall transport: game frames and text as MoQT tracks over QUIC, from Python.

    url, trust = "moqt://127.0.0.1:7777", transport.Pinned(sha256)
    async with transport.connect(url, token=token, trust=trust) as link:
        moves = await link.publish(transport.Frame("games/room1/up", "c7", datagram=True))
        moves.send(b"left", priority=10, ttl=0.050)
        async with link.subscribe("games/room1", capability="netcode.v1") as feed:
            async for frame in feed: ...

`connect` is for asyncio, `connect_sync` and `open` with `poll` for plain loops. Encryption, sending and
receiving, pacing and reconnecting happen in a native thread, whatever this one does. docs/python.md tells the
rest.

What it never does: block in `send` or `drain`, drop without counting, or decide who may do what (that is the
relay's).
"""

from . import credentials
from ._batch import Batch, FrameBatch, Received
from ._connect import Connecting, connect, connect_sync, open
from ._errors import (
    AddressInUse,
    AddressNotAvailable,
    BadArgument,
    BadCertificate,
    BadHandle,
    BadKey,
    BadName,
    BadState,
    BadUrl,
    CertificateMismatch,
    Closed,
    Ended,
    Error,
    Exists,
    ExpiredToken,
    Internal,
    IoFailed,
    Limit,
    MalformedToken,
    NativeMissing,
    NoCommonDraft,
    PermissionDenied,
    Redirected,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unreachable,
    VersionMismatch,
    WrongThread,
)
from ._events import (
    Auth,
    AuthRefresh,
    AuthRequest,
    Demand,
    Down,
    Event,
    EventStream,
    FeedEvent,
    Goaway,
    LinkClosed,
    LinkEvent,
    NewGroupWanted,
    NodeFailed,
    Published,
    PublishRefused,
    SessionDown,
    SessionUp,
    Subscribed,
    SubscribeRefused,
    TrackAdded,
    TrackEnded,
    TrackInfo,
    TrackResumed,
    Up,
    Warned,
)
from ._feed import Feed
from ._generated.constants import (
    FRAGMENT_BYTES,
    MAX_FRAGMENTS,
    Bound,
    Congestion,
    Drop,
    Fate,
    FrameFlags,
    GroupOrder,
    LinkState,
    Reason,
    TrackKind,
)
from ._link import Link
from ._media_readers import AudioBlock, AudioCounts, AudioReader, VideoFrame, VideoReader
from ._media_tracks import AudioTrack, VideoTrack
from ._media_values import Audio, AudioCodec, Video
from ._native import FRAME_DTYPE, SEND_DTYPE
from ._node import Node
from ._node_options import NodeOptions
from ._properties import decode as decode_properties
from ._properties import encode as encode_properties
from ._publication import Publication
from ._rate import RateControl
from ._stats import FeedStats, LinkStats, NodeStats, TrackStats
from ._values import Exact, Frame, LinkOptions, Pem, Pinned, RelayConfig, Stamp, System, Text, Trust

__all__ = [
    "FRAGMENT_BYTES",
    "FRAME_DTYPE",
    "MAX_FRAGMENTS",
    "SEND_DTYPE",
    "AddressInUse",
    "AddressNotAvailable",
    "Audio",
    "AudioBlock",
    "AudioCodec",
    "AudioCounts",
    "AudioReader",
    "AudioTrack",
    "Auth",
    "AuthRefresh",
    "AuthRequest",
    "BadArgument",
    "BadCertificate",
    "BadHandle",
    "BadKey",
    "BadName",
    "BadState",
    "BadUrl",
    "Batch",
    "Bound",
    "CertificateMismatch",
    "Closed",
    "Congestion",
    "Connecting",
    "Demand",
    "Down",
    "Drop",
    "Ended",
    "Error",
    "Event",
    "EventStream",
    "Exact",
    "Exists",
    "ExpiredToken",
    "Fate",
    "Feed",
    "FeedEvent",
    "FeedStats",
    "Frame",
    "FrameBatch",
    "FrameFlags",
    "Goaway",
    "GroupOrder",
    "Internal",
    "IoFailed",
    "Limit",
    "Link",
    "LinkClosed",
    "LinkEvent",
    "LinkOptions",
    "LinkState",
    "LinkStats",
    "MalformedToken",
    "NativeMissing",
    "NewGroupWanted",
    "NoCommonDraft",
    "Node",
    "NodeFailed",
    "NodeOptions",
    "NodeStats",
    "Pem",
    "PermissionDenied",
    "Pinned",
    "Publication",
    "PublishRefused",
    "Published",
    "RateControl",
    "Reason",
    "Received",
    "Redirected",
    "Refused",
    "RelayConfig",
    "SessionDown",
    "SessionUp",
    "Stamp",
    "SubscribeRefused",
    "Subscribed",
    "System",
    "Text",
    "TimedOut",
    "TooLarge",
    "TrackAdded",
    "TrackEnded",
    "TrackInfo",
    "TrackKind",
    "TrackResumed",
    "TrackStats",
    "Trust",
    "Unauthorized",
    "Unreachable",
    "Up",
    "VersionMismatch",
    "Video",
    "VideoFrame",
    "VideoReader",
    "VideoTrack",
    "Warned",
    "WrongThread",
    "connect",
    "connect_sync",
    "credentials",
    "decode_properties",
    "encode_properties",
    "open",
]
