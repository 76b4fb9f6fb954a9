//! Messages there and back, cut short, and made of noise.

use cc_wire::{
    Error, FetchEnd, FetchKind, Filter, GroupOrder, Location, Message, Namespace, Params, Profile, Properties, Range,
    RangeFilter, RangeKind, RangeRule, Token, TrackName,
};
use proptest::prelude::*;

fn encoded(message: &Message, profile: Profile) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(profile, &mut out).expect("a generated message can be written");
    out
}

fn any_message() -> impl Strategy<Value = (Profile, Message)> {
    crate::common::profiles().prop_flat_map(|profile| (Just(profile), crate::common::message(profile)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read((profile, message) in any_message()) {
        let bytes = encoded(&message, profile);
        prop_assert_eq!(Message::frame_len(&bytes), Ok(Some(bytes.len())));
        let read = Message::decode(profile, &bytes);
        prop_assert_eq!(read.as_ref(), Ok(&message));
        prop_assert_eq!(encoded(&read.unwrap(), profile), bytes);
    }

    #[test]
    fn every_prefix_is_truncated((profile, message) in any_message()) {
        let bytes = encoded(&message, profile);
        for cut in 0..bytes.len() {
            prop_assert_eq!(Message::decode(profile, &bytes[..cut]), Err(Error::Truncated));
            let frame = Message::frame_len(&bytes[..cut]).unwrap();
            prop_assert!(frame.is_none() || frame == Some(bytes.len()));
        }
    }

    #[test]
    fn a_shorter_payload_is_refused_or_another_message((profile, message) in any_message(), cut in any::<u16>()) {
        let mut bytes = encoded(&message, profile);
        let header = bytes.len() - payload_len(&bytes);
        let keep = usize::from(cut) % (bytes.len() - header + 1);
        bytes.truncate(header + keep);
        bytes[header - 2..header].copy_from_slice(&(keep as u16).to_be_bytes());
        if let Ok(other) = Message::decode(profile, &bytes) {
            let mut again = Vec::new();
            other.encode(profile, &mut again).unwrap();
            prop_assert_eq!(Message::decode(profile, &again), Ok(other));
        }
    }

    #[test]
    fn a_changed_byte_never_panics((profile, message) in any_message(), at in any::<usize>(), to in any::<u8>()) {
        let mut bytes = encoded(&message, profile);
        let at = at % bytes.len();
        bytes[at] = to;
        if let Err(error) = Message::decode(profile, &bytes) {
            prop_assert!(error.is_peers(), "{}", error);
        }
    }

    #[test]
    fn noise_never_panics(profile in crate::common::profiles(), kind in 0_u8..0x60, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(noise.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&noise);
        if let Err(error) = Message::decode(profile, &bytes) {
            prop_assert!(error.is_peers(), "{}", error);
        }
        let _ = Message::decode(profile, &noise);
        let _ = Message::frame_len(&noise);
    }

    #[test]
    fn a_byte_behind_is_refused((profile, message) in any_message(), extra in any::<u8>()) {
        let mut bytes = encoded(&message, profile);
        bytes.push(extra);
        prop_assert_eq!(Message::decode(profile, &bytes), Err(Error::Violation("bytes behind a message")));
    }
}

fn payload_len(bytes: &[u8]) -> usize {
    let mut reader = cc_wire::Reader::new(bytes);
    reader.varint().unwrap();
    usize::from(reader.u8().unwrap()) << 8 | usize::from(reader.u8().unwrap())
}

/// Every message that holds parameters, with these; they end it when there are no properties.
fn with_params(profile: Profile, params: &Params) -> Vec<Message> {
    let (request_id, alias) = (0, 0);
    let track = TrackName::default;
    let (prefix, namespace) = (Namespace::default(), Namespace::default());
    let (params, properties) = (|| params.clone(), Properties::new);
    let mut list = vec![
        Message::Subscribe { request_id, track: track(), params: params() },
        Message::SubscribeOk { alias, params: params(), properties: properties() },
        Message::Publish { request_id, track: track(), alias, params: params(), properties: properties() },
        Message::RequestOk { params: params(), properties: properties() },
        Message::RequestUpdate { request_id, params: params() },
        Message::FetchOk {
            end_of_track: false,
            end: FetchEnd { group: 0, object: Some(0) },
            params: params(),
            properties: properties(),
        },
        Message::TrackStatus { request_id, track: track(), params: params() },
        Message::PublishNamespace { request_id, namespace, params: params() },
        Message::SubscribeNamespace { request_id, prefix: prefix.clone(), params: params() },
        Message::SubscribeTracks { request_id, prefix, params: params() },
    ];
    if profile == Profile::D18 {
        // A standalone FETCH has its range in the same field, which is no parameter there.
        let kind = FetchKind::AbsoluteJoining { joining: 0, group: 0 };
        list.push(Message::Fetch { request_id, kind, params: params() });
    } else {
        list.push(Message::Fetch { request_id, kind: FetchKind::Standalone(track()), params: params() });
        list.push(Message::PublishStateNotify { params: params() });
    }
    list
}

#[test]
fn parameters_stand_where_they_may() {
    let range = |kind: RangeKind| {
        let names = matches!(kind, RangeKind::ObjectProperty | RangeKind::TrackProperty);
        let ranges = vec![Range { start: 1, end: None }];
        let rule = RangeRule::Keep { set: 0, property: names.then_some(2), ranges };
        Params { range_filters: vec![RangeFilter { kind, rule }], ..Params::default() }
    };
    let none = Params::default;
    let each: [(u64, Params); 20] = [
        (0x02, Params { object_delivery_timeout: Some(1), ..none() }),
        (0x03, Params { tokens: vec![Token::Delete { alias: 1 }], ..none() }),
        (0x04, Params { rendezvous_timeout: Some(1), ..none() }),
        (0x06, Params { subgroup_delivery_timeout: Some(1), ..none() }),
        (0x08, Params { expires: Some(1), ..none() }),
        (0x09, Params { largest: Some(Location::default()), ..none() }),
        (0x0a, Params { fill_timeout: Some(1), ..none() }),
        (0x10, Params { forward: Some(true), ..none() }),
        (0x20, Params { subscriber_priority: Some(1), ..none() }),
        (0x21, Params { filter: Some(Filter::NextGroup), ..none() }),
        (0x22, Params { group_order: Some(GroupOrder::Ascending), ..none() }),
        (0x23, Params { fill: Some(Box::default()), ..none() }),
        (0x25, range(RangeKind::Subgroup)),
        (0x26, range(RangeKind::ObjectId)),
        (0x27, range(RangeKind::Priority)),
        (0x28, range(RangeKind::ObjectProperty)),
        (0x29, range(RangeKind::TrackProperty)),
        (0x32, Params { new_group_request: Some(1), ..none() }),
        (0x34, Params { namespace_prefix: Some(Namespace::default()), ..none() }),
        (0x35, Params { include_properties: Some(true), ..none() }),
    ];
    for profile in Profile::PREFERRED {
        for (kind, params) in &each {
            // The parameter's bytes as a message that may hold it has them.
            let holders = with_params(profile, params);
            let bare = with_params(profile, &none());
            let (mut written, mut block) = (Vec::new(), None);
            for (message, bare) in holders.iter().zip(&bare) {
                let mut out = Vec::new();
                let may = crate::common::allowed(profile, message.type_name()).contains(kind);
                let result = message.encode(profile, &mut out);
                assert_eq!(result.is_ok(), may, "{kind:#x} in {} at {profile:?}", message.type_name());
                let empty = encoded(bare, profile);
                if may {
                    block = Some(out[empty.len() - 1..].to_vec());
                }
                written.push((empty, may));
            }
            let Some(block) = block else { continue };
            for (mut bytes, may) in written {
                assert_eq!(bytes.pop(), Some(0), "no parameters at the end");
                let header = bytes.len() + 1 - payload_len(&bytes);
                bytes.extend_from_slice(&block);
                let len = (bytes.len() - header) as u16;
                bytes[header - 2..header].copy_from_slice(&len.to_be_bytes());
                let read = Message::decode(profile, &bytes);
                assert_eq!(read.is_ok(), may, "{kind:#x} at {profile:?}: {read:?}");
                assert!(may || matches!(read, Err(Error::Violation(_))), "{read:?}");
            }
        }
    }
}
