"""Looks for the names in src/guide/names.md in the libraries that have them.

    pip install torch==2.15.0 keras==3.15.0 scikit-learn==1.9.1 onnx==1.23.2 && python3 names.py
    python3 names.py PyTorch    only in these
"""

import re
import sys
from pathlib import Path

sys.path.pop(0)  # keras.py in this folder is not Keras.


def pytorch():
    import torch

    optim = [torch.optim, torch.optim.lr_scheduler, torch.optim.swa_utils]
    return [torch.nn, torch.nn.functional, torch, *optim]


def keras():
    import keras

    schedules = keras.optimizers.schedules
    return [keras.activations, keras.layers, keras.metrics, keras.losses, keras.optimizers, schedules]


def scikit_learn():
    import sklearn.calibration
    import sklearn.metrics
    import sklearn.neural_network._base as base
    import sklearn.preprocessing

    # What `solver` and `learning_rate` of `MLPClassifier` take.
    options = {"adam", "sgd", "lbfgs", "constant", "invscaling", "adaptive"}
    return [base.ACTIVATIONS, sklearn.calibration, sklearn.metrics, sklearn.preprocessing, options]


def onnx():
    import onnx.defs

    return [{schema.name for schema in onnx.defs.get_all_schemas()}]


LIBRARIES = {"PyTorch": pytorch, "Keras": keras, "scikit-learn": scikit_learn, "ONNX": onnx}
chosen = sys.argv[1:] or LIBRARIES
places = {name: LIBRARIES[name]() for name in chosen}
found, lost, columns = 0, [], []
for line in Path(__file__).parents[2].joinpath("src/guide/names.md").read_text().splitlines():
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    if cells and not cells[0]:
        columns = cells
    elif cells and cells[0].startswith("["):
        for library, cell in zip(columns, cells):
            for name in re.findall("`([^`]*)`", cell) if library in places else []:
                there = any(name in place if isinstance(place, (dict, set)) else hasattr(place, name) for place in places[library])
                found += there
                lost += [] if there else [f"{library}: {name}"]
print(f"{found} names found", *lost, sep="\n")
sys.exit(bool(lost) or not found)
