//! Tokens on single requests: each parks its request alone until the owner has judged it, and the request is then
//! served under that token's stamp, or refused. Of several tokens on one request the first that is good and allows it
//! counts. The session's own stamp stays as it is.
//!
//! What a token was found to allow is kept by its hash for the session's life, a few of them, so that a client that shows
//! one token with each request is asked about once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use cc_session::{Refusal, Request, RequestKey};
use cc_wire::{codes, Params, Token};
use ring::digest;

use crate::admission::token_value;
use crate::api::{Event, Reason, SessionId, Stamp, Time};
use crate::close;
use crate::conn::{Conn, ConnIndex, Role, Side};
use crate::Engine;

/// Requests of one session that wait for a verdict at once.
const PARKED_MAX: usize = 64;
/// Tokens that one request may show.
const TOKENS_MAX: usize = 4;
/// Verdicts that are remembered of a session.
const VERDICTS_MAX: usize = 16;
/// After how long a request that was turned away for want of room may come again, ms.
const RETRY_MS: u64 = 500;

type Hash = [u8; 32];

/// What waits for the owner's word.
#[derive(Debug)]
enum Asked {
    Request(Request),
    /// An update, by its own id, of a request that was made with a token of its own.
    Update(u64, Params),
}

#[derive(Debug)]
struct Parked {
    number: u64,
    asked: Asked,
    hash: Hash,
    /// The request's other tokens, to be looked at in turn if this one does not allow it.
    others: Vec<Bytes>,
    until: Time,
}

/// The single requests of a session that showed tokens of their own, once one has.
#[derive(Debug, Default)]
pub(crate) struct RequestTokens(Option<Box<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    parked: BTreeMap<RequestKey, Parked>,
    next: u64,
    /// Good tokens, the latest last.
    verdicts: VecDeque<(Hash, Arc<Stamp>)>,
    /// Stamps of requests that live.
    stamps: BTreeMap<RequestKey, Arc<Stamp>>,
}

impl RequestTokens {
    /// When something here ends.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let shown = self.0.as_ref()?;
        let parked = shown.parked.values().map(|parked| parked.until);
        parked.chain(shown.stamps.values().filter_map(|stamp| stamp.expires)).min()
    }

    /// A request is over.
    pub(crate) fn forget(&mut self, key: RequestKey) {
        if let Some(shown) = &mut self.0 {
            shown.parked.remove(&key);
            shown.stamps.remove(&key);
        }
    }

    /// The stamp of a request that showed a token of its own.
    pub(crate) fn stamp(&self, key: RequestKey) -> Option<&Stamp> {
        self.0.as_ref()?.stamps.get(&key).map(Arc::as_ref)
    }

    /// All stamps of single requests.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Stamp> {
        self.0.iter().flat_map(|shown| shown.stamps.values().map(Arc::as_ref))
    }

    fn verdict(&self, hash: &Hash, now: Time) -> Option<Arc<Stamp>> {
        let known = self.0.as_ref()?.verdicts.iter().find(|(known, _)| known == hash)?;
        Some(known.1.clone()).filter(|stamp| stamp.expires.is_none_or(|end| end > now))
    }

    fn remember(&mut self, hash: Hash, stamp: Arc<Stamp>) {
        let verdicts = &mut self.made().verdicts;
        verdicts.retain(|(known, _)| *known != hash);
        if verdicts.len() == VERDICTS_MAX {
            verdicts.pop_front();
        }
        verdicts.push_back((hash, stamp));
    }

    fn made(&mut self) -> &mut Shown {
        self.0.get_or_insert_default()
    }
}

impl Conn {
    /// What a request is judged by: the stamp of its own token, else the session's. None: everything is allowed.
    pub(crate) fn stamp_for(&self, key: RequestKey) -> Option<&Stamp> {
        self.tokens.stamp(key).or(self.stamp.as_deref())
    }
}

/// A token as a request's parameter.
pub(crate) fn by_value(token: Option<&Bytes>) -> Vec<Token> {
    token.map(|value| Token::UseValue { kind: 0, value: value.clone() }).into_iter().collect()
}

fn hash_of(token: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
    hash
}

fn params_of(request: &Request) -> &Params {
    match request {
        Request::Subscribe { params, .. }
        | Request::Publish { params, .. }
        | Request::PublishNamespace { params, .. }
        | Request::SubscribeNamespace { params, .. }
        | Request::SubscribeTracks { params, .. }
        | Request::TrackStatus { params, .. } => params,
        Request::Fetch(fetch) => &fetch.params,
    }
}

/// What a request asks, for whoever judges its token.
fn described(asked: &Asked) -> String {
    match asked {
        Asked::Request(Request::Subscribe { track, .. }) => format!("subscribe {track}"),
        Asked::Request(Request::Publish { track, .. }) => format!("publish {track}"),
        Asked::Request(Request::PublishNamespace { namespace, .. }) => format!("publish below {namespace}"),
        Asked::Request(Request::SubscribeNamespace { prefix, .. }) => format!("namespaces below {prefix}"),
        Asked::Request(Request::SubscribeTracks { prefix, .. }) => format!("subscribe below {prefix}"),
        Asked::Request(Request::TrackStatus { track, .. }) => format!("status {track}"),
        Asked::Request(Request::Fetch(fetch)) => match &fetch.kind {
            cc_wire::FetchKind::Standalone(track) => format!("fetch {track}"),
            _ => "fetch of a subscription".to_owned(),
        },
        Asked::Update(..) => "update".to_owned(),
    }
}

fn malformed() -> Refusal {
    let text = "a request shows up to 4 tokens of at most 4096 bytes each";
    Refusal::new(codes::request_error::MALFORMED_AUTH_TOKEN, text)
}

impl Engine {
    /// A request of an admitted session: served at once, or when its token has been judged.
    pub(crate) fn take_request(&mut self, at: ConnIndex, key: RequestKey, request: Request, now: Time) {
        let Some(conn) = self.conns.get(at) else { return };
        let Side::Session(session) = conn.side else { return self.serve_request(at, key, request, now) };
        let params = params_of(&request);
        if params.tokens.is_empty() || self.open_to_all() {
            return self.serve_request(at, key, request, now);
        }
        let tokens: Option<Vec<Bytes>> = match params.tokens.len() {
            0..=TOKENS_MAX => params.tokens.iter().map(token_value).collect(),
            _ => None,
        };
        match tokens {
            Some(tokens) => self.park(at, session, key, Asked::Request(request), tokens, now),
            None => self.refuse_request(at, key, malformed()),
        }
    }

    /// An update that shows a new token for a request that was made with a token of its own.
    pub(crate) fn renew_request(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        request_id: u64,
        params: Params,
        token: &Bytes,
        now: Time,
    ) {
        if let Some(Side::Session(session)) = self.conns.get(at).map(|conn| conn.side) {
            self.park(at, session, key, Asked::Update(request_id, params), vec![token.clone()], now);
        }
    }

    /// Has the first of a request's tokens judged; the next one when that does not allow it.
    fn park(
        &mut self,
        at: ConnIndex,
        session: SessionId,
        key: RequestKey,
        asked: Asked,
        mut tokens: Vec<Bytes>,
        now: Time,
    ) {
        if tokens.is_empty() {
            return;
        }
        let timeout = self.config.relay.as_ref().map_or(0, |relay| relay.auth_timeout);
        let Some(conn) = self.conns.get_mut(at) else { return };
        let token = tokens.remove(0);
        let hash = hash_of(&token);
        if let Some(stamp) = conn.tokens.verdict(&hash, now) {
            return self.judged(at, key, asked, tokens, Ok(stamp), now);
        }
        let shown = conn.tokens.made();
        if shown.parked.len() >= PARKED_MAX || shown.parked.contains_key(&key) {
            let mut refusal =
                Refusal::new(codes::request_error::EXCESSIVE_LOAD, "too many requests wait for their tokens' verdict");
            refusal.retry_ms = Some(RETRY_MS);
            return self.judged(at, key, asked, Vec::new(), Err(refusal), now);
        }
        shown.next += 1;
        let number = shown.next;
        let what = described(&asked);
        let until = now.saturating_add(timeout);
        shown.parked.insert(key, Parked { number, asked, hash, others: tokens, until });
        self.events.push_back(Event::AuthRequest { session, request: number, token, what });
        // So that its time is looked at.
        self.touch(at);
    }

    /// The owner's word on a single request.
    pub(crate) fn accept_request(&mut self, session: SessionId, number: u64, stamp: Stamp, now: Time) {
        let Some((at, key, parked)) = self.unpark(session, number) else { return };
        let stamp = Arc::new(stamp);
        if let Some(conn) = self.conns.get_mut(at) {
            conn.tokens.remember(parked.hash, stamp.clone());
        }
        self.judged(at, key, parked.asked, parked.others, Ok(stamp), now);
    }

    /// The owner's word against a single request.
    pub(crate) fn refuse_token(&mut self, session: SessionId, number: u64, reason: Reason, text: &str, now: Time) {
        let Some((at, key, parked)) = self.unpark(session, number) else { return };
        let code = match reason {
            Reason::ExpiredToken | Reason::MalformedToken | Reason::ExcessiveLoad | Reason::Internal => {
                close::request_error_code(reason)
            }
            _ => codes::request_error::UNAUTHORIZED,
        };
        self.judged(at, key, parked.asked, parked.others, Err(Refusal::new(code, text)), now);
    }

    fn unpark(&mut self, session: SessionId, number: u64) -> Option<(ConnIndex, RequestKey, Parked)> {
        let at = *self.sessions.get(&session)?;
        let parked = &mut self.conns.get_mut(at)?.tokens.0.as_mut()?.parked;
        let key = *parked.iter().find(|(_, parked)| parked.number == number)?.0;
        Some((at, key, parked.remove(&key)?))
    }

    fn judged(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        asked: Asked,
        others: Vec<Bytes>,
        verdict: Result<Arc<Stamp>, Refusal>,
        now: Time,
    ) {
        let Some(Side::Session(session)) = self.conns.get(at).map(|conn| conn.side) else { return };
        let stamp = match verdict {
            Ok(stamp) => stamp,
            Err(_) if !others.is_empty() => return self.park(at, session, key, asked, others, now),
            Err(refusal) => {
                return match asked {
                    Asked::Request(_) => self.refuse_request(at, key, refusal),
                    Asked::Update(..) => self.with_session(at, |session| session.answer_update(key, Err(refusal))),
                }
            }
        };
        if let Some(conn) = self.conns.get_mut(at) {
            conn.tokens.made().stamps.insert(key, stamp);
        }
        match asked {
            Asked::Request(request) if others.is_empty() => self.serve_request(at, key, request, now),
            Asked::Request(request) => match self.try_request(at, key, request.clone(), now) {
                Err(refusal) if refusal.code == codes::request_error::UNAUTHORIZED => {
                    if let Some(conn) = self.conns.get_mut(at) {
                        conn.tokens.forget(key);
                    }
                    return self.park(at, session, key, Asked::Request(request), others, now);
                }
                Err(refusal) => self.refuse_request(at, key, refusal),
                Ok(()) => {}
            },
            Asked::Update(request_id, params) => {
                self.updated(at, key, request_id, &Params { tokens: Vec::new(), ..params }, now);
                self.stamp_changed(at, now);
            }
        }
        self.touch(at);
    }

    /// Requests whose verdict did not come, and those whose own token has ended.
    pub(crate) fn tokens_timeout(&mut self, at: ConnIndex, now: Time) {
        let Some(shown) = self.conns.get(at).and_then(|conn| conn.tokens.0.as_ref()) else { return };
        let late: Vec<RequestKey> =
            shown.parked.iter().filter(|(_, parked)| parked.until <= now).map(|(key, _)| *key).collect();
        let stamps = shown.stamps.iter();
        let ended: Vec<RequestKey> =
            stamps.filter(|(_, stamp)| stamp.expires.is_some_and(|end| end <= now)).map(|(key, _)| *key).collect();
        for key in late {
            let shown = self.conns.get_mut(at).and_then(|conn| conn.tokens.0.as_mut());
            let Some(parked) = shown.and_then(|shown| shown.parked.remove(&key)) else { continue };
            let mut refusal = Refusal::new(codes::request_error::EXCESSIVE_LOAD, "nobody decided on the token in time");
            refusal.retry_ms = Some(RETRY_MS);
            self.judged(at, key, parked.asked, Vec::new(), Err(refusal), now);
        }
        for key in ended {
            self.end_unauthorised(at, key, Reason::ExpiredToken, "the request's token has expired", now);
        }
    }

    /// Ends a request of the peer's that is no longer allowed.
    pub(crate) fn end_unauthorised(&mut self, at: ConnIndex, key: RequestKey, reason: Reason, text: &str, now: Time) {
        let expired = reason == Reason::ExpiredToken;
        let role = self.conns.get_mut(at).and_then(|conn| {
            conn.tokens.forget(key);
            conn.roles.get(&key).cloned()
        });
        if let Some(Role::Sink(id)) = role {
            let code = if expired { codes::publish_done::EXPIRED } else { codes::publish_done::UNAUTHORIZED };
            let accepted =
                self.tracks.get_mut(&id).and_then(|track| track.sink_mut(at, key)).is_some_and(|s| s.accepted);
            if accepted {
                return self.end_sink(id, at, key, code, text);
            }
        }
        let code = if expired { codes::stream_reset::EXPIRED_AUTH_TOKEN } else { codes::stream_reset::CANCELLED };
        self.with_session(at, |session| session.cancel(key, code));
        self.request_ended(at, key, reason, text, now);
    }

    /// What a session may do has changed: what is no longer allowed ends, and what is allowed now is offered and told.
    pub(crate) fn stamp_changed(&mut self, at: ConnIndex, now: Time) {
        let Some(conn) = self.conns.get(at) else { return };
        let mut ended = Vec::new();
        let mut watches = Vec::new();
        let mut names = Vec::new();
        for (key, role) in &conn.roles {
            let Some(stamp) = conn.stamp_for(*key) else { continue };
            // A track that was offered is allowed by the watch that it was offered for.
            let reads = |name: &cc_wire::TrackName| {
                let allows = |stamp: &Stamp| stamp.subscribe.allows_track(name);
                allows(stamp) || conn.tokens.all().any(allows)
            };
            let track = |id: &crate::api::TrackId| self.tracks.get(id);
            let allowed = match role {
                Role::Sink(id) => track(id).is_none_or(|track| reads(&track.name)),
                Role::Source(id) | Role::Standby(id) => track(id).is_none_or(|track| {
                    let tag = &track.capability;
                    let tagged = stamp.capabilities.is_empty() || stamp.capabilities.contains(tag);
                    stamp.publish.allows_track(&track.name) && tagged
                }),
                Role::Announced { namespace, .. } => {
                    stamp.publish.allows_prefix(namespace) == cc_fanout::directory::Coverage::Whole
                }
                Role::TrackWatch { prefix, .. } => {
                    watches.push(*key);
                    stamp.subscribe.allows_prefix(prefix) != cc_fanout::directory::Coverage::None
                }
                Role::NamespaceWatch { prefix, .. } => {
                    names.push((*key, stamp.subscribe.clone()));
                    stamp.subscribe.allows_prefix(prefix) != cc_fanout::directory::Coverage::None
                }
                _ => true,
            };
            if !allowed {
                ended.push(*key);
            }
        }
        for key in ended {
            self.end_unauthorised(at, key, Reason::Unauthorized, "the new token does not allow it", now);
        }
        for key in watches {
            self.offer_watched(at, key, now);
        }
        for (key, scope) in names {
            self.rescope_names(at, key, scope);
        }
    }
}
