#!/usr/bin/env python3
"""Run COBA or CUBA on GeNN's single-threaded CPU backend and print one line of JSON.

    python genn.py coba --duration 5

`simulation_s` is the wall time of the loop over `step_time()`: generating code, compiling, loading
and wiring are outside. What favours GeNN is chosen where there is a choice: code is optimised
(`optimize_code`, -O3 -ffast-math), weights are constants and not arrays, indices are narrow, spikes
are recorded inside the generated code, and the delay of one step is GeNN's shortest (an event acts
in the update after its spike, one update earlier than in NEST, Brian2 and Rheobase).
"""
import contextlib
import importlib.metadata
import os
import pathlib
import sys
import tempfile
import time

from pygenn import GeNNModel, create_var_ref, init_postsynaptic, init_sparse_connectivity, init_var, init_weight_update

import definition

# GeNN's LIF relaxes exactly towards its target at the synaptic current of the step.
INTEGRATOR = {
    "iaf_cond_exp": "exact leak, synaptic current of the start of the step held over it, first order",
    "iaf_psc_exp": "exact leak, mean synaptic current of the step held over it",
}
PF_TO_NF = PA_TO_NA = NS_TO_US = 1e-3


def main():
    options = definition.arguments(__doc__.splitlines()[0], threads=False)
    network = definition.read(options.network)
    if network.model not in INTEGRATOR or network.backgrounds:
        raise definition.DefinitionError("network: expected coba or cuba")
    if any(p.delay != network.dt_ms or p.rule != "pairwise_bernoulli" for p in network.projections):
        raise definition.DefinitionError("projections: expected pairwise_bernoulli and a delay of one step")
    with tempfile.TemporaryDirectory() as scratch:
        run(network, options, options.build_dir or pathlib.Path(scratch))


def run(network, options, folder):
    begun = time.perf_counter()
    model, populations = build(network, options)
    steps = round(options.duration * 1e3 / network.dt_ms)
    folder.mkdir(parents=True, exist_ok=True)
    with output_to_stderr():
        model.build(str(folder))
        model.load(num_recording_timesteps=steps)
    build_s = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(steps):
        model.step_time()
    simulation_s = time.perf_counter() - begun
    model.pull_recording_buffers_from_device()
    times_ms = {name: population.spike_recording_data[0][0] for name, population in populations.items()}
    definition.report(
        "GeNN single-threaded CPU", importlib.metadata.version("pygenn"), options,
        build_s=build_s, simulation_s=simulation_s,
        rate_hz=definition.rates(times_ms, network.sizes, options),
        integrator=INTEGRATOR[network.model],
    )


@contextlib.contextmanager
def output_to_stderr():
    """The compiler's messages go where they do not mix with the line of JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def build(network, options):
    model = GeNNModel("float" if options.precision == "f32" else "double", f"peer_{network.name}",
                      backend="single_threaded_cpu", optimize_code=True)
    model.dt = network.dt_ms
    model.seed = options.seed
    model.default_narrow_sparse_ind_enabled = True
    model.fuse_postsynaptic_models = True
    populations = {name: add_population(model, network, name) for name in network.sizes}
    for projection in network.projections:
        add_projection(model, network, populations, projection)
    return model, populations


def add_population(model, network, name):
    p = network.populations[name].parameters
    tau_m = p["c_m"] / p["g_l"] if "g_l" in p else p["tau_m"]
    low, high = network.populations[name].v
    population = model.add_neuron_population(
        name, network.sizes[name], "LIF",
        {"C": p["c_m"] * PF_TO_NF, "TauM": tau_m, "Vrest": p["e_l"], "Vreset": p["v_reset"],
         "Vthresh": p["v_th"], "Ioffset": p["i_e"] * PA_TO_NA,
         # Counted down in steps of dt: half a step less is immune to rounding and holds v for t_ref.
         "TauRefrac": p["t_ref"] - network.dt_ms / 2},
        {"V": init_var("Uniform", {"min": low, "max": high}), "RefracTime": 0.0})
    population.spike_recording_enabled = True
    return population


def add_projection(model, network, populations, projection):
    target = populations[projection.target]
    parameters = network.populations[projection.target].parameters
    shape = {"tau": parameters[f"tau_{projection.port}"]}
    if network.model == "iaf_cond_exp":
        weight = projection.weight * NS_TO_US
        postsynaptic = init_postsynaptic("ExpCond", shape | {"E": parameters[f"e_{projection.port}"]},
                                         var_refs={"V": create_var_ref(target, "V")})
    else:
        weight = projection.weight * PA_TO_NA
        postsynaptic = init_postsynaptic("ExpCurr", shape)
    model.add_synapse_population(
        f"{projection.source}{projection.target}", "SPARSE", populations[projection.source], target,
        init_weight_update("StaticPulseConstantWeight", {"g": weight}), postsynaptic,
        init_sparse_connectivity("FixedProbability", {"prob": projection.amount}))


if __name__ == "__main__":
    main()
