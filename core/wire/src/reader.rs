//! A cursor over received bytes on which every read is checked.

use crate::{varint, Error, Result};

/// Reads fields from the front of a byte slice. A read past the end is [`Error::Truncated`] and
/// leaves the position unspecified.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { all: bytes, at: 0 }
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8> {
        let byte = *self.all.get(self.at).ok_or(Error::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next variable-length integer.
    pub fn varint(&mut self) -> Result<u64> {
        varint::get(self)
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).ok_or(Error::Truncated)?;
        let bytes = self.all.get(self.at..end).ok_or(Error::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// A varint length of at most `limit`, then that many bytes. A larger length is a violation
    /// named `what`, before anything else is looked at.
    pub fn prefixed(&mut self, limit: usize, what: &'static str) -> Result<&'a [u8]> {
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(len) if len <= limit => self.bytes(len),
            _ => Err(Error::Violation(what)),
        }
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.all[self.at..];
        self.at = self.all.len();
        rest
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.all.len() - self.at
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Refuses bytes that follow the last field.
    pub fn finish(&self, what: &'static str) -> Result<()> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(Error::Violation(what))
        }
    }
}
