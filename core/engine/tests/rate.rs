//! What arrives, and how soon, over slow and lossy paths.

mod common;

use cc_engine::{Congestion, Delivery, Engine, Place, Time, TrackKind};
use common::{client, config, relay, track, Identity, Path, World};

const SECOND: Time = 1_000_000;

/// One client that publishes into a relay, and a local subscription there. `path` is the client's way.
fn world(path: Path, congestion: Congestion) -> World {
    let identity = Identity::new();
    let mut world = World::new();
    let hub = world.add(relay(1, &identity, true));
    let mut config = config(2);
    config.congestion = congestion;
    let sender = world.add(Engine::new(config, 0).unwrap());
    world.nodes[sender].path = path;
    world.nodes[hub].path = Path { loss: path.loss, rate: 0, ..path };
    world.open_link(sender, 1, hub, &identity, None);
    world.subscribe(hub, 20, Place::Node, "games", "");
    world.run(2 * SECOND);
    world
}

/// Publishes `count` frames of `size` bytes at 60 Hz, `per_tick` at once.
fn play(world: &mut World, publication: u64, ticks: usize, per_tick: usize, size: usize) {
    for _ in 0..ticks {
        for _ in 0..per_tick {
            world.send(1, publication, vec![7; size]);
        }
        world.run(SECOND / 60);
    }
    world.run(SECOND);
}

fn delivered(world: &mut World, congestion: Congestion, loss: u32) -> f64 {
    let _ = congestion;
    let _ = loss;
    let config = track("games/r/up", "p", TrackKind::FrameDatagram, "");
    world.publish(1, 10, Place::Link(1), config);
    world.run(SECOND);
    // 60 Hz x 5 frames x 800 bytes: 240 kB/s.
    play(world, 10, 1200, 5, 800);
    world.frames(0).len() as f64 / 6000.0
}

/// 240 kB/s over 80 ms round trip, as the design asks.
#[test]
fn a_steady_load_is_delivered_over_a_long_path() {
    let path = Path { delay: 40_000, ..Path::default() };
    let mut clean = world(path, Congestion::Realtime);
    let share = delivered(&mut clean, Congestion::Realtime, 0);
    assert!(share >= 0.99, "no loss: {share}");
    let mut lossy = world(Path { loss: 50, ..path }, Congestion::Realtime);
    let share = delivered(&mut lossy, Congestion::Realtime, 50);
    assert!(share >= 0.90, "5% loss: {share}");
}

/// A queue that handed over only what the window takes would freeze the window: every controller has to grow it.
#[test]
fn the_window_of_each_controller_grows_under_a_steady_load() {
    let path = Path { delay: 40_000, ..Path::default() };
    for congestion in [Congestion::Realtime, Congestion::Cubic, Congestion::Bbr] {
        let mut world = world(path, congestion);
        let share = delivered(&mut world, congestion, 0);
        assert!(share >= 0.98, "{congestion:?}: {share}");
    }
}

fn percentile(mut values: Vec<Time>, percent: usize) -> Time {
    values.sort_unstable();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// What matters most, as publication 10, and what may be dropped, as 11.
fn publish_high_and_low(world: &mut World) {
    let mut high = track("games/r/up", "high", TrackKind::FrameDatagram, "");
    high.priority = 0;
    let mut low = track("games/r/up", "low", TrackKind::FrameDatagram, "");
    low.priority = 200;
    low.ttl = Some(200_000);
    world.publish(1, 10, Place::Link(1), high);
    world.publish(1, 11, Place::Link(1), low);
}

/// At twice the link's rate, the most important frames wait for no others, and the others are dropped and counted.
#[test]
fn important_frames_pass_an_overload() {
    let path = Path { delay: 40_000, rate: 1_250_000, buffer: 256 << 10, ..Path::default() };
    let mut world = world(path, Congestion::Realtime);
    publish_high_and_low(&mut world);
    world.run(SECOND);
    let mut latency = Vec::new();
    for tick in 0..1200_u32 {
        let sent = world.now;
        world.send(1, 10, [sent.to_le_bytes().to_vec(), vec![1; 92]].concat());
        // 40 x 1000 bytes x 60 Hz = 2.4 MB/s: about twice 10 Mbit/s.
        for _ in 0..40 {
            world.send(1, 11, vec![2; 1000]);
        }
        world.run(SECOND / 60);
        for (at, frame) in std::mem::take(&mut world.nodes[0].frames) {
            if frame.payload.len() == 100 && tick > 300 {
                let sent = Time::from_le_bytes(frame.payload[..8].try_into().unwrap());
                latency.push(at - sent);
            }
        }
    }
    let stats = world.engine(1).track_stats(11).unwrap();
    let p99 = percentile(latency.clone(), 99);
    let packet = 1200;
    // The idle link's 40 ms, one packet's time, and a fifth of the one-way delay.
    let (p50, wait) = (percentile(latency.clone(), 50), world.nodes[1].longest_wait);
    assert!(p99 <= 40_000 + packet + 8_000, "p99 {p99} us, p50 {p50} us, longest wait in the network {wait} us");
    assert!(latency.len() >= 890, "{} high frames", latency.len());
    assert!(stats.drops.iter().sum::<u64>() > 10_000, "{stats:?}");
    assert_eq!(stats.frames, stats.sent_frames + stats.queued_frames + stats.drops.iter().sum::<u64>());
}

/// A burst of losses takes all of the window, and with it whatever would tell of that. Once it is over the next frame
/// that matters is there as soon as the path brings it, whatever else waits, and QUIC's probes with it.
#[test]
fn a_window_that_was_lost_holds_back_nothing_that_matters() {
    let path = Path { delay: 20_000, rate: 250_000, buffer: 64 << 10, ..Path::default() };
    let mut world = world(path, Congestion::Realtime);
    publish_high_and_low(&mut world);
    let mut waits = Vec::new();
    for cut in 0..20 {
        let tick = |world: &mut World| {
            world.send(1, 10, vec![1; 100]);
            // 7 x 1000 bytes x 60 Hz: 1.7 times the rate.
            (0..7).for_each(|_| world.send(1, 11, vec![2; 1000]));
            world.run(SECOND / 60);
        };
        (0..90).for_each(|_| tick(&mut world));
        // Longer than a round trip: nothing of the window is acknowledged.
        world.nodes[1].path.loss = 1000;
        (0..12).for_each(|_| tick(&mut world));
        world.nodes[1].path.loss = 0;
        world.nodes[0].frames.clear();
        let over = world.now;
        (0..30).for_each(|_| tick(&mut world));
        let first = world.nodes[0].frames.iter().find(|(_, frame)| frame.payload.len() == 100);
        waits.push(first.unwrap_or_else(|| panic!("nothing half a second after cut {cut}")).0 - over);
    }
    // The way there, and to the next packet beyond the window.
    let longest = waits.iter().max().unwrap();
    assert!(*longest <= 20_000 + 20_000 + 5_000, "{waits:?}");
}

/// A reliable track loses nothing at 5% loss, and keeps its order.
#[test]
fn text_is_whole_and_in_order_over_a_lossy_path() {
    let path = Path { delay: 30_000, loss: 50, ..Path::default() };
    let mut world = world(path, Congestion::Realtime);
    world.publish(1, 10, Place::Link(1), track("games/r/chat", "p", TrackKind::Text, ""));
    for number in 0..2000_u32 {
        world.send(1, 10, number.to_le_bytes().to_vec());
        world.run(5_000);
    }
    world.run(3 * SECOND);
    let got: Vec<u32> = world.frames(0).iter().map(number).collect();
    let wrong = got.iter().zip(0..).find(|(got, number)| *got != number);
    assert_eq!((got.len(), wrong), (2000, None));
}

fn number(frame: &Delivery) -> u32 {
    u32::from_le_bytes(frame.payload[..4].try_into().unwrap())
}

/// All of one tick's frames for a subscriber leave in as few packets as they fit.
#[test]
fn frames_of_a_tick_share_packets() {
    let identity = Identity::new();
    let mut world = World::new();
    let hub = world.add(relay(1, &identity, true));
    let reader = world.add(client(2));
    world.open_link(reader, 1, hub, &identity, None);
    for id in 0..20 {
        world.publish(
            hub,
            100 + id,
            Place::Node,
            track("games/r/down", &format!("t{id}"), TrackKind::FrameDatagram, ""),
        );
    }
    world.subscribe(reader, 20, Place::Link(1), "games/r", "");
    world.run(3 * SECOND);
    let before = world.nodes[hub].packets_out;
    for _ in 0..60 {
        for id in 0..20 {
            // All of a tick comes in one go, as an application's batch does.
            let outgoing = cc_engine::Outgoing {
                publication: 100 + id,
                payload: vec![1; 200].into(),
                properties: Default::default(),
                priority: None,
                ttl: None,
                new_group: false,
                end_group: false,
            };
            let now = world.now;
            world.engine(hub).command(now, cc_engine::Command::Send(outgoing));
        }
        world.run(SECOND / 60);
    }
    assert_eq!(world.frames(reader).len(), 1200);
    let packets = world.nodes[hub].packets_out - before;
    // 20 frames of about 215 bytes: 4,300 bytes, 4 packets of 1,200; and the odd acknowledgement.
    assert!(packets <= 60 * 5, "{packets} packets for 60 ticks");
}
