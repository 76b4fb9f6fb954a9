//! Everything an engine is told when it is made.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use cc_wire::{Namespace, Profile};

use crate::api::Time;
use crate::limits::Limits;

/// Which congestion controller connections use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// Delay-based, for real-time play.
    #[default]
    Realtime,
    /// Loss-based, RFC 9438.
    Cubic,
    /// Bottleneck bandwidth and round trip, as quinn has it.
    Bbr,
}

/// The relay role.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Certificate chain, PEM.
    pub certificate_pem: Vec<u8>,
    /// Its private key, PEM.
    pub key_pem: Vec<u8>,
    /// Admit everyone below this prefix without asking the owner.
    pub open: Option<Namespace>,
    /// Connections at once, if fewer than [`Limits::connections`].
    pub max_sessions: usize,
    /// How long a session may wait to be admitted.
    pub auth_timeout: Time,
}

/// An engine's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instant of time 0.
    pub epoch: Instant,
    /// Unix time at time 0, microseconds.
    pub unix_us: u64,
    /// Where all randomness comes from.
    pub seed: [u8; 32],
    /// 32 bytes that stay over a restart: reset, connection-id and retry keys come from them.
    pub state_key: [u8; 32],
    /// Set for a relay.
    pub relay: Option<RelayConfig>,
    /// Drafts spoken, best first.
    pub profiles: Vec<Profile>,
    /// A connection that hears nothing for so long is lost.
    pub idle_timeout: Time,
    /// How often a silent connection is kept alive.
    pub keep_alive: Time,
    /// The controller.
    pub congestion: Congestion,
    /// Bounds.
    pub limits: Limits,
    /// Most datagrams in one transmit.
    pub max_segments: usize,
}

/// What protects an engine's connections.
#[derive(Debug, Clone, Default)]
pub enum CryptoChoice {
    /// TLS 1.3, with [`RelayConfig`]'s certificate and each link's trust.
    #[default]
    Tls,
    /// Something else, on both ends: certificates and trust are not looked at.
    Custom(Arc<dyn CustomCrypto>),
}

/// What a simulated world puts in the place of TLS.
///
/// Its sessions say which protocol was negotiated the way quinn's TLS sessions do: `handshake_data` is a
/// [`quinn_proto::crypto::rustls::HandshakeData`]. With no protocol in common they fail with the TLS alert 120
/// (no_application_protocol, RFC 7301).
pub trait CustomCrypto: fmt::Debug + Send + Sync {
    /// For the relay role; `alpns` are the protocols it speaks, best first.
    fn server(&self, alpns: Vec<Vec<u8>>) -> Arc<dyn quinn_proto::crypto::ServerConfig>;

    /// For one link; `alpns` are the protocols it offers, best first.
    fn client(&self, alpns: Vec<Vec<u8>>) -> Arc<dyn quinn_proto::crypto::ClientConfig>;
}

/// Why an engine could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The certificate can't be used.
    Certificate(String),
    /// The key can't be used.
    Key(String),
    /// Some other value.
    Value(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Certificate(why) => write!(f, "certificate: {why}"),
            ConfigError::Key(why) => write!(f, "private key: {why}"),
            ConfigError::Value(why) => write!(f, "configuration: {why}"),
        }
    }
}

impl std::error::Error for ConfigError {}
