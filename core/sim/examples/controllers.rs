//! The congestion controllers beside one another, over the harness's profiles, in virtual time: a line of CSV a run.
//!
//! `cargo run --release -p cc-sim --example controllers -- [--seconds 60] [--seeds 3] [--profile NAME ...]
//! [--controller NAME ...] [--load NAME ...]`. A player sends up its line to a relay:
//!
//! | load | beside the 60 frames of 100 bytes a second that matter most |
//! |---|---|
//! | `play` | 60 frames of 400 bytes a second |
//! | `full` | frames of 1,000 bytes, least important, 1.3 times the line's rate, each for 200 ms at most |
//! | `cubic` | as `full`, while another player on the same line sends as much with Cubic |
//! | `join` | 3 MiB of reliable messages, once, 5 s after the start; 200 ms round trip at 20 and 100 Mbit/s, no profile |
//!
//! Counted from second 5 on, `join` until the last message is there. One seed gives one line, byte for byte, but
//! with BBR, which draws on randomness of its own.

use std::path::Path as FilePath;
use std::process::ExitCode;

use bytes::{BufMut, Bytes, BytesMut};
use cc_engine::{Congestion, Delivery, Event, Place, Time, TrackConfig, TrackKind};
use cc_netem::{Config, PathPlan, Profile};
use cc_sim::{path, App, Ctx, NodeId, NodeSpec, Options, PathSpec, Role, Tick, Topology, World};
use cc_wire::{Namespace, TrackName};

const SECOND: Time = 1_000_000;
/// What comes earlier is not counted.
const WARM: Time = 5 * SECOND;
const HZ: u32 = 60;
const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/profiles");
/// Those of the profiles that have a rate to be filled, and the two lines of `join`.
const NAMES: [&str; 7] =
    ["home-broadband", "wifi-microwave", "lte-train", "3g", "satellite", "conference-hotel", "cross-pacific"];
const JOINS: [(&str, f64); 2] = [("join-20", 20_000.0), ("join-100", 100_000.0)];
const LOADS: [&str; 4] = ["play", "full", "cubic", "join"];
const CONTROLLERS: [(&str, Congestion); 3] =
    [("realtime", Congestion::Realtime), ("cubic", Congestion::Cubic), ("bbr", Congestion::Bbr)];
/// 96 messages of 32 KiB: 3 MiB.
const MESSAGES: usize = 96;
const MESSAGE: usize = 32 << 10;

const FIRST: u64 = 1;
const REST: u64 = 2;
const LEVEL: u64 = 3;

/// Who a payload is from, and when it was sent.
fn payload(now: Time, node: NodeId, size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(size);
    out.put_u64(now);
    out.put_u8(node as u8);
    out.resize(size, 0);
    out.freeze()
}

/// A player on the line.
#[derive(Debug, Default)]
struct Player {
    node: NodeId,
    /// Bytes of the least important frames, and how large each is.
    rest: (u64, usize),
    joins: bool,
    playing: bool,
    sent: u64,
    credit: u64,
    messages: usize,
}

/// The relay's own reader.
#[derive(Debug, Default)]
struct Reader {
    /// By node.
    waits: Vec<Vec<Time>>,
    bytes: Vec<u64>,
    messages: usize,
    /// When the last message came.
    whole: Option<Time>,
}

#[derive(Debug)]
enum Node {
    Player(Player),
    Reader(Reader),
}

impl App for Node {
    fn start(&mut self, ctx: &mut Ctx<'_>) {
        match self {
            Node::Reader(_) => ctx.subscribe(1, Place::Node, namespace()),
            Node::Player(player) => {
                ctx.dial(1, 0);
                let track = |name: &str, kind| track(&format!("{name}{}", player.node), kind);
                let first = TrackConfig { priority: 0, ..track("first", TrackKind::FrameDatagram) };
                let rest = TrackConfig { priority: 200, ttl: Some(200_000), ..track("rest", TrackKind::FrameDatagram) };
                let level = TrackConfig { priority: 200, ..track("level", TrackKind::Text) };
                for (id, config) in [(FIRST, first), (REST, rest), (LEVEL, level)] {
                    ctx.publish(id, Place::Link(1), config);
                }
            }
        }
    }

    fn tick(&mut self, ctx: &mut Ctx<'_>, _number: u64) {
        let Node::Player(player) = self else { return };
        if !player.playing {
            return;
        }
        let (now, node) = (ctx.now(), player.node);
        ctx.send(FIRST, payload(now, node, 100));
        player.sent += u64::from(now >= WARM);
        let (rate, size) = player.rest;
        player.credit += rate / u64::from(HZ);
        while player.credit >= size as u64 {
            player.credit -= size as u64;
            ctx.send(REST, payload(now, node, size));
        }
        while player.joins && now >= WARM && player.messages < MESSAGES {
            player.messages += 1;
            ctx.send(LEVEL, payload(now, node, MESSAGE));
        }
    }

    fn event(&mut self, _ctx: &mut Ctx<'_>, event: &Event) {
        if let (Node::Player(player), Event::PublishDemand { publication: FIRST, subscribers }) = (self, event) {
            player.playing |= *subscribers > 0;
        }
    }

    fn frame(&mut self, ctx: &mut Ctx<'_>, frame: &Delivery) {
        let Node::Reader(reader) = self else { return };
        let Some((sent, rest)) = frame.payload.split_first_chunk::<8>() else { return };
        let (sent, node, now) = (Time::from_be_bytes(*sent), usize::from(rest[0]), ctx.now());
        if frame.flags & cc_engine::flag::TEXT != 0 {
            reader.messages += 1;
            reader.whole = (reader.messages == MESSAGES).then_some(now);
        } else if sent >= WARM && reader.whole.is_none() {
            match frame.payload.len() {
                100 => reader.waits[node].push(now - sent),
                size => reader.bytes[node] += size as u64,
            }
        }
    }
}

fn namespace() -> Namespace {
    Namespace::new(vec![Bytes::from_static(b"race")]).unwrap_or_default()
}

fn track(name: &str, kind: TrackKind) -> TrackConfig {
    TrackConfig {
        // Three short words are a track's name.
        name: TrackName::new(namespace(), name.to_owned()).unwrap_or_else(|error| unreachable!("{error}")),
        kind,
        capability: Bytes::new(),
        properties: Bytes::new(),
        priority: 128,
        latest_wins: false,
        datagram: false,
        microsecond_groups: false,
        ttl: None,
        object_timeout_ms: 0,
        subgroup_timeout_ms: 0,
        window_messages: 1024,
        queue_bytes: 8 << 20,
        token: None,
    }
}

/// One run.
struct Run<'a> {
    name: &'a str,
    plan: &'a PathPlan,
    /// The line's, up, in bytes a second.
    rate: u64,
    controller: (&'a str, Congestion),
    load: &'a str,
    seed: u64,
    seconds: u64,
}

impl Run<'_> {
    fn play(&self) -> Result<String, String> {
        let tick = Some(Tick { hz: HZ, first: None });
        let node = |name: &str, role, congestion| NodeSpec { name: name.into(), role, tick, congestion };
        let mut nodes = vec![
            node("relay", Role::Relay, Some(Congestion::Realtime)),
            node("player", Role::Client, Some(self.controller.1)),
        ];
        let rival = self.load == "cubic";
        if rival {
            nodes.push(node("rival", Role::Client, Some(Congestion::Cubic)));
        }
        let beside = if rival { vec![2] } else { Vec::new() };
        let topology =
            Topology { nodes, paths: vec![PathSpec { client: 1, beside, server: 0, plan: self.plan.clone() }] };
        let rest = match self.load {
            "play" => (400 * u64::from(HZ), 400),
            "join" => (0, 1000),
            _ => (self.rate * 13 / 10, 1000),
        };
        let options = Options { seed: self.seed, unrepeatable: true, ..Options::default() };
        let mut world = World::new(options, &topology, |at, _| match at {
            0 => Node::Reader(Reader { waits: vec![Vec::new(); 3], bytes: vec![0; 3], ..Reader::default() }),
            node => Node::Player(Player { node, rest, joins: self.load == "join", ..Player::default() }),
        })
        .map_err(|error| error.to_string())?;
        world.run(self.seconds * SECOND);
        Ok(self.line(&world))
    }

    fn line(&self, world: &World<Node>) -> String {
        let (Some(Node::Reader(reader)), Some(Node::Player(player))) = (world.app(0), world.app(1)) else {
            return String::new();
        };
        let mut waits = reader.waits[1].clone();
        waits.sort_unstable();
        let at = |percent: usize| {
            let wait = waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
            wait.map_or(f64::NAN, |wait| *wait as f64 / 1000.0)
        };
        let counted = reader.whole.unwrap_or(self.seconds * SECOND).saturating_sub(WARM);
        let kbit = |node: usize| reader.bytes[node] as f64 * 8000.0 / counted as f64;
        // What was sent after the last message is not counted.
        let share = if reader.whole.is_some() { f64::NAN } else { waits.len() as f64 / player.sent as f64 };
        let whole = reader.whole.map_or(f64::NAN, |at| (at - WARM) as f64 / 1e6);
        format!(
            "{},{},{},{},{:.1},{:.1},{:.4},{:.0},{:.0},{:.2}",
            self.name,
            self.controller.0,
            self.load,
            self.seed,
            at(50),
            at(99),
            share.min(1.0),
            kbit(1),
            kbit(2),
            whole
        )
    }
}

/// What is asked for.
struct Asked {
    seconds: u64,
    seeds: u64,
    profiles: Vec<String>,
    controllers: Vec<String>,
    loads: Vec<String>,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { seconds: 60, seeds: 3, profiles: Vec::new(), controllers: Vec::new(), loads: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} {value}: not a number"));
        match word.as_str() {
            "--seconds" => asked.seconds = number()?,
            "--seeds" => asked.seeds = number()?,
            "--profile" => asked.profiles.push(value),
            "--controller" => asked.controllers.push(value),
            "--load" => asked.loads.push(value),
            _ => return Err(format!("{word}: no such argument")),
        }
    }
    let known = |given: &[String], names: &[&str]| match given.iter().find(|one| !names.contains(&one.as_str())) {
        Some(one) => Err(format!("{one}: must be one of {}", names.join(", "))),
        None => Ok(()),
    };
    let lines: Vec<&str> = NAMES.into_iter().chain(JOINS.map(|(name, _)| name)).collect();
    known(&asked.profiles, &lines)?;
    known(&asked.controllers, &CONTROLLERS.map(|(name, _)| name))?;
    known(&asked.loads, &LOADS)?;
    Ok(asked)
}

/// The lines: name, plan, and rate up in bytes a second.
fn lines() -> Result<Vec<(&'static str, PathPlan, u64)>, String> {
    let mut lines = Vec::new();
    for name in NAMES {
        let file = FilePath::new(PROFILES).join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let profile = Profile::parse(name, &text, &mut |_| None).map_err(|error| error.to_string())?;
        let rate = profile.up().rate_kbit.ok_or_else(|| format!("{name}: has no rate to be filled"))?;
        lines.push((name, profile.plan("player").clone(), (rate * 125.0) as u64));
    }
    for (name, kbit) in JOINS {
        let config = Config { rate_kbit: Some(kbit), delay_ms: 100.0, ..Config::default() };
        let plan = path(&config).map_err(|error| error.to_string())?;
        lines.push((name, plan, (kbit * 125.0) as u64));
    }
    Ok(lines)
}

fn race(asked: &Asked) -> Result<(), String> {
    let wanted = |given: &[String], name: &str| given.is_empty() || given.iter().any(|one| one == name);
    println!("profile,controller,load,seed,p50_ms,p99_ms,arrived,kbit,rival_kbit,whole_s");
    for (name, plan, rate) in lines()?.iter().filter(|line| wanted(&asked.profiles, line.0)) {
        let joins = JOINS.iter().any(|(join, _)| join == name);
        for load in LOADS.into_iter().filter(|load| wanted(&asked.loads, load) && joins == (*load == "join")) {
            for controller in CONTROLLERS.into_iter().filter(|controller| wanted(&asked.controllers, controller.0)) {
                for seed in 1..=asked.seeds {
                    let run = Run { name, plan, rate: *rate, controller, load, seed, seconds: asked.seconds };
                    println!("{}", run.play()?);
                }
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match asked().map(|asked| race(&asked)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => {
            eprintln!("{problem}");
            ExitCode::from(1)
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
