//! A frame larger than a datagram: split by its publisher, joined by its subscriber.
//!
//! A fragment holds at most [`FRAGMENT_BYTES`] of payload and properties, whatever the local path
//! carries, since a relay never splits. It is an object of the frame's group: object 0 first, the
//! last with END_OF_GROUP. The properties travel with object 0.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The most payload and properties of a fragment, in bytes: 1200, a datagram that every path
/// carries, less the largest headers of QUIC, WebTransport and MoQT.
pub const FRAGMENT_BYTES: usize = 1100;
/// The most fragments of a frame.
pub const MAX_FRAGMENTS: usize = 8;
/// The most frames that a [`Joiner`] has in progress.
pub const MAX_PENDING: usize = 64;
/// How many groups a [`Joiner`] remembers to be over.
const REMEMBERED: usize = 64;
/// What a fragment in progress counts for beside its bytes.
const FRAGMENT_COST: usize = 64;

/// A frame that does not fit [`MAX_FRAGMENTS`]: the caller may send it as a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Payload and properties of the frame, in bytes.
    pub bytes: usize,
    /// The most that fits with these properties.
    pub limit: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a frame of {} bytes exceeds the {} that datagrams carry; send it as a stream",
            self.bytes, self.limit
        )
    }
}

impl std::error::Error for TooLarge {}

/// How a frame is split: the payload of each fragment in turn, as a range of the frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    payload: usize,
    first: usize,
    count: usize,
}

/// Splits a frame of these lengths in bytes. A frame always has at least one fragment.
pub fn split(payload_len: usize, props_len: usize) -> Result<Split, TooLarge> {
    let bytes = payload_len.saturating_add(props_len);
    if bytes > MAX_FRAGMENTS * FRAGMENT_BYTES || props_len > FRAGMENT_BYTES {
        let limit = if props_len > FRAGMENT_BYTES { FRAGMENT_BYTES } else { MAX_FRAGMENTS * FRAGMENT_BYTES };
        return Err(TooLarge { bytes, limit });
    }
    let first = payload_len.min(FRAGMENT_BYTES - props_len);
    let count = 1 + (payload_len - first).div_ceil(FRAGMENT_BYTES);
    Ok(Split { payload: payload_len, first, count })
}

impl Split {
    /// How many fragments, 1 to [`MAX_FRAGMENTS`].
    pub fn count(&self) -> usize {
        self.count
    }

    /// The payload of each fragment; the last carries END_OF_GROUP.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        let Split { payload, first, count } = *self;
        (0..count).map(move |object| match object {
            0 => 0..first,
            _ => {
                let start = first + (object - 1) * FRAGMENT_BYTES;
                start..payload.min(start + FRAGMENT_BYTES)
            }
        })
    }
}

/// An object of a datagram track, as it was received.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Group id: which frame.
    pub group: u64,
    /// Object id: which fragment of it.
    pub object: u64,
    /// END_OF_GROUP.
    pub end_of_group: bool,
    /// Publisher priority.
    pub priority: u8,
    /// Encoded properties; those of object 0 are the frame's.
    pub properties: Bytes,
    /// Its part of the payload.
    pub payload: Bytes,
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Group id.
    pub group: u64,
    /// Publisher priority, of object 0.
    pub priority: u8,
    /// Encoded properties.
    pub properties: Bytes,
    /// The payload. Of a frame of one object it is the object's own, not a copy.
    pub payload: Bytes,
}

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It completed a frame.
    Frame(Joined),
    /// Its frame lacks others.
    Pending,
    /// Its frame is complete or given up, or has it already.
    Duplicate,
    /// Its frame contradicts itself, or has more than [`MAX_FRAGMENTS`] or [`Joiner`]'s bytes: it
    /// is given up.
    Malformed,
}

/// Counts of frames that never became whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Frames without their object 0 when a newer one was whole: joined midway, or lost.
    pub midway: u64,
    /// Frames that lack a fragment, and went to make room.
    pub incomplete: u64,
    /// Frames that contradict themselves.
    pub malformed: u64,
}

/// Joins the fragments of one track. It holds at most [`MAX_PENDING`] frames in progress and
/// `limit` bytes (each fragment counted with 64 more); the lowest group goes when there are more.
/// A duplicate is known for the last 64 frames that were whole or given up.
#[derive(Debug)]
pub struct Joiner {
    limit: usize,
    held: usize,
    pending: BTreeMap<u64, Pending>,
    /// Groups that are over, latest last.
    over: VecDeque<u64>,
    /// The highest of all that were ever over.
    newest_over: Option<u64>,
    losses: Losses,
}

#[derive(Debug, Default)]
struct Pending {
    parts: [Option<(Bytes, Bytes)>; MAX_FRAGMENTS],
    priority: u8,
    /// How many there are, once END_OF_GROUP has come.
    count: Option<usize>,
    held: usize,
}

impl Joiner {
    /// An empty joiner that holds at most `limit` bytes of frames in progress.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: 0,
            pending: BTreeMap::new(),
            over: VecDeque::new(),
            newest_over: None,
            losses: Losses::default(),
        }
    }

    /// Takes the next object of the track, in any order.
    pub fn take(&mut self, fragment: Fragment) -> Taken {
        let Fragment { group, object, end_of_group, priority, properties, payload } = fragment;
        if self.newest_over.is_some_and(|newest| group <= newest) && self.over.contains(&group) {
            return Taken::Duplicate;
        }
        if object == 0 && end_of_group && !self.pending.contains_key(&group) {
            self.completed(group);
            return Taken::Frame(Joined { group, priority, properties, payload });
        }
        let cost = properties.len() + payload.len() + FRAGMENT_COST;
        let place = usize::try_from(object).unwrap_or(usize::MAX);
        let known = self.pending.get(&group);
        if known.and_then(|frame| frame.parts.get(place)).is_some_and(Option::is_some) {
            return Taken::Duplicate;
        }
        let held = known.map_or(0, |frame| frame.held);
        let contradicts = known.is_some_and(|frame| frame.contradicts(place, end_of_group));
        if place >= MAX_FRAGMENTS || contradicts || held + cost > self.limit {
            self.losses.malformed += 1;
            self.give_up(group);
            return Taken::Malformed;
        }
        let frame = self.pending.entry(group).or_default();
        frame.held += cost;
        self.held += cost;
        if place == 0 {
            frame.priority = priority;
        }
        if end_of_group {
            frame.count = Some(place + 1);
        }
        frame.parts[place] = Some((properties, payload));
        if frame.is_whole() {
            let whole = self.pending.remove(&group).unwrap_or_default();
            self.held -= whole.held;
            self.completed(group);
            return Taken::Frame(whole.join(group));
        }
        self.make_room(group)
    }

    /// Frames in progress.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What the frames in progress count for, in bytes; never above the limit.
    pub fn held(&self) -> usize {
        self.held
    }

    /// What never became whole, so far.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// A frame is whole: older ones whose beginning was never seen are not waited for.
    fn completed(&mut self, group: u64) {
        self.remember(group);
        if self.pending.first_key_value().is_some_and(|(&oldest, _)| oldest < group) {
            let older = self.pending.range(..group);
            let midway: Vec<u64> =
                older.filter(|(_, frame)| frame.parts[0].is_none()).map(|(&group, _)| group).collect();
            for group in midway {
                self.losses.midway += 1;
                self.give_up(group);
            }
        }
    }

    /// Gives up the lowest groups until the bounds hold; `group` may be one of them.
    fn make_room(&mut self, group: u64) -> Taken {
        let mut kept = Taken::Pending;
        while self.pending.len() > MAX_PENDING || self.held > self.limit {
            let Some((&lowest, _)) = self.pending.first_key_value() else {
                break;
            };
            self.losses.incomplete += 1;
            self.give_up(lowest);
            if lowest == group {
                kept = Taken::Duplicate;
            }
        }
        kept
    }

    fn give_up(&mut self, group: u64) {
        if let Some(frame) = self.pending.remove(&group) {
            self.held -= frame.held;
        }
        self.remember(group);
    }

    fn remember(&mut self, group: u64) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(group);
        self.newest_over = self.newest_over.max(Some(group));
    }
}

impl Pending {
    /// Whether an object cannot belong to what has come: beyond the end, or a second end.
    fn contradicts(&self, place: usize, end_of_group: bool) -> bool {
        let beyond = self.count.is_some_and(|count| place >= count || end_of_group);
        let before = end_of_group && self.parts.iter().skip(place).any(Option::is_some);
        beyond || before
    }

    fn is_whole(&self) -> bool {
        self.count.is_some_and(|count| self.parts[..count].iter().all(Option::is_some))
    }

    fn join(self, group: u64) -> Joined {
        let parts = || self.parts.iter().flatten();
        let mut payload = BytesMut::with_capacity(parts().map(|(_, payload)| payload.len()).sum());
        parts().for_each(|(_, part)| payload.extend_from_slice(part));
        let properties = parts().next().map(|(properties, _)| properties.clone()).unwrap_or_default();
        Joined { group, priority: self.priority, properties, payload: payload.freeze() }
    }
}
