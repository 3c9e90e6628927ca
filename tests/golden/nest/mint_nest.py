#!/usr/bin/env python3
"""Mint the NEST oracles in this folder: spike steps of four small recurrent networks and
step-by-step traces of single neurons.

    python mint_nest.py            write every JSON
    python mint_nest.py --check    re-run NEST, compare with the JSON on disk, run the
                                   perturbation check and a plain numpy model of each neuron

Needs nest-simulator 3.10.0, numpy, scipy (scipy only for --check). Nothing is random at run
time: connections, currents and initial potentials are drawn here with numpy's PCG64 (seed
below) and written out in full. README.md states the conventions.
"""
import json
import os
import sys

os.environ.setdefault("PYNEST_QUIET", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import nest

nest.verbosity = nest.VerbosityLevel.ERROR
HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = "NEST " + nest.__version__

# NEST's name, then our key (NEST's name in snake case plus the unit), then the value.
COMMON = [("C_m", "c_m_pf", 250.0), ("t_ref", "t_ref_ms", 2.0), ("E_L", "e_l_mv", -65.0),
          ("V_th", "v_th_mv", -50.0), ("V_reset", "v_reset_mv", -60.0)]
TAU_M = [("tau_m", "tau_m_ms", 20.0)]
TAU_SYN = [("tau_syn_ex", "tau_syn_ex_ms", 2.0), ("tau_syn_in", "tau_syn_in_ms", 5.0)]
COND = [("g_L", "g_l_ns", 12.5), ("E_ex", "e_ex_mv", 0.0), ("E_in", "e_in_mv", -80.0)]

# weights are multiples of 1/8 (exact in binary); `we`/`wi` are (unit, low, high) in that unit
MODELS = {
    "iaf_psc_delta": dict(params=COMMON + TAU_M, dt=0.1, steps=10000, seed=62, weight_unit="mv",
                          we=(0.125, 2, 8), wi=(0.125, -24, -8), ie=(395, 480)),
    "iaf_psc_exp": dict(params=COMMON + TAU_M + TAU_SYN, dt=0.1, steps=10000, seed=191, weight_unit="pa",
                        we=(0.5, 20, 160), wi=(0.5, -240, -60), ie=(395, 480)),
    "iaf_psc_alpha": dict(params=COMMON + TAU_M + TAU_SYN, dt=0.1, steps=10000, seed=57, weight_unit="pa",
                          we=(0.5, 8, 48), wi=(0.5, -72, -16), ie=(395, 480)),
    "iaf_cond_exp": dict(params=COMMON + COND + TAU_SYN, dt=0.01, steps=50000, seed=10, weight_unit="ns",
                         we=(0.125, 2, 12), wi=(0.125, -32, -8), ie=(395, 480)),
}
N_EXC, N_INH = 60, 20
N = N_EXC + N_INH
DELAYS_MS = [0.1, 0.2, 0.5, 1.0, 1.0, 1.5, 1.5, 1.5, 2.0, 3.1, 5.0]  # repeats: drawn more often


def draw(model):
    """Connections, currents and initial potentials, all on exact binary fractions."""
    m = MODELS[model]
    rng = np.random.default_rng(m["seed"])
    p = 0.12
    src, tgt = np.nonzero(rng.random((N, N)) < p)
    keep = src != tgt
    src, tgt = src[keep], tgt[keep]
    # deliberate autapses and multapses: each repeated pair differs in weight or delay, or in nothing
    auto = rng.choice(N, 6, replace=False)
    again = rng.choice(len(src), 20, replace=False)
    src, tgt = (np.concatenate([src, auto, src[again], src[again[:5]]]),
                np.concatenate([tgt, auto, tgt[again], tgt[again[:5]]]))
    n = len(src)
    weight = np.where(src < N_EXC,
                      m["we"][0] * rng.integers(m["we"][1], m["we"][2], n, endpoint=True),
                      m["wi"][0] * rng.integers(m["wi"][1], m["wi"][2], n, endpoint=True))
    delay = np.rint(rng.choice(DELAYS_MS, n) / m["dt"]).astype(int)
    if m["dt"] < 0.1:                       # a few delays of one step, and off the 0.1 ms grid
        odd = rng.choice(n, 40, replace=False)
        delay[odd] = rng.choice([1, 7, 133], 40)
    delay[n - 5:] = delay[n - 25:n - 20]    # five multapses share source, target and delay
    weight[n - 2:] = weight[n - 22:n - 20]  # and of those, two share the weight as well
    order = rng.permutation(n)              # the list is in no particular order
    i_e = 0.5 * rng.integers(m["ie"][0], m["ie"][1], N, endpoint=True)  # half the numbers in `ie`
    v0 = -65.0 + 0.25 * rng.integers(0, 56, N, endpoint=True)
    return src[order], tgt[order], weight[order], delay[order], i_e, v0


def kernel(dt):
    nest.ResetKernel()
    nest.set(resolution=dt, local_num_threads=1, rng_seed=1)


def simulate(model, src, tgt, weight, delay, i_e, v0):
    m = MODELS[model]
    kernel(m["dt"])
    pop = nest.Create(model, N, params={k: v for k, _, v in m["params"]})
    pop.I_e = list(map(float, i_e))
    pop.V_m = list(map(float, v0))
    assert np.allclose(pop.V_m, v0, rtol=0, atol=1e-12)
    ids = np.array(pop.tolist())
    nest.Connect(ids[src], ids[tgt], "one_to_one",
                 {"synapse_model": "static_synapse", "weight": weight.astype(float),
                  "delay": delay * m["dt"]})
    got = nest.GetConnections(pop, pop).get(["source", "target", "weight", "delay"])
    a = sorted(zip(got["source"], got["target"], got["weight"],
                   np.rint(np.array(got["delay"]) / m["dt"]).astype(int)))
    assert a == sorted(zip(ids[src], ids[tgt], weight, delay)), "NEST made other connections"
    rec = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(pop, rec)
    nest.Simulate(m["steps"] * m["dt"])
    ev = rec.events
    assert not np.any(ev["offsets"])
    step, neuron = np.asarray(ev["times"], int), np.asarray(ev["senders"], int) - ids[0]
    o = np.lexsort((neuron, step))
    return step[o], neuron[o]


# ---------------------------------------------------------------- single neurons
def single_case(name, model, dt, t_ms, times, weights, delay_steps=1, record_every=1, i_e=0.0,
                v0=-65.0, change=(), offgrid=False, note=""):
    base = [(k, key, dict(change).get(key, v)) for k, key, v in MODELS[model]["params"]]
    if "refractory_input" in dict(change):
        base.append(("refractory_input", "refractory_input", dict(change)["refractory_input"]))
    kernel(dt)
    nrn = nest.Create(model, 1, params={k: v for k, _, v in base})
    nrn.set(I_e=i_e, V_m=v0)
    gp = {"spike_times": times, "spike_weights": weights}
    if offgrid:
        gp["allow_offgrid_times"] = True
    gen = nest.Create("spike_generator", params=gp)
    nest.Connect(gen, nrn, syn_spec={"weight": 1.0, "delay": delay_steps * dt})
    what = {"iaf_psc_delta": ["V_m"], "iaf_psc_exp": ["V_m", "I_syn_ex", "I_syn_in"],
            "iaf_psc_alpha": ["V_m", "I_syn_ex", "I_syn_in"], "iaf_cond_exp": ["V_m", "g_ex", "g_in"]}[model]
    mm = nest.Create("multimeter", params={"record_from": what, "interval": record_every * dt,
                                           "time_in_steps": True})
    nest.Connect(mm, nrn)
    rec = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(nrn, rec)
    # the multimeter sees a sample only in the slice after it was taken: run one slice more, then cut
    n = int(round(t_ms / dt))
    nest.Simulate((n + 10) * dt)
    step = np.asarray(mm.events["times"], int)
    keep = step <= n
    assert list(step[keep]) == list(range(record_every, n + 1, record_every))
    unit = {"V_m": "v_m_mv", "I_syn_ex": "i_syn_ex_pa", "I_syn_in": "i_syn_in_pa", "g_ex": "g_ex_ns", "g_in": "g_in_ns"}
    trace = {unit[w]: [float(x) for x in np.asarray(mm.events[w])[keep]] for w in what}
    arrival = [int(np.ceil(t / dt - 1e-9)) + delay_steps for t in times]
    spikes = [int(s) for s in rec.events["times"] if s <= n]
    return {"name": name, "note": note, "dt_ms": dt, "steps": n,
            "parameters": {key: v for _, key, v in base}, "i_e_pa": i_e, "v0_mv": v0,
            "input": {"time_ms": times, "weight": weights, "delay_steps": delay_steps, "arrival_step": arrival},
            "record_every": record_every, "first_recorded_step": record_every,
            **trace, "spike_steps": spikes}


def singles(model):
    if model == "iaf_psc_delta":
        # the 12.0 ms jump fires at 12.1; the 13.0 ms one arrives inside refractoriness (12.1..14.1)
        t = [1.0, 3.0, 3.0, 5.0, 12.0, 13.0, 13.9, 14.0, 14.1, 40.0, 60.0, 60.5]
        w = [2.0, 3.0, -1.5, -2.0, 20.0, 4.0, 1.0, 1.5, 2.5, 2.5, -4.0, 1.25]
        c = [single_case("default", model, 0.1, 100.0, t, w, i_e=200.0,
                         note="three inputs arrive while refractory and are lost"),
             single_case("refractory_input", model, 0.1, 100.0, t, w, i_e=200.0,
                         change=[("refractory_input", True)],
                         note="inputs that arrive while refractory are kept, decayed to the end of it, then added"),
             single_case("regular_firing", model, 0.1, 100.0, [50.0], [0.5], delay_steps=15, i_e=450.0,
                         note="constant current alone makes it fire; t_ref 2 ms")]
        c.append(single_case("t_ref_one_step", model, 0.1, 50.0, [10.0, 10.1, 10.2], [20.0, 20.0, 20.0],
                             change=[("t_ref_ms", 0.1)], note="t_ref of a single step"))
    elif model == "iaf_psc_exp":
        t = [1.0, 3.0, 3.0, 5.0, 12.0, 20.0, 21.0, 21.5, 40.0, 60.0, 60.5]
        w = [200.0, 300.0, -150.0, -200.0, 4500.0, 800.0, -300.0, 200.0, 250.0, -400.0, 125.5]
        c = [single_case("default", model, 0.1, 100.0, t, w, i_e=200.0),
             single_case("tau_syn_ex_equals_tau_m", model, 0.1, 60.0, t[:9], w[:9], i_e=200.0,
                         change=[("tau_syn_ex_ms", 20.0)], note="the degenerate propagator"),
             single_case("regular_firing", model, 0.1, 100.0, [50.0], [100.0], delay_steps=15, i_e=450.0)]
    elif model == "iaf_psc_alpha":
        t = [1.0, 3.0, 3.0, 5.0, 12.0, 14.5, 20.0, 21.0, 21.5, 40.0, 60.0, 60.5]
        w = [100.0, 150.0, -75.0, -100.0, 2000.0, -350.0, 400.0, -150.0, 100.0, 125.0, -200.0, 62.5]
        c = [single_case("default", model, 0.1, 100.0, t, w, i_e=200.0),
             single_case("tau_syn_ex_equals_tau_m", model, 0.1, 60.0, t[:9], w[:9], i_e=200.0,
                         change=[("tau_syn_ex_ms", 20.0)], note="the degenerate propagator"),
             single_case("regular_firing", model, 0.1, 100.0, [50.0], [100.0], delay_steps=15, i_e=450.0)]
    else:
        t = [1.0, 3.0, 3.0, 5.0, 12.0, 14.0, 14.5, 40.0, 60.0, 60.5]
        w = [4.0, 3.0, -1.5, -6.0, 80.0, 8.0, -3.0, 2.5, -8.0, 1.25]
        c = [single_case("dt_0.1", model, 0.1, 100.0, t, w, i_e=150.0),
             single_case("dt_0.01", model, 0.01, 100.0, t, w, delay_steps=10, record_every=10, i_e=150.0,
                         note="same arrival times as dt_0.1; recorded every tenth step"),
             single_case("regular_firing", model, 0.01, 100.0, [50.0], [2.0], delay_steps=150,
                         record_every=10, i_e=450.0)]
    c.append(single_case("off_grid_input", model, 0.1, 10.0, [1.03, 2.0, 3.07], [w[0]] * 3, offgrid=True,
                         note="allow_offgrid_times: an input time off the grid counts at the end of its step"))
    return c


# ---------------------------------------------------------------- a plain numpy model, to check the words in README.md
def plain(model, dt, steps, P, src, tgt, weight, delay, i_e, v0, external=(), trace=None,
          refractory_input=False):
    """README's update order, stepwise in f64. Returns steps, neurons and the closest approach to threshold.
    `external`: (arrival step, weight) for neuron 0. `trace` collects neuron 0's V at the end of each step."""
    n = len(v0)
    L = int(max(delay, default=0)) + 1
    ring = np.zeros((2, L, n))
    V, r = np.array(v0, float), np.zeros(n, int)
    ref = int(round(P["t_ref_ms"] / dt))
    C, E = P["c_m_pf"], P["e_l_mv"]
    out = [np.nonzero(src == i)[0] for i in range(n)]
    chan = (weight < 0).astype(int)
    syn = np.zeros((2, 2, n))       # [channel, stage]
    if model != "iaf_cond_exp":
        from scipy.linalg import expm
        tm = P["tau_m_ms"]
        props = []
        for key in ("tau_syn_ex_ms", "tau_syn_in_ms"):
            if model == "iaf_psc_delta":
                break
            ts = P[key]
            if model == "iaf_psc_exp":
                A = np.array([[-1 / ts, 0], [1 / C, -1 / tm]])
            else:
                A = np.array([[-1 / ts, 0, 0], [1, -1 / ts, 0], [0, 1 / C, -1 / tm]])
            props.append(expm(A * dt))
        pm = np.exp(-dt / tm)
    spikes, margin, kept = [], np.inf, np.zeros(n)
    for s in range(1, steps + 1):
        free = r == 0
        old = V
        if model == "iaf_cond_exp":
            te, ti = P["tau_syn_ex_ms"], P["tau_syn_in_ms"]
            ge, gi = syn[0, 0], syn[1, 0]

            def f(t, v):
                return (-P["g_l_ns"] * (v - E) - ge * np.exp(-t / te) * (v - P["e_ex_mv"])
                        - gi * np.exp(-t / ti) * (v - P["e_in_mv"]) + i_e) / C
            v, sub = V, 1 if dt <= 0.01 else 20
            h = dt / sub
            for k in range(sub):
                t = k * h
                k1 = f(t, v); k2 = f(t + h / 2, v + h / 2 * k1)
                k3 = f(t + h / 2, v + h / 2 * k2); k4 = f(t + h, v + h * k3)
                v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            syn[0, 0] = ge * np.exp(-dt / te)
            syn[1, 0] = gi * np.exp(-dt / ti)
        else:
            inf = E + i_e * tm / C
            v = inf + (V - inf) * pm
            for c, A in enumerate(props):
                if model == "iaf_psc_exp":
                    v = v + A[1, 0] * syn[c, 0]
                    syn[c, 0] = A[0, 0] * syn[c, 0]
                else:
                    v = v + A[2, 0] * syn[c, 0] + A[2, 1] * syn[c, 1]
                    syn[c, 1] = A[1, 0] * syn[c, 0] + A[1, 1] * syn[c, 1]
                    syn[c, 0] = A[0, 0] * syn[c, 0]
        V = np.where(free, v, old)
        r = np.where(free, r, r - 1)
        arrived = ring[:, s % L].copy()
        ring[:, s % L] = 0
        for at, w in external:
            if at == s:
                arrived[int(w < 0), 0] += w
        if model == "iaf_psc_delta":
            V = np.where(free, V + arrived[0] + arrived[1] + kept, V)    # lost while refractory, or
            kept = np.where(free, 0.0, kept)                             # kept, decayed to its end
            if refractory_input:
                kept = kept + np.where(free, 0.0, arrived.sum(0) * np.exp(-(r + 1) * dt / tm))
        elif model == "iaf_cond_exp":
            syn[0, 0] += arrived[0]; syn[1, 0] -= arrived[1]
        else:
            gain = {"iaf_psc_exp": (1.0, 1.0),
                    "iaf_psc_alpha": (np.e / P.get("tau_syn_ex_ms", 1), np.e / P.get("tau_syn_in_ms", 1))}[model]
            syn[0, 0] += gain[0] * arrived[0]; syn[1, 0] += gain[1] * arrived[1]
        if free.any():
            margin = min(margin, float(np.abs(V[free] - P["v_th_mv"]).min()))
        fire = np.nonzero(V >= P["v_th_mv"])[0]
        V = V.copy()
        V[fire] = P["v_reset_mv"]
        r[fire] = ref
        if trace is not None:
            trace.append(float(V[0]))
        for i in fire:
            spikes.append((s, int(i)))
            e = out[i]
            np.add.at(ring, (chan[e], (s + delay[e]) % L, tgt[e]), weight[e])
    return np.array([a for a, _ in spikes]), np.array([b for _, b in spikes]), margin


# ---------------------------------------------------------------- write and check
def dump(name, obj):
    path = os.path.join(HERE, name)
    with open(path + ".tmp", "w") as f:
        json.dump(obj, f, separators=(",", ":"))
        f.write("\n")
    os.replace(path + ".tmp", path)
    print(f"{name}: {os.path.getsize(path) / 1000:.0f} kB")


def network_json(model):
    m = MODELS[model]
    src, tgt, weight, delay, i_e, v0 = draw(model)
    step, neuron = simulate(model, src, tgt, weight, delay, i_e, v0)
    rate = np.bincount(neuron, minlength=N) / (m["steps"] * m["dt"] / 1000)
    print(f"{model}: {len(step)} spikes, {len(src)} connections, rates {rate.min():.1f}..{rate.max():.1f} Hz, "
          f"E {rate[:N_EXC].mean():.1f} I {rate[N_EXC:].mean():.1f} Hz")
    obj = {"tool": TOOL, "model": model, "dt_ms": m["dt"], "steps": m["steps"],
           "parameters": {key: v for _, key, v in m["params"]}, "n": N, "n_excitatory": N_EXC,
           "i_e_pa": i_e.tolist(), "v0_mv": v0.tolist(), "weight_unit": m["weight_unit"],
           "connections": {"source": src.tolist(), "target": tgt.tolist(), "weight": weight.tolist(),
                           "delay_steps": delay.tolist()},
           "spikes": {"step": step.tolist(), "neuron": neuron.tolist()}}
    if model == "iaf_cond_exp":
        obj["spikes"]["time_ms"] = [round(s * m["dt"], 2) for s in step.tolist()]
    return obj


def check(model):
    with open(os.path.join(HERE, model + ".json")) as f:
        j = json.load(f)
    c = {k: np.array(v) for k, v in j["connections"].items()}
    arg = [c["source"], c["target"], c["weight"], c["delay_steps"]]
    i_e, v0 = np.array(j["i_e_pa"]), np.array(j["v0_mv"])
    want = (np.array(j["spikes"]["step"]), np.array(j["spikes"]["neuron"]))

    def compare(got):
        if len(got[0]) == len(want[0]) and all(np.array_equal(a, b) for a, b in zip(got, want)):
            return "same steps"
        a, b = set(zip(*map(list, got))), set(zip(*map(list, want)))
        d = sorted(a ^ b)
        return f"DIFFERS: {len(d)} events of {len(b)}, the first at step {d[0][0]}"

    print(f"{model}: {len(want[0])} spikes")
    print("  again:", compare(simulate(model, *arg, i_e, v0)))
    rng = np.random.default_rng(0)
    for eps in (1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6):
        print(f"  i_e x (1 + {eps:g}):", compare(simulate(model, *arg, i_e * (1 + eps), v0)),
              f"| (1 - {eps:g}):", compare(simulate(model, *arg, i_e * (1 - eps), v0)),
              "| random signs:", compare(simulate(model, *arg, i_e * (1 + eps * rng.choice([-1, 1], N)), v0)))
    *got, margin = plain(model, j["dt_ms"], j["steps"], j["parameters"], *arg, i_e, v0)
    print(f"  plain numpy model: {compare(got)}; closest approach to threshold {margin:.2e} mV", flush=True)


def check_single(model):
    with open(os.path.join(HERE, f"single_{model}.json")) as f:
        cases = json.load(f)["cases"]
    for k in cases:
        none, v = np.zeros(0, int), []
        step, _, _ = plain(model, k["dt_ms"], k["steps"], k["parameters"], none, none, np.zeros(0), none,
                           np.array([k["i_e_pa"]]), np.array([k["v0_mv"]]),
                           external=list(zip(k["input"]["arrival_step"], k["input"]["weight"])), trace=v,
                           refractory_input=k["parameters"].get("refractory_input", False))
        assert step.tolist() == k["spike_steps"], (k["name"], step.tolist(), k["spike_steps"])
        v = v[k["record_every"] - 1::k["record_every"]]
        e = max(abs(a - b) for a, b in zip(v, k["v_m_mv"]))
        print(f"  single {k['name']}: plain numpy V_m differs by at most {e:.1e} mV; spikes {k['spike_steps']}")


if __name__ == "__main__":
    if "--check" in sys.argv:
        for model in MODELS:
            check(model)
            check_single(model)
    else:
        for model in MODELS:
            dump(model + ".json", network_json(model))
            dump(f"single_{model}.json", {"tool": TOOL, "model": model, "weight_unit": MODELS[model]["weight_unit"],
                                          "cases": singles(model)})
