//! Readers that join late, two capabilities in one room, and what goes first on a slow path: engine to engine, through
//! the relay.

mod common;

use bytes::Bytes;
use cc_engine::{
    Command, Delivery, DropReason, Event, GroupOrder, Outgoing, Place, SubscribeConfig, Time, TrackConfig, TrackKind,
};
use cc_session::{Event as Heard, Request};
use cc_wire::{property, Namespace, Params, Profile, Properties, TrackName, Value};
use common::{client, relay, track, Identity, World};

const SECOND: Time = 1_000_000;
const DRAFTS: [Profile; 2] = [Profile::D18, Profile::D22];
const HUB: usize = 0;
const PUBLISHER: usize = 1;

struct Room {
    world: World,
    identity: Identity,
    profile: Profile,
}

impl Room {
    fn new(profile: Profile) -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, true));
        let mut room = Room { world, identity, profile };
        room.join();
        room
    }

    /// One more client with a link of the same number.
    fn join(&mut self) -> usize {
        let node = self.world.add(client(1 + self.world.nodes.len() as u8));
        self.world.open_link(node, node as u64, HUB, &self.identity, Some(self.profile));
        self.world.run(SECOND);
        node
    }

    fn publish(&mut self, id: u64, config: TrackConfig) {
        self.world.publish(PUBLISHER, id, Place::Link(PUBLISHER as u64), config);
        self.world.run(SECOND / 10);
    }

    fn watch(&mut self, node: usize, id: u64, capability: &str) {
        self.world.subscribe(node, id, Place::Link(node as u64), "g", capability);
        self.world.run(SECOND);
    }

    /// One track by name, as its reader wants it.
    fn read(&mut self, node: usize, id: u64, name: &'static str, priority: u8, order: Option<GroupOrder>) {
        let config = SubscribeConfig {
            namespace: Namespace::parse("g/r").unwrap(),
            name: Some(Bytes::from_static(name.as_bytes())),
            capability: Bytes::new(),
            priority,
            order,
            rendezvous_ms: 0,
            token: None,
        };
        self.world.command(node, Command::Subscribe(id, Place::Link(node as u64), Box::new(config)));
        self.world.run(SECOND);
    }

    fn send(&mut self, publication: u64, value: u32, size: usize, priority: Option<u8>, new_group: bool) {
        let mut payload = value.to_le_bytes().to_vec();
        payload.resize(size, 0);
        let (payload, properties) = (payload.into(), Bytes::new());
        let (ttl, end_group) = (None, false);
        let outgoing = Outgoing { publication, payload, properties, priority, ttl, new_group, end_group };
        self.world.command(PUBLISHER, Command::Send(outgoing));
    }

    fn say(&mut self, publication: u64, value: u32, size: usize, new_group: bool) {
        self.send(publication, value, size, None, new_group);
        self.world.run(SECOND / 50);
    }

    fn heard(&mut self, node: usize) -> Vec<u32> {
        self.world.frames(node).iter().map(number).collect()
    }

    /// What a client was told of tracks.
    fn tracks(&mut self, node: usize) -> Vec<(u64, Bytes)> {
        let events = self.world.events(node).into_iter();
        events
            .filter_map(|event| match event {
                Event::TrackAdded { subscription, name, .. } => Some((subscription, name.name)),
                _ => None,
            })
            .collect()
    }
}

fn number(frame: &Delivery) -> u32 {
    u32::from_le_bytes(frame.payload[..4].try_into().unwrap())
}

#[test]
fn a_late_reader_of_a_state_gets_its_newest_frame_at_once() {
    for profile in DRAFTS {
        for kind in [TrackKind::FrameDatagram, TrackKind::FrameStream] {
            for (latest_wins, size, expected) in [(true, 20, vec![2]), (true, 3000, vec![2]), (false, 20, vec![])] {
                let mut room = Room::new(profile);
                room.publish(10, TrackConfig { latest_wins, ..track("g/r", "state", kind, "state.v1") });
                let first = room.join();
                room.watch(first, 20, "");
                for value in [1, 2] {
                    room.say(10, value, size, false);
                }
                assert_eq!(room.heard(first), [1, 2], "{profile:?} {kind:?} {size}");
                for capability in ["", "state.v1"] {
                    let late = room.join();
                    room.watch(late, 20, capability);
                    assert_eq!(room.heard(late), expected, "{profile:?} {kind:?} {size} {capability}");
                    let exact = room.join();
                    room.read(exact, 20, "state", 128, None);
                    assert_eq!(room.heard(exact), expected, "{profile:?} {kind:?} {size} by name");
                }
                // And goes on with what is live.
                room.say(10, 3, size, false);
                assert_eq!(room.heard(2), [3], "{profile:?} {kind:?} {size}");
                assert_eq!(room.heard(3), [3], "{profile:?} {kind:?} {size}");
            }
        }
    }
}

#[test]
fn a_late_reader_of_media_gets_the_group_in_progress_from_its_first_object_and_each_object_once() {
    for profile in DRAFTS {
        for (kind, datagram) in [(TrackKind::Video, false), (TrackKind::Audio, false), (TrackKind::Audio, true)] {
            let mut room = Room::new(profile);
            let config = TrackConfig { datagram, subgroup_timeout_ms: 2000, ..track("g/r", "m", kind, "") };
            room.publish(10, config);
            let first = room.join();
            room.watch(first, 20, "");
            for value in 0..8 {
                room.say(10, value, 100, value % 5 == 0);
            }
            let late = room.join();
            room.world.subscribe(late, 20, Place::Link(late as u64), "g", "");
            for value in 8..10 {
                room.say(10, value, 100, false);
            }
            for value in 10..13 {
                room.say(10, value, 100, value == 10);
            }
            room.world.run(SECOND);
            let whole: Vec<u32> = (0..13).collect();
            assert_eq!(room.heard(first), whole, "{profile:?} {kind:?} {datagram}");
            // In datagrams each packet is a group: one was on its way with the subscription, and is the newest.
            let from = if datagram { 8 } else { 5 };
            assert_eq!(room.heard(late), whole[from..], "{profile:?} {kind:?} {datagram}");
        }
    }
}

/// A place that has a track already, and one more reader there: of what is kept it gets what a late joiner gets, while
/// the first one hears nothing twice.
fn second_reader(room: &mut Room, node: usize, place: Place, kept: &[(TrackConfig, &[u32])]) {
    for (number, (config, expected)) in kept.iter().enumerate() {
        let (id, first, second) = (10 + number as u64, 100 + number as u64, 200 + number as u64);
        let name = format!("t{number}");
        let full = TrackName::new(Namespace::parse("g/r").unwrap(), Bytes::from(name.clone())).unwrap();
        let config = TrackConfig { name: full, ..config.clone() };
        let told = format!("{:?} {place:?} {:?} {}", room.profile, config.kind, config.datagram);
        room.publish(id, config);
        room.world.subscribe_exact(node, first, place, "g/r", &name);
        room.world.run(SECOND);
        for value in 0..8 {
            room.say(id, value, 100, value % 5 == 0);
        }
        let of = |room: &mut Room| -> Vec<(u64, u32)> {
            room.world.frames(node).iter().map(|frame| (frame.subscription, self::number(frame))).collect()
        };
        let all: Vec<(u64, u32)> = (0..8).map(|value| (first, value)).collect();
        assert_eq!(of(room), all, "{told}");
        room.world.subscribe_exact(node, second, place, "g/r", &name);
        room.world.run(SECOND);
        let late: Vec<(u64, u32)> = expected.iter().map(|value| (second, *value)).collect();
        assert_eq!(of(room), late, "{told}");
        room.say(id, 8, 100, false);
        assert_eq!(of(room), [(first, 8), (second, 8)], "{told}");
        assert!(room.world.frames(node).is_empty(), "{told}");
    }
}

/// A track of each kind, and what of eight objects (a new group with the fifth, where the publisher says when) a late
/// reader gets.
fn kinds() -> Vec<(TrackConfig, &'static [u32])> {
    let of = |kind, latest_wins, datagram, timeout| TrackConfig {
        latest_wins,
        datagram,
        subgroup_timeout_ms: timeout,
        ..track("g/r", "", kind, "")
    };
    vec![
        (of(TrackKind::FrameDatagram, true, true, 0), &[7]),
        (of(TrackKind::FrameStream, true, false, 0), &[7]),
        (of(TrackKind::FrameDatagram, false, true, 0), &[]),
        (of(TrackKind::FrameStream, false, false, 0), &[]),
        (of(TrackKind::Text, false, false, 0), &[]),
        (of(TrackKind::Video, false, false, 2000), &[5, 6, 7]),
        (of(TrackKind::Audio, false, false, 2000), &[5, 6, 7]),
        (of(TrackKind::Audio, false, true, 2000), &[7]),
    ]
}

#[test]
fn a_second_reader_on_a_link_gets_what_a_late_joiner_gets() {
    for profile in DRAFTS {
        let mut room = Room::new(profile);
        let node = room.join();
        second_reader(&mut room, node, Place::Link(node as u64), &kinds());
    }
}

#[test]
fn a_second_reader_at_the_relay_itself_gets_what_is_kept() {
    for profile in DRAFTS {
        second_reader(&mut Room::new(profile), HUB, Place::Node, &kinds());
    }
}

/// The relay knows a track that others read, or have read: its own first reader joins late too.
#[test]
fn the_relay_s_own_first_reader_joins_late() {
    for profile in DRAFTS {
        for left in [false, true] {
            let mut room = Room::new(profile);
            room.publish(10, TrackConfig { subgroup_timeout_ms: 2000, ..track("g/r", "v", TrackKind::Video, "") });
            room.publish(11, TrackConfig { latest_wins: true, ..track("g/r", "s", TrackKind::FrameStream, "") });
            let other = room.join();
            room.watch(other, 20, "");
            for value in 0..8 {
                room.say(10, value, 100, value % 5 == 0);
                room.say(11, 100 + value, 100, false);
            }
            if left {
                room.world.command(other, Command::Unsubscribe(20));
                room.world.run(SECOND);
            }
            room.world.subscribe(HUB, 30, Place::Node, "g", "");
            room.world.run(SECOND);
            let mut heard = room.heard(HUB);
            heard.sort_unstable();
            assert_eq!(heard, [5, 6, 7, 107], "{profile:?} {left}");
            room.say(10, 8, 100, left);
            room.say(11, 108, 100, false);
            // The group in which the other left may still be ended.
            room.world.run(SECOND);
            let mut heard = room.heard(HUB);
            heard.sort_unstable();
            assert_eq!(heard, [8, 108], "{profile:?} {left}");
        }
    }
}

#[test]
fn two_capabilities_on_one_room_in_one_session() {
    for profile in DRAFTS {
        let mut room = Room::new(profile);
        for (id, name, capability) in [(10, "a", "a.v1"), (11, "b", "b.v1"), (12, "c", "c.v1")] {
            room.publish(id, track("g/r", name, TrackKind::FrameStream, capability));
        }
        let node = room.join();
        room.watch(node, 20, "a.v1");
        assert_eq!(room.tracks(node), [(20, Bytes::from_static(b"a"))], "{profile:?}");
        room.watch(node, 21, "b.v1");
        assert_eq!(room.tracks(node), [(21, Bytes::from_static(b"b"))], "{profile:?}");
        let said = |room: &mut Room, expected: &[u32]| {
            for (id, value) in [(10, 1), (11, 2), (12, 3), (13, 4)] {
                room.say(id, value, 10, false);
            }
            assert_eq!(room.heard(node), expected, "{profile:?}");
        };
        said(&mut room, &[1, 2]);
        // A track that comes later is offered by the same rule.
        room.publish(13, track("g/r", "d", TrackKind::FrameStream, "b.v1"));
        room.world.run(SECOND);
        assert_eq!(room.tracks(node), [(21, Bytes::from_static(b"d"))], "{profile:?}");
        said(&mut room, &[1, 2, 4]);
        room.world.command(node, Command::Unsubscribe(21));
        room.world.run(SECOND);
        said(&mut room, &[1]);
        // Nothing of the others reaches this session any more.
        let before = room.world.nodes[node].frames.len();
        assert_eq!(before, 0);
        room.watch(node, 22, "c.v1");
        room.watch(node, 23, "b.v1");
        said(&mut room, &[1, 2, 3, 4]);
        // Any capability: the filter goes.
        room.publish(14, track("g/r", "e", TrackKind::FrameStream, ""));
        room.watch(node, 24, "");
        let found = room.tracks(node);
        assert!(found.contains(&(24, Bytes::from_static(b"e"))), "{profile:?} {found:?}");
    }
}

/// Sends what a slow path holds up, and tells in which order it comes.
fn held_up(room: &mut Room, node: usize, frames: &[(u64, u32, Option<u8>)]) -> Vec<u32> {
    room.world.nodes[node].path.rate_in = 50_000;
    for (publication, value, priority) in frames {
        room.send(*publication, *value, 10_000, *priority, false);
    }
    room.world.run(60 * SECOND);
    room.heard(node)
}

fn place(order: &[u32], value: u32) -> usize {
    order.iter().position(|other| *other == value).unwrap_or(usize::MAX)
}

#[test]
fn the_subscriber_s_priority_goes_before_the_publisher_s_and_that_before_group_order() {
    for profile in DRAFTS {
        let mut room = Room::new(profile);
        for (id, name) in [(10, "low"), (11, "high")] {
            room.publish(id, track("g/r", name, TrackKind::FrameStream, ""));
        }
        let node = room.join();
        room.read(node, 20, "low", 200, None);
        room.read(node, 21, "high", 10, None);
        // The subscriber's less important track is the publisher's most important, and is sent first.
        let mut frames: Vec<(u64, u32, Option<u8>)> = (0..20).map(|n| (10, n, Some(0))).collect();
        frames.extend((100..110).map(|n| (11, n, Some(200))));
        frames.extend((200..210).map(|n| (11, n, Some(100))));
        let order = held_up(&mut room, node, &frames);
        assert_eq!(order.len(), 40, "{profile:?}: nothing is lost");
        // Some of the first frames were out before there was a choice.
        let first_high = place(&order, 200);
        assert!(first_high < 12, "{profile:?} {order:?}");
        assert!(place(&order, 19) > place(&order, 209), "{profile:?} {order:?}");
        assert!(place(&order, 19) > place(&order, 109), "{profile:?} {order:?}");
        // Within the track by the publisher's priority, and then in its order.
        assert!(place(&order, 209) < place(&order, 109), "{profile:?} {order:?}");
        assert!(place(&order, 205) < place(&order, 206), "{profile:?} {order:?}");
    }
}

#[test]
fn groups_go_in_the_order_that_the_subscriber_asks_for() {
    for profile in DRAFTS {
        let mut room = Room::new(profile);
        room.publish(10, track("g/r", "t", TrackKind::FrameStream, ""));
        let (up, down) = (room.join(), room.join());
        room.read(up, 20, "t", 128, Some(GroupOrder::Ascending));
        room.read(down, 20, "t", 128, Some(GroupOrder::Descending));
        room.world.nodes[down].path.rate_in = 50_000;
        let frames: Vec<(u64, u32, Option<u8>)> = (0..30).map(|n| (10, n, None)).collect();
        let ascending = held_up(&mut room, up, &frames);
        let descending = room.heard(down);
        assert_eq!(ascending, (0..30).collect::<Vec<_>>(), "{profile:?}");
        assert_eq!(descending.len(), 30, "{profile:?}");
        assert!(place(&descending, 29) < 12, "{profile:?} {descending:?}");
        assert!(place(&descending, 28) < place(&descending, 20), "{profile:?} {descending:?}");
    }
}

/// A subscriber that names a time-out gets what is in time, and the rest is counted; the smaller of its own and the
/// track's counts.
#[test]
fn delivery_timeouts_are_the_subscriber_s_too() {
    let timeouts = |object: Option<u64>, subgroup: Option<u64>| Params {
        object_delivery_timeout: object,
        subgroup_delivery_timeout: subgroup,
        ..Params::default()
    };
    let cases = [
        (timeouts(None, None), 0, true),
        (timeouts(Some(0), Some(0)), 0, true),
        (timeouts(Some(300), None), 0, false),
        (timeouts(None, Some(300)), 0, false),
        (timeouts(Some(60_000), None), 300, false),
        (timeouts(Some(300), None), 60_000, false),
    ];
    for profile in DRAFTS {
        for (params, object_timeout_ms, whole) in &cases {
            let mut room = Room::new(profile);
            let config =
                TrackConfig { object_timeout_ms: *object_timeout_ms, ..track("g/r", "t", TrackKind::FrameStream, "") };
            room.publish(10, config);
            let reader = room.world.add_peer(HUB, &room.identity, profile);
            room.world.run(SECOND);
            let name = TrackName::new(Namespace::parse("g/r").unwrap(), &b"t"[..]).unwrap();
            let now = room.world.now;
            let subscribe = Request::Subscribe { track: name, params: params.clone() };
            let key = room.world.peer(reader).ask(subscribe, now);
            room.world.run(SECOND);
            room.world.nodes[reader].path.rate_in = 50_000;
            let before = room.world.engine(HUB).stats().drops[DropReason::Expired as usize];
            for value in 0..30 {
                room.send(10, value, 10_000, None, false);
            }
            room.world.run(30 * SECOND);
            let came = room.world.peer(reader).objects(key).len() as u64;
            let expired = room.world.engine(HUB).stats().drops[DropReason::Expired as usize] - before;
            if *whole {
                assert_eq!((came, expired), (30, 0), "{profile:?} {params:?}");
            } else {
                assert!((1..25).contains(&came), "{profile:?} {params:?}: {came}");
                // A stream that is reset after all of it was handed to QUIC counts as sent.
                assert!(expired > 0 && came + expired >= 20, "{profile:?}: {came} and {expired} of {params:?}");
            }
        }
    }
}

/// A subgroup whose first object names a time-out has that one, whatever its track has.
#[test]
fn a_subgroup_s_first_object_may_name_its_delivery_timeout() {
    for profile in DRAFTS {
        for kind in [property::OBJECT_DELIVERY_TIMEOUT, property::SUBGROUP_DELIVERY_TIMEOUT] {
            let mut room = Room::new(profile);
            room.publish(10, track("g/r", "t", TrackKind::FrameStream, ""));
            let reader = room.world.add_peer(HUB, &room.identity, profile);
            room.world.run(SECOND);
            let name = TrackName::new(Namespace::parse("g/r").unwrap(), &b"t"[..]).unwrap();
            let now = room.world.now;
            let key = room.world.peer(reader).ask(Request::Subscribe { track: name, params: Params::default() }, now);
            room.world.run(SECOND);
            room.world.nodes[reader].path.rate_in = 50_000;
            let mut properties = Properties::default();
            properties.insert(kind, 300).unwrap();
            for value in 0..30_u32 {
                let own = if value % 2 == 1 { properties.raw().clone() } else { Bytes::new() };
                let outgoing = Outgoing {
                    publication: 10,
                    payload: vec![0; 10_000].into(),
                    properties: own,
                    priority: None,
                    ttl: None,
                    new_group: false,
                    end_group: false,
                };
                room.world.command(PUBLISHER, Command::Send(outgoing));
            }
            room.world.run(30 * SECOND);
            let came: Vec<u64> = room.world.peer(reader).objects(key).iter().map(|at| at.group).collect();
            let first = came.iter().copied().min().unwrap_or_default();
            let plain = came.iter().filter(|group| (**group - first) % 2 == 0).count();
            assert_eq!(plain, 15, "{profile:?} {kind:#x}: those without a time-out all come");
            match profile {
                Profile::D18 => assert_eq!(came.len(), 30, "no object has a time-out at -18"),
                _ => assert!(came.len() < 25, "{profile:?} {kind:#x}: {} came", came.len()),
            }
        }
    }
}

/// The keyframe of the group in progress is nowhere to be had: the publisher is asked for another.
#[test]
fn a_late_reader_of_video_without_its_keyframe_asks_for_a_new_group() {
    for profile in DRAFTS {
        let identity = Identity::new();
        let mut world = World::new();
        let hub = world.add(relay(1, &identity, true));
        let publisher = world.add_peer(hub, &identity, profile);
        let first = world.add_peer(hub, &identity, profile);
        let track = TrackName::new(Namespace::parse("g/r").unwrap(), &b"v"[..]).unwrap();
        let mut properties = Properties::default();
        properties.insert(property::DYNAMIC_GROUPS, Value::Int(1)).unwrap();
        properties.insert(0x3804, Value::Int(TrackKind::Video as u64)).unwrap();
        let now = world.now;
        let publish = Request::Publish { track: track.clone(), alias: 5, params: Params::default(), properties };
        world.peer(publisher).ask(publish, now);
        world.run(SECOND);
        let now = world.now;
        world.peer(first).ask(Request::Subscribe { track, params: Params::default() }, now);
        world.run(SECOND);
        world.peer(publisher).subgroup(5, 8, 0, 9, &[2, 3], false);
        world.run(SECOND);
        let late = world.add(client(9));
        world.open_link(late, 1, hub, &identity, Some(profile));
        world.subscribe(late, 20, Place::Link(1), "g", "");
        world.run(5 * SECOND);
        let wishes: Vec<u64> = world
            .peer(publisher)
            .take()
            .into_iter()
            .filter_map(|event| match event {
                Heard::Update { params, .. } => params.new_group_request,
                _ => None,
            })
            .collect();
        assert_eq!(wishes, [9], "{profile:?}");
        world.peer(publisher).subgroup(5, 9, 0, 9, &[0, 1], true);
        world.run(SECOND);
        let came: Vec<(u64, u64)> = world.frames(late).iter().map(|frame| (frame.group, frame.object)).collect();
        assert_eq!(came, [(9, 0), (9, 1)], "{profile:?}");
    }
}

/// A watch that is taken back and asked for again: the track is offered and asked for by name at once, and is had once.
#[test]
fn a_track_that_was_given_up_comes_back() {
    for profile in DRAFTS {
        let mut room = Room::new(profile);
        room.publish(10, track("g/r", "t", TrackKind::FrameStream, ""));
        let (first, second) = (room.join(), room.join());
        room.watch(first, 20, "");
        for id in 30..33 {
            room.watch(second, id, "");
            room.say(10, id as u32, 10, false);
            assert_eq!(room.heard(second), [id as u32], "{profile:?}");
            room.world.command(second, Command::Unsubscribe(id));
            room.world.run(SECOND);
        }
        assert_eq!(room.heard(first), [30, 31, 32], "{profile:?}");
        let refused = |event: &Event| matches!(event, Event::SubscribeRefused { .. } | Event::Warning { .. });
        assert!(!room.world.events(second).iter().any(refused), "{profile:?}");
    }
}
