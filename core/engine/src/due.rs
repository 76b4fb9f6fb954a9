//! When each of many things is due, and which is first: known without a look at the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Time;

/// Moments by key, one each.
#[derive(Debug)]
pub(crate) struct Due<K> {
    times: BTreeMap<K, Time>,
    order: BTreeSet<(Time, K)>,
}

impl<K> Default for Due<K> {
    fn default() -> Due<K> {
        Due { times: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Due<K> {
    /// Makes `key` due then, or no more.
    pub(crate) fn set(&mut self, key: K, due: Option<Time>) {
        let before = match due {
            Some(due) => self.times.insert(key, due),
            None => self.times.remove(&key),
        };
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(due) = due {
            self.order.insert((due, key));
        }
    }

    /// When the first is due.
    pub(crate) fn first(&self) -> Option<Time> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes out what is due, in order.
    pub(crate) fn take(&mut self, now: Time) -> Vec<K> {
        let mut due = Vec::new();
        while let Some((at, key)) = self.order.first().copied().filter(|(at, _)| *at <= now) {
            self.order.remove(&(at, key));
            self.times.remove(&key);
            due.push(key);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_known_and_each_is_taken_once() {
        let mut due = Due::default();
        due.set('a', Some(30));
        due.set('b', Some(20));
        due.set('c', Some(10));
        due.set('a', Some(5));
        due.set('b', None);
        due.set('b', None);
        assert_eq!(due.first(), Some(5));
        assert_eq!(due.take(4), []);
        assert_eq!(due.take(10), ['a', 'c']);
        assert_eq!(due.first(), None);
    }
}
