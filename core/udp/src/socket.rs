//! The socket: one face over the Linux and the portable implementation.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::error::BindError;
use crate::types::{plain, Capabilities, Received, SocketOptions, Stats, Transmit};
use crate::{fallback, sys, RecvBuffer};

/// A non-blocking UDP socket. Usable from several threads at once, though each
/// shard owns one.
pub struct Socket {
    inner: Inner,
    buffers: sys::Buffers,
    asked: SocketOptions,
}

enum Inner {
    #[cfg(target_os = "linux")]
    Linux(crate::linux::Socket),
    Portable(fallback::Socket),
}

/// Calls the same method on whichever implementation is in use.
macro_rules! each {
    ($socket:expr, $s:ident => $call:expr) => {
        match &$socket.inner {
            #[cfg(target_os = "linux")]
            Inner::Linux($s) => $call,
            Inner::Portable($s) => $call,
        }
    };
}

impl Socket {
    /// Opens a socket on `addr`; port 0 takes any free one. `[::]` takes IPv4
    /// too, unless [`SocketOptions::only_v6`].
    ///
    /// # Errors
    /// [`BindError`] names the cause. A buffer size or an ability that the
    /// system does not give is no error: see [`Socket::degraded`].
    pub fn bind(addr: SocketAddr, options: &SocketOptions) -> Result<Socket, BindError> {
        let (udp, buffers) = sys::open(addr, options).map_err(|source| BindError::new(addr, source))?;
        Ok(Socket { inner: Inner::new(udp, addr.is_ipv6(), options.force_portable), buffers, asked: options.clone() })
    }

    /// The address and port in use.
    ///
    /// # Errors
    /// The operating system's, for a socket it no longer knows.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp().local_addr().map(plain)
    }

    /// The descriptor, for steering programs. It stays this socket's own.
    #[cfg(unix)]
    pub fn raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(self.udp())
    }

    /// What this socket can do at the moment.
    pub fn capabilities(&self) -> Capabilities {
        each!(self, s => s.capabilities())
    }

    /// A line for each thing lost, with how to get it back. Empty when all is
    /// as asked.
    pub fn degraded(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let sizes = [
            ("receive", self.asked.recv_buffer, self.buffers.recv, "rmem_max"),
            ("send", self.asked.send_buffer, self.buffers.send, "wmem_max"),
        ];
        for (which, asked, got, key) in sizes {
            if got < asked {
                let remedy = if cfg!(target_os = "linux") {
                    format!("sysctl -w net.core.{key}={asked}")
                } else {
                    "raise the system's limit on socket buffers".to_owned()
                };
                lines.push(format!("UDP {which} buffer is {got} bytes, {asked} were asked: {remedy}"));
            }
        }
        let has = self.capabilities();
        if self.is_portable() {
            let why = if cfg!(target_os = "linux") {
                "the portable path was asked for: leave force_portable off"
            } else {
                "this platform's portable path is in use: run the server on Linux"
            };
            lines.push(format!("one datagram a system call, no ECN and no local address a packet: {why}"));
        } else {
            let lost = [
                (has.gso == 1, "sends are not segmented by the kernel (GSO): needs Linux 4.18 or newer and a device that takes it"),
                (has.gro == 1, "receives are not joined by the kernel (GRO): needs Linux 5.0 or newer"),
                (!has.ecn, "ECN marks are not reported: the kernel refuses IP_RECVTOS or IPV6_RECVTCLASS; allow setsockopt in the sandbox"),
                (!has.pktinfo, "local addresses are not reported, replies may leave from another one: bind one address instead of a wildcard"),
            ];
            lines.extend(lost.iter().filter(|l| l.0).map(|l| l.1.to_owned()));
        }
        if !has.dont_fragment {
            lines.push(
                "datagrams may be fragmented on the way: the system refuses the don't-fragment option, keep the path MTU at 1200"
                    .to_owned(),
            );
        }
        lines
    }

    /// Datagrams dropped at this socket, by reason.
    pub fn stats(&self) -> Stats {
        each!(self, s => s.counters().read())
    }

    /// Sends transmits in order, and returns how many of `batch` were taken:
    /// pass the rest again once the socket is writable. A datagram that the
    /// network refuses (too large, no route) counts as taken, and in
    /// [`stats`](Socket::stats). If the socket fills up amid a train that the
    /// kernel does not cut by itself, the train is not taken, and some of its
    /// datagrams go out twice when it is passed again.
    ///
    /// # Errors
    /// `WouldBlock` when none was taken; others mean that the socket is
    /// unusable.
    pub fn send(&self, batch: &[Transmit<'_>]) -> io::Result<usize> {
        each!(self, s => s.send(batch))
    }

    /// Receives what has arrived, with one system call, into `buffer`, and
    /// hands each datagram to `each` in order. Returns how many there were.
    ///
    /// # Errors
    /// `WouldBlock` when there was none; others mean that the socket is
    /// unusable. A peer's ICMP refusals are not reported.
    pub fn recv(&self, buffer: &mut RecvBuffer, each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        each!(self, s => s.recv(buffer, each))
    }

    pub(crate) fn udp(&self) -> &UdpSocket {
        each!(self, s => s.udp())
    }

    fn is_portable(&self) -> bool {
        matches!(self.inner, Inner::Portable(_))
    }
}

impl Inner {
    fn new(udp: UdpSocket, is_v6: bool, force_portable: bool) -> Inner {
        #[cfg(target_os = "linux")]
        if !force_portable {
            return Inner::Linux(crate::linux::Socket::new(udp, is_v6));
        }
        let _ = force_portable;
        Inner::Portable(fallback::Socket::new(udp, is_v6))
    }
}
