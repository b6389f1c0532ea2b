//! How the cost of a network grows with the batch, the width and the depth.
//!
//! ReLU networks of equal layers in `f32`, one thread: whole training steps (forward, loss,
//! backward, plain SGD) and inference. Prints a Markdown table and draws a chart. The rate counts
//! the multiplications and additions of the matrix products only, and is set against what a loop of
//! fused multiply-adds reaches in the same run.
//!
//! ```text
//! cargo run --release --features growth --bin growth -- [--seconds 30] [--out growth.svg]
//! ```

use chainrule::optim::Group;
use chainrule::prelude::*;
use fearless_simd::{Level, Simd, dispatch, prelude::*};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error;
use std::hint::black_box;
use std::time::Instant;

/// What the two other sizes are while one is varied.
const BATCH: usize = 64;
const WIDTH: usize = 256;
const DEPTH: usize = 4;

const ROUNDS: usize = 5;

/// What can go wrong includes drawing, which has errors of its own.
type Outcome<T = ()> = std::result::Result<T, Box<dyn error::Error>>;

fn main() -> Outcome {
    let (seconds, out) = options()?;
    let mut sweeps = [
        Sweep::new(
            "batch",
            &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
            |batch| (batch, WIDTH, DEPTH),
        )?,
        Sweep::new("width", &[4, 8, 16, 32, 64, 128, 256, 512, 1024], |width| {
            (BATCH, width, DEPTH)
        })?,
        Sweep::new("depth", &[1, 2, 3, 4, 6, 8, 12, 16], |depth| {
            (BATCH, WIDTH, depth)
        })?,
    ];

    // The fastest round counts, for the peak, too: what else runs on the machine only takes time.
    // Interleaved, a disturbance falls on one round of many points instead of on all rounds of one.
    let points: usize = sweeps.iter().map(|sweep| sweep.points.len()).sum();
    let each = seconds / (ROUNDS * (2 * points + 1)) as f64;
    let mut peak: f64 = 0.0;
    for _ in 0..ROUNDS {
        peak = peak.max(multiply_adds(each));
        for point in sweeps.iter_mut().flat_map(|sweep| &mut sweep.points) {
            point.measure(each)?;
        }
    }

    println!(
        "Peak of fused multiply-adds: {:.1} GFLOP/s on one thread.\n",
        peak / 1e9
    );
    for sweep in &sweeps {
        sweep.print(peak);
    }
    draw(&out, &sweeps, peak)?;
    println!("Chart: {out}");
    Ok(())
}

fn options() -> Outcome<(f64, String)> {
    let (mut seconds, mut out) = (30.0, "growth.svg".into());
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--seconds" => seconds = value.parse()?,
            "--out" => out = value,
            _ => {
                return Err(format!("unknown option {flag}: there are --seconds and --out").into());
            }
        }
    }
    Ok((seconds, out))
}

/// One size varied, the others fixed.
struct Sweep {
    name: &'static str,
    points: Vec<Point>,
}

impl Sweep {
    fn new(
        name: &'static str,
        sizes: &[usize],
        point: impl Fn(usize) -> (usize, usize, usize),
    ) -> Result<Self> {
        let points = sizes.iter().map(|size| {
            let (batch, width, depth) = point(*size);
            Point::new(*size, batch, width, depth)
        });
        Ok(Self {
            name,
            points: points.collect::<Result<_>>()?,
        })
    }

    /// What is the same in all points.
    fn fixed(&self) -> String {
        let all = [("batch", BATCH), ("width", WIDTH), ("depth", DEPTH)];
        let fixed: Vec<_> = all
            .iter()
            .filter(|(name, _)| *name != self.name)
            .map(|(name, size)| format!("{name} {size}"))
            .collect();
        fixed.join(", ")
    }

    fn print(&self, peak: f64) {
        println!(
            "| {} ({}) | training, ns per sample | GFLOP/s | of peak | inference, ns per sample | \
             GFLOP/s | of peak |",
            self.name,
            self.fixed()
        );
        println!("|---|---|---|---|---|---|---|");
        for point in &self.points {
            let [train, infer] = KINDS.map(|kind| {
                let rate = point.rate(kind);
                format!(
                    "{:.0} | {:.1} | {:.0} %",
                    point.nanoseconds(kind),
                    rate / 1e9,
                    100.0 * rate / peak
                )
            });
            println!("| {} | {train} | {infer} |", point.size);
        }
        println!();
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Training,
    Inference,
}

const KINDS: [Kind; 2] = [Kind::Training, Kind::Inference];

/// A network with its data, and how long a pass took.
struct Point {
    /// The size that is varied.
    size: usize,
    batch: usize,
    /// Multiplications and additions of the matrix products, per sample, by kind.
    flops: [f64; 2],
    net: Sequential<f32>,
    x: DMatrix<f32>,
    targets: DMatrix<f32>,
    y: DMatrix<f32>,
    groups: Vec<Group>,
    tape: Tape<f32>,
    /// Seconds per pass in the fastest round, by kind.
    seconds: [f64; 2],
}

impl Point {
    fn new(size: usize, batch: usize, width: usize, depth: usize) -> Result<Self> {
        let mut builder = Sequential::builder(width);
        for l in 0..depth {
            builder = builder.layer(Dense::new(
                width,
                if l + 1 < depth {
                    Activation::Relu
                } else {
                    Activation::Linear
                },
            ));
        }
        let net = builder.seed(1).build()?;
        let groups = Group::all(net.params().len());
        // Numbers between -1 and 1 without a pattern that a network could learn to zero.
        let numbers = |seed: usize| {
            DMatrix::from_fn(width, batch, |i, j| {
                (((i + seed) * 31 + j * 17) as f32).sin()
            })
        };
        // Forward W·x, backward δ·aᵀ, and Wᵀ·δ in all layers but the first: each a multiplication
        // and an addition per weight.
        let product = 2.0 * (width * width) as f64;
        let flops = [product * (3 * depth - 1) as f64, product * depth as f64];
        let x = numbers(0);
        let targets = numbers(7);
        let y = DMatrix::zeros(width, batch);
        Ok(Self {
            size,
            batch,
            flops,
            net,
            x,
            targets,
            y,
            groups,
            tape: Tape::new(),
            seconds: [f64::INFINITY; 2],
        })
    }

    fn pass(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Training => {
                self.net
                    .gradient(&self.x, &self.targets, &MeanSquaredError, &mut self.tape)?;
                Sgd::new().step(1e-3, self.net.params_mut(), self.tape.grads(), &self.groups)
            }
            Kind::Inference => self.net.predict_into(&self.x, &mut self.y, &mut self.tape),
        }
    }

    /// One round: both kinds, for about `seconds` each.
    fn measure(&mut self, seconds: f64) -> Result<()> {
        for kind in KINDS {
            self.pass(kind)?;
            let start = Instant::now();
            let mut passes = 0;
            let mut chunk = 1;
            let elapsed = loop {
                for _ in 0..chunk {
                    self.pass(kind)?;
                }
                passes += chunk;
                let elapsed = start.elapsed().as_secs_f64();
                if elapsed >= seconds {
                    break elapsed;
                }
                chunk = ((0.1 * seconds / elapsed * passes as f64) as usize).max(1);
            };
            let fastest = &mut self.seconds[kind as usize];
            *fastest = fastest.min(elapsed / passes as f64);
        }
        Ok(())
    }

    fn nanoseconds(&self, kind: Kind) -> f64 {
        1e9 * self.seconds[kind as usize] / self.batch as f64
    }

    /// FLOP per second.
    fn rate(&self, kind: Kind) -> f64 {
        1e9 * self.flops[kind as usize] / self.nanoseconds(kind)
    }
}

/// FLOP per second of fused multiply-adds in registers: the best of ten runs within `seconds`.
fn multiply_adds(seconds: f64) -> f64 {
    let level = Level::new();
    let mut steps = 1000;
    let mut best: f64 = 0.0;
    let (end, mut runs) = (Instant::now(), 0);
    while runs < 10 || end.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        let flops = dispatch!(level, simd => chains(simd, black_box(steps)));
        let elapsed = start.elapsed().as_secs_f64();
        best = best.max(flops / elapsed);
        runs += 1;
        if elapsed < 0.1 * seconds {
            steps *= 2;
        }
    }
    best
}

/// Enough independent chains to hide the latency of an instruction, but no more than there are
/// registers.
#[inline(always)]
fn chains<S: Simd>(simd: S, steps: usize) -> f64 {
    if S::f32s::LEN == 16 || cfg!(target_arch = "aarch64") {
        simd.vectorize(
            #[inline(always)]
            || chain::<S, 24>(simd, steps),
        )
    } else {
        simd.vectorize(
            #[inline(always)]
            || chain::<S, 12>(simd, steps),
        )
    }
}

#[inline(always)]
fn chain<S: Simd, const N: usize>(simd: S, steps: usize) -> f64 {
    let (a, b) = (
        S::f32s::splat(simd, black_box(0.999)),
        S::f32s::splat(simd, black_box(0.001)),
    );
    let mut sums = [S::f32s::splat(simd, black_box(1.0)); N];
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = sum.mul_add(a, b);
        }
    }
    for sum in sums {
        black_box(sum.as_slice()[0]);
    }
    (2 * N * S::f32s::LEN * steps) as f64
}

/// Dark and light, solid and dashed, discs and triangles: the two can be told apart without colors.
const TRAINING: RGBColor = RGBColor(0, 50, 120);
const INFERENCE: RGBColor = RGBColor(225, 110, 0);
const FONT: &str = "sans-serif";

fn draw(path: &str, sweeps: &[Sweep], peak: f64) -> Outcome {
    let root = SVGBackend::new(path, (1200, 800)).into_drawing_area();
    root.fill(&WHITE)?;
    legend(&root)?;
    let title = format!(
        "ReLU networks in f32 on one thread (peak: {:.0} GFLOP/s)",
        peak / 1e9
    );
    let root = root.margin(12, 6, 6, 12).titled(&title, (FONT, 24))?;

    let microseconds = |point: &Point, kind| point.nanoseconds(kind) / 1e3;
    let percent = |point: &Point, kind| 100.0 * point.rate(kind) / peak;
    let times = sweeps
        .iter()
        .flat_map(|sweep| &sweep.points)
        .flat_map(|point| KINDS.map(|kind| microseconds(point, kind)));
    let (least, most) = times.fold((f64::MAX, 0.0_f64), |(least, most), time| {
        (least.min(time), most.max(time))
    });
    let times = least / 1.6..most * 1.6;

    for (sweep, area) in sweeps.iter().zip(root.split_evenly((1, sweeps.len()))) {
        let (upper, lower) = area.split_vertically(area.dim_in_pixel().1 / 2);
        // Powers of two lie evenly, and the outermost marks stay clear of the frame.
        let sizes =
            log2(&sweep.points[0]) - 0.25..log2(&sweep.points[sweep.points.len() - 1]) + 0.25;
        let caption = format!("{} ({})", sweep.name, sweep.fixed());

        let mut chart = panel(&upper)
            .caption(&caption, (FONT, 17))
            .build_cartesian_2d(sizes.clone(), times.clone().log_scale())?;
        mesh(
            &mut chart,
            sweep.name,
            "time per sample in µs",
            10,
            &|time| format!("{time}"),
        )?;
        curves(&mut chart, sweep, microseconds)?;

        let mut chart = panel(&lower).build_cartesian_2d(sizes, 0.0..105.0)?;
        mesh(
            &mut chart,
            sweep.name,
            "share of the peak in %",
            1,
            &|share| format!("{share:.0}"),
        )?;
        curves(&mut chart, sweep, percent)?;
    }
    root.present()?;
    Ok(())
}

fn log2(point: &Point) -> f64 {
    (point.size as f64).log2()
}

fn panel<'a, 'b>(
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(6)
        .margin_right(14)
        .x_label_area_size(46)
        .y_label_area_size(62);
    builder
}

type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;

fn mesh<Y>(
    chart: &mut Chart<'_, '_, Y>,
    x: &str,
    y: &str,
    light_lines: usize,
    y_label: &dyn Fn(&f64) -> String,
) -> Outcome
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let sizes = chart.x_range();
    let power = |exponent: &f64| {
        if exponent.fract() == 0.0 {
            format!("{}", exponent.exp2())
        } else {
            String::new()
        }
    };
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels((sizes.end - sizes.start) as usize + 1)
        .y_labels(6)
        .x_label_formatter(&power)
        .y_label_formatter(y_label)
        .x_max_light_lines(1)
        .y_max_light_lines(light_lines)
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 16))
        .draw()?;
    Ok(())
}

fn curves<Y>(
    chart: &mut Chart<'_, '_, Y>,
    sweep: &Sweep,
    value: impl Fn(&Point, Kind) -> f64,
) -> Outcome
where
    Y: Ranged<ValueType = f64>,
{
    let of = |kind| -> Vec<(f64, f64)> {
        sweep
            .points
            .iter()
            .map(|point| (log2(point), value(point, kind)))
            .collect()
    };
    let (training, inference) = (of(Kind::Training), of(Kind::Inference));
    chart.draw_series(LineSeries::new(
        training.iter().copied(),
        TRAINING.stroke_width(2),
    ))?;
    chart.draw_series(
        training
            .iter()
            .map(|point| Circle::new(*point, 4, TRAINING.filled())),
    )?;
    chart.draw_series(DashedLineSeries::new(
        inference.iter().copied(),
        7,
        5,
        INFERENCE.stroke_width(2),
    ))?;
    chart.draw_series(
        inference
            .iter()
            .map(|point| TriangleMarker::new(*point, 6, INFERENCE.filled())),
    )?;
    Ok(())
}

/// Beside the title, where no curve runs.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome {
    let text = (FONT, 16)
        .into_font()
        .color(&BLACK)
        .pos(Pos::new(HPos::Left, VPos::Center));
    let (x, y) = (920, 26);
    area.draw(&PathElement::new(
        [(x, y), (x + 36, y)],
        TRAINING.stroke_width(2),
    ))?;
    area.draw(&Circle::new((x + 18, y), 4, TRAINING.filled()))?;
    area.draw(&Text::new("training step", (x + 44, y), text.clone()))?;
    let x = x + 156;
    for from in [x, x + 12, x + 24] {
        area.draw(&PathElement::new(
            [(from, y), (from + 7, y)],
            INFERENCE.stroke_width(2),
        ))?;
    }
    area.draw(&TriangleMarker::new((x + 16, y), 6, INFERENCE.filled()))?;
    area.draw(&Text::new("inference", (x + 38, y), text))?;
    Ok(())
}
