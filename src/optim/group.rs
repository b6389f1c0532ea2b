//! Groups of parameters with a rate and a decay of their own.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{Block, Role};
use crate::nn::layout::PlacedBlock;
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::{NOT_NEGATIVE, not_empty};
use crate::numeric::real::Real;
use alloc::{format, vec, vec::Vec};
use core::ops::Range;

/// A range of the flat parameter vector with its own rate and decay.
///
/// Separate rates for weights and biases, no decay on biases and frozen layers (rate 0) are all
/// groups; [`Sequential::groups`] makes them.
///
/// ```
/// use chainrule::optim::Group;
/// let slow = Group { rate: 0.1, ..Group::new(0..6) };
/// let decaying = Group { decay: 1e-2, ..Group::new(6..10) };
/// assert_eq!((slow.decay, decaying.rate), (0.0, 1.0));
/// assert_eq!(Group::all(10), [Group::new(0..10)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("param_groups", "weight_decay"))]
pub struct Group {
    /// Which parameters.
    pub range: Range<usize>,
    /// Multiplies the learning rate; 0 freezes, finite and not negative.
    pub rate: f64,
    /// Decoupled weight decay λ: each step also takes w ← w − lr·rate·λ·w, whatever the rule
    /// (Loshchilov & Hutter 2019); finite and not negative.
    pub decay: f64,
    /// Whether these are running statistics ([`Role::Statistic`]), whose gradient g is already the
    /// change that a batch asks for. Every rule takes p ← p − g, whatever the learning rate, the
    /// decay, and a rate that is not 0.
    pub statistic: bool,
    /// The matrices among them that a rule of matrices, [`Muon`](crate::optim::Muon), takes for
    /// such; all other rules take no notice. [`Sequential::groups`] names the weights of inner
    /// layers.
    #[cfg_attr(feature = "serde", serde(default))]
    pub matrices: Vec<Matrix>,
}

/// A matrix among the parameters, which lies column after column.
///
/// ```
/// use chainrule::optim::{Group, Matrix};
/// let matrix = Matrix { range: 0..6, rows: 2 };
/// let group = Group { matrices: vec![matrix], ..Group::new(0..8) }; // the rest is no matrix
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Matrix {
    /// Which parameters, within the range of the group.
    pub range: Range<usize>,
    /// The number of rows: of weights, the outputs.
    pub rows: usize,
}

impl Matrix {
    /// Whether it is a matrix within `range`.
    pub(super) fn fits(&self, range: &Range<usize>) -> bool {
        let Self { range: own, rows } = self;
        range.start <= own.start
            && own.start < own.end
            && own.end <= range.end
            && own.len().checked_rem(*rows) == Some(0)
    }
}

impl Group {
    /// Parameters at the plain rate and without decay.
    pub fn new(range: Range<usize>) -> Self {
        Self {
            range,
            rate: 1.0,
            decay: 0.0,
            statistic: false,
            matrices: Vec::new(),
        }
    }

    /// The same group of some of its parameters.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let within = |matrix: &&Matrix| matrix.fits(&range);
        Self {
            matrices: self.matrices.iter().filter(within).cloned().collect(),
            range,
            ..*self
        }
    }

    /// One group of a plain vector of parameters, at the plain rate and without decay; of a
    /// network's, [`Sequential::default_groups`] knows which are running statistics.
    pub fn all(params: usize) -> Vec<Self> {
        vec![Self::new(0..params)]
    }

    /// The rates of all groups at the rate `lr` must be finite in `T`.
    #[inline]
    pub(crate) fn check_rates<T: Real>(groups: &[Self], lr: f64) -> Result<()> {
        match groups
            .iter()
            .position(|group| !T::of(lr * group.rate * group.decay.max(1.0)).is_finite())
        {
            None => Ok(()),
            Some(index) => {
                let Self { rate, decay, .. } = groups[index];
                let given = format!("lr {lr}, rate {rate}, decay {decay}");
                Err(Error::new(
                    ErrorKind::Value,
                    format!("group {index}"),
                    "a finite product of lr, rate and decay",
                    given,
                ))
            }
        }
    }

    /// Groups must lie within the parameters, in order and apart, with sound numbers.
    pub(crate) fn check(groups: &[Self], params: usize) -> Result<()> {
        not_empty(
            "groups",
            "at least 1 group, or nothing is trained",
            groups.len(),
        )?;
        let mut free = 0;
        for (
            index,
            Self {
                range,
                rate,
                decay,
                matrices,
                ..
            },
        ) in groups.iter().enumerate()
        {
            if range.start < free || range.start > range.end || range.end > params {
                let expected = format!("a range within {free}..{params}, after the group before");
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("group {index}"),
                    expected,
                    format!("{range:?}"),
                ));
            }
            for (name, value) in [("rate", rate), ("decay", decay)] {
                NOT_NEGATIVE.check(format_args!("{name} of group {index}"), *value)?;
            }
            let mut start = range.start;
            for (place, matrix) in matrices.iter().enumerate() {
                if !matrix.fits(&(start..range.end)) {
                    let expected = format!(
                        "a matrix of whole columns within {start}..{}, after the one before",
                        range.end
                    );
                    return Err(Error::new(
                        ErrorKind::Shape,
                        format!("matrix {place} of group {index}"),
                        expected,
                        format!("{matrix:?}"),
                    ));
                }
                start = matrix.range.end;
            }
            free = range.end;
        }
        Ok(())
    }
}

impl<T: Real, P: AsRef<[T]>> Sequential<T, P> {
    /// Groups of all parameters: `choose` gives the rate and the decay of each block, told its
    /// layer. Blocks of running statistics become groups of their own ([`Group::statistic`]); of
    /// what is chosen for them only a rate of 0 counts. Weights but those of the first and the last
    /// layer that has any are [`matrices`](Group::matrices).
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// use chainrule::nn::layer::Role;
    /// let net = Sequential::<f32>::builder(4)
    ///     .layer(Dense::new(8, Activation::Relu))
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// // Two learning rates, η for weights and 2η for biases, and no decay on biases.
    /// let groups = net.groups(|_, block| match block.role {
    ///     Role::Weight => (1.0, 1e-2),
    ///     _ => (2.0, 0.0),
    /// });
    /// assert_eq!(groups.len(), 4); // weights, biases, weights, biases
    /// // The first layer is frozen.
    /// let groups = net.groups(|layer, _| (if layer == 0 { 0.0 } else { 1.0 }, 0.0));
    /// assert_eq!(groups.len(), 2); // the blocks of a layer are one group
    /// // By the name of the block.
    /// let groups = net.groups(|_, block| (if block.name == "bias" { 0.5 } else { 1.0 }, 0.0));
    /// assert_eq!((groups[1].range.clone(), groups[1].rate), (32..40, 0.5));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn groups(&self, mut choose: impl FnMut(usize, &Block) -> (f64, f64)) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let weights = |placed: &PlacedBlock<'_>| placed.block.role == Role::Weight;
        let mut outer = self.layout().blocks().filter(weights);
        let first = outer.next().map(|placed| placed.leaf);
        let last = outer.last().map(|placed| placed.leaf);
        for PlacedBlock {
            layer,
            leaf,
            block,
            range,
            ..
        } in self.layout().blocks()
        {
            let (rate, decay) = choose(layer, block);
            let statistic = block.role == Role::Statistic;
            let inner = block.role == Role::Weight && ![first, last].contains(&Some(leaf));
            let matrix = (inner && block.rows.min(block.cols) > 1).then(|| Matrix {
                range: range.clone(),
                rows: block.rows,
            });
            match groups.last_mut() {
                Some(last)
                    if (last.rate, last.decay, last.statistic) == (rate, decay, statistic) =>
                {
                    last.range.end = range.end;
                    last.matrices.extend(matrix);
                }
                _ => groups.push(Group {
                    range,
                    rate,
                    decay,
                    statistic,
                    matrices: matrix.into_iter().collect(),
                }),
            }
        }
        groups
    }

    /// All parameters at the plain rate and without decay, running statistics marked: one group
    /// where there are none.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// use chainrule::optim::Group;
    /// let net = Sequential::<f32>::builder(4)
    ///     .layer(Dense::new(2, Activation::Relu))
    ///     .seed(1)
    ///     .build()?;
    /// assert_eq!(net.default_groups(), Group::all(10));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn default_groups(&self) -> Vec<Group> {
        // A network without parameters has no blocks, and may be stepped all the same.
        if self.params().is_empty() {
            Group::all(0)
        } else {
            self.groups(|_, _| (1.0, 0.0))
        }
    }
}
