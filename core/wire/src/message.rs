//! Control messages: type, 16-bit length, payload (draft -18, section 10).

use crate::{Error, Location, Namespace, Params, Properties, Result, SetupOptions, TrackName};

/// A message on the control stream or on a request's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// 0x2f00, the first on each side's control stream.
    Setup(SetupOptions),
    /// 0x10, on a control or a request stream: the sender leaves.
    Goaway {
        /// Where to go on, at most 8,192 bytes; empty: where one is.
        uri: String,
        /// Milliseconds until the sender closes; 0: it does not say.
        timeout_ms: u64,
        /// At -18 on the control stream: the first request that was not handled. Absent on a request
        /// stream; later drafts have no such field, and there it is neither written nor read.
        request_id: Option<u64>,
    },
    /// 0x3: asks for a track's new objects.
    Subscribe {
        /// The request's id: even from a client, odd from a server.
        request_id: u64,
        /// The track.
        track: TrackName,
        /// What of it, and how.
        params: Params,
    },
    /// 0x4: grants a SUBSCRIBE.
    SubscribeOk {
        /// What stands for the track in data streams and datagrams.
        alias: u64,
        /// EXPIRES and LARGEST_OBJECT.
        params: Params,
        /// The track's properties.
        properties: Properties,
    },
    /// 0x1d: offers a track.
    Publish {
        /// The request's id.
        request_id: u64,
        /// The track.
        track: TrackName,
        /// What stands for the track in data streams and datagrams.
        alias: u64,
        /// The subscription's state as its publisher sees it.
        params: Params,
        /// The track's properties.
        properties: Properties,
    },
    /// 0x7: grants any request but SUBSCRIBE and FETCH. What may be in it depends on the request:
    /// see [`crate::check_request_ok`].
    RequestOk {
        /// The answer's parameters.
        params: Params,
        /// The track's properties, after a TRACK_STATUS.
        properties: Properties,
    },
    /// 0x5: refuses a request.
    RequestError {
        /// One of [`crate::codes::request_error`], or another.
        code: u64,
        /// Milliseconds after which to try again; `None`: do not.
        retry_interval: Option<u64>,
        /// For people, at most 1,024 bytes.
        reason: String,
        /// Where to go instead, exactly when the code is REDIRECT.
        redirect: Option<Redirect>,
    },
    /// 0x2: changes the request whose stream it is on.
    RequestUpdate {
        /// The update's own request id.
        request_id: u64,
        /// What changes.
        params: Params,
    },
    /// 0xb: the last message of a subscription's publisher.
    PublishDone {
        /// One of [`crate::codes::publish_done`], or another.
        code: u64,
        /// How many data streams were opened, below 2^62 - 1; `None`: not known.
        stream_count: Option<u64>,
        /// For people, at most 1,024 bytes.
        reason: String,
    },
    /// 0x16: asks for past objects.
    Fetch {
        /// The request's id.
        request_id: u64,
        /// The track, and where its range is said.
        kind: FetchKind,
        /// For a standalone FETCH `filter` is the range, at every draft.
        params: Params,
    },
    /// 0x18: grants a FETCH.
    FetchOk {
        /// Whether the track has ended and `end` is its last object.
        end_of_track: bool,
        /// The last location that the answer covers.
        end: FetchEnd,
        /// None are defined.
        params: Params,
        /// The track's properties.
        properties: Properties,
    },
    /// 0xd: asks how a track is, without subscribing.
    TrackStatus {
        /// The request's id.
        request_id: u64,
        /// The track.
        track: TrackName,
        /// Tokens and the like.
        params: Params,
    },
    /// 0x6: says that tracks are to be had under a namespace.
    PublishNamespace {
        /// The request's id.
        request_id: u64,
        /// The namespace.
        namespace: Namespace,
        /// Tokens.
        params: Params,
    },
    /// 0x50: asks which namespaces there are.
    SubscribeNamespace {
        /// The request's id.
        request_id: u64,
        /// What they start with.
        prefix: Namespace,
        /// Tokens.
        params: Params,
    },
    /// 0x51: asks for a PUBLISH of each track.
    SubscribeTracks {
        /// The request's id.
        request_id: u64,
        /// What their namespaces start with.
        prefix: Namespace,
        /// What to forward of them.
        params: Params,
    },
    /// 0x8: a namespace that matches a SUBSCRIBE_NAMESPACE.
    Namespace {
        /// What follows the prefix.
        suffix: Namespace,
    },
    /// 0xe: a namespace that is no more.
    NamespaceDone {
        /// What follows the prefix.
        suffix: Namespace,
    },
    /// 0xf: a track for which no PUBLISH will come; PUBLISH_SKIPPED from -20 on.
    PublishBlocked {
        /// What follows the prefix.
        suffix: Namespace,
        /// The track's name.
        name: bytes::Bytes,
    },
    /// 0x22, from -20 on: a publisher tells what changed in its subscription. Not answered.
    PublishStateNotify {
        /// What changed, and LARGEST_OBJECT if known.
        params: Params,
    },
}

/// What a FETCH refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchKind {
    /// A track; the range is the parameters' `filter`, which at -18 must be an absolute range.
    Standalone(TrackName),
    /// At -18: the track of a subscription, from some groups before its start up to its start.
    RelativeJoining {
        /// The subscription's request id.
        joining: u64,
        /// How many groups before.
        groups: u64,
    },
    /// At -18: the track of a subscription, from a group up to its start.
    AbsoluteJoining {
        /// The subscription's request id.
        joining: u64,
        /// The first group.
        group: u64,
    },
}

/// The last location that a FETCH_OK covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FetchEnd {
    /// The last group.
    pub group: u64,
    /// The last object in it, inclusive at every draft; `None`, at -18 only: the whole group.
    pub object: Option<u64>,
}

impl From<Location> for FetchEnd {
    fn from(end: Location) -> Self {
        FetchEnd { group: end.group, object: Some(end.object) }
    }
}

/// Where a refused request may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirect {
    /// The server, at most 8,192 bytes; empty: this one.
    pub uri: String,
    /// The track or namespace; empty: the same.
    pub track: TrackName,
}

impl Message {
    /// The longest URI in GOAWAY and redirects, in bytes.
    pub const MAX_URI: usize = 8192;
    /// The longest reason phrase, in bytes.
    pub const MAX_REASON: usize = 1024;
    /// The longest payload, in bytes.
    pub const MAX_PAYLOAD: usize = 0xffff;
    /// The longest message: type, length and payload.
    pub const MAX_FRAME: usize = 9 + 2 + Self::MAX_PAYLOAD;

    /// How long the message at the start of `bytes` is, type and length included; `None` while that
    /// cannot be told. The message itself need not be complete.
    pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>> {
        let mut reader = crate::Reader::new(bytes);
        let header = reader.varint().and_then(|_| Ok([reader.u8()?, reader.u8()?]));
        match header {
            Ok(len) => Ok(Some(reader.position() + usize::from(u16::from_be_bytes(len)))),
            Err(Error::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The draft's name of the message's type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Message::Setup(_) => "SETUP",
            Message::Goaway { .. } => "GOAWAY",
            Message::Subscribe { .. } => "SUBSCRIBE",
            Message::SubscribeOk { .. } => "SUBSCRIBE_OK",
            Message::Publish { .. } => "PUBLISH",
            Message::RequestOk { .. } => "REQUEST_OK",
            Message::RequestError { .. } => "REQUEST_ERROR",
            Message::RequestUpdate { .. } => "REQUEST_UPDATE",
            Message::PublishDone { .. } => "PUBLISH_DONE",
            Message::Fetch { .. } => "FETCH",
            Message::FetchOk { .. } => "FETCH_OK",
            Message::TrackStatus { .. } => "TRACK_STATUS",
            Message::PublishNamespace { .. } => "PUBLISH_NAMESPACE",
            Message::SubscribeNamespace { .. } => "SUBSCRIBE_NAMESPACE",
            Message::SubscribeTracks { .. } => "SUBSCRIBE_TRACKS",
            Message::Namespace { .. } => "NAMESPACE",
            Message::NamespaceDone { .. } => "NAMESPACE_DONE",
            Message::PublishBlocked { .. } => "PUBLISH_BLOCKED",
            Message::PublishStateNotify { .. } => "PUBLISH_STATE_NOTIFY",
        }
    }
}
