#!/usr/bin/env python3
"""Check cases_<kind>.json a second time: the closed forms in mpmath with 60 digits.

    python check_cases.py [N] [KIND ...]    N cases of each kind, spread evenly, and those of the first
                                            tenth that graze most closely

needs mpmath (with gmpy2 it takes a few minutes). Shares nothing with single.c: potentials are
sums of exponentials (of t^k e^(-t/tau) where time constants are equal) and tangents; where time
constants nearly coincide, 60 digits outlast the cancellation. A spike is confirmed if v is at
threshold there and nowhere above it before, on a grid of times and at the maxima between.
"""
import json
import os
import sys

from mpmath import mp, mpf, exp, log, sqrt, tan, tanh

import mint_cases

HERE = os.path.dirname(os.path.abspath(__file__))
mp.dps = 60


def kernel(rates, t):
    """Convolution of e^(-r t) over all r: divided difference of e^(-r t), sign included."""
    groups = {}
    for r in rates:
        groups[r] = groups.get(r, 0) + 1
    total = mpf(0)
    for r, times in groups.items():
        # Partial fraction of 1 / prod (s + r'): coefficients of (s + r)^-j by power series.
        coefficients = [mpf(1)] + [mpf(0)] * (times - 1)
        for q, m in groups.items():
            for _ in range(m if q != r else 0):
                d = q - r
                out = []
                for j in range(times):
                    out.append((coefficients[j] - (out[j - 1] if j else 0)) / d)
                coefficients = out
        factorial = mpf(1)
        for j in range(times):
            power = times - 1 - j  # t^power / power!
            factorial = mp.factorial(power)
            total += coefficients[j] * t ** power / factorial * exp(-r * t)
    return total


class LinearNeuron:
    """v from a sum over events since `origin`; the membrane restarts at each release."""

    def __init__(self, c):
        self.c = c
        self.leak = 1 / mpf(c["tau_m"]) if c["tau_m"] else mpf(0)
        self.events = [(mpf(t), mpf(w)) for t, w in c["events"]]

    def chain(self, w):
        """Rates of the receptor and what weight 1 puts into its first stage."""
        decay, rise = self.c["inh"] if w < 0 else self.c["ex"]
        if decay == 0:
            return [], mpf(1)
        decay, rise = mpf(decay), mpf(rise)
        if rise == 0:
            return [1 / decay], 1 / mpf(self.c["c_m"])
        if decay == rise:
            peak = decay / mp.e
        else:
            t = log(decay / rise) / (1 / rise - 1 / decay)
            peak = (exp(-t / decay) - exp(-t / rise)) / (1 / rise - 1 / decay)
        return [1 / decay, 1 / rise], 1 / (peak * self.c["c_m"])

    def currents(self, t):
        """Synaptic stages at t: list of (rates still ahead, amount)."""
        stages = []
        for at, w in self.events:
            rates, unit = self.chain(w)
            if at > t or not rates:
                continue
            age = t - at
            if len(rates) == 1:
                stages.append((rates, w * unit * exp(-rates[0] * age)))
            else:
                stages.append(([rates[0]], w * unit * kernel(rates, age)))
                stages.append((rates, w * unit * exp(-rates[1] * age)))
        return stages

    def segment(self, t0, v0):
        """v as a function of time since t0, without new events."""
        stages = self.currents(t0)
        drive = mpf(self.c["i_e"]) / self.c["c_m"] + mpf(self.c["e_l"]) * self.leak

        def v(s):
            rest = v0 * exp(-self.leak * s)
            rest += drive * (s if self.leak == 0 else (1 - exp(-self.leak * s)) / self.leak)
            return rest + sum(amount * kernel([self.leak] + rates, s) for rates, amount in stages)
        return v


class QuadraticNeuron:
    def __init__(self, c):
        self.c = c
        self.events = [(mpf(t), mpf(w)) for t, w in c["events"]]

    def segment(self, t0, v0):
        k, mid = mpf(self.c["k"]), (mpf(self.c["v_r"]) + self.c["v_t"]) / 2
        half = (mpf(self.c["v_t"]) - self.c["v_r"]) / 2
        disc = half * half - mpf(self.c["i_e"]) / self.c["c_m"] / k
        x = v0 - mid

        def v(s):
            if disc == 0:
                return mid + x / (1 - k * s * x) if k * s * x < 1 else mp.inf
            root = sqrt(abs(disc))
            if disc < 0:
                angle = mp.atan(x / root) + k * root * s
                return mid + root * tan(angle) if angle < mp.pi / 2 else mp.inf
            th = tanh(k * root * s)
            below = root - x * th
            return mid + root * (x - root * th) / below if below > 0 else mp.inf
        return v


def maximum(v, lo, hi):
    """Golden section: the largest v in [lo, hi], one maximum assumed."""
    g = (sqrt(mpf(5)) - 1) / 2
    a, b = lo, hi
    for _ in range(150):
        p, q = b - g * (b - a), a + g * (b - a)
        if v(p) < v(q):
            a = p
        else:
            b = q
    return max(v(a), v(b))


def stays_below(v, span, level):
    """v < level on (0, span): 41 points, and the maximum around each local one of them."""
    if span <= 0:
        return True
    s = [span * j / 40 for j in range(41)]
    values = [v(x) for x in s]
    if max(values[:-1]) >= level:
        return False
    for j in range(1, 40):
        if values[j] >= values[j - 1] and values[j] >= values[j + 1] and level - values[j] < 1:
            if maximum(v, s[j - 1], s[j + 1]) >= level:
                return False
    return True


def root(v, guess, level):
    """The time of the crossing near `guess`, by bisection from a bracket around it."""
    width = mpf(10) ** -13
    while not (v(max(guess - width, mpf(0))) < level <= v(guess + width)):
        width *= 10
        if width > 1e-3:
            return None
    lo, hi = max(guess - width, mpf(0)), guess + width
    for _ in range(170):
        mid = (lo + hi) / 2
        if v(mid) >= level:
            hi = mid
        else:
            lo = mid
    return hi


def check(kind, c, expected):
    """Largest deviation of the expected spikes, or None with a message where they are wrong."""
    neuron = QuadraticNeuron(c) if c["qif"] else LinearNeuron(c)
    level, left = mpf(c["v_th"]), [mpf(t) for t in expected]
    t, v0, until, worst = mpf(0), mpf(c["v0"]), mpf(0), mpf(0)
    stops = sorted({e[0] for e in neuron.events}) + [mpf(mint_cases.T_END)]

    def fired(at):
        nonlocal v0, until, worst
        if not left:
            return False
        worst = max(worst, abs(left.pop(0) - at))
        v0, until = mpf(c["v_reset"]), at + mpf(c["t_ref"])
        return True

    for stop in stops:
        while t < stop:
            if t < until:
                t = min(until, stop)
                continue
            v = neuron.segment(t, v0)
            if left and left[0] < stop - mpf(10) ** -9:
                hit = root(v, left[0] - t, level)
                if hit is None or not stays_below(v, hit - mpf(10) ** -25, level):
                    return None
                t += hit
                fired(t)
            else:
                if not stays_below(v, stop - t, level) or v(stop - t) >= level:
                    return None
                v0, t = v(stop - t), stop
        if kind.endswith("delta") and t >= until and stop < mint_cases.T_END:
            v0 += sum(w for at, w in neuron.events if at == stop)
            if v0 >= level and not fired(stop):
                return None
    return None if left else worst


def main():
    share = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    bad = 0
    for kind in sys.argv[2:] or mint_cases.KINDS:
        golden = json.load(open(os.path.join(HERE, f"cases_{kind}.json")))
        scale = {i: s for i, s, _ in golden["graze"]}
        skip = {e[0] for e in golden["either"]}
        chosen = set(range(0, golden["count"], max(1, golden["count"] // share)))
        chosen |= {i for i, _, k in golden["graze"] if abs(k) >= 10}.intersection(range(golden["count"] // 10))
        worst, checked = mpf(0), 0
        for i in sorted(chosen - skip):
            c = mint_cases.draw(kind, i)
            c["events"] = [(t, w * scale.get(i, 1.0)) for t, w in c["events"]]
            off = check(kind, c, golden["spikes_ms"][i])
            checked += 1
            if off is None:
                bad += 1
                print(f"{kind} case {i}: the spikes are wrong", flush=True)
            else:
                worst = max(worst, off)
        print(f"{kind}: {checked} cases, largest deviation {mp.nstr(worst, 3)} ms", flush=True)
        bad += worst > 3.6e-15  # half the spacing of doubles near 60
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
