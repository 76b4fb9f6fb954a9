//! UDP sockets for the shards: the only crate that makes system calls.
//!
//! One face, two implementations. On Linux a call moves a batch: `sendmmsg`
//! with segmentation offload (GSO), `recvmmsg` with coalescing (GRO), and with
//! each packet its ECN mark and local address. Elsewhere, and on Linux when
//! [`SocketOptions::force_portable`] is set, a call moves one datagram
//! (`fallback.rs`). What the platform or the kernel does not give is listed by
//! [`Socket::capabilities`] and, as advice to an operator, by
//! [`Socket::degraded`]; nothing else changes for the caller.
//!
//! Every socket is non-blocking: calls return
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock), and [`wait`] is the one
//! place that sleeps. Addresses are plain IPv4 or IPv6: a dual-stack socket's
//! `::ffff:a.b.c.d` never leaves this crate.
//!
//! Several sockets on one port, a shard each, are a [`Group`].

mod buffer;
mod error;
mod fallback;
mod socket;
mod steer;
mod types;
mod wait;

#[cfg(target_os = "linux")]
mod addr;
#[cfg(target_os = "linux")]
mod cmsg;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(unix)]
#[path = "sys_unix.rs"]
mod sys;
#[cfg(windows)]
#[path = "sys_windows.rs"]
mod sys;

pub use buffer::RecvBuffer;
pub use error::BindError;
pub use socket::Socket;
pub use steer::{Group, GroupError, Steering, Way, MAX_SHARDS};
pub use types::{Capabilities, Ecn, Received, SocketOptions, Stats, Transmit};
pub use wait::{thread_cpu_time, wait, Interest, Ready, Waker};
