"""Writes reductions.tsv: cross-entropy of class numbers as PyTorch averages it, with class weights and ignored labels.

    pip install torch==2.15.0 && python3 reductions.py

A line is: reduction, label to ignore, weights of the classes, scores sample after sample, labels, cost (of `none` one per
sample), gradient of the cost (of `none` of their sum). Numbers within a field are separated by spaces.
"""

import random
from pathlib import Path

import torch
import torch.nn.functional as F

IGNORE = 255
WEIGHTS = [0.5, 2.0, 1.25]


def main():
    rng = random.Random(3)
    lines = ["reduction\tignore\tweights\ty\tlabels\tcost\tgradient"]
    for reduction in ("mean", "sum", "none"):
        for weights in ([1.0, 1.0, 1.0], WEIGHTS):
            for labels in ([2], [0, 1, 2, 2], [1, IGNORE, 0, IGNORE, 2], [1, 1, IGNORE]):
                y = [round(rng.gauss(0, 2), 4) for _ in range(3 * len(labels))]
                ty = torch.tensor(y, dtype=torch.float64, requires_grad=True)
                cost = F.cross_entropy(
                    ty.reshape(-1, 3),
                    torch.tensor(labels),
                    weight=torch.tensor(weights, dtype=torch.float64),
                    ignore_index=IGNORE,
                    reduction=reduction,
                )
                cost.sum().backward()
                numbers = (weights, y, labels, cost.flatten().tolist(), ty.grad.tolist())
                lines.append("\t".join([reduction, str(IGNORE), *(" ".join(map(repr, n)) for n in numbers)]))
    Path(__file__).with_name("reductions.tsv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1} lines")


main()
