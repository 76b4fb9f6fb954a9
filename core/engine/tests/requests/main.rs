//! Single requests: tokens of their own, publishers that are waited for or asked in turn, what a new token changes, what is
//! to be asked elsewhere.

#[path = "../common/mod.rs"]
mod common;
mod door;
mod elsewhere;
mod passed_on;
mod tokens;
mod waiting;
