//! Integers, names, properties: the parts that everything else is made of.

use crate::common::{int, namespace, properties};
use bytes::Bytes;
use cc_wire::{
    capability_hash, codes, property, varint, Error, GroupOrder, Namespace, Profile, Properties, Reader, TrackName,
};
use proptest::prelude::*;

#[test]
fn the_drafts_integers() {
    let examples: [(&[u8], u64); 8] = [
        (&[0x25], 37),
        (&[0x80, 0x25], 37),
        (&[0xbb, 0xbd], 15_293),
        (&[0xed, 0x7f, 0x3e, 0x7d], 226_442_877),
        (&[0xfa, 0xa1, 0xa0, 0xe4, 0x03, 0xd8], 2_893_212_287_960),
        (&[0xfc, 0x89, 0x98, 0xab, 0xc6, 0x6b, 0xc0], 151_288_809_941_952),
        (&[0xfe, 0xfa, 0x31, 0x8f, 0xa8, 0xe3, 0xca, 0x11], 70_423_237_261_249_041),
        (&[0xff; 9], u64::MAX),
    ];
    for (bytes, value) in examples {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.varint(), Ok(value));
        assert_eq!(reader.remaining(), 0);
        let mut out = Vec::new();
        varint::put(&mut out, value);
        assert_eq!(out.len(), varint::len(value));
        assert!(out == bytes || (value == 37 && bytes.len() == 2));
    }
}

#[test]
fn integers_at_each_lengths_edge() {
    for bytes in 1..=9_usize {
        let bits = if bytes == 9 { 64 } else { 7 * bytes as u32 };
        let greatest = u64::MAX >> (64 - bits);
        let least = if bytes == 1 { 0 } else { 1_u64 << (7 * (bytes - 1)) };
        assert_eq!((varint::len(least), varint::len(greatest)), (bytes, bytes));
    }
}

#[test]
fn profiles_by_name() {
    for profile in Profile::PREFERRED {
        assert_eq!(Profile::from_alpn(profile.alpn()), Some(profile));
        assert_eq!(profile.alpn(), format!("moqt-{}", profile.number()).as_bytes());
    }
    assert_eq!(Profile::from_alpn(b"moqt-19"), None);
    assert!(Profile::D18 < Profile::D22);
}

#[test]
fn names() {
    let games = Namespace::parse("games/room1").unwrap();
    let up = Namespace::parse("games/room1/up").unwrap();
    assert!(up.starts_with(&games) && !games.starts_with(&up) && up.starts_with(&Namespace::default()));
    assert_eq!(up.suffix_after(&games), Some(Namespace::parse("up").unwrap()));
    assert_eq!(games.suffix_after(&up), None);
    assert_eq!(games.join(&Namespace::parse("up").unwrap()), Ok(up.clone()));
    let track = TrackName::new(up, "c7").unwrap();
    assert_eq!(track.to_string(), "games/room1/up//c7");
    let path: Vec<&[u8]> = track.path().map(|part| &part[..]).collect();
    assert_eq!(path, [&b"games"[..], b"room1", b"up", b"c7"]);
    assert!(!Namespace::parse("game").unwrap().starts_with(&Namespace::parse("ga").unwrap()));
}

#[test]
fn odd_names() {
    assert!(Namespace::parse("").unwrap().is_empty());
    for bad in ["a//b", "/a", "a/", "%", "a%2", "%zz"] {
        assert!(matches!(Namespace::parse(bad), Err(Error::Unencodable(_))), "{bad}");
    }
    let odd = Namespace::new(vec![Bytes::from_static(b"a/b%"), Bytes::from_static(&[0xff, b'x'])]).unwrap();
    assert_eq!(odd.to_string(), "a%2Fb%25/%FFx");
    assert_eq!(Namespace::parse("größe/日本").unwrap().to_string(), "größe/日本");
    let field = Bytes::from_static(&[b'a'; 200]);
    assert!(matches!(Namespace::new(vec![field.clone(); 33]), Err(Error::TooLong { .. })));
    assert!(matches!(Namespace::new(vec![field.clone(); 21]), Err(Error::TooLong { .. })));
    let long = Namespace::new(vec![field; 20]).unwrap();
    assert!(TrackName::new(long.clone(), vec![0; 96]).is_ok());
    assert!(matches!(TrackName::new(long, vec![0; 97]), Err(Error::TooLong { .. })));
}

#[test]
fn names_from_strangers() {
    let decode = |bytes: &[u8]| Namespace::decode(&mut Reader::new(bytes));
    let many = decode(&[33]);
    assert!(matches!(many, Err(Error::Violation(_))), "refused by its count, before its fields");
    assert!(matches!(decode(&[0xff; 9]), Err(Error::Violation(_))));
    assert!(matches!(decode(&[1, 0]), Err(Error::Violation(_))));
    let long = [1, 0x90, 0x01];
    assert!(matches!(decode(&long), Err(Error::Violation(_))), "4097 bytes, before they come");
    assert_eq!(decode(&[1, 0x90, 0x00]), Err(Error::Truncated));
    let name = [&[1, 1, b'a'][..], &[0x90, 0x00]].concat();
    assert!(matches!(TrackName::decode(&mut Reader::new(&name)), Err(Error::Violation(_))));
}

#[test]
fn properties_by_hand() {
    let bytes = [0x02, 0x05, 0x0c, 0x80, 0x07, 0xb7, 0xf3, 2, b'h', b'i'];
    let read = Properties::decode(&bytes).unwrap();
    assert_eq!(read.get_int(0x02), Some(5));
    assert_eq!(read.get_int(property::DEFAULT_PUBLISHER_PRIORITY), Some(7));
    assert_eq!(read.get_bytes(property::CAPABILITY_TAG).as_deref(), Some(&b"hi"[..]));
    assert_eq!((read.get_int(0x04), read.get_bytes(0x02)), (None, None));
    assert_eq!(read.default_priority(), 7);
    assert_eq!(&read.raw()[..], bytes, "the long form of 7 is kept");
}

#[test]
fn properties_are_set_in_order() {
    let mut made = Properties::new();
    made.insert(property::CAPABILITY_HASH, 9_u64).unwrap();
    made.insert(property::CAPABILITY_TAG, Bytes::from_static(b"t")).unwrap();
    made.insert(property::DEFAULT_PUBLISHER_GROUP_ORDER, 2_u64).unwrap();
    made.insert(property::CAPABILITY_HASH, 10_u64).unwrap();
    let kinds: Vec<u64> = made.iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [0x22, 0x3801, 0x3802]);
    assert_eq!(made.group_order(), GroupOrder::Descending);
    assert_eq!(Properties::decode(made.raw()), Ok(made.clone()));
    assert!(matches!(made.insert(3, 1_u64), Err(Error::Unencodable(_))));
    assert!(matches!(made.insert(2, Bytes::new()), Err(Error::Unencodable(_))));
    assert!(matches!(made.insert(1, Bytes::from(vec![0; 65_536])), Err(Error::TooLong { .. })));
    for kind in 0..Properties::MAX_COUNT as u64 - 3 {
        made.insert(0x10_000 + 2 * kind, 0_u64).unwrap();
    }
    assert!(matches!(made.insert(2, 0_u64), Err(Error::TooLong { .. })));
    made.insert(property::CAPABILITY_HASH, 11_u64).unwrap();
}

#[test]
fn immutable_properties_are_searched_after_the_others() {
    let bytes = [0x02, 1, 0x09, 4, 0x02, 7, 0x04, 8];
    let read = Properties::decode(&bytes).unwrap();
    assert_eq!((read.get_int(0x02), read.get_int(0x06)), (Some(1), Some(8)));
}

#[test]
fn properties_from_strangers() {
    let bad: [(&[u8], &str); 4] = [
        (&[0x01, 0xc1, 0x00, 0x00], "65536 bytes"),
        (&[0x02, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00], "a type beyond 64 bits"),
        (&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "an absurd length"),
        (&[0; 514], "257 pairs"),
    ];
    for (bytes, what) in bad {
        let error = Properties::decode(bytes).unwrap_err();
        assert!(matches!(error, Error::Violation(_)), "{what}");
        assert_eq!(error.session_code(), codes::session::PROTOCOL_VIOLATION);
    }
    assert_eq!(Properties::decode(&[0x01, 0x02, 0x00]), Err(Error::Truncated));
    for track in [&[0x22, 0][..], &[0x22, 3], &[0x30, 2], &[0x0e, 0x81, 0x00], &[0x0b, 2, 0x22, 9]] {
        assert!(Properties::decode(track).is_ok());
        assert!(matches!(Properties::decode_track(track), Err(Error::Violation(_))), "{track:?}");
    }
    assert!(Properties::decode_track(&[0x0b, 1, 0x22]).is_ok(), "malformed inside is the track's matter");
}

#[test]
fn hashes_of_capabilities() {
    // FNV-1a 64 of "" and "a" are published with the algorithm; the low 53 bits of them remain.
    assert_eq!(capability_hash(""), 0xcbf2_9ce4_8422_2325 & ((1 << 53) - 1));
    assert_eq!(capability_hash("a"), 0xaf63_dc4c_8601_ec8c & ((1 << 53) - 1));
    assert!(capability_hash("netcode.v1") < 1 << 53);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_there_and_back(value in int()) {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, value);
        prop_assert_eq!(bytes.len(), varint::len(value));
        prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
        for cut in 0..bytes.len() {
            prop_assert_eq!(Reader::new(&bytes[..cut]).varint(), Err(Error::Truncated));
        }
    }

    #[test]
    fn namespaces_as_text(namespace in namespace()) {
        prop_assert_eq!(Namespace::parse(&namespace.to_string()), Ok(namespace));
    }

    #[test]
    fn properties_there_and_back(properties in properties()) {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        prop_assert_eq!(Properties::decode(&bytes), Ok(properties));
    }

    #[test]
    fn noise_as_properties(noise in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(read) = Properties::decode(&noise) {
            prop_assert_eq!(&read.raw()[..], &noise[..]);
            read.iter().for_each(|(kind, _)| assert!(read.get_int(kind).is_some() != read.get_bytes(kind).is_some()));
        }
        let _ = Properties::decode_track(&noise);
    }
}
