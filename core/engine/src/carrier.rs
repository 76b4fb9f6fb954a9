//! What carries a session: a QUIC connection, or, between the shards of one relay, a crossing in memory.

use bytes::Bytes;
use cc_session::{Chunk, DatagramError, Dir, ReadError, StreamId, Transport, WriteError};
use quinn_proto::Connection;

use crate::crossing::Crossing;
use crate::quic::Quic;

/// Either kind.
#[allow(clippy::large_enum_variant, reason = "nearly all are QUIC connections, and each lies in a box of its own")]
pub(crate) enum Carrier {
    Quic(Connection),
    Crossing(Crossing),
}

impl Carrier {
    /// The QUIC connection, if it is one.
    pub(crate) fn quic(&mut self) -> Option<&mut Connection> {
        match self {
            Carrier::Quic(quic) => Some(quic),
            Carrier::Crossing(_) => None,
        }
    }

    /// The crossing, if it is one.
    pub(crate) fn crossing(&mut self) -> Option<&mut Crossing> {
        match self {
            Carrier::Quic(_) => None,
            Carrier::Crossing(crossing) => Some(crossing),
        }
    }
}

/// Calls the same method on whichever carries.
macro_rules! each {
    ($carrier:expr, $c:ident => $call:expr) => {
        match $carrier {
            Carrier::Quic(quic) => {
                let mut $c = Quic(quic);
                $call
            }
            Carrier::Crossing($c) => $call,
        }
    };
}

impl Transport for Carrier {
    fn open(&mut self, dir: Dir) -> Option<StreamId> {
        each!(self, c => c.open(dir))
    }

    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError> {
        each!(self, c => c.write(id, bytes))
    }

    fn write_bytes(&mut self, id: StreamId, bytes: &mut Bytes) -> Result<usize, WriteError> {
        each!(self, c => c.write_bytes(id, bytes))
    }

    fn write_pieces(&mut self, id: StreamId, pieces: &mut [Bytes]) -> Result<usize, WriteError> {
        each!(self, c => c.write_pieces(id, pieces))
    }

    fn send_datagram(&mut self, bytes: Bytes) -> Result<(), DatagramError> {
        each!(self, c => c.send_datagram(bytes))
    }

    fn max_datagram(&mut self) -> usize {
        each!(self, c => c.max_datagram())
    }

    fn finish(&mut self, id: StreamId) {
        each!(self, c => c.finish(id));
    }

    fn reset(&mut self, id: StreamId, code: u64) {
        each!(self, c => c.reset(id, code));
    }

    fn stop(&mut self, id: StreamId, code: u64) {
        each!(self, c => c.stop(id, code));
    }

    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError> {
        each!(self, c => c.read(id, max))
    }

    fn set_priority(&mut self, id: StreamId, priority: i32) {
        each!(self, c => c.set_priority(id, priority));
    }
}
