// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit

/** The C ABI's version, as in CcVersion.abi. */
export const ABI_VERSION = 1;
/** The RPC envelope's version. */
export const RPC_VERSION = 1;
/** CcSend.priority: take the track's default. */
export const PRIORITY_DEFAULT = 65535;
/** The usual publisher and subscriber priority; upstream subscriptions always use it. */
export const PRIORITY_NORMAL = 128;
/** Payload and properties in one datagram at most: 1200 less QUIC's, WebTransport's and the largest MoQT header. In bytes. */
export const FRAGMENT_BYTES = 1100;
/** Datagrams a frame at most; a larger frame is TOO_LARGE. */
export const MAX_FRAGMENTS = 8;
/** Messages in a Text group at most. */
export const TEXT_GROUP_MESSAGES = 256;
/** Payload after which a Text group ends. In bytes. */
export const TEXT_GROUP_BYTES = 65536;
/** Namespace and name together at most: the draft's bound. In bytes. */
export const PATH_BYTES = 4096;
/** Fields of a namespace at most: the draft's bound. */
export const NAMESPACE_FIELDS = 32;
/** A token's length at most. In bytes. */
export const TOKEN_BYTES = 4096;
/** MoQT token type under which the JWT travels. */
export const TOKEN_TYPE_JWT = 0;
/** A resume secret's least length. In bytes. */
export const RESUME_SECRET_MIN = 16;
/** A resume secret's greatest length. In bytes. */
export const RESUME_SECRET_MAX = 64;
/** Reasons 11, 16, 17 and 18 close the connection with this plus the reason, and reason 25 ends a subscription so; the others have the draft's codes. */
export const CLOSE_CODE_BASE = 0x3800;
/** SETUP option (bytes) from a client: the secret by which it returns as the same peer. */
export const SETUP_RESUME_SECRET = 0x3803;
/** SETUP option (bytes) from a relay: the peer id given. */
export const SETUP_PEER_ID = 0x3805;
/** SETUP option (int) from a relay: its number among relays. With one from each side, hop lists are negotiated. */
export const SETUP_RELAY_ID = 0x3806;
/** Message parameter between relays (length, then their numbers as varints, the first first, at most 16) in PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE, FETCH and TRACK_STATUS: what it came through. */
export const PARAMETER_HOPS = 0x3807;
/** Low bits of FNV-1a 64 of a tag that make its hash: what JavaScript holds exactly. */
export const CAPABILITY_HASH_BITS = 53;
/** transport.host's UDP port when none is given. */
export const PORT_HOST = 7777;
/** relay's UDP port when none is given. */
export const PORT_RELAY = 443;
/** The control stack's port when none is given. */
export const PORT_CONTROL = 4433;
/** Port of metrics, health and the live page when none is given. */
export const PORT_ADMIN = 9464;
/** Track property, bytes. The capability tag, UTF-8; compared on arrival. */
export const PROPERTY_CAPABILITY_TAG = 0x3801;
/** Track property, int. The tag's hash, for the drafts' range filters. */
export const PROPERTY_CAPABILITY_HASH = 0x3802;
/** Track property, int. The kind of track in the low byte; 0x100 beside it: latest-wins, so that queues hold the newest frame only. */
export const PROPERTY_TRACK_KIND = 0x3804;
/** Track property, int. 1 Opus, 2 PCM signed 16-bit little-endian, 3 G.711 mu-law, 4 G.711 A-law. */
export const PROPERTY_AUDIO_CODEC = 0x3806;
/** Track property, bytes. WebCodecs codec string, UTF-8, as avc1.42E01E. */
export const PROPERTY_VIDEO_CODEC = 0x3807;
/** Track property, int. Audio samples a second and channel. In Hz. */
export const PROPERTY_SAMPLE_RATE = 0x3808;
/** Track property, int. Audio channels, interleaved in PCM. */
export const PROPERTY_CHANNELS = 0x380a;
/** Object property (draft-ietf-moq-loc), int. When the media was captured; wall-clock microseconds where no timescale is given. In timescale ticks. */
export const PROPERTY_LOC_TIMESTAMP = 0x10;
/** Track property (draft-ietf-moq-loc), int. Ticks a second of the timestamps; they are media time then. In ticks/s. */
export const PROPERTY_LOC_TIMESCALE = 0x8;
/** Object property (draft-ietf-moq-loc), bytes. Frame marks of RFC 9626, 1 to 4 bytes: start 0x80, end 0x40, independent 0x20, discardable 0x10. */
export const PROPERTY_LOC_VIDEO_FRAME_MARKING = 0x9;
/** Object property (draft-ietf-moq-loc), int. RFC 6464 in the low 8 bits: voice activity 0x80, and the level in -dBov, 0 (loudest) to 127. */
export const PROPERTY_LOC_AUDIO_LEVEL = 0xc;
/** Object property (draft-ietf-moq-loc), bytes. Codec configuration that decoders need ahead of the keyframe. */
export const PROPERTY_LOC_VIDEO_CONFIG = 0xd;
/** Track kind of modality frame: OBJECT_DATAGRAM, object ids 0 to n-1, END_OF_GROUP on the last. */
export const KIND_FRAME_DATAGRAM = 1;
/** Track kind of modality frame: one subgroup stream a frame, object 0, END_OF_GROUP and FIN. */
export const KIND_FRAME_STREAM = 2;
/** Track kind of modality text: one subgroup stream a group, an object a message, object ids from 0. */
export const KIND_TEXT = 3;
/** Track kind of modality audio: one subgroup stream a group, a packet an object, object ids from 0. */
export const KIND_AUDIO = 4;
/** Track kind of modality video: one subgroup stream a group, object 0 the keyframe. */
export const KIND_VIDEO = 5;
/** Hash of the capability netcode.v1. */
export const CAPABILITY_HASH_NETCODE_V1 = 3492327798864020;
/** Hash of the capability text.v1. */
export const CAPABILITY_HASH_TEXT_V1 = 2611092945565337;
/** Hash of the capability voice.v1. */
export const CAPABILITY_HASH_VOICE_V1 = 3415310128195672;
/** Hash of the capability video.v1. */
export const CAPABILITY_HASH_VIDEO_V1 = 3374481304382035;
/** Game packets of a netcode layer. */
export const CAPABILITY_NETCODE_V1 = "netcode.v1";
/** Chat and other text. */
export const CAPABILITY_TEXT_V1 = "text.v1";
/** Voice. */
export const CAPABILITY_VOICE_V1 = "voice.v1";
/** Video. */
export const CAPABILITY_VIDEO_V1 = "video.v1";

/** What became of a call: 0, 1xx the caller's mistake, 2xx the machine, 9xx a bug in the core. */
export const Status = {
  /** Done. */
  Ok: 0,
  /** The handle is none, stale, or of another kind. */
  BadHandle: 101,
  /** An argument is null, out of its range or not UTF-8. */
  BadArgument: 102,
  /** The object is real but the call does not fit its state, such as driving a node that has a thread. */
  BadState: 103,
  /** A length is above its limit. */
  TooLarge: 104,
  /** The buffer given cannot hold the answer; the length out-parameter holds what is needed. */
  BufferTooSmall: 105,
  /** A struct's size is larger than this library knows, or smaller than its first version. */
  VersionMismatch: 106,
  /** The object has ended; close the handle. */
  Closed: 107,
  /** A track of that name is already published in this scope. */
  Exists: 108,
  /** A bound on the count of objects is reached. */
  Limit: 109,
  /** A namespace or track name breaks the rules: 1 to 32 fields, 4096 bytes in all. */
  BadName: 110,
  /** A URL is not of the form moqt://host:port/path. */
  BadUrl: 111,
  /** Another socket holds the address to bind. */
  AddressInUse: 201,
  /** The system does not allow it, such as a low port without privilege. */
  Permission: 202,
  /** The address to bind is not this machine's. */
  AddressNotAvailable: 203,
  /** Another failure of the system; cc_last_error has its words. */
  Io: 204,
  /** A certificate cannot be read or does not fit its key. */
  BadCertificate: 205,
  /** A private key cannot be read. */
  BadKey: 206,
  /** The core panicked; the object involved is unusable. */
  Panic: 901,
  /** The core broke one of its own rules. */
  Internal: 902,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Why a link, session, publication or subscription ended; the same at both ends. A refusal carries one too. */
export const Reason = {
  /** No reason applies. */
  None: 0,
  /** Asked for at this end. */
  Local: 1,
  /** Closed without error by the other side. */
  Peer: 2,
  /** The token does not allow it, or there is none. */
  Unauthorized: 3,
  /** The token cannot be read. */
  MalformedToken: 4,
  /** The token's time is over. */
  ExpiredToken: 5,
  /** Nothing was heard for the idle timeout. */
  Timeout: 6,
  /** The peer's certificate is not the trusted one. */
  Certificate: 7,
  /** The two sides have no draft in common. */
  Version: 8,
  /** One side broke the protocol; the text says which rule. */
  Protocol: 9,
  /** The relay is draining. */
  GoingAway: 10,
  /** The application ended this session. */
  Kicked: 11,
  /** The peer is overloaded. */
  ExcessiveLoad: 12,
  /** The peer has no memory of the connection: it was restarted. */
  Reset: 13,
  /** No address answered, or the system refuses to send there. */
  Unreachable: 14,
  /** A failure inside one side. */
  Internal: 15,
  /** The same peer id connected again. */
  Replaced: 16,
  /** The room ended. */
  RoomClosed: 17,
  /** The application's admission said no. */
  Refused: 18,
  /** Nobody publishes the track asked for. */
  DoesNotExist: 19,
  /** The subscriber does not want the track offered. */
  Uninterested: 20,
  /** A reliable subscription fell behind its publisher's window. */
  TooFarBehind: 21,
  /** The same subscription or publication exists already. */
  Duplicate: 22,
  /** A bound of the peer is reached. */
  Limit: 23,
  /** The publisher ended the track. */
  TrackEnded: 24,
  /** The session of the track's publisher was lost, and it did not come back in time. */
  PublisherLost: 25,
  /** It is to be asked for elsewhere; the event says where. */
  Redirected: 26,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** Why a frame was not delivered: the index into every drops array. */
export const Drop = {
  /** Its time to live ran out before it was sent. */
  Expired: 0,
  /** A newer frame of a latest-wins track took its place. */
  Superseded: 1,
  /** The queue was full of frames at least as important. */
  NoRoom: 2,
  /** It did not fit the path's datagrams. */
  TooLarge: 3,
  /** The session may not publish or read it. */
  NotAuthorised: 4,
  /** The congestion controller gave it no room in time. */
  Congested: 5,
  /** The peer allowed no further stream in time. */
  StreamLimit: 6,
  /** A ring between threads was full. */
  RingFull: 7,
} as const;
export type Drop = (typeof Drop)[keyof typeof Drop];

/** A bound of what peers can make a node hold, in bytes unless it says otherwise; its name in lower case sets it in CcNodeConfig.limits. */
export const Bound = {
  /** Connections at once, those in their handshake and those that drain among them. */
  Connections: 0,
  /** Connections from one address, or one /64 of IPv6; loopback is not counted. */
  ConnectionsPerAddress: 1,
  /** Handshakes under way from addresses that have not proven themselves; above, strangers are sent Retry. */
  HandshakesUnproven: 2,
  /** Handshakes under way in all. */
  Handshakes: 3,
  /** The same from one address that has proven itself, or one /64; loopback is not counted. */
  HandshakesPerAddress: 4,
  /** Sessions that wait to be admitted. */
  Parked: 5,
  /** Bytes that a connection may send on all streams together and that are not read yet, before it is admitted. */
  ParkedBytes: 6,
  /** The same once it is admitted. */
  ReceiveBytes: 7,
  /** Streams that a peer may open at first, each direction. */
  StreamsInitial: 8,
  /** Streams that a peer may have open at most, each direction. */
  StreamsMax: 9,
  /** Requests of one session's peer under way. */
  Requests: 10,
  /** Prefixes that one session watches for tracks or namespaces. */
  Watches: 11,
  /** Namespaces that one session announces. */
  NamespacesPerSession: 12,
  /** Namespaces announced in all. */
  Namespaces: 13,
  /** Tracks that one session may publish. */
  TracksPerSession: 14,
  /** Tracks in all. */
  Tracks: 15,
  /** Properties of one track. */
  PropertyBytes: 16,
  /** Tracks that one session receives. */
  SubscriptionsPerSession: 17,
  /** Requests that one session waits for others to answer: tracks asked of their publisher by name. */
  Asks: 18,
  /** FETCHes of one session under way. */
  Fetches: 19,
  /** Objects of FETCHes that are passed on and wait for one session to take them. */
  FetchBytes: 20,
  /** Subgroups of one track open at once. */
  Subgroups: 21,
  /** Largest object on a stream. */
  ObjectBytes: 22,
  /** Messages and objects of one session of which only a part has come. */
  AssemblyBytes: 23,
  /** The same of all sessions. */
  AssemblyTotal: 24,
  /** Datagrams of one session that came before their track's alias. */
  EarlyBytes: 25,
  /** Streams of one session that came before their track's alias, left unread. */
  EarlyStreams: 26,
  /** REQUEST_UPDATEs of one request without an answer; further ones are left unread. */
  Updates: 27,
  /** The same where the peer is told of it (MAX_REQUEST_UPDATES, from draft -20 on). */
  RequestUpdates: 28,
  /** Ranges that one request may have in its filters (MAX_FILTER_RANGES, from draft -20 on). */
  FilterRanges: 29,
  /** Tokens that one session's peer has registered, with 16 for each. */
  TokenBytes: 30,
  /** A session's sending queue. */
  SessionBytes: 31,
  /** One track in it. */
  TrackBytes: 32,
  /** One subgroup stream in it. */
  SubgroupBytes: 33,
  /** Recent objects kept of a local publication. */
  PastOwnBytes: 34,
  /** Recent objects kept of a track that is passed on. */
  PastTrackBytes: 35,
  /** Recent objects kept of all tracks. */
  PastBytes: 36,
  /** Text of one track that waits for what comes before it, or for a reader that is slow. */
  ReorderBytes: 37,
  /** Fragments of one track's frames that wait for the others. */
  FragmentBytes: 38,
  /** Text and fragments that wait, of all tracks. */
  ReorderTotal: 39,
  /** Packets that answer strangers (Retry, version negotiation, stateless reset, refusals) and wait to be sent. */
  Answers: 40,
} as const;
export type Bound = (typeof Bound)[keyof typeof Bound];

/** What became of one frame given to cc_send. */
export const Fate = {
  /** Queued for every subscriber. */
  Queued: 0,
  /** The publisher's queue is at its bound; dropped and counted. */
  NoRoom: 1,
  /** More than MAX_FRAGMENTS datagrams, or above the largest object; dropped and counted. */
  TooLarge: 2,
  /** The link is down: dropped and counted. Text is QUEUED instead. */
  NotConnected: 3,
  /** The publication has ended or the handle is not one. */
  Closed: 4,
  /** Nobody wants the track now; not sent. */
  NoSubscriber: 5,
  /** Video: the group that it continues was not taken whole, so nothing could be made of it; not sent. Send a keyframe with NEW_GROUP. */
  NoGroup: 6,
} as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/** What a CcEvent tells, and what its fields hold then; fields not named are 0 or empty. */
export const EventKind = {
  /** handle = link; a = 1 if resumed; b = gap in us since it was lost; c = draft number; text = peer id. */
  LinkUp: 1,
  /** handle = link; reason; code; a = us until the next attempt; text = why. The link dials again by itself. */
  LinkDown: 2,
  /** handle = link; reason; code; text = why. Final. */
  LinkClosed: 3,
  /** handle = link; a = timeout in ms; text = the URI to move to, or empty. */
  LinkGoaway: 4,
  /** handle = session, to be answered by cc_session_accept or cc_session_refuse; a = the remote port; text = token, raw bytes; text2 = path; text3 = ip:port; text4 = peer id suggested from the resume secret. */
  Auth: 10,
  /** handle = session; a = 1 if this peer id was here within the last minute; c = draft number; text = peer id; text2 = tenant; text3 = ip:port. */
  SessionUp: 11,
  /** handle = session; reason; code; text = why; text2 = peer id. */
  SessionDown: 12,
  /** handle = session, to be answered by cc_session_accept or cc_session_refuse; a = request reference; text = new token. */
  AuthRefresh: 13,
  /** A single request shows a token of its own and waits. handle = session; a = the request's number, for cc_session_accept_request or cc_session_refuse_request; text = token; text2 = what it asks, as "subscribe games/room1//c7". */
  AuthRequest: 14,
  /** handle = publication. It stands at the relay. */
  PublishOk: 20,
  /** handle = publication; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to publish as there, both empty: the same. */
  PublishRefused: 21,
  /** handle = publication; a = count of subscribers now. */
  PublishDemand: 22,
  /** handle = publication. A subscriber asks for a new group soon, as a video reader does for a keyframe; of tracks with the property DYNAMIC_GROUPS. */
  NewGroupWanted: 23,
  /** handle = subscription. It stands at the relay. */
  SubscribeOk: 30,
  /** handle = subscription; reason; text = why. With REDIRECTED: text2 = URL, empty: the same; text3 = namespace and text4 = track to ask for there, both empty: the same. */
  SubscribeRefused: 31,
  /** handle = subscription; a = track id as in CcFrame; b = track kind or 0 if unknown; text = namespace; text2 = name; text3 = capability; text4 = publishing peer id if known. */
  TrackAdded: 32,
  /** handle = subscription; a = track id; reason: TRACK_ENDED, PUBLISHER_LOST, or why this subscription ended. */
  TrackEnded: 33,
  /** handle = subscription; a = track id; b = last group before the gap; c = first group after it; code = gap in us. */
  TrackResumed: 34,
  /** handle = node; text = why. The node does no more work. */
  NodeFailed: 40,
  /** handle = node; text = one line, such as a degraded socket. */
  Warning: 41,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** Bits of CcNodeConfig.flags. */
export const NodeFlags = {
  /** Accepts sessions and routes between them. */
  Relay: 1,
  /** No I/O thread: the caller drives the node by cc_node_drive. */
  Threadless: 2,
  /** No AUTH events: everyone is admitted with open_scope. */
  Open: 4,
  /** One datagram a system call, as on systems without batches. */
  PortableUdp: 8,
} as const;
export type NodeFlags = (typeof NodeFlags)[keyof typeof NodeFlags];

/** Congestion controllers. */
export const Congestion = {
  /** Delay-based, short queues, application-limited aware. */
  Realtime: 0,
  /** Cubic. */
  Cubic: 1,
  /** BBR. */
  Bbr: 2,
} as const;
export type Congestion = (typeof Congestion)[keyof typeof Congestion];

/** Bits of CcLinkConfig.flags. */
export const LinkFlags = {
  /** The first loss is final. */
  NoReconnect: 1,
  /** A relay node joins the relay at url: what is published or announced on one is to be had on both. The link has no tracks of its own. */
  Uplink: 2,
} as const;
export type LinkFlags = (typeof LinkFlags)[keyof typeof LinkFlags];

/** Where a link stands. */
export const LinkState = {
  /** Handshake or admission under way. */
  Connecting: 0,
  /** Admitted. */
  Up: 1,
  /** Lost; waits for its next attempt. */
  Waiting: 2,
  /** Ended for good. */
  Closed: 3,
} as const;
export type LinkState = (typeof LinkState)[keyof typeof LinkState];

/** How a publication's frames go on the wire. */
export const TrackKind = {
  /** A group a frame, in 1 to 8 datagrams. */
  FrameDatagram: 1,
  /** A group a frame, on one subgroup stream each. */
  FrameStream: 2,
  /** Reliable, ordered messages; a group per 256 messages or 64 KiB. */
  Text: 3,
  /** A packet an object; a group, on one subgroup stream, lasts until NEW_GROUP. Newer groups go first. */
  Audio: 4,
  /** An encoded frame an object; a group, on one subgroup stream, begins with a keyframe, sent with NEW_GROUP. Newer groups go first. */
  Video: 5,
} as const;
export type TrackKind = (typeof TrackKind)[keyof typeof TrackKind];

/** Bits of CcTrackConfig.flags. */
export const TrackFlags = {
  /** Queues hold the newest frame only; descending group order. */
  LatestWins: 1,
  /** The first group id is the Unix time in us instead of ms: for more than 1000 frames a second. */
  MicrosecondGroups: 2,
  /** Audio: a group a packet, in datagrams instead of streams. */
  Datagram: 4,
} as const;
export type TrackFlags = (typeof TrackFlags)[keyof typeof TrackFlags];

/** Bits of CcOpusConfig.flags. */
export const OpusFlags = {
  /** Music and other sound, rather than voice. */
  Music: 1,
} as const;
export type OpusFlags = (typeof OpusFlags)[keyof typeof OpusFlags];

/** Bits of CcSend.flags. */
export const SendFlags = {
  /** Audio and Video: it begins a group, and ends the one before. */
  NewGroup: 1,
  /** Audio and Video: its group ends with it, as when a talker falls silent. */
  EndGroup: 2,
} as const;
export type SendFlags = (typeof SendFlags)[keyof typeof SendFlags];

/** Bits of CcSubscribeConfig.flags. */
export const SubscribeFlags = {
  /** One track by its full name instead of all under a namespace prefix. */
  Exact: 1,
} as const;
export type SubscribeFlags = (typeof SubscribeFlags)[keyof typeof SubscribeFlags];

/** In which order a track's groups are sent to a subscriber. */
export const GroupOrder = {
  /** As the publisher prefers. */
  Publisher: 0,
  /** Oldest group first. */
  Ascending: 1,
  /** Newest group first. */
  Descending: 2,
} as const;
export type GroupOrder = (typeof GroupOrder)[keyof typeof GroupOrder];

/** Bits of CcFrame.flags. */
export const FrameFlags = {
  /** It came on a subgroup stream. */
  Stream: 1,
  /** It was joined from more than one datagram. */
  Fragmented: 2,
  /** At least one frame of the track before it did not arrive. */
  Gap: 4,
  /** It is a message of a Text track. */
  Text: 8,
} as const;
export type FrameFlags = (typeof FrameFlags)[keyof typeof FrameFlags];

/** Method ids of the control stack. */
export const MethodId = {
  /** How the process is. Empty -> Health. */
  HealthGet: 1,
  /** All rooms. Empty -> RoomList. */
  RoomsList: 2,
  /** One room. RoomQuery -> Room. */
  RoomsGet: 3,
  /** What a player needs to join a room. JoinRequest -> JoinInfo. */
  RoomsJoin: 4,
  /** Sessions, page by page. SessionListRequest -> SessionList. */
  SessionsList: 5,
  /** One session. SessionQuery -> SessionInfo. */
  SessionsGet: 6,
  /** Ends a session; the reply is its last state. Kick -> SessionInfo. */
  SessionsKick: 7,
  /** Counters. Empty -> Statistics. */
  StatsGet: 8,
  /** A new token for a session in progress. TokenRefreshRequest -> TokenRefreshReply. */
  TokenRefresh: 9,
} as const;
export type MethodId = (typeof MethodId)[keyof typeof MethodId];


/** A request without arguments. */
export type Empty = Record<string, never>;

/** Why a call failed; the body of every reply with method id 0 and of every HTTP status from 400. */
export interface ErrorBody {
  /** HTTP status of the failure. */
  code: number;
  /** The failure as a stable word, such as not_found or bad_field. */
  error: string;
  /** One line: what, where, what to do. */
  message: string;
  /** Path of the request's field at fault. */
  field?: string;
  /** When to try again, if that can help. In ms. */
  retry_ms?: number;
}

/** How a host or relay is. */
export interface Health {
  /** Where the process stands. */
  status: "starting" | "ok" | "draining" | "failed";
  /** It takes new sessions. */
  ready: boolean;
  /** Version of the package. */
  version: string;
  /** Name of this node. */
  node: string;
  /** Time since the start. In ms. */
  uptime_ms: number;
  /** Sessions up now. */
  sessions: number;
  /** Rooms open now. */
  rooms: number;
}

/** A room of a host. */
export interface Room {
  /** Its name, one namespace field. */
  name: string;
  /** Namespace prefix of its tracks. */
  namespace: string;
  /** Where the room stands. */
  state: "opening" | "open" | "closing" | "failed";
  /** Peers in it now. */
  players: number;
  /** Peers admitted at most; 0: no bound of its own. */
  max_players: number;
  /** Bots in it now. */
  bots: number;
  /** Ticks done. */
  tick: number;
  /** Ticks a second it aims at. In Hz. */
  tick_rate_hz: number;
  /** 99th percentile of a tick's own time over the last minute. In ms. */
  tick_p99_ms: number;
  /** Ticks that took longer than their period. */
  overruns: number;
  /** Time since it opened. In ms. */
  uptime_ms: number;
  /** The game's own words about it. */
  metadata: Record<string, string>;
}

/** All rooms, in name order. */
export interface RoomList {
  /** The rooms. */
  rooms: Room[];
}

/** Names a room. */
export interface RoomQuery {
  /** The room's name. */
  room: string;
}

/** Asks for what a player needs to join a room. */
export interface JoinRequest {
  /** The room's name. */
  room: string;
  /** What a new peer id is to begin with, where the caller's token names no peer. */
  player?: string;
}

/** What a player needs to join a room. */
export interface JoinInfo {
  /** The room's name. */
  room: string;
  /** moqt:// URL to connect to. */
  url: string;
  /** https:// URL for browsers, where WebTransport is served. */
  web_url?: string;
  /** Namespace prefix of the room's tracks. */
  namespace: string;
  /** The peer id the token is bound to. */
  peer_id: string;
  /** Token to present. */
  token: string;
  /** Time from now when the token ends; 0: never. In ms. */
  expires_ms: number;
  /** Lower-case hex of the certificate to pin, with development credentials. */
  certificate_sha256?: string;
  /** Ticks a second of the room; 0: not known here. In Hz. */
  tick_rate_hz: number;
}

/** A session of a relay. */
export interface SessionInfo {
  /** Its peer id. */
  peer_id: string;
  /** The token's subject. */
  subject: string;
  /** The token's tenant, or empty. */
  tenant: string;
  /** The room it plays in. */
  room?: string;
  /** Its ip:port. */
  address: string;
  /** What carries it. */
  transport: "quic" | "webtransport";
  /** MoQT draft in use. */
  draft: number;
  /** Time since it came up. In ms. */
  uptime_ms: number;
  /** Time from now when its token ends. In ms. */
  expires_ms?: number;
  /** Path prefixes it may publish under. */
  publish: string[];
  /** Path prefixes it may read. */
  subscribe: string[];
  /** Capability tags it may use; empty: any. */
  capabilities: string[];
  /** Smoothed round-trip time. In us. */
  rtt_us: number;
  /** Mean deviation of the round-trip time. In us. */
  jitter_us: number;
  /** Packets lost of those sent, 0 to 1. In ratio. */
  loss: number;
  /** What its path is estimated to take. In bytes/s. */
  send_rate: number;
  /** Waiting in its sending queue. In bytes. */
  queued_bytes: number;
  /** UDP payload sent to it. In bytes. */
  bytes_sent: number;
  /** UDP payload received from it. In bytes. */
  bytes_received: number;
  /** Frames sent to it. */
  frames_sent: number;
  /** Frames received from it. */
  frames_received: number;
  /** Frames not delivered to it, by CcDrop name in lower case. */
  drops: Record<string, number>;
}

/** Which sessions to list. */
export interface SessionListRequest {
  /** Only those of this room. */
  room?: string;
  /** Only those whose peer id sorts after this one. */
  after?: string;
  /** At most so many, 1 to 1000; 100 when absent. */
  limit?: number;
}

/** Sessions in order of peer id. */
export interface SessionList {
  /** The sessions. */
  sessions: SessionInfo[];
  /** Give this as after to go on; absent at the end. */
  next?: string;
}

/** Names a session. */
export interface SessionQuery {
  /** Its peer id. */
  peer_id: string;
}

/** Ends a session with KICKED. */
export interface Kick {
  /** Whose session. */
  peer_id: string;
  /** Words for the player. */
  reason?: string;
}

/** Counters of one shard since it started. */
export interface ShardStatistics {
  /** Its number, from 0. */
  shard: number;
  /** Sessions up now. */
  sessions: number;
  /** CPU time of its thread. In us. */
  cpu_us: number;
  /** Objects received. */
  objects_in: number;
  /** Objects sent. */
  objects_out: number;
  /** UDP datagrams received. */
  packets_in: number;
  /** UDP datagrams sent. */
  packets_out: number;
  /** UDP payload received. In bytes. */
  bytes_in: number;
  /** UDP payload sent. In bytes. */
  bytes_out: number;
  /** Frames not delivered, by CcDrop name in lower case. */
  drops: Record<string, number>;
}

/** Counters of a host or relay since it started. */
export interface Statistics {
  /** Time since the start. In ms. */
  uptime_ms: number;
  /** Sessions up now. */
  sessions: number;
  /** Sessions that came up. */
  sessions_total: number;
  /** Sessions refused. */
  sessions_refused: number;
  /** Tracks known now. */
  tracks: number;
  /** Subscriptions standing now. */
  subscriptions: number;
  /** Datagrams and messages that broke a rule. */
  malformed: number;
  /** Each shard's own. */
  shards: ShardStatistics[];
}

/** Replaces the token of the caller's session; subject and tenant must stay. */
export interface TokenRefreshRequest {
  /** The new token. */
  token: string;
}

/** What the session may do from now on. */
export interface TokenRefreshReply {
  /** Time from now when the new token ends; 0: never. In ms. */
  expires_ms: number;
  /** Path prefixes it may publish under. */
  publish: string[];
  /** Path prefixes it may read. */
  subscribe: string[];
  /** Capability tags it may use; empty: any. */
  capabilities: string[];
}

/** Every DTO by its name. */
export interface Dtos {
  Empty: Empty;
  ErrorBody: ErrorBody;
  Health: Health;
  Room: Room;
  RoomList: RoomList;
  RoomQuery: RoomQuery;
  JoinRequest: JoinRequest;
  JoinInfo: JoinInfo;
  SessionInfo: SessionInfo;
  SessionListRequest: SessionListRequest;
  SessionList: SessionList;
  SessionQuery: SessionQuery;
  Kick: Kick;
  ShardStatistics: ShardStatistics;
  Statistics: Statistics;
  TokenRefreshRequest: TokenRefreshRequest;
  TokenRefreshReply: TokenRefreshReply;
}
export type DtoName = keyof Dtos;

/** Fields of every DTO, in the order in which they are written. */
export const SCHEMAS = {
  Empty: [
  ],
  ErrorBody: [
    { name: "code", base: "int", shape: "one", optional: false },
    { name: "error", base: "str", shape: "one", optional: false },
    { name: "message", base: "str", shape: "one", optional: false },
    { name: "field", base: "str", shape: "one", optional: true },
    { name: "retry_ms", base: "int", shape: "one", optional: true },
  ],
  Health: [
    { name: "status", base: "str", shape: "one", optional: false, values: ["starting", "ok", "draining", "failed"] },
    { name: "ready", base: "bool", shape: "one", optional: false },
    { name: "version", base: "str", shape: "one", optional: false },
    { name: "node", base: "str", shape: "one", optional: false },
    { name: "uptime_ms", base: "int", shape: "one", optional: false },
    { name: "sessions", base: "int", shape: "one", optional: false },
    { name: "rooms", base: "int", shape: "one", optional: false },
  ],
  Room: [
    { name: "name", base: "str", shape: "one", optional: false },
    { name: "namespace", base: "str", shape: "one", optional: false },
    { name: "state", base: "str", shape: "one", optional: false, values: ["opening", "open", "closing", "failed"] },
    { name: "players", base: "int", shape: "one", optional: false },
    { name: "max_players", base: "int", shape: "one", optional: false },
    { name: "bots", base: "int", shape: "one", optional: false },
    { name: "tick", base: "int", shape: "one", optional: false },
    { name: "tick_rate_hz", base: "float", shape: "one", optional: false },
    { name: "tick_p99_ms", base: "float", shape: "one", optional: false },
    { name: "overruns", base: "int", shape: "one", optional: false },
    { name: "uptime_ms", base: "int", shape: "one", optional: false },
    { name: "metadata", base: "str", shape: "map", optional: false },
  ],
  RoomList: [
    { name: "rooms", base: "Room", shape: "list", optional: false },
  ],
  RoomQuery: [
    { name: "room", base: "str", shape: "one", optional: false },
  ],
  JoinRequest: [
    { name: "room", base: "str", shape: "one", optional: false },
    { name: "player", base: "str", shape: "one", optional: true },
  ],
  JoinInfo: [
    { name: "room", base: "str", shape: "one", optional: false },
    { name: "url", base: "str", shape: "one", optional: false },
    { name: "web_url", base: "str", shape: "one", optional: true },
    { name: "namespace", base: "str", shape: "one", optional: false },
    { name: "peer_id", base: "str", shape: "one", optional: false },
    { name: "token", base: "str", shape: "one", optional: false },
    { name: "expires_ms", base: "int", shape: "one", optional: false },
    { name: "certificate_sha256", base: "str", shape: "one", optional: true },
    { name: "tick_rate_hz", base: "float", shape: "one", optional: false },
  ],
  SessionInfo: [
    { name: "peer_id", base: "str", shape: "one", optional: false },
    { name: "subject", base: "str", shape: "one", optional: false },
    { name: "tenant", base: "str", shape: "one", optional: false },
    { name: "room", base: "str", shape: "one", optional: true },
    { name: "address", base: "str", shape: "one", optional: false },
    { name: "transport", base: "str", shape: "one", optional: false, values: ["quic", "webtransport"] },
    { name: "draft", base: "int", shape: "one", optional: false },
    { name: "uptime_ms", base: "int", shape: "one", optional: false },
    { name: "expires_ms", base: "int", shape: "one", optional: true },
    { name: "publish", base: "str", shape: "list", optional: false },
    { name: "subscribe", base: "str", shape: "list", optional: false },
    { name: "capabilities", base: "str", shape: "list", optional: false },
    { name: "rtt_us", base: "int", shape: "one", optional: false },
    { name: "jitter_us", base: "int", shape: "one", optional: false },
    { name: "loss", base: "float", shape: "one", optional: false },
    { name: "send_rate", base: "int", shape: "one", optional: false },
    { name: "queued_bytes", base: "int", shape: "one", optional: false },
    { name: "bytes_sent", base: "int", shape: "one", optional: false },
    { name: "bytes_received", base: "int", shape: "one", optional: false },
    { name: "frames_sent", base: "int", shape: "one", optional: false },
    { name: "frames_received", base: "int", shape: "one", optional: false },
    { name: "drops", base: "int", shape: "map", optional: false },
  ],
  SessionListRequest: [
    { name: "room", base: "str", shape: "one", optional: true },
    { name: "after", base: "str", shape: "one", optional: true },
    { name: "limit", base: "int", shape: "one", optional: true },
  ],
  SessionList: [
    { name: "sessions", base: "SessionInfo", shape: "list", optional: false },
    { name: "next", base: "str", shape: "one", optional: true },
  ],
  SessionQuery: [
    { name: "peer_id", base: "str", shape: "one", optional: false },
  ],
  Kick: [
    { name: "peer_id", base: "str", shape: "one", optional: false },
    { name: "reason", base: "str", shape: "one", optional: true },
  ],
  ShardStatistics: [
    { name: "shard", base: "int", shape: "one", optional: false },
    { name: "sessions", base: "int", shape: "one", optional: false },
    { name: "cpu_us", base: "int", shape: "one", optional: false },
    { name: "objects_in", base: "int", shape: "one", optional: false },
    { name: "objects_out", base: "int", shape: "one", optional: false },
    { name: "packets_in", base: "int", shape: "one", optional: false },
    { name: "packets_out", base: "int", shape: "one", optional: false },
    { name: "bytes_in", base: "int", shape: "one", optional: false },
    { name: "bytes_out", base: "int", shape: "one", optional: false },
    { name: "drops", base: "int", shape: "map", optional: false },
  ],
  Statistics: [
    { name: "uptime_ms", base: "int", shape: "one", optional: false },
    { name: "sessions", base: "int", shape: "one", optional: false },
    { name: "sessions_total", base: "int", shape: "one", optional: false },
    { name: "sessions_refused", base: "int", shape: "one", optional: false },
    { name: "tracks", base: "int", shape: "one", optional: false },
    { name: "subscriptions", base: "int", shape: "one", optional: false },
    { name: "malformed", base: "int", shape: "one", optional: false },
    { name: "shards", base: "ShardStatistics", shape: "list", optional: false },
  ],
  TokenRefreshRequest: [
    { name: "token", base: "str", shape: "one", optional: false },
  ],
  TokenRefreshReply: [
    { name: "expires_ms", base: "int", shape: "one", optional: false },
    { name: "publish", base: "str", shape: "list", optional: false },
    { name: "subscribe", base: "str", shape: "list", optional: false },
    { name: "capabilities", base: "str", shape: "list", optional: false },
  ],
} as const;

/** Method id of a failed reply; its body is an ErrorBody. */
export const ERROR_METHOD = 0;

/** Every method by its name. */
export const METHODS = {
  "health.get": {
    id: 1, request: "Empty", reply: "Health",
    verb: "GET", route: "/v1/health", auth: "none",
  },
  "rooms.list": {
    id: 2, request: "Empty", reply: "RoomList",
    verb: "GET", route: "/v1/rooms", auth: "token",
  },
  "rooms.get": {
    id: 3, request: "RoomQuery", reply: "Room",
    verb: "GET", route: "/v1/rooms/{room}", auth: "token",
  },
  "rooms.join": {
    id: 4, request: "JoinRequest", reply: "JoinInfo",
    verb: "POST", route: "/v1/rooms/{room}/join", auth: "token",
  },
  "sessions.list": {
    id: 5, request: "SessionListRequest", reply: "SessionList",
    verb: "GET", route: "/v1/sessions", auth: "admin",
  },
  "sessions.get": {
    id: 6, request: "SessionQuery", reply: "SessionInfo",
    verb: "GET", route: "/v1/sessions/{peer_id}", auth: "admin",
  },
  "sessions.kick": {
    id: 7, request: "Kick", reply: "SessionInfo",
    verb: "POST", route: "/v1/sessions/{peer_id}/kick", auth: "admin",
  },
  "stats.get": {
    id: 8, request: "Empty", reply: "Statistics",
    verb: "GET", route: "/v1/stats", auth: "admin",
  },
  "token.refresh": {
    id: 9, request: "TokenRefreshRequest", reply: "TokenRefreshReply",
    verb: "POST", route: "/v1/token", auth: "token",
  },
} as const;

// MessagePack for the control stack's bodies, and checks of values by type: only what the IDL's types need.
// Every length is checked against what is left before anything is built; nesting is bounded.

/** Largest magnitude of an integer. */
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** Lists and maps within each other at most. */
export const MAX_DEPTH = 16;

/** A body that is not what the IDL says; `path` leads to the value at fault. */
export class WireError extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

/** A value's type in a body: a scalar or a DTO's name, alone, in a list or in a map by string. */
export interface Field {
  readonly name: string;
  readonly base: string;
  readonly shape: "one" | "list" | "map";
  readonly optional: boolean;
  readonly values?: readonly string[];
}

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return "nil";
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) return "a list";
  const names: Record<string, string> = { string: "a string", number: "a number", boolean: "a truth value", object: "a map" };
  return names[typeof value] ?? typeof value;
};

const wanted = (path: string, what: string, value: unknown): WireError =>
  new WireError(path, `must be ${what}, is ${kindOf(value)}`);

const fieldsOf = (value: unknown, path: string): Record<string, unknown> => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw wanted(path, "a map", value);
  return value as Record<string, unknown>;
};

const own = (of: Record<string, unknown>, key: string): unknown =>
  Object.prototype.hasOwnProperty.call(of, key) ? of[key] : undefined;

const put = (of: Record<string, unknown>, key: string, value: unknown) =>
  Object.defineProperty(of, key, { value, enumerable: true, configurable: true, writable: true });

function scalar(base: string, value: unknown, path: string, values?: readonly string[]): unknown {
  switch (base) {
    case "str":
      if (typeof value !== "string") throw wanted(path, "a string", value);
      if (values && !values.includes(value)) throw new WireError(path, `must be one of ${values.join(", ")}`);
      return value;
    case "int":
      if (typeof value !== "number" || !Number.isInteger(value)) throw wanted(path, "an integer", value);
      if (!Number.isSafeInteger(value)) throw new WireError(path, `${value} is beyond 2^53 - 1`);
      return value;
    case "float":
      if (typeof value !== "number") throw wanted(path, "a number", value);
      if (!Number.isFinite(value)) throw new WireError(path, "must be finite");
      return value;
    case "bool":
      if (typeof value !== "boolean") throw wanted(path, "true or false", value);
      return value;
    case "bytes":
      if (value instanceof Uint8Array) return value;
      if (typeof value !== "string") throw wanted(path, "bytes", value);
      try {
        return Uint8Array.from(atob(value), (one) => one.charCodeAt(0));
      } catch {
        throw new WireError(path, "is not base64");
      }
    default:
      return checked(base, value, path);
  }
}

function checked(name: string, value: unknown, path: string): Record<string, unknown> {
  const of = fieldsOf(value, path);
  const made: Record<string, unknown> = {};
  for (const field of SCHEMAS[name as DtoName] as readonly Field[]) {
    const item = own(of, field.name);
    const at = `${path}.${field.name}`;
    if (item === undefined || item === null) {
      if (!field.optional) throw new WireError(at, item === null ? "must not be nil" : "is missing");
    } else if (field.shape === "list") {
      if (!Array.isArray(item)) throw wanted(at, "a list", item);
      made[field.name] = item.map((one: unknown, index: number) => scalar(field.base, one, `${at}[${index}]`));
    } else if (field.shape === "map") {
      const map: Record<string, unknown> = {};
      for (const [key, one] of Object.entries(fieldsOf(item, at))) put(map, key, scalar(field.base, one, `${at}.${key}`));
      made[field.name] = map;
    } else {
      made[field.name] = scalar(field.base, item, at, field.values);
    }
  }
  return made;
}

class Writer {
  private bytes = new Uint8Array(256);
  private length = 0;

  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  take(count: number): DataView {
    if (this.bytes.length - this.length < count) {
      const larger = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.length += count;
    return new DataView(this.bytes.buffer, this.length - count, count);
  }

  byte(value: number) {
    this.take(1).setUint8(0, value);
  }

  /** A number in the code itself up to `most`, or behind `one` (0: no such code), `two` or `four`. */
  sized(value: number, tiny: number, most: number, one: number, two: number, four: number) {
    if (value <= most) this.byte(tiny | value);
    else if (value <= 0xff && one) {
      this.byte(one);
      this.byte(value);
    } else if (value <= 0xffff) {
      this.byte(two);
      this.take(2).setUint16(0, value);
    } else {
      this.byte(four);
      this.take(4).setUint32(0, value);
    }
  }

  int(value: number) {
    if (value >= 0 && value <= 0xffffffff) this.sized(value, 0, 0x7f, 0xcc, 0xcd, 0xce);
    else if (value > 0) {
      this.byte(0xcf);
      this.take(8).setBigUint64(0, BigInt(value));
    } else if (value >= -32) this.byte(value & 0xff);
    else if (value >= -0x80) {
      this.byte(0xd0);
      this.take(1).setInt8(0, value);
    } else if (value >= -0x8000) {
      this.byte(0xd1);
      this.take(2).setInt16(0, value);
    } else if (value >= -0x80000000) {
      this.byte(0xd2);
      this.take(4).setInt32(0, value);
    } else {
      this.byte(0xd3);
      this.take(8).setBigInt64(0, BigInt(value));
    }
  }

  text(value: string) {
    const utf8 = new TextEncoder().encode(value);
    this.sized(utf8.length, 0xa0, 31, 0xd9, 0xda, 0xdb);
    this.copy(utf8);
  }

  copy(bytes: Uint8Array) {
    this.take(bytes.length);
    this.bytes.set(bytes, this.length - bytes.length);
  }

  scalar(base: string, value: unknown) {
    if (base === "str") this.text(value as string);
    else if (base === "int") this.int(value as number);
    else if (base === "bool") this.byte(value ? 0xc3 : 0xc2);
    else if (base === "float") {
      this.byte(0xcb);
      this.take(8).setFloat64(0, value as number);
    } else if (base === "bytes") {
      const bytes = value as Uint8Array;
      this.sized(bytes.length, 0, -1, 0xc4, 0xc5, 0xc6);
      this.copy(bytes);
    } else this.dto(base, value as Record<string, unknown>);
  }

  dto(name: string, value: Record<string, unknown>) {
    const present = (SCHEMAS[name as DtoName] as readonly Field[]).filter((one) => own(value, one.name) !== undefined);
    this.sized(present.length, 0x80, 15, 0, 0xde, 0xdf);
    for (const field of present) {
      const item = value[field.name];
      this.text(field.name);
      if (field.shape === "list") {
        const list = item as unknown[];
        this.sized(list.length, 0x90, 15, 0, 0xdc, 0xdd);
        for (const one of list) this.scalar(field.base, one);
      } else if (field.shape === "map") {
        const entries = Object.entries(item as Record<string, unknown>);
        this.sized(entries.length, 0x80, 15, 0, 0xde, 0xdf);
        for (const [key, one] of entries) {
          this.text(key);
          this.scalar(field.base, one);
        }
      } else this.scalar(field.base, item);
    }
  }
}

class Reader {
  private readonly view: DataView;
  private at = 0;
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  get left(): number {
    return this.view.byteLength - this.at;
  }

  take(count: number): number {
    if (count > this.left) throw new WireError("$", `ends ${this.left} bytes into ${count} wanted`);
    this.at += count;
    return this.at - count;
  }

  bytes(count: number): Uint8Array {
    const at = this.take(count);
    return new Uint8Array(this.view.buffer, this.view.byteOffset + at, count).slice();
  }

  size(bytes: number): number {
    const at = this.take(bytes);
    return bytes === 1 ? this.view.getUint8(at) : bytes === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
  }

  text(count: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytes(count));
    } catch (error) {
      throw error instanceof WireError ? error : new WireError("$", "a string is not UTF-8");
    }
  }

  wide(value: bigint): number {
    if (value > BigInt(MAX_INTEGER) || value < -BigInt(MAX_INTEGER))
      throw new WireError("$", `${value} is beyond 2^53 - 1`);
    return Number(value);
  }

  list(count: number, depth: number): unknown[] {
    if (count > this.left) throw new WireError("$", `a list of ${count} is longer than the body`);
    return Array.from({ length: count }, () => this.value(depth + 1));
  }

  map(count: number, depth: number): Record<string, unknown> {
    if (count * 2 > this.left) throw new WireError("$", `a map of ${count} is longer than the body`);
    const made: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new WireError("$", "a map's key is no string");
      if (own(made, key) !== undefined) throw new WireError("$", `the key '${key}' stands twice in one map`);
      put(made, key, this.value(depth + 1));
    }
    return made;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new WireError("$", `is nested deeper than ${MAX_DEPTH}`);
    const code = this.size(1);
    if (code <= 0x7f) return code;
    if (code >= 0xe0) return code - 0x100;
    if (code <= 0x8f) return this.map(code & 0x0f, depth);
    if (code <= 0x9f) return this.list(code & 0x0f, depth);
    if (code <= 0xbf) return this.text(code & 0x1f);
    switch (code) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.bytes(this.size(1 << (code - 0xc4)));
      case 0xca: return this.view.getFloat32(this.take(4));
      case 0xcb: return this.view.getFloat64(this.take(8));
      case 0xcc: case 0xcd: case 0xce: return this.size(1 << (code - 0xcc));
      case 0xcf: return this.wide(this.view.getBigUint64(this.take(8)));
      case 0xd0: return this.view.getInt8(this.take(1));
      case 0xd1: return this.view.getInt16(this.take(2));
      case 0xd2: return this.view.getInt32(this.take(4));
      case 0xd3: return this.wide(this.view.getBigInt64(this.take(8)));
      case 0xd9: case 0xda: case 0xdb: return this.text(this.size(1 << (code - 0xd9)));
      case 0xdc: case 0xdd: return this.list(this.size(2 << (code - 0xdc)), depth);
      case 0xde: case 0xdf: return this.map(this.size(2 << (code - 0xde)), depth);
      default: throw new WireError("$", `has a byte 0x${code.toString(16)}, which no type of the IDL uses`);
    }
  }
}

/** A DTO checked: a new object of its known fields alone. For values that came as JSON. */
export function check<N extends DtoName>(name: N, value: unknown, path: string = "$"): Dtos[N] {
  return checked(name, value, path) as unknown as Dtos[N];
}

/** A DTO as MessagePack. */
export function encode<N extends DtoName>(name: N, value: Dtos[N]): Uint8Array {
  const to = new Writer();
  to.dto(name, checked(name, value, "$"));
  return to.done();
}

/** The DTO in MessagePack; bytes behind it are an error. */
export function decode<N extends DtoName>(name: N, data: Uint8Array): Dtos[N] {
  const from = new Reader(data);
  const value = from.value(0);
  if (from.left) throw new WireError("$", `${from.left} bytes follow the value`);
  return check(name, value);
}

/** A request or reply in its envelope, as MessagePack. */
export function encodeCall<N extends DtoName>(method: number, request: number, name: N, body: Dtos[N]): Uint8Array {
  const to = new Writer();
  to.sized(4, 0x90, 15, 0, 0xdc, 0xdd);
  for (const [value, path] of [[RPC_VERSION, "version"], [method, "method"], [request, "request"]] as const)
    to.int(scalar("int", value, path) as number);
  to.dto(name, checked(name, body, "$"));
  return to.done();
}

/** The envelope in MessagePack; its body goes through `check`. */
export function decodeCall(data: Uint8Array): { method: number; request: number; body: unknown } {
  const from = new Reader(data);
  const value = from.value(0);
  if (from.left) throw new WireError("$", `${from.left} bytes follow the value`);
  if (!Array.isArray(value) || value.length !== 4)
    throw new WireError("$", "must be a list of version, method, request and body");
  const [version, method, request] = value.slice(0, 3).map((one, at) => scalar("int", one, `$[${at}]`) as number) as [number, number, number];
  if (version !== RPC_VERSION) throw new WireError("$[0]", `version ${version} is not ${RPC_VERSION}`);
  if (method < 0 || method > 0xffff) throw new WireError("$[1]", `${method} is no 16-bit method id`);
  if (request < 0 || request > 0xffffffff) throw new WireError("$[2]", `${request} is no 32-bit request id`);
  return { method, request, body: value[3] as unknown };
}
