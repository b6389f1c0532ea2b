"""The other half of the example `to_onnx`: runs the file that it wrote, and prints the same probabilities.

    pip install onnxruntime numpy
    python examples/to_onnx.py
"""

import pathlib

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(pathlib.Path(__file__).parents[1] / "target" / "iris.onnx")
flowers = np.array([[5.1, 3.5, 1.4, 0.2], [6.1, 2.9, 4.7, 1.4], [6.3, 3.3, 6.0, 2.5]], dtype=np.float32)
(probabilities,) = session.run(None, {"input": flowers})

metadata = session.get_modelmeta().custom_metadata_map
classes = [metadata[f"chainrule.class.{row}"] for row in range(probabilities.shape[1])]
print(f"{'  '.join(classes):>27}")
for sample in probabilities:
    print("".join(f"{p:9.6f}" for p in sample) + f"  {classes[sample.argmax()]}")
