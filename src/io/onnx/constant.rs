//! Constant tensors: those that a file holds, read where they lie, and those that its nodes
//! compute.

use super::proto::{self, BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT32, INT64};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::{Real, half};
use alloc::{format, rc::Rc, string::String, vec::Vec};

/// Dimensions of a tensor: two are needed. Without a bound, what is looked at often could be long.
pub(super) const MAX_RANK: usize = 8;

/// An integer of a constant, or a dimension that shapes are computed from and no file knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Known(i64),
    Samples,
    /// A dimension that the file leaves open, other than the samples'.
    Open,
}

#[derive(Clone, Debug)]
enum Numbers<'g> {
    F32(&'g [f32]),
    F64(&'g [f64]),
    I64(&'g [i64]),
    /// Integers of 32 bits, truth values, or the bits of shorter floats.
    I32(&'g [i32]),
    /// Bytes of the tensor's type, little-endian.
    Raw(&'g [u8]),
    Reals(Rc<[f64]>),
    Sizes(Rc<[Size]>),
}

/// A constant tensor: as many numbers as its dimensions say.
#[derive(Clone, Debug)]
pub(super) struct Constant<'g> {
    place: String,
    dims: Vec<usize>,
    /// The data type, by its number in ONNX.
    kind: i32,
    numbers: Numbers<'g>,
}

impl<'g> Constant<'g> {
    /// What the file holds as a tensor.
    pub(super) fn of_tensor(place: String, tensor: &'g proto::Tensor) -> Result<Self> {
        if tensor.data_location != 0 {
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                "numbers in the file itself",
                "external data",
            ));
        }
        let numbers = match tensor.data_type {
            FLOAT | DOUBLE | FLOAT16 | BFLOAT16 | INT32 | INT64 | BOOL
                if !tensor.raw_data.is_empty() =>
            {
                Numbers::Raw(&tensor.raw_data)
            }
            FLOAT => Numbers::F32(&tensor.float_data),
            DOUBLE => Numbers::F64(&tensor.double_data),
            INT64 => Numbers::I64(&tensor.int64_data),
            FLOAT16 | BFLOAT16 | INT32 | BOOL => Numbers::I32(&tensor.int32_data),
            other => {
                let expected = "numbers of type float, double, float16 or bfloat16 (of shapes: \
                    int64 or int32)";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    place,
                    expected,
                    format!("data type {other}"),
                ));
            }
        };
        Self::sized(place, &tensor.dims, tensor.data_type, numbers)
    }

    /// Floats of an attribute: a vector, or a matrix of so many rows.
    pub(super) fn of_floats(place: String, dims: &[i64], numbers: &'g [f32]) -> Result<Self> {
        Self::sized(place, dims, FLOAT, Numbers::F32(numbers))
    }

    /// Integers of an attribute.
    pub(super) fn of_ints(place: String, dims: &[i64], numbers: &'g [i64]) -> Result<Self> {
        Self::sized(place, dims, INT64, Numbers::I64(numbers))
    }

    fn sized(place: String, dims: &[i64], kind: i32, numbers: Numbers<'g>) -> Result<Self> {
        let (count, rest) = match &numbers {
            Numbers::F32(numbers) => (numbers.len(), 0),
            Numbers::F64(numbers) => (numbers.len(), 0),
            Numbers::I64(numbers) => (numbers.len(), 0),
            Numbers::I32(numbers) => (numbers.len(), 0),
            Numbers::Raw(bytes) => (bytes.len() / bytes_of(kind), bytes.len() % bytes_of(kind)),
            Numbers::Reals(numbers) => (numbers.len(), 0),
            Numbers::Sizes(numbers) => (numbers.len(), 0),
        };
        if dims.len() > MAX_RANK {
            return Err(Error::new(
                ErrorKind::Shape,
                place,
                format!("at most {MAX_RANK} dimensions"),
                dims.len(),
            ));
        }
        let sizes: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        match sizes.filter(|sizes| rest == 0 && product(sizes) == Some(count)) {
            Some(dims) => Ok(Self {
                place,
                dims,
                kind,
                numbers,
            }),
            None => Err(Error::new(
                ErrorKind::Shape,
                place,
                format!("as many numbers as its dimensions {dims:?} say"),
                count,
            )),
        }
    }

    /// Computed numbers of a floating-point type, rounded to it.
    pub(super) fn computed(
        place: String,
        dims: Vec<usize>,
        kind: i32,
        mut numbers: Vec<f64>,
    ) -> Self {
        numbers.iter_mut().for_each(|v| *v = rounded(kind, *v));
        Self {
            place,
            dims,
            kind,
            numbers: Numbers::Reals(numbers.into()),
        }
    }

    /// Computed integers.
    pub(super) fn of_sizes(place: String, dims: Vec<usize>, kind: i32, numbers: Vec<Size>) -> Self {
        Self {
            place,
            dims,
            kind,
            numbers: Numbers::Sizes(numbers.into()),
        }
    }

    /// The same numbers elsewhere.
    pub(super) fn at(&self, place: String) -> Self {
        Self {
            place,
            ..self.clone()
        }
    }

    /// The same numbers with other dimensions, which are as many.
    pub(super) fn shaped(&self, place: String, dims: Vec<usize>) -> Self {
        Self {
            place,
            dims,
            kind: self.kind,
            numbers: self.numbers.clone(),
        }
    }

    /// Where it is, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    pub(super) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// The length of a vector, however many dimensions of 1 are before it.
    pub(super) fn vector_len(&self) -> Option<usize> {
        let last = self.dims.last().copied().unwrap_or(1);
        (self.len() == last).then_some(last)
    }

    pub(super) fn kind(&self) -> i32 {
        self.kind
    }

    pub(super) fn is_double(&self) -> bool {
        self.kind == DOUBLE
    }

    pub(super) fn is_real(&self) -> bool {
        matches!(self.kind, FLOAT | DOUBLE | FLOAT16 | BFLOAT16)
    }

    /// How far apart the numbers of its type are, for numbers of one.
    pub(super) fn spacing(&self) -> f64 {
        match self.kind {
            DOUBLE => f64::EPSILON,
            FLOAT16 => 1.0 / 1024.0,
            BFLOAT16 => 1.0 / 128.0,
            _ => f32::EPSILON.into(),
        }
    }

    /// All numbers, the nearest of `T`.
    pub(super) fn reals<T: Real>(&self) -> Result<Vec<T>> {
        Ok(match &self.numbers {
            _ if !self.is_real() => {
                let expected = "numbers of type float, double, float16 or bfloat16";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    &*self.place,
                    expected,
                    "integers",
                ));
            }
            Numbers::F32(numbers) => numbers.iter().map(|v| T::of((*v).into())).collect(),
            Numbers::F64(numbers) => numbers.iter().map(|v| T::of(*v)).collect(),
            Numbers::Reals(numbers) => numbers.iter().map(|v| T::of(*v)).collect(),
            Numbers::I32(numbers) => numbers
                .iter()
                .map(|v| T::of(short(self.kind, *v as u16)))
                .collect(),
            Numbers::Raw(bytes) => match self.kind {
                FLOAT => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|v| T::of(f32::from_le_bytes(*v).into()))
                    .collect(),
                DOUBLE => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|v| T::of(f64::from_le_bytes(*v)))
                    .collect(),
                kind => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|v| T::of(short(kind, u16::from_le_bytes(*v))))
                    .collect(),
            },
            Numbers::I64(_) | Numbers::Sizes(_) => Vec::new(),
        })
    }

    /// All integers; truth values are 0 and 1.
    pub(super) fn sizes(&self) -> Result<Vec<Size>> {
        let raw = |bytes: &[u8]| match self.kind {
            INT64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|v| i64::from_le_bytes(*v))
                .collect::<Vec<_>>(),
            INT32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|v| i32::from_le_bytes(*v).into())
                .collect(),
            _ => bytes.iter().map(|v| (*v != 0).into()).collect(),
        };
        let known = |numbers: Vec<i64>| Ok(numbers.into_iter().map(Size::Known).collect());
        match &self.numbers {
            Numbers::I64(numbers) => known(numbers.to_vec()),
            Numbers::Sizes(numbers) => Ok(numbers.to_vec()),
            Numbers::I32(numbers) if !self.is_real() => {
                known(numbers.iter().map(|v| (*v).into()).collect())
            }
            Numbers::Raw(bytes) if !self.is_real() => known(raw(bytes)),
            _ => Err(Error::new(
                ErrorKind::Incompatible,
                &*self.place,
                "numbers of type int64 or int32",
                "floating-point numbers",
            )),
        }
    }

    /// All integers, none of which is the number of samples.
    pub(super) fn integers(&self) -> Result<Vec<i64>> {
        let known = |size: &Size| match size {
            Size::Known(v) => Ok(*v),
            Size::Samples => Err(Error::new(
                ErrorKind::Incompatible,
                &*self.place,
                "integers that the file knows",
                "the number of samples",
            )),
            Size::Open => Err(Error::new(
                ErrorKind::Incompatible,
                &*self.place,
                "integers that the file knows",
                "an open dimension",
            )),
        };
        self.sizes()?.iter().map(known).collect()
    }

    /// The integers of a list of axes or of dimensions. Only such a list is short, and many nodes
    /// may read the same one.
    pub(super) fn axes(&self) -> Result<Vec<i64>> {
        if self.len() > MAX_RANK {
            return Err(Error::new(
                ErrorKind::Shape,
                &*self.place,
                format!("at most {MAX_RANK} dimensions"),
                self.len(),
            ));
        }
        self.integers()
    }

    /// The only number, as it is.
    pub(super) fn single(&self) -> Option<f64> {
        if self.len() != 1 {
            None
        } else {
            self.reals::<f64>().ok()?.first().copied()
        }
    }

    /// The only number as it was meant: of an `f32` the shortest decimal that gives it, because
    /// 0.01 was said and not 0.00999999977648.
    pub(super) fn meant(&self) -> Result<f64> {
        match self.single() {
            Some(v) if self.kind == FLOAT => Ok(meant(v as f32)),
            Some(v) => Ok(v),
            None => Err(Error::new(
                ErrorKind::Shape,
                &*self.place,
                "a single number",
                format!("dimensions {:?}", self.dims),
            )),
        }
    }
}

/// See [`Constant::meant`].
pub(super) fn meant(v: f32) -> f64 {
    format!("{v}").parse().unwrap_or_else(|_| v.into())
}

/// A number of 16 bits.
fn short(kind: i32, bits: u16) -> f64 {
    if kind == FLOAT16 {
        half(bits)
    } else {
        f32::from_bits(u32::from(bits) << 16).into()
    }
}

/// The nearest number of a floating-point type; of two that are as near, the even one.
fn rounded(kind: i32, v: f64) -> f64 {
    // The digits after the first, and the exponents of the smallest and of the largest numbers.
    let (digits, smallest, largest) = match kind {
        FLOAT => return f64::from(v as f32),
        FLOAT16 => (10, -14, 15),
        BFLOAT16 => (7, -126, 127),
        _ => return v,
    };
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    let spacing = libm::scalbn(1.0, libm::ilogb(v).max(smallest) - digits);
    let nearest = libm::rint(v / spacing) * spacing;
    if nearest.abs() < libm::scalbn(1.0, largest + 1) {
        nearest
    } else {
        f64::INFINITY.copysign(v)
    }
}

fn bytes_of(kind: i32) -> usize {
    match kind {
        DOUBLE | INT64 => 8,
        FLOAT | INT32 => 4,
        FLOAT16 | BFLOAT16 => 2,
        _ => 1,
    }
}

/// The product of sizes that a memory can have, and so can the product of any of them: a 0 makes up
/// for no other size.
pub(super) fn product(sizes: &[usize]) -> Option<usize> {
    let others = sizes
        .iter()
        .filter(|size| **size > 0)
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    let others = others.filter(|product| isize::try_from(*product).is_ok())?;
    Some(if sizes.contains(&0) { 0 } else { others })
}
