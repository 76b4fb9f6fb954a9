//! The product's own client: one link to a relay.

use std::sync::Arc;

use bytes::Bytes;
use cc_engine::{Command, Event, LinkConfig, Place, SubscribeConfig, TrackConfig, TrackKind, Trust};
use cc_shard::{Fate, Feed, Frame, Node, NodeEvent, Publication};
use cc_wire::{Namespace, Profile, TrackName};

use crate::{relay, until, Relay};

const LINK: u64 = 1;

/// A link at one draft.
pub struct Ours {
    node: Node,
    next: u64,
    seen: Vec<Event>,
}

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// Group id.
    pub group: u64,
    /// Object id.
    pub object: u64,
    /// Publisher priority.
    pub priority: u8,
    /// `cc_engine::flag`s without GAP.
    pub flags: u8,
    /// Object properties, encoded.
    pub properties: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Ours {
    /// Dials the relay, and waits until the link is up.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn connect(to: &Relay, profile: Profile) -> Ours {
        let config = LinkConfig {
            addresses: vec![to.address()],
            server_name: "localhost".into(),
            authority: to.address().to_string(),
            path: "/".into(),
            token: None,
            trust: Trust::Pinned(to.pin),
            resume_secret: Bytes::from_static(b"a secret of this one test"),
            profiles: vec![profile],
            reconnect: false,
            connect_timeout: 10_000_000,
            backoff: (100_000, 1_000_000),
            reconnect_limit: 0,
            uplink: false,
        };
        let mut ours = Ours { node: relay::node(None), next: 1, seen: Vec::new() };
        ours.node.command(Command::OpenLink(LINK, Box::new(config))).expect("an open node");
        ours.event("the link", |event| matches!(event, Event::LinkUp { .. })).await;
        ours
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The first event that `wanted` knows, now or later.
    ///
    /// # Panics
    /// If none comes.
    pub async fn event(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let Ours { node, seen, .. } = self;
        let mut fresh = Vec::new();
        until(what, || {
            node.poll(100, &mut fresh);
            seen.extend(fresh.drain(..).map(|event| match event {
                NodeEvent::Engine(event) => event,
                NodeEvent::Failed(why) => panic!("the node failed: {why}"),
            }));
            seen.iter().find(|event| wanted(event)).cloned()
        })
        .await
    }

    /// Publishes a track and waits for the relay's word.
    ///
    /// # Panics
    /// If the relay does not take it.
    pub async fn publish(&mut self, namespace: &str, name: &str, kind: TrackKind) -> Publication {
        let id = self.id();
        let config = TrackConfig {
            name: TrackName::new(parse(namespace), Bytes::copy_from_slice(name.as_bytes())).expect("a name"),
            kind,
            capability: Bytes::from_static(b"netcode.v1"),
            properties: Bytes::new(),
            priority: 40,
            latest_wins: false,
            datagram: false,
            microsecond_groups: false,
            ttl: None,
            object_timeout_ms: 0,
            subgroup_timeout_ms: 0,
            window_messages: 1024,
            queue_bytes: 1 << 20,
            token: None,
        };
        let publication = self.node.publish(id, Place::Link(LINK), config).expect("an open node");
        self.event("PUBLISH_OK", |event| matches!(event, Event::PublishOk { publication } if *publication == id)).await;
        publication
    }

    /// Ends a publication.
    ///
    /// # Panics
    /// If the node has failed.
    pub fn unpublish(&self, publication: &Publication) {
        self.node.command(Command::Unpublish(publication.id())).expect("an open node");
    }

    /// Sends one frame or message, once somebody wants it.
    ///
    /// # Panics
    /// If nobody ever does.
    pub async fn send(&self, publication: &Publication, payload: &[u8], priority: Option<u8>) {
        let frame =
            Frame { publication, payload, properties: &[], priority, ttl: None, new_group: false, end_group: false };
        until("a subscriber", || {
            let mut fates = [Fate::Closed];
            self.node.send(&[frame], &mut fates);
            (fates[0] == Fate::Queued).then_some(())
        })
        .await;
    }

    /// Subscribes to one track, or to all below a prefix, and waits for the relay's word.
    ///
    /// # Panics
    /// If the relay refuses.
    pub async fn subscribe(&mut self, namespace: &str, name: Option<&str>) -> Arc<Feed> {
        let (id, feed) = self.ask(namespace, name);
        self.event("SUBSCRIBE_OK", |event| matches!(event, Event::SubscribeOk { subscription } if *subscription == id))
            .await;
        feed
    }

    /// Subscribes without waiting: the subscription's number, and its feed.
    ///
    /// # Panics
    /// If the node has failed.
    pub fn ask(&mut self, namespace: &str, name: Option<&str>) -> (u64, Arc<Feed>) {
        let id = self.id();
        let config = SubscribeConfig {
            namespace: parse(namespace),
            name: name.map(|name| Bytes::copy_from_slice(name.as_bytes())),
            capability: Bytes::new(),
            priority: 128,
            order: None,
            rendezvous_ms: 0,
            token: None,
        };
        let feed = self.node.subscribe(id, Place::Link(LINK), config, 1 << 20).expect("an open node");
        (id, feed)
    }
}

fn parse(namespace: &str) -> Namespace {
    Namespace::parse(namespace).expect("a namespace")
}

impl Got {
    /// The next `count` frames of a feed, in the order of their locations.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn collect(feed: &Feed, count: usize) -> Vec<Got> {
        let mut got = Vec::new();
        until("frames", || {
            feed.drain(|records, data, _| {
                got.extend(records.iter().map(|record| {
                    let slice = |at: u32, len: u32| data[at as usize..(at + len) as usize].to_vec();
                    Got {
                        group: record.group,
                        object: record.object,
                        priority: record.priority,
                        flags: record.flags & !cc_engine::flag::GAP,
                        properties: slice(record.properties_at, record.properties_len),
                        payload: slice(record.payload_at, record.payload_len),
                    }
                }));
            });
            (got.len() >= count).then_some(())
        })
        .await;
        got.sort_by_key(|got| (got.group, got.object));
        got
    }
}
