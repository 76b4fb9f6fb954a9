//! What the owner can do: ask, answer, change, end. Each command queues one message; what it
//! queues is written by the next [`flush`](Session::flush).

use bytes::Bytes;
use cc_wire::{Answers, GroupOrder, Message, Namespace, Params, Profile, Properties};

use crate::api::{CommandError, Event, Refusal, Reply, Request, RequestKey, Role, Time};
use crate::requests::{End, RequestState};
use crate::session::Session;
use crate::states::{self, Command, Kind, Phase, Side};

impl Session {
    /// Asks the peer. The request goes out when SETUP is queued and the peer allows a stream;
    /// the answer comes as [`Accepted`](crate::Event::Accepted),
    /// [`Refused`](crate::Event::Refused) or [`Ended`](crate::Event::Ended). Objects for a
    /// PUBLISH may be sent at once, under the alias chosen here.
    pub fn request(&mut self, request: Request, now: Time) -> Result<RequestKey, CommandError> {
        self.advance(now);
        if self.over {
            return Err(CommandError::Gone);
        }
        if self.tally.ours >= self.config.limits.requests {
            return Err(CommandError::Limit("requests open at once"));
        }
        let id = self.next_id;
        let after = id.checked_add(2).ok_or(CommandError::Limit("request ids"))?;
        let (kind, message) = crate::messages::opening(request, id);
        if kind == Kind::Subscribe && self.tally.subscriptions >= self.config.limits.subscriptions {
            return Err(CommandError::Limit("subscriptions"));
        }
        let mut state = RequestState::ours(kind, id);
        message.encode(self.config.profile, state.outbox.buffer()).map_err(CommandError::Encode)?;
        state.counted = kind == Kind::Subscribe;
        let patience = self.patience(&message);
        let fill = match &message {
            Message::Subscribe { params, .. } => fill_order(params),
            _ => None,
        };
        match message {
            Message::Subscribe { track, .. } => state.track = Some(track),
            Message::Fetch { params, .. } => state.order = params.group_order.unwrap_or(state.order),
            Message::SubscribeTracks { params, .. } => self.fills_published |= params.fill.is_some(),
            _ => {}
        }
        self.next_id = after;
        self.counters.messages_out += 1;
        self.tally.ours += 1;
        self.tally.subscriptions += usize::from(state.counted);
        let key = RequestKey(self.requests.insert(state));
        if kind == Kind::Fetch {
            self.fetches.insert(id, key);
        }
        if let Some(order) = fill {
            self.fills.insert(id, (key, order));
        }
        self.opening.push_back(key);
        self.set_deadline(key, patience);
        Ok(key)
    }

    /// When a request that is made now should be answered.
    fn patience(&self, message: &Message) -> Option<u64> {
        let rendezvous = match message {
            Message::Subscribe { params, .. } => params.rendezvous_timeout.unwrap_or(0),
            _ => 0,
        };
        let timeout = self.config.request_timeout;
        (timeout > 0).then(|| self.now.saturating_add(timeout).saturating_add(rendezvous.saturating_mul(1000)))
    }

    /// Grants a request of the peer's: SUBSCRIBE by [`Reply::SubscribeOk`], FETCH by
    /// [`Reply::FetchOk`], the others by [`Reply::Ok`]. After a PUBLISH its objects follow as
    /// events, those that came early first. A TRACK_STATUS is over with this, and its key dead.
    pub fn accept(&mut self, key: RequestKey, reply: Reply) -> Result<(), CommandError> {
        let kind = self.check(key, Command::Answer)?;
        let fits = match (&reply, kind) {
            (Reply::SubscribeOk { .. }, kind) => kind == Kind::Subscribe,
            (Reply::FetchOk { .. }, kind) => kind == Kind::Fetch,
            (Reply::Ok { .. }, kind) => !matches!(kind, Kind::Subscribe | Kind::Fetch),
        };
        if !fits {
            return Err(CommandError::NotAllowed("another kind of reply belongs to this request"));
        }
        let message = crate::messages::reply(self.config.profile, reply, kind)?;
        self.send(key, &message)?;
        let alias = self.requests.get_mut(key.0).and_then(|state| {
            state.phase = Phase::Established;
            if state.drain.is_some() {
                // Its publisher is done with it already, and nothing can be said after this.
                state.outbox.finish();
            }
            state.alias
        });
        if kind == Kind::TrackStatus {
            self.finish_sending(key);
            self.end_here(key);
        } else if let Some(alias) = alias {
            self.aliases.go_live(alias, key);
            self.settle_alias(alias);
        }
        for (request_id, params) in
            self.requests.get_mut(key.0).map(|state| std::mem::take(&mut state.early_updates)).unwrap_or_default()
        {
            self.events.push(Event::Update { key, request_id, params });
        }
        Ok(())
    }

    /// Refuses a request of the peer's. The key is dead.
    pub fn refuse(&mut self, key: RequestKey, refusal: Refusal) -> Result<(), CommandError> {
        self.check(key, Command::Answer)?;
        self.send(key, &error_message(&refusal))?;
        self.finish_sending(key);
        self.end_here(key);
        Ok(())
    }

    /// Changes a request: one of ours, or a PUBLISH that we accepted. The answer comes as
    /// [`UpdateAnswered`](crate::Event::UpdateAnswered), in order.
    pub fn update(&mut self, key: RequestKey, params: Params) -> Result<(), CommandError> {
        self.check(key, Command::Update)?;
        let most = match &self.control.peer {
            Some(peer) if self.config.profile >= Profile::D20 => peer.max_request_updates.filter(|most| *most > 0),
            _ => None,
        };
        let most = most.map_or(self.config.limits.updates as u64, |most| most.min(self.config.limits.updates as u64));
        let moves = params.namespace_prefix.is_some();
        let fill = fill_order(&params);
        let waiting = self.requests.get(key.0).map_or(0, |state| state.updates_out);
        if waiting as u64 >= most {
            return Err(CommandError::Limit("unanswered updates of one request"));
        }
        let request_id = self.next_id;
        let after = request_id.checked_add(2).ok_or(CommandError::Limit("request ids"))?;
        self.room(key)?;
        self.send(key, &Message::RequestUpdate { request_id, params })?;
        self.next_id = after;
        if let Some(order) = fill {
            self.fills.insert(request_id, (key, order));
        }
        if let Some(state) = self.requests.get_mut(key.0) {
            state.updates_out += 1;
            state.moved |= moves;
        }
        Ok(())
    }

    /// Answers the oldest unanswered [`Update`](crate::Event::Update). A refused update ends a
    /// request for namespaces or tracks, and a PUBLISH_NAMESPACE: its key is dead. Of a
    /// subscription that we serve the owner ends the rest, by [`done`](Self::done) with
    /// UPDATE_FAILED.
    pub fn answer_update(&mut self, key: RequestKey, result: Result<Params, Refusal>) -> Result<(), CommandError> {
        let state = self.requests.get(key.0).filter(|state| state.end == End::Live);
        let state = state.ok_or(CommandError::Gone)?;
        if state.updates_in == 0 {
            return Err(CommandError::NotAllowed("no update waits for an answer"));
        }
        if state.phase == Phase::Pending && state.side == Side::Responder {
            return Err(CommandError::NotAllowed("the request itself is to be answered first"));
        }
        let refused = result.is_err();
        let ends = refused
            && matches!(state.kind, Some(Kind::PublishNamespace | Kind::SubscribeNamespace | Kind::SubscribeTracks));
        let stream = state.stream;
        match result {
            Ok(params) => {
                let message = crate::messages::request_ok(
                    self.config.profile,
                    Answers::RequestUpdate,
                    params,
                    Properties::default(),
                )?;
                self.send(key, &message)?;
            }
            Err(refusal) => self.send(key, &error_message(&refusal))?,
        }
        if let Some(state) = self.requests.get_mut(key.0) {
            state.updates_in -= 1;
        }
        if ends {
            self.finish_sending(key);
            self.end_here(key);
        } else if let Some(id) = stream {
            // It was left unread if too many updates waited.
            self.put_off(id);
        }
        Ok(())
    }

    /// Ends a subscription that we serve: PUBLISH_DONE with a code of
    /// `cc_wire::codes::publish_done` and the number of streams opened for it (`None`: unknown).
    /// To be called when all of these have been finished or reset. The key is dead.
    pub fn done(
        &mut self,
        key: RequestKey,
        code: u64,
        stream_count: Option<u64>,
        reason: &str,
    ) -> Result<(), CommandError> {
        self.check(key, Command::Done)?;
        self.send(key, &Message::PublishDone { code, stream_count, reason: shortened(reason) })?;
        self.finish_sending(key);
        self.end_here(key);
        Ok(())
    }

    /// Tells the subscriber of a change in a subscription that we serve (PUBLISH_STATE_NOTIFY);
    /// -20 and later only.
    pub fn notify(&mut self, key: RequestKey, params: Params) -> Result<(), CommandError> {
        self.check(key, Command::Notify)?;
        self.room(key)?;
        self.send(key, &Message::PublishStateNotify { params })
    }

    /// Tells of a namespace under the prefix of the peer's SUBSCRIBE_NAMESPACE. When the peer
    /// does not read: [`CommandError::Limit`]; the draft allows to [`cancel`](Self::cancel) then.
    pub fn namespace(&mut self, key: RequestKey, suffix: Namespace) -> Result<(), CommandError> {
        self.check(key, Command::Namespace)?;
        self.room(key)?;
        self.send(key, &Message::Namespace { suffix })
    }

    /// Withdraws a namespace that was told of.
    pub fn namespace_done(&mut self, key: RequestKey, suffix: Namespace) -> Result<(), CommandError> {
        self.check(key, Command::Namespace)?;
        self.room(key)?;
        self.send(key, &Message::NamespaceDone { suffix })
    }

    /// Tells that no PUBLISH will come for a track under the prefix of the peer's
    /// SUBSCRIBE_TRACKS.
    pub fn blocked(&mut self, key: RequestKey, suffix: Namespace, name: Bytes) -> Result<(), CommandError> {
        self.check(key, Command::Blocked)?;
        self.room(key)?;
        self.send(key, &Message::PublishBlocked { suffix, name })
    }

    /// Wants one request of either side's moved: to be made again at `uri` (empty: in this session; from a client always
    /// empty), and ended here. The owner is to [`cancel`](Self::cancel) it with GOING_AWAY in about `timeout_ms` (0: not
    /// said). Once a request.
    pub fn request_goaway(&mut self, key: RequestKey, uri: &str, timeout_ms: u64) -> Result<(), CommandError> {
        let state = self.requests.get(key.0).filter(|state| state.end == End::Live && !self.over);
        let state = state.filter(|state| state.kind.is_some()).ok_or(CommandError::Gone)?;
        if state.goaway_sent {
            return Err(CommandError::NotAllowed("GOAWAY is sent once a request"));
        }
        if self.config.role == Role::Client && !uri.is_empty() {
            return Err(CommandError::NotAllowed("a client names no URI in GOAWAY"));
        }
        self.room(key)?;
        // The control stream's alone has a request id.
        self.send(key, &Message::Goaway { uri: uri.into(), timeout_ms, request_id: None })?;
        if let Some(state) = self.requests.get_mut(key.0) {
            state.goaway_sent = true;
        }
        Ok(())
    }

    /// Ends a request of either side at once, by resetting its stream with a code of
    /// `cc_wire::codes::stream_reset`. The key is dead. Streams of objects that we receive for it
    /// are stopped; those that we send for it are the owner's to reset.
    pub fn cancel(&mut self, key: RequestKey, code: u64) -> Result<(), CommandError> {
        let state = self.requests.get_mut(key.0).ok_or(CommandError::Gone)?;
        match state.end {
            // The event that tells of its end is not told any more.
            End::Queued => {
                state.end = End::Here;
                self.free_if_over(key);
                return Ok(());
            }
            End::Known | End::Here => return Err(CommandError::Gone),
            End::Live => {}
        }
        state.outbox.reset(code);
        self.cut(key, code);
        self.end_here(key);
        Ok(())
    }

    /// The request's kind, if it lives and this command is allowed.
    fn check(&self, key: RequestKey, command: Command) -> Result<Kind, CommandError> {
        let state = self.requests.get(key.0).filter(|state| state.end == End::Live && !self.over);
        let state = state.ok_or(CommandError::Gone)?;
        let kind = state.kind.ok_or(CommandError::Gone)?;
        if !states::allowed(command, kind, state.side, state.phase) {
            return Err(CommandError::NotAllowed("this request's kind, side or phase does not have it"));
        }
        Ok(kind)
    }

    /// Whether the stream's queue takes more.
    fn room(&self, key: RequestKey) -> Result<(), CommandError> {
        let waiting = self.requests.get(key.0).map_or(0, |state| state.outbox.waiting());
        if waiting >= self.config.limits.outbox_bytes {
            return Err(CommandError::Limit("bytes waiting in one request stream"));
        }
        Ok(())
    }

    /// Queues a message on a request's stream.
    pub(crate) fn send(&mut self, key: RequestKey, message: &Message) -> Result<(), CommandError> {
        let state = self.requests.get_mut(key.0).ok_or(CommandError::Gone)?;
        if !state.outbox.open() {
            return Err(CommandError::Gone);
        }
        let buffer = state.outbox.buffer();
        let before = buffer.len();
        if let Err(error) = message.encode(self.config.profile, buffer) {
            buffer.truncate(before);
            return Err(CommandError::Encode(error));
        }
        self.counters.messages_out += 1;
        self.mark_dirty(key);
        Ok(())
    }

    fn finish_sending(&mut self, key: RequestKey) {
        if let Some(state) = self.requests.get_mut(key.0) {
            state.outbox.finish();
        }
    }
}

/// In which order a fill brings its groups, if one is asked for.
fn fill_order(params: &Params) -> Option<GroupOrder> {
    let fill = params.fill.as_ref()?;
    Some(fill.group_order.or(params.group_order).unwrap_or_default())
}

/// REQUEST_ERROR.
pub(crate) fn error_message(refusal: &Refusal) -> Message {
    Message::RequestError {
        code: refusal.code,
        retry_interval: refusal.retry_ms,
        reason: shortened(&refusal.reason),
        redirect: refusal.redirect.as_deref().cloned(),
    }
}

/// As much of a reason as may be sent.
fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(Message::MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = format!("x{}", "ä".repeat(1000));
        let cut = shortened(&long);
        assert!(cut.len() <= Message::MAX_REASON && long.starts_with(&cut));
        assert_eq!(cut.len(), 1023);
    }
}
