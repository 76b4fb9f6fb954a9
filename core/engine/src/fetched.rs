//! What was fetched from a track's publisher for one who asked, kept for the next, bounded in bytes.
//!
//! A FETCH tells more than its objects: what it leaves out does not exist, unless it says that it is unknown. So ranges
//! are kept of which all is known. What goes, goes in the order in which it came, and is unknown from then on.

use std::collections::{BTreeMap, VecDeque};

use cc_wire::Location;

use crate::api::Time;
use crate::past::Kept;

/// Ranges known at most; beyond, those of the oldest locations are unknown again.
const RANGES_MAX: usize = 256;

/// The location that follows.
pub(crate) fn after(location: Location) -> Location {
    match location.object.checked_add(1) {
        Some(object) => Location { object, ..location },
        None => Location { group: location.group.saturating_add(1), object: 0 },
    }
}

/// The location before, if there is one.
pub(crate) fn before(location: Location) -> Option<Location> {
    match location.object.checked_sub(1) {
        Some(object) => Some(Location { object, ..location }),
        None => location.group.checked_sub(1).map(|group| Location { group, object: u64::MAX }),
    }
}

/// The fetched objects of one track.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) objects: BTreeMap<Location, Kept>,
    /// Their locations, in the order in which they came.
    came: VecDeque<Location>,
    bytes: usize,
    /// Ranges by where they begin, both ends included: each object in one is kept, or does not exist.
    known: BTreeMap<Location, Location>,
}

impl Fetched {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an object, and evicts those that came first over `limit` bytes; how many.
    pub(crate) fn keep(&mut self, location: Location, kept: Kept, limit: usize) -> u64 {
        let kept = kept.alone(limit);
        self.bytes += kept.cost();
        match self.objects.insert(location, kept) {
            Some(same) => self.bytes -= same.cost(),
            None => self.came.push_back(location),
        }
        let mut evicted = 0;
        while self.bytes > limit {
            let Some(oldest) = self.came.pop_front() else { break };
            if let Some(kept) = self.objects.remove(&oldest) {
                self.bytes -= kept.cost();
            }
            self.unlearn(oldest);
            evicted += 1;
        }
        evicted
    }

    /// What of this range is not kept does not exist.
    pub(crate) fn learn(&mut self, mut start: Location, mut end: Location) {
        while let Some((first, last)) = self.touching(start, end) {
            self.known.remove(&first);
            start = start.min(first);
            end = end.max(last);
        }
        self.known.insert(start, end);
        if self.known.len() > RANGES_MAX {
            self.known.pop_first();
        }
    }

    /// A known range that overlaps this one, or lies next to it.
    fn touching(&self, start: Location, end: Location) -> Option<(Location, Location)> {
        let (first, last) = self.known.range(..=after(end)).next_back()?;
        (after(*last) >= start).then_some((*first, *last))
    }

    /// Whether an object is at this location is unknown from now on.
    pub(crate) fn unlearn(&mut self, location: Location) {
        let Some((start, end)) = self.containing(location) else { return };
        self.known.remove(&start);
        if let Some(last) = before(location).filter(|last| *last >= start) {
            self.known.insert(start, last);
        }
        if location < end {
            self.known.insert(after(location), end);
        }
    }

    fn containing(&self, location: Location) -> Option<(Location, Location)> {
        let (start, end) = self.known.range(..=location).next_back()?;
        (*end >= location).then_some((*start, *end))
    }

    /// The end of the known range that holds this location.
    pub(crate) fn known_to(&self, location: Location) -> Option<Location> {
        self.containing(location).map(|(_, end)| end)
    }

    /// Forgets the objects that came before `since`.
    pub(crate) fn expire(&mut self, since: Time) {
        while let Some(oldest) = self.came.front().copied() {
            if self.objects.get(&oldest).is_some_and(|kept| kept.came >= since) {
                return;
            }
            self.came.pop_front();
            if let Some(kept) = self.objects.remove(&oldest) {
                self.bytes -= kept.cost();
            }
            self.unlearn(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn at(group: u64, object: u64) -> Location {
        Location { group, object }
    }

    fn kept(came: Time) -> Kept {
        let payload = Bytes::from_static(b"1234");
        Kept { subgroup: Some(0), priority: 0, properties: Bytes::new(), payload, came }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let mut fetched = Fetched::default();
        fetched.learn(at(1, 0), at(1, 3));
        fetched.learn(at(1, 6), at(1, 9));
        assert_eq!((fetched.known_to(at(1, 2)), fetched.known_to(at(1, 4))), (Some(at(1, 3)), None));
        fetched.learn(at(1, 4), at(1, 5));
        assert_eq!(fetched.known_to(at(1, 0)), Some(at(1, 9)));
        fetched.learn(at(1, 10), at(1, u64::MAX));
        fetched.learn(at(2, 0), at(3, 1));
        assert_eq!((fetched.known_to(at(1, 0)), fetched.known.len()), (Some(at(3, 1)), 1));
    }

    #[test]
    fn what_goes_is_unknown_and_what_came_first_goes_first() {
        let mut fetched = Fetched::default();
        let limit = 2 * kept(0).cost();
        for (number, location) in [at(5, 0), at(5, 1), at(2, 0)].into_iter().enumerate() {
            fetched.keep(location, kept(number as u64), limit);
            fetched.learn(location, location);
        }
        assert_eq!((fetched.known_to(at(5, 0)), fetched.known_to(at(5, 1))), (None, Some(at(5, 1))));
        assert_eq!((fetched.bytes(), fetched.objects.len()), (limit, 2));
        fetched.expire(2);
        assert_eq!((fetched.known_to(at(5, 1)), fetched.known_to(at(2, 0))), (None, Some(at(2, 0))));
        assert_eq!(fetched.bytes(), kept(0).cost());
    }

    #[test]
    fn a_hole_splits_a_range() {
        let mut fetched = Fetched::default();
        fetched.learn(at(1, 0), at(2, 5));
        fetched.unlearn(at(2, 0));
        assert_eq!(fetched.known_to(at(1, 7)), Some(at(1, u64::MAX)));
        assert_eq!((fetched.known_to(at(2, 0)), fetched.known_to(at(2, 1))), (None, Some(at(2, 5))));
    }

    #[test]
    fn ranges_are_bounded() {
        let mut fetched = Fetched::default();
        for group in 0..10_000 {
            fetched.learn(at(2 * group, 0), at(2 * group, 5));
        }
        assert_eq!(fetched.known.len(), RANGES_MAX);
    }
}
