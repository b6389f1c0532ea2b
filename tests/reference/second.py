"""Writes second.tsv: the second derivative of every activation that bends, rounded once to f64 and to f32.

    pip install mpmath==1.3.0 && python3 second.py

A line is: activation, type, z, second derivative, at the z of activations.tsv and where second derivatives change sign. The
formulas are the textbooks', by the product and the chain rule from σ, tanh and Φ, with so many digits (800) that nothing
that a f64 can hold cancels. At a kink of φ or φ′ the value is the one that the documentation of `Activation` promises.
"""

import math
from pathlib import Path

from mpmath import mp, mpf

from activations import ALPHA, SCALE, TYPES, points, rounded, shortest, to_type

mp.dps = 800
FEW = 1e5  # Beyond it everything here is 0 but for softsign.


def sigma(z):
    s = 1 / (1 + mp.exp(-z))
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def tanh(u):
    t = mp.tanh(u)
    return t, 1 - t * t, -2 * t * (1 - t * t)


def times_z(z, f):
    """(z·f)″ = 2f′ + z·f″."""
    return 2 * f[1] + z * f[2]


def chain(f, du, ddu):
    """f(u(z)) and two derivatives, from those of f at u and those of u."""
    return f[0], f[1] * du, f[2] * du * du + f[1] * ddu


def gelu(z):
    density = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
    return times_z(z, (None, density, -z * density))


def gelu_tanh(z):
    k, c = mp.sqrt(2 / mp.pi), mpf(0.044715)
    return times_z(z, chain(tanh(k * (z + c * z**3)), k * (1 + 3 * c * z * z), 6 * k * c * z)) / 2


def mish(z):
    s = sigma(z)
    return times_z(z, chain(tanh(mp.log1p(mp.exp(z)) if z < 0 else z + mp.log1p(mp.exp(-z))), s[0], s[1]))


def elu(alpha):
    return lambda z: 0 if z > 0 else alpha * mp.exp(z)


def celu(alpha):
    return lambda z: 0 if z > 0 else mp.exp(z / alpha) / alpha


ACTIVATIONS = {
    "sigmoid": lambda z: sigma(z)[2],
    "tanh": lambda z: tanh(z)[2],
    "elu(alpha=1)": elu(1),
    "elu(alpha=0.75)": elu(mpf(0.75)),
    "celu(alpha=2)": celu(2),
    "celu(alpha=0.75)": celu(mpf(0.75)),
    "selu": elu(SCALE * ALPHA),
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": lambda z: times_z(z, sigma(z)),
    "mish": mish,
    "softplus": lambda z: sigma(z)[1],
    "softsign": lambda z: (-2 if z >= 0 else 2) / (1 + abs(z)) ** 3,
    "hard_swish": lambda z: mpf(1) / 3 if -3 < z < 3 else 0,
}

# Of gelu, silu, gelu_tanh and mish, both signs.
ZEROS = [math.sqrt(2.0), 2.399357280520, 1.4116, 2.2564, 1.4907]


def main():
    lines = ["activation\ttype\tz\tsecond"]
    for kind, (digits, smallest, largest) in TYPES.items():
        zs = dict.fromkeys(to_type(z, kind) for z in points() + [sign * z for z in ZEROS for sign in (1, -1)])
        for name, f in ACTIVATIONS.items():
            for z in zs:
                second = 0 if math.isinf(z) or (abs(z) > FEW and name != "softsign") else f(mpf(z))
                second = rounded(second, digits, smallest, largest)
                lines.append("\t".join([name, kind, *(shortest(float(v), kind) for v in (z, second))]))
    Path(__file__).with_name("second.tsv").write_text("\n".join(lines) + "\n")


main()
