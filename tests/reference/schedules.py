"""Writes schedules.tsv: the learning rates of PyTorch's schedulers, and of Keras' where PyTorch has none.

    pip install torch==2.15.0 keras==3.15.1 && python3 schedules.py

A line is: schedule as `Debug` writes it, rates at the steps 0, 1, 2, …. A scheduler of PyTorch is stepped once per step; only steps are written at which
its definition and ours are the same (a cosine that has come to its end rises again there). Keras computes in double precision here.
"""

import os
import sys
import warnings
from pathlib import Path

sys.path.pop(0)  # where keras.py is
os.environ["KERAS_BACKEND"] = "torch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import torch
from torch.optim import lr_scheduler as s

warnings.filterwarnings("ignore")
keras.backend.set_floatx("float64")
k = keras.optimizers.schedules


def of_keras(schedule, steps):
    return [float(schedule(torch.tensor(t, dtype=torch.float64))) for t in range(steps)]


def rates(make, steps, rate=0.5):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=rate)
    scheduler, out = make(optimizer), []
    for _ in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return out


def warm(then, steps):
    """A line from 1/(n+1) of the rate, and then the other."""

    def make(o):
        line = s.LinearLR(o, start_factor=1 / (steps + 1), total_iters=steps)
        return s.SequentialLR(o, [line, then(o)], milestones=[steps])

    return make


def one_after_another(o):
    line = s.LinearLR(o, start_factor=0.25, end_factor=1.0, total_iters=4)
    cosine = s.CosineAnnealingLR(o, 10, 0.01)
    return s.SequentialLR(o, [line, cosine, s.StepLR(o, 3, 0.5)], milestones=[4, 14])


def plateau(values, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=1.0)
    scheduler, out = s.ReduceLROnPlateau(optimizer, threshold_mode="abs", eps=0, **options), []
    for value in values:
        scheduler.step(value)
        out.append(optimizer.param_groups[0]["lr"])
    return out


VALUES = [9.0, 8.0, 8.5, 7.99, 8.0, 7.5, 7.6, 7.6, float("nan"), 7.7, 7.6, 7.49, 7.4, 7.4, 7.4, 7.4, 7.4, 7.4, 7.4, 7.4, 1.0, 2.0, 2.0, 2.0, 2.0]

SCHEDULES = [
    ("Constant(0.5)", lambda: rates(lambda o: s.ConstantLR(o, factor=1.0), 5)),
    ("Step { rate: 0.5, factor: 0.3, every: 7 }", lambda: rates(lambda o: s.StepLR(o, 7, 0.3), 40)),
    ("MultiStep { rate: 0.5, factor: 0.3, at: [11, 3, 10, 11] }", lambda: rates(lambda o: s.MultiStepLR(o, [3, 10, 11, 11], 0.3), 20)),
    ("Exponential { rate: 0.5, factor: 0.9 }", lambda: rates(lambda o: s.ExponentialLR(o, 0.9), 60)),
    # Keras goes on with a value at its boundary, ours with the next one.
    ("Piecewise { values: [0.5, 0.25, 0.3], milestones: [4, 11] }", lambda: of_keras(k.PiecewiseConstantDecay([3, 10], [0.5, 0.25, 0.3]), 20)),
    ("Piecewise { values: [0.125, 0.5], milestones: [5] }", lambda: rates(lambda o: s.ConstantLR(o, factor=0.25, total_iters=5), 12)),
    ("InverseTime { rate: 0.5, kappa: 0.3 }", lambda: rates(lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t)), 40)),
    ("InverseTimeStep { rate: 0.5, kappa: 0.3, every: 7 }", lambda: of_keras(k.InverseTimeDecay(0.5, 7, 0.3, staircase=True), 40)),
    ("Polynomial { rate: 0.5, end: 0.0, power: 1.0, steps: 30 }", lambda: rates(lambda o: s.PolynomialLR(o, 30, 1.0), 40)),
    ("Polynomial { rate: 0.5, end: 0.0, power: 2.5, steps: 30 }", lambda: rates(lambda o: s.PolynomialLR(o, 30, 2.5), 40)),
    ("PolynomialCycles { rate: 0.5, end: 0.01, power: 1.5, steps: 7 }", lambda: of_keras(k.PolynomialDecay(0.5, 7, 0.01, 1.5, cycle=True), 40)),
    ("Cosine { rate: 0.5, min: 0.01, steps: 30 }", lambda: rates(lambda o: s.CosineAnnealingLR(o, 30, 0.01), 31)),
    ("WarmRestarts { rate: 0.5, min: 0.01, steps: 7, factor: 1, peak_factor: 1.0 }", lambda: rates(lambda o: s.CosineAnnealingWarmRestarts(o, 7, 1, 0.01), 40)),
    ("WarmRestarts { rate: 0.5, min: 0.01, steps: 3, factor: 3, peak_factor: 1.0 }", lambda: rates(lambda o: s.CosineAnnealingWarmRestarts(o, 3, 3, 0.01), 140)),
    (
        "WarmRestarts { rate: 0.5, min: 0.0, steps: 5, factor: 2, peak_factor: 0.75 }",
        lambda: of_keras(k.CosineDecayRestarts(0.5, 5, t_mul=2.0, m_mul=0.75), 100),
    ),
    (
        "Cyclic { rate: 0.5, min: 0.01, up: 4, down: 4, cycle_factor: 1.0, step_factor: 1.0 }",
        lambda: rates(lambda o: s.CyclicLR(o, 0.01, 0.5, 4, cycle_momentum=False), 40),
    ),
    (
        "Cyclic { rate: 0.5, min: 0.01, up: 4, down: 6, cycle_factor: 0.5, step_factor: 1.0 }",
        lambda: rates(lambda o: s.CyclicLR(o, 0.01, 0.5, 4, 6, mode="triangular2", cycle_momentum=False), 40),
    ),
    (
        "Cyclic { rate: 0.5, min: 0.01, up: 4, down: 6, cycle_factor: 1.0, step_factor: 0.9 }",
        lambda: rates(lambda o: s.CyclicLR(o, 0.01, 0.5, 4, 6, mode="exp_range", gamma=0.9, cycle_momentum=False), 40),
    ),
    ("OneCycle { rate: 0.5, warm: 0.3, div: 25.0, final_div: 10000.0, steps: 50 }", lambda: rates(lambda o: s.OneCycleLR(o, 0.5, total_steps=50), 49)),
    ("OneCycle { rate: 0.5, warm: 0.45, div: 10.0, final_div: 100.0, steps: 37 }", lambda: rates(lambda o: s.OneCycleLR(o, 0.5, total_steps=37, pct_start=0.45, div_factor=10, final_div_factor=100), 36)),
    ("WarmUp { steps: 8, then: Exponential { rate: 0.5, factor: 0.9 } }", lambda: rates(warm(lambda o: s.ExponentialLR(o, 0.9), 8), 30)),
    (
        "Sequential { schedules: [Polynomial { rate: 0.125, end: 0.5, power: 1.0, steps: 4 }, Cosine { rate: 0.5, min: 0.01, steps: 10 }, "
        "Step { rate: 0.5, factor: 0.5, every: 3 }], milestones: [4, 14] }",
        lambda: rates(one_after_another, 30),
    ),
    (
        "Product { schedules: [Piecewise { values: [0.1, 1.0], milestones: [4] }, Exponential { rate: 0.5, factor: 0.9 }] }",
        lambda: rates(lambda o: s.ChainedScheduler([s.ConstantLR(o, factor=0.1, total_iters=4), s.ExponentialLR(o, 0.9)], o), 30),
    ),
    ("plateau", lambda: plateau(VALUES, factor=0.5, patience=2, threshold=0.05)),
    ("plateau cooldown", lambda: plateau(VALUES, factor=0.1, patience=1, threshold=0, cooldown=3, min_lr=0.005)),
]


def main():
    lines = ["schedule\trates", "values\t" + " ".join(repr(v).replace("nan", "NaN") for v in VALUES)]
    lines += ["\t".join([name, " ".join(repr(x) for x in make())]) for name, make in SCHEDULES]
    Path(__file__).with_name("schedules.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 2} schedules")


main()
