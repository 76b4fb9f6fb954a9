//! The world: its queue of what is due, and what happens then.
//!
//! | due | and then |
//! |---|---|
//! | a packet on a path | the engine at its end takes it |
//! | an engine's timer | the engine takes it |
//! | a node's tick | its application, unless it is paused |
//! | a planned action | the world changes |
//!
//! After each the engine concerned is drained: packets go into their paths, events and frames to the application.
//! What is due at one time happens in the order of planning.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use cc_engine::{Config, Congestion, CryptoChoice, Engine, EngineStats, Packet, RelayConfig, Time, Trust};
use cc_netem::{Counters, Direction, Path, PathPlan};
use cc_wire::Namespace;

use crate::app::{App, Ctx};
use crate::log::{Log, Record};
use crate::null::NullCrypto;
use crate::random;
use crate::topology::{Crypto, NodeId, NodeSpec, Options, PathId, Role, Topology, WorldError};

mod node;
mod route;

use node::{Inbound, Node};
use route::{Link, Parcel};

/// Unix time at a world's start: in 2027, within every certificate's time.
const UNIX_US: u64 = 1_800_000_000_000_000;
/// Payload buffers kept for the next packets.
const SPARE: usize = 4096;

/// A change of the world.
#[derive(Debug, Clone)]
pub enum Action {
    /// The path does something else from now on, its plan's times counting from now. A NAT loses its binding.
    SetPath(PathId, PathPlan),
    /// The node's engine is gone without a word, like a process that is killed. Nothing for a node that is down.
    Kill(NodeId),
    /// A new engine with the same name and state key, after a kill if it runs.
    Restart(NodeId),
    /// The node's application gets nothing and does nothing; its engine goes on.
    Pause(NodeId),
    /// It gets what has come meanwhile, and goes on. Ticks that have passed are not made up for.
    Resume(NodeId),
}

/// What is due; the numbers are those of nodes, paths and actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Path(PathId),
    Timer(NodeId),
    /// With the life of the node in which it was planned.
    Tick(NodeId, u32),
    Action(usize),
}

/// Engines, their applications, and the network between them, in virtual time.
pub struct World<A> {
    options: Options,
    epoch: Instant,
    /// Certificate and key as PEM; none with the null crypto.
    certificate: Option<(String, String)>,
    trust: Trust,
    now: Time,
    queue: BinaryHeap<Reverse<(Time, u64, Due)>>,
    planned: u64,
    actions: Vec<Option<Action>>,
    nodes: Vec<Node<A>>,
    addresses: Vec<SocketAddr>,
    links: Vec<Link>,
    log: Log,
    buffer: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// Nodes that something has come for; kept for its room.
    woken: Vec<NodeId>,
}

impl<A: App> World<A> {
    /// A world at time 0, each node running and its application started, in the topology's order.
    ///
    /// # Errors
    /// [`WorldError`]: the topology or an option can't be.
    pub fn new(
        options: Options,
        topology: &Topology,
        mut app: impl FnMut(NodeId, &NodeSpec) -> A,
    ) -> Result<World<A>, WorldError> {
        topology.check()?;
        let all = topology.nodes.iter().map(|node| node.congestion.unwrap_or(options.congestion));
        if !options.unrepeatable && all.chain([options.congestion]).any(|congestion| congestion == Congestion::Bbr) {
            return Err(WorldError::Invalid("BBR draws on randomness of its own: a world could not repeat".into()));
        }
        let (certificate, trust) = match options.crypto {
            Crypto::Null => (None, Trust::Pinned([0; 32])),
            Crypto::Tls => identity()?,
        };
        let nodes: Vec<Node<A>> = topology
            .nodes
            .iter()
            .enumerate()
            .map(|(at, spec)| Node::new(spec.clone(), app(at, spec), options.seed))
            .collect();
        let mut world = World {
            epoch: Instant::now(),
            certificate,
            trust,
            now: 0,
            queue: BinaryHeap::new(),
            planned: 0,
            actions: Vec::new(),
            addresses: (0..nodes.len()).map(route::address).collect(),
            nodes,
            links: Vec::with_capacity(topology.paths.len()),
            log: Log::new(options.keep_log),
            buffer: Vec::new(),
            spare: Vec::new(),
            woken: Vec::new(),
            options,
        };
        for (at, spec) in topology.paths.iter().enumerate() {
            let [client, server] = [spec.client, spec.server].map(|node| world.nodes[node].spec.name.as_str());
            // A length keeps ("a", "b>c") and ("a>b", "c") apart.
            let name = format!("{}:{client}>{server}", client.len());
            let path = Path::new(&spec.plan, world.options.seed, &name, 0);
            world.links.push(Link::new(spec.client, spec.server, path));
            for client in spec.clients() {
                world.nodes[client].learn(spec.server, at);
                world.nodes[spec.server].learn(client, at);
            }
        }
        for at in 0..world.nodes.len() {
            world.start(at)?;
        }
        Ok(world)
    }

    /// Virtual time, microseconds since the start.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets `duration` microseconds pass; what is due at its end happens.
    pub fn run(&mut self, duration: Time) {
        let end = self.now.saturating_add(duration);
        while let Some(Reverse((time, _, due))) = self.queue.peek().copied().filter(|Reverse(next)| next.0 <= end) {
            self.queue.pop();
            self.now = time;
            match due {
                Due::Path(path) => self.arrive(path),
                Due::Timer(node) => self.timer(node),
                Due::Tick(node, life) => self.tick(node, life),
                Due::Action(number) => {
                    if let Some(action) = self.actions.get_mut(number).and_then(Option::take) {
                        self.act(action);
                    }
                }
            }
        }
        self.now = end;
    }

    /// Plans an action; at once, if its time has passed, when `run` is called.
    ///
    /// # Errors
    /// [`WorldError::Invalid`]: it names a node or path that is not there.
    pub fn at(&mut self, time: Time, action: Action) -> Result<(), WorldError> {
        let known = match &action {
            Action::SetPath(path, _) => *path < self.links.len(),
            Action::Kill(node) | Action::Restart(node) | Action::Pause(node) | Action::Resume(node) => {
                *node < self.nodes.len()
            }
        };
        if !known {
            return Err(WorldError::Invalid(format!("{action:?} names what is not there")));
        }
        self.actions.push(Some(action));
        self.plan(time, Due::Action(self.actions.len() - 1));
        Ok(())
    }

    /// A node's application.
    pub fn app(&self, node: NodeId) -> Option<&A> {
        self.nodes.get(node).map(|node| &node.app)
    }

    /// All applications, in the nodes' order.
    pub fn apps(&self) -> impl Iterator<Item = &A> {
        self.nodes.iter().map(|node| &node.app)
    }

    /// Acts as a node's application, now. None: it is not running, or not there.
    pub fn with<T>(&mut self, node: NodeId, act: impl FnOnce(&mut A, &mut Ctx<'_>) -> T) -> Option<T> {
        let done = self.call(node, act).map(|(done, _)| done);
        self.drain(node);
        done
    }

    /// Readings of a node's engine. None: it is not running, or not there.
    pub fn stats(&mut self, node: NodeId) -> Option<EngineStats> {
        self.nodes.get_mut(node)?.engine.as_mut().map(Engine::stats)
    }

    /// What one direction of a path did.
    pub fn counters(&self, path: PathId, direction: Direction) -> Option<&Counters> {
        self.links.get(path).map(|link| link.path.counters(direction))
    }

    /// What happened so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn plan(&mut self, time: Time, due: Due) {
        self.planned += 1;
        self.queue.push(Reverse((time.max(self.now), self.planned, due)));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::SetPath(at, plan) => {
                self.links[at].path.set_plan(self.now, &plan);
                let name = &self.nodes[self.links[at].client].label;
                self.log.add(self.now, name, Record::Note("another network"));
                self.plan_path(at);
            }
            Action::Kill(at) => self.kill(at),
            Action::Restart(at) => {
                self.kill(at);
                if let Err(error) = self.start(at) {
                    self.log.add(self.now, &self.nodes[at].label, Record::Note(&error.to_string()));
                }
            }
            Action::Pause(at) => {
                self.nodes[at].paused = true;
                self.log.add(self.now, &self.nodes[at].label, Record::Note("paused"));
            }
            Action::Resume(at) => {
                self.nodes[at].paused = false;
                self.log.add(self.now, &self.nodes[at].label, Record::Note("resumed"));
                for inbound in std::mem::take(&mut self.nodes[at].inbox) {
                    self.tell(at, &inbound);
                }
                self.drain(at);
            }
        }
    }

    fn start(&mut self, at: NodeId) -> Result<(), WorldError> {
        let config = self.config(at);
        let crypto = match self.options.crypto {
            Crypto::Null => CryptoChoice::Custom(Arc::new(NullCrypto)),
            Crypto::Tls => CryptoChoice::Tls,
        };
        let node = &mut self.nodes[at];
        node.engine = Some(Engine::with_crypto(config, crypto, self.now)?);
        node.ticks = 0;
        if let Some(tick) = node.spec.tick {
            let period = u64::from(1_000_000 / tick.hz);
            node.first_tick = self.now.saturating_add(tick.first.unwrap_or_else(|| node.rng.below(period)));
            let (first, life) = (node.first_tick, node.life);
            self.plan(first, Due::Tick(at, life));
        }
        self.log.add(self.now, &self.nodes[at].label, Record::Note("started"));
        self.call(at, |app, ctx| app.start(ctx));
        self.drain(at);
        Ok(())
    }

    fn kill(&mut self, at: NodeId) {
        let node = &mut self.nodes[at];
        if node.engine.take().is_some() {
            node.life += 1;
            node.timer = None;
            node.inbox.clear();
            self.log.add(self.now, &node.label, Record::Note("killed"));
        }
    }

    fn config(&self, at: NodeId) -> Config {
        let (node, options) = (&self.nodes[at], &self.options);
        let (certificate, key) = self.certificate.clone().unwrap_or_default();
        let relay = (node.spec.role == Role::Relay).then(|| RelayConfig {
            certificate_pem: certificate.into_bytes(),
            key_pem: key.into_bytes(),
            open: Some(Namespace::default()),
            max_sessions: self.nodes.len() * 4,
            auth_timeout: 5_000_000,
        });
        Config {
            epoch: self.epoch,
            unix_us: UNIX_US,
            seed: random::seed_bytes(options.seed, "engine", &node.spec.name, node.life),
            state_key: random::seed_bytes(options.seed, "state", &node.spec.name, 0),
            relay,
            profiles: options.profiles.clone(),
            idle_timeout: options.idle_timeout,
            keep_alive: options.keep_alive,
            congestion: node.spec.congestion.unwrap_or(options.congestion),
            limits: options.limits.clone(),
            max_segments: options.max_segments,
        }
    }

    fn timer(&mut self, at: NodeId) {
        let node = &mut self.nodes[at];
        if node.timer != Some(self.now) {
            return;
        }
        node.timer = None;
        let Some(engine) = node.engine.as_mut() else { return };
        if engine.next_timeout().is_some_and(|due| due <= self.now) {
            engine.handle_timeout(self.now);
            self.drain(at);
        } else {
            self.plan_timer(at);
        }
    }

    fn tick(&mut self, at: NodeId, life: u32) {
        let node = &mut self.nodes[at];
        let (Some(tick), true, true) = (node.spec.tick, node.life == life, node.engine.is_some()) else { return };
        let number = node.ticks;
        node.ticks += 1;
        let next = node.first_tick + node.ticks * 1_000_000 / u64::from(tick.hz);
        let paused = node.paused;
        self.plan(next, Due::Tick(at, life));
        if !paused {
            self.call(at, |app, ctx| app.tick(ctx, number));
            self.drain(at);
        }
    }

    /// Lets a running node's application act; what it gives, and whether it said anything to its engine.
    fn call<T>(&mut self, at: NodeId, act: impl FnOnce(&mut A, &mut Ctx<'_>) -> T) -> Option<(T, bool)> {
        let Node { label, engine, app, rng, secret, .. } = self.nodes.get_mut(at)?;
        let mut ctx = Ctx {
            now: self.now,
            label,
            engine: engine.as_mut()?,
            rng,
            log: &mut self.log,
            addresses: &self.addresses,
            trust: &self.trust,
            secret: *secret,
            spoke: false,
        };
        let done = act(app, &mut ctx);
        let spoke = ctx.spoke;
        Some((done, spoke))
    }

    fn tell(&mut self, at: NodeId, inbound: &Inbound) -> bool {
        let told = self.call(at, |app, ctx| match inbound {
            Inbound::Event(event) => app.event(ctx, event),
            Inbound::Frame(frame) => app.frame(ctx, frame),
        });
        told.is_some_and(|((), spoke)| spoke)
    }

    /// Takes all that a node's engine has to give, until it has nothing.
    fn drain(&mut self, at: NodeId) {
        loop {
            self.transmit(at);
            let mut spoke = false;
            while let Some(inbound) = self.nodes.get_mut(at).and_then(Node::poll) {
                let node = &mut self.nodes[at];
                let record = match &inbound {
                    Inbound::Event(event) => Record::Event(event),
                    Inbound::Frame(frame) => Record::Frame(frame),
                };
                self.log.add(self.now, &node.label, record);
                if !node.paused {
                    spoke |= self.tell(at, &inbound);
                } else if matches!(inbound, Inbound::Event(_)) || node.inbox.len() < self.options.inbox {
                    node.inbox.push_back(inbound);
                } else {
                    self.log.add(self.now, &node.label, Record::Overflow);
                }
            }
            if !spoke {
                break;
            }
        }
        self.plan_timer(at);
    }

    /// Plans the engine's timer, if it is earlier than the one planned. A later one is planned when that comes.
    fn plan_timer(&mut self, at: NodeId) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let Some(due) = node.engine.as_mut().and_then(Engine::next_timeout) else { return };
        // Time goes on even for an engine that is never content.
        let due = due.max(self.now + 1);
        if node.timer.is_none_or(|planned| due < planned) {
            node.timer = Some(due);
            self.plan(due, Due::Timer(at));
        }
    }

    fn transmit(&mut self, at: NodeId) {
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            buffer.clear();
            let Some(engine) = self.nodes.get_mut(at).and_then(|node| node.engine.as_mut()) else { break };
            let Some(transmit) = engine.poll_transmit(self.now, &mut buffer) else { break };
            let segment = transmit.segment.unwrap_or(buffer.len()).max(1);
            let route = self.route(at, transmit.to);
            for bytes in buffer.chunks(segment) {
                let name = &self.nodes[at].label;
                let Some((link, to, binding)) = route else {
                    self.log.add(self.now, name, Record::Stray { bytes });
                    continue;
                };
                let link = &mut self.links[link];
                self.log.add(self.now, name, Record::Send { to: &self.nodes[to].label, bytes });
                let mut payload = self.spare.pop().unwrap_or_default();
                payload.clear();
                payload.extend_from_slice(bytes);
                let ecn = transmit.ecn.unwrap_or(0);
                match link.server == at {
                    true => link.path.push_down(self.now, binding, Parcel { client: to, ecn, bytes: payload }),
                    false => link.path.push_up(self.now, Parcel { client: at, ecn, bytes: payload }),
                };
            }
            if let Some((link, ..)) = route {
                self.plan_path(link);
            }
        }
        self.buffer = buffer;
    }

    /// The path from a node to an address, the node there, and the client's binding that is meant.
    fn route(&self, at: NodeId, to: SocketAddr) -> Option<(PathId, NodeId, u32)> {
        let node = route::node(to)?;
        let path = self.nodes[at].path_to(node)?;
        let link = &self.links[path];
        let binding = if link.server == at { link.binding(to.port())? } else { 0 };
        (link.server == at || to.port() == route::PORT).then_some((path, node, binding))
    }

    fn plan_path(&mut self, at: PathId) {
        let link = &mut self.links[at];
        let Some(due) = link.path.next_timeout() else { return };
        if link.due.is_none_or(|planned| due < planned) {
            link.due = Some(due);
            self.plan(due, Due::Path(at));
        }
    }

    fn arrive(&mut self, at: PathId) {
        let link = &mut self.links[at];
        if link.due != Some(self.now) {
            return;
        }
        link.due = None;
        let server = link.server;
        let mut woken = std::mem::take(&mut self.woken);
        while let Some(received) = self.links[at].path.pop(self.now) {
            let link = &mut self.links[at];
            let Parcel { client, ecn, bytes } = received.packet.payload;
            let (node, from) = match received.direction {
                Direction::Up => (server, link.seen(self.addresses[client], received.binding)),
                Direction::Down => (client, self.addresses[server]),
            };
            let local = Some(self.addresses[node].ip());
            match self.nodes[node].engine.as_mut() {
                None => self.log.add(self.now, &self.nodes[node].label, Record::Stray { bytes: &bytes }),
                Some(engine) => {
                    engine.handle(self.now, Packet { from, local, ecn: Some(ecn), payload: &bytes });
                    if !woken.contains(&node) {
                        woken.push(node);
                    }
                }
            }
            if self.spare.len() < SPARE {
                self.spare.push(bytes);
            }
        }
        // What came at one time is answered at once, as from a socket that is read until it is empty.
        woken.sort_unstable_by_key(|node| (*node == server, *node));
        for node in woken.drain(..) {
            self.drain(node);
        }
        self.woken = woken;
        self.plan_path(at);
    }
}

/// A certificate, its key, and the trust in it.
#[allow(clippy::type_complexity, reason = "used once, and taken apart at once")]
fn identity() -> Result<(Option<(String, String)>, Trust), WorldError> {
    let failed = |error: rcgen::Error| WorldError::Invalid(format!("no certificate could be made: {error}"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).map_err(failed)?;
    let mut pin = [0; 32];
    pin.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, made.cert.der()).as_ref());
    Ok((Some((made.cert.pem(), made.signing_key.serialize_pem())), Trust::Pinned(pin)))
}
