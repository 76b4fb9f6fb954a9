//! Requests as an independent codec writes them, and our relay's answers as it reads them.

use cc_interop::raw::int;
use cc_interop::Relay;
use cc_wire::codes;

macro_rules! requests {
    ($draft:ident) => {
        mod $draft {
            use super::{codes, int, Relay};
            use cc_interop::raw::$draft as raw;
            use moqtap_codec::types::TrackNamespace;
            use moqtap_codec::$draft::message::{self, ControlMessage};

            fn subscribe(peer: &mut raw::Peer, namespace: &[&str], name: &str) -> ControlMessage {
                ControlMessage::Subscribe(message::Subscribe {
                    request_id: peer.id(),
                    track_namespace: raw::namespace_of(namespace),
                    track_name: name.as_bytes().to_vec(),
                    parameters: Vec::new(),
                })
            }

            fn status(peer: &mut raw::Peer, namespace: &[&str], name: &str) -> ControlMessage {
                ControlMessage::TrackStatus(message::TrackStatus {
                    request_id: peer.id(),
                    track_namespace: raw::namespace_of(namespace),
                    track_name: name.as_bytes().to_vec(),
                    parameters: Vec::new(),
                })
            }

            fn watch(peer: &mut raw::Peer, prefix: &[&str]) -> ControlMessage {
                ControlMessage::SubscribeNamespace(message::SubscribeNamespace {
                    request_id: peer.id(),
                    namespace_prefix: raw::namespace_of(prefix),
                    parameters: Vec::new(),
                })
            }

            async fn refusal(request: &mut raw::Request) -> u64 {
                match request.answers.next().await {
                    ControlMessage::RequestError(error) => error.error_code.into_inner(),
                    other => panic!("no REQUEST_ERROR: {other:?}"),
                }
            }

            async fn namespace(request: &mut raw::Request) -> (bool, TrackNamespace) {
                match request.answers.next().await {
                    ControlMessage::Namespace(it) => (true, it.namespace_suffix),
                    ControlMessage::NamespaceDone(it) => (false, it.namespace_suffix),
                    other => panic!("no NAMESPACE: {other:?}"),
                }
            }

            #[tokio::test]
            async fn what_nobody_publishes_does_not_exist() {
                let relay = Relay::open();
                let mut peer = raw::Peer::connect(&relay).await;
                let asked = subscribe(&mut peer, &["games", "room1"], "c7");
                assert_eq!(refusal(&mut peer.ask(asked).await).await, codes::request_error::DOES_NOT_EXIST);
                let asked = status(&mut peer, &["games", "room1"], "c7");
                assert_eq!(refusal(&mut peer.ask(asked).await).await, codes::request_error::DOES_NOT_EXIST);
            }

            #[tokio::test]
            async fn published_tracks_have_a_status_and_a_namespace() {
                let relay = Relay::open();
                let mut early = raw::Peer::connect(&relay).await;
                let mut publisher = raw::Peer::connect(&relay).await;
                let asked = watch(&mut early, &["games"]);
                let mut watching = early.ask(asked).await;
                assert!(matches!(watching.answers.next().await, ControlMessage::RequestOk(_)));
                let one = publisher.publish((&["games", "room1"], "a"), 1, Vec::new()).await;
                assert_eq!(namespace(&mut watching).await, (true, raw::namespace_of(&["room1"])));
                // A second track of the namespace says nothing new; another namespace does.
                let two = publisher.publish((&["games", "room1"], "b"), 2, Vec::new()).await;
                let _other = publisher.publish((&["games", "room2"], "a"), 3, Vec::new()).await;
                assert_eq!(namespace(&mut watching).await, (true, raw::namespace_of(&["room2"])));
                // Who asks later is told of what is there, its own too.
                let asked = watch(&mut publisher, &[]);
                let mut late = publisher.ask(asked).await;
                assert!(matches!(late.answers.next().await, ControlMessage::RequestOk(_)));
                assert_eq!(namespace(&mut late).await, (true, raw::namespace_of(&["games", "room1"])));
                assert_eq!(namespace(&mut late).await, (true, raw::namespace_of(&["games", "room2"])));
                let asked = status(&mut early, &["games", "room1"], "a");
                assert!(matches!(early.ask(asked).await.answers.next().await, ControlMessage::RequestOk(_)));
                // The namespace goes with its last track.
                for track in [one, two] {
                    let done = message::PublishDone {
                        status_code: int(codes::publish_done::TRACK_ENDED),
                        stream_count: int(0),
                        reason_phrase: Vec::new(),
                    };
                    track.send(ControlMessage::PublishDone(done)).unwrap();
                }
                assert_eq!(namespace(&mut watching).await, (false, raw::namespace_of(&["room1"])));
                assert_eq!(namespace(&mut late).await, (false, raw::namespace_of(&["games", "room1"])));
            }

            #[tokio::test]
            async fn an_announced_namespace_is_one_with_its_published_tracks() {
                let relay = Relay::open();
                let (mut watcher, mut publisher) = (raw::Peer::connect(&relay).await, raw::Peer::connect(&relay).await);
                let asked = watch(&mut watcher, &["games"]);
                let mut watching = watcher.ask(asked).await;
                assert!(matches!(watching.answers.next().await, ControlMessage::RequestOk(_)));
                let announce = message::PublishNamespace {
                    request_id: publisher.id(),
                    track_namespace: raw::namespace_of(&["games", "room1"]),
                    parameters: Vec::new(),
                };
                let mut announced = publisher.ask(ControlMessage::PublishNamespace(announce)).await;
                assert!(matches!(announced.answers.next().await, ControlMessage::RequestOk(_)));
                assert_eq!(namespace(&mut watching).await, (true, raw::namespace_of(&["room1"])));
                let track = publisher.publish((&["games", "room1"], "a"), 1, Vec::new()).await;
                // The announcement is withdrawn, the track stays: nothing changes for who watches.
                announced.cancel();
                let _other = publisher.publish((&["games", "room2"], "a"), 2, Vec::new()).await;
                assert_eq!(namespace(&mut watching).await, (true, raw::namespace_of(&["room2"])));
                drop(track);
                assert_eq!(namespace(&mut watching).await, (false, raw::namespace_of(&["room1"])));
            }

            #[tokio::test]
            async fn namespaces_beyond_the_grants_are_not_told() {
                let relay = Relay::guarded();
                let (mut watcher, ()) = tokio::join!(raw::Peer::connect(&relay), relay.admit("games/room1"));
                let (mut publisher, ()) = tokio::join!(raw::Peer::connect(&relay), relay.admit("/"));
                let asked = watch(&mut watcher, &["games"]);
                let mut watching = watcher.ask(asked).await;
                assert!(matches!(watching.answers.next().await, ControlMessage::RequestOk(_)));
                let hidden = publisher.publish((&["games", "room2"], "a"), 1, Vec::new()).await;
                let shown = publisher.publish((&["games", "room1", "up"], "a"), 2, Vec::new()).await;
                assert_eq!(namespace(&mut watching).await, (true, raw::namespace_of(&["room1", "up"])));
                drop(hidden);
                drop(shown);
                assert_eq!(namespace(&mut watching).await, (false, raw::namespace_of(&["room1", "up"])));
                let elsewhere = watch(&mut watcher, &["other"]);
                assert_eq!(refusal(&mut watcher.ask(elsewhere).await).await, codes::request_error::UNAUTHORIZED);
            }

            #[tokio::test]
            async fn prefixes_that_overlap_and_names_that_are_taken_are_refused() {
                let relay = Relay::open();
                let (mut one, mut other) = (raw::Peer::connect(&relay).await, raw::Peer::connect(&relay).await);
                let asked = watch(&mut one, &["games"]);
                let mut watching = one.ask(asked).await;
                assert!(matches!(watching.answers.next().await, ControlMessage::RequestOk(_)));
                for prefix in [&["games", "room1"][..], &[]] {
                    let asked = watch(&mut one, prefix);
                    assert_eq!(refusal(&mut one.ask(asked).await).await, codes::request_error::PREFIX_OVERLAP);
                }
                let _track = one.publish((&["games", "room1"], "a"), 1, Vec::new()).await;
                let publish = message::Publish {
                    request_id: other.id(),
                    track_namespace: raw::namespace_of(&["games", "room1"]),
                    track_name: b"a".to_vec(),
                    track_alias: int(1),
                    parameters: Vec::new(),
                    track_properties: Vec::new(),
                };
                refusal(&mut other.ask(ControlMessage::Publish(publish)).await).await;
            }

            #[tokio::test]
            async fn a_message_that_no_request_begins_with_closes_the_session() {
                let relay = Relay::open();
                let mut peer = raw::Peer::connect(&relay).await;
                let parameters = Vec::new();
                let ok = message::RequestOk { parameters, track_properties: Vec::new() };
                let _request = peer.ask(ControlMessage::RequestOk(ok)).await;
                let quinn::ConnectionError::ApplicationClosed(close) = peer.closed().await else {
                    panic!("not closed")
                };
                assert_eq!(close.error_code.into_inner(), codes::session::PROTOCOL_VIOLATION);
            }
        }
    };
}

requests!(draft18);
requests!(draft22);
