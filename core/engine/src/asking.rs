//! What a link's side asks of its relay: prefixes to watch, tracks by name, and what to give up again.
//!
//! A session keeps one SUBSCRIBE_TRACKS a disjoint prefix (a second, overlapping one is an error in the draft), however
//! many local subscriptions share it; tracks that were offered before anyone here wanted them are asked for by name.
//!
//! Where all of a prefix's subscriptions name capabilities, the relay sends the tracks of these alone: by a filter of track
//! properties where it grants one (from draft -20 on), changed by REQUEST_UPDATE as subscriptions come and go; otherwise
//! tracks are offered without objects (FORWARD=0), and each is taken or refused after a look at its properties.

use std::collections::BTreeSet;

use cc_session::{Refusal, Request, RequestKey};
use cc_wire::{codes, property, Namespace, Params, Profile, Range, RangeFilter, RangeKind, RangeRule};

use crate::api::{Event, Place, Reason, SubscriptionId, Time, TrackId, TrackKind};
use crate::close;
use crate::conn::{ConnIndex, Role, Side};
use crate::link::{Retry, Watch, Wish, OVERLAPS_MAX, RETURN_TIME};
use crate::track::Source;
use crate::Engine;

/// How often a relay makes the same SUBSCRIBE again to a publisher that has not heard that the one before is over.
const ASK_AGAIN_MAX: u8 = 3;

impl Engine {
    /// Makes sure that the relay was asked for all that local subscriptions want.
    pub(crate) fn ask_uplink(&mut self, place: Place, now: Time) {
        let (Some(at), Place::Link(id)) = (self.uplink(place), place) else { return };
        for prefix in self.local_prefixes(place) {
            let Some(link) = self.links.get_mut(&id) else { return };
            if link.watches.iter().any(|watch| prefix.starts_with(&watch.prefix)) {
                self.watch_answered_if_up(place, &prefix);
                continue;
            }
            // A wider prefix takes the place of those within it: overlapping ones are an error in the draft.
            let (mut inside, rest): (Vec<_>, Vec<_>) =
                link.watches.drain(..).partition(|watch| watch.prefix.starts_with(&prefix));
            link.watches = rest;
            if let (1, Some(mut watch)) = (inside.len(), inside.first().cloned()) {
                watch.prefix.clone_from(&prefix);
                let key = watch.key;
                link.watches.push(watch);
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.roles.insert(key, Role::OurTrackWatch(prefix.clone()));
                }
                let params = Params { namespace_prefix: Some(prefix), ..Params::default() };
                self.with_session(at, |session| session.update(key, params));
                continue;
            }
            for Watch { key, .. } in inside.drain(..) {
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.roles.remove(&key);
                }
                self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
            }
            let wish = self.wish(place, at, &prefix);
            let request = Request::SubscribeTracks { prefix: prefix.clone(), params: wish.first() };
            if let Some(key) = self.request(at, request, Role::OurTrackWatch(prefix.clone()), now) {
                if let Some(link) = self.links.get_mut(&id) {
                    link.watches.push(Watch { prefix, key, wish, updating: false });
                }
            }
        }
        self.refine_watches(place);
        let wanted: Vec<SubscriptionId> =
            self.subscriptions.iter().filter(|(_, s)| s.place == place).map(|(id, _)| *id).collect();
        for subscription in wanted {
            self.ask_exact(subscription, at, now);
        }
        self.ask_declined(place, at, now);
    }

    /// What the local subscriptions want of the tracks below a prefix.
    fn wish(&self, place: Place, at: ConnIndex, prefix: &Namespace) -> Wish {
        let mut hashes = BTreeSet::new();
        for subscription in self.subscriptions.values().filter(|s| s.place == place && s.config.name.is_none()) {
            let config = &subscription.config;
            if !config.namespace.starts_with(prefix) {
                continue;
            }
            if config.capability.is_empty() {
                return Wish::All;
            }
            hashes.insert(cc_wire::capability_hash(&String::from_utf8_lossy(&config.capability)));
        }
        let Some(conn) = self.conns.get(at) else { return Wish::All };
        let peer = conn.session.as_ref().and_then(|session| session.peer());
        match peer.map_or(0, |peer| peer.max_filter_ranges) {
            granted if conn.profile >= Profile::D20 && hashes.len() as u64 <= granted => {
                Wish::Hashes(hashes.into_iter().collect())
            }
            _ => Wish::Look,
        }
    }

    /// Changes what the relay was asked for where the local subscriptions' wishes have changed. One update of a watch is
    /// under way at a time; its answer brings the next.
    pub(crate) fn refine_watches(&mut self, place: Place) {
        let (Some(at), Place::Link(id)) = (self.uplink(place), place) else { return };
        let watches = self.links.get(&id).map(|link| link.watches.clone()).unwrap_or_default();
        for (index, watch) in watches.into_iter().enumerate().filter(|(_, watch)| !watch.updating) {
            let wish = self.wish(place, at, &watch.prefix);
            if wish == watch.wish {
                continue;
            }
            let params = wish.change(&watch.wish);
            let Some(conn) = self.conns.get_mut(at) else { return };
            let sent = conn.session.as_mut().is_some_and(|session| session.update(watch.key, params).is_ok());
            self.ready.want_service(at, conn);
            if let (true, Some(link)) = (sent, self.links.get_mut(&id)) {
                link.watches[index] = Watch { wish, updating: true, ..watch };
            }
        }
    }

    /// The relay took an update of a watch.
    pub(crate) fn watch_changed(&mut self, at: ConnIndex, key: RequestKey, prefix: &Namespace, now: Time) {
        self.watch_answered(at, prefix, None, now);
        let Some(Side::Link(id)) = self.conns.get(at).map(|conn| conn.side) else { return };
        if let Some(link) = self.links.get_mut(&id) {
            link.watches.iter_mut().filter(|watch| watch.key == key).for_each(|watch| watch.updating = false);
        }
        self.refine_watches(Place::Link(id));
    }

    /// SUBSCRIBE by name, unless the track is there or asked for.
    pub(crate) fn ask_exact(&mut self, id: SubscriptionId, at: ConnIndex, now: Time) {
        let Some(subscription) = self.subscriptions.get(&id) else { return };
        let Some(request) = Engine::exact_request(&subscription.config) else { return };
        self.ask_by_name(subscription.place, at, request, now);
    }

    fn ask_by_name(&mut self, place: Place, at: ConnIndex, request: Request, now: Time) {
        let Request::Subscribe { track: name, .. } = &request else { return };
        let name = name.clone();
        let found = self.domains.get(&place).and_then(|domain| domain.find(&name));
        match found.and_then(|id| self.tracks.get(&id)).map(|track| track.source) {
            None => {
                let id = self.new_track(
                    place,
                    name,
                    bytes::Bytes::new(),
                    cc_wire::Properties::default(),
                    Source::Lost(now),
                    String::new(),
                );
                self.ask_for(id, at, request, now);
            }
            // A track that still comes over a session that is left is asked for on the new one.
            Some(Source::Remote(from, _)) if from != at => {
                if let Some(id) = found {
                    self.ask_for(id, at, request, now);
                }
            }
            Some(Source::Lost(_)) => {
                if let Some(id) = found {
                    self.ask_for(id, at, request, now);
                }
            }
            Some(_) => {}
        }
    }

    /// Whether local subscriptions of a link read a Text track.
    pub(crate) fn reads_text(&self, id: TrackId) -> bool {
        self.tracks.get(&id).is_some_and(|track| {
            let text = track.traits.kind == TrackKind::Text as u8;
            text && matches!(track.place, Place::Link(_)) && !track.locals.is_empty() && !track.nameless
        })
    }

    /// The relay gave up on us as a reader: the track is asked for anew, and what was missed is fetched.
    pub(crate) fn ask_again(&mut self, id: TrackId, at: ConnIndex, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.source = Source::Lost(now);
        track.groups.clear();
        for local in &mut track.locals {
            local.lost_at.get_or_insert(now);
            local.order.hurry();
        }
        let (name, place) = (track.name.clone(), track.place);
        let params = Params { forward: Some(true), ..Params::default() };
        // As whoever asked for it by name did.
        let named = self.subscriptions.values().filter(|s| s.place == place && s.names(&name));
        let request = named.filter_map(|s| Engine::exact_request(&s.config)).next();
        self.ask_by_name(place, at, request.unwrap_or(Request::Subscribe { track: name, params }), now);
    }

    fn ask_for(&mut self, id: TrackId, at: ConnIndex, request: Request, now: Time) {
        if let Some(key) = self.request(at, request, Role::OurSubscribe(id), now) {
            if let Some(track) = self.tracks.get_mut(&id) {
                track.source = Source::Asked(at, key);
            }
        }
    }

    /// Tracks that were offered before anyone here wanted them.
    fn ask_declined(&mut self, place: Place, at: ConnIndex, now: Time) {
        let Some(domain) = self.domains.get_mut(&place) else { return };
        let names: Vec<_> = std::mem::take(&mut domain.declined).into();
        for name in names {
            let prefix_wanted = self.subscriptions.values().any(|s| {
                s.place == place && s.config.name.is_none() && name.namespace.starts_with(&s.config.namespace)
            });
            if prefix_wanted {
                let params = Params { forward: Some(true), ..Params::default() };
                self.ask_by_name(place, at, Request::Subscribe { track: name, params }, now);
            }
        }
    }

    fn watch_answered_if_up(&mut self, place: Place, prefix: &Namespace) {
        let told: Vec<SubscriptionId> = self
            .subscriptions
            .iter()
            .filter(|(_, s)| s.place == place && s.config.name.is_none() && s.config.namespace.starts_with(prefix))
            .map(|(id, _)| *id)
            .collect();
        told.into_iter().for_each(|id| self.subscribed(id));
    }

    /// The relay answered SUBSCRIBE_TRACKS.
    pub(crate) fn watch_answered(&mut self, at: ConnIndex, prefix: &Namespace, refused: Option<&Refusal>, now: Time) {
        let Some(Side::Link(id)) = self.conns.get(at).map(|conn| conn.side) else { return };
        let place = Place::Link(id);
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(refusal) = refused else {
            link.overlaps = 0;
            return self.watch_answered_if_up(place, prefix);
        };
        link.watches.retain(|watch| watch.prefix != *prefix);
        if refusal.code == codes::request_error::PREFIX_OVERLAP && link.overlaps < OVERLAPS_MAX {
            // What we took back and what we asked for instead travel on streams of their own.
            link.overlaps += 1;
            return self.retry(id, Retry::Watch, now);
        }
        let reason = close::reason_of_request_error(refusal.code);
        for subscription in self.subscriptions_below(place, prefix) {
            self.refuse_subscription(subscription, reason, refusal);
        }
    }

    /// The relay ended, or never answered, what was to bring all tracks below a prefix: whoever reads there is told.
    pub(crate) fn watch_cut(&mut self, at: ConnIndex, key: RequestKey, reason: Reason, text: &str) {
        let Some(conn) = self.conns.get(at) else { return };
        let what = match (conn.roles.get(&key), conn.side) {
            (Some(Role::OurTrackWatch(prefix)), Side::Link(id)) => {
                let (place, prefix) = (Place::Link(id), prefix.clone());
                if let Some(link) = self.links.get_mut(&id) {
                    link.watches.retain(|watch| watch.key != key);
                }
                let reason = if reason == Reason::TrackEnded { Reason::Peer } else { reason };
                return self.end_below(place, &prefix, reason, &Refusal::new(0, text));
            }
            (Some(Role::UplinkTracks), _) => "tracks",
            (Some(Role::UplinkNames), _) => "namespaces",
            _ => return,
        };
        self.uplink_silent(what, text);
    }

    /// Ends the subscriptions of a link to what is below a prefix, with what came by them.
    pub(crate) fn end_below(&mut self, place: Place, prefix: &Namespace, reason: Reason, refusal: &Refusal) {
        for subscription in self.subscriptions_below(place, prefix) {
            let Refusal { reason: text, redirect, .. } = refusal.clone();
            self.unsubscribe(subscription);
            self.events.push_back(Event::SubscribeRefused { subscription, reason, text, redirect });
        }
    }

    /// The subscriptions of a link to all below a prefix, or to a part of that.
    fn subscriptions_below(&self, place: Place, prefix: &Namespace) -> Vec<SubscriptionId> {
        self.subscriptions
            .iter()
            .filter(|(_, s)| s.place == place && s.config.name.is_none() && s.config.namespace.starts_with(prefix))
            .map(|(id, _)| *id)
            .collect()
    }

    fn refuse_subscription(&mut self, id: SubscriptionId, reason: Reason, refusal: &Refusal) {
        if let Some(subscription) = self.subscriptions.remove(&id) {
            if let Some(domain) = self.domains.get_mut(&subscription.place) {
                domain.unwatch(crate::domain::Party::Local(id));
            }
            let (text, redirect) = (refusal.reason.clone(), refusal.redirect.clone());
            self.events.push_back(Event::SubscribeRefused { subscription: id, reason, text, redirect });
        }
    }

    /// A track asked for by name is there.
    pub(crate) fn exact_answered(&mut self, id: TrackId) {
        let Some(place) = self.tracks.get(&id).map(|track| track.place) else { return };
        let all: Vec<SubscriptionId> =
            self.subscriptions.iter().filter(|(_, s)| s.place == place).map(|(id, _)| *id).collect();
        for subscription in all {
            self.attach_local(id, subscription);
        }
        let Some(track) = self.tracks.get(&id) else { return };
        let answered: Vec<SubscriptionId> = track.locals.iter().map(|local| local.subscription).collect();
        if track.locals.is_empty() && track.sinks.is_empty() {
            self.drop_unwanted(id);
        }
        answered.into_iter().for_each(|subscription| self.subscribed(subscription));
    }

    /// A track asked for by name is not to be had, or has ended.
    pub(crate) fn exact_ended(&mut self, id: TrackId, reason: Reason, refusal: &Refusal, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Place::Link(link) = track.place else {
            return match track.source {
                Source::Asked(..) if self.seeking.contains_key(&id) => self.seek_refused(id, refusal.clone(), now),
                Source::Remote(at, key) => self.source_ended(id, at, key, reason, now),
                // What we gave up may still be on its way out there; its end has a round trip less to go than this answer.
                Source::Asked(at, _) if reason == Reason::Duplicate && track.asked_again < ASK_AGAIN_MAX => {
                    track.asked_again += 1;
                    self.ask_upstream_again(id, at, now);
                }
                _ => self.end_track(id, close::PUBLISHER_LOST, Reason::PublisherLost),
            };
        };
        let name = track.name.clone();
        let asked = matches!(track.source, Source::Asked(..));
        let interested: Vec<(SubscriptionId, bool)> = self
            .subscriptions
            .iter()
            .filter(|(_, s)| s.place == Place::Link(link) && s.names(&name))
            .map(|(id, s)| (*id, s.told_ok))
            .collect();
        let recent = self.links.get(&link).is_some_and(|l| now.saturating_sub(l.up_at) < RETURN_TIME);
        // The publisher may not be back yet.
        let returning = reason == Reason::DoesNotExist && recent && interested.iter().any(|(_, told)| *told);
        // What we gave up may still be on its way out at the relay.
        let leaving = matches!(reason, Reason::Duplicate | Reason::Uninterested) && asked;
        let again = returning || (leaving && self.links.get(&link).is_some_and(|l| l.overlaps < OVERLAPS_MAX));
        if again {
            if let Some(track) = self.tracks.get_mut(&id) {
                track.source = Source::Lost(now);
            }
            if let Some(link) = self.links.get_mut(&link) {
                link.overlaps += u32::from(leaving);
            }
            if let (true, Some(domain)) = (interested.is_empty(), self.domains.get_mut(&Place::Link(link))) {
                // It is of a prefix's readers, who ask for what they were offered before.
                domain.decline(name);
                self.retry(link, Retry::Watch, now);
            }
            for (subscription, _) in interested {
                self.retry(link, Retry::Subscribe(subscription), now);
            }
            return;
        }
        self.end_track(id, codes::publish_done::TRACK_ENDED, reason);
        for (subscription, _) in interested {
            self.refuse_subscription(subscription, reason, refusal);
        }
    }

    /// Gives up a track that nobody here wants any more.
    pub(crate) fn drop_unwanted(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else { return };
        let (Source::Remote(at, key) | Source::Asked(at, key)) = track.source else { return };
        let ours = matches!(self.conns.get(at).and_then(|conn| conn.roles.get(&key)), Some(Role::OurSubscribe(_)));
        let place = track.place;
        if place == Place::Node && !ours {
            return;
        }
        let name = track.name.clone();
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.remove(&key);
        }
        self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        self.end_track(id, codes::publish_done::SUBSCRIPTION_ENDED, Reason::Local);
        if let (Place::Link(_), Some(domain)) = (place, self.domains.get_mut(&place)) {
            domain.decline(name);
        }
    }

    /// Takes back watches that no local subscription needs.
    pub(crate) fn narrow_uplink(&mut self, place: Place) {
        let Place::Link(id) = place else { return };
        let needed = self.local_prefixes(place);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (kept, gone): (Vec<_>, Vec<_>) =
            link.watches.drain(..).partition(|watch| needed.iter().any(|prefix| prefix.starts_with(&watch.prefix)));
        link.watches = kept;
        let Some(at) = link.conn else { return };
        for Watch { key, .. } in gone {
            if let Some(conn) = self.conns.get_mut(at) {
                conn.roles.remove(&key);
            }
            self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
        self.refine_watches(place);
    }

    /// The relay took a publication's track.
    pub(crate) fn publication_accepted(&mut self, id: TrackId) {
        let Some(Source::Local(publication)) = self.tracks.get(&id).map(|track| track.source) else { return };
        let Some(found) = self.publications.get_mut(&publication) else { return };
        if !std::mem::replace(&mut found.told_ok, true) {
            self.events.push_back(Event::PublishOk { publication });
        }
    }

    /// A session no longer takes a publication's track. For a link's that is the end of it, unless it comes of a relay
    /// that has not yet forgotten our last session, or request.
    pub(crate) fn publication_refused(&mut self, id: TrackId, reason: Reason, refusal: &Refusal, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        let (Source::Local(publication), Place::Link(link)) = (track.source, track.place) else { return };
        let Some(found) = self.publications.get(&publication) else { return };
        let recent = self
            .links
            .get(&link)
            .is_some_and(|link| now.saturating_sub(link.up_at.max(link.asked_again)) < RETURN_TIME);
        if found.told_ok && recent && matches!(reason, Reason::Duplicate | Reason::Uninterested | Reason::ExcessiveLoad)
        {
            return self.retry(link, Retry::Publish(publication), now);
        }
        let (text, redirect) = (refusal.reason.clone(), refusal.redirect.clone());
        self.events.push_back(Event::PublishRefused { publication, reason, text, redirect });
        self.unpublish(publication, now);
    }
}

impl Wish {
    fn filter(&self) -> Option<RangeFilter> {
        let Wish::Hashes(hashes) = self else { return None };
        let ranges = hashes.iter().map(|hash| Range { start: *hash, end: Some(*hash) }).collect();
        let rule = RangeRule::Keep { set: 0, property: Some(property::CAPABILITY_HASH), ranges };
        Some(RangeFilter { kind: RangeKind::TrackProperty, rule })
    }

    /// As SUBSCRIBE_TRACKS has it.
    fn first(&self) -> Params {
        let forward = Some(*self != Wish::Look);
        Params { forward, range_filters: self.filter().into_iter().collect(), ..Params::default() }
    }

    /// As the REQUEST_UPDATE has it that comes after `before`.
    fn change(&self, before: &Wish) -> Params {
        let mut params = self.first();
        if let (None, Wish::Hashes(_)) = (self.filter(), before) {
            params.range_filters.push(RangeFilter { kind: RangeKind::TrackProperty, rule: RangeRule::Remove });
        }
        params
    }
}
