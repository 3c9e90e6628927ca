//! From a checked [`Model`] to the programs every backend runs.
//!
//! Lowering fixes the order of a step, once, for all products:
//!
//! 1. inputs declared `before` act;
//! 2. the equations are integrated over dt;
//! 3. discrete updates run in order;
//! 4. inputs declared `after` act;
//! 5. the threshold is tested (never while refractory);
//! 6. outputs are evaluated;
//! 7. the reset runs where the neuron fired;
//! 8. what `then` assigns is assigned, fired or not;
//! 9. the refractory counter is set or counts down.
//!
//! It then splits off the *prologue*: everything that depends on parameters and dt only becomes a
//! [`Slot::Derived`] quantity, computed once per population in f64 on the host.

use std::collections::HashMap;
use std::sync::Arc;

use crate::expand::expand;
use crate::integrate::{IntegrateError, integrate};
use crate::interpret;
use crate::ir::{Binary, Builder, Op, Program, Slot, Type, Unary, Value};
use crate::model::{Assignment, InputTiming, Integrator, Model, Spike};
use crate::native::prepare::{SpikeAs, prepare};
use crate::real::Precision;
use crate::unit::Unit;

/// Name of the hidden state that counts down refractory steps.
pub const REFRACTORY_STATE: &str = "refractory_steps";

/// A state variable of a lowered component.
#[derive(Clone, Debug)]
pub struct StateInfo {
    /// Name.
    pub name: String,
    /// Unit.
    pub unit: Unit,
    /// Carries a gradient (counters do not).
    pub differentiable: bool,
}

/// A component ready to run: all its programs, none of them expanded.
#[derive(Clone, Debug)]
pub struct Component {
    /// The description it comes from.
    pub model: Arc<Model>,
    /// The integrator in use (never `Auto` where there are equations).
    pub integrator: Integrator,
    /// State variables: those of the model, then the refractory counter if there is one.
    pub states: Vec<StateInfo>,
    /// Number of derived quantities.
    pub n_derived: usize,
    /// `Parameter`, `Dt` → `Derived`.
    pub prologue: Program,
    /// `Parameter` → `State`: initial values.
    pub initial: Program,
    /// `State`, `Derived`, `Input`, `Uniform`, `Normal`, `Time` → `State`, `Spike`, `Output`.
    pub step: Program,
}

/// Why a model cannot be lowered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The integrator does not fit the equations.
    #[error("{kind} `{model}`: {source}")]
    Integrate {
        /// Kind of component.
        kind: &'static str,
        /// Its name.
        model: String,
        /// The reason.
        source: IntegrateError,
    },
}

/// Lowers `model` with the integrator named in its text, or with `integrator` if given.
///
/// # Errors
/// If the integrator does not fit the equations (`exact` on a nonlinear system, say).
pub fn lower(model: &Arc<Model>, integrator: Option<Integrator>) -> Result<Component, LowerError> {
    let method = integrator.unwrap_or(model.integrator);
    let mut step = StepBuilder::new(model);
    step.act_inputs(InputTiming::Before);
    let used = step
        .integrate(method)
        .map_err(|source| LowerError::Integrate {
            kind: "neuron",
            model: model.name.clone(),
            source,
        })?;
    step.assign(&model.updates);
    step.act_inputs(InputTiming::After);
    step.fire();
    let (prologue, step, n_derived) = split_prologue(&step.finish());
    Ok(Component {
        model: Arc::clone(model),
        integrator: used,
        states: states(model),
        n_derived,
        prologue,
        initial: initial(model),
        step,
    })
}

fn states(model: &Model) -> Vec<StateInfo> {
    let mut states: Vec<StateInfo> = model
        .states
        .iter()
        .map(|s| StateInfo {
            name: s.name.clone(),
            unit: s.unit.clone(),
            differentiable: true,
        })
        .collect();
    if refractory_time(model).is_some() {
        states.push(StateInfo {
            name: REFRACTORY_STATE.to_owned(),
            unit: Unit::one(),
            differentiable: false,
        });
    }
    states
}

fn refractory_time(model: &Model) -> Option<Value> {
    model.spike.as_ref().and_then(|s| s.refractory)
}

/// Assembles the raw step, before the prologue is split off.
struct StepBuilder<'m> {
    model: &'m Model,
    b: Builder,
    /// Value of each state at the start of the step.
    previous: Vec<Value>,
    /// Current value of each state.
    now: Vec<Value>,
    /// Refractory counter at the start of the step, and whether it is above zero.
    refractory: Option<(Value, Value)>,
    /// Whether it fired, 1 or 0, once that is known.
    spike: Option<Value>,
}

impl<'m> StepBuilder<'m> {
    fn new(model: &'m Model) -> Self {
        let mut b = Builder::new();
        let previous: Vec<Value> = (0..model.states.len())
            .map(|i| b.load(Slot::State(index(i))))
            .collect();
        let refractory = refractory_time(model).map(|_| {
            let counter = b.load(Slot::State(index(model.states.len())));
            let zero = b.constant(0.0);
            let active = b.gt(counter, zero);
            (counter, active)
        });
        Self {
            model,
            b,
            now: previous.clone(),
            previous,
            refractory,
            spike: None,
        }
    }

    /// The value of an expression of the model, states at their current values.
    fn evaluate(&mut self, root: Value) -> Value {
        let (now, previous, spike) = (&self.now, &self.previous, self.spike);
        self.b.import(
            &self.model.ops,
            root,
            &mut HashMap::new(),
            &mut |b, slot| match slot {
                Slot::State(i) => now[i as usize],
                Slot::Previous(i) => previous[i as usize],
                Slot::Spike => spike.unwrap_or_else(|| b.constant(0.0)),
                other => b.load(other),
            },
        )
    }

    fn act_inputs(&mut self, timing: InputTiming) {
        for input in self.model.inputs.iter().filter(|i| i.timing == timing) {
            let gated: Vec<Assignment> = input
                .effects
                .iter()
                .map(|a| Assignment {
                    unless_refractory: a.unless_refractory || input.unless_refractory,
                    ..*a
                })
                .collect();
            self.assign(&gated);
        }
    }

    fn assign(&mut self, assignments: &[Assignment]) {
        for a in assignments {
            let new = self.evaluate(a.value);
            let old = self.now[a.state as usize];
            self.now[a.state as usize] = match self.refractory {
                Some((_, active)) if a.unless_refractory => self.b.select(active, old, new),
                _ => new,
            };
        }
    }

    fn integrate(&mut self, method: Integrator) -> Result<Integrator, IntegrateError> {
        if self.model.equations.is_empty() {
            return Ok(method);
        }
        let previous = self.previous.clone();
        let refractory = self.refractory.map(|(_, active)| active);
        let now = self.now.clone();
        let done = integrate(
            &mut self.b,
            self.model,
            method,
            &now,
            refractory,
            &mut |b, slot| match slot {
                Slot::Previous(i) => previous[i as usize],
                other => b.load(other),
            },
        )?;
        self.now = done.states;
        Ok(done.used)
    }

    /// Threshold, outputs, reset, refractory counter.
    fn fire(&mut self) {
        let spike = self
            .model
            .spike
            .as_ref()
            .map(|s| (s, self.test_threshold(s)));
        for (k, output) in self.model.outputs.iter().enumerate() {
            let value = self.evaluate(output.value);
            self.b.store(Slot::Output(index(k)), value);
        }
        if let Some((s, spike)) = spike {
            self.b.store(Slot::Spike, spike);
            self.reset(s, spike);
        }
        for (i, &value) in self.now.iter().enumerate() {
            self.b.store(Slot::State(index(i)), value);
        }
    }

    fn test_threshold(&mut self, s: &Spike) -> Value {
        let guard = s.guard.map(|g| self.evaluate(g));
        let zero = self.b.constant(0.0);
        let mut spike = match s.margin {
            Some(margin) => {
                let x = self.evaluate(margin);
                let arguments = s
                    .surrogate_arguments
                    .iter()
                    .map(|&a| self.evaluate(a))
                    .collect();
                let h = self.b.push(Op::Heaviside {
                    x,
                    strict: s.strict,
                    surrogate: s.surrogate,
                    arguments,
                });
                guard.map_or(h, |g| self.b.select(g, h, zero))
            }
            None => match guard {
                Some(g) => self.b.unary(Unary::Indicator, g),
                None => zero,
            },
        };
        if let Some((_, active)) = self.refractory {
            spike = self.b.select(active, zero, spike);
        }
        spike
    }

    fn reset(&mut self, s: &Spike, spike: Value) {
        let detached = self.b.unary(Unary::Detach, spike);
        let fired = self
            .b
            .unary(Unary::Fired, if s.detach_reset { detached } else { spike });
        for a in &s.reset {
            let new = self.evaluate(a.value);
            let old = self.now[a.state as usize];
            self.now[a.state as usize] = self.b.select(fired, new, old);
        }
        self.spike = Some(spike);
        self.assign(&s.then);
        if let (Some((counter, active)), Some(t_ref)) = (self.refractory, s.refractory) {
            let t_ref = self.evaluate(t_ref);
            let dt = self.b.load(Slot::Dt);
            let ratio = self.b.div(t_ref, dt);
            let rounded = self.b.unary(Unary::Round, ratio);
            // A negative time is no number of steps: NaN, which building a network refuses.
            let nan = self.b.constant(f64::NAN);
            let zero = self.b.constant(0.0);
            let valid = self.b.ge(t_ref, zero);
            let steps = self.b.select(valid, rounded, nan);
            let one = self.b.constant(1.0);
            let down = self.b.sub(counter, one);
            let waiting = self.b.select(active, down, zero);
            let no_gradient = self.b.unary(Unary::Fired, detached);
            let new = self.b.select(no_gradient, steps, waiting);
            self.now.push(new);
        }
    }

    fn finish(self) -> Program {
        self.b.finish()
    }
}

fn initial(model: &Model) -> Program {
    let mut b = Builder::new();
    for (i, state) in model.states.iter().enumerate() {
        let v = b.import(
            &model.ops,
            state.initial,
            &mut HashMap::new(),
            &mut |b, s| b.load(s),
        );
        b.store(Slot::State(index(i)), v);
    }
    if refractory_time(model).is_some() {
        let zero = b.constant(0.0);
        b.store(Slot::State(index(model.states.len())), zero);
    }
    b.finish()
}

/// Splits `raw` into a prologue and a step that reads its results. Divisions by something known in
/// the prologue become products with its reciprocal.
fn split_prologue(raw: &Program) -> (Program, Program, usize) {
    let is_static = static_values(raw);
    let mut split = Split {
        raw,
        is_static: &is_static,
        prologue: Builder::new(),
        step: Builder::new(),
        in_prologue: HashMap::new(),
        derived: HashMap::new(),
    };
    let mut in_step: HashMap<Value, Value> = HashMap::new();
    for (i, op) in raw.ops.iter().enumerate() {
        let here = Value(index(i));
        if is_static[i] {
            continue;
        }
        let new = match op {
            Op::Binary(Binary::Div, x, y) if is_static[y.index()] => {
                let x = split.operand(*x, &in_step);
                let reciprocal = split.reciprocal(*y);
                split.step.mul(x, reciprocal)
            }
            op => {
                let op = op.map_operands(|v| split.operand(v, &in_step));
                split.step.push(op)
            }
        };
        in_step.insert(here, new);
    }
    for store in &raw.stores {
        let value = split.operand(store.value, &in_step);
        split.step.store(store.slot, value);
    }
    let n_derived = split.derived.len();
    (split.prologue.finish(), split.step.finish(), n_derived)
}

/// Which values depend on nothing but parameters, dt and constants.
fn static_values(raw: &Program) -> Vec<bool> {
    let mut is_static: Vec<bool> = Vec::with_capacity(raw.ops.len());
    for op in &raw.ops {
        let s = match op {
            Op::Load(slot) => matches!(slot, Slot::Parameter(_) | Slot::Dt),
            op => {
                let mut all = true;
                op.for_each_operand(|v| all &= is_static[v.index()]);
                all
            }
        };
        is_static.push(s);
    }
    is_static
}

struct Split<'p> {
    raw: &'p Program,
    is_static: &'p [bool],
    prologue: Builder,
    step: Builder,
    in_prologue: HashMap<Value, Value>,
    /// Prologue value → value of its load in the step.
    derived: HashMap<Value, Value>,
}

impl Split<'_> {
    fn operand(&mut self, v: Value, in_step: &HashMap<Value, Value>) -> Value {
        if !self.is_static[v.index()] {
            return in_step[&v];
        }
        let p = self.import(v);
        match self.prologue.op(p).clone() {
            op @ (Op::Const(_) | Op::Bool(_) | Op::Int(_)) => self.step.push(op),
            _ if self.prologue.ty(p) == Type::Bool => {
                let flag = self.prologue.unary(Unary::Indicator, p);
                let flag = self.derive(flag);
                let half = self.step.constant(0.5);
                self.step.gt(flag, half)
            }
            _ => self.derive(p),
        }
    }

    fn reciprocal(&mut self, v: Value) -> Value {
        let p = self.import(v);
        let one = self.prologue.constant(1.0);
        let r = self.prologue.div(one, p);
        match self.prologue.as_constant(r) {
            Some(c) => self.step.constant(c),
            None => self.derive(r),
        }
    }

    fn import(&mut self, v: Value) -> Value {
        self.prologue
            .import(&self.raw.ops, v, &mut self.in_prologue, &mut |b, s| {
                b.load(s)
            })
    }

    fn derive(&mut self, p: Value) -> Value {
        if let Some(&load) = self.derived.get(&p) {
            return load;
        }
        let slot = Slot::Derived(index(self.derived.len()));
        self.prologue.store(slot, p);
        let load = self.step.load(slot);
        self.derived.insert(p, load);
        load
    }
}

impl Component {
    /// Number of uniform, then normal draws per step.
    #[must_use]
    pub fn n_draws(&self) -> (usize, usize) {
        (
            self.model.n_uniforms as usize,
            self.model.n_normals as usize,
        )
    }

    /// The step with every transcendental function expanded for `precision`.
    #[must_use]
    pub fn expanded_step(&self, precision: Precision) -> Program {
        expand(&self.step, precision)
    }

    /// Identifies the code of the step: equal fingerprints mean equal programs in both precisions, as
    /// runners take them. What matters to gradients alone (surrogate, detached reset) does not change it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hash = fnv1a(FNV_OFFSET, &self.model.text);
        for precision in [Precision::F32, Precision::F64] {
            let program = prepare(&self.expanded_step(precision), SpikeAs::Flag);
            hash = fnv1a(hash, &program.to_string());
        }
        hash
    }

    /// Derived quantities for one set of parameters (base units) and a step of `dt_ms`.
    /// Evaluated in f64 from expanded functions: the same bits on every machine.
    #[must_use]
    pub fn derive(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        let expanded = expand(&self.prologue, Precision::F64);
        let stored = interpret::run(&expanded, &mut |slot| static_slot(slot, parameters, dt_ms));
        let mut derived = vec![0.0; self.n_derived];
        for (slot, value) in stored {
            if let Slot::Derived(k) = slot {
                derived[k as usize] = value;
            }
        }
        derived
    }

    /// Initial values of all states for one set of parameters (base units).
    #[must_use]
    pub fn initial_states(&self, parameters: &[f64], dt_ms: f64) -> Vec<f64> {
        let expanded = expand(&self.initial, Precision::F64);
        let stored = interpret::run(&expanded, &mut |slot| static_slot(slot, parameters, dt_ms));
        let mut states = vec![0.0; self.states.len()];
        for (slot, value) in stored {
            if let Slot::State(i) = slot {
                states[i as usize] = value;
            }
        }
        states
    }

    /// Default parameters, in base units.
    #[must_use]
    pub fn default_parameters(&self) -> Vec<f64> {
        self.model.parameters.iter().map(|p| p.default).collect()
    }
}

fn static_slot(slot: Slot, parameters: &[f64], dt_ms: f64) -> f64 {
    match slot {
        Slot::Parameter(i) => parameters[i as usize],
        Slot::Dt => dt_ms,
        other => unreachable!("a prologue reads parameters and dt only, not {other:?}"),
    }
}

/// What [`fnv1a`] starts from.
pub(crate) const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a hash over a text.
pub(crate) fn fnv1a(mut hash: u64, text: &str) -> u64 {
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "programs are limited to 65,536 ops"
)]
fn index(i: usize) -> u32 {
    i as u32
}
