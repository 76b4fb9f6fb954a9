//! Tracks, lanes and counts: the part of the queue that knows both frames and streams.

use super::*;

impl Queue {
    /// An empty queue. It allocates nothing until something is pushed.
    pub fn new(limits: Limits) -> Self {
        Self {
            fresh: fresh::Fresh::default(),
            now: 0,
            heads: Vec::new(),
            limits,
            tracks: Slab::new(),
            lanes: Lanes::default(),
            frames: Slab::new(),
            subs: Slab::new(),
            order: IdHeap::new(),
            crowded: false,
            swollen: false,
            victims: None,
            frame_timers: IdHeap::new(),
            sub_timers: IdHeap::new(),
            resets: VecDeque::new(),
            opening_blocked: false,
            parked: BTreeSet::new(),
            retiring: None,
            bytes: 0,
            charge: 0,
            turns: 0,
            arrivals: 0,
            past: None,
            scratch: Vec::new(),
        }
    }

    /// A new track, with nothing queued.
    pub fn add_track(&mut self, config: TrackConfig) -> TrackKey {
        let (index, generation) = self.tracks.insert(Track {
            config,
            lanes: Vec::new(),
            subs: Vec::new(),
            stats: TrackStats::default(),
            behind: false,
            recent: VecDeque::new(),
        });
        let mut head = Head { generation, ..Head::default() };
        head.configure(&config);
        match self.heads.get_mut(index as usize) {
            Some(slot) => *slot = head,
            None => self.heads.push(head),
        }
        TrackKey { index, generation }
    }

    /// Changes how a track is sent. The priority acts on what is queued as well, timeouts and the
    /// rest on what is pushed from now on; the group order of a subscription cannot change
    /// (draft -18, "Priorities") and stays. An ended key does nothing.
    pub fn update_track(&mut self, key: TrackKey, config: TrackConfig) {
        self.settle();
        let Some(track) = self.track(key) else { return };
        let group_order = self.tracks[track].config.group_order;
        self.tracks[track].config = TrackConfig { group_order, ..config };
        self.heads[track as usize].configure(&config);
        for at in 0..self.tracks[track].lanes.len() {
            let (priority, lane) = self.tracks[track].lanes[at];
            self.lanes[lane].importance = importance(config.subscriber_priority, priority);
            self.refresh(lane);
        }
        for at in 0..self.tracks[track].subs.len() {
            let sub = self.tracks[track].subs[at];
            self.refresh_sub(sub);
        }
    }

    /// Ends a track: all that is queued of it is withdrawn. The subgroups in the answer have a
    /// stream without its FIN; the caller resets it. An ended key does nothing.
    pub fn remove_track(&mut self, key: TrackKey) -> Vec<SubgroupKey> {
        self.settle();
        let Some(track) = self.track(key) else {
            return Vec::new();
        };
        let mut open = Vec::new();
        while let Some(&sub) = self.tracks[track].subs.last() {
            let Sub { opened, fin_sent, dead, .. } = &self.subs[sub];
            if *opened && !fin_sent && dead.is_none() {
                open.push(self.sub_key(sub));
            }
            self.withdraw(sub);
        }
        open.sort_unstable();
        while let Some(record) = self.tracks[track].recent.pop_front() {
            if let frames::RecordState::Open(frame) = record.state {
                self.end_frame(frame);
                self.tracks[track].stats.withdrawn += 1;
            }
        }
        // The last frame of one of several lanes takes it along.
        while let Some(&(_, lane)) = self.tracks[track].lanes.last() {
            let Some(&place) = self.lanes[lane].frames.back() else {
                break;
            };
            self.end_frame(place.index);
            self.tracks[track].stats.withdrawn += 1;
        }
        let counts = self.counts(track);
        self.past.get_or_insert_default().add(&counts);
        self.heads[track as usize].generation = GONE;
        if let Some(gone) = self.tracks.remove(track) {
            gone.lanes.iter().for_each(|(_, lane)| self.lanes.give_back(*lane));
        }
        open
    }

    /// Counts frames that never reached the queue, because the caller refused them.
    pub fn count_drop(&mut self, key: TrackKey, reason: DropReason, frames: u64) {
        self.settle();
        if let Some(track) = self.track(key) {
            let stats = &mut self.tracks[track].stats;
            stats.pushed_frames += frames;
            stats.drops[reason as usize] += frames;
        }
    }

    /// Gives back the memory that a burst took, where nothing of it is in use. Done by itself when a
    /// queue that had met the session's bound is empty: in steady use it would only be taken again.
    pub fn shrink(&mut self) {
        self.settle();
        self.fresh.shrink();
        self.frames.shrink();
        self.subs.shrink();
        self.order.shrink();
        if !self.crowded {
            self.victims = None;
        }
        self.frame_timers.shrink();
        self.sub_timers.shrink();
        self.resets.shrink_to_fit();
        self.scratch = Vec::new();
        if self.lanes.all.iter().all(Lane::is_empty) {
            self.lanes = Lanes::default();
            self.tracks.iter_mut().for_each(|track| track.lanes = Vec::new());
        }
    }

    /// Bytes queued, without [`ENTRY_COST`].
    pub fn bytes(&mut self) -> usize {
        self.take_in();
        self.bytes
    }

    /// Whether [`next`](Self::next) has nothing to give: what is blocked does not count, what
    /// waits for a stream only from the next `next` on.
    pub fn is_empty(&mut self) -> bool {
        self.take_in();
        self.resets.is_empty() && self.order.top().is_none() && !self.has_fresh()
    }

    /// Bytes queued of one track; 0 for an ended key.
    pub fn track_bytes(&mut self, key: TrackKey) -> usize {
        self.settle();
        self.track(key).map_or(0, |track| self.tracks[track].stats.queued_bytes)
    }

    /// The counts of one track; all zero for an ended key.
    pub fn stats(&mut self, key: TrackKey) -> TrackStats {
        self.settle();
        self.track(key).map_or_else(TrackStats::default, |track| self.stats_of(track))
    }

    /// The counts of all tracks there are and have been.
    pub fn totals(&mut self) -> TrackStats {
        self.settle();
        let mut sum = self.past.as_deref().copied().unwrap_or_default();
        for (track, _) in self.tracks.iter() {
            sum.add(&self.stats_of(track));
        }
        sum
    }

    /// When [`expire`](Self::expire) is to be called next, if nothing else happens first.
    pub fn next_timeout(&mut self) -> Option<Time> {
        self.settle();
        let frames = self.frame_timers.top().map(|((time, _), _)| time);
        let subs = self.sub_timers.top().map(|((time, _), _)| time);
        [frames, subs].into_iter().flatten().min()
    }

    /// Drops what is past its deadline. `next` and the pushes do this by themselves.
    pub fn expire(&mut self, now: Time) {
        self.settle();
        self.expire_queued(now);
    }

    pub(super) fn expire_queued(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(((time, _), frame)) = self.frame_timers.top() {
            if time > self.now {
                break;
            }
            self.drop_frame(frame, DropReason::Expired);
        }
        while let Some(((time, _), sub)) = self.sub_timers.top() {
            if time > self.now {
                break;
            }
            self.kill(sub, DropReason::Expired, streams::DELIVERY_TIMEOUT);
        }
    }

    fn stats_of(&self, index: u32) -> TrackStats {
        let track = &self.tracks[index];
        let frames = track.lanes.iter().flat_map(|&(_, lane)| {
            let frames = &self.lanes[lane].frames;
            // By arrival, the oldest is at one end unless groups came out of order.
            [frames.front(), frames.back()].into_iter().flatten().map(|place| self.frames[place.index].pushed_at)
        });
        let objects = track
            .subs
            .iter()
            .flat_map(|&sub| self.subs[sub].chunks.iter().find(|chunk| chunk.object).map(|chunk| chunk.pushed_at));
        let oldest = frames.chain(objects).min().unwrap_or(self.now);
        TrackStats { oldest_wait_us: self.now - oldest, ..self.counts(index) }
    }

    /// All that was counted of a track.
    fn counts(&self, track: u32) -> TrackStats {
        let (stats, head) = (&self.tracks[track].stats, &self.heads[track as usize]);
        TrackStats {
            pushed_frames: stats.pushed_frames + head.sent_frames,
            sent_frames: stats.sent_frames + head.sent_frames,
            sent_bytes: stats.sent_bytes + head.sent_bytes,
            ..*stats
        }
    }

    pub(super) fn track(&self, key: TrackKey) -> Option<u32> {
        self.tracks.resolve(key.index, key.generation)
    }

    /// Enters bytes that are now queued.
    pub(super) fn charge(&mut self, track: u32, bytes: usize, cost: usize) {
        let entry = &mut self.tracks[track];
        entry.stats.queued_bytes += bytes;
        self.heads[track as usize].charge += bytes + cost;
        self.bytes += bytes;
        self.charge += bytes + cost;
    }

    /// Enters bytes that are no longer queued.
    pub(super) fn discharge(&mut self, track: u32, bytes: usize, cost: usize) {
        let entry = &mut self.tracks[track];
        entry.stats.queued_bytes -= bytes;
        self.heads[track as usize].charge -= bytes + cost;
        self.uncharge(bytes, cost);
    }

    /// The same, where the session's bytes alone are counted.
    pub(super) fn uncharge(&mut self, bytes: usize, cost: usize) {
        self.bytes -= bytes;
        self.charge -= bytes + cost;
        if self.crowded && self.charge <= self.limits.session_bytes / 2 {
            self.crowded = false;
            if let Some(victims) = &mut self.victims {
                victims.lanes.clear();
                victims.streams.clear();
            }
        }
    }

    /// The session's bound is met: from here on it is known what may be displaced. Until then nobody asks, and to keep
    /// it would cost each frame.
    pub(super) fn crowd(&mut self) {
        if !std::mem::replace(&mut self.crowded, true) {
            self.swollen = true;
            let mut victims = self.victims.take().unwrap_or_default();
            for index in self.order.ids() {
                let lane = &self.lanes[index];
                if let Some(place) = self.victim(lane) {
                    victims.lanes.set(index, (Reverse(lane.importance), place.arrival));
                }
            }
            for (index, _) in self.subs.iter() {
                if let Some(key) = self.stream_victim(index) {
                    victims.streams.set(index, key);
                }
            }
            self.victims = Some(victims);
        }
    }

    pub(super) fn count(&mut self, track: u32, reason: DropReason) {
        self.tracks[track].stats.drops[reason as usize] += 1;
    }

    /// The lane of a track at a publisher priority, taken into use if it is not.
    pub(super) fn lane_of(&mut self, track: u32, priority: u8) -> u32 {
        let entry = &mut self.tracks[track];
        match entry.lanes.binary_search_by_key(&priority, |&(other, _)| other) {
            Ok(at) => entry.lanes[at].1,
            Err(at) => {
                let importance = importance(entry.config.subscriber_priority, priority);
                if let [(own, lane)] = &mut entry.lanes[..] {
                    if self.lanes[*lane].is_empty() {
                        *own = priority;
                        self.lanes[*lane].importance = importance;
                        return *lane;
                    }
                }
                let lane = self.lanes.take(track, importance);
                entry.lanes.insert(at, (priority, lane));
                lane
            }
        }
    }

    /// Enters a lane anew in the order of sending and of displacing; an empty one is given back.
    pub(super) fn refresh(&mut self, index: u32) {
        let lane = &self.lanes[index];
        let deadline = match Self::head(lane) {
            None => return self.emptied(index),
            Some((false, place)) => self.frames[place.index].expires,
            Some((true, place)) => self.subs[place.index].expires(),
        };
        self.order.set(index, order_key(lane.importance, deadline, lane.turn));
        if self.crowded {
            let key = self.victim(lane).map(|place| (Reverse(lane.importance), place.arrival));
            self.victims.get_or_insert_default().lanes.put_or_remove(index, key);
        }
    }

    /// What a lane sends next, and whether that is a stream. Frames go first within a group.
    pub(super) fn head(lane: &Lane) -> Option<(bool, Place)> {
        match (lane.frames.front(), lane.streams.front()) {
            (Some(frame), Some(stream)) if stream.rank < frame.rank => Some((true, *stream)),
            (Some(frame), _) => Some((false, *frame)),
            (None, Some(stream)) => Some((true, *stream)),
            (None, None) => None,
        }
    }

    /// The frame of a lane to displace first: the oldest group, but not the next one if half out.
    pub(super) fn victim(&self, lane: &Lane) -> Option<Place> {
        let config = &self.tracks[lane.track].config;
        if config.reliable {
            return None;
        }
        let started = |at: usize| lane.frames.get(at).is_some_and(|place| self.frames[place.index].started);
        let at = match config.group_order {
            GroupOrder::Ascending => usize::from(started(0)),
            GroupOrder::Descending => lane.frames.len().checked_sub(1)?,
        };
        if at == 0 && started(0) {
            return None;
        }
        lane.frames.get(at).copied()
    }

    /// A lane has nothing to send. An only one is kept by its track, which most often uses it again at once.
    fn emptied(&mut self, index: u32) {
        self.order.remove(index);
        if let (true, Some(victims)) = (self.crowded, &mut self.victims) {
            victims.lanes.remove(index);
        }
        let entry = &mut self.tracks[self.lanes[index].track];
        if entry.lanes.len() == 1 {
            self.lanes[index].trim();
        } else {
            entry.lanes.retain(|&(_, lane)| lane != index);
            self.lanes.give_back(index);
        }
    }

    /// Before something enters a lane: an empty one goes to the end of the line of those that tie with it.
    pub(super) fn enter(&mut self, lane: u32) {
        if self.lanes[lane].is_empty() {
            self.pass_turn(lane);
        }
    }
}
