#!/usr/bin/env python3
"""Mint microcircuit.json: rates, irregularity and synchrony of the cortical microcircuit in NEST.

    python mint_microcircuit.py microcircuit.json [--scale 0.1] [--seeds 1,2,3,4,5]

The argument holds the published parameters (populations, sizes, probabilities, …) under the names read
below. One thread; about a minute per seed at scale 0.1. README.md lists every choice made.
"""
import argparse
import json
import math
import os

os.environ.setdefault("PYNEST_QUIET", "1")
import numpy as np
import nest

nest.verbosity = nest.VerbosityLevel.ERROR
HERE = os.path.dirname(os.path.abspath(__file__))
DT, DISCARD_MS, WINDOW_MS, BIN_MS = 0.1, 500.0, 5000.0, 3.0


def parameters(published, scale):
    """Sizes, synapse numbers, mean weights and currents, scaled."""
    sizes = np.array(published["sizes"])
    p = np.array(published["connection_probability[target][source]"])
    external = np.array(published["external_in_degree"])
    rates = np.array(published["reference_rates_hz"])
    w = published["weight_pa"]
    number = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            if p[i, j] > 0:
                number[i, j] = round(math.log(1 - p[i, j]) / math.log1p(-1 / (sizes[i] * sizes[j])))
    weights = np.full((8, 8), w["mean"])
    weights[:, 1::2] *= w["inhibitory_factor"]
    weights[0, 2] *= w["L4E_to_L23E_factor"]
    tau = published["neuron"]["tau_syn_ex_ms"]
    rate = published["background_rate_hz_per_external_synapse"]
    mean = (weights * number / sizes[:, None] * rates).sum(1) + w["external"] * external * rate
    nearest = lambda x: np.floor(x + 0.5).astype(int)
    return {
        "sizes": nearest(sizes * scale),
        "synapses": nearest(number * scale**2),
        "weights": weights / math.sqrt(scale),
        "current": 0.001 * tau * (1 - math.sqrt(scale)) * mean,
        "background_rate": rate * external * scale,
        "background_weight": w["external"] / math.sqrt(scale),
    }


def build(published, net, seed):
    """The network with a spike recorder for each population."""
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=1, rng_seed=seed)
    n, v0 = published["neuron"], published["initial_v_mv_per_population"]
    fixed = {"tau_m": n["tau_m_ms"], "C_m": n["c_m_pf"], "E_L": n["e_l_mv"], "V_th": n["v_th_mv"],
             "V_reset": n["v_reset_mv"], "t_ref": n["t_ref_ms"], "tau_syn_ex": n["tau_syn_ex_ms"],
             "tau_syn_in": n["tau_syn_in_ms"]}
    populations, recorders = [], []
    for i in range(8):
        population = nest.Create(n["model"], int(net["sizes"][i]), {**fixed, "I_e": float(net["current"][i])})
        population.V_m = nest.random.normal(v0["mean"][i], v0["sd"][i])
        generator = nest.Create("poisson_generator", params={"rate": float(net["background_rate"][i])})
        nest.Connect(generator, population, "all_to_all", {"weight": net["background_weight"], "delay": 1.5})
        recorder = nest.Create("spike_recorder")
        nest.Connect(population, recorder)
        populations.append(population)
        recorders.append(recorder)
    for i, target in enumerate(populations):
        for j, source in enumerate(populations):
            if net["synapses"][i, j] > 0:
                connect(published, source, target, net["synapses"][i, j], net["weights"][i, j], j % 2 == 0)
    return populations, recorders


def connect(published, source, target, number, weight, excitatory):
    """A fixed total number; weights of one sign; delays that round to one step or more."""
    low, high = (0.0, np.inf) if excitatory else (-np.inf, 0.0)
    sd = abs(weight) * published["weight_pa"]["relative_sd"]
    mean_delay, sd_delay = published["delay_ms"]["excitatory" if excitatory else "inhibitory"]
    nest.Connect(
        source, target,
        {"rule": "fixed_total_number", "N": int(number), "allow_autapses": True, "allow_multapses": True},
        {"weight": nest.math.redraw(nest.random.normal(weight, sd), min=low, max=high),
         "delay": nest.math.redraw(nest.random.normal(mean_delay, sd_delay), min=DT / 2, max=np.inf)})


def statistics(events, size):
    """Rate, mean CV over neurons with three spikes or more, variance over mean of binned counts."""
    times, senders = events["times"], events["senders"]
    kept = times > DISCARD_MS
    times, senders = times[kept], senders[kept]
    order = np.lexsort((times, senders))
    times, senders = times[order], senders[order]
    cvs = []
    for train in np.split(times, np.flatnonzero(np.diff(senders)) + 1):
        if len(train) >= 3:
            intervals = np.diff(train)
            cvs.append(intervals.std() / intervals.mean())
    bins = int(WINDOW_MS // BIN_MS)
    counts, _ = np.histogram(times, bins=bins, range=(DISCARD_MS, DISCARD_MS + bins * BIN_MS))
    return {"rate_hz": len(times) / size / WINDOW_MS * 1000, "cv_isi": float(np.mean(cvs)),
            "synchrony": float(counts.var() / counts.mean())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parameters")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    options = parser.parse_args()
    with open(options.parameters) as file:
        published = json.load(file)
    net = parameters(published, options.scale)
    names = published["populations"]
    result = {
        "tool": f"NEST {nest.__version__}", "scale": options.scale, "dt_ms": DT, "discarded_ms": DISCARD_MS,
        "window_ms": WINDOW_MS, "synchrony_bin_ms": BIN_MS,
        "neurons": int(net["sizes"].sum()), "synapses": int(net["synapses"].sum()),
        "current_pa": dict(zip(names, map(float, net["current"]))), "per_seed": [],
    }
    for seed in map(int, options.seeds.split(",")):
        populations, recorders = build(published, net, seed)
        nest.Simulate(DISCARD_MS + WINDOW_MS)
        entry = {name: statistics(recorder.get("events"), len(population))
                 for name, population, recorder in zip(names, populations, recorders)}
        result["per_seed"].append({"seed": seed, **entry})
        print(seed, {name: round(entry[name]["rate_hz"], 3) for name in names}, flush=True)
        with open(os.path.join(HERE, "microcircuit.json"), "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
