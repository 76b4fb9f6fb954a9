//! The controller on simulated links: what play needs of it.

use std::time::{Duration, Instant};

use quinn_proto::congestion::Controller;

use super::sim::{Link, Source, World, MS, SECOND};
use super::{RealtimeConfig, RealtimeFactory};

const GAME: Source = Source::Game(240_000);

/// A link whose queue holds `queue_ms` of its rate.
fn link(megabits: u64, one_way_ms: u64, queue_ms: u64) -> Link {
    let rate = megabits * 1_000_000;
    Link { rate, delay: one_way_ms * MS, queue: rate / 8 * queue_ms / 1000, loss: 0, jitter: 0 }
}

/// Share of the link's rate that a flow got in `seconds`.
fn share(world: &World, flow: usize, seconds: u64) -> f64 {
    let bytes = world.flows[flow].tally.delivered_bytes;
    bytes as f64 * 8.0 / (world.link.rate * seconds) as f64
}

#[test]
fn game_traffic_over_80_ms_is_delivered_with_and_without_random_loss() {
    for (loss, least) in [(0, 0.99), (10, 0.98), (50, 0.90), (90, 0.85)] {
        for seed in 1..=5 {
            let mut world = World::new(link(100, 40, 100), seed);
            world.link.loss = loss;
            let flow = world.add(GAME);
            world.run(30 * SECOND);
            let share = world.flows[flow].tally.delivered_share();
            assert!(share >= least, "loss {loss}, seed {seed}: {share}");
        }
    }
}

/// 20% of the one-way delay and a packet's time, at twice the link's rate.
#[test]
fn an_overloaded_link_is_filled_with_a_short_queue() {
    let overload = |one_way, source, seed| {
        let mut world = World::new(link(10, one_way, 200), seed);
        let flow = world.add(source);
        world.run(5 * SECOND);
        world.reset();
        world.run(20 * SECOND);
        let p99 = world.flows[flow].tally.queue_percentile(99);
        assert!(p99 <= one_way * MS / 5 + MS, "seed {seed}: p99 {p99} us");
        let share = share(&world, flow, 20);
        assert!(share > 0.93, "seed {seed}: {share}");
    };
    for one_way in [20, 40] {
        overload(one_way, Source::Bulk, 1);
        for seed in 1..=5 {
            overload(one_way, Source::Game(2_500_000), seed);
        }
    }
}

#[test]
fn starting_overshoots_by_little_and_soon_fills_the_link() {
    for (megabits, one_way) in [(1, 20), (10, 20), (100, 40), (500, 10)] {
        let mut world = World::new(link(megabits, one_way, 500), 3);
        let flow = world.add(Source::Bulk);
        world.run(2 * SECOND);
        // A start meets the queue of the first window, or of a doubling.
        let worst = world.flows[flow].tally.queue_percentile(100);
        let first_window = 32 * 1200 * 8 / megabits;
        let most = first_window.max(2 * one_way * MS) + 10 * MS;
        assert!(worst < most, "{megabits} Mbit/s: {worst} us");
        world.reset();
        world.run(3 * SECOND);
        let share = share(&world, flow, 3);
        assert!(share > 0.8, "{megabits} Mbit/s: {share}");
    }
}

#[test]
fn two_flows_share_within_two_to_one_however_they_start() {
    for (megabits, one_way) in [(10, 20), (50, 40)] {
        for late in [0, 3, 7] {
            let mut world = World::new(link(megabits, one_way, 200), 11 + late);
            world.add(Source::Bulk);
            world.run(late * SECOND);
            world.add(Source::Bulk);
            world.run(10 * SECOND);
            world.reset();
            world.run(20 * SECOND);
            let (a, b) = (share(&world, 0, 20), share(&world, 1, 20));
            assert!(a < 2.0 * b && b < 2.0 * a, "late by {late} s: {a} {b}");
            assert!(a + b > 0.85, "{a} {b}");
        }
    }
}

#[test]
fn random_loss_up_to_a_tenth_does_not_collapse_the_window() {
    for (loss, least) in [(20, 0.9), (50, 0.8), (90, 0.6)] {
        let mut world = World::new(link(10, 40, 200), 5);
        world.link.loss = loss;
        let flow = world.add(Source::Bulk);
        world.run(5 * SECOND);
        world.reset();
        world.run(20 * SECOND);
        let share = share(&world, flow, 20);
        assert!(share > least, "loss {loss}: {share}");
    }
}

#[test]
fn loss_beyond_the_tolerance_is_answered() {
    let mut world = World::new(link(100, 20, 200), 5);
    let flow = world.add(Source::Bulk);
    world.run(5 * SECOND);
    let before = world.flows[flow].readings.window();
    world.link.loss = 300;
    world.run(2 * SECOND);
    let readings = &world.flows[flow].readings;
    assert!(readings.window() < before / 4, "{} of {before}", readings.window());
    assert!((200..400).contains(&readings.loss_permille()));
}

#[test]
fn a_shallow_buffer_is_not_kept_overflowing() {
    let mut world = World::new(link(10, 20, 3), 5);
    let flow = world.add(Source::Bulk);
    world.run(5 * SECOND);
    world.reset();
    world.run(20 * SECOND);
    let tally = &world.flows[flow].tally;
    let lost = tally.lost as f64 / tally.offered as f64;
    let share = share(&world, flow, 20);
    assert!(lost < 0.04, "{lost}");
    assert!(share > 0.8, "{share}");
}

#[test]
fn a_flow_recovers_from_an_outage() {
    for seconds in [1, 3, 10] {
        let mut world = World::new(link(10, 20, 200), 9);
        let flow = world.add(Source::Bulk);
        world.run(5 * SECOND);
        world.link.loss = 1000;
        world.run(seconds * SECOND);
        world.link.loss = 0;
        // The last probe before may have doubled its patience to this.
        world.run(seconds * SECOND + SECOND);
        world.reset();
        world.run(2 * SECOND);
        let share = share(&world, flow, 2);
        assert!(share > 0.85, "after {seconds} s: {share}");
    }
}

#[test]
fn a_pause_costs_nothing_even_into_a_busy_link() {
    for busy in [false, true] {
        let mut world = World::new(link(10, 20, 200), 4);
        let flow = world.add(Source::Bulk);
        world.run(5 * SECOND);
        world.flows[flow].source = Source::Idle;
        let other = world.add(if busy { Source::Bulk } else { Source::Idle });
        world.run(15 * SECOND);
        world.flows[flow].source = Source::Game(120_000);
        world.reset();
        world.run(2 * SECOND);
        let share = world.flows[flow].tally.delivered_share();
        assert!(share > 0.9, "busy {busy}: {share}");
        assert!(other != flow);
    }
}

#[test]
fn a_window_not_in_use_is_kept_and_not_grown() {
    let mut world = World::new(link(100, 40, 100), 2);
    let flow = world.add(Source::Game(30_000));
    let initial = world.flows[flow].readings.window();
    world.run(60 * SECOND);
    assert_eq!(world.flows[flow].readings.window(), initial);
    assert_eq!(initial, 32 * 1200);
}

#[test]
fn a_path_that_becomes_faster_or_slower_is_followed() {
    let mut world = World::new(link(5, 20, 300), 6);
    let flow = world.add(Source::Bulk);
    world.run(5 * SECOND);
    world.link.rate = 40_000_000;
    world.run(4 * SECOND);
    world.reset();
    world.run(2 * SECOND);
    let up = share(&world, flow, 2);
    assert!(up > 0.7, "{up}");
    world.link.rate = 5_000_000;
    world.run(2 * SECOND);
    world.reset();
    world.run(5 * SECOND);
    assert!(share(&world, flow, 5) > 0.85);
    let p99 = world.flows[flow].tally.queue_percentile(99);
    assert!(p99 < 8 * MS, "{p99}");
}

#[test]
fn jitter_is_not_taken_for_a_queue() {
    for jitter in [3, 10] {
        let mut world = World::new(link(10, 20, 300), 8);
        world.link.jitter = jitter * MS;
        let flow = world.add(Source::Bulk);
        world.run(5 * SECOND);
        world.reset();
        world.run(20 * SECOND);
        let share = share(&world, flow, 20);
        assert!(share > 0.6, "jitter {jitter}: {share}");
    }
}

#[test]
fn readings_follow_the_controller() {
    let mut world = World::new(link(10, 20, 200), 1);
    let flow = world.add(Source::Bulk);
    world.run(10 * SECOND);
    let r = &world.flows[flow].readings;
    assert!((40..43).contains(&(r.min_rtt().as_millis() as u64)), "{:?}", r.min_rtt());
    assert!(r.queue_delay().as_millis() < 8, "{:?}", r.queue_delay());
    for rate in [r.send_rate(), r.delivery_rate()] {
        assert!((1_000_000..1_400_000).contains(&rate), "{rate}");
    }
    assert!(r.in_flight() <= r.window() && r.in_flight() + 4 * 1200 > r.window());
    assert_eq!(r.room(), r.window() - r.in_flight());
    assert_eq!(r.loss_permille(), 0);
}

#[test]
fn one_seed_gives_one_run() {
    let run = || {
        let mut world = World::new(link(10, 20, 50), 42);
        world.link.loss = 30;
        world.link.jitter = 2 * MS;
        world.add(Source::Bulk);
        world.add(GAME);
        world.run(5 * SECOND);
        let tally = |i: usize| world.flows[i].tally.queued.clone();
        (tally(0), tally(1))
    };
    assert!(run() == run());
}

#[test]
fn persistent_congestion_leaves_the_floor_and_marks_cut_once_a_round() {
    let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
    let start = Instant::now();
    let mut controller = factory.controller(start, 1200);
    let first = controller.window();
    assert_eq!((first, readings.window()), (32 * 1200, 32 * 1200));

    let at = |ms| start + Duration::from_millis(ms);
    controller.on_congestion_event(at(50), at(10), false, 0);
    let marked = controller.window();
    assert_eq!(marked, first * 85 / 100);
    controller.on_congestion_event(at(51), at(11), false, 0);
    assert_eq!(controller.window(), marked, "sent before the cut");
    controller.on_congestion_event(at(100), at(60), false, 0);
    assert_eq!(controller.window(), marked * 85 / 100);

    controller.on_congestion_event(at(200), at(150), true, 5000);
    assert_eq!(readings.window(), 4 * 1200);
    controller.on_mtu_update(1400);
    assert_eq!(readings.window(), 4 * 1400);
    assert_eq!(controller.initial_window(), 32 * 1400);
}

/// A queue of others that stands at 1.5 s leaves enough for inputs and a voice. Losses take that, too.
#[test]
fn others_queue_leaves_the_rate_that_is_kept() {
    let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
    let start = Instant::now();
    let mut controller = factory.controller(start, 1200);
    let mut now = start;
    let mut round = |rtt: u64, lost: u64| {
        let (sent, each) = (now, readings.window() / 40);
        now += Duration::from_millis(rtt);
        for left in (0..40).rev() {
            now += Duration::from_millis(1);
            if left % 10 < lost {
                controller.on_congestion_event(now, sent, false, each);
            } else {
                controller.acked(sent, each);
                controller.on_end_acks(now, left * each, false, Some(0));
            }
        }
    };
    (0..4).for_each(|_| round(40, 0));
    (0..6).for_each(|_| round(1500, 0));
    let kept = readings.window();
    assert!((20_000..32_000).contains(&kept), "{kept}");
    (0..8).for_each(|_| round(1500, 4));
    assert!(readings.window() < kept / 2, "{} of {kept}", readings.window());
}

/// A peer that is heard again after a silence: a few packets more, until they are acknowledged.
#[test]
fn a_grant_lasts_until_something_is_acknowledged() {
    let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
    let start = Instant::now();
    let mut controller = factory.controller(start, 1200);
    controller.on_sent(start, 1200, 0);
    readings.grant(4 * 1200);
    assert_eq!((controller.window(), readings.window()), (36 * 1200, 32 * 1200));
    controller.acked(start, 1200);
    controller.on_end_acks(start + Duration::from_millis(9), 0, false, Some(0));
    assert_eq!(controller.window(), readings.window());
}

#[test]
fn settings_out_of_range_are_taken_to_the_nearest_within() {
    let config = RealtimeConfig { initial_window: 0, min_window: 100, max_window: 0, ..RealtimeConfig::default() };
    let (factory, readings) = RealtimeFactory::new(config);
    let controller = factory.controller(Instant::now(), 1200);
    assert_eq!(readings.window(), 10 * 1200);
    assert_eq!(controller.initial_window(), 10 * 1200);
}

#[test]
fn a_copy_writes_the_same_readings_and_a_new_path_starts_them_anew() {
    let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
    let start = Instant::now();
    let mut first = factory.controller(start, 1200);
    first.on_sent(start, 3000, 0);
    assert_eq!(readings.in_flight(), 3000);
    let mut copy = first.clone_box();
    copy.on_sent(start, 1000, 1);
    assert_eq!(readings.in_flight(), 4000);
    factory.controller(start, 1200);
    assert_eq!((readings.in_flight(), readings.room()), (0, 32 * 1200));
}

#[test]
fn an_acknowledgement_of_nothing_known_changes_nothing() {
    let (factory, readings) = RealtimeFactory::new(RealtimeConfig::default());
    let start = Instant::now();
    let mut controller = factory.controller(start, 1200);
    controller.on_end_acks(start, 0, true, None);
    // An acknowledgement at the instant of sending: a round trip of zero.
    controller.acked(start, 1200);
    controller.on_end_acks(start, 0, true, Some(0));
    assert!(controller.window() >= 32 * 1200);
    assert_eq!(readings.min_rtt(), Duration::ZERO);
}
