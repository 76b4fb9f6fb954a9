//! Nodes that talk over loopback: a relay and its clients, every kind of track, admission, and ends with their reasons.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one call of the ABI with arguments that outlive it"
)]

mod common;

use cc_wire::{Properties, Value};
use clutchcall_core_ffi::generated::*;
use clutchcall_core_ffi::*;
use common::*;

/// Tests that hold for a relay of one shard, and of two.
macro_rules! on_shards {
    ($($test:ident,)+) => {
        mod one_shard {
            $(#[test] fn $test() { super::with_shards(1, super::$test); })+
        }
        mod two_shards {
            $(#[test] fn $test() { super::with_shards(2, super::$test); })+
        }
    };
}

on_shards! {
    every_kind_of_track_in_draft_22,
    the_relay_itself_publishes_and_subscribes,
    only_what_is_wanted_arrives,
    the_application_admits_and_grants,
    the_application_refuses,
    a_closed_link_tells_the_relay_and_leaves_its_tracks_closed,
    goaway_is_heard,
    a_node_speaks_for_an_owner_who_is_silent,
}

fn properties() -> Vec<u8> {
    let mut properties = Properties::default();
    properties.insert(0x3810, Value::Int(77)).unwrap();
    properties.insert(0x3811, Value::Bytes(vec![1, 2, 3].into())).unwrap();
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    encoded
}

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

/// Every kind of track from one client to another, through an open relay, in one draft.
fn every_kind(alpn: &str, draft: u64) {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let (mut alice, mut bob) = (Node::client(), Node::client());
    let from = alice.dial(&relay.url(), &certificate, alpn, b"");
    assert_eq!(alice.event(event::LINK_UP, from).c, draft);
    let to = bob.join(&relay, &certificate, alpn);
    let feed = subscribe(to, "games/room1", None, "");
    bob.event(event::SUBSCRIBE_OK, feed);
    let properties = properties();
    let cases: [(u32, &str, Vec<Vec<u8>>); 3] = [
        (kind::FRAME_DATAGRAM, "moves", vec![bytes(200, 1), Vec::new(), bytes(5000, 2)]),
        (kind::FRAME_STREAM, "world", vec![bytes(200, 3), bytes(100_000, 4)]),
        (kind::TEXT, "chat", vec![bytes(20, 5), bytes(3000, 6), bytes(1, 7)]),
    ];
    for (kind, name, payloads) in cases {
        let track = publish(from, kind, "games/room1/up", name, "netcode.v1");
        alice.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == track && event.a > 0);
        let frames: Vec<CcSend> = payloads.iter().map(|payload| frame(track, payload, &properties, 10)).collect();
        assert_eq!(send(&frames), vec![fate::QUEUED; frames.len()]);
        let mut got = receive(&mut bob, feed, payloads.len());
        let added = bob.find("track", |event| event.kind == event::TRACK_ADDED && event.text(1) == name);
        assert_eq!((added.handle, added.text(0), added.text(2)), (feed, "games/room1/up", "netcode.v1"));
        // Datagrams and streams of their own may overtake each other.
        got.sort_by_key(|frame| frame.group);
        for (got, sent) in got.iter().zip(&payloads) {
            assert!(got.payload == *sent, "{name}: {} bytes came, {} were sent", got.payload.len(), sent.len());
            assert_eq!((got.track, got.properties.as_slice()), (added.a, properties.as_slice()));
            assert_eq!(got.flags & frame_flags::TEXT != 0, kind == kind::TEXT);
            assert_eq!(got.flags & frame_flags::STREAM != 0, kind != kind::FRAME_DATAGRAM);
            if kind != kind::TEXT {
                assert_eq!(got.priority, 10);
            }
        }
        if kind == kind::FRAME_DATAGRAM {
            assert_eq!(got[2].flags & frame_flags::FRAGMENTED, frame_flags::FRAGMENTED);
            assert_eq!(got[2].fragments, 5);
        }
        let mut stats = CcTrackStats::EMPTY;
        ok(unsafe { cc_track_stats(track, &mut stats) });
        assert_eq!(stats.frames, payloads.len() as u64);
        assert_eq!(stats.bytes, payloads.iter().map(Vec::len).sum::<usize>() as u64);
        ok(unsafe { cc_publish_close(track) });
        let ended = bob.event(event::TRACK_ENDED, feed);
        assert_eq!((ended.a, ended.reason), (added.a, reason::TRACK_ENDED));
    }
    let mut stats = CcSubscriptionStats::EMPTY;
    ok(unsafe { cc_subscription_stats(feed, &mut stats) });
    assert_eq!((stats.frames, stats.waiting_frames, stats.dropped), (8, 0, 0));
    let mut stats = CcLinkStats::EMPTY;
    ok(unsafe { cc_link_stats(to, &mut stats) });
    assert_eq!((stats.state, u64::from(stats.draft)), (link_state::UP, draft));
    assert!(stats.rtt_us > 0 && stats.bytes_received > 100_000 && stats.mtu >= 1200);
    let stats = relay.stats();
    assert_eq!(stats.sessions, 2);
    assert!(stats.syscalls_recv > 0 && stats.syscalls_send > 0 && stats.cpu_us > 0 && stats.packets_in > 0);
}

fn every_kind_of_track_in_draft_22() {
    every_kind("moqt-22", 22);
}

#[test]
fn every_kind_of_track_in_draft_18() {
    every_kind("moqt-18", 18);
}

fn the_relay_itself_publishes_and_subscribes() {
    let certificate = Certificate::new();
    let mut relay = Node::relay(&certificate, node_flags::OPEN);
    let mut client = Node::client();
    let link = client.join(&relay, &certificate, "");
    let up = subscribe(relay.handle, "room/up", None, "");
    // Published first: who asks for a name that nobody publishes yet is refused at once.
    let state = publish(relay.handle, kind::FRAME_DATAGRAM, "room/down", "state", "");
    relay.event(event::PUBLISH_OK, state);
    let down = subscribe(link, "room/down", Some("state"), "");
    let moves = publish(link, kind::FRAME_DATAGRAM, "room/up", "c1", "");
    relay.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == state && event.a == 1);
    client.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == moves && event.a == 1);
    assert_eq!(send(&[frame(state, b"world", &[], 1), frame(moves, b"jump", &[], 2)]), [fate::QUEUED; 2]);
    assert_eq!(receive(&mut client, down, 1)[0].payload, b"world");
    let got = receive(&mut relay, up, 1);
    assert_eq!((got[0].payload.as_slice(), got[0].priority), (b"jump".as_slice(), 2));
    let session = relay.event(event::SESSION_UP, 0);
    let mut stats = CcLinkStats::EMPTY;
    ok(unsafe { cc_link_stats(session.handle, &mut stats) });
    assert_eq!(stats.state, link_state::UP);
}

fn only_what_is_wanted_arrives() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let (mut alice, mut bob) = (Node::client(), Node::client());
    let from = alice.join(&relay, &certificate, "");
    let to = bob.join(&relay, &certificate, "");
    let voice = subscribe(to, "room", None, "voice.v1");
    bob.event(event::SUBSCRIBE_OK, voice);
    let other = publish(from, kind::FRAME_DATAGRAM, "room/a", "moves", "netcode.v1");
    let wanted = publish(from, kind::FRAME_DATAGRAM, "room/a", "voice", "voice.v1");
    alice.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == wanted && event.a == 1);
    assert_eq!(send(&[frame(other, b"no", &[], 1), frame(wanted, b"yes", &[], 1)])[1], fate::QUEUED);
    assert_eq!(receive(&mut bob, voice, 1)[0].payload, b"yes");
    assert!(drain(voice).is_empty());
}

fn stamp<'a>(publish: &'a str, subscribe: &'a str, peer: &'a str) -> CcStamp {
    CcStamp {
        publish: text(publish),
        subscribe: text(subscribe),
        tenant: text("acme"),
        subject: text("player-1"),
        peer_id: text(peer),
        ..CcStamp::EMPTY
    }
}

fn the_application_admits_and_grants() {
    let certificate = Certificate::new();
    let mut relay = Node::relay(&certificate, 0);
    let mut client = Node::client();
    let link = client.dial(&relay.url(), &certificate, "", b"let me in");
    let auth = relay.event(event::AUTH, 0);
    assert_eq!((auth.texts[0].as_slice(), auth.text(1)), (b"let me in".as_slice(), "/game"));
    assert!(auth.text(2).starts_with("127.0.0.1:") && auth.text(2).ends_with(&auth.a.to_string()));
    assert!(!auth.text(3).is_empty());
    assert_eq!(relay.stats().auth_waiting, 1);
    let wrong = CcStamp { publish: text("a//b"), ..stamp("", "*", "c7") };
    fails(unsafe { cc_session_accept(auth.handle, &wrong) }, status::BAD_ARGUMENT, "publish can't be read");
    ok(unsafe { cc_session_accept(auth.handle, &stamp("room/up/c7", "*", "c7")) });
    assert_eq!(client.event(event::LINK_UP, link).text(0), "c7");
    let up = relay.event(event::SESSION_UP, auth.handle);
    assert_eq!((up.text(0), up.text(1), up.text(2)), ("c7", "acme", auth.text(2)));
    let allowed = publish(link, kind::FRAME_DATAGRAM, "room/up", "c7", "");
    client.event(event::PUBLISH_OK, allowed);
    let foreign = publish(link, kind::FRAME_DATAGRAM, "room/up", "c8", "");
    assert_eq!(client.event(event::PUBLISH_REFUSED, foreign).reason, reason::UNAUTHORIZED);
    ok(unsafe { cc_session_close(auth.handle, reason::KICKED, text("be nice")) });
    let closed = client.event(event::LINK_CLOSED, link);
    assert_eq!((closed.reason, closed.text(0)), (reason::KICKED, "be nice"));
    let down = relay.event(event::SESSION_DOWN, auth.handle);
    assert_eq!((down.reason, down.text(1)), (reason::KICKED, "c7"));
    fails(unsafe { cc_session_close(auth.handle, 1, CcStr::EMPTY) }, status::BAD_HANDLE, "was closed");
    let mut stats = CcLinkStats::EMPTY;
    ok(unsafe { cc_link_stats(link, &mut stats) });
    assert_eq!(stats.state, link_state::CLOSED);
}

fn the_application_refuses() {
    let certificate = Certificate::new();
    let mut relay = Node::relay(&certificate, 0);
    let mut client = Node::client();
    for reason in [reason::UNAUTHORIZED, reason::EXPIRED_TOKEN, reason::MALFORMED_TOKEN, reason::REFUSED] {
        let link = client.dial(&relay.url(), &certificate, "", b"?");
        let auth = relay.event(event::AUTH, 0);
        ok(unsafe { cc_session_refuse(auth.handle, reason, text("no")) });
        fails(unsafe { cc_session_refuse(auth.handle, reason, text("no")) }, status::BAD_HANDLE, "was closed");
        assert_eq!(client.event(event::LINK_CLOSED, link).reason, reason);
    }
}

#[test]
fn another_certificate_is_not_trusted() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let mut client = Node::client();
    let link = client.dial(&relay.url(), &Certificate::new(), "", b"");
    assert_eq!(client.event(event::LINK_CLOSED, link).reason, reason::CERTIFICATE);
    let url = relay.url();
    let config = CcLinkConfig { url: text(&url), trust_pem: text(&certificate.pem), ..CcLinkConfig::EMPTY };
    let mut link = 0;
    ok(unsafe { cc_link_open(client.handle, &config, &mut link) });
    client.event(event::LINK_UP, link);
}

#[test]
fn a_closing_relay_says_so_and_the_link_waits_for_it() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let address = relay.address();
    let mut client = Node::client();
    let link = client.join(&relay, &certificate, "");
    let peer_before = {
        let track = publish(link, kind::TEXT, "a", "b", "");
        client.event(event::PUBLISH_OK, track);
        track
    };
    relay.close();
    assert_eq!(client.event(event::LINK_DOWN, link).reason, reason::GOING_AWAY);
    let config = CcNodeConfig { bind: text(&address), ..relay_config(&certificate, node_flags::OPEN) };
    let mut relay = Node::open(&config);
    client.event(event::LINK_UP, link);
    let feed = subscribe(relay.handle, "a", None, "");
    relay.event(event::TRACK_ADDED, feed);
    assert_eq!(send(&[frame(peer_before, b"again", &[], PRIORITY_DEFAULT)]), [fate::QUEUED]);
    assert_eq!(receive(&mut relay, feed, 1)[0].payload, b"again");
}

fn a_closed_link_tells_the_relay_and_leaves_its_tracks_closed() {
    let certificate = Certificate::new();
    let mut relay = Node::relay(&certificate, node_flags::OPEN);
    let mut client = Node::client();
    let link = client.join(&relay, &certificate, "");
    let track = publish(link, kind::FRAME_DATAGRAM, "a", "b", "");
    let session = relay.event(event::SESSION_UP, 0).handle;
    ok(unsafe { cc_link_close(link, reason::LOCAL, CcStr::EMPTY) });
    client.event(event::LINK_CLOSED, link);
    assert_eq!(relay.event(event::SESSION_DOWN, session).reason, reason::PEER);
    assert_eq!(send(&[frame(track, b"x", &[], 1)]), [fate::CLOSED]);
    ok(unsafe { cc_publish_close(track) });
}

fn goaway_is_heard() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let mut client = Node::client();
    let link = client.join(&relay, &certificate, "");
    ok(unsafe { cc_node_goaway(relay.handle, CcStr::EMPTY, 5000) });
    assert_eq!(client.event(event::LINK_GOAWAY, link).a, 5000);
}

fn a_node_speaks_for_an_owner_who_is_silent() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN);
    let (mut alice, mut bob) = (Node::client(), Node::client());
    let from = alice.join(&relay, &certificate, "");
    let to = bob.join(&relay, &certificate, "");
    let feed = subscribe(to, "a", None, "");
    bob.event(event::SUBSCRIBE_OK, feed);
    let track = publish(from, kind::FRAME_DATAGRAM, "a", "b", "");
    alice.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == track && event.a > 0);
    let beat = CcRepeat { payload: text("beat"), priority: 3, silence_ms: 20, every_ms: 10, ..CcRepeat::EMPTY };
    ok(unsafe { cc_publish_repeat(track, &beat) });
    // Nothing is called on Alice's side from here on.
    for frame in receive(&mut bob, feed, 3) {
        assert_eq!((frame.payload.as_slice(), frame.priority), (b"beat".as_slice(), 3));
    }
    ok(unsafe { cc_publish_repeat(track, &CcRepeat::EMPTY) });
}

#[test]
fn the_portable_sockets_carry_it_too() {
    let certificate = Certificate::new();
    let relay = Node::relay(&certificate, node_flags::OPEN | node_flags::PORTABLE_UDP);
    let mut client = Node::open(&CcNodeConfig { flags: node_flags::PORTABLE_UDP, ..client_config() });
    let link = client.join(&relay, &certificate, "");
    let feed = subscribe(link, "a", None, "");
    client.event(event::SUBSCRIBE_OK, feed);
    let track = publish(relay.handle, kind::FRAME_STREAM, "a", "b", "");
    let mut relay = relay;
    relay.find("demand", |event| event.kind == event::PUBLISH_DEMAND && event.handle == track && event.a == 1);
    let large = bytes(200_000, 9);
    assert_eq!(send(&[frame(track, &large, &[], 1)]), [fate::QUEUED]);
    assert!(receive(&mut client, feed, 1)[0].payload == large);
    assert!(relay.find("warning", |event| event.kind == event::WARNING).text(0).contains("one datagram"));
}
