//! What engines hold in the long run: all kinds of track, and everything that comes and goes, in virtual time. All that is
//! allocated is counted, the network's and the test's own few things among it.

mod common;
#[path = "common/memory.rs"]
mod memory;

use bytes::Bytes;
use cc_engine::{Command, LinkConfig, Outgoing, Place, Reason, Time, TrackConfig, TrackKind};
use common::{config, link, relay_config, track, Identity, World};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

const SECOND: Time = 1_000_000;
/// Ten a second.
const TICK: Time = SECOND / 10;
/// Two relays, and clients by turns of the one and of the other.
const RELAYS: usize = 2;
const PLAYERS: usize = 3;
/// One that comes and goes.
const GUEST: usize = RELAYS + PLAYERS;
const UPLINK: u64 = 900;
const FRAMES: u64 = 1;
const STATE: u64 = 2;
const TEXT: u64 = 3;
const VOICE: u64 = 4;
const PICTURE: u64 = 5;
const PASSING: u64 = 6;
const READER: u64 = 1;

struct Long {
    world: World,
    identity: Identity,
    ticks: u64,
    visits: u64,
    heard: u64,
}

fn kept_short(mut config: cc_engine::Config) -> cc_engine::Engine {
    // So that what is kept for late joiners is full within the first minute.
    config.limits.past_own_bytes = 8 << 10;
    config.limits.past_track_bytes = 8 << 10;
    cc_engine::Engine::new(config, 0).unwrap()
}

fn tracks(player: usize) -> [(u64, TrackConfig); 5] {
    let up = format!("g/up/c{player}");
    let media = |name, kind| TrackConfig { subgroup_timeout_ms: 2000, ..track(&up, name, kind, "") };
    [
        (FRAMES, TrackConfig { datagram: true, ..track(&up, "moves", TrackKind::FrameDatagram, "") }),
        (STATE, TrackConfig { latest_wins: true, ..track(&up, "state", TrackKind::FrameStream, "") }),
        (TEXT, track(&up, "chat", TrackKind::Text, "")),
        (VOICE, media("voice", TrackKind::Audio)),
        (PICTURE, media("picture", TrackKind::Video)),
    ]
}

impl Long {
    fn new() -> Long {
        let identity = Identity::new();
        let mut world = World::new();
        for at in 0..RELAYS {
            world.add(kept_short(relay_config(1 + at as u8, &identity, true)));
        }
        let up = link(world.nodes[0].address, &identity, UPLINK, None);
        let up = LinkConfig { uplink: true, resume_secret: Bytes::from_static(&[9; 16]), ..up };
        world.command(1, Command::OpenLink(UPLINK, Box::new(up)));
        world.run(SECOND);
        let mut long = Long { world, identity, ticks: 0, visits: 0, heard: 0 };
        for node in RELAYS..=GUEST {
            long.world.add(kept_short(config(10 + node as u8)));
        }
        for player in RELAYS..GUEST {
            long.dial(player);
            let place = Place::Link(1);
            for (id, config) in tracks(player) {
                long.world.publish(player, id, place, config);
            }
            long.world.subscribe(player, READER, place, "g", "");
        }
        long.world.run(SECOND);
        long
    }

    fn dial(&mut self, node: usize) {
        let mut config = link(self.world.nodes[node % RELAYS].address, &self.identity, 1, None);
        config.resume_secret = Bytes::from(vec![node as u8; 16]);
        self.world.command(node, Command::OpenLink(1, Box::new(config)));
        self.world.run(SECOND / 5);
    }

    fn object(&mut self, node: usize, publication: u64, size: usize, new_group: bool) {
        let outgoing = Outgoing {
            publication,
            payload: Bytes::from(vec![7; size]),
            properties: Bytes::new(),
            priority: None,
            ttl: None,
            new_group,
            end_group: false,
        };
        self.world.command(node, Command::Send(outgoing));
    }

    /// A tenth of a second: frames and media at each, a message a second.
    fn tick(&mut self) {
        for player in RELAYS..GUEST {
            self.object(player, FRAMES, 100, false);
            self.object(player, STATE, 300, false);
            self.object(player, VOICE, 80, self.ticks.is_multiple_of(10));
            self.object(player, PICTURE, 600, self.ticks.is_multiple_of(20));
            if self.ticks.is_multiple_of(10) {
                self.object(player, TEXT, 64, false);
            }
        }
        self.ticks += 1;
        self.world.run(TICK);
        for node in 0..self.world.nodes.len() {
            self.heard += self.world.frames(node).len() as u64;
            self.world.events(node).clear();
        }
    }

    /// Ten seconds, in which somebody comes, publishes, reads and goes; a player's reader comes anew; one of its tracks
    /// ends, and another begins; and a player's connection is cut.
    fn round(&mut self) {
        self.visits += 1;
        let (visit, player) = (self.visits, RELAYS + self.visits as usize % PLAYERS);
        self.dial(GUEST);
        let place = Place::Link(1);
        self.world.publish(GUEST, TEXT, place, track("g/guests", &format!("v{visit}"), TrackKind::Text, ""));
        self.world.subscribe(GUEST, READER, place, "g", "");
        let name = format!("p{visit}");
        self.world.publish(player, PASSING, place, track("g/passing", &name, TrackKind::FrameStream, "tag"));
        self.world.subscribe_exact(player, 1000 + visit, place, "g/nowhere", &name);
        for tick in 0..100 {
            if tick % 10 == 5 {
                self.object(GUEST, TEXT, 40, false);
                self.object(player, PASSING, 200, false);
            }
            if tick == 30 {
                self.world.nodes[player].path.loss = 1000;
                self.world.nodes[player % RELAYS].path.loss = 100;
            }
            if tick == 35 {
                self.world.nodes[player].path.loss = 0;
                self.world.nodes[player % RELAYS].path.loss = 0;
            }
            if tick == 60 {
                self.world.command(player, Command::Unpublish(PASSING));
                self.world.command(player, Command::Unsubscribe(READER));
                self.world.command(player, Command::Unsubscribe(1000 + visit));
                self.world.subscribe(player, READER, place, "g", "");
            }
            if tick == 80 {
                self.world.command(GUEST, Command::Unpublish(TEXT));
                self.world.command(GUEST, Command::Unsubscribe(READER));
                self.world.command(GUEST, Command::CloseLink(1, Reason::Local, String::new()));
            }
            self.tick();
        }
    }

    /// Rounds up to this time, and what is held then: the least of the last three ends of rounds, as what is under way
    /// comes and goes.
    fn held_at(&mut self, minutes: u64) -> isize {
        let mut ends = Vec::new();
        while self.world.now < minutes * 60 * SECOND {
            self.round();
            ends.push(memory::held().0);
        }
        let last = &ends[ends.len().saturating_sub(3)..];
        last.iter().copied().min().unwrap_or_default()
    }
}

/// What is held after `late` minutes is at most a `part` more than after `early`.
fn flat(early: u64, late: u64, part: isize) {
    memory::inside(|| {
        let mut long = Long::new();
        let before = long.held_at(early);
        let heard = long.heard;
        let after = long.held_at(late);
        assert!(long.heard > 2 * heard, "objects go on arriving: {heard}, then {}", long.heard);
        println!("{before} bytes after {early} minutes, {after} after {late}; {} objects", long.heard);
        let most = before + before / part;
        assert!(after <= most, "{before} bytes after {early} minutes and {after} after {late}: what grows?");
    });
}

/// Places of readers in tracks that have ended are kept for a while, and gather in it.
#[test]
fn what_is_held_does_not_grow_with_time() {
    flat(2, 8, 12);
}

/// After the time for which a reader's place in a track that has ended is kept.
#[test]
#[ignore = "takes a quarter of a minute of CPU; the same for an hour and a half"]
fn what_is_held_does_not_grow_in_an_hour() {
    flat(12, 90, 20);
}
