//! Draining: what goes out next.

use super::*;

impl Queue {
    /// The most important thing that may be sent now, taken out of the queue; resets first.
    ///
    /// `max_datagram` is the longest datagram the path carries: a frame with a longer part is
    /// dropped. `room` is how many stream bytes the caller takes: an object is cut there, a header
    /// is not. If a stream is next and `room` is too little for it, the answer is `None`, and so
    /// nothing less important slips past.
    pub fn next(&mut self, now: Time, max_datagram: usize, room: usize) -> Option<Out> {
        self.take_in();
        self.settle_due(now);
        self.expire_queued(now);
        if let Some(key) = self.retiring.take() {
            if let Some(index) = self.sub(key) {
                self.end_sub(index);
            }
        }
        if let Some((subgroup, code)) = self.resets.pop_front() {
            return Some(Out::Reset { subgroup, code });
        }
        if let Some(out) = self.next_fresh(max_datagram, room) {
            return Some(out);
        }
        loop {
            let Some((stream, index)) = self.front() else {
                if self.swollen && self.charge == 0 {
                    self.swollen = false;
                    self.shrink();
                }
                return None;
            };
            if stream {
                return self.take_stream(index, room);
            }
            if let Some(out) = self.take_datagram(index, max_datagram) {
                return Some(out);
            }
        }
    }

    /// Whether `next` has something that takes at most `room` bytes: a datagram that long, or some of a stream, which is
    /// cut there.
    pub fn fits(&mut self, now: Time, room: usize) -> bool {
        self.expire(now);
        if !self.resets.is_empty() {
            return true;
        }
        let Some((stream, index)) = self.front() else { return false };
        match stream {
            true => self.subs[index].fits(room),
            false => self.frames[index].part() <= room,
        }
    }

    /// The head of the first lane, and whether it is a stream. Streams that may not be opened
    /// are parked as they come up.
    fn front(&mut self) -> Option<(bool, u32)> {
        loop {
            let (_, lane) = self.order.top()?;
            let (stream, place) = Self::head(&self.lanes[lane])?;
            if stream && self.opening_blocked && !self.subs[place.index].opened {
                self.park(place.index);
                continue;
            }
            return Some((stream, place.index));
        }
    }

    /// The next part of a frame; `None` if the frame had to be dropped.
    fn take_datagram(&mut self, index: u32, max_datagram: usize) -> Option<Out> {
        let frame = &mut self.frames[index];
        let size = frame.part();
        if size > max_datagram {
            self.drop_frame(index, DropReason::TooLarge);
            return None;
        }
        let bytes = frame.first.take().or_else(|| frame.rest.pop_front()).unwrap_or_default();
        let (track, lane) = (frame.track, frame.lane);
        let waited_us = self.now - frame.pushed_at;
        let last_of_frame = frame.rest.is_empty();
        let begins = !std::mem::replace(&mut frame.started, true);
        frame.bytes -= size;
        frame.charge -= ENTRY_COST;
        self.discharge(track, size, ENTRY_COST);
        self.tracks[track].stats.sent_bytes += size as u64;
        let pin = begins && self.tracks[track].config.latest_wins;
        if pin {
            // Half out, it stays ahead of the newer ones in its lane.
            let place = &mut self.frames[index].place;
            (place.rank, place.item) = (0, 0);
            let place = *place;
            if let Some(front) = self.lanes[lane].frames.front_mut() {
                *front = place;
            }
        }
        if last_of_frame {
            self.pass_turn(lane);
            self.drained(index);
        } else if begins {
            self.refresh(lane);
        }
        let track = TrackKey { index: track, generation: self.tracks.generation(track) };
        Some(Out::Datagram { track, bytes, last_of_frame, waited_us })
    }

    /// The header, if it is not out, and a chunk of an object, or the FIN; `None` if `room` is too little.
    fn take_stream(&mut self, index: u32, room: usize) -> Option<Out> {
        let key = self.sub_key(index);
        let sub = &mut self.subs[index];
        if !sub.fits(room) {
            return None;
        }
        let first = !sub.opened;
        let (track, lane) = (sub.track, sub.lane);
        let size = sub.chunks.front().map_or(0, |chunk| chunk.data.len());
        let header = if first { sub.header.clone() } else { Bytes::new() };
        let room = room - header.len();
        let mut last = LastOut {
            first,
            header: header.len(),
            object: false,
            fin: false,
            len: 0,
            expires: NEVER,
            pushed_at: self.now,
        };
        let mut data = Bytes::new();
        let mut cost = if header.is_empty() { 0 } else { ENTRY_COST };
        if let Some(chunk) = sub.chunks.front_mut() {
            (last.expires, last.pushed_at) = (chunk.expires, chunk.pushed_at);
            data = chunk.data.split_to(size.min(room));
            if data.len() == size {
                last.object = chunk.object;
                cost += ENTRY_COST;
                sub.chunks.pop_front();
            }
        }
        last.len = data.len();
        last.fin = sub.finished && sub.chunks.is_empty();
        sub.opened = true;
        sub.fin_sent = last.fin;
        sub.last = Some(last);
        let bytes = last.header + last.len;
        sub.bytes -= bytes;
        sub.charge -= bytes + cost;
        sub.objects -= u64::from(last.object);
        if last.fin && sub.fin_deadline == NEVER {
            self.retiring = Some(key);
        }
        self.discharge(track, bytes, cost);
        let stats = &mut self.tracks[track].stats;
        stats.sent_bytes += bytes as u64;
        stats.sent_frames += u64::from(last.object);
        stats.queued_frames -= u64::from(last.object);
        self.pass_turn(lane);
        self.refresh_sub(index);
        let track = TrackKey { index: track, generation: self.tracks.generation(track) };
        Some(Out::Stream { subgroup: key, track, header, data, fin: last.fin, first })
    }

    /// The lane goes to the end of the line of those that tie with it.
    pub(super) fn pass_turn(&mut self, lane: u32) {
        self.turns += 1;
        self.lanes[lane].turn = self.turns;
    }
}
