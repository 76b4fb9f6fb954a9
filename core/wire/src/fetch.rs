//! Objects and gaps in a FETCH's stream, each object told relative to what is before it
//! (draft -18, section 11.4.4). A gap's location is written in full and no payload length follows it:
//! the text leaves both open, and this is how implementations agree.

use bytes::Bytes;

use crate::object::properties_range;
use crate::{varint, Error, GroupOrder, Location, Profile, Reader, Result};

/// An element of a FETCH's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// An object; `payload_len` bytes of payload follow.
    Object(FetchObject),
    /// Everything between the element before and this location, inclusive, is not sent.
    End {
        /// Why.
        gap: Gap,
        /// The last location that is meant.
        location: Location,
    },
}

/// An object in a FETCH's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchObject {
    /// Where it stands in the track.
    pub location: Location,
    /// Its subgroup; `None` for an object that was a datagram.
    pub subgroup: Option<u64>,
    /// Its publisher priority, 0 (first) to 255 (last).
    pub priority: u8,
    /// Encoded key-value pairs, empty for none; see [`crate::Properties::decode`].
    pub properties: Bytes,
    /// Bytes of payload that follow. Unchecked: compare it with what you would hold.
    pub payload_len: u64,
}

/// Why objects are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gap {
    /// They do not exist.
    NonExistent,
    /// Nothing is known of them.
    Unknown,
    /// A relay gave up waiting for them. From -20 on; at -18 it is written as [`Gap::Unknown`].
    TimedOut,
}

/// What the next element is told relative to. One a stream and direction, starting as `default()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FetchPrior {
    /// The last element's.
    location: Option<Location>,
    /// The last subgroup that an object had.
    subgroup: Option<u64>,
    /// Whether the last object was a datagram, so that what "its" subgroup is depends on the reader.
    datagram: bool,
    /// The last object's.
    priority: Option<u8>,
}

const SUBGROUP_MODE: u64 = 0x03;
const OBJECT: u64 = 0x04;
const GROUP: u64 = 0x08;
const PRIORITY: u64 = 0x10;
const PROPERTIES: u64 = 0x20;
const DATAGRAM: u64 = 0x40;
const NON_EXISTENT: u64 = 0x8c;
const UNKNOWN: u64 = 0x10c;
const TIMED_OUT: u64 = 0x20c;

impl FetchItem {
    /// Appends the element, and moves `prior` on; an object's payload is to follow. On an error
    /// nothing is appended.
    ///
    /// # Errors
    /// [`Error::Unencodable`] when the element does not come after the one before.
    pub fn encode(&self, profile: Profile, order: GroupOrder, prior: &mut FetchPrior, out: &mut Vec<u8>) -> Result<()> {
        match self {
            FetchItem::Object(object) => object.encode(order, prior, out),
            FetchItem::End { gap, location } => {
                prior.check_order(order, *location)?;
                varint::put(
                    out,
                    match gap {
                        Gap::NonExistent => NON_EXISTENT,
                        Gap::TimedOut if profile >= Profile::D20 => TIMED_OUT,
                        Gap::Unknown | Gap::TimedOut => UNKNOWN,
                    },
                );
                location.encode(out);
                prior.location = Some(*location);
                Ok(())
            }
        }
    }

    /// Reads an element from the start of `bytes`, tells how many bytes it took, and moves `prior`
    /// on; `None`, with `prior` as it was, while some are missing. Properties are copied.
    pub fn decode(
        profile: Profile,
        order: GroupOrder,
        prior: &mut FetchPrior,
        bytes: &[u8],
    ) -> Result<Option<(FetchItem, usize)>> {
        let mut reader = Reader::new(bytes);
        let mut next = *prior;
        match Self::read(profile, order, &mut next, bytes, &mut reader) {
            Ok(item) => {
                *prior = next;
                Ok(Some((item, reader.position())))
            }
            Err(Error::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(
        profile: Profile,
        order: GroupOrder,
        prior: &mut FetchPrior,
        bytes: &[u8],
        reader: &mut Reader<'_>,
    ) -> Result<Self> {
        const NO_PRIOR: Error = Error::Violation("a FETCH object relative to none");
        let flags = reader.varint()?;
        let gap = match flags {
            NON_EXISTENT => Some(Gap::NonExistent),
            UNKNOWN => Some(Gap::Unknown),
            TIMED_OUT if profile >= Profile::D20 => Some(Gap::TimedOut),
            0..=0x7f => None,
            _ => return Err(Error::Violation("unknown FETCH serialization flags")),
        };
        if let Some(gap) = gap {
            let location = Location::decode(reader)?;
            prior.location = Some(location);
            return Ok(FetchItem::End { gap, location });
        }
        let group_delta = if flags & GROUP != 0 { Some(reader.varint()?) } else { None };
        let explicit = flags & DATAGRAM == 0 && flags & SUBGROUP_MODE == SUBGROUP_MODE;
        let explicit = if explicit { Some(reader.varint()?) } else { None };
        let object_delta = if flags & OBJECT != 0 { Some(reader.varint()?) } else { None };
        let location = locate(order, prior.location, group_delta, object_delta)?;
        let subgroup = match (flags & DATAGRAM != 0, flags & SUBGROUP_MODE) {
            (true, _) => None,
            (false, 0) => Some(0),
            (false, 1) => Some(prior.subgroup.ok_or(NO_PRIOR)?),
            (false, 2) => {
                let next = prior.subgroup.ok_or(NO_PRIOR)?.checked_add(1);
                Some(next.ok_or(Error::Violation("a subgroup id beyond 64 bits"))?)
            }
            _ => explicit,
        };
        let priority = if flags & PRIORITY != 0 { reader.u8()? } else { prior.priority.ok_or(NO_PRIOR)? };
        let properties = if flags & PROPERTIES != 0 { properties_range(reader)? } else { 0..0 };
        let payload_len = reader.varint()?;
        prior.follow(location, subgroup, priority);
        let properties = Bytes::copy_from_slice(&bytes[properties]);
        Ok(FetchItem::Object(FetchObject { location, subgroup, priority, properties, payload_len }))
    }
}

impl FetchObject {
    fn encode(&self, order: GroupOrder, prior: &mut FetchPrior, out: &mut Vec<u8>) -> Result<()> {
        prior.check_order(order, self.location)?;
        let Location { group: to_group, object: to_object } = self.location;
        let (group, object) = match prior.location {
            None => (Some(to_group), Some(to_object)),
            Some(at) => {
                let next = Some(to_object) == at.object.checked_add(1);
                let same = at.group == to_group;
                let object = if same { to_object - at.object } else { to_object };
                ((!same).then(|| at.group.abs_diff(to_group) - 1), (!next).then_some(object))
            }
        };
        let relative = prior.subgroup.filter(|_| !prior.datagram);
        let (mut flags, explicit) = match self.subgroup {
            None => (DATAGRAM, None),
            Some(0) => (0, None),
            Some(id) if relative == Some(id) => (1, None),
            Some(id) if relative.is_some() && relative == id.checked_sub(1) => (2, None),
            Some(id) => (SUBGROUP_MODE, Some(id)),
        };
        let priority = (prior.priority != Some(self.priority)).then_some(self.priority);
        for (bit, set) in [
            (OBJECT, object.is_some()),
            (GROUP, group.is_some()),
            (PRIORITY, priority.is_some()),
            (PROPERTIES, !self.properties.is_empty()),
        ] {
            flags |= if set { bit } else { 0 };
        }
        varint::put(out, flags);
        for field in [group, explicit, object].into_iter().flatten() {
            varint::put(out, field);
        }
        out.extend(priority);
        if !self.properties.is_empty() {
            varint::put(out, self.properties.len() as u64);
            out.extend_from_slice(&self.properties);
        }
        varint::put(out, self.payload_len);
        prior.follow(self.location, self.subgroup, self.priority);
        Ok(())
    }
}

impl FetchPrior {
    fn follow(&mut self, location: Location, subgroup: Option<u64>, priority: u8) {
        self.location = Some(location);
        self.datagram = subgroup.is_none();
        self.subgroup = subgroup.or(self.subgroup);
        self.priority = Some(priority);
    }

    /// Whether `to` may come next: groups in the FETCH's order, objects ascending.
    fn check_order(&self, order: GroupOrder, to: Location) -> Result<()> {
        let Some(at) = self.location else {
            return Ok(());
        };
        let follows = match order {
            _ if to.group == at.group => to.object > at.object,
            GroupOrder::Ascending => to.group > at.group,
            GroupOrder::Descending => to.group < at.group,
        };
        follows.then_some(()).ok_or(Error::Unencodable("FETCH elements out of order"))
    }
}

fn locate(order: GroupOrder, prior: Option<Location>, group: Option<u64>, object: Option<u64>) -> Result<Location> {
    let Some(at) = prior else {
        return match (group, object) {
            (Some(group), Some(object)) => Ok(Location { group, object }),
            _ => Err(Error::Violation("a FETCH that starts relative to nothing")),
        };
    };
    let same_group = group.is_none();
    let group = match group {
        None => Some(at.group),
        Some(delta) => delta.checked_add(1).and_then(|delta| match order {
            GroupOrder::Ascending => at.group.checked_add(delta),
            GroupOrder::Descending => at.group.checked_sub(delta),
        }),
    };
    let object = match object {
        None => at.object.checked_add(1),
        Some(delta) if same_group => at.object.checked_add(delta),
        Some(object) => Some(object),
    };
    match (group, object) {
        (Some(group), Some(object)) => Ok(Location { group, object }),
        _ => Err(Error::Violation("a FETCH location beyond 64 bits")),
    }
}
