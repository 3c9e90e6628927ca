#!/usr/bin/env python3
"""Mint cases_<kind>.json: spike times of single neurons with given input, in continuous time.

    python mint_cases.py [--count N] [KIND ...]     needs gcc with libquadmath, numpy not needed

The cases are drawn here from a counter (README.md, "The draw"); `single.c` solves them with
113-bit numbers.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["delta", "exp", "alpha", "beta", "if_delta", "if_exp", "qif_delta"]
COUNT, T_END, DRAWS = 10_000, 60.0, 64
MASK = (1 << 64) - 1
NEAR = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12]


def uniforms(kind, case):
    """64 numbers in [0, 1): splitmix64 from the seed (kind + 1) * 10^6, draws 64 case to 64 case + 63."""
    seed = (KINDS.index(kind) + 1) * 1_000_000
    numbers = []
    for n in range(DRAWS):
        z = (seed + (DRAWS * case + n + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(((z ^ (z >> 31)) >> 11) * 2.0 ** -53)
    return numbers


def between(lo, hi, u):
    return lo + (hi - lo) * u


def time_constants(kind, u):
    """tau_m and (decay, rise) of either receptor; 0 where the kind has none."""
    tau_m = between(4.0, 30.0, u[0]) if not kind.startswith("if_") else 0.0
    if kind.endswith("delta"):
        return tau_m, (0.0, 0.0), (0.0, 0.0)
    decay = [between(0.5, 15.0, u[1]), between(0.5, 15.0, u[2])]
    off = NEAR[int(10.0 * u[4])]
    if tau_m > 0.0 and u[3] < 0.15:
        factor = 1.0 if u[3] < 0.05 else 1.0 + off if u[5] < 0.5 else 1.0 - off
        if u[6] < 0.6:
            decay[0] = tau_m * factor
        if u[6] >= 0.4:
            decay[1] = tau_m * factor
    rise = [0.0, 0.0]
    if kind == "alpha":
        rise = decay
    if kind == "beta":
        rise = [decay[0] * between(0.2, 0.95, u[7]), decay[1] * between(0.2, 0.95, u[8])]
        if u[9] < 0.25:
            factor = 1.0 if u[9] < 0.1 else 1.0 - off
            rise = [decay[0] * factor, decay[1] * factor]
    return tau_m, (decay[0], rise[0]), (decay[1], rise[1])


def linear_case(kind, u):
    tau_m, ex, inh = time_constants(kind, u)
    c_m = between(50.0, 500.0, u[10])
    e_l = 0.0 if u[11] < 0.5 else between(-70.0, -40.0, u[12])
    gap = between(10.0, 25.0, u[13])
    v_th = e_l + gap
    v_reset = e_l if u[14] < 0.5 else e_l + gap * between(-0.5, 0.5, u[15])
    t_ref = 0.0 if u[16] < 0.2 else between(0.1, 5.0, u[17])
    v0 = e_l + gap * between(-0.5, 0.7, u[18])
    graze = 0
    if u[19] < (0.3 if kind == "if_exp" else 0.2):
        graze = (2 + int(10.0 * u[20])) * (1 if u[21] < 0.5 else -1)
    if u[22] < 0.5:
        i_e = 0.0
    elif tau_m > 0.0:
        i_e = c_m / tau_m * gap * between(-0.5, 0.7 if graze else 1.5, u[23])
    else:
        i_e = c_m * gap * between(-0.04, 0.0 if graze else 0.04, u[23])
    events = []
    for j in range(1 + int(6.0 * u[24])):
        t = between(0.0, 50.0, u[30 + 3 * j])
        if j == 1 and u[25] < 0.1:
            t = events[0][0]
        size = between(0.2, 1.5 if kind.endswith("delta") else 2.5, u[31 + 3 * j])
        if u[32 + 3 * j] < 0.3 and not (graze and j == 0):
            size = -size
        if kind.endswith("delta"):
            w = size * gap
        else:
            charge = size * gap * c_m / (inh[0] if size < 0.0 else ex[0])
            w = charge * (1.0 if kind.endswith("exp") else 0.6)
        events.append((t, w))
    return dict(qif=0, tau_m=tau_m, ex=ex, inh=inh, c_m=c_m, e_l=e_l, v_th=v_th, v_reset=v_reset,
                t_ref=t_ref, i_e=i_e, v0=v0, gap=gap, k=0.0, v_r=0.0, v_t=0.0, graze=graze,
                events=sorted(events, key=lambda e: e[0]))


def quadratic_case(u):
    """dv/dt = k (v - v_r) (v - v_t) + i_e / c_m. The current is 0, or a multiple of the one at
    which the discriminant vanishes; in 5 % exactly that one, with all numbers short enough."""
    k, c_m = between(0.02, 0.06, u[0]), between(50.0, 500.0, u[1])
    v_r, half = between(-70.0, -55.0, u[2]), between(4.0, 12.0, u[3])
    graze = 0
    if u[4] < 0.2:
        graze = (2 + int(10.0 * u[5])) * (1 if u[6] < 0.5 else -1)
    elif u[7] < 0.05:
        k, c_m, v_r, half = 0.015625, 128.0, -60.0, float(2 + int(8.0 * u[3]))
    v_t = v_r + 2.0 * half
    vanishing = c_m * k * half * half
    if graze or 0.05 <= u[7] < 0.5:
        i_e = 0.0 if u[8] < 0.5 else vanishing * between(-1.0, 0.95, u[9])
    elif u[7] < 0.05:
        i_e = vanishing
    elif u[7] < 0.6:
        off = NEAR[int(4.0 * u[8])]
        i_e = vanishing * (1.0 + off if u[9] < 0.5 else 1.0 - off)
    else:
        i_e = vanishing * between(1.05, 4.0, u[9])
    v_th = v_t + between(20.0, 60.0, u[10])
    v_reset = v_r + between(-5.0, 5.0, u[11])
    t_ref = 0.0 if u[12] < 0.2 else between(0.1, 5.0, u[13])
    v0 = v_r + 2.0 * half * between(-0.5, 0.7, u[14])
    events = []
    for j in range(1 + int(6.0 * u[15])):
        t = between(0.0, 50.0, u[30 + 3 * j])
        if j == 1 and u[16] < 0.1:
            t = events[0][0]
        w = 2.0 * half * between(0.2, 1.5, u[31 + 3 * j])
        if u[32 + 3 * j] < 0.3:
            w = -w
        events.append((t, w))
    return dict(qif=1, tau_m=0.0, ex=(0.0, 0.0), inh=(0.0, 0.0), c_m=c_m, e_l=0.0, v_th=v_th,
                v_reset=v_reset, t_ref=t_ref, i_e=i_e, v0=v0, gap=2.0 * half, k=k, v_r=v_r, v_t=v_t,
                graze=graze, events=sorted(events, key=lambda e: e[0]))


def draw(kind, case):
    u = uniforms(kind, case)
    return quadratic_case(u) if kind == "qif_delta" else linear_case(kind, u)


def numbers(c):
    """Every number of a case, in the order that `fingerprint` and `single.c` read them."""
    return [c["tau_m"], *c["ex"], *c["inh"], c["c_m"], c["e_l"], c["v_th"], c["v_reset"], c["t_ref"],
            c["i_e"], c["v0"], c["gap"], c["k"], c["v_r"], c["v_t"]]


def fingerprint(kind, count):
    """The bits of all numbers and events of all cases folded into one 64-bit word."""
    h = 0
    for case in range(count):
        c = draw(kind, case)
        for x in numbers(c) + [x for e in c["events"] for x in e]:
            h = (((h << 5) | (h >> 59)) & MASK) ^ struct.unpack("<Q", struct.pack("<d", x))[0]
            h = (h * 0x9E3779B97F4A7C15) & MASK
    return f"{h:016x}"


def line(c):
    exact = " ".join(x.hex() for x in numbers(c))
    events = " ".join(f"{t.hex()} {w.hex()}" for t, w in c["events"])
    return f"{c['qif']} {exact} {c['graze']} {len(c['events'])} {events}\n"


def solve(cases):
    """Answers of single.c, compiled in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "single")
        subprocess.run(["gcc", "-O2", "-ffp-contract=off", "-o", program, os.path.join(HERE, "single.c"),
                        "-lquadmath", "-lm"], check=True)
        answer = subprocess.run([program], input="".join(map(line, cases)),
                                capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answer) == len(cases)
    return [a.split() for a in answer]


def mint(kind, count):
    cases = [draw(kind, i) for i in range(count)]
    spikes, graze, either, sensitive = [], [], [], []
    for i, (case, a) in enumerate(zip(cases, solve(cases))):
        scale, closest, tie, lost = float.fromhex(a[0]), float(a[1]), int(a[2]), int(a[3])
        times, shifts = a[5::2], a[6::2]
        assert len(times) == int(a[4])
        spikes.append([float(t) for t in times])
        if scale != 0.0:
            graze.append([i, scale, case["graze"]])
        distance = closest / max(abs(case["v_th"]), case["gap"])
        if tie or lost or distance < 1e-12:
            either.append([i, float(f"{distance:.1e}"), tie, lost])
        sensitive += [[i, k, float(s)] for k, s in enumerate(shifts) if float(s) > 1e-12]
    first = [dict(zip(["qif"], [c["qif"]])) | {k: v for k, v in c.items() if k != "qif"} for c in cases[:3]]
    out = dict(kind=kind, count=count, t_end_ms=T_END, tool="single.c: __float128, 113-bit mantissa",
               fingerprint=fingerprint(kind, count), first_cases=first, graze=graze, either=either,
               sensitive=sensitive, spikes_ms=spikes)
    rows = [f'{json.dumps(k)}: {json.dumps(v, separators=(",", ":"))}' for k, v in out.items()]
    with open(os.path.join(HERE, f"cases_{kind}.json"), "w") as f:
        f.write("{\n" + ",\n".join(rows) + "\n}\n")
    total = sum(map(len, spikes))
    print(f"{kind}: {count} cases, {total} spikes, {sum(not s for s in spikes)} without, {len(graze)} grazing, "
          f"{len(either)} either way, {len(sensitive)} sensitive spikes", flush=True)


if __name__ == "__main__":
    args = sys.argv[1:]
    count = COUNT
    if "--count" in args:
        at = args.index("--count")
        count = int(args[at + 1])
        del args[at:at + 2]
    for kind in args or KINDS:
        mint(kind, count)
