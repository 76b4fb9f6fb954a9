//! Inputs without coverage: a seeded generator, and changes of the kinds that find parser bugs.

/// A small generator of random numbers (xorshift64*), the same on every machine.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator that repeats from `seed`.
    pub fn new(seed: u64) -> Self {
        Rng(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.draw() >> 33) as usize % limit.max(1)
    }
}

/// Varints at the edges of their forms, lengths at the drafts' limits, and the types of streams and messages.
const TOKENS: &[&[u8]] = &[
    &[0x00],
    &[0x7f],
    &[0x80, 0x80],
    &[0xbf, 0xff],
    &[0xdf, 0xff, 0xff],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff; 9],
    &[0x90, 0x00],
    &[0x90, 0x01],
    &[0x84, 0x00],
    &[0xc0, 0xff, 0xff],
    &[0xaf, 0x00],
    &[0xf1, 0x32, 0xb3, 0xe2, 0x8],
];

/// Makes new inputs of old ones.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    pool: Vec<Vec<u8>>,
    max_len: usize,
}

impl Mutator {
    /// Over `pool`, or over the empty input if there is nothing in it; results have at most `max_len` bytes.
    pub fn new(seed: u64, mut pool: Vec<Vec<u8>>, max_len: usize) -> Self {
        if pool.is_empty() {
            pool.push(Vec::new());
        }
        Mutator { rng: Rng::new(seed), pool, max_len }
    }

    /// The next input: one of the pool, changed in one to eight places.
    pub fn next_input(&mut self) -> Vec<u8> {
        let at = self.rng.below(self.pool.len());
        let mut input = self.pool[at].clone();
        for _ in 0..1 << self.rng.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.max_len);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let rng = &mut self.rng;
        let at = rng.below(input.len() + 1);
        let kind = if at == input.len() { 4 + rng.below(5) } else { rng.below(9) };
        match kind {
            0 => input[at] ^= 1 << rng.below(8),
            1 => input[at] = rng.draw() as u8,
            2 => input[at] = input[at].wrapping_add(rng.below(17) as u8).wrapping_sub(8),
            3 => {
                let end = at + 1 + rng.below((input.len() - at).min(16));
                input.drain(at..end);
            }
            4 => {
                let token = TOKENS[rng.below(TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
            5 => {
                let token = TOKENS[rng.below(TOKENS.len())];
                let end = (at + token.len()).min(input.len());
                input.splice(at..end, token.iter().copied());
            }
            6 => {
                let fresh: Vec<u8> = (0..1 + rng.below(12)).map(|_| rng.draw() as u8).collect();
                input.splice(at..at, fresh);
            }
            7 => {
                let from = rng.below(input.len() + 1);
                let part = input[from..input.len().min(from + 1 + rng.below(24))].to_vec();
                input.splice(at..at, part);
            }
            _ => {
                let other = &self.pool[rng.below(self.pool.len())];
                let from = rng.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}
