//! How the features of a sample lie in a value of the graph: which axis runs over the samples, and
//! how long the others are.

use super::constant::{Constant, MAX_RANK, Size, product};
use super::fold::{axis, end, insert, permutation, spread};
use super::proto;
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec, vec::Vec};

/// The axes of a value, in order: so many features, or `None` for the samples, of which there is
/// one axis or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axes {
    sizes: Vec<Option<usize>>,
    /// As many samples as the file is made for, where it says.
    samples: Option<usize>,
    /// Whether all that is known is how many features there are, not how they lie: all stand along
    /// the axis behind the first.
    open: bool,
}

impl Axes {
    /// `width` features; along `samples` of a file that is made for so many.
    pub(super) fn new(sizes: Vec<Option<usize>>, samples: Option<usize>) -> Self {
        Self {
            sizes,
            samples,
            open: false,
        }
    }

    /// `width` features along axes that the file leaves open, behind the first, until they are
    /// flattened.
    pub(super) fn open(rank: usize, width: usize, samples: Option<usize>) -> Self {
        let sizes = (0..rank)
            .map(|at| (at > 0).then_some(if at == 1 { width } else { 1 }))
            .collect();
        Self {
            sizes,
            samples,
            open: true,
        }
    }

    /// Whether the file may be made for one sample.
    fn single(&self) -> bool {
        self.samples.is_none_or(|samples| samples == 1)
    }

    /// Refuses features of which nobody knows how they lie.
    pub(super) fn closed(&self) -> Result<()> {
        if self.open {
            let expected = "at most one open dimension, or features that are flattened first";
            return Err(Error::new(
                ErrorKind::Incompatible,
                "",
                expected,
                self.describe(),
            ));
        }
        Ok(())
    }

    pub(super) fn rank(&self) -> usize {
        self.sizes.len()
    }

    /// The features of a sample.
    pub(super) fn width(&self) -> usize {
        self.sizes.iter().flatten().product()
    }

    /// How many features are along an axis; `None` for the axis of the samples.
    pub(super) fn size(&self, at: usize) -> Option<usize> {
        self.sizes[at]
    }

    /// Leaves these places along an axis, which goes away where it is `single`: the features of
    /// before that are left.
    pub(super) fn select(
        &mut self,
        at: usize,
        places: &[usize],
        single: bool,
    ) -> Result<Vec<usize>> {
        let features = |sizes: &[Option<usize>]| sizes.iter().flatten().product::<usize>();
        let (before, after) = (features(&self.sizes[..at]), features(&self.sizes[at + 1..]));
        let len = self.sizes[at].unwrap_or(1);
        if single {
            self.sizes.remove(at);
        } else {
            self.sizes[at] = Some(places.len());
        }
        let line = |first: usize| (first * after)..((first + 1) * after);
        Ok((0..before)
            .flat_map(|b| places.iter().flat_map(move |place| line(b * len + place)))
            .collect())
    }

    /// With so many features for each one, along a last axis.
    pub(super) fn append(&mut self, size: usize) -> Result<()> {
        self.closed()?;
        let wide = self.width().checked_mul(size);
        if wide.is_none() || self.rank() == MAX_RANK {
            return Err(Error::new(
                ErrorKind::Shape,
                "",
                format!("at most {MAX_RANK} dimensions, and features that fit into memory"),
                self.describe(),
            ));
        }
        self.sizes.push(Some(size));
        Ok(())
    }

    /// Of values that are added, all of which must lie as this one does.
    pub(super) fn sum(self, mut others: impl Iterator<Item = Self>) -> Result<Self> {
        match others.find(|other| *other != self) {
            None => Ok(self),
            Some(other) => Err(Error::new(
                ErrorKind::Shape,
                "",
                format!("the features of all branches as {}", self.describe()),
                other.describe(),
            )),
        }
    }

    /// The axes of values that are stacked along axis `at`.
    pub(super) fn stack(mut self, at: i64, others: impl Iterator<Item = Self>) -> Result<Self> {
        let at = axis(at, self.rank())?;
        let mut sum = self.line(Some(at))?;
        for mut other in others {
            let size = other.line(Some(at))?;
            other.sizes[at] = self.sizes[at];
            if other != self {
                return Err(Error::new(
                    ErrorKind::Shape,
                    "",
                    format!("the features of all branches as {}", self.describe()),
                    other.describe(),
                ));
            }
            sum = sum.checked_add(size).ok_or_else(|| {
                let expected = "features that fit into memory";
                Error::new(ErrorKind::Shape, "", expected, size)
            })?;
        }
        self.sizes[at] = Some(sum);
        Ok(self)
    }

    fn batch(&self) -> Option<usize> {
        self.sizes.iter().position(Option::is_none)
    }

    /// What `Shape` gives.
    pub(super) fn shape(&self) -> Vec<Size> {
        let known = |size| {
            if self.open {
                Size::Open
            } else {
                Size::Known(size as i64)
            }
        };
        self.sizes
            .iter()
            .map(|size| size.map_or(Size::Samples, known))
            .collect()
    }

    fn others(&self, at: usize) -> impl Iterator<Item = usize> {
        self.sizes
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != at)
            .filter_map(|(_, size)| *size)
    }

    /// Refuses anything but one row of features for each sample along this axis, all others being
    /// of one.
    pub(super) fn line(&self, at: Option<usize>) -> Result<usize> {
        self.closed()?;
        match at
            .filter(|at| *at < self.rank() && self.others(*at).all(|size| size == 1))
            .and_then(|at| self.sizes[at])
        {
            Some(size) => Ok(size),
            None => Err(Error::new(
                ErrorKind::Shape,
                "",
                "one row of features for each sample (flatten them first)",
                self.describe(),
            )),
        }
    }

    /// Whether all features lie along this axis and those that follow, and the samples do not.
    pub(super) fn all_from(&self, at: usize) -> bool {
        !self.open
            && at <= self.rank()
            && self.batch().is_none_or(|batch| batch < at)
            && self.sizes[..at].iter().flatten().all(|size| *size == 1)
    }

    /// Has at least so many axes: if two, any; new ones are before the others.
    pub(super) fn raise(&mut self, rank: usize) {
        while rank > 2 && self.rank() < rank {
            self.sizes.insert(0, Some(1));
        }
    }

    /// Refuses anything but a matrix of samples and features, or of one row.
    pub(super) fn row(&self) -> Result<()> {
        self.line(if self.rank() == 2 { Some(1) } else { None })
            .map(|_| ())
    }

    /// Of features in rows of one length, samples first, the number of rows.
    pub(super) fn groups(&self) -> Option<usize> {
        match self.sizes[..] {
            [None, Some(groups), Some(_)] if !self.open => Some(groups),
            _ => None,
        }
    }

    /// As errors call it: `(samples, 3)`.
    pub(super) fn describe(&self) -> String {
        let sizes = self.sizes.iter().map(|size| match size {
            None => "samples".into(),
            Some(_) if self.open => "open".into(),
            Some(size) => format!("{size}"),
        });
        format!("dimensions ({})", sizes.collect::<Vec<_>>().join(", "))
    }

    /// After a product with a matrix that takes `inputs` features to `outputs`: along the last
    /// axis, or along the last but one where the matrix is on the left.
    pub(super) fn product(
        &mut self,
        left: bool,
        inputs: usize,
        outputs: Option<usize>,
    ) -> Result<()> {
        let at = if left {
            self.rank().saturating_sub(2)
        } else {
            self.rank().wrapping_sub(1)
        };
        let wrong = || {
            Error::new(
                ErrorKind::Shape,
                "",
                format!("{inputs} features along axis {at}"),
                self.describe(),
            )
        };
        if self.line(Some(at)).map_err(|_| wrong())? != inputs {
            return Err(wrong());
        }
        match outputs {
            Some(outputs) => self.sizes[at] = Some(outputs),
            None => {
                self.sizes.remove(at);
            }
        }
        Ok(())
    }

    /// With the axes in the reverse order.
    pub(super) fn flip(&mut self) {
        self.sizes.reverse();
    }

    pub(super) fn transpose(&mut self, node: &proto::Node) -> Result<()> {
        self.closed()?;
        let order = permutation(node, self.rank())?;
        let long = |order: &mut dyn Iterator<Item = usize>| {
            order
                .filter(|at| self.sizes[*at].is_some_and(|size| size > 1))
                .collect::<Vec<_>>()
        };
        if long(&mut order.iter().copied()) != long(&mut (0..self.rank())) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "",
                "features that stay in their order",
                format!("perm {order:?} of {}", self.describe()),
            ));
        }
        self.sizes = order.into_iter().map(|at| self.sizes[at]).collect();
        Ok(())
    }

    /// Takes out axes of one, or those that are named.
    pub(super) fn squeeze(&mut self, axes: Option<&[i64]>) -> Result<()> {
        self.closed()?;
        let axes = match axes {
            Some(axes) => axes
                .iter()
                .map(|at| axis(*at, self.rank()))
                .collect::<Result<Vec<_>>>()?,
            None => (0..self.rank())
                .filter(|at| self.sizes[*at].or(self.samples) == Some(1))
                .collect(),
        };
        let given = || format!("axes {axes:?} of {}", self.describe());
        if axes
            .iter()
            .any(|at| self.sizes[*at].is_some_and(|size| size != 1))
        {
            return Err(Error::new(
                ErrorKind::Shape,
                "",
                "axes of one feature",
                given(),
            ));
        }
        // The axis of the samples is taken out only where the file is made for one.
        if let Some(samples) = self
            .samples
            .filter(|samples| *samples != 1 && axes.iter().any(|at| self.sizes[*at].is_none()))
        {
            let given = format!("{} with {samples} samples", given());
            return Err(Error::new(ErrorKind::Shape, "", "axes of one", given));
        }
        let mut at = 0;
        self.sizes.retain(|_| {
            at += 1;
            !axes.contains(&(at - 1))
        });
        Ok(())
    }

    pub(super) fn unsqueeze(&mut self, axes: &[i64]) -> Result<()> {
        self.closed()?;
        let mut sizes = self.sizes.clone();
        if sizes.len() + axes.len() > MAX_RANK {
            return Err(Error::new(
                ErrorKind::Shape,
                "",
                format!("at most {} dimensions", MAX_RANK),
                axes.len(),
            ));
        }
        insert(&mut sizes, axes, Some(1))?;
        self.sizes = sizes;
        Ok(())
    }

    pub(super) fn flatten(&mut self, at: i64) -> Result<()> {
        let axis = end(at, self.rank())?;
        if axis != 1 {
            self.closed()?;
        }
        let (before, after) = self.sizes.split_at(axis);
        let features = |sizes: &[Option<usize>]| sizes.iter().flatten().product::<usize>();
        let (first, second) = (features(before), features(after));
        let batch = (before.contains(&None), after.contains(&None));
        self.sizes = match batch {
            (false, false) => vec![Some(first), Some(second)],
            (true, false) if first == 1 => vec![None, Some(second)],
            // All in one row: a file for one sample.
            (false, true) if first == 1 && self.single() => vec![None, Some(second)],
            (false, true) if second == 1 => vec![Some(first), None],
            (true, false) if second == 1 && self.samples == Some(1) => vec![Some(first), None],
            _ => {
                let expected = "a row for each sample";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "",
                    expected,
                    format!("axis {at} of {}", self.describe()),
                ));
            }
        };
        self.open = false;
        Ok(())
    }

    /// Into a shape, whose −1 is what is left over and whose 0 copies.
    pub(super) fn reshape(&mut self, shape: &[Size], copies: bool) -> Result<()> {
        let width = self.width();
        let text = || {
            let sizes = shape.iter().map(|size| match size {
                Size::Known(size) => format!("{size}"),
                Size::Samples => "samples".into(),
                Size::Open => "open".into(),
            });
            format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
        };
        let refuse = || {
            Error::new(
                ErrorKind::Incompatible,
                "",
                "a shape (samples, features)",
                text(),
            )
        };
        if shape.len() > MAX_RANK {
            return Err(refuse());
        }
        // `Err` is what is left over.
        let mut sizes: Vec<Result<Option<usize>, ()>> = Vec::new();
        for (at, size) in shape.iter().enumerate() {
            sizes.push(match size {
                Size::Samples => Ok(None),
                Size::Open => return Err(refuse()),
                Size::Known(0) if copies && self.open && at > 0 => return Err(refuse()),
                Size::Known(0) if copies => Ok(*self.sizes.get(at).ok_or_else(refuse)?),
                Size::Known(-1) => Err(()),
                Size::Known(size) => Ok(Some(usize::try_from(*size).map_err(|_| refuse())?)),
            });
        }
        let rest = sizes.iter().position(Result::is_err);
        if sizes.iter().filter(|size| size.is_err()).count() > 1
            || sizes.iter().filter(|size| **size == Ok(None)).count() > 1
        {
            return Err(refuse());
        }
        // The product of the features that are said, but for an axis of the samples.
        let features = |sizes: &[Result<Option<usize>, ()>], but: Option<usize>| {
            let known = sizes
                .iter()
                .enumerate()
                .filter(|(at, _)| Some(*at) != but)
                .filter_map(|(_, size)| size.ok().flatten());
            product(&known.collect::<Vec<_>>())
        };
        let fill = |mut sizes: Vec<Result<Option<usize>, ()>>, batch: Option<usize>| {
            if let Some(batch) = batch {
                sizes[batch] = Ok(None);
            }
            let known = features(&sizes, batch).filter(|known| *known > 0)?;
            if let Some(rest) = sizes.iter().position(Result::is_err) {
                sizes[rest] = Ok(Some(width / known));
            }
            let sizes: Vec<Option<usize>> =
                sizes.into_iter().map(|size| size.unwrap_or(None)).collect();
            let whole =
                product(&sizes.iter().flatten().copied().collect::<Vec<_>>()) == Some(width);
            // The samples must stay between the same features.
            let before = |sizes: &[Option<usize>]| {
                sizes
                    .iter()
                    .take_while(|size| size.is_some())
                    .flatten()
                    .product::<usize>()
            };
            let stays = batch.is_none() || before(&sizes) == before(&self.sizes);
            (whole && stays).then_some(sizes)
        };
        let first = match sizes.first() {
            // As many rows as the file is made for; where it does not say, one, or as many as this
            // says.
            Some(Ok(Some(size))) => Some(0).filter(|_| {
                self.samples
                    .map_or(rest.is_none() || *size == 1, |samples| *size == samples)
            }),
            _ => None,
        };
        let said = sizes.iter().position(|size| *size == Ok(None));
        let found = match (self.batch(), said) {
            (None, None) => fill(sizes.clone(), None),
            (Some(_), Some(said)) => fill(sizes.clone(), Some(said)),
            (Some(_), None) => {
                let first = first.and_then(|first| fill(sizes.clone(), Some(first)));
                let rest = || rest.and_then(|rest| fill(sizes.clone(), Some(rest)));
                first.or_else(rest).or_else(|| {
                    if self.samples == Some(1) {
                        fill(sizes.clone(), None)
                    } else {
                        None
                    }
                })
            }
            (None, Some(_)) => None,
        };
        match found {
            Some(sizes) => {
                (self.sizes, self.open) = (sizes, false);
                Ok(())
            }
            None => match sizes[..] {
                [_, Ok(Some(features))] => Err(Error::new(
                    ErrorKind::Shape,
                    "",
                    format!("{width} features, as before"),
                    features,
                )),
                _ => Err(refuse()),
            },
        }
    }

    /// Of a constant that has a number for some features: the lengths of the axes and the strides
    /// that it has along them. Axes that the constant has before those of the value are added to
    /// the value.
    pub(super) fn spread(&mut self, constant: &Constant<'_>) -> Result<(Vec<usize>, Vec<usize>)> {
        let dims = constant.dims();
        if constant.len() != 1 || dims.len() > self.rank() {
            self.closed()?;
        }
        let mut wide = self.clone();
        while wide.rank() < dims.len() {
            wide.sizes.insert(0, Some(1));
        }
        let own = wide.sizes.iter().skip(wide.rank() - dims.len());
        if dims
            .iter()
            .zip(own)
            .any(|(dim, size)| *dim != 1 && Some(*dim) != *size)
        {
            let expected = format!("one number for each of {} features", self.width());
            return Err(Error::new(
                ErrorKind::Shape,
                constant.place(),
                expected,
                format!("dimensions {dims:?}"),
            ));
        }
        *self = wide;
        let strides = spread(dims, self.rank());
        Ok((
            self.sizes.iter().map(|size| size.unwrap_or(1)).collect(),
            strides,
        ))
    }
}
