//! A network that behaves badly, the same way every time.
//!
//! Pure: time is passed in, randomness comes from a seed, and there is no clock, thread, socket or file. A simulated
//! world and a UDP proxy use the same model, on whole packets from a connection's first.
//!
//! - [`Pipe`]: one direction of one path: MTU, queue, rate, outages, loss, damage, copies, delay, jitter, reordering.
//! - [`Path`]: both directions between a client and a server, and the client's NAT.
//! - [`Network`]: paths between named nodes, one seed.
//! - [`Config`] and [`Profile`]: what they do, as data; [`Trace`]: recorded links.
//!
//! Absent: ECN beyond CoDel's marks (and those only on payloads that carry ECN's bits: see [`Payload::mark`]),
//! routing, and links that several paths share.
#![forbid(unsafe_code)]

pub mod config;
mod count;
mod curve;
mod draw;
mod link;
mod network;
mod path;
mod payload;
mod pipe;
mod plan;
mod profile;
mod queue;
mod trace;

pub use config::Config;
pub use count::{Cause, Counters, Event, Fate, Histogram, BUCKETS, MAX_EVENTS};
pub use network::{Address, Arrival, Network, NetworkError, Node, MAX_NODES};
pub use path::{Direction, Path, PathPlan, Received};
pub use payload::{Opaque, Payload};
pub use pipe::{Delivery, Pipe, Verdict, MAX_BYTES, MAX_PACKETS};
pub use plan::{Invalid, NatPlan, Plan};
pub use profile::{Profile, ProfileError, MAX_PROFILE};
pub use trace::{Opportunities, Row, Table, Trace, TraceError, MAX_LINES, OPPORTUNITY};

/// A moment, in microseconds since a start that the caller chooses.
pub type Time = u64;

/// Microseconds in a millisecond.
pub(crate) const MILLISECOND: Time = 1000;
