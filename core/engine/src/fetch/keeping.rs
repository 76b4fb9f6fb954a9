//! What a FETCH that is passed on brings is kept for the next who asks: objects as they come, and what their ranges leave
//! out, once it is known not to exist.

use bytes::Bytes;
use cc_session::RequestKey;
use cc_wire::{FetchItem, FetchObject, Gap, GroupOrder, Location};

use super::{Passing, Purpose, ANY_OBJECT};
use crate::api::{Time, TrackId};
use crate::conn::ConnIndex;
use crate::fetched::after;
use crate::limits::Limit;
use crate::past::Kept;
use crate::Engine;

/// How far a FETCH that is passed on has come, in its order of groups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    order: GroupOrder,
    start: Location,
    end: Location,
    /// What its next element may say something of.
    next: Location,
    /// Newest group first: the group of the first element. What lies behind its objects, and in the groups after it, is
    /// known with the answer's end.
    newest: Option<u64>,
    /// Where that begins, once the answer has come to the groups before.
    tail: Option<Location>,
    /// And how far it goes at most.
    tail_end: Location,
}

/// From a location to another, both included.
type Span = (Location, Location);

impl Way {
    /// At the beginning of an answer.
    pub(super) fn new(order: GroupOrder, start: Location, end: Location) -> Way {
        // One group is the same either way.
        let order = if start.group == end.group { GroupOrder::Ascending } else { order };
        let next = match order {
            GroupOrder::Ascending => start,
            GroupOrder::Descending => Location { group: end.group, object: 0 },
        };
        Way { order, start, end, next, newest: None, tail: None, tail_end: end }
    }

    /// Goes on to an element, an object or (`unknown`) the end of what is unknown: where the objects would have been that
    /// an object's coming rules out, those right before it last. None: it is out of order.
    fn to(&mut self, place: Location, unknown: bool) -> Option<[Option<Span>; 3]> {
        if place < self.start || place > self.end {
            return None;
        }
        let (from, first) = (self.next, self.newest.is_none());
        if self.order == GroupOrder::Ascending || place.group == from.group {
            self.newest.get_or_insert(place.group);
            self.next = after(place);
            return (place >= from).then_some([None, None, Some((from, place))]);
        }
        if place.group > from.group {
            return None;
        }
        let leaves_newest = self.newest == Some(from.group);
        self.newest.get_or_insert(place.group);
        let [rest, between] = match first {
            true => [None, None],
            false => self.down_to(Location { group: place.group + 1, object: 0 }),
        };
        match (unknown, first) {
            (true, true) => self.tail_end = Location { group: place.group, object: u64::MAX },
            (true, false) if leaves_newest => self.tail = None,
            _ => {}
        }
        self.next = Location { object: place.object.saturating_add(1), ..place };
        Some([rest, between, Some((Location { object: 0, ..place }.max(self.start), place))])
    }

    /// Leaves its group: what it had not said of it, and of those between it and `low`.
    fn down_to(&mut self, low: Location) -> [Option<Span>; 2] {
        let Location { group, object } = self.next;
        let between = group.checked_sub(1).map(|group| (low, Location { group, object: u64::MAX }));
        let between = between.filter(|(low, high)| low < high);
        if self.newest == Some(group) {
            self.tail = Some(self.next);
            return [None, between];
        }
        let rest = (self.next, Location { group, object: u64::MAX });
        [(object < u64::MAX).then_some(rest), between]
    }
}

impl Engine {
    /// An element on its way to somebody else.
    pub(super) fn keep_passing(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        item: &FetchItem,
        payload: &Bytes,
        now: Time,
    ) {
        let Some(Purpose::PassOn(passing)) = self.fetches.get_mut(&(at, key)) else { return };
        let Some(way) = &mut passing.known else { return };
        match item {
            FetchItem::End { gap: Gap::NonExistent, .. } => {}
            FetchItem::End { location, .. } => {
                if way.to(*location, true).is_none() {
                    passing.known = None;
                }
            }
            FetchItem::Object(object) => {
                let (id, spans) = (passing.track, way.to(object.location, false));
                let Some([rest, between, Some((from, _))]) = spans else {
                    // Not in order: what lies between its elements is anybody's guess.
                    passing.known = None;
                    return;
                };
                self.learn(id, [rest, between]);
                self.keep_fetched(id, from, object, payload, now);
            }
        }
    }

    /// Nothing is in these but what is kept of them.
    fn learn(&mut self, id: TrackId, spans: [Option<Span>; 2]) {
        let Some(track) = self.tracks.get_mut(&id).filter(|track| !track.traits.latest_wins) else { return };
        for (start, end) in spans.into_iter().flatten() {
            track.past.nothing_else(start, end);
        }
    }

    fn keep_fetched(&mut self, id: TrackId, from: Location, object: &FetchObject, payload: &Bytes, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if object.subgroup.is_none() || track.traits.latest_wins {
            // Only the newest group of these is kept, as it comes live.
            return;
        }
        let limits = &self.config.limits;
        // A quarter of all room is for what is live alone.
        let room = limits.past_bytes - limits.past_bytes / 4;
        let free = room.saturating_sub(self.past_bytes) + track.past.fetched_bytes();
        let kept = Kept {
            subgroup: object.subgroup,
            priority: object.priority,
            properties: object.properties.clone(),
            payload: payload.clone(),
            came: now,
        };
        let before = track.past.bytes();
        let limit = if free < limits.past_track_bytes { Limit::PastBytes } else { Limit::PastTrackBytes };
        let evicted = track.past.keep_fetched(from, object.location, kept, limits.past_track_bytes.min(free));
        self.refused.add(limit, evicted);
        self.past_bytes = self.past_bytes - before + track.past.bytes();
    }

    /// A FETCH that was passed on has ended with all its objects, and its FETCH_OK has come: nothing else is in its range.
    pub(super) fn learn_passed(&mut self, at: ConnIndex, key: RequestKey) {
        let Some(Purpose::PassOn(passing)) = self.fetches.get_mut(&(at, key)) else { return };
        let Passing { track: id, asked, end: Some(end), ended: Some(true), last, .. } = **passing else { return };
        let Some(mut way) = passing.known.take() else { return };
        let Some(track) = self.tracks.get(&id) else { return };
        let newer = track.largest.is_some_and(|largest| largest.group > asked.group);
        let open = track.groups.values().any(|group| group.header.group == asked.group);
        let end = match asked.object {
            // All of a group that others have followed.
            u64::MAX if end.group >= asked.group && newer && !open => Some(asked),
            _ if end.object >= ANY_OBJECT => last,
            _ => Some(end),
        };
        let from = match (way.order, way.newest) {
            (GroupOrder::Ascending, _) => Some(way.next),
            (GroupOrder::Descending, None) => Some(way.start),
            (GroupOrder::Descending, Some(_)) => {
                let spans = way.down_to(way.start);
                self.learn(id, spans);
                way.tail
            }
        };
        let newest = from.zip(end.map(|end| end.min(way.tail_end))).filter(|(from, end)| from <= end);
        self.learn(id, [newest, None]);
    }
}
