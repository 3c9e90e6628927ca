#!/usr/bin/env python3
"""Run a network in Brian2's C++ standalone mode and print one line of JSON.

    python brian2_standalone.py coba --duration 5

`simulation_s` is the wall time of the loop over time steps, taken inside the compiled program:
generating code, compiling, wiring and writing results are outside. Brian2's own compiler flags are
kept (-O3 -ffast-math -march=native by its default); they favour it over a portable build. More than
one thread is Brian2's OpenMP mode.
"""
import importlib.metadata
import pathlib
import tempfile
import time

import brian2
import numpy as np
from brian2 import ms, mV, nS, pA, pF

import definition

WALL_FILE = "advance_wall_s.txt"
# External neurons behind a Poisson input: Brian2 draws binomial numbers of them.
VIRTUAL_SOURCES = 1000
EQUATIONS = {
    "iaf_cond_exp": """
        dv/dt = (g_l*(e_l - v) + g_ex*(e_ex - v) + g_in*(e_in - v) + i_e)/c_m : volt (unless refractory)
        dg_ex/dt = -g_ex/tau_ex : siemens
        dg_in/dt = -g_in/tau_in : siemens
    """,
    "iaf_psc_exp": """
        dv/dt = (e_l - v)/tau_m + (i_ex + i_in + i_e)/c_m : volt (unless refractory)
        di_ex/dt = -i_ex/tau_ex : amp
        di_in/dt = -i_in/tau_in : amp
    """,
    "iaf_psc_delta": """
        dv/dt = (e_l - v)/tau_m + i_e/c_m : volt (unless refractory)
    """,
}
PORTS = {
    "iaf_cond_exp": {"ex": ("g_ex", nS), "in": ("g_in", nS)},
    "iaf_psc_exp": {"ex": ("i_ex", pA), "in": ("i_in", pA)},
    "iaf_psc_delta": {"delta": ("v", mV)},
}
# As Rheobase: its text leaves COBA to exponential Euler (first order) and the others to the propagator.
METHOD = {
    "iaf_cond_exp": ("exponential_euler", "exponential Euler, first order"),
    "iaf_psc_exp": ("exact", "exact propagator"),
    "iaf_psc_delta": ("exact", "exact propagator"),
}
UNIT = {"c": pF, "g": nS, "i": pA, "t": ms, "tau": ms, "v": mV, "e": mV}
DIMENSION = {"c": "farad", "g": "siemens", "i": "amp", "t": "second", "tau": "second", "v": "volt", "e": "volt"}


def main():
    options = definition.arguments(__doc__.splitlines()[0])
    network = definition.read(options.network)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.build_dir or pathlib.Path(scratch)
        run(network, options, folder.resolve())


def run(network, options, folder):
    begun = time.perf_counter()
    prepare(network, options)
    objects, spikes = build(network, np.random.default_rng(options.seed))
    brian2.Network(*objects).run(options.duration * 1e3 * ms)
    brian2.device.build(directory=str(folder), compile=True, run=False, debug=False)
    build_s = time.perf_counter() - begun
    brian2.device.run(directory=str(folder), with_output=False)
    wall = pathlib.Path(brian2.device.results_dir, WALL_FILE).read_text(encoding="ascii")
    definition.report(
        "Brian2 C++ standalone", importlib.metadata.version("brian2"), options,
        build_s=build_s, simulation_s=float(wall),
        rate_hz=definition.rates(by_population(spikes, network), network.sizes, options),
        integrator=METHOD[network.model][1],
        # Brian2's own figure: processor time of the same loop, blind to other programs.
        simulation_cpu_s=brian2.device._last_run_time,
    )


def prepare(network, options):
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.prefs.core.default_float_dtype = np.float32 if options.precision == "f32" else np.float64
    brian2.prefs.devices.cpp_standalone.openmp_threads = options.threads if options.threads > 1 else 0
    brian2.prefs.codegen.cpp.headers += ["<chrono>"]
    brian2.device.insert_code("before_network_run", "const auto begun_ = std::chrono::steady_clock::now();")
    brian2.device.insert_code("after_network_run", f"""
        const std::chrono::duration<double> wall_ = std::chrono::steady_clock::now() - begun_;
        std::ofstream(results_dir + "{WALL_FILE}") << wall_.count();
    """)
    brian2.defaultclock.dt = network.dt_ms * ms
    brian2.seed(options.seed)


def build(network, rng):
    """All neurons in one group and one bundle of synapses per port: fewest passes over memory."""
    neurons = group(network)
    first = starts(network)
    set_potentials(neurons, network, first, rng)
    objects = [neurons]
    for port, (variable, unit) in PORTS[network.model].items():
        objects += synapses(neurons, network, first, variable, unit,
                            [p for p in network.projections if p.port == port], rng)
    for background in network.backgrounds:
        variable, unit = PORTS[network.model][background.port]
        start, size = first[background.target], network.sizes[background.target]
        objects.append(brian2.PoissonInput(
            neurons[start:start + size], variable, N=VIRTUAL_SOURCES,
            rate=background.rate / VIRTUAL_SOURCES / ms, weight=background.weight * unit))
    spikes = brian2.SpikeMonitor(neurons)
    return [*objects, spikes], spikes


def group(network):
    """Parameters all populations share are constants, the others values of each neuron."""
    populations = network.populations.values()
    values, own = {}, []
    for name in next(iter(populations)).parameters:
        of_each = [p.parameters[name] for p in populations]
        if len(set(of_each)) == 1:
            values[name] = of_each[0] * UNIT[name.split("_")[0]]
        else:
            own.append(name)
    # Brian2 tests the threshold after the update and stamps the spike with the start of the step:
    # one step more holds v for t_ref, as NEST and Rheobase do.
    held = values.pop("t_ref") + network.dt_ms * ms
    lines = [f"{name} : {DIMENSION[name.split('_')[0]]} (constant)" for name in own]
    neurons = brian2.NeuronGroup(sum(network.sizes.values()), "\n".join([EQUATIONS[network.model], *lines]),
                                 threshold="v >= v_th", reset="v = v_reset", refractory=held,
                                 method=METHOD[network.model][0], namespace=values)
    for name in own:
        each = np.concatenate([np.full(p.size, p.parameters[name]) for p in populations])
        setattr(neurons, name, each * UNIT[name.split("_")[0]])
    return neurons


def starts(network):
    """Where each population begins."""
    ends = np.cumsum([0, *network.sizes.values()])
    return dict(zip(network.sizes, (int(e) for e in ends)))


def set_potentials(neurons, network, first, rng):
    values = np.empty(sum(network.sizes.values()))
    for name, p in network.populations.items():
        part = values[first[name]:first[name] + p.size]
        match p.v:
            case None:
                part[:] = p.parameters["e_l"]
            case (low, high):
                part[:] = rng.uniform(low, high, p.size)
            case definition.Normal() as normal:
                part[:] = draw(normal, p.size, rng)
            case value:
                part[:] = value
    neurons.v = values * mV


def synapses(neurons, network, first, variable, unit, projections, rng):
    """Constants stay constants; one weight and one delay per source need no arrays."""
    kinds = {(p.rule, p.source, p.weight, p.delay) for p in projections}
    if all(isinstance(p.weight, float) and isinstance(p.delay, float) for p in projections):
        return [constant_synapses(neurons, network, first, variable, unit, projections, source, weight, delay, rng)
                for _, source, weight, delay in sorted(kinds)]
    bundle = brian2.Synapses(neurons, neurons, "w : 1", on_pre=f"{variable} += w*unit_of_w",
                             namespace={"unit_of_w": unit})
    parts = [(*pairs(p, network, first, rng), p) for p in projections]
    bundle.connect(i=np.concatenate([part[0] for part in parts]), j=np.concatenate([part[1] for part in parts]))
    bundle.w = np.concatenate([draw(p.weight, len(i), rng) for i, _, p in parts])
    delays = np.concatenate([draw(p.delay, len(i), rng) for i, _, p in parts])
    # On the grid and at least one step, as Rheobase and NEST round them.
    steps = np.maximum(np.round(delays / network.dt_ms), 1.0)
    bundle.delay = steps * network.dt_ms * ms
    return [bundle]


def constant_synapses(neurons, network, first, variable, unit, projections, source, weight, delay, rng):
    mine = [p for p in projections if p.source == source]
    start, size = first[source], network.sizes[source]
    bundle = brian2.Synapses(neurons[start:start + size], neurons, on_pre=f"{variable} += w",
                             delay=delay * ms, namespace={"w": weight * unit})
    if mine[0].rule == "pairwise_bernoulli" and [p.target for p in mine] == list(network.sizes):
        bundle.connect(p=mine[0].amount)
        return bundle
    parts = [pairs(p, network, first, rng) for p in mine]
    bundle.connect(i=np.concatenate([part[0] for part in parts]) - start, j=np.concatenate([part[1] for part in parts]))
    return bundle


def pairs(projection, network, first, rng):
    """Sources and targets of a projection, multapses and autapses allowed."""
    n_source, n_target = network.sizes[projection.source], network.sizes[projection.target]
    match projection.rule:
        case "fixed_indegree":
            j = np.repeat(np.arange(n_target, dtype=np.int32), projection.amount)
        case "fixed_total_number":
            j = rng.integers(0, n_target, projection.amount, dtype=np.int32)
        case rule:
            raise definition.DefinitionError(f"rule {rule}: expected onto all populations")
    i = rng.integers(0, n_source, len(j), dtype=np.int32)
    return i + first[projection.source], j + first[projection.target]


def draw(value, n, rng):
    if not isinstance(value, definition.Normal):
        return np.full(n, value)
    x = rng.normal(value.mean, value.sd, n)
    while (outside := (x < value.low) | (x > value.high)).any():
        x[outside] = rng.normal(value.mean, value.sd, int(outside.sum()))
    return x


def by_population(spikes, network):
    neuron, times_ms = np.asarray(spikes.i), np.asarray(spikes.t / ms)
    first = starts(network)
    return {name: times_ms[(neuron >= first[name]) & (neuron < first[name] + size)]
            for name, size in network.sizes.items()}


if __name__ == "__main__":
    main()
