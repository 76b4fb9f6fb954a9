//! Tokens of single requests, and what a new one changes.

use crate::common::{stamp, track};
use bytes::Bytes;
use cc_engine::{Command, Event, Place, Reason, Stamp, SubscribeConfig, Time, TrackKind};
use cc_session::{Event as Said, Reply, Request, RequestKey};
use cc_wire::codes::{publish_done, request_error};
use cc_wire::{Params, Profile, Properties, Token};

const SECOND: Time = 1_000_000;
use crate::door::{code, drafts, name, ns, subscribe, value, Door};

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
