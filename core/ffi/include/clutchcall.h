/* generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit */
/*
 * The C ABI of the native core. Every call returns a CcStatus as i32, may come from any thread,
 * never blocks (cc_node_close says its bound) and never calls back; a panic inside becomes PANIC.
 * Handles are u64, 0 is none; they carry kind and generation, so that a stale or foreign one is
 * BAD_HANDLE. Out-parameters come last and are written only on OK, unless the function says
 * otherwise. Times are microseconds on the node's clock unless a name ends in _ms. Strings going in
 * are UTF-8 and not kept after the call.
 */
#ifndef CLUTCHCALL_H
#define CLUTCHCALL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define CC_ASSERT(what) static_assert(what, #what)
#else
#define CC_ASSERT(what) _Static_assert(what, #what)
#endif

/* A node, link, session, publication or subscription; 0 is none. */
typedef uint64_t CcHandle;

/* The C ABI's version, as in CcVersion.abi. */
#define CC_ABI_VERSION 1u
/* The RPC envelope's version. */
#define CC_RPC_VERSION 1u
/* CcSend.priority: take the track's default. */
#define CC_PRIORITY_DEFAULT 65535u
/* The usual publisher and subscriber priority; upstream subscriptions always use it. */
#define CC_PRIORITY_NORMAL 128u
/* Payload and properties in one datagram at most: 1200 less QUIC's, WebTransport's and the
   largest MoQT header. In bytes. */
#define CC_FRAGMENT_BYTES 1100u
/* Datagrams a frame at most; a larger frame is TOO_LARGE. */
#define CC_MAX_FRAGMENTS 8u
/* Messages in a Text group at most. */
#define CC_TEXT_GROUP_MESSAGES 256u
/* Payload after which a Text group ends. In bytes. */
#define CC_TEXT_GROUP_BYTES 65536u
/* Namespace and name together at most: the draft's bound. In bytes. */
#define CC_PATH_BYTES 4096u
/* Fields of a namespace at most: the draft's bound. */
#define CC_NAMESPACE_FIELDS 32u
/* A token's length at most. In bytes. */
#define CC_TOKEN_BYTES 4096u
/* MoQT token type under which the JWT travels. */
#define CC_TOKEN_TYPE_JWT 0u
/* A resume secret's least length. In bytes. */
#define CC_RESUME_SECRET_MIN 16u
/* A resume secret's greatest length. In bytes. */
#define CC_RESUME_SECRET_MAX 64u
/* Reasons 11, 16, 17 and 18 close the connection with this plus the reason, and reason 25 ends a
   subscription so; the others have the draft's codes. */
#define CC_CLOSE_CODE_BASE 0x3800ull
/* SETUP option (bytes) from a client: the secret by which it returns as the same peer. */
#define CC_SETUP_RESUME_SECRET 0x3803ull
/* SETUP option (bytes) from a relay: the peer id given. */
#define CC_SETUP_PEER_ID 0x3805ull
/* SETUP option (int) from a relay: its number among relays. With one from each side, hop lists
   are negotiated. */
#define CC_SETUP_RELAY_ID 0x3806ull
/* Message parameter between relays (length, then their numbers as varints, the first first, at
   most 16) in PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE, FETCH and TRACK_STATUS: what it came
   through. */
#define CC_PARAMETER_HOPS 0x3807ull
/* Low bits of FNV-1a 64 of a tag that make its hash: what JavaScript holds exactly. */
#define CC_CAPABILITY_HASH_BITS 53u
/* transport.host's UDP port when none is given. */
#define CC_PORT_HOST 7777u
/* relay's UDP port when none is given. */
#define CC_PORT_RELAY 443u
/* The control stack's port when none is given. */
#define CC_PORT_CONTROL 4433u
/* Port of metrics, health and the live page when none is given. */
#define CC_PORT_ADMIN 9464u
/* Track property, bytes. The capability tag, UTF-8; compared on arrival. */
#define CC_PROPERTY_CAPABILITY_TAG 0x3801ull
/* Track property, int. The tag's hash, for the drafts' range filters. */
#define CC_PROPERTY_CAPABILITY_HASH 0x3802ull
/* Track property, int. The kind of track in the low byte; 0x100 beside it: latest-wins, so that
   queues hold the newest frame only. */
#define CC_PROPERTY_TRACK_KIND 0x3804ull
/* Track property, int. 1 Opus, 2 PCM signed 16-bit little-endian, 3 G.711 mu-law, 4 G.711 A-law. */
#define CC_PROPERTY_AUDIO_CODEC 0x3806ull
/* Track property, bytes. WebCodecs codec string, UTF-8, as avc1.42E01E. */
#define CC_PROPERTY_VIDEO_CODEC 0x3807ull
/* Track property, int. Audio samples a second and channel. In Hz. */
#define CC_PROPERTY_SAMPLE_RATE 0x3808ull
/* Track property, int. Audio channels, interleaved in PCM. */
#define CC_PROPERTY_CHANNELS 0x380aull
/* Object property (draft-ietf-moq-loc), int. When the media was captured; wall-clock
   microseconds where no timescale is given. In timescale ticks. */
#define CC_PROPERTY_LOC_TIMESTAMP 0x10ull
/* Track property (draft-ietf-moq-loc), int. Ticks a second of the timestamps; they are media
   time then. In ticks/s. */
#define CC_PROPERTY_LOC_TIMESCALE 0x8ull
/* Object property (draft-ietf-moq-loc), bytes. Frame marks of RFC 9626, 1 to 4 bytes: start
   0x80, end 0x40, independent 0x20, discardable 0x10. */
#define CC_PROPERTY_LOC_VIDEO_FRAME_MARKING 0x9ull
/* Object property (draft-ietf-moq-loc), int. RFC 6464 in the low 8 bits: voice activity 0x80,
   and the level in -dBov, 0 (loudest) to 127. */
#define CC_PROPERTY_LOC_AUDIO_LEVEL 0xcull
/* Object property (draft-ietf-moq-loc), bytes. Codec configuration that decoders need ahead of
   the keyframe. */
#define CC_PROPERTY_LOC_VIDEO_CONFIG 0xdull
/* Hash of the capability netcode.v1. */
#define CC_CAPABILITY_HASH_NETCODE_V1 3492327798864020ull
/* Hash of the capability text.v1. */
#define CC_CAPABILITY_HASH_TEXT_V1 2611092945565337ull
/* Hash of the capability voice.v1. */
#define CC_CAPABILITY_HASH_VOICE_V1 3415310128195672ull
/* Hash of the capability video.v1. */
#define CC_CAPABILITY_HASH_VIDEO_V1 3374481304382035ull

/* Game packets of a netcode layer. */
#define CC_CAPABILITY_NETCODE_V1 "netcode.v1"
/* Chat and other text. */
#define CC_CAPABILITY_TEXT_V1 "text.v1"
/* Voice. */
#define CC_CAPABILITY_VOICE_V1 "voice.v1"
/* Video. */
#define CC_CAPABILITY_VIDEO_V1 "video.v1"

/* What became of a call: 0, 1xx the caller's mistake, 2xx the machine, 9xx a bug in the core. */
enum {
    /* Done. */
    CC_OK = 0,
    /* The handle is none, stale, or of another kind. */
    CC_BAD_HANDLE = 101,
    /* An argument is null, out of its range or not UTF-8. */
    CC_BAD_ARGUMENT = 102,
    /* The object is real but the call does not fit its state, such as driving a node that has a
       thread. */
    CC_BAD_STATE = 103,
    /* A length is above its limit. */
    CC_TOO_LARGE = 104,
    /* The buffer given cannot hold the answer; the length out-parameter holds what is needed. */
    CC_BUFFER_TOO_SMALL = 105,
    /* A struct's size is larger than this library knows, or smaller than its first version. */
    CC_VERSION_MISMATCH = 106,
    /* The object has ended; close the handle. */
    CC_CLOSED = 107,
    /* A track of that name is already published in this scope. */
    CC_EXISTS = 108,
    /* A bound on the count of objects is reached. */
    CC_LIMIT = 109,
    /* A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all. */
    CC_BAD_NAME = 110,
    /* A URL is not of the form moqt://host:port/path. */
    CC_BAD_URL = 111,
    /* Another socket holds the address to bind. */
    CC_ADDRESS_IN_USE = 201,
    /* The system does not allow it, such as a low port without privilege. */
    CC_PERMISSION = 202,
    /* The address to bind is not this machine's. */
    CC_ADDRESS_NOT_AVAILABLE = 203,
    /* Another failure of the system; cc_last_error has its words. */
    CC_IO = 204,
    /* A certificate cannot be read or does not fit its key. */
    CC_BAD_CERTIFICATE = 205,
    /* A private key cannot be read. */
    CC_BAD_KEY = 206,
    /* The core panicked; the object involved is unusable. */
    CC_PANIC = 901,
    /* The core broke one of its own rules. */
    CC_INTERNAL = 902
};

/* Why a link, session, publication or subscription ended; the same at both ends. A refusal
   carries one too. */
enum {
    /* No reason applies. */
    CC_REASON_NONE = 0,
    /* Asked for at this end. */
    CC_REASON_LOCAL = 1,
    /* Closed without error by the other side. */
    CC_REASON_PEER = 2,
    /* The token does not allow it, or there is none. */
    CC_REASON_UNAUTHORIZED = 3,
    /* The token cannot be read. */
    CC_REASON_MALFORMED_TOKEN = 4,
    /* The token's time is over. */
    CC_REASON_EXPIRED_TOKEN = 5,
    /* Nothing was heard for the idle timeout. */
    CC_REASON_TIMEOUT = 6,
    /* The peer's certificate is not the trusted one. */
    CC_REASON_CERTIFICATE = 7,
    /* The two sides have no draft in common. */
    CC_REASON_VERSION = 8,
    /* One side broke the protocol; the text says which rule. */
    CC_REASON_PROTOCOL = 9,
    /* The relay is draining. */
    CC_REASON_GOING_AWAY = 10,
    /* The application ended this session. */
    CC_REASON_KICKED = 11,
    /* The peer is overloaded. */
    CC_REASON_EXCESSIVE_LOAD = 12,
    /* The peer has no memory of the connection: it was restarted. */
    CC_REASON_RESET = 13,
    /* No address answered, or the system refuses to send there. */
    CC_REASON_UNREACHABLE = 14,
    /* A failure inside one side. */
    CC_REASON_INTERNAL = 15,
    /* The same peer id connected again. */
    CC_REASON_REPLACED = 16,
    /* The room ended. */
    CC_REASON_ROOM_CLOSED = 17,
    /* The application's admission said no. */
    CC_REASON_REFUSED = 18,
    /* Nobody publishes the track asked for. */
    CC_REASON_DOES_NOT_EXIST = 19,
    /* The subscriber does not want the track offered. */
    CC_REASON_UNINTERESTED = 20,
    /* A reliable subscription fell behind its publisher's window. */
    CC_REASON_TOO_FAR_BEHIND = 21,
    /* The same subscription or publication exists already. */
    CC_REASON_DUPLICATE = 22,
    /* A bound of the peer is reached. */
    CC_REASON_LIMIT = 23,
    /* The publisher ended the track. */
    CC_REASON_TRACK_ENDED = 24,
    /* The session of the track's publisher was lost, and it did not come back in time. */
    CC_REASON_PUBLISHER_LOST = 25,
    /* It is to be asked for elsewhere; the event says where. */
    CC_REASON_REDIRECTED = 26
};

/* Why a frame was not delivered: the index into every drops array. */
enum {
    /* Its time to live ran out before it was sent. */
    CC_DROP_EXPIRED = 0,
    /* A newer frame of a latest-wins track took its place. */
    CC_DROP_SUPERSEDED = 1,
    /* The queue was full of frames at least as important. */
    CC_DROP_NO_ROOM = 2,
    /* It did not fit the path's datagrams. */
    CC_DROP_TOO_LARGE = 3,
    /* The session may not publish or read it. */
    CC_DROP_NOT_AUTHORISED = 4,
    /* The congestion controller gave it no room in time. */
    CC_DROP_CONGESTED = 5,
    /* The peer allowed no further stream in time. */
    CC_DROP_STREAM_LIMIT = 6,
    /* A ring between threads was full. */
    CC_DROP_RING_FULL = 7
};

/* A bound of what peers can make a node hold, in bytes unless it says otherwise; its name in
   lower case sets it in CcNodeConfig.limits. */
enum {
    /* Connections at once, those in their handshake and those that drain among them. */
    CC_BOUND_CONNECTIONS = 0,
    /* Connections from one address, or one /64 of IPv6; loopback is not counted. */
    CC_BOUND_CONNECTIONS_PER_ADDRESS = 1,
    /* Handshakes under way from addresses that have not proven themselves; above, strangers are
       sent Retry. */
    CC_BOUND_HANDSHAKES_UNPROVEN = 2,
    /* Handshakes under way in all. */
    CC_BOUND_HANDSHAKES = 3,
    /* The same from one address that has proven itself, or one /64; loopback is not counted. */
    CC_BOUND_HANDSHAKES_PER_ADDRESS = 4,
    /* Sessions that wait to be admitted. */
    CC_BOUND_PARKED = 5,
    /* Bytes that a connection may send on all streams together and that are not read yet, before
       it is admitted. */
    CC_BOUND_PARKED_BYTES = 6,
    /* The same once it is admitted. */
    CC_BOUND_RECEIVE_BYTES = 7,
    /* Streams that a peer may open at first, each direction. */
    CC_BOUND_STREAMS_INITIAL = 8,
    /* Streams that a peer may have open at most, each direction. */
    CC_BOUND_STREAMS_MAX = 9,
    /* Requests of one session's peer under way. */
    CC_BOUND_REQUESTS = 10,
    /* Prefixes that one session watches for tracks or namespaces. */
    CC_BOUND_WATCHES = 11,
    /* Namespaces that one session announces. */
    CC_BOUND_NAMESPACES_PER_SESSION = 12,
    /* Namespaces announced in all. */
    CC_BOUND_NAMESPACES = 13,
    /* Tracks that one session may publish. */
    CC_BOUND_TRACKS_PER_SESSION = 14,
    /* Tracks in all. */
    CC_BOUND_TRACKS = 15,
    /* Properties of one track. */
    CC_BOUND_PROPERTY_BYTES = 16,
    /* Tracks that one session receives. */
    CC_BOUND_SUBSCRIPTIONS_PER_SESSION = 17,
    /* Requests that one session waits for others to answer: tracks asked of their publisher by
       name. */
    CC_BOUND_ASKS = 18,
    /* FETCHes of one session under way. */
    CC_BOUND_FETCHES = 19,
    /* Objects of FETCHes that are passed on and wait for one session to take them. */
    CC_BOUND_FETCH_BYTES = 20,
    /* Subgroups of one track open at once. */
    CC_BOUND_SUBGROUPS = 21,
    /* Largest object on a stream. */
    CC_BOUND_OBJECT_BYTES = 22,
    /* Messages and objects of one session of which only a part has come. */
    CC_BOUND_ASSEMBLY_BYTES = 23,
    /* The same of all sessions. */
    CC_BOUND_ASSEMBLY_TOTAL = 24,
    /* Datagrams of one session that came before their track's alias. */
    CC_BOUND_EARLY_BYTES = 25,
    /* Streams of one session that came before their track's alias, left unread. */
    CC_BOUND_EARLY_STREAMS = 26,
    /* REQUEST_UPDATEs of one request without an answer; further ones are left unread. */
    CC_BOUND_UPDATES = 27,
    /* The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on). */
    CC_BOUND_REQUEST_UPDATES = 28,
    /* Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on). */
    CC_BOUND_FILTER_RANGES = 29,
    /* Tokens that one session's peer has registered, with 16 for each. */
    CC_BOUND_TOKEN_BYTES = 30,
    /* A session's sending queue. */
    CC_BOUND_SESSION_BYTES = 31,
    /* One track in it. */
    CC_BOUND_TRACK_BYTES = 32,
    /* One subgroup stream in it. */
    CC_BOUND_SUBGROUP_BYTES = 33,
    /* Recent objects kept of a local publication. */
    CC_BOUND_PAST_OWN_BYTES = 34,
    /* Recent objects kept of a track that is passed on. */
    CC_BOUND_PAST_TRACK_BYTES = 35,
    /* Recent objects kept of all tracks. */
    CC_BOUND_PAST_BYTES = 36,
    /* Text of one track that waits for what comes before it, or for a reader that is slow. */
    CC_BOUND_REORDER_BYTES = 37,
    /* Fragments of one track's frames that wait for the others. */
    CC_BOUND_FRAGMENT_BYTES = 38,
    /* Text and fragments that wait, of all tracks. */
    CC_BOUND_REORDER_TOTAL = 39,
    /* Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and
       wait to be sent. */
    CC_BOUND_ANSWERS = 40
};

/* What became of one frame given to cc_send. */
enum {
    /* Queued for every subscriber. */
    CC_FATE_QUEUED = 0,
    /* The publisher's queue is at its bound; dropped and counted. */
    CC_FATE_NO_ROOM = 1,
    /* More than MAX_FRAGMENTS datagrams, or above the largest object; dropped and counted. */
    CC_FATE_TOO_LARGE = 2,
    /* The link is down: dropped and counted. Text is QUEUED instead. */
    CC_FATE_NOT_CONNECTED = 3,
    /* The publication has ended or the handle is not one. */
    CC_FATE_CLOSED = 4,
    /* Nobody wants the track now; not sent. */
    CC_FATE_NO_SUBSCRIBER = 5,
    /* Video: the group that it continues was not taken whole, so nothing could be made of it;
       not sent. Send a keyframe with NEW_GROUP. */
    CC_FATE_NO_GROUP = 6
};

/* What a CcEvent tells, and what its fields hold then; fields not named are 0 or empty. */
enum {
    /* handle = link; a = 1 if resumed; b = gap in us since it was lost; c = draft number; text =
       peer id. */
    CC_EVENT_LINK_UP = 1,
    /* handle = link; reason; code; a = us until the next attempt; text = why. The link dials
       again by itself. */
    CC_EVENT_LINK_DOWN = 2,
    /* handle = link; reason; code; text = why. Final. */
    CC_EVENT_LINK_CLOSED = 3,
    /* handle = link; a = timeout in ms; text = the URI to move to, or empty. */
    CC_EVENT_LINK_GOAWAY = 4,
    /* handle = session, to be answered by cc_session_accept or cc_session_refuse; a = the remote
       port; text = token, raw bytes; text2 = path; text3 = ip:port; text4 = peer id suggested
       from the resume secret. */
    CC_EVENT_AUTH = 10,
    /* handle = session; a = 1 if this peer id was here within the last minute; c = draft number;
       text = peer id; text2 = tenant; text3 = ip:port. */
    CC_EVENT_SESSION_UP = 11,
    /* handle = session; reason; code; text = why; text2 = peer id. */
    CC_EVENT_SESSION_DOWN = 12,
    /* handle = session, to be answered by cc_session_accept or cc_session_refuse; a = request
       reference; text = new token. */
    CC_EVENT_AUTH_REFRESH = 13,
    /* A single request shows a token of its own and waits. handle = session; a = the request's
       number, for cc_session_accept_request or cc_session_refuse_request; text = token; text2 =
       what it asks, as "subscribe games/room1//c7". */
    CC_EVENT_AUTH_REQUEST = 14,
    /* handle = publication. It stands at the relay. */
    CC_EVENT_PUBLISH_OK = 20,
    /* handle = publication; reason; text = why. With REDIRECTED: text2 = URL, empty: the same;
       text3 = namespace and text4 = track to publish as there, both empty: the same. */
    CC_EVENT_PUBLISH_REFUSED = 21,
    /* handle = publication; a = count of subscribers now. */
    CC_EVENT_PUBLISH_DEMAND = 22,
    /* handle = publication. A subscriber asks for a new group soon, as a video reader does for a
       keyframe; of tracks with the property DYNAMIC_GROUPS. */
    CC_EVENT_NEW_GROUP_WANTED = 23,
    /* handle = subscription. It stands at the relay. */
    CC_EVENT_SUBSCRIBE_OK = 30,
    /* handle = subscription; reason; text = why. With REDIRECTED: text2 = URL, empty: the same;
       text3 = namespace and text4 = track to ask for there, both empty: the same. */
    CC_EVENT_SUBSCRIBE_REFUSED = 31,
    /* handle = subscription; a = track id as in CcFrame; b = track kind or 0 if unknown; text =
       namespace; text2 = name; text3 = capability; text4 = publishing peer id if known. */
    CC_EVENT_TRACK_ADDED = 32,
    /* handle = subscription; a = track id; reason: TRACK_ENDED, PUBLISHER_LOST, or why this
       subscription ended. */
    CC_EVENT_TRACK_ENDED = 33,
    /* handle = subscription; a = track id; b = last group before the gap; c = first group after
       it; code = gap in us. */
    CC_EVENT_TRACK_RESUMED = 34,
    /* handle = node; text = why. The node does no more work. */
    CC_EVENT_NODE_FAILED = 40,
    /* handle = node; text = one line, such as a degraded socket. */
    CC_EVENT_WARNING = 41
};

/* Bits of CcNodeConfig.flags. */
enum {
    /* Accepts sessions and routes between them. */
    CC_NODE_RELAY = 1,
    /* No I/O thread: the caller drives the node by cc_node_drive. */
    CC_NODE_THREADLESS = 2,
    /* No AUTH events: everyone is admitted with open_scope. */
    CC_NODE_OPEN = 4,
    /* One datagram a system call, as on systems without batches. */
    CC_NODE_PORTABLE_UDP = 8
};

/* Congestion controllers. */
enum {
    /* Delay-based, short queues, application-limited aware. */
    CC_CONGESTION_REALTIME = 0,
    /* Cubic. */
    CC_CONGESTION_CUBIC = 1,
    /* BBR. */
    CC_CONGESTION_BBR = 2
};

/* Bits of CcLinkConfig.flags. */
enum {
    /* The first loss is final. */
    CC_LINK_NO_RECONNECT = 1,
    /* A relay node joins the relay at url: what is published or announced on one is to be had on
       both. The link has no tracks of its own. */
    CC_LINK_UPLINK = 2
};

/* Where a link stands. */
enum {
    /* Handshake or admission under way. */
    CC_LINK_STATE_CONNECTING = 0,
    /* Admitted. */
    CC_LINK_STATE_UP = 1,
    /* Lost; waits for its next attempt. */
    CC_LINK_STATE_WAITING = 2,
    /* Ended for good. */
    CC_LINK_STATE_CLOSED = 3
};

/* How a publication's frames go on the wire. */
enum {
    /* A group a frame, in 1 to 8 datagrams. */
    CC_KIND_FRAME_DATAGRAM = 1,
    /* A group a frame, on one subgroup stream each. */
    CC_KIND_FRAME_STREAM = 2,
    /* Reliable, ordered messages; a group per 256 messages or 64 KiB. */
    CC_KIND_TEXT = 3,
    /* A packet an object; a group, on one subgroup stream, lasts until NEW_GROUP. Newer groups
       go first. */
    CC_KIND_AUDIO = 4,
    /* An encoded frame an object; a group, on one subgroup stream, begins with a keyframe, sent
       with NEW_GROUP. Newer groups go first. */
    CC_KIND_VIDEO = 5
};

/* Bits of CcTrackConfig.flags. */
enum {
    /* Queues hold the newest frame only; descending group order. */
    CC_TRACK_LATEST_WINS = 1,
    /* The first group id is the Unix time in us instead of ms: for more than 1000 frames a
       second. */
    CC_TRACK_MICROSECOND_GROUPS = 2,
    /* Audio: a group a packet, in datagrams instead of streams. */
    CC_TRACK_DATAGRAM = 4
};

/* Bits of CcOpusConfig.flags. */
enum {
    /* Music and other sound, rather than voice. */
    CC_OPUS_MUSIC = 1
};

/* Bits of CcSend.flags. */
enum {
    /* Audio and Video: it begins a group, and ends the one before. */
    CC_SEND_NEW_GROUP = 1,
    /* Audio and Video: its group ends with it, as when a talker falls silent. */
    CC_SEND_END_GROUP = 2
};

/* Bits of CcSubscribeConfig.flags. */
enum {
    /* One track by its full name instead of all under a namespace prefix. */
    CC_SUBSCRIBE_EXACT = 1
};

/* In which order a track's groups are sent to a subscriber. */
enum {
    /* As the publisher prefers. */
    CC_ORDER_PUBLISHER = 0,
    /* Oldest group first. */
    CC_ORDER_ASCENDING = 1,
    /* Newest group first. */
    CC_ORDER_DESCENDING = 2
};

/* Bits of CcFrame.flags. */
enum {
    /* It came on a subgroup stream. */
    CC_FRAME_STREAM = 1,
    /* It was joined from more than one datagram. */
    CC_FRAME_FRAGMENTED = 2,
    /* At least one frame of the track before it did not arrive. */
    CC_FRAME_GAP = 4,
    /* It is a message of a Text track. */
    CC_FRAME_TEXT = 8
};

/* A string going in or out: UTF-8 unless a field says raw bytes. */
typedef struct CcStr {
    /* First byte; may be null when len is 0. */
    const uint8_t *ptr;
    /* Length. In bytes. */
    uint32_t len;
    /* 0. */
    uint32_t reserved;
} CcStr;

/* What this library is. */
typedef struct CcVersion {
    /* sizeof(CcVersion), set by the caller. In bytes. */
    uint32_t size;
    /* ABI version. */
    uint32_t abi;
    /* Drafts spoken: bit n stands for draft n. */
    uint32_t drafts;
    /* 0. */
    uint32_t reserved;
    /* Build in words; static. */
    CcStr build;
} CcVersion;

/* How to open a node: one UDP socket, one engine and its I/O thread. */
typedef struct CcNodeConfig {
    /* sizeof(CcNodeConfig). In bytes. */
    uint32_t size;
    /* CcNodeFlags bits. */
    uint32_t flags;
    /* Local ip:port; port 0 takes a free one. */
    CcStr bind;
    /* Relay: its certificate chain, leaf first. */
    CcStr certificate_pem;
    /* Relay: the leaf's private key. */
    CcStr key_pem;
    /* Drafts to speak, preferred first, as "moqt-22,moqt-18"; empty: the default. */
    CcStr alpns;
    /* OPEN: the path prefix granted to everyone; empty: all. */
    CcStr open_scope;
    /* 32 raw bytes from which reset, connection-id and retry keys derive; empty: random. */
    CcStr state_key;
    /* Relay: sessions at once; 0: the default. */
    uint32_t max_sessions;
    /* A peer unheard for so long is gone; 0: 30000. In ms. */
    uint32_t idle_timeout_ms;
    /* Quiet time after which a ping is sent, below idle_timeout_ms; 0: 5000, or a third of
       idle_timeout_ms if that is less. In ms. */
    uint32_t keep_alive_ms;
    /* A CcCongestion. */
    uint32_t congestion;
    /* Bound of one session's sending queue; 0: the default. In bytes. */
    uint64_t session_queue_bytes;
    /* Bound of one track within a session's queue; 0: the default. In bytes. */
    uint64_t track_queue_bytes;
    /* Bound of a subscription's frames waiting for cc_drain; 0: the default. In bytes. */
    uint64_t feed_bytes;
    /* Seed of all the node's random choices; 0: from the system. */
    uint64_t seed;
    /* Socket receive buffer to ask for; 0: the default. In bytes. */
    uint32_t recv_buffer;
    /* Socket send buffer to ask for; 0: the default. In bytes. */
    uint32_t send_buffer;
    /* An AUTH unanswered for so long is refused; 0: the default. In ms. */
    uint32_t auth_timeout_ms;
    /* How long cc_node_close goes on sending what is queued; 0: 500. In ms. */
    uint32_t linger_ms;
    /* Reserved: empty. */
    CcStr secret_file;
    /* Bounds by CcBound's names, as "streams_max=256,tracks=1000"; bytes may be 64k, 4m, 1g;
       empty: the defaults. */
    CcStr limits;
    /* Relay: threads that serve its port, at most 256, each with a socket and an engine of its
       own; 0: 1. With THREADLESS: 1. */
    uint32_t shards;
    /* 0. */
    uint32_t reserved;
} CcNodeConfig;

/* Counters of a node since it was opened. */
typedef struct CcNodeStats {
    /* sizeof(CcNodeStats). In bytes. */
    uint32_t size;
    /* Sessions up now, links included. */
    uint32_t sessions;
    /* Sessions that came up. */
    uint64_t sessions_total;
    /* Sessions refused. */
    uint64_t sessions_refused;
    /* Objects received. */
    uint64_t objects_in;
    /* Objects sent, once a subscriber. */
    uint64_t objects_out;
    /* UDP payload received. In bytes. */
    uint64_t bytes_in;
    /* UDP payload sent. In bytes. */
    uint64_t bytes_out;
    /* UDP datagrams received. */
    uint64_t packets_in;
    /* UDP datagrams sent. */
    uint64_t packets_out;
    /* System calls to send. */
    uint64_t syscalls_send;
    /* System calls to receive. */
    uint64_t syscalls_recv;
    /* The I/O thread's CPU time. In us. */
    uint64_t cpu_us;
    /* Tracks known now. */
    uint64_t tracks;
    /* Subscriptions standing now. */
    uint64_t subscriptions;
    /* Frames not delivered, by CcDrop. */
    uint64_t drops[8];
    /* Sessions waiting for an answer to AUTH now. */
    uint64_t auth_waiting;
    /* Datagrams and messages that broke a rule. */
    uint64_t malformed;
    /* Datagrams the system refused to send. */
    uint64_t send_errors;
    /* Objects that came in or were published here, by CcTrackKind; 0: of tracks that do not say. */
    uint64_t kinds[8];
    /* Handshakes under way. */
    uint64_t handshakes;
    /* How often each bound was met, by CcBound: something was refused, dropped or put off. */
    uint64_t refused[48];
    /* Threads that serve the port; 1 in the counters of one shard. */
    uint64_t shards;
    /* Objects that came from another shard. */
    uint64_t crossed_in;
    /* Objects that went to another shard, once each. */
    uint64_t crossed_out;
    /* Packets that came to another shard's socket and were handed over. */
    uint64_t handed_over;
    /* The same that found no room. */
    uint64_t handed_lost;
    /* Times that a shard failed and was started again. */
    uint64_t restarts;
} CcNodeStats;

/* How to open a link: a client session that dials again by itself and re-establishes its
   publications and subscriptions. */
typedef struct CcLinkConfig {
    /* sizeof(CcLinkConfig). In bytes. */
    uint32_t size;
    /* CcLinkFlags bits. */
    uint32_t flags;
    /* moqt://host:port/path; the host is also the TLS server name. */
    CcStr url;
    /* "ip:port,ip:port", resolved by the caller, tried in turn. */
    CcStr addresses;
    /* The token to present; raw bytes, at most TOKEN_BYTES; may be empty. */
    CcStr token;
    /* Lower-case hex SHA-256 of the one certificate (DER) trusted, or empty; excludes trust_pem. */
    CcStr trust_sha256;
    /* CA or self-signed certificate trusted, or empty. With both empty: the system's roots. */
    CcStr trust_pem;
    /* 16 to 64 raw bytes by which a relay knows a returning peer; empty: random. */
    CcStr resume_secret;
    /* Drafts to offer, preferred first; empty: the default. */
    CcStr alpns;
    /* Bound of one attempt, admission included; 0: 10000. In ms. */
    uint32_t connect_timeout_ms;
    /* First bound of the random wait before dialling again; 0: 100. In ms. */
    uint32_t backoff_min_ms;
    /* Cap to which the bound doubles; 0: 2000. In ms. */
    uint32_t backoff_max_ms;
    /* Time after a loss when the link gives up; 0: never. In ms. */
    uint32_t reconnect_limit_ms;
} CcLinkConfig;

/* State and counters of a link, or of a relay's session. */
typedef struct CcLinkStats {
    /* sizeof(CcLinkStats). In bytes. */
    uint32_t size;
    /* A CcLinkState. */
    uint32_t state;
    /* Draft number in use, 0 before it is known. */
    uint32_t draft;
    /* Times the link came up again. */
    uint32_t reconnects;
    /* Smoothed round-trip time. In us. */
    uint64_t rtt_us;
    /* Least round-trip time on this path. In us. */
    uint64_t rtt_min_us;
    /* Mean deviation of the round-trip time. In us. */
    uint64_t jitter_us;
    /* Congestion window. In bytes. */
    uint64_t congestion_window;
    /* Sent and neither acknowledged nor lost. In bytes. */
    uint64_t in_flight;
    /* What the controller estimates the path takes. In bytes/s. */
    uint64_t send_rate;
    /* Waiting in the sending queue. In bytes. */
    uint64_t queued_bytes;
    /* QUIC packets sent. */
    uint64_t packets_sent;
    /* QUIC packets declared lost. */
    uint64_t packets_lost;
    /* UDP payload sent. In bytes. */
    uint64_t bytes_sent;
    /* UDP payload received. In bytes. */
    uint64_t bytes_received;
    /* Frames handed to the transport. */
    uint64_t frames_sent;
    /* Frames received whole. */
    uint64_t frames_received;
    /* Frames not delivered to this peer, by CcDrop. */
    uint64_t drops[8];
    /* How long the last frame sent had waited in the queue. In us. */
    uint64_t queue_delay_us;
    /* Largest UDP payload on this path. In bytes. */
    uint64_t mtu;
} CcLinkStats;

/* What an admitted session may do; the core checks every request against it. */
typedef struct CcStamp {
    /* sizeof(CcStamp). In bytes. */
    uint32_t size;
    /* 0. */
    uint32_t flags;
    /* Path prefixes it may publish under, one a line, as games/room1/up/c7; "*": all; empty:
       none. */
    CcStr publish;
    /* Path prefixes it may read, as for publish. */
    CcStr subscribe;
    /* Capability tags it may use, one a line; empty: any. */
    CcStr capabilities;
    /* Tenant, for the application's own use. */
    CcStr tenant;
    /* The token's subject; a refresh must keep it. */
    CcStr subject;
    /* The session's peer id; a second session with it closes the first with REPLACED. */
    CcStr peer_id;
    /* Time from now when the session ends with EXPIRED_TOKEN; 0: never. In ms. */
    uint64_t expires_ms;
} CcStamp;

/* How to publish a track. */
typedef struct CcTrackConfig {
    /* sizeof(CcTrackConfig). In bytes. */
    uint32_t size;
    /* A CcTrackKind. */
    uint32_t kind;
    /* CcTrackFlags bits. */
    uint32_t flags;
    /* Default publisher priority, 0 first to 255 last; 128 is usual. */
    uint32_t priority;
    /* Namespace, fields joined by '/'. */
    CcStr ns;
    /* Track name within the namespace. */
    CcStr name;
    /* Capability tag, or empty. */
    CcStr capability;
    /* Further track properties, encoded key-value pairs (raw bytes), or empty. */
    CcStr properties;
    /* A frame's default time to live in sending queues; 0: none. In us. */
    uint32_t ttl_us;
    /* OBJECT_DELIVERY_TIMEOUT of the track; 0: none. In ms. */
    uint32_t object_timeout_ms;
    /* SUBGROUP_DELIVERY_TIMEOUT of the track; 0: none. In ms. */
    uint32_t subgroup_timeout_ms;
    /* Text: messages kept for replay; 0: the default. */
    uint32_t window_messages;
    /* Bound of this track's sending queue; 0: the node's. In bytes. */
    uint64_t queue_bytes;
    /* A token for this track alone, raw bytes; empty: the link's holds. */
    CcStr token;
} CcTrackConfig;

/* One frame for cc_send; payload and properties are copied before the call returns. */
typedef struct CcSend {
    /* The publication. */
    CcHandle publication;
    /* Address of the first payload byte. */
    uint64_t payload;
    /* Address of the object's properties, encoded key-value pairs. */
    uint64_t properties;
    /* Payload length. In bytes. */
    uint32_t payload_len;
    /* Properties length. In bytes. */
    uint32_t properties_len;
    /* Time to live in sending queues; 0: the track's default. In us. */
    uint32_t ttl_us;
    /* Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's. */
    uint16_t priority;
    /* CcSendFlags bits. */
    uint16_t flags;
    /* The caller's own mark; not sent. */
    uint64_t tag;
} CcSend;

/* A frame that the node sends while the owner of a publication is silent. */
typedef struct CcRepeat {
    /* sizeof(CcRepeat). In bytes. */
    uint32_t size;
    /* Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's. */
    uint32_t priority;
    /* The frame's bytes, at most FRAGMENT_BYTES; copied. */
    CcStr payload;
    /* How long the owner has to have sent nothing, 10 to 3,600,000. In ms. */
    uint32_t silence_ms;
    /* Between one and the next, 10 to 3,600,000; each lives so long in queues. 0: repeat nothing
       any more, whatever the other fields hold. In ms. */
    uint32_t every_ms;
    /* How long the owner may be silent before it ends; it begins again when the owner has sent.
       0: without end. In ms. */
    uint32_t limit_ms;
    /* 0. */
    uint32_t reserved;
} CcRepeat;

/* How to encode Opus. */
typedef struct CcOpusConfig {
    /* sizeof(CcOpusConfig). In bytes. */
    uint32_t size;
    /* CcOpusFlags bits. */
    uint32_t flags;
    /* Samples a second and channel: 8000, 12000, 16000, 24000 or 48000. In Hz. */
    uint32_t rate_hz;
    /* 1 or 2; samples of two are interleaved. */
    uint32_t channels;
    /* Of all channels together, 6,000 to 510,000; 0: 32,000 a channel. In bit/s. */
    uint32_t bit_rate;
    /* The encoder's effort, 1 to 10; 0: 5. */
    uint32_t complexity;
    /* Packets expected to be lost, to 100. Above 0, packets carry a coarse copy of the one
       before, for cc_opus_recover. In %. */
    uint32_t loss;
    /* 0. */
    uint32_t reserved;
} CcOpusConfig;

/* Counters of a publication since it was opened. */
typedef struct CcTrackStats {
    /* sizeof(CcTrackStats). In bytes. */
    uint32_t size;
    /* Subscribers now. */
    uint32_t subscribers;
    /* Frames given to cc_send. */
    uint64_t frames;
    /* Their payload. In bytes. */
    uint64_t bytes;
    /* Waiting now. In bytes. */
    uint64_t queued_bytes;
    /* Waiting now. */
    uint64_t queued_frames;
    /* Frames handed to the transport. */
    uint64_t sent_frames;
    /* Their bytes on the wire, headers included. In bytes. */
    uint64_t sent_bytes;
    /* Frames not delivered, by CcDrop. */
    uint64_t drops[8];
    /* Group id of the last frame. */
    uint64_t last_group;
    /* Its last object id. */
    uint64_t last_object;
} CcTrackStats;

/* What to subscribe to. */
typedef struct CcSubscribeConfig {
    /* sizeof(CcSubscribeConfig). In bytes. */
    uint32_t size;
    /* CcSubscribeFlags bits. */
    uint32_t flags;
    /* Namespace prefix; with EXACT the whole namespace. */
    CcStr ns;
    /* EXACT: the track's name. */
    CcStr name;
    /* Only tracks with this tag; empty: any. */
    CcStr capability;
    /* Subscriber priority, 0 first to 255 last; 128 is usual. */
    uint32_t priority;
    /* A CcGroupOrder. */
    uint32_t order;
    /* Bound of frames waiting for cc_drain; 0: the node's. In bytes. */
    uint64_t feed_bytes;
    /* EXACT: a token for this subscription alone, raw bytes; empty: the link's holds. */
    CcStr token;
    /* EXACT: how long the relay is to wait for a publisher; 0: not at all. The relay may wait
       shorter. In ms. */
    uint32_t rendezvous_ms;
    /* 0. */
    uint32_t reserved;
} CcSubscribeConfig;

/* One frame received; its bytes lie in CcBatch.data. */
typedef struct CcFrame {
    /* Track id, announced by TRACK_ADDED; never reused within a node. */
    uint64_t track;
    /* Group id. */
    uint64_t group;
    /* Object id; of a fragmented frame the first. */
    uint64_t object;
    /* When its last byte arrived, on the node's clock. In us. */
    uint64_t received_us;
    /* Where the payload begins in the batch's data. In bytes. */
    uint32_t payload_at;
    /* Payload length. In bytes. */
    uint32_t payload_len;
    /* Where the object's properties begin in the batch's data. In bytes. */
    uint32_t properties_at;
    /* Properties length. In bytes. */
    uint32_t properties_len;
    /* Publisher priority, as it was sent. */
    uint8_t priority;
    /* CcFrameFlags bits. */
    uint8_t flags;
    /* 0. */
    uint16_t reserved;
    /* Objects it was joined from; 1 for a whole one. */
    uint32_t fragments;
} CcFrame;

/* Frames taken by one cc_drain; valid until the next drain or close of that subscription. */
typedef struct CcBatch {
    /* sizeof(CcBatch), set by the caller. In bytes. */
    uint32_t size;
    /* Frames in the batch. */
    uint32_t count;
    /* The frames, oldest first. */
    const CcFrame *frames;
    /* Their payloads and properties. */
    const uint8_t *data;
    /* Length of data. In bytes. */
    uint64_t data_len;
    /* Frames dropped since the last drain because the feed was full. */
    uint64_t dropped;
} CcBatch;

/* Counters of a subscription since it was opened. */
typedef struct CcSubscriptionStats {
    /* sizeof(CcSubscriptionStats). In bytes. */
    uint32_t size;
    /* Tracks it matches now. */
    uint32_t tracks;
    /* Frames received whole. */
    uint64_t frames;
    /* Their payload. In bytes. */
    uint64_t bytes;
    /* Waiting for cc_drain now. */
    uint64_t waiting_frames;
    /* Waiting for cc_drain now. In bytes. */
    uint64_t waiting_bytes;
    /* Frames dropped because the feed was full. */
    uint64_t dropped;
    /* Frames known to be missing between received ones. */
    uint64_t gaps;
    /* Objects that came again and were ignored. */
    uint64_t duplicates;
    /* Fragmented frames that never completed. */
    uint64_t incomplete;
    /* Audio and Video: objects of groups that were given up for a newer one, or joined midway. */
    uint64_t superseded;
} CcSubscriptionStats;

/* One event; CcEventKind says what the fields hold. Texts are valid until the next cc_node_poll
   of the node. */
typedef struct CcEvent {
    /* A CcEventKind. */
    uint32_t kind;
    /* A CcReason. */
    uint32_t reason;
    /* What the event is about. */
    CcHandle handle;
    /* See the kind. */
    uint64_t a;
    /* See the kind. */
    uint64_t b;
    /* See the kind. */
    uint64_t c;
    /* The code seen on the wire, if any. */
    uint64_t code;
    /* See the kind. */
    CcStr text;
    /* See the kind. */
    CcStr text2;
    /* See the kind. */
    CcStr text3;
    /* See the kind. */
    CcStr text4;
} CcEvent;

#if UINTPTR_MAX == UINT64_MAX
CC_ASSERT(sizeof(CcStr) == 16);
CC_ASSERT(sizeof(CcVersion) == 32);
CC_ASSERT(sizeof(CcNodeConfig) == 208);
CC_ASSERT(sizeof(CcNodeStats) == 704);
CC_ASSERT(sizeof(CcLinkConfig) == 136);
CC_ASSERT(sizeof(CcLinkStats) == 200);
CC_ASSERT(sizeof(CcStamp) == 112);
CC_ASSERT(sizeof(CcTrackConfig) == 120);
CC_ASSERT(sizeof(CcSend) == 48);
CC_ASSERT(sizeof(CcRepeat) == 40);
CC_ASSERT(sizeof(CcOpusConfig) == 32);
CC_ASSERT(sizeof(CcTrackStats) == 136);
CC_ASSERT(sizeof(CcSubscribeConfig) == 96);
CC_ASSERT(sizeof(CcFrame) == 56);
CC_ASSERT(sizeof(CcBatch) == 40);
CC_ASSERT(sizeof(CcSubscriptionStats) == 80);
CC_ASSERT(sizeof(CcEvent) == 112);
#endif

/* What this library is. The build text is static. */
int32_t cc_version(CcVersion *version);

/* A status in words, written into buf without a terminating zero; len is its length in bytes,
   also on BUFFER_TOO_SMALL. */
int32_t cc_status_text(int32_t status, uint8_t *buf, uint32_t cap, uint32_t *len);

/* This thread's last failed call in words: what, where, what to do. len is its length in bytes,
   also on BUFFER_TOO_SMALL; 0 if no call failed. */
int32_t cc_last_error(uint8_t *buf, uint32_t cap, uint32_t *len);

/* Opens a node and, unless THREADLESS, its I/O thread. Close it with cc_node_close. */
int32_t cc_node_open(const CcNodeConfig *config, CcHandle *node);

/* Closes the node and everything opened from it; peers are told. The one call that waits: for
   the I/O thread's goodbye, 200 ms at most. */
int32_t cc_node_close(CcHandle node);

/* The address the node is bound to, as ip:port, written into buf without a terminating zero. */
int32_t cc_node_address(CcHandle node, uint8_t *buf, uint32_t cap, uint32_t *len);

/* A descriptor that is readable while events or frames wait; cc_node_poll clears it. On Windows
   it is a socket, for select and WSAPoll. Owned by the node: neither read nor close it. -1 where
   the system has none. */
int32_t cc_node_wake_fd(CcHandle node, int64_t *fd);

/* Whether frames make the wake-up descriptor readable (1, as at first), or events alone do (0):
   for an owner that drains by its own clock, whom arrivals would wake for nothing. What waits
   already is not told again: look after the call. */
int32_t cc_node_wake_frames(CcHandle node, uint32_t on);

/* THREADLESS only: does all I/O and timers due at now_us; next_us is when to call again at the
   latest. */
int32_t cc_node_drive(CcHandle node, uint64_t now_us, uint64_t *next_us);

/* The node's clock in microseconds. */
int32_t cc_node_now(CcHandle node, uint64_t *now_us);

/* Sends GOAWAY to all sessions, with a URI to move to or an empty one; new sessions are refused
   from now on, and after timeout_ms those that are left are closed (0: none is). */
int32_t cc_node_goaway(CcHandle node, CcStr uri, uint32_t timeout_ms);

/* Takes up to cap events. Texts in them are valid until the next poll of this node. */
int32_t cc_node_poll(CcHandle node, CcEvent *events, uint32_t cap, uint32_t *count);

/* Counters of the node, of all its shards together. */
int32_t cc_node_stats(CcHandle node, CcNodeStats *stats);

/* Counters of one of its shards, from 0; BAD_ARGUMENT for a number that no shard has. */
int32_t cc_node_shard_stats(CcHandle node, uint32_t shard, CcNodeStats *stats);

/* Starts dialling; LINK_UP or LINK_CLOSED tells the outcome. Publications and subscriptions may
   be opened at once. */
int32_t cc_link_open(CcHandle node, const CcLinkConfig *config, CcHandle *link);

/* Ends the link for good; the peer is told the reason. */
int32_t cc_link_close(CcHandle link, uint32_t reason, CcStr text);

/* Presents a new token: in place when the link is up, and at the next attempt. */
int32_t cc_link_token(CcHandle link, CcStr token);

/* Replaces the addresses used from the next attempt on. */
int32_t cc_link_addresses(CcHandle link, CcStr addresses);

/* Goes on at another place, as after LINK_GOAWAY: it is dialled beside the session that stands,
   everything moves there, and the old one is left. addresses as in CcLinkConfig; empty: the host
   of url is an address. */
int32_t cc_link_move(CcHandle link, CcStr url, CcStr addresses);

/* State and counters of a link or of a relay's session. */
int32_t cc_link_stats(CcHandle link_or_session, CcLinkStats *stats);

/* Answers AUTH or AUTH_REFRESH: the session may do what the stamp says. */
int32_t cc_session_accept(CcHandle session, const CcStamp *stamp);

/* Answers AUTH or AUTH_REFRESH: the session is closed with the reason. */
int32_t cc_session_refuse(CcHandle session, uint32_t reason, CcStr text);

/* Answers AUTH_REQUEST: the request may do what the stamp says, of which its peer id, subject
   and tenant are not looked at. The session stays as it is. */
int32_t cc_session_accept_request(CcHandle session, uint64_t request, const CcStamp *stamp);

/* Answers AUTH_REQUEST: the request is refused with the reason, and the session stays. */
int32_t cc_session_refuse_request(CcHandle session, uint64_t request, uint32_t reason, CcStr text);

/* Closes a relay's session; its peer is told the reason. */
int32_t cc_session_close(CcHandle session, uint32_t reason, CcStr text);

/* Publishes a track on a link, or on a relay node itself. EXISTS if the scope publishes that
   name already. */
int32_t cc_publish(CcHandle scope, const CcTrackConfig *config, CcHandle *publication);

/* Ends the track; subscribers see TRACK_ENDED. */
int32_t cc_publish_close(CcHandle publication);

/* Has the node send a frame on a publication of frames while its owner sends nothing: from its
   own thread, whatever holds the owner's. It takes the place of the one before; what is repeated
   counts as a frame of the publication. */
int32_t cc_publish_repeat(CcHandle publication, const CcRepeat *repeat);

/* Sends frames, of any number of tracks. All is copied before the call returns. fates, unless
   null, holds a CcFate for each frame. OK even where single frames were dropped. */
int32_t cc_send(const CcSend *frames, uint32_t count, uint8_t *fates);

/* Counters of a publication. */
int32_t cc_track_stats(CcHandle publication, CcTrackStats *stats);

/* Subscribes on a link, or on a relay node itself. */
int32_t cc_subscribe(CcHandle scope, const CcSubscribeConfig *config, CcHandle *subscription);

/* Ends the subscription; its batch is no longer valid. */
int32_t cc_subscribe_close(CcHandle subscription);

/* Asks a track's publisher to begin a new group, as with a keyframe (NEW_GROUP_REQUEST); it
   hears NEW_GROUP_WANTED. Nothing happens where a newer group was asked for already, or the
   track is over. */
int32_t cc_want_group(CcHandle subscription, uint64_t track);

/* The properties that a track of a subscription was published with, encoded key-value pairs,
   written into buf; len is their length in bytes, also on BUFFER_TOO_SMALL, and 0 when the track
   is over. Waits for the pass that is under way. */
int32_t cc_track_properties(CcHandle subscription, uint64_t track, uint8_t *buf, uint32_t cap, uint32_t *len);

/* Takes the frames that wait. The batch is valid until the next drain or close of the
   subscription. */
int32_t cc_drain(CcHandle subscription, CcBatch *batch);

/* Counters of a subscription. */
int32_t cc_subscription_stats(CcHandle subscription, CcSubscriptionStats *stats);

/* Opens an encoder of one Opus stream. Close it with cc_opus_close. */
int32_t cc_opus_encoder(const CcOpusConfig *config, CcHandle *encoder);

/* Encodes one packet: count samples of each channel, which are 2.5, 5, 10, 20, 40, 60, 80, 100
   or 120 ms, signed 16-bit, interleaved. A packet is made to fit cap bytes, at least 2; len is
   its length. Waits for a call on the same encoder. */
int32_t cc_opus_encode(CcHandle encoder, const int16_t *samples, uint32_t count, uint8_t *packet, uint32_t cap, uint32_t *len);

/* Opens a decoder of one Opus stream, which gives samples at rate_hz and with channels, whatever
   was encoded: 8000, 12000, 16000, 24000 or 48000 Hz, and 1 or 2. Close it with cc_opus_close. */
int32_t cc_opus_decoder(uint32_t rate_hz, uint32_t channels, CcHandle *decoder);

/* Decodes one packet into samples, interleaved; cap and count are of each channel, and 120 ms
   are room for any. No packet (len 0) stands for a lost one: what may have been in it, as long
   as the last that came. BAD_ARGUMENT: the bytes are no packet, and the stream may go on with
   the next. BUFFER_TOO_SMALL: count is what is needed. Waits for a call on the same decoder. */
int32_t cc_opus_decode(CcHandle decoder, const uint8_t *packet, uint32_t len, int16_t *samples, uint32_t cap, uint32_t *count);

/* The packet before this one, which was lost, from the copy that this one may carry of it, else
   as cc_opus_decode of a lost one; this one is to be decoded next. */
int32_t cc_opus_recover(CcHandle decoder, const uint8_t *next, uint32_t len, int16_t *samples, uint32_t cap, uint32_t *count);

/* Closes an encoder or decoder. */
int32_t cc_opus_close(CcHandle codec);

#undef CC_ASSERT
#ifdef __cplusplus
}
#endif
#endif
