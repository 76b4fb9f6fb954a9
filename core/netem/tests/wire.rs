//! Loss, delay, copies, damage and order: that each does what its figures say, by fixed seeds.

mod common;

use cc_netem::config::During;
use cc_netem::config::{Corrupt, GilbertElliott, Jitter, Loss, Mtu, Outage, Reorder, Step};
use cc_netem::{Cause, Config, Opaque, Pipe, Verdict};
use common::{delays, deviation, drain, mean, near, pipe, quantile, steady};

const MANY: u64 = 100_000;

#[test]
fn a_perfect_pipe_delivers_at_once_and_whole() {
    let mut perfect = Pipe::<Vec<u8>>::new(&Config::default(), 1, "p", 0).unwrap();
    assert_eq!(perfect.push(7, b"hello".to_vec()), Verdict::Due(7));
    assert_eq!(perfect.next_timeout(), Some(7));
    let one = perfect.pop(7).unwrap();
    assert_eq!((one.due, one.sent, one.number, one.payload), (7, 7, 0, b"hello".to_vec()));
    assert_eq!((perfect.pop(u64::MAX), perfect.next_timeout(), perfect.in_flight()), (None, None, (0, 0)));
}

#[test]
fn independent_loss_has_its_share_and_no_memory() {
    let config = Config { loss: Loss { independent: 5.0, ..Loss::default() }, ..Config::default() };
    let mut lossy = pipe(&config, 11);
    let out = steady(&mut lossy, MANY, 100, 100);
    let lost = MANY as f64 - out.len() as f64;
    near(lost, 5000.0, 0.04);
    assert_eq!(lossy.counters().lost(Cause::Independent), lost as u64);
    near(mean(&bursts(&out)), 1.0 / 0.95, 0.02);
}

#[test]
fn gilbert_elliott_has_its_share_and_its_bursts() {
    let model = GilbertElliott { to_bad: 1.0, to_good: 20.0, loss_good: 0.0, loss_bad: 100.0 };
    let config = Config { loss: Loss { gilbert_elliott: Some(model), ..Loss::default() }, ..Config::default() };
    let mut lossy = pipe(&config, 3);
    let out = steady(&mut lossy, MANY * 3, 100, 100);
    let runs = bursts(&out);
    near(1.0 - out.len() as f64 / (MANY * 3) as f64, 1.0 / 21.0, 0.06);
    near(mean(&runs), 5.0, 0.06);
    // A geometric length: 1 - 0.8^5 of the bursts are of 5 packets or fewer.
    let short = runs.iter().filter(|&&run| run <= 5.0).count() as f64 / runs.len() as f64;
    near(short, 1.0 - 0.8f64.powi(5), 0.04);
    assert_eq!(lossy.counters().lost(Cause::Burst), MANY * 3 - out.len() as u64);
}

#[test]
fn all_four_parameters_count() {
    let model = GilbertElliott { to_bad: 10.0, to_good: 30.0, loss_good: 2.0, loss_bad: 40.0 };
    let config = Config { loss: Loss { gilbert_elliott: Some(model), ..Loss::default() }, ..Config::default() };
    let out = steady(&mut pipe(&config, 5), MANY * 2, 100, 100);
    near(1.0 - out.len() as f64 / (MANY * 2) as f64, 0.75 * 0.02 + 0.25 * 0.4, 0.04);
}

#[test]
fn listed_packets_are_lost_and_no_others() {
    let loss = Loss { pattern: "...x".to_owned(), packets: vec![8, 0], ..Loss::default() };
    let mut listed = pipe(&Config { loss, ..Config::default() }, 1);
    let out = steady(&mut listed, 12, 10, 10);
    assert_eq!(out.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2, 4, 5, 6, 9, 10]);
    assert_eq!(listed.counters().lost(Cause::Listed), 5);
}

#[test]
fn other_impairments_change_no_loss() {
    let loss = Loss { independent: 10.0, ..Loss::default() };
    let plain = Config { loss: loss.clone(), ..Config::default() };
    let busy = Config {
        loss,
        duplicate: 10.0,
        jitter: Some(Jitter::Uniform { ms: 5.0 }),
        jitter_may_reorder: true,
        delay_ms: 20.0,
        corrupt: Some(Corrupt { share: 20.0, bits: 3.0 }),
        ..Config::default()
    };
    let survivors = |config| {
        let mut out = steady(&mut pipe(config, 9), 5000, 100, 50);
        out.retain(|one| !one.copy);
        out.sort_by_key(|one| one.number);
        out.iter().map(|one| one.number).collect::<Vec<_>>()
    };
    assert_eq!(survivors(&plain), survivors(&busy));
}

#[test]
fn jitter_follows_its_distribution() {
    let out = |jitter| {
        let config = Config { delay_ms: 100.0, jitter: Some(jitter), jitter_may_reorder: true, ..Config::default() };
        delays(&steady(&mut pipe(&config, 21), MANY, 50, 100))
    };
    let constant = out(Jitter::Constant { ms: 5.0 });
    assert!(constant.iter().all(|&delay| delay == 105_000.0));

    let uniform = out(Jitter::Uniform { ms: 10.0 });
    near(mean(&uniform), 100_000.0, 0.001);
    near(deviation(&uniform), 10_000.0 / 3f64.sqrt(), 0.01);
    assert!(quantile(&uniform, 0.0) >= 90_000.0 && quantile(&uniform, 1.0) <= 110_000.0);
    near(quantile(&uniform, 0.25), 95_000.0, 0.002);

    let normal = out(Jitter::Normal { sd_ms: 10.0 });
    near(mean(&normal), 100_000.0, 0.001);
    near(deviation(&normal), 10_000.0, 0.01);
    near(quantile(&normal, 0.9772), 120_000.0, 0.005);
    near(quantile(&normal, 0.1587), 90_000.0, 0.005);

    let (scale, shape) = (4_000.0, 2.5);
    let pareto = out(Jitter::Pareto { scale_ms: 4.0, shape, max_ms: 5_000.0 });
    near(mean(&pareto), 100_000.0 + scale / (shape - 1.0), 0.002);
    for share in [0.5f64, 0.9, 0.99, 0.999] {
        near(quantile(&pareto, share) - 100_000.0, scale * ((1.0 - share).powf(-1.0 / shape) - 1.0), 0.08);
    }
    let capped = out(Jitter::Pareto { scale_ms: 4.0, shape: 1.2, max_ms: 30.0 });
    assert_eq!(quantile(&capped, 1.0), 130_000.0);

    let mixed = out(Jitter::ParetoNormal { scale_ms: 4.0, shape, max_ms: 5_000.0, sd_ms: 8.0 });
    near(mean(&mixed), 100_000.0 + 0.75 * scale / (shape - 1.0), 0.002);
    assert!(quantile(&mixed, 0.05) < 99_000.0 && quantile(&mixed, 0.999) > 120_000.0);
}

#[test]
fn jitter_keeps_the_order_unless_told_otherwise() {
    let jitter = Some(Jitter::Uniform { ms: 30.0 });
    let kept = Config { delay_ms: 40.0, jitter, ..Config::default() };
    let free = Config { jitter_may_reorder: true, ..kept.clone() };
    let turns = |config| {
        let out = steady(&mut pipe(config, 2), 5000, 1000, 100);
        out.windows(2).filter(|pair| pair[1].number < pair[0].number).count()
    };
    assert_eq!(turns(&kept), 0);
    assert!(turns(&free) > 1000);
}

#[test]
fn a_delay_is_never_negative() {
    let config = Config {
        delay_ms: 1.0,
        jitter: Some(Jitter::Normal { sd_ms: 50.0 }),
        jitter_may_reorder: true,
        ..Config::default()
    };
    let out = delays(&steady(&mut pipe(&config, 1), 2000, 10, 10));
    assert!(out.iter().filter(|&&delay| delay == 0.0).count() > 800);
}

#[test]
fn reordered_packets_fall_behind_by_the_distance() {
    let reorder = Some(Reorder { share: 2.0, distance: 3.0, hold_ms: 500.0 });
    let mut pipe = pipe(&Config { delay_ms: 10.0, reorder, ..Config::default() }, 8);
    let out = steady(&mut pipe, 20_000, 1000, 100);
    assert_eq!(out.len(), 20_000);
    let late: Vec<usize> = (0..out.len())
        .filter(|&at| out[..at].iter().rev().take(20).any(|before| before.number > out[at].number))
        .collect();
    near(late.len() as f64, 400.0, 0.15);
    assert_eq!(late.len() as u64, pipe.counters().reordered);
    let lone = late.iter().filter(|&&at| {
        let later = out[..at].iter().rev().take(20).filter(|before| before.number > out[at].number).count();
        later == 3
    });
    assert!(lone.count() as f64 > late.len() as f64 * 0.8);
    // A set-back packet arrives with the third behind it: 3 ms late.
    assert!(late.iter().all(|&at| (13_000..30_000).contains(&(out[at].due - out[at].sent))));
}

#[test]
fn a_set_back_packet_without_followers_arrives_after_the_hold() {
    let reorder = Some(Reorder { share: 100.0, distance: 1.0, hold_ms: 20.0 });
    let mut alone = pipe(&Config { delay_ms: 5.0, reorder, ..Config::default() }, 1);
    assert_eq!(alone.push(0, Opaque::new(0, 10)), Verdict::Due(25_000));
    assert_eq!(alone.pop(24_999), None);
    assert_eq!(alone.pop(25_000).map(|one| one.due), Some(25_000));
}

#[test]
fn a_set_back_packet_is_never_later_than_the_hold() {
    let reorder = Some(Reorder { share: 10.0, distance: 5.0, hold_ms: 2.5 });
    let out = steady(&mut pipe(&Config { delay_ms: 10.0, reorder, ..Config::default() }, 1), 1000, 1000, 100);
    let late = out.iter().filter(|one| one.due - one.sent == 12_500).count();
    near(late as f64, 100.0, 0.3);
    assert_eq!(out.iter().filter(|one| one.due - one.sent == 10_000).count(), 1000 - late);
}

#[test]
fn duplicates_have_their_share_and_carry_the_same() {
    let config = Config { duplicate: 3.0, jitter: Some(Jitter::Uniform { ms: 2.0 }), ..Config::default() };
    let mut twice = pipe(&config, 4);
    let out = steady(&mut twice, MANY, 100, 100);
    near(out.len() as f64 - MANY as f64, 3000.0, 0.06);
    assert_eq!(twice.counters().duplicated, out.len() as u64 - MANY);
    assert!(out.iter().filter(|one| one.copy).all(|one| one.payload.id == one.number));
    let apart = Config { jitter_may_reorder: true, delay_ms: 50.0, duplicate: 100.0, ..config };
    let mut out = steady(&mut pipe(&apart, 4), 1000, 10_000, 100);
    out.sort_by_key(|one| (one.number, one.copy));
    assert!(out.chunks(2).filter(|both| both[0].due != both[1].due).count() > 900);
}

#[test]
fn damage_flips_exactly_the_bits_it_says() {
    let config = Config { corrupt: Some(Corrupt { share: 10.0, bits: 5.0 }), ..Config::default() };
    let mut damaging = Pipe::<bytes::Bytes>::new(&config, 1, "d", 0).unwrap();
    let whole = bytes::Bytes::from(vec![0u8; 200]);
    let (mut hit, mut places) = (0, std::collections::BTreeSet::new());
    for at in 0..10_000 {
        damaging.push(at, whole.clone());
        let one = damaging.pop(at).unwrap();
        let flipped: u32 = one.payload.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(u64::from(flipped), one.flips);
        assert!(flipped == 0 || flipped == 5);
        hit += u32::from(flipped > 0);
        places.extend(one.payload.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(place, _)| place));
    }
    near(f64::from(hit), 1000.0, 0.1);
    assert_eq!((damaging.counters().corrupted, places.len()), (u64::from(hit), 200));
    let empty = Config { corrupt: Some(Corrupt { share: 100.0, bits: 64.0 }), ..Config::default() };
    let mut tiny = Pipe::<Vec<u8>>::new(&empty, 1, "d", 0).unwrap();
    tiny.push(0, Vec::new());
    tiny.push(0, vec![0]);
    assert_eq!((tiny.pop(0).unwrap().payload, tiny.pop(0).unwrap().payload), (vec![], vec![255]));
}

#[test]
fn a_black_hole_swallows_the_large_from_its_time_on() {
    let mut hole = pipe(&Config { mtu: Some(Mtu { bytes: 1280.0, from_ms: 10.0 }), ..Config::default() }, 1);
    assert_eq!(hole.push(9_999, Opaque::new(0, 1400)), Verdict::Due(9_999));
    assert_eq!(hole.push(10_000, Opaque::new(1, 1253)), Verdict::Lost(Cause::Mtu));
    assert_eq!(hole.push(10_000, Opaque::new(2, 1252)), Verdict::Due(10_000));
    assert_eq!(hole.push(10_000, Opaque::new(3, 65_536)), Verdict::Lost(Cause::Mtu));
}

#[test]
fn outages_lose_or_hold() {
    let outage = |packets| Outage { at_ms: 10.0, for_ms: 5.0, every_ms: Some(100.0), packets };
    let run = |packets| {
        let config = Config { outages: vec![outage(packets)], ..Config::default() };
        let mut pipe = pipe(&config, 1);
        let out = steady(&mut pipe, 200, 1000, 100);
        (out, pipe.counters().clone())
    };
    let (out, counters) = run(During::Lost);
    let missing: Vec<u64> = (0..200).filter(|n| out.iter().all(|one| one.number != *n)).collect();
    assert_eq!(missing, [10, 11, 12, 13, 14, 110, 111, 112, 113, 114]);
    assert_eq!(counters.lost(Cause::Outage), 10);
    let (out, counters) = run(During::Held);
    assert_eq!((out.len(), counters.lost_in_all()), (200, 0));
    assert!(out[10..15].iter().all(|one| one.due == 15_000));
    assert!(out[15..110].iter().all(|one| one.due == one.sent));
}

#[test]
fn a_script_changes_things_in_time() {
    let script = vec![
        Step { at_ms: 10_000.0, loss: Some(5.0), ..Step::default() },
        Step { at_ms: 20_000.0, loss: Some(0.0), delay_ms: Some(50.0), over_ms: 1000.0, ..Step::default() },
        Step { at_ms: 30_000.0, delay_ms: Some(0.0), jitter: Some(0.0), ..Step::default() },
    ];
    let config = Config { script, jitter: Some(Jitter::Constant { ms: 1.0 }), ..Config::default() };
    let mut scripted = pipe(&config, 6);
    let out = steady(&mut scripted, 40_000, 1000, 100);
    let lost = |from: u64, to: u64| {
        (to - from) as i64 - out.iter().filter(|one| (from..to).contains(&one.number)).count() as i64
    };
    assert_eq!((lost(0, 10_000), lost(21_000, 40_000)), (0, 0));
    near(lost(10_000, 20_000) as f64, 500.0, 0.12);
    let delay = |number: u64| out.iter().find(|one| one.number >= number).map(|one| one.due - one.sent);
    assert_eq!((delay(5_000), delay(25_000), delay(35_000)), (Some(1000), Some(51_000), Some(0)));
    let half = delay(20_500).unwrap();
    assert!((25_500..26_600).contains(&half), "{half}");
}

#[test]
fn another_plan_counts_from_its_own_start() {
    let slow = Config { delay_ms: 50.0, ..Config::default() };
    let cut = Outage { at_ms: 0.0, for_ms: 10.0, every_ms: None, packets: During::Lost };
    let fast = cc_netem::Plan::new(&Config { outages: vec![cut], ..Config::default() }).unwrap();
    let mut pipe = pipe(&slow, 1);
    assert_eq!(pipe.push(1000, Opaque::new(0, 1)), Verdict::Due(51_000));
    pipe.set_plan(100_000, fast.into());
    assert_eq!(pipe.push(109_999, Opaque::new(1, 1)), Verdict::Lost(Cause::Outage));
    assert_eq!(pipe.push(110_000, Opaque::new(2, 1)), Verdict::Due(110_000));
    let mut out = Vec::new();
    drain(&mut pipe, &mut out);
    assert_eq!(out.iter().map(|one| one.payload.id).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn another_trace_begins_at_its_beginning() {
    let traced = |text: &str| {
        let trace = cc_netem::Trace::parse("t", text).unwrap();
        Config { trace: Some(trace.into()), ..Config::default() }
    };
    let mut pipe = pipe(&traced("1\n"), 1);
    let mut out = steady(&mut pipe, 100, 1000, 100);
    pipe.set_plan(200_000, cc_netem::Plan::new(&traced("10\n")).unwrap().into());
    pipe.push(200_000, Opaque::new(100, 100));
    drain(&mut pipe, &mut out);
    assert_eq!(out.last().map(|one| one.due), Some(210_000));
}

/// The lengths of the gaps in the numbers that arrived.
fn bursts(out: &[cc_netem::Delivery<Opaque>]) -> Vec<f64> {
    out.windows(2)
        .map(|pair| pair[1].number - pair[0].number - 1)
        .filter(|&run| run > 0)
        .map(|run| run as f64)
        .collect()
}
