//! NumPy's format of an array.

use super::array::{Array, Element};
use super::bytes::{Bytes, text, wrong};
use super::foreign::foreign;
use super::packed;
use crate::error::{ErrorKind, Result};
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::{format, vec::Vec};
use core::any::TypeId;
use nalgebra::DMatrix;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Returns the array in a file of `np.save` (format versions 1 to 3,
/// [NEP 1](https://numpy.org/neps/nep-0001-npy-format.html)): the entries of the first axis become
/// columns, the other axes are flattened. An array of shape `(samples, features)` gives
/// features × samples, one of shape `(samples,)` gives 1 × samples.
///
/// Floating-point numbers of 2, 4 or 8 bytes, integers of up to 8 bytes and `bool` are read, in
/// either order of bytes and of indices. Each becomes the nearest `T`, rounded once.
///
/// Nothing is allocated before the data are found to be as many as the header says. With the
/// feature `deflate` the file may be gzipped.
///
/// # Errors
/// [`ErrorKind::Parse`] if the bytes are another file or hold another type, [`ErrorKind::Shape`] if
/// there are fewer or more data than the header says.
///
/// ```
/// use chainrule::data::{read_npy, write_npy};
/// use chainrule::nalgebra::DMatrix;
///
/// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(read_npy::<f64>(&write_npy(&x))?, x);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("np.load"))]
pub fn read_npy<T: Real>(bytes: &[u8]) -> Result<DMatrix<T>> {
    let place = "read_npy";
    read_for(place, &packed::plain(place, bytes)?)
}

/// Returns what [`read_npy`] makes of a regular file.
///
/// # Errors
/// As [`read_npy`], with the path before the place; [`ErrorKind::Io`] for what is no regular file.
///
/// ```no_run
/// use chainrule::data::read_npy_file;
/// let x = read_npy_file::<f32>("x.npy")?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn read_npy_file<T: Real>(path: impl AsRef<std::path::Path>) -> Result<DMatrix<T>> {
    super::from_file(path.as_ref(), |bytes| read_npy(bytes))
}

pub(super) fn read_for<T: Real>(place: &str, bytes: &[u8]) -> Result<DMatrix<T>> {
    let magic = "a NumPy file, which starts with \\x93NUMPY";
    if let Some((other, next)) = foreign(bytes).filter(|_| !bytes.starts_with(MAGIC)) {
        return wrong(ErrorKind::Parse, place, format!("{magic} ({next})"), other);
    }
    let mut bytes = Bytes::new(place, bytes);
    let start = bytes.take(MAGIC.len(), magic)?;
    if start != MAGIC {
        return wrong(ErrorKind::Parse, place, magic, text(start));
    }
    let len = match bytes.array("a version")? {
        [1, 0] => bytes.u16("the length of the header")?,
        [2 | 3, 0] => usize::try_from(bytes.u32("the length of the header")?).unwrap_or(usize::MAX),
        [major, minor] => {
            return wrong(
                ErrorKind::Parse,
                place,
                "format version 1.0, 2.0 or 3.0",
                format!("{major}.{minor}"),
            );
        }
    };
    let header = bytes.take(len, &format!("a header of {len} bytes"))?;
    match parse(header) {
        Some(Ok(array)) => array.matrix(place, bytes.rest()),
        Some(Err(descr)) => {
            let expected = "numbers of type f2, f4, f8, i1 to i8, u1 to u8 or b1 \
                (x.astype(np.float32) makes them)";
            wrong(ErrorKind::Parse, place, expected, text(descr))
        }
        None => {
            let expected = "a header {'descr': '…', 'fortran_order': …, 'shape': (…)}";
            wrong(
                ErrorKind::Parse,
                place,
                expected,
                text(&header[..len.min(80)]),
            )
        }
    }
}

/// What a header says: the literal of a Python dictionary. `Some(Err)` of a type that is not known,
/// `None` of no header.
fn parse(header: &[u8]) -> Option<Result<Array, &[u8]>> {
    let mut descr = None;
    let mut fortran = None;
    let mut shape = None;
    let mut rest = Literal(header.trim_ascii());
    rest.token(b"{")?;
    while rest.token(b"}").is_none() {
        let key = rest.string()?;
        rest.token(b":")?;
        match key {
            b"descr" if descr.is_none() => descr = Some(rest.string()?),
            b"fortran_order" if fortran.is_none() => {
                fortran = Some(
                    rest.token(b"True")
                        .map(|()| true)
                        .or_else(|| rest.token(b"False").map(|()| false))?,
                );
            }
            b"shape" if shape.is_none() => shape = Some(rest.tuple()?),
            _ => return None,
        }
        if rest.token(b",").is_none() {
            rest.token(b"}")?;
            break;
        }
    }
    let descr = descr?;
    let fortran = fortran?;
    let shape = shape?;
    if !rest.0.is_empty() {
        return None;
    }
    let known = || {
        let [order, kind @ ..] = descr else {
            return None;
        };
        let element = match kind {
            b"b1" => Element::Bool,
            b"i1" => Element::I8,
            b"i2" => Element::I16,
            b"i4" => Element::I32,
            b"i8" => Element::I64,
            b"u1" => Element::U8,
            b"u2" => Element::U16,
            b"u4" => Element::U32,
            b"u8" => Element::U64,
            b"f2" => Element::F16,
            b"f4" => Element::F32,
            b"f8" => Element::F64,
            _ => return None,
        };
        // A single byte has no order, and NumPy writes `|`.
        let big_endian = match (order, element) {
            (b'<', _) | (b'|', Element::Bool | Element::I8 | Element::U8) => false,
            (b'>', _) => true,
            _ => return None,
        };
        Some(Array {
            element,
            big_endian,
            fortran,
            shape,
        })
    };
    Some(known().ok_or(descr))
}

/// What is left of a Python literal.
struct Literal<'a>(&'a [u8]);

impl<'a> Literal<'a> {
    /// Passes over `token` and the spaces before it; `None` where something else is next.
    fn token(&mut self, token: &[u8]) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    /// The text of a string in quotes of either kind; names and types have no escapes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let (quote, rest) = self
            .0
            .trim_ascii_start()
            .split_first()
            .filter(|(quote, _)| matches!(quote, b'\'' | b'"'))?;
        let end = rest.iter().position(|byte| byte == quote)?;
        self.0 = &rest[end + 1..];
        Some(&rest[..end])
    }

    /// The sizes in `()`, `(3,)`, `(3, 4)`, `(3L, 4L)`, …
    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut sizes = Vec::new();
        self.token(b"(")?;
        while self.token(b")").is_none() {
            let rest = self.0.trim_ascii_start();
            let (digits, rest) =
                rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
            sizes.push(core::str::from_utf8(digits).ok()?.parse().ok()?);
            // Python 2 marked its long integers.
            self.0 = rest.strip_prefix(b"L").unwrap_or(rest);
            // Without the comma, (3) would be a number and no tuple.
            if self.token(b",").is_none() {
                self.token(b")").filter(|()| sizes.len() > 1)?;
                break;
            }
        }
        Some(sizes)
    }
}

/// What `np.save` would write of `x`: samples are rows, so that features × samples are an array of
/// shape `(samples, features)`. Numbers of type `f32` are written as they are (`<f4`), all others
/// as `f64` (`<f8`; of a dual number its value).
///
/// ```
/// use chainrule::View;
/// use chainrule::data::write_npy;
/// let x = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let bytes = write_npy(View::new(&x, 2)?); // std::fs::write("x.npy", bytes)?;
/// let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
/// assert_eq!(&bytes[10..10 + header.len()], header.as_bytes());
/// assert_eq!(bytes.len(), 128 + 6 * 4);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("np.save"))]
pub fn write_npy<'x, T: Real>(x: impl Into<View<'x, T>>) -> Vec<u8> {
    let x = x.into();
    let single = TypeId::of::<T>() == TypeId::of::<f32>();
    let descr = if single { "<f4" } else { "<f8" };
    let header = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {}), }}",
        x.cols(),
        x.rows()
    );
    // Spaces and the end of the line, so that the data begin at a multiple of 64.
    let start = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64);
    let mut bytes = Vec::with_capacity(start + x.as_slice().len() * if single { 4 } else { 8 });
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    // Two numbers of at most 20 digits: far from 65 535.
    bytes.extend_from_slice(&((start - MAGIC.len() - 4) as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(start - 1, b' ');
    bytes.push(b'\n');
    for v in x.as_slice() {
        match single {
            true => bytes.extend_from_slice(&(v.as_f64() as f32).to_le_bytes()),
            false => bytes.extend_from_slice(&v.as_f64().to_le_bytes()),
        }
    }
    bytes
}
