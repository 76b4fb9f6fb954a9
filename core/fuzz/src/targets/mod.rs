//! The targets: name, what is tried, and the function that panics when it does not hold.

mod abi;
mod door;
mod engine;
mod netem;
pub(crate) mod opus;
mod queue;
pub(crate) mod session;
pub(crate) mod wire;

/// The longest profile that is tried, bytes.
pub(crate) const PROFILE_MAX: usize = 4096;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What `make fuzz` and the corpus call it.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Whether it is a decoder alone; else a sequence of operations.
    pub decoder: bool,
    /// The longest input that makes sense, in bytes.
    pub max_len: usize,
    /// Inputs in `cargo test`, besides those that are kept.
    pub short_run: u32,
}

const fn decoder(name: &'static str, run: fn(&[u8]), max_len: usize) -> Target {
    Target { name, run, decoder: true, max_len, short_run: 100_000 }
}

const fn sequence(name: &'static str, run: fn(&[u8]), max_len: usize, short_run: u32) -> Target {
    Target { name, run, decoder: false, max_len, short_run }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    decoder("integer", wire::integer, 16),
    decoder("message", wire::message, 2048),
    decoder("fields", wire::fields, 1024),
    decoder("datagram", wire::datagram, 512),
    decoder("stream", wire::stream, 512),
    decoder("objects", wire::objects, 512),
    decoder("fetch", wire::fetch, 512),
    decoder("properties", wire::properties, 1024),
    decoder("names", wire::names, 1024),
    decoder("token", wire::token, 128),
    Target { short_run: 20_000, ..decoder("profile", netem::profile, PROFILE_MAX) },
    decoder("trace", netem::trace, 512),
    sequence("session", session::stranger, 1024, 8_000),
    sequence("queue", queue::queue, 1024, 10_000),
    sequence("engine", engine::engine, 256, 150),
    sequence("opus", opus::opus, 1024, 2_000),
    sequence("door", door::door, 1024, 1000),
    sequence("abi", abi::abi, 1024, 1000),
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
