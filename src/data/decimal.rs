//! Numbers as texts write them.

use crate::numeric::real::{Real, nearest};
use alloc::{format, string::String};
use core::cmp::Ordering;

/// Exactly the number that a text writes, so that `1`, `1.0`, `+1`, `01` and `1e0` are one number:
/// ± 0.digits · 10^exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    exponent: i64,
    /// Without zeros at either end; empty for 0.
    digits: String,
}

impl Decimal {
    /// The number in `text`, in the grammar of `f64`'s `FromStr` without its words for NaN and ∞;
    /// `None` for other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let all = [whole, fraction].concat();
        let leading = all.len() - all.trim_start_matches('0').len();
        let digits = all.trim_matches('0');
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                exponent: 0,
                digits: String::new(),
            });
        }
        let exponent = power
            .checked_add(whole.len() as i64)?
            .checked_sub(leading as i64)?;
        Some(Self {
            negative,
            exponent,
            digits: digits.into(),
        })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let size = self
            .exponent
            .cmp(&other.exponent)
            .then_with(|| self.digits.cmp(&other.digits));
        sign(self)
            .cmp(&sign(other))
            .then(if self.negative { size.reverse() } else { size })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `T` nearest to the number in `text`, rounded once; `None` for text that `f64` does not read.
pub(super) fn parse<T: Real>(text: &str) -> Option<T> {
    let wide: f64 = text.parse().ok()?;
    let side = || {
        // As many digits as an f64 has at most.
        let exact = Decimal::parse(&format!("{wide:.766e}"));
        match (Decimal::parse(text), exact) {
            (Some(number), Some(exact)) => number.cmp(&exact),
            _ => Ordering::Equal,
        }
    };
    Some(nearest(wide, side))
}
