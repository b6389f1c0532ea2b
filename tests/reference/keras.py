"""Writes keras.tsv: where Keras' rules take a weight of 1 in six steps, in double precision.

    pip install keras==3.15.1 torch==2.15.0 numpy==2.4.6 && python3 keras.py

A line is: rule, rate, the weight after each step.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
# This file has the name of the package.
sys.path = [path for path in sys.path if path and Path(path).resolve() != Path(__file__).resolve().parent]

import keras
import numpy as np

GRADIENTS = [0.3, -0.02, 0.05, 0.01, -0.4, 0.002]
o = keras.optimizers
BETAS = {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.5}
RULES = [
    ("sgd", 0.1, o.SGD, {"momentum": 0.9}),
    ("sgd nesterov", 0.1, o.SGD, {"momentum": 0.9, "nesterov": True}),
    ("adagrad", 0.3, o.Adagrad, {"epsilon": 0.5}),
    ("rmsprop", 0.3, o.RMSprop, {"rho": 0.5, "epsilon": 0.5}),
    ("adadelta", 1.0, o.Adadelta, {"rho": 0.5, "epsilon": 0.5}),
    ("adam", 0.3, o.Adam, BETAS),
    ("adam amsgrad", 0.3, o.Adam, {**BETAS, "amsgrad": True}),
    ("adamax", 0.3, o.Adamax, BETAS),
    ("nadam", 0.3, o.Nadam, BETAS),
]


def main():
    keras.backend.set_floatx("float64")
    lines = ["rule\trate\tafter"]
    for name, rate, rule, options in RULES:
        weight = keras.Variable(np.array([1.0]), dtype="float64")
        optimizer = rule(learning_rate=rate, **options)
        optimizer.build([weight])
        after = []
        for g in GRADIENTS:
            optimizer.apply([keras.ops.convert_to_tensor(np.array([g]), dtype="float64")], [weight])
            after.append(repr(float(weight.numpy()[0])))
        lines.append("\t".join([name, repr(rate), " ".join(after)]))
    Path(__file__).with_name("keras.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
