//! Some thousand messages and headers, written by both codecs and read by each other.

#[path = "../../wire/tests/wire/common.rs"]
mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use cc_wire::{
    DatagramHeader, FetchItem, FetchKind, FetchObject, FetchPrior, GroupOrder, Location, Message, ObjectHeader,
    Profile, Status, SubgroupHeader, SubgroupId,
};
use common::{blob, int};
use proptest::option::of;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Whether the other codec takes the message's namespace: it refuses an empty one outside of
/// prefixes and suffixes.
fn comparable(message: &Message) -> bool {
    match message {
        Message::Subscribe { track, .. }
        | Message::TrackStatus { track, .. }
        | Message::Publish { track, .. }
        | Message::Fetch { kind: FetchKind::Standalone(track), .. } => !track.namespace.is_empty(),
        Message::PublishNamespace { namespace, .. } => !namespace.is_empty(),
        _ => true,
    }
}

type Encode = fn(&Message) -> Result<Vec<u8>, String>;
type Reads = fn(&Message, &[u8]) -> Result<bool, String>;

fn both_ways(profile: Profile, message: &Message) -> Result<(), TestCaseError> {
    let (encode, reads): (Encode, Reads) = match profile {
        Profile::D18 => (cc_oracle::d18::encode, cc_oracle::d18::reads),
        Profile::D20 => (cc_oracle::d20::encode, cc_oracle::d20::reads),
        Profile::D21 => (cc_oracle::d21::encode, cc_oracle::d21::reads),
        Profile::D22 => (cc_oracle::d22::encode, cc_oracle::d22::reads),
    };
    let mut ours = Vec::new();
    message.encode(profile, &mut ours).unwrap();
    let theirs = encode(message);
    prop_assert_eq!(theirs.as_ref(), Ok(&ours));
    let read = Message::decode(profile, &theirs.unwrap());
    prop_assert_eq!(read.as_ref(), Ok(message));
    prop_assert_eq!(reads(message, &ours), Ok(true));
    Ok(())
}

macro_rules! headers {
    ($name:ident, $draft:ident) => {
        mod $name {
            use moqtap_codec::$draft::data_stream as theirs;

            use super::*;

            pub fn datagram(header: &DatagramHeader, bytes: &[u8]) -> Result<(), TestCaseError> {
                let mut rest = bytes;
                let read = theirs::DatagramHeader::decode(&mut rest);
                prop_assert!(read.is_ok(), "{:?}", read);
                let read = read.unwrap();
                prop_assert_eq!(read.track_alias.into_inner(), header.alias);
                prop_assert_eq!(read.group_id.into_inner(), header.group);
                prop_assert_eq!(read.object_id.into_inner(), header.object);
                prop_assert_eq!(read.publisher_priority, header.priority);
                prop_assert_eq!(read.is_end_of_group(), header.end_of_group);
                prop_assert_eq!(&read.properties[..], &header.properties[..]);
                prop_assert_eq!(read.has_status(), header.status.is_some());
                let mut again = Vec::new();
                read.encode_checked(&mut again).unwrap();
                again.extend_from_slice(rest);
                prop_assert_eq!(again, bytes);
                Ok(())
            }

            pub fn subgroup(
                header: &SubgroupHeader,
                objects: &[(ObjectHeader, Bytes)],
                bytes: &[u8],
            ) -> Result<(), TestCaseError> {
                let mut rest = bytes;
                let read = theirs::SubgroupHeader::decode(&mut rest).unwrap();
                prop_assert_eq!(read.track_alias.into_inner(), header.alias);
                prop_assert_eq!(read.group_id.into_inner(), header.group);
                prop_assert_eq!(read.publisher_priority, header.priority);
                prop_assert_eq!(read.has_properties(), header.has_properties);
                prop_assert_eq!(read.is_end_of_group(), header.end_of_group);
                prop_assert_eq!(read.is_first_object(), header.first_object);
                let mut reader = theirs::SubgroupObjectReader::new(&read);
                let mut writer = theirs::SubgroupObjectReader::new(&read);
                let mut again = Vec::new();
                read.encode_checked(&mut again).unwrap();
                for (object, payload) in objects {
                    let theirs = reader.read_object(&mut rest).unwrap();
                    prop_assert_eq!(theirs.object_id.into_inner(), object.object);
                    prop_assert_eq!(theirs.payload_length.into_inner(), object.payload_len);
                    prop_assert_eq!(&theirs.payload[..], &payload[..]);
                    writer.write_object(&theirs, &mut again).unwrap();
                }
                prop_assert!(rest.is_empty());
                prop_assert_eq!(again, bytes);
                Ok(())
            }

            pub fn fetch(order: GroupOrder, objects: &[FetchObject], bytes: &[u8]) -> Result<(), TestCaseError> {
                let order = match order {
                    GroupOrder::Ascending => theirs::GroupOrder::Ascending,
                    GroupOrder::Descending => theirs::GroupOrder::Descending,
                };
                let mut reader = theirs::FetchObjectReader::new(order);
                let mut rest = bytes;
                for object in objects {
                    let read = reader.read_object_header(&mut rest);
                    prop_assert!(read.is_ok(), "{:?}", read);
                    let read = read.unwrap();
                    prop_assert_eq!((read.group_id, read.object_id), (object.location.group, object.location.object));
                    prop_assert_eq!(read.subgroup_id, object.subgroup);
                    prop_assert_eq!(read.publisher_priority, Some(object.priority));
                    prop_assert_eq!(read.header.payload_length.into_inner(), object.payload_len);
                }
                prop_assert!(rest.is_empty());
                Ok(())
            }
        }
    };
}

headers!(h18, draft18);
headers!(h20, draft20);
headers!(h21, draft21);
headers!(h22, draft22);

fn priority() -> impl Strategy<Value = Option<u8>> {
    of(any::<u8>())
}

/// Properties that are well-formed pairs, as the other codec looks inside.
fn raw_properties() -> impl Strategy<Value = Bytes> {
    common::properties().prop_map(|properties| properties.raw().clone())
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Normal, Status::EndOfGroup, Status::EndOfTrack])
}

/// So many of each; `CLUTCHCALL_ORACLE_CASES` for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("CLUTCHCALL_ORACLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn messages() {
    let compared = RefCell::new(BTreeMap::<&str, u64>::new());
    let all = common::profiles().prop_flat_map(|profile| (Just(profile), common::message(profile)));
    let compare = |(profile, message)| {
        if comparable(&message) {
            both_ways(profile, &message)?;
            *compared.borrow_mut().entry(message.type_name()).or_default() += 1;
        }
        Ok(())
    };
    TestRunner::new(config()).run(&all, compare).unwrap();
    println!("messages compared, by type: {:?}", compared.into_inner());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn datagrams(
        (alias, group, object, priority) in (int(), int(), int(), priority()),
        (end, status, properties, payload) in (any::<bool>(), of(status()), raw_properties(), blob(20)),
        profile in common::profiles(),
    ) {
        let normal = status.unwrap_or(Status::Normal) == Status::Normal;
        let end_of_group = end && status.is_none();
        let properties = if normal { properties } else { Bytes::new() };
        let header = DatagramHeader { alias, group, object, priority, end_of_group, status, properties };
        let mut bytes = Vec::new();
        header.encode(&mut bytes).unwrap();
        if status.is_none() {
            bytes.extend_from_slice(&payload);
        }
        match profile {
            Profile::D18 => h18::datagram(&header, &bytes)?,
            Profile::D20 => h20::datagram(&header, &bytes)?,
            Profile::D21 => h21::datagram(&header, &bytes)?,
            Profile::D22 => h22::datagram(&header, &bytes)?,
        }
    }

    #[test]
    fn subgroups(
        (alias, group, id, priority) in (int(), int(), int(), priority()),
        (mode, has_properties, end_of_group, first_object) in (0..3, any::<bool>(), any::<bool>(), any::<bool>()),
        objects in prop::collection::vec((0_u64..300, raw_properties(), blob(20), status()), 0..6),
        profile in common::profiles(),
    ) {
        let subgroup = match mode {
            0 => SubgroupId::Zero,
            1 => SubgroupId::FirstObject,
            _ => SubgroupId::Explicit(id.max(1)),
        };
        let header = SubgroupHeader { alias, group, subgroup, priority, has_properties, end_of_group, first_object };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let mut prev = None;
        let mut sent = Vec::new();
        for (step, properties, payload, status) in objects {
            let object = prev.map_or(step, |prev| prev + 1 + step);
            let status = payload.is_empty().then_some(status);
            let normal = status.unwrap_or(Status::Normal) == Status::Normal;
            let properties = if has_properties && normal { properties } else { Bytes::new() };
            let header = ObjectHeader { object, properties, status, payload_len: payload.len() as u64 };
            header.encode(&mut bytes, prev, has_properties).unwrap();
            bytes.extend_from_slice(&payload);
            sent.push((header, payload));
            prev = Some(object);
        }
        match profile {
            Profile::D18 => h18::subgroup(&header, &sent, &bytes)?,
            Profile::D20 => h20::subgroup(&header, &sent, &bytes)?,
            Profile::D21 => h21::subgroup(&header, &sent, &bytes)?,
            Profile::D22 => h22::subgroup(&header, &sent, &bytes)?,
        }
    }

    #[test]
    fn fetches(
        steps in prop::collection::vec((0_u64..3, 0_u64..3, of(0_u64..4), 0_u8..3, raw_properties(), int()), 1..8),
        descending in any::<bool>(),
        profile in common::profiles(),
    ) {
        let order = if descending { GroupOrder::Descending } else { GroupOrder::Ascending };
        let (mut prior, mut bytes, mut sent) = (FetchPrior::default(), Vec::new(), Vec::new());
        let mut at = Location { group: 1000, object: 0 };
        for (group, object, subgroup, priority, properties, payload_len) in steps {
            at = match group {
                0 => Location { group: at.group, object: at.object + 1 + object },
                _ if descending => Location { group: at.group - group, object },
                _ => Location { group: at.group + group, object },
            };
            let fetched = FetchObject { location: at, subgroup, priority, properties, payload_len };
            FetchItem::Object(fetched.clone()).encode(profile, order, &mut prior, &mut bytes).unwrap();
            sent.push(fetched);
        }
        match profile {
            Profile::D18 => h18::fetch(order, &sent, &bytes)?,
            Profile::D20 => h20::fetch(order, &sent, &bytes)?,
            Profile::D21 => h21::fetch(order, &sent, &bytes)?,
            Profile::D22 => h22::fetch(order, &sent, &bytes)?,
        }
    }
}
