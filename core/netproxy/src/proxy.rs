//! The proxy: packets from sockets into paths, and from paths, when they are due, into sockets.
//!
//! A client is an address that sent to the listening socket. It is called `client-1`, `client-2` ... in order of
//! appearance; its path's times count from its first packet. So the fate of its packets follows from the seed, its
//! number, the packets and their times.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cc_netem::{Direction, Path, PathPlan, Profile, Time, Verdict};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::alarm::Alarm;
use crate::client::{open, Client};
use crate::commands::{self, Command, Order};
use crate::held::{Held, Room};
use crate::options::{Options, Source};
use crate::report::{self, Delays, Late, Stats, Tally, Total};
use crate::Fault;

const LISTEN: Token = Token(0);
const COMMANDS: Token = Token(1);
const ALARM: Token = Token(2);
/// The first token of a client's port.
const PORTS: usize = 3;
/// Packets read from one socket before others have their turn.
const TURN: usize = 128;
/// The most bytes under way, of all clients together.
const MAX_HELD: usize = 256 << 20;
/// Between two lines of figures, in microseconds.
const PACE: Time = 1_000_000;

/// The running proxy.
pub struct Proxy {
    options: Options,
    profile: Profile,
    start: Instant,
    poll: Poll,
    alarm: Alarm,
    commands: Receiver<Command>,
    listen: UdpSocket,
    clients: BTreeMap<u64, Client>,
    by_address: HashMap<SocketAddr, u64>,
    by_token: HashMap<Token, u64>,
    /// When each client's path is next due.
    agenda: BTreeSet<(Time, u64)>,
    /// Sockets that may hold more packets: the poll tells of each only once.
    ready: VecDeque<Token>,
    ever: u64,
    tokens: Cell<usize>,
    room: Room,
    buffer: Box<[u8]>,
    /// Clients that were forgotten.
    gone: (Total, Total),
    tally: Tally,
    late: Late,
    delays: Delays,
    paused: bool,
    told: Told,
}

/// Notices that were given, each once.
#[derive(Debug, Default)]
struct Told {
    /// Until the target answers again.
    refused: bool,
    no_socket: bool,
    full: bool,
}

impl Proxy {
    /// Binds the listening socket, and says where.
    pub fn open(options: Options, profile: Profile) -> Result<Proxy, Fault> {
        let failed = |error: io::Error| Fault::Work(format!("the proxy cannot start: {error}"));
        let mut listen = open(options.listen).map_err(|error| Fault::Work(bind_problem(options.listen, &error)))?;
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), COMMANDS).map_err(failed)?);
        let alarm = Alarm::new(&poll, ALARM).map_err(failed)?;
        poll.registry().register(&mut listen, LISTEN, Interest::READABLE).map_err(failed)?;
        let address = listen.local_addr().map_err(failed)?;
        let commands = commands::listen(options.profiles.clone(), waker).map_err(failed)?;
        report::ready(address, options.target, profile.name(), options.seed).map_err(unheard)?;
        Ok(Proxy {
            options,
            profile,
            start: Instant::now(),
            poll,
            alarm,
            commands,
            listen,
            clients: BTreeMap::new(),
            by_address: HashMap::new(),
            by_token: HashMap::new(),
            agenda: BTreeSet::new(),
            ready: VecDeque::new(),
            ever: 0,
            tokens: Cell::new(PORTS),
            room: Room::new(MAX_HELD),
            buffer: vec![0; 1 << 16].into_boxed_slice(),
            gone: Default::default(),
            tally: Tally::default(),
            late: Late::default(),
            delays: Delays::default(),
            paused: false,
            told: Told::default(),
        })
    }

    /// Serves until it is told to end.
    pub fn run(mut self) -> Result<(), Fault> {
        let mut events = Events::with_capacity(256);
        let mut report_at = PACE;
        loop {
            self.deliver();
            let now = self.now();
            if now >= report_at {
                self.forget(now);
                self.report(false).map_err(unheard)?;
                report_at = (now / PACE + 1) * PACE;
            }
            let next = self.agenda.first().map_or(report_at, |first| first.0.min(report_at));
            let pause = if self.ready.is_empty() { next.saturating_sub(self.now()) } else { 0 };
            match self.alarm.wait(&mut self.poll, &mut events, Duration::from_micros(pause)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(Fault::Work(format!("waiting for packets failed: {error}")));
                }
                _ => {}
            }
            for token in events.iter().map(|event| event.token()) {
                let is_socket = token != ALARM && token != COMMANDS;
                if is_socket && !self.ready.contains(&token) {
                    self.ready.push_back(token);
                }
            }
            for _ in 0..self.ready.len() {
                if let Some(token) = self.ready.pop_front() {
                    self.take_turn(token);
                }
            }
            while let Ok(command) = self.commands.try_recv() {
                if self.obey(command).map_err(unheard)? {
                    return Ok(());
                }
            }
        }
    }

    fn now(&self) -> Time {
        self.start.elapsed().as_micros() as Time
    }

    /// Reads from one socket, and puts it in line again if it may hold more.
    fn take_turn(&mut self, token: Token) {
        let more = match token {
            LISTEN => self.take_from_clients(),
            port => self.take_from_target(port),
        };
        if more {
            self.ready.push_back(token);
        }
    }

    /// Whether there may be more.
    fn take_from_clients(&mut self) -> bool {
        for _ in 0..TURN {
            match self.listen.recv_from(&mut self.buffer) {
                Ok((len, from)) => self.push_up(from, len),
                // What a client's host refused; the rest of the queue is behind it.
                Err(error) if is_refusal(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn take_from_target(&mut self, token: Token) -> bool {
        let Some(&number) = self.by_token.get(&token) else { return false };
        for _ in 0..TURN {
            let Some(client) = self.clients.get_mut(&number) else { return false };
            let Some(port) = client.ports.iter().find(|port| port.token == token) else { return false };
            match port.socket.recv(&mut self.buffer) {
                Ok(_) if port.rebinds != client.rebinds => self.tally.rebound += 1,
                Ok(len) => {
                    let binding = port.binding;
                    self.told.refused = false;
                    self.push(number, len, |path, now, packet| path.push_down(now, binding, packet));
                }
                Err(error) if is_refusal(&error) => self.refused(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// A packet of `len` bytes came from a client.
    fn push_up(&mut self, from: SocketAddr, len: usize) {
        let number = match self.by_address.get(&from) {
            Some(&number) => number,
            None if self.paused => {
                self.tally.paused += 1;
                return;
            }
            None if self.clients.len() >= self.options.clients => {
                self.tally.turned_away += 1;
                let most = self.options.clients;
                self.notice_once(
                    |told| &mut told.full,
                    &format!("{most} clients are served, further ones are not: --clients"),
                );
                return;
            }
            None => self.admit(from),
        };
        self.push(number, len, |path, now, packet| path.push_up(now, packet));
    }

    fn admit(&mut self, address: SocketAddr) -> u64 {
        self.ever += 1;
        let (number, now) = (self.ever, self.now());
        let name = client_name(number);
        let path = Path::new(&plan(&self.options, &self.profile, number), self.options.seed, &name, now);
        let client = Client { address, path, scheduled: None, last: now, ports: VecDeque::new(), rebinds: 0 };
        self.clients.insert(number, client);
        self.by_address.insert(address, number);
        number
    }

    /// Puts what is in the buffer on a client's path.
    fn push(&mut self, number: u64, len: usize, put: impl FnOnce(&mut Path<Held>, Time, Held) -> Verdict) {
        let now = self.now();
        let Some(client) = self.clients.get_mut(&number) else { return };
        client.last = now;
        if self.paused {
            self.tally.paused += 1;
            return;
        }
        match self.room.hold(&self.buffer[..len]) {
            // The path counts its losses itself.
            Some(packet) => _ = put(&mut client.path, now, packet),
            None => self.tally.no_room += 1,
        }
        schedule(&mut self.agenda, number, client);
    }

    /// Sends everything that is due.
    fn deliver(&mut self) {
        let now = self.now();
        while let Some(&(_, number)) = self.agenda.first().filter(|first| first.0 <= now) {
            self.agenda.pop_first();
            let Some(client) = self.clients.get_mut(&number) else { continue };
            client.scheduled = None;
            while let Some(received) = self.clients.get_mut(&number).and_then(|client| client.path.pop(now)) {
                self.late.add(self.now().saturating_sub(received.packet.due));
                let delay = received.packet.due.saturating_sub(received.packet.sent);
                match received.direction {
                    Direction::Up => self.delays.up.add(delay),
                    Direction::Down => self.delays.down.add(delay),
                }
                match received.direction {
                    Direction::Up => self.send_up(number, received.binding, received.packet.payload.bytes()),
                    Direction::Down => self.send_down(number, received.packet.payload.bytes()),
                }
            }
            if let Some(client) = self.clients.get_mut(&number) {
                schedule(&mut self.agenda, number, client);
            }
        }
    }

    fn send_up(&mut self, number: u64, binding: u32, packet: &[u8]) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let tokens = &self.tokens;
        let mut fresh = || {
            let token = tokens.replace(tokens.get() + 1);
            Token(token)
        };
        let before = client.ports.back().map(|port| port.token);
        let mut closed = None;
        let source = match self.options.source {
            Source::Any => None,
            Source::Own(ip) => Some(ip),
            Source::Client => Some(client.address.ip()),
        };
        let (target, registry) = (self.options.target, self.poll.registry());
        let sent = match client.port(binding, target, source, registry, &mut fresh, &mut closed) {
            Ok(Some(port)) => {
                let first = port.socket.send(packet);
                match first {
                    // It is an earlier packet that was refused; this one has not been sent yet.
                    Err(error) if is_refusal(&error) => Ok((true, port.socket.send(packet))),
                    sent => Ok((false, sent)),
                }
            }
            Ok(None) => {
                self.tally.unsent += 1;
                return;
            }
            Err(error) => Err(error),
        };
        let newest = client.ports.back().map(|port| port.token).filter(|token| Some(*token) != before);
        newest.map(|token| self.by_token.insert(token, number));
        closed.map(|token| self.by_token.remove(&token));
        match sent {
            Ok((refused, sent)) => {
                self.tally.unsent += u64::from(sent.is_err());
                if refused {
                    self.refused();
                }
            }
            Err(error) => {
                self.tally.no_room += 1;
                let text = format!("no socket towards {} for {}: {error}", self.options.target, client_name(number));
                self.notice_once(|told| &mut told.no_socket, &text);
            }
        }
    }

    fn send_down(&mut self, number: u64, packet: &[u8]) {
        let Some(client) = self.clients.get(&number) else { return };
        let mut sent = self.listen.send_to(packet, client.address);
        if sent.as_ref().is_err_and(is_refusal) {
            sent = self.listen.send_to(packet, client.address);
        }
        self.tally.unsent += u64::from(sent.is_err());
    }

    /// The target's host says that nobody listens there.
    fn refused(&mut self) {
        self.tally.refused += 1;
        let text = format!("{} refuses packets: nothing listens there; start it, or correct --to", self.options.target);
        self.notice_once(|told| &mut told.refused, &text);
    }

    fn notice_once(&mut self, which: fn(&mut Told) -> &mut bool, text: &str) {
        if !std::mem::replace(which(&mut self.told), true) {
            // Whether anybody reads is asked at the next line of figures.
            let _ = report::notice(text);
        }
    }

    /// Whether to end.
    fn obey(&mut self, command: Command) -> io::Result<bool> {
        let mut end = false;
        let mut problem = None;
        match command.order {
            Ok(Order::Profile(profile)) => self.change(*profile),
            Ok(Order::Pause) => self.paused = true,
            Ok(Order::Resume) => self.paused = false,
            Ok(Order::Rebind) => self.clients.values_mut().for_each(|client| client.rebinds += 1),
            Ok(Order::Stats) => self.report(false)?,
            Ok(Order::Quit) => {
                self.report(true)?;
                end = true;
            }
            Err(error) => problem = Some(error),
        }
        report::answer(&command.line, problem.as_deref())?;
        Ok(end)
    }

    fn change(&mut self, profile: Profile) {
        self.profile = profile;
        let now = self.now();
        for (&number, client) in &mut self.clients {
            client.path.set_plan(now, &plan(&self.options, &self.profile, number));
            schedule(&mut self.agenda, number, client);
        }
    }

    /// Forgets clients that have been silent for too long.
    fn forget(&mut self, now: Time) {
        let idle = self.options.idle.as_micros() as Time;
        let silent = |client: &Client| now.saturating_sub(client.last) >= idle;
        let numbers: Vec<u64> = self.clients.iter().filter(|(_, c)| silent(c)).map(|(&number, _)| number).collect();
        for client in numbers.into_iter().filter_map(|number| self.clients.remove_entry(&number)) {
            let (number, client) = client;
            self.by_address.remove(&client.address);
            self.by_token.retain(|_, owner| *owner != number);
            client.scheduled.map(|at| self.agenda.remove(&(at, number)));
            for (total, direction) in [(&mut self.gone.0, Direction::Up), (&mut self.gone.1, Direction::Down)] {
                let counters = client.path.counters(direction);
                self.tally.abandoned += report::inside(counters);
                total.add(counters, (0, 0));
            }
        }
        if self.clients.len() < self.options.clients {
            self.told.full = false;
        }
    }

    fn report(&mut self, last: bool) -> io::Result<()> {
        let (mut up, mut down) = self.gone.clone();
        for client in self.clients.values() {
            for (total, direction) in [(&mut up, Direction::Up), (&mut down, Direction::Down)] {
                total.add(client.path.counters(direction), client.path.waiting(direction));
            }
        }
        report::stats(&Stats {
            at: self.now(),
            profile: self.profile.name(),
            paused: self.paused,
            clients: (self.clients.len(), self.ever),
            up: &up,
            down: &down,
            delays: &self.delays,
            tally: self.tally,
            late: std::mem::take(&mut self.late),
            last,
        })
    }
}

/// Puts a client on the agenda for when its path is next due.
fn schedule(agenda: &mut BTreeSet<(Time, u64)>, number: u64, client: &mut Client) {
    let next = client.path.next_timeout();
    if next != client.scheduled {
        client.scheduled.map(|at| agenda.remove(&(at, number)));
        next.map(|at| agenda.insert((at, number)));
        client.scheduled = next;
    }
}

/// What befalls a client's packets.
fn plan(options: &Options, profile: &Profile, number: u64) -> PathPlan {
    let called = options.name.clone().unwrap_or_else(|| client_name(number));
    let plan = profile.plan(&called).clone();
    if options.reverse {
        // Who is dialled has no NAT in front of it.
        return PathPlan { up: plan.down, down: plan.up, nat: None };
    }
    plan
}

fn client_name(number: u64) -> String {
    format!("client-{number}")
}

/// A peer's host answered an earlier packet with ICMP: port unreachable.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

fn unheard(error: io::Error) -> Fault {
    Fault::Work(format!("nobody reads standard output any more: {error}"))
}

fn bind_problem(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!("--listen {address}: the port is in use: choose another one, 0 takes any that is free")
        }
        ErrorKind::PermissionDenied => format!("--listen {address}: no permission: choose a port from 1024 up"),
        ErrorKind::AddrNotAvailable => format!("--listen {address}: the address is not one of this machine's"),
        _ => format!("--listen {address}: {error}"),
    }
}
