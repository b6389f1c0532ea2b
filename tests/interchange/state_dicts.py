"""The other side of tests/io/interchange.rs for files of safetensors.

    python3 state_dicts.py write FOLDER   state dicts of multi-layer perceptrons with random shapes, and what they make of some inputs
    python3 state_dicts.py check FOLDER   model files of chainrule: their tensors and what the networks of them make of some inputs

A network NAME is NAME.safetensors, and NAME.tsv with a line per sample: inputs, a tab, outputs. Without PyTorch, NumPy stands in for it and
takes the perceptrons alone; with it, files of chainrule must be taken by load_state_dict(strict=True) of the same nn.Sequential.
"""

import json
import re
import sys
from pathlib import Path

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

try:
    import torch
    from safetensors import torch as safetensors_torch
except ImportError:
    torch = None

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}


def forward(tensors, x):
    """x through Linear, Tanh, Linear, Tanh, …, Linear: modules 0, 2, 4, …"""
    layers = len(tensors) // 2
    for layer in range(layers):
        x = x @ tensors[f"{2 * layer}.weight"].astype("float64").T + tensors[f"{2 * layer}.bias"].astype("float64")
        x = numpy.tanh(x) if layer + 1 < layers else x
    return x


def write(folder):
    rng = numpy.random.default_rng(1)
    for number in range(40):
        dtype = ("float32", "float64")[number % 2]
        widths = rng.integers(1, 20, size=rng.integers(2, 6)).tolist()
        tensors = {}
        for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            tensors[f"{2 * layer}.weight"] = (rng.standard_normal((outputs, inputs)) / inputs**0.5).astype(dtype)
            tensors[f"{2 * layer}.bias"] = rng.standard_normal(outputs).astype(dtype)
        path = folder / f"{dtype}-{'-'.join(map(str, widths))}-{number}"
        if torch is None:
            save_file(tensors, path.with_suffix(".safetensors"))
        else:
            net = perceptron(widths).to(getattr(torch, dtype))
            net.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, strict=True)
            safetensors_torch.save_file(net.state_dict(), path.with_suffix(".safetensors"), metadata={"format": "pt"})
        x = rng.standard_normal((7, widths[0])).astype(dtype).astype("float64")
        y = forward(tensors, x) if torch is None else net.double()(torch.from_numpy(x)).detach().numpy()
        lines = ("\t".join(" ".join(map(repr, row.tolist())) for row in pair) for pair in zip(x, y))
        path.with_suffix(".tsv").write_text("\n".join(lines) + "\n")


def perceptron(widths):
    modules = []
    for inputs, outputs in zip(widths, widths[1:]):
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


def activation(text):
    nn = torch.nn
    number = float((re.search(r"=(.*)\)", text) or [0, "nan"])[1])
    return {
        "leaky_relu": lambda: nn.LeakyReLU(number), "elu": lambda: nn.ELU(number), "celu": lambda: nn.CELU(number), "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU,
        "relu6": nn.ReLU6, "selu": nn.SELU, "gelu": nn.GELU, "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "silu": nn.SiLU, "mish": nn.Mish,
        "softplus": lambda: nn.Softplus(threshold=1e9), "softsign": nn.Softsign, "hard_sigmoid": nn.Hardsigmoid, "hard_tanh": nn.Hardtanh,
        "hard_swish": nn.Hardswish, "linear": nn.Identity,
    }[text.split("(")[0]]()  # fmt: skip


def whole(layer, width):
    """A layer as one module, with the names that it has as an attribute, and its outputs."""
    (kind, options), = layer.items()
    if kind == "Dense":
        made = Fused(width, options["outputs"], bias=options["bias"] is not None)
        made.then = activation(options["activation"])
        return made, options["outputs"]
    (made,), width = module(layer, width)
    return made, width


if torch is not None:

    class Fused(torch.nn.Linear):
        def forward(self, x):
            return self.then(super().forward(x))

    class Residual(torch.nn.Module):
        def forward(self, x):
            return self.body(x) + (self.projection(x) if hasattr(self, "projection") else x)

    class Parallel(torch.nn.Module):
        def forward(self, x):
            branches = [branch(x) for branch in self.children()]
            return sum(branches) if self.join == "Add" else torch.cat(branches, dim=1)


def nested(kind, options, width):
    """The module of a layer that is made of layers, and its outputs."""
    if kind == "Chain":
        modules = []
        for layer in options["layers"]:
            more, width = module(layer, width)
            modules += more
        return torch.nn.Sequential(*modules), width
    if kind == "Residual":
        made = Residual()
        made.body, outputs = whole(options["body"], width)
        if options["projection"] is not None:
            made.projection, outputs = whole(options["projection"], width)
        return made, outputs
    made, widths = Parallel(), []
    made.join = options["join"]
    for index, branch in enumerate(options["branches"]):
        branch, outputs = whole(branch, width)
        made.add_module(f"branch{index}", branch)
        widths.append(outputs)
    return made, widths[0] if made.join == "Add" else sum(widths)


def module(layer, width):
    """The modules of a layer as chainrule describes it, and its outputs."""
    nn = torch.nn
    (kind, options), = layer.items()
    if kind in ("Chain", "Residual", "Parallel"):
        made, width = nested(kind, options, width)
        return [made], width
    if kind == "Dense":
        linear = nn.Linear(width, options["outputs"], bias=options["bias"] is not None)
        return [linear] + ([] if options["activation"] == "linear" else [activation(options["activation"])]), options["outputs"]
    if kind == "Activation":
        return [activation(options)], width
    eps = {"eps": options["eps"]} if isinstance(options, dict) and "eps" in options else {}
    made = {
        "Softmax": lambda: nn.Softmax(dim=1), "Dropout": lambda: nn.Dropout(options["p"]), "AlphaDropout": lambda: nn.AlphaDropout(options["p"]),
        "GaussianNoise": nn.Identity, "LayerNorm": lambda: nn.LayerNorm(width, elementwise_affine=options["scale"], bias=options["bias"], **eps),
        "Prelu": lambda: nn.PReLU(width if options["per_feature"] else 1),
        "RmsNorm": lambda: nn.RMSNorm(width, elementwise_affine=options["scale"], **eps),
        "BatchNorm": lambda: nn.BatchNorm1d(width, eps=options["norm"]["eps"], affine=options["norm"]["scale"]),
    }[kind]()  # fmt: skip
    return [made], width


def check(folder):
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        tensors = load_file(path)
        with safe_open(path, "numpy") as file:
            notes = file.metadata()
        model = json.loads(notes["chainrule.model"])
        dtype = {"f32": "float32", "f64": "float64"}[model["scalar"]]
        assert notes["chainrule.version"] == "1" and notes["name"] == path.stem, notes
        assert all(tensor.dtype == dtype for tensor in tensors.values()), path
        rows = [line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines()]
        x, y = (numpy.array([[float(v) for v in row[side].split()] for row in rows]) for side in (0, 1))
        if path.stem.startswith("mlp"):
            compare(path, forward(tensors, x), y, TOLERANCE[dtype])
        if torch is not None:
            modules, width = [], model["inputs"]
            for layer in model["layers"]:
                more, width = module(layer, width)
                modules += more
            net = torch.nn.Sequential(*modules).to(getattr(torch, dtype)).eval()
            net.load_state_dict(safetensors_torch.load_file(path), strict=True)
            with torch.no_grad():
                compare(path, net.double()(torch.from_numpy(x)).numpy(), y, TOLERANCE[dtype])
    print(f"{len(files)} files; PyTorch: {'none' if torch is None else torch.__version__}")


def compare(path, ours, theirs, tolerance):
    worst = numpy.max(numpy.abs(ours - theirs) / (1 + numpy.abs(ours)))
    assert worst <= tolerance, f"{path}: {worst}"


{"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
