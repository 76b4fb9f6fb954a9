//! Statistics of engines, links, tracks and subscriptions.

use super::Time;

/// Drops by [`cc_fanout::queue::DropReason`].
pub type Drops = [u64; 8];

/// Readings of a link or session.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkStats {
    /// 0 connecting, 1 up, 2 waiting to dial again, 3 closed.
    pub state: u32,
    /// Draft number, once known.
    pub draft: u32,
    /// Times it came back.
    pub reconnects: u32,
    /// Smoothed round trip.
    pub rtt: Time,
    /// Least round trip.
    pub rtt_min: Time,
    /// Mean deviation of the round trip.
    pub jitter: Time,
    /// Bytes.
    pub congestion_window: u64,
    /// Bytes sent and neither acknowledged nor lost.
    pub in_flight: u64,
    /// Estimated rate that the path takes, bytes/s.
    pub send_rate: u64,
    /// Queueing delay that the controller sees.
    pub queue_delay: Time,
    /// Bytes waiting here.
    pub queued_bytes: u64,
    /// QUIC packets.
    pub packets_sent: u64,
    /// QUIC packets declared lost.
    pub packets_lost: u64,
    /// UDP payload bytes.
    pub bytes_sent: u64,
    /// UDP payload bytes.
    pub bytes_received: u64,
    /// Objects.
    pub frames_sent: u64,
    /// Objects.
    pub frames_received: u64,
    /// Not delivered, by reason.
    pub drops: Drops,
    /// Bytes a UDP payload may have on this path.
    pub mtu: u64,
}

/// Where a publication's newest frame or message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Group id.
    pub group: u64,
    /// Object id; the first one's, if it went in fragments.
    pub object: u64,
}

/// Readings of a publication.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrackStats {
    /// Subscribers that want objects.
    pub subscribers: u32,
    /// Frames taken.
    pub frames: u64,
    /// Payload bytes taken.
    pub bytes: u64,
    /// Bytes waiting, over all subscribers.
    pub queued_bytes: u64,
    /// Frames waiting, over all subscribers.
    pub queued_frames: u64,
    /// Frames handed to QUIC, over all subscribers.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Not delivered, by reason.
    pub drops: Drops,
    /// Newest location.
    pub last_group: u64,
    /// Newest location.
    pub last_object: u64,
}

/// Readings of a local subscription, as far as the engine knows them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubscriptionStats {
    /// Tracks that match now.
    pub tracks: u32,
    /// Frames delivered.
    pub frames: u64,
    /// Payload bytes delivered.
    pub bytes: u64,
    /// Times a gap was seen.
    pub gaps: u64,
    /// Objects that came twice.
    pub duplicates: u64,
    /// Fragmented frames that never completed.
    pub incomplete: u64,
    /// Audio and video: objects of groups that were given up for a newer one, or joined midway.
    pub superseded: u64,
}

/// Readings of an engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineStats {
    /// Sessions now.
    pub sessions: u32,
    /// Sessions waiting to be admitted.
    pub auth_waiting: u32,
    /// Sessions ever accepted.
    pub sessions_total: u64,
    /// Connections and sessions turned away.
    pub sessions_refused: u64,
    /// Objects that came in from sessions and links.
    pub objects_in: u64,
    /// Objects handed to QUIC.
    pub objects_out: u64,
    /// UDP payload bytes.
    pub bytes_in: u64,
    /// UDP payload bytes.
    pub bytes_out: u64,
    /// UDP datagrams.
    pub packets_in: u64,
    /// UDP datagrams.
    pub packets_out: u64,
    /// Tracks now.
    pub tracks: u64,
    /// Downstream subscriptions now.
    pub subscriptions: u64,
    /// Not delivered, by reason.
    pub drops: Drops,
    /// Sessions ended for breaking the protocol, and packets that made no sense.
    pub malformed: u64,
    /// Objects that came in or were published here, by [`TrackKind`]; 0: of tracks that do not say.
    pub kinds: [u64; 8],
    /// Handshakes under way.
    pub handshakes: u64,
    /// How often each bound was met.
    pub refused: crate::limits::Refusals,
    /// Objects that came from sibling shards.
    pub crossed_in: u64,
    /// Objects that went to sibling shards.
    pub crossed_out: u64,
}
