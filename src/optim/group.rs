//! Groups of parameters with a rate and a decay of their own.

use crate::error::{Error, ErrorKind, Result};
use crate::layer::Block;
use crate::real::Real;
use crate::sequential::Sequential;
use alloc::{format, vec, vec::Vec};
use core::ops::Range;

/// A range of the flat parameter vector with its own rate and decay.
///
/// Separate rates for weights and biases, no decay on biases and frozen layers (rate 0) are all groups;
/// [`Sequential::groups`] makes them.
///
/// ```
/// use chainrule::Group;
/// let all = Group::all(10);
/// assert_eq!(all, [Group { range: 0..10, rate: 1.0, decay: 0.0 }]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which parameters.
    pub range: Range<usize>,
    /// Multiplies the learning rate; 0 freezes, finite and not negative.
    pub rate: f64,
    /// Decoupled weight decay λ: each step also takes w ← w − lr·rate·λ·w, whatever the rule
    /// (Loshchilov & Hutter 2019); finite and not negative.
    pub decay: f64,
}

impl Group {
    /// One group of all parameters, at the plain rate and without decay.
    pub fn all(params: usize) -> Vec<Self> {
        vec![Self { range: 0..params, rate: 1.0, decay: 0.0 }]
    }

    /// The groups that a step works on.
    pub(super) fn active(groups: &[Self]) -> impl Iterator<Item = &Self> {
        groups.iter().filter(|group| group.rate != 0.0)
    }

    /// The rates of all groups at the rate `lr` must be finite in `T`.
    pub(crate) fn check_rates<T: Real>(groups: &[Self], lr: f64) -> Result<()> {
        match groups.iter().position(|group| !T::of(lr * group.rate * group.decay.max(1.0)).is_finite()) {
            None => Ok(()),
            Some(index) => {
                let Self { rate, decay, .. } = groups[index];
                let given = format!("lr {lr}, rate {rate}, decay {decay}");
                Err(Error::new(ErrorKind::Value, format!("group {index}"), "a finite product of lr, rate and decay", given))
            }
        }
    }

    /// Groups must lie within the parameters, in order and apart, with sound numbers.
    pub(crate) fn check(groups: &[Self], params: usize) -> Result<()> {
        if groups.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "groups", "at least 1 group, or nothing is trained", 0));
        }
        let mut free = 0;
        for (index, Self { range, rate, decay }) in groups.iter().enumerate() {
            if range.start < free || range.start > range.end || range.end > params {
                let expected = format!("a range within {free}..{params}, after the group before");
                return Err(Error::new(ErrorKind::Shape, format!("group {index}"), expected, format!("{range:?}")));
            }
            for (name, value) in [("rate", rate), ("decay", decay)] {
                if !(value.is_finite() && *value >= 0.0) {
                    return Err(Error::new(ErrorKind::Value, format!("{name} of group {index}"), "a finite number ≥ 0", value));
                }
            }
            free = range.end;
        }
        Ok(())
    }
}

impl<T: Real> Sequential<T> {
    /// Groups of all parameters: `choose` gives the rate and the decay of each block, told its layer.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Role, Sequential, rand::{SeedableRng, rngs::Xoshiro256PlusPlus}};
    /// let net = Sequential::<f32>::builder(4)
    ///     .layer(Dense::new(8, Activation::Relu))
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// // Biases learn twice as fast and do not decay; the first layer is frozen.
    /// let groups = net.groups(|layer, block| match (layer, block.role) {
    ///     (0, _) => (0.0, 0.0),
    ///     (_, Role::Bias) => (2.0, 0.0),
    ///     _ => (1.0, 1e-2),
    /// });
    /// assert_eq!(groups.len(), 3); // the first layer's blocks are one group
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn groups(&self, mut choose: impl FnMut(usize, &Block) -> (f64, f64)) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut start = 0;
        for layer in 0..self.layers().len() {
            for block in self.blocks(layer) {
                let (rate, decay) = choose(layer, block);
                let end = start + block.len();
                match groups.last_mut() {
                    Some(last) if (last.rate, last.decay) == (rate, decay) => last.range.end = end,
                    _ => groups.push(Group { range: start..end, rate, decay }),
                }
                start = end;
            }
        }
        groups
    }
}
