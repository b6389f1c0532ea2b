"""Writes bayesian.tsv: least squares with Bayesian regularization (MacKay 1992; Foresee & Hagan 1997), in NumPy.

    pip install numpy==2.4.6 && python3 bayesian.py

Everything is written from the definitions: derivatives by hand, inverses and determinants of whole matrices. A line is: case,
what the numbers are, and the numbers. `shape` has hidden neurons of tanh and samples, one input and one output; `x`, `t` and `v`
are inputs, targets and weights, `start` the parameters at the start (weights, biases, weights, bias). `epoch K` has alpha, beta,
gamma, the logarithm of the evidence and half the weighted sum of squares after epoch K, counted from 1; `end` the same where
alpha and beta have settled, with the parameters behind them.
"""

from pathlib import Path

import numpy as np

rng = np.random.default_rng(7)


def network(w, x, hidden):
    """Outputs and their derivatives by the parameters."""
    w1, b1, w2, b2 = w[:hidden], w[hidden : 2 * hidden], w[2 * hidden : 3 * hidden], w[3 * hidden]
    a = np.tanh(np.outer(x, w1) + b1)
    slope = (1 - a**2) * w2
    return a @ w2 + b2, np.hstack([slope * x[:, None], slope, a, np.ones((len(x), 1))])


def train(x, t, v, w, hidden, epochs):
    root, eye = np.sqrt(v), np.eye(len(w))
    count = len(x)

    def residuals(w):
        y, j = network(w, x, hidden)
        return root * (y - t), root[:, None] * j

    def evidence(w, alpha, beta):
        r, j = residuals(w)
        h = beta * j.T @ j + alpha * eye
        log = -0.5 * (beta * r @ r + alpha * w @ w) - 0.5 * np.linalg.slogdet(h)[1]
        log += 0.5 * len(w) * np.log(alpha) + 0.5 * count * np.log(beta / (2 * np.pi)) + 0.5 * np.log(v).sum()
        return log

    r, j = residuals(w)
    steepest = (j.T @ j).diagonal().max()
    beta, mu = count / (r @ r), 1e-3 * steepest
    alpha = 1e-6 * steepest * beta
    for epoch in range(1, epochs + 1):
        lam = alpha / beta
        r, j = residuals(w)
        a = j.T @ j + lam * eye
        gradient = j.T @ r + lam * w
        before = 0.5 * r @ r + 0.5 * lam * w @ w
        growth = 2.0
        while True:
            inverse = np.linalg.inv(a + mu * eye)
            h = -inverse @ gradient
            if np.linalg.norm(h) <= 2e-16 * np.linalg.norm(w):
                return
            second = (residuals(w + 0.1 * h)[0] - 2 * r + residuals(w - 0.1 * h)[0]) * 100
            acceleration = -inverse @ (j.T @ second)
            trial = w + h + 0.5 * acceleration
            rt = residuals(trial)[0]
            after = 0.5 * rt @ rt + 0.5 * lam * trial @ trial
            if 2 * np.linalg.norm(acceleration) <= 0.75 * np.linalg.norm(h) and after < before:
                promised = 0.5 * (mu * h @ h - h @ gradient)
                gain = (before - after) / promised
                mu *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
                w = trial
                break
            mu *= growth
            growth *= 2
            if not np.isfinite(mu):
                return
        r, j = residuals(w)
        gamma = len(w) - alpha * np.trace(np.linalg.inv(beta * j.T @ j + alpha * eye))
        if before - after < 0.1 * before:
            alpha, beta = gamma / (w @ w), (count - gamma) / (r @ r)
        yield epoch, [alpha, beta, gamma, evidence(w, alpha, beta), 0.5 * r @ r], w


lines = []
for name, hidden, n, noise, weighted, epochs in [
    ("primal", 5, 60, 0.15, False, 600),
    ("weighted", 3, 50, 0.1, True, 400),
    ("dual", 20, 41, 0.1, False, 2000),
]:
    x = np.linspace(-1, 1, n)
    t = np.sin(2 * np.pi * x) + noise * rng.normal(size=n)
    v = rng.uniform(0.5, 2.0, n) if weighted else np.ones(n)
    size = 2.0 if hidden < 10 else 4.0
    start = np.concatenate([rng.normal(size=hidden) * size, rng.uniform(-size, size, hidden), rng.normal(size=hidden) / np.sqrt(hidden), [0.0]])

    def line(what, numbers):
        lines.append(f"{name}\t{what}\t" + " ".join(repr(float(k)) for k in numbers))

    line("shape", [hidden, n])
    line("x", x)
    line("t", t)
    line("v", v)
    line("start", start)
    for epoch, numbers, w in train(x, t, v, start, hidden, epochs):
        if epoch <= 25:
            line(f"epoch {epoch}", numbers)
    print(name, epoch, numbers)
    line("end", [*numbers, *w])
Path(__file__).with_suffix(".tsv").write_text("\n".join(lines) + "\n")
