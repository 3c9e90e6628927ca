#!/usr/bin/env python3
"""Run a network in NEST and print one line of JSON.

    python nest_simulator.py microcircuit_10 --duration 2 --threads 2

`simulation_s` is the wall time of `nest.Run`: creating, connecting and `nest.Prepare` are outside.
Spikes of all neurons are recorded in memory. NEST computes in f64 only.
"""
import os
import sys
import time

os.environ.setdefault("PYNEST_QUIET", "1")
import nest
import numpy as np

import definition

PARAMETERS = {"c_m": "C_m", "g_l": "g_L", "e_l": "E_L", "v_th": "V_th", "v_reset": "V_reset", "t_ref": "t_ref",
              "tau_m": "tau_m", "tau_ex": "tau_syn_ex", "tau_in": "tau_syn_in", "e_ex": "E_ex", "e_in": "E_in",
              "i_e": "I_e"}
INTEGRATOR = {
    "iaf_cond_exp": "adaptive Runge-Kutta-Fehlberg, order 4 with error control",
    "iaf_psc_exp": "exact propagator",
    "iaf_psc_delta": "exact propagator",
}


def main():
    options = definition.arguments(__doc__.splitlines()[0])
    network = definition.read(options.network)
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=network.dt_ms, local_num_threads=options.threads, rng_seed=options.seed)
    begun = time.perf_counter()
    populations, recorder = build(network)
    nest.Prepare()
    build_s = time.perf_counter() - begun
    begun = time.perf_counter()
    nest.Run(options.duration * 1e3)
    simulation_s = time.perf_counter() - begun
    nest.Cleanup()
    options.precision = "f64"
    definition.report(
        "NEST", nest.__version__, options, build_s=build_s, simulation_s=simulation_s,
        rate_hz=definition.rates(by_population(recorder, populations), network.sizes, options),
        integrator=INTEGRATOR[network.model],
    )


def build(network):
    populations = {name: add_population(network, p) for name, p in network.populations.items()}
    for background in network.backgrounds:
        source = nest.Create("poisson_generator", params={"rate": background.rate * 1e3})
        nest.Connect(source, populations[background.target],
                     syn_spec={"weight": signed(network, background.port, background.weight),
                               "delay": network.dt_ms})
    for projection in network.projections:
        key = {"pairwise_bernoulli": "p", "fixed_indegree": "indegree", "fixed_total_number": "N"}[projection.rule]
        rule = {"rule": projection.rule, key: projection.amount}
        if projection.rule != "pairwise_bernoulli":
            rule |= {"allow_multapses": True, "allow_autapses": True}
        nest.Connect(populations[projection.source], populations[projection.target], rule,
                     {"weight": signed(network, projection.port, drawn(projection.weight)),
                      "delay": drawn(projection.delay)})
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    for population in populations.values():
        nest.Connect(population, recorder)
    return populations, recorder


def add_population(network, population):
    parameters = {PARAMETERS[k]: v for k, v in population.parameters.items()}
    neurons = nest.Create(network.model, population.size, params=parameters)
    match population.v:
        case None:
            neurons.V_m = population.parameters["e_l"]
        case (low, high):
            neurons.V_m = nest.random.uniform(low, high)
        case definition.Normal() as normal:
            neurons.V_m = drawn(normal)
        case value:
            neurons.V_m = value
    return neurons


def drawn(value):
    if not isinstance(value, definition.Normal):
        return value
    normal = nest.random.normal(value.mean, value.sd)
    if value.low == -np.inf and value.high == np.inf:
        return normal
    finite = np.clip((value.low, value.high), -sys.float_info.max, sys.float_info.max)
    return nest.math.redraw(normal, min=float(finite[0]), max=float(finite[1]))


def signed(network, port, weight):
    """NEST tells the port of a conductance by the sign of the weight."""
    return -weight if network.model == "iaf_cond_exp" and port == "in" else weight


def by_population(recorder, populations):
    events = recorder.get("events")
    neuron = np.asarray(events["senders"])
    times_ms = np.asarray(events["times"], float) * nest.resolution
    return {name: times_ms[(neuron >= p[0].global_id) & (neuron <= p[-1].global_id)]
            for name, p in populations.items()}


if __name__ == "__main__":
    main()
