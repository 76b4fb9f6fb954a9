//! A name that is published again while what was published under it before is still on its way out: neither the last of
//! the one nor the first of the other is missed.

mod common;

use cc_engine::{Command, Delivery, Event, Place, Time, TrackKind};
use cc_session::{Event as Said, Reply, Request, RequestKey};
use cc_wire::{Namespace, Params, Profile, Properties};
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

/// What a session without an engine heard of a name's publications, as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begins(RequestKey),
    Ends(RequestKey),
}

/// Runs on, and has the session at `node` take all that it is offered.
fn follow(world: &mut World, node: usize, time: Time) -> Vec<Step> {
    let mut steps = Vec::new();
    let until = world.now + time;
    let mut seen = world.peer(node).heard.len();
    while world.now < until {
        world.run(SECOND / 50);
        let peer = world.peer(node);
        for event in &peer.heard[std::mem::replace(&mut seen, peer.heard.len())..] {
            match event {
                Said::Request { key, request: Request::Publish { .. } } => steps.push(Step::Begins(*key)),
                Said::Done { key, .. } => steps.push(Step::Ends(*key)),
                _ => {}
            }
        }
        for step in &steps {
            if let Step::Begins(key) = step {
                let ok = Reply::Ok { params: Params::default(), properties: Properties::default() };
                // Once: it is answered from then on.
                let _ = peer.session.accept(*key, ok);
            }
        }
    }
    steps
}

/// A relay, a publisher, and a session of another implementation that watches its namespace.
fn stranger(profile: Profile) -> (World, Vec<Step>) {
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, true));
    world.add(client(11));
    world.open_link(PUBLISHER, PUBLISHER as u64, HUB, &identity, Some(profile));
    world.add_peer(HUB, &identity, profile);
    world.run(SECOND);
    let request = Request::SubscribeTracks { prefix: Namespace::parse("g").unwrap(), params: Params::default() };
    let now = world.now;
    world.peer(READER).ask(request, now);
    publish(&mut world, 10);
    let steps = follow(&mut world, READER, SECOND);
    assert!(matches!(steps[..], [Step::Begins(_)]), "{profile:?}: {steps:?}");
    (world, steps)
}

/// At -18 a session has a track once at a time; later drafts let it have several, so nothing waits there.
#[test]
fn a_stranger_is_offered_the_new_when_the_old_has_ended_where_the_draft_has_it_so() {
    for profile in DRAFTS {
        let (mut world, mut steps) = stranger(profile);
        world.nodes[READER].path.rate_in = 20_000;
        change(&mut world);
        steps.extend(follow(&mut world, READER, 10 * SECOND));
        let (old, new) = match (profile, &steps[..]) {
            (Profile::D18, &[Step::Begins(old), Step::Ends(ended), Step::Begins(new)]) if ended == old => (old, new),
            (Profile::D18, steps) => panic!("{steps:?}"),
            (_, &[Step::Begins(old), Step::Begins(new), Step::Ends(ended)]) if ended == old => (old, new),
            (_, steps) => panic!("{profile:?}: {steps:?}"),
        };
        assert_eq!(world.peer(READER).objects(old).len(), said(10).len(), "{profile:?}");
        let before = world.peer(READER).objects(new).len();
        say(&mut world, 11);
        world.run(5 * SECOND);
        assert_eq!(world.peer(READER).objects(new).len() - before, said(11).len(), "{profile:?}");
    }
}

#[test]
fn of_many_that_follow_each_other_a_stranger_has_one_at_a_time_and_at_last_the_last() {
    let (mut world, mut steps) = stranger(Profile::D18);
    world.nodes[READER].path.rate_in = 20_000;
    for id in 10..20 {
        say(&mut world, id);
        world.command(PUBLISHER, Command::Unpublish(id));
        publish(&mut world, id + 1);
        steps.extend(follow(&mut world, READER, SECOND / 10));
    }
    steps.extend(follow(&mut world, READER, 30 * SECOND));
    let mut open = None;
    for step in &steps {
        open = match (open, step) {
            (None, Step::Begins(key)) => Some(*key),
            (Some(key), Step::Ends(ended)) if key == *ended => None,
            (open, step) => panic!("{step:?} with {open:?}: {steps:?}"),
        };
    }
    say(&mut world, 20);
    world.run(5 * SECOND);
    let last = open.unwrap();
    assert_eq!(world.peer(READER).objects(last).len(), said(20).len());
}

#[test]
fn a_relay_of_others_is_offered_the_new_when_the_old_has_ended() {
    let identity = Identity::new();
    let mut world = World::new();
    world.add_server(&identity, Profile::D18);
    world.add(client(11));
    world.open_link(PUBLISHER, PUBLISHER as u64, HUB, &identity, Some(Profile::D18));
    world.run(SECOND);
    publish(&mut world, 10);
    let mut steps = follow(&mut world, HUB, SECOND);
    world.nodes[PUBLISHER].path.rate = 20_000;
    // More than goes on its way at once.
    for _ in 0..9 {
        say(&mut world, 10);
    }
    change(&mut world);
    steps.extend(follow(&mut world, HUB, 20 * SECOND));
    let [Step::Begins(old), Step::Ends(ended), Step::Begins(new)] = steps[..] else { panic!("{steps:?}") };
    assert_eq!(old, ended);
    let came = [old, new].map(|key| world.peer(HUB).objects(key).len());
    assert_eq!(came, [10 * said(10).len(), said(11).len()]);
}
