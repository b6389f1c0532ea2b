//! What passes work with beside their numbers: threads, and buffers that are kept from one pass to
//! the next. On them stands the matrix product.

use crate::error::Result;
use crate::numeric::kernel::gemm::{Mat, Product, Size};
use crate::numeric::kernel::workers::{Divide, Workers, spread};
use crate::numeric::real::Real;
use crate::numeric::view::{View, ViewMut, check_shape};
use alloc::vec::Vec;
use nalgebra::{Dim, IsContiguous, Matrix, RawStorage};

/// Threads and buffers for matrix products. A [`Tape`](crate::Tape) owns one and hands it to each
/// layer.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    pub(crate) workers: Workers,
    /// A buffer for the products of each thread.
    packs: Vec<Vec<T>>,
    /// A buffer for a product that is to be added to something.
    spare: Vec<T>,
}

impl<T> Scratch<T> {
    pub(crate) fn new(workers: Workers) -> Self {
        let packs = (0..workers.count()).map(|_| Vec::new()).collect();
        Self {
            packs,
            workers,
            spare: Vec::new(),
        }
    }
}

impl<T: Real> Scratch<T> {
    /// C = A·B, where A and B are matrices or, by [`View::transposed`], their transposes. C is
    /// overwritten; an inner dimension of 0 gives zeros.
    ///
    /// This is the product of [`Dense`](crate::Dense), for layers of other crates: vectorized for
    /// the machine, shared among the threads of the tape where the work is worth waking them, and
    /// free of allocation once the buffers have grown. C has the same bits for any number of
    /// threads, and a column of W·X has them in every batch X.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) unless A is m × k, B k × n and C m × n; C is
    /// then as it was.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nalgebra::DMatrix;
    /// use chainrule::nn::layer::Scratch;
    ///
    /// let w = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    /// let x = DMatrix::from_row_slice(3, 1, &[1.0, 0.0, -1.0]);
    /// let (mut z, mut dx, mut dw) = (DMatrix::zeros(2, 1), DMatrix::zeros(3, 1), DMatrix::zeros(2, 3));
    ///
    /// let mut scratch = Scratch::default();
    /// scratch.product(&w, &x, &mut z)?; // z = W·x
    /// scratch.product(View::from(&w).transposed(), &z, &mut dx)?; // Wᵀ·z
    /// scratch.product(&z, View::from(&x).transposed(), &mut dw)?; // z·xᵀ
    /// assert_eq!((&z, &dx, &dw), (&(&w * &x), &(w.transpose() * &z), &(&z * x.transpose())));
    /// assert!(scratch.product(&w, &z, &mut dx).is_err());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("gemm", "matmul"))]
    pub fn product<'a, 'b, 'c>(
        &mut self,
        a: impl Into<Factor<'a, T>>,
        b: impl Into<Factor<'b, T>>,
        c: impl Into<ViewMut<'c, T>>,
    ) -> Result<()> {
        let (a, b, c) = (a.into(), b.into(), c.into());
        check_shape(
            || "second factor of Scratch::product".into(),
            (a.cols, b.cols),
            (b.rows, b.cols),
        )?;
        check_shape(
            || "result of Scratch::product".into(),
            (a.rows, b.cols),
            (c.rows(), c.cols()),
        )?;
        self.multiply(a, b, c);
        Ok(())
    }

    /// [`product`](Self::product) of matrices that fit.
    #[inline]
    pub(crate) fn multiply<'a, 'b>(
        &mut self,
        a: impl Into<Factor<'a, T>>,
        b: impl Into<Factor<'b, T>>,
        c: ViewMut<'_, T>,
    ) {
        let (a, b) = (a.into(), b.into());
        let (cost, columns) = (a.rows * a.cols, b.cols);
        self.share(cost, columns, (b, c), |(b, c), pack| {
            multiply(a, b, c, pack)
        });
    }

    /// The buffer of this thread's products.
    pub(crate) fn pack(&mut self) -> &mut Vec<T> {
        &mut self.packs[0]
    }

    /// C ← C + A·B, of matrices that fit.
    pub(crate) fn add_product<'a, 'b>(
        &mut self,
        a: impl Into<Factor<'a, T>>,
        b: impl Into<Factor<'b, T>>,
        mut c: ViewMut<'_, T>,
    ) {
        let mut spare = core::mem::take(&mut self.spare);
        let (rows, cols) = (c.rows(), c.cols());
        if spare.len() < rows * cols {
            spare.resize(rows * cols, T::zero());
        }
        self.multiply(
            a,
            b,
            ViewMut::from_parts(&mut spare[..rows * cols], rows, cols),
        );
        for (c, more) in c.as_mut_slice().iter_mut().zip(&spare) {
            *c += *more;
        }
        self.spare = spare;
    }

    /// Does work of `cost` multiplications for each of `columns` columns: side by side where it is
    /// worth it. Two columns are the least for a thread, because the product for a single one may
    /// round differently.
    #[inline]
    pub(crate) fn share<W: Divide>(
        &mut self,
        cost: usize,
        columns: usize,
        work: W,
        run: impl Fn(W, &mut Vec<T>) + Sync,
    ) {
        if let [pack] = &mut self.packs[..] {
            return run(work, pack);
        }
        let parts = self
            .packs
            .len()
            .min(parts(cost, columns))
            .min(columns / 2)
            .max(1);
        spread(work, columns, &mut self.packs[..parts], &run);
    }
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self::new(Workers::default())
    }
}

/// Into how many parts work of `cost` multiplications for each of `columns` columns is worth
/// cutting: a part must take a thread longer than it takes to wake it.
pub(crate) fn parts(cost: usize, columns: usize) -> usize {
    const LEAST: usize = 1 << 21;
    cost.saturating_mul(columns) / LEAST
}

/// C = A·B on this thread, of matrices that fit.
#[inline]
pub(crate) fn multiply<'a, 'b, T: Real>(
    a: impl Into<Factor<'a, T>>,
    b: impl Into<Factor<'b, T>>,
    mut c: ViewMut<'_, T>,
    pack: &mut Vec<T>,
) {
    let (a, b) = (a.into(), b.into());
    debug_assert_eq!((a.rows, a.cols, b.cols), (c.rows(), b.rows, c.cols()));
    let size = Size {
        m: a.rows,
        n: b.cols,
        k: a.cols,
    };
    T::product(&mut Product {
        size,
        a: a.mat,
        b: b.mat,
        c: c.as_mut_slice(),
        pack,
    });
}

/// A factor of a [product](Scratch::product): a matrix, or the transpose of one in the same memory.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a, T> {
    mat: Mat<'a, T>,
    rows: usize,
    cols: usize,
}

impl<'a, T> View<'a, T> {
    /// The transpose, as a factor of [`Scratch::product`]; nothing is copied.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nn::layer::Scratch;
    /// let x = View::new(&[1.0, 2.0, 3.0, 4.0], 2)?;
    /// let mut gram = [0.0; 4];
    /// Scratch::default().product(x.transposed(), x, chainrule::numeric::ViewMut::new(&mut gram, 2)?)?;
    /// assert_eq!(gram, [5.0, 11.0, 11.0, 25.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn transposed(&self) -> Factor<'a, T> {
        let (rows, cols) = self.shape();
        Factor {
            mat: Mat::columns(self.as_slice(), rows).flipped(),
            rows: cols,
            cols: rows,
        }
    }
}

impl<'a, T> From<View<'a, T>> for Factor<'a, T> {
    #[inline]
    fn from(matrix: View<'a, T>) -> Self {
        let (rows, cols) = matrix.shape();
        Self {
            mat: Mat::columns(matrix.as_slice(), rows),
            rows,
            cols,
        }
    }
}

impl<'a, T, R: Dim, C: Dim, S: RawStorage<T, R, C> + IsContiguous> From<&'a Matrix<T, R, C, S>>
    for Factor<'a, T>
{
    fn from(matrix: &'a Matrix<T, R, C, S>) -> Self {
        View::from(matrix).into()
    }
}

/// Columns of a factor.
impl<T: Real> Divide for Factor<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let rest = Mat {
            data: &self.mat.data[at * self.mat.strides().1..],
            ..self.mat
        };
        (
            Self { cols: at, ..self },
            Self {
                mat: rest,
                cols: self.cols - at,
                ..self
            },
        )
    }
}

impl<T: Real> Divide for View<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        (self.range(0, at), self.range(at, self.cols()))
    }
}

impl<T: Real> Divide for ViewMut<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}
