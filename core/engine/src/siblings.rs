//! One relay of several engines: a shard is a relay to its siblings.
//!
//! Any two shards have a MoQT session between them, over a [`Crossing`] in the place of QUIC: tracks, namespaces, demand,
//! objects and fetches go through it as between relays that are joined (`uplink.rs`), the one with the higher number
//! counting as the one that joined. All shards know each other, so what came from one sibling is never passed on to
//! another. An object crosses once to each sibling that has subscribers.
//!
//! | what one says | when | what the other does |
//! |---|---|---|
//! | Hello | it begins, also anew after a fault | ends the session there was, begins one, and says Joined |
//! | Joined | it has begun a session with that beginning | takes what follows as that session's |
//! | Claim | a session of this peer id is to be admitted | closes its own session of that peer, if there is one, and says Claimed |
//! | Claimed | what the closing brought about has been said | counts it; with all said, the session is admitted |
//!
//! The owner moves [`Parcel`]s between the engines, in order and without loss: out by [`Engine::cross`], in by
//! [`Engine::handle_parcel`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use cc_session::{Config as SessionConfig, Session, StreamId};
use cc_wire::{Params, Profile, SetupOptions};

use crate::admission::{IMPLEMENTATION, RESUME_TIME};
use crate::api::{Reason, SessionId, Stamp, Time, TrackId};
use crate::carrier::Carrier;
use crate::conn::{Closing, ConnIndex, Side, Stage};
use crate::crossing::{Content, Crossing, Parcel, Told};
use crate::tls::StateKeys;
use crate::Engine;

/// Subgroup streams of an alias that is not known yet, from all the tracks of a sibling.
const EARLY_STREAMS: usize = 4096;
/// And datagrams, in bytes.
const EARLY_BYTES: usize = 1 << 20;
/// Requests that a session between siblings may have open for each track that a shard may know.
const REQUESTS_A_TRACK: usize = 4;
/// A sibling's queue holds so many times what a session's does: it stands for many.
pub(crate) const QUEUE_SHARE: usize = 4;

/// Tells whether a connection id is this shard's.
pub type IsOwn = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Which connection ids are this shard's.
#[derive(Clone)]
pub struct OwnIds(pub Arc<IsOwn>);

impl fmt::Debug for OwnIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnIds")
    }
}

/// The key of the hash that tells a connection id's shard, from the key that all shards share: who does not know it
/// can't choose ids that fall on one shard.
pub fn steering_key(state_key: &[u8; 32]) -> [u8; 12] {
    StateKeys::new(state_key).steering()
}

/// Which of a relay's shards an engine is.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Its number, from 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// Which connection ids find this shard; it hands out no others.
    pub ids: OwnIds,
    /// Session and track ids up to these were in use by the engine that was here before.
    pub after: (SessionId, TrackId),
    /// How many connections each shard has, by number: they are bounded together.
    pub connections: Arc<[AtomicUsize]>,
}

impl ShardConfig {
    /// The shard that a session is on: its id tells.
    pub fn of_session(session: SessionId, count: usize) -> usize {
        (session.saturating_sub(1) % count.max(1) as u64) as usize
    }

    /// The first session id of this shard.
    pub(crate) fn first_session(&self) -> SessionId {
        let (index, count) = (self.index as u64, self.count as u64);
        self.after.0.div_ceil(count) * count + index + 1
    }
}

/// What an engine knows of its siblings; nothing, if it is alone.
#[derive(Default)]
pub(crate) struct Siblings {
    /// Its own number.
    index: usize,
    /// By number; its own place is not used.
    all: Vec<Sibling>,
    claims: BTreeMap<u64, Claiming>,
    next_claim: u64,
    connections: Option<Arc<[AtomicUsize]>>,
}

#[derive(Default)]
struct Sibling {
    conn: Option<ConnIndex>,
    /// Of our beginning, as we told it.
    nonce: u64,
    /// Of its beginning, and its number among relays.
    theirs: Option<(u64, u64)>,
    /// It has begun the session that we are in.
    joined: bool,
    /// What is said outside of a session.
    words: VecDeque<Parcel>,
    /// Said once everything before it is on its way.
    answers: Vec<Content>,
}

/// A session that is to be admitted once every sibling has said that its peer is nowhere else.
struct Claiming {
    session: SessionId,
    stamp: Stamp,
    waits: BTreeSet<usize>,
    known: bool,
}

impl Siblings {
    /// Whether there are any.
    pub(crate) fn some(&self) -> bool {
        !self.all.is_empty()
    }

    /// How session ids are counted on.
    pub(crate) fn session_step(&self) -> u64 {
        self.all.len().max(1) as u64
    }

    /// The connections of all shards together, of which this one has `own`.
    pub(crate) fn connections(&self, own: usize) -> usize {
        let Some(all) = &self.connections else { return own };
        all[self.index].store(own, Ordering::Relaxed);
        all.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let index = self.index;
        (0..self.all.len()).filter(move |shard| *shard != index)
    }

    /// Connections to those that count as relays above.
    pub(crate) fn above(&self) -> impl Iterator<Item = ConnIndex> + '_ {
        self.all.iter().take(self.index).filter_map(|sibling| sibling.conn)
    }

    /// And to the others.
    pub(crate) fn below(&self) -> impl Iterator<Item = ConnIndex> + '_ {
        self.all.iter().skip(self.index).filter_map(|sibling| sibling.conn)
    }

    /// Whether the relay with this number is one of them.
    pub(crate) fn is_relay(&self, id: u64) -> bool {
        self.all.iter().any(|sibling| sibling.theirs.is_some_and(|(relay, _)| relay == id))
    }
}

impl Engine {
    /// The engine is one of several from here on, and greets the others.
    pub(crate) fn become_shard(&mut self, config: &ShardConfig) {
        self.next_session = config.first_session();
        self.next_track = self.next_track.max(config.after.1 + 1);
        self.siblings.index = config.index;
        self.siblings.connections = Some(config.connections.clone());
        self.siblings.connections(0);
        self.siblings.all.resize_with(config.count, Sibling::default);
        for shard in self.siblings.others() {
            self.greet(shard);
        }
    }

    fn greet(&mut self, shard: usize) {
        let nonce = u64::from_le_bytes(self.random());
        let relay = self.relay_id;
        let sibling = &mut self.siblings.all[shard];
        *sibling = Sibling { nonce, ..Sibling::default() };
        sibling.words.push_back(Parcel(Content::Hello { relay, nonce }));
    }

    /// Whether a connection leads to a sibling.
    pub(crate) fn is_sibling(&self, at: ConnIndex) -> bool {
        self.conns.get(at).is_some_and(|conn| matches!(conn.side, Side::Sibling { .. }))
    }

    /// What a sibling is told of a track's publisher; others are not.
    pub(crate) fn told_publisher(&self, at: ConnIndex, publisher: &str) -> Option<Bytes> {
        let told = self.is_sibling(at) && !publisher.is_empty() && publisher.len() <= Params::MAX_PUBLISHER;
        told.then(|| Bytes::copy_from_slice(publisher.as_bytes()))
    }

    /// Who publishes a track that a connection offers: its peer, or whom a sibling names.
    pub(crate) fn publisher_at(&self, at: ConnIndex, params: &Params) -> String {
        let named = params.publisher.as_deref().filter(|_| self.is_sibling(at));
        match (named, self.conns.get(at).and_then(|conn| conn.stamp.as_ref())) {
            (Some(named), _) => String::from_utf8_lossy(named).into_owned(),
            (None, Some(stamp)) => stamp.peer_id.clone(),
            (None, None) => String::new(),
        }
    }

    /// Something came from the shard of this number. Later parcels of the same shard come after it.
    pub fn handle_parcel(&mut self, now: Time, shard: usize, parcel: Parcel) {
        self.clock.advance(now);
        let Some(sibling) = self.siblings.all.get_mut(shard) else { return };
        match parcel.0 {
            Content::Hello { relay, nonce } => {
                sibling.joined = false;
                self.begin_with(shard, (relay, nonce), now);
            }
            Content::Joined { of, relay, nonce } => {
                // Said to the engine that was here before.
                if of != sibling.nonce {
                    return;
                }
                if sibling.theirs != Some((relay, nonce)) {
                    self.begin_with(shard, (relay, nonce), now);
                }
                self.siblings.all[shard].joined = true;
            }
            _ if !sibling.joined => {}
            Content::Claim { claim, peer } => self.claimed_elsewhere(shard, claim, &peer, now),
            Content::Claimed { claim, known } => self.claim_answered(shard, claim, known, now),
            content => {
                if let Some(at) = sibling.conn {
                    self.take_in(at, content, now);
                }
            }
        }
    }

    /// Everything that goes to a shard, as far as its ring has room: `room` parcels. To be called after the engine was
    /// given anything, and when there is room again.
    pub fn cross(&mut self, now: Time, shard: usize, room: usize, mut put: impl FnMut(Parcel)) {
        let Some(sibling) = self.siblings.all.get_mut(shard) else { return };
        let mut left = room;
        while left > 0 {
            let Some(word) = sibling.words.pop_front() else { break };
            put(word);
            left -= 1;
        }
        let Some(at) = sibling.conn else { return };
        let Some(crossing) = self.conns.get_mut(at).and_then(|conn| conn.carrier.crossing()) else { return };
        for stream in crossing.set_room(left) {
            self.writable(at, StreamId(stream), now);
        }
        if let Some(conn) = self.conns.get_mut(at) {
            if left > 0 && conn.queue.bytes() > 0 {
                self.ready.want_send(at, conn);
            }
        }
        loop {
            let Some(conn) = self.conns.get_mut(at) else { return };
            if conn.wants_service {
                self.ready.service.retain(|other| *other != at);
                self.service(at, now);
                continue;
            }
            if !conn.wants_send {
                break;
            }
            conn.hand_over(now);
            self.ready.send.retain(|other| *other != at);
            self.rest(at, now);
        }
        let answers = self.siblings.all.get_mut(shard).map(|sibling| std::mem::take(&mut sibling.answers));
        let Some(crossing) = self.conns.get_mut(at).and_then(|conn| conn.carrier.crossing()) else { return };
        answers.into_iter().flatten().for_each(|answer| crossing.say(answer));
        while let Some(parcel) = crossing.take() {
            put(parcel);
        }
    }

    /// Does what datagrams, parcels and commands have brought about, so that it can cross before anything is sent.
    pub fn settle(&mut self, now: Time) {
        self.clock.advance(now);
        while let Some(at) = self.ready.service.pop_front() {
            self.service(at, now);
        }
    }

    /// Whether something waits for room in the ring to a shard.
    pub fn waits_to_cross(&mut self, shard: usize) -> bool {
        let Some(sibling) = self.siblings.all.get(shard) else { return false };
        let (words, conn) = (!sibling.words.is_empty() || !sibling.answers.is_empty(), sibling.conn);
        let Some(conn) = conn.and_then(|at| self.conns.get_mut(at)) else { return words };
        words || conn.queue.bytes() > 0 || conn.carrier.crossing().is_some_and(|crossing| crossing.is_waiting())
    }

    /// The session with a sibling begins.
    fn begin_with(&mut self, shard: usize, theirs: (u64, u64), now: Time) {
        self.sibling_lost(shard, now);
        let dialled = shard < self.siblings.index;
        let side = Side::Sibling { shard, dialled };
        let (_, readings) = self.transport(true);
        let at = self.conns.next_sibling();
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.add_conn(at, Carrier::Crossing(Crossing::new(dialled)), side, readings, nobody, now);
        let relay = self.relay_id;
        let sibling = &mut self.siblings.all[shard];
        sibling.conn = Some(at);
        sibling.theirs = Some(theirs);
        sibling.words.push_back(Parcel(Content::Joined { of: theirs.1, relay, nonce: sibling.nonce }));
        let role = if dialled { cc_session::Role::Client } else { cc_session::Role::Server };
        let mut config = SessionConfig::new(role, Profile::PREFERRED[0]);
        let limits = &self.config.limits;
        let requests = limits.tracks.saturating_mul(REQUESTS_A_TRACK);
        config.limits = cc_session::Limits {
            requests,
            subscriptions: requests,
            object_bytes: limits.object_bytes as u64,
            assembly_bytes: limits.assembly_bytes,
            data_streams: usize::MAX,
            unknown_alias_bytes: EARLY_BYTES,
            unknown_alias_streams: EARLY_STREAMS,
            updates: limits.updates,
            token_bytes: limits.token_bytes as u64,
            ..config.limits
        };
        let options = SetupOptions {
            implementation: Some(IMPLEMENTATION.into()),
            max_filter_ranges: limits.filter_ranges as u64,
            max_request_updates: Some(limits.request_updates as u64),
            relay_id: Some(relay),
            ..SetupOptions::default()
        };
        if let Some(conn) = self.conns.get_mut(at) {
            conn.profile = Profile::PREFERRED[0];
            conn.stage = Stage::Setup;
            conn.session = Some(Session::new(config, now));
        }
        self.with_session(at, |session| session.setup(options));
    }

    /// The sibling's SETUP came: everything is offered, and asked for.
    pub(crate) fn sibling_up(&mut self, at: ConnIndex, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.stage = Stage::Up;
        match conn.is_dialled() {
            true => self.uplink_up(at, now),
            false => self.relay_joined(at, now),
        }
    }

    /// The sibling's engine is no more, or the session with it is over.
    fn sibling_lost(&mut self, shard: usize, now: Time) {
        let Some(at) = self.siblings.all.get_mut(shard).and_then(|sibling| sibling.conn.take()) else { return };
        let text = "the shard began anew".to_owned();
        self.lost(at, Closing { reason: Reason::Reset, code: 0, text }, now);
        self.forget(at);
        self.siblings.all[shard].answers.clear();
        let claims: Vec<u64> = self.siblings.claims.keys().copied().collect();
        for claim in claims {
            self.claim_answered(shard, claim, false, now);
        }
    }

    /// A session with a sibling broke: both ends begin anew.
    pub(crate) fn sibling_broke(&mut self, shard: usize, now: Time) {
        self.sibling_lost(shard, now);
        self.greet(shard);
    }

    fn take_in(&mut self, at: ConnIndex, content: Content, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let (carrier, Some(session)) = (&mut conn.carrier, conn.session.as_mut()) else { return };
        let Some(crossing) = carrier.crossing() else { return };
        conn.heard = now;
        match crossing.take_in(content) {
            Told::Nothing => return,
            Told::Datagram(bytes) => {
                if let Some((key, header, payload)) = session.datagram(bytes, now) {
                    return self.datagram_came(at, key, header, payload, now);
                }
            }
            Told::Whole(bytes) => {
                if !session.on_whole(&bytes, now) {
                    let stream = crossing.keep(bytes);
                    session.on_opened(stream, cc_session::Dir::Uni, carrier, now);
                }
            }
            Told::Opened { from, to, dir } => {
                for stream in (from..=to).step_by(4) {
                    session.on_opened(StreamId(stream), dir, carrier, now);
                }
            }
            Told::Readable(stream) => {
                session.on_readable(stream, carrier, now);
            }
            Told::Writable(stream) => return self.writable(at, stream, now),
            Told::Stopped(stream, code) => {
                if !session.on_stopped(stream, code, carrier, now) {
                    conn.stopped(stream);
                }
            }
            Told::Finished(stream, credit) => {
                if credit {
                    session.on_stream_credit(cc_session::Dir::Uni, carrier, now);
                    conn.queue.unblock_opening();
                }
                self.stream_through(at, stream);
            }
        }
        // At once, so that events do not pile up in the session.
        self.session_events(at, now);
        self.touch(at);
    }

    fn writable(&mut self, at: ConnIndex, stream: StreamId, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let Some(session) = conn.session.as_mut() else { return };
        if !session.on_writable(stream, &mut conn.carrier, now) {
            conn.writable(stream);
        }
        self.ready.want_service(at, conn);
    }

    /// A session is about to be admitted: it waits until no sibling has one of the same peer. False: there is nobody to
    /// ask.
    pub(crate) fn claim(&mut self, session: SessionId, stamp: &Stamp) -> bool {
        let pending = self.siblings.claims.values_mut().find(|claiming| claiming.session == session);
        if let Some(claiming) = pending {
            claiming.stamp = stamp.clone();
            return true;
        }
        let asked: Vec<(usize, ConnIndex)> = self
            .siblings
            .others()
            .filter_map(|shard| self.siblings.all[shard].conn.map(|at| (shard, at)))
            .filter(|(_, at)| self.conns.get(*at).is_some_and(|conn| conn.stage == Stage::Up))
            .collect();
        if asked.is_empty() {
            return false;
        }
        let claim = self.siblings.next_claim;
        self.siblings.next_claim += 1;
        for (_, at) in &asked {
            if let Some(conn) = self.conns.get_mut(*at) {
                if let Some(crossing) = conn.carrier.crossing() {
                    crossing.say(Content::Claim { claim, peer: stamp.peer_id.clone() });
                }
            }
        }
        let waits = asked.into_iter().map(|(shard, _)| shard).collect();
        self.siblings.claims.insert(claim, Claiming { session, stamp: stamp.clone(), waits, known: false });
        true
    }

    /// A sibling is about to admit this peer.
    fn claimed_elsewhere(&mut self, shard: usize, claim: u64, peer: &str, now: Time) {
        let mut known = false;
        if let Some(at) = self.peers.get(peer).and_then(|session| self.sessions.get(session)).copied() {
            self.close_conn(at, Reason::Replaced, "the same peer connected again", now);
            known = true;
        }
        // It is the sibling's to remember from now on.
        known |= self.recent.remove(peer).is_some_and(|left| now.saturating_sub(left) <= RESUME_TIME);
        // Of two that claim the peer at once, the lower number's session stays.
        let rival = self.siblings.claims.values().find(|claiming| claiming.stamp.peer_id == peer);
        if let Some(at) = rival.filter(|_| shard < self.siblings.index).and_then(|r| self.sessions.get(&r.session)) {
            self.close_conn(*at, Reason::Replaced, "the same peer connected again", now);
        }
        self.siblings.all[shard].answers.push(Content::Claimed { claim, known });
    }

    fn claim_answered(&mut self, shard: usize, claim: u64, known: bool, now: Time) {
        let Some(claiming) = self.siblings.claims.get_mut(&claim) else { return };
        claiming.waits.remove(&shard);
        claiming.known |= known;
        if !claiming.waits.is_empty() {
            return;
        }
        let Some(Claiming { session, stamp, known, .. }) = self.siblings.claims.remove(&claim) else { return };
        let Some(at) = self.sessions.get(&session).copied() else { return };
        if self.conns.get(at).is_some_and(|conn| matches!(conn.stage, Stage::Parked { .. })) {
            self.admitted(session, at, stamp, known, now);
        }
    }
}
