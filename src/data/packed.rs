//! Compressed bytes: deflate (RFC 1951) and gzip (RFC 1952), with the feature `deflate`.

use super::bytes::{Bytes, wrong};
use crate::checksum::Checksum;
use crate::error::{ErrorKind, Result};
use alloc::{borrow::Cow, format, vec::Vec};

/// What errors name where compressed bytes are met without the feature.
pub(super) const FEATURE: &str = "the feature `deflate` of chainrule";

/// `bytes` themselves, or what they hold where they are a gzip file.
pub(super) fn plain<'a>(place: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(b"\x1f\x8b") {
        return Ok(Cow::Borrowed(bytes));
    }
    if cfg!(not(feature = "deflate")) {
        let expected = format!("bytes that are not compressed (unpack them with gzip -d, or enable {FEATURE})");
        return wrong(ErrorKind::Parse, place, expected, "a gzip file");
    }
    gunzip(place, bytes).map(Cow::Owned)
}

/// The one member of a gzip file. It allocates no more than twice what the data really are, and no
/// more than the length that the file ends with.
fn gunzip(place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let header = "a gzip file, which starts with a header";
    let mut rest = Bytes::new(place, bytes);
    let [_, _, method, flags] = rest.array(header)?;
    if method != 8 || flags & 0xe0 != 0 {
        let given = format!("method {method} and flags {flags:#04x}");
        return wrong(ErrorKind::Parse, place, "a gzip file of deflated data, method 8", given);
    }
    rest.take(6, header)?; // time, hints, system
    if flags & 4 != 0 {
        let extra = rest.u16(header)?;
        rest.take(extra, header)?;
    }
    // A name and a comment, each with a 0 at its end.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let len = rest.rest().iter().take_while(|byte| **byte != 0).count();
            rest.take(len + 1, header)?;
        }
    }
    if flags & 2 != 0 {
        rest.take(2, header)?; // the checksum of the header
    }
    let body = rest.rest();
    let packed = rest.take(body.len().saturating_sub(8), header)?;
    let checksum = rest.u32("the checksum of a gzip file")?;
    let size = rest.u32("the length of a gzip file")?;
    expand(place, packed, size.into(), checksum)
}

/// The `size` bytes of this checksum that `packed` is the deflated form of. What is claimed bounds
/// the memory that is taken, and is not believed: the buffer grows with the data.
pub(super) fn expand(place: &str, packed: &[u8], size: u64, checksum: u32) -> Result<Vec<u8>> {
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    match inflate(packed, limit) {
        Some(data) if data.len() as u64 == size => {
            check(place, &data, checksum)?;
            Ok(data)
        }
        _ => {
            let expected = format!("deflated data of {size} bytes");
            wrong(ErrorKind::Parse, place, expected, "damaged data, or more or fewer")
        }
    }
}

/// All that `packed` stands for; `None` where it is damaged, ends early or late, or is more than
/// `limit` bytes.
#[cfg(feature = "deflate")]
fn inflate(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    use miniz_oxide::inflate::TINFLStatus;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

    let mut decoder = alloc::boxed::Box::<DecompressorOxide>::default();
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    // One byte more than the limit tells what is too long.
    let limit = limit.checked_add(1)?;
    let mut data = Vec::new();
    let mut read = 0;
    let mut written = 0;
    loop {
        let len = (2 * data.len()).max(2 * packed.len()).max(1024).min(limit);
        data.try_reserve_exact(len - data.len()).ok()?;
        data.resize(len, 0);
        let (status, taken, given) = decompress(&mut decoder, &packed[read..], &mut data, written, flags);
        read += taken;
        written += given;
        match status {
            TINFLStatus::Done if read == packed.len() => {
                data.truncate(written);
                return Some(data);
            }
            TINFLStatus::HasMoreOutput if len < limit => {}
            _ => return None,
        }
    }
}

#[cfg(not(feature = "deflate"))]
fn inflate(_: &[u8], _: usize) -> Option<Vec<u8>> {
    None
}

/// `data` must have this checksum.
pub(super) fn check(place: &str, data: &[u8], checksum: u32) -> Result<()> {
    match crc32(data) {
        found if found == checksum => Ok(()),
        found => wrong(ErrorKind::Parse, place, format!("data of checksum {checksum:08x}"), format!("{found:08x}")),
    }
}

/// The checksum of ZIP and gzip.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = Checksum::crc32();
    sum.add(bytes);
    sum.value() as u32
}
