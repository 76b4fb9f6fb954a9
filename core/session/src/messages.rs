//! Messages on request streams: from the owner's words to the wire's, and what received ones do.

use cc_wire::{check_request_ok, codes, Answers, Message, Namespace, Params, Profile, Properties, Redirect, TrackName};

use crate::api::{CommandError, Ended, Event, Fetch, Refusal, Reply, Request, RequestKey, Role};
use crate::requests::Drain;
use crate::session::{Fault, Session};
use crate::states::{self, Kind, Meaning, Phase, Said, Side};

/// The first message of a request of ours.
pub(crate) fn opening(request: Request, request_id: u64) -> (Kind, Message) {
    match request {
        Request::Subscribe { track, params } => (Kind::Subscribe, Message::Subscribe { request_id, track, params }),
        Request::Publish { track, alias, params, properties } => {
            (Kind::Publish, Message::Publish { request_id, track, alias, params, properties })
        }
        Request::PublishNamespace { namespace, params } => {
            (Kind::PublishNamespace, Message::PublishNamespace { request_id, namespace, params })
        }
        Request::SubscribeNamespace { prefix, params } => {
            (Kind::SubscribeNamespace, Message::SubscribeNamespace { request_id, prefix, params })
        }
        Request::SubscribeTracks { prefix, params } => {
            (Kind::SubscribeTracks, Message::SubscribeTracks { request_id, prefix, params })
        }
        Request::TrackStatus { track, params } => {
            (Kind::TrackStatus, Message::TrackStatus { request_id, track, params })
        }
        Request::Fetch(Fetch { kind, params }) => (Kind::Fetch, Message::Fetch { request_id, kind, params }),
    }
}

/// The request that the first message of a stream makes, with its id; `None` if it makes none.
fn opened(message: Message) -> Option<(Kind, u64, Request)> {
    Some(match message {
        Message::Subscribe { request_id, track, params } => {
            (Kind::Subscribe, request_id, Request::Subscribe { track, params })
        }
        Message::Publish { request_id, track, alias, params, properties } => {
            (Kind::Publish, request_id, Request::Publish { track, alias, params, properties })
        }
        Message::PublishNamespace { request_id, namespace, params } => {
            (Kind::PublishNamespace, request_id, Request::PublishNamespace { namespace, params })
        }
        Message::SubscribeNamespace { request_id, prefix, params } => {
            (Kind::SubscribeNamespace, request_id, Request::SubscribeNamespace { prefix, params })
        }
        Message::SubscribeTracks { request_id, prefix, params } => {
            (Kind::SubscribeTracks, request_id, Request::SubscribeTracks { prefix, params })
        }
        Message::TrackStatus { request_id, track, params } => {
            (Kind::TrackStatus, request_id, Request::TrackStatus { track, params })
        }
        Message::Fetch { request_id, kind, params } => {
            (Kind::Fetch, request_id, Request::Fetch(Fetch { kind, params }))
        }
        _ => return None,
    })
}

/// The message that grants a request of this kind.
pub(crate) fn reply(profile: Profile, reply: Reply, kind: Kind) -> Result<Message, CommandError> {
    match reply {
        Reply::SubscribeOk { alias, params, properties } => Ok(Message::SubscribeOk { alias, params, properties }),
        Reply::FetchOk { end_of_track, end, params, properties } => {
            Ok(Message::FetchOk { end_of_track, end, params, properties })
        }
        Reply::Ok { params, properties } => match answers(kind) {
            Some(answers) => request_ok(profile, answers, params, properties),
            None => Err(CommandError::NotAllowed("another kind of reply belongs to this request")),
        },
    }
}

/// A REQUEST_OK with only what it may hold here.
pub(crate) fn request_ok(
    profile: Profile,
    answers: Answers,
    params: Params,
    properties: Properties,
) -> Result<Message, CommandError> {
    check_request_ok(profile, answers, &params, &properties).map_err(CommandError::Encode)?;
    Ok(Message::RequestOk { params, properties })
}

/// What a REQUEST_OK as the first answer to this kind of request answers.
fn answers(kind: Kind) -> Option<Answers> {
    match kind {
        Kind::Publish => Some(Answers::Publish),
        Kind::PublishNamespace => Some(Answers::PublishNamespace),
        Kind::SubscribeNamespace => Some(Answers::SubscribeNamespace),
        Kind::SubscribeTracks => Some(Answers::SubscribeTracks),
        Kind::TrackStatus => Some(Answers::TrackStatus),
        Kind::Subscribe | Kind::Fetch => None,
    }
}

/// What a message says after the first one of a stream; `None` for one that is never said there.
fn said(message: &Message) -> Option<Said> {
    match message {
        Message::RequestOk { .. } => Some(Said::Ok),
        Message::SubscribeOk { .. } => Some(Said::SubscribeOk),
        Message::FetchOk { .. } => Some(Said::FetchOk),
        Message::RequestError { .. } => Some(Said::Error),
        Message::RequestUpdate { .. } => Some(Said::Update),
        Message::PublishDone { .. } => Some(Said::Done),
        Message::PublishStateNotify { .. } => Some(Said::Notify),
        Message::Namespace { .. } => Some(Said::Namespace),
        Message::NamespaceDone { .. } => Some(Said::NamespaceDone),
        Message::PublishBlocked { .. } => Some(Said::Blocked),
        Message::Goaway { .. } => Some(Said::Goaway),
        _ => None,
    }
}

impl Session {
    /// A whole message has come on a request stream whose request lives, or is yet to be made.
    pub(crate) fn request_message(&mut self, key: RequestKey, message: Message) -> Result<(), Fault> {
        let Some(state) = self.requests.get(key.0) else { return Ok(()) };
        let Some(kind) = state.kind else { return self.first_message(key, message) };
        if state.drain.is_some() {
            return Err(Fault::violation(format!("{} after PUBLISH_DONE", message.type_name())));
        }
        let name = message.type_name();
        let meaning = said(&message).and_then(|said| states::receive(kind, state.side, state.phase, said));
        let Some(meaning) = meaning else {
            return Err(Fault::violation(format!(
                "{name} is not expected by the {:?} of {kind:?}, {:?}",
                state.side, state.phase
            )));
        };
        match (meaning, message) {
            (Meaning::Accepted, message) => self.accepted(key, kind, message),
            (Meaning::Refused, Message::RequestError { code, retry_interval, reason, redirect }) => {
                self.check_redirect(kind, redirect.as_ref())?;
                if let Some(state) = self.requests.get_mut(key.0) {
                    state.outbox.finish();
                }
                let refusal = Refusal { code, retry_ms: retry_interval, reason, redirect: redirect.map(Box::new) };
                self.end_request(key, Event::Refused { key, refusal });
                self.mark_dirty(key);
                Ok(())
            }
            (Meaning::UpdateAnswer, message) => self.update_answered(key, kind, message),
            (Meaning::Update, Message::RequestUpdate { request_id, params }) => self.updated(key, request_id, params),
            (Meaning::Done, Message::PublishDone { code, stream_count, reason }) => {
                // Who fell behind asks again: streams that were reset before anything of them came are not waited for.
                let late = code == codes::publish_done::TOO_FAR_BEHIND;
                self.published(key, Drain { code, stream_count, reason, late });
                Ok(())
            }
            (Meaning::Notify, Message::PublishStateNotify { params }) => {
                self.events.push(Event::Notify { key, params });
                Ok(())
            }
            (Meaning::Namespace, Message::Namespace { suffix }) => {
                self.namespace_told(key, suffix);
                Ok(())
            }
            (Meaning::NamespaceDone, Message::NamespaceDone { suffix }) => self.namespace_gone(key, suffix),
            (Meaning::Blocked, Message::PublishBlocked { suffix, name }) => {
                self.events.push(Event::TrackBlocked { key, suffix, name });
                Ok(())
            }
            (Meaning::Goaway, Message::Goaway { uri, timeout_ms, .. }) => {
                self.check_goaway_uri(&uri)?;
                match self.requests.get_mut(key.0) {
                    Some(state) if state.goaway => {
                        return Err(Fault::violation("a second GOAWAY on a request stream"));
                    }
                    Some(state) => state.goaway = true,
                    None => {}
                }
                self.events.push(Event::RequestGoaway { key, uri, timeout_ms });
                Ok(())
            }
            (meaning, _) => {
                Err(Fault::new(codes::session::INTERNAL_ERROR, format!("{name} was taken for {meaning:?}")))
            }
        }
    }

    /// The first message of a stream that the peer opened.
    fn first_message(&mut self, key: RequestKey, message: Message) -> Result<(), Fault> {
        let name = message.type_name();
        let Some((kind, id, mut request)) = opened(message) else {
            return Err(Fault::violation(format!("a request stream begins with {name}")));
        };
        self.take_id(id)?;
        let (params, alias) = match &mut request {
            Request::Publish { params, alias, track, .. } => (params, Some((*alias, track.clone()))),
            Request::Subscribe { params, .. }
            | Request::PublishNamespace { params, .. }
            | Request::SubscribeNamespace { params, .. }
            | Request::SubscribeTracks { params, .. }
            | Request::TrackStatus { params, .. }
            | Request::Fetch(Fetch { params, .. }) => (params, None),
        };
        if params.hops.is_some() && self.control.relay_id.is_none() {
            return Err(Fault::violation("a hop list that was not negotiated"));
        }
        if params.publisher.is_some() && self.control.relay_id.is_none() {
            return Err(Fault::violation("a publisher's id from one that is no relay"));
        }
        // Whatever becomes of the request, what it says of aliases holds.
        self.tokens.resolve(params)?;
        if let Some((alias, track)) = &alias {
            self.check_alias(*alias, track)?;
        }
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        state.kind = Some(kind);
        state.id = id;
        if self.control.goaway_sent.is_some_and(|first| id >= first) {
            return self.refuse_here(key, codes::request_error::GOING_AWAY, "going away");
        }
        if let Some((alias, track)) = alias {
            if self.tally.subscriptions >= self.config.limits.subscriptions {
                return self.refuse_here(key, codes::request_error::EXCESSIVE_LOAD, "too many subscriptions");
            }
            state.track = Some(track);
            state.alias = Some(alias);
            state.counted = true;
            self.tally.subscriptions += 1;
            self.aliases.hold(alias, key, false);
            if self.fills_published {
                let order = match &request {
                    Request::Publish { params, .. } => params.group_order,
                    _ => None,
                };
                self.fills.insert(id, (key, order.unwrap_or_default()));
            }
        }
        self.events.push(Event::Request { key, request });
        Ok(())
    }

    fn accepted(&mut self, key: RequestKey, kind: Kind, message: Message) -> Result<(), Fault> {
        let reply = match message {
            Message::SubscribeOk { alias, params, properties } => {
                self.subscribed(key, alias)?;
                Reply::SubscribeOk { alias, params, properties }
            }
            Message::FetchOk { end_of_track, end, params, properties } => {
                Reply::FetchOk { end_of_track, end, params, properties }
            }
            Message::RequestOk { params, properties } => {
                if let Some(answers) = answers(kind) {
                    check_request_ok(self.config.profile, answers, &params, &properties)?;
                }
                Reply::Ok { params, properties }
            }
            other => {
                return Err(Fault::violation(format!("{} answers a request", other.type_name())));
            }
        };
        self.set_deadline(key, None);
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        state.phase = Phase::Established;
        let alias = state.alias;
        self.events.push(Event::Accepted { key, reply });
        match kind {
            Kind::TrackStatus => {
                state.outbox.finish();
                self.end_request(key, Event::Ended { key, cause: Ended::Finished });
                self.mark_dirty(key);
            }
            Kind::Fetch => self.check_fetched(key),
            _ => {
                if let Some(alias) = alias {
                    self.settle_alias(alias);
                }
            }
        }
        Ok(())
    }

    /// Our SUBSCRIBE has been given an alias.
    fn subscribed(&mut self, key: RequestKey, alias: u64) -> Result<(), Fault> {
        let track = self.requests.get(key.0).and_then(|state| state.track.clone());
        if let Some(track) = &track {
            self.check_alias(alias, track)?;
        }
        if let Some(state) = self.requests.get_mut(key.0) {
            state.alias = Some(alias);
            self.aliases.hold(alias, key, true);
        }
        Ok(())
    }

    /// An alias is free, or stands for this very track. A subscription after PUBLISH_DONE gives
    /// way: its publisher may use the alias again.
    fn check_alias(&mut self, alias: u64, track: &TrackName) -> Result<(), Fault> {
        let holders: Vec<RequestKey> = self.aliases.holders(alias).collect();
        for holder in holders {
            let Some(state) = self.requests.get(holder.0) else { continue };
            if state.track.as_ref() == Some(track) {
                continue;
            }
            if state.drain.is_none() {
                return Err(Fault::new(
                    codes::session::DUPLICATE_TRACK_ALIAS,
                    format!("track alias {alias} for two tracks"),
                ));
            }
            self.finish_drain(holder);
        }
        Ok(())
    }

    fn update_answered(&mut self, key: RequestKey, kind: Kind, message: Message) -> Result<(), Fault> {
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        if state.updates_out == 0 {
            return Err(Fault::violation(format!("{} answers nothing", message.type_name())));
        }
        state.updates_out -= 1;
        let result = match message {
            Message::RequestOk { params, properties } => {
                check_request_ok(self.config.profile, Answers::RequestUpdate, &params, &properties)?;
                Ok(params)
            }
            Message::RequestError { code, retry_interval, reason, redirect } => {
                self.check_redirect(kind, redirect.as_ref())?;
                Err(Refusal { code, retry_ms: retry_interval, reason, redirect: redirect.map(Box::new) })
            }
            other => {
                return Err(Fault::violation(format!("{} answers an update", other.type_name())));
            }
        };
        self.events.push(Event::UpdateAnswered { key, result });
        Ok(())
    }

    fn updated(&mut self, key: RequestKey, request_id: u64, mut params: Params) -> Result<(), Fault> {
        self.take_id(request_id)?;
        self.tokens.resolve(&mut params)?;
        let most = self.control.max_updates;
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        if most > 0 && state.updates_in as u64 >= most {
            return Err(Fault::new(
                codes::session::TOO_MANY_REQUEST_UPDATES,
                format!("more than {most} unanswered updates of one request"),
            ));
        }
        state.updates_in += 1;
        if state.side == Side::Responder && state.phase == Phase::Pending {
            // Bounded like all unanswered updates: the stream is left unread beyond.
            state.early_updates.push((request_id, params));
        } else {
            self.events.push(Event::Update { key, request_id, params });
        }
        Ok(())
    }

    /// PUBLISH_DONE: the subscription lives on until the streams it counts are through.
    fn published(&mut self, key: RequestKey, drain: Drain) {
        let until = self.now.saturating_add(self.config.limits.late_data_time);
        if let Some(state) = self.requests.get_mut(key.0) {
            state.drain = Some(Box::new(drain));
            if state.phase == Phase::Established {
                state.outbox.finish();
            }
        }
        self.mark_dirty(key);
        self.set_deadline(key, Some(until));
        self.check_drained(key);
    }

    fn namespace_told(&mut self, key: RequestKey, suffix: Namespace) {
        let Some(state) = self.requests.get_mut(key.0) else { return };
        if !state.namespaces.insert(suffix.clone()) {
            return;
        }
        self.tally.namespaces += 1;
        if self.tally.namespaces > self.config.limits.namespaces {
            self.counters.rare().streams_excess += 1;
            self.give_up_request(key, codes::stream_reset::EXCESSIVE_LOAD);
            return;
        }
        self.events.push(Event::Namespace { key, suffix });
    }

    fn namespace_gone(&mut self, key: RequestKey, suffix: Namespace) -> Result<(), Fault> {
        let Some(state) = self.requests.get_mut(key.0) else { return Ok(()) };
        if state.namespaces.remove(&suffix) {
            self.tally.namespaces -= 1;
        } else if !state.moved {
            return Err(Fault::violation("NAMESPACE_DONE without NAMESPACE"));
        }
        self.events.push(Event::NamespaceDone { key, suffix });
        Ok(())
    }

    fn take_id(&mut self, id: u64) -> Result<(), Fault> {
        if self.seen.accept(id) {
            return Ok(());
        }
        Err(Fault::new(
            codes::session::INVALID_REQUEST_ID,
            format!("request id {id} has the wrong parity or came before"),
        ))
    }

    /// Section "Redirect Structure": only a server sends its peer elsewhere, and what concerns a
    /// namespace names no track.
    fn check_redirect(&self, kind: Kind, redirect: Option<&Redirect>) -> Result<(), Fault> {
        let Some(redirect) = redirect else { return Ok(()) };
        if self.config.role == Role::Server && !redirect.uri.is_empty() {
            return Err(Fault::violation("a redirect with a URI from a client"));
        }
        let of_namespace = matches!(kind, Kind::PublishNamespace | Kind::SubscribeNamespace | Kind::SubscribeTracks);
        if of_namespace && !redirect.track.name.is_empty() {
            return Err(Fault::violation("a redirect with a track name for a namespace"));
        }
        Ok(())
    }
}
