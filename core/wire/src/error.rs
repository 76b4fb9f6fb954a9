//! What can go wrong: the peer's fault with the code to close the session with, or the caller's.

use std::fmt;

use crate::codes::session;

/// The result of a codec call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why bytes could not be read, or a value not written.
///
/// The variants up to [`Error::MalformedAuthority`] are the peer's fault; [`Error::TooLong`] and
/// [`Error::Unencodable`] are the caller's and arise only from encoders and constructors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The bytes end before the structure does. Inside a complete message, its length is wrong.
    Truncated,
    /// The peer broke a rule of the protocol; the text names it.
    Violation(&'static str),
    /// A key-value pair whose value is not what its type defines.
    KeyValueFormatting(&'static str),
    /// The PATH setup option is not an RFC 3986 path and query.
    MalformedPath,
    /// The AUTHORITY setup option is not an RFC 3986 authority.
    MalformedAuthority,
    /// A value to be written exceeds what the format can carry.
    TooLong {
        /// Which value.
        what: &'static str,
        /// The most that fits, in bytes or entries.
        limit: usize,
    },
    /// A value to be written has no form in this profile; the text says which and why.
    Unencodable(&'static str),
}

impl Error {
    /// The session termination code that answers this error (draft -18, section 15.10.1).
    pub fn session_code(&self) -> u64 {
        match self {
            Error::Truncated | Error::Violation(_) => session::PROTOCOL_VIOLATION,
            Error::KeyValueFormatting(_) => session::KEY_VALUE_FORMATTING_ERROR,
            Error::MalformedPath => session::MALFORMED_PATH,
            Error::MalformedAuthority => session::MALFORMED_AUTHORITY,
            Error::TooLong { .. } | Error::Unencodable(_) => session::INTERNAL_ERROR,
        }
    }

    /// Whether the peer, not the caller, is at fault.
    pub fn is_peers(&self) -> bool {
        !matches!(self, Error::TooLong { .. } | Error::Unencodable(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated => f.write_str("the bytes end inside a field"),
            Error::Violation(what) => write!(f, "protocol violation: {what}"),
            Error::KeyValueFormatting(what) => write!(f, "badly formed value: {what}"),
            Error::MalformedPath => f.write_str("PATH is not a URI path"),
            Error::MalformedAuthority => f.write_str("AUTHORITY is not a URI authority"),
            Error::TooLong { what, limit } => write!(f, "{what} exceeds {limit}"),
            Error::Unencodable(what) => write!(f, "cannot be written: {what}"),
        }
    }
}

impl std::error::Error for Error {}
