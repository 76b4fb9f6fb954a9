//! Names and places: namespaces, full track names, locations (draft -18, sections 2.4.1 and 1.4.2).

use std::fmt;

use bytes::Bytes;

use crate::{varint, Error, Reader, Result};

/// A group and an object in it; ordered by group, then object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// The group's id.
    pub group: u64,
    /// The object's id within the group.
    pub object: u64,
}

impl Location {
    /// Appends group and object.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.group);
        varint::put(out, self.object);
    }

    /// Reads group and object.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Location { group: reader.varint()?, object: reader.varint()? })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.object)
    }
}

/// An ordered list of 0 to 32 fields of at least one byte each, 4,096 bytes in all.
///
/// Empty as a prefix (everything matches) and as a suffix. Field bytes need not be text; a `/` in a
/// field is legal on the wire, is shown as `%2F`, and is therefore told apart from a separator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(Vec<Bytes>);

impl Namespace {
    /// The most fields.
    pub const MAX_FIELDS: usize = 32;
    /// The most bytes of all fields together; with a track's name, the most of both.
    pub const MAX_BYTES: usize = 4096;

    /// A namespace of these fields.
    ///
    /// # Errors
    /// [`Error::TooLong`] beyond 32 fields or 4,096 bytes, [`Error::Unencodable`] for an empty field.
    pub fn new(fields: Vec<Bytes>) -> Result<Self> {
        if fields.len() > Self::MAX_FIELDS {
            return Err(Error::TooLong { what: "namespace fields", limit: Self::MAX_FIELDS });
        }
        if fields.iter().any(Bytes::is_empty) {
            return Err(Error::Unencodable("an empty namespace field"));
        }
        let namespace = Namespace(fields);
        if namespace.byte_len() > Self::MAX_BYTES {
            return Err(Error::TooLong { what: "namespace bytes", limit: Self::MAX_BYTES });
        }
        Ok(namespace)
    }

    /// Reads `a/b/c` as three fields, and the empty string as none. `%2F` and `%25` stand for `/`
    /// and `%` inside a field, `%XX` for any byte: what [`fmt::Display`] writes, this reads back.
    ///
    /// # Errors
    /// As [`Namespace::new`]; a `%` without two hexadecimal digits is [`Error::Unencodable`].
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Namespace::default());
        }
        Self::new(text.split('/').map(unescape).collect::<Result<_>>()?)
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[Bytes] {
        &self.0
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all fields together.
    pub fn byte_len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether the first fields are `prefix`'s, all of them. True for an empty prefix.
    pub fn starts_with(&self, prefix: &Namespace) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The fields after `prefix`; `None` when this does not start with it.
    pub fn suffix_after(&self, prefix: &Namespace) -> Option<Namespace> {
        self.0.strip_prefix(prefix.0.as_slice()).map(|rest| Namespace(rest.to_vec()))
    }

    /// This namespace with `suffix`'s fields behind it.
    ///
    /// # Errors
    /// As [`Namespace::new`].
    pub fn join(&self, suffix: &Namespace) -> Result<Namespace> {
        Namespace::new(self.0.iter().chain(&suffix.0).cloned().collect())
    }

    /// Appends the count, and each field with its length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.0.len() as u64);
        for field in &self.0 {
            varint::put(out, field.len() as u64);
            out.extend_from_slice(field);
        }
    }

    /// Reads a namespace, with the limits of the draft as violations.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.varint()?;
        if count > Self::MAX_FIELDS as u64 {
            return Err(Error::Violation("a namespace of more than 32 fields"));
        }
        let mut fields = Vec::with_capacity(count as usize);
        let mut left = Self::MAX_BYTES;
        for _ in 0..count {
            let field = reader.prefixed(left, "a namespace of more than 4096 bytes")?;
            if field.is_empty() {
                return Err(Error::Violation("an empty namespace field"));
            }
            left -= field.len();
            fields.push(Bytes::copy_from_slice(field));
        }
        Ok(Namespace(fields))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            escape(field, f)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Namespace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Namespace::parse(text)
    }
}

/// A full track name: at most 4,096 bytes of namespace and name together. The name may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TrackName {
    /// Where the track lives.
    pub namespace: Namespace,
    /// The track within its namespace.
    pub name: Bytes,
}

impl TrackName {
    /// A track's full name.
    ///
    /// # Errors
    /// [`Error::TooLong`] when namespace and name exceed 4,096 bytes together.
    pub fn new(namespace: Namespace, name: impl Into<Bytes>) -> Result<Self> {
        let track = TrackName { namespace, name: name.into() };
        track.check()?;
        Ok(track)
    }

    /// The namespace's fields, then the name.
    pub fn path(&self) -> impl Iterator<Item = &Bytes> {
        self.namespace.0.iter().chain(std::iter::once(&self.name))
    }

    /// Appends namespace and name.
    ///
    /// # Errors
    /// [`Error::TooLong`], as the fields are public and may have been changed since [`TrackName::new`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        self.namespace.encode(out);
        varint::put(out, self.name.len() as u64);
        out.extend_from_slice(&self.name);
        Ok(())
    }

    /// Reads namespace and name.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let namespace = Namespace::decode(reader)?;
        let left = Namespace::MAX_BYTES - namespace.byte_len();
        let name = reader.prefixed(left, "a full track name of more than 4096 bytes")?;
        Ok(TrackName { namespace, name: Bytes::copy_from_slice(name) })
    }

    fn check(&self) -> Result<()> {
        if self.namespace.byte_len() + self.name.len() > Namespace::MAX_BYTES {
            return Err(Error::TooLong { what: "full track name", limit: Namespace::MAX_BYTES });
        }
        Ok(())
    }
}

impl fmt::Display for TrackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}//", self.namespace)?;
        escape(&self.name, f)
    }
}

/// Text as it is; bytes that would not read back, or not print, as `%XX`.
fn escape(field: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Ok(text) = std::str::from_utf8(field) else {
        return field.iter().try_for_each(|&byte| match byte {
            b'/' | b'%' | 0..=0x1f | 0x7f.. => write!(f, "%{byte:02X}"),
            _ => write!(f, "{}", byte as char),
        });
    };
    text.chars().try_for_each(|c| match c {
        '/' | '%' | '\0'..='\x1f' | '\x7f' => write!(f, "%{:02X}", c as u32),
        _ => write!(f, "{c}"),
    })
}

fn unescape(field: &str) -> Result<Bytes> {
    if !field.contains('%') {
        return Ok(Bytes::copy_from_slice(field.as_bytes()));
    }
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| (b as char).to_digit(16));
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
            _ => return Err(Error::Unencodable("a % in a namespace without two hex digits")),
        }
    }
    Ok(out.into())
}
