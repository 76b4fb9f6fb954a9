//! Prefixes that a session's peer watches for tracks or namespaces, and namespaces that it announces.

use std::collections::BTreeSet;

use bytes::Bytes;
use cc_fanout::directory::{overlaps, Coverage, Scope};
use cc_session::{Refusal, RequestKey};
use cc_wire::{codes, Namespace, Params};

use crate::api::{Place, Time, TrackId};
use crate::conn::{ConnIndex, Role};
use crate::domain::Party;
use crate::limits::Limit;
use crate::requests::{ok, unauthorized, Refused};
use crate::selection::{check, Selection};
use crate::Engine;

/// What a prefix is watched for. The drafts let the two kinds overlap, each kind not with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tracks,
    Namespaces,
}

fn watched(role: &Role) -> Option<(Kind, &Namespace)> {
    match role {
        Role::TrackWatch { prefix, .. } => Some((Kind::Tracks, prefix)),
        Role::NamespaceWatch { prefix, .. } => Some((Kind::Namespaces, prefix)),
        _ => None,
    }
}

impl Engine {
    /// Whether a session may watch a prefix: some of it has to be granted, and none of it watched already.
    fn may_watch(&self, at: ConnIndex, key: RequestKey, kind: Kind, prefix: &Namespace) -> Refused {
        let Some(conn) = self.conns.get(at) else { return Ok(()) };
        let granted = conn.stamp_for(key).map_or(Coverage::Whole, |stamp| stamp.subscribe.allows_prefix(prefix));
        if granted == Coverage::None {
            return Err(unauthorized(&format!("subscribe below {prefix}")));
        }
        let overlap = conn
            .roles
            .values()
            .filter_map(watched)
            .any(|(other_kind, other)| other_kind == kind && overlaps(other, prefix));
        if overlap {
            return Err(Refusal::new(codes::request_error::PREFIX_OVERLAP, format!("{prefix} overlaps another watch")));
        }
        Ok(())
    }

    fn watches_of(&self, at: ConnIndex) -> usize {
        self.conns.get(at).map_or(0, |conn| conn.roles.values().filter_map(watched).count())
    }

    /// SUBSCRIBE_TRACKS.
    pub(crate) fn asked_watch(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        prefix: Namespace,
        params: &Params,
        now: Time,
    ) -> Refused {
        self.may_watch(at, key, Kind::Tracks, &prefix)?;
        self.may_ask(at, params, true)?;
        self.within(Limit::Watches, self.watches_of(at), "this session watches too many prefixes")?;
        self.with_session(at, |session| session.accept(key, ok(Params::default())));
        // The token was for this request, and is no part of what it leads to.
        let params = Box::new(Params { tokens: Vec::new(), ..params.clone() });
        self.watch_tracks(at, key, Role::TrackWatch { prefix, params, skipped: BTreeSet::new() }, now);
        Ok(())
    }

    /// SUBSCRIBE_NAMESPACE.
    pub(crate) fn asked_namespaces(&mut self, at: ConnIndex, key: RequestKey, prefix: Namespace) -> Refused {
        self.may_watch(at, key, Kind::Namespaces, &prefix)?;
        self.within(Limit::Watches, self.watches_of(at), "this session watches too many prefixes")?;
        self.with_session(at, |session| session.accept(key, ok(Params::default())));
        self.watch_names(at, key, prefix);
        Ok(())
    }

    /// PUBLISH_NAMESPACE.
    pub(crate) fn asked_announce(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        namespace: Namespace,
        params: &Params,
        now: Time,
    ) -> Refused {
        self.check_hops(params)?;
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get_mut(at)) else { return Ok(()) };
        let granted = conn.stamp_for(key).map_or(Coverage::Whole, |stamp| stamp.publish.allows_prefix(&namespace));
        if granted != Coverage::Whole {
            return Err(unauthorized(&format!("publish below {namespace}")));
        }
        let own = conn.roles.values().filter(|role| matches!(role, Role::Announced { .. })).count();
        if self.relay_peer(at).is_none() {
            self.within(Limit::NamespacesPerSession, own, "this session announces too many namespaces")?;
        }
        self.within(Limit::Namespaces, self.announced, "too many namespaces are announced")?;
        let Some(conn) = self.conns.get_mut(at) else { return Ok(()) };
        let hops = params.hops.clone().unwrap_or_default();
        conn.roles.insert(key, Role::Announced { namespace: namespace.clone(), hops });
        self.announced += 1;
        self.with_session(at, |session| session.accept(key, ok(Params::default())));
        self.announce(place, &namespace, Party::Remote(at, key), now);
        if place == Place::Node {
            self.seek_at(at, &namespace, now);
        }
        Ok(())
    }

    /// REQUEST_UPDATE of SUBSCRIBE_TRACKS: what later subscriptions begin with. Tracks that passed no filter of it and do
    /// now are offered; what is subscribed stays as it is.
    pub(crate) fn watch_updated(&mut self, at: ConnIndex, key: RequestKey, params: &Params, now: Time) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get(at)) else { return };
        let Some(Role::TrackWatch { prefix, params: before, skipped }) = conn.roles.get(&key).cloned() else { return };
        let mut after = before.clone();
        after.merge(params);
        after.tokens.clear();
        let granted = conn.granted_ranges(&self.config.limits);
        let refused = self.may_ask(at, params, true).and_then(|()| check(&after.range_filters, granted, true)).err();
        if let Some(refusal) = refused {
            if let (Some(domain), Some(conn)) = (self.domains.get_mut(&place), self.conns.get_mut(at)) {
                domain.unwatch(Party::Remote(at, key));
                conn.roles.remove(&key);
            }
            return self.with_session(at, |session| session.answer_update(key, Err(refusal)));
        }
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.insert(key, Role::TrackWatch { prefix, params: after.clone(), skipped });
        }
        self.with_session(at, |session| session.answer_update(key, Ok(Params::default())));
        let watched = self.domains.get(&place).map(|domain| domain.watched(Party::Remote(at, key)));
        let passed = |id: &TrackId| {
            let track = self.tracks.get(id);
            track.is_some_and(|t| Selection::new(&before, &t.properties, None).is_some())
        };
        let new: Vec<TrackId> = watched.unwrap_or_default().into_iter().filter(|id| !passed(id)).collect();
        for id in new {
            self.offer(id, at, Some(key), &after, now);
        }
    }

    /// REQUEST_UPDATE that moves a watch to another prefix. What is subscribed stays; a refused update ends the watch.
    pub(crate) fn moved(&mut self, at: ConnIndex, key: RequestKey, prefix: Namespace, params: &Params, now: Time) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get_mut(at)) else { return };
        // Without the watch itself, which its new prefix may overlap.
        let Some(role) = conn.roles.remove(&key) else { return };
        let Some((kind, old)) = watched(&role) else { return };
        let allowed =
            self.may_watch(at, key, kind, &prefix).and_then(|()| self.may_ask(at, params, kind == Kind::Tracks));
        if let Some(domain) = self.domains.get_mut(&place) {
            match kind {
                Kind::Tracks => domain.unwatch(Party::Remote(at, key)),
                Kind::Namespaces => domain.unwatch_namespaces(old, Party::Remote(at, key)),
            }
        }
        if let Err(refusal) = allowed {
            self.with_session(at, |session| session.answer_update(key, Err(refusal)));
            return self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
        self.with_session(at, |session| session.answer_update(key, Ok(Params::default())));
        match role {
            Role::TrackWatch { params: mut asked, skipped, .. } => {
                asked.merge(params);
                asked.namespace_prefix = None;
                self.watch_tracks(at, key, Role::TrackWatch { prefix, params: asked, skipped }, now);
            }
            _ => self.watch_names(at, key, prefix),
        }
    }

    /// Offers the tracks below a prefix, now and later.
    fn watch_tracks(&mut self, at: ConnIndex, key: RequestKey, role: Role, now: Time) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get_mut(at)) else { return };
        let Role::TrackWatch { prefix, params, .. } = &role else { return };
        let (prefix, params) = (prefix.clone(), params.clone());
        conn.roles.insert(key, role);
        let Some(domain) = self.domains.get_mut(&place) else { return };
        for id in domain.watch(Party::Remote(at, key), prefix, &Bytes::new()) {
            self.offer(id, at, Some(key), &params, now);
        }
    }

    /// Tells the namespaces below a prefix, now and later.
    fn watch_names(&mut self, at: ConnIndex, key: RequestKey, prefix: Namespace) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get_mut(at)) else { return };
        let scope = conn.stamp_for(key).map(|stamp| stamp.subscribe.clone());
        conn.roles.insert(key, Role::NamespaceWatch { prefix: prefix.clone(), scope });
        self.watch_namespaces(place, at, key, &prefix);
    }

    /// Offers what a watch of tracks is allowed under a new token.
    pub(crate) fn offer_watched(&mut self, at: ConnIndex, key: RequestKey, now: Time) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get(at)) else { return };
        let Some(Role::TrackWatch { prefix, params, .. }) = conn.roles.get(&key) else { return };
        let params = params.clone();
        let tracks = self.domains.get(&place).map(|domain| domain.tracks_under(prefix)).unwrap_or_default();
        for id in tracks {
            self.offer(id, at, Some(key), &params, now);
        }
    }

    /// A watch of namespaces goes on under a new token: what it no longer covers is taken back, what it covers besides
    /// is told.
    pub(crate) fn rescope_names(&mut self, at: ConnIndex, key: RequestKey, new: Scope) {
        let (Some(place), Some(conn)) = (self.place_of(at), self.conns.get(at)) else { return };
        let Some(Role::NamespaceWatch { prefix, scope }) = conn.roles.get(&key) else { return };
        let shows = |scope: &Scope, namespace: &Namespace| scope.allows_prefix(namespace) != Coverage::None;
        let all = self.domains.get(&place).map(|domain| domain.namespaces(prefix)).unwrap_or_default();
        let (told, untold): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|namespace| scope.as_ref().is_none_or(|old| shows(old, namespace)));
        for namespace in told.iter().filter(|namespace| !shows(&new, namespace)) {
            self.tell(&[(at, key)], namespace, false);
        }
        if let Some(Role::NamespaceWatch { scope, .. }) = self.conns.get_mut(at).and_then(|c| c.roles.get_mut(&key)) {
            *scope = Some(new.clone());
        }
        for namespace in untold.iter().filter(|namespace| shows(&new, namespace)) {
            self.tell(&[(at, key)], namespace, true);
        }
    }
}
