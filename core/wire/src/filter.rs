//! Which objects and tracks a request is for: the location filter (draft -18, section 5.1.2; later
//! forms from -20 and -22) and the range filters (from -20 on).

use crate::{varint, Error, Location, Profile, Reader, Result};

/// The locations that a subscription or a FETCH covers, as one meaning with three forms on the wire:
/// a type with a length (-18), a count of fields (-20, -21), a type without a length (-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Everything; in a REQUEST_UPDATE, no filter any more. At -18 written as a start of {0, 0}.
    Unfiltered,
    /// From the first group after the largest one.
    NextGroup,
    /// From this many groups before the next one, 1 for the current group; 0 is
    /// [`Filter::NextGroup`]. From -20 on.
    GroupsBack(u64),
    /// From the object after the largest one: -18's "Largest Object".
    NextObject,
    /// From here on. {0, 0} is the same as [`Filter::Unfiltered`].
    AbsoluteStart(Location),
    /// From here to the end of a group.
    AbsoluteRange {
        /// The first location.
        start: Location,
        /// The last group, not below the first.
        end_group: u64,
    },
    /// From here to an object. In a subscription from -20 on; in a FETCH always.
    ObjectRange {
        /// The first location.
        start: Location,
        /// The last location, its group not below the first.
        end: Location,
    },
}

impl Filter {
    /// Appends the parameter's value, with the length where the profile has one.
    pub(crate) fn encode(self, profile: Profile, out: &mut Vec<u8>) -> Result<()> {
        let mut value = Vec::with_capacity(16);
        let fields = self.fields()?;
        let fields = fields.as_slice();
        match profile {
            Profile::D18 => {
                let kind = match self {
                    Filter::NextGroup | Filter::GroupsBack(0) => 1,
                    Filter::NextObject => 2,
                    Filter::Unfiltered | Filter::AbsoluteStart(_) => 3,
                    Filter::AbsoluteRange { .. } => 4,
                    Filter::GroupsBack(_) => {
                        return Err(Error::Unencodable("a start some groups back, before draft -20"))
                    }
                    Filter::ObjectRange { .. } => {
                        return Err(Error::Unencodable("a filter that ends at an object, before draft -20"))
                    }
                };
                varint::put(&mut value, kind);
                let fields: &[u64] = match kind {
                    1 | 2 => &[],
                    3 if fields.is_empty() => &[0, 0],
                    _ => fields,
                };
                fields.iter().for_each(|&field| varint::put(&mut value, field));
            }
            Profile::D20 | Profile::D21 => {
                let fields: &[u64] = match self {
                    Filter::NextObject => &[0, 0],
                    // Two zeros mean the next object, so a start of {0, 0} is left out.
                    Filter::AbsoluteStart(Location { group: 0, object: 0 }) => &[],
                    _ => fields,
                };
                fields.iter().for_each(|&field| varint::put(&mut value, field));
            }
            Profile::D22 => {
                let kind = match self {
                    Filter::Unfiltered => 0,
                    Filter::NextGroup | Filter::GroupsBack(_) => 1,
                    Filter::AbsoluteStart(_) => 2,
                    Filter::AbsoluteRange { .. } => 3,
                    Filter::ObjectRange { .. } => 4,
                    Filter::NextObject => 5,
                };
                varint::put(out, kind);
                fields.iter().for_each(|&field| varint::put(out, field));
                return Ok(());
            }
        }
        varint::put(out, value.len() as u64);
        out.extend_from_slice(&value);
        Ok(())
    }

    /// Reads the parameter's value.
    pub(crate) fn decode(profile: Profile, reader: &mut Reader<'_>) -> Result<Self> {
        const TYPE: Error = Error::Violation("an unknown location filter type");
        if profile == Profile::D22 {
            let count = match reader.varint()? {
                0 => return Ok(Filter::Unfiltered),
                5 => return Ok(Filter::NextObject),
                kind @ 1..=4 => kind as usize,
                _ => return Err(TYPE),
            };
            let mut fields = [0; 4];
            for field in &mut fields[..count] {
                *field = reader.varint()?;
            }
            return Self::from_fields(&fields[..count]);
        }
        let len = usize::try_from(reader.varint()?).map_err(|_| Error::Truncated)?;
        let mut value = Reader::new(reader.bytes(len)?);
        let filter = Self::decode_bounded(profile, &mut value).map_err(|error| match error {
            Error::Truncated => Error::KeyValueFormatting("a location filter"),
            error => error,
        })?;
        value.finish("").map_err(|_| Error::KeyValueFormatting("a location filter"))?;
        Ok(filter)
    }

    fn decode_bounded(profile: Profile, value: &mut Reader<'_>) -> Result<Self> {
        let mut fields = [0; 4];
        let mut count = 0;
        if profile == Profile::D18 {
            count = match value.varint()? {
                1 => return Ok(Filter::NextGroup),
                2 => return Ok(Filter::NextObject),
                3 => 2,
                4 => 3,
                _ => return Err(Error::Violation("an unknown subscription filter type")),
            };
            for field in &mut fields[..count] {
                *field = value.varint()?;
            }
        } else {
            while value.remaining() > 0 && count < fields.len() {
                fields[count] = value.varint()?;
                count += 1;
            }
            if fields[..count] == [0, 0] {
                return Ok(Filter::NextObject);
            }
        }
        Self::from_fields(&fields[..count])
    }

    /// StartGroup, StartObject, EndGroupDelta, EndObject, as many as the filter has.
    fn fields(self) -> Result<Fields> {
        let delta = |start: Location, end: u64| {
            end.checked_sub(start.group).ok_or(Error::Unencodable("a filter that ends before it starts"))
        };
        Ok(match self {
            Filter::Unfiltered | Filter::NextObject => Fields([0; 4], 0),
            Filter::NextGroup => Fields([0; 4], 1),
            Filter::GroupsBack(groups) => Fields([groups, 0, 0, 0], 1),
            Filter::AbsoluteStart(start) => Fields([start.group, start.object, 0, 0], 2),
            Filter::AbsoluteRange { start, end_group } => {
                Fields([start.group, start.object, delta(start, end_group)?, 0], 3)
            }
            Filter::ObjectRange { start, end } => {
                Fields([start.group, start.object, delta(start, end.group)?, end.object], 4)
            }
        })
    }

    fn from_fields(fields: &[u64]) -> Result<Self> {
        let end = |start: u64, delta: u64| {
            start.checked_add(delta).ok_or(Error::Violation("a filter's end group beyond 64 bits"))
        };
        Ok(match *fields {
            [] => Filter::Unfiltered,
            [0] => Filter::NextGroup,
            [groups] => Filter::GroupsBack(groups),
            [group, object] => Filter::AbsoluteStart(Location { group, object }),
            [group, object, delta] => {
                Filter::AbsoluteRange { start: Location { group, object }, end_group: end(group, delta)? }
            }
            [group, object, delta, last, ..] => Filter::ObjectRange {
                start: Location { group, object },
                end: Location { group: end(group, delta)?, object: last },
            },
        })
    }
}

struct Fields([u64; 4], usize);

impl Fields {
    fn as_slice(&self) -> &[u64] {
        &self.0[..self.1]
    }
}

/// What a range filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RangeKind {
    /// An object's subgroup id (0x25).
    Subgroup,
    /// An object's id (0x26).
    ObjectId,
    /// An object's publisher priority (0x27).
    Priority,
    /// The integer of a property of an object (0x28).
    ObjectProperty,
    /// The integer of a property of a track (0x29); in SUBSCRIBE_TRACKS and its updates only.
    TrackProperty,
}

impl RangeKind {
    const ALL: [RangeKind; 5] = [
        RangeKind::Subgroup,
        RangeKind::ObjectId,
        RangeKind::Priority,
        RangeKind::ObjectProperty,
        RangeKind::TrackProperty,
    ];

    /// The parameter type, 0x25 to 0x29.
    pub fn parameter(self) -> u64 {
        0x25 + self as u64
    }

    pub(crate) fn from_parameter(kind: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.parameter() == kind)
    }

    fn names_property(self) -> bool {
        matches!(self, RangeKind::ObjectProperty | RangeKind::TrackProperty)
    }
}

/// One inclusive range of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The least value.
    pub start: u64,
    /// The greatest value; `None`, for a filter's last range only: no limit.
    pub end: Option<u64>,
}

impl Range {
    /// Whether the range holds `value`.
    pub fn contains(&self, value: u64) -> bool {
        value >= self.start && self.end.is_none_or(|end| value <= end)
    }
}

/// A range filter, from -20 on. Filters with one `set` must all pass; one passing set is enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RangeFilter {
    /// What is looked at.
    pub kind: RangeKind,
    /// What must hold for it.
    pub rule: RangeRule,
}

/// The content of a range filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RangeRule {
    /// In a REQUEST_UPDATE: the request's filters of this kind end.
    Remove,
    /// The value must lie in one of the ranges, which ascend and do not overlap.
    Keep {
        /// The set.
        set: u8,
        /// The property's even type, for the two kinds that look at one.
        property: Option<u64>,
        /// The ranges. An ordinary peer's MAX_FILTER_RANGES bounds all of a request's together.
        ranges: Vec<Range>,
    },
    /// Received and unusable: the request is to be refused with INVALID_FILTER. Cannot be written.
    Invalid(&'static str),
}

impl RangeFilter {
    /// Appends the value, without its length.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let (set, property, ranges) = match &self.rule {
            RangeRule::Remove => return Ok(()),
            RangeRule::Invalid(why) => return Err(Error::Unencodable(why)),
            RangeRule::Keep { set, property, ranges } => (*set, *property, ranges),
        };
        out.push(set);
        if property.is_some() != self.kind.names_property() {
            return Err(Error::Unencodable("a property in a filter of another kind, or none in its own"));
        }
        if let Some(property) = property {
            if property % 2 == 1 {
                return Err(Error::Unencodable("a range over a property that is no integer"));
            }
            varint::put(out, property);
        }
        let mut last = Some(0);
        for range in ranges {
            let from = last.ok_or(Error::Unencodable("a range behind one without an end"))?;
            if self.kind == RangeKind::Priority && range.end.unwrap_or(range.start) > 255 {
                return Err(Error::Unencodable("a priority above 255"));
            }
            let start = range.start.checked_sub(from);
            varint::put(out, start.ok_or(Error::Unencodable("ranges that do not ascend"))?);
            if let Some(end) = range.end {
                let len = end.checked_sub(range.start);
                varint::put(out, len.ok_or(Error::Unencodable("a range that ends before it starts"))?);
            }
            last = range.end;
        }
        Ok(())
    }

    /// Reads a value that spans all of `bytes`. What is wrong inside it concerns the request alone,
    /// so it comes back as [`RangeRule::Invalid`].
    pub(crate) fn decode(kind: RangeKind, bytes: &[u8]) -> Self {
        let rule = Self::rule(kind, bytes).unwrap_or_else(|error| match error {
            Error::Violation(why) => RangeRule::Invalid(why),
            _ => RangeRule::Invalid("a range filter that ends early"),
        });
        RangeFilter { kind, rule }
    }

    fn rule(kind: RangeKind, bytes: &[u8]) -> Result<RangeRule> {
        const OVERFLOW: Error = Error::Violation("a range beyond 64 bits");
        let mut reader = Reader::new(bytes);
        if bytes.is_empty() {
            return Ok(RangeRule::Remove);
        }
        let set = reader.u8()?;
        let property = if kind.names_property() { Some(reader.varint()?) } else { None };
        if property.is_some_and(|property| property % 2 == 1) {
            return Err(Error::Violation("a range over a property that is no integer"));
        }
        let mut ranges = Vec::new();
        let mut last = 0_u64;
        while reader.remaining() > 0 {
            let start = last.checked_add(reader.varint()?).ok_or(OVERFLOW)?;
            let end = match reader.remaining() {
                0 => None,
                _ => Some(start.checked_add(reader.varint()?).ok_or(OVERFLOW)?),
            };
            last = end.unwrap_or(start);
            if kind == RangeKind::Priority && last > 255 {
                return Err(Error::Violation("a priority above 255"));
            }
            ranges.push(Range { start, end });
        }
        Ok(RangeRule::Keep { set, property, ranges })
    }
}
