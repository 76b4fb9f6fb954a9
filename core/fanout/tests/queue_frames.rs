//! The rules of the sending queue for tracks and datagram frames, one by one.

mod common;

use bytes::Bytes;
use cc_fanout::queue::*;
use common::*;

#[test]
fn subscriber_priority_then_publisher_priority_zero_first() {
    let mut queue = Queue::new(LIMITS);
    let late = queue.add_track(config(200));
    let soon = queue.add_track(config(100));
    queue.push_frame(late, frame(1, 0, "c"), 0);
    queue.push_frame(soon, frame(1, 255, "b"), 0);
    queue.push_frame(soon, frame(2, 0, "a"), 0);
    assert_eq!(drain(&mut queue, 0), "a b c");
    assert!(queue.is_empty());
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn group_order_decides_within_a_track_and_object_id_within_a_group() {
    for (group_order, expected) in [(GroupOrder::Ascending, "1a 1b 2 3"), (GroupOrder::Descending, "3 2 1a 1b")] {
        let mut queue = Queue::new(LIMITS);
        let track = queue.add_track(TrackConfig { group_order, ..TrackConfig::default() });
        queue.push_frame(track, Frame { first_object: 5, ..frame(1, 7, "1b") }, 0);
        queue.push_frame(track, frame(3, 7, "3"), 0);
        queue.push_frame(track, frame(1, 7, "1a"), 0);
        queue.push_frame(track, frame(2, 7, "2"), 0);
        assert_eq!(drain(&mut queue, 0), expected);
    }
}

#[test]
fn between_tracks_that_tie_the_earlier_deadline_goes_first_then_turns() {
    let mut queue = Queue::new(LIMITS);
    let tracks: Vec<TrackKey> = (0..3).map(|_| queue.add_track(config(9))).collect();
    for group in 0..2 {
        for (number, &track) in tracks.iter().enumerate() {
            queue.push_frame(track, frame(group, 0, &format!("{number}{group}")), 0);
        }
    }
    let urgent = queue.add_track(config(9));
    queue.push_frame(urgent, Frame { deadline: Some(900), ..frame(0, 0, "x") }, 0);
    queue.push_frame(urgent, Frame { deadline: Some(800), ..frame(1, 0, "y") }, 0);
    assert_eq!(drain(&mut queue, 0), "x y 00 10 20 01 11 21");
}

#[test]
fn a_turn_lasts_a_whole_frame() {
    let mut queue = Queue::new(LIMITS);
    let (one, two) = (queue.add_track(config(9)), queue.add_track(config(9)));
    queue.push_frame(one, frame_of(0, 0, &["a1", "a2", "a3"]), 0);
    queue.push_frame(two, frame_of(0, 0, &["b1", "b2"]), 0);
    assert_eq!(drain(&mut queue, 0), "a1 a2 a3 b1 b2");
    assert_eq!(queue.totals().sent_frames, 2);
}

#[test]
fn a_more_important_frame_overtakes_one_that_is_half_out() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(9));
    queue.push_frame(track, frame_of(0, 5, &["a1", "a2"]), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "a1");
    queue.push_frame(track, frame(1, 4, "b"), 0);
    assert_eq!(drain(&mut queue, 0), "b a2");
}

#[test]
fn a_change_of_priority_acts_on_what_is_queued() {
    let mut queue = Queue::new(LIMITS);
    let (one, two) = (queue.add_track(config(1)), queue.add_track(config(2)));
    queue.push_frame(one, frame(0, 0, "one"), 0);
    queue.push_frame(two, frame(0, 0, "two"), 0);
    queue.update_track(one, config(3));
    assert_eq!(drain(&mut queue, 0), "two one");
}

#[test]
fn a_frame_does_not_go_out_at_its_deadline_or_after() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(9));
    assert_eq!(queue.push_frame(track, Frame { deadline: Some(10), ..frame(0, 0, "late") }, 10), Fate::Expired);
    assert_eq!(queue.push_frame(track, Frame { deadline: Some(20), ..frame(1, 0, "ok") }, 10), Fate::Queued);
    assert_eq!(queue.push_frame(track, Frame { deadline: Some(15), ..frame(2, 0, "x") }, 10), Fate::Queued);
    assert_eq!(queue.next_timeout(), Some(15));
    queue.expire(15);
    assert_eq!(queue.next_timeout(), Some(20));
    assert_eq!(next(&mut queue, 19).unwrap(), "ok");
    assert_eq!(queue.next_timeout(), None);
    assert_eq!(dropped(&queue.stats(track), DropReason::Expired), 2);
    adds_up(&mut queue);
}

#[test]
fn both_timeouts_bound_datagrams_and_zero_is_none() {
    for (object_timeout, subgroup_timeout, expected) in [
        (Some(30), None, Some(130)),
        (None, Some(40), Some(140)),
        (Some(30), Some(20), Some(120)),
        (Some(0), Some(0), None),
    ] {
        let mut queue = Queue::new(LIMITS);
        let track = queue.add_track(TrackConfig { object_timeout, subgroup_timeout, ..config(1) });
        queue.push_frame(track, frame(0, 0, "x"), 100);
        assert_eq!(queue.next_timeout(), expected);
    }
}

#[test]
fn latest_wins_keeps_the_newest_across_priorities() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(latest_wins());
    assert_eq!(queue.push_frame(track, frame(1, 9, "1"), 0), Fate::Queued);
    assert_eq!(queue.push_frame(track, frame(3, 5, "3"), 0), Fate::Superseded(1));
    assert_eq!(queue.push_frame(track, frame(2, 0, "2"), 0), Fate::Stale);
    assert_eq!(drain(&mut queue, 0), "3");
    assert_eq!(queue.push_frame(track, frame(2, 0, "2"), 0), Fate::Stale);
    let stats = queue.stats(track);
    assert_eq!((stats.sent_frames, dropped(&stats, DropReason::Superseded)), (1, 3));
    adds_up(&mut queue);
}

#[test]
fn latest_wins_finishes_a_frame_that_is_half_out() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(latest_wins());
    queue.push_frame(track, frame_of(1, 5, &["1a", "1b", "1c"]), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "1a");
    assert_eq!(queue.push_frame(track, frame(2, 5, "2"), 0), Fate::Queued);
    assert_eq!(queue.push_frame(track, frame(3, 5, "3"), 0), Fate::Superseded(1));
    assert_eq!(drain(&mut queue, 0), "1b 1c 3");

    queue.push_frame(track, frame_of(4, 5, &["4a", "4b"]), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "4a");
    assert_eq!(queue.push_frame(track, frame(5, 4, "5"), 0), Fate::Superseded(1), "a more important one does");
    assert_eq!(drain(&mut queue, 0), "5");
    adds_up(&mut queue);
}

#[test]
fn a_datagram_too_large_for_the_path_takes_its_whole_frame_along() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(9));
    queue.push_frame(track, frame_of(0, 0, &["ok", "too long"]), 0);
    queue.push_frame(track, frame(1, 0, "next"), 0);
    let mut out = Vec::new();
    while let Some(Out::Datagram { bytes, .. }) = queue.next(0, 4, 0) {
        out.push(bytes);
    }
    assert_eq!(out, [data("ok"), data("next")]);
    assert_eq!(dropped(&queue.stats(track), DropReason::TooLarge), 1);
    assert_eq!((queue.bytes(), queue.stats(track).sent_frames), (0, 1));
    adds_up(&mut queue);
}

#[test]
fn a_full_queue_drops_the_least_important_and_of_these_the_oldest() {
    let room = 3 * (2 + ENTRY_COST);
    let mut queue = Queue::new(Limits { session_bytes: room, track_bytes: room, ..LIMITS });
    let (one, two) = (queue.add_track(config(5)), queue.add_track(config(6)));
    queue.push_frame(one, frame(0, 0, "a0"), 0);
    queue.push_frame(two, frame(0, 0, "b0"), 0);
    queue.push_frame(two, frame(1, 0, "b1"), 0);
    assert_eq!(queue.push_frame(two, frame(2, 1, "b2"), 0), Fate::NoRoom, "less important than all");
    assert_eq!(queue.push_frame(two, frame(3, 0, "b3"), 0), Fate::Queued, "for b0, the oldest of its equals");
    assert_eq!(queue.push_frame(one, frame(1, 9, "a1"), 0), Fate::Queued, "for b1");
    assert_eq!(drain(&mut queue, 0), "a0 a1 b3");
    assert_eq!(dropped(&queue.stats(two), DropReason::NoRoom), 3);
    assert_eq!(dropped(&queue.stats(one), DropReason::NoRoom), 0);
    adds_up(&mut queue);
}

#[test]
fn a_large_frame_displaces_more_than_half_of_what_is_queued() {
    let room = 10 * (2 + ENTRY_COST);
    let mut queue = Queue::new(Limits { session_bytes: room, track_bytes: room, ..LIMITS });
    let (small, large) = (queue.add_track(config(6)), queue.add_track(config(5)));
    for group in 0..10 {
        queue.push_frame(small, frame(group, 0, &format!("b{group}")), 0);
    }
    let parts: Vec<String> = (0..8).map(|part| format!("a{part}")).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    assert_eq!(queue.push_frame(large, frame_of(0, 0, &parts), 0), Fate::Queued);
    assert_eq!(drain(&mut queue, 0), "a0 a1 a2 a3 a4 a5 a6 a7 b8 b9");
    assert_eq!(dropped(&queue.stats(small), DropReason::NoRoom), 8);
    adds_up(&mut queue);
}

#[test]
fn a_track_over_its_bound_drops_its_own() {
    let mut queue = Queue::new(Limits { track_bytes: 2 * (2 + ENTRY_COST), ..LIMITS });
    let (one, two) = (queue.add_track(config(5)), queue.add_track(config(250)));
    queue.push_frame(two, frame(0, 0, "b0"), 0);
    for group in 0..4 {
        queue.push_frame(one, frame(group, 0, &format!("a{group}")), 0);
    }
    assert_eq!(drain(&mut queue, 0), "a2 a3 b0");
    let big = frame(9, 0, &"x".repeat(500));
    assert_eq!(queue.push_frame(one, big, 0), Fate::NoRoom, "larger than the bound itself");
    adds_up(&mut queue);
}

#[test]
fn a_frame_half_out_is_not_displaced_while_it_is_next() {
    let mut queue = Queue::new(Limits { track_bytes: 3 * (2 + ENTRY_COST), ..LIMITS });
    let track = queue.add_track(config(5));
    queue.push_frame(track, frame_of(0, 0, &["a1", "a2"]), 0);
    assert_eq!(next(&mut queue, 0).unwrap(), "a1");
    for group in 1..5 {
        queue.push_frame(track, frame(group, 0, &format!("b{group}")), 0);
    }
    assert_eq!(drain(&mut queue, 0), "a2 b3 b4");
}

#[test]
fn the_parts_of_a_relayed_frame_share_its_fate() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    assert_eq!(queue.push_part(track, part(1, 0, false, "1a"), 0), Fate::Queued);
    assert_eq!(queue.push_part(track, part(1, 2, true, "1c"), 0), Fate::Queued);
    assert_eq!(drain(&mut queue, 0), "1a 1c");
    assert_eq!(queue.stats(track).sent_frames, 0, "one part is to come");
    assert_eq!(queue.push_part(track, part(1, 1, false, "1b"), 0), Fate::Queued);
    assert_eq!(drain(&mut queue, 0), "1b");
    assert_eq!((queue.stats(track).pushed_frames, queue.stats(track).sent_frames), (1, 1));

    let late = Part { deadline: Some(50), ..part(2, 0, false, "2a") };
    queue.push_part(track, late, 0);
    queue.expire(50);
    assert_eq!(queue.push_part(track, part(2, 1, true, "2b"), 50), Fate::Expired);
    let stats = queue.stats(track);
    assert_eq!((stats.pushed_frames, dropped(&stats, DropReason::Expired)), (2, 1), "counted once");
    adds_up(&mut queue);
}

#[test]
fn a_group_of_many_objects_is_sent_whole_though_it_is_no_fragmented_frame() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    for object in 0..20 {
        assert_eq!(queue.push_part(track, part(1, object, false, "x"), 0), Fate::Queued);
    }
    assert_eq!(drain(&mut queue, 0), ["x"; 20].join(" "));
    adds_up(&mut queue);
}

#[test]
fn groups_that_never_end_are_remembered_within_bounds() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    for group in 0..1000 {
        queue.push_part(track, part(group, 0, false, "x"), group);
        next(&mut queue, group);
    }
    let stats = queue.stats(track);
    assert!(stats.queued_frames <= 16, "{stats:?}");
    assert_eq!(stats.sent_frames + stats.queued_frames, 1000);
    assert_eq!(queue.bytes(), 0);
    queue.remove_track(track);
    adds_up(&mut queue);
}

#[test]
fn an_ended_key_means_nothing_even_when_its_slot_is_used_again() {
    let mut queue = Queue::new(LIMITS);
    let old = queue.add_track(config(5));
    let sub = queue.open_subgroup(old, meta(0, 0, 0), data("H"), 0);
    queue.push_object(sub, data("x"), 0);
    queue.push_frame(old, frame_of(0, 3, &["a", "b"]), 0);
    queue.push_part(old, part(5, 0, false, "p"), 0);
    assert_eq!(queue.remove_track(old), [], "nothing was opened");
    let new = queue.add_track(config(5));
    assert_ne!(old, new);
    assert_eq!(queue.push_frame(old, frame(0, 0, "x"), 0), Fate::Gone);
    assert_eq!(queue.push_object(sub, data("x"), 0), Fate::Gone);
    let dead = queue.open_subgroup(old, meta(0, 0, 0), data("H"), 0);
    assert_eq!(queue.push_object(dead, data("x"), 0), Fate::Gone);
    queue.unsent(sub, data(""), data("x"));
    queue.stream_refused(sub, data("x"));
    queue.reset_subgroup(sub, 1);
    queue.finish_subgroup(dead);
    assert_eq!((queue.bytes(), next(&mut queue, 0)), (0, None));
    assert_eq!(queue.totals().withdrawn, 3);
    adds_up(&mut queue);
}

#[test]
fn counts_tell_how_long_things_waited() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    queue.push_frame(track, frame(0, 0, "abc"), 100);
    queue.push_frame(track, frame(1, 0, "de"), 150);
    queue.count_drop(track, DropReason::Congested, 2);
    queue.expire(400);
    let stats = queue.stats(track);
    assert_eq!((stats.queued_bytes, stats.queued_frames, stats.oldest_wait_us), (5, 2, 300));
    assert_eq!(queue.track_bytes(track), 5);
    match queue.next(450, MTU, 0) {
        Some(Out::Datagram { waited_us, last_of_frame, .. }) => assert_eq!((waited_us, last_of_frame), (350, true)),
        other => panic!("{other:?}"),
    }
    assert_eq!(dropped(&queue.stats(track), DropReason::Congested), 2);
    adds_up(&mut queue);
}

#[test]
fn a_frame_has_one_to_eight_parts() {
    assert!(Parts::try_from(Vec::new()).is_err());
    assert!(Parts::try_from(vec![data("x"); 9]).is_err());
    assert_eq!(Parts::try_from(vec![data("xy"); 8]).map(|parts| (parts.count(), parts.bytes())), Ok((8, 16)));
}

#[test]
fn a_long_group_of_datagrams_is_not_lost_with_one_of_them() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(TrackConfig { object_timeout: Some(100), ..config(5) });
    for object in 0..20u64 {
        let now = object * 60;
        assert_eq!(queue.push_part(track, part(1, object, false, "x"), now), Fate::Queued, "{object}");
        assert_eq!(drain(&mut queue, now), "x");
    }
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(config(5));
    queue.push_part(track, part(1, 0, false, "longer than the path"), 0);
    assert_eq!(queue.next(0, 4, 0), None);
    assert_eq!(queue.push_part(track, part(1, 1, false, "y"), 0), Fate::TooLarge);
    assert_eq!(queue.push_part(track, part(1, 8, false, "z"), 0), Fate::Queued);
    assert_eq!(drain(&mut queue, 0), "z");
    adds_up(&mut queue);
}

#[test]
fn a_frame_may_pass_an_empty_queue_and_counts_as_sent() {
    let mut queue = Queue::new(LIMITS);
    let track = queue.add_track(TrackConfig { latest_wins: true, ..config(9) });
    let part = |group, object, end_of_group| Part {
        group,
        object,
        priority: 9,
        deadline: None,
        end_of_group,
        data: Bytes::from_static(b"part"),
    };
    assert!(queue.pass(track, &part(5, 0, true), 0));
    assert_eq!((queue.stats(track).pushed_frames, queue.stats(track).sent_frames), (1, 1));
    assert_eq!(queue.stats(track).sent_bytes, 4);
    assert!(!queue.pass(track, &part(4, 0, true), 0), "an older one is for the queue to drop");
    assert_eq!(queue.push_part(track, part(4, 0, true), 0), Fate::Stale);
    assert!(!queue.pass(track, &part(6, 0, false), 0), "more parts of it come");
    assert!(!queue.pass(track, &Part { deadline: Some(7), ..part(6, 0, true) }, 7), "its time is over");
    queue.push_part(track, part(7, 0, true), 8);
    assert!(!queue.pass(track, &part(8, 0, true), 8), "another waits");
    assert_eq!(drain(&mut queue, 8), "part");
    assert!(queue.pass(track, &part(8, 0, true), 8));
    queue.remove_track(track);
    assert!(!queue.pass(track, &part(9, 0, true), 8));
}

#[test]
fn what_an_overload_took_is_given_back_once_the_queue_is_empty() {
    // All of it is in what Debug shows, the places that are free as well.
    let held = |queue: &Queue| format!("{queue:?}").len();
    let mut queue = Queue::new(LIMITS);
    let tracks: Vec<TrackKey> = (0..40).map(|_| queue.add_track(config(9))).collect();
    let fill = |queue: &mut Queue, from: u64, count: u64| {
        for group in from..from + count {
            for track in &tracks {
                queue.push_frame(*track, frame(group, 0, "f"), 0);
            }
        }
    };
    fill(&mut queue, 0, 1);
    drain(&mut queue, 0);
    let before = held(&queue);
    fill(&mut queue, 1, 1000);
    let dropped = queue.totals().drops[DropReason::NoRoom as usize];
    assert!(dropped > 0, "the session's bound was met");
    drain(&mut queue, 0);
    assert!(held(&queue) <= before + before / 10, "{} after, {before} before", held(&queue));
    fill(&mut queue, 2000, 1);
    assert_eq!(drain(&mut queue, 0).split(' ').count(), 40);
    adds_up(&mut queue);
}
