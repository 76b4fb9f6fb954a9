//! Strategies for every message, with the parameters that the drafts allow in it.

use bytes::Bytes;
use cc_wire::{
    codes::request_error, FetchEnd, FetchKind, Filter, GroupOrder, Location, Message, Namespace, Params, Profile,
    Properties, Range, RangeFilter, RangeKind, RangeRule, Redirect, SetupOptions, Token, TrackName, Value,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

pub fn profiles() -> impl Strategy<Value = Profile> {
    prop::sample::select(Profile::PREFERRED.to_vec())
}

/// Integers of every encoded length.
pub fn int() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

pub fn blob(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
}

pub fn location() -> impl Strategy<Value = Location> {
    (int(), int()).prop_map(|(group, object)| Location { group, object })
}

pub fn namespace() -> impl Strategy<Value = Namespace> {
    let field = vec(any::<u8>(), 1..12).prop_map(Bytes::from);
    vec(field, 0..=32).prop_map(|fields| Namespace::new(fields).unwrap())
}

pub fn track() -> impl Strategy<Value = TrackName> {
    (namespace(), blob(40)).prop_map(|(namespace, name)| TrackName::new(namespace, name).unwrap())
}

pub fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        int().prop_map(|alias| Token::Delete { alias }),
        (int(), int(), blob(40)).prop_map(|(alias, kind, value)| Token::Register { alias, kind, value }),
        int().prop_map(|alias| Token::UseAlias { alias }),
        (int(), blob(40)).prop_map(|(kind, value)| Token::UseValue { kind, value }),
    ]
}

pub fn properties() -> impl Strategy<Value = Properties> {
    vec((int(), int(), blob(20)), 0..6).prop_map(|items| {
        let mut properties = Properties::new();
        for (kind, int, bytes) in items {
            // Types with a restricted value, and the one that holds properties itself, are left out.
            if !matches!(kind, 0x0b | 0x0e | 0x22 | 0x30) {
                let value = if kind % 2 == 0 { Value::Int(int) } else { Value::Bytes(bytes) };
                properties.insert(kind, value).unwrap();
            }
        }
        properties
    })
}

/// A range from a start to an end that does not come before it.
fn object_range() -> impl Strategy<Value = Filter> {
    (location(), location()).prop_map(|(one, other)| {
        let (start, mut end) = (one.min(other), one.max(other));
        // At -18 a FETCH ends at the object after its last one, which must exist.
        end.object = end.object.min(u64::MAX - 1);
        Filter::ObjectRange { start: start.min(end), end }
    })
}

fn group_range() -> impl Strategy<Value = Filter> {
    (location(), int()).prop_map(|(start, end)| Filter::AbsoluteRange { start, end_group: end.max(start.group) })
}

/// Filters that keep their form: {0, 0} as a start is written as the form it is the same as.
pub fn filter(profile: Profile) -> impl Strategy<Value = Filter> {
    let start = location().prop_map(|start| Location { group: start.group.max(1), ..start });
    let all = prop_oneof![
        Just(Filter::NextGroup),
        Just(Filter::NextObject),
        start.prop_map(Filter::AbsoluteStart),
        group_range(),
        Just(Filter::Unfiltered),
        int().prop_map(|groups| Filter::GroupsBack(groups.max(1))),
        object_range(),
    ];
    all.prop_map(move |filter| match filter {
        Filter::Unfiltered | Filter::GroupsBack(_) | Filter::ObjectRange { .. } if profile == Profile::D18 => {
            Filter::NextObject
        }
        filter => filter,
    })
}

fn range_filter() -> impl Strategy<Value = RangeFilter> {
    let kind = prop::sample::select(vec![
        RangeKind::Subgroup,
        RangeKind::ObjectId,
        RangeKind::Priority,
        RangeKind::ObjectProperty,
        RangeKind::TrackProperty,
    ]);
    let steps = vec(0_u64..60, 0..4);
    (kind, any::<u8>(), int(), steps, of(Just(()))).prop_map(|(kind, set, property, steps, keep)| {
        if keep.is_none() {
            return RangeFilter { kind, rule: RangeRule::Remove };
        }
        let mut at = 0;
        let mut ranges = Vec::new();
        for pair in steps.chunks(2) {
            let start = at + pair[0];
            let end = pair.get(1).map(|len| start + len);
            at = end.unwrap_or(start);
            ranges.push(Range { start, end });
        }
        let property = match kind {
            RangeKind::ObjectProperty | RangeKind::TrackProperty => Some(property & !1),
            _ => None,
        };
        RangeFilter { kind, rule: RangeRule::Keep { set, property, ranges } }
    })
}

fn order() -> impl Strategy<Value = GroupOrder> {
    prop_oneof![Just(GroupOrder::Ascending), Just(GroupOrder::Descending)]
}

/// Any of the parameters `kinds`, each there or not.
pub fn params(profile: Profile, kinds: &'static [u64]) -> impl Strategy<Value = Params> {
    let fill: &[u64] = &[0x0a, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27, 0x28];
    let nested = if kinds.contains(&0x23) { params(profile, fill).boxed() } else { Just(Params::default()).boxed() };
    let ints = (of(int()), of(int()), of(int()), of(int()), of(int()), of(int()));
    let smalls = (of(any::<bool>()), of(any::<u8>()), of(order()), of(any::<bool>()));
    let rest = (
        of(location()),
        of(filter(profile)),
        vec(token(), 0..3),
        vec(range_filter(), 0..4),
        of(namespace()),
        of(nested),
    );
    (ints, smalls, rest)
        .prop_map(move |(ints, smalls, rest)| {
            let has = |kind: u64| kinds.contains(&kind);
            let mut filters = rest.3;
            filters.retain(|filter| has(filter.kind.parameter()));
            filters.sort_by_key(|filter| filter.kind);
            Params {
                object_delivery_timeout: ints.0.filter(|_| has(0x02)),
                rendezvous_timeout: ints.1.filter(|_| has(0x04)),
                subgroup_delivery_timeout: ints.2.filter(|_| has(0x06)),
                expires: ints.3.filter(|_| has(0x08)),
                fill_timeout: ints.4.filter(|_| has(0x0a)),
                new_group_request: ints.5.filter(|_| has(0x32)),
                forward: smalls.0.filter(|_| has(0x10)),
                subscriber_priority: smalls.1.filter(|_| has(0x20)),
                group_order: smalls.2.filter(|_| has(0x22)),
                include_properties: smalls.3.filter(|_| has(0x35)),
                largest: rest.0.filter(|_| has(0x09)),
                filter: rest.1.filter(|_| has(0x21)),
                tokens: if has(0x03) { rest.2 } else { Vec::new() },
                range_filters: filters,
                namespace_prefix: rest.4.filter(|_| has(0x34)),
                fill: rest.5.filter(|_| has(0x23)).map(Box::new),
                // Ours alone: `by_hand` has it.
                hops: None,
                publisher: None,
            }
        })
        .boxed()
}

/// The parameters that a message may hold, written down apart from the codec's own table.
pub fn allowed(profile: Profile, message: &str) -> &'static [u64] {
    let old = profile == Profile::D18;
    match message {
        "SUBSCRIBE" if old => &[0x02, 0x03, 0x04, 0x06, 0x10, 0x20, 0x21, 0x22, 0x32],
        "SUBSCRIBE" => &[0x02, 0x03, 0x04, 0x06, 0x10, 0x20, 0x21, 0x22, 0x23, 0x25, 0x26, 0x27, 0x28, 0x32, 0x35],
        "SUBSCRIBE_OK" => &[0x08, 0x09],
        "PUBLISH" if old => &[0x03, 0x08, 0x09, 0x10],
        "PUBLISH" => &[0x02, 0x03, 0x06, 0x08, 0x09, 0x10, 0x20, 0x21, 0x22],
        "REQUEST_OK" if old => &[0x02, 0x06, 0x08, 0x09, 0x10, 0x20, 0x21, 0x22, 0x32],
        "REQUEST_OK" => &[0x08, 0x09],
        "REQUEST_UPDATE" if old => &[0x02, 0x03, 0x06, 0x10, 0x20, 0x21, 0x32, 0x34],
        "REQUEST_UPDATE" => &[0x02, 0x03, 0x06, 0x10, 0x20, 0x21, 0x23, 0x25, 0x26, 0x27, 0x28, 0x29, 0x32, 0x34],
        "FETCH" if old => &[0x03, 0x0a, 0x20, 0x22],
        "FETCH" => &[0x03, 0x0a, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27, 0x28, 0x35],
        "TRACK_STATUS" if old => &[0x03],
        "TRACK_STATUS" => &[0x03, 0x35],
        "SUBSCRIBE_TRACKS" if old => &[0x03, 0x10],
        "SUBSCRIBE_TRACKS" => &[0x03, 0x10, 0x21, 0x22, 0x23, 0x25, 0x26, 0x27, 0x28, 0x29, 0x35],
        "PUBLISH_STATE_NOTIFY" => &[0x09, 0x10, 0x21],
        "PUBLISH_NAMESPACE" | "SUBSCRIBE_NAMESPACE" => &[0x03],
        _ => &[],
    }
}

fn text(max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..max / 4).prop_map(|chars| chars.into_iter().collect())
}

fn setup(profile: Profile) -> impl Strategy<Value = SetupOptions> {
    let new = profile >= Profile::D20;
    let token = token().prop_filter("not in SETUP", |token| token.value().is_some());
    (
        (
            of("/[a-z0-9/._~%][a-z0-9?&=]{0,20}".prop_filter("whole escapes", |s| !s.contains('%'))),
            of("[a-z0-9.:-]{1,20}"),
        ),
        vec(token, 0..3),
        (int(), of(text(40)), int(), of(int())),
        (of(blob(32)), of(blob(32))),
    )
        .prop_map(move |(uri, tokens, options, ours)| SetupOptions {
            path: uri.0,
            authority: uri.1,
            tokens,
            max_auth_token_cache: options.0,
            implementation: options.1,
            max_filter_ranges: if new { options.2 } else { 0 },
            max_request_updates: options.3.filter(|_| new),
            resume_secret: ours.0,
            peer_id: ours.1,
            ..SetupOptions::default()
        })
}

/// One message of every type that the profile has, by turns.
pub fn message(profile: Profile) -> BoxedStrategy<Message> {
    let new = profile >= Profile::D20;
    let with = move |name: &str| params(profile, allowed(profile, name));
    let done = (int(), of(0..(1_u64 << 62) - 1), text(1024))
        .prop_map(|(code, stream_count, reason)| Message::PublishDone { code, stream_count, reason });
    let retry = of(int().prop_map(|ms| ms.min(u64::MAX - 1)));
    let redirect =
        (of((text(100), track())), int(), retry, text(1024)).prop_map(|(redirect, code, retry_interval, reason)| {
            let code = match (&redirect, code) {
                (Some(_), _) => request_error::REDIRECT,
                (None, request_error::REDIRECT) => 0,
                (None, code) => code,
            };
            let redirect = redirect.map(|(uri, track)| Redirect { uri, track });
            Message::RequestError { code, retry_interval, reason, redirect }
        });
    let range = prop_oneof![group_range(), object_range()];
    let standalone =
        (int(), track(), range, with("FETCH"), Just(new)).prop_map(|(request_id, track, range, mut params, new)| {
            if !new {
                params.filter = Some(range);
            }
            Message::Fetch { request_id, kind: FetchKind::Standalone(track), params }
        });
    let joining = (int(), int(), int(), any::<bool>(), with("FETCH")).prop_map(
        |(request_id, joining, start, relative, params)| {
            let kind = if relative {
                FetchKind::RelativeJoining { joining, groups: start }
            } else {
                FetchKind::AbsoluteJoining { joining, group: start }
            };
            Message::Fetch { request_id, kind, params }
        },
    );
    let fetch = if new { standalone.boxed() } else { prop_oneof![standalone, joining].boxed() };
    let end = (int(), of(int().prop_map(|object| object.min(u64::MAX - 1))))
        .prop_map(move |(group, object)| FetchEnd { group, object: if new { object.or(Some(0)) } else { object } });
    let notify = if new {
        with("PUBLISH_STATE_NOTIFY").prop_map(|params| Message::PublishStateNotify { params }).boxed()
    } else {
        Just(Message::PublishStateNotify { params: Params::default() })
            .prop_map(|_| Message::Namespace { suffix: Namespace::default() })
            .boxed()
    };
    let requests = prop_oneof![
        setup(profile).prop_map(Message::Setup),
        (int(), track(), with("SUBSCRIBE"))
            .prop_map(|(request_id, track, params)| { Message::Subscribe { request_id, track, params } }),
        (int(), track(), int(), with("PUBLISH"), properties()).prop_map(
            |(request_id, track, alias, params, properties)| Message::Publish {
                request_id,
                track,
                alias,
                params,
                properties
            }
        ),
        (int(), with("REQUEST_UPDATE")).prop_map(|(request_id, params)| Message::RequestUpdate { request_id, params }),
        fetch,
        (int(), track(), with("TRACK_STATUS"))
            .prop_map(|(request_id, track, params)| { Message::TrackStatus { request_id, track, params } }),
        (int(), namespace(), with("PUBLISH_NAMESPACE")).prop_map(|(request_id, namespace, params)| {
            Message::PublishNamespace { request_id, namespace, params }
        }),
        (int(), namespace(), with("SUBSCRIBE_NAMESPACE"))
            .prop_map(|(request_id, prefix, params)| { Message::SubscribeNamespace { request_id, prefix, params } }),
        (int(), namespace(), with("SUBSCRIBE_TRACKS"))
            .prop_map(|(request_id, prefix, params)| { Message::SubscribeTracks { request_id, prefix, params } }),
    ];
    let answers = prop_oneof![
        (text(400), int(), of(int())).prop_map(move |(uri, timeout_ms, id)| Message::Goaway {
            uri,
            timeout_ms,
            request_id: id.filter(|_| !new)
        }),
        (int(), with("SUBSCRIBE_OK"), properties())
            .prop_map(|(alias, params, properties)| { Message::SubscribeOk { alias, params, properties } }),
        (with("REQUEST_OK"), properties()).prop_map(|(params, properties)| Message::RequestOk { params, properties }),
        redirect,
        done,
        (any::<bool>(), end, properties()).prop_map(|(end_of_track, end, properties)| {
            Message::FetchOk { end_of_track, end, params: Params::default(), properties }
        }),
        namespace().prop_map(|suffix| Message::Namespace { suffix }),
        namespace().prop_map(|suffix| Message::NamespaceDone { suffix }),
        (namespace(), blob(40)).prop_map(|(suffix, name)| Message::PublishBlocked { suffix, name }),
        notify,
    ];
    prop_oneof![requests, answers].boxed()
}
