//! The registries of error codes (draft -18, section 15.10, and what later drafts added or left).
//! A received code that is not listed means `INTERNAL_ERROR` and never closes a session.

/// Session termination codes, for the connection's close.
pub mod session {
    #![allow(missing_docs, reason = "the names are the registry's own")]
    pub const NO_ERROR: u64 = 0x0;
    pub const INTERNAL_ERROR: u64 = 0x1;
    pub const UNAUTHORIZED: u64 = 0x2;
    pub const PROTOCOL_VIOLATION: u64 = 0x3;
    pub const INVALID_REQUEST_ID: u64 = 0x4;
    pub const DUPLICATE_TRACK_ALIAS: u64 = 0x5;
    pub const KEY_VALUE_FORMATTING_ERROR: u64 = 0x6;
    pub const INVALID_PATH: u64 = 0x8;
    pub const MALFORMED_PATH: u64 = 0x9;
    pub const GOAWAY_TIMEOUT: u64 = 0x10;
    pub const CONTROL_MESSAGE_TIMEOUT: u64 = 0x11;
    pub const DATA_STREAM_TIMEOUT: u64 = 0x12;
    pub const AUTH_TOKEN_CACHE_OVERFLOW: u64 = 0x13;
    pub const DUPLICATE_AUTH_TOKEN_ALIAS: u64 = 0x14;
    /// -18 and -19 only.
    pub const VERSION_NEGOTIATION_FAILED: u64 = 0x15;
    pub const MALFORMED_AUTH_TOKEN: u64 = 0x16;
    pub const UNKNOWN_AUTH_TOKEN_ALIAS: u64 = 0x17;
    pub const EXPIRED_AUTH_TOKEN: u64 = 0x18;
    pub const INVALID_AUTHORITY: u64 = 0x19;
    pub const MALFORMED_AUTHORITY: u64 = 0x1a;
    /// From -20 on: more unanswered REQUEST_UPDATEs than the peer's MAX_REQUEST_UPDATES.
    pub const TOO_MANY_REQUEST_UPDATES: u64 = 0x1b;
}

/// REQUEST_ERROR codes.
pub mod request_error {
    #![allow(missing_docs, reason = "the names are the registry's own")]
    pub const INTERNAL_ERROR: u64 = 0x0;
    pub const UNAUTHORIZED: u64 = 0x1;
    pub const TIMEOUT: u64 = 0x2;
    pub const NOT_SUPPORTED: u64 = 0x3;
    pub const MALFORMED_AUTH_TOKEN: u64 = 0x4;
    pub const EXPIRED_AUTH_TOKEN: u64 = 0x5;
    pub const GOING_AWAY: u64 = 0x6;
    pub const EXCESSIVE_LOAD: u64 = 0x9;
    pub const DOES_NOT_EXIST: u64 = 0x10;
    pub const INVALID_RANGE: u64 = 0x11;
    pub const MALFORMED_TRACK: u64 = 0x12;
    /// -18 only: later drafts allow several subscriptions to a track.
    pub const DUPLICATE_SUBSCRIPTION: u64 = 0x19;
    pub const UNINTERESTED: u64 = 0x20;
    pub const PREFIX_OVERLAP: u64 = 0x30;
    pub const NAMESPACE_TOO_LARGE: u64 = 0x31;
    /// -18 and -19 only: later drafts have no joining FETCH.
    pub const INVALID_JOINING_REQUEST_ID: u64 = 0x32;
    pub const UNSUPPORTED_EXTENSION: u64 = 0x33;
    pub const REDIRECT: u64 = 0x34;
    /// From -20 on.
    pub const CONFLICTING_FILTERS: u64 = 0x35;
    /// From -20 on.
    pub const INVALID_FILTER: u64 = 0x36;
}

/// PUBLISH_DONE codes.
pub mod publish_done {
    #![allow(missing_docs, reason = "the names are the registry's own")]
    pub const INTERNAL_ERROR: u64 = 0x0;
    pub const UNAUTHORIZED: u64 = 0x1;
    pub const TRACK_ENDED: u64 = 0x2;
    /// -18 and -19 only: later drafts do not end a subscription at the end of its filter.
    pub const SUBSCRIPTION_ENDED: u64 = 0x3;
    pub const GOING_AWAY: u64 = 0x4;
    pub const TOO_FAR_BEHIND: u64 = 0x5;
    pub const EXPIRED: u64 = 0x6;
    pub const UPDATE_FAILED: u64 = 0x8;
    pub const EXCESSIVE_LOAD: u64 = 0x9;
    pub const MALFORMED_TRACK: u64 = 0x12;
}

/// Codes for RESET_STREAM and STOP_SENDING.
pub mod stream_reset {
    #![allow(missing_docs, reason = "the names are the registry's own")]
    pub const INTERNAL_ERROR: u64 = 0x0;
    pub const CANCELLED: u64 = 0x1;
    pub const DELIVERY_TIMEOUT: u64 = 0x2;
    pub const SESSION_CLOSED: u64 = 0x3;
    pub const GOING_AWAY: u64 = 0x4;
    pub const TOO_FAR_BEHIND: u64 = 0x5;
    pub const UNKNOWN_OBJECT_STATUS: u64 = 0x6;
    pub const EXPIRED_AUTH_TOKEN: u64 = 0x7;
    pub const EXCESSIVE_LOAD: u64 = 0x9;
    pub const MALFORMED_TRACK: u64 = 0x12;
}
