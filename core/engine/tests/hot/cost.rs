//! Allocations, packets and transmits per delivered object, each with a bound: what comes above it costs every user.
//!
//! Of what is left QUIC makes nearly all: a packet's record, and for streams each stream's own state.

use cc_engine::TrackKind;

use crate::crowd::{Crowd, Load};

fn measured(load: Load, most: Most) {
    let cost = Crowd::new(load).measure();
    println!("{load:?}: {cost:?}");
    // Of a player's own frames none comes back.
    let each = load.tracks + if load.play { load.subscribers - 1 } else { 0 };
    assert_eq!(cost.objects, (load.subscribers * each) as u64 * load.hz, "{load:?}: {cost:?}");
    assert!(cost.allocations < most.allocations, "{load:?}: {cost:?}");
    assert!(cost.packets < most.packets, "{load:?}: {cost:?}");
    assert!(cost.transmits < most.transmits, "{load:?}: {cost:?}");
    assert!(cost.packets_in < most.packets_in, "{load:?}: {cost:?}");
    assert!(cost.woken <= most.woken, "{load:?}: {cost:?}");
}

/// Bounds, a tenth above what is measured.
struct Most {
    allocations: f64,
    packets: f64,
    transmits: f64,
    packets_in: f64,
    /// Exactly: whatever a burst brings is one pass of each shard that has readers, and nobody is woken to be told that
    /// it was read.
    woken: f64,
}

const DATAGRAMS: Load = Load {
    kind: TrackKind::FrameDatagram,
    idle: 0,
    subscribers: 10,
    tracks: 20,
    hz: 60,
    group: 0,
    shards: 1,
    play: false,
};

fn datagrams(subscribers: usize, tracks: usize, most: Most) {
    measured(Load { subscribers, tracks, ..DATAGRAMS }, most);
}

#[test]
fn datagram_frames_for_ten() {
    datagrams(10, 20, Most { allocations: 0.49, packets: 0.23, transmits: 0.062, packets_in: 0.078, woken: 0.0 });
}

#[test]
fn datagram_frames_for_fifty() {
    datagrams(50, 20, Most { allocations: 0.187, packets: 0.23, transmits: 0.057, packets_in: 0.06, woken: 0.0 });
}

#[test]
fn one_datagram_frame_a_tick() {
    datagrams(50, 1, Most { allocations: 1.24, packets: 1.1, transmits: 1.1, packets_in: 0.58, woken: 0.0 });
}

#[test]
fn streams_of_sixty_objects() {
    let load = Load { kind: TrackKind::Video, group: 60, ..DATAGRAMS };
    measured(load, Most { allocations: 2.2, packets: 0.18, transmits: 0.062, packets_in: 0.072, woken: 0.0 });
}

#[test]
fn a_stream_a_frame() {
    let load = Load { kind: TrackKind::FrameStream, hz: 30, ..DATAGRAMS };
    measured(load, Most { allocations: 6.2, packets: 0.29, transmits: 0.18, packets_in: 0.14, woken: 0.0 });
}

#[test]
fn datagram_frames_for_ten_on_two_shards() {
    let load = Load { shards: 2, ..DATAGRAMS };
    measured(load, Most { allocations: 0.71, packets: 0.23, transmits: 0.062, packets_in: 0.078, woken: 1.0 });
}

#[test]
fn a_stream_a_frame_on_two_shards() {
    let load = Load { kind: TrackKind::FrameStream, hz: 30, shards: 2, ..DATAGRAMS };
    // A tick's frames are more than the publisher's window, so they come in two bursts.
    measured(load, Most { allocations: 6.85, packets: 0.29, transmits: 0.18, packets_in: 0.14, woken: 2.0 });
}

#[test]
fn one_datagram_frame_a_tick_on_two_shards() {
    let load = Load { subscribers: 50, tracks: 1, shards: 2, ..DATAGRAMS };
    measured(load, Most { allocations: 1.3, packets: 1.1, transmits: 1.1, packets_in: 0.58, woken: 1.0 });
}

/// Allocations of an object that crosses, beside those of the same on one shard.
fn crossing(load: Load) -> f64 {
    let [one, two] = [1, 2].map(|shards| Crowd::new(Load { shards, ..load }).measure());
    (two.allocations - one.allocations) * load.subscribers as f64
}

/// The shard that it comes to makes of it what leaves there, and keeps nothing.
#[test]
fn an_object_that_crosses_takes_few_allocations() {
    let streams = Load { kind: TrackKind::FrameStream, hz: 30, ..DATAGRAMS };
    let (datagram, stream) = (crossing(DATAGRAMS), crossing(streams));
    println!("crossing: {datagram} in a datagram, {stream} in a stream of its own");
    assert!(datagram < 2.2 && stream < 7.7, "{datagram} {stream}");
}

#[test]
fn players_of_one_another() {
    let load = Load { subscribers: 20, tracks: 0, play: true, ..DATAGRAMS };
    measured(load, Most { allocations: 0.41, packets: 0.232, transmits: 0.058, packets_in: 0.116, woken: 0.0 });
}

/// As many objects a second as for ten.
#[test]
#[ignore = "for a profile: docs/decisions/006-hot-path.md"]
fn datagram_frames_for_six_hundred() {
    let load = Load { subscribers: 600, hz: 1, ..DATAGRAMS };
    measured(load, Most { allocations: 0.3, packets: 0.3, transmits: 0.2, packets_in: 0.2, woken: 0.0 });
}

/// As many objects a second as for ten.
#[test]
#[ignore = "for a profile: docs/decisions/006-hot-path.md"]
fn streams_of_sixty_objects_for_six_hundred() {
    let load = Load { kind: TrackKind::Video, subscribers: 600, hz: 1, group: 60, ..DATAGRAMS };
    measured(load, Most { allocations: 3.0, packets: 0.3, transmits: 0.2, packets_in: 0.2, woken: 0.0 });
}

#[test]
#[ignore = "for a profile: docs/decisions/006-hot-path.md"]
fn datagram_frames_beside_a_thousand_idle_sessions() {
    let load = Load { idle: 1000, ..DATAGRAMS };
    measured(load, Most { allocations: 0.8, packets: 0.3, transmits: 0.2, packets_in: 0.2, woken: 0.0 });
}
