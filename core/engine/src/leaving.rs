//! Names that a session is still getting the last of, and that are published again meanwhile.
//!
//! At -18 a session has at most one subscription of a track each way, and a second is refused with DUPLICATE_SUBSCRIPTION
//! (section "Subscriptions"). Peers of ours take the second PUBLISH of a name as the word that the first has ended
//! (`publishing`), so that nothing has to wait; to others the name is offered once the request before it is over on both
//! sides: PUBLISH_DONE has gone out, after all that was queued, and the peer has closed its side, or has let the time pass
//! that the session gives it for that. From -20 on a session may have a track several times.

use cc_session::RequestKey;
use cc_wire::{Profile, TrackName};

use crate::api::Time;
use crate::conn::ConnIndex;
use crate::domain::Party;
use crate::offers::unasked;
use crate::Engine;

impl Engine {
    /// Whether the other end has a track once at a time, and does not take a PUBLISH for the end of the one before.
    fn takes_one_at_a_time(&self, at: ConnIndex) -> bool {
        let Some(conn) = self.conns.get(at).filter(|conn| conn.profile == Profile::D18) else { return false };
        let Some(peer) = conn.session.as_ref().and_then(|session| session.peer()) else { return false };
        let ours = peer.resume_secret.is_some() || peer.peer_id.is_some() || peer.relay_id.is_some();
        !ours && !self.is_sibling(at)
    }

    /// A track that a session has by this request gives up its name, or ends.
    pub(crate) fn name_leaves(&mut self, at: ConnIndex, request: RequestKey, name: &TrackName) {
        if !self.takes_one_at_a_time(at) {
            return;
        }
        // No more than the session has requests: each goes with its own.
        let leaving = self.leaving.entry(at).or_default();
        if !leaving.iter().any(|(key, _)| *key == request) {
            leaving.push((request, name.clone()));
        }
    }

    /// Whether a session is still getting the last of what had this name before.
    pub(crate) fn is_name_leaving(&self, at: ConnIndex, name: &TrackName) -> bool {
        self.leaving.get(&at).is_some_and(|leaving| leaving.iter().any(|(_, other)| other == name))
    }

    /// Offers the tracks of a session's names that are free again.
    pub(crate) fn offer_freed(&mut self, at: ConnIndex, now: Time) {
        let (Some(leaving), Some(conn)) = (self.leaving.get_mut(&at), self.conns.get(at)) else { return };
        let Some(session) = conn.session.as_ref() else { return };
        let place = conn.place();
        let mut freed = Vec::new();
        leaving.retain(|(request, name)| {
            let open = session.is_open(*request);
            if !open {
                freed.push(name.clone());
            }
            open
        });
        if leaving.is_empty() {
            self.leaving.remove(&at);
        }
        for name in freed {
            let Some(domain) = self.domains.get(&place) else { continue };
            let Some(id) = domain.find(&name) else { continue };
            for watcher in domain.watchers(id) {
                match watcher {
                    Party::Remote(conn, key) if conn == at => self.offer_to_watch(id, at, key, now),
                    _ => {}
                }
            }
            // To the relay of a link all is offered.
            if self.uplink(place) == Some(at) || self.uplinks().contains(&at) {
                self.offer(id, at, None, &unasked(), now);
            }
        }
    }
}
