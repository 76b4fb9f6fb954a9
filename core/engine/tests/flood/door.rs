//! What strangers flood: handshakes, lies about addresses, sessions that nobody admits.

use std::net::SocketAddr;

use cc_engine::{Command, Event, Limit, Limits};
use cc_wire::{Profile, UniStream};

use crate::common::{client, Identity, World};
use crate::players::{relay, Match, MS};
use crate::raw::{first_packets, Raw};

const KB: isize = 1 << 10;
const SECOND: u64 = 1_000_000;
/// The session code of a reason that the drafts have none for: EXCESSIVE_LOAD.
const NO_ROOM: u64 = 0x380c;
/// QUIC's CONNECTION_REFUSED.
const REFUSED: u64 = 0x2;

fn address(number: usize) -> SocketAddr {
    let [a, b, c, d] = (0x0b00_0000 + number as u32).to_be_bytes();
    SocketAddr::from(([a, b, c, d], 4000))
}

#[test]
fn a_flood_of_lies_is_answered_with_retry() {
    let limits = Limits { handshakes_unproven: 32, answers: 150, ..Limits::default() };
    let mut game = Match::new(limits);
    let lies = first_packets(&game.identity, 2000);
    let mut told = 0;
    game.begin();
    // 32 handshakes of 40 KB, the answers, and the packets under way.
    game.under(32 * 40 * KB + 900 * KB, |_| {});
    for tick in 0..20 {
        for (number, lie) in lies.iter().enumerate().skip(tick * 100).take(100) {
            game.world.inject(0, address(number), lie.clone());
        }
        if tick == 10 {
            // An honest one comes in the midst of it.
            let node = game.world.add(client(99));
            let Match { world, identity, .. } = &mut game;
            world.open_link(node, 99, 0, identity, None);
            told = node;
        }
        game.tick();
    }
    game.check();
    assert!(game.grown() < 32 * 40 * KB + 900 * KB, "{}", game.grown());
    let stats = game.world.engine(0).stats();
    assert!(stats.handshakes <= 32, "{}", stats.handshakes);
    assert!(game.met(Limit::HandshakesUnproven) >= 1900, "{:?}", stats.refused);
    assert!(game.met(Limit::Answers) == 0);
    assert!(game.world.events(told).iter().any(|event| matches!(event, Event::LinkUp { .. })), "who is honest gets in");
    // All at once: most get no answer at all.
    for (number, lie) in lies.iter().enumerate().take(500) {
        game.world.inject(0, address(5000 + number), lie.clone());
    }
    game.world.run(100 * MS);
    assert!(game.met(Limit::Answers) >= 300);
    game.world.run(11 * SECOND);
    assert_eq!(game.world.engine(0).stats().handshakes, 0, "no handshake goes on for ever");
}

#[test]
fn a_full_relay_refuses_and_counts() {
    for limits in [Limits { connections: 20, ..Limits::default() }, Limits { handshakes: 0, ..Limits::default() }] {
        let identity = Identity::new();
        let mut world = World::new();
        let limit = if limits.handshakes == 0 { Limit::Handshakes } else { Limit::Connections };
        let most = if limits.handshakes == 0 { 0 } else { 20 };
        world.add(relay(1, &identity, limits, true));
        for number in 1..=25 {
            let node = world.add(client(number));
            world.open_link(node, u64::from(number), 0, &identity, None);
            world.run(20 * MS);
        }
        let stats = world.engine(0).stats();
        assert_eq!(stats.sessions as usize, most);
        assert!(stats.refused.of(limit) >= 25 - most as u64 && stats.sessions_refused == stats.refused.of(limit));
        // Who is set to reconnect knocks for as long as a first attempt may take.
        world.run(10 * SECOND);
        let told = world.events(25);
        let load = |event: &Event| matches!(event, Event::LinkClosed { code: REFUSED, .. });
        assert!(told.iter().any(load), "{told:?}");
    }
}

#[test]
fn one_address_has_its_share() {
    let limits = Limits { connections_per_address: 5, handshakes_unproven: 0, ..Limits::default() };
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, limits, true));
    let to = world.nodes[0].address;
    let dial = |world: &mut World, address: String| {
        let raw = Raw::dial(&identity, Profile::D22, &address, to);
        world.strangers.push(raw.stranger());
        world.run(50 * MS);
        raw
    };
    let raws: Vec<Raw> = (0..8).map(|n| dial(&mut world, format!("10.66.1.1:{}", 6000 + n))).collect();
    let up = |raw: &Raw| raw.0.borrow().up;
    assert_eq!(raws.iter().map(up).collect::<Vec<_>>(), [true, true, true, true, true, false, false, false]);
    assert_eq!(raws[7].closed_with(), Some(REFUSED));
    assert!(up(&dial(&mut world, "10.66.1.2:6000".into())), "another address is another matter");
    assert_eq!(world.engine(0).stats().refused.of(Limit::ConnectionsPerAddress), 3);
    raws[0].close();
    world.run(2 * SECOND);
    assert!(up(&dial(&mut world, "10.66.1.1:7000".into())), "who leaves makes room");
}

#[test]
fn parked_sessions_are_few_and_hold_little() {
    let limits = Limits { parked: 5, parked_bytes: 32 << 10, streams_initial: 8, ..Limits::default() };
    let identity = Identity::new();
    let mut world = World::new();
    world.around = |node, work| if node == 0 { crate::memory::inside(work) } else { work() };
    let engine = crate::memory::inside(|| relay(1, &identity, limits, false));
    world.add(engine);
    let to = world.nodes[0].address;
    let (before, _) = crate::memory::held();
    crate::memory::restart();
    let mut raws = Vec::new();
    for number in 0..8 {
        let raw = Raw::dial(&identity, Profile::D22, &format!("10.66.{number}.1:6666"), to);
        world.strangers.push(raw.stranger());
        raw.setup(b"whoever");
        for _ in 0..50 {
            raw.data(&UniStream::Padding, &[0; 4000]);
            // The beginning of a long message.
            raw.bi([&b"\x03\xff\xff"[..], &[0; 4000]].concat());
            raw.datagram(vec![0; 1000]);
        }
        world.run(100 * MS);
        raws.push(raw);
    }
    let stats = world.engine(0).stats();
    assert_eq!((stats.auth_waiting, stats.refused.of(Limit::Parked)), (5, 3));
    assert!(raws[5..].iter().all(|raw| raw.closed_with() == Some(NO_ROOM)));
    for raw in &raws[..5] {
        // SETUP's stream and seven more, and eight of the other kind; far from all bytes were taken.
        assert!(raw.opened() <= 16 && raw.held_back() >= 350_000, "{} {}", raw.opened(), raw.held_back());
    }
    let grown = crate::memory::held().1 - before;
    assert!(grown <= 8 * (32 + 60) * KB, "{grown}");
    // Who is admitted may go on.
    let auth = world.events(0).into_iter().find_map(|event| match event {
        Event::Auth { session, .. } => Some(session),
        _ => None,
    });
    let stamp = crate::players::stamp("evil");
    world.command(0, Command::Accept(auth.unwrap(), Box::new(stamp)));
    world.run(SECOND);
    assert!(raws[0].opened() > 50, "{}", raws[0].opened());
    world.run(5 * SECOND);
    let stats = world.engine(0).stats();
    assert_eq!((stats.auth_waiting, stats.sessions_refused), (0, 7), "nobody waits for ever");
}

#[test]
fn a_retry_s_token_outlives_the_relay_that_gave_it() {
    for same_key in [true, false] {
        let identity = Identity::new();
        let mut world = World::new();
        let always = || Limits { handshakes_unproven: 0, ..Limits::default() };
        world.add(relay(1, &identity, always(), true));
        let node = world.add(client(2));
        world.open_link(node, 1, 0, &identity, None);
        // The first packet has arrived, and its answer is on the way.
        world.run(1500);
        assert_eq!(world.engine(0).stats().refused.of(Limit::HandshakesUnproven), 1);
        let mut config = crate::players::relay_config(9, &identity, always(), true);
        if !same_key {
            config.state_key = [99; 32];
        }
        world.nodes[0].engine = Some(cc_engine::Engine::new(config, 0).unwrap());
        world.run(100 * MS);
        let up = world.events(node).iter().any(|event| matches!(event, Event::LinkUp { .. }));
        assert_eq!(up, same_key);
        let met = world.engine(0).stats().refused.of(Limit::HandshakesUnproven);
        assert_eq!(met == 0, same_key, "the second relay asks again only who has no token of its key");
    }
}

#[test]
fn the_share_of_an_address_cannot_be_used_up_by_a_lie() {
    let limits = Limits { connections_per_address: 3, handshakes_per_address: 2, ..Limits::default() };
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, limits, true));
    let node = world.add(client(2));
    // Handshakes in the name of an address that an honest client has.
    let victim = world.nodes[node].address;
    for (number, lie) in first_packets(&identity, 50).into_iter().enumerate() {
        world.inject(0, SocketAddr::from((victim.ip(), 1000 + number as u16)), lie);
    }
    world.run(10 * MS);
    assert_eq!(world.engine(0).stats().handshakes, 50);
    world.open_link(node, 1, 0, &identity, None);
    world.run(SECOND);
    let told = world.events(node);
    assert!(told.iter().any(|event| matches!(event, Event::LinkUp { .. })), "{told:?}");
}
