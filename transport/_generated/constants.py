# generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
"""Numbers that several languages share."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ABI_VERSION = 1
"""The C ABI's version, as in CcVersion.abi."""
RPC_VERSION = 1
"""The RPC envelope's version."""
PRIORITY_DEFAULT = 65535
"""CcSend.priority: take the track's default."""
PRIORITY_NORMAL = 128
"""The usual publisher and subscriber priority; upstream subscriptions always use it."""
FRAGMENT_BYTES = 1100
"""Payload and properties in one datagram at most: 1200 less QUIC's, WebTransport's and the largest MoQT header. In bytes."""
MAX_FRAGMENTS = 8
"""Datagrams a frame at most; a larger frame is TOO_LARGE."""
TEXT_GROUP_MESSAGES = 256
"""Messages in a Text group at most."""
TEXT_GROUP_BYTES = 65536
"""Payload after which a Text group ends. In bytes."""
PATH_BYTES = 4096
"""Namespace and name together at most: the draft's bound. In bytes."""
NAMESPACE_FIELDS = 32
"""Fields of a namespace at most: the draft's bound."""
TOKEN_BYTES = 4096
"""A token's length at most. In bytes."""
TOKEN_TYPE_JWT = 0
"""MoQT token type under which the JWT travels."""
RESUME_SECRET_MIN = 16
"""A resume secret's least length. In bytes."""
RESUME_SECRET_MAX = 64
"""A resume secret's greatest length. In bytes."""
CLOSE_CODE_BASE = 0x3800
"""Reasons 11, 16, 17 and 18 close the connection with this plus the reason, and reason 25 ends a subscription so; the others have the draft's codes."""
SETUP_RESUME_SECRET = 0x3803
"""SETUP option (bytes) from a client: the secret by which it returns as the same peer."""
SETUP_PEER_ID = 0x3805
"""SETUP option (bytes) from a relay: the peer id given."""
SETUP_RELAY_ID = 0x3806
"""SETUP option (int) from a relay: its number among relays. With one from each side, hop lists are negotiated."""
PARAMETER_HOPS = 0x3807
"""Message parameter between relays (length, then their numbers as varints, the first first, at most 16) in PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE, FETCH and TRACK_STATUS: what it came through."""
CAPABILITY_HASH_BITS = 53
"""Low bits of FNV-1a 64 of a tag that make its hash: what JavaScript holds exactly."""
PORT_HOST = 7777
"""transport.host's UDP port when none is given."""
PORT_RELAY = 443
"""relay's UDP port when none is given."""
PORT_CONTROL = 4433
"""The control stack's port when none is given."""
PORT_ADMIN = 9464
"""Port of metrics, health and the live page when none is given."""
PROPERTY_CAPABILITY_TAG = 0x3801
"""Track property, bytes. The capability tag, UTF-8; compared on arrival."""
PROPERTY_CAPABILITY_HASH = 0x3802
"""Track property, int. The tag's hash, for the drafts' range filters."""
PROPERTY_TRACK_KIND = 0x3804
"""Track property, int. The kind of track in the low byte; 0x100 beside it: latest-wins, so that queues hold the newest frame only."""
PROPERTY_AUDIO_CODEC = 0x3806
"""Track property, int. 1 Opus, 2 PCM signed 16-bit little-endian, 3 G.711 mu-law, 4 G.711 A-law."""
PROPERTY_VIDEO_CODEC = 0x3807
"""Track property, bytes. WebCodecs codec string, UTF-8, as avc1.42E01E."""
PROPERTY_SAMPLE_RATE = 0x3808
"""Track property, int. Audio samples a second and channel. In Hz."""
PROPERTY_CHANNELS = 0x380a
"""Track property, int. Audio channels, interleaved in PCM."""
PROPERTY_LOC_TIMESTAMP = 0x10
"""Object property (draft-ietf-moq-loc), int. When the media was captured; wall-clock microseconds where no timescale is given. In timescale ticks."""
PROPERTY_LOC_TIMESCALE = 0x8
"""Track property (draft-ietf-moq-loc), int. Ticks a second of the timestamps; they are media time then. In ticks/s."""
PROPERTY_LOC_VIDEO_FRAME_MARKING = 0x9
"""Object property (draft-ietf-moq-loc), bytes. Frame marks of RFC 9626, 1 to 4 bytes: start 0x80, end 0x40, independent 0x20, discardable 0x10."""
PROPERTY_LOC_AUDIO_LEVEL = 0xc
"""Object property (draft-ietf-moq-loc), int. RFC 6464 in the low 8 bits: voice activity 0x80, and the level in -dBov, 0 (loudest) to 127."""
PROPERTY_LOC_VIDEO_CONFIG = 0xd
"""Object property (draft-ietf-moq-loc), bytes. Codec configuration that decoders need ahead of the keyframe."""
KIND_FRAME_DATAGRAM = 1
"""Track kind of modality frame: OBJECT_DATAGRAM, object ids 0 to n-1, END_OF_GROUP on the last."""
KIND_FRAME_STREAM = 2
"""Track kind of modality frame: one subgroup stream a frame, object 0, END_OF_GROUP and FIN."""
KIND_TEXT = 3
"""Track kind of modality text: one subgroup stream a group, an object a message, object ids from 0."""
KIND_AUDIO = 4
"""Track kind of modality audio: one subgroup stream a group, a packet an object, object ids from 0."""
KIND_VIDEO = 5
"""Track kind of modality video: one subgroup stream a group, object 0 the keyframe."""
CAPABILITY_HASH_NETCODE_V1 = 3492327798864020
"""Hash of the capability netcode.v1."""
CAPABILITY_HASH_TEXT_V1 = 2611092945565337
"""Hash of the capability text.v1."""
CAPABILITY_HASH_VOICE_V1 = 3415310128195672
"""Hash of the capability voice.v1."""
CAPABILITY_HASH_VIDEO_V1 = 3374481304382035
"""Hash of the capability video.v1."""
CAPABILITY_NETCODE_V1 = "netcode.v1"
"""Game packets of a netcode layer."""
CAPABILITY_TEXT_V1 = "text.v1"
"""Chat and other text."""
CAPABILITY_VOICE_V1 = "voice.v1"
"""Voice."""
CAPABILITY_VIDEO_V1 = "video.v1"
"""Video."""


class Status(IntEnum):
    """What became of a call: 0, 1xx the caller's mistake, 2xx the machine, 9xx a bug in the core."""

    OK = 0
    """Done."""
    BAD_HANDLE = 101
    """The handle is none, stale, or of another kind."""
    BAD_ARGUMENT = 102
    """An argument is null, out of its range or not UTF-8."""
    BAD_STATE = 103
    """The object is real but the call does not fit its state, such as driving a node that has a thread."""
    TOO_LARGE = 104
    """A length is above its limit."""
    BUFFER_TOO_SMALL = 105
    """The buffer given cannot hold the answer; the length out-parameter holds what is needed."""
    VERSION_MISMATCH = 106
    """A struct's size is larger than this library knows, or smaller than its first version."""
    CLOSED = 107
    """The object has ended; close the handle."""
    EXISTS = 108
    """A track of that name is already published in this scope."""
    LIMIT = 109
    """A bound on the count of objects is reached."""
    BAD_NAME = 110
    """A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all."""
    BAD_URL = 111
    """A URL is not of the form moqt://host:port/path."""
    ADDRESS_IN_USE = 201
    """Another socket holds the address to bind."""
    PERMISSION = 202
    """The system does not allow it, such as a low port without privilege."""
    ADDRESS_NOT_AVAILABLE = 203
    """The address to bind is not this machine's."""
    IO = 204
    """Another failure of the system; cc_last_error has its words."""
    BAD_CERTIFICATE = 205
    """A certificate cannot be read or does not fit its key."""
    BAD_KEY = 206
    """A private key cannot be read."""
    PANIC = 901
    """The core panicked; the object involved is unusable."""
    INTERNAL = 902
    """The core broke one of its own rules."""


class Reason(IntEnum):
    """Why a link, session, publication or subscription ended; the same at both ends. A refusal carries one too."""

    NONE = 0
    """No reason applies."""
    LOCAL = 1
    """Asked for at this end."""
    PEER = 2
    """Closed without error by the other side."""
    UNAUTHORIZED = 3
    """The token does not allow it, or there is none."""
    MALFORMED_TOKEN = 4
    """The token cannot be read."""
    EXPIRED_TOKEN = 5
    """The token's time is over."""
    TIMEOUT = 6
    """Nothing was heard for the idle timeout."""
    CERTIFICATE = 7
    """The peer's certificate is not the trusted one."""
    VERSION = 8
    """The two sides have no draft in common."""
    PROTOCOL = 9
    """One side broke the protocol; the text says which rule."""
    GOING_AWAY = 10
    """The relay is draining."""
    KICKED = 11
    """The application ended this session."""
    EXCESSIVE_LOAD = 12
    """The peer is overloaded."""
    RESET = 13
    """The peer has no memory of the connection: it was restarted."""
    UNREACHABLE = 14
    """No address answered, or the system refuses to send there."""
    INTERNAL = 15
    """A failure inside one side."""
    REPLACED = 16
    """The same peer id connected again."""
    ROOM_CLOSED = 17
    """The room ended."""
    REFUSED = 18
    """The application's admission said no."""
    DOES_NOT_EXIST = 19
    """Nobody publishes the track asked for."""
    UNINTERESTED = 20
    """The subscriber does not want the track offered."""
    TOO_FAR_BEHIND = 21
    """A reliable subscription fell behind its publisher's window."""
    DUPLICATE = 22
    """The same subscription or publication exists already."""
    LIMIT = 23
    """A bound of the peer is reached."""
    TRACK_ENDED = 24
    """The publisher ended the track."""
    PUBLISHER_LOST = 25
    """The session of the track's publisher was lost, and it did not come back in time."""
    REDIRECTED = 26
    """It is to be asked for elsewhere; the event says where."""


class Drop(IntEnum):
    """Why a frame was not delivered: the index into every drops array."""

    EXPIRED = 0
    """Its time to live ran out before it was sent."""
    SUPERSEDED = 1
    """A newer frame of a latest-wins track took its place."""
    NO_ROOM = 2
    """The queue was full of frames at least as important."""
    TOO_LARGE = 3
    """It did not fit the path's datagrams."""
    NOT_AUTHORISED = 4
    """The session may not publish or read it."""
    CONGESTED = 5
    """The congestion controller gave it no room in time."""
    STREAM_LIMIT = 6
    """The peer allowed no further stream in time."""
    RING_FULL = 7
    """A ring between threads was full."""


class Bound(IntEnum):
    """A bound of what peers can make a node hold, in bytes unless it says otherwise; its name in lower case sets it in CcNodeConfig.limits."""

    CONNECTIONS = 0
    """Connections at once, those in their handshake and those that drain among them."""
    CONNECTIONS_PER_ADDRESS = 1
    """Connections from one address, or one /64 of IPv6; loopback is not counted."""
    HANDSHAKES_UNPROVEN = 2
    """Handshakes under way from addresses that have not proven themselves; above, strangers are sent Retry."""
    HANDSHAKES = 3
    """Handshakes under way in all."""
    HANDSHAKES_PER_ADDRESS = 4
    """The same from one address that has proven itself, or one /64; loopback is not counted."""
    PARKED = 5
    """Sessions that wait to be admitted."""
    PARKED_BYTES = 6
    """Bytes that a connection may send on all streams together and that are not read yet, before it is admitted."""
    RECEIVE_BYTES = 7
    """The same once it is admitted."""
    STREAMS_INITIAL = 8
    """Streams that a peer may open at first, each direction."""
    STREAMS_MAX = 9
    """Streams that a peer may have open at most, each direction."""
    REQUESTS = 10
    """Requests of one session's peer under way."""
    WATCHES = 11
    """Prefixes that one session watches for tracks or namespaces."""
    NAMESPACES_PER_SESSION = 12
    """Namespaces that one session announces."""
    NAMESPACES = 13
    """Namespaces announced in all."""
    TRACKS_PER_SESSION = 14
    """Tracks that one session may publish."""
    TRACKS = 15
    """Tracks in all."""
    PROPERTY_BYTES = 16
    """Properties of one track."""
    SUBSCRIPTIONS_PER_SESSION = 17
    """Tracks that one session receives."""
    ASKS = 18
    """Requests that one session waits for others to answer: tracks asked of their publisher by name."""
    FETCHES = 19
    """FETCHes of one session under way."""
    FETCH_BYTES = 20
    """Objects of FETCHes that are passed on and wait for one session to take them."""
    SUBGROUPS = 21
    """Subgroups of one track open at once."""
    OBJECT_BYTES = 22
    """Largest object on a stream."""
    ASSEMBLY_BYTES = 23
    """Messages and objects of one session of which only a part has come."""
    ASSEMBLY_TOTAL = 24
    """The same of all sessions."""
    EARLY_BYTES = 25
    """Datagrams of one session that came before their track's alias."""
    EARLY_STREAMS = 26
    """Streams of one session that came before their track's alias, left unread."""
    UPDATES = 27
    """REQUEST_UPDATEs of one request without an answer; further ones are left unread."""
    REQUEST_UPDATES = 28
    """The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on)."""
    FILTER_RANGES = 29
    """Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on)."""
    TOKEN_BYTES = 30
    """Tokens that one session's peer has registered, with 16 for each."""
    SESSION_BYTES = 31
    """A session's sending queue."""
    TRACK_BYTES = 32
    """One track in it."""
    SUBGROUP_BYTES = 33
    """One subgroup stream in it."""
    PAST_OWN_BYTES = 34
    """Recent objects kept of a local publication."""
    PAST_TRACK_BYTES = 35
    """Recent objects kept of a track that is passed on."""
    PAST_BYTES = 36
    """Recent objects kept of all tracks."""
    REORDER_BYTES = 37
    """Text of one track that waits for what comes before it, or for a reader that is slow."""
    FRAGMENT_BYTES = 38
    """Fragments of one track's frames that wait for the others."""
    REORDER_TOTAL = 39
    """Text and fragments that wait, of all tracks."""
    ANSWERS = 40
    """Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and wait to be sent."""


class Fate(IntEnum):
    """What became of one frame given to cc_send."""

    QUEUED = 0
    """Queued for every subscriber."""
    NO_ROOM = 1
    """The publisher's queue is at its bound; dropped and counted."""
    TOO_LARGE = 2
    """More than MAX_FRAGMENTS datagrams, or above the largest object; dropped and counted."""
    NOT_CONNECTED = 3
    """The link is down: dropped and counted. Text is QUEUED instead."""
    CLOSED = 4
    """The publication has ended or the handle is not one."""
    NO_SUBSCRIBER = 5
    """Nobody wants the track now; not sent."""
    NO_GROUP = 6
    """Video: the group that it continues was not taken whole, so nothing could be made of it; not sent. Send a keyframe with NEW_GROUP."""


class EventKind(IntEnum):
    """What a CcEvent tells, and what its fields hold then; fields not named are 0 or empty."""

    LINK_UP = 1
    """handle = link; a = 1 if resumed; b = gap in us since it was lost; c = draft number; text = peer id."""
    LINK_DOWN = 2
    """handle = link; reason; code; a = us until the next attempt; text = why. The link dials again by itself."""
    LINK_CLOSED = 3
    """handle = link; reason; code; text = why. Final."""
    LINK_GOAWAY = 4
    """handle = link; a = timeout in ms; text = the URI to move to, or empty."""
    AUTH = 10
    """handle = session, to be answered by cc_session_accept or cc_session_refuse; a = the remote port; text = token, raw bytes; text2 = path; text3 = ip:port; text4 = peer id suggested from the resume secret."""
    SESSION_UP = 11
    """handle = session; a = 1 if this peer id was here within the last minute; c = draft number; text = peer id; text2 = tenant; text3 = ip:port."""
    SESSION_DOWN = 12
    """handle = session; reason; code; text = why; text2 = peer id."""
    AUTH_REFRESH = 13
    """handle = session, to be answered by cc_session_accept or cc_session_refuse; a = request reference; text = new token."""
    AUTH_REQUEST = 14
    """A single request shows a token of its own and waits. handle = session; a = the request's number, for cc_session_accept_request or cc_session_refuse_request; text = token; text2 = what it asks, as "subscribe games/room1//c7"."""
    PUBLISH_OK = 20
    """handle = publication. It stands at the relay."""
    PUBLISH_REFUSED = 21
    """handle = publication; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to publish as there, both empty: the same."""
    PUBLISH_DEMAND = 22
    """handle = publication; a = count of subscribers now."""
    NEW_GROUP_WANTED = 23
    """handle = publication. A subscriber asks for a new group soon, as a video reader does for a keyframe; of tracks with the property DYNAMIC_GROUPS."""
    SUBSCRIBE_OK = 30
    """handle = subscription. It stands at the relay."""
    SUBSCRIBE_REFUSED = 31
    """handle = subscription; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to ask for there, both empty: the same."""
    TRACK_ADDED = 32
    """handle = subscription; a = track id as in CcFrame; b = track kind or 0 if unknown; text = namespace; text2 = name; text3 = capability; text4 = publishing peer id if known."""
    TRACK_ENDED = 33
    """handle = subscription; a = track id; reason: TRACK_ENDED, PUBLISHER_LOST, or why this subscription ended."""
    TRACK_RESUMED = 34
    """handle = subscription; a = track id; b = last group before the gap; c = first group after it; code = gap in us."""
    NODE_FAILED = 40
    """handle = node; text = why. The node does no more work."""
    WARNING = 41
    """handle = node; text = one line, such as a degraded socket."""


class NodeFlags(IntFlag):
    """Bits of CcNodeConfig.flags."""

    RELAY = 1
    """Accepts sessions and routes between them."""
    THREADLESS = 2
    """No I/O thread: the caller drives the node by cc_node_drive."""
    OPEN = 4
    """No AUTH events: everyone is admitted with open_scope."""
    PORTABLE_UDP = 8
    """One datagram a system call, as on systems without batches."""


class Congestion(IntEnum):
    """Congestion controllers."""

    REALTIME = 0
    """Delay-based, short queues, application-limited aware."""
    CUBIC = 1
    """Cubic."""
    BBR = 2
    """BBR."""


class LinkFlags(IntFlag):
    """Bits of CcLinkConfig.flags."""

    NO_RECONNECT = 1
    """The first loss is final."""
    UPLINK = 2
    """A relay node joins the relay at url: what is published or announced on one is to be had on both. The link has no tracks of its own."""


class LinkState(IntEnum):
    """Where a link stands."""

    CONNECTING = 0
    """Handshake or admission under way."""
    UP = 1
    """Admitted."""
    WAITING = 2
    """Lost; waits for its next attempt."""
    CLOSED = 3
    """Ended for good."""


class TrackKind(IntEnum):
    """How a publication's frames go on the wire."""

    FRAME_DATAGRAM = 1
    """A group a frame, in 1 to 8 datagrams."""
    FRAME_STREAM = 2
    """A group a frame, on one subgroup stream each."""
    TEXT = 3
    """Reliable, ordered messages; a group per 256 messages or 64 KiB."""
    AUDIO = 4
    """A packet an object; a group, on one subgroup stream, lasts until NEW_GROUP. Newer groups go first."""
    VIDEO = 5
    """An encoded frame an object; a group, on one subgroup stream, begins with a keyframe, sent with NEW_GROUP. Newer groups go first."""


class TrackFlags(IntFlag):
    """Bits of CcTrackConfig.flags."""

    LATEST_WINS = 1
    """Queues hold the newest frame only; descending group order."""
    MICROSECOND_GROUPS = 2
    """The first group id is the Unix time in us instead of ms: for more than 1000 frames a second."""
    DATAGRAM = 4
    """Audio: a group a packet, in datagrams instead of streams."""


class OpusFlags(IntFlag):
    """Bits of CcOpusConfig.flags."""

    MUSIC = 1
    """Music and other sound, rather than voice."""


class SendFlags(IntFlag):
    """Bits of CcSend.flags."""

    NEW_GROUP = 1
    """Audio and Video: it begins a group, and ends the one before."""
    END_GROUP = 2
    """Audio and Video: its group ends with it, as when a talker falls silent."""


class SubscribeFlags(IntFlag):
    """Bits of CcSubscribeConfig.flags."""

    EXACT = 1
    """One track by its full name instead of all under a namespace prefix."""


class GroupOrder(IntEnum):
    """In which order a track's groups are sent to a subscriber."""

    PUBLISHER = 0
    """As the publisher prefers."""
    ASCENDING = 1
    """Oldest group first."""
    DESCENDING = 2
    """Newest group first."""


class FrameFlags(IntFlag):
    """Bits of CcFrame.flags."""

    STREAM = 1
    """It came on a subgroup stream."""
    FRAGMENTED = 2
    """It was joined from more than one datagram."""
    GAP = 4
    """At least one frame of the track before it did not arrive."""
    TEXT = 8
    """It is a message of a Text track."""


class MethodId(IntEnum):
    """Method ids of the control stack."""

    HEALTH_GET = 1
    """How the process is. Empty -> Health."""
    ROOMS_LIST = 2
    """All rooms. Empty -> RoomList."""
    ROOMS_GET = 3
    """One room. RoomQuery -> Room."""
    ROOMS_JOIN = 4
    """What a player needs to join a room. JoinRequest -> JoinInfo."""
    SESSIONS_LIST = 5
    """Sessions, page by page. SessionListRequest -> SessionList."""
    SESSIONS_GET = 6
    """One session. SessionQuery -> SessionInfo."""
    SESSIONS_KICK = 7
    """Ends a session; the reply is its last state. Kick -> SessionInfo."""
    STATS_GET = 8
    """Counters. Empty -> Statistics."""
    TOKEN_REFRESH = 9
    """A new token for a session in progress. TokenRefreshRequest -> TokenRefreshReply."""
