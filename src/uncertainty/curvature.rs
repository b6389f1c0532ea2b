//! The Gauss–Newton matrix of a likelihood, and what it makes of a Gaussian prior: determinants,
//! traces, variances. In `f64`, whatever the scalar of the network.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::zeros;
use crate::numeric::scratch::Scratch;
use crate::numeric::view::View;
use alloc::{vec, vec::Vec};
use core::ops::Range;
use nalgebra::{Cholesky, DMatrix, Dyn};

/// G = Σ JᵀΛJ, or its diagonal.
#[derive(Clone, Debug)]
pub(super) enum Curvature {
    Full(DMatrix<f64>),
    Diagonal(Vec<f64>),
}

/// A Gaussian about 0: each group of parameters has a precision of its own.
#[derive(Clone, Debug)]
pub(super) struct Prior {
    /// Which parameters belong to each group; together they are all.
    pub(super) groups: Vec<Range<usize>>,
    pub(super) precisions: Vec<f64>,
}

/// H = β·G + A in factors: that of Cholesky, or roots.
#[derive(Clone, Debug)]
pub(super) enum Factors {
    Full(Cholesky<f64, Dyn>),
    Diagonal(Vec<f64>),
}

impl Prior {
    /// Precision after precision, of each parameter.
    fn each(&self) -> impl Iterator<Item = f64> {
        let groups = self.groups.iter().zip(&self.precisions);
        groups.flat_map(|(group, precision)| group.clone().map(|_| *precision))
    }

    /// ln det A.
    pub(super) fn log_det(&self) -> f64 {
        let groups = self.groups.iter().zip(&self.precisions);
        groups
            .map(|(group, precision)| group.len() as f64 * libm::log(*precision))
            .sum()
    }

    /// θᵀAθ, from the squares of each group.
    pub(super) fn scatter(&self, squares: &[f64]) -> f64 {
        self.precisions
            .iter()
            .zip(squares)
            .map(|(precision, square)| precision * square)
            .sum()
    }
}

impl Curvature {
    /// Nothing yet, of so many parameters.
    pub(super) fn new(place: &str, params: usize, diagonal: bool) -> Result<Self> {
        if diagonal {
            return Ok(Self::Diagonal(zeros(place, &[params])?));
        }
        let numbers = zeros(place, &[params, params])
            .map_err(|error| Error::new(error.kind(), place, CURE_OF_SIZE, error.given()))?;
        Ok(Self::Full(DMatrix::from_vec(params, params, numbers)))
    }

    /// G ← G + RᵀR, R of so many rows of gradients, one after the other.
    pub(super) fn add(&mut self, rows: &[f64], scratch: &mut Scratch<f64>) {
        match self {
            Self::Full(sum) => {
                let rows = View::from_parts(rows, sum.nrows(), rows.len() / sum.nrows());
                scratch.add_product(rows, rows.transposed(), sum.into());
            }
            Self::Diagonal(sum) => {
                for row in rows.chunks_exact(sum.len()) {
                    for (sum, row) in sum.iter_mut().zip(row) {
                        *sum += row * row;
                    }
                }
            }
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        match self {
            Self::Full(g) => g.iter().all(|v| v.is_finite()),
            Self::Diagonal(g) => g.iter().all(|v| v.is_finite()),
        }
    }

    /// βG + A in factors.
    pub(super) fn factors(&self, beta: f64, prior: &Prior) -> Result<Factors> {
        let factors = match self {
            Self::Full(g) => {
                let mut h = g * beta;
                for (i, precision) in prior.each().enumerate() {
                    h[(i, i)] += precision;
                }
                Cholesky::new(h).map(Factors::Full)
            }
            Self::Diagonal(g) => {
                let roots = g
                    .iter()
                    .zip(prior.each())
                    .map(|(g, a)| libm::sqrt(beta * g + a));
                Some(Factors::Diagonal(roots.collect()))
            }
        };
        factors.filter(Factors::is_finite).ok_or_else(|| {
            let least = prior
                .precisions
                .iter()
                .copied()
                .fold(f64::INFINITY, f64::min);
            Error::new(
                ErrorKind::NotFinite,
                "posterior precision of Laplace",
                "a matrix that is positive definite to rounding (a larger prior_precision or a \
                 larger noise makes it so, and diagonal() needs it not)",
                alloc::format!("one that is not, for a prior precision of {least}"),
            )
        })
    }

    /// The eigenvalues of G, group by group, where βG + A has those of G, scaled and shifted: for a
    /// single group, and for a diagonal.
    pub(super) fn spectra(&self, groups: &[Range<usize>]) -> Option<Vec<Vec<f64>>> {
        match self {
            Self::Full(g) if groups.len() == 1 => {
                let values = g.symmetric_eigenvalues();
                // What rounding made negative.
                Some(vec![values.iter().map(|value| value.max(0.0)).collect()])
            }
            Self::Full(_) => None,
            Self::Diagonal(g) => Some(
                groups
                    .iter()
                    .map(|group| g[group.clone()].to_vec())
                    .collect(),
            ),
        }
    }
}

const CURE_OF_SIZE: &str = "as many numbers as fit into memory (last_layer() and diagonal() need \
     fewer)";

impl Factors {
    fn is_finite(&self) -> bool {
        match self {
            Self::Full(factors) => factors.l_dirty().diagonal().iter().all(|v| v.is_finite()),
            Self::Diagonal(roots) => roots.iter().all(|v| v.is_finite() && *v > 0.0),
        }
    }

    /// ln det H.
    pub(super) fn log_det(&self) -> f64 {
        let twice = |root: &f64| 2.0 * libm::log(*root);
        match self {
            Self::Full(factors) => factors.l_dirty().diagonal().iter().map(twice).sum(),
            Self::Diagonal(roots) => roots.iter().map(twice).sum(),
        }
    }

    /// The diagonal of H⁻¹: the variance of each parameter.
    pub(super) fn variances(&self) -> Vec<f64> {
        match self {
            Self::Full(factors) => {
                let l = factors.l_dirty();
                let mut inverse = DMatrix::identity(l.nrows(), l.nrows());
                l.solve_lower_triangular_unchecked_mut(&mut inverse);
                inverse
                    .column_iter()
                    .map(|column| column.norm_squared())
                    .collect()
            }
            Self::Diagonal(roots) => roots.iter().map(|root| 1.0 / (root * root)).collect(),
        }
    }

    /// Each row g of gradients becomes L⁻¹g, so that products of two are those with H⁻¹.
    pub(super) fn whiten(&self, rows: &mut DMatrix<f64>) {
        match self {
            Self::Full(factors) => factors.l_dirty().solve_lower_triangular_unchecked_mut(rows),
            Self::Diagonal(roots) => {
                for mut row in rows.column_iter_mut() {
                    for (g, root) in row.iter_mut().zip(roots) {
                        *g /= root;
                    }
                }
            }
        }
    }
}

/// Room for products on one thread.
pub(super) fn scratch() -> Scratch<f64> {
    Scratch::new(Workers::default())
}
