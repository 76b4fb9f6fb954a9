//! Bringing tracks and those who want them together: offers, announcements, demand.

use std::sync::atomic::Ordering;

use cc_fanout::directory::Coverage;
use cc_session::{CommandError, Request, RequestKey};
use cc_wire::{codes, Namespace, Params, Profile};

use crate::api::{Event, Place, Time, TrackId};
use crate::conn::{ConnIndex, Role};
use crate::domain::Party;
use crate::limits::Limit;
use crate::selection::Selection;
use crate::sinks::told_properties;
use crate::track::Source;
use crate::Engine;

/// A PUBLISH that nobody asked for: objects wait until they are.
pub(crate) fn unasked() -> Params {
    Params { forward: Some(false), ..Params::default() }
}
/// Tracks that one watch was told to be skipped, beyond which those that have ended are looked for.
const SKIPPED_MAX: usize = 1024;

impl Engine {
    /// Makes a request of a session; none if it takes no more. Its stream is opened with the next service.
    pub(crate) fn request(&mut self, at: ConnIndex, request: Request, role: Role, now: Time) -> Option<RequestKey> {
        let conn = self.conns.get_mut(at)?;
        let key = conn.session.as_mut()?.request(request, now).ok()?;
        conn.roles.insert(key, role);
        self.ready.want_service(at, conn);
        Some(key)
    }

    /// Gives a new track to all who watch for it.
    pub(crate) fn attach_watchers(&mut self, id: TrackId, now: Time) {
        let Some(place) = self.tracks.get(&id).map(|track| track.place) else { return };
        let watchers = self.domains.get(&place).map(|domain| domain.watchers(id)).unwrap_or_default();
        for watcher in watchers {
            match watcher {
                Party::Local(subscription) => self.attach_local(id, subscription),
                Party::Remote(at, key) => self.offer_to_watch(id, at, key, now),
                Party::Track(_) => {}
            }
        }
        if place == Place::Node {
            for at in self.uplinks() {
                self.offer(id, at, None, &unasked(), now);
            }
        }
        let exact: Vec<_> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.place == place && subscription.config.name.is_some())
            .map(|(id, _)| *id)
            .collect();
        for subscription in exact {
            self.attach_local(id, subscription);
        }
        self.demand_changed(id);
    }

    /// The same to one session, by the watch of this request.
    pub(crate) fn offer_to_watch(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, now: Time) {
        let role = self.conns.get(at).and_then(|conn| conn.roles.get(&key));
        if let Some(Role::TrackWatch { params, .. }) = role {
            let params = params.clone();
            self.offer(id, at, Some(key), &params, now);
        }
    }

    /// PUBLISH of a track to a session that watches for it, by its request `watch`, or to the relay of a link. The
    /// subscription begins as the watch's parameters have it; without FORWARD objects wait until they are asked for.
    pub(crate) fn offer(&mut self, id: TrackId, at: ConnIndex, watch: Option<RequestKey>, asked: &Params, now: Time) {
        let (Some(track), Some(conn)) = (self.tracks.get(&id), self.conns.get(at)) else { return };
        // To a sibling messages go at once, until it says that nobody wants them there: so that those who watched before
        // the track began get all of them, as on one shard.
        let at_once = Params::default();
        let asked = if self.is_sibling(at) && track.is_text() { &at_once } else { asked };
        let has = track.sinks.iter().any(|sink| sink.conn == at);
        let from_there = matches!(track.source, Source::Remote(conn, _) | Source::Asked(conn, _) if conn == at);
        let unknown = matches!(track.source, Source::Asked(..) | Source::Sought);
        if has || from_there || unknown || self.is_name_leaving(at, &track.name) {
            return;
        }
        let to_relay = track.place == Place::Node && (conn.uplink || self.relay_peer(at).is_some());
        if to_relay && (track.by_name || !self.may_go(at, &track.hops)) {
            return;
        }
        let role = watch.and_then(|watch| conn.roles.get(&watch));
        if matches!(role, Some(Role::TrackWatch { skipped, .. }) if skipped.contains(&id)) {
            return;
        }
        if let Some(stamp) = watch.map_or(conn.stamp.as_deref(), |watch| conn.stamp_for(watch)) {
            if !stamp.subscribe.allows_track(&track.name) {
                return;
            }
            if !stamp.capabilities.is_empty() && !stamp.capabilities.contains(&track.capability) {
                return;
            }
        }
        if Selection::new(asked, &track.properties, track.largest).is_none() {
            return;
        }
        let later = conn.profile >= Profile::D20;
        let params = Params {
            forward: asked.forward.filter(|forward| !forward),
            largest: track.largest,
            filter: asked.filter.filter(|_| later),
            group_order: asked.group_order.filter(|_| later),
            hops: self.hops_onward(at, &track.hops),
            publisher: self.told_publisher(at, &track.publisher),
            tokens: match track.source {
                Source::Local(id) if conn.is_dialled() => {
                    crate::tokens::by_value(self.publications.get(&id).and_then(|p| p.config.token.as_ref()))
                }
                _ => Vec::new(),
            },
            ..Params::default()
        };
        let request = Request::Publish {
            track: track.name.clone(),
            alias: track.alias(),
            params,
            properties: told_properties(asked, track.properties.clone()),
        };
        let name = track.name.clone();
        let full = conn.sinks.len() >= self.config.limits.subscriptions_per_session && !self.is_sibling(at);
        if full {
            self.refused.met(Limit::SubscriptionsPerSession);
        }
        let request = if full { None } else { self.request(at, request, Role::Sink(id), now) };
        let Some(key) = request else {
            self.warn(|| format!("{name} is not offered to connection {at}: too many of its requests are open"));
            let watched = watch.and_then(|watch| match self.conns.get(at)?.roles.get(&watch)? {
                Role::TrackWatch { prefix, .. } => Some((watch, name.namespace.suffix_after(prefix)?)),
                _ => None,
            });
            if let Some((watch, suffix)) = watched {
                self.with_session(at, |session| session.blocked(watch, suffix, name.name));
                let role = self.conns.get_mut(at).and_then(|conn| conn.roles.get_mut(&watch));
                if let Some(Role::TrackWatch { skipped, .. }) = role {
                    // Ids of tracks that have ended are dropped now and then: they do not come again.
                    if skipped.len() >= SKIPPED_MAX {
                        skipped.retain(|id| self.tracks.contains_key(id));
                    }
                    skipped.insert(id);
                }
            }
            return;
        };
        self.add_sink(id, at, key, asked, false);
    }

    /// A session announced a namespace: those who watch for it are told.
    pub(crate) fn announce(&mut self, place: Place, namespace: &Namespace, party: Party, now: Time) {
        let told = self.domains.get_mut(&place).map(|d| d.announce(namespace, party)).unwrap_or_default();
        self.tell(&told, namespace, true);
        if place == Place::Node {
            self.sync_announcements(namespace, now);
        }
    }

    pub(crate) fn unannounce(&mut self, place: Place, namespace: &Namespace, party: Party, now: Time) {
        let told = self.domains.get_mut(&place).map(|d| d.withdraw(namespace, party)).unwrap_or_default();
        self.tell(&told, namespace, false);
        if place == Place::Node {
            self.sync_announcements(namespace, now);
        }
    }

    /// Tells watchers that a namespace is there, or no more.
    pub(crate) fn tell(&mut self, watchers: &[(ConnIndex, RequestKey)], namespace: &Namespace, there: bool) {
        for (at, key) in watchers.iter().copied() {
            self.tell_one(at, key, namespace, there);
        }
    }

    fn tell_one(&mut self, at: ConnIndex, key: RequestKey, namespace: &Namespace, there: bool) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let Some(Role::NamespaceWatch { prefix, scope }) = conn.roles.get(&key) else { return };
        if scope.as_ref().is_some_and(|scope| scope.allows_prefix(namespace) == Coverage::None) {
            return;
        }
        let (Some(suffix), Some(session)) = (namespace.suffix_after(prefix), conn.session.as_mut()) else { return };
        let told = if there { session.namespace(key, suffix) } else { session.namespace_done(key, suffix) };
        if let Err(CommandError::Limit(_)) = told {
            // A peer that does not read would miss this one: the draft lets the request end instead.
            let _ = session.cancel(key, codes::stream_reset::EXCESSIVE_LOAD);
            let role = conn.roles.remove(&key);
            let domain = self.place_of(at).and_then(|place| self.domains.get_mut(&place));
            if let (Some(Role::NamespaceWatch { prefix, .. }), Some(domain)) = (role, domain) {
                domain.unwatch_namespaces(&prefix, Party::Remote(at, key));
            }
        }
        self.touch(at);
    }

    /// A session watches for namespaces: those that are there are told at once.
    pub(crate) fn watch_namespaces(&mut self, place: Place, at: ConnIndex, key: RequestKey, prefix: &Namespace) {
        let Some(domain) = self.domains.get_mut(&place) else { return };
        domain.watch_namespaces(prefix, Party::Remote(at, key));
        for namespace in domain.namespaces(prefix) {
            self.tell_one(at, key, &namespace, true);
        }
    }

    /// Who wants a track's objects has changed: its publication is told, or an upstream subscription given up.
    pub(crate) fn demand_changed(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else { return };
        match track.source {
            Source::Local(publication) => {
                let wanting = track.sinks.iter().filter(|sink| sink.forward).count() + track.locals.len();
                let Some(found) = self.publications.get_mut(&publication) else { return };
                let subscribers = wanting as u32;
                found.shared.subscribers.store(subscribers, Ordering::Release);
                let before = std::mem::replace(&mut found.demand, subscribers);
                found.shared.connected.store(track.place == Place::Node || !track.sinks.is_empty(), Ordering::Release);
                if before != subscribers {
                    self.events.push_back(Event::PublishDemand { publication, subscribers });
                }
            }
            Source::Remote(at, key) => {
                let ours = match self.conns.get(at).and_then(|conn| conn.roles.get(&key)) {
                    Some(Role::Source(_)) => false,
                    Some(Role::OurSubscribe(_)) => true,
                    // Not answered yet.
                    _ => return,
                };
                let wanted = track.wanted();
                if ours && track.sinks.is_empty() && track.locals.is_empty() {
                    return self.drop_unwanted(id);
                }
                if !ours && wanted != track.forwarding {
                    let params = Params { forward: Some(wanted), ..Params::default() };
                    let Some(conn) = self.conns.get_mut(at) else { return };
                    let told = conn.session.as_mut().map(|session| session.update(key, params));
                    self.ready.want_service(at, conn);
                    // With too many updates unanswered, the next answer brings us back here.
                    if let (false, Some(track)) =
                        (matches!(told, Some(Err(CommandError::Limit(_)))), self.tracks.get_mut(&id))
                    {
                        track.forwarding = wanted;
                    }
                }
            }
            Source::Asked(..) | Source::Sought => self.seek_unwanted(id),
            Source::Lost(_) => {}
        }
    }
}
