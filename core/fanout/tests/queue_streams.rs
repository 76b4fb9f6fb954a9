//! The rules of the sending queue for subgroup streams, one by one.

mod common;

use cc_fanout::queue::*;
use common::*;

#[test]
fn a_stream_is_opened_with_its_header_and_ends_with_a_fin() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    assert!(queue.is_empty(), "a header alone waits");
    queue.push_object(sub, data("one"), 0);
    assert!(queue.fits(0, 1) && !queue.fits(0, 0), "the header goes whole");
    assert_eq!(queue.next(0, MTU, 0), None);
    let given = |header: &str, piece: &str, fin, first| {
        Some(Out::Stream { subgroup: sub, track, header: data(header), data: data(piece), fin, first })
    };
    assert_eq!(queue.next(0, MTU, 3), given("H", "on", false, true));
    assert_eq!(queue.stats(track).sent_frames, 0);
    assert_eq!(queue.next(0, MTU, 0), None);
    queue.finish_subgroup(sub);
    assert_eq!(queue.next(0, MTU, ROOM), given("", "e", true, false));
    assert_eq!((queue.stats(track).sent_frames, queue.stats(track).sent_bytes), (1, 4));
    assert_eq!(queue.next(0, MTU, ROOM), None);
    assert_eq!(queue.push_object(sub, data("two"), 0), Fate::Gone);
}

#[test]
fn a_fin_goes_out_alone_if_it_comes_late_and_a_subgroup_may_be_empty() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let one = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(one, data("x"), 0);
    assert_eq!(drain(&mut queue, 0), "H x");
    queue.finish_subgroup(one);
    assert_eq!(drain(&mut queue, 0), "|");
    let two = queue.open_subgroup(track, meta(0, 1, 0), data("G"), 0);
    queue.finish_subgroup(two);
    assert_eq!(drain(&mut queue, 0), "G|");
}

#[test]
fn within_a_group_the_lower_subgroup_goes_first_and_within_one_its_order() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let high = queue.open_subgroup(track, meta(0, 7, 0), data("H7"), 0);
    let low = queue.open_subgroup(track, meta(0, 3, 0), data("H3"), 0);
    for object in ["a", "b"] {
        queue.push_object(high, data(&format!("7{object}")), 0);
        queue.push_object(low, data(&format!("3{object}")), 0);
    }
    assert_eq!(drain(&mut queue, 0), "H3 3a 3b H7 7a 7b");
}

#[test]
fn what_the_transport_did_not_take_goes_back_in_front() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("abcdef"), 0);
    queue.push_object(sub, data("gh"), 0);
    queue.finish_subgroup(sub);
    assert_eq!(next(&mut queue, 0).unwrap(), "H abcdef");
    queue.unsent(sub, data(""), data("ef"));
    queue.block(sub);
    assert_eq!(next(&mut queue, 0), None);
    assert_eq!((queue.stats(track).sent_frames, queue.stats(track).queued_frames), (0, 2));
    queue.unblock(sub);
    queue.next(0, MTU, 1);
    queue.unsent(sub, data(""), data("e"));
    assert_eq!(next(&mut queue, 0).unwrap(), "e");
    assert_eq!(next(&mut queue, 0).unwrap(), "f");
    assert_eq!(next(&mut queue, 0).unwrap(), "gh|");
    queue.unsent(sub, data(""), data("h"));
    assert_eq!(drain(&mut queue, 0), "h|");
    let stats = queue.stats(track);
    assert_eq!((stats.sent_frames, stats.sent_bytes, queue.bytes()), (2, 9, 0));
    adds_up(&mut queue);
}

#[test]
fn a_header_that_was_not_taken_goes_back_in_front_of_its_object() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("head"), 0);
    queue.push_object(sub, data("abc"), 0);
    queue.finish_subgroup(sub);
    assert_eq!(next(&mut queue, 0).unwrap(), "head abc|");
    queue.unsent(sub, data("ad"), data("abc"));
    assert_eq!((queue.stats(track).queued_frames, queue.bytes()), (1, 5));
    assert_eq!(drain(&mut queue, 0), "ad abc|");
    assert_eq!((queue.stats(track).sent_frames, queue.stats(track).sent_bytes, queue.bytes()), (1, 7, 0));
    adds_up(&mut queue);
}

#[test]
fn what_flow_control_holds_back_does_not_hold_others() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let one = queue.open_subgroup(track, meta(0, 0, 0), data("A"), 0);
    let two = queue.open_subgroup(track, meta(1, 0, 0), data("B"), 0);
    queue.push_object(one, data("a"), 0);
    queue.push_object(two, data("b"), 0);
    queue.block(one);
    assert_eq!(drain(&mut queue, 0), "B b");
    queue.unblock(one);
    assert_eq!(drain(&mut queue, 0), "A a");
}

#[test]
fn without_stream_credit_streams_wait_and_datagrams_do_not() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(TrackConfig { object_timeout: Some(100), ..config(5) });
    let other = queue.add_track(config(9));
    let keys: Vec<SubgroupKey> = (0..3)
        .map(|group| {
            let sub = queue.open_subgroup(track, meta(group, 0, 0), data("H"), 0);
            queue.push_object(sub, data(&format!("{group}")), group);
            sub
        })
        .collect();
    queue.push_frame(other, frame(0, 0, "dg"), 0);
    assert_eq!(next(&mut queue, 10).unwrap(), "H 0");
    queue.stream_refused(keys[0], data("0"));
    assert_eq!(drain(&mut queue, 10), "dg");
    assert!(queue.is_empty());
    queue.expire(100);
    assert_eq!(dropped(&queue.stats(track), DropReason::StreamLimit), 1, "never opened: no reset");
    queue.unblock_opening();
    assert_eq!(drain(&mut queue, 100), "H 1 H 2");
    adds_up(&mut queue);
}

#[test]
fn an_object_past_its_timeout_resets_its_subgroup() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(TrackConfig { object_timeout: Some(100), ..config(5) });
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("a"), 0);
    queue.push_object(sub, data("b"), 60);
    assert_eq!(queue.next_timeout(), Some(100));
    assert_eq!(next(&mut queue, 60).unwrap(), "H a");
    assert_eq!(queue.next_timeout(), Some(160));
    assert_eq!(drain(&mut queue, 160), "!2");
    assert_eq!(queue.push_object(sub, data("c"), 170), Fate::Expired);
    let stats = queue.stats(track);
    assert_eq!((stats.sent_frames, dropped(&stats, DropReason::Expired)), (1, 2));
    queue.finish_subgroup(sub);
    assert_eq!(queue.push_object(sub, data("d"), 170), Fate::Gone);
    adds_up(&mut queue);
}

#[test]
fn a_subgroup_timeout_runs_from_its_end_until_it_is_delivered() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(TrackConfig { subgroup_timeout: Some(100), ..config(5) });
    let open = |queue: &mut Queue, group| {
        let sub = queue.open_subgroup(track, meta(group, 0, 0), data("H"), 0);
        queue.push_object(sub, data("a"), 10);
        queue.finish_subgroup(sub);
        sub
    };
    let one = open(&mut queue, 0);
    assert_eq!(drain(&mut queue, 20), "H a|");
    assert_eq!(queue.next_timeout(), Some(110));
    queue.delivered(one);
    assert_eq!(queue.next_timeout(), None);
    open(&mut queue, 1);
    assert_eq!(drain(&mut queue, 20), "H a|");
    assert_eq!(drain(&mut queue, 120), "!2", "sent, but never acknowledged");
    assert_eq!(queue.totals().sent_frames, 2);
}

#[test]
fn a_partly_reliable_subgroup_over_a_bound_is_reset() {
    let mut queue = Queue::new(Limits { subgroup_bytes: 3 * (1 + ENTRY_COST), ..LIMITS });
    let track = queue.add_track(config(5));
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("a"), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "H a");
    for object in ["b", "c", "d"] {
        assert_eq!(queue.push_object(sub, data(object), 0), Fate::Queued);
    }
    assert_eq!(queue.push_object(sub, data("e"), 0), Fate::NoRoom);
    assert_eq!(queue.push_object(sub, data("f"), 0), Fate::NoRoom);
    assert_eq!(drain(&mut queue, 0), "!5");
    assert_eq!(dropped(&queue.stats(track), DropReason::NoRoom), 5);
    assert_eq!(queue.bytes(), 0);
    adds_up(&mut queue);
}

#[test]
fn a_reliable_track_over_a_bound_takes_nothing_more_and_drops_nothing_queued() {
    let mut queue = Queue::new(Limits { track_bytes: 3 * (1 + ENTRY_COST), ..LIMITS });
    let track = queue.add_track(TrackConfig { object_timeout: Some(1), latest_wins: true, ..reliable() });
    let sub = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    for object in ["a", "b"] {
        assert_eq!(queue.push_object(sub, data(object), 0), Fate::Queued);
    }
    assert_eq!(queue.push_object(sub, data("c"), 0), Fate::TooFarBehind);
    assert_eq!(drain(&mut queue, 5000), "H a b", "no timeout applies");
    assert_eq!(queue.push_object(sub, data("d"), 5000), Fate::TooFarBehind, "no gap");
    assert_eq!(queue.remove_track(track), [sub]);
    adds_up(&mut queue);
}

#[test]
fn what_is_important_displaces_less_important_streams_but_never_reliable_ones() {
    let room = 4 * (1 + ENTRY_COST);
    let mut queue = Queue::new(Limits { session_bytes: room, track_bytes: room, subgroup_bytes: room });
    let video = queue.add_track(config(9));
    let text = queue.add_track(TrackConfig { subscriber_priority: 200, ..reliable() });
    let moves = queue.add_track(config(1));
    let chat = queue.open_subgroup(text, meta(0, 0, 0), data("T"), 0);
    queue.push_object(chat, data("t"), 0);
    let clip = queue.open_subgroup(video, meta(0, 0, 0), data("V"), 0);
    queue.push_object(clip, data("v"), 0);
    queue.block(clip);
    assert_eq!(queue.push_frame(moves, frame(0, 0, "m"), 0), Fate::Queued);
    assert_eq!(queue.push_object(clip, data("w"), 0), Fate::NoRoom);
    assert_eq!(drain(&mut queue, 0), "m T t");
    assert_eq!(dropped(&queue.stats(video), DropReason::NoRoom), 2);
    adds_up(&mut queue);
}

#[test]
fn a_withdrawn_subgroup_is_reset_if_its_stream_is_open() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let one = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(one, data("a"), 0);
    queue.reset_subgroup(one, 77);
    assert_eq!(next(&mut queue, 0), None, "the peer never saw it");
    let two = queue.open_subgroup(track, meta(1, 0, 0), data("H"), 0);
    queue.push_object(two, data("a"), 0);
    queue.push_object(two, data("b"), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "H a");
    queue.reset_subgroup(two, 77);
    assert_eq!(drain(&mut queue, 0), "!77");
    assert_eq!(queue.stats(track).withdrawn, 2);
    adds_up(&mut queue);
}

#[test]
fn an_ended_key_stays_so_after_the_memory_was_given_back() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    let old = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(old, data("x"), 0);
    queue.reset_subgroup(old, 1);
    queue.shrink();
    let new = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    assert_ne!(old, new);
    assert_eq!(queue.push_object(old, data("x"), 0), Fate::Gone);
    assert_eq!(queue.subgroup(old), None);
    assert_eq!(queue.subgroup(new), Some((5, meta(0, 0, 0))));
    assert_eq!(queue.push_object(new, data("y"), 0), Fate::Queued);
    assert_eq!(drain(&mut queue, 0), "H y");
}

#[test]
fn a_whole_subgroup_passes_an_empty_queue_and_is_counted() {
    let mut queue = Queue::new(LIMITS);
    let (track, other) = (queue.add_track(config(5)), queue.add_track(config(5)));
    assert!(queue.pass_subgroup(track, 10));
    let stats = queue.stats(track);
    assert_eq!((stats.pushed_frames, stats.sent_frames, stats.sent_bytes), (1, 1, 10));
    queue.push_frame(other, frame(1, 0, "x"), 0);
    assert!(!queue.pass_subgroup(track, 10), "another waits");
    assert_eq!(drain(&mut queue, 0), "x");
    let open = queue.open_subgroup(track, meta(0, 0, 0), data("H"), 0);
    queue.push_object(open, data("y"), 0);
    assert_eq!(drain(&mut queue, 0), "H y");
    queue.reset_subgroup(open, 1);
    assert!(!queue.pass_subgroup(track, 10), "a reset waits");
    assert_eq!(drain(&mut queue, 0), "!1");
    queue.remove_track(track);
    assert!(!queue.pass_subgroup(track, 10));
    adds_up(&mut queue);
}
