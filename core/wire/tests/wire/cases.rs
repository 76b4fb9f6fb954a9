//! The cases of the golden vectors, and how each becomes bytes and comes back as fields.

use bytes::Bytes;
use cc_wire::{
    varint, Datagram, DatagramHeader, FetchEnd, FetchItem, FetchKind, FetchObject, FetchPrior, Filter, Gap, GroupOrder,
    Location, Message, Namespace, ObjectHeader, Params, Profile, Properties, Range, RangeFilter, RangeKind, RangeRule,
    Reader, Redirect, SetupOptions, Status, SubgroupHeader, SubgroupId, Token, TrackName, UniStream,
};
use serde_json::{json, Value};

use crate::fields;

/// One structure to be written and read.
pub enum Item {
    Varint(u64),
    Message(Box<Message>),
    Datagram(DatagramHeader, &'static [u8]),
    Padding,
    Stream(UniStream),
    /// A subgroup stream: its header and its objects with their payloads.
    Subgroup(SubgroupHeader, Vec<(ObjectHeader, &'static [u8])>),
    /// A FETCH's stream after its header.
    Fetch(GroupOrder, Vec<(FetchItem, &'static [u8])>),
}

pub struct Case {
    pub name: String,
    pub profile: Profile,
    pub item: Item,
}

impl Item {
    pub fn kind(&self) -> &'static str {
        match self {
            Item::Varint(_) => "varint",
            Item::Message(_) => "message",
            Item::Datagram(..) | Item::Padding => "datagram",
            Item::Stream(_) => "stream",
            Item::Subgroup(..) => "subgroup",
            Item::Fetch(GroupOrder::Ascending, _) => "fetch_ascending",
            Item::Fetch(GroupOrder::Descending, _) => "fetch_descending",
        }
    }

    pub fn bytes(&self, profile: Profile) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Item::Varint(value) => varint::put(&mut out, *value),
            Item::Message(message) => message.encode(profile, &mut out).expect("a message"),
            Item::Datagram(header, payload) => {
                header.encode(&mut out).expect("a datagram");
                out.extend_from_slice(payload);
            }
            Item::Padding => {
                varint::put(&mut out, cc_wire::PADDING_DATAGRAM);
                out.push(0);
            }
            Item::Stream(start) => start.encode(&mut out),
            Item::Subgroup(header, objects) => {
                header.encode(&mut out);
                let mut prev = None;
                for (object, payload) in objects {
                    object.encode(&mut out, prev, header.has_properties).expect("an object");
                    out.extend_from_slice(payload);
                    prev = Some(object.object);
                }
            }
            Item::Fetch(order, items) => {
                let mut prior = FetchPrior::default();
                for (item, payload) in items {
                    item.encode(profile, *order, &mut prior, &mut out).expect("an element");
                    out.extend_from_slice(payload);
                }
            }
        }
        out
    }
}

/// Decodes `bytes` as a structure of `kind`: its fields, and what writing it again gives.
pub fn read(profile: Profile, kind: &str, bytes: &[u8]) -> (Value, Vec<u8>) {
    let mut again = Vec::new();
    let fields = match kind {
        "varint" => {
            let mut reader = Reader::new(bytes);
            let value = reader.varint().expect("an integer");
            assert_eq!(reader.remaining(), 0);
            varint::put(&mut again, value);
            fields::int(value)
        }
        "message" => {
            let message = Message::decode(profile, bytes).expect("a message");
            message.encode(profile, &mut again).expect("a message");
            fields::message(&message)
        }
        "datagram" => match Datagram::decode(bytes).expect("a datagram") {
            Datagram::Padding => {
                again = bytes.to_vec();
                json!({ "padding": true })
            }
            Datagram::Object(header, at) => {
                header.encode(&mut again).expect("a datagram");
                again.extend_from_slice(&bytes[at..]);
                fields::datagram(&header, &bytes[at..])
            }
        },
        "stream" => {
            let (start, used) = UniStream::decode(bytes).expect("a stream").expect("all of it");
            assert_eq!(used, bytes.len());
            start.encode(&mut again);
            fields::stream(&start)
        }
        "subgroup" => {
            let Some((UniStream::Subgroup(header), mut at)) = UniStream::decode(bytes).expect("a stream") else {
                panic!("a subgroup");
            };
            header.encode(&mut again);
            let (mut objects, mut prev) = (Vec::new(), None);
            while at < bytes.len() {
                let (object, used) = ObjectHeader::decode(&bytes[at..], prev, header.has_properties)
                    .expect("an object")
                    .expect("all of it");
                object.encode(&mut again, prev, header.has_properties).expect("an object");
                let payload = &bytes[at + used..at + used + object.payload_len as usize];
                again.extend_from_slice(payload);
                objects.push(fields::stream_object(&object, payload));
                prev = Some(object.object);
                at += used + payload.len();
            }
            json!({ "header": fields::stream(&UniStream::Subgroup(header)), "objects": objects })
        }
        _ => {
            let descending = kind == "fetch_descending";
            let order = if descending { GroupOrder::Descending } else { GroupOrder::Ascending };
            let (mut at, mut elements) = (0, Vec::new());
            let (mut prior, mut writer) = (FetchPrior::default(), FetchPrior::default());
            while at < bytes.len() {
                let (item, used) = FetchItem::decode(profile, order, &mut prior, &bytes[at..])
                    .expect("an element")
                    .expect("all of it");
                item.encode(profile, order, &mut writer, &mut again).expect("an element");
                let len = match &item {
                    FetchItem::Object(object) => object.payload_len as usize,
                    FetchItem::End { .. } => 0,
                };
                let payload = &bytes[at + used..at + used + len];
                again.extend_from_slice(payload);
                elements.push(fields::fetch_item(&item, payload));
                at += used + len;
            }
            json!({ "order": fields::order(order), "elements": elements })
        }
    };
    (fields, again)
}

/// Every case, at -18 and at -22; what does not depend on the draft stands at -18 alone.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for profile in [Profile::D18, Profile::D22] {
        for (name, message) in messages(profile) {
            cases.push(Case { name: name.to_string(), profile, item: Item::Message(Box::new(message)) });
        }
        for (name, item) in fetches(profile) {
            cases.push(Case { name: name.to_string(), profile, item });
        }
    }
    let any = |(name, item)| Case { name, profile: Profile::D18, item };
    cases.extend(varints().into_iter().map(any));
    cases.extend(datagrams().into_iter().map(any));
    cases.extend(streams().into_iter().map(any));
    cases
}

fn ns(text: &str) -> Namespace {
    Namespace::parse(text).expect("a namespace")
}

fn track() -> TrackName {
    TrackName::new(ns("games/room1/up"), "c7").expect("a track")
}

fn at(group: u64, object: u64) -> Location {
    Location { group, object }
}

/// The properties that our own tracks have.
fn track_properties() -> Properties {
    let mut properties = Properties::new();
    let mut set = |kind, value: cc_wire::Value| properties.insert(kind, value).expect("a property");
    set(cc_wire::property::DEFAULT_PUBLISHER_PRIORITY, 10.into());
    set(cc_wire::property::DEFAULT_PUBLISHER_GROUP_ORDER, 2.into());
    set(cc_wire::property::CAPABILITY_TAG, Bytes::from_static(b"netcode.v1").into());
    set(cc_wire::property::CAPABILITY_HASH, cc_wire::capability_hash("netcode.v1").into());
    properties
}

fn messages(profile: Profile) -> Vec<(&'static str, Message)> {
    let new = profile >= Profile::D20;
    let none = Params::default;
    let token = || Token::UseValue { kind: 0, value: Bytes::from_static(b"e30.e30.c2ln") };
    let with_token = || Params { tokens: vec![token()], ..none() };
    let filtered = |filter| Params { filter: Some(filter), ..none() };
    let update = |params| Message::RequestUpdate { request_id: 6, params };
    let error = |code, retry_interval, redirect| Message::RequestError {
        code,
        retry_interval,
        reason: "not now".into(),
        redirect,
    };
    let mut list = vec![
        ("setup_empty", Message::Setup(SetupOptions::default())),
        (
            "setup_client",
            Message::Setup(SetupOptions {
                path: Some("/game?x=1".into()),
                authority: Some("127.0.0.1:7777".into()),
                tokens: vec![token()],
                implementation: Some("clutchcall/0.1".into()),
                max_filter_ranges: if new { 64 } else { 0 },
                max_request_updates: new.then_some(8),
                resume_secret: Some(Bytes::from_static(&[1, 2, 3, 4])),
                ..SetupOptions::default()
            }),
        ),
        (
            "setup_server",
            Message::Setup(SetupOptions {
                max_auth_token_cache: 4096,
                peer_id: Some(Bytes::from_static(b"c7")),
                ..SetupOptions::default()
            }),
        ),
        ("goaway", Message::Goaway { uri: "moqt://b:443/".into(), timeout_ms: 5000, request_id: (!new).then_some(4) }),
        ("goaway_request", Message::Goaway { uri: String::new(), timeout_ms: 0, request_id: None }),
        ("subscribe", Message::Subscribe { request_id: 0, track: track(), params: none() }),
        (
            "subscribe_full",
            Message::Subscribe {
                request_id: 1 << 20,
                track: TrackName::new(ns(""), "").expect("an empty name"),
                params: Params {
                    object_delivery_timeout: Some(50),
                    tokens: vec![
                        Token::Register { alias: 1, kind: 0, value: Bytes::from_static(b"t") },
                        Token::UseAlias { alias: 2 },
                        Token::Delete { alias: 3 },
                    ],
                    rendezvous_timeout: Some(10_000),
                    subgroup_delivery_timeout: Some(300),
                    forward: Some(false),
                    subscriber_priority: Some(200),
                    filter: Some(Filter::NextGroup),
                    group_order: Some(GroupOrder::Descending),
                    new_group_request: Some(0),
                    include_properties: new.then_some(true),
                    ..none()
                },
            },
        ),
        (
            "subscribe_ok",
            Message::SubscribeOk {
                alias: 77,
                params: Params { expires: Some(60_000), largest: Some(at(1_700_000_000_000, 3)), ..none() },
                properties: track_properties(),
            },
        ),
        (
            "publish",
            Message::Publish {
                request_id: 2,
                track: track(),
                alias: 5,
                params: Params { largest: Some(at(9, 0)), forward: Some(true), ..none() },
                properties: track_properties(),
            },
        ),
        ("request_ok", Message::RequestOk { params: none(), properties: Properties::new() }),
        (
            "request_ok_expires",
            Message::RequestOk { params: Params { expires: Some(1000), ..none() }, properties: Properties::new() },
        ),
        (
            "request_ok_track_status",
            Message::RequestOk { params: Params { largest: Some(at(9, 1)), ..none() }, properties: track_properties() },
        ),
        ("request_error", error(0x10, None, None)),
        ("request_error_retry", error(0x9, Some(250), None)),
        ("request_error_redirect", error(0x34, None, Some(Redirect { uri: "moqt://b/".into(), track: track() }))),
        ("request_update_token", update(with_token())),
        ("request_update_prefix", update(Params { namespace_prefix: Some(ns("games/room2")), ..none() })),
        ("filter_next_object", update(filtered(Filter::NextObject))),
        ("filter_start", update(filtered(Filter::AbsoluteStart(at(5, 6))))),
        ("filter_range", update(filtered(Filter::AbsoluteRange { start: at(5, 6), end_group: 8 }))),
        ("publish_done", Message::PublishDone { code: 2, stream_count: Some(12), reason: "ended".into() }),
        ("publish_done_unknown", Message::PublishDone { code: 5, stream_count: None, reason: String::new() }),
        (
            "fetch_groups",
            Message::Fetch {
                request_id: 8,
                kind: FetchKind::Standalone(track()),
                params: filtered(Filter::AbsoluteRange { start: at(5, 6), end_group: 8 }),
            },
        ),
        (
            "fetch_objects",
            Message::Fetch {
                request_id: 8,
                kind: FetchKind::Standalone(track()),
                params: Params {
                    fill_timeout: Some(100),
                    group_order: Some(GroupOrder::Ascending),
                    ..filtered(Filter::ObjectRange { start: at(5, 6), end: at(8, 0) })
                },
            },
        ),
        (
            "fetch_ok",
            Message::FetchOk {
                end_of_track: false,
                end: FetchEnd { group: 8, object: Some(3) },
                params: none(),
                properties: track_properties(),
            },
        ),
        ("track_status", Message::TrackStatus { request_id: 10, track: track(), params: with_token() }),
        (
            "publish_namespace",
            Message::PublishNamespace { request_id: 3, namespace: ns("games/room1"), params: with_token() },
        ),
        ("subscribe_namespace", Message::SubscribeNamespace { request_id: 5, prefix: ns("games"), params: none() }),
        (
            "subscribe_tracks",
            Message::SubscribeTracks {
                request_id: 7,
                prefix: ns("games/room1"),
                params: Params { forward: Some(false), ..none() },
            },
        ),
        ("subscribe_tracks_all", Message::SubscribeTracks { request_id: 7, prefix: ns(""), params: none() }),
        ("namespace", Message::Namespace { suffix: ns("room1/up") }),
        ("namespace_done", Message::NamespaceDone { suffix: ns("room1/up") }),
        ("publish_blocked", Message::PublishBlocked { suffix: ns("up"), name: Bytes::from_static(b"c7") }),
    ];
    if new {
        list.extend(later_messages());
    } else {
        let joining = |kind| Message::Fetch { request_id: 12, kind, params: none() };
        list.push(("fetch_relative", joining(FetchKind::RelativeJoining { joining: 0, groups: 2 })));
        list.push(("fetch_absolute", joining(FetchKind::AbsoluteJoining { joining: 0, group: 4 })));
        list.push((
            "publish_ok_wishes",
            Message::RequestOk {
                params: Params { forward: Some(false), subscriber_priority: Some(1), ..filtered(Filter::NextObject) },
                properties: Properties::new(),
            },
        ));
        list.push((
            "fetch_ok_whole_group",
            Message::FetchOk {
                end_of_track: true,
                end: FetchEnd { group: 8, object: None },
                params: none(),
                properties: Properties::new(),
            },
        ));
    }
    list
}

/// What -18 has no form for.
fn later_messages() -> Vec<(&'static str, Message)> {
    let none = Params::default;
    let update = |params| Message::RequestUpdate { request_id: 6, params };
    let capability = RangeFilter {
        kind: RangeKind::TrackProperty,
        rule: RangeRule::Keep {
            set: 0,
            property: Some(cc_wire::property::CAPABILITY_HASH),
            ranges: vec![Range {
                start: cc_wire::capability_hash("netcode.v1"),
                end: Some(cc_wire::capability_hash("netcode.v1")),
            }],
        },
    };
    let priority = RangeFilter {
        kind: RangeKind::Priority,
        rule: RangeRule::Keep {
            set: 3,
            property: None,
            ranges: vec![Range { start: 3, end: Some(5) }, Range { start: 10, end: None }],
        },
    };
    vec![
        ("filter_unfiltered", update(Params { filter: Some(Filter::Unfiltered), ..none() })),
        ("filter_groups_back", update(Params { filter: Some(Filter::GroupsBack(1)), ..none() })),
        (
            "filter_objects",
            update(Params { filter: Some(Filter::ObjectRange { start: at(5, 6), end: at(8, 9) }), ..none() }),
        ),
        (
            "range_filters_removed",
            update(Params {
                range_filters: vec![RangeFilter { kind: RangeKind::ObjectId, rule: RangeRule::Remove }, priority],
                ..none()
            }),
        ),
        (
            "subscribe_fill",
            Message::Subscribe {
                request_id: 4,
                track: track(),
                params: Params {
                    fill: Some(Box::new(Params {
                        fill_timeout: Some(0),
                        filter: Some(Filter::GroupsBack(1)),
                        ..none()
                    })),
                    ..none()
                },
            },
        ),
        (
            "subscribe_tracks_capability",
            Message::SubscribeTracks {
                request_id: 7,
                prefix: ns("games/room1"),
                params: Params { range_filters: vec![capability], ..none() },
            },
        ),
        (
            "publish_state_notify",
            Message::PublishStateNotify { params: Params { largest: Some(at(9, 9)), forward: Some(false), ..none() } },
        ),
    ]
}

fn varints() -> Vec<(String, Item)> {
    let values = [0, 127, 128, 16_383, 16_384, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28, 1 << 35];
    let large = [1 << 42, 1 << 49, (1 << 53) - 1, (1 << 56) - 1, 1 << 56, u64::MAX];
    values.into_iter().chain(large).map(|value| (format!("varint_{value}"), Item::Varint(value))).collect()
}

fn datagrams() -> Vec<(String, Item)> {
    let gap = Bytes::from_static(&[0x3c, 2]);
    let mut list = vec![("datagram_padding".to_string(), Item::Padding)];
    for bits in 0..32_u8 {
        let has = |bit: u8| bits & bit != 0;
        let (status, end_of_group) = (has(16), has(8));
        if status && end_of_group {
            continue;
        }
        let header = DatagramHeader {
            alias: 5,
            group: 1_700_000_000_000,
            object: if has(1) { 0 } else { 300 },
            priority: has(2).then_some(10),
            end_of_group,
            status: match (status, has(4)) {
                (true, true) => Some(Status::Normal),
                (true, false) => Some(Status::EndOfTrack),
                (false, _) => None,
            },
            properties: if has(4) { gap.clone() } else { Bytes::new() },
        };
        let payload: &[u8] = if status { b"" } else { b"move" };
        let kind = header_type(&header);
        list.push((format!("datagram_{kind:02x}"), Item::Datagram(header, payload)));
    }
    list
}

fn header_type(header: &DatagramHeader) -> u8 {
    let mut out = Vec::new();
    header.encode(&mut out).expect("a datagram");
    out[0]
}

fn streams() -> Vec<(String, Item)> {
    let mut list = vec![
        ("stream_fetch".to_string(), Item::Stream(UniStream::Fetch { request_id: 8 })),
        ("stream_padding".to_string(), Item::Stream(UniStream::Padding)),
    ];
    for bits in 0..16_u8 {
        for subgroup in [SubgroupId::Zero, SubgroupId::FirstObject, SubgroupId::Explicit(9)] {
            let has = |bit: u8| bits & bit != 0;
            let header = SubgroupHeader {
                alias: 5,
                group: 1_700_000_000_000,
                subgroup,
                priority: has(1).then_some(10),
                has_properties: has(2),
                end_of_group: has(4),
                first_object: has(8),
            };
            let mut out = Vec::new();
            header.encode(&mut out);
            list.push((format!("subgroup_{:02x}", out[0]), Item::Stream(UniStream::Subgroup(header))));
        }
    }
    let header = |has_properties| SubgroupHeader {
        alias: 5,
        group: 9,
        subgroup: SubgroupId::Zero,
        priority: None,
        has_properties,
        end_of_group: true,
        first_object: true,
    };
    let object = |id, payload: &'static [u8]| {
        let status = payload.is_empty().then_some(Status::Normal);
        let header = ObjectHeader { object: id, properties: Bytes::new(), status, payload_len: payload.len() as u64 };
        (header, payload)
    };
    let mut end = object(12, b"");
    end.0.status = Some(Status::EndOfGroup);
    let objects = vec![object(0, b"a"), object(1, b""), object(10, b"bcd"), end.clone()];
    list.push(("subgroup_objects".to_string(), Item::Subgroup(header(false), objects)));
    let mut first = object(4, b"a");
    first.0.properties = Bytes::from_static(&[0x3e, 4]);
    let objects = vec![first, object(5, b"b"), end];
    list.push(("subgroup_objects_properties".to_string(), Item::Subgroup(header(true), objects)));
    list
}

fn fetches(profile: Profile) -> Vec<(&'static str, Item)> {
    let object = |location, subgroup, priority, payload: &'static [u8]| {
        let payload_len = payload.len() as u64;
        let properties = Bytes::new();
        (FetchItem::Object(FetchObject { location, subgroup, priority, properties, payload_len }), payload)
    };
    let end = |gap, location| (FetchItem::End { gap, location }, &b""[..]);
    let mut with_properties = object(at(9, 0), Some(0), 7, b"p");
    if let FetchItem::Object(fetched) = &mut with_properties.0 {
        fetched.properties = Bytes::from_static(&[0x3c, 1]);
    }
    let late = if profile >= Profile::D20 { Gap::TimedOut } else { Gap::Unknown };
    let ascending = vec![
        object(at(5, 6), Some(0), 10, b"a"),
        object(at(5, 7), Some(0), 10, b"b"),
        object(at(5, 9), Some(3), 10, b""),
        object(at(5, 10), Some(3), 10, b"c"),
        object(at(5, 11), Some(4), 11, b"d"),
        end(Gap::NonExistent, at(5, 20)),
        object(at(5, 21), Some(4), 11, b"e"),
        object(at(6, 0), None, 11, b"f"),
        object(at(8, 1), None, 11, b"g"),
        end(late, at(8, 5)),
        with_properties,
        end(Gap::Unknown, at(12, 0)),
    ];
    let descending = vec![
        object(at(9, 3), Some(1), 0, b"a"),
        object(at(8, 4), Some(2), 0, b"b"),
        object(at(5, 0), Some(2), 0, b"c"),
        end(Gap::Unknown, at(2, 1)),
    ];
    vec![
        ("fetch_stream_ascending", Item::Fetch(GroupOrder::Ascending, ascending)),
        ("fetch_stream_descending", Item::Fetch(GroupOrder::Descending, descending)),
    ]
}
