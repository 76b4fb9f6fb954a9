//! Any calls in any order, those the model leaves out as well: bounds hold and counts add up.

use bytes::Bytes;
use cc_fanout::queue::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { session_bytes: 2000, track_bytes: 1200, subgroup_bytes: 700 };

#[derive(Clone, Debug)]
enum Step {
    AddTrack {
        latest_wins: bool,
        reliable: bool,
        object_timeout: u64,
        subgroup_timeout: u64,
    },
    RemoveTrack {
        track: usize,
    },
    Part {
        track: usize,
        group: u64,
        object: u64,
        end_of_group: bool,
        ttl: Option<u64>,
        size: usize,
    },
    Frame {
        track: usize,
        group: u64,
        parts: usize,
    },
    /// What one pass brings, a frame of each of so many tracks, and how much of it leaves.
    Tick {
        tracks: usize,
        group: u64,
        ttl: Option<u64>,
        reversed: bool,
        leave: usize,
    },
    Open {
        track: usize,
        group: u64,
        priority: u8,
    },
    Object {
        sub: usize,
        size: usize,
    },
    Finish {
        sub: usize,
    },
    Reset {
        sub: usize,
    },
    Delivered {
        sub: usize,
    },
    Next {
        room: usize,
        then: Then,
    },
    Unblock,
    Shrink,
    Pass {
        time: u64,
    },
}

/// What the transport makes of a stream's bytes.
#[derive(Clone, Copy, Debug)]
enum Then {
    Take,
    Refuse,
    TakeHalf,
    Block,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let then =
        prop_oneof![4 => Just(Then::Take), 1 => Just(Then::Refuse), 1 => Just(Then::TakeHalf), 1 => Just(Then::Block)];
    let step = prop_oneof![
        1 => (any::<bool>(), any::<bool>(), 0u64..200, 0u64..200).prop_map(
            |(latest_wins, reliable, object_timeout, subgroup_timeout)| Step::AddTrack {
                latest_wins, reliable: reliable && !latest_wins, object_timeout, subgroup_timeout
            }
        ),
        1 => (0usize..6).prop_map(|track| Step::RemoveTrack { track }),
        6 => (0usize..6, 0u64..30, 0u64..10, any::<bool>(), prop::option::of(0u64..90), 0usize..60).prop_map(
            |(track, group, object, end_of_group, ttl, size)| Step::Part { track, group, object, end_of_group, ttl, size }
        ),
        4 => (1usize..7, 0u64..30, prop::option::of(0u64..90), any::<bool>(), 0usize..8).prop_map(
            |(tracks, group, ttl, reversed, leave)| Step::Tick { tracks, group, ttl, reversed, leave }
        ),
        3 => (0usize..6, 0u64..30, 1usize..9).prop_map(|(track, group, parts)| Step::Frame { track, group, parts }),
        3 => (0usize..6, 0u64..30, 0u8..4).prop_map(|(track, group, priority)| Step::Open { track, group, priority }),
        6 => (0usize..12, 0usize..150).prop_map(|(sub, size)| Step::Object { sub, size }),
        3 => (0usize..12).prop_map(|sub| Step::Finish { sub }),
        1 => (0usize..12).prop_map(|sub| Step::Reset { sub }),
        1 => (0usize..12).prop_map(|sub| Step::Delivered { sub }),
        10 => (0usize..200, then).prop_map(|(room, then)| Step::Next { room, then }),
        2 => Just(Step::Unblock),
        1 => Just(Step::Shrink),
        3 => (1u64..60).prop_map(|time| Step::Pass { time }),
    ];
    prop::collection::vec(step, 1..200)
}

fn zeros(size: usize) -> Bytes {
    Bytes::from(vec![0; size])
}

fn send(queue: &mut Queue, now: u64, room: usize, then: Then) -> Option<Out> {
    let out = queue.next(now, 50, room)?;
    if let Out::Stream { subgroup, header, data, first, .. } = &out {
        let half = |bytes: &Bytes| bytes.slice(bytes.len() / 2..);
        match then {
            Then::Take => {}
            Then::Refuse if *first => queue.stream_refused(*subgroup, data.clone()),
            Then::Refuse => queue.unsent(*subgroup, Bytes::new(), data.clone()),
            Then::TakeHalf if data.len() % 2 == 0 => queue.unsent(*subgroup, half(header), data.clone()),
            Then::TakeHalf => queue.unsent(*subgroup, Bytes::new(), half(data)),
            Then::Block => {
                queue.unsent(*subgroup, header.clone(), data.clone());
                queue.block(*subgroup);
            }
        }
    }
    Some(out)
}

fn check(queue: &mut Queue, tracks: &[TrackKey]) -> Result<(), TestCaseError> {
    let sum = queue.totals();
    prop_assert_eq!(sum.pushed_frames, sum.sent_frames + sum.dropped() + sum.withdrawn + sum.queued_frames);
    prop_assert_eq!(sum.queued_bytes, queue.bytes());
    prop_assert!(queue.bytes() <= LIMITS.session_bytes);
    for &track in tracks {
        prop_assert!(queue.track_bytes(track) <= LIMITS.track_bytes);
    }
    Ok(())
}

/// What the queue gave out, and what it said. `arrive`: nobody asks what becomes of parts that come.
fn run(steps: Vec<Step>, arrive: bool) -> Result<Vec<String>, TestCaseError> {
    let mut queue = Queue::new(LIMITS);
    let config = |priority| TrackConfig { subscriber_priority: priority, ..TrackConfig::default() };
    let mut tracks = vec![queue.add_track(config(1)), queue.add_track(config(2))];
    let mut subs = Vec::new();
    let (mut now, mut log) = (0, Vec::new());
    let push = |queue: &mut Queue, key, part, now| match arrive {
        true => queue.arrive(key, part, now),
        false => drop(queue.push_part(key, part, now)),
    };
    for step in steps {
        // To look brings what has just come into the queue.
        let quiet = matches!(step, Step::Part { .. } | Step::Tick { .. } | Step::Next { .. });
        let looks = !quiet && !matches!(step, Step::Open { .. } | Step::Object { .. } | Step::Finish { .. });
        let pick = |track: usize| tracks.get(track % tracks.len().max(1)).copied();
        let sub = |sub: usize, subs: &[SubgroupKey]| subs.get(sub % subs.len().max(1)).copied();
        match step {
            Step::AddTrack { latest_wins, reliable, object_timeout, subgroup_timeout } if tracks.len() < 6 => {
                let (object_timeout, subgroup_timeout) = (Some(object_timeout), Some(subgroup_timeout));
                let config = TrackConfig { latest_wins, reliable, object_timeout, subgroup_timeout, ..config(1) };
                tracks.push(queue.add_track(config));
            }
            Step::AddTrack { .. } => {}
            Step::RemoveTrack { track } => {
                if let Some(key) = pick(track) {
                    log.push(format!("{:?}", queue.remove_track(key)));
                    tracks.retain(|&other| other != key);
                }
            }
            Step::Part { track, group, object, end_of_group, ttl, size } => {
                let Some(key) = pick(track) else { continue };
                let deadline = ttl.map(|ttl| now + ttl);
                let priority = (group % 3) as u8;
                let part = Part { group, object, priority, deadline, end_of_group, data: zeros(size) };
                push(&mut queue, key, part, now);
            }
            Step::Tick { tracks: count, group, ttl, reversed, leave } => {
                for at in 0..count.min(tracks.len()) {
                    let key = tracks[if reversed { count.min(tracks.len()) - 1 - at } else { at }];
                    let (deadline, priority) = (ttl.map(|ttl| now + ttl + at as u64 % 2), (at % 3) as u8);
                    let data = zeros(10 + 8 * at);
                    push(&mut queue, key, Part { group, object: 0, priority, deadline, end_of_group: true, data }, now);
                }
                for _ in 0..leave {
                    log.push(format!("{:?}", send(&mut queue, now, 1000, Then::Take)));
                }
            }
            Step::Frame { track, group, parts } => {
                let Some(key) = pick(track) else { continue };
                let parts = Parts::try_from(vec![zeros(20); parts]).expect("1 to 8");
                let frame = Frame { group, priority: 1, deadline: None, first_object: 0, parts };
                log.push(format!("{:?}", queue.push_frame(key, frame, now)));
            }
            Step::Open { track, group, priority } => {
                let Some(key) = pick(track) else { continue };
                let meta = SubgroupMeta { group, subgroup: 0, priority, deadline: None };
                subs.push(queue.open_subgroup(key, meta, zeros(5), now));
            }
            Step::Object { sub: at, size } => {
                let Some(key) = sub(at, &subs) else { continue };
                log.push(format!("{:?}", queue.push_object(key, zeros(size), now)));
            }
            Step::Finish { sub: at } => sub(at, &subs).into_iter().for_each(|key| queue.finish_subgroup(key)),
            Step::Reset { sub: at } => sub(at, &subs).into_iter().for_each(|key| queue.reset_subgroup(key, 1)),
            Step::Delivered { sub: at } => sub(at, &subs).into_iter().for_each(|key| queue.delivered(key)),
            Step::Next { room, then } => log.push(format!("{:?}", send(&mut queue, now, room, then))),
            Step::Unblock => {
                queue.unblock_opening();
                subs.iter().for_each(|&key| queue.unblock(key));
            }
            Step::Shrink => queue.shrink(),
            Step::Pass { time } => {
                now += time;
                queue.expire(now);
                prop_assert!(queue.next_timeout().is_none_or(|next| next > now));
            }
        }
        if looks || !arrive {
            check(&mut queue, &tracks)?;
        }
        if looks {
            log.push(format!("{:?}", queue.totals()));
        }
    }
    // At the end everything can be drained, and then nothing is left.
    queue.unblock_opening();
    subs.iter().for_each(|&key| queue.unblock(key));
    while send(&mut queue, now, 1 << 20, Then::Take).is_some() {}
    prop_assert!(queue.is_empty());
    for track in tracks {
        queue.remove_track(track);
    }
    prop_assert_eq!((queue.bytes(), queue.totals().queued_frames), (0, 0));
    check(&mut queue, &[])?;
    while send(&mut queue, now, 1 << 20, Then::Take).is_some() {}
    prop_assert_eq!(queue.next_timeout(), None);
    Ok(log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_counts_add_up_and_runs_repeat(steps in steps()) {
        prop_assert_eq!(run(steps.clone(), false)?, run(steps, false)?);
    }

    #[test]
    fn what_arrives_unasked_leaves_as_what_is_pushed(steps in steps()) {
        prop_assert_eq!(run(steps.clone(), true)?, run(steps, false)?);
    }
}
