//! A relay changes no Object field (draft -18, "Relays"): every field of every object, as an independent codec wrote it
//! and as it reads it again behind our relay, from each draft to each.

use cc_interop::raw::{draft18, draft22, int, Datagram, Object, Stream};

/// Property ids of the applications' range: a number, and bytes.
const NUMBER: u64 = 0x3900;
const BYTES: u64 = 0x3901;
/// DEFAULT_PUBLISHER_PRIORITY.
const DEFAULT_PRIORITY: u64 = 0x0e;

/// 0x3900 = 5, encoded.
const PROPERTIES: [u8; 3] = [0xb9, 0x00, 5];

fn streams() -> Vec<Stream> {
    let object = |id, properties: &[u8], status, payload: &[u8]| Object {
        id,
        properties: properties.to_vec(),
        status,
        payload: payload.to_vec(),
    };
    vec![
        // Subgroup 5 by name, with properties and a priority; its last object ends the group. Ids have gaps, one object
        // is empty.
        Stream {
            flags: 0x10 | 0x01 | 0x04 | 0x08 | 0x40,
            group: 10,
            subgroup: 5,
            priority: Some(9),
            objects: vec![
                object(3, &PROPERTIES, None, b"three"),
                object(7, &[], None, &[7; 3000]),
                object(8, &[], Some(0), b""),
            ],
        },
        // The subgroup's id is its first object's; the track's priority.
        Stream {
            flags: 0x10 | 0x02 | 0x20 | 0x40,
            group: 10,
            subgroup: 0,
            priority: None,
            objects: vec![object(2, &[], None, b"two"), object(4, &[], None, b"four")],
        },
        // Subgroup 0, whose first objects were never here, and a status that ends the group.
        Stream {
            flags: 0x10,
            group: 11,
            subgroup: 0,
            priority: Some(255),
            objects: vec![object(5, &[], None, b"five"), object(6, &[], Some(3), b"")],
        },
    ]
}

fn datagrams() -> Vec<Datagram> {
    let datagram = |flags, group, object, priority| Datagram {
        flags,
        group,
        object,
        priority,
        properties: Vec::new(),
        status: None,
        payload: b"payload".to_vec(),
    };
    vec![
        Datagram { properties: PROPERTIES.to_vec(), ..datagram(0x01 | 0x02, 12, 6, Some(200)) },
        datagram(0x04 | 0x08, 13, 0, None),
        datagram(0x04, 14, 0, Some(0)),
        Datagram { status: Some(3), payload: Vec::new(), ..datagram(0x20, 15, 9, Some(1)) },
    ]
}

macro_rules! unchanged {
    ($test:ident, $from:ident, $to:ident) => {
        #[tokio::test]
        async fn $test() {
            use cc_interop::Relay;
            use moqtap_codec::kvp::{KeyValuePair, KvpValue};

            let relay = Relay::open();
            let mut publisher = $from::Peer::connect(&relay).await;
            let mut by_name = $to::Peer::connect(&relay).await;
            let mut by_prefix = $to::Peer::connect(&relay).await;
            let properties = vec![
                KeyValuePair { key: int(DEFAULT_PRIORITY), value: KvpValue::Varint(int(99)) },
                KeyValuePair { key: int(NUMBER), value: KvpValue::Varint(int((1 << 53) - 1)) },
                KeyValuePair { key: int(BYTES), value: KvpValue::Bytes(b"\0any bytes\xff".to_vec()) },
            ];
            let track = (&["games", "room1"][..], "raw");
            let said = publisher.publish(track, 77, properties.clone()).await;

            // SUBSCRIBE: the answer has the track's properties as they were published.
            let subscribe = moqtap_codec::$to::message::Subscribe {
                request_id: by_name.id(),
                track_namespace: $to::namespace_of(track.0),
                track_name: track.1.as_bytes().to_vec(),
                parameters: Vec::new(),
            };
            use moqtap_codec::$to::message::ControlMessage as To;
            let mut subscription = by_name.ask(To::Subscribe(subscribe)).await;
            let To::SubscribeOk(ok) = subscription.answers.next().await else { panic!("no SUBSCRIBE_OK") };
            assert_eq!(ok.track_properties, properties);

            // SUBSCRIBE_TRACKS: so has the relay's PUBLISH.
            let watch = moqtap_codec::$to::message::SubscribeTracks {
                request_id: by_prefix.id(),
                namespace_prefix: $to::namespace_of(&["games"]),
                parameters: Vec::new(),
            };
            let mut watching = by_prefix.ask(To::SubscribeTracks(watch)).await;
            assert!(matches!(watching.answers.next().await, To::RequestOk(_)));
            let (mut offer, message) = by_prefix.asked().await;
            let To::Publish(publish) = message else { panic!("no PUBLISH") };
            assert_eq!((publish.track_namespace, publish.track_name), ($to::namespace_of(track.0), b"raw".to_vec()));
            assert_eq!(publish.track_properties, properties);
            let accept = moqtap_codec::$to::message::RequestOk { parameters: Vec::new(), track_properties: Vec::new() };
            offer.say(To::RequestOk(accept)).await;

            let sent = streams();
            for stream in &sent {
                publisher.send(77, stream).await;
            }
            for (subscriber, alias) in [(&by_name, ok.track_alias), (&by_prefix, publish.track_alias)] {
                let mut came = Vec::new();
                for _ in &sent {
                    let (number, stream) = subscriber.receive().await;
                    assert_eq!(number, alias.into_inner());
                    came.push(stream);
                }
                came.sort_by_key(|stream| {
                    sent.iter().position(|other| (other.group, other.flags) == (stream.group, stream.flags))
                });
                assert_eq!(came, sent);
            }
            let sent = datagrams();
            for datagram in &sent {
                publisher.send_datagram(77, datagram);
            }
            for (subscriber, alias) in [(&by_name, ok.track_alias), (&by_prefix, publish.track_alias)] {
                let mut came = Vec::new();
                for _ in &sent {
                    let (number, datagram) = subscriber.receive_datagram().await;
                    assert_eq!(number, alias.into_inner());
                    came.push(datagram);
                }
                came.sort_by_key(|datagram| datagram.group);
                assert_eq!(came, sent);
            }

            // PUBLISH_DONE comes with the number of streams that were really opened.
            let done = moqtap_codec::$from::message::PublishDone {
                status_code: int(2),
                stream_count: int(3),
                reason_phrase: b"over".to_vec(),
            };
            said.send(moqtap_codec::$from::message::ControlMessage::PublishDone(done)).unwrap();
            for request in [&mut subscription, &mut offer] {
                let To::PublishDone(done) = request.answers.next().await else { panic!("no PUBLISH_DONE") };
                assert_eq!((done.status_code.into_inner(), done.stream_count.into_inner()), (2, 3));
            }
            assert_eq!(relay.malformed(), 0);
        }
    };
}

unchanged!(objects_pass_unchanged_at_18, draft18, draft18);
unchanged!(objects_pass_unchanged_at_22, draft22, draft22);
unchanged!(objects_pass_unchanged_from_18_to_22, draft18, draft22);
unchanged!(objects_pass_unchanged_from_22_to_18, draft22, draft18);
