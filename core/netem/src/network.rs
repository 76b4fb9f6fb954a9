//! Paths between named nodes, from one seed.
//!
//! [`send`](Network::send) packets, call [`pop`](Network::pop) until it gives nothing, again when
//! [`next_timeout`](Network::next_timeout) has come. The same seed, names, profiles and packets at the same times
//! give the same events. What befalls a pair of nodes does not depend on which others there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;

use crate::path::{Direction, Path, PathPlan};
use crate::pipe::{Delivery, Verdict};
use crate::{Counters, Payload, Time};

/// The most nodes in a network.
pub const MAX_NODES: usize = 65_536;

/// A node, by its place in the order of adding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

/// Where a packet is from or for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The node.
    pub node: Node,
    /// Its port as seen from the other end: 0, unless a NAT gave it another one.
    pub binding: u32,
}

impl From<Node> for Address {
    fn from(node: Node) -> Address {
        Address { node, binding: 0 }
    }
}

/// A packet at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival<P> {
    /// Its sender, where an answer goes.
    pub from: Address,
    /// Its receiver.
    pub to: Node,
    /// The packet.
    pub packet: Delivery<P>,
}

/// A caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkError {
    /// There is a node of this name.
    NameTaken(String),
    /// There are as many nodes as there may be.
    Full,
    /// The pair is connected already, one way or the other.
    Connected(Node, Node),
    /// The pair is not connected.
    NotConnected(Node, Node),
    /// No such node in this network, or a node to itself.
    NoSuchPair(Node, Node),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkError::NameTaken(name) => write!(f, "a node is already called `{name}`"),
            NetworkError::Full => write!(f, "a network has at most {MAX_NODES} nodes"),
            NetworkError::Connected(a, b) => write!(f, "nodes {} and {} are already connected", a.0, b.0),
            NetworkError::NotConnected(a, b) => write!(f, "nodes {} and {} are not connected", a.0, b.0),
            NetworkError::NoSuchPair(a, b) => write!(f, "{} and {} are no two nodes of this network", a.0, b.0),
        }
    }
}

impl std::error::Error for NetworkError {}

/// Nodes and the paths between them.
#[derive(Debug)]
pub struct Network<P> {
    seed: u64,
    names: Vec<String>,
    by_name: BTreeMap<String, Node>,
    /// By (client, server).
    paths: BTreeMap<(Node, Node), Path<P>>,
    /// When each path is next due.
    agenda: BTreeSet<(Time, Node, Node)>,
    keep: bool,
}

impl<P: Payload> Network<P> {
    /// An empty network. Every decision in it follows from `seed`.
    pub fn new(seed: u64) -> Network<P> {
        Network {
            seed,
            names: Vec::new(),
            by_name: BTreeMap::new(),
            paths: BTreeMap::new(),
            agenda: BTreeSet::new(),
            keep: false,
        }
    }

    /// Adds a node.
    pub fn add(&mut self, name: &str) -> Result<Node, NetworkError> {
        if self.by_name.contains_key(name) {
            return Err(NetworkError::NameTaken(name.to_owned()));
        }
        if self.names.len() == MAX_NODES {
            return Err(NetworkError::Full);
        }
        let node = Node(self.names.len());
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), node);
        Ok(node)
    }

    /// The node called `name`.
    pub fn node(&self, name: &str) -> Option<Node> {
        self.by_name.get(name).copied()
    }

    /// A node's name; None for another network's node.
    pub fn name(&self, node: Node) -> Option<&str> {
        self.names.get(node.0).map(String::as_str)
    }

    /// Puts a path between `client`, whose NAT it is, and `server`. The plan's times count from `now`.
    pub fn connect(&mut self, now: Time, client: Node, server: Node, plan: &PathPlan) -> Result<(), NetworkError> {
        let (Some(from), Some(to)) = (self.name(client), self.name(server)) else {
            return Err(NetworkError::NoSuchPair(client, server));
        };
        if client == server {
            return Err(NetworkError::NoSuchPair(client, server));
        }
        if self.key(client, server).is_some() {
            return Err(NetworkError::Connected(client, server));
        }
        // Lengths keep ("a", "b>c") and ("a>b", "c") apart.
        let name = format!("{}:{from}>{to}", from.len());
        let mut path = Path::new(plan, self.seed, &name, now);
        path.keep_events(self.keep);
        self.paths.insert((client, server), path);
        Ok(())
    }

    /// Changes a pair's path from `now` on; see [`Path::set_plan`].
    pub fn set_plan(&mut self, now: Time, a: Node, b: Node, plan: &PathPlan) -> Result<(), NetworkError> {
        self.with(a, b, |path, _| path.set_plan(now, plan))
    }

    /// Removes a pair's path, and the packets on it.
    pub fn disconnect(&mut self, a: Node, b: Node) -> Result<(), NetworkError> {
        self.with(a, b, |_, _| ())?;
        if let Some(key) = self.key(a, b) {
            if let Some(at) = self.paths.remove(&key).and_then(|path| path.next_timeout()) {
                self.agenda.remove(&(at, key.0, key.1));
            }
        }
        Ok(())
    }

    /// Sends a packet from `from` to an address: a server by its node, a client by the address it was heard from.
    pub fn send(&mut self, now: Time, from: Node, to: Address, payload: P) -> Result<Verdict, NetworkError> {
        self.with(from, to.node, |path, client| match client == from {
            true => path.push_up(now, payload),
            false => path.push_down(now, to.binding, payload),
        })
    }

    /// The next packet that has arrived by `now`: by time, then by the nodes' order.
    pub fn pop(&mut self, now: Time) -> Option<Arrival<P>> {
        loop {
            let &(at, client, server) = self.agenda.first().filter(|first| first.0 <= now)?;
            self.agenda.pop_first();
            let path = self.paths.get_mut(&(client, server))?;
            let received = path.pop(at);
            if let Some(next) = path.next_timeout() {
                self.agenda.insert((next, client, server));
            }
            let Some(received) = received else { continue };
            let (from, to) = match received.direction {
                Direction::Up => (Address { node: client, binding: received.binding }, server),
                Direction::Down => (server.into(), client),
            };
            return Some(Arrival { from, to, packet: received.packet });
        }
    }

    /// When to call `pop` next; None: not before the next `send`.
    pub fn next_timeout(&self) -> Option<Time> {
        self.agenda.first().map(|first| first.0)
    }

    /// What one direction of a pair's path did: the one from `from` to `to`.
    pub fn counters(&self, from: Node, to: Node) -> Result<&Counters, NetworkError> {
        let key = self.key(from, to).ok_or(NetworkError::NotConnected(from, to))?;
        let direction = if key.0 == from { Direction::Up } else { Direction::Down };
        Ok(self.paths[&key].counters(direction))
    }

    /// Keeps events of all paths from now on, or none; as [`Pipe::keep_events`](crate::Pipe::keep_events).
    pub fn keep_events(&mut self, keep: bool) {
        self.keep = keep;
        self.paths.values_mut().for_each(|path| path.keep_events(keep));
    }

    /// All kept events as text, a line each, path by path.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for (&(client, server), path) in &self.paths {
            for (direction, from, to) in [(Direction::Up, client, server), (Direction::Down, server, client)] {
                for event in path.events(direction) {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{}>{} {event}", self.names[from.0], self.names[to.0]);
                }
            }
        }
        text
    }

    /// A digest of every event on every path, kept or not: two runs that agree in it went alike.
    pub fn digest(&self) -> u64 {
        self.paths.values().fold(0, |digest, path| {
            let both = path.digest(Direction::Up).rotate_left(1) ^ path.digest(Direction::Down);
            digest.rotate_left(5).wrapping_mul(0x0000_0100_0000_01B3) ^ both
        })
    }

    fn key(&self, a: Node, b: Node) -> Option<(Node, Node)> {
        [(a, b), (b, a)].into_iter().find(|key| self.paths.contains_key(key))
    }

    /// Does something with a pair's path and its client, and keeps the agenda right.
    fn with<T>(&mut self, a: Node, b: Node, act: impl FnOnce(&mut Path<P>, Node) -> T) -> Result<T, NetworkError> {
        let key = self.key(a, b).ok_or(NetworkError::NotConnected(a, b))?;
        let path = self.paths.get_mut(&key).ok_or(NetworkError::NotConnected(a, b))?;
        let before = path.next_timeout();
        let done = act(path, key.0);
        let after = path.next_timeout();
        if before != after {
            before.map(|at| self.agenda.remove(&(at, key.0, key.1)));
            after.map(|at| self.agenda.insert((at, key.0, key.1)));
        }
        Ok(done)
    }
}
