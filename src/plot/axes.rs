//! Axes: where numbers lie, and which of them are written.

use super::canvas::Rect;
use super::font;

/// How many steps between ticks an axis has room for.
pub(super) fn steps(room: Rect) -> (f64, f64) {
    (
        (room.width() / 80.0).clamp(2.0, 10.0),
        (room.height() / 40.0).clamp(2.0, 10.0),
    )
}

/// The font sizes of numbers at ticks, and of what stands at axes and in legends.
pub(super) const SMALL: f64 = 12.0;
pub(super) const LABEL: f64 = 14.0;

/// Numbers below this are as good as 0, also on a logarithmic axis: their tenth parts lose digits.
pub(super) const TINY: f64 = 1e-290;

/// An axis: which numbers it spans, and its ticks as fractions of its length with their texts.
#[derive(Debug)]
pub(super) struct Axis {
    pub label: String,
    /// The label without a power of 10.
    title: String,
    log: bool,
    /// The ends; of a logarithmic axis, their logarithms to base 10.
    low: f64,
    high: f64,
    pub ticks: Vec<(f64, String)>,
    /// Whether lines go across the chart from its ticks.
    pub mesh: bool,
}

impl Axis {
    /// An axis on which finite numbers have room: all of them, or with `log` the positive ones.
    /// `None` if there is none. Of `whole` numbers, no others are written. Of a linear axis, there
    /// are at most some `steps` steps between ticks.
    pub(super) fn around(
        label: &str,
        values: impl Iterator<Item = f64>,
        log: bool,
        whole: bool,
        steps: f64,
    ) -> Option<Self> {
        let values = values
            .filter(|v| v.is_finite() && (!log || *v >= TINY))
            .map(|v| if log { v.log10() } else { v });
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return None;
        }
        let size = low.abs().max(high.abs());
        let (low, high) = if (whole && low == high && size < 1e6) || (log && high - low < 1e-6) {
            (low - 0.5, high + 0.5)
        } else if !log && size < TINY {
            (-1.0, 1.0)
        } else if !log && high / 2.0 - low / 2.0 <= 1e-9 * size {
            // One number, or as good as one.
            (low - 0.1 * size, high + 0.1 * size)
        } else {
            let room = if whole { 0.02 } else { 0.04 };
            let (below, above) = (low - room * (high - low), high + room * (high - low));
            // What is never negative needs no room below 0.
            (
                if low >= 0.0 && !log && !whole {
                    below.max(0.0)
                } else {
                    below
                },
                above,
            )
        };
        let clamp = |v: f64| {
            if log {
                v.min(f64::MAX.log10())
            } else {
                v.clamp(-f64::MAX, f64::MAX)
            }
        };
        Some(Self::between(
            label,
            clamp(low),
            clamp(high),
            log,
            whole,
            steps,
        ))
    }

    /// An axis from `low` to `high`, which are finite and different; of a logarithmic one, their
    /// logarithms.
    pub(super) fn between(
        label: &str,
        low: f64,
        high: f64,
        log: bool,
        whole: bool,
        steps: f64,
    ) -> Self {
        let mut axis = Self {
            label: label.into(),
            title: label.into(),
            log,
            low,
            high,
            ticks: vec![],
            mesh: true,
        };
        if log {
            axis.mark_logarithmic(steps)
        } else {
            axis.mark_linear(low, high, whole, steps)
        }
        axis
    }

    /// The same axis from the number that `other` begins with, if that is lower, to the one that it
    /// ends with, if that is higher.
    pub(super) fn reaching(&self, other: &Self, steps: f64) -> Self {
        let (low, high) = (self.low.min(other.low), self.high.max(other.high));
        Self::between(&self.title, low, high, self.log, false, steps)
    }

    /// The first and the last number.
    pub(super) fn ends(&self) -> (f64, f64) {
        if self.log {
            let power = |exponent: f64| 10f64.powf(exponent).min(f64::MAX);
            (power(self.low), power(self.high))
        } else {
            (self.low, self.high)
        }
    }

    /// A vertical axis of names from top to bottom, each at most `limit` pixels wide.
    pub(super) fn of_names(names: &[String], limit: f64) -> Self {
        let share = |index: usize| 1.0 - (index as f64 + 0.5) / names.len() as f64;
        Self {
            label: String::new(),
            title: String::new(),
            log: false,
            low: 0.0,
            high: 1.0,
            ticks: (0..names.len())
                .map(|index| (share(index), font::fit(&names[index], SMALL, limit)))
                .collect(),
            mesh: false,
        }
    }

    /// Where a number lies, in 0..1 if on the axis; `None` of a number that the axis cannot have.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let value = match self.log {
            true if value >= TINY => value.log10(),
            true => return None,
            false => value,
        };
        // By halves, since the whole may be more than a number can hold.
        value
            .is_finite()
            .then(|| (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0))
    }

    /// As [`place`](Self::place); `None` also of a number beyond the ends.
    pub(super) fn inside(&self, value: f64) -> Option<f64> {
        self.place(value)
            .filter(|place| (0.0..=1.0).contains(place))
    }

    /// The number at a place of a linear axis.
    pub(super) fn value(&self, place: f64) -> f64 {
        self.low * (1.0 - place) + self.high * place
    }

    fn mark(&mut self, value: f64, text: impl Into<String>) {
        if let Some(place) = self
            .place(value)
            .filter(|place| (-1e-9..=1.0 + 1e-9).contains(place))
        {
            self.ticks.push((place, text.into().replace('-', "−")));
        }
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of 10.
    fn mark_linear(&mut self, low: f64, high: f64, whole: bool, steps: f64) {
        let rough = high / steps - low / steps;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0]
            .map(|m| m * power)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * power);
        let step = if whole { step.max(1.0) } else { step };
        let first = (low / step).ceil();
        let values: Vec<_> = (0..12)
            .map(|k| (first + f64::from(k)) * step)
            .filter(|v| *v <= high + 1e-9 * step)
            .collect();
        let largest = values.iter().fold(0f64, |largest, v| largest.max(v.abs()));
        let exponent = if largest > 0.0 {
            largest.log10().floor() as i32
        } else {
            0
        };
        // A common power of 10 goes to the label.
        let exponent = if (-3..=5).contains(&exponent) {
            0
        } else {
            exponent
        };
        if exponent != 0 {
            self.label = format!("{} (×10{})", self.label, superscript(exponent))
                .trim_start()
                .into();
        }
        let decimals = (exponent - step.log10().floor() as i32).clamp(0, 12) as usize;
        for value in values {
            // + 0.0, because −0 would keep its sign.
            self.mark(
                value,
                format!("{:.decimals$}", value / 10f64.powi(exponent) + 0.0),
            );
        }
    }

    /// Ticks at powers of 10, or where these are few at 1, 2 and 5 times them, or as on a linear
    /// axis.
    fn mark_logarithmic(&mut self, steps: f64) {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let powers = self.high.floor() as i32 - self.low.ceil() as i32 + 1;
        let plain = first >= -4 && last <= 5;
        let text = |m: i32, e: i32| match (plain, m) {
            (true, _) => format!(
                "{:.*}",
                e.min(0).unsigned_abs() as usize,
                f64::from(m) * 10f64.powi(e)
            ),
            (false, 1) => format!("10{}", superscript(e)),
            (false, _) => format!("{m}×10{}", superscript(e)),
        };
        if powers >= 3 {
            let every = (powers + 7) / 8;
            for e in (first..=last).filter(|e| e.rem_euclid(every) == 0) {
                self.mark(10f64.powi(e), text(1, e));
            }
            return;
        }
        for e in first..=last {
            for m in [1, 2, 5] {
                self.mark(f64::from(m) * 10f64.powi(e), text(m, e));
            }
        }
        if self.ticks.len() < 3 {
            self.ticks.clear();
            self.mark_linear(
                10f64.powf(self.low),
                10f64.powf(self.high).min(f64::MAX),
                false,
                steps,
            );
        }
    }

    /// The width of the widest tick.
    pub(super) fn width(&self) -> f64 {
        self.ticks
            .iter()
            .map(|(_, text)| font::width(text, SMALL))
            .fold(0.0, f64::max)
    }
}

fn superscript(exponent: i32) -> String {
    let digit = |letter: char| match letter {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        _ => letter
            .to_digit(10)
            .and_then(|digit| char::from_u32('⁰' as u32 + digit))
            .unwrap_or(letter),
    };
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn around(values: &[f64], log: bool, whole: bool) -> Axis {
        Axis::around("y", values.iter().copied(), log, whole, 7.0).unwrap()
    }

    #[test]
    fn linear_ticks() {
        assert_eq!(
            texts(&around(&[0.0, 1.0], false, false)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(&around(&[-3.0, 3.0], false, false)),
            ["−3", "−2", "−1", "0", "1", "2", "3"]
        );
        assert_eq!(texts(&around(&[0.0, 2.0], false, true)), ["0", "1", "2"]);
        assert_eq!(texts(&around(&[7.0], false, true)), ["7"]);
        let large = around(&[0.0, 3e9], false, false);
        assert_eq!(large.label, "y (×10⁹)");
        assert_eq!(
            texts(&large),
            ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]
        );
    }

    #[test]
    fn logarithmic_ticks() {
        assert_eq!(
            texts(&around(&[1e-3, 1.0], true, false)),
            ["0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(
            texts(&around(&[1e-8, 1e-2], true, false)),
            ["10⁻⁸", "10⁻⁷", "10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]
        );
        assert_eq!(
            texts(&around(&[1.0, 10.0], true, false)),
            ["1", "2", "5", "10"]
        );
        assert_eq!(
            texts(&around(&[100.0, 130.0], true, false)),
            ["100", "105", "110", "115", "120", "125", "130"]
        );
        assert!(Axis::around("y", [0.0, -1.0, f64::NAN].into_iter(), true, false, 6.0).is_none());
    }

    /// Whatever the numbers, an axis has increasing ticks within it, and each number its place.
    #[test]
    fn wild_numbers() {
        let wild = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            5e-324,
            1e-300,
            -1e-300,
            1e-17,
            1e16,
            1e16 + 2.0,
            1.0 + f64::EPSILON,
            1e300,
            f64::MAX,
            -f64::MAX,
            f64::MIN_POSITIVE,
        ];
        for a in wild {
            for b in wild {
                for (log, whole) in [(false, false), (false, true), (true, false)] {
                    let Some(axis) = Axis::around(
                        "y",
                        [a, b, f64::NAN, f64::INFINITY].into_iter(),
                        log,
                        whole,
                        6.0,
                    ) else {
                        assert!(log && a < TINY && b < TINY);
                        continue;
                    };
                    assert!(
                        !axis.ticks.is_empty() && axis.ticks.len() <= 13,
                        "{a:e} {b:e} {log} {whole}: {axis:?}"
                    );
                    assert!(
                        axis.ticks.windows(2).all(|pair| pair[0].0 < pair[1].0),
                        "{a:e} {b:e} {log}: {axis:?}"
                    );
                    for v in [a, b] {
                        match axis.place(v) {
                            Some(place) => {
                                assert!((0.0..=1.0).contains(&place), "{v:e} on {axis:?}")
                            }
                            None => assert!(log && v < TINY),
                        }
                    }
                }
            }
        }
    }
}
