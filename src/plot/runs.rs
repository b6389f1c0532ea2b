//! Training runs: costs and metrics over epochs.

use super::axes::TINY;
use super::canvas::{Canvas, Rect, SIZE, sized};
use super::figure::Figure;
use super::panel::{Curve, Panel, Scales};
use super::shape::Point;
use super::style;
use crate::error::Result;
use crate::numeric::bounds::not_empty;
use crate::train::{Epoch, History};

/// Draws training runs, one or several to compare: the training cost (solid) and the validation
/// cost (dashed) over the epochs. A star marks the epoch of each whose parameters the network ended
/// with, at its validation cost if there is one: that to which
/// [`restore_best`](crate::Trainer::restore_best) went back, or the last.
///
/// Costs that are NaN or ±∞, or not positive on a logarithmic axis, are left out.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::plot::Runs;
/// let data = Dataset::from_rows(&[0.0, 1.0, 2.0, 3.0], 1, &[1.0, 3.0, 5.0, 7.0], 1)?;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = Trainer::new(MeanSquaredError, Adam::new())
///     .learning_rate(0.1)
///     .epochs(50)
///     .fit(&mut net, &data)?;
/// let figure = Runs::new("A line", &[("", &history)]).log().draw()?;
/// assert!(figure.to_svg().contains(">training</text>"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    title: String,
    runs: Vec<(&'a str, &'a History)>,
    log: bool,
    metrics: bool,
    size: (u32, u32),
}

impl<'a> Runs<'a> {
    /// Runs with the names that the legend gives them; a single one needs none.
    pub fn new(title: impl Into<String>, runs: &[(&'a str, &'a History)]) -> Self {
        Self {
            title: title.into(),
            runs: runs.to_vec(),
            log: false,
            metrics: false,
            size: SIZE,
        }
    }

    /// With a logarithmic axis of the cost.
    #[must_use]
    pub fn log(self) -> Self {
        Self { log: true, ..self }
    }

    /// With the metrics in a second panel, below the costs.
    #[must_use]
    pub fn metrics(self) -> Self {
        Self {
            metrics: true,
            ..self
        }
    }

    sized!();

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a run, for one without an epoch, when no cost can be drawn, and
    /// when metrics are asked for that no run has; [`ErrorKind::Value`] for a size out of range or
    /// too small for the texts, and for a letter that is not in the font.
    ///
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Runs";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        not_empty(PLACE, "at least 1 run", self.runs.len())?;
        for (name, history) in &self.runs {
            not_empty(
                format_args!("run {name:?} of {PLACE}"),
                "at least 1 epoch",
                history.epochs.len(),
            )?;
        }
        let room = canvas.title(&self.title);
        let (above, below) = if self.metrics {
            halves(room)
        } else {
            (room, room)
        };
        let (costs, kept) = (self.costs(), self.kept());
        let stars: Vec<Point> = kept.iter().map(|(_, point)| *point).collect();
        let best = kept.iter().filter(|(best, _)| *best).count();
        let note = match (&stars[..], best) {
            ([], _) => None,
            ([(x, y)], 0) => Some(format!("last epoch: {x} ({})", style::number(*y))),
            ([(x, y)], _) => Some(format!("best epoch: {x} ({})", style::number(*y))),
            (_, 0) => Some("last epochs".into()),
            (all, best) if best == all.len() => Some("best epochs".into()),
            _ => Some("epochs kept".into()),
        };
        let panel = Panel {
            place: PLACE,
            x: "epoch",
            y: "cost",
            scales: Scales {
                whole: true,
                log_y: self.log,
                ..Scales::default()
            },
            guides: &[],
            stars: &stars,
            note,
            reach: &[],
            has_legend: true,
        };
        panel.draw(&mut canvas, above, &costs)?;
        if self.metrics {
            let metrics = self.metric_curves();
            not_empty(
                format_args!("metrics of {PLACE}"),
                "at least 1 metric",
                metrics.len(),
            )?;
            let panel = Panel {
                y: "metric",
                scales: Scales {
                    log_y: false,
                    ..panel.scales
                },
                stars: &[],
                note: None,
                ..panel
            };
            panel.draw(&mut canvas, below, &metrics)?;
        }
        canvas.finish()
    }

    fn costs(&self) -> Vec<Curve> {
        let mut curves = Vec::new();
        for (run, (name, history)) in self.runs.iter().enumerate() {
            let prefix = if name.is_empty() {
                String::new()
            } else {
                format!("{name}, ")
            };
            // Alone, a run has a color and a marker to spare for its validation cost.
            let other = if self.runs.len() == 1 { 1 } else { run };
            let validation = points(history, |epoch| epoch.validation_cost);
            curves.push(Curve::new(
                &format!("{prefix}training"),
                points(history, |epoch| Some(epoch.cost)),
                run,
                0,
                run,
            ));
            if !validation.is_empty() {
                curves.push(Curve::new(
                    &format!("{prefix}validation"),
                    validation,
                    other,
                    1,
                    other,
                ));
            }
        }
        curves
    }

    /// Of each run, where its cost can be drawn, the epoch whose parameters the network has: the
    /// best one, if it went back to that, or the last.
    fn kept(&self) -> Vec<(bool, Point)> {
        let kept = |history: &History| {
            let number = history.kept.or(history.last().map(|epoch| epoch.epoch))?;
            let epoch = history.epochs.iter().find(|epoch| epoch.epoch == number)?;
            let cost = epoch.validation_cost.unwrap_or(epoch.cost);
            let drawable = cost.is_finite() && (!self.log || cost >= TINY);
            drawable.then_some((history.kept.is_some(), (number as f64, cost)))
        };
        self.runs
            .iter()
            .filter_map(|(_, history)| kept(history))
            .collect()
    }

    fn metric_curves(&self) -> Vec<Curve> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self
            .runs
            .iter()
            .flat_map(|(_, history)| &history.epochs)
            .flat_map(|epoch| &epoch.metrics)
        {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let mut curves = Vec::new();
        for (run, (run_name, history)) in self.runs.iter().enumerate() {
            for (metric, name) in names.iter().enumerate() {
                let values = points(history, |epoch| epoch.metric(name));
                let look = if self.runs.len() == 1 { metric } else { run };
                let prefix = if run_name.is_empty() {
                    String::new()
                } else {
                    format!("{run_name}, ")
                };
                if !values.is_empty() {
                    curves.push(Curve::new(
                        &format!("{prefix}{name}"),
                        values,
                        look,
                        metric,
                        look,
                    ));
                }
            }
        }
        curves
    }
}

/// Two panels of one picture.
fn halves(room: Rect) -> (Rect, Rect) {
    let middle = room.top + 0.54 * room.height();
    (
        Rect {
            bottom: middle,
            ..room
        },
        Rect {
            top: middle + 10.0,
            ..room
        },
    )
}

/// One point an epoch, where it has the number.
fn points(history: &History, value: impl Fn(&Epoch) -> Option<f64>) -> Vec<Point> {
    history
        .epochs
        .iter()
        .filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?)))
        .collect()
}
