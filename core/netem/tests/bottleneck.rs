//! The queue and the rate: exactness, bounds, CoDel against a queue that only fills, recorded links.

mod common;

use std::collections::VecDeque;

use cc_netem::config::{Codel, During, Outage, Queue, Step, TraceRef};
use cc_netem::{Cause, Config, Opaque, Payload, Pipe, Trace, Verdict, MAX_BYTES, MAX_PACKETS};
use common::{drain, mean, near, pipe, quantile, steady};

fn codel() -> Option<Codel> {
    Some(Codel::default())
}

fn traced(name: &str, text: &str) -> Config {
    let trace = Trace::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
    Config { trace: Some(trace.into()), ..Config::default() }
}

#[test]
fn a_rate_is_exact_and_does_not_drift() {
    // 7,777 kbit/s and 1,228 bytes a packet: 1263.212...us each, no whole number.
    let queue = Queue { packets: Some(65_536.0), ..Queue::default() };
    let config = Config { rate_kbit: Some(7777.0), queue, ..Config::default() };
    let mut limited = pipe(&config, 1);
    let mut out = Vec::new();
    for id in 0..60_000 {
        let at = id * 1200;
        limited.push(at, Opaque::new(id, 1200));
        out.extend(std::iter::from_fn(|| limited.pop(at)));
    }
    drain(&mut limited, &mut out);
    assert_eq!(out.len(), 60_000);
    let bits = 1228u128 * 8;
    for (index, one) in out.iter().enumerate() {
        let sent = (index as u128 + 1) * bits * 1_000_000;
        let exact = sent.div_ceil(7_777_000);
        assert!((exact..=exact + 1).contains(&u128::from(one.due)), "packet {index}: {} for {exact}", one.due);
    }
}

#[test]
fn an_idle_link_sends_at_once_and_saves_nothing_up() {
    let config = Config { rate_kbit: Some(8.0), overhead_bytes: 0.0, ..Config::default() };
    let mut slow = pipe(&config, 1);
    // A byte takes a millisecond.
    assert_eq!(slow.push(5_000_000, Opaque::new(0, 10)), Verdict::Queued);
    assert_eq!(slow.push(5_000_000, Opaque::new(1, 10)), Verdict::Queued);
    assert_eq!((slow.next_timeout(), slow.pop(5_009_999)), (Some(5_010_000), None));
    assert_eq!(slow.pop(5_010_000).map(|one| one.payload.id), Some(0));
    assert_eq!(slow.pop(6_000_000).map(|one| one.due), Some(5_020_000));
    slow.push(6_000_000, Opaque::new(2, 10));
    assert_eq!(slow.pop(7_000_000).map(|one| one.due), Some(6_010_000));
}

#[test]
fn a_changing_rate_counts_from_the_moment_it_changes() {
    let script = vec![Step { at_ms: 5.0, rate_kbit: Some(16.0), ..Step::default() }];
    let held = Outage { at_ms: 6.0, for_ms: 100.0, every_ms: None, packets: During::Held };
    let config = Config { rate_kbit: Some(8.0), overhead_bytes: 0.0, script, outages: vec![held], ..Config::default() };
    let mut pipe = pipe(&config, 1);
    // 10 bytes: 5 until 5 ms, 2 until 6 ms, a standstill until 106 ms, 3 at half a millisecond each.
    pipe.push(0, Opaque::new(0, 10));
    assert_eq!(pipe.next_timeout(), Some(107_500));
}

#[test]
fn queue_bounds_hold() {
    let fill = |queue: Queue| {
        let mut pipe = pipe(&Config { rate_kbit: Some(1000.0), queue, ..Config::default() }, 1);
        for id in 0..3000 {
            pipe.push(0, Opaque::new(id, 972));
        }
        assert_eq!(pipe.counters().lost(Cause::QueueFull) + pipe.in_flight().0 as u64, 3000);
        let waiting = pipe.waiting();
        let mut out = Vec::new();
        drain(&mut pipe, &mut out);
        assert_eq!(out.len(), waiting.0 + 1);
        waiting
    };
    assert_eq!(fill(Queue { packets: Some(50.0), ..Queue::default() }), (50, 50_000));
    assert_eq!(fill(Queue { bytes: Some(20_500.0), ..Queue::default() }), (20, 20_000));
    // 1,000 kbit/s for 160 ms are 20,000 bytes.
    assert_eq!(fill(Queue { ms: Some(160.0), ..Queue::default() }), (20, 20_000));
    assert_eq!(fill(Queue::default()), (1000, 1_000_000));
    assert_eq!(fill(Queue { bytes: Some(1.0), ..Queue::default() }), (1, 1000));
}

#[test]
fn nothing_grows_without_bound() {
    let mut many = pipe(&Config { delay_ms: 60_000.0, ..Config::default() }, 1);
    for id in 0..MAX_PACKETS as u64 + 500 {
        many.push(0, Opaque::new(id, 10));
    }
    assert_eq!((many.in_flight().0, many.counters().lost(Cause::Overflow)), (MAX_PACKETS, 500));
    let script = vec![Step { at_ms: 1.0, duplicate: Some(100.0), ..Step::default() }];
    let mut copied = pipe(&Config { delay_ms: 60_000.0, script, ..Config::default() }, 1);
    // One packet, then twice as many as are pushed: the last copy has no room.
    for id in 0..50_000 {
        copied.push(id * 1000, Opaque::new(id, 10));
    }
    assert_eq!(copied.in_flight().0, MAX_PACKETS);
    let queue = Queue { packets: Some(65_536.0), ..Queue::default() };
    let mut big = pipe(&Config { rate_kbit: Some(1.0), queue, duplicate: 100.0, ..Config::default() }, 1);
    for id in 0..3000 {
        big.push(0, Opaque::new(id, 60_000));
    }
    assert!(
        big.in_flight().1 <= MAX_BYTES
            && big.counters().lost(Cause::QueueFull) + big.counters().lost(Cause::Overflow) > 1800
    );
    let mut kept = pipe(&Config::default(), 1);
    kept.keep_events(true);
    steady(&mut kept, 70_000, 1, 1);
    assert_eq!(kept.events().count() as u64 + kept.events_forgotten(), 70_000);
    assert_eq!(kept.events().count(), cc_netem::MAX_EVENTS);
}

#[test]
fn a_link_that_never_sends_ends_the_search() {
    let hold = |at_ms| Outage { at_ms, for_ms: 1.0, every_ms: Some(2.0), packets: During::Held };
    let config = Config { rate_kbit: Some(1000.0), outages: vec![hold(0.0), hold(1.0)], ..Config::default() };
    let mut stuck = pipe(&config, 1);
    assert_eq!(stuck.push(0, Opaque::new(0, 100)), Verdict::Lost(Cause::Stalled));
    assert_eq!(stuck.in_flight(), (0, 0));
    let mut stuck = pipe(&Config { outages: vec![hold(0.0), hold(1.0)], ..traced("a", "1\n2\n") }, 1);
    assert_eq!(stuck.push(0, Opaque::new(0, 100)), Verdict::Lost(Cause::Stalled));
}

/// A sender that fills the link as loss-based congestion control does: one packet more a round trip, half as many
/// after a loss. Gives the waits of what arrived after the first 5 s, in microseconds, and the share of the rate used.
fn greedy(queue: Queue) -> (Vec<f64>, f64) {
    const END: u64 = 40_000_000;
    let rate = 10_000.0;
    let mut pipe = pipe(&Config { rate_kbit: Some(rate), queue, delay_ms: 20.0, ..Config::default() }, 1);
    let (mut window, mut next) = (10.0f64, 0u64);
    let mut flying: VecDeque<u64> = VecDeque::new();
    let mut acks: VecDeque<(u64, u64)> = VecDeque::new();
    let (mut now, mut recovered, mut waits, mut bytes) = (0, 0, Vec::new(), 0u64);
    while now < END {
        while let Some(one) = pipe.pop(now) {
            bytes += 1228;
            if now > 5_000_000 {
                waits.push((one.due - one.sent) as f64 - 20_000.0);
            }
            acks.push_back((one.due + 20_000, one.number));
        }
        while let Some((_, number)) = acks.front().copied().filter(|ack| ack.0 <= now) {
            acks.pop_front();
            let mut lost = false;
            while let Some(oldest) = flying.front().copied().filter(|&oldest| oldest <= number) {
                lost |= oldest < number && oldest >= recovered;
                flying.pop_front();
            }
            if lost {
                window = (window / 2.0).max(2.0);
                recovered = next;
            } else {
                window += 1.0 / window;
            }
        }
        while (flying.len() as f64) < window {
            pipe.push(now, Opaque::new(next, 1200));
            flying.push_back(next);
            next += 1;
        }
        let ack = acks.front().map(|ack| ack.0);
        // With nothing under way every packet of the window was lost: it begins anew.
        let Some(at) = pipe.next_timeout().into_iter().chain(ack).min() else {
            flying.clear();
            continue;
        };
        now = at.max(now);
    }
    (waits, bytes as f64 * 8.0 / (rate * 1000.0 * END as f64 / 1e6))
}

#[test]
fn codel_keeps_the_standing_queue_near_its_target() {
    let deep = Queue { packets: Some(1000.0), ..Queue::default() };
    let (bloated, _) = greedy(deep.clone());
    let (short, used) = greedy(Queue { codel: codel(), ..deep });
    assert!(quantile(&bloated, 0.5) > 100_000.0, "{}", quantile(&bloated, 0.5));
    let standing = quantile(&short, 0.5);
    assert!((500.0..12_000.0).contains(&standing), "median wait {standing} us");
    assert!(quantile(&short, 0.95) < 40_000.0, "p95 {}", quantile(&short, 0.95));
    assert!(used > 0.8, "used {used}");
}

#[test]
fn codel_leaves_short_queues_alone_and_bounds_still_hold() {
    let queue = Queue { packets: Some(100.0), codel: codel(), ..Queue::default() };
    let config = Config { rate_kbit: Some(10_000.0), queue, ..Config::default() };
    // Bursts of 4 packets that are gone within 4 ms.
    let mut bursty = pipe(&config, 1);
    for round in 0..1000u64 {
        for id in 0..4 {
            bursty.push(round * 10_000, Opaque::new(id, 1200));
        }
    }
    assert_eq!(bursty.counters().lost_in_all(), 0);
    // Twice the rate, without reacting: CoDel alone cannot stop that, the bound does.
    let mut flooded = pipe(&config, 1);
    let out = steady(&mut flooded, 20_000, 491, 1200);
    assert!(flooded.counters().lost(Cause::Codel) > 100 && flooded.counters().lost(Cause::QueueFull) > 100);
    assert!(flooded.counters().queue_peak_bytes <= 100 * 1228);
    near(out.len() as f64, 10_000.0, 0.02);
}

/// A payload whose sender takes part in ECN.
#[derive(Debug, Clone)]
struct Able {
    marked: bool,
}

impl Payload for Able {
    fn size(&self) -> usize {
        1000
    }

    fn flip(&mut self, _bit: usize) {}

    fn mark(&mut self) -> bool {
        self.marked = true;
        true
    }
}

#[test]
fn codel_marks_at_the_times_of_its_law_those_that_may_be_marked() {
    let told = |ecn| {
        let codel = Some(Codel { ecn, ..Codel::default() });
        let queue = Queue { packets: Some(10_000.0), codel, ..Queue::default() };
        let config = Config { rate_kbit: Some(8000.0), overhead_bytes: 0.0, queue, ..Config::default() };
        let mut pipe = Pipe::new(&config, 1, "able", 0).unwrap();
        let mut marks = Vec::new();
        for id in 0..2000u64 {
            let at = id.saturating_sub(200) * 1000;
            pipe.push(at, Able { marked: false });
            let arrived = std::iter::from_fn(|| pipe.pop(at));
            marks.extend(arrived.filter(|packet| packet.payload.marked).map(|packet| packet.due));
        }
        let counters = pipe.counters();
        (marks, counters.marked, counters.lost(Cause::Codel))
    };
    let (marks, marked, dropped) = told(true);
    // Each is on the link for a millisecond after it was marked.
    assert_eq!(marks[..4], [106_000, 206_000, 277_000, 335_000]);
    assert!(marked as usize >= marks.len() && dropped == 0, "{marked} marked, {dropped} dropped");
    let (marks, marked, dropped) = told(false);
    assert!(marks.is_empty() && marked == 0 && dropped > 4, "unless asked for, it drops");
    // Whose sender takes no part is dropped, as without ECN.
    let queue =
        Queue { packets: Some(100.0), codel: Some(Codel { ecn: true, ..Codel::default() }), ..Queue::default() };
    let mut unable = pipe(&Config { rate_kbit: Some(10_000.0), queue, ..Config::default() }, 1);
    steady(&mut unable, 20_000, 491, 1200);
    assert!(unable.counters().lost(Cause::Codel) > 100 && unable.counters().marked == 0);
}

#[test]
fn codel_drops_at_the_times_of_its_law() {
    // A standing queue of 1,000-byte packets at 1 ms each, kept up by one push a millisecond after 200 at once.
    let queue = Queue { packets: Some(10_000.0), codel: codel(), ..Queue::default() };
    let config = Config { rate_kbit: Some(8000.0), overhead_bytes: 0.0, queue, ..Config::default() };
    let mut pipe = pipe(&config, 1);
    pipe.keep_events(true);
    for id in 0..2000u64 {
        let at = id.saturating_sub(200) * 1000;
        pipe.push(at, Opaque::new(id, 1000));
    }
    let drops: Vec<u64> = pipe
        .events()
        .filter(|event| event.fate == cc_netem::Fate::Lost(Cause::Codel))
        .map(|event| event.at)
        .take(4)
        .collect();
    // Above the target first when the packet dequeued at 5 ms has waited 5 ms; an interval later the first drop,
    // then after 100, 100/sqrt(2), 100/sqrt(3) ms, at the next dequeue, which are a millisecond apart.
    assert_eq!(drops, [105_000, 205_000, 276_000, 334_000]);
}

/// When CoDel drops, for two standing queues with a pause of `pause` microseconds between them.
fn two_episodes(pause: u64) -> [Vec<u64>; 2] {
    let queue = Queue { packets: Some(10_000.0), codel: codel(), ..Queue::default() };
    let config = Config { rate_kbit: Some(8000.0), overhead_bytes: 0.0, queue, ..Config::default() };
    let mut pipe = pipe(&config, 1);
    pipe.keep_events(true);
    // The first lasts for 800 ms: it is 80 packets deep, and begins at 0.
    let second = 880_000 + pause;
    for begin in [0, second] {
        for id in 0..880u64 {
            pipe.push(begin + id.saturating_sub(80) * 1000, Opaque::new(id, 1000));
        }
    }
    let dropped = |event: &&cc_netem::Event| event.fate == cc_netem::Fate::Lost(Cause::Codel);
    let drops: Vec<u64> = pipe.events().filter(dropped).map(|event| event.at).collect();
    let (first, later) = drops.split_at(drops.partition_point(|&at| at < second));
    [first.to_vec(), later.iter().map(|at| at - second).collect()]
}

#[test]
fn codel_goes_on_where_it_was_unless_it_was_long_ago() {
    let [first, second] = two_episodes(1_700_000);
    assert!(second.len() > 10 && first.starts_with(&second), "{first:?} {second:?}");
    let [first, second] = two_episodes(200_000);
    assert_eq!(first[0], second[0]);
    let (before, after) = (first[1] - first[0], second[1] - second[0]);
    assert!(after < before / 3, "{before} {after}");
}

#[test]
fn codel_never_drops_the_only_packet_that_waits() {
    // A packet takes 120 ms, above CoDel's interval; two wait at all times.
    let queue = Queue { codel: codel(), ..Queue::default() };
    let mut slow = pipe(&Config { rate_kbit: Some(100.0), queue, ..Config::default() }, 1);
    for id in 0..50u64 {
        slow.push(id.saturating_sub(2) * 120_000, Opaque::new(id, 1472));
    }
    assert_eq!((slow.counters().lost_in_all(), slow.waiting().0), (0, 2));
}

#[test]
fn mahimahi_opportunities_carry_1500_bytes_each() {
    // 3 in 10 ms, repeating.
    let config = Config { overhead_bytes: 0.0, ..traced("cell.up", "2\n2\n10\n") };
    let due = |sizes: &[usize]| {
        let mut pipe = pipe(&config, 1);
        for (id, &len) in sizes.iter().enumerate() {
            pipe.push(0, Opaque::new(id as u64, len));
        }
        let mut out = Vec::new();
        drain(&mut pipe, &mut out);
        out.iter().map(|one| one.due / 1000).collect::<Vec<_>>()
    };
    assert_eq!(due(&[1500; 5]), [2, 2, 10, 12, 12]);
    assert_eq!(due(&[500, 1000, 1500, 1]), [2, 2, 2, 10]);
    assert_eq!(due(&[3000, 1501, 100]), [2, 12, 12]);
    let mut late = pipe(&config, 1);
    late.push(1_000_002_001, Opaque::new(0, 1500));
    assert_eq!(late.next_timeout(), Some(1_000_010_000));
    late.push(1_000_010_000, Opaque::new(1, 1500));
    assert_eq!(late.next_timeout(), Some(1_000_010_000));
}

#[test]
fn a_mahimahi_trace_has_its_mean_rate() {
    // 12 Mbit/s: a line each millisecond.
    let text: String = (1..=100).map(|ms| format!("{ms}\n")).collect();
    let config = Config { overhead_bytes: 0.0, ..traced("12mbit", &text) };
    let out = steady(&mut pipe(&config, 1), 20_000, 500, 1500);
    let rates: Vec<f64> = out.windows(2).map(|pair| (pair[1].due - pair[0].due) as f64).collect();
    near(mean(&rates), 1000.0, 0.001);
}

#[test]
fn a_table_sets_delay_loss_and_rate() {
    let text = "time_ms, rate, delay_ms, loss\n1000,8,0,0\n1010,0,5,0\n1020,80,0,100\n";
    let config = Config { overhead_bytes: 0.0, ..traced("walk.csv", text) };
    let mut pipe = pipe(&config, 1);
    // A byte a millisecond for 10 ms, nothing for 10, ten a millisecond with total loss for 10, and again.
    pipe.push(0, Opaque::new(0, 8));
    assert_eq!(pipe.pop(8_000).map(|one| one.due), Some(8_000));
    pipe.push(8_000, Opaque::new(1, 3));
    pipe.push(30_000, Opaque::new(2, 10));
    let mut out = Vec::new();
    drain(&mut pipe, &mut out);
    // Two bytes before the standstill, the third 0.1 ms after it, into the loss; the last at the row's very end,
    // where the delay of the next row holds.
    assert_eq!(pipe.counters().lost(Cause::Trace), 1);
    assert_eq!(out.iter().map(|one| (one.payload.id, one.due)).collect::<Vec<_>>(), [(2, 45_000)]);
}

#[test]
fn a_table_without_rates_leaves_the_rate_to_the_config() {
    let trace: TraceRef = Trace::parse("d.csv", "time_ms,delay_ms\n0,7\n").unwrap().into();
    let config = Config { trace: Some(trace), rate_kbit: Some(8.0), overhead_bytes: 0.0, ..Config::default() };
    let mut pipe: Pipe<Opaque> = Pipe::new(&config, 1, "t", 0).unwrap();
    pipe.push(0, Opaque::new(0, 3));
    assert_eq!(pipe.pop(u64::MAX >> 3).map(|one| one.due), Some(10_000));
}

#[test]
fn an_empty_packet_waits_for_a_standing_link_too() {
    let config = Config { overhead_bytes: 0.0, ..traced("stop.csv", "time_ms,rate\n0,0\n10,8\n") };
    let mut pipe = pipe(&config, 1);
    pipe.push(0, Opaque::new(0, 0));
    assert_eq!(pipe.pop(10_000).map(|one| one.due), Some(10_000));
}
