//! The one place where the clock is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cc_engine::Time;

/// A node's clock: microseconds since an instant, its opening if nothing else is said, or what the caller last said.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    epoch: Instant,
    told: Option<Arc<AtomicU64>>,
    /// A clock of several nodes', and what it showed when this one began.
    shared: Option<(Arc<AtomicU64>, Time)>,
}

impl Clock {
    /// The machine's monotonic clock, 0 at `epoch`.
    pub(crate) fn real(epoch: Instant) -> Clock {
        Clock { epoch, told: None, shared: None }
    }

    /// A clock that stands until it is told otherwise, 0 at first.
    pub(crate) fn told() -> Clock {
        Clock { epoch: Instant::now(), told: Some(Arc::default()), shared: None }
    }

    /// A clock that goes with another, 0 now.
    pub(crate) fn shared(with: Arc<AtomicU64>) -> Clock {
        let began = with.load(Ordering::Acquire);
        Clock { epoch: Instant::now(), told: None, shared: Some((with, began)) }
    }

    /// Whether it stands until it is told otherwise.
    pub(crate) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// The instant of time 0.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Now, microseconds.
    pub(crate) fn now(&self) -> Time {
        match (&self.told, &self.shared) {
            (Some(told), _) => told.load(Ordering::Acquire),
            (None, Some((with, began))) => with.load(Ordering::Acquire).saturating_sub(*began),
            (None, None) => self.machine(),
        }
    }

    /// What the caller says the time is; a time before the last one counts as the last one. Other clocks ignore it.
    pub(crate) fn tell(&self, now: Time) -> Time {
        match &self.told {
            Some(told) => now.max(told.fetch_max(now, Ordering::AcqRel)),
            None => self.now(),
        }
    }

    /// Microseconds of the machine's clock since the epoch, whoever drives it: for bounds on waiting.
    pub(crate) fn machine(&self) -> Time {
        self.epoch.elapsed().as_micros() as Time
    }

    /// Unix time now, microseconds; 0 on a machine whose clock stands before 1970.
    pub(crate) fn unix_us() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_told_clock_never_goes_back() {
        let clock = Clock::told();
        assert_eq!(clock.now(), 0);
        assert_eq!(clock.tell(50), 50);
        assert_eq!(clock.tell(20), 50);
        assert_eq!(clock.now(), 50);
    }

    #[test]
    fn the_real_clock_ignores_what_it_is_told() {
        let clock = Clock::real(Instant::now());
        assert!(clock.tell(u64::MAX) < u64::MAX);
    }
}
