//! One client: its path, and its ports towards the target, one for each binding that its NAT gave it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use cc_netem::{Path, Time};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::held::Held;

/// Ports that are kept: the newest, and the one before it for packets that are late. What comes for the older is
/// lost by the model as `stale_binding`.
const PORTS: usize = 2;
/// Kernel buffers that are asked for, in bytes; the system may give less.
const BUFFER: usize = 2 << 20;

/// A client.
pub struct Client {
    /// Where it sends from, and where its packets go.
    pub address: SocketAddr,
    /// What befalls its packets.
    pub path: Path<Held>,
    /// When its path is on the agenda.
    pub scheduled: Option<Time>,
    /// When a packet last came from or for it.
    pub last: Time,
    /// Oldest first.
    pub ports: VecDeque<Port>,
    /// How often it was rebound by command.
    pub rebinds: u32,
}

/// A socket towards the target.
pub struct Port {
    /// The model's number for it.
    pub binding: u32,
    /// The client's `rebinds` that it stands for; of an earlier one nothing gets in.
    pub rebinds: u32,
    /// The poll's.
    pub token: Token,
    /// Connected to the target.
    pub socket: UdpSocket,
}

impl Client {
    /// Its port of this binding, opened if it is a new one; None: it is one of the past. What had to be closed for it
    /// is in `closed`.
    pub fn port(
        &mut self,
        binding: u32,
        target: SocketAddr,
        source: Option<IpAddr>,
        registry: &Registry,
        fresh: &mut impl FnMut() -> Token,
        closed: &mut Option<Token>,
    ) -> io::Result<Option<&Port>> {
        let rebinds = self.rebinds;
        let newer = self.ports.back().is_none_or(|newest| {
            newest.rebinds != rebinds || (1..1 << 31).contains(&binding.wrapping_sub(newest.binding))
        });
        if newer {
            let any = match target {
                SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
                SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
            };
            let mut socket = open(SocketAddr::new(source.unwrap_or(any), 0))?;
            socket.connect(target)?;
            let token = fresh();
            registry.register(&mut socket, token, Interest::READABLE)?;
            self.ports.push_back(Port { binding, rebinds, token, socket });
            if self.ports.len() > PORTS {
                // Closing a socket takes it out of the poll.
                *closed = self.ports.pop_front().map(|port| port.token);
            }
        }
        Ok(self.ports.iter().rev().find(|port| port.binding == binding && port.rebinds == rebinds))
    }
}

/// A socket that never blocks, on `address`.
pub fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // What the system does not grant it does not: bursts then lose packets earlier.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
