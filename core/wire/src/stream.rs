//! What kind of unidirectional stream begins here (draft -18, section 3.4).

use crate::{Error, Reader, Result, SubgroupHeader};

/// The type of a control stream: its first message is SETUP.
pub const SETUP_STREAM: u64 = 0x2f00;
/// The type of a FETCH's stream of objects.
pub const FETCH_STREAM: u64 = 0x05;
/// The type of a padding stream, whose content is to be thrown away.
pub const PADDING_STREAM: u64 = 0x132b_3e28;

/// The start of a unidirectional stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UniStream {
    /// The control stream. Nothing is consumed: what is there is a SETUP message.
    Setup,
    /// Objects of a subscription.
    Subgroup(SubgroupHeader),
    /// Objects of a FETCH; see [`crate::FetchItem`].
    Fetch {
        /// The FETCH's request id.
        request_id: u64,
    },
    /// Zeros, to be thrown away.
    Padding,
}

impl UniStream {
    /// Reads a stream's start and tells how many bytes it took; `None` while some are missing. No
    /// start takes more than 37 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Option<(UniStream, usize)>> {
        match Self::parse(bytes) {
            Ok(start) => Ok(Some(start)),
            Err(Error::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends the stream's start; nothing for [`UniStream::Setup`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            UniStream::Setup => {}
            UniStream::Subgroup(header) => header.encode(out),
            UniStream::Fetch { request_id } => {
                crate::varint::put(out, FETCH_STREAM);
                crate::varint::put(out, *request_id);
            }
            UniStream::Padding => crate::varint::put(out, PADDING_STREAM),
        }
    }

    fn parse(bytes: &[u8]) -> Result<(UniStream, usize)> {
        let mut reader = Reader::new(bytes);
        let start = match reader.varint()? {
            SETUP_STREAM => return Ok((UniStream::Setup, 0)),
            FETCH_STREAM => UniStream::Fetch { request_id: reader.varint()? },
            PADDING_STREAM => UniStream::Padding,
            kind if SubgroupHeader::is_type(kind) => {
                reader = Reader::new(bytes);
                UniStream::Subgroup(SubgroupHeader::decode(&mut reader)?)
            }
            _ => return Err(Error::Violation("an unknown stream type")),
        };
        Ok((start, reader.position()))
    }
}
