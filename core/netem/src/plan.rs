//! A [`Config`] that was checked: the same in integers and curves, which a pipe can run without asking again.

use std::fmt;
use std::sync::Arc;

use crate::config::{Config, During, Jitter, Nat, Queue, Step};
use crate::curve::Curve;
use crate::trace::Trace;
use crate::{Time, MAX_BYTES, MAX_PACKETS, MILLISECOND};

/// A value that cannot be: which field, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field's path, such as `up.loss.independent`.
    pub field: String,
    /// The rest of the sentence, such as `is 140, must be 0..=100 percent`.
    pub problem: String,
}

impl Invalid {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Invalid {
        Invalid { field: field.into(), problem: problem.into() }
    }

    /// The same, of a field inside `outer`.
    pub(crate) fn within(mut self, outer: &str) -> Invalid {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl std::error::Error for Invalid {}

/// One direction's checked config. Cheap to share: many pipes run from one.
#[derive(Debug)]
pub struct Plan {
    pub(crate) overhead: u64,
    /// The largest packet with its overhead, and from when on.
    pub(crate) mtu: Option<(u64, Time)>,
    pub(crate) queue: QueuePlan,
    /// Bits a second; infinite without a limit.
    pub(crate) rate: Curve,
    pub(crate) trace: Option<Arc<Trace>>,
    pub(crate) outages: Vec<OutagePlan>,
    pub(crate) loss: Curve,
    pub(crate) burst: Option<Burst>,
    pub(crate) pattern: Vec<bool>,
    /// Ascending.
    pub(crate) listed: Vec<u64>,
    pub(crate) corrupt: Curve,
    pub(crate) corrupt_bits: u64,
    pub(crate) duplicate: Curve,
    /// Microseconds.
    pub(crate) delay: Curve,
    pub(crate) jitter: Spread,
    /// Percent of `jitter`.
    pub(crate) jitter_scale: Curve,
    pub(crate) fifo: bool,
    pub(crate) reorder: Curve,
    pub(crate) distance: u64,
    pub(crate) hold: Time,
}

#[derive(Debug)]
pub(crate) struct QueuePlan {
    pub(crate) bytes: u64,
    pub(crate) packets: usize,
    /// Microseconds' worth of the link.
    pub(crate) depth: Option<Time>,
    /// CoDel's target and interval, in microseconds.
    pub(crate) codel: Option<(Time, Time)>,
    /// Whether CoDel marks where it may.
    pub(crate) ecn: bool,
}

#[derive(Debug)]
pub(crate) struct OutagePlan {
    at: Time,
    length: Time,
    every: Option<Time>,
    pub(crate) held: bool,
}

impl OutagePlan {
    /// Whether `time` is in it, and until when that stays so.
    pub(crate) fn at(&self, time: Time) -> (bool, Time) {
        let Some(since) = time.checked_sub(self.at) else { return (false, self.at) };
        let (begin, next) = match self.every {
            Some(every) => (time - since % every, (time - since % every).saturating_add(every)),
            None => (self.at, Time::MAX),
        };
        let end = begin.saturating_add(self.length);
        if time < end {
            (true, end)
        } else {
            (false, next)
        }
    }
}

/// The Gilbert-Elliott model, in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    pub(crate) to_bad: f64,
    pub(crate) to_good: f64,
    pub(crate) loss_good: f64,
    pub(crate) loss_bad: f64,
}

/// A distribution of delays; its parameters in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread {
    Constant { us: f64 },
    Uniform { us: f64 },
    Normal { sd: f64 },
    Pareto { scale: f64, shape: f64, max: f64 },
    ParetoNormal { scale: f64, shape: f64, max: f64, sd: f64 },
}

/// Times in a config are below this: a year, in ms.
const YEAR: f64 = 31_536_000_000.0;
/// The most outages, script steps or rebindings in one config.
const MAX_ENTRIES: usize = 10_000;

impl Plan {
    /// Checks `config`. Refused: the first field that cannot be, by its path.
    pub fn new(config: &Config) -> Result<Plan, Invalid> {
        let trace = loaded(config)?;
        let rates = match trace.as_deref() {
            Some(Trace::Opportunities(_)) => true,
            Some(Trace::Table(table)) => table.mean_rate().is_some(),
            None => false,
        };
        let base = match config.rate_kbit {
            Some(_) if rates => return Err(Invalid::new("rate_kbit", "and a trace of rates exclude each other")),
            Some(kbit) => rate("rate_kbit", kbit)?,
            None => f64::INFINITY,
        };
        let (corrupt, corrupt_bits) = match &config.corrupt {
            Some(corrupt) => (
                percent("corrupt.share", corrupt.share)?,
                whole("corrupt.bits", corrupt.bits, 1.0, 64.0, "whole, 1..=64")?,
            ),
            None => (0.0, 1),
        };
        let (reorder, distance, hold) = match &config.reorder {
            Some(reorder) => (
                percent("reorder.share", reorder.share)?,
                whole("reorder.distance", reorder.distance, 1.0, 1000.0, "whole, 1..=1000 packets")?,
                positive("reorder.hold_ms", reorder.hold_ms, 10_000.0)?,
            ),
            None => (0.0, 1, 0),
        };
        let delay = millis("delay_ms", config.delay_ms, 60_000.0)? as f64;
        let mut plan = Plan {
            overhead: whole("overhead_bytes", config.overhead_bytes, 0.0, 1000.0, "whole, 0..=1000 bytes")?,
            mtu: match &config.mtu {
                Some(mtu) => Some((
                    whole("mtu.bytes", mtu.bytes, 68.0, 66_535.0, "whole, 68..=66535 bytes")?,
                    millis("mtu.from_ms", mtu.from_ms, YEAR)?,
                )),
                None => None,
            },
            queue: queue(&config.queue)?,
            rate: Curve::new(base),
            trace,
            outages: outages(config)?,
            loss: Curve::new(percent("loss.independent", config.loss.independent)?),
            burst: burst(config)?,
            pattern: pattern(&config.loss.pattern)?,
            listed: listed(&config.loss.packets)?,
            corrupt: Curve::new(corrupt),
            corrupt_bits,
            duplicate: Curve::new(percent("duplicate", config.duplicate)?),
            delay: Curve::new(delay),
            jitter: jitter(config.jitter.as_ref())?,
            jitter_scale: Curve::new(100.0),
            fifo: !config.jitter_may_reorder,
            reorder: Curve::new(reorder),
            distance,
            hold,
        };
        if config.script.len() > MAX_ENTRIES {
            return Err(Invalid::new("script", format!("has more than {MAX_ENTRIES} steps")));
        }
        for (index, step) in config.script.iter().enumerate() {
            plan.step(step, config, rates).map_err(|error| error.within(&format!("script[{index}]")))?;
        }
        Ok(plan)
    }

    fn step(&mut self, step: &Step, config: &Config, rates: bool) -> Result<(), Invalid> {
        let at = millis("at_ms", step.at_ms, YEAR)?;
        let over = millis("over_ms", step.over_ms, YEAR)?;
        let change = |field: &str, curve: &mut Curve, to: f64| {
            curve.then(at, over, to).map_err(|problem| Invalid::new(field, problem))
        };
        if let Some(ms) = step.delay_ms {
            change("delay_ms", &mut self.delay, millis("delay_ms", ms, 60_000.0)? as f64)?;
        }
        if let Some(share) = step.jitter {
            let share = within("jitter", share, 0.0, 1000.0, "0..=1000 percent")?;
            change("jitter", &mut self.jitter_scale, share)?;
        }
        if let Some(share) = step.loss {
            change("loss", &mut self.loss, percent("loss", share)?)?;
        }
        if let Some(kbit) = step.rate_kbit {
            if rates {
                return Err(Invalid::new("rate_kbit", "and a trace of rates exclude each other"));
            }
            change("rate_kbit", &mut self.rate, rate("rate_kbit", kbit)?)?;
        }
        if let Some(share) = step.duplicate {
            change("duplicate", &mut self.duplicate, percent("duplicate", share)?)?;
        }
        if let Some(share) = step.corrupt {
            change("corrupt", &mut self.corrupt, percent("corrupt", share)?)?;
        }
        if let Some(share) = step.reorder {
            if config.reorder.is_none() {
                return Err(Invalid::new("reorder", "needs the config's own `reorder`, for its distance"));
            }
            change("reorder", &mut self.reorder, percent("reorder", share)?)?;
        }
        Ok(())
    }
}

/// A checked [`Nat`].
#[derive(Debug)]
pub struct NatPlan {
    pub(crate) rebinds: Vec<Time>,
    pub(crate) idle: Option<Time>,
}

impl NatPlan {
    /// Checks `nat`.
    pub fn new(nat: &Nat) -> Result<NatPlan, Invalid> {
        if nat.rebind_at_ms.len() > MAX_ENTRIES {
            return Err(Invalid::new("rebind_at_ms", format!("has more than {MAX_ENTRIES} times")));
        }
        let mut rebinds = Vec::with_capacity(nat.rebind_at_ms.len());
        for (index, &ms) in nat.rebind_at_ms.iter().enumerate() {
            let field = format!("rebind_at_ms[{index}]");
            let at = millis(&field, ms, YEAR)?;
            if rebinds.last().is_some_and(|&last| at <= last) {
                return Err(Invalid::new(field, format!("is {ms}, must be after the one before it")));
            }
            rebinds.push(at);
        }
        let idle = nat.idle_ms.map(|ms| positive("idle_ms", ms, YEAR)).transpose()?;
        Ok(NatPlan { rebinds, idle })
    }
}

fn loaded(config: &Config) -> Result<Option<Arc<Trace>>, Invalid> {
    match &config.trace {
        None => Ok(None),
        Some(trace) => match &trace.data {
            Some(data) => Ok(Some(data.clone())),
            None => Err(Invalid::new("trace", format!("names `{}`, which is not loaded", trace.name))),
        },
    }
}

fn queue(queue: &Queue) -> Result<QueuePlan, Invalid> {
    let bounded = queue.bytes.is_some() || queue.packets.is_some() || queue.ms.is_some();
    let packets = match queue.packets {
        Some(packets) => whole("queue.packets", packets, 1.0, MAX_PACKETS as f64, "whole, 1..=65536 packets")? as usize,
        None if bounded => MAX_PACKETS,
        None => 1000,
    };
    let bytes = match queue.bytes {
        Some(bytes) => whole("queue.bytes", bytes, 1.0, MAX_BYTES as f64, "whole, 1..=67108864 bytes")?,
        None => MAX_BYTES,
    };
    let codel = match &queue.codel {
        Some(codel) => {
            let interval = positive("queue.codel.interval_ms", codel.interval_ms, 10_000.0)?;
            let target = positive("queue.codel.target_ms", codel.target_ms, 10_000.0)?;
            if target >= interval {
                let problem = format!("is {}, must be below interval_ms ({})", codel.target_ms, codel.interval_ms);
                return Err(Invalid::new("queue.codel.target_ms", problem));
            }
            Some((target, interval))
        }
        None => None,
    };
    let depth = queue.ms.map(|ms| positive("queue.ms", ms, 60_000.0)).transpose()?;
    let ecn = queue.codel.as_ref().is_some_and(|codel| codel.ecn);
    Ok(QueuePlan { bytes, packets, depth, codel, ecn })
}

fn outages(config: &Config) -> Result<Vec<OutagePlan>, Invalid> {
    if config.outages.len() > MAX_ENTRIES {
        return Err(Invalid::new("outages", format!("has more than {MAX_ENTRIES} entries")));
    }
    let mut plans = Vec::with_capacity(config.outages.len());
    for (index, outage) in config.outages.iter().enumerate() {
        let field = |name: &str| format!("outages[{index}].{name}");
        let length = positive(&field("for_ms"), outage.for_ms, YEAR)?;
        let every = match outage.every_ms {
            Some(ms) => {
                let every = millis(&field("every_ms"), ms, YEAR)?;
                if every <= length || every < MILLISECOND {
                    let problem = format!("is {ms}, must be at least 1 and above for_ms ({})", outage.for_ms);
                    return Err(Invalid::new(field("every_ms"), problem));
                }
                Some(every)
            }
            None => None,
        };
        let at = millis(&field("at_ms"), outage.at_ms, YEAR)?;
        plans.push(OutagePlan { at, length, every, held: outage.packets == During::Held });
    }
    Ok(plans)
}

fn burst(config: &Config) -> Result<Option<Burst>, Invalid> {
    let Some(model) = &config.loss.gilbert_elliott else { return Ok(None) };
    let field = |name: &str, value| percent(&format!("loss.gilbert_elliott.{name}"), value);
    Ok(Some(Burst {
        to_bad: field("to_bad", model.to_bad)?,
        to_good: field("to_good", model.to_good)?,
        loss_good: field("loss_good", model.loss_good)?,
        loss_bad: field("loss_bad", model.loss_bad)?,
    }))
}

fn pattern(text: &str) -> Result<Vec<bool>, Invalid> {
    if text.len() > 65_536 {
        return Err(Invalid::new("loss.pattern", "has more than 65536 characters"));
    }
    let read = |letter| match letter {
        'x' => Ok(true),
        '.' => Ok(false),
        other => Err(Invalid::new("loss.pattern", format!("has {other:?}, must be of `x` and `.`"))),
    };
    text.chars().map(read).collect()
}

fn listed(numbers: &[u64]) -> Result<Vec<u64>, Invalid> {
    if numbers.len() > 65_536 {
        return Err(Invalid::new("loss.packets", "has more than 65536 numbers"));
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    Ok(sorted)
}

fn jitter(jitter: Option<&Jitter>) -> Result<Spread, Invalid> {
    let us = |name: &str, ms| millis(&format!("jitter.{name}"), ms, 60_000.0).map(|us| us as f64);
    let tail = |name: &str, shape: f64| match shape {
        shape if shape > 1.0 && shape <= 100.0 => Ok(shape),
        _ => Err(Invalid::new(format!("jitter.{name}"), format!("is {shape}, must be above 1, up to 100"))),
    };
    Ok(match *jitter.unwrap_or(&Jitter::Constant { ms: 0.0 }) {
        Jitter::Constant { ms } => Spread::Constant { us: us("constant.ms", ms)? },
        Jitter::Uniform { ms } => Spread::Uniform { us: us("uniform.ms", ms)? },
        Jitter::Normal { sd_ms } => Spread::Normal { sd: us("normal.sd_ms", sd_ms)? },
        Jitter::Pareto { scale_ms, shape, max_ms } => Spread::Pareto {
            scale: us("pareto.scale_ms", scale_ms)?,
            shape: tail("pareto.shape", shape)?,
            max: us("pareto.max_ms", max_ms)?,
        },
        Jitter::ParetoNormal { scale_ms, shape, max_ms, sd_ms } => Spread::ParetoNormal {
            scale: us("pareto_normal.scale_ms", scale_ms)?,
            shape: tail("pareto_normal.shape", shape)?,
            max: us("pareto_normal.max_ms", max_ms)?,
            sd: us("pareto_normal.sd_ms", sd_ms)?,
        },
    })
}

fn within(field: &str, value: f64, least: f64, most: f64, range: &str) -> Result<f64, Invalid> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Invalid::new(field, format!("is {value}, must be {range}")))
    }
}

fn percent(field: &str, value: f64) -> Result<f64, Invalid> {
    within(field, value, 0.0, 100.0, "0..=100 percent")
}

fn whole(field: &str, value: f64, least: f64, most: f64, range: &str) -> Result<u64, Invalid> {
    if value.fract() != 0.0 {
        return Err(Invalid::new(field, format!("is {value}, must be {range}")));
    }
    within(field, value, least, most, range).map(|value| value as u64)
}

/// Milliseconds as microseconds.
fn millis(field: &str, ms: f64, most: f64) -> Result<Time, Invalid> {
    within(field, ms, 0.0, most, &format!("0..={most} ms")).map(|ms| (ms * MILLISECOND as f64).round() as Time)
}

fn positive(field: &str, ms: f64, most: f64) -> Result<Time, Invalid> {
    match millis(field, ms, most) {
        Ok(time) if time > 0 => Ok(time),
        _ => Err(Invalid::new(field, format!("is {ms}, must be at least 0.001, up to {most} ms"))),
    }
}

/// kbit/s as bits a second.
fn rate(field: &str, kbit: f64) -> Result<f64, Invalid> {
    within(field, kbit, 1.0, 1e9, "1..=1000000000 kbit/s").map(|kbit| (kbit * 1000.0).round())
}
