//! What the relay's hot path takes, counted rather than timed: allocations, packets and transmits for each object that
//! is delivered, and the bytes of a session, a subscription and a track. All in virtual time, so the figures repeat.
//!
//! `cargo test -p cc-engine --test hot -- --nocapture` prints them.

#[path = "../common/mod.rs"]
mod common;
mod cost;
mod crowd;
mod kept;
#[path = "../common/memory.rs"]
mod memory;
mod rounds;
mod sessions;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;
