//! The words of the session's interface: configuration, requests, replies, events, errors.

use std::fmt;

use bytes::Bytes;
use cc_wire::{
    DatagramHeader, Error as WireError, FetchEnd, FetchItem, FetchKind, Namespace, ObjectHeader, Params, Profile,
    Properties, Redirect, SetupOptions, SubgroupHeader, TrackName,
};

use crate::slab::Key;

/// A moment in microseconds, on whatever clock the owner passes in; it never goes back.
pub type Time = u64;

/// Which end of the connection this is; request ids are even from a client, odd from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection. May be sent a URI in GOAWAY.
    Client,
    /// Accepted it. Sends nothing before [`Session::setup`](crate::Session::setup).
    Server,
}

/// How a session is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our end.
    pub role: Role,
    /// The draft that ALPN settled on.
    pub profile: Profile,
    /// Bounds on what the peer can make this session hold.
    pub limits: Limits,
    /// How long to wait for the peer's SETUP, in us; then CONTROL_MESSAGE_TIMEOUT. 0: for ever.
    pub setup_timeout: Time,
    /// How long a request of ours may stay unanswered, in us, in addition to its own
    /// RENDEZVOUS_TIMEOUT; then it is cancelled and ends as [`Ended::TimedOut`]. 0: for ever.
    pub request_timeout: Time,
}

impl Config {
    /// With default limits, 10 s for SETUP and 30 s for an answer.
    pub fn new(role: Role, profile: Profile) -> Self {
        Self { role, profile, limits: Limits::default(), setup_timeout: 10_000_000, request_timeout: 30_000_000 }
    }
}

/// Bounds on memory and work. Whatever goes over is refused, stopped or dropped, and counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Request streams at once, each way. More of ours: [`CommandError::Limit`]; more of the
    /// peer's: reset with EXCESSIVE_LOAD.
    pub requests: usize,
    /// Subscriptions in which the peer publishes to us, by either request. More of ours:
    /// [`CommandError::Limit`]; more of the peer's: refused with EXCESSIVE_LOAD.
    pub subscriptions: usize,
    /// Unidirectional streams of the peer's at once. More are stopped with EXCESSIVE_LOAD.
    pub data_streams: usize,
    /// An object's payload, in bytes, as announced. A larger one ends its stream.
    pub object_bytes: u64,
    /// An object's properties, in bytes. Larger ones end their stream.
    pub properties_bytes: usize,
    /// A whole control message, type and length included, in bytes. A longer one is a violation.
    pub message_bytes: usize,
    /// Messages and objects of which only a part has come, in bytes, of all streams together.
    /// The stream that goes over is ended with EXCESSIVE_LOAD.
    pub assembly_bytes: usize,
    /// What waits in one request stream to be sent, in bytes, before commands fail.
    pub outbox_bytes: usize,
    /// Datagrams of an alias that is not known yet, in bytes and overheads; more are dropped.
    pub unknown_alias_bytes: usize,
    /// Subgroup streams, left unread, of an alias that is not known yet; more are stopped.
    pub unknown_alias_streams: usize,
    /// How long these are kept, in us.
    pub unknown_alias_time: Time,
    /// How long after PUBLISH_DONE streams that it counts may still begin, in us.
    pub late_data_time: Time,
    /// Namespaces announced by NAMESPACE and not withdrawn, of all requests together. The
    /// request that goes over is cancelled.
    pub namespaces: usize,
    /// Updates of the peer's, unanswered, on one stream before it is left unread.
    pub updates: usize,
    /// Tokens that the peer may register under aliases, in bytes as MAX_AUTH_TOKEN_CACHE_SIZE counts them: each is its
    /// length and 16. 0: none.
    pub token_bytes: u64,
    /// Events not yet polled before streams are left unread and datagrams dropped.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 1024,
            subscriptions: 1024,
            data_streams: 4096,
            object_bytes: 16 << 20,
            properties_bytes: 65_535,
            message_bytes: cc_wire::Message::MAX_FRAME,
            assembly_bytes: 64 << 20,
            outbox_bytes: 256 << 10,
            unknown_alias_bytes: 64 << 10,
            unknown_alias_streams: 64,
            unknown_alias_time: 1_000_000,
            late_data_time: 2_000_000,
            namespaces: 4096,
            updates: 16,
            token_bytes: 16 << 10,
            events: 1024,
        }
    }
}

/// A request, ours or the peer's, while it lives. After [`Event::Refused`], [`Event::Done`] or
/// [`Event::Ended`], or after we end it ourselves, commands with it answer
/// [`CommandError::Gone`]. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey(pub(crate) Key);

/// An incoming stream of objects, from [`Event::SubgroupStart`] or [`Event::FetchStart`] to its
/// end. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKey(pub(crate) Key);

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data {}", self.0)
    }
}

/// What a request stream begins with.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Asks for a track's objects.
    Subscribe {
        /// Which.
        track: TrackName,
        /// AUTHORIZATION_TOKEN, SUBSCRIBER_PRIORITY, FORWARD and so on.
        params: Params,
    },
    /// Offers a track's objects; they may follow at once.
    Publish {
        /// Which.
        track: TrackName,
        /// The publisher's number for it, in this session.
        alias: u64,
        /// Message parameters.
        params: Params,
        /// The track's own properties.
        properties: Properties,
    },
    /// Tells that tracks under a namespace can be subscribed to here.
    PublishNamespace {
        /// Which.
        namespace: Namespace,
        /// Message parameters.
        params: Params,
    },
    /// Asks for the namespaces under a prefix, now and later.
    SubscribeNamespace {
        /// Which; empty for all.
        prefix: Namespace,
        /// Message parameters.
        params: Params,
    },
    /// Asks for a PUBLISH of each track under a prefix, now and later.
    SubscribeTracks {
        /// Which; empty for all.
        prefix: Namespace,
        /// Message parameters.
        params: Params,
    },
    /// Asks how a track stands, without subscribing.
    TrackStatus {
        /// Which.
        track: TrackName,
        /// Message parameters.
        params: Params,
    },
    /// Asks for objects of the past.
    Fetch(Fetch),
}

/// What a FETCH asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// The track, or at -18 the subscription whose past is wanted; its request id is
    /// [`Session::request_id`](crate::Session::request_id).
    pub kind: FetchKind,
    /// The range, as `filter`, and message parameters.
    pub params: Params,
}

/// Yes to a request; which kind belongs to which request, see
/// [`Session::accept`](crate::Session::accept).
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To PUBLISH, PUBLISH_NAMESPACE, SUBSCRIBE_NAMESPACE, SUBSCRIBE_TRACKS, TRACK_STATUS, and
    /// to updates.
    Ok {
        /// Message parameters.
        params: Params,
        /// Track properties: TRACK_STATUS only.
        properties: Properties,
    },
    /// To SUBSCRIBE.
    SubscribeOk {
        /// The publisher's number for the track, in this session.
        alias: u64,
        /// Message parameters.
        params: Params,
        /// The track's own properties.
        properties: Properties,
    },
    /// To FETCH.
    FetchOk {
        /// The track has ended, and `end` is its last object.
        end_of_track: bool,
        /// Where the objects end.
        end: FetchEnd,
        /// Message parameters.
        params: Params,
        /// The track's own properties.
        properties: Properties,
    },
}

/// No to a request or an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `cc_wire::codes::request_error`.
    pub code: u64,
    /// The same may be asked again after so many ms; `None`: it is not worth asking again.
    pub retry_ms: Option<u64>,
    /// For people; at most 1,024 bytes are sent.
    pub reason: String,
    /// Where to ask instead; exactly with the code REDIRECT. Of a server alone its URI may be other than empty.
    pub redirect: Option<Box<Redirect>>,
}

impl Refusal {
    /// A refusal that is not worth asking again after.
    pub fn new(code: u64, reason: impl Into<String>) -> Self {
        Self { code, retry_ms: None, reason: reason.into(), redirect: None }
    }
}

/// How a request's stream ended, other than by a message that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer finished its direction, and nothing more can come of the request.
    Finished,
    /// The peer reset its direction with this code (`cc_wire::codes::stream_reset`).
    Reset(u64),
    /// The peer sent STOP_SENDING with this code.
    Stopped(u64),
    /// No answer came within [`Config::request_timeout`].
    TimedOut,
}

/// How a stream of objects ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// All its objects have been delivered.
    Fin,
    /// There may be more objects. The code is the peer's, or CANCELLED or EXCESSIVE_LOAD where
    /// this session gave the stream up.
    Reset(u64),
}

/// What happened. Drained by [`Session::poll_event`](crate::Session::poll_event).
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer's SETUP, once. For a server: the time to authenticate. Its tokens are given by value.
    Setup(SetupOptions),
    /// The peer asks; to be answered by `accept` or `refuse`. Its tokens are given by value, aliases resolved.
    Request {
        /// Its key from now on.
        key: RequestKey,
        /// What is asked.
        request: Request,
    },
    /// Our request is granted.
    Accepted {
        /// Ours.
        key: RequestKey,
        /// The answer.
        reply: Reply,
    },
    /// Our request is refused. The key is dead.
    Refused {
        /// Ours.
        key: RequestKey,
        /// The answer.
        refusal: Refusal,
    },
    /// The peer changes a request that is granted; to be answered by `answer_update`, in order. Tokens as in `Request`.
    Update {
        /// Either side's request.
        key: RequestKey,
        /// The update's own id: what a fill that it asks for is sent under.
        request_id: u64,
        /// What changes; absent parameters stay as they are.
        params: Params,
    },
    /// The answer to our oldest unanswered update.
    UpdateAnswered {
        /// Either side's request.
        key: RequestKey,
        /// Parameters of the new state, or why not.
        result: Result<Params, Refusal>,
    },
    /// The publisher tells of a change that nobody asked for (PUBLISH_STATE_NOTIFY, -20 on).
    Notify {
        /// The subscription.
        key: RequestKey,
        /// What has changed.
        params: Params,
    },
    /// The publisher has ended the subscription, and the streams it counted are through or did
    /// not come in time. The key is dead.
    Done {
        /// The subscription.
        key: RequestKey,
        /// `cc_wire::codes::publish_done`.
        code: u64,
        /// Streams the publisher opened, if it knew.
        stream_count: Option<u64>,
        /// For people.
        reason: String,
    },
    /// A namespace under the prefix of our SUBSCRIBE_NAMESPACE.
    Namespace {
        /// Our SUBSCRIBE_NAMESPACE.
        key: RequestKey,
        /// What follows the prefix.
        suffix: Namespace,
    },
    /// It is there no more. When the request ends this holds of all its namespaces.
    NamespaceDone {
        /// Our SUBSCRIBE_NAMESPACE.
        key: RequestKey,
        /// What follows the prefix.
        suffix: Namespace,
    },
    /// A track under the prefix of our SUBSCRIBE_TRACKS for which no PUBLISH will come
    /// (PUBLISH_BLOCKED, later PUBLISH_SKIPPED).
    TrackBlocked {
        /// Our SUBSCRIBE_TRACKS.
        key: RequestKey,
        /// What follows the prefix.
        suffix: Namespace,
        /// The track's name.
        name: Bytes,
    },
    /// The peer will close the session soon.
    Goaway {
        /// Where to go instead; empty for the same place.
        uri: String,
        /// When it closes, in ms; 0 if it does not say.
        timeout_ms: u64,
    },
    /// The peer wants one request moved: to be asked again there, and ended here.
    RequestGoaway {
        /// Either side's request.
        key: RequestKey,
        /// Where to; empty for this session.
        uri: String,
        /// When it resets the stream, in ms; 0 if it does not say.
        timeout_ms: u64,
    },
    /// The request's stream ended otherwise. The key is dead.
    Ended {
        /// Either side's request.
        key: RequestKey,
        /// How.
        cause: Ended,
    },
    /// An object in a datagram.
    Datagram {
        /// The subscription: our SUBSCRIBE, or a PUBLISH that we accepted.
        key: RequestKey,
        /// Where in the track.
        header: DatagramHeader,
        /// Empty if the header has a status.
        payload: Bytes,
    },
    /// A subgroup of one object, whose stream came whole, its end included: there is no `SubgroupStart` and no
    /// `SubgroupEnd`.
    Whole {
        /// The subscription.
        key: RequestKey,
        /// Where in the track.
        header: SubgroupHeader,
        /// The object's id and properties.
        object: ObjectHeader,
        /// All of it.
        payload: Bytes,
    },
    /// A subgroup's stream begins.
    SubgroupStart {
        /// Its key until `SubgroupEnd`.
        data: DataKey,
        /// The subscription.
        key: RequestKey,
        /// Where in the track.
        header: SubgroupHeader,
    },
    /// A whole object of a subgroup, in order.
    Object {
        /// The subgroup.
        data: DataKey,
        /// Its id and properties.
        header: ObjectHeader,
        /// All of it.
        payload: Bytes,
    },
    /// The stream of a subgroup or a fetch is over; each that started ends once, before the
    /// request it belongs to.
    SubgroupEnd {
        /// The stream.
        data: DataKey,
        /// How.
        end: DataEnd,
    },
    /// The stream with the objects of our FETCH, or of a fill, begins; it ends with `SubgroupEnd`.
    FetchStart {
        /// Its key until then.
        data: DataKey,
        /// Our FETCH, or the subscription that the fill was asked for with.
        key: RequestKey,
    },
    /// A whole object of a fetch, or a range without objects, in order.
    FetchItem {
        /// The stream.
        data: DataKey,
        /// Where in the track.
        item: FetchItem,
        /// All of it; empty for a range.
        payload: Bytes,
    },
    /// The session is broken: the owner closes the connection with this code
    /// (`cc_wire::codes::session`). The last event; all keys are dead.
    Fatal {
        /// Whose fault it is, by the draft: the peer's, except INTERNAL_ERROR.
        code: u64,
        /// For people: what was wrong.
        reason: String,
    },
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The key's request is over, or the session is.
    Gone,
    /// The request's kind, side or phase does not have this; the caller's mistake.
    NotAllowed(&'static str),
    /// A bound is reached, ours or one that the peer has set; the same may succeed later.
    Limit(&'static str),
    /// The message cannot be written; the caller's mistake.
    Encode(WireError),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the request or its session is over"),
            Self::NotAllowed(what) => write!(f, "not allowed here: {what}"),
            Self::Limit(what) => write!(f, "at the limit of {what}"),
            Self::Encode(error) => write!(f, "the message cannot be written: {error}"),
        }
    }
}

impl std::error::Error for CommandError {}

/// What has been counted since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Objects delivered as events, by stream or datagram.
    pub objects: u64,
    /// Their payload, in bytes.
    pub object_bytes: u64,
    /// Control and request messages received.
    pub messages_in: u64,
    /// Control and request messages queued for sending.
    pub messages_out: u64,
    /// Datagrams that came before our SETUP was queued.
    pub datagrams_parked: u64,
    /// Datagrams of an alias that nobody named in time, or for which there was no room.
    pub datagrams_unknown: u64,
    /// Datagrams of a subscription that is over.
    pub datagrams_retired: u64,
    /// Datagrams dropped because too many events waited.
    pub datagrams_unpolled: u64,
    /// Padding datagrams.
    pub datagrams_padding: u64,
    /// Subgroup streams stopped: an alias that nobody named in time, or no room.
    pub streams_unknown: u64,
    /// Data streams stopped: their subscription is over.
    pub streams_retired: u64,
    /// Data streams stopped: an object or its properties over the limit.
    pub streams_too_large: u64,
    /// Streams of any kind ended: too many at once, or too much in parts.
    pub streams_excess: u64,
    /// Requests of the peer's refused here: over a limit, or after our GOAWAY.
    pub requests_refused: u64,
    /// Of the streams ended as excess: request streams beyond those allowed at once.
    pub excess_requests: u64,
    /// Of the streams ended as excess: data streams beyond those allowed at once.
    pub excess_data: u64,
    /// Of the streams ended as excess: those that went over the bound of what is held in parts.
    pub excess_assembly: u64,
    /// Times that a request's updates were left unread until others are answered.
    pub updates_put_off: u64,
}

/// What a session holds now; all zero when nothing is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Request streams of both sides, with those that are over and not closed.
    pub requests: usize,
    /// Subscriptions in which the peer publishes.
    pub subscriptions: usize,
    /// Streams of objects, with those whose end waits to be polled.
    pub data_streams: usize,
    /// Namespaces announced to us.
    pub namespaces: usize,
    /// Tokens that the peer has registered, in bytes.
    pub token_bytes: u64,
    /// Messages and objects of which only a part has come, in bytes.
    pub assembly_bytes: usize,
    /// Datagrams and streams of an alias that is not known, or not decided on.
    pub early: usize,
    /// Events not yet polled.
    pub events: usize,
}
