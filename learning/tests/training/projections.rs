//! Synapses: against a simulation, against a layer, against central differences, and what results must not
//! depend on.

mod gradients;

use std::sync::Arc;

use rheobase_engine::Instantiate;
use rheobase_engine::build::BuildOptions;
use rheobase_engine::plan::{NodeKind, Plan, WeightsError};
use rheobase_engine::rows::{RowsError, Synapse};
use rheobase_engine::simulation::Simulation;
use rheobase_engine::unrolled::{Sequence, UnrolledError, UnrolledNetwork, UnrolledOptions};
use rheobase_equations::real::Real;

use crate::network::{edge, input, linear, plan, population, unrolled};

/// A value that its name and place determine, in −1 .. 1.
fn wave(k: usize, frequency: f64) -> f64 {
    (k as f64 * frequency).sin()
}

fn projection(source: &str, target: &str, rule: &str, weight: &str, delay: &str) -> String {
    format!(
        "[[projections]]\nsource = \"{source}\"\ntarget = \"{target}\"\nrule = {rule}\nweight = {weight}\ndelay = {delay}\n"
    )
}

fn precision<R: Real>() -> &'static str {
    if R::BYTES == 4 { "f32" } else { "f64" }
}

/// 200 excitatory and 60 inhibitory neurons, with synapses of every kind, all sorts of sources, and a
/// population whose values are the sums of what arrives.
const BALANCED: &str = r#"
[models]
sum = """
neuron sum
  input x : 1
  state v = 0 : 1
  update v = x
  output value = v : 1
"""
[inputs.s]
shape = [30]
kind = "spikes"
[inputs.c]
shape = [200]
[populations.E]
model = "iaf_psc_exp"
size = 200
arithmetic = "stepwise"
initial = { v = { uniform = ["-70 mV", "-55 mV"] } }
[populations.I]
model = "iaf_psc_exp"
size = 60
arithmetic = "stepwise"
initial = { v = { uniform = ["-70 mV", "-55 mV"] } }
[populations.P]
model = "sum"
size = 20
emits = "value"
[stimuli.noise]
model = "poisson"
size = 40
rate = "700 Hz"
[stimuli.train]
model = "spike_times"
times = [["3 ms", "9 ms", "9 ms"], ["4 ms", "150 ms"], ["20 ms"]]
[stimuli.background]
model = "poisson_background"
target = ["E", "I"]
port = "ex"
rate = "3 kHz"
weight = "60 pA"
[[projections]]
source = "noise"
target = ["E", "I"]
port = "ex"
rule = { fixed_indegree = { indegree = 6 } }
weight = { normal = { mean = "70 pA", sd = "20 pA" } }
delay = { uniform = ["1 ms", "4 ms"] }
[[projections]]
source = "E"
target = ["E", "I"]
port = "ex"
rule = { fixed_indegree = { indegree = 25 } }
weight = { lognormal = { mu = 3.3, sigma = 0.6, unit = "pA" } }
delay = { normal = { mean = "6 ms", sd = "4 ms" } }
[[projections]]
source = "I"
target = ["E", "I"]
port = "in"
rule = { pairwise_bernoulli = { p = 0.2 } }
weight = "-120 pA"
delay = { uniform = ["1 ms", "9 ms"] }
[[projections]]
source = "E"
target = "E"
port = "ex"
rule = { fixed_total_number = { n = 900 } }
weight = { normal = { mean = "20 pA", sd = "30 pA" } }
delay = "2 ms"
[[projections]]
source = "s"
target = "E"
port = "ex"
rule = { fixed_outdegree = { outdegree = 20 } }
weight = "150 pA"
delay = "3 ms"
[[projections]]
source = "train"
target = "I"
port = "ex"
rule = "all_to_all"
weight = "90 pA"
[[projections]]
source = ["E", "I"]
target = "P"
rule = { pairwise_bernoulli = { p = 0.4 } }
weight = { normal = { mean = 0.0, sd = 1.0 } }
delay = { uniform = ["0 ms", "12 ms"] }
[[edges]]
source = "c"
target = "E"
port = "ex"
delay = "2 ms"
"#;

const SIMULATED: usize = 250;

fn spike_input<R: Real>(steps: usize) -> Vec<R> {
    (0..steps * 30)
        .map(|k| R::from_f64(f64::from(u8::from(k * 7919 % 101 < 4))))
        .collect()
}

fn real_input<R: Real>(steps: usize) -> Vec<R> {
    (0..steps * 200)
        .map(|k| R::from_f64(25.0 * wave(k, 0.7)))
        .collect()
}

/// Spikes of E and I and values of P in every step, from a simulation.
fn simulated<R: Instantiate>(plan: Plan, threads: usize) -> [Vec<R>; 3] {
    let options = BuildOptions {
        threads,
        ..BuildOptions::default()
    };
    let size = |name: &str| {
        let node = plan.nodes.iter().position(|n| n.name == name).unwrap();
        (node, plan.nodes[node].size())
    };
    let sizes = [size("E"), size("I")];
    let mut simulation = Simulation::<R>::build(Arc::new(plan), options).unwrap();
    simulation
        .set_input("s", 1, spike_input(SIMULATED))
        .unwrap();
    simulation.set_input("c", 1, real_input(SIMULATED)).unwrap();
    let mut values = Vec::new();
    for step in 1..=SIMULATED as u64 {
        simulation.advance_to(step).unwrap();
        values.extend(simulation.state("P", "v").unwrap());
    }
    let recording = simulation.take_recording();
    let [e, i] = sizes.map(|(node, size)| {
        let mut dense = vec![R::ZERO; SIMULATED * size];
        let (_, spikes) = recording.spikes.iter().find(|(n, _)| *n == node).unwrap();
        for (&step, &neuron) in spikes.steps.iter().zip(&spikes.neurons) {
            dense[(step as usize - 1) * size + neuron as usize] = R::ONE;
        }
        dense
    });
    [e, i, values]
}

fn options(steps: usize, batch: usize, outputs: &[&str]) -> UnrolledOptions {
    UnrolledOptions {
        steps,
        batch,
        outputs: outputs.iter().map(|&o| o.to_owned()).collect(),
        input_cotangents: true,
        ..UnrolledOptions::default()
    }
}

fn emitted<R: Instantiate>(network: &UnrolledNetwork<R>, names: &[&str]) -> Vec<Vec<R>> {
    let outputs = names.iter().map(|n| network.output(n).unwrap().to_vec());
    outputs.collect()
}

fn bits<R: Real>(values: &[R]) -> Vec<i64> {
    values.iter().map(|x| x.to_int_bits()).collect()
}

fn forward_is_a_simulation<R: Instantiate>() {
    let plan = plan(BALANCED, precision::<R>());
    let options = options(SIMULATED, 1, &["E", "I", "P"]);
    let mut network = UnrolledNetwork::<R>::new(Arc::clone(&plan), &options).unwrap();
    let (s, c) = (spike_input(SIMULATED), real_input(SIMULATED));
    network
        .forward(&[Sequence::Steps(&s), Sequence::Steps(&c)], false)
        .unwrap();
    let found = emitted(&network, &["E", "I", "P"]);
    for threads in [1, 2] {
        let expected = simulated::<R>(plan.as_ref().clone(), threads);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(bits(found), bits(expected));
        }
    }
    let n = |values: &[R]| values.iter().filter(|x| **x != R::ZERO).count();
    let counts = [n(&found[0]), n(&found[1]), n(&found[2])];
    println!(
        "{}: spikes of E and I, values of P: {counts:?}",
        precision::<R>()
    );
    assert!(
        counts[0] > 500 && counts[1] > 150 && counts[2] > 2000,
        "{counts:?}"
    );
}

#[test]
fn forward_gives_the_bits_of_a_simulation() {
    forward_is_a_simulation::<f32>();
    forward_is_a_simulation::<f64>();
}

/// Given spikes, and a population that hears of them after per-synapse delays.
fn feed_forward() -> String {
    "[inputs.s]\nshape = [30]\nkind = \"spikes\"\n".to_owned()
        + &population("h", "lif", 210, "")
        + &projection(
            "s",
            "h",
            "{ fixed_indegree = { indegree = 8 } }",
            "{ uniform = [0.2, 1.6] }",
            "{ uniform = [\"0 ms\", \"5 ms\"] }",
        )
}

/// The same, recurrent.
fn recurrent() -> String {
    feed_forward()
        + &projection(
            "h",
            "h",
            "{ pairwise_bernoulli = { p = 0.1 } }",
            "{ normal = { mean = 0.1, sd = 0.6 } }",
            "{ uniform = [\"1 ms\", \"8 ms\"] }",
        )
}

/// The same, with a population that hears of it.
fn driven() -> String {
    recurrent()
        + &population("y", "lif", 10, "options = { soft_reset = true }")
        + &projection(
            "h",
            "y",
            "{ pairwise_bernoulli = { p = 0.5 } }",
            "{ normal = { mean = 0.05, sd = 0.3 } }",
            "{ uniform = [\"0 ms\", \"3 ms\"] }",
        )
        + &edge("y", "y", 2)
}

/// Given spikes of `batch` samples, all different.
fn spikes(steps: usize, batch: usize) -> Vec<f32> {
    let fires = |k: usize| k * 7919 % 97 < 9;
    (0..steps * batch * 30)
        .map(|k| if fires(k) { 1.0 } else { 0.0 })
        .collect()
}

#[test]
fn samples_with_the_same_input_are_one_sample_repeated() {
    const STEPS: usize = 200;
    let plan = plan(&driven(), "f32");
    let run = |batch: usize| {
        let options = options(STEPS, batch, &["h", "y"]);
        let mut network = UnrolledNetwork::<f32>::new(Arc::clone(&plan), &options).unwrap();
        let one = spikes(STEPS, 1);
        let all: Vec<f32> = one.chunks(30).flat_map(|row| row.repeat(batch)).collect();
        network.forward(&[Sequence::Steps(&all)], true).unwrap();
        let output = emitted(&network, &["h", "y"]);
        let n = output[1].len() / batch;
        let g: Vec<f32> = (0..n).map(|k| wave(k, 0.37) as f32).collect();
        let g: Vec<f32> = g.chunks(10).flat_map(|row| row.repeat(batch)).collect();
        network.backward(&[("y", &g)]).unwrap();
        let gx = network.input_cotangent("s").unwrap().to_vec();
        [output[0].clone(), output[1].clone(), gx]
    };
    let one = run(1);
    assert!(one[0].iter().sum::<f32>() > 1000.0);
    assert!(one[2].iter().filter(|x| **x != 0.0).count() > 1000);
    let three = run(3);
    for ((one, three), width) in one.iter().zip(&three).zip([210, 10, 30]) {
        let repeated: Vec<f32> = one.chunks(width).flat_map(|row| row.repeat(3)).collect();
        assert_eq!(bits(&repeated), bits(three));
    }
}

type Everything = (Vec<i64>, Vec<f32>, Vec<Vec<f32>>);

/// Output, cotangent of the input, gradients.
fn run(network: &mut UnrolledNetwork<f32>, output: &str, steps: usize, batch: usize) -> Everything {
    network.clear_gradients();
    let s = spikes(steps, batch);
    network.forward(&[Sequence::Steps(&s)], true).unwrap();
    let emitted = bits(network.output(output).unwrap());
    let g: Vec<f32> = (0..emitted.len()).map(|k| wave(k, 0.37) as f32).collect();
    network.backward(&[(output, &g)]).unwrap();
    let mut gradients = Vec::new();
    network.visit_parameters(|_, _, g| gradients.push(g.values.clone()));
    let gx = network.input_cotangent("s").unwrap().to_vec();
    (emitted, gx, gradients)
}

#[test]
fn threads_and_passes_give_the_same_bits() {
    let plan = plan(&driven(), "f32");
    let make = |threads: usize| {
        let options = UnrolledOptions {
            threads,
            ..options(30, 5, &["y"])
        };
        UnrolledNetwork::<f32>::new(Arc::clone(&plan), &options).unwrap()
    };
    let expected = run(&mut make(1), "y", 30, 5);
    assert_eq!(expected.2.len(), 3);
    for gradient in &expected.2 {
        let some = gradient.iter().filter(|g| **g != 0.0).count();
        assert!(4 * some > gradient.len(), "{some} of {}", gradient.len());
    }
    for threads in [2, 3] {
        let mut network = make(threads);
        assert!(run(&mut network, "y", 30, 5) == expected, "{threads}");
        assert!(
            run(&mut network, "y", 30, 5) == expected,
            "{threads}, again"
        );
    }
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-5 * largest, "{a} {b} {largest}");
    }
}

/// Segments change the order in which gradients are summed, and cotangents of what is heard of across a cut
/// by more than one port or outside; nothing else. A truncation does not depend on them either.
#[test]
fn short_memory_gives_the_same_spikes_and_gradients() {
    for (text, output, is_exact) in [
        (feed_forward(), "h", true),
        (recurrent(), "h", false),
        (driven(), "y", false),
    ] {
        let plan = plan(&text, "f32");
        let make = |max_bytes: Option<u64>, truncate_steps: Option<usize>| {
            let options = UnrolledOptions {
                max_bytes,
                truncate_steps,
                ..options(30, 5, &[output])
            };
            UnrolledNetwork::<f32>::new(Arc::clone(&plan), &options)
        };
        let mut gradients_of = Vec::new();
        for truncate in [None, Some(10)] {
            let mut whole = make(None, truncate).unwrap();
            let expected = run(&mut whole, output, 30, 5);
            let mut lengths = Vec::new();
            for percent in [80, 60, 45, 35] {
                let most = whole.kept_bytes() * percent / 100;
                let Ok(mut network) = make(Some(most), truncate) else {
                    continue;
                };
                assert!(network.kept_bytes() <= most);
                lengths.push(network.segment_steps());
                let found = run(&mut network, output, 30, 5);
                assert!(found.0 == expected.0, "{percent}");
                assert_near(&found.1, &expected.1);
                if is_exact {
                    assert!(bits(&found.1) == bits(&expected.1), "{percent}");
                }
                for (found, expected) in found.2.iter().zip(&expected.2) {
                    assert_near(found, expected);
                }
            }
            println!("truncated: {truncate:?}; segments of {lengths:?} steps");
            assert!(lengths.iter().any(|&l| l < 10), "{lengths:?}");
            gradients_of.push(expected.2);
        }
        assert!(gradients_of[0] != gradients_of[1]);
        let error = make(Some(1000), None).err();
        assert!(
            matches!(error, Some(UnrolledError::Memory { .. })),
            "{error:?}"
        );
    }
}

/// Learned weights, put into a plan, are simulated with the same bits; those that are not learned stay.
#[test]
fn learned_weights_go_back_into_a_simulation() {
    let fixed = "source = \"I\"\nlearnable = false\n";
    let text = BALANCED.replace("source = \"I\"\n", fixed);
    let mut plan = plan(&text, "f32").as_ref().clone();
    let options = options(SIMULATED, 1, &["E", "I", "P"]);
    let mut network = UnrolledNetwork::<f32>::new(Arc::new(plan.clone()), &options).unwrap();
    let mut learned = Vec::new();
    network.visit_parameters(|name, weight, _| {
        for (k, w) in weight.values.iter_mut().enumerate() {
            *w *= 1.0 + 0.5 * wave(k, 0.9) as f32;
        }
        learned.push((name.to_owned(), weight.values.clone()));
    });
    assert_eq!(learned.len(), 9);
    assert!(!learned.iter().any(|(name, _)| name.starts_with("I -> E")));
    let (s, c) = (spike_input(SIMULATED), real_input(SIMULATED));
    let inputs = [Sequence::Steps(&s[..]), Sequence::Steps(&c[..])];
    network.forward(&inputs, false).unwrap();
    let before = simulated::<f32>(plan.clone(), 1);
    for (name, weights) in &learned {
        let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        plan.set_weights(name, &weights).unwrap();
    }
    let expected = emitted(&network, &["E", "I", "P"]);
    for threads in [1, 2] {
        let found = simulated::<f32>(plan.clone(), threads);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(bits(found), bits(expected));
        }
    }
    assert!(before[0] != expected[0]);
    // The list has the same order as the rule.
    let again = UnrolledNetwork::<f32>::new(Arc::new(plan), &options).unwrap();
    for (name, _) in &learned {
        let of = |n: &UnrolledNetwork<f32>| n.synapses(name).unwrap().collect::<Vec<Synapse>>();
        let synapses = of(&network);
        assert_eq!(of(&again), synapses);
        let order = |s: &Synapse| (s.source, s.delay_steps, s.target);
        assert!(synapses.is_sorted_by_key(order), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut small = plan(&driven(), "f32").as_ref().clone();
    let error = small.set_weights("h -> h", &[]).unwrap_err();
    println!("{error}");
    assert!(matches!(error, WeightsError::Name { .. }));
    let error = small
        .set_weights("s -> h (projections[0])", &[1.0])
        .unwrap_err();
    println!("{error}");
    assert!(matches!(
        error,
        WeightsError::Number {
            synapses: 1680,
            found: 1,
            ..
        }
    ));
    let error = small
        .set_weights("s -> h (projections[0])", &[f64::NAN])
        .unwrap_err();
    assert!(matches!(error, WeightsError::NotFinite { .. }));
    let network =
        UnrolledNetwork::<f32>::new(Arc::new(small), &UnrolledOptions::default()).unwrap();
    let error = network.synapses("h").err();
    assert!(matches!(error, Some(UnrolledError::Name { .. })));
    let beyond = UnrolledOptions {
        steps: 1 << 31,
        batch: 1 << 31,
        ..UnrolledOptions::default()
    };
    let driven = plan(&driven(), "f32");
    let error = UnrolledNetwork::<f32>::new(driven, &beyond).err();
    assert!(
        matches!(error, Some(UnrolledError::Memory { .. })),
        "{error:?}"
    );
    // 2 · 10¹² synapses.
    let huge = population("a", "lif", 1_000_000, "")
        + &population("b", "lif", 2_000_000, "")
        + &projection("a", "b", "\"all_to_all\"", "1.0", "\"1 ms\"");
    let plan = plan(&huge, "f32");
    let error = UnrolledNetwork::<f32>::new(plan, &UnrolledOptions::default()).err();
    println!("{}", error.as_ref().unwrap());
    let is_rows = |e: &UnrolledError| {
        matches!(
            e,
            UnrolledError::Build(rheobase_engine::build::BuildError::Rows(
                RowsError::TooMany { .. }
            ))
        )
    };
    assert!(error.is_some_and(|e| is_rows(&e)));
}
