//! A thread that drives one engine: socket, clock, inbox, feeds.
//!
//! A [`Node`] is an [`Engine`](cc_engine::Engine) with one UDP socket. A thread of its own drives it, or the caller
//! does ([`Drive::Caller`]). Or it is several of them, shards, each with a thread and a socket on the same port
//! ([why so](../../../docs/decisions/005-shards.md)). The owner talks to it from any thread: orders go into an inbox and return at once, frames
//! and messages come out of a [`Feed`] a subscription, everything else out of one queue of [`NodeEvent`]s, and one
//! descriptor becomes readable when either has something new.
//!
//! Shards share no lock on the way of an object: what crosses between them lies in rings with one writer and one
//! reader. What the owner asks of a node goes to the shard that has the session, everything else to the first; all tell
//! the owner through one queue. Nothing is shared between nodes: no static, no registry.
//!
//! Every queue is bounded. Frames on their way in are bounded by their publication's `queue_bytes`, frames on their way
//! out by their feed's bytes, orders and events by number; what finds no room is counted and the caller is told.
#![forbid(unsafe_code)]

mod bell;
mod clock;
mod config;
mod crew;
mod feed;
mod inbox;
mod lines;
mod lock;
mod node;
mod outbox;
mod publication;
mod roster;
mod setting;
mod thread;
mod worker;

pub use bell::Ring;
pub use config::{Drive, NodeConfig, NodeError, OpenError};
pub use feed::{Feed, FeedStats, Record};
pub use node::{Node, NodeStats};
pub use outbox::NodeEvent;
pub use publication::{Fate, Frame, Publication};
pub use setting::{Fault, LastWords, Setting, Tap, Wires};
