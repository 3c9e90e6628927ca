"""High-precision values for the tests of `equations`: mpmath 1.3 at 60 digits.

`python references.py functions > ../src/expand/references.tsv`
`python references.py differences > ../src/interpret/exp_difference_table.rs`
`python references.py propagators > ../src/closed_form/propagators.tsv`
"""

import random
import sys

from mpmath import erf, erfinv, exp, expm, expm1, factorial, log, log1p, matrix, mp, mpf, cos, sin, sqrt, tanh

mp.dps = 60


def pair(value):
    """A value as the nearest f64 and the rest."""
    high = float(value)
    return f"{high!r}\t{float(value - mpf(high))!r}"


def functions():
    random.seed(2)
    uniform = random.uniform

    def spread(low, high):
        """Both signs, magnitudes 10^low … 10^high."""
        return random.choice([-1, 1]) * 10 ** uniform(low, high)

    def around(bound):
        return [uniform(-bound, bound) for _ in range(40)] + [spread(-12, 0) for _ in range(20)]

    big = lambda: [uniform(-708, 709.7) for _ in range(30)] + around(3)
    positive = lambda: [10 ** uniform(-300, 300) for _ in range(30)] + [uniform(0.3, 3) for _ in range(30)] + [1 + spread(-10, -2) for _ in range(15)]
    tables = {
        "Exp": (big(), lambda x: exp(x)),
        "Expm1": (big(), lambda x: expm1(x)),
        "Exprel": (big(), lambda x: expm1(x) / x),
        "Ln": (positive(), lambda x: log(x)),
        "Ln1p": ([-1 + 10 ** uniform(-10, -1) for _ in range(20)] + [10 ** uniform(-12, 12) for _ in range(30)] + [spread(-9, -0.5) for _ in range(30)], lambda x: log1p(x)),
        "Sin": (around(4) + [uniform(-1e5, 1e5) for _ in range(30)], lambda x: sin(x)),
        "Cos": (around(4) + [uniform(-1e5, 1e5) for _ in range(30)], lambda x: cos(x)),
        "Tanh": (around(20) + around(1), lambda x: tanh(x)),
        "Erf": (around(6.5) + around(1.2), lambda x: erf(x)),
        "Sigmoid": (around(700) + around(5), lambda x: 1 / (1 + exp(-x))),
    }
    print("# function, x (and y for Pow), value as the nearest f64, the rest; equations/tools/references.py")
    for name, (points, f) in tables.items():
        for x in points:
            print(f"{name}\t{x!r}\t{pair(f(mpf(x)))}")
    for _ in range(150):
        x = random.choice([10 ** uniform(-12, 12), uniform(0.2, 4), 1 + spread(-6, -1)])
        y = random.choice([uniform(-8, 8), uniform(-1.5, 1.5), -0.5, 0.3333, 2.5, 1.4])
        print(f"Pow\t{x!r}\t{y!r}\t{pair(mpf(x) ** mpf(y))}")
    for _ in range(100):
        u = random.choice([uniform(0.01, 0.99), 10 ** uniform(-15, -1), 2.0 ** -random.randint(1, 60), 0.5 + spread(-9, -1) / 2, 1 - 2.0 ** -random.randint(2, 40)])
        mp.dps = 90
        value = sqrt(mpf(2)) * erfinv(2 * mpf(u) - 1)
        print(f"Normal\t{u!r}\t{pair(value)}")
        mp.dps = 60


def divided_difference(nodes):
    """Series around the smallest node: every term is positive."""
    z = sorted(mpf(x) for x in nodes)
    m, n = z[0], len(z) - 1
    h = [mpf(1)] * (n + 1)
    total = mpf(1)
    k = 0
    while True:
        k += 1
        below = mpf(0)
        for j in range(n + 1):
            h[j] = below + (z[j] - m) * h[j] / (k + n)
            below = h[j]
        total += below
        if below < total * mpf(10) ** -50:
            return exp(m) * total / factorial(n)


def differences():
    random.seed(1)
    sets = [
        [0.0], [-0.25], [0.0, -0.1], [-0.1, -0.1], [-0.1, -0.1000001], [-0.05, -0.0500000000001],
        [0.0, -40.0], [-700.0, -3.0], [3.0, -2.0], [0.0, 0.0, 0.0], [-0.1, -0.05, 0.0],
        [-0.1, -0.1, 0.0], [-0.1, -0.1, -0.1], [-0.2, -0.2, -0.01], [-0.2, -0.2000000001, -0.01, 0.0],
        [-30.0, -0.1, 0.0], [-100.0, -99.0, -0.5, 0.0], [-1e-9, 0.0], [-1e-9, -2e-9, 0.0],
        [-20.0, -10.0, -5.0, 0.0], [-20.0, -20.0, -10.0, -10.0, 0.0, 0.0],
        [-50.0, -25.0, -24.9, -1.0, -0.9, 0.0], [-1.0, -1.0, -1.0, -1.0, -1.0], [5.0, 4.0, -17.0],
        [-300.0, -300.0, -300.0, 0.0],
    ]
    for _ in range(15):
        n, scale = random.randint(2, 6), 10 ** random.uniform(-3, 2)
        sets.append([round(-random.random() * scale, 6) for _ in range(n)])
    print("&[")
    for nodes in sets:
        print(f"    (&{nodes!r}, {mp.nstr(divided_difference(nodes), 20)}),")
    print("]")


def propagators():
    """Entries of e^{At} of current-based neurons as tau_m approaches tau_syn."""
    print("# synapse, tau_m, tau_syn, t, exp: v←i, v←1; alpha: v←i, v←di; equations/tools/references.py")
    print("# With c_m = 250: dv = −v/tau_m + (i + 1)/c_m; exp: di = −i/tau_syn; alpha: di = −i/tau_syn + y, dy = −y/tau_syn.")
    for tau_syn in (0.5, 2.0, 10.0):
        for distance in (0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 20.0):
            for t in (0.01, 0.1, 1.0, 30.0):
                tau_m = tau_syn * (1 + distance)
                lm, ls, c = -1 / mpf(tau_m), -1 / mpf(tau_syn), 1 / mpf(250)
                t_ = mpf(t)
                values = [
                    c * t_ * divided_difference([lm * t_, ls * t_]),
                    c * t_ * divided_difference([lm * t_, 0]),
                    c * t_ * divided_difference([lm * t_, ls * t_]),
                    c * t_**2 * divided_difference([lm * t_, ls * t_, ls * t_]),
                ]
                print("synapse", tau_m, tau_syn, t, *(mp.nstr(v, 20) for v in values), sep="\t")
    print("# adaptive, a, t, e^{At} row by row, of v' = −v/10 − w, w' = (a·v − w)/40")
    for a in (-0.02, 0.001, 0.00056, 0.5, 4.0):
        for t in (0.1, 1.0, 10.0, 100.0):
            m = matrix([[-t / mpf(10), -mpf(t)], [mpf(a) * mpf(t) / 40, -mpf(t) / 40]])
            e = expm(m)
            print("adaptive", a, t, *(mp.nstr(e[i, j], 20) for i in range(2) for j in range(2)), sep="\t")


if __name__ == "__main__":
    {"functions": functions, "differences": differences, "propagators": propagators}[sys.argv[1]]()
