//! Every neuron of the zoo on the device against the CPU's f32 kernel and against the scalar
//! evaluator, one step from identical random states, and then some hundred steps on its own.

use std::path::Path;
use std::sync::Arc;

use rheobase_engine::backend::gpu::{GpuDevice, StepKernel};
use rheobase_equations::block::BlockProgram;
use rheobase_equations::ir::{Binary, Op, Program, Slot, Unary};
use rheobase_equations::lower::{Component, lower};
use rheobase_equations::model::Integrator;
use rheobase_equations::native::{Derived, StepArgs};
use rheobase_equations::real::Precision;

use crate::random::Random;
use crate::{device, scalar};

/// Random states a step is compared from.
pub(crate) const N: usize = 10_000;
pub(crate) const STRIDE: usize = N.div_ceil(64) * 64;
const DT_MS: f64 = 0.1;
pub(crate) const TIME_MS: f32 = 0.1;
/// |Δ| allowed, in units of ε × the largest intermediate, where a division or root is left.
const BOUND: f32 = 4.0;
/// Spikes that may differ where a neuron is that near threshold.
const SPIKE_CAP: f64 = 1e-4;

/// Every neuron of the zoo with every integrator it can take.
pub(crate) fn zoo() -> Vec<Component> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/src/neuron");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "rheo"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 3, "the zoo has at least three neurons");
    paths.iter().flat_map(|path| lowered(path)).collect()
}

fn lowered(path: &Path) -> Vec<Component> {
    let text = std::fs::read_to_string(path).expect("a readable text");
    let model = rheobase_equations::parse_one(&text, &path.to_string_lossy())
        .unwrap_or_else(|e| panic!("{e}"));
    let model = Arc::new(model);
    let own = lower(&model, None).unwrap_or_else(|e| panic!("{e}"));
    let mut components = vec![own];
    for integrator in Integrator::ALL {
        // What does not fit (`exact` on a nonlinear system) is refused by lowering.
        if let Ok(component) = lower(&model, Some(integrator))
            && components.iter().all(|known| known.step != component.step)
        {
            components.push(component);
        }
    }
    components
}

/// Whether every operation is rounded the same way on every device.
pub(crate) fn is_exact(program: &Program) -> bool {
    !program
        .ops
        .iter()
        .any(|op| matches!(op, Op::Binary(Binary::Div, ..) | Op::Unary(Unary::Sqrt, _)))
}

/// The arrays of one step.
#[derive(Clone)]
pub(crate) struct Arrays {
    pub(crate) states: Vec<f32>,
    pub(crate) inputs: Vec<f32>,
    pub(crate) random: Vec<f32>,
    outputs: Vec<f32>,
    spikes: Vec<u32>,
}

impl Arrays {
    /// States about where they live, sparse inputs.
    pub(crate) fn random(component: &Component, random: &mut Random) -> Self {
        let (n_uniforms, n_normals) = component.n_draws();
        let states = component
            .states
            .iter()
            .flat_map(|state| column(|| value(random, &state.unit.name, state.differentiable)))
            .collect();
        let inputs = component
            .model
            .inputs
            .iter()
            .flat_map(|input| column(|| arrival(random, &input.unit.name)))
            .collect();
        let draws = (0..n_uniforms + n_normals)
            .flat_map(|k| {
                column(|| {
                    if k < n_uniforms {
                        random.unit()
                    } else {
                        random.normal()
                    }
                })
            })
            .collect();
        let outputs = vec![0.0; component.model.outputs.len() * STRIDE];
        Self {
            states,
            inputs,
            random: draws,
            outputs,
            spikes: vec![],
        }
    }

    fn args<'a>(&'a mut self, derived: &'a [Derived<f32>]) -> StepArgs<'a, f32> {
        StepArgs {
            n: N,
            stride: STRIDE,
            states: &mut self.states,
            inputs: &mut self.inputs,
            input_stride: STRIDE,
            derived,
            random: &self.random,
            time: TIME_MS,
            outputs: &mut self.outputs,
            spikes: &mut self.spikes,
            bits: None,
        }
    }

    /// What a step left in a slot of neuron `i`.
    fn stored(&self, slot: Slot, i: usize) -> f32 {
        match slot {
            Slot::State(k) => self.states[k as usize * STRIDE + i],
            Slot::Output(k) => self.outputs[k as usize * STRIDE + i],
            Slot::Spike => {
                let i = u32::try_from(i).expect("small");
                f32::from(u8::from(self.spikes.binary_search(&i).is_ok()))
            }
            other => panic!("a step does not store {other:?}"),
        }
    }

    /// What a slot holds for neuron `i`.
    pub(crate) fn load(
        &self,
        component: &Component,
        derived: &[Derived<f32>],
        slot: Slot,
        i: usize,
    ) -> f32 {
        let (n_uniforms, _) = component.n_draws();
        match slot {
            Slot::State(k) => self.states[k as usize * STRIDE + i],
            Slot::Input(k) => self.inputs[k as usize * STRIDE + i],
            Slot::Uniform(k) => self.random[k as usize * STRIDE + i],
            Slot::Normal(k) => self.random[(n_uniforms + k as usize) * STRIDE + i],
            Slot::Derived(k) => derived[k as usize].block(i / 64 * 64)[i % 64],
            Slot::Time => TIME_MS,
            other => panic!("a step does not read {other:?}"),
        }
    }
}

fn column(mut value: impl FnMut() -> f32) -> Vec<f32> {
    (0..STRIDE).map(|_| value()).collect()
}

fn value(random: &mut Random, unit: &str, differentiable: bool) -> f32 {
    match unit {
        // Refractory steps: three in four neurons are not.
        _ if !differentiable && random.below(4) > 0 => 0.0,
        _ if !differentiable => f32::from(u8::try_from(random.below(21)).expect("small")),
        "mV" => random.between(-90.0, 40.0),
        "pA" => random.between(-500.0, 500.0),
        "nS" => random.between(0.0, 50.0),
        _ => random.between(-2.0, 2.0),
    }
}

fn arrival(random: &mut Random, unit: &str) -> f32 {
    if random.below(3) > 0 {
        return 0.0;
    }
    match unit {
        "pA" => random.between(-300.0, 300.0),
        "nS" => random.between(0.0, 10.0),
        "mV" | "mV/ms" => random.between(-10.0, 20.0),
        _ => random.between(-1.0, 2.0),
    }
}

/// Derived quantities of the default parameters, each either shared or, every second one, the same
/// value stored per neuron: both ways of reading them are taken.
pub(crate) fn derived(component: &Component) -> Vec<Derived<f32>> {
    #[allow(clippy::cast_possible_truncation, reason = "a population in f32")]
    let shared = |x: f64| Derived::shared(x as f32);
    #[allow(clippy::cast_possible_truncation, reason = "a population in f32")]
    let each = |x: f64| Derived::PerNeuron(vec![x as f32; STRIDE]);
    component
        .derive(&component.default_parameters(), DT_MS)
        .into_iter()
        .enumerate()
        .map(|(k, x)| if k % 2 == 0 { shared(x) } else { each(x) })
        .collect()
}

/// What a comparison found.
#[derive(Default, Debug)]
pub(crate) struct Found {
    pub(crate) compared: usize,
    pub(crate) different: usize,
    /// In units of ε × the largest intermediate of that neuron.
    pub(crate) worst: f32,
    /// Neurons that fired on one side only, within the bound of threshold.
    pub(crate) near_threshold: usize,
    /// Neurons left out: a float on the way was subnormal, infinite or NaN.
    pub(crate) abnormal: usize,
}

impl Found {
    /// Counts what one neuron gave: pairs of (device, CPU).
    pub(crate) fn add(&mut self, pairs: &[(f32, f32)], twin: &scalar::Run) {
        if !twin.is_normal() {
            self.abnormal += 1;
            return;
        }
        let unit = f32::EPSILON * twin.largest;
        let differ = |&&(got, expected): &&(f32, f32)| got.to_bits() != expected.to_bits();
        let different = pairs.iter().filter(differ).count();
        self.compared += pairs.len();
        self.different += different;
        if different > 0 && twin.margin.is_some_and(|m| m.abs() <= BOUND * unit) {
            self.near_threshold += 1;
            return;
        }
        for &(got, expected) in pairs {
            self.worst = self.worst.max(scalar::error(got, expected, unit));
        }
    }

    /// Bits where every operation is rounded alike, else the declared bound.
    pub(crate) fn check(&self, name: &str, is_exact: bool) {
        if is_exact {
            assert_eq!(
                self.different, 0,
                "{name} has the bits of the CPU: {self:?}"
            );
        }
        assert!(self.worst <= BOUND, "{name}: {self:?}");
        assert!(self.abnormal <= N / 100, "{name}: {self:?}");
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let share = self.near_threshold as f64 / N as f64;
        assert!(share <= SPIKE_CAP, "{name}: {self:?}");
    }
}

/// What was found, and the number of spikes.
fn one_step(device: &GpuDevice, component: &Component, random: &mut Random) -> (Found, usize) {
    let name = &component.model.name;
    let program = component.expanded_step(Precision::F32);
    let derived = derived(component);
    let before = Arrays::random(component, random);
    let mut cpu = before.clone();
    BlockProgram::<f32>::new(component).step(&mut cpu.args(&derived));
    let mut gpu = before.clone();
    let kernel = StepKernel::new(device, component).expect("compiles");
    kernel.run(&mut gpu.args(&derived)).expect("runs");
    let mut found = Found::default();
    for i in 0..N {
        let twin = scalar::run(&program, |slot| before.load(component, &derived, slot, i));
        let slots = program.stores.iter().map(|store| store.slot);
        let pairs: Vec<_> = slots
            .map(|s| (gpu.stored(s, i), cpu.stored(s, i)))
            .collect();
        for ((_, block), expected) in pairs.iter().zip(&twin.stored) {
            assert_eq!(
                block.to_bits(),
                expected.to_bits(),
                "{name}: the CPU kernel and the twin"
            );
        }
        found.add(&pairs, &twin);
    }
    let cleared = |port: &[f32]| port[..N].iter().all(|&x| x == 0.0);
    assert!(gpu.inputs.chunks(STRIDE).all(cleared), "{name}");
    (found, gpu.spikes.len())
}

#[test]
fn one_step_from_random_states() {
    let Some(device) = device() else { return };
    for (k, component) in zoo().iter().enumerate() {
        let name = format!("{}, {}", component.model.name, component.integrator.name());
        let (found, spikes) = one_step(&device, component, &mut Random::new(100 + k as u64));
        println!("{name}: {spikes} spikes, {found:?}");
        if component.model.spike.is_some() {
            let straddle = spikes > 0 && spikes < N;
            assert!(straddle, "{name}: states must straddle the threshold");
        }
        found.check(&name, is_exact(&component.expanded_step(Precision::F32)));
    }
}

/// Each on its own, from the same state and with the same input: what is exact in one step stays
/// exact in any number.
#[test]
fn hundreds_of_steps_stay_together() {
    let Some(device) = device() else { return };
    const STEPS: usize = 100;
    for (k, component) in zoo().iter().enumerate() {
        let name = &component.model.name;
        if !is_exact(&component.expanded_step(Precision::F32)) {
            println!(
                "{name}, {}: not compared, it divides",
                component.integrator.name()
            );
            continue;
        }
        let mut random = Random::new(200 + k as u64);
        let derived = derived(component);
        let kernel = StepKernel::new(&device, component).expect("compiles");
        let mut block = BlockProgram::<f32>::new(component);
        let mut cpu = Arrays::random(component, &mut random);
        let mut gpu = cpu.clone();
        let mut spikes = 0;
        for step in 0..STEPS {
            let fresh = Arrays::random(component, &mut random);
            for side in [&mut cpu, &mut gpu] {
                side.inputs.clone_from(&fresh.inputs);
                side.random.clone_from(&fresh.random);
                side.spikes.clear();
            }
            block.step(&mut cpu.args(&derived));
            kernel.run(&mut gpu.args(&derived)).expect("runs");
            assert_eq!(cpu.spikes, gpu.spikes, "{name}, step {step}");
            spikes += cpu.spikes.len();
        }
        let rows = |a: &Arrays| -> Vec<u32> {
            let columns = a.states.chunks(STRIDE).flat_map(|row| &row[..N]);
            columns.map(|x| x.to_bits()).collect()
        };
        assert_eq!(rows(&cpu), rows(&gpu), "{name}: states after {STEPS} steps");
        let method = component.integrator.name();
        println!("{name}, {method}: {STEPS} steps, {spikes} spikes, all bits equal");
        assert!(spikes > 0 || component.model.spike.is_none(), "{name}");
    }
}
