//! FETCH and fills, both ways: the past of a track is served from what is kept here, passed on to whoever publishes it, or
//! asked for when a reader of Text misses messages, or joins late.
//!
//! A fill (from draft -20 on) is a FETCH that comes with a subscription: its objects go out on a stream of their own, under
//! the id of the SUBSCRIBE, PUBLISH or REQUEST_UPDATE that it came with, up to the largest object known then. It has no
//! FETCH_OK and no REQUEST_ERROR: what can't be had is told in the stream.

mod answers;
mod fills;
mod keeping;
mod ours;

use keeping::Way;

use std::collections::VecDeque;

use bytes::Bytes;
use cc_fanout::queue::{SubgroupKey, TrackConfig, TrackKey};
use cc_session::{Fetch, Refusal, RequestKey};
use cc_wire::{
    codes, FetchEnd, FetchItem, FetchKind, FetchObject, FetchPrior, Gap, GroupOrder, Location, Params, Profile,
    Properties, TrackName,
};

use crate::api::{Place, SubscriptionId, Time, TrackId};
use crate::conn::{ConnIndex, Role};
use crate::limits::Limit;
use crate::selection::{self, Facts, Selection};
use crate::track::Source;
use crate::Engine;

/// Bytes of one answer that wait in the sending queue; the rest of it waits where it is kept.
const ANSWER_BYTES: usize = 256 << 10;
/// What an element that waits counts beside its payload.
const ITEM_COST: usize = 192;
/// Fills of one subscription under way.
const FILLS_MAX: usize = 4;
/// Joining FETCHes that wait for one subscription to be answered.
const JOINING_MAX: usize = 4;
/// An object id above all others that every peer can read.
const ANY_OBJECT: u64 = (1 << 53) - 1;

/// An answer that is being sent: a stream of the sending queue.
#[derive(Debug)]
struct Answering {
    conn: ConnIndex,
    /// The FETCH, or the subscription that a fill belongs to.
    request: RequestKey,
    fill: bool,
    queue: TrackKey,
    stream: SubgroupKey,
    profile: Profile,
    order: GroupOrder,
    prior: FetchPrior,
    /// Which objects are wanted.
    selection: Selection,
    /// When waiting for the publisher ends (FILL_TIMEOUT).
    until: Option<Time>,
    /// FILL_TIMEOUT is 0: what the relay has, on whichever shard, and no more.
    at_once: bool,
    /// INCLUDE_PROPERTIES.
    asked: Params,
    /// What its stream is reset with if it is cut short.
    broken: u64,
}

/// Where an answer's objects come from, as far as it has come.
#[derive(Debug)]
enum Origin {
    /// From what is kept here of a track: what is next, and what it is to be called that is not here.
    Kept { track: TrackId, next: Option<Location>, gap: Gap },
    /// From its publisher: elements that wait for room, their bytes, and whether it has ended (with all it had).
    Publisher { waiting: VecDeque<(FetchItem, Bytes)>, bytes: usize, ended: Option<bool> },
}

/// An answer under way.
#[derive(Debug)]
pub(crate) struct Answer {
    answering: Answering,
    origin: Origin,
}

/// A FETCH that is passed on. FETCH_OK and the objects come in any order, and the request lives until both are here.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// Who asked, and by which answer it gets it.
    conn: ConnIndex,
    request: RequestKey,
    queue: TrackKey,
    /// Where the range ends that was asked for.
    asked: Location,
    /// The track, if it is known here.
    track: TrackId,
    /// The last object that came.
    last: Option<Location>,
    /// How far what came is kept for the next who asks, or known not to exist; none: nothing more is kept.
    known: Option<Way>,
    /// Where the publisher says that its answer ends.
    end: Option<Location>,
    /// FETCH_OK, not passed on yet: of a whole group, the end is known when its objects have come.
    answer: Option<(Location, Properties)>,
    /// It was passed on.
    told: bool,
    /// The objects' stream has ended, with all of them or without.
    ended: Option<bool>,
}

/// For whom a FETCH of ours is.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// A session asked, and the objects are not here.
    PassOn(Box<Passing>),
    /// A reader of Text misses what is before `until`.
    Fill { track: TrackId, subscription: SubscriptionId, until: Location },
    /// Local readers joined a track late.
    Join { track: TrackId, readers: Vec<SubscriptionId> },
}

fn invalid_range(why: &str) -> Refusal {
    Refusal::new(codes::request_error::INVALID_RANGE, why)
}

/// How an answer is queued: nothing of it is dropped.
pub(crate) fn queue_config(subscriber_priority: u8) -> TrackConfig {
    TrackConfig { subscriber_priority, reliable: true, ..TrackConfig::default() }
}

/// The end of an answer as FETCH_OK says it. Of a whole group that is its last object; where that is not known, -18 has
/// a word for the group, which some readers take for an empty answer, and later drafts have not.
fn told(profile: Profile, end: FetchEnd, last: Option<u64>) -> FetchEnd {
    let object = match end.object {
        Some(object) if object < u64::MAX => Some(object),
        _ if profile == Profile::D18 => last,
        _ => Some(last.unwrap_or(ANY_OBJECT)),
    };
    FetchEnd { object, ..end }
}

/// What an answer has next.
enum Step {
    Item(FetchItem, Bytes),
    End(bool),
    Wait,
}

impl Answering {
    /// The last location of the answer, in its order of groups.
    fn last(&self) -> Location {
        let Selection { start, end, .. } = self.selection;
        match self.order {
            GroupOrder::Ascending => end,
            GroupOrder::Descending => Location { group: start.group, object: u64::MAX }.min(end),
        }
    }

    /// Whether an object passes the filters asked for.
    fn wants(&self, object: &FetchObject) -> bool {
        let FetchObject { location, subgroup, priority, ref properties, .. } = *object;
        self.selection.passes(&Facts { location, subgroup, priority, properties })
    }
}

impl Engine {
    /// A session asks for the past of a track.
    pub(crate) fn asked_fetch(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        place: Place,
        fetch: Fetch,
        now: Time,
    ) -> Result<(), Refusal> {
        let under_way = self.serving.keys().filter(|(conn, _)| *conn == at).count();
        if !self.is_sibling(at) {
            self.within(Limit::Fetches, under_way, "too many fetches of this session are under way")?;
        }
        self.may_ask(at, &fetch.params, false)?;
        let (id, start, end) = match &fetch.kind {
            FetchKind::Standalone(name) => {
                self.may_read((at, key), "fetch", name, &fetch.params)?;
                let Some((id, largest)) = self.known_track(place, name).map(|track| (track.id, track.largest)) else {
                    return self.fetch_elsewhere(at, key, name, &fetch.params, now);
                };
                let (start, end) = selection::range(fetch.params.filter, largest);
                (id, start, end)
            }
            FetchKind::RelativeJoining { joining, .. } | FetchKind::AbsoluteJoining { joining, .. } => {
                let Some((id, largest)) = self.joined_track(at, *joining, key, &fetch)? else { return Ok(()) };
                let group = match &fetch.kind {
                    FetchKind::AbsoluteJoining { group, .. } => *group,
                    FetchKind::RelativeJoining { groups, .. } => largest.group.saturating_sub(*groups),
                    FetchKind::Standalone(_) => 0,
                };
                (id, Location { group, object: 0 }, largest)
            }
        };
        let Some(track) = self.tracks.get(&id) else { return Err(invalid_range("the track has just ended")) };
        let Some(largest) = track.largest else { return Err(invalid_range("nothing has been published yet")) };
        if start > largest || end < start {
            return Err(invalid_range("the range holds nothing that was published"));
        }
        let range = (start, end.min(largest));
        let request_id = self.request_id(at, key);
        let answering = self.answer_fetch((at, key), request_id, None, (id, range), &fetch.params, now);
        match answering {
            Some(answering) => self.supply(id, range, answering, &fetch.params, now),
            None => Err(Refusal::new(codes::request_error::INTERNAL_ERROR, "the request is gone")),
        }
    }

    /// Whoever may have a track that nobody here knows is asked for its past.
    fn fetch_elsewhere(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        name: &TrackName,
        params: &Params,
        now: Time,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::new(codes::request_error::DOES_NOT_EXIST, format!("nobody publishes {name}"));
        let hops = params.hops.as_deref().unwrap_or_default();
        let to = *self.who_may_have(name, Some(at), hops).first().ok_or_else(missing)?;
        let (start, end) = selection::range(params.filter, None);
        if end < start {
            return Err(invalid_range("the range holds nothing"));
        }
        let request_id = self.request_id(at, key);
        let answering = self
            .answer_fetch((at, key), request_id, None, (0, (start, end)), params, now)
            .ok_or_else(|| Refusal::new(codes::request_error::INTERNAL_ERROR, "the request is gone"))?;
        self.pass_on(to, (0, name.clone()), start, end, answering, now)
    }

    /// Serves an answer from what is kept, or has the publisher do it.
    fn supply(
        &mut self,
        id: TrackId,
        (start, end): (Location, Location),
        mut answering: Answering,
        params: &Params,
        now: Time,
    ) -> Result<(), Refusal> {
        self.expire_past(id, now);
        let Some(track) = self.tracks.get(&id) else { return Err(invalid_range("the track has just ended")) };
        let here = track.past.covers(start, end);
        let (source, name) = (track.source, track.name.clone());
        let gap = if params.fill_timeout.is_some() { Gap::TimedOut } else { Gap::Unknown };
        answering.at_once = params.fill_timeout == Some(0);
        answering.until = params.fill_timeout.map(|ms| now.saturating_add(ms.saturating_mul(1000)));
        let asks = !answering.at_once || track.is_siblings();
        match source {
            Source::Remote(publisher, _) if !here && publisher != answering.conn && asks => {
                self.pass_on(publisher, (id, name), start, end, answering, now)
            }
            _ => {
                self.serve(id, start, end, answering, gap, now);
                Ok(())
            }
        }
    }

    /// What a relay keeps of a track it may serve as long as the publisher says (draft -18, "MAX CACHE DURATION").
    pub(crate) fn expire_past(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let (Source::Remote(..), Some(cached_for)) = (track.source, track.traits.cached_for) else { return };
        let before = track.past.bytes();
        track.past.expire(now.saturating_sub(cached_for));
        self.past_bytes -= before - track.past.bytes();
    }

    /// The track of a subscription that a joining FETCH names, and the largest object that was told when its objects
    /// began to flow. None: the subscription has no answer yet, and the FETCH waits for it.
    fn joined_track(
        &mut self,
        at: ConnIndex,
        joining: u64,
        fetch: RequestKey,
        asked: &Fetch,
    ) -> Result<Option<(TrackId, Location)>, Refusal> {
        let unknown = || {
            let code = codes::request_error::INVALID_JOINING_REQUEST_ID;
            Refusal::new(code, format!("request {joining} is no subscription of this session"))
        };
        let conn = self.conns.get(at).ok_or_else(unknown)?;
        let session = conn.session.as_ref().ok_or_else(unknown)?;
        let found = conn.roles.iter().find_map(|(key, role)| match role {
            Role::Sink(id) if session.request_id(*key) == Some(joining) => Some((*id, *key)),
            _ => None,
        });
        let (id, key) = found.ok_or_else(unknown)?;
        let sink = self.tracks.get_mut(&id).and_then(|track| track.sink_mut(at, key)).ok_or_else(unknown)?;
        if !sink.accepted {
            if sink.joining.len() >= JOINING_MAX {
                let code = codes::request_error::EXCESSIVE_LOAD;
                return Err(Refusal::new(code, "too many joining fetches of one subscription"));
            }
            sink.joining.push((fetch, asked.clone()));
            return Ok(None);
        }
        if !sink.forward {
            return Err(invalid_range("the subscription does not forward"));
        }
        let joined = sink.joined.ok_or_else(|| invalid_range("nothing had been published when it began"))?;
        Ok(Some((id, joined)))
    }
}
