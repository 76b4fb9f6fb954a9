//! The measurements behind the real-time controller.

use std::time::{Duration, Instant};

/// Shortest round trip of the last one to two spans, each half a window.
#[derive(Debug, Clone)]
pub(super) struct WindowedMin {
    span: Duration,
    began: Instant,
    before: Duration,
    current: Duration,
}

impl WindowedMin {
    pub fn new(window: Duration, now: Instant) -> WindowedMin {
        WindowedMin { span: window / 2, began: now, before: Duration::MAX, current: Duration::MAX }
    }

    /// Adds a sample and returns the minimum. However long a pause, it ends one
    /// span only: silence says nothing about the path.
    pub fn add(&mut self, now: Instant, rtt: Duration) -> Duration {
        if now.saturating_duration_since(self.began) > self.span {
            self.began = now;
            if self.current != Duration::MAX {
                self.before = self.current;
            }
            self.current = Duration::MAX;
        }
        self.current = self.current.min(rtt);
        self.get()
    }

    /// The minimum; zero before there is a sample.
    pub fn get(&self) -> Duration {
        match self.current.min(self.before) {
            Duration::MAX => Duration::ZERO,
            min => min,
        }
    }
}

/// Bytes acknowledged a second, over about the last round trip.
#[derive(Debug, Clone)]
pub(super) struct DeliveryRate {
    since: Instant,
    bytes: u64,
    slices: [(u64, Duration); 8],
}

impl DeliveryRate {
    pub fn new(now: Instant) -> DeliveryRate {
        DeliveryRate { since: now, bytes: 0, slices: [(0, Duration::ZERO); 8] }
    }

    pub fn add(&mut self, now: Instant, bytes: u64, min_rtt: Duration) {
        self.bytes += bytes;
        let lasted = now.saturating_duration_since(self.since);
        if lasted >= (min_rtt / 8).max(Duration::from_millis(1)) {
            self.slices.rotate_right(1);
            self.slices[0] = (self.bytes, lasted);
            self.bytes = 0;
            self.since = now;
        }
    }

    /// What the rate of the newest `slices`, 8 at most, delivers in `time`, in
    /// bytes. Each slice is an eighth of a round trip.
    pub fn in_time(&self, time: Duration, slices: usize) -> u64 {
        (self.of(slices) * time.as_secs_f64()) as u64
    }

    /// The time in which the rate delivers `bytes`; zero when it is unknown.
    pub fn time_of(&self, bytes: u64) -> Duration {
        match self.of(8) {
            rate if rate >= 1.0 => Duration::from_secs_f64(bytes as f64 / rate),
            _ => Duration::ZERO,
        }
    }

    pub fn bytes_a_second(&self) -> u64 {
        self.of(8) as u64
    }

    fn of(&self, slices: usize) -> f64 {
        let newest = || self.slices.iter().take(slices);
        let bytes: u64 = newest().map(|s| s.0).sum();
        let time: Duration = newest().map(|s| s.1).sum();
        if time.is_zero() {
            return 0.0;
        }
        bytes as f64 / time.as_secs_f64()
    }
}

/// The fastest that acknowledgements of a few packets in a row came: what the path's narrowest link sends, if the
/// packets left faster than that. A train that left slower tells less, acknowledgements that were held back and then
/// came together tell more.
#[derive(Debug, Clone, Default)]
pub(super) struct Trains {
    /// When the last acknowledgements came, newest first, and how many bytes each was for.
    last: [Option<(Instant, u64)>; TRAIN],
    fastest: f64,
}

/// Acknowledgements in a train; quinn's bursts have ten packets, and peers acknowledge each second one.
const TRAIN: usize = 4;
/// Packets that a train's later acknowledgements are for, at least.
const TRAIN_PACKETS: u64 = 5;

impl Trains {
    pub fn add(&mut self, now: Instant, bytes: u64, mtu: u64) {
        self.last.rotate_right(1);
        self.last[0] = Some((now, bytes));
        let Some((first, _)) = self.last[TRAIN - 1] else { return };
        let bytes: u64 = self.last[..TRAIN - 1].iter().flatten().map(|(_, bytes)| bytes).sum();
        let time = now.saturating_duration_since(first).as_secs_f64();
        if bytes >= TRAIN_PACKETS * mtu && time > 0.0 {
            self.fastest = self.fastest.max(bytes as f64 / time);
        }
    }

    /// What the fastest train's rate delivers in `time`, in bytes; none before there was one.
    pub fn in_time(&self, time: Duration) -> Option<u64> {
        (self.fastest > 0.0).then_some((self.fastest * time.as_secs_f64()) as u64)
    }
}

/// What a span of losses amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing was lost.
    None,
    /// No more than the tolerance, by what the number of packets can tell.
    Some,
    /// More than the tolerance.
    Excess,
}

/// Packets acknowledged and bytes lost since the last verdict on excess.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    pub acked: u64,
    pub acked_bytes: u64,
    pub lost_bytes: u64,
    /// What [`lost_bytes`](Self::lost_bytes) was at the last call.
    seen: u64,
}

/// Fewer packets say nothing about a rate of a tenth.
const LOSS_SAMPLE: u64 = 30;

impl Losses {
    /// The verdict on what came since the last call; excess is judged over at
    /// least [`LOSS_SAMPLE`] packets, and two standard deviations above the
    /// tolerance (permille), so that chance alone rarely convicts.
    pub fn take_verdict(&mut self, tolerance: u32) -> Verdict {
        let fresh = self.lost_bytes > self.seen;
        self.seen = self.lost_bytes;
        let packet = self.acked_bytes.checked_div(self.acked).unwrap_or(0).max(1);
        let lost = self.lost_bytes / packet;
        let packets = self.acked + lost;
        let mut verdict = if fresh { Verdict::Some } else { Verdict::None };
        if packets >= LOSS_SAMPLE {
            let share = f64::from(tolerance) / 1000.0;
            let expected = share * packets as f64;
            let deviation = (expected * (1.0 - share)).sqrt();
            if lost as f64 > expected + 2.0 * deviation {
                verdict = Verdict::Excess;
            }
            *self = Losses::default();
        }
        verdict
    }
}
