//! A deterministic network for the controller: senders that keep to window and
//! pacing as quinn does, one bottleneck with a queue, receivers that
//! acknowledge as quinn does. Virtual time in microseconds; one seed, one run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::congestion::Controller;

use super::{Readings, Realtime, RealtimeConfig, RealtimeFactory};

pub const MS: u64 = 1000;
pub const SECOND: u64 = 1_000_000;
const MTU: u64 = 1200;
/// Headers of IP, UDP and QUIC that a payload's packet carries.
const OVERHEAD: u64 = 28 + 40;

/// Seeded xorshift64*.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % n.max(1)
    }
}

/// The bottleneck, changeable while it runs.
#[derive(Clone)]
pub struct Link {
    /// Bits a second.
    pub rate: u64,
    /// One way, each way, in us.
    pub delay: u64,
    /// Bytes that may wait.
    pub queue: u64,
    /// Forward packets lost at random, permille; 1000 is an outage.
    pub loss: u64,
    /// Up to so many us are added to each packet's delay, order kept.
    pub jitter: u64,
}

/// What a flow has to send.
#[derive(Clone, Copy, PartialEq)]
pub enum Source {
    /// Nothing.
    Idle,
    /// Always another full packet.
    Bulk,
    /// So many bytes a second in datagrams of 200 to 1100 bytes, 60 ticks a
    /// second; each waits for at most 100 ms.
    Game(u64),
}

/// Counts of one flow since the last [`World::reset`].
#[derive(Clone, Default)]
pub struct Tally {
    pub offered: u64,
    pub delivered: u64,
    pub delivered_bytes: u64,
    pub lost: u64,
    /// Time in the bottleneck's queue of each delivered packet, us.
    pub queued: Vec<u64>,
}

impl Tally {
    pub fn queue_percentile(&self, percent: usize) -> u64 {
        let mut sorted = self.queued.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100]
    }

    pub fn delivered_share(&self) -> f64 {
        self.delivered as f64 / self.offered as f64
    }
}

struct Sent {
    at: u64,
    bytes: u64,
}

/// A sender and its receiver.
pub struct Flow {
    pub controller: Realtime,
    pub readings: Arc<Readings>,
    pub source: Source,
    pub tally: Tally,
    waiting: VecDeque<(u64, u64)>,
    credit: u64,
    in_flight: BTreeMap<u64, Sent>,
    in_flight_bytes: u64,
    next_packet: u64,
    largest_acked: Option<u64>,
    srtt: u64,
    rttvar: u64,
    pto_count: u32,
    probes: u32,
    last_progress: u64,
    tokens: f64,
    refilled: u64,
    unacked: Vec<u64>,
    ack_due: Option<u64>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick(usize),
    Arrive { flow: usize, packet: u64, bytes: u64, queued: u64 },
    AckTimer(usize),
    Ack { flow: usize, packets: Vec<u64> },
    Timer(usize),
}

/// Flows over one link.
pub struct World {
    pub link: Link,
    pub flows: Vec<Flow>,
    pub now: u64,
    base: Instant,
    random: Random,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    serial: u64,
    free_at: u64,
    last_arrival: u64,
}

impl World {
    pub fn new(link: Link, seed: u64) -> World {
        World {
            link,
            flows: Vec::new(),
            now: 0,
            base: Instant::now(),
            random: Random::new(seed),
            events: BinaryHeap::new(),
            serial: 0,
            free_at: 0,
            last_arrival: 0,
        }
    }

    pub fn add(&mut self, source: Source) -> usize {
        let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
        let controller = factory.controller(self.at(self.now), MTU as u16);
        let id = self.flows.len();
        self.flows.push(Flow {
            controller,
            readings,
            source,
            tally: Tally::default(),
            waiting: VecDeque::new(),
            credit: 0,
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            next_packet: 0,
            largest_acked: None,
            srtt: 0,
            rttvar: 0,
            pto_count: 0,
            probes: 0,
            last_progress: self.now,
            tokens: 10.0 * MTU as f64,
            refilled: self.now,
            unacked: Vec::new(),
            ack_due: None,
        });
        // Flows' ticks are not in step.
        let offset = self.random.below(16_000);
        self.push(self.now + offset, Event::Tick(id));
        self.push(self.now, Event::Timer(id));
        id
    }

    /// Forgets the counts so far.
    pub fn reset(&mut self) {
        for flow in &mut self.flows {
            flow.tally = Tally::default();
        }
    }

    pub fn run(&mut self, duration: u64) {
        let end = self.now + duration;
        while let Some(Reverse((at, _, _))) = self.events.peek() {
            if *at > end {
                break;
            }
            let Reverse((at, _, event)) = self.events.pop().unwrap();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    fn at(&self, us: u64) -> Instant {
        // Away from the base, so that earlier times exist.
        self.base + Duration::from_micros(us + SECOND)
    }

    fn push(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((at, self.serial, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Tick(flow) => self.tick(flow),
            Event::Arrive { flow, packet, bytes, queued } => {
                self.arrive(flow, packet, bytes, queued);
            }
            Event::AckTimer(flow) => {
                if self.flows[flow].ack_due == Some(self.now) {
                    self.acknowledge(flow);
                }
            }
            Event::Ack { flow, packets } => self.acked(flow, &packets),
            Event::Timer(flow) => {
                self.probe_if_due(flow);
                self.transmit(flow);
                self.push(self.now + MS, Event::Timer(flow));
            }
        }
    }

    fn tick(&mut self, id: usize) {
        let flow = &mut self.flows[id];
        if let Source::Game(rate) = flow.source {
            flow.credit += rate / 60;
            loop {
                let bytes = 200 + self.random.below(901);
                if flow.credit < bytes {
                    break;
                }
                flow.credit -= bytes;
                flow.waiting.push_back((self.now, bytes));
                flow.tally.offered += 1;
            }
        }
        self.transmit(id);
        self.push(self.now + SECOND / 60, Event::Tick(id));
    }

    fn transmit(&mut self, id: usize) {
        loop {
            let now = self.now;
            let flow = &mut self.flows[id];
            while flow.waiting.front().is_some_and(|w| now - w.0 > 100 * MS) {
                flow.waiting.pop_front();
            }
            let bytes = match flow.source {
                Source::Bulk => MTU,
                _ => match flow.waiting.front() {
                    Some(w) => w.1 + OVERHEAD,
                    None if flow.probes > 0 => 100,
                    None => return,
                },
            };
            // What is not urgent keeps to the window that is told.
            let (window, pacing) = (flow.readings.window(), flow.controller.window());
            if flow.probes > 0 {
                flow.probes -= 1;
            } else {
                if flow.in_flight_bytes + MTU >= window || !flow.pace(now, pacing) {
                    return;
                }
            }
            flow.waiting.pop_front();
            if flow.source == Source::Bulk {
                flow.tally.offered += 1;
            }
            flow.tokens = (flow.tokens - bytes as f64).max(0.0);
            let packet = flow.next_packet;
            flow.next_packet += 1;
            flow.in_flight.insert(packet, Sent { at: now, bytes });
            flow.in_flight_bytes += bytes;
            let at = self.at(now);
            self.flows[id].controller.on_sent(at, bytes, packet);
            self.forward(id, packet, bytes);
        }
    }

    fn forward(&mut self, flow: usize, packet: u64, bytes: u64) {
        let link = self.link.clone();
        let backlog = self.free_at.saturating_sub(self.now) * link.rate / 8 / SECOND;
        if backlog + bytes > link.queue {
            return;
        }
        let start = self.free_at.max(self.now);
        self.free_at = start + bytes * 8 * SECOND / link.rate;
        if self.random.below(1000) < link.loss {
            return;
        }
        let late = self.random.below(link.jitter + 1);
        let at = (self.free_at + link.delay + late).max(self.last_arrival);
        self.last_arrival = at;
        let queued = start - self.now;
        self.push(at, Event::Arrive { flow, packet, bytes, queued });
    }

    fn arrive(&mut self, id: usize, packet: u64, bytes: u64, queued: u64) {
        let flow = &mut self.flows[id];
        flow.tally.delivered += 1;
        flow.tally.delivered_bytes += bytes;
        flow.tally.queued.push(queued);
        flow.unacked.push(packet);
        if flow.unacked.len() >= 2 {
            self.acknowledge(id);
        } else {
            let due = self.now + 25 * MS;
            flow.ack_due = Some(due);
            self.push(due, Event::AckTimer(id));
        }
    }

    fn acknowledge(&mut self, flow: usize) {
        let packets = std::mem::take(&mut self.flows[flow].unacked);
        self.flows[flow].ack_due = None;
        let at = self.now + self.link.delay;
        self.push(at, Event::Ack { flow, packets });
    }

    fn acked(&mut self, id: usize, packets: &[u64]) {
        let now = self.now;
        let base = self.base;
        let at = |us| base + Duration::from_micros(us + SECOND);
        let flow = &mut self.flows[id];
        let mut newest = None;
        for packet in packets {
            if let Some(sent) = flow.in_flight.remove(packet) {
                flow.in_flight_bytes -= sent.bytes;
                flow.controller.acked(at(sent.at), sent.bytes);
                newest = newest.max(Some(sent.at));
            }
        }
        let Some(newest) = newest else {
            return;
        };
        flow.largest_acked = flow.largest_acked.max(packets.iter().max().copied());
        flow.controller.on_end_acks(at(now), flow.in_flight_bytes, false, flow.largest_acked);
        flow.measure(now - newest);
        flow.pto_count = 0;
        flow.last_progress = now;
        flow.find_lost(now, at);
        self.transmit(id);
    }

    fn probe_if_due(&mut self, id: usize) {
        let flow = &mut self.flows[id];
        if flow.in_flight.is_empty() {
            flow.last_progress = self.now;
            return;
        }
        let pto = flow.pto() << flow.pto_count.min(10);
        if self.now - flow.last_progress >= pto {
            flow.pto_count += 1;
            flow.probes = 2;
            flow.last_progress = self.now;
        }
    }
}

impl Flow {
    /// quinn's pacer: a bucket of 2 ms of window, at least ten packets.
    fn pace(&mut self, now: u64, window: u64) -> bool {
        if self.srtt == 0 {
            return true;
        }
        let capacity =
            (window as f64 * 2.0 * MS as f64 / self.srtt as f64).clamp(10.0 * MTU as f64, 256.0 * MTU as f64);
        let passed = (now - self.refilled) as f64 / self.srtt as f64;
        self.refilled = now;
        self.tokens = (self.tokens + window as f64 * 1.25 * passed).min(capacity);
        self.tokens >= MTU as f64
    }

    fn measure(&mut self, rtt: u64) {
        if self.srtt == 0 {
            (self.srtt, self.rttvar) = (rtt.max(1), rtt / 2);
        } else {
            self.rttvar = (3 * self.rttvar + self.srtt.abs_diff(rtt)) / 4;
            self.srtt = ((7 * self.srtt + rtt) / 8).max(1);
        }
    }

    fn pto(&self) -> u64 {
        match self.srtt {
            0 => 1000 * MS,
            srtt => srtt + (4 * self.rttvar).max(MS) + 25 * MS,
        }
    }

    /// Packet and time threshold of RFC 9002, and persistent congestion.
    fn find_lost(&mut self, now: u64, at: impl Fn(u64) -> Instant) {
        let largest = self.largest_acked.unwrap_or(0);
        let wait = self.srtt * 9 / 8;
        let gone: Vec<u64> = self
            .in_flight
            .range(..largest)
            .filter(|(packet, sent)| largest >= **packet + 3 || now - sent.at >= wait)
            .map(|(packet, _)| *packet)
            .collect();
        let (Some(first), Some(last)) = (gone.first().copied(), gone.last().copied()) else {
            return;
        };
        let (began, ended) = (self.in_flight[&first].at, self.in_flight[&last].at);
        let run = last - first + 1 == gone.len() as u64;
        let persistent = run && ended - began > 3 * self.pto();
        let mut bytes = 0;
        for packet in gone {
            bytes += self.in_flight.remove(&packet).map_or(0, |s| s.bytes);
            self.tally.lost += 1;
        }
        self.in_flight_bytes -= bytes;
        self.controller.on_congestion_event(at(now), at(ended), persistent, bytes);
    }
}
