//! TLS of connections that were accepted: once the handshake is over, only the secrets of QUIC's next keys are kept.
//!
//! Without early data, client certificates and exported keys nothing is left for a server's TLS to do then (RFC 9001, 6:
//! keys change by QUIC's own means). quinn's session keeps all of it, 3.7 KB, for the life of the connection.

use std::any::Any;
use std::sync::Arc;

use quinn_proto::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn_proto::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};
use rustls::quic::{KeyChange, Secrets, ServerConnection, Suite, Version};
use rustls::AlertDescription;

use crate::config::ConfigError;

/// What connections are accepted with.
pub(crate) struct Accepting {
    tls: Arc<rustls::ServerConfig>,
    quic: QuicServerConfig,
    suite: Suite,
}

impl Accepting {
    /// Without early data; the provider has to have TLS_AES_128_GCM_SHA256, with which QUIC protects first packets.
    pub(super) fn new(tls: rustls::ServerConfig) -> Result<Accepting, ConfigError> {
        let wrong = |error: &dyn std::fmt::Display| ConfigError::Value(error.to_string());
        let tls = Arc::new(tls);
        let quic = QuicServerConfig::try_from(tls.clone()).map_err(|error| wrong(&error))?;
        let suites = tls.crypto_provider().cipher_suites.iter();
        let suite = suites
            .filter(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256)
            .find_map(|suite| suite.tls13().and_then(|suite| suite.quic_suite()))
            .ok_or_else(|| wrong(&"no cipher suite for QUIC's first packets"))?;
        // Whether a configuration suits QUIC does not depend on the peer: none that passes here fails later.
        ServerConnection::new(tls.clone(), Version::V1, Vec::new()).map_err(|error| wrong(&error))?;
        Ok(Accepting { tls, quic, suite })
    }
}

impl ServerConfig for Accepting {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.quic.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.quic.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(self: Arc<Self>, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let version = match version {
            // Drafts 29 to 32 of QUIC have other labels than version 1.
            0xff00_001d..=0xff00_0020 => Version::V1Draft,
            _ => Version::V1,
        };
        let mut encoded = Vec::new();
        params.write(&mut encoded);
        let tls = ServerConnection::new(self.tls.clone(), version, encoded).expect("`new` has tried the configuration");
        Box::new(Accepted { version, suite: self.suite, stage: Stage::Shaking(Box::new(tls)), told: false, next: None })
    }
}

/// One connection's handshake, and later its secrets.
struct Accepted {
    version: Version,
    suite: Suite,
    stage: Stage,
    /// QUIC knows that the protocol is chosen.
    told: bool,
    /// Of the keys that follow those in use; there with the first 1-RTT keys.
    next: Option<Secrets>,
}

enum Stage {
    Shaking(Box<ServerConnection>),
    /// With this protocol.
    Over(Option<Box<[u8]>>),
}

fn failed(alert: Option<AlertDescription>, reason: String) -> TransportError {
    let code = match alert {
        Some(alert) => TransportErrorCode::crypto(alert.into()),
        None => TransportErrorCode::PROTOCOL_VIOLATION,
    };
    TransportError { code, frame: None, reason }
}

fn both(keys: rustls::quic::Keys) -> Keys {
    let (local, remote) = (keys.local, keys.remote);
    Keys {
        header: KeyPair { local: Box::new(local.header), remote: Box::new(remote.header) },
        packet: KeyPair { local: Box::new(local.packet), remote: Box::new(remote.packet) },
    }
}

impl Session for Accepted {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        let side = match side {
            Side::Client => rustls::Side::Client,
            Side::Server => rustls::Side::Server,
        };
        both(self.suite.keys(dst_cid, side, self.version))
    }

    /// A [`HandshakeData`] without the server's name, for which nobody asks.
    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        let protocol = match &self.stage {
            _ if !self.told => return None,
            Stage::Shaking(tls) => tls.alpn_protocol().map(<[u8]>::to_vec),
            Stage::Over(protocol) => protocol.as_deref().map(<[u8]>::to_vec),
        };
        Some(Box::new(HandshakeData { protocol, server_name: None }))
    }

    /// None: clients show no certificates.
    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        matches!(&self.stage, Stage::Shaking(tls) if tls.is_handshaking())
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        let Stage::Shaking(tls) = &mut self.stage else {
            // What a client could say now, KeyUpdate, QUIC forbids (RFC 9001, 6).
            return Err(failed(Some(AlertDescription::UnexpectedMessage), "TLS after the handshake".into()));
        };
        tls.read_hs(buf).map_err(|error| failed(tls.alert(), error.to_string()))?;
        let told = self.told;
        self.told |= tls.alpn_protocol().is_some() || tls.server_name().is_some() || !tls.is_handshaking();
        Ok(self.told && !told)
    }

    /// QUIC takes them with the client's first flight; none once the handshake is over.
    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let Stage::Shaking(tls) = &self.stage else { return Ok(None) };
        let Some(mut encoded) = tls.quic_transport_parameters() else { return Ok(None) };
        Ok(Some(TransportParameters::read(Side::Server, &mut encoded)?))
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let Stage::Shaking(tls) = &mut self.stage else { return None };
        let before = buf.len();
        match tls.write_hs(buf) {
            Some(KeyChange::Handshake { keys }) => Some(both(keys)),
            Some(KeyChange::OneRtt { keys, next }) => {
                self.next = Some(next);
                Some(both(keys))
            }
            None => {
                // The tickets are written: nothing comes after them.
                if buf.len() == before && !tls.is_handshaking() {
                    self.stage = Stage::Over(tls.alpn_protocol().map(Box::from));
                }
                None
            }
        }
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.next.as_mut()?.next_packet_keys();
        Some(KeyPair { local: Box::new(keys.local), remote: Box::new(keys.remote) })
    }

    /// Servers get no Retry.
    fn is_valid_retry(&self, _: &ConnectionId, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn export_keying_material(&self, _: &mut [u8], _: &[u8], _: &[u8]) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}

#[cfg(test)]
mod tests {
    use quinn_proto::crypto::ClientConfig;

    use super::*;
    use crate::tls::{client, server, StateKeys};
    use crate::{EngineClock, RelayConfig, Trust};

    fn params(side: Side) -> TransportParameters {
        // Encoded by hand (RFC 9000, 18): max_idle_timeout and initial_source_connection_id.
        let id = if side == Side::Client { 1 } else { 2 };
        TransportParameters::read(side, &mut &[0x01, 0x02, 0x67, 0x10, 0x0f, 0x04, id, id, id, id][..]).unwrap()
    }

    /// A client's session and a server's.
    fn sessions(alpn: [&str; 2]) -> [Box<dyn Session>; 2] {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let relay = RelayConfig {
            certificate_pem: made.cert.pem().into_bytes(),
            key_pem: made.signing_key.serialize_pem().into_bytes(),
            open: None,
            max_sessions: 1,
            auth_timeout: 0,
        };
        let clock = Arc::new(EngineClock { start: 1_800_000_000_000_000, now: 0.into() });
        let [ours, theirs] = alpn.map(|name| vec![name.as_bytes().to_vec()]);
        let server = server(&relay, theirs, &StateKeys::new(&[7; 32]), clock.clone()).unwrap();
        let client = client(&Trust::Pem(relay.certificate_pem.clone()), ours, clock).unwrap();
        let client = ClientConfig::start_session(client, 1, "localhost", &params(Side::Server)).unwrap();
        [client, ServerConfig::start_session(Arc::new(server), 1, &params(Side::Client))]
    }

    /// Passes flights to and fro until neither side has one; the last keys of each side.
    fn shake(ends: &mut [Box<dyn Session>; 2]) -> Result<[Option<Keys>; 2], TransportError> {
        let mut last = [None, None];
        for from in [0, 1, 0, 1, 0, 1] {
            loop {
                let mut flight = Vec::new();
                let keys = ends[from].write_handshake(&mut flight);
                if keys.is_none() && flight.is_empty() {
                    break;
                }
                last[from] = keys.or(last[from].take());
                if !flight.is_empty() {
                    ends[1 - from].read_handshake(&flight)?;
                }
                if from == 1 && ends[0].is_handshaking() {
                    // A client takes its next keys before what comes under them, as QUIC has it do.
                    let mut none = Vec::new();
                    last[0] = ends[0].write_handshake(&mut none).or(last[0].take());
                    assert!(none.is_empty());
                }
            }
        }
        Ok(last)
    }

    /// A fixed packet under a key.
    fn sealed(key: &dyn PacketKey) -> Vec<u8> {
        let mut packet = b"headpayload".to_vec();
        packet.resize(packet.len() + key.tag_len(), 0);
        key.encrypt(5, &mut packet, 4);
        packet
    }

    #[test]
    fn keys_go_on_after_the_handshake_is_let_go() {
        let mut ends = sessions(["moqt-18", "moqt-18"]);
        let [Some(client), Some(server)] = shake(&mut ends).unwrap() else { panic!("both sides have keys") };
        assert!(!ends[0].is_handshaking() && !ends[1].is_handshaking());
        assert_eq!(sealed(&*client.packet.local), sealed(&*server.packet.remote));
        for _ in 0..3 {
            let [client, server] = [0, 1].map(|end| ends[end].next_1rtt_keys().unwrap());
            assert_eq!(sealed(&*client.local), sealed(&*server.remote));
            assert_eq!(sealed(&*client.remote), sealed(&*server.local));
        }
        let data = ends[1].handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
        assert_eq!(data.protocol.as_deref(), Some(&b"moqt-18"[..]));
    }

    #[test]
    fn parameters_are_there_with_the_first_flight() {
        let mut ends = sessions(["moqt-18", "moqt-18"]);
        assert!(ends[1].handshake_data().is_none());
        assert_eq!(ends[1].transport_parameters().unwrap(), None);
        let mut flight = Vec::new();
        ends[0].write_handshake(&mut flight);
        assert!(ends[1].read_handshake(&flight).unwrap());
        assert_eq!(ends[1].transport_parameters().unwrap(), Some(params(Side::Server)));
        assert!(ends[1].is_handshaking());
    }

    #[test]
    fn tls_after_the_handshake_is_unexpected() {
        let mut ends = sessions(["moqt-18", "moqt-18"]);
        shake(&mut ends).unwrap();
        // KeyUpdate, update_not_requested (RFC 8446, 4.6.3).
        let error = ends[1].read_handshake(&[24, 0, 0, 1, 0]).unwrap_err();
        assert_eq!(error.code, TransportErrorCode::crypto(10));
    }

    #[test]
    fn no_common_protocol_is_the_alert_of_tls() {
        let error = shake(&mut sessions(["a", "b"])).err().unwrap();
        assert_eq!(error.code, TransportErrorCode::crypto(120));
    }
}
