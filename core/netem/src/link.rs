//! The bottleneck: when a packet that starts at one time has been sent.
//!
//! Times are picoseconds and work is whole bits, so that a rate is exact: an end is rounded up by less than a
//! picosecond. A rate that changes while a packet is sent counts from the moment it changes.

use crate::plan::Plan;
use crate::trace::{Opportunities, Trace, OPPORTUNITY};
use crate::Time;

/// A moment in picoseconds since the path's start.
pub(crate) type Pico = u128;

const PER_MICROSECOND: u128 = 1_000_000;
const PER_SECOND: u128 = 1_000_000_000_000;
/// The most changes of rate that one packet lives through; one that would need more is lost. It ends the search
/// where outages and traces together never let a packet pass.
const MAX_CHANGES: usize = 1 << 16;

pub(crate) fn pico(time: Time) -> Pico {
    u128::from(time) * PER_MICROSECOND
}

/// The first microsecond at which `moment` has come.
pub(crate) fn micro(moment: Pico) -> Time {
    u64::try_from(moment.div_ceil(PER_MICROSECOND)).unwrap_or(Time::MAX)
}

/// How far a Mahimahi trace is used up; other links need no memory.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The opportunity that was used last, and its bytes left.
    last: Option<(u64, u64)>,
}

impl Link {
    /// When `bytes` that start at `start` have been sent. None: never, or not within reason.
    pub(crate) fn send(&mut self, plan: &Plan, start: Pico, bytes: u64) -> Option<Pico> {
        match plan.trace.as_deref() {
            Some(Trace::Opportunities(trace)) => self.opportunities(plan, trace, micro(start), bytes).map(pico),
            _ => stream(plan, start, bytes),
        }
    }

    fn opportunities(&mut self, plan: &Plan, trace: &Opportunities, start: Time, bytes: u64) -> Option<Time> {
        let first = trace.first_from(start);
        let (mut index, mut left) = self.last.filter(|last| last.0 >= first).unwrap_or((first, OPPORTUNITY));
        let mut bytes = bytes;
        for _ in 0..MAX_CHANGES {
            let time = trace.time(index);
            if standstill(plan, time).is_none() {
                let taken = bytes.min(left);
                bytes -= taken;
                left -= taken;
                if bytes == 0 {
                    self.last = Some((index, left));
                    return Some(time);
                }
            }
            index += 1;
            left = OPPORTUNITY;
        }
        None
    }
}

/// A link of bits, at the plan's rate or its table's.
fn stream(plan: &Plan, start: Pico, bytes: u64) -> Option<Pico> {
    let mut moment = start;
    let mut work = u128::from(bytes) * 8 * PER_SECOND;
    for _ in 0..MAX_CHANGES {
        let time = u64::try_from(moment / PER_MICROSECOND).ok()?;
        let (rate, until) = match standstill(plan, time) {
            Some(until) => (Some(0), until),
            None => free(plan, time),
        };
        let Some(rate) = rate else { return Some(moment) };
        let possible = u128::from(rate) * (pico(until) - moment);
        if rate > 0 && possible >= work {
            return Some(moment + work.div_ceil(u128::from(rate)));
        }
        if until == Time::MAX {
            return None;
        }
        work -= possible;
        moment = pico(until);
    }
    None
}

/// Until when an outage holds the link still at `time`, if one does.
fn standstill(plan: &Plan, time: Time) -> Option<Time> {
    let held = plan.outages.iter().filter(|outage| outage.held).map(|outage| outage.at(time));
    held.filter_map(|(on, until)| on.then_some(until)).max()
}

/// The rate at `time` with no outage, in bits a second (None: unlimited), and until when to ask again.
fn free(plan: &Plan, time: Time) -> (Option<u64>, Time) {
    let held = plan.outages.iter().filter(|outage| outage.held);
    let outage = held.map(|outage| outage.at(time).1).min().unwrap_or(Time::MAX);
    if let Some(Trace::Table(table)) = plan.trace.as_deref() {
        let (row, until) = table.at(time);
        if let Some(rate) = row.rate {
            return (Some(rate), until.min(outage));
        }
    }
    let rate = plan.rate.value(time);
    (rate.is_finite().then_some(rate as u64), plan.rate.steady_until(time).min(outage))
}

/// The rate by which a queue's depth is measured: the present one, or a trace's mean. Infinite without a limit.
pub(crate) fn depth_rate(plan: &Plan, time: Time) -> f64 {
    match plan.trace.as_deref() {
        Some(Trace::Opportunities(trace)) => trace.mean_rate() as f64,
        Some(Trace::Table(table)) => table.mean_rate().map_or_else(|| plan.rate.value(time), |rate| rate as f64),
        None => plan.rate.value(time),
    }
}
