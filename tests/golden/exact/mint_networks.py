#!/usr/bin/env python3
"""Mint network_exp.json, network_alpha.json: recurrent networks in continuous time, and how far
a copy with one initial potential moved by 1e-13 mV follows them.

    python mint_networks.py [exp] [alpha]      needs gcc with libquadmath and numpy

The networks are drawn here by numpy's default_rng and written in full; `network.c` runs them.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
N_EXC, N_INH, NUDGE, LIMIT = 60, 60, 1e-13, 1e-10
COMMON = dict(c_m_pf=250.0, tau_m_ms=10.0, e_l_mv=-65.0, v_th_mv=-50.0, v_reset_mv=-65.0, t_ref_ms=2.0)
# Half of the neurons inhibit and tau_m is long: with fewer or shorter, such networks forget a nudge.
NETWORKS = {
    "exp": dict(seed=7, t_end=260.0, in_degree=30, tau_m_ms=30.0, tau_ex_ms=1.0, tau_in_ms=1.0, i_e=(300.0, 500.0),
                weight=(100.0, 400.0, -100.0, -400.0)),
    "alpha": dict(seed=5, t_end=155.0, in_degree=20, tau_m_ms=30.0, tau_ex_ms=1.0, tau_in_ms=1.2, i_e=(250.0, 400.0),
                  weight=(100.0, 400.0, -100.0, -400.0)),
}


def draw(kind):
    p = NETWORKS[kind]
    rng = np.random.default_rng(p["seed"])
    n = N_EXC + N_INH
    lo_ex, hi_ex, lo_in, hi_in = p["weight"]
    connections = []
    for target in range(n):
        for source in sorted(rng.choice(n, p["in_degree"], replace=False).tolist()):
            size = rng.random()
            weight = lo_ex + (hi_ex - lo_ex) * size if source < N_EXC else lo_in + (hi_in - lo_in) * size
            connections.append([source, target, weight, rng.uniform(0.5, 5.0)])
    v0_mv = rng.uniform(-65.0, -51.0, n)
    return connections, np.random.default_rng(p["seed"] + 100).uniform(*p["i_e"], n).tolist(), v0_mv.tolist()


def simulate(program, kind, connections, i_e, v0, t_end, nudge, alpha):
    """Spikes (time, neuron), the closest peak and the closest event to a spike of its neuron."""
    p = NETWORKS[kind]
    c = COMMON | {k: v for k, v in p.items() if k in COMMON}
    rise = (p["tau_ex_ms"], p["tau_in_ms"]) if alpha else (0.0, 0.0)
    head = [len(i_e), len(connections), t_end, c["tau_m_ms"], p["tau_ex_ms"], rise[0], p["tau_in_ms"], rise[1],
            c["c_m_pf"], c["e_l_mv"], c["v_th_mv"], c["v_reset_mv"], c["t_ref_ms"], nudge]
    body = [x for pair in zip(i_e, v0) for x in pair] + [x for row in connections for x in row]
    text = " ".join(float(x).hex() for x in head + body)
    run = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    spikes = [line.split() for line in run.stdout.splitlines()]
    peak, meeting = map(float, run.stderr.split())
    return [(float(t), int(i)) for t, i in spikes], peak, meeting


def followed(base, copy, limit):
    """How many spikes the copy follows before the first that departs by the limit, and the greatest
    departure before each 100th."""
    worst, growth = 0.0, []
    for k, ((t, i), (u, j)) in enumerate(zip(base, copy)):
        if i != j or abs(t - u) >= limit:
            return k, growth
        worst = max(worst, abs(t - u))
        if k % 100 == 99:
            growth.append(float(f"{worst:.2e}"))
    return min(len(base), len(copy)), growth


def mint(kind, program):
    p = NETWORKS[kind]
    connections, i_e, v0 = draw(kind)
    base, peak, meeting = simulate(program, kind, connections, i_e, v0, p["t_end"], 0.0, kind == "alpha")
    copy, _, _ = simulate(program, kind, connections, i_e, v0, p["t_end"], NUDGE, kind == "alpha")
    kept, growth = followed(base, copy, LIMIT)
    departs = kept < len(base)
    gap = min(b[0] - a[0] for a, b in zip(base, base[1:]))
    print(f"{kind}: {len(base)} spikes in {p['t_end']} ms; the copy follows {kept} of them, until "
          f"{base[kept - 1][0]:.1f} ms; departure {growth}; closest peak {peak:.1e} mV, closest event {meeting:.1e} ms, "
          f"closest two spikes {gap:.1e} ms", flush=True)
    params = COMMON | {k: v for k, v in p.items() if k.startswith("tau")}
    out = dict(kind=kind, tool="network.c: __float128, 113-bit mantissa", neurons=len(i_e), excitatory=N_EXC,
               seed=p["seed"], parameters=params, i_e_pa=i_e, v0_mv=v0, connections=connections,
               t_end_ms=base[kept][0] if departs else p["t_end"], departs=departs, nudge_mv=NUDGE,
               departure_limit_ms=LIMIT, departure_per_100_spikes_ms=growth, closest_peak_mv=peak,
               closest_event_to_spike_ms=meeting, closest_spikes_ms=gap,
               spikes=[[t, i] for t, i in base[:kept]])
    rows = [f'{json.dumps(k)}: {json.dumps(v, separators=(",", ":"))}' for k, v in out.items()]
    with open(os.path.join(HERE, f"network_{kind}.json"), "w") as f:
        f.write("{\n" + ",\n".join(rows) + "\n}\n")


def compile_to(folder):
    program = os.path.join(folder, "network")
    subprocess.run(["gcc", "-O2", "-ffp-contract=off", "-o", program, os.path.join(HERE, "network.c"),
                    "-lquadmath", "-lm"], check=True)
    return program


def main():
    with tempfile.TemporaryDirectory() as folder:
        program = compile_to(folder)
        for kind in sys.argv[1:] or NETWORKS:
            mint(kind, program)


if __name__ == "__main__":
    main()
