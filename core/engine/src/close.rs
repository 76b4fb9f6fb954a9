//! Why a connection ended, in words, in a [`Reason`] and in a code on the wire.

use cc_wire::codes;
use quinn_proto::{ConnectionError, TransportErrorCode};

use crate::api::Reason;

/// Reasons that the drafts have no code for travel as this plus their number.
pub(crate) const APPLICATION_CODES: u64 = 0x3800;

/// TLS alerts (RFC 8446, 6) as QUIC carries them: 0x100 plus the alert.
const CRYPTO: std::ops::Range<u64> = 0x100..0x200;
/// bad_certificate, unsupported, revoked, expired, unknown, ..., unknown_ca, access_denied.
const CERTIFICATE_ALERTS: std::ops::RangeInclusive<u64> = 42..=49;
const NO_APPLICATION_PROTOCOL: u64 = 120;

/// The session code that tells the peer of a reason.
pub(crate) fn session_code(reason: Reason) -> u64 {
    use codes::session as code;
    match reason {
        Reason::None | Reason::Local | Reason::Peer => code::NO_ERROR,
        Reason::Unauthorized => code::UNAUTHORIZED,
        Reason::MalformedToken => code::MALFORMED_AUTH_TOKEN,
        Reason::ExpiredToken => code::EXPIRED_AUTH_TOKEN,
        Reason::Protocol => code::PROTOCOL_VIOLATION,
        Reason::Internal => code::INTERNAL_ERROR,
        Reason::Version => code::VERSION_NEGOTIATION_FAILED,
        Reason::GoingAway => code::GOAWAY_TIMEOUT,
        other => APPLICATION_CODES + other as u64,
    }
}

/// The reason that a session code from the peer tells.
pub(crate) fn reason_of_session_code(value: u64) -> Reason {
    use codes::session as code;
    match value {
        code::NO_ERROR => Reason::Peer,
        code::UNAUTHORIZED => Reason::Unauthorized,
        code::MALFORMED_AUTH_TOKEN | code::UNKNOWN_AUTH_TOKEN_ALIAS => Reason::MalformedToken,
        code::EXPIRED_AUTH_TOKEN => Reason::ExpiredToken,
        code::VERSION_NEGOTIATION_FAILED => Reason::Version,
        code::GOAWAY_TIMEOUT => Reason::GoingAway,
        code::INTERNAL_ERROR => Reason::Internal,
        _ => match value.checked_sub(APPLICATION_CODES).and_then(application_reason) {
            Some(reason) => reason,
            None => Reason::Protocol,
        },
    }
}

fn application_reason(number: u64) -> Option<Reason> {
    const CARRIED: [Reason; 8] = [
        Reason::GoingAway,
        Reason::Kicked,
        Reason::ExcessiveLoad,
        Reason::Replaced,
        Reason::RoomClosed,
        Reason::Refused,
        Reason::Timeout,
        Reason::Limit,
    ];
    CARRIED.into_iter().find(|reason| *reason as u64 == number)
}

/// The reason that a refused or ended request tells.
pub(crate) fn reason_of_request_error(value: u64) -> Reason {
    use codes::request_error as code;
    match value {
        code::UNAUTHORIZED => Reason::Unauthorized,
        code::TIMEOUT => Reason::Timeout,
        code::MALFORMED_AUTH_TOKEN => Reason::MalformedToken,
        code::EXPIRED_AUTH_TOKEN => Reason::ExpiredToken,
        code::GOING_AWAY => Reason::GoingAway,
        code::EXCESSIVE_LOAD => Reason::ExcessiveLoad,
        code::DOES_NOT_EXIST => Reason::DoesNotExist,
        code::UNINTERESTED => Reason::Uninterested,
        code::DUPLICATE_SUBSCRIPTION => Reason::Duplicate,
        code::INTERNAL_ERROR => Reason::Internal,
        code::REDIRECT => Reason::Redirected,
        _ => Reason::Refused,
    }
}

/// The code that tells a requester why nothing comes of its request.
pub(crate) fn request_error_code(reason: Reason) -> u64 {
    use codes::request_error as code;
    match reason {
        Reason::Unauthorized => code::UNAUTHORIZED,
        Reason::MalformedToken => code::MALFORMED_AUTH_TOKEN,
        Reason::ExpiredToken => code::EXPIRED_AUTH_TOKEN,
        Reason::GoingAway => code::GOING_AWAY,
        Reason::ExcessiveLoad | Reason::Limit => code::EXCESSIVE_LOAD,
        Reason::DoesNotExist => code::DOES_NOT_EXIST,
        Reason::Uninterested => code::UNINTERESTED,
        Reason::Internal => code::INTERNAL_ERROR,
        // Whoever knows the answer could not be asked.
        _ => code::TIMEOUT,
    }
}

/// The PUBLISH_DONE code of a track whose publisher was lost: the drafts have none, and unknown ones count as
/// INTERNAL_ERROR.
pub(crate) const PUBLISHER_LOST: u64 = APPLICATION_CODES + Reason::PublisherLost as u64;

/// What the end of a track's source tells its readers: the reason, and the code of PUBLISH_DONE.
pub(crate) fn of_source(reason: Reason) -> (Reason, u64) {
    match reason {
        Reason::TrackEnded | Reason::Peer | Reason::Local => (Reason::TrackEnded, codes::publish_done::TRACK_ENDED),
        Reason::Protocol => (Reason::Protocol, codes::publish_done::MALFORMED_TRACK),
        _ => (Reason::PublisherLost, PUBLISHER_LOST),
    }
}

/// The reason that a PUBLISH_DONE tells.
pub(crate) fn reason_of_publish_done(value: u64) -> Reason {
    use codes::publish_done as code;
    match value {
        code::UNAUTHORIZED => Reason::Unauthorized,
        code::TRACK_ENDED | code::SUBSCRIPTION_ENDED => Reason::TrackEnded,
        code::GOING_AWAY => Reason::GoingAway,
        code::TOO_FAR_BEHIND => Reason::TooFarBehind,
        code::EXPIRED => Reason::ExpiredToken,
        code::EXCESSIVE_LOAD => Reason::ExcessiveLoad,
        code::MALFORMED_TRACK => Reason::Protocol,
        PUBLISHER_LOST => Reason::PublisherLost,
        _ => Reason::Internal,
    }
}

/// Why the other side reset the stream of a request.
pub(crate) fn reason_of_reset(value: u64) -> Reason {
    use codes::stream_reset as code;
    match value {
        code::EXPIRED_AUTH_TOKEN => Reason::ExpiredToken,
        code::EXCESSIVE_LOAD => Reason::ExcessiveLoad,
        code::GOING_AWAY => Reason::GoingAway,
        _ => Reason::Peer,
    }
}

/// What quinn says of a lost connection: the reason, the code on the wire, and a sentence.
pub(crate) fn of_connection(error: &ConnectionError) -> (Reason, u64, String) {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = close.error_code.into_inner();
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            let reason = reason_of_session_code(code);
            let text =
                if text.is_empty() { format!("the other side closed the session, code {code:#x}") } else { text };
            (reason, code, text)
        }
        ConnectionError::ConnectionClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            of_transport_code(close.error_code, &text, "the other side")
        }
        ConnectionError::TransportError(error) => of_transport_code(error.code, &error.reason, "this side"),
        ConnectionError::VersionMismatch => {
            (Reason::Version, 0, "the other side speaks another version of QUIC".into())
        }
        ConnectionError::Reset => {
            (Reason::Reset, 0, "the other side no longer knows this connection: it restarted".into())
        }
        ConnectionError::TimedOut => (Reason::Timeout, 0, "nothing was heard from the other side for too long".into()),
        ConnectionError::LocallyClosed => (Reason::Local, 0, "closed here".into()),
        ConnectionError::CidsExhausted => (Reason::Internal, 0, "no connection id is left".into()),
    }
}

fn of_transport_code(code: TransportErrorCode, why: &str, who: &str) -> (Reason, u64, String) {
    let number = u64::from(code);
    if CRYPTO.contains(&number) {
        let alert = number - CRYPTO.start;
        if alert == NO_APPLICATION_PROTOCOL {
            return (Reason::Version, number, "no draft of MoQT that both sides speak".into());
        }
        if CERTIFICATE_ALERTS.contains(&alert) {
            return (Reason::Certificate, number, format!("{who} does not trust the certificate: {why}"));
        }
        return (Reason::Certificate, number, format!("TLS failed at {who}: {why}"));
    }
    if code == TransportErrorCode::CONNECTION_REFUSED {
        return (Reason::ExcessiveLoad, number, format!("{who} refused the connection: {why}"));
    }
    if code == TransportErrorCode::NO_ERROR {
        return (Reason::Peer, number, format!("{who} closed the connection"));
    }
    (Reason::Protocol, number, format!("{who} ended the connection: {code}: {why}"))
}
