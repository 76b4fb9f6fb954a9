//! A match: one relay that is also the game's host, and clients that play on it, all of them native bots.
//!
//! | track | from, to | what |
//! |---|---|---|
//! | `match/up/<client>` input | client, host | 64-byte datagram a tick, priority 16 |
//! | `match/down/<client>` state | host, that client | 400-byte datagram a tick, latest wins |
//! | `match/up/<client>` chat, `match/down/<client>` chat | both ways | reliable Text |
//!
//! Every payload carries its number and the time it was sent, so each reader counts what came, what came twice or out
//! of turn, and how late. [`Settings::build`] makes the world, [`Report::of`] reads it.

mod client;
mod host;
mod message;
mod report;

use bytes::Bytes;
use cc_engine::{Delivery, Event, Time, TrackConfig, TrackKind};
use cc_netem::PathPlan;
use cc_wire::{Namespace, TrackName};

use crate::app::{App, Ctx};
use crate::topology::{NodeId, NodeSpec, Options, PathSpec, Role, Tick, Topology, WorldError};
use crate::world::World;

pub use client::Client;
pub use host::Host;
pub use report::{Flow, Report};

/// The relay's node.
pub const HOST: NodeId = 0;

/// A match's settings. Client `i` is node `i + 1`, called `c<i>`, and its path is number `i`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Players, at most 10,000.
    pub clients: usize,
    /// Ticks a second.
    pub hz: u32,
    /// A Text message each way every so many ticks; 0: none.
    pub chat_every: u64,
    /// Bots play until then; later they only read. Microseconds.
    pub until: Time,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { clients: 16, hz: 60, chat_every: 30, until: 60_000_000 }
    }
}

impl Settings {
    /// The nodes, and a path of this plan from each client to the relay.
    pub fn topology(&self, plan: &PathPlan) -> Topology {
        let tick = Some(Tick { hz: self.hz, first: None });
        let mut topology = Topology {
            nodes: vec![NodeSpec { name: "host".into(), role: Role::Relay, tick, congestion: None }],
            paths: Vec::new(),
        };
        for client in 0..self.clients {
            topology.nodes.push(NodeSpec { name: format!("c{client}"), role: Role::Client, tick, congestion: None });
            topology.paths.push(PathSpec { client: client + 1, beside: Vec::new(), server: HOST, plan: plan.clone() });
        }
        topology
    }

    /// The world in which the match is played.
    ///
    /// # Errors
    /// [`WorldError`]: a setting or option that can't be.
    pub fn build(&self, options: Options, topology: &Topology) -> Result<World<Player>, WorldError> {
        if self.clients > 10_000 {
            return Err(WorldError::Invalid(format!("{} clients, must be at most 10,000", self.clients)));
        }
        if topology.nodes.len() != self.clients + 1 {
            return Err(WorldError::Invalid(format!("a match of {} clients has one node more", self.clients)));
        }
        let mut players = vec![Player::Host(Box::new(Host::new(self)?))];
        for client in 0..self.clients {
            players.push(Player::Client(Box::new(Client::new(self, client)?)));
        }
        let mut players = players.into_iter();
        // As many players were made as the topology has nodes.
        World::new(options, topology, |_, _| players.next().unwrap_or_else(|| unreachable!("a player a node")))
    }
}

/// A node's application in a match.
#[derive(Debug)]
pub enum Player {
    /// On the relay.
    Host(Box<Host>),
    /// Everybody else.
    Client(Box<Client>),
}

impl App for Player {
    fn start(&mut self, ctx: &mut Ctx<'_>) {
        match self {
            Player::Host(host) => host.start(ctx),
            Player::Client(client) => client.start(ctx),
        }
    }

    fn tick(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        match self {
            Player::Host(host) => host.tick(ctx, number),
            Player::Client(client) => client.tick(ctx, number),
        }
    }

    fn event(&mut self, ctx: &mut Ctx<'_>, event: &Event) {
        match self {
            Player::Host(host) => host.event(ctx, event),
            Player::Client(client) => client.event(ctx, event),
        }
    }

    fn frame(&mut self, ctx: &mut Ctx<'_>, frame: &Delivery) {
        match self {
            Player::Host(host) => host.frame(ctx, frame),
            Player::Client(client) => client.frame(ctx, frame),
        }
    }
}

/// `match/<way>/c<client>`, or `match/<way>` for all of them.
fn namespace(way: &'static str, client: Option<usize>) -> Result<Namespace, WorldError> {
    let fields = ["match".into(), way.into()].into_iter().chain(client.map(|client| format!("c{client}")));
    Namespace::new(fields.map(Bytes::from).collect()).map_err(named)
}

fn named(error: impl std::fmt::Display) -> WorldError {
    WorldError::Invalid(format!("no name for a track: {error}"))
}

/// The two tracks of one way of one client, as their publisher has them.
#[derive(Debug, Clone)]
struct Tracks {
    /// Input or state.
    frames: TrackConfig,
    chat: TrackConfig,
}

/// What a client's input is urgent by.
const INPUT_PRIORITY: u8 = 16;
/// Above the default, below inputs.
const STATE_PRIORITY: u8 = 64;
/// Later than chat is nothing.
const CHAT_PRIORITY: u8 = 200;

impl Tracks {
    fn up(client: usize) -> Result<Tracks, WorldError> {
        Tracks::new("up", client, "input", INPUT_PRIORITY, false)
    }

    fn down(client: usize) -> Result<Tracks, WorldError> {
        Tracks::new("down", client, "state", STATE_PRIORITY, true)
    }

    fn new(
        way: &'static str,
        client: usize,
        name: &'static str,
        priority: u8,
        latest_wins: bool,
    ) -> Result<Tracks, WorldError> {
        let namespace = namespace(way, Some(client))?;
        let track = |name: &'static str, kind| TrackName::new(namespace.clone(), name).map(|name| track(name, kind));
        let frames = track(name, TrackKind::FrameDatagram).map_err(named)?;
        let chat = track("chat", TrackKind::Text).map_err(named)?;
        Ok(Tracks {
            frames: TrackConfig { priority, latest_wins, object_timeout_ms: 1000, ..frames },
            chat: TrackConfig { priority: CHAT_PRIORITY, ..chat },
        })
    }
}

fn track(name: TrackName, kind: TrackKind) -> TrackConfig {
    TrackConfig {
        name,
        kind,
        capability: Bytes::new(),
        properties: Bytes::new(),
        priority: 128,
        latest_wins: false,
        datagram: false,
        microsecond_groups: false,
        ttl: None,
        object_timeout_ms: 0,
        subgroup_timeout_ms: 0,
        window_messages: 1024,
        queue_bytes: 1 << 20,
        token: None,
    }
}
