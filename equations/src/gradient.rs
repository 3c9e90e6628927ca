//! The reverse programs of a component: what training runs.
//!
//! A parameter reaches the step through *derived* quantities, which a prologue computes once. Its
//! gradient goes the same way back: the reverse of the step gives the cotangents of the derived
//! quantities, which are summed over time (and over the neurons that share them), and the reverse of
//! the prologue turns the sums into those of the parameters. Initial states depend on parameters too.

use crate::adjoint::adjoint;
use crate::expand::expand;
use crate::interpret::Interpreter;
use crate::ir::{Op, Program, Slot, Value};
use crate::lower::{Component, FNV_OFFSET, fnv1a};
use crate::native::prepare::{SpikeAs, prepare};
use crate::real::Precision;

/// Reverse programs of a component for a choice of learned parameters.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_equations::{gradient::Reverse, lower::lower, parse_one};
///
/// let text = "neuron leaky
///   parameter tau = 2 learnable, v_th = 1
///   input x : 1
///   update v = v + (x - v)/tau : 1
///   spike when v >= v_th, reset v = 0";
/// let component = lower(&Arc::new(parse_one(text, "leaky.rheo")?), None)?;
/// let reverse = Reverse::of_learnable(&component);
/// // The step reads 1/tau = 0.5; ∂(1/tau)/∂tau = −1/tau².
/// assert_eq!((reverse.learned(), reverse.derived()), (&[0][..], &[0][..]));
/// let mut gradient = [0.0];
/// reverse.add_parameters(&[2.0, 1.0], 1.0, |_| 3.0, |_| 0.0, &mut gradient);
/// assert_eq!(gradient, [-0.75]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reverse {
    learned: Vec<u32>,
    derived: Vec<u32>,
    step: Program,
    prologue: Program,
    initial: Program,
}

impl Reverse {
    /// For the parameters of those indices.
    #[must_use]
    pub fn new(component: &Component, learned: &[u32]) -> Self {
        let parameters: Vec<Slot> = learned.iter().map(|&i| Slot::Parameter(i)).collect();
        let derived = depending(&component.prologue, &parameters);
        let states = (0_u32..)
            .zip(&component.states)
            .filter(|(_, s)| s.differentiable)
            .map(|(i, _)| Slot::State(i));
        let inputs = (0_u32..)
            .zip(&component.model.inputs)
            .map(|(i, _)| Slot::Input(i));
        let derived_slots = derived.iter().map(|&k| Slot::Derived(k));
        let wrt: Vec<Slot> = states.chain(inputs).chain(derived_slots).collect();
        let static_reverse = |program: &Program| {
            // The same bits on every machine, as the program itself.
            expand(&adjoint(program, &parameters), Precision::F64)
        };
        Self {
            learned: learned.to_vec(),
            step: adjoint(&component.step, &wrt),
            prologue: static_reverse(&component.prologue),
            initial: static_reverse(&component.initial),
            derived,
        }
    }

    /// For the parameters that the text declares `learnable`.
    #[must_use]
    pub fn of_learnable(component: &Component) -> Self {
        let parameters = (0_u32..).zip(&component.model.parameters);
        let learned: Vec<u32> = parameters
            .filter(|(_, p)| p.learnable)
            .map(|(i, _)| i)
            .collect();
        Self::new(component, &learned)
    }

    /// Indices of the learned parameters.
    #[must_use]
    pub fn learned(&self) -> &[u32] {
        &self.learned
    }

    /// Indices of the derived quantities that depend on them, ascending.
    #[must_use]
    pub fn derived(&self) -> &[u32] {
        &self.derived
    }

    /// The reverse of a step: reads what the step reads and the cotangents of what it stores, and
    /// stores those of differentiable states, of inputs and of [`Self::derived`] (see
    /// [`crate::adjoint`]). Not expanded.
    #[must_use]
    pub fn step(&self) -> &Program {
        &self.step
    }

    /// Identifies the code of the reverse of the step: equal fingerprints mean equal programs in both
    /// precisions, as runners take them.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hash = FNV_OFFSET;
        for precision in [Precision::F32, Precision::F64] {
            let program = prepare(&expand(&self.step, precision), SpikeAs::Float);
            hash = fnv1a(hash, &program.to_string());
        }
        self.derived
            .iter()
            .fold(hash, |hash, k| fnv1a(hash, &k.to_string()))
    }

    /// Adds the cotangents of the learned parameters, in the order of [`Self::learned`], to `sums`.
    /// `derived` gives the summed cotangent of a derived quantity, `initial` that of the initial
    /// value of a state. For a population with parameters per neuron, once for each neuron.
    pub fn add_parameters(
        &self,
        parameters: &[f64],
        dt_ms: f64,
        derived: impl Fn(u32) -> f64,
        initial: impl Fn(u32) -> f64,
        sums: &mut [f64],
    ) {
        for program in [&self.prologue, &self.initial] {
            let load = |slot| match slot {
                Slot::Parameter(i) => parameters[i as usize],
                Slot::Dt => dt_ms,
                Slot::DerivedCotangent(k) => derived(k),
                Slot::StateCotangent(i) => initial(i),
                // Lowering puts nothing else into these programs.
                _ => f64::NAN,
            };
            Interpreter::new(program.clone()).run(load, |slot, value| {
                let place = self
                    .learned
                    .iter()
                    .position(|&i| slot == Slot::ParameterCotangent(i));
                if let Some(sum) = place.and_then(|p| sums.get_mut(p)) {
                    *sum += value;
                }
            });
        }
    }
}

/// Derived quantities that depend on one of `parameters`.
fn depending(prologue: &Program, parameters: &[Slot]) -> Vec<u32> {
    let mut depends: Vec<bool> = Vec::with_capacity(prologue.ops.len());
    for op in &prologue.ops {
        let mut one = matches!(op, Op::Load(slot) if parameters.contains(slot));
        op.for_each_operand(|v: Value| one |= depends[v.index()]);
        depends.push(one);
    }
    let stores = prologue.stores.iter();
    let mut derived: Vec<u32> = stores
        .filter(|s| depends[s.value.index()])
        .filter_map(|s| match s.slot {
            Slot::Derived(k) => Some(k),
            _ => None,
        })
        .collect();
    derived.sort_unstable();
    derived
}
