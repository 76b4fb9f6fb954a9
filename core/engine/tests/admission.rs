//! Who may in, and what the admitted may do.

mod common;

use bytes::Bytes;
use cc_engine::{Command, Event, Place, Reason, SessionId, Stamp, Time, TrackKind};
use common::{client, link, relay, stamp, track, Identity, World};

const SECOND: Time = 1_000_000;

struct Door {
    world: World,
    identity: Identity,
}

impl Door {
    fn new() -> Door {
        let identity = Identity::new();
        let mut world = World::new();
        world.add(relay(1, &identity, false));
        world.add(client(2));
        world.add(client(3));
        Door { world, identity }
    }

    /// Dials with a token; the session that waits, and the token that it showed.
    fn knock(&mut self, node: usize, id: u64, token: &str) -> (SessionId, Bytes) {
        let mut config = link(self.world.nodes[0].address, &self.identity, id, None);
        config.token = Some(Bytes::copy_from_slice(token.as_bytes()));
        self.world.command(node, Command::OpenLink(id, Box::new(config)));
        self.world.run(SECOND / 10);
        let events = self.world.events(0);
        let asked = events.iter().find_map(|event| match event {
            Event::Auth { session, token, path, .. } => {
                assert_eq!(path, "/main");
                Some((*session, token.clone()))
            }
            _ => None,
        });
        asked.unwrap_or_else(|| panic!("{events:?}"))
    }

    fn admit(&mut self, node: usize, id: u64, stamp: Stamp) -> SessionId {
        let (session, _) = self.knock(node, id, "t");
        self.world.command(0, Command::Accept(session, Box::new(stamp)));
        self.world.run(SECOND / 10);
        session
    }
}

#[test]
fn nothing_happens_before_the_word_and_the_token_is_shown() {
    let mut door = Door::new();
    let (session, token) = door.knock(1, 1, "let me in");
    assert_eq!(&token[..], b"let me in");
    assert!(door.world.events(1).is_empty(), "not up before it is admitted");
    assert_eq!(door.world.engine(0).stats().auth_waiting, 1);
    door.world.command(0, Command::Accept(session, Box::new(stamp("c7", "g/up/c7", "g"))));
    door.world.run(SECOND / 10);
    let events = door.world.events(1);
    assert!(events.iter().any(|e| matches!(e, Event::LinkUp { peer_id, .. } if peer_id == "c7")), "{events:?}");
    let events = door.world.events(0);
    assert!(events.iter().any(|e| matches!(e, Event::SessionUp { tenant, resumed: false, .. } if tenant == "acme")));
}

#[test]
fn a_refusal_and_a_hook_that_sleeps_are_typed() {
    for reason in [Reason::Unauthorized, Reason::ExpiredToken, Reason::MalformedToken, Reason::Refused] {
        let mut door = Door::new();
        let (session, _) = door.knock(1, 1, "t");
        door.world.command(0, Command::Refuse(session, reason, "not today".into()));
        door.world.run(SECOND / 10);
        let events = door.world.events(1);
        let said = events
            .iter()
            .any(|e| matches!(e, Event::LinkClosed { reason: why, text, .. } if *why == reason && text == "not today"));
        assert!(said, "{reason:?}: {events:?}");
        assert_eq!(door.world.engine(0).stats().sessions_refused, 1);
    }
    let mut door = Door::new();
    door.knock(1, 1, "t");
    door.world.run(6 * SECOND);
    assert_eq!(door.world.engine(0).stats().auth_waiting, 0, "nobody waits for ever");
}

#[test]
fn a_peer_publishes_and_reads_its_own_and_nobody_elses() {
    let mut door = Door::new();
    door.admit(1, 1, stamp("c7", "g/up/c7", "g/down/c7"));
    door.admit(2, 2, stamp("c8", "g/up/c8", "g/down/c8"));
    let world = &mut door.world;
    world.publish(0, 1, Place::Node, track("g/down/c7", "state", TrackKind::FrameDatagram, ""));
    world.publish(0, 2, Place::Node, track("g/down/c8", "state", TrackKind::FrameDatagram, ""));
    world.publish(1, 10, Place::Link(1), track("g/up", "c7", TrackKind::FrameDatagram, ""));
    world.publish(1, 11, Place::Link(1), track("g/up", "c8", TrackKind::FrameDatagram, ""));
    world.subscribe(0, 3, Place::Node, "g/up", "");
    // Wider than granted: what is granted comes.
    world.subscribe(1, 20, Place::Link(1), "g", "");
    world.subscribe(2, 21, Place::Link(2), "g/down/c7", "");
    world.subscribe_exact(2, 22, Place::Link(2), "g/down/c7", "state");
    world.run(SECOND);
    let events = world.events(1);
    assert!(events.contains(&Event::PublishOk { publication: 10 }), "{events:?}");
    let refused = |events: &[Event]| -> Vec<(u64, Reason)> {
        events
            .iter()
            .filter_map(|e| match e {
                Event::PublishRefused { publication, reason, .. } => Some((*publication, *reason)),
                Event::SubscribeRefused { subscription, reason, .. } => Some((*subscription, *reason)),
                _ => None,
            })
            .collect()
    };
    assert_eq!(refused(&events), [(11, Reason::Unauthorized)]);
    let mut other = refused(&world.events(2));
    other.sort();
    assert_eq!(other, [(21, Reason::Unauthorized), (22, Reason::Unauthorized)]);
    world.send(0, 1, *b"for c7");
    world.send(0, 2, *b"for c8");
    world.send(1, 10, *b"input");
    world.run(SECOND / 10);
    let payloads = |frames: Vec<cc_engine::Delivery>| frames.into_iter().map(|f| f.payload).collect::<Vec<_>>();
    assert_eq!(payloads(world.frames(1)), ["for c7"]);
    assert!(world.frames(2).is_empty());
    assert_eq!(payloads(world.frames(0)), ["input"]);
    assert!(world.engine(0).stats().drops[cc_engine::DropReason::NotAuthorised as usize] >= 3);
}

#[test]
fn a_stamp_ends_and_a_new_token_renews_it() {
    let mut door = Door::new();
    let mut first = stamp("c7", "g", "g");
    first.expires = Some(door.world.now + 2 * SECOND);
    door.admit(1, 1, first);
    let world = &mut door.world;
    world.publish(1, 10, Place::Link(1), track("g/up", "c7", TrackKind::FrameDatagram, ""));
    world.run(SECOND);
    world.command(1, Command::LinkToken(1, Bytes::from_static(b"newer")));
    world.run(SECOND / 10);
    let asked = world.events(0).into_iter().find_map(|e| match e {
        Event::AuthRefresh { session, token } => Some((session, token)),
        _ => None,
    });
    let (session, token) = asked.unwrap();
    assert_eq!(&token[..], b"newer");
    let mut second = stamp("c7", "g", "g");
    second.expires = Some(world.now + 3 * SECOND);
    world.command(0, Command::Accept(session, Box::new(second)));
    world.run(2 * SECOND);
    assert_eq!(world.engine(0).stats().sessions, 1, "renewed");
    world.run(2 * SECOND);
    let events = world.events(1);
    assert!(events.iter().any(|e| matches!(e, Event::LinkClosed { reason: Reason::ExpiredToken, .. })), "{events:?}");
}

#[test]
fn a_refresh_for_somebody_else_ends_the_session() {
    let mut door = Door::new();
    let session = door.admit(1, 1, stamp("c7", "g", "g"));
    let world = &mut door.world;
    world.publish(1, 10, Place::Link(1), track("g/up", "c7", TrackKind::FrameDatagram, ""));
    world.run(SECOND);
    world.command(1, Command::LinkToken(1, Bytes::from_static(b"other")));
    world.run(SECOND / 10);
    world.command(0, Command::Accept(session, Box::new(stamp("c8", "g", "g"))));
    world.run(SECOND / 10);
    let events = world.events(1);
    assert!(events.iter().any(|e| matches!(e, Event::LinkClosed { reason: Reason::Unauthorized, .. })), "{events:?}");
}

#[test]
fn the_same_peer_again_replaces_the_first() {
    let mut door = Door::new();
    door.admit(1, 1, stamp("c7", "g", "g"));
    door.world.events(0);
    door.admit(2, 2, stamp("c7", "g", "g"));
    let world = &mut door.world;
    let events = world.events(1);
    assert!(events.iter().any(|e| matches!(e, Event::LinkClosed { reason: Reason::Replaced, .. })), "{events:?}");
    let events = world.events(0);
    assert!(events.iter().any(|e| matches!(e, Event::SessionUp { resumed: true, .. })), "{events:?}");
    assert_eq!(world.engine(0).stats().sessions, 1);
}

#[test]
fn a_kick_and_a_goaway_are_told() {
    let mut door = Door::new();
    let session = door.admit(1, 1, stamp("c7", "g", "g"));
    door.admit(2, 2, stamp("c8", "g", "g"));
    let world = &mut door.world;
    world.command(0, Command::CloseSession(session, Reason::Kicked, "cheating".into()));
    world.run(SECOND / 10);
    let events = world.events(1);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::LinkClosed { reason: Reason::Kicked, text, .. } if text == "cheating")),
        "{events:?}"
    );
    world.command(0, Command::Goaway(String::new(), 1000));
    world.run(SECOND / 10);
    assert!(world.events(2).iter().any(|e| matches!(e, Event::LinkGoaway { timeout_ms: 1000, .. })));
    // Said again, it is no fault of anybody's.
    world.command(0, Command::Goaway(String::new(), 1000));
    world.run(SECOND / 10);
    assert!(!world.events(0).iter().any(|e| matches!(e, Event::Warning { .. })));
}

/// Whatever strangers send, the relay answers or drops it, and goes on serving.
#[test]
fn noise_from_strangers_changes_nothing() {
    let mut door = Door::new();
    door.admit(1, 1, stamp("c7", "g", "g"));
    let world = &mut door.world;
    world.publish(0, 1, Place::Node, track("g/down", "c7", TrackKind::FrameDatagram, ""));
    world.subscribe(1, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    let mut random = 1_u64;
    let stranger = "192.0.2.1:999".parse().unwrap();
    for length in 0..2000_usize {
        let mut bytes: Vec<u8> = (0..length % 1400)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) as u8
            })
            .collect();
        if let Some(first) = bytes.first_mut() {
            // A part of them looks like QUIC's long header, version 1.
            if length % 3 == 0 {
                *first |= 0xc0;
            }
        }
        if length % 3 == 0 && bytes.len() > 5 {
            bytes[1..5].copy_from_slice(&[0, 0, 0, 1]);
        }
        let now = world.now;
        let packet = cc_engine::Packet { from: stranger, local: None, ecn: None, payload: &bytes };
        world.engine(0).handle(now, packet);
    }
    world.run(SECOND);
    world.send(0, 1, *b"still here");
    world.run(SECOND / 10);
    assert_eq!(world.frames(1).len(), 1);
}
