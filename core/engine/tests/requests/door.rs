//! A relay that asks about each token, and who comes to it.

use crate::common::{client, link, relay, Identity, World};
use bytes::Bytes;
use cc_engine::{Command, Event, SessionId, Stamp, Time};
use cc_session::{Refusal, Reply, Request, RequestKey};
use cc_wire::{Namespace, Params, Profile, Token, TrackName};

const SECOND: Time = 1_000_000;

pub fn ns(path: &str) -> Namespace {
    Namespace::parse(path).unwrap()
}

pub fn name(namespace: &str, name: &str) -> TrackName {
    TrackName::new(ns(namespace), name.to_owned()).unwrap()
}

pub fn value(token: &str) -> Token {
    Token::UseValue { kind: 0, value: Bytes::copy_from_slice(token.as_bytes()) }
}

pub fn subscribe(namespace: &str, track: &str, params: Params) -> Request {
    Request::Subscribe { track: name(namespace, track), params }
}

/// A relay that asks about each token; node 0.
pub struct Door {
    pub world: World,
    pub identity: Identity,
}

impl Door {
    pub fn new(open: bool) -> Door {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, open));
        Door { world, identity }
    }

    pub fn asked(&mut self) -> SessionId {
        let events = self.world.events(0);
        let session = events.iter().find_map(|event| match event {
            Event::Auth { session, .. } => Some(*session),
            _ => None,
        });
        session.unwrap_or_else(|| panic!("{events:?}"))
    }

    /// A client with link 1, admitted with this stamp.
    pub fn client(&mut self, stamp: Stamp) -> (usize, SessionId) {
        let at = self.world.add(client(20 + self.world.nodes.len() as u8));
        let config = link(self.world.nodes[0].address, &self.identity, 1, None);
        self.world.command(at, Command::OpenLink(1, Box::new(config)));
        self.world.run(SECOND / 10);
        let session = self.asked();
        self.world.command(0, Command::Accept(session, Box::new(stamp)));
        self.world.run(SECOND / 10);
        (at, session)
    }

    /// A bare session, admitted with this stamp.
    pub fn raw(&mut self, profile: Profile, stamp: Stamp) -> (usize, SessionId) {
        let at = self.world.add_peer(0, &self.identity, profile);
        self.world.run(SECOND / 10);
        let session = self.asked();
        self.world.command(0, Command::Accept(session, Box::new(stamp)));
        self.world.run(SECOND / 10);
        (at, session)
    }

    /// A bare session of an open relay.
    pub fn stranger(&mut self, profile: Profile) -> usize {
        let at = self.world.add_peer(0, &self.identity, profile);
        self.world.run(SECOND / 10);
        at
    }

    pub fn ask(&mut self, raw: usize, request: Request) -> RequestKey {
        let now = self.world.now;
        let key = self.world.peer(raw).ask(request, now);
        self.world.run(SECOND / 10);
        key
    }

    pub fn answer(&mut self, raw: usize, request: Request) -> Option<Result<Reply, Refusal>> {
        let key = self.ask(raw, request);
        self.world.peer(raw).answer(key)
    }

    /// The tokens that the relay asks about: session, number, token, what for.
    pub fn questions(&mut self) -> Vec<(SessionId, u64, String, String)> {
        let questions = self.world.events(0).into_iter().filter_map(|event| match event {
            Event::AuthRequest { session, request, token, what } => {
                Some((session, request, String::from_utf8_lossy(&token).into_owned(), what))
            }
            _ => None,
        });
        questions.collect()
    }
}

pub fn code(answer: Option<Result<Reply, Refusal>>) -> u64 {
    match answer {
        Some(Err(refusal)) => refusal.code,
        other => panic!("no refusal: {other:?}"),
    }
}

pub fn drafts() -> [Profile; 2] {
    [Profile::D18, Profile::D22]
}
