//! Strangers at a relay's door: datagrams of anybody's making, from any address, in any order of time.
//!
//! What holds: nobody gets a session, or more bytes than three times what it sent before its address is proven (RFC 9000,
//! 8.1); handshakes stay within their bounds, and none goes on for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cc_engine::{Engine, Event, Limit, Packet, Time};

use super::engine::hub;
use crate::Input;

/// Datagrams of one input.
const DATAGRAMS: usize = 64;
const SECOND: Time = 1_000_000;
/// What QUIC versions a header may name: 1, 2, none, one to negotiate, one of nobody's.
const VERSIONS: [[u8; 4]; 5] = [[0, 0, 0, 1], [0x6b, 0x33, 0x43, 0xcf], [0; 4], [0x0a; 4], [0xff, 0, 0, 29]];

/// Operations: a first byte says what comes and from whom, then its parts.
pub(crate) fn door(data: &[u8]) {
    let mut input = Input::new(data);
    let mut relay = hub(9);
    let (mut now, mut sent) = (0, Sent::default());
    for _ in 0..DATAGRAMS {
        if input.done() {
            break;
        }
        let what = input.u8();
        let from = address(input.u8());
        let bytes = match what % 8 {
            0 => input.bytes().to_vec(),
            1..=5 => long_header(&mut input, what),
            6 => short_header(&mut input),
            _ => {
                now += Time::from(input.u16()) * 100;
                relay.handle_timeout(now);
                continue;
            }
        };
        *sent.heard.entry(from).or_default() += bytes.len();
        relay.handle(now, Packet { from, local: None, ecn: None, payload: &bytes });
        sent.drain(&mut relay, now);
        let stats = relay.stats();
        assert!(stats.handshakes as usize <= DATAGRAMS, "{} handshakes", stats.handshakes);
        assert_eq!(stats.sessions, 0, "nobody has shown a key");
    }
    // Handshakes that do not go on end by themselves.
    for _ in 0..40 {
        now += SECOND;
        relay.handle_timeout(now);
        sent.drain(&mut relay, now);
    }
    let stats = relay.stats();
    assert_eq!((stats.handshakes, stats.sessions), (0, 0), "a handshake goes on for ever");
    assert_eq!(stats.refused.of(Limit::Connections), 0);
}

fn address(from: u8) -> SocketAddr {
    // Both families, few of them, so that some come again.
    match from % 8 {
        0 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], 4000)),
        host => SocketAddr::from(([10, 1, 1, host], 4000 + u16::from(from / 128))),
    }
}

/// A packet whose header can be read as far as the input wants it; a first one is filled up to 1,200 bytes.
fn long_header(input: &mut Input<'_>, what: u8) -> Vec<u8> {
    let kind = input.u8();
    let mut bytes = vec![0xc0 | (kind & 0x3f)];
    bytes.extend_from_slice(&VERSIONS[input.below(VERSIONS.len())]);
    for _ in 0..2 {
        let id = input.bytes();
        bytes.push(if what & 0x80 == 0 { id.len().min(20) } else { id.len() } as u8);
        bytes.extend_from_slice(&id[..id.len().min(if what & 0x80 == 0 { 20 } else { 255 })]);
    }
    let token = input.bytes();
    bytes.push(token.len().min(63) as u8);
    bytes.extend_from_slice(&token[..token.len().min(63)]);
    // The length: what follows, or whatever the input says.
    let length = if what & 0x40 == 0 { 1100 } else { input.u16() & 0x3fff };
    bytes.extend_from_slice(&(0x4000 | length).to_be_bytes());
    bytes.extend_from_slice(input.bytes());
    if what & 0x20 == 0 {
        bytes.resize(bytes.len().max(1200), 0);
    }
    bytes
}

fn short_header(input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = vec![0x40 | (input.u8() & 0x3f)];
    bytes.extend_from_slice(input.bytes());
    bytes.resize(bytes.len() + usize::from(input.u8()), 0);
    bytes
}

/// What each address sent and was sent.
#[derive(Default)]
struct Sent {
    heard: BTreeMap<SocketAddr, usize>,
    told: BTreeMap<SocketAddr, usize>,
}

impl Sent {
    fn drain(&mut self, relay: &mut Engine, now: Time) {
        let mut buffer = Vec::new();
        while let Some(transmit) = relay.poll_transmit(now, &mut buffer) {
            *self.told.entry(transmit.to).or_default() += buffer.len();
            buffer.clear();
        }
        for (to, told) in &self.told {
            let heard = self.heard.get(to).copied().unwrap_or_default();
            assert!(*told <= 3 * heard, "{told} bytes to {to}, that sent {heard}");
        }
        while let Some(event) = relay.poll_event() {
            assert!(!matches!(event, Event::SessionUp { .. } | Event::Auth { .. }), "{event:?}");
        }
    }
}
