//! Links: how they come up, what ends them, and how they come back.

mod common;

use cc_engine::{Command, Event, Place, Reason, Time, TrackKind, Trust};
use cc_wire::Profile;
use common::{client, link, relay, track, Identity, World};

const SECOND: Time = 1_000_000;

fn pair() -> (World, Identity) {
    let identity = Identity::new();
    let mut world = World::new();
    world.add(relay(1, &identity, true));
    world.add(client(2));
    world.add(client(3));
    (world, identity)
}

fn closed(events: &[Event]) -> Option<(Reason, String)> {
    events.iter().find_map(|event| match event {
        Event::LinkClosed { reason, text, .. } => Some((*reason, text.clone())),
        _ => None,
    })
}

#[test]
fn another_certificate_is_not_trusted() {
    let (mut world, identity) = pair();
    let mut config = link(world.nodes[0].address, &identity, 1, None);
    config.trust = Trust::Pinned([9; 32]);
    world.command(1, Command::OpenLink(1, Box::new(config)));
    world.run(SECOND);
    let (reason, text) = closed(&world.events(1)).unwrap();
    assert_eq!(reason, Reason::Certificate, "{text}");
    let mut config = link(world.nodes[0].address, &identity, 2, None);
    config.trust = Trust::Pem(identity.chain.clone().into_bytes());
    world.command(1, Command::OpenLink(2, Box::new(config)));
    world.run(SECOND);
    assert!(world.events(1).iter().any(|e| matches!(e, Event::LinkUp { link: 2, .. })));
}

#[test]
fn an_id_that_a_link_has_is_no_other_s() {
    let (mut world, identity) = pair();
    for node in [1, 2] {
        world.open_link(node, node as u64, 0, &identity, None);
    }
    world.run(SECOND);
    world.publish(2, 10, Place::Link(2), track("g", "c1", TrackKind::Text, ""));
    world.subscribe(1, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.events(1).clear();
    world.open_link(1, 1, 0, &identity, Some(Profile::D18));
    world.send(2, 10, *b"after it");
    world.run(20 * SECOND);
    assert_eq!(world.frames(1).len(), 1);
    let events = world.events(1);
    assert!(events.is_empty(), "{events:?}");
    world.command(1, Command::CloseLink(1, Reason::Local, String::new()));
    world.open_link(1, 1, 0, &identity, Some(Profile::D18));
    world.run(SECOND);
    assert!(world.events(1).iter().any(|e| matches!(e, Event::LinkUp { link: 1, draft: 18, .. })));
}

#[test]
fn no_common_draft_is_said() {
    let identity = Identity::new();
    let mut world = World::new();
    let mut config = common::config(1);
    config.profiles = vec![Profile::D18];
    config.relay = Some(cc_engine::RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: Some(cc_wire::Namespace::default()),
        max_sessions: 10,
        auth_timeout: SECOND,
    });
    world.add(cc_engine::Engine::new(config, 0).unwrap());
    world.add(client(2));
    world.open_link(1, 1, 0, &identity, Some(Profile::D22));
    world.run(SECOND);
    assert_eq!(closed(&world.events(1)).unwrap().0, Reason::Version);
}

#[test]
fn nobody_there_is_a_timeout() {
    let (mut world, identity) = pair();
    world.nodes[0].engine = None;
    world.open_link(1, 1, 0, &identity, None);
    world.run(9 * SECOND);
    assert_eq!(closed(&world.events(1)), None);
    world.run(2 * SECOND);
    assert_eq!(closed(&world.events(1)).unwrap().0, Reason::Timeout);
    assert_eq!(world.engine(1).next_timeout(), None, "nothing is left to be done");
}

fn ups(world: &mut World, node: usize) -> Vec<Event> {
    let events = world.events(node);
    assert_eq!(closed(&events), None);
    assert!(!events.iter().any(|event| matches!(event, Event::LinkDown { .. })), "{events:?}");
    events.into_iter().filter(|event| matches!(event, Event::LinkUp { .. })).collect()
}

/// The client's port changes once its first packet is out: the relay takes what follows for a stranger's. A second
/// connection, begun after a silence, needs no more than its own handshake.
#[test]
fn a_port_that_changes_amid_the_handshake_costs_a_second() {
    // Where the change falls: before the relay's flight arrives, and while its acknowledgement is on its way.
    for after in [1_500, 5_000, 15_000, 25_000, 35_000] {
        let (mut world, identity) = pair();
        world.nodes[1].path.delay = 10_000;
        world.open_link(1, 1, 0, &identity, None);
        world.run(after);
        world.nodes[1].address.set_port(9999);
        world.run(2 * SECOND);
        assert_eq!(ups(&mut world, 1).len(), 1, "changed after {after} us");
        world.publish(1, 10, Place::Link(1), track("g/r", "a", TrackKind::FrameDatagram, ""));
        world.subscribe(0, 20, Place::Node, "g", "");
        world.run(SECOND);
        world.send(1, 10, vec![1; 50]);
        world.run(10 * SECOND);
        assert_eq!(world.frames(0).len(), 1, "changed after {after} us");
        assert_eq!(ups(&mut world, 1).len(), 0, "it stays up");
        assert_eq!(world.engine(0).stats().sessions, 1);
    }
}

/// A name that stands for two addresses, the first of them dead.
#[test]
fn a_dead_address_is_left_for_the_next() {
    let (mut world, identity) = pair();
    let mut config = link("10.9.9.9:7777".parse().unwrap(), &identity, 1, None);
    config.addresses.push(world.nodes[0].address);
    world.command(1, Command::OpenLink(1, Box::new(config)));
    world.run(2 * SECOND);
    assert_eq!(ups(&mut world, 1).len(), 1);
}

/// A slow path is not taken for a silent one: what is under way is not given up for what begins anew.
#[test]
fn a_slow_handshake_is_let_finish_and_a_slow_comeback_too() {
    let (mut world, identity) = pair();
    // A round trip of 1.4 s: the handshake and SETUP take two.
    world.nodes[1].path.delay = 700_000;
    world.open_link(1, 1, 0, &identity, None);
    world.run(9 * SECOND);
    assert_eq!(ups(&mut world, 1).len(), 1);
    // A minute's outage, and the same path again.
    world.nodes[1].path.loss = 1000;
    world.nodes[0].path.loss = 1000;
    world.run(60 * SECOND);
    (world.nodes[0].path.loss, world.nodes[1].path.loss) = (0, 0);
    world.events(1);
    world.run(20 * SECOND);
    assert_eq!(ups(&mut world, 1).len(), 1);
}

/// A relay that is full refuses at the door. Who is set to reconnect knocks again, as long as a first attempt may take.
#[test]
fn a_refusal_at_the_door_is_asked_again() {
    let identity = Identity::new();
    let mut world = World::new();
    let mut config = common::config(1);
    config.relay = Some(cc_engine::RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: Some(cc_wire::Namespace::default()),
        max_sessions: 1,
        auth_timeout: SECOND,
    });
    world.add(cc_engine::Engine::new(config, 0).unwrap());
    (2..=4).for_each(|seed| {
        world.add(client(seed));
    });
    world.open_link(1, 1, 0, &identity, None);
    world.run(SECOND);
    world.open_link(2, 2, 0, &identity, None);
    let mut once = link(world.nodes[0].address, &identity, 3, None);
    once.reconnect = false;
    world.command(3, Command::OpenLink(3, Box::new(once)));
    world.run(2 * SECOND);
    assert_eq!(closed(&world.events(3)).unwrap().0, Reason::ExcessiveLoad, "who is not is told at once");
    assert_eq!(ups(&mut world, 2).len(), 0);
    world.command(1, Command::CloseLink(1, Reason::Local, String::new()));
    world.run(5 * SECOND);
    assert_eq!(ups(&mut world, 2).len(), 1, "there is room now");
    world.events(1);
    world.open_link(1, 9, 0, &identity, None);
    world.run(7 * SECOND);
    assert_eq!(closed(&world.events(1)), None);
    world.run(3 * SECOND);
    let (reason, text) = closed(&world.events(1)).unwrap();
    assert_eq!(reason, Reason::ExcessiveLoad, "{text}");
}

/// A link that is not to reconnect waits for the connection's own end, without looking after it all the time.
#[test]
fn silence_without_reconnecting_is_waited_out() {
    let (mut world, identity) = pair();
    let mut config = link(world.nodes[0].address, &identity, 1, None);
    config.reconnect = false;
    world.command(1, Command::OpenLink(1, Box::new(config)));
    world.run(SECOND);
    world.nodes[0].engine = None;
    world.run(35 * SECOND);
    assert_eq!(closed(&world.events(1)).unwrap().0, Reason::Timeout);
}

/// A relay that is killed and started again within 10 s has everyone back within 3 s of the start: the same peer ids,
/// every publication and subscription, and the gap reported.
#[test]
fn a_restarted_relay_has_its_clients_back() {
    for silent in [2, 5, 9] {
        let (mut world, identity) = pair();
        world.open_link(1, 1, 0, &identity, None);
        world.open_link(2, 2, 0, &identity, None);
        world.publish(1, 10, Place::Link(1), track("g/r/up", "a", TrackKind::FrameDatagram, "netcode.v1"));
        world.publish(1, 11, Place::Link(1), track("g/r/chat", "a", TrackKind::Text, "text.v1"));
        world.publish(1, 12, Place::Link(1), track("x/y", "exact", TrackKind::Text, ""));
        world.subscribe(2, 20, Place::Link(2), "g/r", "");
        world.run(SECOND / 2);
        world.subscribe_exact(2, 21, Place::Link(2), "x/y", "exact");
        world.run(SECOND / 2);
        let ids = |events: &[Event]| -> Vec<String> {
            events
                .iter()
                .filter_map(|e| match e {
                    Event::LinkUp { peer_id, .. } => Some(peer_id.clone()),
                    _ => None,
                })
                .collect()
        };
        let mut messages = 0_u32;
        let mut chat = |world: &mut World, time: Time| {
            let end = world.now + time;
            while world.now < end {
                world.send(1, 10, vec![1; 50]);
                for publication in [11, 12] {
                    world.send(1, publication, messages.to_le_bytes().to_vec());
                }
                messages += 1;
                world.run(SECOND / 20);
            }
        };
        chat(&mut world, SECOND);
        let before = [ids(&world.events(1)), ids(&world.events(2))];
        world.nodes[0].engine = None;
        chat(&mut world, silent * SECOND);
        let mut config = common::config(9);
        config.relay = Some(cc_engine::RelayConfig {
            certificate_pem: identity.chain.clone().into_bytes(),
            key_pem: identity.key.clone().into_bytes(),
            open: Some(cc_wire::Namespace::default()),
            max_sessions: 10,
            auth_timeout: SECOND,
        });
        let now = world.now;
        world.nodes[0].engine = Some(cc_engine::Engine::new(config, now).unwrap());
        chat(&mut world, 3 * SECOND);
        let events = [world.events(1), world.events(2)];
        assert_eq!([ids(&events[0]), ids(&events[1])], before, "{silent} s: {events:?}");
        for event in events.iter().flatten() {
            if let Event::LinkUp { resumed, gap, .. } = event {
                assert!(*resumed && *gap >= silent * SECOND && *gap <= (silent + 3) * SECOND, "{gap}");
            }
        }
        assert!(!events[1].iter().any(|e| matches!(e, Event::TrackEnded { .. })), "tracks keep their ids");
        assert!(events[1].iter().any(|e| matches!(e, Event::TrackResumed { .. })), "{:?}", events[1]);
        chat(&mut world, SECOND);
        world.run(8 * SECOND);
        let frames = world.frames(2);
        assert!(frames.iter().rev().take(60).any(|f| f.payload.len() == 50), "frames flow again");
        for exact in [false, true] {
            let got: Vec<u32> = frames
                .iter()
                .filter(|f| f.payload.len() == 4 && (f.track > 2) == exact)
                .map(|f| u32::from_le_bytes(f.payload[..4].try_into().unwrap()))
                .collect();
            assert!(got.windows(2).all(|w| w[1] > w[0]), "in order and once");
            assert_eq!(got.last(), Some(&(messages - 1)), "silent {silent} s exact {exact}");
        }
    }
}

/// A path that is dead for a while: the session comes back by itself, as the same peer.
#[test]
fn an_outage_is_survived() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.publish(1, 10, Place::Link(1), track("g/r/up", "a", TrackKind::FrameDatagram, ""));
    world.subscribe(0, 20, Place::Node, "g", "");
    world.run(SECOND);
    world.nodes[1].path.loss = 1000;
    world.nodes[0].path.loss = 1000;
    for _ in 0..200 {
        world.send(1, 10, vec![1; 10]);
        world.run(SECOND / 10);
    }
    world.nodes[1].path.loss = 0;
    world.nodes[0].path.loss = 0;
    world.frames(0);
    for _ in 0..50 {
        world.send(1, 10, vec![1; 10]);
        world.run(SECOND / 10);
    }
    assert!(world.frames(0).len() >= 20, "frames flow within 3 s");
    assert_eq!(world.engine(0).stats().sessions, 1);
    assert!(closed(&world.events(1)).is_none());
}

/// The application sleeps; the engine's owner keeps driving it, and nothing is lost of the session.
#[test]
fn an_idle_link_stays() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.run(120 * SECOND);
    let ups = world.events(1).iter().filter(|e| matches!(e, Event::LinkUp { .. })).count();
    assert_eq!((ups, world.engine(0).stats().sessions), (1, 1));
}

#[test]
fn a_closed_link_tells_both_ends_why() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.run(SECOND);
    world.command(1, Command::CloseLink(1, Reason::Local, "done playing".into()));
    world.run(SECOND / 10);
    assert_eq!(closed(&world.events(1)), Some((Reason::Local, "done playing".into())));
    let events = world.events(0);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::SessionDown { reason: Reason::Peer, text, .. } if text == "done playing")),
        "{events:?}"
    );
}

#[test]
fn capabilities_select_and_a_second_subscription_finds_what_the_first_declined() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.open_link(2, 2, 0, &identity, None);
    world.publish(1, 10, Place::Link(1), track("g/r", "move", TrackKind::FrameDatagram, "netcode.v1"));
    world.publish(1, 11, Place::Link(1), track("g/r", "chat", TrackKind::Text, "text.v1"));
    world.subscribe(2, 20, Place::Link(2), "g/r", "netcode.v1");
    world.run(SECOND);
    world.send(1, 10, *b"move");
    world.send(1, 11, *b"chat");
    world.run(SECOND);
    let got: Vec<_> = world.frames(2).into_iter().map(|f| (f.subscription, f.payload)).collect();
    assert_eq!(got, [(20, "move".into())]);
    world.subscribe(2, 21, Place::Link(2), "g", "text.v1");
    world.run(SECOND);
    world.send(1, 11, *b"more");
    world.send(1, 10, *b"move");
    world.run(SECOND);
    let mut got: Vec<_> = world.frames(2).into_iter().map(|f| (f.subscription, f.payload)).collect();
    got.sort();
    // Text waits for its first reader.
    assert_eq!(got, [(20, "move".into()), (21, "chat".into()), (21, "more".into())], "{:?}", world.events(2));
    world.command(2, Command::Unsubscribe(20));
    world.run(SECOND);
    world.send(1, 10, *b"move");
    world.run(SECOND);
    assert!(world.frames(2).is_empty());
}

#[test]
fn an_ended_publication_is_told_after_its_last_message() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.open_link(2, 2, 0, &identity, None);
    world.publish(1, 11, Place::Link(1), track("g/r", "chat", TrackKind::Text, "text.v1"));
    world.subscribe(2, 20, Place::Link(2), "g", "");
    world.run(SECOND);
    world.events(2);
    for _ in 0..300 {
        world.send(1, 11, vec![5; 1000]);
    }
    world.command(1, Command::Unpublish(11));
    world.run(5 * SECOND);
    let (hub, reader) = (world.engine(0).stats(), world.frames(2).len());
    assert_eq!(reader, 300, "{hub:?} {:?}", world.events(2));
    let events = world.events(2);
    assert!(events.iter().any(|e| matches!(e, Event::TrackEnded { reason: Reason::TrackEnded, .. })), "{events:?}");
}

/// One link may ask in any way for what another of its subscriptions has.
#[test]
fn subscriptions_of_one_link_overlap_freely() {
    let (mut world, identity) = pair();
    world.open_link(1, 1, 0, &identity, None);
    world.open_link(2, 2, 0, &identity, None);
    world.publish(1, 10, Place::Link(1), track("g/r/a", "one", TrackKind::FrameStream, ""));
    world.subscribe(2, 20, Place::Link(2), "g/r", "");
    world.run(SECOND);
    world.subscribe(2, 21, Place::Link(2), "g/r/a", "");
    world.subscribe_exact(2, 22, Place::Link(2), "g/r/a", "one");
    world.run(SECOND);
    world.send(1, 10, *b"x");
    world.run(SECOND);
    let mut got: Vec<u64> = world.frames(2).into_iter().map(|f| f.subscription).collect();
    got.sort_unstable();
    let ready = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::SubscribeOk { .. })).count();
    assert_eq!((got, ready(&world.events(2))), (vec![20, 21, 22], 3));
    world.command(2, Command::Unsubscribe(20));
    world.command(2, Command::Unsubscribe(21));
    world.command(2, Command::Unsubscribe(22));
    world.subscribe_exact(2, 23, Place::Link(2), "g/r/a", "one");
    world.run(SECOND);
    world.send(1, 10, *b"y");
    world.run(SECOND);
    let got: Vec<u64> = world.frames(2).into_iter().map(|f| f.subscription).collect();
    assert_eq!(got, [23], "{:?}", world.events(2));
}

/// What is said while nobody can hear it waits, whoever of the two comes back first.
#[test]
fn text_said_while_the_relay_was_away_arrives() {
    for reader_first in [false, true] {
        let (mut world, identity) = pair();
        world.open_link(1, 1, 0, &identity, None);
        world.open_link(2, 2, 0, &identity, None);
        world.publish(1, 11, Place::Link(1), track("g/r", "chat", TrackKind::Text, "text.v1"));
        world.subscribe(2, 20, Place::Link(2), "g", "");
        world.run(SECOND);
        let mut said = 0_u32;
        let mut say = |world: &mut World, count: u32| {
            for _ in 0..count {
                world.send(1, 11, said.to_le_bytes().to_vec());
                said += 1;
                world.run(SECOND / 100);
            }
        };
        say(&mut world, 300);
        world.nodes[0].engine = None;
        say(&mut world, 300);
        world.nodes[0].engine = Some(relay(9, &identity, true));
        let late = if reader_first { 1 } else { 2 };
        world.nodes[late].path.loss = 1000;
        say(&mut world, 300);
        world.nodes[late].path.loss = 0;
        say(&mut world, 300);
        world.run(8 * SECOND);
        let frames = world.frames(2);
        let got: Vec<u32> = frames.iter().map(|f| u32::from_le_bytes(f.payload[..4].try_into().unwrap())).collect();
        let wrong = got.iter().zip(0..).find(|(got, number)| *got != number);
        assert_eq!((got.len(), wrong), (1200, None), "reader first: {reader_first}");
    }
}
