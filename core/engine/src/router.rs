//! Where objects go: from a track's source to its sinks, encoded once for all of them.
//!
//! A relay changes no Object field: group, subgroup, object id, publisher priority, properties and payload leave as
//! they came; only the track alias is replaced, by the track's own number, the same in every session (a session's second
//! subscription to a track has one of its own).

use bytes::{Bytes, BytesMut};
use cc_fanout::queue::{Fate, Part, SubgroupMeta};
use cc_session::DataEnd;
use cc_wire::{codes, DatagramHeader, Location, ObjectHeader, Profile, Status, SubgroupHeader, SubgroupId};

use crate::api::{Place, Reason, Time, TrackId};
use crate::deliver::Arrived;
use crate::limits::{Limit, Limits, Refusals};
use crate::past::Kept;
use crate::selection::Facts;
use crate::track::{GroupKey, OpenGroup, Outlet, OwnTimeouts, Sink, Source, Track};
use crate::{Engine, SIBLINGS};

/// An encoded header and a payload, as one piece.
pub(crate) fn joined(header: &[u8], payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(header.len() + payload.len());
    out.extend_from_slice(header);
    out.extend_from_slice(payload);
    out.freeze()
}

/// Whether an object is one to deliver: the other statuses say what does not exist.
pub(crate) fn carries_payload(status: Option<Status>) -> bool {
    matches!(status, None | Some(Status::Normal))
}

/// Keeps an object of a track. `all` are the bytes kept of all tracks.
fn keep_in(
    track: &mut Track,
    limits: &Limits,
    all: &mut usize,
    refused: &mut Refusals,
    location: Location,
    kept: Kept,
) {
    if track.is_siblings() || matches!((track.place, track.source), (Place::Link(_), Source::Remote(..))) {
        // A link's reader is asked for nothing: whoever wants the past asks the relay. And what another shard keeps is
        // fetched from there: once for each who joins late, where keeping it here would be work for each object.
        return;
    }
    let before = track.past.bytes();
    // With all tracks' room taken, this one makes do with what it has.
    let live = before - track.past.fetched_bytes();
    let free = limits.past_bytes.saturating_sub(*all) + live;
    let most = match track.source {
        Source::Local(_) => limits.past_own_bytes,
        _ => limits.past_track_bytes,
    };
    let bound = match track.source {
        _ if free < most => Limit::PastBytes,
        Source::Local(_) => Limit::PastOwnBytes,
        _ => Limit::PastTrackBytes,
    };
    let newest_only = kept.subgroup.is_none() || track.traits.latest_wins;
    if !newest_only || track.past.only(location.group) {
        let evicted = track.past.keep(location, kept, most.min(free));
        refused.add(bound, evicted);
    }
    *all = *all - before + track.past.bytes();
}

pub(crate) fn subgroup_number(id: SubgroupId, first_object: u64) -> u64 {
    match id {
        SubgroupId::Zero => 0,
        SubgroupId::FirstObject => first_object,
        SubgroupId::Explicit(number) => number,
    }
}

impl Engine {
    /// An object came in a datagram: to everyone who wants it.
    pub(crate) fn route_datagram(&mut self, id: TrackId, header: DatagramHeader, payload: Bytes, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let location = Location { group: header.group, object: header.object };
        track.saw(header.group, header.object);
        track.ends.saw(location, header.status, header.end_of_group);
        if !track.is_siblings() {
            self.stats.kinds[track.traits.kind_index()] += 1;
        }
        let priority = header.priority.unwrap_or(track.traits.priority);
        let facts = Facts { location, subgroup: None, priority, properties: &header.properties };
        // Encoded once for each alias that it goes out under: nearly always one.
        let mut encoded: Option<(u64, Bytes)> = None;
        let deadline = track.traits.object_timeout.map(|timeout| now.saturating_add(timeout));
        // A status says that nothing follows, as the bit does.
        let end_of_group = header.end_of_group || !carries_payload(header.status);
        let mut send = |at, queue, alias| {
            let Some(conn) = self.conns.get_mut(at) else { return };
            let data = match &encoded {
                Some((same, data)) if *same == alias => data.clone(),
                _ => {
                    let onward = DatagramHeader { alias, ..header.clone() };
                    self.scratch.clear();
                    // What was decoded can be encoded.
                    if onward.encode(&mut self.scratch).is_err() {
                        return;
                    }
                    let data = joined(&self.scratch, &payload);
                    encoded = Some((alias, data.clone()));
                    data
                }
            };
            let part = Part { group: header.group, object: header.object, priority, deadline, end_of_group, data };
            if at >= SIBLINGS && conn.crosses_at_once(queue, &part, now) {
                return;
            }
            conn.queue.arrive(queue, part, now);
            self.ready.want_send(at, conn);
        };
        let mut ends = false;
        match track.sinks.ways(location) {
            Some((alias, ways)) => ways.iter().for_each(|&(at, queue)| send(at, queue, alias)),
            None => {
                let takers = track.sinks.iter().filter(|sink| sink.takes(&facts));
                takers.for_each(|sink| send(sink.conn, sink.queue, sink.alias));
                ends = track.sinks.iter().any(|sink| sink.ends);
            }
        }
        if carries_payload(header.status) {
            let kept = Kept {
                subgroup: None,
                priority,
                properties: header.properties.clone(),
                payload: payload.clone(),
                came: now,
            };
            keep_in(track, &self.config.limits, &mut self.past_bytes, &mut self.refused, location, kept);
            if !track.locals.is_empty() {
                self.deliver_datagram(id, &header, priority, payload, None, now);
            }
        }
        if ends {
            self.end_ranges(id);
        }
    }

    /// Keeps an object for those who ask for the past, as far as there is room.
    pub(crate) fn keep(&mut self, id: TrackId, location: Location, kept: Kept) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        keep_in(track, &self.config.limits, &mut self.past_bytes, &mut self.refused, location, kept);
    }

    /// A subgroup begins: streams are opened for everyone who wants all of it.
    pub(crate) fn open_group(&mut self, id: TrackId, key: GroupKey, header: SubgroupHeader, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let out = Vec::with_capacity(track.sinks.len());
        let mut group = OpenGroup { header, last_object: None, timeouts: OwnTimeouts::default(), out };
        let mut encoded = None;
        // Where the subgroup's id is that of its first object, streams are opened with it.
        if !matches!(group.header.subgroup, SubgroupId::FirstObject) {
            let number = subgroup_number(group.header.subgroup, 0);
            for sink in track.sinks.iter().filter(|sink| sink.forward && sink.selection.whole_group(header.group)) {
                let stream = self.conns.get_mut(sink.conn).map(|conn| {
                    let header = SubgroupHeader { alias: sink.alias, ..group.header };
                    open_stream(conn, sink, track.traits.priority, &header, number, now, &mut encoded)
                });
                group.out.push(Outlet { conn: sink.conn, request: sink.request, stream, last: None });
            }
        }
        track.past.goes_on(group.header.group);
        track.groups.insert(key, group);
    }

    /// An object of an open subgroup. False if there are readers, and their queues have given up the subgroup.
    pub(crate) fn put_object(
        &mut self,
        id: TrackId,
        key: GroupKey,
        header: ObjectHeader,
        payload: Bytes,
        now: Time,
    ) -> bool {
        let Some(track) = self.tracks.get_mut(&id) else { return false };
        let Some(group) = track.groups.get(&key) else { return false };
        track.saw(group.header.group, header.object);
        if !track.is_siblings() {
            self.stats.kinds[track.traits.kind_index()] += 1;
        }
        let Some(group) = track.groups.get_mut(&key) else { return false };
        let number = subgroup_number(group.header.subgroup, header.object);
        let location = Location { group: group.header.group, object: header.object };
        track.ends.saw(location, header.status, false);
        let first = group.last_object.is_none();
        let priority = group.header.priority.unwrap_or(track.traits.priority);
        let facts = Facts { location, subgroup: Some(number), priority, properties: &header.properties };
        if first && !header.properties.is_empty() {
            let told = match track.source {
                Source::Remote(at, _) => self.conns.get(at).is_some_and(|conn| conn.profile >= Profile::D20),
                _ => true,
            };
            if told {
                group.timeouts = OwnTimeouts::read(&header.properties);
            }
        }
        let mut taken = !track.locals.is_empty() || !track.sinks.iter().any(|sink| sink.takes(&facts));
        let mut behind = Vec::new();
        // Encoded once for each object that it may follow in a stream: the one before it, none, and where filters leave
        // objects out, others.
        let mut encoded: [Option<(Option<u64>, Bytes)>; 2] = [None, None];
        let mut opened = None;
        // Outlets stand in the order of the sinks, as far as both have been there from the beginning.
        let mut next = 0;
        for sink in track.sinks.iter().filter(|sink| sink.takes(&facts)) {
            let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
            let known = position_from(&group.out, next, |outlet| outlet.is(sink.conn, sink.request));
            let place = known.unwrap_or_else(|| {
                // This sink has nothing of the subgroup yet. Joined midway, its stream does not start with the
                // subgroup's first object, and must not say so; cut short, it does not end with the group.
                let mut opening = SubgroupHeader { alias: sink.alias, ..group.header };
                if !first {
                    opening.first_object = false;
                    opening.subgroup = if number == 0 { SubgroupId::Zero } else { SubgroupId::Explicit(number) };
                }
                opening.end_of_group &= !sink.selection.cuts(location.group);
                let priority = track.traits.priority;
                let stream = Some(open_stream(conn, sink, priority, &opening, number, now, &mut opened));
                group.out.push(Outlet { conn: sink.conn, request: sink.request, stream, last: None });
                group.out.len() - 1
            });
            next = place + 1;
            let Some(outlet) = group.out.get_mut(place) else { continue };
            let Some(stream) = outlet.stream else { continue };
            if outlet.last.is_none() && group.timeouts.are_given() {
                conn.queue.set_timeouts(stream, track.traits.timeouts(group.timeouts, &sink.params));
            }
            let slot = &mut encoded[usize::from(outlet.last.is_none())];
            let data = match slot {
                Some((previous, data)) if *previous == outlet.last => data.clone(),
                _ => {
                    let has = group.header.has_properties;
                    let data = encode_object(&mut self.scratch, &header, outlet.last, has, &payload);
                    *slot = Some((outlet.last, data.clone()));
                    data
                }
            };
            outlet.last = Some(header.object);
            match conn.queue.push_object(stream, data, now) {
                Fate::TooFarBehind => {
                    self.refused.met(Limit::TrackBytes);
                    behind.push((sink.conn, sink.request));
                }
                Fate::Gone => outlet.stream = None,
                fate => taken |= fate.is_queued(),
            }
            self.ready.want_send(sink.conn, conn);
        }
        if first && matches!(group.header.subgroup, SubgroupId::FirstObject) {
            // From here on the subgroup's number is known, whoever joins later.
            group.header.subgroup = SubgroupId::Explicit(number);
        }
        group.last_object = Some(header.object);
        let arrived = Arrived {
            group: location.group,
            object: location.object,
            priority,
            properties: header.properties,
            payload,
        };
        if carries_payload(header.status) {
            let kept = Kept {
                subgroup: Some(number),
                priority,
                properties: arrived.properties.clone(),
                payload: arrived.payload.clone(),
                came: now,
            };
            self.keep(id, location, kept);
            self.deliver_object(id, &arrived, None, now);
        }
        for (conn, request) in behind {
            self.end_sink(
                id,
                conn,
                request,
                codes::publish_done::TOO_FAR_BEHIND,
                "the reader is too slow for this reliable track",
            );
        }
        taken
    }

    /// A subgroup ends, with all its objects or without.
    pub(crate) fn close_group(&mut self, id: TrackId, key: GroupKey, end: DataEnd, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(group) = track.groups.remove(&key) else { return };
        let number = group.header.group;
        for Outlet { conn: at, stream, .. } in group.out {
            let (Some(conn), Some(stream)) = (self.conns.get_mut(at), stream) else { continue };
            match end {
                DataEnd::Fin => conn.queue.finish_subgroup(stream),
                DataEnd::Reset(code) => conn.queue.reset_subgroup(stream, code),
            }
            self.ready.want_send(at, conn);
        }
        // A group of several subgroups has ended with the last of them.
        let last = track.groups.values().all(|other| other.header.group != number);
        let subgroup = subgroup_number(group.header.subgroup, u64::MAX);
        match (end, group.last_object) {
            (DataEnd::Reset(_), _) => track.past.cut(number, subgroup),
            (DataEnd::Fin, None) => {}
            (DataEnd::Fin, Some(object)) => {
                track.past.mended(number, subgroup);
                if group.header.end_of_group {
                    track.ends.saw(Location { group: number, object }, None, true);
                }
            }
        }
        let whole = last && track.past.ended(number);
        self.end_ranges(id);
        if last {
            self.group_ended(id, number, whole, None, now);
        }
    }

    /// Ends a track for all who receive it: sessions once their queues have drained, local subscriptions at once.
    pub(crate) fn end_track(&mut self, id: TrackId, code: u64, reason: Reason) {
        self.end_seek(id);
        let Some(track) = self.tracks.remove(&id) else { return };
        // The other ways to it are given up.
        for way in &track.standby {
            if let Some(conn) = self.conns.get_mut(way.conn) {
                conn.roles.remove(&way.request);
            }
            self.with_session(way.conn, |session| session.cancel(way.request, codes::stream_reset::CANCELLED));
        }
        self.past_bytes -= track.past.bytes();
        for group in track.groups.into_values() {
            for Outlet { conn: at, stream, .. } in group.out {
                if let (Some(conn), Some(stream)) = (self.conns.get_mut(at), stream) {
                    conn.queue.finish_subgroup(stream);
                }
            }
        }
        for sink in track.sinks.into_all() {
            let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
            if let Some(ending) = conn.sinks.get_mut(&sink.queue) {
                ending.ending = Some(code);
                conn.has_endings = true;
            }
            conn.roles.remove(&sink.request);
            self.ready.want_service(sink.conn, conn);
            self.name_leaves(sink.conn, sink.request, &track.name);
        }
        for local in track.locals {
            if let Some(place) = local.order.place().filter(|_| !track.nameless) {
                self.remember(local.subscription, &track.name, place);
            }
            self.local_track_ended(local.subscription, id, reason);
        }
        let told = self.domains.get_mut(&track.place).map(|domain| domain.remove_track(id, &track.name.namespace));
        self.tell(&told.unwrap_or_default(), &track.name.namespace, false);
    }
}

/// Where an item is that is most often at `next`, and otherwise soon after.
fn position_from<T>(items: &[T], next: usize, is: impl Fn(&T) -> bool) -> Option<usize> {
    let (before, after) = items.split_at(next.min(items.len()));
    let later = after.iter().position(&is).map(|at| before.len() + at);
    later.or_else(|| before.iter().position(is))
}

/// Opens a subgroup in a session's queue; `encoded` is the last header of those who get the same.
pub(crate) fn open_stream(
    conn: &mut crate::conn::Conn,
    sink: &Sink,
    default_priority: u8,
    header: &SubgroupHeader,
    number: u64,
    now: Time,
    encoded: &mut Option<(SubgroupHeader, Bytes)>,
) -> cc_fanout::queue::SubgroupKey {
    let bytes = match encoded {
        Some((same, bytes)) if same == header => bytes.clone(),
        _ => {
            let mut bytes = Vec::with_capacity(24);
            header.encode(&mut bytes);
            let bytes = Bytes::from(bytes);
            *encoded = Some((*header, bytes.clone()));
            bytes
        }
    };
    let meta = SubgroupMeta {
        group: header.group,
        subgroup: number,
        priority: header.priority.unwrap_or(default_priority),
        deadline: None,
    };
    conn.queue.open_subgroup(sink.queue, meta, bytes, now)
}

pub(crate) fn encode_object(
    scratch: &mut Vec<u8>,
    header: &ObjectHeader,
    previous: Option<u64>,
    has_properties: bool,
    payload: &[u8],
) -> Bytes {
    scratch.clear();
    // What was decoded, or made here, can be encoded: ids ascend, and properties go where the header says they are.
    let _ = header.encode(scratch, previous, has_properties);
    joined(scratch, payload)
}
