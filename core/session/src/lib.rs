//! A MoQT session (Media over QUIC Transport, drafts -18 to -22) without I/O: streams and
//! datagrams in and out through one trait, requests and objects as events, and nothing decided
//! here that the drafts leave open.
//!
//! # How to drive one
//! - Inputs: [`on_opened`](Session::on_opened), [`on_readable`](Session::on_readable),
//!   [`on_writable`](Session::on_writable), [`on_stopped`](Session::on_stopped),
//!   [`on_stream_credit`](Session::on_stream_credit), [`on_datagram`](Session::on_datagram),
//!   [`on_timeout`](Session::on_timeout). Those about a stream answer whether it is the session's.
//! - Outputs: [`poll_event`](Session::poll_event) and [`poll_timeout`](Session::poll_timeout).
//! - Commands queue; [`flush`](Session::flush) writes. One rule: after inputs or commands, poll
//!   events until `None`, flush, and poll again, until a flush brings no event.
//!
//! # Who does what
//! All streams that the peer opens are the session's, and of ours the control stream and the
//! request streams. The streams and datagrams with our own objects are the owner's: it opens
//! them through its [`Transport`] and writes the headers of `cc_wire`.
//!
//! The peer's requests are surfaced and the owner answers; the session itself refuses only what
//! is over its limits or comes after our GOAWAY. A breach of the protocol is one
//! [`Event::Fatal`] with the draft's code, and the owner closes the connection.
//!
//! Every request ends exactly once: by [`Event::Refused`], [`Event::Done`] or [`Event::Ended`], or
//! by the owner's own `refuse`, `done`, `cancel` (and what `accept` and `answer_update` say they
//! end), or with the session.
#![forbid(unsafe_code)]

mod aliases;
mod api;
mod assembly;
mod commands;
mod control;
mod data;
mod early;
mod events;
mod ids;
mod messages;
mod outbox;
mod requests;
mod session;
mod slab;
mod states;
mod tokens;
mod transport;

pub use api::{
    CommandError, Config, Counters, DataEnd, DataKey, Ended, Event, Fetch, Held, Limits, Refusal, Reply, Request,
    RequestKey, Role, Time,
};
pub use session::Session;
pub use transport::{
    Chunk, DatagramError, Dir, ReadError, StreamId, Transport, WriteError, CONTROL_PRIORITY, REQUEST_PRIORITY,
};
