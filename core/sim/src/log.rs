//! What happened in a world, in order: a digest of all of it, and the lines themselves if asked for.
//!
//! A line is the time in microseconds, the node, and what: `12034 c7 send host 118 9d3f03a57c1be264`. Times are
//! offsets in the world, so that two runs compare; the last word of `send` and `frame` is a checksum
//! of what was sent or came.

use std::fmt::Write as _;

use cc_engine::{Delivery, Event, Time};

use crate::null::checksum;

/// A node's name, and a number that stands for it in the digest.
#[derive(Debug, Clone)]
pub struct Label {
    pub(crate) name: String,
    mark: u64,
}

impl Label {
    /// The label of a name.
    pub fn new(name: &str) -> Label {
        Label { name: name.to_owned(), mark: checksum(0, &[name.as_bytes()]) as u64 }
    }
}

/// One thing that happened at one node.
#[derive(Clone, Copy)]
pub enum Record<'a> {
    /// A datagram was sent to this node.
    Send {
        /// Whom to.
        to: &'a Label,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A datagram came to a node that is not running, or for which there is no path, and is lost.
    Stray {
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The engine reported an event.
    Event(&'a Event),
    /// The engine delivered a frame or message.
    Frame(&'a Delivery),
    /// The application was paused for so long that its inbox was full, and a delivery is lost.
    Overflow,
    /// The world did something to the node, or the application says something.
    Note(&'a str),
}

/// The log of a world.
#[derive(Debug)]
pub struct Log {
    digest: u64,
    records: u64,
    text: Option<String>,
    /// Most bytes of lines kept; none: all.
    room: Option<usize>,
}

/// Bytes that differ if anything in a datagram does. One 1-RTT packet alone (RFC 9000, 17.3: the first bit is 0) ends
/// with a tag over all of it; several packets in one datagram, which begins with a long header, have a tag each.
fn marked(bytes: &[u8]) -> &[u8] {
    match bytes {
        [first, ..] if first & 0x80 == 0 => bytes.last_chunk::<16>().map_or(bytes, |tag| tag),
        _ => bytes,
    }
}

/// One number of several.
fn fold(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum: u64, word| (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}

impl Log {
    /// An empty log, with its lines or without.
    pub fn new(keep: bool) -> Log {
        Log { digest: 0, records: 0, text: keep.then(String::new), room: None }
    }

    /// An empty log that keeps the newest lines, between half of `room` bytes and all of it.
    pub fn newest(room: usize) -> Log {
        Log { room: Some(room.max(1024)), ..Log::new(true) }
    }

    /// One more record.
    pub fn add(&mut self, time: Time, node: &Label, record: Record<'_>) {
        let (kind, first, second, words) = match record {
            Record::Send { to, bytes } => (1, checksum(to.mark, &[marked(bytes)]) as u64, bytes.len() as u64, None),
            Record::Stray { bytes } => (2, checksum(0, &[bytes]) as u64, bytes.len() as u64, None),
            Record::Event(event) => (3, 0, 0, Some(format!("{event:?}"))),
            Record::Frame(frame) => {
                let marks = u64::from(frame.priority) << 8 | u64::from(frame.flags);
                let head = fold(&[frame.subscription, frame.track, frame.group, frame.object, marks]);
                let sum = checksum(head, &[&frame.properties, &frame.payload]) as u64;
                (4, sum, frame.payload.len() as u64, None)
            }
            Record::Overflow => (5, 0, 0, None),
            Record::Note(text) => (6, 0, 0, Some(text.to_owned())),
        };
        let tail = words.as_deref().unwrap_or_default();
        let tail_mark = if tail.is_empty() { 0 } else { checksum(0, &[tail.as_bytes()]) as u64 };
        self.digest = fold(&[self.digest, time, node.mark, kind, first, second, tail_mark]);
        self.records += 1;
        let Some(text) = &mut self.text else { return };
        let node = &node.name;
        // Writing to a String cannot fail.
        let _ = match record {
            Record::Send { to, bytes } => writeln!(text, "{time} {node} send {} {} {first:016x}", to.name, bytes.len()),
            Record::Stray { bytes } => writeln!(text, "{time} {node} stray {} {first:016x}", bytes.len()),
            Record::Event(_) => writeln!(text, "{time} {node} event {tail}"),
            Record::Frame(frame) => {
                let Delivery { track, group, object, .. } = frame;
                writeln!(text, "{time} {node} frame {track} {group}.{object} {second} {first:016x}")
            }
            Record::Overflow => writeln!(text, "{time} {node} overflow"),
            Record::Note(_) => writeln!(text, "{time} {node} note {tail}"),
        };
        if let Some(room) = self.room.filter(|room| text.len() > *room) {
            let end = text.as_bytes()[room / 2..].iter().position(|byte| *byte == b'\n');
            text.drain(..end.map_or(text.len(), |at| room / 2 + at + 1));
        }
    }

    /// A digest of all records: equal for two runs that went alike.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The lines, if they are kept.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}
