#!/usr/bin/env python3
"""Mint statistics.json: rates, irregularity and synchrony of COBA, CUBA and Brunel in NEST.

    python mint_statistics.py [coba] [cuba] [brunel] [--seeds 1,2,3,4,5]

One thread; about 7 (COBA), 1 (CUBA) and 16 to 30 minutes (Brunel) for five seeds. Results of each
seed are merged into statistics.json as they come. README.md lists every choice made.
"""
import json
import os
import sys
import time

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import nest

nest.verbosity = nest.VerbosityLevel.ERROR
HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "statistics.json")
DT, DISCARD_MS, WINDOW_MS, BIN_MS = 0.1, 500.0, 10000.0, 3.0

COMMON = {"n_excitatory": 3200, "n_inhibitory": 800, "connection_probability": 0.02, "v_th_mv": -50.0,
          "v_reset_mv": -60.0, "t_ref_ms": 5.0, "c_m_pf": 200.0, "tau_syn_ex_ms": 5.0, "tau_syn_in_ms": 10.0,
          "delay_ms": 0.1, "v0_mv": "uniform in [-60, -50)"}
SETUP = {
    "coba": {"neuron": "iaf_cond_exp", **COMMON, "e_l_mv": -60.0, "g_l_ns": 10.0, "e_ex_mv": 0.0, "e_in_mv": -80.0,
             "i_e_pa": 200.0, "weight_ex_ns": 4.0, "weight_in_ns": -51.0},
    "cuba": {"neuron": "iaf_psc_exp", **COMMON, "e_l_mv": -49.0, "tau_m_ms": 20.0, "i_e_pa": 0.0,
             "weight_ex_pa": 16.2, "weight_in_pa": -90.0},
    "brunel": {"neuron": "iaf_psc_delta", "n_excitatory": 10000, "n_inhibitory": 2500, "indegree_ex": 1000,
               "indegree_in": 250, "c_m_pf": 1.0, "tau_m_ms": 20.0, "t_ref_ms": 2.0, "e_l_mv": 0.0,
               "v_reset_mv": 0.0, "v_th_mv": 20.0, "i_e_pa": 0.0, "v0_mv": 0.0, "weight_ex_mv": 0.1, "g": 5.0,
               "weight_in_mv": -0.5, "delay_ms": 1.5, "eta": 2.0, "poisson_rate_hz": 20000.0,
               "poisson_weight_mv": 0.1, "refractory_input": False},
}
NEST_NAME = {"v_th_mv": "V_th", "v_reset_mv": "V_reset", "t_ref_ms": "t_ref", "c_m_pf": "C_m", "e_l_mv": "E_L",
             "tau_syn_ex_ms": "tau_syn_ex", "tau_syn_in_ms": "tau_syn_in", "g_l_ns": "g_L", "e_ex_mv": "E_ex",
             "e_in_mv": "E_in", "tau_m_ms": "tau_m", "i_e_pa": "I_e", "refractory_input": "refractory_input"}


def build(name):
    s = SETUP[name]
    pop = nest.Create(s["neuron"], s["n_excitatory"] + s["n_inhibitory"],
                      params={NEST_NAME[k]: v for k, v in s.items() if k in NEST_NAME})
    exc, inh = pop[:s["n_excitatory"]], pop[s["n_excitatory"]:]
    unit = {"coba": "ns", "cuba": "pa", "brunel": "mv"}[name]
    pop.V_m = 0.0 if name == "brunel" else nest.random.uniform(-60.0, -50.0)
    for source, kind in ((exc, "ex"), (inh, "in")):
        if name == "brunel":
            rule = {"rule": "fixed_indegree", "indegree": s["indegree_" + kind]}
        else:
            rule = {"rule": "pairwise_bernoulli", "p": s["connection_probability"]}
        nest.Connect(source, pop, {**rule, "allow_autapses": True, "allow_multapses": name == "brunel"},
                     {"weight": s[f"weight_{kind}_{unit}"], "delay": s["delay_ms"]})
    if name == "brunel":
        noise = nest.Create("poisson_generator", params={"rate": s["poisson_rate_hz"]})
        nest.Connect(noise, pop, syn_spec={"weight": s["poisson_weight_mv"], "delay": s["delay_ms"]})
    rec = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(pop, rec)
    return pop, exc, inh, rec


def statistics(step, neuron, n, start, length):
    """Of the spikes with start < step <= start + length; neurons are 0..n-1."""
    inside = (step > start) & (step <= start + length)
    step, neuron = step[inside], neuron[inside]
    order = np.lexsort((step, neuron))
    s, k = step[order], neuron[order]
    isi = (s[1:] - s[:-1])[k[1:] == k[:-1]] * DT
    owner = k[1:][k[1:] == k[:-1]]
    count = np.bincount(owner, minlength=n)
    total = np.bincount(owner, isi, n)
    mean = total / np.maximum(count, 1)
    var = np.bincount(owner, (isi - mean[owner]) ** 2, n) / np.maximum(count, 1)
    used = count >= 2
    width = int(round(BIN_MS / DT))
    bins = length // width
    h = np.bincount((step - start - 1) // width, minlength=bins)[:bins]
    return {"rate_hz": len(step) / n / (length * DT / 1000), "cv_isi": float(np.mean(np.sqrt(var[used]) / mean[used])),
            "synchrony": float(h.var() / h.mean()), "spikes": len(step), "neurons_in_cv": int(used.sum())}


def run(name, seed):
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=1, rng_seed=seed)
    t0 = time.time()
    pop, exc, inh, rec = build(name)
    nest.Simulate(DISCARD_MS + WINDOW_MS)
    step = np.asarray(rec.events["times"], int)
    neuron = np.asarray(rec.events["senders"], int) - pop[0].global_id
    start, length = int(round(DISCARD_MS / DT)), int(round(WINDOW_MS / DT))
    ne = len(exc)
    out = {"seed": seed, "connections": int(nest.num_connections - len(pop) * (2 if name == "brunel" else 1))}
    for label, lo, hi in (("excitatory", 0, ne), ("inhibitory", ne, len(pop))):
        m = (neuron >= lo) & (neuron < hi)
        out[label] = statistics(step[m], neuron[m] - lo, hi - lo, start, length)
        # one second, as a short test would see it
        one = [statistics(step[m], neuron[m] - lo, hi - lo, start + k * length // 10, length // 10) for k in range(10)]
        for q in ("rate_hz", "cv_isi", "synchrony"):
            v = [o[q] for o in one]
            out[label][q + "_1s"] = {"mean": float(np.mean(v)), "sd": float(np.std(v, ddof=1))}
    print(name, "seed", seed, f"{time.time() - t0:.0f} s", json.dumps(out), flush=True)
    return out


def merge(name, result):
    data = {"tool": "NEST " + nest.__version__, "dt_ms": DT, "threads": 1, "discarded_ms": DISCARD_MS,
            "window_ms": WINDOW_MS, "synchrony_bin_ms": BIN_MS, "networks": {}}
    if os.path.exists(PATH):
        with open(PATH) as f:
            data["networks"] = json.load(f)["networks"]
    net = data["networks"].setdefault(name, {})
    seeds = {r["seed"]: r for r in net.get("per_seed", [])}
    seeds[result["seed"]] = result
    per_seed = [seeds[k] for k in sorted(seeds)]
    summary = {}
    for label in ("excitatory", "inhibitory"):
        summary[label] = {}
        for q in ("rate_hz", "cv_isi", "synchrony"):
            v = [r[label][q] for r in per_seed]
            summary[label][q] = {"mean": float(np.mean(v)), "sd": float(np.std(v, ddof=1)) if len(v) > 1 else None}
    data["networks"][name] = {"parameters": SETUP[name], "summary": summary, "per_seed": per_seed}
    data["networks"] = {k: data["networks"][k] for k in SETUP if k in data["networks"]}
    with open(PATH + ".tmp", "w") as f:
        json.dump(data, f, indent=1)
        f.write("\n")
    os.replace(PATH + ".tmp", PATH)


if __name__ == "__main__":
    names = [a for a in sys.argv[1:] if a in SETUP] or list(SETUP)
    seeds = [1, 2, 3, 4, 5]
    if "--seeds" in sys.argv:
        seeds = [int(s) for s in sys.argv[sys.argv.index("--seeds") + 1].split(",")]
    for name in names:
        for seed in seeds:
            merge(name, run(name, seed))
