//! What QUIC and the session of one connection have to say, from the handshake to the end.

use cc_fanout::queue::TrackKey;
use cc_session::{Config as SessionConfig, Event as SessionEvent, Session, Transport};
use cc_wire::{codes, Profile};
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{Dir, Event as QuicEvent, StreamEvent};

use crate::api::{Place, Reason, Time};
use crate::close;
use crate::conn::{Closing, Conn, ConnIndex, Role, Sending, Side, Stage};
use crate::limits::Limit;
use crate::quic::{session_dir, session_stream};
use crate::readings;
use crate::requests::At;
use crate::Engine;

impl Engine {
    /// Handles all that QUIC and the session have to say.
    pub(crate) fn service(&mut self, at: ConnIndex, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.wants_service = false;
        let handle = conn.handle;
        let mut drained = false;
        if let Some(quic) = conn.carrier.quic() {
            while let Some(event) = quic.poll_endpoint_events() {
                drained |= event.is_drained();
                if let Some(event) = self.endpoint.handle_event(handle, event) {
                    quic.handle_event(event);
                }
            }
        }
        while let Some(event) = self.conns.get_mut(at).and_then(|conn| conn.carrier.quic()?.poll()) {
            self.quic_event(at, event, now);
        }
        self.session_events(at, now);
        let Some(conn) = self.conns.get_mut(at) else { return };
        if drained {
            return self.forget(at);
        }
        if let Some(session) = conn.session.as_mut() {
            session.flush(&mut conn.carrier, now);
        }
        self.account(at);
        // A flush can end requests: their events come now, and what those answer goes with the next service.
        self.session_events(at, now);
        if !self.leaving.is_empty() {
            self.offer_freed(at, now);
        }
        if let Some(conn) = self.conns.get_mut(at) {
            self.ready.want_send(at, conn);
        }
    }

    pub(crate) fn session_events(&mut self, at: ConnIndex, now: Time) {
        loop {
            let Some(conn) = self.conns.get_mut(at) else { return };
            if conn.stage == Stage::Closed {
                return;
            }
            let Some(event) = conn.session.as_mut().and_then(Session::poll_event) else { return };
            match event {
                SessionEvent::Setup(options) => match conn.side {
                    Side::Session(_) => self.setup_received(at, options, now),
                    Side::Link(link) => self.link_up(link, at, &options, now),
                    Side::Sibling { .. } => self.sibling_up(at, now),
                },
                SessionEvent::Fatal { code, reason } => {
                    self.stats.malformed += 1;
                    match code {
                        codes::session::AUTH_TOKEN_CACHE_OVERFLOW => self.refused.met(Limit::TokenBytes),
                        codes::session::TOO_MANY_REQUEST_UPDATES => self.refused.met(Limit::RequestUpdates),
                        _ => {}
                    }
                    let instant = self.instant(now);
                    if let Some(conn) = self.conns.get_mut(at) {
                        let text = bytes::Bytes::copy_from_slice(reason.as_bytes());
                        if let Some(quic) = conn.carrier.quic() {
                            quic.close(instant, crate::quic::quic_code(code), text);
                        }
                    }
                    let why = match code {
                        codes::session::INTERNAL_ERROR => Reason::Internal,
                        _ => Reason::Protocol,
                    };
                    let text = format!("the other side broke the protocol: {reason}");
                    let sibling = self.conns.get(at).map(|conn| conn.side);
                    self.lost(at, Closing { reason: why, code, text: text.clone() }, now);
                    if let Some(Side::Sibling { shard, .. }) = sibling {
                        self.warn(|| format!("the session with shard {shard} begins anew: {text}"));
                        return self.sibling_broke(shard, now);
                    }
                }
                event => self.session_event(at, event, now),
            }
        }
    }

    fn quic_event(&mut self, at: ConnIndex, event: QuicEvent, now: Time) {
        match event {
            QuicEvent::HandshakeDataReady | QuicEvent::DatagramsUnblocked => {}
            QuicEvent::Connected => self.connected(at, now),
            QuicEvent::ConnectionLost { reason } => {
                let (reason, code, text) = close::of_connection(&reason);
                self.lost(at, Closing { reason, code, text }, now);
            }
            QuicEvent::DatagramReceived => loop {
                let Some(conn) = self.conns.get_mut(at) else { return };
                let Some(datagram) = conn.carrier.quic().and_then(|quic| quic.datagrams().recv()) else { return };
                let object = conn.session.as_mut().and_then(|session| session.datagram(datagram, now));
                if let Some((key, header, payload)) = object {
                    self.datagram_came(at, key, header, payload, now);
                }
            },
            QuicEvent::Stream(event) => self.stream_event(at, event, now),
        }
    }

    /// What a session holds in parts counts towards what all of them hold, and what these leave bounds it.
    fn account(&mut self, at: ConnIndex) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let held = conn.session.as_ref().map_or(0, Session::assembly_bytes);
        let others = self.assembling - std::mem::replace(&mut conn.assembling, held);
        self.assembling = others + held;
        if let Some(session) = conn.session.as_mut() {
            let limits = &self.config.limits;
            session.limit_assembly(limits.assembly_bytes.min(limits.assembly_total.saturating_sub(others)));
        }
    }

    fn stream_event(&mut self, at: ConnIndex, event: StreamEvent, now: Time) {
        self.account(at);
        let Some(conn) = self.conns.get_mut(at) else { return };
        let Some(session) = conn.session.as_mut() else { return };
        let transport = &mut conn.carrier;
        match event {
            StreamEvent::Opened { dir } => {
                while let Some(id) = transport.quic().and_then(|quic| quic.streams().accept(dir)) {
                    session.on_opened(session_stream(id), session_dir(dir), transport, now);
                }
                if conn.stage == Stage::Up {
                    conn.permit(dir, self.config.limits.streams_max);
                }
            }
            StreamEvent::Readable { id } => {
                session.on_readable(session_stream(id), transport, now);
            }
            StreamEvent::Writable { id } => {
                if !session.on_writable(session_stream(id), transport, now) {
                    conn.writable(session_stream(id));
                }
            }
            StreamEvent::Stopped { id, error_code } => {
                if !session.on_stopped(session_stream(id), error_code.into_inner(), transport, now) {
                    conn.stopped(session_stream(id));
                }
            }
            StreamEvent::Finished { id } => {
                self.stream_through(at, session_stream(id));
            }
            StreamEvent::Available { dir } => {
                session.on_stream_credit(session_dir(dir), transport, now);
                if dir == Dir::Uni {
                    conn.queue.unblock_opening();
                }
            }
        }
    }

    /// All of a data stream has reached the other end.
    pub(crate) fn stream_through(&mut self, at: ConnIndex, stream: cc_session::StreamId) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if let Some(sending) = conn.sending_back.remove(&stream) {
            conn.sending.remove(sending.subgroup);
            conn.queue.delivered(sending.subgroup);
            conn.answered(sending);
            self.stream_arrived(sending.track, sending.group);
        }
    }

    /// The handshake is complete: the draft is known, and SETUP begins.
    fn connected(&mut self, at: ConnIndex, now: Time) {
        if !self.let_in(at, now) {
            return;
        }
        let limits = &self.config.limits;
        let Some(conn) = self.conns.get_mut(at) else { return };
        let chosen = conn
            .carrier
            .quic()
            .and_then(|quic| quic.crypto_session().handshake_data())
            .and_then(|data| data.downcast::<HandshakeData>().ok())
            .and_then(|data| data.protocol)
            .and_then(|alpn| Profile::from_alpn(&alpn));
        let Some(profile) = chosen else {
            return self.close_conn(at, Reason::Version, "no draft of MoQT was chosen", now);
        };
        conn.profile = profile;
        conn.stage = Stage::Setup;
        let role = match conn.is_dialled() {
            false => cc_session::Role::Server,
            true => cc_session::Role::Client,
        };
        let mut config = SessionConfig::new(role, profile);
        config.limits = cc_session::Limits {
            requests: limits.requests,
            subscriptions: match conn.side {
                // The engine counts a session's tracks, and what it refuses.
                Side::Session(_) | Side::Sibling { .. } => limits.requests,
                Side::Link(_) => limits.subscriptions_per_session,
            },
            data_streams: limits.streams_max,
            object_bytes: limits.object_bytes as u64,
            assembly_bytes: limits.assembly_bytes,
            unknown_alias_bytes: limits.early_bytes,
            unknown_alias_streams: limits.early_streams,
            updates: limits.updates,
            token_bytes: limits.token_bytes as u64,
            ..config.limits
        };
        conn.session = Some(Session::new(config, now));
        if let Side::Link(link) = conn.side {
            let options = self.link_setup(link);
            self.with_session(at, |session| session.setup(options));
        }
    }

    /// A connection is over, on whichever side; QUIC still drains.
    pub(crate) fn lost(&mut self, at: ConnIndex, closing: Closing, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.stage == Stage::Closed {
            return;
        }
        if matches!(conn.stage, Stage::Parked { .. }) {
            self.parked -= 1;
        }
        let relay = conn.uplink || conn.session.as_ref().is_some_and(Session::between_relays);
        conn.stage = Stage::Closed;
        if let Some(knock) = conn.knock.as_mut() {
            self.door.shaken(knock);
        }
        let side = conn.side;
        self.leaving.remove(&at);
        let roles = std::mem::take(&mut conn.roles);
        conn.sinks.clear();
        conn.sending.clear();
        conn.sending_back.clear();
        conn.receiving.clear();
        conn.fetching.clear();
        if let Some(session) = conn.session.take() {
            readings::count(&mut self.refused, &session.counters());
        }
        self.assembling -= std::mem::take(&mut conn.assembling);
        let totals = conn.queue.totals();
        match side {
            Side::Sibling { .. } => {
                self.stats.crossed_in += conn.objects_in;
                self.stats.crossed_out += totals.sent_frames;
            }
            _ => {
                self.past_objects.0 += conn.objects_in;
                self.past_objects.1 += totals.sent_frames;
            }
        }
        readings::add_drops(&mut self.past_drops, conn);
        self.ready.want_service(at, conn);
        let place = conn.place();
        let from_relay = relay && place == Place::Node;
        conn.announcing.clear();
        self.drop_answers(at, None);
        self.drop_joins(at, None, now);
        match side {
            // A relay's tracks are kept for its return, or come another way.
            _ if from_relay => {
                for (key, role) in roles {
                    match role {
                        Role::Source(id) | Role::OurSubscribe(id) => self.relay_source_lost(id, at, key, now),
                        role => self.role_ended(At { conn: at, key, place }, role, closing.reason, &closing.text, now),
                    }
                }
                match side {
                    Side::Link(link) => self.link_lost(link, at, closing, now),
                    Side::Session(session) => self.session_ended(session, at, closing, now),
                    Side::Sibling { .. } => {}
                }
            }
            // A link keeps its tracks for its next connection.
            Side::Link(link) => {
                for (key, role) in roles {
                    match role {
                        Role::Sink(id) => self.forget_sink(id, at, key),
                        Role::OurFetch(_) => self.fetch_over(at, key, false, now),
                        // What the relay announced and watched it does again on the next connection.
                        Role::Announced { .. } | Role::TrackWatch { .. } | Role::NamespaceWatch { .. } => {
                            self.role_ended(At { conn: at, key, place }, role, closing.reason, "", now);
                        }
                        _ => {}
                    }
                }
                self.link_lost(link, at, closing, now);
            }
            Side::Session(session) => {
                for (key, role) in roles {
                    self.role_ended(At { conn: at, key, place }, role, closing.reason, &closing.text, now);
                }
                self.session_ended(session, at, closing, now);
            }
            Side::Sibling { .. } => {}
        }
    }

    /// QUIC has drained: the connection is gone.
    pub(crate) fn forget(&mut self, at: ConnIndex) {
        if let Some(mut conn) = self.conns.remove(at) {
            if let Some(knock) = conn.knock.take() {
                self.door.left(*knock);
            }
            self.timers.remove(at as u32);
            self.ready.send.retain(|other| *other != at);
            self.ready.service.retain(|other| *other != at);
            self.siblings.connections(self.endpoint.open_connections());
        }
    }
}

impl Conn {
    /// Permits more streams before half of what is permitted is in use.
    pub(crate) fn permit(&mut self, dir: Dir, most: usize) {
        let slot = &mut self.permitted[usize::from(dir == Dir::Uni)];
        let Some(quic) = self.carrier.quic() else { return };
        let open = quic.streams().remote_open_streams(dir);
        if open * 2 >= *slot as u64 && *slot < most {
            *slot = slot.saturating_mul(2).min(most);
            quic.set_max_concurrent_streams(dir, crate::drive::var(*slot));
        }
    }

    /// Forgets a track of the queue, and resets its streams.
    pub(crate) fn drop_track(&mut self, track: TrackKey) {
        for subgroup in self.queue.remove_track(track) {
            if let Some(stream) = self.sending.remove(subgroup) {
                self.sending_back.remove(&stream);
                self.carrier.reset(stream, codes::stream_reset::CANCELLED);
            }
        }
    }

    /// An answer to a FETCH has arrived whole: its place in the queue is free.
    fn answered(&mut self, sending: Sending) {
        if sending.track == 0 && self.sinks.remove(&sending.queue).is_some() {
            self.drop_track(sending.queue);
        }
    }

    /// PUBLISH_DONE for ended tracks that have nothing queued any more; whether there was one.
    pub(crate) fn conclude(&mut self) -> bool {
        if !std::mem::take(&mut self.has_endings) {
            return false;
        }
        let done: Vec<TrackKey> = self
            .sinks
            .iter()
            .filter(|(track, sink)| sink.ending.is_some() && self.queue.track_bytes(**track) == 0)
            .map(|(track, _)| *track)
            .filter(|track| !self.sinks.values().any(|sink| sink.fill_of == Some(*track)))
            .collect();
        self.has_endings = self.sinks.iter().any(|(track, sink)| sink.ending.is_some() && !done.contains(track));
        for track in &done {
            let Some(sink) = self.sinks.remove(track) else { continue };
            self.drop_track(*track);
            if let (Some(session), Some(code)) = (self.session.as_mut(), sink.ending) {
                // A request that the peer has just ended needs no PUBLISH_DONE.
                let _ = session.done(sink.request, code, Some(sink.streams), "");
            }
        }
        !done.is_empty()
    }
}
