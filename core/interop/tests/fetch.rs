//! Their FETCH of a group that is past: from what our relay keeps, and from their publisher behind it.

use cc_interop::theirs::Theirs;
use cc_interop::{soon, Relay};
use moq_tokio::moq_net::track::{Consumer, Info, Producer};
use moq_tokio::moq_net::{group, Timescale, Timestamp};

/// Publisher's draft and reader's.
const DRAFTS: [(u8, u8); 6] = [(18, 18), (20, 20), (21, 21), (22, 22), (18, 22), (22, 18)];

fn at(us: u64) -> Timestamp {
    Timestamp::new(us, Timescale::MICRO).unwrap()
}

/// Group `number`, of three objects.
fn write(track: &Producer, number: u64) {
    let mut group = track.create_group(group::Info { sequence: number }).unwrap();
    for frame in 0..3 {
        group.write_frame(at(number * 10 + frame), format!("{number}.{frame}").into_bytes()).unwrap();
    }
    group.finish().unwrap();
}

/// Fetches group `number`, and checks it; `timed` if its objects have their times.
async fn fetch(track: &Consumer, number: u64, timed: bool, case: &str) {
    let fetched = soon("FETCH_OK", track.fetch_group(number, None)).await;
    let mut group = fetched.unwrap_or_else(|error| panic!("{case}: {error}"));
    for frame in 0..3 {
        let came = soon("an object", group.read_frame()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let came = came.unwrap_or_else(|| panic!("{case}: the group ends before object {frame}"));
        assert_eq!(came.payload, format!("{number}.{frame}").into_bytes(), "{case}");
        if timed {
            assert_eq!(came.timestamp.convert(Timescale::MICRO).unwrap(), at(number * 10 + frame), "{case}");
        }
    }
    assert!(soon("the group's end", group.read_frame()).await.unwrap().is_none(), "{case}");
}

#[tokio::test]
async fn a_group_of_the_past_comes_from_the_relay() {
    for (from, to) in DRAFTS {
        let case = format!("{from} to {to}");
        let relay = Relay::open();
        let publisher = Theirs::connect(&relay, from).await;
        let (early, late) = (Theirs::connect(&relay, to).await, Theirs::connect(&relay, to).await);
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let track = broadcast.create_track("c7", Info::default().with_timescale(Timescale::MICRO)).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let found = soon("their announcement", early.found.routed_broadcast("games/room1")).await.unwrap();
        let mut first = soon("SUBSCRIBE_OK", found.track("c7").unwrap().subscribe(None)).await.unwrap();
        for number in 0..3 {
            write(&track, number);
            let mut came = soon("a group", first.recv_group()).await.unwrap().unwrap();
            while soon("a frame", came.read_frame()).await.unwrap().is_some() {}
        }
        let found = soon("their announcement", late.found.routed_broadcast("games/room1")).await.unwrap();
        let past = found.track("c7").unwrap();
        // Their client fetches within a subscription.
        let _live = soon("SUBSCRIBE_OK", past.subscribe(None)).await.unwrap();
        fetch(&past, 1, true, &case).await;
        assert_eq!(relay.malformed(), 0, "{case}");
    }
}

#[tokio::test]
async fn a_group_that_the_relay_never_saw_comes_from_the_publisher() {
    for (from, to) in DRAFTS {
        let case = format!("{from} to {to}");
        let relay = Relay::open();
        let (publisher, reader) = (Theirs::connect(&relay, from).await, Theirs::connect(&relay, to).await);
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let track = broadcast.create_track("c7", Info::default().with_timescale(Timescale::MICRO)).unwrap();
        for number in 0..3 {
            write(&track, number);
        }
        broadcast.announce(Default::default()).unwrap();
        let found = soon("their announcement", reader.found.routed_broadcast("games/room1")).await.unwrap();
        let past = found.track("c7").unwrap();
        let _live = soon("SUBSCRIBE_OK", past.subscribe(None)).await.unwrap();
        // Their publisher answers a FETCH without times.
        fetch(&past, 1, false, &case).await;
        assert_eq!(relay.malformed(), 0, "{case}");
    }
}
