//! A relay under a hostile peer, in virtual time: each thing that a peer can make it hold is flooded while sixteen
//! players go on. See docs/limits.md.

#[path = "../common/mod.rs"]
mod common;
mod door;
#[path = "../common/memory.rs"]
mod memory;
mod players;
mod raw;
mod sessions;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;
