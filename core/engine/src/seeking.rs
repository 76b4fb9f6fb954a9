//! Tracks of the relay that are asked for by name and not known here: whoever may have them is asked in turn, and
//! subscriptions wait for a publisher as long as they wish to (RENDEZVOUS_TIMEOUT).
//!
//! | source | what it waits for | and then |
//! |---|---|---|
//! | Asked | the answer, for `ASK_TIME` | served; or the next who may have it is asked; or, with none left, as Sought |
//! | Sought | a PUBLISH, an announcement, an uplink, or the end of each subscription's own time | served or Asked; or refused |
//!
//! A track "does not exist" when all that were asked said so. When somebody could not be asked it is unknown: TIMEOUT.

use cc_session::{Refusal, Request, RequestKey};
use cc_wire::{codes, Namespace, Params, Properties, TrackName};

use crate::api::{Place, Reason, Time, TrackId};
use crate::close;
use crate::conn::{ConnIndex, Role, Stage};
use crate::domain::Party;
use crate::link::State;
use crate::track::Source;
use crate::Engine;

/// What one that is asked may take for its answer.
const ASK_TIME: Time = 10_000_000;
/// What a subscription waits for an uplink that is down.
const UPLINK_WAIT: Time = 5_000_000;
/// After how long what could not be found out may be asked again, ms.
const RETRY_MS: u64 = 1000;
/// How long a subscription may wait for its publisher at most, whatever it asks.
const RENDEZVOUS_MAX: Time = 60_000_000;
/// Subscriptions of all sessions that wait for their publisher at once; of one session: `Limits::asks`.
const WAITING_MAX: usize = 4096;

/// How far the search for one track has come.
#[derive(Debug, Default)]
pub(crate) struct Seek {
    /// Who is still to be asked, the next first.
    left: Vec<ConnIndex>,
    /// What tells most of the answers so far.
    refusal: Option<Refusal>,
    /// The relays that the request came through.
    hops: Vec<u64>,
    /// What the first subscriber asks of the publisher for all (NEW_GROUP_REQUEST).
    new_group: Option<u64>,
    /// Whoever is asked has until then.
    asked_until: Option<Time>,
    /// Its place in the engine's table.
    due: Option<Time>,
}

/// Whether an answer says that there is no such track, for certain.
fn is_certain(refusal: &Refusal) -> bool {
    refusal.code == codes::request_error::DOES_NOT_EXIST
}

/// Whether a track may still come to be, whatever was answered.
fn may_come(refusal: &Refusal) -> bool {
    use codes::request_error as code;
    let passing = [code::DOES_NOT_EXIST, code::TIMEOUT, code::GOING_AWAY, code::EXCESSIVE_LOAD, code::INTERNAL_ERROR];
    passing.contains(&refusal.code)
}

impl Engine {
    /// A track that nobody here knows begins to be looked for. The caller adds who wants it, and then has the first one
    /// asked by [`seek_next`](Engine::seek_next).
    ///
    /// # Errors
    /// Nobody may have it, and `patience` says that it is not to be waited for.
    pub(crate) fn seek(
        &mut self,
        asker: Option<ConnIndex>,
        name: TrackName,
        params: &Params,
        patience: Time,
    ) -> Result<TrackId, Refusal> {
        let hops = params.hops.as_deref().unwrap_or_default();
        let left = self.who_may_have(&name, asker, hops);
        if left.is_empty() && patience == 0 {
            return Err(Refusal::new(codes::request_error::DOES_NOT_EXIST, format!("nobody publishes {name}")));
        }
        let id = self.new_track(
            Place::Node,
            name,
            bytes::Bytes::new(),
            Properties::default(),
            Source::Sought,
            String::new(),
        );
        self.seeking
            .insert(id, Seek { left, hops: hops.to_vec(), new_group: params.new_group_request, ..Seek::default() });
        Ok(id)
    }

    /// How long a subscription may wait for a publisher.
    ///
    /// # Errors
    /// Too many wait already.
    pub(crate) fn patience(&self, params: &Params) -> Result<Time, Refusal> {
        let asked = params.rendezvous_timeout.unwrap_or(0).saturating_mul(1000).min(RENDEZVOUS_MAX);
        let patience = if self.uplink_is_down() { asked.max(UPLINK_WAIT) } else { asked };
        if patience > 0 {
            let waiting = self.seeking.keys().filter_map(|id| self.tracks.get(id)).flat_map(|track| track.sinks.iter());
            if waiting.filter(|sink| sink.until.is_some()).count() >= WAITING_MAX {
                let text = "too many subscriptions wait for their publishers";
                let mut refusal = Refusal::new(codes::request_error::EXCESSIVE_LOAD, text);
                refusal.retry_ms = Some(RETRY_MS);
                return Err(refusal);
            }
        }
        Ok(patience)
    }

    /// Who may have a track, in the order of asking: those that announced its namespace, the longest prefix and the
    /// fewest relays first, then the relays above. Never back to where the request came from.
    pub(crate) fn who_may_have(&self, name: &TrackName, asker: Option<ConnIndex>, hops: &[u64]) -> Vec<ConnIndex> {
        let from = asker.and_then(|at| self.relay_peer(at));
        let been = |at: ConnIndex| self.relay_peer(at).is_some_and(|id| hops.contains(&id) || from == Some(id));
        let mut found: Vec<ConnIndex> = Vec::new();
        if let Some(domain) = self.domains.get(&Place::Node) {
            for parties in domain.announcers(name) {
                let mut here: Vec<(usize, ConnIndex)> = Vec::new();
                for party in parties {
                    let Party::Remote(at, key) = party else { continue };
                    let path = match self.conns.get(at).and_then(|conn| conn.roles.get(&key)) {
                        Some(Role::Announced { hops, .. }) => hops.as_slice(),
                        _ => &[],
                    };
                    if from.is_some_and(|id| path.contains(&id)) {
                        continue;
                    }
                    here.push((path.len(), at));
                }
                here.sort_unstable();
                found.extend(here.into_iter().map(|(_, at)| at));
            }
        }
        found.extend(self.uplinks());
        let asked_by_sibling = asker.is_some_and(|at| self.is_sibling(at));
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|at| {
            let up = self.conns.get(*at).is_some_and(|conn| conn.stage == Stage::Up);
            let passed_on = asked_by_sibling && self.is_sibling(*at);
            up && !passed_on && Some(*at) != asker && !been(*at) && seen.insert(*at)
        });
        found
    }

    /// Whether a relay above can't be asked now, and may be again.
    fn uplink_is_down(&self) -> bool {
        self.links.values().any(|link| link.config.uplink && !matches!(link.state, State::Up | State::Closed))
    }

    /// Asks the next who may have a track; with none left, whoever does not wait is refused.
    pub(crate) fn seek_next(&mut self, id: TrackId, now: Time) {
        loop {
            let Some(seek) = self.seeking.get_mut(&id) else { return };
            seek.asked_until = None;
            if seek.left.is_empty() {
                break;
            }
            let (at, hops, new_group_request) = (seek.left.remove(0), seek.hops.clone(), seek.new_group);
            let Some(track) = self.tracks.get(&id) else { return };
            let request = Request::Subscribe {
                track: track.name.clone(),
                // Upstream, one subscriber's priority says nothing about the others'.
                params: Params {
                    subscriber_priority: Some(128),
                    forward: Some(true),
                    new_group_request,
                    hops: self.hops_onward(at, &hops),
                    ..Params::default()
                },
            };
            let Some(key) = self.request(at, request, Role::OurSubscribe(id), now) else {
                self.seek_said(id, Refusal::new(codes::request_error::TIMEOUT, "a publisher takes no more requests"));
                continue;
            };
            let publisher = self.conns.get(at).and_then(|conn| conn.stamp.as_ref()).map(|stamp| stamp.peer_id.clone());
            if let Some(track) = self.tracks.get_mut(&id) {
                track.source = Source::Asked(at, key);
                track.publisher = publisher.unwrap_or_default();
            }
            if let Some(seek) = self.seeking.get_mut(&id) {
                seek.asked_until = Some(now.saturating_add(ASK_TIME));
            }
            return self.set_seek_timer(id);
        }
        self.seek_waits(id, now);
    }

    /// One that was asked does not have the track, or does not say.
    pub(crate) fn seek_refused(&mut self, id: TrackId, refusal: Refusal, now: Time) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.source = Source::Sought;
        }
        self.seek_said(id, refusal);
        self.seek_next(id, now);
    }

    /// Keeps the answer that tells most: that something is not there is told only if all said so.
    fn seek_said(&mut self, id: TrackId, refusal: Refusal) {
        if let Some(seek) = self.seeking.get_mut(&id) {
            if seek.refusal.as_ref().is_none_or(is_certain) {
                seek.refusal = Some(refusal);
            }
        }
    }

    /// Nobody is left to be asked: those that wait for a publisher go on waiting, the others are refused.
    fn seek_waits(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.source = Source::Sought;
        let name = track.name.clone();
        let said = self.seeking.get(&id).and_then(|seek| seek.refusal.clone());
        let refusal = said
            .unwrap_or_else(|| Refusal::new(codes::request_error::DOES_NOT_EXIST, format!("nobody publishes {name}")));
        let comes = may_come(&refusal);
        let Some(track) = self.tracks.get(&id) else { return };
        let over: Vec<(ConnIndex, RequestKey, bool)> = track
            .sinks
            .iter()
            .filter(|sink| !sink.accepted && (!comes || sink.until.is_none_or(|until| until <= now)))
            .map(|sink| (sink.conn, sink.request, sink.until.is_some()))
            .collect();
        for (at, request, waited) in over {
            let refusal = match (waited, comes) {
                (true, true) => Refusal::new(codes::request_error::TIMEOUT, format!("nobody published {name} in time")),
                _ => refusal.clone(),
            };
            self.refuse_waiting(at, request, refusal, now);
        }
        self.seek_unwanted(id);
        self.set_seek_timer(id);
    }

    fn refuse_waiting(&mut self, at: ConnIndex, request: RequestKey, mut refusal: Refusal, now: Time) {
        let reason = close::reason_of_request_error(refusal.code);
        // A relay below may ask again.
        if refusal.code == codes::request_error::TIMEOUT {
            refusal.retry_ms.get_or_insert(RETRY_MS);
        }
        let text = refusal.reason.clone();
        self.refuse_onward(at, request, refusal);
        self.request_ended(at, request, reason, &text, now);
    }

    /// The search ends when nobody wants the track any more.
    pub(crate) fn seek_unwanted(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else { return };
        if track.place != Place::Node || !track.sinks.is_empty() || !track.locals.is_empty() {
            return;
        }
        match track.source {
            Source::Sought => self.end_track(id, codes::publish_done::TRACK_ENDED, Reason::DoesNotExist),
            Source::Asked(..) => self.drop_unwanted(id),
            _ => {}
        }
    }

    /// The track is there: all who wait for it are answered.
    pub(crate) fn seek_found(&mut self, id: TrackId, now: Time) {
        self.end_seek(id);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let mut waiting = Vec::new();
        for sink in track.sinks.iter_mut().filter(|sink| !sink.accepted && sink.asked) {
            sink.until = None;
            waiting.push((sink.conn, sink.request));
        }
        for (conn, request) in waiting {
            self.upstream_answered(id, conn, request, now);
        }
        self.exact_answered(id);
    }

    /// A track that is looked for is published here.
    pub(crate) fn take_over_here(
        &mut self,
        id: TrackId,
        publication: crate::api::PublicationId,
        properties: Properties,
        capability: &bytes::Bytes,
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let before = std::mem::replace(&mut track.source, Source::Local(publication));
        track.traits = crate::track::Traits::read(&properties);
        track.properties = properties;
        track.capability = capability.clone();
        track.publisher = String::new();
        let (place, namespace) = (track.place, track.name.namespace.clone());
        if let Source::Asked(at, key) = before {
            if let Some(conn) = self.conns.get_mut(at) {
                conn.roles.remove(&key);
            }
            self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
        let told = self.domains.get_mut(&place).map(|domain| domain.now_published(id, &namespace, capability));
        self.tell(&told.unwrap_or_default(), &namespace, true);
    }

    /// The search is over, however it ended.
    pub(crate) fn end_seek(&mut self, id: TrackId) {
        if let Some(due) = self.seeking.remove(&id).and_then(|seek| seek.due) {
            self.seek_timers.remove(&(due, id));
        }
    }

    /// Somebody new may have what is looked for: an announcer of a namespace, or a relay above.
    pub(crate) fn seek_at(&mut self, at: ConnIndex, below: &Namespace, now: Time) {
        let all: Vec<TrackId> = self.seeking.keys().copied().collect();
        for id in all {
            let (Some(track), Some(seek)) = (self.tracks.get(&id), self.seeking.get(&id)) else { continue };
            let looped = self.relay_peer(at).is_some_and(|peer| seek.hops.contains(&peer));
            if looped || !track.name.namespace.starts_with(below) || track.sinks.iter().any(|sink| sink.conn == at) {
                continue;
            }
            let idle = track.source == Source::Sought;
            if let Some(seek) = self.seeking.get_mut(&id) {
                seek.left.push(at);
            }
            if idle {
                self.seek_next(id, now);
            }
        }
    }

    fn set_seek_timer(&mut self, id: TrackId) {
        let (Some(seek), Some(track)) = (self.seeking.get_mut(&id), self.tracks.get(&id)) else { return };
        let waits = track.sinks.iter().filter(|sink| !sink.accepted).filter_map(|sink| sink.until);
        // Those whose time ends while somebody is asked are heard with the answer.
        let due = seek.asked_until.or_else(|| waits.min());
        if let Some(old) = std::mem::replace(&mut seek.due, due) {
            self.seek_timers.remove(&(old, id));
        }
        if let Some(due) = due {
            self.seek_timers.insert((due, id));
        }
    }

    /// Searches whose time has come.
    pub(crate) fn seek_timeout(&mut self, now: Time) {
        while let Some((due, id)) = self.seek_timers.first().copied() {
            if due > now {
                return;
            }
            self.seek_timers.pop_first();
            if let Some(seek) = self.seeking.get_mut(&id) {
                seek.due = None;
            }
            match self.tracks.get(&id).map(|track| track.source) {
                Some(Source::Asked(at, key)) => {
                    if let Some(conn) = self.conns.get_mut(at) {
                        conn.roles.remove(&key);
                    }
                    self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
                    let text = "a publisher that may have the track does not answer";
                    self.seek_refused(id, Refusal::new(codes::request_error::TIMEOUT, text), now);
                }
                Some(Source::Sought) => self.seek_next(id, now),
                _ => self.end_seek(id),
            }
        }
    }
}
