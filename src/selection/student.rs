//! Student's t distribution.

use crate::numeric::real::sum_of;
use alloc::vec::Vec;
use core::f64::consts::{FRAC_2_PI, FRAC_PI_2};
use libm::{cos, sin, sqrt, tan};

/// The t for which |T| ≤ t has the probability `level`, in (0, 1), T having Student's distribution
/// with `freedom` ≥ 1 degrees of freedom.
///
/// For whole degrees of freedom ν the probability of |T| ≤ √ν·tan θ is a sum of ⌈ν/2⌉ powers of
/// cos θ (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4). It grows with θ, which is found by
/// bisection.
pub(super) fn quantile(level: f64, freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return sqrt(freedom as f64) * tan(low + (high - low) / 2.0);
        }
        if probability(middle, freedom) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The probability of |T| ≤ √ν·tan θ.
fn probability(angle: f64, freedom: usize) -> f64 {
    let (sin, cos) = (sin(angle), cos(angle));
    let odd = freedom % 2 == 1;
    let mut terms = Vec::new();
    let mut term = if odd { cos } else { 1.0 };
    let mut next = if odd { 3 } else { 2 };
    // Of degrees of freedom ν the powers of cos θ go up to ν − 2.
    while next <= freedom {
        terms.push(term);
        term *= cos * cos * (next - 1) as f64 / next as f64;
        if term < 1e-20 {
            break;
        }
        next += 2;
    }
    let sum = sum_of(terms.len(), &mut terms.iter().copied());
    if odd {
        FRAC_2_PI * (angle + sin * sum)
    } else {
        sin * sum
    }
}

#[cfg(test)]
mod tests {
    use super::quantile;

    /// The closed forms for one, two and four degrees of freedom.
    #[test]
    fn closed_forms() {
        for level in [1e-12, 1e-3, 0.1, 0.5, 0.9, 0.95, 0.99, 0.9999] {
            let p: f64 = level;
            let a = 1.0 - p * p;
            let phi = (a.sqrt().acos() / 3.0).cos() / a.sqrt();
            for (freedom, expected) in [
                (1, (p * core::f64::consts::FRAC_PI_2).tan()),
                (2, p * (2.0 / a).sqrt()),
                // Shaw 2006, of 4·p·(1 − p) for the one-sided p; it cancels for small levels.
                (4, 2.0 * (phi - 1.0).max(0.0).sqrt()),
            ] {
                let t = quantile(level, freedom);
                let tolerance = if freedom == 4 && level < 0.1 {
                    1e-3
                } else {
                    1e-11
                };
                if freedom != 4 || level > 1e-6 {
                    assert!(
                        (t / expected - 1.0).abs() < tolerance,
                        "{level}, {freedom}: {t}"
                    );
                }
            }
        }
    }
}
