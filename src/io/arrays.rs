//! Batches as arrays of the crate ndarray.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::view::{View, ViewMut};
use alloc::format;
use ndarray::{ArrayView2, ArrayViewMut2};

/// A row-major array of shape (samples, features), seen without a copy: its rows are the columns of
/// the view.
///
/// # Errors
/// [`ErrorKind::Shape`] for another layout than row-major without gaps (`as_standard_layout` makes
/// one), [`ErrorKind::Value`] without a feature.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::View;
/// use chainrule::ndarray::{array, Array2};
/// use chainrule::numeric::ViewMut;
/// let net = Sequential::builder(3)
///     .layer(Dense::new(2, Activation::Tanh))
///     .seed(1)
///     .build()?;
/// let x = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]; // two samples of three features
/// let mut y = Array2::<f64>::zeros((2, 2));
/// net.predict_into(
///     View::try_from(x.view())?,
///     ViewMut::try_from(y.view_mut())?,
///     &mut Tape::new(),
/// )?;
/// assert_eq!(View::try_from(y.view())?, View::from(&net.predict(View::try_from(x.view())?)?));
/// assert!(View::try_from(x.t()).is_err());
/// # Ok::<(), chainrule::Error>(())
/// ```
impl<'a, T> TryFrom<ArrayView2<'a, T>> for View<'a, T> {
    type Error = Error;

    fn try_from(array: ArrayView2<'a, T>) -> Result<Self> {
        let shape = array.dim();
        Self::new(array.to_slice().ok_or_else(|| layout(shape))?, shape.1)
    }
}

/// As for [`View`].
impl<'a, T> TryFrom<ArrayViewMut2<'a, T>> for ViewMut<'a, T> {
    type Error = Error;

    fn try_from(array: ArrayViewMut2<'a, T>) -> Result<Self> {
        let shape = array.dim();
        Self::new(array.into_slice().ok_or_else(|| layout(shape))?, shape.1)
    }
}

fn layout((samples, features): (usize, usize)) -> Error {
    let given = format!("another layout of {samples} × {features}");
    Error::new(
        ErrorKind::Shape,
        "ndarray",
        "a row-major array of (samples, features) without gaps",
        given,
    )
}

impl<'a, T> View<'a, T> {
    /// The same numbers as a row-major array of shape (samples, features).
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nalgebra::DMatrix;
    /// let y = DMatrix::from_column_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]); // three samples
    /// assert_eq!(
    ///     View::from(&y).array(),
    ///     chainrule::ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    /// );
    /// ```
    pub fn array(&self) -> ArrayView2<'a, T> {
        match ArrayView2::from_shape((self.cols(), self.rows()), self.as_slice()) {
            Ok(array) => array,
            Err(_) => unreachable!("a view has as many numbers as its shape says"),
        }
    }
}
