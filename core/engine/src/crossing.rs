//! Streams and datagrams between two shards of one relay, in memory: what carries their session in the place of QUIC.
//!
//! Whatever one end does becomes [`Parcel`]s, which the owner moves to the other end in order and without loss, as far
//! as its ring has room. Payloads cross as [`Bytes`]: no byte of them is copied. A ring that is full holds back what is
//! written to streams and refuses datagrams, as QUIC's windows would; ends of streams and words about them wait in
//! [`Crossing::out`], of which a stream has a few at most. A stream holds [`WINDOW`] unread bytes at most.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use cc_session::{Chunk, DatagramError, Dir, ReadError, StreamId, Transport, WriteError};

/// Unread bytes of a stream, as QUIC connections here have it.
const WINDOW: usize = 1 << 20;
/// Most bytes of one parcel, so that a ring's bound in parcels is one in bytes, too.
pub const PARCEL_BYTES: usize = 64 << 10;
/// Streams that one end may have open, each direction.
const STREAMS: usize = 1 << 20;
/// Marks the numbers that streams get here which came whole: QUIC's have 62 bits.
const WHOLE: u64 = 1 << 62;
/// Largest datagram: as UDP has it.
const DATAGRAM: usize = 65_527;

/// Something on its way from one shard to another.
#[derive(Debug)]
pub struct Parcel(pub(crate) Content);

impl Parcel {
    /// Bytes that it holds on to.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Content::Datagram(bytes) | Content::Whole(bytes) | Content::Data { bytes, .. } => bytes.len(),
            Content::Claim { peer, .. } => peer.len(),
            _ => 0,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A shard begins, or begins anew: what was is over. Its number among relays, and of this beginning.
    Hello {
        relay: u64,
        nonce: u64,
    },
    /// The session with that beginning of the other starts with the next parcel.
    Joined {
        of: u64,
        relay: u64,
        nonce: u64,
    },
    /// A session with this peer id is about to be admitted here.
    Claim {
        claim: u64,
        peer: String,
    },
    /// The one there was is closed; whether there was one, now or not long ago.
    Claimed {
        claim: u64,
        known: bool,
    },
    Datagram(Bytes),
    /// A one-way stream, all of it. It has no number, and nobody says that it was read.
    Whole(Bytes),
    Data {
        stream: u64,
        bytes: Bytes,
        fin: bool,
    },
    Reset {
        stream: u64,
        code: u64,
    },
    Stop {
        stream: u64,
        code: u64,
    },
    /// So many bytes more were read.
    Read {
        stream: u64,
        bytes: usize,
    },
    /// Everything up to the end was read.
    Taken {
        stream: u64,
    },
}

/// What the other end's parcel means for the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Datagram(Bytes),
    /// A one-way stream has come; [`Crossing::keep`] makes it one like others.
    Whole(Bytes),
    /// Streams of this kind, from this one to the next but the last.
    Opened {
        from: u64,
        to: u64,
        dir: Dir,
    },
    Readable(StreamId),
    Writable(StreamId),
    Stopped(StreamId, u64),
    /// All of it was read at the other end; whether one more may be opened, which was refused before.
    Finished(StreamId, bool),
}

#[derive(Debug, Default)]
struct Sending {
    /// Sent, and not read yet.
    unread: usize,
    /// The window was full, and a write was cut short.
    blocked: bool,
    finished: bool,
}

#[derive(Debug, Default)]
struct Receiving {
    chunks: VecDeque<Bytes>,
    fin: bool,
    reset: Option<u64>,
    /// Read, and not told yet.
    read: usize,
}

/// One end. Stream numbers are QUIC's (RFC 9000, section 2.1): the lowest bit says who opened it, the next one which way
/// it goes.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// 0 for the end that counts as the client.
    side: u64,
    /// The next stream that we open, and that the other end does, by direction (bi, uni).
    next: [u64; 2],
    others: [u64; 2],
    sending: BTreeMap<u64, Sending>,
    receiving: BTreeMap<u64, Receiving>,
    /// How many streams that came whole were kept.
    kept: u64,
    /// Streams that wait for room in the ring.
    waiting: BTreeSet<u64>,
    /// The other end was not allowed a stream.
    refused: bool,
    /// In order, the next first.
    pub(crate) out: VecDeque<Parcel>,
    /// Parcels that the ring takes now, those in `out` among them.
    room: usize,
}

fn kind_of(dir: Dir) -> usize {
    usize::from(dir == Dir::Uni)
}

impl Crossing {
    pub(crate) fn new(client: bool) -> Crossing {
        Crossing {
            side: u64::from(!client),
            next: [0; 2],
            others: [0; 2],
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            kept: 0,
            waiting: BTreeSet::new(),
            refused: false,
            out: VecDeque::new(),
            room: 0,
        }
    }

    fn is_ours(&self, stream: u64) -> bool {
        stream & 1 == self.side
    }

    /// Whether the ring takes more than what is on its way to it.
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < self.room
    }

    /// Whether something waits for the ring to have room.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.out.is_empty() || !self.waiting.is_empty()
    }

    /// What the ring takes now; the streams that waited for it, if there is some.
    pub(crate) fn set_room(&mut self, room: usize) -> BTreeSet<u64> {
        self.room = room;
        match self.has_room() {
            true => std::mem::take(&mut self.waiting),
            false => BTreeSet::new(),
        }
    }

    /// The next parcel for the ring.
    pub(crate) fn take(&mut self) -> Option<Parcel> {
        if self.room == 0 {
            return None;
        }
        let parcel = self.out.pop_front()?;
        self.room -= 1;
        Some(parcel)
    }

    /// Puts a word in that has to arrive, whatever the room.
    pub(crate) fn say(&mut self, content: Content) {
        self.out.push_back(Parcel(content));
    }

    /// Takes in what the other end sent. A stream that is not known any more was given up here.
    pub(crate) fn take_in(&mut self, content: Content) -> Told {
        match content {
            Content::Datagram(bytes) => Told::Datagram(bytes),
            Content::Whole(bytes) => Told::Whole(bytes),
            Content::Data { stream, bytes, fin } => {
                let opened = self.opened(stream);
                let Some(receiving) = self.receiving.get_mut(&stream) else { return Told::Nothing };
                if !bytes.is_empty() {
                    receiving.chunks.push_back(bytes);
                }
                receiving.fin |= fin;
                opened.unwrap_or(Told::Readable(StreamId(stream)))
            }
            Content::Reset { stream, code } => {
                let opened = self.opened(stream);
                let Some(receiving) = self.receiving.get_mut(&stream) else { return Told::Nothing };
                receiving.chunks.clear();
                receiving.reset = Some(code);
                opened.unwrap_or(Told::Readable(StreamId(stream)))
            }
            Content::Stop { stream, code } => match self.sending.contains_key(&stream) {
                true => Told::Stopped(StreamId(stream), code),
                false => Told::Nothing,
            },
            Content::Read { stream, bytes } => {
                let Some(sending) = self.sending.get_mut(&stream) else { return Told::Nothing };
                sending.unread = sending.unread.saturating_sub(bytes);
                match std::mem::take(&mut sending.blocked) {
                    true => Told::Writable(StreamId(stream)),
                    false => Told::Nothing,
                }
            }
            Content::Taken { stream } => match self.sending.remove(&stream) {
                Some(_) => Told::Finished(StreamId(stream), std::mem::take(&mut self.refused)),
                None => Told::Nothing,
            },
            Content::Hello { .. } | Content::Joined { .. } | Content::Claim { .. } | Content::Claimed { .. } => {
                Told::Nothing
            }
        }
    }

    /// Sends a one-way stream whole. False: the ring has no room for it now, or it is more than one parcel.
    pub(crate) fn send_whole(&mut self, bytes: Bytes) -> bool {
        if !self.has_room() || bytes.len() > PARCEL_BYTES {
            return false;
        }
        self.say(Content::Whole(bytes));
        true
    }

    /// Makes a stream that came whole one that is read as others are.
    pub(crate) fn keep(&mut self, bytes: Bytes) -> StreamId {
        let id = WHOLE | self.kept;
        self.kept += 1;
        self.receiving.insert(id, Receiving { chunks: VecDeque::from([bytes]), fin: true, ..Receiving::default() });
        StreamId(id)
    }

    /// A stream that the other end has just opened, and all before it of its kind.
    fn opened(&mut self, stream: u64) -> Option<Told> {
        let (kind, number) = ((stream >> 1 & 1) as usize, stream >> 2);
        let from = self.others[kind];
        if self.is_ours(stream) || number < from {
            return None;
        }
        self.others[kind] = number + 1;
        let dir = if kind == 1 { Dir::Uni } else { Dir::Bi };
        let first = from << 2 | stream & 3;
        for at in (first..=stream).step_by(4) {
            self.receiving.insert(at, Receiving::default());
            if dir == Dir::Bi {
                self.sending.insert(at, Sending::default());
            }
        }
        Some(Told::Opened { from: first, to: stream, dir })
    }

    /// How many bytes of a stream may go now; 0 with a note of what it waits for.
    fn allowance(&mut self, id: u64) -> Result<usize, WriteError> {
        let room = self.has_room();
        let Some(sending) = self.sending.get_mut(&id).filter(|sending| !sending.finished) else {
            return Err(WriteError::Gone);
        };
        if !room {
            self.waiting.insert(id);
            return Ok(0);
        }
        let free = WINDOW.saturating_sub(sending.unread);
        sending.blocked |= free == 0;
        Ok(free.min(PARCEL_BYTES))
    }

    fn put(&mut self, stream: u64, bytes: Bytes) {
        if let Some(sending) = self.sending.get_mut(&stream) {
            sending.unread += bytes.len();
        }
        self.say(Content::Data { stream, bytes, fin: false });
    }

    /// The receiving half of a stream is over.
    fn end(&mut self, stream: u64) {
        self.receiving.remove(&stream);
        if stream & WHOLE == 0 {
            self.say(Content::Taken { stream });
        }
    }
}

impl Transport for Crossing {
    fn open(&mut self, dir: Dir) -> Option<StreamId> {
        if self.sending.len() >= STREAMS {
            self.refused = true;
            return None;
        }
        let next = &mut self.next[kind_of(dir)];
        let id = *next << 2 | (kind_of(dir) as u64) << 1 | self.side;
        *next += 1;
        self.sending.insert(id, Sending::default());
        if dir == Dir::Bi {
            self.receiving.insert(id, Receiving::default());
        }
        Some(StreamId(id))
    }

    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError> {
        self.write_bytes(id, &mut Bytes::copy_from_slice(bytes))
    }

    fn write_bytes(&mut self, id: StreamId, bytes: &mut Bytes) -> Result<usize, WriteError> {
        let mut taken = 0;
        loop {
            if bytes.is_empty() {
                return Ok(taken);
            }
            let part = self.allowance(id.0)?.min(bytes.len());
            if part == 0 {
                return Ok(taken);
            }
            let part = bytes.split_to(part);
            taken += part.len();
            self.put(id.0, part);
        }
    }

    fn send_datagram(&mut self, bytes: Bytes) -> Result<(), DatagramError> {
        if bytes.len() > DATAGRAM {
            return Err(DatagramError::TooLarge);
        }
        if !self.has_room() {
            return Err(DatagramError::Full);
        }
        self.say(Content::Datagram(bytes));
        Ok(())
    }

    fn max_datagram(&mut self) -> usize {
        DATAGRAM
    }

    fn finish(&mut self, id: StreamId) {
        let Some(sending) = self.sending.get_mut(&id.0).filter(|sending| !sending.finished) else { return };
        sending.finished = true;
        // Most streams are one object: their end goes with it.
        if let Some(Parcel(Content::Data { stream, fin, .. })) = self.out.back_mut() {
            if *stream == id.0 {
                *fin = true;
                return;
            }
        }
        self.say(Content::Data { stream: id.0, bytes: Bytes::new(), fin: true });
    }

    fn reset(&mut self, id: StreamId, code: u64) {
        if self.sending.remove(&id.0).is_some() {
            self.waiting.remove(&id.0);
            self.say(Content::Reset { stream: id.0, code });
        }
    }

    fn stop(&mut self, id: StreamId, code: u64) {
        if self.receiving.remove(&id.0).is_some() && id.0 & WHOLE == 0 {
            self.say(Content::Stop { stream: id.0, code });
        }
    }

    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError> {
        let receiving = self.receiving.get_mut(&id.0).ok_or(ReadError::Gone)?;
        if let Some(code) = receiving.reset {
            self.receiving.remove(&id.0);
            return Err(ReadError::Reset(code));
        }
        let Some(first) = receiving.chunks.front_mut() else {
            if !receiving.fin {
                return Err(ReadError::Blocked);
            }
            self.end(id.0);
            return Ok(Chunk { bytes: Bytes::new(), fin: true });
        };
        let bytes = if first.len() > max { first.split_to(max) } else { std::mem::take(first) };
        if first.is_empty() {
            receiving.chunks.pop_front();
        }
        receiving.read += bytes.len();
        if receiving.fin && receiving.chunks.is_empty() {
            self.end(id.0);
            return Ok(Chunk { bytes, fin: true });
        }
        if receiving.read >= WINDOW / 2 && !receiving.fin {
            let read = std::mem::take(&mut receiving.read);
            self.say(Content::Read { stream: id.0, bytes: read });
        }
        Ok(Chunk { bytes, fin: false })
    }

    // What crosses in memory waits for nothing that an order could help.
    fn set_priority(&mut self, _: StreamId, _: i32) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Crossing, Crossing) {
        let (mut client, mut server) = (Crossing::new(true), Crossing::new(false));
        client.set_room(1000);
        server.set_room(1000);
        (client, server)
    }

    /// Moves what is out to the other end.
    fn carry(from: &mut Crossing, to: &mut Crossing) -> Vec<Told> {
        std::iter::from_fn(|| from.take()).map(|parcel| to.take_in(parcel.0)).collect()
    }

    fn all(end: &mut Crossing, id: StreamId) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        loop {
            match end.read(id, 1000) {
                Ok(chunk) => {
                    bytes.extend_from_slice(&chunk.bytes);
                    if chunk.fin {
                        return (bytes, true);
                    }
                }
                Err(_) => return (bytes, false),
            }
        }
    }

    #[test]
    fn a_stream_that_crosses_whole_is_one_parcel_of_which_nobody_says_that_it_was_read() {
        let (mut client, mut server) = pair();
        let bytes = Bytes::from(vec![7; PARCEL_BYTES]);
        assert!(client.send_whole(bytes.clone()));
        assert!(!client.send_whole(Bytes::from(vec![7; PARCEL_BYTES + 1])), "it has to go in parts");
        assert_eq!(client.out.len(), 1);
        let told = carry(&mut client, &mut server);
        assert_eq!(told, [Told::Whole(bytes.clone())]);
        // Kept, because it can't be taken at once, it is read as any other.
        let (first, second) = (server.keep(bytes.clone()), server.keep(bytes.clone()));
        let part = server.read(first, 1000).unwrap();
        assert_eq!((part.bytes.len(), part.fin), (1000, false));
        assert_eq!(all(&mut server, first), (vec![7; PARCEL_BYTES - 1000], true));
        server.stop(second, 1);
        assert_eq!((server.read(first, 1), server.read(second, 1)), (Err(ReadError::Gone), Err(ReadError::Gone)));
        assert_eq!(server.out.len(), 0, "the other end knows no such stream");
    }

    #[test]
    fn a_stream_does_not_cross_whole_where_the_ring_has_no_room() {
        let (mut client, _) = pair();
        client.set_room(1);
        assert!(client.send_whole(Bytes::from_static(b"one")));
        assert!(!client.send_whole(Bytes::from_static(b"two")));
    }

    #[test]
    fn a_stream_crosses_without_a_copy_and_its_end_is_told_back() {
        let (mut client, mut server) = pair();
        let id = client.open(Dir::Uni).unwrap();
        let payload = Bytes::from(vec![7; 5000]);
        assert_eq!(client.write_bytes(id, &mut payload.clone()), Ok(5000));
        client.finish(id);
        assert_eq!(client.out.len(), 1, "the end goes with the last bytes");
        let told = carry(&mut client, &mut server);
        assert_eq!(told, [Told::Opened { from: id.0, to: id.0, dir: Dir::Uni }]);
        let chunk = server.read(id, 10_000).unwrap();
        assert_eq!((chunk.bytes.as_ptr(), chunk.fin), (payload.as_ptr(), true));
        assert_eq!(server.read(id, 10), Err(ReadError::Gone));
        assert_eq!(carry(&mut server, &mut client), [Told::Finished(id, false)]);
        assert!(client.sending.is_empty() && server.receiving.is_empty());
    }

    #[test]
    fn a_full_ring_holds_streams_back_and_refuses_datagrams() {
        let (mut client, mut server) = pair();
        let id = client.open(Dir::Bi).unwrap();
        client.set_room(2);
        let mut bytes = Bytes::from(vec![1; 3 * PARCEL_BYTES]);
        assert_eq!(client.write_bytes(id, &mut bytes), Ok(2 * PARCEL_BYTES));
        assert_eq!(client.send_datagram(Bytes::from_static(b"late")), Err(DatagramError::Full));
        carry(&mut client, &mut server);
        assert!(!client.has_room());
        assert_eq!(client.set_room(5), BTreeSet::from([id.0]), "it is told when there is room again");
        assert_eq!(client.write_bytes(id, &mut bytes), Ok(PARCEL_BYTES));
        client.finish(id);
        carry(&mut client, &mut server);
        assert_eq!(all(&mut server, id), (vec![1; 3 * PARCEL_BYTES], true));
    }

    #[test]
    fn unread_bytes_are_bounded_and_reading_makes_room() {
        let (mut client, mut server) = pair();
        let id = client.open(Dir::Uni).unwrap();
        let mut bytes = Bytes::from(vec![1; WINDOW + 10]);
        assert_eq!(client.write_bytes(id, &mut bytes), Ok(WINDOW));
        assert_eq!(client.write_bytes(id, &mut bytes), Ok(0));
        carry(&mut client, &mut server);
        assert_eq!(all(&mut server, id).0.len(), WINDOW);
        let told = carry(&mut server, &mut client);
        assert_eq!(told.iter().filter(|told| **told == Told::Writable(id)).count(), 1);
        assert_eq!(client.write_bytes(id, &mut bytes), Ok(10));
    }

    #[test]
    fn resets_and_stops_end_both_halves_and_what_comes_late_is_nothing() {
        let (mut client, mut server) = pair();
        let (first, second) = (client.open(Dir::Uni).unwrap(), client.open(Dir::Uni).unwrap());
        client.write(second, b"abc").unwrap();
        // The second's parcel opens the first as well.
        let told = carry(&mut client, &mut server);
        assert_eq!(told, [Told::Opened { from: first.0, to: second.0, dir: Dir::Uni }]);
        assert_eq!(server.read(first, 9), Err(ReadError::Blocked));
        client.reset(first, 5);
        server.stop(second, 6);
        assert_eq!(carry(&mut client, &mut server), [Told::Readable(first)]);
        assert_eq!(server.read(first, 9), Err(ReadError::Reset(5)));
        client.write(second, b"def").unwrap();
        assert_eq!(carry(&mut server, &mut client), [Told::Stopped(second, 6)]);
        assert_eq!(carry(&mut client, &mut server), [Told::Nothing]);
        client.reset(second, 6);
        assert_eq!(client.write(second, b"x"), Err(WriteError::Gone));
        assert_eq!(carry(&mut client, &mut server), [Told::Nothing]);
    }
}
