//! NumPy's format of several arrays.

use super::bytes::{Bytes, text, wrong};
use super::npy;
use crate::checksum::Checksum;
use crate::error::{ErrorKind, Result};
use crate::real::Real;
use alloc::{format, string::ToString, vec::Vec};
use nalgebra::DMatrix;

/// Reads the array `name` of a file of `np.savez`, as [`read_npy`](super::read_npy) reads one of its own. The file is a ZIP archive
/// ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)) of at most 4 GiB, whose checksum is checked; the compressed
/// ones of `np.savez_compressed` are refused.
///
/// # Errors
/// As [`read_npy`](super::read_npy); [`ErrorKind::Parse`] where the bytes are no such archive, or it is damaged or has no array of
/// that name, naming those it has.
///
/// ```no_run
/// use chainrule::{Dataset, read_npz};
/// let file = std::fs::read("digits.npz")?;
/// let data = Dataset::<f32>::new(read_npz(&file, "x")?, read_npz(&file, "y")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_npz<T: Real>(bytes: &[u8], name: &str) -> Result<DMatrix<T>> {
    let mut names = Vec::new();
    for entry in Entries::of(bytes)? {
        let entry = entry?;
        let array = entry.name.strip_suffix(b".npy").unwrap_or(entry.name);
        if array == name.as_bytes() {
            let place = format!("array {name:?} of read_npz");
            return npy::read_for(&place, entry.data(&place, bytes)?);
        }
        names.push(array.escape_ascii());
    }
    let known = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    wrong(ErrorKind::Parse, PLACE, format!("one of the arrays {known}"), format!("{name:?}"))
}

const PLACE: &str = "read_npz";
const ARCHIVE: &str = "a ZIP archive as np.savez writes it";

/// An entry of the central directory.
struct Entry<'a> {
    name: &'a [u8],
    method: usize,
    encrypted: bool,
    checksum: u32,
    /// Compressed and not.
    sizes: [u32; 2],
    /// Where the entry's own header begins.
    offset: u32,
}

/// The entries of the central directory, first to last.
struct Entries<'a> {
    directory: Bytes<'static, 'a>,
    left: usize,
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self> {
        // The end of the directory is 22 bytes and a comment of up to 65 535; the last signature whose comment ends the file is it.
        let ends_here = |at: &usize| match bytes[*at..] {
            [b'P', b'K', 5, 6, ..] if bytes.len() - at >= 22 => {
                22 + usize::from(u16::from_le_bytes([bytes[at + 20], bytes[at + 21]])) == bytes.len() - at
            }
            _ => false,
        };
        let first = bytes.len().saturating_sub(22 + 65_535);
        let Some(end) = (first..bytes.len()).rev().find(ends_here) else {
            return wrong(ErrorKind::Parse, PLACE, ARCHIVE, format!("{} bytes without the end of a directory", bytes.len()));
        };
        let mut record = Bytes::new(PLACE, &bytes[end + 4..]);
        let (disk, directory_disk, here) = (record.u16(ARCHIVE)?, record.u16(ARCHIVE)?, record.u16(ARCHIVE)?);
        let (left, size, start) = (record.u16(ARCHIVE)?, record.u32(ARCHIVE)?, record.u32(ARCHIVE)?);
        if (disk, directory_disk, here) != (0, 0, left) || left == 0xffff || size == u32::MAX || start == u32::MAX {
            return wrong(ErrorKind::Parse, PLACE, "an archive in one part, of at most 4 GiB", "another");
        }
        let Some(directory) = slice(&bytes[..end], start, size) else {
            return wrong(
                ErrorKind::Parse,
                PLACE,
                format!("a directory of {size} bytes from {start}"),
                format!("{end} bytes before its end"),
            );
        };
        Ok(Self { directory: Bytes::new(PLACE, directory), left })
    }

    fn read(&mut self) -> Result<Entry<'a>> {
        let bytes = &mut self.directory;
        let signature = bytes.take(4, ARCHIVE)?;
        if signature != b"PK\x01\x02" {
            return wrong(ErrorKind::Parse, PLACE, "an entry of a directory, PK\\x01\\x02", text(signature));
        }
        bytes.take(4, ARCHIVE)?; // versions
        let (flags, method) = (bytes.u16(ARCHIVE)?, bytes.u16(ARCHIVE)?);
        bytes.take(4, ARCHIVE)?; // time and date
        let (checksum, sizes) = (bytes.u32(ARCHIVE)?, [bytes.u32(ARCHIVE)?, bytes.u32(ARCHIVE)?]);
        let [name, extra, comment] = [bytes.u16(ARCHIVE)?, bytes.u16(ARCHIVE)?, bytes.u16(ARCHIVE)?];
        bytes.take(8, ARCHIVE)?; // disk, attributes
        let offset = bytes.u32(ARCHIVE)?;
        let name = bytes.take(name, ARCHIVE)?;
        bytes.take(extra + comment, ARCHIVE)?;
        Ok(Entry { name, method, encrypted: flags & 1 != 0, checksum, sizes, offset })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.read())
    }
}

impl Entry<'_> {
    /// The file that the entry holds.
    fn data<'a>(&self, place: &str, archive: &'a [u8]) -> Result<&'a [u8]> {
        if self.method != 0 || self.encrypted {
            let given = match (self.encrypted, self.method) {
                (true, _) => "an encrypted one".into(),
                (false, 8) => "compression method 8, deflate (np.savez_compressed)".into(),
                (false, method) => format!("compression method {method}"),
            };
            return wrong(ErrorKind::Parse, place, "an entry without compression, as np.savez writes it", given);
        }
        let [packed, size] = self.sizes;
        if packed != size || size == u32::MAX || self.offset == u32::MAX {
            return wrong(
                ErrorKind::Parse,
                place,
                "one size below 4 GiB, packed or not",
                format!("{packed} and {size} bytes at {}", self.offset),
            );
        }
        // The name and what may follow it stand before the data once more, with a length of its own.
        let outside = "an entry within the archive";
        let mut header = Bytes::new(place, archive);
        header.take(self.offset as usize, outside)?;
        let header_bytes: [u8; 30] = header.array(outside)?;
        if !header_bytes.starts_with(b"PK\x03\x04") {
            return wrong(ErrorKind::Parse, place, "the header of an entry, PK\\x03\\x04", text(&header_bytes[..4]));
        }
        let mut lengths = Bytes::new(place, &header_bytes[26..]);
        header.take(lengths.u16(outside)? + lengths.u16(outside)?, outside)?;
        let data = header.take(size as usize, outside)?;
        match crc32(data) {
            checksum if checksum == self.checksum => Ok(data),
            checksum => wrong(ErrorKind::Parse, place, format!("data of checksum {:08x}", self.checksum), format!("{checksum:08x}")),
        }
    }
}

/// `size` bytes from `start`; `None` where there are fewer.
fn slice(bytes: &[u8], start: u32, size: u32) -> Option<&[u8]> {
    bytes.get(start as usize..)?.get(..size as usize)
}

/// The checksum of ZIP.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = Checksum::crc32();
    sum.add(bytes);
    sum.value() as u32
}
