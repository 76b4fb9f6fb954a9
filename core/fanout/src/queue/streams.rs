//! Subgroup streams: their objects in order, flow control, timeouts, resets.

use super::*;

pub(super) use cc_wire::codes::stream_reset::{DELIVERY_TIMEOUT, TOO_FAR_BEHIND};

impl Sub {
    /// When it is to be reset: the deadline of what is next, or of the whole.
    pub(super) fn expires(&self) -> Time {
        if self.dead.is_some() {
            return NEVER;
        }
        if self.fin_sent {
            return self.fin_deadline;
        }
        let head = self.chunks.iter().take(2).map(|chunk| chunk.expires).min().unwrap_or(NEVER);
        head.min(self.meta.deadline.unwrap_or(NEVER)).min(self.fin_deadline)
    }

    /// Bytes of what goes out next of it: an object, and the header before the first.
    pub(super) fn piece(&self) -> usize {
        let header = if self.opened { 0 } else { self.header.len() };
        header + self.chunks.front().map_or(0, |chunk| chunk.data.len())
    }

    /// Whether `room` bytes take some of that: the header whole, and at least a byte of an object.
    pub(super) fn fits(&self, room: usize) -> bool {
        let header = if self.opened { 0 } else { self.header.len() };
        header <= room && (room > 0 || self.piece() == 0)
    }

    /// Whether nothing is queued of it, it takes more, and nothing but its objects' time-outs may end it.
    pub(super) fn is_bare(&self) -> bool {
        let held = self.blocked || self.parked || self.finished || self.fresh;
        self.chunks.is_empty() && !held && self.dead.is_none() && self.meta.deadline.is_none()
    }

    /// Whether it has something that may go out. A header waits for its first object.
    fn is_ready(&self) -> bool {
        if self.blocked || self.parked || self.dead.is_some() {
            return false;
        }
        !self.chunks.is_empty() || (self.finished && !self.fin_sent)
    }
}

impl Queue {
    /// Opens a subgroup, with its encoded header; the stream itself is opened when its first
    /// object (or its end) is due. With an ended track the key has ended too. `header` is not
    /// empty.
    pub fn open_subgroup(&mut self, key: TrackKey, meta: SubgroupMeta, header: Bytes, now: Time) -> SubgroupKey {
        debug_assert!(!header.is_empty(), "a subgroup has a header");
        // What neither goes out before its first object nor displaces anything needs no order.
        let quiet = |track: &u32| meta.deadline.is_none() && self.has_room(*track, header.len() + ENTRY_COST);
        match self.track(key).filter(quiet) {
            Some(_) => _ = self.tell(now),
            None => self.expire(now),
        }
        let Some(track) = self.track(key) else {
            return SubgroupKey { index: NONE, generation: 0 };
        };
        let config = self.tracks[track].config;
        let meta = SubgroupMeta { deadline: meta.deadline.filter(|_| !config.reliable), ..meta };
        self.arrivals += 1;
        let rank = rank(config.group_order, meta.group);
        let (index, generation) = self.subs.insert(Sub {
            track,
            place_in_track: self.tracks[track].subs.len() as u32,
            meta,
            place: Place { rank, item: meta.subgroup, arrival: self.arrivals, index: 0 },
            lane: NONE,
            header: Bytes::new(),
            chunks: VecDeque::new(),
            bytes: 0,
            charge: 0,
            objects: 0,
            opened: false,
            finished: false,
            fin_sent: false,
            blocked: false,
            parked: false,
            fresh: false,
            dead: None,
            fin_deadline: NEVER,
            timeouts: None,
            last: None,
        });
        self.subs[index].place.index = index;
        self.tracks[track].subs.push(index);
        let need = header.len() + ENTRY_COST;
        if need <= self.limits.subgroup_bytes && self.make_room(track, meta.priority, need, None) {
            self.charge_sub(index, header.len());
            self.subs[index].header = header;
            self.refresh_sub(index);
        } else if config.reliable {
            self.put_behind(track);
        } else {
            self.kill(index, DropReason::NoRoom, TOO_FAR_BEHIND);
        }
        SubgroupKey { index, generation }
    }

    /// Counts a whole subgroup, of one object, as sent: the caller sends it itself, past the queue. False: it is to be
    /// opened and pushed, because something waits that may go before it.
    pub fn pass_subgroup(&mut self, key: TrackKey, bytes: usize) -> bool {
        let Some(index) = self.track(key).filter(|_| self.is_clear()) else { return false };
        if self.tracks[index].behind {
            return false;
        }
        let head = &mut self.heads[index as usize];
        head.sent_frames += 1;
        head.sent_bytes += bytes as u64;
        true
    }

    /// Gives a subgroup time-outs of its own, for what is pushed from now on and for its end.
    pub fn set_timeouts(&mut self, key: SubgroupKey, timeouts: Timeouts) {
        self.settle();
        if let Some(index) = self.sub(key) {
            self.subs[index].timeouts = Some(timeouts);
        }
    }

    /// Queues one encoded object. Over a bound, the subgroup of a partly reliable track is reset
    /// with all its objects (`NoRoom`), and a reliable track takes nothing more (`TooFarBehind`).
    /// After the queue has reset a subgroup, its further objects are dropped for the same reason.
    pub fn push_object(&mut self, key: SubgroupKey, data: Bytes, now: Time) -> Fate {
        if self.sub(key).is_some_and(|index| self.hurry(index, &data, now)) {
            return Fate::Queued;
        }
        self.expire(now);
        let Some(index) = self.sub(key) else {
            return Fate::Gone;
        };
        let sub = &self.subs[index];
        if sub.finished {
            return Fate::Gone;
        }
        let (track, priority, dead) = (sub.track, sub.meta.priority, sub.dead);
        let over = sub.charge + data.len() + ENTRY_COST > self.limits.subgroup_bytes;
        self.tracks[track].stats.pushed_frames += 1;
        if let Some(reason) = dead {
            self.count(track, reason);
            return frames::fate_of(reason);
        }
        if over || !self.make_room(track, priority, data.len() + ENTRY_COST, None) {
            if self.tracks[track].config.reliable {
                return self.fall_behind(track, None);
            }
            self.count(track, DropReason::NoRoom);
            self.kill(index, DropReason::NoRoom, TOO_FAR_BEHIND);
            return Fate::NoRoom;
        }
        let expires = self.heads[track as usize].object_expires(self.subs[index].timeouts, self.now);
        self.subs[index].objects += 1;
        self.tracks[track].stats.queued_frames += 1;
        self.append_chunk(index, Chunk { data, object: true, expires, pushed_at: self.now });
        Fate::Queued
    }

    /// No object follows: the stream ends with what is queued. SUBGROUP_DELIVERY_TIMEOUT runs
    /// from the latest time that the queue was told.
    pub fn finish_subgroup(&mut self, key: SubgroupKey) {
        let Some(index) = self.sub(key) else { return };
        let sub = &self.subs[index];
        let config = &self.tracks[sub.track].config;
        let timeout = match sub.timeouts {
            Some(own) => own.subgroup,
            None if config.reliable => None,
            None => config.subgroup_timeout,
        };
        // The FIN goes with the object that is on its way.
        let hurries = sub.fresh && after(0, timeout) == NEVER;
        if !hurries {
            self.settle();
        }
        // What came before may have displaced it.
        let Some(index) = self.sub(key) else { return };
        let sub = &mut self.subs[index];
        if sub.dead.is_some() {
            return self.end_sub(index);
        }
        if !sub.finished {
            sub.finished = true;
            sub.fin_deadline = after(self.now, timeout);
            if !hurries {
                self.refresh_sub(index);
            }
        }
    }

    /// Ends a subgroup at once, as its publisher did: what is queued of it is withdrawn, and a
    /// stream that is open is reset with `code`. After the FIN is out it does so only while the
    /// delivery timeout runs.
    pub fn reset_subgroup(&mut self, key: SubgroupKey, code: u64) {
        self.settle();
        let Some(index) = self.sub(key) else { return };
        let sub = &self.subs[index];
        let ended = sub.fin_sent && sub.fin_deadline == NEVER;
        if sub.opened && sub.dead.is_none() && !ended {
            self.resets.push_back((key, code));
        }
        self.withdraw(index);
    }

    /// All of a finished stream is acknowledged: its delivery timeout no longer runs. Needed only
    /// where there is a `subgroup_timeout`; without a call the stream is reset when that passes.
    pub fn delivered(&mut self, key: SubgroupKey) {
        // Most often it has ended, and nothing else is to be disturbed.
        if self.sub(key).is_some_and(|index| self.subs[index].fin_sent) {
            self.settle();
            if let Some(index) = self.sub(key) {
                self.end_sub(index);
            }
        }
    }

    /// The transport took only the beginning of what `next` last gave out of this subgroup: what is left of the header
    /// and of the data goes back in front, with the FIN if there was one. To be called before any push.
    pub fn unsent(&mut self, key: SubgroupKey, header: Bytes, rest: Bytes) {
        self.settle();
        let Some(index) = self.sub(key) else { return };
        let Some(last) = self.subs[index].last else { return };
        let none = header.is_empty() && rest.is_empty();
        if header.len() > last.header || rest.len() > last.len || (none && !last.fin) {
            return;
        }
        self.count_sent(index);
        self.put_back(index, last, rest);
        if !header.is_empty() {
            self.tracks[self.subs[index].track].stats.sent_bytes -= header.len() as u64;
            self.charge_sub(index, header.len());
            let chunk = Chunk { data: header, object: false, expires: NEVER, pushed_at: last.pushed_at };
            self.subs[index].chunks.push_front(chunk);
        }
        self.refresh_sub(index);
    }

    /// Counts what was sent of a subgroup's track past the queue as sent by it, so that it can be taken back.
    fn count_sent(&mut self, index: u32) {
        let track = self.subs[index].track;
        let (stats, head) = (&mut self.tracks[track].stats, &mut self.heads[track as usize]);
        stats.pushed_frames += head.sent_frames;
        stats.sent_frames += std::mem::take(&mut head.sent_frames);
        stats.sent_bytes += std::mem::take(&mut head.sent_bytes);
    }

    /// The end of the data that went out last goes back in front, and the FIN.
    fn put_back(&mut self, index: u32, last: LastOut, rest: Bytes) {
        let key = self.sub_key(index);
        let sub = &mut self.subs[index];
        sub.last = None;
        if last.fin {
            sub.fin_sent = false;
            self.retiring = self.retiring.filter(|&other| other != key);
        }
        let bytes = rest.len();
        if bytes > 0 {
            let chunk = Chunk { data: rest, object: last.object, expires: last.expires, pushed_at: last.pushed_at };
            let objects = u64::from(last.object);
            sub.objects += objects;
            sub.chunks.push_front(chunk);
            let stats = &mut self.tracks[sub.track].stats;
            stats.queued_frames += objects;
            stats.sent_frames -= objects;
            stats.sent_bytes -= bytes as u64;
            self.charge_sub(index, bytes);
        }
    }

    /// The subscriber priority of a subgroup, and where it stands; `None` if its key has ended.
    pub fn subgroup(&self, key: SubgroupKey) -> Option<(u8, SubgroupMeta)> {
        let sub = &self.subs[self.sub(key)?];
        let config = &self.tracks[sub.track].config;
        Some((config.subscriber_priority, sub.meta))
    }

    /// Flow control takes no more of this subgroup's stream: it is left out until `unblock`.
    pub fn block(&mut self, key: SubgroupKey) {
        self.set_blocked(key, true);
    }

    /// The stream takes more again.
    pub fn unblock(&mut self, key: SubgroupKey) {
        self.set_blocked(key, false);
    }

    /// The peer permits no further stream for what `next` last gave out (`first`), of which this is the data: the
    /// subgroup goes back as it was, and no stream is opened until `unblock_opening`. What is dropped meanwhile for want
    /// of a stream counts as [`DropReason::StreamLimit`].
    pub fn stream_refused(&mut self, key: SubgroupKey, data: Bytes) {
        self.settle();
        let Some(index) = self.sub(key) else { return };
        let Some(last) = self.subs[index].last.filter(|last| last.first && last.len == data.len()) else { return };
        self.count_sent(index);
        self.put_back(index, last, data);
        let sub = &mut self.subs[index];
        sub.opened = false;
        if last.header > 0 {
            self.tracks[sub.track].stats.sent_bytes -= last.header as u64;
            self.charge_sub(index, last.header);
        }
        self.opening_blocked = true;
        self.park(index);
    }

    /// The peer permits more streams.
    pub fn unblock_opening(&mut self) {
        self.settle();
        self.opening_blocked = false;
        while let Some(index) = self.parked.pop_first() {
            self.subs[index].parked = false;
            self.refresh_sub(index);
        }
    }

    /// Takes an unopened subgroup out of the order until streams may be opened again.
    pub(super) fn park(&mut self, index: u32) {
        self.subs[index].parked = true;
        self.parked.insert(index);
        self.refresh_sub(index);
    }

    /// Resets a subgroup from this side: its objects are dropped and counted.
    pub(super) fn kill(&mut self, index: u32, reason: DropReason, code: u64) {
        let key = self.sub_key(index);
        let sub = &mut self.subs[index];
        let waits = !sub.opened && (sub.parked || self.opening_blocked);
        let reason = if waits { DropReason::StreamLimit } else { reason };
        if sub.opened {
            self.resets.push_back((key, code));
        }
        let (track, finished) = (sub.track, sub.finished);
        let objects = std::mem::take(&mut sub.objects);
        sub.dead = Some(reason);
        sub.last = None;
        let stats = &mut self.tracks[track].stats;
        stats.queued_frames -= objects;
        stats.drops[reason as usize] += objects;
        if finished {
            self.end_sub(index);
        } else {
            self.empty_sub(index);
        }
    }

    /// Ends a subgroup and takes back what is queued of it.
    pub(super) fn withdraw(&mut self, index: u32) {
        let (track, objects) = (self.subs[index].track, std::mem::take(&mut self.subs[index].objects));
        let stats = &mut self.tracks[track].stats;
        stats.queued_frames -= objects;
        stats.withdrawn += objects;
        self.end_sub(index);
    }

    /// Takes a subgroup out of the queue altogether. Its objects are counted already.
    pub(super) fn end_sub(&mut self, index: u32) {
        let sub = &mut self.subs[index];
        if sub.charge > 0 || sub.lane != NONE || sub.parked || self.crowded {
            // Dead for whatever reason: so that nothing of it stays in any order.
            sub.dead = Some(DropReason::Expired);
            self.empty_sub(index);
        } else {
            self.sub_timers.remove(index);
        }
        let Some(sub) = self.subs.remove(index) else {
            return;
        };
        let subs = &mut self.tracks[sub.track].subs;
        subs.swap_remove(sub.place_in_track as usize);
        if let Some(&moved) = subs.get(sub.place_in_track as usize) {
            self.subs[moved].place_in_track = sub.place_in_track;
        }
    }

    /// Drops the bytes of a dead subgroup, and takes it out of every order.
    fn empty_sub(&mut self, index: u32) {
        let sub = &mut self.subs[index];
        let (track, bytes, cost) = (sub.track, sub.bytes, sub.charge - sub.bytes);
        (sub.bytes, sub.charge) = (0, 0);
        sub.chunks = VecDeque::new();
        sub.parked = false;
        self.parked.remove(&index);
        self.discharge(track, bytes, cost);
        self.refresh_sub(index);
    }

    /// Enters a subgroup anew wherever its state has a say: its lane, its timer, the victims.
    pub(super) fn refresh_sub(&mut self, index: u32) {
        let sub = &self.subs[index];
        let (track, priority, place, lane) = (sub.track, sub.meta.priority, sub.place, sub.lane);
        match sub.expires() {
            NEVER => self.sub_timers.remove(index),
            time => self.sub_timers.set(index, (time, index)),
        }
        let ready = sub.is_ready();
        if self.crowded {
            let key = self.stream_victim(index);
            self.victims.get_or_insert_default().streams.put_or_remove(index, key);
        }
        match (ready, lane) {
            (true, NONE) => {
                let lane = self.lane_of(track, priority);
                self.enter(lane);
                Lane::insert(&mut self.lanes[lane].streams, place);
                self.subs[index].lane = lane;
                self.refresh(lane);
            }
            (true, lane) => self.refresh(lane),
            (false, NONE) => {}
            (false, lane) => {
                self.subs[index].lane = NONE;
                Lane::remove(&mut self.lanes[lane].streams, place);
                self.refresh(lane);
            }
        }
    }

    /// Where a subgroup stands among those that may be reset to make room.
    pub(super) fn stream_victim(&self, index: u32) -> Option<(Reverse<u16>, u64)> {
        let sub = &self.subs[index];
        let config = &self.tracks[sub.track].config;
        let importance = importance(config.subscriber_priority, sub.meta.priority);
        (!config.reliable && sub.bytes > 0).then_some((Reverse(importance), sub.place.arrival))
    }

    fn append_chunk(&mut self, index: u32, chunk: Chunk) {
        let bytes = chunk.data.len();
        self.subs[index].chunks.push_back(chunk);
        self.charge_sub(index, bytes);
        self.refresh_sub(index);
    }

    /// Enters the bytes of one more chunk.
    fn charge_sub(&mut self, index: u32, bytes: usize) {
        let sub = &mut self.subs[index];
        sub.bytes += bytes;
        sub.charge += bytes + ENTRY_COST;
        let track = sub.track;
        self.charge(track, bytes, ENTRY_COST);
    }

    fn set_blocked(&mut self, key: SubgroupKey, blocked: bool) {
        self.settle();
        if let Some(index) = self.sub(key) {
            self.subs[index].blocked = blocked;
            self.refresh_sub(index);
        }
    }

    pub(super) fn sub(&self, key: SubgroupKey) -> Option<u32> {
        self.subs.resolve(key.index, key.generation)
    }

    pub(super) fn sub_key(&self, index: u32) -> SubgroupKey {
        SubgroupKey { index, generation: self.subs.generation(index) }
    }
}
