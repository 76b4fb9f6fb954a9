//! What a subscription has received and its owner has not read yet: a double buffer.
//!
//! The driving thread appends to the back half; [`Feed::drain`] swaps the halves and shows the front one, which stays
//! as it is until the next drain. Both halves keep their memory, so a steady stream allocates nothing a frame.
//!
//! The back half is bounded in bytes (payload, properties and the record itself). When a frame finds no room, the
//! oldest frames make way, as fresh beats queued. Text messages never make way: when nothing else is left to drop, the
//! newest is refused instead, and the next message of its track carries [`flag::GAP`]. Either is counted. A frame larger
//! than the bound is taken when nothing else waits. It does not come to a refusal of Text where the driver asks for
//! [`Feed::text_room`] before it pushes: then messages wait in the engine until there is room again.

use std::mem::{size_of, take};
use std::sync::Mutex;

use cc_engine::{flag, Delivery, TextRoom, Time, TrackId};

use crate::lock::lock;

/// A frame or message in a feed; the C ABI's `CcFrame`, field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// Its track, as `TrackAdded` named it.
    pub track: TrackId,
    /// Group id.
    pub group: u64,
    /// Object id, the first one's if it came in fragments.
    pub object: u64,
    /// When it was whole, microseconds on the node's clock.
    pub received_us: Time,
    /// Where its payload begins in the data.
    pub payload_at: u32,
    /// Bytes of payload.
    pub payload_len: u32,
    /// Where its encoded properties begin in the data.
    pub properties_at: u32,
    /// Bytes of properties.
    pub properties_len: u32,
    /// Publisher priority.
    pub priority: u8,
    /// [`flag`]s.
    pub flags: u8,
    /// 0.
    pub reserved: u16,
    /// Fragments it came in; 1 for most.
    pub fragments: u32,
}

/// Marks a record that made way; no flag of a delivery has this bit.
const DEAD: u8 = 0x80;
/// Largest bound: offsets into twice as many bytes and one largest object fit in 32 bits.
const LARGEST_BOUND: usize = 1 << 30;

/// Readings of a feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedStats {
    /// Frames and messages that wait.
    pub waiting_frames: u64,
    /// Their bytes, with 56 a record.
    pub waiting_bytes: u64,
    /// Dropped for want of room since the feed began.
    pub dropped: u64,
}

/// One subscription's feed.
#[derive(Debug)]
pub struct Feed {
    bound: usize,
    /// Called after a drain if the driver waits for room.
    relief: Option<Relief>,
    back: Mutex<Back>,
    front: Mutex<Half>,
}

/// What tells a feed's driver that there is room again.
struct Relief(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Relief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relief")
    }
}

#[derive(Debug, Default)]
struct Half {
    frames: Vec<Record>,
    data: Vec<u8>,
}

#[derive(Debug, Default)]
struct Back {
    half: Half,
    /// Bytes of the live records, and their number.
    live_bytes: usize,
    live: usize,
    /// Bytes of dead records that still lie in the data.
    dead_bytes: usize,
    /// Records before this one are dead or Text.
    cursor: usize,
    /// Dropped since the last drain, and before it.
    dropped: u64,
    dropped_before: u64,
    /// Text tracks whose next message follows a gap.
    gaps: Vec<TrackId>,
    /// Bytes of the Text among the live records.
    text_bytes: usize,
    /// The driver has Text that found no room.
    hungry: bool,
}

impl Feed {
    /// A feed that holds `bound` bytes, at most 1 GiB.
    pub fn new(bound: usize) -> Feed {
        Feed { bound: bound.min(LARGEST_BOUND), relief: None, back: Mutex::default(), front: Mutex::default() }
    }

    /// The same, which calls `relief` from the thread that drains when the driver waits for room.
    pub(crate) fn with_relief(bound: usize, relief: impl Fn() + Send + Sync + 'static) -> Feed {
        Feed { relief: Some(Relief(Box::new(relief))), ..Feed::new(bound) }
    }

    /// How much Text finds room now; with `hungry`, the next drain says when there is more. Without, it still does if
    /// that was asked before: the word of one drain may come after the driver has filled the feed anew and waits for the
    /// next.
    pub(crate) fn text_room(&self, hungry: bool) -> TextRoom {
        let mut back = lock(&self.back);
        back.hungry |= hungry;
        TextRoom { bytes: self.bound.saturating_sub(back.text_bytes), idle: back.text_bytes == 0 }
    }

    /// Takes in one delivery.
    pub(crate) fn push(&self, delivery: &Delivery, now: Time) {
        lock(&self.back).push(delivery, now, self.bound);
    }

    /// Swaps the halves and shows what had come: records in order of arrival, the data that they point into, and how
    /// many were dropped since the last drain.
    pub fn drain<R>(&self, look: impl FnOnce(&[Record], &[u8], u64) -> R) -> R {
        let mut front = lock(&self.front);
        front.frames.clear();
        front.data.clear();
        let (dropped, hungry) = {
            let mut back = lock(&self.back);
            (back.swap(&mut front), take(&mut back.hungry))
        };
        if let (true, Some(Relief(relief))) = (hungry, &self.relief) {
            relief();
        }
        look(&front.frames, &front.data, dropped)
    }

    /// Readings.
    pub fn stats(&self) -> FeedStats {
        let back = lock(&self.back);
        FeedStats {
            waiting_frames: back.live as u64,
            waiting_bytes: back.live_bytes as u64,
            dropped: back.dropped_before + back.dropped,
        }
    }
}

/// Bytes that a record is counted with.
fn weight(record: &Record) -> usize {
    record.payload_len as usize + record.properties_len as usize + size_of::<Record>()
}

impl Back {
    fn push(&mut self, delivery: &Delivery, now: Time, bound: usize) {
        let payload_len = delivery.payload.len();
        let bytes = payload_len + delivery.properties.len();
        let text = delivery.flags & flag::TEXT != 0;
        if !self.make_room(bytes + size_of::<Record>(), bound) || bytes > LARGEST_BOUND {
            self.dropped += 1;
            if text && !self.gaps.contains(&delivery.track) {
                self.gaps.push(delivery.track);
            }
            return;
        }
        let payload_at = self.half.data.len();
        self.half.data.extend_from_slice(&delivery.payload);
        let properties_at = self.half.data.len();
        self.half.data.extend_from_slice(&delivery.properties);
        let mut flags = delivery.flags & !DEAD;
        if text && !self.gaps.is_empty() {
            if let Some(at) = self.gaps.iter().position(|track| *track == delivery.track) {
                self.gaps.swap_remove(at);
                flags |= flag::GAP;
            }
        }
        let record = Record {
            track: delivery.track,
            group: delivery.group,
            object: delivery.object,
            received_us: now,
            payload_at: payload_at as u32,
            payload_len: payload_len as u32,
            properties_at: properties_at as u32,
            properties_len: delivery.properties.len() as u32,
            priority: delivery.priority,
            flags,
            reserved: 0,
            fragments: delivery.fragments,
        };
        self.live += 1;
        self.text_bytes += if text { weight(&record) } else { 0 };
        self.live_bytes += weight(&record);
        self.half.frames.push(record);
    }

    /// Makes the oldest frames give way until `need` bytes fit.
    fn make_room(&mut self, need: usize, bound: usize) -> bool {
        while self.live_bytes + need > bound && self.live > 0 {
            let Some(record) = self.half.frames.get_mut(self.cursor) else {
                return false;
            };
            self.cursor += 1;
            if record.flags & flag::TEXT != 0 {
                continue;
            }
            record.flags |= DEAD;
            let bytes = weight(record);
            self.live_bytes -= bytes;
            self.live -= 1;
            self.dead_bytes += bytes;
            self.dropped += 1;
        }
        if self.dead_bytes > bound {
            self.compact();
        }
        true
    }

    /// Moves the live records' bytes together, so that a feed nobody drains holds at most twice its bound.
    fn compact(&mut self) {
        let Half { frames, data } = &mut self.half;
        let mut end = 0;
        let mut move_down = |at: &mut u32, len: u32| {
            let from = *at as usize;
            data.copy_within(from..from + len as usize, end);
            *at = end as u32;
            end += len as usize;
        };
        frames.retain_mut(|record| {
            if record.flags & DEAD != 0 {
                return false;
            }
            move_down(&mut record.payload_at, record.payload_len);
            move_down(&mut record.properties_at, record.properties_len);
            true
        });
        data.truncate(end);
        self.dead_bytes = 0;
        // What is left before the cursor is Text; counting it again is one cheap step each.
        self.cursor = 0;
    }

    /// Hands the half over and takes `front`'s memory for what comes next.
    fn swap(&mut self, front: &mut Half) -> u64 {
        if self.dead_bytes > 0 {
            self.half.frames.retain(|record| record.flags & DEAD == 0);
        }
        std::mem::swap(&mut self.half, front);
        self.live = 0;
        self.live_bytes = 0;
        self.text_bytes = 0;
        self.dead_bytes = 0;
        self.cursor = 0;
        self.dropped_before += self.dropped;
        take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn delivery(track: TrackId, group: u64, flags: u8, payload: Vec<u8>) -> Delivery {
        Delivery {
            subscription: 1,
            track,
            group,
            object: 0,
            priority: 7,
            flags,
            fragments: 1,
            properties: Bytes::from_static(b"pp"),
            payload: payload.into(),
        }
    }

    fn frame(group: u64) -> Delivery {
        delivery(1, group, 0, vec![group as u8; 100])
    }

    fn text(group: u64) -> Delivery {
        delivery(2, group, flag::TEXT | flag::STREAM, vec![group as u8; 100])
    }

    const EACH: usize = 102 + size_of::<Record>();

    /// Groups, in order, after checking that each record points at its own bytes.
    fn groups(feed: &Feed) -> (Vec<u64>, u64) {
        feed.drain(|frames, data, dropped| {
            for record in frames {
                let payload = &data[record.payload_at as usize..][..record.payload_len as usize];
                assert!(payload.iter().all(|byte| *byte == record.group as u8));
                assert_eq!(&data[record.properties_at as usize..][..record.properties_len as usize], b"pp");
                assert_eq!(record.flags & DEAD, 0);
            }
            (frames.iter().map(|record| record.group).collect(), dropped)
        })
    }

    #[test]
    fn a_record_is_the_abis_56_bytes() {
        assert_eq!(size_of::<Record>(), 56);
    }

    #[test]
    fn the_late_word_of_a_drain_does_not_undo_the_wait_for_the_next() {
        let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = told.clone();
        let feed = Feed::with_relief(EACH, move || {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        let told = || told.load(std::sync::atomic::Ordering::SeqCst);
        feed.push(&text(1), 0);
        assert!(!feed.text_room(true).idle);
        groups(&feed);
        assert_eq!(told(), 1);
        // The driver finds the room by itself, fills it, and waits again, before it hears of that drain.
        assert!(feed.text_room(true).idle);
        feed.push(&text(2), 0);
        assert!(!feed.text_room(true).idle);
        assert!(!feed.text_room(false).idle);
        groups(&feed);
        assert_eq!(told(), 2);
        groups(&feed);
        assert_eq!(told(), 2, "nobody waits any more");
    }

    #[test]
    fn what_comes_in_goes_out_in_order_and_once() {
        let feed = Feed::new(1 << 20);
        feed.push(&frame(1), 11);
        feed.push(&delivery(1, 2, flag::FRAGMENTED, vec![2; 7]), 12);
        feed.drain(|frames, data, dropped| {
            assert_eq!((frames.len(), dropped), (2, 0));
            assert_eq!((frames[0].received_us, frames[1].received_us), (11, 12));
            assert_eq!(&data[frames[1].payload_at as usize..][..7], [2; 7]);
            assert_eq!((frames[1].priority, frames[1].flags), (7, flag::FRAGMENTED));
        });
        assert_eq!(groups(&feed), (vec![], 0));
    }

    #[test]
    fn when_full_the_oldest_frames_make_way() {
        let feed = Feed::new(3 * EACH);
        (1..=5).for_each(|n| feed.push(&frame(n), n));
        assert_eq!(feed.stats(), FeedStats { waiting_frames: 3, waiting_bytes: 3 * EACH as u64, dropped: 2 });
        assert_eq!(groups(&feed), (vec![3, 4, 5], 2));
        feed.push(&frame(6), 6);
        assert_eq!(groups(&feed), (vec![6], 0));
        assert_eq!(feed.stats().dropped, 2);
    }

    #[test]
    fn text_never_makes_way_and_its_loss_leaves_a_mark() {
        let feed = Feed::new(3 * EACH);
        feed.push(&text(1), 0);
        feed.push(&frame(2), 0);
        feed.push(&text(3), 0);
        feed.push(&text(4), 0);
        feed.push(&text(5), 0);
        feed.push(&frame(6), 0);
        assert_eq!(groups(&feed), (vec![1, 3, 4], 3));
        feed.push(&text(7), 0);
        feed.push(&text(8), 0);
        feed.drain(|frames, _, _| {
            assert_eq!(frames[0].flags & flag::GAP, flag::GAP);
            assert_eq!(frames[1].flags & flag::GAP, 0);
        });
    }

    #[test]
    fn a_feed_nobody_drains_stays_bounded() {
        let feed = Feed::new(10 * EACH);
        feed.push(&text(200), 0);
        for n in 0..10_000u64 {
            feed.push(&frame(n % 100), n);
            let back = lock(&feed.back);
            assert!(back.half.data.len() <= 21 * EACH);
            assert!(back.half.frames.len() <= 22);
        }
        let (groups, dropped) = groups(&feed);
        assert_eq!(groups, [200, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
        assert_eq!(dropped, 10_000 - 9);
    }

    #[test]
    fn a_frame_above_the_bound_is_taken_alone() {
        let feed = Feed::new(10);
        feed.push(&frame(1), 0);
        feed.push(&frame(2), 0);
        assert_eq!(groups(&feed), (vec![2], 1));
    }

    #[test]
    fn steady_traffic_keeps_its_memory() {
        let feed = Feed::new(1 << 20);
        let mut capacities = Vec::new();
        for round in 0..6 {
            (0..50).for_each(|n| feed.push(&frame(n), n));
            feed.drain(|frames, _, _| assert_eq!(frames.len(), 50));
            if round >= 2 {
                let front = lock(&feed.front);
                let back = lock(&feed.back);
                capacities.push(
                    front.frames.capacity()
                        + back.half.frames.capacity()
                        + front.data.capacity()
                        + back.half.data.capacity(),
                );
            }
        }
        assert!(capacities.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
