//! The past of a track: fills, joining FETCHes, what is kept, and what is asked of the publisher.

use cc_engine::{Place, TrackKind};
use cc_session::{Event, Request, RequestKey};
use cc_wire::{
    codes, property, FetchItem, FetchObject, Filter, Gap, GroupOrder, Location, Params, Profile, Properties,
};

use crate::room::{at, filtered, name, newest, Room, ALIAS, DRAFTS, LATER, PUBLISHER, RELAY};

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

/// Where an answer says that something is missing, and how.
type Missing = Vec<(Gap, Location)>;

/// FETCHes of a range, by a reader and from the publisher.
struct Fetching {
    room: Room,
    reader: usize,
    order: GroupOrder,
}

impl Fetching {
    fn new(profile: Profile) -> Fetching {
        let mut room = Room::plain(profile);
        let reader = room.subscriber();
        room.subscribe(reader, Params::default());
        Fetching { room, reader, order: GroupOrder::Ascending }
    }

    /// The newest group first.
    fn descending(profile: Profile) -> Fetching {
        Fetching { order: GroupOrder::Descending, ..Fetching::new(profile) }
    }

    /// Asks for a range; none of what was heard before is left.
    fn ask(&mut self, start: Location, end: Location) -> RequestKey {
        self.ask_within(start, end, None)
    }

    fn ask_within(&mut self, start: Location, end: Location, fill_timeout: Option<u64>) -> RequestKey {
        let Fetching { room, reader, order } = self;
        room.world.peer(*reader).take();
        let kind = cc_wire::FetchKind::Standalone(name());
        let filter = match end.object {
            u64::MAX => Filter::AbsoluteRange { start, end_group: end.group },
            _ => Filter::ObjectRange { start, end },
        };
        let params = Params { group_order: Some(*order), fill_timeout, ..filtered(filter) };
        let now = room.world.now;
        let key = room.world.peer(*reader).ask(Request::Fetch(cc_session::Fetch { kind, params }), now);
        room.run();
        key
    }

    /// The FETCH that the publisher was asked, if it was.
    fn asked(&mut self) -> Option<RequestKey> {
        self.room.world.peer(PUBLISHER).take().into_iter().find_map(|event| match event {
            Event::Request { key, request: Request::Fetch(_) } => Some(key),
            _ => None,
        })
    }

    /// What the reader got: objects, and where it was told that something is missing.
    fn got(&mut self, key: RequestKey) -> (Vec<(u64, u64)>, Missing) {
        let gaps = self.room.world.peer(self.reader).heard.iter().filter_map(|event| match event {
            Event::FetchItem { item: FetchItem::End { gap, location }, .. } => Some((*gap, *location)),
            _ => None,
        });
        let gaps = gaps.collect();
        (self.room.fetched(self.reader, key), gaps)
    }

    /// A range that the publisher is asked for, and answers so.
    fn passed_on(&mut self, start: Location, end: Location, items: &[FetchItem]) -> RequestKey {
        let key = self.ask(start, end);
        let asked = self.asked().unwrap_or_else(|| panic!("{:?}: the publisher is asked", self.room.profile));
        self.room.world.peer(PUBLISHER).answer_fetch(asked, end, self.order, items, true);
        self.room.run();
        key
    }

    /// A range of which what is here is told: there is no time to ask the publisher.
    fn at_once(&mut self, start: Location, end: Location) -> (Vec<(u64, u64)>, Missing) {
        let key = self.ask_within(start, end, Some(0));
        self.got(key)
    }

    /// A range that comes from what is kept.
    fn kept(&mut self, start: Location, end: Location) -> Vec<(u64, u64)> {
        let key = self.ask(start, end);
        let profile = self.room.profile;
        assert_eq!(self.asked(), None, "{profile:?} {start:?} {end:?}: the publisher is not asked again");
        let (objects, gaps) = self.got(key);
        assert_eq!(gaps, [], "{profile:?}");
        objects
    }
}

fn object(group: u64, object: u64) -> FetchItem {
    FetchItem::Object(FetchObject {
        location: at(group, object),
        subgroup: Some(0),
        priority: 9,
        properties: Default::default(),
        payload_len: 8,
    })
}

fn missing(gap: Gap, group: u64, object: u64) -> FetchItem {
    FetchItem::End { gap, location: at(group, object) }
}

#[test]
fn what_is_fetched_for_one_is_kept_for_the_next() {
    for profile in DRAFTS {
        let mut fetching = Fetching::new(profile);
        let stream = fetching.room.open(5, &[2, 3]);
        // Objects and groups that the answer leaves out do not exist.
        let items = [object(1, 0), object(1, 2), object(3, 1)];
        let key = fetching.passed_on(at(1, 0), at(3, u64::MAX), &items);
        assert_eq!(fetching.got(key), (vec![(1, 0), (1, 2), (3, 1)], vec![]), "{profile:?}");
        assert_eq!(fetching.kept(at(1, 0), at(3, u64::MAX)), [(1, 0), (1, 2), (3, 1)], "{profile:?}");
        assert_eq!(fetching.kept(at(1, 1), at(1, u64::MAX)), [(1, 2)], "{profile:?}");
        assert_eq!(fetching.kept(at(1, 2), at(3, 1)), [(1, 2), (3, 1)], "{profile:?}");
        // The head of a group that is here from its third object on: with it the group is whole, and goes on live.
        fetching.passed_on(at(5, 0), at(5, 3), &[object(5, 0), object(5, 1), object(5, 2), object(5, 3)]);
        assert_eq!(fetching.kept(at(5, 0), at(5, 3)), [(5, 0), (5, 1), (5, 2), (5, 3)], "{profile:?}");
        fetching.room.more(stream, 3, &[4], true);
        assert_eq!(fetching.kept(at(5, 0), at(5, 4)).len(), 5, "{profile:?}");
        // What lies between is asked for.
        fetching.ask(at(3, 0), at(5, 0));
        assert!(fetching.asked().is_some(), "{profile:?}");
    }
}

#[test]
fn what_is_unknown_is_not_kept_as_if_it_did_not_exist() {
    for profile in DRAFTS {
        let mut fetching = Fetching::new(profile);
        fetching.room.open(5, &[0]);
        let items = [object(1, 0), missing(Gap::Unknown, 1, 2), object(1, 3), missing(Gap::NonExistent, 1, 6)];
        let gaps = vec![(Gap::Unknown, at(1, 2)), (Gap::NonExistent, at(1, 6))];
        let key = fetching.passed_on(at(1, 0), at(1, 6), &items);
        assert_eq!(fetching.got(key), (vec![(1, 0), (1, 3)], gaps), "{profile:?}");
        assert_eq!(fetching.kept(at(1, 3), at(1, 6)), [(1, 3)], "{profile:?}");
        for (start, end) in [(at(1, 0), at(1, 3)), (at(1, 2), at(1, 3)), (at(1, 3), at(1, 7))] {
            fetching.ask(start, end);
            assert!(fetching.asked().is_some(), "{profile:?} {start:?} {end:?}");
        }
        // An answer that is cut short tells nothing of what it has not come to.
        let key = fetching.ask(at(2, 0), at(2, 5));
        let asked = fetching.asked().unwrap();
        let order = fetching.order;
        fetching.room.world.peer(PUBLISHER).answer_fetch(asked, at(2, 5), order, &[object(2, 1)], false);
        fetching.room.run();
        fetching.room.world.peer(fetching.reader).session.cancel(key, codes::stream_reset::CANCELLED).unwrap();
        fetching.room.run();
        assert_eq!(fetching.kept(at(2, 0), at(2, 1)), [(2, 1)], "{profile:?}");
        fetching.ask(at(2, 1), at(2, 2));
        assert!(fetching.asked().is_some(), "{profile:?}");
    }
}

/// What does not fit goes, and is asked for again; what came live is not displaced.
#[test]
fn what_is_fetched_is_bounded_in_bytes() {
    for profile in DRAFTS {
        let mut fetching = Fetching::new(profile);
        fetching.room.open(5, &[0, 1]);
        let items: Vec<FetchItem> = (0..4000).map(|number| object(1, number)).collect();
        let key = fetching.passed_on(at(1, 0), at(1, 3999), &items);
        fetching.room.world.run(2_000_000);
        assert_eq!(fetching.got(key).0.len(), 4000, "{profile:?}");
        let relay = fetching.room.world.engine(crate::room::RELAY).stats();
        assert!(relay.refused.of(cc_engine::Limit::PastTrackBytes) > 0, "{profile:?}");
        assert_eq!(fetching.kept(at(5, 0), at(5, 1)), [(5, 0), (5, 1)], "{profile:?}");
        assert_eq!(fetching.kept(at(1, 3990), at(1, 3999)).len(), 10, "{profile:?}");
        fetching.ask(at(1, 0), at(1, 1));
        assert!(fetching.asked().is_some(), "{profile:?}");
    }
}

/// That one of a group's subgroups has ended says nothing of what the others still bring.
#[test]
fn a_group_of_several_subgroups_is_whole_with_the_last_of_them() {
    for profile in DRAFTS {
        let mut fetching = Fetching::new(profile);
        let open = fetching.room.open(5, &[0]);
        let other = fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 1, 9, &[1], false);
        fetching.room.more(other, 1, &[2], true);
        fetching.room.open(6, &[0]);
        fetching.ask(at(5, 0), at(6, 0));
        assert!(fetching.asked().is_some(), "{profile:?}");
        fetching.room.more(open, 0, &[3], true);
        let all = [(5, 0), (5, 1), (5, 2), (5, 3), (6, 0)];
        assert_eq!(fetching.kept(at(5, 0), at(6, 0)), all, "{profile:?}");
        // Another one begins, late.
        fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 2, 9, &[4], false);
        fetching.room.run();
        fetching.ask(at(5, 0), at(6, 0));
        assert!(fetching.asked().is_some(), "{profile:?}");
    }
}

/// A subgroup was cut while another was open: where the group ends stays unknown, whatever the others bring.
#[test]
fn a_group_of_which_a_subgroup_was_cut_is_not_whole() {
    for profile in DRAFTS {
        for (later, at_once) in [(false, false), (true, false), (true, true)] {
            let mut fetching = Fetching::new(profile);
            let open = fetching.room.open(5, &[0]);
            let cut = fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 1, 9, &[1], false);
            fetching.room.run();
            if later {
                fetching.room.more(open, 0, &[2], true);
            }
            fetching.room.world.peer(PUBLISHER).cut(cut, 7);
            fetching.room.run();
            if later {
                // One that begins when the group seemed over.
                let late = fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 2, 9, &[3], at_once);
                match at_once {
                    true => fetching.room.run(),
                    false => fetching.room.more(late, 3, &[4], true),
                }
            } else {
                fetching.room.more(open, 0, &[2], true);
            }
            fetching.room.open(6, &[0]);
            fetching.ask(at(5, 0), at(6, 0));
            assert!(fetching.asked().is_some(), "{profile:?} {later} {at_once}");
            assert_eq!(fetching.kept(at(5, 0), at(5, 2)), [(5, 0), (5, 1), (5, 2)], "{profile:?} {later} {at_once}");
            if at_once {
                // It has ended its group.
                continue;
            }
            // The same subgroup again, to its end.
            let again = fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 1, 9, &[5], false);
            fetching.room.more(again, 5, &[6], true);
            assert_eq!(fetching.kept(at(5, 5), at(6, 0)), [(5, 5), (5, 6), (6, 0)], "{profile:?} {later} {at_once}");
        }
    }
}

/// The relay's own reader of Text does not take such a group for whole either: it asks for the rest before it goes on.
#[test]
fn a_reader_of_text_asks_for_what_a_subgroup_that_was_cut_may_have_had() {
    for profile in DRAFTS {
        for at_once in [false, true] {
            let mut properties = Properties::default();
            // Its kind.
            properties.insert(0x3804, TrackKind::Text as u64).unwrap();
            let mut room = Room::new(profile, properties);
            room.world.subscribe(RELAY, 20, Place::Node, "g", "");
            room.run();
            let open = room.open(5, &[0]);
            let cut = room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 1, 9, &[1], false);
            room.run();
            room.world.peer(PUBLISHER).cut(cut, 7);
            room.run();
            room.more(open, 0, if at_once { &[] } else { &[2] }, true);
            if at_once {
                room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 2, 9, &[2], true);
            }
            room.group(6, &[0]);
            let asked = |event: &Event| matches!(event, Event::Request { request: Request::Fetch(_), .. });
            assert!(room.world.peer(PUBLISHER).heard.iter().any(asked), "{profile:?} {at_once}");
        }
    }
}

/// The newest group first: what is not here is told where it would have come, each draft's way.
#[test]
fn what_is_unknown_is_told_in_descending_order_too() {
    for profile in DRAFTS {
        let mut fetching = Fetching::descending(profile);
        // Of group 5 the head is missing, 6 and 7 are not here, 8 is open.
        fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 0, 9, &[2, 3], true);
        fetching.room.run();
        fetching.room.world.peer(PUBLISHER).subgroup(ALIAS, 8, 0, 9, &[0, 2], false);
        fetching.room.run();
        let gap = if profile > Profile::D18 { Gap::TimedOut } else { Gap::Unknown };
        let told = |gaps: &[Location]| gaps.iter().map(|location| (gap, *location)).collect::<Missing>();
        let gaps = told(&[at(8, 1), at(6, u64::MAX), at(5, 1), at(3, u64::MAX)]);
        let all = vec![(8, 0), (8, 2), (5, 2), (5, 3)];
        assert_eq!(fetching.at_once(at(3, 1), at(8, u64::MAX)), (all, gaps), "{profile:?}");
        // From its third object on group 5 is whole.
        let all = vec![(5, 2), (5, 3)];
        assert_eq!(fetching.at_once(at(5, 2), at(5, u64::MAX)), (all, vec![]), "{profile:?}");
        // Nothing is here.
        let gaps = told(&[at(2, u64::MAX)]);
        assert_eq!(fetching.at_once(at(2, 0), at(3, u64::MAX)), (vec![], gaps), "{profile:?}");
    }
}

#[test]
fn what_is_fetched_newest_first_is_kept_too() {
    for profile in DRAFTS {
        let mut fetching = Fetching::descending(profile);
        fetching.room.open(20, &[0]);
        let items = [object(5, 1), object(3, 0), object(3, 2), missing(Gap::Unknown, 2, 0), object(2, 1), object(1, 4)];
        let all = vec![(5, 1), (3, 0), (3, 2), (2, 1), (1, 4)];
        let key = fetching.passed_on(at(1, 1), at(5, u64::MAX), &items);
        assert_eq!(fetching.got(key), (all, vec![(Gap::Unknown, at(2, 0))]), "{profile:?}");
        assert_eq!(fetching.kept(at(4, 0), at(5, u64::MAX)), [(5, 1)], "{profile:?}");
        assert_eq!(fetching.kept(at(3, 0), at(3, 2)), [(3, 0), (3, 2)], "{profile:?}");
        assert_eq!(fetching.kept(at(1, 1), at(1, u64::MAX)), [(1, 4)], "{profile:?}");
        assert_eq!(fetching.kept(at(2, 1), at(2, u64::MAX)), [(2, 1)], "{profile:?}");
        for (start, end) in [(at(3, 3), at(3, 9)), (at(2, 0), at(2, 1)), (at(1, 0), at(1, 4)), (at(5, 1), at(6, 0))] {
            fetching.ask(start, end);
            assert!(fetching.asked().is_some(), "{profile:?} {start:?} {end:?}");
        }
        // An answer that ends before what was asked for says nothing of what is beyond.
        let key = fetching.ask(at(6, 0), at(8, u64::MAX));
        let asked = fetching.asked().unwrap();
        fetching.room.world.peer(PUBLISHER).answer_fetch(asked, at(6, 3), fetching.order, &[object(6, 3)], true);
        fetching.room.run();
        assert_eq!(fetching.got(key).0, [(6, 3)], "{profile:?}");
        assert_eq!(fetching.kept(at(6, 0), at(6, 3)), [(6, 3)], "{profile:?}");
        for (start, end) in [(at(6, 4), at(6, 5)), (at(7, 0), at(7, 1))] {
            fetching.ask(start, end);
            assert!(fetching.asked().is_some(), "{profile:?} {start:?} {end:?}");
        }
        // One that begins with what is unknown says nothing of that, but of what follows.
        let items = [missing(Gap::Unknown, 10, 2), object(10, 3)];
        fetching.passed_on(at(9, 1), at(12, u64::MAX), &items);
        assert_eq!(fetching.kept(at(10, 3), at(10, u64::MAX)), [(10, 3)], "{profile:?}");
        assert_eq!(fetching.kept(at(9, 1), at(9, u64::MAX)), [], "{profile:?}");
        for (start, end) in [(at(10, 2), at(10, 3)), (at(11, 0), at(11, 1)), (at(12, 5), at(12, 6))] {
            fetching.ask(start, end);
            assert!(fetching.asked().is_some(), "{profile:?} {start:?} {end:?}");
        }
    }
}

/// A fill whose publisher does not answer in time is told to be missing to its last location in the order asked for.
#[test]
fn a_fill_newest_first_that_runs_out_of_time_is_told_to_its_end() {
    for profile in LATER {
        let mut room = Room::plain(profile);
        let first = room.subscriber();
        room.subscribe(first, Params::default());
        room.world.peer(PUBLISHER).subgroup(ALIAS, 5, 0, 9, &[2, 3], true);
        room.group(6, &[0]);
        let reader = room.subscriber();
        let fill = Params {
            fill_timeout: Some(5_000),
            group_order: Some(GroupOrder::Descending),
            ..filtered(Filter::GroupsBack(2))
        };
        let key = room.subscribe(reader, Params { fill: Some(Box::new(fill)), ..filtered(Filter::NextObject) });
        let asked = room.world.peer(PUBLISHER).take().into_iter().find_map(|event| match event {
            Event::Request { key, request: Request::Fetch(_) } => Some(key),
            _ => None,
        });
        let items = [object(6, 0), object(5, 0)];
        let asked = asked.unwrap();
        room.world.peer(PUBLISHER).answer_fetch(asked, at(6, 0), GroupOrder::Descending, &items, false);
        room.world.run(6_000_000);
        assert_eq!(room.fetched(reader, key), [(6, 0), (5, 0)], "{profile:?}");
        let over = room.world.peer(reader).heard.iter().any(
            |event| matches!(event, Event::FetchItem { item, .. } if *item == missing(Gap::TimedOut, 5, u64::MAX)),
        );
        assert!(over, "{profile:?}");
    }
}
