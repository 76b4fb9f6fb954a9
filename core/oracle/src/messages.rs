//! Messages as the other codec's, for each draft.

use cc_wire::Redirect;

/// A module that converts messages for one of the other codec's drafts: what all drafts have in
/// common, and the arms that are this draft's own.
macro_rules! draft {
    ($name:ident, $draft:ident, $profile:ident, { $($own:tt)* }) => {
        #[doc = concat!("Messages of ", stringify!($draft), ".")]
        pub mod $name {
            use cc_wire::{Message, Profile};
            use moqtap_codec::$draft::message as theirs;

            use crate::int;
            use crate::params::{namespace, options, params, properties};

            const PROFILE: Profile = Profile::$profile;

            /// The other codec's bytes for a message.
            pub fn encode(message: &Message) -> Result<Vec<u8>, String> {
                let mut out = Vec::new();
                convert(message).encode(&mut out).map_err(|error| error.to_string())?;
                Ok(out)
            }

            /// Whether the other codec reads `bytes` as the message that it would have written.
            pub fn reads(message: &Message, bytes: &[u8]) -> Result<bool, String> {
                let mut rest = bytes;
                let read = theirs::ControlMessage::decode(&mut rest).map_err(|error| error.to_string())?;
                Ok(rest.is_empty() && read == convert(message))
            }

            fn convert(message: &Message) -> theirs::ControlMessage {
                use theirs::ControlMessage as C;
                match message {
                    Message::Setup(with) => C::Setup(theirs::Setup { options: options(with) }),
                    Message::Subscribe { request_id, track, params: with } => C::Subscribe(theirs::Subscribe {
                        request_id: int(*request_id),
                        track_namespace: namespace(&track.namespace),
                        track_name: track.name.to_vec(),
                        parameters: params(PROFILE, with),
                    }),
                    Message::TrackStatus { request_id, track, params: with } => C::TrackStatus(theirs::TrackStatus {
                        request_id: int(*request_id),
                        track_namespace: namespace(&track.namespace),
                        track_name: track.name.to_vec(),
                        parameters: params(PROFILE, with),
                    }),
                    Message::SubscribeOk { alias, params: with, properties: of } => {
                        C::SubscribeOk(theirs::SubscribeOk {
                            track_alias: int(*alias),
                            parameters: params(PROFILE, with),
                            track_properties: properties(of),
                        })
                    }
                    Message::Publish { request_id, track, alias, params: with, properties: of } => {
                        C::Publish(theirs::Publish {
                            request_id: int(*request_id),
                            track_namespace: namespace(&track.namespace),
                            track_name: track.name.to_vec(),
                            track_alias: int(*alias),
                            parameters: params(PROFILE, with),
                            track_properties: properties(of),
                        })
                    }
                    Message::RequestOk { params: with, properties: of } => C::RequestOk(theirs::RequestOk {
                        parameters: params(PROFILE, with),
                        track_properties: properties(of),
                    }),
                    Message::RequestError { code, retry_interval, reason, redirect } => {
                        C::RequestError(theirs::RequestError {
                            error_code: int(*code),
                            retry_interval: int(retry_interval.map_or(0, |ms| ms + 1)),
                            reason_phrase: reason.clone().into_bytes(),
                            redirect: redirect.as_ref().map(|to: &super::Redirect| theirs::Redirect {
                                connect_uri: to.uri.clone().into_bytes(),
                                track_namespace: namespace(&to.track.namespace),
                                track_name: to.track.name.to_vec(),
                            }),
                        })
                    }
                    Message::RequestUpdate { request_id, params: with } => C::RequestUpdate(theirs::RequestUpdate {
                        request_id: int(*request_id),
                        parameters: params(PROFILE, with),
                    }),
                    Message::PublishDone { code, stream_count, reason } => C::PublishDone(theirs::PublishDone {
                        status_code: int(*code),
                        stream_count: int(stream_count.unwrap_or(match PROFILE {
                            Profile::D18 => (1 << 62) - 1,
                            _ => u64::MAX,
                        })),
                        reason_phrase: reason.clone().into_bytes(),
                    }),
                    Message::FetchOk { end_of_track, end, params: with, properties: of } => {
                        let object = match PROFILE {
                            Profile::D18 => end.object.map_or(0, |object| object + 1),
                            _ => end.object.unwrap_or(0),
                        };
                        C::FetchOk(theirs::FetchOk {
                            end_of_track: u8::from(*end_of_track),
                            end_group: int(end.group),
                            end_object: int(object),
                            parameters: params(PROFILE, with),
                            track_properties: properties(of),
                        })
                    }
                    Message::PublishNamespace { request_id, namespace: of, params: with } => {
                        C::PublishNamespace(theirs::PublishNamespace {
                            request_id: int(*request_id),
                            track_namespace: namespace(of),
                            parameters: params(PROFILE, with),
                        })
                    }
                    Message::SubscribeNamespace { request_id, prefix, params: with } => {
                        C::SubscribeNamespace(theirs::SubscribeNamespace {
                            request_id: int(*request_id),
                            namespace_prefix: namespace(prefix),
                            parameters: params(PROFILE, with),
                        })
                    }
                    Message::SubscribeTracks { request_id, prefix, params: with } => {
                        C::SubscribeTracks(theirs::SubscribeTracks {
                            request_id: int(*request_id),
                            namespace_prefix: namespace(prefix),
                            parameters: params(PROFILE, with),
                        })
                    }
                    Message::Namespace { suffix } => {
                        C::Namespace(theirs::Namespace { namespace_suffix: namespace(suffix) })
                    }
                    Message::NamespaceDone { suffix } => {
                        C::NamespaceDone(theirs::NamespaceDone { namespace_suffix: namespace(suffix) })
                    }
                    $($own)*
                }
            }
        }
    };
}

macro_rules! later_draft {
    ($name:ident, $draft:ident, $profile:ident) => {
        draft!($name, $draft, $profile, {
            Message::Goaway { uri, timeout_ms, .. } => C::GoAway(theirs::GoAway {
                new_session_uri: uri.clone().into_bytes(),
                timeout: int(*timeout_ms),
            }),
            Message::PublishBlocked { suffix, name } => C::PublishSkipped(theirs::PublishSkipped {
                namespace_suffix: namespace(suffix),
                track_name: name.to_vec(),
            }),
            Message::PublishStateNotify { params: with } => {
                C::PublishStateNotify(theirs::PublishStateNotify { parameters: params(PROFILE, with) })
            }
            Message::Fetch { request_id, kind, params: with } => {
                let cc_wire::FetchKind::Standalone(track) = kind else { unreachable!("no joining FETCH") };
                C::Fetch(theirs::Fetch {
                    request_id: int(*request_id),
                    track_namespace: namespace(&track.namespace),
                    track_name: track.name.to_vec(),
                    parameters: params(PROFILE, with),
                })
            }
        });
    };
}

later_draft!(d20, draft20, D20);
later_draft!(d21, draft21, D21);
later_draft!(d22, draft22, D22);

draft!(d18, draft18, D18, {
    Message::Goaway { uri, timeout_ms, request_id } => C::GoAway(theirs::GoAway {
        new_session_uri: uri.clone().into_bytes(),
        timeout: int(*timeout_ms),
        request_id: request_id.map(int),
    }),
    Message::PublishBlocked { suffix, name } => C::PublishBlocked(theirs::PublishBlocked {
        namespace_suffix: namespace(suffix),
        track_name: name.to_vec(),
    }),
    Message::PublishStateNotify { .. } => unreachable!("not at -18"),
    Message::Fetch { request_id, kind, params: with } => {
        use cc_wire::{FetchKind, Filter};
        use theirs::{FetchPayload, FetchType};
        let mut with = with.clone();
        let (fetch_type, fetch_payload) = match kind {
            FetchKind::Standalone(track) => {
                let (start, end_group, end_object) = match with.filter.take() {
                    Some(Filter::AbsoluteRange { start, end_group }) => (start, end_group, 0),
                    Some(Filter::ObjectRange { start, end }) => (start, end.group, end.object + 1),
                    _ => unreachable!("a range"),
                };
                let payload = FetchPayload::Standalone {
                    track_namespace: namespace(&track.namespace),
                    track_name: track.name.to_vec(),
                    start_group: int(start.group),
                    start_object: int(start.object),
                    end_group: int(end_group),
                    end_object: int(end_object),
                };
                (FetchType::Standalone, payload)
            }
            FetchKind::RelativeJoining { joining, groups } => (
                FetchType::RelativeJoining,
                FetchPayload::Joining { joining_request_id: int(*joining), joining_start: int(*groups) },
            ),
            FetchKind::AbsoluteJoining { joining, group } => (
                FetchType::AbsoluteJoining,
                FetchPayload::Joining { joining_request_id: int(*joining), joining_start: int(*group) },
            ),
        };
        C::Fetch(theirs::Fetch {
            request_id: int(*request_id),
            fetch_type,
            fetch_payload,
            parameters: params(PROFILE, &with),
        })
    }
});
