#!/usr/bin/env python3
"""Mint nest_ps.json: NEST's precise-time neurons, alone and in a network, beside our references.

    python mint_nest_ps.py        needs nest-simulator 3.10.0, numpy, gcc with libquadmath
"""
import json
import math
import os
import subprocess
import tempfile

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
import nest
import numpy as np

import mint_cases
import mint_networks

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS, DT, SINGLES, FIRST = ["delta", "exp", "alpha"], 0.1, 200, 100_000
N_EXC, N_INH, IN_DEGREE, T_NETWORK = 48, 12, 10, 300.0
NETWORK = {
    "delta": dict(seed=21, weight=(0.1, 0.8, -1.6, -0.3)),
    "exp": dict(seed=12, tau_ex_ms=2.0, tau_in_ms=5.0, weight=(20.0, 120.0, -260.0, -60.0)),
    "alpha": dict(seed=13, tau_ex_ms=1.0, tau_in_ms=2.5, weight=(15.0, 90.0, -190.0, -50.0)),
}


def fresh():
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT
    nest.local_num_threads = 1


def trains(recorder, first, n):
    """Spike times of n neurons from node id `first` on."""
    e = recorder.events
    out = [[] for _ in range(n)]
    for t, s in sorted(zip(e["times"].tolist(), e["senders"].tolist())):
        out[s - first].append(t)
    return out


def single_cases(kind, indices, near=False, graze=False):
    """Cases of mint_cases.py beyond those in cases_<kind>.json, with NEST's limits: a refractory
    time of whole steps, at least one, and input that arrives one step after it is sent."""
    cases = []
    for i in indices:
        c = mint_cases.draw(kind, FIRST + i)
        c["t_ref"] = DT * (1 + int(c["t_ref"] * 10))
        if not graze:
            c["graze"] = 0
        if kind != "delta" and not near:
            for r in ("ex", "inh"):
                c[r] = tuple(1.25 if abs(x / c["tau_m"] - 1) < 0.01 else x for x in c[r])
        c["events"] = [(t + 1.0, w) for t, w in c["events"]]
        cases.append(c)
    return cases


def run_singles(kind, cases):
    fresh()
    nodes, generators = [], []
    for c in cases:
        p = dict(C_m=c["c_m"], tau_m=c["tau_m"], E_L=c["e_l"], V_m=c["v0"], V_th=c["v_th"], V_reset=c["v_reset"],
                 t_ref=c["t_ref"], I_e=c["i_e"])
        if kind != "delta":
            p |= dict(tau_syn_ex=c["ex"][0], tau_syn_in=c["inh"][0])
        nodes.append(nest.Create(f"iaf_psc_{kind}_ps", params=p))
        sent = [t - DT for t, _ in c["events"]]
        generators.append(nest.Create("spike_generator", params=dict(
            precise_times=True, spike_times=sent, spike_weights=[w for _, w in c["events"]])))
    recorder = nest.Create("spike_recorder")
    for g, n in zip(generators, nodes):
        nest.Connect(g, n, syn_spec=dict(weight=1.0, delay=DT))
        nest.Connect(n, recorder)
    nest.Simulate(mint_cases.T_END)
    first, stride = nodes[0].global_id, 2  # neurons and generators alternate
    return trains(recorder, first, stride * len(nodes))[::stride]


def departure(ours, nests):
    """Largest difference of times, or None where the number of spikes differs."""
    return max((abs(a - b) for a, b in zip(ours, nests)), default=0.0) if len(ours) == len(nests) else None


def singles(kind):
    cases = single_cases(kind, range(SINGLES))
    exact = [[float(t) for t in a[5::2]] for a in mint_cases.solve(cases)]
    given = run_singles(kind, cases)
    off = [departure(a, b) for a, b in zip(exact, given)]
    agree = [o for o in off if o is not None]
    print(f"{kind}: {SINGLES} single neurons, {sum(map(len, given))} spikes; departure median {np.median(agree):.1e}, "
          f"largest {max(agree):.1e} ms; other spikes in {[i for i, o in enumerate(off) if o is None]}", flush=True)
    return dict(cases=[{k: v for k, v in c.items() if k not in ("qif", "k", "v_r", "v_t", "gap", "graze")} for c in cases],
                spikes_ms=given, exact_spikes_ms=exact,
                other_spikes=[i for i, o in enumerate(off) if o is None], largest_departure_ms=max(agree))


def grazing(kind):
    """Peaks just above threshold: how often NEST misses the first spike, per distance 10^-k."""
    drawn = [i for i in range(1500) if mint_cases.draw(kind, FIRST + i)["graze"] > 0]
    cases = single_cases(kind, drawn, graze=True)
    found = [(c, float.fromhex(a[0]), float(a[5])) for c, a in zip(cases, mint_cases.solve(cases)) if float.fromhex(a[0]) != 0]
    for c, scale, _ in found:
        c["events"] = [(t, w * scale) for t, w in c["events"]]
    given = run_singles(kind, [c for c, _, _ in found])
    rows = {}
    for (c, _, first), spikes in zip(found, given):
        row = rows.setdefault(c["graze"], [0, 0, 0.0])
        row[0] += 1
        if not spikes or abs(spikes[0] - first) > 1e-3:
            row[1] += 1
        else:
            row[2] = max(row[2], abs(spikes[0] - first))
    print(f"{kind}: grazing peaks [k, cases, missed, largest departure of the others (ms)]: "
          f"{[[k, *rows[k]] for k in sorted(rows)]}", flush=True)
    return [[k, *rows[k]] for k in sorted(rows)]


def near_equal(kind):
    """Time constants of synapse and membrane that nearly coincide: NEST's largest departure."""
    def off(c):
        parts = [abs(x[0] / c["tau_m"] - 1) for x in (c["ex"], c["inh"])]
        return max([p for p in parts if p < 2e-3], default=None)

    drawn = [i for i in range(1500) if off(mint_cases.draw(kind, FIRST + i)) is not None]
    cases = single_cases(kind, drawn, near=True)
    exact = [[float(t) for t in a[5::2]] for a in mint_cases.solve(cases)]
    rows = {}
    for c, ours in zip(cases, exact):
        part = 0.0 if off(c) == 0 else 10.0 ** round(math.log10(off(c)))
        row = rows.setdefault(part, [0, 0, 0, 0.0])
        row[0] += 1
        try:
            d = departure(ours, run_singles(kind, [c])[0])
        except nest.NESTError:  # "regula_falsi ... did not converge"
            row[1] += 1
            continue
        if d is None:
            row[2] += 1
        else:
            row[3] = max(row[3], d)
    print(f"{kind}: time constants apart by [part, cases, stopped, other spikes, largest departure (ms)]: "
          f"{sorted(rows.items())}", flush=True)
    return [[k, *rows[k]] for k in sorted(rows)]


def draw_network(kind):
    p, n = NETWORK[kind], N_EXC + N_INH
    rng = np.random.default_rng(p["seed"])
    lo_ex, hi_ex, lo_in, hi_in = p["weight"]
    connections = []
    for target in range(n):
        for source in sorted(rng.choice(n, IN_DEGREE, replace=False).tolist()):
            lo, hi = (lo_ex, hi_ex) if source < N_EXC else (lo_in, hi_in)
            connections.append([source, target, rng.uniform(lo, hi), int(rng.integers(5, 51))])
    return connections, rng.uniform(330.0, 520.0, n).tolist(), rng.uniform(-65.0, -51.0, n).tolist()


def run_network(kind, connections, i_e, v0):
    fresh()
    c = mint_networks.COMMON
    p = dict(C_m=c["c_m_pf"], tau_m=c["tau_m_ms"], E_L=c["e_l_mv"], V_th=c["v_th_mv"], V_reset=c["v_reset_mv"],
             t_ref=c["t_ref_ms"])
    if kind != "delta":
        p |= dict(tau_syn_ex=NETWORK[kind]["tau_ex_ms"], tau_syn_in=NETWORK[kind]["tau_in_ms"])
    nodes = nest.Create(f"iaf_psc_{kind}_ps", len(i_e), params=p)
    nodes.I_e, nodes.V_m = i_e, v0
    recorder = nest.Create("spike_recorder")
    source, target, weight, steps = map(np.array, zip(*connections))
    nest.Connect(source + 1, target + 1, "one_to_one", dict(weight=weight, delay=np.round(steps * DT, 1)))
    nest.Connect(nodes, recorder)
    nest.Simulate(T_NETWORK)
    e = recorder.events
    return sorted(zip(e["times"].tolist(), (e["senders"] - 1).tolist()))


def network(kind, program):
    connections, i_e, v0 = draw_network(kind)
    given = run_network(kind, connections, i_e, v0)
    p = NETWORK[kind]
    mint_networks.NETWORKS["nest"] = dict(tau_ex_ms=0.0, tau_in_ms=0.0) | p
    rows = [[s, t, w, round(d * DT, 1)] for s, t, w, d in connections]
    exact, peak, meeting = mint_networks.simulate(program, "nest", rows, i_e, v0, T_NETWORK, 0.0, kind == "alpha")
    follows, growth = mint_networks.followed(exact, given, 1e-9)
    print(f"{kind}: network, {len(given)} spikes in NEST, {len(exact)} in the reference; {follows} within 1e-9 ms; "
          f"departure {growth}; closest peak {peak:.1e} mV", flush=True)
    return dict(parameters=mint_networks.COMMON | {k: v for k, v in p.items() if k.startswith("tau")},
                neurons=N_EXC + N_INH, seed=p["seed"], t_end_ms=T_NETWORK, i_e_pa=i_e, v0_mv=v0, connections=connections,
                within_1e_9_ms=follows, departure_per_100_spikes_ms=growth, spikes=given)


def main():
    out = dict(tool="NEST " + nest.__version__, resolution_ms=DT, t_end_ms=mint_cases.T_END)
    with tempfile.TemporaryDirectory() as folder:
        program = mint_networks.compile_to(folder)
        for kind in KINDS:
            out[f"iaf_psc_{kind}_ps"] = dict(single=singles(kind), network=network(kind, program))
            if kind != "delta":
                out[f"iaf_psc_{kind}_ps"]["limits"] = dict(grazing=grazing(kind), near_equal=near_equal(kind))
    parts = []
    for key, value in out.items():
        if isinstance(value, dict):
            inner = [f'"{k}": {{\n' + ",\n".join(f'{json.dumps(a)}: {json.dumps(b, separators=(",", ":"))}'
                                                  for a, b in part.items()) + "}" for k, part in value.items()]
            parts.append(f'"{key}": {{' + ",\n".join(inner) + "}")
        else:
            parts.append(f'"{key}": {json.dumps(value)}')
    with open(os.path.join(HERE, "nest_ps.json"), "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
