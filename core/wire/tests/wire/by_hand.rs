//! Messages written down byte by byte from the drafts' formats, and what the drafts refuse; their parameters: `params`.

use bytes::Bytes;
use cc_wire::{
    check_request_ok, codes, Answers, Error, FetchEnd, FetchKind, Filter, GroupOrder, Location, Message, Params,
    Profile, Properties, Redirect, SetupOptions, Token,
};
use Profile::{D18, D20, D21, D22};

use crate::written::{framed, ns, refused, same, track, unwritable, ALL, NEW, TRACK};

#[test]
fn setup() {
    let options = SetupOptions {
        path: Some("/r?x".into()),
        authority: Some("h:1".into()),
        tokens: vec![Token::UseValue { kind: 0, value: Bytes::from_static(b"jw") }],
        max_auth_token_cache: 300,
        implementation: Some("cc".into()),
        ..SetupOptions::default()
    };
    let bytes = framed(
        &[0xaf, 0x00],
        &[
            &[0x01, 4, b'/', b'r', b'?', b'x'],
            &[0x02, 4, 3, 0, b'j', b'w'],
            &[0x01, 0x81, 0x2c],
            &[0x01, 3, b'h', b':', b'1'],
            &[0x02, 2, b'c', b'c'],
        ],
    );
    same(ALL, &bytes, &Message::Setup(options));
    same(ALL, &[0xaf, 0x00, 0, 0], &Message::Setup(SetupOptions::default()));
}

#[test]
fn setup_of_later_drafts_and_ours() {
    let options = SetupOptions {
        max_filter_ranges: 7,
        max_request_updates: Some(9),
        resume_secret: Some(Bytes::from_static(b"s")),
        peer_id: Some(Bytes::from_static(b"p")),
        ..SetupOptions::default()
    };
    let bytes = framed(&[0xaf, 0x00], &[&[0x06, 7, 0x02, 9, 0xb7, 0xfb, 1, b's', 0x02, 1, b'p']]);
    same(NEW, &bytes, &Message::Setup(options.clone()));
    let old = SetupOptions { max_filter_ranges: 0, max_request_updates: None, ..options };
    assert_eq!(Message::decode(D18, &bytes), Ok(Message::Setup(old)), "unknown there, so ignored");
}

#[test]
fn relays_name_themselves_and_what_they_pass_on() {
    let options = SetupOptions { relay_id: Some(9), ..SetupOptions::default() };
    same(ALL, &framed(&[0xaf, 0x00], &[&[0xb8, 0x06, 9]]), &Message::Setup(options));
    let with = |hops: &[u64]| Message::PublishNamespace {
        request_id: 2,
        namespace: ns("a"),
        params: Params { hops: Some(hops.to_vec()), ..Params::default() },
    };
    let bytes = |hops: &[u8]| framed(&[0x06], &[&[2, 1, 1, b'a', 1, 0xb8, 0x07], &[hops.len() as u8], hops]);
    same(ALL, &bytes(&[]), &with(&[]));
    same(ALL, &bytes(&[5, 6]), &with(&[5, 6]));
    for wrong in [vec![5, 6, 5], (1..=17).collect()] {
        unwritable(ALL, &with(&wrong));
        let wrong: Vec<u8> = wrong.into_iter().map(|hop| hop as u8).collect();
        assert_eq!(refused(ALL, &bytes(&wrong)).session_code(), codes::session::PROTOCOL_VIOLATION);
    }
    // A number that is cut off.
    assert_eq!(refused(ALL, &bytes(&[5, 0x80])).session_code(), codes::session::PROTOCOL_VIOLATION);
    let elsewhere = Message::SubscribeNamespace {
        request_id: 2,
        prefix: ns("a"),
        params: Params { hops: Some(vec![]), ..Params::default() },
    };
    unwritable(ALL, &elsewhere);
}

#[test]
fn relays_say_who_publishes_what_they_pass_on() {
    let with = |id: &[u8]| Message::Publish {
        request_id: 2,
        track: cc_wire::TrackName::new(ns("a"), Bytes::from_static(b"t")).unwrap(),
        alias: 7,
        params: Params { publisher: Some(Bytes::copy_from_slice(id)), ..Params::default() },
        properties: Properties::default(),
    };
    same(ALL, &framed(&[0x1d], &[&[2, 1, 1, b'a', 1, b't', 7, 1, 0xb8, 0x08, 2, b'p', b'1']]), &with(b"p1"));
    unwritable(ALL, &with(&[b'p'; Params::MAX_PUBLISHER + 1]));
}

#[test]
fn grease_means_nothing() {
    for number in [0, 1, 2, 1000, u64::MAX] {
        let options = SetupOptions { grease: Some(number), relay_id: Some(9), ..SetupOptions::default() };
        let mut bytes = Vec::new();
        Message::Setup(options).encode(D22, &mut bytes).unwrap();
        assert!(bytes.len() > framed(&[0xaf, 0x00], &[&[0xb8, 0x06, 9]]).len());
        let read = SetupOptions { relay_id: Some(9), ..SetupOptions::default() };
        assert_eq!(Message::decode(D22, &bytes), Ok(Message::Setup(read)));
    }
}

#[test]
fn a_reason_that_is_no_text_does_not_grow() {
    for filler in [&[0xff_u8][..], &[b'x', 0xff], &[0xc3, 0xa4], "\u{20ac}".as_bytes()] {
        let mut reason: Vec<u8> = filler.iter().copied().cycle().take(1024).collect();
        let mut payload = vec![0, 0, 0x84, 0x00];
        payload.append(&mut reason);
        let bytes = framed(&[0x05], &[&payload]);
        for profile in ALL {
            let message = Message::decode(*profile, &bytes).unwrap();
            let Message::RequestError { reason, .. } = &message else { panic!("{message:?}") };
            assert!(reason.len() <= Message::MAX_REASON && reason.len() > Message::MAX_REASON - 4);
            // What was read can be passed on.
            message.encode(*profile, &mut Vec::new()).unwrap();
        }
    }
}

#[test]
fn setup_rules() {
    let unknown_twice = framed(&[0xaf, 0x00], &[&[0x09, 1, 0, 0x00, 0, 0x01, 5, 0x00, 6]]);
    assert_eq!(Message::decode(D22, &unknown_twice), Ok(Message::Setup(SetupOptions::default())));
    let cases: [(&[u8], u64); 8] = [
        (&[0x01, 1, b'/', 0x00, 1, b'/'], codes::session::PROTOCOL_VIOLATION),
        (&[0x01, 1, b'x'], codes::session::MALFORMED_PATH),
        (&[0x01, 2, b'/', b' '], codes::session::MALFORMED_PATH),
        (&[0x01, 3, b'/', b'%', b'4'], codes::session::MALFORMED_PATH),
        (&[0x05, 0], codes::session::MALFORMED_AUTHORITY),
        (&[0x05, 1, b'/'], codes::session::MALFORMED_AUTHORITY),
        (&[0x03, 2, 2, 1], codes::session::PROTOCOL_VIOLATION),
        (&[0x03, 1, 3], codes::session::KEY_VALUE_FORMATTING_ERROR),
    ];
    for (payload, code) in cases {
        let bytes = framed(&[0xaf, 0x00], &[payload]);
        assert_eq!(refused(ALL, &bytes).session_code(), code, "{payload:?}");
    }
    unwritable(ALL, &Message::Setup(SetupOptions { path: Some("no slash".into()), ..SetupOptions::default() }));
}

#[test]
fn goaway() {
    let bytes = framed(&[0x10], &[&[1, b'u', 0x83, 0xe8]]);
    let message = |request_id| Message::Goaway { uri: "u".into(), timeout_ms: 1000, request_id };
    same(ALL, &bytes, &message(None));
    let with_id = framed(&[0x10], &[&[1, b'u', 0x83, 0xe8, 4]]);
    same(&[D18], &with_id, &message(Some(4)));
    refused(NEW, &with_id);
    let mut out = Vec::new();
    message(Some(4)).encode(D22, &mut out).unwrap();
    assert_eq!(out, bytes, "later drafts have no request id to write");
    refused(ALL, &framed(&[0x10], &[&[0xa0, 0x01], &[b'u'; 8193], &[0]]));
    unwritable(ALL, &Message::Goaway { uri: "u".repeat(8193), timeout_ms: 0, request_id: None });
}

#[test]
fn subscribe() {
    let params = Params {
        object_delivery_timeout: Some(50),
        tokens: vec![
            Token::Register { alias: 1, kind: 0, value: Bytes::from_static(b"t") },
            Token::UseAlias { alias: 9 },
        ],
        rendezvous_timeout: Some(0),
        subgroup_delivery_timeout: Some(2),
        forward: Some(false),
        subscriber_priority: Some(255),
        filter: Some(Filter::AbsoluteRange { start: Location { group: 5, object: 6 }, end_group: 8 }),
        group_order: Some(GroupOrder::Descending),
        new_group_request: Some(0),
        ..Params::default()
    };
    let message = Message::Subscribe { request_id: 2, track: track(), params };
    let head: &[u8] =
        &[10, 0x02, 50, 0x01, 4, 1, 1, 0, b't', 0x00, 2, 2, 9, 0x01, 0, 0x02, 2, 0x0a, 0, 0x10, 255, 0x01];
    let tail: &[u8] = &[0x01, 2, 0x10, 0];
    for (profile, filter) in
        [(D18, &[4, 4, 5, 6, 3][..]), (D20, &[3, 5, 6, 3]), (D21, &[3, 5, 6, 3]), (D22, &[3, 5, 6, 3])]
    {
        same(&[profile], &framed(&[0x03], &[&[2], TRACK, head, filter, tail]), &message);
    }
}

#[test]
fn subscribe_ok() {
    let mut properties = Properties::new();
    properties.insert(0x0e, 3_u64).unwrap();
    let params = Params { expires: Some(0), largest: Some(Location { group: 1, object: 2 }), ..Params::default() };
    let message = Message::SubscribeOk { alias: 200, params, properties };
    same(ALL, &framed(&[0x04], &[&[0x80, 200, 2, 0x08, 0, 0x01, 1, 2, 0x0e, 3]]), &message);
}

#[test]
fn publish() {
    let mut properties = Properties::new();
    properties.insert(0x22, 2_u64).unwrap();
    let params = Params { forward: Some(true), ..Params::default() };
    let message = Message::Publish { request_id: 1, track: track(), alias: 3, params, properties };
    same(ALL, &framed(&[0x1d], &[&[1], TRACK, &[3, 1, 0x10, 1, 0x22, 2]]), &message);
}

#[test]
fn request_ok() {
    let params = Params { expires: Some(5), ..Params::default() };
    let ok = |params| Message::RequestOk { params, properties: Properties::new() };
    same(ALL, &framed(&[0x07], &[&[1, 0x08, 5]]), &ok(params.clone()));
    let other_type = framed(&[0x1e], &[&[1, 0x08, 5]]);
    assert_eq!(Message::decode(D18, &other_type), Ok(ok(params)));
    refused(NEW, &other_type);
    let wishes = Params { subscriber_priority: Some(9), ..Params::default() };
    same(&[D18], &framed(&[0x07], &[&[1, 0x20, 9]]), &ok(wishes.clone()));
    unwritable(NEW, &ok(wishes));
    refused(NEW, &framed(&[0x07], &[&[1, 0x20, 9]]));
}

#[test]
fn request_ok_by_request() {
    let none = Properties::new();
    let mut some = Properties::new();
    some.insert(0x0e, 1_u64).unwrap();
    let wishes = Params { subscriber_priority: Some(9), ..Params::default() };
    let largest = Params { largest: Some(Location::default()), ..Params::default() };
    assert!(check_request_ok(D18, Answers::Publish, &wishes, &none).is_ok());
    assert!(check_request_ok(D22, Answers::Publish, &wishes, &none).is_err());
    assert!(check_request_ok(D18, Answers::RequestUpdate, &wishes, &none).is_err());
    assert!(check_request_ok(D18, Answers::RequestUpdate, &largest, &none).is_ok());
    assert!(check_request_ok(D18, Answers::Publish, &largest, &none).is_err());
    assert!(check_request_ok(D18, Answers::TrackStatus, &largest, &some).is_ok());
    assert!(check_request_ok(D18, Answers::SubscribeTracks, &Params::default(), &some).is_err());
    assert!(check_request_ok(D22, Answers::SubscribeTracks, &Params::default(), &none).is_ok());
}

#[test]
fn request_error() {
    let error =
        |code, retry_interval, redirect| Message::RequestError { code, retry_interval, reason: "no".into(), redirect };
    same(ALL, &framed(&[0x05], &[&[1, 0, 2, b'n', b'o']]), &error(1, None, None));
    same(ALL, &framed(&[0x05], &[&[9, 1, 2, b'n', b'o']]), &error(9, Some(0), None));
    let redirect = Some(Redirect { uri: "u".into(), track: track() });
    let bytes = framed(&[0x05], &[&[0x34, 0, 2, b'n', b'o', 1, b'u'], TRACK]);
    same(ALL, &bytes, &error(0x34, None, redirect.clone()));
    unwritable(ALL, &error(0x34, None, None));
    unwritable(ALL, &error(1, None, redirect));
    unwritable(ALL, &error(1, Some(u64::MAX), None));
    refused(ALL, &framed(&[0x05], &[&[1, 0, 0x84, 0x01], &[b'n'; 1025]]));
    let not_text = framed(&[0x05], &[&[1, 0, 1, 0xff]]);
    let Ok(Message::RequestError { reason, .. }) = Message::decode(D18, &not_text) else { panic!() };
    assert_eq!(reason, "\u{fffd}");
}

#[test]
fn publish_done() {
    let done = |stream_count| Message::PublishDone { code: 2, stream_count, reason: String::new() };
    same(ALL, &framed(&[0x0b], &[&[2, 7, 0]]), &done(Some(7)));
    let unknown_18 = framed(&[0x0b], &[&[2, 0xff, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]]);
    let unknown = framed(&[0x0b], &[&[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]]);
    same(&[D18], &unknown_18, &done(None));
    same(NEW, &unknown, &done(None));
    assert_eq!(Message::decode(D22, &unknown_18), Ok(done(None)));
    unwritable(ALL, &done(Some((1 << 62) - 1)));
}

#[test]
fn fetch() {
    let start = Location { group: 5, object: 6 };
    let end = Location { group: 7, object: 9 };
    let fetch = |filter| Message::Fetch {
        request_id: 2,
        kind: FetchKind::Standalone(track()),
        params: Params { filter: Some(filter), subscriber_priority: Some(1), ..Params::default() },
    };
    let objects = fetch(Filter::ObjectRange { start, end });
    let groups = fetch(Filter::AbsoluteRange { start, end_group: 7 });
    same(&[D18], &framed(&[0x16], &[&[2, 1], TRACK, &[5, 6, 7, 10, 1, 0x20, 1]]), &objects);
    same(&[D18], &framed(&[0x16], &[&[2, 1], TRACK, &[5, 6, 7, 0, 1, 0x20, 1]]), &groups);
    same(&[D20, D21], &framed(&[0x16], &[&[2], TRACK, &[2, 0x20, 1, 0x01, 4, 5, 6, 2, 9]]), &objects);
    same(&[D22], &framed(&[0x16], &[&[2], TRACK, &[2, 0x20, 1, 0x01, 4, 5, 6, 2, 9]]), &objects);
    same(&[D22], &framed(&[0x16], &[&[2], TRACK, &[2, 0x20, 1, 0x01, 3, 5, 6, 2]]), &groups);
    let joining = |kind| Message::Fetch { request_id: 2, kind, params: Params::default() };
    let relative = joining(FetchKind::RelativeJoining { joining: 0, groups: 3 });
    let absolute = joining(FetchKind::AbsoluteJoining { joining: 0, group: 3 });
    same(&[D18], &framed(&[0x16], &[&[2, 2, 0, 3, 0]]), &relative);
    same(&[D18], &framed(&[0x16], &[&[2, 3, 0, 3, 0]]), &absolute);
    unwritable(NEW, &relative);
    unwritable(&[D18], &fetch(Filter::NextObject));
    unwritable(&[D18], &fetch(Filter::ObjectRange { start, end: Location { group: 7, object: u64::MAX } }));
    assert!(matches!(refused(&[D18], &framed(&[0x16], &[&[2, 4, 0, 3, 0]])), Error::Violation(_)));
}

#[test]
fn fetch_ok() {
    let ok = |object| Message::FetchOk {
        end_of_track: true,
        end: FetchEnd { group: 7, object },
        params: Params::default(),
        properties: Properties::new(),
    };
    same(&[D18], &framed(&[0x18], &[&[1, 7, 10, 0]]), &ok(Some(9)));
    same(&[D18], &framed(&[0x18], &[&[1, 7, 0, 0]]), &ok(None));
    same(NEW, &framed(&[0x18], &[&[1, 7, 9, 0]]), &ok(Some(9)));
    unwritable(NEW, &ok(None));
    unwritable(&[D18], &ok(Some(u64::MAX)));
    refused(ALL, &framed(&[0x18], &[&[2, 7, 0, 0]]));
}

#[test]
fn the_other_requests() {
    let tokens = vec![Token::Delete { alias: 3 }];
    let params = || Params { tokens: tokens.clone(), ..Params::default() };
    let with_token: &[u8] = &[1, 0x03, 2, 0, 3];
    let prefix: &[u8] = &[1, 1, b'a'];
    same(
        ALL,
        &framed(&[0x0d], &[&[4], TRACK, with_token]),
        &Message::TrackStatus { request_id: 4, track: track(), params: params() },
    );
    same(
        ALL,
        &framed(&[0x06], &[&[4], prefix, with_token]),
        &Message::PublishNamespace { request_id: 4, namespace: ns("a"), params: params() },
    );
    same(
        ALL,
        &framed(&[0x50], &[&[4], prefix, with_token]),
        &Message::SubscribeNamespace { request_id: 4, prefix: ns("a"), params: params() },
    );
    same(
        ALL,
        &framed(&[0x51], &[&[4, 0], with_token]),
        &Message::SubscribeTracks { request_id: 4, prefix: ns(""), params: params() },
    );
}

#[test]
fn the_other_answers() {
    same(ALL, &framed(&[0x08], &[&[1, 1, b'a']]), &Message::Namespace { suffix: ns("a") });
    same(ALL, &framed(&[0x0e], &[&[0]]), &Message::NamespaceDone { suffix: ns("") });
    let blocked = Message::PublishBlocked { suffix: ns("a/bc"), name: Bytes::from_static(b"d") };
    same(ALL, &framed(&[0x0f], &[TRACK]), &blocked);
    let params = Params { forward: Some(false), ..Params::default() };
    let notify = Message::PublishStateNotify { params };
    let bytes = framed(&[0x22], &[&[1, 0x10, 0]]);
    same(NEW, &bytes, &notify);
    refused(&[D18], &bytes);
    unwritable(&[D18], &notify);
}

#[test]
fn frames_refused() {
    refused(ALL, &[0x01, 0, 0]);
    refused(ALL, &[0x40, 0, 0]);
    assert_eq!(refused(ALL, &framed(&[0x08], &[&[0, 0]])), Error::Violation("a message longer than its fields"));
    assert_eq!(refused(ALL, &framed(&[0x08], &[])), Error::Truncated);
    assert_eq!(Message::frame_len(&[0x08, 0x01]), Ok(None));
    assert_eq!(Message::frame_len(&[0x08, 0x01, 0x02]), Ok(Some(3 + 258)));
    assert_eq!(Message::frame_len(&[0xaf, 0x00, 0xff, 0xff]), Ok(Some(4 + 65_535)));
    assert_eq!(Error::Truncated.session_code(), codes::session::PROTOCOL_VIOLATION);
    let token = Token::UseValue { kind: 0, value: Bytes::from(vec![0; 40_000]) };
    let params = Params { tokens: vec![token; 2], ..Params::default() };
    unwritable(ALL, &Message::Subscribe { request_id: 0, track: track(), params });
}
