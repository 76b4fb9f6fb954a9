//! What is kept of a track's recent objects, bounded in bytes, for those who ask for the past.
//!
//! What was evicted, or never came, is unknown: [`Past::covers`] says whether a range is known whole, object by object.
//! A group is known to its end only if its stream ended with all its objects. Of tracks of datagrams, and of those whose
//! newest frame alone counts, the newest group is kept.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cc_wire::Location;

use crate::api::Time;

/// What an object counts beside its own bytes.
const OBJECT_COST: usize = 96;
/// Objects below this, bytes, are copied.
const SMALL: usize = 512;

/// An object as it came.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// None: it came in a datagram.
    pub(crate) subgroup: Option<u64>,
    pub(crate) priority: u8,
    pub(crate) properties: Bytes,
    pub(crate) payload: Bytes,
    /// When it came.
    pub(crate) came: Time,
}

impl Kept {
    fn cost(&self) -> usize {
        self.payload.len() + self.properties.len() + OBJECT_COST
    }

    /// Small objects are copied out of the packet that brought them, which may be far larger than what is counted.
    fn alone(self) -> Kept {
        let own = |bytes: Bytes| if bytes.len() < SMALL { Bytes::copy_from_slice(&bytes) } else { bytes };
        Kept { payload: own(self.payload), properties: own(self.properties), ..self }
    }
}

/// The objects of one track.
#[derive(Debug, Default)]
pub(crate) struct Past {
    objects: BTreeMap<Location, Kept>,
    bytes: usize,
    /// Groups that ended with all their objects.
    whole: BTreeSet<u64>,
}

impl Past {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an object, and evicts the oldest ones over `limit` bytes; how many.
    pub(crate) fn keep(&mut self, location: Location, kept: Kept, limit: usize) -> u64 {
        self.bytes += kept.cost();
        let kept = kept.alone();
        if let Some(same) = self.objects.insert(location, kept) {
            self.bytes -= same.cost();
        }
        let mut evicted = 0;
        while self.bytes > limit {
            let Some((oldest, kept)) = self.objects.pop_first() else { break };
            self.bytes -= kept.cost();
            self.whole = self.whole.split_off(&oldest.group);
            evicted += 1;
        }
        evicted
    }

    /// Forgets the objects that came before `since`: their publisher does not allow that they are served any more.
    pub(crate) fn expire(&mut self, since: Time) {
        let Past { objects, bytes, whole } = self;
        objects.retain(|location, kept| {
            let stays = kept.came >= since;
            if !stays {
                *bytes -= kept.cost();
                whole.remove(&location.group);
            }
            stays
        });
    }

    /// Forgets the groups before this one, for tracks of which the newest group alone is kept; false if it is not the
    /// newest itself.
    pub(crate) fn only(&mut self, group: u64) -> bool {
        match self.objects.last_key_value() {
            Some((last, _)) if last.group > group => false,
            Some((last, _)) if last.group == group => true,
            _ => {
                self.objects.clear();
                self.whole.clear();
                self.bytes = 0;
                true
            }
        }
    }

    /// A group has ended with all its objects.
    pub(crate) fn ended(&mut self, group: u64) {
        let known = self.objects.keys().next_back().is_some_and(|last| last.group >= group);
        if known {
            self.whole.insert(group);
        }
    }

    /// Whether every object from `start` to `end`, both included, is here or known not to exist.
    pub(crate) fn covers(&self, start: Location, end: Location) -> bool {
        let mut expected = start;
        for (location, _) in self.range(start, end) {
            if *location != expected && !self.nothing_between(expected, *location) {
                return false;
            }
            expected = Location { group: location.group, object: location.object + 1 };
        }
        // The last one here has to be the end, or the last of all that the range can hold.
        expected > end || (expected != start && expected.group >= end.group && self.whole.contains(&end.group))
    }

    /// Whether a location is beyond the end of its group, whose objects are all known.
    pub(crate) fn over(&self, location: Location) -> bool {
        let last = self.objects.range(..location).next_back();
        last.is_some_and(|(last, _)| last.group == location.group) && self.whole.contains(&location.group)
    }

    /// Whether no object exists from `expected` up to one that is here.
    fn nothing_between(&self, expected: Location, here: Location) -> bool {
        here.object == 0
            && here.group == expected.group + 1
            && expected.object > 0
            && self.whole.contains(&expected.group)
    }

    /// The newest group here that is older than `group`.
    pub(crate) fn group_before(&self, group: u64) -> Option<u64> {
        let first = Location { group, object: 0 };
        self.objects.range(..first).next_back().map(|(location, _)| location.group)
    }

    /// The objects from `start` to `end`, both included; none if that is before the start.
    pub(crate) fn range(&self, start: Location, end: Location) -> impl Iterator<Item = (&Location, &Kept)> {
        (start <= end).then(|| self.objects.range(start..=end)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(group: u64, object: u64) -> Location {
        Location { group, object }
    }

    fn past(objects: &[(u64, u64)], limit: usize) -> Past {
        let mut past = Past::default();
        for (group, object) in objects {
            let kept = Kept {
                subgroup: Some(0),
                priority: 0,
                properties: Bytes::new(),
                payload: Bytes::from_static(b"1234"),
                came: *group,
            };
            past.keep(at(*group, *object), kept, limit);
        }
        past
    }

    #[test]
    fn a_range_is_covered_only_if_every_object_is_known() {
        let mut past = past(&[(5, 0), (5, 1), (6, 0), (6, 1), (6, 3)], 1 << 20);
        assert!(past.covers(at(5, 0), at(5, 1)));
        assert!(!past.covers(at(5, 0), at(6, 0)), "group 5 may go on");
        past.ended(5);
        assert!(past.covers(at(5, 0), at(6, 1)));
        assert!(!past.covers(at(5, 0), at(6, 3)), "one is missing");
        assert!(!past.covers(at(4, 0), at(5, 1)), "what was before is unknown");
        assert!(past.covers(at(5, 1), at(5, 9)), "group 5 has no more");
        assert!(!past.covers(at(7, 0), at(7, 0)));
    }

    #[test]
    fn what_has_had_its_time_is_unknown() {
        let mut past = past(&[(5, 0), (5, 1), (6, 0)], 1 << 20);
        past.ended(5);
        past.expire(5);
        assert!(past.covers(at(5, 0), at(6, 0)));
        past.expire(6);
        assert!(!past.covers(at(5, 0), at(5, 1)) && !past.over(at(5, 1)));
        assert!(past.covers(at(6, 0), at(6, 0)));
        assert_eq!(past.bytes(), 4 + OBJECT_COST);
    }

    #[test]
    fn the_oldest_go_first_and_are_unknown_then() {
        let past = past(&[(5, 0), (5, 1), (5, 2)], 2 * (4 + OBJECT_COST));
        assert_eq!(past.bytes(), 2 * (4 + OBJECT_COST));
        assert!(!past.covers(at(5, 0), at(5, 2)));
        assert!(past.covers(at(5, 1), at(5, 2)));
        assert_eq!(past.range(at(5, 0), at(5, 9)).count(), 2);
    }
}
