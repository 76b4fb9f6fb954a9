//! Subgroups that are one object, there from their beginning to their end: as a track with a stream for each frame has
//! them. They take the way of `router.rs` in one step, without a place among the track's open subgroups.

use bytes::Bytes;
use cc_fanout::queue::Fate;
use cc_wire::{codes, Location, ObjectHeader, Profile, SubgroupHeader};

use crate::api::{Time, TrackId};
use crate::conn::Conn;
use crate::deliver::Arrived;
use crate::limits::Limit;
use crate::past::Kept;
use crate::router::{carries_payload, encode_object, joined, open_stream, subgroup_number};
use crate::selection::Facts;
use crate::track::{OwnTimeouts, Sink, Source};
use crate::{Engine, SIBLINGS};

impl Engine {
    /// A subgroup with its only object: to everyone who wants it. To a sibling it crosses as one piece.
    pub(crate) fn put_whole(
        &mut self,
        id: TrackId,
        header: SubgroupHeader,
        object: ObjectHeader,
        payload: Bytes,
        now: Time,
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let location = Location { group: header.group, object: object.object };
        track.saw(location.group, location.object);
        if !track.is_siblings() {
            self.stats.kinds[track.traits.kind_index()] += 1;
        }
        track.ends.saw(location, object.status, header.end_of_group);
        let number = subgroup_number(header.subgroup, object.object);
        let priority = header.priority.unwrap_or(track.traits.priority);
        let facts = Facts { location, subgroup: Some(number), priority, properties: &object.properties };
        let told = !object.properties.is_empty()
            && match track.source {
                Source::Remote(at, _) => self.conns.get(at).is_some_and(|conn| conn.profile >= Profile::D20),
                _ => true,
            };
        let timeouts = if told { OwnTimeouts::read(&object.properties) } else { OwnTimeouts::default() };
        let (mut opened, mut encoded) = (None, None);
        let mut behind = Vec::new();
        for sink in track.sinks.iter().filter(|sink| sink.takes(&facts)) {
            let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
            let mut header = SubgroupHeader { alias: sink.alias, ..header };
            header.end_of_group &= !sink.selection.cuts(location.group);
            if crosses(conn, sink, &header, &object, &payload, &mut self.scratch) {
                continue;
            }
            let stream = open_stream(conn, sink, track.traits.priority, &header, number, now, &mut opened);
            if timeouts.are_given() {
                conn.queue.set_timeouts(stream, track.traits.timeouts(timeouts, &sink.params));
            }
            let has = header.has_properties;
            let data = encoded.get_or_insert_with(|| encode_object(&mut self.scratch, &object, None, has, &payload));
            if conn.queue.push_object(stream, data.clone(), now) == Fate::TooFarBehind {
                self.refused.met(Limit::TrackBytes);
                behind.push((sink.conn, sink.request));
            }
            conn.queue.finish_subgroup(stream);
            self.ready.want_send(sink.conn, conn);
        }
        let alone = track.groups.values().all(|other| other.header.group != location.group);
        let (keeps, heard) = (carries_payload(object.status), !track.locals.is_empty());
        track.past.mended(location.group, number);
        if !alone {
            track.past.goes_on(location.group);
        }
        if keeps {
            let (properties, payload) = (object.properties.clone(), payload.clone());
            let kept = Kept { subgroup: Some(number), priority, properties, payload, came: now };
            self.keep(id, location, kept);
        }
        if keeps && heard {
            let properties = object.properties;
            let arrived = Arrived { group: location.group, object: location.object, priority, properties, payload };
            self.deliver_object(id, &arrived, None, now);
        }
        for (conn, request) in behind {
            let text = "the reader is too slow for this reliable track";
            self.end_sink(id, conn, request, codes::publish_done::TOO_FAR_BEHIND, text);
        }
        let track = self.tracks.get_mut(&id).filter(|_| alone);
        let whole = track.is_some_and(|track| track.past.ended(location.group));
        self.end_ranges(id);
        if alone && heard {
            self.group_ended(id, location.group, whole, None, now);
        }
    }
}

/// Whether a whole subgroup has crossed to a sibling past its queue.
fn crosses(
    conn: &mut Conn,
    sink: &Sink,
    header: &SubgroupHeader,
    object: &ObjectHeader,
    payload: &[u8],
    scratch: &mut Vec<u8>,
) -> bool {
    if sink.conn < SIBLINGS {
        return false;
    }
    scratch.clear();
    header.encode(scratch);
    // As in `encode_object`.
    let _ = object.encode(scratch, None, header.has_properties);
    conn.crosses_whole(sink.queue, scratch.len() + payload.len(), || joined(scratch, payload))
}
