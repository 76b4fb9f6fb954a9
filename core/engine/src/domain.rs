//! A domain: the names that one relay, or one link, knows. Tracks of one domain never reach another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use cc_fanout::directory::{self, Capability, Directory, Want, WatchId};
use cc_session::RequestKey;
use cc_wire::{Namespace, TrackName};

use crate::api::{SubscriptionId, TrackId};
use crate::conn::ConnIndex;

/// Declined tracks remembered by a link at most.
const DECLINED_MAX: usize = 1024;

/// Who is behind an entry of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// A track is its own owner.
    Track(TrackId),
    /// A local subscription.
    Local(SubscriptionId),
    /// A session, by the request that watches or announces.
    Remote(ConnIndex, RequestKey),
}

/// One domain.
#[derive(Debug, Default)]
pub(crate) struct Domain {
    directory: Directory<Party>,
    entries: BTreeMap<TrackId, directory::TrackId>,
    watches: BTreeMap<Party, WatchId>,
    /// Namespaces of tracks that are published without being asked for, and how many each holds: they count as
    /// announced.
    published: BTreeMap<Namespace, BTreeSet<TrackId>>,
    /// Tracks that the relay offered and nobody here wanted, oldest first: a later subscription asks for them by name.
    pub(crate) declined: VecDeque<TrackName>,
}

impl Domain {
    /// The track of this name.
    pub(crate) fn find(&self, name: &TrackName) -> Option<TrackId> {
        self.directory.find(name).and_then(|entry| self.owner(entry))
    }

    fn owner(&self, entry: directory::TrackId) -> Option<TrackId> {
        match self.directory.track(entry)?.owner {
            Party::Track(id) => Some(id),
            _ => None,
        }
    }

    /// Adds a track; false if its name is taken.
    pub(crate) fn add_track(&mut self, id: TrackId, name: TrackName, tag: &Bytes) -> bool {
        let capability = (!tag.is_empty())
            .then(|| Capability { tag: tag.clone(), hash: cc_wire::capability_hash(&String::from_utf8_lossy(tag)) });
        match self.directory.add_track(name, capability, Party::Track(id)) {
            Ok(entry) => self.entries.insert(id, entry).is_none(),
            Err(_) => false,
        }
    }

    /// A track was published, so its namespace is known; who is to be told, if it was not before.
    pub(crate) fn published(&mut self, id: TrackId, namespace: &Namespace) -> Vec<(ConnIndex, RequestKey)> {
        let new = !self.known(namespace);
        self.published.entry(namespace.clone()).or_default().insert(id);
        if new {
            self.namespace_watchers(namespace)
        } else {
            Vec::new()
        }
    }

    /// The same for a track that was looked for by its name, and whose capability is known now.
    pub(crate) fn now_published(
        &mut self,
        id: TrackId,
        namespace: &Namespace,
        tag: &Bytes,
    ) -> Vec<(ConnIndex, RequestKey)> {
        let entry = self.entries.remove(&id);
        if let Some(track) = entry.and_then(|entry| self.directory.remove_track(entry)) {
            self.add_track(id, track.name, tag);
        }
        self.published(id, namespace)
    }

    /// Removes a track; who is to be told that there is nothing more in its namespace, if that is so.
    pub(crate) fn remove_track(&mut self, id: TrackId, namespace: &Namespace) -> Vec<(ConnIndex, RequestKey)> {
        if let Some(entry) = self.entries.remove(&id) {
            self.directory.remove_track(entry);
        }
        let Some(held) = self.published.get_mut(namespace) else { return Vec::new() };
        let last = held.remove(&id) && held.is_empty();
        if !last {
            return Vec::new();
        }
        self.published.remove(namespace);
        if self.known(namespace) {
            Vec::new()
        } else {
            self.namespace_watchers(namespace)
        }
    }

    /// Whether somebody announces a namespace, or publishes in it.
    fn known(&self, namespace: &Namespace) -> bool {
        self.published.contains_key(namespace) || !self.directory.owners(namespace).is_empty()
    }

    /// Who watches for this track.
    pub(crate) fn watchers(&self, id: TrackId) -> Vec<Party> {
        let Some(entry) = self.entries.get(&id) else { return Vec::new() };
        self.directory.watches_for(*entry).into_iter().map(|(party, _)| party).collect()
    }

    /// Adds a watch; its tracks so far.
    pub(crate) fn watch(&mut self, party: Party, prefix: Namespace, capability: &Bytes) -> Vec<TrackId> {
        let want = Want { capability: (!capability.is_empty()).then(|| capability.clone()) };
        let watch = self.directory.add_watch(prefix, want, party);
        self.watches.insert(party, watch);
        self.directory.tracks_for(watch).into_iter().filter_map(|entry| self.owner(entry)).collect()
    }

    /// The tracks of a watch.
    pub(crate) fn watched(&self, party: Party) -> Vec<TrackId> {
        let Some(watch) = self.watches.get(&party) else { return Vec::new() };
        self.directory.tracks_for(*watch).into_iter().filter_map(|entry| self.owner(entry)).collect()
    }

    pub(crate) fn unwatch(&mut self, party: Party) {
        if let Some(watch) = self.watches.remove(&party) {
            self.directory.remove_watch(watch);
        }
    }

    /// Namespaces that are announced, or that hold a track, below a prefix.
    pub(crate) fn namespaces(&self, prefix: &Namespace) -> BTreeSet<Namespace> {
        // A prefix sorts right before what it is a prefix of.
        let published = self.published.range(prefix.clone()..).map(|(namespace, _)| namespace);
        let mut found: BTreeSet<Namespace> =
            published.take_while(|namespace| namespace.starts_with(prefix)).cloned().collect();
        found.extend(self.directory.namespaces_under(prefix));
        found
    }

    /// Announces a namespace; who is to be told, if it is new.
    pub(crate) fn announce(&mut self, namespace: &Namespace, party: Party) -> Vec<(ConnIndex, RequestKey)> {
        let new = !self.known(namespace);
        self.directory.announce(namespace, party);
        if new {
            self.namespace_watchers(namespace)
        } else {
            Vec::new()
        }
    }

    /// Withdraws a namespace; who is to be told, if nobody else announces it.
    pub(crate) fn withdraw(&mut self, namespace: &Namespace, party: Party) -> Vec<(ConnIndex, RequestKey)> {
        if self.directory.withdraw(namespace, party) && !self.known(namespace) {
            self.namespace_watchers(namespace)
        } else {
            Vec::new()
        }
    }

    fn namespace_watchers(&self, namespace: &Namespace) -> Vec<(ConnIndex, RequestKey)> {
        let remote = |party| match party {
            Party::Remote(at, key) => Some((at, key)),
            _ => None,
        };
        self.directory.namespace_watchers(namespace).into_iter().filter_map(remote).collect()
    }

    pub(crate) fn watch_namespaces(&mut self, prefix: &Namespace, party: Party) {
        self.directory.watch_namespaces(prefix, party);
    }

    pub(crate) fn unwatch_namespaces(&mut self, prefix: &Namespace, party: Party) {
        self.directory.unwatch_namespaces(prefix, party);
    }

    /// Who announced a track's namespace or a prefix of it, the longest first.
    pub(crate) fn announcers(&self, name: &TrackName) -> Vec<Vec<Party>> {
        let fields = name.namespace.fields();
        let prefixes = (0..=fields.len()).rev().filter_map(|len| Namespace::new(fields[..len].to_vec()).ok());
        prefixes.map(|prefix| self.directory.owners(&prefix)).filter(|parties| !parties.is_empty()).collect()
    }

    /// Who announces exactly this namespace.
    pub(crate) fn owners(&self, namespace: &Namespace) -> Vec<Party> {
        self.directory.owners(namespace)
    }

    /// All namespaces that somebody announces.
    pub(crate) fn announced(&self) -> Vec<Namespace> {
        self.directory.namespaces_under(&Namespace::default())
    }

    /// The namespaces that one request announces.
    pub(crate) fn announced_by(&self, party: Party) -> Vec<Namespace> {
        self.directory.namespaces_of(party)
    }

    /// Whether tracks are published in exactly this namespace.
    pub(crate) fn has_tracks(&self, namespace: &Namespace) -> bool {
        self.published.contains_key(namespace)
    }

    /// The tracks below a prefix.
    pub(crate) fn tracks_under(&self, prefix: &Namespace) -> Vec<TrackId> {
        self.directory.tracks_under(prefix).into_iter().filter_map(|entry| self.owner(entry)).collect()
    }

    /// Remembers a track that nobody here wanted.
    pub(crate) fn decline(&mut self, name: TrackName) {
        if !self.declined.contains(&name) {
            if self.declined.len() == DECLINED_MAX {
                self.declined.pop_front();
            }
            self.declined.push_back(name);
        }
    }
}
