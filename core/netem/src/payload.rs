//! What a pipe carries: anything with a length whose bits can be flipped.

use bytes::{Bytes, BytesMut};

/// A packet's payload, as long as UDP's.
pub trait Payload: Clone {
    /// Its length in bytes.
    fn size(&self) -> usize;

    /// Inverts one bit. `bit` is below 8 times `size`, counted from the first byte's lowest.
    fn flip(&mut self, bit: usize);

    /// Sets the mark of a router that is congested (ECN's CE, RFC 3168), where its sender takes part; whether it did.
    fn mark(&mut self) -> bool {
        false
    }
}

impl Payload for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }

    fn flip(&mut self, bit: usize) {
        if let Some(byte) = self.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

impl Payload for Bytes {
    fn size(&self) -> usize {
        self.len()
    }

    fn flip(&mut self, bit: usize) {
        let mut own = BytesMut::from(&self[..]);
        if let Some(byte) = own.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        *self = own.freeze();
    }
}

/// A payload that is elsewhere: its number, its length, and how many of its bits were flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opaque {
    /// The caller's own.
    pub id: u64,
    /// In bytes.
    pub len: usize,
    /// Flipped bits.
    pub flips: u32,
}

impl Opaque {
    /// An undamaged one.
    pub fn new(id: u64, len: usize) -> Opaque {
        Opaque { id, len, flips: 0 }
    }
}

impl Payload for Opaque {
    fn size(&self) -> usize {
        self.len
    }

    fn flip(&mut self, _bit: usize) {
        self.flips += 1;
    }
}
