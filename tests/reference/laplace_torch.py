"""Writes laplace_torch.tsv: what laplace-torch makes of trained networks, in double precision.

    pip install laplace-torch==0.3 torch==2.15.0 numpy==2.4.6 scipy==1.17.0 && python3 laplace_torch.py

A line of a case is: its name, what the numbers are, and the numbers. `shape` has inputs, hidden neurons of tanh and outputs;
`params` all parameters in the order of the crate (weights column after column, then biases); `x` and `t` the samples one
after the other, `points` those that are predicted. Then for each choice of the parameters (`all`, `last`) and of the curvature
(`full`, `diag`), with the given precision of the prior and noise: the logarithm of the evidence, means, covariances of the
outputs point after point, and class probabilities by the probit approximation. `best` has the precisions and the noise of
greatest evidence, found by SciPy's minimizer, and that evidence.

A single logit is laplace-torch's case of two classes with the logits 0 and y.
"""

from pathlib import Path

import numpy as np
import torch
from laplace import Laplace
from scipy.optimize import minimize
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)


class Zero(torch.nn.Module):
    """0 and y."""

    def forward(self, y):
        return torch.cat([torch.zeros_like(y), y], dim=-1)


def samples(kind, n, rng):
    if kind == "sine":
        x = np.concatenate([rng.uniform(-4, -1, n // 2), rng.uniform(1, 4, n - n // 2)])[:, None]
        return x, np.sin(x) + 0.2 * rng.normal(size=x.shape)
    if kind == "two":
        x = rng.uniform(-2, 2, (n, 2))
        t = np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 0] * x[:, 1]], axis=1)
        return x, t + 0.1 * rng.normal(size=t.shape)
    if kind == "moons":
        angle, label = rng.uniform(0, np.pi, n), np.arange(n) % 2
        x = np.where(label, 1 - np.cos(angle), np.cos(angle))
        y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
        return np.stack([x, y], axis=1) + 0.2 * rng.normal(size=(n, 2)), label
    x = rng.uniform(-2, 2, (n, 2))
    return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int) + (x[:, 1] > 1.0)


def crate_order(net):
    parts = []
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            parts += [layer.weight.T.flatten(), layer.bias]
    return torch.cat(parts).tolist()


CASES = [
    # name, data, samples, hidden, outputs, likelihood, prior, noise
    ("sine", "sine", 40, 16, 1, "regression", 0.7, 0.25),
    ("two", "two", 30, 5, 2, "regression", 0.2, 0.15),
    ("moons", "moons", 60, 16, 2, "classification", 0.5, 1.0),
    ("logit", "moons", 50, 6, 1, "classification", 1.3, 1.0),
    ("three", "three", 45, 4, 3, "classification", 0.8, 1.0),
]
rng = np.random.default_rng(1)
lines = []
for name, kind, n, hidden, outputs, likelihood, prior, noise in CASES:
    torch.manual_seed(1)
    x, t = samples(kind, n, rng)
    inputs = x.shape[1]
    x, target = torch.tensor(x), torch.tensor(t)
    net = torch.nn.Sequential(torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, outputs))
    model = torch.nn.Sequential(*net, Zero()) if name == "logit" else net
    loss = torch.nn.MSELoss(reduction="sum") if likelihood == "regression" else torch.nn.CrossEntropyLoss(reduction="sum")
    scale = 0.5 / noise**2 if likelihood == "regression" else 1.0
    search = torch.optim.LBFGS(net.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def cost():
        search.zero_grad()
        penalty = sum((p**2).sum() for p in net.parameters())
        value = scale * loss(model(x), target) + 0.5 * prior * penalty
        value.backward()
        return value

    search.step(cost)
    points = torch.tensor(rng.uniform(-5, 5, (8, inputs)))

    def line(what, numbers):
        flat = np.asarray(numbers, dtype=float).reshape(-1)
        lines.append(f"{name}\t{what}\t" + " ".join(repr(float(v)) for v in flat))

    line("shape", [inputs, hidden, outputs, n])
    line("given", [prior, noise])
    line("params", crate_order(net))
    line("x", x.numpy())
    line("t", target.numpy())
    line("points", points.numpy())
    loader = DataLoader(TensorDataset(x, target), batch_size=n)
    # The last layer of a model must be linear: the case of one logit has none.
    for subset in ["all", "last"] if name != "logit" else ["all"]:
        for structure in ["full", "diag"]:
            settings = {"prior_precision": prior}
            if likelihood == "regression":
                settings["sigma_noise"] = noise
            weights = "all" if subset == "all" else "last_layer"
            la = Laplace(model, likelihood, subset_of_weights=weights, hessian_structure=structure, **settings)
            la.fit(loader)
            key = f"{subset} {structure}"
            line(f"{key} evidence", la.log_marginal_likelihood().item())
            mean, covariance = la._glm_predictive_distribution(points)
            mean, covariance = mean.detach().numpy(), covariance.detach().numpy()
            if name == "logit":
                mean, covariance = mean[:, 1:], covariance[:, 1:, 1:]
            line(f"{key} mean", mean)
            line(f"{key} covariance", covariance)
            if likelihood == "classification":
                probit = la(points, pred_type="glm", link_approx="probit").detach().numpy()
                line(f"{key} probabilities", probit[:, 1:] if name == "logit" else probit)

            def evidence(logs):
                precision = torch.tensor(np.exp(logs[0]))
                if likelihood == "regression":
                    return -la.log_marginal_likelihood(precision, torch.tensor(np.exp(logs[1]))).item()
                return -la.log_marginal_likelihood(precision).item()

            start = [0.0, np.log(noise)] if likelihood == "regression" else [0.0]
            options = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 10000}
            best = minimize(evidence, start, method="Nelder-Mead", options=options)
            line(f"{key} best", [*np.exp(best.x), -best.fun])
Path(__file__).with_suffix(".tsv").write_text("\n".join(lines) + "\n")
