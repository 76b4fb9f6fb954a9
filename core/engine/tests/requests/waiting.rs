//! Publishers that are waited for or asked in turn, prefixes that move, names that are refused.

use crate::common::{client, relay, track, Identity, World};
use bytes::Bytes;
use cc_engine::{Command, Event, Place, Reason, SubscribeConfig, Time, TrackKind};
use cc_session::{Event as Said, Refusal, Reply, Request};
use cc_wire::codes::request_error;
use cc_wire::{Params, Profile, Properties, Redirect};

const SECOND: Time = 1_000_000;
use crate::door::{code, drafts, name, ns, subscribe, Door};

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
