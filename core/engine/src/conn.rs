//! One QUIC connection with its MoQT session and its sending queue.
//!
//! [`Conn`] holds what belongs together for the life of one connection; what it means (who may do what, what goes
//! where) is the engine's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use cc_fanout::directory::Scope;
use cc_fanout::queue::{Queue, SubgroupKey, TrackKey};
use cc_session::{Fetch, RequestKey, Session, StreamId};
use cc_wire::{Namespace, Params, Profile, TrackName};
use quinn_proto::ConnectionHandle;

use crate::api::{LinkId, Place, Reason, SessionId, Stamp, Time, TrackId};
use crate::beyond::Beyond;
use crate::carrier::Carrier;
use crate::congestion::Readings;
use crate::door::Knock;
use crate::limits::Limits;
use crate::opened::Opened;
use crate::tokens::RequestTokens;

/// Index of a connection in the engine.
pub(crate) type ConnIndex = usize;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Accepted by the relay.
    Session(SessionId),
    /// Dialled for a link.
    Link(LinkId),
    /// Another shard of this relay, by number, and whether this end counts as the one that dialled.
    Sibling { shard: usize, dialled: bool },
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// QUIC and TLS.
    Handshake,
    /// Waiting for the peer's SETUP.
    Setup,
    /// Waiting for the owner to admit it, until then at most.
    Parked { until: Time },
    /// Admitted.
    Up,
    /// Closed here or there; kept until QUIC has drained.
    Closed,
}

/// What a request stream of the session stands for.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    /// We receive the track from this session.
    Source(TrackId),
    /// We send the track to this session.
    Sink(TrackId),
    /// The peer watches a prefix for tracks. Of those that it was told to be skipped it is offered none again.
    TrackWatch { prefix: Namespace, params: Box<Params>, skipped: BTreeSet<TrackId> },
    /// The peer watches a prefix for namespaces, and is told of those in which its token lets it subscribe: what was told
    /// under one token has to be taken back under the next, so the scope is kept.
    NamespaceWatch { prefix: Namespace, scope: Option<Scope> },
    /// The peer announced a namespace, which came through these relays.
    Announced { namespace: Namespace, hops: Vec<u64> },
    /// The peer fetches, and this is the answer's track in the queue.
    Answering(TrackKey),
    /// We fetch.
    OurFetch(Again<Fetch>),
    /// We watch a prefix for tracks.
    OurTrackWatch(Namespace),
    /// We asked for one track by name, for these local subscriptions or downstream requests.
    OurSubscribe(TrackId),
    /// The peer offers the track too, and another way is used.
    Standby(TrackId),
    /// We asked a relay above for all its tracks.
    UplinkTracks,
    /// We asked a relay above for all its namespaces.
    UplinkNames,
    /// We announced a namespace to another relay.
    Announcing(Namespace),
    /// We asked somebody how a track is, for this request of another session.
    OurStatus { asker: ConnIndex, request: RequestKey, again: Again<(TrackName, Params)> },
}

/// What is made of a request of ours if it is to be made again: GOAWAY on its stream, without a place.
#[derive(Debug, Clone)]
pub(crate) enum Again<T> {
    /// Nothing has been answered: the same.
    Once(Box<T>),
    /// It was made again already.
    Over,
    /// Its answer is on its way, and is awaited.
    Answered,
}

/// What the session closes with: kept until QUIC says that the connection is lost.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    pub(crate) reason: Reason,
    pub(crate) code: u64,
    pub(crate) text: String,
}

/// One connection.
// What is looked at for each datagram that goes there comes first, and lies together.
#[repr(C)]
pub(crate) struct Conn {
    pub(crate) wants_service: bool,
    pub(crate) wants_send: bool,
    pub(crate) queue: Queue,
    pub(crate) handle: ConnectionHandle,
    pub(crate) carrier: Carrier,
    pub(crate) side: Side,
    /// It belongs to the relay's own domain, though it was dialled.
    pub(crate) uplink: bool,
    pub(crate) stage: Stage,
    pub(crate) profile: Profile,
    /// There once the handshake has chosen a draft.
    pub(crate) session: Option<Session>,
    pub(crate) readings: Arc<Readings>,
    pub(crate) remote: SocketAddr,
    /// When the last datagram of it came.
    pub(crate) heard: Time,
    pub(crate) stamp: Option<Box<Stamp>>,
    /// When the stamp ends, which is asked whenever its timer is set; [`Time::MAX`]: never.
    pub(crate) expires: Time,
    pub(crate) suggested_peer: String,
    pub(crate) roles: BTreeMap<RequestKey, Role>,
    /// Tracks of this connection's queue.
    pub(crate) sinks: BTreeMap<TrackKey, SinkRef>,
    /// Some of them end once nothing of theirs is queued.
    pub(crate) has_endings: bool,
    /// Open data streams that we send, both ways round.
    pub(crate) sending: Opened,
    pub(crate) sending_back: BTreeMap<StreamId, Sending>,
    /// Data streams that we receive, by the session's key.
    pub(crate) receiving: BTreeMap<cc_session::DataKey, TrackId>,
    /// Streams of our fetches.
    pub(crate) fetching: BTreeMap<cc_session::DataKey, RequestKey>,
    /// A refreshed token waits for the owner's word, with what else its update changes.
    pub(crate) refreshing: Option<Box<(RequestKey, u64, Params)>>,
    /// Requests with tokens of their own.
    pub(crate) tokens: RequestTokens,
    /// Namespaces that we announced to this relay, with the relays they came through.
    pub(crate) announcing: BTreeMap<Namespace, (RequestKey, Vec<u64>)>,
    /// Its timer in the engine's table, if it has one.
    pub(crate) timer: Option<Time>,
    /// After how many [batches](Readings::batches) of acknowledgements how much was handed over, packets' headers
    /// included.
    pub(crate) handed: (u64, u64),
    pub(crate) beyond: Beyond,
    /// What quinn's datagram buffer holds when it is empty.
    pub(crate) datagram_space: usize,
    pub(crate) objects_in: u64,
    /// Drops that no queue counted, once there are some.
    pub(crate) drops: Option<Box<[u64; 8]>>,
    /// Streams that the peer may open now, by direction (bi, uni).
    pub(crate) permitted: [usize; 2],
    /// Bytes that its session holds in parts, as last counted.
    pub(crate) assembling: usize,
    /// Its place at the relay's door; none for one that was dialled.
    pub(crate) knock: Option<Box<Knock>>,
}

/// A track of a connection's queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SinkRef {
    /// 0: the answer to a FETCH, or a fill.
    pub(crate) track: TrackId,
    pub(crate) request: RequestKey,
    /// A fill: the subscription that it belongs to.
    pub(crate) fill_of: Option<TrackKey>,
    /// Data streams opened for the subscription, for PUBLISH_DONE.
    pub(crate) streams: u64,
    /// PUBLISH_DONE is sent with this code once nothing of the track is queued.
    pub(crate) ending: Option<u64>,
}

/// A data stream that we send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) subgroup: SubgroupKey,
    pub(crate) queue: TrackKey,
    /// 0: the answer to a FETCH, or a fill.
    pub(crate) track: TrackId,
    pub(crate) group: u64,
}

impl Conn {
    /// The stamp that it had, in place of which it has this one.
    pub(crate) fn set_stamp(&mut self, stamp: Option<Stamp>) -> Option<Box<Stamp>> {
        self.expires = stamp.as_ref().and_then(|stamp| stamp.expires).unwrap_or(Time::MAX);
        std::mem::replace(&mut self.stamp, stamp.map(Box::new))
    }

    /// The domain that it acts on.
    pub(crate) fn place(&self) -> Place {
        match self.side {
            Side::Link(link) if !self.uplink => Place::Link(link),
            _ => Place::Node,
        }
    }

    /// Whether we dialled it: the other end is the server.
    pub(crate) fn is_dialled(&self) -> bool {
        matches!(self.side, Side::Link(_) | Side::Sibling { dialled: true, .. })
    }

    /// The track that this request stream sends or receives.
    pub(crate) fn track_of(&self, key: RequestKey) -> Option<TrackId> {
        match self.roles.get(&key) {
            Some(Role::Source(id) | Role::Sink(id) | Role::OurSubscribe(id)) => Some(*id),
            _ => None,
        }
    }

    /// The most ranges that one request of the peer's may have in its filters (our MAX_FILTER_RANGES).
    pub(crate) fn granted_ranges(&self, limits: &Limits) -> u64 {
        match self.side {
            Side::Session(_) | Side::Sibling { .. } if self.profile >= Profile::D20 => limits.filter_ranges as u64,
            _ => 0,
        }
    }
}

// The sizes of Linux's allocator are a quarter apart beyond 8 KiB, and alignment to 16 costs it 15 bytes more. What qlog
// adds is not in the shipped library.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(feature = "qlog")))]
const _: () = assert!(std::mem::size_of::<Conn>() <= 8192 - 15, "a connection takes the allocator's next size");
