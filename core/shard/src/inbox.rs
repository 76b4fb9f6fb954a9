//! What the owner wants done: written by any thread, taken whole by the thread that drives the node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cc_engine::{Command, Outgoing, Place, SubscribeConfig, SubscriptionId};

use crate::bell::Bell;
use crate::config::NodeError;
use crate::feed::Feed;
use crate::lock::lock;

/// Most orders that wait.
pub(crate) const ORDERS: usize = 262_144;
/// Most bytes of frames that wait, payloads and properties: above each publication's own bound one for all of them.
pub(crate) const BYTES: usize = 64 << 20;

/// One thing to do.
pub(crate) enum Order {
    /// For the engine.
    Command(Command),
    /// Subscribe, and put what comes into this feed.
    Subscribe(SubscriptionId, Place, Box<SubscribeConfig>, Arc<Feed>),
    /// The subscription's feed was drained while Text waited for room in it.
    Drained(SubscriptionId),
}

/// The inbox.
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    /// True while the driving thread sleeps or is about to: only then a wake costs a system call.
    asleep: AtomicBool,
    bell: Bell,
}

struct Queue {
    orders: Vec<Order>,
    bytes: usize,
    open: bool,
}

impl Inbox {
    pub(crate) fn new(bell: Bell) -> Inbox {
        Inbox {
            queue: Mutex::new(Queue { orders: Vec::new(), bytes: 0, open: true }),
            asleep: AtomicBool::new(false),
            bell,
        }
    }

    /// What ends the driving thread's sleep.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Adds one order.
    pub(crate) fn push(&self, order: Order) -> Result<(), NodeError> {
        {
            let mut queue = lock(&self.queue);
            if !queue.open {
                return Err(NodeError::Closed);
            }
            if queue.orders.len() >= ORDERS {
                return Err(NodeError::Full);
            }
            queue.orders.push(order);
        }
        self.rouse();
        Ok(())
    }

    /// Adds frames, all with one lock; returns how many had room, the first ones.
    pub(crate) fn send(&self, frames: impl Iterator<Item = Outgoing>) -> Result<usize, NodeError> {
        let mut taken = 0;
        {
            let mut queue = lock(&self.queue);
            if !queue.open {
                return Err(NodeError::Closed);
            }
            for frame in frames {
                let bytes = queue.bytes + frame.payload.len() + frame.properties.len();
                if queue.orders.len() >= ORDERS || bytes > BYTES {
                    break;
                }
                queue.bytes = bytes;
                queue.orders.push(Order::Command(Command::Send(frame)));
                taken += 1;
            }
        }
        if taken > 0 {
            self.rouse();
        }
        Ok(taken)
    }

    /// Swaps what waits into `into`, which must be empty; its room is used for what comes next.
    pub(crate) fn take(&self, into: &mut Vec<Order>) {
        let mut queue = lock(&self.queue);
        queue.bytes = 0;
        std::mem::swap(&mut queue.orders, into);
    }

    /// Says that the driving thread is about to sleep. False: orders wait, don't.
    pub(crate) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        // An order pushed before this look is seen here; one pushed after it sees the flag and wakes.
        let empty = lock(&self.queue).orders.is_empty();
        if !empty {
            self.asleep.store(false, Ordering::SeqCst);
        }
        empty
    }

    /// Says that the driving thread is awake again.
    pub(crate) fn awake(&self, woken: bool) {
        self.asleep.store(false, Ordering::SeqCst);
        if woken {
            self.bell.clear();
        }
    }

    /// Ends the driving thread's sleep, if it sleeps.
    pub(crate) fn rouse(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.bell.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Refuses every further order.
    pub(crate) fn close(&self) {
        lock(&self.queue).open = false;
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        lock(&self.queue).orders.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goaway() -> Order {
        Order::Command(Command::Goaway(String::new(), 0))
    }

    #[test]
    fn a_full_inbox_refuses_and_a_taken_one_has_room_again() {
        let inbox = Inbox::new(Bell::waker().unwrap());
        for _ in 0..ORDERS {
            inbox.push(goaway()).unwrap();
        }
        assert_eq!(inbox.push(goaway()), Err(NodeError::Full));
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        assert_eq!(taken.len(), ORDERS);
        assert_eq!(inbox.push(goaway()), Ok(()));
    }

    #[test]
    fn frames_are_bounded_in_bytes_with_their_properties() {
        let inbox = Inbox::new(Bell::waker().unwrap());
        let frame = || Outgoing {
            publication: 1,
            payload: vec![0; BYTES / 4].into(),
            properties: vec![0; BYTES / 4].into(),
            priority: None,
            ttl: None,
            new_group: false,
            end_group: false,
        };
        assert_eq!(inbox.send((0..3).map(|_| frame())), Ok(2));
        assert_eq!(inbox.send((0..3).map(|_| frame())), Ok(0));
        inbox.take(&mut Vec::new());
        assert_eq!(inbox.send((0..1).map(|_| frame())), Ok(1));
    }

    #[test]
    fn a_sleeper_is_not_let_to_sleep_over_orders() {
        let inbox = Inbox::new(Bell::waker().unwrap());
        assert!(inbox.may_sleep());
        inbox.push(goaway()).unwrap();
        assert!(!inbox.asleep.load(Ordering::SeqCst), "the push took the flag and woke");
        assert!(!inbox.may_sleep());
    }

    #[test]
    fn a_closed_inbox_says_so() {
        let inbox = Inbox::new(Bell::waker().unwrap());
        inbox.close();
        assert_eq!(inbox.push(goaway()), Err(NodeError::Closed));
        assert_eq!(inbox.send(std::iter::empty()), Err(NodeError::Closed));
    }
}
