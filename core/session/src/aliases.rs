//! Track aliases of the peer's: which subscription a subgroup or datagram belongs to
//! (section "Track Alias").
//!
//! An alias is held by the subscriptions that were given it. Several may hold one: later drafts
//! let subscriptions to the same track share an alias, and data then goes to the one that has
//! held it longest. After the last is gone the alias is remembered for a while, so that what is
//! still on its way is thrown away quietly instead of waiting for a subscription to come.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{RequestKey, Time};

/// Ended aliases remembered at most.
const MAX_RETIRED: usize = 1024;
/// How long an ended alias is remembered: longer than what the network may hold back.
const RETIRED_FOR: Time = 10_000_000;

/// Where data of an alias goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To this subscription.
    To(RequestKey),
    /// A PUBLISH has named it and is not answered yet.
    Held,
    /// Its subscription is over.
    Retired,
    /// Never heard of.
    Unknown,
}

#[derive(Debug)]
struct Holder {
    key: RequestKey,
    live: bool,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Vec<Holder>,
    retired: Option<Time>,
}

#[derive(Debug, Default)]
pub(crate) struct Aliases {
    entries: BTreeMap<u64, Entry>,
    /// In order of retirement; entries in use again are skipped when their turn comes.
    retired: VecDeque<(Time, u64)>,
}

impl Aliases {
    pub fn route(&self, alias: u64, now: Time) -> Route {
        let Some(entry) = self.entries.get(&alias) else { return Route::Unknown };
        match entry.holders.iter().find(|holder| holder.live) {
            Some(holder) => Route::To(holder.key),
            None if !entry.holders.is_empty() => Route::Held,
            None if entry.retired.is_some_and(|at| now < at + RETIRED_FOR) => Route::Retired,
            None => Route::Unknown,
        }
    }

    /// The subscriptions that hold an alias, longest first.
    pub fn holders(&self, alias: u64) -> impl Iterator<Item = RequestKey> + '_ {
        self.entries.get(&alias).into_iter().flat_map(|entry| entry.holders.iter().map(|h| h.key))
    }

    /// Gives an alias to a subscription; `live` once its data may be delivered.
    pub fn hold(&mut self, alias: u64, key: RequestKey, live: bool) {
        let entry = self.entries.entry(alias).or_default();
        entry.retired = None;
        entry.holders.push(Holder { key, live });
    }

    pub fn go_live(&mut self, alias: u64, key: RequestKey) {
        if let Some(entry) = self.entries.get_mut(&alias) {
            for holder in entry.holders.iter_mut().filter(|holder| holder.key == key) {
                holder.live = true;
            }
        }
    }

    pub fn release(&mut self, alias: u64, key: RequestKey, now: Time) {
        let Some(entry) = self.entries.get_mut(&alias) else { return };
        entry.holders.retain(|holder| holder.key != key);
        if entry.holders.is_empty() {
            entry.retired = Some(now);
            self.retired.push_back((now, alias));
        }
        while let Some(&(at, alias)) = self.retired.front() {
            if self.retired.len() <= MAX_RETIRED && now < at + RETIRED_FOR {
                break;
            }
            self.retired.pop_front();
            if self.entries.get(&alias).is_some_and(|entry| entry.retired == Some(at)) {
                self.entries.remove(&alias);
            }
        }
    }

    /// Entries in all, for a test of the bound.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::Slab;

    fn keys(n: usize) -> Vec<RequestKey> {
        let mut slab = Slab::new();
        (0..n).map(|_| RequestKey(slab.insert(()))).collect()
    }

    #[test]
    fn an_alias_goes_from_held_to_live_to_retired_to_unknown() {
        let key = keys(1)[0];
        let mut aliases = Aliases::default();
        assert_eq!(aliases.route(7, 0), Route::Unknown);
        aliases.hold(7, key, false);
        assert_eq!(aliases.route(7, 0), Route::Held);
        aliases.go_live(7, key);
        assert_eq!(aliases.route(7, 0), Route::To(key));
        aliases.release(7, key, 5);
        assert_eq!(aliases.route(7, 5), Route::Retired);
        assert_eq!(aliases.route(7, 5 + RETIRED_FOR), Route::Unknown);
    }

    #[test]
    fn a_shared_alias_passes_to_the_next_holder() {
        let keys = keys(2);
        let mut aliases = Aliases::default();
        aliases.hold(1, keys[0], true);
        aliases.hold(1, keys[1], true);
        assert_eq!(aliases.route(1, 0), Route::To(keys[0]));
        aliases.release(1, keys[0], 0);
        assert_eq!(aliases.route(1, 0), Route::To(keys[1]));
    }

    #[test]
    fn the_memory_of_ended_aliases_is_bounded() {
        let key = keys(1)[0];
        let mut aliases = Aliases::default();
        for alias in 0..10_000 {
            aliases.hold(alias, key, true);
            aliases.release(alias, key, 1);
        }
        assert!(aliases.len() <= MAX_RETIRED);
        assert_eq!(aliases.route(9_999, 1), Route::Retired);
        // One alias ended and taken again, over and over, leaves one entry.
        for _ in 0..10_000 {
            aliases.hold(9_999, key, true);
            aliases.release(9_999, key, 2);
        }
        assert!(aliases.len() <= MAX_RETIRED && aliases.retired.len() <= MAX_RETIRED);
    }
}
