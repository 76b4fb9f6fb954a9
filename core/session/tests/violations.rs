//! Breaches of the protocol: each ends the session with the draft's code, and nothing more comes.

mod util;

use cc_session::{CommandError, Dir, Ended, Event, Refusal, Reply, Request, Role, StreamId, Transport};
use cc_wire::codes::{request_error, session, stream_reset};
use cc_wire::{varint, Message, Namespace, Params, Profile, Redirect, SetupOptions, Token};
use util::*;

/// A server session and what a client that follows no rules may send it.
struct Rogue {
    pair: Pair,
    control: StreamId,
}

impl Rogue {
    fn new(profile: Profile, role: Role) -> Self {
        let mut pair = Pair::new(Options { profile, ..Options::default() });
        let side = if role == Role::Server { SERVER } else { CLIENT };
        pair.sessions[side].setup(SetupOptions::default()).unwrap();
        let setup = pair.encode(&Message::Setup(SetupOptions::default()));
        let control = pair.stream(1 - side, Dir::Uni, &setup);
        let mut rogue = Self { pair, control };
        rogue.settle(side);
        assert!(matches!(rogue.pair.one(side), Event::Setup(_)));
        rogue
    }

    /// Only the session under test runs; the other end is the test.
    fn settle(&mut self, side: usize) {
        loop {
            let moved = self.pair.net.deliver();
            let mut any = false;
            while let Some(notice) = self.pair.net.notice(side) {
                any = true;
                self.pair.notify(side, notice);
            }
            while self.pair.net.notice(1 - side).is_some() {}
            self.pair.sessions[side].flush(&mut self.pair.net.end(side), self.pair.now);
            while let Some(event) = self.pair.sessions[side].poll_event() {
                self.pair.events[side].push(event);
            }
            if !moved && !any {
                return;
            }
        }
    }
}

/// The code with which a server ends after these messages on one new request stream.
fn on_request(profile: Profile, messages: &[Message]) -> u64 {
    let mut rogue = Rogue::new(profile, Role::Server);
    let bytes: Vec<u8> = messages.iter().flat_map(|message| rogue.pair.encode(message)).collect();
    rogue.pair.stream(CLIENT, Dir::Bi, &bytes);
    rogue.settle(SERVER);
    rogue.pair.fatal(SERVER)
}

fn subscribe_message(request_id: u64) -> Message {
    Message::Subscribe { request_id, track: track("a", "t"), params: Params::default() }
}

fn publish_message(request_id: u64, name: &str, alias: u64) -> Message {
    Message::Publish {
        request_id,
        track: track("a", name),
        alias,
        params: Params::default(),
        properties: Default::default(),
    }
}

fn goaway(uri: &str, request_id: Option<u64>) -> Message {
    Message::Goaway { uri: uri.into(), timeout_ms: 0, request_id }
}

fn request_ok() -> Message {
    Message::RequestOk { params: Params::default(), properties: Default::default() }
}

#[test]
fn request_streams() {
    let update = |request_id| Message::RequestUpdate { request_id, params: Params::default() };
    for profile in PROFILES {
        let pv = session::PROTOCOL_VIOLATION;
        let rows: Vec<(&str, Vec<Message>, u64)> = vec![
            ("begins with an answer", vec![request_ok()], pv),
            ("begins with SETUP", vec![Message::Setup(SetupOptions::default())], pv),
            ("begins with an update", vec![update(0)], pv),
            ("odd id from a client", vec![subscribe_message(1)], session::INVALID_REQUEST_ID),
            ("id twice", vec![subscribe_message(0), update(0)], session::INVALID_REQUEST_ID),
            ("second request on a stream", vec![subscribe_message(0), subscribe_message(2)], pv),
            ("answer by the requester", vec![subscribe_message(0), request_ok()], pv),
            (
                "update of TRACK_STATUS",
                vec![
                    Message::TrackStatus { request_id: 0, track: track("a", "t"), params: Params::default() },
                    update(2),
                ],
                pv,
            ),
            (
                "PUBLISH_DONE by a subscriber",
                vec![
                    subscribe_message(0),
                    Message::PublishDone { code: 0, stream_count: Some(0), reason: String::new() },
                ],
                pv,
            ),
            (
                "after PUBLISH_DONE",
                vec![
                    publish_message(0, "t", 1),
                    Message::PublishDone { code: 0, stream_count: Some(9), reason: String::new() },
                    update(2),
                ],
                pv,
            ),
            ("two GOAWAYs", vec![subscribe_message(0), goaway("", None), goaway("", None)], pv),
            ("a client's GOAWAY with a URI", vec![subscribe_message(0), goaway("moqt://x", None)], pv),
        ];
        for (what, messages, code) in rows {
            assert_eq!(on_request(profile, &messages), code, "{what}, {profile:?}");
        }
    }
}

#[test]
fn one_alias_for_two_tracks() {
    for profile in PROFILES {
        let mut rogue = Rogue::new(profile, Role::Server);
        for (id, name) in [(0, "one"), (2, "two")] {
            let bytes = rogue.pair.encode(&publish_message(id, name, 5));
            rogue.pair.stream(CLIENT, Dir::Bi, &bytes);
        }
        rogue.settle(SERVER);
        assert_eq!(rogue.pair.fatal(SERVER), session::DUPLICATE_TRACK_ALIAS);
    }
}

#[test]
fn tokens_by_alias() {
    let with = |token| Message::Subscribe {
        request_id: 0,
        track: track("a", "t"),
        params: Params { tokens: vec![token], ..Params::default() },
    };
    for profile in PROFILES {
        let register = |alias, len: usize| Token::Register { alias, kind: 0, value: vec![b't'; len].into() };
        assert_eq!(on_request(profile, &[with(register(1, 1 << 14))]), session::AUTH_TOKEN_CACHE_OVERFLOW);
        let twice = Message::Subscribe {
            request_id: 0,
            track: track("a", "t"),
            params: Params { tokens: vec![register(1, 2), register(1, 3)], ..Params::default() },
        };
        assert_eq!(on_request(profile, &[twice]), session::DUPLICATE_AUTH_TOKEN_ALIAS);
        for token in [Token::UseAlias { alias: 1 }, Token::Delete { alias: 1 }] {
            assert_eq!(on_request(profile, &[with(token)]), session::UNKNOWN_AUTH_TOKEN_ALIAS);
        }
        let twice = Message::Subscribe {
            request_id: 0,
            track: track("a", "t"),
            params: Params { tokens: vec![Token::UseValue { kind: 0, value: "t".into() }; 2], ..Params::default() },
        };
        assert_eq!(on_request(profile, &[twice]), session::PROTOCOL_VIOLATION);
    }
}

#[test]
fn a_registered_token_is_used_by_its_alias_on_other_requests() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let value = Token::UseValue { kind: 0, value: "secret".into() };
        let register = Token::Register { alias: 4, kind: 0, value: "secret".into() };
        let params = Params { tokens: vec![register], ..Params::default() };
        pair.sessions[CLIENT].request(Request::Subscribe { track: track("a", "t"), params }, 0).unwrap();
        pair.run();
        let Event::Request { key: first, .. } = pair.one(SERVER) else { panic!("no request") };
        assert_eq!(pair.sessions[SERVER].held().token_bytes, 22);
        // Refused or not, the alias stands.
        pair.sessions[SERVER].refuse(first, no(request_error::UNAUTHORIZED)).unwrap();
        pair.run();
        pair.take(CLIENT);
        let params = Params { tokens: vec![Token::UseAlias { alias: 4 }], ..Params::default() };
        pair.sessions[CLIENT].request(Request::Subscribe { track: track("a", "t"), params }, 0).unwrap();
        pair.run();
        let Event::Request { request: Request::Subscribe { params, .. }, .. } = pair.one(SERVER) else {
            panic!("no request")
        };
        assert_eq!(params.tokens, [value]);
        let params = Params { tokens: vec![Token::Delete { alias: 4 }], ..Params::default() };
        pair.sessions[CLIENT].request(Request::Subscribe { track: track("a", "u"), params }, 0).unwrap();
        pair.run();
        let Event::Request { request: Request::Subscribe { params, .. }, .. } = pair.one(SERVER) else {
            panic!("no request")
        };
        assert!(params.tokens.is_empty());
        assert_eq!(pair.sessions[SERVER].held().token_bytes, 0);
    }
}

#[test]
fn a_hop_list_is_negotiated() {
    let with_hops = || Request::PublishNamespace {
        namespace: Namespace::default(),
        params: Params { hops: Some(vec![7]), ..Params::default() },
    };
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        pair.sessions[CLIENT].request(with_hops(), 0).unwrap();
        pair.run();
        assert_eq!(pair.fatal(SERVER), session::PROTOCOL_VIOLATION);
        let mut pair = Pair::new(Options { profile, ..Options::default() });
        for (side, id) in [(CLIENT, 1), (SERVER, 2)] {
            pair.sessions[side].setup(SetupOptions { relay_id: Some(id), ..SetupOptions::default() }).unwrap();
        }
        pair.run();
        assert!(pair.sessions.iter().all(|session| session.between_relays()));
        pair.take(SERVER);
        pair.sessions[CLIENT].request(with_hops(), 0).unwrap();
        pair.run();
        assert!(matches!(pair.one(SERVER), Event::Request { .. }));
    }
}

#[test]
fn a_refusal_may_say_where_to_go() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (ours, theirs) = pair.ask(CLIENT, Request::Subscribe { track: track("a", "t"), params: Params::default() });
        let redirect = Redirect { uri: "moqt://b:443/".into(), track: track("c", "u") };
        let refusal = Refusal { redirect: Some(Box::new(redirect)), ..no(request_error::REDIRECT) };
        pair.sessions[SERVER].refuse(theirs, refusal.clone()).unwrap();
        pair.run();
        assert_eq!(pair.one(CLIENT), Event::Refused { key: ours, refusal });
    }
}

#[test]
fn tokens_in_setup() {
    for (token, arrives) in [
        (Token::Register { alias: 1, kind: 2, value: "t".into() }, true),
        (Token::UseValue { kind: 2, value: "t".into() }, true),
        (Token::UseAlias { alias: 1 }, false),
        (Token::Delete { alias: 1 }, false),
    ] {
        let mut pair = Pair::new(Options::default());
        let options = SetupOptions { tokens: vec![token], ..SetupOptions::default() };
        pair.sessions[CLIENT].setup(options).unwrap();
        pair.run();
        if arrives {
            let Event::Setup(setup) = pair.one(SERVER) else { panic!("no SETUP") };
            assert_eq!(setup.tokens, [Token::UseValue { kind: 2, value: "t".into() }]);
        } else {
            assert_eq!(pair.fatal(SERVER), session::PROTOCOL_VIOLATION);
        }
    }
}

#[test]
fn too_many_updates_from_20_on() {
    for profile in PROFILES {
        let mut pair = Pair::new(Options { profile, ..Options::default() });
        pair.sessions[CLIENT].setup(SetupOptions::default()).unwrap();
        let options = SetupOptions { max_request_updates: Some(2), ..SetupOptions::default() };
        pair.sessions[SERVER].setup(options).unwrap();
        pair.run();
        let bytes: Vec<u8> = [subscribe_message(40)]
            .into_iter()
            .chain((1..4).map(|n| Message::RequestUpdate { request_id: 40 + 2 * n, params: Params::default() }))
            .flat_map(|message| pair.encode(&message))
            .collect();
        pair.stream(CLIENT, Dir::Bi, &bytes);
        pair.run();
        if profile == Profile::D18 {
            let events = pair.take(SERVER);
            let [Event::Setup(_), Event::Request { key, .. }] = events[..] else { panic!("{events:?}") };
            let reply = Reply::SubscribeOk { alias: 1, params: Params::default(), properties: Default::default() };
            pair.sessions[SERVER].accept(key, reply).unwrap();
            pair.run();
            assert_eq!(pair.take(SERVER).len(), 3, "three updates, once the request is answered");
        } else {
            assert_eq!(pair.fatal(SERVER), session::TOO_MANY_REQUEST_UPDATES);
        }
        // A session that follows the rules does not get there.
        let mut pair = Pair::new(Options { profile, ..Options::default() });
        pair.sessions[CLIENT].setup(SetupOptions::default()).unwrap();
        let options = SetupOptions { max_request_updates: Some(2), ..SetupOptions::default() };
        pair.sessions[SERVER].setup(options).unwrap();
        pair.run();
        let key = pair.request(CLIENT, subscribe("a", "t"));
        let sent = (0..9).take_while(|_| pair.sessions[CLIENT].update(key, Params::default()).is_ok()).count();
        assert_eq!(sent, if profile == Profile::D18 { 9 } else { 2 });
        pair.run();
        assert!(!pair.take(SERVER).iter().any(|event| matches!(event, Event::Fatal { .. })));
    }
}

#[test]
fn the_control_stream() {
    for profile in PROFILES {
        type Act = fn(&mut Rogue);
        let rows: [(&str, Act, u64); 6] = [
            ("finished", |r| r.pair.finish(CLIENT, r.control), session::PROTOCOL_VIOLATION),
            ("reset", |r| r.pair.net.end(CLIENT).reset(r.control, 0), session::PROTOCOL_VIOLATION),
            (
                "a second one",
                |r| {
                    let setup = r.pair.encode(&Message::Setup(SetupOptions::default()));
                    r.pair.stream(CLIENT, Dir::Uni, &setup);
                },
                session::PROTOCOL_VIOLATION,
            ),
            (
                "SETUP again",
                |r| {
                    let setup = r.pair.encode(&Message::Setup(SetupOptions::default()));
                    r.pair.write(CLIENT, r.control, &setup);
                },
                session::PROTOCOL_VIOLATION,
            ),
            (
                "a request",
                |r| {
                    let message = r.pair.encode(&subscribe_message(0));
                    r.pair.write(CLIENT, r.control, &message);
                },
                session::PROTOCOL_VIOLATION,
            ),
            ("a type that is none", |r| r.pair.write(CLIENT, r.control, &[0x3f, 0, 0]), session::PROTOCOL_VIOLATION),
        ];
        for (what, act, code) in rows {
            let mut rogue = Rogue::new(profile, Role::Server);
            act(&mut rogue);
            rogue.settle(SERVER);
            assert_eq!(rogue.pair.fatal(SERVER), code, "{what}");
            // It stays over.
            let session = &mut rogue.pair.sessions[SERVER];
            assert_eq!(session.request(subscribe("a", "t"), 0), Err(CommandError::Gone));
            assert_eq!((session.poll_event(), session.poll_timeout()), (None, None));
        }
    }
}

#[test]
fn our_control_stream_stopped() {
    let mut pair = Pair::at(Profile::D22);
    pair.net.end(CLIENT).stop(StreamId(3), 0);
    pair.run();
    assert_eq!(pair.fatal(SERVER), session::PROTOCOL_VIOLATION);
}

#[test]
fn goaway_on_the_control_stream() {
    for profile in PROFILES {
        let id = |n| (profile == Profile::D18).then_some(n);
        let rows = [
            (Role::Server, vec![goaway("moqt://x", id(1))], session::PROTOCOL_VIOLATION),
            (Role::Client, vec![goaway("", id(0)), goaway("", id(0))], session::PROTOCOL_VIOLATION),
            (Role::Server, vec![goaway("", id(0))], session::INVALID_REQUEST_ID),
            (Role::Client, vec![goaway("", id(1))], session::INVALID_REQUEST_ID),
        ];
        for (role, messages, code) in rows {
            if code == session::INVALID_REQUEST_ID && profile != Profile::D18 {
                continue;
            }
            let side = if role == Role::Server { SERVER } else { CLIENT };
            let mut rogue = Rogue::new(profile, role);
            for message in messages {
                let bytes = rogue.pair.encode(&message);
                rogue.pair.write(1 - side, rogue.control, &bytes);
            }
            rogue.settle(side);
            assert_eq!(rogue.pair.fatal(side), code, "{role:?}");
        }
    }
}

#[test]
fn what_a_server_may_not_say_in_setup() {
    for (options, code) in [
        (SetupOptions { path: Some("/p".into()), ..SetupOptions::default() }, session::INVALID_PATH),
        (SetupOptions { authority: Some("h".into()), ..SetupOptions::default() }, session::INVALID_AUTHORITY),
    ] {
        let mut pair = Pair::new(Options::default());
        assert!(matches!(pair.sessions[SERVER].setup(options.clone()), Err(CommandError::NotAllowed(_))));
        pair.sessions[CLIENT].setup(SetupOptions::default()).unwrap();
        let bytes = pair.encode(&Message::Setup(options));
        pair.stream(SERVER, Dir::Uni, &bytes);
        pair.run();
        assert_eq!(pair.fatal(CLIENT), code);
    }
}

#[test]
fn data_streams_and_datagrams() {
    let mut unknown = Vec::new();
    varint::put(&mut unknown, 0x2222);
    let rows: [(&str, Vec<u8>, bool); 5] = [
        ("an unknown type", unknown, false),
        ("finished inside the type", vec![0x80], true),
        ("finished inside an object", subgroup_bytes(7, 1, &[b"object"])[..8].to_vec(), true),
        ("a reserved subgroup mode", vec![0x16, 7, 1, 0], false),
        ("objects of a FETCH that was never asked", vec![0x05, 44], false),
    ];
    for (what, bytes, fin) in rows {
        let mut pair = Pair::at(Profile::D22);
        pair.subscription();
        let id = pair.stream(SERVER, Dir::Uni, &bytes);
        if fin {
            pair.finish(SERVER, id);
        }
        pair.run();
        assert_eq!(pair.fatal(CLIENT), session::PROTOCOL_VIOLATION, "{what}");
    }
    for bytes in [vec![], vec![0x22, 7, 1], vec![0x10, 1, 1], vec![0x80], vec![0x00, 7]] {
        let mut pair = Pair::at(Profile::D22);
        pair.datagram(CLIENT, bytes.clone());
        pair.run();
        assert_eq!(pair.fatal(CLIENT), session::PROTOCOL_VIOLATION, "{bytes:02x?}");
    }
}

#[test]
fn namespace_done_before_namespace() {
    let mut rogue = Rogue::new(Profile::D22, Role::Client);
    let request = cc_session::Request::SubscribeNamespace { prefix: namespace("a"), params: Params::default() };
    rogue.pair.request(CLIENT, request);
    rogue.settle(CLIENT);
    let mut bytes = rogue.pair.encode(&request_ok());
    bytes.extend(rogue.pair.encode(&Message::NamespaceDone { suffix: namespace("b") }));
    rogue.pair.write(SERVER, StreamId(0), &bytes);
    rogue.settle(CLIENT);
    assert_eq!(rogue.pair.fatal(CLIENT), session::PROTOCOL_VIOLATION);
}

#[test]
fn a_second_answer() {
    for profile in PROFILES {
        let mut rogue = Rogue::new(profile, Role::Client);
        rogue.pair.request(CLIENT, publish("a", "t", 1));
        rogue.settle(CLIENT);
        let bytes = [rogue.pair.encode(&request_ok()), rogue.pair.encode(&request_ok())].concat();
        rogue.pair.write(SERVER, StreamId(0), &bytes);
        rogue.settle(CLIENT);
        assert_eq!(rogue.pair.fatal(CLIENT), session::PROTOCOL_VIOLATION);
    }
}

#[test]
fn no_setup_in_time() {
    let mut pair = Pair::new(Options::default());
    pair.sessions[CLIENT].setup(SetupOptions::default()).unwrap();
    pair.run_until(9_999_999);
    assert!(pair.take(CLIENT).is_empty());
    pair.run_until(10_000_000);
    assert_eq!(pair.fatal(CLIENT), session::CONTROL_MESSAGE_TIMEOUT);
}

#[test]
fn a_parked_server_says_nothing_and_reads_only_setup() {
    for profile in PROFILES {
        let mut pair = Pair::new(Options { profile, ..Options::default() });
        let options = SetupOptions { path: Some("/room".into()), ..SetupOptions::default() };
        pair.sessions[CLIENT].setup(options.clone()).unwrap();
        let ours = pair.request(CLIENT, subscribe("a", "t"));
        let upload = pair.request(CLIENT, publish("up", "c1", 7));
        pair.run();
        pair.stream(CLIENT, Dir::Uni, &subgroup_bytes(7, 1, &[b"x"]));
        pair.datagram(SERVER, datagram_bytes(7, 1, b"x").1);
        pair.run();
        assert!(matches!(pair.one(SERVER), Event::Setup(setup) if setup.path == options.path));
        assert!(pair.take(CLIENT).is_empty());
        assert!(pair.sessions[CLIENT].peer().is_none());
        assert_eq!(pair.sessions[SERVER].counters().datagrams_parked, 1);
        assert_eq!(pair.sessions[SERVER].counters().messages_out, 0);

        pair.sessions[SERVER].setup(SetupOptions::default()).unwrap();
        pair.run();
        assert!(matches!(pair.one(CLIENT), Event::Setup(_)));
        let events = pair.take(SERVER);
        assert_eq!(events.len(), 2, "{events:?}");
        for event in events {
            let Event::Request { key, request } = event else { panic!("{event:?}") };
            let reply = if request == subscribe("a", "t") { subscribe_ok(1) } else { ok() };
            pair.sessions[SERVER].accept(key, reply).unwrap();
        }
        pair.run();
        let accepted: Vec<_> = pair
            .take(CLIENT)
            .into_iter()
            .map(|event| match event {
                Event::Accepted { key, .. } => key,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(accepted, [ours, upload]);
        assert!(matches!(pair.take(SERVER)[..], [Event::SubgroupStart { .. }, Event::Object { .. }]));
    }
}

#[test]
fn requests_after_our_goaway_are_refused() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (before, _) = pair.subscription();
        pair.sessions[SERVER].goaway("moqt://other", 500).unwrap();
        assert!(matches!(pair.sessions[SERVER].goaway("", 0), Err(CommandError::NotAllowed(_))));
        let crossing = pair.request(CLIENT, subscribe("a", "late"));
        pair.run();
        let events = pair.take(CLIENT);
        assert!(events.contains(&Event::Goaway { uri: "moqt://other".into(), timeout_ms: 500 }), "{events:?}");
        assert!(events.iter().any(|event| matches!(event, Event::Refused { key, refusal }
            if *key == crossing && refusal.code == request_error::GOING_AWAY)));
        assert!(pair.take(SERVER).is_empty());
        pair.sessions[CLIENT].update(before, Params::default()).unwrap();
        pair.run();
        assert!(matches!(pair.one(SERVER), Event::Update { .. }), "what was there goes on");
    }
}

#[test]
fn an_unanswered_request_times_out() {
    let mut pair = Pair::at(Profile::D22);
    let (ours, theirs) = pair.ask(CLIENT, subscribe("a", "t"));
    pair.run_until(29_999_999);
    assert!(pair.take(CLIENT).is_empty());
    pair.run_until(30_000_000);
    assert_eq!(pair.one(CLIENT), Event::Ended { key: ours, cause: Ended::TimedOut });
    assert!(matches!(pair.one(SERVER), Event::Ended { key, .. } if key == theirs));
    assert_eq!(pair.net.unclosed(), 2);
}

#[test]
fn requests_over_the_limits() {
    let configure = |config: &mut cc_session::Config| config.limits.requests = 3;
    let mut pair = Pair::up(Options { configure, ..Options::default() });
    let keys: Vec<_> = (0..3).map(|n| pair.request(CLIENT, subscribe("a", &n.to_string()))).collect();
    let over = pair.sessions[CLIENT].request(subscribe("a", "x"), 0);
    assert!(matches!(over, Err(CommandError::Limit(_))));
    pair.run();
    pair.take(SERVER);
    let bytes = pair.encode(&subscribe_message(40));
    let id = pair.stream(CLIENT, Dir::Bi, &bytes);
    pair.run();
    assert!(pair.take(SERVER).is_empty());
    assert_eq!(pair.net.ended(id, SERVER), Some(Some(stream_reset::EXCESSIVE_LOAD)));
    // Room comes back.
    pair.sessions[CLIENT].cancel(keys[0], 0).unwrap();
    pair.run();
    assert!(pair.sessions[CLIENT].request(subscribe("a", "x"), 0).is_ok());
}

#[test]
fn a_slow_reader_of_namespaces_is_noticed() {
    let mut pair = Pair::up(Options { window: 2_000, ..Options::default() });
    let request = cc_session::Request::SubscribeNamespace { prefix: namespace("a"), params: Params::default() };
    let (_, theirs) = pair.granted(CLIENT, request, ok());
    let mut sent = 0;
    while pair.sessions[SERVER].namespace(theirs, namespace(&format!("n{sent}"))).is_ok() {
        sent += 1;
        assert!(sent < 1_000_000, "a queue without a bound");
    }
    pair.run();
    let events = pair.take(CLIENT);
    // More than the limit on namespaces: the client gives the request up.
    assert!(matches!(events.last(), Some(Event::Ended { cause: Ended::Reset(_), .. })), "{}", events.len());
    assert!(sent > 4096 && events.len() == 4097);
}

/// The fatal event is the last: what else came with the breach is not told.
#[test]
fn nothing_is_told_after_the_fatal_event() {
    for profile in PROFILES {
        let mut rogue = Rogue::new(profile, Role::Server);
        let bytes = rogue.pair.encode(&subscribe_message(0));
        let id = rogue.pair.stream(CLIENT, Dir::Bi, &bytes);
        rogue.settle(SERVER);
        rogue.pair.write(CLIENT, id, &[0x3f, 0, 0]);
        rogue.pair.net.deliver();
        rogue.pair.net.end(CLIENT).stop(id, 1);
        // The message of an unknown type is found when the session looks what came before the stop.
        while let Some(notice) = rogue.pair.net.notice(SERVER) {
            if matches!(notice, Notice::Stopped(..)) {
                rogue.pair.notify(SERVER, notice);
            }
        }
        rogue.settle(SERVER);
        let events = rogue.pair.take(SERVER);
        assert!(matches!(events[..], [Event::Request { .. }, Event::Fatal { .. }]), "{events:?}");
    }
}
