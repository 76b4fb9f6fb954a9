//! Both ends of a real QUIC connection over a simulated link in virtual time:
//! quinn's pacer, loss detection and acknowledgements around the controllers.
//! The sender hands over as the engine does: one datagram is always handed
//! over and unsent while frames wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig, ServerConfig, StreamId,
    TransportConfig, VarInt,
};

use super::sim::Random;
use super::{CongestionControl, Readings};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const SEND_BUFFER: usize = 64 * 1024;
/// Frames that waited longer are dropped, unsent.
const DEADLINE: Duration = Duration::from_millis(100);

struct Side {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    addr: SocketAddr,
}

struct Path {
    /// Bits a second, client to server.
    rate: u64,
    one_way: Duration,
    /// Client to server, permille.
    loss: u64,
}

/// When it arrives, its serial number, at whom, and the bytes.
type Flight = (Instant, u64, usize, Vec<u8>);

struct Pair {
    sides: [Side; 2],
    path: Path,
    now: Instant,
    start: Instant,
    random: Random,
    wire: BinaryHeap<Reverse<Flight>>,
    serial: u64,
    free_at: Instant,
    waiting: VecDeque<(Instant, Bytes)>,
    offered: u64,
    delivered: Vec<Duration>,
    delivered_bytes: u64,
    readings: Arc<Readings>,
    /// What an empty datagram buffer has room for.
    empty: usize,
    /// Bytes of a stream beside the datagrams that are still to be written, and those that came.
    bulk: usize,
    bulk_stream: Option<StreamId>,
    bulk_read: usize,
}

/// What a tick offers.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// So many bytes a second, in datagrams of 200 to 1100.
    Game(u64),
    /// One datagram of 100 bytes, which never expires.
    Beat,
}

impl Pair {
    fn new(which: CongestionControl, path: Path, seed: u64) -> Pair {
        let start = Instant::now();
        let (controllers, readings) = which.factory();
        let mut transport = TransportConfig::default();
        transport
            .congestion_controller_factory(controllers)
            .datagram_send_buffer_size(SEND_BUFFER)
            .datagram_receive_buffer_size(Some(1 << 20));

        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let der = certificate.cert.der().clone();
        let key = certificate.signing_key.serialize_der();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.into());
        let mut server = ServerConfig::with_single_cert(vec![der.clone()], key).unwrap();
        let mut receiving = TransportConfig::default();
        receiving
            .datagram_receive_buffer_size(Some(1 << 20))
            .receive_window(VarInt::from_u32(16 << 20))
            .stream_receive_window(VarInt::from_u32(16 << 20));
        server.transport_config(Arc::new(receiving));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der).unwrap();
        let mut client = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
        client.transport_config(Arc::new(transport));

        let side = |server, port: u16, n| Side {
            endpoint: Endpoint::new(Arc::new(EndpointConfig::default()), server, true, Some([seed as u8 + n; 32])),
            connection: None,
            addr: SocketAddr::from(([10, 0, 0, 1], port)),
        };
        let mut sides = [side(None, 1, 0), side(Some(Arc::new(server)), 2, 1)];
        let to = sides[SERVER].addr;
        let connection = sides[CLIENT].endpoint.connect(start, client, to, "localhost");
        let (handle, mut connection) = connection.unwrap();
        let empty = connection.datagrams().send_buffer_space();
        sides[CLIENT].connection = Some((handle, connection));
        Pair {
            sides,
            path,
            now: start,
            start,
            random: Random::new(seed),
            wire: BinaryHeap::new(),
            serial: 0,
            free_at: start,
            waiting: VecDeque::new(),
            offered: 0,
            delivered: Vec::new(),
            delivered_bytes: 0,
            readings,
            empty,
            bulk: 0,
            bulk_stream: None,
            bulk_read: 0,
        }
    }

    fn play(&mut self, rate: u64, duration: Duration) {
        self.run(Load::Game(rate), duration);
    }

    /// Runs for `duration`, offering `load` 60 ticks a second.
    fn run(&mut self, load: Load, duration: Duration) {
        let end = self.now + duration;
        let tick = Duration::from_secs(1) / 60;
        let (mut next_tick, mut credit) = (self.now, 0);
        while self.now < end {
            if self.now >= next_tick {
                next_tick += tick;
                match load {
                    Load::Game(rate) => credit = self.offer(credit + rate / 60),
                    Load::Beat => self.frame(100),
                }
            }
            self.deliver();
            for side in [CLIENT, SERVER] {
                self.drive(side);
            }
            let wire = self.wire.peek().map(|Reverse(w)| w.0);
            let timers = self.sides.iter_mut().map(|s| {
                let connection = s.connection.as_mut();
                connection.and_then(|(_, c)| c.poll_timeout())
            });
            let next = timers.flatten().chain(wire).min().unwrap_or(end);
            self.now = next.min(next_tick).min(end).max(self.now);
        }
    }

    fn offer(&mut self, mut credit: u64) -> u64 {
        loop {
            let bytes = 200 + self.random.below(901);
            if credit < bytes {
                return credit;
            }
            credit -= bytes;
            self.frame(bytes as usize);
        }
    }

    fn frame(&mut self, bytes: usize) {
        // It carries the time it was made.
        let made = (self.now - self.start).as_micros() as u64;
        let mut frame = BytesMut::zeroed(bytes);
        frame[..8].copy_from_slice(&made.to_be_bytes());
        self.waiting.push_back((self.now, frame.freeze()));
        self.offered += 1;
    }

    /// Writes what the stream takes, unsent and unacknowledged together, as the engine does.
    fn write_bulk(&mut self) {
        let (_, connection) = self.sides[CLIENT].connection.as_mut().unwrap();
        if self.bulk == 0 || connection.is_handshaking() {
            return;
        }
        connection.set_send_window(self.readings.stream_window(1200));
        let stream = *self.bulk_stream.get_or_insert_with(|| connection.streams().open(Dir::Uni).unwrap());
        let chunk = [5; 4096];
        while self.bulk > 0 {
            match connection.send_stream(stream).write(&chunk[..self.bulk.min(chunk.len())]) {
                Ok(taken) if taken > 0 => self.bulk -= taken,
                _ => break,
            }
        }
    }

    fn deliver(&mut self) {
        while self.wire.peek().is_some_and(|Reverse(w)| w.0 <= self.now) {
            let Some(Reverse((_, _, to, bytes))) = self.wire.pop() else {
                return;
            };
            let from = self.sides[1 - to].addr;
            let side = &mut self.sides[to];
            let mut answer = Vec::new();
            let data = BytesMut::from(&bytes[..]);
            let event = side.endpoint.handle(self.now, from, None, None, data, &mut answer);
            match event {
                Some(DatagramEvent::ConnectionEvent(_, event)) => {
                    side.connection.as_mut().unwrap().1.handle_event(event);
                }
                Some(DatagramEvent::NewConnection(incoming)) => {
                    let accepted = side.endpoint.accept(incoming, self.now, &mut answer, None);
                    side.connection = Some(accepted.map_err(|e| e.cause).unwrap());
                }
                Some(DatagramEvent::Response(_)) | None => {}
            }
        }
    }

    fn drive(&mut self, at: usize) {
        let now = self.now;
        let side = &mut self.sides[at];
        let Some((handle, connection)) = side.connection.as_mut() else {
            return;
        };
        if connection.poll_timeout().is_some_and(|t| t <= now) {
            connection.handle_timeout(now);
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = side.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        while connection.poll().is_some() {}
        if at == SERVER {
            if self.bulk_stream.is_none() {
                self.bulk_stream = connection.streams().accept(Dir::Uni);
            }
            if let Some(stream) = self.bulk_stream {
                let mut stream = connection.recv_stream(stream);
                let chunks = stream.read(true);
                if let Ok(mut chunks) = chunks {
                    while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                        self.bulk_read += chunk.bytes.len();
                    }
                    let _ = chunks.finalize();
                }
            }
        }
        while let Some(frame) = connection.datagrams().recv() {
            let made = u64::from_be_bytes(frame[..8].try_into().unwrap());
            let made = self.start + Duration::from_micros(made);
            self.delivered.push(now - made);
            self.delivered_bytes += frame.len() as u64;
        }
        self.transmit(at);
    }

    fn transmit(&mut self, at: usize) {
        loop {
            let now = self.now;
            if at == CLIENT {
                self.write_bulk();
            }
            let (_, connection) = self.sides[at].connection.as_mut().unwrap();
            let mut packet = Vec::new();
            while connection.poll_transmit(now, 1, &mut packet).is_some() {
                let bytes = std::mem::take(&mut packet);
                let wire = bytes.len() as u64 + 28;
                let mut arrives = now;
                if at == CLIENT {
                    let time = Duration::from_nanos(wire * 8_000_000_000 / self.path.rate);
                    self.free_at = self.free_at.max(now) + time;
                    arrives = self.free_at;
                    if self.random.below(1000) < self.path.loss {
                        continue;
                    }
                }
                self.serial += 1;
                let arrives = arrives + self.path.one_way;
                self.wire.push(Reverse((arrives, self.serial, 1 - at, bytes)));
            }
            let expired = |w: &(Instant, Bytes)| now - w.0 > DEADLINE && w.1.len() > 100;
            while self.waiting.front().is_some_and(expired) {
                self.waiting.pop_front();
            }
            let handed_over = connection.datagrams().send_buffer_space() < self.empty;
            if at == SERVER || connection.is_handshaking() || handed_over {
                return;
            }
            let Some((_, frame)) = self.waiting.pop_front() else {
                return;
            };
            connection.datagrams().send(frame, false).unwrap();
        }
    }

    /// Forgets what was counted so far.
    fn reset(&mut self) {
        self.offered = 0;
        self.delivered.clear();
        self.delivered_bytes = 0;
    }

    fn share(&self) -> f64 {
        self.delivered.len() as f64 / self.offered as f64
    }

    fn latency(&mut self, percent: usize) -> Duration {
        self.delivered.sort_unstable();
        self.delivered[(self.delivered.len() - 1) * percent / 100]
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn path(rate: u64, one_way_ms: u64, loss: u64) -> Path {
    Path { rate, one_way: Duration::from_millis(one_way_ms), loss }
}

#[test]
fn game_traffic_gets_through_quinn_with_and_without_loss() {
    for (loss, least) in [(0, 0.99), (50, 0.90)] {
        let mut pair = Pair::new(CongestionControl::Realtime, path(100_000_000, 40, loss), 3);
        pair.play(0, seconds(1));
        pair.play(240_000, seconds(10));
        let share = pair.share();
        assert!(share >= least, "loss {loss}: {share}");
        let p99 = pair.latency(99);
        assert!(p99 < Duration::from_millis(60), "loss {loss}: {p99:?}");
        let readings = &pair.readings;
        assert!(readings.window() > 20_000, "{}", readings.window());
        assert!(readings.min_rtt() >= Duration::from_millis(80));
    }
}

#[test]
fn an_overloaded_link_keeps_a_short_queue_under_quinn() {
    let mut pair = Pair::new(CongestionControl::Realtime, path(10_000_000, 20, 0), 4);
    pair.play(2_500_000, seconds(5));
    pair.reset();
    pair.play(2_500_000, seconds(10));
    let used = pair.delivered_bytes as f64 * 8.0 / 1e8;
    let queue = pair.readings.queue_delay();
    assert!(used > 0.8, "{used}");
    assert!(queue < Duration::from_millis(8), "{queue:?}");
}

/// 3 MiB on a stream, as a late joiner is sent, beside frames, at a round trip of 200 ms: the time it took, and the
/// 50th and 99th percentile of the frames' wait beyond the idle path's.
fn join(which: CongestionControl, rate: u64) -> (Duration, Duration, Duration) {
    let mut pair = Pair::new(which, path(rate, 100, 0), 6);
    pair.run(Load::Beat, seconds(5));
    pair.reset();
    pair.bulk = 3 << 20;
    let began = pair.now;
    while pair.bulk_read < 3 << 20 {
        pair.run(Load::Beat, Duration::from_millis(100));
        assert!(pair.now < began + seconds(20), "{} bytes came", pair.bulk_read);
    }
    let took = pair.now - began;
    let idle = Duration::from_millis(100);
    (took, pair.latency(50) - idle, pair.latency(99) - idle)
}

/// What a frame waits for at most is a burst of the pacer while the window is small, and a short queue once.
#[test]
fn a_join_burst_does_not_stall_the_frames() {
    for (megabits, most, seconds) in [(5, 45, 8), (20, 45, 3), (100, 45, 2)] {
        let (took, p50, p99) = join(CongestionControl::Realtime, megabits * 1_000_000);
        eprintln!("{megabits} took {took:?}, p50 +{p50:?}, p99 +{p99:?}");
        assert!(p99 < Duration::from_millis(most), "{megabits} Mbit/s: {p99:?}");
        assert!(p50 < Duration::from_millis(10), "{megabits} Mbit/s: {p50:?}");
        assert!(took <= Duration::from_secs(seconds), "{megabits} Mbit/s: {took:?}");
    }
}

#[test]
fn quinns_own_controllers_report_alike() {
    for which in [CongestionControl::Cubic, CongestionControl::Bbr] {
        let mut pair = Pair::new(which, path(20_000_000, 20, 10), 5);
        pair.play(240_000, seconds(3));
        let r = &pair.readings;
        let (_, connection) = pair.sides[CLIENT].connection.as_ref().unwrap();
        assert_eq!(r.window(), connection.stats().path.cwnd);
        assert!(r.send_rate() > 0 && r.in_flight() > 0);
        assert!((40..45).contains(&(r.min_rtt().as_millis() as u64)));
        assert!((1..50).contains(&r.loss_permille()), "{}", r.loss_permille());
    }
}
