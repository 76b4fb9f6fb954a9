//! A relay between one publisher and many subscribers, whose work alone is counted.

use cc_engine::{Command, Outgoing, Place, TrackKind};

use bytes::Bytes;

use crate::common::{client, track, Identity, World};
use crate::memory;
use crate::sessions::{dial, dial_to, open, relay, AT_ONCE};

pub const RELAY: usize = 0;
const PUBLISHER: usize = 1;
const READERS: usize = 2;
/// The relay's second shard; nobody, where it has one.
const SECOND: usize = 3;
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
    /// Of the relay: one or two, each with half of the subscribers.
    pub shards: usize,
    /// Each subscriber publishes a track, too.
    pub play: bool,
}

/// What the relay did for it, per delivered object.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub objects: u64,
    pub allocations: f64,
    pub packets: f64,
    pub transmits: f64,
    pub packets_in: f64,
    /// Times that a shard woke another, a tick.
    pub woken: f64,
}

/// Whether the node is a shard of the relay.
fn is_relay(node: usize) -> bool {
    node == RELAY || node == SECOND
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
        world.around = |node, work| if is_relay(node) { memory::inside(work) } else { work() };
        let sessions = load.subscribers + load.idle;
        let part = |number| memory::inside(|| relay(&identity, sessions, (number, load.shards)));
        world.add(part(0));
        world.add(client(2));
        world.add(client(3));
        if load.shards > 1 {
            world.add(part(1));
            world.shards = vec![RELAY, SECOND];
        } else {
            world.add(client(4));
        }
        dial(&mut world, PUBLISHER, 1, &identity);
        for number in 0..load.subscribers {
            let shard = if number % load.shards == 0 { RELAY } else { SECOND };
            dial_to(&mut world, shard, READERS, 100 + number as u64, &identity);
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
        for number in (0..load.subscribers as u64).filter(|_| load.play) {
            let config = track("bench/cost", &format!("p{number}"), load.kind, "");
            world.publish(READERS, 100_000 + number, Place::Link(100 + number), config);
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
        let own = (0..self.load.tracks as u64).map(|number| (PUBLISHER, 10 + number));
        let players = if self.load.play { self.load.subscribers as u64 } else { 0 };
        let theirs = (0..players).map(|number| (READERS, 100_000 + number));
        for (node, publication) in own.chain(theirs) {
            let outgoing = Outgoing {
                publication,
                payload: payload.clone(),
                properties: Bytes::new(),
                priority: None,
                ttl: None,
                new_group: self.load.group > 0 && self.ticks.is_multiple_of(self.load.group),
                end_group: false,
            };
            self.world.engine(node).command(now, Command::Send(outgoing));
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
        self.world.around = |node, work| if is_relay(node) { watched(work) } else { work() };
        let allocations = memory::allocations();
        let [packets, transmits, packets_in, woken] = self.counts();
        for _ in 0..self.load.hz {
            self.tick();
        }
        let objects = self.world.frames(READERS).len() as u64;
        let each = |after: u64, before: u64| (after - before) as f64 / objects as f64;
        let allocations = each(memory::allocations(), allocations);
        let after = self.counts();
        Cost {
            objects,
            allocations,
            packets: each(after[0], packets),
            transmits: each(after[1], transmits),
            packets_in: each(after[2], packets_in),
            woken: (after[3] - woken) as f64 / self.load.hz as f64,
        }
    }

    /// Packets and transmits out, packets in, and wakes, of all shards.
    fn counts(&mut self) -> [u64; 4] {
        let shards = if self.load.shards > 1 { &[RELAY, SECOND][..] } else { &[RELAY] };
        let each = shards.iter().map(|&at| {
            let packets_in = self.world.engine(at).stats().packets_in;
            let node = &self.world.nodes[at];
            [node.packets_out, node.transmits, packets_in, node.woken]
        });
        each.fold([0; 4], |sum, one| std::array::from_fn(|at| sum[at] + one[at]))
    }
}
