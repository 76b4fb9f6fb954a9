//! Which tracks a session gets, with what of their properties, and what its publisher is asked and told.

use cc_session::{Event, Reply, Request};
use cc_wire::{
    codes, DatagramHeader, Filter, GroupOrder, Namespace, Params, Profile, Properties, RangeKind, TrackName, Value,
};

use crate::common::{self, Identity, World};
use crate::room::{at, filtered, keep, name, newest, Room, ALIAS, DRAFTS, LATER, PUBLISHER, RELAY};

#[test]
fn a_session_may_have_a_track_twice_from_20_on() {
    for profile in DRAFTS {
        let mut room = Room::plain(profile);
        let node = room.subscriber();
        let first = room.subscribe(node, Params::default());
        let second = room.subscribe(node, filtered(Filter::AbsoluteStart(at(6, 0))));
        room.group(5, &[0]);
        room.group(6, &[0]);
        room.datagram(7, 0, 3, true);
        if profile == Profile::D18 {
            assert_eq!(room.refused(node, second), Some(codes::request_error::DUPLICATE_SUBSCRIPTION));
            continue;
        }
        assert_eq!(room.objects(node, first), [(5, 0), (6, 0), (7, 0)], "{profile:?}");
        assert_eq!(room.objects(node, second), [(6, 0), (7, 0)], "{profile:?}");
        // One of them ends, the other goes on.
        room.world.peer(node).session.cancel(first, codes::stream_reset::CANCELLED).unwrap();
        room.run();
        room.group(8, &[0]);
        assert!(room.objects(node, second).ends_with(&[(8, 0)]), "{profile:?}");
    }
}

fn capability(value: u64) -> Properties {
    let mut properties = Properties::default();
    properties.insert(0x3802, Value::Int(value)).unwrap();
    properties
}

#[test]
fn a_filter_of_tracks_chooses_what_a_watched_prefix_brings() {
    for profile in LATER {
        let mut room = Room::new(profile, capability(7));
        let node = room.subscriber();
        let now = room.world.now;
        let watch = |value| Params {
            range_filters: vec![keep(RangeKind::TrackProperty, 0, Some(0x3802), &[(value, Some(value))])],
            ..Params::default()
        };
        let prefix = Namespace::parse("g").unwrap();
        let key = room.world.peer(node).ask(Request::SubscribeTracks { prefix, params: watch(8) }, now);
        room.run();
        let offered = |room: &mut Room| {
            let heard = &room.world.peer(node).heard;
            heard
                .iter()
                .filter(|event| matches!(event, Event::Request { request: Request::Publish { .. }, .. }))
                .count()
        };
        assert_eq!(offered(&mut room), 0, "{profile:?}");
        room.world.peer(node).update(key, watch(7));
        room.run();
        assert_eq!(offered(&mut room), 1, "{profile:?}");
        // Asked again for the same, it is not offered again.
        room.world.peer(node).update(key, watch(7));
        room.run();
        assert_eq!(offered(&mut room), 1, "{profile:?}");
    }
}

#[test]
fn a_watch_s_parameters_are_those_of_the_subscriptions_it_brings() {
    for profile in LATER {
        let mut room = Room::new(profile, capability(7));
        let first = room.subscriber();
        room.subscribe(first, Params::default());
        room.group(5, &[0, 1]);
        let node = room.subscriber();
        let now = room.world.now;
        let params = Params {
            group_order: Some(GroupOrder::Descending),
            fill: newest(),
            include_properties: Some(false),
            range_filters: vec![keep(RangeKind::ObjectId, 0, None, &[(1, None)])],
            ..filtered(Filter::NextGroup)
        };
        let prefix = Namespace::parse("g").unwrap();
        room.world.peer(node).ask(Request::SubscribeTracks { prefix, params }, now);
        room.run();
        let offer = room.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Request { key, request: Request::Publish { params, properties, .. } } => {
                Some((*key, params.clone(), properties.clone()))
            }
            _ => None,
        });
        let (key, told, properties) = offer.unwrap();
        assert_eq!((told.group_order, told.filter), (Some(GroupOrder::Descending), Some(Filter::NextGroup)));
        assert!(properties.is_empty(), "{profile:?}");
        let ok = Reply::Ok { params: Params::default(), properties: Properties::default() };
        room.world.peer(node).session.accept(key, ok).unwrap();
        room.run();
        room.group(6, &[0, 1, 2]);
        assert_eq!(room.fetched(node, key), [(5, 1)], "{profile:?}");
        assert_eq!(room.objects(node, key), [(6, 1), (6, 2)], "{profile:?}");
    }
}

#[test]
fn track_properties_are_left_out_where_they_are_not_wanted() {
    for profile in LATER {
        let mut room = Room::new(profile, capability(7));
        let node = room.subscriber();
        for (include_properties, expected) in [(None, 1), (Some(true), 1), (Some(false), 0)] {
            let key = room.subscribe(node, Params { include_properties, ..Params::default() });
            let now = room.world.now;
            let asked = Params { include_properties, ..Params::default() };
            let status = room.world.peer(node).ask(Request::TrackStatus { track: name(), params: asked }, now);
            room.run();
            let mut found = Vec::new();
            for event in room.world.peer(node).take() {
                match event {
                    Event::Accepted { key: of, reply: Reply::SubscribeOk { properties, .. } } if of == key => {
                        found.push(usize::from(properties.get_int(0x3802) == Some(7)));
                    }
                    Event::Accepted { key: of, reply: Reply::Ok { properties, .. } } if of == status => {
                        found.push(usize::from(properties.get_int(0x3802) == Some(7)));
                    }
                    _ => {}
                }
            }
            assert_eq!(found, [expected, expected], "{profile:?} {include_properties:?}");
        }
    }
}

#[test]
fn a_wish_for_a_new_group_goes_to_a_publisher_that_makes_them_and_once() {
    for profile in DRAFTS {
        for dynamic in [false, true] {
            let mut properties = Properties::default();
            properties.insert(cc_wire::property::DYNAMIC_GROUPS, Value::Int(u64::from(dynamic))).unwrap();
            let mut room = Room::new(profile, properties);
            let (first, second) = (room.subscriber(), room.subscriber());
            let wish = |group| Params { new_group_request: Some(group), ..Params::default() };
            let a = room.subscribe(first, Params::default());
            let b = room.subscribe(second, Params::default());
            room.group(5, &[0]);
            room.world.peer(first).update(a, wish(6));
            room.run();
            room.world.peer(second).update(b, wish(6));
            room.run();
            // Group 5 is there already.
            room.world.peer(second).update(b, wish(5));
            room.run();
            let wishes = |room: &mut Room| -> Vec<u64> {
                let heard = &room.world.peer(PUBLISHER).heard;
                heard
                    .iter()
                    .filter_map(|event| match event {
                        Event::Update { params, .. } => params.new_group_request,
                        _ => None,
                    })
                    .collect()
            };
            let expected: &[u64] = if dynamic { &[6] } else { &[] };
            assert_eq!(wishes(&mut room), expected, "{profile:?}");
            room.group(6, &[0]);
            room.world.peer(second).update(b, wish(0));
            room.run();
            let expected: &[u64] = if dynamic { &[6, 0] } else { &[] };
            assert_eq!(wishes(&mut room), expected, "{profile:?}");
        }
    }
}

#[test]
fn what_a_publisher_tells_of_its_track_is_told_to_its_subscribers_from_20_on() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let node = room.subscriber();
        let key = room.subscribe(node, Params::default());
        room.group(5, &[0]);
        let largest = Params { largest: Some(at(9, 4)), ..Params::default() };
        let publication = room.publication;
        room.world.peer(PUBLISHER).session.notify(publication, largest.clone()).unwrap();
        room.run();
        let told = room.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Notify { key: of, params } if *of == key => Some(params.clone()),
            _ => None,
        });
        assert_eq!(told, Some(largest), "{profile:?}");
    }
}

#[test]
fn as_many_updates_wait_for_answers_as_were_granted() {
    let mut room = Room::plain(Profile::D22);
    let node = room.subscriber();
    room.run();
    // The peer's own session keeps to what the relay granted.
    let granted = room.world.peer(node).session.peer().and_then(|setup| setup.max_request_updates);
    assert_eq!(granted, Some(8));
    let ranges = room.world.peer(node).session.peer().map(|setup| setup.max_filter_ranges);
    assert_eq!(ranges, Some(64));
    let key = room.subscribe(node, Params::default());
    for _ in 0..8 {
        room.world.peer(node).update(key, Params::default());
    }
    let ninth = room.world.peer(node).session.update(key, Params::default());
    assert!(matches!(ninth, Err(cc_session::CommandError::Limit(_))));
    room.run();
    let answers = room.world.peer(node).heard.iter().filter(|e| matches!(e, Event::UpdateAnswered { .. })).count();
    assert_eq!(answers, 8);
}

/// An object with a property that only a track may have ends the track for all, and is not passed on.
#[test]
fn an_object_with_a_track_s_property_is_malformed() {
    let mut properties = Properties::default();
    properties.insert(0x4002, 1).unwrap();
    for profile in DRAFTS {
        for on_stream in [true, false] {
            let mut room = Room::plain(profile);
            let reader = room.subscriber();
            let key = room.subscribe(reader, Params::default());
            room.group(1, &[0]);
            if on_stream {
                room.world.peer(PUBLISHER).object_with(ALIAS, 2, properties.raw().clone());
            } else {
                let header = DatagramHeader {
                    alias: ALIAS,
                    group: 2,
                    object: 0,
                    priority: None,
                    end_of_group: true,
                    status: None,
                    properties: properties.raw().clone(),
                };
                room.world.peer(PUBLISHER).datagram(&header, b"with");
            }
            room.run();
            assert_eq!(room.objects(reader, key), [(1, 0)], "{profile:?}");
            let done = room.done(reader, key).map(|(code, _)| code);
            assert_eq!(done, Some(codes::publish_done::MALFORMED_TRACK), "{profile:?}");
            assert_eq!(room.world.engine(RELAY).stats().malformed, 1);
            // The publisher was told: its publication has ended.
            let publication = room.publication;
            let ended = |event: &Event| matches!(event, Event::Ended { key, .. } if *key == publication);
            assert!(room.world.peer(PUBLISHER).heard.iter().any(ended), "{profile:?}");
        }
    }
}

/// An object that contradicts what came before ends its track; one that only comes again does not.
#[test]
fn objects_that_contradict_one_another_are_malformed() {
    type Said = fn(&mut Room);
    let cases: [(&str, bool, Said); 9] = [
        ("the same again", false, |room| {
            room.open(1, &[0, 1]);
            room.datagram(2, 0, 9, true);
            room.datagram(2, 0, 9, true);
        }),
        ("another payload", true, |room| {
            room.world.peer(PUBLISHER).object_with(ALIAS, 1, Default::default());
            room.run();
        }),
        ("another priority", true, |room| {
            room.world.peer(PUBLISHER).subgroup(ALIAS, 1, 0, 8, &[0, 1], false);
            room.run();
        }),
        ("the other way", true, |room| room.datagram(1, 0, 9, false)),
        ("another priority of an open subgroup", true, |room| {
            room.open(3, &[0]);
            room.world.peer(PUBLISHER).subgroup(ALIAS, 3, 0, 8, &[1], false);
            room.run();
        }),
        ("another subgroup has another priority", false, |room| {
            room.open(3, &[0]);
            room.world.peer(PUBLISHER).subgroup(ALIAS, 3, 1, 8, &[1], false);
            room.run();
        }),
        ("beyond the end of a group on a stream", true, |room| {
            room.group(3, &[0, 1]);
            room.world.peer(PUBLISHER).subgroup(ALIAS, 3, 1, 9, &[2], false);
            room.run();
        }),
        ("beyond the end of a group in datagrams", true, |room| {
            room.datagram(3, 4, 9, true);
            room.datagram(3, 5, 9, false);
        }),
        ("before the end of a group", false, |room| {
            room.datagram(3, 4, 9, true);
            room.datagram(3, 3, 9, false);
        }),
    ];
    for profile in [Profile::D18, Profile::D22] {
        for (what, malformed, said) in cases {
            let mut room = Room::plain(profile);
            let reader = room.subscriber();
            let key = room.subscribe(reader, Params::default());
            room.group(1, &[0, 1]);
            said(&mut room);
            let done = room.done(reader, key).map(|(code, _)| code);
            assert_eq!(done, malformed.then_some(codes::publish_done::MALFORMED_TRACK), "{profile:?}: {what}");
            assert_eq!(room.world.engine(RELAY).stats().malformed, u64::from(malformed), "{profile:?}: {what}");
        }
    }
}

/// A track that finds no room in a session that watches its prefix is told of by name, once, and may be asked for.
#[test]
fn a_track_that_is_not_offered_is_told_of() {
    for profile in DRAFTS {
        let identity = Identity::new();
        let mut world = World::new();
        let mut config = common::relay_config(1, &identity, true);
        config.limits.subscriptions_per_session = 1;
        world.add(cc_engine::Engine::new(config, 0).unwrap());
        for _ in 0..2 {
            world.add_peer(RELAY, &identity, profile);
        }
        let watcher = 2;
        let prefix = Namespace::parse("g").unwrap();
        let now = world.now;
        let watch = world.peer(watcher).ask(Request::SubscribeTracks { prefix, params: Params::default() }, now);
        world.run(200_000);
        for alias in 1..=3 {
            let track = TrackName::new(Namespace::parse("g/r").unwrap(), format!("t{alias}").into_bytes()).unwrap();
            let publish =
                Request::Publish { track, alias, params: Params::default(), properties: Properties::default() };
            let now = world.now;
            world.peer(PUBLISHER).ask(publish, now);
            world.run(200_000);
        }
        let heard = world.peer(watcher).take();
        let offered =
            heard.iter().filter(|event| matches!(event, Event::Request { request: Request::Publish { .. }, .. }));
        assert_eq!(offered.count(), 1, "{profile:?}");
        let blocked: Vec<_> = heard
            .iter()
            .filter_map(|event| match event {
                Event::TrackBlocked { key, suffix, name } if *key == watch => Some((suffix.to_string(), name.clone())),
                _ => None,
            })
            .collect();
        assert_eq!(blocked, [("r".to_owned(), "t2".into()), ("r".to_owned(), "t3".into())], "{profile:?}");
    }
}
