//! Text whole: a reader that was away, or too slow, asks for what it missed, and gets it once and in order.

mod common;

use cc_engine::{flag, Engine, Event, Place, Time, TrackKind};
use cc_wire::Profile;
use common::{client, config, track, Identity, World};

const SECOND: Time = 1_000_000;

struct Room {
    world: World,
    said: u32,
    size: usize,
}

impl Room {
    /// A publisher of Text (node 1) and two readers (2 and 3).
    fn new(profile: Profile, size: usize, past: usize) -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        let mut hub = config(1);
        hub.limits.past_track_bytes = past;
        hub.limits.track_bytes = 200 << 10;
        hub.limits.subgroup_bytes = 200 << 10;
        hub.relay = Some(cc_engine::RelayConfig {
            certificate_pem: identity.chain.clone().into_bytes(),
            key_pem: identity.key.clone().into_bytes(),
            open: Some(cc_wire::Namespace::default()),
            max_sessions: 10,
            auth_timeout: SECOND,
        });
        world.add(Engine::new(hub, 0).unwrap());
        for node in 1..=3 {
            world.add(client(node));
            world.open_link(usize::from(node), u64::from(node), 0, &identity, Some(profile));
        }
        world.publish(1, 11, Place::Link(1), track("g/r", "chat", TrackKind::Text, "text.v1"));
        for node in [2, 3] {
            world.subscribe(node as usize, 20, Place::Link(node), "g", "");
        }
        world.run(SECOND);
        Room { world, said: 0, size }
    }

    fn say(&mut self, count: u32) {
        for _ in 0..count {
            let mut message = self.said.to_le_bytes().to_vec();
            message.resize(self.size, 0);
            self.world.send(1, 11, message);
            self.said += 1;
            self.world.run(SECOND / 100);
        }
    }

    /// What a reader has heard: how many, the first that is wrong, and how many gaps were told.
    fn heard(&mut self, node: usize) -> (usize, Option<u32>, usize) {
        let frames = self.world.frames(node);
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let wrong = frames.iter().map(|f| number(&f.payload)).zip(0..).find(|(got, want)| got != want);
        (frames.len(), wrong.map(|(_, want)| want), frames.iter().filter(|f| f.flags & flag::GAP != 0).count())
    }
}

/// One reader's path is dead for a while, the other's is not; what the relay kept is enough.
#[test]
fn a_reader_that_was_away_catches_up_from_the_relay() {
    for profile in [Profile::D18, Profile::D20, Profile::D22] {
        let mut room = Room::new(profile, 50, 256 << 10);
        room.say(100);
        room.world.nodes[2].path.loss = 1000;
        room.say(1500);
        room.world.nodes[2].path.loss = 0;
        room.say(500);
        room.world.run(10 * SECOND);
        assert_eq!(room.heard(2), (2100, None, 0), "{profile:?} {:?}", room.world.events(2));
        assert_eq!(room.heard(3), (2100, None, 0), "{profile:?}");
        assert!(room.world.events(2).iter().all(|e| !matches!(e, Event::Warning { .. })));
    }
}

/// The relay has evicted it, and asks the publisher.
#[test]
fn what_the_relay_no_longer_has_comes_from_the_publisher() {
    for profile in [Profile::D18, Profile::D22] {
        let mut room = Room::new(profile, 500, 20 << 10);
        room.say(100);
        room.world.nodes[2].path.loss = 1000;
        room.say(1500);
        room.world.nodes[2].path.loss = 0;
        room.say(500);
        room.world.run(10 * SECOND);
        assert_eq!(room.heard(2), (2100, None, 0), "{profile:?} {:?}", room.world.events(2));
        assert_eq!(room.heard(3), (2100, None, 0), "{profile:?}");
    }
}

/// Beyond the publisher's window the gap is told, and the rest goes on.
#[test]
fn what_nobody_has_any_more_is_a_gap_that_is_told() {
    let mut room = Room::new(Profile::D22, 60_000, 1 << 20);
    room.say(10);
    room.world.nodes[2].path.loss = 1000;
    room.say(1000);
    room.world.nodes[2].path.loss = 0;
    // Longer than a silent link takes to be heard again.
    room.say(300);
    room.world.run(20 * SECOND);
    let frames = room.world.frames(2);
    let numbers: Vec<u32> = frames.iter().map(|f| u32::from_le_bytes(f.payload[..4].try_into().unwrap())).collect();
    let count = numbers.len();
    assert!(count > 260 && count < 1310, "{count}");
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "once and in order");
    // Each place where something is missing is told; where it can't be known, it is told too.
    let told: Vec<bool> = frames.iter().skip(1).map(|f| f.flags & flag::GAP != 0).collect();
    let missing: Vec<bool> = numbers.windows(2).map(|pair| pair[1] != pair[0] + 1).collect();
    assert!(missing.iter().zip(&told).all(|(missing, told)| *told || !missing));
    assert!(told.iter().filter(|told| **told).count() < 20);
    assert!(numbers[..10].iter().copied().eq(0..10) && numbers.last() == Some(&1309));
    assert_eq!(room.heard(3), (1310, None, 0));
}

/// A slow reader is told TOO_FAR_BEHIND, asks again and catches up; the other is untouched.
#[test]
fn a_slow_reader_catches_up_and_holds_nobody_back() {
    let mut room = Room::new(Profile::D22, 1000, 256 << 10);
    room.say(50);
    // 10 kB/s towards reader 2, while 100 kB/s are said: its queue at the relay runs over.
    room.world.nodes[2].path.rate_in = 10_000;
    room.say(1500);
    room.world.nodes[2].path.rate_in = 0;
    room.say(50);
    room.world.run(30 * SECOND);
    assert_eq!(room.heard(3), (1600, None, 0));
    assert_eq!(room.heard(2), (1600, None, 0));
    assert!(room.world.events(2).iter().all(|e| !matches!(e, Event::TrackEnded { .. })));
}

/// The relay's own reader hears a publisher that came back once, though it sends again what may not have arrived.
#[test]
fn a_relays_own_reader_hears_nothing_twice() {
    let mut room = Room::new(Profile::D22, 50, 256 << 10);
    room.world.subscribe(0, 30, Place::Node, "g", "");
    room.say(100);
    room.world.nodes[1].path.loss = 1000;
    room.say(600);
    room.world.nodes[1].path.loss = 0;
    room.say(100);
    room.world.run(10 * SECOND);
    let (count, wrong, gaps) = room.heard(0);
    assert_eq!((count, wrong, gaps), (800, None, 0), "{:?}", room.world.events(0));
    assert_eq!(room.heard(2), (800, None, 0));
}
