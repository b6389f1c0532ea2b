//! Residuals as linear functions of the parameters, and the damped equations of that model, by the
//! smaller of two matrices.

use crate::data::Batch;
use crate::error::Result;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{View, ViewMut};
use crate::optim::Ties;
use alloc::vec::Vec;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// Residuals whose gradients are computed, and added to JᵀJ, at once: enough for the product to be
/// fast, few enough to stay in the cache.
const CHUNK: usize = 128;

/// r and J = ∂r/∂w at some parameters w.
///
/// N residuals and P parameters have the matrices JᵀJ, P × P, and JJᵀ, N × N. Where N < P, the
/// equations are solved by the second, for
///
/// ```text
/// (JᵀJ + sI)⁻¹·Jᵀ = Jᵀ·(JJᵀ + sI)⁻¹
/// ```
pub(super) struct Linearized<T: Real> {
    outputs: usize,
    dual: bool,
    /// Which parameters stand for others; the derivatives by those are 0.
    tied: Ties,
    /// Jᵀr.
    slope: DVector<T>,
    /// Gradients of residuals, parameters × residuals: of a chunk, or of all for JJᵀ.
    rows: Vec<T>,
    /// JᵀJ or JJᵀ.
    square: DMatrix<T>,
    /// What a chunk adds to JᵀJ.
    product: Vec<T>,
    /// Where the square is factorized, while no factor is kept.
    damped: DMatrix<T>,
    factors: Option<Cholesky<T, Dyn>>,
    /// Outputs of a chunk.
    y: Vec<T>,
    /// With JJᵀ: √v·y of all samples, and r.
    weighted: DVector<T>,
    r: DVector<T>,
    /// As long as the square is wide.
    side: DVector<T>,
}

impl<T: Real> Linearized<T> {
    pub(super) fn new(net: &Sequential<T>, samples: usize, tied: Ties) -> Result<Self> {
        let place = "LevenbergMarquardt";
        let (count, outputs) = (net.params().len(), net.outputs());
        let residuals = samples.saturating_mul(outputs);
        let dual = residuals < count;
        let (width, held) = if dual {
            (residuals, residuals)
        } else {
            (count, chunk(outputs) * outputs)
        };
        let square = || -> Result<DMatrix<T>> {
            Ok(DMatrix::from_vec(
                width,
                width,
                zeros(place, &[width, width])?,
            ))
        };
        let all = if dual { residuals } else { 0 };
        Ok(Self {
            outputs,
            dual,
            tied,
            slope: DVector::zeros(count),
            square: square()?,
            damped: square()?,
            factors: None,
            rows: zeros(place, &[count, held])?,
            product: zeros(place, &[if dual { 0 } else { count }, count])?,
            y: zeros(place, &[chunk(outputs) * outputs])?,
            weighted: DVector::zeros(all),
            r: DVector::zeros(all),
            side: DVector::zeros(width),
        })
    }

    /// Jᵀr.
    pub(super) fn slope(&self) -> &DVector<T> {
        &self.slope
    }

    /// The numbers of the square, and of Jᵀr.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &T> {
        self.square.iter().chain(&self.slope)
    }

    /// tr JᵀJ = tr JJᵀ.
    pub(super) fn trace(&self) -> T {
        self.square.trace()
    }

    /// How many rows the smaller square has.
    pub(super) fn width(&self) -> usize {
        self.square.nrows()
    }

    /// The greatest number on the diagonal of JᵀJ.
    pub(super) fn steepest(&self) -> T {
        if !self.dual {
            return self.square.diagonal().max();
        }
        let count = self.slope.len();
        let mut squares = DVector::zeros(count);
        for row in self.rows.chunks_exact(count) {
            for (sum, g) in squares.iter_mut().zip(row) {
                *sum += *g * *g;
            }
        }
        squares.max()
    }

    /// At the network's parameters.
    pub(super) fn update(
        &mut self,
        net: &Sequential<T>,
        data: Batch<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (count, outputs) = (net.params().len(), self.outputs);
        let Batch { x, target } = data;
        self.square.fill(T::zero());
        self.slope.fill(T::zero());
        for first in (0..x.cols()).step_by(chunk(outputs)) {
            let end = x.cols().min(first + chunk(outputs));
            let x = x.range(first, end);
            let start = if self.dual {
                count * outputs * first
            } else {
                0
            };
            let rows = &mut self.rows[start..][..count * outputs * x.cols()];
            net.residual_gradients(x, rows, tape);
            let y = &mut self.y[..outputs * x.cols()];
            net.predict_into(x, ViewMut::from_parts(y, outputs, end - first), tape)?;
            let residuals = y.iter().zip(target.values().range(first, end).as_slice());
            for (k, (row, (y, t))) in rows.chunks_exact_mut(count).zip(residuals).enumerate() {
                self.tied.gather(row);
                let root = target
                    .weights()
                    .map_or(T::one(), |weights| weights[first + k / outputs].sqrt());
                let residual = root * (*y - *t);
                for (g, row) in self.slope.iter_mut().zip(row) {
                    *row *= root;
                    *g += residual * *row;
                }
                if self.dual {
                    self.weighted[first * outputs + k] = root * *y;
                    self.r[first * outputs + k] = residual;
                }
            }
            if !self.dual {
                let rows = View::from_parts(rows, count, rows.len() / count);
                let product = ViewMut::from_parts(&mut self.product, count, count);
                tape.scratch_mut()
                    .multiply(rows, rows.transposed(), product);
                for (sum, product) in self.square.as_mut_slice().iter_mut().zip(&self.product) {
                    *sum += *product;
                }
            }
        }
        if self.dual {
            let rows = View::from_parts(&self.rows, count, self.r.len());
            tape.scratch_mut()
                .multiply(rows.transposed(), rows, (&mut self.square).into());
        }
        Ok(())
    }

    /// Factorizes the square plus s on its diagonal; false where that is not positive definite to
    /// rounding.
    pub(super) fn factorize(&mut self, shift: T) -> bool {
        let mut damped = match self.factors.take() {
            Some(factors) => factors.unpack_dirty(),
            None => core::mem::replace(&mut self.damped, DMatrix::zeros(0, 0)),
        };
        if damped.is_empty() {
            // The factorization before failed, and kept it.
            damped = self.square.clone();
        } else {
            damped.copy_from(&self.square);
        }
        for i in 0..damped.nrows() {
            damped[(i, i)] += shift;
        }
        self.factors = Cholesky::new(damped);
        self.factors.is_some()
    }

    /// h = −(JᵀJ + sI)⁻¹·(Jᵀr + λw), from `gradient` = Jᵀr + λw, for the s that was factorized
    /// last.
    pub(super) fn step(
        &mut self,
        gradient: &DVector<T>,
        decay: Option<(T, &DVector<T>)>,
        shift: T,
        h: &mut DVector<T>,
        tape: &mut Tape<T>,
    ) {
        let Some(factors) = &self.factors else {
            return;
        };
        if !self.dual {
            for (h, g) in h.iter_mut().zip(gradient) {
                *h = -*g;
            }
            return factors.solve_mut(h);
        }
        // −Jᵀ(JJᵀ + sI)⁻¹·(r − λ/s·Jw) − λ/s·w.
        let rows = View::from_parts(&self.rows, h.len(), self.r.len());
        let scratch = tape.scratch_mut();
        match decay {
            None => self
                .side
                .iter_mut()
                .zip(&self.r)
                .for_each(|(side, r)| *side = -*r),
            Some((lambda, w)) => {
                scratch.multiply(rows.transposed(), View::from(w), (&mut self.side).into());
                for (side, r) in self.side.iter_mut().zip(&self.r) {
                    *side = lambda / shift * *side - *r;
                }
            }
        }
        factors.solve_mut(&mut self.side);
        scratch.multiply(rows, View::from(&self.side), (&mut *h).into());
        if let Some((lambda, w)) = decay {
            for (h, w) in h.iter_mut().zip(w) {
                *h -= lambda / shift * *w;
            }
        }
    }

    /// ½a = −½(JᵀJ + sI)⁻¹·Jᵀr̈, from the outputs at w + h·`part` and w − h·`part`, for the s that
    /// was factorized last.
    #[allow(
        clippy::too_many_arguments,
        reason = "two sides of a second difference"
    )]
    pub(super) fn bend(
        &mut self,
        net: &Sequential<T>,
        data: Batch<'_, T>,
        (ahead, behind): (&[T], &[T]),
        part: T,
        other_y: &mut [T],
        bend: &mut DVector<T>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (count, outputs) = (net.params().len(), self.outputs);
        let Batch { x, target } = data;
        bend.fill(T::zero());
        for first in (0..x.cols()).step_by(chunk(outputs)) {
            let end = x.cols().min(first + chunk(outputs));
            let x = x.range(first, end);
            let len = outputs * x.cols();
            for (params, y) in [(ahead, &mut self.y[..len]), (behind, &mut other_y[..len])] {
                let y = ViewMut::from_parts(y, outputs, x.cols());
                net.at(params)?.predict_into(x, y, tape)?;
            }
            let (ahead, behind) = (&self.y[..len], &other_y[..len]);
            let weights = target.weights();
            if self.dual {
                for k in 0..len {
                    let root = weights.map_or(T::one(), |v| v[first + k / outputs].sqrt());
                    let y = self.weighted[first * outputs + k];
                    let second = (root * ahead[k] - y - y + root * behind[k]) / (part * part);
                    self.side[first * outputs + k] = T::of(-0.5) * second;
                }
                continue;
            }
            let grads = &mut self.rows[..count];
            net.weighted_gradient(x, grads, tape, |k, y| {
                let weight = weights.map_or(T::one(), |weights| weights[first + k / outputs]);
                T::of(-0.5) * weight * (ahead[k] - y - y + behind[k]) / (part * part)
            });
            self.tied.gather(grads);
            for (sum, g) in bend.iter_mut().zip(grads) {
                *sum += *g;
            }
        }
        let Some(factors) = &self.factors else {
            return Ok(());
        };
        if !self.dual {
            factors.solve_mut(bend);
            return Ok(());
        }
        factors.solve_mut(&mut self.side);
        let rows = View::from_parts(&self.rows, count, self.r.len());
        tape.scratch_mut()
            .multiply(rows, View::from(&self.side), bend.into());
        Ok(())
    }

    /// Of how many of P parameters the residuals say more than a prior of precision s does:
    /// γ = P − s·tr (JᵀJ + sI)⁻¹, and ln det(JᵀJ + sI); `None` where that is not positive definite
    /// to rounding.
    pub(super) fn spectrum(&mut self, shift: T) -> Option<(T, T)> {
        if !self.factorize(shift) {
            return None;
        }
        let Some(factors) = &self.factors else {
            return None;
        };
        let (l, width) = (factors.l_dirty(), self.square.nrows());
        let (mut trace, mut log) = (T::zero(), T::zero());
        for i in 0..width {
            // Column i of L⁻¹, which is 0 above its diagonal.
            let mut column = self.side.rows_mut(i, width - i);
            column.fill(T::zero());
            column[0] = T::one();
            let below = l.view((i, i), (width - i, width - i));
            below.solve_lower_triangular_unchecked_mut(&mut column);
            trace += column.norm_squared();
            log += l[(i, i)].ln();
        }
        // JJᵀ lacks eigenvalues that are 0, and JᵀJ lacks none.
        // N − s·tr (JJᵀ + sI)⁻¹ is the same γ.
        let lacking = T::of((self.slope.len() - width) as f64);
        let gamma = T::of(width as f64) - shift * trace;
        Some((gamma, log + log + lacking * shift.ln()))
    }
}

/// So many samples at a time.
fn chunk(outputs: usize) -> usize {
    (CHUNK / outputs).max(1)
}

/// How many outputs that are at most.
pub(super) fn outputs_at_once(outputs: usize) -> usize {
    chunk(outputs) * outputs
}
