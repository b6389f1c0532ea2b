"""Checks and runs ONNX models of tables: for every NAME.onnx and NAME.csv of a folder writes the outputs to NAME.y.npy.

    python onnx_table.py FOLDER
"""

import csv
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with open(path.with_suffix(".csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for x in session.get_inputs():
        words = [row[x.name] for row in rows]
        if x.type == "tensor(string)":
            columns[x.name] = np.array(words, dtype=object)[:, None]
        else:
            columns[x.name] = np.array([float(word or "nan") for word in words], dtype=TYPES[x.type])[:, None]
    (y,) = session.run(None, columns)
    np.save(path.with_suffix(".y.npy"), np.ascontiguousarray(y))
