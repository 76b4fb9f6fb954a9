//! What a session needs of whatever carries it: streams, read and written without blocking.
//!
//! QUIC implements it directly, WebTransport with its own stream numbers. The session never
//! waits: a call that cannot proceed says so, and the owner calls the matching `on_*` later.

use bytes::Bytes;

/// The transport's own number of a stream. No meaning is read into its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// One-way or two-way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// Only its opener sends.
    Uni,
    /// Both ends send.
    Bi,
}

/// Some bytes of a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// At most as many as were asked for; empty only with `fin`.
    pub bytes: Bytes,
    /// The peer finished, and these bytes are the last.
    pub fin: bool,
}

/// Why a read gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing there now; [`Session::on_readable`](crate::Session::on_readable) follows.
    Blocked,
    /// The peer reset the stream with this code.
    Reset(u64),
    /// The transport knows no such stream any more.
    Gone,
}

/// Why a write cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The peer sent STOP_SENDING with this code.
    Stopped(u64),
    /// The transport knows no such stream any more.
    Gone,
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramError {
    /// Larger than the path or the peer takes now, or the peer takes none at all.
    TooLarge,
    /// The transport holds as many unsent ones as it may.
    Full,
}

/// Streams and datagrams. The session opens and uses the streams of control and requests; the owner opens those of
/// data, and sends datagrams, through the same face. Datagrams come in by
/// [`Session::on_datagram`](crate::Session::on_datagram).
pub trait Transport {
    /// Opens a stream. `None`: the peer allows no more now, and
    /// [`Session::on_stream_credit`](crate::Session::on_stream_credit) follows.
    fn open(&mut self, dir: Dir) -> Option<StreamId>;
    /// Takes as many bytes as flow control allows and says how many. Fewer than given: blocked,
    /// and [`Session::on_writable`](crate::Session::on_writable) follows.
    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError>;
    /// As [`write`](Self::write), and takes what was accepted off the front of `bytes`; without a copy where the
    /// transport can. After fewer bytes than given, only an attempt that takes nothing brings
    /// [`Session::on_writable`](crate::Session::on_writable) about.
    fn write_bytes(&mut self, id: StreamId, bytes: &mut Bytes) -> Result<usize, WriteError> {
        let taken = self.write(id, bytes)?;
        let _ = bytes.split_to(taken.min(bytes.len()));
        Ok(taken)
    }
    /// As [`write_bytes`](Self::write_bytes), of several in a row.
    fn write_pieces(&mut self, id: StreamId, pieces: &mut [Bytes]) -> Result<usize, WriteError> {
        let mut taken = 0;
        for piece in pieces {
            taken += self.write_bytes(id, piece)?;
            if !piece.is_empty() {
                break;
            }
        }
        Ok(taken)
    }
    /// Hands over one datagram, which is sent or lost whole.
    fn send_datagram(&mut self, bytes: Bytes) -> Result<(), DatagramError>;
    /// The largest datagram that path and peer take now; 0: none.
    fn max_datagram(&mut self) -> usize;
    /// Ends our direction; what was written still arrives. No effect on a stream that is gone.
    fn finish(&mut self, id: StreamId);
    /// Ends our direction at once; what was written may be lost.
    fn reset(&mut self, id: StreamId, code: u64);
    /// Asks the peer to end its direction (STOP_SENDING) and drops what is unread.
    fn stop(&mut self, id: StreamId, code: u64);
    /// Up to `max` bytes, `max` above 0.
    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError>;
    /// Higher goes first. The session uses [`CONTROL_PRIORITY`] and [`REQUEST_PRIORITY`] only.
    fn set_priority(&mut self, id: StreamId, priority: i32);
}

/// The control stream's priority: above all else.
pub const CONTROL_PRIORITY: i32 = i32::MAX;
/// Request streams' priority. Data streams, which the owner opens, use less than this.
pub const REQUEST_PRIORITY: i32 = i32::MAX - 1;
