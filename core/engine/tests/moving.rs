//! GOAWAY: links that go on at another place, and sessions that do not leave in time.

mod common;

use bytes::Bytes;
use cc_engine::{Command, Delivery, Event, LinkTarget, Place, Reason, Time, TrackKind};
use cc_session::Event as Said;
use cc_wire::Profile;
use common::{client, link, relay, track, Identity, World};

const SECOND: Time = 1_000_000;

fn payloads(frames: Vec<Delivery>) -> Vec<String> {
    frames.into_iter().map(|frame| String::from_utf8_lossy(&frame.payload).into_owned()).collect()
}

/// Two relays, 1 joined to 0; a publisher and a reader on 0.
fn two_relays() -> (World, usize, usize) {
    let identity = Identity::new();
    let mut world = World::new();
    for seed in [1, 2] {
        world.add(relay(seed, &identity, true));
    }
    let mut up = link(world.nodes[0].address, &identity, 900, None);
    up.uplink = true;
    world.command(1, Command::OpenLink(900, Box::new(up)));
    for at in [2, 3] {
        world.add(client(at as u8 + 1));
        let mut config = link(world.nodes[0].address, &identity, 1, None);
        config.resume_secret = Bytes::from(vec![at as u8; 16]);
        world.command(at, Command::OpenLink(1, Box::new(config)));
    }
    world.run(SECOND);
    (world, 2, 3)
}

fn move_to(world: &mut World, node: usize, relay: usize) {
    let address = world.nodes[relay].address;
    let target = LinkTarget {
        addresses: vec![address],
        server_name: "localhost".into(),
        authority: address.to_string(),
        path: "/main".into(),
    };
    world.command(node, Command::LinkMove(1, Box::new(target)));
}

#[test]
fn a_link_follows_goaway_and_loses_nothing() {
    // All at once, as after GOAWAY, for then the old relay takes no requests any more; or one after the other.
    let both = [TrackKind::Text, TrackKind::FrameDatagram].map(|kind| [(kind, true), (kind, false)]);
    for (kind, goaway) in both.into_iter().flatten() {
        let (mut world, publisher, reader) = two_relays();
        world.publish(publisher, 10, Place::Link(1), track("g", "c1", kind, ""));
        world.publish(reader, 11, Place::Link(1), track("g", "c2", kind, ""));
        world.run(SECOND);
        world.subscribe(reader, 20, Place::Link(1), "g", "");
        world.subscribe_exact(publisher, 21, Place::Link(1), "g", "c2");
        world.run(SECOND);
        let peers = |events: &[Event]| -> Vec<String> {
            let ups = events.iter().filter_map(|event| match event {
                Event::LinkUp { peer_id, .. } => Some(peer_id.clone()),
                _ => None,
            });
            ups.collect()
        };
        let mut ids = peers(&world.events(reader));
        if goaway {
            world.command(0, Command::Goaway("moqt://other:7777/main".into(), 20_000));
            world.run(SECOND / 10);
            let told = world.events(reader);
            let goaway = Event::LinkGoaway { link: 1, uri: "moqt://other:7777/main".into(), timeout_ms: 20_000 };
            assert!(told.contains(&goaway), "{told:?}");
            move_to(&mut world, publisher, 1);
        }
        for n in 0..2 {
            if n == 0 {
                move_to(&mut world, reader, 1);
            } else if !goaway {
                move_to(&mut world, publisher, 1);
            }
            for i in 0..30 {
                world.send(publisher, 10, format!("{n} {i}"));
                world.send(reader, 11, format!("{n} {i}"));
                world.run(SECOND / 10);
            }
        }
        world.run(6 * SECOND);
        let all: Vec<String> = [0, 1].iter().flat_map(|n| (0..30).map(move |i| format!("{n} {i}"))).collect();
        for node in [reader, publisher] {
            let got = payloads(world.frames(node));
            let missing: Vec<&String> = all.iter().filter(|text| !got.contains(text)).collect();
            assert!(missing.is_empty(), "{kind:?}, goaway {goaway}, node {node}: {missing:?}");
            if kind == TrackKind::Text {
                assert_eq!(got, all, "in order, and each once");
            }
        }
        let events = world.events(reader);
        ids.extend(peers(&events));
        assert_eq!(ids.len(), 2, "{events:?}");
        assert_eq!(ids[0], ids[1], "the peer keeps its id");
        assert!(!events.iter().any(|e| matches!(e, Event::LinkDown { .. } | Event::TrackEnded { .. })), "{events:?}");
        // The relay that was left knows nobody but the one that joined it.
        assert_eq!(world.engine(0).stats().sessions, 1);
        assert_eq!(world.engine(1).stats().sessions, 2);
    }
}

#[test]
fn a_place_that_can_t_be_reached_costs_nothing() {
    let (mut world, publisher, reader) = two_relays();
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.events(reader);
    world.nodes[1].engine = None;
    move_to(&mut world, reader, 1);
    world.run(15 * SECOND);
    world.send(publisher, 10, *b"still here");
    world.run(SECOND);
    assert_eq!(payloads(world.frames(reader)), ["still here"]);
    let events = world.events(reader);
    assert!(matches!(events[..], [Event::Warning { .. }]), "{events:?}");
}

#[test]
fn who_does_not_leave_in_time_is_closed() {
    for profile in Profile::PREFERRED {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, true));
        let raw = world.add_peer(0, &identity, profile);
        world.run(SECOND);
        world.peer(raw).take();
        world.command(0, Command::Goaway("moqt://b:1/".into(), 3000));
        world.run(SECOND);
        let events = world.peer(raw).take();
        let said = |e: &Said| matches!(e, Said::Goaway { uri, timeout_ms: 3000 } if uri == "moqt://b:1/");
        assert!(matches!(&events[..], [event] if said(event)), "{profile:?}: {events:?}");
        assert_eq!(world.peer(raw).lost, None);
        world.run(3 * SECOND);
        let lost = world.peer(raw).lost.clone().unwrap_or_default();
        assert!(lost.contains("the time to leave is over"), "{profile:?}: {lost}");
        let events = world.events(0);
        let down = |e: &Event| matches!(e, Event::SessionDown { reason: Reason::GoingAway, .. });
        assert!(events.iter().any(down), "{events:?}");
    }
}

#[test]
fn without_a_new_place_the_same_one_is_dialled_again() {
    let (mut world, publisher, reader) = two_relays();
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.events(reader);
    // It takes nobody new: the link stays until it is put out, and then dials until it gets in.
    world.command(0, Command::Goaway(String::new(), 2000));
    world.run(SECOND);
    world.send(publisher, 10, *b"one");
    world.run(SECOND / 2);
    assert_eq!(payloads(world.frames(reader)), ["one"]);
    world.run(2 * SECOND);
    let events = world.events(reader);
    let down = |e: &Event| matches!(e, Event::LinkDown { reason: Reason::GoingAway, .. });
    assert!(events.iter().any(down), "{events:?}");
}

#[test]
fn a_silent_path_while_the_same_place_is_dialled_again_is_no_warning() {
    let (mut world, _, reader) = two_relays();
    world.events(reader);
    world.command(0, Command::Goaway(String::new(), 60_000));
    world.run(SECOND / 500);
    for node in [0, reader] {
        world.nodes[node].path.loss = 1000;
    }
    world.run(12 * SECOND);
    let events = world.events(reader);
    assert!(events.iter().any(|e| matches!(e, Event::LinkGoaway { .. })), "{events:?}");
    assert!(!events.iter().any(|e| matches!(e, Event::Warning { .. })), "{events:?}");
}
