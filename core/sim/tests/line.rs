//! A line that several clients share, its queue's marks, and controllers of nodes.

mod common;

use cc_engine::Congestion;
use cc_netem::config::{Codel, Nat, Queue};
use cc_netem::{Cause, Config, Direction, PathPlan};
use cc_sim::game::{Player, Settings};
use cc_sim::{path, Options, Topology, World, WorldError};
use common::{behind_nat, check, play, settings, share};

/// All clients of a match on one path.
fn household(settings: &Settings, plan: &PathPlan) -> Topology {
    let mut topology = settings.topology(plan);
    topology.paths.truncate(1);
    topology.paths[0].beside = (2..=settings.clients).collect();
    topology
}

fn build(settings: &Settings, plan: &PathPlan, options: Options) -> World<Player> {
    settings.build(options, &household(settings, plan)).unwrap()
}

#[test]
fn a_household_plays_over_one_line_and_one_nat() {
    let settings = settings(4, 8);
    let config = Config { delay_ms: 20.0, ..Config::default() };
    let plan = behind_nat(&config, &Nat { rebind_at_ms: vec![4000.0], idle_ms: None });
    let mut world = build(&settings, &plan, Options { seed: 3, ..Options::default() });
    let report = play(&mut world, &settings);
    check(&report, &settings);
    assert_eq!((report.link_downs, report.comebacks), (0, 0), "{report}");
    assert!(share(&report.input) > 0.99 && share(&report.state) > 0.97, "{report}");
    assert!(world.counters(0, Direction::Up).unwrap().delivered > report.input.sent);
    assert!(world.counters(0, Direction::Down).unwrap().lost(Cause::StaleBinding) > 0);
    assert!(world.counters(1, Direction::Up).is_none());
}

/// Four players want some 900 kbit/s towards them; the line has 700, and a queue kept short by CoDel.
fn narrow(ecn: bool) -> (u64, u64, u64) {
    let settings = settings(4, 20);
    let queue = Queue { codel: Some(Codel { ecn, ..Codel::default() }), ..Queue::default() };
    let config = Config { delay_ms: 20.0, rate_kbit: Some(700.0), queue, ..Config::default() };
    let options = Options { seed: 4, congestion: Congestion::Cubic, ..Options::default() };
    let mut world = build(&settings, &path(&config).unwrap(), options);
    let report = play(&mut world, &settings);
    check(&report, &settings);
    assert_eq!(report.link_downs, 0, "{report}");
    let down = world.counters(0, Direction::Down).unwrap();
    (down.marked, down.lost(Cause::Codel), report.state.latency.quantile(0.5))
}

#[test]
fn marks_do_what_drops_do_and_lose_nothing() {
    let (marked, dropped, _) = narrow(false);
    assert!(marked == 0 && dropped > 20, "{marked} marked, {dropped} dropped");
    let (marked, dropped, wait) = narrow(true);
    assert!(marked > 20 && dropped == 0, "{marked} marked, {dropped} dropped");
    assert!(wait < 100_000, "states wait {wait} us");
}

#[test]
fn each_node_has_the_controller_that_it_names() {
    let settings = settings(2, 3);
    let mut topology = settings.topology(&path(&Config::default()).unwrap());
    topology.nodes[1].congestion = Some(Congestion::Cubic);
    let mut world = settings.build(Options::default(), &topology).unwrap();
    check(&play(&mut world, &settings), &settings);
    topology.nodes[2].congestion = Some(Congestion::Bbr);
    let refused = settings.build(Options::default(), &topology).map(|_| ());
    assert!(matches!(refused, Err(WorldError::Invalid(_))), "BBR would not repeat");
    let options = Options { unrepeatable: true, ..Options::default() };
    let mut world = settings.build(options, &topology).unwrap();
    check(&play(&mut world, &settings), &settings);
}
