//! The words of the sending queue: its bounds, what goes in, what comes out, what is counted.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
pub use cc_wire::GroupOrder;

use crate::Time;

/// What every queued datagram, object and header counts towards [`Limits`] beside its own bytes:
/// about what the queue itself keeps for it, so that a flood of tiny objects is bounded too.
pub const ENTRY_COST: usize = 64;

/// The most datagrams of one [`Frame`] (an IDL constant).
pub const MAX_PARTS: usize = 8;

/// Bounds in bytes, each entry counted as its encoded length and [`ENTRY_COST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Everything queued for the session.
    pub session_bytes: usize,
    /// Everything queued of one track.
    pub track_bytes: usize,
    /// Everything queued of one subgroup.
    pub subgroup_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { session_bytes: 1 << 20, track_bytes: 512 << 10, subgroup_bytes: 256 << 10 }
    }
}

/// How one track is sent to this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackConfig {
    /// 0 goes first, 255 last.
    pub subscriber_priority: u8,
    /// Which of two groups of this track goes first.
    pub group_order: GroupOrder,
    /// Hold the newest datagram frame only. Subgroup streams are not affected.
    pub latest_wins: bool,
    /// OBJECT_DELIVERY_TIMEOUT in microseconds, from the push; `None` or 0: none.
    pub object_timeout: Option<u64>,
    /// SUBGROUP_DELIVERY_TIMEOUT in microseconds, from `finish_subgroup`; for datagrams it acts
    /// as `object_timeout`. `None` or 0: none.
    pub subgroup_timeout: Option<u64>,
    /// Nothing of this track is ever dropped: deadlines, timeouts and `latest_wins` are ignored,
    /// and a push over a bound is answered by [`Fate::TooFarBehind`].
    pub reliable: bool,
}

impl Default for TrackConfig {
    fn default() -> Self {
        Self {
            subscriber_priority: 128,
            group_order: GroupOrder::Ascending,
            latest_wins: false,
            object_timeout: None,
            subgroup_timeout: None,
            reliable: false,
        }
    }
}

/// A track of one queue. A key of a removed track never means another track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// A subgroup stream of one queue. A key of an ended subgroup never means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubgroupKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl SubgroupKey {
    /// A small number that no other subgroup of the queue has until this one has ended: for a table of one's own.
    pub fn slot(self) -> usize {
        self.index as usize
    }
}

/// The encoded datagrams of one frame: 1 to [`MAX_PARTS`]. One takes no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    pub(super) first: Bytes,
    pub(super) rest: VecDeque<Bytes>,
}

/// A frame of no part, or of more than [`MAX_PARTS`]: handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartsError(pub Vec<Bytes>);

impl fmt::Display for PartsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame has 1 to {MAX_PARTS} datagrams, not {}", self.0.len())
    }
}

impl std::error::Error for PartsError {}

impl From<Bytes> for Parts {
    fn from(first: Bytes) -> Self {
        Self { first, rest: VecDeque::new() }
    }
}

impl TryFrom<Vec<Bytes>> for Parts {
    type Error = PartsError;

    fn try_from(parts: Vec<Bytes>) -> Result<Self, PartsError> {
        if parts.len() > MAX_PARTS {
            return Err(PartsError(parts));
        }
        let mut rest = VecDeque::from(parts);
        match rest.pop_front() {
            Some(first) => Ok(Self { first, rest }),
            None => Err(PartsError(Vec::new())),
        }
    }
}

impl Parts {
    /// How many datagrams, 1 to [`MAX_PARTS`].
    pub fn count(&self) -> usize {
        1 + self.rest.len()
    }

    /// Their bytes together.
    pub fn bytes(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }
}

/// A datagram frame: its parts expire, are superseded and are dropped together.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Group id.
    pub group: u64,
    /// Publisher priority: 0 goes first, 255 last.
    pub priority: u8,
    /// From this moment on it is not sent.
    pub deadline: Option<Time>,
    /// Object id of the first part.
    pub first_object: u64,
    /// The encoded datagrams, in object order.
    pub parts: Parts,
}

/// One fragment of a frame, as a relay receives them: one datagram at a time.
#[derive(Clone, Debug)]
pub struct Part {
    /// Group id: the frame it belongs to.
    pub group: u64,
    /// Object id: its place in the frame.
    pub object: u64,
    /// Publisher priority. The first part that arrives sets the frame's.
    pub priority: u8,
    /// From this moment on it is not sent. The first part that arrives sets the frame's.
    pub deadline: Option<Time>,
    /// END_OF_GROUP: no part of the frame has a higher object id.
    pub end_of_group: bool,
    /// The encoded datagram.
    pub data: Bytes,
}

/// Delivery time-outs of one subgroup in place of its track's. A reliable track's subgroup that has one is dropped by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// As [`TrackConfig::object_timeout`].
    pub object: Option<u64>,
    /// As [`TrackConfig::subgroup_timeout`].
    pub subgroup: Option<u64>,
}

/// Where a subgroup stands in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubgroupMeta {
    /// Group id.
    pub group: u64,
    /// Subgroup id.
    pub subgroup: u64,
    /// Publisher priority: 0 goes first, 255 last.
    pub priority: u8,
    /// From this moment on nothing of it is sent: it is reset if still open.
    pub deadline: Option<Time>,
}

/// What became of the frame, part or object just pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in the queue.
    Queued,
    /// It is in the queue, and so many older frames of its latest-wins track gave way.
    Superseded(u32),
    /// Dropped: its latest-wins track has sent or queued a newer group. Counted as superseded.
    Stale,
    /// Dropped: no room beside what is more important, or its subgroup was reset for that.
    NoRoom,
    /// Dropped: past its deadline, or its subgroup is.
    Expired,
    /// Dropped: its frame does not fit the path's datagrams.
    TooLarge,
    /// Not queued: the reliable track is over its bound. The subscription is to be ended with
    /// PUBLISH_DONE TOO_FAR_BEHIND.
    TooFarBehind,
    /// Not queued nor counted: the key's track or subgroup has ended.
    Gone,
}

impl Fate {
    /// Whether it is in the queue.
    pub fn is_queued(self) -> bool {
        matches!(self, Fate::Queued | Fate::Superseded(_))
    }
}

/// Why something was not delivered; also the index in [`TrackStats::drops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// Its deadline or delivery timeout passed.
    Expired = 0,
    /// A newer frame of its latest-wins track took its place.
    Superseded = 1,
    /// A bound in bytes.
    NoRoom = 2,
    /// A datagram that the path does not carry.
    TooLarge = 3,
    /// The session may not have it. Counted by the engine.
    NotAuthorised = 4,
    /// The congestion controller refused it. Counted by the engine.
    Congested = 5,
    /// It waited in vain for the peer to permit another stream.
    StreamLimit = 6,
    /// A full ring between shards. Counted by the engine.
    RingFull = 7,
}

impl DropReason {
    /// Every reason, in the order of the indices.
    pub const ALL: [DropReason; 8] = [
        DropReason::Expired,
        DropReason::Superseded,
        DropReason::NoRoom,
        DropReason::TooLarge,
        DropReason::NotAuthorised,
        DropReason::Congested,
        DropReason::StreamLimit,
        DropReason::RingFull,
    ];
}

/// What the queue gives out to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// One datagram.
    Datagram {
        /// Its track.
        track: TrackKey,
        /// The encoded datagram, never longer than the `max_datagram` asked for.
        bytes: Bytes,
        /// No part of its frame is left in the queue.
        last_of_frame: bool,
        /// How long its frame was queued, in microseconds.
        waited_us: u64,
    },
    /// Bytes of one subgroup's stream, in stream order.
    Stream {
        /// The subgroup.
        subgroup: SubgroupKey,
        /// Its track.
        track: TrackKey,
        /// What to write first: the subgroup's header, whole, if `first`; else nothing.
        header: Bytes,
        /// What to write: (part of) one object, or nothing.
        data: Bytes,
        /// The stream ends after `data`.
        fin: bool,
        /// The stream is to be opened for this.
        first: bool,
    },
    /// Reset the subgroup's stream. Its key has ended, or drops what is pushed from now on.
    Reset {
        /// The subgroup.
        subgroup: SubgroupKey,
        /// A stream reset code (draft -18, section "Stream Reset Error Codes").
        code: u64,
    },
}

/// Counts of one track, or of a session. "Frames" are datagram frames and objects of streams.
///
/// Always `pushed_frames = sent_frames + dropped() + withdrawn + queued_frames`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackStats {
    /// Bytes in the queue.
    pub queued_bytes: usize,
    /// Frames in the queue, those with parts still to arrive included.
    pub queued_frames: u64,
    /// Frames pushed, whatever became of them.
    pub pushed_frames: u64,
    /// Frames handed over whole.
    pub sent_frames: u64,
    /// Bytes handed over, stream headers included.
    pub sent_bytes: u64,
    /// Frames dropped, by [`DropReason`].
    pub drops: [u64; 8],
    /// Frames taken out by `reset_subgroup`, or with their track.
    pub withdrawn: u64,
    /// How long the oldest queued frame has waited, in microseconds, at the queue's latest call.
    pub oldest_wait_us: u64,
}

impl TrackStats {
    /// Frames dropped for all reasons together.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    pub(super) fn add(&mut self, other: &TrackStats) {
        self.queued_bytes += other.queued_bytes;
        self.queued_frames += other.queued_frames;
        self.pushed_frames += other.pushed_frames;
        self.sent_frames += other.sent_frames;
        self.sent_bytes += other.sent_bytes;
        for (mine, theirs) in self.drops.iter_mut().zip(other.drops) {
            *mine += theirs;
        }
        self.withdrawn += other.withdrawn;
        self.oldest_wait_us = self.oldest_wait_us.max(other.oldest_wait_us);
    }
}
