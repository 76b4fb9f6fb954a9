//! A stranger at a session, client or server, parked or established: whatever it sends is answered
//! by events or by one fatal error, holds no more than the limits say, and each key ends once.
//!
//! The input is a sequence of what the stranger does and what the owner does meanwhile. At the end
//! the stranger lets go of its streams and the owner of its requests, and nothing may be left.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_session::{
    CommandError, Config, DataKey, Dir, Event, Fetch, Held, Limits, Refusal, Reply, Request, RequestKey, Role, Session,
    StreamId, Time, Transport,
};
use cc_wire::{
    varint, FetchEnd, FetchKind, Filter, Location, Message, Namespace, Params, Profile, Properties, SetupOptions,
    SubgroupHeader, SubgroupId, TrackName,
};

use super::wire::{framed, BEGIN_WITH_ID, KINDS, PROFILES};
use crate::Input;

#[allow(dead_code, reason = "the session's own tests use more of it")]
#[path = "../../../session/tests/util/net.rs"]
mod net;

use net::{Net, Notice};

pub(crate) const DATAGRAM: u8 = 0;
pub(crate) const ASK: u8 = 1;
pub(crate) const SAY: u8 = 2;
const OPEN: u8 = 3;
const MORE: u8 = 4;
const FINISH: u8 = 5;
const RESET: u8 = 6;
const STOP: u8 = 7;
const SUBGROUP: u8 = 8;
const TIME: u8 = 9;
const OWNER: u8 = 10;
const HEED: u8 = 11;
const SETUP: u8 = 12;
const GRANT: u8 = 13;
const CONTROL: u8 = 14;
const REQUEST: u8 = 15;
const OPERATIONS: u8 = 16;

/// Small, so that a short input reaches them.
const LIMITS: Limits = Limits {
    requests: 12,
    subscriptions: 6,
    data_streams: 8,
    object_bytes: 300,
    properties_bytes: 64,
    message_bytes: 1024,
    assembly_bytes: 1500,
    outbox_bytes: 400,
    unknown_alias_bytes: 600,
    unknown_alias_streams: 3,
    unknown_alias_time: 1_000_000,
    late_data_time: 2_000_000,
    namespaces: 6,
    updates: 3,
    token_bytes: 64,
    events: 16,
};

/// First byte: established, server, a byte at a time, small windows; second: draft; then operations.
pub(crate) fn stranger(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.u8();
    let profile = *input.pick(&PROFILES);
    let mut trial = Trial::new(flags, profile);
    while !input.done() && !trial.over {
        trial.operation(&mut input);
        trial.turns(4);
        trial.bounds();
    }
    trial.wind_up();
}

struct Trial {
    net: Net,
    session: Session,
    /// The session's side of the network, and the stranger's.
    me: usize,
    them: usize,
    now: Time,
    profile: Profile,
    set_up: bool,
    /// Whether the owner polls events, and whether the stranger reads.
    polls: bool,
    reads: bool,
    /// Requests and whether they live; streams of objects likewise.
    keys: BTreeMap<RequestKey, bool>,
    data: BTreeMap<DataKey, bool>,
    control: Option<StreamId>,
    /// Streams on which the stranger may speak, but the control stream.
    streams: Vec<StreamId>,
    next_id: u64,
    made: u64,
    over: bool,
}

impl Trial {
    fn new(flags: u8, profile: Profile) -> Self {
        let (established, server) = (flags & 1 != 0, flags & 2 != 0);
        let role = if server { Role::Server } else { Role::Client };
        let config = Config { limits: LIMITS, ..Config::new(role, profile) };
        let step = if flags & 4 != 0 { 1 } else { usize::MAX };
        let window = if flags & 8 != 0 { 200 } else { 1 << 16 };
        let mut trial = Trial {
            net: Net::new(window, step, 20),
            session: Session::new(config, 0),
            me: usize::from(server),
            them: usize::from(!server),
            now: 0,
            profile,
            set_up: false,
            polls: true,
            reads: true,
            keys: BTreeMap::new(),
            data: BTreeMap::new(),
            control: None,
            streams: Vec::new(),
            next_id: u64::from(!server),
            made: 0,
            over: false,
        };
        if established {
            trial.set_up();
            trial.open_control();
            trial.turns(50);
            for kind in 0..7 {
                trial.ask(kind);
            }
            trial.turns(50);
        }
        trial
    }

    fn set_up(&mut self) {
        if !std::mem::replace(&mut self.set_up, true) {
            match self.session.setup(SetupOptions::default()) {
                // Broken already, and told when it is polled.
                Ok(()) | Err(CommandError::Gone) => {}
                Err(error) => panic!("the first SETUP: {error:?}"),
            }
        }
    }

    fn open_control(&mut self) {
        let mut setup = Vec::new();
        Message::Setup(SetupOptions::default()).encode(self.profile, &mut setup).expect("a plain SETUP");
        self.control = self.open(Dir::Uni, &setup);
    }

    fn open(&mut self, dir: Dir, bytes: &[u8]) -> Option<StreamId> {
        let mut end = self.net.end(self.them);
        let id = end.open(dir)?;
        // What does not fit the window is not said.
        let _ = end.write(id, bytes);
        Some(id)
    }

    /// One of the stranger's streams.
    fn stream(&self, input: &mut Input<'_>) -> Option<StreamId> {
        let at = input.below(self.streams.len().clamp(1, 256));
        self.streams.get(at).copied()
    }

    fn say(&mut self, id: Option<StreamId>, bytes: &[u8]) {
        if let Some(id) = id {
            let _ = self.net.end(self.them).write(id, bytes);
        }
    }

    fn operation(&mut self, input: &mut Input<'_>) {
        let them = self.them;
        match input.u8() % OPERATIONS {
            DATAGRAM => self.session.on_datagram(Bytes::copy_from_slice(input.bytes()), self.now),
            ASK => {
                let kind = *input.pick(&KINDS);
                let mut payload = Vec::new();
                if BEGIN_WITH_ID.contains(&kind) {
                    varint::put(&mut payload, self.next_id);
                    self.next_id += 2;
                }
                payload.extend_from_slice(input.bytes());
                let id = self.open(Dir::Bi, &framed(kind, &payload));
                self.streams.extend(id);
            }
            SAY => {
                let id = self.stream(input);
                let kind = *input.pick(&KINDS);
                let payload = input.bytes();
                self.say(id, &framed(kind, payload));
            }
            OPEN => {
                let dir = if input.flag() { Dir::Uni } else { Dir::Bi };
                let bytes = input.bytes();
                let id = self.open(dir, bytes);
                self.streams.extend(id);
            }
            MORE => {
                let id = self.stream(input);
                let bytes = input.bytes();
                self.say(id, bytes);
            }
            FINISH => self.stream(input).into_iter().for_each(|id| self.net.end(them).finish(id)),
            RESET => {
                let code = u64::from(input.u8());
                self.stream(input).into_iter().for_each(|id| self.net.end(them).reset(id, code));
            }
            STOP => {
                let code = u64::from(input.u8());
                self.stream(input).into_iter().for_each(|id| self.net.end(them).stop(id, code));
            }
            SUBGROUP => {
                let header = SubgroupHeader {
                    alias: u64::from(input.u8() % 12),
                    group: u64::from(input.u8()),
                    subgroup: SubgroupId::Zero,
                    priority: None,
                    has_properties: input.flag(),
                    end_of_group: false,
                    first_object: false,
                };
                let mut bytes = Vec::new();
                header.encode(&mut bytes);
                bytes.extend_from_slice(input.bytes());
                let id = self.open(Dir::Uni, &bytes);
                self.streams.extend(id);
            }
            TIME => {
                self.now += u64::from(input.u16()) << 8;
                self.session.on_timeout(self.now);
            }
            OWNER => self.owner(input),
            HEED => {
                let flags = input.u8();
                (self.polls, self.reads) = (flags & 1 == 0, flags & 2 == 0);
            }
            SETUP => self.set_up(),
            GRANT => {
                let dir = if input.flag() { Dir::Uni } else { Dir::Bi };
                self.net.grant(self.me, dir, 4);
                self.net.grant(self.them, dir, 4);
            }
            CONTROL => {
                if self.control.is_none() {
                    self.open_control();
                }
                let kind = *input.pick(&KINDS);
                let payload = input.bytes();
                self.say(self.control, &framed(kind, payload));
            }
            REQUEST => self.ask(input.u8()),
            _ => unreachable!("a remainder"),
        }
    }

    /// The owner asks for something.
    fn ask(&mut self, kind: u8) {
        self.made += 1;
        let params = Params::default;
        let request = match kind % 7 {
            0 => Request::Subscribe { track: self.track(), params: params() },
            1 => Request::Publish {
                track: self.track(),
                alias: self.made,
                params: params(),
                properties: Properties::default(),
            },
            2 => Request::PublishNamespace { namespace: space(), params: params() },
            3 => Request::SubscribeNamespace { prefix: space(), params: params() },
            4 => Request::SubscribeTracks { prefix: space(), params: params() },
            5 => Request::TrackStatus { track: self.track(), params: params() },
            _ => {
                let start = Location::default();
                let filter = Some(Filter::AbsoluteRange { start, end_group: 9 });
                let params = Params { filter, ..Params::default() };
                Request::Fetch(Fetch { kind: FetchKind::Standalone(self.track()), params })
            }
        };
        match self.session.request(request, self.now) {
            Ok(key) => assert!(self.keys.insert(key, true).is_none(), "{key:?} is given twice"),
            Err(CommandError::Encode(error)) => panic!("a plain request is not written: {error}"),
            Err(_) => {}
        }
    }

    fn track(&self) -> TrackName {
        TrackName::new(space(), self.made.to_string()).expect("a short name")
    }

    /// The owner does something with a request, dead ones among them.
    fn owner(&mut self, input: &mut Input<'_>) {
        let what = input.u8() % 10;
        let back = input.below(self.keys.len().clamp(1, 256));
        let Some((&key, &live)) = self.keys.iter().rev().nth(back) else { return };
        self.made += 1;
        let (session, alias) = (&mut self.session, 100 + self.made);
        let (params, properties) = (Params::default, Properties::default);
        let no = || Refusal::new(u64::from(what), "no");
        let result = match what {
            0 | 1 => {
                let end = FetchEnd { group: 9, object: Some(1) };
                let replies = [
                    Reply::SubscribeOk { alias, params: params(), properties: properties() },
                    Reply::FetchOk { end_of_track: false, end, params: params(), properties: properties() },
                ];
                let fits = replies.into_iter().find_map(|reply| session.accept(key, reply).ok());
                fits.map_or_else(|| session.accept(key, Reply::Ok { params: params(), properties: properties() }), Ok)
            }
            2 => session.refuse(key, no()),
            3 => session.update(key, params()),
            4 => session.answer_update(key, Ok(params())),
            5 => session.answer_update(key, Err(no())),
            6 => session.done(key, 2, Some(0), "over"),
            7 => session.namespace(key, space()).and_then(|()| session.namespace_done(key, space())),
            8 => session.blocked(key, space(), Bytes::from_static(b"t")),
            _ => session.cancel(key, 1),
        };
        match result {
            Ok(()) => {
                assert!(live, "{key:?} is dead and takes commands");
                if self.session.request_id(key).is_none() {
                    self.keys.insert(key, false);
                }
            }
            Err(CommandError::Gone) => {}
            Err(error) => {
                assert!(live, "{key:?} is dead and answers {error:?}");
                assert!(!matches!(error, CommandError::Encode(_)), "{error:?}");
            }
        }
    }

    /// Moves bytes both ways, a bounded number of times; at rest when it returns true.
    fn turns(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let mut moved = self.net.deliver();
            while let Some(notice) = self.net.notice(self.me) {
                moved = true;
                self.notify(notice);
            }
            while let Some(notice) = self.net.notice(self.them) {
                match notice {
                    Notice::Opened(id, dir) => {
                        if dir == Dir::Bi {
                            self.streams.push(id);
                        }
                        self.listen(id);
                    }
                    Notice::Readable(id) => self.listen(id),
                    Notice::Writable(_) | Notice::Stopped(..) | Notice::Credit(_) => {}
                }
            }
            moved |= self.poll();
            self.session.flush(&mut self.net.end(self.me), self.now);
            moved |= self.poll();
            if !moved && self.net.quiet() {
                return true;
            }
        }
        false
    }

    fn notify(&mut self, notice: Notice) {
        let (session, now) = (&mut self.session, self.now);
        let transport = &mut self.net.end(self.me);
        match notice {
            Notice::Opened(id, dir) => assert!(session.on_opened(id, dir, transport, now)),
            Notice::Readable(id) => drop(session.on_readable(id, transport, now)),
            Notice::Writable(id) => drop(session.on_writable(id, transport, now)),
            Notice::Stopped(id, code) => drop(session.on_stopped(id, code, transport, now)),
            Notice::Credit(dir) => session.on_stream_credit(dir, transport, now),
        }
    }

    /// The stranger reads a stream, unless it does not care.
    fn listen(&mut self, id: StreamId) {
        while self.reads && self.net.end(self.them).read(id, 4096).is_ok_and(|chunk| !chunk.fin) {}
    }

    fn poll(&mut self) -> bool {
        let mut any = false;
        while self.polls {
            let Some(event) = self.session.poll_event() else { break };
            any = true;
            self.event(&event);
        }
        any
    }

    fn event(&mut self, event: &Event) {
        assert!(!self.over, "after the fatal one: {event:?}");
        let live = |key: &RequestKey| self.keys.get(key) == Some(&true);
        match event {
            Event::Fatal { code, reason } => {
                assert_ne!(*code, cc_wire::codes::session::INTERNAL_ERROR, "our own fault: {reason}");
                self.over = true;
            }
            Event::Request { key, .. } => assert!(self.keys.insert(*key, true).is_none(), "{key:?} again"),
            Event::Refused { key, .. } | Event::Done { key, .. } | Event::Ended { key, .. } => {
                assert_eq!(self.keys.insert(*key, false), Some(true), "ends twice: {event:?}");
            }
            Event::SubgroupStart { data, key, .. } | Event::FetchStart { data, key } => {
                assert!(live(key), "of a dead request: {event:?}");
                assert!(self.data.insert(*data, true).is_none(), "{data:?} again");
            }
            Event::Whole { key, payload, .. } => {
                assert!(live(key), "of a dead request: {event:?}");
                assert!(payload.len() as u64 <= LIMITS.object_bytes);
            }
            Event::Object { data, payload, .. } | Event::FetchItem { data, payload, .. } => {
                assert_eq!(self.data.get(data), Some(&true), "after its end: {event:?}");
                assert!(payload.len() as u64 <= LIMITS.object_bytes);
            }
            Event::SubgroupEnd { data, .. } => {
                assert_eq!(self.data.insert(*data, false), Some(true), "ends twice: {event:?}");
            }
            Event::Accepted { key, .. }
            | Event::Update { key, .. }
            | Event::UpdateAnswered { key, .. }
            | Event::Notify { key, .. }
            | Event::Namespace { key, .. }
            | Event::NamespaceDone { key, .. }
            | Event::TrackBlocked { key, .. }
            | Event::RequestGoaway { key, .. }
            | Event::Datagram { key, .. } => assert!(live(key), "of a dead request: {event:?}"),
            Event::Setup(_) | Event::Goaway { .. } => {}
        }
    }

    /// What the peer can make the session hold.
    fn bounds(&self) {
        let held = self.session.held();
        assert!(held.requests <= 2 * LIMITS.requests, "{held:?}");
        assert!(held.subscriptions <= LIMITS.subscriptions, "{held:?}");
        assert!(held.token_bytes <= LIMITS.token_bytes, "{held:?}");
        assert!(held.namespaces <= LIMITS.namespaces, "{held:?}");
        assert!(held.assembly_bytes <= LIMITS.assembly_bytes, "{held:?}");
        assert!(held.early <= LIMITS.unknown_alias_streams + LIMITS.unknown_alias_bytes / 64, "{held:?}");
        // An event is pushed beyond the limit only for what is bounded itself: the start and the end of
        // a stream, the end of a request, the fatal one, and what one message brings.
        let extra = 2 * LIMITS.data_streams + 2 * LIMITS.requests + 4;
        assert!(held.events <= LIMITS.events + extra, "{held:?}");
        assert!(held.data_streams <= LIMITS.data_streams + held.events, "{held:?}");
    }

    /// Both sides let go; then nothing is left, unless the session broke.
    fn wind_up(&mut self) {
        (self.polls, self.reads) = (true, true);
        self.set_up();
        if self.control.is_none() {
            self.open_control();
        }
        for dir in [Dir::Uni, Dir::Bi] {
            self.net.grant(self.me, dir, 1000);
        }
        self.turns(10_000);
        for id in std::mem::take(&mut self.streams) {
            self.net.end(self.them).reset(id, 0);
            self.net.end(self.them).stop(id, 0);
        }
        let keys: Vec<RequestKey> = self.keys.iter().filter(|(_, live)| **live).map(|(key, _)| *key).collect();
        for key in keys {
            // A fatal error that is polled below has killed them all.
            if self.session.cancel(key, 1).is_ok() {
                self.keys.insert(key, false);
            }
        }
        for _ in 0..200 {
            assert!(self.turns(10_000), "never comes to rest");
            let Some(next) = self.session.poll_timeout().filter(|_| !self.over) else { break };
            assert!(next > self.now, "a deadline that does not pass");
            self.now = next;
            self.session.on_timeout(next);
        }
        self.bounds();
        if self.over {
            assert_eq!(self.session.poll_timeout(), None);
            assert_eq!(self.session.poll_event(), None);
            return;
        }
        assert_eq!(self.session.poll_timeout(), None, "still waiting");
        assert!(self.keys.values().all(|live| !live), "a request without an end");
        assert!(self.data.values().all(|live| !live), "a stream of objects without an end");
        assert_eq!(self.session.held(), Held::default());
    }
}

fn space() -> Namespace {
    Namespace::parse("a").expect("a namespace")
}
