//! A name that is published again while what was published under it before is still on its way out: neither the last of
//! the one nor the first of the other is missed.

mod common;

use cc_engine::{Command, Delivery, Event, Place, Time, TrackKind};
use cc_wire::Profile;
use common::{client, relay, track, Identity, World};

const SECOND: Time = 1_000_000;
const DRAFTS: [Profile; 3] = [Profile::D18, Profile::D20, Profile::D22];
const HUB: usize = 0;
const PUBLISHER: usize = 1;
const READER: usize = 2;

/// A relay, a publisher of messages, and a reader of its namespace.
fn room(profile: Profile) -> World {
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, true));
    for node in [PUBLISHER, READER] {
        world.add(client(10 + node as u8));
        world.open_link(node, node as u64, HUB, &identity, Some(profile));
    }
    world.run(SECOND);
    world.subscribe(READER, 20, Place::Link(READER as u64), "g", "");
    publish(&mut world, 10);
    world.run(SECOND);
    world
}

fn publish(world: &mut World, id: u64) {
    world.publish(PUBLISHER, id, Place::Link(PUBLISHER as u64), track("g", "chat", TrackKind::Text, ""));
}

/// What a publication says, so much of it that a slow path takes its time.
fn said(id: u64) -> Vec<String> {
    (0..20).map(|n| format!("{id}: {n} {}", "-".repeat(500))).collect()
}

fn say(world: &mut World, id: u64) {
    for message in said(id) {
        world.send(PUBLISHER, id, message);
    }
}

/// The name changes hands: the old publication says its last, and the new one begins.
fn change(world: &mut World) {
    say(world, 10);
    world.command(PUBLISHER, Command::Unpublish(10));
    publish(world, 11);
    say(world, 11);
}

fn texts(frames: &[Delivery], track: u64) -> Vec<String> {
    let of = frames.iter().filter(|frame| frame.track == track);
    of.map(|frame| String::from_utf8_lossy(&frame.payload).into_owned()).collect()
}

/// The reader's two tracks, the second of which came before the first ended, and all of both.
fn has_both(world: &mut World, profile: Profile) {
    let mut tracks = Vec::new();
    let mut ended = Vec::new();
    for event in world.events(READER) {
        match event {
            Event::TrackAdded { track, .. } => tracks.push(track),
            Event::TrackEnded { track, .. } => ended.push(track),
            _ => {}
        }
    }
    let frames = world.frames(READER);
    assert_eq!(tracks.len(), 2, "{profile:?}");
    assert_eq!(ended, [tracks[0]], "{profile:?}");
    assert_eq!(texts(&frames, tracks[0]), said(10), "{profile:?}");
    assert_eq!(texts(&frames, tracks[1]), said(11), "{profile:?}");
    for event in world.events(PUBLISHER) {
        assert!(!matches!(event, Event::PublishRefused { .. }), "{profile:?}: {event:?}");
    }
}

#[test]
fn a_reader_behind_a_slow_path_gets_the_last_of_the_old_and_all_of_the_new() {
    for profile in DRAFTS {
        let mut world = room(profile);
        world.nodes[READER].path.rate_in = 20_000;
        change(&mut world);
        world.run(10 * SECOND);
        has_both(&mut world, profile);
    }
}

#[test]
fn a_publisher_behind_a_slow_path_ends_the_old_and_begins_the_new() {
    for profile in DRAFTS {
        let mut world = room(profile);
        world.nodes[PUBLISHER].path.rate = 20_000;
        change(&mut world);
        world.run(10 * SECOND);
        has_both(&mut world, profile);
    }
}

#[test]
fn an_offer_that_overtakes_the_end_of_the_track_before_is_taken() {
    for profile in DRAFTS {
        let mut world = room(profile);
        // What the relay says now is lost on the way to the reader, among it that the track has ended.
        world.nodes[HUB].path.loss = 1000;
        say(&mut world, 10);
        world.command(PUBLISHER, Command::Unpublish(10));
        world.run(20_000);
        world.nodes[HUB].path.loss = 0;
        publish(&mut world, 11);
        say(&mut world, 11);
        world.run(10 * SECOND);
        has_both(&mut world, profile);
    }
}

#[test]
fn a_session_that_is_lost_meanwhile_ends_the_old_and_keeps_the_new() {
    for profile in DRAFTS {
        let mut world = room(profile);
        world.nodes[READER].path.rate_in = 20_000;
        change(&mut world);
        world.run(SECOND / 5);
        // Nothing gets through until both ends have given the session up.
        world.nodes[READER].path.loss = 1000;
        world.nodes[HUB].path.loss = 1000;
        world.run(40 * SECOND);
        world.nodes[READER].path = common::Path::default();
        world.nodes[HUB].path.loss = 0;
        world.run(60 * SECOND);
        say(&mut world, 11);
        world.run(5 * SECOND);
        let (mut live, mut last) = (0, 0);
        for event in world.events(READER) {
            match event {
                Event::TrackAdded { track, .. } => (live, last) = (live + 1, track),
                Event::TrackEnded { .. } => live -= 1,
                _ => {}
            }
        }
        assert_eq!(live, 1, "{profile:?}");
        let frames = world.frames(READER);
        assert!(texts(&frames, last).ends_with(&said(11)), "{profile:?}");
    }
}
