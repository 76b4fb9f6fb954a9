//! What passed between nodes and their applications: how long frames took, what of the reliable ones is missing, who
//! lost whom. Filled by a [`Tap`] a node; times are the world's, microseconds.
//!
//! A frame is known by its track's name, group and object, which no relay changes, so nothing has to be in its bytes.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cc_engine::{flag, Command, Delivery, Event, LinkId, PublicationId, Reason, SessionId, SubscriptionId, Time};
use cc_engine::{TrackConfig, TrackId, TrackKind};
use cc_shard::Tap;
use cc_sim::{Histogram, Label, Log, Record};
use cc_wire::TrackName;
use serde::Serialize;

/// Frames of a track whose sending is remembered: two minutes at 60 Hz and more.
const FRAMES_KEPT: usize = 8192;
/// How long what was said may be under way where losses are repaired: it goes with its publisher.
const UNDER_WAY: Time = 2_000_000;
/// Messages of a Text track that are remembered.
const MESSAGES_KEPT: usize = 1 << 20;
/// Losses of links and sessions, and other lines, that are kept.
const LINES_KEPT: usize = 10_000;
/// Width of the bins of a snapshot's age, and how many there are; the last takes what is older.
const AGE_STEP: Time = 1_000;
const AGE_BINS: usize = 10_000;

/// A place in the world, by its number.
pub(crate) type PlaceId = usize;
/// A track of the world, by its number here.
type Name = usize;

/// A frame or message that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    group: u64,
    object: u64,
    time: Time,
}

/// A track as its publisher knows it.
#[derive(Debug, Default)]
struct Published {
    text: bool,
    latest_wins: bool,
    sent: VecDeque<Sent>,
    /// Where its publisher is, if that lives.
    home: Option<PlaceId>,
}

/// Which latencies are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    place: PlaceId,
    text: bool,
    latest_wins: bool,
    priority: u8,
}

/// How old the newest snapshot was, over time.
#[derive(Debug)]
struct Ages {
    newest: Time,
    since: Time,
    /// Microseconds spent at an age of so many steps.
    bins: Vec<u64>,
    ended: bool,
}

/// What one subscription has of one Text track.
#[derive(Debug)]
struct Reader {
    place: PlaceId,
    last: (u64, u64),
    received: u64,
    repeated: u64,
    missed: u64,
    open: bool,
}

/// A link or session that was lost.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lost {
    at: Time,
    place: PlaceId,
    /// Where the other end is, if it is known.
    other: Option<PlaceId>,
    link: bool,
    reason: u32,
    text: String,
    /// One of both was killed or restarted while it was up, or its program ended it.
    excused: bool,
}

/// A connection of a node to somewhere.
#[derive(Debug, Clone, Copy)]
struct Tie {
    other: Option<PlaceId>,
    /// When it was last made.
    since: Time,
    up: bool,
}

/// One node's side of things.
#[derive(Debug)]
struct NodeView {
    place: PlaceId,
    label: Label,
    /// The world's time when its clock was 0.
    began: Time,
    publications: BTreeMap<PublicationId, Name>,
    tracks: BTreeMap<TrackId, Name>,
    links: BTreeMap<LinkId, Tie>,
    sessions: BTreeMap<SessionId, Tie>,
}

/// Everything recorded of a world.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) log: Log,
    names: BTreeMap<TrackName, Name>,
    published: Vec<Published>,
    latencies: BTreeMap<Group, Histogram>,
    ages: BTreeMap<(PlaceId, Name), Ages>,
    readers: BTreeMap<(usize, SubscriptionId, Name), Reader>,
    nodes: Vec<NodeView>,
    lost: Vec<Lost>,
    /// When each place was last killed.
    killed: BTreeMap<PlaceId, Time>,
    /// Places by address.
    addresses: BTreeMap<IpAddr, PlaceId>,
    /// Places by what stands in front of them.
    doors: BTreeMap<SocketAddr, PlaceId>,
    unknown: u64,
}

/// The latencies of one group.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    place: PlaceId,
    kind: &'static str,
    latest_wins: bool,
    priority: u8,
    max: Time,
    /// The largest value of each bucket, microseconds, and how many it has.
    buckets: Vec<(Time, u64)>,
}

/// The ages of snapshots at one place, over one track.
#[derive(Debug, Serialize)]
pub(crate) struct Age {
    place: PlaceId,
    track: String,
    /// The age in milliseconds, rounded down, and the time spent at it, microseconds.
    bins: Vec<(u64, u64)>,
}

/// A Text track that did not arrive whole.
#[derive(Debug, Serialize)]
pub(crate) struct Incomplete {
    place: PlaceId,
    track: String,
    received: u64,
    repeated: u64,
    missed: u64,
    late: u64,
}

/// A recorder that a world and its nodes' taps share.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Recorder>>);

impl Shared {
    pub(crate) fn new(log: Log) -> Shared {
        Shared(Arc::new(Mutex::new(Recorder {
            log,
            names: BTreeMap::new(),
            published: Vec::new(),
            latencies: BTreeMap::new(),
            ages: BTreeMap::new(),
            readers: BTreeMap::new(),
            nodes: Vec::new(),
            lost: Vec::new(),
            killed: BTreeMap::new(),
            addresses: BTreeMap::new(),
            doors: BTreeMap::new(),
            unknown: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tap of a further node.
    pub(crate) fn tap(&self, place: PlaceId, label: &Label, began: Time) -> Box<dyn Tap> {
        let mut recorder = self.lock();
        recorder.nodes.push(NodeView {
            place,
            label: label.clone(),
            began,
            publications: BTreeMap::new(),
            tracks: BTreeMap::new(),
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
        });
        Box::new(NodeTap { node: recorder.nodes.len() - 1, recorder: self.clone() })
    }
}

impl Recorder {
    /// A place has an address.
    pub(crate) fn learn(&mut self, place: PlaceId, address: IpAddr) {
        self.addresses.insert(address, place);
    }

    /// What is sent to this address comes to a place.
    pub(crate) fn learn_door(&mut self, address: SocketAddr, place: PlaceId) {
        self.doors.insert(address, place);
    }

    /// A node of a place closes and, as nodes without a thread do, waits for nothing that is under way.
    pub(crate) fn leave(&mut self, now: Time, place: PlaceId) {
        for published in self.published.iter_mut().filter(|published| published.home == Some(place)) {
            published.sent.retain(|sent| sent.time + UNDER_WAY <= now);
        }
    }

    /// A place's programs are gone without a word.
    pub(crate) fn kill(&mut self, now: Time, place: PlaceId) {
        self.killed.insert(place, now);
        for published in self.published.iter_mut().filter(|published| published.home == Some(place)) {
            // What it did not get out, nobody can miss.
            published.home = None;
            published.sent.clear();
        }
        for reader in self.readers.values_mut().filter(|reader| reader.place == place) {
            reader.open = false;
        }
        for ages in self.ages.iter_mut().filter(|(key, _)| key.0 == place).map(|(_, ages)| ages) {
            ages.settle(now);
            ages.ended = true;
        }
    }

    fn name(&mut self, name: &TrackName) -> Name {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        self.published.push(Published::default());
        self.names.insert(name.clone(), self.published.len() - 1);
        self.published.len() - 1
    }

    fn sent(&mut self, name: Name, now: Time, group: u64, object: u64) {
        let published = &mut self.published[name];
        let kept = if published.text { MESSAGES_KEPT } else { FRAMES_KEPT };
        if published.sent.len() == kept {
            published.sent.pop_front();
        }
        published.sent.push_back(Sent { group, object, time: now });
    }

    fn delivered(&mut self, node: usize, now: Time, delivery: &Delivery) {
        let view = &self.nodes[node];
        let place = view.place;
        let Some(&name) = view.tracks.get(&delivery.track) else {
            self.unknown += 1;
            return;
        };
        let published = &self.published[name];
        let key = (delivery.group, delivery.object);
        let found = published.sent.binary_search_by_key(&key, |sent| (sent.group, sent.object));
        let text = delivery.flags & flag::TEXT != 0;
        if text {
            self.read(node, place, name, delivery.subscription, key);
        }
        let published = &self.published[name];
        let Some(sent) = found.ok().and_then(|at| published.sent.get(at)).copied() else {
            self.unknown += 1;
            return;
        };
        let latest_wins = published.latest_wins;
        let group = Group { place, text, latest_wins, priority: delivery.priority };
        self.latencies.entry(group).or_default().add(now.saturating_sub(sent.time));
        if latest_wins {
            let fresh = || Ages { newest: sent.time, since: now, bins: Vec::new(), ended: false };
            let ages = self.ages.entry((place, name)).or_insert_with(fresh);
            if ages.ended {
                (ages.since, ages.ended) = (now, false);
            }
            if sent.time > ages.newest {
                ages.settle(now);
                ages.newest = sent.time;
            }
        }
    }

    fn read(&mut self, node: usize, place: PlaceId, name: Name, subscription: SubscriptionId, key: (u64, u64)) {
        let first = || Reader { place, last: key, received: 0, repeated: 0, missed: 0, open: true };
        let reader = self.readers.entry((node, subscription, name)).or_insert_with(first);
        if reader.received > 0 {
            if key <= reader.last {
                reader.repeated += 1;
                return;
            }
            let sent = &self.published[name].sent;
            let after = |key: (u64, u64)| sent.partition_point(|sent| (sent.group, sent.object) <= key);
            let between = after(key).saturating_sub(after(reader.last)).saturating_sub(1);
            reader.missed += between as u64;
        }
        reader.received += 1;
        reader.last = key;
    }

    fn place_of(&self, address: SocketAddr) -> Option<PlaceId> {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.doors.get(&address).or_else(|| self.addresses.get(&address.ip())).copied()
    }

    /// Whether a kill of either end explains that a tie broke.
    fn explained(&self, place: PlaceId, tie: &Tie) -> bool {
        let killed = |place: PlaceId| self.killed.get(&place).is_some_and(|at| *at >= tie.since);
        killed(place) || tie.other.is_some_and(killed)
    }

    fn lose(&mut self, now: Time, place: PlaceId, tie: Tie, link: bool, reason: Reason, text: &str) {
        // A program that ends its own link is told LOCAL, its relay PEER; the relay's own decisions are told as such.
        let own = matches!(reason, Reason::Local | Reason::Peer) || (reason == Reason::GoingAway && link);
        let excused = own || self.explained(place, &tie);
        if self.lost.len() < LINES_KEPT {
            let text = text.to_owned();
            self.lost.push(Lost { at: now, place, other: tie.other, link, reason: reason as u32, text, excused });
        }
    }

    fn event(&mut self, node: usize, now: Time, event: &Event) {
        let place = self.nodes[node].place;
        match event {
            Event::TrackAdded { track, name, .. } => {
                let name = self.name(name);
                self.nodes[node].tracks.insert(*track, name);
            }
            Event::TrackEnded { subscription, track, .. } => {
                let Some(name) = self.nodes[node].tracks.get(track).copied() else { return };
                if let Some(ages) = self.ages.get_mut(&(place, name)) {
                    ages.settle(now);
                    ages.ended = true;
                }
                if let Some(reader) = self.readers.get_mut(&(node, *subscription, name)) {
                    reader.open = false;
                }
            }
            Event::LinkUp { link, .. } => {
                if let Some(tie) = self.nodes[node].links.get_mut(link) {
                    (tie.since, tie.up) = (now, true);
                }
            }
            Event::LinkDown { link, reason, text, .. } | Event::LinkClosed { link, reason, text, .. } => {
                let Some(tie) = self.nodes[node].links.get_mut(link) else { return };
                let was = *tie;
                tie.up = false;
                if was.up {
                    self.lose(now, place, was, true, *reason, text);
                }
            }
            Event::SessionUp { session, from, .. } => {
                let tie = Tie { other: self.place_of(*from), since: now, up: true };
                self.nodes[node].sessions.insert(*session, tie);
            }
            Event::SessionDown { session, reason, text, .. } => {
                if let Some(tie) = self.nodes[node].sessions.remove(session) {
                    self.lose(now, place, tie, false, *reason, text);
                }
            }
            _ => {}
        }
    }

    /// All latencies.
    pub(crate) fn latencies(&self) -> Vec<Latency> {
        let one = |(group, histogram): (&Group, &Histogram)| Latency {
            place: group.place,
            kind: if group.text { "text" } else { "frame" },
            latest_wins: group.latest_wins,
            priority: group.priority,
            max: histogram.max(),
            buckets: histogram.buckets().collect(),
        };
        self.latencies.iter().map(one).collect()
    }

    /// The ages of snapshots until now.
    pub(crate) fn ages(&mut self, now: Time) -> Vec<Age> {
        let names = self.by_number();
        let one = |((place, name), ages): (&(PlaceId, Name), &mut Ages)| {
            if !ages.ended {
                ages.settle(now);
            }
            let filled = ages.bins.iter().enumerate().filter(|(_, time)| **time > 0);
            Age {
                place: *place,
                track: names[*name].clone(),
                bins: filled.map(|(age, time)| (age as u64, *time)).collect(),
            }
        };
        self.ages.iter_mut().map(one).collect()
    }

    /// Text that is missing, came twice or out of order; `within`: what was sent later may still be under way.
    pub(crate) fn incomplete(&self, now: Time, within: Time) -> Vec<Incomplete> {
        let names = self.by_number();
        let mut found = Vec::new();
        for ((_, _, name), reader) in &self.readers {
            let sent = &self.published[*name].sent;
            let began = sent.partition_point(|sent| (sent.group, sent.object) <= reader.last);
            let due = sent.partition_point(|sent| sent.time + within <= now);
            let late = if reader.open { due.saturating_sub(began) as u64 } else { 0 };
            if reader.repeated + reader.missed + late > 0 {
                let (place, received, repeated, missed) =
                    (reader.place, reader.received, reader.repeated, reader.missed);
                found.push(Incomplete { place, track: names[*name].clone(), received, repeated, missed, late });
            }
        }
        found
    }

    /// Messages that readers of a place, or of all, have had; they are counted once a reader.
    pub(crate) fn messages(&self) -> Vec<(PlaceId, u64)> {
        self.readers.values().map(|reader| (reader.place, reader.received)).collect()
    }

    /// Links and sessions that were lost.
    pub(crate) fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Deliveries whose sending was not seen or is forgotten.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    fn by_number(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.published.len()];
        for (name, number) in &self.names {
            names[*number] = name.to_string();
        }
        names
    }
}

impl Ages {
    /// Counts the time since the last look, in which the newest snapshot grew older.
    fn settle(&mut self, now: Time) {
        let mut at = self.since;
        while at < now {
            let age = at.saturating_sub(self.newest);
            let bin = ((age / AGE_STEP) as usize).min(AGE_BINS - 1);
            // Until this bin is left; the last one is never left.
            let left = if bin == AGE_BINS - 1 { now - at } else { AGE_STEP - age % AGE_STEP };
            let spent = left.min(now - at);
            if self.bins.len() <= bin {
                self.bins.resize(bin + 1, 0);
            }
            self.bins[bin] += spent;
            at += spent;
        }
        self.since = self.since.max(now);
    }
}

/// One node's tap.
struct NodeTap {
    node: usize,
    recorder: Shared,
}

impl NodeTap {
    /// The recorder, and the world's time for the node's.
    fn at(&self, now: Time) -> (MutexGuard<'_, Recorder>, Time) {
        let recorder = self.recorder.lock();
        let began = recorder.nodes[self.node].began;
        (recorder, began + now)
    }
}

impl Tap for NodeTap {
    fn order(&mut self, now: Time, command: &Command) {
        let (mut recorder, now) = self.at(now);
        let view = &mut recorder.nodes[self.node];
        match command {
            Command::OpenLink(link, config) => {
                let to = config.addresses.first().copied();
                let other = to.and_then(|to| recorder.place_of(to));
                recorder.nodes[self.node].links.insert(*link, Tie { other, since: now, up: false });
            }
            Command::CloseLink(link, ..) => {
                view.links.remove(link);
            }
            Command::Unsubscribe(subscription) => {
                let node = self.node;
                let readers = &mut recorder.readers;
                for (_, reader) in readers.iter_mut().filter(|((at, id, _), _)| *at == node && id == subscription) {
                    reader.open = false;
                }
            }
            Command::Unpublish(publication) => {
                if let Some(name) = view.publications.remove(publication) {
                    recorder.published[name].home = None;
                }
            }
            _ => {}
        }
    }

    fn published(&mut self, now: Time, publication: PublicationId, config: &TrackConfig) {
        let (mut recorder, _) = self.at(now);
        let name = recorder.name(&config.name);
        let place = recorder.nodes[self.node].place;
        recorder.nodes[self.node].publications.insert(publication, name);
        let published = &mut recorder.published[name];
        published.text = config.kind == TrackKind::Text;
        published.latest_wins = config.latest_wins;
        published.home = Some(place);
    }

    fn sent(&mut self, now: Time, publication: PublicationId, group: u64, object: u64) {
        let (mut recorder, now) = self.at(now);
        if let Some(name) = recorder.nodes[self.node].publications.get(&publication).copied() {
            recorder.sent(name, now, group, object);
        }
    }

    fn event(&mut self, now: Time, event: &Event) {
        let (mut recorder, now) = self.at(now);
        let Recorder { log, nodes, .. } = &mut *recorder;
        log.add(now, &nodes[self.node].label, Record::Event(event));
        recorder.event(self.node, now, event);
    }

    fn delivered(&mut self, now: Time, delivery: &Delivery) {
        let (mut recorder, now) = self.at(now);
        let Recorder { log, nodes, .. } = &mut *recorder;
        log.add(now, &nodes[self.node].label, Record::Frame(delivery));
        recorder.delivered(self.node, now, delivery);
    }
}
