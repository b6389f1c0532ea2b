//! What passes work with beside their numbers: threads, and buffers that are kept from one pass to
//! the next. On them stands the matrix product.

use crate::error::Result;
use crate::numeric::kernel::gemm::{Mat, Product, Size};
use crate::numeric::kernel::workers::{Divide, Workers};
use crate::numeric::real::Real;
use crate::numeric::view::{View, ViewMut, check_shape};
use alloc::{vec, vec::Vec};
use core::ops::Range;
use nalgebra::{Dim, IsContiguous, Matrix, RawStorage};

/// Threads and buffers for matrix products. A [`Tape`](crate::Tape) owns one and hands it to each
/// layer.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    pub(crate) workers: Workers,
    /// One for each thread.
    tools: Vec<Tool<T>>,
    /// A buffer for a product that is to be added to something.
    spare: Vec<T>,
}

/// The buffers of a thread.
#[derive(Clone, Debug)]
struct Tool<T> {
    /// Factors of products.
    pack: Vec<T>,
    /// Some rows of a product.
    rows: Vec<T>,
    /// How many these are.
    count: usize,
}

impl<T> Scratch<T> {
    pub(crate) fn new(workers: Workers) -> Self {
        let tool = |_| Tool {
            pack: Vec::new(),
            rows: Vec::new(),
            count: 0,
        };
        Self {
            tools: (0..workers.count()).map(tool).collect(),
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
        self.multiply_then(a, b, c, (), |_, ()| {});
    }

    /// C = A·B of matrices that fit, then `finish` on columns of C and on what lies `beside` them.
    ///
    /// A thread that computes some columns of C reads all of A, one that computes some rows reads
    /// all of B: so C is cut along its longer side. Rows go through a buffer of the thread's, for
    /// they are not one piece of memory.
    #[inline]
    pub(crate) fn multiply_then<'a, 'b, W: Divide>(
        &mut self,
        a: impl Into<Factor<'a, T>>,
        b: impl Into<Factor<'b, T>>,
        c: ViewMut<'_, T>,
        beside: W,
        finish: impl Fn(ViewMut<'_, T>, W) + Sync,
    ) {
        let (a, b) = (a.into(), b.into());
        let (cost, columns) = (a.rows * a.cols, b.cols);
        let parts = self.workers.parts(cost.saturating_mul(columns));
        let parts = parts.min(a.rows / Rows::<T>::LEAST);
        if parts < 2 || a.rows < 2 * columns {
            return self.share(cost, columns, (b, c, beside), |(b, mut c, beside), pack| {
                multiply(a, b, c.reborrow(), pack);
                finish(c, beside);
            });
        }
        let tools = &mut self.tools[..parts];
        let work = Rows(a);
        self.workers
            .spread(work, a.rows / Rows::<T>::LEAST, tools, &|Rows(a), tool| {
                let len = a.rows * columns;
                if tool.rows.len() < len {
                    tool.rows.resize(len, T::zero());
                }
                tool.count = a.rows;
                let c = ViewMut::from_parts(&mut tool.rows[..len], a.rows, columns);
                multiply(a, b, c, &mut tool.pack);
            });
        let pieces = &*tools;
        self.workers.spread(
            (0..columns, c, beside),
            columns,
            &mut vec![(); parts.min(columns)],
            &|(range, mut c, beside): (Range<usize>, ViewMut<'_, T>, W), ()| {
                for (mut column, index) in c.iter_mut().zip(range) {
                    for Tool { rows, count, .. } in pieces {
                        let (some, rest) = column.split_at_mut(*count);
                        some.copy_from_slice(&rows[index * count..][..*count]);
                        column = rest;
                    }
                }
                finish(c, beside);
            },
        );
    }

    /// The buffer of this thread's products.
    pub(crate) fn pack(&mut self) -> &mut Vec<T> {
        &mut self.tools[0].pack
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
        if let [tool] = &mut self.tools[..] {
            return run(work, &mut tool.pack);
        }
        let parts = self.workers.parts(cost.saturating_mul(columns));
        let parts = parts.min(columns / 2).max(1);
        self.workers
            .spread(work, columns, &mut self.tools[..parts], &|work, tool| {
                run(work, &mut tool.pack)
            });
    }
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self::new(Workers::default())
    }
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

/// Rows of a factor, at least [`LEAST`](Self::LEAST) at a time.
struct Rows<'a, T>(Factor<'a, T>);

impl<T> Rows<'_, T> {
    /// So many fill the widest vector. A single one would be a row of dot products, which may round
    /// differently.
    const LEAST: usize = 16;
}

impl<T: Real> Divide for Rows<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let (rows, factor) = (at * Self::LEAST, self.0);
        let mat = factor.mat.rest(rows, 0);
        (
            Self(Factor { rows, ..factor }),
            Self(Factor {
                mat,
                rows: factor.rows - rows,
                ..factor
            }),
        )
    }
}

/// Columns of a factor.
impl<T: Real> Divide for Factor<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let mat = self.mat.rest(0, at);
        (
            Self { cols: at, ..self },
            Self {
                mat,
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
