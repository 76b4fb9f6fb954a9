//! A frame that goes out while its publication's owner is silent.

mod common;

use cc_engine::{Command, Place, Repeat, Time, TrackKind};
use common::{client, relay, track, Identity, World};

const SECOND: Time = 1_000_000;
const HUB: usize = 0;
const OWNER: usize = 1;
const MOVES: u64 = 10;

/// A relay that reads, and a client that publishes.
fn world(kind: TrackKind) -> World {
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, true));
    world.add(client(2));
    world.open_link(OWNER, 1, HUB, &identity, None);
    world.subscribe(HUB, 20, Place::Node, "games", "");
    world.run(2 * SECOND);
    world.publish(OWNER, MOVES, Place::Link(1), track("games/r/up", "p", kind, ""));
    world.run(SECOND);
    world.frames(HUB);
    world
}

fn beat(limit: Option<Time>) -> Repeat {
    Repeat { payload: b"beat".as_slice().into(), priority: Some(3), silence: SECOND, every: SECOND / 2, limit }
}

fn arm(world: &mut World, what: Option<Repeat>) {
    world.command(OWNER, Command::Repeat(MOVES, what));
}

/// When each frame came, since `from`, in tenths of a second, and whether it was a repeated one.
fn came(world: &mut World, from: Time) -> Vec<(Time, bool)> {
    let frames = std::mem::take(&mut world.nodes[HUB].frames);
    frames
        .into_iter()
        .map(|(at, frame)| {
            let repeated = frame.payload.as_ref() == b"beat";
            assert_eq!(frame.priority == 3, repeated);
            ((at - from) / (SECOND / 10), repeated)
        })
        .collect()
}

#[test]
fn it_begins_after_the_silence_and_ends_with_it() {
    for kind in [TrackKind::FrameDatagram, TrackKind::FrameStream] {
        let mut world = world(kind);
        let start = world.now;
        arm(&mut world, Some(beat(None)));
        world.run(2 * SECOND + SECOND / 4);
        assert_eq!(came(&mut world, start), [(10, true), (15, true), (20, true)]);
        // The owner is back: nothing is repeated while it goes on.
        let start = world.now;
        for _ in 0..20 {
            world.send(OWNER, MOVES, "own");
            world.run(SECOND * 9 / 10);
        }
        assert!(came(&mut world, start).iter().all(|(_, repeated)| !repeated));
        let start = world.now - SECOND * 9 / 10;
        world.run(SECOND);
        assert_eq!(came(&mut world, start), [(10, true), (15, true)]);
    }
}

#[test]
fn it_ends_at_its_limit_and_begins_again_when_the_owner_has_sent() {
    let mut world = world(TrackKind::FrameDatagram);
    let start = world.now;
    arm(&mut world, Some(beat(Some(2 * SECOND))));
    world.run(60 * SECOND);
    assert_eq!(came(&mut world, start), [(10, true), (15, true)]);
    let start = world.now;
    world.send(OWNER, MOVES, "own");
    world.run(60 * SECOND);
    assert_eq!(came(&mut world, start), [(0, false), (10, true), (15, true)]);
}

#[test]
fn another_takes_its_place_and_none_ends_it() {
    let mut world = world(TrackKind::FrameDatagram);
    arm(&mut world, Some(beat(None)));
    world.run(SECOND / 2);
    let start = world.now;
    let other = Repeat { payload: b"other".as_slice().into(), priority: None, ..beat(None) };
    arm(&mut world, Some(other));
    world.run(SECOND * 8 / 5);
    let frames = world.frames(HUB);
    assert_eq!(frames.iter().map(|frame| frame.payload.as_ref()).collect::<Vec<_>>(), [b"other", b"other"]);
    assert!(world.now > start);
    arm(&mut world, None);
    world.run(10 * SECOND);
    assert!(world.frames(HUB).is_empty());
    // Nobody's publication, and one that has ended.
    world.command(OWNER, Command::Repeat(99, Some(beat(None))));
    arm(&mut world, Some(beat(None)));
    world.command(OWNER, Command::Unpublish(MOVES));
    arm(&mut world, Some(beat(None)));
    world.run(10 * SECOND);
    assert!(world.frames(HUB).is_empty());
}

#[test]
fn it_outlives_a_lost_link() {
    let mut world = world(TrackKind::FrameDatagram);
    arm(&mut world, Some(beat(None)));
    world.nodes[OWNER].path.loss = 1000;
    world.run(90 * SECOND);
    world.frames(HUB);
    world.nodes[OWNER].path.loss = 0;
    world.run(90 * SECOND);
    assert!(came(&mut world, 0).len() > 20);
}

#[test]
fn a_silent_owner_is_looked_at_no_more_often_than_it_takes() {
    let mut world = world(TrackKind::FrameDatagram);
    arm(&mut world, Some(Repeat { limit: Some(SECOND), ..beat(None) }));
    world.run(10 * SECOND);
    assert!(world.frames(HUB).is_empty(), "a limit within the silence leaves nothing to repeat");
    let stats = world.engine(OWNER).track_stats(MOVES).unwrap();
    assert_eq!(stats.frames, 0);
}
