//! What the tests share: a pipe fed at a steady pace.
#![allow(dead_code, reason = "each test file uses a part of it")]

use cc_netem::{Config, Delivery, Opaque, Pipe};

/// A pipe of opaque packets, from time 0.
pub fn pipe(config: &Config, seed: u64) -> Pipe<Opaque> {
    Pipe::new(config, seed, "test", 0).unwrap_or_else(|error| panic!("{error}"))
}

/// Pushes `count` packets of `len` bytes, one each `gap` microseconds from 0, and pops everything.
pub fn steady(pipe: &mut Pipe<Opaque>, count: u64, gap: u64, len: usize) -> Vec<Delivery<Opaque>> {
    let mut out = Vec::new();
    for id in 0..count {
        pipe.push(id * gap, Opaque::new(id, len));
        out.extend(std::iter::from_fn(|| pipe.pop(id * gap)));
    }
    drain(pipe, &mut out);
    out
}

/// Pops everything, at the times the pipe asks for.
pub fn drain(pipe: &mut Pipe<Opaque>, out: &mut Vec<Delivery<Opaque>>) {
    while let Some(at) = pipe.next_timeout() {
        out.extend(std::iter::from_fn(|| pipe.pop(at)));
    }
}

/// How long each delivery took, in microseconds.
pub fn delays(out: &[Delivery<Opaque>]) -> Vec<f64> {
    out.iter().map(|one| (one.due - one.sent) as f64).collect()
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The value below which `share` of them are.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Whether `seen` is within `tolerance` of `wanted`, as a share of it.
#[track_caller]
pub fn near(seen: f64, wanted: f64, tolerance: f64) {
    assert!((seen - wanted).abs() <= wanted.abs() * tolerance, "{seen} is not within {tolerance} of {wanted}");
}
