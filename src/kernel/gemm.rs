//! Temporary plain product.
use alloc::vec::Vec;
use fearless_simd::Level;
/// A column-major operand.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// The numbers.
    pub data: &'a [T],
    /// Elements from one column to the next.
    pub ld: usize,
    /// Whether the operand is the transpose.
    pub transposed: bool,
}
macro_rules! plain { ($name:ident, $t:ident) => {
pub(crate) fn $name(_l: Level, m: usize, n: usize, k: usize, a: Mat<'_, $t>, b: Mat<'_, $t>, c: &mut [$t], _pack: &mut Vec<$t>) {
    let at = |x: Mat<'_, $t>, i: usize, j: usize| if x.transposed { x.data[j + i * x.ld] } else { x.data[i + j * x.ld] };
    for j in 0..n { for i in 0..m { c[i + j * m] = (0..k).fold(0.0, |sum, p| sum + at(a, i, p) * at(b, p, j)); } }
}}}
plain!(gemm_f32, f32);
plain!(gemm_f64, f64);
