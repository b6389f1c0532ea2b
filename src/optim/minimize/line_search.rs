//! A line search for the strong Wolfe conditions, which knows of a function φ(α) and its
//! derivative: J. J. Moré & D. J. Thuente, *Line search algorithms with guaranteed sufficient
//! decrease*, 1994, as in MINPACK-2's `dcsrch` and `dcstep`.

/// Why no step that lowers the cost was found along the direction of steepest descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SearchFailure {
    /// What a step would gain is lost in the rounding of the cost: it is as low as it gets in this
    /// scalar. Or the gradient is not that of the cost, as of a surrogate.
    #[doc(alias("ABNORMAL_TERMINATION_IN_LNSRCH"))]
    Rounding,
    /// As many steps were tried as a search may try.
    #[doc(alias("maxls"))]
    Evaluations,
    /// The gradient is so large that its square is no number.
    NotFinite,
}

/// φ and φ′ at a step α.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl Sample {
    /// The same of φ(α) − s·α.
    fn tilted(self, s: f64) -> Self {
        Self {
            value: self.value - self.step * s,
            slope: self.slope - s,
            ..self
        }
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

/// What a search looks for, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// c₁: φ(α) ≤ φ(0) + c₁·α·φ′(0).
    pub(super) decrease: f64,
    /// c₂: |φ′(α)| ≤ c₂·|φ′(0)|.
    pub(super) curvature: f64,
    /// The search ends when the minimum is known to so large a part of the step.
    pub(super) width: f64,
    /// The longest step.
    pub(super) longest: f64,
    /// ε of the numbers that φ is computed in.
    pub(super) rounding: f64,
    /// φ is computed so many times at most, and once more for the best step of these.
    pub(super) evaluations: usize,
}

impl Search {
    /// As SciPy's L-BFGS-B searches.
    pub(super) const fn lbfgs(rounding: f64, evaluations: usize) -> Self {
        Self {
            decrease: 1e-3,
            curvature: 0.9,
            width: 0.1,
            longest: 1e10,
            rounding,
            evaluations,
        }
    }

    /// Looks for a step from α = 0, where φ and φ′ < 0 are `value` and `slope`, and `first` on.
    /// φ was computed last at the step that is returned. It satisfies both conditions or, where the
    /// search had to end before, the first one; also where φ was found not to be a number further
    /// on.
    pub(super) fn run(
        self,
        value: f64,
        slope: f64,
        first: f64,
        phi: &mut dyn FnMut(f64) -> (f64, f64),
    ) -> Result<f64, SearchFailure> {
        let start = Sample {
            step: 0.0,
            value,
            slope,
        };
        if !start.is_finite() {
            return Err(SearchFailure::NotFinite);
        }
        let mut look = |step| {
            let (value, slope) = phi(step);
            Sample { step, value, slope }
        };
        // Where a line from φ(0) that is so steep passes.
        let least = self.decrease * slope;
        let line = |step: f64| value + step * least;
        let low_enough = |at: Sample| at.step > 0.0 && at.value <= line(at.step);
        // Of values that are equal, rounded, only the slope can say that it went down.
        let lower = |at: Sample| low_enough(at) && at.value < value;
        let mut step = first.min(self.longest);
        let mut interval = Interval {
            best: start,
            other: start,
            bracketed: false,
            low: 0.0,
            high: 5.0 * step,
        };
        let mut widths = [self.longest, 2.0 * self.longest];
        let mut first_stage = true;
        // Where φ is no number.
        let mut wall = f64::INFINITY;
        for _ in 0..self.evaluations {
            let at = look(step);
            let best = interval.best;
            if !at.is_finite() {
                wall = step;
                step = best.step + 0.1 * (step - best.step);
                if step == best.step {
                    return Err(SearchFailure::Rounding);
                }
                continue;
            }
            let flat_enough = at.slope.abs() <= self.curvature * -slope;
            if low_enough(at) && flat_enough || lower(at) && wall.is_finite() {
                return Ok(step);
            }
            first_stage &= at.value > line(step) || at.slope < 0.0;
            let longest = step == self.longest && at.slope <= least;
            if lower(at) && (longest || interval.is_narrow(step, self.width)) {
                return Ok(step);
            }
            if interval.is_narrow(step, self.width) {
                return Err(SearchFailure::Rounding);
            }
            // While the decrease is not enough, φ less the line shows better where it will be.
            step = if first_stage && at.value <= best.value && at.value > line(step) {
                interval.tilt(least);
                let next = interval.update(at.tilted(least));
                interval.tilt(-least);
                next
            } else {
                interval.update(at)
            };
            if interval.bracketed {
                let [width, before] = widths;
                let (x, y) = (interval.best.step, interval.other.step);
                if (y - x).abs() >= 0.66 * before {
                    step = x + 0.5 * (y - x);
                }
                widths = [(y - x).abs(), width];
                (interval.low, interval.high) = (x.min(y), x.max(y));
            } else {
                let far = step - interval.best.step;
                (interval.low, interval.high) = (step + 1.1 * far, step + 4.0 * far);
            }
            if step.is_nan() {
                step = 0.5 * (interval.low + interval.high);
            }
            step = step.clamp(0.0, self.longest);
            if step >= wall {
                step = 0.5 * (interval.best.step + wall);
            }
            if interval.is_narrow(step, self.width) {
                step = interval.best.step;
            }
            if interval.best.step == 0.0 && -slope * step <= self.rounding * value.abs() {
                // What this step, and any shorter one, can gain does not show.
                return Err(SearchFailure::Rounding);
            }
        }
        let best = interval.best;
        if lower(best) {
            look(best.step);
            return Ok(best.step);
        }
        Err(SearchFailure::Evaluations)
    }
}

/// Where a step is looked for.
struct Interval {
    /// The step of the lowest φ so far.
    best: Sample,
    /// The other end, once there is one.
    other: Sample,
    /// Whether a minimum lies between the two.
    bracketed: bool,
    /// Bounds of the next step.
    low: f64,
    high: f64,
}

impl Interval {
    /// Whether rounding or `width` leave no other step than the best to look at.
    fn is_narrow(&self, step: f64, width: f64) -> bool {
        let out = step <= self.low || step >= self.high;
        self.bracketed && (out || self.high - self.low <= width * self.high)
    }

    /// Takes φ(α) − s·α for φ.
    fn tilt(&mut self, s: f64) {
        self.best = self.best.tilted(s);
        self.other = self.other.tilted(s);
    }

    /// Learns what φ is at a step, and says which to look at next: `dcstep`.
    fn update(&mut self, at: Sample) -> f64 {
        let best = self.best;
        let back = at.step < best.step;
        let turns = at.slope > 0.0 && best.slope < 0.0 || at.slope < 0.0 && best.slope > 0.0;
        let secant = || at.step + at.slope / (at.slope - best.slope) * (best.step - at.step);
        let farther = |a: f64, b: f64| {
            if (a - at.step).abs() > (b - at.step).abs() {
                a
            } else {
                b
            }
        };
        let edge = if back { self.low } else { self.high };
        let next = if at.value > best.value {
            // Higher: a minimum is bracketed. Of the cubic, if that is the closer one to the best
            // step, else halfway to that of the quadratic.
            let cubic = Cubic::through(best, at).minimum();
            let rise = (best.value - at.value) / (at.step - best.step) + best.slope;
            let quadratic = best.step + best.slope / rise / 2.0 * (at.step - best.step);
            if (cubic - best.step).abs() <= (quadratic - best.step).abs() {
                cubic
            } else {
                cubic + (quadratic - cubic) / 2.0
            }
        } else if turns {
            // Lower, and beyond a minimum, which is bracketed.
            farther(Cubic::through(at, best).minimum(), secant())
        } else if at.slope.abs() < best.slope.abs() {
            // Lower and less steep. The cubic may have its minimum on the other side, or none.
            let cubic = Cubic::through(at, best);
            let cubic = if cubic.ratio < 0.0 && cubic.root != 0.0 {
                cubic.minimum()
            } else {
                edge
            };
            if self.bracketed {
                let closer = if (cubic - at.step).abs() < (secant() - at.step).abs() {
                    cubic
                } else {
                    secant()
                };
                let limit = at.step + 0.66 * (self.other.step - at.step);
                if back {
                    closer.max(limit)
                } else {
                    closer.min(limit)
                }
            } else {
                farther(cubic, secant()).max(self.low).min(self.high)
            }
        } else if self.bracketed {
            Cubic::through(at, self.other).minimum()
        } else {
            edge
        };
        if at.value > best.value {
            self.other = at;
            self.bracketed = true;
        } else {
            self.best = at;
            if turns {
                self.other = best;
                self.bracketed = true;
            }
        }
        next
    }
}

/// The cubic with the values and slopes of φ at two steps.
struct Cubic {
    from: f64,
    to: f64,
    /// The root of the discriminant of its derivative.
    root: f64,
    /// Where its minimum is: 0 at the first step, 1 at the second.
    ratio: f64,
}

impl Cubic {
    fn through(a: Sample, b: Sample) -> Self {
        let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
        let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
        let square = (theta / scale) * (theta / scale) - (a.slope / scale) * (b.slope / scale);
        let root = scale * libm::sqrt(square.max(0.0));
        let signed = if b.step < a.step { -root } else { root };
        let ratio = ((signed - a.slope) + theta) / (((signed - a.slope) + signed) + b.slope);
        Self {
            from: a.step,
            to: b.step,
            root,
            ratio,
        }
    }

    fn minimum(&self) -> f64 {
        self.from + self.ratio * (self.to - self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::f64::consts::PI;

    /// Written by `reference/line_search.py`: function, c₁, c₂, first step, evaluations, step.
    const TABLE: &str = include_str!("../../../tests/reference/line_search.tsv");

    /// The functions of Moré & Thuente (1994), section 5.
    fn function(number: usize, a: f64) -> (f64, f64) {
        let yanai = |one: f64, two: f64| {
            let gamma = |b: f64| (1.0 + b * b).sqrt() - b;
            let left = ((1.0 - a).powi(2) + two * two).sqrt();
            let right = (a * a + one * one).sqrt();
            (
                gamma(one) * left + gamma(two) * right,
                gamma(one) * (a - 1.0) / left + gamma(two) * a / right,
            )
        };
        match number {
            1 => (-a / (a * a + 2.0), (a * a - 2.0) / (a * a + 2.0).powi(2)),
            2 => {
                let b: f64 = a + 0.004;
                (
                    b.powi(5) - 2.0 * b.powi(4),
                    5.0 * b.powi(4) - 8.0 * b.powi(3),
                )
            }
            3 => {
                let (beta, l) = (0.01, 39.0);
                let (value, slope) = if a <= 1.0 - beta {
                    (1.0 - a, -1.0)
                } else if a >= 1.0 + beta {
                    (a - 1.0, 1.0)
                } else {
                    (
                        (a - 1.0).powi(2) / (2.0 * beta) + beta / 2.0,
                        (a - 1.0) / beta,
                    )
                };
                let wave = l * PI / 2.0 * a;
                (
                    value + 2.0 * (1.0 - beta) / (l * PI) * wave.sin(),
                    slope + (1.0 - beta) * wave.cos(),
                )
            }
            4 => yanai(0.001, 0.001),
            5 => yanai(0.01, 0.001),
            _ => yanai(0.001, 0.01),
        }
    }

    /// As many evaluations as the paper's tables 1 to 6 and SciPy, and the same steps.
    #[test]
    fn of_the_paper() {
        for line in TABLE.lines().skip(1) {
            let numbers: Vec<f64> = line.split('\t').map(|n| n.parse().unwrap()).collect();
            let [number, decrease, curvature, first, expected, step] = numbers[..] else {
                panic!("{line}");
            };
            let search = Search {
                decrease,
                curvature,
                width: 0.0,
                longest: 1e10,
                rounding: f64::EPSILON,
                evaluations: 100,
            };
            let (value, slope) = function(number as usize, 0.0);
            let mut evaluations = 0;
            let found = search.run(value, slope, first, &mut |a| {
                evaluations += 1;
                function(number as usize, a)
            });
            assert_eq!(evaluations, expected as usize, "{line}");
            let found = found.unwrap();
            assert!((found - step).abs() <= 1e-12 * step, "{line}: {found}");
        }
        assert_eq!(TABLE.lines().count(), 1 + 6 * 4);
    }

    const SEARCH: Search = Search::lbfgs(f64::EPSILON, 20);

    /// −ln(1 − α) − 3α is no number from α = 1 on.
    #[test]
    fn what_is_no_number_shortens_the_step() {
        for first in [0.5, 1.0, 1.5, 1e6] {
            let mut last = 0.0;
            let barrier = |a: f64| (-(1.0 - a).ln() - 3.0 * a, 1.0 / (1.0 - a) - 3.0);
            let step = SEARCH.run(0.0, -2.0, first, &mut |a| {
                last = a;
                barrier(a)
            });
            let step = step.unwrap();
            assert!(
                step > 0.0 && step < 1.0 && barrier(step).0 < 0.0,
                "{first}: {step}"
            );
            assert_eq!(step, last);
        }
    }

    #[test]
    fn a_search_that_fails_says_why() {
        let why = |value, slope, phi: &mut dyn FnMut(f64) -> (f64, f64)| {
            SEARCH.run(value, slope, 1.0, phi).unwrap_err()
        };
        assert_eq!(
            why(0.0, f64::NEG_INFINITY, &mut |a| (-a, -1.0)),
            SearchFailure::NotFinite
        );
        // Rises, though its slope says otherwise.
        let rises = &mut |a| (1.0 + a, -1.0);
        assert_eq!(why(1.0, -1.0, rises), SearchFailure::Rounding);
        // No number anywhere.
        let nowhere = &mut |_| (f64::NAN, f64::NAN);
        assert_eq!(why(0.0, -1.0, nowhere), SearchFailure::Evaluations);
    }

    /// The best of what was tried, and φ was computed there last.
    #[test]
    fn at_the_end_of_its_evaluations() {
        let search = Search {
            curvature: 1e-12,
            width: 0.0,
            ..Search::lbfgs(f64::EPSILON, 3)
        };
        let mut tried = Vec::new();
        let step = search.run(1.0, -2.0, 0.01, &mut |a: f64| {
            let value = (1.0 - a).powi(2) + 0.1 * (1.0 - a).powi(4) - 0.1;
            tried.push((a, value));
            (value, -2.0 * (1.0 - a) - 0.4 * (1.0 - a).powi(3))
        });
        let step = step.unwrap();
        let best = tried.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert_eq!((tried.len(), step), (4, best.0));
        assert_eq!(tried[3].0, step);
    }

    /// A line goes down for ever: as far as a step may.
    #[test]
    fn the_longest_step() {
        let step = SEARCH.run(0.0, -1.0, 1.0, &mut |a| (-a, -1.0));
        assert_eq!(step, Ok(1e10));
    }
}
