"""Polynomials of `equations/src/expand/coefficients.rs`: weighted Remez exchange in mpmath.

Run with mpmath 1.3: `python minimax.py > ../src/expand/coefficients.rs`, then `cargo fmt`;
`python minimax.py arctangent` prints those of the arctangent.

Each polynomial p minimises max |w(x)·(f(x) − p(x))| over an interval; its coefficients are then
rounded to the target format. w makes the error relative to the function that p is a part of.
"""

import struct
import sys

from mpmath import (atan, mp, mpf, cos, erf, erfc, erfinv, exp, expm1, factorial, findroot, lambertw, log,
                    log1p, lu_solve, matrix, nstr, pi, sin, sqrt)

mp.dps = 45


def to_f32(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def to_f64(x):
    return mpf(float(x))


def remez(f, w, a, b, powers, scale=None):
    """Coefficients by power and the largest weighted error."""
    n = len(powers)
    points = [(a + b) / 2 + (b - a) / 2 * cos(pi * (2 * k + 1) / (2 * (n + 1))) for k in range(n + 1)]
    points = sorted(points)
    grid_size = 16 * (n + 1)
    grid = [(a + b) / 2 - (b - a) / 2 * cos(pi * k / grid_size) for k in range(grid_size + 1)]
    values = [(x, f(x), w(x)) for x in grid]
    for _ in range(40):
        system, rhs = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for row, x in enumerate(points):
            weight = w(x)
            for column, power in enumerate(powers):
                system[row, column] = weight * x**power
            system[row, n] = (-1) ** row
            rhs[row] = weight * f(x)
        solution = lu_solve(system, rhs)
        c = [solution[i] for i in range(n)]
        level = abs(solution[n])
        errors = [(weight * (fx - sum(ci * x**p for ci, p in zip(c, powers))), x) for x, fx, weight in values]
        extrema = []
        for e, x in errors:
            if extrema and (e >= 0) == (extrema[-1][0] >= 0):
                if abs(e) > abs(extrema[-1][0]):
                    extrema[-1] = (e, x)
            else:
                extrema.append((e, x))
        while len(extrema) > n + 1:
            if abs(extrema[0][0]) < abs(extrema[-1][0]):
                extrema.pop(0)
            else:
                extrema.pop()
        worst = max(abs(e) for e, _ in errors)
        if len(extrema) < n + 1 or worst <= level * mpf("1.0005"):
            break
        points = [x for _, x in extrema]
    return c, worst


def fit(f, w, a, b, degree, rounded):
    """Rounded coefficients of 1, x, …, x^degree and the largest weighted error after rounding."""
    a, b = mpf(a), mpf(b)
    c, _ = remez(f, w, a, b, list(range(degree + 1)))
    c = [rounded(x) for x in c]
    grid = [a + (b - a) * k / 500 for k in range(501)]
    worst = max(abs(w(x) * (f(x) - sum(ci * x**p for p, ci in enumerate(c)))) for x in grid)
    return c, worst


def series(terms, x, limit):
    """Guards quotients at 0 with a Taylor series."""
    return sum(terms(k) * x**k for k in range(limit))


def small(x):
    return abs(x) < mpf(10) ** -8


def exp_tail(r):
    """(e^r − 1 − r)/r²."""
    return series(lambda k: 1 / factorial(k + 2), r, 40) if abs(r) < 1 else (expm1(r) - r) / r**2


def ln_tail(f):
    """(ln(1 + f) − f + f²/2)/f³."""
    return series(lambda k: (-1) ** k / mpf(k + 3), f, 12) if small(f) else (log1p(f) - f + f**2 / 2) / f**3


def ln_odd(z):
    """R(z)/z with ln((1+s)/(1−s)) = 2s + s·R(s²)."""
    if small(z):
        return series(lambda k: 2 / mpf(2 * k + 3), z, 12)
    s = sqrt(z)
    return (log((1 + s) / (1 - s)) - 2 * s) / (s * z)


def sin_tail(z):
    """(sin r − r)/r³ in z = r²."""
    if z < mpf("0.01"):
        return series(lambda k: (-1) ** (k + 1) / factorial(2 * k + 3), z, 30)
    r = sqrt(z)
    return (sin(r) - r) / (r * z)


def cos_tail(z):
    """(cos r − 1 + r²/2)/r⁴ in z = r²."""
    if z < mpf("0.01"):
        return series(lambda k: (-1) ** k / factorial(2 * k + 4), z, 30)
    return (cos(sqrt(z)) - 1 + z / 2) / z**2


def erf_small(z):
    """erf(x)/x in z = x²."""
    if small(z):
        return 2 / sqrt(pi) * series(lambda k: (-1) ** k / (factorial(k) * (2 * k + 1)), z, 12)
    return erf(sqrt(z)) / sqrt(z)


def erfinv_factor(w):
    """√2·erfinv(y)/y with w = −ln(1 − y²)."""
    if w < mpf(10) ** -20:
        return sqrt(pi / 2)
    y = sqrt(-expm1(-w))
    # erfinv by Newton on erfc, which keeps its accuracy where y is close to 1.
    one_minus_y = exp(-w) / (1 + y)
    x = sqrt(mpf(max(w, mpf("0.0001"))) * mpf("0.8"))
    for _ in range(200):
        step = (erfc(x) - one_minus_y) * sqrt(pi) / 2 * exp(x**2)
        step = step / (1 - x * step) if abs(x * step) < mpf("0.5") else step / 2
        x += step
        if abs(step) < mpf(10) ** -38 * (1 + abs(x)):
            break
    return sqrt(mpf(2)) * x / y


def atan_factor(z):
    """atan(t)/t in z = t²."""
    if small(z):
        return series(lambda k: (-1) ** k / mpf(2 * k + 1), z, 12)
    return atan(sqrt(z)) / sqrt(z)


def arctangent():
    """The coefficients in `equations/src/surrogate/arctangent.rs`."""
    bound = ((sqrt(mpf(2)) - 1) ** 2) * mpf("1.001")
    c, worst = fit(atan_factor, lambda z: 1, 0, bound, 11, to_f64)
    emit("ATAN", "atan(t)/t in t², |t| ≤ √2 − 1", c, worst)


def emit(name, doc, coefficients, worst):
    print(f"/// {doc}; largest weighted error {nstr(worst, 3)}.")
    print(f"pub(super) const {name}: &[f64] = &[")
    for c in coefficients:
        print(f"    {float(c)!r},")
    print("];\n")
    print(f"{name}: {len(coefficients)} coefficients, error {nstr(worst, 3)}", file=sys.stderr)


def both(name, doc, f, w, a, b, degree_f32, degree_f64, w64=None):
    for suffix, degree, rounded in (("F32", degree_f32, to_f32), ("F64", degree_f64, to_f64)):
        if degree is None:
            continue
        weight = w if suffix == "F32" or w64 is None else w64
        c, worst = fit(f, weight, a, b, degree, rounded)
        emit(f"{name}_{suffix}", doc, c, worst)


def main():
    print("//! Polynomial coefficients, lowest power first: weighted minimax fits rounded to the format.")
    print("//!")
    print("//! Written by `equations/tools/minimax.py`, which says how; not edited by hand.\n")
    print("#![allow(clippy::approx_constant, clippy::excessive_precision, clippy::unreadable_literal, reason = \"generated\")]\n")
    half_ln2 = log(mpf(2)) / 2 * mpf("1.0005")
    both("EXP_TAIL", "(e^r − 1 − r)/r² on |r| ≤ ln 2/2", exp_tail, lambda r: max(abs(r), mpf("0.02")),
         -half_ln2, half_ln2, 4, 9)
    low, high = sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1
    both("LN_TAIL", "(ln(1+f) − f + f²/2)/f³ on [√½ − 1, √2 − 1]", ln_tail,
         lambda f: max(f**2, mpf("0.0004")), low, high, 8, None)
    s = (sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)
    both("LN_ODD", "(ln((1+s)/(1−s)) − 2s)/s³ in s², |s| ≤ 3 − 2√2", ln_odd, lambda z: z / 2 + mpf("0.0001"), 0, s**2 * mpf("1.001"), None, 7)
    quarter = (pi / 4) ** 2 * mpf("1.002")
    both("SIN_TAIL", "(sin r − r)/r³ in r², |r| ≤ π/4", sin_tail, lambda z: z + mpf("0.001"),
         0, quarter, 2, 5)
    both("COS_TAIL", "(cos r − 1 + r²/2)/r⁴ in r², |r| ≤ π/4", cos_tail, lambda z: z**2 + mpf("0.001"), 0, quarter, 2, 5)
    both("ERF_SMALL", "erf(x)/x in x², |x| ≤ 1", erf_small, lambda z: 1 / erf_small(z), 0, 1, 7, 13)
    erf_log = lambda x: log(erfc(x))
    both("ERF_TAIL", "ln erfc(x), 1 ≤ x ≤ 4 (f32) or 6 (f64), in x − 2.5 or x − 3", lambda t: erf_log(t + mpf("2.5")),
         lambda t: erfc(t + mpf("2.5")), mpf("-1.5"), mpf("1.5"), 8, None)
    both("ERF_TAIL", "ln erfc(x), 1 ≤ x ≤ 6, in x − 3", lambda t: erf_log(t + 3),
         lambda t: erfc(t + 3), mpf(-2), mpf(3), None, 20)
    relative = lambda f: lambda x: 1 / abs(f(x))
    center32 = lambda t: erfinv_factor(t + mpf("2.5"))
    both("NORMAL_CENTER", "√2·erfinv(y)/y in w − 2.5, w = −ln(1 − y²) ≤ 5", center32, relative(center32), mpf("-2.5"), mpf("2.5"), 10, None)
    tail32 = lambda t: erfinv_factor((t + mpf("3.5")) ** 2)
    both("NORMAL_TAIL", "√2·erfinv(y)/y in √w − 3.5, 5 ≤ w ≤ 23", tail32, relative(tail32), sqrt(mpf(5)) - mpf("3.5"), mpf("1.3"), 9, None)
    center = lambda t: erfinv_factor(t + 3)
    both("NORMAL_CENTER", "√2·erfinv(y)/y in w − 3, w = −ln(1 − y²) ≤ 6.25", center, relative(center), mpf(-3), mpf("3.25"), None, 22)
    middle = lambda t: erfinv_factor((t + mpf("3.25")) ** 2)
    both("NORMAL_MIDDLE", "√2·erfinv(y)/y in √w − 3.25, 6.25 ≤ w ≤ 16", middle, relative(middle), mpf("-0.75"), mpf("0.75"), None, 17)
    far = lambda t: erfinv_factor((t + mpf("5.4")) ** 2)
    both("NORMAL_TAIL", "√2·erfinv(y)/y in √w − 5.4, 16 ≤ w ≤ 46", far, relative(far), mpf("-1.4"), mpf("1.4"), None, 20)


if __name__ == "__main__":
    arctangent() if "arctangent" in sys.argv else main()
