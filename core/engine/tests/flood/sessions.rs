//! What an admitted peer floods.

use bytes::Bytes;
use cc_engine::{Limit, Limits};
use cc_wire::{
    codes, property, DatagramHeader, FetchItem, FetchKind, FetchObject, FetchPrior, Filter, GroupOrder, Location,
    Message, Namespace, ObjectHeader, Params, Profile, Properties, SubgroupHeader, SubgroupId, TrackName, UniStream,
    Value,
};

use crate::players::Match;
use crate::raw::{Raw, Stream};

const EXCESSIVE_LOAD: u64 = codes::request_error::EXCESSIVE_LOAD;
const KIND: u64 = 0x3804;
const DATAGRAMS: u64 = 1;
const TEXT: u64 = 3;
const KB: isize = 1 << 10;
const DRAFTS: [Profile; 2] = [Profile::D18, Profile::D22];

fn name(namespace: &str, name: &str) -> TrackName {
    TrackName::new(Namespace::parse(namespace).unwrap(), Bytes::copy_from_slice(name.as_bytes())).unwrap()
}

fn publish(raw: &Raw, track: TrackName, alias: u64, properties: Properties) -> Stream {
    raw.request(|request_id| Message::Publish { request_id, track, alias, params: Params::default(), properties })
}

fn of_kind(kind: u64) -> Properties {
    let mut properties = Properties::new();
    properties.insert(KIND, Value::Int(kind)).unwrap();
    properties
}

fn subgroup(alias: u64, group: u64) -> UniStream {
    UniStream::Subgroup(SubgroupHeader {
        alias,
        group,
        subgroup: SubgroupId::Zero,
        priority: None,
        has_properties: false,
        end_of_group: false,
        first_object: false,
    })
}

/// An object as it follows `previous`, announced with `announced` bytes and holding `payload`.
fn object(number: u64, previous: Option<u64>, announced: u64, payload: &[u8]) -> Vec<u8> {
    let header = ObjectHeader { object: number, properties: Bytes::new(), status: None, payload_len: announced };
    let mut bytes = Vec::new();
    header.encode(&mut bytes, previous, false).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

fn datagram(alias: u64, group: u64, object: u64, payload: &[u8]) -> Vec<u8> {
    let header = DatagramHeader {
        alias,
        group,
        object,
        priority: None,
        end_of_group: false,
        status: None,
        properties: Bytes::new(),
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

fn long_namespace(number: u64) -> Namespace {
    let mut fields: Vec<Bytes> = (0..31).map(|_| Bytes::from(vec![b'x'; 120])).collect();
    fields.push(Bytes::from(number.to_string()));
    Namespace::new(fields).unwrap()
}

#[test]
fn requests() {
    for draft in DRAFTS {
        let mut game = Match::new(Limits { requests: 100, ..Limits::default() });
        let raw = game.raw(1, draft);
        // Each begins like a SUBSCRIBE that never goes on.
        game.under(700 * KB, |tick| {
            if tick < 15 {
                (0..20).for_each(|_| _ = raw.bi(&b"\x03\xff"[..]));
            }
        });
        assert_eq!((raw.refused_with(EXCESSIVE_LOAD), game.met(Limit::Requests)), (200, 200));
    }
}

#[test]
fn prefixes() {
    let mut game = Match::new(Limits { watches: 10, ..Limits::default() });
    let raw = game.raw(1, Profile::D22);
    game.under(300 * KB, |tick| {
        let prefix = Namespace::parse(&format!("evil/{tick}")).unwrap();
        raw.request(|request_id| match tick % 2 {
            0 => Message::SubscribeTracks { request_id, prefix, params: Params::default() },
            _ => Message::SubscribeNamespace { request_id, prefix, params: Params::default() },
        });
    });
    assert_eq!((raw.refused_with(EXCESSIVE_LOAD), game.met(Limit::Watches)), (30, 30));
}

#[test]
fn namespaces() {
    let mut game = Match::new(Limits { namespaces_per_session: 20, namespaces: 30, ..Limits::default() });
    let raws: Vec<Raw> = (1..=2).map(|number| game.raw(number, DRAFTS[usize::from(number) % 2])).collect();
    // The longest that the drafts have, 30 of them at most.
    game.under(30 * 3 * 5 * KB + 500 * KB, |tick| {
        let namespace = long_namespace(tick);
        let raw = &raws[usize::from(tick >= 25)];
        raw.request(|request_id| Message::PublishNamespace { request_id, namespace, params: Params::default() });
    });
    let refused: usize = raws.iter().map(|raw| raw.refused_with(EXCESSIVE_LOAD)).sum();
    let met = (game.met(Limit::NamespacesPerSession), game.met(Limit::Namespaces));
    assert_eq!((refused, met), (10, (5, 5)));
    let (raw, node) = (&raws[0], game.world.nodes[0].address);
    raw.close();
    game.world.run(1_000_000);
    let again = Raw::dial(&game.identity, Profile::D22, "10.66.9.1:6666", node);
    game.world.strangers.push(again.stranger());
    again.setup(b"");
    let namespace = long_namespace(1000);
    again.request(|request_id| Message::PublishNamespace { request_id, namespace, params: Params::default() });
    game.world.run(1_000_000);
    assert_eq!(again.refused_with(EXCESSIVE_LOAD), 0, "who leaves makes room");
}

#[test]
fn tracks() {
    let tracks = 2 * crate::players::PLAYERS + 30;
    let limits = Limits { tracks_per_session: 20, tracks, property_bytes: 4 << 10, ..Limits::default() };
    let mut game = Match::new(limits);
    let raws: Vec<Raw> = (1..=2).map(|number| game.raw(number, DRAFTS[usize::from(number) % 2])).collect();
    let properties = |bytes: usize| {
        let mut properties = Properties::new();
        properties.insert(property::CAPABILITY_TAG, Value::Bytes(vec![b'c'; bytes].into())).unwrap();
        properties
    };
    for raw in &raws {
        publish(raw, name("evil", "long"), 1000, properties(4 << 10));
    }
    game.under(30 * 8 * KB + 900 * KB, |tick| {
        let raw = &raws[usize::from(tick >= 25)];
        publish(raw, name("evil", &tick.to_string()), tick, properties(4000));
    });
    let refused: usize = raws.iter().map(|raw| raw.refused_with(EXCESSIVE_LOAD)).sum();
    let met = (game.met(Limit::TracksPerSession), game.met(Limit::Tracks), game.met(Limit::PropertyBytes));
    assert_eq!((refused, met), (12, (5, 5, 2)));
}

#[test]
fn subscriptions() {
    let mut game = Match::new(Limits { asks: 10, subscriptions_per_session: 20, ..Limits::default() });
    let publisher = game.raw(1, Profile::D22);
    let reader = game.raw(2, Profile::D22);
    let watcher = game.raw(3, Profile::D22);
    let namespace = Namespace::parse("evil").unwrap();
    // It announces, and never answers.
    publisher.request(|request_id| Message::PublishNamespace { request_id, namespace, params: Params::default() });
    let prefix = Namespace::parse("g").unwrap();
    watcher.request(|request_id| Message::SubscribeTracks { request_id, prefix, params: Params::default() });
    game.under(600 * KB, |tick| {
        let track = name("evil", &tick.to_string());
        reader.request(|request_id| Message::Subscribe { request_id, track, params: Params::default() });
    });
    assert_eq!((reader.refused_with(EXCESSIVE_LOAD), game.met(Limit::Asks)), (30, 30));
    let offered = watcher.asked().len();
    let skipped = watcher.told().iter().filter(|name| **name == "PUBLISH_BLOCKED").count();
    assert_eq!((offered, skipped), (20, 2 * crate::players::PLAYERS - 20));
    assert_eq!(game.met(Limit::SubscriptionsPerSession), skipped as u64);
}

#[test]
fn fetches() {
    let limits = Limits { fetches: 4, fetch_bytes: 256 << 10, ..Limits::default() };
    let mut game = Match::new(limits);
    let publisher = game.raw(1, Profile::D22);
    let reader = game.raw(2, Profile::D22);
    publish(&publisher, name("evil", "t"), 7, Properties::new());
    game.world.run(100_000);
    publisher.data(&subgroup(7, 1000), &object(0, None, 4, b"late"));
    game.world.run(100_000);
    reader.0.borrow_mut().deaf = true;
    let mut answered = 0;
    // Each of up to four answers has a part in the sending queue, too.
    game.under((256 + 4 * 2 * (256 + 64) + 1200) * KB, |tick| {
        let (start, end) = (Location { group: tick, object: 0 }, Location { group: 900, object: 0 });
        if tick < 20 {
            let params = Params { filter: Some(Filter::ObjectRange { start, end }), ..Params::default() };
            let kind = FetchKind::Standalone(name("evil", "t"));
            reader.request(|request_id| Message::Fetch { request_id, kind, params });
            return;
        }
        let asked = publisher.asked();
        let ids = asked.iter().filter_map(|(_, message)| match message {
            Message::Fetch { request_id, .. } => Some(*request_id),
            _ => None,
        });
        for request_id in ids.skip(answered) {
            answered += 1;
            let mut prior = FetchPrior::default();
            let stream = publisher.data(&UniStream::Fetch { request_id }, b"");
            for group in 100..356 {
                let item = FetchItem::Object(FetchObject {
                    location: Location { group, object: 0 },
                    subgroup: Some(0),
                    priority: 1,
                    properties: Bytes::new(),
                    payload_len: 8 << 10,
                });
                let mut bytes = Vec::new();
                item.encode(Profile::D22, GroupOrder::Ascending, &mut prior, &mut bytes).unwrap();
                bytes.resize(bytes.len() + (8 << 10), 0);
                publisher.write(stream, bytes);
            }
        }
    });
    assert_eq!((reader.refused_with(EXCESSIVE_LOAD), game.met(Limit::Fetches)), (16, 16));
    assert!(answered == 4 && game.met(Limit::FetchBytes) > 0, "{answered}");
}

#[test]
fn subgroups() {
    for draft in DRAFTS {
        let mut game = Match::new(Limits { subgroups: 40, ..Limits::default() });
        let raw = game.raw(1, draft);
        publish(&raw, name("g/up/evil", "t"), 7, Properties::new());
        game.world.run(100_000);
        game.begin();
        game.under(900 * KB, |tick| {
            (0..5).for_each(|n| _ = raw.data(&subgroup(7, tick * 5 + n), b""));
        });
        assert_eq!((raw.refused_with(EXCESSIVE_LOAD), game.met(Limit::Subgroups)), (160, 160));
    }
}

#[test]
fn objects_that_never_end() {
    let limits =
        Limits { assembly_bytes: 256 << 10, assembly_total: 384 << 10, object_bytes: 1 << 20, ..Limits::default() };
    let mut game = Match::new(limits);
    let raws: Vec<Raw> = (1..=2).map(|number| game.raw(number, DRAFTS[usize::from(number) % 2])).collect();
    for raw in &raws {
        publish(raw, name(&format!("evil/{}", raw.profile().number()), "t"), 7, Properties::new());
    }
    game.world.run(100_000);
    game.begin();
    // What is announced is never allocated; what has come is, once in its packets and once put together.
    game.under(3 * 384 * KB + 900 * KB, |tick| {
        for raw in &raws {
            raw.data(&subgroup(7, tick), &object(0, None, 1 << 20, &[0; 30 << 10]));
            raw.data(&subgroup(7, 100 + tick), &object(0, None, (1 << 20) + 1, b"x"));
            raw.data(&subgroup(7, 200 + tick), &object(0, None, 1 << 60, b"x"));
        }
    });
    assert_eq!(game.met(Limit::ObjectBytes), 160);
    let refused: usize = raws.iter().map(|raw| raw.refused_with(EXCESSIVE_LOAD)).sum();
    let excess = game.met(Limit::AssemblyBytes);
    assert!(excess >= 2 * 40 - 384 / 30 - 1, "{excess}");
    assert_eq!(refused as u64, 160 + excess);
}

#[test]
fn unknown_aliases() {
    let mut game = Match::new(Limits { early_bytes: 16 << 10, early_streams: 8, ..Limits::default() });
    let raw = game.raw(1, Profile::D22);
    game.under(900 * KB, |tick| {
        for n in 0..10 {
            raw.datagram(datagram(1000 + n, tick, 0, &[0; 900]));
            raw.data(&subgroup(2000 + n, tick), &object(0, None, 1 << 20, &[0; 4000]));
        }
    });
    assert!(game.met(Limit::EarlyBytes) >= 380 && game.met(Limit::EarlyStreams) >= 390);
    let told = raw.refused_with(EXCESSIVE_LOAD) + raw.refused_with(codes::stream_reset::CANCELLED);
    assert!(told >= 390, "{told}");
}

#[test]
fn updates() {
    let mut game = Match::new(Limits::default());
    for (draft, told, limit) in
        [(Profile::D18, None, Limit::Updates), (Profile::D22, Some(0x1b), Limit::RequestUpdates)]
    {
        let raw = game.raw(draft.number(), draft);
        let prefix = Namespace::parse("evil").unwrap();
        let watch =
            raw.request(|request_id| Message::SubscribeTracks { request_id, prefix, params: Params::default() });
        let mut id = 2;
        game.under(600 * KB, |_| {
            for _ in 0..250 {
                let params = Params { forward: Some(id % 4 == 0), ..Params::default() };
                raw.write(watch, raw.encoded(&Message::RequestUpdate { request_id: id, params }));
                id += 2;
            }
        });
        assert!(raw.closed_with() == told && game.met(limit) > 0, "{:?}", raw.closed_with());
    }
}

#[test]
fn a_reader_that_takes_nothing() {
    let limits =
        Limits { track_bytes: 16 << 10, subgroup_bytes: 16 << 10, session_bytes: 64 << 10, ..Limits::default() };
    let mut game = Match::new(limits);
    let (raw, writer) = (game.raw(1, Profile::D22), game.raw(2, Profile::D22));
    raw.0.borrow_mut().deaf = true;
    publish(&writer, name("evil", "t"), 7, of_kind(TEXT));
    game.world.run(100_000);
    let prefix = Namespace::parse("").unwrap();
    raw.request(|request_id| Message::SubscribeTracks { request_id, prefix, params: Params::default() });
    game.world.run(100_000);
    game.begin();
    let stream = writer.data(&subgroup(7, 1), b"");
    // What QUIC takes for it beside the queue is the stream's window of the peer, and what is kept for latecomers.
    game.under((64 + 4 * 32 + 256 + 700) * KB, |tick| {
        (0..4).for_each(|n| {
            let number = tick * 4 + n;
            writer.write(stream, object(number, number.checked_sub(1), 2000, &[1; 2000]));
        });
    });
    assert!(raw.told().contains(&"PUBLISH_DONE") && game.met(Limit::TrackBytes) > 0);
}

#[test]
fn objects_without_end() {
    let limits = Limits { past_bytes: 256 << 10, past_track_bytes: 64 << 10, ..Limits::default() };
    let mut game = Match::new(limits);
    let raw = game.raw(1, Profile::D22);
    (0..10).for_each(|alias| _ = publish(&raw, name("evil", &alias.to_string()), alias, Properties::new()));
    game.world.run(100_000);
    game.begin();
    let streams: Vec<Stream> = (0..10).map(|alias| raw.data(&subgroup(alias, 1), b"")).collect();
    game.under(256 * KB + 900 * KB, |tick| {
        for stream in &streams {
            for n in 0..20 {
                let number = tick * 20 + n;
                raw.write(*stream, object(number, number.checked_sub(1), 100, &[1; 100]));
            }
        }
    });
    // Eight thousand came, each of some 200 bytes with what it costs.
    let gone = game.met(Limit::PastBytes) + game.met(Limit::PastTrackBytes);
    assert!(gone > 6000, "{gone} left the relay's memory, and were counted");
    assert_eq!(raw.closed_with(), None);
}

#[test]
fn text_out_of_order() {
    let mut game = Match::new(Limits { reorder_bytes: 64 << 10, ..Limits::default() });
    game.own_reader("evil");
    let raw = game.raw(1, Profile::D22);
    publish(&raw, name("evil", "t"), 7, of_kind(TEXT));
    game.world.run(100_000);
    game.begin();
    // The first group goes on for ever, and what follows it is empty, without end, or both.
    raw.data(&subgroup(7, 1), &object(0, None, 1, b"x"));
    game.under(64 * KB + 1600 * KB, |tick| {
        let stream = raw.data(&subgroup(7, 10 + tick), b"");
        (0..50).for_each(|n: u64| raw.write(stream, object(n, n.checked_sub(1), 100, &[1; 100])));
        for n in 0..5 {
            let empty = raw.data(&subgroup(7, 1_000_000 + tick * 5 + n), b"");
            raw.fin(empty);
        }
    });
    assert!(game.met(Limit::ReorderBytes) > 0);
}

#[test]
fn fragments() {
    let limits = Limits { fragment_bytes: 32 << 10, reorder_total: 100 << 10, ..Limits::default() };
    let mut game = Match::new(limits);
    game.own_reader("evil");
    let raw = game.raw(1, Profile::D22);
    (0..10).for_each(|alias| _ = publish(&raw, name("evil", &alias.to_string()), alias, of_kind(DATAGRAMS)));
    game.world.run(100_000);
    game.begin();
    game.under(3 * 100 * KB + 700 * KB, |tick| {
        for alias in 0..10 {
            (0..4).for_each(|n| raw.datagram(datagram(alias, tick * 4 + n, 1, &[0; 1000])));
        }
    });
    assert!(game.met(Limit::ReorderTotal) > 0, "{:?}", game.world.engine(0).stats().refused);
}
