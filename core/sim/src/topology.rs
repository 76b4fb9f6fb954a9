//! A world as data: its nodes, the paths between them, and the options that hold for all.

use std::fmt;
use std::sync::Arc;

use cc_engine::{ConfigError, Congestion, Limits, Time};
use cc_netem::{Config, Invalid, NatPlan, PathPlan, Plan};
use cc_wire::Profile;

/// A node, by its place in [`Topology::nodes`].
pub type NodeId = usize;
/// A path, by its place in [`Topology::paths`].
pub type PathId = usize;

/// What a node's engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Accepts sessions, and may dial too. Everyone is admitted.
    Relay,
    /// Only dials.
    Client,
}

/// An application's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Ticks a second, 1..=1,000,000. They are at whole fractions of a second: no error adds up.
    pub hz: u32,
    /// When the first is, microseconds after the node's start. None: drawn within the first period.
    pub first: Option<Time>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Its name, unique: seeds follow from it, so adding a node changes no other's.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its application's rate; none: it only hears events and frames.
    pub tick: Option<Tick>,
    /// Its engine's congestion control; none: the world's.
    pub congestion: Option<Congestion>,
}

/// One path: who dials over it, to whom, and what it does. Nodes that stand `beside` its client share all of it, as
/// those of one household do: rate, queue, outages, NAT. At most one path a pair.
#[derive(Debug, Clone)]
pub struct PathSpec {
    /// The end that dials; behind the plan's NAT, if it has one.
    pub client: NodeId,
    /// Others that dial over it.
    pub beside: Vec<NodeId>,
    /// The end that is dialled: a relay.
    pub server: NodeId,
    /// What befalls packets; its times count from the world's start.
    pub plan: PathPlan,
}

/// Nodes and paths.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// At most 65,536.
    pub nodes: Vec<NodeSpec>,
    /// Between them.
    pub paths: Vec<PathSpec>,
}

/// What protects connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Crypto {
    /// Nothing: see [`null`](crate::null). Runs repeat exactly.
    #[default]
    Null,
    /// TLS 1.3, as on a real network. Runs repeat in kind, not in bytes.
    Tls,
}

/// What holds for a whole world.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where all randomness comes from.
    pub seed: u64,
    /// What protects connections.
    pub crypto: Crypto,
    /// Whether the log's lines are kept: about 60 bytes a packet.
    pub keep_log: bool,
    /// Drafts spoken, best first.
    pub profiles: Vec<Profile>,
    /// As the engine's.
    pub idle_timeout: Time,
    /// As the engine's.
    pub keep_alive: Time,
    /// As the engine's, of every node that has none of its own.
    pub congestion: Congestion,
    /// Whether a world may have nodes with BBR, whose random draws are its own: two runs then differ.
    pub unrepeatable: bool,
    /// As the engine's.
    pub limits: Limits,
    /// Most datagrams in one transmit.
    pub max_segments: usize,
    /// Deliveries that wait for a paused application; what comes beyond is dropped and logged.
    pub inbox: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            crypto: Crypto::Null,
            keep_log: false,
            profiles: Profile::PREFERRED.to_vec(),
            idle_timeout: 30_000_000,
            keep_alive: 5_000_000,
            congestion: Congestion::Realtime,
            unrepeatable: false,
            limits: Limits::default(),
            max_segments: 10,
            inbox: 65_536,
        }
    }
}

/// A path that does the same both ways, with no NAT.
///
/// # Errors
/// A value that cannot be.
pub fn path(config: &Config) -> Result<PathPlan, Invalid> {
    let plan = Arc::new(Plan::new(config)?);
    let nat: Option<Arc<NatPlan>> = None;
    Ok(PathPlan { up: plan.clone(), down: plan, nat })
}

/// Why a world can't be made or changed: always the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorldError {
    /// The topology or an option makes no sense: what, and what it must be.
    Invalid(String),
    /// A node's engine refuses its configuration.
    Engine(ConfigError),
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorldError::Invalid(what) => f.write_str(what),
            WorldError::Engine(error) => write!(f, "engine: {error}"),
        }
    }
}

impl std::error::Error for WorldError {}

impl From<ConfigError> for WorldError {
    fn from(error: ConfigError) -> WorldError {
        WorldError::Engine(error)
    }
}

/// The most nodes: addresses and names stay short, and a table of pairs small.
const MAX_NODES: usize = 65_536;

impl PathSpec {
    /// All that dial over it.
    pub(crate) fn clients(&self) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::once(self.client).chain(self.beside.iter().copied())
    }
}

impl Topology {
    /// Looks for the first thing that cannot be.
    pub(crate) fn check(&self) -> Result<(), WorldError> {
        let invalid = |what: String| Err(WorldError::Invalid(what));
        if self.nodes.len() > MAX_NODES {
            return invalid(format!("{} nodes, must be at most {MAX_NODES}", self.nodes.len()));
        }
        let mut names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(format!("two nodes are called `{}`", twice[0]));
        }
        if let Some(node) = self.nodes.iter().find(|node| node.tick.is_some_and(|t| !(1..=1_000_000).contains(&t.hz))) {
            return invalid(format!("node `{}` ticks at a rate beyond 1..=1,000,000 Hz", node.name));
        }
        let mut pairs = Vec::with_capacity(self.paths.len());
        for (at, path) in self.paths.iter().enumerate() {
            for client in path.clients() {
                let (Some(near), Some(server)) = (self.nodes.get(client), self.nodes.get(path.server)) else {
                    return invalid(format!("path {at} ends at a node that is not there"));
                };
                if client == path.server {
                    return invalid(format!("path {at} goes from `{}` to itself", near.name));
                }
                if server.role != Role::Relay {
                    return invalid(format!("path {at} leads to `{}`, which is no relay", server.name));
                }
                pairs.push((client.min(path.server), client.max(path.server)));
            }
        }
        pairs.sort_unstable();
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0] == pair[1]) {
            let (a, b) = twice[0];
            return invalid(format!("two paths between `{}` and `{}`", self.nodes[a].name, self.nodes[b].name));
        }
        Ok(())
    }
}
