//! Neurons that are linear between events, as numbers.
//!
//! A [`LinearModel`] is a component of which everything is known that happens between two events
//! and at them: between events dx/dt = A·x + b; an event of weight w at a port adds g·w; the neuron
//! fires where the margin m·x + c reaches 0; a reset maps x to M·x + r; while refractory some states
//! stand still. [`LinearModel::at`] evaluates all of it for one set of parameters.
//!
//! Whoever advances a neuron from event to event rather than from step to step starts here.

mod modes;

use std::collections::HashMap;

use thiserror::Error;

use crate::closed_form::{ClosedForm, NotAffine, NotClosed, decompose, describe, state_name};
use crate::expand::expand;
use crate::interpret::Interpreter;
use crate::ir::{Builder, Program, Slot, Value};
use crate::lower::Component;
use crate::model::{Assignment, InputTiming, Integrator, Model};
use crate::real::Precision;

pub use modes::{MAX_STATES, Modes, Particular};

/// Why a component cannot be advanced from event to event.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NotLinear {
    /// The equations have no closed form.
    #[error(transparent)]
    NotClosed(#[from] NotClosed),
    /// Another integrator than the exact one was chosen.
    #[error("it is integrated by `{0}`, step by step")]
    Integrator(&'static str),
    /// States feed back on each other.
    #[error("`{0}` is part of a feedback loop of states, or driven by one")]
    Coupled(String),
    /// Something acts in every step.
    #[error("{0} in every step")]
    EveryStep(String),
    /// An input does something else than to add a multiple of its weight.
    #[error(
        "the input `{input}` does more than to add a constant multiple of what arrives to `{state}`"
    )]
    Input {
        /// The port.
        input: String,
        /// The state.
        state: String,
    },
    /// The threshold is not linear in the states.
    #[error("the spike condition is not one comparison, linear in the states: `{0}`")]
    Threshold(String),
    /// A reset is not linear in the states.
    #[error("the reset of `{state}` is not linear in the states: `{term}`")]
    Reset {
        /// The state.
        state: String,
        /// The smallest part that is not linear.
        term: String,
    },
}

/// m·x + c.
#[derive(Clone, PartialEq, Debug)]
pub struct Functional {
    /// m, by state.
    pub row: Vec<f64>,
    /// c.
    pub constant: f64,
}

/// M·x + r.
#[derive(Clone, PartialEq, Debug)]
pub struct AffineMap {
    /// M, row-major.
    pub matrix: Vec<f64>,
    /// r.
    pub constant: Vec<f64>,
}

/// What an event at a port does.
#[derive(Clone, PartialEq, Debug)]
pub struct Jump {
    /// What one unit of weight adds to each state.
    pub gain: Vec<f64>,
    /// By state: lost while refractory.
    pub unless_refractory: Vec<bool>,
}

/// When the neuron fires, and what happens then.
#[derive(Clone, PartialEq, Debug)]
pub struct Firing {
    /// It fires where this is ≥ 0.
    pub margin: Functional,
    /// It fires where the margin is > 0, not ≥ 0.
    pub strict: bool,
    /// What a spike does to the states.
    pub reset: AffineMap,
    /// Refractory time \[ms\], if the model has one.
    pub refractory_ms: Option<f64>,
}

/// A linear neuron with one set of parameters; time in ms, quantities in base units.
#[derive(Clone, PartialEq, Debug)]
pub struct LinearSystem {
    /// Number of states; the refractory counter is not among them.
    pub n: usize,
    /// A \[1/ms\], row-major.
    pub rates: Vec<f64>,
    /// b \[per ms\].
    pub drive: Vec<f64>,
    /// By state: it stands still while refractory.
    pub held: Vec<bool>,
    /// An order of the states in which each depends on earlier ones only.
    pub order: Vec<usize>,
    /// By port.
    pub jumps: Vec<Jump>,
    /// `None` for a model that never fires.
    pub firing: Option<Firing>,
}

impl LinearSystem {
    /// The system while refractory: held states have rate 0.
    #[must_use]
    pub fn while_refractory(&self) -> Self {
        let mut system = self.clone();
        for i in (0..self.n).filter(|&i| self.held[i]) {
            system.rates[i * self.n..(i + 1) * self.n].fill(0.0);
            system.drive[i] = 0.0;
        }
        system
    }
}

/// The linear parts of a component, as expressions of its parameters.
///
/// ```
/// use std::sync::Arc;
/// use rheobase_equations::{linear_system::LinearModel, lower::lower, parse_one};
///
/// let text = "neuron leaky
///   parameter tau = 10 ms
///   dv/dt = (2 mV - v)/tau : mV
///   input jump(w : mV): v += 3*w
///   spike when v >= 1 mV, reset v = 0, refractory 2 ms";
/// let component = lower(&Arc::new(parse_one(text, "leaky.rheo")?), None)?;
/// let system = LinearModel::analyse(&component)?.at(&[20.0]);
/// assert_eq!((system.rates[0], system.drive[0]), (-0.05, 0.1));
/// assert_eq!(system.jumps[0].gain, [3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearModel {
    /// `Parameter` → `Output(k)`, in the order in which [`Self::at`] reads them.
    pub(crate) program: Program,
    pub(crate) n: usize,
    /// Structural non-zeros of A.
    pub(crate) rates: Vec<(usize, usize)>,
    pub(crate) drive: Vec<usize>,
    pub(crate) held: Vec<bool>,
    pub(crate) order: Vec<usize>,
    /// By port: (state, lost while refractory), one gain each.
    pub(crate) jumps: Vec<Vec<(usize, bool)>>,
    pub(crate) firing: Option<FiringShape>,
}

/// Which terms [`Firing`] has.
#[derive(Clone, Debug)]
pub(crate) struct FiringShape {
    strict: bool,
    margin: Vec<usize>,
    /// By assignment, in order: the state, and the states its new value depends on.
    reset: Vec<(usize, Vec<usize>)>,
    refractory: bool,
}

impl LinearModel {
    /// Analyses a component.
    ///
    /// # Errors
    /// [`NotLinear`] says what keeps it from being advanced from event to event.
    pub fn analyse(component: &Component) -> Result<Self, NotLinear> {
        let model = component.model.as_ref();
        let form = ClosedForm::analyse(model)?;
        if !model.equations.is_empty() && component.integrator != Integrator::Exact {
            return Err(NotLinear::Integrator(component.integrator.name()));
        }
        refuse_every_step(model)?;
        let n = form.n_states();
        let mut out = Outputs::default();
        let (mut rates, mut drive) = (Vec::new(), Vec::new());
        for (i, index) in (0_u32..).take(n).zip(0..n) {
            if !form.is_explicit(i) {
                return Err(NotLinear::Coupled(state_name(model, i)));
            }
            if let Some(slot) = form.forcing(i).keys().next() {
                return Err(NotLinear::EveryStep(reading(model, i, *slot)));
            }
            if form.varying_rate(i).is_some() {
                let what = format!("what drives `{}` changes", state_name(model, i));
                return Err(NotLinear::EveryStep(what));
            }
            for (j, column) in (0_u32..).take(n).zip(0..n) {
                if let Some(value) = form.coefficient(i, j) {
                    rates.push((index, column));
                    out.import(form.arena(), value);
                }
            }
        }
        for (i, index) in (0_u32..).take(n).zip(0..n) {
            if let Some(value) = form.constant_rate(i) {
                drive.push(index);
                out.import(form.arena(), value);
            }
        }
        let jumps = jumps(model, &mut out)?;
        let firing = firing(model, &mut out)?;
        let mut held = vec![false; n];
        for equation in model.equations.iter().filter(|e| e.unless_refractory) {
            held[equation.state as usize] = true;
        }
        Ok(Self {
            program: expand(&out.builder.finish(), Precision::F64),
            n,
            order: order(n, &rates),
            rates,
            drive,
            held,
            jumps,
            firing,
        })
    }

    /// The system for one set of parameters (base units).
    #[must_use]
    pub fn at(&self, parameters: &[f64]) -> LinearSystem {
        let mut values = Vec::with_capacity(self.program.stores.len());
        let load = |slot| match slot {
            Slot::Parameter(i) => parameters.get(i as usize).copied().unwrap_or(f64::NAN),
            // Nothing else is static: a step size does not occur in equations.
            _ => f64::NAN,
        };
        Interpreter::new(self.program.clone()).run(load, |_, value| values.push(value));
        let mut next = values.into_iter();
        let mut take = || next.next().unwrap_or(f64::NAN);
        let n = self.n;
        let mut system = LinearSystem {
            n,
            rates: vec![0.0; n * n],
            drive: vec![0.0; n],
            held: self.held.clone(),
            order: self.order.clone(),
            jumps: Vec::new(),
            firing: None,
        };
        for &(i, j) in &self.rates {
            system.rates[i * n + j] = take();
        }
        for &i in &self.drive {
            system.drive[i] = take();
        }
        for effects in &self.jumps {
            let mut jump = Jump {
                gain: vec![0.0; n],
                unless_refractory: vec![false; n],
            };
            for &(state, lost) in effects {
                jump.gain[state] += take();
                jump.unless_refractory[state] |= lost;
            }
            system.jumps.push(jump);
        }
        system.firing = self.firing.as_ref().map(|f| f.at(n, &mut take));
        system
    }
}

impl FiringShape {
    fn at(&self, n: usize, take: &mut impl FnMut() -> f64) -> Firing {
        let mut margin = Functional {
            row: vec![0.0; n],
            constant: 0.0,
        };
        for &j in &self.margin {
            margin.row[j] = take();
        }
        margin.constant = take();
        let mut reset = AffineMap {
            matrix: vec![0.0; n * n],
            constant: vec![0.0; n],
        };
        for i in 0..n {
            reset.matrix[i * n + i] = 1.0;
        }
        for (state, terms) in &self.reset {
            // The value is in terms of the states as earlier assignments left them.
            let mut row = vec![0.0; n];
            let mut constant = 0.0;
            for &j in terms {
                let c = take();
                for (r, m) in row.iter_mut().zip(&reset.matrix[j * n..(j + 1) * n]) {
                    *r += c * m;
                }
                constant += c * reset.constant[j];
            }
            constant += take();
            reset.matrix[state * n..(state + 1) * n].copy_from_slice(&row);
            reset.constant[*state] = constant;
        }
        Firing {
            margin,
            strict: self.strict,
            reset,
            refractory_ms: self.refractory.then(&mut *take),
        }
    }
}

/// Values in the order in which they are read back.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) builder: Builder,
    n: u32,
}

impl Outputs {
    pub(crate) fn push(&mut self, value: Value) {
        self.builder.store(Slot::Output(self.n), value);
        self.n += 1;
    }

    pub(crate) fn push_or_zero(&mut self, value: Option<Value>) {
        let value = value.unwrap_or_else(|| self.builder.constant(0.0));
        self.push(value);
    }

    fn import(&mut self, arena: &[crate::ir::Op], value: Value) {
        let load = &mut |b: &mut Builder, slot| b.load(slot);
        let value = self.builder.import(arena, value, &mut HashMap::new(), load);
        self.push(value);
    }

    /// Σ c·x + c₀ of an expression of the model, static in everything but states and inputs.
    fn affine(
        &mut self,
        model: &Model,
        root: Value,
    ) -> Result<crate::closed_form::Affine, NotAffine> {
        let variable = |s: Slot| !matches!(s, Slot::Parameter(_));
        let load = &mut |b: &mut Builder, slot| b.load(slot);
        decompose(&mut self.builder, &model.ops, root, &variable, load)
    }
}

/// What acts in every step leaves nothing to skip.
pub(crate) fn refuse_every_step(model: &Model) -> Result<(), NotLinear> {
    if model.n_uniforms + model.n_normals > 0 {
        return Err(NotLinear::EveryStep("it draws random numbers".to_owned()));
    }
    let then = model.spike.iter().flat_map(|s| &s.then);
    if let Some(update) = model.updates.iter().chain(then).next() {
        let state = state_name(model, update.state);
        return Err(NotLinear::EveryStep(format!("`{state}` is updated")));
    }
    if let Some(input) = model.inputs.iter().find(|i| i.effects.is_empty()) {
        let what = format!("it reads the input `{}`", input.name);
        return Err(NotLinear::EveryStep(what));
    }
    Ok(())
}

fn reading(model: &Model, state: u32, slot: Slot) -> String {
    let state = state_name(model, state);
    match slot {
        Slot::Input(i) => {
            let input = model.inputs.get(i as usize).map_or("?", |x| &x.name);
            format!("the equation of `{state}` reads the input `{input}`")
        }
        _ => format!("the equation of `{state}` reads what changes"),
    }
}

/// Appends the gains of every port.
pub(crate) fn jumps(
    model: &Model,
    out: &mut Outputs,
) -> Result<Vec<Vec<(usize, bool)>>, NotLinear> {
    let mut all = Vec::new();
    for (slot, input) in (0_u32..).map(Slot::Input).zip(&model.inputs) {
        let fail = |a: &Assignment| NotLinear::Input {
            input: input.name.clone(),
            state: state_name(model, a.state),
        };
        if input.timing == InputTiming::Before {
            let what = format!("the input `{}` acts before the equations", input.name);
            return Err(NotLinear::EveryStep(what));
        }
        let mut effects = Vec::new();
        for a in &input.effects {
            let own = Slot::State(a.state);
            let form = out.affine(model, a.value).map_err(|_| fail(a))?;
            let keeps = form
                .terms
                .get(&own)
                .is_some_and(|&c| out.builder.as_constant(c) == Some(1.0));
            let others = form.terms.keys().any(|&s| s != own && s != slot);
            let (Some(&gain), true, false, None) =
                (form.terms.get(&slot), keeps, others, form.constant)
            else {
                return Err(fail(a));
            };
            let lost = a.unless_refractory || input.unless_refractory;
            effects.push((a.state as usize, lost));
            out.push(gain);
        }
        all.push(effects);
    }
    Ok(all)
}

/// Appends the terms of threshold and reset.
pub(crate) fn firing(model: &Model, out: &mut Outputs) -> Result<Option<FiringShape>, NotLinear> {
    let Some(spike) = &model.spike else {
        return Ok(None);
    };
    let threshold = |text: String| NotLinear::Threshold(text);
    if let Some(guard) = spike.guard {
        return Err(threshold(describe(model, guard)));
    }
    let Some(margin) = spike.margin else {
        return Ok(None);
    };
    let form = out
        .affine(model, margin)
        .map_err(|e| threshold(describe(model, e.term)))?;
    let margin_states = states_only(&form.terms).ok_or(threshold(describe(model, margin)))?;
    form.terms.values().for_each(|&c| out.push(c));
    out.push_or_zero(form.constant);
    let mut reset = Vec::new();
    for a in &spike.reset {
        let fail = |term| NotLinear::Reset {
            state: state_name(model, a.state),
            term: describe(model, term),
        };
        let form = out.affine(model, a.value).map_err(|e| fail(e.term))?;
        let terms = states_only(&form.terms).ok_or(fail(a.value))?;
        form.terms.values().for_each(|&c| out.push(c));
        out.push_or_zero(form.constant);
        reset.push((a.state as usize, terms));
    }
    if let Some(time) = spike.refractory {
        out.import(&model.ops, time);
    }
    Ok(Some(FiringShape {
        strict: spike.strict,
        margin: margin_states,
        reset,
        refractory: spike.refractory.is_some(),
    }))
}

/// The states among the terms, ascending; `None` if there is anything else.
fn states_only(terms: &std::collections::BTreeMap<Slot, Value>) -> Option<Vec<usize>> {
    terms
        .keys()
        .map(|slot| match slot {
            Slot::State(j) => Some(*j as usize),
            _ => None,
        })
        .collect()
}

/// An order in which each state depends on earlier ones only; there is no loop.
fn order(n: usize, rates: &[(usize, usize)]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(n);
    while order.len() < n {
        let ready = (0..n).find(|i| {
            let waits = |&(row, j): &(usize, usize)| row == *i && j != *i && !order.contains(&j);
            !order.contains(i) && !rates.iter().any(waits)
        });
        match ready {
            Some(i) => order.push(i),
            // A loop: refused before.
            None => order.extend((0..n).filter(|i| !order.contains(i)).collect::<Vec<_>>()),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lower::lower;
    use crate::parse_one;

    fn analyse(text: &str) -> Result<LinearModel, NotLinear> {
        let model = parse_one(text, "test").unwrap();
        LinearModel::analyse(&lower(&Arc::new(model), None).unwrap())
    }

    const TWO: &str = "neuron two
       parameter tau = 10 ms, tau_s = 4 ms, c = 250 pF, e = -70 mV
       parameter t_ref = 2 ms, up = 3 mV
       dv/dt = (e - v)/tau + i/c : mV = e (unless refractory)
       di/dt = -i/tau_s : pA
       dtheta/dt = (20 mV - theta)/(5*tau) : mV = 20 mV
       input ex(w : pA): i += 2*w
       input jump(w : mV): v += w (unless refractory)
       spike when v >= theta, reset v = e + 0.5*(v - e), theta = theta + up + 0.1*v, refractory t_ref";

    #[test]
    fn every_part_is_read() {
        let system = analyse(TWO)
            .unwrap()
            .at(&[10.0, 4.0, 250.0, -70.0, 2.0, 3.0]);
        let n = 3;
        assert_eq!(system.n, n);
        let expected = [-0.1, 1.0 / 250.0, 0.0, 0.0, -0.25, 0.0, 0.0, 0.0, -0.02];
        for (a, b) in system.rates.iter().zip(expected) {
            assert!((a - b).abs() < 1e-16, "{:?}", system.rates);
        }
        assert_eq!(system.drive, [-7.0, 0.0, 0.4]);
        assert_eq!(system.held, [true, false, false]);
        assert_eq!(system.order, [1, 0, 2]);
        assert_eq!(system.jumps[0].gain, [0.0, 2.0, 0.0]);
        assert_eq!(system.jumps[1].gain, [1.0, 0.0, 0.0]);
        assert_eq!(system.jumps[1].unless_refractory, [true, false, false]);
        let firing = system.firing.as_ref().unwrap();
        assert_eq!(firing.margin.row, [1.0, 0.0, -1.0]);
        assert_eq!((firing.margin.constant, firing.strict), (0.0, false));
        // The second assignment sees what the first left.
        assert_eq!(firing.reset.matrix[6..], [0.05, 0.0, 1.0]);
        assert_eq!(firing.reset.constant, [-35.0, 0.0, 3.0 - 3.5]);
        assert_eq!(firing.refractory_ms, Some(2.0));
        assert_eq!(system.while_refractory().rates[..3], [0.0; 3]);
    }

    #[test]
    fn what_is_not_linear_is_named() {
        let reason = |text: &str| analyse(text).unwrap_err().to_string();
        let cases = [
            (
                "dv/dt = v*v/(1 mV*ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "not linear",
            ),
            (
                "dv/dt = w/(2 ms) : mV\n dw/dt = -v/(2 ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "feedback loop",
            ),
            (
                "dv/dt = -v/(2 ms) + x : mV\n input x : mV/ms\n spike when v >= 1 mV, reset v = 0",
                "the input `x`",
            ),
            (
                "dv/dt = -v/(2 ms) : mV\n input x(w : 1): v = v*w\n spike when v >= 1 mV, reset v = 0",
                "does more than to add",
            ),
            (
                "dv/dt = -v/(2 ms) : mV\n spike when v*v >= 1 mV*mV, reset v = 0",
                "the spike condition",
            ),
            (
                "dv/dt = -v/(2 ms) : mV\n spike when v >= 1 mV, reset v = v*v/(1 mV)",
                "the reset of `v`",
            ),
            (
                "dv/dt = (normal()*(1 mV) - v)/(2 ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "draws random numbers",
            ),
            (
                "integrator euler\n dv/dt = -v/(2 ms) : mV\n spike when v >= 1 mV, reset v = 0",
                "euler",
            ),
        ];
        for (body, expected) in cases {
            let message = reason(&format!("neuron x\n {body}"));
            assert!(message.contains(expected), "{message}");
        }
    }
}
