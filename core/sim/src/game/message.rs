//! What the bots say: a number, a time, who, and padding.

use bytes::{BufMut, Bytes, BytesMut};
use cc_engine::Time;

/// Least size of a payload.
const HEADER: usize = 20;

/// The head of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// How many of its track were sent before it.
    pub(super) number: u64,
    /// When it was sent.
    pub(super) sent: Time,
    /// The client that it is from or for.
    pub(super) client: u32,
}

impl Message {
    /// The payload, with bytes that follow from its number up to `size`.
    pub(super) fn encode(self, size: usize) -> Bytes {
        let mut out = BytesMut::with_capacity(size.max(HEADER));
        out.put_u64(self.number);
        out.put_u64(self.sent);
        out.put_u32(self.client);
        out.resize(size.max(HEADER), self.number as u8);
        out.freeze()
    }

    /// None: this is no payload of a bot, or its padding is not what it was.
    pub(super) fn decode(payload: &[u8]) -> Option<Message> {
        let (number, rest) = payload.split_first_chunk::<8>()?;
        let (sent, rest) = rest.split_first_chunk::<8>()?;
        let (client, padding) = rest.split_first_chunk::<4>()?;
        let number = u64::from_be_bytes(*number);
        // Every byte is looked at: without an early end the loop runs over many at once.
        let whole = padding.iter().fold(0, |wrong, byte| wrong | (byte ^ number as u8)) == 0;
        whole.then_some(Message { number, sent: u64::from_be_bytes(*sent), client: u32::from_be_bytes(*client) })
    }
}
