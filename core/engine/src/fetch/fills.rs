//! Fills: the past of a track that comes with a subscription.

use bytes::Bytes;
use cc_fanout::queue::TrackKey;
use cc_session::{Refusal, Reply, RequestKey};
use cc_wire::{codes, FetchItem, Gap, Params, Properties};

use super::{told, Origin, Purpose, FILLS_MAX};
use crate::api::{Time, TrackId};
use crate::conn::ConnIndex;
use crate::selection;
use crate::Engine;

impl Engine {
    /// A fill, of a subscription's objects so far. `request_id` is that of the message that asked for it; its parameters
    /// stand over the subscription's.
    pub(crate) fn fill_for(
        &mut self,
        id: TrackId,
        at: ConnIndex,
        key: RequestKey,
        request_id: Option<u64>,
        asked: &Params,
        now: Time,
    ) {
        let Some(track) = self.tracks.get(&id) else { return };
        let (Some(largest), Some(sink)) = (track.largest, track.sink(at, key)) else { return };
        let mut params = Params {
            subscriber_priority: sink.params.subscriber_priority,
            filter: sink.params.filter,
            group_order: sink.params.group_order,
            range_filters: sink.params.range_filters.clone(),
            ..Params::default()
        };
        params.merge(asked);
        let (start, end) = selection::range(params.filter, Some(largest));
        let (range, queue) = ((start, end.min(largest)), sink.queue);
        if range.0 > range.1 {
            // Nothing to fill: no stream is opened.
            return;
        }
        if let Some(answering) = self.answer_fetch((at, key), request_id, Some(queue), (id, range), &params, now) {
            // What can't be had is told in the stream.
            let _ = self.supply(id, range, answering, &params, now);
        }
    }

    /// The fills of a subscription that are under way.
    fn fills(&self, at: ConnIndex, of: TrackKey) -> Vec<TrackKey> {
        let sinks = self.conns.get(at).map(|conn| conn.sinks.iter()).into_iter().flatten();
        sinks.filter(|(_, sink)| sink.fill_of == Some(of)).map(|(queue, _)| *queue).collect()
    }

    /// Whether a subscription may ask for one more fill.
    pub(crate) fn may_fill(&self, at: ConnIndex, of: TrackKey) -> Result<(), Refusal> {
        if self.fills(at, of).len() < FILLS_MAX {
            return Ok(());
        }
        Err(Refusal::new(codes::request_error::EXCESSIVE_LOAD, "too many fills of one subscription are under way"))
    }

    /// Ends the fills of a subscription that is over.
    pub(crate) fn drop_fills(&mut self, at: ConnIndex, of: TrackKey) {
        for queue in self.fills(at, of) {
            if let Some(conn) = self.conns.get_mut(at) {
                conn.sinks.remove(&queue);
                conn.drop_track(queue);
            }
            self.drop_answers(at, Some(queue));
        }
    }

    /// Answers that waited long enough for their publisher (FILL_TIMEOUT): what has not come is told to be missing.
    pub(crate) fn fills_timeout(&mut self, now: Time) {
        while let Some((due, conn, queue)) = self.fill_timers.first().copied() {
            if due > now {
                return;
            }
            self.fill_timers.pop_first();
            let upstream = self.fetches.iter().find_map(|(at, purpose)| match purpose {
                Purpose::PassOn(passing) if (passing.conn, passing.queue) == (conn, queue) => {
                    Some((*at, passing.clone()))
                }
                _ => None,
            });
            let Some(((at, key), passing)) = upstream else { continue };
            self.fetches.remove(&(at, key));
            if let Some(publisher) = self.conns.get_mut(at) {
                publisher.roles.remove(&key);
            }
            self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
            if let Some(profile) = self.conns.get(conn).map(|conn| conn.profile).filter(|_| !passing.told) {
                let end = told(profile, passing.asked.into(), None);
                let reply = Reply::FetchOk {
                    end_of_track: false,
                    end,
                    params: Params::default(),
                    properties: Properties::default(),
                };
                self.with_session(conn, |session| session.accept(passing.request, reply));
            }
            if let Some(answer) = self.serving.get_mut(&(conn, queue)) {
                let location = answer.answering.last();
                if let Origin::Publisher { waiting, ended, .. } = &mut answer.origin {
                    waiting.push_back((FetchItem::End { gap: Gap::TimedOut, location }, Bytes::new()));
                    *ended = Some(true);
                }
            }
            self.continue_answer(conn, queue, now);
        }
    }
}
