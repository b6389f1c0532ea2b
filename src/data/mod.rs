//! Data sets, where they come from, mini-batches, and what is done to data before training.

mod array;
mod batch;
mod batches;
mod bytes;
#[cfg(feature = "csv")]
mod csv;
mod dataset;
pub(crate) mod deal;
#[cfg(feature = "csv")]
mod decimal;
mod encoder;
mod foreign;
mod held_out;
mod idx;
mod labels;
mod npy;
mod npz;
mod packed;
pub(crate) mod parts;
mod scaler;
mod table;
mod values;
mod windows;

pub use batch::Batch;
pub use batches::{Batches, EpochBatches};
#[cfg(feature = "csv")]
pub use csv::{Column, Csv, NamedDataset};
pub use dataset::Dataset;
pub(crate) use dataset::Scaled;
pub(crate) use encoder::TargetColumn;
pub use encoder::{Encoder, EncoderBuilder, Encoding, Fill, Scaling};
#[cfg(feature = "onnx")]
pub(crate) use encoder::{Fitted, Index, OneHot, Scaled as ScaledNumbers, Unknown, Words};
#[cfg(feature = "safetensors")]
pub(crate) use foreign::foreign;
pub use held_out::{HeldOut, Rows};
pub use idx::read_idx;
#[cfg(feature = "std")]
pub use idx::read_idx_file;
pub(crate) use labels::class_of;
pub use labels::{one_hot, one_hot_ignoring};
#[cfg(feature = "std")]
pub use npy::read_npy_file;
pub use npy::{read_npy, write_npy};
pub use npz::read_npz;
#[cfg(feature = "std")]
pub use npz::read_npz_file;
pub use scaler::Scaler;
pub use table::Table;
pub use windows::{WindowedDataset, Windows};

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use crate::numeric::view::{View, check_each, shape};

/// There must be a sample and a feature, and every number must be finite.
fn check_finite<T: Real>(place: &str, x: View<'_, T>) -> Result<()> {
    if x.rows() == 0 || x.cols() == 0 {
        let given = shape(x.shape());
        return Err(Error::new(
            ErrorKind::Empty,
            place,
            "at least 1 row and 1 column (sample)",
            given,
        ));
    }
    check_each(|| place.into(), x, "a finite number", |v| v.is_finite())
}

/// What `read` makes of the bytes of a regular file; errors name the path.
#[cfg(feature = "std")]
fn from_file<R>(path: &std::path::Path, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    let bytes = crate::ground::file::read(path, u64::MAX)?;
    read(&bytes).map_err(|error| error.within(path.display()))
}
