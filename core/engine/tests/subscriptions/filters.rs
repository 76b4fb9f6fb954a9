//! Which objects a subscription gets: filters of locations and ranges, and their updates.

use cc_session::Event;
use cc_wire::{codes, Filter, Params, Profile, RangeFilter, RangeKind, RangeRule};

use crate::room::{at, filtered, keep, Places, Room, ALIAS, DRAFTS, LATER, PUBLISHER};

#[test]
fn a_location_filter_says_where_a_subscription_begins() {
    let cases: [(Filter, Places); 5] = [
        (Filter::NextObject, &[(5, 2), (5, 3), (6, 0), (6, 1), (7, 0)]),
        (Filter::NextGroup, &[(6, 0), (6, 1), (7, 0)]),
        (Filter::AbsoluteStart(at(5, 3)), &[(5, 3), (6, 0), (6, 1), (7, 0)]),
        (Filter::AbsoluteStart(at(6, 1)), &[(6, 1), (7, 0)]),
        (Filter::AbsoluteRange { start: at(6, 0), end_group: 6 }, &[(6, 0), (6, 1)]),
    ];
    for profile in DRAFTS {
        let mut room = Room::plain(profile);
        let mut readers = Vec::new();
        // Somebody reads from the beginning, or nothing would be sent to the relay.
        let first = room.subscriber();
        let all = room.subscribe(first, Params::default());
        let stream = room.open(5, &[0, 1]);
        for (filter, expected) in cases {
            let node = room.subscriber();
            let key = room.subscribe(node, filtered(filter));
            assert_eq!(room.largest(node, key), Some(at(5, 1)), "{profile:?} {filter:?}");
            readers.push((node, key, filter, expected));
        }
        room.more(stream, 1, &[2, 3], true);
        room.group(6, &[0, 1]);
        room.group(7, &[0]);
        assert_eq!(room.objects(first, all).len(), 7, "{profile:?}");
        for (node, key, filter, expected) in readers {
            assert_eq!(room.objects(node, key), expected, "{profile:?} {filter:?}");
            // Only -18 tells that a range is over; later a subscription stays, for its range may be changed.
            let ends = profile == Profile::D18 && matches!(filter, Filter::AbsoluteRange { .. });
            let told = ends.then_some((codes::publish_done::SUBSCRIPTION_ENDED, Some(1)));
            assert_eq!(room.done(node, key), told, "{profile:?} {filter:?}");
        }
    }
}

#[test]
fn ranges_to_an_object_and_starts_some_groups_back_from_20_on() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let node = room.subscriber();
        let all = room.subscribe(node, Params::default());
        room.group(5, &[0]);
        let stream = room.open(6, &[0]);
        let (ranged, back) = (room.subscriber(), room.subscriber());
        let range = room.subscribe(ranged, filtered(Filter::ObjectRange { start: at(6, 1), end: at(7, 0) }));
        let whole = room.subscribe(back, filtered(Filter::GroupsBack(1)));
        room.more(stream, 0, &[1, 2], true);
        room.group(7, &[0, 1]);
        assert_eq!(room.objects(node, all).len(), 6);
        assert_eq!(room.objects(ranged, range), [(6, 1), (6, 2), (7, 0)], "{profile:?}");
        // The past is not part of a subscription, wherever its range begins.
        assert_eq!(room.objects(back, whole), [(6, 1), (6, 2), (7, 0), (7, 1)], "{profile:?}");
    }
}

#[test]
fn a_range_that_is_over_is_refused_at_18_and_empty_later() {
    for profile in DRAFTS {
        let mut room = Room::plain(profile);
        let node = room.subscriber();
        room.subscribe(node, Params::default());
        room.group(5, &[0]);
        let late = room.subscriber();
        let key = room.subscribe(late, filtered(Filter::AbsoluteRange { start: at(1, 0), end_group: 4 }));
        room.group(6, &[0]);
        let refused = (profile == Profile::D18).then_some(codes::request_error::INVALID_RANGE);
        assert_eq!(room.refused(late, key), refused, "{profile:?}");
        assert_eq!(room.objects(late, key), [], "{profile:?}");
    }
}

#[test]
fn an_update_moves_the_range_and_the_answer_says_how_far_the_track_is() {
    for profile in DRAFTS {
        let mut room = Room::plain(profile);
        let (keeper, node) = (room.subscriber(), room.subscriber());
        room.subscribe(keeper, Params::default());
        let key = room.subscribe(node, filtered(Filter::AbsoluteStart(at(100, 0))));
        room.group(5, &[0]);
        assert_eq!(room.objects(node, key), []);
        room.world.peer(node).update(key, filtered(Filter::AbsoluteStart(at(6, 1))));
        room.run();
        let told = room.world.peer(node).heard.iter().find_map(|event| match event {
            Event::UpdateAnswered { result: Ok(params), .. } => Some(params.largest),
            _ => None,
        });
        assert_eq!(told, Some(Some(at(5, 0))), "{profile:?}");
        room.group(6, &[0, 1, 2]);
        assert_eq!(room.objects(node, key), [(6, 1), (6, 2)], "{profile:?}");
        // Narrowed in the midst of a group, what is open of it is cut short.
        let stream = room.open(7, &[0]);
        room.world.peer(node).update(key, filtered(Filter::AbsoluteStart(at(9, 0))));
        room.run();
        room.more(stream, 0, &[1], true);
        assert_eq!(room.objects(node, key), [(6, 1), (6, 2), (7, 0)], "{profile:?}");
        let cut = room.world.peer(node).heard.iter().any(|event| {
            matches!(event, Event::SubgroupEnd { end: cc_session::DataEnd::Reset(code), .. } if *code == codes::stream_reset::CANCELLED)
        });
        assert!(cut, "{profile:?}");
    }
}

#[test]
fn range_filters_choose_objects_and_what_is_not_granted_is_refused() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let cases: [(Vec<RangeFilter>, Places); 5] = [
            (
                vec![keep(RangeKind::ObjectId, 0, None, &[(1, Some(1)), (3, None)])],
                &[(5, 1), (5, 3), (5, 4), (5, 9), (6, 1)],
            ),
            (vec![keep(RangeKind::Subgroup, 0, None, &[(4, Some(9))])], &[(5, 9)]),
            (vec![keep(RangeKind::Priority, 0, None, &[(0, Some(5))])], &[(7, 0)]),
            (
                vec![
                    keep(RangeKind::ObjectId, 1, None, &[(0, Some(0))]),
                    keep(RangeKind::Priority, 1, None, &[(9, Some(9))]),
                    keep(RangeKind::Priority, 2, None, &[(3, Some(3))]),
                ],
                &[(5, 0), (6, 0), (7, 0)],
            ),
            (vec![keep(RangeKind::ObjectProperty, 0, Some(0x40), &[(0, None)])], &[]),
        ];
        let mut readers = Vec::new();
        for (range_filters, expected) in cases {
            let node = room.subscriber();
            let key = room.subscribe(node, Params { range_filters, ..Params::default() });
            readers.push((node, key, expected));
        }
        room.open(5, &[0, 1, 2, 3, 4]);
        room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 4, 200, &[9], true);
        room.run();
        room.group(6, &[0, 1]);
        room.datagram(7, 0, 3, true);
        for (case, (node, key, expected)) in readers.iter().enumerate() {
            assert_eq!(room.objects(*node, *key), *expected, "{profile:?} case {case}");
        }
        // The filter of the first reader goes, and all passes again.
        let (node, key, _) = readers[0];
        let rule = RangeRule::Remove;
        room.world.peer(node).update(
            key,
            Params { range_filters: vec![RangeFilter { kind: RangeKind::ObjectId, rule }], ..Params::default() },
        );
        room.run();
        room.group(8, &[0, 1]);
        assert!(room.objects(node, key).ends_with(&[(8, 0), (8, 1)]), "{profile:?}");
        let node = room.subscriber();
        let many: Vec<(u64, Option<u64>)> = (0..65).map(|n| (n * 2, Some(n * 2))).collect();
        let bad = [
            vec![keep(RangeKind::ObjectId, 0, None, &many)],
            vec![keep(RangeKind::ObjectId, 0, None, &[(1, None)]), keep(RangeKind::ObjectId, 0, None, &[(2, None)])],
        ];
        for range_filters in bad {
            let key = room.subscribe(node, Params { range_filters, ..Params::default() });
            assert_eq!(room.refused(node, key), Some(codes::request_error::INVALID_FILTER), "{profile:?}");
        }
    }
}

#[test]
fn an_update_that_fails_ends_its_subscription() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let node = room.subscriber();
        let key = room.subscribe(node, Params::default());
        let track = keep(RangeKind::TrackProperty, 0, Some(2), &[(0, None)]);
        room.world.peer(node).update(key, Params { range_filters: vec![track], ..Params::default() });
        room.run();
        let refused = room.world.peer(node).heard.iter().any(|event| {
            matches!(event, Event::UpdateAnswered { result: Err(refusal), .. } if refusal.code == codes::request_error::INVALID_FILTER)
        });
        assert!(refused, "{profile:?}");
        assert_eq!(room.done(node, key).map(|(code, _)| code), Some(codes::publish_done::UPDATE_FAILED), "{profile:?}");
    }
}
