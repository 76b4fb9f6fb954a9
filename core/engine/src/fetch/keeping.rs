//! What a FETCH that is passed on brings is kept for the next who asks: objects as they come, and what their ranges leave
//! out, once it is known not to exist.

use bytes::Bytes;
use cc_session::RequestKey;
use cc_wire::{FetchItem, FetchObject, Gap, Location};

use super::{Passing, Purpose, ANY_OBJECT};
use crate::api::{Time, TrackId};
use crate::conn::ConnIndex;
use crate::fetched::after;
use crate::limits::Limit;
use crate::past::Kept;
use crate::Engine;

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
        let Some(from) = passing.known else { return };
        match item {
            FetchItem::Object(object) if object.location >= from && object.location <= passing.asked => {
                passing.known = Some(after(object.location));
                let track = passing.track;
                self.keep_fetched(track, from, object, payload, now);
            }
            FetchItem::End { gap: Gap::NonExistent, .. } => {}
            FetchItem::End { location, .. } if *location >= from => passing.known = Some(after(*location)),
            // Not in order: what lies between its elements is anybody's guess.
            FetchItem::Object(_) | FetchItem::End { .. } => passing.known = None,
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
        let Passing { track, asked, end: Some(end), ended: Some(true), last, .. } = *passing else { return };
        let Some(from) = passing.known.take() else { return };
        let Some(track) = self.tracks.get_mut(&track).filter(|track| !track.traits.latest_wins) else { return };
        let newer = track.largest.is_some_and(|largest| largest.group > asked.group);
        let open = track.groups.values().any(|group| group.header.group == asked.group);
        let end = match asked.object {
            // All of a group that others have followed.
            u64::MAX if end.group >= asked.group && newer && !open => Some(asked),
            _ if end.object >= ANY_OBJECT => last,
            _ => Some(end),
        };
        if let Some(end) = end.filter(|end| *end >= from) {
            track.past.nothing_else(from, end);
        }
    }
}
