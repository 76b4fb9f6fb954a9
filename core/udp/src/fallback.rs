//! One datagram a call over [`std::net::UdpSocket`]: the implementation for
//! Windows and macOS, and the reference that the Linux one is compared with.
//!
//! No ECN and no local address: both are `None` on receive and ignored on
//! send. A train is cut here and sent piece by piece.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;

use crate::types::{bump, for_family, plain, Capabilities, Counters, Received, Transmit};
use crate::{sys, RecvBuffer};

/// The portable socket behind [`Socket`](crate::Socket).
pub(crate) struct Socket {
    udp: UdpSocket,
    is_v6: bool,
    dont_fragment: bool,
    counters: Counters,
}

impl Socket {
    /// Takes over an open, non-blocking socket.
    pub fn new(udp: UdpSocket, is_v6: bool) -> Socket {
        let dont_fragment = sys::set_dont_fragment(&udp, is_v6);
        Socket { udp, is_v6, dont_fragment, counters: Counters::default() }
    }

    pub fn udp(&self) -> &UdpSocket {
        &self.udp
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn capabilities(&self) -> Capabilities {
        Capabilities { gso: 1, gro: 1, ecn: false, pktinfo: false, dont_fragment: self.dont_fragment }
    }

    pub fn send(&self, batch: &[Transmit<'_>]) -> io::Result<usize> {
        for (taken, transmit) in batch.iter().enumerate() {
            match self.send_one(transmit) {
                Ok(()) => {}
                Err(_) if taken > 0 => return Ok(taken),
                Err(e) => return Err(e),
            }
        }
        Ok(batch.len())
    }

    fn send_one(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Some(to) = for_family(transmit.to, self.is_v6) else {
            bump(&self.counters.unreachable);
            return Ok(());
        };
        let step = transmit.step();
        for i in 0..transmit.datagrams() {
            let end = ((i + 1) * step).min(transmit.payload.len());
            let datagram = &transmit.payload[i * step..end];
            loop {
                match self.udp.send_to(datagram, to) {
                    Ok(_) => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => match sys::classify(&e) {
                        SendFault::Socket => return Err(e),
                        fault => {
                            fault.count(&self.counters);
                            break;
                        }
                    },
                }
            }
        }
        Ok(())
    }

    pub fn recv(&self, buffer: &mut RecvBuffer, mut each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        buffer.took(1, 1);
        let room = buffer.first();
        // A refusal that a peer's host sent back surfaces as an error of the
        // next receive on some systems; each one is consumed by being read.
        for _ in 0..PENDING_ERRORS {
            match self.udp.recv_from(room) {
                Ok((len, from)) => {
                    each(Received { from: plain(from), local: None, ecn: None, payload: &room[..len] });
                    return Ok(1);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted || sys::is_peer_refusal(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }
}

/// Refusals skipped in one receive call, so that a flood of them cannot keep
/// the caller inside.
pub(crate) const PENDING_ERRORS: usize = 32;

/// Whose fault a failed send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendFault {
    /// The socket's (or it is full): the call ends.
    Socket,
    /// This datagram's size.
    TooLarge,
    /// This datagram's destination.
    Unreachable,
    /// This datagram's, for another reason.
    Refused,
}

impl SendFault {
    /// Counts a datagram that is given up.
    pub fn count(self, counters: &Counters) {
        match self {
            SendFault::TooLarge => bump(&counters.too_large),
            SendFault::Unreachable => bump(&counters.unreachable),
            SendFault::Refused | SendFault::Socket => bump(&counters.refused),
        }
    }
}
