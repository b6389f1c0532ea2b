//! Files that are there whole or not at all.

use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec::Vec};
use std::collections::hash_map::RandomState;
use std::fs::{self, File, FileType, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

const READABLE: &str = "a file that can be read";
const WRITABLE: &str = "to be written";

/// What the system said about the file at `path`.
pub(crate) fn error(path: &Path, expected: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, path.display().to_string(), expected, &error).with_source(error)
}

/// A regular file to be read, and its length. Everything else is refused: a device has no end, and
/// a FIFO may have no writer.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e: io::Error| error(path, READABLE, e);
    let regular = |data: Metadata| {
        let expected = "a regular file (read anything else yourself, and hand on its bytes)";
        if data.is_file() {
            Ok(data.len())
        } else {
            Err(refused(path, expected, data.file_type()))
        }
    };
    // A FIFO is not even opened: that would wait for its writer.
    regular(fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let len = regular(file.metadata().map_err(failed)?)?;
    Ok((file, len))
}

/// The bytes of a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (mut file, len) = open(path)?;
    if len > most {
        return Err(Error::new(
            ErrorKind::Parse,
            path.display().to_string(),
            format!("a file of at most {most} bytes"),
            len,
        ));
    }
    take(path, &mut file, len)
}

/// The next `len` bytes of an open file, or what it has left.
pub(crate) fn take(path: &Path, file: &mut File, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let room = usize::try_from(len)
        .ok()
        .and_then(|len| bytes.try_reserve_exact(len).ok());
    if room.is_none() {
        return Err(Error::new(
            ErrorKind::Io,
            path.display().to_string(),
            "a file that fits into memory",
            format!("{len} bytes"),
        ));
    }
    file.take(len)
        .read_to_end(&mut bytes)
        .map_err(|e| error(path, READABLE, e))?;
    Ok(bytes)
}

/// Writes a file so that, whatever happens, the old or the new one is there.
#[cfg(any(feature = "onnx", feature = "plot", feature = "safetensors"))]
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = Target::of(path)?;
    target.sweep();
    target.replace(bytes)
}

/// A regular file, or the place for one.
pub(crate) struct Target {
    /// The path as it was given.
    given: PathBuf,
    /// Where it leads: symbolic links stay, and what they point to is replaced.
    path: PathBuf,
    /// What is there now.
    #[cfg(unix)]
    old: Option<Metadata>,
}

/// Names of files that are being written have these between the name of what they become and a
/// number of their own, and end so.
const WRITING: &str = ".chainrule-";
const UNFINISHED: &str = ".tmp";

impl Target {
    /// Where a path leads.
    pub(crate) fn of(given: &Path) -> Result<Self> {
        if given.file_name().is_none() {
            return Err(Error::new(
                ErrorKind::Io,
                given.display().to_string(),
                "the path of a file",
                "no file name",
            ));
        }
        let old = match fs::metadata(given) {
            Ok(old) if old.is_file() => Some(old),
            Ok(other) => {
                let expected = "a regular file to replace, or none yet (write the bytes to \
                    anything else yourself)";
                return Err(refused(given, expected, other.file_type()));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(error(given, WRITABLE, e)),
        };
        let path = behind_links(given).map_err(|e| error(given, WRITABLE, e))?;
        #[cfg(not(unix))]
        let _ = old;
        Ok(Self {
            given: given.into(),
            path,
            #[cfg(unix)]
            old,
        })
    }

    /// The path of the file itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The mode of a file that belongs to it, before the system takes away what it takes from all.
    pub(crate) fn mode_beside(&self) -> u32 {
        #[cfg(unix)]
        let mode = self.old.as_ref().map_or(0o666, |old| old.mode() & 0o666);
        #[cfg(not(unix))]
        let mode = 0o666;
        mode
    }

    /// Puts a file with these bytes in the place of what is there: writes it beside, brings it to
    /// the disk, and renames it. It gets the old file's mode, or the mode of any new file; until
    /// then only its writer may read it.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<()> {
        let written = (|| {
            #[cfg(unix)]
            let mode = self.mode()?;
            let (beside, mut file) = self.create(0o600)?;
            let renamed = (|| {
                file.write_all(bytes)?;
                #[cfg(unix)]
                self.hand_over(&file, mode)?;
                file.sync_all()?;
                fs::rename(&beside, &self.path)
            })();
            if renamed.is_err() {
                // What is left of it is of no use, and its own error of no interest.
                let _ = fs::remove_file(&beside);
            }
            renamed
        })();
        written.map_err(|e| error(&self.given, WRITABLE, e))?;
        sync_folder(&self.path);
        Ok(())
    }

    /// Removes what killed processes left of their attempts to write this file. Who still writes
    /// has locked what he writes to.
    pub(crate) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(folder(&self.path)) else {
            return;
        };
        let prefix = self.prefix();
        let unfinished = |name: &str| {
            let number = name
                .strip_prefix(&prefix)
                .and_then(|rest| rest.strip_suffix(UNFINISHED));
            number.is_some_and(is_unique)
        };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(unfinished)
                && entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                remove_if(&entry.path(), || true);
            }
        }
    }

    fn prefix(&self) -> String {
        format!(".{}{WRITING}", shortened(&self.path))
    }

    /// A new file beside the target, locked for as long as it is open.
    fn create(&self, mode: u32) -> io::Result<(PathBuf, File)> {
        let prefix = self.prefix();
        for _ in 0..100 {
            let path = folder(&self.path).join(format!("{prefix}{}{UNFINISHED}", unique()));
            // What is there already, a link among others, is not opened but passed over.
            match create_new(&path, mode) {
                Ok(Some(file)) => return Ok((path, file)),
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The mode of the old file, or what the system gives a new one here.
    #[cfg(unix)]
    fn mode(&self) -> io::Result<u32> {
        if let Some(old) = &self.old {
            return Ok(old.mode() & 0o7777);
        }
        let (path, file) = self.create(0o666)?;
        let mode = file.metadata().map(|new| new.mode() & 0o7777);
        fs::remove_file(path)?;
        mode
    }

    /// Gives a new file the mode and, as far as that is allowed, the owner and the group of the old
    /// one.
    #[cfg(unix)]
    fn hand_over(&self, file: &File, mut mode: u32) -> io::Result<()> {
        let new = file.metadata()?;
        if let Some(old) = self
            .old
            .as_ref()
            .filter(|old| (old.uid(), old.gid()) != (new.uid(), new.gid()))
            && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
        {
            mode &= 0o777;
            if old.gid() != new.gid() && fchown(file, None, Some(old.gid())).is_err() {
                // Its group is another one now, which has no more rights than anybody.
                mode = mode & !0o070 | (mode & 0o007) << 3;
            }
        }
        // Some file systems have one mode only.
        if mode == new.mode() & 0o7777 {
            Ok(())
        } else {
            file.set_permissions(fs::Permissions::from_mode(mode))
        }
    }
}

/// Brings the name of a file to the disk, as far as its folder lets anybody: the file is there
/// already.
pub(crate) fn sync_folder(path: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    }
}

/// A new file, locked where the file system has locks; `None` where one who sweeps was quicker than
/// the lock.
pub(crate) fn create_new(path: &Path, mode: u32) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(mode);
    let _ = mode;
    let file = options.open(path)?;
    Ok(is_mine(path, &file).then_some(file))
}

/// Locks an open file; false where another process has it, or has removed it before it was locked.
pub(crate) fn is_mine(path: &Path, file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && fs::symlink_metadata(path).is_ok()
}

/// Removes a file if nobody has locked it and `garbage` then says so. Its name must be one that is
/// never used again.
pub(crate) fn remove_if(path: &Path, garbage: impl FnOnce() -> bool) {
    if let Ok(file) = File::open(path)
        && file.try_lock().is_ok()
        && garbage()
    {
        // If it cannot be, it stays.
        let _ = fs::remove_file(path);
    }
}

/// A number that nobody has had: sixteen digits.
pub(crate) fn unique() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Whether a text is such a number.
pub(crate) fn is_unique(text: &str) -> bool {
    text.len() == 16
        && text
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// The beginning of a file's name, so that there is room for more behind it: file systems take 255
/// bytes, some 143.
pub(crate) fn shortened(path: &Path) -> String {
    let mut name = String::new();
    for c in path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
    {
        if name.len() + c.len_utf8() > 80 {
            break;
        }
        name.push(c);
    }
    name
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Where a path leads when each link in its last part is followed, also to what is not there.
pub(crate) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = PathBuf::from(path);
    // As many as Linux follows.
    for _ in 0..40 {
        if !fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink()) {
            return Ok(path);
        }
        path = folder(&path).join(fs::read_link(&path)?);
    }
    Err(io::Error::other(
        "too many symbolic links, one behind the other",
    ))
}

/// The error of a path that leads to something other than a regular file.
fn refused(path: &Path, expected: &str, kind: FileType) -> Error {
    let kinds = [
        (kind.is_dir(), "a folder"),
        #[cfg(unix)]
        (kind.is_char_device() || kind.is_block_device(), "a device"),
        #[cfg(unix)]
        (kind.is_fifo(), "a FIFO"),
        #[cfg(unix)]
        (kind.is_socket(), "a socket"),
    ];
    let given = kinds
        .into_iter()
        .find(|(is, _)| *is)
        .map_or("something else", |(_, name)| name);
    Error::new(ErrorKind::Io, path.display().to_string(), expected, given)
}
