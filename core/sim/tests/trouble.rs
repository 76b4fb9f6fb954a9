//! What a match lives through: loss, outages, rebindings, kills, pauses.

mod common;

use cc_netem::config::{Corrupt, During, Nat, Outage};
use cc_netem::{Cause, Config, Direction};
use cc_sim::game::{Player, Report, HOST};
use cc_sim::{path, Action, Crypto, Options, World, WorldError};
use common::{behind_nat, check, lossy, play, settings, share, world, SECOND};

#[test]
fn reliable_messages_are_complete_under_loss() {
    for (seed, loss) in [(1, 0.0), (2, 3.0), (3, 10.0), (4, 20.0)] {
        let settings = settings(4, 10);
        let mut config = lossy();
        config.loss.independent = loss;
        let mut world = world(&settings, seed, Crypto::Null, &path(&config).unwrap());
        let report = play(&mut world, &settings);
        check(&report, &settings);
        assert_eq!(report.link_downs, 0, "{report}");
        for flow in [&report.input, &report.state] {
            let lost = (1.0 - share(flow)) * 100.0;
            assert!((loss * 0.5 - 0.01..=loss * 1.5 + 1.0).contains(&lost), "{loss}: {report}");
            // Within the path's 40 ms, but for what waits behind retransmitted text.
            assert!(flow.latency.quantile(0.5) < 45_000, "{report}");
        }
    }
}

#[test]
fn damage_is_caught_and_costs_only_what_it_hits() {
    let settings = settings(4, 10);
    let config = Config { corrupt: Some(Corrupt { share: 5.0, bits: 2.0 }), delay_ms: 10.0, ..Config::default() };
    let mut world = world(&settings, 11, Crypto::Null, &path(&config).unwrap());
    let report = play(&mut world, &settings);
    check(&report, &settings);
    assert!(world.counters(0, Direction::Down).unwrap().corrupted > 10);
    assert!((0.90..0.99).contains(&share(&report.state)), "{report}");
}

/// 20 s without a packet either way, for half of the clients: they are back as who they were, and miss no message.
#[test]
fn an_outage_of_20_s_is_survived() {
    for crypto in [Crypto::Null, Crypto::Tls] {
        let settings = settings(4, 40);
        let outage = Outage { at_ms: 10_000.0, for_ms: 20_000.0, every_ms: None, packets: During::Lost };
        let cut = path(&Config { outages: vec![outage], ..lossy() }).unwrap();
        let mut topology = settings.topology(&path(&lossy()).unwrap());
        for spec in topology.paths.iter_mut().filter(|spec| spec.client % 2 == 0) {
            spec.plan = cut.clone();
        }
        let mut world = settings.build(Options { seed: 21, crypto, ..Options::default() }, &topology).unwrap();
        world.run(29 * SECOND);
        let during = Report::of(&world);
        assert!(!during.chat_down.complete() && during.chat_down.out_of_turn == 0, "{during}");
        let report = play(&mut world, &settings);
        check(&report, &settings);
        assert!(world.counters(1, Direction::Up).unwrap().lost(Cause::Outage) > 100);
        for node in 1..=4 {
            let Some(Player::Client(client)) = world.app(node) else { panic!("node {node} is a client") };
            let ups = client.peers();
            assert!(ups.iter().all(|peer| *peer == ups[0]), "{ups:?}");
            assert_eq!(ups.len() > 1, node % 2 == 0, "node {node} came up {} times", ups.len());
        }
        // What is sent again after a comeback is known by its place in the track, on either side.
        assert_eq!((report.chat_up.replayed, report.chat_down.replayed), (0, 0), "{report}");
        assert_eq!(report.sessions.1, report.comebacks, "the host knows them again: {report}");
    }
}

/// Half of the match on another port, as the relay sees it: no link is lost, and hardly a frame.
#[test]
fn a_rebinding_nat_costs_nobody_the_link() {
    let settings = settings(4, 12);
    let config = Config { delay_ms: 20.0, ..Config::default() };
    let plan = behind_nat(&config, &Nat { rebind_at_ms: vec![4000.0, 8000.0], idle_ms: None });
    let mut world = world(&settings, 31, Crypto::Null, &plan);
    let report = play(&mut world, &settings);
    check(&report, &settings);
    assert_eq!((report.link_downs, report.comebacks), (0, 0), "{report}");
    assert!(share(&report.input) > 0.99 && share(&report.state) > 0.97, "{report}");
    let refused = world.counters(0, Direction::Down).unwrap().lost(Cause::StaleBinding);
    assert!(refused > 0, "the relay never spoke to the old port");
}

#[test]
fn a_killed_relay_is_found_again_by_everybody() {
    let settings = settings(4, 20);
    let mut world = world(&settings, 41, Crypto::Null, &path(&lossy()).unwrap());
    world.at(6 * SECOND, Action::Kill(HOST)).unwrap();
    world.at(9 * SECOND, Action::Restart(HOST)).unwrap();
    world.run(8 * SECOND);
    assert!(world.stats(HOST).is_none());
    world.run(6 * SECOND);
    let before = Report::of(&world);
    assert_eq!((before.comebacks, before.strangers), (4, 0), "{before}");
    let report = play(&mut world, &settings);
    assert_eq!((report.link_ends, report.damaged), (0, 0), "{report}");
    // The match goes on: five more seconds of inputs and states at 60 Hz.
    assert!(report.input.delivered > before.input.delivered + 4 * 5 * 50, "{report}");
    assert!(report.state.delivered > before.state.delivered + 4 * 5 * 50, "{report}");
    assert_eq!(report.chat_up.out_of_turn + report.chat_down.out_of_turn, 0, "{report}");
}

#[test]
fn a_restarted_client_is_who_it_was() {
    let settings = settings(3, 10);
    let mut world = world(&settings, 51, Crypto::Null, &path(&lossy()).unwrap());
    world.at(4 * SECOND, Action::Kill(2)).unwrap();
    world.at(5 * SECOND, Action::Restart(2)).unwrap();
    let report = play(&mut world, &settings);
    let Some(Player::Client(client)) = world.app(2) else { panic!("node 2 is a client") };
    assert_eq!(client.peers().len(), 2);
    assert_eq!(client.peers()[0], client.peers()[1]);
    assert_eq!((report.sessions, report.comebacks), ((4, 1), 1), "{report}");
}

/// A paused application costs nobody the link, and gets all that came when it goes on.
#[test]
fn a_paused_application_keeps_its_link() {
    let settings = settings(3, 20);
    let mut world = world(&settings, 61, Crypto::Null, &path(&lossy()).unwrap());
    world.at(3 * SECOND, Action::Pause(1)).unwrap();
    world.at(13 * SECOND, Action::Resume(1)).unwrap();
    world.run(12 * SECOND);
    let Some(Player::Client(client)) = world.app(1) else { panic!("node 1 is a client") };
    let during = client.state().delivered;
    assert!(during < 4 * 60);
    let report = play(&mut world, &settings);
    check(&report, &settings);
    assert_eq!(report.link_downs, 0, "{report}");
    assert!(share(&report.state) > 0.94, "{report}");
}

#[test]
fn a_paused_application_s_inbox_has_an_end() {
    let settings = settings(1, 8);
    let options = Options { seed: 62, keep_log: true, inbox: 100, ..Options::default() };
    let topology = settings.topology(&path(&Config::default()).unwrap());
    let mut world = settings.build(options, &topology).unwrap();
    world.at(2 * SECOND, Action::Pause(1)).unwrap();
    world.at(6 * SECOND, Action::Resume(1)).unwrap();
    let report = play(&mut world, &settings);
    let dropped = world.log().text().unwrap().lines().filter(|line| line.ends_with(" c0 overflow")).count() as u64;
    let missing = report.state.sent + report.chat_down.sent - report.state.delivered - report.chat_down.delivered;
    // 4 s at 60 Hz and a message every half second, less what fits.
    assert!((140..=150).contains(&dropped), "{dropped}");
    assert_eq!(missing, dropped, "{report}");
}

#[test]
fn a_network_that_changes_is_felt() {
    let settings = settings(2, 12);
    let mut world = world(&settings, 71, Crypto::Null, &path(&Config { delay_ms: 5.0, ..Config::default() }).unwrap());
    let slow = path(&Config { delay_ms: 100.0, ..Config::default() }).unwrap();
    world.at(6 * SECOND, Action::SetPath(0, slow)).unwrap();
    let report = play(&mut world, &settings);
    check(&report, &settings);
    let p99 = [1, 2].map(|node| {
        let Some(Player::Client(client)) = world.app(node) else { panic!("node {node} is a client") };
        client.state().latency.quantile(0.99)
    });
    assert!((100_000..120_000).contains(&p99[0]) && p99[1] < 8_000, "{p99:?}");
}

#[test]
fn what_cannot_be_is_said() {
    let settings = settings(2, 1);
    let plan = path(&Config::default()).unwrap();
    let build = |topology: &_| -> Result<World<Player>, WorldError> { settings.build(Options::default(), topology) };
    let said = |topology: &_| build(topology).err().map(|error| error.to_string()).unwrap_or_default();
    let good = settings.topology(&plan);

    let mut twice = good.clone();
    twice.nodes[2].name = "c0".into();
    assert_eq!(said(&twice), "two nodes are called `c0`");
    let mut astray = good.clone();
    astray.paths[0].client = 9;
    assert_eq!(said(&astray), "path 0 ends at a node that is not there");
    let mut to_client = good.clone();
    to_client.paths[0].server = 2;
    assert_eq!(said(&to_client), "path 0 leads to `c1`, which is no relay");
    let mut doubled = good.clone();
    doubled.paths[1] = doubled.paths[0].clone();
    assert_eq!(said(&doubled), "two paths between `host` and `c0`");
    let mut still = good.clone();
    still.nodes[0].tick = Some(cc_sim::Tick { hz: 0, first: None });
    assert_eq!(said(&still), "node `host` ticks at a rate beyond 1..=1,000,000 Hz");

    let bbr = Options { congestion: cc_engine::Congestion::Bbr, ..Options::default() };
    assert!(matches!(settings.build(bbr, &good), Err(WorldError::Invalid(_))));
    let mut world = build(&good).unwrap();
    assert!(matches!(world.at(0, Action::Kill(3)), Err(WorldError::Invalid(_))));
    assert!(matches!(world.at(0, Action::SetPath(2, plan)), Err(WorldError::Invalid(_))));
}
