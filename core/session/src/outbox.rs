//! What one stream has still to send, and how it ends.

use crate::transport::{StreamId, Transport, WriteError};

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    end: End,
}

/// The end of our direction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// FIN once all is written.
    Finish,
    /// Reset at the next flush, whatever is unsent.
    Reset(u64),
    /// Nothing more can be sent.
    Closed,
}

/// What a flush came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// All that was queued is written.
    Clear,
    /// Flow control stops it; to be tried again when writable.
    Blocked,
    /// The peer does not want it.
    Stopped(u64),
    /// No such stream.
    Gone,
}

impl Outbox {
    /// Bytes queued and not yet taken by the transport.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Where a message is appended. Only while [`open`](Self::open).
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub fn open(&self) -> bool {
        self.end == End::Open
    }

    /// Our direction has ended, by whatever means.
    pub fn closed(&self) -> bool {
        self.end == End::Closed
    }

    pub fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Finish;
        }
    }

    pub fn reset(&mut self, code: u64) {
        if self.end != End::Closed {
            self.end = End::Reset(code);
            self.clear();
        }
    }

    /// The stream is gone or never was: nothing remains to be done.
    pub fn abandon(&mut self) {
        self.end = End::Closed;
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
    }

    pub fn flush(&mut self, id: StreamId, transport: &mut dyn Transport) -> Flushed {
        if let End::Reset(code) = self.end {
            transport.reset(id, code);
            self.end = End::Closed;
            return Flushed::Clear;
        }
        while self.sent < self.bytes.len() {
            match transport.write(id, &self.bytes[self.sent..]) {
                Ok(0) => {
                    // What is written is dropped only when it is most of the buffer, so that a
                    // slow stream is not copied at each step.
                    if self.sent > self.bytes.len() / 2 {
                        self.bytes.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Flushed::Blocked;
                }
                Ok(n) => self.sent += n.min(self.bytes.len() - self.sent),
                Err(WriteError::Stopped(code)) => return Flushed::Stopped(code),
                Err(WriteError::Gone) => return Flushed::Gone,
            }
        }
        self.clear();
        if self.end == End::Finish {
            transport.finish(id);
            self.end = End::Closed;
        }
        Flushed::Clear
    }
}
