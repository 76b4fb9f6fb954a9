//! A local publication as its owner holds it: what becomes of a frame is known before it is handed over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use cc_engine::{Drops, PublicationId, PublicationShared, Time, TrackConfig, TrackKind};
use cc_fanout::fragments;

/// What became of a frame; the C ABI's `CcFate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    /// It waits for the node.
    Queued = 0,
    /// The publisher's queue is full, or the node's inbox.
    NoRoom = 1,
    /// No frame of this kind may be so large.
    TooLarge = 2,
    /// The link is down.
    NotConnected = 3,
    /// The publication or its node has ended.
    Closed = 4,
    /// Nobody wants it now.
    NoSubscriber = 5,
    /// Video: the group that it continues was not taken whole.
    NoGroup = 6,
}

/// One frame or message to send; copied before the call returns.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Where to.
    pub publication: &'a Publication,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Object properties, encoded; empty: none.
    pub properties: &'a [u8],
    /// Publisher priority; none: the track's.
    pub priority: Option<u8>,
    /// Time to live in the queue, microseconds; none: the track's.
    pub ttl: Option<Time>,
    /// Audio and Video: it begins a group.
    pub new_group: bool,
    /// Audio and Video: its group ends with it.
    pub end_group: bool,
}

/// A local publication.
#[derive(Debug)]
pub struct Publication {
    id: PublicationId,
    kind: TrackKind,
    /// Whether a payload goes out in datagrams.
    datagram: bool,
    shared: Arc<PublicationShared>,
    /// Payload bytes that may wait for the engine.
    bound: u64,
    /// Largest payload with its properties, of a kind that is not split.
    largest: usize,
    refused: Refused,
}

/// Frames refused here, before the engine knew of them.
#[derive(Debug, Default)]
struct Refused {
    no_room: AtomicU64,
    too_large: AtomicU64,
    not_connected: AtomicU64,
}

impl Publication {
    pub(crate) fn new(
        id: PublicationId,
        config: &TrackConfig,
        shared: Arc<PublicationShared>,
        largest: usize,
    ) -> Publication {
        let (kind, bound) = (config.kind, config.queue_bytes as u64);
        let datagram = kind == TrackKind::FrameDatagram || config.datagram;
        shared.broken.store(kind == TrackKind::Video, Ordering::Relaxed);
        Publication { id, kind, datagram, shared, bound, largest, refused: Refused::default() }
    }

    /// Its id, chosen by the owner.
    pub fn id(&self) -> PublicationId {
        self.id
    }

    /// What kind of track it is.
    pub fn kind(&self) -> TrackKind {
        self.kind
    }

    /// How many subscribers want its objects now.
    pub fn subscribers(&self) -> u32 {
        self.shared.subscribers.load(Ordering::Relaxed)
    }

    /// Frames refused here, by drop reason: no room (2), too large (3), and as expired (0) what came while the link
    /// was down, since it could not have waited for its return.
    pub fn refused(&self) -> Drops {
        let mut drops = Drops::default();
        drops[0] = self.refused.not_connected.load(Ordering::Relaxed);
        drops[2] = self.refused.no_room.load(Ordering::Relaxed);
        drops[3] = self.refused.too_large.load(Ordering::Relaxed);
        drops
    }

    /// Decides a frame's fate; [`Fate::Queued`] has reserved its payload's bytes; the engine gives
    /// them back when it takes the frame.
    ///
    /// Text waits for a link that is down and for subscribers that are yet to come: the engine keeps it in its replay
    /// window. Frames do neither. Of a video group the rest is refused once one of its frames was.
    pub(crate) fn admit(&self, payload: usize, properties: usize, new_group: bool, end_group: bool) -> Fate {
        if self.kind != TrackKind::Video {
            return self.take(payload, properties, false);
        }
        // Cleared before the frame is decided on: a group that breaks meanwhile stays broken.
        let broken = if new_group {
            self.shared.broken.store(false, Ordering::Relaxed);
            false
        } else {
            self.shared.broken.load(Ordering::Relaxed)
        };
        let fate = self.take(payload, properties, broken);
        if fate != Fate::Queued || end_group {
            self.shared.broken.store(true, Ordering::Relaxed);
        }
        fate
    }

    fn take(&self, payload: usize, properties: usize, broken: bool) -> Fate {
        if self.shared.closed.load(Ordering::Relaxed) {
            return Fate::Closed;
        }
        let fits = match self.datagram {
            true => fragments::split(payload, properties).is_ok(),
            false => payload.saturating_add(properties) <= self.largest,
        };
        if !fits {
            self.refused.too_large.fetch_add(1, Ordering::Relaxed);
            return Fate::TooLarge;
        }
        if self.kind != TrackKind::Text {
            if !self.shared.connected.load(Ordering::Relaxed) {
                self.refused.not_connected.fetch_add(1, Ordering::Relaxed);
                return Fate::NotConnected;
            }
            if self.subscribers() == 0 {
                return Fate::NoSubscriber;
            }
            if broken {
                return Fate::NoGroup;
            }
        }
        let bytes = payload as u64;
        let before = self.shared.pending.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.bound {
            self.shared.pending.fetch_sub(bytes, Ordering::Relaxed);
            self.refused.no_room.fetch_add(1, Ordering::Relaxed);
            return Fate::NoRoom;
        }
        Fate::Queued
    }

    /// Gives back what [`admit`](Self::admit) reserved for a frame that found the inbox full.
    pub(crate) fn give_back(&self, payload: usize) {
        self.shared.pending.fetch_sub(payload as u64, Ordering::Relaxed);
        self.refused.no_room.fetch_add(1, Ordering::Relaxed);
        self.shared.broken.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;
    use cc_wire::{Namespace, TrackName};

    fn publication(kind: TrackKind) -> (Publication, Arc<PublicationShared>) {
        let shared = Arc::new(PublicationShared::default());
        shared.connected.store(true, Ordering::Relaxed);
        shared.subscribers.store(1, Ordering::Relaxed);
        let name = TrackName::new(Namespace::parse("g").unwrap(), Bytes::from_static(b"t")).unwrap();
        let config = TrackConfig {
            name,
            kind,
            capability: Bytes::new(),
            properties: Bytes::new(),
            priority: 128,
            latest_wins: false,
            datagram: false,
            microsecond_groups: false,
            ttl: None,
            object_timeout_ms: 0,
            subgroup_timeout_ms: 0,
            window_messages: 0,
            queue_bytes: 1000,
            token: None,
        };
        (Publication::new(1, &config, shared.clone(), 800), shared)
    }

    #[test]
    fn bytes_are_bounded_until_the_engine_takes_them() {
        let (publication, shared) = publication(TrackKind::FrameStream);
        assert_eq!(publication.admit(600, 100, false, false), Fate::Queued);
        assert_eq!(publication.admit(500, 0, false, false), Fate::NoRoom);
        assert_eq!(publication.admit(400, 0, false, false), Fate::Queued);
        assert_eq!(shared.pending.load(Ordering::Relaxed), 1000);
        shared.pending.store(0, Ordering::Relaxed);
        assert_eq!(publication.admit(500, 0, false, false), Fate::Queued);
        assert_eq!(publication.refused()[2], 1);
    }

    #[test]
    fn what_no_queue_can_carry_is_too_large() {
        let (stream, _) = publication(TrackKind::FrameStream);
        assert_eq!(stream.admit(801, 0, false, false), Fate::TooLarge);
        assert_eq!(stream.admit(usize::MAX, 1, false, false), Fate::TooLarge);
        let (datagram, _) = publication(TrackKind::FrameDatagram);
        assert_eq!(datagram.admit(8 * 1100 + 1, 0, false, false), Fate::TooLarge);
        assert_eq!(datagram.refused()[3], 1);
    }

    #[test]
    fn frames_need_a_link_and_a_subscriber_and_text_needs_neither() {
        for (kind, down, alone) in [
            (TrackKind::FrameDatagram, Fate::NotConnected, Fate::NoSubscriber),
            (TrackKind::FrameStream, Fate::NotConnected, Fate::NoSubscriber),
            (TrackKind::Text, Fate::Queued, Fate::Queued),
        ] {
            let (publication, shared) = publication(kind);
            shared.connected.store(false, Ordering::Relaxed);
            assert_eq!(publication.admit(10, 0, false, false), down);
            shared.connected.store(true, Ordering::Relaxed);
            shared.subscribers.store(0, Ordering::Relaxed);
            assert_eq!(publication.admit(10, 0, false, false), alone);
            shared.closed.store(true, Ordering::Relaxed);
            assert_eq!(publication.admit(10, 0, false, false), Fate::Closed);
        }
    }

    #[test]
    fn a_video_group_is_taken_whole_or_up_to_what_was_refused() {
        let (publication, shared) = publication(TrackKind::Video);
        assert_eq!(publication.admit(10, 0, false, false), Fate::NoGroup);
        assert_eq!(publication.admit(10, 0, true, false), Fate::Queued);
        assert_eq!(publication.admit(10, 0, false, false), Fate::Queued);
        assert_eq!(publication.admit(801, 0, false, false), Fate::TooLarge);
        assert_eq!(publication.admit(10, 0, false, false), Fate::NoGroup);
        assert_eq!(publication.admit(10, 0, true, false), Fate::Queued);
        shared.broken.store(true, Ordering::Relaxed);
        assert_eq!(publication.admit(10, 0, false, false), Fate::NoGroup);
    }
}
