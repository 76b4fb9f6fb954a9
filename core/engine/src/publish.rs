//! What the application publishes: frames as datagrams or streams, and messages with a window for a reconnect.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use cc_fanout::fragments;
use cc_fanout::queue::{DropReason, Frame, Parts, TrackKey};
use cc_session::{DataEnd, RequestKey};
use cc_wire::{codes, property, DatagramHeader, Location, ObjectHeader, Properties, SubgroupHeader, SubgroupId, Value};

use crate::api::{
    flag, Delivery, Event, Newest, Outgoing, Place, PublicationId, PublicationShared, Reason, Time, TrackConfig,
    TrackId, TrackKind, TrackStats,
};
use crate::conn::ConnIndex;
use crate::media::Open;
use crate::offers::unasked;
use crate::past::Kept;
use crate::repeat::Repeating;
use crate::selection::Facts;
use crate::track::{GroupKey, Outlet, Source, Track, LATEST_WINS, TRACK_KIND};
use crate::Engine;

/// Messages of a Text group (an IDL constant).
const TEXT_GROUP_MESSAGES: u64 = 256;
/// Bytes of a Text group (an IDL constant).
const TEXT_GROUP_BYTES: usize = 64 << 10;
/// Bytes that a Text publication keeps for a reconnect.
const TEXT_WINDOW_BYTES: usize = 4 << 20;

/// A Text group that may have to be sent again.
#[derive(Debug)]
struct TextGroup {
    group: u64,
    bytes: usize,
    messages: Vec<(Bytes, Bytes)>,
    /// The priority of its subgroup; none: the track's.
    priority: Option<u8>,
    /// Its stream has ended, and every byte was acknowledged by the relay.
    arrived: bool,
}

/// A local publication.
pub(crate) struct Publication {
    pub(crate) config: TrackConfig,
    pub(crate) place: Place,
    pub(crate) shared: Arc<PublicationShared>,
    pub(crate) track: TrackId,
    pub(crate) next_group: u64,
    /// Audio and Video: the group that goes on.
    pub(crate) open: Option<Open>,
    /// Text: the groups kept, oldest first; the last is open.
    window: VecDeque<TextGroup>,
    window_bytes: usize,
    pub(crate) stats: TrackStats,
    pub(crate) repeat: Option<Repeating>,
    pub(crate) told_ok: bool,
    /// Subscribers that the owner was told of.
    pub(crate) demand: u32,
}

fn track_properties(config: &TrackConfig) -> Properties {
    // What does not parse was refused where the publication was asked for.
    let mut properties = Properties::decode(&config.properties).unwrap_or_default();
    let mut set = |id, value| {
        // Even ids hold integers, so this cannot fail.
        let _ = properties.insert(id, Value::Int(value));
    };
    if config.object_timeout_ms > 0 {
        set(property::OBJECT_DELIVERY_TIMEOUT, config.object_timeout_ms);
    }
    if config.subgroup_timeout_ms > 0 {
        set(property::SUBGROUP_DELIVERY_TIMEOUT, config.subgroup_timeout_ms);
    }
    set(property::DEFAULT_PUBLISHER_PRIORITY, u64::from(config.priority));
    if config.latest_wins || config.kind.is_live() {
        set(property::DEFAULT_PUBLISHER_GROUP_ORDER, 2);
    }
    if config.kind == TrackKind::Video {
        // An encoder makes a keyframe when asked.
        set(property::DYNAMIC_GROUPS, 1);
    }
    set(TRACK_KIND, config.kind as u64 | if config.latest_wins { LATEST_WINS } else { 0 });
    if !config.capability.is_empty() {
        set(property::CAPABILITY_HASH, cc_wire::capability_hash(&String::from_utf8_lossy(&config.capability)));
        let _ = properties.insert(property::CAPABILITY_TAG, Value::Bytes(config.capability.clone()));
    }
    properties
}

impl Engine {
    pub(crate) fn publish(
        &mut self,
        id: PublicationId,
        place: Place,
        config: TrackConfig,
        shared: Arc<PublicationShared>,
        now: Time,
    ) {
        let refused = |engine: &mut Engine, shared: &PublicationShared, reason, text: String| {
            shared.closed.store(true, Ordering::Release);
            engine.events.push_back(Event::PublishRefused { publication: id, reason, text, redirect: None });
        };
        let Some(domain) = self.domains.get(&place) else {
            return refused(self, &shared, Reason::Local, "the link is closed".into());
        };
        let unit = if config.microsecond_groups { 1 } else { 1000 };
        let mut next_group = (self.config.unix_us + now) / unit;
        let (mut adopted, mut sought) = (None, None);
        if let Some(existing) = domain.find(&config.name) {
            match self.tracks.get(&existing).map(|track| track.source) {
                Some(Source::Lost(_)) => adopted = Some(existing),
                Some(Source::Asked(..) | Source::Sought) => sought = Some(existing),
                _ => {
                    let text = format!("{} is published already", config.name);
                    return refused(self, &shared, Reason::Duplicate, text);
                }
            }
        }
        if let Some(old) = adopted {
            if let Some(largest) = self.tracks.get(&old).and_then(|track| track.largest) {
                next_group = next_group.max(largest.group + 1);
            }
            self.end_track(old, codes::publish_done::TRACK_ENDED, Reason::TrackEnded);
        }
        let properties = track_properties(&config);
        let track = match sought {
            Some(track) => {
                self.take_over_here(track, id, properties, &config.capability);
                track
            }
            None => self.new_track(
                place,
                config.name.clone(),
                config.capability.clone(),
                properties,
                Source::Local(id),
                String::new(),
            ),
        };
        let local = place == Place::Node;
        shared.connected.store(local || self.uplink(place).is_some(), Ordering::Release);
        let publication = Publication {
            config,
            place,
            shared,
            track,
            next_group,
            open: None,
            window: VecDeque::new(),
            window_bytes: 0,
            stats: TrackStats::default(),
            repeat: None,
            told_ok: local,
            demand: 0,
        };
        self.publications.insert(id, publication);
        if local {
            self.events.push_back(Event::PublishOk { publication: id });
        } else if let Some(uplink) = self.uplink(place) {
            self.offer(track, uplink, None, &unasked(), now);
        }
        if sought.is_some() {
            self.seek_found(track, now);
        }
        self.attach_watchers(track, now);
    }

    pub(crate) fn unpublish(&mut self, id: PublicationId, now: Time) {
        let Some(publication) = self.publications.remove(&id) else { return };
        self.forget_repeat(id, &publication);
        publication.shared.closed.store(true, Ordering::Release);
        self.end_track(publication.track, codes::publish_done::TRACK_ENDED, Reason::TrackEnded);
        // What other relays have of the same name is looked for again by those here who asked for it by name.
        if publication.place == Place::Node {
            self.seek_for_readers(now);
        }
    }

    /// One frame or message of a publication.
    pub(crate) fn send(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        publication.shared.pending.fetch_sub(out.payload.len() as u64, Ordering::AcqRel);
        if publication.repeat.as_mut().is_some_and(|repeat| repeat.heard(now)) {
            self.set_repeat(out.publication, now);
        }
        self.put(out, now);
    }

    /// A frame or message, the owner's or a repeated one, on its way to whoever wants it.
    pub(crate) fn put(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        let text = publication.config.kind == TrackKind::Text;
        if !text && !self.tracks.get(&publication.track).is_some_and(Track::wanted) {
            // The last subscriber left after the frame was taken.
            publication.shared.broken.store(true, Ordering::Release);
            return;
        }
        publication.stats.frames += 1;
        publication.stats.bytes += out.payload.len() as u64;
        match publication.config.kind {
            TrackKind::FrameDatagram => self.send_datagrams(out, now),
            TrackKind::FrameStream => self.send_stream(out, now),
            TrackKind::Text => self.send_text(out, now),
            TrackKind::Audio if publication.config.datagram => self.send_datagrams(out, now),
            TrackKind::Audio | TrackKind::Video => self.send_media(out, now),
        }
    }

    fn send_datagrams(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        let Some(track) = self.tracks.get_mut(&publication.track) else { return };
        let Ok(split) = fragments::split(out.payload.len(), out.properties.len()) else {
            publication.stats.drops[DropReason::TooLarge as usize] += 1;
            return;
        };
        let group = publication.next_group;
        publication.next_group += 1;
        let priority = out.priority.unwrap_or(track.traits.priority);
        let count = split.count() as u64;
        track.saw(group, count - 1);
        self.stats.kinds[track.traits.kind_index()] += count;
        let deadline = out.ttl.or(publication.config.ttl).map(|ttl| now.saturating_add(ttl));
        let kept_properties = out.properties.clone();
        let mut encoded: Option<(u64, Vec<Bytes>, Parts)> = None;
        for sink in track.sinks.iter().filter(|sink| sink.forward) {
            let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
            if encoded.as_ref().is_none_or(|(alias, ..)| *alias != sink.alias) {
                let mut parts = Vec::with_capacity(split.count());
                for (object, range) in split.ranges().enumerate() {
                    let header = DatagramHeader {
                        alias: sink.alias,
                        group,
                        object: object as u64,
                        priority: (priority != track.traits.priority).then_some(priority),
                        end_of_group: object as u64 + 1 == count,
                        status: None,
                        properties: if object == 0 { out.properties.clone() } else { Bytes::new() },
                    };
                    self.scratch.clear();
                    if header.encode(&mut self.scratch).is_err() {
                        return;
                    }
                    parts.push(crate::router::joined(&self.scratch, &out.payload[range]));
                }
                let Ok(whole) = Parts::try_from(parts.clone()) else { return };
                encoded = Some((sink.alias, parts, whole));
            }
            let Some((_, parts, whole)) = &encoded else { continue };
            if sink.selection.whole_group(group) {
                let frame = Frame { group, priority, deadline, first_object: 0, parts: whole.clone() };
                conn.queue.push_frame(sink.queue, frame, now);
                self.ready.want_send(sink.conn, conn);
                continue;
            }
            let none = Bytes::new();
            let passes = |object: u64| {
                let location = Location { group, object };
                let properties = if object == 0 { &kept_properties } else { &none };
                sink.takes(&Facts { location, subgroup: None, priority, properties })
            };
            let parts = (0..).zip(parts).filter(|(object, _)| passes(*object));
            let (objects, parts): (Vec<u64>, Vec<Bytes>) = parts.map(|(object, part)| (object, part.clone())).unzip();
            let (Some(first_object), Ok(parts)) = (objects.first().copied(), Parts::try_from(parts)) else { continue };
            conn.queue.push_frame(sink.queue, Frame { group, priority, deadline, first_object, parts }, now);
            self.ready.want_send(sink.conn, conn);
        }
        let id = track.id;
        for (object, range) in split.ranges().enumerate() {
            let properties = if object == 0 { out.properties.clone() } else { Bytes::new() };
            let kept = Kept { subgroup: None, priority, properties, payload: out.payload.slice(range), came: now };
            self.keep(id, Location { group, object: object as u64 }, kept);
        }
        self.end_ranges(id);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let flags = if count > 1 { flag::FRAGMENTED } else { 0 };
        for local in &mut track.locals {
            self.deliveries.push_back(Delivery {
                subscription: local.subscription,
                track: track.id,
                group,
                object: 0,
                priority,
                flags,
                fragments: count as u32,
                properties: out.properties.clone(),
                payload: out.payload.clone(),
            });
            if let Some(subscription) = self.subscriptions.get_mut(&local.subscription) {
                subscription.stats.frames += 1;
                subscription.stats.bytes += out.payload.len() as u64;
            }
        }
    }

    /// The newest frame or message of a publication: where it stands in its track. None: it has sent none yet, or is
    /// not there.
    pub fn newest(&self, id: PublicationId) -> Option<Newest> {
        let publication = self.publications.get(&id)?;
        let track = self.tracks.get(&publication.track)?;
        let largest = track.largest?;
        // A datagram frame's objects are its fragments, and the first one names it.
        let in_datagrams = publication.config.kind == TrackKind::FrameDatagram;
        let object = if in_datagrams { 0 } else { largest.object };
        Some(Newest { group: largest.group, object })
    }

    /// One subgroup stream a frame: the whole group is one object.
    fn send_stream(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        let (id, group) = (publication.track, publication.next_group);
        publication.next_group += 1;
        let header = local_header(id, group, out.priority, !out.properties.is_empty(), true);
        let object = whole_object(0, out.properties, out.payload.len());
        self.put_whole(id, header, object, out.payload, now);
    }

    fn send_text(&mut self, out: Outgoing, now: Time) {
        let Some(publication) = self.publications.get_mut(&out.publication) else { return };
        let id = publication.track;
        let len = out.payload.len() + out.properties.len();
        let full = publication.window.back().is_some_and(|group| {
            group.messages.len() as u64 >= TEXT_GROUP_MESSAGES || group.bytes + len > TEXT_GROUP_BYTES
        });
        let mut opened = None;
        let mut closed = None;
        if full || publication.window.is_empty() {
            closed = publication.window.back().map(|group| group.group);
            let group = publication.next_group;
            publication.next_group += 1;
            publication.window.push_back(TextGroup {
                group,
                bytes: 0,
                messages: Vec::new(),
                priority: out.priority,
                arrived: false,
            });
            opened = Some(group);
        }
        let Some(current) = publication.window.back_mut() else { return };
        let (group, object) = (current.group, current.messages.len() as u64);
        current.messages.push((out.properties.clone(), out.payload.clone()));
        current.bytes += len;
        publication.window_bytes += len;
        publication.trim();
        if let Some(done) = closed {
            self.close_group(id, GroupKey::Local(done), DataEnd::Fin, now);
        }
        if let Some(group) = opened {
            // Any message of the group may carry properties, so the header says that all do.
            self.open_group(id, GroupKey::Local(group), local_header(id, group, out.priority, true, true), now);
        }
        let header = whole_object(object, out.properties, out.payload.len());
        self.put_object(id, GroupKey::Local(group), header, out.payload, now);
    }

    /// A session asks for a track's objects: a link's Text publication sends what may not have arrived, as it was. The
    /// readers know each message by its location, and pass over what they have.
    pub(crate) fn replay(&mut self, id: TrackId, at: ConnIndex, key: RequestKey, now: Time) {
        let (Some(track), Some(conn)) = (self.tracks.get_mut(&id), self.conns.get_mut(at)) else { return };
        let Source::Local(publication) = track.source else { return };
        let Some(publication) = self.publications.get(&publication) else { return };
        if publication.place == Place::Node {
            return;
        }
        let Some(position) = track.sinks.iter().position(|s| s.conn == at && s.request == key) else { return };
        let sink = &track.sinks[position];
        let open = publication.window.back().map(|group| group.group);
        let mut encoded = None;
        for kept in publication.window.iter().filter(|group| !group.arrived) {
            let header = local_header(sink.alias, kept.group, kept.priority, true, true);
            let stream = crate::router::open_stream(conn, sink, track.traits.priority, &header, 0, now, &mut encoded);
            for (object, (properties, payload)) in kept.messages.iter().enumerate() {
                let header = whole_object(object as u64, properties.clone(), payload.len());
                let previous = (object as u64).checked_sub(1);
                let data = crate::router::encode_object(&mut self.scratch, &header, previous, true, payload);
                conn.queue.push_object(stream, data, now);
            }
            if Some(kept.group) != open {
                conn.queue.finish_subgroup(stream);
            } else if let Some(group) = track.groups.get_mut(&GroupKey::Local(kept.group)) {
                // The open group goes on in the stream that now holds its beginning.
                let last = (kept.messages.len() as u64).checked_sub(1);
                group.out.push(Outlet { conn: at, request: key, stream: Some(stream), last });
            }
        }
        self.ready.want_send(at, conn);
    }

    /// Every byte of a group's stream was acknowledged.
    pub(crate) fn stream_arrived(&mut self, id: TrackId, group: u64) {
        let Some(Source::Local(publication)) = self.tracks.get(&id).map(|track| track.source) else { return };
        let Some(publication) = self.publications.get_mut(&publication) else { return };
        if let Some(kept) = publication.window.iter_mut().find(|kept| kept.group == group) {
            kept.arrived = true;
        }
        publication.trim();
    }

    /// A subscriber of a track goes: what it was sent stays counted, and what still waited for it counts as expired.
    pub(crate) fn retire(&mut self, id: TrackId, at: ConnIndex, queue: TrackKey) {
        let Some(Source::Local(publication)) = self.tracks.get(&id).map(|track| track.source) else { return };
        let (Some(publication), Some(conn)) = (self.publications.get_mut(&publication), self.conns.get_mut(at)) else {
            return;
        };
        let queued = conn.queue.stats(queue);
        publication.stats.sent_frames += queued.sent_frames;
        publication.stats.sent_bytes += queued.sent_bytes;
        for (sum, drops) in publication.stats.drops.iter_mut().zip(queued.drops) {
            *sum += drops;
        }
        publication.stats.drops[DropReason::Expired as usize] += queued.queued_frames;
    }

    /// The publication's numbers, with what its subscribers' queues hold and dropped.
    pub fn track_stats(&mut self, id: PublicationId) -> Option<TrackStats> {
        let publication = self.publications.get(&id)?;
        let mut stats = publication.stats;
        if let Some(track) = self.tracks.get(&publication.track) {
            stats.subscribers = (track.sinks.iter().filter(|sink| sink.forward).count() + track.locals.len()) as u32;
            for sink in track.sinks.iter() {
                let Some(conn) = self.conns.get_mut(sink.conn) else { continue };
                let queued = conn.queue.stats(sink.queue);
                stats.queued_bytes += queued.queued_bytes as u64;
                stats.queued_frames += queued.queued_frames;
                stats.sent_frames += queued.sent_frames;
                stats.sent_bytes += queued.sent_bytes;
                for (sum, drops) in stats.drops.iter_mut().zip(queued.drops) {
                    *sum += drops;
                }
            }
            if let Some(largest) = track.largest {
                (stats.last_group, stats.last_object) = (largest.group, largest.object);
            }
        }
        Some(stats)
    }
}

impl Publication {
    /// Keeps the window within its bounds: what arrived goes first, then the oldest.
    fn trim(&mut self) {
        while self.window.len() > 1 {
            let Some(oldest) = self.window.front() else { return };
            let messages: usize = self.window.iter().map(|group| group.messages.len()).sum();
            let over = self.window_bytes > TEXT_WINDOW_BYTES || messages > self.config.window_messages as usize;
            if !(oldest.arrived || over) {
                return;
            }
            self.window_bytes -= oldest.bytes;
            self.window.pop_front();
        }
    }
}

pub(crate) fn local_header(
    alias: u64,
    group: u64,
    priority: Option<u8>,
    has_properties: bool,
    ends: bool,
) -> SubgroupHeader {
    SubgroupHeader {
        alias,
        group,
        subgroup: SubgroupId::Zero,
        priority,
        has_properties,
        end_of_group: ends,
        first_object: true,
    }
}

pub(crate) fn whole_object(object: u64, properties: Bytes, payload_len: usize) -> ObjectHeader {
    let status = (payload_len == 0).then_some(cc_wire::Status::Normal);
    ObjectHeader { object, properties, status, payload_len: payload_len as u64 }
}
