//! Driving connections: datagrams and timers in, packets out, and what QUIC and the session say in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use cc_fanout::queue::Queue;
use cc_session::Session;
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, EcnCodepoint, IdleTimeout, Incoming, MtuDiscoveryConfig,
    TransportConfig, VarInt,
};

use crate::api::{Packet, Time, Transmit};
use crate::carrier::Carrier;
use crate::congestion::{CongestionControl, Readings};
use crate::conn::{Conn, ConnIndex, Side, Stage};
use crate::handover::Handed;
use crate::limits::Limit;
use crate::siblings::QUEUE_SHARE;
use crate::{Congestion, Engine};

/// Bytes of datagrams that wait in quinn at most: what is handed over in one go.
const DATAGRAM_BUFFER: usize = 64 << 10;
/// Bytes of received datagrams that wait to be read.
const DATAGRAM_RECEIVE_BUFFER: usize = 1 << 20;
/// What is assumed of a path that nothing is known of: games' paths are short, and lost first packets cost a PTO.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Who is heard again after so long without a packet, with something in flight to them, may have been cut off.
const OUTAGE: Time = 500_000;

/// A bound as QUIC carries it; larger ones are cut to the largest.
pub(crate) fn var(bound: usize) -> VarInt {
    VarInt::from_u64(bound as u64).unwrap_or(VarInt::MAX)
}

fn ecn(bits: Option<u8>) -> Option<EcnCodepoint> {
    bits.and_then(EcnCodepoint::from_bits)
}

impl Engine {
    /// A datagram arrived.
    pub fn handle(&mut self, now: Time, packet: Packet<'_>) {
        self.clock.advance(now);
        self.stats.packets_in += 1;
        self.stats.bytes_in += packet.payload.len() as u64;
        let instant = self.instant(now);
        self.packet.clear();
        let event = self.endpoint.handle(
            instant,
            packet.from,
            packet.local,
            ecn(packet.ecn),
            BytesMut::from(packet.payload),
            &mut self.packet,
        );
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(conn) = self.conns.get_mut(handle.0) {
                    let Some(quic) = conn.carrier.quic() else { return };
                    quic.handle_event(event);
                    // A stateless reset is no sign of life.
                    if !quic.is_closed() {
                        // A window full of what an outage swallowed lets out nothing that would tell of it.
                        if now.saturating_sub(conn.heard) >= OUTAGE && conn.readings.in_flight() > 0 {
                            quic.ping();
                            conn.exceed_window(4);
                        }
                        conn.heard = now;
                    }
                    self.ready.want_service(handle.0, conn);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.incoming(incoming, now),
            Some(DatagramEvent::Response(transmit)) => self.answer(&transmit),
            None => {}
        }
    }

    /// Queues what was written to `self.packet` for no connection in particular.
    pub(crate) fn answer(&mut self, transmit: &quinn_proto::Transmit) {
        if self.answers.len() >= self.config.limits.answers {
            self.refused.met(Limit::Answers);
        } else {
            let bytes = self.packet[..transmit.size].to_vec();
            self.answers.push_back((transmit_of(transmit), bytes));
        }
    }

    fn incoming(&mut self, incoming: Incoming, now: Time) {
        let instant = self.instant(now);
        let Some(mut server) = self.server.clone() else { return self.endpoint.ignore(incoming) };
        let Some((incoming, knock)) = self.admit_stranger(incoming, now) else { return };
        let remote = incoming.remote_address();
        self.packet.clear();
        let (transport, readings) = self.transport(true);
        server.transport_config(Arc::new(transport));
        match self.endpoint.accept(incoming, instant, &mut self.packet, Some(Arc::new(server))) {
            Ok((handle, quic)) => {
                let session = self.next_session;
                self.next_session += self.siblings.session_step();
                self.sessions.insert(session, handle.0);
                self.add_conn(handle.0, Carrier::Quic(quic), Side::Session(session), readings, remote, now);
                if let Some(conn) = self.conns.get_mut(handle.0) {
                    conn.knock = Some(Box::new(knock));
                }
            }
            Err(error) => {
                self.door.left(knock);
                self.stats.malformed += 1;
                if let Some(transmit) = error.response {
                    self.answer(&transmit);
                }
            }
        }
    }

    /// Dials for a link.
    pub(crate) fn connect(
        &mut self,
        side: Side,
        crypto: Arc<dyn quinn_proto::crypto::ClientConfig>,
        address: SocketAddr,
        server_name: &str,
        now: Time,
    ) -> Result<ConnIndex, String> {
        let (transport, readings) = self.transport(false);
        let mut config = ClientConfig::new(crypto);
        config.transport_config(Arc::new(transport));
        let id: [u8; 8] = self.random();
        config.initial_dst_cid_provider(Arc::new(move || quinn_proto::ConnectionId::new(&id)));
        let instant = self.instant(now);
        let (handle, quic) =
            self.endpoint.connect(instant, config, address, server_name).map_err(|error| error.to_string())?;
        self.add_conn(handle.0, Carrier::Quic(quic), side, readings, address, now);
        Ok(handle.0)
    }

    pub(crate) fn transport(&self, server: bool) -> (TransportConfig, Arc<Readings>) {
        let limits = &self.config.limits;
        let control = match self.config.congestion {
            Congestion::Realtime => CongestionControl::Realtime,
            Congestion::Cubic => CongestionControl::Cubic,
            Congestion::Bbr => CongestionControl::Bbr,
        };
        let (factory, readings) = control.factory();
        let mut transport = TransportConfig::default();
        let streams = var(limits.streams_initial.min(limits.streams_max));
        // A stranger may send little; whom this side dialled, or has admitted, more.
        let receive = if server { limits.parked_bytes.min(limits.receive_bytes) } else { limits.receive_bytes };
        let keep_alive =
            if server { self.config.keep_alive } else { self.config.keep_alive.min(crate::link::SILENCE / 3) };
        transport
            .congestion_controller_factory(factory)
            .max_concurrent_bidi_streams(streams)
            .max_concurrent_uni_streams(streams)
            .max_idle_timeout(IdleTimeout::try_from(Duration::from_micros(self.config.idle_timeout)).ok())
            .keep_alive_interval(Some(Duration::from_micros(keep_alive)))
            .stream_receive_window(VarInt::from_u32(1 << 20))
            .receive_window(var(receive))
            .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BUFFER))
            .datagram_send_buffer_size(DATAGRAM_BUFFER)
            .send_fairness(false)
            .initial_rtt(INITIAL_RTT)
            .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
            .allow_spin(false);
        #[cfg(feature = "qlog")]
        if let Some(open) = &self.qlog {
            crate::qlog::set_up(open, server, self.instant(0), &mut transport);
        }
        (transport, readings)
    }

    pub(crate) fn add_conn(
        &mut self,
        at: ConnIndex,
        mut carrier: Carrier,
        side: Side,
        readings: Arc<Readings>,
        remote: SocketAddr,
        now: Time,
    ) {
        let limits = &self.config.limits;
        let share = if matches!(side, Side::Sibling { .. }) { QUEUE_SHARE } else { 1 };
        let queue = Queue::new(cc_fanout::queue::Limits {
            session_bytes: limits.session_bytes.saturating_mul(share),
            track_bytes: limits.track_bytes,
            subgroup_bytes: limits.subgroup_bytes,
        });
        let datagram_space = carrier.quic().map_or(0, |quic| quic.datagrams().send_buffer_space());
        let conn = Conn {
            handle: ConnectionHandle(at),
            carrier,
            side,
            uplink: matches!(side, Side::Link(id) if self.links.get(&id).is_some_and(|link| link.config.uplink)),
            stage: Stage::Handshake,
            profile: self.config.profiles[0],
            session: None,
            queue,
            readings,
            remote,
            heard: now,
            stamp: None,
            expires: Time::MAX,
            suggested_peer: String::new(),
            roles: Default::default(),
            sinks: Default::default(),
            has_endings: false,
            sending: Default::default(),
            sending_back: Default::default(),
            receiving: Default::default(),
            fetching: Default::default(),
            refreshing: None,
            tokens: Default::default(),
            announcing: Default::default(),
            timer: None,
            wants_service: false,
            wants_send: false,
            handed: (0, 0),
            beyond: Default::default(),
            datagram_space,
            objects_in: 0,
            drops: None,
            knock: None,
            assembling: 0,
            permitted: [limits.streams_initial.min(limits.streams_max); 2],
        };
        self.conns.insert(at, conn);
        self.touch(at);
    }

    /// Timers are due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.clock.advance(now);
        let instant = self.instant(now);
        while let Some(((due, id), _)) = self.timers.top() {
            if due > now {
                break;
            }
            self.timers.remove(id);
            let at = id as ConnIndex;
            let Some(conn) = self.conns.get_mut(at) else { continue };
            conn.timer = None;
            if let Some(quic) = conn.carrier.quic() {
                if quic.poll_timeout().is_some_and(|timer| timer <= instant) {
                    quic.handle_timeout(instant);
                }
            }
            if let Some(session) = conn.session.as_mut() {
                if session.poll_timeout().is_some_and(|timer| timer <= now) {
                    session.on_timeout(now);
                }
            }
            conn.queue.expire(now);
            self.ready.want_service(at, conn);
            self.admission_timeout(at, now);
        }
        self.links_timeout(now);
        self.text_timeout(now);
        self.fills_timeout(now);
        self.joins_timeout(now);
        self.repeats_timeout(now);
        self.seek_timeout(now);
        self.goaway_timeout(now);
    }

    /// When `handle_timeout` is next to be called.
    pub fn next_timeout(&mut self) -> Option<Time> {
        let connection = self.timers.top().map(|((due, _), _)| due);
        let link = self.links_due();
        let text = self.held_text.first();
        let fill = self.fill_timers.first().map(|(due, ..)| *due);
        let join = self.joins.first().map(|(due, ..)| *due);
        let seek = self.seek_timers.first().map(|(due, _)| *due);
        let repeat = self.next_repeat();
        [connection, link, text, fill, join, repeat, seek, self.leave_at].into_iter().flatten().min()
    }

    /// The next datagrams to send, appended to `buf`; none when there is nothing to send now.
    pub fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.clock.advance(now);
        if let Some((transmit, bytes)) = self.answers.pop_front() {
            buf.extend_from_slice(&bytes);
            self.sent(&transmit);
            return Some(transmit);
        }
        loop {
            while let Some(at) = self.ready.service.pop_front() {
                self.service(at, now);
            }
            let at = *self.ready.send.front()?;
            if let Some(transmit) = self.pump(at, now) {
                buf.extend_from_slice(&self.packet[..transmit.len]);
                self.sent(&transmit);
                return Some(transmit);
            }
            self.ready.send.pop_front();
            self.rest(at, now);
        }
    }

    fn sent(&mut self, transmit: &Transmit) {
        let segment = transmit.segment.unwrap_or(transmit.len).max(1);
        self.stats.packets_out += transmit.len.div_ceil(segment) as u64;
        self.stats.bytes_out += transmit.len as u64;
    }

    /// One transmit of a connection: first what QUIC has itself, then what is handed over to it. Where the window takes
    /// all of it, the order is no matter, and acknowledgements go in the packets of what is handed over.
    fn pump(&mut self, at: ConnIndex, now: Time) -> Option<Transmit> {
        let instant = self.instant(now);
        let segments = self.config.max_segments.max(1);
        let conn = self.conns.get_mut(at)?;
        if conn.is_at_ease() {
            conn.hand_over(now);
        }
        loop {
            self.packet.clear();
            let quic = conn.carrier.quic();
            if let Some(transmit) = quic.and_then(|quic| quic.poll_transmit(instant, segments, &mut self.packet)) {
                return Some(transmit_of(&transmit));
            }
            if conn.hand_over(now) == Handed::Nothing {
                return None;
            }
        }
    }

    /// Nothing more to send for now: timers are set, ended tracks concluded.
    pub(crate) fn rest(&mut self, at: ConnIndex, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.wants_send = false;
        if conn.conclude() {
            self.ready.want_service(at, conn);
        }
        self.set_timer(at);
        self.continue_answers(at, now);
    }

    fn set_timer(&mut self, at: ConnIndex) {
        let epoch = self.config.epoch;
        let Some(conn) = self.conns.get_mut(at) else { return };
        let quic = conn.carrier.quic().and_then(|quic| quic.poll_timeout()).map(|timer| {
            let since = timer.saturating_duration_since(epoch).as_nanos().div_ceil(1000);
            since.min(u128::from(Time::MAX)) as Time
        });
        let session = conn.session.as_ref().and_then(Session::poll_timeout);
        let queue = conn.queue.next_timeout();
        let stage = match conn.stage {
            Stage::Handshake => conn.knock.as_deref().and_then(crate::door::Knock::deadline),
            Stage::Parked { until } => Some(until),
            Stage::Up => {
                Some(conn.expires).filter(|end| *end < Time::MAX).into_iter().chain(conn.tokens.next_timeout()).min()
            }
            _ => None,
        };
        let next = [quic, session, queue, stage, conn.beyond.due()].into_iter().flatten().min();
        if next != conn.timer {
            conn.timer = next;
            // QUIC numbers its connections from 0.
            let id = at as u32;
            match next {
                Some(due) => self.timers.set(id, (due, id)),
                None => self.timers.remove(id),
            }
        }
    }
}

fn transmit_of(transmit: &quinn_proto::Transmit) -> Transmit {
    Transmit {
        to: transmit.destination,
        local: transmit.src_ip,
        ecn: transmit.ecn.map(|ecn| ecn as u8),
        segment: transmit.segment_size,
        len: transmit.size,
    }
}
