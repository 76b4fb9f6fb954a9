//! A value over time: where it begins, and the ramps that change it.

use crate::Time;

/// A ramp moves in steps of this many microseconds, so that between two steps a rate is constant.
pub(crate) const STEP: Time = 10_000;

/// A value as a function of time since the path's start.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    base: f64,
    ramps: Vec<Ramp>,
}

#[derive(Debug, Clone)]
struct Ramp {
    at: Time,
    end: Time,
    from: f64,
    to: f64,
}

impl Curve {
    pub(crate) fn new(base: f64) -> Curve {
        Curve { base, ramps: Vec::new() }
    }

    /// Adds a change. Refused, with the reason: one that begins before the last has ended, a ramp from no value.
    pub(crate) fn then(&mut self, at: Time, over: Time, to: f64) -> Result<(), &'static str> {
        let (from, ended) = self.ramps.last().map_or((self.base, 0), |last| (last.to, last.end));
        if at < ended {
            return Err("must not begin before the change before it has ended");
        }
        if over > 0 && !from.is_finite() {
            return Err("needs a value to begin with");
        }
        self.ramps.push(Ramp { at, end: at + over, from, to });
        Ok(())
    }

    pub(crate) fn value(&self, time: Time) -> f64 {
        match self.ramps.partition_point(|ramp| ramp.at <= time).checked_sub(1) {
            None => self.base,
            Some(index) => self.ramps[index].value(time),
        }
    }

    /// Until when `value` stays what it is; `Time::MAX` for ever.
    pub(crate) fn steady_until(&self, time: Time) -> Time {
        let next = self.ramps.partition_point(|ramp| ramp.at <= time);
        let change = self.ramps.get(next).map_or(Time::MAX, |ramp| ramp.at);
        match next.checked_sub(1).map(|index| &self.ramps[index]) {
            Some(ramp) if time < ramp.end => (ramp.at + ((time - ramp.at) / STEP + 1) * STEP).min(ramp.end).min(change),
            _ => change,
        }
    }
}

impl Ramp {
    fn value(&self, time: Time) -> f64 {
        if time >= self.end {
            return self.to;
        }
        let done = (time - self.at) / STEP * STEP;
        self.from + (self.to - self.from) * (done as f64 / (self.end - self.at) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_ramps() {
        let mut curve = Curve::new(1.0);
        curve.then(100_000, 0, 5.0).unwrap();
        curve.then(200_000, 100_000, 15.0).unwrap();
        assert_eq!((curve.value(99_999), curve.value(100_000), curve.value(199_999)), (1.0, 5.0, 5.0));
        assert_eq!((curve.value(200_000), curve.value(209_999), curve.value(210_000)), (5.0, 5.0, 6.0));
        assert_eq!((curve.value(299_999), curve.value(300_000)), (14.0, 15.0));
        assert_eq!((curve.steady_until(0), curve.steady_until(100_000)), (100_000, 200_000));
        assert_eq!((curve.steady_until(205_000), curve.steady_until(300_000)), (210_000, Time::MAX));
        assert!(curve.then(299_999, 0, 1.0).is_err());
        assert!(Curve::new(f64::INFINITY).then(0, 1, 1.0).is_err());
    }
}
