//! Frames and messages of each kind from one client through the relay to another, at each draft.

mod common;

use cc_engine::{flag, Event, Place, TrackKind};
use cc_wire::Profile;
use common::{client, relay, track, Identity, World};

fn world(profile: Option<Profile>) -> World {
    let identity = Identity::new();
    let mut world = World::new();
    let hub = world.add(relay(1, &identity, true));
    let sender = world.add(client(2));
    let reader = world.add(client(3));
    world.open_link(sender, 1, hub, &identity, profile);
    world.open_link(reader, 2, hub, &identity, profile);
    world.run(200_000);
    world
}

#[test]
fn a_link_comes_up_at_each_draft() {
    for profile in [Profile::D18, Profile::D20, Profile::D21, Profile::D22] {
        let mut world = world(Some(profile));
        let events = world.events(1);
        assert!(
            events.iter().any(|e| matches!(e, Event::LinkUp { link: 1, draft, .. } if *draft == profile.number())),
            "{profile:?}: {events:?}"
        );
        assert_eq!(world.engine(0).stats().sessions, 2);
    }
}

#[test]
fn every_kind_arrives_whole_and_unchanged() {
    for profile in [Profile::D18, Profile::D20, Profile::D21, Profile::D22] {
        let mut world = world(Some(profile));
        let kinds =
            [(10, TrackKind::FrameDatagram, "d"), (11, TrackKind::FrameStream, "s"), (12, TrackKind::Text, "t")];
        for (id, kind, name) in kinds {
            world.publish(1, id, Place::Link(1), track("games/room1/up", name, kind, "netcode.v1"));
        }
        world.subscribe(2, 20, Place::Link(2), "games/room1", "netcode.v1");
        world.run(100_000);
        let small: Vec<u8> = (0..200).map(|i| i as u8).collect();
        let large: Vec<u8> = (0..5000).map(|i| (i * 7) as u8).collect();
        world.send_with(1, 10, small.clone(), Some(3));
        world.send(1, 10, large.clone());
        world.send_with(1, 11, large.clone(), Some(200));
        world.send(1, 12, small.clone());
        world.send(1, 12, Vec::new());
        world.run(100_000);
        let frames = world.frames(2);
        let all: Vec<_> =
            frames.iter().map(|f| (f.payload.len(), f.priority, f.flags & !flag::GAP, f.fragments)).collect();
        assert_eq!(frames.len(), 5, "{profile:?}: {all:?} {:?}", world.events(2));
        assert!(all.contains(&(200, 3, 0, 1)), "{profile:?}: {all:?}");
        assert!(all.contains(&(5000, 128, flag::FRAGMENTED, 5)), "{profile:?}: {all:?}");
        assert!(all.contains(&(5000, 200, flag::STREAM, 1)), "{profile:?}: {all:?}");
        assert!(all.contains(&(0, 128, flag::STREAM | flag::TEXT, 1)), "{profile:?}: {all:?}");
        for frame in &frames {
            let expected: &[u8] = match frame.payload.len() {
                200 => &small,
                5000 => &large,
                _ => &[],
            };
            assert_eq!(&frame.payload[..], expected);
        }
    }
}
