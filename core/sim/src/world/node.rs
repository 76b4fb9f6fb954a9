//! One node of a world: its engine while it runs, its application, and what waits for it.

use std::collections::VecDeque;

use cc_engine::{Delivery, Engine, Event, Time};

use crate::log::Label;
use crate::random::{self, Rng};
use crate::topology::{NodeId, NodeSpec, PathId};

/// What an engine has for its application.
pub(super) enum Inbound {
    Event(Event),
    Frame(Delivery),
}

pub(super) struct Node<A> {
    pub(super) spec: NodeSpec,
    pub(super) label: Label,
    /// None while it is down.
    pub(super) engine: Option<Engine>,
    pub(super) app: A,
    pub(super) rng: Rng,
    /// What its peer id follows from, in all its lives.
    pub(super) secret: [u8; 32],
    /// How often it was killed.
    pub(super) life: u32,
    /// When its engine's timer is planned.
    pub(super) timer: Option<Time>,
    pub(super) paused: bool,
    /// What came while it was paused.
    pub(super) inbox: VecDeque<Inbound>,
    /// When this life's first tick was or is.
    pub(super) first_tick: Time,
    /// Ticks of this life that have been.
    pub(super) ticks: u64,
    /// The path to each node, as far as there is one.
    paths: Vec<Option<PathId>>,
}

impl<A> Node<A> {
    pub(super) fn new(spec: NodeSpec, app: A, seed: u64) -> Node<A> {
        Node {
            label: Label::new(&spec.name),
            engine: None,
            app,
            rng: Rng::new(random::seed(seed, "app", &spec.name, 0)),
            secret: random::seed_bytes(seed, "secret", &spec.name, 0),
            life: 0,
            timer: None,
            paused: false,
            inbox: VecDeque::new(),
            first_tick: 0,
            ticks: 0,
            paths: Vec::new(),
            spec,
        }
    }

    /// There is a path to that node.
    pub(super) fn learn(&mut self, to: NodeId, path: PathId) {
        if self.paths.len() <= to {
            self.paths.resize(to + 1, None);
        }
        self.paths[to] = Some(path);
    }

    pub(super) fn path_to(&self, to: NodeId) -> Option<PathId> {
        self.paths.get(to).copied().flatten()
    }

    /// The next thing that the engine has for the application: events first, as they say what frames belong to.
    pub(super) fn poll(&mut self) -> Option<Inbound> {
        let engine = self.engine.as_mut()?;
        engine.poll_event().map(Inbound::Event).or_else(|| engine.poll_delivery().map(Inbound::Frame))
    }
}
