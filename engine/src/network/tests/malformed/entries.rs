//! Names, entries, quantities and times.

use super::check;

#[test]
fn names_that_refer_to_nothing() {
    check(&[
        (
            "source = \"E\"",
            "source = \"X\"",
            "projections[0].source: unknown node `X`; expected E, I, readout, noise, background, fc or image",
        ),
        (
            "target = \"readout\"",
            "target = \"redout\"",
            "edges[1].target: unknown node `redout`; did you mean `readout`?",
        ),
        (
            "port = \"in\"",
            "port = \"inh\"",
            "projections[1].port: unknown port `inh`; did you mean `in`?",
        ),
        (
            "tau_m = \"10 ms\"",
            "taum = \"10 ms\"",
            "populations.E.parameters: unknown parameter `taum`; did you mean `tau_m`?",
        ),
        (
            "{ v = \"-65 mV\" }",
            "{ V_m = \"-65 mV\" }",
            "populations.E.initial: unknown state variable `V_m`; expected v, i_ex, i_in or refractory_steps",
        ),
        (
            "\"iaf_psc_exp\"",
            "\"iaf_psc_expp\"",
            "populations.E.model: unknown neuron `iaf_psc_expp`; did you mean `iaf_psc_exp`?",
        ),
        (
            "pairwise_bernoulli",
            "pairwise_bernouli",
            "projections[0].rule: unknown connectivity rule `pairwise_bernouli`; did you mean `pairwise_bernoulli`?",
        ),
        (
            "\"poisson\"",
            "\"gauss\"",
            "stimuli.noise.model: unknown stimulus `gauss`; expected poisson_background, constant_current, poisson or spike_times",
        ),
        (
            "\"linear\"",
            "\"liner\"",
            "layers.fc.model: unknown layer `liner`; did you mean `linear`?",
        ),
        (
            "variables = [\"v\"]",
            "variables = [\"w\"]",
            "monitors[0].variables: unknown state variable `w`; expected v, i_ex, i_in or refractory_steps",
        ),
        (
            "emits = \"h\"",
            "emits = \"g\"",
            "populations.readout.emits: unknown real-valued output `g`; expected h",
        ),
        (
            "state = \"E\"",
            "state = \"F\"",
            "monitors[0].state: unknown node `F`; expected E, I, readout, noise, background, fc or image",
        ),
    ]);
}

#[test]
fn entries_that_do_not_belong() {
    check(&[
        (
            "size = 80",
            "sise = 80",
            "populations.E: unknown entry `sise`; did you mean `size`?",
        ),
        (
            "dt = ",
            "timestep = \"1 ms\"\ndt = ",
            "unknown entry `timestep`; expected name, seed, dt, duration, discard, precision, batch, weight_storage, arithmetic, time, parameters, models, populations, stimuli, layers, inputs, actors, projections, edges, monitors or training",
        ),
        ("size = 80", "", "populations.E: `size` is missing"),
        (
            "size = 80",
            "size = 80\nshape = [8, 10]",
            "populations.E: give `size` or `shape`, not both",
        ),
        (
            "size = 80",
            "size = 0",
            "populations.E.size: expected a whole number from 1 to 2147483648, found 0",
        ),
        (
            "size = 80",
            "size = 3000000000",
            "populations.E.size: expected a whole number from 1 to 2147483648, found 3000000000",
        ),
        (
            "size = 80",
            "shape = [65536, 65536]",
            "populations.E.shape: a node has from 1 to 2147483648 elements",
        ),
        (
            "size = 80",
            "size = \"80 mV\"",
            "populations.E.size: expected a whole number from 1 to 2147483648, found \"80 mV\", in mV",
        ),
        (
            "dt = ",
            "batch = 0\ndt = ",
            "batch: expected a whole number from 1 to 1048576, found 0",
        ),
        (
            "dt = ",
            "precision = \"f16\"\ndt = ",
            "precision: unknown choice `f16`; expected f32 or f64",
        ),
        (
            "model = \"lif\"",
            "model = \"lif\"\nintegrator = \"rk5\"",
            "populations.readout.integrator: unknown choice `rk5`; did you mean `rk4`?",
        ),
        (
            "p = 0.1",
            "p = 0.1, q = 2",
            "projections[0].rule.pairwise_bernoulli: unknown argument `q`; expected p or autapses",
        ),
        (
            "{ p = 0.1 }",
            "{ }",
            "projections[0].rule.pairwise_bernoulli: `p` is missing: probability of a synapse",
        ),
        (
            "p = 0.1",
            "p = 1.5",
            "projections[0].rule.pairwise_bernoulli.p: 1.5 is no probability",
        ),
        (
            "rule = { pairwise_bernoulli = { p = 0.1 } }",
            "",
            "projections[0]: `rule` is missing: who is connected with whom",
        ),
        (
            "rule = { pairwise_bernoulli = { p = 0.1 } }",
            "rule = { p = 0.1 }",
            "projections[0].rule: expected the name of a rule, or { name = { arguments } }, found {\"p\":0.1}",
        ),
        (
            "state = \"E\"",
            "spikes = \"E\"",
            "monitors[0]: `variables` belongs to a monitor of `state`",
        ),
        (
            "state = \"E\"",
            "state = \"E\"\nspikes = \"I\"",
            "monitors[0]: give `spikes` or `state`, not both: they are two monitors",
        ),
        (
            "[populations.I]",
            "[populations.\"I/2\"]",
            "populations.\"I/2\": \"I/2\" is no name: names are up to 128 letters, digits, `_` and `-`",
        ),
        (
            "[layers.fc]",
            "[layers.noise]",
            "layers.noise: the name `noise` is taken by another population, stimulus, layer, input or actor\nlayers.noise: no edge leads to it\nedges[0].target: unknown node `fc`; expected E, I, readout, noise, background or image\nedges[1].source: unknown node `fc`; expected E, I, readout, noise, background or image",
        ),
    ]);
}

#[test]
fn quantities_that_cannot_be_used() {
    check(&[
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"10 mV\"",
            "populations.E.parameters.tau_m: expected a quantity in ms, found \"10 mV\"",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = 10",
            "populations.E.parameters.tau_m: the number 10 has no unit; write \"10 ms\"",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = nan",
            "populations.E.parameters.tau_m: NaN is not finite",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = inf",
            "populations.E.parameters.tau_m: inf is not finite",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"1e999 ms\"",
            "populations.E.parameters.tau_m: `1e999 ms` is no quantity: this number is too large",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"10 msec\"",
            "populations.E.parameters.tau_m: `10 msec` is no quantity: unknown unit `msec`; write `ms`",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"\"",
            "populations.E.parameters.tau_m: `` is no quantity: expected an expression, found the end of the line",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = true",
            "populations.E.parameters.tau_m: expected a quantity in ms, found true",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = 1979-05-27",
            "populations.E.parameters.tau_m: the date 1979-05-27 is no value here",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = \"-1 ms\"",
            "populations.E.parameters.tau_m: outside [0.1 ms, 1000 ms]",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = [\"10 ms\", \"12 ms\"]",
            "populations.E.parameters.tau_m: 2 values for 80 neurons",
        ),
        (
            "tau_m = \"10 ms\"",
            "tau_m = [\"10 ms\", \"12 mV\", 3]",
            "populations.E.parameters.tau_m[1]: expected a quantity in ms, found \"12 mV\"\npopulations.E.parameters.tau_m[2]: the number 3 has no unit; write \"3 ms\"",
        ),
        (
            "weight = \"4 pA\"",
            "weight = \"4 nS\"",
            "projections[0].weight: expected a quantity in pA, found \"4 nS\"",
        ),
        (
            "weight = \"4 pA\"",
            "",
            "projections[0]: `weight` is missing: a quantity in pA",
        ),
        (
            "weight = \"1 pA\"",
            "weight = \"1 mV\"",
            "stimuli.background.weight: expected a quantity in pA, found \"1 mV\"",
        ),
        (
            "rate = \"8 Hz\"",
            "rate = \"8 mV\"",
            "stimuli.noise.rate: expected a quantity in Hz, found \"8 mV\"",
        ),
        (
            "rate = \"8 Hz\"",
            "",
            "stimuli.noise: `rate` is missing: events per second",
        ),
        (
            "weight = \"4 pA\"",
            "weight = [\"4 pA\", \"5 pA\"]",
            "projections[0].weight: a list of weights belongs to a list of synapses: rule = { explicit = { sources = […], targets = […], weights = […], delays = […] } }",
        ),
    ]);
}

#[test]
fn times_that_do_not_fit() {
    check(&[
        (
            "dt = \"0.1 ms\"",
            "dt = \"0 ms\"",
            "dt: 0 ms is not above 0",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = \"-0.1 ms\"",
            "dt: -0.1 ms is not above 0",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = \"0.1 mV\"",
            "dt: expected a quantity in ms, found \"0.1 mV\"",
        ),
        (
            "dt = \"0.1 ms\"",
            "dt = 0.1",
            "dt: the number 0.1 has no unit; write \"0.1 ms\"",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"-1 s\"",
            "duration: -1 s is not above 0",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"0.25 ms\"",
            "duration: 0.25 ms is no whole number of steps of 0.1 ms",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"1 s\"\ndiscard = \"1 s\"",
            "discard: 1 s leaves nothing of the duration, 1 s",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"1 s\"\ndiscard = \"-1 ms\"",
            "discard: -1 ms is negative",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"-1.5 ms\"",
            "projections[0].delay: -1.5 ms is negative",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"1.55 ms\"",
            "projections[0].delay: 1.55 ms is no whole number of steps of 0.1 ms; round_delay = true rounds it",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"3 h\"",
            "projections[0].delay: `3 h` is no quantity: unknown unit `h`; to multiply, write `3*h`",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"1000 s\"",
            "projections[0].delay: 1000 s is 10000000 steps; the longest delay is 1048576",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"0 ms\"",
            "projections[0]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "delay = \"1.5 ms\"",
            "",
            "projections[0]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "duration = \"1 s\"",
            "duration = \"1e-12 ms\"",
            "duration: 1e-12 ms is no whole number of steps of 0.1 ms",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = \"1e-12 ms\"",
            "projections[0].delay: 1e-12 ms is no whole number of steps of 0.1 ms; round_delay = true rounds it",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"\ndelay = \"1.5 ms\"",
            "{ explicit = { sources = [0, 1, 2], targets = [1, 1, 1], delays = [\"1 ms\", \"1.55 ms\", \"2 ms\"] } }",
            "projections[0].rule.explicit.delays[1]: 1.55 ms is no whole number of steps of 0.1 ms; round_delay = true rounds it",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"\ndelay = \"1.5 ms\"",
            "{ explicit = { sources = [0, 1, 2], targets = [1, 1, 1], delays = [\"1 ms\", \"2 ms\", \"0 ms\"] } }",
            "projections[0].rule.explicit.delays[2]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"\ndelay = \"1.5 ms\"",
            "{ explicit = { sources = [0, 1, 2], targets = [1, 1, 1], delays = [\"0 ms\"] } }",
            "projections[0].rule.explicit.delays: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"\ndelay = \"1.5 ms\"",
            "{ explicit = { sources = [0, 1, 2], targets = [1, 1, 1], delays = [\"1 ms\", \"1000 s\"] } }",
            "projections[0].rule.explicit.delays[1]: 1000000 ms is 10000000 steps; the longest delay is 1048576",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"\ndelay = \"1.5 ms\"",
            "{ explicit = { sources = [0, 1, 2], targets = [1, 1, 1], delays = [\"1 ms\", \"0.04 ms\"] } }\nround_delay = true",
            "projections[0].rule.explicit.delays[1]: the delay is 0 on the cycle E -> I -> E; every edge on a cycle needs at least one step",
        ),
        (
            "delay = \"1.5 ms\"",
            "delay = { uniform = [\"-2 ms\", \"1 ms\"] }",
            "projections[0].delay: 67 % of the delays drawn would be negative",
        ),
        (
            "neurons = [0, 1]",
            "neurons = [0, 80]",
            "monitors[0].neurons: 80 is too large: there are 80 neurons, counted from 0",
        ),
        (
            "neurons = [0, 1]",
            "neurons = { first = 81 }",
            "monitors[0].neurons.first: 81 is too large: there are 80 neurons",
        ),
        (
            "neurons = [0, 1]",
            "every = \"0.25 ms\"",
            "monitors[0].every: 0.25 ms is no whole number of steps of 0.1 ms",
        ),
        (
            "neurons = [0, 1]",
            "every = \"0 ms\"",
            "monitors[0].every: 0 ms is not above 0",
        ),
    ]);
}
