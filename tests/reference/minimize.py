"""What others need for functions of many numbers, for src/optim/minimize/mod.rs: PyTorch's LBFGS with strong Wolfe
conditions and ten pairs, and the nine steps of Møller's paper of 1993 on scaled conjugate gradients, as they stand there.

    pip install torch==2.15.0
    python tests/reference/minimize.py > tests/reference/minimize.tsv

In float64, until no component of the gradient is larger than 1e-6: the evaluations of value and gradient until then, and
the value.
"""

import torch

torch.set_default_dtype(torch.float64)


def rosenbrock(x):
    return (100 * (x[1::2] - x[::2] ** 2) ** 2 + (1 - x[::2]) ** 2).sum()


def quadratic(x):
    """Of condition 1000: the curvatures are 1 to 1000, evenly spaced in their logarithms."""
    return 0.5 * (10 ** torch.linspace(0, 3, len(x)) * (x - 1) ** 2).sum()


def mild(x):
    """Of condition 10."""
    return 0.5 * (torch.arange(1, len(x) + 1) * (x - 1) ** 2).sum()


class Counted:
    """Value and gradient of a function, and how often it was looked at."""

    def __init__(self, function):
        self.function, self.evaluations = function, 0

    def __call__(self, x):
        self.evaluations += 1
        x = x.clone().requires_grad_()
        value = self.function(x)
        (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient


def scaled_conjugate_gradients(look, w):
    # The names are the paper's; 1e-4 and 1e-6 are the most it allows for sigma and lambda.
    sigma, lam, lam_bar, k, success = 5e-5, 5e-7, 0.0, 1, True
    error, gradient = look(w)
    p = r = -gradient
    while r.abs().max() > 1e-6:
        p2 = p @ p
        if success:
            sigma_k = sigma / p2.sqrt()
            delta = p @ ((look(w + sigma_k * p)[1] + r) / sigma_k)
        delta = delta + (lam - lam_bar) * p2
        if delta <= 0:
            lam_bar = 2 * (lam - delta / p2)
            delta = -delta + lam * p2
            lam = lam_bar
        mu = p @ r
        alpha = mu / delta
        error_new, gradient_new = look(w + alpha * p)
        comparison = 2 * delta * (error - error_new) / mu**2
        if comparison >= 0:
            w, error, r_new, lam_bar, success = w + alpha * p, error_new, -gradient_new, 0.0, True
            p = r_new if k % len(w) == 0 else r_new + (r_new @ r_new - r_new @ r) / mu * p
            r, k = r_new, k + 1
            if comparison >= 0.75:
                lam = lam / 4
        else:
            lam_bar, success = lam, False
        if comparison < 0.25:
            lam = lam + delta * (1 - comparison) / p2
    return error


CASES = [
    ("rosenbrock", rosenbrock, torch.tensor([-1.2, 1.0])),
    ("rosenbrock", rosenbrock, torch.tensor([-1.2, 1.0] * 50)),
    ("quadratic", quadratic, torch.zeros(10)),
    ("quadratic", quadratic, torch.zeros(100)),
]

print("method\tfunction\tparameters\tevaluations\tvalue")
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
    print("lbfgs", name, len(x), evaluations - 1, f"{value:.3e}", sep="\t")

for name, function, start in [("mild", mild, torch.zeros(10)), ("quadratic", quadratic, torch.zeros(10)), CASES[0]]:
    look = Counted(function)
    value = scaled_conjugate_gradients(look, start)
    print("scg", name, len(start), look.evaluations, f"{value:.3e}", sep="\t")
