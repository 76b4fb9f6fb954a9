//! Randomness: a number for each decision, computed from (seed, stream, decision) and nothing else.
//!
//! There is no state to advance, so a decision depends neither on when it is asked for nor on which others were
//! drawn before it: turning jitter on changes no loss.
//! The functions beyond plain arithmetic come from `libm`, whose results are the same on every platform.

use crate::plan::Spread;

/// What a number is for. Each purpose has numbers of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Independent = 1,
    GilbertStep = 2,
    GilbertLoss = 3,
    TraceLoss = 4,
    Corrupt = 5,
    CorruptBit = 6,
    Duplicate = 7,
    Jitter = 8,
    Reorder = 9,
}

/// All the numbers of one pipe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    key: u64,
}

/// 2^64 divided by the golden ratio, odd: steps by it spread evenly over all 64-bit values.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads every bit of `x` over all of the result (the finaliser of SplitMix64; a bijection).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Draws {
    /// The numbers of the stream called `name` under `seed`.
    pub(crate) fn new(seed: u64, name: &[u8]) -> Draws {
        let mut key = mix(seed.wrapping_add(GOLDEN));
        for &byte in name {
            key = mix(key ^ u64::from(byte)).wrapping_add(GOLDEN);
        }
        Draws { key: mix(key ^ name.len() as u64) }
    }

    /// The number for decision `number`; `lane` tells apart several of one decision.
    pub(crate) fn at(self, purpose: Purpose, number: u64, lane: u64) -> u64 {
        let decision = mix(self.key ^ number.wrapping_mul(GOLDEN));
        mix(decision.wrapping_add((purpose as u64) << 32 | lane).wrapping_mul(GOLDEN) ^ self.key)
    }

    /// Even in (0, 1].
    fn unit(self, purpose: Purpose, number: u64, lane: u64) -> f64 {
        ((self.at(purpose, number, lane) >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// True in `percent` of 100 cases; always at 100, never at 0.
    pub(crate) fn chance(self, purpose: Purpose, number: u64, percent: f64) -> bool {
        percent > 0.0 && self.unit(purpose, number, 0) <= percent / 100.0
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(self, purpose: Purpose, number: u64, lane: u64, bound: u64) -> u64 {
        ((u128::from(self.at(purpose, number, lane)) * u128::from(bound)) >> 64) as u64
    }

    /// A draw of `spread` for packet `number`, in microseconds. Copies of a packet draw apart.
    pub(crate) fn jitter(self, spread: &Spread, number: u64, copy: bool) -> f64 {
        let lane = u64::from(copy) * 8;
        match *spread {
            Spread::Constant { us } => us,
            Spread::Uniform { us } => us * (2.0 * self.unit(Purpose::Jitter, number, lane) - 1.0),
            Spread::Normal { sd } => sd * self.normal(number, lane),
            Spread::Pareto { scale, shape, max } => self.pareto(number, lane, scale, shape, max),
            Spread::ParetoNormal { scale, shape, max, sd } => {
                0.75 * self.pareto(number, lane, scale, shape, max) + 0.25 * sd * self.normal(number, lane + 1)
            }
        }
    }

    /// Standard normal, by the method of Box and Muller.
    fn normal(self, number: u64, lane: u64) -> f64 {
        let radius = (-2.0 * libm::log(self.unit(Purpose::Jitter, number, lane))).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit(Purpose::Jitter, number, lane + 4))
    }

    fn pareto(self, number: u64, lane: u64, scale: f64, shape: f64, max: f64) -> f64 {
        let factor = libm::exp(-libm::log(self.unit(Purpose::Jitter, number, lane)) / shape);
        (scale * (factor - 1.0)).min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_independent_of_each_other() {
        let draws = Draws::new(7, b"a>b");
        let count = 100_000u64;
        let mean = |purpose| (0..count).map(|n| draws.unit(purpose, n, 0)).sum::<f64>() / count as f64;
        assert!((mean(Purpose::Independent) - 0.5).abs() < 0.005);
        assert!((mean(Purpose::Jitter) - 0.5).abs() < 0.005);
        let both = (0..count)
            .filter(|&n| draws.chance(Purpose::Independent, n, 30.0) && draws.chance(Purpose::GilbertLoss, n, 30.0))
            .count() as f64;
        assert!((both / count as f64 - 0.09).abs() < 0.005);
        let next = (0..count)
            .filter(|&n| draws.chance(Purpose::Independent, n, 30.0) && draws.chance(Purpose::Independent, n + 1, 30.0))
            .count() as f64;
        assert!((next / count as f64 - 0.09).abs() < 0.005);
    }

    #[test]
    fn seeds_and_names_give_other_numbers() {
        let one = |seed, name: &[u8]| Draws::new(seed, name).at(Purpose::Jitter, 0, 0);
        let all = [one(1, b"a"), one(2, b"a"), one(1, b"b"), one(1, b""), one(1, b"aa")];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn numbers_are_the_same_on_every_platform() {
        let draws = Draws::new(1, b"golden");
        let spread = Spread::ParetoNormal { scale: 4000.0, shape: 2.5, max: 1e6, sd: 3000.0 };
        let seen: Vec<i64> = (0..4).map(|n| draws.jitter(&spread, n, false).round() as i64).collect();
        assert_eq!(seen, GOLDEN_JITTER);
    }

    const GOLDEN_JITTER: [i64; 4] = [651, 1030, 6453, 977];
}
