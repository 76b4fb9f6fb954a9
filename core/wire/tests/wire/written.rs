//! Comparing messages with bytes written by hand.

use cc_wire::{codes, Error, Message, Namespace, Profile, TrackName};
use Profile::{D18, D20, D21, D22};

pub const ALL: &[Profile] = &[D18, D20, D21, D22];
pub const NEW: &[Profile] = &[D20, D21, D22];

pub fn same(profiles: &[Profile], bytes: &[u8], message: &Message) {
    for &profile in profiles {
        assert_eq!(Message::decode(profile, bytes).as_ref(), Ok(message), "{profile:?}");
        let mut out = Vec::new();
        message.encode(profile, &mut out).unwrap();
        assert_eq!(out, bytes, "{profile:?}");
    }
}

pub fn refused(profiles: &[Profile], bytes: &[u8]) -> Error {
    let mut error = None;
    for &profile in profiles {
        let this = Message::decode(profile, bytes).expect_err("refused");
        assert!(this.is_peers());
        assert!(error.is_none_or(|error| error == this), "{profile:?}");
        error = Some(this);
    }
    error.unwrap()
}

pub fn unwritable(profiles: &[Profile], message: &Message) {
    for &profile in profiles {
        let mut out = vec![1, 2, 3];
        let error = message.encode(profile, &mut out).expect_err("not written");
        assert!(!error.is_peers(), "{profile:?}: {error}");
        assert_eq!(error.session_code(), codes::session::INTERNAL_ERROR);
        assert_eq!(out, [1, 2, 3], "nothing is left behind");
    }
}

pub fn ns(text: &str) -> Namespace {
    Namespace::parse(text).unwrap()
}

pub fn track() -> TrackName {
    TrackName::new(ns("a/bc"), "d").unwrap()
}

/// `track()` as it stands in messages.
pub const TRACK: &[u8] = &[2, 1, b'a', 2, b'b', b'c', 1, b'd'];

pub fn framed(kind: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let mut bytes = kind.to_vec();
    bytes.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}
