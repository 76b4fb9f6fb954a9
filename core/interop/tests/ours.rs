//! Their publisher and our subscriber, our publisher and their subscriber, at each draft.

use cc_engine::{flag, Event, TrackKind};
use cc_interop::theirs::Theirs;
use cc_interop::{soon, Got, Ours, Relay};
use cc_wire::{Profile, Properties};
use moq_tokio::moq_net::track::Info;
use moq_tokio::moq_net::{group, Timescale, Timestamp};

/// Property "Timestamp", which their publisher puts on each object.
const TIMESTAMP: u64 = 0x10;

/// Theirs, ours.
const DRAFTS: [(u8, Profile); 6] = [
    (18, Profile::D18),
    (20, Profile::D20),
    (21, Profile::D21),
    (22, Profile::D22),
    (18, Profile::D22),
    (22, Profile::D18),
];

fn at(us: u64) -> Timestamp {
    Timestamp::new(us, Timescale::MICRO).unwrap()
}

#[tokio::test]
async fn our_exact_subscription_gets_their_track_object_by_object() {
    for (theirs, ours) in DRAFTS {
        let relay = Relay::open();
        let publisher = Theirs::connect(&relay, theirs).await;
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        // Their scale of priorities is the wire's, upside down.
        let info = Info::default().with_timescale(Timescale::MICRO).with_priority(255 - 17);
        let mut track = broadcast.create_track("c7", info).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let watcher = Theirs::connect(&relay, theirs).await;
        soon("their announcement", watcher.found.routed("games/room1")).await.unwrap();
        let mut link = Ours::connect(&relay, ours).await;
        let feed = link.subscribe("games/room1", Some("c7")).await;
        soon("upstream SUBSCRIBE", track.used()).await.unwrap();
        let mut group = track.create_group(group::Info { sequence: 7 }).unwrap();
        group.write_frame(at(1000), b"one".to_vec()).unwrap();
        group.write_frame(at(2000), Vec::new()).unwrap();
        group.write_frame(at(3000), vec![3; 50_000]).unwrap();
        group.finish().unwrap();
        let datagram = track.append_datagram(at(4000), b"alone".to_vec()).unwrap();
        let got = Got::collect(&feed, 4).await;
        let shown: Vec<_> = got
            .iter()
            .map(|got| {
                let properties = Properties::decode(&got.properties).unwrap();
                let us = properties.get_int(TIMESTAMP);
                (got.group, got.object, got.priority, got.flags, us)
            })
            .collect();
        let expected = [
            (7, 0, 17, flag::STREAM, Some(1000)),
            (7, 1, 17, flag::STREAM, Some(2000)),
            (7, 2, 17, flag::STREAM, Some(3000)),
            (datagram, 0, 17, 0, Some(4000)),
        ];
        assert_eq!(shown, expected, "their -{theirs}, our {ours:?}");
        let payloads: Vec<&[u8]> = got.iter().map(|got| &got.payload[..]).collect();
        assert!(payloads == [&b"one"[..], b"", &[3; 50_000], b"alone"], "their -{theirs}, our {ours:?}");
        assert_eq!(relay.malformed(), 0);
    }
}

#[tokio::test]
async fn their_subscriber_finds_our_tracks_and_gets_each_kind() {
    for (theirs, ours) in DRAFTS {
        let relay = Relay::open();
        let subscriber = Theirs::connect(&relay, theirs).await;
        let mut announced = subscriber.found.announced();
        let mut link = Ours::connect(&relay, ours).await;
        let moves = link.publish("games/room1/up", "moves", TrackKind::FrameDatagram).await;
        let update = soon("NAMESPACE", announced.next()).await.unwrap();
        assert_eq!((update.prefix.as_str(), update.kind.is_active()), ("games/room1/up", true));
        let state = link.publish("games/room1/up", "state", TrackKind::FrameStream).await;
        let chat = link.publish("games/room1/up", "chat", TrackKind::Text).await;
        let found = soon("the broadcast", subscriber.found.routed_broadcast("games/room1/up")).await.unwrap();
        let mut readers = Vec::new();
        for name in ["moves", "state", "chat"] {
            readers.push(soon("SUBSCRIBE_OK", found.track(name).unwrap().subscribe(None)).await.unwrap());
        }
        let [of_moves, of_state, of_chat] = &mut readers[..] else { unreachable!() };
        assert_eq!(of_moves.info().priority, 255 - 40, "the track's default publisher priority");
        link.send(&moves, b"left", Some(3)).await;
        let came = soon("a datagram", of_moves.recv_datagram()).await.unwrap().unwrap();
        assert_eq!(came.payload, b"left".to_vec(), "their -{theirs}, our {ours:?}");
        let frames = [vec![1; 10], vec![2; 60_000], vec![3; 1]];
        let mut last = 0;
        for frame in &frames {
            link.send(&state, frame, None).await;
            let mut group = soon("a group", of_state.recv_group()).await.unwrap().unwrap();
            assert!(group.sequence > last, "a frame's group follows the last one's");
            last = group.sequence;
            let came = soon("a frame", group.read_frame()).await.unwrap().unwrap();
            assert_eq!(came.payload, *frame, "their -{theirs}, our {ours:?}");
            assert!(soon("the group's end", group.read_frame()).await.unwrap().is_none());
        }
        for word in ["hello", "", "world"] {
            link.send(&chat, word.as_bytes(), None).await;
        }
        let mut talk = soon("a group", of_chat.recv_group()).await.unwrap().unwrap();
        for word in ["hello", "", "world"] {
            let came = soon("a message", talk.read_frame()).await.unwrap().unwrap();
            assert_eq!(came.payload, word.as_bytes().to_vec(), "their -{theirs}, our {ours:?}");
        }
        for publication in [&moves, &state] {
            link.unpublish(publication);
        }
        assert!(matches!(soon("PUBLISH_DONE", of_state.recv_group()).await, Ok(None)));
        // The namespace is there as long as a track is.
        link.unpublish(&chat);
        let update = soon("NAMESPACE_DONE", announced.next()).await.unwrap();
        assert_eq!((update.prefix.as_str(), update.kind.is_active()), ("games/room1/up", false));
        assert_eq!(relay.malformed(), 0);
    }
}

#[tokio::test]
async fn what_they_do_not_publish_is_refused_to_us_with_their_reason() {
    for (theirs, ours) in DRAFTS {
        let relay = Relay::open();
        let publisher = Theirs::connect(&relay, theirs).await;
        let broadcast = publisher.publish.create_broadcast("games/room1").unwrap();
        let _track = broadcast.create_track("c7", None).unwrap();
        broadcast.announce(Default::default()).unwrap();
        let mut link = Ours::connect(&relay, ours).await;
        let watcher = Theirs::connect(&relay, theirs).await;
        soon("their announcement", watcher.found.routed("games/room1")).await.unwrap();
        for (namespace, name) in [("games/room1", "none"), ("games/room2", "c7")] {
            let (id, _feed) = link.ask(namespace, Some(name));
            let event = link
                .event(
                    "REQUEST_ERROR",
                    |event| matches!(event, Event::SubscribeRefused { subscription, .. } if *subscription == id),
                )
                .await;
            let Event::SubscribeRefused { reason, .. } = event else { unreachable!() };
            assert_eq!(reason, cc_engine::Reason::DoesNotExist, "their -{theirs}, our {ours:?}: {namespace}/{name}");
        }
    }
}
