//! Properties of tracks and objects: key-value pairs that relays forward untouched
//! (draft -18, sections 1.4.3, 2.5 and 12).

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::{varint, Error, GroupOrder, Reader, Result};

/// Types of properties, and the largest value of one.
pub mod property {
    /// Milliseconds, track: an object that waits longer is not sent. From draft -20 on also of the first object of a
    /// subgroup, for that subgroup.
    pub const OBJECT_DELIVERY_TIMEOUT: u64 = 0x02;
    /// Milliseconds, track: how long an object may be served from a cache.
    pub const MAX_CACHE_DURATION: u64 = 0x04;
    /// Milliseconds, track: a subgroup stream that takes longer is reset. As the one above of a subgroup's first object.
    pub const SUBGROUP_DELIVERY_TIMEOUT: u64 = 0x06;
    /// Key-value pairs of the original publisher that nobody may change.
    pub const IMMUTABLE: u64 = 0x0b;
    /// 0 to 255, track: the priority of objects that name none; 128 when absent.
    pub const DEFAULT_PUBLISHER_PRIORITY: u64 = 0x0e;
    /// 1 ascending or 2 descending, track; ascending when absent.
    pub const DEFAULT_PUBLISHER_GROUP_ORDER: u64 = 0x22;
    /// 0 or 1, track: whether a subscriber may ask for a new group.
    pub const DYNAMIC_GROUPS: u64 = 0x30;
    /// Object: how many groups before this one will never exist.
    pub const PRIOR_GROUP_ID_GAP: u64 = 0x3c;
    /// Object: how many objects before this one will never exist.
    pub const PRIOR_OBJECT_ID_GAP: u64 = 0x3e;
    /// Object (LOC): capture time, in units of [`LOC_TIMESCALE`]; microseconds since 1970 without one.
    pub const LOC_TIMESTAMP: u64 = 0x10;
    /// Object (LOC): the capture time's type in the list of -18, which peers may still write. At that draft no object
    /// has a [`SUBGROUP_DELIVERY_TIMEOUT`]; from -20 on a time since 1970 is one that never ends.
    pub const LOC_TIMESTAMP_18: u64 = 0x06;
    /// Track or object (LOC): units a second of [`LOC_TIMESTAMP`].
    pub const LOC_TIMESCALE: u64 = 0x08;
    /// Object (LOC): marks of a video frame, independent, discardable and so on (RFC 9626).
    pub const LOC_VIDEO_FRAME_MARKING: u64 = 0x09;
    /// Object (LOC): loudness and voice activity, in the low 8 bits (RFC 6464).
    pub const LOC_AUDIO_LEVEL: u64 = 0x0c;
    /// Object (LOC): a video codec's configuration.
    pub const LOC_VIDEO_CONFIG: u64 = 0x0d;
    /// Track, ours: the readable capability tag.
    pub const CAPABILITY_TAG: u64 = 0x3801;
    /// Track, ours: [`crate::capability_hash`] of the tag, an integer for the drafts' range filter.
    pub const CAPABILITY_HASH: u64 = 0x3802;
    /// The longest byte value, in bytes.
    pub const MAX_VALUE: usize = 0xffff;
}

/// A property's value: an integer under an even type, bytes under an odd one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// The value of an even type.
    Int(u64),
    /// The value of an odd type, at most 65,535 bytes.
    Bytes(Bytes),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Int(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Value::Bytes(value)
    }
}

/// Properties in ascending order of type, together with their exact bytes.
///
/// Types that nobody here knows are kept, and what was decoded is written again byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    items: Vec<(u64, Value)>,
    raw: Bytes,
}

impl Properties {
    /// The most pairs that one list may hold.
    pub const MAX_COUNT: usize = 256;

    /// No properties.
    pub fn new() -> Self {
        Properties::default()
    }

    /// The integer under an even type: the first one in the list, or else in the immutable part.
    pub fn get_int(&self, kind: u64) -> Option<u64> {
        match self.get(kind)? {
            Value::Int(value) => Some(value),
            Value::Bytes(_) => None,
        }
    }

    /// The bytes under an odd type: the first ones in the list, or else in the immutable part.
    pub fn get_bytes(&self, kind: u64) -> Option<Bytes> {
        match self.get(kind)? {
            Value::Bytes(value) => Some(value),
            Value::Int(_) => None,
        }
    }

    /// Sets a property, in place of all of that type.
    ///
    /// # Errors
    /// [`Error::Unencodable`] when the type's parity does not fit the value, [`Error::TooLong`]
    /// beyond 65,535 bytes or 256 properties. The list is unchanged then.
    pub fn insert(&mut self, kind: u64, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        match &value {
            Value::Int(_) if kind % 2 == 1 => return Err(Error::Unencodable("an integer under an odd type")),
            Value::Bytes(_) if kind.is_multiple_of(2) => return Err(Error::Unencodable("bytes under an even type")),
            Value::Bytes(bytes) if bytes.len() > property::MAX_VALUE => {
                return Err(Error::TooLong { what: "property value", limit: property::MAX_VALUE });
            }
            _ => {}
        }
        let start = self.items.partition_point(|(k, _)| *k < kind);
        let end = self.items.partition_point(|(k, _)| *k <= kind);
        if start == end && self.items.len() == Self::MAX_COUNT {
            return Err(Error::TooLong { what: "properties", limit: Self::MAX_COUNT });
        }
        self.items.splice(start..end, [(kind, value)]);
        let mut raw = Vec::with_capacity(self.raw.len() + 16);
        put_pairs(&self.items, &mut raw);
        self.raw = raw.into();
        Ok(())
    }

    /// The pairs, in ascending order of type; a type may repeat.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Value)> {
        self.items.iter().map(|(kind, value)| (*kind, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The encoded pairs, without a length: as received, or in the shortest form.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Appends the pairs, without a length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw);
    }

    /// Reads pairs that span all of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Properties { items: pairs(bytes)?, raw: Bytes::copy_from_slice(bytes) })
    }

    /// [`Properties::decode`], with the values that the draft restricts for tracks checked:
    /// group order, dynamic groups and default priority.
    pub fn decode_track(bytes: &[u8]) -> Result<Self> {
        let properties = Self::decode(bytes)?;
        check_track(&properties.items)?;
        if let Some(Value::Bytes(inner)) = find(&properties.items, property::IMMUTABLE) {
            // Pairs that cannot be read make the track malformed, which is no matter of the session.
            check_track(&pairs(inner).unwrap_or_default())?;
        }
        Ok(properties)
    }

    /// Appends a track's properties, unless the peer would have to refuse them.
    pub(crate) fn encode_track(&self, out: &mut Vec<u8>) -> Result<()> {
        check_track(&self.items).map_err(|_| Error::Unencodable("a track property out of its range"))?;
        self.encode(out);
        Ok(())
    }

    /// Whether encoded pairs name a type of this range, without reading more than that takes. What can't be read names
    /// none.
    pub fn any_of(encoded: &[u8], types: &RangeInclusive<u64>) -> bool {
        scan(encoded).take_while(|(kind, _)| kind <= types.end()).any(|(kind, _)| kind >= *types.start())
    }

    /// The first integer under an even type of encoded pairs, as [`any_of`](Properties::any_of).
    pub fn int_of(encoded: &[u8], kind: u64) -> Option<u64> {
        scan(encoded).take_while(|(other, _)| *other <= kind).find(|(other, _)| *other == kind)?.1
    }

    /// The track's default publisher priority, 128 when it names none.
    pub fn default_priority(&self) -> u8 {
        self.get_int(property::DEFAULT_PUBLISHER_PRIORITY).and_then(|p| u8::try_from(p).ok()).unwrap_or(128)
    }

    /// The track's preferred group order, ascending when it names none.
    pub fn group_order(&self) -> GroupOrder {
        match self.get_int(property::DEFAULT_PUBLISHER_GROUP_ORDER) {
            Some(2) => GroupOrder::Descending,
            _ => GroupOrder::Ascending,
        }
    }

    fn get(&self, kind: u64) -> Option<Value> {
        if let Some(value) = find(&self.items, kind) {
            return Some(value.clone());
        }
        match find(&self.items, property::IMMUTABLE)? {
            Value::Bytes(inner) => find(&pairs(inner).ok()?, kind).cloned(),
            Value::Int(_) => None,
        }
    }
}

fn check_track(items: &[(u64, Value)]) -> Result<()> {
    let what = items.iter().find_map(|item| match *item {
        (property::DEFAULT_PUBLISHER_GROUP_ORDER, Value::Int(order)) if order != 1 && order != 2 => {
            Some("DEFAULT_PUBLISHER_GROUP_ORDER is neither 1 nor 2")
        }
        (property::DYNAMIC_GROUPS, Value::Int(2..)) => Some("DYNAMIC_GROUPS above 1"),
        (property::DEFAULT_PUBLISHER_PRIORITY, Value::Int(256..)) => Some("DEFAULT_PUBLISHER_PRIORITY above 255"),
        _ => None,
    });
    what.map_or(Ok(()), |what| Err(Error::Violation(what)))
}

fn find(items: &[(u64, Value)], kind: u64) -> Option<&Value> {
    let at = items.partition_point(|(k, _)| *k < kind);
    items.get(at).filter(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// Appends delta-coded pairs; `items` ascend by type.
pub(crate) fn put_pairs(items: &[(u64, Value)], out: &mut Vec<u8>) {
    let mut last = 0;
    for (kind, value) in items {
        varint::put(out, kind - last);
        last = *kind;
        match value {
            Value::Int(value) => varint::put(out, *value),
            Value::Bytes(bytes) => {
                varint::put(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// The types of delta-coded pairs with their integers, up to what can't be read.
fn scan(bytes: &[u8]) -> impl Iterator<Item = (u64, Option<u64>)> + '_ {
    let mut reader = Reader::new(bytes);
    let mut kind = 0_u64;
    std::iter::from_fn(move || {
        if reader.remaining() == 0 {
            return None;
        }
        kind = kind.checked_add(reader.varint().ok()?)?;
        if kind.is_multiple_of(2) {
            return Some((kind, Some(reader.varint().ok()?)));
        }
        reader.prefixed(property::MAX_VALUE, "a key-value pair of more than 65535 bytes").ok()?;
        Some((kind, None))
    })
}

/// Reads delta-coded pairs that span all of `bytes`.
pub(crate) fn pairs(bytes: &[u8]) -> Result<Vec<(u64, Value)>> {
    let mut reader = Reader::new(bytes);
    let mut items = Vec::new();
    let mut kind = 0_u64;
    while reader.remaining() > 0 {
        if items.len() == Properties::MAX_COUNT {
            return Err(Error::Violation("more than 256 key-value pairs"));
        }
        let delta = reader.varint()?;
        kind = kind.checked_add(delta).ok_or(Error::Violation("a key-value type beyond 64 bits"))?;
        let value = if kind.is_multiple_of(2) {
            Value::Int(reader.varint()?)
        } else {
            let bytes = reader.prefixed(property::MAX_VALUE, "a key-value pair of more than 65535 bytes")?;
            Value::Bytes(Bytes::copy_from_slice(bytes))
        };
        items.push((kind, value));
    }
    Ok(items)
}
