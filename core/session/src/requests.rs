//! Request streams: what they hold, what comes on them, how they end.
//!
//! A request's state outlives its key by as long as its stream is not closed both ways: what was
//! queued last is still written, and what the peer still says is thrown away.

use std::collections::BTreeSet;

use cc_wire::{codes, GroupOrder, Message, Namespace, Params, TrackName};

use crate::api::{Ended, Event, Refusal, RequestKey, Time};
use crate::outbox::{Flushed, Outbox};
use crate::session::{Fault, Owner, Session};
use crate::slab::Key;
use crate::states::{self, Fin, Kind, Phase, Side};
use crate::transport::{Dir, ReadError, StreamId, Transport, REQUEST_PRIORITY};

/// Read at once from a request stream, in bytes.
const CHUNK: usize = 4096;
/// How long a stream whose request is over may stay half open, in us, before it is cut.
const LINGER: Time = 5_000_000;

/// How far the end of a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Not ended.
    Live,
    /// The event that says so waits to be polled.
    Queued,
    /// The owner has polled it.
    Known,
    /// The owner ended it.
    Here,
}

/// A subscription after PUBLISH_DONE, while the streams it counts may still come.
#[derive(Debug)]
pub(crate) struct Drain {
    pub code: u64,
    pub stream_count: Option<u64>,
    pub reason: String,
    /// No more streams are waited for; those that are open may end.
    pub late: bool,
}

#[derive(Debug)]
pub(crate) struct RequestState {
    /// `None` until the first message of a stream of the peer's.
    pub kind: Option<Kind>,
    pub side: Side,
    pub phase: Phase,
    pub end: End,
    pub id: u64,
    pub stream: Option<StreamId>,
    pub outbox: Outbox,
    inbox: Vec<u8>,
    /// The peer's direction is finished; what it said may still be in the inbox.
    finished: bool,
    /// Nothing more is read.
    pub recv_done: bool,
    pub dirty: bool,
    /// Updates of ours without an answer.
    pub updates_out: usize,
    /// Updates of the peer's without an answer.
    pub updates_in: usize,
    /// Updates that came before the request itself was answered, in order: the owner is told of them then.
    pub early_updates: Vec<(u64, Params)>,
    /// A GOAWAY has come on this stream.
    pub goaway: bool,
    /// Ours is queued.
    pub goaway_sent: bool,
    pub track: Option<TrackName>,
    /// The peer's alias for the track.
    pub alias: Option<u64>,
    /// Counted as a subscription in which the peer publishes.
    pub counted: bool,
    /// The order of groups that our FETCH asks for.
    pub order: GroupOrder,
    /// Streams of objects that belong here and have not ended.
    pub data: Vec<Key>,
    /// Streams of objects that have ended.
    pub data_ended: u64,
    pub drain: Option<Box<Drain>>,
    /// Namespaces announced on our SUBSCRIBE_NAMESPACE.
    pub namespaces: BTreeSet<Namespace>,
    /// Our update may have moved the prefix, so a withdrawal may name what was announced before.
    pub moved: bool,
    pub deadline: Option<Time>,
}

impl RequestState {
    /// A stream that the peer has opened.
    pub fn theirs(stream: StreamId) -> Self {
        Self {
            kind: None,
            side: Side::Responder,
            phase: Phase::Pending,
            end: End::Live,
            id: 0,
            stream: Some(stream),
            outbox: Outbox::default(),
            inbox: Vec::new(),
            finished: false,
            recv_done: false,
            dirty: false,
            updates_out: 0,
            updates_in: 0,
            early_updates: Vec::new(),
            goaway: false,
            goaway_sent: false,
            track: None,
            alias: None,
            counted: false,
            order: GroupOrder::Ascending,
            data: Vec::new(),
            data_ended: 0,
            drain: None,
            namespaces: BTreeSet::new(),
            moved: false,
            deadline: None,
        }
    }

    /// A request of ours; its stream is yet to be opened.
    pub fn ours(kind: Kind, id: u64) -> Self {
        Self { kind: Some(kind), side: Side::Requester, id, stream: None, ..Self::theirs(StreamId(0)) }
    }
}

impl Session {
    pub(crate) fn live(&self, key: RequestKey) -> bool {
        self.requests.get(key.0).is_some_and(|s| s.end == End::Live && s.kind.is_some())
    }

    pub(crate) fn read_request(
        &mut self,
        key: RequestKey,
        id: StreamId,
        transport: &mut dyn Transport,
    ) -> Result<(), Fault> {
        loop {
            let ready = self.ready();
            let full = self.full();
            let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
            if state.end == End::Live {
                if !ready || full {
                    self.put_off(id);
                    return Ok(());
                }
                if state.updates_in >= self.config.limits.updates {
                    // Read again when one is answered.
                    self.counters.rare().updates_put_off += 1;
                    return Ok(());
                }
                if let Some(message) = self.next_message(key)? {
                    self.counters.messages_in += 1;
                    self.request_message(key, message)?;
                    continue;
                }
            } else {
                self.tally.assembly -= state.inbox.len();
                state.inbox = Vec::new();
            }
            let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
            if state.recv_done {
                return Ok(());
            }
            if state.finished {
                return self.peer_finished(key);
            }
            match transport.read(id, CHUNK) {
                Ok(chunk) => {
                    if chunk.bytes.is_empty() && !chunk.fin {
                        return Ok(());
                    }
                    state.finished = chunk.fin;
                    state.inbox.extend_from_slice(&chunk.bytes);
                    self.tally.assembly += chunk.bytes.len();
                    if self.tally.assembly > self.config.limits.assembly_bytes {
                        self.counters.rare().streams_excess += 1;
                        self.counters.rare().excess_assembly += 1;
                        self.give_up_request(key, codes::stream_reset::EXCESSIVE_LOAD);
                    }
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Reset(code)) => return self.peer_reset(key, code),
                Err(ReadError::Gone) => return self.peer_reset(key, codes::stream_reset::SESSION_CLOSED),
            }
        }
    }

    /// Takes the first whole message off the inbox.
    fn next_message(&mut self, key: RequestKey) -> Result<Option<Message>, Fault> {
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(None) };
        let Some(len) = Message::frame_len(&state.inbox)? else { return Ok(None) };
        if len > self.config.limits.message_bytes {
            return Err(Fault::violation("a message over the limit"));
        }
        if state.inbox.len() < len {
            return Ok(None);
        }
        let message = Message::decode(self.config.profile, &state.inbox[..len])?;
        state.inbox.drain(..len);
        if state.inbox.is_empty() {
            state.inbox = Vec::new();
        }
        self.tally.assembly -= len;
        Ok(Some(message))
    }

    /// All that the peer said is understood, and its direction is finished.
    fn peer_finished(&mut self, key: RequestKey) -> Result<(), Fault> {
        let fin_cancels = self.config.profile == cc_wire::Profile::D18;
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        state.recv_done = true;
        if state.end == End::Live && !state.inbox.is_empty() {
            return Err(Fault::violation("a request stream finished inside a message"));
        }
        match state.kind {
            _ if state.end != End::Live || state.drain.is_some() => {}
            // A stream without a request.
            None => {
                state.end = End::Here;
                state.outbox.finish();
            }
            Some(kind) => match states::fin(kind, state.side, state.phase, fin_cancels) {
                Fin::Ends => {
                    state.outbox.finish();
                    self.end_request(key, Event::Ended { key, cause: Ended::Finished });
                }
                Fin::HalfClosed if kind == Kind::Fetch && state.side == Side::Requester => {
                    // The objects may still be on their way, on a stream of their own.
                    self.set_deadline(key, Some(self.now.saturating_add(self.config.limits.late_data_time)));
                }
                Fin::HalfClosed => {}
            },
        }
        self.mark_dirty(key);
        self.free_if_over(key);
        Ok(())
    }

    fn peer_reset(&mut self, key: RequestKey, code: u64) -> Result<(), Fault> {
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        state.recv_done = true;
        if state.end == End::Live && state.drain.is_none() {
            state.outbox.reset(codes::stream_reset::CANCELLED);
            if state.kind.is_some() {
                self.end_request(key, Event::Ended { key, cause: Ended::Reset(code) });
            } else {
                state.end = End::Here;
            }
        }
        self.mark_dirty(key);
        self.free_if_over(key);
        Ok(())
    }

    /// The peer does not want to hear more on a request stream: it has cancelled.
    pub(crate) fn request_stopped(&mut self, key: RequestKey, code: u64) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if state.outbox.closed() {
            return;
        }
        state.outbox.reset(codes::stream_reset::CANCELLED);
        if state.end == End::Live && state.drain.is_none() {
            if state.kind.is_some() {
                self.end_request(key, Event::Ended { key, cause: Ended::Stopped(code) });
            } else {
                state.end = End::Here;
            }
            self.cut(key, codes::stream_reset::CANCELLED);
        }
        self.mark_dirty(key);
    }

    /// Ends a request that goes over a bound of ours, as if the peer had reset it.
    pub(crate) fn give_up_request(&mut self, key: RequestKey, code: u64) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        state.outbox.reset(code);
        if state.end == End::Live {
            if state.kind.is_some() {
                self.end_request(key, Event::Ended { key, cause: Ended::Reset(code) });
            } else {
                state.end = End::Here;
            }
        }
        self.cut(key, code);
        self.mark_dirty(key);
    }

    /// Reads no more of a request's stream.
    pub(crate) fn cut(&mut self, key: RequestKey, code: u64) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if !state.recv_done {
            state.recv_done = true;
            if let Some(id) = state.stream {
                self.stops.push_back((id, code));
            }
        }
        self.tally.assembly -= state.inbox.len();
        state.inbox = Vec::new();
    }

    /// A message of ours or the peer's has ended a request, or its stream has: the key is dead,
    /// and `event` says so.
    pub(crate) fn end_request(&mut self, key: RequestKey, event: Event) {
        self.detach(key);
        if let Some(state) = self.requests.get_mut(key.0) {
            state.end = End::Queued;
            self.events.push(event);
            self.linger(key);
        }
    }

    /// The owner has ended a request: the key is dead, and no event tells of it.
    pub(crate) fn end_here(&mut self, key: RequestKey) {
        if let Some(state) = self.requests.get_mut(key.0) {
            // Before its data is, so that what is queued of it is not told any more.
            state.end = End::Here;
        }
        self.detach(key);
        self.linger(key);
        self.mark_dirty(key);
        self.free_if_over(key);
    }

    fn linger(&mut self, key: RequestKey) {
        self.set_deadline(key, Some(self.now.saturating_add(LINGER)));
    }

    /// Takes a request out of everything but its own stream.
    fn detach(&mut self, key: RequestKey) {
        self.set_deadline(key, None);
        let now = self.now;
        let Some(state) = self.requests.get_mut(key.0) else { return };
        let here = state.end == End::Here;
        let alias = state.alias.take();
        let data = std::mem::take(&mut state.data);
        state.drain = None;
        self.tally.subscriptions -= usize::from(std::mem::take(&mut state.counted));
        self.tally.namespaces -= std::mem::take(&mut state.namespaces).len();
        self.fetches.remove(&state.id);
        self.fills.retain(|_, (subscription, _)| *subscription != key);
        for data in data {
            self.give_up_data(data, here);
        }
        if let Some(alias) = alias {
            self.aliases.release(alias, key, now);
            self.settle_alias(alias);
        }
    }

    pub(crate) fn set_deadline(&mut self, key: RequestKey, at: Option<Time>) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if let Some(old) = state.deadline.take() {
            self.timers.remove(&(old, key));
        }
        state.deadline = at;
        if let Some(at) = at {
            self.timers.insert((at, key));
        }
    }

    /// A request's deadline has come. What it means, the state says.
    pub(crate) fn request_timer(&mut self, key: RequestKey) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        state.deadline = None;
        if state.end != End::Live {
            state.outbox.reset(codes::stream_reset::CANCELLED);
            self.cut(key, codes::stream_reset::CANCELLED);
            self.mark_dirty(key);
            self.free_if_over(key);
        } else if let Some(drain) = state.drain.as_mut() {
            drain.late = true;
            self.check_drained(key);
        } else if state.phase == Phase::Pending {
            state.outbox.reset(codes::stream_reset::CANCELLED);
            self.end_request(key, Event::Ended { key, cause: Ended::TimedOut });
            self.cut(key, codes::stream_reset::CANCELLED);
            self.mark_dirty(key);
        } else if state.data.is_empty() {
            // A fetch whose responder has finished, and whose objects do not come.
            state.outbox.finish();
            self.end_request(key, Event::Ended { key, cause: Ended::Finished });
            self.mark_dirty(key);
        }
    }

    /// Ends a subscription after PUBLISH_DONE once its streams are through.
    pub(crate) fn check_drained(&mut self, key: RequestKey) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        let Some(drain) = &state.drain else { return };
        let all = drain.stream_count.is_some_and(|count| state.data_ended >= count);
        if state.data.is_empty() && (all || drain.late) {
            self.finish_drain(key);
        }
    }

    /// Ends a subscription after PUBLISH_DONE, whether its streams are through or not.
    pub(crate) fn finish_drain(&mut self, key: RequestKey) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if let Some(drain) = state.drain.take() {
            let Drain { code, stream_count, reason, .. } = *drain;
            state.outbox.finish();
            self.mark_dirty(key);
            self.end_request(key, Event::Done { key, code, stream_count, reason });
            self.free_if_over(key);
        }
    }

    pub(crate) fn mark_dirty(&mut self, key: RequestKey) {
        if let Some(state) = self.requests.get_mut(key.0) {
            if !state.dirty {
                state.dirty = true;
                self.dirty.push_back(key);
            }
        }
    }

    /// Forgets a request that is over, once its stream is closed both ways.
    pub(crate) fn free_if_over(&mut self, key: RequestKey) {
        let Some(state) = self.requests.get(key.0) else { return };
        let over = matches!(state.end, End::Known | End::Here);
        if !over || !(state.stream.is_none() || state.recv_done && state.outbox.closed()) {
            return;
        }
        self.set_deadline(key, None);
        if let Some(state) = self.requests.remove(key.0) {
            self.tally.assembly -= state.inbox.len();
            match state.side {
                Side::Requester => self.tally.ours -= 1,
                Side::Responder => self.tally.theirs -= 1,
            }
            if let Some(id) = state.stream {
                self.streams.remove(&id);
            }
        }
    }

    /// Opens what waits for a stream, and writes what is queued.
    pub(crate) fn write_requests(&mut self, transport: &mut dyn Transport) {
        while let Some(&key) = self.opening.front() {
            let Some(state) = self.requests.get_mut(key.0) else {
                self.opening.pop_front();
                continue;
            };
            if state.end != End::Live {
                // Timed out before it had a stream; forgotten when the owner has been told.
                self.opening.pop_front();
                continue;
            }
            let Some(id) = transport.open(Dir::Bi) else { break };
            transport.set_priority(id, REQUEST_PRIORITY);
            state.stream = Some(id);
            self.streams.insert(id, Owner::Request(key));
            self.opening.pop_front();
            self.mark_dirty(key);
        }
        while let Some(key) = self.dirty.pop_front() {
            let Some(state) = self.requests.get_mut(key.0) else { continue };
            state.dirty = false;
            let Some(id) = state.stream else { continue };
            match state.outbox.flush(id, transport) {
                Flushed::Clear | Flushed::Blocked => {}
                Flushed::Stopped(code) => {
                    // What the peer said before it cancelled comes first.
                    self.read(id, transport);
                    self.request_stopped(key, code);
                }
                Flushed::Gone => {
                    state.outbox.abandon();
                    if state.end == End::Live {
                        let _ = self.peer_reset(key, codes::stream_reset::SESSION_CLOSED);
                    } else {
                        state.recv_done = true;
                    }
                }
            }
            self.free_if_over(key);
        }
    }

    /// Refuses a request of the peer's without asking the owner.
    pub(crate) fn refuse_here(&mut self, key: RequestKey, code: u64, reason: &str) -> Result<(), Fault> {
        self.counters.rare().requests_refused += 1;
        self.send(key, &crate::commands::error_message(&Refusal::new(code, reason)))
            .map_err(|error| Fault::new(codes::session::INTERNAL_ERROR, error.to_string()))?;
        if let Some(state) = self.requests.get_mut(key.0) {
            state.outbox.finish();
        }
        self.end_here(key);
        Ok(())
    }
}
