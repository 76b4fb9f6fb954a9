//! A train in a tunnel: seconds without a packet, and perhaps another port behind it.

mod common;

use cc_netem::config::{During, Nat, Outage};
use cc_netem::{Config, Profile};
use cc_sim::game::Player;
use cc_sim::Crypto;
use common::{behind_nat, check, play, settings, world, SECOND};

/// Both ends have a window full of what the tunnel swallowed, and their probes are put off by seconds. Yet what one of
/// them still sends is answered at once, and the other then has room to send.
#[test]
fn a_tunnel_ends_when_it_ends() {
    for rebinds in [vec![], vec![7600.0]] {
        let settings = settings(4, 15);
        let outage = Outage { at_ms: 5000.0, for_ms: 2500.0, every_ms: None, packets: During::Lost };
        let config = Config { delay_ms: 32.0, rate_kbit: Some(8000.0), outages: vec![outage], ..Config::default() };
        let plan = behind_nat(&config, &Nat { rebind_at_ms: rebinds.clone(), idle_ms: None });
        let mut world = world(&settings, 31, Crypto::Null, &plan);
        let states = |world: &cc_sim::World<Player>| match world.app(1) {
            Some(Player::Client(client)) => client.state().delivered,
            _ => panic!("node 1 is a client"),
        };
        world.run(7500 * SECOND / 1000);
        let before = states(&world);
        // The tunnel's end, or the new port 100 ms later; three ways of 32 ms, and the frames of 100 ms.
        world.run(SECOND / 10 + 3 * 32_000 + SECOND / 10);
        let after = states(&world);
        assert!(after > before, "{rebinds:?}: states of {before} ticks came before, of {after} soon after");
        world.run(SECOND);
        let flowing = states(&world) - after;
        assert!(flowing >= 58, "{rebinds:?}: {flowing} states in the second after");
        let report = play(&mut world, &settings);
        check(&report, &settings);
        assert_eq!((report.link_downs, report.comebacks), (0, 0), "{rebinds:?}: {report}");
    }
}

/// On a line like a train's, QUIC's probes are so far apart that none may come between the tunnel's end and the third
/// second of silence, at which a second connection is dialled and the session begun anew.
#[test]
fn a_tunnel_costs_no_session_on_a_train() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/profiles/lte-train.json");
    let train = Profile::parse(file, &std::fs::read_to_string(file).unwrap(), &mut |_| None).unwrap();
    for seed in 1..=4 {
        // The tunnel is from 95.0 to 97.5 s, and behind it the port is another.
        let settings = settings(8, 101);
        let mut world = world(&settings, seed, Crypto::Null, train.plan("player"));
        let report = play(&mut world, &settings);
        check(&report, &settings);
        assert_eq!((report.link_downs, report.comebacks), (0, 0), "seed {seed}: {report}");
    }
}
