//! What has nothing to do with numbers or networks: files, clocks, checksums, tables of text,
//! tasks on threads.

pub(crate) mod checksum;
pub(crate) mod clock;
pub(crate) mod divide;
#[cfg(feature = "std")]
pub(crate) mod file;
#[cfg(feature = "serde")]
pub(crate) mod serde;
pub(crate) mod table;
