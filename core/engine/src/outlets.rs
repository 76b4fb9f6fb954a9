//! The sessions that a track goes to, and a short list of them for what comes in datagrams.
//!
//! Most sessions want all of a track from some location on. Where all of its sessions do, a datagram needs no more of
//! each than where its queue is; and what else there is to know of a session is many cache lines.

use std::ops::{Deref, DerefMut};

use cc_fanout::queue::TrackKey;
use cc_wire::Location;

use crate::conn::ConnIndex;
use crate::track::Sink;

/// All sinks of a track, as a vector.
#[derive(Debug, Default)]
pub(crate) struct Sinks {
    all: Vec<Sink>,
    /// The vector may have changed since the rest was made of it.
    changed: bool,
    /// Those that want objects now.
    ways: Vec<(ConnIndex, TrackKey)>,
    /// The alias of all of `ways`.
    alias: u64,
    /// From here on each of `ways` gets all there is; none: there is one that does not, or has an alias of its own.
    from: Option<Location>,
}

impl Sinks {
    /// The queues that get whatever comes at this location, and the alias that it has in all of them. None: each sink
    /// is to be asked.
    pub(crate) fn ways(&mut self, location: Location) -> Option<(u64, &[(ConnIndex, TrackKey)])> {
        if self.changed {
            self.changed = false;
            self.list();
        }
        self.from.filter(|from| *from <= location).map(|_| (self.alias, &self.ways[..]))
    }

    fn list(&mut self) {
        let forward = || self.all.iter().filter(|sink| sink.forward);
        self.ways.clear();
        self.ways.extend(forward().map(|sink| (sink.conn, sink.queue)));
        self.alias = forward().next().map_or(0, |sink| sink.alias);
        let plain = |sink: &Sink| sink.alias == self.alias && sink.selection.is_open();
        let all = forward().all(plain) && !self.all.iter().any(|sink| sink.ends);
        self.from = all.then(|| forward().map(|sink| sink.selection.start).max().unwrap_or_default());
    }

    /// The sinks, of a track that is no more.
    pub(crate) fn into_all(self) -> Vec<Sink> {
        self.all
    }
}

impl From<Vec<Sink>> for Sinks {
    fn from(all: Vec<Sink>) -> Sinks {
        Sinks { all, changed: true, ..Sinks::default() }
    }
}

impl Deref for Sinks {
    type Target = Vec<Sink>;

    fn deref(&self) -> &Vec<Sink> {
        &self.all
    }
}

impl DerefMut for Sinks {
    fn deref_mut(&mut self) -> &mut Vec<Sink> {
        self.changed = true;
        &mut self.all
    }
}
