"""Writes metrics.tsv: metrics of predictions as scikit-learn computes them.

    pip install numpy==2.4.6 scikit-learn==1.9.1 && python3 metrics.py

A line is: rows, predictions, targets, weights, and then fields `metric: value`. Numbers within a field are separated by spaces, sample
after sample; the weights are `-` where there are none, the value of `confusion` is the table row after row, that of a curve one point
after the other: threshold, false and true positive rate; threshold, precision, recall; mean probability, fraction of positives. Scores
are eighths, so that many are equal, and some lie on the borders of bins.
A sample of weight 0 is not given to scikit-learn, whose macro average would count its class as there.
"""

import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
lines = []


def write(y, t, w, **values):
    text = lambda v: " ".join(np.format_float_positional(x, trim="-") for x in np.ravel(np.asarray(v, float)))
    measures = [f"{name.replace('__', ' ')}: {text(value)}" for name, value in values.items()]
    lines.append("\t".join([str(y.shape[1]), text(y), text(t), "-" if w is None else text(w), *measures]))


def weights_for(n):
    yield None
    yield rng.integers(1, 5, n).astype(float)
    w = rng.random(n)
    if n > 2:
        w[rng.integers(0, n, n // 3)] = 0.0
    yield w


def curves(c, of_class, score, v, put):
    """What a class has by itself."""
    fpr, tpr, threshold = sk.roc_curve(of_class, score, sample_weight=v)
    put(f"roc_curve__{c}", np.stack([threshold, fpr, tpr], 1))
    precision, recall, threshold = sk.precision_recall_curve(of_class, score, sample_weight=v)
    put(f"precision_recall_curve__{c}", np.stack([np.append(threshold, np.inf), precision, recall], 1))
    put(f"roc_auc_with__{c}", sk.roc_auc_score(of_class, score, sample_weight=v))
    put(f"average_precision_with__{c}", sk.average_precision_score(of_class, score, sample_weight=v))
    # scikit-learn has no weights here: whole ones are as many samples.
    whole = v is None or (v == v.round()).all()
    if whole:
        times = np.ones(len(score), int) if v is None else v.astype(int)
        for bins in [1, 4, 5, 10]:
            actual, predicted = calibration_curve(np.repeat(of_class, times), np.repeat(score, times), n_bins=bins)
            put(f"uniform__{c}__{bins}", np.stack([predicted, actual], 1))
            if v is None:
                actual, predicted = calibration_curve(of_class, score, n_bins=bins, strategy="quantile")
                put(f"quantile__{c}__{bins}", np.stack([predicted, actual], 1))


def classes(k, n, present, quality):
    """Labels among `present`, and probabilities in eighths that are right more or less often."""
    label = rng.choice(present, n)
    y = np.stack([rng.multinomial(8, np.where(np.arange(k) == c, quality, 1) / (k - 1 + quality)) / 8 for c in label])
    return label, y


def classification(k, n, present, quality):
    label, y = classes(k, n, present, quality)
    single = k == 2 and n % 2 == 1
    shown = y[:, 1:] if single else y
    t = label[:, None].astype(float) if single else np.eye(k)[label]
    # A tie of a single row is class 1, of two rows class 0.
    predicted = (y[:, 1] >= 0.5).astype(int) if single else y.argmax(1)
    for w in weights_for(n):
        keep = np.ones(n, bool) if w is None else w > 0
        if not keep.any():
            continue
        a, p, v, some = label[keep], predicted[keep], None if w is None else w[keep], dict(zero_division=0)
        some["sample_weight"] = v
        values = {}
        put = values.__setitem__
        put("accuracy", sk.accuracy_score(a, p, sample_weight=v))
        put("balanced_accuracy", sk.balanced_accuracy_score(a, p, sample_weight=v))
        if len(set(a) | set(p)) > 1:
            put("cohen_kappa", sk.cohen_kappa_score(a, p, sample_weight=v))
        put("matthews_correlation", sk.matthews_corrcoef(a, p, sample_weight=v))
        put("confusion", sk.confusion_matrix(a, p, labels=range(k), sample_weight=v))
        for name, score in [("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)]:
            for c, value in enumerate(score(a, p, labels=range(k), average=None, **some)):
                put(f"{name}__{c}", value)
            for average in ["macro", "micro", "weighted"]:
                put(f"{name}__{average}", score(a, p, average=average, **some))
        put("log_loss", sk.log_loss(a, y[keep], labels=range(k), sample_weight=v))
        put("log_loss32", sk.log_loss(a, y[keep].astype(np.float32), labels=range(k), sample_weight=v))
        put("brier_score", sk.brier_score_loss(a, y[keep], labels=range(k), sample_weight=v))
        for c in [1] if single else range(k):
            if 0 < (a == c).sum() < len(a):
                curves(c, (a == c).astype(int), y[keep][:, c], v, put)
        if set(a) == set(range(k)):
            one_hot, scores = (t[keep], shown[keep]) if single else (np.eye(k)[a], y[keep])
            put("average_precision", sk.average_precision_score(one_hot, scores, sample_weight=v))
            for average in ["macro", "micro", "weighted"]:
                put(f"average_precision_with__{average}", sk.average_precision_score(one_hot, scores, average=average, sample_weight=v))
                put(f"roc_auc_with__{average}", sk.roc_auc_score(one_hot, scores, average=average, sample_weight=v))
            if k == 2:
                # Where the rows are two, class 0 against 1 is the same area as 1 against 0.
                put("roc_auc", sk.roc_auc_score(a, y[keep][:, 1], sample_weight=v))
            else:
                put("roc_auc", sk.roc_auc_score(a, y[keep], multi_class="ovr", sample_weight=v))
        write(shown, t, w, **values)
        if k > 2:
            # Without equal scores, of which scikit-learn takes the last.
            z = y - np.arange(k) / 1024
            # With them, scikit-learn's way.
            tied = lambda count: sk.top_k_accuracy_score(a, y[keep], k=count, labels=range(k), sample_weight=v)
            write(y, t, w, **{f"top_k_last__{count}": tied(count) for count in range(1, k)})
            top = lambda count: sk.top_k_accuracy_score(a, z[keep], k=count, labels=range(k), sample_weight=v)
            write(z, t, w, **{f"top_k__{count}": top(count) for count in range(1, k)})


def regression(d, n, make):
    t = make(rng.normal(size=(n, d)))
    y = t + np.round(rng.normal(size=(n, d)), 1)
    y[:, -1] = np.where(rng.random() < 0.3, t[:, -1], y[:, -1])
    for w in weights_for(n):
        of = dict(sample_weight=w)
        values = dict(
            mean_absolute_error=sk.mean_absolute_error(t, y, **of),
            mean_squared_error=sk.mean_squared_error(t, y, **of),
            root_mean_squared_error=sk.root_mean_squared_error(t, y, **of),
            r2=sk.r2_score(t, y, **of),
            explained_variance=sk.explained_variance_score(t, y, **of),
            median_absolute_error=sk.median_absolute_error(t, y, **of),
            # Keras's, and that of statsmodels, which scikit-learn has not.
            mean_absolute_percentage_error=sk.mean_absolute_percentage_error(t, y, **of),
            **{f"pinball__{q}": sk.mean_pinball_loss(t, y, alpha=q, **of) for q in [0, 0.1, 0.5, 0.75, 1]},
            log_cosh=np.average(np.logaddexp(y - t, t - y) - np.log(2), axis=0, weights=w).mean(),
        )
        count = n if w is None else np.count_nonzero(w)
        for p in range(count - 1):
            values[f"adjusted_r2__{p}"] = 1 - (1 - values["r2"]) * (count - 1) / (count - p - 1)
        if d == 1 and w is None:
            values["max_error"] = sk.max_error(t, y)
        write(y, t, w, **values)


for k, n, present, quality in [
    (2, 1, [0], 3), (2, 1, [1], 3), (2, 7, [0, 1], 2), (2, 31, [0, 1], 4), (2, 30, [0, 1], 1), (2, 9, [0], 2), (2, 12, [1], 2),
    (3, 2, [0, 2], 2), (3, 20, [0, 1, 2], 3), (3, 13, [1], 5), (4, 25, [0, 2, 3], 6), (5, 30, [0, 1, 2, 3, 4], 2), (6, 20, [1, 4], 40),
]:
    classification(k, n, present, quality)
for d, n, make in [(1, 2, np.round), (1, 17, np.round), (2, 9, lambda t: t * 100), (3, 30, lambda t: t + 1000), (1, 5, np.zeros_like), (2, 8, np.ones_like)]:
    regression(d, n, make)
header = "rows\tpredictions\ttargets\tweights\tmetrics"
Path(__file__).with_name("metrics.tsv").write_text("\n".join([header, *lines]) + "\n")
print(len(lines), "lines")
