//! Objects in subgroup streams: the stream's header and each object's (draft -18, section 11.4).

use std::ops::Range;

use bytes::Bytes;

use crate::{varint, Error, Reader, Result};

/// What an object without payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// An ordinary object, whose payload is empty.
    Normal,
    /// No object with this id or a greater one exists in the group.
    EndOfGroup,
    /// No object at this location or a greater one exists in the track.
    EndOfTrack,
}

impl Status {
    pub(crate) fn code(self) -> u64 {
        match self {
            Status::Normal => 0x0,
            Status::EndOfGroup => 0x3,
            Status::EndOfTrack => 0x4,
        }
    }

    pub(crate) fn from_code(code: u64) -> Result<Self> {
        match code {
            0x0 => Ok(Status::Normal),
            0x3 => Ok(Status::EndOfGroup),
            0x4 => Ok(Status::EndOfTrack),
            _ => Err(Error::Violation("an unknown object status")),
        }
    }
}

/// How a subgroup stream names its subgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubgroupId {
    /// Subgroup 0.
    Zero,
    /// The id of the stream's first object.
    FirstObject,
    /// This id. One of 0 is written, and read, as [`SubgroupId::Zero`].
    Explicit(u64),
}

/// The start of a subgroup stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubgroupHeader {
    /// The track, as its publisher numbered it in this session.
    pub alias: u64,
    /// The group.
    pub group: u64,
    /// The subgroup within the group.
    pub subgroup: SubgroupId,
    /// 0 (first) to 255 (last); `None`: the track's default.
    pub priority: Option<u8>,
    /// Whether each object's header has a properties field, be it empty.
    pub has_properties: bool,
    /// Whether the stream's last object before FIN is the group's last.
    pub end_of_group: bool,
    /// Whether the stream's first object is the first that the publisher made in the subgroup.
    pub first_object: bool,
}

const PROPERTIES: u64 = 0x01;
const SUBGROUP_ID_MODE: u64 = 0x06;
const END_OF_GROUP: u64 = 0x08;
const SUBGROUP: u64 = 0x10;
const DEFAULT_PRIORITY: u64 = 0x20;
const FIRST_OBJECT: u64 = 0x40;

impl SubgroupHeader {
    /// Whether a stream type has the form of a subgroup header, the reserved id mode included.
    pub(crate) fn is_type(kind: u64) -> bool {
        kind < 0x80 && kind & SUBGROUP != 0
    }

    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut kind = SUBGROUP;
        let explicit = match self.subgroup {
            SubgroupId::Zero | SubgroupId::Explicit(0) => None,
            SubgroupId::FirstObject => {
                kind |= 0x02;
                None
            }
            SubgroupId::Explicit(id) => {
                kind |= 0x04;
                Some(id)
            }
        };
        for (bit, set) in [
            (PROPERTIES, self.has_properties),
            (END_OF_GROUP, self.end_of_group),
            (DEFAULT_PRIORITY, self.priority.is_none()),
            (FIRST_OBJECT, self.first_object),
        ] {
            kind |= if set { bit } else { 0 };
        }
        varint::put(out, kind);
        varint::put(out, self.alias);
        varint::put(out, self.group);
        if let Some(id) = explicit {
            varint::put(out, id);
        }
        out.extend(self.priority);
    }

    /// Reads a header, its type included. [`Error::Truncated`] while bytes are missing.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let kind = reader.varint()?;
        if !Self::is_type(kind) {
            return Err(Error::Violation("not a subgroup header's type"));
        }
        if kind & SUBGROUP_ID_MODE == SUBGROUP_ID_MODE {
            return Err(Error::Violation("the reserved subgroup id mode"));
        }
        let alias = reader.varint()?;
        let group = reader.varint()?;
        let subgroup = match kind & SUBGROUP_ID_MODE {
            0x00 => SubgroupId::Zero,
            0x02 => SubgroupId::FirstObject,
            _ => match reader.varint()? {
                0 => SubgroupId::Zero,
                id => SubgroupId::Explicit(id),
            },
        };
        let priority = if kind & DEFAULT_PRIORITY == 0 { Some(reader.u8()?) } else { None };
        Ok(SubgroupHeader {
            alias,
            group,
            subgroup,
            priority,
            has_properties: kind & PROPERTIES != 0,
            end_of_group: kind & END_OF_GROUP != 0,
            first_object: kind & FIRST_OBJECT != 0,
        })
    }
}

/// What precedes an object's payload in a subgroup stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectHeader {
    /// The object's id.
    pub object: u64,
    /// Encoded key-value pairs, empty for none; see [`crate::Properties::decode`].
    pub properties: Bytes,
    /// On the wire exactly when the payload is empty; `None` with an empty payload is written as
    /// [`Status::Normal`], and reading fills it in.
    pub status: Option<Status>,
    /// Bytes of payload that follow. Unchecked: compare it with what you would hold.
    pub payload_len: u64,
}

impl ObjectHeader {
    /// Appends the header. `prev` is the id of the object before it in the stream, and
    /// `has_properties` the stream's header's.
    ///
    /// # Errors
    /// [`Error::Unencodable`] when ids do not ascend, properties have no field to be in, or a status
    /// does not go with payload or properties.
    pub fn encode(&self, out: &mut Vec<u8>, prev: Option<u64>, has_properties: bool) -> Result<()> {
        let delta = match prev {
            None => Some(self.object),
            Some(prev) => self.object.checked_sub(prev).and_then(|delta| delta.checked_sub(1)),
        };
        let delta = delta.ok_or(Error::Unencodable("object ids that do not ascend"))?;
        let status = self.status.unwrap_or(Status::Normal);
        if status != Status::Normal && (self.payload_len > 0 || !self.properties.is_empty()) {
            return Err(Error::Unencodable("a status with payload or properties"));
        }
        if !has_properties && !self.properties.is_empty() {
            return Err(Error::Unencodable("properties in a stream without them"));
        }
        varint::put(out, delta);
        if has_properties {
            varint::put(out, self.properties.len() as u64);
            out.extend_from_slice(&self.properties);
        }
        varint::put(out, self.payload_len);
        if self.payload_len == 0 {
            varint::put(out, status.code());
        }
        Ok(())
    }

    /// Reads a header from the start of `bytes` and tells how many bytes it took; `None` while some
    /// are missing. Properties are copied; see [`ObjectHeader::decode_shared`].
    ///
    /// A stream cannot be kept waiting for ever: bound what you buffer, as a properties length may
    /// announce more than ever comes.
    pub fn decode(bytes: &[u8], prev: Option<u64>, has_properties: bool) -> Result<Option<(Self, usize)>> {
        let parsed = Self::parse(bytes, prev, has_properties)?;
        Ok(parsed.map(|(mut header, range, used)| {
            header.properties = Bytes::copy_from_slice(&bytes[range]);
            (header, used)
        }))
    }

    /// [`ObjectHeader::decode`] with the properties as a part of `bytes`, uncopied.
    pub fn decode_shared(bytes: &Bytes, prev: Option<u64>, has_properties: bool) -> Result<Option<(Self, usize)>> {
        let parsed = Self::parse(bytes, prev, has_properties)?;
        Ok(parsed.map(|(mut header, range, used)| {
            header.properties = bytes.slice(range);
            (header, used)
        }))
    }

    fn parse(bytes: &[u8], prev: Option<u64>, has_properties: bool) -> Result<Option<(Self, Range<usize>, usize)>> {
        let mut reader = Reader::new(bytes);
        match Self::fields(&mut reader, prev, has_properties) {
            Ok((header, range)) => Ok(Some((header, range, reader.position()))),
            Err(Error::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn fields(reader: &mut Reader<'_>, prev: Option<u64>, has_properties: bool) -> Result<(Self, Range<usize>)> {
        let delta = reader.varint()?;
        let object = match prev {
            None => Some(delta),
            Some(prev) => prev.checked_add(1).and_then(|next| next.checked_add(delta)),
        };
        let object = object.ok_or(Error::Violation("an object id beyond 64 bits"))?;
        let properties = if has_properties { properties_range(reader)? } else { 0..0 };
        let payload_len = reader.varint()?;
        let status = if payload_len == 0 { Some(Status::from_code(reader.varint()?)?) } else { None };
        if !properties.is_empty() && status.is_some_and(|status| status != Status::Normal) {
            return Err(Error::Violation("properties on an object that is not normal"));
        }
        Ok((ObjectHeader { object, properties: Bytes::new(), status, payload_len }, properties))
    }
}

/// Reads a properties length and steps over the properties; where they stand in the reader's bytes.
pub(crate) fn properties_range(reader: &mut Reader<'_>) -> Result<Range<usize>> {
    let len = reader.varint()?;
    let len = usize::try_from(len).map_err(|_| Error::Violation("a properties length beyond memory"))?;
    let start = reader.position();
    reader.bytes(len)?;
    Ok(start..start + len)
}
