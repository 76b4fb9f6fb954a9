//! The streams of a queue's subgroups that are open.

use cc_fanout::queue::SubgroupKey;
use cc_session::StreamId;

/// Slots that are kept while no stream is open.
const KEPT: usize = 16;

/// Streams by subgroup, each found by its slot in the queue. A subgroup that has ended in the queue keeps its stream
/// until that has arrived, or another takes its slot.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    slots: Vec<Option<(SubgroupKey, StreamId)>>,
}

impl Opened {
    pub(crate) fn get(&self, key: SubgroupKey) -> Option<StreamId> {
        self.slots.get(key.slot()).copied().flatten().filter(|(other, _)| *other == key).map(|(_, stream)| stream)
    }

    pub(crate) fn insert(&mut self, key: SubgroupKey, stream: StreamId) {
        let slot = key.slot();
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some((key, stream));
    }

    pub(crate) fn remove(&mut self, key: SubgroupKey) -> Option<StreamId> {
        let stream = self.get(key)?;
        self.slots[key.slot()] = None;
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        // What a burst took is given back with the last of it.
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Vec::new();
        }
        Some(stream)
    }

    pub(crate) fn clear(&mut self) {
        self.slots = Vec::new();
    }
}
