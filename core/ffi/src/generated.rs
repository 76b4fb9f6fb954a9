// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
//! The C ABI's structs, statuses and numbers, as the IDL has them.

// The whole IDL stands here, whether this crate reads a value or not.
#![allow(dead_code)]

/// The C ABI's version, as in CcVersion.abi.
pub const ABI_VERSION: u32 = 1;
/// The RPC envelope's version.
pub const RPC_VERSION: u32 = 1;
/// CcSend.priority: take the track's default.
pub const PRIORITY_DEFAULT: u16 = 65535;
/// The usual publisher and subscriber priority; upstream subscriptions always use it.
pub const PRIORITY_NORMAL: u32 = 128;
/// Payload and properties in one datagram at most: 1200 less QUIC's, WebTransport's and the largest
/// MoQT header. In bytes.
pub const FRAGMENT_BYTES: u32 = 1100;
/// Datagrams a frame at most; a larger frame is TOO_LARGE.
pub const MAX_FRAGMENTS: u32 = 8;
/// Messages in a Text group at most.
pub const TEXT_GROUP_MESSAGES: u32 = 256;
/// Payload after which a Text group ends. In bytes.
pub const TEXT_GROUP_BYTES: u32 = 65536;
/// Namespace and name together at most: the draft's bound. In bytes.
pub const PATH_BYTES: u32 = 4096;
/// Fields of a namespace at most: the draft's bound.
pub const NAMESPACE_FIELDS: u32 = 32;
/// A token's length at most. In bytes.
pub const TOKEN_BYTES: u32 = 4096;
/// MoQT token type under which the JWT travels.
pub const TOKEN_TYPE_JWT: u32 = 0;
/// A resume secret's least length. In bytes.
pub const RESUME_SECRET_MIN: u32 = 16;
/// A resume secret's greatest length. In bytes.
pub const RESUME_SECRET_MAX: u32 = 64;
/// Reasons 11, 16, 17 and 18 close the connection with this plus the reason, and reason 25 ends a
/// subscription so; the others have the draft's codes.
pub const CLOSE_CODE_BASE: u64 = 0x3800;
/// SETUP option (bytes) from a client: the secret by which it returns as the same peer.
pub const SETUP_RESUME_SECRET: u64 = 0x3803;
/// SETUP option (bytes) from a relay: the peer id given.
pub const SETUP_PEER_ID: u64 = 0x3805;
/// SETUP option (int) from a relay: its number among relays. With one from each side, hop lists are
/// negotiated.
pub const SETUP_RELAY_ID: u64 = 0x3806;
/// Message parameter between relays (length, then their numbers as varints, the first first, at
/// most 16) in PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE, FETCH and TRACK_STATUS: what it came through.
pub const PARAMETER_HOPS: u64 = 0x3807;
/// Low bits of FNV-1a 64 of a tag that make its hash: what JavaScript holds exactly.
pub const CAPABILITY_HASH_BITS: u32 = 53;
/// transport.host's UDP port when none is given.
pub const PORT_HOST: u16 = 7777;
/// relay's UDP port when none is given.
pub const PORT_RELAY: u16 = 443;
/// The control stack's port when none is given.
pub const PORT_CONTROL: u16 = 4433;
/// Port of metrics, health and the live page when none is given.
pub const PORT_ADMIN: u16 = 9464;
/// Track property, bytes. The capability tag, UTF-8; compared on arrival.
pub const PROPERTY_CAPABILITY_TAG: u64 = 0x3801;
/// Track property, int. The tag's hash, for the drafts' range filters.
pub const PROPERTY_CAPABILITY_HASH: u64 = 0x3802;
/// Track property, int. The kind of track in the low byte; 0x100 beside it: latest-wins, so that
/// queues hold the newest frame only.
pub const PROPERTY_TRACK_KIND: u64 = 0x3804;
/// Track property, int. 1 Opus, 2 PCM signed 16-bit little-endian, 3 G.711 mu-law, 4 G.711 A-law.
pub const PROPERTY_AUDIO_CODEC: u64 = 0x3806;
/// Track property, bytes. WebCodecs codec string, UTF-8, as avc1.42E01E.
pub const PROPERTY_VIDEO_CODEC: u64 = 0x3807;
/// Track property, int. Audio samples a second and channel. In Hz.
pub const PROPERTY_SAMPLE_RATE: u64 = 0x3808;
/// Track property, int. Audio channels, interleaved in PCM.
pub const PROPERTY_CHANNELS: u64 = 0x380a;
/// Object property (draft-ietf-moq-loc), int. When the media was captured; wall-clock microseconds
/// where no timescale is given. In timescale ticks.
pub const PROPERTY_LOC_TIMESTAMP: u64 = 0x10;
/// Track property (draft-ietf-moq-loc), int. Ticks a second of the timestamps; they are media time
/// then. In ticks/s.
pub const PROPERTY_LOC_TIMESCALE: u64 = 0x8;
/// Object property (draft-ietf-moq-loc), bytes. Frame marks of RFC 9626, 1 to 4 bytes: start 0x80,
/// end 0x40, independent 0x20, discardable 0x10.
pub const PROPERTY_LOC_VIDEO_FRAME_MARKING: u64 = 0x9;
/// Object property (draft-ietf-moq-loc), int. RFC 6464 in the low 8 bits: voice activity 0x80, and
/// the level in -dBov, 0 (loudest) to 127.
pub const PROPERTY_LOC_AUDIO_LEVEL: u64 = 0xc;
/// Object property (draft-ietf-moq-loc), bytes. Codec configuration that decoders need ahead of the
/// keyframe.
pub const PROPERTY_LOC_VIDEO_CONFIG: u64 = 0xd;
/// Track kind of modality frame: OBJECT_DATAGRAM, object ids 0 to n-1, END_OF_GROUP on the last.
pub const KIND_FRAME_DATAGRAM: u32 = 1;
/// Track kind of modality frame: one subgroup stream a frame, object 0, END_OF_GROUP and FIN.
pub const KIND_FRAME_STREAM: u32 = 2;
/// Track kind of modality text: one subgroup stream a group, an object a message, object ids from
/// 0.
pub const KIND_TEXT: u32 = 3;
/// Track kind of modality audio: one subgroup stream a group, a packet an object, object ids from
/// 0.
pub const KIND_AUDIO: u32 = 4;
/// Track kind of modality video: one subgroup stream a group, object 0 the keyframe.
pub const KIND_VIDEO: u32 = 5;
/// Hash of the capability netcode.v1.
pub const CAPABILITY_HASH_NETCODE_V1: u64 = 3492327798864020;
/// Hash of the capability text.v1.
pub const CAPABILITY_HASH_TEXT_V1: u64 = 2611092945565337;
/// Hash of the capability voice.v1.
pub const CAPABILITY_HASH_VOICE_V1: u64 = 3415310128195672;
/// Hash of the capability video.v1.
pub const CAPABILITY_HASH_VIDEO_V1: u64 = 3374481304382035;

/// Capability tags with a meaning of their own: (tag, hash).
pub const CAPABILITIES: [(&str, u64); 4] = [
    ("netcode.v1", CAPABILITY_HASH_NETCODE_V1),
    ("text.v1", CAPABILITY_HASH_TEXT_V1),
    ("voice.v1", CAPABILITY_HASH_VOICE_V1),
    ("video.v1", CAPABILITY_HASH_VIDEO_V1),
];

/// What became of a call: 0, 1xx the caller's mistake, 2xx the machine, 9xx a bug in the core.
pub mod status {
    /// Done.
    pub const OK: i32 = 0;
    /// The handle is none, stale, or of another kind.
    pub const BAD_HANDLE: i32 = 101;
    /// An argument is null, out of its range or not UTF-8.
    pub const BAD_ARGUMENT: i32 = 102;
    /// The object is real but the call does not fit its state, such as driving a node that has a
    /// thread.
    pub const BAD_STATE: i32 = 103;
    /// A length is above its limit.
    pub const TOO_LARGE: i32 = 104;
    /// The buffer given cannot hold the answer; the length out-parameter holds what is needed.
    pub const BUFFER_TOO_SMALL: i32 = 105;
    /// A struct's size is larger than this library knows, or smaller than its first version.
    pub const VERSION_MISMATCH: i32 = 106;
    /// The object has ended; close the handle.
    pub const CLOSED: i32 = 107;
    /// A track of that name is already published in this scope.
    pub const EXISTS: i32 = 108;
    /// A bound on the count of objects is reached.
    pub const LIMIT: i32 = 109;
    /// A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all.
    pub const BAD_NAME: i32 = 110;
    /// A URL is not of the form moqt://host:port/path.
    pub const BAD_URL: i32 = 111;
    /// Another socket holds the address to bind.
    pub const ADDRESS_IN_USE: i32 = 201;
    /// The system does not allow it, such as a low port without privilege.
    pub const PERMISSION: i32 = 202;
    /// The address to bind is not this machine's.
    pub const ADDRESS_NOT_AVAILABLE: i32 = 203;
    /// Another failure of the system; cc_last_error has its words.
    pub const IO: i32 = 204;
    /// A certificate cannot be read or does not fit its key.
    pub const BAD_CERTIFICATE: i32 = 205;
    /// A private key cannot be read.
    pub const BAD_KEY: i32 = 206;
    /// The core panicked; the object involved is unusable.
    pub const PANIC: i32 = 901;
    /// The core broke one of its own rules.
    pub const INTERNAL: i32 = 902;

    /// The name of a value, if it is one.
    pub const fn name(value: i32) -> Option<&'static str> {
        match value {
            OK => Some("OK"),
            BAD_HANDLE => Some("BAD_HANDLE"),
            BAD_ARGUMENT => Some("BAD_ARGUMENT"),
            BAD_STATE => Some("BAD_STATE"),
            TOO_LARGE => Some("TOO_LARGE"),
            BUFFER_TOO_SMALL => Some("BUFFER_TOO_SMALL"),
            VERSION_MISMATCH => Some("VERSION_MISMATCH"),
            CLOSED => Some("CLOSED"),
            EXISTS => Some("EXISTS"),
            LIMIT => Some("LIMIT"),
            BAD_NAME => Some("BAD_NAME"),
            BAD_URL => Some("BAD_URL"),
            ADDRESS_IN_USE => Some("ADDRESS_IN_USE"),
            PERMISSION => Some("PERMISSION"),
            ADDRESS_NOT_AVAILABLE => Some("ADDRESS_NOT_AVAILABLE"),
            IO => Some("IO"),
            BAD_CERTIFICATE => Some("BAD_CERTIFICATE"),
            BAD_KEY => Some("BAD_KEY"),
            PANIC => Some("PANIC"),
            INTERNAL => Some("INTERNAL"),
            _ => None,
        }
    }
}

/// Why a link, session, publication or subscription ended; the same at both ends. A refusal carries
/// one too.
pub mod reason {
    /// No reason applies.
    pub const NONE: u32 = 0;
    /// Asked for at this end.
    pub const LOCAL: u32 = 1;
    /// Closed without error by the other side.
    pub const PEER: u32 = 2;
    /// The token does not allow it, or there is none.
    pub const UNAUTHORIZED: u32 = 3;
    /// The token cannot be read.
    pub const MALFORMED_TOKEN: u32 = 4;
    /// The token's time is over.
    pub const EXPIRED_TOKEN: u32 = 5;
    /// Nothing was heard for the idle timeout.
    pub const TIMEOUT: u32 = 6;
    /// The peer's certificate is not the trusted one.
    pub const CERTIFICATE: u32 = 7;
    /// The two sides have no draft in common.
    pub const VERSION: u32 = 8;
    /// One side broke the protocol; the text says which rule.
    pub const PROTOCOL: u32 = 9;
    /// The relay is draining.
    pub const GOING_AWAY: u32 = 10;
    /// The application ended this session.
    pub const KICKED: u32 = 11;
    /// The peer is overloaded.
    pub const EXCESSIVE_LOAD: u32 = 12;
    /// The peer has no memory of the connection: it was restarted.
    pub const RESET: u32 = 13;
    /// No address answered, or the system refuses to send there.
    pub const UNREACHABLE: u32 = 14;
    /// A failure inside one side.
    pub const INTERNAL: u32 = 15;
    /// The same peer id connected again.
    pub const REPLACED: u32 = 16;
    /// The room ended.
    pub const ROOM_CLOSED: u32 = 17;
    /// The application's admission said no.
    pub const REFUSED: u32 = 18;
    /// Nobody publishes the track asked for.
    pub const DOES_NOT_EXIST: u32 = 19;
    /// The subscriber does not want the track offered.
    pub const UNINTERESTED: u32 = 20;
    /// A reliable subscription fell behind its publisher's window.
    pub const TOO_FAR_BEHIND: u32 = 21;
    /// The same subscription or publication exists already.
    pub const DUPLICATE: u32 = 22;
    /// A bound of the peer is reached.
    pub const LIMIT: u32 = 23;
    /// The publisher ended the track.
    pub const TRACK_ENDED: u32 = 24;
    /// The session of the track's publisher was lost, and it did not come back in time.
    pub const PUBLISHER_LOST: u32 = 25;
    /// It is to be asked for elsewhere; the event says where.
    pub const REDIRECTED: u32 = 26;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            NONE => Some("NONE"),
            LOCAL => Some("LOCAL"),
            PEER => Some("PEER"),
            UNAUTHORIZED => Some("UNAUTHORIZED"),
            MALFORMED_TOKEN => Some("MALFORMED_TOKEN"),
            EXPIRED_TOKEN => Some("EXPIRED_TOKEN"),
            TIMEOUT => Some("TIMEOUT"),
            CERTIFICATE => Some("CERTIFICATE"),
            VERSION => Some("VERSION"),
            PROTOCOL => Some("PROTOCOL"),
            GOING_AWAY => Some("GOING_AWAY"),
            KICKED => Some("KICKED"),
            EXCESSIVE_LOAD => Some("EXCESSIVE_LOAD"),
            RESET => Some("RESET"),
            UNREACHABLE => Some("UNREACHABLE"),
            INTERNAL => Some("INTERNAL"),
            REPLACED => Some("REPLACED"),
            ROOM_CLOSED => Some("ROOM_CLOSED"),
            REFUSED => Some("REFUSED"),
            DOES_NOT_EXIST => Some("DOES_NOT_EXIST"),
            UNINTERESTED => Some("UNINTERESTED"),
            TOO_FAR_BEHIND => Some("TOO_FAR_BEHIND"),
            DUPLICATE => Some("DUPLICATE"),
            LIMIT => Some("LIMIT"),
            TRACK_ENDED => Some("TRACK_ENDED"),
            PUBLISHER_LOST => Some("PUBLISHER_LOST"),
            REDIRECTED => Some("REDIRECTED"),
            _ => None,
        }
    }
}

/// Why a frame was not delivered: the index into every drops array.
pub mod drops {
    /// Its time to live ran out before it was sent.
    pub const EXPIRED: u32 = 0;
    /// A newer frame of a latest-wins track took its place.
    pub const SUPERSEDED: u32 = 1;
    /// The queue was full of frames at least as important.
    pub const NO_ROOM: u32 = 2;
    /// It did not fit the path's datagrams.
    pub const TOO_LARGE: u32 = 3;
    /// The session may not publish or read it.
    pub const NOT_AUTHORISED: u32 = 4;
    /// The congestion controller gave it no room in time.
    pub const CONGESTED: u32 = 5;
    /// The peer allowed no further stream in time.
    pub const STREAM_LIMIT: u32 = 6;
    /// A ring between threads was full.
    pub const RING_FULL: u32 = 7;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            EXPIRED => Some("EXPIRED"),
            SUPERSEDED => Some("SUPERSEDED"),
            NO_ROOM => Some("NO_ROOM"),
            TOO_LARGE => Some("TOO_LARGE"),
            NOT_AUTHORISED => Some("NOT_AUTHORISED"),
            CONGESTED => Some("CONGESTED"),
            STREAM_LIMIT => Some("STREAM_LIMIT"),
            RING_FULL => Some("RING_FULL"),
            _ => None,
        }
    }
}

/// A bound of what peers can make a node hold, in bytes unless it says otherwise; its name in lower
/// case sets it in CcNodeConfig.limits.
pub mod bound {
    /// Connections at once, those in their handshake and those that drain among them.
    pub const CONNECTIONS: u32 = 0;
    /// Connections from one address, or one /64 of IPv6; loopback is not counted.
    pub const CONNECTIONS_PER_ADDRESS: u32 = 1;
    /// Handshakes under way from addresses that have not proven themselves; above, strangers are
    /// sent Retry.
    pub const HANDSHAKES_UNPROVEN: u32 = 2;
    /// Handshakes under way in all.
    pub const HANDSHAKES: u32 = 3;
    /// The same from one address that has proven itself, or one /64; loopback is not counted.
    pub const HANDSHAKES_PER_ADDRESS: u32 = 4;
    /// Sessions that wait to be admitted.
    pub const PARKED: u32 = 5;
    /// Bytes that a connection may send on all streams together and that are not read yet, before
    /// it is admitted.
    pub const PARKED_BYTES: u32 = 6;
    /// The same once it is admitted.
    pub const RECEIVE_BYTES: u32 = 7;
    /// Streams that a peer may open at first, each direction.
    pub const STREAMS_INITIAL: u32 = 8;
    /// Streams that a peer may have open at most, each direction.
    pub const STREAMS_MAX: u32 = 9;
    /// Requests of one session's peer under way.
    pub const REQUESTS: u32 = 10;
    /// Prefixes that one session watches for tracks or namespaces.
    pub const WATCHES: u32 = 11;
    /// Namespaces that one session announces.
    pub const NAMESPACES_PER_SESSION: u32 = 12;
    /// Namespaces announced in all.
    pub const NAMESPACES: u32 = 13;
    /// Tracks that one session may publish.
    pub const TRACKS_PER_SESSION: u32 = 14;
    /// Tracks in all.
    pub const TRACKS: u32 = 15;
    /// Properties of one track.
    pub const PROPERTY_BYTES: u32 = 16;
    /// Tracks that one session receives.
    pub const SUBSCRIPTIONS_PER_SESSION: u32 = 17;
    /// Requests that one session waits for others to answer: tracks asked of their publisher by
    /// name.
    pub const ASKS: u32 = 18;
    /// FETCHes of one session under way.
    pub const FETCHES: u32 = 19;
    /// Objects of FETCHes that are passed on and wait for one session to take them.
    pub const FETCH_BYTES: u32 = 20;
    /// Subgroups of one track open at once.
    pub const SUBGROUPS: u32 = 21;
    /// Largest object on a stream.
    pub const OBJECT_BYTES: u32 = 22;
    /// Messages and objects of one session of which only a part has come.
    pub const ASSEMBLY_BYTES: u32 = 23;
    /// The same of all sessions.
    pub const ASSEMBLY_TOTAL: u32 = 24;
    /// Datagrams of one session that came before their track's alias.
    pub const EARLY_BYTES: u32 = 25;
    /// Streams of one session that came before their track's alias, left unread.
    pub const EARLY_STREAMS: u32 = 26;
    /// REQUEST_UPDATEs of one request without an answer; further ones are left unread.
    pub const UPDATES: u32 = 27;
    /// The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on).
    pub const REQUEST_UPDATES: u32 = 28;
    /// Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on).
    pub const FILTER_RANGES: u32 = 29;
    /// Tokens that one session's peer has registered, with 16 for each.
    pub const TOKEN_BYTES: u32 = 30;
    /// A session's sending queue.
    pub const SESSION_BYTES: u32 = 31;
    /// One track in it.
    pub const TRACK_BYTES: u32 = 32;
    /// One subgroup stream in it.
    pub const SUBGROUP_BYTES: u32 = 33;
    /// Recent objects kept of a local publication.
    pub const PAST_OWN_BYTES: u32 = 34;
    /// Recent objects kept of a track that is passed on.
    pub const PAST_TRACK_BYTES: u32 = 35;
    /// Recent objects kept of all tracks.
    pub const PAST_BYTES: u32 = 36;
    /// Text of one track that waits for what comes before it, or for a reader that is slow.
    pub const REORDER_BYTES: u32 = 37;
    /// Fragments of one track's frames that wait for the others.
    pub const FRAGMENT_BYTES: u32 = 38;
    /// Text and fragments that wait, of all tracks.
    pub const REORDER_TOTAL: u32 = 39;
    /// Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and
    /// wait to be sent.
    pub const ANSWERS: u32 = 40;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            CONNECTIONS => Some("CONNECTIONS"),
            CONNECTIONS_PER_ADDRESS => Some("CONNECTIONS_PER_ADDRESS"),
            HANDSHAKES_UNPROVEN => Some("HANDSHAKES_UNPROVEN"),
            HANDSHAKES => Some("HANDSHAKES"),
            HANDSHAKES_PER_ADDRESS => Some("HANDSHAKES_PER_ADDRESS"),
            PARKED => Some("PARKED"),
            PARKED_BYTES => Some("PARKED_BYTES"),
            RECEIVE_BYTES => Some("RECEIVE_BYTES"),
            STREAMS_INITIAL => Some("STREAMS_INITIAL"),
            STREAMS_MAX => Some("STREAMS_MAX"),
            REQUESTS => Some("REQUESTS"),
            WATCHES => Some("WATCHES"),
            NAMESPACES_PER_SESSION => Some("NAMESPACES_PER_SESSION"),
            NAMESPACES => Some("NAMESPACES"),
            TRACKS_PER_SESSION => Some("TRACKS_PER_SESSION"),
            TRACKS => Some("TRACKS"),
            PROPERTY_BYTES => Some("PROPERTY_BYTES"),
            SUBSCRIPTIONS_PER_SESSION => Some("SUBSCRIPTIONS_PER_SESSION"),
            ASKS => Some("ASKS"),
            FETCHES => Some("FETCHES"),
            FETCH_BYTES => Some("FETCH_BYTES"),
            SUBGROUPS => Some("SUBGROUPS"),
            OBJECT_BYTES => Some("OBJECT_BYTES"),
            ASSEMBLY_BYTES => Some("ASSEMBLY_BYTES"),
            ASSEMBLY_TOTAL => Some("ASSEMBLY_TOTAL"),
            EARLY_BYTES => Some("EARLY_BYTES"),
            EARLY_STREAMS => Some("EARLY_STREAMS"),
            UPDATES => Some("UPDATES"),
            REQUEST_UPDATES => Some("REQUEST_UPDATES"),
            FILTER_RANGES => Some("FILTER_RANGES"),
            TOKEN_BYTES => Some("TOKEN_BYTES"),
            SESSION_BYTES => Some("SESSION_BYTES"),
            TRACK_BYTES => Some("TRACK_BYTES"),
            SUBGROUP_BYTES => Some("SUBGROUP_BYTES"),
            PAST_OWN_BYTES => Some("PAST_OWN_BYTES"),
            PAST_TRACK_BYTES => Some("PAST_TRACK_BYTES"),
            PAST_BYTES => Some("PAST_BYTES"),
            REORDER_BYTES => Some("REORDER_BYTES"),
            FRAGMENT_BYTES => Some("FRAGMENT_BYTES"),
            REORDER_TOTAL => Some("REORDER_TOTAL"),
            ANSWERS => Some("ANSWERS"),
            _ => None,
        }
    }
}

/// What became of one frame given to cc_send.
pub mod fate {
    /// Queued for every subscriber.
    pub const QUEUED: u8 = 0;
    /// The publisher's queue is at its bound; dropped and counted.
    pub const NO_ROOM: u8 = 1;
    /// More than MAX_FRAGMENTS datagrams, or above the largest object; dropped and counted.
    pub const TOO_LARGE: u8 = 2;
    /// The link is down: dropped and counted. Text is QUEUED instead.
    pub const NOT_CONNECTED: u8 = 3;
    /// The publication has ended or the handle is not one.
    pub const CLOSED: u8 = 4;
    /// Nobody wants the track now; not sent.
    pub const NO_SUBSCRIBER: u8 = 5;
    /// Video: the group that it continues was not taken whole, so nothing could be made of it; not
    /// sent. Send a keyframe with NEW_GROUP.
    pub const NO_GROUP: u8 = 6;

    /// The name of a value, if it is one.
    pub const fn name(value: u8) -> Option<&'static str> {
        match value {
            QUEUED => Some("QUEUED"),
            NO_ROOM => Some("NO_ROOM"),
            TOO_LARGE => Some("TOO_LARGE"),
            NOT_CONNECTED => Some("NOT_CONNECTED"),
            CLOSED => Some("CLOSED"),
            NO_SUBSCRIBER => Some("NO_SUBSCRIBER"),
            NO_GROUP => Some("NO_GROUP"),
            _ => None,
        }
    }
}

/// What a CcEvent tells, and what its fields hold then; fields not named are 0 or empty.
pub mod event {
    /// handle = link; a = 1 if resumed; b = gap in us since it was lost; c = draft number; text =
    /// peer id.
    pub const LINK_UP: u32 = 1;
    /// handle = link; reason; code; a = us until the next attempt; text = why. The link dials again
    /// by itself.
    pub const LINK_DOWN: u32 = 2;
    /// handle = link; reason; code; text = why. Final.
    pub const LINK_CLOSED: u32 = 3;
    /// handle = link; a = timeout in ms; text = the URI to move to, or empty.
    pub const LINK_GOAWAY: u32 = 4;
    /// handle = session, to be answered by cc_session_accept or cc_session_refuse; a = the remote
    /// port; text = token, raw bytes; text2 = path; text3 = ip:port; text4 = peer id suggested from
    /// the resume secret.
    pub const AUTH: u32 = 10;
    /// handle = session; a = 1 if this peer id was here within the last minute; c = draft number;
    /// text = peer id; text2 = tenant; text3 = ip:port.
    pub const SESSION_UP: u32 = 11;
    /// handle = session; reason; code; text = why; text2 = peer id.
    pub const SESSION_DOWN: u32 = 12;
    /// handle = session, to be answered by cc_session_accept or cc_session_refuse; a = request
    /// reference; text = new token.
    pub const AUTH_REFRESH: u32 = 13;
    /// A single request shows a token of its own and waits. handle = session; a = the request's
    /// number, for cc_session_accept_request or cc_session_refuse_request; text = token; text2 =
    /// what it asks, as "subscribe games/room1//c7".
    pub const AUTH_REQUEST: u32 = 14;
    /// handle = publication. It stands at the relay.
    pub const PUBLISH_OK: u32 = 20;
    /// handle = publication; reason; text = why. With REDIRECTED: text2 = URL, empty: the same;
    /// text3 = namespace and text4 = track to publish as there, both empty: the same.
    pub const PUBLISH_REFUSED: u32 = 21;
    /// handle = publication; a = count of subscribers now.
    pub const PUBLISH_DEMAND: u32 = 22;
    /// handle = publication. A subscriber asks for a new group soon, as a video reader does for a
    /// keyframe; of tracks with the property DYNAMIC_GROUPS.
    pub const NEW_GROUP_WANTED: u32 = 23;
    /// handle = subscription. It stands at the relay.
    pub const SUBSCRIBE_OK: u32 = 30;
    /// handle = subscription; reason; text = why. With REDIRECTED: text2 = URL, empty: the same;
    /// text3 = namespace and text4 = track to ask for there, both empty: the same.
    pub const SUBSCRIBE_REFUSED: u32 = 31;
    /// handle = subscription; a = track id as in CcFrame; b = track kind or 0 if unknown; text =
    /// namespace; text2 = name; text3 = capability; text4 = publishing peer id if known.
    pub const TRACK_ADDED: u32 = 32;
    /// handle = subscription; a = track id; reason: TRACK_ENDED, PUBLISHER_LOST, or why this
    /// subscription ended.
    pub const TRACK_ENDED: u32 = 33;
    /// handle = subscription; a = track id; b = last group before the gap; c = first group after
    /// it; code = gap in us.
    pub const TRACK_RESUMED: u32 = 34;
    /// handle = node; text = why. The node does no more work.
    pub const NODE_FAILED: u32 = 40;
    /// handle = node; text = one line, such as a degraded socket.
    pub const WARNING: u32 = 41;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            LINK_UP => Some("LINK_UP"),
            LINK_DOWN => Some("LINK_DOWN"),
            LINK_CLOSED => Some("LINK_CLOSED"),
            LINK_GOAWAY => Some("LINK_GOAWAY"),
            AUTH => Some("AUTH"),
            SESSION_UP => Some("SESSION_UP"),
            SESSION_DOWN => Some("SESSION_DOWN"),
            AUTH_REFRESH => Some("AUTH_REFRESH"),
            AUTH_REQUEST => Some("AUTH_REQUEST"),
            PUBLISH_OK => Some("PUBLISH_OK"),
            PUBLISH_REFUSED => Some("PUBLISH_REFUSED"),
            PUBLISH_DEMAND => Some("PUBLISH_DEMAND"),
            NEW_GROUP_WANTED => Some("NEW_GROUP_WANTED"),
            SUBSCRIBE_OK => Some("SUBSCRIBE_OK"),
            SUBSCRIBE_REFUSED => Some("SUBSCRIBE_REFUSED"),
            TRACK_ADDED => Some("TRACK_ADDED"),
            TRACK_ENDED => Some("TRACK_ENDED"),
            TRACK_RESUMED => Some("TRACK_RESUMED"),
            NODE_FAILED => Some("NODE_FAILED"),
            WARNING => Some("WARNING"),
            _ => None,
        }
    }
}

/// Bits of CcNodeConfig.flags.
pub mod node_flags {
    /// Accepts sessions and routes between them.
    pub const RELAY: u32 = 1;
    /// No I/O thread: the caller drives the node by cc_node_drive.
    pub const THREADLESS: u32 = 2;
    /// No AUTH events: everyone is admitted with open_scope.
    pub const OPEN: u32 = 4;
    /// One datagram a system call, as on systems without batches.
    pub const PORTABLE_UDP: u32 = 8;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            RELAY => Some("RELAY"),
            THREADLESS => Some("THREADLESS"),
            OPEN => Some("OPEN"),
            PORTABLE_UDP => Some("PORTABLE_UDP"),
            _ => None,
        }
    }
}

/// Congestion controllers.
pub mod congestion {
    /// Delay-based, short queues, application-limited aware.
    pub const REALTIME: u32 = 0;
    /// Cubic.
    pub const CUBIC: u32 = 1;
    /// BBR.
    pub const BBR: u32 = 2;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            REALTIME => Some("REALTIME"),
            CUBIC => Some("CUBIC"),
            BBR => Some("BBR"),
            _ => None,
        }
    }
}

/// Bits of CcLinkConfig.flags.
pub mod link_flags {
    /// The first loss is final.
    pub const NO_RECONNECT: u32 = 1;
    /// A relay node joins the relay at url: what is published or announced on one is to be had on
    /// both. The link has no tracks of its own.
    pub const UPLINK: u32 = 2;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            NO_RECONNECT => Some("NO_RECONNECT"),
            UPLINK => Some("UPLINK"),
            _ => None,
        }
    }
}

/// Where a link stands.
pub mod link_state {
    /// Handshake or admission under way.
    pub const CONNECTING: u32 = 0;
    /// Admitted.
    pub const UP: u32 = 1;
    /// Lost; waits for its next attempt.
    pub const WAITING: u32 = 2;
    /// Ended for good.
    pub const CLOSED: u32 = 3;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            CONNECTING => Some("CONNECTING"),
            UP => Some("UP"),
            WAITING => Some("WAITING"),
            CLOSED => Some("CLOSED"),
            _ => None,
        }
    }
}

/// How a publication's frames go on the wire.
pub mod kind {
    /// A group a frame, in 1 to 8 datagrams.
    pub const FRAME_DATAGRAM: u32 = 1;
    /// A group a frame, on one subgroup stream each.
    pub const FRAME_STREAM: u32 = 2;
    /// Reliable, ordered messages; a group per 256 messages or 64 KiB.
    pub const TEXT: u32 = 3;
    /// A packet an object; a group, on one subgroup stream, lasts until NEW_GROUP. Newer groups go
    /// first.
    pub const AUDIO: u32 = 4;
    /// An encoded frame an object; a group, on one subgroup stream, begins with a keyframe, sent
    /// with NEW_GROUP. Newer groups go first.
    pub const VIDEO: u32 = 5;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            FRAME_DATAGRAM => Some("FRAME_DATAGRAM"),
            FRAME_STREAM => Some("FRAME_STREAM"),
            TEXT => Some("TEXT"),
            AUDIO => Some("AUDIO"),
            VIDEO => Some("VIDEO"),
            _ => None,
        }
    }
}

/// Bits of CcTrackConfig.flags.
pub mod track_flags {
    /// Queues hold the newest frame only; descending group order.
    pub const LATEST_WINS: u32 = 1;
    /// The first group id is the Unix time in us instead of ms: for more than 1000 frames a second.
    pub const MICROSECOND_GROUPS: u32 = 2;
    /// Audio: a group a packet, in datagrams instead of streams.
    pub const DATAGRAM: u32 = 4;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            LATEST_WINS => Some("LATEST_WINS"),
            MICROSECOND_GROUPS => Some("MICROSECOND_GROUPS"),
            DATAGRAM => Some("DATAGRAM"),
            _ => None,
        }
    }
}

/// Bits of CcOpusConfig.flags.
pub mod opus_flags {
    /// Music and other sound, rather than voice.
    pub const MUSIC: u32 = 1;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            MUSIC => Some("MUSIC"),
            _ => None,
        }
    }
}

/// Bits of CcSend.flags.
pub mod send_flags {
    /// Audio and Video: it begins a group, and ends the one before.
    pub const NEW_GROUP: u16 = 1;
    /// Audio and Video: its group ends with it, as when a talker falls silent.
    pub const END_GROUP: u16 = 2;

    /// The name of a value, if it is one.
    pub const fn name(value: u16) -> Option<&'static str> {
        match value {
            NEW_GROUP => Some("NEW_GROUP"),
            END_GROUP => Some("END_GROUP"),
            _ => None,
        }
    }
}

/// Bits of CcSubscribeConfig.flags.
pub mod subscribe_flags {
    /// One track by its full name instead of all under a namespace prefix.
    pub const EXACT: u32 = 1;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            EXACT => Some("EXACT"),
            _ => None,
        }
    }
}

/// In which order a track's groups are sent to a subscriber.
pub mod group_order {
    /// As the publisher prefers.
    pub const PUBLISHER: u32 = 0;
    /// Oldest group first.
    pub const ASCENDING: u32 = 1;
    /// Newest group first.
    pub const DESCENDING: u32 = 2;

    /// The name of a value, if it is one.
    pub const fn name(value: u32) -> Option<&'static str> {
        match value {
            PUBLISHER => Some("PUBLISHER"),
            ASCENDING => Some("ASCENDING"),
            DESCENDING => Some("DESCENDING"),
            _ => None,
        }
    }
}

/// Bits of CcFrame.flags.
pub mod frame_flags {
    /// It came on a subgroup stream.
    pub const STREAM: u8 = 1;
    /// It was joined from more than one datagram.
    pub const FRAGMENTED: u8 = 2;
    /// At least one frame of the track before it did not arrive.
    pub const GAP: u8 = 4;
    /// It is a message of a Text track.
    pub const TEXT: u8 = 8;

    /// The name of a value, if it is one.
    pub const fn name(value: u8) -> Option<&'static str> {
        match value {
            STREAM => Some("STREAM"),
            FRAGMENTED => Some("FRAGMENTED"),
            GAP => Some("GAP"),
            TEXT => Some("TEXT"),
            _ => None,
        }
    }
}

/// Method ids of the control stack.
pub mod method {
    /// How the process is. Empty -> Health.
    pub const HEALTH_GET: u16 = 1;
    /// All rooms. Empty -> RoomList.
    pub const ROOMS_LIST: u16 = 2;
    /// One room. RoomQuery -> Room.
    pub const ROOMS_GET: u16 = 3;
    /// What a player needs to join a room. JoinRequest -> JoinInfo.
    pub const ROOMS_JOIN: u16 = 4;
    /// Sessions, page by page. SessionListRequest -> SessionList.
    pub const SESSIONS_LIST: u16 = 5;
    /// One session. SessionQuery -> SessionInfo.
    pub const SESSIONS_GET: u16 = 6;
    /// Ends a session; the reply is its last state. Kick -> SessionInfo.
    pub const SESSIONS_KICK: u16 = 7;
    /// Counters. Empty -> Statistics.
    pub const STATS_GET: u16 = 8;
    /// A new token for a session in progress. TokenRefreshRequest -> TokenRefreshReply.
    pub const TOKEN_REFRESH: u16 = 9;

    /// The name of a value, if it is one.
    pub const fn name(value: u16) -> Option<&'static str> {
        match value {
            HEALTH_GET => Some("HEALTH_GET"),
            ROOMS_LIST => Some("ROOMS_LIST"),
            ROOMS_GET => Some("ROOMS_GET"),
            ROOMS_JOIN => Some("ROOMS_JOIN"),
            SESSIONS_LIST => Some("SESSIONS_LIST"),
            SESSIONS_GET => Some("SESSIONS_GET"),
            SESSIONS_KICK => Some("SESSIONS_KICK"),
            STATS_GET => Some("STATS_GET"),
            TOKEN_REFRESH => Some("TOKEN_REFRESH"),
            _ => None,
        }
    }
}

/// A status in words, for `cc_status_text`.
#[rustfmt::skip]
pub const fn status_text(value: i32) -> Option<&'static str> {
    match value {
        status::OK => Some("Done."),
        status::BAD_HANDLE => Some("The handle is none, stale, or of another kind."),
        status::BAD_ARGUMENT => Some("An argument is null, out of its range or not UTF-8."),
        status::BAD_STATE => Some("The object is real but the call does not fit its state, such as driving a node that has a thread."),
        status::TOO_LARGE => Some("A length is above its limit."),
        status::BUFFER_TOO_SMALL => Some("The buffer given cannot hold the answer; the length out-parameter holds what is needed."),
        status::VERSION_MISMATCH => Some("A struct's size is larger than this library knows, or smaller than its first version."),
        status::CLOSED => Some("The object has ended; close the handle."),
        status::EXISTS => Some("A track of that name is already published in this scope."),
        status::LIMIT => Some("A bound on the count of objects is reached."),
        status::BAD_NAME => Some("A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all."),
        status::BAD_URL => Some("A URL is not of the form moqt://host:port/path."),
        status::ADDRESS_IN_USE => Some("Another socket holds the address to bind."),
        status::PERMISSION => Some("The system does not allow it, such as a low port without privilege."),
        status::ADDRESS_NOT_AVAILABLE => Some("The address to bind is not this machine's."),
        status::IO => Some("Another failure of the system; cc_last_error has its words."),
        status::BAD_CERTIFICATE => Some("A certificate cannot be read or does not fit its key."),
        status::BAD_KEY => Some("A private key cannot be read."),
        status::PANIC => Some("The core panicked; the object involved is unusable."),
        status::INTERNAL => Some("The core broke one of its own rules."),
        _ => None,
    }
}

/// A string going in or out: UTF-8 unless a field says raw bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcStr {
    /// First byte; may be null when len is 0.
    pub ptr: *const u8,
    /// Length. In bytes.
    pub len: u32,
    /// 0.
    pub reserved: u32,
}

impl CcStr {
    /// All zero and empty.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        ptr: std::ptr::null(),
        len: 0,
        reserved: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcStr>() == 16);

/// What this library is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcVersion {
    /// sizeof(CcVersion), set by the caller. In bytes.
    pub size: u32,
    /// ABI version.
    pub abi: u32,
    /// Drafts spoken: bit n stands for draft n.
    pub drafts: u32,
    /// 0.
    pub reserved: u32,
    /// Build in words; static.
    pub build: CcStr,
}

impl CcVersion {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        abi: 0,
        drafts: 0,
        reserved: 0,
        build: CcStr::EMPTY,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcVersion>() == 32);

/// How to open a node: one UDP socket, one engine and its I/O thread.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcNodeConfig {
    /// sizeof(CcNodeConfig). In bytes.
    pub size: u32,
    /// CcNodeFlags bits.
    pub flags: u32,
    /// Local ip:port; port 0 takes a free one.
    pub bind: CcStr,
    /// Relay: its certificate chain, leaf first.
    pub certificate_pem: CcStr,
    /// Relay: the leaf's private key.
    pub key_pem: CcStr,
    /// Drafts to speak, preferred first, as "moqt-22,moqt-18"; empty: the default.
    pub alpns: CcStr,
    /// OPEN: the path prefix granted to everyone; empty: all.
    pub open_scope: CcStr,
    /// 32 raw bytes from which reset, connection-id and retry keys derive; empty: random.
    pub state_key: CcStr,
    /// Relay: sessions at once; 0: the default.
    pub max_sessions: u32,
    /// A peer unheard for so long is gone; 0: 30000. In ms.
    pub idle_timeout_ms: u32,
    /// Quiet time after which a ping is sent, below idle_timeout_ms; 0: 5000, or a third of
    /// idle_timeout_ms if that is less. In ms.
    pub keep_alive_ms: u32,
    /// A CcCongestion.
    pub congestion: u32,
    /// Bound of one session's sending queue; 0: the default. In bytes.
    pub session_queue_bytes: u64,
    /// Bound of one track within a session's queue; 0: the default. In bytes.
    pub track_queue_bytes: u64,
    /// Bound of a subscription's frames waiting for cc_drain; 0: the default. In bytes.
    pub feed_bytes: u64,
    /// Seed of all the node's random choices; 0: from the system.
    pub seed: u64,
    /// Socket receive buffer to ask for; 0: the default. In bytes.
    pub recv_buffer: u32,
    /// Socket send buffer to ask for; 0: the default. In bytes.
    pub send_buffer: u32,
    /// An AUTH unanswered for so long is refused; 0: the default. In ms.
    pub auth_timeout_ms: u32,
    /// How long cc_node_close goes on sending what is queued; 0: 500. In ms.
    pub linger_ms: u32,
    /// Reserved: empty.
    pub secret_file: CcStr,
    /// Bounds by CcBound's names, as "streams_max=256,tracks=1000"; bytes may be 64k, 4m, 1g;
    /// empty: the defaults.
    pub limits: CcStr,
    /// Relay: threads that serve its port, at most 256, each with a socket and an engine of its
    /// own; 0: 1. With THREADLESS: 1.
    pub shards: u32,
    /// 0.
    pub reserved: u32,
}

impl CcNodeConfig {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        flags: 0,
        bind: CcStr::EMPTY,
        certificate_pem: CcStr::EMPTY,
        key_pem: CcStr::EMPTY,
        alpns: CcStr::EMPTY,
        open_scope: CcStr::EMPTY,
        state_key: CcStr::EMPTY,
        max_sessions: 0,
        idle_timeout_ms: 0,
        keep_alive_ms: 0,
        congestion: 0,
        session_queue_bytes: 0,
        track_queue_bytes: 0,
        feed_bytes: 0,
        seed: 0,
        recv_buffer: 0,
        send_buffer: 0,
        auth_timeout_ms: 0,
        linger_ms: 0,
        secret_file: CcStr::EMPTY,
        limits: CcStr::EMPTY,
        shards: 0,
        reserved: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcNodeConfig>() == 208);

/// Counters of a node since it was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcNodeStats {
    /// sizeof(CcNodeStats). In bytes.
    pub size: u32,
    /// Sessions up now, links included.
    pub sessions: u32,
    /// Sessions that came up.
    pub sessions_total: u64,
    /// Sessions refused.
    pub sessions_refused: u64,
    /// Objects received.
    pub objects_in: u64,
    /// Objects sent, once a subscriber.
    pub objects_out: u64,
    /// UDP payload received. In bytes.
    pub bytes_in: u64,
    /// UDP payload sent. In bytes.
    pub bytes_out: u64,
    /// UDP datagrams received.
    pub packets_in: u64,
    /// UDP datagrams sent.
    pub packets_out: u64,
    /// System calls to send.
    pub syscalls_send: u64,
    /// System calls to receive.
    pub syscalls_recv: u64,
    /// The I/O thread's CPU time. In us.
    pub cpu_us: u64,
    /// Tracks known now.
    pub tracks: u64,
    /// Subscriptions standing now.
    pub subscriptions: u64,
    /// Frames not delivered, by CcDrop.
    pub drops: [u64; 8],
    /// Sessions waiting for an answer to AUTH now.
    pub auth_waiting: u64,
    /// Datagrams and messages that broke a rule.
    pub malformed: u64,
    /// Datagrams the system refused to send.
    pub send_errors: u64,
    /// Objects that came in or were published here, by CcTrackKind; 0: of tracks that do not say.
    pub kinds: [u64; 8],
    /// Handshakes under way.
    pub handshakes: u64,
    /// How often each bound was met, by CcBound: something was refused, dropped or put off.
    pub refused: [u64; 48],
    /// Threads that serve the port; 1 in the counters of one shard.
    pub shards: u64,
    /// Objects that came from another shard.
    pub crossed_in: u64,
    /// Objects that went to another shard, once each.
    pub crossed_out: u64,
    /// Packets that came to another shard's socket and were handed over.
    pub handed_over: u64,
    /// The same that found no room.
    pub handed_lost: u64,
    /// Times that a shard failed and was started again.
    pub restarts: u64,
}

impl CcNodeStats {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        sessions: 0,
        sessions_total: 0,
        sessions_refused: 0,
        objects_in: 0,
        objects_out: 0,
        bytes_in: 0,
        bytes_out: 0,
        packets_in: 0,
        packets_out: 0,
        syscalls_send: 0,
        syscalls_recv: 0,
        cpu_us: 0,
        tracks: 0,
        subscriptions: 0,
        drops: [0; 8],
        auth_waiting: 0,
        malformed: 0,
        send_errors: 0,
        kinds: [0; 8],
        handshakes: 0,
        refused: [0; 48],
        shards: 0,
        crossed_in: 0,
        crossed_out: 0,
        handed_over: 0,
        handed_lost: 0,
        restarts: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcNodeStats>() == 704);

/// How to open a link: a client session that dials again by itself and re-establishes its
/// publications and subscriptions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcLinkConfig {
    /// sizeof(CcLinkConfig). In bytes.
    pub size: u32,
    /// CcLinkFlags bits.
    pub flags: u32,
    /// moqt://host:port/path; the host is also the TLS server name.
    pub url: CcStr,
    /// "ip:port,ip:port", resolved by the caller, tried in turn.
    pub addresses: CcStr,
    /// The token to present; raw bytes, at most TOKEN_BYTES; may be empty.
    pub token: CcStr,
    /// Lower-case hex SHA-256 of the one certificate (DER) trusted, or empty; excludes trust_pem.
    pub trust_sha256: CcStr,
    /// CA or self-signed certificate trusted, or empty. With both empty: the system's roots.
    pub trust_pem: CcStr,
    /// 16 to 64 raw bytes by which a relay knows a returning peer; empty: random.
    pub resume_secret: CcStr,
    /// Drafts to offer, preferred first; empty: the default.
    pub alpns: CcStr,
    /// Bound of one attempt, admission included; 0: 10000. In ms.
    pub connect_timeout_ms: u32,
    /// First bound of the random wait before dialling again; 0: 100. In ms.
    pub backoff_min_ms: u32,
    /// Cap to which the bound doubles; 0: 2000. In ms.
    pub backoff_max_ms: u32,
    /// Time after a loss when the link gives up; 0: never. In ms.
    pub reconnect_limit_ms: u32,
}

impl CcLinkConfig {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        flags: 0,
        url: CcStr::EMPTY,
        addresses: CcStr::EMPTY,
        token: CcStr::EMPTY,
        trust_sha256: CcStr::EMPTY,
        trust_pem: CcStr::EMPTY,
        resume_secret: CcStr::EMPTY,
        alpns: CcStr::EMPTY,
        connect_timeout_ms: 0,
        backoff_min_ms: 0,
        backoff_max_ms: 0,
        reconnect_limit_ms: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcLinkConfig>() == 136);

/// State and counters of a link, or of a relay's session.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcLinkStats {
    /// sizeof(CcLinkStats). In bytes.
    pub size: u32,
    /// A CcLinkState.
    pub state: u32,
    /// Draft number in use, 0 before it is known.
    pub draft: u32,
    /// Times the link came up again.
    pub reconnects: u32,
    /// Smoothed round-trip time. In us.
    pub rtt_us: u64,
    /// Least round-trip time on this path. In us.
    pub rtt_min_us: u64,
    /// Mean deviation of the round-trip time. In us.
    pub jitter_us: u64,
    /// Congestion window. In bytes.
    pub congestion_window: u64,
    /// Sent and neither acknowledged nor lost. In bytes.
    pub in_flight: u64,
    /// What the controller estimates the path takes. In bytes/s.
    pub send_rate: u64,
    /// Waiting in the sending queue. In bytes.
    pub queued_bytes: u64,
    /// QUIC packets sent.
    pub packets_sent: u64,
    /// QUIC packets declared lost.
    pub packets_lost: u64,
    /// UDP payload sent. In bytes.
    pub bytes_sent: u64,
    /// UDP payload received. In bytes.
    pub bytes_received: u64,
    /// Frames handed to the transport.
    pub frames_sent: u64,
    /// Frames received whole.
    pub frames_received: u64,
    /// Frames not delivered to this peer, by CcDrop.
    pub drops: [u64; 8],
    /// How long the last frame sent had waited in the queue. In us.
    pub queue_delay_us: u64,
    /// Largest UDP payload on this path. In bytes.
    pub mtu: u64,
}

impl CcLinkStats {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        state: 0,
        draft: 0,
        reconnects: 0,
        rtt_us: 0,
        rtt_min_us: 0,
        jitter_us: 0,
        congestion_window: 0,
        in_flight: 0,
        send_rate: 0,
        queued_bytes: 0,
        packets_sent: 0,
        packets_lost: 0,
        bytes_sent: 0,
        bytes_received: 0,
        frames_sent: 0,
        frames_received: 0,
        drops: [0; 8],
        queue_delay_us: 0,
        mtu: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcLinkStats>() == 200);

/// What an admitted session may do; the core checks every request against it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcStamp {
    /// sizeof(CcStamp). In bytes.
    pub size: u32,
    /// 0.
    pub flags: u32,
    /// Path prefixes it may publish under, one a line, as games/room1/up/c7; "*": all; empty: none.
    pub publish: CcStr,
    /// Path prefixes it may read, as for publish.
    pub subscribe: CcStr,
    /// Capability tags it may use, one a line; empty: any.
    pub capabilities: CcStr,
    /// Tenant, for the application's own use.
    pub tenant: CcStr,
    /// The token's subject; a refresh must keep it.
    pub subject: CcStr,
    /// The session's peer id; a second session with it closes the first with REPLACED.
    pub peer_id: CcStr,
    /// Time from now when the session ends with EXPIRED_TOKEN; 0: never. In ms.
    pub expires_ms: u64,
}

impl CcStamp {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        flags: 0,
        publish: CcStr::EMPTY,
        subscribe: CcStr::EMPTY,
        capabilities: CcStr::EMPTY,
        tenant: CcStr::EMPTY,
        subject: CcStr::EMPTY,
        peer_id: CcStr::EMPTY,
        expires_ms: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcStamp>() == 112);

/// How to publish a track.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcTrackConfig {
    /// sizeof(CcTrackConfig). In bytes.
    pub size: u32,
    /// A CcTrackKind.
    pub kind: u32,
    /// CcTrackFlags bits.
    pub flags: u32,
    /// Default publisher priority, 0 first to 255 last; 128 is usual.
    pub priority: u32,
    /// Namespace, fields joined by '/'.
    pub ns: CcStr,
    /// Track name within the namespace.
    pub name: CcStr,
    /// Capability tag, or empty.
    pub capability: CcStr,
    /// Further track properties, encoded key-value pairs (raw bytes), or empty.
    pub properties: CcStr,
    /// A frame's default time to live in sending queues; 0: none. In us.
    pub ttl_us: u32,
    /// OBJECT_DELIVERY_TIMEOUT of the track; 0: none. In ms.
    pub object_timeout_ms: u32,
    /// SUBGROUP_DELIVERY_TIMEOUT of the track; 0: none. In ms.
    pub subgroup_timeout_ms: u32,
    /// Text: messages kept for replay; 0: the default.
    pub window_messages: u32,
    /// Bound of this track's sending queue; 0: the node's. In bytes.
    pub queue_bytes: u64,
    /// A token for this track alone, raw bytes; empty: the link's holds.
    pub token: CcStr,
}

impl CcTrackConfig {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        kind: 0,
        flags: 0,
        priority: 0,
        ns: CcStr::EMPTY,
        name: CcStr::EMPTY,
        capability: CcStr::EMPTY,
        properties: CcStr::EMPTY,
        ttl_us: 0,
        object_timeout_ms: 0,
        subgroup_timeout_ms: 0,
        window_messages: 0,
        queue_bytes: 0,
        token: CcStr::EMPTY,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcTrackConfig>() == 120);

/// One frame for cc_send; payload and properties are copied before the call returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcSend {
    /// The publication.
    pub publication: u64,
    /// Address of the first payload byte.
    pub payload: u64,
    /// Address of the object's properties, encoded key-value pairs.
    pub properties: u64,
    /// Payload length. In bytes.
    pub payload_len: u32,
    /// Properties length. In bytes.
    pub properties_len: u32,
    /// Time to live in sending queues; 0: the track's default. In us.
    pub ttl_us: u32,
    /// Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's.
    pub priority: u16,
    /// CcSendFlags bits.
    pub flags: u16,
    /// The caller's own mark; not sent.
    pub tag: u64,
}

impl CcSend {
    /// All zero and empty.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        publication: 0,
        payload: 0,
        properties: 0,
        payload_len: 0,
        properties_len: 0,
        ttl_us: 0,
        priority: 0,
        flags: 0,
        tag: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcSend>() == 48);

/// A frame that the node sends while the owner of a publication is silent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcRepeat {
    /// sizeof(CcRepeat). In bytes.
    pub size: u32,
    /// Publisher priority 0 to 255; PRIORITY_DEFAULT: the track's.
    pub priority: u32,
    /// The frame's bytes, at most FRAGMENT_BYTES; copied.
    pub payload: CcStr,
    /// How long the owner has to have sent nothing, 10 to 3,600,000. In ms.
    pub silence_ms: u32,
    /// Between one and the next, 10 to 3,600,000; each lives so long in queues. 0: repeat nothing
    /// any more, whatever the other fields hold. In ms.
    pub every_ms: u32,
    /// How long the owner may be silent before it ends; it begins again when the owner has sent. 0:
    /// without end. In ms.
    pub limit_ms: u32,
    /// 0.
    pub reserved: u32,
}

impl CcRepeat {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        priority: 0,
        payload: CcStr::EMPTY,
        silence_ms: 0,
        every_ms: 0,
        limit_ms: 0,
        reserved: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcRepeat>() == 40);

/// How to encode Opus.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcOpusConfig {
    /// sizeof(CcOpusConfig). In bytes.
    pub size: u32,
    /// CcOpusFlags bits.
    pub flags: u32,
    /// Samples a second and channel: 8000, 12000, 16000, 24000 or 48000. In Hz.
    pub rate_hz: u32,
    /// 1 or 2; samples of two are interleaved.
    pub channels: u32,
    /// Of all channels together, 6,000 to 510,000; 0: 32,000 a channel. In bit/s.
    pub bit_rate: u32,
    /// The encoder's effort, 1 to 10; 0: 5.
    pub complexity: u32,
    /// Packets expected to be lost, to 100. Above 0, packets carry a coarse copy of the one before,
    /// for cc_opus_recover. In %.
    pub loss: u32,
    /// 0.
    pub reserved: u32,
}

impl CcOpusConfig {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        flags: 0,
        rate_hz: 0,
        channels: 0,
        bit_rate: 0,
        complexity: 0,
        loss: 0,
        reserved: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcOpusConfig>() == 32);

/// Counters of a publication since it was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcTrackStats {
    /// sizeof(CcTrackStats). In bytes.
    pub size: u32,
    /// Subscribers now.
    pub subscribers: u32,
    /// Frames given to cc_send.
    pub frames: u64,
    /// Their payload. In bytes.
    pub bytes: u64,
    /// Waiting now. In bytes.
    pub queued_bytes: u64,
    /// Waiting now.
    pub queued_frames: u64,
    /// Frames handed to the transport.
    pub sent_frames: u64,
    /// Their bytes on the wire, headers included. In bytes.
    pub sent_bytes: u64,
    /// Frames not delivered, by CcDrop.
    pub drops: [u64; 8],
    /// Group id of the last frame.
    pub last_group: u64,
    /// Its last object id.
    pub last_object: u64,
}

impl CcTrackStats {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        subscribers: 0,
        frames: 0,
        bytes: 0,
        queued_bytes: 0,
        queued_frames: 0,
        sent_frames: 0,
        sent_bytes: 0,
        drops: [0; 8],
        last_group: 0,
        last_object: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcTrackStats>() == 136);

/// What to subscribe to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcSubscribeConfig {
    /// sizeof(CcSubscribeConfig). In bytes.
    pub size: u32,
    /// CcSubscribeFlags bits.
    pub flags: u32,
    /// Namespace prefix; with EXACT the whole namespace.
    pub ns: CcStr,
    /// EXACT: the track's name.
    pub name: CcStr,
    /// Only tracks with this tag; empty: any.
    pub capability: CcStr,
    /// Subscriber priority, 0 first to 255 last; 128 is usual.
    pub priority: u32,
    /// A CcGroupOrder.
    pub order: u32,
    /// Bound of frames waiting for cc_drain; 0: the node's. In bytes.
    pub feed_bytes: u64,
    /// EXACT: a token for this subscription alone, raw bytes; empty: the link's holds.
    pub token: CcStr,
    /// EXACT: how long the relay is to wait for a publisher; 0: not at all. The relay may wait
    /// shorter. In ms.
    pub rendezvous_ms: u32,
    /// 0.
    pub reserved: u32,
}

impl CcSubscribeConfig {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        flags: 0,
        ns: CcStr::EMPTY,
        name: CcStr::EMPTY,
        capability: CcStr::EMPTY,
        priority: 0,
        order: 0,
        feed_bytes: 0,
        token: CcStr::EMPTY,
        rendezvous_ms: 0,
        reserved: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcSubscribeConfig>() == 96);

/// One frame received; its bytes lie in CcBatch.data.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcFrame {
    /// Track id, announced by TRACK_ADDED; never reused within a node.
    pub track: u64,
    /// Group id.
    pub group: u64,
    /// Object id; of a fragmented frame the first.
    pub object: u64,
    /// When its last byte arrived, on the node's clock. In us.
    pub received_us: u64,
    /// Where the payload begins in the batch's data. In bytes.
    pub payload_at: u32,
    /// Payload length. In bytes.
    pub payload_len: u32,
    /// Where the object's properties begin in the batch's data. In bytes.
    pub properties_at: u32,
    /// Properties length. In bytes.
    pub properties_len: u32,
    /// Publisher priority, as it was sent.
    pub priority: u8,
    /// CcFrameFlags bits.
    pub flags: u8,
    /// 0.
    pub reserved: u16,
    /// Objects it was joined from; 1 for a whole one.
    pub fragments: u32,
}

impl CcFrame {
    /// All zero and empty.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        track: 0,
        group: 0,
        object: 0,
        received_us: 0,
        payload_at: 0,
        payload_len: 0,
        properties_at: 0,
        properties_len: 0,
        priority: 0,
        flags: 0,
        reserved: 0,
        fragments: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcFrame>() == 56);

/// Frames taken by one cc_drain; valid until the next drain or close of that subscription.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcBatch {
    /// sizeof(CcBatch), set by the caller. In bytes.
    pub size: u32,
    /// Frames in the batch.
    pub count: u32,
    /// The frames, oldest first.
    pub frames: *const CcFrame,
    /// Their payloads and properties.
    pub data: *const u8,
    /// Length of data. In bytes.
    pub data_len: u64,
    /// Frames dropped since the last drain because the feed was full.
    pub dropped: u64,
}

impl CcBatch {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        count: 0,
        frames: std::ptr::null(),
        data: std::ptr::null(),
        data_len: 0,
        dropped: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcBatch>() == 40);

/// Counters of a subscription since it was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcSubscriptionStats {
    /// sizeof(CcSubscriptionStats). In bytes.
    pub size: u32,
    /// Tracks it matches now.
    pub tracks: u32,
    /// Frames received whole.
    pub frames: u64,
    /// Their payload. In bytes.
    pub bytes: u64,
    /// Waiting for cc_drain now.
    pub waiting_frames: u64,
    /// Waiting for cc_drain now. In bytes.
    pub waiting_bytes: u64,
    /// Frames dropped because the feed was full.
    pub dropped: u64,
    /// Frames known to be missing between received ones.
    pub gaps: u64,
    /// Objects that came again and were ignored.
    pub duplicates: u64,
    /// Fragmented frames that never completed.
    pub incomplete: u64,
    /// Audio and Video: objects of groups that were given up for a newer one, or joined midway.
    pub superseded: u64,
}

impl CcSubscriptionStats {
    /// All zero and empty but for `size`.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        size: std::mem::size_of::<Self>() as u32,
        tracks: 0,
        frames: 0,
        bytes: 0,
        waiting_frames: 0,
        waiting_bytes: 0,
        dropped: 0,
        gaps: 0,
        duplicates: 0,
        incomplete: 0,
        superseded: 0,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcSubscriptionStats>() == 80);

/// One event; CcEventKind says what the fields hold. Texts are valid until the next cc_node_poll of
/// the node.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CcEvent {
    /// A CcEventKind.
    pub kind: u32,
    /// A CcReason.
    pub reason: u32,
    /// What the event is about.
    pub handle: u64,
    /// See the kind.
    pub a: u64,
    /// See the kind.
    pub b: u64,
    /// See the kind.
    pub c: u64,
    /// The code seen on the wire, if any.
    pub code: u64,
    /// See the kind.
    pub text: CcStr,
    /// See the kind.
    pub text2: CcStr,
    /// See the kind.
    pub text3: CcStr,
    /// See the kind.
    pub text4: CcStr,
}

impl CcEvent {
    /// All zero and empty.
    #[rustfmt::skip]
    pub const EMPTY: Self = Self {
        kind: 0,
        reason: 0,
        handle: 0,
        a: 0,
        b: 0,
        c: 0,
        code: 0,
        text: CcStr::EMPTY,
        text2: CcStr::EMPTY,
        text3: CcStr::EMPTY,
        text4: CcStr::EMPTY,
    };
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<CcEvent>() == 112);
