//! Nodes without a thread: the caller drives them, on the caller's clock.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one call of the ABI with arguments that outlive it"
)]

mod common;

use std::time::Instant;

use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;
use common::*;

fn drive(node: &Node, now: u64) -> u64 {
    let mut next = 0;
    ok(unsafe { cc_node_drive(node.handle, now, &mut next) });
    next
}

#[test]
fn two_nodes_in_one_loop() {
    let certificate = Certificate::new();
    let mut relay = Node::relay(&certificate, node_flags::OPEN | node_flags::THREADLESS);
    let mut client = Node::open(&CcNodeConfig { flags: node_flags::THREADLESS, ..client_config() });
    let link = client.dial(&relay.url(), &certificate, "", b"");
    let feed = subscribe(relay.handle, "a", None, "");
    let track = publish(link, kind::FRAME_STREAM, "a", "b", "");
    let began = Instant::now();
    let (mut sent, mut got) = (false, Vec::new());
    while got.is_empty() {
        assert!(began.elapsed() < PATIENCE);
        let now = began.elapsed().as_micros() as u64;
        for node in [&mut client, &mut relay] {
            assert!(drive(node, now) >= now);
            node.poll();
        }
        if !sent {
            sent = send(&[frame(track, b"tick", &[], 7)]) == [fate::QUEUED];
        }
        got = drain(feed);
    }
    assert_eq!((got[0].payload.as_slice(), got[0].priority), (b"tick".as_slice(), 7));
    assert!(relay.stats().cpu_us > 0);
}

#[test]
fn the_clock_is_the_callers_and_never_goes_back() {
    let node = Node::open(&CcNodeConfig { flags: node_flags::THREADLESS, ..client_config() });
    let now = |node: &Node| {
        let mut now = 0;
        ok(unsafe { cc_node_now(node.handle, &mut now) });
        now
    };
    assert_eq!(now(&node), 0);
    drive(&node, 5_000);
    drive(&node, 4_000);
    assert_eq!(now(&node), 5_000);
    fails(unsafe { cc_node_drive(node.handle, u64::MAX, &mut 0) }, status::BAD_ARGUMENT, "is no time");
}

#[test]
fn a_silent_peer_is_given_up_when_the_caller_says_that_time_has_passed() {
    let mut node = Node::open(&CcNodeConfig { flags: node_flags::THREADLESS, ..client_config() });
    // A socket that answers nothing.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("moqt://{}", nobody.local_addr().unwrap());
    let hash = "00".repeat(32);
    let config = CcLinkConfig {
        flags: link_flags::NO_RECONNECT,
        url: text(&url),
        trust_sha256: text(&hash),
        connect_timeout_ms: 3_000,
        ..CcLinkConfig::EMPTY
    };
    let mut link = 0;
    ok(unsafe { cc_link_open(node.handle, &config, &mut link) });
    let mut now = 0;
    while now < 10_000_000 {
        now = drive(&node, now).clamp(now + 1_000, now + 100_000);
    }
    assert_eq!(node.event(event::LINK_CLOSED, link).reason, reason::TIMEOUT);
}
