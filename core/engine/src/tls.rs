//! TLS 1.3 for both roles, and the keys that outlive a restart.
//!
//! Certificates come as PEM and stay as they are; trust is a pin, a set of PEM certificates, or roots. Keys for
//! stateless resets, connection ids, retry tokens and session tickets are derived from one 32-byte state key, so that
//! clients of a killed process learn at once that it forgot them, and resume with the next one.

mod accepted;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use accepted::Accepting;
use quinn_proto::crypto::rustls::QuicClientConfig;
use ring::{aead, digest, hkdf, hmac};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{ring as provider, verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::api::Trust;
use crate::config::{ConfigError, RelayConfig};
use crate::EngineClock;

/// What a label's key is used for.
#[derive(Clone, Copy)]
enum Use {
    Reset,
    Token,
    Ticket,
    Steering,
}

impl Use {
    fn label(self) -> &'static [u8] {
        match self {
            Use::Reset => b"clutchcall reset",
            Use::Token => b"clutchcall retry token",
            Use::Ticket => b"clutchcall tls ticket",
            Use::Steering => b"clutchcall steering",
        }
    }
}

/// Keys derived from the state key (HKDF-SHA256, RFC 5869).
pub(crate) struct StateKeys(hkdf::Prk);

impl StateKeys {
    pub(crate) fn new(state_key: &[u8; 32]) -> Self {
        StateKeys(hkdf::Salt::new(hkdf::HKDF_SHA256, b"clutchcall state 1").extract(state_key))
    }

    fn derive(&self, purpose: Use) -> [u8; 32] {
        let info = [purpose.label()];
        let mut out = [0; 32];
        // 32 bytes are within HKDF's limit, so neither step can fail.
        if let Ok(okm) = self.0.expand(&info, hkdf::HKDF_SHA256) {
            let _ = okm.fill(&mut out);
        }
        out
    }

    /// Key of stateless reset tokens (RFC 9000, 10.3.2).
    pub(crate) fn reset(&self) -> Arc<hmac::Key> {
        Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(Use::Reset)))
    }

    /// Key of address validation tokens.
    pub(crate) fn token(&self) -> Arc<hkdf::Prk> {
        Arc::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &self.derive(Use::Token)))
    }

    /// Key of the hash that tells a connection id's shard.
    pub(crate) fn steering(&self) -> [u8; 12] {
        let key = self.derive(Use::Steering);
        std::array::from_fn(|at| key[at])
    }

    fn ticketer(&self) -> Result<Arc<Ticketer>, ConfigError> {
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &self.derive(Use::Ticket))
            .map_err(|_| ConfigError::Value("no ticket key".into()))?;
        Ok(Arc::new(Ticketer { key: aead::LessSafeKey::new(key), random: ring::rand::SystemRandom::new() }))
    }
}

/// Session tickets under a key that a restarted process has again.
struct Ticketer {
    key: aead::LessSafeKey,
    random: ring::rand::SystemRandom,
}

impl std::fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticketer")
    }
}

impl rustls::server::ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        12 * 3600
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; aead::NONCE_LEN];
        ring::rand::SecureRandom::fill(&self.random, &mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        self.key
            .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut sealed)
            .ok()?;
        let mut ticket = nonce.to_vec();
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = cipher.split_at_checked(aead::NONCE_LEN)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let len = self.key.open_in_place(nonce, aead::Aad::empty(), &mut opened).ok()?.len();
        opened.truncate(len);
        Some(opened)
    }
}

/// The time that certificates are checked against: the engine's own, so that a simulated world has a simulated date.
#[derive(Debug)]
struct CertificateClock(Arc<EngineClock>);

impl rustls::time_provider::TimeProvider for CertificateClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix()))
    }
}

/// The same time for address validation tokens.
pub(crate) struct TokenClock(pub(crate) Arc<EngineClock>);

impl quinn_proto::TimeSource for TokenClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.0.unix()
    }
}

/// ring's, with AES-128 first: a relay encrypts all that it passes on, and ten rounds with SHA-256 cost less than fourteen
/// with SHA-384. What a client prefers is chosen, so one without AES in hardware gets ChaCha20.
fn crypto_provider() -> Arc<CryptoProvider> {
    use provider::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
    let cipher_suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..provider::default_provider() })
}

/// The server's side.
pub(crate) fn server(
    relay: &RelayConfig,
    alpns: Vec<Vec<u8>>,
    keys: &StateKeys,
    clock: Arc<EngineClock>,
) -> Result<Accepting, ConfigError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&relay.certificate_pem)
        .collect::<Result<_, _>>()
        .map_err(|e| ConfigError::Certificate(format!("not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(ConfigError::Certificate("the PEM holds no certificate".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(&relay.key_pem).map_err(|e| ConfigError::Key(format!("not PEM: {e}")))?;
    let time = Arc::new(CertificateClock(clock));
    let mut config = rustls::ServerConfig::builder_with_details(crypto_provider(), time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| ConfigError::Value(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| ConfigError::Key(e.to_string()))?;
    config.alpn_protocols = alpns;
    config.ticketer = keys.ticketer()?;
    config.send_tls13_tickets = 1;
    // 0-RTT is off: an early packet could be a replay.
    config.max_early_data_size = 0;
    Accepting::new(config)
}

/// A client's side; the value keeps the resumption tickets of one link.
pub(crate) fn client(
    trust: &Trust,
    alpns: Vec<Vec<u8>>,
    clock: Arc<EngineClock>,
) -> Result<Arc<dyn quinn_proto::crypto::ClientConfig>, ConfigError> {
    let provider = crypto_provider();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Pinned(hash) => Arc::new(Exact { accepted: Accepted::Hash(*hash), provider: provider.clone() }),
        Trust::Pem(pem) => chains_to(pem, &provider)?,
        Trust::Roots(roots) => {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots.iter().map(|der| CertificateDer::from(der.as_slice())));
            if store.is_empty() {
                return Err(ConfigError::Certificate(
                    "this system has no root certificates: pin one, or give a PEM".into(),
                ));
            }
            web_pki(store, &provider)?
        }
    };
    let mut config = rustls::ClientConfig::builder_with_details(provider, Arc::new(CertificateClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| ConfigError::Value(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpns;
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    let config = QuicClientConfig::try_from(config).map_err(|e| ConfigError::Value(e.to_string()))?;
    Ok(Arc::new(config))
}

fn web_pki(store: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, ConfigError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|e| ConfigError::Certificate(e.to_string()))
}

/// PEM certificates are trusted both as roots and, byte for byte, as the server's own (a self-signed certificate is
/// no certificate authority).
fn chains_to(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| ConfigError::Certificate(format!("not PEM: {e}")))?;
    if certificates.is_empty() {
        return Err(ConfigError::Certificate("the PEM holds no certificate".into()));
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    let roots = web_pki(store, provider)?;
    Ok(Arc::new(Exact { accepted: Accepted::Any { certificates, roots }, provider: provider.clone() }))
}

#[derive(Debug)]
enum Accepted {
    Hash([u8; 32]),
    Any { certificates: Vec<CertificateDer<'static>>, roots: Arc<WebPkiServerVerifier> },
}

/// Accepts exactly the certificates it was told of; the handshake's signature proves that the peer holds the key.
#[derive(Debug)]
struct Exact {
    accepted: Accepted,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exact {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.accepted {
            Accepted::Hash(hash) => {
                let seen = digest::digest(&digest::SHA256, end_entity);
                if seen.as_ref() == hash {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(CertificateError::ApplicationVerificationFailure.into())
                }
            }
            Accepted::Any { certificates, .. } if certificates.iter().any(|c| c == end_entity) => {
                Ok(ServerCertVerified::assertion())
            }
            Accepted::Any { roots, .. } => {
                roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
