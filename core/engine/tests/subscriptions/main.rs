//! What a subscriber may ask for, at each draft, and what the relay gives: a publisher and subscribers without an
//! engine, so that every word is the test's own.

#[path = "../common/mod.rs"]
mod common;
mod filters;
mod past;
mod room;
mod tracks;
