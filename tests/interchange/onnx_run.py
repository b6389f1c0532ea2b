"""Checks and runs ONNX models: for every NAME.onnx and NAME.x.npy of a folder writes the outputs to NAME.y.npy.

    python onnx_run.py FOLDER
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = [x.name for x in session.get_inputs()]
    (y,) = session.run(None, {name: np.load(path.with_suffix(".x.npy"))})
    np.save(path.with_suffix(".y.npy"), np.ascontiguousarray(y))
