//! Memory that receives land in.

/// Messages a receive call can return.
pub(crate) const MESSAGES: usize = 32;
/// Bytes a message: the largest UDP payload, joined or not, fits.
pub(crate) const MESSAGE_BYTES: usize = 64 * 1024;

/// Room for one receive call: 32 messages of 64 KiB. Allocated once a thread
/// and reused; pages that no message ever reaches stay unmapped by the kernel.
pub struct RecvBuffer {
    bytes: Box<[u8]>,
    /// The last call left no message's room free.
    full: bool,
}

impl RecvBuffer {
    /// Room for a full call, 2 MiB of address space.
    pub fn new() -> RecvBuffer {
        RecvBuffer { bytes: vec![0; MESSAGES * MESSAGE_BYTES].into_boxed_slice(), full: false }
    }

    /// Whether the last call took as much as it could, so that more may wait: if not, another call at once would most
    /// likely find nothing.
    pub fn was_full(&self) -> bool {
        self.full
    }

    /// Notes how many messages a call took, of how many that it could have taken.
    pub(crate) fn took(&mut self, messages: usize, most: usize) {
        self.full = messages >= most;
    }

    /// The rooms of the messages, in order.
    #[cfg(target_os = "linux")]
    pub(crate) fn slots(&mut self) -> std::slice::ChunksExactMut<'_, u8> {
        self.bytes.chunks_exact_mut(MESSAGE_BYTES)
    }

    /// The first message's room.
    pub(crate) fn first(&mut self) -> &mut [u8] {
        &mut self.bytes[..MESSAGE_BYTES]
    }

    /// The first `len` bytes of message `index`.
    #[cfg(target_os = "linux")]
    pub(crate) fn filled(&self, index: usize, len: usize) -> &[u8] {
        let start = index * MESSAGE_BYTES;
        &self.bytes[start..start + len.min(MESSAGE_BYTES)]
    }
}

impl Default for RecvBuffer {
    fn default() -> RecvBuffer {
        RecvBuffer::new()
    }
}
