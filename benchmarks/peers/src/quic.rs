//! quinn alone: each datagram of a client goes to all others, as it came. No tracks, no names, no priorities.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::crowd::{tally, turns, Play, Publisher};

const ALPN: &[u8] = b"bench";
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server until standard input ends.
pub fn serve(certificate: &str, key: &str) -> anyhow::Result<()> {
    let certificate = CertificateDer::from_pem_file(certificate).context("the certificate")?;
    let key = PrivateKeyDer::from_pem_file(key).context("the key")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let runtime = tokio::runtime::Runtime::new()?;
    let inside = runtime.enter();
    let endpoint = Endpoint::server(config, LOOPBACK)?;
    drop(inside);
    println!("{}", endpoint.local_addr()?.port());
    runtime.spawn(async move {
        let clients = Clients::default();
        while let Some(incoming) = endpoint.accept().await {
            // A client that fails ends alone.
            tokio::spawn(pass_on(incoming, clients.clone()));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Everybody there is; the list is replaced, never changed.
type Clients = Arc<Mutex<Arc<Vec<Connection>>>>;

async fn pass_on(incoming: quinn::Incoming, clients: Clients) -> anyhow::Result<()> {
    let connection = incoming.await?;
    {
        let mut all = clients.lock().expect("nobody panics with it");
        *all = Arc::new(all.iter().cloned().chain([connection.clone()]).collect());
    }
    loop {
        let datagram = connection.read_datagram().await?;
        let all = clients.lock().expect("nobody panics with it").clone();
        for one in all.iter().filter(|one| one.stable_id() != connection.stable_id()) {
            // One that is gone misses it.
            let _ = one.send_datagram(datagram.clone());
        }
    }
}

struct Sender(Connection, Bytes, usize);

impl Publisher for Sender {
    fn send(&mut self, _: u64) -> anyhow::Result<()> {
        for _ in 0..self.2 {
            self.0.send_datagram(self.1.clone())?;
        }
        Ok(())
    }
}

/// A publisher and its subscribers, each with a socket of its own.
pub fn play(port: u16, certificate: &str, play: Play) -> anyhow::Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).context("the certificate")?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let runtime = tokio::runtime::Runtime::new()?;
    let (tally, told) = tally(play);
    let (_endpoints, publisher) = runtime.block_on(async {
        let mut endpoints = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..=play.subscribers {
            let endpoint = Endpoint::client(LOOPBACK)?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            connections.push(endpoint.connect_with(config.clone(), address, "localhost")?.await?);
            endpoints.push(endpoint);
        }
        let publisher = connections.pop().context("a publisher")?;
        for (number, connection) in connections.into_iter().enumerate() {
            let tally = tally.clone();
            tokio::spawn(async move {
                while connection.read_datagram().await.is_ok() {
                    tally.add(number);
                }
            });
        }
        anyhow::Ok((endpoints, publisher))
    })?;
    turns(play, Sender(publisher, vec![0; play.size].into(), play.tracks), &tally, &told)
}
