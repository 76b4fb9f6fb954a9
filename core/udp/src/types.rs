//! What goes into and comes out of a socket.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicU64, Ordering};

/// Explicit congestion notification mark (RFC 3168), the low two bits of the
/// IPv4 TOS or IPv6 traffic class byte. "Not ECT" (00) is `None` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ecn {
    /// ECN-capable transport 1 (01).
    Ect1 = 1,
    /// ECN-capable transport 0 (10), the mark that QUIC senders use.
    Ect0 = 2,
    /// Congestion experienced (11), set by the network.
    Ce = 3,
}

impl Ecn {
    /// The mark in a TOS or traffic class byte; `None` when it says Not-ECT.
    pub fn from_bits(byte: u8) -> Option<Ecn> {
        match byte & 0b11 {
            0b01 => Some(Ecn::Ect1),
            0b10 => Some(Ecn::Ect0),
            0b11 => Some(Ecn::Ce),
            _ => None,
        }
    }

    /// The two bits, 1 to 3.
    pub fn bits(self) -> u8 {
        self as u8
    }
}

/// One send: a datagram, or a train of equal datagrams to one destination.
#[derive(Debug, Clone, Copy)]
pub struct Transmit<'a> {
    /// Destination.
    pub to: SocketAddr,
    /// Source address to send from (a host with several); `None` leaves the
    /// choice to the routing table. Of the same family as `to`, else ignored.
    pub local: Option<IpAddr>,
    /// Mark for every datagram of the train.
    pub ecn: Option<Ecn>,
    /// Bytes a datagram: `payload` is cut into pieces of this size, the last
    /// one may be shorter. `None` or `Some(0)`: `payload` is one datagram.
    pub segment: Option<usize>,
    /// The bytes. One datagram holds at most 65,507 of them over IPv4.
    pub payload: &'a [u8],
}

impl Transmit<'_> {
    /// Bytes a datagram, never 0.
    pub(crate) fn step(&self) -> usize {
        match self.segment {
            None | Some(0) => self.payload.len().max(1),
            Some(n) => n,
        }
    }

    /// How many datagrams the payload makes; an empty payload is one.
    pub(crate) fn datagrams(&self) -> usize {
        self.payload.len().div_ceil(self.step()).max(1)
    }
}

/// One datagram as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Address of ours that it was sent to; `None` without
    /// [`Capabilities::pktinfo`].
    pub local: Option<IpAddr>,
    /// Its mark; `None` when unmarked or without [`Capabilities::ecn`].
    pub ecn: Option<Ecn>,
    /// The bytes, valid until the next receive into the same buffer.
    pub payload: &'a [u8],
}

/// How to open a socket.
#[derive(Debug, Clone, Default)]
pub struct SocketOptions {
    /// Kernel receive buffer in bytes; 0 keeps the system's default.
    pub recv_buffer: usize,
    /// Kernel send buffer in bytes; 0 keeps the system's default.
    pub send_buffer: usize,
    /// Several sockets may share the port (SO_REUSEPORT), a shard each.
    /// Refused with [`BindError::Other`](crate::BindError::Other) on Windows.
    pub reuse_port: bool,
    /// An IPv6 wildcard socket does not take IPv4.
    pub only_v6: bool,
    /// Use one datagram a call on Linux too.
    pub force_portable: bool,
}

/// What this socket can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Most datagrams the kernel cuts from one send; 1 means none. Falls to 1
    /// when a device turns out to refuse it.
    pub gso: usize,
    /// Most datagrams the kernel joins into one receive; 1 means none.
    pub gro: usize,
    /// ECN marks are sent and reported.
    pub ecn: bool,
    /// The local address of a packet is reported and can be chosen.
    pub pktinfo: bool,
    /// Datagrams leave with "do not fragment", whatever their size.
    pub dont_fragment: bool,
}

/// Datagrams that were taken from the caller or the network and not passed on,
/// by reason; totals since the socket was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Larger than the path's or the protocol's limit (EMSGSIZE).
    pub too_large: u64,
    /// No route, host or network down, wrong address family.
    pub unreachable: u64,
    /// Any other refusal of a single datagram (firewall, bad port, full queue).
    pub refused: u64,
    /// Arrived without a usable sender address, or cut short by the kernel.
    pub malformed: u64,
}

/// [`Stats`] as the sockets keep them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub too_large: AtomicU64,
    pub unreachable: AtomicU64,
    pub refused: AtomicU64,
    pub malformed: AtomicU64,
}

impl Counters {
    pub fn read(&self) -> Stats {
        Stats {
            too_large: self.too_large.load(Ordering::Relaxed),
            unreachable: self.unreachable.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            malformed: self.malformed.load(Ordering::Relaxed),
        }
    }
}

pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The address as the rest of the core sees it: mapped IPv4 becomes IPv4.
pub(crate) fn plain(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => addr,
        },
        SocketAddr::V4(_) => addr,
    }
}

/// The address as a socket of the given family needs it, or `None` when an
/// IPv4 socket is asked for an IPv6 destination.
pub(crate) fn for_family(addr: SocketAddr, socket_is_v6: bool) -> Option<SocketAddr> {
    match (plain(addr), socket_is_v6) {
        (SocketAddr::V4(v4), true) => {
            Some(SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0)))
        }
        (SocketAddr::V6(_), false) => None,
        (same, _) => Some(same),
    }
}

/// As [`plain`], for an address without a port.
#[cfg(target_os = "linux")]
pub(crate) fn plain_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_turn_both_ways() {
        let v4: SocketAddr = "10.1.2.3:9".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:10.1.2.3]:9".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::1]:9".parse().unwrap();
        assert_eq!(plain(mapped), v4);
        assert_eq!(plain(v6), v6);
        assert_eq!(for_family(v4, true), Some(mapped));
        assert_eq!(for_family(mapped, false), Some(v4));
        assert_eq!(for_family(v6, false), None);
    }

    #[test]
    fn ecn_bits_round_trip_and_ignore_the_dscp() {
        for mark in [Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
            assert_eq!(Ecn::from_bits(0xb8 | mark.bits()), Some(mark));
        }
        assert_eq!(Ecn::from_bits(0xb8), None);
    }

    #[test]
    fn a_train_counts_its_datagrams() {
        let t = |segment, len: usize| {
            let payload = vec![0; len];
            Transmit { to: "127.0.0.1:1".parse().unwrap(), local: None, ecn: None, segment, payload: &payload }
                .datagrams()
        };
        assert_eq!(t(None, 0), 1);
        assert_eq!(t(Some(0), 10), 1);
        assert_eq!(t(Some(10), 10), 1);
        assert_eq!(t(Some(10), 11), 2);
    }
}
