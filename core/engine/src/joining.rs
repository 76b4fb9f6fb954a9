//! A reader that joins a track late gets its newest group, where that is of use.
//!
//! | kind | what it gets | live objects meanwhile |
//! |---|---|---|
//! | Frame, latest-wins | the newest frame | go first: what is fetched then is stale, and dropped |
//! | Audio, Video | the newest group, from its first object | wait for it, so that all come in order |
//! | any other | nothing | |
//!
//! | the track | where that comes from |
//! |---|---|
//! | has just been subscribed to | its source: a joining FETCH at -18, from -20 on a fill of a REQUEST_UPDATE |
//! | is here already, for other readers | what is kept here, if that is all of the group; else a FETCH of its source |
//!
//! A video whose beginning is not to be had is asked for a new group, if its publisher makes them when asked. What comes
//! is put with what is live by location, for each reader by itself, so each object is delivered once.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_fanout::fragments::{FRAGMENT_BYTES, MAX_FRAGMENTS};
use cc_session::{Fetch, RequestKey};
use cc_wire::{DatagramHeader, FetchKind, FetchObject, Filter, GroupOrder, Location, Params, Profile};

use crate::api::{SubscriptionId, Time, TrackId, TrackKind};
use crate::conn::ConnIndex;
use crate::deliver::Arrived;
use crate::fetch::Purpose;
use crate::track::{LocalSink, Source, Traits};
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

/// One reader's join of a track under way.
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
    /// A track's source has just been subscribed to, and is as far as `largest`: its readers ask for what is before.
    pub(crate) fn join(&mut self, id: TrackId, largest: Option<Location>, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.locals.iter_mut().for_each(|local| local.fresh = false);
        let readers: Vec<SubscriptionId> =
            track.locals.iter().filter(|local| local.join.is_none()).map(|local| local.subscription).collect();
        let (Source::Remote(at, key), Some(policy), Some(_), false) =
            (track.source, policy(&track.traits), largest, readers.is_empty())
        else {
            return;
        };
        let Some(conn) = self.conns.get_mut(at) else { return };
        let asked = if conn.profile == Profile::D18 {
            let Some(joining) = conn.session.as_ref().and_then(|session| session.request_id(key)) else { return };
            let kind = FetchKind::RelativeJoining { joining, groups: 0 };
            self.fetch_from(at, Fetch { kind, params: Params::default() }, now)
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
        if let Some(track) = self.tracks.get_mut(&id) {
            track.forwarding = true;
        }
        self.wait_for_past(id, (at, asked), readers, policy, now);
    }

    /// Readers that came to a track whose objects flow already get what is kept of it, or ask for it.
    pub(crate) fn join_late(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let newcomers = track.locals.iter_mut().filter_map(|local| {
            let fresh = std::mem::take(&mut local.fresh);
            (fresh && local.join.is_none()).then_some(local.subscription)
        });
        let readers: Vec<SubscriptionId> = newcomers.collect();
        let (Some(policy), Some(largest), false) = (policy(&track.traits), track.largest, readers.is_empty()) else {
            return;
        };
        let (source, name) = (track.source, track.name.clone());
        self.expire_past(id, now);
        let start = Location { group: largest.group, object: 0 };
        let here = self.tracks.get(&id).is_some_and(|track| track.past.covers(start, largest));
        match source {
            Source::Remote(at, _) if !here => {
                let filter = Filter::ObjectRange { start, end: largest };
                let params = Params { filter: Some(filter), ..Params::default() };
                let fetch = Fetch { kind: FetchKind::Standalone(name), params };
                if let Some(asked) = self.fetch_from(at, fetch, now) {
                    self.wait_for_past(id, (at, asked), readers, policy, now);
                }
            }
            _ => {
                for reader in readers {
                    self.play_past(id, reader, policy, here, now);
                }
            }
        }
    }

    /// Readers hold what is live, until what was asked for by `request` has come.
    fn wait_for_past(
        &mut self,
        id: TrackId,
        request: (ConnIndex, RequestKey),
        readers: Vec<SubscriptionId>,
        policy: Policy,
        now: Time,
    ) {
        let until = now + PATIENCE;
        let Some(track) = self.tracks.get_mut(&id) else { return };
        for reader in &readers {
            if let Some(local) = track.reader(*reader) {
                local.join = Some(Box::new(Join::new(policy, until)));
                self.joins.insert((until, id, *reader));
            }
        }
        self.fetches.insert(request, Purpose::Join { track: id, readers });
    }

    /// Gives a reader the newest group of what is kept here, `whole` if that is all of it so far.
    fn play_past(&mut self, id: TrackId, to: SubscriptionId, policy: Policy, whole: bool, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        let Some(group) = track.largest.map(|largest| largest.group) else { return };
        let mut join = Join::new(policy, now);
        for (location, kept) in track.past.range(Location { group, object: 0 }, Location { group, object: u64::MAX }) {
            let object = Arrived {
                group,
                object: location.object,
                priority: kept.priority,
                properties: kept.properties.clone(),
                payload: kept.payload.clone(),
            };
            join.put(object, kept.subgroup.is_none().then_some(false));
        }
        if track.past.is_over(group) {
            join.ended.push((group, true));
        }
        self.deliver_joined(id, to, join, whole, now);
    }

    /// Readers whose live objects are too many to wait longer go on without the past.
    pub(crate) fn end_full_joins(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        let full = |local: &&LocalSink| local.join.as_ref().is_some_and(|join| join.bytes > HELD_BYTES);
        let full: Vec<SubscriptionId> = track.locals.iter().filter(full).map(|local| local.subscription).collect();
        for reader in full {
            self.joined(id, reader, false, now);
        }
    }

    /// An object of the past has come.
    pub(crate) fn join_fetched(
        &mut self,
        id: TrackId,
        readers: &[SubscriptionId],
        object: &FetchObject,
        payload: &Bytes,
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let FetchObject { location, subgroup, priority, properties, .. } = object;
        for join in track.locals.iter_mut().filter_map(|local| local.joins(readers)) {
            let (group, object, properties) = (location.group, location.object, properties.clone());
            let arrived = Arrived { group, object, priority: *priority, properties, payload: payload.clone() };
            join.put(arrived, subgroup.is_none().then_some(false));
        }
    }

    /// Some of the past is not to be had.
    pub(crate) fn join_hole(&mut self, id: TrackId, readers: &[SubscriptionId]) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.locals.iter_mut().filter_map(|local| local.joins(readers)).for_each(|join| join.holes = true);
    }

    /// All of the past that could be had is here for a reader: whole, or not.
    pub(crate) fn joined(&mut self, id: TrackId, to: SubscriptionId, whole: bool, now: Time) {
        let Some(local) = self.tracks.get_mut(&id).and_then(|track| track.reader(to)) else { return };
        let Some(join) = local.join.take() else { return };
        self.joins.remove(&(join.until, id, to));
        let whole = whole && !join.holes;
        self.deliver_joined(id, to, *join, whole, now);
    }

    fn deliver_joined(&mut self, id: TrackId, to: SubscriptionId, mut join: Join, whole: bool, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if !whole && track.traits.kind == TrackKind::Video as u8 {
            // Its keyframe is not to be had: the publisher is asked for another.
            let next = track.largest.map_or(0, |largest| largest.group.saturating_add(1));
            self.new_group_wanted(id, next);
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if join.policy == Policy::Overtake {
            // Only a whole frame that is newer than what came live meanwhile.
            let newest = track.reader(to).and_then(|local| local.last);
            let stale = |group: u64| newest.is_some_and(|newest| group <= newest.group);
            join.held.retain(|location, _| whole && !stale(location.group));
        }
        join.complete();
        for (_, Held { object, datagram, end_of_group }) in join.held {
            if !datagram {
                self.deliver_object(id, &object, Some(to), now);
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
            self.deliver_datagram(id, &header, object.priority, object.payload, Some(to), now);
        }
        for (group, whole) in join.ended {
            self.group_ended(id, group, whole, Some(to), now);
        }
    }

    /// A session's joins, or one of them, go on without the past: what was asked is over.
    pub(crate) fn drop_joins(&mut self, at: ConnIndex, only: Option<RequestKey>, now: Time) {
        let meant = |key: &(ConnIndex, RequestKey)| key.0 == at && only.is_none_or(|only| only == key.1);
        let over: Vec<(ConnIndex, RequestKey)> = self
            .fetches
            .iter()
            .filter(|(key, purpose)| meant(key) && matches!(purpose, Purpose::Join { .. }))
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some(Purpose::Join { track, readers }) = self.fetches.remove(&key) {
                self.all_joined(track, &readers, false, now);
            }
        }
    }

    /// The same for all whom a FETCH was for.
    pub(crate) fn all_joined(&mut self, id: TrackId, readers: &[SubscriptionId], whole: bool, now: Time) {
        for reader in readers {
            self.joined(id, *reader, whole, now);
        }
    }

    /// Joins whose past did not come in time go on without it.
    pub(crate) fn joins_timeout(&mut self, now: Time) {
        while let Some((due, id, reader)) = self.joins.first().copied() {
            if due > now {
                return;
            }
            self.joins.pop_first();
            self.joined(id, reader, false, now);
        }
    }
}

impl LocalSink {
    /// Its join, if it is one of these readers.
    fn joins(&mut self, readers: &[SubscriptionId]) -> Option<&mut Join> {
        self.join.as_deref_mut().filter(|_| readers.contains(&self.subscription))
    }

    /// Its join, if live objects wait for that.
    pub(crate) fn holding(&mut self) -> Option<&mut Join> {
        self.join.as_deref_mut().filter(|join| join.policy == Policy::Hold)
    }
}

impl Join {
    fn new(policy: Policy, until: Time) -> Join {
        Join { policy, held: BTreeMap::new(), bytes: 0, ended: Vec::new(), until, holes: false }
    }

    /// A group has ended while its objects wait.
    pub(crate) fn group_ended(&mut self, group: u64, whole: bool) {
        self.ended.push((group, whole));
    }

    /// An object, by location; of a datagram, whether that ended its group.
    pub(crate) fn put(&mut self, object: Arrived, datagram: Option<bool>) {
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
