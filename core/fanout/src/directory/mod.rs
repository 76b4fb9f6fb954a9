//! Names and who wants them: tracks, watches of namespace prefixes, announced namespaces.
//!
//! All is kept in a tree of namespace fields (at most 32 deep), with the number of tracks below
//! each node by capability: a question costs what its answer is long, and not what else is there.
//! Answers are in a fixed order: tracks and namespaces by name, peers by their own order.

mod scope;
mod trie;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use cc_wire::{Namespace, TrackName};

use crate::slab::Slab;
pub use scope::{Coverage, Grant, Scope, ScopeError, MAX_GRANTS};
use trie::{Content, Trie};

/// A track in the directory. An id of a removed track never means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    index: u32,
    generation: u32,
}

/// A watch in the directory. An id of a removed watch never means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId {
    index: u32,
    generation: u32,
}

/// What a track is for: properties 0x3801 and 0x3802 of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The readable tag. Watches compare this.
    pub tag: Bytes,
    /// The low 53 bits of its hash, for the drafts' range filter.
    pub hash: u64,
}

/// What a watch asks of tracks under its prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The capability's tag; `None` for any track, with a capability or without.
    pub capability: Option<Bytes>,
}

/// A track, as it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track<W> {
    /// Its full name.
    pub name: TrackName,
    /// What it is for, if its publisher said.
    pub capability: Option<Capability>,
    /// Who publishes it.
    pub owner: W,
}

/// The name is taken by this track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exists(pub TrackId);

impl fmt::Display for Exists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a track of this name is published already")
    }
}

impl std::error::Error for Exists {}

/// How much of one peer's is in the directory, for the caller's bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Tracks that it owns.
    pub tracks: usize,
    /// Its watches.
    pub watches: usize,
    /// Namespaces that it announced.
    pub namespaces: usize,
    /// Namespace prefixes that it watches.
    pub namespace_watches: usize,
}

/// The names that are known and the prefixes that are watched. `W` identifies a peer: an owner
/// of tracks, a watcher, or both.
#[derive(Debug)]
pub struct Directory<W> {
    tree: Trie<Node<W>>,
    tracks: Slab<Track<W>>,
    watches: Slab<Watch<W>>,
    peers: BTreeMap<W, Peer>,
}

#[derive(Debug)]
struct Watch<W> {
    prefix: Namespace,
    want: Want,
    watcher: W,
}

#[derive(Debug, Default)]
struct Peer {
    tracks: BTreeSet<TrackId>,
    watches: BTreeSet<WatchId>,
    announced: BTreeSet<Namespace>,
    watched: BTreeSet<Namespace>,
}

#[derive(Debug)]
struct Node<W> {
    /// Tracks of exactly this namespace, by name.
    tracks: BTreeMap<Bytes, TrackId>,
    /// The same by capability.
    tagged: BTreeMap<Bytes, BTreeMap<Bytes, TrackId>>,
    /// How many tracks there are here and below.
    total: usize,
    /// The same by capability.
    totals: BTreeMap<Bytes, usize>,
    /// Watches of exactly this prefix, by the capability they ask for.
    watches: BTreeMap<Option<Bytes>, BTreeSet<(W, WatchId)>>,
    /// Who announced exactly this namespace.
    announced: BTreeSet<W>,
    /// Its name, while someone announces it.
    name: Option<Namespace>,
    /// How many announced namespaces there are here and below.
    namespaces: usize,
    /// Who watches for namespaces under exactly this prefix.
    watchers: BTreeSet<W>,
}

impl<W> Default for Node<W> {
    fn default() -> Self {
        Self {
            tracks: BTreeMap::new(),
            tagged: BTreeMap::new(),
            total: 0,
            totals: BTreeMap::new(),
            watches: BTreeMap::new(),
            announced: BTreeSet::new(),
            name: None,
            namespaces: 0,
            watchers: BTreeSet::new(),
        }
    }
}

impl<W> Content for Node<W> {
    fn is_vacant(&self) -> bool {
        self.tracks.is_empty() && self.watches.is_empty() && self.announced.is_empty() && self.watchers.is_empty()
    }
}

/// Whether one of two prefixes is a prefix of the other (equal ones are): two SUBSCRIBE_TRACKS of
/// a session with such are PREFIX_OVERLAP.
pub fn overlaps(a: &Namespace, b: &Namespace) -> bool {
    a.fields().iter().zip(b.fields()).all(|(a, b)| a == b)
}

impl<W: Copy + Ord> Default for Directory<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Copy + Ord> Directory<W> {
    /// An empty directory.
    pub fn new() -> Self {
        Self { tree: Trie::new(), tracks: Slab::new(), watches: Slab::new(), peers: BTreeMap::new() }
    }

    /// Adds a track. A name belongs to one owner at a time.
    pub fn add_track(&mut self, name: TrackName, capability: Option<Capability>, owner: W) -> Result<TrackId, Exists> {
        if let Some(taken) = self.find(&name) {
            return Err(Exists(taken));
        }
        let node = self.tree.enter(name.namespace.fields());
        let leaf = name.name.clone();
        let tag = capability.as_ref().map(|capability| capability.tag.clone());
        let (index, generation) = self.tracks.insert(Track { name, capability, owner });
        let id = TrackId { index, generation };
        self.tree[node].tracks.insert(leaf.clone(), id);
        if let Some(tag) = &tag {
            self.tree[node].tagged.entry(tag.clone()).or_default().insert(leaf, id);
        }
        self.tree.each_up(node, |node| {
            node.total += 1;
            if let Some(tag) = &tag {
                *node.totals.entry(tag.clone()).or_default() += 1;
            }
        });
        self.peers.entry(owner).or_default().tracks.insert(id);
        Ok(id)
    }

    /// Takes a track out; `None` if the id has ended.
    pub fn remove_track(&mut self, id: TrackId) -> Option<Track<W>> {
        self.tracks.resolve(id.index, id.generation)?;
        let track = self.tracks.remove(id.index)?;
        let node = self.tree.find(track.name.namespace.fields())?;
        let tag = track.capability.as_ref().map(|capability| &capability.tag);
        self.tree[node].tracks.remove(&track.name.name);
        if let Some(tag) = tag {
            if let Some(named) = self.tree[node].tagged.get_mut(tag) {
                named.remove(&track.name.name);
                if named.is_empty() {
                    self.tree[node].tagged.remove(tag);
                }
            }
        }
        self.tree.each_up(node, |node| {
            node.total -= 1;
            if let Some(tag) = tag {
                decrement(&mut node.totals, tag);
            }
        });
        self.tree.prune(node);
        self.with_peer(track.owner, |peer| peer.tracks.remove(&id));
        Some(track)
    }

    /// A track by its id; `None` if the id has ended.
    pub fn track(&self, id: TrackId) -> Option<&Track<W>> {
        self.tracks.resolve(id.index, id.generation).map(|index| &self.tracks[index])
    }

    /// A track by its full name.
    pub fn find(&self, name: &TrackName) -> Option<TrackId> {
        let node = self.tree.find(name.namespace.fields())?;
        self.tree[node].tracks.get(&name.name).copied()
    }

    /// All tracks under a prefix, by name.
    pub fn tracks_under(&self, prefix: &Namespace) -> Vec<TrackId> {
        self.select(prefix, None)
    }

    /// Watches a prefix. A peer may watch several, and the same more than once.
    pub fn add_watch(&mut self, prefix: Namespace, want: Want, watcher: W) -> WatchId {
        let node = self.tree.enter(prefix.fields());
        let tag = want.capability.clone();
        let (index, generation) = self.watches.insert(Watch { prefix, want, watcher });
        let id = WatchId { index, generation };
        self.tree[node].watches.entry(tag).or_default().insert((watcher, id));
        self.peers.entry(watcher).or_default().watches.insert(id);
        id
    }

    /// Ends a watch; whether there was one.
    pub fn remove_watch(&mut self, id: WatchId) -> bool {
        if self.watches.resolve(id.index, id.generation).is_none() {
            return false;
        }
        let Some(watch) = self.watches.remove(id.index) else {
            return false;
        };
        if let Some(node) = self.tree.find(watch.prefix.fields()) {
            let watches = &mut self.tree[node].watches;
            if let Some(same) = watches.get_mut(&watch.want.capability) {
                same.remove(&(watch.watcher, id));
                if same.is_empty() {
                    watches.remove(&watch.want.capability);
                }
            }
            self.tree.prune(node);
        }
        self.with_peer(watch.watcher, |peer| peer.watches.remove(&id));
        true
    }

    /// Who wants a track: each watcher once, with the watch of the shortest prefix that matches.
    pub fn watches_for(&self, id: TrackId) -> Vec<(W, WatchId)> {
        let Some(track) = self.track(id) else {
            return Vec::new();
        };
        let tag = track.capability.as_ref().map(|capability| capability.tag.clone());
        let mut found = BTreeMap::new();
        for node in self.tree.along(track.name.namespace.fields()) {
            let any = node.watches.get(&None);
            let same = if tag.is_some() { node.watches.get(&tag) } else { None };
            for &(watcher, watch) in any.into_iter().chain(same).flatten() {
                found.entry(watcher).or_insert(watch);
            }
        }
        found.into_iter().collect()
    }

    /// The tracks that a watch matches, by name; none if it has ended.
    pub fn tracks_for(&self, id: WatchId) -> Vec<TrackId> {
        match self.watches.resolve(id.index, id.generation) {
            Some(index) => {
                let watch = &self.watches[index];
                self.select(&watch.prefix, watch.want.capability.as_ref())
            }
            None => Vec::new(),
        }
    }

    /// A peer announces a namespace (PUBLISH_NAMESPACE); `false` if it had already.
    pub fn announce(&mut self, namespace: &Namespace, owner: W) -> bool {
        if !self.peers.entry(owner).or_default().announced.insert(namespace.clone()) {
            return false;
        }
        let node = self.tree.enter(namespace.fields());
        let content = &mut self.tree[node];
        content.announced.insert(owner);
        if content.name.replace(namespace.clone()).is_none() {
            self.tree.each_up(node, |node| node.namespaces += 1);
        }
        true
    }

    /// A peer no longer announces a namespace; whether it did.
    pub fn withdraw(&mut self, namespace: &Namespace, owner: W) -> bool {
        if !self.with_peer(owner, |peer| peer.announced.remove(namespace)) {
            return false;
        }
        if let Some(node) = self.tree.find(namespace.fields()) {
            let content = &mut self.tree[node];
            content.announced.remove(&owner);
            if content.announced.is_empty() && content.name.take().is_some() {
                self.tree.each_up(node, |node| node.namespaces -= 1);
            }
            self.tree.prune(node);
        }
        true
    }

    /// Who announces exactly this namespace.
    pub fn owners(&self, namespace: &Namespace) -> Vec<W> {
        let node = self.tree.find(namespace.fields());
        node.map_or_else(Vec::new, |node| self.tree[node].announced.iter().copied().collect())
    }

    /// All announced namespaces under a prefix, each once, by name.
    pub fn namespaces_under(&self, prefix: &Namespace) -> Vec<Namespace> {
        let mut found = Vec::new();
        if let Some(node) = self.tree.find(prefix.fields()) {
            self.tree.each_down(node, &|node| node.namespaces > 0, &mut |node| found.extend(node.name.clone()));
        }
        found
    }

    /// Who announces the longest prefix of a track's namespace, and that prefix.
    pub fn announcers(&self, name: &TrackName) -> Option<(&Namespace, Vec<W>)> {
        let node = self.tree.along(name.namespace.fields()).filter(|node| node.name.is_some()).last()?;
        Some((node.name.as_ref()?, node.announced.iter().copied().collect()))
    }

    /// A peer watches for namespaces under a prefix (SUBSCRIBE_NAMESPACE); `false` if it did.
    pub fn watch_namespaces(&mut self, prefix: &Namespace, watcher: W) -> bool {
        if !self.peers.entry(watcher).or_default().watched.insert(prefix.clone()) {
            return false;
        }
        let node = self.tree.enter(prefix.fields());
        self.tree[node].watchers.insert(watcher)
    }

    /// A peer no longer watches for namespaces under a prefix; whether it did.
    pub fn unwatch_namespaces(&mut self, prefix: &Namespace, watcher: W) -> bool {
        if !self.with_peer(watcher, |peer| peer.watched.remove(prefix)) {
            return false;
        }
        if let Some(node) = self.tree.find(prefix.fields()) {
            self.tree[node].watchers.remove(&watcher);
            self.tree.prune(node);
        }
        true
    }

    /// Who watches for a namespace: each peer once.
    pub fn namespace_watchers(&self, namespace: &Namespace) -> Vec<W> {
        let all: BTreeSet<W> =
            self.tree.along(namespace.fields()).flat_map(|node| node.watchers.iter().copied()).collect();
        all.into_iter().collect()
    }

    /// How much is held for a peer.
    pub fn holdings(&self, peer: W) -> Holdings {
        self.peers.get(&peer).map_or_else(Holdings::default, |peer| Holdings {
            tracks: peer.tracks.len(),
            watches: peer.watches.len(),
            namespaces: peer.announced.len(),
            namespace_watches: peer.watched.len(),
        })
    }

    /// The tracks of a peer.
    pub fn tracks_of(&self, owner: W) -> Vec<TrackId> {
        self.peers.get(&owner).map_or_else(Vec::new, |peer| peer.tracks.iter().copied().collect())
    }

    /// The namespaces that a peer announces, by name.
    pub fn namespaces_of(&self, owner: W) -> Vec<Namespace> {
        self.peers.get(&owner).map_or_else(Vec::new, |peer| peer.announced.iter().cloned().collect())
    }

    /// A peer is gone, with all of its own. Ask who wants its tracks before.
    pub fn remove_peer(&mut self, peer: W) {
        let Some(gone) = self.peers.remove(&peer) else {
            return;
        };
        // The lists are put back, since each removal takes its own entry out of them.
        let Peer { tracks, watches, announced, watched } = &gone;
        let (tracks, watches) = (tracks.clone(), watches.clone());
        let (announced, watched) = (announced.clone(), watched.clone());
        self.peers.insert(peer, gone);
        for id in tracks {
            self.remove_track(id);
        }
        for id in watches {
            self.remove_watch(id);
        }
        for namespace in &announced {
            self.withdraw(namespace, peer);
        }
        for prefix in &watched {
            self.unwatch_namespaces(prefix, peer);
        }
    }

    /// Tracks under a prefix, of one capability or of all, by name.
    fn select(&self, prefix: &Namespace, tag: Option<&Bytes>) -> Vec<TrackId> {
        let mut found = Vec::new();
        let Some(node) = self.tree.find(prefix.fields()) else {
            return found;
        };
        match tag {
            None => self.tree.each_down(node, &|node| node.total > 0, &mut |node| found.extend(node.tracks.values())),
            Some(tag) => self.tree.each_down(node, &|node| node.totals.contains_key(tag), &mut |node| {
                found.extend(node.tagged.get(tag).into_iter().flat_map(BTreeMap::values));
            }),
        }
        found
    }

    /// Changes what is held for a peer, which is forgotten once that is nothing.
    fn with_peer(&mut self, id: W, change: impl FnOnce(&mut Peer) -> bool) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let changed = change(peer);
        if peer.tracks.is_empty() && peer.watches.is_empty() && peer.announced.is_empty() && peer.watched.is_empty() {
            self.peers.remove(&id);
        }
        changed
    }
}

fn decrement(totals: &mut BTreeMap<Bytes, usize>, tag: &Bytes) {
    if let Some(total) = totals.get_mut(tag) {
        *total -= 1;
        if *total == 0 {
            totals.remove(tag);
        }
    }
}
