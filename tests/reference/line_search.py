"""Steps that SciPy's dcsrch finds on the six functions of Moré & Thuente (1994), for src/optim/minimize/line_search.rs.

    pip install scipy==1.17.1
    python tests/reference/line_search.py > tests/reference/line_search.tsv

The evaluations are those of the paper's tables 1 to 6, which the script checks.
"""

from math import cos, pi, sin, sqrt

from scipy.optimize._dcsrch import DCSRCH


def first(a):
    return -a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2


def second(a):
    b = a + 0.004
    return b**5 - 2 * b**4, 5 * b**4 - 8 * b**3


def third(a):
    beta, l = 0.01, 39
    if a <= 1 - beta:
        value, slope = 1 - a, -1
    elif a >= 1 + beta:
        value, slope = a - 1, 1
    else:
        value, slope = (a - 1) ** 2 / (2 * beta) + beta / 2, (a - 1) / beta
    wave = l * pi / 2 * a
    return value + 2 * (1 - beta) / (l * pi) * sin(wave), slope + (1 - beta) * cos(wave)


def yanai(one, two):
    def gamma(beta):
        return sqrt(1 + beta * beta) - beta

    def function(a):
        left, right = sqrt((1 - a) ** 2 + two * two), sqrt(a * a + one * one)
        return gamma(one) * left + gamma(two) * right, gamma(one) * (a - 1) / left + gamma(two) * a / right

    return function


FUNCTIONS = [
    (first, 1e-3, 0.1, [6, 3, 1, 4]),
    (second, 0.1, 0.1, [12, 8, 8, 11]),
    (third, 0.1, 0.1, [12, 12, 10, 13]),
    (yanai(0.001, 0.001), 1e-3, 1e-3, [4, 1, 3, 4]),
    (yanai(0.01, 0.001), 1e-3, 1e-3, [6, 3, 7, 8]),
    (yanai(0.001, 0.01), 1e-3, 1e-3, [13, 11, 8, 11]),
]

print("function\tdecrease\tcurvature\tfirst\tevaluations\tstep")
for number, (function, decrease, curvature, published) in enumerate(FUNCTIONS, 1):
    for start, paper in zip([1e-3, 1e-1, 1e1, 1e3], published):
        evaluations = 0

        def value(a):
            global evaluations
            evaluations += 1
            return function(a)[0]

        search = DCSRCH(value, lambda a: function(a)[1], decrease, curvature, 0.0, 0.0, 1e10)
        step, _, _, task = search(start, *function(0), maxiter=100)
        assert task[:4] == b"CONV", task
        assert evaluations == paper, (number, start, evaluations, paper)
        print(number, decrease, curvature, start, evaluations, repr(float(step)), sep="\t")
