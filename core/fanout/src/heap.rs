//! A binary min-heap of small ids, each of which can be moved or removed where it stands.

use std::cmp::Ordering;

/// Ids with a key each; the smallest key is on top. Every change is O(log n), without allocation
/// once it has grown. Keys must differ, or the order among equals depends on the history.
#[derive(Debug)]
pub struct IdHeap<K> {
    items: Vec<(K, u32)>,
    /// Place of each id in `items`, or [`ABSENT`].
    places: Vec<u32>,
}

const ABSENT: u32 = u32::MAX;

impl<K: Ord + Copy> Default for IdHeap<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Copy> IdHeap<K> {
    /// An empty heap, without memory.
    pub fn new() -> Self {
        Self { items: Vec::new(), places: Vec::new() }
    }

    /// The smallest key, and whose it is.
    pub fn top(&self) -> Option<(K, u32)> {
        self.items.first().copied()
    }

    /// Puts `id` in with `key`, or moves it there.
    pub fn set(&mut self, id: u32, key: K) {
        let slot = id as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, ABSENT);
        }
        let place = self.places[slot];
        if place == ABSENT {
            self.items.push((key, id));
            self.up(self.items.len() - 1);
        } else {
            let place = place as usize;
            let old = std::mem::replace(&mut self.items[place].0, key);
            match key.cmp(&old) {
                Ordering::Less => self.up(place),
                Ordering::Equal => {}
                Ordering::Greater => self.down(place),
            }
        }
    }

    /// Puts `id` in with a key, or moves it there; takes it out where there is none.
    pub fn put_or_remove(&mut self, id: u32, key: Option<K>) {
        match key {
            Some(key) => self.set(id, key),
            None => self.remove(id),
        }
    }

    /// Takes `id` out, if it is in.
    pub fn remove(&mut self, id: u32) {
        let place = match self.places.get(id as usize) {
            Some(&place) if place != ABSENT => place as usize,
            _ => return,
        };
        self.places[id as usize] = ABSENT;
        let gone = self.items.swap_remove(place).0;
        if place < self.items.len() {
            if self.items[place].0 < gone {
                self.up(place);
            } else {
                self.down(place);
            }
        }
    }

    /// The ids that are in, in no order.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.items.iter().map(|(_, id)| *id)
    }

    /// Takes all out; the memory is kept.
    pub fn clear(&mut self) {
        for (_, id) in self.items.drain(..) {
            self.places[id as usize] = ABSENT;
        }
    }

    /// Gives the memory back if nothing is in.
    pub fn shrink(&mut self) {
        if self.items.is_empty() {
            (self.items, self.places) = (Vec::new(), Vec::new());
        }
    }

    fn up(&mut self, mut place: usize) {
        let moving = self.items[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.items[parent].0 <= moving.0 {
                break;
            }
            self.put(place, self.items[parent]);
            place = parent;
        }
        self.put(place, moving);
    }

    fn down(&mut self, mut place: usize) {
        let moving = self.items[place];
        loop {
            let mut child = 2 * place + 1;
            if child >= self.items.len() {
                break;
            }
            if child + 1 < self.items.len() && self.items[child + 1].0 < self.items[child].0 {
                child += 1;
            }
            if moving.0 <= self.items[child].0 {
                break;
            }
            self.put(place, self.items[child]);
            place = child;
        }
        self.put(place, moving);
    }

    fn put(&mut self, place: usize, item: (K, u32)) {
        self.items[place] = item;
        self.places[item.1 as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::IdHeap;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a map scanned for its least entry.
        #[test]
        fn top_is_the_least_key(steps in prop::collection::vec((0u32..12, prop::option::of(0u16..40)), 1..200)) {
            let mut heap = IdHeap::new();
            let mut model = BTreeMap::new();
            for (id, key) in steps {
                match key {
                    Some(key) => {
                        heap.set(id, (key, id));
                        model.insert(id, key);
                    }
                    None => {
                        heap.remove(id);
                        model.remove(&id);
                    }
                }
                let least = model.iter().map(|(&id, &key)| ((key, id), id)).min();
                prop_assert_eq!(heap.top(), least);
            }
        }
    }
}
