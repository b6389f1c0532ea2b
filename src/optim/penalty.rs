//! Penalties on the size of weights.

use super::arithmetic::sign;
use super::state::check_len;
use super::tie::Ties;
use super::vector_norm::total;
use crate::error::Result;
use crate::nn::layer::{Block, Role};
use crate::nn::layout::PlacedBlock;
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, magnitude};
use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

/// Which blocks are penalized, told their layer.
type Choose = dyn Fn(usize, &Block) -> bool + Send + Sync;

/// What is added to the cost for large weights, and its gradient: with strengths λ₁, λ₂
///
/// ```text
/// λ₁·Σ|w| + ½·λ₂·Σw²        gradient λ₁·sign w + λ₂·w, with sign 0 = 0
/// ```
///
/// over all weights; biases and running statistics are left alone. λ₂·w is what PyTorch's
/// `weight_decay` adds to the gradient, which there is that of biases, too. Keras' `L2(λ)` is
/// λ·Σw², without the half. scikit-learn's `alpha` is λ₂ times the number of samples in a
/// mini-batch.
///
/// The gradient goes through the rule of the optimizer; a group's
/// [`decay`](crate::optim::Group::decay) does not. For plain descent both are the same.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::optim::Penalty;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[3.0, -4.0, 5.0])?; // the last is a bias
/// let penalty = Penalty::new().l1(0.5).l2(2.0);
/// assert_eq!(penalty.cost(&net), 0.5 * 7.0 + 0.5 * 2.0 * 25.0);
/// let mut grads = [0.0; 3]; // in training tape.grads_mut(), between gradient and step
/// penalty.add_gradient(&net, &mut grads)?;
/// assert_eq!(grads, [6.5, -8.5, 0.0]);
///
/// // All blocks of the first layer.
/// assert_eq!(Penalty::new().l1(1.0).on(|layer, _| layer == 0).cost(&net), 12.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias("regularizer", "kernel_regularizer", "alpha", "weight_decay"))]
pub struct Penalty {
    l1: f64,
    l2: f64,
    /// All weights where there is none.
    on: Option<Arc<Choose>>,
}

impl Penalty {
    /// No penalty yet, on every block of [`Role::Weight`].
    pub fn new() -> Self {
        Self {
            l1: 0.0,
            l2: 0.0,
            on: None,
        }
    }

    /// The same with another λ₁, finite and not negative.
    #[must_use]
    #[doc(alias("lasso"))]
    pub fn l1(self, l1: f64) -> Self {
        Self { l1, ..self }
    }

    /// The same with another λ₂, finite and not negative.
    #[must_use]
    #[doc(alias("ridge"))]
    pub fn l2(self, l2: f64) -> Self {
        Self { l2, ..self }
    }

    /// The same on the blocks that `choose` wants, told their layer; it is asked in every step.
    /// Running statistics are never penalized.
    #[must_use]
    pub fn on(self, choose: impl Fn(usize, &Block) -> bool + Send + Sync + 'static) -> Self {
        Self {
            on: Some(Arc::new(choose)),
            ..self
        }
    }

    /// Checks the strengths.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value), naming the one that is not finite or
    /// negative.
    pub fn check(&self) -> Result<()> {
        NOT_NEGATIVE.check("l1 of Penalty", self.l1)?;
        NOT_NEGATIVE.check("l2 of Penalty", self.l2)
    }

    /// The penalty of `net`.
    pub fn cost<T: Real>(&self, net: &Sequential<T>) -> T {
        self.cost_of(net, &Ties::NONE)
    }

    /// The penalty of a network with these ties.
    pub(crate) fn cost_of<T: Real>(&self, net: &Sequential<T>, ties: &Ties) -> T {
        compiled_here!(T: |penalty: &Penalty, net: &Sequential<T>, ties: &Ties| -> T {
            let (l1, half) = (T::of(penalty.l1), T::of(0.5 * penalty.l2));
            let cost = |w: T| l1 * magnitude(w) + half * (w * w);
            penalty.ranges(net, ties).fold(T::zero(), |sum, range| {
                sum + total(&net.params()[range], cost)
            })
        })(self, net, ties)
    }

    /// Adds the penalty's gradient to `grads`, a gradient by the parameters of `net`.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for more or
    /// fewer numbers than parameters; nothing is changed then.
    pub fn add_gradient<T: Real>(&self, net: &Sequential<T>, grads: &mut [T]) -> Result<()> {
        compiled_here!(T: |penalty: &Penalty, net: &Sequential<T>, grads: &mut [T]| -> Result<()> {
            penalty.check()?;
            check_len(
                || "grads of Penalty::add_gradient".into(),
                net.params().len(),
                grads,
            )?;
            penalty.add_checked(net, &Ties::NONE, grads);
            Ok(())
        })(self, net, grads)
    }

    /// [`add_gradient`](Self::add_gradient) of what has been checked, for a network with these
    /// ties.
    pub(crate) fn add_checked<T: Real>(&self, net: &Sequential<T>, ties: &Ties, grads: &mut [T]) {
        for range in self.ranges(net, ties) {
            T::vectorize(Add {
                w: &net.params()[range.clone()],
                g: &mut grads[range],
                l1: T::of(self.l1),
                l2: T::of(self.l2),
            });
        }
    }

    /// Where the parameters lie that it is on; numbers that several blocks share count once.
    fn ranges<T: Real>(
        &self,
        net: &Sequential<T>,
        ties: &Ties,
    ) -> impl Iterator<Item = Range<usize>> {
        let chosen = |layer, block: &Block| match &self.on {
            None => block.role == Role::Weight,
            Some(on) => block.role != Role::Statistic && on(layer, block),
        };
        let blocks = net.layout().blocks();
        let own = move |placed: &PlacedBlock<'_>| chosen(placed.layer, placed.block);
        let others = blocks.clone();
        blocks
            .filter(move |placed| {
                if ties.is_empty() {
                    return own(placed);
                }
                let mut copies = others.clone().filter(|other| {
                    ties.standing(&placed.range)
                        .any(|range| *range == other.range)
                });
                !ties.is_copy(&placed.range) && copies.any(|other| own(&other))
            })
            .map(|placed| placed.range)
    }
}

impl Default for Penalty {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Penalty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Penalty")
            .field("l1", &self.l1)
            .field("l2", &self.l2)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
mod serial {
    use super::Penalty;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    /// A penalty on all weights.
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Penalty", deny_unknown_fields)]
    struct Strengths {
        l1: f64,
        l2: f64,
    }

    impl Serialize for Penalty {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self { l1, l2, on: None } => Strengths { l1: *l1, l2: *l2 }.serialize(serializer),
                _ => Err(S::Error::custom(
                    "Penalty: got one with a function that chooses blocks, expected one on all \
                     weights",
                )),
            }
        }
    }

    impl<'de> Deserialize<'de> for Penalty {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            crate::ground::serde::checked(deserializer, |Strengths { l1, l2 }| {
                let penalty = Self { l1, l2, on: None };
                penalty.check()?;
                Ok(penalty)
            })
        }
    }
}

struct Add<'a, T> {
    w: &'a [T],
    g: &'a mut [T],
    l1: T,
    l2: T,
}

impl<T: Real> Pass for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (g, w) in self.g.iter_mut().zip(self.w) {
            *g += self.l1 * sign(*w) + self.l2 * *w;
        }
    }
}
