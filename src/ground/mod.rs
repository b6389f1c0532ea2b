//! What has nothing to do with numbers or networks: files, clocks, checksums.

pub(crate) mod checksum;
pub(crate) mod clock;
#[cfg(feature = "std")]
pub(crate) mod file;
pub(crate) mod table;
