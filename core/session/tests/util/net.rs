//! Streams between two ends, in memory: bytes are copied, windows and stream credit run out, and
//! what is written becomes visible to the other end a set number of bytes at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use cc_session::{Chunk, DatagramError, Dir, ReadError, StreamId, Transport, WriteError};

/// One direction of a stream.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// How many of the bytes the reader may see.
    visible: usize,
    fin: bool,
    reset: Option<u64>,
    stopped: Option<u64>,
    /// The reader has had the end.
    over: bool,
    /// A write came up short.
    blocked: bool,
}

pub enum Notice {
    Opened(StreamId, Dir),
    Readable(StreamId),
    Writable(StreamId),
    Stopped(StreamId, u64),
    Credit(Dir),
}

pub struct Net {
    /// Datagrams under way: to which side, and what.
    pub datagrams: Vec<(usize, bytes::Bytes)>,
    /// By stream and writer.
    pipes: BTreeMap<(u64, usize), Pipe>,
    notices: [VecDeque<Notice>; 2],
    announced: BTreeSet<u64>,
    next: [[u64; 2]; 2],
    /// Streams that each end may still open, one-way and two-way.
    pub credit: [[u64; 2]; 2],
    /// Bytes that a direction holds.
    pub window: usize,
    /// Bytes that become visible at once.
    pub step: usize,
    /// Most bytes that one read gives, as a packet's would.
    pub packet: usize,
    /// The priorities that were set.
    pub priorities: BTreeMap<u64, i32>,
}

fn index(dir: Dir) -> usize {
    match dir {
        Dir::Uni => 0,
        Dir::Bi => 1,
    }
}

impl Net {
    pub fn new(window: usize, step: usize, credit: u64) -> Self {
        Self {
            datagrams: Vec::new(),
            pipes: BTreeMap::new(),
            notices: [VecDeque::new(), VecDeque::new()],
            announced: BTreeSet::new(),
            next: [[0; 2]; 2],
            credit: [[credit; 2]; 2],
            window,
            step,
            packet: usize::MAX,
            priorities: BTreeMap::new(),
        }
    }

    pub fn end(&mut self, side: usize) -> End<'_> {
        End { net: self, side }
    }

    pub fn notice(&mut self, side: usize) -> Option<Notice> {
        self.notices[side].pop_front()
    }

    pub fn grant(&mut self, side: usize, dir: Dir, more: u64) {
        self.credit[side][index(dir)] += more;
        self.notices[side].push_back(Notice::Credit(dir));
    }

    /// Lets more of what is in flight be seen; false when there is nothing.
    pub fn deliver(&mut self) -> bool {
        let mut any = false;
        let step = self.step;
        let mut seen = Vec::new();
        for ((id, writer), pipe) in &mut self.pipes {
            let hidden = pipe.bytes.len() - pipe.visible;
            if hidden > 0 {
                pipe.visible += hidden.min(step);
                seen.push((*id, 1 - *writer));
            }
        }
        for (id, reader) in seen {
            any = true;
            self.tell(id, reader);
        }
        any
    }

    /// Nothing is in flight, and nobody is to be told anything.
    pub fn quiet(&self) -> bool {
        self.notices.iter().all(VecDeque::is_empty) && self.pipes.values().all(|pipe| pipe.visible == pipe.bytes.len())
    }

    fn tell(&mut self, id: u64, reader: usize) {
        let opener = (id & 1) as usize;
        if opener != reader && self.announced.insert(id) {
            let dir = if id & 2 == 0 { Dir::Bi } else { Dir::Uni };
            self.notices[reader].push_back(Notice::Opened(StreamId(id), dir));
        } else {
            self.notices[reader].push_back(Notice::Readable(StreamId(id)));
        }
    }

    /// Streams not closed both ways, as one end sees them.
    pub fn unclosed(&self) -> usize {
        let open = self.pipes.iter().filter(|(_, pipe)| !pipe.over).map(|((id, _), _)| *id);
        open.collect::<BTreeSet<_>>().len()
    }

    /// How an end's direction of a stream ended: `None` not yet, `Some(None)` by FIN.
    pub fn ended(&self, id: StreamId, writer: usize) -> Option<Option<u64>> {
        let pipe = self.pipes.get(&(id.0, writer))?;
        pipe.reset.map(Some).or(pipe.fin.then_some(None))
    }

    /// The code with which the reader stopped an end's direction.
    pub fn stopped(&self, id: StreamId, writer: usize) -> Option<u64> {
        self.pipes.get(&(id.0, writer))?.stopped
    }
}

pub struct End<'a> {
    net: &'a mut Net,
    side: usize,
}

impl Transport for End<'_> {
    fn send_datagram(&mut self, bytes: bytes::Bytes) -> Result<(), DatagramError> {
        if bytes.len() > self.max_datagram() {
            return Err(DatagramError::TooLarge);
        }
        self.net.datagrams.push((1 - self.side, bytes));
        Ok(())
    }

    fn max_datagram(&mut self) -> usize {
        1200
    }

    fn open(&mut self, dir: Dir) -> Option<StreamId> {
        let kind = index(dir);
        let credit = &mut self.net.credit[self.side][kind];
        *credit = credit.checked_sub(1)?;
        let n = &mut self.net.next[self.side][kind];
        let id = *n << 2 | if kind == 0 { 2 } else { 0 } | self.side as u64;
        *n += 1;
        self.net.pipes.insert((id, self.side), Pipe::default());
        if dir == Dir::Bi {
            self.net.pipes.insert((id, 1 - self.side), Pipe::default());
        }
        Some(StreamId(id))
    }

    fn write(&mut self, id: StreamId, bytes: &[u8]) -> Result<usize, WriteError> {
        let window = self.net.window;
        let pipe = self.net.pipes.get_mut(&(id.0, self.side)).ok_or(WriteError::Gone)?;
        if let Some(code) = pipe.stopped {
            return Err(WriteError::Stopped(code));
        }
        if pipe.fin || pipe.reset.is_some() {
            return Err(WriteError::Gone);
        }
        let n = bytes.len().min(window - pipe.bytes.len().min(window));
        pipe.bytes.extend(&bytes[..n]);
        pipe.blocked |= n < bytes.len();
        Ok(n)
    }

    fn finish(&mut self, id: StreamId) {
        let Some(pipe) = self.net.pipes.get_mut(&(id.0, self.side)) else { return };
        if pipe.reset.is_none() && !pipe.fin {
            pipe.fin = true;
            if pipe.visible == pipe.bytes.len() {
                self.net.tell(id.0, 1 - self.side);
            }
        }
    }

    fn reset(&mut self, id: StreamId, code: u64) {
        let Some(pipe) = self.net.pipes.get_mut(&(id.0, self.side)) else { return };
        if pipe.reset.is_none() && !pipe.over {
            pipe.reset = Some(code);
            pipe.bytes.clear();
            pipe.visible = 0;
            self.net.tell(id.0, 1 - self.side);
        }
    }

    fn stop(&mut self, id: StreamId, code: u64) {
        let writer = 1 - self.side;
        let Some(pipe) = self.net.pipes.get_mut(&(id.0, writer)) else { return };
        if pipe.stopped.is_none() && !pipe.over {
            pipe.stopped = Some(code);
            pipe.over = true;
            pipe.bytes.clear();
            pipe.visible = 0;
            self.net.notices[writer].push_back(Notice::Stopped(id, code));
        }
    }

    fn read(&mut self, id: StreamId, max: usize) -> Result<Chunk, ReadError> {
        assert!(max > 0, "a read of nothing");
        let pipe = self.net.pipes.get_mut(&(id.0, 1 - self.side)).ok_or(ReadError::Gone)?;
        if pipe.over {
            return Err(ReadError::Gone);
        }
        if let Some(code) = pipe.reset {
            pipe.over = true;
            return Err(ReadError::Reset(code));
        }
        let n = pipe.visible.min(max).min(self.net.packet);
        pipe.visible -= n;
        let bytes: Bytes = pipe.bytes.drain(..n).collect::<Vec<u8>>().into();
        let fin = pipe.fin && pipe.bytes.is_empty();
        pipe.over = fin;
        if n > 0 && std::mem::take(&mut pipe.blocked) {
            self.net.notices[1 - self.side].push_back(Notice::Writable(id));
        }
        if n == 0 && !fin {
            return Err(ReadError::Blocked);
        }
        Ok(Chunk { bytes, fin })
    }

    fn set_priority(&mut self, id: StreamId, priority: i32) {
        self.net.priorities.insert(id.0, priority);
    }
}
