"""What scikit-learn's MLPClassifier and MLPRegressor come to with solver="lbfgs", for tests/train/full_batch.rs.

    pip install scikit-learn==1.9.1 scipy==1.17.1
    OMP_NUM_THREADS=1 python tests/reference/lbfgs.py > tests/reference/lbfgs.tsv

Data sets of examples/data, in standard units (digits: divided by 16). The start is a formula, so that every program has
the same. The time goes to the error stream: it is that of this machine.
"""

import csv
import pathlib
import sys
import time

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "data"


class Same:
    """The start, and what was done from there."""

    def _init_coef(self, fan_in, fan_out, dtype):
        # Uniform within Glorot's bounds, from a generator that is a line in any language.
        bound = np.sqrt(6 / (fan_in + fan_out))
        state, numbers = fan_in * 1000 + fan_out, []
        for _ in range(fan_in * fan_out):
            state = (1103515245 * state + 12345) % 2**31
            numbers.append(bound * (2 * (state / 2**31) - 1))
        # Weights lie input after input here, as columns do in chainrule.
        return np.array(numbers).reshape(fan_in, fan_out), np.zeros(fan_out)

    def _loss_grad_lbfgs(self, *args):
        self.evaluations = getattr(self, "evaluations", 0) + 1
        start = time.perf_counter()
        result = super()._loss_grad_lbfgs(*args)
        self.seconds = getattr(self, "seconds", 0) + time.perf_counter() - start
        return result


class Classifier(Same, MLPClassifier):
    pass


class Regressor(Same, MLPRegressor):
    pass


def read(name):
    rows = list(csv.reader((FOLDER / f"{name}.csv").open()))
    if name != "digits":
        rows = rows[1:]
    x = np.array([[float(field) for field in row[:-1]] for row in rows])
    y = np.array([row[-1] for row in rows])
    x = x / 16 if name == "digits" else (x - x.mean(0)) / x.std(0)
    if name == "diabetes":
        y = y.astype(float)
        return x, (y - y.mean()) / y.std()
    return x, y


print("set\thidden\tactivation\talpha\tparameters\titerations\tevaluations\tcost")
for name in ["iris", "wine", "breast_cancer", "diabetes", "digits"]:
    x, y = read(name)
    for activation, hidden, alpha in [("tanh", 10, 1.0), ("logistic", 20, 1.0), ("relu", 50, 0.1)]:
        model = (Regressor if name == "diabetes" else Classifier)(
            hidden_layer_sizes=(hidden,), activation=activation, alpha=alpha, solver="lbfgs", max_iter=2000, tol=1e-4
        )
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
        count = sum(w.size for w in model.coefs_) + sum(b.size for b in model.intercepts_)
        print(name, hidden, activation, alpha, count, model.n_iter_, model.evaluations, repr(float(model.loss_)), sep="\t")
        each = [f"{1e6 * total / model.evaluations:.0f}" for total in (seconds, model.seconds)]
        print(f"{name} {activation}: {each[0]} µs an evaluation, {each[1]} µs of cost and gradient", file=sys.stderr)
