//! What is due for links: attempts and looks beside, pulses, requests made again, tracks that did not come back.

use cc_wire::codes;

use super::{Link, Retry, State, REDIAL_TIME, RETURN_TIME, SILENCE};
use crate::api::{LinkId, Place, Reason, Time, TrackId};
use crate::conn::Closing;
use crate::offers::unasked;
use crate::track::Source;
use crate::Engine;

/// How often tracks that did not come back are looked for.
const FORGET_EVERY: Time = 1_000_000;

impl Engine {
    /// When a link next needs attention.
    pub(crate) fn link_timeout(&self, link: &Link) -> Option<Time> {
        let heard = link.conn.and_then(|at| self.conns.get(at)).map(|conn| conn.heard);
        let look = |patience: Time| heard.map(|heard| link.probe.map_or(heard + patience, |(_, until)| until));
        let main = match link.state {
            State::Waiting { until } => Some(until),
            State::Dialling if link.kept() => Some(link.attempt_ends(heard.unwrap_or(link.dialled_at))),
            State::Dialling => look(REDIAL_TIME).into_iter().chain([link.attempt_ends(0)]).min(),
            // Where nobody would dial, nobody need look.
            State::Up => {
                let beside = look(SILENCE).filter(|_| link.config.reconnect);
                heard.map(|heard| link.pulse.due(heard)).into_iter().chain(beside).min()
            }
            State::Closed => None,
        };
        let retry = link.retries.iter().map(|(at, _)| *at).min();
        main.into_iter().chain(retry).chain(link.moves.next_timeout()).min()
    }

    /// When `links_timeout` is next to be called, or before: what is heard of a link puts off when it is due.
    pub(crate) fn links_due(&mut self) -> Option<Time> {
        if let Some(due) = self.links.due {
            return due;
        }
        let due = self.links.values().filter_map(|link| self.link_timeout(link)).min();
        self.links.due = Some(due);
        due
    }

    /// Carries out what is due for the links.
    pub(crate) fn links_timeout(&mut self, now: Time) {
        if self.links_due().is_some_and(|due| due <= now) {
            self.links.due = None;
            let due = |link: &Link| self.link_timeout(link).is_some_and(|at| at <= now);
            let due: Vec<LinkId> = self.links.iter().filter(|(_, link)| due(link)).map(|(id, _)| *id).collect();
            for id in due {
                self.link_due(id, now);
            }
        }
        if now >= self.forget_at {
            self.forget_at = now + FORGET_EVERY;
            self.forget_lost(now);
            self.forget_places(now);
            self.forget_peers(now);
        }
    }

    fn link_due(&mut self, id: LinkId, now: Time) {
        self.move_due(id, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        match link.state {
            State::Waiting { until } if until <= now => self.redial(id, now),
            State::Dialling => self.dialling_due(id, now),
            State::Up => self.link_up_due(id, now),
            _ => {}
        }
    }

    fn dialling_due(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let heard = link.conn.and_then(|at| self.conns.get(at)).map_or(link.dialled_at, |conn| conn.heard);
        if link.attempt_ends(heard) > now {
            if !link.kept() {
                self.look_beside(id, heard + REDIAL_TIME <= now, now);
            }
            return;
        }
        let text = format!("no answer from {}", link.config.authority);
        let closing = Closing { reason: Reason::Timeout, code: 0, text };
        for at in link.conn.take().into_iter().chain(link.probe.take().map(|(probe, _)| probe)) {
            self.close_conn(at, Reason::Timeout, "", now);
        }
        self.attempt_failed(id, closing, now);
    }

    /// A second connection is dialled beside a silent one, again and again, and ended once the first is heard.
    fn look_beside(&mut self, id: LinkId, silent: bool, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match link.probe {
            Some((probe, _)) if !silent => {
                link.probe = None;
                self.close_conn(probe, Reason::Local, "", now);
            }
            Some((probe, until)) if until <= now => {
                link.probe = None;
                self.close_conn(probe, Reason::Timeout, "", now);
                self.probe(id, now);
            }
            None if silent => self.probe(id, now),
            _ => {}
        }
    }

    fn link_up_due(&mut self, id: LinkId, now: Time) {
        self.pulse_due(id, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        let heard = link.conn.and_then(|at| self.conns.get(at)).map_or(now, |conn| conn.heard);
        let silent = heard + SILENCE <= now;
        if silent {
            link.lost_at.get_or_insert(heard);
        }
        self.look_beside(id, silent, now);
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.probe.is_none() && !silent {
            link.lost_at = None;
        }
        let (due, later): (Vec<_>, Vec<_>) = link.retries.drain(..).partition(|(at, _)| *at <= now);
        link.retries = later;
        let Some(at) = self.uplink(Place::Link(id)) else { return };
        for (_, what) in due {
            match what {
                Retry::Publish(publication) => {
                    if let Some(track) = self.publications.get(&publication).map(|p| p.track) {
                        self.offer(track, at, None, &unasked(), now);
                    }
                }
                Retry::Subscribe(subscription) => self.ask_exact(subscription, at, now),
                Retry::Watch => self.ask_uplink(Place::Link(id), now),
                Retry::Uplink => self.ask_above(at, now),
            }
        }
    }

    fn probe(&mut self, id: LinkId, now: Time) {
        let wanted = |link: &Link| link.config.reconnect || link.state == State::Dialling;
        if !self.links.get(&id).is_some_and(wanted) {
            return;
        }
        let dialled = self.dial(id, now).unwrap_or(usize::MAX);
        if let Some(link) = self.links.get_mut(&id) {
            link.probe = Some((dialled, now + REDIAL_TIME));
            link.doubled_at = Some(now);
        }
    }

    /// Tracks whose source did not come back in time end.
    fn forget_lost(&mut self, now: Time) {
        self.forget_lost_here(now);
        let gone: Vec<TrackId> = self
            .tracks
            .values()
            .filter(|track| match (track.source, track.place) {
                (Source::Lost(since), Place::Link(link)) => {
                    let up_at = self.links.get(&link).filter(|l| l.state == State::Up).map(|l| l.up_at);
                    up_at.is_some_and(|up| now.saturating_sub(up.max(since)) >= RETURN_TIME)
                }
                _ => false,
            })
            .map(|track| track.id)
            .collect();
        for id in gone {
            self.end_track(id, codes::publish_done::TRACK_ENDED, Reason::PublisherLost);
        }
    }
}
