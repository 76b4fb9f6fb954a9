//! Headers of datagrams, streams and objects: every type byte, every prefix, noise.

use crate::common::{blob, int, location};
use bytes::Bytes;
use cc_wire::{
    varint, Datagram, DatagramHeader, Error, FetchItem, FetchObject, FetchPrior, Gap, GroupOrder, Location,
    ObjectHeader, Profile, Reader, Status, SubgroupHeader, SubgroupId, UniStream, DATAGRAM_HEADER_MAX, FETCH_STREAM,
    PADDING_DATAGRAM, PADDING_STREAM, SETUP_STREAM,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn varints(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|&value| varint::put(&mut out, value));
    out
}

#[test]
fn all_datagram_types() {
    for kind in 0..=0xff_u64 {
        let mut bytes = varints(&[kind, 5, 6]);
        let has = |bit: u64| kind & bit != 0;
        if !has(0x04) {
            bytes.push(7);
        }
        if !has(0x08) {
            bytes.push(200);
        }
        if has(0x01) {
            bytes.extend_from_slice(&[2, 0x3c, 1]);
        }
        if has(0x20) {
            bytes.push(0);
        } else {
            bytes.extend_from_slice(b"payload");
        }
        let valid = kind < 0x10 || [0x20, 0x21, 0x24, 0x25, 0x28, 0x29, 0x2c, 0x2d].contains(&kind);
        match Datagram::decode(&bytes) {
            Ok(Datagram::Object(header, at)) => {
                assert!(valid, "{kind:#x}");
                assert_eq!((header.alias, header.group), (5, 6));
                assert_eq!(header.object, if has(0x04) { 0 } else { 7 });
                assert_eq!(header.priority, (!has(0x08)).then_some(200));
                assert_eq!(header.end_of_group, has(0x02));
                assert_eq!(header.status, has(0x20).then_some(Status::Normal));
                assert_eq!(&header.properties[..], if has(0x01) { &[0x3c, 1][..] } else { &[] });
                assert_eq!(&bytes[at..], if has(0x20) { &b""[..] } else { b"payload" });
                let mut again = Vec::new();
                header.encode(&mut again).unwrap();
                assert_eq!(again, bytes[..at], "{kind:#x}");
            }
            Ok(Datagram::Padding) => panic!("{kind:#x} is no padding"),
            Err(error) => {
                assert!(!valid, "{kind:#x}: {error}");
                assert!(matches!(error, Error::Violation(_)), "{kind:#x}: {error}");
            }
        }
    }
}

#[test]
fn all_stream_types() {
    for kind in 0..=0xff_u64 {
        let mode = kind & 0x06;
        let mut bytes = varints(&[kind, 5, 6]);
        if mode == 0x04 {
            bytes.push(9);
        }
        if kind & 0x20 == 0 {
            bytes.push(200);
        }
        let valid = kind < 0x80 && kind & 0x10 != 0 && mode != 0x06;
        match UniStream::decode(&bytes) {
            Ok(Some((UniStream::Subgroup(header), used))) => {
                assert!(valid, "{kind:#x}");
                assert_eq!(used, bytes.len());
                let expected = SubgroupHeader {
                    alias: 5,
                    group: 6,
                    subgroup: match mode {
                        0x00 => SubgroupId::Zero,
                        0x02 => SubgroupId::FirstObject,
                        _ => SubgroupId::Explicit(9),
                    },
                    priority: (kind & 0x20 == 0).then_some(200),
                    has_properties: kind & 0x01 != 0,
                    end_of_group: kind & 0x08 != 0,
                    first_object: kind & 0x40 != 0,
                };
                assert_eq!(header, expected, "{kind:#x}");
                let mut again = Vec::new();
                UniStream::Subgroup(header).encode(&mut again);
                assert_eq!(again, bytes);
                for cut in 0..bytes.len() {
                    assert_eq!(UniStream::decode(&bytes[..cut]), Ok(None));
                }
            }
            Ok(Some((UniStream::Fetch { request_id: 5 }, 2))) => assert_eq!(kind, FETCH_STREAM),
            Ok(other) => panic!("{kind:#x}: {other:?}"),
            Err(error) => {
                assert!(!valid && kind != FETCH_STREAM, "{kind:#x}: {error}");
                assert!(matches!(error, Error::Violation(_)));
            }
        }
    }
}

#[test]
fn control_and_padding() {
    let control = varints(&[SETUP_STREAM]);
    assert_eq!(UniStream::decode(&control), Ok(Some((UniStream::Setup, 0))));
    assert_eq!(UniStream::decode(&control[..1]), Ok(None));
    let padding = varints(&[PADDING_STREAM, 0, 0]);
    assert_eq!(UniStream::decode(&padding), Ok(Some((UniStream::Padding, padding.len() - 2))));
    assert_eq!(Datagram::decode(&varints(&[PADDING_DATAGRAM, 0])), Ok(Datagram::Padding));
    assert!(UniStream::decode(&varints(&[PADDING_DATAGRAM])).is_err());
    assert!(Datagram::decode(&varints(&[PADDING_STREAM])).is_err());
}

#[test]
fn datagram_rules() {
    let properties_of_no_length = [0x0d, 1, 2, 0];
    assert!(matches!(DatagramHeader::decode(&properties_of_no_length), Err(Error::Violation(_))));
    let end_of_group_with_properties = [0x2d, 1, 2, 2, 0x3c, 1, 3];
    assert!(matches!(DatagramHeader::decode(&end_of_group_with_properties), Err(Error::Violation(_))));
    let unknown_status = [0x2c, 1, 2, 1];
    assert!(matches!(DatagramHeader::decode(&unknown_status), Err(Error::Violation(_))));
    let payload_behind_status = [0x2c, 1, 2, 3, 0];
    assert!(matches!(DatagramHeader::decode(&payload_behind_status), Err(Error::Violation(_))));
    let absurd_properties = [0x0d, 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
    assert!(DatagramHeader::decode(&absurd_properties).is_err());
    let mut both = DatagramHeader { status: Some(Status::Normal), end_of_group: true, ..Default::default() };
    assert!(matches!(both.encode(&mut Vec::new()), Err(Error::Unencodable(_))));
    both = DatagramHeader {
        status: Some(Status::EndOfTrack),
        properties: Bytes::from_static(&[0x3c, 1]),
        ..Default::default()
    };
    assert!(matches!(both.encode(&mut Vec::new()), Err(Error::Unencodable(_))));
}

#[test]
fn long_forms_are_read() {
    let mut bytes = vec![0x80, 0x0c, 0xc0, 0x00, 0x05, 0xff, 0, 0, 0, 0, 0, 0, 0, 6];
    bytes.extend_from_slice(b"x");
    let (header, at) = DatagramHeader::decode(&bytes).unwrap();
    assert_eq!((header.alias, header.group, header.object, at), (5, 6, 0, 14));
    assert_eq!(header.encoded_len(), 3);
}

#[test]
fn object_ids_end_at_64_bits() {
    let next = varints(&[0, 1]);
    assert!(matches!(ObjectHeader::decode(&next, Some(u64::MAX), false), Err(Error::Violation(_))));
    let far = varints(&[u64::MAX, 1]);
    assert!(matches!(ObjectHeader::decode(&far, Some(0), false), Err(Error::Violation(_))));
    let (header, _) = ObjectHeader::decode(&far, None, false).unwrap().unwrap();
    assert_eq!(header.object, u64::MAX);
    let same = ObjectHeader { object: 4, payload_len: 1, ..Default::default() };
    assert!(matches!(same.encode(&mut Vec::new(), Some(4), false), Err(Error::Unencodable(_))));
}

#[test]
fn object_rules() {
    let unknown_status = [0, 0, 1];
    assert!(matches!(ObjectHeader::decode(&unknown_status, None, false), Err(Error::Violation(_))));
    let end_with_properties = [0, 2, 0x3c, 1, 0, 3];
    assert!(matches!(ObjectHeader::decode(&end_with_properties, None, true), Err(Error::Violation(_))));
    let normal_with_properties = [0, 2, 0x3c, 1, 0, 0];
    assert!(ObjectHeader::decode(&normal_with_properties, None, true).unwrap().is_some());
    let homeless = ObjectHeader { properties: Bytes::from_static(&[0x3c, 1]), ..Default::default() };
    assert!(matches!(homeless.encode(&mut Vec::new(), None, false), Err(Error::Unencodable(_))));
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Normal, Status::EndOfGroup, Status::EndOfTrack])
}

fn datagram() -> impl Strategy<Value = DatagramHeader> {
    (int(), int(), int(), of(any::<u8>()), any::<bool>(), of(status()), blob(30)).prop_map(
        |(alias, group, object, priority, end, status, properties)| DatagramHeader {
            alias,
            group,
            object,
            priority,
            end_of_group: end && status.is_none(),
            status,
            properties: if status.unwrap_or(Status::Normal) == Status::Normal { properties } else { Bytes::new() },
        },
    )
}

fn object() -> impl Strategy<Value = ObjectHeader> {
    (int(), blob(30), status(), int()).prop_map(|(object, properties, status, payload_len)| {
        let status = (payload_len == 0).then_some(status);
        let normal = status.unwrap_or(Status::Normal) == Status::Normal;
        ObjectHeader { object, properties: if normal { properties } else { Bytes::new() }, status, payload_len }
    })
}

fn fetch_items() -> impl Strategy<Value = Vec<FetchItem>> {
    let item = (location(), of(0_u64..4), any::<u8>(), blob(9), int(), of(0..3_u8));
    vec((item, 0_u64..3, 0_u64..3), 0..12).prop_map(|items| {
        let mut at: Option<Location> = None;
        let mut out = Vec::new();
        for ((first, subgroup, priority, properties, payload_len, gap), group, object) in items {
            let location = match at {
                None => Location { group: first.group >> 1 | 64, object: first.object >> 1 },
                Some(at) if group == 0 => Location { group: at.group, object: at.object + 1 + object },
                Some(at) => {
                    Location { group: at.group + group, object: if object == 0 { at.object + 1 } else { object } }
                }
            };
            at = Some(location);
            out.push(match gap {
                Some(0) => FetchItem::End { gap: Gap::NonExistent, location },
                Some(1) => FetchItem::End { gap: Gap::Unknown, location },
                Some(_) => FetchItem::End { gap: Gap::TimedOut, location },
                None => FetchItem::Object(FetchObject { location, subgroup, priority, properties, payload_len }),
            });
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn datagrams_there_and_back(header in datagram(), payload in blob(20)) {
        let mut bytes = Vec::new();
        header.encode(&mut bytes).unwrap();
        prop_assert_eq!(bytes.len(), header.encoded_len());
        prop_assert!(bytes.len() <= DATAGRAM_HEADER_MAX + header.properties.len());
        for cut in 0..bytes.len() {
            prop_assert_eq!(DatagramHeader::decode(&bytes[..cut]), Err(Error::Truncated));
        }
        if header.status.is_none() {
            bytes.extend_from_slice(&payload);
        }
        let expected = Datagram::Object(header.clone(), header.encoded_len());
        prop_assert_eq!(Datagram::decode(&bytes), Ok(expected.clone()));
        prop_assert_eq!(Datagram::decode_shared(&Bytes::from(bytes)), Ok(expected));
    }

    #[test]
    fn objects_there_and_back(header in object(), gap in of(int()), room in any::<bool>()) {
        let prev = gap.and_then(|gap| header.object.checked_sub(1)?.checked_sub(gap));
        let has_properties = room || !header.properties.is_empty();
        let mut bytes = Vec::new();
        header.encode(&mut bytes, prev, has_properties).unwrap();
        for cut in 0..bytes.len() {
            prop_assert_eq!(ObjectHeader::decode(&bytes[..cut], prev, has_properties), Ok(None));
        }
        let used = bytes.len();
        bytes.extend_from_slice(b"payload");
        prop_assert_eq!(ObjectHeader::decode(&bytes, prev, has_properties), Ok(Some((header.clone(), used))));
        let shared = ObjectHeader::decode_shared(&Bytes::from(bytes), prev, has_properties);
        prop_assert_eq!(shared, Ok(Some((header, used))));
    }

    #[test]
    fn fetches_there_and_back(mut items in fetch_items(), descending in any::<bool>(), profile in crate::common::profiles()) {
        let order = if descending { GroupOrder::Descending } else { GroupOrder::Ascending };
        if descending {
            for item in &mut items {
                let (FetchItem::Object(FetchObject { location, .. }) | FetchItem::End { location, .. }) = item;
                location.group = u64::MAX - location.group;
            }
        }
        let (mut bytes, mut prior) = (Vec::new(), FetchPrior::default());
        let mut ends = Vec::new();
        for item in &items {
            item.encode(profile, order, &mut prior, &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        let (mut at, mut prior) = (0, FetchPrior::default());
        for (item, end) in items.iter().zip(ends) {
            let before = prior;
            for cut in at..end {
                prop_assert_eq!(FetchItem::decode(profile, order, &mut prior, &bytes[at..cut]), Ok(None));
                prop_assert_eq!(prior, before);
            }
            let (read, used) = FetchItem::decode(profile, order, &mut prior, &bytes[at..]).unwrap().unwrap();
            at += used;
            prop_assert_eq!(at, end);
            match (&read, item) {
                (FetchItem::End { gap: Gap::Unknown, location }, FetchItem::End { gap: Gap::TimedOut, location: sent })
                    if profile == Profile::D18 => prop_assert_eq!(location, sent),
                _ => prop_assert_eq!(&read, item),
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..80), prev in of(int()), has in any::<bool>(), profile in crate::common::profiles()) {
        let _ = Datagram::decode(&noise);
        let _ = UniStream::decode(&noise);
        let _ = SubgroupHeader::decode(&mut Reader::new(&noise));
        let _ = ObjectHeader::decode(&noise, prev, has);
        let mut prior = FetchPrior::default();
        let mut rest = &noise[..];
        while let Ok(Some((_, used))) = FetchItem::decode(profile, GroupOrder::Ascending, &mut prior, rest) {
            rest = &rest[used..];
        }
    }
}

#[test]
fn fetch_rules() {
    let decode =
        |bytes: &[u8]| FetchItem::decode(Profile::D18, GroupOrder::Ascending, &mut FetchPrior::default(), bytes);
    let relative_subgroup = [0x1d, 1, 2, 200, 0];
    let no_priority = [0x0c, 1, 2, 0];
    let no_object = [0x18, 1, 200, 0];
    let unknown_flags = [0x80, 0x80, 0, 0];
    let timed_out = [0x82, 0x0c, 0, 0];
    for bad in [&relative_subgroup[..], &no_priority, &no_object, &unknown_flags, &timed_out] {
        assert!(matches!(decode(bad), Err(Error::Violation(_))), "{bad:?}");
    }
    let back = FetchItem::End { gap: Gap::Unknown, location: Location { group: 1, object: 1 } };
    let mut prior = FetchPrior::default();
    let mut out = Vec::new();
    back.encode(Profile::D22, GroupOrder::Ascending, &mut prior, &mut out).unwrap();
    assert_eq!(out, [0x81, 0x0c, 1, 1]);
    let again = back.encode(Profile::D22, GroupOrder::Ascending, &mut prior, &mut out);
    assert!(matches!(again, Err(Error::Unencodable(_))));
    assert_eq!(out.len(), 4);
}
