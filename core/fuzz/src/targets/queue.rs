//! The sending queue against the slow and obvious model of its own tests: the same steps, the same
//! answers, the same bytes in the same order, and the bounds kept.

use crate::Input;

#[allow(dead_code, reason = "the queue's own tests use more of it")]
#[path = "../../../fanout/tests/model/mod.rs"]
mod model;

use model::steps::{run, Step};

/// More steps than this only take longer: all queues are full by then.
const STEPS: usize = 200;

pub(crate) fn queue(data: &[u8]) {
    let mut input = Input::new(data);
    let mut steps = Vec::new();
    while !input.done() && steps.len() < STEPS {
        steps.push(step(&mut input));
    }
    run(steps);
}

fn step(input: &mut Input<'_>) -> Step {
    let sub = |input: &mut Input<'_>| input.below(8);
    match input.u8() % 14 {
        0..=2 => Step::Frame {
            track: input.below(4),
            group: u64::from(input.u8() % 12),
            object: u64::from(input.u8() % 3),
            priority: input.u8() % 4,
            ttl: ttl(input),
            sizes: (0..=input.below(4)).map(|_| size(input)).collect(),
        },
        3 => Step::Open {
            track: input.below(4),
            group: u64::from(input.u8() % 12),
            subgroup: u64::from(input.u8() % 3),
            priority: input.u8() % 4,
            ttl: ttl(input),
        },
        4 | 5 => Step::Object { sub: sub(input), size: 1 + input.below(200) },
        6 => Step::Finish { sub: sub(input) },
        7 => Step::Reset { sub: sub(input) },
        8 => Step::Block { sub: sub(input), blocked: input.flag() },
        9 => Step::Next {
            room: usize::from(input.u16() % 300),
            unsent: input.flag().then(|| input.below(50)),
            look: input.flag(),
        },
        10 => Step::Pass { time: 1 + u64::from(input.u8() % 150) },
        11 | 12 => Step::Arrive {
            wait: u64::from(input.u8().saturating_sub(200)),
            track: input.below(4),
            group: u64::from(input.u8() % 12),
            priority: input.u8() % 4,
            ttl: ttl(input),
            size: size(input),
        },
        _ => Step::Priority { track: input.below(4), priority: input.u8() % 3 },
    }
}

fn ttl(input: &mut Input<'_>) -> Option<u64> {
    input.flag().then(|| 1 + u64::from(input.u16() % 400))
}

/// Mostly what fits a datagram of the model's, which has 30 bytes.
fn size(input: &mut Input<'_>) -> usize {
    match input.u8() {
        large @ 232.. => usize::from(large - 200) * 3,
        small => usize::from(small % 31),
    }
}
