//! Answers under way (`Engine::serving`): each is a stream of its session's queue, fed a part at a time.

use bytes::Bytes;
use cc_fanout::queue::{Fate, SubgroupMeta, TrackKey};
use cc_session::{Reply, RequestKey};
use cc_wire::{codes, FetchItem, FetchObject, FetchPrior, Gap, GroupOrder, Location, Params, Properties, UniStream};

use super::{queue_config, told, Answer, Answering, Origin, Purpose, Step, ANSWER_BYTES, ITEM_COST};
use crate::api::{Time, TrackId};
use crate::conn::{ConnIndex, Role, SinkRef};
use crate::fetched::before;
use crate::router::joined;
use crate::selection::Selection;
use crate::sinks::told_properties;
use crate::track::Track;
use crate::Engine;

impl Engine {
    /// Opens the stream of an answer in the session's queue; of a fill, beside its subscription's.
    pub(super) fn answer_fetch(
        &mut self,
        (at, key): (ConnIndex, RequestKey),
        request_id: Option<u64>,
        fill_of: Option<TrackKey>,
        (id, (start, end)): (TrackId, (Location, Location)),
        params: &Params,
        now: Time,
    ) -> Option<Answering> {
        // 0 is no track: what is asked of others in its stead is not known here.
        let priority = self.tracks.get(&id).map_or(crate::track::DEFAULT_PRIORITY, |track| track.traits.priority);
        let conn = self.conns.get_mut(at)?;
        let request_id = request_id?;
        let order = params.group_order.unwrap_or(GroupOrder::Ascending);
        let queue = conn.queue.add_track(queue_config(params.subscriber_priority.unwrap_or(128)));
        let mut header = Vec::new();
        UniStream::Fetch { request_id }.encode(&mut header);
        let meta = SubgroupMeta { group: start.group, subgroup: 0, priority, deadline: None };
        let stream = conn.queue.open_subgroup(queue, meta, Bytes::from(header), now);
        conn.sinks.insert(queue, SinkRef { track: 0, request: key, fill_of, streams: 0, ending: None });
        if fill_of.is_none() {
            conn.roles.insert(key, Role::Answering(queue));
        }
        let mut selection = Selection::new(params, &Properties::default(), None).unwrap_or_default();
        (selection.start, selection.end) = (start, end);
        Some(Answering {
            conn: at,
            request: key,
            fill: fill_of.is_some(),
            queue,
            stream,
            profile: conn.profile,
            order,
            prior: FetchPrior::default(),
            selection,
            until: None,
            at_once: false,
            broken: codes::stream_reset::UNKNOWN_OBJECT_STATUS,
            asked: Params {
                include_properties: params.include_properties,
                hops: params.hops.clone(),
                ..Params::default()
            },
        })
    }

    /// One element of an answer; false if the queue has no room for it.
    fn push_item(&mut self, answering: &mut Answering, item: &FetchItem, payload: &[u8], now: Time) -> bool {
        let Some(conn) = self.conns.get_mut(answering.conn) else { return false };
        self.scratch.clear();
        let Answering { profile, order, prior, .. } = answering;
        if item.encode(*profile, *order, prior, &mut self.scratch).is_err() {
            return false;
        }
        let fate = conn.queue.push_object(answering.stream, joined(&self.scratch, payload), now);
        self.ready.want_send(answering.conn, conn);
        fate == Fate::Queued
    }

    /// Answers from what is kept here, a part at a time, so that a long answer waits here and not in the queue.
    pub(super) fn serve(
        &mut self,
        id: TrackId,
        start: Location,
        end: Location,
        answering: Answering,
        gap: Gap,
        now: Time,
    ) {
        let Some(track) = self.tracks.get(&id) else { return };
        let properties = told_properties(&answering.asked, track.properties.clone());
        let last = track.past.range(Location { group: end.group, object: 0 }, end).last();
        let told = told(answering.profile, end.into(), last.map(|(location, _)| location.object));
        let reply = Reply::FetchOk { end_of_track: false, end: told, params: Params::default(), properties };
        let (conn, request, queue) = (answering.conn, answering.request, answering.queue);
        if !answering.fill {
            self.with_session(conn, |session| session.accept(request, reply));
        }
        let next = match answering.order {
            GroupOrder::Descending if start.group < end.group => Location { group: end.group, object: 0 },
            _ => start,
        };
        let origin = Origin::Kept { track: id, next: Some(next), gap };
        self.serving.insert((conn, queue), Answer { answering, origin });
        self.continue_answer(conn, queue, now);
    }

    /// Goes on with a session's answers where its queue has room.
    pub(crate) fn continue_answers(&mut self, at: ConnIndex, now: Time) {
        if self.serving.is_empty() {
            return;
        }
        let waiting: Vec<TrackKey> = self.serving.keys().filter(|(conn, _)| *conn == at).map(|(_, key)| *key).collect();
        for key in waiting {
            self.continue_answer(at, key, now);
        }
    }

    pub(super) fn continue_answer(&mut self, at: ConnIndex, key: TrackKey, now: Time) {
        let Some(mut answer) = self.serving.remove(&(at, key)) else { return };
        if let Origin::Kept { track, .. } = &answer.origin {
            self.expire_past(*track, now);
        }
        let limits = &self.config.limits;
        let room = (limits.subgroup_bytes.min(limits.track_bytes) / 2).min(ANSWER_BYTES);
        loop {
            let queued = self.conns.get_mut(at).map(|conn| conn.queue.track_bytes(answer.answering.queue));
            if queued.is_none_or(|queued| queued > room) {
                self.serving.insert((at, key), answer);
                return;
            }
            let step = match &mut answer.origin {
                Origin::Kept { track, next, gap } => kept_step(self.tracks.get(track), next, *gap, &answer.answering),
                Origin::Publisher { waiting, bytes, ended } => match (waiting.pop_front(), *ended) {
                    (Some((item, payload)), _) => {
                        *bytes = bytes.saturating_sub(payload.len() + ITEM_COST);
                        Step::Item(item, payload)
                    }
                    (None, Some(complete)) => Step::End(complete),
                    (None, None) => Step::Wait,
                },
            };
            match step {
                Step::Item(FetchItem::Object(object), _) if !answer.answering.wants(&object) => {}
                Step::Item(item, payload) => {
                    if !self.push_item(&mut answer.answering, &item, &payload, now) {
                        return self.finish_answer(&answer.answering, false);
                    }
                }
                Step::End(complete) => return self.finish_answer(&answer.answering, complete),
                Step::Wait => {
                    self.serving.insert((at, key), answer);
                    return;
                }
            }
        }
    }

    /// Ends an answer's stream, with all that there was or cut short.
    fn finish_answer(&mut self, answering: &Answering, complete: bool) {
        let Some(conn) = self.conns.get_mut(answering.conn) else { return };
        if complete {
            conn.queue.finish_subgroup(answering.stream);
        } else if answering.fill {
            conn.sinks.remove(&answering.queue);
            conn.drop_track(answering.queue);
        } else {
            conn.queue.reset_subgroup(answering.stream, answering.broken);
        }
        self.ready.want_send(answering.conn, conn);
    }

    pub(super) fn drop_answer(&mut self, answering: &Answering) {
        if let Some(conn) = self.conns.get_mut(answering.conn) {
            conn.roles.remove(&answering.request);
            conn.sinks.remove(&answering.queue);
            conn.drop_track(answering.queue);
        }
    }

    /// Forgets a session's answers, or one of them, with what was asked of a publisher for it.
    pub(crate) fn drop_answers(&mut self, at: ConnIndex, only: Option<TrackKey>) {
        let meant = |conn: ConnIndex, queue: TrackKey| conn == at && only.is_none_or(|only| only == queue);
        self.serving.retain(|(conn, queue), _| !meant(*conn, *queue));
        self.fill_timers.retain(|(_, conn, queue)| !meant(*conn, *queue));
        let upstream: Vec<(ConnIndex, RequestKey)> = self
            .fetches
            .iter()
            .filter(|(_, purpose)| matches!(purpose, Purpose::PassOn(passing) if meant(passing.conn, passing.queue)))
            .map(|(key, _)| *key)
            .collect();
        for (publisher, key) in upstream {
            self.fetches.remove(&(publisher, key));
            if let Some(conn) = self.conns.get_mut(publisher) {
                conn.roles.remove(&key);
            }
            self.with_session(publisher, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
    }
}

/// The next element of an answer from what is kept here; what is neither here nor known not to exist is a `gap`, told
/// before what follows it in the answer's order.
fn kept_step(track: Option<&Track>, next: &mut Option<Location>, gap: Gap, answering: &Answering) -> Step {
    let Some(track) = track else { return Step::End(false) };
    let Selection { start, end, .. } = answering.selection;
    let unknown = |location| Step::Item(FetchItem::End { gap, location }, Bytes::new());
    while let Some(from) = *next {
        let last = match answering.order {
            GroupOrder::Ascending => end,
            GroupOrder::Descending => Location { group: from.group, object: u64::MAX }.min(end),
        };
        if let Some((location, kept)) = track.past.range(from, last).next() {
            if let Some(missing) = before(*location).filter(|_| from < *location && !track.past.covers(from, *location))
            {
                *next = Some(*location);
                return unknown(missing);
            }
            *next = Some(Location { group: location.group, object: location.object.saturating_add(1) });
            let object = FetchObject {
                location: *location,
                subgroup: kept.subgroup,
                priority: kept.priority,
                properties: kept.properties.clone(),
                payload_len: kept.payload.len() as u64,
            };
            return Step::Item(FetchItem::Object(object), kept.payload.clone());
        }
        let rest_known = track.past.covers(from, last);
        if answering.order == GroupOrder::Ascending {
            *next = None;
            if !rest_known {
                return unknown(end);
            }
            continue;
        }
        // Between this group and the next one that is here, in descending order, lie those that are not.
        let below = track.past.group_before(from.group).filter(|group| *group >= start.group);
        let low = below.map_or(start, |group| Location { group: group.saturating_add(1), object: 0 });
        let high = from.group.checked_sub(1).map(|group| Location { group, object: u64::MAX });
        *next = below.map(|group| Location { group, object: 0 }.max(start));
        if high.is_some_and(|high| low < high && !track.past.covers(low, high)) {
            return unknown(Location { group: low.group, object: u64::MAX });
        }
        if !rest_known {
            return unknown(last);
        }
    }
    Step::End(true)
}
