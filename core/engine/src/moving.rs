//! A link goes on at another place (GOAWAY): the new session is dialled beside the old one, publications and
//! subscriptions move there, and the old one is left when that is done, or when its time is up.
//!
//! | step | what it waits for | and then |
//! |---|---|---|
//! | moving | the new session's SETUP, for an attempt's time | leaving; or, if it fails, the link stays until it is put out |
//! | leaving | every publication and track to have its new request granted, and what is under way; `LEAVE_TIME` at most | the old session is closed |

use crate::api::{LinkId, LinkTarget, Place, Reason, Time};
use crate::conn::ConnIndex;
use crate::link::State;
use crate::track::Source;
use crate::Engine;

/// How long an old session is kept for what has not moved, where its relay gives no shorter time.
const LEAVE_TIME: Time = 5_000_000;
/// How often it is looked at.
const LOOK_EVERY: Time = 50_000;
/// What is under way on an old session from which everything has moved may take this long.
const UNDER_WAY: Time = 500_000;

/// An old session that is being left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) conn: ConnIndex,
    look_at: Time,
    until: Time,
    moved_at: Option<Time>,
}

/// How a link's move stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moves {
    /// The session that is being dialled, and until when.
    pub(crate) moving: Option<(ConnIndex, Time)>,
    /// The session that is being left.
    pub(crate) leaving: Option<Leaving>,
    /// What the relay that sent GOAWAY gives, microseconds; 0: it did not say.
    patience: Time,
    /// To a place that was named: that it can't be reached is worth a line.
    named: bool,
}

impl Moves {
    /// When the link next needs attention for its move.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let moving = self.moving.map(|(_, until)| until);
        moving.into_iter().chain(self.leaving.map(|leaving| leaving.look_at)).min()
    }

    /// Both its sessions, to be closed with the link.
    pub(crate) fn take(&mut self) -> Vec<ConnIndex> {
        let moving = self.moving.take().map(|(at, _)| at);
        moving.into_iter().chain(self.leaving.take().map(|leaving| leaving.conn)).collect()
    }

    /// Whether this is the session that is being left.
    pub(crate) fn leaves(&self, at: ConnIndex) -> bool {
        self.leaving.is_some_and(|leaving| leaving.conn == at)
    }
}

impl Engine {
    /// The relay of a link says GOAWAY. Without a new place the same one is dialled again.
    pub(crate) fn link_goaway(&mut self, id: LinkId, uri: &str, timeout_ms: u64, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moves.patience = timeout_ms.saturating_mul(1000);
        if uri.is_empty() && link.config.reconnect {
            link.moves.named = false;
            self.start_move(id, now);
        }
    }

    /// The owner sends a link elsewhere.
    pub(crate) fn move_link(&mut self, id: LinkId, target: LinkTarget, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if target.addresses.is_empty() {
            return self.warn(|| format!("link {id} can't move: no address of {}", target.authority));
        }
        link.config.addresses = target.addresses;
        link.config.server_name = target.server_name;
        link.config.authority = target.authority;
        link.config.path = target.path;
        link.start_over();
        link.moves.named = true;
        // A link without a session dials there next.
        self.start_move(id, now);
    }

    fn start_move(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.state != State::Up || link.moves.leaving.is_some() {
            return;
        }
        let until = now.saturating_add(link.config.connect_timeout);
        let before = link.moves.moving.take();
        if let Some((at, _)) = before {
            self.close_conn(at, Reason::Local, "", now);
        }
        match self.dial(id, now) {
            Ok(at) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.moves.moving = Some((at, until));
                }
            }
            Err(text) => self.warn(|| format!("link {id} can't move: {text}")),
        }
    }

    /// The new session stands: from here on the old one is left.
    pub(crate) fn move_arrived(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moves.moving = None;
        let patience = if link.moves.patience > 0 { link.moves.patience.min(LEAVE_TIME) } else { LEAVE_TIME };
        link.moves.patience = 0;
        link.moves.leaving = link.conn.map(|conn| Leaving {
            conn,
            look_at: now + LOOK_EVERY,
            until: now.saturating_add(patience),
            moved_at: None,
        });
    }

    /// A connection of a link's move has ended; whether it was one.
    pub(crate) fn move_lost(&mut self, id: LinkId, at: ConnIndex, text: &str, now: Time) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        if link.moves.moving.is_some_and(|(conn, _)| conn == at) {
            link.moves.moving = None;
            if link.moves.named {
                self.warn(|| format!("link {id} stays where it is: the other place can't be reached: {text}"));
            }
            return true;
        }
        if link.moves.leaves(at) {
            link.moves.leaving = None;
            self.abandon(id, at, now);
            return true;
        }
        false
    }

    /// Tracks that still came over a session that was left are awaited on the new one.
    fn abandon(&mut self, id: LinkId, at: ConnIndex, now: Time) {
        let place = Place::Link(id);
        for track in self.tracks.values_mut().filter(|track| track.place == place) {
            match track.source {
                Source::Remote(from, _) | Source::Asked(from, _) if from == at => {
                    track.source = Source::Lost(now);
                    track.groups.clear();
                    for local in &mut track.locals {
                        local.lost_at.get_or_insert(now);
                        local.order.hurry();
                    }
                }
                _ => {}
            }
        }
    }

    /// Looks after a move whose time has come.
    pub(crate) fn move_due(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some((at, until)) = link.moves.moving {
            if until <= now {
                link.moves.moving = None;
                if link.moves.named {
                    self.warn(|| format!("link {id} stays where it is: no answer from the other place"));
                }
                self.close_conn(at, Reason::Timeout, "", now);
            }
        }
        let Some(leaving) = self.links.get(&id).and_then(|link| link.moves.leaving) else { return };
        if leaving.look_at > now {
            return;
        }
        let moved = self.has_moved(id, leaving.conn);
        let Some(kept) = self.links.get_mut(&id).and_then(|link| link.moves.leaving.as_mut()) else { return };
        kept.look_at = now + LOOK_EVERY;
        if !moved {
            kept.moved_at = None;
        } else if kept.moved_at.is_none() {
            kept.moved_at = Some(now);
        }
        if kept.until <= now || kept.moved_at.is_some_and(|since| now.saturating_sub(since) >= UNDER_WAY) {
            self.close_conn(leaving.conn, Reason::Local, "", now);
        }
    }

    /// Whether nothing of a link's depends on its old session.
    fn has_moved(&self, id: LinkId, old: ConnIndex) -> bool {
        let Some(link) = self.links.get(&id) else { return true };
        let place = if link.config.uplink { Place::Node } else { Place::Link(id) };
        self.tracks.values().filter(|track| track.place == place).all(|track| match track.source {
            Source::Remote(from, _) => from != old,
            Source::Asked(at, _) => Some(at) != link.conn,
            Source::Local(_) if place != Place::Node => {
                track.sinks.iter().any(|sink| Some(sink.conn) == link.conn && sink.accepted)
            }
            _ => true,
        })
    }
}
