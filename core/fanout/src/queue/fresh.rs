//! What has just come: little is looked up for it until something is asked of the queue.
//!
//! What one pass of a relay brings for a session comes one by one, between what it brings for others, and leaves
//! together. So [`Queue::arrive`] only writes a datagram down, and an object of a stream that has nothing else queued
//! is counted, and enters no lane. When the first of it is to leave, and nothing waits that could
//! come before it or give way to it, all of it is sorted once and goes from there: it never enters lanes, slots and
//! timers. In every other case it goes into the queue proper as if each had been pushed when it came; whoever calls
//! cannot tell the difference.

use super::*;

/// More than so many at once go into the queue proper: datagrams that are written down count towards no bound.
const MOST: usize = 128;

/// What has come and not been sorted, and what of it is about to leave.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    all: Vec<Arrival>,
    /// Up to here they have left.
    left: usize,
    /// From `left` up to here they are in the order of sending, and counted in the session's bytes and charge. Tracks
    /// count none before it has left, or is in the queue proper.
    sorted: usize,
    /// What datagrams that are not sorted will be charged.
    raw: usize,
    /// No sorted one expires before.
    due: Time,
    /// The latest time that the queue was told of while this was not yet looked at.
    told: Time,
    /// Times that arrivals were sorted, or went into the queue proper.
    rounds: u64,
}

#[derive(Debug)]
struct Arrival {
    key: TrackKey,
    /// The subgroup of an object; [`NONE`] for a datagram.
    sub: u32,
    group: u64,
    object: u64,
    /// The deadline it came with; once sorted, when it expires.
    expires: Time,
    came: Time,
    /// None once it has left.
    data: Option<Bytes>,
    importance: u16,
    priority: u8,
    end_of_group: bool,
    /// Its place in the order of arrival.
    turn: u32,
}

impl Arrival {
    fn order(&self) -> (u16, Time, u32) {
        (self.importance, self.expires, self.turn)
    }

    fn len(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }
}

impl Fresh {
    pub(super) fn shrink(&mut self) {
        if self.all.is_empty() {
            self.all = Vec::new();
        }
    }

    fn clear(&mut self) {
        self.all.clear();
        (self.left, self.sorted, self.raw) = (0, 0, 0);
    }
}

impl Queue {
    /// As [`push_part`](Self::push_part), where nobody asks what becomes of it: that is settled when it is due to leave,
    /// or with the next call of another kind.
    pub fn arrive(&mut self, key: TrackKey, part: Part, now: Time) {
        let came = self.tell(now);
        self.fresh.raw += part.data.len() + ENTRY_COST;
        self.fresh.all.push(Arrival {
            key,
            sub: NONE,
            group: part.group,
            object: part.object,
            expires: part.deadline.unwrap_or(NEVER),
            came,
            data: Some(part.data),
            importance: 0,
            priority: part.priority,
            end_of_group: part.end_of_group,
            turn: 0,
        });
        if self.fresh.all.len() > MOST {
            self.settle();
        }
    }

    /// The latest time that the queue was told of, this one included. What it brings about is left for later.
    pub(super) fn tell(&mut self, now: Time) -> Time {
        self.fresh.told = now.max(self.fresh.told).max(self.now);
        self.fresh.told
    }

    /// Whether so much more of a track has room whatever comes of the datagrams that are written down.
    pub(super) fn has_room(&self, track: u32, need: usize) -> bool {
        let (head, need) = (&self.heads[track as usize], need + self.fresh.raw);
        let Limits { session_bytes, track_bytes, .. } = self.limits;
        !head.odd && head.charge + need <= track_bytes && self.charge + need <= session_bytes
    }

    /// Whether an object of a subgroup needs no lane: nothing waits, it is the only one of its track, and it leaves with
    /// its stream's next piece.
    fn may_hurry(&self, index: u32, need: usize) -> bool {
        let sub = &self.subs[index];
        sub.is_bare()
            && (sub.opened || !self.opening_blocked)
            && sub.charge + need <= self.limits.subgroup_bytes
            && self.heads[sub.track as usize].round != self.fresh.rounds + 1
            && self.has_room(sub.track, need)
            && !self.has_fresh()
            && self.order.top().is_none()
    }

    /// Takes an object that needs no lane; false if it does.
    pub(super) fn hurry(&mut self, index: u32, data: &Bytes, now: Time) -> bool {
        let need = data.len() + ENTRY_COST;
        if !self.may_hurry(index, need) {
            return false;
        }
        let came = self.tell(now);
        let sub = &mut self.subs[index];
        let head = &mut self.heads[sub.track as usize];
        let expires = head.object_expires(sub.timeouts, came);
        if expires <= came {
            return false;
        }
        sub.chunks.push_back(Chunk { data: data.clone(), object: true, expires, pushed_at: came });
        sub.fresh = true;
        sub.objects += 1;
        sub.bytes += data.len();
        sub.charge += need;
        head.charge += need;
        head.round = self.fresh.rounds + 1;
        self.bytes += data.len();
        self.charge += need;
        self.fresh.all.push(Arrival {
            key: TrackKey { index: sub.track, generation: head.generation },
            sub: index,
            group: 0,
            object: 0,
            expires,
            came,
            data: None,
            importance: importance(head.subscriber_priority, sub.meta.priority),
            priority: 0,
            end_of_group: false,
            turn: 0,
        });
        if self.fresh.all.len() > MOST {
            self.settle();
        }
        true
    }

    /// Puts what has come where it belongs: into the order of sending, or the queue proper.
    pub(super) fn take_in(&mut self) {
        if self.fresh.sorted < self.fresh.all.len() && !self.sort_fresh() {
            self.settle_all();
        }
        if self.fresh.told > self.now {
            self.expire_queued(self.fresh.told);
        }
    }

    /// Brings all that came into the order of sending. False if it is for the queue proper: something waits, or one of
    /// them is more than a whole frame of its own that has room.
    fn sort_fresh(&mut self) -> bool {
        if self.has_fresh() || self.order.top().is_some() {
            return false;
        }
        if self.fresh.left > 0 {
            self.fresh.all.drain(..self.fresh.left);
            (self.fresh.left, self.fresh.sorted) = (0, 0);
        }
        self.fresh.rounds += 1;
        let (mut bytes, mut charge, mut due) = (0, 0, NEVER);
        let (mut ordered, mut last) = (true, (0, 0));
        for (turn, arrival) in self.fresh.all.iter_mut().enumerate() {
            if arrival.sub != NONE {
                arrival.turn = turn as u32;
                ordered &= last <= (arrival.importance, arrival.expires);
                last = (arrival.importance, arrival.expires);
                due = due.min(arrival.expires);
                continue;
            }
            let Some(head) = self.heads.get_mut(arrival.key.index as usize) else { return false };
            let alone = arrival.object == 0 && arrival.end_of_group && head.generation == arrival.key.generation;
            let again = std::mem::replace(&mut head.round, self.fresh.rounds) == self.fresh.rounds;
            let expires = head.expires(arrival.expires, arrival.came);
            let need = arrival.len() + ENTRY_COST;
            if !alone || head.is_stale(arrival.group) || again || expires <= arrival.came {
                return false;
            }
            if head.charge + need > self.limits.track_bytes || head.is_odd(&self.tracks, arrival.key.index) {
                return false;
            }
            (arrival.expires, arrival.turn) = (expires, turn as u32);
            arrival.importance = importance(head.subscriber_priority, arrival.priority);
            ordered &= last <= (arrival.importance, expires);
            last = (arrival.importance, expires);
            (bytes, charge) = (bytes + arrival.len(), charge + need);
            due = due.min(expires);
        }
        if self.charge + charge > self.limits.session_bytes || due <= self.fresh.told {
            return false;
        }
        if !ordered {
            self.fresh.all.sort_unstable_by_key(Arrival::order);
        }
        self.bytes += bytes;
        self.charge += charge;
        (self.fresh.sorted, self.fresh.raw, self.fresh.due) = (self.fresh.all.len(), 0, due);
        true
    }

    /// The next of those in order; `None` if there is none, or it is for the queue proper.
    pub(super) fn next_fresh(&mut self, max_datagram: usize, room: usize) -> Option<Out> {
        while self.fresh.left < self.fresh.sorted {
            let arrival = &mut self.fresh.all[self.fresh.left];
            if arrival.sub != NONE {
                let index = arrival.sub;
                if self.subs[index].piece() > room {
                    self.settle();
                    return None;
                }
                self.fresh.left += 1;
                return Some(self.take_fresh(index));
            }
            self.fresh.left += 1;
            let bytes = arrival.data.take().unwrap_or_default();
            let (track, group) = (arrival.key, arrival.group);
            let waited_us = self.now - arrival.came;
            let size = bytes.len();
            self.uncharge(size, ENTRY_COST);
            let head = &mut self.heads[track.index as usize];
            if size > max_datagram {
                head.newest = if head.conflates { group } else { head.newest };
                let stats = &mut self.tracks[track.index].stats;
                stats.pushed_frames += 1;
                stats.drops[DropReason::TooLarge as usize] += 1;
                continue;
            }
            head.sent(group, size);
            return Some(Out::Datagram { track, bytes, last_of_frame: true, waited_us });
        }
        self.fresh.clear();
        None
    }

    /// All that is queued of a subgroup: one object, and the header before it or the FIN behind it.
    fn take_fresh(&mut self, index: u32) -> Out {
        let subgroup = self.sub_key(index);
        let sub = &mut self.subs[index];
        let first = !std::mem::replace(&mut sub.opened, true);
        let header = if first { sub.header.clone() } else { Bytes::new() };
        let chunk = sub.chunks.pop_front();
        let (expires, pushed_at) = chunk.as_ref().map_or((NEVER, self.now), |chunk| (chunk.expires, chunk.pushed_at));
        let data = chunk.map_or_else(Bytes::new, |chunk| chunk.data);
        let fin = sub.finished;
        sub.last =
            Some(LastOut { first, header: header.len(), object: true, fin, len: data.len(), expires, pushed_at });
        let bytes = header.len() + data.len();
        (sub.fresh, sub.fin_sent, sub.objects) = (false, fin, 0);
        let charge = std::mem::take(&mut sub.charge);
        sub.bytes = 0;
        if fin {
            self.retiring = Some(subgroup);
        }
        let head = &mut self.heads[sub.track as usize];
        head.charge -= charge;
        head.sent_frames += 1;
        head.sent_bytes += bytes as u64;
        let track = TrackKey { index: sub.track, generation: head.generation };
        if !header.is_empty() {
            self.tracks[track.index].stats.queued_bytes -= header.len();
        }
        self.uncharge(bytes, charge - bytes);
        Out::Stream { subgroup, track, header, data, fin, first }
    }

    /// An object that was in a hurry goes into its lane.
    fn enter_fresh(&mut self, index: u32) {
        let sub = &mut self.subs[index];
        sub.fresh = false;
        let stats = &mut self.tracks[sub.track].stats;
        stats.pushed_frames += 1;
        stats.queued_frames += 1;
        stats.queued_bytes += sub.chunks.back().map_or(0, |chunk| chunk.data.len());
        self.refresh_sub(index);
    }

    /// Whether some is in order and has not left.
    pub(super) fn has_fresh(&self) -> bool {
        self.fresh.left < self.fresh.sorted
    }

    /// Whether nothing at all is queued, nor to be reset.
    pub(super) fn is_clear(&self) -> bool {
        self.charge == 0 && self.fresh.all.is_empty() && self.resets.is_empty()
    }

    /// Before what expires is looked for: what is in order may be among it.
    pub(super) fn settle_due(&mut self, now: Time) {
        if self.has_fresh() && self.fresh.due <= now.max(self.now) {
            self.settle();
        }
    }

    /// All that came goes into the queue proper, in the order in which it came. For each call that looks at, or changes,
    /// more than what is sent next.
    pub(super) fn settle(&mut self) {
        if !self.fresh.all.is_empty() {
            self.settle_all();
        }
        if self.fresh.told > self.now {
            self.expire_queued(self.fresh.told);
        }
    }

    fn settle_all(&mut self) {
        let Fresh { left, sorted, .. } = self.fresh;
        let mut all = std::mem::take(&mut self.fresh.all);
        // Each comes at its own time.
        let told = std::mem::take(&mut self.fresh.told);
        self.fresh.clear();
        self.fresh.rounds += 1;
        all[left..sorted].sort_unstable_by_key(|arrival| arrival.turn);
        for (at, arrival) in all.drain(..).enumerate().skip(left) {
            let Arrival { key, sub, group, object, expires, came, data, priority, end_of_group, .. } = arrival;
            if sub != NONE {
                self.expire_queued(came);
                self.enter_fresh(sub);
                continue;
            }
            let data = data.unwrap_or_default();
            if at < sorted {
                self.uncharge(data.len(), ENTRY_COST);
                self.tracks[key.index].stats.pushed_frames += 1;
                let part = Part { group, object, priority, deadline: None, end_of_group, data };
                self.enqueue(FrameState { expires, pushed_at: came, ..FrameState::of_part(key.index, part, came) });
            } else {
                let deadline = (expires != NEVER).then_some(expires);
                self.push_part(key, Part { group, object, priority, deadline, end_of_group, data }, came);
            }
        }
        (self.fresh.all, self.fresh.told) = (all, told);
    }
}
