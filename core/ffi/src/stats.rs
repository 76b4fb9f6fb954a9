//! Readings. Each takes its node's lock for a moment: it waits for the pass that is under way.

use std::sync::atomic::Ordering;

use cc_engine::{Limit, LinkStats, Refusals, TrackStats};
use cc_shard::{NodeError, NodeStats};

use crate::boundary::{call, Failure, Out};
use crate::generated::{link_state, CcLinkStats, CcNodeStats, CcSubscriptionStats, CcTrackStats};
use crate::handle::{self, Object};
use crate::node::NodeBox;
use crate::subscribe::Subscription;
use crate::track::Track;

/// Counters of a node.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_stats(node: u64, stats: *mut CcNodeStats) -> i32 {
    call("cc_node_stats", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(stats, "stats") }?;
        let node = handle::get::<NodeBox>(node)?;
        out.write(counters(&node.node.stats()?, node.node.shards()));
        Ok(())
    })
}

/// Counters of one shard of a node.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_shard_stats(node: u64, shard: u32, stats: *mut CcNodeStats) -> i32 {
    call("cc_node_shard_stats", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(stats, "stats") }?;
        let node = handle::get::<NodeBox>(node)?;
        let shards = node.node.shards();
        let stats = match node.node.shard_stats(shard as usize) {
            Err(NodeError::Unknown) => {
                return Err(Failure::argument(format!("shard {shard}: the node has {shards}, numbered from 0")));
            }
            other => other?,
        };
        out.write(counters(&stats, 1));
        Ok(())
    })
}

fn counters(stats: &NodeStats, shards: usize) -> CcNodeStats {
    let engine = &stats.engine;
    CcNodeStats {
        sessions: engine.sessions,
        sessions_total: engine.sessions_total,
        sessions_refused: engine.sessions_refused,
        objects_in: engine.objects_in,
        kinds: engine.kinds,
        objects_out: engine.objects_out,
        bytes_in: engine.bytes_in,
        bytes_out: engine.bytes_out,
        packets_in: engine.packets_in,
        packets_out: engine.packets_out,
        syscalls_send: stats.sends,
        syscalls_recv: stats.receives,
        cpu_us: stats.cpu_us,
        tracks: engine.tracks,
        subscriptions: engine.subscriptions,
        drops: engine.drops,
        auth_waiting: u64::from(engine.auth_waiting),
        malformed: engine.malformed + stats.receive_errors,
        send_errors: stats.send_errors,
        handshakes: engine.handshakes,
        refused: refusals(&engine.refused),
        shards: shards as u64,
        crossed_in: engine.crossed_in,
        crossed_out: engine.crossed_out,
        handed_over: stats.handed_over,
        handed_lost: stats.handed_lost,
        restarts: stats.restarts,
        ..CcNodeStats::EMPTY
    }
}

/// Refusals at their places in the ABI's array, which has room for more kinds.
fn refusals(refused: &Refusals) -> [u64; 48] {
    const { assert!(Limit::COUNT <= 48) };
    let mut all = [0; 48];
    all[..Limit::COUNT].copy_from_slice(refused.all());
    all
}

/// State and counters of a link or of a relay's session.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_stats(link_or_session: u64, stats: *mut CcLinkStats) -> i32 {
    call("cc_link_stats", || {
        const WANTED: &str = "link or session";
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(stats, "stats") }?;
        let stats = match handle::get_any(link_or_session, WANTED)? {
            Object::Link(link) => match link.node.node.link_stats(link.handle) {
                // Either the thread has not taken it in yet, or the link has ended.
                Err(NodeError::Unknown) => LinkStats {
                    state: match link.ended.load(Ordering::Acquire) {
                        true => link_state::CLOSED,
                        false => link_state::CONNECTING,
                    },
                    ..LinkStats::default()
                },
                other => other?,
            },
            Object::Session(session) => session.node.node.session_stats(session.id)?,
            _ => return Err(handle::bad(link_or_session, WANTED, false)),
        };
        out.write(CcLinkStats {
            state: stats.state,
            draft: stats.draft,
            reconnects: stats.reconnects,
            rtt_us: stats.rtt,
            rtt_min_us: stats.rtt_min,
            jitter_us: stats.jitter,
            congestion_window: stats.congestion_window,
            in_flight: stats.in_flight,
            send_rate: stats.send_rate,
            queued_bytes: stats.queued_bytes,
            packets_sent: stats.packets_sent,
            packets_lost: stats.packets_lost,
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            frames_sent: stats.frames_sent,
            frames_received: stats.frames_received,
            drops: stats.drops,
            queue_delay_us: stats.queue_delay,
            mtu: stats.mtu,
            ..CcLinkStats::EMPTY
        });
        Ok(())
    })
}

/// Counters of a publication.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_track_stats(publication: u64, stats: *mut CcTrackStats) -> i32 {
    call("cc_track_stats", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(stats, "stats") }?;
        let track = handle::get::<Track>(publication)?;
        let stats = match track.node.node.track_stats(&track.publication) {
            // The thread has not taken it in yet, or it has ended: what was refused is known all the same.
            Err(NodeError::Unknown) => TrackStats { drops: track.publication.refused(), ..TrackStats::default() },
            other => other?,
        };
        out.write(CcTrackStats {
            subscribers: stats.subscribers,
            frames: stats.frames,
            bytes: stats.bytes,
            queued_bytes: stats.queued_bytes,
            queued_frames: stats.queued_frames,
            sent_frames: stats.sent_frames,
            sent_bytes: stats.sent_bytes,
            drops: stats.drops,
            last_group: stats.last_group,
            last_object: stats.last_object,
            ..CcTrackStats::EMPTY
        });
        Ok(())
    })
}

/// Counters of a subscription.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_subscription_stats(subscription: u64, stats: *mut CcSubscriptionStats) -> i32 {
    call("cc_subscription_stats", || {
        // SAFETY: the caller's promise.
        let out = unsafe { Out::new(stats, "stats") }?;
        let subscription = handle::get::<Subscription>(subscription)?;
        let engine = match subscription.node.node.subscription_stats(subscription.handle) {
            // The thread has not taken it in yet, or it has ended; the feed's readings stand.
            Err(NodeError::Unknown) => Default::default(),
            other => other?,
        };
        let feed = subscription.feed.stats();
        out.write(CcSubscriptionStats {
            tracks: engine.tracks,
            frames: engine.frames,
            bytes: engine.bytes,
            waiting_frames: feed.waiting_frames,
            waiting_bytes: feed.waiting_bytes,
            dropped: feed.dropped,
            gaps: engine.gaps,
            duplicates: engine.duplicates,
            incomplete: engine.incomplete,
            superseded: engine.superseded,
            ..CcSubscriptionStats::EMPTY
        });
        Ok(())
    })
}
