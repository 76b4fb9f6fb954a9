//! A single request that is to go on elsewhere: GOAWAY on its own stream (draft -18, section "GOAWAY").
//!
//! | our request | without a place | with one, of a link's relay |
//! |---|---|---|
//! | SUBSCRIBE | cancelled, and asked again on the same session | its local subscriptions end, REDIRECTED there |
//! | SUBSCRIBE_TRACKS | the same | all below its prefix end, REDIRECTED there |
//! | PUBLISH | PUBLISH_DONE, and asked again | the publication ends, REDIRECTED there |
//! | FETCH, TRACK_STATUS, with nothing answered | cancelled, and asked again, once | over: whom it was asked for gets the REDIRECT |
//! | SUBSCRIBE_TRACKS, SUBSCRIBE_NAMESPACE, PUBLISH_NAMESPACE of a relay | cancelled, and asked again | goes on until it ends; the owner is told |
//! | a FETCH that is being answered; what a relay subscribes to | goes on until it ends | = |
//!
//! Another place wants a session of its own, and with it a token that only the application has. Cancelling comes first, as
//! at -18 a session may not have a track twice, nor at any draft two prefixes that overlap.

use cc_session::{Refusal, Request, RequestKey};
use cc_wire::{codes, Namespace, Params, Redirect, TrackName};

use crate::api::{LinkId, Place, Reason, Time, TrackId};
use crate::conn::{Again, Conn, ConnIndex, Role, Side};
use crate::link::Retry;
use crate::track::Source;
use crate::Engine;

/// Characters of a place that a warning shows.
const SHOWN: usize = 200;

/// The refusal that a GOAWAY stands for where a request is not made again.
pub(crate) fn sent_away(uri: &str, track: TrackName) -> Refusal {
    match uri {
        "" => Refusal::new(codes::request_error::GOING_AWAY, "whoever was asked sends the request away"),
        uri => elsewhere(uri, track),
    }
}

/// What an application hears of a request that is to be made at another place, under these names (empty: the same).
fn elsewhere(uri: &str, track: TrackName) -> Refusal {
    let redirect = Some(Box::new(Redirect { uri: uri.to_owned(), track }));
    Refusal { redirect, ..Refusal::new(codes::request_error::REDIRECT, "the relay serves it at another place") }
}

impl Engine {
    /// The peer says GOAWAY on the stream of one request; `uri` is where it is to be made instead, empty: here again.
    pub(crate) fn request_goaway(&mut self, at: ConnIndex, key: RequestKey, uri: &str, now: Time) {
        let Some(conn) = self.conns.get(at) else { return };
        let link = if let Side::Link(link) = conn.side { Some(link) } else { None };
        let Some(role) = conn.roles.get(&key).cloned() else { return };
        match (role, link) {
            (Role::OurSubscribe(id), _) => self.subscribe_elsewhere((id, at, key), uri, now),
            (Role::OurTrackWatch(prefix), Some(link)) => self.watch_elsewhere((link, at, key), &prefix, uri, now),
            (Role::Sink(id), Some(link)) => self.publish_elsewhere((id, at, key), link, uri, now),
            (Role::OurFetch(again), _) => self.fetch_sent_away((at, key), again, uri, now),
            (Role::OurStatus { asker, request, again }, _) => {
                self.status_elsewhere((at, key), (asker, request), again, uri, now);
            }
            (Role::UplinkTracks | Role::UplinkNames | Role::Announcing(_), _) if !uri.is_empty() => {
                let uri: String = uri.chars().take(SHOWN).collect();
                self.warn(|| {
                    format!("what this relay asked of connection {at} is to be asked at {uri}: no link goes there")
                });
            }
            (role @ (Role::UplinkTracks | Role::UplinkNames), Some(_)) => {
                self.give_up(at, key, now);
                if matches!(role, Role::UplinkNames) {
                    self.forget_uplink_names(at, key, now);
                }
                self.ask_above(at, now);
            }
            (Role::Announcing(namespace), _) => {
                self.give_up(at, key, now);
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.announcing.remove(&namespace);
                }
                self.sync_announcement(at, &namespace, now);
            }
            _ => {}
        }
    }

    /// Refuses a request in the words of whoever was asked in its stead. A place is a server's to name.
    pub(crate) fn refuse_onward(&mut self, at: ConnIndex, request: RequestKey, mut refusal: Refusal) {
        let client = self.conns.get(at).is_some_and(Conn::is_dialled);
        if let (true, Some(redirect)) = (client, refusal.redirect.as_mut()) {
            redirect.uri.clear();
        }
        self.with_session(at, |session| session.refuse(request, refusal));
    }

    fn status_elsewhere(
        &mut self,
        (at, key): (ConnIndex, RequestKey),
        (asker, request): (ConnIndex, RequestKey),
        again: Again<(TrackName, Params)>,
        uri: &str,
        now: Time,
    ) {
        self.give_up(at, key, now);
        let name = match again {
            Again::Once(asked) => {
                let (track, params) = *asked;
                let name = track.clone();
                let role = Role::OurStatus { asker, request, again: Again::Over };
                if uri.is_empty() && self.request(at, Request::TrackStatus { track, params }, role, now).is_some() {
                    return;
                }
                name
            }
            Again::Over | Again::Answered => TrackName::default(),
        };
        self.refuse_onward(asker, request, sent_away(uri, name));
    }

    pub(crate) fn give_up(&mut self, at: ConnIndex, key: RequestKey, now: Time) {
        self.drop_joins(at, Some(key), now);
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.remove(&key);
        }
        self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
    }

    fn subscribe_elsewhere(&mut self, (id, at, key): (TrackId, ConnIndex, RequestKey), uri: &str, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        match (track.place, track.source) {
            (_, Source::Remote(from, by) | Source::Asked(from, by)) if (from, by) != (at, key) => {}
            (Place::Link(_), _) if uri.is_empty() => {
                self.give_up(at, key, now);
                self.ask_again(id, at, now);
            }
            (Place::Link(_), _) => {
                let refusal = elsewhere(uri, track.name.clone());
                self.give_up(at, key, now);
                self.exact_ended(id, Reason::Redirected, &refusal, now);
            }
            // A relay that still seeks waits for the answer, and what is sent elsewhere for its end.
            (Place::Node, Source::Remote(..)) if uri.is_empty() => {
                self.give_up(at, key, now);
                self.drop_groups(id, at);
                self.ask_upstream_again(id, at, now);
            }
            (Place::Node, _) => {}
        }
    }

    fn watch_elsewhere(
        &mut self,
        (link, at, key): (LinkId, ConnIndex, RequestKey),
        prefix: &Namespace,
        uri: &str,
        now: Time,
    ) {
        let place = Place::Link(link);
        if let Some(link) = self.links.get_mut(&link) {
            link.watches.retain(|watch| watch.key != key);
        }
        self.give_up(at, key, now);
        if uri.is_empty() {
            return self.ask_uplink(place, now);
        }
        self.end_below(place, prefix, Reason::Redirected, &elsewhere(uri, TrackName::default()));
    }

    fn publish_elsewhere(
        &mut self,
        (id, at, key): (TrackId, ConnIndex, RequestKey),
        link: LinkId,
        uri: &str,
        now: Time,
    ) {
        let Some(track) = self.tracks.get(&id) else { return };
        let (Source::Local(publication), Some(sink)) = (track.source, track.sink(at, key)) else { return };
        let (asked, accepted, name) = (sink.asked, sink.accepted, track.name.clone());
        if asked || (uri.is_empty() && !accepted) {
            // The relay's own SUBSCRIBE, or a PUBLISH that has no answer yet.
            return;
        }
        if !uri.is_empty() {
            return self.publication_refused(id, Reason::Redirected, &elsewhere(uri, name), now);
        }
        self.end_sink(id, at, key, codes::publish_done::GOING_AWAY, "it is published again");
        if let Some(link) = self.links.get_mut(&link) {
            link.asked_again = now;
        }
        self.retry(link, Retry::Publish(publication), now);
    }
}
