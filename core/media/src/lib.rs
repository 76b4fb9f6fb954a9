//! Audio codecs, for bindings whose language has none that is as good. Samples in, packets out, and back.
//!
//! No clock, socket or thread: a call does its work and returns. Whatever bytes come from the wire, a call answers
//! with samples or an error.

#![forbid(unsafe_code)]

pub mod opus;
