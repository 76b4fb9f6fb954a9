//! What the owner of an [`Engine`](crate::Engine) says to it and hears from it: commands, events, deliveries, statistics.
//!
//! Everything here is plain data. Ids of links, publications and subscriptions are chosen by the owner and must be
//! unique among themselves; ids of sessions are given by the engine. Times are microseconds on the engine's clock.

mod stats;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::Arc;

use bytes::Bytes;
use cc_fanout::directory::Scope;
use cc_wire::{Namespace, TrackName};

pub use stats::*;

/// Microseconds since the engine's epoch.
pub type Time = u64;

/// A link, chosen by the owner.
pub type LinkId = u64;
/// An accepted session of a relay, given by the engine.
pub type SessionId = u64;
/// A local publication, chosen by the owner.
pub type PublicationId = u64;
/// A local subscription, chosen by the owner.
pub type SubscriptionId = u64;
/// A track as deliveries name it; unique in an engine's life.
pub type TrackId = u64;

/// One UDP datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Where it came from; IPv4-mapped addresses as IPv4.
    pub from: SocketAddr,
    /// The address it was sent to, where the socket knows it.
    pub local: Option<IpAddr>,
    /// The two ECN bits.
    pub ecn: Option<u8>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// One or more UDP datagrams to send; the bytes are in the buffer given to `poll_transmit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The local address to send from, if it matters.
    pub local: Option<IpAddr>,
    /// The two ECN bits.
    pub ecn: Option<u8>,
    /// Size of each datagram but the last, if there are several.
    pub segment: Option<usize>,
    /// Bytes in all.
    pub len: usize,
}

/// Why a session, link or track ended. The same numbers on both ends and in the C ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Reason {
    /// Nothing is wrong.
    None = 0,
    /// Asked for on this side.
    Local = 1,
    /// Ended by the other side without an error.
    Peer = 2,
    /// The token does not allow it, or none was given.
    Unauthorized = 3,
    /// The token can't be read.
    MalformedToken = 4,
    /// The token is past its time.
    ExpiredToken = 5,
    /// Nothing was heard for too long.
    Timeout = 6,
    /// The certificate is not the one that was to be trusted.
    Certificate = 7,
    /// No draft that both sides speak.
    Version = 8,
    /// One side broke the protocol.
    Protocol = 9,
    /// The other side is shutting down.
    GoingAway = 10,
    /// Removed by an operator.
    Kicked = 11,
    /// The other side has no room.
    ExcessiveLoad = 12,
    /// The other side does not know the connection: it restarted.
    Reset = 13,
    /// The address can't be reached.
    Unreachable = 14,
    /// A fault of the implementation.
    Internal = 15,
    /// The same peer id connected again.
    Replaced = 16,
    /// The room was closed.
    RoomClosed = 17,
    /// The application refused the peer.
    Refused = 18,
    /// There is no such track.
    DoesNotExist = 19,
    /// The other side does not want the track.
    Uninterested = 20,
    /// The reader was too slow for a reliable track.
    TooFarBehind = 21,
    /// The track is published already.
    Duplicate = 22,
    /// A limit was reached.
    Limit = 23,
    /// The track was ended by its publisher.
    TrackEnded = 24,
    /// The session of the track's publisher was lost, and it did not come back in time.
    PublisherLost = 25,
    /// It is to be asked for elsewhere; the text says where.
    Redirected = 26,
}

/// Which side of the engine a publication or subscription belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The relay itself.
    Node,
    /// One link.
    Link(LinkId),
}

/// Whom a link trusts.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The certificate whose DER has this SHA-256.
    Pinned([u8; 32]),
    /// Certificates that chain to these PEM certificates.
    Pem(Vec<u8>),
    /// Certificates that chain to these DER roots (the system's).
    Roots(Vec<Vec<u8>>),
}

/// How a link is made and kept.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Addresses to try, in turn.
    pub addresses: Vec<SocketAddr>,
    /// Name for TLS, from the URL's host.
    pub server_name: String,
    /// `host:port` of the URL, for the AUTHORITY option.
    pub authority: String,
    /// Path and query of the URL, for the PATH option.
    pub path: String,
    /// The token, if there is one.
    pub token: Option<Bytes>,
    /// Whom to trust.
    pub trust: Trust,
    /// What the peer id is derived from where the token names none; 16 to 64 bytes. Empty: random, for the link's life.
    pub resume_secret: Bytes,
    /// Drafts to offer, best first; empty: all that are spoken.
    pub profiles: Vec<cc_wire::Profile>,
    /// Whether to dial again when the connection is lost.
    pub reconnect: bool,
    /// How long one attempt may take.
    pub connect_timeout: Time,
    /// Shortest and longest pause between attempts.
    pub backoff: (Time, Time),
    /// How long to try in all before giving up; 0: for ever.
    pub reconnect_limit: Time,
    /// A relay joins another: what is published on either is to be had on both, and the link has no tracks of its own.
    pub uplink: bool,
}

/// Where a link is to go on.
#[derive(Debug, Clone)]
pub struct LinkTarget {
    /// As [`LinkConfig::addresses`].
    pub addresses: Vec<SocketAddr>,
    /// As [`LinkConfig::server_name`].
    pub server_name: String,
    /// As [`LinkConfig::authority`].
    pub authority: String,
    /// As [`LinkConfig::path`].
    pub path: String,
}

/// What kind of track a publication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// Frames in datagrams, fragmented where needed.
    FrameDatagram = 1,
    /// Frames in one subgroup stream each.
    FrameStream = 2,
    /// Reliable, ordered messages.
    Text = 3,
    /// Audio packets; a group lasts until the next is begun.
    Audio = 4,
    /// Encoded video; each group begins with a keyframe.
    Video = 5,
}

impl TrackKind {
    /// Audio or Video: groups are begun by the publisher, newer ones go first, and late ones are given up.
    pub fn is_live(self) -> bool {
        matches!(self, TrackKind::Audio | TrackKind::Video)
    }
}

/// A local publication.
#[derive(Debug, Clone)]
pub struct TrackConfig {
    /// Full name.
    pub name: TrackName,
    /// Kind.
    pub kind: TrackKind,
    /// The capability's readable tag; empty: none.
    pub capability: Bytes,
    /// Further track properties, encoded.
    pub properties: Bytes,
    /// Default publisher priority.
    pub priority: u8,
    /// Only the newest frame counts.
    pub latest_wins: bool,
    /// Audio: a group a packet, in datagrams.
    pub datagram: bool,
    /// Group ids start at the Unix time in microseconds, not milliseconds (above 1,000 frames/s).
    pub microsecond_groups: bool,
    /// Default time to live of a frame in queues here.
    pub ttl: Option<Time>,
    /// OBJECT_DELIVERY_TIMEOUT for relays, ms.
    pub object_timeout_ms: u64,
    /// SUBGROUP_DELIVERY_TIMEOUT for relays, ms.
    pub subgroup_timeout_ms: u64,
    /// Text: messages kept for a reconnect.
    pub window_messages: u32,
    /// Bound of a subscriber's queue of this track, bytes.
    pub queue_bytes: usize,
    /// A token for this track alone; none: the link's holds.
    pub token: Option<Bytes>,
}

/// What a publication's owner and the engine share across threads.
#[derive(Debug, Default)]
pub struct PublicationShared {
    /// Bytes handed over by the owner and not yet taken by the engine.
    pub pending: AtomicU64,
    /// Subscribers that want objects now.
    pub subscribers: AtomicU32,
    /// False while the link is down.
    pub connected: AtomicBool,
    /// True once it ended.
    pub closed: AtomicBool,
    /// Audio and Video: what is sent next has to begin a group, for the last one can't go on.
    pub broken: AtomicBool,
}

/// One frame or message to publish.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Which publication.
    pub publication: PublicationId,
    /// Its bytes.
    pub payload: Bytes,
    /// Object properties, encoded; empty: none.
    pub properties: Bytes,
    /// Publisher priority; none: the track's.
    pub priority: Option<u8>,
    /// Time to live in the queue here; none: the track's.
    pub ttl: Option<Time>,
    /// Audio and Video: it begins a group.
    pub new_group: bool,
    /// Audio and Video: its group ends with it.
    pub end_group: bool,
}

/// A frame that goes out while the owner of a publication is silent.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// Its bytes.
    pub payload: Bytes,
    /// Publisher priority; none: the track's.
    pub priority: Option<u8>,
    /// How long the owner has to have sent nothing.
    pub silence: Time,
    /// Between one and the next; above 0.
    pub every: Time,
    /// How long the owner may be silent before it ends; it begins again when the owner has sent. None: without end.
    pub limit: Option<Time>,
}

/// A local subscription.
#[derive(Debug, Clone)]
pub struct SubscribeConfig {
    /// Namespace prefix, or the namespace of the one track.
    pub namespace: Namespace,
    /// The one track's name; none: all tracks under the prefix.
    pub name: Option<Bytes>,
    /// Only tracks with this capability; empty: any.
    pub capability: Bytes,
    /// Subscriber priority.
    pub priority: u8,
    /// Group order asked for; none: the publisher's.
    pub order: Option<cc_fanout::queue::GroupOrder>,
    /// One track by name: how long the relay is to wait for its publisher, ms (RENDEZVOUS_TIMEOUT); 0: not at all.
    pub rendezvous_ms: u64,
    /// One track by name: a token for this request alone; none: the link's holds.
    pub token: Option<Bytes>,
}

/// How much Text a subscription's owner takes: what comes beyond waits, and nothing of it is lost while its publisher
/// or the relay keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRoom {
    /// Bytes: payload, properties and [`MESSAGE_BYTES`] for each message. `usize::MAX`: without end.
    pub bytes: usize,
    /// Nothing waits at the owner, so the next message may be larger than that.
    pub idle: bool,
}

/// What a message counts in a [`TextRoom`] beside its bytes.
pub const MESSAGE_BYTES: usize = 56;

/// What an admitted session may do; given by the application.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// What it may publish.
    pub publish: Scope,
    /// What it may subscribe to.
    pub subscribe: Scope,
    /// Capabilities it may use; empty: any.
    pub capabilities: Vec<Bytes>,
    /// Tenant, told back with events.
    pub tenant: String,
    /// Subject of the token; a refreshed token must name the same.
    pub subject: String,
    /// Peer id, unique among the sessions of a relay.
    pub peer_id: String,
    /// When the stamp ends; none: never.
    pub expires: Option<Time>,
}

/// What the owner wants done.
#[derive(Debug)]
pub enum Command {
    /// Dial. Nothing happens where a link has this id already.
    OpenLink(LinkId, Box<LinkConfig>),
    /// End a link.
    CloseLink(LinkId, Reason, String),
    /// Use this token from now on, and refresh the live session with it.
    LinkToken(LinkId, Bytes),
    /// Go on at another place: dial it beside the session that stands, move everything there, and leave the old one.
    LinkMove(LinkId, Box<LinkTarget>),
    /// Use these addresses from the next dial on.
    LinkAddresses(LinkId, Vec<SocketAddr>),
    /// Admit a waiting session, or renew a live one's stamp.
    Accept(SessionId, Box<Stamp>),
    /// Turn a waiting session away, or end one whose refresh failed.
    Refuse(SessionId, Reason, String),
    /// Let a single request that shows a token of its own do what this stamp allows; its session stays as it is.
    AcceptRequest(SessionId, u64, Box<Stamp>),
    /// Refuse a single request that shows a token of its own.
    RefuseRequest(SessionId, u64, Reason, String),
    /// End a session.
    CloseSession(SessionId, Reason, String),
    /// Publish a track.
    Publish(PublicationId, Place, Box<TrackConfig>, Arc<PublicationShared>),
    /// End a publication.
    Unpublish(PublicationId),
    /// Send one frame or message.
    Send(Outgoing),
    /// Repeat a frame on a publication while its owner is silent, in place of the one before; none: no longer.
    Repeat(PublicationId, Option<Repeat>),
    /// Subscribe.
    Subscribe(SubscriptionId, Place, Box<SubscribeConfig>),
    /// End a subscription.
    Unsubscribe(SubscriptionId),
    /// Ask a track's publisher to begin a group that is newer than the newest known.
    WantGroup(SubscriptionId, TrackId),
    /// So much Text may be delivered to a subscription from now on. Without a word, all of it.
    TextRoom(SubscriptionId, TextRoom),
    /// GOAWAY to every session, with a place to go to instead (empty: this one again) and a time-out in ms, at whose end
    /// those that are left are closed (0: not told, and none is); new ones are refused. Said again, it changes nothing.
    Goaway(String, u64),
}

/// What the owner hears.
#[allow(missing_docs, reason = "each variant's line names its fields' meaning")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The session of a link stands and is admitted.
    LinkUp { link: LinkId, resumed: bool, gap: Time, peer_id: String, draft: u8 },
    /// It was lost; the link dials again in `retry`.
    LinkDown { link: LinkId, reason: Reason, code: u64, text: String, retry: Time },
    /// The link ended for good.
    LinkClosed { link: LinkId, reason: Reason, code: u64, text: String },
    /// The relay asks to move on.
    LinkGoaway { link: LinkId, uri: String, timeout_ms: u64 },
    /// A session waits to be admitted.
    Auth { session: SessionId, token: Bytes, path: String, from: SocketAddr, suggested_peer: String },
    /// A live session shows a new token.
    AuthRefresh { session: SessionId, token: Bytes },
    /// A single request of a live session shows a token of its own, and waits: `request` is its number in the answer,
    /// `what` says what it asks, as `publish games/room1//c7`.
    AuthRequest { session: SessionId, request: u64, token: Bytes, what: String },
    /// A session was admitted.
    SessionUp { session: SessionId, peer_id: String, tenant: String, from: SocketAddr, draft: u8, resumed: bool },
    /// A session ended; told only for sessions that were admitted.
    SessionDown { session: SessionId, peer_id: String, reason: Reason, code: u64, text: String },
    /// The publication is known to the relay (or local).
    PublishOk { publication: PublicationId },
    /// It was refused, or ended by the other side. With REDIRECTED: where to publish instead.
    PublishRefused {
        publication: PublicationId,
        reason: Reason,
        text: String,
        redirect: Option<Box<cc_wire::Redirect>>,
    },
    /// How many subscribers want its objects.
    PublishDemand { publication: PublicationId, subscribers: u32 },
    /// A subscriber wants a new group begun as soon as may be (NEW_GROUP_REQUEST): a video encoder makes a keyframe. Told
    /// of tracks with the property DYNAMIC_GROUPS.
    NewGroupWanted { publication: PublicationId },
    /// The subscription stands.
    SubscribeOk { subscription: SubscriptionId },
    /// It was refused, or ended by the other side. With REDIRECTED: where to ask instead.
    SubscribeRefused {
        subscription: SubscriptionId,
        reason: Reason,
        text: String,
        redirect: Option<Box<cc_wire::Redirect>>,
    },
    /// A track matches; its frames carry `track`. `kind` is a [`TrackKind`] as a number, or 0 if it is not told.
    TrackAdded {
        subscription: SubscriptionId,
        track: TrackId,
        kind: u8,
        name: TrackName,
        capability: Bytes,
        publisher: String,
    },
    /// It ended.
    TrackEnded { subscription: SubscriptionId, track: TrackId, reason: Reason },
    /// It goes on after a gap.
    TrackResumed { subscription: SubscriptionId, track: TrackId, last_group: u64, first_group: u64, gap: Time },
    /// Something worth one line in a log.
    Warning { text: String },
}

/// A whole frame or message for a local subscription.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// For whom.
    pub subscription: SubscriptionId,
    /// Of which track.
    pub track: TrackId,
    /// Group id.
    pub group: u64,
    /// Object id; the first one's, if it came in fragments.
    pub object: u64,
    /// Publisher priority.
    pub priority: u8,
    /// `flag::*`.
    pub flags: u8,
    /// How many fragments it came in.
    pub fragments: u32,
    /// Object properties, encoded.
    pub properties: Bytes,
    /// The payload.
    pub payload: Bytes,
}

/// Flags of a [`Delivery`].
pub mod flag {
    /// It came on a stream.
    pub const STREAM: u8 = 1;
    /// It came in fragments.
    pub const FRAGMENTED: u8 = 2;
    /// Objects before it are missing.
    pub const GAP: u8 = 4;
    /// It is a Text message.
    pub const TEXT: u8 = 8;
}
