//! Memory that receives land in.

#[cfg(target_os = "linux")]
use crate::addr::RawAddr;
#[cfg(target_os = "linux")]
use crate::cmsg::{Control, RECV_BYTES};

/// Messages a receive call can return.
pub(crate) const MESSAGES: usize = 32;
/// Bytes a message: the largest UDP payload, joined or not, fits.
pub(crate) const MESSAGE_BYTES: usize = 64 * 1024;
/// From one message's room to the next. Rooms a power of two apart would have their first bytes, which are all that
/// most packets need, share one set of lines in the processor's cache.
const APART: usize = MESSAGE_BYTES + 1344;

/// Room for one receive call: 32 messages of 64 KiB. Allocated once a thread
/// and reused; pages that no message ever reaches stay unmapped by the kernel.
pub struct RecvBuffer {
    bytes: Box<[u8]>,
    #[cfg(target_os = "linux")]
    beside: Box<[Beside; MESSAGES]>,
    /// The last call left no message's room free.
    full: bool,
}

/// What the kernel tells of a message beside its bytes.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) name: RawAddr,
    pub(crate) control: Control<RECV_BYTES>,
}

impl RecvBuffer {
    /// Room for a full call, 2 MiB of address space.
    pub fn new() -> RecvBuffer {
        RecvBuffer {
            bytes: vec![0; MESSAGES * APART].into_boxed_slice(),
            #[cfg(target_os = "linux")]
            beside: Box::new([Beside { name: RawAddr::empty(), control: Control::empty() }; MESSAGES]),
            full: false,
        }
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
    pub(crate) fn slots(&mut self) -> impl Iterator<Item = (&mut [u8], &mut Beside)> {
        self.bytes.chunks_exact_mut(APART).map(|room| &mut room[..MESSAGE_BYTES]).zip(self.beside.iter_mut())
    }

    /// What the kernel told of message `index`.
    #[cfg(target_os = "linux")]
    pub(crate) fn beside(&self, index: usize) -> &Beside {
        &self.beside[index]
    }

    /// The first message's room.
    pub(crate) fn first(&mut self) -> &mut [u8] {
        &mut self.bytes[..MESSAGE_BYTES]
    }

    /// The first `len` bytes of message `index`.
    #[cfg(target_os = "linux")]
    pub(crate) fn filled(&self, index: usize, len: usize) -> &[u8] {
        let start = index * APART;
        &self.bytes[start..start + len.min(MESSAGE_BYTES)]
    }
}

impl Default for RecvBuffer {
    fn default() -> RecvBuffer {
        RecvBuffer::new()
    }
}
