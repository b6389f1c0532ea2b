"""Writes inspection.tsv: partial dependence as scikit-learn computes it.

    pip install numpy==2.4.6 scikit-learn==1.9.1 && python3 inspection.py

A line is: features, hidden neurons (tanh; 0 for a linear function), outputs, parameters, inputs sample after sample, weights (`-` for
none), feature, low quantile, high quantile, points, values of the grid, averages output after output, individual predictions output
after output and sample after sample. Parameters are layer after layer: weights column after column, then biases.
"""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence

rng = np.random.default_rng(3)
lines = []


class Network(RegressorMixin, BaseEstimator):
    def __init__(self, layers):
        self.layers = layers

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.is_fitted_ = True
        return self

    def predict(self, X):
        for k, (w, b) in enumerate(self.layers):
            X = X @ w.T + b
            if k + 1 < len(self.layers):
                X = np.tanh(X)
        return X if X.shape[1] > 1 else X[:, 0]


def text(v):
    return " ".join(np.format_float_positional(x, trim="-") for x in np.ravel(np.asarray(v, float)))


def case(samples, features, hidden, outputs, make):
    sizes = [features, hidden, outputs] if hidden else [features, outputs]
    layers = [(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in zip(sizes, sizes[1:])]
    params = np.concatenate([np.concatenate([w.ravel("F"), b]) for w, b in layers])
    x = make(rng.normal(size=(samples, features)))
    network = Network(layers).fit(x)
    for feature in range(features):
        for low, high, points in [(0.05, 0.95, 100), (0.05, 0.95, 7), (0.0, 1.0, 5), (0.2, 0.5, 2)]:
            for w in [None, rng.integers(0, 4, samples) + 0.5]:
                found = partial_dependence(
                    network, x, [feature], sample_weight=w, percentiles=(low, high), grid_resolution=points, kind="average", method="brute"
                )
                each = partial_dependence(
                    network, x, [feature], percentiles=(low, high), grid_resolution=points, kind="individual", method="brute"
                )
                fields = [text(params), text(x), "-" if w is None else text(w)]
                numbers = [text(found["grid_values"][0]), text(found["average"]), text(each["individual"])]
                settings = [str(feature), str(low), str(high), str(points)]
                lines.append("\t".join([str(features), str(hidden), str(outputs), *fields, *settings, *numbers]))


case(12, 2, 0, 1, lambda x: x)
case(9, 3, 4, 2, lambda x: np.round(2 * x))
case(15, 1, 3, 1, lambda x: 1000 + x)
header = "features\thidden\toutputs\tparameters\tinputs\tweights\tfeature\tlow\thigh\tpoints\tvalues\taverage\tindividual"
Path(__file__).with_name("inspection.tsv").write_text("\n".join([header, *lines]) + "\n")
print(len(lines), "lines")
