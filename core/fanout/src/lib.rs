//! Fan-out: who gets an object, and in what order it leaves.
//!
//! Three parts, all pure: no clock, no I/O, no randomness. Time is passed in, and the same
//! calls give the same answers, in the same order, every time.
//!
//! - [`queue`]: what one session has yet to send: priorities, deadlines, conflation, bounds.
//! - [`directory`]: names, capabilities and namespace prefixes: which watcher wants which track,
//!   and [`Scope`](directory::Scope), what a session may name.
//! - [`fragments`]: a frame larger than a datagram, split by its publisher and joined at the end.
//!
//! It holds no policy and no payload cache, and it knows nothing of connections.
#![forbid(unsafe_code)]

pub mod directory;
pub mod fragments;
mod heap;
pub mod queue;
mod slab;

pub use heap::IdHeap;

/// A moment, in microseconds since a start that the caller chooses.
pub type Time = u64;
