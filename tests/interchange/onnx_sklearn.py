"""Models of scikit-learn as skl2onnx writes them: NAME@OUTPUT.onnx, and NAME@OUTPUT.npz with inputs x and outputs
y, into a folder.

    python onnx_sklearn.py FOLDER

What it wrote with scikit-learn 1.9.1 and skl2onnx 1.20.0 is in tests/golden/onnx.
"""

import pathlib
import sys
import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

warnings.filterwarnings("ignore")
folder = pathlib.Path(sys.argv[1])
x, species = load_iris(return_X_y=True)
x = x.astype(np.float32)
lengths = x[:, 2:]
width = lengths[:, 1]
rng = np.random.default_rng(1)
some = rng.choice(len(x), 20, replace=False)


def export(name, output, model, target, zipmap=False, dtype=np.float32):
    data = x.astype(dtype)
    model.fit(data, target)
    # A list of dictionaries unless it is told otherwise.
    options = {id(model): {"zipmap": False}} if output == "probabilities" and not zipmap else None
    file = to_onnx(model, data[:1], options=options)
    stem = f"sklearn_{name}@{'output_probability' if zipmap else output}"
    (folder / f"{stem}.onnx").write_bytes(file.SerializeToString())
    y = model.predict_proba(data[some]) if output == "probabilities" else model.predict(data[some])
    np.savez(folder / f"{stem}.npz", x=data[some], y=y.astype(dtype))


# A regressor of several outputs is not here: skl2onnx gives it the shape (samples, 1).
common = dict(max_iter=60, random_state=1)
export("classifier3", "probabilities", MLPClassifier(hidden_layer_sizes=(8, 5), **common), species)
export("classifier2", "probabilities", MLPClassifier(hidden_layer_sizes=(6,), activation="tanh", **common), species > 0)
export("classifier_dictionaries", "probabilities", MLPClassifier(hidden_layer_sizes=(6,), activation="logistic", **common), species, zipmap=True)
export("regressor", "variable", MLPRegressor(hidden_layer_sizes=(6,), **common), width)
export("regressor_logistic", "variable", MLPRegressor(hidden_layer_sizes=(6, 4), activation="logistic", **common), width)
export("regressor_identity", "variable", MLPRegressor(hidden_layer_sizes=(6,), activation="identity", **common), width)
export("standard", "variable", make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(6,), **common)), width)
export("min_max", "variable", make_pipeline(MinMaxScaler(), MaxAbsScaler(), MLPRegressor(hidden_layer_sizes=(6,), **common)), width)
export("pipeline", "probabilities", make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(6,), **common)), species)
export("logistic3", "probabilities", LogisticRegression(), species)
export("logistic2", "probabilities", LogisticRegression(), species > 0)
export("linear1", "variable", LinearRegression(), width)
export("linear2", "variable", LinearRegression(), lengths)
export("regressor_f64", "variable", MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", **common), width, dtype=np.float64)
export("standard_f64", "variable", make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(6,), **common)), width, dtype=np.float64)
