//! What many holders may hold together: each counts for itself, and all of them against one bound.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// What each may hold whatever the others do, bytes: one that hoards does not starve the rest.
const SHARE: usize = 4096;

/// The bound of all, shared by those it binds.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicUsize::new(0), most })
    }

    /// Bytes held by all.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A holder of at most `most` bytes.
    pub(crate) fn holder(self: &Arc<Budget>, most: usize) -> Held {
        Held { budget: self.clone(), bytes: 0, most }
    }
}

/// One holder's part; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
    most: usize,
}

impl Held {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sub(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Holds just so much.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.sub(self.bytes);
        self.add(bytes);
    }

    /// Whether this holder is over its own bound.
    pub(crate) fn over_own(&self) -> bool {
        self.bytes > self.most
    }

    /// Whether all are over theirs, and this one holds more than its share.
    pub(crate) fn over_all(&self) -> bool {
        self.bytes > SHARE && self.budget.used() > self.budget.most
    }

    /// Whether it is over either.
    pub(crate) fn over(&self) -> bool {
        self.over_own() || self.over_all()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_bound_for_itself_and_with_the_others() {
        let budget = Budget::new(10_000);
        let (mut one, mut two) = (budget.holder(8_000), budget.holder(8_000));
        one.add(8_001);
        assert!(one.over_own());
        one.set(8_000);
        assert!(!one.over());
        two.add(SHARE);
        assert!(one.over_all() && !two.over(), "a small share is left to each");
        drop(one);
        assert_eq!(budget.used(), SHARE);
        two.sub(usize::MAX);
        assert_eq!(budget.used(), 0);
    }
}
