//! Values as a sequence of bytes that shows damage: what a checkpoint is written in.
//!
//! ```text
//! magic (8 bytes) · version (4) · length of the whole (8) · values · CRC-64 of all before it (8)
//! ```
//!
//! All numbers are little-endian; texts and lists begin with their length, in 8 bytes. The length
//! shows what was cut off; the checksum (CRC-64/XZ, ECMA-182) finds every change of up to 64 bits
//! in a row.

use crate::error::{Error, ErrorKind, Result};
use crate::ground::checksum::Checksum;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};

pub(super) const HEAD: usize = 8 + 4 + 8;
const TAIL: usize = 8;

/// Puts a record together.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new(magic: [u8; 8], version: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(magic);
        bytes.extend(version.to_le_bytes());
        bytes.extend([0; 8]);
        Self { bytes }
    }

    /// Values alone, which something else keeps the length and the checksum of.
    pub(super) fn plain() -> Self {
        Self { bytes: Vec::new() }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub(super) fn count(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend(text.as_bytes());
    }

    pub(super) fn numbers<T: Real>(&mut self, numbers: &[T]) {
        self.count(numbers.len());
        for number in numbers {
            self.bytes.extend(&number.to_bytes()[..T::BYTES]);
        }
    }

    /// A value that may be missing.
    pub(super) fn option<V>(&mut self, value: Option<V>, write: impl FnOnce(&mut Self, V)) {
        self.u64(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<V>(
        &mut self,
        values: impl ExactSizeIterator<Item = V>,
        mut write: impl FnMut(&mut Self, V),
    ) {
        self.count(values.len());
        for value in values {
            write(self, value);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = (self.bytes.len() + TAIL) as u64;
        self.bytes[HEAD - 8..HEAD].copy_from_slice(&length.to_le_bytes());
        let checksum = checksum(&self.bytes);
        self.bytes.extend(checksum.to_le_bytes());
        self.bytes
    }
}

/// Takes a record apart; `place` is how errors call it.
pub(super) struct Reader<'a> {
    place: &'a str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A record of that magic and version, undamaged.
    pub(super) fn open(
        place: &'a str,
        bytes: &'a [u8],
        magic: [u8; 8],
        version: u32,
    ) -> Result<Self> {
        Self::check_head(place, bytes, bytes.len() as u64, magic, version)?;
        let (values, sum) = bytes.split_at(bytes.len() - TAIL);
        if sum != checksum(values).to_le_bytes() {
            return Err(Error::new(
                ErrorKind::Parse,
                place,
                "bytes that go with their checksum",
                "others: it is damaged",
            ));
        }
        Ok(Self {
            place,
            rest: &values[HEAD..],
        })
    }

    /// Values that something else has found undamaged, or that may be damaged.
    pub(super) fn plain(place: &'a str, bytes: &'a [u8]) -> Self {
        Self { place, rest: bytes }
    }

    /// Checks the beginning of a record in a file of `length` bytes, of which no more need to be
    /// there yet.
    pub(super) fn check_head(
        place: &str,
        head: &[u8],
        length: u64,
        magic: [u8; 8],
        version: u32,
    ) -> Result<()> {
        let error = |expected: String, given: String| {
            Err(Error::new(ErrorKind::Parse, place, expected, given))
        };
        if head.len() < HEAD || length < (HEAD + TAIL) as u64 || head[..8] != magic {
            return error(
                format!(
                    "a file that begins with {:?}",
                    String::from_utf8_lossy(&magic)
                ),
                format!("{length} bytes of something else"),
            );
        }
        let field = |from: usize, to: usize| {
            head[from..to]
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte))
        };
        if field(8, 12) != u64::from(version) {
            return error(
                format!("version {version} of the format"),
                format!("version {}", field(8, 12)),
            );
        }
        if field(12, HEAD) != length {
            return error(
                format!("{} bytes", field(12, HEAD)),
                format!("{length} bytes: it was cut off, or damaged"),
            );
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error(format!("{count} bytes more"), self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// An error of this record.
    pub(super) fn error(
        &self,
        expected: impl Into<String>,
        given: impl alloc::string::ToString,
    ) -> Error {
        Error::new(ErrorKind::Parse, self.place, expected, given)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(self
            .take(8)?
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A number of things of at least `size` bytes each, no more than the rest can hold.
    fn count_of(&mut self, size: usize) -> Result<usize> {
        let value = self.u64()?;
        usize::try_from(value)
            .ok()
            .filter(|count| {
                count
                    .checked_mul(size)
                    .is_some_and(|bytes| bytes <= self.rest.len())
            })
            .ok_or_else(|| {
                self.error(
                    format!("a count for which {} bytes are enough", self.rest.len()),
                    value,
                )
            })
    }

    pub(super) fn count(&mut self) -> Result<usize> {
        let value = self.u64()?;
        usize::try_from(value).map_err(|_| self.error("a number of this machine's size", value))
    }

    pub(super) fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.u64()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error("0 or 1", other)),
        }
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let count = self.count_of(1)?;
        String::from_utf8(self.take(count)?.to_vec())
            .map_err(|_| self.error("UTF-8", "other bytes"))
    }

    pub(super) fn numbers<T: Real>(&mut self) -> Result<Vec<T>> {
        let count = self.count_of(T::BYTES)?;
        let number = |bytes: &[u8]| {
            let mut all = [0; 8];
            all[..T::BYTES].copy_from_slice(bytes);
            T::from_bytes(all)
        };
        Ok(self
            .take(count * T::BYTES)?
            .chunks_exact(T::BYTES)
            .map(number)
            .collect())
    }

    pub(super) fn option<V>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<V>,
    ) -> Result<Option<V>> {
        Ok(if self.flag()? {
            Some(read(self)?)
        } else {
            None
        })
    }

    /// A list of things that take at least 8 bytes each.
    pub(super) fn list<V>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<V>,
    ) -> Result<Vec<V>> {
        (0..self.count_of(8)?).map(|_| read(self)).collect()
    }

    /// There must be nothing more.
    pub(super) fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("the end", format!("{} bytes more", self.rest.len())))
        }
    }
}

/// CRC-64/XZ.
fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = Checksum::crc64();
    sum.add(bytes);
    sum.value()
}
