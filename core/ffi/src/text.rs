//! Texts, lists and numbers that callers pass.

use std::net::SocketAddr;

use bytes::Bytes;
use cc_engine::{Limit, Limits, Reason};
use cc_wire::{Namespace, Profile, Properties, TrackName};

use crate::boundary::{Answer, Failure};
use crate::generated::{status, CcStr};

/// Longest text that goes along with a close, bytes.
pub(crate) const CLOSE_TEXT: usize = 1024;
/// Most addresses of a link.
const ADDRESSES: usize = 16;

/// The bytes of a text.
///
/// # Safety
/// `ptr` is null or has `len` readable bytes for as long as the answer is used.
pub(crate) unsafe fn bytes<'a>(text: CcStr, what: &'static str, most: usize) -> Answer<&'a [u8]> {
    if text.len == 0 {
        return Ok(&[]);
    }
    if text.ptr.is_null() {
        return Err(Failure::argument(format!("{what} is null but {} bytes long", text.len)));
    }
    if text.len as usize > most {
        return Err(Failure::new(status::TOO_LARGE, format!("{what} is {} bytes long, {most} are the most", text.len)));
    }
    // SAFETY: not null, and readable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(text.ptr, text.len as usize) })
}

/// A text.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn utf8<'a>(text: CcStr, what: &'static str, most: usize) -> Answer<&'a str> {
    // SAFETY: the caller's promise.
    let raw = unsafe { bytes(text, what, most) }?;
    std::str::from_utf8(raw).map_err(|_| Failure::argument(format!("{what} is not UTF-8")))
}

/// A namespace, `a/b/c`.
pub(crate) fn namespace(text: &str, what: &'static str) -> Answer<Namespace> {
    Namespace::parse(text).map_err(|e| {
        Failure::new(
            status::BAD_NAME,
            format!("{what} {text:?} is no namespace: {e}; write it as games/room1/up, at most 32 fields"),
        )
    })
}

/// A track's full name.
pub(crate) fn track_name(ns: &str, name: &[u8]) -> Answer<TrackName> {
    let namespace = namespace(ns, "ns")?;
    if name.is_empty() {
        return Err(Failure::new(status::BAD_NAME, "name is empty: a track needs one"));
    }
    TrackName::new(namespace, Bytes::copy_from_slice(name))
        .map_err(|e| Failure::new(status::BAD_NAME, format!("the track's name is too long: {e}")))
}

/// Drafts, `moqt-22,moqt-18`; empty for the default.
pub(crate) fn profiles(text: &str) -> Answer<Vec<Profile>> {
    let mut profiles = Vec::new();
    for alpn in text.split(',').map(str::trim).filter(|alpn| !alpn.is_empty()) {
        let profile = Profile::from_alpn(alpn.as_bytes()).ok_or_else(|| {
            let known: Vec<_> = Profile::PREFERRED.iter().map(|p| String::from_utf8_lossy(p.alpn())).collect();
            Failure::argument(format!("alpns has {alpn:?}, this library speaks {}", known.join(", ")))
        })?;
        if !profiles.contains(&profile) {
            profiles.push(profile);
        }
    }
    Ok(profiles)
}

/// Sets bounds by name, `streams_max=256,past_bytes=64m`.
pub(crate) fn limits(text: &str, limits: &mut Limits) -> Answer {
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (name.trim(), value.trim());
        let limit = Limit::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
            Failure::argument(format!("limits has {name:?}, there are {}", known.join(", ")))
        })?;
        let unit = match value.bytes().last() {
            Some(b'k' | b'K') => 10,
            Some(b'm' | b'M') => 20,
            Some(b'g' | b'G') => 30,
            _ => 0,
        };
        let digits = if unit > 0 { &value[..value.len() - 1] } else { value };
        let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << unit));
        // Some bounds are added to others.
        let number = number.filter(|number| *number <= 1 << 40 && !digits.starts_with('+'));
        let number = number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
            Failure::argument(format!(
                "limits has {name}={value}: write a whole number up to 2^40, or one with k, m or g"
            ))
        })?;
        limits.set(limit, number);
    }
    Ok(())
}

/// One address, `ip:port`.
pub(crate) fn address(text: &str, what: &'static str) -> Answer<SocketAddr> {
    text.parse().map_err(|_| {
        Failure::argument(format!("{what} {text:?} is no address: write ip:port, as 127.0.0.1:7777 or [::1]:7777"))
    })
}

/// Several addresses, separated by commas.
pub(crate) fn addresses(text: &str) -> Answer<Vec<SocketAddr>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let list: Vec<_> = parts.map(|part| address(part, "addresses")).collect::<Answer<_>>()?;
    if list.len() > ADDRESSES {
        return Err(Failure::new(
            status::LIMIT,
            format!("addresses has {} entries, {ADDRESSES} are the most", list.len()),
        ));
    }
    if list.iter().any(|address| address.port() == 0) {
        return Err(Failure::argument("addresses has port 0, which nobody listens on"));
    }
    Ok(list)
}

/// A SHA-256 in hex.
pub(crate) fn sha256(text: &str) -> Answer<[u8; 32]> {
    let wrong = || Failure::argument("trust_sha256 is not 64 hex digits: paste the hash that the relay printed");
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| (pair[at] as char).to_digit(16).map(|digit| digit as u8);
        *byte = digit(0).zip(digit(1)).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
    }
    Ok(hash)
}

/// Encoded properties, after a check that they are what a peer can read.
pub(crate) fn properties(raw: &[u8], what: &'static str) -> Answer<Bytes> {
    if raw.is_empty() {
        return Ok(Bytes::new());
    }
    Properties::decode(raw).map_err(|e| Failure::argument(format!("{what} are not encoded key-value pairs: {e}")))?;
    Ok(Bytes::copy_from_slice(raw))
}

/// Reasons by their number.
const REASONS: [Reason; 27] = [
    Reason::None,
    Reason::Local,
    Reason::Peer,
    Reason::Unauthorized,
    Reason::MalformedToken,
    Reason::ExpiredToken,
    Reason::Timeout,
    Reason::Certificate,
    Reason::Version,
    Reason::Protocol,
    Reason::GoingAway,
    Reason::Kicked,
    Reason::ExcessiveLoad,
    Reason::Reset,
    Reason::Unreachable,
    Reason::Internal,
    Reason::Replaced,
    Reason::RoomClosed,
    Reason::Refused,
    Reason::DoesNotExist,
    Reason::Uninterested,
    Reason::TooFarBehind,
    Reason::Duplicate,
    Reason::Limit,
    Reason::TrackEnded,
    Reason::PublisherLost,
    Reason::Redirected,
];

/// A reason that the caller gives.
pub(crate) fn reason(number: u32) -> Answer<Reason> {
    REASONS
        .get(number as usize)
        .copied()
        .ok_or_else(|| Failure::argument(format!("{number} is no reason: use a CcReason, 0 to {}", REASONS.len() - 1)))
}

/// Checks that only known bits are set.
pub(crate) fn flags(given: u32, known: u32, what: &'static str) -> Answer {
    match given & !known {
        0 => Ok(()),
        other => Err(Failure::argument(format!("{what} has the unknown bits {other:#x}"))),
    }
}

/// A priority in a 32-bit field.
pub(crate) fn priority(given: u32) -> Answer<u8> {
    u8::try_from(given).map_err(|_| Failure::argument(format!("priority {given} is above 255")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated;

    #[test]
    fn reasons_stand_at_their_numbers_and_are_all_of_the_idls() {
        for (number, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            assert!(generated::reason::name(number as u32).is_some());
        }
        assert!(generated::reason::name(REASONS.len() as u32).is_none());
        assert!(reason(27).is_err());
    }

    #[test]
    fn hashes_are_64_hex_digits() {
        assert_eq!(sha256(&"0f".repeat(32)).unwrap(), [15; 32]);
        for wrong in ["", "0f", &"0g".repeat(32), &"é".repeat(32)] {
            assert!(sha256(wrong).is_err());
        }
    }

    #[test]
    fn drafts_keep_their_order() {
        assert_eq!(profiles(" moqt-18, moqt-22,moqt-18").unwrap(), [Profile::D18, Profile::D22]);
        assert!(profiles("").unwrap().is_empty());
        assert!(profiles("moqt-14").is_err());
    }

    #[test]
    fn addresses_have_a_port() {
        assert_eq!(addresses("127.0.0.1:1, [::1]:2").unwrap().len(), 2);
        for wrong in ["127.0.0.1", "127.0.0.1:0", "localhost:1", &["1.1.1.1:1"; 17].join(",")] {
            assert!(addresses(wrong).is_err());
        }
    }
}
