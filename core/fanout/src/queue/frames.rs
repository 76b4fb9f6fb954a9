//! Datagram frames: pushing, conflation, and making room.

use super::*;

/// How many groups that come in parts a track remembers, so that late parts find their frame.
pub(super) const RECENT: usize = 16;

/// A group that comes in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub group: u64,
    pub state: RecordState,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RecordState {
    /// In the queue, or waiting for its next part.
    Open(u32),
    /// Dropped, and counted: parts that follow are dropped with it.
    Dropped(DropReason),
}

impl Queue {
    /// Queues a frame. A latest-wins track keeps its newest group only; one whose parts are half
    /// out is finished first, if the newer is not more important, so that something arrives.
    pub fn push_frame(&mut self, key: TrackKey, frame: Frame, now: Time) -> Fate {
        self.expire(now);
        let Some(track) = self.track(key) else {
            return Fate::Gone;
        };
        let seen = frame.parts.count() as u32;
        let state = FrameState {
            track,
            lane: NONE,
            place: Place { rank: 0, item: frame.first_object, arrival: 0, index: 0 },
            group: frame.group,
            priority: frame.priority,
            bytes: frame.parts.bytes(),
            charge: seen as usize * ENTRY_COST,
            first: Some(frame.parts.first),
            rest: frame.parts.rest,
            expires: frame.deadline.unwrap_or(NEVER),
            pushed_at: self.now,
            started: false,
            tracked: false,
            seen,
            expected: Some(u64::from(seen)),
        };
        self.admit(track, state).1
    }

    /// Queues one fragment as a relay receives it, in the frame of its group. If that frame was
    /// dropped, so is the part, uncounted: a frame counts once. It is sent when all parts up to
    /// END_OF_GROUP are; parts may come in any order. An object id of [`MAX_PARTS`] or more is no
    /// fragment's: it is a frame of its own, whatever became of the group's others.
    pub fn push_part(&mut self, key: TrackKey, part: Part, now: Time) -> Fate {
        self.expire(now);
        let Some(track) = self.track(key) else {
            return Fate::Gone;
        };
        let records = &self.tracks[track].recent;
        let found = records.iter().rev().find(|record| record.group == part.group);
        let fragment = part.object < MAX_PARTS as u64;
        match found.map(|record| record.state).filter(|_| fragment) {
            Some(RecordState::Dropped(reason)) => fate_of(reason),
            Some(RecordState::Open(frame)) if (self.frames[frame].seen as usize) < MAX_PARTS => {
                self.append(frame, part)
            }
            None if fragment => self.begin(track, part),
            _ => {
                let frame = Frame {
                    group: part.group,
                    priority: part.priority,
                    deadline: part.deadline,
                    first_object: part.object,
                    parts: part.data.into(),
                };
                self.push_frame(key, frame, now)
            }
        }
    }

    /// Counts a whole frame of one datagram as sent, which the caller sends itself, past the queue. False: it is to be
    /// pushed, because something waits that may go before it, or it has more parts, or it comes too late.
    pub fn pass(&mut self, key: TrackKey, part: &Part, now: Time) -> bool {
        let Some(index) = self.track(key).filter(|_| self.is_clear()) else { return false };
        let late = part.deadline.is_some_and(|deadline| deadline <= self.now.max(now));
        if !(part.object == 0 && part.end_of_group) || late {
            return false;
        }
        let head = &mut self.heads[index as usize];
        if head.is_stale(part.group) || head.is_odd(&self.tracks, index) {
            return false;
        }
        head.sent(part.group, part.data.len());
        true
    }

    /// The first part of a group to arrive.
    fn begin(&mut self, track: u32, part: Part) -> Fate {
        let alone = part.object == 0 && part.end_of_group;
        let group = part.group;
        let state = FrameState::of_part(track, part, self.now);
        let (frame, fate) = self.admit(track, state);
        if alone {
            return fate;
        }
        let state = match frame {
            Some(frame) => RecordState::Open(frame),
            None => RecordState::Dropped(reason_of(fate)),
        };
        if self.tracks[track].recent.len() >= RECENT {
            self.forget_oldest(track);
        }
        self.tracks[track].recent.push_back(Record { group, state });
        self.heads[track as usize].odd = true;
        fate
    }

    /// A further part of a frame that is open.
    fn append(&mut self, index: u32, part: Part) -> Fate {
        let (track, priority, lane) = {
            let frame = &mut self.frames[index];
            frame.seen += 1;
            if part.end_of_group {
                frame.expected = Some(part.object.saturating_add(1));
            }
            (frame.track, frame.priority, frame.lane)
        };
        let need = part.data.len() + ENTRY_COST;
        // Its own earlier parts are no room for a later one.
        if !self.make_room(track, priority, need, Some(index)) {
            return if self.tracks[track].config.reliable {
                self.fall_behind(track, Some(index))
            } else {
                self.drop_frame(index, DropReason::NoRoom);
                Fate::NoRoom
            };
        }
        let bytes = part.data.len();
        let frame = &mut self.frames[index];
        frame.bytes += bytes;
        frame.charge += ENTRY_COST;
        if frame.first.is_none() && frame.rest.is_empty() {
            frame.first = Some(part.data);
        } else {
            frame.rest.push_back(part.data);
        }
        self.charge(track, bytes, ENTRY_COST);
        if lane == NONE {
            self.enter_lane(index);
        }
        Fate::Queued
    }

    /// Queues a new frame, or says why not. Counts it.
    fn admit(&mut self, track: u32, mut frame: FrameState) -> (Option<u32>, Fate) {
        self.tracks[track].stats.pushed_frames += 1;
        let head = &self.heads[track as usize];
        frame.expires = head.expires(frame.expires, self.now);
        let (conflate, stale) = (head.conflates, head.is_stale(frame.group));
        if frame.expires <= self.now {
            self.count(track, DropReason::Expired);
            return (None, Fate::Expired);
        }
        if stale {
            self.count(track, DropReason::Superseded);
            return (None, Fate::Stale);
        }
        let fits = self.can_fit(frame.bytes + frame.charge);
        let superseded = if conflate && fits { self.supersede(track, &frame) } else { 0 };
        if !self.make_room(track, frame.priority, frame.bytes + frame.charge, None) {
            if self.tracks[track].config.reliable {
                return (None, self.fall_behind(track, None));
            }
            self.count(track, DropReason::NoRoom);
            return (None, Fate::NoRoom);
        }
        let index = self.enqueue(frame);
        (Some(index), if superseded > 0 { Fate::Superseded(superseded) } else { Fate::Queued })
    }

    /// Enters a frame that is counted as pushed, expires when it says, and has room.
    pub(super) fn enqueue(&mut self, mut frame: FrameState) -> u32 {
        let track = frame.track;
        let head = &mut self.heads[track as usize];
        if head.conflates {
            head.newest = frame.group;
        }
        let (bytes, charge, expires) = (frame.bytes, frame.charge, frame.expires);
        self.arrivals += 1;
        frame.place.rank = rank(self.tracks[track].config.group_order, frame.group);
        frame.place.arrival = self.arrivals;
        let (index, _) = self.frames.insert(frame);
        self.frames[index].place.index = index;
        self.tracks[track].stats.queued_frames += 1;
        self.charge(track, bytes, charge);
        if expires != NEVER {
            self.frame_timers.set(index, (expires, index));
        }
        self.enter_lane(index);
        index
    }

    fn enter_lane(&mut self, index: u32) {
        let (track, priority, place) = {
            let frame = &self.frames[index];
            (frame.track, frame.priority, frame.place)
        };
        let lane = self.lane_of(track, priority);
        self.enter(lane);
        Lane::insert(&mut self.lanes[lane].frames, place);
        self.frames[index].lane = lane;
        self.refresh(lane);
    }

    /// Takes a frame out of its lane: it is gone, or waits for its next part.
    pub(super) fn leave_lane(&mut self, index: u32) {
        let frame = &mut self.frames[index];
        let lane = std::mem::replace(&mut frame.lane, NONE);
        if lane != NONE {
            let place = frame.place;
            Lane::remove(&mut self.lanes[lane].frames, place);
            self.refresh(lane);
        }
    }

    /// A newer group drops the older ones of its latest-wins track. One that is half out and not
    /// less important stays: else a large frame would never get through.
    fn supersede(&mut self, track: u32, newer: &FrameState) -> u32 {
        let mut older = std::mem::take(&mut self.scratch);
        for &(priority, lane) in &self.tracks[track].lanes {
            let frames = self.lanes[lane].frames.iter().filter(|place| {
                let frame = &self.frames[place.index];
                frame.group < newer.group && !(frame.started && priority <= newer.priority)
            });
            older.extend(frames.map(|place| place.index));
        }
        let count = older.len() as u32;
        for frame in older.drain(..) {
            self.drop_frame(frame, DropReason::Superseded);
        }
        self.scratch = older;
        count
    }

    /// Makes room for `need` bytes by dropping what is less important, and frames of the same
    /// importance, the least important first. `keep` is a frame that is not to be dropped.
    pub(super) fn make_room(&mut self, track: u32, priority: u8, need: usize, keep: Option<u32>) -> bool {
        let Limits { session_bytes, track_bytes, .. } = self.limits;
        if !self.can_fit(need) || self.tracks[track].behind {
            return false;
        }
        while self.heads[track as usize].charge + need > track_bytes {
            let lanes = self.tracks[track].lanes.iter().rev();
            let victim = lanes
                .take_while(|&&(other, _)| other >= priority)
                .find_map(|&(_, lane)| self.victim(&self.lanes[lane]));
            match victim {
                Some(place) if Some(place.index) != keep => self.drop_frame(place.index, DropReason::NoRoom),
                _ => return false,
            }
        }
        let mine = importance(self.tracks[track].config.subscriber_priority, priority);
        while self.charge + need > session_bytes {
            // Again after each: what is large may need more than half of the session.
            self.crowd();
            let Some(victims) = &self.victims else { return false };
            let frame = victims.lanes.top().filter(|((Reverse(other), _), _)| *other >= mine);
            let stream = victims.streams.top().filter(|((Reverse(other), _), _)| *other > mine);
            match (frame, stream) {
                (Some(((Reverse(least), _), lane)), stream)
                    if stream.is_none_or(|((Reverse(other), _), _)| other <= least) =>
                {
                    match self.victim(&self.lanes[lane]) {
                        Some(place) if Some(place.index) != keep => {
                            self.drop_frame(place.index, DropReason::NoRoom);
                        }
                        _ => return false,
                    }
                }
                (_, Some((_, sub))) => self.kill(sub, DropReason::NoRoom, streams::TOO_FAR_BEHIND),
                _ => return false,
            }
        }
        true
    }

    /// Whether so much could be queued if nothing else were.
    fn can_fit(&self, need: usize) -> bool {
        need <= self.limits.session_bytes.min(self.limits.track_bytes)
    }

    /// A reliable track went over a bound: it takes nothing more.
    pub(super) fn fall_behind(&mut self, track: u32, frame: Option<u32>) -> Fate {
        self.put_behind(track);
        match frame {
            Some(frame) => self.drop_frame(frame, DropReason::NoRoom),
            None => self.count(track, DropReason::NoRoom),
        }
        Fate::TooFarBehind
    }

    pub(super) fn put_behind(&mut self, track: u32) {
        self.tracks[track].behind = true;
        self.heads[track as usize].odd = true;
    }

    /// Drops a frame with all its parts, and counts it.
    pub(super) fn drop_frame(&mut self, index: u32, reason: DropReason) {
        let gone = &self.frames[index];
        // All that came of it went out in time: what is missing never came.
        let sent = gone.bytes == 0 && gone.first.is_none() && gone.rest.is_empty();
        let (track, group, tracked) = (gone.track, gone.group, gone.tracked);
        self.end_frame(index);
        if sent {
            self.tracks[track].stats.sent_frames += 1;
        } else {
            self.count(track, reason);
        }
        if !tracked {
            return;
        }
        let records = &mut self.tracks[track].recent;
        if sent {
            // Another object of the group starts anew: nothing of it was held back.
            records.retain(|record| record.group != group);
        } else if let Some(record) = records.iter_mut().rev().find(|record| record.group == group) {
            record.state = RecordState::Dropped(reason);
        }
    }

    /// Takes a frame out of the queue altogether.
    pub(super) fn end_frame(&mut self, index: u32) {
        self.leave_lane(index);
        self.frame_timers.remove(index);
        let frame = &self.frames[index];
        let (track, bytes, charge) = (frame.track, frame.bytes, frame.charge);
        self.frames.discard(index);
        self.discharge(track, bytes, charge);
        self.tracks[track].stats.queued_frames -= 1;
    }

    /// Makes place for another record. A frame that waited for parts counts as sent: what came
    /// of it is out, and the rest is lost on its way here.
    fn forget_oldest(&mut self, track: u32) {
        let Some(Record { state: RecordState::Open(frame), .. }) = self.tracks[track].recent.pop_front() else {
            return;
        };
        if self.frames[frame].lane == NONE {
            self.end_frame(frame);
            self.tracks[track].stats.sent_frames += 1;
        } else {
            self.frames[frame].tracked = false;
        }
    }

    /// All that came of a frame is out: it is sent, or waits for its next part.
    pub(super) fn drained(&mut self, index: u32) {
        self.leave_lane(index);
        let frame = &self.frames[index];
        let (track, group, tracked) = (frame.track, frame.group, frame.tracked);
        let complete = frame.expected.is_some_and(|parts| u64::from(frame.seen) >= parts);
        if tracked && !complete {
            return;
        }
        self.end_frame(index);
        self.tracks[track].stats.sent_frames += 1;
        if tracked {
            self.tracks[track].recent.retain(|record| record.group != group);
        }
    }
}

pub(super) fn fate_of(reason: DropReason) -> Fate {
    match reason {
        DropReason::Expired => Fate::Expired,
        DropReason::Superseded => Fate::Stale,
        DropReason::TooLarge => Fate::TooLarge,
        _ => Fate::NoRoom,
    }
}

fn reason_of(fate: Fate) -> DropReason {
    match fate {
        Fate::Expired => DropReason::Expired,
        Fate::Stale => DropReason::Superseded,
        Fate::TooLarge => DropReason::TooLarge,
        _ => DropReason::NoRoom,
    }
}
