//! The session's transport over one QUIC connection: quinn's streams and datagrams under the session's names.

use bytes::Bytes;
use cc_session::{Chunk, DatagramError, Dir, ReadError, StreamId, Transport, WriteError};
use quinn_proto::{Connection, ReadError as QuicReadError, SendDatagramError, VarInt};

/// The session's transport over one QUIC connection.
pub(crate) struct Quic<'a>(pub(crate) &'a mut Connection);

pub(crate) fn quic_stream(id: StreamId) -> quinn_proto::StreamId {
    quinn_proto::StreamId::from(VarInt::from_u64(id.0).unwrap_or(VarInt::MAX))
}

pub(crate) fn session_stream(id: quinn_proto::StreamId) -> StreamId {
    StreamId(VarInt::from(id).into_inner())
}

fn quic_dir(dir: Dir) -> quinn_proto::Dir {
    match dir {
        Dir::Uni => quinn_proto::Dir::Uni,
        Dir::Bi => quinn_proto::Dir::Bi,
    }
}

pub(crate) fn session_dir(dir: quinn_proto::Dir) -> Dir {
    match dir {
        quinn_proto::Dir::Uni => Dir::Uni,
        quinn_proto::Dir::Bi => Dir::Bi,
    }
}

/// An application error code as QUIC carries it; larger ones are cut to the largest.
pub(crate) fn quic_code(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

impl Transport for Quic<'_> {
    fn open(&mut self, dir: Dir) -> Option<StreamId> {
        self.0.streams().open(quic_dir(dir)).map(session_stream)
    }

    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError> {
        match self.0.send_stream(quic_stream(id)).write(bytes) {
            Ok(taken) => Ok(taken),
            Err(quinn_proto::WriteError::Blocked) => Ok(0),
            Err(quinn_proto::WriteError::Stopped(code)) => Err(WriteError::Stopped(code.into_inner())),
            Err(quinn_proto::WriteError::ClosedStream) => Err(WriteError::Gone),
        }
    }

    // A stream that is gone already needs no ending: the errors of these three say just that.
    fn finish(&mut self, id: StreamId) {
        let _ = self.0.send_stream(quic_stream(id)).finish();
    }

    fn reset(&mut self, id: StreamId, code: u64) {
        let _ = self.0.send_stream(quic_stream(id)).reset(quic_code(code));
    }

    fn stop(&mut self, id: StreamId, code: u64) {
        let _ = self.0.recv_stream(quic_stream(id)).stop(quic_code(code));
    }

    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError> {
        let mut stream = self.0.recv_stream(quic_stream(id));
        let mut chunks = stream.read(true).map_err(|_| ReadError::Gone)?;
        let answer = match chunks.next(max) {
            // Nothing is asked for: the end, if it is what comes next, is told.
            Ok(Some(chunk)) => Ok(Chunk { bytes: chunk.bytes, fin: matches!(chunks.next(0), Ok(None)) }),
            Ok(None) => Ok(Chunk { bytes: Bytes::new(), fin: true }),
            Err(QuicReadError::Blocked) => Err(ReadError::Blocked),
            Err(QuicReadError::Reset(code)) => Err(ReadError::Reset(code.into_inner())),
        };
        // Flow control updates go out with the next packet in any case.
        let _ = chunks.finalize();
        answer
    }

    fn write_bytes(&mut self, id: StreamId, bytes: &mut Bytes) -> Result<usize, WriteError> {
        self.write_pieces(id, std::slice::from_mut(bytes))
    }

    fn write_pieces(&mut self, id: StreamId, pieces: &mut [Bytes]) -> Result<usize, WriteError> {
        match self.0.send_stream(quic_stream(id)).write_chunks(pieces) {
            Ok(written) => Ok(written.bytes),
            Err(quinn_proto::WriteError::Blocked) => Ok(0),
            Err(quinn_proto::WriteError::Stopped(code)) => Err(WriteError::Stopped(code.into_inner())),
            Err(quinn_proto::WriteError::ClosedStream) => Err(WriteError::Gone),
        }
    }

    fn send_datagram(&mut self, bytes: Bytes) -> Result<(), DatagramError> {
        self.0.datagrams().send(bytes, false).map_err(|error| match error {
            SendDatagramError::Blocked(_) => DatagramError::Full,
            SendDatagramError::TooLarge | SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled => {
                DatagramError::TooLarge
            }
        })
    }

    fn max_datagram(&mut self) -> usize {
        self.0.datagrams().max_size().unwrap_or(0)
    }

    fn set_priority(&mut self, id: StreamId, priority: i32) {
        let _ = self.0.send_stream(quic_stream(id)).set_priority(priority);
    }
}
