//! A place: a machine's address, its access network, and the ports that its nodes have.
//!
//! Places stand around one core that delays nothing: a packet goes up its sender's access network, crosses the core,
//! and goes down its receiver's. A place may stand behind another one's network, as several machines behind a home
//! router do. Place n is 10.0.0.1 + n, of a live world 127.1.0.1 + n. A NAT shows each binding of a port as a port of its own, from 20,000 on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cc_engine::Time;
use cc_netem::{Path, PathPlan, Payload};
use cc_sim::Label;

use crate::recorder::PlaceId;

/// 10.0.0.1.
pub(crate) const FIRST: u32 = 0x0A00_0001;
/// 127.1.0.1: addresses of this machine alone, so that a live world's places are told apart.
pub(crate) const FIRST_LIVE: u32 = 0x7F01_0001;
/// The ports that a NAT gives.
const NAT_PORTS: std::ops::Range<u16> = 20_000..50_000;
/// The first of the ports that the system gives.
const FREE_PORTS: u16 = 50_001;

/// A datagram on its way.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// Its sender's address; as others see it, once it has left the sender's network.
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// The place that it is on its way to or from.
    pub(crate) leaf: PlaceId,
    pub(crate) bytes: Vec<u8>,
}

impl Payload for Parcel {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn flip(&mut self, bit: usize) {
        self.bytes.flip(bit);
    }
}

/// One place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) label: Label,
    pub(crate) address: IpAddr,
    /// None: a network that impairs nothing.
    pub(crate) path: Option<Path<Parcel>>,
    /// When the world looks at the path next.
    pub(crate) due: Option<Time>,
    /// Whose network it stands behind.
    pub(crate) behind: Option<PlaceId>,
    /// Nodes by port.
    pub(crate) ports: BTreeMap<u16, usize>,
    pub(crate) traffic: Traffic,
    /// Nothing passes until then.
    pub(crate) out_until: Time,
    /// Bindings that were ended from outside, beside those of the path's own NAT.
    rebinds: u32,
    /// Outside ports: the inside port, the path's binding and `rebinds` that each stands for.
    outside: BTreeMap<u16, (u16, u32, u32)>,
    inside: BTreeMap<(u16, u32, u32), u16>,
    next_outside: u16,
    next_free: u16,
}

/// What a place has sent and received, and what was lost beside its path.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct Traffic {
    pub(crate) packets_up: u64,
    pub(crate) bytes_up: u64,
    pub(crate) packets_down: u64,
    pub(crate) bytes_down: u64,
    pub(crate) lost_up: BTreeMap<&'static str, u64>,
    pub(crate) lost_down: BTreeMap<&'static str, u64>,
}

impl Place {
    pub(crate) fn new(name: &str, first: u32, id: PlaceId, behind: Option<PlaceId>) -> Place {
        Place {
            name: name.to_owned(),
            label: Label::new(name),
            // The world bounds its places.
            address: IpAddr::V4(Ipv4Addr::from(first + id as u32)),
            path: None,
            due: None,
            behind,
            ports: BTreeMap::new(),
            traffic: Traffic::default(),
            out_until: 0,
            rebinds: 0,
            outside: BTreeMap::new(),
            inside: BTreeMap::new(),
            next_outside: NAT_PORTS.start,
            next_free: FREE_PORTS,
        }
    }

    /// Another network from now on.
    pub(crate) fn set_plan(&mut self, now: Time, plan: Option<&PathPlan>, seed: u64) {
        match (&mut self.path, plan) {
            (Some(path), Some(plan)) => path.set_plan(now, plan),
            // What is under way must still arrive, so a path stays one; a plan that does nothing impairs nothing.
            (None, Some(plan)) => self.path = Some(Path::new(plan, seed, &self.name, now)),
            (_, None) => {}
        }
    }

    /// Packets to the ports as others know them are lost from now on.
    pub(crate) fn rebind(&mut self) {
        self.rebinds += 1;
    }

    /// The address under which others see a packet from an inside port.
    pub(crate) fn seen_as(&mut self, port: u16, binding: u32) -> SocketAddr {
        let key = (port, binding, self.rebinds);
        if key.1 == 0 && key.2 == 0 {
            return SocketAddr::new(self.address, port);
        }
        if let Some(outside) = self.inside.get(&key) {
            return SocketAddr::new(self.address, *outside);
        }
        let outside = self.next_outside;
        self.next_outside = if outside + 1 < NAT_PORTS.end { outside + 1 } else { NAT_PORTS.start };
        if let Some(old) = self.outside.insert(outside, key) {
            self.inside.remove(&old);
        }
        self.inside.insert(key, outside);
        SocketAddr::new(self.address, outside)
    }

    /// The inside port that an outside port stands for; None: it has been given up.
    pub(crate) fn inside_port(&self, outside: u16) -> Option<u16> {
        match self.outside.get(&outside) {
            Some((port, _, rebinds)) => (*rebinds == self.rebinds).then_some(*port),
            None => (self.rebinds == 0).then_some(outside),
        }
    }

    /// The path's binding that an outside port stands for.
    pub(crate) fn binding(&self, outside: u16) -> u32 {
        self.outside.get(&outside).map_or(0, |(_, binding, _)| *binding)
    }

    /// The port that a node gets which asks for this one; 0: any.
    pub(crate) fn bind(&mut self, wanted: u16, node: usize) -> Option<u16> {
        let mut port = wanted;
        if port == 0 {
            for _ in FREE_PORTS..u16::MAX {
                port = self.next_free;
                self.next_free = if port == u16::MAX { FREE_PORTS } else { port + 1 };
                if !self.ports.contains_key(&port) {
                    break;
                }
            }
        }
        if port == 0 || self.ports.contains_key(&port) || NAT_PORTS.contains(&port) {
            return None;
        }
        self.ports.insert(port, node);
        Some(port)
    }

    /// Counts a packet that an outage took.
    pub(crate) fn lose(&mut self, up: bool, cause: &'static str) {
        let lost = if up { &mut self.traffic.lost_up } else { &mut self.traffic.lost_down };
        *lost.entry(cause).or_default() += 1;
    }
}

/// The place that an address belongs to.
pub(crate) fn at(address: IpAddr) -> Option<PlaceId> {
    match address {
        IpAddr::V4(ip) => u32::from(ip).checked_sub(FIRST).map(|place| place as PlaceId),
        IpAddr::V6(_) => None,
    }
}
