//! Objects: in subgroups, datagrams and fetches; early, late, too large, and after the end.

mod util;

use bytes::Bytes;
use cc_session::{DataEnd, DataKey, Dir, Event, Fetch, Limits, Reply, Request, RequestKey, Session};
use cc_wire::codes::{publish_done, stream_reset};
use cc_wire::{
    FetchEnd, FetchItem, FetchKind, FetchObject, FetchPrior, Filter, GroupOrder, Location, Params, Properties,
    UniStream,
};
use util::*;

fn limited(configure: fn(&mut cc_session::Config)) -> Pair {
    Pair::up(Options { configure, ..Options::default() })
}

/// Start, the payloads of all objects, and end of the one subgroup among the events; or one that came whole.
fn whole(events: &[Event], key: RequestKey) -> (Vec<Bytes>, DataEnd) {
    if let [Event::Whole { key: of, payload, .. }] = events {
        assert_eq!(*of, key);
        return (vec![payload.clone()], DataEnd::Fin);
    }
    let Some(Event::SubgroupStart { data, key: of, .. }) = events.first() else { panic!("{events:?}") };
    assert_eq!(*of, key);
    let mut payloads = Vec::new();
    for (n, event) in events[1..].iter().enumerate() {
        match event {
            Event::Object { data: of, header, payload } => {
                assert_eq!((of, header.object, header.payload_len), (data, n as u64, payload.len() as u64));
                payloads.push(payload.clone());
            }
            Event::SubgroupEnd { data: of, end } => {
                assert_eq!((of, n + 2), (data, events.len()));
                return (payloads, *end);
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("no end: {events:?}")
}

fn started(event: &Event) -> DataKey {
    match event {
        Event::SubgroupStart { data, .. } | Event::FetchStart { data, .. } => *data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_subgroup_at_any_speed() {
    let big = vec![5; 100_000];
    for profile in PROFILES {
        for (window, step) in [(1 << 20, usize::MAX), (700, 3), (64, 1)] {
            let mut pair = Pair::up(Options { profile, window, step, ..Options::default() });
            let (ours, _) = pair.subscription();
            let mut bytes = subgroup_bytes(7, 1, &[b"one", b"", &big, b"four"]);
            let id = pair.stream(SERVER, Dir::Uni, &[]);
            while !bytes.is_empty() {
                use cc_session::Transport;
                let n = pair.net.end(SERVER).write(id, &bytes).unwrap();
                bytes.drain(..n);
                pair.run();
            }
            pair.finish(SERVER, id);
            pair.run();
            let events = pair.take(CLIENT);
            let (payloads, end) = whole(&events, ours);
            assert_eq!(payloads, [&b"one"[..], b"", &big, b"four"]);
            assert_eq!(end, DataEnd::Fin);
            let counters = pair.sessions[CLIENT].counters();
            assert_eq!((counters.objects, counters.object_bytes), (4, 100_007));
        }
    }
}

#[test]
fn a_stream_that_is_there_with_one_object_and_its_end_is_told_in_one_step() {
    for profile in PROFILES {
        // In one packet, and across two.
        for packet in [usize::MAX, 700] {
            let mut pair = Pair::at(profile);
            pair.net.packet = packet;
            let (ours, theirs) = pair.subscription();
            let payload = [5; 1000];
            let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[&payload]));
            pair.finish(SERVER, id);
            pair.run();
            let Event::Whole { key, header, object, payload: got } = pair.one(CLIENT) else { panic!("in parts") };
            assert_eq!((key, header, object), (ours, subgroup(7, 1), object_header(0, 1000)));
            assert_eq!(got, payload[..]);
            let counters = pair.sessions[CLIENT].counters();
            assert_eq!((counters.objects, counters.object_bytes), (1, 1000));
            let held = pair.sessions[CLIENT].held();
            assert_eq!((held.data_streams, held.assembly_bytes), (0, 0));
            pair.sessions[SERVER].done(theirs, publish_done::TRACK_ENDED, Some(1), "").unwrap();
            pair.run();
            assert!(matches!(pair.one(CLIENT), Event::Done { stream_count: Some(1), .. }), "it counts as a stream");
        }
    }
}

#[test]
fn a_stream_with_more_or_less_than_one_object_is_told_in_parts() {
    for payloads in [&[][..], &[&b"one"[..], b"two"]] {
        let mut pair = Pair::at(cc_wire::Profile::D22);
        let (ours, _) = pair.subscription();
        let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, payloads));
        pair.finish(SERVER, id);
        pair.run();
        let events = pair.take(CLIENT);
        assert_eq!(events.len(), 2 + payloads.len());
        assert_eq!(whole(&events, ours), (payloads.iter().map(|p| Bytes::copy_from_slice(p)).collect(), DataEnd::Fin));
    }
}

#[test]
fn what_a_stream_carries_whole_is_told_to_nobody_after_a_cancel() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let (ours, _) = pair.subscription();
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"one"]));
    pair.finish(SERVER, id);
    pair.unpolled = true;
    pair.run_unpolled();
    pair.sessions[CLIENT].cancel(ours, stream_reset::CANCELLED).unwrap();
    pair.unpolled = false;
    pair.run();
    assert!(pair.take(CLIENT).is_empty());
}

#[test]
fn a_reset_says_so_with_its_code() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    pair.subscription();
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"one"]));
    pair.run();
    let data = started(&pair.take(CLIENT)[0]);
    cc_session::Transport::reset(&mut pair.net.end(SERVER), id, stream_reset::DELIVERY_TIMEOUT);
    pair.run();
    let end = DataEnd::Reset(stream_reset::DELIVERY_TIMEOUT);
    assert_eq!(pair.one(CLIENT), Event::SubgroupEnd { data, end });
}

#[test]
fn a_datagram_s_object_is_handed_out_at_once_where_nothing_waits() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let (ours, _) = pair.subscription();
    let session = &mut pair.sessions[CLIENT];
    let (header, bytes) = datagram_bytes(7, 1, b"one");
    let bytes = Bytes::from(bytes);
    assert_eq!(session.datagram(bytes.clone(), 0), Some((ours, header, "one".into())));
    let counters = session.counters();
    assert_eq!((counters.objects, counters.object_bytes), (1, 3));
    // What is not known yet goes the other way, and so does what comes after something that waits.
    assert_eq!(session.datagram(datagram_bytes(8, 1, b"?").1.into(), 0), None);
    session.on_datagram(bytes.clone(), 0);
    assert_eq!(session.datagram(bytes.clone(), 0), None);
    assert!((0..2).all(|_| matches!(session.poll_event(), Some(Event::Datagram { .. }))));
    assert_eq!(session.held().early, 1);
    session.cancel(ours, 0).unwrap();
    assert_eq!(session.datagram(bytes, 0), None);
}

#[test]
fn datagrams_reach_both_kinds_of_subscription() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (ours, _) = pair.subscription();
        let (_, accepted) = pair.granted(SERVER, publish("a", "p", 8), ok());
        for (alias, key) in [(7, ours), (8, accepted)] {
            let (header, bytes) = datagram_bytes(alias, 5, b"frame");
            pair.datagram(CLIENT, bytes);
            pair.run();
            assert_eq!(pair.one(CLIENT), Event::Datagram { key, header, payload: "frame".into() });
        }
    }
}

#[test]
fn early_data_waits_for_its_alias() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (ours, theirs) = pair.ask(CLIENT, subscribe("a", "t"));
        let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"early"]));
        pair.finish(SERVER, id);
        let (header, bytes) = datagram_bytes(7, 5, b"early too");
        pair.datagram(CLIENT, bytes);
        pair.run();
        assert!(pair.take(CLIENT).is_empty());
        pair.sessions[SERVER].accept(theirs, subscribe_ok(7)).unwrap();
        pair.run();
        let events = pair.take(CLIENT);
        assert_eq!(events[0], Event::Accepted { key: ours, reply: subscribe_ok(7) });
        assert_eq!(events[1], Event::Datagram { key: ours, header, payload: "early too".into() });
        assert_eq!(whole(&events[2..], ours), (vec!["early".into()], DataEnd::Fin));
    }
}

#[test]
fn early_data_of_a_publish_waits_for_the_owner() {
    for profile in PROFILES {
        for accepted in [true, false] {
            let mut pair = Pair::at(profile);
            let (_, key) = pair.ask(SERVER, publish("a", "t", 7));
            let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"early"]));
            pair.datagram(CLIENT, datagram_bytes(7, 5, b"early too").1);
            // Much longer than data of an unknown alias would be kept.
            pair.run_until(20_000_000);
            assert!(pair.take(CLIENT).is_empty());
            if accepted {
                pair.sessions[CLIENT].accept(key, ok()).unwrap();
                pair.run();
                let events = pair.take(CLIENT);
                assert!(matches!(events[0], Event::Datagram { .. }), "{events:?}");
                assert!(matches!(events[2], Event::Object { .. }), "{events:?}");
            } else {
                pair.sessions[CLIENT].refuse(key, no(0x20)).unwrap();
                pair.run();
                assert!(pair.take(CLIENT).is_empty());
                assert_eq!(pair.net.stopped(id, SERVER), Some(stream_reset::CANCELLED));
                let counters = pair.sessions[CLIENT].counters();
                assert_eq!((counters.streams_retired, counters.datagrams_retired), (1, 1));
            }
        }
    }
}

#[test]
fn data_that_nobody_names_is_dropped_in_time() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(99, 1, &[b"lost"]));
    pair.datagram(CLIENT, datagram_bytes(99, 5, b"lost").1);
    pair.run_until(Limits::default().unknown_alias_time - 1);
    assert_eq!(pair.net.stopped(id, SERVER), None);
    pair.run_until(Limits::default().unknown_alias_time);
    assert_eq!(pair.net.stopped(id, SERVER), Some(stream_reset::CANCELLED));
    let counters = pair.sessions[CLIENT].counters();
    assert_eq!((counters.streams_unknown, counters.datagrams_unknown), (1, 1));
    assert_eq!(pair.sessions[CLIENT].poll_timeout(), None);
}

#[test]
fn early_data_is_bounded() {
    let mut pair = limited(|config| {
        config.limits.unknown_alias_streams = 2;
        config.limits.unknown_alias_bytes = 1000;
    });
    let ids: Vec<_> = (0..4).map(|g| pair.stream(SERVER, Dir::Uni, &subgroup_bytes(99, g, &[b"x"]))).collect();
    for _ in 0..100 {
        pair.datagram(CLIENT, datagram_bytes(99, 5, b"x").1);
    }
    pair.run();
    let stopped: Vec<_> = ids.iter().map(|id| pair.net.stopped(*id, SERVER).is_some()).collect();
    assert_eq!(stopped, [false, false, true, true]);
    let counters = pair.sessions[CLIENT].counters();
    assert_eq!(counters.streams_unknown, 2);
    assert!(counters.datagrams_unknown > 80, "{counters:?}");
}

#[test]
fn an_ended_subscription_s_data_is_discarded_quietly() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let (ours, theirs) = pair.subscription();
    let open = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"x"]));
    pair.run();
    let data = started(&pair.take(CLIENT)[0]);
    pair.sessions[CLIENT].cancel(ours, stream_reset::CANCELLED).unwrap();
    pair.run();
    let end = DataEnd::Reset(stream_reset::CANCELLED);
    assert_eq!(pair.one(CLIENT), Event::SubgroupEnd { data, end });
    assert!(matches!(pair.one(SERVER), Event::Ended { key, .. } if key == theirs));
    let late = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 2, &[b"x"]));
    pair.datagram(CLIENT, datagram_bytes(7, 5, b"x").1);
    pair.run();
    assert!(pair.take(CLIENT).is_empty());
    for id in [open, late] {
        assert_eq!(pair.net.stopped(id, SERVER), Some(stream_reset::CANCELLED));
    }
    let counters = pair.sessions[CLIENT].counters();
    assert_eq!((counters.streams_retired, counters.datagrams_retired), (1, 1));
}

#[test]
fn done_waits_for_the_streams_it_counts() {
    for profile in PROFILES {
        let mut pair = Pair::at(profile);
        let (ours, theirs) = pair.subscription();
        let first = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"a"]));
        pair.run();
        pair.sessions[SERVER].done(theirs, publish_done::TRACK_ENDED, Some(2), "").unwrap();
        pair.finish(SERVER, first);
        pair.run();
        assert!(!pair.take(CLIENT).iter().any(|event| matches!(event, Event::Done { .. })));
        let second = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 2, &[b"b"]));
        pair.finish(SERVER, second);
        pair.run();
        let events = pair.take(CLIENT);
        let (last, before) = events.split_last().unwrap();
        assert!(matches!(last, Event::Done { key, stream_count: Some(2), .. } if *key == ours), "{last:?}");
        assert_eq!(whole(before, ours), (vec!["b".into()], DataEnd::Fin));
    }
}

#[test]
fn done_does_not_wait_for_ever_but_for_what_is_open() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let (_, theirs) = pair.subscription();
    pair.sessions[SERVER].done(theirs, publish_done::TRACK_ENDED, None, "").unwrap();
    pair.run_until(Limits::default().late_data_time - 1);
    assert!(pair.take(CLIENT).is_empty());
    let open = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"a"]));
    pair.run_until(60_000_000);
    assert_eq!(pair.take(CLIENT).len(), 2, "start and object");
    pair.finish(SERVER, open);
    pair.run();
    let events = pair.take(CLIENT);
    assert!(matches!(events[..], [Event::SubgroupEnd { .. }, Event::Done { .. }]), "{events:?}");
}

#[test]
fn objects_over_the_limit_end_their_stream_alone() {
    let mut pair = limited(|config| config.limits.object_bytes = 1000);
    let (ours, _) = pair.subscription();
    let large = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"ok", &[0; 1001], b"not read"]));
    pair.run();
    let (payloads, end) = whole(&pair.take(CLIENT), ours);
    assert_eq!((payloads.len(), end), (1, DataEnd::Reset(stream_reset::EXCESSIVE_LOAD)));
    assert_eq!(pair.net.stopped(large, SERVER), Some(stream_reset::EXCESSIVE_LOAD));
    assert_eq!(pair.sessions[CLIENT].counters().streams_too_large, 1);
    let fits = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 2, &[&[0; 1000]]));
    pair.finish(SERVER, fits);
    pair.run();
    assert_eq!(whole(&pair.take(CLIENT), ours).1, DataEnd::Fin);
}

#[test]
fn parts_of_objects_are_bounded_together() {
    let mut pair = limited(|config| config.limits.assembly_bytes = 10_000);
    pair.subscription();
    let part = &subgroup_bytes(7, 1, &[&[0; 5_000]])[..4_000];
    let ids: Vec<_> = (0..5).map(|_| pair.stream(SERVER, Dir::Uni, part)).collect();
    pair.run();
    let code = Some(stream_reset::EXCESSIVE_LOAD);
    let stopped = ids.iter().filter(|id| pair.net.stopped(**id, SERVER) == code).count();
    assert_eq!((stopped, pair.sessions[CLIENT].counters().streams_excess), (3, 3));
    // What is given up is not counted any more.
    cc_session::Transport::reset(&mut pair.net.end(SERVER), ids[0], 0);
    pair.run();
    let id = pair.stream(SERVER, Dir::Uni, part);
    pair.run();
    assert_eq!(pair.net.stopped(id, SERVER), None);
}

#[test]
fn streams_over_the_limit_are_stopped() {
    let mut pair = limited(|config| config.limits.data_streams = 2);
    pair.subscription();
    let ids: Vec<_> = (0..3).map(|g| pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, g, &[b"x"]))).collect();
    pair.run();
    assert_eq!(pair.net.stopped(ids[2], SERVER), Some(stream_reset::EXCESSIVE_LOAD));
    assert_eq!(pair.net.stopped(ids[1], SERVER), None);
}

#[test]
fn a_payload_in_one_chunk_is_not_copied() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    pair.subscription();
    let (_, bytes) = datagram_bytes(7, 1, &[9; 500]);
    let bytes = Bytes::from(bytes);
    let range = bytes.as_ptr_range();
    pair.sessions[CLIENT].on_datagram(bytes.clone(), 0);
    match pair.sessions[CLIENT].poll_event() {
        Some(Event::Datagram { payload, .. }) => assert!(range.contains(&payload.as_ptr())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_more_is_read_while_events_wait() {
    let mut pair = limited(|config| config.limits.events = 10);
    let (ours, _) = pair.subscription();
    let payloads = vec![&b"x"[..]; 500];
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &payloads));
    pair.finish(SERVER, id);
    pair.net.deliver();
    let session: &mut Session = &mut pair.sessions[CLIENT];
    while let Some(notice) = pair.net.notice(CLIENT) {
        if let Notice::Opened(id, dir) = notice {
            session.on_opened(id, dir, &mut pair.net.end(CLIENT), 0);
        }
    }
    for _ in 0..20 {
        session.on_datagram(datagram_bytes(7, 1, b"x").1.into(), 0);
    }
    assert_eq!(session.counters().datagrams_unpolled, 20);
    assert_eq!(session.poll_timeout(), Some(0), "the owner has something to poll");
    let waiting = std::iter::from_fn(|| session.poll_event()).count();
    assert!(waiting <= 10, "{waiting}");
    assert_eq!(session.poll_timeout(), Some(0), "the owner has something to flush");
    pair.run();
    let rest = pair.take(CLIENT);
    assert_eq!(waiting + rest.len(), 502);
    assert!(matches!(rest.last(), Some(Event::SubgroupEnd { end: DataEnd::Fin, .. })));
    assert!(pair.sessions[CLIENT].cancel(ours, 0).is_ok());
}

#[test]
fn the_owner_may_stop_a_stream() {
    let mut pair = Pair::at(cc_wire::Profile::D22);
    let (_, theirs) = pair.subscription();
    let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"x"]));
    pair.run();
    let data = started(&pair.take(CLIENT)[0]);
    pair.sessions[CLIENT].stop_data(data, stream_reset::DELIVERY_TIMEOUT);
    pair.sessions[SERVER].done(theirs, 0, Some(1), "").unwrap();
    pair.run();
    assert_eq!(pair.net.stopped(id, SERVER), Some(stream_reset::DELIVERY_TIMEOUT));
    assert!(matches!(pair.one(CLIENT), Event::Done { .. }), "a stopped stream counts");
}

#[test]
fn a_fetch_s_objects_come_on_a_stream_of_their_own() {
    for profile in PROFILES {
        for answer_first in [true, false] {
            let mut pair = Pair::at(profile);
            let filter = Filter::AbsoluteRange { start: Location { group: 1, object: 0 }, end_group: 2 };
            let request = Request::Fetch(Fetch {
                kind: FetchKind::Standalone(track("a", "t")),
                params: Params { filter: Some(filter), ..Params::default() },
            });
            let (ours, theirs) = pair.ask(CLIENT, request);
            let request_id = pair.sessions[CLIENT].request_id(ours).unwrap();
            assert_eq!(pair.sessions[SERVER].request_id(theirs), Some(request_id));
            let reply = Reply::FetchOk {
                end_of_track: false,
                end: FetchEnd { group: 2, object: Some(1) },
                params: Params::default(),
                properties: Properties::default(),
            };
            if answer_first {
                pair.sessions[SERVER].accept(theirs, reply.clone()).unwrap();
                pair.run();
            }
            let mut bytes = Vec::new();
            UniStream::Fetch { request_id }.encode(&mut bytes);
            let mut prior = FetchPrior::default();
            let item = FetchItem::Object(FetchObject {
                location: Location { group: 2, object: 1 },
                subgroup: Some(0),
                priority: 4,
                properties: Bytes::new(),
                payload_len: 4,
            });
            item.encode(profile, GroupOrder::Ascending, &mut prior, &mut bytes).unwrap();
            bytes.extend_from_slice(b"past");
            let id = pair.stream(SERVER, Dir::Uni, &bytes);
            pair.finish(SERVER, id);
            pair.run();
            if !answer_first {
                pair.sessions[SERVER].accept(theirs, reply.clone()).unwrap();
                pair.run();
            }
            let mut events = pair.take(CLIENT);
            let accepted = events.iter().position(|e| matches!(e, Event::Accepted { .. })).unwrap();
            events.remove(accepted);
            let data = started(&events[0]);
            assert_eq!(events[1], Event::FetchItem { data, item, payload: "past".into() });
            assert_eq!(events[2], Event::SubgroupEnd { data, end: DataEnd::Fin });
            assert!(matches!(events[3..], [Event::Ended { key, .. }] if key == ours), "{events:?}");
        }
    }
}

#[test]
fn what_waits_to_be_polled_is_not_told_after_a_cancel() {
    for (finished, told) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut pair = Pair::at(cc_wire::Profile::D22);
        let (ours, _) = pair.subscription();
        let id = pair.stream(SERVER, Dir::Uni, &subgroup_bytes(7, 1, &[b"x"]));
        pair.unpolled = !told;
        pair.run_unpolled();
        let before = pair.take(CLIENT);
        assert_eq!(before.len(), if told { 2 } else { 0 });
        pair.unpolled = true;
        if finished {
            pair.finish(SERVER, id);
            pair.run_unpolled();
        }
        pair.sessions[CLIENT].cancel(ours, 0).unwrap();
        pair.unpolled = false;
        pair.run();
        let after = pair.take(CLIENT);
        if told {
            let data = started(&before[0]);
            assert!(matches!(after[..], [Event::SubgroupEnd { data: of, .. }] if of == data), "{after:?}");
        } else {
            assert!(after.is_empty(), "{after:?}");
        }
        assert_eq!(pair.sessions[CLIENT].held(), Default::default(), "finished {finished}, told {told}");
    }
}
