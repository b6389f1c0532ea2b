//! Columns of numbers: holes filled, then scaled.

use super::code::{Code, Codes, other_kind, place};
use super::settings::{Encoding, Fill, Scaling};
use crate::data::scaler::{Mean, Scaler, from_scale, to_scale};
use crate::data::values::{Numbers, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::view::View;
use alloc::{format, string::String, vec, vec::Vec};

/// x ↦ (x − shift) / scale, where x is `fill` in place of a hole; and perhaps an indicator.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Scaled {
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    fill: Option<f64>,
    indicator: bool,
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    shift: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    scale: f64,
}

impl Scaled {
    pub(super) fn fit(column: &str, numbers: &[f64], settings: &Encoding) -> Result<Self> {
        let known: Vec<f64> = numbers.iter().copied().filter(|v| !v.is_nan()).collect();
        let hole = numbers.iter().position(|number| number.is_nan());
        let fill = match settings.fill {
            Some(Fill::Constant(number)) => Some(number),
            Some(_) if known.is_empty() => {
                return Err(Error::new(
                    ErrorKind::Empty,
                    format!("column {column:?} of Encoder"),
                    "at least 1 number to fill holes by (Fill::Constant fills a column without any, \
                     Table::without leaves it out)",
                    "nothing but holes",
                ));
            }
            Some(Fill::Mean) => Some(Mean::of(&known).value()),
            Some(Fill::Median) => Some(median(known)),
            None => None,
        };
        let filled = match (fill, hole) {
            (None, Some(row)) => return Err(no_fill(column, row)),
            (fill, _) => numbers
                .iter()
                .map(|number| fill.filter(|_| number.is_nan()).unwrap_or(*number))
                .collect::<Vec<_>>(),
        };
        let (shift, scale) = scale(column, &filled, settings.scaling)?;
        Ok(Self {
            fill,
            indicator: settings.indicator.is_some() && hole.is_some(),
            shift,
            scale,
        })
    }

    /// Writes the outputs of a number, which is NaN for a hole; `None` if no fill is there for it.
    pub(super) fn put(&self, number: f64, code: &mut [f64]) -> Option<()> {
        let hole = number.is_nan();
        let number = if hole { self.fill? } else { number };
        code[0] = to_scale(number, self.shift, self.scale);
        if self.indicator {
            code[1] = f64::from(u8::from(hole));
        }
        Some(())
    }

    /// The number of these outputs; NaN for a hole that an indicator tells.
    pub(super) fn take(&self, code: &[f64]) -> f64 {
        if self.indicator && code[1] >= 0.5 {
            f64::NAN
        } else {
            from_scale(code[0], self.shift, self.scale)
        }
    }
}

impl Code for Scaled {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn width(&self) -> usize {
        1 + usize::from(self.indicator)
    }

    fn names(&self, column: &str) -> Vec<String> {
        let mut names = vec![column.into()];
        names.extend(self.indicator.then(|| indicator(column)));
        names
    }

    fn encode(&self, column: &str, values: &Values, codes: Codes<'_, '_>) -> Result<()> {
        let Values::Numbers(Numbers(numbers)) = values else {
            return Err(other_kind(column, self.kind(), values.kind()));
        };
        for (row, (number, code)) in numbers.iter().zip(codes).enumerate() {
            self.put(*number, code)
                .ok_or_else(|| no_fill(column, row))?;
        }
        Ok(())
    }

    fn decode(&self, codes: &[&[f64]]) -> Values {
        Values::Numbers(Numbers(codes.iter().map(|code| self.take(code)).collect()))
    }

    fn check(&self) -> Result<()> {
        if let Some(fill) = self.fill {
            Fill::Constant(fill).check("fill of Encoder")?;
        }
        Scaler::new(vec![self.shift], vec![self.scale]).map(|_| ())
    }
}

/// The name of the output that tells holes.
pub(super) fn indicator(column: &str) -> String {
    format!("{column} (missing)")
}

/// The error of a hole for which there is no fill.
fn no_fill(column: &str, row: usize) -> Error {
    Error::new(
        ErrorKind::Value,
        place(column, row),
        "a number (Encoder::builder().fill says what takes the place of holes)",
        "a hole",
    )
}

/// Shift and scale of a column of numbers.
pub(super) fn scale(column: &str, numbers: &[f64], scaling: Option<Scaling>) -> Result<(f64, f64)> {
    let view = View::new(numbers, 1)?;
    let scaler = match scaling.unwrap_or_default() {
        Scaling::Standard => Scaler::standard(view),
        Scaling::MinMax => Scaler::min_max(view),
        Scaling::MaxAbs => Scaler::max_abs(view),
        Scaling::None => return Ok((0.0, 1.0)),
    };
    let scaler = scaler.map_err(|error| error.within(format!("column {column:?} of Encoder")))?;
    Ok((scaler.shift()[0], scaler.scale()[0]))
}

/// The middle one of some numbers, or the mean of both in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
    let sum = low + high;
    if sum.is_finite() {
        sum / 2.0
    } else {
        low / 2.0 + high / 2.0
    }
}
