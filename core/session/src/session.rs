//! The session itself: its state, its inputs and its outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use cc_wire::{codes, DatagramHeader, Error as WireError, GroupOrder, Profile, SetupOptions};

use crate::aliases::Aliases;
use crate::api::{Config, Counters, Event, Held, RequestKey, Role, Time};
use crate::control::Control;
use crate::data::DataState;
use crate::early::Early;
use crate::events::Events;
use crate::ids::SeenIds;
use crate::requests::RequestState;
use crate::slab::{Key, Slab};
use crate::tokens::Tokens;
use crate::transport::{Dir, StreamId, Transport, REQUEST_PRIORITY};

/// One MoQT session, without I/O, clock or policy. See the crate's front page for how to drive it.
#[derive(Debug)]
pub struct Session {
    pub(crate) config: Config,
    pub(crate) now: Time,
    /// After a fatal error nothing is read or written any more.
    pub(crate) over: bool,
    pub(crate) control: Control,
    pub(crate) requests: Slab<RequestState>,
    pub(crate) data: Slab<DataState>,
    pub(crate) streams: BTreeMap<StreamId, Owner>,
    pub(crate) events: Events,
    pub(crate) aliases: Aliases,
    /// Our FETCHes that live, by request id.
    pub(crate) fetches: BTreeMap<u64, RequestKey>,
    /// Fills that we asked for with a subscription and that have not begun, by the id of the message that asked, with
    /// the order of their groups.
    pub(crate) fills: BTreeMap<u64, (RequestKey, GroupOrder)>,
    /// We asked for fills of whatever tracks are published to us.
    pub(crate) fills_published: bool,
    pub(crate) early: Early,
    pub(crate) tokens: Tokens,
    pub(crate) seen: SeenIds,
    pub(crate) next_id: u64,
    pub(crate) tally: Tally,
    pub(crate) counters: Counting,
    /// Requests of ours that wait for a stream, in order.
    pub(crate) opening: VecDeque<RequestKey>,
    /// Requests with something to write.
    pub(crate) dirty: VecDeque<RequestKey>,
    /// Streams to send STOP_SENDING on.
    pub(crate) stops: VecDeque<(StreamId, u64)>,
    /// Streams left unread: SETUP is not complete, or too many events wait.
    pub(crate) unread: Unread,
    /// One deadline a request at most.
    pub(crate) timers: BTreeSet<(Time, RequestKey)>,
}

/// What a stream of the session's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    ControlOut,
    ControlIn,
    Request(RequestKey),
    Data(Key),
}

/// What is held now, against the limits.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Request streams that we opened or wait to open.
    pub ours: usize,
    /// Request streams that the peer opened.
    pub theirs: usize,
    /// Subscriptions in which the peer publishes.
    pub subscriptions: usize,
    /// Unidirectional streams of the peer's, the control stream aside.
    pub data_streams: usize,
    /// Namespaces announced to us.
    pub namespaces: usize,
    /// Bytes of messages and objects in parts.
    pub assembly: usize,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub objects: u64,
    pub object_bytes: u64,
    pub messages_in: u64,
    pub messages_out: u64,
    /// All others, once there is something to count.
    rare: Option<Box<Counters>>,
}

impl Counting {
    /// Where everything but objects and messages is counted.
    pub fn rare(&mut self) -> &mut Counters {
        self.rare.get_or_insert_default()
    }

    fn all(&self) -> Counters {
        let &Counting { objects, object_bytes, messages_in, messages_out, .. } = self;
        let rare = self.rare.as_deref().copied().unwrap_or_default();
        Counters { objects, object_bytes, messages_in, messages_out, ..rare }
    }
}

/// Streams to be read later, each once, in turn; none after the last was taken.
#[derive(Debug, Default)]
pub(crate) struct Unread(Option<Box<Later>>);

#[derive(Debug, Default)]
struct Later {
    queue: VecDeque<StreamId>,
    members: BTreeSet<StreamId>,
}

impl Unread {
    fn push(&mut self, id: StreamId) {
        let later = self.0.get_or_insert_default();
        if later.members.insert(id) {
            later.queue.push_back(id);
        }
    }

    fn pop(&mut self) -> Option<StreamId> {
        let later = self.0.as_mut()?;
        let id = later.queue.pop_front()?;
        later.members.remove(&id);
        if later.queue.is_empty() {
            self.0 = None;
        }
        Some(id)
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |later| later.queue.len())
    }
}

/// Why the session cannot go on: a code of `codes::session` and what was wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    pub code: u64,
    pub reason: String,
}

impl Fault {
    pub fn new(code: u64, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    pub fn violation(reason: impl Into<String>) -> Self {
        Self::new(codes::session::PROTOCOL_VIOLATION, reason)
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::new(error.session_code(), error.to_string())
    }
}

impl Session {
    /// A session over a connection that is just there. SETUP's time-out runs from `now`.
    pub fn new(config: Config, now: Time) -> Self {
        let (ours, theirs) = match config.role {
            Role::Client => (0, 1),
            Role::Server => (1, 0),
        };
        let deadline = (config.setup_timeout > 0).then(|| now.saturating_add(config.setup_timeout));
        let tokens = Tokens::new(config.limits.token_bytes);
        Self {
            config,
            now,
            over: false,
            control: Control::new(deadline),
            requests: Slab::new(),
            data: Slab::new(),
            streams: BTreeMap::new(),
            events: Events::default(),
            aliases: Aliases::default(),
            fetches: BTreeMap::new(),
            fills: BTreeMap::new(),
            fills_published: false,
            early: Early::default(),
            tokens,
            seen: SeenIds::new(theirs),
            next_id: ours,
            tally: Tally::default(),
            counters: Counting::default(),
            opening: VecDeque::new(),
            dirty: VecDeque::new(),
            stops: VecDeque::new(),
            unread: Unread::default(),
            timers: BTreeSet::new(),
        }
    }

    /// The peer's SETUP, once it has come.
    pub fn peer(&self) -> Option<&SetupOptions> {
        self.control.peer.as_deref()
    }

    /// Whether both sides are relays that read and write hop lists: each gave its id in SETUP.
    pub fn between_relays(&self) -> bool {
        self.control.relay_id.is_some() && self.peer().is_some_and(|peer| peer.relay_id.is_some())
    }

    /// Takes more requests and subscriptions at once from here on, never fewer: for a peer that stands for many.
    pub fn widen(&mut self, requests: usize, subscriptions: usize) {
        let limits = &mut self.config.limits;
        limits.requests = limits.requests.max(requests);
        limits.subscriptions = limits.subscriptions.max(subscriptions);
    }

    /// The draft spoken.
    pub fn profile(&self) -> Profile {
        self.config.profile
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters.all()
    }

    /// What is held now.
    pub fn held(&self) -> Held {
        Held {
            requests: self.requests.len(),
            subscriptions: self.tally.subscriptions,
            data_streams: self.data.len(),
            namespaces: self.tally.namespaces,
            token_bytes: self.tokens.bytes(),
            assembly_bytes: self.tally.assembly,
            early: self.early.len(),
            events: self.events.len(),
        }
    }

    /// Bytes of messages and objects of which only a part has come.
    pub fn assembly_bytes(&self) -> usize {
        self.tally.assembly
    }

    /// Bounds these from now on, where what all sessions hold leaves less than the limit.
    pub fn limit_assembly(&mut self, bytes: usize) {
        self.config.limits.assembly_bytes = bytes;
    }

    /// Whether a stream is the session's. The inputs answer the same, and do nothing with others.
    pub fn owns(&self, id: StreamId) -> bool {
        self.streams.contains_key(&id)
    }

    /// A request's id on the wire, while the request lives: what a joining FETCH of -18 names.
    pub fn request_id(&self, key: RequestKey) -> Option<u64> {
        self.requests.get(key.0).filter(|_| self.live(key)).map(|state| state.id)
    }

    /// Whether a request's stream is still open one way or the other: after its end, until the peer has closed its side,
    /// 5 s at most.
    pub fn is_open(&self, key: RequestKey) -> bool {
        self.requests.get(key.0).is_some()
    }

    /// Requests that are not over, of both sides.
    pub fn open_requests(&self) -> usize {
        self.requests.keys().filter(|key| self.live(RequestKey(*key))).count()
    }

    /// The peer has opened a stream. True: it is the session's.
    pub fn on_opened(&mut self, id: StreamId, dir: Dir, transport: &mut dyn Transport, now: Time) -> bool {
        self.advance(now);
        if self.over || self.streams.contains_key(&id) {
            return true;
        }
        match dir {
            Dir::Uni if self.tally.data_streams >= self.config.limits.data_streams => {
                self.counters.rare().streams_excess += 1;
                self.counters.rare().excess_data += 1;
                transport.stop(id, codes::stream_reset::EXCESSIVE_LOAD);
            }
            Dir::Uni => self.begin_data(id, transport),
            Dir::Bi if self.tally.theirs >= self.config.limits.requests => {
                self.counters.rare().streams_excess += 1;
                self.counters.rare().excess_requests += 1;
                transport.stop(id, codes::stream_reset::EXCESSIVE_LOAD);
                transport.reset(id, codes::stream_reset::EXCESSIVE_LOAD);
            }
            Dir::Bi => {
                transport.set_priority(id, REQUEST_PRIORITY);
                let key = RequestKey(self.requests.insert(RequestState::theirs(id)));
                self.streams.insert(id, Owner::Request(key));
                self.tally.theirs += 1;
                self.read(id, transport);
            }
        }
        true
    }

    /// One of the peer's one-way streams has come from its beginning to its end, by a way that carries streams whole.
    /// False: it is to be kept, and opened as any other, because it is not a subgroup with one object, or not one to be
    /// read now.
    pub fn on_whole(&mut self, bytes: &Bytes, now: Time) -> bool {
        self.advance(now);
        !self.over && self.ready() && !self.full() && self.take_whole(bytes)
    }

    /// A stream has something to read: bytes, its end, or its reset.
    pub fn on_readable(&mut self, id: StreamId, transport: &mut dyn Transport, now: Time) -> bool {
        self.advance(now);
        let owned = self.streams.contains_key(&id);
        if owned {
            self.read(id, transport);
            self.resume(transport);
        }
        owned
    }

    /// A stream on which a write was short can take more.
    pub fn on_writable(&mut self, id: StreamId, transport: &mut dyn Transport, now: Time) -> bool {
        self.advance(now);
        match self.streams.get(&id) {
            Some(Owner::Request(key)) => {
                self.mark_dirty(*key);
                self.write(transport);
                true
            }
            Some(_) => {
                self.write(transport);
                true
            }
            None => false,
        }
    }

    /// The peer sent STOP_SENDING on a stream. What it said before is read first.
    pub fn on_stopped(&mut self, id: StreamId, code: u64, transport: &mut dyn Transport, now: Time) -> bool {
        self.advance(now);
        if !self.streams.contains_key(&id) {
            return false;
        }
        self.read(id, transport);
        match self.streams.get(&id) {
            Some(Owner::Request(key)) => self.request_stopped(*key, code),
            Some(Owner::ControlOut) => {
                self.fail(Fault::violation("the control stream was stopped"));
            }
            _ => {}
        }
        true
    }

    /// More streams may be opened.
    pub fn on_stream_credit(&mut self, _dir: Dir, transport: &mut dyn Transport, now: Time) {
        self.advance(now);
        self.write(transport);
    }

    /// As [`on_datagram`](Self::on_datagram), for an owner that takes the object itself at once, past the events: its
    /// subscription, header and payload. None where events wait, or it is anything else; events may follow.
    pub fn datagram(&mut self, datagram: Bytes, now: Time) -> Option<(RequestKey, DatagramHeader, Bytes)> {
        self.advance(now);
        let taken = if self.events.is_empty() { self.object_of(&datagram) } else { None };
        if taken.is_none() {
            self.on_datagram(datagram, now);
        }
        taken
    }

    /// A datagram has come. Its payload is a slice of it.
    pub fn on_datagram(&mut self, datagram: Bytes, now: Time) {
        self.advance(now);
        if self.over {
            return;
        }
        if let Err(fault) = self.take_datagram(datagram) {
            self.fail(fault);
        }
    }

    /// Time has come to what [`poll_timeout`](Self::poll_timeout) said, or past it. To be
    /// followed by [`flush`](Self::flush).
    pub fn on_timeout(&mut self, now: Time) {
        self.advance(now);
        if self.over {
            return;
        }
        if self.control.deadline.is_some_and(|at| at <= now) {
            self.control.deadline = None;
            return self.fail(Fault::new(codes::session::CONTROL_MESSAGE_TIMEOUT, "no SETUP came"));
        }
        while let Some(&(at, key)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.request_timer(key);
        }
        self.expire_early();
    }

    /// Writes what is queued and reads what was put off. To be called after every batch of
    /// inputs and commands; may bring events.
    pub fn flush(&mut self, transport: &mut dyn Transport, now: Time) {
        self.advance(now);
        self.write(transport);
        self.resume(transport);
        self.write(transport);
    }

    /// The next event, in order. To be polled until `None` after inputs and after `flush`.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let event = self.events.pop()?;
            if let Some(event) = self.deliver(event) {
                return Some(event);
            }
        }
    }

    /// When to call [`on_timeout`](Self::on_timeout) at the latest. In the past when events or
    /// unread streams wait for the owner to poll and flush.
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.events.is_empty() {
            return Some(self.now);
        }
        if self.over {
            return None;
        }
        if self.ready() && self.unread.len() > 0 {
            return Some(self.now);
        }
        let request = self.timers.first().map(|timer| timer.0);
        [self.control.deadline, request, self.early.deadline()].into_iter().flatten().min()
    }

    /// Both SETUPs are there: request and data streams are read.
    pub(crate) fn ready(&self) -> bool {
        self.control.queued && self.control.peer.is_some()
    }

    /// No more is read while so much waits to be polled.
    pub(crate) fn full(&self) -> bool {
        self.events.len() >= self.config.limits.events
    }

    pub(crate) fn fail(&mut self, fault: Fault) {
        if !self.over {
            self.over = true;
            self.events.push(Event::Fatal { code: fault.code, reason: fault.reason });
        }
    }

    /// Does away with a stream of which nothing more is wanted.
    pub(crate) fn stop(&mut self, id: StreamId, code: u64) {
        self.stops.push_back((id, code));
    }

    pub(crate) fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Reads a stream as far as it goes.
    pub(crate) fn read(&mut self, id: StreamId, transport: &mut dyn Transport) {
        if self.over {
            return;
        }
        let result = match self.streams.get(&id) {
            Some(Owner::ControlIn) => self.read_control(id, transport),
            Some(Owner::Request(key)) => self.read_request(*key, id, transport),
            Some(Owner::Data(key)) => self.read_data(*key, id, transport),
            Some(Owner::ControlOut) | None => Ok(()),
        };
        if let Err(fault) = result {
            self.fail(fault);
        }
    }

    /// Reads the streams that were left unread, as far as there is room for events.
    fn resume(&mut self, transport: &mut dyn Transport) {
        for _ in 0..self.unread.len() {
            if self.over || !self.ready() || self.full() {
                return;
            }
            if let Some(id) = self.unread.pop() {
                self.read(id, transport);
            }
        }
    }

    /// Remembers to read a stream later.
    pub(crate) fn put_off(&mut self, id: StreamId) {
        self.unread.push(id);
    }

    /// Writes what is queued, control first, and opens what waits.
    fn write(&mut self, transport: &mut dyn Transport) {
        if self.over {
            return;
        }
        while let Some((id, code)) = self.stops.pop_front() {
            transport.stop(id, code);
        }
        if !self.control.queued {
            return;
        }
        if let Err(fault) = self.write_control(transport) {
            return self.fail(fault);
        }
        self.write_requests(transport);
    }
}
