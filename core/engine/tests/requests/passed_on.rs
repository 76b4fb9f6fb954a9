//! GOAWAY on the stream of what is asked in others' stead: FETCH and TRACK_STATUS that a relay passes on, the past that
//! a link's readers wait for, and what one relay asks of another.

use bytes::Bytes;
use cc_engine::{Command, Event, LinkConfig, Place, Time, TrackKind};
use cc_session::{Event as Said, Fetch, Refusal, Reply, Request, RequestKey};
use cc_wire::codes::request_error;
use cc_wire::{
    FetchItem, FetchKind, FetchObject, Filter, GroupOrder, Location, Namespace, Params, Profile, Properties, Redirect,
};

use crate::common::{client, link, relay, Identity, World};
use crate::door::{drafts, name, ns, Door};

const SECOND: Time = 1_000_000;
const THERE: &str = "moqt://there:7777/main";

fn ok() -> Reply {
    Reply::Ok { params: Params::default(), properties: Properties::default() }
}

fn at(group: u64, object: u64) -> Location {
    Location { group, object }
}

fn fetch() -> Request {
    let filter = Filter::ObjectRange { start: at(1, 0), end: at(1, 0) };
    let params = Params { filter: Some(filter), ..Params::default() };
    Request::Fetch(Fetch { kind: FetchKind::Standalone(name("g", "t")), params })
}

fn status() -> Request {
    Request::TrackStatus { track: name("g", "t"), params: Params::default() }
}

fn object(group: u64, object: u64) -> FetchItem {
    FetchItem::Object(FetchObject {
        location: at(group, object),
        subgroup: Some(0),
        priority: 128,
        properties: Bytes::new(),
        payload_len: 8,
    })
}

/// The requests among what was heard, and those that were given up.
fn heard(world: &mut World, node: usize) -> (Vec<(RequestKey, Request)>, Vec<RequestKey>) {
    let (mut made, mut ended) = (Vec::new(), Vec::new());
    for event in world.peer(node).take() {
        match event {
            Said::Request { key, request } => made.push((key, request)),
            Said::Ended { key, .. } => ended.push(key),
            _ => {}
        }
    }
    (made, ended)
}

/// The one request that a peer was made, and nothing given up.
fn one(world: &mut World, node: usize) -> (RequestKey, Request) {
    let (mut made, ended) = heard(world, node);
    assert!(made.len() == 1 && ended.is_empty(), "{made:?} {ended:?}");
    made.remove(0)
}

fn goaway(world: &mut World, node: usize, key: RequestKey, uri: &str) {
    world.peer(node).session.request_goaway(key, uri, 0).unwrap();
    world.run(SECOND / 2);
}

/// A peer says GOAWAY without a place: its request is given up, and made again.
fn again(world: &mut World, node: usize, before: RequestKey, request: &Request) -> RequestKey {
    goaway(world, node, before, "");
    let (made, ended) = heard(world, node);
    assert_eq!(ended, [before]);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(&made[0].1, request);
    made[0].0
}

/// A peer says GOAWAY to a request, and to the one that is made in its place: no third is made. What whoever wanted it
/// hears.
fn sent_away_twice(
    world: &mut World,
    node: usize,
    (key, asked): (RequestKey, Request),
    (reader, wanted): (usize, RequestKey),
) -> Option<Result<Reply, Refusal>> {
    let key = again(world, node, key, &asked);
    goaway(world, node, key, "");
    let (made, ended) = heard(world, node);
    assert!(made.is_empty() && ended == [key], "{made:?} {ended:?}");
    world.peer(reader).answer(wanted)
}

/// A relay, who announced `g` there, and a reader.
fn passed_on(profile: Profile) -> (Door, usize, usize) {
    let mut door = Door::new(true);
    let (publisher, reader) = (door.stranger(profile), door.stranger(profile));
    door.ask(publisher, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
    door.world.peer(publisher).take();
    (door, publisher, reader)
}

#[test]
fn a_fetch_that_is_passed_on_is_asked_again_once() {
    for profile in drafts() {
        let (mut door, publisher, reader) = passed_on(profile);
        let wanted = door.ask(reader, fetch());
        let (key, asked) = one(&mut door.world, publisher);
        let key = again(&mut door.world, publisher, key, &asked);
        door.world.peer(publisher).answer_fetch(key, at(1, 0), GroupOrder::Ascending, &[object(1, 0)], true);
        door.world.run(SECOND / 10);
        assert_eq!(door.world.peer(reader).fetched(wanted).len(), 1, "{profile:?}");
        assert!(matches!(door.world.peer(reader).answer(wanted), Some(Ok(Reply::FetchOk { .. }))), "{profile:?}");
        // A publisher that sends it away again is not asked for ever.
        let wanted = door.ask(reader, fetch());
        let (key, asked) = one_fetch(&mut door.world, publisher);
        let answer = sent_away_twice(&mut door.world, publisher, (key, asked), (reader, wanted));
        assert!(matches!(&answer, Some(Err(no)) if no.code == request_error::GOING_AWAY), "{profile:?}: {answer:?}");
    }
}

/// The FETCH that a peer was made; what else it hears is of the one before.
fn one_fetch(world: &mut World, node: usize) -> (RequestKey, Request) {
    let (mut made, _) = heard(world, node);
    assert_eq!(made.len(), 1, "{made:?}");
    made.remove(0)
}

#[test]
fn a_fetch_whose_answer_comes_goes_on() {
    for profile in drafts() {
        let (mut door, publisher, reader) = passed_on(profile);
        let wanted = door.ask(reader, fetch());
        let (key, _) = one(&mut door.world, publisher);
        door.world.peer(publisher).answer_fetch(key, at(1, 0), GroupOrder::Ascending, &[object(1, 0)], false);
        door.world.run(SECOND / 10);
        goaway(&mut door.world, publisher, key, "");
        let (made, ended) = heard(&mut door.world, publisher);
        assert!(made.is_empty() && ended.is_empty(), "{profile:?}: {made:?} {ended:?}");
        assert_eq!(door.world.peer(reader).fetched(wanted).len(), 1, "{profile:?}");
        // Until its publisher ends it, as it does after the time-out that it names.
        door.world.peer(publisher).session.cancel(key, cc_wire::codes::stream_reset::GOING_AWAY).unwrap();
        door.world.run(SECOND / 10);
        let heard = door.world.peer(reader).take();
        let over = |event: &Said| matches!(event, Said::Ended { key, .. } if *key == wanted);
        let cut = |event: &Said| matches!(event, Said::SubgroupEnd { .. });
        assert!(heard.iter().any(|event| over(event) || cut(event)), "{profile:?}: {heard:?}");
    }
}

#[test]
fn a_status_that_is_passed_on_is_asked_again_once() {
    for profile in drafts() {
        let (mut door, publisher, reader) = passed_on(profile);
        let wanted = door.ask(reader, status());
        let (key, asked) = one(&mut door.world, publisher);
        let key = again(&mut door.world, publisher, key, &asked);
        door.world.peer(publisher).session.accept(key, ok()).unwrap();
        door.world.run(SECOND / 10);
        assert_eq!(door.world.peer(reader).answer(wanted), Some(Ok(ok())), "{profile:?}");
        let wanted = door.ask(reader, status());
        let (key, asked) = one(&mut door.world, publisher);
        let answer = sent_away_twice(&mut door.world, publisher, (key, asked), (reader, wanted));
        assert!(matches!(&answer, Some(Err(no)) if no.code == request_error::GOING_AWAY), "{profile:?}: {answer:?}");
    }
}

/// A relay (node 1) with an uplink to a server without an engine (node 0), and what that was asked for all of its tracks
/// and namespaces.
struct Below {
    world: World,
    identity: Identity,
    tracks: RequestKey,
    names: RequestKey,
}

const ABOVE: usize = 0;
const RELAY: usize = 1;

impl Below {
    fn new(profile: Profile) -> Below {
        let identity = Identity::new();
        let mut world = World::new();
        world.add_server(&identity, profile);
        world.add(relay(2, &identity, true));
        let config = link(world.nodes[ABOVE].address, &identity, 9, Some(profile));
        world.command(RELAY, Command::OpenLink(9, Box::new(LinkConfig { uplink: true, ..config })));
        world.run(SECOND / 2);
        let (mut tracks, mut names) = (None, None);
        for (key, request) in heard(&mut world, ABOVE).0 {
            match request {
                Request::SubscribeTracks { .. } => tracks = Some(key),
                Request::SubscribeNamespace { .. } => names = Some(key),
                other => panic!("{other:?}"),
            }
        }
        let (tracks, names) = (tracks.unwrap(), names.unwrap());
        for key in [tracks, names] {
            world.peer(ABOVE).session.accept(key, ok()).unwrap();
        }
        world.run(SECOND / 10);
        Below { world, identity, tracks, names }
    }

    fn stranger(&mut self, profile: Profile) -> usize {
        let at = self.world.add_peer(RELAY, &self.identity, profile);
        self.world.run(SECOND / 10);
        at
    }

    fn ask(&mut self, node: usize, request: Request) -> RequestKey {
        let now = self.world.now;
        let key = self.world.peer(node).ask(request, now);
        self.world.run(SECOND / 10);
        key
    }

    fn warnings(&mut self) -> Vec<String> {
        let events = self.world.events(RELAY).into_iter();
        events.filter_map(|event| if let Event::Warning { text } = event { Some(text) } else { None }).collect()
    }
}

#[test]
fn a_place_of_what_is_passed_on_is_told_to_who_asked() {
    for profile in drafts() {
        let mut below = Below::new(profile);
        let reader = below.stranger(profile);
        for request in [fetch(), status()] {
            let wanted = below.ask(reader, request);
            let (key, _) = one(&mut below.world, ABOVE);
            goaway(&mut below.world, ABOVE, key, THERE);
            let (made, ended) = heard(&mut below.world, ABOVE);
            assert!(made.is_empty() && ended == [key], "{profile:?}: {made:?} {ended:?}");
            let redirect = Some(Box::new(Redirect { uri: THERE.into(), track: name("g", "t") }));
            let answer = below.world.peer(reader).answer(wanted);
            let Some(Err(Refusal { code, redirect: told, .. })) = answer else { panic!("{profile:?}: {answer:?}") };
            assert_eq!((code, told), (request_error::REDIRECT, redirect), "{profile:?}");
        }
    }
}

/// Those that a watcher of namespaces has been told of, and not been taken back.
fn told(world: &mut World, node: usize) -> Vec<Namespace> {
    let mut there = Vec::new();
    for event in &world.peer(node).heard {
        match event {
            Said::Namespace { suffix, .. } => there.push(suffix.clone()),
            Said::NamespaceDone { suffix, .. } => there.retain(|other| other != suffix),
            _ => {}
        }
    }
    there
}

#[test]
fn what_is_asked_of_a_relay_above_is_asked_again() {
    for profile in drafts() {
        let mut below = Below::new(profile);
        let watcher = below.stranger(profile);
        below.ask(watcher, Request::SubscribeNamespace { prefix: ns("g"), params: Params::default() });
        for suffix in ["g/kept", "g/gone"] {
            below.world.peer(ABOVE).session.namespace(below.names, ns(suffix)).unwrap();
        }
        below.world.run(SECOND / 10);
        assert_eq!(told(&mut below.world, watcher), [ns("kept"), ns("gone")], "{profile:?}");
        let all = Request::SubscribeNamespace { prefix: Namespace::default(), params: Params::default() };
        let names = again(&mut below.world, ABOVE, below.names, &all);
        // The end of the first may come after it.
        let overlap = Refusal::new(request_error::PREFIX_OVERLAP, "it is watched");
        below.world.peer(ABOVE).session.refuse(names, overlap).unwrap();
        below.world.run(SECOND);
        let (names, asked) = one(&mut below.world, ABOVE);
        assert_eq!(asked, all, "{profile:?}");
        below.world.peer(ABOVE).session.accept(names, ok()).unwrap();
        below.world.peer(ABOVE).session.namespace(names, ns("g/kept")).unwrap();
        below.world.run(SECOND / 10);
        assert_eq!(told(&mut below.world, watcher), [ns("kept")], "{profile:?}");
        let params = Params { forward: Some(false), ..Params::default() };
        let all = Request::SubscribeTracks { prefix: Namespace::default(), params };
        again(&mut below.world, ABOVE, below.tracks, &all);
        assert_eq!(below.warnings(), [""; 0], "{profile:?}");
    }
}

#[test]
fn a_namespace_is_announced_again() {
    for profile in drafts() {
        let mut below = Below::new(profile);
        let publisher = below.stranger(profile);
        let announced =
            below.ask(publisher, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
        let (key, asked) = one(&mut below.world, ABOVE);
        assert!(matches!(&asked, Request::PublishNamespace { namespace, .. } if *namespace == ns("g")));
        below.world.peer(ABOVE).session.accept(key, ok()).unwrap();
        let key = again(&mut below.world, ABOVE, key, &asked);
        below.world.peer(ABOVE).session.accept(key, ok()).unwrap();
        below.world.run(SECOND / 10);
        // With its announcer it goes.
        below.world.peer(publisher).session.cancel(announced, 0).unwrap();
        below.world.run(SECOND / 10);
        let (made, ended) = heard(&mut below.world, ABOVE);
        assert!(made.is_empty() && ended == [key], "{profile:?}: {made:?} {ended:?}");
    }
}

#[test]
fn the_owner_is_told_of_a_place_that_no_link_goes_to() {
    for profile in drafts() {
        let mut below = Below::new(profile);
        let publisher = below.stranger(profile);
        below.ask(publisher, Request::PublishNamespace { namespace: ns("g"), params: Params::default() });
        let (announcing, _) = one(&mut below.world, ABOVE);
        let (tracks, names) = (below.tracks, below.names);
        for key in [tracks, names, announcing] {
            // Warnings are one a second.
            below.world.run(SECOND);
            below.warnings();
            goaway(&mut below.world, ABOVE, key, THERE);
            let warnings = below.warnings();
            assert!(matches!(&warnings[..], [one] if one.contains(THERE)), "{profile:?}: {warnings:?}");
            let (made, ended) = heard(&mut below.world, ABOVE);
            assert!(made.is_empty() && ended.is_empty(), "{profile:?}: {made:?} {ended:?}");
        }
    }
}

/// A link's reader of an audio track that it joins late waits for the past no longer than its relay says.
#[test]
fn a_late_joiner_s_past_is_asked_again_or_done_without() {
    for uri in ["", THERE] {
        let identity = Identity::new();
        let mut world = World::new();
        world.add_server(&identity, Profile::D18);
        world.add(client(7));
        world.open_link(1, 1, 0, &identity, Some(Profile::D18));
        world.run(SECOND / 2);
        world.subscribe_exact(1, 20, Place::Link(1), "g", "t");
        world.run(SECOND / 2);
        let (subscription, _) = one(&mut world, 0);
        let mut properties = Properties::default();
        // Its kind.
        properties.insert(0x3804, TrackKind::Audio as u64).unwrap();
        let params = Params { largest: Some(at(5, 3)), ..Params::default() };
        let reply = Reply::SubscribeOk { alias: 3, params, properties };
        world.peer(0).session.accept(subscription, reply).unwrap();
        world.run(SECOND / 10);
        let (mut key, asked) = one(&mut world, 0);
        assert!(matches!(&asked, Request::Fetch(_)), "{asked:?}");
        world.peer(0).subgroup(3, 6, 0, 9, &[0], true);
        world.run(SECOND / 10);
        assert!(world.frames(1).is_empty(), "what is live waits for the past");
        if uri.is_empty() {
            key = again(&mut world, 0, key, &asked);
            assert!(world.frames(1).is_empty(), "and goes on waiting for it");
        }
        world.peer(0).session.request_goaway(key, uri, 0).unwrap();
        // Less than a late joiner waits for an answer.
        world.run(SECOND / 10);
        let came: Vec<(u64, u64)> = world.frames(1).iter().map(|frame| (frame.group, frame.object)).collect();
        assert_eq!(came, [(6, 0)], "{uri:?}");
        let (made, ended) = heard(&mut world, 0);
        assert!(made.is_empty() && ended == [key], "{made:?} {ended:?}");
    }
}
