//! What a subscriber may ask for, at each draft, and what the relay gives: a publisher and subscribers without an
//! engine, so that every word is the test's own.

mod common;

use cc_session::{Event, Reply, Request, RequestKey, StreamId};
use cc_wire::{
    codes, property, DatagramHeader, Filter, GroupOrder, Location, Namespace, Params, Profile, Properties, Range,
    RangeFilter, RangeKind, RangeRule, TrackName, Value,
};
use common::{relay, Identity, World};

const DRAFTS: [Profile; 4] = [Profile::D18, Profile::D20, Profile::D21, Profile::D22];
const LATER: [Profile; 3] = [Profile::D20, Profile::D21, Profile::D22];
/// Group and object ids.
type Places = &'static [(u64, u64)];
const ALIAS: u64 = 77;
const RELAY: usize = 0;
const PUBLISHER: usize = 1;

fn name() -> TrackName {
    TrackName::new(Namespace::parse("g/r").unwrap(), &b"t"[..]).unwrap()
}

fn at(group: u64, object: u64) -> Location {
    Location { group, object }
}

/// A relay, a publisher of one track, and what it has published so far.
struct Room {
    world: World,
    identity: Identity,
    profile: Profile,
    publication: RequestKey,
}

impl Room {
    fn new(profile: Profile, properties: Properties) -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, true));
        world.add_peer(RELAY, &identity, profile);
        let now = world.now;
        let publish = Request::Publish { track: name(), alias: ALIAS, params: Params::default(), properties };
        let publication = world.peer(PUBLISHER).ask(publish, now);
        let mut room = Room { world, identity, profile, publication };
        room.run();
        room
    }

    fn plain(profile: Profile) -> Room {
        Room::new(profile, Properties::default())
    }

    fn run(&mut self) {
        self.world.run(200_000);
        for node in 1..self.world.nodes.len() {
            assert_eq!(self.world.peer(node).lost, None);
        }
    }

    fn subscriber(&mut self) -> usize {
        self.world.add_peer(RELAY, &self.identity, self.profile)
    }

    fn subscribe(&mut self, node: usize, params: Params) -> RequestKey {
        let now = self.world.now;
        let key = self.world.peer(node).ask(Request::Subscribe { track: name(), params }, now);
        self.run();
        key
    }

    fn group(&mut self, group: u64, objects: &[u64]) -> StreamId {
        let id = self.world.peer(PUBLISHER).subgroup(ALIAS, group, 0, 9, objects, true);
        self.run();
        id
    }

    fn open(&mut self, group: u64, objects: &[u64]) -> StreamId {
        let id = self.world.peer(PUBLISHER).subgroup(ALIAS, group, 0, 9, objects, false);
        self.run();
        id
    }

    fn more(&mut self, id: StreamId, previous: u64, objects: &[u64], fin: bool) {
        self.world.peer(PUBLISHER).more(id, previous, objects, fin);
        self.run();
    }

    fn datagram(&mut self, group: u64, object: u64, priority: u8, end: bool) {
        let header = DatagramHeader {
            alias: ALIAS,
            group,
            object,
            priority: Some(priority),
            end_of_group: end,
            status: None,
            properties: Default::default(),
        };
        self.world.peer(PUBLISHER).datagram(&header, b"datagram");
        self.run();
    }

    fn objects(&mut self, node: usize, key: RequestKey) -> Vec<(u64, u64)> {
        self.world.peer(node).objects(key).iter().map(|l| (l.group, l.object)).collect()
    }

    fn fetched(&mut self, node: usize, key: RequestKey) -> Vec<(u64, u64)> {
        self.world.peer(node).fetched(key).iter().map(|o| (o.location.group, o.location.object)).collect()
    }

    fn refused(&mut self, node: usize, of: RequestKey) -> Option<u64> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Refused { key, refusal } if *key == of => Some(refusal.code),
            _ => None,
        })
    }

    fn done(&mut self, node: usize, of: RequestKey) -> Option<(u64, Option<u64>)> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Done { key, code, stream_count, .. } if *key == of => Some((*code, *stream_count)),
            _ => None,
        })
    }

    fn largest(&mut self, node: usize, of: RequestKey) -> Option<Location> {
        self.world.peer(node).heard.iter().find_map(|event| match event {
            Event::Accepted { key, reply: Reply::SubscribeOk { params, .. } } if *key == of => params.largest,
            _ => None,
        })
    }
}

fn filtered(filter: Filter) -> Params {
    Params { filter: Some(filter), ..Params::default() }
}

fn keep(kind: RangeKind, set: u8, property: Option<u64>, ranges: &[(u64, Option<u64>)]) -> RangeFilter {
    let ranges = ranges.iter().map(|(start, end)| Range { start: *start, end: *end }).collect();
    RangeFilter { kind, rule: RangeRule::Keep { set, property, ranges } }
}

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
        room.group(5, &[0, 1, 2, 3, 4]);
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

/// What a fill asks for: the newest group.
fn newest() -> Option<Box<Params>> {
    Some(Box::new(filtered(Filter::GroupsBack(1))))
}

#[test]
fn a_late_joiner_gets_the_newest_group_by_fill_and_the_rest_live() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let first = room.subscriber();
        room.subscribe(first, Params::default());
        room.group(4, &[0, 1]);
        let stream = room.open(5, &[0, 1, 2]);
        let node = room.subscriber();
        let params = Params { fill: newest(), ..filtered(Filter::NextObject) };
        let key = room.subscribe(node, params);
        room.more(stream, 2, &[3, 4], true);
        assert_eq!(room.fetched(node, key), [(5, 0), (5, 1), (5, 2)], "{profile:?}");
        assert_eq!(room.objects(node, key), [(5, 3), (5, 4)], "{profile:?}");
        let object = room.world.peer(node).fetched(key)[1].clone();
        assert_eq!((object.subgroup, object.priority, object.payload_len), (Some(0), 9, 8), "{profile:?}");
        // A datagram's group likewise, and by an update.
        room.datagram(9, 0, 3, false);
        room.datagram(9, 1, 3, true);
        let late = room.subscriber();
        let key = room.subscribe(late, filtered(Filter::NextObject));
        room.world.peer(late).update(key, Params { fill: newest(), ..Params::default() });
        room.run();
        assert_eq!(room.fetched(late, key), [(9, 0), (9, 1)], "{profile:?}");
        assert_eq!(room.world.peer(late).fetched(key)[0].subgroup, None);
        // A stream for each fill counts.
        let publication = room.publication;
        room.world.peer(PUBLISHER).session.done(publication, codes::publish_done::TRACK_ENDED, Some(2), "").unwrap();
        room.run();
        assert_eq!(room.done(late, key), Some((codes::publish_done::TRACK_ENDED, Some(1))), "{profile:?}");
    }
}

#[test]
fn a_late_joiner_at_18_gets_the_head_of_the_group_by_a_joining_fetch() {
    let mut room = Room::plain(Profile::D18);
    let first = room.subscriber();
    room.subscribe(first, Params::default());
    let stream = room.open(5, &[0, 1, 2]);
    let node = room.subscriber();
    let key = room.subscribe(node, filtered(Filter::NextObject));
    room.more(stream, 2, &[3], false);
    let now = room.world.now;
    let joining = room.world.peer(node).session.request_id(key).unwrap();
    let kind = cc_wire::FetchKind::RelativeJoining { joining, groups: 0 };
    let fetch = cc_session::Fetch { kind, params: Params::default() };
    let fetch = room.world.peer(node).ask(Request::Fetch(fetch), now);
    room.run();
    // It ends where the subscription began, whatever came since.
    assert_eq!(room.fetched(node, fetch), [(5, 0), (5, 1), (5, 2)]);
    assert_eq!(room.objects(node, key), [(5, 3)]);
}

#[test]
fn what_no_cache_holds_is_fetched_from_the_publisher_or_told_to_be_missing() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let first = room.subscriber();
        room.subscribe(first, Params::default());
        // The relay never sees group 5's beginning.
        room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 0, 9, &[2, 3], false);
        room.run();
        let (cached, whole) = (room.subscriber(), room.subscriber());
        let fill = Params { fill_timeout: Some(0), ..*newest().unwrap() };
        let key = room.subscribe(cached, Params { fill: Some(Box::new(fill)), ..filtered(Filter::NextObject) });
        assert_eq!(room.fetched(cached, key), [(5, 2), (5, 3)], "{profile:?}");
        let gap = room.world.peer(cached).heard.iter().any(|event| {
            let timed_out = cc_wire::FetchItem::End { gap: cc_wire::Gap::TimedOut, location: at(5, 1) };
            matches!(event, Event::FetchItem { item, .. } if *item == timed_out)
        });
        assert!(gap, "{profile:?}");
        // With time to wait, the publisher is asked; it does not answer in time.
        let fill = Params { fill_timeout: Some(5_000), ..*newest().unwrap() };
        let key = room.subscribe(whole, Params { fill: Some(Box::new(fill)), ..filtered(Filter::NextObject) });
        let asked = room
            .world
            .peer(PUBLISHER)
            .heard
            .iter()
            .any(|event| matches!(event, Event::Request { request: Request::Fetch(_), .. }));
        assert!(asked, "{profile:?}");
        assert_eq!(room.fetched(whole, key), [], "{profile:?}");
        room.world.run(6_000_000);
        let over = room.world.peer(whole).heard.iter().any(|event| {
            let timed_out = cc_wire::FetchItem::End { gap: cc_wire::Gap::TimedOut, location: at(5, 3) };
            matches!(event, Event::FetchItem { item, .. } if *item == timed_out)
        });
        assert!(over, "{profile:?}");
    }
}

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

#[test]
fn fills_of_one_subscription_are_bounded() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let first = room.subscriber();
        room.subscribe(first, Params::default());
        // Nobody has the beginning, so each fill waits for the publisher.
        room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 0, 9, &[2, 3], false);
        room.run();
        let node = room.subscriber();
        let key = room.subscribe(node, filtered(Filter::NextObject));
        let fill = || Params { fill: newest(), ..Params::default() };
        for _ in 0..4 {
            room.world.peer(node).update(key, fill());
        }
        room.run();
        assert_eq!(room.done(node, key), None, "{profile:?}");
        room.world.peer(node).update(key, fill());
        room.run();
        let code = room.world.peer(node).heard.iter().find_map(|event| match event {
            Event::UpdateAnswered { result: Err(refusal), .. } => Some(refusal.code),
            _ => None,
        });
        assert_eq!(code, Some(codes::request_error::EXCESSIVE_LOAD), "{profile:?}");
        assert_eq!(room.done(node, key).map(|(code, _)| code), Some(codes::publish_done::UPDATE_FAILED), "{profile:?}");
        // What was asked of the publisher is taken back.
        let heard = &room.world.peer(PUBLISHER).heard;
        let asked = heard.iter().filter(|e| matches!(e, Event::Request { request: Request::Fetch(_), .. })).count();
        let ended = heard.iter().filter(|e| matches!(e, Event::Ended { .. })).count();
        assert_eq!((asked, ended), (4, 4), "{profile:?}");
    }
}

/// What may be served from memory for two seconds is not served after them: the publisher is asked.
#[test]
fn what_is_kept_is_served_for_as_long_as_its_publisher_allows() {
    for profile in DRAFTS {
        let mut properties = Properties::default();
        properties.insert(property::MAX_CACHE_DURATION, 2000).unwrap();
        let mut room = Room::new(profile, properties);
        let reader = room.subscriber();
        room.subscribe(reader, Params::default());
        room.group(1, &[0, 1]);
        room.group(2, &[0]);
        let fetch = |room: &mut Room| {
            let params =
                Params { filter: Some(Filter::AbsoluteRange { start: at(1, 0), end_group: 1 }), ..Params::default() };
            let kind = cc_wire::FetchKind::Standalone(name());
            let now = room.world.now;
            let key = room.world.peer(reader).ask(Request::Fetch(cc_session::Fetch { kind, params }), now);
            room.run();
            key
        };
        let asked = |room: &mut Room| {
            let fetch = |event: &Event| matches!(event, Event::Request { request: Request::Fetch(_), .. });
            room.world.peer(PUBLISHER).heard.iter().filter(|event| fetch(event)).count()
        };
        let soon = fetch(&mut room);
        assert_eq!(room.fetched(reader, soon), [(1, 0), (1, 1)], "{profile:?}");
        assert_eq!(asked(&mut room), 0, "{profile:?}");
        room.world.run(2_000_000);
        let late = fetch(&mut room);
        assert_eq!(asked(&mut room), 1, "{profile:?}");
        assert_eq!(room.fetched(reader, late), [], "{profile:?}");
    }
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
