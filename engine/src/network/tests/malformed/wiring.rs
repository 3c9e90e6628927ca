//! Things that do not fit each other, and components that cannot be read.

use super::check;

#[test]
fn things_that_do_not_fit_each_other() {
    check(&[
        (
            "port = \"in\"\n",
            "",
            "projections[1]: `port` is missing: `E` has the ports ex, in",
        ),
        (
            "target = \"E\"\nport = \"ex\"\nrate",
            "rate",
            "stimuli.background: `poisson_background` acts on a port: `target` is missing",
        ),
        (
            "size = 50",
            "target = \"E\"\nport = \"ex\"",
            "stimuli.noise: `poisson` emits spikes and is a node: leave `target` and `port` out, give `size`, and connect it by a projection",
        ),
        (
            "size = 50",
            "",
            "stimuli.noise: `size` is missing: number of neurons",
        ),
        (
            "model = \"poisson\"\nsize = 50\nrate = \"8 Hz\"",
            "model = \"spike_times\"\nsize = 50\ntimes = [[\"1 ms\"], [\"2 ms\", \"3 ms\"]]",
            "stimuli.noise.size: 50, but its arguments make 2 neurons",
        ),
        (
            "model = \"poisson\"\nsize = 50\nrate = \"8 Hz\"",
            "model = \"spike_times\"\ntimes = [[\"1 ms\"], [\"2 ms\", \"3 mV\"]]",
            "stimuli.noise.times[1][1]: expected a quantity in ms, found \"3 mV\"",
        ),
        (
            "source = \"I\"\ntarget",
            "source = \"background\"\ntarget",
            "projections[1].source: `background` acts on a port of its target and is no node: nothing leads from or to it",
        ),
        (
            "source = \"I\"\ntarget",
            "source = \"readout\"\ntarget",
            "projections[1].source: `readout` emits real values; a projection carries spikes (use [[edges]], or a layer)",
        ),
        (
            "target = \"I\"",
            "target = \"fc\"",
            "projections[0].target: `fc` is no population; only populations have synapses",
        ),
        (
            "target = \"I\"",
            "target = \"noise\"",
            "projections[0].target: `noise` is no population; only populations have synapses",
        ),
        (
            "indegree = 5",
            "indegree = 21, multapses = false",
            "projections[1].rule.fixed_indegree: an in-degree of 21 without multapses needs as many sources; there are 20 (I -> E)",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }",
            "\"one_to_one\"",
            "projections[0].rule.one_to_one: 80 sources for 20 targets (E -> I)",
        ),
        (
            "out_features = 10",
            "out_features = 11",
            "edges[1]: `fc` has 11 elements, `readout` 10; an edge joins element i to element i",
        ),
        (
            "shape = [784]",
            "shape = [28, 28]",
            "layers.fc: expected a vector; `image` has shape [28,28]",
        ),
        (
            "source = \"image\"\ntarget = \"fc\"",
            "source = \"image\"\ntarget = \"E\"\nport = \"ex\"",
            "layers.fc: no edge leads to it\nedges[0]: `image` has 784 elements, `E` 80; an edge joins element i to element i",
        ),
        (
            "[[monitors]]",
            "[[edges]]\nsource = \"noise\"\ntarget = \"fc\"\n\n[[monitors]]",
            "layers.fc: what several edges carry to a layer is added up and must have one shape; `image` has shape [784], `noise` has shape [50]",
        ),
        (
            "source = \"image\"\ntarget = \"fc\"",
            "source = \"fc\"\ntarget = \"fc\"\ndelay = \"1 ms\"",
            "layers.fc: its shape depends on itself: a cycle must pass through a population",
        ),
        (
            "target = \"readout\"",
            "target = \"image\"",
            "edges[1]: `image` has no input port",
        ),
        (
            "state = \"E\"\nvariables = [\"v\"]\nneurons = [0, 1]",
            "spikes = [\"E\", \"readout\"]",
            "monitors[0].spikes: `readout` emits real values, no spikes",
        ),
        (
            "state = \"E\"\nvariables = [\"v\"]\nneurons = [0, 1]",
            "spikes = [\"E\", \"E\"]",
            "monitors[0].spikes: the spikes of `E` are recorded already",
        ),
        (
            "state = \"E\"",
            "state = \"noise\"",
            "monitors[0].state: `noise` is no population; only populations have state",
        ),
        (
            "model = \"lif\"\nsize = 10\nemits = \"h\"",
            "model = \"rusty\"\nsize = 10\nintegrator = \"rk4\"",
            "populations.readout.integrator: `rusty` is written in Rust and has no equations; leave `integrator` out",
        ),
        (
            "{ pairwise_bernoulli = { p = 0.1 } }\nweight = \"4 pA\"",
            "{ explicit = { sources = [0], targets = [1], delays = [\"1 ms\"] } }\nweight = \"4 pA\"",
            "projections[0].weight: the rule carries weights and delays of its own; leave this out\nprojections[0].delay: the rule carries weights and delays of its own; leave this out",
        ),
    ]);
}

#[test]
fn inline_models_that_cannot_be_read() {
    check(&[
        (
            "dv/dt = -v/tau : mV",
            "dv/dt = -v/tua : mV",
            "models.leak: this text cannot be read\nerror: unknown name `tua`\n --> bad.toml (models.leak):3:14\n  |\n3 |   dv/dt = -v/tua : mV\n  |              ^^^ not a parameter, state, input, subexpression or unit\n  |\n  = help: did you mean `tau`?",
        ),
        (
            "neuron leak",
            "neuron leek",
            "models.leak: the text describes `leek`; use that name here",
        ),
        (
            "leak = \"\"\"",
            "empty = \"\"\nleak = \"\"\"",
            "models.empty: this text cannot be read\nerror: there is no component in this text\n --> bad.toml (models.empty):1:1\n  |\n1 | \n  | ^ expected `neuron NAME`",
        ),
        (
            "leak = \"\"\"",
            "leak2 = { path = \"a.rheo\" }\nleak = \"\"\"",
            "models.leak2: expected the text of a component or { file = \"…\" }, found {\"path\":\"a.rheo\"}",
        ),
        (
            "leak = \"\"\"",
            "leak2 = { file = \"missing.rheo\" }\nleak = \"\"\"",
            "models.leak2: cannot read missing.rheo: No such file or directory (os error 2)",
        ),
    ]);
}
