//! The AUTHORIZATION TOKEN structure (draft -18, section 10.2.2), the same in SETUP and in messages.

use bytes::Bytes;

use crate::{varint, Error, Reader, Result};

/// The most tokens in one SETUP or message.
pub(crate) const MAX_TOKENS: usize = 64;

/// A token, or a reference to one that the same sender registered in this session.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// Retire an alias.
    Delete {
        /// The alias.
        alias: u64,
    },
    /// Use this token now, and remember it under an alias.
    Register {
        /// The alias, not in use.
        alias: u64,
        /// The token type; 0: agreed out of band.
        kind: u64,
        /// The token.
        value: Bytes,
    },
    /// Use a registered token.
    UseAlias {
        /// The alias.
        alias: u64,
    },
    /// Use this token for this message alone.
    UseValue {
        /// The token type; 0: agreed out of band.
        kind: u64,
        /// The token.
        value: Bytes,
    },
}

impl Token {
    /// The token type and value, where the structure carries them.
    pub fn value(&self) -> Option<(u64, &Bytes)> {
        match self {
            Token::Register { kind, value, .. } | Token::UseValue { kind, value } => Some((*kind, value)),
            Token::Delete { .. } | Token::UseAlias { .. } => None,
        }
    }

    /// Appends the structure, without a length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (alias_type, alias, token) = match self {
            Token::Delete { alias } => (0, Some(*alias), None),
            Token::Register { alias, kind, value } => (1, Some(*alias), Some((kind, value))),
            Token::UseAlias { alias } => (2, Some(*alias), None),
            Token::UseValue { kind, value } => (3, None, Some((kind, value))),
        };
        varint::put(out, alias_type);
        if let Some(alias) = alias {
            varint::put(out, alias);
        }
        if let Some((kind, value)) = token {
            varint::put(out, *kind);
            out.extend_from_slice(value);
        }
    }

    /// Reads a structure that spans all of `bytes`.
    ///
    /// # Errors
    /// [`Error::KeyValueFormatting`] for whatever is not a Token structure.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        const BAD: Error = Error::KeyValueFormatting("an authorization token");
        let mut reader = Reader::new(bytes);
        let mut int = || reader.varint().map_err(|_| BAD);
        let token = match int()? {
            0 => Token::Delete { alias: int()? },
            1 => {
                let (alias, kind) = (int()?, int()?);
                Token::Register { alias, kind, value: Bytes::copy_from_slice(reader.rest()) }
            }
            2 => Token::UseAlias { alias: int()? },
            3 => {
                let kind = int()?;
                Token::UseValue { kind, value: Bytes::copy_from_slice(reader.rest()) }
            }
            _ => return Err(BAD),
        };
        reader.finish("").map_err(|_| BAD)?;
        Ok(token)
    }
}

/// Shows everything but the secret, of which only the length is told.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Delete { alias } => write!(f, "Delete({alias})"),
            Token::UseAlias { alias } => write!(f, "UseAlias({alias})"),
            Token::Register { alias, kind, value } => {
                write!(f, "Register({alias}, type {kind}, {} bytes)", value.len())
            }
            Token::UseValue { kind, value } => {
                write!(f, "UseValue(type {kind}, {} bytes)", value.len())
            }
        }
    }
}
