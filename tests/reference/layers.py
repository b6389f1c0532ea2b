"""Writes layers.tsv and embeddings.tsv: layers and their gradients as PyTorch computes them in float64.

    pip install torch==2.15.0 && python3 layers.py

A line is: layer, features, x, dy, y, dx. The layer is called as `Layer::describe` does. Numbers within a field are separated by
spaces, sample after sample. dy is the gradient by y that the backward pass starts from. Embeddings have the table, vector after vector,
and its gradient in place of dx.
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
    write("layers", lines)
    lines = ["layer\tfeatures\tx\tdy\ty\ttable\tdtable"]
    for categories, dim, padding in [(1, 1, None), (3, 2, None), (5, 1, 4), (7, 3, 0), (40, 2, 3)]:
        padded = "" if padding is None else f", padding_idx={padding}"
        for d, n in SIZES:
            layer = torch.nn.Embedding(categories, dim, padding_idx=padding, dtype=torch.float64)
            # Not 0 at the padding: what is there counts.
            table = normal(categories, dim).mul(100).round().div(100)
            layer.weight.data.copy_(table)
            x = torch.randint(categories, (n, d), generator=generator)
            y = layer(x).flatten(1)
            dy = normal(*y.shape).mul(100).round().div(100)
            y.backward(dy)
            name = f"Embedding(categories={categories}, dim={dim}{padded})"
            lines.append("\t".join([name, str(d), *(text(numbers) for numbers in (x.double(), dy, y, table, layer.weight.grad))]))
    write("embeddings", lines)


def write(name, lines):
    Path(__file__).with_name(f"{name}.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines of {name}")


main()
