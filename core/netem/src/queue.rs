//! The queue before the bottleneck: bounds on what waits, and CoDel, which keeps the standing wait short.

use std::collections::VecDeque;

use crate::plan::QueuePlan;
use crate::Time;

/// The largest packet that CoDel lets wait alone: with no more than this in the queue nothing is dropped
/// (RFC 8289, section 5, `maxpacket`).
const MAX_PACKET: u64 = 1514;
/// After this many intervals without a drop CoDel begins its count anew (RFC 8289, section 5, the dequeue routine).
const FRESH: Time = 16;

/// A packet that waits.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) item: T,
    /// With its overhead.
    pub(crate) bytes: u64,
    pub(crate) since: Time,
}

/// What waits, first come, first served.
#[derive(Debug)]
pub(crate) struct Line<T> {
    waiting: VecDeque<Waiting<T>>,
    bytes: u64,
    codel: State,
}

/// CoDel's memory; the names are those of RFC 8289, section 5.
#[derive(Debug, Default)]
struct State {
    first_above: Option<Time>,
    drop_next: Time,
    count: u64,
    last_count: u64,
    dropping: bool,
}

impl<T> Line<T> {
    pub(crate) fn new() -> Line<T> {
        Line { waiting: VecDeque::new(), bytes: 0, codel: State::default() }
    }

    /// Takes a packet, or hands it back if it does not fit. `rate` is what `plan.depth` is measured by, in bits a
    /// second.
    pub(crate) fn push(&mut self, packet: Waiting<T>, plan: &QueuePlan, rate: f64) -> Result<(), T> {
        if !self.waiting.is_empty() {
            let after = self.bytes + packet.bytes;
            let deep = |depth: Time| after as f64 * 8.0 * 1e6 > rate * depth as f64;
            if self.waiting.len() >= plan.packets || after > plan.bytes || plan.depth.is_some_and(deep) {
                return Err(packet.item);
            }
        }
        self.bytes += packet.bytes;
        self.waiting.push_back(packet);
        Ok(())
    }

    /// The next packet to send at `now`. `shed` is given those that CoDel chooses before it, and gives back one that
    /// it has marked instead of dropping it (RFC 8289, section 3.1, and RFC 3168, section 5): that is the next then.
    pub(crate) fn pop(
        &mut self,
        now: Time,
        plan: &QueuePlan,
        mut shed: impl FnMut(Waiting<T>) -> Option<Waiting<T>>,
    ) -> Option<Waiting<T>> {
        let Some((target, interval)) = plan.codel else { return self.take() };
        let (mut packet, mut late) = self.look(now, target, interval);
        if self.codel.dropping {
            if !late {
                self.codel.dropping = false;
            }
            while self.codel.dropping && now >= self.codel.drop_next {
                self.codel.count += 1;
                packet = packet.and_then(&mut shed);
                if packet.is_some() {
                    self.codel.drop_next = control(self.codel.drop_next, interval, self.codel.count);
                    break;
                }
                (packet, late) = self.look(now, target, interval);
                if late {
                    self.codel.drop_next = control(self.codel.drop_next, interval, self.codel.count);
                } else {
                    self.codel.dropping = false;
                }
            }
        } else if late {
            packet = packet.and_then(&mut shed);
            if packet.is_none() {
                (packet, _) = self.look(now, target, interval);
            }
            self.codel.dropping = true;
            let since = self.codel.count.saturating_sub(self.codel.last_count);
            let recent = now.saturating_sub(self.codel.drop_next) < FRESH * interval;
            self.codel.count = if since > 1 && recent { since } else { 1 };
            self.codel.drop_next = control(now, interval, self.codel.count);
            self.codel.last_count = self.codel.count;
        }
        packet
    }

    /// Takes the first packet, and says whether the wait has been above the target for an interval.
    fn look(&mut self, now: Time, target: Time, interval: Time) -> (Option<Waiting<T>>, bool) {
        let Some(packet) = self.take() else {
            self.codel.first_above = None;
            return (None, false);
        };
        if now.saturating_sub(packet.since) < target || self.bytes <= MAX_PACKET {
            self.codel.first_above = None;
            return (Some(packet), false);
        }
        match self.codel.first_above {
            None => {
                self.codel.first_above = Some(now + interval);
                (Some(packet), false)
            }
            Some(first) => (Some(packet), now >= first),
        }
    }

    fn take(&mut self) -> Option<Waiting<T>> {
        let packet = self.waiting.pop_front()?;
        self.bytes -= packet.bytes;
        Some(packet)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets CoDel's state, not the packets.
    pub(crate) fn reset(&mut self) {
        self.codel = State::default();
    }
}

/// When to drop next: sooner with every drop, so that the rate of a loss-based sender falls linearly.
fn control(from: Time, interval: Time, count: u64) -> Time {
    from + (interval as f64 / (count.max(1) as f64).sqrt()) as Time
}
