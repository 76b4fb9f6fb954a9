//! The controller for real-time play: short queues, whatever the losses.
//!
//! It watches delay. The shortest round trip of the last seconds is the empty
//! path; what the shortest round trip of the present round adds to it is a
//! queue that stands. While none does and the window is in use, the window
//! grows; a standing queue above the target takes back, at once, what stands.
//! Loss alone is noise of the link, up to a tolerance; loss that comes with a
//! queue, or beyond the tolerance, is congestion.
//!
//! | phase | no queue, window in use | standing queue above target | excess loss | persistent congestion |
//! |---|---|---|---|---|
//! | Startup | doubles a round trip; near what the path holds, an eighth | rate x shortest RTT, to Steady | x 0.7, to Steady | floor, to Startup |
//! | Steady | grows by a packet a round, then faster | 92% of rate x shortest RTT | x 0.7 | floor, to Startup |
//!
//! A queue is seen a round trip after it began, and a window that doubled until then would have filled the path twice.
//! So Startup takes the rate at which a train of packets is acknowledged for that of the narrowest link, and goes on in
//! small steps once the window holds nine tenths of what that rate delivers in the shortest round trip.
//!
//! A window that is not in use is left as it is: what it has proven stays
//! usable, so a flow that pauses starts again at once. "In use" is judged by
//! the bytes in flight, not by quinn's application-limited flag, which is set
//! whenever its own buffer happens to be empty.
//!
//! quinn is told of more than the window while it is full of what was lost
//! ([`Readings::grant`]).
//!
//! The price of short queues: beside a loss-based flow that keeps the
//! bottleneck's buffer full it yields, down to `yield_rate`, which a queue alone
//! never takes: losses do. Choose Cubic for such paths.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

use super::readings::{Meter, Readings};
use super::samples::{DeliveryRate, Losses, Trains, Verdict, WindowedMin};

/// Settings of [`Realtime`].
#[derive(Debug, Clone)]
pub struct RealtimeConfig {
    /// First window, in packets of the current MTU. `min_window` to 1000.
    pub initial_window: u64,
    /// Smallest window, in packets. 2 to 10: two keep acknowledgements coming.
    pub min_window: u64,
    /// Largest window, in bytes. Below 4 GiB, where quinn stops pacing.
    pub max_window: u64,
    /// Standing queue that is let be, whatever the path.
    pub target_queue: Duration,
    /// What the target adds for each unit of the shortest round trip, in
    /// permille: long paths vary more.
    pub target_share: u32,
    /// Share of packets that may be lost without the window answering, in
    /// permille. 0 to 500.
    pub loss_tolerance: u32,
    /// How long a shortest round trip is believed before the path may have
    /// become longer.
    pub min_rtt_window: Duration,
    /// Bytes a second that a standing queue, which may be others', does not
    /// take away. 0 to 1,000,000.
    pub yield_rate: u64,
}

impl Default for RealtimeConfig {
    /// 32 packets to start, 4 at least, 64 MiB at most; target 0.5 ms and 1% of
    /// the shortest round trip; 10% loss tolerated; round trips of 10 s; 16 kB/s
    /// kept, a match's inputs and a voice.
    fn default() -> RealtimeConfig {
        RealtimeConfig {
            initial_window: 32,
            min_window: 4,
            max_window: 64 << 20,
            target_queue: Duration::from_micros(500),
            target_share: 10,
            loss_tolerance: 100,
            min_rtt_window: Duration::from_secs(10),
            yield_rate: 16_000,
        }
    }
}

impl RealtimeConfig {
    /// The same with every value inside its documented range.
    fn clamped(mut self) -> RealtimeConfig {
        self.min_window = self.min_window.clamp(2, 10);
        self.initial_window = self.initial_window.clamp(self.min_window, 1000);
        self.max_window = self.max_window.clamp(64 << 10, u64::from(u32::MAX));
        self.loss_tolerance = self.loss_tolerance.min(500);
        self.yield_rate = self.yield_rate.min(1_000_000);
        self
    }
}

/// Makes the [`Realtime`] controllers of one connection: one for its first
/// path, another after each migration.
pub struct RealtimeFactory {
    config: RealtimeConfig,
    readings: Arc<Readings>,
}

impl RealtimeFactory {
    /// A factory, and the readings that its controllers write. Values out of
    /// range are taken to the nearest one within.
    pub fn new(config: RealtimeConfig) -> (Arc<RealtimeFactory>, Arc<Readings>) {
        let readings = Arc::new(Readings::new(false));
        let factory = RealtimeFactory { config: config.clamped(), readings: readings.clone() };
        (Arc::new(factory), readings)
    }

    /// A controller for a new path.
    pub(super) fn controller(&self, now: Instant, current_mtu: u16) -> Realtime {
        Realtime::new(self.config.clone(), self.readings.clone(), now, current_mtu)
    }
}

impl ControllerFactory for RealtimeFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(self.controller(now, current_mtu))
    }
}

/// The controller; see the module.
#[derive(Debug, Clone)]
pub struct Realtime {
    config: RealtimeConfig,
    meter: Meter,
    mtu: u64,
    window: u64,
    /// What the window is being lowered to.
    goal: Option<u64>,
    phase: Phase,
    min_rtt: WindowedMin,
    last_rtt: Duration,
    rate: DeliveryRate,
    trains: Trains,
    batch: Batch,
    round: Round,
    losses: Losses,
    /// Rounds in a row in which the window grew and hardly a queue stood.
    clear_rounds: u32,
    /// Delay that stands while our window is not in use, so not of our making:
    /// other traffic and the path's jitter.
    foreign_queue: Duration,
    /// What the path takes for a packet. Acknowledgements come for two, so two
    /// are sent at a time, and one waits for the other in an empty queue.
    packet_time: Duration,
    /// Mean change from one round trip to the next.
    jitter: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Startup,
    Steady,
}

/// The acknowledgements of one packet received.
#[derive(Debug, Clone, Default)]
struct Batch {
    newest_sent: Option<Instant>,
    bytes: u64,
}

/// Acknowledgements of about one round trip, judged together.
#[derive(Debug, Clone)]
struct Round {
    /// Only packets sent from here on tell about the window as it is.
    settled: Instant,
    /// When the first of them was acknowledged.
    began: Option<Instant>,
    /// Shortest round trip, and how many there were.
    rtt: Duration,
    sum: Duration,
    samples: u32,
    /// Most bytes in flight before an acknowledgement.
    peak: u64,
    /// The last round trips, newest first: a queue's early warning.
    recent: [Duration; ROUND_SAMPLES as usize],
}

impl Round {
    fn new(settled: Instant) -> Round {
        Round {
            settled,
            began: None,
            rtt: Duration::MAX,
            sum: Duration::ZERO,
            samples: 0,
            peak: 0,
            recent: [Duration::ZERO; ROUND_SAMPLES as usize],
        }
    }

    /// The shortest of the last round trips, once there are enough.
    fn recent_min(&self) -> Option<Duration> {
        let enough = self.samples >= ROUND_SAMPLES;
        self.recent.iter().min().copied().filter(|_| enough)
    }
}

/// Samples a round needs, unless it lasts three times its length: a minimum of
/// fewer is a matter of luck.
const ROUND_SAMPLES: u32 = 6;
/// A round lasts three quarters of the shortest round trip, and at least this:
/// on a local network the scheduler's grain.
const ROUND_MIN: Duration = Duration::from_millis(4);
/// Least queue that ends Startup: ten packets, quinn's burst, at 24 Mbit/s.
const STARTUP_QUEUE: Duration = Duration::from_millis(4);
/// Most that the foreign queue adds to the target.
const FOREIGN_MAX: Duration = Duration::from_millis(20);
/// Longest round trip that `yield_rate` is kept over.
const YIELD_RTT_MAX: Duration = Duration::from_secs(2);
/// Clear rounds before growth accelerates; it doubles with each one after.
const CLEAR_ROUNDS: u32 = 3;

impl Realtime {
    fn new(config: RealtimeConfig, readings: Arc<Readings>, now: Instant, mtu: u16) -> Realtime {
        let mtu = u64::from(mtu);
        let window = (config.initial_window * mtu).min(config.max_window);
        Realtime {
            meter: Meter::new(readings, window),
            mtu,
            window,
            goal: None,
            phase: Phase::Startup,
            min_rtt: WindowedMin::new(config.min_rtt_window, now),
            last_rtt: Duration::ZERO,
            rate: DeliveryRate::new(now),
            trains: Trains::default(),
            batch: Batch::default(),
            round: Round::new(now),
            losses: Losses::default(),
            clear_rounds: 0,
            foreign_queue: Duration::ZERO,
            packet_time: Duration::ZERO,
            jitter: Duration::ZERO,
            config,
        }
    }

    pub(super) fn acked(&mut self, sent: Instant, bytes: u64) {
        self.batch.newest_sent = self.batch.newest_sent.max(Some(sent));
        self.batch.bytes += bytes;
        self.losses.acked += 1;
        self.losses.acked_bytes += bytes;
        self.meter.acked(sent, bytes);
    }

    fn end_batch(&mut self, now: Instant, in_flight: u64) {
        let batch = std::mem::take(&mut self.batch);
        let rtt = self.meter.end_batch(now, in_flight);
        let (Some(rtt), Some(newest)) = (rtt, batch.newest_sent) else {
            return;
        };
        let min_rtt = self.min_rtt.add(now, rtt);
        self.last_rtt = rtt;
        self.rate.add(now, batch.bytes, min_rtt);
        if self.phase == Phase::Startup {
            self.trains.add(now, batch.bytes, self.mtu);
        }

        let round = &mut self.round;
        round.peak = round.peak.max(in_flight + batch.bytes);
        if newest >= round.settled {
            round.began.get_or_insert(now);
            round.rtt = round.rtt.min(rtt);
            round.sum += rtt;
            if round.samples > 0 {
                let change = rtt.abs_diff(round.recent[0]);
                self.jitter = (self.jitter * 15 + change) / 16;
            }
            round.samples += 1;
            round.recent.rotate_right(1);
            round.recent[0] = rtt;
        }
        if self.goal.is_some() {
            self.descend(now, batch.bytes);
        } else {
            if self.phase == Phase::Startup {
                self.start_up(now, rtt, batch.bytes);
            }
            self.judge_round(now);
        }
        self.report();
    }

    /// On the way down three fifths of what is acknowledged may be sent anew: a window that fell at once would hold
    /// back even the most important packet until the surplus had left the path.
    fn descend(&mut self, now: Instant, acked: u64) {
        let Some(goal) = self.goal else { return };
        let window = self.window.saturating_sub(acked * 2 / 5).max(goal);
        self.set_window(window);
        if window == goal {
            self.goal = None;
            self.settle(now);
        }
    }

    fn start_up(&mut self, now: Instant, rtt: Duration, acked: u64) {
        // Until half of it is in flight, a larger window would prove nothing.
        if self.round.peak * 2 < self.window {
            return;
        }
        // Packets leave in bursts while the window doubles, so there is a queue
        // at times before one stands.
        let min_rtt = self.min_rtt.get();
        let near = self.trains.in_time(min_rtt).is_some_and(|path| self.window * 10 >= path * 9);
        let queue = if near { self.target() * 3 / 2 } else { self.target().max(min_rtt / 8) };
        let limit = min_rtt + queue.max(STARTUP_QUEUE);
        if self.round.recent_min().is_some_and(|rtt| rtt > limit) {
            self.phase = Phase::Steady;
            let path = self.rate.in_time(min_rtt, 4);
            // Half a round trip that had pauses tells too little.
            let path = path.max(self.trains.in_time(min_rtt).unwrap_or(0) * 3 / 4);
            self.goal = Some(path.clamp(self.window / 4, self.window));
            self.settle(now);
        } else if rtt <= limit {
            self.set_window(self.window + if near { acked / 8 } else { acked });
        }
    }

    /// Ends the round if it has lasted, and answers what it has shown.
    fn judge_round(&mut self, now: Instant) {
        let Some(began) = self.round.began else {
            return;
        };
        let length = (self.min_rtt.get() * 3 / 4).max(ROUND_MIN);
        let lasted = now.saturating_duration_since(began);
        let enough = self.round.samples >= ROUND_SAMPLES || lasted >= length * 3;
        let min_rtt = self.min_rtt.get();
        // A queue that plainly stands need not wait for the round's end.
        let early = self.round.recent_min().filter(|rtt| rtt.saturating_sub(min_rtt) > self.target() * 3 / 2);
        match early {
            Some(rtt) => self.round.rtt = rtt,
            None if lasted < length || !enough => return,
            None => {}
        }
        let queue = self.round.rtt.saturating_sub(min_rtt);
        let in_use = self.in_use();
        // What the round trip changes by from one to the next, beyond what a pair of packets does, is the path's jitter.
        let jitter = self.jitter.saturating_sub(self.packet_time * 3);
        let mean = (self.round.sum / self.round.samples).saturating_sub(min_rtt + jitter);
        let lossy = self.losses.take_verdict(self.config.loss_tolerance);
        self.meter.delay(min_rtt, queue);
        if in_use {
            self.packet_time = self.rate.time_of(self.mtu).min(FOREIGN_MAX);
        } else {
            let queue = queue.min(FOREIGN_MAX);
            self.foreign_queue = (self.foreign_queue * 7 + queue) / 8;
        }

        let target = self.target();
        if queue > target {
            self.take_back(in_use, lossy);
        } else if lossy == Verdict::Excess || (lossy == Verdict::Some && mean > target * 5 / 8 && in_use) {
            self.phase = Phase::Steady;
            self.set_window(match lossy {
                Verdict::Excess => self.window * 7 / 10,
                _ => self.path().clamp(self.window * 9 / 10, self.window),
            });
        } else {
            if in_use && self.phase == Phase::Steady {
                self.grow(mean, target, lossy);
            }
            // Near the target, a step is judged before the next is taken.
            let from = if in_use && mean > target / 2 { now } else { self.round.settled };
            self.round = Round::new(from);
            return;
        }
        self.settle(now);
    }

    /// A queue stands: keep what the empty path holds. At least half is kept,
    /// so that one strange round does not end a flow, and what others leave it
    /// must do for the most important.
    fn take_back(&mut self, in_use: bool, lossy: Verdict) {
        let floor = (self.config.yield_rate as f64 * self.last_rtt.min(YIELD_RTT_MAX).as_secs_f64()) as u64;
        if self.window <= floor {
            if lossy == Verdict::None && in_use {
                self.set_window(self.window + self.mtu);
            }
        } else if in_use {
            self.phase = Phase::Steady;
            self.goal = Some(self.path().max(floor).clamp(self.window / 2, self.window));
        } else {
            // Others' queue, or ours from a path that became slower: give back
            // what is held in reserve, not what is used.
            let kept = (self.round.peak * 2).max(self.config.initial_window * self.mtu);
            self.set_window(self.window.min(kept));
        }
    }

    /// Slightly less than the empty path holds at the rate it delivers: the
    /// queue empties for a moment, and every flow sees the true shortest round
    /// trip, latecomers too.
    fn path(&self) -> u64 {
        self.rate.in_time(self.min_rtt.get(), 8) * 23 / 25
    }

    /// Every flow on a path sees the same clear rounds, so all grow by the same
    /// amount, and shares even out with each proportional decrease.
    fn grow(&mut self, queue: Duration, target: Duration, lossy: Verdict) {
        if lossy != Verdict::None {
            self.clear_rounds = self.clear_rounds.min(CLEAR_ROUNDS + 2);
        }
        if queue > target / 2 {
            self.clear_rounds = 0;
        } else {
            self.clear_rounds += 1;
        }
        let doublings = self.clear_rounds.saturating_sub(CLEAR_ROUNDS).min(10);
        // Small steps while the target may be near, larger ones once the path
        // has plainly become faster.
        let share = if self.clear_rounds > 3 * CLEAR_ROUNDS { 6 } else { 25 };
        let step = (self.mtu << doublings).min(self.window / share).max(self.mtu);
        self.set_window(self.window + step);
    }

    /// Whether the window, rather than the application, limits what is sent:
    /// quinn keeps room for a whole packet free.
    fn in_use(&self) -> bool {
        self.round.peak + 2 * self.mtu >= self.window || self.round.peak * 8 >= self.window * 7
    }

    fn target(&self) -> Duration {
        self.config.target_queue
            + self.min_rtt.get() * self.config.target_share / 1000
            + self.packet_time
            + (self.foreign_queue + self.jitter * 2).min(FOREIGN_MAX)
    }

    /// Begins a round of packets that are sent from now on.
    fn settle(&mut self, now: Instant) {
        self.clear_rounds = 0;
        self.round = Round::new(now);
    }

    fn set_window(&mut self, bytes: u64) {
        self.window = bytes.clamp(self.config.min_window * self.mtu, self.config.max_window);
    }

    fn report(&self) {
        self.meter.window(self.window, Some(self.last_rtt));
        self.meter.delivery_rate(self.rate.bytes_a_second());
    }
}

impl Controller for Realtime {
    fn on_sent(&mut self, _now: Instant, bytes: u64, _last_packet_number: u64) {
        self.meter.sent(bytes);
    }

    fn on_ack(&mut self, _now: Instant, sent: Instant, bytes: u64, _app_limited: bool, rtt: &RttEstimator) {
        self.acked(sent, bytes);
        self.meter.estimate(rtt.get());
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        _app_limited: bool,
        _largest_packet_num_acked: Option<u64>,
    ) {
        self.end_batch(now, in_flight);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.meter.lost(lost_bytes);
        self.losses.lost_bytes += lost_bytes;
        if is_persistent_congestion {
            self.goal = None;
            self.phase = Phase::Startup;
            self.set_window(0);
            self.losses = Losses::default();
            self.settle(now);
        } else if lost_bytes == 0 && sent >= self.round.settled {
            // An ECN mark: a router's queue, once a round.
            self.phase = Phase::Steady;
            self.set_window(self.window * 85 / 100);
            self.settle(now);
        }
        self.report();
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu);
        self.set_window(self.window);
        self.report();
    }

    fn window(&self) -> u64 {
        self.window + self.meter.granted()
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = self.window;
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.config.initial_window * self.mtu
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
