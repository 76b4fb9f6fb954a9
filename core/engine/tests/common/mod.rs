//! Engines in one process, on a simulated network and a simulated clock.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod peer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cc_engine::{
    Command, Config, Congestion, CryptoChoice, Delivery, Engine, Event, Limits, LinkConfig, Outgoing, OwnIds, Packet,
    Place, PublicationShared, RelayConfig, Scope, ShardConfig, Stamp, SubscribeConfig, Time, TrackConfig, TrackKind,
    Trust,
};
use cc_wire::{Namespace, Profile, TrackName};
use peer::{Listener, Peer};

/// A certificate for tests: its chain and key as PEM, and the pin of it.
pub struct Identity {
    pub chain: String,
    pub key: String,
    pub der: Vec<u8>,
    pub pin: [u8; 32],
}

impl Identity {
    pub fn new() -> Identity {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, made.cert.der());
        let mut pin = [0; 32];
        pin.copy_from_slice(hash.as_ref());
        Identity { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().to_vec(), pin }
    }
}

/// What a client is admitted with: its peer id, and the scopes that it may publish in and subscribe to.
pub fn stamp(peer: &str, publish: &str, subscribe: &str) -> Stamp {
    Stamp {
        publish: Scope::parse(publish).unwrap(),
        subscribe: Scope::parse(subscribe).unwrap(),
        capabilities: Vec::new(),
        tenant: "acme".into(),
        subject: "someone".into(),
        peer_id: peer.into(),
        expires: None,
    }
}

pub fn config(seed: u8) -> Config {
    Config {
        epoch: Instant::now(),
        // A day within every certificate's time.
        unix_us: 1_800_000_000_000_000,
        seed: [seed; 32],
        state_key: [7; 32],
        relay: None,
        profiles: Profile::PREFERRED.to_vec(),
        idle_timeout: 30_000_000,
        keep_alive: 5_000_000,
        congestion: Congestion::Realtime,
        limits: Limits::default(),
        max_segments: 10,
    }
}

pub fn relay(seed: u8, identity: &Identity, open: bool) -> Engine {
    Engine::new(relay_config(seed, identity, open), 0).unwrap()
}

/// Its configuration.
pub fn relay_config(seed: u8, identity: &Identity, open: bool) -> Config {
    let mut config = config(seed);
    config.relay = Some(RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: open.then(Namespace::default),
        max_sessions: 1000,
        auth_timeout: 5_000_000,
    });
    config
}

/// One of `count` shards of an open relay. `after`: the highest session and track ids that were in use in its place.
pub fn shard(seed: u8, identity: &Identity, place: (usize, usize), after: (u64, u64)) -> Engine {
    let mut config = config(seed);
    config.relay = Some(RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: Some(Namespace::default()),
        max_sessions: 1000,
        auth_timeout: 5_000_000,
    });
    Engine::of_shard(config, CryptoChoice::Tls, Some(shard_config(place, after)), 0).unwrap()
}

/// The place of one of several shards.
pub fn shard_config((index, count): (usize, usize), after: (u64, u64)) -> ShardConfig {
    let ids = OwnIds(Arc::new(move |id: &[u8]| usize::from(id[0]) % count == index));
    let connections = (0..count).map(|_| AtomicUsize::new(0)).collect();
    ShardConfig { index, count, ids, after, connections }
}

pub fn client(seed: u8) -> Engine {
    Engine::new(config(seed), 0).unwrap()
}

/// One way through the network.
#[derive(Clone, Copy)]
pub struct Path {
    /// One-way delay, us.
    pub delay: Time,
    /// Packets lost of 1,000.
    pub loss: u32,
    /// Bytes a second; 0: no limit.
    pub rate: u64,
    /// Bytes that may wait for the link.
    pub buffer: u64,
    /// Bytes a second towards the node; 0: no limit.
    pub rate_in: u64,
    /// Longest packet from the node that arrives, bytes.
    pub mtu: usize,
}

impl Default for Path {
    fn default() -> Self {
        Path { delay: 1000, loss: 0, rate: 0, buffer: 64 << 10, rate_in: 0, mtu: usize::MAX }
    }
}

pub struct Node {
    pub engine: Option<Engine>,
    pub peer: Option<Peer>,
    listener: Option<Listener>,
    pub address: SocketAddr,
    pub events: Vec<Event>,
    pub frames: Vec<(Time, Delivery)>,
    pub path: Path,
    busy_until: Time,
    busy_in: Time,
    pub bytes_out: u64,
    pub packets_out: u64,
    /// Packets in one piece count as one.
    pub transmits: u64,
    /// Times that another shard had something for it.
    pub woken: u64,
    pub longest_wait: Time,
}

/// Somebody on the network who is no engine.
pub trait Stranger {
    /// Where datagrams reach it.
    fn address(&self) -> SocketAddr;
    /// A datagram has come.
    fn handle(&mut self, now: Time, from: SocketAddr, bytes: &[u8]);
    /// Time has come to `next_timeout`.
    fn handle_timeout(&mut self, now: Time);
    /// When it has something to do.
    fn next_timeout(&mut self) -> Option<Time>;
    /// The next datagram to send, and where to.
    fn transmit(&mut self, now: Time) -> Option<(SocketAddr, Vec<u8>)>;
}

/// Among the nodes of what is under way, strangers are numbered from here.
const STRANGERS: usize = 1 << 20;
/// One-way delay of a stranger's path, us.
const STRANGER_DELAY: Time = 1000;

/// Nodes and what is under way between them.
pub struct World {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub strangers: Vec<Box<dyn Stranger>>,
    /// Called around what a node's engine does.
    pub around: fn(usize, &mut dyn FnMut()),
    /// Nodes that are the shards of one relay, in the order of their numbers.
    pub shards: Vec<usize>,
    /// What a ring between two of them takes.
    pub room: usize,
    flying: BTreeMap<(Time, u64), (usize, SocketAddr, Vec<u8>)>,
    sent: u64,
    random: u64,
}

impl World {
    pub fn new() -> World {
        World {
            now: 0,
            nodes: Vec::new(),
            strangers: Vec::new(),
            around: |_, work| work(),
            shards: Vec::new(),
            room: 4096,
            flying: BTreeMap::new(),
            sent: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub fn add(&mut self, engine: Engine) -> usize {
        let address = format!("10.0.0.{}:7777", self.nodes.len() + 1).parse().unwrap();
        self.push(Some(engine), None, address)
    }

    /// A session without an engine, dialled to a relay.
    pub fn add_peer(&mut self, relay: usize, identity: &Identity, profile: Profile) -> usize {
        let address = format!("10.0.0.{}:7777", self.nodes.len() + 1).parse().unwrap();
        let seed = self.nodes.len() as u8 + 100;
        let peer = Peer::connect(self.nodes[relay].address, identity, profile, seed, self.now);
        self.push(None, Some(peer), address)
    }

    /// A server without an engine, for one session.
    pub fn add_server(&mut self, identity: &Identity, profile: Profile) -> usize {
        let address = format!("10.0.0.{}:7777", self.nodes.len() + 1).parse().unwrap();
        let seed = self.nodes.len() as u8 + 100;
        let at = self.push(None, None, address);
        self.nodes[at].listener = Some(Listener::new(identity, profile, seed));
        at
    }

    fn push(&mut self, engine: Option<Engine>, peer: Option<Peer>, address: SocketAddr) -> usize {
        self.nodes.push(Node {
            engine,
            peer,
            listener: None,
            address,
            events: Vec::new(),
            frames: Vec::new(),
            path: Path::default(),
            busy_until: 0,
            busy_in: 0,
            bytes_out: 0,
            packets_out: 0,
            transmits: 0,
            woken: 0,
            longest_wait: 0,
        });
        self.nodes.len() - 1
    }

    pub fn peer(&mut self, node: usize) -> &mut Peer {
        self.nodes[node].peer.as_mut().unwrap()
    }

    pub fn engine(&mut self, node: usize) -> &mut Engine {
        self.nodes[node].engine.as_mut().unwrap()
    }

    pub fn command(&mut self, node: usize, command: Command) {
        let now = self.now;
        let (around, mut command) = (self.around, Some(command));
        let engine = self.engine(node);
        around(node, &mut || command.take().into_iter().for_each(|command| engine.command(now, command)));
        self.drain(node);
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn drain(&mut self, at: usize) {
        // Enough for one transmit, so that an engine does not make it grow.
        let mut buffer = Vec::with_capacity(32 << 10);
        loop {
            buffer.clear();
            let now = self.now;
            let around = self.around;
            let node = &mut self.nodes[at];
            let (to, segment) = match (&mut node.engine, &mut node.peer) {
                (Some(engine), _) => {
                    let mut transmit = None;
                    around(at, &mut || transmit = engine.poll_transmit(now, &mut buffer));
                    match transmit {
                        Some(transmit) => (transmit.to, transmit.segment.unwrap_or(buffer.len()).max(1)),
                        None => break,
                    }
                }
                (None, Some(peer)) => match peer.poll_transmit(now, &mut buffer) {
                    Some(to) => (to, buffer.len().max(1)),
                    None => break,
                },
                (None, None) => return,
            };
            let strangers = || self.strangers.iter().position(|stranger| stranger.address() == to);
            let to = self.nodes.iter().position(|node| node.address == to);
            let to = to.or_else(|| strangers().map(|at| STRANGERS + at));
            let from = self.nodes[at].address;
            self.nodes[at].transmits += 1;
            for datagram in buffer.clone().chunks(segment) {
                let lost = self.draw() % 1000 < u64::from(self.nodes[at].path.loss);
                let node = &mut self.nodes[at];
                node.bytes_out += datagram.len() as u64;
                node.packets_out += 1;
                let path = node.path;
                let mut leaves = self.now;
                if path.rate > 0 {
                    let start = node.busy_until.max(self.now);
                    let waiting = (start - self.now) * path.rate / 1_000_000;
                    if waiting > path.buffer {
                        continue;
                    }
                    node.longest_wait = node.longest_wait.max(start - self.now);
                    leaves = start + datagram.len() as u64 * 1_000_000 / path.rate;
                    node.busy_until = leaves;
                }
                if let (Some(to), false) = (to, lost || datagram.len() > path.mtu) {
                    let Some(far) = self.nodes.get_mut(to) else {
                        self.sent += 1;
                        let key = (leaves + path.delay.max(STRANGER_DELAY), self.sent);
                        self.flying.insert(key, (to, from, datagram.to_vec()));
                        continue;
                    };
                    if far.path.rate_in > 0 {
                        let start = far.busy_in.max(leaves);
                        if (start - leaves) * far.path.rate_in / 1_000_000 > far.path.buffer {
                            continue;
                        }
                        leaves = start + datagram.len() as u64 * 1_000_000 / far.path.rate_in;
                        far.busy_in = leaves;
                    }
                    let arrives = leaves + path.delay.max(far.path.delay);
                    self.sent += 1;
                    self.flying.insert((arrives, self.sent), (to, from, datagram.to_vec()));
                }
            }
        }
        let now = self.now;
        let node = &mut self.nodes[at];
        let Some(engine) = node.engine.as_mut() else { return };
        while let Some(event) = engine.poll_event() {
            node.events.push(event);
        }
        while let Some(delivery) = engine.poll_delivery() {
            node.frames.push((now, delivery));
        }
        if let Some(shard) = self.shards.iter().position(|node| *node == at) {
            self.cross(at, shard);
        }
    }

    /// What a shard has for the others reaches them at once.
    fn cross(&mut self, at: usize, shard: usize) {
        for other in (0..self.shards.len()).filter(|other| *other != shard) {
            let (now, room) = (self.now, self.room);
            // Enough for a tick, so that an engine does not make it grow.
            let mut parcels = Vec::with_capacity(64);
            let Some(engine) = self.nodes[at].engine.as_mut() else { return };
            (self.around)(at, &mut || {
                engine.settle(now);
                loop {
                    let before = parcels.len();
                    engine.cross(now, other, room, |parcel| parcels.push(parcel));
                    if room == 0 || parcels.len() - before < room {
                        break;
                    }
                }
            });
            let to = self.shards[other];
            if parcels.is_empty() {
                continue;
            }
            if let Some(engine) = self.nodes[to].engine.as_mut() {
                (self.around)(to, &mut || {
                    parcels.drain(..).for_each(|parcel| engine.handle_parcel(now, shard, parcel));
                });
                self.nodes[to].woken += 1;
                self.drain(to);
            }
        }
    }

    /// What strangers have to send goes on its way.
    fn drain_strangers(&mut self) {
        for at in 0..self.strangers.len() {
            while let Some((to, bytes)) = self.strangers[at].transmit(self.now) {
                let from = self.strangers[at].address();
                if let Some(to) = self.nodes.iter().position(|node| node.address == to) {
                    self.sent += 1;
                    let arrives = self.now + self.nodes[to].path.delay.max(STRANGER_DELAY);
                    self.flying.insert((arrives, self.sent), (to, from, bytes));
                }
            }
        }
    }

    /// Puts a datagram of nobody's making on the way to a node.
    pub fn inject(&mut self, to: usize, from: SocketAddr, bytes: Vec<u8>) {
        self.sent += 1;
        self.flying.insert((self.now + self.nodes[to].path.delay, self.sent), (to, from, bytes));
    }

    /// A datagram that is under way, to be changed; `at` counts them modulo how many there are.
    pub fn under_way(&mut self, at: usize) -> Option<(usize, SocketAddr, &mut Vec<u8>)> {
        let count = self.flying.len().max(1);
        self.flying.values_mut().nth(at % count).map(|(to, from, bytes)| (*to, *from, bytes))
    }

    /// Lets `time` microseconds pass.
    pub fn run(&mut self, time: Time) {
        let end = self.now + time;
        let mut standstill = 0;
        loop {
            for at in 0..self.nodes.len() {
                self.drain(at);
            }
            self.drain_strangers();
            let mut next = end;
            if let Some(((arrives, _), _)) = self.flying.first_key_value() {
                next = next.min(*arrives);
            }
            for node in &mut self.nodes {
                let engine = node.engine.as_mut().and_then(Engine::next_timeout);
                let peer = node.peer.as_mut().and_then(Peer::next_timeout);
                next = engine.into_iter().chain(peer).fold(next, Time::min);
            }
            for stranger in &mut self.strangers {
                next = stranger.next_timeout().map_or(next, |due| next.min(due));
            }
            if next >= end {
                self.now = end;
                break;
            }
            standstill = if next > self.now { 0 } else { standstill + 1 };
            assert!(standstill < 10_000, "time stands still");
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to, from, bytes) = entry.remove();
                let now = self.now;
                if let Some(stranger) = to.checked_sub(STRANGERS).and_then(|at| self.strangers.get_mut(at)) {
                    stranger.handle(now, from, &bytes);
                    continue;
                }
                let local = Some(self.nodes[to].address.ip());
                if let Some(engine) = self.nodes[to].engine.as_mut() {
                    let packet = || Packet { from, local, ecn: None, payload: &bytes };
                    (self.around)(to, &mut || engine.handle(now, packet()));
                }
                if let Some(listener) = self.nodes[to].listener.take() {
                    self.nodes[to].peer = Some(listener.accept(now, from, &bytes));
                } else if let Some(peer) = self.nodes[to].peer.as_mut() {
                    peer.handle(now, from, &bytes);
                }
            }
            let now = self.now;
            for (at, node) in self.nodes.iter_mut().enumerate() {
                if let Some(engine) = node.engine.as_mut() {
                    if engine.next_timeout().is_some_and(|due| due <= now) {
                        (self.around)(at, &mut || engine.handle_timeout(now));
                    }
                }
                if let Some(peer) = node.peer.as_mut() {
                    if peer.next_timeout().is_some_and(|due| due <= now) {
                        peer.handle_timeout(now);
                    }
                }
            }
            for stranger in &mut self.strangers {
                if stranger.next_timeout().is_some_and(|due| due <= now) {
                    stranger.handle_timeout(now);
                }
            }
        }
    }

    /// The node's events so far, taken.
    pub fn events(&mut self, node: usize) -> Vec<Event> {
        std::mem::take(&mut self.nodes[node].events)
    }

    pub fn frames(&mut self, node: usize) -> Vec<Delivery> {
        std::mem::take(&mut self.nodes[node].frames).into_iter().map(|(_, delivery)| delivery).collect()
    }

    pub fn open_link(&mut self, node: usize, id: u64, relay: usize, identity: &Identity, profile: Option<Profile>) {
        let config = link(self.nodes[relay].address, identity, id, profile);
        self.command(node, Command::OpenLink(id, Box::new(config)));
    }

    pub fn publish(&mut self, node: usize, id: u64, place: Place, config: TrackConfig) -> Arc<PublicationShared> {
        let shared = Arc::new(PublicationShared::default());
        self.command(node, Command::Publish(id, place, Box::new(config), shared.clone()));
        shared
    }

    pub fn send(&mut self, node: usize, publication: u64, payload: impl Into<Vec<u8>>) {
        self.send_with(node, publication, payload, None);
    }

    pub fn send_with(&mut self, node: usize, publication: u64, payload: impl Into<Vec<u8>>, priority: Option<u8>) {
        let outgoing = Outgoing {
            publication,
            payload: Bytes::from(payload.into()),
            properties: Bytes::new(),
            priority,
            ttl: None,
            new_group: false,
            end_group: false,
        };
        self.command(node, Command::Send(outgoing));
    }

    pub fn subscribe(&mut self, node: usize, id: u64, place: Place, prefix: &str, capability: &str) {
        let config = SubscribeConfig {
            namespace: Namespace::parse(prefix).unwrap(),
            name: None,
            capability: Bytes::copy_from_slice(capability.as_bytes()),
            priority: 128,
            order: None,
            rendezvous_ms: 0,
            token: None,
        };
        self.command(node, Command::Subscribe(id, place, Box::new(config)));
    }

    pub fn subscribe_exact(&mut self, node: usize, id: u64, place: Place, namespace: &str, name: &str) {
        let config = SubscribeConfig {
            namespace: Namespace::parse(namespace).unwrap(),
            name: Some(Bytes::copy_from_slice(name.as_bytes())),
            capability: Bytes::new(),
            priority: 128,
            order: None,
            rendezvous_ms: 0,
            token: None,
        };
        self.command(node, Command::Subscribe(id, place, Box::new(config)));
    }
}

pub fn link(address: SocketAddr, identity: &Identity, id: u64, profile: Option<Profile>) -> LinkConfig {
    LinkConfig {
        addresses: vec![address],
        server_name: "localhost".into(),
        authority: address.to_string(),
        path: "/main".into(),
        token: None,
        trust: Trust::Pinned(identity.pin),
        resume_secret: Bytes::from(vec![id as u8; 16]),
        profiles: profile.into_iter().collect(),
        reconnect: true,
        connect_timeout: 10_000_000,
        backoff: (100_000, 2_000_000),
        reconnect_limit: 0,
        uplink: false,
    }
}

pub fn track(namespace: &str, name: &str, kind: TrackKind, capability: &str) -> TrackConfig {
    TrackConfig {
        name: TrackName::new(Namespace::parse(namespace).unwrap(), Bytes::copy_from_slice(name.as_bytes())).unwrap(),
        kind,
        capability: Bytes::copy_from_slice(capability.as_bytes()),
        properties: Bytes::new(),
        priority: 128,
        latest_wins: false,
        datagram: false,
        microsecond_groups: false,
        ttl: None,
        object_timeout_ms: if kind == TrackKind::FrameDatagram { 1000 } else { 0 },
        subgroup_timeout_ms: 0,
        window_messages: 1024,
        queue_bytes: 1 << 20,
        token: None,
    }
}
