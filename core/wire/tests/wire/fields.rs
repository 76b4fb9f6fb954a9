//! What a decoded structure holds, as JSON that another language's codec can compare with.
//!
//! Integers beyond 2^53 - 1 are decimal strings, bytes are hexadecimal strings, namespaces are
//! their text (`a/b`), absent fields are left out.

use cc_wire::{
    DatagramHeader, FetchItem, FetchKind, Filter, Gap, GroupOrder, Location, Message, ObjectHeader, Params, Properties,
    RangeFilter, RangeRule, SetupOptions, Status, SubgroupHeader, SubgroupId, Token, TrackName, UniStream,
    Value as Property,
};
use serde_json::{json, Map, Value};

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn int(value: u64) -> Value {
    if value < 1 << 53 {
        json!(value)
    } else {
        json!(value.to_string())
    }
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn location(location: Location) -> Value {
    json!({ "group": int(location.group), "object": int(location.object) })
}

fn track(track: &TrackName) -> Value {
    json!({ "namespace": track.namespace.to_string(), "name": hex(&track.name) })
}

pub fn properties(properties: &Properties) -> Value {
    properties
        .iter()
        .map(|(kind, value)| match value {
            Property::Int(value) => json!({ "type": int(kind), "int": int(*value) }),
            Property::Bytes(bytes) => json!({ "type": int(kind), "bytes": hex(bytes) }),
        })
        .collect()
}

fn raw_properties(bytes: &[u8]) -> Option<Value> {
    (!bytes.is_empty()).then(|| properties(&Properties::decode(bytes).expect("well-formed properties")))
}

fn token(token: &Token) -> Value {
    match token {
        Token::Delete { alias } => json!({ "delete": int(*alias) }),
        Token::UseAlias { alias } => json!({ "use_alias": int(*alias) }),
        Token::Register { alias, kind, value } => {
            json!({ "register": int(*alias), "type": int(*kind), "value": hex(value) })
        }
        Token::UseValue { kind, value } => json!({ "type": int(*kind), "value": hex(value) }),
    }
}

fn tokens(tokens: &[Token]) -> Option<Value> {
    (!tokens.is_empty()).then(|| tokens.iter().map(token).collect())
}

fn filter(filter: Filter) -> Value {
    match filter {
        Filter::Unfiltered => json!("unfiltered"),
        Filter::NextGroup => json!("next_group"),
        Filter::NextObject => json!("next_object"),
        Filter::GroupsBack(groups) => json!({ "groups_back": int(groups) }),
        Filter::AbsoluteStart(start) => json!({ "start": location(start) }),
        Filter::AbsoluteRange { start, end_group } => {
            json!({ "start": location(start), "end_group": int(end_group) })
        }
        Filter::ObjectRange { start, end } => json!({ "start": location(start), "end": location(end) }),
    }
}

fn range_filter(filter: &RangeFilter) -> Value {
    let kind = int(filter.kind.parameter());
    match &filter.rule {
        RangeRule::Remove => json!({ "parameter": kind, "remove": true }),
        RangeRule::Invalid(_) => json!({ "parameter": kind, "invalid": true }),
        RangeRule::Keep { set, property, ranges } => {
            let ranges: Vec<Value> = ranges.iter().map(|range| json!([int(range.start), range.end.map(int)])).collect();
            object([
                ("parameter", Some(kind)),
                ("set", Some(json!(set))),
                ("property", property.map(int)),
                ("ranges", Some(json!(ranges))),
            ])
        }
    }
}

fn params(params: &Params) -> Value {
    let filters = &params.range_filters;
    object([
        ("object_delivery_timeout", params.object_delivery_timeout.map(int)),
        ("tokens", tokens(&params.tokens)),
        ("rendezvous_timeout", params.rendezvous_timeout.map(int)),
        ("subgroup_delivery_timeout", params.subgroup_delivery_timeout.map(int)),
        ("expires", params.expires.map(int)),
        ("largest", params.largest.map(location)),
        ("fill_timeout", params.fill_timeout.map(int)),
        ("forward", params.forward.map(|forward| json!(forward))),
        ("subscriber_priority", params.subscriber_priority.map(|priority| json!(priority))),
        ("filter", params.filter.map(filter)),
        ("group_order", params.group_order.map(order)),
        ("fill", params.fill.as_deref().map(self::params)),
        ("range_filters", (!filters.is_empty()).then(|| filters.iter().map(range_filter).collect())),
        ("new_group_request", params.new_group_request.map(int)),
        ("namespace_prefix", params.namespace_prefix.as_ref().map(|prefix| json!(prefix.to_string()))),
        ("include_properties", params.include_properties.map(|include| json!(include))),
    ])
}

pub fn order(order: GroupOrder) -> Value {
    match order {
        GroupOrder::Ascending => json!("ascending"),
        GroupOrder::Descending => json!("descending"),
    }
}

fn setup(options: &SetupOptions) -> Value {
    let nonzero = |value: u64| (value > 0).then(|| int(value));
    object([
        ("type", Some(json!("SETUP"))),
        ("path", options.path.as_ref().map(|path| json!(path))),
        ("authority", options.authority.as_ref().map(|authority| json!(authority))),
        ("tokens", tokens(&options.tokens)),
        ("max_auth_token_cache", nonzero(options.max_auth_token_cache)),
        ("implementation", options.implementation.as_ref().map(|name| json!(name))),
        ("max_filter_ranges", nonzero(options.max_filter_ranges)),
        ("max_request_updates", options.max_request_updates.map(int)),
        ("resume_secret", options.resume_secret.as_ref().map(|secret| json!(hex(secret)))),
        ("peer_id", options.peer_id.as_ref().map(|id| json!(hex(id)))),
    ])
}

pub fn message(message: &Message) -> Value {
    let mut out = match message {
        Message::Setup(options) => setup(options),
        Message::Goaway { uri, timeout_ms, request_id } => object([
            ("uri", Some(json!(uri))),
            ("timeout_ms", Some(int(*timeout_ms))),
            ("request_id", request_id.map(int)),
        ]),
        Message::Subscribe { request_id, track: name, params: with }
        | Message::TrackStatus { request_id, track: name, params: with } => {
            json!({ "request_id": int(*request_id), "track": track(name), "params": params(with) })
        }
        Message::SubscribeOk { alias, params: with, properties: of } => {
            json!({ "alias": int(*alias), "params": params(with), "properties": properties(of) })
        }
        Message::Publish { request_id, track: name, alias, params: with, properties: of } => json!({
            "request_id": int(*request_id), "track": track(name), "alias": int(*alias),
            "params": params(with), "properties": properties(of),
        }),
        Message::RequestOk { params: with, properties: of } => {
            json!({ "params": params(with), "properties": properties(of) })
        }
        Message::RequestError { code, retry_interval, reason, redirect } => object([
            ("code", Some(int(*code))),
            ("retry_interval", retry_interval.map(int)),
            ("reason", Some(json!(reason))),
            ("redirect", redirect.as_ref().map(|to| json!({ "uri": to.uri, "track": track(&to.track) }))),
        ]),
        Message::RequestUpdate { request_id, params: with } => {
            json!({ "request_id": int(*request_id), "params": params(with) })
        }
        Message::PublishDone { code, stream_count, reason } => object([
            ("code", Some(int(*code))),
            ("stream_count", stream_count.map(int)),
            ("reason", Some(json!(reason))),
        ]),
        Message::Fetch { request_id, kind, params: with } => {
            let (what, value) = match kind {
                FetchKind::Standalone(name) => ("track", track(name)),
                FetchKind::RelativeJoining { joining, groups } => {
                    ("relative_joining", json!({ "joining": int(*joining), "groups": int(*groups) }))
                }
                FetchKind::AbsoluteJoining { joining, group } => {
                    ("absolute_joining", json!({ "joining": int(*joining), "group": int(*group) }))
                }
            };
            json!({ "request_id": int(*request_id), what: value, "params": params(with) })
        }
        Message::FetchOk { end_of_track, end, params: with, properties: of } => json!({
            "end_of_track": end_of_track,
            "end": object([("group", Some(int(end.group))), ("object", end.object.map(int))]),
            "params": params(with), "properties": properties(of),
        }),
        Message::PublishNamespace { request_id, namespace, params: with } => json!({
            "request_id": int(*request_id), "namespace": namespace.to_string(), "params": params(with),
        }),
        Message::SubscribeNamespace { request_id, prefix, params: with }
        | Message::SubscribeTracks { request_id, prefix, params: with } => json!({
            "request_id": int(*request_id), "prefix": prefix.to_string(), "params": params(with),
        }),
        Message::Namespace { suffix } | Message::NamespaceDone { suffix } => {
            json!({ "suffix": suffix.to_string() })
        }
        Message::PublishBlocked { suffix, name } => {
            json!({ "suffix": suffix.to_string(), "name": hex(name) })
        }
        Message::PublishStateNotify { params: with } => json!({ "params": params(with) }),
    };
    out["type"] = json!(message.type_name());
    out
}

fn status(status: Status) -> Value {
    json!(match status {
        Status::Normal => "normal",
        Status::EndOfGroup => "end_of_group",
        Status::EndOfTrack => "end_of_track",
    })
}

pub fn datagram(header: &DatagramHeader, payload: &[u8]) -> Value {
    object([
        ("alias", Some(int(header.alias))),
        ("group", Some(int(header.group))),
        ("object", Some(int(header.object))),
        ("priority", header.priority.map(|priority| json!(priority))),
        ("end_of_group", Some(json!(header.end_of_group))),
        ("status", header.status.map(status)),
        ("properties", raw_properties(&header.properties)),
        ("payload", header.status.is_none().then(|| json!(hex(payload)))),
    ])
}

fn subgroup(header: &SubgroupHeader) -> Value {
    object([
        ("stream", Some(json!("subgroup"))),
        ("alias", Some(int(header.alias))),
        ("group", Some(int(header.group))),
        (
            "subgroup",
            Some(match header.subgroup {
                SubgroupId::Zero => int(0),
                SubgroupId::FirstObject => json!("first_object"),
                SubgroupId::Explicit(id) => int(id),
            }),
        ),
        ("priority", header.priority.map(|priority| json!(priority))),
        ("has_properties", Some(json!(header.has_properties))),
        ("end_of_group", Some(json!(header.end_of_group))),
        ("first_object", Some(json!(header.first_object))),
    ])
}

pub fn stream(start: &UniStream) -> Value {
    match start {
        UniStream::Setup => json!({ "stream": "control" }),
        UniStream::Padding => json!({ "stream": "padding" }),
        UniStream::Fetch { request_id } => json!({ "stream": "fetch", "request_id": int(*request_id) }),
        UniStream::Subgroup(header) => subgroup(header),
    }
}

pub fn stream_object(header: &ObjectHeader, payload: &[u8]) -> Value {
    object([
        ("object", Some(int(header.object))),
        ("properties", raw_properties(&header.properties)),
        ("status", header.status.map(status)),
        ("payload", Some(json!(hex(payload)))),
    ])
}

pub fn fetch_item(item: &FetchItem, payload: &[u8]) -> Value {
    match item {
        FetchItem::End { gap, location: at } => {
            let why = match gap {
                Gap::NonExistent => "non_existent",
                Gap::Unknown => "unknown",
                Gap::TimedOut => "timed_out",
            };
            json!({ "end": location(*at), "gap": why })
        }
        FetchItem::Object(fetched) => object([
            ("location", Some(location(fetched.location))),
            ("subgroup", fetched.subgroup.map(int)),
            ("priority", Some(json!(fetched.priority))),
            ("properties", raw_properties(&fetched.properties)),
            ("payload", Some(json!(hex(payload)))),
        ]),
    }
}
