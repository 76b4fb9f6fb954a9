//! The sending queue of one session: what is waiting, and what goes next.
//!
//! The owner pushes encoded datagrams and objects as they come, and drains with
//! [`Queue::next`] whenever the transport takes more. Each call carries the time; time never
//! runs backwards (an earlier one counts as the latest seen).
//!
//! **Order.** Subscriber priority, then publisher priority, 0 first; within a track its group
//! order, then object or subgroup id; between tracks that tie the earlier deadline, then turns.
//! A turn lasts one whole frame, or one chunk of a stream, the first with its header. A less
//! important thing never overtakes a more important one for want of room: what flow control holds
//! back is taken out by [`block`](Queue::block).
//!
//! **Bounds.** Nothing grows past [`Limits`]. A frame that finds no room displaces the least
//! important and, among those, the oldest frames, never more important ones; in the session as a
//! whole also less important streams of partly reliable tracks. What it has displaced stays so
//! even if there is no room for it in the end. A frame that is half out is not displaced while it
//! is next in its lane: otherwise large frames on a slow link would all be cut short.
//!
//! **Counting.** Everything pushed is sent, dropped for one reason, withdrawn, or still queued.

mod frames;
mod fresh;
mod send;
mod streams;
mod tracks;
mod types;

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::heap::IdHeap;
use crate::slab::Slab;
use crate::Time;
pub use types::*;

/// No such lane, or no such moment.
const NONE: u32 = u32::MAX;
const NEVER: Time = Time::MAX;

/// What waits to be sent to one session. See the module for the rules.
#[derive(Debug)]
// So that what is looked at for each datagram comes first, and lies together.
#[repr(C)]
pub struct Queue {
    /// What has just come.
    fresh: fresh::Fresh,
    /// The latest time seen, but for what `fresh` was told.
    now: Time,
    /// Of each track what a datagram that comes alone asks for.
    heads: Vec<Head>,
    limits: Limits,
    tracks: Slab<Track>,
    lanes: Lanes,
    frames: Slab<FrameState>,
    subs: Slab<Sub>,
    /// Lanes with something to send, by [`order_key`].
    order: IdHeap<u128>,
    /// The session's bound was met, so `victims` are kept; until half of it is free again.
    crowded: bool,
    /// It was met since memory was last given back.
    swollen: bool,
    /// There since the session's bound was first met; until memory is given back.
    victims: Option<Box<Victims>>,
    frame_timers: IdHeap<(Time, u32)>,
    sub_timers: IdHeap<(Time, u32)>,
    resets: VecDeque<(SubgroupKey, u64)>,
    /// The peer permits no further stream: unopened subgroups are parked as they come up.
    opening_blocked: bool,
    parked: BTreeSet<u32>,
    /// The subgroup whose FIN went out last; it ends with the next `next`, so that `unsent` and
    /// `stream_refused` still find it.
    retiring: Option<SubgroupKey>,
    bytes: usize,
    charge: usize,
    turns: u64,
    arrivals: u64,
    /// Counts of the tracks that have been removed, once one has.
    past: Option<Box<TrackStats>>,
    scratch: Vec<u32>,
}

/// What may give way, as long as the session's bound is met.
#[derive(Debug, Default)]
struct Victims {
    /// Lanes with a frame that may be displaced: least important first, then oldest.
    lanes: IdHeap<(Reverse<u16>, u64)>,
    /// Subgroups that may be reset to make room: least important first, then oldest.
    streams: IdHeap<(Reverse<u16>, u64)>,
}

/// A cache line of each track, and all that is touched of it for a datagram which is on its way at once.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Head {
    /// Of the track whose it is; no track has [`GONE`].
    generation: u32,
    subscriber_priority: u8,
    /// Only its newest frame is held.
    conflates: bool,
    reliable: bool,
    /// It may be behind, or have groups that come in parts.
    odd: bool,
    /// Of datagrams: the shorter of its time-outs, or [`NEVER`].
    timeout: Time,
    /// Of objects of streams; [`NEVER`] for a reliable track.
    object_timeout: Time,
    charge: usize,
    /// Latest-wins: the newest group accepted, or 0.
    newest: u64,
    /// The round of `fresh` that it was last part of.
    round: u64,
    /// Sent from `fresh`, beside what is in `stats`.
    sent_frames: u64,
    sent_bytes: u64,
}

/// Generations count from 0, and none comes so far.
const GONE: u32 = u32::MAX;

#[derive(Debug)]
struct Track {
    config: TrackConfig,
    /// Its lanes, by publisher priority. None of several is empty; an only one may be: it waits for what comes next.
    lanes: Vec<(u8, u32)>,
    /// Its subgroups, in no order; each knows its place.
    subs: Vec<u32>,
    stats: TrackStats,
    /// A reliable track that went over a bound takes nothing more: there would be a gap.
    behind: bool,
    /// The latest groups that came in parts, oldest first, at most [`frames::RECENT`].
    recent: VecDeque<frames::Record>,
}

/// What waits of one track at one publisher priority.
#[derive(Debug, Default)]
struct Lane {
    track: u32,
    importance: u16,
    turn: u64,
    frames: VecDeque<Place>,
    streams: VecDeque<Place>,
}

/// Where a frame or subgroup stands in its lane; unique by `arrival`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The group id, turned round for descending order.
    rank: u64,
    /// Object or subgroup id.
    item: u64,
    arrival: u64,
    index: u32,
}

/// Lanes, and those no longer in use, whose allocations serve the next.
#[derive(Debug, Default)]
struct Lanes {
    all: Vec<Lane>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct FrameState {
    track: u32,
    /// [`NONE`] while all parts that have come are out and more are to come.
    lane: u32,
    place: Place,
    group: u64,
    priority: u8,
    first: Option<Bytes>,
    rest: VecDeque<Bytes>,
    bytes: usize,
    charge: usize,
    expires: Time,
    pushed_at: Time,
    /// At least one part is out.
    started: bool,
    /// It has a record among its track's recent ones: more parts may come.
    tracked: bool,
    /// Parts that have come.
    seen: u32,
    /// How many there are, once known.
    expected: Option<u64>,
}

#[derive(Debug)]
struct Sub {
    track: u32,
    place_in_track: u32,
    meta: SubgroupMeta,
    place: Place,
    lane: u32,
    header: Bytes,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    charge: usize,
    /// Objects among `chunks`.
    objects: u64,
    opened: bool,
    finished: bool,
    fin_sent: bool,
    blocked: bool,
    parked: bool,
    /// It is in `fresh`, with one object.
    fresh: bool,
    /// Reset by the queue; what is pushed still is dropped for the same reason.
    dead: Option<DropReason>,
    /// When the time to deliver it runs out, once it is finished.
    fin_deadline: Time,
    /// Time-outs of its own.
    timeouts: Option<Timeouts>,
    /// What `next` gave out last of it.
    last: Option<LastOut>,
}

#[derive(Debug)]
struct Chunk {
    data: Bytes,
    /// The end of an object, rather than a header or a part that was counted before.
    object: bool,
    expires: Time,
    pushed_at: Time,
}

#[derive(Clone, Copy, Debug)]
struct LastOut {
    first: bool,
    /// Bytes of the header.
    header: usize,
    /// An object ended with it.
    object: bool,
    fin: bool,
    len: usize,
    /// Of the chunk it came from.
    expires: Time,
    pushed_at: Time,
}

fn importance(subscriber: u8, publisher: u8) -> u16 {
    u16::from(subscriber) << 8 | u16::from(publisher)
}

/// Where a lane stands in the order of sending: by its importance, the deadline of its head, and its turn. Of the turn
/// 48 bits are enough for nine years of a million turns a second.
fn order_key(importance: u16, deadline: Time, turn: u64) -> u128 {
    u128::from(importance) << 112 | u128::from(deadline) << 48 | u128::from(turn & 0xffff_ffff_ffff)
}

impl Head {
    /// Takes over what a datagram asks of a track's configuration.
    fn configure(&mut self, config: &TrackConfig) {
        let given = |timeout| after(0, timeout);
        self.subscriber_priority = config.subscriber_priority;
        self.conflates = config.latest_wins && !config.reliable;
        self.reliable = config.reliable;
        self.timeout = given(config.object_timeout).min(given(config.subgroup_timeout));
        self.object_timeout = if config.reliable { NEVER } else { given(config.object_timeout) };
    }

    /// When a datagram that comes now expires, of which its publisher says `deadline`.
    fn expires(&self, deadline: Time, now: Time) -> Time {
        match self.reliable {
            true => NEVER,
            false => deadline.min(now.saturating_add(self.timeout)),
        }
    }

    /// When an object of a stream that comes now expires; `own` are its subgroup's time-outs, in place of the track's.
    fn object_expires(&self, own: Option<Timeouts>, now: Time) -> Time {
        match own {
            Some(own) => after(now, own.object),
            None => now.saturating_add(self.object_timeout),
        }
    }

    /// Whether its track takes nothing more, or has groups that come in parts.
    fn is_odd(&mut self, tracks: &Slab<Track>, index: u32) -> bool {
        if self.odd {
            let track = &tracks[index];
            self.odd = track.behind || !track.recent.is_empty();
        }
        self.odd
    }

    /// Counts a frame of one datagram that has been on its way at once.
    fn sent(&mut self, group: u64, bytes: usize) {
        self.newest = if self.conflates { group } else { self.newest };
        self.sent_frames += 1;
        self.sent_bytes += bytes as u64;
    }

    /// Whether it is one that a newer frame has overtaken.
    fn is_stale(&self, group: u64) -> bool {
        self.conflates && group < self.newest
    }
}

impl FrameState {
    /// Bytes of the part that goes out next.
    fn part(&self) -> usize {
        self.first.as_ref().or(self.rest.front()).map_or(0, Bytes::len)
    }

    /// A frame of which one part has come.
    fn of_part(track: u32, part: Part, now: Time) -> Self {
        let alone = part.object == 0 && part.end_of_group;
        Self {
            track,
            lane: NONE,
            place: Place { rank: 0, item: part.object, arrival: 0, index: 0 },
            group: part.group,
            priority: part.priority,
            bytes: part.data.len(),
            charge: ENTRY_COST,
            first: Some(part.data),
            rest: VecDeque::new(),
            expires: part.deadline.unwrap_or(NEVER),
            pushed_at: now,
            started: false,
            tracked: !alone,
            seen: 1,
            expected: part.end_of_group.then(|| part.object.saturating_add(1)),
        }
    }
}

fn rank(order: GroupOrder, group: u64) -> u64 {
    match order {
        GroupOrder::Ascending => group,
        GroupOrder::Descending => !group,
    }
}

/// A timeout of 0 is none (draft -18, "Delivery Timeouts and Data Reliability").
fn after(now: Time, timeout: Option<u64>) -> Time {
    match timeout {
        None | Some(0) => NEVER,
        Some(us) => now.saturating_add(us),
    }
}

/// Places that a lane keeps room for while it is empty.
const RING: usize = 16;

impl Lane {
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.streams.is_empty()
    }

    /// A small ring is kept, a large one is not.
    fn trim(&mut self) {
        if self.frames.capacity() > RING {
            self.frames.shrink_to(RING);
        }
        if self.streams.capacity() > RING {
            self.streams.shrink_to(RING);
        }
    }

    fn insert(deque: &mut VecDeque<Place>, place: Place) {
        match (deque.front(), deque.back()) {
            (None, _) => deque.push_back(place),
            (_, Some(back)) if *back < place => deque.push_back(place),
            (Some(front), _) if *front > place => deque.push_front(place),
            _ => {
                let at = deque.partition_point(|other| *other < place);
                deque.insert(at, place);
            }
        }
    }

    fn remove(deque: &mut VecDeque<Place>, place: Place) {
        if deque.front() == Some(&place) {
            deque.pop_front();
        } else if let Ok(at) = deque.binary_search(&place) {
            deque.remove(at);
        }
    }
}

impl Lanes {
    fn take(&mut self, track: u32, importance: u16) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.all.push(Lane::default());
            self.all.len() as u32 - 1
        });
        let lane = &mut self[index];
        (lane.track, lane.importance) = (track, importance);
        index
    }

    /// Gives an empty lane back.
    fn give_back(&mut self, index: u32) {
        self[index].trim();
        self.free.push(index);
    }
}

impl std::ops::Index<u32> for Lanes {
    type Output = Lane;

    fn index(&self, index: u32) -> &Lane {
        &self.all[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Lanes {
    fn index_mut(&mut self, index: u32) -> &mut Lane {
        &mut self.all[index as usize]
    }
}
