"""Graphs node by node, of what exporters write and PyTorch's and scikit-learn's own files do not have: NAME.onnx, and NAME.npz with inputs
x and what onnxruntime makes of them, y, into a folder.

    python onnx_ops.py FOLDER

What it wrote with onnx 1.23.2 and onnxruntime 1.31.1 is in tests/golden/onnx.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(1)
FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
NUMPY = {FLOAT: np.float32, DOUBLE: np.float64, HALF: np.float16}


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def write(name, nodes, constants, shape=("n", 4), opset=17, kind=FLOAT, rank=2, reference=None):
    """`nodes` are (operator, inputs, outputs, attributes) from x to y. The samples are along the axis called "n", or there is one in each run."""
    nodes = [helper.make_node(op, i.split(), o.split(), **attributes) for op, i, o, attributes in nodes]
    tensors = [numpy_helper.from_array(np.asarray(v), key) for key, v in constants.items()]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, shape)], [helper.make_tensor_value_info("y", kind, [None] * rank)], tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    path = folder / f"ops_{name}.onnx"
    onnx.save(model, path)
    features = int(np.prod([size for size in shape if size != "n"]))
    x = (3 * rng.normal(size=(7, features))).astype(NUMPY[kind])
    if reference is not None:
        y = reference(x.astype(np.float64))
    else:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        run = lambda x: session.run(None, {"x": x})[0]
        sizes = [-1 if size == "n" else size for size in shape]
        if "n" in shape:
            axis = shape.index("n")
            y = run(x.reshape([len(x), *sizes[:axis], *sizes[axis + 1 :]]).swapaxes(0, axis) if axis else x.reshape(sizes))
            y = y.reshape(len(x), -1) if y.shape[0] == len(x) or y.ndim < 2 else y.T
        else:
            y = np.stack([run(row.reshape(sizes)).ravel() for row in x])
    np.savez(folder / f"ops_{name}.npz", x=x.astype(np.float64 if kind == DOUBLE else np.float32), y=y)


def dense(x, w, b, y):
    return [("Gemm", f"{x} {w} {b}", y, {})]


i64 = lambda *numbers: np.array(numbers, np.int64)
f32 = lambda *numbers: np.array(numbers, np.float32)
first, second = {"w": normal(4, 3), "b": normal(3)}, {"v": normal(3, 2), "c": normal(2)}
two = first | second

# Constants that nodes compute.
transposed = [("Transpose", "t", "w", {"perm": [1, 0]}), ("Cast", "c64", "b", {"to": FLOAT})]
write("computed_weights", transposed + dense("x", "w", "b", "y"), {"t": normal(3, 4), "c64": rng.normal(size=3)})
scale = [
    ("Add", "variance eps", "s0", {}), ("Sqrt", "s0", "s1", {}), ("Reciprocal", "s1", "s2", {}), ("Mul", "s2 gamma", "s3", {}),
    ("Neg", "mean", "m", {}), ("Mul", "m s3", "m2", {}), ("Div", "m2 one", "m3", {}), ("Neg", "m3", "m4", {}), ("Sub", "beta m4", "m5", {}),
    ("Unsqueeze", "s3 zero", "s4", {}), ("Identity", "s4", "s5", {}), ("Mul", "w s5", "u", {}), ("Squeeze", "s4 zero", "s6", {}),
    ("Mul", "b s6", "b2", {}), ("Add", "b2 m5", "b3", {}),
]  # fmt: skip
numbers = first | {"variance": f32(0.5, 2, 3), "eps": f32(1e-3), "gamma": normal(3), "beta": normal(3), "mean": normal(3), "one": f32(1), "zero": i64(0)}
write("folded_batch_norm", scale + dense("x", "u", "b3", "y"), numbers)
parts = [
    ("Concat", "left right", "wide", {"axis": 1}), ("Gather", "wide order", "w", {"axis": 1}), ("Slice", "long start end axis step", "b", {}),
    ("Shape", "wide", "size", {}), ("Slice", "size one two", "columns", {}), ("Concat", "minus columns", "flat", {"axis": 0}),
    ("ConstantOfShape", "three", "ones", {"value": helper.make_tensor("v", FLOAT, [1], [0.5])}), ("Reshape", "ones flat", "rows", {}),
    ("Expand", "single three", "many", {}), ("Add", "b many", "b2", {}), ("Sum", "b2 rows b2", "b3", {}),
]  # fmt: skip
numbers = {"left": normal(4, 1), "right": normal(4, 2), "order": i64(2, 0, -2), "long": normal(9), "start": i64(-1), "end": i64(0), "axis": i64(0)}
numbers |= {"step": i64(-3), "one": i64(1), "two": i64(2), "minus": i64(-1), "three": i64(3), "single": f32(0.25)}
write("gathered", parts + dense("x", "w", "b3", "y"), numbers)
sparse = helper.make_sparse_tensor(
    helper.make_tensor("values", FLOAT, [3], [1.0, -2.0, 0.5]), helper.make_tensor("places", TensorProto.INT64, [3], [0, 5, 10]), [4, 3]
)
kinds = [("Constant", "", "w", {"sparse_value": sparse}), ("Constant", "", "b", {"value_floats": [0.5, 1.0, 2.0]}), ("Constant", "", "k", {"value_float": 3.0})]
write("constants", kinds + dense("x", "w", "b", "z") + [("Mul", "z k", "y", {})], {})

# Shapes that nodes compute, and samples in other places.
view = [
    ("Shape", "x", "s", {}), ("Gather", "s zero", "n", {"axis": 0}), ("Unsqueeze", "n at", "n1", {}), ("Concat", "n1 rest", "shape", {"axis": 0}),
    ("Reshape", "x shape", "f", {}),
]  # fmt: skip
write("view", view + dense("f", "w", "b", "y"), first | {"zero": i64(0)[0], "at": i64(0), "rest": i64(-1)}, ("n", 2, 2))
keras = [
    ("Shape", "x", "s", {}), ("Cast", "s", "s32", {"to": TensorProto.INT32}), ("Slice", "s32 zero one", "n", {}), ("Slice", "s32 one end", "hw", {}),
    ("ReduceProd", "hw", "f", {"keepdims": 1}), ("Concat", "n f", "c", {"axis": 0}), ("Cast", "c", "c64", {"to": TensorProto.INT64}),
    ("Reshape", "x c64", "flat", {}),
]  # fmt: skip
write("keras_flatten", keras + dense("flat", "w", "b", "y"), first | {"zero": i64(0), "one": i64(1), "end": i64(3)}, ("n", 2, 2))
write("reshape_minus_one", [("Reshape", "x s", "f", {})] + dense("f", "w", "b", "y"), first | {"s": i64(-1, 4)}, ("n", 2, 2))
write("reshape_zero", [("Reshape", "x s", "f", {})] + dense("f", "w", "b", "y"), first | {"s": i64(0, -1)}, ("n", 1, 4))
write("reshape_one_row", [("Reshape", "x s", "f", {})] + dense("f", "w", "b", "y"), first | {"s": i64(1, -1)}, (2, 2))
write("reshape_one_sample", [("Reshape", "x s", "f", {})] + dense("f", "w", "b", "y"), first | {"s": i64(1, -1)}, (1, 2, 2))
write("flatten_negative", [("Flatten", "x", "f", {"axis": -2})] + dense("f", "w", "b", "y"), first, ("n", 2, 2))
write("one_sample", [("MatMul", "x w", "z", {}), ("Add", "z b", "a", {}), ("Relu", "a", "y", {})], first, (4,), rank=1)
write("one_sample_unsqueezed", [("Unsqueeze", "x at", "u", {})] + dense("u", "w", "b", "z") + [("Squeeze", "z", "y", {})], first | {"at": i64(0)}, (4,), rank=1)
write("weights_left", [("MatMul", "w x", "z", {}), ("Add", "z b", "a", {}), ("Tanh", "a", "y", {})], {"w": normal(3, 4), "b": normal(3)}, (4,), rank=1)
columns = [("MatMul", "w x", "z", {}), ("Add", "z b", "a", {}), ("Sigmoid", "a", "s", {}), ("MatMul", "v s", "y", {})]
write("columns", columns, {"w": normal(3, 4), "b": normal(3, 1), "v": normal(2, 3)}, (4, "n"))
turned = [("Transpose", "x", "t", {}), ("Gemm", "w t b", "z", {"alpha": 0.5, "beta": 2.0, "transA": 1}), ("Softmax", "z", "p", {"axis": 0}), ("Transpose", "p", "y", {})]
write("gemm_left", turned, {"w": normal(4, 3), "b": normal(3, 1)})
both = [("Transpose", "x", "t", {}), ("Gemm", "t w b", "y", {"transA": 1, "transB": 1, "alpha": -1.5})]
write("gemm_transposed", both, {"w": normal(3, 4), "b": normal(3)})
last = dense("x", "w", "b", "h") + [("Relu", "h", "r", {}), ("MatMul", "r v", "z", {}), ("Squeeze", "z at", "y", {})]
write("last_squeeze", last, first | {"v": normal(3, 1), "at": i64(-1)}, rank=1)
write("vector", dense("x", "w", "b", "h") + [("Tanh", "h", "t", {}), ("MatMul", "t v", "y", {})], first | {"v": normal(3)}, rank=1)
write("softmax_opset11", dense("x", "w", "b", "z") + [("Softmax", "z", "y", {})], first, opset=11)

# Activations, each between two layers, and one behind the last.
def between(name, nodes, constants=None, **options):
    write(name, dense("x", "w", "b", "a") + nodes + dense("h", "v", "c", "y"), two | (constants or {}), **options)


between("selu", [("Selu", "a", "h", {"alpha": 1.5, "gamma": 0.75})])
between("celu", [("Celu", "a", "h", {"alpha": 0.5})])
between("thresholded_relu", [("ThresholdedRelu", "a", "h", {"alpha": 0.75})])
between("threshold_where", [("LessOrEqual", "a t", "l", {}), ("Where", "l zero a", "h", {})], {"t": f32(0.5)[0], "zero": f32(0)[0]})
between("prelu", [("PRelu", "a s", "h", {})], {"s": f32(0.1, 0.5, -0.25)})
between("clip_crossed", [("Clip", "a low high", "k", {}), ("Add", "k b", "h", {})], {"low": f32(2)[0], "high": f32(-1)[0]})
between("max_min", [("Max", "a low", "k", {}), ("Min", "high k", "h", {})], {"low": f32(-0.5)[0], "high": f32(1.5)})
between("max_slope", [("Mul", "a s", "k", {}), ("Max", "a k", "h", {})], {"s": f32(0.2)})
between("abs_neg", [("Abs", "a", "k", {}), ("Neg", "k", "l", {}), ("Sum", "l c1 c2", "h", {})], {"c1": f32(1, 2, 3), "c2": f32(0.5)})
between("swish_beta", [("Mul", "a s", "k", {}), ("Sigmoid", "k", "l", {}), ("Mul", "a l", "h", {})], {"s": f32(1.702)})
between("softplus_beta", [("Mul", "a s", "k", {}), ("Softplus", "k", "l", {}), ("Div", "l s", "h", {})], {"s": f32(2)})
exp = [("Neg", "a", "k", {}), ("Exp", "k", "e", {}), ("Add", "e one", "l", {})]
between("sigmoid_exp", exp + [("Reciprocal", "l", "h", {})], {"one": f32(1)})
between("silu_exp", exp + [("Div", "a l", "h", {})], {"one": f32(1)})
ln = [("Exp", "a", "e", {}), ("Add", "e one", "l", {}), ("Log", "l", "p", {})]
between("mish_exp", ln + [("Tanh", "p", "t", {}), ("Mul", "a t", "h", {})], {"one": f32(1)})
erf = [("Div", "a root", "k", {}), ("Erf", "k", "e", {}), ("Add", "e one", "l", {}), ("Mul", "a l", "m", {}), ("Div", "m two", "h", {})]
between("gelu_erf", erf, {"root": f32(np.sqrt(2)), "one": f32(1), "two": f32(2)})
fast = [
    ("Mul", "a root", "k", {}), ("Mul", "a a", "q", {}), ("Mul", "q cubic", "q2", {}), ("Add", "q2 one", "q3", {}), ("Mul", "k q3", "u", {}),
    ("Tanh", "u", "t", {}), ("Add", "t one", "l", {}), ("Mul", "a half", "m", {}), ("Mul", "m l", "h", {}),
]  # fmt: skip
between("gelu_fast", fast, {"root": f32(np.sqrt(2 / np.pi)), "cubic": f32(0.044715), "one": f32(1), "half": f32(0.5)})
relu6 = [("Add", "a three", "k", {}), ("Relu", "k", "r", {}), ("Min", "r six", "m", {}), ("Mul", "m sixth", "s", {}), ("Mul", "s a", "h", {})]
between("hard_swish_relu6", relu6, {"three": f32(3), "six": f32(6), "sixth": f32(1 / 6)})
write("selu_last", dense("x", "w", "b", "a") + [("Selu", "a", "y", {"alpha": 2.0, "gamma": 0.5})], first)
write("dropouts", [("Dropout", "x", "d", {}), ("Identity", "d", "y", {})], {})
write("scaler", [("Sub", "x m", "s", {}), ("Div", "s d", "y", {})], {"m": normal(4), "d": f32(1, 2, 3, 4)})

# Other types.
halves = {key: v.astype(np.float16) for key, v in first.items()}
casts = [("Cast", "w", "w32", {"to": FLOAT}), ("Cast", "b", "b32", {"to": FLOAT})]
write("half_weights", casts + dense("x", "w32", "b32", "z") + [("Tanh", "z", "y", {})], halves)
tanh = lambda x: np.tanh(x @ halves["w"].astype(np.float64) + halves["b"].astype(np.float64)).astype(np.float32)
write("half", dense("x", "w", "b", "z") + [("Tanh", "z", "y", {})], halves, kind=HALF, reference=tanh)
into = [("Cast", "x", "x16", {"to": HALF})] + dense("x16", "w", "b", "z") + [("Cast", "z", "z32", {"to": FLOAT}), ("Tanh", "z32", "y", {})]
write("half_inside", into, halves, reference=tanh)
doubles = {key: v.astype(np.float64) for key, v in first.items()}
write("f64_selu", dense("x", "w", "b", "z") + [("Tanh", "z", "y", {})], doubles, kind=DOUBLE)
