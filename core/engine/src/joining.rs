//! A reader that joins a track late asks for its newest group, where that is of use.
//!
//! | kind | what is asked for | live objects meanwhile |
//! |---|---|---|
//! | Frame, latest-wins | the newest frame | go first: what is fetched then is stale, and dropped |
//! | Audio, Video | the newest group, from its first object | wait for it, so that all come in order |
//! | any other | nothing | |
//!
//! A video whose beginning is not to be had is asked for a new group, if its publisher makes them when asked.
//!
//! At -18 by a joining FETCH, from -20 on by a fill of a REQUEST_UPDATE. What comes is put with what is live by location,
//! so each object is delivered once.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_fanout::fragments::{FRAGMENT_BYTES, MAX_FRAGMENTS};
use cc_session::{Fetch, Request, RequestKey};
use cc_wire::{DatagramHeader, FetchKind, FetchObject, Filter, GroupOrder, Location, Params, Profile};

use crate::api::{Place, Time, TrackId, TrackKind};
use crate::conn::{ConnIndex, Role};
use crate::deliver::Arrived;
use crate::fetch::Purpose;
use crate::track::{Source, Traits};
use crate::Engine;

/// How long live objects wait for the beginning of their group.
const PATIENCE: Time = 1_000_000;
/// Bytes that wait at most.
const HELD_BYTES: usize = 4 << 20;

/// What a late reader does with live objects until the past has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// They go first.
    Overtake,
    /// They wait.
    Hold,
}

fn policy(traits: &Traits) -> Option<Policy> {
    const FRAMES: [u8; 2] = [TrackKind::FrameDatagram as u8, TrackKind::FrameStream as u8];
    match traits.kind {
        _ if traits.live() => Some(Policy::Hold),
        kind if FRAMES.contains(&kind) && traits.latest_wins => Some(Policy::Overtake),
        _ => None,
    }
}

/// One that came, of either kind.
#[derive(Debug)]
struct Held {
    object: Arrived,
    datagram: bool,
    end_of_group: bool,
}

/// The join of a track under way.
#[derive(Debug)]
pub(crate) struct Join {
    policy: Policy,
    held: BTreeMap<Location, Held>,
    bytes: usize,
    /// Groups that ended meanwhile, and whether with all their objects.
    ended: Vec<(u64, bool)>,
    until: Time,
    /// Some of the past is not to be had.
    holes: bool,
}

impl Engine {
    /// A track's source has just been subscribed to, and is as far as `largest`.
    pub(crate) fn join(&mut self, id: TrackId, largest: Option<Location>, now: Time) {
        let (Some(track), Some(_)) = (self.tracks.get(&id), largest) else { return };
        let (Source::Remote(at, key), Place::Link(_), Some(policy)) =
            (track.source, track.place, policy(&track.traits))
        else {
            return;
        };
        if track.join.is_some() || track.locals.is_empty() {
            return;
        }
        let Some(conn) = self.conns.get_mut(at) else { return };
        let asked = if conn.profile == Profile::D18 {
            let Some(joining) = conn.session.as_ref().and_then(|session| session.request_id(key)) else { return };
            let kind = FetchKind::RelativeJoining { joining, groups: 0 };
            self.request(at, Request::Fetch(Fetch { kind, params: Params::default() }), Role::OurFetch, now)
        } else {
            let fill = Params {
                filter: Some(Filter::GroupsBack(1)),
                group_order: Some(GroupOrder::Ascending),
                ..Params::default()
            };
            let params = Params { forward: Some(true), fill: Some(Box::new(fill)), ..Params::default() };
            let updated = conn.session.as_mut().is_some_and(|session| session.update(key, params).is_ok());
            self.ready.want_service(at, conn);
            updated.then_some(key)
        };
        let Some(asked) = asked else { return };
        let until = now + PATIENCE;
        self.fetches.insert((at, asked), Purpose::Join { track: id });
        self.joins.insert((until, id));
        if let Some(track) = self.tracks.get_mut(&id) {
            track.forwarding = true;
            track.join = Some(Join { policy, held: BTreeMap::new(), bytes: 0, ended: Vec::new(), until, holes: false });
        }
    }

    /// An object of a stream, for local subscriptions.
    pub(crate) fn arrived_object(&mut self, id: TrackId, object: Arrived, now: Time) {
        match self.hold(id, object, None, now) {
            Some(object) => self.deliver_object(id, object, now),
            None => self.check_held(id, now),
        }
    }

    /// An object of a datagram, for local subscriptions.
    pub(crate) fn arrived_datagram(
        &mut self,
        id: TrackId,
        header: &DatagramHeader,
        priority: u8,
        payload: Bytes,
        now: Time,
    ) {
        let holds = |track: &crate::track::Track| track.join.as_ref().is_some_and(|join| join.policy == Policy::Hold);
        if !self.tracks.get(&id).is_some_and(holds) {
            return self.deliver_datagram(id, header, priority, payload, now);
        }
        let (group, object, properties) = (header.group, header.object, header.properties.clone());
        let object = Arrived { group, object, priority, properties, payload };
        let _ = self.hold(id, object, Some(header.end_of_group), now);
        self.check_held(id, now);
    }

    /// A group has ended, for local subscriptions.
    pub(crate) fn arrived_end(&mut self, id: TrackId, group: u64, whole: bool, now: Time) {
        match self.tracks.get_mut(&id).and_then(|track| track.join.as_mut()) {
            Some(join) if join.policy == Policy::Hold => join.ended.push((group, whole)),
            _ => self.group_ended(id, group, whole, now),
        }
    }

    /// Holds an object if its track's join wants that; gives it back otherwise.
    fn hold(&mut self, id: TrackId, object: Arrived, datagram: Option<bool>, _now: Time) -> Option<Arrived> {
        let join = self.tracks.get_mut(&id).and_then(|track| track.join.as_mut());
        let Some(join) = join.filter(|join| join.policy == Policy::Hold) else { return Some(object) };
        join.put(object, datagram);
        None
    }

    fn check_held(&mut self, id: TrackId, now: Time) {
        let over = |join: &Join| join.bytes > HELD_BYTES;
        if self.tracks.get(&id).and_then(|track| track.join.as_ref()).is_some_and(over) {
            self.joined(id, false, now);
        }
    }

    /// An object of the past has come.
    pub(crate) fn join_fetched(&mut self, id: TrackId, object: FetchObject, payload: Bytes) {
        let Some(join) = self.tracks.get_mut(&id).and_then(|track| track.join.as_mut()) else { return };
        let FetchObject { location, subgroup, priority, properties, .. } = object;
        let arrived = Arrived { group: location.group, object: location.object, priority, properties, payload };
        join.put(arrived, subgroup.is_none().then_some(false));
    }

    /// Some of the past is not to be had.
    pub(crate) fn join_hole(&mut self, id: TrackId) {
        if let Some(join) = self.tracks.get_mut(&id).and_then(|track| track.join.as_mut()) {
            join.holes = true;
        }
    }

    /// All of the past that could be had is here: whole, or not.
    pub(crate) fn joined(&mut self, id: TrackId, whole: bool, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(mut join) = track.join.take() else { return };
        let whole = whole && !join.holes;
        self.joins.remove(&(join.until, id));
        if let (false, true, Source::Remote(at, key)) =
            (whole, track.traits.kind == TrackKind::Video as u8 && track.traits.dynamic, track.source)
        {
            // Its keyframe is not to be had: the publisher is asked for another.
            let next = track.largest.map_or(0, |largest| largest.group.saturating_add(1));
            let params = Params { new_group_request: Some(next), ..Params::default() };
            self.with_session(at, |session| session.update(key, params));
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let overtake = join.policy == Policy::Overtake;
        if overtake {
            // Only a whole frame that is newer than what came live meanwhile.
            let newest = track.locals.iter().filter_map(|local| local.last).max();
            let stale = |group: u64| newest.is_some_and(|newest| group <= newest.group);
            join.held.retain(|location, _| whole && !stale(location.group));
        }
        join.complete();
        for (_, Held { object, datagram, end_of_group }) in join.held {
            if !datagram {
                self.deliver_object(id, object, now);
                continue;
            }
            let header = DatagramHeader {
                alias: id,
                group: object.group,
                object: object.object,
                priority: Some(object.priority),
                end_of_group,
                status: None,
                properties: object.properties,
            };
            self.deliver_datagram(id, &header, object.priority, object.payload, now);
        }
        for (group, whole) in join.ended {
            self.group_ended(id, group, whole, now);
        }
    }

    /// A session's joins, or one of them, go on without the past: what was asked is over.
    pub(crate) fn drop_joins(&mut self, at: ConnIndex, only: Option<RequestKey>, now: Time) {
        let meant = |key: &(ConnIndex, RequestKey)| key.0 == at && only.is_none_or(|only| only == key.1);
        let over: Vec<((ConnIndex, RequestKey), TrackId)> = self
            .fetches
            .iter()
            .filter(|(key, _)| meant(key))
            .filter_map(|(key, purpose)| match purpose {
                Purpose::Join { track } => Some((*key, *track)),
                _ => None,
            })
            .collect();
        for (key, track) in over {
            self.fetches.remove(&key);
            self.joined(track, false, now);
        }
    }

    /// Joins whose past did not come in time go on without it.
    pub(crate) fn joins_timeout(&mut self, now: Time) {
        while let Some((due, id)) = self.joins.first().copied() {
            if due > now {
                return;
            }
            self.joins.pop_first();
            self.joined(id, false, now);
        }
    }
}

impl Join {
    fn put(&mut self, object: Arrived, datagram: Option<bool>) {
        let location = Location { group: object.group, object: object.object };
        let bytes = object.payload.len() + object.properties.len();
        let held = Held { object, datagram: datagram.is_some(), end_of_group: datagram.unwrap_or(false) };
        if let Some(before) = self.held.get_mut(&location) {
            // A datagram that came by itself knows whether it ends its group.
            before.end_of_group |= held.end_of_group;
        } else {
            self.bytes += bytes;
            self.held.insert(location, held);
        }
    }

    /// A FETCH does not tell that a datagram ended its group; a frame's last fragment is the one that is not full. (One
    /// that is full, and not the eighth, is taken for one of a frame whose rest is on its way.)
    fn complete(&mut self) {
        let lasts: BTreeMap<u64, u64> = self.held.keys().map(|at| (at.group, at.object)).collect();
        for (group, object) in lasts {
            if let Some(last) = self.held.get_mut(&Location { group, object }) {
                let bytes = last.object.payload.len() + last.object.properties.len();
                last.end_of_group |= bytes < FRAGMENT_BYTES || object + 1 == MAX_FRAGMENTS as u64;
            }
        }
    }
}
