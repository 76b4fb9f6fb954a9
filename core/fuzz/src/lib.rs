//! Fuzz targets of the core, and what runs them.
//!
//! A target is a function over bytes that panics when a promise is broken: a decoder that panics, a
//! value that is not the same after writing and reading, a queue beyond its bound, a request that
//! ends twice. The same functions run in three ways: over a fixed number of inputs in `cargo test`,
//! at random in `cc-fuzz random`, and guided by coverage in `cc-fuzz-guided`, which is built by
//! `make fuzz`.
//!
//! All targets repeat exactly from their bytes, but for `engine`, `door` and `abi`, whose TLS draws keys and
//! signatures from the operating system.

#![deny(unsafe_code)]

mod corpus;
mod input;
mod random;
pub mod targets;

pub use corpus::{committed, seeds};
pub use input::Input;
pub use random::{Mutator, Rng};
pub use targets::{find, Target, TARGETS};
