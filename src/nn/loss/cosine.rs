//! A loss on directions.

use super::{CostsArgs, CurvaturesArgs, Loss, SlopesArgs};
use crate::error::Result;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, is_nan, magnitude, sum_of};

/// The cosine distance of outputs from targets: for a sample C = 1 − y·t/(‖y‖‖t‖), averaged over
/// the samples (PyTorch's `CosineEmbeddingLoss` of pairs that are alike; Keras's `CosineSimilarity`
/// is 1 less, with the same gradient).
///
/// From 0, for the same direction, to 2, for the opposite one; lengths do not matter. With a =
/// y/‖y‖ and b = t/‖t‖ it is ½‖a−b‖², which small angles do not cancel in, and ∂C/∂y = ((a·b)a −
/// b)/(‖y‖n). Vectors of length 0 have no direction: such an output or target costs 1, with the
/// slope 0. In one dimension nothing but the sign is left to learn, and every slope is 0.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{CosineDistance, Loss};
/// let (y, t) = (View::new(&[3.0, 0.0], 2)?, View::new(&[0.0, 7.0], 2)?);
/// assert_eq!(CosineDistance.value(y, t.into())?, 1.0); // a right angle
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("CosineSimilarity", "CosineEmbeddingLoss", "cosine_similarity"))]
pub struct CosineDistance;

/// What a vector is multiplied by for one of the length 1, in two factors, the first so that no
/// square overflows; and its length. `None` of a vector of length 0.
fn unit<T: Real>(x: &[T]) -> Option<(T, T, T)> {
    let larger = |max: T, x: &T| {
        let x = magnitude(*x);
        if x > max || is_nan(x) { x } else { max }
    };
    let max = x.iter().fold(T::zero(), larger);
    if max == T::zero() {
        return None;
    }
    let mut squares = x.iter().map(|x| (*x / max) * (*x / max));
    let root = sum_of(x.len(), &mut squares).sqrt();
    Some((max, root, max * root))
}

/// The directions of both: numbers aⱼ and bⱼ, the length of y, and C.
struct Pair<'a, T> {
    y: &'a [T],
    t: &'a [T],
    scales: [(T, T); 2],
    length: T,
    cost: T,
}

impl<'a, T: Real> Pair<'a, T> {
    /// `None` where one has no direction.
    fn new(y: &'a [T], t: &'a [T]) -> Option<Self> {
        let ((max, root, length), of_target) = (unit(y)?, unit(t)?);
        let mut pair = Self {
            y,
            t,
            scales: [(max, root), (of_target.0, of_target.1)],
            length,
            cost: T::zero(),
        };
        let mut squares = pair.directions().map(|(a, b)| (a - b) * (a - b));
        let total = sum_of(y.len(), &mut squares);
        drop(squares);
        pair.cost = T::of(0.5) * total;
        Some(pair)
    }

    fn directions(&self) -> impl Iterator<Item = (T, T)> {
        let [of_y, of_t] = self.scales;
        let unit = |x: &T, (max, root): (T, T)| *x / max / root;
        let both = self.y.iter().zip(self.t);
        both.map(move |(y, t)| (unit(y, of_y), unit(t, of_t)))
    }

    /// (a·b)a − b, as a − b less what is along a.
    fn turns(&self) -> impl Iterator<Item = T> {
        self.directions().map(|(a, b)| (a - b) - self.cost * a)
    }
}

/// Of a pair without directions: 1, or NaN where there is one.
fn without<T: Real>(y: &[T], otherwise: T) -> T {
    y.iter().copied().find(|y| is_nan(*y)).unwrap_or(otherwise)
}

impl<T: Real> Loss<T> for CosineDistance {
    fn name(&self) -> &str {
        "CosineDistance"
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |p: CostsArgs<'_, T>| {
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                *cost = Pair::new(y, t).map_or(without(y, T::one()), |pair| pair.cost);
            }
        })(p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |p: SlopesArgs<'_, T>| {
            let mut p = p;
            for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                match Pair::new(y, t) {
                    None => dy.fill(without(y, T::zero())),
                    Some(pair) => {
                        for (dy, turn) in dy.iter_mut().zip(pair.turns()) {
                            *dy = turn / pair.length;
                        }
                    }
                }
            }
        })(p);
    }

    /// With g = (a·b)a − b, s = a·ẏ and c = b·ȧ, ȧ = (ẏ − s·a)/‖y‖: (c·a + (a·b)ȧ − s·g/‖y‖)/‖y‖.
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |p: CurvaturesArgs<'_, T>| {
            let mut p = p;
            let samples = p.y.iter().zip(p.target.iter());
            for ((out, dot), (y, t)) in p.dy_dot.iter_mut().zip(p.y_dot.iter()).zip(samples) {
                let Some(pair) = Pair::new(y, t) else {
                    out.fill(T::zero());
                    continue;
                };
                let d = y.len();
                let mut parts = pair.directions().zip(dot).map(|((a, _), dot)| a * *dot);
                let along = sum_of(d, &mut parts);
                let turned = |a: T, dot: T| (dot - along * a) / pair.length;
                let change = pair.directions().zip(dot);
                let mut change = change.map(|((a, b), dot)| b * turned(a, *dot));
                let (change, cosine) = (sum_of(d, &mut change), T::one() - pair.cost);
                let each = pair.directions().zip(pair.turns()).zip(dot);
                for (out, (((a, _), turn), dot)) in out.iter_mut().zip(each) {
                    *out = (change * a + cosine * turned(a, *dot) - along * turn / pair.length)
                        / pair.length;
                }
            }
        })(p);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::view::View;

    fn at(y: &[f64], t: &[f64]) -> Result<(f64, alloc::vec::Vec<f64>)> {
        let (y, t) = (View::from(y), View::from(t));
        let slope = CosineDistance.gradient(y, t.into())?;
        Ok((
            CosineDistance.value(y, t.into())?,
            slope.as_slice().to_vec(),
        ))
    }

    #[test]
    fn no_direction() -> Result<()> {
        for (y, t) in [
            ([0.0; 2], [1.0, 2.0]),
            ([1.0, 2.0], [0.0; 2]),
            ([0.0; 2], [0.0; 2]),
        ] {
            assert_eq!(at(&y, &t)?, (1.0, alloc::vec![0.0; 2]));
        }
        let (cost, slope) = at(&[f64::NAN, 0.0], &[0.0; 2])?;
        assert!(cost.is_nan() && slope.iter().all(|slope| slope.is_nan()));
        Ok(())
    }

    #[test]
    fn small_angles_and_long_vectors() -> Result<()> {
        // An angle of 1e-9 costs half its square, of which 1 − cos has no digit.
        let (cost, slope) = at(&[1.0, 1e-9], &[1.0, 0.0])?;
        assert!((cost - 5e-19).abs() < 1e-30 && (slope[1] - 1e-9).abs() < 1e-24);
        for length in [1e-200, 1e-300, 1e200, 1e300] {
            let (cost, slope) = at(&[length, length], &[length, 0.0])?;
            assert!(
                (cost - (1.0 - 0.5_f64.sqrt())).abs() < 1e-15,
                "{length}: {cost}"
            );
            assert!(
                (slope[1] * length - 0.25 * 2.0_f64.sqrt()).abs() < 1e-15,
                "{slope:?}"
            );
        }
        Ok(())
    }
}
