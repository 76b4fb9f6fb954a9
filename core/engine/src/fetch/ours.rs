//! Our own FETCHes under way (`Engine::fetches`), and what comes of them: passed on, put before a reader, or joined.

use std::collections::VecDeque;

use bytes::Bytes;
use cc_session::{DataEnd, DataKey, Fetch, Refusal, Reply, Request, RequestKey};
use cc_wire::{
    codes, FetchEnd, FetchItem, FetchKind, FetchObject, Filter, Gap, Location, Params, Properties, TrackName,
};

use super::{told, Answer, Answering, Origin, Passing, Purpose, Way, ITEM_COST};
use crate::api::{Delivery, SubscriptionId, Time, TrackId};
use crate::conn::{Again, ConnIndex, Role};
use crate::elsewhere::sent_away;
use crate::limits::Limit;
use crate::ordered::Came;
use crate::sinks::told_properties;
use crate::track::Source;
use crate::Engine;

impl Engine {
    /// Has the publisher answer in our stead.
    pub(super) fn pass_on(
        &mut self,
        publisher: ConnIndex,
        (id, name): (TrackId, TrackName),
        start: Location,
        end: Location,
        answering: Answering,
        now: Time,
    ) -> Result<(), Refusal> {
        let filter = match end.object {
            u64::MAX => Filter::AbsoluteRange { start, end_group: end.group },
            _ => Filter::ObjectRange { start, end },
        };
        let hops = self.hops_onward(publisher, answering.asked.hops.as_deref().unwrap_or_default());
        let known = (id != 0).then(|| Way::new(answering.order, start, end));
        let fill_timeout = answering.at_once.then_some(0);
        let group_order = Some(answering.order);
        let params = Params { filter: Some(filter), group_order, hops, fill_timeout, ..Params::default() };
        match self.fetch_from(publisher, Fetch { kind: FetchKind::Standalone(name), params }, now) {
            Some(key) => {
                let (conn, request, queue) = (answering.conn, answering.request, answering.queue);
                // A fill has no FETCH_OK to pass on.
                let told = answering.fill;
                let passing = Passing {
                    conn,
                    request,
                    queue,
                    asked: end,
                    track: id,
                    last: None,
                    known,
                    end: None,
                    answer: None,
                    told,
                    ended: None,
                };
                self.fetches.insert((publisher, key), Purpose::PassOn(Box::new(passing)));
                // Another shard waits for nobody, either.
                if let Some(until) = answering.until.filter(|_| !answering.at_once) {
                    self.fill_timers.insert((until, conn, queue));
                }
                let origin = Origin::Publisher { waiting: VecDeque::new(), bytes: 0, ended: None };
                self.serving.insert((conn, queue), Answer { answering, origin });
                Ok(())
            }
            None if answering.fill => {
                self.serve(id, start, end, answering, Gap::Unknown, now);
                Ok(())
            }
            None => {
                self.drop_answer(&answering);
                Err(Refusal::new(codes::request_error::EXCESSIVE_LOAD, "the publisher takes no more requests"))
            }
        }
    }

    /// Makes a FETCH of ours; none if the session takes no more requests.
    pub(crate) fn fetch_from(&mut self, at: ConnIndex, fetch: Fetch, now: Time) -> Option<RequestKey> {
        let again = Again::Once(Box::new(fetch.clone()));
        self.request(at, Request::Fetch(fetch), Role::OurFetch(again), now)
    }

    /// An answer has begun to come.
    fn fetch_answered(&mut self, at: ConnIndex, key: RequestKey) {
        if let Some(Role::OurFetch(again)) = self.conns.get_mut(at).and_then(|conn| conn.roles.get_mut(&key)) {
            *again = Again::Answered;
        }
    }

    /// GOAWAY on the stream of a FETCH of ours: it is made again, once, or refused with its place. What has begun to
    /// come goes on until it ends.
    pub(crate) fn fetch_sent_away(
        &mut self,
        (at, key): (ConnIndex, RequestKey),
        again: Again<Fetch>,
        uri: &str,
        now: Time,
    ) {
        let fetch = match again {
            Again::Answered => return,
            Again::Once(fetch) => Some(fetch),
            Again::Over => None,
        };
        let name = match fetch.as_deref() {
            Some(Fetch { kind: FetchKind::Standalone(name), .. }) => name.clone(),
            _ => TrackName::default(),
        };
        // Before its request is given up, with which a join would end.
        let purpose = self.fetches.remove(&(at, key));
        self.give_up(at, key, now);
        let made = match fetch.filter(|_| uri.is_empty()) {
            Some(fetch) => self.request(at, Request::Fetch(*fetch), Role::OurFetch(Again::Over), now),
            None => None,
        };
        if let Some(purpose) = purpose {
            self.fetches.insert((at, made.unwrap_or(key)), purpose);
        }
        if made.is_none() {
            self.fetch_refused(at, key, sent_away(uri, name), now);
        }
    }

    /// Asks for messages that a reader misses; false if nobody can be asked.
    pub(crate) fn fill(&mut self, id: TrackId, to: SubscriptionId, from: Location, until: Location, now: Time) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let Source::Remote(at, _) = track.source else { return false };
        let params = Params { filter: Some(Filter::ObjectRange { start: from, end: until }), ..Params::default() };
        let kind = FetchKind::Standalone(track.name.clone());
        match self.fetch_from(at, Fetch { kind, params }, now) {
            Some(key) => {
                let purpose = Purpose::Fill { track: id, subscription: to, until };
                self.fetches.insert((at, key), purpose);
                true
            }
            None => false,
        }
    }

    /// FETCH_OK for a FETCH of ours.
    pub(crate) fn fetch_accepted(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        end: FetchEnd,
        properties: Properties,
        now: Time,
    ) {
        if let Err(refusal) = crate::requests::check_understood(&properties) {
            if let Some(conn) = self.conns.get_mut(at) {
                conn.roles.remove(&key);
            }
            self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
            return self.fetch_refused(at, key, refusal, now);
        }
        self.fetch_answered(at, key);
        if let Some(Purpose::PassOn(passing)) = self.fetches.get_mut(&(at, key)) {
            let object = end.object.unwrap_or(u64::MAX);
            let end = Location { group: end.group, object }.min(passing.asked);
            passing.end = Some(end);
            if !passing.told {
                // For a fill, which has no FETCH_OK, it is told.
                passing.answer = Some((end, properties));
                self.pass_answer(at, key, now);
            }
        }
    }

    /// Passes FETCH_OK on once its end is known, and ends what has both FETCH_OK and all objects.
    fn pass_answer(&mut self, at: ConnIndex, key: RequestKey, now: Time) {
        self.learn_passed(at, key);
        let Some(Purpose::PassOn(passing)) = self.fetches.get_mut(&(at, key)) else { return };
        let (conn, request, queue, ended) = (passing.conn, passing.request, passing.queue, passing.ended);
        let known = |end: &Location| end.object < u64::MAX || ended.is_some();
        if let Some((end, properties)) = passing.answer.take_if(|(end, _)| known(end)) {
            passing.told = true;
            let last = passing.last.filter(|last| last.group == end.group).map(|last| last.object);
            if let Some(profile) = self.conns.get(conn).map(|conn| conn.profile) {
                let end = told(profile, end.into(), last);
                let asked = self.serving.get(&(conn, queue)).map(|answer| answer.answering.asked.clone());
                let properties = told_properties(&asked.unwrap_or_default(), properties);
                let reply = Reply::FetchOk { end_of_track: false, end, params: Params::default(), properties };
                self.with_session(conn, |session| session.accept(request, reply));
            }
        }
        let told = matches!(self.fetches.get(&(at, key)), Some(Purpose::PassOn(passing)) if passing.told);
        if let (true, Some(complete)) = (told, ended) {
            self.fetch_done(at, key, complete, now);
        }
    }

    /// Bytes of answers that are passed on and wait for a session to take them.
    fn passing(&self, to: ConnIndex) -> usize {
        let answers = self.serving.iter().filter(|((conn, _), _)| *conn == to);
        answers.map(|(_, answer)| if let Origin::Publisher { bytes, .. } = &answer.origin { *bytes } else { 0 }).sum()
    }

    /// The stream of a FETCH of ours begins.
    pub(crate) fn fetch_started(&mut self, at: ConnIndex, data: DataKey, key: RequestKey) {
        if let Some(conn) = self.conns.get_mut(at) {
            conn.fetching.insert(data, key);
        }
        self.fetch_answered(at, key);
    }

    /// An element of a FETCH of ours.
    pub(crate) fn fetch_item(&mut self, at: ConnIndex, data: DataKey, item: FetchItem, payload: Bytes, now: Time) {
        let Some(key) = self.conns.get(at).and_then(|conn| conn.fetching.get(&data)).copied() else { return };
        if matches!(&item, FetchItem::Object(object) if crate::malformed::is_malformed(&object.properties)) {
            return self.fetch_malformed(at, key, now);
        }
        self.keep_passing(at, key, &item, &payload, now);
        match self.fetches.get_mut(&(at, key)) {
            Some(Purpose::PassOn(passing)) => {
                let (conn, queue) = (passing.conn, passing.queue);
                if let FetchItem::Object(object) = &item {
                    passing.last = passing.last.max(Some(object.location));
                }
                let cost = payload.len() + ITEM_COST;
                let full = self.passing(conn) + cost > self.config.limits.fetch_bytes;
                let Some(answer) = self.serving.get_mut(&(conn, queue)) else { return };
                if let Origin::Publisher { waiting, bytes, ended } = &mut answer.origin {
                    if full && *bytes > 0 && ended.is_none() {
                        // The reader is far slower than the publisher: it gets what fits, and may ask again.
                        *ended = Some(false);
                        self.refused.met(Limit::FetchBytes);
                    } else if ended.is_none() {
                        *bytes += cost;
                        waiting.push_back((item, payload));
                    }
                }
                self.continue_answer(conn, queue, now);
            }
            Some(Purpose::Fill { track, subscription, .. }) => {
                let (track, subscription) = (*track, *subscription);
                let Some(local) = self.tracks.get_mut(&track).and_then(|t| t.reader(subscription)) else { return };
                match item {
                    FetchItem::Object(object) => self.fetched(at, key, object, payload, now),
                    FetchItem::End { gap: Gap::NonExistent, .. } => {}
                    FetchItem::End { location, .. } => local.order.hole((location.group, location.object)),
                }
            }
            Some(Purpose::Join { track, readers }) => {
                let (track, readers) = (*track, readers.clone());
                match item {
                    FetchItem::Object(object) => self.join_fetched(track, &readers, &object, &payload),
                    FetchItem::End { gap: Gap::NonExistent, .. } => {}
                    FetchItem::End { .. } => self.join_hole(track, &readers),
                }
            }
            None => {}
        }
    }

    /// What came shows that the track is malformed: whoever waits for it is told, and nothing more is taken.
    fn fetch_malformed(&mut self, at: ConnIndex, key: RequestKey, now: Time) {
        self.stats.malformed += 1;
        let code = codes::request_error::MALFORMED_TRACK;
        let told = match self.fetches.get(&(at, key)) {
            Some(Purpose::PassOn(passing)) => {
                if let Some(answer) = self.serving.get_mut(&(passing.conn, passing.queue)) {
                    answer.answering.broken = codes::stream_reset::MALFORMED_TRACK;
                }
                passing.told
            }
            _ => true,
        };
        match told {
            true => self.fetch_over(at, key, false, now),
            false => self.fetch_refused(
                at,
                key,
                Refusal::new(code, "an object has a property that only a track may have"),
                now,
            ),
        }
        if let Some(conn) = self.conns.get_mut(at) {
            conn.fetching.retain(|_, fetch| *fetch != key);
            if matches!(conn.roles.get(&key), Some(Role::OurFetch(_))) {
                conn.roles.remove(&key);
                self.with_session(at, |session| session.cancel(key, codes::stream_reset::MALFORMED_TRACK));
            }
        }
    }

    /// A message for a reader that missed it. One whose application has no room for it asks again later.
    fn fetched(&mut self, at: ConnIndex, key: RequestKey, object: FetchObject, payload: Bytes, now: Time) {
        let Some(Purpose::Fill { track: id, subscription: to, .. }) = self.fetches.get(&(at, key)) else { return };
        let (id, to) = (*id, *to);
        let Some(local) = self.tracks.get_mut(&id).and_then(|track| track.reader(to)) else { return };
        let Location { group, object: number } = object.location;
        let bytes = payload.len() + object.properties.len();
        let delivery = Delivery {
            subscription: to,
            track: id,
            group,
            object: number,
            priority: object.priority,
            flags: crate::api::flag::STREAM,
            fragments: 1,
            properties: object.properties,
            payload,
        };
        if local.order.push(group, number, bytes, delivery, now) == Came::TurnedAway {
            local.order.put_off();
            self.refused.met(Limit::ReorderBytes);
            self.fetches.remove(&(at, key));
            if let Some(conn) = self.conns.get_mut(at) {
                conn.roles.remove(&key);
                conn.fetching.retain(|_, fetch| *fetch != key);
            }
            return self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
        local.order.known_to(group, number);
        self.deliver_text(id, now);
    }

    /// The stream of a FETCH of ours is over; whether it was one.
    pub(crate) fn fetch_ended(&mut self, at: ConnIndex, data: DataKey, end: DataEnd, now: Time) -> bool {
        let Some(key) = self.conns.get_mut(at).and_then(|conn| conn.fetching.remove(&data)) else { return false };
        let complete = end == DataEnd::Fin;
        match self.fetches.get_mut(&(at, key)) {
            Some(Purpose::PassOn(passing)) => {
                passing.ended = Some(complete);
                self.pass_answer(at, key, now);
            }
            _ => self.fetch_done(at, key, complete, now),
        }
        true
    }

    /// The stream of a FETCH of ours has ended, and nothing more is to be heard of it.
    fn fetch_done(&mut self, at: ConnIndex, key: RequestKey, complete: bool, now: Time) {
        self.fetch_over(at, key, complete, now);
        let role = self.conns.get(at).and_then(|conn| conn.roles.get(&key));
        if !matches!(role, Some(Role::OurFetch(_))) {
            // A fill: its subscription goes on.
            return;
        }
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.remove(&key);
        }
        self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
    }

    /// A FETCH of ours has come to its end: with its objects, or refused, or cut short.
    pub(crate) fn fetch_over(&mut self, at: ConnIndex, key: RequestKey, complete: bool, now: Time) {
        match self.fetches.remove(&(at, key)) {
            Some(Purpose::PassOn(passing)) => {
                let Passing { conn, queue, .. } = *passing;
                if let Some(answer) = self.serving.get_mut(&(conn, queue)) {
                    let (fill, location) = (answer.answering.fill, answer.answering.last());
                    if let Origin::Publisher { waiting, ended, .. } = &mut answer.origin {
                        if fill && !complete && ended.is_none() {
                            // A fill says in its stream what could not be had.
                            waiting.push_back((FetchItem::End { gap: Gap::Unknown, location }, Bytes::new()));
                        }
                        ended.get_or_insert(complete || fill);
                    }
                }
                self.continue_answer(conn, queue, now);
            }
            Some(Purpose::Join { track, readers }) => self.all_joined(track, &readers, complete, now),
            Some(Purpose::Fill { track, subscription, until }) => {
                if let Some(local) = self.tracks.get_mut(&track).and_then(|t| t.reader(subscription)) {
                    local.order.filled((until.group, until.object), complete);
                }
                self.deliver_text(track, now);
            }
            None => {}
        }
    }

    /// A FETCH of ours was refused.
    pub(crate) fn fetch_refused(&mut self, at: ConnIndex, key: RequestKey, refusal: Refusal, now: Time) {
        let passed = match self.fetches.get(&(at, key)) {
            Some(Purpose::PassOn(passing)) => Some((passing.conn, passing.request, passing.queue)),
            _ => None,
        };
        let fill = |queue| self.serving.get(&queue).is_some_and(|answer| answer.answering.fill);
        if let Some((conn, request, queue)) = passed.filter(|(conn, _, queue)| !fill((*conn, *queue))) {
            self.fetches.remove(&(at, key));
            if let Some(answer) = self.serving.remove(&(conn, queue)) {
                self.drop_answer(&answer.answering);
            }
            return self.refuse_onward(conn, request, refusal);
        }
        self.fetch_over(at, key, false, now);
    }
}
