//! The format of MNIST.

use super::array::{Array, Element};
use super::bytes::{Bytes, wrong};
use super::foreign::foreign;
use super::packed;
use crate::error::{ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::{format, vec::Vec};
use nalgebra::DMatrix;

/// Returns the array in a file in the IDX format, in which
/// [MNIST](http://yann.lecun.com/exdb/mnist/) came (its page defines it). The entries of the first
/// axis become columns, the other axes are flattened. A file of 60 000 images of 28 × 28 pixels
/// gives 784 × 60 000, row after row of an image; one of labels gives 1 × 60 000. Numbers of all
/// six types become the nearest `T`.
///
/// Nothing is allocated before the data are found to be as many as the header says. With the
/// feature `deflate` the file may be gzipped, as MNIST's are.
///
/// # Errors
/// [`ErrorKind::Parse`] if the bytes are another file, [`ErrorKind::Shape`] if there are fewer or
/// more data than the header says.
///
/// ```
/// use chainrule::one_hot;
/// use chainrule::data::read_idx;
///
/// // 2 images of 2 × 1 bytes
/// let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 255, 0, 0, 51];
/// let x = read_idx::<f32>(&images)? / 255.0;
/// assert_eq!((x.nrows(), x.column(1).as_slice()), (2, &[0.0, 0.2][..]));
///
/// let labels = [0, 0, 8, 1, 0, 0, 0, 2, 1, 0];
/// let labels: Vec<usize> = read_idx::<f32>(&labels)?
///     .iter()
///     .map(|label| *label as usize)
///     .collect();
/// assert_eq!(one_hot::<f32>(&labels, 2)?.as_slice(), [0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("MNIST"))]
pub fn read_idx<T: Real>(bytes: &[u8]) -> Result<DMatrix<T>> {
    let place = "read_idx";
    let bytes = packed::plain(place, bytes)?;
    if let Some((other, next)) = foreign(&bytes) {
        let expected = format!("an IDX file, which starts with two bytes of 0 ({next})");
        return wrong(ErrorKind::Parse, place, expected, other);
    }
    let mut bytes = Bytes::new(place, &bytes);
    let [zero, null, code, axes] = bytes.array("an IDX file, which starts with 4 bytes")?;
    let element = match code {
        0x08 => Element::U8,
        0x09 => Element::I8,
        0x0b => Element::I16,
        0x0c => Element::I32,
        0x0d => Element::F32,
        0x0e => Element::F64,
        _ => {
            return wrong(
                ErrorKind::Parse,
                place,
                "a type of number 8, 9, 11, 12, 13 or 14 in byte 2",
                code,
            );
        }
    };
    if (zero, null) != (0, 0) || axes == 0 {
        let given = format!("{:?}", [zero, null, code, axes]);
        return wrong(
            ErrorKind::Parse,
            place,
            "an IDX file, which starts with 0, 0, the type and at least 1 axis",
            given,
        );
    }
    let mut shape = Vec::with_capacity(axes.into());
    for _ in 0..axes {
        let size = u32::from_be_bytes(bytes.array(&format!("the sizes of {axes} axes"))?);
        shape.push(usize::try_from(size).unwrap_or(usize::MAX));
    }
    Array {
        element,
        big_endian: true,
        fortran: false,
        shape,
    }
    .matrix(place, bytes.rest())
}

/// Returns what [`read_idx`] makes of a regular file.
///
/// # Errors
/// As [`read_idx`], with the path before the place; [`ErrorKind::Io`] for what is no regular file.
///
/// ```no_run
/// use chainrule::data::read_idx_file;
/// let images = read_idx_file::<f32>("train-images-idx3-ubyte")? / 255.0;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn read_idx_file<T: Real>(path: impl AsRef<std::path::Path>) -> Result<DMatrix<T>> {
    super::from_file(path.as_ref(), |bytes| read_idx(bytes))
}
