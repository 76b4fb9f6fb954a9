//! The same seed gives the same world, byte for byte.

mod common;

use cc_netem::config::{Corrupt, Nat, Reorder};
use cc_netem::Config;
use cc_sim::game::{Player, Settings, HOST};
use cc_sim::{path, Action, Crypto, World};
use common::{behind_nat, check, difference, lossy, play, settings, world, SECOND};

fn assert_same(one: &World<Player>, other: &World<Player>) {
    let [a, b] = [one, other].map(|world| world.log().text().unwrap());
    assert_eq!(difference(a, b), None);
    assert_eq!(a, b);
    assert_eq!(one.log().digest(), other.log().digest());
}

#[test]
fn a_match_of_a_minute_repeats_byte_for_byte() {
    let settings = settings(16, 60);
    let plan = path(&lossy()).unwrap();
    let [one, same, another] = [7, 7, 8].map(|seed| {
        let mut world = world(&settings, seed, Crypto::Null, &plan);
        check(&play(&mut world, &settings), &settings);
        world
    });
    assert!(one.log().records() > 100_000);
    assert_same(&one, &same);
    assert_ne!(one.log().digest(), another.log().digest());
    assert!(difference(one.log().text().unwrap(), another.log().text().unwrap()).is_some());
}

/// Kills, pauses, damage, disorder, outages, rebindings: all of it at once.
#[test]
fn a_world_in_trouble_repeats_byte_for_byte() {
    let settings = settings(6, 25);
    let config = Config {
        corrupt: Some(Corrupt { share: 1.0, bits: 3.0 }),
        duplicate: 1.0,
        reorder: Some(Reorder { share: 2.0, distance: 3.0, hold_ms: 50.0 }),
        jitter_may_reorder: true,
        ..lossy()
    };
    let plan = behind_nat(&config, &Nat { rebind_at_ms: vec![4000.0, 9000.0], idle_ms: None });
    let run = |seed| {
        let mut world = world(&settings, seed, Crypto::Null, &plan);
        for (at, action) in [
            (5, Action::Kill(2)),
            (6, Action::Pause(3)),
            (8, Action::Restart(2)),
            (9, Action::Resume(3)),
            (12, Action::Restart(HOST)),
        ] {
            world.at(at * SECOND, action).unwrap();
        }
        play(&mut world, &settings);
        world
    };
    let (one, same) = (run(3), run(3));
    assert_same(&one, &same);
    assert_ne!(one.log().digest(), run(4).log().digest());
}

#[test]
fn running_in_pieces_changes_nothing() {
    let settings = settings(4, 5);
    let plan = path(&lossy()).unwrap();
    let mut whole = world(&settings, 5, Crypto::Null, &plan);
    whole.run(10 * SECOND);
    let mut pieces = world(&settings, 5, Crypto::Null, &plan);
    for _ in 0..1000 {
        pieces.run(SECOND / 100);
    }
    assert_eq!(pieces.now(), whole.now());
    assert_same(&whole, &pieces);
}

/// A node's numbers come from its name, so a client that is added changes nothing in what the network does to others.
#[test]
fn one_more_client_leaves_the_others_their_seeds() {
    let play = |clients| {
        let settings = Settings { clients, ..settings(clients, 3) };
        let mut world = world(&settings, 6, Crypto::Null, &path(&lossy()).unwrap());
        world.run(4 * SECOND);
        let Some(Player::Client(client)) = world.app(1) else { panic!("node 1 is a client") };
        client.peers().to_vec()
    };
    assert_eq!(play(2), play(3));
}
