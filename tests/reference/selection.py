"""Writes selection.tsv: folds as scikit-learn cuts them, and quantiles of Student's distribution as SciPy computes them.

    pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1 && python3 selection.py

Lines are of three kinds. `forward`: rows, folds, gap, largest training part, size of a validation part (`-` where it is not set), and
the folds, or `error`. A fold is `first..end first..end`, the rows it trains on and those that it judges; folds are separated by `;`.
`grouped`: folds, the group of each row, the fold that judges each row. All groups have different sizes, because scikit-learn does not say
what becomes of equal ones. `student`: degrees of freedom, level, and the t for which |T| <= t has that probability.
"""

from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

rng = np.random.default_rng(17)
lines = ["kind\targuments"]
show = lambda x: "-" if x is None else str(x)


def forward(n, k, gap, most, size):
    try:
        splitter = TimeSeriesSplit(k, gap=gap, max_train_size=most, test_size=size)
        parts = list(splitter.split(np.zeros((n, 1))))
        # scikit-learn lets a part be empty here and there.
        if any(len(train) == 0 or len(test) == 0 for train, test in parts):
            raise ValueError("empty")
        span = lambda part: f"{part[0]}..{part[-1] + 1}"
        folds = ";".join(f"{span(train)} {span(test)}" for train, test in parts)
    except ValueError:
        folds = "error"
    lines.append("\t".join(["forward", str(n), str(k), str(gap), show(most), show(size), folds]))


for n in [3, 4, 7, 10, 23]:
    for k in [2, 3, 5]:
        for gap in [0, 1, 4]:
            for most in [None, 1, 3, 100]:
                for size in [None, 1, 2, 5]:
                    forward(n, k, gap, most, size)

for k in [2, 3, 4, 7]:
    for count in [k, k + 1, 3 * k]:
        sizes = rng.choice(np.arange(1, 60), count, replace=False)
        groups = rng.permutation(np.repeat(np.arange(count), sizes))
        fold_of = np.zeros(len(groups), int)
        for fold, (_, test) in enumerate(GroupKFold(k).split(groups, groups=groups)):
            fold_of[test] = fold
        text = lambda x: " ".join(map(str, x))
        lines.append("\t".join(["grouped", str(k), text(groups), text(fold_of)]))

for freedom in [*range(1, 31), 40, 49, 60, 99, 100, 120, 250, 499, 500, 999, 1000]:
    for level in [0.01, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.99999]:
        t = stats.t.ppf(0.5 + level / 2, freedom)
        lines.append(f"student\t{freedom}\t{level}\t{t!r}".replace("np.float64(", "").replace(")", ""))

Path(__file__).with_suffix(".tsv").write_text("\n".join(lines) + "\n")
