//! The relay's door: which strangers may begin a connection, and which have to prove their address first.
//!
//! A handshake costs the relay a signature and some 24 KB, and the first packet's address may be a lie. So handshakes
//! under way are counted, in all and by address; with many of them from addresses that are not proven, strangers are
//! answered with Retry (RFC 9000, 8.1.2), which keeps nothing here: its token comes back with the next packet, and any
//! relay with the same state key takes it. What is over a bound is refused with one packet, or with none once too many
//! answers wait. Only a proven address can use up its own share.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use quinn_proto::Incoming;

use crate::api::{Reason, Time};
use crate::conn::ConnIndex;
use crate::limits::Limit;
use crate::Engine;

/// A handshake that takes longer is given up, microseconds: a peer may keep one going for ever.
const HANDSHAKE_TIME: Time = 10_000_000;

/// What counts as one address: all of IPv4's 32 bits, the first 64 of IPv6's. None: loopback.
fn household(address: IpAddr) -> Option<u128> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(v4) => Some(u128::from(v4.to_bits())),
        // An IPv6 prefix of 64 zero bits is no one's, so the two kinds do not meet.
        IpAddr::V6(v6) => Some(v6.to_bits() >> 64 << 64),
    }
}

/// A connection's place at the door.
#[derive(Debug)]
pub(crate) struct Knock {
    household: Option<u128>,
    proven: bool,
    /// The handshake must be through by then; none: it is, or is over.
    until: Option<Time>,
}

impl Knock {
    /// When its handshake is given up.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.until
    }
}

#[derive(Debug, Default)]
struct Share {
    /// Of those that are proven, and their handshakes under way.
    connections: usize,
    handshakes: usize,
}

/// Who is in the doorway.
#[derive(Debug, Default)]
pub(crate) struct Door {
    handshakes: usize,
    unproven: usize,
    shares: BTreeMap<u128, Share>,
}

/// What becomes of a stranger.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    ComeIn,
    Prove,
    Refuse(Limit),
}

impl Door {
    fn enter(&mut self, from: IpAddr, proven: bool, now: Time) -> Knock {
        let household = household(from);
        self.handshakes += 1;
        self.unproven += usize::from(!proven);
        if let (Some(household), true) = (household, proven) {
            let share = self.shares.entry(household).or_default();
            share.connections += 1;
            share.handshakes += 1;
        }
        Knock { household, proven, until: Some(now.saturating_add(HANDSHAKE_TIME)) }
    }

    /// The handshake is over.
    pub(crate) fn shaken(&mut self, knock: &mut Knock) {
        if knock.until.take().is_none() {
            return;
        }
        self.handshakes -= 1;
        self.unproven -= usize::from(!knock.proven);
        if let (Some(household), true) = (knock.household, knock.proven) {
            if let Some(share) = self.shares.get_mut(&household) {
                share.handshakes -= 1;
            }
        }
    }

    /// The handshake is through, which proves the address, too; connections of that address before this one.
    fn through(&mut self, knock: &mut Knock) -> usize {
        self.shaken(knock);
        let Some(household) = knock.household else { return 0 };
        let share = self.shares.entry(household).or_default();
        share.connections += usize::from(!std::mem::replace(&mut knock.proven, true));
        share.connections - 1
    }

    /// The connection is gone.
    pub(crate) fn left(&mut self, mut knock: Knock) {
        self.shaken(&mut knock);
        let (Some(household), true) = (knock.household, knock.proven) else { return };
        let Some(share) = self.shares.get_mut(&household) else { return };
        share.connections -= 1;
        if share.connections == 0 {
            self.shares.remove(&household);
        }
    }

    /// Handshakes under way.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes
    }
}

impl Engine {
    /// Somebody new knocks: the place given to it, or none with the stranger answered.
    pub(crate) fn admit_stranger(&mut self, incoming: Incoming, now: Time) -> Option<(Incoming, Knock)> {
        let (from, proven) = (incoming.remote_address(), incoming.remote_address_validated());
        let answer = self.answer_to(from, proven);
        if answer == Answer::ComeIn {
            let knock = self.door.enter(from.ip(), proven, now);
            return Some((incoming, knock));
        }
        if let Answer::Refuse(limit) = answer {
            self.refused.met(limit);
        }
        if self.answers.len() >= self.config.limits.answers {
            self.refused.met(Limit::Answers);
            self.endpoint.ignore(incoming);
            return None;
        }
        self.packet.clear();
        match answer {
            Answer::Prove => {
                self.refused.met(Limit::HandshakesUnproven);
                // What is not proven has no Retry behind it, so one is allowed.
                if let Ok(transmit) = self.endpoint.retry(incoming, &mut self.packet) {
                    self.answer(&transmit);
                }
            }
            _ => {
                self.stats.sessions_refused += 1;
                let transmit = self.endpoint.refuse(incoming, &mut self.packet);
                self.answer(&transmit);
            }
        }
        None
    }

    /// A handshake is through; false if its address has too many connections, and this one was closed.
    pub(crate) fn let_in(&mut self, at: ConnIndex, now: Time) -> bool {
        let Some(knock) = self.conns.get_mut(at).and_then(|conn| conn.knock.as_mut()) else { return true };
        if self.door.through(knock) < self.config.limits.connections_per_address || knock.household.is_none() {
            return true;
        }
        self.refused.met(Limit::ConnectionsPerAddress);
        self.stats.sessions_refused += 1;
        self.close_conn(at, Reason::ExcessiveLoad, "too many connections from this address", now);
        false
    }

    fn answer_to(&self, from: SocketAddr, proven: bool) -> Answer {
        let limits = &self.config.limits;
        let most = self.config.relay.as_ref().map_or(0, |relay| relay.max_sessions.min(limits.connections));
        if self.going_away || self.siblings.connections(self.endpoint.open_connections()) >= most {
            return Answer::Refuse(Limit::Connections);
        }
        if !proven && self.door.unproven >= limits.handshakes_unproven {
            return Answer::Prove;
        }
        if self.door.handshakes >= limits.handshakes {
            return Answer::Refuse(Limit::Handshakes);
        }
        let Some(share) = household(from.ip()).and_then(|household| self.door.shares.get(&household)) else {
            return Answer::ComeIn;
        };
        if share.connections >= limits.connections_per_address {
            return Answer::Refuse(Limit::ConnectionsPerAddress);
        }
        if proven && share.handshakes >= limits.handshakes_per_address {
            return Answer::Refuse(Limit::HandshakesPerAddress);
        }
        Answer::ComeIn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_32_bits_or_64_and_loopback_is_none() {
        let of = |text: &str| household(text.parse().unwrap());
        assert_eq!(of("127.0.0.9"), None);
        assert_eq!(of("::1"), None);
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut door = Door::default();
        let from: IpAddr = "10.0.0.1".parse().unwrap();
        let mut first = door.enter(from, false, 0);
        let second = door.enter(from, true, 0);
        assert_eq!((door.handshakes, door.unproven, door.shares.len()), (2, 1, 1));
        assert_eq!(door.through(&mut first), 1, "there is another from there");
        door.shaken(&mut first);
        assert_eq!((door.handshakes, door.unproven), (1, 0));
        door.left(first);
        door.left(second);
        assert_eq!((door.handshakes, door.unproven, door.shares.len()), (0, 0, 0));
    }
}
