//! A session's subscriptions to tracks of ours: established, updated, ended.
//!
//! | from | by | to |
//! |---|---|---|
//! | | SUBSCRIBE of a track that is known; or a PUBLISH of ours, whose objects may precede its answer | established |
//! | | SUBSCRIBE that had to be asked upstream | waiting |
//! | waiting | the publisher's answer | established |
//! | established | REQUEST_UPDATE | established; refused: ended with UPDATE_FAILED |
//! | established | the end of its range (at -18) | ended with SUBSCRIPTION_ENDED, once its queue is empty |
//!
//! Relative location filters are resolved when the subscription is established or given a new one. What an update asks
//! for holds from then on: subgroups that no longer pass are reset, and what is queued still goes out.

use cc_session::{Fetch, Refusal, Reply, RequestKey};
use cc_wire::{codes, Filter, Location, Params, Profile, Properties};

use crate::api::{Event, Time, TrackId};
use crate::conn::{ConnIndex, Role, SinkRef};
use crate::requests::Refused;
use crate::selection::{self, Selection, END};
use crate::track::{Sink, Source};
use crate::Engine;

impl Engine {
    /// Whether a subscription may ask for what its parameters ask for, beside its rights to the track.
    pub(crate) fn may_ask(&self, at: ConnIndex, params: &Params, of_tracks: bool) -> Refused {
        let Some(conn) = self.conns.get(at) else { return Ok(()) };
        let granted = conn.granted_ranges(&self.config.limits);
        selection::check(&params.range_filters, granted, of_tracks)?;
        match &params.fill {
            Some(fill) => selection::check(&fill.range_filters, granted, false),
            None => Ok(()),
        }
    }

    /// Whether a range that is asked for is still to come, where the draft wants that: at -18 only, later every filter
    /// is valid.
    pub(crate) fn may_range(&self, at: ConnIndex, params: &Params, largest: Option<Location>) -> Refused {
        let old = self.conns.get(at).is_some_and(|conn| conn.profile == Profile::D18);
        match (params.filter, largest) {
            (Some(Filter::AbsoluteRange { end_group, .. }), Some(largest)) if old && end_group < largest.group => {
                let text = format!("group {end_group} is over, the newest is {}", largest.group);
                Err(Refusal::new(codes::request_error::INVALID_RANGE, text))
            }
            _ => Ok(()),
        }
    }

    /// A session gets a track from now on, by its own request or (not `accepted` yet) by a PUBLISH of ours.
    pub(crate) fn add_sink(
        &mut self,
        id: TrackId,
        at: ConnIndex,
        request: RequestKey,
        params: &Params,
        accepted: bool,
    ) {
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get_mut(at)) else { return };
        let queue = conn.queue.add_track(track.traits.queue_config(params));
        conn.sinks.insert(queue, SinkRef { track: id, request, fill_of: None, streams: 0, ending: None });
        conn.roles.insert(request, Role::Sink(id));
        let mut alias = track.alias();
        if track.sinks.iter().any(|sink| sink.conn == at) {
            // Tracks and further subscriptions are numbered together.
            alias = self.next_track;
            self.next_track += 1;
        }
        let forward = params.forward.unwrap_or(true);
        let mut sink = Sink {
            conn: at,
            request,
            queue,
            alias,
            forward,
            selection: Selection::new(params, &track.properties, track.largest).unwrap_or_default(),
            params: Box::new(params.clone()),
            accepted,
            asked: false,
            until: None,
            joined: track.largest.filter(|_| forward),
            joining: Vec::new(),
            ends: false,
        };
        sink.bound(conn.profile);
        track.sinks.push(sink);
        self.demand_changed(id);
    }

    /// SUBSCRIBE_OK, and what was asked for with the subscription.
    pub(crate) fn answer_subscribe(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, now: Time) {
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get(at)) else { return };
        let (largest, alone) = (track.largest, track.properties.clone());
        let Some(sink) = track.sink_mut(at, key) else { return };
        sink.accepted = true;
        sink.joined = largest.filter(|_| sink.forward);
        sink.selection = Selection::new(&sink.params, &alone, largest).unwrap_or_default();
        sink.bound(conn.profile);
        let properties = told_properties(&sink.params, alone);
        let (alias, waiting) = (sink.alias, std::mem::take(&mut sink.joining));
        let (fill, new_group) = (sink.params.fill.take(), sink.params.new_group_request.take());
        let publisher = self.tracks.get(&id).and_then(|track| self.told_publisher(at, &track.publisher));
        let params = Params { largest, publisher, ..Params::default() };
        self.with_session(at, |session| session.accept(key, Reply::SubscribeOk { alias, params, properties }));
        if let Some(fill) = fill {
            let request_id = self.request_id(at, key);
            self.fill_for(id, at, key, request_id, &fill, now);
        }
        if let Some(group) = new_group {
            self.new_group_wanted(id, group);
        }
        self.answer_joining(at, waiting, now);
    }

    /// Joining FETCHes that came ahead of what they join: on streams of their own, they may overtake it.
    fn answer_joining(&mut self, at: ConnIndex, waiting: Vec<(RequestKey, Fetch)>, now: Time) {
        for (fetch, asked) in waiting {
            if let (Some(place), Some(_)) = (self.place_of(at), self.request_id(at, fetch)) {
                if let Err(refusal) = self.asked_fetch(at, fetch, place, asked, now) {
                    self.with_session(at, |session| session.refuse(fetch, refusal));
                }
            }
        }
    }

    /// A request's id on the wire.
    pub(crate) fn request_id(&self, at: ConnIndex, key: RequestKey) -> Option<u64> {
        self.conns.get(at)?.session.as_ref()?.request_id(key)
    }

    /// Our PUBLISH was taken.
    pub(crate) fn publish_taken(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, answer: Params, now: Time) {
        let old = self.conns.get(at).is_some_and(|conn| conn.profile == Profile::D18);
        let Some(sink) = self.tracks.get_mut(&id).and_then(|track| track.sink_mut(at, key)) else { return };
        sink.accepted = true;
        let (fill, new_group) = (sink.params.fill.take(), answer.new_group_request);
        let waiting = std::mem::take(&mut sink.joining);
        // At -18 the answer holds what the subscriber wishes, and leaving FORWARD out means 1.
        let answer = Params { forward: answer.forward.or(old.then_some(true)), ..answer };
        if let Err(refusal) = self.change_sink(id, at, key, &answer, now) {
            return self.end_sink(id, at, key, codes::publish_done::UPDATE_FAILED, &refusal.reason);
        }
        if let Some(fill) = fill {
            let request_id = self.request_id(at, key);
            self.fill_for(id, at, key, request_id, &fill, now);
        }
        if let Some(group) = new_group {
            self.new_group_wanted(id, group);
        }
        self.answer_joining(at, waiting, now);
        self.publication_accepted(id);
    }

    /// REQUEST_UPDATE of a subscription; `request_id` is the update's own.
    pub(crate) fn sink_updated(
        &mut self,
        (id, at, key): (TrackId, ConnIndex, RequestKey),
        request_id: u64,
        params: &Params,
        now: Time,
    ) {
        let queue = self.tracks.get(&id).and_then(|track| track.sink(at, key)).map(|sink| sink.queue);
        let room = match queue.filter(|_| params.fill.is_some()) {
            Some(queue) => self.may_fill(at, queue),
            None => Ok(()),
        };
        let may = room.and_then(|()| self.may_ask(at, params, false));
        let done = may.and_then(|()| self.change_sink(id, at, key, params, now));
        if let Err(refusal) = done {
            // A subscription does not outlive an update that failed.
            let reason = refusal.reason.clone();
            self.with_session(at, |session| session.answer_update(key, Err(refusal)));
            return self.end_sink(id, at, key, codes::publish_done::UPDATE_FAILED, &reason);
        }
        let largest = self.tracks.get(&id).and_then(|track| track.largest);
        self.with_session(at, |session| session.answer_update(key, Ok(Params { largest, ..Params::default() })));
        if let Some(fill) = &params.fill {
            self.fill_for(id, at, key, Some(request_id), fill, now);
        }
        if let Some(group) = params.new_group_request {
            self.new_group_wanted(id, group);
        }
    }

    /// Changes what a subscription asks for.
    fn change_sink(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, params: &Params, now: Time) -> Refused {
        let granted = self.conns.get(at).map_or(0, |conn| conn.granted_ranges(&self.config.limits));
        let largest = self.tracks.get(&id).and_then(|track| track.largest);
        self.may_range(at, params, largest)?;
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get_mut(at)) else { return Ok(()) };
        let traits = track.traits;
        let Some(sink) = track.sink_mut(at, key) else { return Ok(()) };
        let mut merged = sink.params.clone();
        merged.merge(params);
        // What is asked for once is not part of what holds.
        (merged.fill, merged.new_group_request, merged.namespace_prefix) = (None, None, None);
        merged.tokens.clear();
        selection::check(&merged.range_filters, granted, true)?;
        let before = sink.forward;
        sink.forward = params.forward.unwrap_or(before);
        let narrowed = params.filter.is_some() || !params.range_filters.is_empty();
        if params.filter.is_some() {
            (sink.selection.start, sink.selection.end) = selection::range(params.filter, largest);
            sink.bound(conn.profile);
        }
        if !params.range_filters.is_empty() {
            sink.selection.refilter(&merged.range_filters);
        }
        conn.queue.update_track(sink.queue, traits.queue_config(&merged));
        sink.params = merged;
        if !before && sink.forward {
            sink.joined = largest;
        }
        let (stops, selection) = (before && !sink.forward, sink.selection.clone());
        if stops || narrowed {
            // Where objects are left out that were promised, what is open can't be finished.
            for group in track.groups.values_mut() {
                let number = group.header.group;
                let cut = stops || !selection.touches(number);
                for outlet in group.out.iter_mut().filter(|outlet| cut && outlet.is(at, key)) {
                    if let Some(stream) = outlet.stream.take() {
                        conn.queue.reset_subgroup(stream, codes::stream_reset::CANCELLED);
                    }
                }
                if stops {
                    group.out.retain(|outlet| !outlet.is(at, key));
                }
            }
        }
        let starts = !before && sink_forwards(track, at, key);
        self.ready.want_send(at, conn);
        if starts {
            self.replay(id, at, key, now);
        }
        self.demand_changed(id);
        self.end_ranges(id);
        Ok(())
    }

    /// Ends the subscriptions that got all of their range: at -18, where the draft wants that told.
    pub(crate) fn end_ranges(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if !track.sinks.iter().any(|sink| sink.ends) {
            return;
        }
        let Some(largest) = track.largest else { return };
        let oldest_open = track.groups.values().map(|group| group.header.group).min().unwrap_or(u64::MAX);
        let over = |sink: &Sink| {
            let last = sink.selection.end.group;
            sink.ends && sink.accepted && last < largest.group && last < oldest_open
        };
        let (over, left): (Vec<Sink>, Vec<Sink>) = track.sinks.drain(..).partition(over);
        track.sinks = left.into();
        for sink in over {
            self.retire(id, sink.conn, sink.queue);
            let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
            conn.roles.remove(&sink.request);
            if let Some(ending) = conn.sinks.get_mut(&sink.queue) {
                ending.ending = Some(codes::publish_done::SUBSCRIPTION_ENDED);
                conn.has_endings = true;
            }
            self.ready.want_send(sink.conn, conn);
        }
        self.demand_changed(id);
    }

    /// A session no longer receives a track.
    pub(crate) fn forget_sink(&mut self, id: TrackId, at: ConnIndex, key: RequestKey) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(place) = track.sinks.iter().position(|s| s.conn == at && s.request == key) else { return };
        let sink = track.sinks.remove(place);
        for group in track.groups.values_mut() {
            group.out.retain(|outlet| !outlet.is(at, key));
        }
        self.retire(id, at, sink.queue);
        self.drop_fills(at, sink.queue);
        if let Some(conn) = self.conns.get_mut(at) {
            conn.sinks.remove(&sink.queue);
            conn.drop_track(sink.queue);
            self.ready.want_send(at, conn);
        }
    }

    /// Ends one session's subscription from our side: what is queued of it is dropped, and PUBLISH_DONE tells why.
    pub(crate) fn end_sink(&mut self, id: TrackId, at: ConnIndex, request: RequestKey, code: u64, text: &str) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(place) = track.sinks.iter().position(|s| s.conn == at && s.request == request) else { return };
        let sink = track.sinks.remove(place);
        for group in track.groups.values_mut() {
            group.out.retain(|outlet| !outlet.is(at, request));
        }
        self.retire(id, at, sink.queue);
        self.drop_fills(at, sink.queue);
        if let Some(conn) = self.conns.get_mut(at) {
            let streams = conn.sinks.remove(&sink.queue).map_or(0, |sink| sink.streams);
            conn.drop_track(sink.queue);
            conn.roles.remove(&request);
            if let Some(session) = conn.session.as_mut() {
                // A request that the peer has just ended needs no PUBLISH_DONE.
                let _ = session.done(request, code, Some(streams), text);
            }
            self.ready.want_service(at, conn);
        }
        self.demand_changed(id);
    }

    /// NEW_GROUP_REQUEST: the original publisher is asked to begin a group after `group` less 1, 0: after any. What it
    /// cannot do, or was asked already, is not passed on (draft -18, "NEW GROUP REQUEST Parameter").
    pub(crate) fn new_group_wanted(&mut self, id: TrackId, group: u64) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let old = group != 0 && track.largest.is_some_and(|largest| group <= largest.group);
        if !track.traits.dynamic || old || track.new_group.is_some_and(|asked| asked >= group) {
            return;
        }
        track.new_group = Some(group);
        match track.source {
            Source::Local(publication) => self.events.push_back(Event::NewGroupWanted { publication }),
            Source::Remote(at, key) => {
                let params = Params { new_group_request: Some(group), ..Params::default() };
                self.with_session(at, |session| session.update(key, params));
            }
            Source::Asked(..) | Source::Lost(_) | Source::Sought => {}
        }
    }

    /// Tells a track's subscribers that it has moved on without them: its publisher was away.
    pub(crate) fn tell_largest(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else { return };
        let params = Params { largest: track.largest, ..Params::default() };
        let told: Vec<(ConnIndex, RequestKey)> =
            track.sinks.iter().filter(|sink| sink.accepted).map(|sink| (sink.conn, sink.request)).collect();
        for (at, key) in told {
            if self.conns.get(at).is_some_and(|conn| conn.profile >= Profile::D20) {
                self.with_session(at, |session| session.notify(key, params.clone()));
            }
        }
    }
}

fn sink_forwards(track: &crate::track::Track, at: ConnIndex, key: RequestKey) -> bool {
    track.sink(at, key).is_some_and(|sink| sink.forward)
}

/// Track properties, if they are wanted (INCLUDE_PROPERTIES).
pub(crate) fn told_properties(params: &Params, properties: Properties) -> Properties {
    match params.include_properties {
        Some(false) => Properties::default(),
        _ => properties,
    }
}

impl Sink {
    /// Whether the end of its range ends it.
    fn bound(&mut self, profile: Profile) {
        self.ends = profile == Profile::D18 && self.selection.end < END;
    }
}
