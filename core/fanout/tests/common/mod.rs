//! Short hands for the tests of the sending queue.
#![allow(dead_code)] // Each test file uses some of them.

use bytes::Bytes;
use cc_fanout::queue::*;

pub const LIMITS: Limits = Limits { session_bytes: 100_000, track_bytes: 50_000, subgroup_bytes: 20_000 };
pub const MTU: usize = 1200;
pub const ROOM: usize = 1200;

pub fn data(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub fn frame(group: u64, priority: u8, text: &str) -> Frame {
    Frame { group, priority, deadline: None, first_object: 0, parts: data(text).into() }
}

pub fn frame_of(group: u64, priority: u8, parts: &[&str]) -> Frame {
    let parts: Vec<Bytes> = parts.iter().map(|part| data(part)).collect();
    Frame { parts: parts.try_into().unwrap(), ..frame(group, priority, "") }
}

pub fn part(group: u64, object: u64, end_of_group: bool, text: &str) -> Part {
    Part { group, object, priority: 1, deadline: None, end_of_group, data: data(text) }
}

pub fn meta(group: u64, subgroup: u64, priority: u8) -> SubgroupMeta {
    SubgroupMeta { group, subgroup, priority, deadline: None }
}

pub fn config(subscriber_priority: u8) -> TrackConfig {
    TrackConfig { subscriber_priority, ..TrackConfig::default() }
}

pub fn latest_wins() -> TrackConfig {
    TrackConfig { latest_wins: true, group_order: GroupOrder::Descending, ..TrackConfig::default() }
}

pub fn reliable() -> TrackConfig {
    TrackConfig { reliable: true, ..TrackConfig::default() }
}

/// What goes out next, as text: a datagram's bytes, a stream's bytes, `|` for a FIN, `!code`.
pub fn next(queue: &mut Queue, now: u64) -> Option<String> {
    queue.next(now, MTU, ROOM).map(|out| match out {
        Out::Datagram { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
        Out::Stream { header, data, fin, .. } => {
            let pieces: Vec<_> = [header, data].into_iter().filter(|piece| !piece.is_empty()).collect();
            String::from_utf8(pieces.join(&b' ')).unwrap() + if fin { "|" } else { "" }
        }
        Out::Reset { code, .. } => format!("!{code}"),
    })
}

pub fn drain(queue: &mut Queue, now: u64) -> String {
    std::iter::from_fn(|| next(queue, now)).collect::<Vec<_>>().join(" ")
}

pub fn dropped(stats: &TrackStats, reason: DropReason) -> u64 {
    stats.drops[reason as usize]
}

pub fn adds_up(queue: &mut Queue) {
    let sum = queue.totals();
    assert_eq!(sum.pushed_frames, sum.sent_frames + sum.dropped() + sum.withdrawn + sum.queued_frames, "{sum:?}");
}
