//! Two sessions, joined in memory.
#![allow(dead_code, reason = "each test file uses its part")]

mod net;

use bytes::Bytes;
use cc_session::{Config, Dir, Event, Refusal, Reply, Request, RequestKey, Role, Session, StreamId, Time, Transport};
use cc_wire::{
    DatagramHeader, Message, Namespace, ObjectHeader, Params, Profile, Properties, SetupOptions, SubgroupHeader,
    SubgroupId, TrackName,
};
pub use net::{Net, Notice};

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;
/// The drafts to which everything is held.
pub const PROFILES: [Profile; 2] = [Profile::D18, Profile::D22];

pub struct Pair {
    pub net: Net,
    pub sessions: [Session; 2],
    pub now: Time,
    pub profile: Profile,
    /// Events in order, and what they said, by side.
    pub events: [Vec<Event>; 2],
    /// While true, events stay in the sessions.
    pub unpolled: bool,
}

/// How a pair is to be.
pub struct Options {
    pub profile: Profile,
    pub window: usize,
    pub step: usize,
    pub credit: u64,
    pub configure: fn(&mut Config),
}

impl Default for Options {
    fn default() -> Self {
        Self { profile: Profile::D22, window: 1 << 20, step: usize::MAX, credit: 100, configure: |_| {} }
    }
}

impl Pair {
    /// Before any SETUP.
    pub fn new(options: Options) -> Self {
        let session = |role| {
            let mut config = Config::new(role, options.profile);
            (options.configure)(&mut config);
            Session::new(config, 0)
        };
        Self {
            net: Net::new(options.window, options.step, options.credit),
            sessions: [session(Role::Client), session(Role::Server)],
            now: 0,
            profile: options.profile,
            events: [Vec::new(), Vec::new()],
            unpolled: false,
        }
    }

    /// After SETUP both ways.
    pub fn up(options: Options) -> Self {
        let mut pair = Self::new(options);
        pair.sessions[CLIENT].setup(SetupOptions::default()).unwrap();
        pair.sessions[SERVER].setup(SetupOptions::default()).unwrap();
        pair.run();
        for side in [CLIENT, SERVER] {
            assert!(matches!(pair.take(side)[..], [Event::Setup(_)]));
        }
        pair
    }

    pub fn at(profile: Profile) -> Self {
        Self::up(Options { profile, ..Options::default() })
    }

    /// Delivers and writes until nothing moves. Events pile up in `events`.
    pub fn run(&mut self) {
        for _ in 0..1_000_000 {
            if !self.turn() && self.net.quiet() {
                return;
            }
        }
        panic!("two sessions that never come to rest");
    }

    /// Some turns, without the question whether events still wait.
    pub fn run_unpolled(&mut self) {
        for _ in 0..10 {
            self.turn();
        }
    }

    /// Until nothing moves, then to each deadline in turn, up to `until`.
    pub fn run_until(&mut self, until: Time) {
        self.run();
        for _ in 0..10_000 {
            let next = self.sessions.iter().filter_map(Session::poll_timeout).min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            assert!(next > self.now || self.turn(), "a deadline that does not pass");
            self.now = self.now.max(next);
            for session in &mut self.sessions {
                session.on_timeout(self.now);
            }
            self.run();
        }
        panic!("too many deadlines");
    }

    pub fn turn(&mut self) -> bool {
        let mut moved = self.net.deliver();
        for side in [CLIENT, SERVER] {
            while let Some(notice) = self.net.notice(side) {
                moved = true;
                self.notify(side, notice);
            }
            moved |= self.poll(side);
            self.sessions[side].flush(&mut self.net.end(side), self.now);
            moved |= self.poll(side);
        }
        moved
    }

    pub fn notify(&mut self, side: usize, notice: Notice) {
        let (session, now) = (&mut self.sessions[side], self.now);
        let transport = &mut self.net.end(side);
        match notice {
            Notice::Opened(id, dir) => {
                session.on_opened(id, dir, transport, now);
            }
            Notice::Readable(id) => {
                session.on_readable(id, transport, now);
            }
            Notice::Writable(id) => {
                session.on_writable(id, transport, now);
            }
            Notice::Stopped(id, code) => {
                session.on_stopped(id, code, transport, now);
            }
            Notice::Credit(dir) => session.on_stream_credit(dir, transport, now),
        }
    }

    pub fn poll(&mut self, side: usize) -> bool {
        let mut any = false;
        if self.unpolled {
            return false;
        }
        while let Some(event) = self.sessions[side].poll_event() {
            any = true;
            self.events[side].push(event);
        }
        any
    }

    /// The events of one side since they were last taken.
    pub fn take(&mut self, side: usize) -> Vec<Event> {
        std::mem::take(&mut self.events[side])
    }

    /// The one event of one side.
    pub fn one(&mut self, side: usize) -> Event {
        let mut events = self.take(side);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    pub fn request(&mut self, side: usize, request: Request) -> RequestKey {
        self.sessions[side].request(request, self.now).unwrap()
    }

    /// Asks from `side`; both keys once it has arrived.
    pub fn ask(&mut self, side: usize, request: Request) -> (RequestKey, RequestKey) {
        let ours = self.request(side, request.clone());
        self.run();
        match self.one(1 - side) {
            Event::Request { key, request: arrived } if arrived == request => (ours, key),
            other => panic!("asked {request:?}, came {other:?}"),
        }
    }

    /// Asks and grants.
    pub fn granted(&mut self, side: usize, request: Request, reply: Reply) -> (RequestKey, RequestKey) {
        let (ours, theirs) = self.ask(side, request);
        self.sessions[1 - side].accept(theirs, reply.clone()).unwrap();
        self.run();
        assert_eq!(self.one(side), Event::Accepted { key: ours, reply });
        (ours, theirs)
    }

    /// A client's subscription under alias 7.
    pub fn subscription(&mut self) -> (RequestKey, RequestKey) {
        self.granted(CLIENT, subscribe("a/b", "t"), subscribe_ok(7))
    }

    /// Opens a stream as its owner does, with some bytes.
    pub fn stream(&mut self, side: usize, dir: Dir, bytes: &[u8]) -> StreamId {
        let mut end = self.net.end(side);
        let id = end.open(dir).unwrap();
        assert_eq!(end.write(id, bytes), Ok(bytes.len()));
        id
    }

    pub fn write(&mut self, side: usize, id: StreamId, bytes: &[u8]) {
        assert_eq!(self.net.end(side).write(id, bytes), Ok(bytes.len()));
    }

    pub fn finish(&mut self, side: usize, id: StreamId) {
        self.net.end(side).finish(id);
    }

    pub fn datagram(&mut self, to: usize, bytes: Vec<u8>) {
        self.sessions[to].on_datagram(bytes.into(), self.now);
    }

    pub fn encode(&self, message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(self.profile, &mut out).unwrap();
        out
    }

    /// The code of the one event, which must be fatal.
    pub fn fatal(&mut self, side: usize) -> u64 {
        match self.take(side).pop() {
            Some(Event::Fatal { code, .. }) => code,
            other => panic!("not fatal: {other:?}"),
        }
    }
}

pub fn namespace(text: &str) -> Namespace {
    Namespace::parse(text).unwrap()
}

pub fn track(space: &str, name: &str) -> TrackName {
    TrackName::new(namespace(space), Bytes::copy_from_slice(name.as_bytes())).unwrap()
}

pub fn subscribe(space: &str, name: &str) -> Request {
    Request::Subscribe { track: track(space, name), params: Params::default() }
}

pub fn subscribe_ok(alias: u64) -> Reply {
    Reply::SubscribeOk { alias, params: Params::default(), properties: Properties::default() }
}

pub fn publish(space: &str, name: &str, alias: u64) -> Request {
    Request::Publish { track: track(space, name), alias, params: Params::default(), properties: Properties::default() }
}

pub fn ok() -> Reply {
    Reply::Ok { params: Params::default(), properties: Properties::default() }
}

pub fn no(code: u64) -> Refusal {
    Refusal { code, retry_ms: Some(5), reason: "no".into(), redirect: None }
}

pub fn subgroup(alias: u64, group: u64) -> SubgroupHeader {
    SubgroupHeader {
        alias,
        group,
        subgroup: SubgroupId::Zero,
        priority: Some(9),
        has_properties: false,
        end_of_group: true,
        first_object: true,
    }
}

/// A subgroup stream's bytes: objects 0, 1, ... with these payloads.
pub fn subgroup_bytes(alias: u64, group: u64, payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    subgroup(alias, group).encode(&mut out);
    let mut prev = None;
    for (object, payload) in payloads.iter().enumerate() {
        let header = object_header(object as u64, payload.len() as u64);
        header.encode(&mut out, prev, false).unwrap();
        out.extend_from_slice(payload);
        prev = Some(header.object);
    }
    out
}

pub fn object_header(object: u64, payload_len: u64) -> ObjectHeader {
    let status = (payload_len == 0).then_some(cc_wire::Status::Normal);
    ObjectHeader { object, properties: Bytes::new(), status, payload_len }
}

pub fn datagram_bytes(alias: u64, group: u64, payload: &[u8]) -> (DatagramHeader, Vec<u8>) {
    let header = DatagramHeader {
        alias,
        group,
        object: 0,
        priority: Some(3),
        end_of_group: false,
        status: None,
        properties: Bytes::new(),
    };
    let mut out = Vec::new();
    header.encode(&mut out).unwrap();
    out.extend_from_slice(payload);
    (header, out)
}
