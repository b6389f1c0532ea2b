"""Writes ensembles.tsv: what ensembles and conformal predictions are by their definitions, in NumPy; calibration errors by torchmetrics;
conformal intervals and sets also as MAPIE has them.

    pip install numpy==2.4.6 scikit-learn==1.9.1 mapie==1.6.0 torch==2.15.0 torchmetrics==1.9.0 && python3 ensembles.py

A line is a kind and numbers, sample after sample:

- numbers: members, outputs, samples, predictions member after member, share, mean, deviation, quantile
- gaussian: members, targets, samples, predictions member after member (means, then logarithms of variances), mean, deviation
- classes: members, classes, samples, probabilities member after member, entropy, mutual information
- binary: the same of one output
- intervals: kind of band, outputs, samples, lower, upper, scale (`-` for none), targets, confidence, margins
- sets: score, classes, samples, probabilities, labels, confidence, new probabilities, the classes of each set by number (`-` for none)
- calibration: classes, bins, probabilities, labels, error
"""

from pathlib import Path

import numpy as np
import torch
from mapie.classification import SplitConformalClassifier
from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

rng = np.random.default_rng(18)
lines = []


def text(v):
    return " ".join(np.format_float_positional(x, trim="-") for x in np.ravel(np.asarray(v, float)))


def line(*fields):
    lines.append("\t".join(str(f) if isinstance(f, (str, int, float)) else text(f) for f in fields))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# Arrays are members × samples × outputs.
for members, outputs, samples in [(1, 1, 3), (2, 3, 2), (5, 2, 7), (10, 1, 20)]:
    y = rng.normal(size=(members, samples, outputs)) * 10.0 ** rng.integers(-3, 4, size=(1, samples, outputs))
    for share in [0.0, 0.05, 0.25, 0.5, 0.9, 1.0]:
        line("numbers", members, outputs, samples, y, share, y.mean(0), y.std(0), np.quantile(y, share, axis=0))
    mean, log = y, rng.normal(size=y.shape) * 3
    both = np.concatenate([mean, log], axis=2)
    variance = (np.exp(log) + mean**2).mean(0) - mean.mean(0) ** 2
    line("gaussian", members, outputs, samples, both, mean.mean(0), np.sqrt(variance))


def entropy(p):
    return -(p * np.log(p)).sum(-1)


for members, classes, samples in [(1, 3, 4), (5, 2, 6), (7, 10, 5)]:
    p = softmax(2 * rng.normal(size=(members, samples, classes)))
    line("classes", members, classes, samples, p, entropy(p.mean(0)), entropy(p.mean(0)) - entropy(p).mean(0))
    p = 1 / (1 + np.exp(-2 * rng.normal(size=(members, samples, 1))))
    q = np.concatenate([p, 1 - p], axis=2)
    line("binary", members, 1, samples, p, entropy(q.mean(0)), entropy(q.mean(0)) - entropy(q).mean(0))


class Column(RegressorMixin, BaseEstimator):
    """Predicts a column of its inputs."""

    def __init__(self, column):
        self.column = column

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return X[:, self.column]


class Probabilities(ClassifierMixin, BaseEstimator):
    """Predicts its inputs as probabilities."""

    def fit(self, X, y):
        self.classes_ = np.arange(X.shape[1])
        self.is_fitted_ = True
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return X.argmax(1)


def higher(scores, confidence):
    """Number ⌈(n + 1)·confidence⌉ of the scores, the confidence taken as the decimal number that it is written as."""
    n, percent = len(scores), round(1000 * confidence)
    return np.sort(scores)[-(-(n + 1) * percent // 1000) - 1]


for samples, confidence in [(9, 0.9), (19, 0.95), (99, 0.55), (100, 0.8), (57, 0.9), (120, 0.99), (40, 0.5)]:
    for outputs in [1, 2]:
        t, y = rng.normal(size=(2, samples, outputs))
        scale = np.exp(rng.normal(size=y.shape))
        low, high = y - 1, y + rng.normal(size=y.shape) + 1
        residual = np.abs(t - y)
        margin = [higher(r, confidence) for r in residual.T]
        line("intervals", "around", outputs, samples, y, y, "-", t, confidence, margin)
        line("intervals", "scaled", outputs, samples, y, y, scale, t, confidence, [higher(r, confidence) for r in (residual / scale).T])
        beyond = np.maximum(low - t, t - high)
        quantiles = [higher(r, confidence) for r in beyond.T]
        line("intervals", "between", outputs, samples, low, high, "-", t, confidence, quantiles)
        # MAPIE wants one sample more, and for it (n + 1)·0.55 is above 55 as in floating point.
        if outputs == 1 and samples * (1 - confidence) > 1.001 and confidence != 0.55:
            x = np.concatenate([y, low, high], axis=1)
            fitted = [Column(k).fit(None, None) for k in range(3)]
            mapie = SplitConformalRegressor(fitted[0], confidence_level=confidence, prefit=True).conformalize(x, t[:, 0])
            _, found = mapie.predict_interval(x)
            assert np.allclose(found[:, :, 0], np.concatenate([y - margin, y + margin], axis=1), atol=1e-12)
            mapie = ConformalizedQuantileRegressor([fitted[1], fitted[2], fitted[0]], confidence_level=confidence, prefit=True)
            _, found = mapie.conformalize(x, t[:, 0]).predict_interval(x, symmetric_correction=True)
            assert np.allclose(found[:, :, 0], np.concatenate([low - quantiles, high + quantiles], axis=1), atol=1e-12)


def cumulated(p):
    """Of each class the sum of its probability and of all that are greater."""
    order = np.argsort(-p, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(p, order, 1), axis=1)
    return np.take_along_axis(sums, np.argsort(order, axis=1, kind="stable"), 1)


for classes, samples, confidence, spread in [(3, 50, 0.9, 2), (10, 60, 0.8, 1), (4, 33, 0.95, 4), (5, 100, 0.7, 0.5)]:
    p, new = softmax(spread * rng.normal(size=(2, samples, classes)))
    labels = np.array([rng.choice(classes, p=q) for q in p])
    for score, scores in [("lac", lambda p: 1 - p), ("aps", cumulated)]:
        q = higher(np.take_along_axis(scores(p), labels[:, None], 1)[:, 0], confidence)
        inside = scores(new) <= q + 1e-12  # the sum of all classes is 1, whatever its rounding
        sets = [" ".join(str(c) for c in np.flatnonzero(row)) or "-" for row in inside]
        line("sets", score, classes, samples, p, labels, confidence, new, ";".join(sets))
        if score == "lac":  # MAPIE's adaptive scores have random numbers.
            mapie = SplitConformalClassifier(Probabilities().fit(p, labels), confidence_level=confidence, conformity_score=score, prefit=True)
            _, found = mapie.conformalize(p, labels).predict_set(new)
            assert (found[:, :, 0] == inside).all()

for classes, samples, bins in [(3, 120, 10), (10, 150, 15), (2, 50, 5), (4, 7, 1)]:
    p = softmax(2 * rng.normal(size=(samples, classes)))
    labels = rng.integers(0, classes, samples)
    error = multiclass_calibration_error(torch.tensor(p), torch.tensor(labels), num_classes=classes, n_bins=bins, norm="l1")
    line("calibration", classes, bins, p, labels, float(error))
    p, labels = p[:, 0], (labels == 0).astype(int)
    error = binary_calibration_error(torch.tensor(p), torch.tensor(labels), n_bins=bins, norm="l1")
    line("calibration", 1, bins, p, labels, float(error))

Path(__file__).with_name("ensembles.tsv").write_text("\n".join(lines) + "\n")
print(len(lines), "lines")
