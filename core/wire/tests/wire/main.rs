//! The codec, from outside.

mod basics;
mod by_hand;
mod cases;
mod common;
mod fields;
mod headers;
mod idl;
mod messages;
mod params;
mod vectors;
mod written;
