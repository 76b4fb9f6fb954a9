//! What comes in one pass and leaves with it: in the same order as from the queue proper.

mod common;

use cc_fanout::queue::*;
use common::*;

fn whole(group: u64, priority: u8, deadline: Option<u64>, text: &str) -> Part {
    Part { priority, deadline, ..part(group, 0, true, text) }
}

#[test]
fn what_arrives_leaves_by_importance_then_deadline_then_turn() {
    let mut queue = Queue::new(LIMITS);
    let tracks: Vec<TrackKey> = (0..5).map(|_| queue.add_track(config(9))).collect();
    let most = queue.add_track(config(1));
    queue.arrive(tracks[0], whole(0, 7, None, "late"), 0);
    queue.arrive(tracks[1], whole(0, 3, None, "a"), 0);
    queue.arrive(tracks[2], whole(0, 3, None, "b"), 0);
    queue.arrive(tracks[3], whole(0, 3, Some(900), "y"), 0);
    queue.arrive(tracks[4], whole(0, 3, Some(800), "x"), 0);
    queue.arrive(most, whole(0, 9, None, "first"), 0);
    assert_eq!(drain(&mut queue, 10), "first x y a b late");
    let sum = queue.totals();
    assert_eq!((sum.pushed_frames, sum.sent_frames, sum.sent_bytes, queue.bytes()), (6, 6, 13, 0));
}

#[test]
fn what_arrives_and_expires_is_not_sent() {
    let mut queue = Queue::new(LIMITS);
    let tracks: Vec<TrackKey> = (0..2).map(|_| queue.add_track(config(9))).collect();
    queue.arrive(tracks[0], whole(0, 0, Some(100), "a"), 0);
    queue.arrive(tracks[1], whole(0, 0, None, "b"), 50);
    assert_eq!(queue.next_timeout(), Some(100));
    assert_eq!(drain(&mut queue, 100), "b");
    assert_eq!(dropped(&queue.stats(tracks[0]), DropReason::Expired), 1);
    adds_up(&mut queue);
}

#[test]
fn what_did_not_leave_keeps_its_turn() {
    let mut queue = Queue::new(LIMITS);
    let descending = TrackConfig { group_order: GroupOrder::Descending, ..config(9) };
    let (one, two) = (queue.add_track(descending), queue.add_track(descending));
    queue.arrive(one, whole(0, 0, Some(200), "a0"), 0);
    queue.arrive(two, whole(0, 0, Some(100), "b0"), 0);
    assert!(!queue.is_empty());
    queue.push_frame(two, frame(1, 0, "b1"), 0);
    queue.push_frame(one, frame(1, 0, "a1"), 0);
    assert_eq!(drain(&mut queue, 0), "a1 a0 b1 b0");
}

#[test]
fn more_than_a_pass_brings_goes_the_usual_way() {
    let mut queue = Queue::new(Limits { track_bytes: 10 * (1 + ENTRY_COST), ..LIMITS });
    let track = queue.add_track(config(9));
    for group in 0..1000 {
        queue.arrive(track, whole(group, 0, None, "x"), 0);
    }
    assert_eq!(drain(&mut queue, 0), ["x"; 10].join(" "));
    assert_eq!(dropped(&queue.stats(track), DropReason::NoRoom), 990);
    adds_up(&mut queue);
}

#[test]
fn datagrams_and_streams_of_a_pass_leave_by_importance() {
    let mut queue = Queue::new(LIMITS);
    let (voice, moves) = (queue.add_track(config(9)), queue.add_track(config(9)));
    let sub = queue.open_subgroup(voice, meta(0, 0, 5), data("H"), 0);
    queue.push_object(sub, data("v"), 0);
    queue.arrive(moves, whole(0, 2, None, "m"), 0);
    assert_eq!(drain(&mut queue, 0), "m H v");
    queue.arrive(moves, whole(1, 7, None, "n"), 0);
    assert_eq!(queue.push_object(sub, data("w"), 0), Fate::Queued);
    queue.finish_subgroup(sub);
    assert_eq!(drain(&mut queue, 0), "w| n");
    adds_up(&mut queue);
}

#[test]
fn subgroups_of_one_track_leave_in_their_order_whichever_comes_first() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let high = queue.open_subgroup(track, meta(0, 7, 0), data("H7"), 0);
    let low = queue.open_subgroup(track, meta(0, 3, 0), data("H3"), 0);
    queue.push_object(high, data("7a"), 0);
    queue.push_object(low, data("3a"), 0);
    assert_eq!(drain(&mut queue, 0), "H3 3a H7 7a");
}

#[test]
fn a_stream_that_is_whole_when_it_leaves_is_one_piece_and_may_be_refused() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("one"), 0);
    queue.finish_subgroup(sub);
    assert_eq!(next(&mut queue, 0).unwrap(), "H one|");
    queue.stream_refused(sub, data("one"));
    let stats = queue.stats(track);
    assert_eq!((stats.sent_frames, stats.sent_bytes, stats.queued_frames, queue.bytes()), (0, 0, 1, 4));
    queue.unblock_opening();
    assert_eq!(drain(&mut queue, 0), "H one|");
    assert_eq!(queue.stats(track).sent_bytes, 4);
    adds_up(&mut queue);
}

#[test]
fn an_object_is_cut_where_there_is_no_room_for_it() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("abc"), 0);
    let pieces: Vec<usize> = (0..3)
        .filter_map(|_| match queue.next(0, MTU, 2) {
            Some(Out::Stream { header, data, .. }) => Some(header.len() + data.len()),
            _ => None,
        })
        .collect();
    assert_eq!(pieces, [2, 2]);
    assert_eq!(queue.stats(track).sent_frames, 1);
}
