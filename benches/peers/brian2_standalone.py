#!/usr/bin/env python3
"""Run COBA or CUBA in Brian2's C++ standalone mode on one thread and print one line of JSON.

    python brian2_standalone.py coba --duration 5

`simulation_s` is the wall time of the loop over time steps, taken inside the compiled program:
generating code, compiling, wiring and writing results are outside. Brian2's own compiler flags are
kept (-O3 -ffast-math -march=native by its default); they favour it over a portable build.
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
SYNAPSES = {"iaf_cond_exp": ("g_ex", "g_in", nS), "iaf_psc_exp": ("i_ex", "i_in", pA)}
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
}
# As Rheobase: its text leaves COBA to exponential Euler (first order) and CUBA to the propagator.
METHOD = {
    "iaf_cond_exp": ("exponential_euler", "exponential Euler, first order"),
    "iaf_psc_exp": ("exact", "exact propagator"),
}
UNIT = {"c": pF, "g": nS, "i": pA, "t": ms, "tau": ms, "v": mV, "e": mV}


def main():
    options = definition.arguments(__doc__.splitlines()[0])
    network = definition.read(options.network)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.build_dir or pathlib.Path(scratch)
        run(network, options, folder.resolve())


def run(network, options, folder):
    begun = time.perf_counter()
    prepare(network, options)
    objects, spikes = build(network)
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
    brian2.prefs.devices.cpp_standalone.openmp_threads = 0
    brian2.prefs.codegen.cpp.headers += ["<chrono>"]
    brian2.device.insert_code("before_network_run", "const auto begun_ = std::chrono::steady_clock::now();")
    brian2.device.insert_code("after_network_run", f"""
        const std::chrono::duration<double> wall_ = std::chrono::steady_clock::now() - begun_;
        std::ofstream(results_dir + "{WALL_FILE}") << wall_.count();
    """)
    brian2.defaultclock.dt = network.dt_ms * ms
    brian2.seed(options.seed)


def build(network):
    """All neurons in one group and one bundle of synapses per sign: fewest passes over memory."""
    n_e, n = network.sizes["E"], sum(network.sizes.values())
    values = {k: v * UNIT[k.split("_")[0]] for k, v in network.parameters.items()}
    # Brian2 tests the threshold after the update and stamps the spike with the start of the step:
    # one step more holds v for t_ref, as NEST and Rheobase do.
    held = values.pop("t_ref") + network.dt_ms * ms
    neurons = brian2.NeuronGroup(n, EQUATIONS[network.model], threshold="v >= v_th", reset="v = v_reset",
                                 refractory=held, method=METHOD[network.model][0], namespace=values)
    low, high = network.v_range
    neurons.v = f"({low} + rand()*{high - low})*mV"
    excitation, inhibition, unit = SYNAPSES[network.model]
    objects = [neurons]
    for source, variable, weight in ((neurons[:n_e], excitation, network.weights["E"]),
                                     (neurons[n_e:], inhibition, network.weights["I"])):
        synapses = brian2.Synapses(source, neurons, on_pre=f"{variable} += w", delay=network.delay_ms * ms,
                                   namespace={"w": weight * unit})
        synapses.connect(p=network.probability)
        objects.append(synapses)
    spikes = brian2.SpikeMonitor(neurons)
    return [*objects, spikes], spikes


def by_population(spikes, network):
    neuron, times_ms = np.asarray(spikes.i), np.asarray(spikes.t / ms)
    excitatory = neuron < network.sizes["E"]
    return {"E": times_ms[excitatory], "I": times_ms[~excitatory]}


if __name__ == "__main__":
    main()
