"""Writes optimizers.tsv: where every rule takes five parameters in twenty steps, as PyTorch computes it in double precision.

    pip install torch==2.15.0 numpy==2.4.6 && python3 optimizers.py

A line is: rule as `every_rule!` of src/optim/mod.rs makes it, rate, decoupled decay, the parameters after the steps of STEPS. Lion, which PyTorch has not, is
algorithm 2 of its paper in NumPy; Adan is its authors' code (github.com/sail-sg/Adan, adan.py, `no_prox=True`) in NumPy. Where PyTorch has no decoupled decay, parameters are multiplied by 1 - lr * decay before the
step; AdamW, NAdam and RAdam do that themselves. The rate falls from step to step.
"""

from pathlib import Path

import numpy as np
import torch

torch.set_default_dtype(torch.float64)  # of NAdam's product of momenta, too
START = [1.5, -2.0, 0.75, 3.0, -0.25]
CURVATURE = [1.0, 4.0, 0.25, 2.0, 10.0]
CENTRE = [0.5, -1.0, 2.0, 1.0, 0.25]
STEPS = [1, 2, 3, 4, 5, 10, 15, 20]


def gradient(w, t):
    """A coupled gradient of several magnitudes, 0 in one parameter of every step."""
    g = [CURVATURE[i] * (w[i] - CENTRE[i]) + 0.25 * w[i] * w[(i + 1) % 5] ** 2 for i in range(5)]
    g[t % 5] = 0.0
    return g


def rate(lr, t):
    return lr * (1 - t / 40)


def with_torch(make, own_decay=False):
    def run(lr, decay):
        p = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
        optimizer = make([p], lr=rate(lr, 0), **({"weight_decay": decay} if own_decay else {}))
        after = []
        for t in range(20):
            now = rate(lr, t)
            for group in optimizer.param_groups:
                group["lr"] = now
            p.grad = torch.tensor(gradient(p.detach().tolist(), t), dtype=torch.float64)
            if not own_decay:
                p.data.mul_(1 - now * decay)
            optimizer.step()
            after.append(p.detach().tolist())
        return after

    return run


def lion(beta1, beta2):
    def run(lr, decay):
        w, m, after = np.array(START), np.zeros(5), []
        for t in range(20):
            g, now = np.array(gradient(w.tolist(), t)), rate(lr, t)
            w = w - now * (np.sign(beta1 * m + (1 - beta1) * g) + decay * w)
            m = beta2 * m + (1 - beta2) * g
            after.append(w.tolist())
        return after

    return run


def adan(beta1, beta2, beta3, eps=1e-8):
    def run(lr, decay):
        w, m, v, n, before, after = np.array(START), np.zeros(5), np.zeros(5), np.zeros(5), None, []
        for t in range(20):
            g, now = np.array(gradient(w.tolist(), t)), rate(lr, t)
            difference = g - (g if before is None else before)
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * difference
            n = beta3 * n + (1 - beta3) * (g + beta2 * difference) ** 2
            bias1, bias2, bias3 = (1 - beta ** (t + 1) for beta in (beta1, beta2, beta3))
            denominator = np.sqrt(n) / np.sqrt(bias3) + eps
            w = w * (1 - now * decay) - now / bias1 * m / denominator - now * beta2 / bias2 * v / denominator
            before = g
            after.append(w.tolist())
        return after

    return run


def option(optimizer, own_decay=False, **options):
    return with_torch(lambda params, **others: optimizer(params, **options, **others), own_decay)


o = torch.optim
RULES = [
    ("Sgd::new()", 0.02, option(o.SGD)),
    ("Sgd::new().momentum(0.9)", 0.02, option(o.SGD, momentum=0.9)),
    ("Sgd::new().momentum(0.9).dampening(0.5)", 0.02, option(o.SGD, momentum=0.9, dampening=0.5)),
    ("Sgd::new().momentum(0.8).nesterov()", 0.02, option(o.SGD, momentum=0.8, nesterov=True)),
    ("Adagrad::new()", 0.3, option(o.Adagrad)),
    ("Adagrad::new().initial(0.1).eps(1e-2)", 0.3, option(o.Adagrad, initial_accumulator_value=0.1, eps=1e-2)),
    ("Adagrad::new() lr_decay", 0.3, option(o.Adagrad, lr_decay=0.25)),
    ("RmsProp::new()", 0.05, option(o.RMSprop)),
    ("RmsProp::new().rho(0.9).eps(1e-2)", 0.05, option(o.RMSprop, alpha=0.9, eps=1e-2)),
    ("RmsProp::new().momentum(0.9)", 0.02, option(o.RMSprop, momentum=0.9)),
    ("RmsProp::new().centered()", 0.05, option(o.RMSprop, centered=True)),
    ("RmsProp::new().rho(0.9).centered().momentum(0.8)", 0.02, option(o.RMSprop, alpha=0.9, centered=True, momentum=0.8)),
    ("Adadelta::new()", 1.0, option(o.Adadelta)),
    ("Adadelta::new().rho(0.95).eps(1e-2)", 0.5, option(o.Adadelta, rho=0.95, eps=1e-2)),
    ("Adam::new()", 0.1, option(o.AdamW, own_decay=True)),
    ("Adam::new().beta1(0.5).beta2(0.9).eps(1e-2)", 0.1, option(o.AdamW, own_decay=True, betas=(0.5, 0.9), eps=1e-2)),
    ("Adam::new().beta2(0.5).amsgrad()", 0.1, option(o.AdamW, own_decay=True, betas=(0.9, 0.5), amsgrad=True)),
    ("Adamax::new()", 0.1, option(o.Adamax)),
    ("Adamax::new().beta1(0.5).beta2(0.75).eps(1e-2)", 0.1, option(o.Adamax, betas=(0.5, 0.75), eps=1e-2)),
    ("NAdam::new()", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True)),
    ("NAdam::new().beta1(0.8).beta2(0.9).eps(1e-2).momentum_decay(0.5)", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2, momentum_decay=0.5)),
    ("NAdam::new().momentum_decay(0.0)", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, momentum_decay=0)),
    ("RAdam::new()", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True)),
    ("RAdam::new().beta1(0.8).beta2(0.9).eps(1e-2)", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2)),
    ("RAdam::new().beta2(0.6)", 0.05, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.9, 0.6))),
    ("Adan::new()", 0.1, adan(0.98, 0.92, 0.99)),
    ("Adan::new().beta1(0.5).beta2(0.75).beta3(0.9).eps(1e-2)", 0.1, adan(0.5, 0.75, 0.9, 1e-2)),
    ("Lion::new()", 0.05, lion(0.9, 0.99)),
    ("Lion::new().beta1(0.5).beta2(0.75)", 0.05, lion(0.5, 0.75)),
    ("Rprop::new()", 0.1, option(o.Rprop)),
    ("Rprop::new().eta_minus(0.25).eta_plus(1.5).bounds(1e-2, 0.2)", 0.1, option(o.Rprop, etas=(0.25, 1.5), step_sizes=(1e-2, 0.2))),
]


def main():
    lines = ["rule\trate\tdecay\tafter"]
    for name, lr, run in RULES:
        for decay in [0.0, 0.1]:
            after = run(lr, decay)
            lines.append("\t".join([name, repr(lr), repr(decay), " ".join(repr(x) for step in STEPS for x in after[step - 1])]))
    Path(__file__).with_name("optimizers.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
