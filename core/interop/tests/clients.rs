//! Their publisher, our relay, their subscriber: at each draft, and from one draft to another.

use cc_interop::theirs::Theirs;
use cc_interop::{soon, Relay};
use moq_tokio::moq_net::track::{Info, Subscriber};
use moq_tokio::moq_net::{Error, Timescale, Timestamp};

/// Publisher's draft and subscriber's.
const DRAFTS: [(u8, u8); 6] = [(18, 18), (20, 20), (21, 21), (22, 22), (18, 22), (22, 18)];

fn at(us: u64) -> Timestamp {
    Timestamp::new(us, Timescale::MICRO).unwrap()
}

async fn group(from: &mut Subscriber) -> (u64, Vec<(u64, Vec<u8>)>) {
    let mut group = soon("a group", from.recv_group()).await.unwrap().expect("the track goes on");
    let mut frames = Vec::new();
    while let Some(frame) = soon("a frame", group.read_frame()).await.unwrap() {
        let us = frame.timestamp.convert(Timescale::MICRO).unwrap().value();
        frames.push((us, frame.payload.to_vec()));
    }
    (group.sequence, frames)
}

#[tokio::test]
async fn groups_of_several_objects_arrive_as_they_were_sent() {
    for (from, to) in DRAFTS {
        let relay = Relay::open();
        let (publisher, subscriber) = (Theirs::connect(&relay, from).await, Theirs::connect(&relay, to).await);
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let info = Info::default().with_timescale(Timescale::MICRO).with_priority(200);
        let track = broadcast.create_track("c7", info).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let found = soon("their announcement", subscriber.found.routed_broadcast("games/room1")).await.unwrap();
        let mut reader = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        assert_eq!(reader.info().priority, 200, "{from} to {to}: the track's default publisher priority");
        soon("upstream SUBSCRIBE", track.used()).await.unwrap();
        for number in [5_u64, 9, 1 << 40] {
            let mut group = track.create_group(moq_tokio::moq_net::group::Info { sequence: number }).unwrap();
            let large: Vec<u8> = (0..70_000_u32).map(|i| (i * 7 + number as u32) as u8).collect();
            let frames = [b"one".to_vec(), Vec::new(), large];
            for (place, payload) in frames.iter().enumerate() {
                group.write_frame(at(number * 1000 + place as u64), payload.clone()).unwrap();
            }
            group.finish().unwrap();
            let (came, got) = self::group(&mut reader).await;
            assert_eq!(came, number, "{from} to {to}");
            let sent: Vec<_> = frames.into_iter().enumerate().map(|(i, f)| (number * 1000 + i as u64, f)).collect();
            assert_eq!(got, sent, "{from} to {to}");
        }
        track.finish().unwrap();
        let end = soon("PUBLISH_DONE", reader.recv_group()).await.map(|group| group.map(|group| group.sequence));
        assert!(matches!(end, Ok(None)), "{from} to {to}: {end:?}");
        assert_eq!(relay.malformed(), 0);
    }
}

#[tokio::test]
async fn datagrams_arrive_as_they_were_sent() {
    for (from, to) in DRAFTS {
        let relay = Relay::open();
        let (publisher, subscriber) = (Theirs::connect(&relay, from).await, Theirs::connect(&relay, to).await);
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let mut track = broadcast.create_track("c7", Info::default().with_timescale(Timescale::MICRO)).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let found = soon("their announcement", subscriber.found.routed_broadcast("games/room1")).await.unwrap();
        let mut reader = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        soon("upstream SUBSCRIBE", track.used()).await.unwrap();
        for size in [1_usize, 200, 1100] {
            let payload: Vec<u8> = (0..size).map(|i| (i * 31) as u8).collect();
            let sequence = track.append_datagram(at(size as u64), payload.clone()).unwrap();
            let came = soon("a datagram", reader.recv_datagram()).await.unwrap().expect("the track goes on");
            assert_eq!((came.sequence, came.timestamp.value()), (sequence, size as u64), "{from} to {to}");
            assert_eq!(came.payload, payload, "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn one_upstream_subscription_serves_all_and_ends_with_the_last() {
    for draft in [18, 22] {
        let relay = Relay::open();
        let publisher = Theirs::connect(&relay, draft).await;
        let readers = [Theirs::connect(&relay, 18).await, Theirs::connect(&relay, 22).await];
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let track = broadcast.create_track("c7", Info::default().with_timescale(Timescale::MICRO)).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let mut subscriptions = Vec::new();
        for reader in &readers {
            let found = soon("their announcement", reader.found.routed_broadcast("games/room1")).await.unwrap();
            subscriptions.push(soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap());
        }
        let mut one = track.append_group().unwrap();
        one.write_frame(at(1), b"to both".to_vec()).unwrap();
        one.finish().unwrap();
        for reader in &mut subscriptions {
            assert_eq!(group(reader).await.1, [(1, b"to both".to_vec())], "{draft}");
        }
        drop(subscriptions);
        soon("the relay's cancellation", track.unused()).await.unwrap();
        // The track is there still, for whoever asks again.
        let found = soon("the broadcast", readers[0].found.routed_broadcast("games/room1")).await.unwrap();
        let mut again = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        soon("upstream SUBSCRIBE", track.used()).await.unwrap();
        let mut two = track.append_group().unwrap();
        two.write_frame(at(2), b"again".to_vec()).unwrap();
        two.finish().unwrap();
        let (_, mut frames) = group(&mut again).await;
        // Their cache may hand out the first group again.
        if frames == [(1, b"to both".to_vec())] {
            frames = group(&mut again).await.1;
        }
        assert_eq!(frames, [(2, b"again".to_vec())], "{draft}");
    }
}

#[tokio::test]
async fn who_joins_late_gets_every_group_whole_from_the_one_in_progress_on() {
    for (from, to) in DRAFTS {
        let relay = Relay::open();
        let publisher = Theirs::connect(&relay, from).await;
        let (early, late) = (Theirs::connect(&relay, to).await, Theirs::connect(&relay, to).await);
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let track = broadcast.create_track("c7", Info::default().with_timescale(Timescale::MICRO)).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let found = soon("their announcement", early.found.routed_broadcast("games/room1")).await.unwrap();
        let mut first = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        let mut open = track.append_group().unwrap();
        open.write_frame(at(1), b"before".to_vec()).unwrap();
        let mut reading = soon("a group", first.recv_group()).await.unwrap().unwrap();
        assert_eq!(soon("a frame", reading.read_frame()).await.unwrap().unwrap().payload, b"before".to_vec());
        let found = soon("their announcement", late.found.routed_broadcast("games/room1")).await.unwrap();
        let mut second = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        open.write_frame(at(2), b"midway".to_vec()).unwrap();
        open.finish().unwrap();
        // Their client asks for the head of the group in progress: by a joining FETCH at -18, by a fill later. Of the lowest
        // priority, so the next group might overtake it, and their client takes no head of a group that is not its newest.
        let head = vec![(1, b"before".to_vec()), (2, b"midway".to_vec())];
        assert_eq!(group(&mut second).await, (0, head), "{from} to {to}");
        let mut next = track.append_group().unwrap();
        next.write_frame(at(3), b"whole".to_vec()).unwrap();
        next.finish().unwrap();
        assert_eq!(group(&mut second).await, (1, vec![(3, b"whole".to_vec())]), "{from} to {to}");
        assert_eq!(relay.malformed(), 0, "{from} to {to}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_what_goes_is_withdrawn() {
    for (from, to) in DRAFTS {
        let relay = Relay::open();
        let (publisher, subscriber) = (Theirs::connect(&relay, from).await, Theirs::connect(&relay, to).await);
        let mut announced = subscriber.found.announced();
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let track = broadcast.create_track("c7", None).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let update = soon("NAMESPACE", announced.next()).await.unwrap();
        assert_eq!((update.prefix.as_str(), update.kind.is_active()), ("games/room1", true), "{from} to {to}");
        let found = soon("the broadcast", subscriber.found.routed_broadcast("games/room1")).await.unwrap();
        // The publisher's own refusal comes through the relay.
        let refused = soon("REQUEST_ERROR", found.track("no such track").unwrap().subscribe(None)).await.err();
        assert!(matches!(refused, Some(Error::NotFound)), "{from} to {to}: {refused:?}");
        let mut reader = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        soon("upstream SUBSCRIBE", track.used()).await.unwrap();
        broadcast.unannounce();
        let update = soon("NAMESPACE_DONE", announced.next()).await.unwrap();
        assert_eq!((update.prefix.as_str(), update.kind.is_active()), ("games/room1", false), "{from} to {to}");
        // A publisher that is gone ends the track for its readers.
        publisher.close();
        let end = soon("PUBLISH_DONE", reader.recv_group()).await.map(|group| group.map(|group| group.sequence));
        assert!(!matches!(end, Ok(Some(_))), "{from} to {to}: {end:?}");
    }
}
