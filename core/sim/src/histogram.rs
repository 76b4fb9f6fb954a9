//! Times counted in buckets of 1/32 octave: a quantile is right within 3.2 percent, at any count.

/// Buckets in one octave.
const STEPS: u64 = 32;
const BITS: u32 = STEPS.trailing_zeros();
/// All 64-bit values fall below this many buckets.
const BUCKETS: usize = (64 - BITS as usize + 1) * STEPS as usize;

/// Times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], count: 0, sum: 0, max: 0 }
    }
}

/// Values below `STEPS` have a bucket each; above, each octave has `STEPS` of them.
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - BITS;
    ((u64::from(shift) + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let first = (bucket % STEPS + STEPS) << shift;
    first + ((1 << shift) - 1)
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// Adds all of another's times.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, add)| *own += add);
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest; 0 of none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// Each bucket that counted anything: the largest value it takes, and how many it has.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(at, count)| (upper(at), *count))
    }

    /// The value that `share` (0 to 1) of all do not exceed, rounded up to its bucket's end; 0 of none.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(at).min(self.max);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket() {
        let mut values: Vec<u64> = (0..64).flat_map(|shift| [1 << shift, (1 << shift) - 1, (1 << shift) + 1]).collect();
        values.push(u64::MAX);
        for value in values {
            let at = bucket(value);
            assert!(at < BUCKETS && value <= upper(at), "{value}");
            assert!(at == 0 || value > upper(at - 1), "{value}");
        }
    }

    #[test]
    fn quantiles_are_near() {
        let mut all = Histogram::default();
        (1..=100_000).for_each(|value| all.add(value));
        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
            let seen = all.quantile(share) as f64;
            assert!((0.0..=0.032).contains(&(seen / exact - 1.0)), "{share}: {seen}");
        }
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }
}
