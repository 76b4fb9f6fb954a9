//! Relays that join relays: what is published on one is had on all, once, by as many ways as there are.

mod common;

use bytes::Bytes;
use cc_engine::{Command, Delivery, Event, LinkConfig, Place, Reason, Time, TrackKind};
use common::{client, link, relay, track, Identity, World};

const SECOND: Time = 1_000_000;
/// Links of relays to relays are numbered from here.
const UPLINK: u64 = 900;

struct Net {
    world: World,
    identity: Identity,
}

impl Net {
    /// So many open relays; nodes 0 and on.
    fn new(relays: usize) -> Net {
        let identity = Identity::new();
        let mut world = World::new();
        for at in 0..relays {
            world.add(relay(1 + at as u8, &identity, true));
        }
        Net { world, identity }
    }

    fn uplink_config(&self, from: usize, to: usize) -> LinkConfig {
        let id = UPLINK + to as u64;
        let config = link(self.world.nodes[to].address, &self.identity, id, None);
        let secret = Bytes::from(vec![from as u8 + 1; 16]);
        LinkConfig { uplink: true, resume_secret: secret, ..config }
    }

    /// One relay joins another.
    fn join(&mut self, from: usize, to: usize) {
        let config = self.uplink_config(from, to);
        self.world.command(from, Command::OpenLink(UPLINK + to as u64, Box::new(config)));
        self.world.run(SECOND / 10);
    }

    /// A client of a relay, with link 1.
    fn client(&mut self, of: usize) -> usize {
        let at = self.world.nodes.len();
        self.world.add(client(50 + at as u8));
        let mut config = link(self.world.nodes[of].address, &self.identity, 1, None);
        config.resume_secret = Bytes::from(vec![100 + at as u8; 16]);
        self.world.command(at, Command::OpenLink(1, Box::new(config)));
        self.world.run(SECOND / 10);
        at
    }

    fn kill(&mut self, node: usize) {
        self.world.nodes[node].engine = None;
    }

    fn restart(&mut self, node: usize) {
        let mut engine = relay(30 + node as u8, &self.identity, true);
        engine.handle_timeout(self.world.now);
        self.world.nodes[node].engine = Some(engine);
    }
}

fn payloads(frames: Vec<Delivery>) -> Vec<String> {
    frames.into_iter().map(|frame| String::from_utf8_lossy(&frame.payload).into_owned()).collect()
}

fn ended(events: &[Event]) -> Vec<Reason> {
    let ended = events.iter().filter_map(|event| match event {
        Event::TrackEnded { reason, .. } => Some(*reason),
        _ => None,
    });
    ended.collect()
}

fn added(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::TrackAdded { .. })).count()
}

#[test]
fn two_subscribers_through_a_second_relay_cost_one_upstream_subscription() {
    for kind in [TrackKind::FrameDatagram, TrackKind::FrameStream, TrackKind::Text] {
        let mut net = Net::new(2);
        net.join(1, 0);
        let publisher = net.client(0);
        let readers: Vec<usize> = (0..3).map(|_| net.client(1)).collect();
        let world = &mut net.world;
        world.publish(publisher, 10, Place::Link(1), track("g/up", "c1", kind, ""));
        world.run(SECOND);
        assert_eq!(world.engine(1).stats().subscriptions, 0, "nobody wants it yet");
        world.subscribe(readers[0], 20, Place::Link(1), "g", "");
        world.subscribe(readers[1], 20, Place::Link(1), "g/up", "");
        world.subscribe_exact(readers[2], 20, Place::Link(1), "g/up", "c1");
        world.run(SECOND);
        assert_eq!(world.engine(0).stats().subscriptions, 1, "the second relay's, for all three");
        assert_eq!(world.engine(1).stats().subscriptions, 3);
        let before = world.engine(0).stats().objects_out;
        for n in 0..50 {
            world.send(publisher, 10, format!("{n}"));
            world.run(SECOND / 50);
        }
        world.run(SECOND);
        let all: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        for reader in &readers {
            assert_eq!(payloads(world.frames(*reader)), all, "{kind:?}");
        }
        assert_eq!(world.engine(0).stats().objects_out - before, 50, "each object travels once between the relays");
        for reader in readers {
            world.command(reader, Command::Unsubscribe(20));
        }
        world.run(SECOND);
        let before = world.engine(0).stats().objects_out;
        if kind != TrackKind::Text {
            world.send(publisher, 10, *b"nobody hears it");
            world.run(SECOND);
            assert_eq!(world.engine(0).stats().objects_out, before, "and not at all when nobody wants it");
        }
    }
}

#[test]
fn what_is_published_below_is_had_above_and_beside() {
    let mut net = Net::new(3);
    net.join(1, 0);
    net.join(2, 0);
    let publisher = net.client(1);
    let above = net.client(0);
    let beside = net.client(2);
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, "text.v1"));
    world.subscribe(above, 20, Place::Link(1), "g", "text.v1");
    world.subscribe_exact(beside, 20, Place::Link(1), "g", "c1");
    // A relay's own reader, and its own track.
    world.subscribe(2, 30, Place::Node, "g", "");
    world.publish(2, 31, Place::Node, track("g", "relay", TrackKind::Text, ""));
    world.subscribe(publisher, 21, Place::Link(1), "g", "");
    world.run(SECOND);
    world.send(publisher, 10, *b"up");
    world.send(2, 31, *b"down");
    world.run(SECOND);
    assert_eq!(payloads(world.frames(above)), ["up"]);
    assert_eq!(payloads(world.frames(beside)), ["up"]);
    assert_eq!(payloads(world.frames(publisher)), ["down"]);
    let mut own = payloads(world.frames(2));
    own.sort();
    assert_eq!(own, ["down", "up"]);
    world.command(publisher, Command::Unpublish(10));
    world.run(SECOND);
    assert_eq!(ended(&world.events(above)), [Reason::TrackEnded]);
    assert_eq!(ended(&world.events(beside)), [Reason::TrackEnded]);
    assert!(added(&world.events(publisher)) == 1);
}

#[test]
fn loops_of_relays_neither_loop_nor_deliver_twice() {
    // Two that dial each other; a ring of three; three that all dial each other.
    let shapes: [&[(usize, usize)]; 3] =
        [&[(0, 1), (1, 0)], &[(0, 1), (1, 2), (2, 0)], &[(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)]];
    for shape in shapes {
        let relays = shape.iter().map(|(from, _)| from + 1).max().unwrap();
        let mut net = Net::new(relays);
        for (from, to) in shape {
            net.join(*from, *to);
        }
        let publisher = net.client(0);
        let readers: Vec<usize> = (0..relays).flat_map(|of| [of, of]).map(|of| net.client(of)).collect();
        let world = &mut net.world;
        world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::FrameDatagram, ""));
        world.publish(publisher, 11, Place::Link(1), track("g", "chat", TrackKind::Text, ""));
        for reader in &readers {
            world.subscribe(*reader, 20, Place::Link(1), "g", "");
        }
        world.run(SECOND);
        let packets = |world: &mut World| (0..relays).map(|at| world.nodes[at].packets_out).sum::<u64>();
        let quiet = packets(world);
        world.run(10 * SECOND);
        let idle = packets(world) - quiet;
        assert!(idle < 40 * (readers.len() + shape.len()) as u64, "relays that talk without end: {idle} packets");
        let before: u64 = (0..relays).map(|at| world.engine(at).stats().objects_out).sum();
        for n in 0..20 {
            world.send(publisher, 10, format!("f{n}"));
            world.send(publisher, 11, format!("t{n}"));
            world.run(SECOND / 20);
        }
        world.run(SECOND);
        for reader in &readers {
            let mut got = payloads(world.frames(*reader));
            got.sort();
            let mut all: Vec<String> = (0..20).flat_map(|n| [format!("f{n}"), format!("t{n}")]).collect();
            all.sort();
            assert_eq!(got, all, "{shape:?}");
        }
        let after: u64 = (0..relays).map(|at| world.engine(at).stats().objects_out).sum();
        let hops = (relays - 1) as u64;
        assert_eq!(after - before, 40 * (readers.len() as u64 + hops), "{shape:?}: once to each reader and relay");
        // What nobody has is refused in the end, by all of them.
        world.subscribe_exact(readers[0], 21, Place::Link(1), "g", "nothing");
        world.subscribe_exact(*readers.last().unwrap(), 21, Place::Link(1), "g", "nothing");
        world.run(25 * SECOND);
        for reader in [readers[0], *readers.last().unwrap()] {
            let events = world.events(reader);
            let refused = events.iter().any(|e| {
                matches!(e, Event::SubscribeRefused { subscription: 21, reason, .. }
                    if matches!(reason, Reason::DoesNotExist | Reason::Timeout))
            });
            assert!(refused, "{shape:?}: {events:?}");
        }
        world.command(publisher, Command::Unpublish(10));
        world.command(publisher, Command::Unpublish(11));
        world.run(2 * SECOND);
        for at in 0..relays {
            assert_eq!(world.engine(at).stats().tracks, 0, "{shape:?}: relay {at}");
        }
        for reader in readers {
            assert_eq!(ended(&world.events(reader)), [Reason::TrackEnded; 2], "{shape:?}");
        }
    }
}

#[test]
fn a_ring_goes_on_when_one_of_its_relays_dies() {
    let mut net = Net::new(3);
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        net.join(from, to);
    }
    let publisher = net.client(0);
    let reader = net.client(2);
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "chat", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.send(publisher, 10, *b"one");
    world.run(SECOND);
    assert_eq!(payloads(world.frames(reader)), ["one"]);
    // Its direct way to the publisher's relay is cut: the other way round is left.
    let text = "cut";
    world.command(2, Command::CloseLink(UPLINK, Reason::Local, text.into()));
    world.run(SECOND);
    world.send(publisher, 10, *b"two");
    world.run(2 * SECOND);
    assert_eq!(payloads(world.frames(reader)), ["two"]);
    assert!(ended(&world.events(reader)).is_empty());
    // And with that one gone nothing is left.
    net.kill(1);
    net.world.run(60 * SECOND);
    assert_eq!(ended(&net.world.events(reader)), [Reason::PublisherLost]);
}

#[test]
fn a_relay_above_that_dies_and_comes_back_is_one_gap() {
    let mut net = Net::new(2);
    net.join(1, 0);
    let publisher = net.client(0);
    let reader = net.client(1);
    let exact = net.client(1);
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "chat", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.subscribe_exact(exact, 20, Place::Link(1), "g", "chat");
    world.run(SECOND);
    world.send(publisher, 10, *b"before");
    world.run(SECOND);
    net.kill(0);
    net.world.run(5 * SECOND);
    net.world.send(publisher, 10, *b"meanwhile");
    // While it is away nobody can say that a track does not exist.
    let late = net.client(1);
    net.world.subscribe_exact(late, 21, Place::Link(1), "g", "other");
    net.world.run(12 * SECOND);
    let events = net.world.events(late);
    let refused = events.iter().find_map(|event| match event {
        Event::SubscribeRefused { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(refused, Some(Reason::Timeout), "{events:?}");
    net.restart(0);
    net.world.run(10 * SECOND);
    net.world.send(publisher, 10, *b"after");
    net.world.run(5 * SECOND);
    for at in [reader, exact] {
        assert_eq!(payloads(net.world.frames(at)), ["before", "meanwhile", "after"]);
        let events = net.world.events(at);
        assert!(ended(&events).is_empty() && added(&events) == 1, "{events:?}");
    }
    let events = net.world.events(late);
    assert!(!events.iter().any(|e| matches!(e, Event::SubscribeOk { .. })), "{events:?}");
}

#[test]
fn a_publisher_that_is_lost_is_told_from_one_that_ended() {
    for joined in [false, true] {
        let mut net = Net::new(1 + usize::from(joined));
        if joined {
            net.join(1, 0);
        }
        let closes = net.client(0);
        let dies = net.client(0);
        let reader = net.client(usize::from(joined));
        let world = &mut net.world;
        world.publish(closes, 10, Place::Link(1), track("g", "closes", TrackKind::Text, ""));
        world.publish(dies, 10, Place::Link(1), track("g", "dies", TrackKind::Text, ""));
        world.subscribe(reader, 20, Place::Link(1), "g", "");
        world.run(SECOND);
        world.command(closes, Command::Unpublish(10));
        world.run(SECOND);
        assert_eq!(ended(&world.events(reader)), [Reason::TrackEnded]);
        net.kill(dies);
        net.world.run(60 * SECOND);
        assert_eq!(ended(&net.world.events(reader)), [Reason::PublisherLost], "joined: {joined}");
    }
}

#[test]
fn the_past_comes_through_from_where_it_is() {
    let mut net = Net::new(2);
    net.join(1, 0);
    let publisher = net.client(0);
    let reader = net.client(1);
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "chat", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.send(publisher, 10, *b"one");
    world.run(SECOND);
    // Its own relay is away while messages come; the relay above has them.
    net.kill(1);
    for text in ["two", "three"] {
        net.world.send(publisher, 10, text);
        net.world.run(SECOND);
    }
    net.restart(1);
    net.join(1, 0);
    net.world.run(10 * SECOND);
    net.world.send(publisher, 10, *b"four");
    net.world.run(5 * SECOND);
    assert_eq!(payloads(net.world.frames(reader)), ["one", "two", "three", "four"]);
}

#[test]
fn a_relay_does_not_join_itself() {
    let mut net = Net::new(1);
    net.join(0, 0);
    net.world.run(SECOND);
    let events = net.world.events(0);
    assert!(events.iter().any(|e| matches!(e, Event::LinkClosed { reason: Reason::Refused, .. })), "{events:?}");
}

#[test]
fn only_a_relay_has_an_uplink_and_it_has_no_tracks_of_its_own() {
    let mut net = Net::new(1);
    let at = net.world.add(client(9));
    let config = net.uplink_config(at, 0);
    net.world.command(at, Command::OpenLink(1, Box::new(config)));
    net.world.run(SECOND);
    assert!(matches!(net.world.events(at)[..], [Event::LinkClosed { reason: Reason::Local, .. }]));
    let mut net = Net::new(2);
    net.join(1, 0);
    net.world.publish(1, 5, Place::Link(UPLINK), track("g", "c", TrackKind::Text, ""));
    net.world.subscribe(1, 6, Place::Link(UPLINK), "g", "");
    net.world.run(SECOND);
    let events = net.world.events(1);
    assert!(events.iter().any(|e| matches!(e, Event::PublishRefused { publication: 5, .. })));
    assert!(events.iter().any(|e| matches!(e, Event::SubscribeRefused { subscription: 6, .. })));
}
