//! A world of engines in virtual time: nodes, a network that behaves badly, and the same run from the same seed.
//!
//! Single-threaded, and nothing in it waits: an hour of a match takes as long as its work does. A [`World`] is made
//! from a [`Topology`] (nodes and the paths between them, as data), [`Options`] and an [`App`] a node: what a node's
//! application does. [`World::run`] lets virtual time pass; [`World::at`] plans a change in it: another network, a
//! kill, a restart, a pause.
//!
//! One seed decides everything: the engines' randomness, the network's, the applications' [`Rng`], tick phases.
//! With [`Crypto::Null`] two runs agree byte for byte, and their [`Log`]s say so; with [`Crypto::Tls`] the outcome is
//! the same kind of outcome, but key shares, signatures and tickets draw on the system's randomness.
//!
//! Absent: routing (a node speaks to the nodes it has a path to), CPU time (an engine's work takes none), and, unless
//! [`Options::unrepeatable`] allows it, quinn's BBR, which draws on randomness of its own.

#![forbid(unsafe_code)]

mod app;
pub mod game;
mod histogram;
mod log;
pub mod null;
mod random;
mod topology;
mod world;

pub use app::{App, Ctx};
pub use histogram::Histogram;
pub use log::{Label, Log, Record};
pub use random::{seed, seed_bytes, Rng};
pub use topology::{path, Crypto, NodeId, NodeSpec, Options, PathId, PathSpec, Role, Tick, Topology, WorldError};
pub use world::{Action, World};
