"""Writes norms.tsv: normalizing layers and their gradients as PyTorch computes them in float64.

    pip install torch==2.15.0 && python3 norms.py

A line is: layer, eps, momentum, step, features, x, dy, scale, bias, y, dx, dscale, dbias, mean, variance, infer. Numbers within a
field are separated by spaces, sample after sample; `-` where the layer has no such thing. dy is the gradient by y that the backward
pass starts from. Of batch norm, `mean` and `variance` are the running statistics after this pass in training and `infer` is the
output for x with them; at step 0 they start at 0 and 1, at a later step they go on from the line before.
"""

from pathlib import Path

import torch

GROUPED = {"GroupNorm(2)": [(4, 1), (6, 3), (70, 3)], "GroupNorm(3)": [(12, 80), (210, 2)], "GroupNorm(5)": [(70, 3), (20, 70)]}
SIZES = [(1, 2), (1, 9), (2, 1), (2, 2), (5, 3), (17, 4), (70, 3)]  # features, samples


def text(numbers):
    return "-" if numbers is None else " ".join(repr(v) for v in numbers.flatten().tolist())


def build(kind, d, eps, momentum, scale, bias):
    if kind == "LayerNorm":
        module = torch.nn.LayerNorm(d, **({} if eps is None else {"eps": eps}), elementwise_affine=scale, bias=bias)
    elif kind.startswith("GroupNorm"):
        module = torch.nn.GroupNorm(int(kind[10:-1]), d, **({} if eps is None else {"eps": eps}), affine=scale)
    elif kind == "RmsNorm":
        module = torch.nn.RMSNorm(d, eps=eps, elementwise_affine=scale)
    else:
        options = {k: v for k, v in (("eps", eps), ("momentum", momentum)) if v is not None}
        module = torch.nn.BatchNorm1d(d, affine=scale, **options)
    return module.double()


def parameter(module, name, generator):
    p = getattr(module, name, None)
    if p is not None:
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64).mul(100).round().div(100)
    return p


def main():
    generator = torch.Generator().manual_seed(7)
    lines = ["layer\teps\tmomentum\tstep\tfeatures\tx\tdy\tscale\tbias\ty\tdx\tdscale\tdbias\tmean\tvariance\tinfer"]
    cases = [
        ("LayerNorm", None, None, True, True),
        ("LayerNorm", 0.1, None, True, False),
        ("LayerNorm", 1e-12, None, False, False),
        ("RmsNorm", None, None, True, False),
        ("RmsNorm", 0.01, None, False, False),
        ("BatchNorm", None, None, True, True),
        ("BatchNorm", 1e-3, 0.7, False, False),
        ("GroupNorm(2)", None, None, True, True),
        ("GroupNorm(3)", 0.1, None, True, True),
        ("GroupNorm(5)", 1e-12, None, False, False),
    ]
    for kind, eps, momentum, scale, bias in cases:
        for d, n in GROUPED[kind] if kind in GROUPED else SIZES:
            # PyTorch refuses a batch of one; of one feature alone its layer norm is 0 but for rounding errors over √eps.
            if kind == "BatchNorm" and n == 1 or kind == "LayerNorm" and d == 1:
                continue
            module = build(kind, d, eps, momentum, scale, bias)
            weight, shift = parameter(module, "weight", generator), parameter(module, "bias", generator)
            for step in range(3 if kind == "BatchNorm" and d * n < 200 else 1):
                # Features of different size and place, one of them far from 0.
                x = torch.randn(n, d, generator=generator, dtype=torch.float64) * torch.linspace(0.5, 3.0, d, dtype=torch.float64)
                x = (x + torch.linspace(-2.0, 2.0, d, dtype=torch.float64)).mul(1000).round().div(1000)
                x[:, -1] += 100.0
                x.requires_grad_()
                dy = torch.randn(n, d, generator=generator, dtype=torch.float64).mul(100).round().div(100)
                module.train()
                module.zero_grad()
                y = module(x)
                y.backward(dy)
                fields = [x, dy, weight, shift, y, x.grad, *(None if p is None else p.grad for p in (weight, shift))]
                if kind == "BatchNorm":
                    module.eval()
                    fields += [module.running_mean, module.running_var, module(x)]
                else:
                    fields += [None] * 3
                head = [kind, *("-" if v is None else repr(v) for v in (eps, momentum)), str(step), str(d)]
                lines.append("\t".join(head + [text(f) for f in fields]))
    Path(__file__).with_name("norms.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
