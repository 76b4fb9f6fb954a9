//! Sixteen players of a small game, and a host that reads them: what a flood must leave as it is.

use cc_engine::{Config, Engine, Event, Limit, Limits, Place, RelayConfig, Scope, Stamp, Time, TrackKind};
use cc_wire::{Namespace, Profile};

use crate::common::{client, config, track, Identity, World};
use crate::memory;
use crate::raw::Raw;

pub const PLAYERS: usize = 16;
pub const MS: Time = 1000;
const HOST: usize = PLAYERS + 1;
/// Of a relay's own reader.
pub const OWN_READER: u64 = 900;

/// The game with its relay, which is node 0.
pub struct Match {
    pub world: World,
    pub identity: Identity,
    pub ticks: u64,
    texts: u64,
    begun: isize,
}

/// A stamp for all below a prefix.
pub fn stamp(prefix: &str) -> Stamp {
    Stamp {
        publish: Scope::parse(prefix).unwrap(),
        subscribe: Scope::parse(prefix).unwrap(),
        capabilities: Vec::new(),
        tenant: String::new(),
        subject: String::new(),
        peer_id: prefix.into(),
        expires: None,
    }
}

/// A relay with these limits.
pub fn relay(seed: u8, identity: &Identity, limits: Limits, open: bool) -> Engine {
    Engine::new(relay_config(seed, identity, limits, open), 0).unwrap()
}

/// Its configuration.
pub fn relay_config(seed: u8, identity: &Identity, limits: Limits, open: bool) -> Config {
    let mut config = config(seed);
    config.limits = limits;
    config.relay = Some(RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: open.then(Namespace::default),
        max_sessions: usize::MAX,
        auth_timeout: 5_000_000,
    });
    config
}

impl Match {
    /// All are in, and have played for a second.
    pub fn new(limits: Limits) -> Match {
        let identity = Identity::new();
        let mut world = World::new();
        world.around = |node, work| if node == 0 { memory::inside(work) } else { work() };
        let engine = memory::inside(|| relay(1, &identity, limits, true));
        world.add(engine);
        for player in 1..=HOST {
            world.add(client(player as u8 + 1));
            world.open_link(player, player as u64, 0, &identity, Some(Profile::PREFERRED[player % 2]));
        }
        world.run(200 * MS);
        for player in 1..=PLAYERS {
            let (link, up) = (Place::Link(player as u64), format!("g/up/c{player}"));
            world.publish(player, 1, link, track(&up, "moves", TrackKind::FrameDatagram, ""));
            world.publish(player, 2, link, track("g/chat", &format!("c{player}"), TrackKind::Text, ""));
            world.subscribe(player, 1, link, "g/chat", "");
        }
        world.subscribe(HOST, 1, Place::Link(HOST as u64), "g/up", "");
        world.run(200 * MS);
        let mut game = Match { world, identity, ticks: 0, texts: 0, begun: 0 };
        (0..20).for_each(|_| game.tick());
        game.check();
        game
    }

    /// A hostile peer dials in from an address of its own, and is admitted.
    pub fn raw(&mut self, number: u8, profile: Profile) -> Raw {
        let to = self.world.nodes[0].address;
        let raw = Raw::dial(&self.identity, profile, &format!("10.66.{number}.1:6666"), to);
        self.world.strangers.push(raw.stranger());
        raw.setup(b"");
        self.world.run(100 * MS);
        assert!(raw.0.borrow().up && raw.closed_with().is_none(), "{:?}", raw.0.borrow().closed);
        self.begun = memory::held().0;
        memory::restart();
        raw
    }

    /// From here on what the relay allocates counts as the flood's.
    pub fn begin(&mut self) {
        self.begun = memory::held().0;
        memory::restart();
    }

    /// The relay's most beyond what it held before, bytes.
    pub fn grown(&self) -> isize {
        memory::held().1 - self.begun
    }

    /// A twentieth of a second of the game.
    pub fn tick(&mut self) {
        for player in 1..=PLAYERS {
            let mut frame = self.world.now.to_le_bytes().to_vec();
            frame.resize(100, player as u8);
            self.world.send(player, 1, frame.clone());
            if self.ticks.is_multiple_of(4) {
                self.world.send(player, 2, frame);
            }
        }
        self.texts += u64::from(self.ticks.is_multiple_of(4));
        self.ticks += 1;
        self.world.run(50 * MS);
    }

    /// Nobody missed anything since the last time, or waited for it.
    pub fn check(&mut self) {
        self.world.run(100 * MS);
        let soon = |time: Time, payload: &[u8]| {
            let sent = Time::from_le_bytes(payload[..8].try_into().unwrap());
            assert!(time - sent < 10 * MS, "{} us on the way", time - sent);
        };
        let frames = std::mem::take(&mut self.world.nodes[HOST].frames);
        assert_eq!(frames.len() as u64, PLAYERS as u64 * self.ticks, "frames of the players");
        frames.iter().for_each(|(time, frame)| soon(*time, &frame.payload));
        for player in 1..=PLAYERS {
            let texts = std::mem::take(&mut self.world.nodes[player].frames);
            assert_eq!(texts.len() as u64, (PLAYERS as u64 - 1) * self.texts, "messages that player {player} read");
            texts.iter().for_each(|(time, text)| soon(*time, &text.payload));
            let ended = |event: &Event| matches!(event, Event::LinkDown { .. } | Event::TrackEnded { .. });
            assert!(!self.world.events(player).iter().any(ended));
        }
        (self.ticks, self.texts) = (0, 0);
    }

    /// How often a bound was met.
    pub fn met(&mut self, limit: Limit) -> u64 {
        self.world.engine(0).stats().refused.of(limit)
    }

    /// Two seconds of the game, with `attack` at each tick; then the relay may have grown by `figure` bytes at most.
    pub fn under(&mut self, figure: isize, mut attack: impl FnMut(u64)) {
        for tick in 0..40 {
            attack(tick);
            self.tick();
        }
        self.check();
        let grown = self.grown();
        assert!(grown <= figure, "the relay grew by {grown} bytes, {figure} are the most");
    }

    /// The relay's own reader of a prefix.
    pub fn own_reader(&mut self, prefix: &str) {
        self.world.subscribe(0, OWN_READER, Place::Node, prefix, "");
    }
}
