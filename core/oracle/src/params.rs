//! Parameters, properties and setup options as the other codec's list of keys and values.

use cc_wire::{
    Filter, GroupOrder, Location, Namespace, Params, Profile, Properties, RangeFilter, RangeRule, SetupOptions, Token,
    Value,
};
use moqtap_codec::auth_token::{AuthorizationToken, TokenAliasType};
use moqtap_codec::kvp::{KeyValuePair, KvpValue};
use moqtap_codec::range_filter;
use moqtap_codec::types::TrackNamespace;
use moqtap_codec::varint::Moqt18;

use crate::int;

fn pair(key: u64, value: KvpValue) -> KeyValuePair {
    KeyValuePair { key: int(key), value }
}

fn varints(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|&value| int(value).encode_moqt::<Moqt18>(&mut out));
    out
}

pub(crate) fn namespace(namespace: &Namespace) -> TrackNamespace {
    TrackNamespace(namespace.fields().iter().map(|field| field.to_vec()).collect())
}

fn token(token: &Token) -> KvpValue {
    let (alias_type, alias, token_type, value) = match token {
        Token::Delete { alias } => (TokenAliasType::Delete, Some(*alias), None, Vec::new()),
        Token::Register { alias, kind, value } => (TokenAliasType::Register, Some(*alias), Some(*kind), value.to_vec()),
        Token::UseAlias { alias } => (TokenAliasType::UseAlias, Some(*alias), None, Vec::new()),
        Token::UseValue { kind, value } => (TokenAliasType::UseValue, None, Some(*kind), value.to_vec()),
    };
    let mut out = Vec::new();
    AuthorizationToken { alias_type, alias, token_type, value }.encode_moqt::<Moqt18>(&mut out);
    KvpValue::Bytes(out)
}

/// The location filter, each draft's form spelt out.
fn filter(profile: Profile, filter: Filter) -> Vec<u8> {
    let parts = |start: Location, more: &[u64]| [&[start.group, start.object], more].concat();
    let (old, count_only, typed) = match filter {
        Filter::NextGroup => (vec![1], vec![0], vec![1, 0]),
        Filter::NextObject => (vec![2], vec![0, 0], vec![5]),
        Filter::Unfiltered => (vec![3, 0, 0], vec![], vec![0]),
        Filter::GroupsBack(groups) => (vec![], vec![groups], vec![1, groups]),
        Filter::AbsoluteStart(start) => {
            (parts(Location { group: 3, object: start.group }, &[start.object]), parts(start, &[]), vec![2])
        }
        Filter::AbsoluteRange { start, end_group } => {
            let delta = end_group - start.group;
            (vec![4, start.group, start.object, delta], parts(start, &[delta]), vec![3])
        }
        Filter::ObjectRange { start, end } => (vec![], parts(start, &[end.group - start.group, end.object]), vec![4]),
    };
    match profile {
        Profile::D18 => varints(&old),
        Profile::D20 | Profile::D21 => varints(&count_only),
        Profile::D22 if typed[0] >= 2 && typed[0] != 5 => varints(&[typed, count_only].concat()),
        Profile::D22 => varints(&typed),
    }
}

fn range(filter: &RangeFilter) -> KvpValue {
    let RangeRule::Keep { set, property, ranges } = &filter.rule else {
        return KvpValue::Bytes(Vec::new());
    };
    let mut out = Vec::new();
    let ranges = ranges.iter().map(|range| range_filter::FilterRange { start: range.start, end: range.end });
    let theirs = range_filter::RangeFilter {
        parameter_type: filter.kind.parameter(),
        set_id: *set,
        property_type: *property,
        ranges: ranges.collect(),
    };
    theirs.encode_moqt::<Moqt18>(&mut out).expect("a range filter");
    KvpValue::Bytes(out)
}

/// A nested block: count, then each type's delta and value.
fn fill(profile: Profile, params: &Params) -> KvpValue {
    let pairs = self::params(profile, params);
    let mut out = varints(&[pairs.len() as u64]);
    let mut last = 0;
    for pair in pairs {
        let key = pair.key.into_inner();
        out.extend(varints(&[key - last]));
        last = key;
        match pair.value {
            KvpValue::Varint(value) if matches!(key, 0x20 | 0x22) => out.push(value.into_inner() as u8),
            KvpValue::Varint(value) => out.extend(varints(&[value.into_inner()])),
            KvpValue::Bytes(bytes) => {
                if key != 0x21 || profile != Profile::D22 {
                    out.extend(varints(&[bytes.len() as u64]));
                }
                out.extend(bytes);
            }
        }
    }
    KvpValue::Bytes(out)
}

pub(crate) fn params(profile: Profile, params: &Params) -> Vec<KeyValuePair> {
    let number = |value: Option<u64>| value.map(|value| KvpValue::Varint(int(value)));
    let flag = |value: Option<bool>| number(value.map(u64::from));
    let order = params.group_order.map(|order| if order == GroupOrder::Ascending { 1 } else { 2 });
    let prefix = params.namespace_prefix.as_ref().map(|prefix| {
        let mut out = Vec::new();
        namespace(prefix).encode_moqt::<Moqt18>(&mut out);
        KvpValue::Bytes(out)
    });
    let largest = params.largest.map(|largest| KvpValue::Bytes(varints(&[largest.group, largest.object])));
    let mut pairs: Vec<(u64, KvpValue)> = Vec::new();
    let mut add = |key: u64, value: Option<KvpValue>| pairs.extend(value.map(|value| (key, value)));
    add(0x02, number(params.object_delivery_timeout));
    params.tokens.iter().for_each(|it| add(0x03, Some(token(it))));
    add(0x04, number(params.rendezvous_timeout));
    add(0x06, number(params.subgroup_delivery_timeout));
    add(0x08, number(params.expires));
    add(0x09, largest);
    add(0x0a, number(params.fill_timeout));
    add(0x10, flag(params.forward));
    add(0x20, number(params.subscriber_priority.map(u64::from)));
    add(0x21, params.filter.map(|it| KvpValue::Bytes(filter(profile, it))));
    add(0x22, number(order));
    add(0x23, params.fill.as_deref().map(|it| fill(profile, it)));
    params.range_filters.iter().for_each(|it| add(it.kind.parameter(), Some(range(it))));
    add(0x32, number(params.new_group_request));
    add(0x34, prefix);
    add(0x35, flag(params.include_properties));
    pairs.into_iter().map(|(key, value)| pair(key, value)).collect()
}

pub(crate) fn properties(properties: &Properties) -> Vec<KeyValuePair> {
    let value = |value: &Value| match value {
        Value::Int(value) => KvpValue::Varint(int(*value)),
        Value::Bytes(bytes) => KvpValue::Bytes(bytes.to_vec()),
    };
    properties.iter().map(|(key, it)| pair(key, value(it))).collect()
}

pub(crate) fn options(options: &SetupOptions) -> Vec<KeyValuePair> {
    let text = |value: &Option<String>| value.as_ref().map(|text| KvpValue::Bytes(text.clone().into_bytes()));
    let nonzero = |value: u64| (value > 0).then(|| KvpValue::Varint(int(value)));
    let mut pairs: Vec<(u64, KvpValue)> = Vec::new();
    let mut add = |key: u64, value: Option<KvpValue>| pairs.extend(value.map(|value| (key, value)));
    add(0x01, text(&options.path));
    options.tokens.iter().for_each(|it| add(0x03, Some(token(it))));
    add(0x04, nonzero(options.max_auth_token_cache));
    add(0x05, text(&options.authority));
    add(0x06, nonzero(options.max_filter_ranges));
    add(0x07, text(&options.implementation));
    add(0x08, options.max_request_updates.map(|updates| KvpValue::Varint(int(updates))));
    add(0x3803, options.resume_secret.as_ref().map(|secret| KvpValue::Bytes(secret.to_vec())));
    add(0x3805, options.peer_id.as_ref().map(|id| KvpValue::Bytes(id.to_vec())));
    pairs.into_iter().map(|(key, value)| pair(key, value)).collect()
}
