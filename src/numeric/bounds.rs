//! Bounds of settings: which numbers are allowed, and the error for all others.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use core::fmt;

/// Numbers that a setting may have, and how errors describe them.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    expected: &'static str,
    holds: fn(f64) -> bool,
}

pub(crate) const NUMBER: Bound = Bound {
    expected: "a number",
    holds: |v| !v.is_nan(),
};
pub(crate) const FINITE: Bound = Bound {
    expected: "a finite number",
    holds: |v| v.is_finite(),
};
pub(crate) const NOT_NEGATIVE: Bound = Bound {
    expected: "a finite number ≥ 0",
    holds: |v| (0.0..=f64::MAX).contains(&v),
};
pub(crate) const POSITIVE: Bound = Bound {
    expected: "a finite number above 0",
    holds: |v| v > 0.0 && v.is_finite(),
};
/// As [`POSITIVE`], for [`Bound::check_in`] alone.
pub(crate) const POSITIVE_IN_SCALAR: Bound =
    POSITIVE.named("a finite number > 0 that the scalar can hold");
pub(crate) const AT_LEAST_ONE: Bound = Bound {
    expected: "a finite number ≥ 1",
    holds: |v| (1.0..=f64::MAX).contains(&v),
};
pub(crate) const ABOVE_ONE: Bound = Bound {
    expected: "a finite number above 1",
    holds: |v| v > 1.0 && v.is_finite(),
};
/// [0, 1].
pub(crate) const UNIT: Bound = Bound {
    expected: "a number in [0, 1]",
    holds: |v| (0.0..=1.0).contains(&v),
};
/// [0, 1).
pub(crate) const BELOW_ONE: Bound = Bound {
    expected: "a number in [0, 1)",
    holds: |v| (0.0..1.0).contains(&v),
};
/// (0, 1].
pub(crate) const FACTOR: Bound = Bound {
    expected: "a number in (0, 1]",
    holds: |v| v > 0.0 && v <= 1.0,
};
/// (0, 1).
pub(crate) const BETWEEN: Bound = Bound {
    expected: "a number in (0, 1)",
    holds: |v| v > 0.0 && v < 1.0,
};

impl Bound {
    /// The numbers that are `expected` and for which `holds` is true.
    pub(crate) const fn new(expected: &'static str, holds: fn(f64) -> bool) -> Self {
        Self { expected, holds }
    }

    /// The same numbers in other words.
    pub(crate) const fn named(self, expected: &'static str) -> Self {
        Self { expected, ..self }
    }

    /// Refuses any other number; `place` is the name of the setting.
    pub(crate) fn check(self, place: impl fmt::Display, value: f64) -> Result<()> {
        ensure((self.holds)(value), place, self.expected, value)
    }

    /// As [`check`](Self::check), and the scalar `T` must hold the number: neither as ±∞, nor as 0
    /// where 0 is refused.
    pub(crate) fn check_in<T: Real>(self, place: impl fmt::Display, value: f64) -> Result<()> {
        let held = T::of(value);
        let sound =
            (self.holds)(value) && held.is_finite() && ((self.holds)(0.0) || held != T::zero());
        ensure(sound, place, self.expected, value)
    }
}

/// Refuses a count of 0.
pub(crate) fn some(place: impl fmt::Display, expected: &str, count: u64) -> Result<()> {
    ensure(count > 0, place, expected, count)
}

/// Refuses a collection of no items, of which there must be some.
pub(crate) fn not_empty(
    place: impl fmt::Display,
    expected: impl fmt::Display,
    len: usize,
) -> Result<()> {
    ensure_or(ErrorKind::Empty, len > 0, &place, &expected, &len)
}

/// Refuses a scalar whose numbers are in no file.
#[cfg(feature = "std")]
pub(crate) fn in_files<T: Real>(place: impl fmt::Display) -> Result<()> {
    if T::BYTES > 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        place.to_string(),
        "f32 or f64",
        core::any::type_name::<T>(),
    ))
}

/// The error of a setting that is not sound, whose texts are made only then.
pub(crate) fn ensure(
    sound: bool,
    place: impl fmt::Display,
    expected: impl fmt::Display,
    given: impl fmt::Display,
) -> Result<()> {
    ensure_or(ErrorKind::Value, sound, &place, &expected, &given)
}

fn ensure_or(
    kind: ErrorKind,
    sound: bool,
    place: &dyn fmt::Display,
    expected: &dyn fmt::Display,
    given: &dyn fmt::Display,
) -> Result<()> {
    if sound {
        return Ok(());
    }
    Err(Error::new(
        kind,
        alloc::format!("{place}"),
        alloc::format!("{expected}"),
        given,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Numbers at, below and above each end.
    #[test]
    fn bounds_hold_what_they_say() {
        let nan = f64::NAN;
        let infinity = f64::INFINITY;
        let tiny = f64::MIN_POSITIVE;
        let (below, above) = (1.0 - f64::EPSILON, 1.0 + f64::EPSILON);
        let numbers = [
            nan,
            -infinity,
            -1.0,
            -tiny,
            0.0,
            tiny,
            below,
            1.0,
            above,
            f64::MAX,
            infinity,
        ];
        for (bound, held) in [
            (NUMBER, 1..11),
            (FINITE, 2..10),
            (NOT_NEGATIVE, 4..10),
            (POSITIVE, 5..10),
            (AT_LEAST_ONE, 7..10),
            (ABOVE_ONE, 8..10),
            (UNIT, 4..8),
            (BELOW_ONE, 4..7),
            (FACTOR, 5..8),
            (BETWEEN, 5..7),
        ] {
            for (index, number) in numbers.into_iter().enumerate() {
                let result = bound.check("rate", number);
                assert_eq!(
                    result.is_ok(),
                    held.contains(&index),
                    "{} and {number}",
                    bound.expected
                );
                let error = Error::new(ErrorKind::Value, "rate", bound.expected, number);
                assert!(result.is_ok() || result == Err(error));
            }
        }
    }

    /// A number of `f64` that `f32` cannot hold.
    #[test]
    fn scalars_must_hold_settings() {
        assert!(
            POSITIVE.check_in::<f64>("eps", 1e-60).is_ok()
                && POSITIVE.check_in::<f32>("eps", 1e-60).is_err()
        );
        assert!(
            FINITE.check_in::<f64>("slope", 1e60).is_ok()
                && FINITE.check_in::<f32>("slope", 1e60).is_err()
        );
        assert!(NOT_NEGATIVE.check_in::<f32>("std", 1e-60).is_ok());
        let error = POSITIVE
            .named("an ε")
            .check_in::<f32>("eps", 0.0)
            .expect_err("zero");
        assert_eq!(error.to_string(), "eps: got 0, expected an ε");
    }
}
