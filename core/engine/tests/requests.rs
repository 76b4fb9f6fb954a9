//! Single requests: tokens of their own, publishers that are waited for or asked in turn, what a new token changes.

mod common;

use bytes::Bytes;
use cc_engine::{Command, Event, Place, Reason, Scope, SessionId, Stamp, SubscribeConfig, Time, TrackKind};
use cc_session::{Event as Said, Refusal, Reply, Request, RequestKey};
use cc_wire::codes::{publish_done, request_error};
use cc_wire::{Namespace, Params, Profile, Properties, Redirect, Token, TrackName};
use common::{client, link, relay, track, Identity, World};

const SECOND: Time = 1_000_000;

fn stamp(peer: &str, publish: &str, subscribe: &str) -> Stamp {
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

fn ns(path: &str) -> Namespace {
    Namespace::parse(path).unwrap()
}

fn name(namespace: &str, name: &str) -> TrackName {
    TrackName::new(ns(namespace), name.to_owned()).unwrap()
}

fn value(token: &str) -> Token {
    Token::UseValue { kind: 0, value: Bytes::copy_from_slice(token.as_bytes()) }
}

fn subscribe(namespace: &str, track: &str, params: Params) -> Request {
    Request::Subscribe { track: name(namespace, track), params }
}

/// A relay that asks about each token; node 0.
struct Door {
    world: World,
    identity: Identity,
}

impl Door {
    fn new(open: bool) -> Door {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, open));
        Door { world, identity }
    }

    fn asked(&mut self) -> SessionId {
        let events = self.world.events(0);
        let session = events.iter().find_map(|event| match event {
            Event::Auth { session, .. } => Some(*session),
            _ => None,
        });
        session.unwrap_or_else(|| panic!("{events:?}"))
    }

    /// A client with link 1, admitted with this stamp.
    fn client(&mut self, stamp: Stamp) -> (usize, SessionId) {
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
    fn raw(&mut self, profile: Profile, stamp: Stamp) -> (usize, SessionId) {
        let at = self.world.add_peer(0, &self.identity, profile);
        self.world.run(SECOND / 10);
        let session = self.asked();
        self.world.command(0, Command::Accept(session, Box::new(stamp)));
        self.world.run(SECOND / 10);
        (at, session)
    }

    /// A bare session of an open relay.
    fn stranger(&mut self, profile: Profile) -> usize {
        let at = self.world.add_peer(0, &self.identity, profile);
        self.world.run(SECOND / 10);
        at
    }

    fn ask(&mut self, raw: usize, request: Request) -> RequestKey {
        let now = self.world.now;
        let key = self.world.peer(raw).ask(request, now);
        self.world.run(SECOND / 10);
        key
    }

    fn answer(&mut self, raw: usize, request: Request) -> Option<Result<Reply, Refusal>> {
        let key = self.ask(raw, request);
        self.world.peer(raw).answer(key)
    }

    /// The tokens that the relay asks about: session, number, token, what for.
    fn questions(&mut self) -> Vec<(SessionId, u64, String, String)> {
        let questions = self.world.events(0).into_iter().filter_map(|event| match event {
            Event::AuthRequest { session, request, token, what } => {
                Some((session, request, String::from_utf8_lossy(&token).into_owned(), what))
            }
            _ => None,
        });
        questions.collect()
    }
}

fn code(answer: Option<Result<Reply, Refusal>>) -> u64 {
    match answer {
        Some(Err(refusal)) => refusal.code,
        other => panic!("no refusal: {other:?}"),
    }
}

fn drafts() -> [Profile; 2] {
    [Profile::D18, Profile::D22]
}

#[test]
fn a_token_parks_its_request_alone_and_its_stamp_holds_for_it_alone() {
    for profile in drafts() {
        let mut door = Door::new(false);
        door.world.publish(0, 5, Place::Node, track("vip", "show", TrackKind::Text, ""));
        door.world.publish(0, 6, Place::Node, track("hall", "chat", TrackKind::Text, ""));
        let (raw, session) = door.raw(profile, stamp("c7", "", "hall"));
        let vip = |params: Params| subscribe("vip", "show", params);
        assert_eq!(code(door.answer(raw, vip(Params::default()))), request_error::UNAUTHORIZED);
        let register = Token::Register { alias: 1, kind: 0, value: Bytes::from_static(b"ticket") };
        let parked = door.ask(raw, vip(Params { tokens: vec![register], ..Params::default() }));
        // Others go on meanwhile.
        let other = door.answer(raw, subscribe("hall", "chat", Params::default()));
        assert!(matches!(other, Some(Ok(Reply::SubscribeOk { .. }))), "{other:?}");
        let asked = door.questions();
        let [(of, number, token, what)] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((*of, token.as_str(), what.as_str()), (session, "ticket", "subscribe vip//show"));
        door.world.command(0, Command::AcceptRequest(session, *number, Box::new(stamp("c7", "", "vip"))));
        door.world.run(SECOND / 10);
        let granted = door.world.peer(raw).answer(parked);
        assert!(matches!(granted, Some(Ok(Reply::SubscribeOk { .. }))), "{granted:?}");
        // The session as such may do no more than before.
        let plain = Request::TrackStatus { track: name("vip", "show"), params: Params::default() };
        assert_eq!(code(door.answer(raw, plain)), request_error::UNAUTHORIZED);
        // By its alias it is known, and nobody is asked again.
        let params = Params { tokens: vec![Token::UseAlias { alias: 1 }], ..Params::default() };
        let status = Request::TrackStatus { track: name("vip", "show"), params };
        assert!(matches!(door.answer(raw, status), Some(Ok(Reply::Ok { .. }))));
        assert!(door.questions().is_empty());
    }
}

#[test]
fn a_request_s_token_is_refused_with_the_draft_s_code() {
    for profile in drafts() {
        let mut door = Door::new(false);
        door.world.publish(0, 5, Place::Node, track("vip", "show", TrackKind::Text, ""));
        let (raw, session) = door.raw(profile, stamp("c7", "", "vip"));
        let ask = |tokens: Vec<Token>| subscribe("vip", "show", Params { tokens, ..Params::default() });
        for (reason, said) in [
            (Reason::Unauthorized, request_error::UNAUTHORIZED),
            (Reason::Refused, request_error::UNAUTHORIZED),
            (Reason::ExpiredToken, request_error::EXPIRED_AUTH_TOKEN),
            (Reason::MalformedToken, request_error::MALFORMED_AUTH_TOKEN),
        ] {
            let key = door.ask(raw, ask(vec![value("bad")]));
            let number = door.questions()[0].1;
            door.world.command(0, Command::RefuseRequest(session, number, reason, "not this one".into()));
            door.world.run(SECOND / 10);
            let Some(Err(refusal)) = door.world.peer(raw).answer(key) else { panic!("{reason:?}") };
            assert_eq!((refusal.code, refusal.reason.as_str()), (said, "not this one"));
        }
        let five = door.answer(raw, ask(["a", "b", "c", "d", "e"].map(value).to_vec()));
        assert_eq!(code(five), request_error::MALFORMED_AUTH_TOKEN);
        let long = door.answer(raw, ask(vec![value(&"x".repeat(5000))]));
        assert_eq!(code(long), request_error::MALFORMED_AUTH_TOKEN);
        // A hook that sleeps costs the request, not the session.
        let key = door.ask(raw, ask(vec![value("slow")]));
        door.world.run(6 * SECOND);
        let Some(Err(refusal)) = door.world.peer(raw).answer(key) else { panic!("it waits for ever") };
        assert_eq!((refusal.code, refusal.retry_ms.is_some()), (request_error::EXCESSIVE_LOAD, true));
        let granted = door.answer(raw, subscribe("vip", "show", Params::default()));
        assert!(matches!(granted, Some(Ok(_))), "{granted:?}");
        assert_eq!(door.world.peer(raw).lost, None);
    }
}

/// The first token that is good and allows the request counts, whatever the others are.
#[test]
fn of_several_tokens_on_a_request_one_has_to_allow_it() {
    for profile in drafts() {
        let mut door = Door::new(false);
        door.world.publish(0, 5, Place::Node, track("vip", "show", TrackKind::Text, ""));
        let (raw, session) = door.raw(profile, stamp("c7", "", "hall"));
        let ask = |tokens: &[&str]| {
            let tokens = tokens.iter().map(|token| value(token)).collect();
            subscribe("vip", "show", Params { tokens, ..Params::default() })
        };
        // One is bad, one is for something else, and the third is it.
        let key = door.ask(raw, ask(&["bad", "cellar", "ticket", "never"]));
        let refuse = |number| Command::RefuseRequest(session, number, Reason::Unauthorized, "not this one".into());
        let judge = |number, prefix| Command::AcceptRequest(session, number, Box::new(stamp("c7", "", prefix)));
        for (token, prefix) in [("bad", None), ("cellar", Some("cellar")), ("ticket", Some("vip"))] {
            let asked = door.questions();
            let [(_, number, shown, _)] = &asked[..] else { panic!("{asked:?}") };
            assert_eq!(shown, token);
            let verdict = prefix.map_or_else(|| refuse(*number), |prefix| judge(*number, prefix));
            door.world.command(0, verdict);
            door.world.run(SECOND / 10);
        }
        let granted = door.world.peer(raw).answer(key);
        assert!(matches!(granted, Some(Ok(Reply::SubscribeOk { .. }))), "{granted:?}");
        assert!(door.questions().is_empty(), "the fourth is not looked at");
        // What was found is remembered; with none that allows it the request is refused.
        let key = door.ask(raw, ask(&["cellar", "bad"]));
        let number = door.questions()[0].1;
        door.world.command(0, refuse(number));
        door.world.run(SECOND / 10);
        assert_eq!(code(door.world.peer(raw).answer(key)), request_error::UNAUTHORIZED);
    }
}

#[test]
fn so_many_requests_wait_for_a_verdict_and_no_more() {
    let mut door = Door::new(false);
    let (raw, _) = door.raw(Profile::D22, stamp("c7", "", "vip"));
    let now = door.world.now;
    let keys: Vec<RequestKey> = (0..90)
        .map(|n| {
            let params = Params { tokens: vec![value(&format!("t{n}"))], ..Params::default() };
            door.world.peer(raw).ask(subscribe("vip", &n.to_string(), params), now)
        })
        .collect();
    door.world.run(SECOND);
    assert_eq!(door.questions().len(), 64);
    let refused = door.world.peer(raw).take();
    let refused = refused.iter().filter(|event| match event {
        Said::Refused { refusal, .. } => refusal.code == request_error::EXCESSIVE_LOAD && refusal.retry_ms.is_some(),
        _ => false,
    });
    assert_eq!(refused.count(), keys.len() - 64);
}

#[test]
fn a_request_ends_with_its_own_token() {
    let mut door = Door::new(false);
    door.world.publish(0, 5, Place::Node, track("vip", "show", TrackKind::Text, ""));
    let (raw, session) = door.raw(Profile::D22, stamp("c7", "", "hall"));
    let params = Params { tokens: vec![value("an hour")], ..Params::default() };
    let key = door.ask(raw, subscribe("vip", "show", params));
    let number = door.questions()[0].1;
    let ticket = Stamp { expires: Some(door.world.now + 3 * SECOND), ..stamp("c7", "", "vip") };
    door.world.command(0, Command::AcceptRequest(session, number, Box::new(ticket)));
    door.world.run(SECOND);
    assert!(matches!(door.world.peer(raw).answer(key), Some(Ok(_))));
    // It may be renewed on the request itself.
    let now = door.world.now;
    let update = Params { tokens: vec![value("another hour")], ..Params::default() };
    door.world.peer(raw).session.update(key, update).unwrap();
    door.world.run(SECOND / 10);
    let number = door.questions()[0].1;
    let ticket = Stamp { expires: Some(now + 5 * SECOND), ..stamp("c7", "", "vip") };
    door.world.command(0, Command::AcceptRequest(session, number, Box::new(ticket)));
    door.world.run(3 * SECOND);
    let events = door.world.peer(raw).take();
    assert!(matches!(events[..], [Said::UpdateAnswered { result: Ok(_), .. }]), "{events:?}");
    door.world.run(3 * SECOND);
    let events = door.world.peer(raw).take();
    assert!(matches!(events[..], [Said::Done { code: publish_done::EXPIRED, .. }]), "{events:?}");
    assert_eq!(door.world.engine(0).stats().subscriptions, 0);
}

#[test]
fn a_link_shows_tokens_of_single_tracks() {
    let mut door = Door::new(false);
    let (at, session) = door.client(stamp("c7", "", ""));
    let mut config = track("vip", "mic", TrackKind::Text, "");
    config.token = Some(Bytes::from_static(b"speaker"));
    door.world.publish(at, 10, Place::Link(1), config);
    door.world.publish(0, 5, Place::Node, track("vip", "show", TrackKind::Text, ""));
    let wanted = SubscribeConfig {
        namespace: ns("vip"),
        name: Some(Bytes::from_static(b"show")),
        capability: Bytes::new(),
        priority: 128,
        order: None,
        rendezvous_ms: 0,
        token: Some(Bytes::from_static(b"guest")),
    };
    door.world.command(at, Command::Subscribe(20, Place::Link(1), Box::new(wanted)));
    door.world.run(SECOND / 10);
    let mut asked = door.questions();
    asked.sort_by(|a, b| a.2.cmp(&b.2));
    let told: Vec<(&str, &str)> = asked.iter().map(|q| (q.2.as_str(), q.3.as_str())).collect();
    assert_eq!(told, [("guest", "subscribe vip//show"), ("speaker", "publish vip//mic")]);
    for (_, number, token, _) in &asked {
        let stamp = if token == "guest" { stamp("c7", "", "vip") } else { stamp("c7", "vip", "") };
        door.world.command(0, Command::AcceptRequest(session, *number, Box::new(stamp)));
    }
    door.world.run(SECOND / 10);
    let events = door.world.events(at);
    assert!(events.contains(&Event::PublishOk { publication: 10 }), "{events:?}");
    assert!(events.contains(&Event::SubscribeOk { subscription: 20 }), "{events:?}");
}

#[test]
fn a_new_token_widens_and_narrows_what_is_told() {
    for profile in drafts() {
        let mut door = Door::new(false);
        for (id, place) in [(5, "g/a"), (6, "g/b")] {
            door.world.publish(0, id, Place::Node, track(place, "t", TrackKind::Text, ""));
        }
        let (raw, session) = door.raw(profile, stamp("c7", "", "g/a"));
        let names = door.ask(raw, Request::SubscribeNamespace { prefix: ns("g"), params: Params::default() });
        let tracks = door.ask(raw, Request::SubscribeTracks { prefix: ns("g"), params: Params::default() });
        let told = |events: &[Said]| -> (Vec<String>, Vec<String>, Vec<String>) {
            let (mut come, mut gone, mut offered) = (Vec::new(), Vec::new(), Vec::new());
            for event in events {
                match event {
                    Said::Namespace { key, suffix } if *key == names => come.push(suffix.to_string()),
                    Said::NamespaceDone { key, suffix } if *key == names => gone.push(suffix.to_string()),
                    Said::Request { request: Request::Publish { track, .. }, .. } => {
                        offered.push(track.namespace.to_string());
                    }
                    _ => {}
                }
            }
            (come, gone, offered)
        };
        let one = |text: &str| vec![text.to_owned()];
        let events = door.world.peer(raw).take();
        assert_eq!(told(&events), (one("a"), vec![], one("g/a")), "{profile:?}");
        let offered = events.iter().find_map(|event| match event {
            Said::Request { key, request: Request::Publish { .. } } => Some(*key),
            _ => None,
        });
        let reply = Reply::Ok { params: Params::default(), properties: Properties::default() };
        door.world.peer(raw).session.accept(offered.unwrap(), reply).unwrap();
        door.world.run(SECOND / 10);
        // Another room: the first is taken back, the second told.
        let update = Params { tokens: vec![value("b")], ..Params::default() };
        door.world.peer(raw).session.update(tracks, update).unwrap();
        door.world.run(SECOND / 10);
        let refresh = door.world.events(0);
        assert!(refresh.iter().any(|e| matches!(e, Event::AuthRefresh { token, .. } if &token[..] == b"b")));
        door.world.command(0, Command::Accept(session, Box::new(stamp("c7", "", "g/b"))));
        door.world.run(SECOND / 10);
        let events = door.world.peer(raw).take();
        assert_eq!(told(&events), (one("b"), one("a"), one("g/b")), "{profile:?}: {events:?}");
        let ended = events.iter().any(|event| match event {
            Said::Done { key, code, .. } => Some(*key) == offered && *code == publish_done::UNAUTHORIZED,
            _ => false,
        });
        assert!(ended, "{events:?}");
        // Wider again: nothing is told twice.
        door.world.command(0, Command::Accept(session, Box::new(stamp("c7", "", "g"))));
        door.world.run(SECOND / 10);
        let events = door.world.peer(raw).take();
        assert_eq!(told(&events), (one("a"), vec![], one("g/a")), "{profile:?}: {events:?}");
        // And a token that allows nothing there ends both.
        door.world.command(0, Command::Accept(session, Box::new(stamp("c7", "", "h"))));
        door.world.run(SECOND / 10);
        let events = door.world.peer(raw).take();
        let over = |of| events.iter().any(|event| matches!(event, Said::Ended { key, .. } if *key == of));
        assert!(over(names) && over(tracks), "{events:?}");
    }
}

#[test]
fn a_prefix_moves_with_what_is_told() {
    for profile in drafts() {
        let mut door = Door::new(true);
        for (id, place) in [(5, "g/a"), (6, "h/b")] {
            door.world.publish(0, id, Place::Node, track(place, "t", TrackKind::Text, ""));
        }
        let raw = door.stranger(profile);
        let names = door.ask(raw, Request::SubscribeNamespace { prefix: ns("g"), params: Params::default() });
        door.world.peer(raw).take();
        let moved = Params { namespace_prefix: Some(ns("h")), ..Params::default() };
        door.world.peer(raw).session.update(names, moved).unwrap();
        door.world.run(SECOND / 10);
        let events = door.world.peer(raw).take();
        let told = |event: &Said| matches!(event, Said::Namespace { suffix, .. } if suffix.to_string() == "b");
        assert!(events.iter().any(told), "{profile:?}: {events:?}");
        door.world.publish(0, 7, Place::Node, track("g/c", "t", TrackKind::Text, ""));
        door.world.publish(0, 8, Place::Node, track("h/d", "t", TrackKind::Text, ""));
        door.world.run(SECOND / 10);
        let events = door.world.peer(raw).take();
        let suffixes: Vec<String> = events
            .iter()
            .filter_map(|event| match event {
                Said::Namespace { suffix, .. } => Some(suffix.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(suffixes, ["d"], "{profile:?}");
    }
}

#[test]
fn a_subscription_waits_for_its_publisher_as_long_as_it_says() {
    for profile in drafts() {
        let mut door = Door::new(true);
        let raw = door.stranger(profile);
        let wait = |ms| Params { rendezvous_timeout: Some(ms), ..Params::default() };
        assert_eq!(code(door.answer(raw, subscribe("g", "t", Params::default()))), request_error::DOES_NOT_EXIST);
        assert_eq!(code(door.answer(raw, subscribe("g", "t", wait(0)))), request_error::DOES_NOT_EXIST);
        let never = door.ask(raw, subscribe("g", "never", wait(2000)));
        let soon = door.ask(raw, subscribe("g", "soon", wait(10_000)));
        let watch = Request::SubscribeTracks { prefix: ns("g"), params: Params::default() };
        door.ask(raw, watch);
        door.world.run(SECOND);
        let waits = door.world.peer(raw).take();
        assert!(!waits.iter().any(|e| matches!(e, Said::Refused { .. })), "{waits:?}");
        door.world.publish(0, 5, Place::Node, track("g", "soon", TrackKind::Text, ""));
        door.world.run(2 * SECOND);
        let events = door.world.peer(raw).take();
        let granted = |e: &Said| matches!(e, Said::Accepted { key, reply: Reply::SubscribeOk { .. } } if *key == soon);
        assert!(events.iter().any(granted), "{events:?}");
        let refused = |e: &Said| match e {
            Said::Refused { key, refusal } => *key == never && refusal.code == request_error::TIMEOUT,
            _ => false,
        };
        assert!(events.iter().any(refused), "{events:?}");
        // Who has asked for it by name is not offered it besides.
        assert!(!events.iter().any(|e| matches!(e, Said::Request { .. })), "{events:?}");
        assert_eq!(door.world.engine(0).stats().tracks, 1, "what was looked for and not found is forgotten");
    }
}

#[test]
fn a_link_waits_for_a_publisher_that_comes_later() {
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, true));
    world.add(client(2));
    world.add(client(3));
    for at in [1, 2] {
        world.open_link(at, at as u64, 0, &identity, None);
    }
    let wanted = |id: u64, rendezvous_ms| {
        let config = SubscribeConfig {
            namespace: ns("g"),
            name: Some(Bytes::from(format!("t{id}"))),
            capability: Bytes::new(),
            priority: 128,
            order: None,
            rendezvous_ms,
            token: None,
        };
        Command::Subscribe(id, Place::Link(2), Box::new(config))
    };
    world.command(2, wanted(20, 30_000));
    world.command(2, wanted(21, 1000));
    world.run(5 * SECOND);
    let events = world.events(2);
    let refused: Vec<(u64, Reason)> = events
        .iter()
        .filter_map(|event| match event {
            Event::SubscribeRefused { subscription, reason, .. } => Some((*subscription, *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [(21, Reason::Timeout)]);
    world.publish(1, 10, Place::Link(1), track("g", "t20", TrackKind::Text, ""));
    world.run(SECOND);
    world.send(1, 10, *b"at last");
    world.run(SECOND);
    let frames: Vec<Bytes> = world.frames(2).into_iter().map(|frame| frame.payload).collect();
    assert_eq!(frames, ["at last"]);
}

#[test]
fn a_session_does_not_wait_for_too_many() {
    let mut door = Door::new(true);
    let raw = door.stranger(Profile::D22);
    let now = door.world.now;
    for n in 0..80 {
        let params = Params { rendezvous_timeout: Some(1 << 62), ..Params::default() };
        door.world.peer(raw).ask(subscribe("g", &n.to_string(), params), now);
    }
    door.world.run(SECOND);
    let refused = |events: Vec<Said>, of| -> usize {
        let refused = events.into_iter().filter(|e| matches!(e, Said::Refused { refusal, .. } if refusal.code == of));
        refused.count()
    };
    assert_eq!(refused(door.world.peer(raw).take(), request_error::EXCESSIVE_LOAD), 16);
    assert_eq!(door.world.engine(0).stats().tracks, 64);
    // However long they ask for: the relay's own bound holds.
    door.world.run(61 * SECOND);
    assert_eq!(refused(door.world.peer(raw).take(), request_error::TIMEOUT), 64);
    assert_eq!(door.world.engine(0).stats().tracks, 0);
}

#[test]
fn those_who_announced_a_namespace_are_asked_in_turn() {
    for profile in drafts() {
        let mut door = Door::new(true);
        let announce =
            |namespace: &str| Request::PublishNamespace { namespace: ns(namespace), params: Params::default() };
        let (far, near, reader) = (door.stranger(profile), door.stranger(profile), door.stranger(profile));
        door.ask(far, announce("g"));
        door.ask(near, announce("g/room"));
        let wanted = door.ask(reader, subscribe("g/room", "t", Params::default()));
        let asked = |door: &mut Door, at: usize| {
            door.world.peer(at).take().into_iter().find_map(|event| match event {
                Said::Request { key, request: Request::Subscribe { track, params } } => Some((key, track, params)),
                _ => None,
            })
        };
        assert!(asked(&mut door, far).is_none(), "the longest prefix first");
        let (key, track, params) = asked(&mut door, near).unwrap();
        assert_eq!((track, params.subscriber_priority), (name("g/room", "t"), Some(128)));
        let no = Refusal::new(request_error::DOES_NOT_EXIST, "not here");
        door.world.peer(near).session.refuse(key, no).unwrap();
        door.world.run(SECOND / 10);
        let (key, ..) = asked(&mut door, far).unwrap();
        let reply = Reply::SubscribeOk { alias: 3, params: Params::default(), properties: Properties::default() };
        door.world.peer(far).session.accept(key, reply).unwrap();
        door.world.run(SECOND / 10);
        assert!(matches!(door.world.peer(reader).answer(wanted), Some(Ok(_))));
        // All say no: the one that says more than that is passed on.
        let wanted = door.ask(reader, subscribe("g/room", "u", Params::default()));
        let (key, ..) = asked(&mut door, near).unwrap();
        let redirect = Redirect { uri: String::new(), track: name("other", "u") };
        let no =
            Refusal { redirect: Some(Box::new(redirect.clone())), ..Refusal::new(request_error::REDIRECT, "there") };
        door.world.peer(near).session.refuse(key, no).unwrap();
        door.world.run(SECOND / 10);
        let (key, ..) = asked(&mut door, far).unwrap();
        let no = Refusal::new(request_error::DOES_NOT_EXIST, "not here");
        door.world.peer(far).session.refuse(key, no).unwrap();
        door.world.run(SECOND / 10);
        let Some(Err(refusal)) = door.world.peer(reader).answer(wanted) else { panic!("no answer") };
        assert_eq!((refusal.code, refusal.redirect), (request_error::REDIRECT, Some(Box::new(redirect))));
        // One that never answers does not hold up the next for ever, and then nobody knows.
        let wanted = door.ask(reader, subscribe("g/room", "v", Params::default()));
        door.world.run(12 * SECOND);
        let (key, ..) = asked(&mut door, far).unwrap();
        let no = Refusal::new(request_error::DOES_NOT_EXIST, "not here");
        door.world.peer(far).session.refuse(key, no).unwrap();
        door.world.run(SECOND / 10);
        let Some(Err(refusal)) = door.world.peer(reader).answer(wanted) else { panic!("no answer") };
        assert_eq!(refusal.code, request_error::TIMEOUT);
    }
}

#[test]
fn a_redirect_is_told_with_its_place() {
    let mut door = Door::new(true);
    let near = door.stranger(Profile::D22);
    door.ask(near, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
    let at = door.world.add(client(77));
    door.world.open_link(at, 1, 0, &door.identity, None);
    door.world.subscribe_exact(at, 20, Place::Link(1), "g", "t");
    door.world.run(SECOND / 10);
    let asked = door.world.peer(near).take();
    let Some(Said::Request { key, .. }) = asked.last() else { panic!("{asked:?}") };
    let redirect = Redirect { uri: String::new(), track: name("h", "u") };
    let no = Refusal { redirect: Some(Box::new(redirect.clone())), ..Refusal::new(request_error::REDIRECT, "moved") };
    door.world.peer(near).session.refuse(*key, no).unwrap();
    door.world.run(SECOND / 10);
    let events = door.world.events(at);
    let told = events.iter().any(|event| match event {
        Event::SubscribeRefused { reason: Reason::Redirected, redirect: Some(to), .. } => **to == redirect,
        _ => false,
    });
    assert!(told, "{events:?}");
}

#[test]
fn reserved_namespaces_and_properties_that_must_be_understood_are_refused() {
    for profile in drafts() {
        let mut door = Door::new(true);
        let raw = door.stranger(profile);
        for reserved in [".", ".session", ".session/x"] {
            let asked = [
                subscribe(reserved, "t", Params { rendezvous_timeout: Some(9000), ..Params::default() }),
                Request::PublishNamespace { namespace: ns(reserved), params: Params::default() },
                Request::SubscribeTracks { prefix: ns(reserved), params: Params::default() },
            ];
            for request in asked {
                assert_eq!(code(door.answer(raw, request)), request_error::DOES_NOT_EXIST, "{reserved}");
            }
        }
        // Others that begin with a period are the application's.
        let own = door.answer(raw, Request::PublishNamespace { namespace: ns(".mine"), params: Params::default() });
        assert!(matches!(own, Some(Ok(_))), "{own:?}");
        let mut properties = Properties::default();
        properties.insert(0x4002, 1).unwrap();
        let publish = Request::Publish { track: name("g", "t"), alias: 1, params: Params::default(), properties };
        assert_eq!(code(door.answer(raw, publish)), request_error::UNSUPPORTED_EXTENSION);
        let mut unknown = Properties::default();
        unknown.insert(0x9d, vec![1, 2].into_iter().collect::<Bytes>()).unwrap();
        let publish =
            Request::Publish { track: name("g", "u"), alias: 2, params: Params::default(), properties: unknown };
        assert!(matches!(door.answer(raw, publish), Some(Ok(_))), "what may be passed over is");
    }
}
