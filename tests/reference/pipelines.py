"""Scores of scikit-learn's networks behind its own preparation of tables, for tests/train/tables.rs: ten splits of 70/30, means.

    pip install scikit-learn
    python tests/reference/pipelines.py > tests/reference/pipelines.tsv
"""

import csv
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.simplefilter("ignore", ConvergenceWarning)
DATA = Path(__file__).resolve().parents[2] / "examples/data"
MASK = (1 << 64) - 1


def order(n, seed):
    """The rows in an order that `seed` decides: Fisher and Yates' shuffle by SplitMix64, as in tests/train/tables.rs."""
    rows, state = list(range(n)), seed
    for i in range(n - 1, 0, -1):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        j = (z ^ (z >> 31)) % (i + 1)
        rows[i], rows[j] = rows[j], rows[i]
    return rows


def number(text):
    return float(text) if text not in ("", "NA") else np.nan


def read(name, target, words=(), drop=(), header=True):
    with open(DATA / name, newline="") as file:
        rows = list(csv.reader(file))
    names = rows.pop(0) if header else [str(k) for k in range(len(rows[0]))]
    target = names[target] if isinstance(target, int) else target
    rows = [row for row in rows if row[names.index(target)] not in ("", "NA")]
    column = lambda name: [row[names.index(name)] for row in rows]
    numbers = [name for name in names if name not in (target, *words, *drop)]
    x = np.array([[number(v) for v in column(name)] for name in numbers]).T.astype(object)
    for word in words:
        values = np.array([v if v not in ("", "NA") else None for v in column(word)], dtype=object)
        x = np.column_stack([x, values])
    return x, column(target), len(numbers), len(words)


def prepare(numbers, words):
    parts = [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), list(range(numbers)))]
    if words:
        parts.append(("words", OneHotEncoder(handle_unknown="ignore"), list(range(numbers, numbers + words))))
    return ColumnTransformer(parts)


SETS = [
    ("iris", "classes", dict(name="iris.csv", target=-1)),
    ("wine", "classes", dict(name="wine.csv", target=-1)),
    ("breast cancer", "classes", dict(name="breast_cancer.csv", target=-1)),
    ("digits", "classes", dict(name="digits.csv", target=-1, header=False)),
    ("penguins", "classes", dict(name="penguins.csv", target="species", words=("island", "sex"), drop=("year",))),
    ("diabetes", "numbers", dict(name="diabetes.csv", target=-1)),
    ("wine quality", "numbers", dict(name="winequality-red.csv", target="quality")),
    ("cars", "numbers", dict(name="cars.csv", target="mpg", words=("origin",), drop=("name",))),
]

print("set\tdefault\talpha 1")
for title, kind, where in SETS:
    x, y, numbers, words = read(**where)
    y = np.array(y if kind == "classes" else [float(v) for v in y])
    sums = []
    for alpha in (1e-4, 1.0):
        scores = []
        for seed in range(10):
            rows = order(len(y), seed)
            cut = int(0.7 * len(y) + 0.5)
            train, test = rows[:cut], rows[cut:]
            settings = dict(hidden_layer_sizes=(64, 32), alpha=alpha, random_state=seed, max_iter=500)
            if kind == "classes":
                model = MLPClassifier(**settings)
            else:
                model = TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())
            model = make_pipeline(prepare(numbers, words), model).fit(x[train], y[train])
            scores.append(model.score(x[test], y[test]))
        sums.append(sum(scores) / len(scores))
    print(title, *(f"{s:.4f}" for s in sums), sep="\t", flush=True)
