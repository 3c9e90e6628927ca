#!/usr/bin/env python3
"""Write cuba_ps.json: the CUBA network with NEST's precise-time neurons (iaf_psc_exp_ps), beside
the same on the grid (iaf_psc_exp): rates, irregularity, synchrony and time.

    python cuba_ps.py        needs nest-simulator 3.10.0 and numpy; one thread, a few minutes
"""
import json
import os
import time

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
import nest
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
N_EXC, N_INH, P, DISCARD_MS, WINDOW_MS, BIN_MS, SEEDS = 3200, 800, 0.02, 500.0, 5000.0, 3.0, [1, 2, 3]
NEURON = dict(C_m=200.0, tau_m=20.0, tau_syn_ex=5.0, tau_syn_in=10.0, E_L=-49.0, V_th=-50.0, V_reset=-60.0,
              t_ref=5.0, I_e=0.0)
WEIGHT_EX_PA, WEIGHT_IN_PA, DELAY_MS = 16.2, -90.0, 0.1
RUNS = [("iaf_psc_exp_ps", 0.1), ("iaf_psc_exp", 0.1), ("iaf_psc_exp", 0.01)]  # the last for one seed


def statistics(times, neurons, n, start, length):
    """Of the spikes with start < time <= start + length (ms): as in ../nest/README.md."""
    inside = (times > start) & (times <= start + length)
    times, neurons = times[inside], neurons[inside]
    intervals = [np.diff(np.sort(times[neurons == i])) for i in range(n)]
    cv = [d.std() / d.mean() for d in intervals if len(d) >= 2]
    edges = start + BIN_MS * np.arange(int(length / BIN_MS) + 1)
    counts = np.histogram(times, edges)[0]
    return dict(rate_hz=len(times) / n / length * 1e3, cv_isi=float(np.mean(cv)), neurons_in_cv=len(cv),
                synchrony=float(counts.var() / counts.mean()))


def run(model, dt, seed):
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=dt, local_num_threads=1, rng_seed=seed)
    nodes = nest.Create(model, N_EXC + N_INH, params=NEURON)
    nodes.V_m = nest.random.uniform(-60.0, -50.0)
    rule = dict(rule="pairwise_bernoulli", p=P, allow_autapses=True)
    nest.Connect(nodes[:N_EXC], nodes, rule, dict(weight=WEIGHT_EX_PA, delay=DELAY_MS))
    nest.Connect(nodes[N_EXC:], nodes, rule, dict(weight=WEIGHT_IN_PA, delay=DELAY_MS))
    recorder = nest.Create("spike_recorder")
    nest.Connect(nodes, recorder)
    nest.Simulate(DISCARD_MS)
    wall, cpu = time.perf_counter(), time.process_time()
    nest.Simulate(WINDOW_MS)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    times, neurons = np.asarray(recorder.events["times"]), np.asarray(recorder.events["senders"]) - 1
    out = dict(seed=seed, wall_s_per_biological_s=wall / WINDOW_MS * 1e3, cpu_s_per_biological_s=cpu / WINDOW_MS * 1e3)
    for label, lo, hi in (("excitatory", 0, N_EXC), ("inhibitory", N_EXC, N_EXC + N_INH)):
        mine = (neurons >= lo) & (neurons < hi)
        t, i = times[mine], neurons[mine] - lo
        out[label] = statistics(t, i, hi - lo, DISCARD_MS, WINDOW_MS)
        parts = [statistics(t, i, hi - lo, DISCARD_MS + 1e3 * k, 1e3) for k in range(int(WINDOW_MS / 1e3))]
        out[label] |= {q + "_1s": float(np.mean([p[q] for p in parts])) for q in ("rate_hz", "cv_isi", "synchrony")}
    print(model, dt, json.dumps(out), flush=True)
    return out


def main():
    results = {f"{model} dt {dt} ms": [] for model, dt in RUNS}
    for seed in SEEDS:
        for model, dt in RUNS if seed == SEEDS[0] else RUNS[:2]:
            results[f"{model} dt {dt} ms"].append(run(model, dt, seed))
    out = dict(tool="NEST " + nest.__version__, threads=1, discarded_ms=DISCARD_MS, window_ms=WINDOW_MS, bin_ms=BIN_MS,
               neuron=NEURON, excitatory=N_EXC, inhibitory=N_INH, connection_probability=P, weight_ex_pa=WEIGHT_EX_PA,
               weight_in_pa=WEIGHT_IN_PA, delay_ms=DELAY_MS, v0_mv="uniform in [-60, -50)", results=results)
    with open(os.path.join(HERE, "cuba_ps.json"), "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
