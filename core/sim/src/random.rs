//! Numbers from a seed: SplitMix64, and seeds for all who need one.

use crate::null::checksum;

/// A small generator; one per node for its application.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// Any 64-bit number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }
}

/// The seed for one purpose of one node in one of its lives.
pub fn seed(world: u64, purpose: &str, name: &str, life: u32) -> u64 {
    checksum(world, &[purpose.as_bytes(), name.as_bytes(), &life.to_le_bytes()]) as u64
}

/// The same, as long as an engine wants it.
pub fn seed_bytes(world: u64, purpose: &str, name: &str, life: u32) -> [u8; 32] {
    let mut rng = Rng::new(seed(world, purpose, name, life));
    let mut out = [0; 32];
    for word in out.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.draw().to_le_bytes());
    }
    out
}
