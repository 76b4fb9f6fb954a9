//! Several shards on one port: how they are made, and made again.
//!
//! Each has a thread, a socket and an engine; all of them have one certificate, one state key (so that any of them knows
//! the others' stateless resets, retry tokens and tickets), one clock and one outbox. A shard that panics gets another
//! engine in its place, on the same socket: its clients learn from stateless resets that their connections are gone, and
//! dial again; the other shards only see their session with it begin anew. One that fails too often in a row ends the
//! node.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cc_engine::{Config, CryptoChoice, Engine, EngineStats, Event, OwnIds, ShardConfig, Time};
use cc_udp::{Group, GroupError, Steering};

use crate::bell::Bell;
use crate::clock::Clock;
use crate::config::{NodeConfig, OpenError};
use crate::inbox::Inbox;
use crate::lines::lines;
use crate::lock::lock;
use crate::outbox::{NodeEvent, Outbox};
use crate::roster::Roster;
use crate::setting::Setting;
use crate::thread::{Core, OPEN};
use crate::worker::{Counters, Shard, Shared, Worker};

/// So many faults of a shard within [`FAULTS_TIME`] end the node.
const FAULTS: usize = 8;
/// Microseconds.
const FAULTS_TIME: Time = 60_000_000;

/// Why a thread could not go on.
pub(crate) enum Failed {
    Socket(std::io::Error),
    Fault(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Socket(e) => write!(f, "the UDP socket is unusable: {e}; open a new node"),
            Failed::Fault(words) => {
                write!(f, "a fault inside the core ended the node: {words}; please report it, and open a new node")
            }
        }
    }
}

/// What one of several shards knows of how it was made, and of the others.
pub(crate) struct Crew {
    index: usize,
    config: Config,
    crypto: CryptoChoice,
    steering: Steering,
    connections: Arc<[AtomicUsize]>,
    /// When it failed of late.
    faults: Mutex<Vec<Time>>,
    began: AtomicU64,
    /// Which shards have something to finish before the node closes.
    busy: Arc<[AtomicBool]>,
    inboxes: Vec<Arc<Inbox>>,
}

impl Crew {
    /// An engine for this shard; no two have the same randomness.
    fn engine(&self, after: (u64, u64), now: Time) -> Result<Engine, OpenError> {
        let beginning = self.began.fetch_add(1, Ordering::Relaxed);
        let mut config = self.config.clone();
        let place = (self.index as u64).to_le_bytes().into_iter().chain(beginning.to_le_bytes());
        config.seed.iter_mut().zip(place).for_each(|(byte, place)| *byte ^= place);
        let (index, steering) = (self.index, self.steering);
        let ids = OwnIds(Arc::new(move |id: &[u8]| steering.of_id(id) == index));
        let count = self.busy.len();
        let shard = ShardConfig { index, count, ids, after, connections: self.connections.clone() };
        Engine::of_shard(config, self.crypto.clone(), Some(shard), now).map_err(OpenError::Config)
    }

    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy[self.index].store(busy, Ordering::SeqCst);
    }

    /// Whether another shard has something to finish.
    pub(crate) fn others_busy(&self) -> bool {
        self.busy.iter().enumerate().any(|(at, busy)| at != self.index && busy.load(Ordering::SeqCst))
    }

    /// The node is over: every thread is to look at its state.
    pub(crate) fn end_all(&self) {
        self.set_busy(false);
        for inbox in &self.inboxes {
            inbox.close();
            inbox.rouse();
        }
    }

    /// Whether the shard fails too often to be started again.
    fn gives_up(&self, now: Time) -> bool {
        let mut faults = lock(&self.faults);
        faults.retain(|at| now.saturating_sub(*at) < FAULTS_TIME);
        faults.push(now);
        faults.len() > FAULTS
    }
}

impl Core {
    /// Starts the shard again in its place, if it is one of several and has not failed too often.
    pub(crate) fn begin_anew(&self, failed: Failed) -> Result<(), Failed> {
        let (Some(crew), Failed::Fault(words)) = (&self.crew, &failed) else { return Err(failed) };
        let now = self.clock.now();
        if crew.gives_up(now) {
            return Err(failed);
        }
        let mut worker = self.grab();
        let Ok(engine) = crew.engine(worker.last_ids(), now) else { return Err(failed) };
        // What is left of the old engine may be in any state: reading or dropping it may fail, too.
        let counted = catch_unwind(AssertUnwindSafe(|| worker.engine().stats()));
        worker.bury(counted.unwrap_or_else(|_| EngineStats::default()));
        let index = crew.index;
        let why = format!("a fault ended shard {index}, which was started again: {words}; please report it");
        let old = worker.begin_anew(engine, &self.shared, now, why);
        let _ = catch_unwind(AssertUnwindSafe(move || drop(old)));
        self.shared.counters.restarts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What [`open`] makes; no thread runs yet.
pub(crate) struct Opened {
    pub(crate) cores: Vec<Arc<Core>>,
    pub(crate) group: Group,
    pub(crate) local: SocketAddr,
}

/// Opens the sockets and makes the engines.
pub(crate) fn open(config: &NodeConfig, setting: Setting) -> Result<Opened, OpenError> {
    let count = config.shards;
    let steering = Steering::new(cc_engine::steering_key(&config.engine.state_key), count);
    let group = match setting.way {
        None => Group::bind(config.bind, &config.socket, steering),
        Some(way) => Group::bind_by(config.bind, &config.socket, steering, way),
    };
    let group = group.map_err(|error| match error {
        GroupError::Bind(error) => OpenError::Bind(error),
        GroupError::Refused { source, .. } => OpenError::Io(source),
    })?;
    let clock = Clock::real(setting.epoch.unwrap_or_else(Instant::now));
    let first = &group.sockets()[0];
    let local = first.local_addr().map_err(OpenError::Io)?;
    let mut engine = config.engine.clone();
    engine.epoch = clock.epoch();
    engine.unix_us = Clock::unix_us().saturating_sub(clock.now());
    engine.max_segments = first.capabilities().gso.max(1);
    let outbox = Arc::new(Outbox::new(Bell::waker().map_err(OpenError::Io)?));
    let mut told: Vec<NodeEvent> = first
        .degraded()
        .into_iter()
        .chain(group.degraded().map(str::to_owned))
        .map(|text| NodeEvent::Engine(Event::Warning { text }))
        .collect();
    if !told.is_empty() {
        outbox.push(&mut told);
        outbox.signal();
    }
    let inboxes = (0..count)
        .map(|_| Ok(Arc::new(Inbox::new(Bell::waker()?))))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(OpenError::Io)?;
    let busy: Arc<[AtomicBool]> = (0..count).map(|_| AtomicBool::new(true)).collect();
    let connections: Arc<[AtomicUsize]> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let state = Arc::new(AtomicU8::new(OPEN));
    let linger = Arc::new(AtomicU64::new(0));
    let mute = Arc::new(AtomicBool::new(false));
    let mut cores = Vec::with_capacity(count);
    for (index, lines) in lines(&inboxes).into_iter().enumerate() {
        let crew = Crew {
            index,
            config: engine.clone(),
            crypto: setting.crypto.clone(),
            steering,
            connections: connections.clone(),
            faults: Mutex::default(),
            began: AtomicU64::new(0),
            busy: busy.clone(),
            inboxes: inboxes.clone(),
        };
        let made = crew.engine((0, 0), clock.now())?;
        let shard = Shard {
            index,
            steering,
            lines,
            fault: setting.fault.clone(),
            roster: Roster::default(),
            past: EngineStats::default(),
        };
        cores.push(Arc::new(Core {
            shared: Shared {
                socket: Some(group.sockets()[index].clone()),
                inbox: inboxes[index].clone(),
                outbox: outbox.clone(),
                counters: Counters::default(),
            },
            clock: clock.clone(),
            state: state.clone(),
            linger: linger.clone(),
            mute: mute.clone(),
            worker: Mutex::new(Worker::new(made, None, Some(shard))),
            crew: Some(crew),
            turn: Mutex::new(()),
            wires: None,
        }));
    }
    Ok(Opened { cores, group, local })
}
