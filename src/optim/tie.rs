//! Blocks of parameters that share their numbers.

use super::state::check_len;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Role;
use crate::nn::layout::{Layout, PlacedBlock};
use crate::nn::sequential::Sequential;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};
use core::fmt;
use core::ops::Range;

/// Two blocks of parameters that are the same numbers: W₂ = W₁, or W₂ = W₁ᵀ as of an autoencoder
/// whose decoder is the transposed encoder (Vincent et al. 2010). In PyTorch one assigns a
/// parameter to two modules.
///
/// The network is then a function of fewer parameters: those of the first block stand for both, and
/// the derivative by one of them is the sum of the derivatives at its two places. A trainer that is
/// [told so](crate::Trainer::tie) sees each shared number once, in norms and clips of the gradient,
/// in penalties, in the rule and in what it remembers. After each step the second block is a copy
/// of the first, to the bit. The number of parameters of the network stays, and files hold both.
///
/// Blocks are named as in [`named_parameters`](Sequential::named_parameters). Several blocks may be
/// tied to the same first one.
///
/// An autoencoder:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::optim::Tie;
/// let x = DMatrix::from_fn(6, 40, |i, j| ((i + 1) as f64 * (j as f64 * 0.3).sin()) / 6.0);
/// let data = Dataset::new(x.clone(), x)?;
/// let mut net = Sequential::builder(6)
///     .layer(Dense::new(2, Activation::Tanh)) // the code
///     .layer(Dense::new(6, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
///     .learning_rate(0.02)
///     .epochs(300)
///     .tie(Tie::new("0.weight", "2.weight").transposed());
/// let history = trainer.fit(&mut net, &data)?;
/// assert_eq!(net.weights(1)?, net.weights(0)?.transpose());
/// assert!(history.costs().last() < Some(0.01));
/// # Ok::<(), Error>(())
/// ```
///
/// In a loop of your own, [`gather`](Self::gather) stands behind the gradient, before penalties and
/// clips, and [`apply`](Self::apply) behind the step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("weight tying", "tied weights", "shared weights", "parametrize"))]
pub struct Tie {
    first: String,
    second: String,
    transposed: bool,
}

impl Tie {
    /// Lets the block `second` be the block `first`, which has the same shape. Training begins with
    /// the numbers of the first.
    pub fn new(first: impl Into<String>, second: impl Into<String>) -> Self {
        Self {
            first: first.into(),
            second: second.into(),
            transposed: false,
        }
    }

    /// The same with the second block the transposed first one.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            transposed: true,
            ..self
        }
    }

    /// Copies the first block of `net` to the second.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a block that is not there, [`ErrorKind::Shape`] for blocks whose
    /// shapes do not fit, [`ErrorKind::Incompatible`] for blocks of different roles, running
    /// statistics, and a block with itself. Nothing is changed then.
    pub fn apply<T: Real>(&self, net: &mut Sequential<T>) -> Result<()> {
        let tied = self.place(net.layout())?.tied;
        tied.spread(net.params_mut());
        Ok(())
    }

    /// Makes of `grads`, a gradient by the parameters of `net` as if they were free, the one by
    /// those that are: adds the second block's to that of the first, and makes it 0.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); [`ErrorKind::Shape`] for more or fewer numbers than parameters.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::optim::Tie;
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .seed(1)
    ///     .build()?;
    /// net.set_params(&[3.0, 0.0])?;
    /// let tie = Tie::new("0.weight", "1.weight");
    /// tie.apply(&mut net)?;
    /// let mut tape = Tape::new();
    /// let target = [0.0];
    /// net.gradient(&[1.0], &target, &SumSquaredError, &mut tape)?; // ½(w·w)²
    /// tie.gather(&net, tape.grads_mut())?;
    /// assert_eq!(tape.grads(), [2.0 * 3.0_f64.powi(3), 0.0]); // 2w³
    /// # use chainrule::nn::loss::SumSquaredError;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn gather<T: Real>(&self, net: &Sequential<T>, grads: &mut [T]) -> Result<()> {
        check_len(|| "grads of Tie::gather".into(), net.params().len(), grads)?;
        self.place(net.layout())?.tied.gather(grads);
        Ok(())
    }

    /// What is tied, as a setting of a checkpoint; nothing where nothing is.
    #[cfg(feature = "std")]
    pub(crate) fn setting(ties: &[Self]) -> Option<(&'static str, String)> {
        let texts: Vec<String> = ties.iter().map(|tie| format!("{tie}")).collect();
        (!ties.is_empty()).then(|| ("ties", texts.join(", ")))
    }

    pub(crate) fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// Where the blocks of a network are.
    fn place(&self, layout: &Layout) -> Result<Placed> {
        let (first, second) = (
            self.find(layout, &self.first)?,
            self.find(layout, &self.second)?,
        );
        let error = |kind, expected: String, given: String| {
            Err(Error::new(kind, format!("{self}"), expected, given))
        };
        if first.range == second.range {
            let given = "the same block twice".into();
            return error(ErrorKind::Incompatible, "two blocks".into(), given);
        }
        let roles = [first.block.role, second.block.role];
        if roles[0] != roles[1] || roles[0] == Role::Statistic {
            let expected = "two blocks of one role that learn".into();
            return error(ErrorKind::Incompatible, expected, format!("{roles:?}"));
        }
        let shape = |block: &PlacedBlock<'_>| (block.block.rows, block.block.cols);
        let (wanted, given) = (shape(&first), shape(&second));
        let wanted = if self.transposed {
            (wanted.1, wanted.0)
        } else {
            wanted
        };
        if given != wanted {
            let hint = if given == (wanted.1, wanted.0) && !self.transposed {
                " (Tie::transposed ties to the transposed block)"
            } else {
                ""
            };
            let expected = format!("{} × {}{hint}", wanted.0, wanted.1);
            let given = format!("{} × {}", given.0, given.1);
            return error(ErrorKind::Shape, expected, given);
        }
        Ok(Placed {
            layers: [first.layer, second.layer],
            tied: Tied {
                rows: first.block.rows,
                transposed: self.transposed,
                first: first.range,
                second: second.range,
            },
        })
    }

    fn find<'l>(&self, layout: &'l Layout, name: &str) -> Result<PlacedBlock<'l>> {
        let found = layout.blocks().find(|placed| placed.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = layout.blocks().map(|placed| placed.name).collect();
            let expected = format!("one of {}", names.join(", "));
            Error::new(
                ErrorKind::Value,
                format!("{self}"),
                expected,
                format!("{name:?}"),
            )
        })
    }
}

/// How errors and checkpoints call it.
impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transposed = if self.transposed { ", transposed" } else { "" };
        write!(
            f,
            "tie of {:?} and {:?}{transposed}",
            self.first, self.second
        )
    }
}

/// A tie in a network.
struct Placed {
    layers: [usize; 2],
    tied: Tied,
}

/// Where the blocks of a tie lie.
#[derive(Clone, Debug)]
pub(crate) struct Tied {
    first: Range<usize>,
    second: Range<usize>,
    /// The rows of the first block.
    rows: usize,
    transposed: bool,
}

impl Tied {
    /// Where the number of the second block is that is number `k` of the first.
    fn second(&self, k: usize) -> usize {
        let at = if self.transposed {
            let columns = self.first.len() / self.rows.max(1);
            k / self.rows + k % self.rows * columns
        } else {
            k
        };
        self.second.start + at
    }

    fn gather<T: Real>(&self, grads: &mut [T]) {
        compiled_here!(T: |tied: &Tied, grads: &mut [T]| {
            for k in 0..tied.first.len() {
                let other = tied.second(k);
                let more = core::mem::replace(&mut grads[other], T::zero());
                grads[tied.first.start + k] += more;
            }
        })(self, grads);
    }

    fn spread<T: Real>(&self, params: &mut [T]) {
        compiled_here!(T: |tied: &Tied, params: &mut [T]| {
            for k in 0..tied.first.len() {
                params[tied.second(k)] = params[tied.first.start + k];
            }
        })(self, params);
    }
}

/// The ties of a network: which of its parameters stand for others.
#[derive(Clone, Debug)]
pub(crate) struct Ties(Vec<Tied>);

impl Ties {
    pub(crate) const NONE: Self = Self(Vec::new());

    /// Those of a network, of which `frozen` says what layers stay as they are; ties between
    /// such are none.
    pub(crate) fn new(
        ties: &[Tie],
        layout: &Layout,
        frozen: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let mut all: Vec<Tied> = Vec::new();
        let mut seconds: Vec<(&Tie, Range<usize>)> = Vec::new();
        for tie in ties {
            let Placed { layers, tied } = tie.place(layout)?;
            let error = |expected: &str, given: String| {
                Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("{tie}"),
                    expected,
                    given,
                ))
            };
            let other = |other: &&Tie| {
                let (tie, other) = ([&tie.first, &tie.second], [&other.first, &other.second]);
                tie[1] == other[1] || tie[0] == other[1] || tie[1] == other[0]
            };
            if let Some((other, _)) = seconds.iter().find(|(tie, _)| other(tie)) {
                let expected = "blocks that are each tied once, to one that is tied to no other";
                return error(expected, format!("{other}"));
            }
            if frozen(layers[0]) != frozen(layers[1]) {
                let given = format!("layers {} and {}, one of them frozen", layers[0], layers[1]);
                return error("two layers that are frozen, or none", given);
            }
            seconds.push((tie, tied.second.clone()));
            if !frozen(layers[0]) {
                all.push(tied);
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the parameters lie that are copies, in order.
    pub(crate) fn copies(&self) -> Vec<Range<usize>> {
        let mut copies: Vec<_> = self.0.iter().map(|tied| tied.second.clone()).collect();
        copies.sort_unstable_by_key(|range| range.start);
        copies
    }

    /// Whether these parameters are copies.
    pub(crate) fn is_copy(&self, range: &Range<usize>) -> bool {
        self.0.iter().any(|tied| tied.second == *range)
    }

    /// The blocks whose numbers those of `range` stand for, itself included.
    pub(crate) fn standing<'t>(
        &'t self,
        range: &'t Range<usize>,
    ) -> impl Iterator<Item = &'t Range<usize>> {
        let copies = self.0.iter().filter(move |tied| tied.first == *range);
        copies.map(|tied| &tied.second).chain([range])
    }

    /// Each pair of parameters that are one.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let each = |tied: &'_ Tied| {
            let tied = tied.clone();
            (0..tied.first.len()).map(move |k| (tied.first.start + k, tied.second(k)))
        };
        self.0.iter().flat_map(each)
    }

    /// Makes the gradient by all parameters the one by those that are free; that of copies is 0.
    pub(crate) fn gather<T: Real>(&self, grads: &mut [T]) {
        self.0.iter().for_each(|tied| tied.gather(grads));
    }

    /// Copies the parameters that stand for others to where these are.
    pub(crate) fn spread<T: Real>(&self, params: &mut [T]) {
        self.0.iter().for_each(|tied| tied.spread(params));
    }
}
