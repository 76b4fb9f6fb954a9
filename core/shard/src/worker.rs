//! One pass of a node: everything that arrived in, everything that is due out, the owner told once.
//!
//! A pass makes one `recv` call per batch of arrivals and one `send` call per batch of departures. Both are bounded,
//! so that timers and orders are served under any load; what is left is the next pass's.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use cc_engine::{
    Command, Engine, EngineStats, Event, LinkId, Packet, Reason, SessionId, SubscriptionId, Time, Transmit,
};
use cc_udp::{Ecn, RecvBuffer, Socket, Steering};

use crate::feed::Feed;
use crate::inbox::{Inbox, Order};
use crate::lines::{Line, Stray};
use crate::outbox::{NodeEvent, Outbox};
use crate::roster::Roster;
use crate::setting::{Fault, Tap};

/// Most receive calls a pass: with 32 messages each about what a core handles in a few milliseconds.
const RECEIVES: usize = 8;
/// Most send calls a pass.
const SENDS: usize = 16;
/// Most transmits of one send call.
const TRANSMITS: usize = 64;
/// Most bytes of one send call, and so the most that waits for a blocked socket.
const SEND_BYTES: usize = 1 << 20;

/// What a node's driver and its owner share beside the worker.
pub(crate) struct Shared {
    /// None: the owner carries the datagrams.
    pub(crate) socket: Option<Arc<Socket>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) counters: Counters,
}

/// Readings that the owner may take without the worker's lock.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sends: AtomicU64,
    pub(crate) receives: AtomicU64,
    pub(crate) cpu_us: AtomicU64,
    /// Packets that came to this shard's socket and were handed over to the right one.
    pub(crate) handed_over: AtomicU64,
    /// The same that found no room.
    pub(crate) handed_lost: AtomicU64,
    /// Times that the shard failed and was started again.
    pub(crate) restarts: AtomicU64,
}

/// The engine with what only its driver touches.
pub(crate) struct Worker {
    engine: Engine,
    recv: RecvBuffer,
    out: Departures,
    orders: Vec<Order>,
    events: Vec<NodeEvent>,
    feeds: HashMap<SubscriptionId, Arc<Feed>>,
    /// Links that were opened and have not ended, and sessions: what a close says goodbye to.
    links: BTreeSet<LinkId>,
    sessions: BTreeSet<SessionId>,
    /// Size of `sessions` at which those that ended unadmitted, which no event tells, are looked for.
    sweep_at: usize,
    tap: Option<Box<dyn Tap>>,
    /// One of several shards.
    shard: Option<Shard>,
}

/// What a worker of one of several shards has beside.
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) steering: Steering,
    /// To the others, in the order of their numbers.
    pub(crate) lines: Vec<Line>,
    pub(crate) fault: Option<Fault>,
    pub(crate) roster: Roster,
    /// Counts of engines that are gone.
    pub(crate) past: EngineStats,
}

/// What a pass leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    /// More may be done at once.
    pub(crate) again: bool,
    /// The socket would take no more.
    pub(crate) blocked: bool,
    /// When the next pass is due at the latest.
    pub(crate) next: Option<Time>,
}

/// Transmits on their way to the socket.
#[derive(Default)]
struct Departures {
    transmits: Vec<Transmit>,
    bytes: Vec<u8>,
    /// Transmits that the socket has taken, and their bytes.
    sent: usize,
    sent_bytes: usize,
}

impl Worker {
    pub(crate) fn new(engine: Engine, tap: Option<Box<dyn Tap>>, shard: Option<Shard>) -> Worker {
        Worker {
            engine,
            recv: RecvBuffer::new(),
            out: Departures::default(),
            orders: Vec::new(),
            events: Vec::new(),
            feeds: HashMap::new(),
            links: BTreeSet::new(),
            sessions: BTreeSet::new(),
            sweep_at: 1024,
            tap,
            shard,
        }
    }

    /// The engine, for readings.
    pub(crate) fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// One pass.
    ///
    /// # Errors
    /// The socket's, when it is unusable: the node can't go on.
    pub(crate) fn pass(&mut self, shared: &Shared, now: Time) -> io::Result<Pass> {
        self.pass_after(shared, now, true)
    }

    /// One pass, after a sleep that told whether packets have come: a shard that was roused by another, or by its owner,
    /// most often has none.
    ///
    /// # Errors
    /// As [`pass`](Self::pass).
    pub(crate) fn pass_after(&mut self, shared: &Shared, now: Time, packets: bool) -> io::Result<Pass> {
        let mut again = packets && self.receive(shared, now)?;
        again |= self.take_in(now);
        self.take_orders(shared, now);
        if self.engine.next_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        self.cross_early(shared, now);
        let blocked = match self.transmit(shared, now)? {
            Sending::Done => false,
            Sending::More => {
                again = true;
                false
            }
            Sending::Blocked => true,
        };
        self.deliver(shared, now);
        self.cross(now);
        Ok(Pass { again, blocked, next: self.engine.next_timeout() })
    }

    /// A pass without a socket: `arrivals` in, everything that leaves out. When the next is due at the latest.
    pub(crate) fn exchange<'a>(
        &mut self,
        shared: &Shared,
        now: Time,
        arrivals: impl Iterator<Item = Packet<'a>>,
        departures: &mut dyn FnMut(&Transmit, &[u8]),
    ) -> Option<Time> {
        for packet in arrivals {
            self.engine.handle(now, packet);
        }
        self.take_orders(shared, now);
        if self.engine.next_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        let bytes = &mut self.out.bytes;
        loop {
            bytes.clear();
            let Some(transmit) = self.engine.poll_transmit(now, bytes) else { break };
            departures(&transmit, bytes);
        }
        self.deliver(shared, now);
        self.engine.next_timeout()
    }

    /// Takes in what arrived; true if there may be more.
    fn receive(&mut self, shared: &Shared, now: Time) -> io::Result<bool> {
        let Worker { engine, recv, shard, .. } = self;
        let Some(socket) = &shared.socket else { return Ok(false) };
        for _ in 0..RECEIVES {
            shared.counters.receives.fetch_add(1, Ordering::Relaxed);
            let got = socket.recv(recv, |datagram| {
                if let Some(shard) = shard {
                    let owner = shard.steering.of_packet(datagram.payload);
                    if owner != shard.index {
                        return shard.hand_over(owner, &datagram, &shared.counters);
                    }
                }
                engine.handle(
                    now,
                    Packet {
                        from: datagram.from,
                        local: datagram.local,
                        ecn: datagram.ecn.map(Ecn::bits),
                        payload: datagram.payload,
                    },
                );
            });
            match got {
                Ok(_) if !recv.was_full() => return Ok(false),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    fn take_orders(&mut self, shared: &Shared, now: Time) {
        // Some are left only when an engine failed over one of them.
        if self.orders.is_empty() {
            shared.inbox.take(&mut self.orders);
            self.orders.reverse();
        }
        while let Some(order) = self.orders.pop() {
            self.execute(order, now);
        }
    }

    fn execute(&mut self, order: Order, now: Time) {
        let command = match order {
            Order::Command(command) => command,
            Order::Subscribe(id, place, config, feed) => {
                let room = feed.text_room(false);
                self.feeds.insert(id, feed);
                let command = Command::Subscribe(id, place, config);
                self.note(&command);
                self.engine.command(now, command);
                Command::TextRoom(id, room)
            }
            Order::Drained(id) => match self.feeds.get(&id) {
                Some(feed) => Command::TextRoom(id, feed.text_room(false)),
                None => return,
            },
        };
        match &command {
            Command::OpenLink(link, _) => {
                self.links.insert(*link);
            }
            Command::Unsubscribe(subscription) => {
                self.feeds.remove(subscription);
            }
            _ => {}
        }
        self.note(&command);
        if self.tap.is_some() {
            return self.execute_shown(command, now);
        }
        self.engine.command(now, command);
    }

    /// Notes what the owner asks of one of several shards.
    fn note(&mut self, command: &Command) {
        if let Some(shard) = &mut self.shard {
            shard.roster.order(command);
        }
    }

    /// Carries an order out before the eyes of the tap.
    fn execute_shown(&mut self, command: Command, now: Time) {
        let Some(tap) = &mut self.tap else { return };
        match command {
            Command::Send(out) => {
                let id = out.publication;
                let before = self.engine.newest(id);
                self.engine.command(now, Command::Send(out));
                if let Some(newest) = self.engine.newest(id).filter(|newest| Some(*newest) != before) {
                    tap.sent(now, id, newest.group, newest.object);
                }
            }
            command => {
                match &command {
                    Command::Publish(id, _, config, _) => tap.published(now, *id, config),
                    other => tap.order(now, other),
                }
                self.engine.command(now, command);
            }
        }
    }

    /// Sends what the engine has, in as few calls as there are batches.
    fn transmit(&mut self, shared: &Shared, now: Time) -> io::Result<Sending> {
        let Some(socket) = &shared.socket else { return Ok(Sending::Done) };
        for _ in 0..SENDS {
            if self.out.is_sent() {
                self.out.collect(&mut self.engine, now);
            }
            if self.out.is_sent() {
                return Ok(Sending::Done);
            }
            shared.counters.sends.fetch_add(1, Ordering::Relaxed);
            match self.out.send(socket) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Sending::Blocked),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Sending::More)
    }

    /// Hands events, then frames to the owner, and wakes it if there was any.
    fn deliver(&mut self, shared: &Shared, now: Time) {
        let mut frames = false;
        while let Some(event) = self.engine.poll_event() {
            self.observe(&event);
            if let Some(tap) = &mut self.tap {
                tap.event(now, &event);
            }
            self.events.push(NodeEvent::Engine(event));
        }
        if !self.events.is_empty() {
            shared.outbox.push(&mut self.events);
            shared.outbox.signal();
        }
        loop {
            while let Some(delivery) = self.engine.poll_delivery() {
                // A subscription that was ended may still have deliveries on their way; nobody could read them.
                if let Some(feed) = self.feeds.get(&delivery.subscription) {
                    if let Some(tap) = &mut self.tap {
                        tap.delivered(now, &delivery);
                    }
                    feed.push(&delivery, now);
                    frames = true;
                }
            }
            // What was delivered is in the feeds, so their room is what the engine counts on, or more.
            let Some(stalled) = self.engine.poll_stalled() else { break };
            if let Some(feed) = self.feeds.get(&stalled) {
                let room = feed.text_room(true);
                self.engine.command(now, Command::TextRoom(stalled, room));
            }
        }
        if frames {
            shared.outbox.signal_frames();
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Some(shard) = &mut self.shard {
            shard.roster.event(event);
        }
        match event {
            Event::LinkClosed { link, .. } => {
                self.links.remove(link);
            }
            Event::Auth { session, .. } | Event::SessionUp { session, .. } => {
                self.sessions.insert(*session);
                if self.sessions.len() >= self.sweep_at {
                    let engine = &mut self.engine;
                    self.sessions.retain(|session| engine.session_stats(*session).is_some());
                    self.sweep_at = 1024.max(self.sessions.len() * 2);
                }
            }
            Event::SessionDown { session, .. } => {
                self.sessions.remove(session);
            }
            _ => {}
        }
    }

    /// Ends the node's own publications; what is queued of them leaves with the next passes.
    pub(crate) fn finish(&mut self) {
        self.engine.finish();
    }

    /// Says goodbye to every link and session; the words leave with the next passes.
    pub(crate) fn end(&mut self, now: Time) {
        for link in std::mem::take(&mut self.links) {
            self.engine.command(now, Command::CloseLink(link, Reason::Local, String::new()));
        }
        for session in std::mem::take(&mut self.sessions) {
            let text = "the relay is closing".to_owned();
            self.engine.command(now, Command::CloseSession(session, Reason::GoingAway, text));
        }
    }

    /// Forgets every feed.
    pub(crate) fn release(&mut self) {
        self.feeds.clear();
    }
}

/// What a worker does as one of several shards.
impl Worker {
    /// Takes in what other shards sent; true if there is more.
    fn take_in(&mut self, now: Time) -> bool {
        let Worker { engine, shard: Some(shard), .. } = self else { return false };
        if let Some(fault) = &shard.fault {
            fault.check(shard.index);
        }
        let mut again = false;
        for line in &mut shard.lines {
            let (from, engine) = (line.shard, std::cell::RefCell::new(&mut *engine));
            again |= line.take(
                |parcel| engine.borrow_mut().handle_parcel(now, from, parcel),
                |stray| {
                    let Stray { from, local, ecn, payload } = &stray;
                    engine.borrow_mut().handle(now, Packet { from: *from, local: *local, ecn: *ecn, payload });
                },
            );
        }
        again
    }

    /// Before anything is sent to the network, so that the other shards need not wait for that. What the owner is to
    /// hear goes first: a session that another shard is told to be over was told to the owner before.
    fn cross_early(&mut self, shared: &Shared, now: Time) {
        if self.shard.is_some() {
            self.engine.settle(now);
            self.deliver(shared, now);
            self.cross(now);
        }
    }

    /// Everything that goes to other shards, as far as there is room.
    fn cross(&mut self, now: Time) {
        let Worker { engine, shard: Some(shard), .. } = self else { return };
        for line in &mut shard.lines {
            loop {
                let room = line.room();
                let mut put = 0;
                engine.cross(now, line.shard, room, |parcel| {
                    put += 1;
                    line.put(parcel);
                });
                if put < room || room == 0 {
                    if engine.waits_to_cross(line.shard) {
                        line.wait_for_room();
                    }
                    break;
                }
            }
            line.rouse();
        }
    }

    /// Whether other shards have sent something.
    pub(crate) fn has_arrivals(&self) -> bool {
        self.shard.as_ref().is_some_and(|shard| shard.lines.iter().any(Line::has_arrivals))
    }

    /// Whether something is on its way to other shards.
    pub(crate) fn is_crossing(&mut self) -> bool {
        let Worker { engine, shard: Some(shard), .. } = self else { return false };
        shard.lines.iter().any(|line| !line.is_empty() || engine.waits_to_cross(line.shard))
    }

    /// The engine's readings, with those of engines that were here before.
    pub(crate) fn engine_stats(&mut self) -> EngineStats {
        let mut stats = self.engine.stats();
        if let Some(shard) = &self.shard {
            stats += shard.past;
        }
        stats
    }

    /// The highest ids that the owner knows.
    pub(crate) fn last_ids(&self) -> (SessionId, cc_engine::TrackId) {
        self.shard.as_ref().map_or((0, 0), |shard| shard.roster.last())
    }

    /// Another engine takes the place of one that failed: the owner hears what ended with that, and the new one is asked
    /// for what is still wanted. The old engine is given back.
    pub(crate) fn begin_anew(&mut self, engine: Engine, shared: &Shared, now: Time, why: String) -> Engine {
        let failed = std::mem::replace(&mut self.engine, engine);
        self.out = Departures::default();
        self.links.clear();
        self.sessions.clear();
        let Some(shard) = &mut self.shard else { return failed };
        let mut events: Vec<NodeEvent> = std::mem::take(&mut self.events);
        events.extend(shard.roster.mourn().into_iter().map(NodeEvent::Engine));
        events.push(NodeEvent::Engine(Event::Warning { text: why }));
        shared.outbox.push(&mut events);
        shared.outbox.signal();
        for command in shard.roster.again() {
            if let Command::OpenLink(link, _) = &command {
                self.links.insert(*link);
            }
            self.engine.command(now, command);
        }
        for (id, feed) in &self.feeds {
            self.engine.command(now, Command::TextRoom(*id, feed.text_room(false)));
        }
        failed
    }

    /// Keeps the counts of an engine that is gone; what it held at the moment is no more.
    pub(crate) fn bury(&mut self, stats: EngineStats) {
        if let Some(shard) = &mut self.shard {
            shard.past += stats.counts();
        }
    }
}

impl Shard {
    fn hand_over(&mut self, owner: usize, datagram: &cc_udp::Received<'_>, counters: &Counters) {
        let Some(line) = self.lines.iter_mut().find(|line| line.shard == owner) else { return };
        let stray = Stray {
            from: datagram.from,
            local: datagram.local,
            ecn: datagram.ecn.map(Ecn::bits),
            payload: datagram.payload.into(),
        };
        let counter = if line.hand_over(stray) { &counters.handed_over } else { &counters.handed_lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How far [`Worker::transmit`] came.
enum Sending {
    Done,
    More,
    Blocked,
}

impl Departures {
    fn is_sent(&self) -> bool {
        self.sent == self.transmits.len()
    }

    /// Asks the engine for the next batch.
    fn collect(&mut self, engine: &mut Engine, now: Time) {
        self.transmits.clear();
        self.bytes.clear();
        self.sent = 0;
        self.sent_bytes = 0;
        while self.transmits.len() < TRANSMITS && self.bytes.len() < SEND_BYTES {
            match engine.poll_transmit(now, &mut self.bytes) {
                Some(transmit) => self.transmits.push(transmit),
                None => break,
            }
        }
    }

    /// Offers what is left of the batch with one call.
    fn send(&mut self, socket: &Socket) -> io::Result<()> {
        let mut at = self.sent_bytes;
        let batch: Vec<_> = self.transmits[self.sent..]
            .iter()
            .map(|transmit| {
                let payload = &self.bytes[at..at + transmit.len];
                at += transmit.len;
                cc_udp::Transmit {
                    to: transmit.to,
                    local: transmit.local,
                    ecn: transmit.ecn.and_then(Ecn::from_bits),
                    segment: transmit.segment,
                    payload,
                }
            })
            .collect();
        let taken = socket.send(&batch)?.min(batch.len());
        self.sent_bytes += self.transmits[self.sent..self.sent + taken].iter().map(|t| t.len).sum::<usize>();
        self.sent += taken;
        Ok(())
    }
}

/// When the CPU time of the driving thread was last published.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    read_at: Option<Time>,
}

/// How long a published reading stands, microseconds: a reading is a system call, and passes come in groups.
const CPU_READ_EVERY: Time = 2_000;

impl CpuMeter {
    /// Publishes a reading if the last one is old.
    pub(crate) fn publish(&mut self, counters: &Counters, now: Time) {
        if self.read_at.is_none_or(|at| now.saturating_sub(at) >= CPU_READ_EVERY) {
            self.read_at = Some(now);
            counters.cpu_us.store(cc_udp::thread_cpu_time().as_micros() as u64, Ordering::Relaxed);
        }
    }
}
