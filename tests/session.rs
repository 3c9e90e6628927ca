//! Step-by-step inference: the bits of the simulation, no allocation, states that come back, wrong
//! input.

#[path = "session/circuits.rs"]
mod circuits;
#[path = "session/layers.rs"]
mod layers;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use rheobase::engine::Instantiate;
use rheobase::engine::build::BuildOptions;
use rheobase::engine::network::Network;
use rheobase::engine::plan::{Plan, WeightFormat};
use rheobase::engine::port::{StepInput, Tensor};
use rheobase::engine::session::{
    Session, SessionError, SessionOptions, State, StateError, StepError,
};
use rheobase::engine::simulation::Simulation;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A hidden layer that also hears itself, one step and three steps later, and a readout.
fn text(kind: &str, precision: &str) -> String {
    format!(
        r#"
name = "recurrent"
dt = "1 ms"
duration = "60 ms"
precision = "{precision}"
inputs = {{ x = {{ shape = [70], kind = "{kind}" }} }}

[layers.fc1]
model = "linear"
out_features = 90

[layers.back]
model = "linear"
out_features = 90
bias = false

[layers.fc2]
model = "linear"
out_features = 11

[populations.hidden]
model = "lif"
size = 90

[populations.out]
model = "lif"
size = 11

[[edges]]
source = "x"
target = "fc1"

[[edges]]
source = "fc1"
target = "hidden"

[[edges]]
source = "hidden"
target = "back"
delay = "1 ms"

[[edges]]
source = "back"
target = "hidden"
delay = "1 ms"

[[edges]]
source = "hidden"
target = "hidden"
delay = "3 ms"

[[edges]]
source = "hidden"
target = "fc2"

[[edges]]
source = "fc2"
target = "out"
"#
    )
}

fn plan(text: &str) -> Plan {
    let network = Network::from_toml(text, "session").unwrap();
    network.resolve(&rheobase::registry()).unwrap()
}

/// Numbers that look random, from 0 to 1.
fn noise(k: usize) -> f64 {
    let x = (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 40) as f64 / (1_u64 << 24) as f64
}

/// Parameters large enough for activity.
fn parameters(plan: &Plan) -> Vec<(String, Tensor<f64>)> {
    let mut simulation =
        Simulation::<f64>::build(Arc::new(plan.clone()), BuildOptions::default()).unwrap();
    let mut all = Vec::new();
    let mut k = 0;
    simulation.visit_parameters(|node, tensor| {
        let mut tensor = tensor.clone();
        for x in &mut tensor.values {
            *x = 1.3 * (noise(k) - 0.5);
            k += 1;
        }
        all.push((node.to_owned(), tensor));
    });
    all
}

fn input(step: usize) -> Vec<f64> {
    (0..70)
        .map(|i| {
            let x = noise(step * 70 + i);
            if x < 0.7 { 0.0 } else { x }
        })
        .collect()
}

/// Spikes and states of 60 steps, by a simulation.
fn by_simulation<R: Instantiate>(
    plan: &Plan,
    parameters: &[(String, Tensor<f64>)],
) -> (Vec<Vec<u32>>, Vec<R>) {
    let mut simulation =
        Simulation::<R>::build(Arc::new(plan.clone()), BuildOptions::default()).unwrap();
    simulation.visit_parameters(|node, tensor| {
        let from = parameters
            .iter()
            .find(|(n, t)| n == node && t.name == tensor.name);
        let from = from.unwrap();
        tensor.values = from.1.values.iter().map(|&x| R::from_f64(x)).collect();
    });
    let values = (0..60).flat_map(input).map(R::from_f64).collect();
    simulation.set_input("x", 1, values).unwrap();
    let out = plan.nodes.iter().position(|n| n.name == "out").unwrap();
    let mut spikes = Vec::new();
    for step in 1..=60 {
        simulation.advance_to(step).unwrap();
        let emitted = simulation.emitted(out, step).unwrap();
        let fired = (0..11).filter(|&n| emitted[n as usize] != R::ZERO);
        spikes.push(fired.collect());
    }
    (spikes, simulation.state("hidden", "v").unwrap())
}

fn session<R: Instantiate>(plan: &Plan, weights: WeightFormat) -> Session<R> {
    let options = SessionOptions {
        weights,
        parameters: parameters(plan),
        ..SessionOptions::default()
    };
    Session::new(plan, &options).unwrap()
}

fn hidden_v(state: &State) -> Vec<f64> {
    let mut variables = state.variables.iter();
    let found = variables.find(|(n, v, _)| n == "hidden" && v == "v");
    found.unwrap().2.clone()
}

fn same_bits<R: Instantiate>(precision: &str) {
    let plan = plan(&text("real", precision));
    let (spikes, v) = by_simulation::<R>(&plan, &parameters(&plan));
    let mut session = session::<R>(&plan, WeightFormat::Exact);
    assert_eq!(session.input_names().collect::<Vec<_>>(), ["x"]);
    assert_eq!(session.output_names().collect::<Vec<_>>(), ["out"]);
    let total: usize = spikes.iter().map(Vec::len).sum();
    assert!(total > 50 && total < 500, "{total} spikes");
    for (step, expected) in spikes.iter().enumerate() {
        let x: Vec<R> = input(step).into_iter().map(R::from_f64).collect();
        let emitted = session.step(&[StepInput::Real(&x)]).unwrap();
        assert_eq!(emitted.spikes(0), expected.as_slice(), "step {step}");
    }
    let v: Vec<f64> = v.iter().map(|x| x.to_f64()).collect();
    assert_eq!(hidden_v(&session.state()), v);
}

#[test]
fn a_session_has_the_bits_of_the_simulation() {
    same_bits::<f32>("f32");
    same_bits::<f64>("f64");
}

/// Ones given as values and as spikes are the same.
#[test]
fn spikes_and_ones_give_the_same_bits() {
    let ones = |step: usize| -> Vec<f32> {
        input(step)
            .iter()
            .map(|&x| if x > 0.0 { 1.0 } else { 0.0 })
            .collect()
    };
    let (real, spikes) = (plan(&text("real", "f32")), plan(&text("spikes", "f32")));
    let mut a = session::<f32>(&real, WeightFormat::Exact);
    let mut b = session::<f32>(&spikes, WeightFormat::Exact);
    for step in 0..60 {
        let x = ones(step);
        let list: Vec<u32> = (0..70).filter(|&i| x[i as usize] > 0.0).collect();
        let expected = a.step(&[StepInput::Real(&x)]).unwrap().spikes(0).to_vec();
        assert_eq!(
            b.step(&[StepInput::Spikes(&list)]).unwrap().spikes(0),
            expected
        );
    }
    assert_eq!(hidden_v(&a.state()), hidden_v(&b.state()));
}

#[test]
fn a_step_allocates_nothing() {
    for weights in [WeightFormat::Exact, WeightFormat::Int16, WeightFormat::Int8] {
        let plan = plan(&text("spikes", "f32"));
        let mut session = session::<f32>(&plan, weights);
        let lists: Vec<Vec<u32>> = (0..60)
            .map(|step| {
                let x = input(step);
                (0..70).filter(|&i| x[i as usize] > 0.0).collect()
            })
            .collect();
        let before = ALLOCATIONS.with(Cell::get);
        let mut spikes = 0;
        for list in &lists {
            spikes += session
                .step(&[StepInput::Spikes(list)])
                .unwrap()
                .spikes(0)
                .len();
        }
        let after = ALLOCATIONS.with(Cell::get);
        assert!(spikes > 50, "{spikes}");
        println!("{weights:?}: {} allocations in 60 steps", after - before);
        assert_eq!(after, before, "{weights:?}");
    }
}

#[test]
fn states_come_back_and_fit_only_where_they_belong() {
    let plan = plan(&text("real", "f32"));
    let mut session = session::<f32>(&plan, WeightFormat::Exact);
    let run = |session: &mut Session<f32>, steps: std::ops::Range<usize>| -> Vec<Vec<u32>> {
        let step = |step| {
            let x: Vec<f32> = input(step).into_iter().map(|x| x as f32).collect();
            session
                .step(&[StepInput::Real(&x)])
                .unwrap()
                .spikes(0)
                .to_vec()
        };
        steps.map(step).collect()
    };
    let first = run(&mut session, 0..30);
    let state = session.state();
    let rest = run(&mut session, 30..60);
    let text = serde_json::to_string(&state).unwrap();
    let again: State = serde_json::from_str(&text).unwrap();
    session.restore(&again).unwrap();
    assert_eq!(session.now(), 30);
    assert_eq!(run(&mut session, 30..60), rest);
    session.reset();
    assert_eq!(run(&mut session, 0..30), first);
    assert_eq!(session.state(), state);

    let mut wrong = state.clone();
    wrong.variables[0].2.pop();
    let before = session.state();
    let error = session.restore(&wrong).unwrap_err();
    assert!(matches!(&error, StateError::Mismatch { .. }), "{error}");
    let mut wrong = state.clone();
    let slots = wrong
        .emitted
        .iter_mut()
        .find(|(n, _)| n == "hidden")
        .unwrap();
    slots.1[0].0 = vec![4000];
    session.restore(&wrong).unwrap_err();
    let mut wrong = state;
    wrong.emitted.pop();
    session.restore(&wrong).unwrap_err();
    assert_eq!(session.state(), before);
}

#[test]
fn quantised_weights_are_as_near_as_they_say() {
    let plan = plan(&text("spikes", "f64"));
    // What the first layer makes of each input alone and of a third of them, and the error for each.
    let values = |weights| -> (Vec<Vec<f64>>, f64) {
        let options = SessionOptions {
            weights,
            outputs: vec!["fc1".to_owned()],
            parameters: parameters(&plan),
        };
        let mut session = Session::<f64>::new(&plan, &options).unwrap();
        let mut errors = session.weight_errors();
        let error = errors
            .find(|(layer, _)| *layer == "fc1")
            .map_or(0.0, |e| e.1);
        drop(errors);
        let third: Vec<u32> = (0..70).filter(|i| i % 3 == 0).collect();
        let inputs = (0..70).map(|i| vec![i]).chain([third]);
        let step = |active: Vec<u32>| {
            let emitted = session.step(&[StepInput::Spikes(&active)]).unwrap();
            emitted.values(0).to_vec()
        };
        (inputs.map(step).collect(), error)
    };
    let (exact, none) = values(WeightFormat::Exact);
    assert_eq!(none, 0.0);
    let far = |a: &[f64], b: &[f64]| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    for weights in [WeightFormat::Int16, WeightFormat::Int8] {
        let (near, error) = values(weights);
        let off: Vec<f64> = exact.iter().zip(&near).map(|(a, b)| far(a, b)).collect();
        let alone = off[..70].iter().copied().fold(0.0, f64::max);
        println!(
            "{weights:?}: {alone:.2e} of {error:.2e}, together {:.2e}",
            off[70]
        );
        // Rounding of the sums apart.
        assert!(alone <= error * (1.0 + 1e-9) && alone >= 0.9 * error);
        assert!(off[70] > 0.0 && off[70] <= 24.0 * error);
    }
}

#[test]
fn wrong_input_is_an_error_and_changes_nothing() {
    let plan = plan(&text("real", "f32"));
    let mut session = session::<f32>(&plan, WeightFormat::Exact);
    let good: Vec<f32> = input(0).into_iter().map(|x| x as f32).collect();
    session.step(&[StepInput::Real(&good)]).unwrap();
    let state = session.state();
    let mut nan = good.clone();
    nan[7] = f32::NAN;
    let cases: [&[StepInput<'_, f32>]; 4] = [
        &[],
        &[StepInput::Real(&good[1..])],
        &[StepInput::Spikes(&[1, 2])],
        &[StepInput::Real(&nan)],
    ];
    for inputs in cases {
        let error = session.step(inputs).err().unwrap();
        println!("{error}");
        assert_eq!(session.state(), state);
    }
    let spikes = self::plan(&text("spikes", "f32"));
    let mut session = self::session::<f32>(&spikes, WeightFormat::Exact);
    for list in [&[3, 2][..], &[70][..]] {
        let error = session.step(&[StepInput::Spikes(list)]).err().unwrap();
        assert!(matches!(error, StepError::Spike { .. }), "{error}");
    }

    let options = SessionOptions {
        outputs: vec!["nothing".to_owned()],
        ..SessionOptions::default()
    };
    let error = Session::<f32>::new(&plan, &options).err().unwrap();
    assert!(matches!(error, SessionError::Output { .. }), "{error}");
    let mut options = SessionOptions {
        parameters: parameters(&plan),
        ..SessionOptions::default()
    };
    options.parameters[0].1.values.pop();
    let error = Session::<f32>::new(&plan, &options).err().unwrap();
    assert!(matches!(error, SessionError::Parameter { .. }), "{error}");
}
