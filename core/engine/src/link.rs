//! A link: a session with a relay that is kept alive.
//!
//! | state | what it waits for | and then |
//! |---|---|---|
//! | Dialling | the relay's SETUP | Up; on a refusal at the door: Waiting; after the attempt's time: Waiting, or Closed if it never was up |
//! | Up | the connection's end, or silence | Waiting; if it ends with a second connection under way: Dialling |
//! | Waiting | the back-off (capped exponential, full jitter) | Dialling |
//! | Closed | | |
//!
//! A link that never was up has `connect_timeout` in all. On silence a second connection is dialled beside the first,
//! to the next address, while the link is up or was not yet: whichever is admitted first stays. So a relay that is gone
//! is left, and a port that a NAT changed amid the handshake, whose packets the relay then takes for a stranger's, costs
//! little.
//!
//! A link that comes up again offers every publication and asks for every subscription anew; tracks keep their ids.

mod due;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use cc_session::RequestKey;
use cc_wire::{Namespace, Params, Profile, SetupOptions, Token};
use quinn_proto::TransportErrorCode;

use crate::admission::IMPLEMENTATION;
use crate::api::{Event, LinkConfig, LinkId, Place, PublicationId, Reason, SubscriptionId, Time, TrackId};
use crate::close;
use crate::config::CryptoChoice;
use crate::conn::{Closing, ConnIndex, Role, Side, Stage};
use crate::domain::Domain;
use crate::moving::Moves;
use crate::offers::unasked;
use crate::pulse::Pulse;
use crate::track::Source;
use crate::{tls, Engine};

/// Hearing nothing for so long is reason to dial beside the silent connection.
pub(crate) const SILENCE: Time = 3_000_000;
/// How long a dialled relay may be silent before another attempt begins.
const REDIAL_TIME: Time = 1_500_000;
/// For so long after a second connection was dialled, the relay may have ended the first because of it.
const DOUBLE_TIME: Time = 10_000_000;
/// How long a track that lost its source is kept for its return.
pub(crate) const RETURN_TIME: Time = 15_000_000;
/// Pause before a request that a restarted relay could not grant yet is made again.
const RETRY_PAUSE: Time = 100_000;
/// How often a watch that overlaps is asked for again.
pub(crate) const OVERLAPS_MAX: u32 = 50;

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Dialling,
    Up,
    Waiting { until: Time },
    Closed,
}

/// A request to make again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Publish(PublicationId),
    Subscribe(SubscriptionId),
    /// Whatever watches are missing.
    Watch,
    /// What a relay asks of one above for all its tracks and namespaces.
    Uplink,
}

/// A prefix that the relay was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) prefix: Namespace,
    pub(crate) key: RequestKey,
    /// What it was asked for there.
    pub(crate) wish: Wish,
    /// An update of the wish has no answer yet.
    pub(crate) updating: bool,
}

/// Which tracks below a prefix the relay is to send objects of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// All.
    All,
    /// Those with one of these capability hashes, ascending: by a filter, where the relay grants enough ranges.
    Hashes(Vec<u64>),
    /// None until each is asked for, after a look at its properties.
    Look,
}

/// One link.
pub(crate) struct Link {
    pub(crate) config: LinkConfig,
    pub(crate) state: State,
    pub(crate) conn: Option<ConnIndex>,
    /// A second connection, dialled because the first is silent.
    probe: Option<(ConnIndex, Time)>,
    pub(crate) pulse: Pulse,
    crypto: Arc<dyn quinn_proto::crypto::ClientConfig>,
    address: usize,
    attempts: u32,
    was_up: bool,
    pub(crate) up_at: Time,
    /// When a request was last ended to be asked again in the same session.
    pub(crate) asked_again: Time,
    opened_at: Time,
    dialled_at: Time,
    /// When a second connection was last dialled beside the first.
    doubled_at: Option<Time>,
    lost_at: Option<Time>,
    pub(crate) reconnects: u32,
    /// Prefixes asked for.
    pub(crate) watches: Vec<Watch>,
    retries: Vec<(Time, Retry)>,
    /// Times in a row that the relay found a watch to overlap one that we had taken back.
    pub(crate) overlaps: u32,
    pub(crate) moves: Moves,
}

/// Whether the relay would not even begin: it had no room, goes away, or has just started again.
fn at_the_door(closing: &Closing) -> bool {
    let refused = u64::from(TransportErrorCode::CONNECTION_REFUSED);
    closing.reason == Reason::Reset || (closing.reason == Reason::ExcessiveLoad && closing.code == refused)
}

/// All links. What is changed of one may change when it is due.
#[derive(Default)]
pub(crate) struct Links {
    all: BTreeMap<LinkId, Link>,
    /// The first that is due, at the earliest; none: to be found out.
    due: Option<Option<Time>>,
}

impl Deref for Links {
    type Target = BTreeMap<LinkId, Link>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Links {
    pub(crate) fn get_mut(&mut self, id: &LinkId) -> Option<&mut Link> {
        self.due = None;
        self.all.get_mut(id)
    }

    fn insert(&mut self, id: LinkId, link: Link) {
        self.due = None;
        self.all.insert(id, link);
    }

    fn remove(&mut self, id: &LinkId) {
        self.due = None;
        self.all.remove(id);
    }
}

/// Whether dialling again could help.
fn may_pass(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Peer
            | Reason::Timeout
            | Reason::Reset
            | Reason::Unreachable
            | Reason::GoingAway
            | Reason::ExcessiveLoad
            | Reason::Internal
            | Reason::Protocol
            | Reason::Limit
    )
}

impl Link {
    /// The next attempts are the first ones at another place.
    pub(crate) fn start_over(&mut self) {
        (self.address, self.attempts) = (0, 0);
    }

    /// It was up, or is kept trying all the same.
    fn kept(&self) -> bool {
        self.was_up || self.config.uplink
    }

    /// When the attempt under way is given up, its connection having been heard last at `heard`.
    fn attempt_ends(&self, heard: Time) -> Time {
        let from = if self.kept() { self.dialled_at } else { self.opened_at };
        let whole = from.saturating_add(self.config.connect_timeout);
        if self.was_up {
            whole.min(heard + REDIAL_TIME)
        } else {
            whole
        }
    }

    /// The state as statistics tell it.
    pub(crate) fn state_number(&self) -> u32 {
        match self.state {
            State::Dialling => 0,
            State::Up => 1,
            State::Waiting { .. } => 2,
            State::Closed => 3,
        }
    }
}

impl Engine {
    pub(crate) fn open_link(&mut self, id: LinkId, mut config: LinkConfig, now: Time) {
        if self.links.contains_key(&id) {
            return;
        }
        if config.resume_secret.is_empty() {
            config.resume_secret = Bytes::copy_from_slice(&self.random::<32>());
        }
        let profiles = self.link_profiles(&config);
        let alpns = profiles.iter().map(|profile| profile.alpn().to_vec()).collect();
        let closed = |engine: &mut Engine, reason, text: String| {
            engine.events.push_back(Event::LinkClosed { link: id, reason, code: 0, text });
        };
        if config.addresses.is_empty() {
            return closed(self, Reason::Unreachable, "no address to dial".into());
        }
        if config.uplink && self.config.relay.is_none() {
            return closed(self, Reason::Local, "only a relay joins another relay".into());
        }
        let crypto = match &self.crypto {
            CryptoChoice::Custom(custom) => Ok(custom.client(alpns)),
            CryptoChoice::Tls => tls::client(&config.trust, alpns, self.clock.clone()),
        };
        let crypto = match crypto {
            Ok(crypto) => crypto,
            Err(error) => return closed(self, Reason::Certificate, error.to_string()),
        };
        let uplink = config.uplink;
        let link = Link {
            config,
            state: State::Waiting { until: now },
            conn: None,
            probe: None,
            pulse: Pulse::default(),
            crypto,
            address: 0,
            attempts: 0,
            was_up: false,
            up_at: 0,
            asked_again: 0,
            opened_at: now,
            dialled_at: now,
            doubled_at: None,
            lost_at: None,
            reconnects: 0,
            watches: Vec::new(),
            retries: Vec::new(),
            overlaps: 0,
            moves: Moves::default(),
        };
        self.links.insert(id, link);
        if !uplink {
            self.domains.insert(Place::Link(id), Domain::default());
        }
        self.redial(id, now);
    }

    pub(crate) fn link_profiles(&self, config: &LinkConfig) -> Vec<Profile> {
        if config.profiles.is_empty() {
            self.config.profiles.clone()
        } else {
            config.profiles.clone()
        }
    }

    /// Starts an attempt at the next address.
    pub(crate) fn redial(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.state = State::Dialling;
        link.dialled_at = now;
        match self.dial(id, now) {
            Ok(at) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.conn = Some(at);
                }
            }
            Err(text) => self.attempt_failed(id, Closing { reason: Reason::Unreachable, code: 0, text }, now),
        }
    }

    pub(crate) fn dial(&mut self, id: LinkId, now: Time) -> Result<ConnIndex, String> {
        let link = self.links.get_mut(&id).ok_or("no such link")?;
        let address: SocketAddr = link.config.addresses[link.address % link.config.addresses.len()];
        link.address = link.address.wrapping_add(1);
        let (crypto, name) = (link.crypto.clone(), link.config.server_name.clone());
        self.connect(Side::Link(id), crypto, address, &name, now)
    }

    /// Our SETUP for a link's session.
    pub(crate) fn link_setup(&self, id: LinkId) -> SetupOptions {
        let Some(link) = self.links.get(&id) else { return SetupOptions::default() };
        SetupOptions {
            path: Some(link.config.path.clone()),
            authority: Some(link.config.authority.clone()),
            tokens: link.config.token.iter().map(|t| Token::UseValue { kind: 0, value: t.clone() }).collect(),
            implementation: Some(IMPLEMENTATION.into()),
            resume_secret: Some(link.config.resume_secret.clone()),
            relay_id: link.config.uplink.then_some(self.relay_id),
            ..SetupOptions::default()
        }
    }

    /// The relay's SETUP came: the session is admitted.
    pub(crate) fn link_up(&mut self, id: LinkId, at: ConnIndex, options: &SetupOptions, now: Time) {
        let own = options.relay_id.is_some_and(|id| id == self.relay_id || self.siblings.is_relay(id));
        if own && self.conns.get(at).is_some_and(|conn| conn.uplink) {
            return self.close_conn(at, Reason::Refused, "a relay does not join itself", now);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let probe = link.probe.take();
        if probe.is_some_and(|(probe, _)| probe == at) {
            // The relay answers the new connection while the old one is silent: the old one is given up.
            let (since, was_up) = (link.lost_at.unwrap_or(now), link.state == State::Up);
            if let Some(old) = link.conn.replace(at) {
                let text = "the other side stopped answering";
                if was_up {
                    self.events.push_back(Event::LinkDown {
                        link: id,
                        reason: Reason::Timeout,
                        code: 0,
                        text: text.into(),
                        retry: 0,
                    });
                }
                self.close_conn(old, Reason::Timeout, text, now);
            }
            self.suspend(Place::Link(id), since);
        } else {
            if link.moves.moving.is_some_and(|(moving, _)| moving == at) {
                self.move_arrived(id, now);
            }
            if let Some((probe, _)) = probe {
                self.close_conn(probe, Reason::Local, "", now);
            }
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.conn = Some(at);
        link.state = State::Up;
        link.attempts = 0;
        link.up_at = now;
        link.watches.clear();
        link.retries.clear();
        let resumed = std::mem::replace(&mut link.was_up, true);
        let gap = link.lost_at.take().map_or(0, |lost| now.saturating_sub(lost));
        link.reconnects += u32::from(resumed);
        let peer_id = options.peer_id.as_deref().map(|id| String::from_utf8_lossy(id).into_owned());
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.stage = Stage::Up;
        let draft = conn.profile.number();
        let peer_id = peer_id.unwrap_or_default();
        self.events.push_back(Event::LinkUp { link: id, resumed, gap, peer_id, draft });
        if self.conns.get(at).is_some_and(|conn| conn.uplink) {
            return self.uplink_up(at, now);
        }
        let place = Place::Link(id);
        let offered: Vec<TrackId> = self.publications.values().filter(|p| p.place == place).map(|p| p.track).collect();
        for track in offered {
            self.offer(track, at, None, &unasked(), now);
        }
        self.ask_uplink(place, now);
    }

    /// The session of a link's place, if it is up.
    pub(crate) fn uplink(&self, place: Place) -> Option<ConnIndex> {
        let Place::Link(id) = place else { return None };
        let link = self.links.get(&id)?;
        link.conn.filter(|_| link.state == State::Up)
    }

    pub(crate) fn retry(&mut self, id: LinkId, what: Retry, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !link.retries.iter().any(|(_, known)| *known == what) {
            link.retries.push((now + RETRY_PAUSE, what));
        }
    }

    /// An attempt came to nothing, or the connection was lost.
    pub(crate) fn link_lost(&mut self, id: LinkId, at: ConnIndex, closing: Closing, now: Time) {
        if self.move_lost(id, at, &closing.text, now) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.probe.is_some_and(|(probe, _)| probe == at) {
            link.probe = Some((usize::MAX, now + RETRY_PAUSE));
            if !may_pass(closing.reason) {
                link.probe = None;
            }
            return;
        }
        if link.conn != Some(at) {
            return;
        }
        link.conn = None;
        let was_up = link.state == State::Up;
        if let (true, Some(conn)) = (was_up, self.conns.get(at)) {
            link.lost_at.get_or_insert(conn.heard);
        }
        match link.probe.take() {
            // The second connection takes its place. The relay may even have ended the first because of it.
            Some((probe, _)) if self.conns.get(probe).is_some() && (was_up || may_pass(closing.reason)) => {
                link.conn = Some(probe);
                (link.state, link.dialled_at) = (State::Dialling, now);
                let since = link.lost_at.unwrap_or(now);
                if was_up {
                    let Closing { reason, code, text } = closing;
                    self.events.push_back(Event::LinkDown { link: id, reason, code, text, retry: 0 });
                }
                self.suspend(Place::Link(id), since);
            }
            probe => {
                if let Some((probe, _)) = probe {
                    self.close_conn(probe, Reason::Local, "", now);
                }
                self.attempt_failed(id, closing, now);
            }
        }
    }

    fn attempt_failed(&mut self, id: LinkId, closing: Closing, now: Time) {
        let random = self.random_unit();
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.state == State::Closed {
            return;
        }
        let was_up = link.state == State::Up;
        let doubled = link.doubled_at.is_some_and(|at| now.saturating_sub(at) < DOUBLE_TIME);
        let pass = may_pass(closing.reason) || (closing.reason == Reason::Replaced && doubled);
        let more_addresses = link.attempts + 1 < link.config.addresses.len() as u32;
        let limit = link.config.reconnect_limit;
        let given_up = limit > 0 && link.lost_at.is_some_and(|lost| now.saturating_sub(lost) >= limit);
        let (kept, door) = (link.kept(), at_the_door(&closing));
        link.attempts += 1;
        let (least, most) = link.config.backoff;
        let cap = least.saturating_mul(1 << link.attempts.min(16)).clamp(least, most.max(least));
        // Full jitter: anywhere between nothing and the cap. Another address is tried at once.
        let pause = if kept || !more_addresses { (cap as f64 * random) as Time } else { 0 };
        let in_time = now.saturating_add(pause).saturating_sub(link.opened_at) < link.config.connect_timeout;
        let again = pass
            && if kept {
                link.config.reconnect && !given_up
            } else {
                in_time && (more_addresses || (door && link.config.reconnect))
            };
        if !again {
            return self.finish_link(id, closing, now);
        }
        link.state = State::Waiting { until: now + pause };
        if was_up {
            let Closing { reason, code, text } = closing;
            self.events.push_back(Event::LinkDown { link: id, reason, code, text, retry: pause });
        }
        let since = self.links.get(&id).and_then(|link| link.lost_at).unwrap_or(now);
        self.suspend(Place::Link(id), since);
    }

    /// The link ends for good, and all that belongs to it.
    fn finish_link(&mut self, id: LinkId, closing: Closing, now: Time) {
        self.suspend(Place::Link(id), now);
        if let Some(link) = self.links.get_mut(&id) {
            link.state = State::Closed;
        }
        let Closing { reason, code, text } = closing;
        self.events.push_back(Event::LinkClosed { link: id, reason, code, text });
        let place = Place::Link(id);
        let publications: Vec<PublicationId> =
            self.publications.iter().filter(|(_, p)| p.place == place).map(|(id, _)| *id).collect();
        publications.into_iter().for_each(|publication| self.unpublish(publication, now));
        self.subscriptions.retain(|_, s| s.place != place);
        for track in self.tracks.values().filter(|track| track.place == place) {
            self.past_bytes -= track.past.bytes();
        }
        self.tracks.retain(|_, track| track.place != place);
        self.domains.remove(&place);
        self.links.remove(&id);
    }

    /// Without a session since then: sinks are gone, sources are awaited.
    pub(crate) fn suspend(&mut self, place: Place, since: Time) {
        for track in self.tracks.values_mut().filter(|track| track.place == place) {
            match track.source {
                Source::Local(_) => track.sinks.clear(),
                Source::Remote(..) | Source::Asked(..) => {
                    track.source = Source::Lost(since);
                    for local in &mut track.locals {
                        local.lost_at.get_or_insert(since);
                    }
                    for local in &mut track.locals {
                        local.order.hurry();
                        local.live.iter_mut().for_each(|live| live.hurry());
                    }
                    track.groups.clear();
                }
                Source::Lost(_) | Source::Sought => {}
            }
        }
        for publication in self.publications.values_mut().filter(|p| p.place == place) {
            publication.shared.connected.store(false, Ordering::Release);
            publication.shared.subscribers.store(0, Ordering::Release);
        }
        if let Place::Link(id) = place {
            if let Some(link) = self.links.get_mut(&id) {
                link.watches.clear();
                link.retries.clear();
            }
        }
    }

    pub(crate) fn close_link(&mut self, id: LinkId, reason: Reason, text: &str, now: Time) {
        let Some(link) = self.links.get_mut(&id) else { return };
        // From here on a lost connection is what was asked for.
        link.config.reconnect = false;
        let (conn, probe) = (link.conn.take(), link.probe.take());
        let moving = link.moves.take();
        for at in conn.into_iter().chain(probe.map(|(at, _)| at)).chain(moving) {
            self.close_conn(at, reason, text, now);
        }
        self.finish_link(id, Closing { reason, code: close::session_code(reason), text: text.to_owned() }, now);
    }

    pub(crate) fn set_link_token(&mut self, id: LinkId, token: bytes::Bytes) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.config.token = Some(token.clone());
        let Some(at) = self.uplink(Place::Link(id)) else { return };
        // Any live request carries it; without one there is nothing yet that the old token could end but the session
        // itself, and the next dial shows the new one.
        let live = self.conns.get(at).and_then(|conn| {
            conn.roles
                .iter()
                .find(|(_, role)| {
                    matches!(role, Role::Sink(_) | Role::OurTrackWatch(_) | Role::OurSubscribe(_) | Role::UplinkTracks)
                })
                .map(|(key, _)| *key)
        });
        if let Some(key) = live {
            let params = Params { tokens: vec![Token::UseValue { kind: 0, value: token }], ..Params::default() };
            self.with_session(at, |session| session.update(key, params));
        }
    }
}
