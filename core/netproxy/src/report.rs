//! Lines on standard output, a JSON object each, by `type`:
//! - `ready`, once: the address in use, the profile and the seed;
//! - `stats`, each second, when asked for, and at the end: totals since the start, over all clients;
//! - `answer` to each command, with `error` if it was refused;
//! - `notice`: something that a person should know.

use std::io::{self, Write};
use std::net::SocketAddr;

use cc_netem::{Cause, Counters, Time};
use serde_json::{json, Map, Value};

use crate::spread::Spread;

/// What befell packets outside the model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Dropped on arrival, because of `pause`.
    pub paused: u64,
    /// From addresses beyond the bound on clients.
    pub turned_away: u64,
    /// No memory or socket for them.
    pub no_room: u64,
    /// The target's host refused them, as told by ICMP.
    pub refused: u64,
    /// The operating system did not take them.
    pub unsent: u64,
    /// Were under way when their client was forgotten.
    pub abandoned: u64,
    /// Came for a port that `rebind` has ended.
    pub rebound: u64,
}

/// How much later than due packets left since the last line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Late {
    count: u64,
    sum: Time,
    max: Time,
}

impl Late {
    /// One left `by` microseconds late.
    pub fn add(&mut self, by: Time) {
        self.count += 1;
        self.sum += by;
        self.max = self.max.max(by);
    }
}

/// From a packet's arrival until it was due at the other end, of each delivered packet.
#[derive(Debug, Default)]
pub struct Delays {
    /// From the clients.
    pub up: Spread,
    /// To them.
    pub down: Spread,
}

/// One direction of all clients together.
#[derive(Debug, Clone, Default)]
pub struct Total {
    counters: Counters,
    waiting: (u64, u64),
}

impl Total {
    /// Adds one client's, with the packets and bytes that wait for its bottleneck.
    pub fn add(&mut self, counters: &Counters, waiting: (usize, u64)) {
        let own = &mut self.counters;
        own.pushed += counters.pushed;
        own.pushed_bytes += counters.pushed_bytes;
        own.delivered += counters.delivered;
        own.delivered_bytes += counters.delivered_bytes;
        own.queued += counters.queued;
        own.queue_peak_bytes = own.queue_peak_bytes.max(counters.queue_peak_bytes);
        own.duplicated += counters.duplicated;
        own.corrupted += counters.corrupted;
        own.reordered += counters.reordered;
        own.lost.iter_mut().zip(counters.lost).for_each(|(own, lost)| *own += lost);
        self.waiting.0 += waiting.0 as u64;
        self.waiting.1 += waiting.1;
    }

    fn json(&self, delay: &Spread) -> Value {
        let own = &self.counters;
        let lost: Map<String, Value> =
            Cause::ALL.iter().map(|&cause| (cause.name().to_owned(), own.lost(cause).into())).collect();
        json!({
            "packets": own.pushed, "bytes": own.pushed_bytes,
            "delivered": own.delivered, "delivered_bytes": own.delivered_bytes,
            "lost": lost, "duplicated": own.duplicated, "corrupted": own.corrupted, "reordered": own.reordered,
            "queued": own.queued, "queue_peak_bytes": own.queue_peak_bytes,
            "waiting_packets": self.waiting.0, "waiting_bytes": self.waiting.1,
            "inside": inside(own), "delay": delay.json(),
        })
    }
}

/// Packets that are under way.
pub fn inside(counters: &Counters) -> u64 {
    (counters.pushed + counters.duplicated).saturating_sub(counters.delivered + counters.lost_in_all())
}

/// All that a line of figures tells.
pub struct Stats<'a> {
    /// Since the start, in microseconds.
    pub at: Time,
    /// In force.
    pub profile: &'a str,
    /// Whether nothing passes.
    pub paused: bool,
    /// Clients now, and ever.
    pub clients: (usize, u64),
    /// From the clients.
    pub up: &'a Total,
    /// To them.
    pub down: &'a Total,
    /// Of all delivered packets.
    pub delays: &'a Delays,
    /// Outside the model.
    pub tally: Tally,
    /// Since the last line.
    pub late: Late,
    /// Whether it is the last line.
    pub last: bool,
}

/// The proxy is up.
pub fn ready(listen: SocketAddr, target: SocketAddr, profile: &str, seed: u64) -> io::Result<()> {
    say(&json!({
        "type": "ready", "listen": listen.to_string(), "target": target.to_string(),
        "profile": profile, "seed": seed,
    }))
}

/// Figures.
pub fn stats(stats: &Stats<'_>) -> io::Result<()> {
    let Stats { tally, late, .. } = stats;
    say(&json!({
        "type": "stats", "at_us": stats.at, "profile": stats.profile, "paused": stats.paused, "last": stats.last,
        "clients": stats.clients.0, "clients_ever": stats.clients.1,
        "up": stats.up.json(&stats.delays.up), "down": stats.down.json(&stats.delays.down),
        "outside": {
            "paused": tally.paused, "turned_away": tally.turned_away, "no_room": tally.no_room,
            "refused": tally.refused, "unsent": tally.unsent, "abandoned": tally.abandoned, "rebound": tally.rebound,
        },
        "late": {"packets": late.count, "mean_us": late.sum / late.count.max(1), "max_us": late.max},
    }))
}

/// What became of a command.
pub fn answer(command: &str, error: Option<&str>) -> io::Result<()> {
    say(&json!({"type": "answer", "command": command, "error": error}))
}

/// Something that a person should know.
pub fn notice(text: &str) -> io::Result<()> {
    say(&json!({"type": "notice", "text": text}))
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
