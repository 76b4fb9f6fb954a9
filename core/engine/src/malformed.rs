//! Malformed tracks (draft -18, "Malformed Tracks"): what shows that one is, and what follows.
//!
//! | an object or subgroup | is compared with |
//! |---|---|
//! | with a property that only a track may have | nothing |
//! | that came before with another payload, other properties, another priority, or the other way (stream, datagram) | what is kept for late joiners |
//! | of another priority than its subgroup | the subgroup's stream, while it is open |
//! | beyond the end of its group | the newest group whose end was told |
//! | beyond the end of its track | END_OF_TRACK |
//!
//! So no more is remembered than a track has anyway: two that lie far apart may contradict each other unseen.

use bytes::Bytes;
use cc_wire::{codes, DatagramHeader, Location, ObjectHeader, Properties, Status, SubgroupHeader, SubgroupId};

use crate::api::{Reason, TrackId};
use crate::conn::ConnIndex;
use crate::requests::MANDATORY;
use crate::track::{GroupKey, Source, Track};
use crate::Engine;

/// Where a track's newest group that is known to its end has ended, and the track itself.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ends {
    group: Option<Location>,
    track: Option<Location>,
}

impl Ends {
    /// An object's location and status, and whether nothing follows it in its group.
    pub(crate) fn saw(&mut self, location: Location, status: Option<Status>, last: bool) {
        if status == Some(Status::EndOfTrack) {
            self.track = Some(location);
        }
        if (last || status == Some(Status::EndOfGroup)) && self.group.is_none_or(|end| end.group < location.group) {
            self.group = Some(location);
        }
    }

    fn are_before(&self, location: Location) -> bool {
        self.group.is_some_and(|end| end.group == location.group && end.object < location.object)
            || self.track.is_some_and(|end| end < location)
    }
}

/// Whether an object has a property that only a track may have.
pub(crate) fn is_malformed(properties: &[u8]) -> bool {
    !properties.is_empty() && Properties::any_of(properties, &MANDATORY)
}

impl Engine {
    /// Whether a datagram's object shows that its track is malformed.
    pub(crate) fn fault_of_datagram(&self, id: TrackId, header: &DatagramHeader, payload: &Bytes) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let location = Location { group: header.group, object: header.object };
        let priority = header.priority.unwrap_or(track.traits.priority);
        let object = (location, header.status, &header.properties, payload);
        track.contradicts(object, (priority, false))
    }

    /// The same of an object on a subgroup's stream.
    pub(crate) fn fault_of_object(&self, id: TrackId, key: GroupKey, header: &ObjectHeader, payload: &Bytes) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let Some(group) = track.groups.get(&key) else { return false };
        let location = Location { group: group.header.group, object: header.object };
        let priority = group.header.priority.unwrap_or(track.traits.priority);
        track.contradicts((location, header.status, &header.properties, payload), (priority, true))
    }

    /// Whether a subgroup has another priority than another stream of its own.
    pub(crate) fn fault_of_subgroup(&self, id: TrackId, at: ConnIndex, header: &SubgroupHeader) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let number = |id: SubgroupId| match id {
            SubgroupId::Zero => Some(0),
            SubgroupId::Explicit(number) => Some(number),
            SubgroupId::FirstObject => None,
        };
        let same = |other: &SubgroupHeader| {
            other.group == header.group
                && number(other.subgroup).is_some_and(|other| number(header.subgroup) == Some(other))
        };
        let theirs = track.groups.iter().filter(|(key, _)| matches!(key, GroupKey::Remote(from, _) if *from == at));
        let mut same = theirs.map(|(_, group)| &group.header).filter(|other| same(other));
        same.any(|other| other.priority != header.priority)
    }

    /// The same of a subgroup that came whole, with its object.
    pub(crate) fn fault_of_whole(
        &self,
        id: TrackId,
        at: ConnIndex,
        header: &SubgroupHeader,
        object: &ObjectHeader,
        payload: &Bytes,
    ) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let location = Location { group: header.group, object: object.object };
        let priority = header.priority.unwrap_or(track.traits.priority);
        self.fault_of_subgroup(id, at, header)
            || track.contradicts((location, object.status, &object.properties, payload), (priority, true))
    }

    /// A track that comes from `at` is malformed: it ends, here and for all who read it.
    pub(crate) fn malformed(&mut self, id: TrackId, at: ConnIndex) {
        self.stats.malformed += 1;
        let Some(Source::Remote(from, key)) = self.tracks.get(&id).map(|track| track.source) else { return };
        if from != at {
            return;
        }
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.remove(&key);
        }
        self.with_session(at, |session| session.cancel(key, codes::stream_reset::MALFORMED_TRACK));
        self.drop_groups(id, at);
        self.end_track(id, codes::publish_done::MALFORMED_TRACK, Reason::Protocol);
    }
}

impl Track {
    fn contradicts(
        &self,
        (location, status, properties, payload): (Location, Option<Status>, &Bytes, &Bytes),
        (priority, on_stream): (u8, bool),
    ) -> bool {
        if is_malformed(properties) || self.ends.are_before(location) {
            return true;
        }
        let carries = matches!(status, None | Some(Status::Normal));
        self.past.live(location).filter(|_| carries).is_some_and(|kept| {
            kept.payload != payload
                || kept.properties != properties
                || kept.priority != priority
                || kept.subgroup.is_some() != on_stream
        })
    }
}
