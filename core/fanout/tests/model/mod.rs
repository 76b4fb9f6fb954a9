//! A sending queue that is slow and obvious: a list of all there is, searched for everything.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cc_fanout::queue::*;
use cc_fanout::Time;

pub mod steps;

pub const LIMITS: Limits = Limits { session_bytes: 1500, track_bytes: 1100, subgroup_bytes: 600 };
pub const MAX_DATAGRAM: usize = 30;
pub const NEVER: Time = Time::MAX;

#[derive(Debug)]
pub struct ModelFrame {
    pub track: usize,
    pub priority: u8,
    pub group: u64,
    pub object: u64,
    pub arrival: u64,
    pub parts: VecDeque<Bytes>,
    pub expires: Time,
    pub started: bool,
}

#[derive(Debug)]
pub struct ModelSub {
    pub key: SubgroupKey,
    pub track: usize,
    pub priority: u8,
    pub group: u64,
    pub subgroup: u64,
    pub arrival: u64,
    pub deadline: Time,
    /// Bytes, expiry, and whether they end an object; the header first, until it is out.
    pub chunks: VecDeque<(Bytes, Time, bool)>,
    pub opened: bool,
    pub finished: bool,
    pub ended: bool,
    pub blocked: bool,
    pub dead: Option<Fate>,
}

impl ModelSub {
    pub fn charge(&self) -> usize {
        self.chunks.iter().map(|(data, _, _)| data.len() + ENTRY_COST).sum()
    }

    pub fn ready(&self) -> bool {
        let waiting = self.chunks.len() > usize::from(!self.opened) || self.finished;
        waiting && !self.blocked && !self.ended && self.dead.is_none()
    }

    pub fn expires(&self) -> Time {
        let objects = self.chunks.iter().map(|chunk| chunk.1).min().unwrap_or(NEVER);
        objects.min(self.deadline)
    }

    pub fn objects(&self) -> u64 {
        self.chunks.iter().filter(|chunk| chunk.2).count() as u64
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Given {
    Datagram { track: usize, bytes: Bytes, last: bool },
    Stream { sub: SubgroupKey, header: Bytes, data: Bytes, fin: bool, first: bool },
    Reset { sub: SubgroupKey, code: u64 },
}

#[derive(Default)]
pub struct Model {
    pub now: Time,
    pub configs: Vec<TrackConfig>,
    pub newest: Vec<Option<u64>>,
    pub behind: Vec<bool>,
    pub drops: Vec<[u64; 8]>,
    pub sent: Vec<u64>,
    pub frames: Vec<ModelFrame>,
    pub subs: Vec<ModelSub>,
    pub resets: VecDeque<Given>,
    pub turns: BTreeMap<(usize, u8), u64>,
    pub counter: u64,
}

#[derive(Clone, Copy)]
pub enum Head {
    Frame(usize),
    Sub(usize),
}

impl Model {
    pub fn lane_frames(&self, lane: (usize, u8)) -> Vec<usize> {
        let order = self.configs[lane.0].group_order;
        let latest = self.configs[lane.0].latest_wins;
        let mut found: Vec<usize> =
            (0..self.frames.len()).filter(|&at| (self.frames[at].track, self.frames[at].priority) == lane).collect();
        found.sort_by_key(|&at| {
            let frame = &self.frames[at];
            let pinned = latest && frame.started;
            (!pinned, rank(order, frame.group), frame.object, frame.arrival)
        });
        found
    }

    pub fn lanes(&self) -> Vec<(usize, u8)> {
        let frames = self.frames.iter().map(|frame| (frame.track, frame.priority));
        let subs = self.subs.iter().filter(|sub| sub.ready()).map(|sub| (sub.track, sub.priority));
        let mut lanes: Vec<(usize, u8)> = frames.chain(subs).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }

    /// A lane gets a turn when something comes into it, and loses it when nothing is left.
    pub fn sync(&mut self) {
        let lanes = self.lanes();
        self.turns.retain(|lane, _| lanes.contains(lane));
        for lane in lanes {
            if !self.turns.contains_key(&lane) {
                self.counter += 1;
                self.turns.insert(lane, self.counter);
            }
        }
    }

    pub fn head(&self, lane: (usize, u8)) -> Option<Head> {
        let order = self.configs[lane.0].group_order;
        let frame = self.lane_frames(lane).first().copied();
        let sub = (0..self.subs.len())
            .filter(|&at| (self.subs[at].track, self.subs[at].priority) == lane && self.subs[at].ready())
            .min_by_key(|&at| (rank(order, self.subs[at].group), self.subs[at].subgroup, self.subs[at].arrival));
        match (frame, sub) {
            (Some(frame), Some(sub)) => {
                let pinned = self.configs[lane.0].latest_wins && self.frames[frame].started;
                let sooner = rank(order, self.subs[sub].group) < rank(order, self.frames[frame].group);
                Some(if sooner && !pinned { Head::Sub(sub) } else { Head::Frame(frame) })
            }
            (Some(frame), None) => Some(Head::Frame(frame)),
            (None, sub) => sub.map(Head::Sub),
        }
    }

    pub fn importance(&self, track: usize, priority: u8) -> (u8, u8) {
        (self.configs[track].subscriber_priority, priority)
    }

    pub fn charge(&self, track: Option<usize>) -> usize {
        let frames = self.frames.iter().filter(|frame| track.is_none_or(|track| track == frame.track));
        let subs = self.subs.iter().filter(|sub| track.is_none_or(|track| track == sub.track));
        frames.flat_map(|frame| &frame.parts).map(|part| part.len() + ENTRY_COST).sum::<usize>()
            + subs.map(ModelSub::charge).sum::<usize>()
    }

    pub fn victim(&self, lane: (usize, u8)) -> Option<usize> {
        if self.configs[lane.0].reliable {
            return None;
        }
        let frames = self.lane_frames(lane);
        let front = *frames.first()?;
        let mut oldest = match self.configs[lane.0].group_order {
            GroupOrder::Ascending => frames,
            GroupOrder::Descending => frames.into_iter().rev().collect(),
        };
        oldest.retain(|&at| at != front || !self.frames[at].started);
        oldest.first().copied()
    }

    pub fn drop_frame(&mut self, at: usize, reason: DropReason) {
        let frame = self.frames.remove(at);
        self.drops[frame.track][reason as usize] += 1;
        self.sync();
    }

    pub fn kill(&mut self, at: usize, reason: DropReason, fate: Fate, code: u64) {
        let sub = &mut self.subs[at];
        self.drops[sub.track][reason as usize] += sub.objects();
        sub.chunks.clear();
        sub.dead = Some(fate);
        if sub.opened {
            self.resets.push_back(Given::Reset { sub: sub.key, code });
        }
        self.sync();
    }

    pub fn make_room(&mut self, track: usize, priority: u8, need: usize) -> bool {
        if need > LIMITS.session_bytes.min(LIMITS.track_bytes) || self.behind[track] {
            return false;
        }
        while self.charge(Some(track)) + need > LIMITS.track_bytes {
            let lanes = self.lanes().into_iter().rev().filter(|lane| lane.0 == track && lane.1 >= priority);
            match lanes.filter_map(|lane| self.victim(lane)).next() {
                Some(at) => self.drop_frame(at, DropReason::NoRoom),
                None => return false,
            }
        }
        let mine = self.importance(track, priority);
        while self.charge(None) + need > LIMITS.session_bytes {
            let frame = self
                .lanes()
                .into_iter()
                .filter_map(|lane| self.victim(lane).map(|at| (self.importance(lane.0, lane.1), at)))
                .filter(|(importance, _)| *importance >= mine)
                .max_by_key(|&(importance, at)| (importance, std::cmp::Reverse(self.frames[at].arrival)));
            let stream = (0..self.subs.len())
                .filter(|&at| self.subs[at].chunks.iter().any(|chunk| !chunk.0.is_empty()))
                .filter(|&at| !self.configs[self.subs[at].track].reliable)
                .map(|at| (self.importance(self.subs[at].track, self.subs[at].priority), at))
                .filter(|(importance, _)| *importance > mine)
                .max_by_key(|&(importance, at)| (importance, std::cmp::Reverse(self.subs[at].arrival)));
            match (frame, stream) {
                (Some((least, at)), stream) if stream.is_none_or(|(other, _)| other <= least) => {
                    self.drop_frame(at, DropReason::NoRoom);
                }
                (_, Some((_, at))) => self.kill(at, DropReason::NoRoom, Fate::NoRoom, 5),
                _ => return false,
            }
        }
        true
    }

    pub fn expire(&mut self) {
        while let Some(at) = self.frames.iter().position(|frame| frame.expires <= self.now) {
            self.drop_frame(at, DropReason::Expired);
        }
        let late = |sub: &ModelSub, now| !sub.ended && sub.dead.is_none() && sub.expires() <= now;
        // Of several at once, the one that expired first is reset first.
        while let Some(at) = (0..self.subs.len())
            .filter(|&at| late(&self.subs[at], self.now))
            .min_by_key(|&at| (self.subs[at].expires(), self.subs[at].key))
        {
            self.kill(at, DropReason::Expired, Fate::Expired, 2);
        }
        self.sync();
    }

    pub fn push_frame(&mut self, track: usize, frame: &Frame, sizes: &[usize]) -> Fate {
        let config = self.configs[track];
        let timeout = config.object_timeout.map_or(NEVER, |us| self.now + us);
        let expires = if config.reliable { NEVER } else { frame.deadline.unwrap_or(NEVER).min(timeout) };
        let mut superseded = 0;
        if config.latest_wins {
            if self.newest[track].is_some_and(|newest| frame.group < newest) {
                self.drops[track][DropReason::Superseded as usize] += 1;
                return Fate::Stale;
            }
            let need: usize = sizes.iter().map(|size| size + ENTRY_COST).sum();
            let fits = need <= LIMITS.session_bytes.min(LIMITS.track_bytes);
            while let Some(at) = self.frames.iter().filter(|_| fits).position(|old| {
                old.track == track && old.group < frame.group && !(old.started && old.priority <= frame.priority)
            }) {
                self.drop_frame(at, DropReason::Superseded);
                superseded += 1;
            }
        }
        let need = sizes.iter().map(|size| size + ENTRY_COST).sum();
        if !self.make_room(track, frame.priority, need) {
            self.drops[track][DropReason::NoRoom as usize] += 1;
            if config.reliable {
                self.behind[track] = true;
                return Fate::TooFarBehind;
            }
            return Fate::NoRoom;
        }
        self.newest[track] = Some(frame.group);
        self.counter += 1;
        self.frames.push(ModelFrame {
            track,
            priority: frame.priority,
            group: frame.group,
            object: frame.first_object,
            arrival: self.counter,
            parts: sizes.iter().map(|&size| Bytes::from(vec![0; size])).collect(),
            expires,
            started: false,
        });
        self.sync();
        if superseded > 0 {
            Fate::Superseded(superseded)
        } else {
            Fate::Queued
        }
    }

    pub fn push_object(&mut self, at: usize, data: Bytes) -> Fate {
        let sub = &self.subs[at];
        let (track, priority) = (sub.track, sub.priority);
        let reasons = [(Fate::Expired, DropReason::Expired), (Fate::NoRoom, DropReason::NoRoom)];
        if let Some((fate, reason)) = reasons.into_iter().find(|(fate, _)| Some(*fate) == sub.dead) {
            self.drops[track][reason as usize] += 1;
            return fate;
        }
        let need = data.len() + ENTRY_COST;
        if sub.charge() + need > LIMITS.subgroup_bytes || !self.make_room(track, priority, need) {
            self.drops[track][DropReason::NoRoom as usize] += 1;
            if self.configs[track].reliable {
                self.behind[track] = true;
                return Fate::TooFarBehind;
            }
            self.kill(at, DropReason::NoRoom, Fate::NoRoom, 5);
            return Fate::NoRoom;
        }
        let config = self.configs[track];
        let timeout = config.object_timeout.filter(|_| !config.reliable);
        let expires = timeout.map_or(NEVER, |us| self.now + us);
        self.subs[at].chunks.push_back((data, expires, true));
        self.sync();
        Fate::Queued
    }

    pub fn next(&mut self, room: usize) -> Option<Given> {
        if let Some(reset) = self.resets.pop_front() {
            return Some(reset);
        }
        loop {
            let lane = self.lanes().into_iter().min_by_key(|&lane| {
                let deadline = match self.head(lane) {
                    Some(Head::Frame(at)) => self.frames[at].expires,
                    Some(Head::Sub(at)) => self.subs[at].expires(),
                    None => NEVER,
                };
                (self.importance(lane.0, lane.1), deadline, self.turns[&lane])
            })?;
            match self.head(lane)? {
                Head::Frame(at) => {
                    if self.frames[at].parts[0].len() > MAX_DATAGRAM {
                        self.drop_frame(at, DropReason::TooLarge);
                        continue;
                    }
                    let frame = &mut self.frames[at];
                    frame.started = true;
                    let bytes = frame.parts.pop_front()?;
                    let last = frame.parts.is_empty();
                    if last {
                        self.sent[lane.0] += 1;
                        self.frames.remove(at);
                        self.pass_turn(lane);
                    }
                    return Some(Given::Datagram { track: lane.0, bytes, last });
                }
                Head::Sub(at) => {
                    let sub = &mut self.subs[at];
                    let first = !sub.opened;
                    let mut header = Bytes::new();
                    if first && sub.chunks.front().is_some_and(|chunk| !chunk.2) {
                        if sub.chunks[0].0.len() > room {
                            return None;
                        }
                        header = sub.chunks.pop_front().expect("looked at").0;
                    }
                    let room = room - header.len();
                    let size = sub.chunks.front().map_or(0, |chunk| chunk.0.len());
                    if header.is_empty() && size > 0 && room == 0 {
                        return None;
                    }
                    let mut data = Bytes::new();
                    if let Some(chunk) = sub.chunks.front_mut() {
                        data = chunk.0.split_to(size.min(room));
                        if data.len() == size {
                            self.sent[lane.0] += u64::from(chunk.2);
                            sub.chunks.pop_front();
                        }
                    }
                    sub.opened = true;
                    sub.ended = sub.finished && sub.chunks.is_empty();
                    let given = Given::Stream { sub: sub.key, header, data, fin: sub.ended, first };
                    self.pass_turn(lane);
                    return Some(given);
                }
            }
        }
    }

    pub fn pass_turn(&mut self, lane: (usize, u8)) {
        self.counter += 1;
        self.turns.insert(lane, self.counter);
        self.sync();
    }

    /// Puts back the end of what was given; `split` if the rest of its chunk is still in front.
    pub fn unsent(&mut self, key: SubgroupKey, rest: Bytes, object: bool, expires: Time) {
        let at = self.subs.iter().position(|sub| sub.key == key).expect("a subgroup just served");
        let sub = &mut self.subs[at];
        sub.ended = false;
        sub.chunks.push_front((rest, expires, object));
        self.sent[sub.track] -= u64::from(object);
        self.sync();
    }
}

pub fn rank(order: GroupOrder, group: u64) -> u64 {
    match order {
        GroupOrder::Ascending => group,
        GroupOrder::Descending => u64::MAX - group,
    }
}
