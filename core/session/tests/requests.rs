//! Every kind of request, end to end: granted, refused, changed, ended from both sides.

mod util;

use cc_session::{CommandError, Ended, Event, Fetch, Reply, Request};
use cc_wire::codes::{publish_done, request_error, stream_reset};
use cc_wire::{FetchEnd, FetchKind, Filter, Location, Params, Profile, Properties};
use util::*;

fn fetch() -> Request {
    let filter = Filter::AbsoluteRange { start: Location { group: 1, object: 0 }, end_group: 2 };
    Request::Fetch(Fetch {
        kind: FetchKind::Standalone(track("a", "t")),
        params: Params { filter: Some(filter), ..Params::default() },
    })
}

fn fetch_ok() -> Reply {
    Reply::FetchOk {
        end_of_track: false,
        end: FetchEnd { group: 2, object: Some(3) },
        params: Params::default(),
        properties: Properties::default(),
    }
}

fn all() -> Vec<(Request, Reply)> {
    let prefix = namespace("a");
    let params = Params::default;
    vec![
        (subscribe("a", "t"), subscribe_ok(3)),
        (publish("a", "t", 3), ok()),
        (Request::PublishNamespace { namespace: namespace("a/b"), params: params() }, ok()),
        (Request::SubscribeNamespace { prefix: prefix.clone(), params: params() }, ok()),
        (Request::SubscribeTracks { prefix, params: params() }, ok()),
        (Request::TrackStatus { track: track("a", "t"), params: params() }, ok()),
        (fetch(), fetch_ok()),
    ]
}

/// Every stream is closed but the two control streams, and nothing is remembered.
fn assert_clean(pair: &mut Pair) {
    pair.run();
    assert_eq!(pair.net.unclosed(), 2, "streams left open");
    for side in [CLIENT, SERVER] {
        assert_eq!(pair.sessions[side].open_requests(), 0);
        assert!(pair.take(side).is_empty());
    }
}

#[test]
fn granted_from_either_side_at_every_draft() {
    for profile in Profile::PREFERRED {
        for side in [CLIENT, SERVER] {
            let mut pair = Pair::at(profile);
            for (request, reply) in all() {
                let (ours, theirs) = pair.ask(side, request.clone());
                pair.sessions[1 - side].accept(theirs, reply.clone()).unwrap();
                pair.run();
                let events = pair.take(side);
                assert_eq!(events[0], Event::Accepted { key: ours, reply: reply.clone() });
                if matches!(request, Request::TrackStatus { .. }) {
                    assert_eq!(events[1..], [Event::Ended { key: ours, cause: Ended::Finished }]);
                    assert_eq!(pair.sessions[1 - side].cancel(theirs, 0), Err(CommandError::Gone));
                } else {
                    assert_eq!(events.len(), 1);
                    pair.sessions[side].cancel(ours, stream_reset::CANCELLED).unwrap();
                    pair.run();
                    let ended = pair.one(1 - side);
                    assert!(matches!(ended, Event::Ended { key, .. } if key == theirs), "{ended:?}");
                }
                assert_clean(&mut pair);
            }
        }
    }
}

#[test]
fn refused() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        for (request, reply) in all() {
            let (ours, theirs) = pair.ask(CLIENT, request);
            let refusal = no(request_error::DOES_NOT_EXIST);
            pair.sessions[SERVER].refuse(theirs, refusal.clone()).unwrap();
            assert_eq!(pair.sessions[SERVER].accept(theirs, reply), Err(CommandError::Gone));
            pair.run();
            assert_eq!(pair.one(CLIENT), Event::Refused { key: ours, refusal });
            assert_eq!(pair.sessions[CLIENT].cancel(ours, 0), Err(CommandError::Gone));
            assert_clean(&mut pair);
        }
    }
}

#[test]
fn cancelled_before_the_answer_from_either_end() {
    for profile in PROFILES {
        for canceller in [CLIENT, SERVER] {
            let mut pair = Pair::at(profile);
            for (request, _) in all() {
                let (ours, theirs) = pair.ask(CLIENT, request);
                let (key, other) = if canceller == CLIENT { (ours, theirs) } else { (theirs, ours) };
                pair.sessions[canceller].cancel(key, stream_reset::EXCESSIVE_LOAD).unwrap();
                pair.run();
                let cause = match pair.one(1 - canceller) {
                    Event::Ended { key, cause } if key == other => cause,
                    event => panic!("{event:?}"),
                };
                let code = stream_reset::EXCESSIVE_LOAD;
                assert!(matches!(cause, Ended::Reset(c) | Ended::Stopped(c) if c == code), "{cause:?}");
                assert_clean(&mut pair);
            }
        }
    }
}

#[test]
fn one_request_is_wanted_elsewhere_and_goes_on_until_it_ends() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        for (request, reply) in all().into_iter().filter(|(request, _)| !matches!(request, Request::TrackStatus { .. }))
        {
            let (ours, theirs) = pair.ask(CLIENT, request);
            assert!(matches!(
                pair.sessions[CLIENT].request_goaway(ours, "moqt://x", 0),
                Err(CommandError::NotAllowed(_))
            ));
            pair.sessions[CLIENT].request_goaway(ours, "", 5).unwrap();
            pair.run();
            let told = Event::RequestGoaway { key: theirs, uri: String::new(), timeout_ms: 5 };
            assert_eq!(pair.one(SERVER), told);
            pair.sessions[SERVER].accept(theirs, reply).unwrap();
            pair.sessions[SERVER].request_goaway(theirs, "moqt://other", 0).unwrap();
            assert!(matches!(pair.sessions[SERVER].request_goaway(theirs, "", 0), Err(CommandError::NotAllowed(_))));
            pair.run();
            let told = Event::RequestGoaway { key: ours, uri: "moqt://other".into(), timeout_ms: 0 };
            assert_eq!(pair.take(CLIENT).last(), Some(&told));
            pair.sessions[CLIENT].cancel(ours, stream_reset::CANCELLED).unwrap();
            pair.run();
            pair.take(SERVER);
            assert!(matches!(pair.sessions[CLIENT].request_goaway(ours, "", 0), Err(CommandError::Gone)));
            assert_clean(&mut pair);
        }
    }
}

#[test]
fn a_request_cancelled_before_it_was_sent_never_was() {
    let mut pair = Pair::up(Options { credit: 1, ..Options::default() });
    let first = pair.request(CLIENT, subscribe("a", "1"));
    let second = pair.request(CLIENT, subscribe("a", "2"));
    pair.run();
    assert!(matches!(pair.one(SERVER), Event::Request { .. }));
    pair.sessions[CLIENT].cancel(second, 0).unwrap();
    let third = pair.request(CLIENT, subscribe("a", "3"));
    pair.run();
    assert!(pair.take(SERVER).is_empty(), "there is no credit");
    pair.net.grant(CLIENT, cc_session::Dir::Bi, 1);
    pair.run();
    let event = pair.one(SERVER);
    assert!(matches!(&event, Event::Request { request, .. } if *request == subscribe("a", "3")), "{event:?}");
    assert!(first != third);
}

#[test]
fn updates_of_every_kind() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        for (request, reply) in all() {
            if matches!(request, Request::TrackStatus { .. }) {
                let (ours, theirs) = pair.ask(CLIENT, request);
                assert!(matches!(
                    pair.sessions[CLIENT].update(ours, Params::default()),
                    Err(CommandError::NotAllowed(_))
                ));
                pair.sessions[SERVER].refuse(theirs, no(0)).unwrap();
                pair.run();
                pair.take(CLIENT);
                continue;
            }
            let (ours, theirs) = pair.granted(CLIENT, request.clone(), reply);
            let params = Params {
                tokens: vec![cc_wire::Token::UseValue { kind: 0, value: "again".into() }],
                ..Params::default()
            };
            pair.sessions[CLIENT].update(ours, params.clone()).unwrap();
            pair.run();
            let request_id = pair.sessions[CLIENT].request_id(ours).unwrap() + 2;
            assert_eq!(pair.one(SERVER), Event::Update { key: theirs, request_id, params });
            pair.sessions[SERVER].answer_update(theirs, Ok(Params::default())).unwrap();
            pair.run();
            assert_eq!(pair.one(CLIENT), Event::UpdateAnswered { key: ours, result: Ok(Params::default()) });

            pair.sessions[CLIENT].update(ours, Params::default()).unwrap();
            pair.run();
            pair.take(SERVER);
            pair.sessions[SERVER].answer_update(theirs, Err(no(request_error::UNAUTHORIZED))).unwrap();
            pair.run();
            let events = pair.take(CLIENT);
            let answer = Event::UpdateAnswered { key: ours, result: Err(no(request_error::UNAUTHORIZED)) };
            assert_eq!(events[0], answer);
            // A refused update ends what concerns namespaces.
            let ends = matches!(
                request,
                Request::PublishNamespace { .. } | Request::SubscribeNamespace { .. } | Request::SubscribeTracks { .. }
            );
            assert_eq!(events.len(), 1 + usize::from(ends), "{events:?}");
            if ends {
                assert_eq!(events[1], Event::Ended { key: ours, cause: Ended::Finished });
            } else {
                pair.sessions[CLIENT].cancel(ours, 0).unwrap();
                pair.run();
                pair.take(SERVER);
            }
            assert_clean(&mut pair);
        }
    }
}

#[test]
fn an_update_that_comes_before_the_answer_waits_for_it() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        for (request, reply) in all() {
            if matches!(request, Request::TrackStatus { .. } | Request::Publish { .. }) {
                continue;
            }
            let (ours, theirs) = pair.ask(CLIENT, request.clone());
            let params = Params {
                tokens: vec![cc_wire::Token::UseValue { kind: 0, value: "early".into() }],
                ..Params::default()
            };
            pair.sessions[CLIENT].update(ours, params.clone()).unwrap();
            pair.run();
            assert!(pair.take(SERVER).is_empty());
            pair.sessions[SERVER].accept(theirs, reply).unwrap();
            pair.run();
            let request_id = pair.sessions[CLIENT].request_id(ours).unwrap() + 2;
            assert_eq!(pair.one(SERVER), Event::Update { key: theirs, request_id, params });
            pair.sessions[SERVER].answer_update(theirs, Ok(Params::default())).unwrap();
            pair.run();
            let events = pair.take(CLIENT);
            assert!(matches!(&events[..], [Event::Accepted { .. }, Event::UpdateAnswered { .. }]), "{events:?}");
            pair.sessions[CLIENT].cancel(ours, 0).unwrap();
            pair.run();
            pair.take(SERVER);
            assert_clean(&mut pair);
        }
    }
}

#[test]
fn the_subscriber_of_a_publish_may_update_it() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (ours, theirs) = pair.granted(CLIENT, publish("a", "t", 3), ok());
        let params = Params { forward: Some(false), ..Params::default() };
        pair.sessions[SERVER].update(theirs, params.clone()).unwrap();
        pair.run();
        assert_eq!(pair.one(CLIENT), Event::Update { key: ours, request_id: 1, params });
        pair.sessions[CLIENT].answer_update(ours, Ok(Params::default())).unwrap();
        pair.run();
        assert_eq!(pair.one(SERVER), Event::UpdateAnswered { key: theirs, result: Ok(Params::default()) });
    }
}

#[test]
fn an_answer_that_does_not_fit_is_refused_here() {
    let mut pair = Pair::at(Profile::D22);
    let (ours, theirs) = pair.ask(CLIENT, subscribe("a", "t"));
    for (side, key, reply) in [(SERVER, theirs, ok()), (CLIENT, ours, subscribe_ok(1))] {
        assert!(matches!(pair.sessions[side].accept(key, reply), Err(CommandError::NotAllowed(_))));
    }
    assert!(matches!(pair.sessions[SERVER].done(theirs, 0, None, ""), Err(CommandError::NotAllowed(_))));
    assert!(matches!(
        pair.sessions[SERVER].answer_update(theirs, Ok(Params::default())),
        Err(CommandError::NotAllowed(_))
    ));
    pair.sessions[SERVER].accept(theirs, subscribe_ok(1)).unwrap();
    pair.run();
    assert!(matches!(pair.one(CLIENT), Event::Accepted { .. }));
}

#[test]
fn publish_done_ends_both_kinds_of_subscription() {
    for profile in PROFILES {
        for by_publish in [false, true] {
            let mut pair = Pair::at(profile);
            let (publisher, subscriber) = if by_publish {
                pair.granted(SERVER, publish("a", "t", 7), ok())
            } else {
                let (ours, theirs) = pair.subscription();
                (theirs, ours)
            };
            pair.sessions[SERVER].done(publisher, publish_done::TRACK_ENDED, Some(0), "over").unwrap();
            assert_eq!(pair.sessions[SERVER].cancel(publisher, 0), Err(CommandError::Gone));
            pair.run();
            let done = Event::Done {
                key: subscriber,
                code: publish_done::TRACK_ENDED,
                stream_count: Some(0),
                reason: "over".into(),
            };
            assert_eq!(pair.one(CLIENT), done);
            assert_clean(&mut pair);
        }
    }
}

#[test]
fn namespaces_come_and_go() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let request = Request::SubscribeNamespace { prefix: namespace("a"), params: Params::default() };
        let (ours, theirs) = pair.granted(CLIENT, request, ok());
        pair.sessions[SERVER].namespace(theirs, namespace("b/c")).unwrap();
        pair.sessions[SERVER].namespace_done(theirs, namespace("b/c")).unwrap();
        pair.run();
        assert_eq!(
            pair.take(CLIENT),
            [
                Event::Namespace { key: ours, suffix: namespace("b/c") },
                Event::NamespaceDone { key: ours, suffix: namespace("b/c") },
            ]
        );
        let request = Request::SubscribeTracks { prefix: namespace("a"), params: Params::default() };
        let (ours, theirs) = pair.granted(CLIENT, request, ok());
        pair.sessions[SERVER].blocked(theirs, namespace("b"), "t".into()).unwrap();
        pair.run();
        let blocked = Event::TrackBlocked { key: ours, suffix: namespace("b"), name: "t".into() };
        assert_eq!(pair.one(CLIENT), blocked);
    }
}

#[test]
fn a_publisher_tells_of_changes_from_20_on() {
    let mut pair = Pair::at(Profile::D22);
    let (ours, theirs) = pair.subscription();
    let params = Params { largest: Some(Location { group: 4, object: 0 }), ..Params::default() };
    pair.sessions[SERVER].notify(theirs, params.clone()).unwrap();
    pair.run();
    assert_eq!(pair.one(CLIENT), Event::Notify { key: ours, params });

    let mut pair = Pair::at(Profile::D18);
    let (_, theirs) = pair.subscription();
    assert!(matches!(pair.sessions[SERVER].notify(theirs, Params::default()), Err(CommandError::Encode(_))));
}

#[test]
fn a_requester_that_finishes_early_cancels_until_18_and_listens_later() {
    for profile in Profile::PREFERRED {
        let mut pair = Pair::at(profile);
        let bytes = pair.encode(&cc_wire::Message::Subscribe {
            request_id: 100,
            track: track("a", "t"),
            params: Params::default(),
        });
        let id = pair.stream(CLIENT, cc_session::Dir::Bi, &bytes);
        pair.finish(CLIENT, id);
        pair.run();
        let events = pair.take(SERVER);
        let Event::Request { key, .. } = events[0] else { panic!("{events:?}") };
        if profile == Profile::D18 {
            assert_eq!(events[1..], [Event::Ended { key, cause: Ended::Finished }]);
        } else {
            assert_eq!(events.len(), 1);
            pair.sessions[SERVER].accept(key, subscribe_ok(1)).unwrap();
            pair.sessions[SERVER].done(key, publish_done::TRACK_ENDED, Some(0), "").unwrap();
            pair.run();
            assert_eq!(pair.net.ended(id, SERVER), Some(None));
        }
    }
}
