//! Matrix products on column-major slices, vectorized at run time.
//!
//! Every element of a product is summed in one fixed order: the inner dimension is cut into blocks
//! whose length depends on it alone, each block is one chain of (fused) multiply-adds from zero,
//! and the block sums are added in ascending order. Neither the vector width nor the tiling enters,
//! so all levels with fused multiply-add give the same bits, and a sample's result does not depend
//! on the batch around it. Products with a single row or column that lie along memory are dot
//! products over sixteen (`f64`: eight) interleaved chains instead, again on every level.
#![allow(
    clippy::too_many_arguments,
    reason = "a product has three sizes and three matrices"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "the index runs through several arrays at once, and unrolls"
)]

use alloc::vec::Vec;
use core::array::from_fn;
use core::ops::Range;

use super::{Kernel, is_least};
use fearless_simd::{Simd, f32x4, f32x8, f32x16, f64x2, f64x4, f64x8, prelude::*};

/// A column-major operand: element (i, j) lies at `data[skip + i + j * ld]`; `transposed`
/// multiplies with its transpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mat<'a, T> {
    /// The elements, column by column.
    pub(crate) data: &'a [T],
    /// Distance between neighboring columns, at least the number of stored rows.
    pub(crate) ld: usize,
    /// Stored rows that are not part of it. They are not cut off: then the last column would not be
    /// `ld` long, and have to be copied.
    pub(crate) skip: usize,
    /// Whether op(X) = Xᵀ.
    pub(crate) transposed: bool,
}

impl<T> Mat<'_, T> {
    /// Distances between neighboring rows and between neighboring columns of op(self).
    pub(crate) fn strides(&self) -> (usize, usize) {
        if self.transposed {
            (self.ld, 1)
        } else {
            (1, self.ld)
        }
    }

    /// The transpose of op(self), in the same memory.
    pub(crate) fn flipped(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }
}

impl<'a, T> Mat<'a, T> {
    /// Columns of `rows` elements, one after the other.
    pub(crate) fn columns(data: &'a [T], rows: usize) -> Self {
        Self {
            data,
            ld: rows,
            skip: 0,
            transposed: false,
        }
    }

    /// op(self) without its first rows and columns.
    pub(crate) fn rest(self, rows: usize, columns: usize) -> Self {
        let (rows, columns) = if self.transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        Self {
            data: &self.data[columns * self.ld..],
            skip: self.skip + rows,
            ..self
        }
    }

    /// The same operand, whose data begin with its first element.
    #[inline(always)]
    fn cut(self) -> Self {
        Self {
            data: &self.data[self.skip..],
            skip: 0,
            ..self
        }
    }

    /// Element (i, j) of op(self).
    pub(crate) fn at(&self, i: usize, j: usize) -> T
    where
        T: Copy,
    {
        let (row, column) = self.strides();
        self.data[self.skip + i * row + j * column]
    }
}

/// C = op(A)·op(B) for `f32` and `f64`. C is packed column-major, overwritten; an inner dimension
/// of 0 gives zeros.
#[derive(Debug)]
pub struct Product<'a, T> {
    pub(crate) size: Size,
    pub(crate) a: Mat<'a, T>,
    pub(crate) b: Mat<'a, T>,
    pub(crate) c: &'a mut [T],
    /// Scratch memory that grows on first use only.
    pub(crate) pack: &'a mut Vec<T>,
}

impl<T: Element> Kernel for &mut Product<'_, T> {
    type Output = ();
    const WIDE: bool = true;
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        product::<T, S, FMA>(simd, self.size, self.a, self.b, self.c, self.pack);
    }
}

/// [`Product`] on one instruction set.
#[inline(always)]
pub(crate) fn product<T: Element, S: Simd, const FMA: bool>(
    simd: S,
    size: Size,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
    pack: &mut Vec<T>,
) {
    if const { is_least(FMA) } {
        return plain(size, a, b, c, pack);
    }
    let Size { m, n, k } = size;
    if m * n <= TINY / 2
        && k <= TINY
        && (1..=TINY).contains(&(m * n * k))
        && !size.is_row(b)
        && !size.is_column(a)
    {
        tiny::<T, S, FMA>(simd, size, a.cut(), b.cut(), c);
    } else {
        // A function of its own, whose large stack frame tiny products are spared.
        simd.vectorize(
            #[inline(always)]
            || by_width(simd, size, a, b, c, pack),
        );
    }
}

/// C is m × n, the inner dimension k.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

impl Size {
    /// Whether C is a row of dot products: columns of B times the one row of A. That must not
    /// depend on n, because one sample's result must not depend on the samples beside it.
    fn is_row<T>(self, b: Mat<'_, T>) -> bool {
        self.m == 1 && self.k > DOT_MIN && !b.transposed
    }

    /// Whether C is a column of dot products: columns of A, which is transposed, times the one
    /// column of B.
    fn is_column<T>(self, a: Mat<'_, T>) -> bool {
        self.n == 1 && self.k > DOT_MIN && a.transposed
    }
}

/// Longest block of the inner dimension.
pub(crate) const K_BLOCK: usize = 384;
/// Bytes of the left factor that are packed at once, so that 1024 × 256 numbers are one group.
const LEFT_BYTES: usize = 5 << 18;
/// Bytes of the right factor that are packed at once, which stay near while the panels of the left
/// one go by; rows that lie along memory are read in long pieces.
const RIGHT_BYTES: usize = 1 << 18;
/// Up to this inner dimension nothing is gained by dot products.
const DOT_MIN: usize = 16;
/// Up to this many multiply-adds plain loops are fastest.
const TINY: usize = 64;
/// Packed memory starts on a cache line.
const ALIGN: usize = 64;
/// Vectors in a panel of a matrix-vector product.
const GEMV: usize = 8;

/// A scalar with vector types that have the same number of lanes on every level.
pub(crate) trait Element: SimdFloatElement {
    type Wide<S: Simd>: SimdFloat<S, Element = Self>;
    type Half<S: Simd>: SimdFloat<S, Element = Self>;
    /// a·b + c, rounded as the vectors' multiply-add. `FMA` says whether that is one instruction
    /// for a scalar.
    fn multiply_add<S: Simd, const FMA: bool>(simd: S, a: Self, b: Self, c: Self) -> Self;
}
macro_rules! element {
    ($t:ident, $wide:ident, $half:ident, $narrow:ident) => {
        impl Element for $t {
            type Wide<S: Simd> = $wide<S>;
            type Half<S: Simd> = $half<S>;

            #[inline(always)]
            fn multiply_add<S: Simd, const FMA: bool>(simd: S, a: Self, b: Self, c: Self) -> Self {
                #[cfg(feature = "std")]
                if FMA {
                    return a.mul_add(b, c);
                }
                $narrow::splat(simd, a).mul_add(b, $narrow::splat(simd, c))[0]
            }
        }
    };
}
element!(f32, f32x16, f32x8, f32x4);
element!(f64, f64x8, f64x4, f64x2);

/// Picks the register tile: MV vectors of L lanes by NR columns, a vector of each row and one
/// number of each column leave a register free, or the compiler might put a sum into memory. Where
/// NR is no power of two, PR is the next one.
#[inline(always)]
fn by_width<T: Element, S: Simd>(
    simd: S,
    size: Size,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
    pack: &mut Vec<T>,
) {
    let many = cfg!(target_arch = "aarch64");
    match (T::Native::<S>::LEN, size_of::<T>()) {
        (16, _) => by_shape::<T, S, 3, 8, 8, 16>(simd, size, a, b, c, pack),
        (8, 8) => by_shape::<T, S, 3, 8, 8, 8>(simd, size, a, b, c, pack),
        (8, _) => by_shape::<T, S, 2, 6, 8, 8>(simd, size, a, b, c, pack),
        (4, 8) => by_shape::<T, S, 2, 6, 8, 4>(simd, size, a, b, c, pack),
        (4, _) if many => by_shape::<T, S, 3, 8, 8, 4>(simd, size, a, b, c, pack),
        (4, _) => by_shape::<T, S, 2, 4, 4, 4>(simd, size, a, b, c, pack),
        _ if many => by_shape::<T, S, 3, 8, 8, 2>(simd, size, a, b, c, pack),
        _ => by_shape::<T, S, 2, 4, 4, 2>(simd, size, a, b, c, pack),
    }
}

/// Picks the way: dot products, an outer product, or tiles over C or over its transpose.
#[inline(always)]
fn by_shape<
    T: Element,
    S: Simd,
    const MV: usize,
    const NR: usize,
    const PR: usize,
    const L: usize,
>(
    simd: S,
    size: Size,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
    pack: &mut Vec<T>,
) {
    let Size { m, n, k } = size;
    let c = &mut c[..m * n];
    if c.is_empty() || k == 0 {
        return c.fill(T::default());
    }
    if size.is_row(b) {
        return dots(
            simd,
            k,
            b.cut(),
            Line {
                data: a.cut().data,
                step: a.strides().1,
            },
            c,
            pack,
        );
    }
    if size.is_column(a) {
        return dots(
            simd,
            k,
            a.cut(),
            Line {
                data: b.cut().data,
                step: b.strides().0,
            },
            c,
            pack,
        );
    }
    if k == 1 {
        let (column, row) = (
            Line {
                data: a.cut().data,
                step: a.strides().0,
            },
            Line {
                data: b.cut().data,
                step: b.strides().1,
            },
        );
        return if m == 1 {
            outer(simd, row, column, n, c, pack)
        } else {
            outer(simd, column, row, m, c, pack)
        };
    }
    // Lanes run along the rows of C, or along its columns: then the transposed problem is solved
    // and its tiles are transposed.
    let padded = (m.next_multiple_of(L) * n, n.next_multiple_of(L) * m);
    let across = match (a.transposed, b.transposed) {
        (false, false) => false,
        (true, true) => true,
        (false, true) => padded.1 + m * n / 8 < padded.0,
        (true, false) => n < 64 && n * k + m * n * k.div_ceil(K_BLOCK) / 2 < m * k,
    };
    if across {
        let out = Out {
            c,
            ld: if m == 1 { n } else { m },
            transposed: m > 1,
        };
        blocked::<T, S, MV, NR, PR, L>(
            simd,
            Size { m: n, n: m, k },
            b.flipped(),
            a.flipped(),
            out,
            pack,
        );
    } else {
        blocked::<T, S, MV, NR, PR, L>(
            simd,
            size,
            a,
            b,
            Out {
                c,
                ld: m,
                transposed: false,
            },
            pack,
        );
    }
}

/// The product by loops that a compiler vectorizes as it can, in the common order of summation.
fn plain<T: Element>(size: Size, a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], pack: &mut Vec<T>) {
    const ROWS: usize = 16;
    let Size { m, n, k } = size;
    let c = &mut c[..m * n];
    if c.is_empty() || k == 0 {
        return c.fill(T::default());
    }
    let (a, b) = (a.cut(), b.cut());
    if size.is_row(b) {
        let (data, step) = (a.data, a.strides().1);
        return plain_dots(k, b, Line { data, step }.contiguous(k, pack), c);
    }
    if size.is_column(a) {
        let (data, step) = (b.data, b.strides().0);
        return plain_dots(k, a, Line { data, step }.contiguous(k, pack), c);
    }
    for (j, c) in c.chunks_exact_mut(m).enumerate() {
        for (i, c) in c.chunks_mut(ROWS).enumerate() {
            for (q, first) in (0..k).step_by(block_len(k)).enumerate() {
                let mut sums = [T::default(); ROWS];
                for p in first..k.min(first + block_len(k)) {
                    let x = b.at(p, j);
                    let column = a.data.get(i * ROWS + p * a.ld..);
                    match column.and_then(|column| column.first_chunk::<ROWS>()) {
                        Some(column) if !a.transposed => {
                            for r in 0..ROWS {
                                sums[r] = column[r] * x + sums[r];
                            }
                        }
                        _ => {
                            for (r, sum) in sums[..c.len()].iter_mut().enumerate() {
                                *sum = a.at(i * ROWS + r, p) * x + *sum;
                            }
                        }
                    }
                }
                put(c, &sums[..c.len()], q > 0);
            }
        }
    }
}

/// [`dots`] likewise.
fn plain_dots<T: Element>(k: usize, a: Mat<'_, T>, x: &[T], c: &mut [T]) {
    const MOST: usize = 16;
    let lanes = 64 / size_of::<T>();
    for (c, column) in c.iter_mut().zip(a.data.chunks(a.ld)) {
        let mut sums = [T::default(); MOST];
        for (a, x) in column[..k].chunks(lanes).zip(x.chunks(lanes)) {
            for (sum, (a, x)) in sums.iter_mut().zip(a.iter().zip(x)) {
                *sum = *a * *x + *sum;
            }
        }
        // Added up in the order of `dots`.
        let quarter = lanes / 4;
        let sum = |e: usize| {
            (sums[e] + sums[e + quarter]) + (sums[e + 2 * quarter] + sums[e + 3 * quarter])
        };
        *c = match quarter {
            4 => (sum(0) + sum(1)) + (sum(2) + sum(3)),
            _ => sum(0) + sum(1),
        };
    }
}

/// Plain loops in the common order of summation, a few rows at a time.
#[inline(always)]
fn tiny<T: Element, S: Simd, const FMA: bool>(
    simd: S,
    size: Size,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
) {
    let mut i = 0;
    while i < size.m {
        match size.m - i {
            1 => tiny_rows::<T, S, FMA, 1>(simd, size, i, a, b, c),
            2 => tiny_rows::<T, S, FMA, 2>(simd, size, i, a, b, c),
            3 => tiny_rows::<T, S, FMA, 3>(simd, size, i, a, b, c),
            _ => tiny_rows::<T, S, FMA, 4>(simd, size, i, a, b, c),
        }
        i += 4;
    }
}

/// The rows i..i + M.
#[inline(always)]
fn tiny_rows<T: Element, S: Simd, const FMA: bool, const M: usize>(
    simd: S,
    size: Size,
    i: usize,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
) {
    if a.transposed {
        let mut columns: [&[T]; M] = [&[]; M];
        for q in 0..M {
            columns[q] = &a.data[(i + q) * a.ld..][..size.k];
        }
        let column = |p| {
            let mut column = [T::default(); M];
            for q in 0..M {
                column[q] = columns[q][p];
            }
            column
        };
        tiny_sums::<T, S, FMA, M>(simd, size, column, b, &mut c[i..]);
    } else {
        let column = |p| {
            let mut column = [T::default(); M];
            let start = i + p * a.ld;
            column.copy_from_slice(&a.data[start..start + M]);
            column
        };
        tiny_sums::<T, S, FMA, M>(simd, size, column, b, &mut c[i..]);
    }
}

/// M rows of C, of which `a` gives the column of A that is to be multiplied with a row of B.
#[inline(always)]
fn tiny_sums<T: Element, S: Simd, const FMA: bool, const M: usize>(
    simd: S,
    Size { m, n, k }: Size,
    a: impl Fn(usize) -> [T; M],
    b: Mat<'_, T>,
    c: &mut [T],
) {
    let (bp, bj) = b.strides();
    for j in 0..n {
        let (b, mut sums) = (&b.data[j * bj..], [T::default(); M]);
        for p in 0..k {
            let (a, x) = (a(p), b[p * bp]);
            for q in 0..M {
                sums[q] = T::multiply_add::<S, FMA>(simd, a[q], x, sums[q]);
            }
        }
        c[j * m..j * m + M].copy_from_slice(&sums);
    }
}

/// Elements `step` apart.
#[derive(Clone, Copy)]
struct Line<'a, T> {
    data: &'a [T],
    step: usize,
}

impl<'a, T: Element> Line<'a, T> {
    /// The first `len` elements next to each other.
    #[inline(always)]
    fn contiguous(self, len: usize, pack: &'a mut Vec<T>) -> &'a [T] {
        if self.step == 1 {
            return &self.data[..len];
        }
        pack.clear();
        pack.extend(self.data.iter().step_by(self.step).take(len));
        pack
    }
}

/// The outer product of x (m elements) and y.
#[inline(always)]
fn outer<T: Element, S: Simd>(
    simd: S,
    x: Line<'_, T>,
    y: Line<'_, T>,
    m: usize,
    c: &mut [T],
    pack: &mut Vec<T>,
) {
    let x = x.contiguous(m, pack);
    simd.vectorize(
        #[inline(always)]
        || {
            for (j, c) in c.chunks_exact_mut(m).enumerate() {
                let y = y.data[j * y.step];
                for (c, x) in c.iter_mut().zip(x) {
                    // the sum turns -0 into 0, as a chain from zero does
                    *c = *x * y + T::default();
                }
            }
        },
    );
}

/// c[i] = (column i of `a`)·x, lanes along the columns.
#[inline(always)]
fn dots<T: Element, S: Simd>(
    simd: S,
    k: usize,
    a: Mat<'_, T>,
    x: Line<'_, T>,
    c: &mut [T],
    pack: &mut Vec<T>,
) {
    const AT_ONCE: usize = 4;
    let x = x.contiguous(k, pack);
    simd.vectorize(
        #[inline(always)]
        || {
            let wide = T::Wide::<S>::LEN;
            let (x_body, x_tail) = x.split_at(k / wide * wide);
            let tail = |x: &[T]| {
                let mut lanes = [T::default(); 16];
                put(&mut lanes[..x.len()], x, false);
                T::Wide::<S>::from_slice(simd, &lanes[..wide])
            };
            let x_tail = tail(x_tail);
            for (q, c) in c.chunks_mut(AT_ONCE).enumerate() {
                let columns: [&[T]; AT_ONCE] =
                    from_fn(|i| &a.data[(q * AT_ONCE + i.min(c.len() - 1)) * a.ld..][..k]);
                let mut sums = [T::Wide::<S>::splat(simd, T::default()); AT_ONCE];
                for (p, x) in (0..k).step_by(wide).zip(x_body.chunks_exact(wide)) {
                    let x = T::Wide::<S>::from_slice(simd, x);
                    for i in 0..AT_ONCE {
                        sums[i] = T::Wide::<S>::from_slice(simd, &columns[i][p..p + wide])
                            .mul_add(x, sums[i]);
                    }
                }
                if x_body.len() < k {
                    for i in 0..AT_ONCE {
                        sums[i] = tail(&columns[i][x_body.len()..]).mul_add(x_tail, sums[i]);
                    }
                }
                // Lanes of equal index side by side: then the four sums are added up together.
                let sums = transpose(sums);
                let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
                let totals: [T; AT_ONCE] = match sum.as_slice().as_chunks::<AT_ONCE>().0 {
                    [a, b, c, d] => from_fn(|i| (a[i] + b[i]) + (c[i] + d[i])),
                    [a, b] => from_fn(|i| a[i] + b[i]),
                    _ => unreachable!("Wide has eight or sixteen lanes"),
                };
                put(c, &totals[..c.len()], false);
            }
        },
    );
}

/// A sequence of columns, `ld` apart; the first `skip` elements of each are left out.
#[derive(Clone, Copy)]
struct Columns<'a, T> {
    data: &'a [T],
    ld: usize,
    skip: usize,
}

impl<'a, T: Element> Columns<'a, T> {
    /// Those of the stored matrix, from an element on.
    #[inline(always)]
    fn new(mat: Mat<'a, T>, row: usize, column: usize) -> Self {
        Self {
            data: &mat.data[column * mat.ld..],
            ld: mat.ld,
            skip: mat.skip + row,
        }
    }

    /// Without the first `row` rows and `column` columns.
    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Self {
        Self {
            data: &self.data[column * self.ld..],
            skip: self.skip + row,
            ..self
        }
    }

    /// Whether `width` elements may be read in each of the first `count` columns.
    #[inline(always)]
    fn holds(self, count: usize, width: usize) -> bool {
        self.skip + width <= self.ld && count * self.ld <= self.data.len()
    }
}

/// Where a product goes: element (i, j) to `c[i + j * ld]`, or, transposed, to `c[j + i * ld]`.
struct Out<'a, T> {
    c: &'a mut [T],
    ld: usize,
    transposed: bool,
}

/// One block of the inner dimension on its way into a tile.
#[derive(Clone, Copy)]
struct Block {
    /// Length.
    len: usize,
    /// Whether there were blocks before it.
    add: bool,
}

type Tile<T, S, const MV: usize, const NR: usize> = [[<T as SimdFloatElement>::Native<S>; MV]; NR];

/// Length of the blocks of an inner dimension: equal, so that none is short; whole vectors, for the
/// transposing copy.
fn block_len(k: usize) -> usize {
    k.div_ceil(k.div_ceil(K_BLOCK)).next_multiple_of(16)
}

/// out = a·b (m × n), a's rows along the lanes.
#[inline(always)]
fn blocked<
    T: Element,
    S: Simd,
    const MV: usize,
    const NR: usize,
    const PR: usize,
    const L: usize,
>(
    simd: S,
    Size { m, n, k }: Size,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    mut out: Out<'_, T>,
    pack: &mut Vec<T>,
) {
    let by_row = b.transposed && !(n == 1 && b.ld == 1);
    let gemv = n == 1 && !a.transposed && !by_row;
    let bytes = size_of::<T>();
    let block_len = block_len(k);
    // Panels of at most MV vectors, as equal as can be: the first `larger` have one more.
    let vectors = m.div_ceil(L);
    let panels = vectors.div_ceil(MV);
    let (smaller, larger) = (vectors / panels, vectors % panels);
    let start = |panel: usize| (panel * smaller + panel.min(larger)) * L;
    // Copying pays where the original is used often, or its columns collide in the cache.
    let pack_a = a.transposed || n > 256 || (n > 32 && a.ld * bytes > 1024);
    // Two packed factors make the fastest loop, if it is long and many panels share the copy.
    let pack_b = pack_a && panels > 4 && k >= 64;
    // As few groups of panels of the left factor as there may be, because each packs the right one
    // again, and equal ones.
    let most = (LEFT_BYTES / (block_len * MV * L * bytes)).max(1);
    let group = panels.div_ceil(panels.div_ceil(most));
    let strip = if pack_b {
        (RIGHT_BYTES / (block_len * NR * bytes)).clamp(1, n.div_ceil(NR)) * NR
    } else {
        NR
    };

    let a_room = block_len * L * if gemv { GEMV } else { MV * group };
    // With room for what a transposed panel spills.
    let room = a_room + block_len * strip + PR + ALIGN / bytes;
    if pack.len() < room {
        pack.resize(room, T::default());
    }
    let aligned = pack.as_ptr().align_offset(ALIGN).min(ALIGN / bytes);
    let (a_pack, b_pack) = pack[aligned..].split_at_mut(a_room);

    for k0 in (0..k).step_by(block_len) {
        let block = Block {
            len: block_len.min(k - k0),
            add: k0 > 0,
        };
        let a_block = if a.transposed {
            Columns::new(a, k0, 0)
        } else {
            Columns::new(a, 0, k0)
        };
        let b_block = if by_row {
            Columns::new(b, 0, k0)
        } else {
            Columns::new(b, k0, 0)
        };
        if gemv {
            matvec::<T, S, L>(simd, block, m, a_block, &b.cut().data[k0..], out.c, a_pack);
            continue;
        }
        // From the last panel to the first, because `store` spills over the end of a column into
        // rows that come later.
        for first in (0..panels).step_by(group).rev() {
            let last = (first + group).min(panels);
            // What must be packed because a panel would reach beyond the matrix is at its end.
            let unpacked = |panel: &usize| {
                !pack_a
                    && a_block
                        .from(start(*panel), 0)
                        .holds(block.len, start(panel + 1) - start(*panel))
            };
            let packed_from = (first..last).find(|panel| !unpacked(panel)).unwrap_or(last);
            let top = start(packed_from);
            if a.transposed {
                for panel in packed_from..last {
                    let (i, end) = (start(panel), start(panel + 1));
                    let to = &mut a_pack[(i - top) * block.len..];
                    transpose_columns::<T, S, L>(
                        simd,
                        block.len,
                        end.min(m) - i,
                        a_block.from(0, i),
                        end - i,
                        to,
                    );
                }
            } else if packed_from < last {
                let bound = |panel: usize| start(packed_from + panel) - top;
                copy_panels::<T, S, L>(
                    simd,
                    block.len,
                    m - top,
                    a_block.from(top, 0),
                    last - packed_from,
                    bound,
                    a_pack,
                );
            }
            for strip_start in (0..n).step_by(strip) {
                let strip_end = n.min(strip_start + strip);
                let original = if by_row {
                    b_block.from(strip_start, 0)
                } else {
                    b_block.from(0, strip_start)
                };
                let b_packed = pack_b || (by_row && !original.holds(block.len, NR));
                if b_packed && by_row {
                    let count = (strip_end - strip_start).div_ceil(NR);
                    copy_panels::<T, S, NR>(
                        simd,
                        block.len,
                        strip_end - strip_start,
                        original,
                        count,
                        |panel| panel * NR,
                        b_pack,
                    );
                } else if b_packed {
                    for j in (strip_start..strip_end).step_by(NR) {
                        transpose_panel::<T, S, NR, PR>(
                            simd,
                            block.len,
                            NR.min(strip_end - j),
                            b_block.from(0, j),
                            &mut b_pack[(j - strip_start) * block.len..],
                        );
                    }
                }
                // A panel of the left factor stays in the first-level cache while panels of the
                // right one, which are narrower, go by.
                for panel in (first..last).rev() {
                    let (i, width) = (start(panel), start(panel + 1) - start(panel));
                    let left = match panel < packed_from {
                        true => a_block.from(i, 0),
                        false => Columns {
                            data: &a_pack[(i - top) * block.len..],
                            ld: width,
                            skip: 0,
                        },
                    };
                    for j in (strip_start..strip_end).step_by(NR) {
                        let right = match b_packed {
                            true => Columns {
                                data: &b_pack[(j - strip_start) * block.len..],
                                ld: NR,
                                skip: 0,
                            },
                            false => original,
                        };
                        let (rows, columns, out) =
                            (i..m.min(i + width), j..strip_end.min(j + NR), &mut out);
                        match (width / L, by_row || b_packed) {
                            (1, false) => tile::<T, S, 1, NR, PR, false>(
                                simd, block, left, right, rows, columns, out,
                            ),
                            (2, false) => tile::<T, S, 2, NR, PR, false>(
                                simd, block, left, right, rows, columns, out,
                            ),
                            (_, false) => tile::<T, S, MV, NR, PR, false>(
                                simd, block, left, right, rows, columns, out,
                            ),
                            (1, true) => tile::<T, S, 1, NR, PR, true>(
                                simd, block, left, right, rows, columns, out,
                            ),
                            (2, true) => tile::<T, S, 2, NR, PR, true>(
                                simd, block, left, right, rows, columns, out,
                            ),
                            (_, true) => tile::<T, S, MV, NR, PR, true>(
                                simd, block, left, right, rows, columns, out,
                            ),
                        }
                    }
                }
            }
        }
    }
}

/// One tile of `out`: a panel of rows times up to NR columns.
#[inline(always)]
fn tile<
    T: Element,
    S: Simd,
    const MV: usize,
    const NR: usize,
    const PR: usize,
    const BY_ROW: bool,
>(
    simd: S,
    block: Block,
    left: Columns<'_, T>,
    right: Columns<'_, T>,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut Out<'_, T>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let nr = columns.len();
            if nr > 4 || NR <= 4 {
                let tile = accumulate::<T, S, MV, NR, BY_ROW>(simd, block.len, left, right, nr);
                store::<T, S, MV, NR, PR>(simd, &tile, block.add, rows, columns, out);
            } else {
                let tile = accumulate::<T, S, MV, 4, BY_ROW>(simd, block.len, left, right, nr);
                store::<T, S, MV, 4, 4>(simd, &tile, block.add, rows, columns, out);
            }
        },
    );
}

/// The tile: sums over p of (column p of `left`) × (row p of `right`), whose rows are its columns
/// if `BY_ROW`.
#[inline(always)]
fn accumulate<T: Element, S: Simd, const MV: usize, const NR: usize, const BY_ROW: bool>(
    simd: S,
    len: usize,
    left: Columns<'_, T>,
    right: Columns<'_, T>,
    nr: usize,
) -> Tile<T, S, MV, NR> {
    let width = MV * T::Native::<S>::LEN;
    let mut tile = [[T::Native::<S>::splat(simd, T::default()); MV]; NR];
    // These loops hold no panics and no calls, which keeps the tile in registers; the `else` arms
    // never run. In a debug build an overflow is a panic, too: indices wrap.
    if BY_ROW {
        let (left_data, right_data) = (&left.data[..len * left.ld], &right.data[..len * right.ld]);
        for (column, row) in left_data
            .chunks_exact(left.ld)
            .zip(right_data.chunks_exact(right.ld))
        {
            let Some(column) = column.get(left.skip..left.skip.wrapping_add(width)) else {
                break;
            };
            let Some(row) = row.get(right.skip..right.skip.wrapping_add(NR)) else {
                break;
            };
            multiply_add(simd, &mut tile, column, |j| row[j]);
        }
    } else {
        // Missing columns are replaced by the last one. By a loop: in a debug build `from_fn` is a
        // call, behind which the lengths are forgotten.
        let mut columns: [&[T]; NR] = [&[]; NR];
        for (j, column) in columns.iter_mut().enumerate() {
            *column = &right.data[j.min(nr - 1) * right.ld + right.skip..][..len];
        }
        let mut rest = left.data;
        for p in 0..len {
            let Some((column, after)) = rest.split_at_checked(left.ld) else {
                break;
            };
            let Some(column) = column.get(left.skip..left.skip.wrapping_add(width)) else {
                break;
            };
            multiply_add(simd, &mut tile, column, |j| columns[j][p]);
            rest = after;
        }
    }
    tile
}

/// Piece i of pieces of one length.
#[inline(always)]
fn nth(i: usize, len: usize) -> Range<usize> {
    let start = i.wrapping_mul(len);
    start..start.wrapping_add(len)
}

/// tile += column × row.
#[inline(always)]
fn multiply_add<T: Element, S: Simd, const MV: usize, const NR: usize>(
    simd: S,
    tile: &mut Tile<T, S, MV, NR>,
    column: &[T],
    row: impl Fn(usize) -> T,
) {
    let lanes = T::Native::<S>::LEN;
    let mut vectors = [T::Native::<S>::splat(simd, T::default()); MV];
    for i in 0..MV {
        vectors[i] = T::Native::<S>::from_slice(simd, &column[nth(i, lanes)]);
    }
    for j in 0..NR {
        let x = T::Native::<S>::splat(simd, row(j));
        for i in 0..MV {
            tile[j][i] = vectors[i].mul_add(x, tile[j][i]);
        }
    }
}

/// Writes, or adds, the real part of a tile.
#[inline(always)]
fn store<T: Element, S: Simd, const MV: usize, const NR: usize, const PR: usize>(
    simd: S,
    tile: &Tile<T, S, MV, NR>,
    add: bool,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut Out<'_, T>,
) {
    let lanes = T::Native::<S>::LEN;
    // Whole vectors even at the ragged end of a column, if it is written rather than added to and
    // the memory is C's: what they spill into are rows of later columns, which are written
    // afterward.
    let end = rows.start + (columns.end - 1) * out.ld + MV * lanes;
    if !out.transposed && (rows.len() == MV * lanes || (!add && end <= out.c.len())) {
        for j in 0..NR {
            if j == columns.len() {
                break;
            }
            let to = &mut out.c[rows.start + (columns.start + j) * out.ld..][..MV * lanes];
            for i in 0..MV {
                let to = &mut to[i * lanes..(i + 1) * lanes];
                let sum = if add {
                    tile[j][i] + T::Native::<S>::from_slice(simd, to)
                } else {
                    tile[j][i]
                };
                sum.store_slice(to);
            }
        }
        return;
    }
    let mut flat = [[[T::default(); 16]; MV]; NR];
    let flat = flat.as_flattened_mut().as_flattened_mut();
    if out.transposed {
        for i in 0..MV {
            let mut lines = [tile[NR - 1][i]; PR];
            for j in 0..NR {
                lines[j] = tile[j][i];
            }
            let lines = transpose(lines);
            for j in 0..PR {
                lines[j].store_slice(&mut flat[(i * PR + j) * lanes..][..lanes]);
            }
        }
        let to = &mut out.c[columns.start + rows.start * out.ld..];
        if columns.len() == NR {
            for (to, from) in to
                .chunks_mut(out.ld)
                .zip(flat.as_chunks::<PR>().0)
                .take(rows.len())
            {
                let Some(to) = to.first_chunk_mut::<NR>() else {
                    break;
                };
                let mut sums = [T::default(); NR];
                for i in 0..NR {
                    sums[i] = if add { to[i] + from[i] } else { from[i] };
                }
                *to = sums;
            }
        } else {
            put_lines(simd, to, out.ld, columns.len(), flat, PR, rows.len(), add);
        }
    } else {
        for j in 0..NR {
            for i in 0..MV {
                tile[j][i].store_slice(&mut flat[(j * MV + i) * lanes..][..lanes]);
            }
        }
        put_lines(
            simd,
            &mut out.c[rows.start + columns.start * out.ld..],
            out.ld,
            rows.len(),
            flat,
            MV * lanes,
            columns.len(),
            add,
        );
    }
}

/// Writes, or adds, `count` lines of length `len`.
#[inline(always)]
fn put_lines<T: Element, S: Simd>(
    simd: S,
    to: &mut [T],
    ld: usize,
    len: usize,
    from: &[T],
    from_ld: usize,
    count: usize,
    add: bool,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (to, from) in to
                .chunks_mut(ld)
                .zip(from.chunks_exact(from_ld))
                .take(count)
            {
                put(&mut to[..len], &from[..len], add);
            }
        },
    );
}

/// Writes, or adds, a short slice: a call to `memcpy` would cost more than the copy.
#[inline(always)]
fn put<T: Element>(to: &mut [T], from: &[T], add: bool) {
    #[inline(always)]
    fn chunks<T: Element, const N: usize>(to: &mut [T], from: &[T], add: bool) {
        for (to, from) in to
            .as_chunks_mut::<N>()
            .0
            .iter_mut()
            .zip(from.as_chunks::<N>().0)
        {
            *to = if add {
                from_fn(|i| to[i] + from[i])
            } else {
                *from
            };
        }
    }
    let (eights, fours) = (to.len() / 8 * 8, to.len() / 4 * 4);
    chunks::<T, 8>(to, from, add);
    chunks::<T, 4>(&mut to[eights..], &from[eights..], add);
    chunks::<T, 1>(&mut to[fours..], &from[fours..], add);
}

/// c = a·x or c += a·x, for one block of columns of `a`.
#[inline(always)]
fn matvec<T: Element, S: Simd, const L: usize>(
    simd: S,
    block: Block,
    m: usize,
    a: Columns<'_, T>,
    x: &[T],
    c: &mut [T],
    pack: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let mut i = 0;
            while i < m {
                let vectors = (m - i).div_ceil(L);
                i = if vectors >= GEMV {
                    matvec_panel::<T, S, GEMV, L>(simd, block, m, i, a, x, c, pack)
                } else if vectors > 2 {
                    matvec_panel::<T, S, 4, L>(simd, block, m, i, a, x, c, pack)
                } else {
                    matvec_panel::<T, S, 1, L>(simd, block, m, i, a, x, c, pack)
                };
            }
        },
    );
}

/// The rows from i on that MV vectors hold; returns the first row after them.
#[inline(always)]
fn matvec_panel<T: Element, S: Simd, const MV: usize, const L: usize>(
    simd: S,
    block: Block,
    m: usize,
    i: usize,
    a: Columns<'_, T>,
    x: &[T],
    c: &mut [T],
    pack: &mut [T],
) -> usize {
    let width = MV * L;
    let rows = i..m.min(i + width);
    let left = a.from(i, 0);
    let tile = if left.holds(block.len, width) {
        let right = Columns {
            data: x,
            ld: block.len,
            skip: 0,
        };
        accumulate::<T, S, MV, 1, false>(simd, block.len, left, right, 1)
    } else {
        ragged_tile(simd, left, rows.len(), &x[..block.len], &mut pack[..width])
    };
    store::<T, S, MV, 1, 1>(
        simd,
        &tile,
        block.add,
        rows,
        0..1,
        &mut Out {
            c,
            ld: m,
            transposed: false,
        },
    );
    i + width
}

/// The sums over columns that end within a vector: what lies below the last row is summed, too, and
/// a column that the memory ends with is padded in `pack`.
#[inline(always)]
fn ragged_tile<T: Element, S: Simd, const MV: usize>(
    simd: S,
    a: Columns<'_, T>,
    rows: usize,
    x: &[T],
    pack: &mut [T],
) -> Tile<T, S, MV, 1> {
    let mut tile = [[T::Native::<S>::splat(simd, T::default()); MV]];
    let mut rest = &a.data[a.skip..];
    for x in x {
        if let Some(column) = rest.get(..pack.len()) {
            multiply_add(simd, &mut tile, column, |_| *x);
        } else {
            put(&mut pack[..rows], &rest[..rows], false);
            multiply_add(simd, &mut tile, pack, |_| *x);
        }
        rest = rest.get(a.ld..).unwrap_or_default();
    }
    tile
}

/// Copies panels, the rows from `start(q)` to `start(q + 1)` of the first `len` columns, one after
/// the other.
#[inline(always)]
fn copy_panels<T: Element, S: Simd, const N: usize>(
    simd: S,
    len: usize,
    rows: usize,
    from: Columns<'_, T>,
    panels: usize,
    start: impl Fn(usize) -> usize,
    to: &mut [T],
) {
    // Several columns are read at once, along all panels: few far jumps, and much under way from a
    // distant cache.
    const AT_ONCE: usize = 8;
    simd.vectorize(
        #[inline(always)]
        || {
            for p in (0..len).step_by(AT_ONCE) {
                for (i, end) in (0..panels).map(|panel| (start(panel), start(panel + 1))) {
                    let to = &mut to[i * len + p * (end - i)..];
                    copy_columns::<T, N>(
                        AT_ONCE.min(len - p),
                        rows.min(end) - i,
                        from.from(i, p),
                        end - i,
                        to,
                    );
                }
            }
        },
    );
}

/// Copies the first `rows` elements of each column, padded to `width`, a multiple of N, by whatever
/// follows them.
#[inline(always)]
fn copy_columns<T: Element, const N: usize>(
    count: usize,
    rows: usize,
    from: Columns<'_, T>,
    width: usize,
    to: &mut [T],
) {
    for (p, to) in to.chunks_exact_mut(width).take(count).enumerate() {
        let start = from.skip + p * from.ld;
        if let Some(column) = from.data.get(start..start + width) {
            for (to, from) in to
                .as_chunks_mut::<N>()
                .0
                .iter_mut()
                .zip(column.as_chunks::<N>().0)
            {
                *to = *from;
            }
        } else {
            put(&mut to[..rows], &from.data[start..][..rows], false);
        }
    }
}

/// to[j + p * NR] = element p of column j, for `count` columns of `len` elements; missing columns
/// are replaced by the last one.
#[inline(always)]
fn transpose_panel<T: Element, S: Simd, const NR: usize, const PR: usize>(
    simd: S,
    len: usize,
    count: usize,
    from: Columns<'_, T>,
    to: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let lanes = T::Native::<S>::LEN;
            let columns: [&[T]; PR] =
                from_fn(|j| &from.data[from.skip + j.min(count - 1) * from.ld..][..len]);
            let whole = len / lanes * lanes;
            for p in (0..whole).step_by(lanes) {
                let lines = transpose::<S, _, PR>(from_fn(|j| {
                    T::Native::<S>::from_slice(simd, &columns[j][p..p + lanes])
                }));
                // Where there are columns too many, the next line covers them.
                for (i, line) in lines.iter().enumerate() {
                    let (row, column) = (i * lanes / PR, i * lanes % PR);
                    line.store_slice(&mut to[(p + row) * NR + column..][..lanes]);
                }
            }
            for (p, to) in (whole..len).zip(to[whole * NR..].chunks_exact_mut(NR)) {
                for j in 0..NR {
                    to[j] = columns[j][p];
                }
            }
        },
    );
}

/// to[i + p * width] = element p of column i, for `rows` columns of `len` elements.
#[inline(always)]
fn transpose_columns<T: Element, S: Simd, const L: usize>(
    simd: S,
    len: usize,
    rows: usize,
    from: Columns<'_, T>,
    width: usize,
    to: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for i in (0..rows).step_by(L) {
                for p in (0..len).step_by(L) {
                    let start = |q: usize| from.skip + p + (i + q).min(rows - 1) * from.ld;
                    if start(L - 1) + L <= from.data.len() {
                        let lines = transpose::<S, _, L>(from_fn(|q| {
                            T::Native::<S>::from_slice(simd, &from.data[start(q)..][..L])
                        }));
                        for (line, to) in lines
                            .iter()
                            .zip(to[p * width + i..].chunks_mut(width))
                            .take(len - p)
                        {
                            line.store_slice(&mut to[..L]);
                        }
                    } else {
                        // the end of the matrix
                        for q in i..rows.min(i + L) {
                            for p in p..len.min(p + L) {
                                to[p * width + q] = from.data[from.skip + p + q * from.ld];
                            }
                        }
                    }
                }
            }
        },
    );
}

/// The transpose of N vectors, N a power of two: read one after the other, the results hold element
/// 0 of every vector, then element 1 of every vector, and so on. Each round moves the highest bit
/// of the vectors' index to the low end of the lanes'.
#[inline(always)]
pub(crate) fn transpose<S: Simd, V: SimdBase<S>, const N: usize>(mut vectors: [V; N]) -> [V; N] {
    let mut rounds = N;
    while rounds > 1 {
        let old = vectors;
        for i in 0..N / 2 {
            (vectors[2 * i], vectors[2 * i + 1]) = old[i].interleave(old[i + N / 2]);
        }
        rounds /= 2;
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::super::{dispatch, forced::levels};
    use super::*;
    use alloc::vec;
    use fearless_simd::Level;

    /// Numbers in [-1, 1).
    fn numbers<T: From<f32>>(count: usize, seed: u32) -> Vec<T> {
        let mut state = seed.wrapping_mul(2_654_435_769) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            T::from((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        (0..count).map(|_| next()).collect()
    }

    /// The shapes (m, n, k): around the widths of tiles and vectors, the thin ones, and some with
    /// several blocks of k.
    fn shapes() -> Vec<(usize, usize, usize)> {
        const SIZES: [usize; 11] = [1, 2, 3, 5, 8, 15, 16, 17, 33, 49, 100];
        let mut shapes: Vec<_> = SIZES
            .iter()
            .flat_map(|&m| {
                SIZES
                    .iter()
                    .flat_map(move |&n| SIZES.iter().map(move |&k| (m, n, k)))
            })
            .collect();
        shapes.extend([
            (0, 3, 2),
            (3, 0, 2),
            (3, 2, 0),
            (1, 40, 700),
            (40, 1, 700),
            (10, 3, 513),
            (13, 29, 1100),
            (70, 270, 40),
            (200, 20, 30),
            (64, 13, 1030),
            (250, 270, 400),
            (800, 20, 400),
        ]);
        shapes
    }

    /// An operand op(X) of the given size with `extra` unused elements beside each column, one of
    /// which comes before it; none after the last.
    fn operand<T>(
        data: &[T],
        rows: usize,
        columns: usize,
        extra: usize,
        transposed: bool,
    ) -> Mat<'_, T> {
        let (rows, columns) = if transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        let (ld, skip) = (rows + extra, extra.min(1));
        let used = if columns == 0 {
            skip
        } else {
            (columns - 1) * ld + skip + rows
        };
        Mat {
            data: &data[..used],
            ld,
            skip,
            transposed,
        }
    }

    macro_rules! tests {
        ($name:ident, $t:ty) => {
            mod $name {
                use super::*;

                fn product(
                    level: Level,
                    m: usize,
                    n: usize,
                    k: usize,
                    a: Mat<'_, $t>,
                    b: Mat<'_, $t>,
                ) -> Vec<$t> {
                    let mut c = vec![<$t>::NAN; m * n];
                    // a dirty buffer: what pads the operands must not matter
                    let pack = &mut vec![<$t>::NAN; 3000];
                    dispatch(
                        level,
                        &mut Product {
                            size: Size { m, n, k },
                            a,
                            b,
                            c: &mut c,
                            pack,
                        },
                    );
                    c
                }

                fn bits(c: &[$t]) -> Vec<u64> {
                    c.iter().map(|c| u64::from(c.to_bits())).collect()
                }

                #[test]
                fn agrees_with_the_definition_on_all_levels() {
                    let (a, b) = (numbers::<$t>(400_000, 1), numbers::<$t>(400_000, 2));
                    for (m, n, k) in shapes() {
                        for case in 0..8 {
                            let a = operand(&a, m, k, case / 4 * 3, case & 1 != 0);
                            let b = operand(&b, k, n, case / 4 * 5, case & 2 != 0);
                            let ((ai, ap), (bp, bj)) = (a.strides(), b.strides());
                            let mut first = None;
                            for level in levels() {
                                let c = product(level, m, n, k, a, b);
                                for (q, c) in c.iter().enumerate() {
                                    let (i, j) = (q % m, q / m);
                                    let term = |p| {
                                        f64::from(a.data[a.skip + i * ai + p * ap])
                                            * f64::from(b.data[b.skip + p * bp + j * bj])
                                    };
                                    let want: f64 = (0..k).map(term).sum();
                                    let bound =
                                        f64::from(<$t>::EPSILON) * (k as f64 + 1.0).sqrt() * 8.0;
                                    assert!(
                                        (f64::from(*c) - want).abs() <= bound,
                                        "{level:?} {m}x{n}x{k} case {case} ({i}, {j}): {c} {want}"
                                    );
                                }
                                let fused = level.as_avx2().is_some();
                                if fused {
                                    assert_eq!(
                                        first.get_or_insert_with(|| bits(&c)),
                                        &bits(&c),
                                        "{level:?} {m}x{n}x{k} case {case}"
                                    );
                                }
                            }
                        }
                    }
                }

                #[test]
                fn a_sample_does_not_depend_on_its_batch() {
                    for (m, k) in [
                        (1, 3),
                        (1, 64),
                        (1, 600),
                        (2, 2),
                        (3, 20),
                        (10, 128),
                        (64, 13),
                        (100, 784),
                        (130, 1030),
                    ] {
                        let (w, x) = (numbers::<$t>(m * k, 3), numbers::<$t>(k * 300, 4));
                        let w = operand(&w, m, k, 0, false);
                        for level in levels() {
                            let all = product(level, m, 300, k, w, operand(&x, k, 300, 0, false));
                            for (from, count) in [
                                (0, 1),
                                (17, 1),
                                (299, 1),
                                (0, 2),
                                (5, 3),
                                (8, 8),
                                (100, 33),
                                (3, 200),
                            ] {
                                let part = product(
                                    level,
                                    m,
                                    count,
                                    k,
                                    w,
                                    operand(&x[from * k..], k, count, 0, false),
                                );
                                assert_eq!(
                                    bits(&part),
                                    bits(&all[from * m..(from + count) * m]),
                                    "{level:?} {m}x{k} {from} {count}"
                                );
                            }
                        }
                    }
                }

                #[test]
                fn nan_and_infinity_pass_and_stay_in_their_row_and_column() {
                    for (m, n, k) in [
                        (1, 1, 1),
                        (3, 3, 2),
                        (1, 9, 40),
                        (9, 1, 40),
                        (17, 10, 1),
                        (19, 21, 23),
                        (50, 300, 12),
                        (33, 5, 600),
                    ] {
                        for case in 0..4 {
                            let (mut a, mut b) = (numbers::<$t>(m * k, 5), vec![0.0; k * n]);
                            let (ta, tb) = (case & 1 != 0, case & 2 != 0);
                            let (i, j, p) = (m - 1, n / 2, k - 1);
                            // row i of op(A) holds an infinity, which meets zeros; column j of
                            // op(B) holds a NaN
                            a[if ta { p + i * k } else { i + p * m }] = <$t>::INFINITY;
                            b[if tb { j + p * n } else { p + j * k }] = <$t>::NAN;
                            for level in levels() {
                                let c = product(
                                    level,
                                    m,
                                    n,
                                    k,
                                    operand(&a, m, k, 0, ta),
                                    operand(&b, k, n, 0, tb),
                                );
                                for (q, c) in c.iter().enumerate() {
                                    assert_eq!(
                                        c.is_nan(),
                                        q % m == i || q / m == j,
                                        "{level:?} {m}x{n}x{k} case {case} {q}"
                                    );
                                }
                            }
                        }
                    }
                }
            }
        };
    }
    tests!(single, f32);
    tests!(double, f64);
}
