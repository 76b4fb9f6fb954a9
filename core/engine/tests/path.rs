//! A path that takes only smaller packets than it did: what waited for it does not count for ever.

mod common;

use cc_session::{Request, RequestKey};
use cc_wire::{DatagramHeader, Namespace, Params, Profile, Properties, TrackName};
use common::{relay, Identity, World};

const MS: u64 = 1000;
const ALIAS: u64 = 77;
const RELAY: usize = 0;
const PUBLISHER: usize = 1;
const READER: usize = 2;
/// Fits a path of 1,452 bytes, and none of less than 1,350.
const LARGE: usize = 1300;

struct Room {
    world: World,
    subscription: RequestKey,
    group: u64,
}

impl Room {
    fn new() -> Room {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, true));
        world.add_peer(RELAY, &identity, Profile::D22);
        world.add_peer(RELAY, &identity, Profile::D22);
        let track = TrackName::new(Namespace::parse("g/r").unwrap(), &b"t"[..]).unwrap();
        let (params, properties) = (Params::default(), Properties::default());
        let publish = Request::Publish { track: track.clone(), alias: ALIAS, params, properties };
        world.peer(PUBLISHER).ask(publish, 0);
        world.run(200 * MS);
        let now = world.now;
        let subscription = world.peer(READER).ask(Request::Subscribe { track, params: Params::default() }, now);
        // Time enough to find how large its packets may be.
        world.run(3000 * MS);
        Room { world, subscription, group: 0 }
    }

    /// So many objects of this size, so often.
    fn send(&mut self, count: usize, size: usize, every: u64) {
        for _ in 0..count {
            self.group += 1;
            let header = DatagramHeader {
                alias: ALIAS,
                group: self.group,
                object: 0,
                priority: Some(100),
                end_of_group: true,
                status: None,
                properties: Default::default(),
            };
            self.world.peer(PUBLISHER).datagram(&header, &vec![7; size]);
            self.world.run(every);
        }
    }

    fn arrived(&mut self) -> usize {
        self.world.peer(READER).objects(self.subscription).len()
    }
}

#[test]
fn a_path_that_shrinks_under_load_goes_on_with_what_fits() {
    let mut room = Room::new();
    room.send(20, LARGE, 10 * MS);
    assert_eq!(room.arrived(), 20, "the path takes them");
    // Six times what the path carries: the window is full, and what was handed over waits.
    room.world.nodes[RELAY].path.rate = 200_000;
    room.send(500, LARGE, MS);
    room.world.nodes[RELAY].path.mtu = 1250;
    room.send(500, LARGE, MS);
    room.send(200, 100, 10 * MS);
    let before = room.arrived();
    room.send(100, 100, 10 * MS);
    let after = room.arrived();
    assert!(after - before >= 99, "{} of 100", after - before);
}
