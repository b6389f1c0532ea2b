//! Files that are there whole or not at all.

use crate::error::{Error, ErrorKind, Result};
use alloc::{format, vec::Vec};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

fn error(path: &Path, expected: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, path.display().to_string(), expected, &error).with_source(error)
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| error(path, READABLE, e))
}

/// A file to be read, and its length.
#[cfg(feature = "safetensors")]
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|data| (file, data.len())));
    opened.map_err(|e| error(path, READABLE, e))
}

const READABLE: &str = "a file that can be read";

/// Writes a file so that, whatever happens, the old or the new one is there: to a file beside it, which takes its place once it
/// is on the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(Error::new(ErrorKind::Io, path.display().to_string(), "the path of a file", "no file name"));
    };
    // Always the same name, so that what a killed process leaves behind is overwritten.
    let beside = path.with_file_name(format!(".{}.tmp", name.to_string_lossy()));
    let written = (|| {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    })();
    written.map_err(|e| {
        // What is left of it is of no use, and its own error of no interest.
        let _ = fs::remove_file(&beside);
        error(path, "to be written", e)
    })
}

/// The new name is on the disk only when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.map_or_else(|| PathBuf::from("."), PathBuf::from))?.sync_all()?;
    }
    Ok(())
}
