//! One relay of several engines: what is published on one shard is had on all, once, whoever is where; and a shard that
//! begins anew leaves the others as they are.

mod common;

use bytes::Bytes;
use cc_engine::{Command, Delivery, Event, Outgoing, Place, Reason, ShardConfig, Time, TrackConfig, TrackKind};
use cc_session::{Event as Heard, Fetch, Request};
use cc_wire::{
    FetchItem, FetchKind, Filter, Gap, GroupOrder, Location, Namespace, Params, Profile, Properties, TrackName,
};
use common::{client, link, shard, track, Identity, World};

const SECOND: Time = 1_000_000;
/// DropReason::RingFull.
const RING_FULL: usize = 7;

struct Net {
    world: World,
    identity: Identity,
    count: usize,
}

impl Net {
    /// One relay of so many shards: nodes 0 and on.
    fn new(count: usize) -> Net {
        let identity = Identity::new();
        let mut world = World::new();
        for at in 0..count {
            world.add(shard(1 + at as u8, &identity, (at, count), (0, 0)));
        }
        world.shards = (0..count).collect();
        world.run(SECOND / 100);
        Net { world, identity, count }
    }

    /// A client on a shard, with link 1; `who` tells its secret.
    fn client_as(&mut self, of: usize, who: u8) -> usize {
        let at = self.world.nodes.len();
        self.world.add(client(50 + at as u8));
        let mut config = link(self.world.nodes[of].address, &self.identity, 1, None);
        config.resume_secret = Bytes::from(vec![who; 16]);
        self.world.command(at, Command::OpenLink(1, Box::new(config)));
        self.world.run(SECOND / 10);
        at
    }

    fn client(&mut self, of: usize) -> usize {
        self.client_as(of, 100 + self.world.nodes.len() as u8)
    }

    fn crossed(&mut self) -> u64 {
        (0..self.count).map(|at| self.world.engine(at).stats().crossed_out).sum()
    }
}

fn payloads(frames: Vec<Delivery>) -> Vec<String> {
    frames.into_iter().map(|frame| String::from_utf8_lossy(&frame.payload).into_owned()).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn reasons(events: &[Event]) -> Vec<Reason> {
    let reasons = events.iter().filter_map(|event| match event {
        Event::SessionDown { reason, .. } | Event::TrackEnded { reason, .. } => Some(*reason),
        Event::PublishRefused { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

fn publishers(events: &[Event]) -> Vec<String> {
    let found = events.iter().filter_map(|event| match event {
        Event::TrackAdded { publisher, .. } => Some(publisher.clone()),
        _ => None,
    });
    found.collect()
}

#[test]
fn an_object_crosses_once_to_each_shard_with_subscribers_and_not_to_others() {
    for kind in [TrackKind::FrameDatagram, TrackKind::FrameStream, TrackKind::Text] {
        for home in 0..3 {
            let mut net = Net::new(3);
            let publisher = net.client(home);
            let there = (home + 1) % 3;
            let readers: Vec<usize> = [home, there, there, there].into_iter().map(|of| net.client(of)).collect();
            let world = &mut net.world;
            world.publish(publisher, 10, Place::Link(1), track("g/up", "c1", kind, ""));
            world.run(SECOND);
            world.subscribe(readers[0], 20, Place::Link(1), "g", "");
            world.subscribe(readers[1], 20, Place::Link(1), "g", "");
            world.subscribe(readers[2], 20, Place::Link(1), "g/up", "");
            world.subscribe_exact(readers[3], 20, Place::Link(1), "g/up", "c1");
            world.run(SECOND);
            let before = net.crossed();
            for n in 0..50 {
                net.world.send(publisher, 10, format!("{n}"));
                net.world.run(SECOND / 50);
            }
            net.world.run(SECOND);
            for reader in &readers {
                assert_eq!(payloads(net.world.frames(*reader)), numbers(50), "{kind:?} from shard {home}");
            }
            assert_eq!(net.crossed() - before, 50, "{kind:?} from shard {home}: once, to one of the two others");
            let stats: Vec<_> = (0..3).map(|at| net.world.engine(at).stats()).collect();
            assert_eq!(stats.iter().map(|stats| stats.tracks).sum::<u64>(), 1, "counted at home alone");
            assert_eq!(stats.iter().map(|stats| stats.objects_in).sum::<u64>(), 50);
            assert_eq!(stats.iter().map(|stats| stats.subscriptions).sum::<u64>(), 4);
        }
    }
}

#[test]
fn a_stream_crosses_whole_or_in_parts_by_its_size() {
    let mut net = Net::new(2);
    let (publisher, reader) = (net.client(0), net.client(1));
    net.world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::FrameStream, ""));
    net.world.run(SECOND);
    net.world.subscribe(reader, 20, Place::Link(1), "g", "");
    net.world.run(SECOND);
    let before = net.crossed();
    let sizes = [0, 1, 2000, 60_000, 70_000, 300_000];
    for size in sizes {
        net.world.send(publisher, 10, vec![7; size]);
        net.world.run(SECOND);
    }
    let got: Vec<usize> = net.world.frames(reader).iter().map(|frame| frame.payload.len()).collect();
    assert_eq!((got, net.crossed() - before), (sizes.to_vec(), sizes.len() as u64));
}

#[test]
fn a_reader_is_told_who_publishes_on_whichever_shard() {
    let mut net = Net::new(2);
    let publisher = net.client(1);
    let up = net.world.events(1);
    let Some(Event::SessionUp { peer_id, .. }) = up.iter().find(|event| matches!(event, Event::SessionUp { .. }))
    else {
        panic!("{up:?}");
    };
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    // The relay's own readers are on the first shard.
    world.subscribe(0, 30, Place::Node, "g", "");
    world.run(SECOND);
    assert_eq!(publishers(&world.events(0)), std::slice::from_ref(peer_id));
    world.send(publisher, 10, *b"hello");
    world.publish(0, 31, Place::Node, track("down", "all", TrackKind::FrameDatagram, ""));
    world.subscribe(publisher, 20, Place::Link(1), "down", "");
    world.run(SECOND);
    world.send(0, 31, *b"welcome");
    world.run(SECOND);
    assert_eq!(payloads(world.frames(0)), ["hello"]);
    assert_eq!(payloads(world.frames(publisher)), ["welcome"]);
}

#[test]
fn what_came_before_a_late_reader_is_fetched_across() {
    let mut net = Net::new(2);
    let publisher = net.client(0);
    net.world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    net.world.run(SECOND);
    let first = net.client(0);
    net.world.subscribe(first, 20, Place::Link(1), "g", "");
    net.world.run(SECOND);
    for n in 0..20 {
        net.world.send(publisher, 10, format!("{n}"));
    }
    net.world.run(SECOND);
    let late = net.client(1);
    net.world.subscribe(late, 20, Place::Link(1), "g", "");
    net.world.run(SECOND);
    for n in 20..40 {
        net.world.send(publisher, 10, format!("{n}"));
    }
    net.world.run(SECOND);
    assert_eq!(payloads(net.world.frames(first)), numbers(40));
    let got = payloads(net.world.frames(late));
    assert_eq!(got, numbers(40)[40 - got.len()..], "no gap");
    assert!(got.len() >= 20);
}

/// What a track's home keeps is the relay's: who joins late elsewhere gets as much, though others there have had it all.
#[test]
fn who_joins_late_gets_the_newest_group_at_once_on_whichever_shard() {
    for (kind, latest_wins, expected) in [
        (TrackKind::FrameDatagram, true, 9..10),
        (TrackKind::FrameStream, true, 9..10),
        (TrackKind::Video, false, 0..10),
        (TrackKind::FrameStream, false, 0..0),
    ] {
        let mut net = Net::new(2);
        let publisher = net.client(0);
        let config = TrackConfig { latest_wins, subgroup_timeout_ms: 2000, ..track("g", "c1", kind, "") };
        net.world.publish(publisher, 10, Place::Link(1), config);
        let first = net.client(1);
        net.world.subscribe(first, 20, Place::Link(1), "g", "");
        net.world.run(SECOND);
        for n in 0..10 {
            let (payload, properties) = (Bytes::from(n.to_string()), Bytes::new());
            let (priority, ttl, new_group, end_group) = (None, None, n == 0, false);
            let outgoing = Outgoing { publication: 10, payload, properties, priority, ttl, new_group, end_group };
            net.world.command(publisher, Command::Send(outgoing));
            net.world.run(SECOND / 50);
        }
        assert_eq!(payloads(net.world.frames(first)), numbers(10), "{kind:?}");
        for of in 0..2 {
            let late = net.client(of);
            net.world.subscribe(late, 20, Place::Link(1), "g", "");
            net.world.run(SECOND);
            let expected = &numbers(10)[expected.clone()];
            assert_eq!(payloads(net.world.frames(late)), expected, "{kind:?} on shard {of}");
        }
    }
}

/// Asks shard 1 for what the relay has of these groups: the objects, and what it says of others.
fn fetched(net: &mut Net, name: &TrackName, groups: (u64, u64)) -> (Vec<Location>, Vec<(Gap, Location)>) {
    let now = net.world.now;
    let reader = net.world.add_peer(1, &net.identity, Profile::D22);
    let (start, end) = (Location { group: groups.0, object: 0 }, Location { group: groups.1, object: 1 });
    let (filter, group_order) = (Some(Filter::ObjectRange { start, end }), Some(GroupOrder::Ascending));
    let params = Params { filter, group_order, fill_timeout: Some(0), ..Params::default() };
    let fetch = Fetch { kind: FetchKind::Standalone(name.clone()), params };
    let key = net.world.peer(reader).ask(Request::Fetch(fetch), now);
    net.world.run(SECOND);
    let peer = net.world.peer(reader);
    let gaps = peer.heard.iter().filter_map(|event| match event {
        Heard::FetchItem { item: FetchItem::End { gap, location }, .. } => Some((*gap, *location)),
        _ => None,
    });
    let (gaps, objects) = (gaps.collect(), peer.fetched(key).iter().map(|object| object.location).collect());
    assert!(matches!(peer.answer(key), Some(Ok(_))));
    (objects, gaps)
}

#[test]
fn what_one_shard_keeps_all_have_and_what_it_took_with_it_is_unknown() {
    let mut net = Net::new(2);
    let name = TrackName::new(Namespace::parse("g").unwrap(), &b"t"[..]).unwrap();
    let now = net.world.now;
    let [publisher, reader] = [0, 1].map(|of| net.world.add_peer(of, &net.identity, Profile::D22));
    let (params, properties) = (Params::default(), Properties::default());
    let publish = Request::Publish { track: name.clone(), alias: 7, params, properties };
    net.world.peer(publisher).ask(publish, now);
    net.world.run(SECOND);
    let subscribe = Request::Subscribe { track: name.clone(), params: Params::default() };
    let now = net.world.now;
    let subscription = net.world.peer(reader).ask(subscribe, now);
    net.world.run(SECOND);
    for group in [3, 4, 5] {
        net.world.peer(publisher).subgroup(7, group, 0, 9, &[0, 1], true);
        net.world.run(SECOND / 10);
    }
    let of = |groups: [u64; 2]| -> Vec<Location> {
        groups.into_iter().flat_map(|group| [0, 1].map(|object| Location { group, object })).collect()
    };
    assert_eq!(net.world.peer(reader).objects(subscription)[2..], of([4, 5]));
    assert_eq!(fetched(&mut net, &name, (4, 5)), (of([4, 5]), vec![]));
    // What was fetched is kept here; the rest may exist.
    let mut engine = shard(35, &net.identity, (0, 2), (10, 5));
    engine.handle_timeout(net.world.now);
    net.world.nodes[0].engine = Some(engine);
    net.world.run(SECOND);
    let gaps = vec![(Gap::TimedOut, Location { group: 3, object: u64::MAX })];
    assert_eq!(fetched(&mut net, &name, (3, 5)), (of([4, 5]), gaps));
}

#[test]
fn a_peer_has_one_session_on_all_shards_and_the_newest_stays() {
    let mut net = Net::new(3);
    let old = net.client_as(0, 7);
    assert_eq!(reasons(&net.world.events(0)), []);
    let new = net.client_as(2, 7);
    assert_eq!(reasons(&net.world.events(0)), [Reason::Replaced]);
    let resumed: Vec<bool> = net
        .world
        .events(2)
        .iter()
        .filter_map(|event| match event {
            Event::SessionUp { resumed, .. } => Some(*resumed),
            _ => None,
        })
        .collect();
    assert_eq!(resumed, [true]);
    assert_eq!(net.world.engine(0).stats().sessions + net.world.engine(2).stats().sessions, 1);
    // One that left is known on the others for a while.
    net.world.command(new, Command::CloseLink(1, Reason::Local, String::new()));
    net.world.run(SECOND);
    net.client_as(1, 7);
    let events = net.world.events(1);
    assert!(events.iter().any(|event| matches!(event, Event::SessionUp { resumed: true, .. })), "{events:?}");
    let _ = old;
}

#[test]
fn a_name_has_one_publisher_on_all_shards() {
    let mut net = Net::new(2);
    let (first, second) = (net.client(0), net.client(1));
    net.world.publish(first, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    net.world.run(SECOND);
    net.world.publish(second, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    net.world.run(SECOND);
    let refused = net.world.events(second);
    assert!(refused.iter().any(|event| matches!(event, Event::PublishRefused { .. })), "{refused:?}");
}

#[test]
fn of_two_that_publish_a_name_at_once_the_one_on_the_lower_shard_stays() {
    for kind in [TrackKind::FrameDatagram, TrackKind::Text] {
        let mut net = Net::new(3);
        let publishers = [net.client(2), net.client(1)];
        let readers: Vec<usize> = (0..3).map(|of| net.client(of)).collect();
        for reader in &readers {
            net.world.subscribe(*reader, 20, Place::Link(1), "g", "");
        }
        net.world.run(SECOND);
        // Neither shard hears of the other's in time.
        net.world.room = 0;
        for publisher in publishers {
            net.world.publish(publisher, 10, Place::Link(1), track("g", "c1", kind, ""));
        }
        net.world.run(SECOND / 10);
        net.world.room = 4096;
        net.world.run(SECOND);
        let refused = publishers.map(|publisher| {
            let events = net.world.events(publisher);
            events.iter().filter(|event| matches!(event, Event::PublishRefused { .. })).count()
        });
        assert_eq!(refused, [1, 0], "{kind:?}");
        readers.iter().for_each(|reader| drop(net.world.frames(*reader)));
        for n in 0..20 {
            net.world.send(publishers[1], 10, n.to_string());
            net.world.run(SECOND / 20);
        }
        net.world.run(SECOND);
        for reader in &readers {
            assert_eq!(payloads(net.world.frames(*reader)), numbers(20), "{kind:?}");
        }
        let tracks: u64 = (0..3).map(|at| net.world.engine(at).stats().tracks).sum();
        assert_eq!(tracks, 1, "{kind:?}");
        // Whoever publishes it now is told so at once.
        net.world.publish(publishers[0], 11, Place::Link(1), track("g", "c1", kind, ""));
        net.world.run(SECOND);
        let events = net.world.events(publishers[0]);
        let told = |event: &Event| matches!(event, Event::PublishRefused { publication: 11, .. });
        assert!(events.iter().any(told), "{kind:?}: {events:?}");
    }
}

#[test]
fn a_full_ring_drops_frames_counted_and_loses_no_text() {
    let mut net = Net::new(2);
    let (publisher, reader) = (net.client(0), net.client(1));
    net.world.publish(publisher, 10, Place::Link(1), track("g", "frames", TrackKind::FrameDatagram, ""));
    net.world.publish(publisher, 11, Place::Link(1), track("g", "text", TrackKind::Text, ""));
    net.world.subscribe(reader, 20, Place::Link(1), "g", "");
    net.world.run(SECOND);
    net.world.room = 0;
    for n in 0..9_000 {
        net.world.send(publisher, 10, vec![0; 1000]);
        if n % 100 == 0 {
            net.world.send(publisher, 11, (n / 100).to_string());
            net.world.run(SECOND / 100);
        }
    }
    net.world.run(SECOND);
    let dropped = net.world.engine(0).stats().drops[RING_FULL];
    assert!(dropped > 0, "{:?}", net.world.engine(0).stats());
    net.world.room = 64;
    net.world.run(3 * SECOND);
    let got = payloads(net.world.frames(reader).into_iter().filter(|frame| frame.payload.len() < 10).collect());
    assert_eq!(got, numbers(90));
}

#[test]
fn a_shard_that_begins_anew_is_joined_again_and_the_others_go_on() {
    let mut net = Net::new(3);
    let publisher = net.client(0);
    let (beside, lost) = (net.client(1), net.client(2));
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    world.subscribe(beside, 20, Place::Link(1), "g", "");
    world.subscribe(lost, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.send(publisher, 10, *b"0");
    world.run(SECOND);
    let highest = world.events(2).iter().fold(0, |highest, event| match event {
        Event::SessionUp { session, .. } => highest.max(*session),
        _ => highest,
    });
    for at in [publisher, beside] {
        world.events(at);
    }
    let mut engine = shard(33, &net.identity, (2, 3), (highest, 5));
    engine.handle_timeout(world.now);
    world.nodes[2].engine = Some(engine);
    for n in 1..20 {
        world.send(publisher, 10, n.to_string());
        world.run(SECOND / 2);
    }
    assert_eq!(payloads(world.frames(beside)), numbers(20));
    assert_eq!(payloads(world.frames(lost)), numbers(20), "it dialled again, and missed nothing");
    for at in [publisher, beside] {
        let events = world.events(at);
        let quiet = !events.iter().any(|event| matches!(event, Event::LinkDown { .. } | Event::TrackEnded { .. }));
        assert!(quiet, "{events:?}");
    }
    let ids: Vec<u64> = world
        .events(2)
        .iter()
        .filter_map(|event| match event {
            Event::SessionUp { session, .. } => Some(*session),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert!(ids[0] > highest && ShardConfig::of_session(ids[0], 3) == 2, "{ids:?} after {highest}");
}

#[test]
fn a_publisher_whose_shard_failed_goes_on_where_it_comes_back() {
    let mut net = Net::new(2);
    let (publisher, reader) = (net.client(1), net.client(0));
    let world = &mut net.world;
    world.publish(publisher, 10, Place::Link(1), track("g", "c1", TrackKind::Text, ""));
    world.subscribe(reader, 20, Place::Link(1), "g", "");
    world.run(SECOND);
    world.send(publisher, 10, *b"0");
    world.run(SECOND);
    let mut engine = shard(34, &net.identity, (1, 2), (10, 5));
    engine.handle_timeout(world.now);
    world.nodes[1].engine = Some(engine);
    for n in 1..10 {
        world.send(publisher, 10, n.to_string());
        world.run(SECOND);
    }
    assert_eq!(payloads(world.frames(reader)), numbers(10));
    let ended = reasons(&world.events(reader));
    assert_eq!(ended, [], "the track was awaited");
}
