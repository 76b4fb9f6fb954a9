//! The world: places, the nodes in them, and what is due. It runs until the time that its owner names, or until a node
//! has something to tell its application, whichever is first. A **live** world's nodes have sockets and threads of their
//! own and the machine's clock, and run by themselves; places are addresses in it, and what passed is recorded alike.
//!
//! | due | and then |
//! |---|---|
//! | a packet on a place's network | it goes on, and in the end to a node |
//! | a packet within a place | to a node |
//! | a node's timer | the node takes it |
//!
//! What is due at one time happens in the order of planning, before the owner is told anything of it.

mod transit;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cc_engine::{CryptoChoice, Packet, Time, Transmit};
use cc_netem::PathPlan;
use cc_shard::{NodeConfig, Setting, Wires};
use cc_sim::null::NullCrypto;
use cc_sim::{seed_bytes, Label, Log, Record};
use clutchcall_core_ffi::inside::Opened;

use crate::place::{self, Parcel, Place};
use crate::qlog::Book;
use crate::recorder::{PlaceId, Shared};

/// Unix time at a world's start: in 2027, within every certificate's time.
const UNIX_US: u64 = 1_800_000_000_000_000;
/// Most places.
const PLACES: usize = 65_536;
/// From a node to another one of the same place, or over networks that delay nothing: the least that anything takes.
const LEAST: Time = 20;
/// Packet buffers kept for the next packets.
const SPARE: usize = 4096;

/// What a world is made of.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// Where all randomness comes from.
    pub(crate) seed: u64,
    /// Real TLS: runs repeat in kind, not in bytes.
    #[serde(default)]
    pub(crate) tls: bool,
    /// Most bytes of the log's lines kept; 0: only their digest.
    #[serde(default)]
    pub(crate) log_bytes: usize,
    /// Keep qlog of every connection.
    #[serde(default)]
    pub(crate) qlog: bool,
    /// Real sockets, threads and time.
    #[serde(default)]
    pub(crate) live: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Path(PlaceId),
    Local,
    Timer(usize),
}

/// One node.
struct Node {
    handle: u64,
    place: PlaceId,
    port: u16,
    began: Time,
    timer: Option<Time>,
    /// None until it is open, and after its end.
    opened: Option<Opened>,
    arrivals: Vec<(SocketAddr, Vec<u8>)>,
    woken: bool,
    /// It has no last words.
    killed: bool,
}

/// What nodes ring, from whatever thread.
#[derive(Default)]
struct Bells {
    orders: Mutex<Vec<usize>>,
    news: Mutex<Vec<usize>>,
    /// What nodes said while they closed: who, to whom, and the datagram.
    words: Mutex<Vec<(usize, SocketAddr, Vec<u8>)>>,
}

fn take<T>(of: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *of.lock().unwrap_or_else(PoisonError::into_inner))
}

fn put<T>(into: &Mutex<Vec<T>>, what: T) {
    into.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

/// The world.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) now: Time,
    /// A live world's time 0.
    epoch: Option<Instant>,
    pub(crate) recorder: Shared,
    pub(crate) places: Vec<Place>,
    /// Where nodes are opened now.
    pub(crate) standing: Option<PlaceId>,
    clock: Arc<AtomicU64>,
    bells: Arc<Bells>,
    nodes: Vec<Node>,
    by_handle: BTreeMap<u64, usize>,
    queue: BinaryHeap<Reverse<(Time, u64, Due)>>,
    planned: u64,
    local: BTreeMap<(Time, u64), (usize, Parcel)>,
    spare: Vec<Vec<u8>>,
    woken: Vec<usize>,
    leaving: Vec<(SocketAddr, Vec<u8>)>,
    /// How many nodes each place has had.
    lives: BTreeMap<PlaceId, u32>,
    /// Drops of nodes that have ended, by place.
    pub(crate) ended_drops: BTreeMap<PlaceId, [u64; 8]>,
    pub(crate) book: Book,
}

impl World {
    pub(crate) fn new(options: Options) -> World {
        let log = if options.log_bytes > 0 { Log::newest(options.log_bytes) } else { Log::new(false) };
        World {
            now: 0,
            epoch: options.live.then(Instant::now),
            options,
            recorder: Shared::new(log),
            places: Vec::new(),
            standing: None,
            clock: Arc::new(AtomicU64::new(0)),
            bells: Arc::default(),
            book: Book::default(),
            nodes: Vec::new(),
            by_handle: BTreeMap::new(),
            queue: BinaryHeap::new(),
            planned: 0,
            local: BTreeMap::new(),
            spare: Vec::new(),
            woken: Vec::new(),
            leaving: Vec::new(),
            lives: BTreeMap::new(),
            ended_drops: BTreeMap::new(),
        }
    }

    /// A further place.
    pub(crate) fn add(&mut self, name: &str, behind: Option<PlaceId>) -> Result<PlaceId, String> {
        if self.places.len() == PLACES {
            return Err(format!("a world has at most {PLACES} places"));
        }
        if behind.is_some_and(|behind| self.places.get(behind).is_none_or(|place| place.behind.is_some())) {
            return Err(format!("{name} stands behind a place that is not there, or stands behind another itself"));
        }
        let first = if self.epoch.is_some() { place::FIRST_LIVE } else { place::FIRST };
        let place = Place::new(name, first, self.places.len(), behind);
        self.recorder.lock().learn(self.places.len(), place.address);
        self.places.push(place);
        Ok(self.places.len() - 1)
    }

    /// Another network for a place.
    pub(crate) fn set_plan(&mut self, at: PlaceId, plan: Option<&PathPlan>) {
        self.places[at].set_plan(self.now, plan, self.options.seed);
        self.plan_path(at);
    }

    /// What a node of a place is opened in.
    pub(crate) fn setting(&mut self, at: PlaceId, handle: u64, config: &mut NodeConfig) -> Result<Setting, String> {
        if let Some(epoch) = self.epoch {
            return Ok(self.live_setting(epoch, at, handle));
        }
        let number = self.nodes.len();
        let life = self.lives.entry(at).or_default();
        *life += 1;
        let life = *life;
        let place = &mut self.places[at];
        let port = place
            .bind(config.bind.port(), number)
            .ok_or_else(|| format!("port {} is in use on this machine, or beyond the world's", config.bind.port()))?;
        let seed = self.options.seed;
        let name = format!("{}:{port}", place.name);
        config.engine.seed = seed_bytes(seed, "engine", &name, life);
        config.engine.state_key = seed_bytes(seed, "state", &name, 0);
        let bells = |ring: fn(&Bells) -> &Mutex<Vec<usize>>| {
            let bells = self.bells.clone();
            Arc::new(move || put(ring(&bells), number)) as cc_shard::Ring
        };
        let words = self.bells.clone();
        let wires = Wires {
            local: SocketAddr::new(place.address, port),
            clock: self.clock.clone(),
            unix_us: UNIX_US + self.now,
            max_segments: 10,
            orders: bells(|bells| &bells.orders),
            news: bells(|bells| &bells.news),
            last_words: Box::new(move |transmit, bytes| {
                let segment = transmit.segment.unwrap_or(bytes.len()).max(1);
                for bytes in bytes.chunks(segment) {
                    put(&words.words, (number, transmit.to, bytes.to_vec()));
                }
            }),
        };
        let tap = self.recorder.tap(at, &place.label, self.now);
        self.list(at, handle, port, self.now);
        let crypto = if self.options.tls { CryptoChoice::Tls } else { CryptoChoice::Custom(Arc::new(NullCrypto)) };
        let qlog = self.options.qlog.then(|| self.book.open(at, port, self.now));
        Ok(Setting { crypto, wires: Some(wires), tap: Some(tap), qlog, ..Setting::default() })
    }

    /// What a node of a live world is opened in: all nodes show the world's own time.
    fn live_setting(&mut self, epoch: Instant, at: PlaceId, handle: u64) -> Setting {
        let tap = self.recorder.tap(at, &self.places[at].label, 0);
        self.list(at, handle, 0, 0);
        let qlog = self.options.qlog.then(|| self.book.open(at, 0, 0));
        Setting { epoch: Some(epoch), tap: Some(tap), qlog, ..Setting::default() }
    }

    /// A further node, which is about to be opened.
    fn list(&mut self, place: PlaceId, handle: u64, port: u16, began: Time) {
        self.by_handle.insert(handle, self.nodes.len());
        self.nodes.push(Node {
            handle,
            place,
            port,
            began,
            timer: None,
            opened: None,
            arrivals: Vec::new(),
            woken: false,
            killed: false,
        });
    }

    /// Looks at the clock, where it goes by itself.
    pub(crate) fn look(&mut self) {
        if let Some(epoch) = self.epoch {
            self.set(epoch.elapsed().as_micros() as Time);
        }
    }

    /// The node of the last `setting` is open, or could not be.
    pub(crate) fn opened(&mut self, handle: u64, opened: Option<Opened>) {
        match (self.by_handle.get(&handle).copied(), opened) {
            (Some(number), Some(opened)) => {
                self.nodes[number].opened = Some(opened);
                if self.epoch.is_none() {
                    self.exchange(number);
                }
            }
            _ => {
                let Some(failed) = self.nodes.last() else { return };
                let (place, port) = (failed.place, failed.port);
                self.places[place].ports.remove(&port);
            }
        }
    }

    /// A node is about to be closed: its readings are kept, its port is free.
    pub(crate) fn closing(&mut self, handle: u64) {
        let Some(number) = self.by_handle.remove(&handle) else { return };
        self.end(number);
        self.nodes[number].opened = None;
        if self.epoch.is_none() {
            self.recorder.lock().leave(self.now, self.nodes[number].place);
        }
    }

    fn end(&mut self, number: usize) {
        let node = &self.nodes[number];
        let (place, port) = (node.place, node.port);
        if let Some(stats) = node.opened.as_ref().and_then(|opened| opened.node().stats().ok()) {
            let sum = self.ended_drops.entry(place).or_default();
            sum.iter_mut().zip(stats.engine.drops).for_each(|(sum, add)| *sum += add);
        }
        if self.places[place].ports.get(&port) == Some(&number) {
            self.places[place].ports.remove(&port);
        }
    }

    /// All nodes of a place are gone without a word; whoever holds their handles closes them.
    pub(crate) fn kill(&mut self, at: PlaceId) {
        let here: Vec<usize> = (0..self.nodes.len()).filter(|number| self.nodes[*number].place == at).collect();
        for number in here {
            self.end(number);
            if self.epoch.is_some() {
                // Closed already: then it has said what it had to say.
                let _ = self.nodes[number].opened.as_ref().map(|opened| opened.node().vanish());
            }
            let node = &mut self.nodes[number];
            self.by_handle.remove(&node.handle);
            node.opened = None;
            node.killed = true;
        }
        self.recorder.lock().kill(self.now, at);
        self.note(Some(at), "killed");
    }

    /// Drops at a place so far, by reason.
    pub(crate) fn drops(&self, at: PlaceId) -> [u64; 8] {
        let mut sum = self.ended_drops.get(&at).copied().unwrap_or_default();
        for node in self.nodes.iter().filter(|node| node.place == at) {
            if let Some(stats) = node.opened.as_ref().and_then(|opened| opened.node().stats().ok()) {
                sum.iter_mut().zip(stats.engine.drops).for_each(|(sum, add)| *sum += add);
            }
        }
        sum
    }

    /// A line in the log.
    pub(crate) fn note(&self, at: Option<PlaceId>, text: &str) {
        let world = Label::new("world");
        let label = at.and_then(|at| self.places.get(at)).map_or(&world, |place| &place.label);
        self.recorder.lock().log.add(self.now, label, Record::Note(text));
    }

    /// Runs until `until`, or until nodes have news; the handles of at most `most`.
    pub(crate) fn run(&mut self, until: Time, most: usize) -> Vec<u64> {
        loop {
            self.settle();
            let now = self.now;
            let next = self.queue.peek().map(|Reverse(next)| next.0);
            if next.is_none_or(|next| next > now) {
                let news = self.news(most);
                if !news.is_empty() {
                    return news;
                }
            }
            let Some(next) = next.filter(|next| *next <= until) else {
                self.set(until.max(now));
                return Vec::new();
            };
            self.set(next);
            let Some(Reverse((_, _, due))) = self.queue.pop() else { continue };
            match due {
                Due::Path(place) => self.arrive(place),
                Due::Local => self.arrive_locally(),
                Due::Timer(node) => self.timer(node),
            }
        }
    }

    fn set(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.clock.store(self.now, Ordering::Release);
    }

    fn news(&self, most: usize) -> Vec<u64> {
        let mut news = take(&self.bells.news);
        news.sort_unstable();
        news.dedup();
        news.retain(|number| self.nodes[*number].opened.is_some());
        // The rest is told by the next call.
        news.iter().skip(most).for_each(|number| put(&self.bells.news, *number));
        news.iter().take(most).map(|number| self.nodes[*number].handle).collect()
    }

    /// Lets everything happen that has to happen before time goes on.
    fn settle(&mut self) {
        for (number, to, bytes) in take(&self.bells.words) {
            if !self.nodes[number].killed {
                self.send(number, to, bytes);
            }
        }
        loop {
            let mut woken = std::mem::take(&mut self.woken);
            woken.extend(take(&self.bells.orders));
            if woken.is_empty() {
                return;
            }
            for number in woken {
                self.exchange(number);
            }
        }
    }

    fn plan(&mut self, time: Time, due: Due) {
        self.planned += 1;
        self.queue.push(Reverse((time.max(self.now), self.planned, due)));
    }

    fn timer(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if node.timer == Some(self.now) {
            node.timer = None;
            self.exchange(number);
        }
    }

    /// Gives a node what arrived for it, and takes what it sends.
    fn exchange(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.woken = false;
        let mut arrivals = std::mem::take(&mut node.arrivals);
        let Some(opened) = node.opened.clone() else { return };
        let local = Some(self.places[node.place].address);
        let packets = arrivals.iter().map(|(from, bytes)| Packet { from: *from, local, ecn: None, payload: bytes });
        let mut leaving = std::mem::take(&mut self.leaving);
        let spare = &mut self.spare;
        let next = opened.node().exchange(packets, |transmit: &Transmit, bytes| {
            let segment = transmit.segment.unwrap_or(bytes.len()).max(1);
            for bytes in bytes.chunks(segment) {
                let mut own = spare.pop().unwrap_or_default();
                own.clear();
                own.extend_from_slice(bytes);
                leaving.push((transmit.to, own));
            }
        });
        for (_, bytes) in arrivals.drain(..) {
            self.keep(bytes);
        }
        self.nodes[number].arrivals = arrivals;
        for (to, bytes) in leaving.drain(..) {
            self.send(number, to, bytes);
        }
        self.leaving = leaving;
        let began = self.nodes[number].began;
        // A node that has failed or is closed has no timers.
        let Some(due) = next.ok().filter(|next| *next != Time::MAX) else { return };
        let due = (began + due).max(self.now + 1);
        if self.nodes[number].timer.is_none_or(|planned| due < planned) {
            self.nodes[number].timer = Some(due);
            self.plan(due, Due::Timer(number));
        }
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            self.spare.push(bytes);
        }
    }
}
