"""Writes activations.tsv, every activation and its derivative, and second.tsv, the second derivative of those that bend.

    pip install mpmath==1.3.0 && python3 activations.py

A line of the first is: activation, type, z, value, derivative; of the second: activation, type, z, second derivative. z is
a number of that type, and so are the results: the formulas of the definitions, evaluated at exactly that z, correctly
rounded (gradually into the subnormal numbers). At a kink, where there is no derivative, the value is the one that the
documentation of `Activation` promises. NaN is in neither table: it gives NaN everywhere.

Values and derivatives are computed to 60 digits, by formulas that do not cancel. Second derivatives are the textbooks', by
the product and the chain rule from σ, tanh and Φ, to so many digits (800) that nothing that a f64 can hold cancels.
"""

import math
import random
import struct
from fractions import Fraction
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 60
INF = math.inf


def rounded(x, digits, smallest, largest):
    """x to the nearest number with `digits` bits, ties to even, exactly."""
    x = mpf(x)
    if mp.isinf(x):
        return INF if x > 0 else -INF
    if x == 0:
        return 0.0
    exponent = mp.mag(x) - 1  # 2^exponent <= |x| < 2^(exponent+1), or one more
    if exponent < smallest - 2:
        return 0.0
    if exponent > largest + 1:
        return INF if x > 0 else -INF
    sign, man, exp, _ = x._mpf_
    exact = Fraction(int(man)) * Fraction(2) ** int(exp)
    while Fraction(2) ** exponent > exact:
        exponent -= 1
    quantum = Fraction(2) ** max(exponent - digits + 1, smallest)
    result = round(exact / quantum) * quantum
    result = INF if result >= Fraction(2) ** (largest + 1) else float(result)
    return -result if sign else result


TYPES = {"f64": (53, -1074, 1023), "f32": (24, -149, 127)}


def to_type(x, name):
    if name == "f64":
        return float(x)
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(INF, x)


def shortest(x, name):
    """The shortest decimal that reads back as x."""
    if name == "f64":
        return repr(x)
    return next(s for s in (f"{x:.{p}g}" for p in range(1, 10)) if to_type(float(s), name) == x)


def sigma(z):
    return 1 / (1 + mp.exp(-z)) if z >= 0 else mp.exp(z) / (1 + mp.exp(z))


def sech2(u):
    e = mp.exp(-2 * abs(u))
    return 4 * e / (1 + e) ** 2


def ramp(low, high, bottom, top, slope):
    def both(z):
        if z <= low:
            return bottom, 0
        if z >= high:
            return top, 0
        return bottom + (z - low) * slope, slope

    return both


def rectifier(below, slope_below):
    """z above 0, `below(z)` from 0 down."""
    return lambda z: (z, 1) if z > 0 else (below(z), slope_below(z))


# Klambauer et al. (2017), equations 14: the fixed point of mean 0 and variance 1.
def selu_constants():
    e, root = mp.e, mp.sqrt
    tail, tail2 = mp.erfc(1 / root(2)), mp.erfc(root(2))
    alpha = -root(2 / mp.pi) / (tail * mp.exp(mpf(1) / 2) - 1)
    scale = (1 - tail * root(e)) * root(2 * mp.pi) / root(
        2 * tail2 * e**2 + mp.pi * tail**2 * e - 2 * (2 + mp.pi) * tail * root(e) + mp.pi + 2
    )
    return scale, alpha


SCALE, ALPHA = selu_constants()


def erfc(x):
    # mpmath's gives up on arguments like 1e100. Beyond 1000 the first term of the asymptotic series is within 1e-6, and
    # its result, below e^-1000000, rounds to 0 all the same.
    if abs(x) < 1000:
        return mp.erfc(x)
    tail = mp.exp(-x * x) / (abs(x) * mp.sqrt(mp.pi))
    return tail if x > 0 else 2 - tail


def gelu(z):
    phi = erfc(-z / mp.sqrt(2)) / 2
    return z * phi, phi + z * mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def gelu_tanh(z):
    k = mp.sqrt(2 / mp.pi)
    c = mpf(0.044715)  # the double: the constant is part of the definition, not of the arithmetic
    u, du = k * (z + c * z**3), k * (1 + 3 * c * z * z)
    s = sigma(2 * u)  # (1 + tanh u) / 2
    return z * s, s + z * sech2(u) * du / 2


def silu(z):
    s = sigma(z)
    return z * s, s + z * sech2(z / 2) / 4


def mish(z):
    # tanh(ln(1+w)) = ((1+w)^2 - 1) / ((1+w)^2 + 1) for w = e^z, in powers of e^-|z|.
    e = mp.exp(-abs(z))
    if z >= 0:
        w = (1 + 2 * e) / (1 + 2 * e + 2 * e * e)
        one_minus = 2 * e * e / (1 + 2 * e + 2 * e * e)
    else:
        w = (e * e + 2 * e) / (e * e + 2 * e + 2)
        one_minus = 2 / (e * e + 2 * e + 2)
    return z * w, w + z * one_minus * (1 + w) * sigma(z)


def softplus(z):
    return (mp.log1p(mp.exp(z)) if z < 0 else z + mp.log1p(mp.exp(-z))), sigma(z)


def hard_swish(z):
    if z <= -3:
        return 0, 0
    if z >= 3:
        return z, 1
    return z * (z + 3) / 6, (2 * z + 3) / 6


def breakpoints(points, left, right):
    def both(z):
        if z < points[0][0]:
            (x, y), slope = points[0], mpf(left)
        elif z >= points[-1][0]:
            (x, y), slope = points[-1], mpf(right)
        else:
            i = max(i for i, (x, _) in enumerate(points) if x <= z)
            (x, y), (x2, y2) = points[i], points[i + 1]
            with mp.workdps(700):
                slope = mpf(y2 - y) / (x2 - x)
        # Exact also where y + slope·(z − x) cancels.
        with mp.workdps(700):
            return y + slope * (z - x), slope

    return both


def elu(alpha):
    return rectifier(lambda z: alpha * mp.expm1(z), lambda z: alpha * mp.exp(z))


def celu(alpha):
    return rectifier(lambda z: alpha * mp.expm1(z / alpha), lambda z: mp.exp(z / alpha))


def threshold(theta, value):
    return lambda z: (z, 1) if z > theta else (value, 0)


def sparse_plus(z):
    if abs(z) < 1:
        return (z + 1) ** 2 / 4, (z + 1) / 2
    return (z, 1) if z > 0 else (0, 0)


def log_sigmoid(z):
    return -mp.log1p(mp.exp(-z)) if z >= 0 else z - mp.log1p(mp.exp(z)), sigma(-z)


def hard_shrink(a):
    return lambda z: (z, 1) if abs(z) > a else (0, 0)


def soft_shrink(a):
    return lambda z: (z - mp.sign(z) * a, 1) if abs(z) > a else (0, 0)


def tanh_shrink(z):
    if abs(z) > 1:
        return z - mp.tanh(z), mp.tanh(z) ** 2
    # (z·cosh z − sinh z)/cosh z, whose series above has positive coefficients.
    above = mp.fsum(z ** (2 * k + 1) * 2 * k / mp.factorial(2 * k + 1) for k in range(1, 40))
    return above / mp.cosh(z), mp.tanh(z) ** 2


def sigma_and_slopes(z):
    s = 1 / (1 + mp.exp(-z))
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def tanh_and_slopes(u):
    t = mp.tanh(u)
    return t, 1 - t * t, -2 * t * (1 - t * t)


def times_z(z, f):
    """(z·f)″ = 2f′ + z·f″."""
    return 2 * f[1] + z * f[2]


def chain(f, du, ddu):
    """f(u(z)) and two derivatives, from those of f at u and those of u."""
    return f[0], f[1] * du, f[2] * du * du + f[1] * ddu


def gelu_second(z):
    density = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
    return times_z(z, (None, density, -z * density))


def gelu_tanh_second(z):
    k, c = mp.sqrt(2 / mp.pi), mpf(0.044715)
    u, du, ddu = k * (z + c * z**3), k * (1 + 3 * c * z * z), 6 * k * c * z
    return times_z(z, chain(tanh_and_slopes(u), du, ddu)) / 2


def mish_second(z):
    s = sigma_and_slopes(z)
    return times_z(z, chain(tanh_and_slopes(softplus(z)[0]), s[0], s[1]))


def elu_second(alpha):
    return lambda z: 0 if z > 0 else alpha * mp.exp(z)


def celu_second(alpha):
    return lambda z: 0 if z > 0 else mp.exp(z / alpha) / alpha


# name: (function, (value, derivative) at -inf, (value, derivative) at inf, and for those that bend the second derivative)
ACTIVATIONS = {
    "linear": (lambda z: (z, 1), (-INF, 1), (INF, 1)),
    "step": (lambda z: ((mp.sign(z) + 1) / 2, 0), (0, 0), (1, 0)),
    "sign": (lambda z: (mp.sign(z), 0), (-1, 0), (1, 0)),
    "piecewise_linear": (ramp(-0.5, 0.5, 0, 1, 1), (0, 0), (1, 0)),
    "sigmoid": (lambda z: (sigma(z), sech2(z / 2) / 4), (0, 0), (1, 0), lambda z: sigma_and_slopes(z)[2]),
    "tanh": (lambda z: (mp.tanh(z), sech2(z)), (-1, 0), (1, 0), lambda z: tanh_and_slopes(z)[2]),
    "relu": (rectifier(lambda z: 0, lambda z: 0), (0, 0), (INF, 1)),
    "leaky_relu(slope=0.25)": (rectifier(lambda z: z / 4, lambda z: mpf(0.25)), (-INF, 0.25), (INF, 1)),
    "leaky_relu(slope=-1.5)": (rectifier(lambda z: -z * 1.5, lambda z: mpf(-1.5)), (INF, -1.5), (INF, 1)),
    "threshold(threshold=1, value=0)": (threshold(1, 0), (0, 0), (INF, 1)),
    "threshold(threshold=-0.5, value=0.75)": (threshold(-0.5, 0.75), (0.75, 0), (INF, 1)),
    "relu6": (ramp(0, 6, 0, 6, 1), (0, 0), (6, 0)),
    "squared_relu": (lambda z: (z * z, 2 * z) if z > 0 else (0, 0), (0, 0), (INF, INF), lambda z: 2 if z > 0 else 0),
    "elu(alpha=1)": (elu(1), (-1, 0), (INF, 1), elu_second(1)),
    "elu(alpha=0.75)": (elu(mpf(0.75)), (-0.75, 0), (INF, 1), elu_second(mpf(0.75))),
    "celu(alpha=2)": (celu(2), (-2, 0), (INF, 1), celu_second(2)),
    "celu(alpha=0.75)": (celu(mpf(0.75)), (-0.75, 0), (INF, 1), celu_second(mpf(0.75))),
    "selu": (
        lambda z: (SCALE * z, SCALE) if z > 0 else (SCALE * ALPHA * mp.expm1(z), SCALE * ALPHA * mp.exp(z)),
        (-SCALE * ALPHA, 0),
        (INF, SCALE),
        elu_second(SCALE * ALPHA),
    ),
    "gelu": (gelu, (0, 0), (INF, 1), gelu_second),
    "gelu_tanh": (gelu_tanh, (0, 0), (INF, 1), gelu_tanh_second),
    "silu": (silu, (0, 0), (INF, 1), lambda z: times_z(z, sigma_and_slopes(z))),
    "mish": (mish, (0, 0), (INF, 1), mish_second),
    "softplus": (softplus, (0, 0), (INF, 1), lambda z: sigma_and_slopes(z)[1]),
    "sparse_plus": (sparse_plus, (0, 0), (INF, 1), lambda z: mpf(1) / 2 if -1 < z < 1 else 0),
    "log_sigmoid": (log_sigmoid, (-INF, 1), (0, 0), lambda z: -sigma_and_slopes(z)[1]),
    "exp": (lambda z: (mp.exp(z), mp.exp(z)), (0, 0), (INF, INF), mp.exp),
    "softsign": (
        lambda z: (z / (1 + abs(z)), 1 / (1 + abs(z)) ** 2),
        (-1, 0),
        (1, 0),
        lambda z: (-2 if z >= 0 else 2) / (1 + abs(z)) ** 3,
    ),
    "hard_sigmoid": (ramp(-3, 3, 0, 1, mpf(1) / 6), (0, 0), (1, 0)),
    "hard_tanh": (lambda z: (min(max(-1, z), 1), 1 if -1 < z < 1 else 0), (-1, 0), (1, 0)),
    "hard_swish": (hard_swish, (0, 0), (INF, 1), lambda z: mpf(1) / 3 if -3 < z < 3 else 0),
    "hard_shrink(lambda=0.5)": (hard_shrink(0.5), (-INF, 1), (INF, 1)),
    "hard_shrink(lambda=1.5)": (hard_shrink(1.5), (-INF, 1), (INF, 1)),
    "soft_shrink(lambda=0.5)": (soft_shrink(0.5), (-INF, 1), (INF, 1)),
    "soft_shrink(lambda=0.75)": (soft_shrink(0.75), (-INF, 1), (INF, 1)),
    "tanh_shrink": (tanh_shrink, (-INF, 1), (INF, 1), lambda z: tanh_and_slopes(z)[2] * -1),
    "breakpoints(-1:0.5, 0.25:-2, 3:4)": (breakpoints([(-1, 0.5), (0.25, -2), (3, 4)], 0, 0), (0.5, 0), (4, 0)),
    "breakpoints(-2:1, 2:-1; 0.5, -0.25)": (breakpoints([(-2, 1), (2, -1)], 0.5, -0.25), (-INF, 0.5), (-INF, -0.25)),
}

MAGNITUDES = [
    0.0, 5e-324, 1e-310, 1e-300, 1e-45, 1e-40, 1e-20, 1e-8, 1e-4, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0, 8.0, 10.0, 17.0, 20.0, 25.0,
    30.0, 36.7, 37.0, 38.0, 38.5, 40.0, 86.0, 88.0, 90.0, 92.0, 96.0, 100.0, 103.0, 110.0, 300.0, 700.0, 709.5, 712.0, 714.0, 740.0, 745.0,
    750.0, 810.0, 1e4, 1e38, 1e100, 1.7e308, INF,
]  # fmt: skip


# Where second derivatives change sign, with both signs: of gelu, silu, gelu_tanh and mish.
ZEROS = [math.sqrt(2.0), 2.399357280520, 1.4116, 2.2564, 1.4907]
FEW = 1e5  # Beyond it every second derivative has its limit but for softsign's.
LIMITS = {"squared_relu": (0, 2), "exp": (0, INF)}  # At -inf and inf, if they are not 0.


def points():
    zs = [sign * m for m in MAGNITUDES for sign in (1.0, -1.0)]
    # Next to the kinks, and at the zeros of the derivatives of gelu, gelu_tanh, silu and mish, where those cancel.
    zs += [math.nextafter(k, k + d) for k in (-3.0, -1.0, -0.5, 0.5, 1.0, 3.0, 6.0) for d in (-1, 1)]
    zs += [-0.7517915247, -0.7524614220, -1.2784645427, -1.1924312145]
    rng = random.Random(20)
    zs += [rng.uniform(-8.0, 8.0) for _ in range(24)]
    zs += [rng.choice((1, -1)) * 10 ** rng.uniform(-5.0, 2.7) for _ in range(16)]
    return zs


def write(name, lines):
    Path(__file__).with_name(name).write_text("\n".join(lines) + "\n")


def values_and_slopes():
    lines = ["activation\ttype\tz\tvalue\tderivative"]
    for kind, (digits, smallest, largest) in TYPES.items():
        seen, zs = set(), []
        for z in (to_type(z, kind) for z in points()):
            key = (z, math.copysign(1.0, z))
            if key not in seen:
                seen.add(key)
                zs.append(z)
        for name, (f, low, high, *_) in ACTIVATIONS.items():
            for z in zs:
                value, derivative = low if z == -INF else high if z == INF else f(mpf(z))
                value, derivative = (rounded(v, digits, smallest, largest) for v in (value, derivative))
                lines.append("\t".join([name, kind, *(shortest(float(v), kind) for v in (z, value, derivative))]))
    write("activations.tsv", lines)


def seconds():
    lines = ["activation\ttype\tz\tsecond"]
    for kind, (digits, smallest, largest) in TYPES.items():
        zs = dict.fromkeys(to_type(z, kind) for z in points() + [sign * z for z in ZEROS for sign in (1, -1)])
        for name, (_, _, _, *second) in ACTIVATIONS.items():
            for z in zs if second else []:
                known = math.isinf(z) or (abs(z) > FEW and name != "softsign")
                limit = LIMITS.get(name, (0, 0))[z > 0]
                value = rounded(limit if known else second[0](mpf(z)), digits, smallest, largest)
                lines.append("\t".join([name, kind, *(shortest(float(v), kind) for v in (z, value))]))
    write("second.tsv", lines)


values_and_slopes()
with mp.workdps(800):
    seconds()
