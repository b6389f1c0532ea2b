"""Writes slopes.tsv: gradients of costs that look at slopes, as PyTorch's double backward computes them in float64.

    pip install torch==2.15.0 && python3 slopes.py

A line is: layers, x, directions, t, s, parameters, cost, gradient. Layers are the number of inputs and then outputs-activation of each.
Numbers within a field are separated by spaces, sample after sample; directions and s have k columns for each sample, side by side.
The parameters lie layer after layer, weights column after column (outputs × inputs) and then biases, and so does the gradient.

The cost is C = Σ (y − t)²/2 + Σ ln cosh(ẏ − s), ẏ = ∂y/∂x·ẋ. Each component of ẏ is a product of `torch.autograd.grad(y, x,
create_graph=True)` with a direction.
"""

from pathlib import Path

import torch
from torch.nn import functional as F

ACTIVATIONS = {
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "relu": F.relu,
    "softsign": F.softsign,
}

NETS = [  # inputs, (outputs, activation) of each layer, samples, directions of each
    (1, [(1, "tanh")], 1, 1),
    (1, [(5, "tanh"), (1, "linear")], 4, 1),
    (2, [(4, "sigmoid"), (3, "tanh"), (2, "linear")], 3, 2),
    (3, [(6, "softplus"), (1, "softplus")], 2, 3),
    *((2, [(5, name), (4, name), (2, "linear")], 3, 1) for name in ACTIVATIONS),
    *((3, [(4, name), (2, name)], 1, 4) for name in ACTIVATIONS),
]


def text(numbers):
    return " ".join(repr(v) for v in numbers.flatten().tolist())


def main():
    generator = torch.Generator().manual_seed(11)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).mul(1000).round().div(1000)
    lines = ["layers\tx\tdirections\tt\ts\tparameters\tcost\tgradient"]
    for inputs, layers, samples, each in NETS:
        width, params = inputs, []
        for outputs, _ in layers:
            params += [normal(outputs, width).requires_grad_(), normal(outputs).requires_grad_()]
            width = outputs
        x = normal(samples, inputs).requires_grad_()
        directions, t, s = normal(samples * each, inputs), normal(samples, width), normal(samples * each, width)
        a = x
        for index, (_, activation) in enumerate(layers):
            a = ACTIVATIONS[activation](a @ params[2 * index].T + params[2 * index + 1])
        rows = [torch.autograd.grad(a[:, i].sum(), x, create_graph=True)[0] for i in range(width)]
        jacobian = torch.stack(rows, dim=1)  # samples, outputs, inputs
        dots = torch.einsum("nki,noi->nko", directions.reshape(samples, each, inputs), jacobian).reshape(samples * each, width)
        cost = ((a - t) ** 2).sum() / 2 + torch.log(torch.cosh(dots - s)).sum()
        gradient = torch.autograd.grad(cost, params, allow_unused=True)
        by_columns = lambda block: (block.T if block.dim() == 2 else block).flatten()
        flat = lambda blocks: torch.cat([by_columns(torch.zeros_like(p) if b is None else b) for b, p in zip(blocks, params)])
        name = " ".join([str(inputs), *(f"{outputs}-{activation}" for outputs, activation in layers)])
        lines.append("\t".join([name, *(text(v.detach()) for v in (x, directions, t, s, flat(params), cost, flat(gradient)))]))
    Path(__file__).with_name("slopes.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
