//! A user's own piecewise-linear activation.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use alloc::{format, sync::Arc, vec::Vec};
use core::{fmt, str::FromStr};

/// A continuous piecewise-linear function through points (x, y): straight between neighbors,
/// constant beyond the first and the last unless [slopes](Breakpoints::slopes) are given there.
///
/// ```
/// use chainrule::Activation;
/// use chainrule::nn::Breakpoints;
///
/// // The hard tanh, and a leaky version of it.
/// let clip = Breakpoints::new(&[(-1.0, -1.0), (1.0, 1.0)])?;
/// let leaky = clip.clone().slopes(0.1, 0.1)?;
/// assert_eq!(Activation::from(clip).value(3.0), 1.0);
/// assert_eq!(Activation::from(leaky).value(3.0), 1.2);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("piecewise_linear_spline", "lookup_table", "interp"))]
pub struct Breakpoints {
    points: Arc<[(f64, f64)]>,
    left: f64,
    right: f64,
}

impl Breakpoints {
    /// The function through `points`, constant beyond the ends.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a point; [`ErrorKind::NotFinite`] for a coordinate that is NaN
    /// or ±∞; [`ErrorKind::Value`] when the x do not increase strictly, or two are so close that
    /// the slope between overflows.
    pub fn new(points: &[(f64, f64)]) -> Result<Self> {
        not_empty("Breakpoints::new", "at least 1 point", points.len())?;
        for (i, (x, y)) in points.iter().enumerate() {
            if !x.is_finite() || !y.is_finite() {
                return Err(Error::new(
                    ErrorKind::NotFinite,
                    format!("point {i} of Breakpoints"),
                    "finite coordinates",
                    format!("({x}, {y})"),
                ));
            }
        }
        for (i, pair) in points.windows(2).enumerate() {
            let place = || format!("point {} of Breakpoints", i + 1);
            if pair[0].0 >= pair[1].0 {
                return Err(Error::new(
                    ErrorKind::Value,
                    place(),
                    format!("an x above {}", pair[0].0),
                    pair[1].0,
                ));
            }
            if !slope(pair).is_finite() || !(pair[1].0 - pair[0].0).is_finite() {
                let given = format!("({}, {})", pair[1].0, pair[1].1);
                return Err(Error::new(
                    ErrorKind::Value,
                    place(),
                    "a finite distance and slope from the point before",
                    given,
                ));
            }
        }
        Ok(Self {
            points: points.into(),
            left: 0.0,
            right: 0.0,
        })
    }

    /// The same function with the slopes `left` before the first point and `right` after the last.
    ///
    /// # Errors
    /// [`ErrorKind::NotFinite`] for a slope that is NaN or ±∞.
    pub fn slopes(self, left: f64, right: f64) -> Result<Self> {
        if !left.is_finite() || !right.is_finite() {
            return Err(Error::new(
                ErrorKind::NotFinite,
                "Breakpoints::slopes",
                "finite slopes",
                format!("{left} and {right}"),
            ));
        }
        Ok(Self {
            left,
            right,
            ..self
        })
    }

    /// The points, by increasing x.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The slopes, first to last, those beyond the ends among them.
    pub(super) fn all_slopes(&self) -> impl Iterator<Item = f64> + '_ {
        [self.left]
            .into_iter()
            .chain(self.points.windows(2).map(slope))
            .chain([self.right])
    }

    /// The infimum and the supremum of the function.
    pub(super) fn bounds(&self) -> (f64, f64) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = self
            .points
            .iter()
            .fold(ends, |(low, high), (_, y)| (low.min(*y), high.max(*y)));
        let falls = self.left > 0.0 || self.right < 0.0;
        let rises = self.left < 0.0 || self.right > 0.0;
        (
            if falls { f64::NEG_INFINITY } else { low },
            if rises { f64::INFINITY } else { high },
        )
    }

    /// Whether the function is constant.
    pub(super) fn is_constant(&self) -> bool {
        self.all_slopes().all(|slope| slope == 0.0)
    }

    /// The straight piece that has `before` points at or before it: a point on it and its slope.
    pub(crate) fn piece(&self, before: usize) -> ((f64, f64), f64) {
        let last = self.points.len() - 1;
        match before {
            0 => (self.points[0], self.left),
            n if n > last => (self.points[last], self.right),
            n => (self.points[n - 1], slope(&self.points[n - 1..=n])),
        }
    }
}

fn slope(pair: &[(f64, f64)]) -> f64 {
    (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)
}

/// `x:y, x:y, …`, and where there are slopes beyond the ends `; left, right`.
impl fmt::Display for Breakpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (x, y)) in self.points.iter().enumerate() {
            write!(f, "{}{x}:{y}", if i == 0 { "" } else { ", " })?;
        }
        if (self.left, self.right) == (0.0, 0.0) {
            Ok(())
        } else {
            write!(f, "; {}, {}", self.left, self.right)
        }
    }
}

/// Reads what `Display` writes.
impl FromStr for Breakpoints {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let pair = |text: &str, separator: char, expected: &str| {
            let numbers = text
                .split_once(separator)
                .and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
            numbers.ok_or_else(|| {
                Error::new(
                    ErrorKind::Parse,
                    "breakpoints",
                    expected,
                    format!("{text:?}"),
                )
            })
        };
        let (points, slopes) = text
            .split_once(';')
            .map_or((text, None), |(points, slopes)| (points, Some(slopes)));
        let points = points
            .split(',')
            .map(|point| pair(point, ':', "points x:y, x:y, …"))
            .collect::<Result<Vec<_>>>()?;
        let this = Self::new(&points)?;
        match slopes {
            None => Ok(this),
            Some(slopes) => {
                let (left, right) = pair(slopes, ',', "two slopes after the semicolon")?;
                this.slopes(left, right)
            }
        }
    }
}

#[cfg(feature = "serde")]
crate::ground::serde::as_text!(Breakpoints);
