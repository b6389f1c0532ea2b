"""Writes losses.tsv: cost and gradient of every loss on batches, to 60 digits and as another library computes them.

    pip install mpmath==1.3.0 torch==2.15.0 keras==3.15.0 scikit-learn==1.9.1 && pip install --no-deps torchvision==0.29.2
    python3 losses.py

A line is: loss as `every_loss!` of src/nn/loss/mod.rs makes it (or with weights), outputs d, y, t, cost, gradient,
another library's cost: PyTorch's, or where it has no such loss Keras's or scikit-learn's. Numbers within a field are
separated by spaces, sample after sample. The costs and gradients are the definitions of the documentation, differentiated
by hand, in 60 digits, rounded once. The other cost is `-` where no library has the loss, or not on these numbers; PyTorch's
and Keras's gradients were compared while this was written.
"""

import os
import random
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
# A file beside this one has the name of the package.
sys.path = [path for path in sys.path if path and Path(path).resolve() != Path(__file__).resolve().parent]

import keras
import sklearn.metrics
import torch
import torch.nn.functional as F
from keras.src.backend.common import dtypes
from mpmath import mp, mpf
from torchvision.ops import sigmoid_focal_loss

mp.dps = 60
# Keras narrows doubles unless TensorFlow computes.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
keras.backend.set_floatx("float64")
keras.backend.set_epsilon(1e-300)  # its losses cut probabilities there
K = keras.losses
WEIGHTS = [0.5, 2.0, 1.25, 0.75, 3.0]
POSITIVE = [3.0, 0.25, 1.5, 2.0, 0.5]


def sigma(y):
    return 1 / (1 + mp.exp(-y))


def log_sigma(y):
    return -mp.log1p(mp.exp(-y)) if y > 0 else y - mp.log1p(mp.exp(y))


def residual(cost, slope, mean_outputs=True, mean_batch=True):
    """A sum over outputs of cost(r), r = y - t."""

    def both(ys, ts):
        scale = mpf(1) / ((len(ys[0]) if mean_outputs else 1) * (len(ys) if mean_batch else 1))
        rs = [[y - t for y, t in zip(y, t)] for y, t in zip(ys, ts)]
        return scale * mp.fsum(cost(r) for row in rs for r in row), [[scale * slope(r) for r in row] for row in rs]

    return both


def huber(delta):
    delta = mpf(delta)
    return residual(
        lambda r: r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2),
        lambda r: r if abs(r) <= delta else delta * mp.sign(r),
    )


def softmax_cross_entropy(smoothing=0.0, weights=None):
    def both(ys, ts):
        n, k = len(ys), len(ys[0])
        w = [mpf(x) for x in (weights or [1.0] * k)]
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            log_sum = max(y) + mp.log(mp.fsum(mp.exp(v - max(y)) for v in y))
            t = [w * ((1 - mpf(smoothing)) * t + mpf(smoothing) / k) for w, t in zip(w, t)]
            total -= mp.fsum(t * (v - log_sum) for t, v in zip(t, y))
            # d/dy_j of sum_i t_i (log_sum - y_i)
            grads.append([(mp.fsum(t) * mp.exp(v - log_sum) - tj) / n for v, tj in zip(y, t)])
        return total / n, grads

    return both


def sigmoid_cross_entropy(smoothing=0.0, weights=None, positive=None):
    def both(ys, ts):
        n, d = len(ys), len(ys[0])
        w, p = [[mpf(x) for x in (x or [1.0] * d)] for x in (weights, positive)]
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            t = [(1 - mpf(smoothing)) * t + mpf(smoothing) / 2 for t in t]
            total -= mp.fsum(w * (p * t * log_sigma(v) + (1 - t) * log_sigma(-v)) for w, p, t, v in zip(w, p, t, y))
            grads.append([w * ((1 - t) * sigma(v) - p * t * sigma(-v)) / (n * d) for w, p, t, v in zip(w, p, t, y)])
        return total / (n * d), grads

    return both


def cross_entropy(ys, ts):
    n = len(ys)
    cost = -mp.fsum(t * mp.log(v) for y, t in zip(ys, ts) for v, t in zip(y, t) if t != 0) / n
    return cost, [[-t / (n * v) for v, t in zip(y, t)] for y, t in zip(ys, ts)]


def kl_divergence(ys, ts):
    n = len(ys)
    cost = mp.fsum(t * mp.log(t / v) for y, t in zip(ys, ts) for v, t in zip(y, t) if t != 0) / n
    return cost, cross_entropy(ys, ts)[1]


def hinge(ys, ts):
    scale = mpf(1) / (len(ys) * len(ys[0]))
    pairs = [list(zip(y, t)) for y, t in zip(ys, ts)]
    cost = scale * mp.fsum(max(mpf(0), 1 - t * y) for row in pairs for y, t in row)
    return cost, [[-t * scale if 1 - t * y > 0 else mpf(0) for y, t in row] for row in pairs]


def by_output(cost, slope, levels=(None,)):
    """An average over outputs of cost(y, t); of several levels, each has an output for every target."""

    def both(ys, ts):
        scale = mpf(1) / (len(ys) * len(ys[0]))
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            assert len(y) == len(t) * len(levels)
            more = [() if level is None else (mpf(level),) for level in levels for _ in t]
            triples = list(zip(y, t * len(levels), more))
            total += mp.fsum(cost(y, t, *level) for y, t, level in triples)
            grads.append([scale * slope(y, t, *level) for y, t, level in triples])
        return scale * total, grads

    return both


def smooth_l1(beta):
    beta = mpf(beta)
    return residual(
        lambda r: r * r / (2 * beta) if abs(r) <= beta else abs(r) - beta / 2,
        lambda r: r / beta if abs(r) <= beta else mp.sign(r),
    )


def quantile(*levels):
    return by_output(
        lambda y, t, level: level * (t - y) if t > y else (1 - level) * (y - t),
        lambda y, t, level: -level if t > y else 1 - level if t < y else mpf(0),
        levels,
    )


def expectile(*levels):
    return by_output(
        lambda y, t, level: (level if t > y else 1 - level) * (t - y) ** 2,
        lambda y, t, level: (level if t > y else 1 - level) * 2 * (y - t),
        levels,
    )


def cosine(ys, ts):
    total, grads = mpf(0), []
    for y, t in zip(ys, ts):
        ny, nt = (mp.sqrt(mp.fsum(v * v for v in x)) for x in (y, t))
        if ny == 0 or nt == 0:
            total += 1
            grads.append([mpf(0)] * len(y))
            continue
        a, b = [v / ny for v in y], [v / nt for v in t]
        cosine = mp.fsum(a * b for a, b in zip(a, b))
        total += 1 - cosine
        grads.append([(cosine * a - b) / ny / len(ys) for a, b in zip(a, b)])
    return total / len(ys), grads


def gaussian(full):
    def both(ys, ts):
        scale = mpf(1) / (len(ys) * len(ts[0]))
        constant = mp.log(2 * mp.pi) / 2 if full else mpf(0)
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            mu, s = y[: len(t)], y[len(t) :]
            total += mp.fsum((s + (t - m) ** 2 * mp.exp(-s)) / 2 + constant for m, s, t in zip(mu, s, t))
            grads.append([scale * (m - t) * mp.exp(-s) for m, s, t in zip(mu, s, t)])
            grads[-1] += [scale * (1 - (t - m) ** 2 * mp.exp(-s)) / 2 for m, s, t in zip(mu, s, t)]
        return scale * total, grads

    return both


def of_softmax(f, slope, weights=None):
    """The sum over classes of w_j t_j f(ln p_j), p = softmax(y)."""

    def both(ys, ts):
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            log_sum = max(y) + mp.log(mp.fsum(mp.exp(v - max(y)) for v in y))
            l = [v - log_sum for v in y]
            t = [t * mpf(w) for t, w in zip(t, weights or [1.0] * len(t))]
            total += mp.fsum(t * f(l) for t, l in zip(t, l) if t != 0)
            g = [t * slope(l) if t != 0 else mpf(0) for t, l in zip(t, l)]
            grads.append([(g - mp.exp(l) * mp.fsum(gs)) / len(ys) for g, l, gs in zip(g, l, [g] * len(g))])
        return total / len(ys), grads

    return both


def focus(gamma):
    """-(1-p)^gamma ln p, and its derivative by ln p."""
    gamma = mpf(gamma)
    u = lambda l: -mp.expm1(l)
    cost = lambda l: -u(l) ** gamma * l
    slope = lambda l: -(u(l) ** gamma) + gamma * mp.exp(l) * l * u(l) ** (gamma - 1) if l != 0 else mpf(0)
    return cost, slope


def sigmoid_focal(gamma, alpha=None):
    cost, slope = focus(gamma)
    yes, no = (1, 1) if alpha is None else (mpf(alpha), 1 - mpf(alpha))
    return by_output(
        lambda y, t: yes * t * cost(log_sigma(y)) + no * (1 - t) * cost(log_sigma(-y)),
        lambda y, t: yes * t * slope(log_sigma(y)) * sigma(-y) - no * (1 - t) * slope(log_sigma(-y)) * sigma(y),
    )


def binary_cross_entropy():
    log = lambda p: max(mp.log(p), mpf(-100)) if p > 0 else mpf(-100)
    inverse = lambda p: 1 / max(p, mpf("1e-12"))
    return by_output(
        lambda y, t: -t * log(y) - (1 - t) * log(1 - y),
        lambda y, t: (1 - t) * inverse(1 - y) - t * inverse(y),
    )


def log_likelihood(ys, ts):
    cost = -mp.fsum(t * v for y, t in zip(ys, ts) for v, t in zip(y, t)) / len(ys)
    return cost, [[-t / len(ys) for t in t] for t in ts]


def categorical_hinge(ys, ts):
    total, grads = mpf(0), []
    for y, t in zip(ys, ts):
        others = [(1 - t) * y for y, t in zip(y, t)]
        margin = 1 + max(others) - mp.fsum(t * y for y, t in zip(y, t))
        best = others.index(max(others))
        total += max(margin, mpf(0))
        slopes = [(1 - t if j == best else 0) - t for j, t in enumerate(t)]
        grads.append([s / len(ys) if margin > 0 else mpf(0) for s in slopes])
    return total / len(ys), grads


def multi_margin(p=1, margin=1.0):
    margin = mpf(margin)

    def both(ys, ts):
        scale = mpf(1) / (len(ys) * len(ys[0]))
        total, grads = mpf(0), []
        for y, t in zip(ys, ts):
            grads.append([mpf(0)] * len(y))
            for c, weight in enumerate(t):
                for i in range(len(y)):
                    m = margin - y[c] + y[i]
                    if i != c and m > 0:
                        total += weight * m**p
                        slope = scale * weight * (1 if p == 1 else 2 * m)
                        grads[-1][i] += slope
                        grads[-1][c] -= slope
        return scale * total, grads

    return both


def hinge_embedding(margin):
    margin = mpf(margin)
    return by_output(
        lambda y, t: y if t == 1 else max(mpf(0), margin - y),
        lambda y, t: mpf(1) if t == 1 else mpf(-1) if margin > y else mpf(0),
    )


def stirling(t, full):
    return t * mp.log(t) - t + mp.log(2 * mp.pi * t) / 2 if full and t > 1 else mpf(0)


def rates(full):
    return by_output(
        lambda y, t: y - (t * mp.log(y) if t != 0 else 0) + stirling(t, full),
        lambda y, t: 1 - (t / y if t != 0 else 0),
    )


def poisson(full):
    def both(ys, ts):
        scale = mpf(1) / (len(ys) * len(ys[0]))
        cost = scale * mp.fsum(mp.exp(v) - t * v + stirling(t, full) for y, t in zip(ys, ts) for v, t in zip(y, t))
        return cost, [[scale * (mp.exp(v) - t) for v, t in zip(y, t)] for y, t in zip(ys, ts)]

    return both


def torch_bce(smoothing=0.0, weights=None, positive=None):
    """PyTorch has no smoothing here; it is the targets' business."""

    def cost(y, t):
        d = y.shape[1]
        weight, pos_weight = (None if x is None else torch.tensor(x[:d], dtype=torch.float64) for x in (weights, positive))
        return F.binary_cross_entropy_with_logits(y, (1 - smoothing) * t + smoothing / 2, weight=weight, pos_weight=pos_weight)

    return cost


def torch_ce(smoothing=0.0, weights=None):
    def cost(y, t):
        weight = None if weights is None else torch.tensor(weights[: y.shape[1]], dtype=torch.float64)
        return F.cross_entropy(y, t, weight=weight, label_smoothing=smoothing)

    return cost


def hard(cost, one_hot=False):
    """Another library's cost, which it has of labels alone; and of Keras where no probability is nearly 0 or 1."""

    def of_labels(y, t):
        labels = is_one_hot(t) and y.shape[1] > 1 if one_hot else bool(((t == 0) | (t == 1)).all())
        return cost(y, t) if labels and (y.max() - y.min()).item() < 30 else None

    return of_labels


def torch_multi_margin(**options):
    return lambda y, t: F.multi_margin_loss(y, t.argmax(1), **options) if is_one_hot(t) else None


def torch_gaussian(full):
    def cost(y, t):
        mu, s = y[:, : t.shape[1]], y[:, t.shape[1] :]
        return F.gaussian_nll_loss(mu, t, s.exp(), full=full, eps=1e-300)

    return cost


def torch_rates(full):
    return lambda y, t: F.poisson_nll_loss(y, t, log_input=False, full=full, eps=0.0) if (y > 0).all() else None


def keras_categorical_hinge(y, t):
    # Of several largest scores each gets a share of the slope there.
    others = (1 - t) * y
    unique = ((others == others.max(1, keepdim=True).values).sum(1) == 1).all()
    return K.categorical_hinge(t, y if unique else y.detach()).mean()


def torch_cosine(y, t):
    # A vector of length 0 has no gradient of any use there.
    y = y if y.norm(dim=1).all() else y.detach()
    return (1 - F.cosine_similarity(y, t, eps=1e-300)).mean()


def torch_bce_of_probabilities(y, t):
    # At the very ends its slope is not the derivative.
    inner = ((y > 1e-9) & (y < 1 - 1e-9)).all()
    return F.binary_cross_entropy(y if inner else y.detach(), t)


def sklearn_pinball(*levels):
    """Only a cost."""

    def cost(y, t):
        k = t.shape[1]
        parts = [y[:, i * k : (i + 1) * k] for i in range(len(levels))]
        of = lambda y, level: sklearn.metrics.mean_pinball_loss(t.numpy(), y.detach().numpy(), alpha=level)
        return torch.tensor(sum(map(of, parts, levels)) / len(levels), dtype=torch.float64)

    return cost


def cut(loss, **options):
    """The loss with as many weights as there are outputs."""

    def both(ys, ts):
        d = len(ys[0])
        return loss(**{k: v[:d] if isinstance(v, list) else v for k, v in options.items()})(ys, ts)

    return both


# name: (definition, another library's cost, kind of outputs and targets)
LOSSES = {
    "SumSquaredError": (residual(lambda r: r * r / 2, lambda r: r, False, False), lambda y, t: F.mse_loss(y, t, reduction="sum") / 2, "real"),
    "QuadraticCost": (residual(lambda r: r * r / 2, lambda r: r, False), lambda y, t: F.mse_loss(y, t, reduction="sum") / 2 / len(y), "real"),
    "MeanSquaredError": (residual(lambda r: r * r, lambda r: 2 * r), F.mse_loss, "real"),
    "MeanAbsoluteError": (residual(abs, mp.sign), F.l1_loss, "real"),
    "Huber::new(1.0)": (huber(1), F.huber_loss, "real"),
    "Huber::new(0.3)": (huber(0.3), lambda y, t: F.huber_loss(y, t, delta=0.3), "real"),
    "SmoothL1::new(1.0)": (smooth_l1(1), F.smooth_l1_loss, "real"),
    "SmoothL1::new(0.3)": (smooth_l1(0.3), lambda y, t: F.smooth_l1_loss(y, t, beta=0.3), "real"),
    "LogCosh": (residual(lambda r: mp.log(mp.cosh(r)), mp.tanh), lambda y, t: K.log_cosh(t, y).mean(), "real"),
    "MeanAbsolutePercentageError": (
        by_output(lambda y, t: abs(y - t) / abs(t), lambda y, t: mp.sign(y - t) / abs(t)),
        lambda y, t: K.mean_absolute_percentage_error(t, y).mean() / 100,
        "not 0",
    ),
    "MeanSquaredLogarithmicError": (
        by_output(
            lambda y, t: (mp.log1p(max(y, mpf(0))) - mp.log1p(t)) ** 2,
            lambda y, t: 2 * (mp.log1p(y) - mp.log1p(t)) / (1 + y) if y >= 0 else mpf(0),
        ),
        lambda y, t: K.mean_squared_logarithmic_error(t, y).mean() if (y > 0).all() else None,
        "not below 0",
    ),
    "Quantile::new(&[0.8])": (quantile(0.8), sklearn_pinball(0.8), "real"),
    "Quantile levels": (quantile(0.1, 0.5, 0.9), sklearn_pinball(0.1, 0.5, 0.9), "three levels"),
    "Expectile::new(&[0.8])": (expectile(0.8), None, "real"),
    "Expectile levels": (expectile(0.1, 0.5, 0.9), None, "three levels"),
    "CosineDistance": (cosine, torch_cosine, "directions"),
    "GaussianNll::new()": (gaussian(False), torch_gaussian(False), "means and variances"),
    "GaussianNll::new().full()": (gaussian(True), torch_gaussian(True), "means and variances"),
    "SoftmaxCrossEntropy::new()": (cut(softmax_cross_entropy), torch_ce(), "classes"),
    "SoftmaxCrossEntropy::new().label_smoothing(0.1)": (cut(softmax_cross_entropy, smoothing=0.1), torch_ce(0.1), "classes"),
    "SoftmaxCrossEntropy weights": (cut(softmax_cross_entropy, weights=WEIGHTS), torch_ce(0.0, WEIGHTS), "classes"),
    "SoftmaxCrossEntropy both": (cut(softmax_cross_entropy, smoothing=0.25, weights=WEIGHTS), torch_ce(0.25, WEIGHTS), "classes"),
    "SigmoidCrossEntropy::new()": (cut(sigmoid_cross_entropy), torch_bce(), "labels"),
    "SigmoidCrossEntropy::new().label_smoothing(0.1)": (cut(sigmoid_cross_entropy, smoothing=0.1), torch_bce(0.1), "labels"),
    "SigmoidCrossEntropy weights": (cut(sigmoid_cross_entropy, weights=WEIGHTS), torch_bce(0.0, WEIGHTS), "labels"),
    "SigmoidCrossEntropy positive": (cut(sigmoid_cross_entropy, positive=POSITIVE), torch_bce(0.0, None, POSITIVE), "labels"),
    "SigmoidCrossEntropy all": (
        cut(sigmoid_cross_entropy, smoothing=0.25, weights=WEIGHTS, positive=POSITIVE),
        torch_bce(0.25, WEIGHTS, POSITIVE),
        "labels",
    ),
    "CategoricalCrossEntropy": (cross_entropy, lambda y, t: F.nll_loss(y.log(), t.argmax(1)) if is_one_hot(t) else -(t * y.log()).sum(1).mean(), "simplex"),
    "KlDivergence": (kl_divergence, lambda y, t: F.kl_div(y.log(), t, reduction="batchmean"), "simplex"),
    "BinaryCrossEntropy": (binary_cross_entropy(), torch_bce_of_probabilities, "probabilities"),
    "NegativeLogLikelihood": (
        log_likelihood,
        lambda y, t: F.nll_loss(y, t.argmax(1)) if is_one_hot(t) else -(t * y).sum(1).mean(),
        "logarithms",
    ),
    "SoftmaxFocal::new(2.0)": (
        of_softmax(*focus(2)),
        hard(lambda y, t: K.categorical_focal_crossentropy(t, y, alpha=1.0, gamma=2.0, from_logits=True).mean(), True),
        "classes",
    ),
    "SoftmaxFocal::new(0.5)": (
        of_softmax(*focus(0.5)),
        hard(lambda y, t: K.categorical_focal_crossentropy(t, y, alpha=1.0, gamma=0.5, from_logits=True).mean(), True),
        "classes",
    ),
    "SoftmaxFocal weights": (
        of_softmax(*focus(1.5), WEIGHTS),
        hard(lambda y, t: K.categorical_focal_crossentropy(t, y, alpha=torch.tensor(WEIGHTS[: y.shape[1]], dtype=torch.float64), gamma=1.5, from_logits=True).mean(), True),
        "classes",
    ),
    "SigmoidFocal::new(2.0)": (
        sigmoid_focal(2),
        hard(lambda y, t: sigmoid_focal_loss(y, t, alpha=-1, gamma=2.0, reduction="mean")),
        "labels",
    ),
    "SigmoidFocal::new(0.5).alpha(0.25)": (
        sigmoid_focal(0.5, 0.25),
        hard(lambda y, t: sigmoid_focal_loss(y, t, alpha=0.25, gamma=0.5, reduction="mean")),
        "labels",
    ),
    "GeneralizedCrossEntropy::new(0.7)": (
        of_softmax(lambda l: -mp.expm1(mpf(0.7) * l) / mpf(0.7), lambda l: -mp.exp(mpf(0.7) * l)),
        None,
        "classes",
    ),
    "Poly1CrossEntropy::new(1.0)": (
        of_softmax(lambda l: -l - mp.expm1(l), lambda l: -1 - mp.exp(l)),
        None,
        "classes",
    ),
    "Poly1CrossEntropy::new(-0.5)": (
        of_softmax(lambda l: -l + mp.expm1(l) / 2, lambda l: -1 + mp.exp(l) / 2),
        None,
        "classes",
    ),
    "Hinge": (hinge, lambda y, t: K.hinge(t, y).mean(), "signs"),
    "SquaredHinge": (
        by_output(lambda y, t: max(mpf(0), 1 - t * y) ** 2, lambda y, t: -2 * t * max(mpf(0), 1 - t * y)),
        lambda y, t: K.squared_hinge(t, y).mean(),
        "signs",
    ),
    "CategoricalHinge": (categorical_hinge, keras_categorical_hinge, "classes"),
    "MultiMargin::new()": (multi_margin(), torch_multi_margin(), "classes"),
    "MultiMargin::new().squared().margin(0.6)": (multi_margin(2, 0.6), torch_multi_margin(p=2, margin=0.6), "classes"),
    "HingeEmbedding::new(1.0)": (hinge_embedding(1), F.hinge_embedding_loss, "signs"),
    "HingeEmbedding::new(0.3)": (hinge_embedding(0.3), lambda y, t: F.hinge_embedding_loss(y, t, margin=0.3), "signs"),
    "Poisson::new()": (poisson(False), F.poisson_nll_loss, "counts"),
    "Poisson::new().full()": (poisson(True), lambda y, t: F.poisson_nll_loss(y, t, full=True), "counts"),
    "Poisson rates": (rates(False), torch_rates(False), "rates"),
    "Poisson full rates": (rates(True), torch_rates(True), "rates"),
}  # fmt: skip


def is_one_hot(t):
    return bool(((t == 0) | (t == 1)).all()) and bool((t.sum(1) == 1).all())


def simplex(rng, d):
    x = [rng.gammavariate(1.0, 1.0) for _ in range(d)]
    return [max(round(v / sum(x), 4), 1e-4) for v in x]  # nearly summing to 1: no loss needs that


def one_hot(rng, d):
    hot = rng.randrange(d)
    return [1.0 if j == hot else 0.0 for j in range(d)]


def cases(kind, rng):
    for n in (1, 2, 7):
        for d in (1, 2, 5):
            normal = [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
            if kind in ("real", "not 0", "directions"):
                yield normal, [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "signs":
                yield normal, [[rng.choice((-1.0, 1.0)) for _ in range(d)] for _ in range(n)]
            elif kind == "not below 0":
                yield normal, [[round(rng.random() * 3, 4) for _ in range(d)] for _ in range(n)]
                yield [[abs(v) for v in row] for row in normal], [[round(rng.random() * 3, 4) for _ in range(d)] for _ in range(n)]
            elif kind == "three levels":
                yield [row * 3 for row in normal], [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "means and variances":
                logs = [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
                yield [a + b for a, b in zip(normal, logs)], [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "rates":
                y = [[round(abs(v) + 0.01, 4) for v in row] for row in normal]
                yield y, [[float(rng.randrange(9)) for _ in range(d)] for _ in range(n)]
                yield y, [[round(rng.random() * 3, 4) for _ in range(d)] for _ in range(n)]
            elif kind == "probabilities":
                y = [[round(rng.random(), 4) for _ in range(d)] for _ in range(n)]
                yield y, [[rng.choice((0.0, 1.0)) for _ in range(d)] for _ in range(n)]
                yield y, [[round(rng.random(), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "logarithms":
                y = [[float(mp.log(v)) for v in simplex(rng, d)] for _ in range(n)]
                yield y, [one_hot(rng, d) for _ in range(n)]
                yield y, [simplex(rng, d) for _ in range(n)]
            elif kind == "counts":
                yield normal, [[float(rng.randrange(9)) for _ in range(d)] for _ in range(n)]
                yield normal, [[round(rng.random() * 3, 4) for _ in range(d)] for _ in range(n)]  # counts per time
            elif kind == "labels":
                yield normal, [[rng.choice((0.0, 1.0)) for _ in range(d)] for _ in range(n)]
                yield normal, [[round(rng.random(), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "classes":
                yield normal, [one_hot(rng, d) for _ in range(n)]
                yield normal, [simplex(rng, d) for _ in range(n)]
                yield normal, [[round(rng.random() * 2, 4) for _ in range(d)] for _ in range(n)]  # weights that do not sum to 1
            else:
                y = [simplex(rng, d) for _ in range(n)]
                yield y, [one_hot(rng, d) for _ in range(n)]
                yield y, [simplex(rng, d) for _ in range(n)]
    # The ends of the line, and 0.
    far = [1e4, -1e4, 0.0, 1e-8, 700.0]
    if kind == "real":
        yield [far], [[0.0, 0.0, 0.0, 0.0, -1e4]]
        yield [[v] for v in far], [[-1e4], [-1e4], [0.0], [1.0], [700.0]]
        yield [[1e-3, -0.5, 0.9999999, 1.0000001, 20.0]], [[0.0] * 5]
    elif kind == "not 0":
        yield [far, far], [[1.0, -1.0, 0.25, 1e-8, -1e4], [-1e4, -1e4, 1e-8, -1.0, 700.0]]
    elif kind == "not below 0":
        yield [far, far], [[0.0] * 5, [1e4, 1.0, 1e-8, 2e-8, 700.0]]
        yield [[1.0, 1.0000001, 0.9999999]], [[1.0, 1.0, 1.0]]
    elif kind == "three levels":
        yield [[1e4, 0.0, -1e4]], [[0.0]]
    elif kind == "directions":
        yield [far, far, [0.0] * 5], [[1.0] * 5, [0.0] * 5, [1.0] * 5]
        yield [[1.0, 1e-9], [1.0, 0.0], [1e-9, 1.0]], [[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]
    elif kind == "means and variances":
        yield [[1e4, 0.0, 1e-8, 20.0, -20.0, 0.0]], [[0.0, 1e-3, 1e-8]]
        yield [[1.0, -600.0], [1.0, 600.0]], [[1.0], [0.0]]
    elif kind == "rates":
        yield [[0.0, 1e-8, 1e4, 1.0]] * 2, [[0.0] * 4, [0.0, 1.0, 1000.0, 0.25]]
    elif kind == "probabilities":
        yield [[0.0, 1.0, 0.0, 1.0, 0.5]], [[0.0, 1.0, 1.0, 0.0, 0.5]]
        yield [[1e-300, 1e-20, 1e-13]], [[1.0, 1.0, 0.5]]
        yield [[1e-4, 1.0 - 1e-4, 0.5]], [[1.0, 1.0, 0.25]]
    elif kind == "logarithms":
        yield [[0.0, -700.0, -1e4]], [[1.0, 0.0, 0.0]]
        yield [[0.0, -700.0, -1e4]], [[0.0, 0.5, 0.5]]
    elif kind == "signs":
        yield [far, far], [[1.0] * 5, [-1.0] * 5]
    elif kind == "counts":
        yield [[-1e4, 0.0, 1e-8, -80.0, 80.0]] * 2, [[0.0] * 5, [1.0, 2.0, 1000.0, 0.25, 3.0]]
        yield [[-1e4], [-30.0], [0.0]], [[0.0], [0.0], [1.0]]
    elif kind == "labels":
        yield [far, far, far], [[1.0] * 5, [0.0] * 5, [0.5] * 5]
        yield [[v] for v in far], [[1.0], [1.0], [0.0], [0.25], [0.0]]
        yield [[40.0, -40.0, 30.0, -30.0, 36.0]], [[1.0, 0.0, 1.0, 0.0, 0.0]]
    elif kind == "classes":
        for j in range(5):
            yield [far], [[1.0 if i == j else 0.0 for i in range(5)]]
        yield [far, [0.0] * 5], [[0.2] * 5, [0.0, 1.0, 0.0, 0.0, 0.0]]
        yield [[1e4, 1e4], [-1e4, -1e4]], [[1.0, 0.0], [0.25, 0.75]]
        yield [[40.0, 0.0, -40.0]], [[1.0, 0.0, 0.0]]
    else:
        yield [[1e-300, 1.0, 1e-20]], [[1.0, 0.0, 0.0]]
        yield [[0.25, 0.75]], [[0.25, 0.75]]


def main():
    lines, compared = ["loss\td\ty\tt\tcost\tgradient\tother"], 0
    for name, (definition, other, kind) in LOSSES.items():
        for y, t in cases(kind, random.Random(7)):
            cost, gradient = definition(*([[mpf(v) for v in row] for row in m] for m in (y, t)))
            theirs = "-"
            ty = torch.tensor(y, dtype=torch.float64, requires_grad=True)
            value = None if other is None else other(ty, torch.tensor(t, dtype=torch.float64))
            if value is not None:
                if value.requires_grad:
                    value.backward()
                    flat = [float(v) for row in gradient for v in row]
                    # Of softmax(y) − t where one class is certain, floating point keeps an epsilon of 1.
                    bound = 1e-14 * max(map(abs, flat)) + 1e-15
                    assert all(abs(a - b) <= bound for a, b in zip(ty.grad.flatten().tolist(), flat)), (name, y, t, ty.grad.flatten().tolist(), flat)
                theirs = repr(value.item())
                compared += 1
            rows = [" ".join(repr(float(v)) for row in m for v in row) for m in (y, t, gradient)]
            lines.append("\t".join([name, str(len(y[0])), *rows[:2], repr(float(cost)), rows[2], theirs]))
    Path(__file__).with_name("losses.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines, {compared} of them another library's too")


main()
