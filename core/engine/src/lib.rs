//! The engine: QUIC, congestion control, MoQT sessions and fan-out, driven by time and datagrams.
//!
//! Sans-IO: no socket, no clock, no thread, no randomness but from the seed. The owner
//!
//! 1. gives it what happened: [`Engine::handle`] for each datagram, [`Engine::command`] for each wish,
//!    [`Engine::handle_timeout`] when [`Engine::next_timeout`] has come;
//! 2. then drains it: [`Engine::poll_transmit`] until it gives nothing, [`Engine::poll_event`] and
//!    [`Engine::poll_delivery`] likewise. `next_timeout` is right after that.
//!
//! A relay, a client and a simulated node are the same engine in another role: sessions that a relay accepts share one
//! domain of names, each link that is dialled has a domain of its own, and the application is one more party in each.
//!
//! Holds no policy: who may in, and what they may do, is asked of the owner ([`Event::Auth`]) and then enforced here.

#![forbid(unsafe_code)]

mod admission;
mod api;
mod asking;
mod beyond;
mod budget;
mod carrier;
mod close;
mod config;
pub mod congestion;
mod conn;
mod crossing;
mod deliver;
mod domain;
mod door;
mod drive;
mod due;
mod elsewhere;
mod fetch;
mod fetched;
mod handover;
mod ids;
mod joining;
mod leaving;
mod limits;
mod link;
mod live;
mod malformed;
mod media;
mod moving;
mod offers;
mod opened;
mod ordered;
mod outlets;
mod past;
mod publish;
mod publishing;
mod pulse;
#[cfg(feature = "qlog")]
mod qlog;
mod quic;
mod readings;
mod repeat;
mod requests;
mod router;
mod seeking;
mod selection;
mod service;
mod siblings;
mod sinks;
mod subscribing;
mod tls;
mod tokens;
mod track;
mod uplink;
mod watching;
mod whole;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cc_session::{CommandError, Session};
use quinn_proto::{Endpoint, EndpointConfig, ServerConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use api::*;
pub use cc_fanout::directory::{Grant, Scope, ScopeError};
use cc_fanout::queue::TrackKey;
pub use cc_fanout::queue::{DropReason, GroupOrder};
use cc_fanout::IdHeap;
pub use config::{Config, ConfigError, Congestion, CryptoChoice, CustomCrypto, RelayConfig};
pub use crossing::{Parcel, PARCEL_BYTES};
pub use limits::{Limit, Limits, Refusals};
#[cfg(feature = "qlog")]
pub use qlog::QlogOpen;
pub use siblings::{steering_key, IsOwn, OwnIds, ShardConfig};

use conn::{Conn, ConnIndex};
use deliver::Subscription;
use domain::Domain;
use publish::Publication;
use track::Track;

/// Unix time, as the engine's own clock tells it: what certificates and tokens are checked against.
#[derive(Debug)]
pub(crate) struct EngineClock {
    start: u64,
    now: AtomicU64,
}

impl EngineClock {
    fn advance(&self, now: Time) {
        self.now.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn unix(&self) -> Duration {
        Duration::from_micros(self.start + self.now.load(Ordering::Relaxed))
    }
}

/// Sessions with siblings are numbered from here, out of the way of the numbers that QUIC gives.
pub(crate) const SIBLINGS: ConnIndex = usize::MAX / 2 + 1;

/// The connections, by the number that QUIC gives them, and the sessions with siblings.
#[derive(Default)]
pub(crate) struct Conns {
    quic: Vec<Option<Box<Conn>>>,
    siblings: Vec<Option<Box<Conn>>>,
}

impl Conns {
    pub(crate) fn get(&self, at: ConnIndex) -> Option<&Conn> {
        match at.checked_sub(SIBLINGS) {
            Some(at) => self.siblings.get(at)?.as_deref(),
            None => self.quic.get(at)?.as_deref(),
        }
    }

    pub(crate) fn get_mut(&mut self, at: ConnIndex) -> Option<&mut Conn> {
        match at.checked_sub(SIBLINGS) {
            Some(at) => self.siblings.get_mut(at)?.as_deref_mut(),
            None => self.quic.get_mut(at)?.as_deref_mut(),
        }
    }

    fn insert(&mut self, at: ConnIndex, conn: Conn) {
        let (all, at) = match at.checked_sub(SIBLINGS) {
            Some(at) => (&mut self.siblings, at),
            None => (&mut self.quic, at),
        };
        if all.len() <= at {
            all.resize_with(at + 1, || None);
        }
        all[at] = Some(Box::new(conn));
    }

    fn remove(&mut self, at: ConnIndex) -> Option<Box<Conn>> {
        match at.checked_sub(SIBLINGS) {
            Some(at) => self.siblings.get_mut(at)?.take(),
            None => self.quic.get_mut(at)?.take(),
        }
    }

    /// A number for one more session with a sibling: none is used twice.
    fn next_sibling(&self) -> ConnIndex {
        SIBLINGS + self.siblings.len()
    }

    fn indices(&self) -> Vec<ConnIndex> {
        let all = (0..).zip(&self.quic).chain((SIBLINGS..).zip(&self.siblings));
        all.filter_map(|(at, conn)| conn.as_ref().map(|_| at)).collect()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        self.quic.iter_mut().chain(&mut self.siblings).flatten().map(Box::as_mut)
    }
}

/// Connections that have something to do.
#[derive(Default)]
pub(crate) struct Ready {
    /// Events to handle.
    service: VecDeque<ConnIndex>,
    /// Packets to write.
    send: VecDeque<ConnIndex>,
}

impl Ready {
    pub(crate) fn want_service(&mut self, at: ConnIndex, conn: &mut Conn) {
        if !std::mem::replace(&mut conn.wants_service, true) {
            self.service.push_back(at);
        }
    }

    pub(crate) fn want_send(&mut self, at: ConnIndex, conn: &mut Conn) {
        if !std::mem::replace(&mut conn.wants_send, true) {
            self.send.push_back(at);
        }
    }
}

/// The engine. See the crate for how to drive it.
pub struct Engine {
    config: Config,
    crypto: CryptoChoice,
    clock: Arc<EngineClock>,
    rng: StdRng,
    endpoint: Endpoint,
    server: Option<ServerConfig>,
    conns: Conns,
    door: door::Door,
    /// Sessions that wait to be admitted.
    parked: usize,
    /// How often each bound was met.
    refused: Refusals,
    ready: Ready,
    /// When each connection is next looked at.
    timers: IdHeap<(Time, u32)>,
    domains: BTreeMap<Place, Domain>,
    tracks: BTreeMap<TrackId, Track>,
    next_track: TrackId,
    publications: BTreeMap<PublicationId, Publication>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    links: link::Links,
    sessions: BTreeMap<SessionId, ConnIndex>,
    next_session: SessionId,
    /// Admitted peers.
    peers: BTreeMap<String, SessionId>,
    /// Peers that left, and when.
    recent: BTreeMap<String, Time>,
    /// Our fetches under way, by connection and request.
    fetches: BTreeMap<(ConnIndex, cc_session::RequestKey), fetch::Purpose>,
    /// Answers that are not through, by connection and their place in its queue.
    serving: BTreeMap<(ConnIndex, TrackKey), fetch::Answer>,
    /// When answers stop waiting for a publisher (FILL_TIMEOUT).
    fill_timers: std::collections::BTreeSet<(Time, ConnIndex, TrackKey)>,
    /// Late joins under way, and until when their live objects wait.
    joins: std::collections::BTreeSet<(Time, TrackId, SubscriptionId)>,
    /// Names that sessions are still getting the last of, by the request they had them by.
    leaving: BTreeMap<ConnIndex, Vec<(cc_session::RequestKey, cc_wire::TrackName)>>,
    going_away: bool,
    /// When sessions that have not left after GOAWAY are closed.
    leave_at: Option<Time>,
    /// Tracks that are looked for, and when each search is next looked at.
    seeking: BTreeMap<TrackId, seeking::Seek>,
    seek_timers: std::collections::BTreeSet<(Time, TrackId)>,
    /// This relay's number among relays; drawn anew with each start.
    relay_id: u64,
    events: VecDeque<Event>,
    /// When the owner was last warned.
    warned: Option<Time>,
    /// When tracks without a source are next looked for.
    forget_at: Time,
    deliveries: VecDeque<Delivery>,
    /// Where local readers were in Text tracks that have ended, and when these did.
    read_places: BTreeMap<(SubscriptionId, cc_wire::TrackName), ((u64, u64), Time)>,
    /// Tracks whose messages or media wait for a group to end, and until when.
    held_text: due::Due<TrackId>,
    /// When each repeated frame is next looked at.
    repeats: std::collections::BTreeSet<(Time, PublicationId)>,
    /// Datagrams that belong to no connection: version negotiation, retry, stateless reset.
    answers: VecDeque<(Transmit, Vec<u8>)>,
    packet: Vec<u8>,
    scratch: Vec<u8>,
    stats: EngineStats,
    /// Drops of connections that are gone.
    past_drops: Drops,
    past_objects: (u64, u64),
    /// Recent objects kept, of all tracks.
    past_bytes: usize,
    /// Namespaces announced by sessions and links.
    announced: usize,
    /// Text and fragments that wait, of all tracks.
    reordering: Arc<budget::Budget>,
    /// Messages and objects of which a part has come, of all sessions.
    assembling: usize,
    /// Subscriptions whose owner takes no more Text, to be told of.
    stalled: VecDeque<SubscriptionId>,
    /// The other shards of the same relay.
    siblings: siblings::Siblings,
    #[cfg(feature = "qlog")]
    qlog: Option<QlogOpen>,
}

impl Engine {
    /// An engine at time `now`, whose connections TLS protects.
    ///
    /// # Errors
    /// [`ConfigError`] for a certificate or key that can't be used, or a value out of its range.
    pub fn new(config: Config, now: Time) -> Result<Engine, ConfigError> {
        Engine::with_crypto(config, CryptoChoice::Tls, now)
    }

    /// As [`new`](Engine::new), with something else in the place of TLS.
    ///
    /// # Errors
    /// As [`new`](Engine::new); a certificate and key are not looked at unless `crypto` is TLS.
    pub fn with_crypto(config: Config, crypto: CryptoChoice, now: Time) -> Result<Engine, ConfigError> {
        Engine::of_shard(config, crypto, None, now)
    }

    /// As [`with_crypto`](Engine::with_crypto), one of several that are one relay: they share certificate and
    /// `state_key`, and each has a seed of its own.
    ///
    /// # Errors
    /// As [`with_crypto`](Engine::with_crypto).
    pub fn of_shard(
        config: Config,
        crypto: CryptoChoice,
        shard: Option<ShardConfig>,
        now: Time,
    ) -> Result<Engine, ConfigError> {
        if config.profiles.is_empty() {
            return Err(ConfigError::Value("no draft to speak".into()));
        }
        let clock = Arc::new(EngineClock { start: config.unix_us, now: AtomicU64::new(now) });
        let mut rng = StdRng::from_seed(config.seed);
        let keys = tls::StateKeys::new(&config.state_key);
        let mut endpoint_config = EndpointConfig::new(keys.reset());
        let ids_seed: [u8; 32] = draw(&mut rng);
        let own = shard.as_ref().map(|shard| shard.ids.clone());
        endpoint_config.cid_generator(move || Box::new(ids::SeededIds::new(ids_seed, own.clone())));
        let server = match &config.relay {
            None => None,
            Some(relay) => {
                let alpns = config.profiles.iter().map(|profile| profile.alpn().to_vec()).collect();
                let crypto: Arc<dyn quinn_proto::crypto::ServerConfig> = match &crypto {
                    CryptoChoice::Tls => Arc::new(tls::server(relay, alpns, &keys, clock.clone())?),
                    CryptoChoice::Custom(custom) => custom.server(alpns),
                };
                let mut server = ServerConfig::new(crypto, keys.token());
                server.time_source(Arc::new(tls::TokenClock(clock.clone())));
                server.incoming_buffer_size_total(16 << 20);
                Some(server)
            }
        };
        let seed: [u8; 32] = draw(&mut rng);
        let endpoint = Endpoint::new(Arc::new(endpoint_config), server.clone().map(Arc::new), true, Some(seed));
        // What JavaScript holds exactly, and not 0.
        let relay_id = (u64::from_le_bytes(draw(&mut rng)) >> 11).max(1);
        let mut domains = BTreeMap::new();
        domains.insert(Place::Node, Domain::default());
        let reordering = budget::Budget::new(config.limits.reorder_total);
        let mut engine = Engine {
            config,
            crypto,
            clock,
            rng,
            endpoint,
            server,
            conns: Conns::default(),
            door: door::Door::default(),
            parked: 0,
            refused: Refusals::default(),
            ready: Ready::default(),
            timers: IdHeap::new(),
            domains,
            tracks: BTreeMap::new(),
            // 0 is no track.
            next_track: 1,
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            links: link::Links::default(),
            sessions: BTreeMap::new(),
            next_session: 1,
            peers: BTreeMap::new(),
            recent: BTreeMap::new(),
            fetches: BTreeMap::new(),
            serving: BTreeMap::new(),
            fill_timers: std::collections::BTreeSet::new(),
            joins: std::collections::BTreeSet::new(),
            leaving: BTreeMap::new(),
            going_away: false,
            leave_at: None,
            seeking: BTreeMap::new(),
            seek_timers: std::collections::BTreeSet::new(),
            relay_id,
            events: VecDeque::new(),
            warned: None,
            forget_at: now,
            deliveries: VecDeque::new(),
            read_places: BTreeMap::new(),
            held_text: due::Due::default(),
            repeats: std::collections::BTreeSet::new(),
            answers: VecDeque::new(),
            packet: Vec::with_capacity(64 << 10),
            scratch: Vec::with_capacity(2048),
            stats: EngineStats::default(),
            past_drops: [0; 8],
            past_objects: (0, 0),
            past_bytes: 0,
            announced: 0,
            reordering,
            assembling: 0,
            stalled: VecDeque::new(),
            siblings: siblings::Siblings::default(),
            #[cfg(feature = "qlog")]
            qlog: None,
        };
        if let Some(shard) = &shard {
            engine.become_shard(shard);
        }
        Ok(engine)
    }

    /// Writes qlog of connections made from now on.
    #[cfg(feature = "qlog")]
    pub fn set_qlog(&mut self, open: QlogOpen) {
        self.qlog = Some(open);
    }

    /// Carries out a wish of the owner.
    pub fn command(&mut self, now: Time, command: Command) {
        self.clock.advance(now);
        match command {
            Command::OpenLink(id, config) => self.open_link(id, *config, now),
            Command::CloseLink(id, reason, text) => self.close_link(id, reason, &text, now),
            Command::LinkToken(id, token) => self.set_link_token(id, token),
            Command::LinkAddresses(id, addresses) => {
                if let (Some(link), false) = (self.links.get_mut(&id), addresses.is_empty()) {
                    link.config.addresses = addresses;
                }
            }
            Command::Accept(session, stamp) => self.accept_session(session, *stamp, now),
            Command::Refuse(session, reason, text) => self.refuse_session(session, reason, &text, now),
            Command::CloseSession(session, reason, text) => {
                if let Some(at) = self.sessions.get(&session).copied() {
                    self.close_conn(at, reason, &text, now);
                }
            }
            Command::Publish(id, place, config, shared) => self.publish(id, place, *config, shared, now),
            Command::Unpublish(id) => self.unpublish(id, now),
            Command::Send(outgoing) => self.send(outgoing, now),
            Command::Repeat(id, what) => self.repeat(id, what, now),
            Command::Subscribe(id, place, config) => self.subscribe(id, place, *config, now),
            Command::Unsubscribe(id) => self.unsubscribe(id),
            Command::WantGroup(id, track) => self.want_group(id, track),
            Command::TextRoom(id, room) => self.text_room(id, room, now),
            Command::Goaway(uri, timeout_ms) => self.goaway(&uri, timeout_ms, now),
            Command::LinkMove(id, target) => self.move_link(id, *target, now),
            Command::AcceptRequest(session, request, stamp) => self.accept_request(session, request, *stamp, now),
            Command::RefuseRequest(session, request, reason, text) => {
                self.refuse_token(session, request, reason, &text, now);
            }
        }
    }

    /// Ends every local publication: the node is about to close. What is queued of them goes on leaving.
    pub fn finish(&mut self) {
        let now = self.clock.now.load(Ordering::Relaxed);
        let publications: Vec<PublicationId> = self.publications.keys().copied().collect();
        for id in publications {
            self.unpublish(id, now);
        }
    }

    /// Whether something of tracks that have ended has not left, or is not known to have arrived where it must.
    pub fn is_finishing(&mut self) -> bool {
        let Engine { conns, tracks, .. } = self;
        conns.iter_mut().filter(|conn| conn.stage == conn::Stage::Up).any(|conn| {
            let queued = conn.sinks.values().any(|sink| sink.ending.is_some());
            let ended = |track| track != 0 && !tracks.contains_key(&track);
            let on_way = conn.sending_back.values().any(|sending| ended(sending.track));
            let dialled = matches!(conn.side, conn::Side::Link(_));
            queued || on_way || (dialled && conn.datagrams_waiting() > 0)
        })
    }

    /// What happened that the owner should know of; in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What came for local subscriptions; in order.
    pub fn poll_delivery(&mut self) -> Option<Delivery> {
        self.deliveries.pop_front()
    }

    /// A subscription that has Text waiting and no room for it: its owner gives it [`Command::TextRoom`] when there is.
    pub fn poll_stalled(&mut self) -> Option<SubscriptionId> {
        self.stalled.pop_front()
    }

    fn goaway(&mut self, uri: &str, timeout_ms: u64, now: Time) {
        // A session takes one GOAWAY, and those that come later are refused.
        if std::mem::replace(&mut self.going_away, true) {
            return;
        }
        self.leave_at = (timeout_ms > 0).then(|| now.saturating_add(timeout_ms.saturating_mul(1000)));
        let all: Vec<ConnIndex> = self.sessions.values().copied().collect();
        for at in all {
            let up = self.conns.get(at).is_some_and(|conn| conn.stage == conn::Stage::Up);
            if up {
                self.with_session(at, |session| session.goaway(uri, timeout_ms));
            } else {
                self.close_conn(at, Reason::GoingAway, "the relay takes no new sessions", now);
            }
        }
    }

    /// The time to leave is over: sessions that are left are closed.
    fn goaway_timeout(&mut self, now: Time) {
        if self.leave_at.is_none_or(|at| at > now) {
            return;
        }
        self.leave_at = None;
        let all: Vec<ConnIndex> = self.sessions.values().copied().collect();
        for at in all {
            self.close_conn(at, Reason::GoingAway, "the time to leave is over", now);
        }
    }

    /// Uses a connection's session, and has what it wants to send sent. A request that has just ended refuses the
    /// command, and the event that says so is on its way; any other refusal is a fault of this engine, and told.
    pub(crate) fn with_session(&mut self, at: ConnIndex, call: impl FnOnce(&mut Session) -> Result<(), CommandError>) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let done = conn.session.as_mut().map_or(Ok(()), call);
        self.ready.want_service(at, conn);
        match done {
            Ok(()) | Err(CommandError::Gone) => {}
            Err(error) => self.warn(|| format!("connection {at}: {error}")),
        }
    }

    /// A line for the owner's log; at most one a second, since a peer may be what brings them about.
    pub(crate) fn warn(&mut self, text: impl FnOnce() -> String) {
        let now = self.clock.now.load(Ordering::Relaxed);
        if self.warned.is_none_or(|last| now.saturating_sub(last) >= 1_000_000) {
            self.warned = Some(now);
            self.events.push_back(Event::Warning { text: text() });
        }
    }

    pub(crate) fn instant(&self, now: Time) -> Instant {
        self.config.epoch + Duration::from_micros(now)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        draw(&mut self.rng)
    }

    /// A number from 0 to 1.
    pub(crate) fn random_unit(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / f64::from(u32::MAX)
    }

    /// Marks a connection for attention.
    pub(crate) fn touch(&mut self, at: ConnIndex) {
        if let Some(conn) = self.conns.get_mut(at) {
            self.ready.want_service(at, conn);
        }
    }
}

fn draw<const N: usize>(rng: &mut StdRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
