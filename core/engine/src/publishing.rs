//! PUBLISH: tracks that a peer offers, new ones and those whose source comes back.

use bytes::Bytes;
use cc_session::{Refusal, RequestKey};
use cc_wire::{codes, property, Params, Profile, Properties, TrackName};

use crate::api::{Place, Time, TrackId};
use crate::conn::{ConnIndex, Role, Side};
use crate::limits::Limit;
use crate::malformed::Ends;
use crate::past::Past;
use crate::requests::{check_understood, ok, unauthorized, Refused};
use crate::track::{Source, Track, Traits};
use crate::Engine;

impl Engine {
    pub(crate) fn asked_publish(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        name: TrackName,
        (properties, params): (Properties, Params),
        now: Time,
    ) -> Refused {
        let place = self.place_of(at).ok_or_else(|| Refusal::new(codes::request_error::INTERNAL_ERROR, ""))?;
        self.check_hops(&params)?;
        check_understood(&properties)?;
        let capability = properties.get_bytes(property::CAPABILITY_TAG).unwrap_or_default();
        let mut publisher = self.publisher_at(at, &params);
        if let Some(stamp) = self.conns.get(at).and_then(|conn| conn.stamp_for(key)) {
            if !stamp.publish.allows_track(&name) {
                return Err(unauthorized(&format!("publish {name}")));
            }
            if !stamp.capabilities.is_empty() && !stamp.capabilities.contains(&capability) {
                return Err(unauthorized(&format!("capability {}", String::from_utf8_lossy(&capability))));
            }
            publisher.clone_from(&stamp.peer_id);
        }
        if let Some(existing) = self.domains.get(&place).and_then(|d| d.find(&name)) {
            if !self.is_over_there(existing, at) {
                return self.offered_again(at, key, existing, properties, &params, now);
            }
            self.give_up_name(existing);
        }
        if matches!(place, Place::Link(_)) {
            // A link receives what its local subscriptions ask for.
            if !self.wanted_locally(place, &name, &capability) {
                if let Some(domain) = self.domains.get_mut(&place) {
                    domain.decline(name);
                }
                return Err(Refusal::new(codes::request_error::UNINTERESTED, "nobody here subscribes to it"));
            }
        } else {
            let published = self
                .conns
                .get(at)
                .map_or(0, |conn| conn.roles.values().filter(|role| matches!(role, Role::Source(_))).count());
            // Another relay stands for all that are behind it.
            if self.relay_peer(at).is_none() {
                self.within(Limit::TracksPerSession, published, "this session publishes too many tracks")?;
            }
            self.within(Limit::Tracks, self.tracks.len(), "too many tracks are published")?;
            self.within(
                Limit::PropertyBytes,
                properties.raw().len().saturating_sub(1),
                "the track's properties are too long",
            )?;
        }
        let id = self.new_track(place, name, capability, properties, Source::Remote(at, key), publisher);
        if let Some(track) = self.tracks.get_mut(&id) {
            track.hops = params.hops.clone().unwrap_or_default();
        }
        self.source_at(id, params.largest);
        self.attach_watchers(id, now);
        self.receive_from(at, key, id, params.forward);
        self.join(id, params.largest, now);
        Ok(())
    }

    /// A PUBLISH of a track that is known: its source comes back, or it is somebody else's.
    fn offered_again(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        id: TrackId,
        properties: Properties,
        params: &Params,
        now: Time,
    ) -> Refused {
        let Some(track) = self.tracks.get(&id) else {
            return Err(Refusal::new(codes::request_error::INTERNAL_ERROR, "the track is just ending"));
        };
        let source = track.source;
        let mut gave_way = false;
        match source {
            // What was asked of somebody is not needed any more.
            // Or our SUBSCRIBE and its PUBLISH have crossed: ours is taken back (draft -18, "Subscriptions").
            Source::Asked(from, request) if track.place == Place::Node || from == at => {
                if let Some(conn) = self.conns.get_mut(from) {
                    conn.roles.remove(&request);
                }
                self.with_session(from, |session| session.cancel(request, codes::stream_reset::CANCELLED));
            }
            Source::Remote(from, _) if self.is_leaving(from) && from != at => {}
            Source::Lost(_) | Source::Sought => {}
            // One relay has one publisher of a track, unless it is on its way from one shard to another.
            Source::Remote(from, _) if self.is_sibling(from) && self.relay_peer(at).is_none() => {
                if track.publisher.is_empty() || track.publisher != self.publisher_at(at, params) {
                    return Err(Refusal::new(self.duplicate_code(at), "the track is published already"));
                }
                return self.another_way(at, key, id, properties, params, now);
            }
            // Two shards have taken one name at once: it is the publisher's on the one with the lower number.
            _ if self.is_rival(at, id, params) => {
                if !self.is_above(at) {
                    return Err(Refusal::new(self.duplicate_code(at), "the track is published already"));
                }
                let Source::Remote(from, request) = source else { return Ok(()) };
                gave_way = true;
                if let Some(conn) = self.conns.get_mut(from) {
                    conn.roles.remove(&request);
                }
                self.drop_groups(id, from);
                self.with_session(from, |session| session.cancel(request, codes::stream_reset::CANCELLED));
            }
            Source::Remote(from, _) if self.relay_peer(at).is_some() || self.relay_peer(from).is_some() => {
                return self.another_way(at, key, id, properties, params, now);
            }
            Source::Local(_) if self.relay_peer(at).is_some() => {
                return self.another_way(at, key, id, properties, params, now);
            }
            _ => return Err(Refusal::new(self.duplicate_code(at), "the track is published already")),
        }
        let capability = properties.get_bytes(property::CAPABILITY_TAG).unwrap_or_default();
        let publisher = self.publisher_at(at, params);
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        track.source = Source::Remote(at, key);
        track.traits = Traits::read(&properties);
        track.properties = properties;
        track.hops = params.hops.clone().unwrap_or_default();
        track.by_name = false;
        let (place, namespace) = (track.place, track.name.namespace.clone());
        let asked = matches!(source, Source::Sought | Source::Asked(..));
        if gave_way {
            track.publisher.clone_from(&publisher);
            track.capability.clone_from(&capability);
        }
        if asked {
            track.capability = capability.clone();
        }
        if asked && place == Place::Node {
            track.publisher = publisher;
            let told = self.domains.get_mut(&place).map(|domain| domain.now_published(id, &namespace, &capability));
            self.tell(&told.unwrap_or_default(), &namespace, true);
        }
        self.receive_from(at, key, id, params.forward);
        self.source_at(id, params.largest);
        if place == Place::Node {
            self.seek_found(id, now);
            self.hops_changed(id, now);
        } else if asked {
            self.exact_answered(id);
        }
        self.catch_up(id, params.largest, now);
        self.tell_largest(id);
        self.join(id, params.largest, now);
        Ok(())
    }

    /// Whether a track has ended where it comes from, and its PUBLISH_DONE, or what is sent before that, is still to
    /// come: who publishes the name again on the session has done with what it was before.
    fn is_over_there(&self, id: TrackId, at: ConnIndex) -> bool {
        let Some(track) = self.tracks.get(&id) else { return false };
        let Source::Remote(from, key) = track.source else { return false };
        let published = matches!(self.conns.get(from).and_then(|conn| conn.roles.get(&key)), Some(Role::Source(_)));
        from == at && published
    }

    /// A track goes on without its name, which is another's now: what is under way of it is delivered, until it ends.
    fn give_up_name(&mut self, id: TrackId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.nameless = true;
        let (place, name) = (track.place, track.name.clone());
        let read: Vec<_> =
            track.locals.iter().filter_map(|local| Some((local.subscription, local.order.place()?))).collect();
        let sent: Vec<_> = track.sinks.iter().map(|sink| (sink.conn, sink.request)).collect();
        read.into_iter().for_each(|(reader, at)| self.remember(reader, &name, at));
        sent.into_iter().for_each(|(at, request)| self.name_leaves(at, request, &name));
        let told = self.domains.get_mut(&place).map(|domain| domain.remove_track(id, &name.namespace));
        self.tell(&told.unwrap_or_default(), &name.namespace, false);
    }

    /// Whether a sibling offers a track that somebody else publishes on this shard.
    fn is_rival(&self, at: ConnIndex, id: TrackId, params: &Params) -> bool {
        let Some(track) = self.tracks.get(&id).filter(|_| self.is_sibling(at)) else { return false };
        let here = match track.source {
            Source::Local(_) => true,
            Source::Remote(from, _) => self.relay_peer(from).is_none(),
            _ => false,
        };
        // A peer that has moved is on its way from one shard to the other.
        here && (track.publisher.is_empty() || track.publisher != self.publisher_at(at, params))
    }

    /// Whether a connection leads to a shard with a lower number.
    fn is_above(&self, at: ConnIndex) -> bool {
        self.siblings.above().any(|above| above == at)
    }

    /// Whether a connection is one that its link leaves for another place.
    fn is_leaving(&self, at: ConnIndex) -> bool {
        let Some(Side::Link(link)) = self.conns.get(at).map(|conn| conn.side) else { return false };
        self.links.get(&link).is_some_and(|link| link.moves.leaves(at))
    }

    /// DUPLICATE_SUBSCRIPTION went away after draft -18.
    fn duplicate_code(&self, at: ConnIndex) -> u64 {
        match self.conns.get(at).map(|conn| conn.profile) {
            Some(Profile::D18) => codes::request_error::DUPLICATE_SUBSCRIPTION,
            _ => codes::request_error::UNINTERESTED,
        }
    }

    /// Takes a PUBLISH. Its objects are asked for when somebody wants them; `forward` is what it said itself.
    fn receive_from(&mut self, at: ConnIndex, key: RequestKey, id: TrackId, forward: Option<bool>) {
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get_mut(at)) else { return };
        conn.roles.insert(key, Role::Source(id));
        let mut params = Params::default();
        track.forwarding = forward.unwrap_or(true);
        if conn.profile == Profile::D18 {
            // Only there the answer holds FORWARD, and leaving it out means 1.
            track.forwarding = track.wanted();
            params.forward = Some(track.forwarding);
        }
        self.with_session(at, |session| session.accept(key, ok(params)));
        self.demand_changed(id);
    }

    /// Makes a track known in its domain.
    pub(crate) fn new_track(
        &mut self,
        place: Place,
        name: TrackName,
        capability: Bytes,
        properties: Properties,
        source: Source,
        publisher: String,
    ) -> TrackId {
        let id = self.next_track;
        self.next_track += 1;
        let mut told = Vec::new();
        if let Some(domain) = self.domains.get_mut(&place) {
            // The caller has looked: the name is free.
            domain.add_track(id, name.clone(), &capability);
            let offered = match source {
                Source::Local(_) => true,
                Source::Remote(..) => place == Place::Node,
                Source::Asked(..) | Source::Lost(_) | Source::Sought => false,
            };
            if offered {
                told = domain.published(id, &name.namespace);
            }
        }
        self.tell(&told, &name.namespace, true);
        let track = Track {
            id,
            place,
            name,
            capability,
            traits: Traits::read(&properties),
            properties,
            source,
            hops: Vec::new(),
            standby: Vec::new(),
            by_name: false,
            nameless: false,
            asked_again: 0,
            publisher,
            forwarding: true,
            sinks: Default::default(),
            locals: Vec::new(),
            groups: std::collections::BTreeMap::new(),
            largest: None,
            ends: Ends::default(),
            new_group: None,
            past: Past::default(),
        };
        self.tracks.insert(id, track);
        id
    }
}
