//! Reading the fields of a file in memory.

use crate::error::{Error, ErrorKind, Result};
use alloc::{
    format,
    string::{String, ToString},
};

/// What is left of a file, from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'p, 'a> {
    place: &'p str,
    rest: &'a [u8],
}

impl<'p, 'a> Bytes<'p, 'a> {
    /// `bytes`, read for `place`.
    pub(super) fn new(place: &'p str, bytes: &'a [u8]) -> Self {
        Self { place, rest: bytes }
    }

    /// The next `count` bytes, which are `what`.
    pub(super) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => wrong(
                ErrorKind::Parse,
                self.place,
                what,
                format!("the end after {} bytes", self.rest.len()),
            ),
        }
    }

    /// The next `N` bytes, which are `what`.
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N, what)?);
        Ok(bytes)
    }

    /// The next 2 bytes, little end first.
    pub(super) fn u16(&mut self, what: &str) -> Result<usize> {
        Ok(u16::from_le_bytes(self.array(what)?).into())
    }

    /// The next 4 bytes, little end first.
    pub(super) fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// The next 8 bytes, little end first.
    pub(super) fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// The error of a file that is not what it should be.
pub(super) fn wrong<R>(
    kind: ErrorKind,
    place: &str,
    expected: impl Into<String>,
    given: impl ToString,
) -> Result<R> {
    Err(Error::new(kind, place, expected, given))
}

/// How errors write bytes: as text where they are.
pub(super) fn text(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
