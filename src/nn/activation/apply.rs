//! Activations at numbers: what needs the scalar.

use super::formula::*;
use super::{Activation, Breakpoints};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::{FINITE, NOT_NEGATIVE, POSITIVE_IN_SCALAR, ensure};
use crate::numeric::real::Real;

impl Activation {
    /// φ(z).
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::PiecewiseLinear.value(0.25), 0.75);
    /// ```
    pub fn value<T: Real>(&self, z: T) -> T {
        let mut z = [z];
        self.apply(&mut z);
        z[0]
    }

    /// φ′(z), by which δ is multiplied in the backward pass: of a surrogate the derivative that
    /// stands in. At a kink, where there is none, the value of the table above.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::Relu.derivative(2.0), 1.0);
    /// ```
    #[doc(alias("sigma_prime", "gradient"))]
    pub fn derivative<T: Real>(&self, z: T) -> T {
        let (mut z, mut slope) = ([z], [T::zero()]);
        self.forward(&[], &mut z, &mut slope);
        slope[0]
    }

    /// Second derivative φ″(z), accurate for every z. Piecewise-linear functions return 0; a
    /// surrogate returns that of the function it borrows its derivative from. At a kink of φ or φ′
    /// it is the derivative of one side. `elu` and `selu` take the left one at 0, as for φ′.
    /// `softsign` takes the right one at 0, −2, `squared_relu` the left one at 0, 0, and `sparse_plus`
    /// and `hard_swish` the outer ones at ±1 and ±3, 0.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::Softplus.second_derivative(0.0), 0.25);
    /// ```
    pub fn second_derivative<T: Real>(&self, z: T) -> T {
        let mut z = [z];
        self.bend(&mut z);
        z[0]
    }

    /// Whether φ″ is anything but 0 anywhere.
    pub(crate) fn bends(&self) -> bool {
        fn bends<F: Formula<f64>>(_: F) -> bool {
            F::BENDS
        }
        with_formula!(f64, self.parts().1, f => bends(f))
    }

    /// Refuses a surrogate, whose backward pass is not the derivative of its values.
    pub(crate) fn check_tangent(&self) -> Result<()> {
        match self {
            Self::Surrogate { .. } => Err(Error::new(
                ErrorKind::Incompatible,
                "",
                "an activation with its own derivative",
                self,
            )),
            _ => Ok(()),
        }
    }

    /// Checks that the parameters of the function are finite in `T`.
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        match self {
            Self::LeakyRelu { slope } => FINITE.check_in::<T>("slope of leaky_relu", *slope),
            Self::Elu { alpha } => FINITE.check_in::<T>("alpha of elu", *alpha),
            Self::Celu { alpha } => POSITIVE_IN_SCALAR.check_in::<T>("alpha of celu", *alpha),
            Self::Threshold { threshold, value } => FINITE
                .check_in::<T>("threshold of threshold", *threshold)
                .and(FINITE.check_in::<T>("value of threshold", *value)),
            Self::HardShrink { lambda } => {
                NOT_NEGATIVE.check_in::<T>("lambda of hard_shrink", *lambda)
            }
            Self::SoftShrink { lambda } => {
                NOT_NEGATIVE.check_in::<T>("lambda of soft_shrink", *lambda)
            }
            Self::Breakpoints(points) => check_breakpoints::<T>(points),
            Self::Surrogate { value, derivative } => {
                value.check::<T>().and(derivative.check::<T>())
            }
            _ => Ok(()),
        }
    }

    /// How many numbers per element [`forward`](Self::forward) keeps for
    /// [`backward`](Self::backward): where φ′ can be read off φ without loss none, else φ′ itself,
    /// which costs little beside φ.
    pub(crate) fn cache_len(&self) -> usize {
        usize::from(!matches!(self, Self::Linear | Self::Relu))
    }
}

/// All numbers must be finite in `T`, and the x still increase there.
fn check_breakpoints<T: Real>(breakpoints: &Breakpoints) -> Result<()> {
    let (finite, points) = (|v: f64| T::of(v).is_finite(), breakpoints.points());
    let sound = points.iter().all(|(x, y)| finite(*x) && finite(*y))
        && breakpoints.all_slopes().all(finite)
        && points
            .windows(2)
            .all(|pair| T::of(pair[0].0) < T::of(pair[1].0));
    let expected = "points and slopes that stay finite and apart in the network's scalar";
    ensure(sound, "breakpoints", expected, breakpoints)
}
