//! Cyclic redundancy checks: whether bytes are still what they were.

/// For every byte of eight, what it adds to the remainder of all.
type Tables = [[u64; 256]; 8];

/// Eight bytes at a time (slicing-by-8, Kounavis & Berry 2008), of a reflected polynomial of up to
/// 64 bits.
const fn tables(polynomial: u64) -> Tables {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            rest = rest >> 1 ^ if rest & 1 == 1 { polynomial } else { 0 };
            bit += 1;
        }
        tables[0][byte] = rest;
        byte += 1;
    }
    let mut place = 1;
    while place < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u64 = tables[place - 1][byte];
            tables[place][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        place += 1;
    }
    tables
}

/// CRC-32/ISO-HDLC (ITU-T V.42), which ZIP and gzip have.
static CRC_32: Tables = tables(0xedb8_8320);
/// CRC-64/XZ (ECMA-182).
#[cfg(feature = "std")]
static CRC_64: Tables = tables(0xc96c_5795_d787_0f42);

/// A checksum of bytes that come one part after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum {
    tables: &'static Tables,
    /// All ones in the width of the checksum: what the remainder starts with, and what turns its
    /// bits at the end.
    ones: u64,
    rest: u64,
}

impl Checksum {
    pub(crate) fn crc32() -> Self {
        Self {
            tables: &CRC_32,
            ones: u64::from(u32::MAX),
            rest: u64::from(u32::MAX),
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn crc64() -> Self {
        Self {
            tables: &CRC_64,
            ones: u64::MAX,
            rest: u64::MAX,
        }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let (eights, bytes) = bytes.as_chunks::<8>();
        for eight in eights {
            let sum = (self.rest ^ u64::from_le_bytes(*eight)).to_le_bytes();
            // The first byte has seven behind it.
            self.rest = sum
                .iter()
                .zip(self.tables.iter().rev())
                .fold(0, |rest, (byte, table)| rest ^ table[usize::from(*byte)]);
        }
        for byte in bytes {
            self.rest = self.tables[0][usize::from(self.rest as u8 ^ byte)] ^ self.rest >> 8;
        }
    }

    /// The checksum of all so far.
    pub(crate) fn value(&self) -> u64 {
        self.rest ^ self.ones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the RevEng catalog, however the bytes are cut.
    #[test]
    fn checksums_are_those_of_their_catalog() {
        let text = b"123456789";
        for cut in 0..=text.len() {
            for (mut sum, expected) in [
                (Checksum::crc32(), 0xcbf4_3926),
                (Checksum::crc64(), 0x995d_c9bb_df19_39fa),
            ] {
                sum.add(&text[..cut]);
                sum.add(&text[cut..]);
                assert_eq!(sum.value(), expected, "cut at {cut}");
            }
        }
    }
}
