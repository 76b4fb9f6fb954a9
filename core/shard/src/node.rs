//! The node: what its owner holds.

mod readings;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use cc_engine::{
    Command, ConfigError, Engine, Event, Outgoing, Packet, Place, PublicationId, PublicationShared, SessionId,
    ShardConfig, SubscribeConfig, SubscriptionId, Time, TrackConfig, Transmit,
};
use cc_udp::{Group, Socket, Waker};

use crate::bell::Bell;
use crate::clock::Clock;
use crate::config::{Drive, NodeConfig, NodeError, OpenError};
use crate::crew::{self, Opened};
use crate::feed::Feed;
use crate::inbox::{Inbox, Order};
use crate::lock::lock;
use crate::outbox::{NodeEvent, Outbox};
use crate::publication::{Fate, Frame, Publication};
use crate::setting::Setting;
use crate::thread::{Core, CLOSED, CLOSING, FAILED, OPEN};
use crate::worker::{Counters, Shared, Worker};

pub use readings::NodeStats;

/// An engine, its socket, and what drives it, or several of them on one port. Closed when dropped.
///
/// Every method may be called from any thread and returns at once; [`close`](Node::close) waits for what is queued, as
/// long as it is told, and for the thread, 200 ms at most. Readings take the engine's lock: they wait for the pass that is under way, and the next pass for them.
pub struct Node {
    /// The shards; the first serves what is the node's own.
    cores: Vec<Arc<Core>>,
    drive: Drive,
    local: SocketAddr,
    object_bytes: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Keeps the steering program.
    _group: Option<Group>,
}

impl Node {
    /// Opens the socket, makes the engine and starts the thread.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left behind.
    pub fn open(config: NodeConfig) -> Result<Node, OpenError> {
        Node::open_in(config, Setting::default())
    }

    /// As [`open`](Node::open), in another setting. With [`Wires`](crate::Wires) nothing of the system is opened, neither `bind` nor
    /// the socket's options are looked at, and there is no thread whatever `drive` says.
    ///
    /// # Errors
    /// As [`open`](Node::open).
    pub fn open_in(mut config: NodeConfig, setting: Setting) -> Result<Node, OpenError> {
        if config.shards > 1 {
            return Node::open_shards(config, setting);
        }
        #[cfg(feature = "qlog")]
        let qlog = setting.qlog.clone();
        let Setting { crypto, wires, epoch, tap, .. } = setting;
        let socket = match &wires {
            Some(_) => None,
            None => Some(Arc::new(Socket::bind(config.bind, &config.socket).map_err(OpenError::Bind)?)),
        };
        let clock = match (&wires, config.drive) {
            (Some(wires), _) => Clock::shared(wires.clock.clone()),
            (None, Drive::Thread) => Clock::real(epoch.unwrap_or_else(Instant::now)),
            (None, Drive::Caller) => Clock::told(),
        };
        let object_bytes = config.engine.limits.object_bytes;
        let mut engine = config.engine;
        engine.epoch = clock.epoch();
        let (local, inbox, outbox) = match &wires {
            Some(wires) => {
                config.drive = Drive::Caller;
                engine.unix_us = wires.unix_us;
                engine.max_segments = wires.max_segments.max(1);
                (wires.local, Bell::Ring(wires.orders.clone()), Bell::Ring(wires.news.clone()))
            }
            None => (
                socket_address(socket.as_deref())?,
                Bell::waker().map_err(OpenError::Io)?,
                Bell::waker().map_err(OpenError::Io)?,
            ),
        };
        let mut degraded = Vec::new();
        if let Some(socket) = &socket {
            engine.unix_us = Clock::unix_us().saturating_sub(clock.now());
            engine.max_segments = socket.capabilities().gso.max(1);
            degraded = socket.degraded();
        }
        #[cfg_attr(not(feature = "qlog"), allow(unused_mut))] // only qlog is set afterwards
        let mut engine = Engine::with_crypto(engine, crypto, clock.now()).map_err(OpenError::Config)?;
        #[cfg(feature = "qlog")]
        if let Some(open) = qlog {
            engine.set_qlog(open);
        }
        let (inbox, outbox) = (Arc::new(Inbox::new(inbox)), Arc::new(Outbox::new(outbox)));
        let shared = Shared { socket, inbox, outbox, counters: Counters::default() };
        if !degraded.is_empty() {
            let mut events = degraded.into_iter().map(|text| NodeEvent::Engine(Event::Warning { text })).collect();
            shared.outbox.push(&mut events);
            shared.outbox.signal();
        }
        let core = Arc::new(Core {
            shared,
            clock,
            state: Arc::new(AtomicU8::new(OPEN)),
            linger: Arc::default(),
            mute: Arc::default(),
            worker: Mutex::new(Worker::new(engine, tap, None)),
            crew: None,
            turn: Mutex::new(()),
            wires,
        });
        let threads = match config.drive {
            Drive::Caller => Vec::new(),
            Drive::Thread => vec![core.start("clutchcall-io".to_owned()).map_err(OpenError::Io)?],
        };
        let (cores, threads) = (vec![core], Mutex::new(threads));
        Ok(Node { cores, drive: config.drive, local, object_bytes, threads, _group: None })
    }

    /// As [`open_in`](Node::open_in), with several shards.
    fn open_shards(config: NodeConfig, setting: Setting) -> Result<Node, OpenError> {
        let refuse = |why: &str| OpenError::Config(ConfigError::Value(why.to_owned()));
        if config.drive == Drive::Caller || setting.wires.is_some() || setting.tap.is_some() {
            return Err(refuse("several shards have a thread each: a node that its caller drives has one"));
        }
        if config.engine.relay.is_none() {
            return Err(refuse("several shards serve sessions: a node that is no relay has one"));
        }
        if config.shards > cc_udp::MAX_SHARDS {
            return Err(refuse(&format!("{} shards, at most {} share a port", config.shards, cc_udp::MAX_SHARDS)));
        }
        let Opened { cores, group, local } = crew::open(&config, setting)?;
        let mut node = Node {
            cores,
            drive: Drive::Thread,
            local,
            object_bytes: config.engine.limits.object_bytes,
            threads: Mutex::default(),
            _group: Some(group),
        };
        for (index, core) in node.cores.iter().enumerate() {
            // What was started already is closed with the node.
            let thread = core.start(format!("clutchcall-io{index}")).map_err(OpenError::Io)?;
            lock(&node.threads).push(thread);
        }
        node.object_bytes = config.engine.limits.object_bytes;
        Ok(node)
    }

    /// The shard that serves what is the node's own.
    fn core(&self) -> &Arc<Core> {
        &self.cores[0]
    }

    /// The shard that a session is on.
    fn core_of(&self, session: SessionId) -> &Arc<Core> {
        &self.cores[ShardConfig::of_session(session, self.cores.len())]
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.cores.len()
    }

    /// The address and port in use.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What becomes readable when events or frames wait; [`poll`](Node::poll) clears it. None: the node has wires.
    pub fn waker(&self) -> Option<&Waker> {
        self.core().shared.outbox.bell().as_waker()
    }

    /// Now on the node's clock, microseconds.
    pub fn now(&self) -> Time {
        self.core().clock.now()
    }

    /// Does all I/O and timers due at `now`, and says when to call again at the latest. A `now` before the last one
    /// counts as the last one.
    ///
    /// # Errors
    /// [`NodeError::WrongDrive`] for a node with a thread; [`NodeError::Closed`].
    pub fn drive(&self, now: Time) -> Result<Time, NodeError> {
        let core = self.core();
        if self.drive == Drive::Thread || core.wires.is_some() {
            return Err(NodeError::WrongDrive);
        }
        let mut worker = core.hold()?;
        let now = core.clock.tell(now);
        let before = cc_udp::thread_cpu_time();
        let pass = core.guard(|core| worker.pass(&core.shared, now))?;
        let used = cc_udp::thread_cpu_time().saturating_sub(before);
        core.shared.counters.cpu_us.fetch_add(used.as_micros() as u64, Ordering::Relaxed);
        Ok(if pass.again { now } else { pass.next.unwrap_or(Time::MAX) })
    }

    /// A node with [`Wires`](crate::Wires): takes in what arrived, does all that is due now, and gives everything that leaves. When to
    /// call again at the latest, on the node's clock.
    ///
    /// # Errors
    /// [`NodeError::WrongDrive`] for a node with a socket; [`NodeError::Closed`].
    pub fn exchange<'a>(
        &self,
        arrivals: impl Iterator<Item = Packet<'a>>,
        mut departures: impl FnMut(&Transmit, &[u8]),
    ) -> Result<Time, NodeError> {
        let core = self.core();
        if core.wires.is_none() {
            return Err(NodeError::WrongDrive);
        }
        let mut worker = core.hold()?;
        let now = core.clock.now();
        let next = core.guard(|core| {
            let next = worker.exchange(&core.shared, now, arrivals, &mut departures);
            // An order that comes from now on rings.
            core.shared.inbox.may_sleep();
            Ok(next)
        })?;
        Ok(next.unwrap_or(Time::MAX))
    }

    /// Gives the engine a command.
    ///
    /// # Errors
    /// [`NodeError::Closed`], [`NodeError::Full`].
    pub fn command(&self, command: Command) -> Result<(), NodeError> {
        self.core().check()?;
        let core = match &command {
            Command::Accept(session, _)
            | Command::Refuse(session, ..)
            | Command::CloseSession(session, ..)
            | Command::AcceptRequest(session, ..)
            | Command::RefuseRequest(session, ..) => self.core_of(*session),
            Command::Goaway(uri, timeout_ms) => {
                for core in &self.cores[1..] {
                    let goaway = Command::Goaway(uri.clone(), *timeout_ms);
                    core.shared.inbox.push(Order::Command(goaway))?;
                }
                self.core()
            }
            _ => self.core(),
        };
        core.shared.inbox.push(Order::Command(command))
    }

    /// Publishes a track under an id of the caller's choice.
    ///
    /// # Errors
    /// As [`command`](Node::command).
    pub fn publish(&self, id: PublicationId, place: Place, config: TrackConfig) -> Result<Publication, NodeError> {
        let shared = Arc::new(PublicationShared::default());
        if place == Place::Node {
            // A relay's own track needs no link, and who wants it is known with the next pass: until then, send.
            shared.connected.store(true, Ordering::Release);
            shared.subscribers.store(1, Ordering::Release);
        }
        let publication = Publication::new(id, &config, shared.clone(), self.object_bytes);
        self.command(Command::Publish(id, place, Box::new(config), shared))?;
        Ok(publication)
    }

    /// Subscribes under an id of the caller's choice; what comes lies in the feed, at most `feed_bytes` of it.
    ///
    /// # Errors
    /// As [`command`](Node::command).
    pub fn subscribe(
        &self,
        id: SubscriptionId,
        place: Place,
        config: SubscribeConfig,
        feed_bytes: usize,
    ) -> Result<Arc<Feed>, NodeError> {
        self.core().check()?;
        let core = Arc::downgrade(self.core());
        let feed = Arc::new(Feed::with_relief(feed_bytes, move || {
            if let Some(core) = core.upgrade() {
                // A node that is closed, or drowns in orders, delivers no more anyway.
                let _ = core.shared.inbox.push(Order::Drained(id));
            }
        }));
        self.core().shared.inbox.push(Order::Subscribe(id, place, Box::new(config), feed.clone()))?;
        Ok(feed)
    }

    /// Sends frames of any of this node's publications: one copy into one allocation, one lock, at most one wake.
    /// `fates[i]` says what became of `frames[i]`; frames beyond `fates` are not looked at.
    pub fn send(&self, frames: &[Frame<'_>], fates: &mut [Fate]) {
        let frames = &frames[..frames.len().min(fates.len())];
        if self.core().check().is_err() {
            fates.fill(Fate::Closed);
            return;
        }
        let mut bytes = 0;
        for (frame, fate) in frames.iter().zip(fates.iter_mut()) {
            *fate =
                frame.publication.admit(frame.payload.len(), frame.properties.len(), frame.new_group, frame.end_group);
            if *fate == Fate::Queued {
                bytes += frame.payload.len() + frame.properties.len();
            }
        }
        if !fates.contains(&Fate::Queued) {
            return;
        }
        let mut data = Vec::with_capacity(bytes);
        for (frame, _) in frames.iter().zip(fates.iter()).filter(|(_, fate)| **fate == Fate::Queued) {
            data.extend_from_slice(frame.payload);
            data.extend_from_slice(frame.properties);
        }
        let mut data = Bytes::from(data);
        let queued = frames.iter().zip(fates.iter()).filter(|(_, fate)| **fate == Fate::Queued);
        let outgoing = queued.map(|(frame, _)| Outgoing {
            publication: frame.publication.id(),
            payload: data.split_to(frame.payload.len()),
            properties: data.split_to(frame.properties.len()),
            priority: frame.priority,
            ttl: frame.ttl,
            new_group: frame.new_group,
            end_group: frame.end_group,
        });
        let (taken, refusal) = match self.core().shared.inbox.send(outgoing) {
            Ok(taken) => (taken, Fate::NoRoom),
            Err(_) => (0, Fate::Closed),
        };
        let late = frames.iter().zip(fates.iter_mut()).filter(|(_, fate)| **fate == Fate::Queued).skip(taken);
        for (frame, fate) in late {
            frame.publication.give_back(frame.payload.len());
            *fate = refusal;
        }
    }

    /// Whether frames make the waker readable too, as at first; events always do. What waits already is not told again.
    pub fn wake_frames(&self, on: bool) {
        self.core().shared.outbox.wake_frames(on);
    }

    /// Moves up to `most` events into `into`. Works on a closed node too, which may have last words.
    pub fn poll(&self, most: usize, into: &mut Vec<NodeEvent>) {
        self.core().shared.outbox.poll(most, into);
    }

    /// Ends the node without a word to anyone, as if its process were gone; what is queued is lost.
    ///
    /// # Errors
    /// As [`close`](Node::close).
    pub fn vanish(&self) -> Result<(), NodeError> {
        self.core().mute.store(true, Ordering::SeqCst);
        self.close(0)
    }

    /// Ends the node's publications, says goodbye to every link and session, and ends the thread. What is queued of the
    /// publications has `linger` microseconds to leave, and Text to arrive; a node that its caller drives does not wait.
    /// Events that wait can still be polled.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when it is closed already, or being closed by another thread.
    pub fn close(&self, linger: Time) -> Result<(), NodeError> {
        let core = self.core();
        core.linger.store(linger, Ordering::SeqCst);
        let begun = core.state.compare_exchange(OPEN, CLOSING, Ordering::SeqCst, Ordering::SeqCst);
        if begun.is_err_and(|state| state != FAILED) {
            return Err(NodeError::Closed);
        }
        for core in &self.cores {
            core.shared.inbox.close();
            core.shared.inbox.rouse();
        }
        let threads = std::mem::take(&mut *lock(&self.threads));
        let threaded = !threads.is_empty();
        for thread in threads {
            // The thread's panics are caught inside; there is nothing to hear from it.
            let _ = thread.join();
        }
        if !threaded && begun.is_ok() {
            let mut worker = core.grab();
            let _ = core.guard(|core| core.goodbye(&mut worker));
        }
        if begun.is_err() {
            core.state.store(CLOSED, Ordering::SeqCst);
            return Ok(());
        }
        for core in &self.cores {
            core.grab().release();
            core.shared.inbox.clear();
        }
        let _ = core.state.compare_exchange(CLOSING, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.close(0);
    }
}

fn socket_address(socket: Option<&Socket>) -> Result<SocketAddr, OpenError> {
    let none = || std::io::Error::from(std::io::ErrorKind::NotConnected);
    socket.ok_or_else(none).and_then(Socket::local_addr).map_err(OpenError::Io)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cc_engine::{Config, Congestion, Limits};
    use cc_udp::SocketOptions;

    use super::*;

    fn config(drive: Drive) -> NodeConfig {
        NodeConfig {
            bind: "127.0.0.1:0".parse().unwrap(),
            socket: SocketOptions::default(),
            engine: Config {
                epoch: std::time::Instant::now(),
                unix_us: 0,
                seed: [1; 32],
                state_key: [2; 32],
                relay: None,
                profiles: cc_wire::Profile::PREFERRED.to_vec(),
                idle_timeout: 30_000_000,
                keep_alive: 5_000_000,
                congestion: Congestion::Realtime,
                limits: Limits::default(),
                max_segments: 1,
            },
            drive,
            shards: 1,
        }
    }

    #[test]
    fn a_fault_ends_the_node_and_is_told_once() {
        let node = Node::open(config(Drive::Caller)).unwrap();
        node.drive(1).unwrap();
        let answer = node.core().guard(|_| -> std::io::Result<()> { panic!("number {}", 7) });
        assert_eq!(answer, Err(NodeError::Closed));
        assert_eq!(node.drive(2), Err(NodeError::Closed));
        assert_eq!(node.command(Command::Goaway(String::new(), 0)), Err(NodeError::Closed));
        assert!(node.stats().is_err());
        let mut events = Vec::new();
        node.poll(10, &mut events);
        assert!(matches!(&events[..], [NodeEvent::Failed(why)] if why.contains("number 7")));
        assert_eq!(node.close(0), Ok(()));
        assert_eq!(node.close(0), Err(NodeError::Closed));
    }

    #[test]
    fn an_unusable_socket_ends_the_node() {
        let node = Node::open(config(Drive::Caller)).unwrap();
        let answer = node.core().guard(|_| -> std::io::Result<()> { Err(std::io::Error::other("gone")) });
        assert_eq!(answer, Err(NodeError::Closed));
        let mut events = Vec::new();
        node.poll(10, &mut events);
        assert!(matches!(&events[..], [NodeEvent::Failed(why)] if why.contains("gone")));
    }

    #[test]
    fn a_thread_that_sleeps_is_ended_at_once() {
        let node = Node::open(config(Drive::Thread)).unwrap();
        assert_eq!(node.drive(0), Err(NodeError::WrongDrive));
        let began = std::time::Instant::now();
        assert_eq!(node.close(500_000), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(node.command(Command::Goaway(String::new(), 0)), Err(NodeError::Closed));
    }

    #[test]
    fn a_node_without_work_stays_asleep() {
        let node = Node::open(config(Drive::Thread)).unwrap();
        // Each order costs one pass, and a sleeping thread none: a loop that spins would make thousands.
        for _ in 0..20 {
            node.command(Command::Goaway(String::new(), 0)).unwrap();
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let receives = node.stats().unwrap().receives;
        assert!(receives <= 45, "{receives} receive calls for 20 orders");
    }
}
