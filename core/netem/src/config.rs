//! What a path does to packets, as data: the form of a profile's `up` and `down`.
//!
//! Every field may be left out, and what is left out impairs nothing. Times are milliseconds, rates kbit/s
//! (1,000 bits), sizes bytes, shares percent of packets. Nothing here is checked: [`Plan::new`](crate::Plan::new)
//! is where impossible values are refused, by field.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::trace::Trace;

/// One direction of one path. The default is perfect: nothing is lost, late or limited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes that a packet has on the path beyond its UDP payload: 28 for IPv4, 48 for IPv6. Counted in `mtu`,
    /// rates and queues. 0..=1000.
    pub overhead_bytes: f64,
    /// The largest packet that passes. None: 65,535 bytes and overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Mtu>,
    /// The bottleneck's rate, 1..=1,000,000,000 kbit/s. None: without limit. Not together with a trace of rates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_kbit: Option<f64>,
    /// A recorded link: `NAME.csv` is a table, any other name a Mahimahi trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceRef>,
    /// Where packets wait for the bottleneck.
    pub queue: Queue,
    /// When nothing passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Which packets are lost on the way.
    pub loss: Loss,
    /// Bits flipped on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<Corrupt>,
    /// Percent of packets that arrive twice, each copy with its own delay. 0..=100.
    pub duplicate: f64,
    /// The delay of every packet behind the bottleneck. 0..=60,000 ms.
    pub delay_ms: f64,
    /// What is added to `delay_ms`, packet by packet; the sum is never below 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Whether a packet with a smaller delay may overtake. If not, it arrives with the one before it.
    pub jitter_may_reorder: bool,
    /// Packets set back behind later ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Reorder>,
    /// What changes while time passes, in order of `at_ms`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<Step>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            overhead_bytes: 28.0,
            mtu: None,
            rate_kbit: None,
            trace: None,
            queue: Queue::default(),
            outages: Vec::new(),
            loss: Loss::default(),
            corrupt: None,
            duplicate: 0.0,
            delay_ms: 0.0,
            jitter: None,
            jitter_may_reorder: false,
            reorder: None,
            script: Vec::new(),
        }
    }
}

/// A black hole: larger packets vanish, and nobody is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mtu {
    /// The largest packet that passes, overhead included. 68 (the least of RFC 791)..=66,535.
    pub bytes: f64,
    /// From when on, in ms since the path's start.
    #[serde(default)]
    pub from_ms: f64,
}

/// The queue before the bottleneck. With no bound named, 1,000 packets. The packet being sent is not in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// At most so many bytes wait, 1..=67,108,864. A packet is always taken when none waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    /// At most so many packets wait, 1..=65,536.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<f64>,
    /// At most so much waits as the link sends in this time, at its present rate or its trace's mean. Up to 60,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// CoDel (RFC 8289) beside the bounds; without it the queue only drops what does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codel: Option<Codel>,
}

/// CoDel's parameters; the defaults are RFC 8289's (sections 4.3 and 4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codel {
    /// The standing wait that is accepted. Above 0, below `interval_ms`.
    pub target_ms: f64,
    /// How long the wait may stay above it: a worst-case round trip. Up to 10,000.
    pub interval_ms: f64,
    /// Whether packets whose sender takes part in ECN are marked (RFC 3168) instead of dropped.
    pub ecn: bool,
}

impl Default for Codel {
    fn default() -> Self {
        Codel { target_ms: 5.0, interval_ms: 100.0, ecn: false }
    }
}

/// A time in which nothing passes, once or periodically.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When the first begins, in ms since the path's start.
    pub at_ms: f64,
    /// How long it lasts. Above 0.
    pub for_ms: f64,
    /// The period at which it comes back: above `for_ms`, at least 1. None: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<f64>,
    /// What becomes of the packets.
    #[serde(default)]
    pub packets: During,
}

/// What becomes of packets in an outage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// What leaves the bottleneck is lost: a cut wire.
    #[default]
    Lost,
    /// The bottleneck stands still and its queue fills: a radio link during a handover.
    Held,
}

/// Which packets are lost. A packet is lost if any of these says so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// Percent of packets, each by itself. 0..=100.
    pub independent: f64,
    /// Loss in bursts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gilbert_elliott: Option<GilbertElliott>,
    /// A pattern over the packets, repeating: `x` is lost, `.` passes. At most 65,536 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pattern: String,
    /// The numbers of lost packets, 0 the first one pushed; at most 65,536 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packets: Vec<u64>,
}

/// The Gilbert-Elliott model: two states, stepped before every packet. All in percent, 0..=100.
///
/// The share of packets in the bad state is `to_bad / (to_bad + to_good)`; the mean stay there
/// `100 / to_good` packets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GilbertElliott {
    /// The chance of going from good to bad.
    pub to_bad: f64,
    /// The chance of going back.
    pub to_good: f64,
    /// Loss while good.
    #[serde(default)]
    pub loss_good: f64,
    /// Loss while bad.
    #[serde(default = "all")]
    pub loss_bad: f64,
}

fn all() -> f64 {
    100.0
}

/// Damage: flipped bits, each in another part of the packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// Percent of packets. 0..=100.
    pub share: f64,
    /// Bits flipped in each. 1..=64.
    #[serde(default = "one")]
    pub bits: f64,
}

fn one() -> f64 {
    1.0
}

/// How the delay varies, packet by packet. Each of these draws is independent of the others. Up to 60,000 ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Jitter {
    /// The same for all.
    Constant {
        /// Added to each packet's delay.
        ms: f64,
    },
    /// Evenly spread on both sides.
    Uniform {
        /// From minus this to plus this.
        ms: f64,
    },
    /// The normal distribution.
    Normal {
        /// Its standard deviation; its mean is 0.
        sd_ms: f64,
    },
    /// Late only, with a heavy tail: `scale * (u^(-1/shape) - 1)`, u even in (0, 1].
    Pareto {
        /// The distribution's scale: its mean is `scale / (shape - 1)`.
        scale_ms: f64,
        /// How fast the tail falls; smaller is heavier. Above 1, at most 100.
        shape: f64,
        /// No draw is above this.
        max_ms: f64,
    },
    /// Three quarters of a Pareto draw and a quarter of a normal one, the mixture that Linux's netem uses.
    ParetoNormal {
        /// As in `pareto`.
        scale_ms: f64,
        /// As in `pareto`.
        shape: f64,
        /// No Pareto draw is above this.
        max_ms: f64,
        /// The normal draw's standard deviation.
        sd_ms: f64,
    },
}

/// Reordering: chosen packets are held back until others have passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// Percent of packets. 0..=100.
    pub share: f64,
    /// How many later packets overtake. 1..=1,000.
    #[serde(default = "one")]
    pub distance: f64,
    /// Held back no longer than this, when too few follow. Above 0, up to 10,000.
    #[serde(default = "hold")]
    pub hold_ms: f64,
}

fn hold() -> f64 {
    50.0
}

/// A change at a time. What is not named stays. A value's ramps may not overlap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// When it begins, in ms since the path's start.
    pub at_ms: f64,
    /// How long the value takes to get there, in a line of 10 ms steps. 0: at once.
    pub over_ms: f64,
    /// The new `delay_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<f64>,
    /// Percent of the configured jitter, at first 100. 0..=1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// The new `loss.independent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The new `rate_kbit`. A ramp needs one to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_kbit: Option<f64>,
    /// The new `duplicate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<f64>,
    /// The new `corrupt.share`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<f64>,
    /// The new `reorder.share`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<f64>,
}

/// A network address translator on the client's side: when the port that the server sees changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nat {
    /// Times at which the binding changes, ascending, in ms since the path's start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rebind_at_ms: Vec<f64>,
    /// A binding that the client has not used for so long is gone. Above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<f64>,
}

/// A trace by its name, and its data once loaded. Two are equal when their names are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TraceRef {
    /// The file's name.
    pub name: String,
    /// What was in it.
    pub data: Option<Arc<Trace>>,
}

impl From<String> for TraceRef {
    fn from(name: String) -> Self {
        TraceRef { name, data: None }
    }
}

impl From<TraceRef> for String {
    fn from(trace: TraceRef) -> Self {
        trace.name
    }
}

impl From<Trace> for TraceRef {
    fn from(trace: Trace) -> Self {
        TraceRef { name: String::new(), data: Some(Arc::new(trace)) }
    }
}

impl PartialEq for TraceRef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
