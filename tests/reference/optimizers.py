"""Writes optimizers.tsv: where every rule takes five parameters in twenty steps, as PyTorch computes it in double precision.

    pip install torch==2.15.0 numpy==2.4.6 && python3 optimizers.py

A line is: rule with its options, rate, decoupled decay, the parameters after the steps of STEPS. Lion, which PyTorch has not, is
algorithm 2 of its paper in NumPy. Where PyTorch has no decoupled decay, parameters are multiplied by 1 - lr * decay before the
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


def option(optimizer, own_decay=False, **options):
    return with_torch(lambda params, **others: optimizer(params, **options, **others), own_decay)


o = torch.optim
RULES = [
    ("sgd", 0.02, option(o.SGD)),
    ("sgd momentum", 0.02, option(o.SGD, momentum=0.9)),
    ("sgd dampening", 0.02, option(o.SGD, momentum=0.9, dampening=0.5)),
    ("sgd nesterov", 0.02, option(o.SGD, momentum=0.8, nesterov=True)),
    ("adagrad", 0.3, option(o.Adagrad)),
    ("adagrad initial", 0.3, option(o.Adagrad, initial_accumulator_value=0.1, eps=1e-2)),
    ("adagrad lr_decay", 0.3, option(o.Adagrad, lr_decay=0.25)),
    ("rmsprop", 0.05, option(o.RMSprop)),
    ("rmsprop rho", 0.05, option(o.RMSprop, alpha=0.9, eps=1e-2)),
    ("rmsprop momentum", 0.02, option(o.RMSprop, momentum=0.9)),
    ("rmsprop centred", 0.05, option(o.RMSprop, centered=True)),
    ("rmsprop both", 0.02, option(o.RMSprop, alpha=0.9, centered=True, momentum=0.8)),
    ("adadelta", 1.0, option(o.Adadelta)),
    ("adadelta rho", 0.5, option(o.Adadelta, rho=0.95, eps=1e-2)),
    ("adam", 0.1, option(o.AdamW, own_decay=True)),
    ("adam betas", 0.1, option(o.AdamW, own_decay=True, betas=(0.5, 0.9), eps=1e-2)),
    ("adam amsgrad", 0.1, option(o.AdamW, own_decay=True, betas=(0.9, 0.5), amsgrad=True)),
    ("adamax", 0.1, option(o.Adamax)),
    ("adamax betas", 0.1, option(o.Adamax, betas=(0.5, 0.75), eps=1e-2)),
    ("nadam", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True)),
    ("nadam betas", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2, momentum_decay=0.5)),
    ("nadam constant", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, momentum_decay=0)),
    ("radam", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True)),
    ("radam betas", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2)),
    ("radam plain", 0.05, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.9, 0.6))),
    ("lion", 0.05, lion(0.9, 0.99)),
    ("lion betas", 0.05, lion(0.5, 0.75)),
    ("rprop", 0.1, option(o.Rprop)),
    ("rprop etas", 0.1, option(o.Rprop, etas=(0.25, 1.5), step_sizes=(1e-2, 0.2))),
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
