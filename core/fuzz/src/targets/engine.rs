//! A relay and two clients on a simulated network, and whatever happens to them: tracks come and go,
//! packets are lost, changed, repeated and made up, the relay dies and comes back.
//!
//! What holds throughout: nobody panics and time goes on; a queue stays within its bound; a payload
//! arrives whole or not at all; Text arrives once and in order, and where some of it is missing that
//! is told; the engines' numbers are those that an onlooker counts.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use cc_engine::{flag, Command, Delivery, Engine, Event, Outgoing, Place, Reason, RelayConfig, TrackConfig, TrackKind};
use cc_wire::Namespace;

use super::wire::PROFILES;
use crate::Input;

#[path = "../../../engine/tests/common/mod.rs"]
mod common;

use common::{client, config, track, Identity, Path, World};

const HUB: usize = 0;
/// Operations in one input at most: each may take some milliseconds.
const OPERATIONS: usize = 48;
const SESSION_BYTES: usize = 64 << 10;
const TRACK_BYTES: usize = 32 << 10;

/// First byte: draft; then operations.
pub(crate) fn engine(data: &[u8]) {
    let mut input = Input::new(data);
    let mut play = Play::new(input.u8());
    for _ in 0..OPERATIONS {
        if input.done() {
            break;
        }
        play.operation(&mut input);
        play.check();
    }
    // The network is whole again, and everybody has time to find that out.
    for node in &mut play.world.nodes {
        node.path = Path::default();
    }
    play.revive();
    play.world.run(15_000_000);
    play.check();
}

/// A publication, as its owner sees it.
struct Ours {
    node: usize,
    kind: TrackKind,
    said: u32,
    bytes: u64,
    live: bool,
}

/// A subscription, as its owner sees it.
#[derive(Default)]
struct Heard {
    node: usize,
    live: bool,
    frames: u64,
    bytes: u64,
    gaps: u64,
    /// The last message of each Text publication, by track.
    last: BTreeMap<(u64, u32), u32>,
    /// The last location of each Audio and Video publication, by track.
    places: BTreeMap<(u64, u32), (u64, u64)>,
}

struct Play {
    world: World,
    lives: u8,
    ours: BTreeMap<u64, Ours>,
    heard: BTreeMap<u64, Heard>,
    next: u64,
    /// What each node sent before its present life.
    before: [(u64, u64); 3],
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(Identity::new)
}

pub(super) fn hub(life: u8) -> Engine {
    let identity = identity();
    let mut config = config(100 + life);
    config.limits.session_bytes = SESSION_BYTES;
    config.limits.track_bytes = TRACK_BYTES;
    config.limits.subgroup_bytes = TRACK_BYTES;
    config.limits.tracks_per_session = 4;
    config.limits.past_track_bytes = 8 << 10;
    config.limits.past_bytes = 20 << 10;
    config.relay = Some(RelayConfig {
        certificate_pem: identity.chain.clone().into_bytes(),
        key_pem: identity.key.clone().into_bytes(),
        open: Some(Namespace::default()),
        max_sessions: 8,
        auth_timeout: 5_000_000,
    });
    Engine::new(config, 0).expect("a relay's configuration")
}

impl Play {
    fn new(draft: u8) -> Play {
        let mut world = World::new();
        world.add(hub(0));
        for node in [1, 2] {
            world.add(client(node));
            let profile = PROFILES[usize::from(draft) % PROFILES.len()];
            world.open_link(usize::from(node), u64::from(node), HUB, identity(), Some(profile));
        }
        world.run(100_000);
        let mut play =
            Play { world, lives: 0, ours: BTreeMap::new(), heard: BTreeMap::new(), next: 10, before: [(0, 0); 3] };
        play.publish(1, TrackKind::Text, 0);
        play.publish(1, TrackKind::FrameDatagram, 0);
        play.subscribe(2, 0);
        play.world.run(100_000);
        play
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn publish(&mut self, node: usize, kind: TrackKind, flags: u8) {
        let id = self.fresh();
        let name = format!("t{}", flags >> 5);
        let config = TrackConfig {
            latest_wins: flags & 1 != 0 && kind != TrackKind::Text && !kind.is_live(),
            datagram: flags & 1 != 0 && kind == TrackKind::Audio,
            subgroup_timeout_ms: if flags & 16 != 0 { 200 } else { 0 },
            ttl: (flags & 2 != 0).then_some(50_000),
            window_messages: if flags & 4 != 0 { 8 } else { 1024 },
            queue_bytes: TRACK_BYTES,
            ..track(if flags & 8 != 0 { "g/r" } else { "g/s" }, &name, kind, "c")
        };
        self.world.publish(node, id, Place::Link(node as u64), config);
        self.ours.insert(id, Ours { node, kind, said: 0, bytes: 0, live: true });
    }

    fn subscribe(&mut self, node: usize, flags: u8) {
        let id = self.fresh();
        let place = Place::Link(node as u64);
        match flags & 3 {
            0 | 1 => self.world.subscribe(node, id, place, "g", if flags & 4 != 0 { "c" } else { "" }),
            2 => self.world.subscribe(node, id, place, "g/r", ""),
            _ => self.world.subscribe_exact(node, id, place, "g/s", "t0"),
        }
        self.heard.insert(id, Heard { node, live: true, ..Heard::default() });
    }

    fn operation(&mut self, input: &mut Input<'_>) {
        let what = input.u8() % 20;
        let node = 1 + input.below(2);
        match what {
            0..=4 => self.send(input),
            5 | 6 => {
                let kind = *input.pick(&[
                    TrackKind::Text,
                    TrackKind::FrameDatagram,
                    TrackKind::FrameStream,
                    TrackKind::Audio,
                    TrackKind::Video,
                ]);
                self.publish(node, kind, input.u8());
            }
            7 => {
                if let Some((id, node)) = nth(&self.ours, input, |ours| ours.live.then_some(ours.node)) {
                    self.world.command(node, Command::Unpublish(id));
                    self.ours.entry(id).and_modify(|ours| ours.live = false);
                }
            }
            8 | 9 => self.subscribe(node, input.u8()),
            10 => {
                if let Some((id, node)) = nth(&self.heard, input, |heard| heard.live.then_some(heard.node)) {
                    self.hear();
                    self.world.command(node, Command::Unsubscribe(id));
                    self.heard.entry(id).and_modify(|heard| heard.live = false);
                }
            }
            11 | 12 => {
                let path = &mut self.world.nodes[input.below(3)].path;
                path.loss = *input.pick(&[0, 0, 50, 300, 1000]);
                path.rate = *input.pick(&[0, 0, 20_000, 200_000]);
                path.delay = *input.pick(&[1000, 30_000, 200_000]);
                path.buffer = *input.pick(&[64 << 10, 4 << 10]);
            }
            13 => {
                let (to, from) = (input.below(3), input.below(3));
                let from = self.world.nodes[from].address;
                let bytes = input.bytes().to_vec();
                self.world.inject(to, from, bytes);
            }
            14 => self.meddle(input),
            15 => {
                if input.flag() && self.world.nodes[HUB].engine.is_some() {
                    self.world.nodes[HUB].engine = None;
                    self.world.nodes[HUB].events.clear();
                } else {
                    self.revive();
                }
            }
            16 => self.strange(node, input),
            17 => self.world.run(1 + u64::from(input.u16()) * 100),
            18 => self.world.run(1 + u64::from(input.u8()) * 1000),
            _ => self.world.run(1 + u64::from(input.u8())),
        }
    }

    /// Sends one frame, which says which it is.
    fn send(&mut self, input: &mut Input<'_>) {
        let Some((id, node)) = nth(&self.ours, input, |ours| Some(ours.node)) else { return };
        let size = usize::from(input.u16() % 9000);
        let priority = input.flag().then(|| input.u8());
        let ours = self.ours.get_mut(&id).expect("just found");
        let payload = payload(id as u32, ours.said, size);
        if ours.live {
            ours.said += 1;
            ours.bytes += payload.len() as u64;
        }
        let flags = if ours.kind.is_live() { input.u8() } else { 0 };
        let outgoing = Outgoing {
            publication: id,
            payload: payload.into(),
            properties: Bytes::new(),
            priority,
            ttl: None,
            new_group: flags & 3 == 1,
            end_group: flags & 12 == 4,
        };
        self.world.command(node, Command::Send(outgoing));
    }

    /// Changes, repeats or cuts a datagram that is under way.
    fn meddle(&mut self, input: &mut Input<'_>) {
        let (how, at, value) = (input.u8(), usize::from(input.u16()), input.u8());
        let Some((to, from, bytes)) = self.world.under_way(usize::from(value)) else { return };
        if bytes.is_empty() {
            return;
        }
        let at = at % bytes.len();
        match how % 4 {
            0 => bytes[at] ^= value | 1,
            1 => bytes.truncate(at),
            2 => {
                let copy = bytes.clone();
                self.world.inject(to, from, copy);
            }
            _ => {
                let copy = bytes.clone();
                // From an address that the connection does not have.
                self.world.inject(to, "10.9.9.9:9".parse().expect("an address"), copy);
            }
        }
    }

    /// What an owner may say at any time, sensible or not.
    fn strange(&mut self, node: usize, input: &mut Input<'_>) {
        let link = node as u64;
        let id = u64::from(input.u8() % 32);
        match input.u8() % 8 {
            0 if self.world.nodes[HUB].engine.is_some() => {
                self.world.command(HUB, Command::CloseSession(id, Reason::Kicked, "out".into()));
            }
            1 if self.world.nodes[HUB].engine.is_some() => {
                self.world.command(HUB, Command::Goaway(String::new(), id));
            }
            2 => {
                self.world.command(node, Command::CloseLink(link, Reason::Local, "done".into()));
                self.ours.values_mut().filter(|ours| ours.node == node).for_each(|ours| ours.live = false);
            }
            3 => self.world.open_link(node, link, HUB, identity(), None),
            4 => self.world.send(node, 1_000 + id, vec![0; 20]),
            5 => self.world.command(node, Command::Unsubscribe(1_000 + id)),
            6 => self.world.command(node, Command::LinkAddresses(link, vec![self.world.nodes[HUB].address])),
            _ => self.world.command(node, Command::Unpublish(1_000 + id)),
        }
    }

    /// Another life of the relay, if it is dead.
    fn revive(&mut self) {
        if self.world.nodes[HUB].engine.is_none() {
            self.lives = self.lives.wrapping_add(1);
            self.world.nodes[HUB].engine = Some(hub(self.lives));
            let node = &self.world.nodes[HUB];
            self.before[HUB] = (node.packets_out, node.bytes_out);
        }
    }

    /// Takes what has arrived, and looks at it.
    fn hear(&mut self) {
        for node in [1, 2] {
            for frame in self.world.frames(node) {
                self.frame(node, &frame);
            }
        }
    }

    fn frame(&mut self, node: usize, frame: &Delivery) {
        let (id, number) = read(&frame.payload);
        let ours = self.ours.get(&u64::from(id)).expect("a frame that nobody sent");
        assert!(number < ours.said, "a frame before it was sent");
        let heard = self.heard.get_mut(&frame.subscription).expect("a frame for a subscription that nobody made");
        assert_eq!(heard.node, node);
        heard.frames += 1;
        heard.bytes += frame.payload.len() as u64;
        heard.gaps += u64::from(frame.flags & flag::GAP != 0);
        assert_eq!(frame.flags & flag::TEXT != 0, ours.kind == TrackKind::Text, "another kind arrives");
        if ours.kind.is_live() && frame.flags & flag::STREAM != 0 {
            let at = (frame.group, frame.object);
            let last = heard.places.insert((frame.track, id), at);
            assert!(last.is_none_or(|last| last < at), "media {at:?} after {last:?}");
            let begins = last.is_none_or(|last| last.0 < at.0);
            assert!(!begins || ours.kind == TrackKind::Audio || at.1 == 0, "video from {at:?} on");
        }
        if ours.kind == TrackKind::Text {
            if let Some(last) = heard.last.insert((frame.track, id), number) {
                assert!(number > last, "Text {number} after {last}");
                assert!(number == last + 1 || frame.flags & flag::GAP != 0, "a gap after {last} that is not told");
            }
        }
    }

    fn check(&mut self) {
        self.hear();
        for at in 0..3 {
            let node = &mut self.world.nodes[at];
            let Some(engine) = node.engine.as_mut() else { continue };
            let stats = engine.stats();
            let before = self.before[at];
            let sent = (node.packets_out - before.0, node.bytes_out - before.1);
            assert_eq!((stats.packets_out, stats.bytes_out), sent, "what node {at} counts is not what it sent");
            assert!(stats.sessions + stats.auth_waiting <= 8, "{stats:?}");
            assert!(stats.tracks <= 64, "{stats:?}");
        }
        for link in [1, 2] {
            let stats = self.world.engine(link).link_stats(link as u64);
            assert!(stats.is_none_or(|stats| stats.queued_bytes <= 8 << 20), "{stats:?}");
        }
        for session in 1..40 {
            let hub = self.world.nodes[HUB].engine.as_mut();
            let stats = hub.and_then(|engine| engine.session_stats(session));
            assert!(stats.is_none_or(|stats| stats.queued_bytes <= SESSION_BYTES as u64), "{stats:?}");
        }
        for (id, ours) in &self.ours {
            let Some(stats) = self.world.engine(ours.node).track_stats(*id) else { continue };
            assert!(stats.frames <= u64::from(ours.said) && stats.bytes <= ours.bytes, "{stats:?}");
            assert!(stats.queued_bytes <= TRACK_BYTES as u64, "{stats:?}");
        }
        for (id, heard) in self.heard.iter().filter(|(_, heard)| heard.live) {
            let Some(stats) = self.world.engine(heard.node).subscription_stats(*id) else { continue };
            assert_eq!((stats.frames, stats.bytes, stats.gaps), (heard.frames, heard.bytes, heard.gaps), "{stats:?}");
        }
        for node in 0..3 {
            for event in self.world.events(node) {
                assert!(!matches!(event, Event::Warning { .. }), "node {node}: {event:?}");
                let internal = match event {
                    Event::LinkDown { reason, .. } | Event::LinkClosed { reason, .. } => reason,
                    Event::SessionDown { reason, .. } | Event::TrackEnded { reason, .. } => reason,
                    _ => Reason::None,
                };
                assert!(!matches!(internal, Reason::Internal | Reason::Protocol), "node {node}: {event:?}");
            }
        }
    }
}

/// One of a map, as the next byte says; `None` if there is nothing there or it does not do.
fn nth<V>(map: &BTreeMap<u64, V>, input: &mut Input<'_>, f: impl Fn(&V) -> Option<usize>) -> Option<(u64, usize)> {
    let at = input.below(map.len().clamp(1, 256));
    map.iter().nth(at).and_then(|(id, value)| Some((*id, f(value)?)))
}

fn payload(id: u32, number: u32, size: usize) -> Vec<u8> {
    let mut bytes = [id.to_le_bytes(), number.to_le_bytes(), (size as u32).to_le_bytes()].concat();
    bytes.extend((0..size).map(|at| (at as u32 ^ number) as u8));
    bytes
}

/// Which publication's and which of its frames this is; it must be all of it.
fn read(bytes: &[u8]) -> (u32, u32) {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    let (Some(id), Some(number), Some(size)) = (word(0), word(4), word(8)) else {
        panic!("a frame of {} bytes", bytes.len());
    };
    assert!(bytes == payload(id, number, size as usize), "a frame that is not whole");
    (id, number)
}
