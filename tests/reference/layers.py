"""Writes layers.tsv: layers without parameters and their gradients as PyTorch computes them in float64.

    pip install torch==2.15.0 && python3 layers.py

A line is: layer, features, x, dy, y, dx. The layer is called as `Layer::describe` does. Numbers within a field are separated by
spaces, sample after sample. dy is the gradient by y that the backward pass starts from.
"""

from pathlib import Path

import torch
from torch.nn import functional as F

SIZES = [(2, 1), (2, 7), (4, 3), (6, 70), (18, 5)]  # features, samples


def gated(activation):
    def forward(x):
        first, second = x.chunk(2, dim=1)
        return first * activation(second)

    return forward


LAYERS = {
    "Glu(activation=sigmoid)": lambda x: F.glu(x, dim=1),
    "Glu(activation=linear)": gated(lambda x: x),
    "Glu(activation=relu)": gated(F.relu),
    "Glu(activation=gelu)": gated(F.gelu),
    "Glu(activation=silu)": gated(F.silu),
    **{
        f"UnitNorm(length={length}, eps=0.000000000001)": lambda x, p=p: F.normalize(x, p=p, dim=1)
        for length, p in [("l1", 1.0), ("l2", 2.0), ("max", float("inf"))]
    },
    "LogSoftmax": lambda x: F.log_softmax(x, dim=1),
}


def text(numbers):
    return " ".join(repr(v) for v in numbers.flatten().tolist())


def main():
    generator = torch.Generator().manual_seed(7)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    lines = ["layer\tfeatures\tx\tdy\ty\tdx"]
    for name, forward in LAYERS.items():
        for d, n in SIZES:
            x = normal(n, d).mul(3000).round().div(1000)
            x[-1] *= 10  # a sample that is large
            if name.startswith("UnitNorm") and n > 2:
                x[0, :2] = torch.tensor([-50.0, 50.0])  # two are the largest
                x[1] *= 1e-14  # below epsilon
            x.requires_grad_()
            y = forward(x)
            dy = normal(*y.shape).mul(100).round().div(100)
            y.backward(dy)
            lines.append("\t".join([name, str(d), *(text(numbers) for numbers in (x, dy, y, x.grad))]))
    Path(__file__).with_name("layers.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
