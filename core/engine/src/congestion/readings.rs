//! The figures a controller shares with the engine.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection's congestion figures, as of the last packet sent or
/// acknowledged. Each is read on its own; together they may be a packet apart.
/// All zero until the connection's path exists; on migration they start anew.
#[derive(Debug, Default)]
pub struct Readings {
    needs_more: bool,
    batches: AtomicU64,
    settled: AtomicU64,
    window: AtomicU64,
    granted: AtomicU64,
    in_flight: AtomicU64,
    send_rate: AtomicU64,
    delivery_rate: AtomicU64,
    min_rtt_us: AtomicU64,
    queue_us: AtomicU64,
    deviation_us: AtomicU64,
    loss_permille: AtomicU64,
}

impl Readings {
    /// `needs_more`: see [`needs_more`](Self::needs_more).
    pub(super) fn new(needs_more: bool) -> Readings {
        Readings { needs_more, ..Readings::default() }
    }

    /// Whether the controller takes an empty buffer for an application that has no more to send, and so wants a packet
    /// handed over beyond its window: quinn's do.
    pub fn needs_more(&self) -> bool {
        self.needs_more
    }

    /// How many packets with acknowledgements there were: a change says that [`settled`](Self::settled) is another.
    pub fn batches(&self) -> u64 {
        self.batches.load(Relaxed)
    }

    /// Bytes in flight as of the last acknowledgement or loss, exactly.
    pub fn settled(&self) -> u64 {
        self.settled.load(Relaxed)
    }

    /// Lets so many bytes out beyond the window until something is acknowledged: a window full of what was lost would
    /// wait for a probe that has long been put off.
    pub fn grant(&self, bytes: u64) {
        self.granted.store(bytes, Relaxed);
    }

    /// Bytes of streams that may be unsent and unacknowledged together, for packets of `mtu`.
    ///
    /// quinn withholds acknowledgements, too, while it has data that its window does not take: for a controller that
    /// does without, the window is not filled to the last packet, and a sixteenth is left for headers.
    pub fn stream_window(&self, mtu: u64) -> u64 {
        let window = self.window();
        if self.needs_more {
            window + mtu
        } else {
            window.saturating_sub(mtu) / 16 * 15
        }
    }

    /// Congestion window in bytes.
    pub fn window(&self) -> u64 {
        self.window.load(Relaxed)
    }

    /// Bytes sent and not yet acknowledged or lost: exact after an
    /// acknowledgement, and too high by the bare acknowledgements sent since.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// Bytes that the window takes now: [`window`](Self::window) less
    /// [`in_flight`](Self::in_flight).
    pub fn room(&self) -> u64 {
        self.window().saturating_sub(self.in_flight())
    }

    /// Bytes a second that the controller lets out at the present round trip;
    /// 0 before the first acknowledgement.
    pub fn send_rate(&self) -> u64 {
        self.send_rate.load(Relaxed)
    }

    /// Bytes a second that were acknowledged of late, application-limited or
    /// not; 0 before there is a figure, and for quinn's own controllers.
    pub fn delivery_rate(&self) -> u64 {
        self.delivery_rate.load(Relaxed)
    }

    /// Shortest round trip of the last seconds (of the path's life, for quinn's
    /// own controllers); zero before the first acknowledgement.
    pub fn min_rtt(&self) -> Duration {
        Duration::from_micros(self.min_rtt_us.load(Relaxed))
    }

    /// Delay above [`min_rtt`](Self::min_rtt) that packets meet in queues.
    pub fn queue_delay(&self) -> Duration {
        Duration::from_micros(self.queue_us.load(Relaxed))
    }

    /// Mean deviation of the round trip from its average, as RFC 9002 (section
    /// 5.3) has it, without the peer's acknowledgement delay.
    pub fn rtt_deviation(&self) -> Duration {
        Duration::from_micros(self.deviation_us.load(Relaxed))
    }

    /// Share of bytes lost, 0 to 1000, averaged over about a hundred packets.
    pub fn loss_permille(&self) -> u64 {
        self.loss_permille.load(Relaxed)
    }
}

/// The writing side of [`Readings`]: counts what is in flight and lost in the
/// same way for every controller.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    readings: Arc<Readings>,
    in_flight: u64,
    /// Bytes acknowledged and lost, both halved whenever their sum passes
    /// [`LOSS_SPAN`]: an average that forgets.
    acked: u64,
    lost: u64,
    /// When the newest packet of the present batch of acknowledgements left.
    newest_sent: Option<Instant>,
    smoothed_rtt: Duration,
    deviation: Duration,
}

/// Bytes over which loss is averaged: about a hundred full packets.
const LOSS_SPAN: u64 = 120_000;

impl Meter {
    pub fn new(readings: Arc<Readings>, window: u64) -> Meter {
        let all = [
            &readings.granted,
            &readings.settled,
            &readings.in_flight,
            &readings.send_rate,
            &readings.delivery_rate,
            &readings.min_rtt_us,
            &readings.queue_us,
            &readings.deviation_us,
            &readings.loss_permille,
        ];
        all.iter().for_each(|a| a.store(0, Relaxed));
        readings.window.store(window, Relaxed);
        readings.batches.fetch_add(1, Relaxed);
        Meter {
            readings,
            in_flight: 0,
            acked: 0,
            lost: 0,
            newest_sent: None,
            smoothed_rtt: Duration::ZERO,
            deviation: Duration::ZERO,
        }
    }

    pub fn sent(&mut self, bytes: u64) {
        self.set_in_flight(self.in_flight.saturating_add(bytes));
    }

    pub fn acked(&mut self, sent: Instant, bytes: u64) {
        self.newest_sent = self.newest_sent.max(Some(sent));
        self.set_in_flight(self.in_flight.saturating_sub(bytes));
        self.acked += bytes;
        self.average_loss();
    }

    /// Takes note of quinn's smoothed round trip, which leaves out what the peer waited before it acknowledged. Each
    /// sample moves it by an eighth of its distance (RFC 9002, 5.3), so the change tells the distance.
    pub fn estimate(&mut self, smoothed: Duration) {
        if smoothed == self.smoothed_rtt {
            return;
        }
        if !self.smoothed_rtt.is_zero() {
            let distance = self.smoothed_rtt.abs_diff(smoothed) * 8;
            self.deviation = (self.deviation * 3 + distance) / 4;
            self.readings.deviation_us.store(micros(self.deviation), Relaxed);
        }
        self.smoothed_rtt = smoothed;
    }

    pub fn lost(&mut self, bytes: u64) {
        self.set_in_flight(self.in_flight.saturating_sub(bytes));
        self.readings.settled.store(self.readings.settled().saturating_sub(bytes), Relaxed);
        self.lost += bytes;
        self.average_loss();
    }

    /// Ends a batch of acknowledgements; `in_flight` is exact. Returns its round
    /// trip, the newest packet's (the others waited for it at the peer), or
    /// `None` when it acknowledged nothing that counts.
    pub fn end_batch(&mut self, now: Instant, in_flight: u64) -> Option<Duration> {
        self.set_in_flight(in_flight);
        self.readings.settled.store(in_flight, Relaxed);
        self.readings.batches.fetch_add(1, Relaxed);
        let rtt = now.saturating_duration_since(self.newest_sent.take()?);
        self.readings.granted.store(0, Relaxed);
        Some(rtt)
    }

    fn set_in_flight(&mut self, bytes: u64) {
        self.in_flight = bytes;
        self.readings.in_flight.store(bytes, Relaxed);
    }

    pub fn granted(&self) -> u64 {
        self.readings.granted.load(Relaxed)
    }

    pub fn window(&self, bytes: u64, rtt: Option<Duration>) {
        self.readings.window.store(bytes, Relaxed);
        if let Some(rtt) = rtt.filter(|rtt| !rtt.is_zero()) {
            let rate = bytes as f64 / rtt.as_secs_f64();
            self.readings.send_rate.store(rate as u64, Relaxed);
        }
    }

    pub fn delay(&self, min_rtt: Duration, queue: Duration) {
        self.readings.min_rtt_us.store(micros(min_rtt), Relaxed);
        self.readings.queue_us.store(micros(queue), Relaxed);
    }

    pub fn delivery_rate(&self, bytes_a_second: u64) {
        self.readings.delivery_rate.store(bytes_a_second, Relaxed);
    }

    fn average_loss(&mut self) {
        let sum = self.acked + self.lost;
        if sum > LOSS_SPAN {
            self.acked /= 2;
            self.lost /= 2;
        }
        let share = (self.lost * 1000).checked_div(self.acked + self.lost);
        self.readings.loss_permille.store(share.unwrap_or(0), Relaxed);
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
