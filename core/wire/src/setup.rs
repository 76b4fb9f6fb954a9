//! Setup Options, the payload of SETUP (draft -18, section 10.3.1).

use bytes::Bytes;

use crate::properties::{pairs, property, put_pairs};
use crate::token::MAX_TOKENS;
use crate::{Error, Profile, Result, Token, Value};

const PATH: u64 = 0x01;
const AUTHORIZATION_TOKEN: u64 = 0x03;
const MAX_AUTH_TOKEN_CACHE_SIZE: u64 = 0x04;
const AUTHORITY: u64 = 0x05;
const MAX_FILTER_RANGES: u64 = 0x06;
const MOQT_IMPLEMENTATION: u64 = 0x07;
const MAX_REQUEST_UPDATES: u64 = 0x08;
const RESUME_SECRET: u64 = 0x3803;
const PEER_ID: u64 = 0x3805;
const RELAY_ID: u64 = 0x3806;

/// What an endpoint says about itself in SETUP. Options that nobody here knows are ignored.
///
/// Whether an option is allowed from this side (PATH and AUTHORITY come from clients over QUIC only)
/// is the session's to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetupOptions {
    /// The path and query of the URI, from a client.
    pub path: Option<String>,
    /// The authority of the URI, from a client.
    pub authority: Option<String>,
    /// Tokens to admit the session by, at most 64.
    pub tokens: Vec<Token>,
    /// Bytes of registered tokens that the sender would keep for its peer; 0: no aliases.
    pub max_auth_token_cache: u64,
    /// Name and version of the sender's software.
    pub implementation: Option<String>,
    /// From -20 on, the most ranges in one request's range filters; 0: none. Not sent at -18.
    pub max_filter_ranges: u64,
    /// From -20 on, the most REQUEST_UPDATEs a request may leave unanswered. Not sent at -18.
    pub max_request_updates: Option<u64>,
    /// Ours: what a client proves with that it is the peer who left.
    pub resume_secret: Option<Bytes>,
    /// Ours: the id that a peer asks to keep, or that a server gave it.
    pub peer_id: Option<Bytes>,
    /// Ours: the sender is a relay, this is its number among relays, and it reads and writes hop lists.
    pub relay_id: Option<u64>,
    /// A reserved option that means nothing (section "Grease"), by its number there: written with an arbitrary value,
    /// never read.
    pub grease: Option<u64>,
}

impl SetupOptions {
    pub(crate) fn encode(&self, profile: Profile, out: &mut Vec<u8>) -> Result<()> {
        let text = |text: &String| Value::Bytes(Bytes::copy_from_slice(text.as_bytes()));
        let mut items: Vec<(u64, Value)> = Vec::new();
        if let Some(path) = &self.path {
            check_path(path.as_bytes()).map_err(|_| Error::Unencodable("a PATH that is no URI path"))?;
            items.push((PATH, text(path)));
        }
        if self.tokens.len() > MAX_TOKENS {
            return Err(Error::TooLong { what: "tokens in SETUP", limit: MAX_TOKENS });
        }
        for token in &self.tokens {
            let mut value = Vec::new();
            token.encode(&mut value);
            items.push((AUTHORIZATION_TOKEN, Value::Bytes(value.into())));
        }
        if self.max_auth_token_cache > 0 {
            items.push((MAX_AUTH_TOKEN_CACHE_SIZE, Value::Int(self.max_auth_token_cache)));
        }
        if let Some(authority) = &self.authority {
            check_authority(authority.as_bytes())
                .map_err(|_| Error::Unencodable("an AUTHORITY that is no URI authority"))?;
            items.push((AUTHORITY, text(authority)));
        }
        if profile >= Profile::D20 && self.max_filter_ranges > 0 {
            items.push((MAX_FILTER_RANGES, Value::Int(self.max_filter_ranges)));
        }
        if let Some(implementation) = &self.implementation {
            items.push((MOQT_IMPLEMENTATION, text(implementation)));
        }
        if let (true, Some(updates)) = (profile >= Profile::D20, self.max_request_updates) {
            items.push((MAX_REQUEST_UPDATES, Value::Int(updates)));
        }
        if let Some(secret) = &self.resume_secret {
            items.push((RESUME_SECRET, Value::Bytes(secret.clone())));
        }
        if let Some(id) = &self.peer_id {
            items.push((PEER_ID, Value::Bytes(id.clone())));
        }
        if let Some(id) = self.relay_id {
            items.push((RELAY_ID, Value::Int(id)));
        }
        if let Some(number) = self.grease {
            let kind = grease(number);
            let value =
                if kind.is_multiple_of(2) { Value::Int(number) } else { Value::Bytes(Bytes::from_static(b"grease")) };
            items.push((kind, value));
            items.sort_by_key(|(kind, _)| *kind);
        }
        let too_long =
            |(_, value): &(u64, Value)| matches!(value, Value::Bytes(bytes) if bytes.len() > property::MAX_VALUE);
        if items.iter().any(too_long) {
            return Err(Error::TooLong { what: "setup option", limit: property::MAX_VALUE });
        }
        put_pairs(&items, out);
        Ok(())
    }

    pub(crate) fn decode(profile: Profile, payload: &[u8]) -> Result<Self> {
        let mut options = SetupOptions::default();
        let mut last = None;
        for (kind, value) in pairs(payload)? {
            let known = match kind {
                PATH | AUTHORIZATION_TOKEN..=AUTHORITY | MOQT_IMPLEMENTATION => true,
                MAX_FILTER_RANGES | MAX_REQUEST_UPDATES => profile >= Profile::D20,
                RESUME_SECRET | PEER_ID | RELAY_ID => true,
                _ => false,
            };
            if !known {
                continue;
            }
            if last == Some(kind) && kind != AUTHORIZATION_TOKEN {
                return Err(Error::Violation("a setup option given twice"));
            }
            last = Some(kind);
            options.set(kind, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, kind: u64, value: Value) -> Result<()> {
        match (kind, value) {
            (PATH, Value::Bytes(path)) => {
                check_path(&path)?;
                self.path = Some(String::from_utf8_lossy(&path).into_owned());
            }
            (AUTHORITY, Value::Bytes(authority)) => {
                check_authority(&authority)?;
                self.authority = Some(String::from_utf8_lossy(&authority).into_owned());
            }
            (AUTHORIZATION_TOKEN, Value::Bytes(token)) => {
                if self.tokens.len() == MAX_TOKENS {
                    return Err(Error::Violation("more than 64 tokens in SETUP"));
                }
                let token = Token::decode(&token)?;
                if matches!(token, Token::Delete { .. } | Token::UseAlias { .. }) {
                    return Err(Error::Violation("a token alias used in SETUP"));
                }
                self.tokens.push(token);
            }
            (MAX_AUTH_TOKEN_CACHE_SIZE, Value::Int(size)) => self.max_auth_token_cache = size,
            (MAX_FILTER_RANGES, Value::Int(ranges)) => self.max_filter_ranges = ranges,
            (MAX_REQUEST_UPDATES, Value::Int(updates)) => self.max_request_updates = Some(updates),
            (MOQT_IMPLEMENTATION, Value::Bytes(name)) => {
                self.implementation = Some(String::from_utf8_lossy(&name).into_owned());
            }
            (RESUME_SECRET, Value::Bytes(secret)) => self.resume_secret = Some(secret),
            (PEER_ID, Value::Bytes(id)) => self.peer_id = Some(id),
            (RELAY_ID, Value::Int(id)) => self.relay_id = Some(id),
            _ => {}
        }
        Ok(())
    }
}

/// The reserved identifier of a number (section "Grease"); numbers that would go beyond 2^62 begin again.
fn grease(number: u64) -> u64 {
    const COUNT: u64 = ((1 << 62) - 0x9d) / 0x7f;
    0x7f * (number % COUNT) + 0x9d
}

/// A `path-abempty`, with `?` and a query where there is one (RFC 3986, section 3).
fn check_path(path: &[u8]) -> Result<()> {
    let legal = matches!(path.first(), None | Some(b'/' | b'?')) && uri_bytes(path, b"/?:@");
    legal.then_some(()).ok_or(Error::MalformedPath)
}

/// User information, host (a name, an address, or one in brackets) and port.
fn check_authority(authority: &[u8]) -> Result<()> {
    let legal = !authority.is_empty() && uri_bytes(authority, b":@[]");
    legal.then_some(()).ok_or(Error::MalformedAuthority)
}

/// Whether all bytes are unreserved, sub-delimiters, whole percent escapes, or in `more`.
fn uri_bytes(bytes: &[u8], more: &[u8]) -> bool {
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => hex(at + 1) && hex(at + 2),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) || more.contains(byte),
    })
}
