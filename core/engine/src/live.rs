//! Audio and video for one reader: in order, and fresh rather than whole.
//!
//! A group is one stream, and streams overtake each other. So a group waits for the one before it to end, but for
//! [`AUDIO_PATIENCE`] or [`VIDEO_PATIENCE`] at most: then the older one is given up, what still comes of it is passed
//! over, and the next object is told to come after a gap. A video group is read from its first object, the keyframe, or
//! not at all; when several have come meanwhile, reading goes on at the newest. Audio may begin anywhere in a group.
//! What is missing within a group is waited for as long, and the rest follows with a gap.

use std::collections::BTreeMap;

use crate::api::{Time, TrackKind};

/// How long audio waits for what is missing: beyond what a jitter buffer holds, it would come too late to be heard.
const AUDIO_PATIENCE: Time = 200_000;
/// How long video waits for what is missing: a retransmission over a long path.
const VIDEO_PATIENCE: Time = 500_000;
/// Bytes of audio that wait at most.
const AUDIO_BYTES: usize = 512 << 10;
/// Bytes of video that wait at most: a few large keyframes.
const VIDEO_BYTES: usize = 8 << 20;
/// What an object counts beside its own bytes.
const OBJECT_COST: usize = 96;

/// The order of one track's objects.
#[derive(Debug)]
pub(crate) struct Live<T> {
    /// Only a group's first object can begin it.
    keyed: bool,
    patience: Time,
    most: usize,
    /// The group being read, and the object expected next in it.
    at: Option<(u64, u64)>,
    /// Groups up to this one are passed over.
    passed: Option<u64>,
    /// Something before the next object is missing.
    gap: bool,
    held: BTreeMap<(u64, u64), (usize, T)>,
    held_bytes: usize,
    /// Groups that have ended, of those being read or held, and whether with all their objects.
    ended: BTreeMap<u64, bool>,
    /// Since when objects wait.
    waiting: Option<Time>,
    /// A reconnect lies between: what does not follow need not be waited for.
    hurry: bool,
    /// Objects that were given up since they were last taken.
    dropped: u64,
}

/// What became of an object that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is new: ask for what is ready.
    New,
    /// It came before.
    Duplicate,
    /// Its group was given up.
    Late,
}

impl<T> Live<T> {
    /// The order that a kind of track has, if it is audio or video.
    pub(crate) fn of_kind(kind: u8) -> Option<Box<Live<T>>> {
        let keyed = kind == TrackKind::Video as u8;
        if !keyed && kind != TrackKind::Audio as u8 {
            return None;
        }
        Some(Box::new(Live {
            keyed,
            patience: if keyed { VIDEO_PATIENCE } else { AUDIO_PATIENCE },
            most: if keyed { VIDEO_BYTES } else { AUDIO_BYTES },
            at: None,
            passed: None,
            gap: false,
            held: BTreeMap::new(),
            held_bytes: 0,
            ended: BTreeMap::new(),
            waiting: None,
            hurry: false,
            dropped: 0,
        }))
    }

    /// An object of `bytes` bytes came.
    pub(crate) fn push(&mut self, group: u64, object: u64, bytes: usize, item: T, now: Time) -> Came {
        let over = self.passed.is_some_and(|passed| group <= passed) || self.at.is_some_and(|(at, _)| group < at);
        if over {
            return Came::Late;
        }
        let known = self.at.is_some_and(|at| (group, object) < at) || self.held.contains_key(&(group, object));
        if known {
            return Came::Duplicate;
        }
        let cost = bytes + OBJECT_COST;
        self.held.insert((group, object), (cost, item));
        self.held_bytes += cost;
        self.waiting.get_or_insert(now);
        Came::New
    }

    /// A group's stream has ended: `whole` if with all its objects.
    pub(crate) fn ended(&mut self, group: u64, whole: bool) {
        let reading = self.at.is_some_and(|(at, _)| at == group);
        if reading || self.held.range((group, 0)..=(group, u64::MAX)).next().is_some() {
            self.ended.insert(group, whole);
        }
    }

    /// The connection was lost and is back: what is being read may never be ended.
    pub(crate) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Objects that were given up since the last look.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The next object, if it is ready, and whether something before it is missing.
    pub(crate) fn next(&mut self, now: Time) -> Option<(T, bool)> {
        loop {
            let Some((&first, _)) = self.held.first_key_value() else {
                self.waiting = None;
                return None;
            };
            let late = self.held_bytes > self.most || self.deadline().is_some_and(|due| due <= now);
            match self.at {
                Some((group, expected)) if first.0 == group => {
                    if first.1 > expected {
                        let cut = self.ended.contains_key(&group) || self.hurry;
                        if !late && !cut {
                            return None;
                        }
                        self.gap = true;
                    }
                    return self.take(first, now);
                }
                at => {
                    let ended = at.and_then(|(group, _)| self.ended.get(&group).copied());
                    let follows = at.is_none_or(|(group, _)| ended == Some(true) && first.0 == group + 1);
                    // A group that was cut short has nothing to come; one that is missing may still come.
                    let may_go = follows || late || self.hurry || (ended == Some(false) && first.1 == 0);
                    if !may_go {
                        return None;
                    }
                    let Some(begin) = self.beginning(first, late && at.is_some()) else {
                        if !late {
                            return None;
                        }
                        self.pass(first.0);
                        continue;
                    };
                    if begin == first && begin.1 > 0 && !late {
                        // The beginning of the group may still come.
                        return None;
                    }
                    self.gap |= !follows || begin != first || (begin.1 > 0 && at.is_some());
                    if let Some(before) = begin.0.checked_sub(1).filter(|_| begin.0 > first.0) {
                        self.pass(before);
                    }
                    return self.take(begin, now);
                }
            }
        }
    }

    /// When waiting ends.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.waiting.filter(|_| !self.held.is_empty()).map(|since| since + self.patience)
    }

    /// Where reading can go on: at what is held first, or for video at a keyframe, of the `newest` group if that was
    /// waited for.
    fn beginning(&self, first: (u64, u64), newest: bool) -> Option<(u64, u64)> {
        if !self.keyed {
            return Some(first);
        }
        let mut keys = self.held.keys().filter(|(_, object)| *object == 0);
        if newest { keys.next_back() } else { keys.next() }.copied()
    }

    /// Gives up all groups up to this one.
    fn pass(&mut self, group: u64) {
        self.passed = Some(self.passed.map_or(group, |passed| passed.max(group)));
        let kept = match group.checked_add(1) {
            Some(next) => self.held.split_off(&(next, 0)),
            None => BTreeMap::new(),
        };
        let gone = std::mem::replace(&mut self.held, kept);
        self.held_bytes -= gone.values().map(|(cost, _)| cost).sum::<usize>();
        self.dropped += gone.len() as u64;
        self.gap = true;
        self.waiting = None;
        self.ended.retain(|other, _| *other > group);
    }

    fn take(&mut self, at: (u64, u64), now: Time) -> Option<(T, bool)> {
        let (cost, item) = self.held.remove(&at)?;
        self.held_bytes -= cost;
        if self.at.is_some_and(|(group, _)| group < at.0) {
            self.ended = self.ended.split_off(&at.0);
        }
        self.at = Some((at.0, at.1.saturating_add(1)));
        self.hurry = false;
        self.waiting = Some(now);
        Some((item, std::mem::take(&mut self.gap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: u8 = TrackKind::Video as u8;
    const AUDIO: u8 = TrackKind::Audio as u8;

    fn push(live: &mut Live<(u64, u64)>, group: u64, objects: std::ops::Range<u64>, now: Time) {
        for object in objects {
            assert_eq!(live.push(group, object, 10, (group, object), now), Came::New);
        }
    }

    /// What is ready: first and last location of each run, and whether a gap is told before it.
    fn drain(live: &mut Live<(u64, u64)>, now: Time) -> Vec<((u64, u64), bool)> {
        std::iter::from_fn(|| live.next(now)).collect()
    }

    #[test]
    fn groups_follow_each_other_when_they_end() {
        for kind in [VIDEO, AUDIO] {
            let mut live = Live::of_kind(kind).unwrap();
            push(&mut live, 5, 0..2, 0);
            push(&mut live, 6, 0..1, 0);
            assert_eq!(drain(&mut live, 0), [((5, 0), false), ((5, 1), false)]);
            live.ended(5, true);
            assert_eq!(drain(&mut live, 1), [((6, 0), false)]);
            assert_eq!(live.push(5, 2, 10, (5, 2), 2), Came::Late);
            assert_eq!(live.push(6, 0, 10, (6, 0), 2), Came::Duplicate);
        }
    }

    #[test]
    fn a_stalled_group_is_superseded_after_a_while_and_the_newest_goes_on() {
        let mut live = Live::of_kind(VIDEO).unwrap();
        push(&mut live, 5, 0..2, 0);
        assert_eq!(drain(&mut live, 0).len(), 2);
        push(&mut live, 6, 0..3, 10);
        push(&mut live, 7, 0..2, 20);
        assert_eq!(drain(&mut live, 20), []);
        assert_eq!(live.deadline(), Some(10 + VIDEO_PATIENCE));
        assert_eq!(drain(&mut live, 10 + VIDEO_PATIENCE), [((7, 0), true), ((7, 1), false)]);
        assert_eq!(live.take_dropped(), 3);
        assert_eq!(live.push(6, 3, 10, (6, 3), 0), Came::Late);
    }

    #[test]
    fn video_joined_midway_is_passed_over_and_audio_is_not() {
        let mut video = Live::of_kind(VIDEO).unwrap();
        push(&mut video, 5, 3..6, 0);
        assert_eq!(drain(&mut video, 0), []);
        assert_eq!(drain(&mut video, VIDEO_PATIENCE), []);
        assert_eq!(video.push(5, 6, 10, (5, 6), VIDEO_PATIENCE), Came::Late);
        assert_eq!(video.take_dropped(), 3);
        push(&mut video, 6, 0..1, VIDEO_PATIENCE);
        assert_eq!(drain(&mut video, VIDEO_PATIENCE), [((6, 0), true)]);

        let mut audio = Live::of_kind(AUDIO).unwrap();
        push(&mut audio, 5, 3..5, 0);
        assert_eq!(drain(&mut audio, 0), []);
        assert_eq!(drain(&mut audio, AUDIO_PATIENCE), [((5, 3), false), ((5, 4), false)]);
    }

    #[test]
    fn a_keyframe_that_comes_while_waiting_for_another_begins_at_once() {
        let mut live = Live::of_kind(VIDEO).unwrap();
        push(&mut live, 5, 3..6, 0);
        push(&mut live, 6, 0..1, 10);
        assert_eq!(drain(&mut live, 10), [((6, 0), true)]);
    }

    #[test]
    fn the_beginning_that_comes_after_its_end_is_put_in_front() {
        let mut live = Live::of_kind(VIDEO).unwrap();
        push(&mut live, 5, 2..4, 0);
        assert_eq!(drain(&mut live, 0), []);
        push(&mut live, 5, 0..2, 10);
        let all: Vec<_> = (0..4).map(|object| ((5, object), false)).collect();
        assert_eq!(drain(&mut live, 10), all);
    }

    #[test]
    fn a_group_cut_short_makes_room_at_once() {
        let mut live = Live::of_kind(AUDIO).unwrap();
        push(&mut live, 5, 0..2, 0);
        assert_eq!(drain(&mut live, 0).len(), 2);
        live.ended(5, false);
        push(&mut live, 6, 0..1, 5);
        assert_eq!(drain(&mut live, 5), [((6, 0), true)]);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let mut live = Live::of_kind(AUDIO).unwrap();
        push(&mut live, 5, 0..1, 0);
        assert_eq!(drain(&mut live, 0).len(), 1);
        for object in 0..20_000 {
            live.push(6, object, 100, (6, object), 0);
            while live.next(0).is_some() {}
            assert!(live.held_bytes <= AUDIO_BYTES + 200);
        }
        for group in 1000..1_000_000 {
            live.ended(group, true);
        }
        assert!(live.ended.len() < 10);
    }
}
