//! What layers share, most of it in passes along tangents.

use crate::nn::activation::Activation;
use crate::nn::layer::{BackwardTangentArgs, TangentArgs};
use crate::numeric::kernel::Pass;
use crate::numeric::real::Real;

/// ẏ = ẋ, of a layer that does nothing in inference.
pub(super) fn identity<T: Real>(mut p: TangentArgs<'_, T>) {
    p.y_dot.as_mut_slice().copy_from_slice(p.x_dot.as_slice());
}

/// ∂C/∂x = ∂C/∂y and the derivative of that; also what is left to do where both are in `delta` and
/// `delta_dot`.
pub(super) fn backward_identity<T: Real>(p: BackwardTangentArgs<'_, T>) {
    if let Some((mut dx, mut dx_dot)) = p.dx {
        dx.as_mut_slice()
            .copy_from_slice(p.delta.as_view().as_slice());
        dx_dot
            .as_mut_slice()
            .copy_from_slice(p.delta_dot.as_view().as_slice());
    }
}

/// From ∂C/∂a of a = φ(z) and its derivative to δ = ∂C/∂z and its: δ = ∂C/∂a ⊙ φ′(z), δ̇ = (∂C/∂a)˙
/// ⊙ φ′(z) + ∂C/∂a ⊙ φ″(z) ⊙ ż. The tangent pass kept φ″(z) ⊙ ż, where it is not 0.
pub(super) fn backward_activation<T: Real>(
    activation: &Activation,
    p: &mut BackwardTangentArgs<'_, T>,
) {
    let a = p.y.as_slice();
    let delta = p.delta.as_mut_slice();
    let delta_dot = p.delta_dot.as_mut_slice();
    activation.backward(a, p.cache, delta_dot);
    T::vectorize(AddProduct {
        to: delta_dot,
        a: delta,
        b: p.tangent_cache,
    });
    activation.backward(a, p.cache, delta);
}

/// to ← to + a ⊙ b, as far as all reach.
struct AddProduct<'a, T> {
    to: &'a mut [T],
    a: &'a [T],
    b: &'a [T],
}

impl<T: Real> Pass for AddProduct<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (to, (a, b)) in self.to.iter_mut().zip(self.a.iter().zip(self.b)) {
            *to += *a * *b;
        }
    }
}

/// From z in the tangent cache, where φ bends, and ż in `y_dot` to φ″(z) ⊙ ż and ȧ = φ′(z) ⊙ ż.
pub(super) fn activation<T: Real>(activation: &Activation, p: &mut TangentArgs<'_, T>) {
    activation.bend(p.tangent_cache);
    for (bend, z_dot) in p.tangent_cache.iter_mut().zip(p.y_dot.as_view().as_slice()) {
        *bend *= *z_dot;
    }
    activation.backward(p.y.as_slice(), p.cache, p.y_dot.as_mut_slice());
}

/// Σ aⱼbⱼ, first to last.
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).fold(T::zero(), |sum, (a, b)| sum + *a * *b)
}
