//! Our codec's messages as those of another, independent codec (`moqtap-codec`), field by field.
//!
//! The tests write the same message with both codecs and compare the bytes, then let each read what
//! the other wrote. What is not compared, because the two read the drafts differently:
//! - A namespace of no fields outside of prefixes and suffixes, which the other codec refuses.
//! - A gap in a FETCH's stream, which the other codec writes with a payload length and, from -20 on,
//!   with deltas; here its location is in full and nothing follows, as other implementations have it.

mod messages;
mod params;

pub use messages::{d18, d20, d21, d22};

use moqtap_codec::varint::VarInt;

/// The other codec's integer.
pub fn int(value: u64) -> VarInt {
    VarInt::from_u64_moqt(value)
}
