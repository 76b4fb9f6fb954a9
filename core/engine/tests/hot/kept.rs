//! What a relay holds for the objects that it keeps, beside the bound that it was given.

use cc_engine::{Config, Engine, Place, TrackKind};

use crate::common::{client, relay_config, track, Identity, World};
use crate::memory;

const RELAY: usize = 0;
/// Of each size enough to fill the room thrice.
const ALL: usize = 3 << 18;

/// Bytes that a relay holds after many messages of `size` bytes were passed on, with this much room to keep some.
fn held(size: usize, room: usize) -> isize {
    let identity = Identity::new();
    let mut world = World::new();
    world.around = |node, work| if node == RELAY { memory::inside(work) } else { work() };
    let engine = memory::inside(|| {
        let config = relay_config(1, &identity, true);
        let limits = cc_engine::Limits { past_track_bytes: room, ..config.limits.clone() };
        Engine::new(Config { limits, ..config }, 0).unwrap()
    });
    world.add(engine);
    for node in 1..=2 {
        world.add(client(1 + node as u8));
        world.open_link(node, node as u64, RELAY, &identity, None);
    }
    world.run(1_000_000);
    world.publish(1, 10, Place::Link(1), track("g/r", "t", TrackKind::Text, ""));
    world.subscribe(2, 20, Place::Link(2), "g", "");
    world.run(1_000_000);
    let messages = (ALL / (size + 256)).max(200);
    for _ in 0..messages {
        world.send(1, 10, vec![7; size]);
        // No faster than the path takes it: a reader that falls behind asks for the rest, and that is kept, too.
        world.run((size as u64 / 4).max(1000));
    }
    world.run(15_000_000);
    assert_eq!(world.frames(2).len(), messages);
    memory::held().0
}

/// Half of it at least, so that the bound is no guess.
#[test]
fn objects_that_are_kept_take_no_more_than_they_count() {
    const ROOM: usize = 256 << 10;
    for size in [0, 8, 40, 300, 600, 1500, 5000, 10_000, 33_000] {
        let before = memory::held().0;
        let none = held(size, 0) - before;
        let before = memory::held().0;
        let taken = held(size, ROOM) - before - none;
        println!("objects of {size} bytes, room for {ROOM}: {taken} bytes");
        assert!((ROOM as isize / 2..=ROOM as isize).contains(&taken), "{size} bytes: {taken}");
    }
}
