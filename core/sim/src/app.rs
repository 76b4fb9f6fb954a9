//! What runs on a node: called by the world, and speaking to the node's engine through [`Ctx`].

use bytes::Bytes;
use cc_engine::{
    Command, Delivery, Engine, Event, LinkConfig, LinkId, Outgoing, Place, PublicationId, PublicationShared,
    SubscribeConfig, SubscriptionId, Time, TrackConfig, Trust,
};
use cc_wire::Namespace;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::log::{Label, Log, Record};
use crate::random::Rng;
use crate::topology::NodeId;

/// A node's application. It outlives its engine: after a restart `start` is called again.
///
/// Everything it does must follow from what it is told and from [`Ctx::rng`]: no clock, no other randomness, no
/// iteration over a `HashMap`.
pub trait App {
    /// The node's engine is new: nothing is published, subscribed or dialled.
    fn start(&mut self, ctx: &mut Ctx<'_>);

    /// A tick is due; `number` counts from 0 since the node's last start, paused ones included.
    fn tick(&mut self, ctx: &mut Ctx<'_>, number: u64);

    /// The engine reports something.
    fn event(&mut self, ctx: &mut Ctx<'_>, event: &Event);

    /// A frame or message came.
    fn frame(&mut self, ctx: &mut Ctx<'_>, frame: &Delivery);
}

/// A node as its application sees it.
pub struct Ctx<'a> {
    pub(crate) now: Time,
    pub(crate) label: &'a Label,
    pub(crate) engine: &'a mut Engine,
    pub(crate) rng: &'a mut Rng,
    pub(crate) log: &'a mut Log,
    pub(crate) addresses: &'a [SocketAddr],
    pub(crate) trust: &'a Trust,
    pub(crate) secret: [u8; 32],
    /// Whether the engine was told anything.
    pub(crate) spoke: bool,
}

impl Ctx<'_> {
    /// Virtual time, microseconds since the world's start.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.label.name
    }

    /// The node's own random numbers.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    /// A line in the log.
    pub fn note(&mut self, text: &str) {
        self.log.add(self.now, self.label, Record::Note(text));
    }

    /// Says something to the engine.
    pub fn command(&mut self, command: Command) {
        self.spoke = true;
        self.engine.command(self.now, command);
    }

    /// A link's usual configuration towards a node: trusted, dialled again for ever. An unknown node has no address.
    pub fn link(&self, to: NodeId) -> LinkConfig {
        let address = self.addresses.get(to).copied();
        LinkConfig {
            addresses: address.into_iter().collect(),
            server_name: "localhost".into(),
            authority: address.map(|address| address.to_string()).unwrap_or_default(),
            path: "/".into(),
            token: None,
            trust: self.trust.clone(),
            resume_secret: Bytes::copy_from_slice(&self.secret),
            profiles: Vec::new(),
            reconnect: true,
            connect_timeout: 10_000_000,
            backoff: (100_000, 2_000_000),
            reconnect_limit: 0,
            uplink: false,
        }
    }

    /// Dials a node.
    pub fn dial(&mut self, link: LinkId, to: NodeId) {
        let config = self.link(to);
        self.command(Command::OpenLink(link, Box::new(config)));
    }

    /// Publishes a track.
    pub fn publish(&mut self, id: PublicationId, place: Place, config: TrackConfig) {
        let shared = Arc::new(PublicationShared::default());
        self.command(Command::Publish(id, place, Box::new(config), shared));
    }

    /// Sends one frame or message with its track's priority and time to live.
    pub fn send(&mut self, publication: PublicationId, payload: Bytes) {
        let outgoing = Outgoing {
            publication,
            payload,
            properties: Bytes::new(),
            priority: None,
            ttl: None,
            new_group: false,
            end_group: false,
        };
        self.command(Command::Send(outgoing));
    }

    /// Subscribes to all tracks under a prefix.
    pub fn subscribe(&mut self, id: SubscriptionId, place: Place, namespace: Namespace) {
        let config = SubscribeConfig {
            namespace,
            name: None,
            capability: Bytes::new(),
            priority: 128,
            order: None,
            rendezvous_ms: 0,
            token: None,
        };
        self.command(Command::Subscribe(id, place, Box::new(config)));
    }
}
