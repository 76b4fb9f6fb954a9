//! Splitting frames and joining them again.

use bytes::Bytes;
use cc_fanout::fragments::*;
use proptest::prelude::*;

fn fragment(group: u64, object: u64, end_of_group: bool, payload: &str) -> Fragment {
    let (properties, payload) = (Bytes::new(), Bytes::copy_from_slice(payload.as_bytes()));
    Fragment { group, object, end_of_group, priority: 3, properties, payload }
}

/// The joined payload as text; an empty text while there is none.
fn take(joiner: &mut Joiner, group: u64, object: u64, end: bool, payload: &str) -> String {
    match joiner.take(fragment(group, object, end, payload)) {
        Taken::Frame(frame) => String::from_utf8(frame.payload.to_vec()).unwrap(),
        Taken::Pending => String::new(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_frame_fills_its_fragments_and_properties_take_room_in_the_first() {
    let ranges = |payload, props| {
        let split = split(payload, props).unwrap();
        split.ranges().map(|range| (range.start, range.end)).collect::<Vec<_>>()
    };
    assert_eq!(ranges(0, 0), [(0, 0)]);
    assert_eq!(ranges(1100, 0), [(0, 1100)]);
    assert_eq!(ranges(1101, 0), [(0, 1100), (1100, 1101)]);
    assert_eq!(ranges(1100, 100), [(0, 1000), (1000, 1100)]);
    assert_eq!(ranges(5, 1100), [(0, 0), (0, 5)]);
    assert_eq!(split(8800, 0).map(|split| split.count()), Ok(8));
    assert_eq!(split(8801, 0), Err(TooLarge { bytes: 8801, limit: 8800 }));
    assert_eq!(split(8790, 11), Err(TooLarge { bytes: 8801, limit: 8800 }));
    assert_eq!(split(0, 1101), Err(TooLarge { bytes: 1101, limit: 1100 }));
    assert!(split(usize::MAX, usize::MAX).is_err());
}

#[test]
fn a_frame_of_one_object_passes_without_a_copy() {
    let mut joiner = Joiner::new(1000);
    let fragment = fragment(1, 0, true, "whole");
    let address = fragment.payload.as_ptr();
    let Taken::Frame(frame) = joiner.take(fragment) else { panic!("one object is whole") };
    assert_eq!((frame.payload.as_ptr(), frame.priority), (address, 3));
    assert_eq!(joiner.held(), 0);
}

#[test]
fn fragments_join_in_any_order_and_groups_may_be_interleaved() {
    let mut joiner = Joiner::new(10_000);
    assert_eq!(take(&mut joiner, 1, 2, true, "c"), "");
    assert_eq!(take(&mut joiner, 2, 0, false, "x"), "");
    assert_eq!(take(&mut joiner, 1, 0, false, "a"), "");
    assert_eq!(take(&mut joiner, 1, 0, false, "a"), "Duplicate");
    assert_eq!(take(&mut joiner, 1, 1, false, "b"), "abc");
    assert_eq!(take(&mut joiner, 2, 1, true, "y"), "xy");
    assert_eq!(take(&mut joiner, 1, 1, false, "b"), "Duplicate");
    assert_eq!((joiner.pending(), joiner.held(), joiner.losses()), (0, 0, Losses::default()));
}

#[test]
fn a_group_joined_midway_is_given_up_when_a_newer_one_is_whole() {
    let mut joiner = Joiner::new(10_000);
    assert_eq!(take(&mut joiner, 1, 3, false, "d"), "");
    assert_eq!(take(&mut joiner, 2, 0, false, "begun"), "");
    assert_eq!(take(&mut joiner, 3, 0, true, "new"), "new");
    assert_eq!(take(&mut joiner, 1, 0, false, "a"), "Duplicate");
    assert_eq!(take(&mut joiner, 2, 1, true, "!"), "begun!", "its beginning was there");
    assert_eq!(joiner.losses(), Losses { midway: 1, ..Losses::default() });
}

#[test]
fn a_frame_that_contradicts_itself_is_given_up() {
    for (object, end, again, end_again) in
        [(2, true, 3, false), (2, true, 1, true), (3, false, 2, true), (8, false, 0, true)]
    {
        let mut joiner = Joiner::new(10_000);
        joiner.take(fragment(1, object, end, "x"));
        let second = take(&mut joiner, 1, again, end_again, "y");
        assert!(second == "Malformed" || object == 8 && second == "Duplicate", "{second}");
        assert_eq!((joiner.losses().malformed, joiner.held()), (1, 0));
        assert_eq!(take(&mut joiner, 1, 0, true, "z"), "Duplicate");
    }
    let mut joiner = Joiner::new(10_000);
    assert_eq!(take(&mut joiner, 1, u64::MAX, false, "x"), "Malformed");
}

#[test]
fn frames_in_progress_are_bounded_in_number_and_bytes() {
    let mut joiner = Joiner::new(usize::MAX);
    for group in 0..100 {
        take(&mut joiner, group, 0, false, "x");
    }
    assert_eq!((joiner.pending(), joiner.losses().incomplete), (64, 36));
    assert_eq!(take(&mut joiner, 99, 1, true, "y"), "xy");

    let mut joiner = Joiner::new(150);
    take(&mut joiner, 1, 0, false, "0123456789");
    take(&mut joiner, 2, 0, false, "0123456789");
    take(&mut joiner, 3, 0, false, "0123456789");
    assert_eq!((joiner.pending(), joiner.held()), (2, 148));
    assert_eq!(take(&mut joiner, 2, 1, false, &"x".repeat(100)), "Malformed", "no bound holds it");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is split, shuffled and repeated is joined to what it was, once.
    #[test]
    fn split_then_joined_is_the_same(
        payload in prop::collection::vec(any::<u8>(), 0..9000),
        props in 0usize..1200,
        order in Just((0u64..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let Ok(parts) = split(payload.len(), props) else {
            prop_assert!(payload.len() + props > 8800 || props > 1100);
            return Ok(());
        };
        let (payload, properties) = (Bytes::from(payload), Bytes::from(vec![9; props]));
        let ranges: Vec<_> = parts.ranges().collect();
        prop_assert!(ranges.len() == parts.count() && parts.count() <= MAX_FRAGMENTS);
        let mut joiner = Joiner::new(20_000);
        let mut joined = Vec::new();
        for object in order.into_iter().filter(|&object| object < ranges.len() as u64) {
            let range = ranges[object as usize].clone();
            let properties = if object == 0 { properties.clone() } else { Bytes::new() };
            prop_assert!(range.len() + properties.len() <= FRAGMENT_BYTES);
            let end_of_group = object + 1 == ranges.len() as u64;
            let payload = payload.slice(range);
            let fragment = Fragment { group: 5, object, end_of_group, priority: 0, properties, payload };
            for _ in 0..2 {
                if let Taken::Frame(frame) = joiner.take(fragment.clone()) {
                    joined.push(frame);
                }
            }
        }
        prop_assert_eq!(joined, [Joined { group: 5, priority: 0, properties, payload }]);
    }

    /// Whatever comes, bounds hold, and no group becomes whole twice within the window.
    #[test]
    fn bounds_hold(steps in prop::collection::vec((0u64..40, 0u64..9, any::<bool>(), 0usize..200), 1..300)) {
        let mut joiner = Joiner::new(1000);
        let mut whole = std::collections::BTreeSet::new();
        for (group, object, end, size) in steps {
            if let Taken::Frame(frame) = joiner.take(fragment(group, object, end, &"x".repeat(size))) {
                prop_assert!(whole.insert(frame.group));
            }
            prop_assert!(joiner.held() <= 1000 && joiner.pending() <= MAX_PENDING);
        }
    }
}

/// The golden vectors that every language reads.
#[test]
fn splits_are_those_of_the_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/vectors/modalities.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for case in file["fragments"].as_array().unwrap() {
        let length = |key: &str| case[key].as_u64().unwrap() as usize;
        let lengths = split(length("payload"), length("properties"))
            .ok()
            .map(|split| split.ranges().map(|range| range.len() as u64).collect::<Vec<_>>());
        let expected = case["fragments"].as_array().map(|all| all.iter().map(|n| n.as_u64().unwrap()).collect());
        assert_eq!(lengths, expected, "{case}");
    }
}
