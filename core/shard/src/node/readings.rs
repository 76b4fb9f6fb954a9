//! A node's numbers, for whoever asks.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use cc_engine::{EngineStats, LinkId, LinkStats, SessionId, SubscriptionId, SubscriptionStats, TrackId, TrackStats};

use super::Node;
use crate::config::NodeError;
use crate::publication::Publication;

/// Readings of a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeStats {
    /// The engine's.
    pub engine: EngineStats,
    /// Send calls on the socket.
    pub sends: u64,
    /// Receive calls on the socket, those that found nothing too.
    pub receives: u64,
    /// CPU time, user and system, of the driving thread; of the calls to `drive` where the caller drives. Microseconds.
    /// A thread looks at most every 2 ms, so what it did within 2 ms of its last look before a sleep is told after it.
    pub cpu_us: u64,
    /// Datagrams that the system refused to send.
    pub send_errors: u64,
    /// Datagrams that arrived damaged.
    pub receive_errors: u64,
    /// Packets that came to another shard's socket than their connection's, and were handed over.
    pub handed_over: u64,
    /// The same that found no room on the way.
    pub handed_lost: u64,
    /// Times that a shard failed and was started again.
    pub restarts: u64,
}

impl std::ops::AddAssign for NodeStats {
    fn add_assign(&mut self, other: NodeStats) {
        self.engine += other.engine;
        self.sends += other.sends;
        self.receives += other.receives;
        self.cpu_us += other.cpu_us;
        self.send_errors += other.send_errors;
        self.receive_errors += other.receive_errors;
        self.handed_over += other.handed_over;
        self.handed_lost += other.handed_lost;
        self.restarts += other.restarts;
    }
}

impl Node {
    /// Readings of the node: those of all its shards together.
    ///
    /// # Errors
    /// [`NodeError::Closed`].
    pub fn stats(&self) -> Result<NodeStats, NodeError> {
        let mut sum = NodeStats::default();
        for shard in 0..self.cores.len() {
            sum += self.shard_stats(shard)?;
        }
        Ok(sum)
    }

    /// Readings of one shard, by its number.
    ///
    /// # Errors
    /// [`NodeError::Closed`]; [`NodeError::Unknown`] for a number that no shard has.
    pub fn shard_stats(&self, shard: usize) -> Result<NodeStats, NodeError> {
        let core = self.cores.get(shard).ok_or(NodeError::Unknown)?;
        let engine = core.hold()?.engine_stats();
        let counters = &core.shared.counters;
        let socket = core.shared.socket.as_ref().map(|socket| socket.stats()).unwrap_or_default();
        Ok(NodeStats {
            engine,
            sends: counters.sends.load(Ordering::Relaxed),
            receives: counters.receives.load(Ordering::Relaxed),
            cpu_us: counters.cpu_us.load(Ordering::Relaxed),
            send_errors: socket.too_large + socket.unreachable + socket.refused,
            receive_errors: socket.malformed,
            handed_over: counters.handed_over.load(Ordering::Relaxed),
            handed_lost: counters.handed_lost.load(Ordering::Relaxed),
            restarts: counters.restarts.load(Ordering::Relaxed),
        })
    }

    /// Readings of a link.
    ///
    /// # Errors
    /// [`NodeError::Closed`]; [`NodeError::Unknown`] before the node has taken the link in, and after its end.
    pub fn link_stats(&self, link: LinkId) -> Result<LinkStats, NodeError> {
        self.core().hold()?.engine().link_stats(link).ok_or(NodeError::Unknown)
    }

    /// Readings of a session.
    ///
    /// # Errors
    /// As [`link_stats`](Node::link_stats).
    pub fn session_stats(&self, session: SessionId) -> Result<LinkStats, NodeError> {
        self.core_of(session).hold()?.engine().session_stats(session).ok_or(NodeError::Unknown)
    }

    /// Readings of a publication, with what was refused before the engine knew of it.
    ///
    /// # Errors
    /// As [`link_stats`](Node::link_stats).
    pub fn track_stats(&self, publication: &Publication) -> Result<TrackStats, NodeError> {
        let mut stats = self.core().hold()?.engine().track_stats(publication.id()).ok_or(NodeError::Unknown)?;
        for (total, refused) in stats.drops.iter_mut().zip(publication.refused()) {
            *total += refused;
        }
        Ok(stats)
    }

    /// The properties of a track that is delivered to a subscription, encoded.
    ///
    /// # Errors
    /// [`NodeError::Closed`]; [`NodeError::Unknown`] for a track that is over, or no such subscription's.
    pub fn track_properties(&self, subscription: SubscriptionId, track: TrackId) -> Result<Bytes, NodeError> {
        self.core().hold()?.engine().track_properties(subscription, track).ok_or(NodeError::Unknown)
    }

    /// Readings of a subscription, as far as the engine knows them; the feed has its own.
    ///
    /// # Errors
    /// As [`link_stats`](Node::link_stats).
    pub fn subscription_stats(&self, subscription: SubscriptionId) -> Result<SubscriptionStats, NodeError> {
        self.core().hold()?.engine().subscription_stats(subscription).ok_or(NodeError::Unknown)
    }
}
