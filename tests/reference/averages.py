"""Writes averages.tsv: networks that are averages of what a rule's steps change, as PyTorch computes them in double precision.

    pip install torch==2.15.0 numpy==2.4.6 && python3 averages.py

The network is 2-4-1 with batch norm and a tanh between, its cost the mean squared error of twelve samples in batches of four, six epochs in their order. A line is: rule,
average, then the parameters of the average in the order of the crate (weights column after column; scale, bias, running mean, running variance; weights, bias). The
first layer has no bias: its gradient would be 0 but for rounding, of which Adam makes whole steps. The
average is `torch.optim.swa_utils.AveragedModel`; the running statistics are those of its `update_bn` on the same batches.
"""

import math
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

torch.set_default_dtype(torch.float64)
SAMPLES, BATCH, EPOCHS = 12, 4, 6
X = torch.tensor([[math.sin(0.37 * (i + 3) * (j + 1)) for i in range(2)] for j in range(SAMPLES)])
T = X.prod(1, keepdim=True)
BATCHES = [(X[i : i + BATCH], T[i : i + BATCH]) for i in range(0, SAMPLES, BATCH)]


def network():
    net = torch.nn.Sequential(torch.nn.Linear(2, 4, bias=False), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    count = 0
    for layer in (net[0], net[3]):
        for p in layer.parameters():
            # Column after column, as the crate has them.
            numbers = [math.sin(1.7 * (count + k + 1)) for k in range(p.numel())]
            count += p.numel()
            p.data = torch.tensor(numbers).reshape(p.t().shape if p.dim() == 2 else p.shape)
            p.data = p.data.t().contiguous() if p.dim() == 2 else p.data
    return net


def flat(net):
    bn = net[1]
    parts = [net[0].weight.t(), bn.weight, bn.bias, bn.running_mean, bn.running_var, net[3].weight.t(), net[3].bias]
    return [number for part in parts for number in part.flatten().tolist()]


def corrected(decay):
    def average(mean, now, before):
        return mean + (now - mean) * (1 - decay) / (1 - decay ** (before.item() + 1))

    return average


RULES = {
    "Sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "Momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
}
EVERY = lambda step, epoch, last: True
AVERAGES = {
    "uncorrected": (dict(multi_avg_fn=get_ema_multi_avg_fn(0.9)), EVERY),
    "corrected": (dict(avg_fn=corrected(0.9)), EVERY),
    "swa from step 5 every 3": ({}, lambda step, epoch, last: step >= 5 and (step - 5) % 3 == 0),
    "swa from epoch 2 every 2": ({}, lambda step, epoch, last: last and epoch >= 2 and epoch % 2 == 0),
}

lines = []
for rule, make in RULES.items():
    for name, (options, due) in AVERAGES.items():
        net = network()
        optimizer, average = make(net.parameters()), AveragedModel(net, **options)
        step = 0
        for epoch in range(1, EPOCHS + 1):
            for k, (x, t) in enumerate(BATCHES):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(net(x), t).backward()
                optimizer.step()
                step += 1
                if due(step, epoch, k + 1 == len(BATCHES)):
                    average.update_parameters(net)
        update_bn(BATCHES, average)
        lines.append("\t".join([rule, name] + [repr(number) for number in flat(average.module)]))
Path(__file__).with_suffix(".tsv").write_text("\n".join(lines) + "\n")
