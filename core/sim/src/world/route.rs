//! Addresses of nodes, and what a NAT makes of them.
//!
//! Node n is 10.0.0.1 + n, port 7777. Behind a NAT each rebinding gives its packets the next port, and after 50,000
//! of them the ports begin anew.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cc_engine::Time;
use cc_netem::{Path, Payload};

use crate::topology::NodeId;

/// Every node's own port.
pub(super) const PORT: u16 = 7777;
/// Ports that a NAT gives, from `PORT` on.
const SPAN: u32 = 50_000;
/// 10.0.0.1.
const FIRST: u32 = 0x0A00_0001;

pub(super) fn address(node: NodeId) -> SocketAddr {
    // A topology has at most 65,536 nodes.
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(FIRST + node as u32)), PORT)
}

/// The node that an address belongs to, if it is one of a world's.
pub(super) fn node(address: SocketAddr) -> Option<NodeId> {
    match address.ip() {
        IpAddr::V4(ip) => u32::from(ip).checked_sub(FIRST).map(|node| node as NodeId),
        IpAddr::V6(_) => None,
    }
}

/// A datagram on a path.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    /// The client that it is from or for.
    pub(super) client: NodeId,
    /// ECN's two bits, as RFC 3168 has them.
    pub(super) ecn: u8,
    pub(super) bytes: Vec<u8>,
}

/// A router was congested.
const CE: u8 = 0b11;

impl Payload for Parcel {
    fn size(&self) -> usize {
        self.bytes.size()
    }

    fn flip(&mut self, bit: usize) {
        self.bytes.flip(bit);
    }

    fn mark(&mut self) -> bool {
        // 0b00: its sender takes no part.
        let may = self.ecn != 0;
        if may {
            self.ecn = CE;
        }
        may
    }
}

/// One path, with what the world knows of it.
pub(super) struct Link {
    pub(super) client: NodeId,
    pub(super) server: NodeId,
    pub(super) path: Path<Parcel>,
    /// When the world looks at it next.
    pub(super) due: Option<Time>,
    /// The newest binding that the server has seen.
    newest: u32,
}

impl Link {
    pub(super) fn new(client: NodeId, server: NodeId, path: Path<Parcel>) -> Link {
        Link { client, server, path, due: None, newest: 0 }
    }

    /// The client's address as the server sees it under a binding.
    pub(super) fn seen(&mut self, client: SocketAddr, binding: u32) -> SocketAddr {
        self.newest = self.newest.max(binding);
        SocketAddr::new(client.ip(), PORT + (binding % SPAN) as u16)
    }

    /// The newest binding that has had this port. None: no binding has.
    pub(super) fn binding(&self, port: u16) -> Option<u32> {
        let place = u32::from(port.checked_sub(PORT)?);
        if place >= SPAN {
            return None;
        }
        let since = (self.newest % SPAN + SPAN - place) % SPAN;
        self.newest.checked_sub(since)
    }
}
