//! Circuits of biology step by step: projections, stimuli, both arithmetics.

use super::*;

/// Excitatory neurons enough for anchored arithmetic, inhibitory ones in stepwise arithmetic; constant
/// and drawn delays, drawn weights, two projections onto one port, a stimulus that is a node and
/// one that acts on a port, an input from outside.
const CIRCUIT: &str = r#"
name = "circuit"
seed = 3
dt = "0.1 ms"
duration = "60 ms"

[inputs.x]
shape = [300]
kind = "spikes"

[stimuli.noise]
model = "poisson"
size = 200
rate = "400 Hz"

[stimuli.background]
model = "poisson_background"
target = "I"
port = "ex"
rate = "8 kHz"
weight = "40 pA"

[populations.E]
model = "iaf_psc_exp"
size = 1200
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }
parameters = { i_e = "320 pA" }

[populations.I]
model = "iaf_psc_exp"
size = 300
initial = { v = { uniform = ["-65 mV", "-50 mV"] } }

[[projections]]
source = "noise"
target = ["E", "I"]
port = "ex"
rule = { fixed_indegree = { indegree = 20 } }
weight = { normal = { mean = "87 pA", sd = "8 pA" } }
delay = { uniform = ["0.1 ms", "3 ms"] }

[[projections]]
source = "E"
target = ["E", "I"]
port = "ex"
rule = { pairwise_bernoulli = { p = 0.05 } }
weight = "40 pA"
delay = "1.5 ms"

[[projections]]
source = "I"
target = ["E", "I"]
port = "in"
rule = { pairwise_bernoulli = { p = 0.1 } }
weight = "-200 pA"
delay = { normal = { mean = "0.8 ms", sd = "0.2 ms" }, redraw = ["0.1 ms", "2 ms"] }

[[edges]]
source = "x"
target = "I"
port = "ex"

[[monitors]]
spikes = ["E", "I"]
"#;

const STEPS: u64 = 600;

fn active(step: u64) -> Vec<u32> {
    (0..300)
        .filter(|&i| noise((step * 300 + u64::from(i)) as usize) < 0.01)
        .collect()
}

/// Spikes of E and I, by step.
fn simulated(plan: &Plan) -> Vec<[Vec<u32>; 2]> {
    let mut simulation =
        Simulation::<f32>::build(Arc::new(plan.clone()), BuildOptions::default()).unwrap();
    let values = (1..=STEPS).flat_map(|step| {
        let list = active(step);
        (0..300).map(move |i| if list.contains(&i) { 1.0 } else { 0.0 })
    });
    simulation.set_input("x", 1, values.collect()).unwrap();
    simulation.advance_to(STEPS).unwrap();
    let recording = simulation.take_recording();
    let mut all = vec![[Vec::new(), Vec::new()]; STEPS as usize];
    for (k, (_, spikes)) in recording.spikes.iter().enumerate() {
        for (&step, &neuron) in spikes.steps.iter().zip(&spikes.neurons) {
            all[step as usize - 1][k].push(neuron);
        }
    }
    all
}

fn of(plan: &Plan) -> Session<f32> {
    let options = SessionOptions {
        outputs: vec!["E".to_owned(), "I".to_owned()],
        ..SessionOptions::default()
    };
    Session::new(plan, &options).unwrap()
}

fn check(plan: &Plan, least: usize) {
    let expected = simulated(plan);
    let total: usize = expected.iter().flatten().map(Vec::len).sum();
    assert!(total > least, "{total} spikes");
    let mut session = of(plan);
    let lists: Vec<Vec<u32>> = (1..=STEPS).map(active).collect();
    let mut halfway = None;
    let mut allocated = 0;
    for (k, list) in lists.iter().enumerate() {
        if k == 300 {
            halfway = Some(session.state());
        }
        let before = ALLOCATIONS.with(Cell::get);
        let emitted = session.step(&[StepInput::Spikes(list)]).unwrap();
        allocated += ALLOCATIONS.with(Cell::get) - before;
        assert_eq!(emitted.spikes(0), expected[k][0], "E in step {k}");
        assert_eq!(emitted.spikes(1), expected[k][1], "I in step {k}");
    }
    assert_eq!(allocated, 0);
    let mut other = of(plan);
    other.restore(&halfway.unwrap()).unwrap();
    let rest = lists.iter().zip(&expected).skip(300);
    for (list, expected) in rest.clone() {
        let emitted = other.step(&[StepInput::Spikes(list)]).unwrap();
        assert_eq!(emitted.spikes(0), expected[0]);
    }
    session.reset();
    let emitted = session.step(&[StepInput::Spikes(&lists[0])]).unwrap();
    assert_eq!(emitted.spikes(0), expected[0][0]);
}

#[test]
fn a_circuit_has_the_spikes_of_the_simulation() {
    check(&plan(CIRCUIT), 2000);
}

#[test]
fn quantised_weights_have_the_unit_of_their_bundle() {
    let text = CIRCUIT.replace("[inputs.x]", "weight_storage = \"quantised\"\n[inputs.x]");
    check(&plan(&text), 2000);
}

/// Copies of a batch draw for themselves; a session is the first of them.
#[test]
fn a_batch_in_the_description_does_not_count() {
    let one = simulated(&plan(CIRCUIT));
    let text = CIRCUIT.replace("[inputs.x]", "batch = 2\n[inputs.x]");
    let mut session = of(&plan(&text));
    for (k, expected) in one.iter().enumerate() {
        let list = active(k as u64 + 1);
        let emitted = session.step(&[StepInput::Spikes(&list)]).unwrap();
        assert_eq!(emitted.spikes(0), expected[0]);
    }
}

#[test]
fn what_has_no_steps_is_refused() {
    let text = "name = \"exact\"\ndt = \"0.1 ms\"\nduration = \"1 ms\"\n[populations.I]\n\
                model = \"iaf_psc_exp\"\nsize = 2\ntime = \"exact\"\n";
    let error = Session::<f32>::new(&plan(text), &SessionOptions::default())
        .err()
        .unwrap();
    assert!(
        matches!(&error, SessionError::Unsupported { name, .. } if name == "I"),
        "{error}"
    );
}
