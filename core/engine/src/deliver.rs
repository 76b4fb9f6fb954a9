//! What the application is delivered: subscriptions of its own, and the frames and messages for them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use cc_fanout::fragments::{self, Fragment, Joined, Joiner, Taken};
use cc_session::Request;
use cc_wire::{DatagramHeader, Location, Namespace, Params, TrackName};

use crate::api::{
    flag, Delivery, Event, Place, Reason, SubscribeConfig, SubscriptionId, SubscriptionStats, TextRoom, Time, TrackId,
    TrackKind, MESSAGE_BYTES,
};
use crate::conn::Role;
use crate::domain::Party;
use crate::limits::Limit;
use crate::live::{self, Live};
use crate::ordered::{Came, Next, Ordered};
use crate::track::{LocalSink, Source};
use crate::Engine;

/// Places in ended tracks that are remembered at most; beyond, a publisher that comes back may be heard twice.
const READ_PLACES_MAX: usize = 4096;
/// How long they are: a publisher that is away longer is heard from its first message on.
const READ_PLACE_TIME: Time = 600_000_000;

/// A local subscription.
pub(crate) struct Subscription {
    pub(crate) config: SubscribeConfig,
    pub(crate) place: Place,
    pub(crate) stats: SubscriptionStats,
    pub(crate) told_ok: bool,
    /// What its owner takes of Text, and the tracks that wait for it to take more.
    room: TextRoom,
    stalled: BTreeSet<TrackId>,
}

impl Subscription {
    /// Whether it asks for this track by its name.
    pub(crate) fn names(&self, name: &TrackName) -> bool {
        self.config.namespace == name.namespace && self.config.name.as_ref() == Some(&name.name)
    }

    fn wants(&self, name: &TrackName, capability: &Bytes) -> bool {
        let named = match &self.config.name {
            Some(_) => self.names(name),
            None => name.namespace.starts_with(&self.config.namespace),
        };
        named && (self.config.capability.is_empty() || self.config.capability == *capability)
    }
}

/// A reader, and the range of locations that it misses.
type Missing = (SubscriptionId, (u64, u64), (u64, u64));

/// A whole object that came on a stream.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) group: u64,
    pub(crate) object: u64,
    pub(crate) priority: u8,
    pub(crate) properties: Bytes,
    pub(crate) payload: Bytes,
}

impl Engine {
    pub(crate) fn subscribe(&mut self, id: SubscriptionId, place: Place, config: SubscribeConfig, now: Time) {
        if !self.domains.contains_key(&place) {
            let text = "the link is closed".into();
            self.events.push_back(Event::SubscribeRefused {
                subscription: id,
                reason: Reason::Local,
                text,
                redirect: None,
            });
            return;
        }
        let subscription = Subscription {
            config,
            place,
            stats: SubscriptionStats::default(),
            told_ok: false,
            room: TextRoom { bytes: usize::MAX, idle: true },
            stalled: BTreeSet::new(),
        };
        let config = subscription.config.clone();
        self.subscriptions.insert(id, subscription);
        let Some(domain) = self.domains.get_mut(&place) else { return };
        let found = match &config.name {
            None => domain.watch(Party::Local(id), config.namespace.clone(), &config.capability),
            Some(name) => {
                let name = TrackName { namespace: config.namespace.clone(), name: name.clone() };
                domain.find(&name).into_iter().collect()
            }
        };
        let own = |track: &TrackId| self.tracks.get(track).is_some_and(|t| matches!(t.source, Source::Local(_)));
        if config.name.is_some() && place != Place::Node && found.iter().any(own) {
            let text = "this link publishes the track itself, and its own objects do not come back".into();
            self.subscriptions.remove(&id);
            let reason = Reason::Duplicate;
            self.events.push_back(Event::SubscribeRefused { subscription: id, reason, text, redirect: None });
            return;
        }
        for track in found {
            self.attach_local(track, id);
            let there = self.tracks.get(&track).is_some_and(|track| matches!(track.source, Source::Remote(..)));
            if there && config.name.is_some() {
                self.subscribed(id);
            }
        }
        match place {
            Place::Node => {
                self.subscribed(id);
                self.seek_for_readers(now);
            }
            Place::Link(_) => self.ask_uplink(place, now),
        }
    }

    pub(crate) fn subscribed(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            if !std::mem::replace(&mut subscription.told_ok, true) {
                self.events.push_back(Event::SubscribeOk { subscription: id });
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.remove(&id) else { return };
        if let Some(domain) = self.domains.get_mut(&subscription.place) {
            domain.unwatch(Party::Local(id));
        }
        let mut unwanted = Vec::new();
        for track in self.tracks.values_mut().filter(|track| track.place == subscription.place) {
            let before = track.locals.len();
            track.locals.retain(|local| local.subscription != id);
            if track.locals.len() < before && !track.wanted() {
                unwanted.push(track.id);
            }
        }
        for track in unwanted {
            self.drop_unwanted(track);
            self.demand_changed(track);
        }
        self.narrow_uplink(subscription.place);
    }

    /// Gives a track to a local subscription that wants it and does not have it.
    pub(crate) fn attach_local(&mut self, id: TrackId, to: SubscriptionId) {
        let (Some(track), Some(subscription)) = (self.tracks.get_mut(&id), self.subscriptions.get_mut(&to)) else {
            return;
        };
        let has = track.locals.iter().any(|local| local.subscription == to);
        if has || subscription.place != track.place || !subscription.wants(&track.name, &track.capability) {
            return;
        }
        if matches!(track.source, Source::Local(_)) && matches!(track.place, Place::Link(_)) {
            // A link's own publications come back only if the relay sends them, and it does not.
            return;
        }
        let limits = &self.config.limits;
        let mut order = Ordered::new(self.reordering.holder(limits.reorder_bytes));
        if let Some((place, _)) = self.read_places.remove(&(to, track.name.clone())) {
            order.resume(place);
        }
        track.locals.push(LocalSink {
            subscription: to,
            joiner: Joiner::new(limits.fragment_bytes),
            joining: self.reordering.holder(limits.fragment_bytes),
            last: None,
            lost_at: None,
            gap: false,
            order,
            live: None,
            fresh: true,
            join: None,
        });
        subscription.stats.tracks += 1;
        self.events.push_back(Event::TrackAdded {
            subscription: to,
            track: id,
            kind: track.traits.kind,
            name: track.name.clone(),
            capability: track.capability.clone(),
            publisher: track.publisher.clone(),
        });
        let flows = match track.source {
            Source::Local(_) => true,
            Source::Remote(at, key) => match self.conns.get(at).and_then(|conn| conn.roles.get(&key)) {
                Some(Role::Source(_)) => track.forwarding,
                Some(Role::OurSubscribe(_)) => true,
                _ => false,
            },
            Source::Asked(..) | Source::Lost(_) | Source::Sought => false,
        };
        self.demand_changed(id);
        if flows {
            let now = self.clock.now.load(Ordering::Relaxed);
            self.join_late(id, now);
        }
    }

    /// Keeps where a reader was in a Text track that ended, for the publisher may come back with it and send again what
    /// may not have arrived.
    pub(crate) fn remember(&mut self, reader: SubscriptionId, name: &TrackName, place: (u64, u64)) {
        if self.read_places.len() >= READ_PLACES_MAX {
            let oldest = self.read_places.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone());
            oldest.map(|key| self.read_places.remove(&key));
        }
        let now = self.clock.now.load(Ordering::Relaxed);
        self.read_places.insert((reader, name.clone()), (place, now));
    }

    /// Places of readers that are gone, or whose track did not come back in time, are forgotten.
    pub(crate) fn forget_places(&mut self, now: Time) {
        let subscriptions = &self.subscriptions;
        self.read_places.retain(|(reader, _), (_, since)| {
            subscriptions.contains_key(reader) && now.saturating_sub(*since) <= READ_PLACE_TIME
        });
    }

    /// Whether some local subscription of the place wants a track.
    pub(crate) fn wanted_locally(&self, place: Place, name: &TrackName, capability: &Bytes) -> bool {
        self.subscriptions.values().any(|s| s.place == place && s.wants(name, capability))
    }

    /// The prefixes that the place's local subscriptions watch, as few and disjoint as they come.
    pub(crate) fn local_prefixes(&self, place: Place) -> Vec<Namespace> {
        let mut prefixes: Vec<&Namespace> = self
            .subscriptions
            .values()
            .filter(|s| s.place == place && s.config.name.is_none())
            .map(|s| &s.config.namespace)
            .collect();
        prefixes.sort();
        let mut disjoint: Vec<Namespace> = Vec::new();
        for prefix in prefixes {
            // In order, a prefix comes before everything that it covers.
            if !disjoint.last().is_some_and(|last| prefix.starts_with(last)) {
                disjoint.push(prefix.clone());
            }
        }
        disjoint
    }

    pub(crate) fn local_track_ended(&mut self, id: SubscriptionId, track: TrackId, reason: Reason) {
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.stats.tracks = subscription.stats.tracks.saturating_sub(1);
            self.events.push_back(Event::TrackEnded { subscription: id, track, reason });
        }
    }

    /// An object that came in a datagram, to the local subscriptions, or one of them (`only`) that has waited for it;
    /// fragments are joined first.
    pub(crate) fn deliver_datagram(
        &mut self,
        id: TrackId,
        header: &DatagramHeader,
        priority: u8,
        payload: Bytes,
        only: Option<SubscriptionId>,
        now: Time,
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        // Other implementations put objects into groups as they like: theirs are delivered one by one.
        let joins = [TrackKind::FrameDatagram as u8, TrackKind::Audio as u8].contains(&track.traits.kind);
        let mut held = false;
        for local in track.locals.iter_mut().filter(|local| only.is_none_or(|only| only == local.subscription)) {
            if let Some(join) = local.holding() {
                let (group, object, properties) = (header.group, header.object, header.properties.clone());
                let object = Arrived { group, object, priority, properties, payload: payload.clone() };
                join.put(object, Some(header.end_of_group));
                held = true;
                continue;
            }
            let Some(subscription) = self.subscriptions.get_mut(&local.subscription) else { continue };
            let whole = Joined {
                group: header.group,
                priority,
                properties: header.properties.clone(),
                payload: payload.clone(),
            };
            let (frame, object) = if joins {
                let fragment = Fragment {
                    group: header.group,
                    object: header.object,
                    end_of_group: header.end_of_group,
                    priority,
                    properties: whole.properties,
                    payload: whole.payload,
                };
                let before = local.joiner.losses();
                let taken = local.joiner.take(fragment);
                let after = local.joiner.losses();
                local.joining.set(local.joiner.held());
                if after.incomplete > before.incomplete {
                    self.refused.met(Limit::FragmentBytes);
                }
                if local.joining.over_all() {
                    self.refused.met(Limit::ReorderTotal);
                    subscription.stats.incomplete += local.joiner.pending() as u64;
                    local.joiner = Joiner::new(self.config.limits.fragment_bytes);
                    local.joining.set(0);
                }
                subscription.stats.incomplete += (after.midway + after.incomplete + after.malformed)
                    - (before.midway + before.incomplete + before.malformed);
                match taken {
                    Taken::Frame(frame) => (frame, 0),
                    Taken::Duplicate => {
                        subscription.stats.duplicates += 1;
                        continue;
                    }
                    Taken::Pending | Taken::Malformed => continue,
                }
            } else {
                (whole, header.object)
            };
            let fragments = if joins {
                fragments::split(frame.payload.len(), frame.properties.len()).map_or(1, |split| split.count() as u32)
            } else {
                1
            };
            let flags = if fragments > 1 { flag::FRAGMENTED } else { 0 };
            let skipped = local.last.is_some_and(|last| header.group > last.group + 1);
            if local.last.is_none_or(|last| header.group > last.group) {
                resume(&mut self.events, local, id, header.group, now);
                local.last = Some(Location { group: header.group, object });
            }
            let gap = skipped || std::mem::take(&mut local.gap);
            let delivery = Delivery {
                subscription: local.subscription,
                track: id,
                group: header.group,
                object,
                priority: frame.priority,
                flags,
                fragments,
                properties: frame.properties,
                payload: frame.payload,
            };
            hand(&mut self.deliveries, subscription, delivery, gap);
        }
        if held {
            self.end_full_joins(id, now);
        }
    }

    /// A whole object that came on a stream, to the local subscriptions, or one of them (`only`) that has waited for it:
    /// Text in order, frames as they come.
    pub(crate) fn deliver_object(&mut self, id: TrackId, arrived: &Arrived, only: Option<SubscriptionId>, now: Time) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let text = track.traits.kind == TrackKind::Text as u8;
        let kind = track.traits.kind;
        let &Arrived { group, object, priority, ref properties, ref payload } = arrived;
        let mut held = false;
        for local in track.locals.iter_mut().filter(|local| only.is_none_or(|only| only == local.subscription)) {
            if let Some(join) = local.holding() {
                join.put(arrived.clone(), None);
                held = true;
                continue;
            }
            let Some(subscription) = self.subscriptions.get_mut(&local.subscription) else { continue };
            if local.live.is_none() {
                // A track that was asked for by name has its kind from the answer.
                local.live = Live::of_kind(kind);
            }
            let delivery = Delivery {
                subscription: local.subscription,
                track: id,
                group,
                object,
                priority,
                flags: flag::STREAM,
                fragments: 1,
                properties: properties.clone(),
                payload: payload.clone(),
            };
            if text {
                let bytes = payload.len() + properties.len();
                match local.order.push(group, object, bytes, delivery, now) {
                    Came::New => {}
                    Came::Duplicate => subscription.stats.duplicates += 1,
                    Came::TurnedAway => self.refused.met(Limit::ReorderBytes),
                }
                continue;
            }
            if let Some(live) = &mut local.live {
                let bytes = payload.len() + properties.len();
                match live.push(group, object, bytes, delivery, now) {
                    live::Came::New => {}
                    live::Came::Duplicate => subscription.stats.duplicates += 1,
                    live::Came::Late => subscription.stats.superseded += 1,
                }
                continue;
            }
            let skipped = local.last.is_some_and(|last| group > last.group + 1);
            if local.last.is_none_or(|last| group > last.group) {
                resume(&mut self.events, local, id, group, now);
                local.last = Some(Location { group, object });
            }
            let gap = skipped || std::mem::take(&mut local.gap);
            hand(&mut self.deliveries, subscription, delivery, gap);
        }
        if text {
            self.deliver_text(id, now);
        } else {
            self.deliver_live(id, now);
        }
        if held {
            self.end_full_joins(id, now);
        }
    }

    /// A group of a track has ended: what waited for that is delivered, to all readers or one of them (`only`).
    pub(crate) fn group_ended(
        &mut self,
        id: TrackId,
        group: u64,
        whole: bool,
        only: Option<SubscriptionId>,
        now: Time,
    ) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let (text, live) = (track.is_text(), track.traits.live());
        for local in track.locals.iter_mut().filter(|local| only.is_none_or(|only| only == local.subscription)) {
            if let Some(join) = local.holding() {
                join.group_ended(group, whole);
            } else if text {
                local.order.ended(group, whole);
            } else if let Some(live) = &mut local.live {
                live.ended(group, whole);
            }
        }
        match (text, live) {
            _ if track.locals.is_empty() => {}
            (true, _) => self.deliver_text(id, now),
            (_, true) => self.deliver_live(id, now),
            _ => {}
        }
    }

    /// Messages that are next in order; what is missing is asked for.
    pub(crate) fn deliver_text(&mut self, id: TrackId, now: Time) {
        let mut missing = Vec::new();
        let mut due: Option<Time> = None;
        let Some(track) = self.tracks.get_mut(&id) else { return };
        for local in &mut track.locals {
            let Some(subscription) = self.subscriptions.get_mut(&local.subscription) else { continue };
            loop {
                let room = subscription.room;
                let most = if room.idle { usize::MAX } else { room.bytes.saturating_sub(MESSAGE_BYTES) };
                match local.order.next(now, most) {
                    Next::Full => {
                        if subscription.stalled.is_empty() {
                            self.stalled.push_back(local.subscription);
                        }
                        subscription.stalled.insert(id);
                        break;
                    }
                    Next::Message(mut delivery, bytes, gap) => {
                        if room.bytes < usize::MAX {
                            let bytes = room.bytes.saturating_sub(bytes + MESSAGE_BYTES);
                            subscription.room = TextRoom { bytes, idle: false };
                        }
                        delivery.flags |= flag::TEXT;
                        resume(&mut self.events, local, id, delivery.group, now);
                        // Whether anything was lost is the order's to say, whatever happened meanwhile.
                        local.gap = false;
                        local.last = Some(Location { group: delivery.group, object: delivery.object });
                        hand(&mut self.deliveries, subscription, delivery, gap);
                    }
                    Next::Missing(from, until) => {
                        missing.push((local.subscription, from, until));
                        break;
                    }
                    Next::Nothing => break,
                }
            }
            due = due.into_iter().chain(local.order.deadline()).min();
        }
        self.held_text.set(id, due);
        self.fill_all(id, missing, now);
    }

    /// The owner of a subscription takes more Text.
    pub(crate) fn text_room(&mut self, to: SubscriptionId, room: TextRoom, now: Time) {
        let Some(subscription) = self.subscriptions.get_mut(&to) else { return };
        let before = std::mem::replace(&mut subscription.room, room);
        if room.bytes <= before.bytes && room.idle <= before.idle {
            return;
        }
        for track in std::mem::take(&mut subscription.stalled) {
            self.deliver_text(track, now);
        }
    }

    /// Asks for what readers miss, and goes on without it where nobody can be asked.
    fn fill_all(&mut self, id: TrackId, missing: Vec<Missing>, now: Time) {
        for (subscription, from, until) in missing {
            let location = |(group, object)| Location { group, object };
            if !self.fill(id, subscription, location(from), location(until), now) {
                if let Some(local) = self.tracks.get_mut(&id).and_then(|track| track.reader(subscription)) {
                    local.order.filled(until, false);
                }
                self.deliver_text(id, now);
            }
        }
    }

    /// A Text track has come back, and is as far as `largest`: readers that are not ask for the rest.
    pub(crate) fn catch_up(&mut self, id: TrackId, largest: Option<Location>, now: Time) {
        let (Some(track), Some(largest)) = (self.tracks.get_mut(&id), largest) else { return };
        if track.traits.kind != TrackKind::Text as u8 {
            return;
        }
        let mut missing = Vec::new();
        for local in &mut track.locals {
            if let Some((from, until)) = local.order.behind((largest.group, largest.object), now) {
                missing.push((local.subscription, from, until));
            }
        }
        self.fill_all(id, missing, now);
    }

    /// Text that has waited long enough for a group that does not end.
    pub(crate) fn text_timeout(&mut self, now: Time) {
        for id in self.held_text.take(now) {
            match self.tracks.get(&id).is_some_and(|track| track.traits.live()) {
                true => self.deliver_live(id, now),
                false => self.deliver_text(id, now),
            }
        }
    }

    /// The properties of a track that is delivered to the subscription, encoded.
    pub fn track_properties(&self, id: SubscriptionId, track: TrackId) -> Option<Bytes> {
        let track = self.tracks.get(&track)?;
        track.locals.iter().find(|local| local.subscription == id)?;
        let mut encoded = Vec::new();
        track.properties.encode(&mut encoded);
        Some(encoded.into())
    }

    /// The subscription's numbers.
    pub fn subscription_stats(&self, id: SubscriptionId) -> Option<SubscriptionStats> {
        self.subscriptions.get(&id).map(|subscription| subscription.stats)
    }

    /// SUBSCRIBE by name for a local subscription of one track.
    pub(crate) fn exact_request(config: &SubscribeConfig) -> Option<Request> {
        let name = config.name.clone()?;
        Some(Request::Subscribe {
            track: TrackName { namespace: config.namespace.clone(), name },
            params: Params {
                subscriber_priority: Some(config.priority),
                group_order: config.order,
                forward: Some(true),
                rendezvous_timeout: (config.rendezvous_ms > 0).then_some(config.rendezvous_ms),
                tokens: crate::tokens::by_value(config.token.as_ref()),
                ..Params::default()
            },
        })
    }
}

/// The first object after the source was lost ends the gap.
pub(crate) fn resume(events: &mut VecDeque<Event>, local: &mut LocalSink, track: TrackId, group: u64, now: Time) {
    if let Some(lost) = local.lost_at.take() {
        local.gap = true;
        events.push_back(Event::TrackResumed {
            subscription: local.subscription,
            track,
            last_group: local.last.map_or(0, |last| last.group),
            first_group: group,
            gap: now.saturating_sub(lost),
        });
    }
}

/// Puts a frame or message where the owner finds it.
pub(crate) fn hand(
    deliveries: &mut VecDeque<Delivery>,
    subscription: &mut Subscription,
    mut delivery: Delivery,
    gap: bool,
) {
    if gap {
        delivery.flags |= flag::GAP;
        subscription.stats.gaps += 1;
    }
    subscription.stats.frames += 1;
    subscription.stats.bytes += delivery.payload.len() as u64;
    deliveries.push_back(delivery);
}
