//! The engine's numbers, for whoever asks.

use std::time::Duration;

use cc_fanout::queue::DropReason;
use cc_session::Counters;

use crate::api::{Drops, EngineStats, LinkId, LinkStats, SessionId, Time};
use crate::conn::{Conn, Side, Stage};
use crate::limits::{Limit, Refusals};
use crate::{Engine, SIBLINGS};

/// Adds what a session has refused by itself.
pub(crate) fn count(refused: &mut Refusals, counters: &Counters) {
    refused.add(Limit::Requests, counters.excess_requests);
    refused.add(Limit::StreamsMax, counters.excess_data);
    refused.add(Limit::AssemblyBytes, counters.excess_assembly);
    refused.add(Limit::ObjectBytes, counters.streams_too_large);
    refused.add(Limit::EarlyStreams, counters.streams_unknown);
    refused.add(Limit::EarlyBytes, counters.datagrams_unknown);
    refused.add(Limit::Updates, counters.updates_put_off);
}

/// Adds what a connection did not deliver. Before a sibling's queue is full its ring is.
pub(crate) fn add_drops(sum: &mut Drops, conn: &mut Conn) {
    let totals = conn.queue.totals();
    for (index, count) in totals.drops.iter().enumerate() {
        let crossing = matches!(conn.side, Side::Sibling { .. });
        let reason =
            if crossing && index == DropReason::NoRoom as usize { DropReason::RingFull as usize } else { index };
        sum[reason] += count + conn.drops.as_ref().map_or(0, |own| own[index]);
    }
}

impl Engine {
    /// Readings of a link; none if it is closed.
    pub fn link_stats(&mut self, link: LinkId) -> Option<LinkStats> {
        let found = self.links.get(&link)?;
        let (state, reconnects) = (found.state_number(), found.reconnects);
        let conn = found.conn.and_then(|at| self.conns.get_mut(at));
        let mut stats = conn.map(|conn| conn.stats()).unwrap_or_default();
        (stats.state, stats.reconnects) = (state, reconnects);
        Some(stats)
    }

    /// Readings of a session; none if it is gone.
    pub fn session_stats(&mut self, session: SessionId) -> Option<LinkStats> {
        let at = *self.sessions.get(&session)?;
        let conn = self.conns.get_mut(at)?;
        let mut stats = conn.stats();
        stats.state = u32::from(conn.stage == Stage::Up);
        Some(stats)
    }

    /// The engine's own numbers.
    pub fn stats(&mut self) -> EngineStats {
        let mut stats = self.stats;
        (stats.objects_in, stats.objects_out) = self.past_objects;
        stats.drops = self.past_drops;
        stats.refused = self.refused;
        for at in self.conns.indices() {
            let Some(conn) = self.conns.get_mut(at) else { continue };
            if conn.stage == Stage::Closed {
                continue;
            }
            if let Side::Sibling { .. } = conn.side {
                let totals = conn.queue.totals();
                stats.crossed_in += conn.objects_in;
                stats.crossed_out += totals.sent_frames;
                add_drops(&mut stats.drops, conn);
                continue;
            }
            stats.objects_in += conn.objects_in;
            if let Some(session) = &conn.session {
                count(&mut stats.refused, &session.counters());
            }
            let totals = conn.queue.totals();
            stats.objects_out += totals.sent_frames;
            add_drops(&mut stats.drops, conn);
            if let Side::Session(_) = conn.side {
                stats.sessions += u32::from(conn.stage == Stage::Up);
                stats.auth_waiting += u32::from(matches!(conn.stage, Stage::Parked { .. }));
            }
        }
        stats.handshakes = self.door.handshakes() as u64;
        if !self.siblings.some() {
            stats.tracks = self.tracks.len() as u64;
            stats.subscriptions = self.tracks.values().map(|track| track.sinks.len() as u64).sum();
            return stats;
        }
        // A sibling's tracks and demand are counted there.
        stats.tracks = self.tracks.values().filter(|track| !track.is_siblings()).count() as u64;
        let sinks = self.tracks.values().flat_map(|track| track.sinks.iter());
        stats.subscriptions = sinks.filter(|sink| sink.conn < SIBLINGS).count() as u64;
        stats
    }
}

impl EngineStats {
    fn each(&mut self, other: &EngineStats, mut join: impl FnMut(&mut u64, u64)) {
        join(&mut self.sessions_total, other.sessions_total);
        join(&mut self.sessions_refused, other.sessions_refused);
        join(&mut self.objects_in, other.objects_in);
        join(&mut self.objects_out, other.objects_out);
        join(&mut self.bytes_in, other.bytes_in);
        join(&mut self.bytes_out, other.bytes_out);
        join(&mut self.packets_in, other.packets_in);
        join(&mut self.packets_out, other.packets_out);
        join(&mut self.malformed, other.malformed);
        join(&mut self.crossed_in, other.crossed_in);
        join(&mut self.crossed_out, other.crossed_out);
        self.drops.iter_mut().zip(other.drops).for_each(|(sum, more)| join(sum, more));
        self.kinds.iter_mut().zip(other.kinds).for_each(|(sum, more)| join(sum, more));
        for limit in Limit::ALL {
            let mut sum = self.refused.of(*limit);
            join(&mut sum, other.refused.of(*limit));
            self.refused.set(*limit, sum);
        }
    }

    /// The counts alone, without what there is at the moment.
    pub fn counts(&self) -> EngineStats {
        let mut counts = EngineStats::default();
        counts.each(self, |sum, count| *sum += count);
        counts
    }
}

impl std::ops::AddAssign for EngineStats {
    fn add_assign(&mut self, other: EngineStats) {
        self.each(&other, |sum, more| *sum += more);
        self.sessions += other.sessions;
        self.auth_waiting += other.auth_waiting;
        self.tracks += other.tracks;
        self.subscriptions += other.subscriptions;
        self.handshakes += other.handshakes;
    }
}

impl Conn {
    /// Readings.
    fn stats(&mut self) -> LinkStats {
        let rtt = self.carrier.quic().map(|quic| quic.rtt()).unwrap_or_default();
        let quic = self.carrier.quic().map(|quic| quic.stats()).unwrap_or_default();
        let totals = self.queue.totals();
        let micros = |duration: Duration| duration.as_micros() as Time;
        let mut drops = totals.drops;
        for (sum, own) in drops.iter_mut().zip(self.drops.as_deref().into_iter().flatten()) {
            *sum += own;
        }
        LinkStats {
            state: 0,
            draft: u32::from(self.profile.number()),
            reconnects: 0,
            rtt: micros(rtt),
            rtt_min: micros(self.readings.min_rtt()),
            jitter: micros(self.readings.rtt_deviation()),
            congestion_window: self.readings.window(),
            in_flight: self.readings.in_flight(),
            send_rate: self.readings.send_rate(),
            queue_delay: micros(self.readings.queue_delay()),
            queued_bytes: self.queue.bytes() as u64,
            packets_sent: quic.path.sent_packets,
            packets_lost: quic.path.lost_packets,
            bytes_sent: quic.udp_tx.bytes,
            bytes_received: quic.udp_rx.bytes,
            frames_sent: totals.sent_frames,
            frames_received: self.objects_in,
            drops,
            mtu: u64::from(quic.path.current_mtu),
        }
    }
}
