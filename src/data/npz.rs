//! NumPy's format of several arrays.

use super::bytes::{Bytes, text, wrong};
use super::foreign::{TORCH, foreign, is_torch};
use super::{npy, packed};
use crate::error::{ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::{borrow::Cow, format, string::ToString, vec::Vec};
use nalgebra::DMatrix;

/// Returns the array `name` in a file of `np.savez`, as [`read_npy`](super::read_npy) reads a file
/// of its own. The file is a ZIP archive
/// ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), with ZIP64); the
/// array's checksum is verified. Of two arrays of one name the last counts, as in NumPy.
///
/// The compressed arrays of `np.savez_compressed` need the feature `deflate`. The size that the
/// archive gives them bounds the memory that is taken, which grows with the data that are there.
///
/// # Errors
/// As [`read_npy`](super::read_npy); [`ErrorKind::Parse`] if the bytes are no such archive, or it
/// is damaged, or has no array of that name; the error names those it has.
///
/// ```no_run
/// use chainrule::data::read_npz;
/// let file = std::fs::read("digits.npz")?;
/// let x = read_npz::<f32>(&file, "x")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("np.load"))]
pub fn read_npz<T: Real>(bytes: &[u8], name: &str) -> Result<DMatrix<T>> {
    let bytes = &*packed::plain(PLACE, bytes)?;
    let mut wanted = None;
    let mut names = Vec::new();
    for entry in Entries::of(bytes)? {
        let entry = entry?;
        if is_torch(entry.name) {
            let (other, next) = TORCH;
            return wrong(
                ErrorKind::Parse,
                PLACE,
                format!("{ARCHIVE} ({next})"),
                other,
            );
        }
        let array = entry.name.strip_suffix(b".npy").unwrap_or(entry.name);
        if array == name.as_bytes() {
            wanted = Some(entry);
        } else {
            names.push(array.escape_ascii());
        }
    }
    if let Some(entry) = wanted {
        let place = format!("array {name:?} of read_npz");
        return npy::read_for(&place, &entry.data(&place, bytes)?);
    }
    let known = names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    wrong(
        ErrorKind::Parse,
        PLACE,
        format!("one of the arrays {known}"),
        format!("{name:?}"),
    )
}

/// Returns what [`read_npz`] makes of a regular file.
///
/// # Errors
/// As [`read_npz`], with the path before the place; [`ErrorKind::Io`] for what is no regular file.
///
/// ```no_run
/// use chainrule::data::read_npz_file;
/// use chainrule::Dataset;
/// let path = "digits.npz";
/// let data = Dataset::<f32>::new(read_npz_file(path, "x")?, read_npz_file(path, "y")?)?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn read_npz_file<T: Real>(path: impl AsRef<std::path::Path>, name: &str) -> Result<DMatrix<T>> {
    super::from_file(path.as_ref(), |bytes| read_npz(bytes, name))
}

const PLACE: &str = "read_npz";
const ARCHIVE: &str = "a ZIP archive as np.savez writes it";
/// What 16 and 32 bits hold where the number stands elsewhere, in 64 (ZIP64).
const ELSEWHERE: u64 = u32::MAX as u64;

/// An entry of the central directory.
struct Entry<'a> {
    name: &'a [u8],
    method: usize,
    encrypted: bool,
    checksum: u32,
    /// The sizes, compressed and not.
    packed: u64,
    size: u64,
    /// Where the entry's own header begins.
    offset: u64,
}

/// The entries of the central directory, first to last.
struct Entries<'a> {
    directory: Bytes<'static, 'a>,
    left: u64,
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self> {
        // The end of the directory is 22 bytes and a comment of up to 65 535; the last signature
        // whose comment ends the file is it.
        let ends_here = |at: &usize| match bytes[*at..] {
            [b'P', b'K', 5, 6, ..] if bytes.len() - at >= 22 => {
                22 + usize::from(u16::from_le_bytes([bytes[at + 20], bytes[at + 21]]))
                    == bytes.len() - at
            }
            _ => false,
        };
        let first = bytes.len().saturating_sub(22 + 65_535);
        let Some(end) = (first..bytes.len()).rev().find(ends_here) else {
            return match foreign(bytes) {
                Some((other, next)) if !bytes.starts_with(b"PK") => wrong(
                    ErrorKind::Parse,
                    PLACE,
                    format!("{ARCHIVE} ({next})"),
                    other,
                ),
                _ => {
                    let given = format!("{} bytes without the end of a directory", bytes.len());
                    wrong(ErrorKind::Parse, PLACE, ARCHIVE, given)
                }
            };
        };
        let mut record = Bytes::new(PLACE, &bytes[end + 4..]);
        let mut parts = [record.u16(ARCHIVE)? as u64, record.u16(ARCHIVE)? as u64];
        let mut counts = [record.u16(ARCHIVE)? as u64, record.u16(ARCHIVE)? as u64];
        let mut size = record.u32(ARCHIVE)?.into();
        let mut start = record.u32(ARCHIVE)?.into();
        // Of a large archive the end stands before it once more, with more bits, and where it is
        // before that.
        let locator = end.checked_sub(20).map(|at| &bytes[at..end]);
        if let Some(locator) = locator.and_then(|locator| locator.strip_prefix(b"PK\x06\x07")) {
            let mut locator = Bytes::new(PLACE, &locator[4..]);
            let at = usize::try_from(locator.u64(ARCHIVE)?).ok();
            let Some(large) = at.and_then(|at| bytes[..end].get(at..)?.strip_prefix(b"PK\x06\x06"))
            else {
                return wrong(
                    ErrorKind::Parse,
                    PLACE,
                    ARCHIVE,
                    "a ZIP64 archive without the end of a directory",
                );
            };
            let mut record = Bytes::new(PLACE, large);
            record.take(12, ARCHIVE)?; // its size, versions
            parts = [record.u32(ARCHIVE)?.into(), record.u32(ARCHIVE)?.into()];
            counts = [record.u64(ARCHIVE)?, record.u64(ARCHIVE)?];
            size = record.u64(ARCHIVE)?;
            start = record.u64(ARCHIVE)?;
        }
        let [here, left] = counts;
        if parts != [0, 0] || here != left {
            return wrong(ErrorKind::Parse, PLACE, "an archive in one part", "another");
        }
        let Some(directory) = slice(&bytes[..end], start, size) else {
            let expected = format!("a directory of {size} bytes from {start}");
            return wrong(
                ErrorKind::Parse,
                PLACE,
                expected,
                format!("{end} bytes before its end"),
            );
        };
        Ok(Self {
            directory: Bytes::new(PLACE, directory),
            left,
        })
    }

    fn read(&mut self) -> Result<Entry<'a>> {
        let bytes = &mut self.directory;
        let signature = bytes.take(4, ARCHIVE)?;
        if signature != b"PK\x01\x02" {
            return wrong(
                ErrorKind::Parse,
                PLACE,
                "an entry of a directory, PK\\x01\\x02",
                text(signature),
            );
        }
        bytes.take(4, ARCHIVE)?; // versions
        let flags = bytes.u16(ARCHIVE)?;
        let method = bytes.u16(ARCHIVE)?;
        bytes.take(4, ARCHIVE)?; // time and date
        let checksum = bytes.u32(ARCHIVE)?;
        let mut packed = bytes.u32(ARCHIVE)?.into();
        let mut size = bytes.u32(ARCHIVE)?.into();
        let [name, extra, comment] = [
            bytes.u16(ARCHIVE)?,
            bytes.u16(ARCHIVE)?,
            bytes.u16(ARCHIVE)?,
        ];
        bytes.take(8, ARCHIVE)?; // disk, attributes
        let mut offset = bytes.u32(ARCHIVE)?.into();
        let name = bytes.take(name, ARCHIVE)?;
        let mut extra = Bytes::new(PLACE, bytes.take(extra, ARCHIVE)?);
        bytes.take(comment, ARCHIVE)?;
        // Other fields matter only where one of these numbers stands behind them.
        while [size, packed, offset].contains(&ELSEWHERE) {
            let kind = extra.u16(ARCHIVE)?;
            let len = extra.u16(ARCHIVE)?;
            let mut field = Bytes::new(PLACE, extra.take(len, ARCHIVE)?);
            if kind == 1 {
                for number in [&mut size, &mut packed, &mut offset] {
                    if *number == ELSEWHERE {
                        *number = field.u64(ARCHIVE)?;
                    }
                }
                break;
            }
        }
        Ok(Entry {
            name,
            method,
            encrypted: flags & 1 != 0,
            checksum,
            packed,
            size,
            offset,
        })
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
    fn data<'a>(&self, place: &str, archive: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        let deflated = match (self.encrypted, self.method) {
            (false, 0) => false,
            (false, 8) if cfg!(feature = "deflate") => true,
            (false, 8) => {
                let expected = format!(
                    "one without (np.savez writes it; {} reads both)",
                    packed::FEATURE
                );
                return wrong(
                    ErrorKind::Parse,
                    place,
                    expected,
                    "an entry with compression",
                );
            }
            (true, _) => return wrong(ErrorKind::Parse, place, METHODS, "an encrypted one"),
            (false, method) => {
                return wrong(
                    ErrorKind::Parse,
                    place,
                    METHODS,
                    format!("compression method {method}"),
                );
            }
        };
        // The name and what may follow it stand before the data once more, with a length of its
        // own.
        let outside = "an entry within the archive";
        let Some(bytes) = usize::try_from(self.offset)
            .ok()
            .and_then(|offset| archive.get(offset..))
        else {
            let given = format!(
                "the end after {} bytes, before its byte {}",
                archive.len(),
                self.offset
            );
            return wrong(ErrorKind::Parse, place, outside, given);
        };
        let mut header = Bytes::new(place, bytes);
        let header_bytes: [u8; 30] = header.array(outside)?;
        if !header_bytes.starts_with(b"PK\x03\x04") {
            return wrong(
                ErrorKind::Parse,
                place,
                "the header of an entry, PK\\x03\\x04",
                text(&header_bytes[..4]),
            );
        }
        let mut lengths = Bytes::new(place, &header_bytes[26..]);
        let [name, extra] = [lengths.u16(outside)?, lengths.u16(outside)?];
        let name = header.take(name, outside)?;
        if name != self.name {
            let expected = format!(
                "the name {} before the data, as in the directory",
                text(self.name)
            );
            return wrong(ErrorKind::Parse, place, expected, text(name));
        }
        header.take(extra, outside)?;
        let packed = header.take(usize::try_from(self.packed).unwrap_or(usize::MAX), outside)?;
        if deflated {
            return packed::expand(place, packed, self.size, self.checksum).map(Cow::Owned);
        }
        if self.packed != self.size {
            let given = format!("{} and {} bytes", self.packed, self.size);
            return wrong(ErrorKind::Parse, place, "one size, packed or not", given);
        }
        packed::check(place, packed, self.checksum)?;
        Ok(Cow::Borrowed(packed))
    }
}

const METHODS: &str = "an entry that is stored or deflated, as NumPy writes it";

/// `size` bytes from `start`; `None` where there are fewer.
fn slice(bytes: &[u8], start: u64, size: u64) -> Option<&[u8]> {
    let from = bytes.get(usize::try_from(start).ok()?..)?;
    from.get(..usize::try_from(size).ok()?)
}
