//! Optimisers on the device: the parameters of the processor's rules, at the same gradients.

use std::borrow::Cow;
use std::sync::Arc;

use rheobase::engine::backend::gpu::{AdapterChoice, GpuDevice};
use rheobase::engine::plan::Plan;
use rheobase::engine::port::Tensor;
use rheobase::engine::unrolled::{Sequence, UnrolledOptions};
use rheobase::learning::encode::{ConstantCurrent, Samples};
use rheobase::learning::loss::Logits;
use rheobase::learning::optimizer::{
    Adagrad, Adam, AdamW, EquationRule, Moment, Optimizer, OptimizerError, RmsProp, Sgd, UpdateRule,
};
use rheobase::learning::trainer::{Objective, Trainer, TrainerState, Training};

use crate::harness::device;
use crate::training::{assert_near, network, numbers, plan_of};

/// Samples.
const BATCH: usize = 6;
const WIDTH: usize = 9;
const CLASSES: usize = 3;

/// Layers, synapses, and a neuron with a parameter of its own: arrays on both sides.
const NETWORK: &str = r#"
name = "classes"
dt = "1 ms"
duration = "1 ms"
[inputs.x]
shape = [9]
[layers.fc1]
model = "linear"
out_features = 70
[layers.norm]
model = "batch_norm"
[populations.h]
model = "plif"
size = 70
[populations.g]
model = "lif"
size = 20
[layers.fc2]
model = "linear"
out_features = 3
[populations.y]
model = "lif"
size = 3
[[edges]]
source = "x"
target = "fc1"
[[edges]]
source = "fc1"
target = "norm"
[[edges]]
source = "norm"
target = "h"
[[projections]]
source = "h"
target = "g"
port = "x"
rule = { pairwise_bernoulli = { p = 0.4 } }
weight = { normal = { mean = 0.2, sd = 0.3 } }
[[edges]]
source = "g"
target = "fc2"
[[edges]]
source = "fc2"
target = "y"
"#;

/// A rule without its equations: the processor applies it, wherever the network runs.
struct Here<T>(T);

impl<T: UpdateRule<f32>> UpdateRule<f32> for Here<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn check(&self) -> Result<(), OptimizerError> {
        self.0.check()
    }

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate()
    }

    fn arrays(&self) -> Vec<(Cow<'static, str>, f32)> {
        self.0.arrays()
    }

    fn update(&self, at: Moment, p: &mut [f32], g: &[f32], state: &mut [Tensor<f32>]) {
        self.0.update(at, p, g, state);
    }
}

fn trainer(
    plan: &Arc<Plan>,
    optimizer: Optimizer<f32>,
    clip_norm: Option<f64>,
    device: Option<&GpuDevice>,
) -> Trainer<f32> {
    let options = UnrolledOptions {
        steps: 8,
        batch: BATCH,
        ..UnrolledOptions::default()
    };
    let mut network = network(plan, &options);
    if let Some(device) = device {
        network.run_on(device).unwrap_or_else(|e| panic!("{e}"));
    }
    let training = Training {
        objective: Objective::CrossEntropy(Logits::Mean),
        output: "y".to_owned(),
        seed: 1,
        clip_norm,
    };
    let encoder = Box::new(ConstantCurrent { scale: 3.0 });
    Trainer::new(network, encoder, optimizer, training).unwrap_or_else(|e| panic!("{e}"))
}

/// Trains on some batches, the first of them first; losses and norms of gradients.
fn train_from(trainer: &mut Trainer<f32>, first: u32, batches: u32) -> Vec<(f64, f64)> {
    let labels: Vec<usize> = (0..BATCH).map(|k| k % CLASSES).collect();
    let places: Vec<u32> = (0..6).collect();
    let step = |k: u32| {
        let values = numbers(BATCH * WIDTH, 3 + k % 4);
        let samples = Samples::new(&values, WIDTH, &places);
        let samples = samples.unwrap_or_else(|e| panic!("{e}"));
        let report = trainer.train(samples, &labels, 0);
        let report = report.unwrap_or_else(|e| panic!("{e}"));
        (report.loss, report.gradient_norm)
    };
    (first..first + batches).map(step).collect()
}

fn train(trainer: &mut Trainer<f32>, batches: u32) -> Vec<(f64, f64)> {
    train_from(trainer, 0, batches)
}

fn state(trainer: &mut Trainer<f32>) -> TrainerState<f32> {
    trainer.state().unwrap_or_else(|e| panic!("{e}"))
}

fn made(rule: impl UpdateRule<f32> + 'static) -> Optimizer<f32> {
    Optimizer::new(rule).unwrap_or_else(|e| panic!("{e}"))
}

/// What the optimiser has changed and kept, by name.
fn arrays(state: &TrainerState<f32>) -> Vec<(String, Vec<f32>)> {
    let parameters = state.parameters.iter();
    let parameters = parameters.map(|(node, p)| (format!("{node}.{}", p.name), p.values.clone()));
    let slots = state.slots.iter().flat_map(|slot| {
        let place = format!("{}.{}", slot.node, slot.parameter);
        let arrays = slot.arrays.iter();
        arrays.map(move |a| (format!("{place}: {}", a.name), a.values.clone()))
    });
    parameters.chain(slots).collect()
}

type Make = fn() -> [Optimizer<f32>; 2];

/// Every rule: by its equations on the device, and on the processor.
const RULES: [(Make, bool); 10] = [
    (
        || {
            both(Sgd {
                learning_rate: 0.5,
                weight_decay: 0.01,
                ..Sgd::default()
            })
        },
        true,
    ),
    (
        || {
            both(Sgd {
                learning_rate: 0.2,
                momentum: 0.9,
                dampening: 0.3,
                ..Sgd::default()
            })
        },
        true,
    ),
    (
        || {
            both(Sgd {
                learning_rate: 0.2,
                momentum: 0.8,
                nesterov: true,
                ..Sgd::default()
            })
        },
        true,
    ),
    (
        || {
            both(Adam {
                learning_rate: 0.01,
                weight_decay: 0.1,
                ..Adam::default()
            })
        },
        false,
    ),
    (
        || {
            both(Adam {
                learning_rate: 0.01,
                amsgrad: true,
                ..Adam::default()
            })
        },
        false,
    ),
    (
        || {
            both(AdamW {
                learning_rate: 0.01,
                ..AdamW::default()
            })
        },
        false,
    ),
    (
        || {
            both(RmsProp {
                learning_rate: 0.01,
                ..RmsProp::default()
            })
        },
        false,
    ),
    (
        || {
            both(RmsProp {
                learning_rate: 0.01,
                centered: true,
                momentum: 0.5,
                ..RmsProp::default()
            })
        },
        false,
    ),
    (
        || {
            both(Adagrad {
                rate_decay: 0.1,
                initial_sum: 0.1,
                ..Adagrad::default()
            })
        },
        false,
    ),
    (|| both_of_text(), true),
];

fn both<T: UpdateRule<f32> + Copy + 'static>(rule: T) -> [Optimizer<f32>; 2] {
    [made(rule), made(Here(rule))]
}

/// A rule that only the test knows.
fn both_of_text() -> [Optimizer<f32>; 2] {
    let text = "
optimizer slow_signs
  parameter learning_rate = 0.05
  parameter k = 1
  input g : 1
  state p = 0 : 1
  state mean = 0.5 : 1
  update mean = mean + 0.25*(g - mean)
  update p = p - learning_rate*select(k < 3, 0.5, 1)*(select(mean > 0, 1, 0) - select(mean < 0, 1, 0))
";
    let rule = || EquationRule::new(text).unwrap_or_else(|e| panic!("{e}"));
    [made(rule()), made(Here(rule()))]
}

/// The same gradients, the same rule, on either side: the same bits where there is no root and no quotient,
/// whole training long.
#[test]
fn updates_on_the_device_are_those_of_the_rules() {
    let Some(device) = device() else { return };
    let plan = plan_of(NETWORK);
    for (make, exact) in RULES {
        for clip in [None, Some(0.05)] {
            let [on_device, here] = make();
            let name = here.name();
            let mut on_device = trainer(&plan, on_device, clip, Some(&device));
            let mut here = trainer(&plan, here, clip, Some(&device));
            let begun = arrays(&state(&mut here));
            // Without a root and a quotient everything agrees, whatever it leads to; else one update is
            // compared at a time.
            let rounds = if exact { 1 } else { 6 };
            for _ in 0..rounds {
                let a = train(&mut on_device, if exact { 12 } else { 1 });
                let b = train(&mut here, if exact { 12 } else { 1 });
                for ((loss, norm), (expected, of_here)) in a.into_iter().zip(b) {
                    let near = (norm - of_here).abs() <= 1e-6 * of_here;
                    assert!(near && of_here > 0.0, "{name}: {norm} {of_here}");
                    assert!(!exact || clip.is_some() || loss == expected, "{name}");
                }
                let (a, b) = (state(&mut on_device), state(&mut here));
                assert_eq!(a.batches, b.batches);
                for ((what, x), (_, y)) in arrays(&a).iter().zip(arrays(&b)) {
                    let largest = y.iter().fold(0.0_f32, |m, y| m.max(y.abs()));
                    for (x, y) in x.iter().zip(&y) {
                        // The norm, hence the factor of gradients, is added up in another order.
                        let share = if exact && clip.is_none() { 0.0 } else { 4e-6 };
                        let near = (x - y).abs() <= share * largest;
                        assert!(near, "{name}, {what}: {x} {y} (clip {clip:?})");
                    }
                }
                // From the same place once more.
                on_device.restore(b).unwrap_or_else(|e| panic!("{e}"));
            }
            let moved = |(a, b): (&(String, Vec<f32>), &(String, Vec<f32>))| a.1 != b.1;
            let ended = arrays(&state(&mut here));
            let n = begun.iter().zip(&ended).filter(|&pair| moved(pair)).count();
            assert!(n >= 6, "{name}: {n} arrays have changed");
        }
    }
}

/// Looking at parameters changes nothing; a trainer that is restored goes on with the same bits.
#[test]
fn looking_and_restoring_change_nothing() {
    let Some(device) = device() else { return };
    let plan = plan_of(NETWORK);
    let new = || trainer(&plan, made(Adam::default()), Some(1.0), Some(&device));
    let mut whole = new();
    let expected = train(&mut whole, 12);
    let mut looked = new();
    let mut found = train(&mut looked, 5);
    looked.health();
    looked.network_mut().visit_parameters(|_, _, _| {});
    looked
        .optimizer_mut()
        .map(|_| ())
        .unwrap_or_else(|e| panic!("{e}"));
    found.extend(train_from(&mut looked, 5, 3));
    let kept = state(&mut looked);
    let mut restored = new();
    restored.restore(kept).unwrap_or_else(|e| panic!("{e}"));
    found.extend(train_from(&mut restored, 8, 4));
    assert_eq!(found, expected);
    assert!(state(&mut restored) == state(&mut whole));
    // The processor takes over, and another device, without anybody having looked.
    let mut left = new();
    train(&mut left, 12);
    left.network_mut().run_on_processor();
    assert!(state(&mut left) == state(&mut whole));
    let mut moved = new();
    train(&mut moved, 12);
    let network = moved.network_mut();
    network.run_on(&device).unwrap_or_else(|e| panic!("{e}"));
    train_from(&mut moved, 12, 2);
    train_from(&mut whole, 12, 2);
    let pairs = arrays(&state(&mut moved))
        .into_iter()
        .zip(arrays(&state(&mut whole)));
    for ((what, x), (_, y)) in pairs {
        let largest = y.iter().fold(0.0_f32, |m, y| m.max(y.abs()));
        for (x, y) in x.iter().zip(&y) {
            // One update was made by the processor.
            assert!((x - y).abs() <= 1e-4 * largest, "{what}: {x} {y}");
        }
    }
}

/// What is encoded while the device is busy is what comes next, or nobody takes it.
#[test]
fn encoding_ahead_changes_nothing() {
    let Some(device) = device() else { return };
    let plan = plan_of(NETWORK);
    let new = || trainer(&plan, made(Adam::default()), None, Some(&device));
    let expected = train(&mut new(), 6);
    let values: Vec<Vec<f32>> = (0..7).map(|k| numbers(BATCH * WIDTH, 3 + k % 4)).collect();
    let labels: Vec<usize> = (0..BATCH).map(|k| k % CLASSES).collect();
    let places: Vec<u32> = (0..6).collect();
    let samples = |k: usize| {
        let samples = Samples::new(&values[k], WIDTH, &places);
        samples.unwrap_or_else(|e| panic!("{e}"))
    };
    for lead in [1, 0, 3] {
        let mut trainer = new();
        let step = |k: usize| {
            let next = (samples((k + lead) % 7), 0);
            let report = trainer.train_ahead(samples(k), &labels, 0, Some(next));
            let report = report.unwrap_or_else(|e| panic!("{e}"));
            (report.loss, report.gradient_norm)
        };
        let found: Vec<(f64, f64)> = (0..6).map(step).collect();
        assert_eq!(found, expected, "{lead}");
    }
}

/// A projection that drew no synapse is trained like any other, and a batch of another size waits for the one
/// before.
#[test]
fn empty_arrays_and_batches_of_other_sizes() {
    let Some(device) = device() else { return };
    let plan = plan_of(&NETWORK.replace("p = 0.4", "p = 0.0"));
    let mut trainer = trainer(&plan, made(Adam::default()), None, Some(&device));
    train(&mut trainer, 2);
    let kept = state(&mut trainer);
    let slots = kept.slots.iter().filter(|s| s.node.contains("->"));
    let lengths = slots.flat_map(|s| s.arrays.iter().map(|a| a.values.len()));
    assert_eq!(lengths.collect::<Vec<_>>(), [0, 0]);
    train_from(&mut trainer, 2, 1);
    let expected = state(&mut trainer);
    train_from(&mut trainer, 3, 2);
    trainer.restore(kept).unwrap_or_else(|e| panic!("{e}"));
    train_from(&mut trainer, 2, 1);
    assert!(state(&mut trainer) == expected);

    // What keeps more than devices bind is applied by the processor.
    let kept = |k: usize| format!("\n state s{k} = 0 : 1\n update s{k} = g");
    let kept: String = (0..7).map(kept).collect();
    let text = format!("optimizer o\n input g : 1\n state p = 0 : 1\n update p = p - g{kept}");
    let rule = EquationRule::new(&text).unwrap_or_else(|e| panic!("{e}"));
    let mut wide = self::trainer(&plan, made(rule), None, Some(&device));
    train(&mut wide, 2);
    assert_eq!(state(&mut wide).slots[0].arrays.len(), 7);

    let plan = plan_of(NETWORK);
    let options = UnrolledOptions {
        steps: 8,
        batch: BATCH,
        ..UnrolledOptions::default()
    };
    let gradients = |device: Option<&GpuDevice>| {
        let mut network = network(&plan, &options);
        if let Some(device) = device {
            network.run_on(device).unwrap_or_else(|e| panic!("{e}"));
        }
        network.clear_gradients();
        // Gradients of three batches are added up.
        for (k, batch) in [(1, 2), (2, BATCH), (3, 4)] {
            let values = numbers(8 * batch * WIDTH, k);
            let pass = network.forward(&[Sequence::Steps(&values)], true);
            pass.unwrap_or_else(|e| panic!("{e}"));
            let cotangent = numbers(8 * batch * CLASSES, 9 + k);
            let pass = network.backward(&[("y", &cotangent)]);
            pass.unwrap_or_else(|e| panic!("{e}"));
        }
        let mut all = Vec::new();
        network.visit_parameters(|node, p, g| {
            all.push((format!("{node}.{}", p.name), g.values.clone()));
        });
        all
    };
    let pairs = gradients(None).into_iter().zip(gradients(Some(&device)));
    for ((what, a), (_, b)) in pairs {
        // What a bias adds, batch normalisation takes away: rounding is left.
        if what != "fc1.bias" {
            assert_near(&what, &a, &b);
        }
    }
}

/// Forward with the update before it, backward with the norm: two submissions, and nothing else is read.
#[test]
fn a_batch_takes_two_submissions() {
    let Some(device) = device() else { return };
    let plan = plan_of(NETWORK);
    let mut trainer = trainer(&plan, made(Adam::default()), Some(1.0), Some(&device));
    train(&mut trainer, 1);
    let before = trainer.network().device_submissions().unwrap_or(0);
    train(&mut trainer, 10);
    let after = trainer.network().device_submissions().unwrap_or(0);
    assert_eq!(after - before, 20);
}

/// A device that fails leaves the trainer as it was when last kept, and the processor goes on from there.
#[test]
fn a_device_that_fails_leaves_what_was_kept() {
    if device().is_none() {
        return;
    }
    let own = GpuDevice::request(&AdapterChoice::Any).unwrap_or_else(|e| panic!("{e}"));
    let plan = plan_of(NETWORK);
    let mut trainer = trainer(&plan, made(Adam::default()), None, Some(&own));
    train(&mut trainer, 3);
    trainer.keep().unwrap_or_else(|e| panic!("{e}"));
    let kept = state(&mut trainer);
    train(&mut trainer, 4);
    assert_eq!(trainer.batches(), 7);
    own.destroy();
    // Looking cannot fail, but the next step tells.
    trainer.network_mut().visit_parameters(|_, _, _| {});
    let values = numbers(BATCH * WIDTH, 1);
    let places: Vec<u32> = (0..6).collect();
    let samples = Samples::new(&values, WIDTH, &places).unwrap_or_else(|e| panic!("{e}"));
    let error = trainer.train(samples, &[0, 1, 2, 0, 1, 2], 0).err();
    let error = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("the device is lost"), "{error}");
    trainer.network_mut().run_on_processor();
    assert!(state(&mut trainer) == kept);
    train(&mut trainer, 2);
    assert_eq!(trainer.batches(), 5);
}
