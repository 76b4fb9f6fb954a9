//! One direction of one path: packets go in, and come out later, changed, twice or never.
//!
//! Feed it with [`push`](Pipe::push); call [`pop`](Pipe::pop) until it gives nothing, again when
//! [`next_timeout`](Pipe::next_timeout) has come. Time is passed in and never runs backwards: a push at an earlier
//! `now` counts as one at the latest. A packet's fate depends on the seed, the pipe's name, the packets pushed and when; never on
//! when `pop` is called, except that what is due and not popped still counts towards the pipe's bounds.
//!
//! A packet passes, in this order:
//! 1. the MTU, then the pipe's own bounds;
//! 2. the queue (its bounds at arrival, CoDel at departure) and the bottleneck's rate; `held` outages stop it here;
//! 3. the wire's losses, when it has been sent: `lost` outages, listed packets, the trace, bursts, independent loss;
//! 4. corruption, then duplication: both copies are damaged alike;
//! 5. the delay: base, trace and jitter, in order of sending unless overtaking is allowed;
//! 6. reordering: a chosen packet waits until enough others have arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::count::{Cause, Counters, Event, Fate, Log};
use crate::draw::{Draws, Purpose};
use crate::link::{depth_rate, micro, pico, Link, Pico};
use crate::plan::{Invalid, Plan};
use crate::queue::{Line, Waiting};
use crate::trace::Trace;
use crate::{Config, Payload, Time};

/// The most packets in one pipe, due ones that were not popped included.
pub const MAX_PACKETS: usize = 65_536;
/// The most payload bytes in one pipe.
pub const MAX_BYTES: u64 = 64 << 20;
/// The largest payload: what UDP's length field can say.
const MAX_PAYLOAD: usize = 65_535;
/// Later times count as this one: 2^62 us, 146,000 years. Sums of a few such fit.
const END: Time = 1 << 62;
/// The most packets that are set back at once; further ones keep their place.
const MAX_SET_BACK: usize = 1024;

/// What is known of a packet when it has been pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It waits for the bottleneck; the rest is decided when it has been sent.
    Queued,
    /// It arrives at this time; if `reorder` chose it, at the latest.
    Due(Time),
    /// It is gone.
    Lost(Cause),
}

/// A packet that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<P> {
    /// When it arrives, at or before the `now` of the call.
    pub due: Time,
    /// When it was pushed.
    pub sent: Time,
    /// How many were pushed before it.
    pub number: u64,
    /// Whether it is a second copy.
    pub copy: bool,
    /// How many of its bits were flipped.
    pub flips: u64,
    /// What arrives.
    pub payload: P,
}

/// One direction of one path.
#[derive(Debug)]
pub struct Pipe<P> {
    plan: Arc<Plan>,
    draws: Draws,
    /// When the plan's time is 0.
    start: Time,
    now: Time,
    line: Line<Packet<P>>,
    link: Link,
    /// When the bottleneck has sent what it was given so far, since `start`.
    free: Pico,
    sending: Option<(Time, Waiting<Packet<P>>)>,
    /// Whether the Gilbert-Elliott model is in its bad state.
    bad: bool,
    /// On the wire, by when they arrive and in which order they were put there.
    wire: BTreeMap<(Time, u64), Delivery<P>>,
    order: u64,
    last_due: Time,
    set_back: Vec<SetBack>,
    packets: usize,
    bytes: u64,
    /// What became of the packet that the bottleneck sent last.
    settled: Option<Verdict>,
    counters: Counters,
    log: Log,
}

#[derive(Debug)]
struct Packet<P> {
    number: u64,
    sent: Time,
    payload: P,
}

/// A packet on the wire that is to arrive after `behind` more.
#[derive(Debug)]
struct SetBack {
    behind: u64,
    key: (Time, u64),
}

impl<P: Payload> Pipe<P> {
    /// A pipe of its own: `config` is checked, and its times count from `start`. Pipes of one seed differ by `name`.
    pub fn new(config: &Config, seed: u64, name: &str, start: Time) -> Result<Pipe<P>, Invalid> {
        Ok(Pipe::from_plan(Arc::new(Plan::new(config)?), seed, name, start))
    }

    /// As `new`, from a checked plan.
    pub fn from_plan(plan: Arc<Plan>, seed: u64, name: &str, start: Time) -> Pipe<P> {
        let start = start.min(END);
        Pipe {
            plan,
            draws: Draws::new(seed, name.as_bytes()),
            start,
            now: start,
            line: Line::new(),
            link: Link::default(),
            free: 0,
            sending: None,
            bad: false,
            wire: BTreeMap::new(),
            order: 0,
            last_due: 0,
            set_back: Vec::new(),
            packets: 0,
            bytes: 0,
            settled: None,
            counters: Counters::default(),
            log: Log::new(),
        }
    }

    /// Another plan from `now` on, its times counting from `now`. What is being sent and what is on the wire stay as
    /// they are; what waits stays, under the new plan.
    pub fn set_plan(&mut self, now: Time, plan: Arc<Plan>) {
        let now = self.advance(now);
        self.plan = plan;
        self.free = self.free.saturating_sub(pico(now - self.start));
        self.start = now;
        self.link = Link::default();
        self.line.reset();
    }

    /// Sends a packet. The answer is what is known of it now.
    pub fn push(&mut self, now: Time, payload: P) -> Verdict {
        let now = self.advance(now);
        let number = self.counters.pushed;
        let len = payload.size();
        self.counters.pushed += 1;
        self.counters.pushed_bytes += len as u64;
        let bytes = len as u64 + self.plan.overhead;
        let black_hole = |(most, from): (u64, Time)| bytes > most && now - self.start >= from;
        if len > MAX_PAYLOAD || self.plan.mtu.is_some_and(black_hole) {
            return self.lose(now, number, len, Cause::Mtu);
        }
        if !self.has_room(len) {
            return self.lose(now, number, len, Cause::Overflow);
        }
        let packet = Waiting { item: Packet { number, sent: now, payload }, bytes, since: now };
        let rate = depth_rate(&self.plan, now - self.start);
        if self.line.push(packet, &self.plan.queue, rate).is_err() {
            return self.lose(now, number, len, Cause::QueueFull);
        }
        self.packets += 1;
        self.bytes += len as u64;
        self.settled = None;
        if self.sending.is_none() {
            self.free = self.free.max(pico(now - self.start));
            self.transmit(now);
        } else {
            self.counters.queued += 1;
            self.counters.queue_peak_bytes = self.counters.queue_peak_bytes.max(self.line.bytes());
        }
        let verdict = self.settled.take();
        if verdict.is_none() {
            self.record(now, number, len, Fate::Queued);
        }
        verdict.unwrap_or(Verdict::Queued)
    }

    /// The next packet that has arrived by `now`, in order of arrival.
    pub fn pop(&mut self, now: Time) -> Option<Delivery<P>> {
        let delivery = self.take(now)?;
        self.count(&delivery);
        Some(delivery)
    }

    /// When to call `pop` next; None: not before the next `push`.
    pub fn next_timeout(&self) -> Option<Time> {
        let sent = self.sending.as_ref().map(|(done, _)| *done);
        let due = self.wire.first_key_value().map(|(key, _)| key.0);
        sent.into_iter().chain(due).min()
    }

    /// What the pipe did so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets and payload bytes inside, due ones that were not popped included.
    pub fn in_flight(&self) -> (usize, u64) {
        (self.packets, self.bytes)
    }

    /// Packets and bytes that wait for the bottleneck, overhead included, without the one being sent.
    pub fn waiting(&self) -> (usize, u64) {
        (self.line.len(), self.line.bytes())
    }

    /// Keeps the newest [`MAX_EVENTS`](crate::MAX_EVENTS) events from now on, or none.
    pub fn keep_events(&mut self, keep: bool) {
        self.log.keep(keep);
    }

    /// The kept events, oldest first, up to the latest `now`.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.log.events()
    }

    /// Events that were kept and had to make room for newer ones.
    pub fn events_forgotten(&self) -> u64 {
        self.log.forgotten()
    }

    /// A digest of all events so far, kept or not.
    pub fn digest(&self) -> u64 {
        self.log.digest()
    }

    /// As `pop`, but counts nothing: `count` or `refuse` must follow.
    pub(crate) fn take(&mut self, now: Time) -> Option<Delivery<P>> {
        self.advance(now);
        let first = self.wire.first_entry().filter(|entry| entry.key().0 <= now)?;
        let delivery = first.remove();
        self.release(delivery.payload.size());
        Some(delivery)
    }

    /// A taken packet was delivered.
    pub(crate) fn count(&mut self, delivery: &Delivery<P>) {
        self.counters.delivered += 1;
        self.counters.delivered_bytes += delivery.payload.size() as u64;
        self.counters.delay.add(delivery.due - delivery.sent);
    }

    /// A taken packet was lost at the last moment.
    pub(crate) fn refuse(&mut self, delivery: &Delivery<P>, cause: Cause) {
        self.lose(delivery.due, delivery.number, delivery.payload.size(), cause);
    }

    /// Lets everything happen that happens until `now`, in its order.
    fn advance(&mut self, now: Time) -> Time {
        self.now = now.min(END).max(self.now);
        while let Some((done, packet)) = self.sending.take_if(|(done, _)| *done <= self.now) {
            self.leave(done, packet);
            self.transmit(done);
        }
        self.now
    }

    /// Gives the idle bottleneck what it can send at `now`.
    fn transmit(&mut self, now: Time) {
        let plan = self.plan.clone();
        while self.sending.is_none() {
            let (mut dropped, mut marked) = (Vec::new(), 0);
            let next = self.line.pop(now, &plan.queue, |mut packet| {
                if plan.queue.ecn && packet.item.payload.mark() {
                    marked += 1;
                    return Some(packet);
                }
                dropped.push(packet);
                None
            });
            self.counters.marked += marked;
            for packet in dropped {
                self.discard(now, packet, Cause::Codel);
            }
            let Some(packet) = next else { return };
            match self.link.send(&plan, self.free, packet.bytes) {
                Some(end) => {
                    self.free = end;
                    let done = self.start.saturating_add(micro(end)).clamp(now, END);
                    if done == now {
                        self.leave(done, packet);
                    } else {
                        self.sending = Some((done, packet));
                    }
                }
                None => self.discard(now, packet, Cause::Stalled),
            }
        }
    }

    /// A packet has been sent and is on the wire at `now`.
    fn leave(&mut self, now: Time, mut packet: Waiting<Packet<P>>) {
        let (since, number) = (now - self.start, packet.item.number);
        self.counters.wait.add(now - packet.item.sent);
        if let Some(cause) = self.loss(since, number) {
            return self.discard(now, packet, cause);
        }
        let flips = self.damage(since, number, &mut packet.item.payload);
        let len = packet.item.payload.size();
        let twice = self.draws.chance(Purpose::Duplicate, number, self.plan.duplicate.value(since));
        if twice && self.has_room(len) {
            self.counters.duplicated += 1;
            self.packets += 1;
            self.bytes += len as u64;
            let copy = Packet { payload: packet.item.payload.clone(), ..packet.item };
            let verdict = self.fly(now, packet.item, flips, false);
            self.fly(now, copy, flips, true);
            self.settled = Some(verdict);
        } else {
            self.settled = Some(self.fly(now, packet.item, flips, false));
        }
    }

    /// Why the wire loses a packet, if it does. Each model is asked, so that none depends on another.
    fn loss(&mut self, since: Time, number: u64) -> Option<Cause> {
        let (plan, draws) = (&*self.plan, self.draws);
        let burst = plan.burst.is_some_and(|model| {
            let step = if self.bad { model.to_good } else { model.to_bad };
            self.bad ^= draws.chance(Purpose::GilbertStep, number, step);
            let share = if self.bad { model.loss_bad } else { model.loss_good };
            draws.chance(Purpose::GilbertLoss, number, share)
        });
        let cut = plan.outages.iter().any(|outage| !outage.held && outage.at(since).0);
        let repeated = plan.pattern.len() as u64;
        let listed =
            (repeated > 0 && plan.pattern[(number % repeated) as usize]) || plan.listed.binary_search(&number).is_ok();
        let trace = match plan.trace.as_deref() {
            Some(Trace::Table(table)) => draws.chance(Purpose::TraceLoss, number, table.at(since).0.loss),
            _ => false,
        };
        let independent = draws.chance(Purpose::Independent, number, plan.loss.value(since));
        [
            (cut, Cause::Outage),
            (listed, Cause::Listed),
            (trace, Cause::Trace),
            (burst, Cause::Burst),
            (independent, Cause::Independent),
        ]
        .into_iter()
        .find_map(|(lost, cause)| lost.then_some(cause))
    }

    /// Flips bits, if the packet is chosen for it, each in another part of it; how many.
    fn damage(&mut self, since: Time, number: u64, payload: &mut P) -> u64 {
        let bits = payload.size() as u64 * 8;
        let flips = self.plan.corrupt_bits.min(bits);
        if flips == 0 || !self.draws.chance(Purpose::Corrupt, number, self.plan.corrupt.value(since)) {
            return 0;
        }
        for part in 0..flips {
            let (begin, end) = (bits * part / flips, bits * (part + 1) / flips);
            let bit = begin + self.draws.below(Purpose::CorruptBit, number, part, end - begin);
            payload.flip(bit as usize);
        }
        self.counters.corrupted += 1;
        flips
    }

    /// Puts a packet on the wire.
    fn fly(&mut self, now: Time, packet: Packet<P>, flips: u64, copy: bool) -> Verdict {
        let since = now - self.start;
        let plan = &*self.plan;
        let recorded = match plan.trace.as_deref() {
            Some(Trace::Table(table)) => table.at(since).0.delay as f64,
            _ => 0.0,
        };
        let jitter = self.draws.jitter(&plan.jitter, packet.number, copy) * plan.jitter_scale.value(since) / 100.0;
        let mut due = now + (plan.delay.value(since) + recorded + jitter).max(0.0).round() as Time;
        if plan.fifo {
            due = due.max(self.last_due);
        }
        due = due.min(END);
        self.set_back.retain(|one| one.key.0 > now);
        let chosen = !copy && self.draws.chance(Purpose::Reorder, packet.number, plan.reorder.value(since));
        let set_back = chosen && self.set_back.len() < MAX_SET_BACK;
        if set_back {
            due = (due + plan.hold).min(END);
            self.set_back.push(SetBack { behind: plan.distance, key: (due, self.order) });
            self.counters.reordered += 1;
        } else {
            self.last_due = self.last_due.max(due);
        }
        let (number, len) = (packet.number, packet.payload.size());
        self.put(Delivery { due, sent: packet.sent, number, copy, flips, payload: packet.payload });
        if !set_back {
            self.overtake(due);
        }
        self.record(now, number, len, Fate::OnWire { due, flips, copy, set_back });
        Verdict::Due(due)
    }

    fn put(&mut self, delivery: Delivery<P>) {
        self.wire.insert((delivery.due, self.order), delivery);
        self.order += 1;
    }

    /// A packet that arrives at `due` passes those that are set back; the last they wait for brings them along.
    fn overtake(&mut self, due: Time) {
        let mut index = 0;
        while index < self.set_back.len() {
            self.set_back[index].behind -= 1;
            if self.set_back[index].behind > 0 {
                index += 1;
                continue;
            }
            let one = self.set_back.remove(index);
            if one.key.0 > due {
                if let Some(mut delivery) = self.wire.remove(&one.key) {
                    delivery.due = due;
                    self.put(delivery);
                }
            }
        }
    }

    fn has_room(&self, len: usize) -> bool {
        self.packets < MAX_PACKETS && self.bytes + len as u64 <= MAX_BYTES
    }

    fn release(&mut self, len: usize) {
        self.packets -= 1;
        self.bytes -= len as u64;
    }

    fn discard(&mut self, now: Time, packet: Waiting<Packet<P>>, cause: Cause) {
        let len = packet.item.payload.size();
        self.release(len);
        self.settled = Some(self.lose(now, packet.item.number, len, cause));
    }

    fn lose(&mut self, now: Time, number: u64, len: usize, cause: Cause) -> Verdict {
        self.counters.lost[cause as usize] += 1;
        self.record(now, number, len, Fate::Lost(cause));
        Verdict::Lost(cause)
    }

    fn record(&mut self, at: Time, number: u64, len: usize, fate: Fate) {
        self.log.add(Event { at, number, len: len as u64, fate });
    }
}
