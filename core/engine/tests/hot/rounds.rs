//! What readers that come and go leave behind.

use bytes::Bytes;
use cc_engine::{Command, Engine, Place, SubscribeConfig, TrackConfig, TrackKind};
use cc_wire::{Namespace, Profile};

use crate::common::{config, relay_config, track, Identity, World};
use crate::memory;

const TRACKS: u64 = 4;
const ROUNDS: [usize; 2] = [40, 160];
/// Of each track in a round.
const MESSAGES: usize = 15;
const NODES: usize = 3;

/// Bytes that all of them hold after so many rounds of a reader that comes and goes.
fn held(kind: TrackKind, profile: Profile, rounds: [usize; 2], by_name: bool) -> [isize; 2] {
    let identity = Identity::new();
    let mut world = World::new();
    for node in 0..NODES {
        let mut config = if node == 0 { relay_config(1, &identity, true) } else { config(1 + node as u8) };
        // What is kept for late joiners grows up to its bounds, which are not what is looked for here. Nor is the window of
        // a Text track, which has whole groups of 256 messages.
        (config.limits.past_own_bytes, config.limits.past_track_bytes) = (0, 0);
        world.add(Engine::new(config, 0).unwrap());
    }
    for node in 1..NODES {
        world.open_link(node, node as u64, 0, &identity, Some(profile));
    }
    world.run(1_000_000);
    for number in 0..TRACKS {
        let config = TrackConfig {
            window_messages: 8,
            subgroup_timeout_ms: 2000,
            ..track("g/r", &format!("t{number}"), kind, "")
        };
        world.publish(1, 10 + number, Place::Link(1), config);
    }
    world.run(15_000_000);
    let mut round = 0;
    rounds.map(|until| {
        while round < until {
            for number in 0..TRACKS {
                let config = SubscribeConfig {
                    namespace: Namespace::parse("g/r").unwrap(),
                    name: by_name.then(|| Bytes::from(format!("t{number}"))),
                    capability: Bytes::new(),
                    priority: 128,
                    order: None,
                    rendezvous_ms: 0,
                    token: None,
                };
                world.command(2, Command::Subscribe(1000 + number, Place::Link(2), Box::new(config)));
                if !by_name {
                    break;
                }
            }
            world.run(200_000);
            for _ in 0..MESSAGES {
                for number in 0..TRACKS {
                    world.send(1, 10 + number, vec![7; 100]);
                }
                world.run(10_000);
            }
            for number in 0..TRACKS {
                world.command(2, Command::Unsubscribe(1000 + number));
            }
            world.run(200_000);
            for node in 0..NODES {
                world.events(node).clear();
                world.frames(node);
            }
            round += 1;
        }
        world.run(20_000_000);
        memory::held().0
    })
}

#[test]
fn readers_that_come_and_go_leave_nothing_behind() {
    use TrackKind::{Audio, FrameDatagram, FrameStream, Text, Video};
    for profile in [Profile::D18, Profile::D22] {
        for (kind, by_name) in
            [(FrameDatagram, false), (FrameStream, true), (Text, false), (Audio, true), (Video, false)]
        {
            let [early, late] = memory::inside(|| held(kind, profile, ROUNDS, by_name));
            let each = (late - early) as f64 / ((ROUNDS[1] - ROUNDS[0]) as f64 * TRACKS as f64);
            println!("{kind:?} {profile:?}: {early} bytes, then {late}: {each:.1} a round and track");
            assert!(late <= early + early / 16, "{kind:?} {profile:?}: {early} bytes, then {late}");
        }
    }
}
