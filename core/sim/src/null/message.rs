//! Handshake messages of the null crypto: a type, a length, fields, and zeros up to the size that TLS's have.

use quinn_proto::{TransportError, TransportErrorCode};

/// TLS alerts (RFC 8446, 6.2; RFC 7301, 3.2) that a failed handshake closes with.
pub(super) const UNEXPECTED_MESSAGE: u8 = 10;
const DECODE_ERROR: u8 = 50;
pub(super) const DECRYPT_ERROR: u8 = 51;
pub(super) const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Longest message taken, bytes.
const MAX: usize = 16 << 10;
const HEADER: usize = 4;

/// What a message is; the sizes are those of rustls with X25519, AES-256-GCM and a self-signed P-256 certificate. A
/// ticket's depends on what the server puts in; here it is about the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ClientHello,
    ServerHello,
    /// EncryptedExtensions, Certificate, CertificateVerify and Finished.
    Flight,
    Finished,
    Ticket,
}

/// Kinds with their type bytes, and what TLS's have beside the contents of the fields, in bytes.
const KINDS: [(Kind, u8, usize); 5] = [
    (Kind::ClientHello, 1, 180),
    (Kind::ServerHello, 2, 74),
    (Kind::Flight, 8, 519),
    (Kind::Finished, 20, 44),
    (Kind::Ticket, 4, 230),
];

pub(super) fn failed(alert: u8, reason: &str) -> TransportError {
    TransportError { code: TransportErrorCode::crypto(alert), frame: None, reason: reason.to_owned() }
}

/// Appends a message with `fields`, each below 64 KiB.
pub(super) fn write(kind: Kind, fields: &[&[u8]], out: &mut Vec<u8>) {
    let (code, beside) = KINDS.iter().find(|row| row.0 == kind).map_or((0, 0), |row| (row.1, row.2));
    let start = out.len();
    out.extend_from_slice(&[code, 0, 0, 0]);
    for field in fields {
        out.extend_from_slice(&(field.len() as u16).to_be_bytes());
        out.extend_from_slice(field);
    }
    let size = beside + fields.iter().map(|field| field.len()).sum::<usize>();
    if out.len() - start < size {
        out.resize(start + size, 0);
    }
    let len = ((out.len() - start - HEADER) as u32).to_be_bytes();
    out[start + 1..start + HEADER].copy_from_slice(&len[1..]);
}

/// Takes the first whole message from `inbox`: its kind and all of its bytes. None: more has to come.
pub(super) fn take(inbox: &mut Vec<u8>) -> Result<Option<(Kind, Vec<u8>)>, TransportError> {
    let Some(&[code, a, b, c]) = inbox.first_chunk::<HEADER>() else { return Ok(None) };
    let len = HEADER + u32::from_be_bytes([0, a, b, c]) as usize;
    let kind = KINDS.iter().find(|row| row.1 == code).map(|row| row.0);
    let kind = kind.ok_or_else(|| failed(UNEXPECTED_MESSAGE, "a handshake message of no known type"))?;
    if len > MAX {
        return Err(failed(DECODE_ERROR, "a handshake message longer than 16 KiB"));
    }
    if inbox.len() < len {
        return Ok(None);
    }
    let rest = inbox.split_off(len);
    Ok(Some((kind, std::mem::replace(inbox, rest))))
}

/// A message's first `N` fields.
pub(super) fn fields<const N: usize>(message: &[u8]) -> Result<[&[u8]; N], TransportError> {
    let mut rest = message.get(HEADER..).unwrap_or_default();
    let mut found = [&[][..]; N];
    for field in &mut found {
        *field = one(&mut rest).ok_or_else(|| failed(DECODE_ERROR, "a handshake message that ends too early"))?;
    }
    Ok(found)
}

fn one<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<2>()?;
    let (field, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = after;
    Some(field)
}

/// ALPN names in one field: each behind its length (RFC 7301, 3.1).
pub(super) fn join_names(names: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names.iter().filter(|name| name.len() < 256) {
        out.push(name.len() as u8);
        out.extend_from_slice(name);
    }
    out
}

/// The reverse; a name that is cut short ends the list.
pub(super) fn split_names(mut field: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    while let Some((name, rest)) = field.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)))
    {
        names.push(name);
        field = rest;
    }
    names
}
