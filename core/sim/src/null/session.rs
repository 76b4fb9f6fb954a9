//! One handshake of the null crypto, either side of it.
//!
//! | client | server |
//! |---|---|
//! | SendHello: writes ClientHello | AwaitHello: takes it, chooses the protocol |
//! | AwaitServerHello: takes it | SendServerHello: writes ServerHello, Handshake keys |
//! | RaiseKeys: Handshake keys | SendFlight: writes the flight, 1-RTT keys |
//! | AwaitFlight: takes it | |
//! | SendFinished: writes Finished, 1-RTT keys | AwaitFinished: takes it, checks it |
//! | Done: takes the ticket, and forgets it | SendTicket: writes the ticket, then Done |

use std::any::Any;

use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::crypto::{ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError};

use super::keys;
use super::message::{self, failed, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    SendHello,
    AwaitServerHello,
    RaiseKeys,
    AwaitFlight,
    SendFinished,
    AwaitHello,
    SendServerHello,
    SendFlight,
    AwaitFinished,
    SendTicket,
    Done,
}

/// One connection's handshake and keys.
pub(super) struct NullSession {
    side: Side,
    stage: Stage,
    alpns: Vec<Vec<u8>>,
    /// Our transport parameters.
    params: Vec<u8>,
    /// The peer's, once they came.
    peer_params: Option<Vec<u8>>,
    protocol: Option<Vec<u8>>,
    server_name: String,
    inbox: Vec<u8>,
    /// A checksum of all messages up to the server's flight: what the keys follow from.
    transcript: u64,
    /// The 1-RTT keys' secret, once there is one.
    secret: Option<u64>,
    generation: u64,
}

impl NullSession {
    pub(super) fn client(alpns: Vec<Vec<u8>>, server_name: &str, params: &TransportParameters) -> NullSession {
        NullSession::new(Side::Client, Stage::SendHello, alpns, server_name, params)
    }

    pub(super) fn server(alpns: Vec<Vec<u8>>, params: &TransportParameters) -> NullSession {
        NullSession::new(Side::Server, Stage::AwaitHello, alpns, "", params)
    }

    fn new(
        side: Side,
        stage: Stage,
        alpns: Vec<Vec<u8>>,
        server_name: &str,
        params: &TransportParameters,
    ) -> NullSession {
        let mut encoded = Vec::new();
        params.write(&mut encoded);
        NullSession {
            side,
            stage,
            alpns,
            params: encoded,
            peer_params: None,
            protocol: None,
            server_name: server_name.to_owned(),
            inbox: Vec::new(),
            transcript: 0,
            secret: None,
            generation: 0,
        }
    }

    fn note(&mut self, message: &[u8]) {
        self.transcript = keys::checksum(self.transcript, &[message]) as u64;
    }

    /// Takes one message; whether the protocol is known by it.
    fn take(&mut self, kind: Kind, bytes: &[u8]) -> Result<bool, TransportError> {
        match (self.stage, kind) {
            (Stage::AwaitHello, Kind::ClientHello) => {
                let [alpns, name, params] = message::fields(bytes)?;
                let offered = message::split_names(alpns);
                let chosen = self.alpns.iter().find(|own| offered.contains(&own.as_slice()));
                let chosen = chosen.cloned().ok_or_else(|| {
                    failed(message::NO_APPLICATION_PROTOCOL, "no protocol that both sides speak was offered")
                })?;
                self.protocol = Some(chosen);
                self.server_name = String::from_utf8_lossy(name).into_owned();
                self.peer_params = Some(params.to_vec());
                self.note(bytes);
                self.stage = Stage::SendServerHello;
                Ok(true)
            }
            (Stage::AwaitServerHello, Kind::ServerHello) => {
                self.note(bytes);
                self.stage = Stage::RaiseKeys;
                Ok(false)
            }
            (Stage::AwaitFlight, Kind::Flight) => {
                let [protocol, params] = message::fields(bytes)?;
                if !self.alpns.iter().any(|own| own == protocol) {
                    return Err(failed(message::NO_APPLICATION_PROTOCOL, "the server chose what was not offered"));
                }
                self.protocol = Some(protocol.to_vec());
                self.peer_params = Some(params.to_vec());
                self.note(bytes);
                self.stage = Stage::SendFinished;
                Ok(true)
            }
            (Stage::AwaitFinished, Kind::Finished) => {
                let [seen] = message::fields(bytes)?;
                if seen != self.transcript.to_le_bytes() {
                    return Err(failed(message::DECRYPT_ERROR, "the client saw another handshake"));
                }
                self.stage = Stage::SendTicket;
                Ok(false)
            }
            (Stage::Done, Kind::Ticket) if self.side == Side::Client => Ok(false),
            _ => Err(failed(message::UNEXPECTED_MESSAGE, "a handshake message out of turn")),
        }
    }
}

impl Session for NullSession {
    fn initial_keys(&self, id: &ConnectionId, side: Side) -> Keys {
        keys::initial(id, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        let protocol = self.protocol.clone()?;
        let server_name = (self.side == Side::Server).then(|| self.server_name.clone());
        Some(Box::new(HandshakeData { protocol: Some(protocol), server_name }))
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        (self.side == Side::Client).then_some(false)
    }

    fn is_handshaking(&self) -> bool {
        !matches!(self.stage, Stage::SendFinished | Stage::SendTicket | Stage::Done)
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.inbox.extend_from_slice(buf);
        let mut ready = false;
        while let Some((kind, bytes)) = message::take(&mut self.inbox)? {
            ready |= self.take(kind, &bytes)?;
        }
        Ok(ready)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        match &self.peer_params {
            None => Ok(None),
            Some(bytes) => Ok(Some(TransportParameters::read(self.side, &mut bytes.as_slice())?)),
        }
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let start = buf.len();
        match self.stage {
            Stage::SendHello => {
                let names = message::join_names(&self.alpns);
                message::write(Kind::ClientHello, &[&names, self.server_name.as_bytes(), &self.params], buf);
                self.note(&buf[start..]);
                self.stage = Stage::AwaitServerHello;
                None
            }
            Stage::RaiseKeys => {
                self.stage = Stage::AwaitFlight;
                Some(keys::space(keys::derive(self.transcript, "handshake", 0), self.side, 0))
            }
            Stage::SendServerHello => {
                // The parameters name the server's connection id: a handshake of the same client differs by it.
                let random = keys::checksum(self.transcript, &[&self.params]).to_le_bytes();
                message::write(Kind::ServerHello, &[&random], buf);
                self.note(&buf[start..]);
                self.stage = Stage::SendFlight;
                Some(keys::space(keys::derive(self.transcript, "handshake", 0), self.side, 0))
            }
            Stage::SendFlight => {
                let protocol = self.protocol.clone().unwrap_or_default();
                message::write(Kind::Flight, &[&protocol, &self.params], buf);
                self.note(&buf[start..]);
                self.stage = Stage::AwaitFinished;
                Some(self.data_keys())
            }
            Stage::SendFinished => {
                message::write(Kind::Finished, &[&self.transcript.to_le_bytes()], buf);
                self.stage = Stage::Done;
                Some(self.data_keys())
            }
            Stage::SendTicket => {
                message::write(Kind::Ticket, &[], buf);
                self.stage = Stage::Done;
                None
            }
            Stage::AwaitServerHello | Stage::AwaitFlight | Stage::AwaitHello | Stage::AwaitFinished | Stage::Done => {
                None
            }
        }
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let secret = self.secret?;
        self.generation += 1;
        Some(keys::packets(secret, self.side, self.generation))
    }

    fn is_valid_retry(&self, id: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        keys::is_valid_retry(id, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        let secret = self.secret.ok_or(ExportKeyingMaterialError)?;
        for (number, chunk) in output.chunks_mut(16).enumerate() {
            let sum = keys::checksum(secret, &[label, context, &(number as u64).to_le_bytes()]).to_le_bytes();
            chunk.copy_from_slice(&sum[..chunk.len()]);
        }
        Ok(())
    }
}

impl NullSession {
    fn data_keys(&mut self) -> Keys {
        let secret = keys::derive(self.transcript, "data", 0);
        self.secret = Some(secret);
        keys::space(secret, self.side, 0)
    }
}
