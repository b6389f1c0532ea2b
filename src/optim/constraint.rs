//! Constraints on weights.

use super::arithmetic::larger;
use super::vector_norm::{Clamp, Norm};
use crate::error::Result;
use crate::nn::layer::Role;
use crate::nn::layout::PlacedBlock;
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::{POSITIVE, ensure};
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, by_blocks, magnitude, sum};

/// Where weights must stay: after a step they are taken to the nearest point that is allowed.
/// Biases and running statistics are left alone; NaN stays.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::optim::Constraint;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(2, Activation::Relu))
///     .seed(1)
///     .build()?;
/// // neurons with weights (3, −4) and (1, 1), and the biases
/// net.set_params(&[3.0, 1.0, -4.0, 1.0, 7.0, 8.0])?;
/// Constraint::MaxNorm(2.5).apply(&mut net)?; // in training after optimizer.step
/// assert_eq!(net.params(), [1.5, 1.0, -2.0, 1.0, 7.0, 8.0]);
/// Constraint::Box { low: 0.0, high: f64::INFINITY }.apply(&mut net)?;
/// assert_eq!(net.params(), [1.5, 1.0, 0.0, 1.0, 7.0, 8.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
#[doc(alias("kernel_constraint", "projection"))]
pub enum Constraint {
    /// The weights into each neuron, a row of W, have a norm ‖w‖₂ ≤ c, finite and above 0: longer
    /// rows become w·c/‖w‖₂ (Srebro, Rennie & Jaakkola 2004; with dropout Hinton et al. 2012;
    /// Keras' `MaxNorm(c, axis=0)`, without its ε = 10⁻⁷ beside the norm). The squares within a
    /// norm neither overflow nor vanish.
    MaxNorm(f64),
    /// Every weight lies in [low, high]; either may be infinite. With a low of 0 weights are not
    /// negative (Keras' `NonNeg`).
    Box {
        /// The least.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        low: f64,
        /// The largest, not less than `low`.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        high: f64,
    },
}

impl Constraint {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) for a norm that is not finite and above 0, and
    /// for a box in which no finite number lies.
    pub fn check(&self) -> Result<()> {
        self.check_in::<f64>()
    }

    pub(crate) fn check_in<T: Real>(&self) -> Result<()> {
        match *self {
            Self::MaxNorm(c) => POSITIVE.check_in::<T>("norm of Constraint::MaxNorm", c),
            Self::Box { low, high } => {
                let low_in_t = T::of(low).as_f64();
                ensure(
                    low_in_t < f64::INFINITY,
                    "low of Constraint::Box",
                    "a number below ∞",
                    low,
                )?;
                let sound = high >= low && T::of(high).as_f64() > f64::NEG_INFINITY;
                let expected = format_args!("a number above −∞, at least {low}");
                ensure(sound, "high of Constraint::Box", expected, high)
            }
        }
    }

    /// Takes the weights of `net`, its blocks of [`Role::Weight`], to where they may be.
    ///
    /// # Errors
    /// As [`check`](Self::check) in `T`; nothing is changed then.
    pub fn apply<T: Real>(&self, net: &mut Sequential<T>) -> Result<()> {
        compiled_here!(T: |constraint: &Constraint, net: &mut Sequential<T>| -> Result<()> {
            constraint.apply_on(net, |_| true)
        })(self, net)
    }

    /// [`apply`](Self::apply) on the layers that `chosen` names.
    pub(crate) fn apply_on<T: Real>(
        &self,
        net: &mut Sequential<T>,
        chosen: impl Fn(usize) -> bool,
    ) -> Result<()> {
        self.check_in::<T>()?;
        let layout = net.layout().clone();
        for PlacedBlock {
            layer,
            block,
            range,
            ..
        } in layout.blocks()
        {
            if block.role != Role::Weight || range.is_empty() || !chosen(layer) {
                continue;
            }
            let w = &mut net.params_mut()[range];
            match *self {
                Self::MaxNorm(c) => T::vectorize(Rows {
                    w,
                    rows: block.rows,
                    c: T::of(c),
                }),
                Self::Box { low, high } => T::vectorize(Clamp {
                    x: w,
                    low: T::of(low),
                    high: T::of(high),
                }),
            }
        }
        Ok(())
    }
}

/// Limits the norm of each row of a matrix that has elements, some rows at a time.
struct Rows<'a, T> {
    w: &'a mut [T],
    rows: usize,
    c: T,
}

impl<T: Real> Pass for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        /// Rows at a time, a multiple of every vector width.
        const SOME: usize = 16;
        /// Columns whose squares are added one after the other.
        const BLOCK: usize = 64;
        let Self { w, rows, c } = self;
        let columns = w.len() / rows;
        for first in (0..rows).step_by(SOME) {
            let some = first..rows.min(first + SOME);
            let sums = by_blocks(columns.div_ceil(BLOCK), |i| {
                let mut sums = [T::zero(); SOME];
                for column in
                    w[i * BLOCK * rows..columns.min((i + 1) * BLOCK) * rows].chunks_exact(rows)
                {
                    for (sum, w) in sums.iter_mut().zip(&column[some.clone()]) {
                        *sum += *w * *w;
                    }
                }
                sums
            });
            let mut factors = [T::one(); SOME];
            for (row, (factor, squares)) in some.clone().zip(factors.iter_mut().zip(sums)) {
                let row = || w[row..].iter().step_by(rows);
                let largest = || row().fold(T::zero(), |largest, w| larger(largest, magnitude(*w)));
                let scaled = |scale| sum(columns, row().map(|w| *w / scale * (*w / scale)));
                *factor = Norm::from_squares(squares, largest, scaled).factor(c);
            }
            if factors.iter().all(|factor| *factor == T::one()) {
                continue;
            }
            for column in w.chunks_exact_mut(rows) {
                for (w, factor) in column[some.clone()].iter_mut().zip(factors) {
                    *w *= factor;
                }
            }
        }
    }
}
