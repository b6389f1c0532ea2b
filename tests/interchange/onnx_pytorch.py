"""Networks of PyTorch as both of its exporters write them: NAME.onnx, and NAME.npz with inputs x and outputs y, into a folder.

    python onnx_pytorch.py FOLDER

What it wrote with PyTorch 2.15, onnx 1.23.2 and onnxscript 0.7.2 is in tests/golden/onnx. The traces of the program that PyTorch puts
into its files, which nothing reads, are taken out.
"""

import pathlib
import sys

import numpy as np
import onnx
import torch
from torch import nn

folder = pathlib.Path(sys.argv[1])
torch.manual_seed(1)


def mlp():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Identity(), nn.Linear(5, 3), nn.Softmax(-1))


def chain(activations):
    layers = []
    for activation in activations:
        layers += [nn.Linear(4, 4), activation]
    return nn.Sequential(*layers)


def smooth():
    return chain([nn.GELU(), nn.SiLU(), nn.Mish(), nn.GELU("tanh"), nn.Softplus(), nn.Softsign(), nn.Sigmoid()])


def kinked():
    hard = [nn.Hardsigmoid(), nn.Hardswish(), nn.Hardtanh(), nn.Hardtanh(-2, 3), nn.ReLU6(), nn.ELU(0.5), nn.SELU(), nn.LeakyReLU(0.2), nn.PReLU(init=0.55)]
    return chain(hard)


def norms(rms):
    # Of a batch norm right after a linear layer the exporters make one layer.
    layers = [nn.BatchNorm1d(4), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.BatchNorm1d(5, eps=1e-3, momentum=0.2), nn.LayerNorm(5), nn.Linear(5, 4)]
    layers += [nn.Tanh(), nn.BatchNorm1d(4, affine=False), nn.LayerNorm(4, elementwise_affine=False)]
    net = nn.Sequential(*layers, *([nn.RMSNorm(4), nn.RMSNorm(4, eps=1e-4)] if rms else []))
    net.train()
    for _ in range(5):
        net(torch.randn(16, 4))
    return net


def images():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))


class Rows(nn.Module):
    """Of x.view(x.size(0), -1), a product with a computed weight, and a last squeeze."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.randn(12))
        self.register_buffer("variance", torch.rand(12) + 0.5)
        self.first, self.second = nn.Linear(12, 5), nn.Linear(5, 1)

    def forward(self, x):
        x = (x.view(x.size(0), -1) - self.mean) / torch.sqrt(self.variance + 1e-5)
        return self.second(torch.relu(self.first(x))).squeeze(-1)


class Left(nn.Module):
    """One sample without an axis of samples, weights on the left."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(2, 5))

    def forward(self, x):
        return self.second @ torch.tanh(self.first @ x)


class Block(nn.Module):
    """x + two linear layers with batch norms, and a projection where widths differ."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.2), nn.Linear(outputs, outputs), nn.BatchNorm1d(outputs))
        self.projection = nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs)

    def forward(self, x):
        return torch.relu(self.projection(x) + self.body(x))


def trained(net):
    """With running statistics that are none to begin with."""
    net.train()
    for _ in range(5):
        net(torch.randn(16, 4))
    return net


def residual():
    return trained(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), Block(6, 6), Block(6, 6), Block(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)))


class Branches(nn.Module):
    """Branches that are stacked, within one another, of shares of the features."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.inner = nn.Linear(2, 3), nn.Linear(2, 4), nn.Linear(4, 4)
        self.last = nn.Linear(13, 2)

    def forward(self, x):
        left, right = x.split([2, 2], dim=1)
        right = torch.tanh(self.right(right))
        right = torch.cat([right, torch.sigmoid(self.inner(right)) + right], dim=1)
        return self.last(torch.cat([torch.relu(self.left(left)), right, x[:, [3, 0]]], dim=1))


class Towers(nn.Module):
    """Two columns of indices, in a table each, and one of both; and numbers."""

    def __init__(self):
        super().__init__()
        self.color, self.size, self.word = nn.Embedding(5, 3), nn.Embedding(3, 2), nn.Embedding(5, 2)
        self.numbers, self.last = nn.Linear(2, 4), nn.Linear(13, 1)

    def forward(self, x):
        index = x[:, :2].long()
        words = self.word(index).flatten(1)
        parts = [self.color(index[:, 0]), self.size(index[:, 1]), words, torch.relu(self.numbers(x[:, 2:])), x[:, 2:3]]
        return self.last(torch.cat(parts, dim=-1)[:, :13])


class Words(nn.Module):
    """Integers in, a table, and a sum of both words."""

    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(7, 3), nn.Linear(6, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.table(x).view(x.size(0), -1)))


def rare(dynamo):
    # The older exporter knows no other threshold than 0.
    rare = [nn.PReLU(4), nn.CELU(0.5), nn.Threshold(0.5 if dynamo else 0.0, 0.0), nn.Softplus(beta=2), nn.Hardtanh(2.0, 2.0 + 1e-3)]
    return chain(rare)


def export(name, net, x, dynamo, samples=True, **options):
    """Of samples of any number, or for one without an axis."""
    net = (net.to(x.dtype) if x.is_floating_point() else net).eval()
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 1 and len(p) > 1:
                p.add_(0.3 * torch.randn_like(p))
        y = net(x) if samples else torch.stack([net(row) for row in x])
    if dynamo:
        options |= dict(dynamic_shapes=[{0: torch.export.Dim("batch")}] if samples else None, external_data=False)
    else:
        options |= dict(input_names=["x"], dynamic_axes={"x": {0: "batch"}} if samples else None)
    path = folder / f"{name}.onnx"
    torch.onnx.export(net, (x if samples else x[0],), path, dynamo=dynamo, verbose=False, **options)
    file = onnx.load(path)
    for part in [*file.graph.node, *file.graph.input, *file.graph.output, *file.graph.value_info, file.graph]:
        part.ClearField("metadata_props")
    onnx.save(file, path)
    np.savez(folder / f"{name}.npz", x=x.reshape(len(x), -1).to(y.dtype).numpy(), y=y.reshape(len(x), -1).numpy())


x = 2 * torch.randn(12, 4)
for dynamo in [True, False]:
    which = "dynamo" if dynamo else "script"
    export(f"torch_{which}_mlp", mlp(), x, dynamo)
    export(f"torch_{which}_smooth", smooth(), x, dynamo)
    export(f"torch_{which}_kinked", kinked(), x, dynamo)
    export(f"torch_{which}_norms", norms(rms=dynamo), x, dynamo)
    export(f"torch_{which}_images", images(), torch.randn(6, 1, 3, 4), dynamo)
    export(f"torch_{which}_rows", Rows(), torch.randn(6, 1, 3, 4), dynamo)
    export(f"torch_{which}_left", Left(), x, dynamo, samples=False)
    export(f"torch_{which}_rare", rare(dynamo), x, dynamo)
# Before there were operators for them: GELU by erf and tanh, layer norm by means.
export("torch_script_opset13_smooth", smooth(), x, False, opset_version=13)
export("torch_script_opset13_kinked", kinked(), x, False, opset_version=13)
export("torch_script_opset13_norms", norms(rms=False), x, False, opset_version=13)
export("torch_script_opset9_mlp", mlp(), x, False, opset_version=9)
export("torch_script_f64_mlp", mlp(), x.double(), False)
export("torch_dynamo_f64_smooth", chain([nn.GELU(), nn.SiLU(), nn.Mish(), nn.Sigmoid()]), x.double(), True)
# Networks that are no chains.
indices = torch.tensor([[i % 5, i % 3] for i in range(12)]).float()
for dynamo in [True, False]:
    which = "dynamo" if dynamo else "script"
    export(f"torch_{which}_residual", residual(), x, dynamo)
    export(f"torch_{which}_branches", Branches(), x, dynamo)
    export(f"torch_{which}_towers", Towers(), torch.cat([indices, x[:, :2]], dim=1), dynamo)
    export(f"torch_{which}_words", Words(), torch.tensor([[i % 7, 3 * i % 7] for i in range(12)]), dynamo)
