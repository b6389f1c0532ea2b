//! Columns of data that can be shuffled, and be given other values.

use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

/// Data whose columns can be inspected: a [`Dataset`].
pub trait Samples: sealed::Sealed + Sized {
    /// The number of samples.
    #[doc(hidden)]
    fn samples(&self) -> usize;

    /// What each sample weighs, where they do not weigh the same.
    #[doc(hidden)]
    fn sample_weights(&self) -> Option<Vec<f64>>;
}

/// One or several columns of data `D` that are shuffled together. Of a [`Dataset`] they are features:
/// an index, or a list or range of them.
pub trait Columns<D> {
    /// How people call them.
    #[doc(hidden)]
    fn name(&self, data: &D) -> Result<String>;

    /// The data with the values of sample `order[j]` in sample j.
    #[doc(hidden)]
    fn shuffled(&self, data: &D, order: &[usize]) -> Result<D>;
}

/// One column of data `D`. Of a [`Dataset`] it is the index of a feature.
pub trait Column<D>: Columns<D> {
    /// Its values, sample by sample.
    #[doc(hidden)]
    fn values(&self, data: &D) -> Result<Values>;

    /// The data with value `index` of `values` in all samples.
    #[doc(hidden)]
    fn replaced(&self, data: &D, values: &Values, index: usize) -> Result<D>;
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Values {
    /// Of a column of numbers.
    Numbers(Vec<f64>),
}

impl Values {
    /// How many there are.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl<T: crate::Real> Sealed for crate::Dataset<T> {}
}

impl<T: Real> Samples for Dataset<T> {
    fn samples(&self) -> usize {
        self.len()
    }

    fn sample_weights(&self) -> Option<Vec<f64>> {
        let weights = self.weights()?;
        Some(weights.iter().map(|weight| weight.as_f64()).collect())
    }
}

/// The features must be there, and at least one.
fn check<T: Real>(features: &[usize], data: &Dataset<T>) -> Result<()> {
    let place = "features of Dataset";
    if features.is_empty() {
        return Err(Error::new(
            ErrorKind::Empty,
            place,
            "at least 1 feature",
            "none",
        ));
    }
    let beyond = features.iter().find(|index| **index >= data.features());
    beyond.map_or(Ok(()), |index| {
        Err(Error::new(
            ErrorKind::Value,
            place,
            format!("below {}", data.features()),
            index,
        ))
    })
}

/// `data` with the features that `map` makes of one of them.
fn with_features<T: Real>(
    data: &Dataset<T>,
    features: &[usize],
    value: impl Fn(usize, usize) -> T,
) -> Result<Dataset<T>> {
    check(features, data)?;
    data.clone().map_inputs(|mut inputs| {
        for feature in features {
            for (sample, input) in inputs.row_mut(*feature).iter_mut().enumerate() {
                *input = value(*feature, sample);
            }
        }
        Ok(inputs)
    })
}

impl<T: Real> Columns<Dataset<T>> for [usize] {
    fn name(&self, data: &Dataset<T>) -> Result<String> {
        check(self, data)?;
        let numbers: Vec<String> = self.iter().map(ToString::to_string).collect();
        let plural = if numbers.len() > 1 { "s" } else { "" };
        Ok(format!("feature{plural} {}", numbers.join(", ")))
    }

    fn shuffled(&self, data: &Dataset<T>, order: &[usize]) -> Result<Dataset<T>> {
        let old = data.inputs();
        with_features(data, self, |feature, sample| old[(feature, order[sample])])
    }
}

/// What is a list of features is shuffled as one.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty, |$columns:ident| $as_slice:expr;)+) => {$(
        impl<T: Real $($generics)*> Columns<Dataset<T>> for $list {
            fn name(&self, data: &Dataset<T>) -> Result<String> {
                let $columns = self;
                <[usize] as Columns<Dataset<T>>>::name($as_slice, data)
            }

            fn shuffled(&self, data: &Dataset<T>, order: &[usize]) -> Result<Dataset<T>> {
                let $columns = self;
                <[usize] as Columns<Dataset<T>>>::shuffled($as_slice, data, order)
            }
        }
    )+};
}

lists! {
    [] usize, |feature| core::slice::from_ref(feature);
    [] &[usize], |features| features;
    [] Vec<usize>, |features| features;
    [] Range<usize>, |features| &features.clone().collect::<Vec<usize>>();
    [, const N: usize] [usize; N], |features| features;
}

impl<T: Real> Column<Dataset<T>> for usize {
    fn values(&self, data: &Dataset<T>) -> Result<Values> {
        check(core::slice::from_ref(self), data)?;
        let row = data.inputs().row(*self);
        Ok(Values::Numbers(row.iter().map(|x| x.as_f64()).collect()))
    }

    fn replaced(&self, data: &Dataset<T>, values: &Values, index: usize) -> Result<Dataset<T>> {
        let Values::Numbers(numbers) = values;
        let value = T::of(numbers[index]);
        with_features(data, core::slice::from_ref(self), |_, _| value)
    }
}
