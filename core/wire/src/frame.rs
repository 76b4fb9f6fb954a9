//! Control messages to bytes and back.

use bytes::Bytes;

use crate::codes::request_error::REDIRECT;
use crate::scope::Place;
use crate::{
    varint, Error, FetchEnd, FetchKind, Filter, Location, Message, Namespace, Params, Profile, Properties, Reader,
    Redirect, Result, SetupOptions, TrackName,
};

const SETUP: u64 = 0x2f00;
const REQUEST_UPDATE: u64 = 0x2;
const SUBSCRIBE: u64 = 0x3;
const SUBSCRIBE_OK: u64 = 0x4;
const REQUEST_ERROR: u64 = 0x5;
const PUBLISH_NAMESPACE: u64 = 0x6;
const REQUEST_OK: u64 = 0x7;
const NAMESPACE: u64 = 0x8;
const PUBLISH_DONE: u64 = 0xb;
const TRACK_STATUS: u64 = 0xd;
const NAMESPACE_DONE: u64 = 0xe;
const PUBLISH_BLOCKED: u64 = 0xf;
const GOAWAY: u64 = 0x10;
const FETCH: u64 = 0x16;
const FETCH_OK: u64 = 0x18;
const PUBLISH: u64 = 0x1d;
/// In -18's table of types but not in its formats, which answer a PUBLISH with REQUEST_OK; the
/// payload is the same, so it is read, and never written.
const PUBLISH_OK: u64 = 0x1e;
const PUBLISH_STATE_NOTIFY: u64 = 0x22;
const SUBSCRIBE_NAMESPACE: u64 = 0x50;
const SUBSCRIBE_TRACKS: u64 = 0x51;

/// PUBLISH_DONE's stream count for "not known" through -19; from -20 on it is 2^64 - 1. Either is
/// read at any draft, since nobody opens as many streams.
const UNKNOWN_COUNT: u64 = (1 << 62) - 1;

impl Message {
    /// Appends the whole message: type, length, payload. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::Unencodable`], which name the field.
    pub fn encode(&self, profile: Profile, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let result = self.append(profile, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn append(&self, profile: Profile, out: &mut Vec<u8>) -> Result<()> {
        varint::put(out, self.kind());
        let length = out.len();
        out.extend_from_slice(&[0, 0]);
        self.payload(profile, out)?;
        let len = out.len() - length - 2;
        let len =
            u16::try_from(len).map_err(|_| Error::TooLong { what: "message payload", limit: Message::MAX_PAYLOAD })?;
        out[length..length + 2].copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    /// Reads one whole message; [`Message::frame_len`] tells how many bytes that is.
    ///
    /// # Errors
    /// [`Error::Truncated`] when bytes are missing, or the payload is shorter than its fields; a
    /// violation for bytes behind the last field or the message, an unknown type, and whatever else
    /// the draft forbids.
    pub fn decode(profile: Profile, bytes: &[u8]) -> Result<Message> {
        let mut reader = Reader::new(bytes);
        let kind = reader.varint()?;
        let len = u16::from_be_bytes([reader.u8()?, reader.u8()?]);
        let mut payload = Reader::new(reader.bytes(usize::from(len))?);
        reader.finish("bytes behind a message")?;
        let message = Self::read(profile, kind, &mut payload)?;
        payload.finish("a message longer than its fields")?;
        Ok(message)
    }

    fn kind(&self) -> u64 {
        match self {
            Message::Setup(_) => SETUP,
            Message::Goaway { .. } => GOAWAY,
            Message::Subscribe { .. } => SUBSCRIBE,
            Message::SubscribeOk { .. } => SUBSCRIBE_OK,
            Message::Publish { .. } => PUBLISH,
            Message::RequestOk { .. } => REQUEST_OK,
            Message::RequestError { .. } => REQUEST_ERROR,
            Message::RequestUpdate { .. } => REQUEST_UPDATE,
            Message::PublishDone { .. } => PUBLISH_DONE,
            Message::Fetch { .. } => FETCH,
            Message::FetchOk { .. } => FETCH_OK,
            Message::TrackStatus { .. } => TRACK_STATUS,
            Message::PublishNamespace { .. } => PUBLISH_NAMESPACE,
            Message::SubscribeNamespace { .. } => SUBSCRIBE_NAMESPACE,
            Message::SubscribeTracks { .. } => SUBSCRIBE_TRACKS,
            Message::Namespace { .. } => NAMESPACE,
            Message::NamespaceDone { .. } => NAMESPACE_DONE,
            Message::PublishBlocked { .. } => PUBLISH_BLOCKED,
            Message::PublishStateNotify { .. } => PUBLISH_STATE_NOTIFY,
        }
    }

    fn payload(&self, profile: Profile, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Message::Setup(options) => return options.encode(profile, out),
            Message::Goaway { uri, timeout_ms, request_id } => {
                put_text(out, uri, Message::MAX_URI, "GOAWAY's URI")?;
                varint::put(out, *timeout_ms);
                if let (Profile::D18, Some(id)) = (profile, request_id) {
                    varint::put(out, *id);
                }
            }
            Message::Subscribe { request_id, track, params } => {
                varint::put(out, *request_id);
                track.encode(out)?;
                params.encode(profile, Place::SUBSCRIBE, out)?;
            }
            Message::SubscribeOk { alias, params, properties } => {
                varint::put(out, *alias);
                params.encode(profile, Place::SUBSCRIBE_OK, out)?;
                properties.encode_track(out)?;
            }
            Message::Publish { request_id, track, alias, params, properties } => {
                varint::put(out, *request_id);
                track.encode(out)?;
                varint::put(out, *alias);
                params.encode(profile, Place::PUBLISH, out)?;
                properties.encode_track(out)?;
            }
            Message::RequestOk { params, properties } => {
                params.encode(profile, Place::REQUEST_OK, out)?;
                properties.encode_track(out)?;
            }
            Message::RequestError { code, retry_interval, reason, redirect } => {
                let retry = match retry_interval {
                    None => 0,
                    Some(ms) => ms.checked_add(1).ok_or(Error::Unencodable("a retry interval of 2^64 - 1"))?,
                };
                varint::put(out, *code);
                varint::put(out, retry);
                put_text(out, reason, Message::MAX_REASON, "reason phrase")?;
                if redirect.is_some() != (*code == REDIRECT) {
                    return Err(Error::Unencodable("a redirect without its code, or the code alone"));
                }
                if let Some(redirect) = redirect {
                    put_text(out, &redirect.uri, Message::MAX_URI, "a redirect's URI")?;
                    redirect.track.encode(out)?;
                }
            }
            Message::RequestUpdate { request_id, params } => {
                varint::put(out, *request_id);
                params.encode(profile, Place::REQUEST_UPDATE, out)?;
            }
            Message::PublishDone { code, stream_count, reason } => {
                let count = match stream_count {
                    Some(count) if *count < UNKNOWN_COUNT => *count,
                    Some(_) => return Err(Error::Unencodable("a stream count of 2^62 - 1 or more")),
                    None if profile == Profile::D18 => UNKNOWN_COUNT,
                    None => u64::MAX,
                };
                varint::put(out, *code);
                varint::put(out, count);
                put_text(out, reason, Message::MAX_REASON, "reason phrase")?;
            }
            Message::Fetch { request_id, kind, params } => {
                varint::put(out, *request_id);
                put_fetch(profile, kind, params, out)?;
            }
            Message::FetchOk { end_of_track, end, params, properties } => {
                out.push(u8::from(*end_of_track));
                let object = match (profile, end.object) {
                    (Profile::D18, None) => 0,
                    (Profile::D18, Some(object)) => object
                        .checked_add(1)
                        .ok_or(Error::Unencodable("an end object of 2^64 - 1, before draft -20"))?,
                    (_, Some(object)) => object,
                    (_, None) => return Err(Error::Unencodable("a FETCH_OK without an end object")),
                };
                Location { group: end.group, object }.encode(out);
                params.encode(profile, Place::FETCH_OK, out)?;
                properties.encode_track(out)?;
            }
            Message::TrackStatus { request_id, track, params } => {
                varint::put(out, *request_id);
                track.encode(out)?;
                params.encode(profile, Place::TRACK_STATUS, out)?;
            }
            Message::PublishNamespace { request_id, namespace, params } => {
                varint::put(out, *request_id);
                namespace.encode(out);
                params.encode(profile, Place::PUBLISH_NAMESPACE, out)?;
            }
            Message::SubscribeNamespace { request_id, prefix, params } => {
                varint::put(out, *request_id);
                prefix.encode(out);
                params.encode(profile, Place::SUBSCRIBE_NAMESPACE, out)?;
            }
            Message::SubscribeTracks { request_id, prefix, params } => {
                varint::put(out, *request_id);
                prefix.encode(out);
                params.encode(profile, Place::SUBSCRIBE_TRACKS, out)?;
            }
            Message::Namespace { suffix } | Message::NamespaceDone { suffix } => suffix.encode(out),
            Message::PublishBlocked { suffix, name } => {
                TrackName { namespace: suffix.clone(), name: name.clone() }.encode(out)?;
            }
            Message::PublishStateNotify { params } => {
                if profile == Profile::D18 {
                    return Err(Error::Unencodable("PUBLISH_STATE_NOTIFY, before draft -20"));
                }
                params.encode(profile, Place::STATE_NOTIFY, out)?;
            }
        }
        Ok(())
    }

    fn read(profile: Profile, kind: u64, reader: &mut Reader<'_>) -> Result<Message> {
        Ok(match kind {
            SETUP => Message::Setup(SetupOptions::decode(profile, reader.rest())?),
            GOAWAY => {
                let uri = get_text(reader, Message::MAX_URI, "a GOAWAY URI of more than 8192 bytes")?;
                let timeout_ms = reader.varint()?;
                let has_id = profile == Profile::D18 && reader.remaining() > 0;
                let request_id = if has_id { Some(reader.varint()?) } else { None };
                Message::Goaway { uri, timeout_ms, request_id }
            }
            SUBSCRIBE => Message::Subscribe {
                request_id: reader.varint()?,
                track: TrackName::decode(reader)?,
                params: Params::decode(profile, Place::SUBSCRIBE, reader)?,
            },
            SUBSCRIBE_OK => Message::SubscribeOk {
                alias: reader.varint()?,
                params: Params::decode(profile, Place::SUBSCRIBE_OK, reader)?,
                properties: Properties::decode_track(reader.rest())?,
            },
            PUBLISH => Message::Publish {
                request_id: reader.varint()?,
                track: TrackName::decode(reader)?,
                alias: reader.varint()?,
                params: Params::decode(profile, Place::PUBLISH, reader)?,
                properties: Properties::decode_track(reader.rest())?,
            },
            REQUEST_OK => request_ok(profile, Place::REQUEST_OK, reader)?,
            PUBLISH_OK if profile == Profile::D18 => request_ok(profile, Place::OK_PUBLISH, reader)?,
            REQUEST_ERROR => {
                let code = reader.varint()?;
                let retry_interval = reader.varint()?.checked_sub(1);
                let reason = get_reason(reader)?;
                let redirect = if code == REDIRECT {
                    let uri = get_text(reader, Message::MAX_URI, "a redirect of more than 8192 bytes")?;
                    Some(Redirect { uri, track: TrackName::decode(reader)? })
                } else {
                    None
                };
                Message::RequestError { code, retry_interval, reason, redirect }
            }
            REQUEST_UPDATE => Message::RequestUpdate {
                request_id: reader.varint()?,
                params: Params::decode(profile, Place::REQUEST_UPDATE, reader)?,
            },
            PUBLISH_DONE => Message::PublishDone {
                code: reader.varint()?,
                stream_count: Some(reader.varint()?).filter(|count| *count < UNKNOWN_COUNT),
                reason: get_reason(reader)?,
            },
            FETCH => get_fetch(profile, reader)?,
            FETCH_OK => {
                let end_of_track = match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Error::Violation("End Of Track is neither 0 nor 1")),
                };
                let Location { group, object } = Location::decode(reader)?;
                let object = if profile == Profile::D18 { object.checked_sub(1) } else { Some(object) };
                Message::FetchOk {
                    end_of_track,
                    end: FetchEnd { group, object },
                    params: Params::decode(profile, Place::FETCH_OK, reader)?,
                    properties: Properties::decode_track(reader.rest())?,
                }
            }
            TRACK_STATUS => Message::TrackStatus {
                request_id: reader.varint()?,
                track: TrackName::decode(reader)?,
                params: Params::decode(profile, Place::TRACK_STATUS, reader)?,
            },
            PUBLISH_NAMESPACE => Message::PublishNamespace {
                request_id: reader.varint()?,
                namespace: Namespace::decode(reader)?,
                params: Params::decode(profile, Place::PUBLISH_NAMESPACE, reader)?,
            },
            SUBSCRIBE_NAMESPACE => Message::SubscribeNamespace {
                request_id: reader.varint()?,
                prefix: Namespace::decode(reader)?,
                params: Params::decode(profile, Place::SUBSCRIBE_NAMESPACE, reader)?,
            },
            SUBSCRIBE_TRACKS => Message::SubscribeTracks {
                request_id: reader.varint()?,
                prefix: Namespace::decode(reader)?,
                params: Params::decode(profile, Place::SUBSCRIBE_TRACKS, reader)?,
            },
            NAMESPACE => Message::Namespace { suffix: Namespace::decode(reader)? },
            NAMESPACE_DONE => Message::NamespaceDone { suffix: Namespace::decode(reader)? },
            PUBLISH_BLOCKED => {
                let TrackName { namespace: suffix, name } = TrackName::decode(reader)?;
                Message::PublishBlocked { suffix, name }
            }
            PUBLISH_STATE_NOTIFY if profile >= Profile::D20 => {
                Message::PublishStateNotify { params: Params::decode(profile, Place::STATE_NOTIFY, reader)? }
            }
            _ => return Err(Error::Violation("an unknown message type")),
        })
    }
}

fn request_ok(profile: Profile, place: Place, reader: &mut Reader<'_>) -> Result<Message> {
    Ok(Message::RequestOk {
        params: Params::decode(profile, place, reader)?,
        properties: Properties::decode_track(reader.rest())?,
    })
}

/// What follows a FETCH's request id. At -18 the range stands before the parameters, its end
/// exclusive with 0 for a whole group; from -20 on it is the location filter.
fn put_fetch(profile: Profile, kind: &FetchKind, params: &Params, out: &mut Vec<u8>) -> Result<()> {
    if profile >= Profile::D20 {
        let FetchKind::Standalone(track) = kind else {
            return Err(Error::Unencodable("a joining FETCH, from draft -20 on"));
        };
        track.encode(out)?;
        return params.encode(profile, Place::FETCH, out);
    }
    let mut rest = params.clone();
    match kind {
        FetchKind::Standalone(track) => {
            let (start, end) = match rest.filter.take() {
                Some(Filter::AbsoluteRange { start, end_group }) => (start, Location { group: end_group, object: 0 }),
                Some(Filter::ObjectRange { start, end }) => {
                    let object = end.object.checked_add(1);
                    let object = object.ok_or(Error::Unencodable("a range to object 2^64 - 1, before -20"))?;
                    (start, Location { group: end.group, object })
                }
                _ => return Err(Error::Unencodable("a FETCH without an absolute range, before draft -20")),
            };
            varint::put(out, 1);
            track.encode(out)?;
            start.encode(out);
            end.encode(out);
        }
        FetchKind::RelativeJoining { joining, groups: start }
        | FetchKind::AbsoluteJoining { joining, group: start } => {
            let relative = matches!(kind, FetchKind::RelativeJoining { .. });
            varint::put(out, if relative { 2 } else { 3 });
            varint::put(out, *joining);
            varint::put(out, *start);
        }
    }
    rest.encode(profile, Place::FETCH, out)
}

fn get_fetch(profile: Profile, reader: &mut Reader<'_>) -> Result<Message> {
    let request_id = reader.varint()?;
    if profile >= Profile::D20 {
        let kind = FetchKind::Standalone(TrackName::decode(reader)?);
        let params = Params::decode(profile, Place::FETCH, reader)?;
        return Ok(Message::Fetch { request_id, kind, params });
    }
    let mut filter = None;
    let kind = match reader.varint()? {
        1 => {
            let track = TrackName::decode(reader)?;
            let start = Location::decode(reader)?;
            let end = Location::decode(reader)?;
            filter = Some(match end.object.checked_sub(1) {
                None => Filter::AbsoluteRange { start, end_group: end.group },
                Some(object) => Filter::ObjectRange { start, end: Location { group: end.group, object } },
            });
            FetchKind::Standalone(track)
        }
        2 => FetchKind::RelativeJoining { joining: reader.varint()?, groups: reader.varint()? },
        3 => FetchKind::AbsoluteJoining { joining: reader.varint()?, group: reader.varint()? },
        _ => return Err(Error::Violation("an unknown FETCH type")),
    };
    let mut params = Params::decode(profile, Place::FETCH, reader)?;
    params.filter = filter;
    Ok(Message::Fetch { request_id, kind, params })
}

fn put_text(out: &mut Vec<u8>, text: &str, limit: usize, what: &'static str) -> Result<()> {
    if text.len() > limit {
        return Err(Error::TooLong { what, limit });
    }
    varint::put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Text from a peer. Whatever is not UTF-8 in it becomes U+FFFD: it is only ever shown. That takes more bytes than it
/// stands for, so the end is cut where a phrase would be longer than one that may be written.
fn get_reason(reader: &mut Reader<'_>) -> Result<String> {
    let bytes = reader.prefixed(Message::MAX_REASON, "a reason phrase of more than 1024 bytes")?;
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let mut end = text.len().min(Message::MAX_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Ok(text)
}

fn get_text(reader: &mut Reader<'_>, limit: usize, what: &'static str) -> Result<String> {
    let bytes = Bytes::copy_from_slice(reader.prefixed(limit, what)?);
    String::from_utf8(bytes.into()).map_err(|_| Error::Violation("a URI that is not UTF-8"))
}
