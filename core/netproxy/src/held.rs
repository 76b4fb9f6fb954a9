//! What the paths carry: bytes that count against one bound for all clients together.

use std::cell::Cell;
use std::rc::Rc;

use cc_netem::Payload;

/// Room for packets under way, shared by all of them.
#[derive(Debug, Clone)]
pub struct Room {
    used: Rc<Cell<usize>>,
    most: usize,
}

/// A packet under way; its bytes are given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Vec<u8>,
    room: Room,
}

impl Room {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> Room {
        Room { used: Rc::default(), most }
    }

    /// Takes a packet in; None: there is no room.
    pub fn hold(&self, bytes: &[u8]) -> Option<Held> {
        let fits = self.used.get() + bytes.len() <= self.most;
        fits.then(|| self.keep(bytes.to_vec()))
    }

    fn keep(&self, bytes: Vec<u8>) -> Held {
        self.used.set(self.used.get() + bytes.len());
        Held { bytes, room: self.clone() }
    }
}

impl Held {
    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A second copy counts too, even where it goes beyond the bound: the model decides on copies.
impl Clone for Held {
    fn clone(&self) -> Held {
        self.room.keep(self.bytes.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.used.set(self.room.used.get() - self.bytes.len());
    }
}

impl Payload for Held {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn flip(&mut self, bit: usize) {
        self.bytes.flip(bit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_room_comes_back() {
        let room = Room::new(10);
        let first = room.hold(&[0; 6]).expect("fits");
        assert!(room.hold(&[0; 5]).is_none());
        let copy = first.clone();
        assert_eq!(room.used.get(), 12);
        drop((first, copy));
        assert_eq!(room.hold(&[7; 10]).expect("fits").bytes(), [7; 10]);
    }
}
