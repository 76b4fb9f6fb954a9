//! What the tests of the ABI share: the calls as a C program would make them, with a deadline on every wait.
#![allow(dead_code, reason = "no test file uses all of it")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one call of the ABI with arguments that outlive it"
)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;

/// Longest that anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn text(text: &str) -> CcStr {
    raw(text.as_bytes())
}

pub fn raw(bytes: &[u8]) -> CcStr {
    CcStr { ptr: bytes.as_ptr(), len: bytes.len() as u32, reserved: 0 }
}

pub fn last_error() -> String {
    let mut buf = vec![0; 4096];
    let mut len = 0;
    assert_eq!(unsafe { cc_last_error(buf.as_mut_ptr(), buf.len() as u32, &mut len) }, status::OK);
    buf.truncate(len as usize);
    String::from_utf8(buf).unwrap()
}

/// Expects OK, and says what went wrong otherwise.
#[track_caller]
pub fn ok(status: i32) {
    assert_eq!(status, status::OK, "{}", last_error());
}

/// Expects a failure with its words.
#[track_caller]
pub fn fails(status: i32, expected: i32, words: &str) {
    let said = last_error();
    assert_eq!(status, expected, "{said}");
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}

/// A self-signed certificate: PEM, key, and the hex SHA-256 of its DER.
pub struct Certificate {
    pub pem: String,
    pub key: String,
    pub sha256: String,
}

impl Certificate {
    pub fn new() -> Certificate {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, made.cert.der());
        Certificate {
            pem: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// An event with its texts copied out.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: u32,
    pub reason: u32,
    pub handle: u64,
    pub a: u64,
    pub b: u64,
    pub c: u64,
    pub code: u64,
    pub texts: [Vec<u8>; 4],
}

impl Event {
    pub fn text(&self, which: usize) -> &str {
        std::str::from_utf8(&self.texts[which]).unwrap()
    }
}

fn copied(text: CcStr) -> Vec<u8> {
    match text.len {
        0 => Vec::new(),
        len => unsafe { std::slice::from_raw_parts(text.ptr, len as usize) }.to_vec(),
    }
}

/// A node, closed when dropped.
pub struct Node {
    pub handle: u64,
    seen: Vec<Event>,
}

impl Node {
    pub fn open(config: &CcNodeConfig) -> Node {
        let mut handle = 0;
        ok(unsafe { cc_node_open(config, &mut handle) });
        Node { handle, seen: Vec::new() }
    }

    /// A client's node.
    pub fn client() -> Node {
        Node::open(&client_config())
    }

    /// A relay; `flags` beside RELAY.
    pub fn relay(certificate: &Certificate, flags: u32) -> Node {
        Node::open(&relay_config(certificate, flags))
    }

    pub fn address(&self) -> String {
        let mut buf = [0u8; 64];
        let mut len = 0;
        ok(unsafe { cc_node_address(self.handle, buf.as_mut_ptr(), 64, &mut len) });
        String::from_utf8(buf[..len as usize].to_vec()).unwrap()
    }

    pub fn url(&self) -> String {
        format!("moqt://{}/game", self.address())
    }

    /// Takes what waits.
    pub fn poll(&mut self) {
        loop {
            let mut events = [CcEvent::EMPTY; 16];
            let mut count = 0;
            ok(unsafe { cc_node_poll(self.handle, events.as_mut_ptr(), 16, &mut count) });
            for event in &events[..count as usize] {
                self.seen.push(Event {
                    kind: event.kind,
                    reason: event.reason,
                    handle: event.handle,
                    a: event.a,
                    b: event.b,
                    c: event.c,
                    code: event.code,
                    texts: [event.text, event.text2, event.text3, event.text4].map(copied),
                });
            }
            if count < 16 {
                return;
            }
        }
    }

    /// Sleeps until the node has news, a moment at most.
    pub fn rest(&self) {
        let mut fd = -1;
        ok(unsafe { cc_node_wake_fd(self.handle, &mut fd) });
        let mut poll = libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 };
        unsafe { libc::poll(&mut poll, 1, 50) };
    }

    /// Waits for an event, and takes it out of those that were seen.
    #[track_caller]
    pub fn event(&mut self, kind: u32, handle: u64) -> Event {
        self.find(event::name(kind).unwrap(), |event| event.kind == kind && (handle == 0 || event.handle == handle))
    }

    #[track_caller]
    pub fn find(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.poll();
            if let Some(at) = self.seen.iter().position(&is) {
                return self.seen.remove(at);
            }
            assert!(Instant::now() < deadline, "no {what} came, only {:#?}", self.seen);
            self.rest();
        }
    }

    pub fn stats(&self) -> CcNodeStats {
        let mut stats = CcNodeStats::EMPTY;
        ok(unsafe { cc_node_stats(self.handle, &mut stats) });
        stats
    }

    /// Opens a link to a relay with a pinned certificate, and waits for it to be up.
    pub fn join(&mut self, relay: &Node, certificate: &Certificate, alpns: &str) -> u64 {
        let link = self.dial(&relay.url(), certificate, alpns, b"");
        let up = self.event(event::LINK_UP, link);
        assert!(!up.text(0).is_empty(), "a peer id");
        link
    }

    pub fn dial(&self, url: &str, certificate: &Certificate, alpns: &str, token: &[u8]) -> u64 {
        let config = CcLinkConfig {
            url: text(url),
            token: raw(token),
            trust_sha256: text(&certificate.sha256),
            alpns: text(alpns),
            ..CcLinkConfig::EMPTY
        };
        let mut link = 0;
        ok(unsafe { cc_link_open(self.handle, &config, &mut link) });
        link
    }

    pub fn close(self) {
        ok(unsafe { cc_node_close(self.handle) });
        std::mem::forget(self);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        unsafe { cc_node_close(self.handle) };
    }
}

pub fn client_config() -> CcNodeConfig {
    CcNodeConfig { bind: text("127.0.0.1:0"), ..CcNodeConfig::EMPTY }
}

thread_local! {
    static SHARDS: Cell<u32> = const { Cell::new(1) };
}

/// Runs a test whose relays have so many shards.
pub fn with_shards(shards: u32, test: fn()) {
    SHARDS.set(shards);
    test();
}

pub fn relay_config(certificate: &Certificate, flags: u32) -> CcNodeConfig {
    CcNodeConfig {
        flags: node_flags::RELAY | flags,
        bind: text("127.0.0.1:0"),
        certificate_pem: text(&certificate.pem),
        key_pem: text(&certificate.key),
        // Enough here, and the system's own limit is not in the way.
        recv_buffer: 65_536,
        shards: SHARDS.get(),
        ..CcNodeConfig::EMPTY
    }
}

pub fn publish(scope: u64, kind: u32, ns: &str, name: &str, capability: &str) -> u64 {
    let config = CcTrackConfig {
        kind,
        priority: 128,
        ns: text(ns),
        name: text(name),
        capability: text(capability),
        ..CcTrackConfig::EMPTY
    };
    let mut publication = 0;
    ok(unsafe { cc_publish(scope, &config, &mut publication) });
    publication
}

pub fn subscribe(scope: u64, ns: &str, name: Option<&str>, capability: &str) -> u64 {
    let config = CcSubscribeConfig {
        flags: if name.is_some() { subscribe_flags::EXACT } else { 0 },
        ns: text(ns),
        name: text(name.unwrap_or("")),
        capability: text(capability),
        priority: 128,
        ..CcSubscribeConfig::EMPTY
    };
    let mut subscription = 0;
    ok(unsafe { cc_subscribe(scope, &config, &mut subscription) });
    subscription
}

pub fn frame(publication: u64, payload: &[u8], properties: &[u8], priority: u16) -> CcSend {
    CcSend {
        publication,
        payload: payload.as_ptr() as u64,
        payload_len: payload.len() as u32,
        properties: properties.as_ptr() as u64,
        properties_len: properties.len() as u32,
        priority,
        ..CcSend::EMPTY
    }
}

pub fn send(frames: &[CcSend]) -> Vec<u8> {
    let mut fates = vec![255; frames.len()];
    ok(unsafe { cc_send(frames.as_ptr(), frames.len() as u32, fates.as_mut_ptr()) });
    fates
}

/// A frame that was drained, copied out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub track: u64,
    pub group: u64,
    pub priority: u8,
    pub flags: u8,
    pub fragments: u32,
    pub payload: Vec<u8>,
    pub properties: Vec<u8>,
}

pub fn drain(subscription: u64) -> Vec<Got> {
    let mut batch = CcBatch::EMPTY;
    ok(unsafe { cc_drain(subscription, &mut batch) });
    copy(&batch)
}

pub fn copy(batch: &CcBatch) -> Vec<Got> {
    if batch.count == 0 {
        return Vec::new();
    }
    let frames = unsafe { std::slice::from_raw_parts(batch.frames, batch.count as usize) };
    let data = match batch.data_len {
        0 => &[],
        len => unsafe { std::slice::from_raw_parts(batch.data, len as usize) },
    };
    let piece = |at: u32, len: u32| data[at as usize..][..len as usize].to_vec();
    let got = frames.iter().map(|frame| Got {
        track: frame.track,
        group: frame.group,
        priority: frame.priority,
        flags: frame.flags,
        fragments: frame.fragments,
        payload: piece(frame.payload_at, frame.payload_len),
        properties: piece(frame.properties_at, frame.properties_len),
    });
    got.collect()
}

/// Drains until `count` frames have come.
#[track_caller]
pub fn receive(node: &mut Node, subscription: u64, count: usize) -> Vec<Got> {
    let deadline = Instant::now() + PATIENCE;
    let mut got = Vec::new();
    while got.len() < count {
        node.poll();
        got.extend(drain(subscription));
        assert!(Instant::now() < deadline, "{} of {count} frames came", got.len());
        if got.len() < count {
            node.rest();
        }
    }
    got
}
