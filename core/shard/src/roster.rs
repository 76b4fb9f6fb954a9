//! What the owner of a node has asked of the shard that serves it, kept so that an engine that takes another's place
//! after a fault is asked for the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cc_engine::{
    Command, Event, LinkConfig, LinkId, Place, PublicationId, PublicationShared, Reason, Repeat, SessionId,
    SubscribeConfig, SubscriptionId, TrackConfig, TrackId,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    links: BTreeMap<LinkId, (Box<LinkConfig>, bool)>,
    publications: BTreeMap<PublicationId, (Place, Box<TrackConfig>, Arc<PublicationShared>)>,
    repeats: BTreeMap<PublicationId, Repeat>,
    subscriptions: BTreeMap<SubscriptionId, (Place, Box<SubscribeConfig>)>,
    tracks: BTreeSet<(SubscriptionId, TrackId)>,
    /// Sessions that were admitted, and their peers.
    sessions: BTreeMap<SessionId, String>,
    goaway: Option<(String, u64)>,
    /// The highest ids seen.
    last: (SessionId, TrackId),
}

impl Roster {
    /// An order is carried out.
    pub(crate) fn order(&mut self, command: &Command) {
        match command {
            Command::OpenLink(id, config) => {
                self.links.insert(*id, (config.clone(), false));
            }
            Command::CloseLink(id, ..) => {
                self.links.remove(id);
            }
            Command::LinkToken(id, token) => {
                if let Some((config, _)) = self.links.get_mut(id) {
                    config.token = Some(token.clone());
                }
            }
            Command::LinkAddresses(id, addresses) => {
                if let Some((config, _)) = self.links.get_mut(id) {
                    config.addresses.clone_from(addresses);
                }
            }
            Command::LinkMove(id, target) => {
                if let Some((config, _)) = self.links.get_mut(id) {
                    config.addresses.clone_from(&target.addresses);
                    config.server_name.clone_from(&target.server_name);
                    config.authority.clone_from(&target.authority);
                    config.path.clone_from(&target.path);
                }
            }
            Command::Publish(id, place, config, shared) => {
                self.publications.insert(*id, (*place, config.clone(), shared.clone()));
            }
            Command::Unpublish(id) => {
                self.publications.remove(id);
                self.repeats.remove(id);
            }
            Command::Repeat(id, Some(repeat)) => {
                self.repeats.insert(*id, repeat.clone());
            }
            Command::Repeat(id, None) => {
                self.repeats.remove(id);
            }
            Command::Subscribe(id, place, config) => {
                self.subscriptions.insert(*id, (*place, config.clone()));
            }
            Command::Unsubscribe(id) => {
                self.subscriptions.remove(id);
                self.tracks.retain(|(subscription, _)| subscription != id);
            }
            Command::Goaway(uri, timeout) => {
                self.goaway.get_or_insert_with(|| (uri.clone(), *timeout));
            }
            _ => {}
        }
    }

    /// Something happened.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::LinkUp { link, .. } | Event::LinkDown { link, .. } => {
                if let Some((_, up)) = self.links.get_mut(link) {
                    *up = matches!(event, Event::LinkUp { .. });
                }
            }
            Event::LinkClosed { link, .. } => {
                self.links.remove(link);
                self.publications.retain(|_, (place, ..)| *place != Place::Link(*link));
                self.subscriptions.retain(|_, (place, _)| *place != Place::Link(*link));
            }
            Event::PublishRefused { publication, .. } => {
                self.publications.remove(publication);
                self.repeats.remove(publication);
            }
            Event::SubscribeRefused { subscription, .. } => {
                self.subscriptions.remove(subscription);
            }
            Event::TrackAdded { subscription, track, .. } => {
                self.last.1 = self.last.1.max(*track);
                self.tracks.insert((*subscription, *track));
            }
            Event::TrackEnded { subscription, track, .. } => {
                self.tracks.remove(&(*subscription, *track));
            }
            Event::Auth { session, .. } => self.last.0 = self.last.0.max(*session),
            Event::SessionUp { session, peer_id, .. } => {
                self.last.0 = self.last.0.max(*session);
                self.sessions.insert(*session, peer_id.clone());
            }
            Event::SessionDown { session, .. } => {
                self.sessions.remove(session);
            }
            _ => {}
        }
    }

    /// The highest ids of sessions and tracks that the owner knows.
    pub(crate) fn last(&self) -> (SessionId, TrackId) {
        self.last
    }

    /// What the owner hears when the engine is gone: the ends of all that was.
    pub(crate) fn mourn(&mut self) -> Vec<Event> {
        const TEXT: &str = "the shard failed and was started again";
        let mut events = Vec::new();
        for (subscription, track) in std::mem::take(&mut self.tracks) {
            events.push(Event::TrackEnded { subscription, track, reason: Reason::PublisherLost });
        }
        for (session, peer_id) in std::mem::take(&mut self.sessions) {
            let (reason, text) = (Reason::Internal, TEXT.to_owned());
            events.push(Event::SessionDown { session, peer_id, reason, code: 0, text });
        }
        for (link, (_, up)) in &mut self.links {
            if std::mem::take(up) {
                let (reason, text) = (Reason::Internal, TEXT.to_owned());
                events.push(Event::LinkDown { link: *link, reason, code: 0, text, retry: 0 });
            }
        }
        events
    }

    /// What the next engine is to be asked for, in this order.
    pub(crate) fn again(&self) -> Vec<Command> {
        let mut all = Vec::new();
        if let Some((uri, timeout)) = &self.goaway {
            all.push(Command::Goaway(uri.clone(), *timeout));
        }
        all.extend(self.links.iter().map(|(id, (config, _))| Command::OpenLink(*id, config.clone())));
        for (id, (place, config, shared)) in &self.publications {
            all.push(Command::Publish(*id, *place, config.clone(), shared.clone()));
        }
        all.extend(self.repeats.iter().map(|(id, repeat)| Command::Repeat(*id, Some(repeat.clone()))));
        for (id, (place, config)) in &self.subscriptions {
            all.push(Command::Subscribe(*id, *place, config.clone()));
        }
        all
    }
}
