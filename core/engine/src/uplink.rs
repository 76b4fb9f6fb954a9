//! Relays that join relays: what is published or announced on one is known on all, and its objects travel once to each
//! relay that wants them.
//!
//! An uplink is a link whose session belongs to the relay's own domain. Over it the relay offers every track that it
//! knows (PUBLISH, with nothing forwarded until somebody wants it), asks for every track of the other side
//! (SUBSCRIBE_TRACKS of everything, likewise), and asks by name for what it does not know. Two relays of this kind give
//! each other their ids in SETUP, and then say of each track, namespace and request the relays it came through: what
//! came through a relay is not offered to it, and a request that comes back is refused, so loops of relays neither loop
//! nor deliver twice. Of several ways to one track the shortest is used; the others stand by.

use cc_session::{Refusal, Request, RequestKey};
use cc_wire::{codes, Namespace, Params, Profile, Properties};

use crate::api::{Event, LinkId, Place, Reason, Time, TrackId};
use crate::close;
use crate::conn::{ConnIndex, Role, Side, Stage};
use crate::domain::Party;
use crate::link::{Retry, State, OVERLAPS_MAX, RETURN_TIME};
use crate::offers::unasked;
use crate::requests::{ok, Refused};
use crate::track::{GroupKey, Source, Traits};
use crate::Engine;

/// Ways to a track that stand by at most.
const STANDBY_MAX: usize = 8;
/// How long tracks are kept while the relay above can't be reached.
const OUTAGE_TIME: Time = 60_000_000;
/// Requests and subscriptions at once with another relay.
const BETWEEN_RELAYS: usize = 16_384;

/// Another way to a track.
#[derive(Debug, Clone)]
pub(crate) struct Standby {
    pub(crate) conn: ConnIndex,
    pub(crate) request: RequestKey,
    pub(crate) hops: Vec<u64>,
    pub(crate) properties: Properties,
}

impl Engine {
    /// The id of the relay at the other end, if both ends are relays and said so.
    pub(crate) fn relay_peer(&self, at: ConnIndex) -> Option<u64> {
        let session = self.conns.get(at)?.session.as_ref()?;
        session.peer()?.relay_id.filter(|_| session.between_relays())
    }

    /// Connections of uplinks that are up: siblings that count as such, then links in their order.
    pub(crate) fn uplinks(&self) -> Vec<ConnIndex> {
        let up = self.links.values().filter(|link| link.config.uplink && link.state == State::Up);
        let siblings =
            self.siblings.above().filter(|at| self.conns.get(*at).is_some_and(|conn| conn.stage == Stage::Up));
        siblings.chain(up.filter_map(|link| link.conn)).collect()
    }

    /// Whether a connection speaks a draft after -18.
    pub(crate) fn speaks_later(&self, at: ConnIndex) -> bool {
        self.conns.get(at).is_some_and(|conn| conn.profile > Profile::D18)
    }

    /// The hop list for what goes on to a connection; none where the other end is no relay.
    pub(crate) fn hops_onward(&self, at: ConnIndex, hops: &[u64]) -> Option<Vec<u64>> {
        self.relay_peer(at)?;
        let mut onward = hops.to_vec();
        onward.push(self.relay_id);
        // Beyond the bound nothing is sent on: see `may_go`. A request that came so far is cut here, and ends there.
        onward.truncate(Params::MAX_HOPS);
        Some(onward)
    }

    /// Whether what came through these relays may go on to a connection.
    pub(crate) fn may_go(&self, at: ConnIndex, hops: &[u64]) -> bool {
        // Siblings all know each other.
        let passed_on = self.is_sibling(at) && hops.last().is_some_and(|last| self.siblings.is_relay(*last));
        !passed_on && self.relay_peer(at).is_none_or(|peer| !hops.contains(&peer) && hops.len() < Params::MAX_HOPS)
    }

    /// Refuses a request that has come through this relay before.
    pub(crate) fn check_hops(&self, params: &Params) -> Refused {
        let hops = params.hops.as_deref().unwrap_or_default();
        if hops.contains(&self.relay_id) || hops.len() >= Params::MAX_HOPS {
            let text = "the request has come through this relay already, or through too many";
            return Err(Refusal::new(codes::request_error::DOES_NOT_EXIST, text));
        }
        Ok(())
    }

    /// A session with another relay begins: it stands for all that are behind it.
    pub(crate) fn relay_joined(&mut self, at: ConnIndex, now: Time) {
        if self.relay_peer(at).is_none() {
            return;
        }
        if let Some(session) = self.conns.get_mut(at).and_then(|conn| conn.session.as_mut()) {
            session.widen(BETWEEN_RELAYS, BETWEEN_RELAYS);
        }
        let known = self.domains.get(&Place::Node).map(|domain| domain.announced()).unwrap_or_default();
        for namespace in known {
            self.sync_announcement(at, &namespace, now);
        }
    }

    /// The session of an uplink stands: everything is offered, and everything asked for.
    pub(crate) fn uplink_up(&mut self, at: ConnIndex, now: Time) {
        self.relay_joined(at, now);
        let all: Vec<TrackId> =
            self.tracks.values().filter(|track| track.place == Place::Node).map(|track| track.id).collect();
        for id in &all {
            self.offer(*id, at, None, &unasked(), now);
        }
        // Without hop lists namespaces are announced, and asked for, the draft's way.
        if self.relay_peer(at).is_none() {
            let known = self.domains.get(&Place::Node).map(|domain| domain.announced()).unwrap_or_default();
            for namespace in known {
                self.sync_announcement(at, &namespace, now);
            }
        }
        self.ask_above(at, now);
        // What was had by name is not offered, so it is asked for again.
        for id in all {
            let Some(track) = self.tracks.get(&id) else { continue };
            if matches!(track.source, Source::Lost(_)) && track.by_name {
                self.ask_upstream_again(id, at, now);
            }
        }
        self.seek_at(at, &Namespace::default(), now);
        self.seek_for_readers(now);
    }

    /// Asks a relay above for all its tracks and, where there are no hop lists, namespaces, unless it is asked already.
    pub(crate) fn ask_above(&mut self, at: ConnIndex, now: Time) {
        let Some(conn) = self.conns.get(at) else { return };
        let names = conn.roles.values().any(|role| matches!(role, Role::UplinkNames));
        let tracks = conn.roles.values().any(|role| matches!(role, Role::UplinkTracks));
        if !names && self.relay_peer(at).is_none() {
            let request = Request::SubscribeNamespace { prefix: Namespace::default(), params: Params::default() };
            self.request(at, request, Role::UplinkNames, now);
        }
        if !tracks {
            let params = Params { forward: Some(false), ..Params::default() };
            let request = Request::SubscribeTracks { prefix: Namespace::default(), params };
            self.request(at, request, Role::UplinkTracks, now);
        }
    }

    /// SUBSCRIBE of a track whose readers wait; one that the session has no room for ends it.
    pub(crate) fn ask_upstream_again(&mut self, id: TrackId, at: ConnIndex, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        let params = Params {
            subscriber_priority: Some(128),
            forward: Some(true),
            hops: self.hops_onward(at, &[]),
            ..Params::default()
        };
        let request = Request::Subscribe { track: track.name.clone(), params };
        let Some(key) = self.request(at, request, Role::OurSubscribe(id), now) else {
            return self.end_track(id, close::PUBLISHER_LOST, Reason::PublisherLost);
        };
        if let Some(track) = self.tracks.get_mut(&id) {
            track.source = Source::Asked(at, key);
        }
    }

    /// Looks for the tracks that the relay's own readers asked for by name and nobody here has.
    pub(crate) fn seek_for_readers(&mut self, now: Time) {
        let named = self.subscriptions.values().filter(|s| s.place == Place::Node);
        let names: Vec<_> = named
            .filter_map(|s| cc_wire::TrackName::new(s.config.namespace.clone(), s.config.name.clone()?).ok())
            .collect();
        for name in names {
            let known = self.domains.get(&Place::Node).is_some_and(|domain| domain.find(&name).is_some());
            if !known {
                if let Ok(id) = self.seek(None, name, &Params::default(), 0) {
                    self.seek_next(id, now);
                }
            }
        }
    }

    /// The other side tells of its tracks or namespaces.
    pub(crate) fn uplink_answered(&mut self, at: ConnIndex) {
        if let Some(link) = self.link_of(at).and_then(|link| self.links.get_mut(&link)) {
            link.overlaps = 0;
        }
    }

    fn link_of(&self, at: ConnIndex) -> Option<LinkId> {
        match self.conns.get(at)?.side {
            Side::Link(link) => Some(link),
            _ => None,
        }
    }

    /// The other side will not tell of its tracks or namespaces: told once, for the operator. What was taken back to be
    /// asked for again may still be on its way out there.
    pub(crate) fn uplink_refused(&mut self, at: ConnIndex, what: &str, refusal: &Refusal, now: Time) {
        if let (codes::request_error::PREFIX_OVERLAP, Some(id)) = (refusal.code, self.link_of(at)) {
            if let Some(link) = self.links.get_mut(&id).filter(|link| link.overlaps < OVERLAPS_MAX) {
                link.overlaps += 1;
                return self.retry(id, Retry::Uplink, now);
            }
        }
        self.uplink_silent(what, &format!("{} (code {:#x})", refusal.reason, refusal.code));
    }

    /// The owner is told that a relay above tells no more of its tracks or namespaces.
    pub(crate) fn uplink_silent(&mut self, what: &str, why: &str) {
        let text = format!("the relay upstream does not tell of its {what}: {why}: they are asked for by name");
        self.events.push_back(Event::Warning { text });
    }

    /// Takes a PUBLISH of a track that has a source: the better of the two is used, the other stands by.
    pub(crate) fn another_way(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        id: TrackId,
        properties: Properties,
        params: &Params,
        now: Time,
    ) -> Refused {
        let hops = params.hops.clone().unwrap_or_default();
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        if track.standby.len() >= STANDBY_MAX {
            return Err(Refusal::new(codes::request_error::UNINTERESTED, "there are enough ways to this track"));
        }
        let better = hops.len() < track.hops.len() && matches!(track.source, Source::Remote(..));
        track.standby.push(Standby { conn: at, request: key, hops, properties });
        if let Some(conn) = self.conns.get_mut(at) {
            conn.roles.insert(key, Role::Standby(id));
        }
        let old = self.conns.get(at).is_some_and(|conn| conn.profile == Profile::D18);
        let answer = Params { forward: old.then_some(false), ..Params::default() };
        self.with_session(at, |session| session.accept(key, ok(answer)));
        if !old && params.forward != Some(false) && !better {
            self.hold_back(at, key);
        }
        if better {
            self.stand_by(id);
            self.promote(id, now);
        }
        Ok(())
    }

    /// No objects over this way for now.
    fn hold_back(&mut self, at: ConnIndex, key: RequestKey) {
        let params = Params { forward: Some(false), ..Params::default() };
        self.with_session(at, |session| session.update(key, params));
    }

    /// The way that is used steps back.
    fn stand_by(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Source::Remote(at, key) = track.source else { return };
        let published = matches!(self.conns.get(at).and_then(|conn| conn.roles.get(&key)), Some(Role::Source(_)));
        let forwarding = track.forwarding;
        let (hops, properties) = (track.hops.clone(), track.properties.clone());
        self.drop_groups(id, at);
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get_mut(at)) else { return };
        track.source = Source::Sought;
        if published {
            track.standby.push(Standby { conn: at, request: key, hops, properties });
            conn.roles.insert(key, Role::Standby(id));
            if forwarding {
                self.hold_back(at, key);
            }
        } else {
            conn.roles.remove(&key);
            self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
        }
    }

    /// Uses the shortest of the ways that stand by; whether there was one.
    pub(crate) fn promote(&mut self, id: TrackId, now: Time) -> bool {
        let Some(track) = self.tracks.get_mut(&id).filter(|track| !track.nameless) else { return false };
        let best = track.standby.iter().enumerate().min_by_key(|(_, way)| way.hops.len()).map(|(at, _)| at);
        let Some(best) = best else { return false };
        let way = track.standby.remove(best);
        track.source = Source::Remote(way.conn, way.request);
        track.hops = way.hops;
        track.traits = Traits::read(&way.properties);
        track.properties = way.properties;
        track.forwarding = false;
        track.by_name = false;
        for local in &mut track.locals {
            local.lost_at.get_or_insert(now);
            local.order.hurry();
        }
        if let Some(conn) = self.conns.get_mut(way.conn) {
            conn.roles.insert(way.request, Role::Source(id));
        }
        self.demand_changed(id);
        self.hops_changed(id, now);
        true
    }

    /// Groups in progress from a connection come to nothing.
    pub(crate) fn drop_groups(&mut self, id: TrackId, from: ConnIndex) {
        if let Some(conn) = self.conns.get_mut(from) {
            conn.receiving.retain(|_, track| *track != id);
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let gone: Vec<GroupKey> =
            track.groups.keys().filter(|key| matches!(key, GroupKey::Remote(at, _) if *at == from)).copied().collect();
        for key in gone {
            let Some(group) = track.groups.remove(&key) else { continue };
            for outlet in group.out {
                let at = outlet.conn;
                if let (Some(conn), Some(stream)) = (self.conns.get_mut(at), outlet.stream) {
                    conn.queue.reset_subgroup(stream, codes::stream_reset::CANCELLED);
                    self.ready.want_send(at, conn);
                }
            }
        }
    }

    /// A track comes another way: relays that it now comes through are no longer offered it, others may be.
    pub(crate) fn hops_changed(&mut self, id: TrackId, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        let hops = track.hops.clone();
        let sinks: Vec<_> = track.sinks.iter().map(|sink| (sink.conn, sink.request)).collect();
        for (at, request) in sinks {
            if !self.may_go(at, &hops) {
                self.end_sink(id, at, request, close::PUBLISHER_LOST, "the track now comes from there");
            }
        }
        self.attach_watchers(id, now);
    }

    /// The source of a track of the relay has ended, by its own word or with its session.
    pub(crate) fn source_ended(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, reason: Reason, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        if track.source != Source::Remote(at, key) {
            return;
        }
        if track.place != Place::Node {
            return self.end_track(id, codes::publish_done::TRACK_ENDED, reason);
        }
        let (told, code) = close::of_source(reason);
        // A publisher that says so has ended the track everywhere; one that only leaves may go on at another relay.
        if reason == Reason::TrackEnded {
            return self.end_track(id, code, told);
        }
        self.drop_groups(id, at);
        if !self.promote(id, now) {
            self.end_track(id, code, told);
        }
    }

    /// The session with another relay was lost, and with it a track's source: another way is taken, or its return awaited.
    pub(crate) fn relay_source_lost(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, now: Time) {
        let Some(track) = self.tracks.get(&id) else { return };
        match track.source {
            Source::Asked(asked, request) if (asked, request) == (at, key) => {
                let refusal = Refusal::new(codes::request_error::TIMEOUT, "the relay that was asked can't be reached");
                if self.seeking.contains_key(&id) {
                    return self.seek_refused(id, refusal, now);
                }
            }
            Source::Remote(from, request) if (from, request) == (at, key) => {}
            _ => return,
        }
        self.drop_groups(id, at);
        if self.promote(id, now) {
            return;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.source = Source::Lost(now);
        for local in &mut track.locals {
            local.lost_at.get_or_insert(now);
            local.order.hurry();
        }
    }

    /// A way that stood by is gone.
    pub(crate) fn forget_standby(&mut self, id: TrackId, at: ConnIndex, key: RequestKey) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.standby.retain(|way| (way.conn, way.request) != (at, key));
        }
    }

    /// Tracks of the relay whose source did not come back in time end.
    pub(crate) fn forget_lost_here(&mut self, now: Time) {
        let up_at = self.links.values().filter(|l| l.config.uplink && l.state == State::Up).map(|l| l.up_at).max();
        let down = self.links.values().any(|l| l.config.uplink && !matches!(l.state, State::Up | State::Closed));
        let over = |since: Time| match down {
            true => now.saturating_sub(since) >= OUTAGE_TIME,
            false => now.saturating_sub(since.max(up_at.unwrap_or(0))) >= RETURN_TIME,
        };
        let gone: Vec<TrackId> = self
            .tracks
            .values()
            .filter(|track| track.place == Place::Node && matches!(track.source, Source::Lost(since) if over(since)))
            .map(|track| track.id)
            .collect();
        for id in gone {
            self.end_track(id, close::PUBLISHER_LOST, Reason::PublisherLost);
        }
    }

    /// A namespace was announced or withdrawn: what the relays around are told of it follows.
    pub(crate) fn sync_announcements(&mut self, namespace: &Namespace, now: Time) {
        let mut around = self.uplinks();
        around.extend(self.sessions.values().copied().filter(|at| self.relay_peer(*at).is_some()));
        around.extend(self.siblings.below());
        for at in around {
            self.sync_announcement(at, namespace, now);
        }
    }

    /// Announces a namespace to a relay, by the shortest way that does not come through it, or withdraws it.
    pub(crate) fn sync_announcement(&mut self, to: ConnIndex, namespace: &Namespace, now: Time) {
        let Some(conn) = self.conns.get(to).filter(|conn| conn.stage == Stage::Up) else { return };
        let granted = conn
            .stamp
            .as_ref()
            .is_none_or(|stamp| stamp.subscribe.allows_prefix(namespace) != cc_fanout::directory::Coverage::None);
        let announcers = self.domains.get(&Place::Node).map(|domain| domain.owners(namespace)).unwrap_or_default();
        let ways = announcers.into_iter().filter_map(|party| match party {
            Party::Remote(at, key) if at != to => match self.conns.get(at)?.roles.get(&key)? {
                Role::Announced { hops, .. } => Some(hops.clone()),
                _ => Some(Vec::new()),
            },
            _ => None,
        });
        let best = ways.filter(|hops| granted && self.may_go(to, hops)).min_by_key(|hops| hops.len());
        let told = conn.announcing.get(namespace).cloned();
        match (best, told) {
            (Some(hops), Some((_, old))) if hops == old => {}
            (None, None) => {}
            (best, told) => {
                if let Some((key, _)) = told {
                    if let Some(conn) = self.conns.get_mut(to) {
                        conn.announcing.remove(namespace);
                        conn.roles.remove(&key);
                    }
                    self.with_session(to, |session| session.cancel(key, codes::stream_reset::CANCELLED));
                }
                let Some(hops) = best else { return };
                let params = Params { hops: self.hops_onward(to, &hops), ..Params::default() };
                let request = Request::PublishNamespace { namespace: namespace.clone(), params };
                if let Some(key) = self.request(to, request, Role::Announcing(namespace.clone()), now) {
                    if let Some(conn) = self.conns.get_mut(to) {
                        conn.announcing.insert(namespace.clone(), (key, hops));
                    }
                }
            }
        }
    }

    /// A relay above without hop lists tells of a namespace. What it echoes of ours is passed over.
    pub(crate) fn uplink_namespace(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        namespace: &Namespace,
        there: bool,
        now: Time,
    ) {
        let Some(conn) = self.conns.get(at) else { return };
        if !matches!(conn.roles.get(&key), Some(Role::UplinkNames)) || !matches!(conn.side, Side::Link(_)) {
            return;
        }
        let party = Party::Remote(at, key);
        if !there {
            return self.unannounce(Place::Node, namespace, party, now);
        }
        let ours = conn.announcing.contains_key(namespace)
            || self.domains.get(&Place::Node).is_some_and(|domain| domain.has_tracks(namespace));
        if !ours {
            self.announce(Place::Node, namespace, party, now);
        }
    }

    /// All namespaces that a relay above told of are gone with the request that asked for them.
    pub(crate) fn forget_uplink_names(&mut self, at: ConnIndex, key: RequestKey, now: Time) {
        let party = Party::Remote(at, key);
        let told = self.domains.get(&Place::Node).map(|domain| domain.announced_by(party)).unwrap_or_default();
        for namespace in told {
            self.unannounce(Place::Node, &namespace, party, now);
        }
    }
}
