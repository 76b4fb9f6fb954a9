//! The C ABI: `cc_` functions over `cc_shard`'s nodes and `cc_media`'s codecs, and no logic of its own.
//!
//! `api/clutchcall.json` describes the ABI once; [`generated`] holds its structs and numbers, and `generated_check`
//! fails to compile when a function here differs from it. Each function reads its arguments ([`mod@boundary`],
//! `text`), finds the object that a handle names ([`mod@handle`]), makes one call on it, and answers a status; what
//! failed is told in words by [`cc_last_error`].
//!
//! # Safety
//! The same for every function: a pointer that is not null points to what its type says, for as long as the call
//! lasts; a `CcStr` to `len` bytes; a batch and event texts are not read after the call that ends their validity. Null,
//! wrong sizes, unknown numbers, stale and foreign handles are answered with a status, never with a fault.

/// A packet is more than glibc keeps at hand for the next request, and each such request has it sort through all that
/// was freed: docs/decisions/006-hot-path.md.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod boundary;
mod event;
pub mod generated;
mod generated_check;
mod handle;
pub mod inside;
mod link;
mod node;
mod opus;
mod repeat;
mod session;
mod stats;
mod subscribe;
mod text;
mod track;
mod url;

pub use boundary::{cc_last_error, cc_status_text, cc_version};
pub use event::cc_node_poll;
pub use link::{cc_link_addresses, cc_link_close, cc_link_move, cc_link_open, cc_link_token};
pub use node::{
    cc_node_address, cc_node_close, cc_node_drive, cc_node_goaway, cc_node_now, cc_node_open, cc_node_wake_fd,
    cc_node_wake_frames,
};
pub use opus::{cc_opus_close, cc_opus_decode, cc_opus_decoder, cc_opus_encode, cc_opus_encoder, cc_opus_recover};
pub use repeat::cc_publish_repeat;
pub use session::{
    cc_session_accept, cc_session_accept_request, cc_session_close, cc_session_refuse, cc_session_refuse_request,
};
pub use stats::{cc_link_stats, cc_node_shard_stats, cc_node_stats, cc_subscription_stats, cc_track_stats};
pub use subscribe::{cc_drain, cc_subscribe, cc_subscribe_close, cc_track_properties, cc_want_group};
pub use track::{cc_publish, cc_publish_close, cc_send};
