//! The sending queue against a slow and obvious one, which searches a list for everything.

mod model;

use model::steps::{run, Step};
use proptest::prelude::*;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ttl = || prop::option::of(1u64..400);
    let size = || prop_oneof![9 => 0usize..31, 1 => 31usize..200];
    let step = prop_oneof![
        6 => (0usize..4, 0u64..12, 0u64..3, 0u8..4, ttl(), prop::collection::vec(size(), 1..5)).prop_map(
            |(track, group, object, priority, ttl, sizes)| Step::Frame { track, group, object, priority, ttl, sizes }
        ),
        8 => (prop_oneof![4 => Just(0u64), 1 => 1u64..150], 0usize..4, 0u64..12, 0u8..4, ttl(), size()).prop_map(
            |(wait, track, group, priority, ttl, size)| Step::Arrive { wait, track, group, priority, ttl, size }
        ),
        2 => (0usize..4, 0u64..12, 0u64..3, 0u8..4, ttl())
            .prop_map(|(track, group, subgroup, priority, ttl)| Step::Open { track, group, subgroup, priority, ttl }),
        5 => (0usize..8, 1usize..200).prop_map(|(sub, size)| Step::Object { sub, size }),
        2 => (0usize..8).prop_map(|sub| Step::Finish { sub }),
        1 => (0usize..8).prop_map(|sub| Step::Reset { sub }),
        1 => (0usize..8, any::<bool>()).prop_map(|(sub, blocked)| Step::Block { sub, blocked }),
        14 => (0usize..300, prop::option::of(0usize..50), prop::bool::weighted(0.2))
            .prop_map(|(room, unsent, look)| Step::Next { room, unsent, look }),
        2 => (1u64..150).prop_map(|time| Step::Pass { time }),
        1 => (0usize..4, 0u8..3).prop_map(|(track, priority)| Step::Priority { track, priority }),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_as_the_slow_one(steps in steps()) {
        run(steps);
    }

    #[test]
    fn the_same_calls_give_the_same_answers(steps in steps()) {
        prop_assert_eq!(run(steps.clone()), run(steps));
    }
}
