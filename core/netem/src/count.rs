//! What became of the packets: causes, counters, histograms, and the log of events.

use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;

use crate::Time;

/// Why a packet did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Larger than the path's MTU.
    Mtu,
    /// The pipe holds as much as it may ([`MAX_PACKETS`](crate::MAX_PACKETS), [`MAX_BYTES`](crate::MAX_BYTES)).
    Overflow,
    /// No room in the bottleneck's queue.
    QueueFull,
    /// Dropped by CoDel.
    Codel,
    /// The bottleneck never sends it: outages and traces leave no time for it.
    Stalled,
    /// Sent into an outage.
    Outage,
    /// Named by `loss.pattern` or `loss.packets`.
    Listed,
    /// Lost by the loss column of a trace.
    Trace,
    /// Lost by the Gilbert-Elliott model.
    Burst,
    /// Lost by itself.
    Independent,
    /// Addressed to a port that the NAT no longer has.
    StaleBinding,
}

impl Cause {
    /// All of them, in the order of a path.
    pub const ALL: [Cause; 11] = [
        Cause::Mtu,
        Cause::Overflow,
        Cause::QueueFull,
        Cause::Codel,
        Cause::Stalled,
        Cause::Outage,
        Cause::Listed,
        Cause::Trace,
        Cause::Burst,
        Cause::Independent,
        Cause::StaleBinding,
    ];

    /// Its name in logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Mtu => "mtu",
            Cause::Overflow => "overflow",
            Cause::QueueFull => "queue_full",
            Cause::Codel => "codel",
            Cause::Stalled => "stalled",
            Cause::Outage => "outage",
            Cause::Listed => "listed",
            Cause::Trace => "trace",
            Cause::Burst => "burst",
            Cause::Independent => "independent",
            Cause::StaleBinding => "stale_binding",
        }
    }
}

/// Upper ends of a histogram's buckets, in microseconds, each included; one more bucket takes the rest.
pub const BUCKETS: [Time; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// Times, counted in [`BUCKETS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// How many fell in each bucket; the last is above all ends.
    pub counts: [u64; BUCKETS.len() + 1],
    /// The sum of all, in microseconds.
    pub sum: u64,
    /// The largest, in microseconds.
    pub max: Time,
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Time) {
        self.counts[BUCKETS.partition_point(|&end| end < time)] += 1;
        self.sum = self.sum.saturating_add(time);
        self.max = self.max.max(time);
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The mean in microseconds, 0 of none.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count().max(1) as f64
    }
}

/// What a pipe did. `pushed + duplicated` is `delivered`, all that was lost, and what is still inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Packets pushed.
    pub pushed: u64,
    /// Their payload bytes.
    pub pushed_bytes: u64,
    /// Packets popped, second copies among them.
    pub delivered: u64,
    /// Their payload bytes.
    pub delivered_bytes: u64,
    /// Packets that had to wait for the bottleneck.
    pub queued: u64,
    /// The most bytes that waited at once, overhead included.
    pub queue_peak_bytes: u64,
    /// Packets that were copied.
    pub duplicated: u64,
    /// Packets with flipped bits.
    pub corrupted: u64,
    /// Packets set back by `reorder`.
    pub reordered: u64,
    /// Packets that CoDel marked instead of dropping them.
    pub marked: u64,
    /// Losses, in the order of [`Cause::ALL`].
    pub lost: [u64; Cause::ALL.len()],
    /// From push to the end of sending at the bottleneck, of each packet that was sent.
    pub wait: Histogram,
    /// From push to arrival, of each delivered packet.
    pub delay: Histogram,
}

impl Counters {
    /// Packets lost by `cause`.
    pub fn lost(&self, cause: Cause) -> u64 {
        self.lost[cause as usize]
    }

    /// Packets lost by any cause.
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// One thing that befell one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds.
    pub at: Time,
    /// The packet: how many were pushed before it.
    pub number: u64,
    /// Its payload's length in bytes.
    pub len: u64,
    /// What.
    pub fate: Fate,
}

/// What befell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It waits for the bottleneck.
    Queued,
    /// It is gone.
    Lost(Cause),
    /// It is on the wire and arrives at `due`; `flips` of its bits are wrong. `set_back`: later ones overtake it,
    /// and it may arrive earlier than `due`, once they have.
    OnWire {
        /// In microseconds.
        due: Time,
        /// How many bits.
        flips: u64,
        /// Whether it is the second copy.
        copy: bool,
        /// Whether `reorder` chose it.
        set_back: bool,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} {}B ", self.at, self.number, self.len)?;
        match self.fate {
            Fate::Queued => f.write_str("queued"),
            Fate::Lost(cause) => write!(f, "lost {}", cause.name()),
            Fate::OnWire { due, flips, copy, set_back } => {
                write!(f, "due {due}")?;
                if copy {
                    f.write_str(" copy")?;
                }
                if set_back {
                    f.write_str(" set back")?;
                }
                if flips > 0 {
                    write!(f, " flips {flips}")?;
                }
                Ok(())
            }
        }
    }
}

/// The most events that a log keeps.
pub const MAX_EVENTS: usize = 1 << 16;

/// The events of one pipe: a digest of all, and the newest themselves if asked for.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    kept: Option<VecDeque<Event>>,
    forgotten: u64,
    digest: u64,
}

impl Log {
    pub(crate) fn new() -> Log {
        Log { kept: None, forgotten: 0, digest: 0xCBF2_9CE4_8422_2325 }
    }

    pub(crate) fn keep(&mut self, keep: bool) {
        self.kept = keep.then(|| self.kept.take().unwrap_or_default());
    }

    pub(crate) fn add(&mut self, event: Event) {
        let (kind, due, rest) = match event.fate {
            Fate::Queued => (1, 0, 0),
            Fate::Lost(cause) => (2, 0, cause as u64),
            Fate::OnWire { due, flips, copy, set_back } => {
                (3, due, flips << 2 | u64::from(copy) << 1 | u64::from(set_back))
            }
        };
        for word in [event.at, event.number, event.len, kind, due, rest] {
            // FNV-1a by words, with a rotation so that high bits reach low ones.
            self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        }
        if let Some(kept) = &mut self.kept {
            if kept.len() == MAX_EVENTS {
                kept.pop_front();
                self.forgotten += 1;
            }
            kept.push_back(event);
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.kept.iter().flatten()
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}
