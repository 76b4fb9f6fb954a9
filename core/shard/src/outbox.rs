//! What the owner hears: a bounded queue of events, and the descriptor that says when to look.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use cc_engine::Event;

use crate::bell::Bell;
use crate::lock::lock;

/// Most events that wait to be polled.
pub(crate) const EVENTS: usize = 65_536;

/// Something that happened on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// The engine's.
    Engine(Event),
    /// The node's thread ended by a fault; every further call answers [`NodeError::Closed`](crate::NodeError::Closed).
    Failed(String),
}

/// Events that wait, and the owner's waker.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// Set from the first news until the next poll, so that a burst of news is one wake.
    signalled: AtomicBool,
    /// Whether frames are news: they are not for an owner that drains by its own clock.
    frames: AtomicBool,
    bell: Bell,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<NodeEvent>,
    lost: u64,
}

impl Outbox {
    pub(crate) fn new(bell: Bell) -> Outbox {
        Outbox { queue: Mutex::default(), signalled: AtomicBool::new(false), frames: AtomicBool::new(true), bell }
    }

    /// What the owner waits on.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Whether frames wake the owner.
    pub(crate) fn wake_frames(&self, on: bool) {
        self.frames.store(on, Ordering::SeqCst);
    }

    /// Wakes the owner for frames, if they do.
    pub(crate) fn signal_frames(&self) {
        if self.frames.load(Ordering::SeqCst) {
            self.signal();
        }
    }

    /// Adds events under one lock, emptying `events`; beyond the bound they are counted and lost.
    pub(crate) fn push(&self, events: &mut Vec<NodeEvent>) {
        let mut queue = lock(&self.queue);
        let room = EVENTS.saturating_sub(queue.events.len());
        queue.lost += events.len().saturating_sub(room) as u64;
        queue.events.extend(events.drain(..).take(room));
    }

    /// Adds the node's last event, whatever the bound.
    pub(crate) fn push_last(&self, event: NodeEvent) {
        lock(&self.queue).events.push_back(event);
        self.signal();
    }

    /// Wakes the owner, once until it polls.
    pub(crate) fn signal(&self) {
        if !self.signalled.swap(true, Ordering::SeqCst) {
            self.bell.wake();
        }
    }

    /// Moves up to `most` events into `into`. News that comes after the look wakes again.
    pub(crate) fn poll(&self, most: usize, into: &mut Vec<NodeEvent>) {
        // Cleared only when it is set: an owner that polls each tick and finds nothing makes no system call.
        if self.signalled.load(Ordering::SeqCst) {
            self.bell.clear();
            self.signalled.store(false, Ordering::SeqCst);
        }
        let more = {
            let mut queue = lock(&self.queue);
            let count = most.min(queue.events.len());
            into.extend(queue.events.drain(..count));
            if queue.lost > 0 && count < most {
                let lost = std::mem::take(&mut queue.lost);
                into.push(NodeEvent::Engine(Event::Warning {
                    text: format!("{lost} events were lost, {EVENTS} waited: poll the node more often"),
                }));
            }
            !queue.events.is_empty() || queue.lost > 0
        };
        if more {
            self.signal();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(n: usize) -> NodeEvent {
        NodeEvent::Engine(Event::Warning { text: n.to_string() })
    }

    #[test]
    fn what_is_beyond_the_bound_is_told_once_in_one_line() {
        let outbox = Outbox::new(Bell::waker().unwrap());
        let mut many: Vec<_> = (0..EVENTS + 7).map(warning).collect();
        outbox.push(&mut many);
        assert!(many.is_empty());
        let mut got = Vec::new();
        outbox.poll(EVENTS, &mut got);
        assert_eq!(got.len(), EVENTS);
        assert_eq!(got[EVENTS - 1], warning(EVENTS - 1));
        got.clear();
        outbox.poll(10, &mut got);
        assert_eq!(got.len(), 1);
        assert!(
            matches!(&got[0], NodeEvent::Engine(Event::Warning { text }) if text.starts_with("7 events were lost"))
        );
        got.clear();
        outbox.poll(10, &mut got);
        assert!(got.is_empty());
    }

    #[test]
    fn frames_wake_only_an_owner_who_wants_them() {
        let outbox = Outbox::new(Bell::waker().unwrap());
        outbox.wake_frames(false);
        outbox.signal_frames();
        assert!(!outbox.signalled.load(Ordering::SeqCst));
        outbox.signal();
        assert!(outbox.signalled.load(Ordering::SeqCst), "events always do");
        outbox.poll(1, &mut Vec::new());
        outbox.wake_frames(true);
        outbox.signal_frames();
        assert!(outbox.signalled.load(Ordering::SeqCst));
    }

    #[test]
    fn a_partial_poll_leaves_the_owner_woken() {
        let outbox = Outbox::new(Bell::waker().unwrap());
        outbox.push(&mut vec![warning(0), warning(1)]);
        outbox.signal();
        let mut got = Vec::new();
        outbox.poll(1, &mut got);
        assert!(outbox.signalled.load(Ordering::SeqCst));
        outbox.poll(1, &mut got);
        assert!(!outbox.signalled.load(Ordering::SeqCst));
        assert_eq!(got, [warning(0), warning(1)]);
    }
}
