//! The long history of a checkpoint: a file beside it, to which epochs are appended, so that a save
//! costs the same after many.
//!
//! A checkpoint holds its latest epochs itself, and of the file beside it the name, the length and
//! the checksum. So whatever is behind that length is not yet, or no longer, part of it. Who
//! appends holds a lock on the file for as long as his trainer lives; nobody else appends to it
//! then, nor removes it.

use super::epoch::Epoch;
use super::record::{Reader, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::checksum::Checksum;
use crate::ground::file;
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::cell::RefCell;
use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// As many epochs a checkpoint holds itself before they go to the file beside it.
pub(super) const INLINE: usize = 256;

/// How the names of such files end, behind the beginning of the checkpoint's and a number of their
/// own.
const ENDING: &str = ".history";

/// The first epochs of a history as a checkpoint names them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// The name of the file, in the folder of the checkpoint.
    name: String,
    /// How many epochs it holds, in how many bytes, and their checksum.
    epochs: usize,
    bytes: u64,
    checksum: u64,
}

impl Part {
    pub(super) fn write(&self, record: &mut Writer) {
        record.text(&self.name);
        record.count(self.epochs);
        record.u64(self.bytes);
        record.u64(self.checksum);
    }

    pub(super) fn read(record: &mut Reader<'_>) -> Result<Self> {
        let part = Self {
            name: record.text()?,
            epochs: record.count()?,
            bytes: record.u64()?,
            checksum: record.u64()?,
        };
        if Self::number(&part.name).is_none() {
            return Err(record.error(
                format!("the name of a file, a number and {ENDING}"),
                format!("{:?}", part.name),
            ));
        }
        Ok(part)
    }

    /// What stands before the number of a name; `None` of a name that is no such name, or leads to
    /// another folder.
    fn number(name: &str) -> Option<&str> {
        let (stem, number) = name.strip_suffix(ENDING)?.rsplit_once('.')?;
        (file::is_unique(number) && Path::new(name).file_name().is_some_and(|last| last == name))
            .then_some(stem)
    }

    /// Whether the file was made for this checkpoint, and not for one that was copied or renamed to
    /// it.
    fn is_of(&self, checkpoint: &Path) -> bool {
        Self::number(&self.name) == Some(&file::shortened(checkpoint))
    }

    fn path(&self, checkpoint: &Path) -> PathBuf {
        file::folder(checkpoint).join(&self.name)
    }

    /// Removes the file, when `checkpoint` has just been replaced by one without it. It stays if
    /// somebody lives who appends to it or has named it again, or if it has grown since, for a copy
    /// of the checkpoint.
    pub(super) fn remove(&self, checkpoint: &Path, named: impl FnOnce() -> Option<Self>) {
        let path = self.path(checkpoint);
        if self.is_of(checkpoint) {
            let as_long = || fs::metadata(&path).is_ok_and(|data| data.len() == self.bytes);
            file::remove_if(&path, || {
                as_long() && named().is_none_or(|other| other.name != self.name)
            });
        }
    }
}

/// What a trainer knows of the file beside its checkpoint.
pub(super) struct Log {
    /// The checkpoint, behind all links.
    checkpoint: PathBuf,
    /// What the file holds; `None` as long as there is none.
    part: Option<Part>,
    /// The checksum, to be continued.
    sum: Checksum,
    /// The file, open and locked, once it has been written to here.
    file: Option<File>,
    /// Whether what killed processes left has been looked for.
    pub(super) swept: bool,
}

impl Log {
    /// Of a checkpoint that has no file beside it.
    pub(super) fn new(checkpoint: &Path) -> Self {
        Self {
            checkpoint: checkpoint.to_owned(),
            part: None,
            sum: Checksum::crc64(),
            file: None,
            swept: false,
        }
    }

    /// Reads the epochs that a checkpoint names.
    pub(super) fn read(checkpoint: &Path, part: Part) -> Result<(Self, Vec<Epoch>)> {
        let path = part.path(checkpoint);
        let place = path.display().to_string();
        if let Err(e) = fs::metadata(&path)
            && e.kind() == io::ErrorKind::NotFound
        {
            let expected = "the long history of a checkpoint, which lies beside it (copy both, or \
                save once more to another path)";
            return Err(Error::new(ErrorKind::Io, place, expected, &e).with_source(e));
        }
        let (mut file, len) = file::open(&path)?;
        if len < part.bytes {
            let expected = format!("at least {} bytes", part.bytes);
            return Err(Error::new(
                ErrorKind::Parse,
                place,
                expected,
                format!("{len} bytes: it was cut off, or damaged"),
            ));
        }
        let bytes = file::take(&path, &mut file, part.bytes)?;
        let mut sum = Checksum::crc64();
        sum.add(&bytes);
        if sum.value() != part.checksum {
            return Err(Error::new(
                ErrorKind::Parse,
                place,
                "bytes that go with the checksum in the checkpoint",
                "others: it is damaged",
            ));
        }
        let mut record = Reader::plain(&place, &bytes);
        let epochs = (0..part.epochs)
            .map(|_| read_epoch(&mut record))
            .collect::<Result<_>>()?;
        record.finish()?;
        Ok((
            Self {
                part: Some(part),
                sum,
                ..Self::new(checkpoint)
            },
            epochs,
        ))
    }

    pub(super) fn is_of(&self, checkpoint: &Path) -> bool {
        self.checkpoint == checkpoint
    }

    /// What the checkpoint must name.
    pub(super) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    /// Whether `part` is of this file.
    pub(super) fn is_named(&self, part: &Part) -> bool {
        self.part
            .as_ref()
            .is_some_and(|mine| mine.name == part.name)
    }

    /// How many epochs the file holds.
    pub(super) fn epochs(&self) -> usize {
        self.part.as_ref().map_or(0, |part| part.epochs)
    }

    /// Takes hold of the file, of which the checkpoint names `named`. Forgets it when another
    /// process has it, when it was made for another checkpoint, or when it is not as the checkpoint
    /// says.
    pub(super) fn hold(&mut self, named: Option<&Part>) {
        let Some(part) = &self.part else { return };
        let path = part.path(&self.checkpoint);
        let length = || {
            fs::symlink_metadata(&path)
                .ok()
                .filter(|data| data.is_file())
                .map(|data| data.len())
        };
        if self.file.is_none() && named == Some(part) && part.is_of(&self.checkpoint) {
            let opened = OpenOptions::new().write(true).open(&path).ok();
            // It may have grown for another checkpoint, of which this one is an older copy.
            self.file =
                opened.filter(|file| file.try_lock().is_ok() && length() == Some(part.bytes));
        }
        if self.file.is_none() || length().is_none_or(|length| length < part.bytes) {
            *self = Self {
                swept: self.swept,
                ..Self::new(&self.checkpoint)
            };
        }
    }

    /// Appends what the file has not of these epochs, the whole history, and brings it to the disk;
    /// makes the file if there is none. Until the checkpoint names them it changes nothing.
    pub(super) fn append(&mut self, epochs: &[Epoch], mode: u32) -> Result<()> {
        let mut record = Writer::plain();
        for epoch in &epochs[self.epochs()..] {
            write_epoch(&mut record, epoch);
        }
        let added = record.into_bytes();
        let mut name = self
            .part
            .as_ref()
            .map(|part| part.name.clone())
            .unwrap_or_default();
        let written = self.write(&added, &mut name, mode);
        written.map_err(|e| {
            file::error(
                &file::folder(&self.checkpoint).join(&name),
                "to be written",
                e,
            )
        })?;
        self.sum.add(&added);
        let bytes = self.part.as_ref().map_or(0, |part| part.bytes) + added.len() as u64;
        self.part = Some(Part {
            name,
            epochs: epochs.len(),
            bytes,
            checksum: self.sum.value(),
        });
        Ok(())
    }

    fn write(&mut self, added: &[u8], name: &mut String, mode: u32) -> io::Result<()> {
        if let (Some(file), Some(part)) = (&mut self.file, &self.part) {
            // What is behind is of an attempt that failed.
            file.set_len(part.bytes)?;
            file.seek(SeekFrom::Start(part.bytes))?;
            file.write_all(added)?;
            return file.sync_data();
        }
        *name = format!(
            "{}.{}{ENDING}",
            file::shortened(&self.checkpoint),
            file::unique()
        );
        let path = file::folder(&self.checkpoint).join(&name);
        let mut file = file::create_new(&path, mode)?.ok_or(io::ErrorKind::AlreadyExists)?;
        if let Err(e) = file.write_all(added).and_then(|()| file.sync_all()) {
            let _ = fs::remove_file(&path);
            return Err(e);
        }
        file::sync_folder(&path);
        self.file = Some(file);
        Ok(())
    }
}

/// The log of the present history. A copy of a trainer's state has none, because it would write to
/// the same file.
#[derive(Default)]
pub(super) struct Logbook(pub(super) RefCell<Option<Log>>);

impl Clone for Logbook {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Logbook {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Logbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logbook")
    }
}

pub(super) fn write_epoch(record: &mut Writer, epoch: &Epoch) {
    record.count(epoch.epoch);
    record.f64(epoch.cost);
    record.option(epoch.validation_cost, Writer::f64);
    record.list(epoch.metrics.iter(), |record, (name, value)| {
        record.text(name);
        record.f64(*value);
    });
    record.f64(epoch.learning_rate);
    record.f64(epoch.gradient_norm);
    record.option(epoch.seconds, Writer::f64);
}

pub(super) fn read_epoch(record: &mut Reader<'_>) -> Result<Epoch> {
    Ok(Epoch {
        epoch: record.count()?,
        cost: record.f64()?,
        validation_cost: record.option(Reader::f64)?,
        metrics: record.list(|record| Ok((record.text()?, record.f64()?)))?,
        learning_rate: record.f64()?,
        gradient_norm: record.f64()?,
        seconds: record.option(Reader::f64)?,
    })
}
