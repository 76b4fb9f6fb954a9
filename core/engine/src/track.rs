//! A track as the engine knows it: where it comes from, who gets it, and its groups in progress.

use std::collections::BTreeMap;

use bytes::Bytes;
use cc_fanout::fragments::Joiner;
use cc_fanout::queue::{GroupOrder, SubgroupKey, Timeouts, TrackConfig, TrackKey};
use cc_session::{DataKey, Fetch, RequestKey};
use cc_wire::{property, Location, Params, Properties, SubgroupHeader, TrackName};

use crate::api::{Delivery, Place, PublicationId, SubscriptionId, Time, TrackId, TrackKind};
use crate::budget::Held;
use crate::conn::ConnIndex;
use crate::joining::Join;
use crate::live::Live;
use crate::malformed::Ends;
use crate::ordered::Ordered;
use crate::outlets::Sinks;
use crate::past::Past;
use crate::selection::{Facts, Selection};
use crate::uplink::Standby;

/// Property 0x3804: the kind of track in the low byte, [`LATEST_WINS`] above it. Ours, from the applications' range.
pub(crate) const TRACK_KIND: u64 = 0x3804;
/// Only the newest frame of the track counts: queues conflate.
pub(crate) const LATEST_WINS: u64 = 0x100;
/// Where nothing else is said (draft -18, "DEFAULT PUBLISHER PRIORITY").
pub(crate) const DEFAULT_PRIORITY: u8 = 128;

/// Where a track's objects come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A publication of this process.
    Local(PublicationId),
    /// A session, by a request stream of its.
    Remote(ConnIndex, RequestKey),
    /// Asked for by name; no answer yet.
    Asked(ConnIndex, RequestKey),
    /// Its session was lost then; it may come back under the same name.
    Lost(Time),
    /// Looked for, and nobody is asked now: see `seeking`.
    Sought,
}

/// One session that the track is sent to.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) conn: ConnIndex,
    pub(crate) request: RequestKey,
    pub(crate) queue: TrackKey,
    /// Its track alias: the track's number, or one of its own if the session has the track already.
    pub(crate) alias: u64,
    /// FORWARD: whether objects are wanted now.
    pub(crate) forward: bool,
    /// Which objects it gets.
    pub(crate) selection: Selection,
    /// What was asked for, with all updates.
    pub(crate) params: Box<Params>,
    /// The subscription is established: answered with SUBSCRIBE_OK, or our PUBLISH was accepted.
    pub(crate) accepted: bool,
    /// The peer asked for it by SUBSCRIBE.
    pub(crate) asked: bool,
    /// It waits for a publisher until then at most; none: for an answer only.
    pub(crate) until: Option<Time>,
    /// The largest location that was told when its objects began to flow: where a joining FETCH ends.
    pub(crate) joined: Option<Location>,
    /// Joining FETCHes that came before it was established.
    pub(crate) joining: Vec<(RequestKey, Fetch)>,
    /// It ends, with SUBSCRIPTION_ENDED, once the track is beyond its range: at -18.
    pub(crate) ends: bool,
}

impl Sink {
    /// Whether it gets an object.
    pub(crate) fn takes(&self, facts: &Facts<'_>) -> bool {
        self.forward && self.selection.passes(facts)
    }
}

/// One local subscription that the track is delivered to.
#[derive(Debug)]
pub(crate) struct LocalSink {
    pub(crate) subscription: SubscriptionId,
    pub(crate) joiner: Joiner,
    /// What its fragments count for.
    pub(crate) joining: Held,
    /// Text alone.
    pub(crate) order: Ordered<Delivery>,
    /// Audio and Video on streams alone.
    pub(crate) live: Option<Box<Live<Delivery>>>,
    pub(crate) last: Option<Location>,
    /// The source was lost then; the first object after it ends the gap.
    pub(crate) lost_at: Option<Time>,
    /// The next delivery comes after something that is missing.
    pub(crate) gap: bool,
    /// It came when the track was here already, and has not begun yet.
    pub(crate) fresh: bool,
    /// It joins late, and the past is on its way.
    pub(crate) join: Option<Box<Join>>,
}

/// Whose group it is: a data stream that is received, or a group of a local publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GroupKey {
    Remote(ConnIndex, DataKey),
    Local(u64),
}

/// Delivery time-outs that the first object of a subgroup gives for it, us; 0 is none, where the track has one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OwnTimeouts {
    object: Option<Time>,
    subgroup: Option<Time>,
}

impl OwnTimeouts {
    /// Those among an object's properties.
    pub(crate) fn read(properties: &[u8]) -> OwnTimeouts {
        let us = |kind| Properties::int_of(properties, kind).map(|ms| ms.saturating_mul(1000));
        OwnTimeouts { object: us(property::OBJECT_DELIVERY_TIMEOUT), subgroup: us(property::SUBGROUP_DELIVERY_TIMEOUT) }
    }

    pub(crate) fn are_given(self) -> bool {
        self.object.is_some() || self.subgroup.is_some()
    }
}

/// A subgroup in progress.
#[derive(Debug)]
pub(crate) struct OpenGroup {
    pub(crate) header: SubgroupHeader,
    pub(crate) last_object: Option<u64>,
    /// What its first object says in place of the track.
    pub(crate) timeouts: OwnTimeouts,
    /// The streams that it goes out on.
    pub(crate) out: Vec<Outlet>,
}

/// A subgroup on its way to one sink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outlet {
    pub(crate) conn: ConnIndex,
    pub(crate) request: RequestKey,
    /// None: nothing more of it goes there.
    pub(crate) stream: Option<SubgroupKey>,
    /// The last object that went into the stream.
    pub(crate) last: Option<u64>,
}

impl Outlet {
    pub(crate) fn is(&self, conn: ConnIndex, request: RequestKey) -> bool {
        self.conn == conn && self.request == request
    }
}

/// A track.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) place: Place,
    pub(crate) name: TrackName,
    pub(crate) capability: Bytes,
    pub(crate) properties: Properties,
    pub(crate) traits: Traits,
    pub(crate) source: Source,
    /// Whether the source was asked for objects.
    pub(crate) forwarding: bool,
    /// The relays that it came through, the first first.
    pub(crate) hops: Vec<u64>,
    /// Other ways to it.
    pub(crate) standby: Vec<Standby>,
    /// It was had by asking for its name, so its source does not offer it.
    pub(crate) by_name: bool,
    /// Its name is another track's now, and what is still under way of it is awaited.
    pub(crate) nameless: bool,
    /// Times in a row that its source found our SUBSCRIBE to be one too many, having not heard yet that the one before
    /// is over.
    pub(crate) asked_again: u8,
    /// Peer id of the publishing session; empty: unknown.
    pub(crate) publisher: String,
    pub(crate) sinks: Sinks,
    pub(crate) locals: Vec<LocalSink>,
    pub(crate) groups: BTreeMap<GroupKey, OpenGroup>,
    pub(crate) largest: Option<Location>,
    /// Where it was told to end, as far as it is remembered.
    pub(crate) ends: Ends,
    /// NEW_GROUP_REQUEST that was passed on, until the largest group grows.
    pub(crate) new_group: Option<u64>,
    /// Recent objects.
    pub(crate) past: Past,
}

/// What a track's properties say about how it is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// A [`TrackKind`] as a number; 0: not told.
    pub(crate) kind: u8,
    pub(crate) latest_wins: bool,
    pub(crate) priority: u8,
    pub(crate) order: GroupOrder,
    /// DYNAMIC_GROUPS: its publisher begins a new group when asked.
    pub(crate) dynamic: bool,
    /// MAX_CACHE_DURATION: how long an object may be served from memory.
    pub(crate) cached_for: Option<Time>,
    /// OBJECT_DELIVERY_TIMEOUT.
    pub(crate) object_timeout: Option<Time>,
    /// SUBGROUP_DELIVERY_TIMEOUT.
    pub(crate) subgroup_timeout: Option<Time>,
}

impl Traits {
    /// Reads them from track properties; a value out of its range counts as not given.
    pub(crate) fn read(properties: &Properties) -> Traits {
        let ms = |id| properties.get_int(id).filter(|ms| *ms > 0).map(|ms| ms.saturating_mul(1000));
        let kind = properties.get_int(TRACK_KIND).unwrap_or(0);
        let priority = properties.get_int(property::DEFAULT_PUBLISHER_PRIORITY).and_then(|p| u8::try_from(p).ok());
        let order = match properties.get_int(property::DEFAULT_PUBLISHER_GROUP_ORDER) {
            Some(2) => GroupOrder::Descending,
            _ => GroupOrder::Ascending,
        };
        Traits {
            kind: (kind & 0xff) as u8,
            latest_wins: kind & LATEST_WINS != 0,
            priority: priority.unwrap_or(DEFAULT_PRIORITY),
            order,
            dynamic: properties.get_int(property::DYNAMIC_GROUPS) == Some(1),
            cached_for: properties.get_int(property::MAX_CACHE_DURATION).map(|ms| ms.saturating_mul(1000)),
            object_timeout: ms(property::OBJECT_DELIVERY_TIMEOUT),
            subgroup_timeout: ms(property::SUBGROUP_DELIVERY_TIMEOUT),
        }
    }

    /// Whether nothing may be dropped: a stream track without a time-out, unless it is live media.
    pub(crate) fn reliable(&self) -> bool {
        self.kind == TrackKind::Text as u8
            || (self.subgroup_timeout.is_none() && self.object_timeout.is_none() && !self.live())
    }

    /// Its kind as an index of eight.
    pub(crate) fn kind_index(&self) -> usize {
        if self.kind < 8 {
            usize::from(self.kind)
        } else {
            0
        }
    }

    /// Whether it is audio or video.
    pub(crate) fn live(&self) -> bool {
        self.kind == TrackKind::Audio as u8 || self.kind == TrackKind::Video as u8
    }

    /// The time-outs of a subgroup whose first object gives some, for a subscription with these parameters.
    pub(crate) fn timeouts(&self, own: OwnTimeouts, params: &Params) -> Timeouts {
        let least = |own: Option<Time>, track: Option<Time>, asked: Option<u64>| {
            let asked = asked.map(|ms| ms.saturating_mul(1000));
            let publisher = own.map_or(track, Some);
            publisher.into_iter().chain(asked).filter(|us| *us > 0).min()
        };
        Timeouts {
            object: least(own.object, self.object_timeout, params.object_delivery_timeout),
            subgroup: least(own.subgroup, self.subgroup_timeout, params.subgroup_delivery_timeout),
        }
    }

    /// How a session's queue is to treat the track, for a subscription with these parameters: of the publisher's and
    /// the subscriber's time-outs the smaller one counts, and 0 is none.
    pub(crate) fn queue_config(&self, params: &Params) -> TrackConfig {
        let us = |ms: Option<u64>| ms.filter(|ms| *ms > 0).map(|ms| ms.saturating_mul(1000));
        let object = us(params.object_delivery_timeout);
        let subgroup = us(params.subgroup_delivery_timeout);
        TrackConfig {
            subscriber_priority: params.subscriber_priority.unwrap_or(DEFAULT_PRIORITY),
            group_order: params.group_order.unwrap_or(self.order),
            latest_wins: self.latest_wins,
            object_timeout: self.object_timeout.into_iter().chain(object).min(),
            subgroup_timeout: self.subgroup_timeout.into_iter().chain(subgroup).min(),
            // Datagrams are never reliable; what is not told to be a datagram track may carry streams. A subscriber that
            // names a time-out wants no object after it, of whatever kind of track.
            reliable: self.reliable()
                && self.kind != TrackKind::FrameDatagram as u8
                && object.is_none()
                && subgroup.is_none(),
        }
    }
}

impl Track {
    /// Whether it is one of messages.
    pub(crate) fn is_text(&self) -> bool {
        self.traits.kind == TrackKind::Text as u8
    }

    /// Whether it comes from another shard of this relay.
    pub(crate) fn is_siblings(&self) -> bool {
        matches!(self.source, Source::Remote(at, _) if at >= crate::SIBLINGS)
    }

    /// The track's number on the wire, the same for all who receive it from here.
    pub(crate) fn alias(&self) -> u64 {
        self.id
    }

    /// What a local subscription has of it.
    pub(crate) fn reader(&mut self, subscription: SubscriptionId) -> Option<&mut LocalSink> {
        self.locals.iter_mut().find(|local| local.subscription == subscription)
    }

    /// The sink of a session's request.
    pub(crate) fn sink(&self, at: ConnIndex, request: RequestKey) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.conn == at && sink.request == request)
    }

    /// The sink of a session's request.
    pub(crate) fn sink_mut(&mut self, at: ConnIndex, request: RequestKey) -> Option<&mut Sink> {
        self.sinks.iter_mut().find(|sink| sink.conn == at && sink.request == request)
    }

    /// Whether somebody gets its objects now.
    pub(crate) fn wanted(&self) -> bool {
        !self.locals.is_empty() || self.sinks.iter().any(|sink| sink.forward)
    }

    /// The newest location, raised by one that came.
    pub(crate) fn saw(&mut self, group: u64, object: u64) {
        let location = Location { group, object };
        if self.largest.is_none_or(|largest| largest.group < group) {
            self.new_group = None;
        }
        self.largest = Some(self.largest.map_or(location, |largest| largest.max(location)));
    }
}
