//! Single requests: tokens of their own, publishers that are waited for or asked in turn, what a new token changes.

#[path = "../common/mod.rs"]
mod common;
mod door;
mod tokens;
mod waiting;
