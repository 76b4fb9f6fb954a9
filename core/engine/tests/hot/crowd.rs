//! A relay between one publisher and many subscribers, whose work alone is counted.

use cc_engine::{Command, Engine, Outgoing, Place, TrackKind};

use bytes::Bytes;

use crate::common::{client, track, Identity, World};
use crate::memory;
use crate::sessions::{dial, open, relay, AT_ONCE};

pub const RELAY: usize = 0;
const PUBLISHER: usize = 1;
const READERS: usize = 2;
const SIZE: usize = 200;

/// What one case sends.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub kind: TrackKind,
    /// Sessions that do nothing.
    pub idle: usize,
    pub subscribers: usize,
    pub tracks: usize,
    pub hz: u64,
    /// Objects of a group, for kinds whose publisher begins them.
    pub group: u64,
}

/// What the relay did for it, per delivered object.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub objects: u64,
    pub allocations: f64,
    pub packets: f64,
    pub transmits: f64,
    pub packets_in: f64,
}

/// What the relay does of what is measured. Profiles are taken of it by its name.
#[inline(never)]
fn watched(work: &mut dyn FnMut()) {
    memory::inside(work);
}

pub struct Crowd {
    pub world: World,
    load: Load,
    ticks: u64,
}

impl Crowd {
    /// All connected, each subscriber with every track.
    pub fn new(load: Load) -> Crowd {
        let identity = Identity::new();
        let mut world = World::new();
        world.around = |node, work| if node == RELAY { memory::inside(work) } else { work() };
        let engine: Engine = memory::inside(|| relay(&identity, load.subscribers + load.idle));
        world.add(engine);
        world.add(client(2));
        world.add(client(3));
        dial(&mut world, PUBLISHER, 1, &identity);
        for number in 0..load.subscribers {
            dial(&mut world, READERS, 100 + number as u64, &identity);
            if number % AT_ONCE == AT_ONCE - 1 {
                world.run(50_000);
            }
        }
        world.run(500_000);
        if load.idle > 0 {
            open(&mut world, &identity, load.idle, 1_000_000);
        }
        for number in 0..load.tracks as u64 {
            let config = track("bench/cost", &format!("t{number}"), load.kind, "");
            world.publish(PUBLISHER, 10 + number, Place::Link(1), config);
        }
        for number in 0..load.subscribers as u64 {
            world.subscribe(READERS, 1000 + number, Place::Link(100 + number), "bench/cost", "");
        }
        world.run(500_000);
        Crowd { world, load, ticks: 0 }
    }

    /// One tick's burst, and the time until the next.
    pub fn tick(&mut self) {
        let payload = Bytes::from(vec![7; SIZE]);
        let now = self.world.now;
        for number in 0..self.load.tracks as u64 {
            let outgoing = Outgoing {
                publication: 10 + number,
                payload: payload.clone(),
                properties: Bytes::new(),
                priority: None,
                ttl: None,
                new_group: self.load.group > 0 && self.ticks % self.load.group == 0,
                end_group: false,
            };
            self.world.engine(PUBLISHER).command(now, Command::Send(outgoing));
        }
        self.ticks += 1;
        self.world.run(1_000_000 / self.load.hz);
    }

    /// What a second costs, after one that is not counted.
    pub fn measure(&mut self) -> Cost {
        for _ in 0..2 * self.load.hz {
            self.tick();
        }
        self.world.frames(READERS);
        self.world.around = |node, work| if node == RELAY { watched(work) } else { work() };
        let allocations = memory::allocations();
        let node = &self.world.nodes[RELAY];
        let (packets, transmits) = (node.packets_out, node.transmits);
        let packets_in = self.world.engine(RELAY).stats().packets_in;
        for _ in 0..self.load.hz {
            self.tick();
        }
        let objects = self.world.frames(READERS).len() as u64;
        let each = |after: u64, before: u64| (after - before) as f64 / objects as f64;
        let allocations = each(memory::allocations(), allocations);
        let packets_in = each(self.world.engine(RELAY).stats().packets_in, packets_in);
        let node = &self.world.nodes[RELAY];
        Cost {
            objects,
            allocations,
            packets: each(node.packets_out, packets),
            transmits: each(node.transmits, transmits),
            packets_in,
        }
    }
}
