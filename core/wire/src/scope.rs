//! Which parameter may stand where, as one table (draft -18, section 10.2; later drafts' changes
//! from -20 on).

use crate::{Error, Params, Profile, Properties, Result};
use Place as P;

/// A place that holds message parameters. The bits form a row's set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

macro_rules! places {
    ($($name:ident = $bit:literal;)*) => { $(pub(crate) const $name: Place = Place(1 << $bit);)* };
}

impl Place {
    places! {
        SUBSCRIBE = 0;
        SUBSCRIBE_OK = 1;
        PUBLISH = 2;
        REQUEST_UPDATE = 3;
        FETCH = 4;
        FETCH_OK = 5;
        TRACK_STATUS = 6;
        PUBLISH_NAMESPACE = 7;
        SUBSCRIBE_NAMESPACE = 8;
        SUBSCRIBE_TRACKS = 9;
        STATE_NOTIFY = 10;
        FILL = 11;
        OK_PUBLISH = 12;
        OK_UPDATE = 13;
        OK_STATUS = 14;
        OK_PUBLISH_NAMESPACE = 15;
        OK_SUBSCRIBE_NAMESPACE = 16;
        OK_SUBSCRIBE_TRACKS = 17;
    }
    /// A REQUEST_OK whose request is not known: whatever one of them may hold.
    pub(crate) const REQUEST_OK: Place = Place(0x3f << 12);
}

const fn any(places: &[Place]) -> u32 {
    let mut bits = 0;
    let mut i = 0;
    while i < places.len() {
        bits |= places[i].0;
        i += 1;
    }
    bits
}

struct Row {
    kind: u64,
    /// Where it may stand at -18.
    d18: u32,
    /// Where it may stand from -20 on.
    d20: u32,
}

const NOWHERE: u32 = 0;
const ON_SUBSCRIPTION_18: u32 = any(&[P::SUBSCRIBE, P::REQUEST_UPDATE, P::OK_PUBLISH]);
const TIMEOUTS_20: u32 = any(&[P::SUBSCRIBE, P::PUBLISH, P::REQUEST_UPDATE]);
const TOKENS: u32 = any(&[
    P::PUBLISH,
    P::SUBSCRIBE,
    P::REQUEST_UPDATE,
    P::SUBSCRIBE_NAMESPACE,
    P::SUBSCRIBE_TRACKS,
    P::PUBLISH_NAMESPACE,
    P::TRACK_STATUS,
    P::FETCH,
]);
/// What is passed from relay to relay names those it came through; ours, at every draft.
const HOPS: u32 = any(&[P::PUBLISH, P::SUBSCRIBE, P::FETCH, P::TRACK_STATUS, P::PUBLISH_NAMESPACE]);
const PUBLISHER: u32 = any(&[P::PUBLISH, P::SUBSCRIBE_OK]);
const RANGES_20: u32 = any(&[P::FETCH, P::SUBSCRIBE, P::SUBSCRIBE_TRACKS, P::REQUEST_UPDATE, P::FILL]);

const TABLE: &[Row] = &[
    Row { kind: 0x02, d18: ON_SUBSCRIPTION_18, d20: TIMEOUTS_20 },
    Row { kind: 0x03, d18: TOKENS, d20: TOKENS },
    Row { kind: 0x04, d18: any(&[P::SUBSCRIBE]), d20: any(&[P::SUBSCRIBE]) },
    Row { kind: 0x06, d18: ON_SUBSCRIPTION_18, d20: TIMEOUTS_20 },
    Row {
        kind: 0x08,
        d18: any(&[P::SUBSCRIBE_OK, P::PUBLISH, P::OK_PUBLISH, P::OK_UPDATE, P::OK_STATUS]),
        d20: any(&[
            P::SUBSCRIBE_OK,
            P::PUBLISH,
            P::OK_PUBLISH,
            P::OK_UPDATE,
            P::OK_STATUS,
            P::OK_SUBSCRIBE_NAMESPACE,
            P::OK_SUBSCRIBE_TRACKS,
            P::OK_PUBLISH_NAMESPACE,
        ]),
    },
    Row {
        kind: 0x09,
        d18: any(&[P::SUBSCRIBE_OK, P::PUBLISH, P::OK_UPDATE, P::OK_STATUS]),
        d20: any(&[P::SUBSCRIBE_OK, P::PUBLISH, P::OK_UPDATE, P::OK_STATUS, P::STATE_NOTIFY]),
    },
    Row { kind: 0x0a, d18: any(&[P::FETCH]), d20: any(&[P::FETCH, P::FILL]) },
    Row {
        kind: 0x10,
        d18: any(&[P::SUBSCRIBE, P::REQUEST_UPDATE, P::PUBLISH, P::OK_PUBLISH, P::SUBSCRIBE_TRACKS]),
        d20: any(&[P::SUBSCRIBE, P::REQUEST_UPDATE, P::PUBLISH, P::SUBSCRIBE_TRACKS, P::STATE_NOTIFY]),
    },
    Row {
        kind: 0x20,
        d18: any(&[P::SUBSCRIBE, P::FETCH, P::REQUEST_UPDATE, P::OK_PUBLISH]),
        d20: any(&[P::SUBSCRIBE, P::PUBLISH, P::FETCH, P::REQUEST_UPDATE, P::FILL]),
    },
    Row {
        kind: 0x21,
        d18: ON_SUBSCRIPTION_18,
        d20: any(&[
            P::FETCH,
            P::SUBSCRIBE,
            P::PUBLISH,
            P::REQUEST_UPDATE,
            P::STATE_NOTIFY,
            P::SUBSCRIBE_TRACKS,
            P::FILL,
        ]),
    },
    Row {
        kind: 0x22,
        d18: any(&[P::SUBSCRIBE, P::OK_PUBLISH, P::FETCH]),
        d20: any(&[P::SUBSCRIBE, P::PUBLISH, P::SUBSCRIBE_TRACKS, P::FETCH, P::FILL]),
    },
    Row { kind: 0x23, d18: NOWHERE, d20: any(&[P::SUBSCRIBE, P::REQUEST_UPDATE, P::SUBSCRIBE_TRACKS]) },
    Row { kind: 0x25, d18: NOWHERE, d20: RANGES_20 },
    Row { kind: 0x26, d18: NOWHERE, d20: RANGES_20 },
    Row { kind: 0x27, d18: NOWHERE, d20: RANGES_20 },
    Row { kind: 0x28, d18: NOWHERE, d20: RANGES_20 },
    Row { kind: 0x29, d18: NOWHERE, d20: any(&[P::SUBSCRIBE_TRACKS, P::REQUEST_UPDATE]) },
    Row { kind: 0x32, d18: ON_SUBSCRIPTION_18, d20: any(&[P::SUBSCRIBE, P::REQUEST_UPDATE]) },
    Row { kind: 0x34, d18: any(&[P::REQUEST_UPDATE]), d20: any(&[P::REQUEST_UPDATE]) },
    Row { kind: 0x35, d18: NOWHERE, d20: any(&[P::SUBSCRIBE, P::TRACK_STATUS, P::FETCH, P::SUBSCRIBE_TRACKS]) },
    Row { kind: 0x3807, d18: HOPS, d20: HOPS },
    Row { kind: 0x3808, d18: PUBLISHER, d20: PUBLISHER },
];

/// Whether the parameter `kind` may stand at `place`.
pub(crate) fn allowed(profile: Profile, kind: u64, place: Place) -> bool {
    let bits = |row: &Row| {
        if profile == Profile::D18 {
            row.d18
        } else {
            row.d20
        }
    };
    TABLE.iter().any(|row| row.kind == kind && bits(row) & place.0 != 0)
}

/// The kinds of request that a REQUEST_OK answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answers {
    /// A PUBLISH. From -20 on its answer holds EXPIRES at most: what the subscriber wishes, it says
    /// in a REQUEST_UPDATE.
    Publish,
    /// A REQUEST_UPDATE.
    RequestUpdate,
    /// A TRACK_STATUS, the only one whose answer has track properties.
    TrackStatus,
    /// A PUBLISH_NAMESPACE.
    PublishNamespace,
    /// A SUBSCRIBE_NAMESPACE.
    SubscribeNamespace,
    /// A SUBSCRIBE_TRACKS.
    SubscribeTracks,
}

/// Checks the content of a REQUEST_OK against the request that it answers, which the message itself
/// does not tell. For the receiver after [`crate::Message::decode`], and for the sender before
/// encoding.
///
/// # Errors
/// [`Error::Violation`] for a parameter that this answer may not hold, or properties in any but a
/// TRACK_STATUS's.
pub fn check_request_ok(profile: Profile, answers: Answers, params: &Params, properties: &Properties) -> Result<()> {
    let place = match answers {
        Answers::Publish => Place::OK_PUBLISH,
        Answers::RequestUpdate => Place::OK_UPDATE,
        Answers::TrackStatus => Place::OK_STATUS,
        Answers::PublishNamespace => Place::OK_PUBLISH_NAMESPACE,
        Answers::SubscribeNamespace => Place::OK_SUBSCRIBE_NAMESPACE,
        Answers::SubscribeTracks => Place::OK_SUBSCRIBE_TRACKS,
    };
    if params.kinds().any(|kind| !allowed(profile, kind, place)) {
        return Err(Error::Violation("a parameter that this kind of REQUEST_OK may not hold"));
    }
    if answers != Answers::TrackStatus && !properties.is_empty() {
        return Err(Error::Violation("track properties in an answer other than TRACK_STATUS's"));
    }
    Ok(())
}
