//! Pixels as a PNG file (ISO/IEC 15948).

use super::shape::Rgb;
use crate::ground::checksum::Checksum;
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::collections::BTreeSet;

/// The bytes of a file of 24 bit a pixel, from red, green and blue, row after row.
pub(super) fn encode(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    file(
        (width, height),
        TRUE_COLOR,
        None,
        &filtered(rgb, 3 * width as usize),
    )
}

/// The bytes of a file of a list of colors and a byte a pixel, which is smaller; `None` when there
/// are more than 256 colors.
pub(super) fn encode_indexed(width: u32, height: u32, colors: &[Rgb]) -> Option<Vec<u8>> {
    // In order, so that neighbors in a map of colors are neighbors here, and differences small.
    let palette: BTreeSet<Rgb> = colors.iter().copied().collect();
    if palette.len() > 256 {
        return None;
    }
    let palette: Vec<Rgb> = palette.into_iter().collect();
    let index = |color: &Rgb| palette.partition_point(|known| known < color) as u8;
    let pixels: Vec<u8> = colors.iter().map(index).collect();
    let rows = filtered(&pixels, width as usize);
    Some(file(
        (width, height),
        INDEXED,
        Some(palette.as_flattened()),
        &rows,
    ))
}

/// What the kinds of pixels are called.
const TRUE_COLOR: u8 = 2;
const INDEXED: u8 = 3;

/// Each row of so many bytes as its difference from the row above.
fn filtered(bytes: &[u8], row: usize) -> Vec<u8> {
    /// What this difference is called.
    const UP: u8 = 2;
    let above = vec![0; row];
    let (mut above, mut rows) = (
        &above[..],
        Vec::with_capacity(bytes.len() + bytes.len() / row),
    );
    for row in bytes.chunks_exact(row) {
        rows.push(UP);
        rows.extend(
            row.iter()
                .zip(above)
                .map(|(new, old)| new.wrapping_sub(*old)),
        );
        above = row;
    }
    rows
}

fn file((width, height): (u32, u32), kind: u8, palette: Option<&[u8]>, rows: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // 8 bit a channel or an index; deflated, filtered, not interlaced.
    header.extend([8, kind, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &header);
    if let Some(palette) = palette {
        chunk(&mut file, b"PLTE", palette);
    }
    chunk(&mut file, b"IDAT", &compress_to_vec_zlib(rows, 6));
    chunk(&mut file, b"IEND", &[]);
    file
}

/// Appends a part of a file: its length, its kind, its data, and the checksum of both.
fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut sum = Checksum::crc32();
    sum.add(kind);
    sum.add(data);
    // A picture is no larger than 8192 × 8192 pixels, some 200 MB.
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend((sum.value() as u32).to_be_bytes());
}
