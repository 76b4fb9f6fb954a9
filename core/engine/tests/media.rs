//! Audio and video through the relay: groups as their publisher begins them, late joiners, loss, and slow links.

mod common;

use bytes::Bytes;
use cc_engine::{flag, Command, Delivery, Event, Outgoing, Place, Time, TrackConfig, TrackKind};
use cc_wire::Profile;
use common::{client, relay, track, Identity, World};

const SECOND: Time = 1_000_000;
/// A video frame, and an audio packet.
const TICK: Time = 20_000;

struct Show {
    world: World,
    identity: Identity,
    /// Frames sent.
    sent: u32,
}

fn media(name: &str, kind: TrackKind) -> TrackConfig {
    TrackConfig { subgroup_timeout_ms: 2000, ..track("games/r", name, kind, "") }
}

impl Show {
    /// A publisher (node 1) and readers from node 2 on.
    fn new(profile: Profile, kind: TrackKind, readers: u64) -> Show {
        let identity = Identity::new();
        let mut world = World::new();
        let hub = world.add(relay(1, &identity, true));
        for node in 1..=1 + readers {
            world.add(client(1 + node as u8));
            world.open_link(node as usize, node, hub, &identity, Some(profile));
        }
        world.publish(1, 10, Place::Link(1), media("m", kind));
        for node in 2..2 + readers {
            world.subscribe(node as usize, 20, Place::Link(node), "games", "");
        }
        world.run(SECOND);
        Show { world, identity, sent: 0 }
    }

    /// Sends one object of `size` bytes that says its number.
    fn send(&mut self, new_group: bool, size: usize) {
        let mut payload = self.sent.to_le_bytes().to_vec();
        payload.resize(size.max(4), 7);
        self.sent += 1;
        let outgoing = Outgoing {
            publication: 10,
            payload: payload.into(),
            properties: Bytes::from_static(&[0x10, 5]),
            priority: None,
            ttl: None,
            new_group,
            end_group: false,
        };
        self.world.command(1, Command::Send(outgoing));
    }

    /// Ends the group that is open with one more object.
    fn end(&mut self) {
        let outgoing = Outgoing {
            publication: 10,
            payload: self.sent.to_le_bytes().to_vec().into(),
            properties: Bytes::new(),
            priority: None,
            ttl: None,
            new_group: false,
            end_group: true,
        };
        self.sent += 1;
        self.world.command(1, Command::Send(outgoing));
    }

    /// Sends groups of `length` objects, one a tick.
    fn run(&mut self, groups: u32, length: u32, size: usize) {
        for _ in 0..groups {
            for object in 0..length {
                self.send(object == 0, size);
                self.world.run(TICK);
            }
        }
    }

    fn take(&mut self, node: usize) -> Vec<Delivery> {
        self.world.frames(node)
    }
}

fn number(frame: &Delivery) -> u32 {
    u32::from_le_bytes(frame.payload[..4].try_into().unwrap())
}

fn numbers(frames: &[Delivery]) -> Vec<u32> {
    frames.iter().map(number).collect()
}

/// What a decoder needs: each group from its first object, without a hole unless a gap is told.
fn decodable(frames: &[Delivery]) -> bool {
    let mut last: Option<(u64, u64)> = None;
    frames.iter().all(|frame| {
        let follows = match last {
            Some((group, object)) if frame.group == group => frame.object == object + 1 || frame.flags & flag::GAP != 0,
            Some((group, _)) => frame.group > group && frame.object == 0,
            None => frame.object == 0,
        };
        last = Some((frame.group, frame.object));
        follows
    })
}

#[test]
fn groups_arrive_as_they_were_begun_at_each_draft() {
    for profile in [Profile::D18, Profile::D20, Profile::D21, Profile::D22] {
        for kind in [TrackKind::Audio, TrackKind::Video] {
            let mut show = Show::new(profile, kind, 1);
            show.run(3, 10, 300);
            show.world.run(SECOND);
            let frames = show.take(2);
            assert_eq!(numbers(&frames), (0..30).collect::<Vec<_>>(), "{profile:?} {kind:?}");
            let first = frames[0].group;
            assert!(first > 1_700_000_000_000, "group ids begin at the Unix time");
            for (at, frame) in frames.iter().enumerate() {
                assert_eq!((frame.group - first, frame.object), (at as u64 / 10, at as u64 % 10));
                assert_eq!((frame.flags, &frame.properties[..]), (flag::STREAM, &[0x10, 5][..]));
            }
            let added = show.world.events(2).into_iter().find_map(|event| match event {
                Event::TrackAdded { kind, track, .. } => Some((kind, track)),
                _ => None,
            });
            let (told, track) = added.unwrap();
            assert_eq!(told, kind as u8);
            assert!(show.world.engine(2).track_properties(20, track).is_some());
            assert!(show.world.engine(2).track_properties(20, track + 100).is_none());
        }
    }
}

#[test]
fn audio_in_datagrams_is_a_group_a_packet() {
    let mut show = Show::new(Profile::D22, TrackKind::Audio, 1);
    show.world.publish(1, 11, Place::Link(1), TrackConfig { datagram: true, ..media("d", TrackKind::Audio) });
    show.world.run(SECOND);
    for at in 0..50u32 {
        let outgoing = Outgoing {
            publication: 11,
            payload: vec![at as u8; 1500].into(),
            properties: Bytes::new(),
            priority: None,
            ttl: None,
            new_group: at == 20,
            end_group: false,
        };
        show.world.command(1, Command::Send(outgoing));
        show.world.run(TICK);
    }
    let frames = show.take(2);
    assert_eq!(frames.len(), 50);
    assert!(frames.windows(2).all(|pair| pair[1].group == pair[0].group + 1 && pair[1].object == 0));
    assert!(frames.iter().all(|frame| frame.payload.len() == 1500 && frame.fragments == 2));
}

#[test]
fn a_late_joiner_of_video_begins_at_a_keyframe() {
    for profile in [Profile::D18, Profile::D22] {
        let mut show = Show::new(profile, TrackKind::Video, 1);
        show.run(1, 7, 300);
        show.send(true, 300);
        show.world.run(TICK);
        for _ in 0..5 {
            show.send(false, 300);
            show.world.run(TICK);
        }
        // In the middle of a group.
        show.world.add(client(9));
        let pin = show.identity.pin;
        let identity = Identity { chain: String::new(), key: String::new(), der: Vec::new(), pin };
        show.world.open_link(3, 3, 0, &identity, Some(profile));
        show.world.subscribe(3, 20, Place::Link(3), "games", "");
        for _ in 0..20 {
            show.send(false, 300);
            show.world.run(TICK);
        }
        show.run(2, 10, 300);
        show.world.run(SECOND);
        let frames = show.take(3);
        // At once, from the keyframe of the group that is under way.
        assert_eq!(numbers(&frames), (7..show.sent).collect::<Vec<_>>(), "{profile:?}");
        assert!(decodable(&frames));
        assert_eq!(frames.last().map(number), Some(show.sent - 1));
        assert_eq!(numbers(&show.take(2)), (0..show.sent).collect::<Vec<_>>());
    }
}

/// Nothing is lost on a path that loses a packet in twenty, for streams resend; all arrives in order.
#[test]
fn loss_costs_time_alone() {
    for kind in [TrackKind::Audio, TrackKind::Video] {
        let mut show = Show::new(Profile::D22, kind, 1);
        show.world.nodes[1].path.loss = 50;
        show.world.nodes[2].path.loss = 50;
        show.run(20, 25, 400);
        show.world.run(3 * SECOND);
        let frames = show.take(2);
        let all = numbers(&frames);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{kind:?}: in order, once");
        assert!(all.len() >= 490, "{kind:?}: {} of 500", all.len());
        if kind == TrackKind::Video {
            assert!(decodable(&frames));
        }
        let told = frames.iter().filter(|frame| frame.flags & flag::GAP != 0).count();
        assert_eq!(told > 0, all.len() < 500, "what is missing is told");
    }
}

/// A path that takes half of what is sent: the reader sees the newest groups, decodable, and the other reader all.
#[test]
fn a_slow_reader_sees_the_newest_groups() {
    let mut show = Show::new(Profile::D22, TrackKind::Video, 2);
    // 150 kB/s are sent, towards node 2 go 75.
    show.world.nodes[2].path.rate_in = 75_000;
    show.run(20, 50, 3000);
    // How far behind the reader is while all of it goes on.
    let newest = show.world.nodes[2].frames.last().map(|(_, frame)| number(frame)).unwrap();
    assert!(show.sent - newest < 250, "{newest} of {} after 20 s", show.sent);
    let slow = show.take(2);
    assert!(decodable(&slow), "{:?}", slow.iter().map(|f| (f.group, f.object)).collect::<Vec<_>>());
    let share = slow.len() as f64 / f64::from(show.sent);
    assert!((0.2..0.8).contains(&share), "{share}");
    show.world.run(SECOND);
    assert_eq!(show.take(3).len() as u32, show.sent);
    let dropped: u64 = show.world.engine(0).stats().drops.iter().sum();
    assert!(dropped > 0, "what was not sent is counted");
    assert!(show.world.events(2).iter().all(|e| !matches!(e, Event::TrackEnded { .. })));
}

/// The publisher's own path stands still for a while: what it could not send is given up, and it is told to begin anew.
#[test]
fn a_publisher_that_was_cut_off_begins_a_group_anew() {
    let mut show = Show::new(Profile::D22, TrackKind::Video, 1);
    show.run(2, 25, 1000);
    show.world.nodes[1].path.loss = 1000;
    show.run(40, 25, 20_000);
    show.world.nodes[1].path.loss = 0;
    show.run(4, 25, 1000);
    show.world.run(5 * SECOND);
    let frames = show.take(2);
    assert!(decodable(&frames), "{:?}", frames.iter().map(|f| (f.group, f.object)).collect::<Vec<_>>());
    assert_eq!(frames.last().map(number), Some(show.sent - 1));
    let held = show.world.engine(1).track_stats(10).unwrap();
    assert_eq!(held.queued_frames, 0);
}

/// After the end of a group audio goes on in the next one by itself, and video waits for a keyframe.
#[test]
fn a_group_ends_when_its_publisher_says_so() {
    for (kind, groups, count) in [(TrackKind::Audio, 3, 15), (TrackKind::Video, 2, 10)] {
        let mut show = Show::new(Profile::D22, kind, 1);
        show.run(1, 4, 100);
        show.end();
        for _ in 0..5 {
            show.send(false, 100);
        }
        if kind == TrackKind::Audio {
            show.end();
        }
        show.world.run(TICK);
        let next = show.sent;
        show.run(1, 5, 100);
        show.world.run(TICK);
        let frames = show.take(2);
        let mut seen: Vec<u64> = frames.iter().map(|frame| frame.group).collect();
        seen.dedup();
        assert_eq!(
            (seen.len(), frames.iter().filter(|f| number(f) < next).count()),
            (groups, count - 5 + usize::from(kind == TrackKind::Audio)),
            "{kind:?}"
        );
        assert!(frames.iter().all(|frame| frame.flags & flag::GAP == 0));
    }
}

#[test]
fn a_reader_asks_for_a_new_group() {
    for profile in [Profile::D18, Profile::D20, Profile::D22] {
        let mut show = Show::new(profile, TrackKind::Video, 1);
        show.run(1, 5, 100);
        show.world.run(SECOND);
        let track = show.take(2)[0].track;
        let asked = |show: &mut Show| {
            show.world.run(SECOND);
            show.world.events(1).iter().filter(|e| matches!(e, Event::NewGroupWanted { publication: 10 })).count()
        };
        assert_eq!(asked(&mut show), 0, "{profile:?}");
        show.world.command(2, Command::WantGroup(20, track));
        show.world.command(2, Command::WantGroup(20, track));
        assert_eq!(asked(&mut show), 1, "{profile:?}");
        show.run(1, 5, 100);
        show.world.command(2, Command::WantGroup(20, track));
        show.world.command(2, Command::WantGroup(21, track));
        show.world.command(2, Command::WantGroup(20, track + 1));
        assert_eq!(asked(&mut show), 1, "{profile:?}");
    }
}
