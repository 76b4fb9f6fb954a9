//! Steps that the queue and its model take side by side, each answer compared.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_fanout::queue::*;
use cc_fanout::Time;

use super::*;

/// One step. Tracks and subgroups are picked by number, modulo how many there are.
#[derive(Clone, Debug)]
pub enum Step {
    Frame {
        track: usize,
        group: u64,
        object: u64,
        priority: u8,
        ttl: Option<u64>,
        sizes: Vec<usize>,
    },
    /// A frame of one datagram, as it comes to a relay after a while.
    Arrive {
        wait: u64,
        track: usize,
        group: u64,
        priority: u8,
        ttl: Option<u64>,
        size: usize,
    },
    Open {
        track: usize,
        group: u64,
        subgroup: u64,
        priority: u8,
        ttl: Option<u64>,
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
    Block {
        sub: usize,
        blocked: bool,
    },
    /// `look`: the queue is asked for its numbers, before and after.
    Next {
        room: usize,
        unsent: Option<usize>,
        look: bool,
    },
    Pass {
        time: u64,
    },
    Priority {
        track: usize,
        priority: u8,
    },
}

fn configs() -> [TrackConfig; 4] {
    let plain = TrackConfig { subscriber_priority: 1, ..TrackConfig::default() };
    [
        plain,
        TrackConfig { group_order: GroupOrder::Descending, object_timeout: Some(300), ..plain },
        TrackConfig { group_order: GroupOrder::Descending, latest_wins: true, ..plain },
        TrackConfig { reliable: true, object_timeout: Some(5), ..plain },
    ]
}

/// Takes the steps, and gives back a line for each and for what the queue gave out.
///
/// # Panics
/// When queue and model differ.
pub fn run(steps: Vec<Step>) -> Vec<String> {
    let mut queue = Queue::new(LIMITS);
    let keys: Vec<TrackKey> = configs().into_iter().map(|config| queue.add_track(config)).collect();
    let mut model = Model {
        configs: configs().to_vec(),
        newest: vec![None; 4],
        behind: vec![false; 4],
        drops: vec![[0; 8]; 4],
        sent: vec![0; 4],
        ..Model::default()
    };
    let mut log = Vec::new();
    for step in steps {
        log.push(format!("{step:?}"));
        // To look brings what has just come into the queue.
        let looks = match &step {
            Step::Arrive { .. } | Step::Open { .. } | Step::Object { .. } | Step::Finish { .. } => false,
            Step::Next { look, .. } => *look,
            _ => true,
        };
        model.expire();
        let pick = |sub: usize, model: &Model| (!model.subs.is_empty()).then(|| sub % model.subs.len());
        match step {
            Step::Frame { track, group, object, priority, ttl, sizes } => {
                let parts: Vec<Bytes> = sizes.iter().map(|&size| Bytes::from(vec![0; size])).collect();
                let deadline = ttl.map(|ttl| model.now + ttl);
                let parts = Parts::try_from(parts).expect("1 to 8");
                let frame = Frame { group, priority, deadline, first_object: object, parts };
                let expected = model.push_frame(track, &frame, &sizes);
                assert_eq!(queue.push_frame(keys[track], frame, model.now), expected);
            }
            Step::Arrive { wait, track, group, priority, ttl, size } => {
                model.now += wait;
                model.expire();
                let data = Bytes::from(vec![0; size]);
                let deadline = ttl.map(|ttl| model.now + ttl);
                let frame = Frame { group, priority, deadline, first_object: 0, parts: data.clone().into() };
                model.push_frame(track, &frame, &[size]);
                let part = Part { group, object: 0, priority, deadline, end_of_group: true, data };
                queue.arrive(keys[track], part, model.now);
            }
            Step::Open { track, group, subgroup, priority, ttl } => {
                let header = Bytes::from_static(b"head");
                let deadline = ttl.map(|ttl| model.now + ttl);
                let room = model.make_room(track, priority, header.len() + ENTRY_COST);
                let reliable = model.configs[track].reliable;
                let meta = SubgroupMeta { group, subgroup, priority, deadline };
                let key = queue.open_subgroup(keys[track], meta, header.clone(), model.now);
                model.behind[track] |= reliable && !room;
                model.counter += 1;
                model.subs.push(ModelSub {
                    key,
                    track,
                    priority,
                    group,
                    subgroup,
                    arrival: model.counter,
                    deadline: deadline.filter(|_| !reliable).unwrap_or(NEVER),
                    chunks: room.then_some((header, NEVER, false)).into_iter().collect(),
                    opened: false,
                    finished: false,
                    ended: false,
                    blocked: false,
                    dead: (!room && !reliable).then_some(Fate::NoRoom),
                });
            }
            Step::Object { sub, size } => {
                let Some(at) = pick(sub, &model) else {
                    continue;
                };
                let key = model.subs[at].key;
                let data = Bytes::from(vec![1; size]);
                let expected = if model.subs[at].finished { Fate::Gone } else { model.push_object(at, data.clone()) };
                assert_eq!(queue.push_object(key, data, model.now), expected);
            }
            Step::Finish { sub } => {
                let Some(at) = pick(sub, &model) else {
                    continue;
                };
                queue.finish_subgroup(model.subs[at].key);
                model.subs[at].finished = true;
                model.sync();
            }
            Step::Reset { sub } => {
                let Some(at) = pick(sub, &model) else {
                    continue;
                };
                let gone = model.subs.remove(at);
                queue.reset_subgroup(gone.key, 9);
                if gone.opened && gone.dead.is_none() && !gone.ended {
                    model.resets.push_back(Given::Reset { sub: gone.key, code: 9 });
                }
                model.sync();
            }
            Step::Block { sub, blocked } => {
                let Some(at) = pick(sub, &model) else {
                    continue;
                };
                let key = model.subs[at].key;
                if blocked {
                    queue.block(key)
                } else {
                    queue.unblock(key)
                }
                model.subs[at].blocked = blocked;
                model.sync();
            }
            Step::Next { room, unsent, look } => {
                next(&mut queue, &mut model, &keys, (room, unsent, look), &mut log);
            }
            Step::Pass { time } => {
                model.now += time;
                model.expire();
                queue.expire(model.now);
            }
            Step::Priority { track, priority } => {
                model.configs[track].subscriber_priority = priority;
                queue.update_track(keys[track], model.configs[track]);
            }
        }
        if looks {
            check(&mut queue, &model, &keys);
        }
    }
    check(&mut queue, &model, &keys);
    log
}

/// One `next` of both; some of a stream's bytes may go back at once.
fn next(
    queue: &mut Queue,
    model: &mut Model,
    keys: &[TrackKey],
    (room, unsent, look): (usize, Option<usize>, bool),
    log: &mut Vec<String>,
) {
    let fits = look.then(|| queue.fits(model.now, room));
    let before: BTreeMap<SubgroupKey, (Bytes, Time, bool)> =
        model.subs.iter().filter_map(|sub| Some((sub.key, sub.chunks.front()?.clone()))).collect();
    let too_large = |model: &Model| model.drops.iter().map(|drops| drops[DropReason::TooLarge as usize]).sum::<u64>();
    let dropped = too_large(model);
    let expected = model.next(room);
    let peeked = too_large(model) == dropped;
    let given = queue.next(model.now, MAX_DATAGRAM, room).map(|out| match out {
        Out::Datagram { track, bytes, last_of_frame, .. } => {
            let track = keys.iter().position(|&key| key == track).unwrap_or(usize::MAX);
            Given::Datagram { track, bytes, last: last_of_frame }
        }
        Out::Stream { subgroup, header, data, fin, first, .. } => {
            Given::Stream { sub: subgroup, header, data, fin, first }
        }
        Out::Reset { subgroup, code } => Given::Reset { sub: subgroup, code },
    });
    log.push(format!("{given:?}"));
    assert_eq!(&given, &expected);
    if let (Some(fits), true) = (fits, peeked) {
        let takes_no_more = match &given {
            Some(Given::Datagram { bytes, .. }) => bytes.len() <= room,
            given => given.is_some(),
        };
        assert_eq!(fits, takes_no_more);
    }
    let (Some(Given::Stream { sub, data, first, .. }), Some(back)) = (given, unsent) else {
        return;
    };
    let back = back.min(data.len());
    // A header comes back by `stream_refused`; what is sent is not asked for here.
    if back > 0 && !first {
        let (chunk, expires, object) = before[&sub].clone();
        let rest = data.slice(data.len() - back..);
        queue.unsent(sub, Bytes::new(), rest.clone());
        model.unsent(sub, rest, object && chunk.len() == data.len(), expires);
    }
}

fn check(queue: &mut Queue, model: &Model, keys: &[TrackKey]) {
    for (track, &key) in keys.iter().enumerate() {
        let stats = queue.stats(key);
        assert_eq!(stats.drops, model.drops[track], "track {}", track);
        assert_eq!(stats.sent_frames, model.sent[track], "track {}", track);
        let total = stats.sent_frames + stats.dropped() + stats.withdrawn + stats.queued_frames;
        assert_eq!(stats.pushed_frames, total);
        assert!(queue.track_bytes(key) <= LIMITS.track_bytes);
    }
    assert!(queue.bytes() <= LIMITS.session_bytes);
    assert_eq!(queue.is_empty(), model.resets.is_empty() && model.lanes().is_empty());
    let frames = model.frames.iter().map(|frame| frame.expires);
    let live = model.subs.iter().filter(|sub| !sub.ended && sub.dead.is_none());
    let timeout = frames.chain(live.map(ModelSub::expires)).filter(|&time| time != NEVER).min();
    assert_eq!(queue.next_timeout(), timeout);
    let payload: usize = model.frames.iter().flat_map(|frame| &frame.parts).map(Bytes::len).sum::<usize>()
        + model.subs.iter().flat_map(|sub| &sub.chunks).map(|chunk| chunk.0.len()).sum::<usize>();
    assert_eq!(queue.bytes(), payload);
}
