//! The product's relay on a free port of the loopback.

use std::net::SocketAddr;
use std::time::Instant;

use cc_engine::{Command, Config, Congestion, Event, Limits, RelayConfig, Scope, Stamp};
use cc_shard::{Drive, Node, NodeConfig, NodeEvent};
use cc_udp::SocketOptions;
use cc_wire::{Namespace, Profile};

use crate::until;

/// A running relay; it ends when dropped.
pub struct Relay {
    node: Node,
    /// Its certificate.
    pub certificate: rustls::pki_types::CertificateDer<'static>,
    /// SHA-256 of its certificate's DER.
    pub pin: [u8; 32],
}

impl Relay {
    /// A relay that speaks all drafts and admits everyone.
    ///
    /// # Panics
    /// If it can't be opened.
    pub fn open() -> Relay {
        Relay::start(Some(Namespace::default()))
    }

    /// The same, but each session waits for [`admit`](Relay::admit).
    ///
    /// # Panics
    /// If it can't be opened.
    pub fn guarded() -> Relay {
        Relay::start(None)
    }

    fn start(open: Option<Namespace>) -> Relay {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
        let hash = ring::digest::digest(&ring::digest::SHA256, made.cert.der());
        let mut pin = [0; 32];
        pin.copy_from_slice(hash.as_ref());
        let relay = RelayConfig {
            certificate_pem: made.cert.pem().into_bytes(),
            key_pem: made.signing_key.serialize_pem().into_bytes(),
            open,
            max_sessions: 100,
            auth_timeout: 5_000_000,
        };
        Relay { node: node(Some(relay)), certificate: made.cert.der().clone(), pin }
    }

    /// Admits the next session: it may publish anything, and subscribe to what `grants` cover, a path a line.
    ///
    /// # Panics
    /// If none comes.
    pub async fn admit(&self, grants: &str) {
        let mut events = Vec::new();
        let (session, peer_id) = until("a session", || {
            self.node.poll(100, &mut events);
            events.drain(..).find_map(|event| match event {
                NodeEvent::Engine(Event::Auth { session, suggested_peer, .. }) => Some((session, suggested_peer)),
                _ => None,
            })
        })
        .await;
        let stamp = Stamp {
            publish: Scope::everything(),
            subscribe: Scope::parse(grants).expect("grants"),
            capabilities: Vec::new(),
            tenant: String::new(),
            subject: String::new(),
            peer_id,
            expires: None,
        };
        self.node.command(Command::Accept(session, Box::new(stamp))).expect("an open node");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.node.local_addr()
    }

    /// Its certificate's hash as text.
    pub fn fingerprint(&self) -> String {
        self.pin.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Sessions that broke the protocol, in the relay's eyes.
    ///
    /// # Panics
    /// If the relay has failed.
    pub fn malformed(&self) -> u64 {
        self.node.stats().expect("a running relay").engine.malformed
    }
}

/// A node on the loopback with a thread of its own.
pub(crate) fn node(relay: Option<RelayConfig>) -> Node {
    let engine = Config {
        epoch: Instant::now(),
        unix_us: 0,
        seed: [7; 32],
        state_key: [8; 32],
        relay,
        profiles: Profile::PREFERRED.to_vec(),
        idle_timeout: 30_000_000,
        keep_alive: 5_000_000,
        congestion: Congestion::Realtime,
        limits: Limits::default(),
        max_segments: 1,
    };
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = NodeConfig { bind, socket: SocketOptions::default(), engine, drive: Drive::Thread, shards: 1 };
    Node::open(config).expect("a node on the loopback")
}
