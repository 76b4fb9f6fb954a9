//! Text for one reader: each message once, in order.
//!
//! A group is one stream, and streams overtake each other; so a group's messages wait until the group before it has
//! ended. What is sent again after a reconnect is known by its location and passed over. A group that never ends (its
//! publisher is gone) is given up after [`PATIENCE`], at once after a reconnect, or when too much waits behind it. What
//! is missing then is asked for ([`Next::Missing`]); what can't be had is a gap before the next message.
//!
//! A reader whose application takes nothing is waited for ([`Next::Full`]). What comes meanwhile is held up to a bound,
//! beyond it the newest are turned away and asked for again when the reader has come so far: nothing is missed, and
//! no other reader of the track waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Time;
use crate::budget::Held;

/// How long later groups wait for one that does not end.
const PATIENCE: Time = 5_000_000;
/// What a message counts beside its bytes: about what is kept for it.
const MESSAGE_COST: usize = 192;
/// Groups and holes remembered at most.
const REMEMBERED: usize = 4096;

/// A message's place: group and object.
type Place = (u64, u64);

/// The order of one track's messages.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    /// The group being read, and the object expected next in it.
    at: Option<Place>,
    /// Something before the next message is missing.
    gap: bool,
    held: BTreeMap<Place, (usize, T)>,
    /// What they count for.
    room: Held,
    /// Groups that have ended, from the one being read on, and whether with all their messages.
    ended: BTreeMap<u64, bool>,
    /// Since when messages wait.
    waiting: Option<Time>,
    /// A reconnect lies between: what does not follow need not be waited for.
    hurry: bool,
    /// The message before which all was asked for, and whether the answer is still to come.
    asked: Option<(Place, bool)>,
    /// Everything before this is here, does not exist, or ends at one of the holes.
    filled: Option<Place>,
    /// Last locations of ranges that nobody has any more.
    holes: BTreeSet<Place>,
    /// The application had no room for the next message.
    stalled: bool,
    /// The last one that came and found no room here, and was not asked for since.
    turned_away: Option<Place>,
    /// The last one turned away that is being asked for.
    owed: Option<Place>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// The next message, its bytes, and whether something before it is missing.
    Message(T, usize, bool),
    /// Messages from the first location up to the second are missing: to be asked for, then [`Ordered::filled`].
    Missing(Place, Place),
    /// The next message has more bytes than there is room for.
    Full,
    /// Nothing now.
    Nothing,
}

/// What became of a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is new: ask for what is ready.
    New,
    /// It came before.
    Duplicate,
    /// There is no room for it now; it is asked for again.
    TurnedAway,
}

impl<T> Ordered<T> {
    /// Nothing read so far; what waits is held in `room`.
    pub(crate) fn new(room: Held) -> Self {
        Ordered {
            at: None,
            gap: false,
            held: BTreeMap::new(),
            room,
            ended: BTreeMap::new(),
            waiting: None,
            hurry: false,
            asked: None,
            filled: None,
            holes: BTreeSet::new(),
            stalled: false,
            turned_away: None,
            owed: None,
        }
    }

    /// The place in the track that this reader has come to.
    pub(crate) fn place(&self) -> Option<Place> {
        self.at
    }

    /// Goes on from where the same reader was in the same track, which came back: what it had is passed over, and what
    /// it missed is missing.
    pub(crate) fn resume(&mut self, place: Place) {
        self.at = Some(place);
        self.hurry = true;
    }

    /// A message of `bytes` bytes came.
    pub(crate) fn push(&mut self, group: u64, object: u64, bytes: usize, message: T, now: Time) -> Came {
        let place = (group, object);
        if self.at.is_some_and(|at| place < at) || self.held.contains_key(&place) {
            return Came::Duplicate;
        }
        self.at.get_or_insert(place);
        self.held.insert(place, (bytes, message));
        self.room.add(bytes + MESSAGE_COST);
        self.waiting.get_or_insert(now);
        let waits = self.stalled || matches!(self.asked, Some((_, true)));
        while waits && self.room.over() && self.held.len() > 1 {
            let Some((newest, (bytes, _))) = self.held.pop_last() else { break };
            self.room.sub(bytes + MESSAGE_COST);
            self.turned_away = self.turned_away.max(Some(newest));
            self.filled = self.filled.min(self.held.last_key_value().map(|(place, _)| *place));
            if newest == place {
                return Came::TurnedAway;
            }
        }
        Came::New
    }

    /// Everything that was asked for is here up to this place, or does not exist.
    pub(crate) fn known_to(&mut self, group: u64, object: u64) {
        if matches!(self.asked, Some((_, true))) && self.turned_away.is_none_or(|turned| turned > (group, object)) {
            self.filled = self.filled.max(Some((group, object)));
        }
    }

    /// A group has ended: `whole` if with all its messages.
    pub(crate) fn ended(&mut self, group: u64, whole: bool) {
        let Some((current, _)) = self.at else { return };
        if group >= current {
            self.ended.insert(group, whole);
            if self.ended.len() > REMEMBERED {
                // As if it had not ended: what follows it is waited for a little longer.
                self.ended.pop_last();
            }
        }
    }

    /// The connection was lost and is back: the group being read may never be ended.
    pub(crate) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// The track has come as far as `largest`: what is to be asked for, if this reader has not.
    pub(crate) fn behind(&mut self, largest: Place, now: Time) -> Option<(Place, Place)> {
        let at = self.at.filter(|at| *at <= largest)?;
        self.ask(largest);
        self.waiting = Some(now);
        Some((at, largest))
    }

    fn ask(&mut self, until: Place) {
        self.asked = Some((until, true));
        if self.turned_away.is_some_and(|turned| turned <= until) {
            self.owed = self.turned_away.take();
        }
    }

    /// What was asked for has come, all of it (`whole`) or what there was; `until` is where it was to end.
    pub(crate) fn filled(&mut self, until: Place, whole: bool) {
        if self.turned_away.is_some_and(|turned| turned <= until) {
            // Some of it found no room meanwhile.
            return self.put_off();
        }
        self.asked = Some((until, false));
        let owed = self.owed.take();
        if whole {
            self.filled = self.filled.max(Some(until));
        } else if owed.is_some_and(|owed| self.at <= Some(owed) && !self.held.contains_key(&owed)) {
            self.gap = true;
        }
    }

    /// What was asked for is no longer waited for, as there is no room for it: it is asked for again.
    pub(crate) fn put_off(&mut self) {
        if let Some((until, _)) = self.asked.take() {
            self.turned_away = self.turned_away.max(Some(until));
            self.owed = None;
        }
    }

    /// Nobody has what is before this location, itself included, back to the message before it.
    pub(crate) fn hole(&mut self, last: Place) {
        if self.holes.len() < REMEMBERED {
            self.holes.insert(last);
        } else {
            self.gap = true;
        }
    }

    /// What comes next, for an application that takes `most` bytes.
    pub(crate) fn next(&mut self, now: Time, most: usize) -> Next<T> {
        self.stalled = false;
        let Some((current, expected)) = self.at else { return Next::Nothing };
        let pending = matches!(self.asked, Some((_, true)));
        let Some((&first, &(bytes, _))) = self.held.first_key_value() else {
            self.waiting = None;
            return match self.turned_away.filter(|turned| *turned >= (current, expected) && !pending) {
                Some(until) => {
                    self.ask(until);
                    Next::Missing((current, expected), until)
                }
                None => Next::Nothing,
            };
        };
        let (group, object) = first;
        let late = (self.room.over() && !pending) || self.deadline().is_some_and(|due| due <= now);
        let known = self.filled.is_some_and(|until| first <= until);
        let tried = self.asked.is_some_and(|(until, _)| first <= until);
        let turned = self.turned_away.is_some_and(|turned| turned >= (current, expected) && turned < first);
        let follows = match group > current {
            true => self.ended.get(&current) == Some(&true) && group == current + 1 && object == 0 && !turned,
            false => object == expected,
        };
        if !follows && !known {
            let ended = self.ended.contains_key(&current) || turned || group == current;
            let waits = if pending { !late } else { !ended && !tried && !late && !self.hurry };
            if waits {
                return Next::Nothing;
            }
            if !tried {
                self.ask(first);
                self.waiting = Some(now);
                return Next::Missing((current, expected), first);
            }
            self.gap = true;
        }
        if bytes > most {
            self.stalled = true;
            return Next::Full;
        }
        let holes = self.holes.len();
        self.holes = self.holes.split_off(&first);
        self.gap |= self.holes.len() < holes;
        if group > current {
            self.ended = self.ended.split_off(&group);
        }
        self.hurry = false;
        self.at = Some((group, object + 1));
        self.waiting = Some(now);
        let Some((_, (bytes, message))) = self.held.pop_first() else { return Next::Nothing };
        self.room.sub(bytes + MESSAGE_COST);
        Next::Message(message, bytes, std::mem::take(&mut self.gap))
    }

    /// When waiting ends; a reader that is slow itself is waited for.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.waiting.filter(|_| !self.held.is_empty() && !self.stalled).map(|since| since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    const ALL: usize = usize::MAX;

    /// An order that holds `messages` messages of one byte.
    fn order(messages: usize) -> Ordered<&'static str> {
        Ordered::new(Budget::new(ALL).holder(messages * (1 + MESSAGE_COST)))
    }

    /// Everything that is ready; nothing that is missing can be had.
    fn drain(order: &mut Ordered<&'static str>, now: Time) -> Vec<(&'static str, bool)> {
        let mut out = Vec::new();
        loop {
            match order.next(now, ALL) {
                Next::Message(message, _, gap) => out.push((message, gap)),
                Next::Missing(_, until) => order.filled(until, false),
                Next::Full | Next::Nothing => return out,
            }
        }
    }

    #[test]
    fn a_group_waits_for_the_one_before() {
        let mut order = order(1000);
        order.push(5, 0, 1, "a", 0);
        order.push(6, 0, 1, "c", 0);
        assert_eq!(drain(&mut order, 0), [("a", false)]);
        order.push(5, 1, 1, "b", 1);
        order.ended(5, true);
        assert_eq!(drain(&mut order, 1), [("b", false), ("c", false)]);
    }

    #[test]
    fn what_comes_again_is_passed_over() {
        let mut order = order(1000);
        assert_eq!(order.push(5, 3, 1, "d", 0), Came::New);
        assert_eq!(order.push(5, 3, 1, "d", 0), Came::Duplicate);
        assert_eq!(drain(&mut order, 0), [("d", false)]);
        assert_eq!(order.push(5, 0, 1, "a", 0), Came::Duplicate);
        assert_eq!(order.push(5, 4, 1, "e", 0), Came::New);
        assert_eq!(drain(&mut order, 0), [("e", false)]);
    }

    #[test]
    fn a_group_that_never_ends_is_given_up_with_a_gap() {
        let mut order = order(1000);
        order.push(5, 0, 1, "a", 0);
        assert_eq!(drain(&mut order, 0), [("a", false)]);
        order.push(9, 0, 1, "z", 10);
        assert_eq!(drain(&mut order, PATIENCE), []);
        assert_eq!(order.deadline(), Some(10 + PATIENCE));
        assert_eq!(drain(&mut order, 10 + PATIENCE), [("z", true)]);
    }

    #[test]
    fn a_group_cut_short_or_left_out_is_a_gap() {
        let mut order = order(1000);
        order.push(5, 0, 1, "a", 0);
        order.ended(5, false);
        order.push(6, 0, 1, "b", 0);
        order.ended(6, true);
        order.push(8, 0, 1, "d", 0);
        assert_eq!(drain(&mut order, 0), [("a", false), ("b", true), ("d", true)]);
    }

    #[test]
    fn what_is_missing_is_asked_for_once_and_fits_in() {
        let mut order = order(1000);
        order.push(5, 0, 1, "a", 0);
        assert_eq!(drain(&mut order, 0), [("a", false)]);
        order.hurry();
        order.push(6, 1, 1, "d", 0);
        assert_eq!(order.next(0, ALL), Next::Missing((5, 1), (6, 1)));
        assert_eq!(order.next(0, ALL), Next::Nothing);
        order.push(5, 1, 1, "b", 1);
        order.push(6, 0, 1, "c", 1);
        assert_eq!(order.push(6, 1, 1, "d", 1), Came::Duplicate);
        order.filled((6, 1), true);
        assert_eq!(drain(&mut order, 1), [("b", false), ("c", false), ("d", false)]);
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
        let mut order = order(1000);
        order.push(5, 0, 1, "a", 0);
        assert_eq!(drain(&mut order, 0), [("a", false)]);
        order.push(5, 2, 1, "c", 0);
        assert_eq!(order.next(0, ALL), Next::Missing((5, 1), (5, 2)));
        assert_eq!(order.next(PATIENCE, ALL), Next::Message("c", 1, true));
    }

    #[test]
    fn a_slow_reader_is_waited_for_and_asks_again_for_what_found_no_room() {
        let mut order = order(2);
        order.push(5, 0, 1, "a", 0);
        assert_eq!(order.next(0, 0), Next::Full);
        assert_eq!(order.deadline(), None, "there is no hurry");
        assert_eq!(order.push(5, 1, 1, "b", 0), Came::New);
        assert_eq!(order.push(5, 2, 1, "c", 0), Came::TurnedAway);
        assert_eq!(order.push(5, 3, 1, "d", 0), Came::TurnedAway);
        order.ended(5, true);
        assert_eq!(order.push(6, 0, 1, "e", 0), Came::TurnedAway);
        assert_eq!(order.next(PATIENCE, 0), Next::Full);
        assert_eq!(order.next(PATIENCE, 1), Next::Message("a", 1, false));
        assert_eq!(order.next(PATIENCE, 1), Next::Message("b", 1, false));
        assert_eq!(order.next(PATIENCE, 1), Next::Missing((5, 2), (6, 0)));
        assert_eq!(order.next(PATIENCE, 1), Next::Nothing);
        for (group, object, text) in [(5, 2, "c"), (5, 3, "d"), (6, 0, "e")] {
            assert_eq!(order.push(group, object, 1, text, PATIENCE), Came::New);
            order.known_to(group, object);
            assert_eq!(order.next(PATIENCE, 1), Next::Message(text, 1, false));
        }
        order.filled((6, 0), true);
        order.push(6, 1, 1, "f", PATIENCE);
        assert_eq!(order.next(PATIENCE, 1), Next::Message("f", 1, false));
    }

    #[test]
    fn what_finds_no_room_again_is_asked_for_again() {
        let mut order = order(2);
        for (object, text) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            order.push(5, object as u64, 1, text, 0);
            let _ = order.next(0, 0);
        }
        assert_eq!(order.next(0, 1), Next::Message("a", 1, false));
        assert_eq!(order.next(0, 1), Next::Message("b", 1, false));
        assert_eq!(order.next(0, 1), Next::Missing((5, 2), (5, 4)));
        order.push(5, 2, 1, "c", 0);
        order.known_to(5, 2);
        assert_eq!(order.next(0, 0), Next::Full);
        order.push(5, 3, 1, "d", 0);
        assert_eq!(order.push(5, 4, 1, "e", 0), Came::TurnedAway);
        order.put_off();
        assert_eq!(order.next(0, 1), Next::Message("c", 1, false));
        assert_eq!(order.next(0, 1), Next::Message("d", 1, false));
        assert_eq!(order.next(0, 1), Next::Missing((5, 4), (5, 4)));
        order.push(5, 4, 1, "e", 0);
        order.filled((5, 4), true);
        assert_eq!(order.next(0, 1), Next::Message("e", 1, false));
    }

    #[test]
    fn what_was_turned_away_and_is_gone_is_a_gap() {
        let mut order = order(1);
        order.push(5, 0, 1, "a", 0);
        assert_eq!(order.next(0, 0), Next::Full);
        assert_eq!(order.push(5, 1, 1, "b", 0), Came::TurnedAway);
        order.ended(5, true);
        assert_eq!(order.next(0, 1), Next::Message("a", 1, false));
        assert_eq!(order.next(0, 1), Next::Missing((5, 1), (5, 1)));
        order.filled((5, 1), false);
        order.push(6, 0, 1, "c", 0);
        assert_eq!(order.next(0, 1), Next::Message("c", 1, true));
    }

    #[test]
    fn empty_messages_and_endless_groups_are_bounded() {
        let mut order = order(1000);
        order.push(1, 0, 0, "a", 0);
        assert_eq!(order.next(0, 0), Next::Message("a", 0, false));
        for group in 3..100_000 {
            order.push(group, 0, 0, "x", 0);
            order.ended(group, true);
            while let Next::Missing(_, until) = order.next(0, ALL) {
                order.filled(until, false);
            }
        }
        assert!(order.held.len() <= 1010 && order.ended.len() <= REMEMBERED);
        for hole in 0..100_000 {
            order.hole((200_000, hole));
        }
        assert!(order.holes.len() <= REMEMBERED);
    }
}
