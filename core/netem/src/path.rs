//! Both directions between one client and one server, and the NAT that the client sits behind.
//!
//! The contract is the pipe's: `push`, then `pop` until it gives nothing, again at `next_timeout`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::count::Cause;
use crate::pipe::{Delivery, Pipe, Verdict, MAX_PACKETS};
use crate::plan::{NatPlan, Plan};
use crate::{Payload, Time};

/// A way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the client.
    Up,
    /// To the client.
    Down,
}

/// What a path does, checked; cheap to clone.
#[derive(Debug, Clone)]
pub struct PathPlan {
    /// From the client.
    pub up: Arc<Plan>,
    /// To the client.
    pub down: Arc<Plan>,
    /// The client's NAT. None: its address never changes and anybody reaches it.
    pub nat: Option<Arc<NatPlan>>,
}

/// A packet that has arrived at its end of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<P> {
    /// Which way it went.
    pub direction: Direction,
    /// The client's port as the server sees it: 0 at first, another with each rebinding.
    pub binding: u32,
    /// The packet.
    pub packet: Delivery<P>,
}

/// Both directions of one client's path.
#[derive(Debug)]
pub struct Path<P> {
    up: Pipe<Bound<P>>,
    down: Pipe<Bound<P>>,
    nat: Option<Nat>,
    /// What has passed the NAT towards the client and was not popped.
    inside: VecDeque<Delivery<Bound<P>>>,
}

/// A payload and the client's port that it is from or for.
#[derive(Debug, Clone)]
struct Bound<P> {
    binding: u32,
    payload: P,
}

impl<P: Payload> Payload for Bound<P> {
    fn size(&self) -> usize {
        self.payload.size()
    }

    fn flip(&mut self, bit: usize) {
        self.payload.flip(bit);
    }

    fn mark(&mut self) -> bool {
        self.payload.mark()
    }
}

/// One client's port mapping.
#[derive(Debug)]
struct Nat {
    plan: Arc<NatPlan>,
    start: Time,
    /// Rebindings of the plan that have passed.
    passed: usize,
    binding: u32,
    /// When the client last sent through the binding; None: nobody gets in.
    used: Option<Time>,
}

impl Nat {
    fn new(plan: Arc<NatPlan>, start: Time, binding: u32) -> Nat {
        Nat { plan, start, passed: 0, binding, used: None }
    }

    /// Lets bindings end that have ended by `now`.
    fn settle(&mut self, now: Time) {
        let since = now.saturating_sub(self.start);
        while self.plan.rebinds.get(self.passed).is_some_and(|&at| at <= since) {
            self.passed += 1;
            self.end();
        }
        let unused = |(used, idle): (Time, Time)| now.saturating_sub(used) >= idle;
        if self.used.zip(self.plan.idle).is_some_and(unused) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.binding = self.binding.wrapping_add(1);
        self.used = None;
    }

    /// The port that the client's packet at `now` gets.
    fn outward(&mut self, now: Time) -> u32 {
        self.settle(now);
        self.used = self.used.max(Some(now));
        self.binding
    }

    /// Whether a packet for `binding` gets in at `now`.
    fn inward(&mut self, now: Time, binding: u32) -> bool {
        self.settle(now);
        self.used.is_some() && binding == self.binding
    }
}

impl<P: Payload> Path<P> {
    /// The path called `name`. Times in the plan count from `start`.
    pub fn new(plan: &PathPlan, seed: u64, name: &str, start: Time) -> Path<P> {
        Path {
            up: Pipe::from_plan(plan.up.clone(), seed, &format!("{name}/up"), start),
            down: Pipe::from_plan(plan.down.clone(), seed, &format!("{name}/down"), start),
            nat: plan.nat.clone().map(|nat| Nat::new(nat, start, 0)),
            inside: VecDeque::new(),
        }
    }

    /// Another plan from `now` on, its times counting from `now`. The NAT loses its binding, if either plan has one.
    pub fn set_plan(&mut self, now: Time, plan: &PathPlan) {
        self.settle(now);
        self.up.set_plan(now, plan.up.clone());
        self.down.set_plan(now, plan.down.clone());
        let next = self.nat.as_ref().map_or(0, |nat| nat.binding.wrapping_add(1));
        self.nat = plan.nat.clone().map(|nat| Nat::new(nat, now, next));
    }

    /// The client sends.
    pub fn push_up(&mut self, now: Time, payload: P) -> Verdict {
        self.settle(now);
        let binding = self.nat.as_mut().map_or(0, |nat| nat.outward(now));
        self.up.push(now, Bound { binding, payload })
    }

    /// The server sends to the client's port `binding`, as it stands in what it received.
    pub fn push_down(&mut self, now: Time, binding: u32, payload: P) -> Verdict {
        self.settle(now);
        self.down.push(now, Bound { binding, payload })
    }

    /// The next packet that has arrived at either end by `now`, in order of arrival; what goes up is first among
    /// equals.
    pub fn pop(&mut self, now: Time) -> Option<Received<P>> {
        self.settle(now);
        let inside = self.inside.front().map(|packet| packet.due).filter(|&due| due <= now);
        let (direction, packet) = match self.up.pop(inside.unwrap_or(now)) {
            Some(packet) => (Direction::Up, packet),
            None => (Direction::Down, inside.and_then(|_| self.inside.pop_front())?),
        };
        let Delivery { due, sent, number, copy, flips, payload: Bound { binding, payload } } = packet;
        Some(Received { direction, binding, packet: Delivery { due, sent, number, copy, flips, payload } })
    }

    /// When to call `pop` next; None: not before the next `push`.
    pub fn next_timeout(&self) -> Option<Time> {
        let inside = self.inside.front().map(|packet| packet.due);
        [self.up.next_timeout(), self.down.next_timeout(), inside].into_iter().flatten().min()
    }

    /// What one direction did.
    pub fn counters(&self, direction: Direction) -> &crate::Counters {
        match direction {
            Direction::Up => self.up.counters(),
            Direction::Down => self.down.counters(),
        }
    }

    /// Packets and bytes that wait for one direction's bottleneck; as [`Pipe::waiting`].
    pub fn waiting(&self, direction: Direction) -> (usize, u64) {
        match direction {
            Direction::Up => self.up.waiting(),
            Direction::Down => self.down.waiting(),
        }
    }

    /// Keeps events of both directions from now on, or none; as [`Pipe::keep_events`].
    pub fn keep_events(&mut self, keep: bool) {
        self.up.keep_events(keep);
        self.down.keep_events(keep);
    }

    /// One direction's kept events.
    pub fn events(&self, direction: Direction) -> Box<dyn Iterator<Item = &crate::Event> + '_> {
        match direction {
            Direction::Up => Box::new(self.up.events()),
            Direction::Down => Box::new(self.down.events()),
        }
    }

    /// One direction's digest of all events.
    pub fn digest(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.up.digest(),
            Direction::Down => self.down.digest(),
        }
    }

    /// Lets what goes down pass the NAT, each packet at the moment it gets there, event by event, so that the order of
    /// events is that of their times whenever this is called.
    fn settle(&mut self, now: Time) {
        while let Some(at) = self.down.next_timeout().filter(|&at| at <= now) {
            while let Some(packet) = self.down.take(at) {
                self.enter(packet);
            }
        }
    }

    fn enter(&mut self, packet: Delivery<Bound<P>>) {
        let open = self.nat.as_mut().is_none_or(|nat| nat.inward(packet.due, packet.payload.binding));
        if !open {
            self.down.refuse(&packet, Cause::StaleBinding);
        } else if self.inside.len() >= MAX_PACKETS {
            self.down.refuse(&packet, Cause::Overflow);
        } else {
            self.down.count(&packet);
            self.inside.push_back(packet);
        }
    }
}
