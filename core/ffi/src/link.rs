//! Links: sessions of a client that are kept alive.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cc_engine::{Command, LinkConfig, LinkTarget, Trust};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;

use crate::boundary::{call, present, read, Answer, Failure};
use crate::generated::{link_flags, status, CcLinkConfig, CcStr, RESUME_SECRET_MAX, RESUME_SECRET_MIN, TOKEN_BYTES};
use crate::handle::{self, Kind, Reserved};
use crate::node::{or, us, NodeBox};
use crate::text;
use crate::url::{Url, URL_BYTES};

const CONNECT_TIMEOUT_MS: u32 = 10_000;
const BACKOFF_MIN_MS: u32 = 100;
const BACKOFF_MAX_MS: u32 = 2_000;
const ADDRESSES_BYTES: usize = 2048;
const PEM_BYTES: usize = 1 << 20;

/// A link. The engine knows it by its handle.
pub(crate) struct Link {
    pub(crate) node: Arc<NodeBox>,
    pub(crate) handle: u64,
    /// Set once LINK_CLOSED was polled.
    pub(crate) ended: AtomicBool,
}

/// Whom to trust: one certificate, a PEM, or the system's roots.
fn trust(sha256: &str, pem: &[u8]) -> Answer<Trust> {
    match (sha256.is_empty(), pem.is_empty()) {
        (false, false) => Err(Failure::argument("trust_sha256 and trust_pem are both given: choose one")),
        (false, true) => Ok(Trust::Pinned(text::sha256(sha256)?)),
        (true, false) => {
            let count = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map(|all| all.len());
            match count {
                Ok(0) => Err(Failure::new(status::BAD_CERTIFICATE, "trust_pem holds no certificate")),
                Ok(_) => Ok(Trust::Pem(pem.to_vec())),
                Err(e) => Err(Failure::new(status::BAD_CERTIFICATE, format!("trust_pem can't be read: {e}"))),
            }
        }
        (true, true) => system_roots().map(|roots| Trust::Roots(roots.to_vec())),
    }
}

/// The system's root certificates, read from its store once a process.
fn system_roots() -> Answer<&'static [Vec<u8>]> {
    static ROOTS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        // Single certificates that can't be read are the system's own concern; none at all is told below.
        let found = rustls_native_certs::load_native_certs();
        found.certs.iter().map(|certificate| certificate.as_ref().to_vec()).collect()
    });
    if roots.is_empty() {
        return Err(Failure::new(
            status::BAD_CERTIFICATE,
            "this system has no root certificates: install them (ca-certificates), or pass trust_sha256 or trust_pem",
        ));
    }
    Ok(roots)
}

/// The name that TLS asks for, checked here so that the answer is at hand.
fn server_name(host: &str) -> Answer<String> {
    rustls::pki_types::ServerName::try_from(host)
        .map_err(|_| Failure::new(status::BAD_URL, format!("{host:?} is no host name that TLS knows")))?;
    Ok(host.to_owned())
}

/// A URL, and where it leads: the addresses given, or its host if that is one.
fn place(url: &str, addresses: &str) -> Answer<(Url, Vec<SocketAddr>)> {
    let url = Url::parse(url)?;
    let mut addresses = text::addresses(addresses)?;
    if addresses.is_empty() {
        let unknown = || Failure::argument(format!("addresses is empty: resolve {} and pass ip:port", url.host));
        addresses.push(url.address().ok_or_else(unknown)?);
    }
    Ok((url, addresses))
}

/// Reads a link's configuration.
///
/// # Safety
/// The texts in `config` are readable.
unsafe fn link_config(config: &CcLinkConfig) -> Answer<LinkConfig> {
    text::flags(config.flags, link_flags::NO_RECONNECT | link_flags::UPLINK, "flags")?;
    // SAFETY: the caller's promise.
    let (url, addresses, token, sha256, pem, secret, alpns) = unsafe {
        (
            text::utf8(config.url, "url", URL_BYTES)?,
            text::utf8(config.addresses, "addresses", ADDRESSES_BYTES)?,
            text::bytes(config.token, "token", TOKEN_BYTES as usize)?,
            text::utf8(config.trust_sha256, "trust_sha256", 256)?,
            text::bytes(config.trust_pem, "trust_pem", PEM_BYTES)?,
            text::bytes(config.resume_secret, "resume_secret", RESUME_SECRET_MAX as usize)?,
            text::utf8(config.alpns, "alpns", 256)?,
        )
    };
    let (url, addresses) = place(url, addresses)?;
    let resume_secret = match secret.len() {
        // The engine's own choice.
        0 => Bytes::new(),
        length if length < RESUME_SECRET_MIN as usize => {
            return Err(Failure::argument(format!(
                "resume_secret has {length} bytes, it needs {RESUME_SECRET_MIN} to {RESUME_SECRET_MAX}"
            )))
        }
        _ => Bytes::copy_from_slice(secret),
    };
    let backoff_min = or(config.backoff_min_ms, BACKOFF_MIN_MS);
    let backoff_max = or(config.backoff_max_ms, BACKOFF_MAX_MS.max(backoff_min));
    if backoff_min > backoff_max {
        return Err(Failure::argument(format!("backoff_min_ms {backoff_min} is above backoff_max_ms {backoff_max}")));
    }
    Ok(LinkConfig {
        addresses,
        server_name: server_name(&url.host)?,
        authority: url.authority,
        path: url.path,
        token: (!token.is_empty()).then(|| Bytes::copy_from_slice(token)),
        trust: trust(sha256, pem)?,
        resume_secret,
        profiles: text::profiles(alpns)?,
        reconnect: config.flags & link_flags::NO_RECONNECT == 0,
        connect_timeout: us(or(config.connect_timeout_ms, CONNECT_TIMEOUT_MS)),
        backoff: (us(backoff_min), us(backoff_max)),
        reconnect_limit: us(config.reconnect_limit_ms),
        uplink: config.flags & link_flags::UPLINK != 0,
    })
}

/// Starts dialling.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_open(node: u64, config: *const CcLinkConfig, link: *mut u64) -> i32 {
    call("cc_link_open", || {
        let link = present(link, "link")?;
        let node = handle::get::<NodeBox>(node)?;
        // SAFETY: the caller's promise.
        let config = unsafe { link_config(&read(config, "config")?) }?;
        if config.uplink && !node.relay {
            return Err(Failure::argument("flags has UPLINK, and the node is no relay: only a relay joins a relay"));
        }
        let reserved = Reserved::new(Kind::Link)?;
        let handle = reserved.handle();
        node.adopt(handle)?;
        reserved.fill(Arc::new(Link { node: node.clone(), handle, ended: AtomicBool::new(false) }));
        if let Err(e) = node.node.command(Command::OpenLink(handle, Box::new(config))) {
            node.disown(handle);
            handle::forget(handle);
            return Err(e.into());
        }
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { link.write_unaligned(handle) };
        Ok(())
    })
}

/// Ends a link for good.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_close(link: u64, reason: u32, text: CcStr) -> i32 {
    call("cc_link_close", || {
        let reason = text::reason(reason)?;
        // SAFETY: the caller's promise.
        let text = unsafe { text::utf8(text, "text", text::CLOSE_TEXT) }?.to_owned();
        let link = handle::take::<Link>(link)?;
        link.node.disown(link.handle);
        link.node.node.command(Command::CloseLink(link.handle, reason, text))?;
        Ok(())
    })
}

/// Shows a new token, in place and from the next dial on.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_token(link: u64, token: CcStr) -> i32 {
    call("cc_link_token", || {
        let link = handle::get::<Link>(link)?;
        // SAFETY: the caller's promise.
        let token = unsafe { text::bytes(token, "token", TOKEN_BYTES as usize) }?;
        link.node.node.command(Command::LinkToken(link.handle, Bytes::copy_from_slice(token)))?;
        Ok(())
    })
}

/// Replaces a link's addresses from the next dial on.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_addresses(link: u64, addresses: CcStr) -> i32 {
    call("cc_link_addresses", || {
        let link = handle::get::<Link>(link)?;
        // SAFETY: the caller's promise.
        let addresses = text::addresses(unsafe { text::utf8(addresses, "addresses", ADDRESSES_BYTES) }?)?;
        if addresses.is_empty() {
            return Err(Failure::argument("addresses is empty: pass one at least"));
        }
        link.node.node.command(Command::LinkAddresses(link.handle, addresses))?;
        Ok(())
    })
}

/// Goes on at another place.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_link_move(link: u64, url: CcStr, addresses: CcStr) -> i32 {
    call("cc_link_move", || {
        let link = handle::get::<Link>(link)?;
        // SAFETY: the caller's promise.
        let (url, addresses) =
            unsafe { (text::utf8(url, "url", URL_BYTES)?, text::utf8(addresses, "addresses", ADDRESSES_BYTES)?) };
        let (url, addresses) = place(url, addresses)?;
        let server_name = server_name(&url.host)?;
        let target = LinkTarget { addresses, server_name, authority: url.authority, path: url.path };
        link.node.node.command(Command::LinkMove(link.handle, Box::new(target)))?;
        Ok(())
    })
}
