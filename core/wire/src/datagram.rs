//! Objects in datagrams (draft -18, section 11.3): one object each, or padding.

use std::ops::Range;

use bytes::Bytes;

use crate::object::properties_range;
use crate::{varint, Error, Reader, Result, Status};

/// The type of a padding datagram, whose content is to be thrown away.
pub const PADDING_DATAGRAM: u64 = 0x132b_3e29;

/// The most bytes that [`DatagramHeader::encode`] writes besides properties: type, alias, group,
/// object, priority, the properties' length and a status.
pub const DATAGRAM_HEADER_MAX: usize = 1 + 9 + 9 + 9 + 1 + 9 + 1;

const PROPERTIES: u64 = 0x01;
const END_OF_GROUP: u64 = 0x02;
const ZERO_OBJECT_ID: u64 = 0x04;
const DEFAULT_PRIORITY: u64 = 0x08;
const STATUS: u64 = 0x20;
const ALL: u64 = PROPERTIES | END_OF_GROUP | ZERO_OBJECT_ID | DEFAULT_PRIORITY | STATUS;

/// What precedes an object's payload in a datagram.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatagramHeader {
    /// The track, as its publisher numbered it in this session.
    pub alias: u64,
    /// The group.
    pub group: u64,
    /// The object's id within the group.
    pub object: u64,
    /// 0 (first) to 255 (last); `None`: the track's default.
    pub priority: Option<u8>,
    /// Whether this object is the group's last. Not together with a status.
    pub end_of_group: bool,
    /// A status in place of a payload.
    pub status: Option<Status>,
    /// Encoded key-value pairs, empty for none; see [`crate::Properties::decode`].
    pub properties: Bytes,
}

/// A received datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram {
    /// An object; its payload starts at the offset and ends with the datagram.
    Object(DatagramHeader, usize),
    /// Nothing.
    Padding,
}

impl Datagram {
    /// Reads a datagram's header, copying its properties.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::with(bytes, |range| Bytes::copy_from_slice(&bytes[range]))
    }

    /// [`Datagram::decode`] with the properties as a part of `bytes`, uncopied.
    pub fn decode_shared(bytes: &Bytes) -> Result<Self> {
        Self::with(bytes, |range| bytes.slice(range))
    }

    fn with(bytes: &[u8], take: impl FnOnce(Range<usize>) -> Bytes) -> Result<Self> {
        if Reader::new(bytes).varint()? == PADDING_DATAGRAM {
            return Ok(Datagram::Padding);
        }
        let (header, offset) = DatagramHeader::with(bytes, take)?;
        Ok(Datagram::Object(header, offset))
    }
}

impl DatagramHeader {
    /// How many bytes [`DatagramHeader::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        let object = if self.object == 0 { 0 } else { varint::len(self.object) };
        let properties = match self.properties.len() {
            0 => 0,
            len => varint::len(len as u64) + len,
        };
        1 + varint::len(self.alias)
            + varint::len(self.group)
            + object
            + usize::from(self.priority.is_some())
            + properties
            + usize::from(self.status.is_some())
    }

    /// Appends the header; the payload follows it, unless there is a status.
    ///
    /// # Errors
    /// [`Error::Unencodable`] for a status with `end_of_group`, or a status other than
    /// [`Status::Normal`] with properties.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.status.is_some() && self.end_of_group {
            return Err(Error::Unencodable("a status and end of group in one datagram"));
        }
        if matches!(self.status, Some(Status::EndOfGroup | Status::EndOfTrack)) && !self.properties.is_empty() {
            return Err(Error::Unencodable("properties on an object that is not normal"));
        }
        let mut kind = 0;
        for (bit, set) in [
            (PROPERTIES, !self.properties.is_empty()),
            (END_OF_GROUP, self.end_of_group),
            (ZERO_OBJECT_ID, self.object == 0),
            (DEFAULT_PRIORITY, self.priority.is_none()),
            (STATUS, self.status.is_some()),
        ] {
            kind |= if set { bit } else { 0 };
        }
        varint::put(out, kind);
        varint::put(out, self.alias);
        varint::put(out, self.group);
        if self.object != 0 {
            varint::put(out, self.object);
        }
        out.extend(self.priority);
        if !self.properties.is_empty() {
            varint::put(out, self.properties.len() as u64);
            out.extend_from_slice(&self.properties);
        }
        if let Some(status) = self.status {
            varint::put(out, status.code());
        }
        Ok(())
    }

    /// Reads the header of an object's datagram and tells where the payload starts, copying
    /// properties. For datagrams of any kind, [`Datagram::decode`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize)> {
        Self::with(bytes, |range| Bytes::copy_from_slice(&bytes[range]))
    }

    fn with(bytes: &[u8], take: impl FnOnce(Range<usize>) -> Bytes) -> Result<(Self, usize)> {
        let mut reader = Reader::new(bytes);
        let kind = reader.varint()?;
        if kind & !ALL != 0 {
            return Err(Error::Violation("an unknown datagram type"));
        }
        let has = |bit| kind & bit != 0;
        if has(STATUS) && has(END_OF_GROUP) {
            return Err(Error::Violation("a datagram type with both status and end of group"));
        }
        let alias = reader.varint()?;
        let group = reader.varint()?;
        let object = if has(ZERO_OBJECT_ID) { 0 } else { reader.varint()? };
        let priority = if has(DEFAULT_PRIORITY) { None } else { Some(reader.u8()?) };
        let properties = if has(PROPERTIES) { properties_range(&mut reader)? } else { 0..0 };
        if has(PROPERTIES) && properties.is_empty() {
            return Err(Error::Violation("a datagram with properties of no length"));
        }
        let status = if has(STATUS) { Some(Status::from_code(reader.varint()?)?) } else { None };
        if status.is_some_and(|status| status != Status::Normal) && has(PROPERTIES) {
            return Err(Error::Violation("properties on an object that is not normal"));
        }
        if status.is_some() {
            reader.finish("a datagram with both a status and a payload")?;
        }
        let end_of_group = has(END_OF_GROUP);
        let properties = take(properties);
        let header = DatagramHeader { alias, group, object, priority, end_of_group, status, properties };
        Ok((header, reader.position()))
    }
}
