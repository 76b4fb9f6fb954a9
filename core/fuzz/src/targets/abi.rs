//! The C ABI as a faulty binding calls it: within what C allows, whatever the values are.
//!
//! Pointers are null or point to as many bytes as the call may read; sizes, lengths, counts, flags, numbers, texts and
//! handles are anything. A length may lie where the ABI says that it is checked first: texts have one each that is the
//! longest. Nodes have no thread and stay on this machine. The first byte says where a run begins ([`prepared`]).
#![allow(unsafe_code, reason = "the ABI is C's")]

mod prepared;

use std::sync::OnceLock;

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;

use crate::Input;

/// Nodes of one run.
const NODES: usize = 3;
/// Calls of one run.
const CALLS: usize = 96;
/// Where a run may begin.
const SITUATIONS: usize = 4;

/// A relay's certificate and key, and the hash of the first.
struct Identity {
    pem: String,
    key: String,
    sha256: String,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let Ok(made) = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]) else {
            unreachable!("a certificate for this machine's own address")
        };
        let hash = ring::digest::digest(&ring::digest::SHA256, made.cert.der());
        Identity {
            pem: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    })
}

/// Texts that some call or other takes, and some that none does.
const WORDS: [&[u8]; 16] = [
    b"g",
    b"g/r",
    b"t",
    b"",
    b"*",
    b"moqt-22",
    b"moqt-18,moqt-20",
    b"streams_max=2,past_bytes=1k",
    b"connections=",
    b"0123456789abcdef",
    b"\xff\xfe",
    b"g/\xc3",
    b"a.v1",
    b"//",
    b"\x00",
    b"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a/b/c/d/e/f/g/h",
];
/// Addresses, of this machine alone.
const PLACES: [&[u8]; 8] =
    [b"127.0.0.1:0", b"127.0.0.1:9", b"[::1]:9", b"", b"127.0.0.1", b"here:9", b"127.0.0.1:9,127.0.0.1:10", b"\xff:1"];
const URLS: [&[u8]; 6] =
    [b"moqt://127.0.0.1:9/main", b"moqt://127.0.0.1:9", b"http://127.0.0.1:9", b"moqt://", b"\xff", b""];

struct Caller<'a> {
    input: Input<'a>,
    /// Handles that were made, closed ones among them.
    handles: Vec<u64>,
    nodes: Vec<u64>,
    now: u64,
    /// What texts point to.
    texts: Vec<Box<[u8]>>,
}

/// Runs calls until the input is used up.
pub(super) fn abi(bytes: &[u8]) {
    let mut caller = Caller::new(Input::new(bytes));
    let situation = caller.input.below(SITUATIONS);
    caller.prepare(situation);
    let mut calls = 0;
    while !caller.input.done() && calls < CALLS {
        caller.call();
        calls += 1;
    }
    caller.close();
}

/// No call panics, and each that fails says so in words that name it.
fn told(name: &str, answer: i32) {
    assert_ne!(answer, status::PANIC, "{name} panicked");
    assert!(status::name(answer).is_some(), "{name} answers {answer}");
    if answer != status::OK {
        let (mut text, mut len) = ([0; 4096], 0);
        // SAFETY: a buffer and its length.
        assert_eq!(unsafe { cc_last_error(text.as_mut_ptr(), 4096, &mut len) }, status::OK, "{name}");
        let words = std::str::from_utf8(&text[..len as usize]).unwrap_or_default();
        assert!(words.starts_with(name), "{name} failed, and {words:?} is said");
    }
}

impl<'a> Caller<'a> {
    fn new(input: Input<'a>) -> Self {
        Caller { input, handles: Vec::new(), nodes: Vec::new(), now: 0, texts: Vec::new() }
    }
}

impl Caller<'_> {
    /// Closes all, and looks that nothing is left.
    fn close(self) {
        for node in self.nodes {
            // Closed once by the run, perhaps; never twice.
            // SAFETY: a number.
            told("cc_node_close", unsafe { cc_node_close(node) });
            // SAFETY: a number.
            assert_ne!(unsafe { cc_node_close(node) }, status::OK, "a node is closed once");
        }
        for handle in self.handles {
            let mut stats = CcTrackStats::EMPTY;
            // SAFETY: a number, and a place of the size that it says.
            assert_ne!(unsafe { cc_track_stats(handle, &mut stats) }, status::OK, "its node is closed");
            // SAFETY: a number.
            told("cc_opus_close", unsafe { cc_opus_close(handle) });
        }
    }

    fn u32(&mut self) -> u32 {
        match self.input.below(8) {
            0 => u32::MAX,
            1 => 1 << self.input.below(32),
            2 => u32::from(self.input.u16()),
            3 => 128,
            4 | 5 => self.input.below(8) as u32,
            _ => 0,
        }
    }

    fn u64(&mut self) -> u64 {
        match self.input.below(4) {
            0 => u64::MAX >> self.input.below(64),
            1 => u64::from(self.u32()),
            _ => 0,
        }
    }

    /// The size that a struct says it has; most often its own.
    fn size(&mut self, own: u32) -> u32 {
        match self.input.below(12) {
            0 => self.u32(),
            1 => own.saturating_sub(self.input.below(16) as u32),
            _ => own,
        }
    }

    fn point(&mut self, bytes: &[u8]) -> CcStr {
        self.texts.push(bytes.into());
        let ptr = self.texts.last().map_or(std::ptr::null(), |text| text.as_ptr());
        CcStr { ptr, len: bytes.len() as u32, reserved: 0 }
    }

    /// A text of those; or null, or with a length that is refused before it is read.
    fn one_of(&mut self, words: &[&[u8]]) -> CcStr {
        match self.input.below(16) {
            0 => CcStr { ptr: std::ptr::null(), len: self.u32(), reserved: 0 },
            1 => CcStr { len: u32::MAX - self.input.below(256) as u32, ..self.point(b"short") },
            2 => CcStr { reserved: self.u32(), ..CcStr::EMPTY },
            _ => {
                let word = words[self.input.below(words.len())];
                self.point(word)
            }
        }
    }

    fn text(&mut self) -> CcStr {
        match self.input.below(6) {
            0 => {
                let bytes = self.input.bytes();
                self.point(bytes)
            }
            1 => CcStr::EMPTY,
            _ => self.one_of(&WORDS),
        }
    }

    fn handle(&mut self) -> u64 {
        match (self.input.below(8), self.handles.len()) {
            (0, _) => self.u64(),
            (_, 0) => 0,
            (_, made) => self.handles[self.input.below(made)],
        }
    }

    fn node(&mut self) -> u64 {
        match self.nodes.len() {
            0 => self.handle(),
            made if self.input.below(8) > 0 => self.nodes[self.input.below(made)],
            _ => self.handle(),
        }
    }

    /// Notes what an opening call answered: a handle that is no other's, if it went well, and none otherwise.
    fn opened(&mut self, name: &str, answer: i32, handle: u64) {
        told(name, answer);
        assert_eq!(answer == status::OK, handle != 0, "{name}: {answer} and the handle {handle}");
        if handle != 0 {
            assert!(!self.handles.contains(&handle), "{name}: the handle {handle} had been another's");
            self.handles.push(handle);
        }
    }

    #[allow(clippy::undocumented_unsafe_blocks, reason = "each is one call with what the module says of arguments")]
    fn call(&mut self) {
        match self.input.below(34) {
            0 => self.node_open(),
            1 => {
                let (node, mut fd, mut now) = (self.node(), 0, 0);
                told("cc_node_wake_fd", unsafe { cc_node_wake_fd(node, &mut fd) });
                told("cc_node_wake_frames", cc_node_wake_frames(node, self.u32()));
                told("cc_node_now", unsafe { cc_node_now(node, &mut now) });
            }
            2 | 3 => self.drive(),
            4 => {
                let (node, uri, timeout) = (self.node(), self.one_of(&URLS), self.u32());
                told("cc_node_goaway", unsafe { cc_node_goaway(node, uri, timeout) });
            }
            5 => self.stats(),
            6 => self.poll(),
            7 | 8 => self.link_open(),
            9 => {
                let (link, reason, text) = (self.handle(), self.u32(), self.text());
                told("cc_link_close", unsafe { cc_link_close(link, reason, text) });
            }
            10 => {
                let (link, token) = (self.handle(), self.text());
                told("cc_link_token", unsafe { cc_link_token(link, token) });
                let (url, places) = (self.one_of(&URLS), self.one_of(&PLACES));
                told("cc_link_addresses", unsafe { cc_link_addresses(link, places) });
                told("cc_link_move", unsafe { cc_link_move(link, url, places) });
            }
            11..=13 => self.publish(),
            14 => told("cc_publish_close", unsafe { cc_publish_close(self.handle()) }),
            15..=19 => self.send(),
            20..=22 => self.subscribe(),
            23 => told("cc_subscribe_close", unsafe { cc_subscribe_close(self.handle()) }),
            24..=26 => self.drain(),
            27 => {
                let (subscription, track, mut len) = (self.handle(), self.u64(), 0);
                told("cc_want_group", unsafe { cc_want_group(subscription, track) });
                let mut buf = [0; 64];
                let cap = self.input.below(65) as u32;
                let answer = unsafe { cc_track_properties(subscription, track, buf.as_mut_ptr(), cap, &mut len) };
                told("cc_track_properties", answer);
                assert!(answer != status::OK || len <= cap);
            }
            28 => self.repeat(),
            29 => self.session(),
            30 | 31 => self.opus(),
            32 => self.words(),
            _ => {
                let node = self.node();
                let answer = unsafe { cc_node_close(node) };
                told("cc_node_close", answer);
                self.nodes.retain(|other| *other != node);
            }
        }
    }

    fn node_open(&mut self) {
        if self.nodes.len() >= NODES {
            return;
        }
        let made = identity();
        let relay = self.input.flag();
        let (pem, key) = match (relay, self.input.below(12)) {
            (true, 0) => (self.text(), self.text()),
            (true, _) => (self.point(made.pem.as_bytes()), self.point(made.key.as_bytes())),
            _ => (CcStr::EMPTY, CcStr::EMPTY),
        };
        let odd = self.input.below(6) == 0;
        let extra = if odd { self.u32() } else { 0 };
        let config = CcNodeConfig {
            size: self.size(CcNodeConfig::EMPTY.size),
            // Without a thread, whatever else: nothing here waits for one.
            flags: node_flags::THREADLESS | if relay { node_flags::RELAY | node_flags::OPEN } else { 0 } | extra,
            bind: self.one_of(&PLACES),
            certificate_pem: pem,
            key_pem: key,
            alpns: if odd { self.text() } else { CcStr::EMPTY },
            open_scope: if odd { self.text() } else { CcStr::EMPTY },
            state_key: if odd { self.text() } else { CcStr::EMPTY },
            max_sessions: self.u32(),
            idle_timeout_ms: self.u32(),
            keep_alive_ms: self.u32(),
            congestion: if odd { self.u32() } else { 0 },
            session_queue_bytes: self.u64(),
            track_queue_bytes: self.u64(),
            feed_bytes: u64::from(self.input.u16()),
            seed: self.u64(),
            auth_timeout_ms: self.u32(),
            linger_ms: 1,
            limits: if odd { self.text() } else { CcStr::EMPTY },
            ..CcNodeConfig::EMPTY
        };
        let mut node = 0;
        // SAFETY: the module says it of each argument.
        let answer = unsafe { cc_node_open(&config, &mut node) };
        self.opened("cc_node_open", answer, node);
        if node != 0 {
            self.nodes.push(node);
        }
    }

    fn drive(&mut self) {
        self.now += u64::from(self.input.u16()) << self.input.below(12);
        for node in self.nodes.clone() {
            let (now, mut next) = (if self.input.below(16) == 0 { self.u64() } else { self.now }, 0);
            // SAFETY: a place for the answer.
            told("cc_node_drive", unsafe { cc_node_drive(node, now, &mut next) });
        }
    }

    fn stats(&mut self) {
        let handle = self.handle();
        let node = self.node();
        let mut of_node = CcNodeStats { size: self.size(CcNodeStats::EMPTY.size), ..CcNodeStats::EMPTY };
        let mut of_link = CcLinkStats { size: self.size(CcLinkStats::EMPTY.size), ..CcLinkStats::EMPTY };
        let mut of_track = CcTrackStats { size: self.size(CcTrackStats::EMPTY.size), ..CcTrackStats::EMPTY };
        let size = self.size(CcSubscriptionStats::EMPTY.size);
        let mut of_subscription = CcSubscriptionStats { size, ..CcSubscriptionStats::EMPTY };
        let shard = self.u32();
        // SAFETY: places that are at least as large as the largest size that is taken.
        unsafe {
            told("cc_node_stats", cc_node_stats(node, &mut of_node));
            told("cc_node_shard_stats", cc_node_shard_stats(node, shard, &mut of_node));
            told("cc_link_stats", cc_link_stats(handle, &mut of_link));
            told("cc_track_stats", cc_track_stats(handle, &mut of_track));
            told("cc_subscription_stats", cc_subscription_stats(handle, &mut of_subscription));
            told("cc_track_stats", cc_track_stats(handle, std::ptr::null_mut()));
        }
    }

    /// Events, of which sessions' handles are used from then on.
    fn poll(&mut self) {
        let (node, mut events, mut count) = (self.node(), [CcEvent::EMPTY; 16], 0);
        let cap = self.input.below(17) as u32;
        // SAFETY: as many places as it is told.
        let answer = unsafe { cc_node_poll(node, events.as_mut_ptr(), cap, &mut count) };
        told("cc_node_poll", answer);
        assert!(count <= cap, "{count} events for {cap} places");
        for event in events.iter().take(if answer == status::OK { count as usize } else { 0 }) {
            assert!(event::name(event.kind).is_some(), "an event {}", event.kind);
            if event.handle != 0 && !self.handles.contains(&event.handle) {
                self.handles.push(event.handle);
            }
        }
    }

    fn link_open(&mut self) {
        let node = self.node();
        // Mostly to a relay of this run, so that there are sessions.
        let relay = self.node();
        let (mut buf, mut len) = ([0; 64], 0);
        // SAFETY: a buffer and its length.
        let answer = unsafe { cc_node_address(relay, buf.as_mut_ptr(), self.input.below(65) as u32, &mut len) };
        told("cc_node_address", answer);
        let place = if answer == status::OK { buf.get(..len as usize).unwrap_or_default() } else { b"127.0.0.1:9" };
        let url = [&b"moqt://"[..], place, &b"/main"[..]].concat();
        let odd = self.input.below(4) == 0;
        let config = CcLinkConfig {
            size: self.size(CcLinkConfig::EMPTY.size),
            flags: if odd { self.u32() } else { 0 },
            url: if odd { self.one_of(&URLS) } else { self.point(&url) },
            addresses: if odd { self.one_of(&PLACES) } else { CcStr::EMPTY },
            token: if odd { self.text() } else { CcStr::EMPTY },
            // Without trust of its own a link reads the system's certificates, each time.
            trust_sha256: if odd { self.one_of(&WORDS[..1]) } else { self.point(identity().sha256.as_bytes()) },
            trust_pem: if odd { self.point(b"no PEM") } else { CcStr::EMPTY },
            resume_secret: if odd { self.text() } else { CcStr::EMPTY },
            alpns: if odd { self.text() } else { CcStr::EMPTY },
            connect_timeout_ms: self.u32(),
            backoff_min_ms: self.u32(),
            backoff_max_ms: self.u32(),
            reconnect_limit_ms: self.u32(),
        };
        let mut link = 0;
        // SAFETY: the module says it of each argument.
        let answer = unsafe { cc_link_open(node, &config, &mut link) };
        self.opened("cc_link_open", answer, link);
    }

    fn publish(&mut self) {
        let scope = self.handle();
        let odd = self.input.below(4) == 0;
        let config = CcTrackConfig {
            size: self.size(CcTrackConfig::EMPTY.size),
            kind: if odd { self.u32() } else { 1 + self.input.below(5) as u32 },
            flags: if odd { self.u32() } else { self.input.below(2) as u32 },
            priority: if odd { self.u32() } else { 128 },
            ns: if odd { self.text() } else { self.point(b"g/r") },
            name: if odd { self.text() } else { self.point(b"t") },
            capability: if odd { self.text() } else { CcStr::EMPTY },
            properties: if odd { self.text() } else { CcStr::EMPTY },
            ttl_us: self.u32(),
            object_timeout_ms: self.u32(),
            subgroup_timeout_ms: self.u32(),
            window_messages: self.u32(),
            queue_bytes: self.u64(),
            token: if odd { self.text() } else { CcStr::EMPTY },
        };
        let mut publication = 0;
        // SAFETY: the module says it of each argument.
        let answer = unsafe { cc_publish(scope, &config, &mut publication) };
        self.opened("cc_publish", answer, publication);
    }

    /// A batch, in which a frame may be anybody's.
    fn send(&mut self) {
        let payload = vec![7; usize::from(self.input.u16()) >> self.input.below(16)];
        let count = self.input.below(40);
        let mut frames = Vec::new();
        for _ in 0..count {
            let odd = self.input.below(16) == 0;
            let properties = if odd { self.input.bytes().to_vec() } else { Vec::new() };
            let properties = self.point(&properties);
            frames.push(CcSend {
                publication: self.handle(),
                payload: if odd && self.input.flag() { 0 } else { payload.as_ptr() as u64 },
                properties: properties.ptr as u64,
                payload_len: payload.len() as u32,
                properties_len: properties.len,
                ttl_us: self.u32(),
                priority: if odd { self.input.u16() } else { PRIORITY_DEFAULT },
                flags: if odd { self.input.u16() } else { self.input.below(4) as u16 },
                tag: self.u64(),
            });
        }
        let mut fates = vec![u8::MAX; count];
        let place = if self.input.below(8) == 0 { std::ptr::null_mut() } else { fates.as_mut_ptr() };
        // SAFETY: `count` frames and fates; each frame's payload and properties are as long as it says, or null.
        let answer = unsafe { cc_send(frames.as_ptr(), count as u32, place) };
        told("cc_send", answer);
        if answer == status::OK && !place.is_null() {
            assert!(fates.iter().all(|fate| fate::name(*fate).is_some()), "fates {fates:?}");
        }
        // SAFETY: null, which is refused before it is read.
        told("cc_send", unsafe { cc_send(std::ptr::null(), self.u32(), std::ptr::null_mut()) });
    }

    fn subscribe(&mut self) {
        let scope = self.handle();
        let odd = self.input.below(4) == 0;
        let config = CcSubscribeConfig {
            size: self.size(CcSubscribeConfig::EMPTY.size),
            flags: if odd { self.u32() } else { self.input.below(2) as u32 },
            ns: if odd { self.text() } else { self.point(b"g/r") },
            name: if odd { self.text() } else { self.point(b"t") },
            capability: if odd { self.text() } else { CcStr::EMPTY },
            priority: if odd { self.u32() } else { 128 },
            order: if odd { self.u32() } else { self.input.below(3) as u32 },
            feed_bytes: u64::from(self.input.u16()),
            token: if odd { self.text() } else { CcStr::EMPTY },
            rendezvous_ms: self.u32(),
            reserved: if odd { self.u32() } else { 0 },
        };
        let mut subscription = 0;
        // SAFETY: the module says it of each argument.
        let answer = unsafe { cc_subscribe(scope, &config, &mut subscription) };
        self.opened("cc_subscribe", answer, subscription);
    }

    fn drain(&mut self) {
        let subscription = self.handle();
        let mut batch = CcBatch { size: self.size(CcBatch::EMPTY.size), ..CcBatch::EMPTY };
        // SAFETY: a place that is at least as large as the largest size that is taken.
        let answer = unsafe { cc_drain(subscription, &mut batch) };
        told("cc_drain", answer);
        if answer != status::OK || batch.count == 0 {
            return;
        }
        // SAFETY: the ABI's own promise, until the next drain.
        let frames = unsafe { std::slice::from_raw_parts(batch.frames, batch.count as usize) };
        for frame in frames {
            let end = |at: u32, len: u32| u64::from(at) + u64::from(len);
            assert!(end(frame.payload_at, frame.payload_len) <= batch.data_len, "a payload within its batch");
            assert!(end(frame.properties_at, frame.properties_len) <= batch.data_len, "properties likewise");
        }
    }

    fn repeat(&mut self) {
        let repeat = CcRepeat {
            size: self.size(CcRepeat::EMPTY.size),
            priority: self.u32(),
            payload: self.text(),
            silence_ms: self.u32(),
            every_ms: self.u32(),
            limit_ms: self.u32(),
            reserved: self.u32(),
        };
        let publication = self.handle();
        // SAFETY: the module says it of each argument.
        told("cc_publish_repeat", unsafe { cc_publish_repeat(publication, &repeat) });
    }

    #[allow(clippy::undocumented_unsafe_blocks, reason = "each is one call with what the module says of arguments")]
    fn session(&mut self) {
        let stamp = CcStamp {
            size: self.size(CcStamp::EMPTY.size),
            flags: self.u32(),
            publish: self.text(),
            subscribe: self.text(),
            capabilities: self.text(),
            tenant: self.text(),
            subject: self.text(),
            peer_id: self.text(),
            expires_ms: self.u64(),
        };
        let (session, request, reason, text) = (self.handle(), self.u64(), self.u32(), self.text());
        match self.input.below(5) {
            0 => told("cc_session_accept", unsafe { cc_session_accept(session, &stamp) }),
            1 => told("cc_session_accept_request", unsafe { cc_session_accept_request(session, request, &stamp) }),
            2 => {
                told("cc_session_refuse_request", unsafe { cc_session_refuse_request(session, request, reason, text) })
            }
            3 => told("cc_session_refuse", unsafe { cc_session_refuse(session, reason, text) }),
            _ => told("cc_session_close", unsafe { cc_session_close(session, reason, text) }),
        }
    }

    fn opus(&mut self) {
        let config = CcOpusConfig {
            size: self.size(CcOpusConfig::EMPTY.size),
            flags: self.input.below(3) as u32,
            rate_hz: [48_000, 8_000, 0, 44_100][self.input.below(4)],
            channels: self.input.below(4) as u32,
            bit_rate: self.u32(),
            complexity: self.u32(),
            loss: self.u32(),
            reserved: 0,
        };
        let mut codec = 0;
        let decodes = self.input.flag();
        // SAFETY: the module says it of each argument.
        let answer = unsafe {
            match decodes {
                true => cc_opus_decoder(config.rate_hz, config.channels, &mut codec),
                false => cc_opus_encoder(&config, &mut codec),
            }
        };
        self.opened(if decodes { "cc_opus_decoder" } else { "cc_opus_encoder" }, answer, codec);
        // Room for the most that is read or written, two channels of it.
        let (mut samples, mut packet, mut len) = (vec![0i16; 2 * 5761], vec![0u8; 1500], 0);
        let given = self.input.bytes();
        packet[..given.len()].copy_from_slice(given);
        let handle = self.handle();
        let (count, cap) = (self.u32(), self.u32().min(1500));
        let given = given.len() as u32;
        // SAFETY: the calls clamp the number of samples to 5,760 a channel, or one more; packets are as long as told.
        unsafe {
            let at = samples.as_mut_ptr();
            told("cc_opus_encode", cc_opus_encode(handle, at, count, packet.as_mut_ptr(), cap, &mut len));
            told("cc_opus_decode", cc_opus_decode(handle, packet.as_ptr(), given, at, count, &mut len));
            told("cc_opus_recover", cc_opus_recover(handle, packet.as_ptr(), given, at, count, &mut len));
            // One that is too long is refused before it is read.
            told("cc_opus_decode", cc_opus_decode(handle, packet.as_ptr(), u32::MAX, at, count, &mut len));
        }
        // SAFETY: a number.
        told("cc_opus_close", unsafe { cc_opus_close(self.handle()) });
    }

    fn words(&mut self) {
        let (mut buf, mut len) = ([0; 256], 0);
        let cap = self.input.u8();
        let mut version = CcVersion { size: self.size(CcVersion::EMPTY.size), ..CcVersion::EMPTY };
        let place = if self.input.below(8) == 0 { std::ptr::null_mut() } else { buf.as_mut_ptr() };
        let value = self.u32() as i32;
        // SAFETY: a place, or a buffer of more bytes than it is told, or null.
        unsafe {
            told("cc_version", cc_version(&mut version));
            told("cc_status_text", cc_status_text(value, place, u32::from(cap), &mut len));
            told("cc_status_text", cc_status_text(value, place, u32::from(cap), std::ptr::null_mut()));
        }
    }
}
