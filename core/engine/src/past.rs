//! What is kept of a track's recent objects, bounded in bytes, for those who ask for the past.
//!
//! What was evicted, or never came, is unknown: [`Past::covers`] says whether a range is known whole, object by object.
//! A group is known to its end only if each of its streams ended with all its objects. Of tracks of datagrams, and of those whose
//! newest frame alone counts, the newest group is kept. What was fetched for one who asked is kept apart (`fetched`): so
//! neither what is live nor what is asked for displaces the other. What comes live from another shard is kept there alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cc_wire::Location;

use crate::api::Time;
use crate::fetched::{after, Fetched};

/// What an object counts beside its own bytes: its places in maps that are half full, and its bytes' own headers
/// (`tests/hot/kept.rs`).
const OBJECT_COST: usize = 272;

/// Subgroups cut short that are remembered; the groups of those forgotten, and all before them, count as cut.
const CUT_MAX: usize = 64;

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
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + self.properties.len() + OBJECT_COST
    }

    /// Copied out of what brought it, which may be far larger than what is counted; if it is to stay at all.
    pub(crate) fn alone(self, limit: usize) -> Kept {
        if self.cost() > limit {
            return self;
        }
        let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        Kept { payload: own(&self.payload), properties: own(&self.properties), ..self }
    }
}

/// The objects of one track.
#[derive(Debug, Default)]
pub(crate) struct Past {
    objects: BTreeMap<Location, Kept>,
    bytes: usize,
    /// Groups that ended with all their objects, of which the last is here.
    whole: BTreeSet<u64>,
    /// Groups and subgroups that were cut short, and have not been brought to their end since.
    cut: BTreeSet<(u64, u64)>,
    /// Groups before this one count as cut.
    cut_before: u64,
    fetched: Fetched,
}

impl Past {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.fetched.bytes()
    }

    /// Those of what was fetched.
    pub(crate) fn fetched_bytes(&self) -> usize {
        self.fetched.bytes()
    }

    /// Keeps an object, and evicts the oldest ones over `limit` bytes; how many.
    pub(crate) fn keep(&mut self, location: Location, kept: Kept, limit: usize) -> u64 {
        self.bytes += kept.cost();
        let kept = kept.alone(limit);
        if let Some(same) = self.objects.insert(location, kept) {
            self.bytes -= same.cost();
        }
        let mut evicted = 0;
        while self.bytes > limit {
            let Some((oldest, kept)) = self.objects.pop_first() else { break };
            self.bytes -= kept.cost();
            let first = self.objects.first_key_value().map_or(u64::MAX, |(first, _)| first.group);
            self.whole = self.whole.split_off(&first);
            if !self.fetched.objects.contains_key(&oldest) {
                self.fetched.unlearn(oldest);
            }
            evicted += 1;
        }
        evicted
    }

    /// Keeps a fetched object, before which nothing is from `from` on; what of those fetched goes over `limit` bytes, how
    /// many.
    pub(crate) fn keep_fetched(&mut self, from: Location, location: Location, kept: Kept, limit: usize) -> u64 {
        self.fetched.learn(from, location);
        if self.objects.contains_key(&location) {
            return 0;
        }
        self.fetched.keep(location, kept, limit)
    }

    /// Nothing is in a range but what was kept of it.
    pub(crate) fn nothing_else(&mut self, start: Location, end: Location) {
        self.fetched.learn(start, end);
    }

    /// Forgets the objects that came before `since`: their publisher does not allow that they are served any more.
    pub(crate) fn expire(&mut self, since: Time) {
        let Past { objects, bytes, whole, fetched, .. } = self;
        fetched.expire(since);
        objects.retain(|location, kept| {
            let stays = kept.came >= since;
            if !stays {
                *bytes -= kept.cost();
                whole.remove(&location.group);
                if !fetched.objects.contains_key(location) {
                    fetched.unlearn(*location);
                }
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
                // One by one the map keeps its memory, which the next object takes.
                while self.objects.pop_first().is_some() {}
                self.whole.clear();
                self.bytes = 0;
                self.fetched = Fetched::default();
                true
            }
        }
    }

    /// A subgroup was cut short: where its group ends is unknown, however its other subgroups end.
    pub(crate) fn cut(&mut self, group: u64, subgroup: u64) {
        self.whole.remove(&group);
        self.cut.insert((group, subgroup));
        if self.cut.len() > CUT_MAX {
            let oldest = self.cut.pop_first();
            self.cut_before = oldest.map_or(0, |(group, _)| group.saturating_add(1));
        }
    }

    /// A subgroup that may have been cut before has come to its end.
    pub(crate) fn mended(&mut self, group: u64, subgroup: u64) {
        self.cut.remove(&(group, subgroup));
    }

    /// The last of a group's subgroups has ended; whether each ended with all its objects.
    pub(crate) fn ended(&mut self, group: u64) -> bool {
        let cut = group < self.cut_before || self.cut.range((group, 0)..=(group, u64::MAX)).next().is_some();
        if !cut && self.last_of(group).is_some() {
            self.whole.insert(group);
        }
        !cut
    }

    /// A further subgroup of a group begins: it has not ended after all.
    pub(crate) fn goes_on(&mut self, group: u64) {
        self.whole.remove(&group);
    }

    /// The object at this location, if it came live.
    pub(crate) fn live(&self, location: Location) -> Option<&Kept> {
        // Most objects are newer than all before them.
        let (newest, _) = self.objects.last_key_value()?;
        (*newest >= location).then(|| self.objects.get(&location)).flatten()
    }

    /// The last object here of a group, of those that came live.
    fn last_of(&self, group: u64) -> Option<Location> {
        let all = Location { group, object: 0 }..=Location { group, object: u64::MAX };
        self.objects.range(all).next_back().map(|(last, _)| *last)
    }

    /// Whether a group has ended, and with which object is known.
    pub(crate) fn is_over(&self, group: u64) -> bool {
        self.whole.contains(&group)
    }

    /// Whether every object from `start` to `end`, both included, is here or known not to exist.
    pub(crate) fn covers(&self, start: Location, end: Location) -> bool {
        let mut expected = start;
        while expected <= end {
            if let Some(last) = self.fetched.known_to(expected) {
                if last.group == u64::MAX && last.object == u64::MAX {
                    return true;
                }
                expected = after(last);
                continue;
            }
            let next = self.objects.range(expected..=end).next().map(|(here, _)| *here);
            if next == Some(expected) {
                expected = after(expected);
                continue;
            }
            // Nothing follows in a group that is over; another group has to begin right after it, as what is between two
            // groups is unknown.
            let over = self.is_over(expected.group) && self.last_of(expected.group) < Some(expected);
            let following = Location { group: expected.group.saturating_add(1), object: 0 };
            if !over
                || (expected.group < end.group && next != Some(following) && self.fetched.known_to(following).is_none())
            {
                return false;
            }
            if expected.group >= end.group {
                return true;
            }
            expected = following;
        }
        true
    }

    /// The newest group here that is older than `group`.
    pub(crate) fn group_before(&self, group: u64) -> Option<u64> {
        let first = Location { group, object: 0 };
        let before = |objects: &BTreeMap<Location, Kept>| objects.range(..first).next_back().map(|(at, _)| at.group);
        before(&self.objects).max(before(&self.fetched.objects))
    }

    /// The objects from `start` to `end`, both included; none if that is before the start.
    pub(crate) fn range(&self, start: Location, end: Location) -> impl Iterator<Item = (&Location, &Kept)> {
        let (objects, others) = (&self.objects, &self.fetched.objects);
        let mut live = (start <= end).then(|| objects.range(start..=end)).into_iter().flatten().peekable();
        let mut fetched = (start <= end).then(|| others.range(start..=end)).into_iter().flatten().peekable();
        std::iter::from_fn(move || match (live.peek(), fetched.peek()) {
            (Some((first, _)), Some((other, _))) if other < first => fetched.next(),
            (Some((first, _)), Some((other, _))) => {
                if first == other {
                    fetched.next();
                }
                live.next()
            }
            (Some(_), None) => live.next(),
            (None, _) => fetched.next(),
        })
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
        assert!(!past.covers(at(5, 0), at(5, 1)) && !past.is_over(5));
        assert!(past.covers(at(6, 0), at(6, 0)));
        assert_eq!(past.bytes(), 4 + OBJECT_COST);
    }

    fn kept(bytes: &'static [u8]) -> Kept {
        let payload = Bytes::from_static(bytes);
        Kept { subgroup: Some(0), priority: 0, properties: Bytes::new(), payload, came: 0 }
    }

    #[test]
    fn what_was_fetched_and_what_is_live_make_one() {
        let mut past = past(&[(5, 2), (5, 3), (6, 0), (6, 1)], 1 << 20);
        past.ended(5);
        assert!(!past.covers(at(5, 0), at(6, 1)));
        for object in 0..2 {
            past.keep_fetched(at(5, object), at(5, object), kept(b"1234"), 1 << 20);
        }
        assert!(past.covers(at(5, 0), at(6, 1)));
        let all: Vec<Location> = past.range(at(5, 0), at(6, 9)).map(|(at, _)| *at).collect();
        assert_eq!(all, [at(5, 0), at(5, 1), at(5, 2), at(5, 3), at(6, 0), at(6, 1)]);
        // An object of which nothing is before: objects need not follow one another, nor groups.
        past.keep_fetched(at(1, 0), at(3, 7), kept(b"1"), 1 << 20);
        assert!(past.covers(at(1, 3), at(3, 7)) && !past.covers(at(1, 3), at(3, 8)));
        past.nothing_else(at(3, 8), at(4, u64::MAX));
        assert!(past.covers(at(1, 0), at(6, 1)));
        assert_eq!(past.group_before(5), Some(3));
    }

    /// The head of a group was fetched, its tail came live and is evicted: where it ends is unknown.
    #[test]
    fn a_group_whose_tail_is_gone_is_not_known_to_its_end() {
        let mut past = past(&[(5, 2), (5, 3)], 1 << 20);
        past.ended(5);
        past.keep_fetched(at(5, 0), at(5, 1), kept(b"1234"), 1 << 20);
        assert!(past.covers(at(5, 0), at(5, 9)));
        past.keep(at(6, 0), kept(b"1234"), 2 * (4 + OBJECT_COST));
        assert!(!past.covers(at(5, 0), at(6, 0)), "one of the tail is gone");
        past.keep(at(6, 1), kept(b"1234"), 2 * (4 + OBJECT_COST));
        assert!(!past.is_over(5) && !past.covers(at(5, 0), at(6, 0)), "all of it");
        assert!(past.covers(at(5, 0), at(5, 1)) && past.covers(at(6, 0), at(6, 1)));
    }

    #[test]
    fn a_group_of_which_a_subgroup_was_cut_is_never_whole() {
        let mut past = past(&[(5, 0), (5, 1), (6, 0)], 1 << 20);
        past.cut(5, 1);
        assert!(!past.ended(5) && past.ended(6));
        assert!(!past.covers(at(5, 0), at(6, 0)));
        past.mended(5, 1);
        assert!(past.ended(5) && past.covers(at(5, 0), at(6, 0)));
        // What is remembered is bounded; what is not counts as cut.
        for group in 10..11 + CUT_MAX as u64 {
            past.cut(group, 0);
        }
        assert_eq!(past.cut.len(), CUT_MAX);
        assert!(!past.ended(10) && !past.ended(11) && past.ended(11 + CUT_MAX as u64));
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
