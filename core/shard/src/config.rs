//! How a node is opened, and what its calls can fail with.

use std::net::SocketAddr;
use std::{fmt, io};

use cc_engine::{Config, ConfigError};
use cc_udp::{BindError, SocketOptions};

/// Who drives a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drive {
    /// A thread of its own, on the machine's clock.
    #[default]
    Thread,
    /// The caller, by [`Node::drive`](crate::Node::drive), on the caller's clock.
    Caller,
}

/// How to open a node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where the socket is bound; port 0 takes any free one.
    pub bind: SocketAddr,
    /// The socket's options.
    pub socket: SocketOptions,
    /// The engine's configuration. The node itself fills in `epoch`, `unix_us` and `max_segments`.
    pub engine: Config,
    /// Who drives it.
    pub drive: Drive,
    /// Threads that serve the port, each a shard with a socket and an engine of its own: 1 to
    /// [`cc_udp::MAX_SHARDS`]. Several need [`Drive::Thread`].
    pub shards: usize,
}

/// Why a node could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The socket: in use, not permitted, not this machine's.
    Bind(BindError),
    /// The engine's configuration.
    Config(ConfigError),
    /// The machine: descriptors or threads ran out.
    Io(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Bind(e) => e.fmt(f),
            OpenError::Config(e) => e.fmt(f),
            OpenError::Io(e) => write!(
                f,
                "the system gave no thread or descriptor for the node: {e}: allow the process more files (ulimit -n) or threads (ulimit -u)"
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a call on a node failed; in every case the caller's mistake or its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeError {
    /// The node was closed, or its thread failed.
    Closed,
    /// Too many orders wait; the node is not driven, or not fast enough.
    Full,
    /// Not for a node that is driven like this one.
    WrongDrive,
    /// There is no such link, session, publication or subscription any more.
    Unknown,
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeError::Closed => "the node is closed: open a new one",
            NodeError::Full => "too many orders wait for the node: drive it more often, or send less",
            NodeError::WrongDrive => "the node has a thread of its own: open it THREADLESS to drive it",
            NodeError::Unknown => "the node does not know it any more: it has ended",
        })
    }
}

impl std::error::Error for NodeError {}
