//! A data stream's bytes, put together into whole objects.
//!
//! Chunks come in, objects go out. A payload that lies within one chunk is a slice of it; one
//! that spans chunks is copied once, into memory that grows only with what has really come,
//! never with what a header announces.

use bytes::{Bytes, BytesMut};
use cc_wire::{Error as WireError, FetchItem, FetchPrior, GroupOrder, ObjectHeader, Profile, SubgroupHeader};

/// How the objects of this stream are written.
#[derive(Debug)]
pub(crate) enum Format {
    Subgroup { has_properties: bool, prev: Option<u64> },
    Fetch { order: GroupOrder, prior: FetchPrior },
}

impl Format {
    pub fn subgroup(header: &SubgroupHeader) -> Self {
        Self::Subgroup { has_properties: header.has_properties, prev: None }
    }

    pub fn fetch(order: GroupOrder) -> Self {
        Self::Fetch { order, prior: FetchPrior::default() }
    }
}

/// The head of an object.
#[derive(Debug)]
pub(crate) enum Head {
    Subgroup(ObjectHeader),
    Fetch(FetchItem),
}

impl Head {
    fn payload_len(&self) -> u64 {
        match self {
            Self::Subgroup(header) => header.payload_len,
            Self::Fetch(FetchItem::Object(header)) => header.payload_len,
            Self::Fetch(FetchItem::End { .. }) => 0,
        }
    }

    fn properties_len(&self) -> usize {
        match self {
            Self::Subgroup(header) => header.properties.len(),
            Self::Fetch(FetchItem::Object(header)) => header.properties.len(),
            Self::Fetch(FetchItem::End { .. }) => 0,
        }
    }
}

/// What the bytes at hand come to.
#[derive(Debug)]
pub(crate) enum Step {
    /// A whole object.
    Object(Head, Bytes),
    /// More bytes are needed.
    More,
    /// Over a limit; the stream is of no more use.
    TooLarge,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub object_bytes: u64,
    pub properties_bytes: usize,
}

/// The longest head of an object apart from its properties: six integers of nine bytes.
const HEAD_BYTES: usize = 54;

#[derive(Debug, Default)]
pub(crate) struct Assembly {
    unread: Bytes,
    partial: Option<(Head, BytesMut)>,
}

impl Assembly {
    /// Adds what came next on the stream.
    pub fn push(&mut self, bytes: Bytes) {
        if self.unread.is_empty() {
            self.unread = bytes;
        } else if !bytes.is_empty() {
            let mut joined = BytesMut::with_capacity(self.unread.len() + bytes.len());
            joined.extend_from_slice(&self.unread);
            joined.extend_from_slice(&bytes);
            self.unread = joined.freeze();
        }
    }

    /// What has come and is not yet part of a whole object.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Drops bytes that were understood elsewhere.
    pub fn consume(&mut self, n: usize) {
        let _ = self.unread.split_to(n.min(self.unread.len()));
    }

    pub fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.unread)
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.unread.len() + self.partial.as_ref().map_or(0, |(_, payload)| payload.len())
    }

    /// Between two objects: the only place where a stream may finish.
    pub fn at_boundary(&self) -> bool {
        self.unread.is_empty() && self.partial.is_none()
    }

    /// The next whole object, if it is there.
    pub fn step(&mut self, format: &mut Format, profile: Profile, bounds: Bounds) -> Result<Step, WireError> {
        if let Some((head, mut payload)) = self.partial.take() {
            let missing = (head.payload_len() - payload.len() as u64).min(self.unread.len() as u64);
            payload.extend_from_slice(&self.unread.split_to(missing as usize));
            if (payload.len() as u64) < head.payload_len() {
                self.partial = Some((head, payload));
                return Ok(Step::More);
            }
            return Ok(Step::Object(head, payload.freeze()));
        }
        if self.unread.is_empty() {
            return Ok(Step::More);
        }
        let decoded = match format {
            Format::Subgroup { has_properties, prev } => {
                ObjectHeader::decode_shared(&self.unread, *prev, *has_properties)?.map(|(header, used)| {
                    *prev = Some(header.object);
                    (Head::Subgroup(header), used)
                })
            }
            Format::Fetch { order, prior } => {
                FetchItem::decode(profile, *order, prior, &self.unread)?.map(|(item, used)| (Head::Fetch(item), used))
            }
        };
        let Some((head, used)) = decoded else {
            let hopeless = self.unread.len() > bounds.properties_bytes + HEAD_BYTES;
            return Ok(if hopeless { Step::TooLarge } else { Step::More });
        };
        if head.payload_len() > bounds.object_bytes || head.properties_len() > bounds.properties_bytes {
            return Ok(Step::TooLarge);
        }
        self.consume(used);
        if head.payload_len() <= self.unread.len() as u64 {
            let payload = self.unread.split_to(head.payload_len() as usize);
            return Ok(Step::Object(head, payload));
        }
        let payload = BytesMut::from(self.unread.as_ref());
        self.unread = Bytes::new();
        self.partial = Some((head, payload));
        Ok(Step::More)
    }
}
