//! Compressed bytes: deflate (RFC 1951) and gzip (RFC 1952), with the feature `deflate`.

use super::bytes::{Bytes, wrong};
use crate::error::{ErrorKind, Result};
use crate::ground::checksum::Checksum;
use alloc::{borrow::Cow, format, vec::Vec};

/// What errors name where compressed bytes are met without the feature.
pub(super) const FEATURE: &str = "the feature `deflate` of chainrule";

/// `bytes` themselves, or what they hold where they are a gzip file.
pub(super) fn plain<'a>(place: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(b"\x1f\x8b") {
        return Ok(Cow::Borrowed(bytes));
    }
    if cfg!(not(feature = "deflate")) {
        let expected = format!(
            "bytes that are not compressed (unpack them with gzip -d, or enable {FEATURE})"
        );
        return wrong(ErrorKind::Parse, place, expected, "a gzip file");
    }
    gunzip(place, bytes).map(Cow::Owned)
}

/// The members of a gzip file, one after the other (RFC 1952, §2.2). It takes memory as the data
/// grow, whatever the file claims.
fn gunzip(place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut rest = bytes;
    loop {
        rest = member(place, rest, &mut data)?;
        if rest.is_empty() {
            return Ok(data);
        }
        if !rest.starts_with(b"\x1f\x8b") {
            let expected = "the end of a gzip file, or another of its members";
            return wrong(
                ErrorKind::Parse,
                place,
                expected,
                format!("{} bytes that are neither", rest.len()),
            );
        }
    }
}

/// Appends what the first member of a gzip file holds to `data`, and returns what follows it.
fn member<'a>(place: &str, bytes: &'a [u8], data: &mut Vec<u8>) -> Result<&'a [u8]> {
    let header = "a gzip file, which starts with a header";
    let mut rest = Bytes::new(place, bytes);
    let [_, _, method, flags] = rest.array(header)?;
    if method != 8 || flags & 0xe0 != 0 {
        let given = format!("method {method} and flags {flags:#04x}");
        return wrong(
            ErrorKind::Parse,
            place,
            "a gzip file of deflated data, method 8",
            given,
        );
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
    let start = data.len();
    let Some(packed) = inflate(rest.rest(), data, usize::MAX) else {
        return wrong(
            ErrorKind::Parse,
            place,
            "deflated data up to their end",
            "damaged data, or a part of them",
        );
    };
    rest.take(packed, header)?;
    let checksum = rest.u32("the checksum of a gzip file")?;
    let size = rest.u32("the length of a gzip file")?;
    let data = &data[start..];
    // The length is kept modulo 2³².
    if data.len() as u32 != size {
        return wrong_size(place, size.into());
    }
    check(place, data, checksum)?;
    Ok(rest.rest())
}

/// The `size` bytes of this checksum that `packed` is the deflated form of. What is claimed bounds
/// the memory that is taken, and is not believed: the buffer grows with the data.
pub(super) fn expand(place: &str, packed: &[u8], size: u64, checksum: u32) -> Result<Vec<u8>> {
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    let mut data = Vec::new();
    match inflate(packed, &mut data, limit) {
        Some(read) if read == packed.len() && data.len() as u64 == size => {
            check(place, &data, checksum)?;
            Ok(data)
        }
        _ => wrong_size(place, size),
    }
}

/// The error of data that are not of the size that their file claims.
fn wrong_size<R>(place: &str, size: u64) -> Result<R> {
    wrong(
        ErrorKind::Parse,
        place,
        format!("deflated data of {size} bytes"),
        "damaged data, or more or fewer",
    )
}

/// Appends what the front of `packed` stands for to `data`, and returns how many bytes that front
/// has; `None` where it is damaged, has no end, or stands for more than `limit` bytes.
#[cfg(feature = "deflate")]
fn inflate(packed: &[u8], data: &mut Vec<u8>, limit: usize) -> Option<usize> {
    use miniz_oxide::inflate::TINFLStatus;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

    let mut decoder = alloc::boxed::Box::<DecompressorOxide>::default();
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    // One byte more than the limit tells what is too long.
    let limit = limit.saturating_add(1);
    let start = data.len();
    let mut read = 0;
    let mut written = 0;
    loop {
        let len = (2 * written).max(1024).min(limit);
        if data.capacity() - start < len {
            // Of many small members each would else move all that came before it.
            let room = len.max(data.capacity()).min(limit);
            data.try_reserve_exact(start + room - data.len()).ok()?;
        }
        data.resize(start + len, 0);
        let (status, taken, given) = decompress(
            &mut decoder,
            &packed[read..],
            &mut data[start..],
            written,
            flags,
        );
        read += taken;
        written += given;
        match status {
            TINFLStatus::Done => {
                data.truncate(start + written);
                return (written < limit).then_some(read);
            }
            TINFLStatus::HasMoreOutput if len < limit => {}
            _ => return None,
        }
    }
}

#[cfg(not(feature = "deflate"))]
fn inflate(_: &[u8], _: &mut Vec<u8>, _: usize) -> Option<usize> {
    None
}

/// `data` must have this checksum.
pub(super) fn check(place: &str, data: &[u8], checksum: u32) -> Result<()> {
    match crc32(data) {
        found if found == checksum => Ok(()),
        found => wrong(
            ErrorKind::Parse,
            place,
            format!("data of checksum {checksum:08x}"),
            format!("{found:08x}"),
        ),
    }
}

/// The checksum of ZIP and gzip.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = Checksum::crc32();
    sum.add(bytes);
    sum.value() as u32
}
