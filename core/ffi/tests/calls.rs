//! What callers can get wrong, and the status and words that they are answered with.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one call of the ABI with arguments that outlive it"
)]

mod common;

use std::mem::size_of;
use std::ptr::{null, null_mut};

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;
use common::*;

fn drain_status(subscription: u64) -> i32 {
    let mut batch = CcBatch::EMPTY;
    unsafe { cc_drain(subscription, &mut batch) }
}

fn link_stats_status(link: u64) -> i32 {
    let mut stats = CcLinkStats::EMPTY;
    unsafe { cc_link_stats(link, &mut stats) }
}

#[test]
fn the_version_says_what_is_spoken() {
    let mut version = CcVersion::EMPTY;
    ok(unsafe { cc_version(&mut version) });
    assert_eq!(version.abi, ABI_VERSION);
    assert_eq!(version.drafts & (1 << 18 | 1 << 22), 1 << 18 | 1 << 22);
    assert!(version.build.len > 0);
}

#[test]
fn structs_of_another_version_are_refused() {
    for size in [0, 4, size_of::<CcVersion>() as u32 - 1, size_of::<CcVersion>() as u32 + 8, u32::MAX] {
        let mut version = CcVersion { size, ..CcVersion::EMPTY };
        fails(unsafe { cc_version(&mut version) }, status::VERSION_MISMATCH, "version.size");
        assert_eq!(version.abi, 0, "nothing is written");
    }
    let config = CcNodeConfig { size: 12, ..client_config() };
    let mut node = 7;
    fails(unsafe { cc_node_open(&config, &mut node) }, status::VERSION_MISMATCH, "config.size is 12");
    assert_eq!(node, 7);
}

#[test]
fn texts_are_measured_before_they_are_written() {
    let mut len = 0;
    let status = unsafe { cc_status_text(status::ADDRESS_IN_USE, null_mut(), 0, &mut len) };
    assert_eq!(status, status::BUFFER_TOO_SMALL);
    let mut buf = vec![0; len as usize];
    ok(unsafe { cc_status_text(status::ADDRESS_IN_USE, buf.as_mut_ptr(), len, &mut len) });
    assert_eq!(String::from_utf8(buf).unwrap(), status_text(status::ADDRESS_IN_USE).unwrap());
    fails(unsafe { cc_status_text(77, null_mut(), 0, &mut len) }, status::BAD_ARGUMENT, "77");
    fails(unsafe { cc_status_text(0, null_mut(), 0, null_mut()) }, status::BAD_ARGUMENT, "len is null");
}

#[test]
fn words_are_each_threads_own() {
    fails(unsafe { cc_node_close(0) }, status::BAD_HANDLE, "cc_node_close: 0 is no node");
    std::thread::spawn(|| assert_eq!(last_error(), "")).join().unwrap();
    assert!(last_error().starts_with("cc_node_close"));
    let mut len = 0;
    assert_eq!(unsafe { cc_last_error(null_mut(), 0, &mut len) }, status::BUFFER_TOO_SMALL);
    assert_eq!(len as usize, last_error().len(), "asking for words changes none");
}

#[test]
fn nothing_is_null() {
    let node = Node::client();
    let n = node.handle;
    let mut out = 0;
    let bad = status::BAD_ARGUMENT;
    unsafe {
        fails(cc_version(null_mut()), bad, "version is null");
        fails(cc_node_open(null(), &mut out), bad, "config is null");
        fails(cc_node_open(&client_config(), null_mut()), bad, "node is null");
        fails(cc_node_address(n, null_mut(), 0, null_mut()), bad, "len is null");
        fails(cc_node_wake_fd(n, null_mut()), bad, "fd is null");
        fails(cc_node_now(n, null_mut()), bad, "now_us is null");
        fails(cc_node_poll(n, null_mut(), 8, null_mut()), bad, "count is null");
        fails(cc_node_poll(n, null_mut(), 8, &mut 0), bad, "events is null");
        fails(cc_node_stats(n, null_mut()), bad, "stats is null");
        fails(cc_link_open(n, null(), &mut out), bad, "config is null");
        fails(cc_link_stats(n, null_mut()), bad, "stats is null");
        fails(cc_send(null(), 1, null_mut()), bad, "frames is null");
        fails(cc_drain(n, null_mut()), bad, "batch is null");
        ok(cc_send(null(), 0, null_mut()));
        ok(cc_node_poll(n, null_mut(), 0, &mut 0));
        let dangling = CcStr { ptr: null(), len: 3, reserved: 0 };
        let config = CcNodeConfig { bind: dangling, ..client_config() };
        fails(cc_node_open(&config, &mut out), bad, "bind is null but 3 bytes long");
        let config = CcNodeConfig { bind: raw(&[0xff, 0xfe]), ..client_config() };
        fails(cc_node_open(&config, &mut out), bad, "bind is not UTF-8");
    }
    assert_eq!(out, 0);
}

#[test]
fn a_closed_handle_is_stale_and_a_foreign_one_is_no_handle() {
    let node = Node::client();
    let stale = node.handle;
    node.close();
    let mut len = 0;
    unsafe {
        fails(cc_node_close(stale), status::BAD_HANDLE, "was closed");
        fails(cc_node_address(stale, null_mut(), 0, &mut len), status::BAD_HANDLE, "was closed");
    }
    let node = Node::client();
    assert_ne!(node.handle, stale);
    let mut out = 0;
    unsafe {
        fails(cc_link_close(node.handle, 1, CcStr::EMPTY), status::BAD_HANDLE, "is no link");
        fails(drain_status(node.handle), status::BAD_HANDLE, "is no subscription");
        fails(cc_session_close(node.handle, 1, CcStr::EMPTY), status::BAD_HANDLE, "is no session");
        fails(cc_publish_close(u64::MAX), status::BAD_HANDLE, "is no publication");
        fails(cc_subscribe_close(1), status::BAD_HANDLE, "is no subscription");
        fails(link_stats_status(node.handle), status::BAD_HANDLE, "is no link or session");
        fails(cc_publish(stale, &CcTrackConfig::EMPTY, &mut out), status::BAD_HANDLE, "was closed");
        fails(cc_publish(node.handle, &CcTrackConfig::EMPTY, &mut out), status::BAD_STATE, "no relay");
        fails(cc_node_goaway(node.handle, CcStr::EMPTY, 0), status::BAD_STATE, "only a relay");
        fails(cc_node_drive(node.handle, 0, &mut 0), status::BAD_STATE, "thread of its own");
    }
}

#[test]
fn a_busy_port_and_a_foreign_address_are_told_apart() {
    let first = Node::client();
    let address = first.address();
    let mut out = 0;
    let config = CcNodeConfig { bind: text(&address), ..client_config() };
    fails(unsafe { cc_node_open(&config, &mut out) }, status::ADDRESS_IN_USE, "is in use: stop the other program");
    let config = CcNodeConfig { bind: text("192.0.2.1:0"), ..client_config() };
    fails(unsafe { cc_node_open(&config, &mut out) }, status::ADDRESS_NOT_AVAILABLE, "192.0.2.1");
    assert_eq!(out, 0);
}

#[test]
fn node_configurations_are_checked() {
    let certificate = Certificate::new();
    let relay = relay_config(&certificate, 0);
    let cases = [
        (CcNodeConfig { bind: text("localhost:1"), ..client_config() }, status::BAD_ARGUMENT, "is no address"),
        (CcNodeConfig { flags: 64, ..client_config() }, status::BAD_ARGUMENT, "unknown bits 0x40"),
        (CcNodeConfig { flags: node_flags::OPEN, ..client_config() }, status::BAD_ARGUMENT, "OPEN without RELAY"),
        (CcNodeConfig { shards: 2, ..client_config() }, status::BAD_ARGUMENT, "no relay has one"),
        (CcNodeConfig { congestion: 9, ..client_config() }, status::BAD_ARGUMENT, "congestion 9"),
        (CcNodeConfig { alpns: text("moqt-14"), ..client_config() }, status::BAD_ARGUMENT, "this library speaks"),
        (CcNodeConfig { state_key: text("short"), ..client_config() }, status::BAD_ARGUMENT, "needs 32"),
        (
            CcNodeConfig { idle_timeout_ms: 100, keep_alive_ms: 100, ..client_config() },
            status::BAD_ARGUMENT,
            "quiet sessions would end",
        ),
        (CcNodeConfig { certificate_pem: CcStr::EMPTY, ..relay }, status::BAD_CERTIFICATE, "needs a certificate"),
        (CcNodeConfig { key_pem: CcStr::EMPTY, ..relay }, status::BAD_KEY, "certificate's key"),
        (CcNodeConfig { certificate_pem: text("nonsense"), ..relay }, status::BAD_CERTIFICATE, "certificate"),
        (CcNodeConfig { key_pem: text("nonsense"), ..relay }, status::BAD_KEY, "key"),
    ];
    for (config, expected, words) in cases {
        let mut out = 0;
        fails(unsafe { cc_node_open(&config, &mut out) }, expected, words);
        assert_eq!(out, 0);
    }
}

#[test]
fn what_is_repeated_is_checked() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let moves = publish(relay.handle, kind::FRAME_DATAGRAM, "a", "moves", "");
    let chat = publish(relay.handle, kind::TEXT, "a", "chat", "");
    let bad = status::BAD_ARGUMENT;
    let (full, large) = ("x".repeat(1100), "x".repeat(1101));
    let good = CcRepeat { silence_ms: 1000, every_ms: 500, payload: text(&full), ..CcRepeat::EMPTY };
    ok(unsafe { cc_publish_repeat(moves, &good) });
    ok(unsafe { cc_publish_repeat(moves, &CcRepeat { priority: u32::from(PRIORITY_DEFAULT), ..good }) });
    let cases = [
        (CcRepeat { priority: 256, ..good }, "priority 256 is above 255"),
        (CcRepeat { silence_ms: 9, ..good }, "silence_ms 9 is outside 10 to 3600000"),
        (CcRepeat { every_ms: 3_600_001, ..good }, "every_ms 3600001 is outside"),
        (CcRepeat { limit_ms: 1000, ..good }, "limit_ms 1000 leaves nothing after silence_ms 1000"),
        (CcRepeat { payload: CcStr { ptr: null(), len: 3, reserved: 0 }, ..good }, "payload is null but 3 bytes long"),
    ];
    for (repeat, words) in cases {
        fails(unsafe { cc_publish_repeat(moves, &repeat) }, bad, words);
    }
    let large = CcRepeat { payload: text(&large), ..good };
    fails(unsafe { cc_publish_repeat(moves, &large) }, status::TOO_LARGE, "1100 are the most");
    fails(unsafe { cc_publish_repeat(moves, null()) }, bad, "repeat is null");
    fails(unsafe { cc_publish_repeat(chat, &good) }, bad, "use a Frame track");
    // Nothing is repeated on it anyway.
    ok(unsafe { cc_publish_repeat(chat, &CcRepeat::EMPTY) });
    ok(unsafe { cc_publish_repeat(moves, &CcRepeat::EMPTY) });
    ok(unsafe { cc_publish_close(moves) });
    fails(unsafe { cc_publish_repeat(moves, &good) }, status::BAD_HANDLE, "was closed");
    fails(unsafe { cc_publish_repeat(relay.handle, &good) }, status::BAD_HANDLE, "is no publication");
}

#[test]
fn link_configurations_are_checked() {
    let node = Node::client();
    let hash = "00".repeat(32);
    let good = CcLinkConfig { url: text("moqt://127.0.0.1:9/x"), trust_sha256: text(&hash), ..CcLinkConfig::EMPTY };
    let long = "x".repeat(TOKEN_BYTES as usize + 1);
    let cases = [
        (CcLinkConfig { url: text("https://a:1/"), ..good }, status::BAD_URL, "WebTransport"),
        (CcLinkConfig { url: text("moqt://game.example/"), ..good }, status::BAD_ARGUMENT, "resolve game.example"),
        (CcLinkConfig { addresses: text("1.2.3.4"), ..good }, status::BAD_ARGUMENT, "write ip:port"),
        (CcLinkConfig { trust_sha256: text("abc"), ..good }, status::BAD_ARGUMENT, "64 hex digits"),
        (CcLinkConfig { trust_pem: text("x"), ..good }, status::BAD_ARGUMENT, "choose one"),
        (
            CcLinkConfig { trust_sha256: CcStr::EMPTY, trust_pem: text("x"), ..good },
            status::BAD_CERTIFICATE,
            "no certificate",
        ),
        (CcLinkConfig { token: text(&long), ..good }, status::TOO_LARGE, "4096 are the most"),
        (CcLinkConfig { resume_secret: text("short"), ..good }, status::BAD_ARGUMENT, "16 to 64"),
        (CcLinkConfig { alpns: text("h3"), ..good }, status::BAD_ARGUMENT, "h3"),
        (CcLinkConfig { backoff_min_ms: 9, backoff_max_ms: 3, ..good }, status::BAD_ARGUMENT, "backoff_min_ms"),
        (CcLinkConfig { flags: 4, ..good }, status::BAD_ARGUMENT, "unknown bits"),
    ];
    for (config, expected, words) in cases {
        let mut out = 0;
        fails(unsafe { cc_link_open(node.handle, &config, &mut out) }, expected, words);
        assert_eq!(out, 0);
    }
    let mut link = 0;
    ok(unsafe { cc_link_open(node.handle, &good, &mut link) });
    unsafe {
        fails(cc_link_close(link, 99, CcStr::EMPTY), status::BAD_ARGUMENT, "99 is no reason");
        fails(cc_link_addresses(link, CcStr::EMPTY), status::BAD_ARGUMENT, "addresses is empty");
        fails(cc_link_token(link, text(&long)), status::TOO_LARGE, "token");
        let mut stats = CcLinkStats::EMPTY;
        ok(cc_link_stats(link, &mut stats));
        assert_ne!(stats.state, link_state::UP);
        ok(cc_link_close(link, 1, CcStr::EMPTY));
        fails(cc_link_close(link, 1, CcStr::EMPTY), status::BAD_HANDLE, "was closed");
    }
}

#[test]
fn track_configurations_are_checked() {
    let relay = Node::relay(&Certificate::new(), node_flags::OPEN);
    let good = CcTrackConfig { kind: kind::TEXT, ns: text("a/b"), name: text("c"), ..CcTrackConfig::EMPTY };
    let deep = vec!["x"; 33].join("/");
    let cases = [
        (CcTrackConfig { kind: 9, ..good }, status::BAD_ARGUMENT, "kind 9"),
        (CcTrackConfig { flags: track_flags::LATEST_WINS, ..good }, status::BAD_ARGUMENT, "LATEST_WINS"),
        (CcTrackConfig { priority: 256, ..good }, status::BAD_ARGUMENT, "256 is above 255"),
        (CcTrackConfig { ns: text("a//b"), ..good }, status::BAD_NAME, "empty namespace field"),
        (CcTrackConfig { ns: text(&deep), ..good }, status::BAD_NAME, "32"),
        (CcTrackConfig { name: CcStr::EMPTY, ..good }, status::BAD_NAME, "name is empty"),
        (CcTrackConfig { properties: raw(&[0xff]), ..good }, status::BAD_ARGUMENT, "key-value pairs"),
    ];
    let mut out = 0;
    for (config, expected, words) in cases {
        fails(unsafe { cc_publish(relay.handle, &config, &mut out) }, expected, words);
    }
    assert_eq!(out, 0);
    ok(unsafe { cc_publish(relay.handle, &good, &mut out) });
    fails(unsafe { cc_publish(relay.handle, &good, &mut 0) }, status::EXISTS, "a/b//c is published here already");
    ok(unsafe { cc_publish_close(out) });
    ok(unsafe { cc_publish(relay.handle, &good, &mut out) });

    let good = CcSubscribeConfig { ns: text("a"), ..CcSubscribeConfig::EMPTY };
    let cases = [
        (CcSubscribeConfig { order: 3, ..good }, status::BAD_ARGUMENT, "order 3"),
        (CcSubscribeConfig { name: text("x"), ..good }, status::BAD_ARGUMENT, "without EXACT"),
        (CcSubscribeConfig { flags: 1, ..good }, status::BAD_NAME, "name is empty"),
        (CcSubscribeConfig { priority: 300, ..good }, status::BAD_ARGUMENT, "300 is above 255"),
    ];
    for (config, expected, words) in cases {
        fails(unsafe { cc_subscribe(relay.handle, &config, &mut 0) }, expected, words);
    }
}

#[test]
fn frames_are_checked_before_any_is_sent() {
    let relay = Node::relay(&Certificate::new(), node_flags::OPEN);
    let track = publish(relay.handle, kind::FRAME_DATAGRAM, "a", "b", "");
    let good = frame(track, b"hello", &[], PRIORITY_DEFAULT);
    let cases = [
        (CcSend { payload: 0, ..good }, status::BAD_ARGUMENT, "frames[1].payload is null"),
        (CcSend { properties: 0, properties_len: 1, ..good }, status::BAD_ARGUMENT, "frames[1].properties is null"),
        (CcSend { priority: 256, ..good }, status::BAD_ARGUMENT, "priority 256"),
        (CcSend { flags: 4, ..good }, status::BAD_ARGUMENT, "flags"),
        (CcSend { publication: relay.handle, ..good }, status::BAD_HANDLE, "is no publication"),
        (CcSend { publication: 0, ..good }, status::BAD_HANDLE, "0 is no publication"),
        (frame(track, b"x", &[0xff], PRIORITY_DEFAULT), status::BAD_ARGUMENT, "key-value pairs"),
    ];
    for (wrong, expected, words) in cases {
        let mut fates = [255; 2];
        let frames = [good, wrong];
        fails(unsafe { cc_send(frames.as_ptr(), 2, fates.as_mut_ptr()) }, expected, words);
        assert_eq!(fates, [255; 2]);
    }
    let large = vec![0; 8 * 1100 + 1];
    let other = publish(relay.handle, kind::FRAME_DATAGRAM, "a", "other", "");
    ok(unsafe { cc_publish_close(other) });
    let mut relay = relay;
    relay.event(event::PUBLISH_OK, track);
    let fates = send(&[good, frame(track, &large, &[], 3), frame(other, b"", &[], 3), good]);
    assert_eq!(fates, [fate::NO_SUBSCRIBER, fate::TOO_LARGE, fate::CLOSED, fate::NO_SUBSCRIBER]);
    let mut stats = CcTrackStats::EMPTY;
    ok(unsafe { cc_track_stats(track, &mut stats) });
    assert_eq!(stats.drops[drops::TOO_LARGE as usize], 1);
}

#[test]
fn a_closed_node_takes_its_handles_with_it() {
    let relay = Node::relay(&Certificate::new(), node_flags::OPEN);
    let track = publish(relay.handle, kind::TEXT, "a", "b", "");
    let feed = subscribe(relay.handle, "a", None, "");
    relay.close();
    unsafe {
        fails(cc_publish_close(track), status::BAD_HANDLE, "was closed");
        fails(drain_status(feed), status::BAD_HANDLE, "was closed");
    }
    assert_eq!(send(&[frame(track, b"x", &[], 1)]), [fate::CLOSED]);
}

#[test]
fn opus_goes_there_and_back_and_mistakes_in_it_are_told() {
    let bad = status::BAD_ARGUMENT;
    let config = CcOpusConfig { rate_hz: 16_000, channels: 1, loss: 10, ..CcOpusConfig::EMPTY };
    let (mut encoder, mut decoder) = (0, 0);
    ok(unsafe { cc_opus_encoder(&config, &mut encoder) });
    ok(unsafe { cc_opus_decoder(48_000, 2, &mut decoder) });
    let tone: Vec<i16> = (0..320).map(|at| ((f64::from(at) * 0.3).sin() * 9000.0) as i16).collect();
    let (mut packet, mut len) = ([0; 1500], 0);
    let (mut samples, mut count) = ([0_i16; 2 * 5760], 0);
    for _ in 0..5 {
        ok(unsafe { cc_opus_encode(encoder, tone.as_ptr(), 320, packet.as_mut_ptr(), 1500, &mut len) });
        assert!((10..200).contains(&len), "{len} bytes");
        ok(unsafe { cc_opus_decode(decoder, packet.as_ptr(), len, samples.as_mut_ptr(), 5760, &mut count) });
        assert_eq!(count, 960);
    }
    assert!(samples[..1920].iter().any(|one| one.abs() > 5000));
    ok(unsafe { cc_opus_decode(decoder, null(), 0, samples.as_mut_ptr(), 5760, &mut count) });
    assert_eq!(count, 960, "a lost one");
    ok(unsafe { cc_opus_recover(decoder, packet.as_ptr(), len, samples.as_mut_ptr(), 5760, &mut count) });
    assert_eq!(count, 960);

    let small = unsafe { cc_opus_decode(decoder, packet.as_ptr(), len, samples.as_mut_ptr(), 100, &mut count) };
    fails(small, status::BUFFER_TOO_SMALL, "no room");
    assert_eq!(count, 960, "what is needed");
    let odd = unsafe { cc_opus_encode(encoder, tone.as_ptr(), 319, packet.as_mut_ptr(), 1500, &mut len) };
    fails(odd, bad, "319 samples are no packet");
    fails(unsafe { cc_opus_encode(encoder, null(), 320, packet.as_mut_ptr(), 1500, &mut len) }, bad, "samples is null");
    let none = unsafe { cc_opus_encode(encoder, tone.as_ptr(), 320, packet.as_mut_ptr(), 1, &mut len) };
    fails(none, status::BUFFER_TOO_SMALL, "2 are needed");
    let noise = [0x1b];
    let wrong = unsafe { cc_opus_decode(decoder, noise.as_ptr(), 1, samples.as_mut_ptr(), 5760, &mut count) };
    fails(wrong, bad, "no Opus packet");
    let long = unsafe { cc_opus_decode(decoder, packet.as_ptr(), 1 << 20, samples.as_mut_ptr(), 5760, &mut count) };
    fails(long, status::TOO_LARGE, "16384 are the most");
    let mut none = 7;
    for (wrong, words) in [
        (CcOpusConfig { rate_hz: 44_100, ..config }, "44100 Hz is no rate of Opus"),
        (CcOpusConfig { channels: 3, ..config }, "3 channels"),
        (CcOpusConfig { bit_rate: 5000, ..config }, "5000 bit/s is outside Opus's 6000 to 510000"),
        (CcOpusConfig { complexity: 11, ..config }, "complexity 11 is above 10"),
        (CcOpusConfig { loss: 101, ..config }, "above 100"),
        (CcOpusConfig { flags: 8, ..config }, "flags"),
    ] {
        fails(unsafe { cc_opus_encoder(&wrong, &mut none) }, bad, words);
    }
    fails(unsafe { cc_opus_decoder(48_000, 0, &mut none) }, bad, "0 channels");
    assert_eq!(none, 7);

    fails(
        unsafe { cc_opus_encode(decoder, tone.as_ptr(), 320, packet.as_mut_ptr(), 1500, &mut len) },
        status::BAD_HANDLE,
        "is no Opus encoder",
    );
    ok(unsafe { cc_opus_close(encoder) });
    ok(unsafe { cc_opus_close(decoder) });
    fails(unsafe { cc_opus_close(encoder) }, status::BAD_HANDLE, "was closed");
    fails(unsafe { cc_opus_close(0) }, status::BAD_HANDLE, "0 is no codec");
}
