//! Slots that are used again, each use told apart by its generation.

/// A vector with a free list. Each item gets a generation that no other has had, so that an index
/// with its generation tells whether the item is still the one that was meant.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
    /// The next generation.
    uses: u32,
}

impl<T> Slab<T> {
    pub fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), uses: 0 }
    }

    /// The new item's index and generation.
    pub fn insert(&mut self, item: T) -> (u32, u32) {
        let generation = self.uses;
        self.uses = self.uses.wrapping_add(1);
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.0 = generation;
            slot.1 = Some(item);
            return (index, generation);
        }
        self.slots.push((generation, Some(item)));
        (self.slots.len() as u32 - 1, generation)
    }

    pub fn remove(&mut self, index: u32) -> Option<T> {
        let item = self.slots.get_mut(index as usize)?.1.take()?;
        self.free.push(index);
        Some(item)
    }

    /// As [`remove`](Self::remove), where nobody wants the item: it is dropped in its place.
    pub fn discard(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            if slot.1.is_some() {
                slot.1 = None;
                self.free.push(index);
            }
        }
    }

    /// Gives the memory back if nothing is in.
    pub fn shrink(&mut self) {
        if self.free.len() == self.slots.len() {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
    }

    /// The slot's index, if it still is what the generation means.
    pub fn resolve(&self, index: u32, generation: u32) -> Option<u32> {
        match self.slots.get(index as usize) {
            Some((current, Some(_))) if *current == generation => Some(index),
            _ => None,
        }
    }

    pub fn generation(&self, index: u32) -> u32 {
        self.slots[index as usize].0
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.1.as_mut())
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| slot.1.as_ref().map(|item| (index as u32, item)))
    }
}

/// By an index that is known to be in use: one that the owner of the slab keeps itself.
impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        self.slots[index as usize].1.as_ref().expect("an index in use")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.slots[index as usize].1.as_mut().expect("an index in use")
    }
}
