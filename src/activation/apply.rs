//! Activations at numbers: what needs the scalar.

use super::{Activation, Breakpoints};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Pass;
use crate::real::Real;

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

    /// φ′(z), by which δ is multiplied in the backward pass: of a surrogate the derivative that stands in.
    /// At a kink, where there is none, the value of the table above.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::Relu.derivative(2.0), 1.0);
    /// ```
    pub fn derivative<T: Real>(&self, z: T) -> T {
        let mut z = [z];
        self.derivatives(&mut z);
        z[0]
    }

    /// Checks that the parameters of the function are finite in `T`.
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        let finite = |name: &str, value: f64| {
            if T::of(value).is_finite() {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Value, name, "a finite number", value))
        };
        match self {
            Self::LeakyRelu { slope } => finite("slope of leaky_relu", *slope),
            Self::Elu { alpha } => finite("alpha of elu", *alpha),
            Self::Breakpoints(points) => check_breakpoints::<T>(points),
            Self::Surrogate { value, derivative } => value.check::<T>().and(derivative.check::<T>()),
            _ => Ok(()),
        }
    }

    /// z ← φ(z).
    pub(crate) fn apply<T: Real>(&self, z: &mut [T]) {
        match self {
            Self::Linear => {}
            Self::Surrogate { value, .. } => value.apply(z),
            _ => T::activate(self, z),
        }
    }

    /// z ← φ′(z).
    fn derivatives<T: Real>(&self, z: &mut [T]) {
        if let Self::Surrogate { derivative, .. } = self {
            return derivative.derivatives(z);
        }
        // By way of the values, a few at a time: no code of its own for what is seldom asked for.
        let mut values = [T::zero(); 64];
        for d in z.chunks_mut(values.len()) {
            let values = &mut values[..d.len()];
            values.copy_from_slice(d);
            T::activate_both(self, values, d);
        }
    }

    /// How many numbers per element [`forward`](Self::forward) keeps for [`backward`](Self::backward): where φ′ can be
    /// read off φ without loss none, else φ′ itself, which costs little beside φ.
    pub(crate) fn cache_len(&self) -> usize {
        usize::from(!matches!(self, Self::Linear | Self::Relu))
    }

    /// z ← φ(z), and what the backward pass needs into `cache`.
    pub(crate) fn forward<T: Real>(&self, z: &mut [T], cache: &mut [T]) {
        if self.cache_len() == 0 {
            return self.apply(z);
        }
        match self {
            Self::Surrogate { value, derivative } => {
                cache.copy_from_slice(z);
                derivative.derivatives(cache);
                value.apply(z);
            }
            _ => T::activate_both(self, z, cache),
        }
    }

    /// δ ← δ ⊙ φ′(z), where a = φ(z).
    pub(crate) fn backward<T: Real>(&self, a: &[T], cache: &[T], delta: &mut [T]) {
        match self {
            Self::Linear => {}
            Self::Relu => T::vectorize(Scale(delta, a, |a| if a <= T::zero() { T::zero() } else { T::one() })),
            _ => T::vectorize(Scale(delta, cache, |d| d)),
        }
    }
}

/// All numbers must be finite in `T`, and the x still increase there.
fn check_breakpoints<T: Real>(breakpoints: &Breakpoints) -> Result<()> {
    let (finite, points) = (|v: f64| T::of(v).is_finite(), breakpoints.points());
    let sound = points.iter().all(|(x, y)| finite(*x) && finite(*y))
        && breakpoints.all_slopes().all(finite)
        && points.windows(2).all(|pair| T::of(pair[0].0) < T::of(pair[1].0));
    if sound {
        return Ok(());
    }
    let expected = "points and slopes that stay finite and apart in the network's scalar";
    Err(Error::new(ErrorKind::Value, "breakpoints", expected, breakpoints))
}

/// δ ← δ ⊙ factor(c).
struct Scale<'a, T, F>(&'a mut [T], &'a [T], F);

impl<T: Real, F: Fn(T) -> T> Pass for Scale<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (delta, c) in self.0.iter_mut().zip(self.1) {
            *delta *= (self.2)(*c);
        }
    }
}
