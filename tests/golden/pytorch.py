"""Writes pytorch/*.safetensors, state dicts as PyTorch has them, and pytorch/*.tsv, what the modules make of some inputs.

    pip install torch==2.15.0 safetensors==0.8.0 && python3 pytorch.py

A line of a table is a sample: its inputs, and after a tab the outputs in inference, computed in float64 from the numbers that the file
holds.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FOLDER = Path(__file__).parent / "pytorch"


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))


def activations():
    modules = [nn.Linear(2, 3)]
    for activation in [
        nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.LeakyReLU(0.2), nn.ReLU6(), nn.ELU(0.7), nn.SELU(), nn.GELU(), nn.GELU(approximate="tanh"),
        nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softsign(), nn.Hardsigmoid(), nn.Hardtanh(), nn.Hardswish(),
    ]:  # fmt: skip
        modules += [activation, nn.Linear(3, 3)]
    return nn.Sequential(*modules)


def norms():
    net = nn.Sequential(
        nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.SiLU(), nn.LayerNorm(6), nn.AlphaDropout(0.1), nn.RMSNorm(6, eps=1e-6), nn.Linear(6, 3),
        nn.Softmax(dim=1),
    )  # fmt: skip
    net.train()
    for _ in range(5):
        net(torch.randn(16, 4))
    for module in net:  # scales and biases that are not 1 and 0
        if isinstance(module, (nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm)):
            for parameter in module.parameters():
                parameter.data += 0.3 * torch.randn(parameter.shape)
    return net


class Residual(nn.Module):
    def __init__(self, body, projection=None):
        super().__init__()
        self.body = body
        self.projection = projection or nn.Identity()

    def forward(self, x):
        return self.projection(x) + self.body(x)


class Parallel(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        for index, branch in enumerate(branches):
            self.add_module(f"branch{index}", branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], dim=1)


def nested():
    body = nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 8), nn.GELU(), nn.Dropout(0.2), nn.Linear(8, 5))
    inner = Residual(nn.Sequential(nn.Linear(5, 3), nn.Tanh()), nn.Linear(5, 3, bias=False))
    branches = Parallel(nn.Linear(5, 2), nn.Identity(), nn.Sequential(inner, nn.BatchNorm1d(3)))
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), Residual(body), branches, nn.Sequential(nn.Linear(10, 4), nn.ReLU()), nn.Linear(4, 2))
    for _ in range(5):
        net(torch.randn(16, 4))
    return net


def write(name, net, dtype):
    save_file({key: value.to(dtype) if value.is_floating_point() else value for key, value in net.state_dict().items()}, FOLDER / f"{name}.safetensors")
    net = net.double().eval()
    net.load_state_dict(load_file(FOLDER / f"{name}.safetensors"))
    x = torch.randn(5, net[0].in_features, dtype=torch.float64).mul(100).round().div(100)
    with torch.no_grad():
        y = net(x)
    lines = ["\t".join(" ".join(repr(v) for v in row.tolist()) for row in pair) for pair in zip(x, y)]
    (FOLDER / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def main():
    torch.manual_seed(1)
    write("mlp_f32", mlp(), torch.float32)
    write("mlp_f64", mlp().double(), torch.float64)
    write("mlp_f16", mlp(), torch.float16)
    write("mlp_bf16", mlp(), torch.bfloat16)
    write("activations_f64", activations().double(), torch.float64)
    write("norms_f32", norms(), torch.float32)
    write("nested_f32", nested(), torch.float32)


main()
