//! The codec: nothing that a stranger sends makes a decoder panic, what it reads is written and read
//! again as the same value, and what is written is the shortest and only form.

use bytes::Bytes;
use cc_wire::{
    check_request_ok, varint, Answers, Datagram, DatagramHeader, Error, FetchItem, FetchPrior, GroupOrder, Location,
    Message, Namespace, ObjectHeader, Profile, Properties, RangeRule, Reader, Token, TrackName, UniStream, Value,
};

use crate::Input;

/// The drafts, as a first byte picks them.
pub(crate) const PROFILES: [Profile; 4] = [Profile::D18, Profile::D20, Profile::D21, Profile::D22];

/// An error of a decoder's is the peer's fault and has a code to close the session with.
fn peers(error: Error) {
    assert!(error.is_peers(), "a decoder blames its caller: {error}");
    assert_ne!(error.session_code(), 0, "{error}");
}

/// One integer.
pub(crate) fn integer(data: &[u8]) {
    let mut reader = Reader::new(data);
    match varint::get(&mut reader) {
        Ok(value) => {
            let mut out = Vec::new();
            varint::put(&mut out, value);
            assert_eq!(out.len(), varint::len(value));
            assert!(out.len() <= reader.position(), "not the shortest form of {value}");
            assert_eq!(varint::get(&mut Reader::new(&out)), Ok(value));
            for short in 0..out.len() {
                assert_eq!(varint::get(&mut Reader::new(&out[..short])), Err(Error::Truncated));
            }
        }
        Err(error) => assert_eq!(error, Error::Truncated),
    }
}

/// A whole message at the draft of the first byte.
pub(crate) fn message(data: &[u8]) {
    let mut input = Input::new(data);
    let profile = *input.pick(&PROFILES);
    check_message(profile, input.rest());
}

/// A message whose type and length are right, so that all of the input goes into its fields: draft,
/// type, whether a name and ids that are right stand before the rest, the rest.
pub(crate) fn fields(data: &[u8]) {
    let mut input = Input::new(data);
    let profile = *input.pick(&PROFILES);
    let kind = *input.pick(&KINDS);
    let mut payload = Vec::new();
    if input.flag() {
        if BEGIN_WITH_ID.contains(&kind) {
            payload.push(4);
        }
        match kind {
            PUBLISH => payload.extend_from_slice(b"\x01\x01a\x01t\x07"),
            SUBSCRIBE | TRACK_STATUS => payload.extend_from_slice(b"\x01\x01a\x01t"),
            PUBLISH_NAMESPACE | SUBSCRIBE_NAMESPACE | SUBSCRIBE_TRACKS => payload.extend_from_slice(b"\x01\x01a"),
            FETCH if profile == Profile::D18 => payload.extend_from_slice(b"\x01\x01\x01a\x01t\x00\x00\x01\x00"),
            FETCH => payload.extend_from_slice(b"\x01\x01a\x01t"),
            SUBSCRIBE_OK => payload.push(7),
            FETCH_OK => payload.extend_from_slice(&[0, 1, 1]),
            _ => {}
        }
    }
    payload.extend_from_slice(input.rest());
    check_message(profile, &framed(kind, &payload));
}

const SUBSCRIBE: u64 = 0x3;
const SUBSCRIBE_OK: u64 = 0x4;
const PUBLISH_NAMESPACE: u64 = 0x6;
const TRACK_STATUS: u64 = 0xd;
const FETCH: u64 = 0x16;
const FETCH_OK: u64 = 0x18;
const PUBLISH: u64 = 0x1d;
const SUBSCRIBE_NAMESPACE: u64 = 0x50;
const SUBSCRIBE_TRACKS: u64 = 0x51;

/// The types of messages, of all drafts.
pub(crate) const KINDS: [u64; 20] = [
    0x2f00,
    0x2,
    SUBSCRIBE,
    SUBSCRIBE_OK,
    0x5,
    PUBLISH_NAMESPACE,
    0x7,
    0x8,
    0xb,
    TRACK_STATUS,
    0xe,
    0xf,
    0x10,
    FETCH,
    FETCH_OK,
    PUBLISH,
    0x1e,
    0x22,
    SUBSCRIBE_NAMESPACE,
    SUBSCRIBE_TRACKS,
];

/// Those that begin with a request id.
pub(crate) const BEGIN_WITH_ID: [u64; 8] =
    [0x2, SUBSCRIBE, PUBLISH_NAMESPACE, TRACK_STATUS, FETCH, PUBLISH, SUBSCRIBE_NAMESPACE, SUBSCRIBE_TRACKS];

/// A message of this type; what does not fit into one is cut off.
pub(crate) fn framed(kind: u64, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(Message::MAX_PAYLOAD)];
    let mut out = Vec::new();
    varint::put(&mut out, kind);
    out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn check_message(profile: Profile, bytes: &[u8]) {
    let len = Message::frame_len(bytes);
    if let Err(error) = len {
        peers(error);
    }
    let message = match Message::decode(profile, bytes) {
        Ok(message) => message,
        Err(error) => return peers(error),
    };
    assert_eq!(len, Ok(Some(bytes.len())), "frame_len and decode disagree");
    let mut out = Vec::new();
    if let Err(error) = message.encode(profile, &mut out) {
        return assert!(has_invalid_filter(&message), "read but not written: {error}: {message:?}");
    }
    assert!(out.len() <= bytes.len() || says_more(&message), "longer than it came: {message:?}");
    assert_eq!(Message::decode(profile, &out).as_ref(), Ok(&message), "another message after writing");
    let mut again = vec![0xaa];
    message.encode(profile, &mut again).expect("written once already");
    assert_eq!(again[1..], out, "written in two forms");
    for short in [0, 1, out.len() / 2, out.len() - 1] {
        let cut = Message::decode(profile, &out[..short.min(out.len() - 1)]);
        assert_eq!(cut, Err(Error::Truncated), "a part of {message:?}");
    }
    for other in PROFILES {
        let mut out = vec![0xaa];
        match message.encode(other, &mut out) {
            Ok(()) => {
                let there = Message::decode(other, &out[1..]);
                assert!(there.is_ok(), "written at {other:?}, where it cannot be read: {there:?} of {message:?}");
            }
            Err(error) => {
                assert!(!error.is_peers(), "{error}");
                assert_eq!(out, [0xaa], "an error leaves something behind");
            }
        }
    }
    if let Message::RequestOk { params, properties } = &message {
        for answers in [Answers::Publish, Answers::RequestUpdate, Answers::TrackStatus, Answers::SubscribeTracks] {
            if let Err(error) = check_request_ok(profile, answers, params, properties) {
                peers(error);
            }
        }
    }
    let _ = (message.type_name(), format!("{message:?}"));
}

/// Whether a message may grow: a byte of its text that is not UTF-8 becomes the three of U+FFFD.
fn says_more(message: &Message) -> bool {
    let text = match message {
        Message::RequestError { reason, .. } | Message::PublishDone { reason, .. } => reason,
        Message::Setup(options) => options.implementation.as_deref().unwrap_or_default(),
        _ => "",
    };
    text.contains('\u{fffd}')
}

/// Whether a filter in it is kept only to be refused by its request's answer, and cannot be written.
fn has_invalid_filter(message: &Message) -> bool {
    let params = match message {
        Message::Subscribe { params, .. }
        | Message::RequestUpdate { params, .. }
        | Message::SubscribeTracks { params, .. }
        | Message::Fetch { params, .. } => params,
        _ => return false,
    };
    let filters = params.range_filters.iter().chain(params.fill.iter().flat_map(|fill| &fill.range_filters));
    filters.into_iter().any(|filter| matches!(filter.rule, RangeRule::Invalid(_)))
}

/// A datagram.
pub(crate) fn datagram(data: &[u8]) {
    let shared = Datagram::decode_shared(&Bytes::copy_from_slice(data));
    assert_eq!(Datagram::decode(data), shared);
    let (header, offset) = match shared {
        Ok(Datagram::Object(header, offset)) => (header, offset),
        Ok(Datagram::Padding) => return,
        Err(error) => return peers(error),
    };
    assert!(offset <= data.len());
    let mut out = Vec::new();
    header.encode(&mut out).expect("what was read can be written");
    assert_eq!(out.len(), header.encoded_len());
    assert!(out.len() <= offset, "longer than it came: {header:?}");
    assert!(out.len() - header.properties.len() <= cc_wire::DATAGRAM_HEADER_MAX);
    assert_eq!(DatagramHeader::decode(&out), Ok((header, out.len())));
}

/// The start of a unidirectional stream, and of a subgroup the objects after it.
pub(crate) fn stream(data: &[u8]) {
    let (start, used) = match UniStream::decode(data) {
        Ok(Some(start)) => start,
        Ok(None) => return assert!(data.len() < 37, "a stream's start that never ends"),
        Err(error) => return peers(error),
    };
    let mut out = Vec::new();
    start.encode(&mut out);
    assert!(out.len() <= used, "longer than it came: {start:?}");
    if start == UniStream::Setup {
        return assert_eq!(used, 0);
    }
    assert_eq!(UniStream::decode(&out), Ok(Some((start, out.len()))));
    for short in 0..out.len() {
        assert_eq!(UniStream::decode(&out[..short]), Ok(None), "a part of {start:?}");
    }
    if let UniStream::Subgroup(header) = start {
        walk_objects(&data[used..], header.has_properties);
    }
}

/// Objects in a subgroup stream: whether they have properties, then the stream.
pub(crate) fn objects(data: &[u8]) {
    let mut input = Input::new(data);
    let has_properties = input.flag();
    walk_objects(input.rest(), has_properties);
}

fn walk_objects(mut data: &[u8], has_properties: bool) {
    let mut prev = None;
    loop {
        let shared = ObjectHeader::decode_shared(&Bytes::copy_from_slice(data), prev, has_properties);
        assert_eq!(ObjectHeader::decode(data, prev, has_properties), shared);
        let (header, used) = match shared {
            Ok(Some(header)) => header,
            Ok(None) => return,
            Err(error) => return peers(error),
        };
        assert!(prev.is_none_or(|prev| prev < header.object), "ids that do not ascend");
        let mut out = Vec::new();
        header.encode(&mut out, prev, has_properties).expect("what was read can be written");
        assert!(out.len() <= used, "longer than it came: {header:?}");
        assert_eq!(ObjectHeader::decode(&out, prev, has_properties), Ok(Some((header.clone(), out.len()))));
        assert_eq!(ObjectHeader::decode(&out[..out.len() - 1], prev, has_properties), Ok(None));
        prev = Some(header.object);
        let payload = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        let Some(rest) = data[used..].get(payload..) else { return };
        data = rest;
    }
}

/// A FETCH's stream: draft, order, then elements with their payloads.
pub(crate) fn fetch(data: &[u8]) {
    let mut input = Input::new(data);
    let profile = *input.pick(&PROFILES);
    let order = *input.pick(&[GroupOrder::Ascending, GroupOrder::Descending]);
    let mut data = input.rest();
    // One `prior` follows what came, the other what is written.
    let (mut read, mut written) = (FetchPrior::default(), FetchPrior::default());
    loop {
        let before = read;
        let (item, used) = match FetchItem::decode(profile, order, &mut read, data) {
            Ok(Some(item)) => item,
            Ok(None) => return assert_eq!(read, before, "moved on without an element"),
            Err(error) => return peers(error),
        };
        let (mut out, mut again) = (Vec::new(), written);
        if let Err(error) = item.encode(profile, order, &mut written, &mut out) {
            // A decoder leaves the order to its owner, who alone knows what was asked for.
            assert!(matches!(error, Error::Unencodable(_)), "{error}");
            return assert!(out.is_empty());
        }
        assert_eq!(FetchItem::decode(profile, order, &mut again, &out), Ok(Some((item.clone(), out.len()))));
        assert_eq!(again, written, "reader and writer stand at different places after {item:?}");
        let payload = match &item {
            FetchItem::Object(object) => usize::try_from(object.payload_len).unwrap_or(usize::MAX),
            FetchItem::End { .. } => 0,
        };
        let Some(rest) = data[used..].get(payload..) else { return };
        data = rest;
    }
}

/// Key-value pairs, as a track's and as an object's.
pub(crate) fn properties(data: &[u8]) {
    let properties = match Properties::decode(data) {
        Ok(properties) => properties,
        Err(error) => {
            assert!(Properties::decode_track(data).is_err());
            return peers(error);
        }
    };
    let mut out = Vec::new();
    properties.encode(&mut out);
    assert_eq!(out, data, "properties are kept byte for byte");
    let mut kinds: Vec<u64> = properties.iter().map(|(kind, _)| kind).collect();
    assert!(kinds.is_sorted() && kinds.len() <= Properties::MAX_COUNT);
    match Properties::decode_track(data) {
        Ok(track) => {
            assert_eq!(track, properties);
            let _ = (track.default_priority(), track.group_order());
        }
        Err(error) => peers(error),
    }
    // Made anew from its pairs it is the shortest form, with the first of each type.
    let mut made = Properties::new();
    kinds.dedup();
    for kind in kinds {
        let value = properties.iter().find(|pair| pair.0 == kind).map(|pair| pair.1.clone()).expect("a type in it");
        match &value {
            Value::Int(int) => assert_eq!(properties.get_int(kind), Some(*int)),
            Value::Bytes(bytes) => assert_eq!(properties.get_bytes(kind).as_ref(), Some(bytes)),
        }
        made.insert(kind, value).expect("what was read can be written");
    }
    assert!(made.raw().len() <= data.len());
    assert_eq!(Properties::decode(made.raw()), Ok(made));
}

/// Names: as text, if it is text, and as bytes.
pub(crate) fn names(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(namespace) = Namespace::parse(text) {
            check_namespace(&namespace);
        }
    }
    let mut reader = Reader::new(data);
    match TrackName::decode(&mut reader) {
        Ok(track) => {
            let mut out = Vec::new();
            track.encode(&mut out).expect("what was read can be written");
            assert!(out.len() <= reader.position());
            assert_eq!(TrackName::decode(&mut Reader::new(&out)).as_ref(), Ok(&track));
            assert_eq!(track.path().count(), track.namespace.len() + 1);
            assert!(track.to_string().contains("//"));
            check_namespace(&track.namespace);
        }
        Err(error) => peers(error),
    }
    let mut reader = Reader::new(data);
    if let Ok(location) = Location::decode(&mut reader) {
        let mut out = Vec::new();
        location.encode(&mut out);
        assert_eq!(Location::decode(&mut Reader::new(&out)), Ok(location));
    }
}

fn check_namespace(namespace: &Namespace) {
    let text = namespace.to_string();
    assert_eq!(Namespace::parse(&text).as_ref(), Ok(namespace), "{text:?} reads back as something else");
    assert!(namespace.len() <= Namespace::MAX_FIELDS && namespace.byte_len() <= Namespace::MAX_BYTES);
    let mut out = Vec::new();
    namespace.encode(&mut out);
    assert_eq!(Namespace::decode(&mut Reader::new(&out)).as_ref(), Ok(namespace));
    for at in 0..=namespace.len() {
        let prefix = Namespace::new(namespace.fields()[..at].to_vec()).expect("a part of a namespace");
        assert!(namespace.starts_with(&prefix));
        let suffix = namespace.suffix_after(&prefix).expect("it starts with it");
        assert_eq!(prefix.join(&suffix).as_ref(), Ok(namespace));
    }
}

/// An authorization token.
pub(crate) fn token(data: &[u8]) {
    match Token::decode(data) {
        Ok(token) => {
            let mut out = Vec::new();
            token.encode(&mut out);
            assert!(out.len() <= data.len());
            assert_eq!(Token::decode(&out).as_ref(), Ok(&token));
        }
        Err(error) => peers(error),
    }
}
