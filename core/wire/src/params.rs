//! Message parameters: counted, ascending by type, each with its own form of value
//! (draft -18, section 10.2). Where a parameter may stand is `scope`'s table.

use bytes::Bytes;

use crate::scope::{allowed, Place};
use crate::token::MAX_TOKENS;
use crate::{varint, Error, Filter, Location, Namespace, Profile, RangeFilter, RangeKind, Reader, Result, Token};

/// In which order a subscription's groups are sent, or a FETCH's delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GroupOrder {
    /// The oldest group first.
    #[default]
    Ascending,
    /// The newest group first.
    Descending,
}

/// The parameters of a message, each absent by default. A parameter that the message or the profile
/// does not allow is refused, when written as [`Error::Unencodable`], when read as a violation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    /// 0x02: milliseconds an object may wait before it is sent; 0: no limit.
    pub object_delivery_timeout: Option<u64>,
    /// 0x03: what authorises the request, at most 64.
    pub tokens: Vec<Token>,
    /// 0x04: milliseconds to wait for a publisher.
    pub rendezvous_timeout: Option<u64>,
    /// 0x06: milliseconds a subgroup stream may take; 0: no limit.
    pub subgroup_delivery_timeout: Option<u64>,
    /// 0x08: milliseconds until the sender ends the subscription; 0: unknown.
    pub expires: Option<u64>,
    /// 0x09: the largest location that the sender knows of the track.
    pub largest: Option<Location>,
    /// 0x0a: milliseconds a relay may wait for what it has to fetch itself.
    pub fill_timeout: Option<u64>,
    /// 0x10: whether objects are to be sent; true when absent.
    pub forward: Option<bool>,
    /// 0x20: 0 (first) to 255 (last); 128 when absent.
    pub subscriber_priority: Option<u8>,
    /// 0x21: the locations asked for.
    pub filter: Option<Filter>,
    /// 0x22: the order of groups; the track's when absent.
    pub group_order: Option<GroupOrder>,
    /// 0x23, from -20 on: asks for what lies before the subscription's start, as these parameters say.
    pub fill: Option<Box<Params>>,
    /// 0x25 to 0x29, from -20 on, ascending by kind.
    pub range_filters: Vec<RangeFilter>,
    /// 0x32: asks for a new group after this one less 1; 0: after any.
    pub new_group_request: Option<u64>,
    /// 0x34, in an update: the namespace prefix from now on.
    pub namespace_prefix: Option<Namespace>,
    /// 0x35, from -20 on: whether track properties are to be sent; true when absent.
    pub include_properties: Option<bool>,
    /// 0x3807, ours, between relays that both gave their id in SETUP: the relays that the request, or the track or
    /// namespace it offers, has come through, the first first; at most [`MAX_HOPS`](Params::MAX_HOPS), each once.
    pub hops: Option<Vec<u64>>,
    /// 0x3808, ours, between relays likewise: the peer id of the track's publisher, at most
    /// [`MAX_PUBLISHER`](Params::MAX_PUBLISHER) bytes.
    pub publisher: Option<Bytes>,
}

const OBJECT_DELIVERY_TIMEOUT: u64 = 0x02;
const AUTHORIZATION_TOKEN: u64 = 0x03;
const RENDEZVOUS_TIMEOUT: u64 = 0x04;
const SUBGROUP_DELIVERY_TIMEOUT: u64 = 0x06;
const EXPIRES: u64 = 0x08;
const LARGEST_OBJECT: u64 = 0x09;
const FILL_TIMEOUT: u64 = 0x0a;
const FORWARD: u64 = 0x10;
const SUBSCRIBER_PRIORITY: u64 = 0x20;
const LOCATION_FILTER: u64 = 0x21;
const GROUP_ORDER: u64 = 0x22;
const FILL_PARAMETERS: u64 = 0x23;
const NEW_GROUP_REQUEST: u64 = 0x32;
const TRACK_NAMESPACE_PREFIX: u64 = 0x34;
const INCLUDE_PROPERTIES: u64 = 0x35;
const HOPS: u64 = 0x3807;
const PUBLISHER: u64 = 0x3808;

impl Params {
    /// The most parameters that one message may hold, repeats included.
    pub const MAX_COUNT: usize = 256;
    /// The most relays that a hop list names.
    pub const MAX_HOPS: usize = 16;
    /// The longest peer id of a publisher.
    pub const MAX_PUBLISHER: usize = 1024;

    /// Whether no parameter is present.
    pub fn is_empty(&self) -> bool {
        self.kinds().next().is_none()
    }

    /// Sets what `newer` has, and keeps the rest: how a REQUEST_UPDATE changes a request. Tokens are
    /// replaced, and range filters kind by kind; a kind that is removed goes.
    pub fn merge(&mut self, newer: &Params) {
        macro_rules! take {
            ($($field:ident),*) => { $(if newer.$field.is_some() { self.$field.clone_from(&newer.$field); })* };
        }
        take!(
            object_delivery_timeout,
            rendezvous_timeout,
            subgroup_delivery_timeout,
            expires,
            largest,
            fill_timeout,
            forward,
            subscriber_priority,
            filter,
            group_order,
            fill,
            new_group_request,
            namespace_prefix,
            include_properties,
            hops,
            publisher
        );
        if !newer.tokens.is_empty() {
            self.tokens.clone_from(&newer.tokens);
        }
        self.range_filters.retain(|old| newer.range_filters.iter().all(|new| new.kind != old.kind));
        let kept = newer.range_filters.iter().filter(|new| new.rule != crate::RangeRule::Remove);
        self.range_filters.extend(kept.cloned());
        self.range_filters.sort_by_key(|filter| filter.kind);
    }

    /// The types of the parameters that are present, ascending, a repeated one repeatedly.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = u64> + '_ {
        let tokens = self.tokens.iter().map(|_| AUTHORIZATION_TOKEN);
        let filters = self.range_filters.iter().map(|filter| filter.kind.parameter());
        let one = |kind: u64, present: bool| present.then_some(kind).into_iter();
        one(OBJECT_DELIVERY_TIMEOUT, self.object_delivery_timeout.is_some())
            .chain(tokens)
            .chain(one(RENDEZVOUS_TIMEOUT, self.rendezvous_timeout.is_some()))
            .chain(one(SUBGROUP_DELIVERY_TIMEOUT, self.subgroup_delivery_timeout.is_some()))
            .chain(one(EXPIRES, self.expires.is_some()))
            .chain(one(LARGEST_OBJECT, self.largest.is_some()))
            .chain(one(FILL_TIMEOUT, self.fill_timeout.is_some()))
            .chain(one(FORWARD, self.forward.is_some()))
            .chain(one(SUBSCRIBER_PRIORITY, self.subscriber_priority.is_some()))
            .chain(one(LOCATION_FILTER, self.filter.is_some()))
            .chain(one(GROUP_ORDER, self.group_order.is_some()))
            .chain(one(FILL_PARAMETERS, self.fill.is_some()))
            .chain(filters)
            .chain(one(NEW_GROUP_REQUEST, self.new_group_request.is_some()))
            .chain(one(TRACK_NAMESPACE_PREFIX, self.namespace_prefix.is_some()))
            .chain(one(INCLUDE_PROPERTIES, self.include_properties.is_some()))
            .chain(one(HOPS, self.hops.is_some()))
            .chain(one(PUBLISHER, self.publisher.is_some()))
    }

    /// Appends the count and the parameters.
    pub(crate) fn encode(&self, profile: Profile, place: Place, out: &mut Vec<u8>) -> Result<()> {
        let mut count = 0;
        for kind in self.kinds() {
            if !allowed(profile, kind, place) {
                return Err(Error::Unencodable("a parameter that this message may not hold in this draft"));
            }
            count += 1;
        }
        if count > Self::MAX_COUNT || self.tokens.len() > MAX_TOKENS {
            return Err(Error::TooLong { what: "parameters", limit: Self::MAX_COUNT });
        }
        varint::put(out, count as u64);
        let mut last = 0;
        let (mut token, mut range) = (0, 0);
        for kind in self.kinds() {
            let delta = u64::checked_sub(kind, last);
            varint::put(out, delta.ok_or(Error::Unencodable("range filters not ascending by kind"))?);
            last = kind;
            let index = match kind {
                AUTHORIZATION_TOKEN => {
                    token += 1;
                    token - 1
                }
                0x25..=0x29 => {
                    range += 1;
                    range - 1
                }
                _ => 0,
            };
            self.put(profile, kind, index, out)?;
        }
        Ok(())
    }

    /// Appends one parameter's value, for a repeated one its `index`th.
    fn put(&self, profile: Profile, kind: u64, index: usize, out: &mut Vec<u8>) -> Result<()> {
        let int = |value: Option<u64>, out: &mut Vec<u8>| value.into_iter().for_each(|v| varint::put(out, v));
        match kind {
            OBJECT_DELIVERY_TIMEOUT => int(self.object_delivery_timeout, out),
            RENDEZVOUS_TIMEOUT => int(self.rendezvous_timeout, out),
            SUBGROUP_DELIVERY_TIMEOUT => int(self.subgroup_delivery_timeout, out),
            EXPIRES => int(self.expires, out),
            FILL_TIMEOUT => int(self.fill_timeout, out),
            NEW_GROUP_REQUEST => int(self.new_group_request, out),
            AUTHORIZATION_TOKEN => prefixed(out, |value| {
                self.tokens[index].encode(value);
                Ok(())
            })?,
            LARGEST_OBJECT => self.largest.iter().for_each(|largest| largest.encode(out)),
            FORWARD => out.extend(self.forward.map(u8::from)),
            INCLUDE_PROPERTIES => out.extend(self.include_properties.map(u8::from)),
            SUBSCRIBER_PRIORITY => out.extend(self.subscriber_priority),
            GROUP_ORDER => out.extend(self.group_order.map(|order| match order {
                GroupOrder::Ascending => 1,
                GroupOrder::Descending => 2,
            })),
            LOCATION_FILTER => {
                if let Some(filter) = self.filter {
                    filter.encode(profile, out)?;
                }
            }
            FILL_PARAMETERS => {
                if let Some(fill) = &self.fill {
                    prefixed(out, |value| fill.encode(profile, Place::FILL, value))?;
                }
            }
            TRACK_NAMESPACE_PREFIX => self.namespace_prefix.iter().for_each(|prefix| prefix.encode(out)),
            HOPS => {
                let hops = self.hops.as_deref().unwrap_or_default();
                check_hops(hops).map_err(|_| Error::Unencodable("a hop list with a relay twice, or too long"))?;
                prefixed(out, |value| {
                    hops.iter().for_each(|hop| varint::put(value, *hop));
                    Ok(())
                })?;
            }
            PUBLISHER => {
                let id = self.publisher.as_deref().unwrap_or_default();
                if id.len() > Self::MAX_PUBLISHER {
                    return Err(Error::TooLong { what: "publisher's id", limit: Self::MAX_PUBLISHER });
                }
                prefixed(out, |value| {
                    value.extend_from_slice(id);
                    Ok(())
                })?;
            }
            _ => prefixed(out, |value| self.range_filters[index].encode(value))?,
        }
        Ok(())
    }

    /// Reads the count and the parameters.
    pub(crate) fn decode(profile: Profile, place: Place, reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.varint()?;
        if count > Self::MAX_COUNT as u64 {
            return Err(Error::Violation("more than 256 parameters"));
        }
        let mut params = Params::default();
        let mut last: Option<u64> = None;
        for _ in 0..count {
            let delta = reader.varint()?;
            let kind = last.unwrap_or(0).checked_add(delta);
            let kind = kind.ok_or(Error::Violation("a parameter type beyond 64 bits"))?;
            let repeats = kind == AUTHORIZATION_TOKEN || RangeKind::from_parameter(kind).is_some();
            if last == Some(kind) && !repeats {
                return Err(Error::Violation("a parameter given twice"));
            }
            if !allowed(profile, kind, place) {
                return Err(Error::Violation("a parameter unknown in this draft, or not for this message"));
            }
            last = Some(kind);
            params.get(profile, kind, reader)?;
        }
        Ok(params)
    }

    /// Reads one parameter's value.
    fn get(&mut self, profile: Profile, kind: u64, reader: &mut Reader<'_>) -> Result<()> {
        const LONG: &str = "a parameter longer than any message";
        match kind {
            OBJECT_DELIVERY_TIMEOUT => self.object_delivery_timeout = Some(reader.varint()?),
            RENDEZVOUS_TIMEOUT => self.rendezvous_timeout = Some(reader.varint()?),
            SUBGROUP_DELIVERY_TIMEOUT => self.subgroup_delivery_timeout = Some(reader.varint()?),
            EXPIRES => self.expires = Some(reader.varint()?),
            FILL_TIMEOUT => self.fill_timeout = Some(reader.varint()?),
            NEW_GROUP_REQUEST => self.new_group_request = Some(reader.varint()?),
            AUTHORIZATION_TOKEN => {
                if self.tokens.len() == MAX_TOKENS {
                    return Err(Error::Violation("more than 64 tokens"));
                }
                self.tokens.push(Token::decode(reader.prefixed(0xffff, LONG)?)?);
            }
            LARGEST_OBJECT => self.largest = Some(Location::decode(reader)?),
            FORWARD => self.forward = Some(flag(reader, "FORWARD is neither 0 nor 1")?),
            INCLUDE_PROPERTIES => {
                self.include_properties = Some(flag(reader, "INCLUDE_PROPERTIES is neither 0 nor 1")?);
            }
            SUBSCRIBER_PRIORITY => self.subscriber_priority = Some(reader.u8()?),
            GROUP_ORDER => {
                self.group_order = Some(match reader.u8()? {
                    1 => GroupOrder::Ascending,
                    2 => GroupOrder::Descending,
                    _ => return Err(Error::Violation("GROUP_ORDER is neither 1 nor 2")),
                });
            }
            LOCATION_FILTER => self.filter = Some(Filter::decode(profile, reader)?),
            FILL_PARAMETERS => {
                let mut value = Reader::new(reader.prefixed(0xffff, LONG)?);
                let fill = Params::decode(profile, Place::FILL, &mut value)?;
                value.finish("FILL_PARAMETERS longer than its parameters")?;
                self.fill = Some(Box::new(fill));
            }
            TRACK_NAMESPACE_PREFIX => self.namespace_prefix = Some(prefix(reader)?),
            HOPS => {
                let mut value = Reader::new(reader.prefixed(9 * Self::MAX_HOPS, LONG)?);
                let mut hops = Vec::new();
                while value.remaining() > 0 {
                    hops.push(value.varint()?);
                }
                check_hops(&hops)?;
                self.hops = Some(hops);
            }
            PUBLISHER => {
                self.publisher = Some(Bytes::copy_from_slice(reader.prefixed(Self::MAX_PUBLISHER, LONG)?));
            }
            _ => {
                let range = RangeKind::from_parameter(kind).ok_or(Error::Violation("an unknown parameter"))?;
                self.range_filters.push(RangeFilter::decode(range, reader.prefixed(0xffff, LONG)?));
            }
        }
        Ok(())
    }
}

/// TRACK_NAMESPACE_PREFIX's value. It is the last parameter of its message, so a namespace that does
/// not end with the message may be one that a peer put a length before, which is accepted too.
fn prefix(reader: &mut Reader<'_>) -> Result<Namespace> {
    let mut bare = reader.clone();
    let first = Namespace::decode(&mut bare);
    if first.is_err() || bare.remaining() > 0 {
        let mut with_length = reader.clone();
        let len = with_length.varint()?;
        if len == with_length.remaining() as u64 {
            if let Ok(namespace) = Namespace::decode(&mut with_length) {
                if with_length.remaining() == 0 {
                    *reader = with_length;
                    return Ok(namespace);
                }
            }
        }
    }
    *reader = bare;
    first
}

/// A hop list names each relay once, and not too many.
fn check_hops(hops: &[u64]) -> Result<()> {
    if hops.len() > Params::MAX_HOPS {
        return Err(Error::Violation("a hop list of more than 16 relays"));
    }
    if hops.iter().enumerate().any(|(at, hop)| hops[..at].contains(hop)) {
        return Err(Error::Violation("a hop list with a relay twice"));
    }
    Ok(())
}

fn flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::Violation(what)),
    }
}

/// Appends what `write` writes, with its length before it.
fn prefixed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let mut value = Vec::new();
    write(&mut value)?;
    varint::put(out, value.len() as u64);
    out.extend_from_slice(&value);
    Ok(())
}
