"""Writes losses.tsv: cost and gradient of every loss on batches, to 60 digits and as PyTorch computes them.

    pip install mpmath==1.3.0 torch==2.15.0 && python3 losses.py

A line is: loss as `every_loss!` of src/nn/loss/mod.rs makes it (or with weights), outputs d, y, t, cost, gradient,
PyTorch's cost. Numbers within a field are separated by spaces, sample after
sample. The costs and gradients are the definitions of the documentation, differentiated by hand, in 60 digits, rounded once.
PyTorch's cost is `-` where it has no such loss; where it has, its gradient was compared while this was written.
"""

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from mpmath import mp, mpf

mp.dps = 60
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


def poisson(full):
    def both(ys, ts):
        scale = mpf(1) / (len(ys) * len(ys[0]))
        stirling = lambda t: t * mp.log(t) - t + mp.log(2 * mp.pi * t) / 2 if full and t > 1 else mpf(0)
        cost = scale * mp.fsum(mp.exp(v) - t * v + stirling(t) for y, t in zip(ys, ts) for v, t in zip(y, t))
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


def cut(loss, **options):
    """The loss with as many weights as there are outputs."""

    def both(ys, ts):
        d = len(ys[0])
        return loss(**{k: v[:d] if isinstance(v, list) else v for k, v in options.items()})(ys, ts)

    return both


# name: (definition, PyTorch's cost, kind of outputs and targets)
LOSSES = {
    "SumSquaredError": (residual(lambda r: r * r / 2, lambda r: r, False, False), lambda y, t: F.mse_loss(y, t, reduction="sum") / 2, "real"),
    "QuadraticCost": (residual(lambda r: r * r / 2, lambda r: r, False), lambda y, t: F.mse_loss(y, t, reduction="sum") / 2 / len(y), "real"),
    "MeanSquaredError": (residual(lambda r: r * r, lambda r: 2 * r), F.mse_loss, "real"),
    "MeanAbsoluteError": (residual(abs, mp.sign), F.l1_loss, "real"),
    "Huber::new(1.0)": (huber(1), F.huber_loss, "real"),
    "Huber::new(0.3)": (huber(0.3), lambda y, t: F.huber_loss(y, t, delta=0.3), "real"),
    "LogCosh": (residual(lambda r: mp.log(mp.cosh(r)), mp.tanh), None, "real"),
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
    "Hinge": (hinge, None, "signs"),
    "Poisson::new()": (poisson(False), F.poisson_nll_loss, "counts"),
    "Poisson::new().full()": (poisson(True), lambda y, t: F.poisson_nll_loss(y, t, full=True), "counts"),
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
            if kind == "real":
                yield normal, [[round(rng.gauss(0, 2), 4) for _ in range(d)] for _ in range(n)]
            elif kind == "signs":
                yield normal, [[rng.choice((-1.0, 1.0)) for _ in range(d)] for _ in range(n)]
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
    lines, compared = ["loss\td\ty\tt\tcost\tgradient\tpytorch"], 0
    for name, (definition, torch_cost, kind) in LOSSES.items():
        for y, t in cases(kind, random.Random(7)):
            cost, gradient = definition(*([[mpf(v) for v in row] for row in m] for m in (y, t)))
            theirs = "-"
            if torch_cost is not None:
                ty = torch.tensor(y, dtype=torch.float64, requires_grad=True)
                value = torch_cost(ty, torch.tensor(t, dtype=torch.float64))
                value.backward()
                flat = [float(v) for row in gradient for v in row]
                # Of softmax(y) − t where one class is certain, floating point keeps an epsilon of 1.
                bound = 1e-14 * max(map(abs, flat)) + 1e-15
                assert all(abs(a - b) <= bound for a, b in zip(ty.grad.flatten().tolist(), flat)), (name, y, t)
                theirs = repr(value.item())
                compared += 1
            rows = [" ".join(repr(float(v)) for row in m for v in row) for m in (y, t, gradient)]
            lines.append("\t".join([name, str(len(y[0])), *rows[:2], repr(float(cost)), rows[2], theirs]))
    Path(__file__).with_name("losses.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines, {compared} of them PyTorch's too")


main()
