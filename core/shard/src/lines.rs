//! What goes between the shards of one node: two rings each way between any two, each with one writer and one reader,
//! without a lock. One carries parcels between engines, the other packets that came to the wrong shard's socket.
//!
//! Both are bounded. A ring of parcels that is full holds its engine back, which drops frames, counted; a stray that
//! finds no room is lost, as it might be on its way, and counted. Whoever puts something into a ring rouses its reader,
//! and whoever makes room in one that was full its writer.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{fence, AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use cc_engine::{Parcel, PARCEL_BYTES};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::inbox::Inbox;

/// Parcels that a ring holds: some milliseconds' worth of what a core routes.
const PARCELS: usize = 4096;
/// Bytes that they hold on to.
const RING_BYTES: usize = 16 << 20;
/// Packets that a ring of strays holds.
const STRAYS: usize = 1024;
/// Most parcels, and strays, taken in from one shard a pass.
const TAKES: usize = 2048;

/// A packet that came to another shard's socket.
#[derive(Debug)]
pub(crate) struct Stray {
    pub(crate) from: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) ecn: Option<u8>,
    pub(crate) payload: Box<[u8]>,
}

/// The way to one other shard, and back.
pub(crate) struct Line {
    /// The other's number.
    pub(crate) shard: usize,
    parcels: Way<Parcel>,
    strays: Way<Stray>,
    /// What its reader sleeps on.
    there: Arc<Inbox>,
    /// Something was put in since the reader was last roused.
    news: bool,
}

/// Both directions of one kind.
struct Way<T> {
    out: Producer<T>,
    back: Consumer<T>,
    out_state: Arc<State>,
    back_state: Arc<State>,
}

/// What both ends of a ring know beside it.
#[derive(Debug, Default)]
struct State {
    /// The writer waits for room.
    hungry: AtomicBool,
    bytes: AtomicUsize,
}

fn ways<T>(capacity: usize) -> (Way<T>, Way<T>) {
    let (out, there) = RingBuffer::new(capacity);
    let (theirs, back) = RingBuffer::new(capacity);
    let (here, other) = (Arc::new(State::default()), Arc::new(State::default()));
    (
        Way { out, back, out_state: here.clone(), back_state: other.clone() },
        Way { out: theirs, back: there, out_state: other, back_state: here },
    )
}

/// The lines of every shard, in the order of the shards.
pub(crate) fn lines(inboxes: &[Arc<Inbox>]) -> Vec<Vec<Line>> {
    let mut all: Vec<Vec<Line>> = inboxes.iter().map(|_| Vec::new()).collect();
    for (b, inbox_b) in inboxes.iter().enumerate() {
        for (a, inbox_a) in inboxes.iter().enumerate().take(b) {
            let ((parcels_a, parcels_b), (strays_a, strays_b)) = (ways(PARCELS), ways(STRAYS));
            let line = |shard, parcels, strays, there: &Arc<Inbox>| Line {
                shard,
                parcels,
                strays,
                there: there.clone(),
                news: false,
            };
            all[a].push(line(b, parcels_a, strays_a, inbox_b));
            all[b].push(line(a, parcels_b, strays_b, inbox_a));
        }
    }
    all
}

impl Line {
    /// How many parcels may be put in now.
    pub(crate) fn room(&self) -> usize {
        let bytes = RING_BYTES.saturating_sub(self.parcels.out_state.bytes.load(Ordering::Acquire));
        self.parcels.out.slots().min(bytes / PARCEL_BYTES)
    }

    /// Puts one in, within the room.
    pub(crate) fn put(&mut self, parcel: Parcel) {
        self.parcels.out_state.bytes.fetch_add(parcel.bytes(), Ordering::AcqRel);
        // There is room, for nobody else puts anything in.
        let _ = self.parcels.out.push(parcel);
        self.news = true;
    }

    /// Has the reader say when there is room again.
    pub(crate) fn wait_for_room(&self) {
        self.parcels.out_state.hungry.store(true, Ordering::SeqCst);
    }

    /// Whether everything that was put in has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.parcels.out.slots() == PARCELS
    }

    /// Hands a packet over; false: it found no room.
    pub(crate) fn hand_over(&mut self, stray: Stray) -> bool {
        self.news = true;
        self.strays.out.push(stray).is_ok()
    }

    /// Rouses the reader, if there is something new for it.
    pub(crate) fn rouse(&mut self) {
        if std::mem::take(&mut self.news) {
            // The reader says that it sleeps, then looks into the rings; here it is the other way round.
            fence(Ordering::SeqCst);
            self.there.rouse();
        }
    }

    /// Whether the other shard has sent something.
    pub(crate) fn has_arrivals(&self) -> bool {
        !self.parcels.back.is_empty() || !self.strays.back.is_empty()
    }

    /// Takes out what the other shard has sent, up to a bound; whether there may be more.
    pub(crate) fn take(&mut self, mut parcels: impl FnMut(Parcel), mut strays: impl FnMut(Stray)) -> bool {
        for _ in 0..TAKES {
            let Ok(stray) = self.strays.back.pop() else { break };
            strays(stray);
        }
        let mut taken = false;
        for _ in 0..TAKES {
            let Ok(parcel) = self.parcels.back.pop() else { break };
            self.parcels.back_state.bytes.fetch_sub(parcel.bytes(), Ordering::AcqRel);
            parcels(parcel);
            taken = true;
        }
        if taken {
            fence(Ordering::SeqCst);
            if self.parcels.back_state.hungry.swap(false, Ordering::SeqCst) {
                self.there.rouse();
            }
        }
        self.has_arrivals()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bell::Bell;

    fn three() -> (Vec<Arc<Inbox>>, Vec<Vec<Line>>) {
        let inboxes: Vec<_> = (0..3).map(|_| Arc::new(Inbox::new(Bell::waker().unwrap()))).collect();
        let lines = lines(&inboxes);
        (inboxes, lines)
    }

    fn stray(byte: u8) -> Stray {
        Stray { from: "127.0.0.1:1".parse().unwrap(), local: None, ecn: None, payload: Box::new([byte]) }
    }

    #[test]
    fn each_shard_has_a_line_to_each_other() {
        let (_, lines) = three();
        let to: Vec<Vec<usize>> = lines.iter().map(|all| all.iter().map(|line| line.shard).collect()).collect();
        assert_eq!(to, [vec![1, 2], vec![0, 2], vec![0, 1]]);
    }

    #[test]
    fn strays_arrive_in_order_and_a_full_ring_says_so() {
        let (_, mut lines) = three();
        let fit = (0..STRAYS + 5).filter(|n| lines[0][1].hand_over(stray(*n as u8))).count();
        assert_eq!(fit, STRAYS);
        let mut got = Vec::new();
        assert!(lines[2][0].has_arrivals());
        while lines[2][0].take(|_| (), |stray| got.push(stray.payload[0])) {}
        assert_eq!(got, (0..STRAYS).map(|n| n as u8).collect::<Vec<_>>());
        assert!(!lines[1][0].has_arrivals());
    }

    #[test]
    fn a_sleeper_is_roused_by_what_is_put_in_and_no_other() {
        let (inboxes, mut lines) = three();
        assert!(inboxes[0].may_sleep() && inboxes[1].may_sleep());
        assert!(lines[0][1].hand_over(stray(1)));
        lines[0][1].rouse();
        assert!(inboxes[1].is_asleep() && inboxes[0].is_asleep());
        assert!(lines[0][0].hand_over(stray(1)));
        lines[0][0].rouse();
        assert!(!inboxes[1].is_asleep());
    }
}
