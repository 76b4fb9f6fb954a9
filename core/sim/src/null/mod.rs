//! Crypto that protects nothing and repeats exactly: what a simulated world puts in the place of TLS.
//!
//! Packets stay readable and carry a keyed checksum where TLS has its tag, so damage is caught as it is there. Tags,
//! header samples and handshake flights have TLS's sizes, so packets, acknowledgements and amplification limits are
//! those of a protected connection. Nothing here is random: keys follow from the connection ids and parameters that
//! the seeded endpoints chose. ALPN is negotiated and told as quinn's TLS sessions tell it.
//!
//! Absent: secrecy, certificates, session resumption, 0-RTT (off in the engine too), and header protection.

mod keys;
mod message;
mod session;

use std::sync::Arc;

use cc_engine::CustomCrypto;
use quinn_proto::crypto::{ClientConfig, Keys, ServerConfig, Session, UnsupportedVersion};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side};

pub use keys::checksum;
use session::NullSession;

/// Makes null sessions for both roles of an engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullCrypto;

impl CustomCrypto for NullCrypto {
    fn server(&self, alpns: Vec<Vec<u8>>) -> Arc<dyn ServerConfig> {
        Arc::new(NullConfig { alpns })
    }

    fn client(&self, alpns: Vec<Vec<u8>>) -> Arc<dyn ClientConfig> {
        Arc::new(NullConfig { alpns })
    }
}

/// One role's configuration: the protocols it speaks, best first.
#[derive(Debug)]
struct NullConfig {
    alpns: Vec<Vec<u8>>,
}

/// QUIC version 1, RFC 9000: the one version that both roles speak.
const VERSION: u32 = 1;

impl ClientConfig for NullConfig {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        if version != VERSION {
            return Err(ConnectError::UnsupportedVersion);
        }
        Ok(Box::new(NullSession::client(self.alpns.clone(), server_name, params)))
    }
}

impl ServerConfig for NullConfig {
    fn initial_keys(&self, version: u32, id: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        match version {
            VERSION => Ok(keys::initial(id, Side::Server)),
            _ => Err(UnsupportedVersion),
        }
    }

    fn retry_tag(&self, _version: u32, id: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        keys::retry_tag(id, &[packet])
    }

    fn start_session(self: Arc<Self>, _version: u32, params: &TransportParameters) -> Box<dyn Session> {
        Box::new(NullSession::server(self.alpns.clone(), params))
    }
}

#[cfg(test)]
mod tests;
