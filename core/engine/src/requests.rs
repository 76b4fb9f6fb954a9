//! What a session's peer asks and answers: tracks are published, subscribed, watched, updated, ended.
//!
//! Each request of an admitted session is checked against its stamp here, in `publishing`, `subscribing`, `watching` and
//! `fetch`. A link's peer, the relay, was chosen by the application and may offer and ask what it likes within the link's own domain.

use bytes::Bytes;
use cc_session::{Ended, Event as SessionEvent, Refusal, Reply, Request, RequestKey};
use cc_wire::{codes, property, DatagramHeader, Params, Properties};

use crate::api::{Event, Place, Reason, Time, TrackId};
use crate::close;
use crate::conn::{Conn, ConnIndex, Role, Side};
use crate::domain::Party;
use crate::limits::Limit;
use crate::track::{GroupKey, Source, Traits};
use crate::Engine;

pub(crate) type Refused = Result<(), Refusal>;

/// Track properties that whoever does not know them may not pass over (draft -18, "Mandatory Track Properties").
pub(crate) const MANDATORY: std::ops::RangeInclusive<u64> = 0x4000..=0x7fff;

/// A request stream: the session's connection, its key there, and the domain it acts on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) conn: ConnIndex,
    pub(crate) key: RequestKey,
    pub(crate) place: Place,
}

pub(crate) fn unauthorized(what: &str) -> Refusal {
    Refusal::new(codes::request_error::UNAUTHORIZED, format!("the token does not allow it: {what}"))
}

/// Names that no relay passes on: below `.` nothing is, and nothing of `.session` is known here.
fn check_reserved(request: &Request) -> Refused {
    let namespace = match request {
        Request::Subscribe { track, .. } | Request::Publish { track, .. } | Request::TrackStatus { track, .. } => {
            &track.namespace
        }
        Request::PublishNamespace { namespace, .. } => namespace,
        Request::SubscribeNamespace { prefix, .. } | Request::SubscribeTracks { prefix, .. } => prefix,
        Request::Fetch(fetch) => match &fetch.kind {
            cc_wire::FetchKind::Standalone(track) => &track.namespace,
            _ => return Ok(()),
        },
    };
    match namespace.fields().first() {
        Some(first) if matches!(&first[..], b"." | b".session") => {
            Err(Refusal::new(codes::request_error::DOES_NOT_EXIST, "the namespace is reserved"))
        }
        _ => Ok(()),
    }
}

/// Refuses a track with a property that has to be understood, and is not: there are none that this relay knows.
pub(crate) fn check_understood(properties: &Properties) -> Refused {
    match properties.iter().find(|(kind, _)| MANDATORY.contains(kind)) {
        Some((kind, _)) => {
            let text = format!("the track's property {kind:#x} has to be understood, and is not known here");
            Err(Refusal::new(codes::request_error::UNSUPPORTED_EXTENSION, text))
        }
        None => Ok(()),
    }
}

pub(crate) fn ok(params: Params) -> Reply {
    Reply::Ok { params, properties: Properties::default() }
}

impl Engine {
    /// An object in a datagram, of this subscription.
    pub(crate) fn datagram_came(
        &mut self,
        at: ConnIndex,
        key: RequestKey,
        header: DatagramHeader,
        payload: Bytes,
        now: Time,
    ) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.objects_in += 1;
        let Some(track) = conn.track_of(key) else { return };
        match self.fault_of_datagram(track, &header, &payload) {
            true => self.malformed(track, at),
            false => self.route_datagram(track, header, payload, now),
        }
    }

    /// One event of an admitted session.
    pub(crate) fn session_event(&mut self, at: ConnIndex, event: SessionEvent, now: Time) {
        match event {
            SessionEvent::Request { key, request } => self.take_request(at, key, request, now),
            SessionEvent::Accepted { key, reply } => self.accepted(at, key, reply, now),
            SessionEvent::Refused { key, refusal } => self.refused(at, key, &refusal, now),
            SessionEvent::Update { key, request_id, params } => self.updated(at, key, request_id, &params, now),
            SessionEvent::UpdateAnswered { key, result: Err(refusal) } => self.refused(at, key, &refusal, now),
            SessionEvent::UpdateAnswered { key, result: Ok(params) } => {
                match self.conns.get(at).and_then(|conn| conn.roles.get(&key)).cloned() {
                    Some(Role::OurTrackWatch(prefix)) => self.watch_changed(at, key, &prefix, now),
                    Some(Role::Source(id) | Role::OurSubscribe(id)) => {
                        self.source_at(id, params.largest);
                        self.demand_changed(id);
                        self.join_late(id, now);
                    }
                    _ => {}
                }
            }
            SessionEvent::Notify { key, params } => {
                if let Some(id) = self.conns.get(at).and_then(|conn| conn.track_of(key)) {
                    self.source_at(id, params.largest);
                    self.catch_up(id, params.largest, now);
                    self.tell_largest(id);
                }
            }
            SessionEvent::Done { key, code, reason, .. } => {
                self.request_ended(at, key, close::reason_of_publish_done(code), &reason, now);
            }
            SessionEvent::Ended { key, cause } => {
                let (reason, text) = match cause {
                    Ended::Finished => (Reason::TrackEnded, "the other side finished the request"),
                    Ended::Reset(_) | Ended::Stopped(_) => (Reason::Peer, "the other side cancelled the request"),
                    Ended::TimedOut => (Reason::Timeout, "the request was not answered in time"),
                };
                let why = if let Ended::Reset(code) = cause { close::reason_of_reset(code) } else { reason };
                self.watch_cut(at, key, why, text);
                self.request_ended(at, key, reason, text, now);
            }
            SessionEvent::Datagram { key, header, payload } => self.datagram_came(at, key, header, payload, now),
            SessionEvent::Whole { key, header, object, payload } => {
                let Some(conn) = self.conns.get_mut(at) else { return };
                conn.objects_in += 1;
                let Some(track) = conn.track_of(key) else { return };
                match self.fault_of_whole(track, at, &header, &object, &payload) {
                    true => self.malformed(track, at),
                    false => self.put_whole(track, header, object, payload, now),
                }
            }
            SessionEvent::SubgroupStart { data, key, header } => {
                let Some(conn) = self.conns.get_mut(at) else { return };
                if let Some(track) = conn.track_of(key) {
                    let most = self.config.limits.subgroups;
                    if self.tracks.get(&track).is_some_and(|track| track.groups.len() >= most) {
                        self.refused.met(Limit::Subgroups);
                        if let Some(session) = conn.session.as_mut() {
                            session.stop_data(data, codes::stream_reset::EXCESSIVE_LOAD);
                        }
                        return self.ready.want_service(at, conn);
                    }
                    conn.receiving.insert(data, track);
                    if self.fault_of_subgroup(track, at, &header) {
                        return self.malformed(track, at);
                    }
                    self.open_group(track, GroupKey::Remote(at, data), header, now);
                }
            }
            SessionEvent::Object { data, header, payload } => {
                let Some(conn) = self.conns.get_mut(at) else { return };
                conn.objects_in += 1;
                let Some(track) = conn.receiving.get(&data).copied() else { return };
                let group = GroupKey::Remote(at, data);
                if self.fault_of_object(track, group, &header, &payload) {
                    return self.malformed(track, at);
                }
                self.put_object(track, group, header, payload, now);
            }
            SessionEvent::SubgroupEnd { data, end } => {
                if self.fetch_ended(at, data, end, now) {
                    return;
                }
                let Some(conn) = self.conns.get_mut(at) else { return };
                if let Some(track) = conn.receiving.remove(&data) {
                    self.close_group(track, GroupKey::Remote(at, data), end, now);
                }
            }
            SessionEvent::Goaway { uri, timeout_ms } => {
                if let Some(Side::Link(link)) = self.conns.get(at).map(|conn| conn.side) {
                    self.events.push_back(Event::LinkGoaway { link, uri: uri.clone(), timeout_ms });
                    self.link_goaway(link, &uri, timeout_ms, now);
                }
            }
            SessionEvent::Namespace { key, suffix } => self.uplink_namespace(at, key, &suffix, true, now),
            SessionEvent::NamespaceDone { key, suffix } => self.uplink_namespace(at, key, &suffix, false, now),
            // A blocked track is one that is not offered: it may still be asked for by name.
            SessionEvent::TrackBlocked { .. } => {}
            SessionEvent::RequestGoaway { key, uri, .. } => self.request_goaway(at, key, &uri, now),
            SessionEvent::FetchStart { data, key } => self.fetch_started(at, data, key),
            SessionEvent::FetchItem { data, item, payload } => self.fetch_item(at, data, item, payload, now),
            // Dealt with where the session is serviced.
            SessionEvent::Setup(_) | SessionEvent::Fatal { .. } => {}
        }
    }

    pub(crate) fn place_of(&self, at: ConnIndex) -> Option<Place> {
        self.conns.get(at).map(Conn::place)
    }

    /// A request whose token, if it shows one, was found good.
    pub(crate) fn serve_request(&mut self, at: ConnIndex, key: RequestKey, request: Request, now: Time) {
        if let Err(refusal) = self.try_request(at, key, request, now) {
            self.refuse_request(at, key, refusal);
        }
    }

    /// The same, with the refusal left to the caller.
    pub(crate) fn try_request(&mut self, at: ConnIndex, key: RequestKey, request: Request, now: Time) -> Refused {
        check_reserved(&request).and_then(|()| match request {
            Request::Publish { track, properties, params, .. } => {
                self.asked_publish(at, key, track, (properties, params), now)
            }
            Request::Subscribe { track, params } => self.asked_subscribe(at, key, track, &params, now),
            Request::SubscribeTracks { prefix, params } => self.asked_watch(at, key, prefix, &params, now),
            Request::PublishNamespace { namespace, params } => self.asked_announce(at, key, namespace, &params, now),
            Request::SubscribeNamespace { prefix, .. } => self.asked_namespaces(at, key, prefix),
            Request::TrackStatus { track, params } => self.asked_status(at, key, &track, &params, now),
            Request::Fetch(fetch) => match self.place_of(at) {
                Some(place) => self.asked_fetch(at, key, place, fetch, now),
                None => Ok(()),
            },
        })
    }

    pub(crate) fn refuse_request(&mut self, at: ConnIndex, key: RequestKey, refusal: Refusal) {
        if let Some(conn) = self.conns.get_mut(at) {
            conn.tokens.forget(key);
            if refusal.code == codes::request_error::UNAUTHORIZED {
                conn.drops.get_or_insert_default()[cc_fanout::queue::DropReason::NotAuthorised as usize] += 1;
            }
        }
        self.with_session(at, |session| session.refuse(key, refusal));
    }

    /// Whether there is room for one more beside `held`; if not it is counted, and refused with EXCESSIVE_LOAD.
    pub(crate) fn within(&mut self, limit: Limit, held: usize, text: &str) -> Refused {
        if held < self.config.limits.get(limit) {
            return Ok(());
        }
        self.refused.met(limit);
        Err(Refusal::new(codes::request_error::EXCESSIVE_LOAD, text))
    }

    /// A track's source says how far it is.
    pub(crate) fn source_at(&mut self, id: TrackId, largest: Option<cc_wire::Location>) {
        if let (Some(track), Some(largest)) = (self.tracks.get_mut(&id), largest) {
            track.saw(largest.group, largest.object);
        }
    }

    fn accepted(&mut self, at: ConnIndex, key: RequestKey, reply: Reply, now: Time) {
        let Some(role) = self.conns.get(at).and_then(|conn| conn.roles.get(&key)).cloned() else { return };
        match (role, reply) {
            (Role::Sink(id), Reply::Ok { params, .. }) => self.publish_taken(id, at, key, params, now),
            (Role::OurSubscribe(id), Reply::SubscribeOk { params, properties, .. }) => {
                if let Err(refusal) = check_understood(&properties) {
                    if let Some(conn) = self.conns.get_mut(at) {
                        conn.roles.remove(&key);
                    }
                    self.with_session(at, |session| session.cancel(key, codes::stream_reset::CANCELLED));
                    return self.exact_ended(id, Reason::Refused, &refusal, now);
                }
                let from = self.relay_peer(at);
                let publisher = self.publisher_at(at, &params);
                let named = self.is_sibling(at);
                let Some(track) = self.tracks.get_mut(&id) else { return };
                if named {
                    track.publisher = publisher;
                }
                track.by_name = track.place == Place::Node;
                track.asked_again = 0;
                track.hops = from.into_iter().collect();
                track.traits = Traits::read(&properties);
                track.capability = properties.get_bytes(property::CAPABILITY_TAG).unwrap_or_default();
                track.properties = properties;
                track.source = Source::Remote(at, key);
                if let Some(largest) = params.largest {
                    track.saw(largest.group, largest.object);
                }
                self.seek_found(id, now);
                self.catch_up(id, params.largest, now);
                self.join(id, params.largest, now);
            }
            (Role::OurFetch(_), Reply::FetchOk { end, properties, .. }) => {
                self.fetch_accepted(at, key, end, properties, now)
            }
            (Role::OurTrackWatch(prefix), Reply::Ok { .. }) => self.watch_answered(at, &prefix, None, now),
            (Role::UplinkTracks | Role::UplinkNames, Reply::Ok { .. }) => self.uplink_answered(at),
            (Role::OurStatus { asker, request, .. }, Reply::Ok { params, properties }) => {
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.roles.remove(&key);
                }
                let params = Params { largest: params.largest, ..Params::default() };
                self.with_session(asker, |session| session.accept(request, Reply::Ok { params, properties }));
            }
            _ => {}
        }
    }

    fn refused(&mut self, at: ConnIndex, key: RequestKey, refusal: &Refusal, now: Time) {
        let reason = close::reason_of_request_error(refusal.code);
        let role = self.conns.get(at).and_then(|conn| conn.roles.get(&key)).cloned();
        if let Some(Role::OurFetch(_)) = &role {
            self.fetch_refused(at, key, refusal.clone(), now);
        }
        match &role {
            Some(Role::OurTrackWatch(prefix)) => self.watch_answered(at, prefix, Some(refusal), now),
            Some(Role::UplinkTracks) => self.uplink_refused(at, "tracks", refusal, now),
            Some(Role::UplinkNames) => self.uplink_refused(at, "namespaces", refusal, now),
            Some(Role::OurSubscribe(id)) if self.comes_by(*id, at, key) => {
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.roles.remove(&key);
                }
                return self.exact_ended(*id, reason, refusal, now);
            }
            Some(Role::Sink(id)) if refusal.redirect.is_some() => {
                // It is told with its place.
                self.forget_sink(*id, at, key);
                self.publication_refused(*id, reason, refusal, now);
            }
            Some(Role::OurStatus { asker, request, .. }) => {
                self.refuse_onward(*asker, *request, refusal.clone());
                if let Some(conn) = self.conns.get_mut(at) {
                    conn.roles.remove(&key);
                }
            }
            _ => {}
        }
        self.request_ended(at, key, reason, &refusal.reason, now);
    }

    /// Whether a track comes, or was asked for, by this request.
    fn comes_by(&self, id: TrackId, at: ConnIndex, key: RequestKey) -> bool {
        let source = self.tracks.get(&id).map(|track| track.source);
        matches!(source, Some(Source::Remote(from, by) | Source::Asked(from, by)) if (from, by) == (at, key))
    }

    /// REQUEST_UPDATE: a subscription's parameters change, or a token is renewed.
    pub(crate) fn updated(&mut self, at: ConnIndex, key: RequestKey, request_id: u64, params: &Params, now: Time) {
        if let (false, Some(conn)) = (params.tokens.is_empty() || self.open_to_all(), self.conns.get_mut(at)) {
            let token = match &params.tokens[..] {
                [token] => crate::admission::token_value(token),
                _ => None,
            };
            let busy = conn.refreshing.is_some();
            match (conn.side, token) {
                (Side::Session(_), Some(token)) if conn.tokens.stamp(key).is_some() => {
                    return self.renew_request(at, key, request_id, params.clone(), &token, now);
                }
                (Side::Session(session), Some(token)) if !busy => {
                    let params = Params { tokens: Vec::new(), ..params.clone() };
                    conn.refreshing = Some(Box::new((key, request_id, params)));
                    return self.events.push_back(Event::AuthRefresh { session, token });
                }
                (Side::Session(_), token) => {
                    let refusal = match token {
                        Some(_) => Refusal {
                            retry_ms: Some(500),
                            ..Refusal::new(codes::request_error::EXCESSIVE_LOAD, "another token is being looked at")
                        },
                        None => Refusal::new(
                            codes::request_error::MALFORMED_AUTH_TOKEN,
                            "an update shows one token of at most 4096 bytes",
                        ),
                    };
                    return self.with_session(at, |session| session.answer_update(key, Err(refusal)));
                }
                // A relay has nothing to prove to those who chose it, nor to itself.
                (Side::Link(_) | Side::Sibling { .. }, _) => {}
            }
        }
        let role = self.conns.get(at).and_then(|conn| conn.roles.get(&key)).cloned();
        match (role, &params.namespace_prefix) {
            (Some(Role::Sink(id)), _) => return self.sink_updated((id, at, key), request_id, params, now),
            (Some(Role::TrackWatch { .. }), None) => return self.watch_updated(at, key, params, now),
            (Some(Role::TrackWatch { .. } | Role::NamespaceWatch { .. }), Some(prefix)) => {
                return self.moved(at, key, prefix.clone(), params, now);
            }
            (Some(Role::Answering(queue)), _) => {
                if let (Some(priority), Some(conn)) = (params.subscriber_priority, self.conns.get_mut(at)) {
                    conn.queue.update_track(queue, crate::fetch::queue_config(priority));
                }
            }
            _ => {}
        }
        self.with_session(at, |session| session.answer_update(key, Ok(Params::default())));
    }

    /// A request is over, whoever ended it: what it stood for goes.
    pub(crate) fn request_ended(&mut self, at: ConnIndex, key: RequestKey, reason: Reason, text: &str, now: Time) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.tokens.forget(key);
        let Some(role) = conn.roles.remove(&key) else { return };
        let Some(place) = self.place_of(at) else { return };
        self.role_ended(At { conn: at, key, place }, role, reason, text, now);
    }

    /// The same for a role that has been taken out already.
    pub(crate) fn role_ended(&mut self, at: At, role: Role, reason: Reason, text: &str, now: Time) {
        let At { conn, key, place } = at;
        if matches!(role, Role::Source(_) | Role::OurSubscribe(_)) {
            self.drop_joins(conn, Some(key), now);
        }
        match role {
            Role::Source(id) | Role::OurSubscribe(id) if reason == Reason::TooFarBehind && self.reads_text(id) => {
                self.ask_again(id, conn, now);
            }
            Role::Source(id) => self.source_ended(id, conn, key, reason, now),
            Role::OurSubscribe(id) => {
                if self.comes_by(id, conn, key) {
                    let refusal = Refusal::new(crate::close::request_error_code(reason), text);
                    self.exact_ended(id, reason, &refusal, now);
                }
            }
            Role::Standby(id) => self.forget_standby(id, conn, key),
            Role::Sink(id) => {
                self.forget_sink(id, conn, key);
                let refusal = Refusal::new(crate::close::request_error_code(reason), text);
                self.publication_refused(id, reason, &refusal, now);
                self.demand_changed(id);
            }
            Role::TrackWatch { .. } => {
                if let Some(domain) = self.domains.get_mut(&place) {
                    domain.unwatch(Party::Remote(conn, key));
                }
            }
            Role::Announced { namespace, .. } => {
                self.announced -= 1;
                self.unannounce(place, &namespace, Party::Remote(conn, key), now);
            }
            Role::Announcing(namespace) => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.announcing.remove(&namespace);
                }
            }
            Role::UplinkNames => self.forget_uplink_names(conn, key, now),
            Role::OurStatus { asker, request, .. } => {
                let refusal = Refusal::new(codes::request_error::TIMEOUT, "the publisher does not answer");
                self.with_session(asker, |session| session.refuse(request, refusal));
            }
            Role::NamespaceWatch { prefix, .. } => {
                if let Some(domain) = self.domains.get_mut(&place) {
                    domain.unwatch_namespaces(&prefix, Party::Remote(conn, key));
                }
            }
            Role::OurFetch(_) => self.fetch_over(conn, key, false, now),
            Role::Answering(queue) => {
                self.drop_answers(conn, Some(queue));
                if let Some(found) = self.conns.get_mut(conn) {
                    found.sinks.remove(&queue);
                    found.drop_track(queue);
                    self.ready.want_send(conn, found);
                }
            }
            Role::OurTrackWatch(_) | Role::UplinkTracks => {}
        }
    }
}
