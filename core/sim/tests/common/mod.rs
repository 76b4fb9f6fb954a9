//! Networks for matches, and matches on them.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use cc_engine::Time;
use cc_netem::config::{Jitter, Loss, Nat};
use cc_netem::{Config, NatPlan, PathPlan};
use cc_sim::game::{Player, Report, Settings};
use cc_sim::{path, Crypto, Options, World};

pub const SECOND: Time = 1_000_000;

/// 3% loss, 20 ms and up to 20 ms more or less.
pub fn lossy() -> Config {
    Config {
        loss: Loss { independent: 3.0, ..Loss::default() },
        delay_ms: 20.0,
        jitter: Some(Jitter::Uniform { ms: 20.0 }),
        ..Config::default()
    }
}

pub fn behind_nat(config: &Config, nat: &Nat) -> PathPlan {
    let mut plan = path(config).unwrap();
    plan.nat = Some(Arc::new(NatPlan::new(nat).unwrap()));
    plan
}

pub fn settings(clients: usize, seconds: u64) -> Settings {
    Settings { clients, until: seconds * SECOND, ..Settings::default() }
}

pub fn world(settings: &Settings, seed: u64, crypto: Crypto, plan: &PathPlan) -> World<Player> {
    let options = Options { seed, crypto, keep_log: true, ..Options::default() };
    settings.build(options, &settings.topology(plan)).unwrap()
}

/// Plays to the end, and until the last message can have come.
pub fn play(world: &mut World<Player>, settings: &Settings) -> Report {
    let left = settings.until.saturating_sub(world.now());
    world.run(left + 5 * SECOND);
    Report::of(world)
}

/// Every reliable message came once and in order, all joined, and nothing came damaged.
pub fn check(report: &Report, settings: &Settings) {
    assert_eq!(report.joined, settings.clients as u64, "{report}");
    assert_eq!(report.link_ends, 0, "{report}");
    assert_eq!(report.strangers, 0, "{report}");
    assert_eq!(report.damaged, 0, "{report}");
    assert!(report.chat_up.sent > 0 && report.chat_up.complete(), "{report}");
    assert!(report.chat_down.sent > 0 && report.chat_down.complete(), "{report}");
}

/// The share of a flow that came.
pub fn share(flow: &cc_sim::game::Flow) -> f64 {
    flow.delivered as f64 / flow.sent as f64
}

/// The first line in which two logs differ: a failed comparison of megabytes says nothing.
pub fn difference(one: &str, other: &str) -> Option<(usize, String, String)> {
    let longest = one.lines().count().max(other.lines().count());
    let (mut one, mut other) = (one.lines(), other.lines());
    (0..longest).find_map(|at| {
        let (a, b) = (one.next().unwrap_or_default(), other.next().unwrap_or_default());
        (a != b).then(|| (at, a.to_owned(), b.to_owned()))
    })
}
