//! The MoQT codec: messages, stream and datagram headers, as bytes and as types.
//!
//! Parse and write, nothing else: no state, no clock, no input or output. Every decoder takes bytes
//! that a stranger chose: each length, count and id is checked before it is used, and the answer is a
//! value or an [`Error`] that names what is wrong. Incremental decoders answer `Ok(None)` while
//! bytes are missing. A [`Profile`] names the draft; drafts -18 to -22 share one set of types, and a
//! field that a draft cannot carry is refused when it is written, unless its doc says otherwise.
//!
//! Encoders append to a `Vec<u8>` and pick the shortest form; decoders accept every valid form.

#![forbid(unsafe_code)]

pub mod codes;
mod datagram;
mod error;
mod fetch;
mod filter;
mod frame;
mod message;
mod name;
mod object;
mod params;
mod profile;
mod properties;
mod reader;
mod scope;
mod setup;
mod stream;
mod token;
pub mod varint;

pub use datagram::{Datagram, DatagramHeader, DATAGRAM_HEADER_MAX, PADDING_DATAGRAM};
pub use error::{Error, Result};
pub use fetch::{FetchItem, FetchObject, FetchPrior, Gap};
pub use filter::{Filter, Range, RangeFilter, RangeKind, RangeRule};
pub use message::{FetchEnd, FetchKind, Message, Redirect};
pub use name::{Location, Namespace, TrackName};
pub use object::{ObjectHeader, Status, SubgroupHeader, SubgroupId};
pub use params::{GroupOrder, Params};
pub use profile::Profile;
pub use properties::{property, Properties, Value};
pub use reader::Reader;
pub use scope::{check_request_ok, Answers};
pub use setup::SetupOptions;
pub use stream::{UniStream, FETCH_STREAM, PADDING_STREAM, SETUP_STREAM};
pub use token::Token;

/// The hash that a capability's tag is filtered by: the low 53 bits of the tag's 64-bit FNV-1a, so
/// that it survives a JavaScript number. Carried as the track property
/// [`property::CAPABILITY_HASH`]; the tag itself settles collisions.
pub fn capability_hash(tag: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in tag.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash & ((1 << 53) - 1)
}
