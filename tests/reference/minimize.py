"""What PyTorch's LBFGS with strong Wolfe conditions needs for functions of many numbers, for src/optim/minimize/mod.rs.

    pip install torch==2.15.0
    python tests/reference/minimize.py > tests/reference/minimize.tsv

In float64 and with ten pairs, until no component of the gradient is larger than 1e-6: the evaluations until then, and
the value.
"""

import torch

torch.set_default_dtype(torch.float64)


def rosenbrock(x):
    return (100 * (x[1::2] - x[::2] ** 2) ** 2 + (1 - x[::2]) ** 2).sum()


def quadratic(x):
    """Of condition 1000: the curvatures are 1 to 1000, evenly spaced in their logarithms."""
    return 0.5 * (10 ** torch.linspace(0, 3, len(x)) * (x - 1) ** 2).sum()


CASES = [
    ("rosenbrock", rosenbrock, torch.tensor([-1.2, 1.0])),
    ("rosenbrock", rosenbrock, torch.tensor([-1.2, 1.0] * 50)),
    ("quadratic", quadratic, torch.zeros(10)),
    ("quadratic", quadratic, torch.zeros(100)),
]

print("function\tparameters\tevaluations\tvalue")
for name, function, start in CASES:
    x = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x],
        max_iter=10_000,
        max_eval=100_000,
        history_size=10,
        tolerance_grad=1e-6,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    evaluations = 0

    def closure():
        global evaluations
        evaluations += 1
        optimizer.zero_grad()
        value = function(x)
        value.backward()
        return value

    optimizer.step(closure)
    value = closure().item()
    assert x.grad.abs().max() <= 1e-6, x.grad.abs().max()
    print(name, len(x), evaluations - 1, f"{value:.3e}", sep="\t")
