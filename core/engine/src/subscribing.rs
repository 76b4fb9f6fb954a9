//! SUBSCRIBE and TRACK_STATUS: tracks that a peer asks for by name.

use cc_session::{Refusal, Reply, Request, RequestKey};
use cc_wire::{codes, Params, Profile, TrackName};

use crate::api::{Place, Reason, Time, TrackId};
use crate::conn::{Again, ConnIndex, Role};
use crate::limits::Limit;
use crate::requests::{unauthorized, Refused};
use crate::sinks::told_properties;
use crate::track::{Source, Track};
use crate::Engine;

impl Engine {
    /// Whether a request's stamp, and the relays that it came through, allow what it wants of a track.
    pub(crate) fn may_read(
        &self,
        (at, key): (ConnIndex, RequestKey),
        what: &str,
        name: &TrackName,
        params: &Params,
    ) -> Refused {
        let stamp = self.conns.get(at).and_then(|conn| conn.stamp_for(key));
        if stamp.is_some_and(|stamp| !stamp.subscribe.allows_track(name)) {
            return Err(unauthorized(&format!("{what} {name}")));
        }
        self.check_hops(params)
    }

    /// A track of this name that is there, and not only looked for.
    pub(crate) fn known_track(&self, place: Place, name: &TrackName) -> Option<&Track> {
        let track = self.tracks.get(&self.domains.get(&place)?.find(name)?)?;
        (!matches!(track.source, Source::Asked(..) | Source::Sought)).then_some(track)
    }

    pub(crate) fn asked_subscribe(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        name: TrackName,
        params: &Params,
        now: Time,
    ) -> Refused {
        let place = self.place_of(at).ok_or_else(|| Refusal::new(codes::request_error::INTERNAL_ERROR, ""))?;
        self.may_read((at, key), "subscribe to", &name, params)?;
        self.may_ask(at, params, false)?;
        let received = self.conns.get(at).map_or(0, |conn| conn.sinks.len());
        if self.relay_peer(at).is_none() {
            self.within(Limit::SubscriptionsPerSession, received, "this session has too many subscriptions")?;
        }
        let Some(domain) = self.domains.get(&place) else {
            return Err(Refusal::new(codes::request_error::INTERNAL_ERROR, "no such domain"));
        };
        let patience = self.patience(params);
        let id = match domain.find(&name) {
            Some(id) => id,
            None if place == Place::Node => {
                self.within(Limit::Tracks, self.tracks.len(), "too many tracks are known")?;
                // A sibling stands for many, and its sessions were counted there.
                if !self.is_sibling(at) {
                    self.within(Limit::Asks, self.asks_of(at), "too many subscriptions of this session wait")?;
                }
                self.seek(Some(at), name, params, patience.clone()?)?
            }
            None => return Err(Refusal::new(codes::request_error::DOES_NOT_EXIST, format!("nobody publishes {name}"))),
        };
        let Some(track) = self.tracks.get(&id) else {
            return Err(Refusal::new(codes::request_error::DOES_NOT_EXIST, "the track has just ended"));
        };
        let old = self.conns.get(at).is_some_and(|conn| conn.profile == Profile::D18);
        if old && track.sinks.iter().any(|sink| sink.conn == at) {
            let code = codes::request_error::DUPLICATE_SUBSCRIPTION;
            return Err(Refusal::new(code, "this session has the track already"));
        }
        let source = track.source;
        if matches!(source, Source::Asked(..) | Source::Sought) {
            let until = Some(patience?).filter(|patience| *patience > 0).map(|patience| now.saturating_add(patience));
            self.add_sink(id, at, key, params, false);
            if let Some(sink) = self.tracks.get_mut(&id).and_then(|track| track.sink_mut(at, key)) {
                sink.asked = true;
                sink.until = until;
            }
            if source == Source::Sought {
                self.seek_next(id, now);
            }
            return Ok(());
        }
        self.may_range(at, params, track.largest)?;
        self.add_sink(id, at, key, params, true);
        self.answer_subscribe(id, at, key, now);
        Ok(())
    }

    /// Subscriptions of a session that wait for their publisher, or for its answer.
    fn asks_of(&self, at: ConnIndex) -> usize {
        let Some(conn) = self.conns.get(at) else { return 0 };
        let tracks = conn.sinks.values().filter_map(|sink| self.tracks.get(&sink.track));
        tracks.filter(|track| matches!(track.source, Source::Asked(..) | Source::Sought)).count()
    }

    /// A SUBSCRIBE that waited for its track to be known is answered.
    pub(crate) fn upstream_answered(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, now: Time) {
        let Some(sink) = self.tracks.get(&id).and_then(|track| track.sink(at, key)) else { return };
        let largest = self.tracks.get(&id).and_then(|track| track.largest);
        let params = sink.params.clone();
        if let Err(refusal) = self.may_range(at, &params, largest) {
            self.with_session(at, |session| session.refuse(key, refusal));
            return self.request_ended(at, key, Reason::Limit, "", now);
        }
        if let (Some(track), Some(conn)) = (self.tracks.get(&id), self.conns.get_mut(at)) {
            // Only now the track's own properties are known.
            if let Some(sink) = track.sink(at, key) {
                conn.queue.update_track(sink.queue, track.traits.queue_config(&sink.params));
            }
        }
        self.answer_subscribe(id, at, key, now);
    }

    pub(crate) fn asked_status(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        name: &TrackName,
        params: &Params,
        now: Time,
    ) -> Refused {
        let place = self.place_of(at).ok_or_else(|| Refusal::new(codes::request_error::INTERNAL_ERROR, ""))?;
        self.may_read((at, key), "subscribe to", name, params)?;
        let Some(track) = self.known_track(place, name) else {
            return self.pass_status_on(at, key, name, params, now);
        };
        let answer = Params { largest: track.largest, ..Params::default() };
        let reply = Reply::Ok { params: answer, properties: told_properties(params, track.properties.clone()) };
        self.with_session(at, |session| session.accept(key, reply));
        Ok(())
    }

    /// Whoever may know a track is asked how it is.
    fn pass_status_on(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        name: &TrackName,
        params: &Params,
        now: Time,
    ) -> Refused {
        let hops = params.hops.as_deref().unwrap_or_default();
        let missing = || Refusal::new(codes::request_error::DOES_NOT_EXIST, format!("nobody publishes {name}"));
        let to = *self.who_may_have(name, Some(at), hops).first().ok_or_else(missing)?;
        let params = Params {
            hops: self.hops_onward(to, hops),
            include_properties: params.include_properties.filter(|_| self.speaks_later(to)),
            ..Params::default()
        };
        let again = Again::Once(Box::new((name.clone(), params.clone())));
        let request = Request::TrackStatus { track: name.clone(), params };
        let asked = self.request(to, request, Role::OurStatus { asker: at, request: key, again }, now);
        let busy = || Refusal::new(codes::request_error::TIMEOUT, "the publisher takes no more requests");
        asked.map(|_| ()).ok_or_else(busy)
    }
}
