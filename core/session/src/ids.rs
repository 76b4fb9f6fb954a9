//! Request ids (section "Request ID"): the parity of each role, and each id once.
//!
//! Streams arrive in any order, so ids do too, and the id of a stream that was reset before it
//! was read never comes. What has been seen is kept as ranges; when there are too many, the
//! oldest gap is closed, and an id that comes later still from inside it counts as seen.

use std::collections::BTreeMap;

/// Separate ranges remembered at most: one range a gap left by a reset or a stream overtaken.
const MAX_RANGES: usize = 512;

#[derive(Debug)]
pub(crate) struct SeenIds {
    parity: u64,
    /// First to last, in units of two from the parity.
    ranges: BTreeMap<u64, u64>,
}

impl SeenIds {
    /// `parity`: 0 for ids from a client, 1 from a server.
    pub fn new(parity: u64) -> Self {
        Self { parity, ranges: BTreeMap::new() }
    }

    /// Takes note of an id; false if its lowest bit is wrong or it came before.
    pub fn accept(&mut self, id: u64) -> bool {
        if id & 1 != self.parity {
            return false;
        }
        let n = id >> 1;
        let before = self.ranges.range(..=n).next_back().map(|(s, e)| (*s, *e));
        if before.is_some_and(|(_, end)| n <= end) {
            return false;
        }
        let mut start = n;
        let mut end = n;
        if let Some((s, e)) = before {
            if e + 1 == n {
                start = s;
            }
        }
        // n + 1 cannot overflow: n is an id halved.
        if let Some(e) = self.ranges.remove(&(n + 1)) {
            end = e;
        }
        self.ranges.insert(start, end);
        if self.ranges.len() > MAX_RANGES {
            self.close_oldest_gap();
        }
        true
    }

    fn close_oldest_gap(&mut self) {
        if let Some((start, _)) = self.ranges.pop_first() {
            if let Some((_, end)) = self.ranges.pop_first() {
                self.ranges.insert(start, end);
            }
        }
    }

    /// The smallest id of the peer's above all that came.
    pub fn next(&self) -> u64 {
        match self.ranges.last_key_value() {
            Some((_, end)) => (end << 1).saturating_add(2) | self.parity,
            None => self.parity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_once_in_any_order() {
        let mut seen = SeenIds::new(0);
        assert_eq!(seen.next(), 0);
        for id in [0, 4, 2, 10, 8, 6] {
            assert!(seen.accept(id), "{id}");
            assert!(!seen.accept(id), "{id} again");
        }
        assert_eq!(seen.ranges.len(), 1);
        assert_eq!(seen.next(), 12);
        assert!(!seen.accept(3), "the other side's parity");
    }

    #[test]
    fn gaps_are_bounded() {
        let mut seen = SeenIds::new(1);
        for n in 0..10_000u64 {
            assert!(seen.accept(n * 4 + 1));
        }
        assert_eq!(seen.ranges.len(), MAX_RANGES);
        assert!(!seen.accept(3), "inside a closed gap");
        assert!(seen.accept(u64::MAX) && !seen.accept(u64::MAX));
        assert_eq!(seen.next(), u64::MAX);
    }
}
