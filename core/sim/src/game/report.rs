//! What a match came to: by kind of traffic, over all players.

use std::fmt;

use cc_engine::{SessionId, Time, TrackId};

use super::message::Message;
use super::Player;
use crate::histogram::Histogram;
use crate::world::World;

/// One kind of traffic, one way, as its senders and readers counted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Frames or messages sent.
    pub sent: u64,
    /// Frames or messages that came, the first time each.
    pub delivered: u64,
    /// Came again, or after a later one.
    pub out_of_turn: u64,
    /// Came again because the publisher's session was another: to the relay's own subscription its tracks are then
    /// new ones, and text begins with all that the publisher still holds. Not counted as out of turn.
    pub replayed: u64,
    /// From send to delivery, microseconds, of those delivered in turn.
    pub latency: Histogram,
}

impl Flow {
    /// Takes what came: `source` tells one life of a track from another.
    pub(super) fn take(&mut self, message: Message, place: &mut Place, source: (u32, TrackId), now: Time) {
        let Place { next, seen_in } = place;
        if message.number >= *next {
            *next = message.number + 1;
            *seen_in = Some(source);
            self.delivered += 1;
            self.latency.add(now.saturating_sub(message.sent));
        } else if seen_in.is_some_and(|seen| seen != source) {
            self.replayed += 1;
        } else {
            self.out_of_turn += 1;
        }
    }

    fn add(&mut self, other: &Flow) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.out_of_turn += other.out_of_turn;
        self.replayed += other.replayed;
        self.latency.merge(&other.latency);
    }

    /// Whether each that was sent came, once and in order but for replays.
    pub fn complete(&self) -> bool {
        self.delivered == self.sent && self.out_of_turn == 0
    }
}

/// How far a reader is in one kind of traffic of one client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The number after the highest that came.
    next: u64,
    /// Where that came from.
    seen_in: Option<(u32, TrackId)>,
}

/// What a player saw of its own connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ups {
    /// Peer ids, one a time the link came up.
    pub(super) peers: Vec<String>,
    pub(super) downs: u64,
    pub(super) closed: u64,
}

/// What the host saw of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    pub(super) up: Vec<(SessionId, bool)>,
    pub(super) downs: u64,
}

/// What a match came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Client to host, datagrams.
    pub input: Flow,
    /// Host to client, datagrams.
    pub state: Flow,
    /// Client to host, Text.
    pub chat_up: Flow,
    /// Host to client, Text.
    pub chat_down: Flow,
    /// Clients whose link came up at least once.
    pub joined: u64,
    /// Times that a client's link was lost.
    pub link_downs: u64,
    /// Times that a client's link came up again.
    pub comebacks: u64,
    /// Links that ended for good.
    pub link_ends: u64,
    /// Clients that were given another peer id when they came back.
    pub strangers: u64,
    /// Sessions that the host admitted, and of them those of peers that it knew.
    pub sessions: (u64, u64),
    /// Sessions that ended.
    pub session_downs: u64,
    /// Payloads that were not what their sender wrote, or another's.
    pub damaged: u64,
}

impl Report {
    /// Reads a match's world.
    pub fn of(world: &World<Player>) -> Report {
        let mut all = Report::default();
        for player in world.apps() {
            match player {
                Player::Host(host) => {
                    all.state.sent += host.state_sent.iter().sum::<u64>();
                    all.chat_down.sent += host.chat_sent.iter().sum::<u64>();
                    all.input.add(&host.input);
                    all.chat_up.add(&host.chat);
                    let known = host.sessions.up.iter().filter(|(_, resumed)| *resumed).count();
                    all.sessions.0 += host.sessions.up.len() as u64;
                    all.sessions.1 += known as u64;
                    all.session_downs += host.sessions.downs;
                    all.damaged += host.damaged;
                }
                Player::Client(client) => {
                    all.input.sent += client.input_sent;
                    all.chat_up.sent += client.chat_sent;
                    all.state.add(&client.state);
                    all.chat_down.add(&client.chat);
                    let ups = &client.ups;
                    all.joined += u64::from(!ups.peers.is_empty());
                    all.comebacks += ups.peers.len().saturating_sub(1) as u64;
                    all.link_downs += ups.downs;
                    all.link_ends += ups.closed;
                    all.strangers += u64::from(ups.peers.iter().any(|peer| *peer != ups.peers[0]));
                    all.damaged += client.damaged;
                }
            }
        }
        all
    }

    /// The four kinds of traffic with their names.
    pub fn flows(&self) -> [(&'static str, &Flow); 4] {
        [("input", &self.input), ("state", &self.state), ("chat up", &self.chat_up), ("chat down", &self.chat_down)]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>9} {:>9} {:>8} {:>10} {:>9} {:>9}",
            "kind", "sent", "delivered", "%", "out of turn", "p50 ms", "p99 ms"
        )?;
        for (name, flow) in self.flows() {
            let share = 100.0 * flow.delivered as f64 / flow.sent.max(1) as f64;
            let [p50, p99] = [0.5, 0.99].map(|share| flow.latency.quantile(share) as f64 / 1000.0);
            let Flow { sent, delivered, out_of_turn, .. } = flow;
            writeln!(f, "{name:<10} {sent:>9} {delivered:>9} {share:>8.2} {out_of_turn:>10} {p50:>9.1} {p99:>9.1}")?;
        }
        let Report { joined, link_downs, comebacks, strangers, .. } = self;
        write!(f, "joined {joined}, links lost {link_downs}, come back {comebacks}, as somebody else {strangers}")
    }
}
