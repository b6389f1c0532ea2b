//! Arrays as files hold them.

use super::bytes::wrong;
use crate::error::{ErrorKind, Result};
use crate::numeric::real::{Real, half, nearest_integer};
use alloc::{format, string::ToString, vec, vec::Vec};
use nalgebra::DMatrix;

/// The type of the numbers of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Element {
    fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// All of `bytes` as numbers.
    fn decode<T: Real>(self, bytes: &[u8], big_endian: bool) -> Vec<T> {
        macro_rules! each {
            ($t:ty, $convert:expr) => {{
                let (numbers, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
                let number = if big_endian {
                    <$t>::from_be_bytes
                } else {
                    <$t>::from_le_bytes
                };
                numbers
                    .iter()
                    .map(|bytes| $convert(number(*bytes)))
                    .collect()
            }};
        }
        match self {
            Self::Bool => bytes
                .iter()
                .map(|byte| T::of(f64::from(*byte != 0)))
                .collect(),
            Self::I8 => each!(i8, |number: i8| T::of(number.into())),
            Self::I16 => each!(i16, |number: i16| T::of(number.into())),
            Self::I32 => each!(i32, |number: i32| T::of(number.into())),
            Self::I64 => each!(i64, |number: i64| nearest_integer(number.into())),
            Self::U8 => each!(u8, |number: u8| T::of(number.into())),
            Self::U16 => each!(u16, |number: u16| T::of(number.into())),
            Self::U32 => each!(u32, |number: u32| T::of(number.into())),
            Self::U64 => each!(u64, |number: u64| nearest_integer(number.into())),
            Self::F16 => each!(u16, |bits: u16| T::of(half(bits))),
            Self::F32 => each!(f32, |number: f32| T::of(number.into())),
            Self::F64 => each!(f64, T::of),
        }
    }
}

/// An array whose header has been read: what its numbers are and how they lie.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) element: Element,
    pub(super) big_endian: bool,
    /// Whether the first index runs fastest, not the last.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Array {
    /// `data` as a matrix whose columns are the entries of the first axis, each with the other axes
    /// flattened, the last index running fastest. What the header claims is believed only once the
    /// data are found to be as many.
    pub(super) fn matrix<T: Real>(&self, place: &str, data: &[u8]) -> Result<DMatrix<T>> {
        let product = |sizes: &[usize]| {
            sizes
                .iter()
                .try_fold(1_usize, |product, size| product.checked_mul(*size))
        };
        let (samples, axes) = self
            .shape
            .split_first()
            .map_or((1, &[][..]), |(samples, axes)| (*samples, axes));
        let len = |features: &usize| {
            features
                .checked_mul(samples)?
                .checked_mul(self.element.size())
        };
        let Some(features) = product(axes).filter(|features| len(features) == Some(data.len()))
        else {
            let shape = self
                .shape
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(" × ");
            let expected = format!("{shape} numbers of {} bytes", self.element.size());
            return wrong(
                ErrorKind::Shape,
                place,
                expected,
                format!("{} bytes of data", data.len()),
            );
        };
        let numbers = self.element.decode(data, self.big_endian);
        if !self.fortran || numbers.is_empty() {
            return Ok(DMatrix::from_vec(features, samples, numbers));
        }
        // Where feature i of sample 0 lies: its indices, last axis first, times the strides of a
        // first index that runs fastest.
        let mut strides = vec![samples];
        strides.extend(axes.iter().scan(samples, |stride, size| {
            *stride *= size;
            Some(*stride)
        }));
        let offsets: Vec<usize> = (0..features)
            .map(|feature| {
                let index =
                    axes.iter()
                        .zip(&strides)
                        .rev()
                        .scan(feature, |rest, (size, stride)| {
                            let index = *rest % size;
                            *rest /= size;
                            Some(index * stride)
                        });
                index.sum()
            })
            .collect();
        Ok(DMatrix::from_fn(features, samples, |feature, sample| {
            numbers[offsets[feature] + sample]
        }))
    }
}
