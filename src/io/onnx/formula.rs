//! Activations and norms in ONNX's operators: one table, by which files are written and read.

use crate::activation::{Activation, Breakpoints};
use crate::kernel::math;
use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::cmp::Reverse;
use core::ops::{Add, Div, Mul, Sub};

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
    /// The mean over the features of a sample; of a kind of its own, because ONNX has changed how it says which axis.
    Mean(Box<Expr>),
    /// An operator with its attributes, which all are numbers, and its operands.
    Apply(&'static str, Vec<(&'static str, Expr)>, Vec<Expr>),
}
use Expr::{Mean, Number, Slot, X};

impl Expr {
    /// Whether it is below `other`.
    pub(super) fn below(self, other: Self) -> Self {
        apply("Less", [self, other])
    }

    /// The number of its operators.
    fn size(&self) -> usize {
        match self {
            Mean(inner) => 1 + inner.size(),
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

/// `activation`, which is no surrogate, in operators that onnxruntime has for `f32` or, if `double`, for `f64`. There it has none of
/// ELU, SELU, softplus, softsign, hard sigmoid, hard swish and erf; and attributes are `f32` in every file, so that a slope of 0.01 must
/// be an operand.
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
        Activation::Selu if double => elu(Number(SELU_ALPHA), true) * SELU_SCALE,
        Activation::Selu => with("Selu", [("alpha", Number(SELU_ALPHA)), ("gamma", Number(SELU_SCALE))]),
        Activation::Gelu if double => X * normal(),
        Activation::Gelu => X * 0.5 * (apply("Erf", [X / core::f64::consts::SQRT_2]) + 1.0),
        // ½(1 + tanh u) = σ(2u), which does not cancel.
        Activation::GeluTanh => X * apply("Sigmoid", [(X * X * X * 0.044_715 + X) * 1.595_769_121_605_730_8]),
        Activation::Silu => X * of_x("Sigmoid"),
        Activation::Mish => X * apply("Tanh", [softplus(double)]),
        Activation::Softplus => softplus(double),
        Activation::Softsign if double => X / (of_x("Abs") + 1.0),
        Activation::Softsign => of_x("Softsign"),
        Activation::HardSigmoid if double => clip(X / 6.0 + 0.5, 0.0, 1.0),
        Activation::HardSigmoid => hard_sigmoid(),
        Activation::HardTanh => clip(X, -1.0, 1.0),
        Activation::HardSwish if double => X * clip(X / 6.0 + 0.5, 0.0, 1.0),
        Activation::HardSwish => of_x("HardSwish"),
        Activation::Breakpoints(points) => breakpoints(points),
        Activation::Surrogate { .. } => self::activation(activation.parts().0, double),
    }
}

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

fn leaky_relu(slope: Expr, double: bool) -> Expr {
    if double { apply("PRelu", [X, slope]) } else { with("LeakyRelu", [("alpha", slope)]) }
}

/// With eᶻ − 1 = 2t/(1 − t), t = tanh(z/2), which does not cancel for z ≤ 0.
fn elu(alpha: Expr, double: bool) -> Expr {
    if !double {
        return with("Elu", [("alpha", alpha)]);
    }
    let t = apply("Tanh", [apply("Min", [X, Number(0.0)]) * 0.5]);
    apply("Max", [X, Number(0.0)]) + t.clone() * 2.0 / (Number(1.0) - t) * alpha
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
    with("HardSigmoid", [("alpha", Number(1.0 / 6.0)), ("beta", Number(0.5))])
}

/// The normal distribution Φ by the polynomial of its tail (see `kernel/math.rs`).
fn normal() -> Expr {
    let (centre, coefficients) = math::f64::TAIL;
    let t = (of_x("Abs") - centre) / (of_x("Abs") + centre);
    let q = coefficients.iter().fold(None, |q, c| Some(q.map_or(Number(*c), |q| Number(*c) + t.clone() * q)));
    let tail = apply("Exp", [X * X * -0.5]) * (q.unwrap_or(X) / (of_x("Abs") + centre));
    apply("Where", [X.below(Number(0.0)), tail.clone(), Number(1.0) - tail])
}

/// y + slope·(z − x).
pub(super) fn line(x: Expr, slope: Expr, y: Expr) -> Expr {
    (X - x) * slope + y
}

/// The piece that z lies on, by its point and slope: before x₀ the first, else before x₁ the second, …
fn breakpoints(points: &Breakpoints) -> Expr {
    let piece = |before| {
        let ((x, y), slope) = points.piece(before);
        if slope == 0.0 { Number(y) } else { line(Number(x), Number(slope), Number(y)) }
    };
    let last = piece(points.points().len());
    points
        .points()
        .iter()
        .enumerate()
        .rev()
        .fold(last, |above, (before, (x, _))| apply("Where", [X.below(Number(*x)), piece(before), above]))
}

/// x/√(mean x² + ε).
pub(super) fn rms_norm(eps: Expr) -> Expr {
    X / apply("Sqrt", [Mean(Box::new(X * X)) + eps])
}

/// (x − mean x)/√(mean (x − mean x)² + ε).
pub(super) fn layer_norm(eps: Expr) -> Expr {
    let centred = X - Mean(Box::new(X));
    centred.clone() / apply("Sqrt", [Mean(Box::new(centred.clone() * centred)) + eps])
}

/// (x − μ)/√(v + ε).
pub(super) fn batch_norm(mean: Expr, variance: Expr, eps: Expr) -> Expr {
    (X - mean) / apply("Sqrt", [variance + eps])
}

/// What an expression in a file is; slots are counted from 0 in the order of the fields' description.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    Activation(Activation),
    /// By its slope.
    LeakyRelu,
    /// By α.
    Elu,
    /// By ε.
    RmsNorm,
    /// By ε.
    LayerNorm,
    /// By μ, v and ε.
    BatchNorm,
    /// (1 − x, x) of a single probability.
    BothClasses,
}

/// All that is read: what is written here, and what others write for the same; the largest first, because some are parts of others.
pub(super) fn table() -> Vec<(Expr, Meaning)> {
    let mut table = Vec::new();
    let mut push = |expr, meaning| {
        if !table.iter().any(|(known, _)| *known == expr) {
            table.push((expr, meaning));
        }
    };
    let slot = || Slot(0);
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
            Activation::Softsign,
            Activation::HardSigmoid,
            Activation::HardSwish,
        ] {
            push(activation(&known, double), Meaning::Activation(known));
        }
        push(leaky_relu(slot(), double), Meaning::LeakyRelu);
        push(elu(slot(), double), Meaning::Elu);
    }
    push(rms_norm(slot()), Meaning::RmsNorm);
    push(layer_norm(slot()), Meaning::LayerNorm);
    push(batch_norm(slot(), Slot(1), Slot(2)), Meaning::BatchNorm);

    let mut other = |expr, known| push(expr, Meaning::Activation(known));
    other(apply("Max", [X, Number(0.0)]), Activation::Relu);
    other(with("Swish", [("alpha", Number(1.0))]), Activation::Silu);
    other(of_x("Mish"), Activation::Mish);
    other(with("Celu", [("alpha", Number(1.0))]), Activation::Elu { alpha: 1.0 });
    // PyTorch's softplus goes over to z at its threshold of 20.
    other(apply("Where", [apply("Greater", [X, Number(20.0)]), X, of_x("Softplus")]), Activation::Softplus);
    other(X * hard_sigmoid(), Activation::HardSwish);
    other(clip(X + 3.0, 0.0, 6.0) / 6.0, Activation::HardSigmoid);
    other(X * clip(X + 3.0, 0.0, 6.0) / 6.0, Activation::HardSwish);
    // ½ and x on any side of the bracket, √2 below x or its inverse before it.
    let halves = |bracket: Expr| [X * 0.5 * bracket.clone(), X * bracket.clone() * 0.5, X * (bracket * 0.5)];
    for scaled in [X / core::f64::consts::SQRT_2, X * core::f64::consts::FRAC_1_SQRT_2] {
        halves(apply("Erf", [scaled]) + 1.0).into_iter().for_each(|gelu| other(gelu, Activation::Gelu));
    }
    for cube in [X * X * X, apply("Pow", [X, Number(3.0)])] {
        let tanh = apply("Tanh", [(cube * 0.044_715 + X) * (0.5 * 1.595_769_121_605_730_8)]);
        halves(tanh + 1.0).into_iter().for_each(|gelu| other(gelu, Activation::GeluTanh));
    }
    // PyTorch's own way of writing the norms.
    let square = |x| apply("Pow", [x, Number(2.0)]);
    let root = |x| apply("Sqrt", [Mean(Box::new(square(x))) + slot()]);
    push(X * apply("Reciprocal", [root(X)]), Meaning::RmsNorm);
    push(X / root(X), Meaning::RmsNorm);
    let centred = X - Mean(Box::new(X));
    push(centred.clone() / root(centred), Meaning::LayerNorm);
    push(apply("Concat", [Number(1.0) - X, X]), Meaning::BothClasses);
    table.sort_by_key(|(expr, _)| Reverse(expr.size()));
    table
}
