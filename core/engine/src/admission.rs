//! Who may in: sessions wait for the owner's word, are stamped with what they may do, renewed, replaced, expired.
//!
//! A server's SETUP is sent when the session is admitted, so a client whose connect has completed is admitted. A peer
//! id that the token does not name is derived from the client's resume secret: whoever has the secret is the same
//! peer, over reconnects and restarts of the relay, and nobody else can claim the id.

use bytes::Bytes;
use cc_fanout::directory::{Grant, Scope};
use cc_session::Refusal;
use cc_wire::{codes, SetupOptions, Token};
use quinn_proto::Dir;
use ring::digest;

use crate::api::{Event, Reason, SessionId, Stamp, Time};
use crate::close;
use crate::conn::{ConnIndex, Side, Stage};
use crate::door::Knock;
use crate::limits::Limit;
use crate::Engine;

/// How long a peer that left counts as resumed when it comes back.
pub(crate) const RESUME_TIME: Time = 60_000_000;
/// Peers remembered for that at most.
const RECENT_MAX: usize = 65_536;
/// Longest token taken, bytes (an IDL constant).
const TOKEN_MAX: usize = 4096;
/// Most bytes of a resume secret.
const SECRET_MAX: usize = 64;
/// Fewest: below, others could guess it.
const SECRET_MIN: usize = 16;
/// MoQT's name of this implementation.
pub(crate) const IMPLEMENTATION: &str = concat!("clutchcall/", env!("CARGO_PKG_VERSION"));

/// The bytes of a token that is given by value.
pub(crate) fn token_value(token: &Token) -> Option<Bytes> {
    match token {
        Token::UseValue { value, .. } | Token::Register { value, .. } if value.len() <= TOKEN_MAX => {
            Some(value.clone())
        }
        _ => None,
    }
}

/// A peer id from a resume secret: the first 80 bits of its SHA-256.
pub(crate) fn peer_id(secret: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"clutchcall peer 1");
    context.update(secret);
    let mut id = String::from("p");
    for byte in &context.finish().as_ref()[..10] {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

impl Engine {
    /// Whether sessions are admitted without asking.
    pub(crate) fn open_to_all(&self) -> bool {
        self.config.relay.as_ref().is_some_and(|relay| relay.open.is_some())
    }

    /// The client's SETUP has come.
    pub(crate) fn setup_received(&mut self, at: ConnIndex, options: SetupOptions, now: Time) {
        let random: [u8; 16] = self.random();
        let Some(relay) = &self.config.relay else { return };
        let (open, auth_timeout) = (relay.open.clone(), relay.auth_timeout);
        let Some(conn) = self.conns.get_mut(at) else { return };
        let Side::Session(session) = conn.side else { return };
        conn.suggested_peer = match &options.resume_secret {
            Some(secret) if (SECRET_MIN..=SECRET_MAX).contains(&secret.len()) => peer_id(secret),
            _ => peer_id(&random),
        };
        let suggested_peer = conn.suggested_peer.clone();
        if open.is_none() && self.parked >= self.config.limits.parked {
            self.stats.sessions_refused += 1;
            self.refused.met(Limit::Parked);
            return self.close_conn(at, Reason::ExcessiveLoad, "too many sessions wait to be admitted", now);
        }
        self.parked += 1;
        conn.stage = Stage::Parked { until: now.saturating_add(auth_timeout) };
        if let Some(prefix) = open {
            let grants = Grant::new(prefix.fields().to_vec()).map(|grant| vec![grant]).unwrap_or_default();
            let scope = Scope::new(grants).unwrap_or_default();
            let stamp = Stamp {
                publish: scope.clone(),
                subscribe: scope,
                capabilities: Vec::new(),
                tenant: String::new(),
                subject: String::new(),
                peer_id: suggested_peer,
                expires: None,
            };
            return self.accept_session(session, stamp, now);
        }
        let token = match options.tokens.first().map(token_value) {
            None => Bytes::new(),
            Some(Some(value)) => value,
            Some(None) => {
                let text = format!("a token is given by value and has at most {TOKEN_MAX} bytes");
                return self.close_conn(at, Reason::MalformedToken, &text, now);
            }
        };
        let from = conn.remote;
        let path = options.path.unwrap_or_default();
        self.events.push_back(Event::Auth { session, token, path, from, suggested_peer });
    }

    /// The owner admits a session, or renews its stamp.
    pub(crate) fn accept_session(&mut self, session: SessionId, stamp: Stamp, now: Time) {
        let Some(at) = self.sessions.get(&session).copied() else { return };
        let Some(conn) = self.conns.get_mut(at) else { return };
        match conn.stage {
            Stage::Parked { .. } => self.admit(session, at, stamp, now),
            Stage::Up => {
                let Some((request, request_id, params)) = conn.refreshing.take().map(|waiting| *waiting) else {
                    conn.set_stamp(Some(stamp));
                    self.stamp_changed(at, now);
                    return self.touch(at);
                };
                let same = conn.stamp.as_ref().is_some_and(|old| {
                    old.subject == stamp.subject && old.tenant == stamp.tenant && old.peer_id == stamp.peer_id
                });
                if same {
                    conn.set_stamp(Some(stamp));
                    self.updated(at, request, request_id, &params, now);
                    self.stamp_changed(at, now);
                    self.touch(at);
                } else {
                    let text = "the new token names another subject, tenant or peer";
                    let refusal = Refusal::new(codes::request_error::UNAUTHORIZED, text);
                    self.with_session(at, |s| s.answer_update(request, Err(refusal)));
                    self.close_conn(at, Reason::Unauthorized, text, now);
                }
            }
            _ => {}
        }
    }

    fn admit(&mut self, session: SessionId, at: ConnIndex, stamp: Stamp, now: Time) {
        // Of a peer there is one session on all shards together.
        if !self.claim(session, &stamp) {
            self.admitted(session, at, stamp, false, now);
        }
    }

    /// The same once no other shard has the peer; `known`: one of them had.
    pub(crate) fn admitted(&mut self, session: SessionId, at: ConnIndex, stamp: Stamp, known: bool, now: Time) {
        let peer_id = stamp.peer_id.clone();
        if let Some(before) = self.peers.insert(peer_id.clone(), session) {
            if let Some(old) = self.sessions.get(&before).copied() {
                self.close_conn(old, Reason::Replaced, "the same peer connected again", now);
            }
            // Closing the old one has forgotten the name.
            self.peers.insert(peer_id.clone(), session);
        }
        let here = self.recent.remove(&peer_id).is_some_and(|left| now.saturating_sub(left) <= RESUME_TIME);
        let resumed = here || known;
        let grease = u64::from_le_bytes(self.random());
        let Some(conn) = self.conns.get_mut(at) else { return };
        let tenant = stamp.tenant.clone();
        conn.set_stamp(Some(stamp));
        conn.stage = Stage::Up;
        self.parked -= 1;
        if let Some(quic) = conn.carrier.quic() {
            quic.set_receive_window(crate::drive::var(self.config.limits.receive_bytes));
        }
        for dir in [Dir::Bi, Dir::Uni] {
            conn.permit(dir, self.config.limits.streams_max);
        }
        let options = SetupOptions {
            implementation: Some(IMPLEMENTATION.into()),
            peer_id: Some(Bytes::copy_from_slice(peer_id.as_bytes())),
            max_filter_ranges: self.config.limits.filter_ranges as u64,
            max_request_updates: Some(self.config.limits.request_updates as u64),
            relay_id: Some(self.relay_id),
            grease: Some(grease),
            ..SetupOptions::default()
        };
        let (from, draft) = (conn.remote, conn.profile.number());
        self.with_session(at, |s| s.setup(options));
        self.stats.sessions_total += 1;
        self.events.push_back(Event::SessionUp { session, peer_id, tenant, from, draft, resumed });
        self.relay_joined(at, now);
    }

    /// The owner turns a session away.
    pub(crate) fn refuse_session(&mut self, session: SessionId, reason: Reason, text: &str, now: Time) {
        let Some(at) = self.sessions.get(&session).copied() else { return };
        let Some(conn) = self.conns.get_mut(at) else { return };
        if let Some((request, ..)) = conn.refreshing.take().as_deref() {
            let request = *request;
            let code = match reason {
                Reason::ExpiredToken => codes::request_error::EXPIRED_AUTH_TOKEN,
                Reason::MalformedToken => codes::request_error::MALFORMED_AUTH_TOKEN,
                _ => codes::request_error::UNAUTHORIZED,
            };
            let refusal = Refusal::new(code, text);
            self.with_session(at, |s| s.answer_update(request, Err(refusal)));
        } else {
            self.stats.sessions_refused += 1;
        }
        self.close_conn(at, reason, text, now);
    }

    /// A session that was admitted has ended.
    pub(crate) fn session_ended(
        &mut self,
        session: SessionId,
        at: ConnIndex,
        closing: crate::conn::Closing,
        now: Time,
    ) {
        self.sessions.remove(&session);
        let Some(stamp) = self.conns.get_mut(at).and_then(|conn| conn.set_stamp(None)) else { return };
        if self.peers.get(&stamp.peer_id) == Some(&session) {
            self.peers.remove(&stamp.peer_id);
        }
        if self.recent.len() < RECENT_MAX {
            self.recent.insert(stamp.peer_id.clone(), now);
        }
        let crate::conn::Closing { reason, code, text } = closing;
        self.events.push_back(Event::SessionDown { session, peer_id: stamp.peer_id, reason, code, text });
    }

    /// Peers that left so long ago that their return is nothing special.
    pub(crate) fn forget_peers(&mut self, now: Time) {
        self.recent.retain(|_, left| now.saturating_sub(*left) <= RESUME_TIME);
    }

    /// Time limits of a connection's admission; whether it was closed for one.
    pub(crate) fn admission_timeout(&mut self, at: ConnIndex, now: Time) -> bool {
        let Some(conn) = self.conns.get(at) else { return false };
        match conn.stage {
            Stage::Handshake if conn.knock.as_deref().and_then(Knock::deadline).is_some_and(|until| until <= now) => {
                self.stats.sessions_refused += 1;
                self.close_conn(at, Reason::Timeout, "the handshake took too long", now);
                true
            }
            Stage::Parked { until } if until <= now => {
                self.stats.sessions_refused += 1;
                self.close_conn(at, Reason::ExcessiveLoad, "nobody decided on the token in time", now);
                true
            }
            Stage::Up if conn.expires <= now => {
                self.close_conn(at, Reason::ExpiredToken, "the token has expired", now);
                true
            }
            Stage::Up => {
                self.tokens_timeout(at, now);
                false
            }
            _ => false,
        }
    }

    /// Closes a connection with a reason that both ends are told.
    pub(crate) fn close_conn(&mut self, at: ConnIndex, reason: Reason, text: &str, now: Time) {
        let instant = self.instant(now);
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.stage == Stage::Closed {
            return;
        }
        let code = close::session_code(reason);
        if let Some(quic) = conn.carrier.quic() {
            quic.close(instant, crate::quic::quic_code(code), Bytes::copy_from_slice(text.as_bytes()));
        }
        self.lost(at, crate::conn::Closing { reason, code, text: text.to_owned() }, now);
    }
}
