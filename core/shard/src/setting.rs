//! What a node stands in when it is not an ordinary one: another crypto, datagrams that its owner carries, an observer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use cc_engine::{Command, CryptoChoice, Delivery, Event, PublicationId, Time, TrackConfig, Transmit};

use crate::bell::Ring;

/// An ordinary node's is the default.
pub struct Setting {
    /// What protects its connections.
    pub crypto: CryptoChoice,
    /// In the place of a socket and a clock.
    pub wires: Option<Wires>,
    /// When its clock showed 0, without wires; None: at its opening. Nodes that share one have one time.
    pub epoch: Option<Instant>,
    /// Who is shown what its application sends and gets.
    pub tap: Option<Box<dyn Tap>>,
    /// How packets find one of several shards; none: the best way that the system allows.
    pub way: Option<cc_udp::Way>,
    /// What makes one of several shards fail, for tests.
    pub fault: Option<Fault>,
    /// Where qlog of its connections goes.
    #[cfg(feature = "qlog")]
    pub qlog: Option<cc_engine::QlogOpen>,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting {
            crypto: CryptoChoice::Tls,
            wires: None,
            epoch: None,
            tap: None,
            way: None,
            fault: None,
            #[cfg(feature = "qlog")]
            qlog: None,
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("wires", &self.wires.is_some()).field("tap", &self.tap.is_some()).finish()
    }
}

/// Makes a shard of a node panic, so that a test can see what becomes of the others.
#[derive(Debug, Clone, Default)]
pub struct Fault(Arc<AtomicU64>);

impl Fault {
    /// The shard of this number panics in its next pass, once.
    pub fn strike(&self, shard: usize) {
        self.0.store(shard as u64 + 1, Ordering::SeqCst);
    }

    pub(crate) fn check(&self, shard: usize) {
        let own = shard as u64 + 1;
        if self.0.load(Ordering::Relaxed) == own
            && self.0.compare_exchange(own, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        {
            panic!("a fault was asked for");
        }
    }
}

/// Takes a transmit and its bytes.
pub type LastWords = Box<dyn Fn(&Transmit, &[u8]) + Send + Sync>;

/// In the place of a socket and a clock: the owner carries datagrams by [`Node::exchange`](crate::Node::exchange).
pub struct Wires {
    /// The address that the node is told it has.
    pub local: SocketAddr,
    /// The time of all nodes that share it, microseconds; the node's own clock is 0 where it stood at its opening.
    pub clock: Arc<AtomicU64>,
    /// Unix time at the node's opening, microseconds.
    pub unix_us: u64,
    /// Most datagrams in one transmit.
    pub max_segments: usize,
    /// Rung when orders wait for the next exchange; once until then.
    pub orders: Ring,
    /// Rung when events or frames wait for the owner; once until they are polled.
    pub news: Ring,
    /// Takes what the node says while it closes.
    pub last_words: LastWords,
}

/// Sees what passes between a node and its application. Called in the node's pass, so it must be quick. Times are on
/// the node's clock.
pub trait Tap: Send {
    /// An order, before it is carried out; frames to be sent come by [`sent`](Tap::sent) instead.
    fn order(&mut self, now: Time, command: &Command);
    /// A publication was asked for.
    fn published(&mut self, now: Time, publication: PublicationId, config: &TrackConfig);
    /// A frame or message was taken, and is this one of its track.
    fn sent(&mut self, now: Time, publication: PublicationId, group: u64, object: u64);
    /// Something happened.
    fn event(&mut self, now: Time, event: &Event);
    /// A frame or message reached its feed.
    fn delivered(&mut self, now: Time, delivery: &Delivery);
}
