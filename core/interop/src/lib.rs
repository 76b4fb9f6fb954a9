//! Other implementations of MoQT against this project's relay, over UDP on the loopback.
//!
//! [`Relay`] is the product's node in its relay role, [`Ours`] the product's own link to it, [`theirs`] a client made of
//! the crates `moq-net` and `moq-tokio`, and [`raw`] a peer that speaks MoQT message by message through `quinn` and
//! `moqtap-codec`, for what no client's interface shows. Nothing here is part of the product.

#![forbid(unsafe_code)]

mod ours;
pub mod raw;
mod relay;
pub mod theirs;

use std::future::Future;
use std::time::Duration;

pub use ours::{Got, Ours};
pub use relay::Relay;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What comes of `work`, in time.
///
/// # Panics
/// After [`PATIENCE`]; `what` says what did not come.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Looks until there is something to see.
///
/// # Panics
/// As [`soon`].
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}
