//! Times in fine buckets: 16 for each doubling, so that a quantile is right to 6%.

use cc_netem::Time;
use serde_json::{json, Value};

/// Bits of a time that its bucket keeps, below the highest one.
const BITS: u32 = 4;
const STEPS: u64 = 1 << BITS;
/// Longer times, 36 years and more, share the last bucket.
const LONGEST: Time = (1 << 50) - 1;

/// Times, counted.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    counts: Vec<u64>,
    sum: Time,
    max: Time,
}

impl Spread {
    /// Counts one, in microseconds.
    pub fn add(&mut self, time: Time) {
        let index = bucket(time.min(LONGEST));
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.sum = self.sum.saturating_add(time);
        self.max = self.max.max(time);
    }

    /// `buckets`: [least, most, count] of each that is not empty, ascending.
    pub fn json(&self) -> Value {
        let filled = self.counts.iter().enumerate().filter(|(_, &count)| count > 0);
        let buckets: Vec<Value> =
            filled.map(|(index, count)| json!([least(index), least(index + 1) - 1, count])).collect();
        json!({"buckets": buckets, "sum_us": self.sum, "max_us": self.max})
    }
}

/// Times below twice `STEPS` have a bucket each.
fn bucket(time: Time) -> usize {
    let shift = (time | STEPS).ilog2() - BITS;
    (u64::from(shift) * STEPS + (time >> shift)) as usize
}

/// The least time in a bucket.
fn least(index: usize) -> Time {
    let index = index as u64;
    let shift = (index / STEPS).saturating_sub(1);
    (index - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_join_without_gaps_and_stay_narrow() {
        for index in 0..700 {
            let (from, to) = (least(index), least(index + 1));
            assert_eq!((bucket(from), bucket(to - 1)), (index, index));
            assert!(from < to && (to - from) * 16 <= from.max(16));
        }
    }

    #[test]
    fn what_is_counted_is_told() {
        let mut spread = Spread::default();
        for time in [0, 5000, 5000, u64::MAX] {
            spread.add(time);
        }
        let told = spread.json();
        assert_eq!((&told["buckets"][0], &told["buckets"][1]), (&json!([0, 0, 1]), &json!([4864, 5119, 2])));
        assert_eq!((&told["sum_us"], &told["max_us"]), (&u64::MAX.into(), &u64::MAX.into()));
    }
}
