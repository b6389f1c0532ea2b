//! Activations and norms in ONNX's operators: one table, by which files are written and read.

use crate::nn::activation::{Activation, Breakpoints};
use crate::nn::layers::Length;
use crate::numeric::kernel::math;
use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::cmp::Reverse;
use core::ops::{Add, Div, Mul, Sub};
use std::sync::OnceLock;

/// A function of [`Expr::X`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    X,
    /// A constant.
    Number(f64),
    /// A tensor of this name.
    Tensor(String),
    /// A constant that is found where the expression is.
    Slot(usize),
    /// A mean, norm or the like over the features of a sample; of a kind of its own, because ONNX
    /// has changed how it says which axis.
    Reduce(&'static str, Box<Expr>),
    /// An operator with its attributes, which all are numbers, and its operands.
    Apply(&'static str, Vec<(&'static str, Expr)>, Vec<Expr>),
}
use Expr::{Number, Reduce, Slot, X};

impl Expr {
    /// Whether it is below `other`.
    pub(super) fn below(self, other: Self) -> Self {
        apply("Less", [self, other])
    }

    /// The operator that makes it.
    pub(super) fn operator(&self) -> Option<&'static str> {
        if let Self::Apply(op, ..) = self {
            Some(op)
        } else {
            None
        }
    }

    /// The number of its slots.
    fn slots(&self) -> usize {
        match self {
            Slot(_) => 1,
            Reduce(_, inner) => inner.slots(),
            Self::Apply(_, attributes, args) => attributes
                .iter()
                .map(|(_, expr)| expr)
                .chain(args)
                .map(Self::slots)
                .sum(),
            _ => 0,
        }
    }

    /// The number of its operators.
    fn size(&self) -> usize {
        match self {
            Reduce(_, inner) => 1 + inner.size(),
            Self::Apply(_, _, args) => 1 + args.iter().map(Self::size).sum::<usize>(),
            _ => 0,
        }
    }
}

macro_rules! operators {
    ($($trait:ident $function:ident $operand:ty, $convert:expr;)*) => {$(
        impl $trait<$operand> for Expr {
            type Output = Expr;
            fn $function(self, other: $operand) -> Expr {
                apply(stringify!($trait), [self, $convert(other)])
            }
        }
    )*};
}
operators! {
    Add add Expr, |e| e;
    Sub sub Expr, |e| e;
    Mul mul Expr, |e| e;
    Div div Expr, |e| e;
    Add add f64, Number;
    Sub sub f64, Number;
    Mul mul f64, Number;
    Div div f64, Number;
}

/// Whether the operands of an operator may change places.
pub(super) fn commutes(op: &str) -> bool {
    matches!(op, "Add" | "Mul" | "Max" | "Min")
}

pub(super) fn apply(op: &'static str, args: impl Into<Vec<Expr>>) -> Expr {
    Expr::Apply(op, Vec::new(), args.into())
}

/// An operator of x with attributes.
fn with(op: &'static str, attributes: impl Into<Vec<(&'static str, Expr)>>) -> Expr {
    Expr::Apply(op, attributes.into(), vec![X])
}

/// An operator of x.
fn of_x(op: &'static str) -> Expr {
    apply(op, [X])
}

fn clip(x: Expr, low: f64, high: f64) -> Expr {
    apply("Clip", [x, Number(low), Number(high)])
}

/// `activation`, which is no surrogate, in operators that onnxruntime has for `f32` or, if
/// `double`, for `f64`. There it has none of ELU, SELU, softplus, softsign, hard sigmoid, hard
/// swish and erf. Attributes are `f32` in every file, so that a slope of 0.01 must be an operand.
pub(super) fn activation(activation: &Activation, double: bool) -> Expr {
    match activation {
        Activation::Linear => X,
        Activation::Step => of_x("Sign") * 0.5 + 0.5,
        Activation::Sign => of_x("Sign"),
        Activation::PiecewiseLinear => clip(X + 0.5, 0.0, 1.0),
        Activation::Sigmoid => of_x("Sigmoid"),
        Activation::Tanh => of_x("Tanh"),
        Activation::Relu => of_x("Relu"),
        Activation::LeakyRelu { slope } => leaky_relu(Number(*slope), double),
        Activation::Relu6 => clip(X, 0.0, 6.0),
        Activation::Elu { alpha } => elu(Number(*alpha), double),
        Activation::Celu { alpha } => celu(Number(*alpha), double),
        Activation::Threshold {
            threshold,
            value: 0.0,
        } => thresholded(Number(*threshold), double),
        Activation::Threshold { threshold, value } => above(Number(*threshold), X, Number(*value)),
        Activation::SquaredRelu => of_x("Relu") * of_x("Relu"),
        Activation::Selu if double => elu(Number(SELU_ALPHA), true) * SELU_SCALE,
        Activation::Selu => with(
            "Selu",
            [("alpha", Number(SELU_ALPHA)), ("gamma", Number(SELU_SCALE))],
        ),
        Activation::Gelu if double => X * normal(),
        Activation::Gelu => X * 0.5 * (apply("Erf", [X / core::f64::consts::SQRT_2]) + 1.0),
        // ½(1 + tanh u) = σ(2u), which does not cancel.
        Activation::GeluTanh => {
            X * apply(
                "Sigmoid",
                [(X * X * X * 0.044_715 + X) * 1.595_769_121_605_730_8],
            )
        }
        Activation::Silu => X * of_x("Sigmoid"),
        Activation::Mish => X * apply("Tanh", [softplus(double)]),
        Activation::Softplus => softplus(double),
        Activation::SparsePlus => sparse_plus(),
        Activation::LogSigmoid => log_sigmoid(double),
        Activation::Exp => of_x("Exp"),
        Activation::Softsign if double => X / (of_x("Abs") + 1.0),
        Activation::Softsign => of_x("Softsign"),
        Activation::HardSigmoid if double => clip(X / 6.0 + 0.5, 0.0, 1.0),
        Activation::HardSigmoid => hard_sigmoid(),
        Activation::HardTanh => clip(X, -1.0, 1.0),
        Activation::HardSwish if double => X * clip(X / 6.0 + 0.5, 0.0, 1.0),
        Activation::HardSwish => of_x("HardSwish"),
        Activation::HardShrink { lambda } => hard_shrink(Number(*lambda), double),
        Activation::SoftShrink { lambda } if double => X - clip(X, -lambda, *lambda),
        Activation::SoftShrink { lambda } => shrink(Number(*lambda), Number(*lambda)),
        Activation::TanhShrink => X - of_x("Tanh"),
        Activation::Breakpoints(points) => breakpoints(points),
        Activation::Surrogate { .. } => self::activation(activation.parts().0, double),
    }
}

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

fn leaky_relu(slope: Expr, double: bool) -> Expr {
    if double {
        apply("PRelu", [X, slope])
    } else {
        with("LeakyRelu", [("alpha", slope)])
    }
}

/// With eᶻ − 1 = 2t/(1 − t), t = tanh(z/2), which does not cancel for z ≤ 0.
fn elu(alpha: Expr, double: bool) -> Expr {
    if !double {
        return with("Elu", [("alpha", alpha)]);
    }
    let t = apply("Tanh", [apply("Min", [X, Number(0.0)]) * 0.5]);
    apply("Max", [X, Number(0.0)]) + t.clone() * 2.0 / (Number(1.0) - t) * alpha
}

/// The same of z/α, times α.
fn celu(alpha: Expr, double: bool) -> Expr {
    if !double {
        return with("Celu", [("alpha", alpha)]);
    }
    let t = apply(
        "Tanh",
        [apply("Min", [X, Number(0.0)]) / alpha.clone() * 0.5],
    );
    apply("Max", [X, Number(0.0)]) + t.clone() * 2.0 / (Number(1.0) - t) * alpha
}

fn thresholded(theta: Expr, double: bool) -> Expr {
    if double {
        above(theta, X, Number(0.0))
    } else {
        with("ThresholdedRelu", [("alpha", theta)])
    }
}

/// x where `measure` is above a threshold, a value elsewhere.
fn above(threshold: Expr, measure: Expr, value: Expr) -> Expr {
    apply("Where", [threshold.below(measure), X, value])
}

fn hard_shrink(lambda: Expr, double: bool) -> Expr {
    if double {
        above(lambda, of_x("Abs"), Number(0.0))
    } else {
        shrink(lambda, Number(0.0))
    }
}

/// x − bias above λ, x + bias below −λ, 0 between.
fn shrink(lambda: Expr, bias: Expr) -> Expr {
    with("Shrink", [("lambd", lambda), ("bias", bias)])
}

/// (c + 1)²/4 + max(z − 1, 0), c = z brought into [−1, 1].
fn sparse_plus() -> Expr {
    let root = clip(X, -1.0, 1.0) * 0.5 + 0.5;
    root.clone() * root + apply("Relu", [X - 1.0])
}

/// min(z, 0) − ln(1 + e^(−|z|)).
fn log_sigmoid(double: bool) -> Expr {
    if !double {
        return apply("Neg", [apply("Softplus", [of_x("Neg")])]);
    }
    let e = apply("Exp", [apply("Neg", [of_x("Abs")])]);
    apply("Min", [X, Number(0.0)]) - apply("Log", [e + 1.0])
}

/// max(z, 0) + ln(1 + e^(−|z|)).
fn softplus(double: bool) -> Expr {
    if !double {
        return of_x("Softplus");
    }
    let e = apply("Exp", [apply("Neg", [of_x("Abs")])]);
    apply("Max", [X, Number(0.0)]) + apply("Log", [e + 1.0])
}

fn hard_sigmoid() -> Expr {
    with(
        "HardSigmoid",
        [("alpha", Number(1.0 / 6.0)), ("beta", Number(0.5))],
    )
}

/// The normal distribution Φ by the polynomial of its tail (see `kernel/math.rs`).
fn normal() -> Expr {
    let (center, coefficients) = math::f64::TAIL;
    let t = (of_x("Abs") - center) / (of_x("Abs") + center);
    let q = coefficients.iter().fold(None, |q, c| {
        Some(q.map_or(Number(*c), |q| Number(*c) + t.clone() * q))
    });
    let tail = apply("Exp", [X * X * -0.5]) * (q.unwrap_or(X) / (of_x("Abs") + center));
    apply(
        "Where",
        [X.below(Number(0.0)), tail.clone(), Number(1.0) - tail],
    )
}

/// y + slope·(z − x).
pub(super) fn line(x: Expr, slope: Expr, y: Expr) -> Expr {
    (X - x) * slope + y
}

/// The piece that z lies on, by its point and slope: before x₀ the first, else before x₁ the
/// second, …
fn breakpoints(points: &Breakpoints) -> Expr {
    let piece = |before| {
        let ((x, y), slope) = points.piece(before);
        if slope == 0.0 {
            Number(y)
        } else {
            line(Number(x), Number(slope), Number(y))
        }
    };
    let last = piece(points.points().len());
    points
        .points()
        .iter()
        .enumerate()
        .rev()
        .fold(last, |above, (before, (x, _))| {
            apply("Where", [X.below(Number(*x)), piece(before), above])
        })
}

fn mean(of: Expr) -> Expr {
    Reduce("ReduceMean", Box::new(of))
}

/// x/max(‖x‖, ε); without ε x/‖x‖, and x where that is 0.
pub(super) fn unit_norm(length: Length, eps: Option<Expr>) -> Expr {
    let length = match length {
        Length::L1 => Reduce("ReduceL1", Box::new(X)),
        Length::L2 => Reduce("ReduceL2", Box::new(X)),
        Length::Max => Reduce("ReduceMax", Box::new(of_x("Abs"))),
    };
    X / match eps {
        Some(eps) => apply("Max", [length, eps]),
        None => apply(
            "Where",
            [Number(0.0).below(length.clone()), length, Number(1.0)],
        ),
    }
}

/// x/√(mean x² + ε).
pub(super) fn rms_norm(eps: Expr) -> Expr {
    X / apply("Sqrt", [mean(X * X) + eps])
}

/// (x − mean x)/√(mean (x − mean x)² + ε).
pub(super) fn layer_norm(eps: Expr) -> Expr {
    let centered = X - mean(X);
    centered.clone() / apply("Sqrt", [mean(centered.clone() * centered) + eps])
}

/// (x − μ)/√(v + ε).
pub(super) fn batch_norm(mean: Expr, variance: Expr, eps: Expr) -> Expr {
    (X - mean) / apply("Sqrt", [variance + eps])
}

/// What an expression in a file is; slots are counted from 0 in the order of the fields'
/// description.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    Activation(Activation),
    /// By its slope.
    LeakyRelu,
    /// By the slope that is at most 1.
    LargerOfBoth,
    /// By α.
    Elu,
    /// By α.
    Celu,
    /// By θ, and by the value up to it where that is not 0.
    Threshold,
    /// By λ.
    HardShrink,
    /// By the ends of what is taken off.
    SoftShrink,
    /// By λ and the bias.
    Shrink,
    /// x·σ(βx), by β.
    Swish,
    /// ln(1 + e^βx)/β, by β.
    Softplus,
    /// By ε, if it has one.
    UnitNorm(Length),
    /// By ε.
    RmsNorm,
    /// By ε.
    LayerNorm,
    /// By μ, v and ε.
    BatchNorm,
    /// (1 − x, x) of a single probability.
    BothClasses,
}

/// All that is read: what is written here, and what others write for the same; the largest first,
/// because some are parts of others.
pub(super) fn table() -> &'static [(Expr, Meaning)] {
    static TABLE: OnceLock<Vec<(Expr, Meaning)>> = OnceLock::new();
    TABLE.get_or_init(make_table)
}

fn make_table() -> Vec<(Expr, Meaning)> {
    let mut table = Vec::new();
    for double in [false, true] {
        for known in [
            Activation::Step,
            Activation::Sign,
            Activation::PiecewiseLinear,
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::Relu,
            Activation::Selu,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Silu,
            Activation::Mish,
            Activation::Softplus,
            Activation::SparsePlus,
            Activation::LogSigmoid,
            Activation::Exp,
            Activation::TanhShrink,
            Activation::SquaredRelu,
            Activation::Softsign,
            Activation::HardSigmoid,
            Activation::HardSwish,
        ] {
            table.push((activation(&known, double), Meaning::Activation(known)));
        }
        table.push((elu(Slot(0), double), Meaning::Elu));
        table.push((celu(Slot(0), double), Meaning::Celu));
        table.push((thresholded(Slot(0), double), Meaning::Threshold));
    }
    table.push((hard_shrink(Slot(0), true), Meaning::HardShrink));
    table.push((shrink(Slot(0), Slot(1)), Meaning::Shrink));
    let between = apply("Clip", [X, Slot(0), Slot(1)]);
    table.push((X - between, Meaning::SoftShrink));
    table.push((leaky_relu(Slot(0), false), Meaning::LeakyRelu));
    for length in [Length::L1, Length::L2, Length::Max] {
        for eps in [None, Some(Slot(0))] {
            table.push((unit_norm(length, eps), Meaning::UnitNorm(length)));
        }
    }
    table.extend([
        (rms_norm(Slot(0)), Meaning::RmsNorm),
        (layer_norm(Slot(0)), Meaning::LayerNorm),
    ]);
    table.push((batch_norm(Slot(0), Slot(1), Slot(2)), Meaning::BatchNorm));
    table.extend(
        others()
            .into_iter()
            .map(|(expr, known)| (expr, Meaning::Activation(known))),
    );

    table.push((
        with("Celu", [("alpha", Number(1.0))]),
        Meaning::Activation(Activation::Elu { alpha: 1.0 }),
    ));
    table.push((apply("Max", [X, X * Slot(0)]), Meaning::LargerOfBoth));
    for above in [apply("Greater", [X, Slot(0)]), Slot(0).below(X)] {
        table.push((apply("Where", [above, X, Slot(1)]), Meaning::Threshold));
    }
    for not_above in [
        apply("LessOrEqual", [X, Slot(0)]),
        apply("GreaterOrEqual", [Slot(0), X]),
    ] {
        table.push((apply("Where", [not_above, Slot(1), X]), Meaning::Threshold));
    }
    table.push((X * apply("Sigmoid", [X * Slot(0)]), Meaning::Swish));
    let far = apply("Greater", [X * Slot(0), Number(20.0)]);
    table.push((
        apply(
            "Where",
            [far, X, apply("Softplus", [X * Slot(0)]) / Slot(0)],
        ),
        Meaning::Softplus,
    ));
    table.push((with("Swish", [("alpha", Slot(0))]), Meaning::Swish));
    // PyTorch's own way of writing the norms.
    let square = |x| apply("Pow", [x, Number(2.0)]);
    let root = |x| apply("Sqrt", [mean(square(x)) + Slot(0)]);
    let centered = X - mean(X);
    table.push((X * apply("Reciprocal", [root(X)]), Meaning::RmsNorm));
    table.push((X / root(X), Meaning::RmsNorm));
    table.push((centered.clone() / root(centered), Meaning::LayerNorm));
    table.push((apply("Concat", [Number(1.0) - X, X]), Meaning::BothClasses));
    // Of two that are as large, the one of numbers before the one of slots, and the earlier before
    // the later.
    table.sort_by_key(|(expr, _)| (Reverse(expr.size()), expr.slots()));
    table
}

/// What others write for the activations.
fn others() -> Vec<(Expr, Activation)> {
    let sigmoids = || {
        let bracket = apply("Exp", [of_x("Neg")]) + 1.0;
        [
            of_x("Sigmoid"),
            Number(1.0) / bracket.clone(),
            apply("Reciprocal", [bracket]),
        ]
    };
    let hard = || {
        let below = |x: Expr, low| apply("Max", [x, Number(low)]);
        let above = |x: Expr, high| apply("Min", [x, Number(high)]);
        let shifted = || X + 3.0;
        [
            clip(shifted(), 0.0, 6.0),
            above(below(shifted(), 0.0), 6.0),
            below(above(shifted(), 6.0), 0.0),
            above(apply("Relu", [shifted()]), 6.0),
            clip(apply("Relu", [shifted()]), 0.0, 6.0),
        ]
    };
    let mut others = vec![
        (apply("Max", [X, Number(0.0)]), Activation::Relu),
        (with("Swish", [("alpha", Number(1.0))]), Activation::Silu),
        (of_x("Mish"), Activation::Mish),
        (X * hard_sigmoid(), Activation::HardSwish),
        (X / (of_x("Abs") + 1.0), Activation::Softsign),
        (
            apply("Pow", [of_x("Relu"), Number(2.0)]),
            Activation::SquaredRelu,
        ),
        (apply("Log", [of_x("Sigmoid")]), Activation::LogSigmoid),
    ];
    for sigmoid in sigmoids() {
        others.push((sigmoid.clone(), Activation::Sigmoid));
        others.push((X * sigmoid, Activation::Silu));
    }
    others.push((X / (apply("Exp", [of_x("Neg")]) + 1.0), Activation::Silu));
    let ln = apply("Log", [of_x("Exp") + 1.0]);
    // PyTorch's softplus goes over to z at its threshold of 20.
    let threshold = |softplus| apply("Where", [apply("Greater", [X, Number(20.0)]), X, softplus]);
    for softplus in [
        softplus(false),
        softplus(true),
        ln.clone(),
        threshold(softplus(false)),
        threshold(ln),
    ] {
        others.push((X * apply("Tanh", [softplus.clone()]), Activation::Mish));
        others.push((softplus, Activation::Softplus));
    }
    for clipped in hard() {
        for sixth in [clipped.clone() / 6.0, clipped.clone() * (1.0 / 6.0)] {
            others.push((sixth.clone(), Activation::HardSigmoid));
            others.push((X * sixth, Activation::HardSwish));
        }
        others.push((X * clipped.clone() / 6.0, Activation::HardSwish));
        others.push((X * clipped * (1.0 / 6.0), Activation::HardSwish));
    }
    // ½ and x on any side of the bracket, √2 below x or its inverse before it.
    let halves = |bracket: Expr| {
        let half = [
            X * 0.5 * bracket.clone(),
            X * bracket.clone() * 0.5,
            X * (bracket.clone() * 0.5),
        ];
        half.into_iter().chain([
            X / 2.0 * bracket.clone(),
            X * bracket.clone() / 2.0,
            X * (bracket / 2.0),
        ])
    };
    for scaled in [
        X / core::f64::consts::SQRT_2,
        X * core::f64::consts::FRAC_1_SQRT_2,
    ] {
        others.extend(halves(apply("Erf", [scaled]) + 1.0).map(|gelu| (gelu, Activation::Gelu)));
    }
    for scaled in [
        X * -core::f64::consts::FRAC_1_SQRT_2,
        apply("Neg", [X / core::f64::consts::SQRT_2]),
    ] {
        others.extend(
            halves(Number(1.0) - apply("Erf", [scaled])).map(|gelu| (gelu, Activation::Gelu)),
        );
    }
    let scale = 0.5 * 1.595_769_121_605_730_8;
    let square = || X * X;
    let inner = [
        (square() * X * 0.044_715 + X) * scale,
        (apply("Pow", [X, Number(3.0)]) * 0.044_715 + X) * scale,
        X * scale * (square() * 0.044_715 + 1.0),
        X * scale * (X * 0.044_715 * X + 1.0),
        X * (square() * 0.044_715 + 1.0) * scale,
        X * (square() * (0.044_715 * scale) + scale),
        apply("Pow", [X, Number(3.0)]) * (0.044_715 * scale) + X * scale,
    ];
    for inner in inner {
        others
            .extend(halves(apply("Tanh", [inner]) + 1.0).map(|gelu| (gelu, Activation::GeluTanh)));
    }
    others
}
