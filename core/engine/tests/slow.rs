//! Text for readers that are slow: an application that takes nothing, and a network that hardly does.

mod common;

use cc_engine::{
    flag, Command, Engine, Event, Limit, Limits, Place, RelayConfig, TextRoom, Time, TrackKind, MESSAGE_BYTES,
};
use cc_wire::{Namespace, Profile};
use common::{client, config, track, Identity, Path, World};

const MS: Time = 1000;
const RELAY: usize = 0;
const WRITER: usize = 1;
const QUICK: usize = 2;
const SLOW: usize = 3;
const TEXT_BYTES: usize = 500;

struct Show {
    world: World,
    sent: u64,
}

impl Show {
    fn new(profile: Profile) -> Show {
        Show::over(profile, Limits::default())
    }

    /// Over a relay with these limits.
    fn over(profile: Profile, limits: Limits) -> Show {
        let identity = Identity::new();
        let mut world = World::new();
        let mut relay = config(1);
        relay.limits = limits;
        relay.relay = Some(RelayConfig {
            certificate_pem: identity.chain.clone().into_bytes(),
            key_pem: identity.key.clone().into_bytes(),
            open: Some(Namespace::default()),
            max_sessions: 10,
            auth_timeout: 5_000_000,
        });
        world.add(Engine::new(relay, 0).unwrap());
        world.add(client(2));
        world.add(client(3));
        // Little is held for the slow one, so that it has to ask again.
        let mut little = config(4);
        little.limits = Limits { reorder_bytes: 16 << 10, ..Limits::default() };
        world.add(Engine::new(little, 0).unwrap());
        for node in WRITER..=SLOW {
            world.open_link(node, node as u64, RELAY, &identity, Some(profile));
        }
        world.run(100 * MS);
        world.publish(WRITER, 1, Place::Link(WRITER as u64), track("g", "chat", TrackKind::Text, ""));
        for node in [QUICK, SLOW] {
            world.subscribe(node, 1, Place::Link(node as u64), "g", "");
        }
        world.run(100 * MS);
        Show { world, sent: 0 }
    }

    /// So many messages, ten a tick of 10 ms.
    fn say(&mut self, messages: u64) {
        for number in 0..messages {
            let mut text = self.sent.to_le_bytes().to_vec();
            text.extend_from_slice(&self.world.now.to_le_bytes());
            text.resize(TEXT_BYTES, 7);
            self.world.send(WRITER, 1, text);
            self.sent += 1;
            if number % 10 == 9 {
                self.world.run(10 * MS);
            }
        }
        self.world.run(100 * MS);
    }

    fn room(&mut self, messages: usize) {
        let room = TextRoom { bytes: messages * (TEXT_BYTES + MESSAGE_BYTES), idle: messages > 0 };
        self.world.command(SLOW, Command::TextRoom(1, room));
    }

    /// The numbers of the messages that a node was delivered since, none of them after a gap.
    fn read(&mut self, node: usize) -> Vec<u64> {
        let frames = self.world.frames(node);
        assert!(frames.iter().all(|frame| frame.flags & flag::GAP == 0), "nothing is missing");
        frames.iter().map(|frame| u64::from_le_bytes(frame.payload[..8].try_into().unwrap())).collect()
    }

    /// The quick reader has had everything at once.
    fn quick_is_untouched(&mut self) {
        let frames = std::mem::take(&mut self.world.nodes[QUICK].frames);
        assert_eq!(frames.len() as u64, self.sent);
        for (number, (time, frame)) in frames.iter().enumerate() {
            let number_in = u64::from_le_bytes(frame.payload[..8].try_into().unwrap());
            let said = Time::from_le_bytes(frame.payload[8..16].try_into().unwrap());
            assert_eq!(number_in, number as u64);
            assert!(time - said < 10 * MS, "{} us on the way", time - said);
        }
    }
}

#[test]
fn an_application_that_stops_reading_misses_nothing_and_delays_nobody() {
    for profile in [Profile::D18, Profile::D22] {
        let mut show = Show::new(profile);
        show.say(20);
        assert_eq!(show.read(SLOW), (0..20).collect::<Vec<_>>());
        show.room(0);
        // Far more than is held for it, in several groups.
        show.say(1000);
        assert!(show.read(SLOW).is_empty());
        assert_eq!(show.world.engine(SLOW).poll_stalled(), Some(1));
        assert_eq!(show.world.engine(SLOW).poll_stalled(), None, "told once");
        show.quick_is_untouched();
        let held = show.world.engine(SLOW).stats().refused;
        assert!(held.of(Limit::ReorderBytes) > 900, "{held:?}");
        // It reads a part at a time.
        let mut read = Vec::new();
        for _ in 0..300 {
            show.room(10);
            show.world.run(100 * MS);
            read.extend(show.read(SLOW));
            show.room(0);
            if read.len() == 1000 {
                break;
            }
        }
        assert_eq!(read, (20..1020).collect::<Vec<_>>());
        // And goes on as if nothing had been.
        show.room(usize::MAX / 1000);
        show.say(20);
        assert_eq!(show.read(SLOW), (1020..1040).collect::<Vec<_>>());
    }
}

#[test]
fn what_nobody_keeps_any_more_is_told_as_a_gap() {
    let mut show = Show::new(Profile::D22);
    show.say(20);
    show.read(SLOW);
    show.room(0);
    // Beyond what publisher and relay keep: 1,024 messages.
    show.say(4000);
    show.room(usize::MAX / 1000);
    show.world.run(3_000 * MS);
    show.say(10);
    let frames = show.world.frames(SLOW);
    let gaps = frames.iter().filter(|frame| frame.flags & flag::GAP != 0).count();
    assert!((1..=2).contains(&gaps), "{gaps}");
    let numbers: Vec<u64> =
        frames.iter().map(|frame| u64::from_le_bytes(frame.payload[..8].try_into().unwrap())).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once");
    assert_eq!(numbers.last(), Some(&4029));
}

#[test]
fn a_network_that_hardly_carries_it_catches_up_by_fetch_and_delays_nobody() {
    let limits = Limits { track_bytes: 64 << 10, ..Limits::default() };
    let mut show = Show::over(Profile::D22, limits);
    show.say(20);
    assert_eq!(show.read(SLOW).len(), 20);
    show.world.nodes[SLOW].path = Path { rate_in: 20_000, buffer: 30_000, ..Path::default() };
    show.say(900);
    show.quick_is_untouched();
    let behind = show.world.engine(RELAY).stats().refused.of(Limit::TrackBytes);
    assert!(behind > 0, "the relay let it fall behind");
    show.world.nodes[SLOW].path = Path::default();
    show.world.run(20_000 * MS);
    show.say(10);
    show.world.run(1_000 * MS);
    assert_eq!(show.read(SLOW), (20..930).collect::<Vec<_>>());
    let ended = |event: &Event| matches!(event, Event::TrackEnded { .. } | Event::LinkClosed { .. });
    assert!(!show.world.events(SLOW).iter().any(ended));
}

#[test]
fn what_an_ended_publication_has_queued_is_known_to_have_arrived() {
    let mut show = Show::new(Profile::D22);
    show.world.nodes[WRITER].path = Path { rate: 100_000, buffer: 1 << 20, ..Path::default() };
    for number in 0..200_u64 {
        let mut text = number.to_le_bytes().to_vec();
        text.resize(TEXT_BYTES, 7);
        show.world.send(WRITER, 1, text);
    }
    show.world.command(WRITER, Command::Unpublish(1));
    assert!(show.world.engine(WRITER).is_finishing());
    let mut ticks = 0;
    while show.world.engine(WRITER).is_finishing() {
        ticks += 1;
        assert!(ticks < 1000, "it never ends");
        show.world.run(10 * MS);
    }
    assert!(ticks > 50, "100 kB took {ticks} ticks of 10 ms over 100 kB/s");
    show.world.command(WRITER, Command::CloseLink(WRITER as u64, cc_engine::Reason::Local, String::new()));
    show.world.run(100 * MS);
    assert_eq!(show.read(QUICK), (0..200).collect::<Vec<_>>());
}
