//! Nodes: opening, closing, driving.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cc_engine::{Command, Config, ConfigError, Congestion, Limits, RelayConfig, Time};
use cc_shard::{Drive, Node, NodeConfig, OpenError, Setting};
use cc_udp::{BindError, SocketOptions};
use cc_wire::{Profile, TrackName};

use crate::boundary::{call, present, put_text, read, Answer, Failure};
use crate::event::Polled;
use crate::generated::{congestion, node_flags, status, CcNodeConfig, CcStr};
use crate::handle::{self, Kind, Reserved};
use crate::inside;
use crate::session::Sessions;
use crate::text;

/// Most bytes of a certificate chain or key.
const PEM_BYTES: usize = 256 * 1024;
const IDLE_TIMEOUT_MS: u32 = 30_000;
const KEEP_ALIVE_MS: u32 = 5_000;
const AUTH_TIMEOUT_MS: u32 = 10_000;
/// How long a close goes on sending what is queued.
const LINGER_MS: u32 = 500;
/// Longest text of limits, bytes.
const LIMITS_BYTES: usize = 4096;
/// Half a second of 1,000 subscribed frames a tick at 60 Hz and 250 bytes.
const FEED_BYTES: u64 = 8 << 20;
/// Latest time that a caller's clock may show, microseconds: 285 years.
const LATEST: Time = 1 << 53;
/// A relay's receive buffer: some milliseconds of a gigabit while the thread is at something else.
const RELAY_RECV_BUFFER: u32 = 4 << 20;

/// A node with what belongs to its handle.
pub(crate) struct NodeBox {
    pub(crate) node: Node,
    pub(crate) handle: u64,
    pub(crate) relay: bool,
    pub(crate) feed_bytes: u64,
    pub(crate) track_queue_bytes: u64,
    /// How long a session may wait to be admitted.
    pub(crate) auth_timeout: Time,
    pub(crate) polled: Mutex<Polled>,
    pub(crate) sessions: Mutex<Sessions>,
    /// How long a close goes on sending what is queued.
    linger: Time,
    holdings: Mutex<Holdings>,
}

/// What was opened from a node and is not closed yet.
#[derive(Default)]
struct Holdings {
    closed: bool,
    handles: BTreeSet<u64>,
    /// What each scope, by its handle, publishes.
    names: BTreeSet<(u64, TrackName)>,
}

/// Takes a lock; what it guards is whole at every point where a panic could happen.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeBox {
    /// Takes a handle in, to be forgotten when the node closes.
    ///
    /// # Errors
    /// CLOSED, if the node was closed meanwhile.
    pub(crate) fn adopt(&self, handle: u64) -> Answer {
        let mut holdings = lock(&self.holdings);
        if holdings.closed {
            return Err(Failure::new(status::CLOSED, "the node was closed: open a new one"));
        }
        holdings.handles.insert(handle);
        Ok(())
    }

    /// Lets go of a handle that was closed.
    pub(crate) fn disown(&self, handle: u64) {
        lock(&self.holdings).handles.remove(&handle);
    }

    /// Notes that a scope publishes a name; false if it does already.
    pub(crate) fn claim(&self, scope: u64, name: &TrackName) -> bool {
        lock(&self.holdings).names.insert((scope, name.clone()))
    }

    /// Gives a name free.
    pub(crate) fn unclaim(&self, scope: u64, name: &TrackName) {
        lock(&self.holdings).names.remove(&(scope, name.clone()));
    }
}

/// A default for 0.
pub(crate) fn or<T: Default + PartialEq>(given: T, default: T) -> T {
    if given == T::default() {
        default
    } else {
        given
    }
}

pub(crate) fn us(ms: u32) -> Time {
    Time::from(ms) * 1000
}

/// Random bytes of the system's.
fn random<const N: usize>() -> Answer<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::new(status::IO, format!("the system gave no random numbers: {e}")))?;
    Ok(bytes)
}

/// The failure that a node could not be opened with.
fn not_opened(error: OpenError) -> Failure {
    let status = match &error {
        OpenError::Bind(BindError::AddrInUse(_)) => status::ADDRESS_IN_USE,
        OpenError::Bind(BindError::Permission(_)) => status::PERMISSION,
        OpenError::Bind(BindError::AddrNotAvailable(_)) => status::ADDRESS_NOT_AVAILABLE,
        OpenError::Bind(_) | OpenError::Io(_) => status::IO,
        OpenError::Config(ConfigError::Certificate(_)) => status::BAD_CERTIFICATE,
        OpenError::Config(ConfigError::Key(_)) => status::BAD_KEY,
        OpenError::Config(ConfigError::Value(_)) => status::BAD_ARGUMENT,
    };
    Failure::new(status, error.to_string())
}

/// The relay role as the caller describes it; none for a client's node.
///
/// # Safety
/// The texts in `config` are readable.
unsafe fn relay(config: &CcNodeConfig) -> Answer<Option<RelayConfig>> {
    if config.flags & node_flags::RELAY == 0 {
        if config.flags & node_flags::OPEN != 0 {
            return Err(Failure::argument("flags has OPEN without RELAY: only a relay admits anyone"));
        }
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let (certificate, key, scope) = unsafe {
        (
            text::bytes(config.certificate_pem, "certificate_pem", PEM_BYTES)?,
            text::bytes(config.key_pem, "key_pem", PEM_BYTES)?,
            text::utf8(config.open_scope, "open_scope", 4096)?,
        )
    };
    if certificate.is_empty() {
        return Err(Failure::new(status::BAD_CERTIFICATE, "certificate_pem is empty: a relay needs a certificate"));
    }
    if key.is_empty() {
        return Err(Failure::new(status::BAD_KEY, "key_pem is empty: a relay needs its certificate's key"));
    }
    let open = match config.flags & node_flags::OPEN {
        0 => None,
        _ => Some(text::namespace(scope, "open_scope")?),
    };
    Ok(Some(RelayConfig {
        certificate_pem: certificate.to_vec(),
        key_pem: key.to_vec(),
        open,
        max_sessions: or(config.max_sessions, u32::MAX) as usize,
        auth_timeout: us(or(config.auth_timeout_ms, AUTH_TIMEOUT_MS)),
    }))
}

/// All randomness of a node comes from this.
fn seed(given: u64) -> Answer<[u8; 32]> {
    if given == 0 {
        return random();
    }
    let mut seed = [0; 32];
    for (part, bytes) in seed.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&given.wrapping_add(part as u64).to_le_bytes());
    }
    Ok(seed)
}

/// Reads a node's configuration.
///
/// # Safety
/// The texts in `config` are readable.
unsafe fn node_config(config: &CcNodeConfig) -> Answer<NodeConfig> {
    let known = node_flags::RELAY | node_flags::THREADLESS | node_flags::OPEN | node_flags::PORTABLE_UDP;
    text::flags(config.flags, known, "flags")?;
    // SAFETY: the caller's promise.
    let (bind, alpns, key, bounds, relay) = unsafe {
        (
            text::utf8(config.bind, "bind", 256)?,
            text::utf8(config.alpns, "alpns", 256)?,
            text::bytes(config.state_key, "state_key", 4096)?,
            text::utf8(config.limits, "limits", LIMITS_BYTES)?,
            relay(config)?,
        )
    };
    if config.secret_file.len != 0 {
        return Err(Failure::argument("secret_file is reserved: leave it empty"));
    }
    let bind = text::address(bind, "bind")?;
    let profiles = match text::profiles(alpns)? {
        none if none.is_empty() => Profile::PREFERRED.to_vec(),
        given => given,
    };
    let state_key = match key.len() {
        0 => random()?,
        _ => {
            key.try_into().map_err(|_| Failure::argument(format!("state_key has {} bytes, it needs 32", key.len())))?
        }
    };
    let congestion = match config.congestion {
        congestion::REALTIME => Congestion::Realtime,
        congestion::CUBIC => Congestion::Cubic,
        congestion::BBR => Congestion::Bbr,
        other => return Err(Failure::argument(format!("congestion {other} is no CcCongestion"))),
    };
    let idle = or(config.idle_timeout_ms, IDLE_TIMEOUT_MS);
    let keep_alive = or(config.keep_alive_ms, KEEP_ALIVE_MS.min(idle / 3).max(1));
    if keep_alive >= idle {
        return Err(Failure::argument(format!(
            "keep_alive_ms {keep_alive} is not below idle_timeout_ms {idle}: quiet sessions would end"
        )));
    }
    Ok(NodeConfig {
        bind,
        socket: SocketOptions {
            recv_buffer: or(config.recv_buffer, if relay.is_some() { RELAY_RECV_BUFFER } else { 0 }) as usize,
            send_buffer: config.send_buffer as usize,
            force_portable: config.flags & node_flags::PORTABLE_UDP != 0,
            ..SocketOptions::default()
        },
        engine: Config {
            epoch: Instant::now(),
            unix_us: 0,
            seed: seed(config.seed)?,
            state_key,
            relay,
            profiles,
            idle_timeout: us(idle),
            keep_alive: us(keep_alive),
            congestion,
            limits: limits(config, bounds)?,
            max_segments: 1,
        },
        drive: if config.flags & node_flags::THREADLESS != 0 { Drive::Caller } else { Drive::Thread },
        shards: config.shards.max(1) as usize,
    })
}

fn limits(config: &CcNodeConfig, text: &str) -> Answer<Limits> {
    let mut limits = Limits::default();
    if config.max_sessions != 0 {
        limits.connections = config.max_sessions as usize;
    }
    let bytes = |given: u64, default: usize| usize::try_from(or(given, default as u64)).unwrap_or(usize::MAX);
    limits.session_bytes = bytes(config.session_queue_bytes, limits.session_bytes);
    limits.track_bytes = bytes(config.track_queue_bytes, limits.track_bytes.min(limits.session_bytes));
    limits.subgroup_bytes = limits.subgroup_bytes.min(limits.track_bytes);
    text::limits(text, &mut limits)?;
    Ok(limits)
}

/// Opens a node and, unless THREADLESS, its thread.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_open(config: *const CcNodeConfig, node: *mut u64) -> i32 {
    call("cc_node_open", || {
        // SAFETY: the caller's promise.
        unsafe {
            match inside::host() {
                Some(host) => inside::open(host, config, node),
                None => open_in(config, node, |_, _| Ok(Setting::default())).map(|_| ()),
            }
        }
    })
}

/// Opens a node in a setting, which is told its handle and may change its configuration.
///
/// # Safety
/// See the crate.
pub(crate) unsafe fn open_in(
    config: *const CcNodeConfig,
    node: *mut u64,
    setting: impl FnOnce(u64, &mut NodeConfig) -> Answer<Setting>,
) -> Answer<Arc<NodeBox>> {
    let node = present(node, "node")?;
    // SAFETY: the caller's promise.
    let given = unsafe { read(config, "config") }?;
    // SAFETY: the caller's promise.
    let mut config = unsafe { node_config(&given) }?;
    let relay = config.engine.relay.is_some();
    let track_queue_bytes = config.engine.limits.track_bytes as u64;
    let reserved = Reserved::new(Kind::Node)?;
    let handle = reserved.handle();
    let setting = setting(handle, &mut config)?;
    let opened = Node::open_in(config, setting).map_err(not_opened)?;
    let opened = Arc::new(NodeBox {
        node: opened,
        handle,
        relay,
        feed_bytes: or(given.feed_bytes, FEED_BYTES),
        track_queue_bytes,
        auth_timeout: us(or(given.auth_timeout_ms, AUTH_TIMEOUT_MS)),
        linger: us(or(given.linger_ms, LINGER_MS)),
        polled: Mutex::default(),
        sessions: Mutex::default(),
        holdings: Mutex::default(),
    });
    reserved.fill(opened.clone());
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { node.write_unaligned(handle) };
    Ok(opened)
}

/// Closes a node and everything opened from it. Waits until what is queued has left, `linger_ms` at most, and for the
/// thread to say goodbye.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_close(node: u64) -> i32 {
    call("cc_node_close", || {
        let node = handle::take::<NodeBox>(node)?;
        let handles = {
            let mut holdings = lock(&node.holdings);
            holdings.closed = true;
            holdings.names.clear();
            std::mem::take(&mut holdings.handles)
        };
        handles.into_iter().for_each(handle::forget);
        if let Some(host) = inside::host() {
            (host.closing)(node.handle);
        }
        // The handle was live, so nobody closed it before; a node that failed is closed all the same.
        let _ = node.node.close(node.linger);
        Ok(())
    })
}

/// The address that a node is bound to.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_address(node: u64, buf: *mut u8, cap: u32, len: *mut u32) -> i32 {
    call("cc_node_address", || {
        let address: SocketAddr = handle::get::<NodeBox>(node)?.node.local_addr();
        // SAFETY: the caller's promise.
        unsafe { put_text(&address.to_string(), buf, cap, len) }
    })
}

/// What is readable while events or frames wait, on Windows a socket; -1 where the system has no such descriptor.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_wake_fd(node: u64, fd: *mut i64) -> i32 {
    call("cc_node_wake_fd", || {
        let fd = present(fd, "fd")?;
        let node = handle::get::<NodeBox>(node)?;
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { fd.write_unaligned(descriptor(&node.node)) };
        Ok(())
    })
}

#[cfg(unix)]
fn descriptor(node: &Node) -> i64 {
    node.waker().map_or(-1, |waker| i64::from(waker.raw_fd()))
}

#[cfg(windows)]
fn descriptor(node: &Node) -> i64 {
    // Windows keeps the upper half of a handle free, so that it fits.
    node.waker().and_then(|waker| i64::try_from(waker.raw_socket()).ok()).unwrap_or(-1)
}

#[cfg(not(any(unix, windows)))]
fn descriptor(_: &Node) -> i64 {
    -1
}

/// Whether frames make the wake-up descriptor readable, or events alone do.
#[no_mangle]
pub extern "C" fn cc_node_wake_frames(node: u64, on: u32) -> i32 {
    call("cc_node_wake_frames", || {
        if on > 1 {
            return Err(Failure::argument(format!("on is {on}: pass 0 or 1")));
        }
        handle::get::<NodeBox>(node)?.node.wake_frames(on == 1);
        Ok(())
    })
}

/// Does all I/O and timers due at `now_us`, on a THREADLESS node.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_drive(node: u64, now_us: u64, next_us: *mut u64) -> i32 {
    call("cc_node_drive", || {
        let next_us = present(next_us, "next_us")?;
        if now_us > LATEST {
            return Err(Failure::argument(format!("now_us {now_us} is no time since the node was opened")));
        }
        let next = handle::get::<NodeBox>(node)?.node.drive(now_us)?;
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { next_us.write_unaligned(next) };
        Ok(())
    })
}

/// A node's clock.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_now(node: u64, now_us: *mut u64) -> i32 {
    call("cc_node_now", || {
        let now_us = present(now_us, "now_us")?;
        let now = handle::get::<NodeBox>(node)?.node.now();
        // SAFETY: not null, and writable by the caller's promise.
        unsafe { now_us.write_unaligned(now) };
        Ok(())
    })
}

/// GOAWAY to all sessions; new ones are refused.
///
/// # Safety
/// See the crate.
#[no_mangle]
pub unsafe extern "C" fn cc_node_goaway(node: u64, uri: CcStr, timeout_ms: u32) -> i32 {
    call("cc_node_goaway", || {
        let node = handle::get::<NodeBox>(node)?;
        if !node.relay {
            return Err(Failure::new(status::BAD_STATE, "only a relay sends GOAWAY: open the node with RELAY"));
        }
        // SAFETY: the caller's promise.
        let uri = unsafe { text::utf8(uri, "uri", crate::url::URL_BYTES) }?;
        node.node.command(Command::Goaway(uri.to_owned(), u64::from(timeout_ms)))?;
        Ok(())
    })
}
