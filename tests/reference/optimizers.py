"""Writes optimizers.tsv: where every rule takes five parameters in twenty steps, as PyTorch computes it in double precision.

    pip install torch==2.15.0 numpy==2.4.6 schedulefree==1.4.1 && python3 optimizers.py

A line is: rule as `every_rule!` of src/optim/mod.rs makes it, rate, decoupled decay, the parameters after the steps of STEPS. Lion, which PyTorch has not, is
algorithm 2 of its paper in NumPy; Adan is its authors' code (github.com/sail-sg/Adan, adan.py, `no_prox=True`) in NumPy. Where PyTorch has no decoupled decay, parameters are multiplied by 1 - lr * decay before the
step; AdamW, NAdam and RAdam do that themselves. The rate falls from step to step.

Schedule-free rules are those of the package schedulefree. Their lines and those of ASGD have the average behind the parameters that steps change. PyTorch computes
ASGD's rate for the step to come from the rate of now; it is given the next one. Quickprop, SARProp and the Rprop that takes steps back are written after
their papers, in plain Python. Cautious rules take the plain step of their rule at 0, as PyTorch or NumPy computes it, and do with it what their papers say. Behind Muon's parameters, which its
AdamW steps, are matrices that it has turned in five steps. To compare Quickprop with FANN itself, whose constants are of single precision: `apt-get install gcc libfann-dev && python3 optimizers.py fann`.
"""

import ctypes
import inspect
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import schedulefree
import torch

torch.set_default_dtype(torch.float64)  # of NAdam's product of momenta, too
START = [1.5, -2.0, 0.75, 3.0, -0.25]
CURVATURE = [1.0, 4.0, 0.25, 2.0, 10.0]
CENTRE = [0.5, -1.0, 2.0, 1.0, 0.25]
NEWTON_SCHULZ = inspect.getsource(torch.optim._muon._zeropower_via_newtonschulz)
exec(NEWTON_SCHULZ.replace("torch.bfloat16", "torch.float64"), vars(torch.optim._muon))
MATRICES = [(3, 4), (5, 2), (1, 6)]
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


def cost(w):
    """What rules are told that ask for a cost."""
    return sum(0.5 * CURVATURE[i] * (w[i] - CENTRE[i]) ** 2 for i in range(5))


def asgd(**options):
    def run(lr, decay):
        p = torch.nn.Parameter(torch.tensor(START))
        optimizer = torch.optim.ASGD([p], lr=lr, **options)
        eta = torch.tensor(rate(lr, 0))
        optimizer.state[p] = {"step": torch.tensor(0.0), "eta": eta, "mu": torch.tensor(1.0), "ax": torch.zeros(5)}
        after = []
        for t in range(20):
            optimizer.param_groups[0]["lr"] = rate(lr, t + 1)
            p.grad = torch.tensor(gradient(p.detach().tolist(), t))
            p.data.mul_(1 - rate(lr, t) * decay)
            optimizer.step()
            after.append(p.detach().tolist())
        return after + [optimizer.state[p]["ax"].tolist()]

    return run


def schedule_free(optimizer, **options):
    def run(lr, decay):
        p = torch.nn.Parameter(torch.tensor(START))
        o = optimizer([p], lr=lr, weight_decay=decay, **options)
        o.train()
        after = []
        for t in range(20):
            o.param_groups[0]["lr"] = rate(lr, t)
            p.grad = torch.tensor(gradient(p.detach().tolist(), t))
            o.step()
            after.append(p.detach().tolist())
        o.eval()
        return after + [p.detach().tolist()]

    return run


def cautious(make, updates=True, decays=False):
    """Around the plain step of a rule: `make` gives a function from t, rate and gradient to the step."""

    def run(lr, decay):
        w, plain, after = np.array(START), make(), []
        for t in range(20):
            g, now = np.array(gradient(w.tolist(), t)), rate(lr, t)
            u = -np.array(plain(t, now, g))
            mask = u * g > 0
            kept = np.where(u * w >= 0, decay, 0.0) if decays else decay
            if updates:
                u = u * mask / max(mask.mean(), 1e-3)
            w = w * (1 - now * kept) - u
            after.append(w.tolist())
        return after

    return run


def muon(momentum=0.95, nesterov=True, matched=True, betas=(0.9, 0.95), eps=1e-8):
    """PyTorch's Muon in double precision on a matrix, its AdamW on the rest: in the table on the five numbers of a vector, behind them on those of MATRICES."""
    plain = option(o.AdamW, own_decay=True, betas=betas, eps=eps)

    def run(lr, decay):
        after = plain(lr, decay)
        for rows, cols in MATRICES:
            w = torch.nn.Parameter(torch.tensor([[math.sin(i + 3 * j) for j in range(cols)] for i in range(rows)]))
            fn = "match_rms_adamw" if matched else "original"
            m = o.Muon([w], lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay, adjust_lr_fn=fn)
            for t in range(5):
                w.grad = torch.tensor([[math.cos(i * i + 2 * i * j - j + t) for j in range(cols)] for i in range(rows)])
                m.step()
            after.append(w.detach().T.flatten().tolist())
        return after

    return run


def steps_of(optimizer, **options):
    """The steps that a rule of PyTorch takes at 0, by the gradients it is given."""

    def make():
        p = torch.nn.Parameter(torch.zeros(5))
        o = optimizer([p], weight_decay=0.0, **options)

        def step(t, lr, g):
            o.param_groups[0]["lr"] = lr
            p.data.zero_()
            p.grad = torch.tensor(g)
            o.step()
            return p.detach().tolist()

        return step

    return make


def lion_steps(beta1, beta2):
    def make():
        m = np.zeros(5)

        def step(t, lr, g):
            u = -lr * np.sign(beta1 * m + (1 - beta1) * g)
            m[:] = beta2 * m + (1 - beta2) * g
            return u

        return step

    return make


def adan_steps(beta1, beta2, beta3, eps=1e-8):
    def make():
        m, v, n, before = np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5)

        def step(t, lr, g):
            difference = g - before if t > 0 else np.zeros(5)
            m[:] = beta1 * m + (1 - beta1) * g
            v[:] = beta2 * v + (1 - beta2) * difference
            n[:] = beta3 * n + (1 - beta3) * (g + beta2 * difference) ** 2
            before[:] = g
            bias1, bias2, bias3 = (1 - beta ** (t + 1) for beta in (beta1, beta2, beta3))
            return -lr * (m / bias1 + beta2 * v / bias2) / (np.sqrt(n / bias3) + eps)

        return step

    return make


def quickprop(mu=1.75, coupled=1e-4):
    """Fahlman's, with FANN's threshold; s points downhill."""

    def run(lr, decay):
        w, delta, before, after = list(START), [0.0] * 5, [0.0] * 5, []
        for t in range(20):
            g, now = gradient(w, t), rate(lr, t)
            for i in range(5):
                s, d = -(g[i] + coupled * w[i]), delta[i]
                if abs(d) <= 0.001:
                    step = now * s
                else:
                    sign = 1 if d > 0 else -1
                    if sign * s > mu / (1 + mu) * sign * before[i]:
                        step = mu * d
                    else:
                        step = 0.0 if s == 0 else d * s / (before[i] - s)
                        step = max(-mu * abs(d), min(mu * abs(d), step))
                    if sign * s > 0:
                        step += now * s
                w[i] = w[i] * (1 - now * decay) + step
                delta[i], before[i] = step, s
            after.append(list(w))
        return after

    return run


def irprop_plus(minus=0.5, plus=1.2, smallest=1e-6, largest=50.0):
    """Igel & Husken 2000, figure 3."""

    def run(lr, decay):
        w, delta, before, change, last, after = list(START), [lr * 1.0] * 5, [0.0] * 5, [0.0] * 5, None, []
        for t in range(20):
            g, now, e = gradient(w, t), rate(lr, t), cost(w)
            for i in range(5):
                step, slope = 0.0, g[i]
                if slope * before[i] > 0:
                    delta[i] = min(delta[i] * plus, largest)
                elif slope * before[i] < 0:
                    delta[i] = max(delta[i] * minus, smallest)
                    if last is not None and e > last:
                        step = -change[i]
                    slope = 0.0
                if slope != 0:
                    step = -float(np.sign(slope)) * delta[i]
                w[i] = w[i] * (1 - now * decay) + step
                change[i], before[i] = step, slope
            last = e
            after.append(list(w))
        return after

    return run


def mix(x):
    """SplitMix64's finalizer, by which src/numeric/random.rs draws."""
    all64 = (1 << 64) - 1
    z = (x + 0x9E3779B97F4A7C15) & all64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & all64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & all64
    return z ^ (z >> 31)


def sarprop(temperature=0.015, k1=0.01, k2=0.1, k3=3.0, seed=0, minus=0.5, plus=1.2, smallest=1e-6, largest=50.0):
    """Treadgold & Gedeon 1998 with FANN's numbers."""

    def run(lr, decay):
        w, delta, before, after = list(START), [lr * 1.0] * 5, [0.0] * 5, []
        for t in range(20):
            g, now, e = gradient(w, t), rate(lr, t), cost(w)
            annealed = 2 ** (-temperature * t)
            stream = mix(mix(seed ^ 5) ^ (t + 1))
            for i in range(5):
                s = g[i] + k1 * annealed * w[i]
                if s * before[i] > 0:
                    delta[i] = min(delta[i] * plus, largest)
                elif s * before[i] < 0:
                    if delta[i] < k2 * e:
                        noise = k3 * ((mix(stream ^ i) >> 11) / 2**53) * math.sqrt(e) * annealed
                        delta[i] = max(smallest, min(largest, delta[i] * minus + noise))
                    else:
                        delta[i] = max(delta[i] * minus, smallest)
                    s = 0.0
                w[i] = w[i] * (1 - now * decay) - (0 if s == 0 else math.copysign(delta[i], s))
                before[i] = s
            after.append(list(w))
        return after

    return run


def compare_with_fann():
    """Quickprop's steps at a fixed rate by the gradients of this file, in FANN's own code."""
    source = r"""
#include <string.h>
#include <doublefann.h>
#include <fann_internal.h>
static struct fann *ann;
static double slopes[5], deltas[5], before[5];
void begin(double lr) {
    ann = fann_create_standard(2, 4, 1);
    ann->train_slopes = slopes; ann->prev_steps = deltas; ann->prev_train_slopes = before; ann->learning_rate = lr;
    memset(deltas, 0, sizeof deltas); memset(before, 0, sizeof before);
}
void step(double *w, const double *g) {
    ann->weights = w;
    for (int i = 0; i < 5; i++) slopes[i] = -g[i];
    fann_update_weights_quickprop(ann, 1, 0, 5);
}
"""
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "q.c"), Path(folder, "q.so")
        code.write_text(source)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, code, "-ldoublefann"], check=True)
        fann, five = ctypes.CDLL(str(library)), ctypes.c_double * 5
        fann.begin.argtypes = [ctypes.c_double]
        global rate
        falling, rate = rate, lambda lr, t: lr
        expected = quickprop()(0.05, 0.0)
        fann.begin(0.05)
        w = five(*START)
        for t in range(20):
            fann.step(w, five(*gradient(list(w), t)))
            assert np.allclose(list(w), expected[t], rtol=1e-5), (t, list(w), expected[t])
        rate = falling
    print("Quickprop is FANN's")


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
    ("Adam::new().cautious()", 0.1, cautious(steps_of(o.Adam))),
    ("Adam::new().cautious_decay()", 0.1, cautious(steps_of(o.Adam), updates=False, decays=True)),
    ("Adam::new().beta2(0.5).amsgrad().cautious().cautious_decay()", 0.1, cautious(steps_of(o.Adam, betas=(0.9, 0.5), amsgrad=True), decays=True)),
    ("Adamax::new()", 0.1, option(o.Adamax)),
    ("Adamax::new().cautious()", 0.1, cautious(steps_of(o.Adamax))),
    ("Adamax::new().beta1(0.5).beta2(0.75).eps(1e-2)", 0.1, option(o.Adamax, betas=(0.5, 0.75), eps=1e-2)),
    ("NAdam::new()", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True)),
    ("NAdam::new().beta1(0.8).beta2(0.9).eps(1e-2).momentum_decay(0.5)", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2, momentum_decay=0.5)),
    ("NAdam::new().momentum_decay(0.0)", 0.1, option(o.NAdam, own_decay=True, decoupled_weight_decay=True, momentum_decay=0)),
    ("NAdam::new().cautious()", 0.1, cautious(steps_of(o.NAdam))),
    ("RAdam::new().cautious()", 0.1, cautious(steps_of(o.RAdam))),
    ("RAdam::new()", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True)),
    ("RAdam::new().beta1(0.8).beta2(0.9).eps(1e-2)", 0.1, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.8, 0.9), eps=1e-2)),
    ("RAdam::new().beta2(0.6)", 0.05, option(o.RAdam, own_decay=True, decoupled_weight_decay=True, betas=(0.9, 0.6))),
    ("Adan::new()", 0.1, adan(0.98, 0.92, 0.99)),
    ("Adan::new().beta1(0.5).beta2(0.75).beta3(0.9).eps(1e-2)", 0.1, adan(0.5, 0.75, 0.9, 1e-2)),
    ("Adan::new().cautious()", 0.1, cautious(adan_steps(0.98, 0.92, 0.99))),
    ("Asgd::new()", 0.02, asgd()),
    ("Asgd::new().lambd(0.05).alpha(0.5).t0(4.0)", 0.02, asgd(lambd=0.05, alpha=0.5, t0=4)),
    ("ScheduleFreeSgd::new()", 0.1, schedule_free(schedulefree.SGDScheduleFree)),
    ("ScheduleFreeSgd::new().momentum(0.5).r(2.0)", 0.05, schedule_free(schedulefree.SGDScheduleFree, momentum=0.5, r=2.0)),
    ("ScheduleFreeAdam::new()", 0.1, schedule_free(schedulefree.AdamWScheduleFree)),
    (
        "ScheduleFreeAdam::new().beta1(0.5).beta2(0.75).eps(1e-2).r(1.5)",
        0.1,
        schedule_free(schedulefree.AdamWScheduleFree, betas=(0.5, 0.75), eps=1e-2, r=1.5),
    ),
    ("Muon::new()", 0.1, muon()),
    ("Muon::new().momentum(0.8).plain().jordan()", 0.1, muon(0.8, nesterov=False, matched=False)),
    ("Muon::new().momentum(0.5).beta1(0.5).beta2(0.75).eps(1e-2)", 0.1, muon(0.5, betas=(0.5, 0.75), eps=1e-2)),
    ("Quickprop::new()", 0.05, quickprop()),
    ("Quickprop::new().mu(1.25).decay(0.0)", 0.02, quickprop(1.25, 0.0)),
    ("Sarprop::new()", 0.1, sarprop()),
    ("Sarprop::new().temperature(0.1).decay(0.0).noise(1.0).seed(7)", 0.1, sarprop(0.1, 0.0, 0.1, 1.0, 7)),
    ("Lion::new().cautious()", 0.05, cautious(lion_steps(0.9, 0.99))),
    ("Lion::new().cautious_decay()", 0.05, cautious(lion_steps(0.9, 0.99), updates=False, decays=True)),
    ("Rprop::new().backtracking()", 0.1, irprop_plus()),
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
            lines.append("\t".join([name, repr(lr), repr(decay), " ".join(repr(x) for step in STEPS + list(range(21, len(after) + 1)) for x in after[step - 1])]))
    Path(__file__).with_name("optimizers.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


if sys.argv[1:] == ["fann"]:
    compare_with_fann()
main()
