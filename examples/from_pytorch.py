"""The Python half of the example from_pytorch: trains a network for a short while and writes its state dict.

    pip install torch==2.15.0 safetensors==0.8.0 && python3 examples/from_pytorch.py

It prints what the network makes of the first test digits; the other half has the numbers.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

DATA = Path(__file__).parent / "data"


def main():
    torch.manual_seed(1)
    lines = (DATA / "digits.csv").read_text().split()
    table = torch.tensor([[float(v) for v in line.split(",")] for line in lines])
    x, digits = table[:, :-1] / 16, table[:, -1].long()
    train, test = slice(0, 1200), slice(1200, None)

    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
    for _ in range(5):
        for batch in torch.randperm(1200).split(32):
            optimizer.zero_grad()
            loss(net(x[train][batch]), digits[train][batch]).backward()
            optimizer.step()

    save_file(net.state_dict(), DATA / "from_pytorch.safetensors")
    net.eval()
    with torch.no_grad():
        y = net(x[test])
    for row in y[:3]:
        print(", ".join(f"{v:.6f}" for v in row.tolist()))
    print(f"accuracy {(y.argmax(dim=1) == digits[test]).double().mean():.4f}")


main()
