//! Pixels as a PNG file (ISO/IEC 15948).

use crate::ground::checksum::Checksum;
use miniz_oxide::deflate::compress_to_vec_zlib;

/// The bytes of a file of 24 bit a pixel, from red, green and blue, row after row.
pub(super) fn encode(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    /// What the difference from the row above is called.
    const UP: u8 = 2;
    let above = vec![0; 3 * width as usize];
    let (mut above, mut rows) = (&above[..], Vec::with_capacity(rgb.len() + height as usize));
    for row in rgb.chunks_exact(above.len()) {
        rows.push(UP);
        rows.extend(
            row.iter()
                .zip(above)
                .map(|(new, old)| new.wrapping_sub(*old)),
        );
        above = row;
    }

    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // 8 bit a channel, red, green and blue; deflated, filtered, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &compress_to_vec_zlib(&rows, 6));
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
