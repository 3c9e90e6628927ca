//! Closed form of a linear system with constant coefficients.
//!
//! The equations are read as dx/dt = A·x + B·u + b with x the states, u what is constant over a step
//! (inputs, random draws, `previous(x)`) and A, B, b expressions of parameters. Then
//!
//! x(t) = e^{At}·x(0) + P(t)·(B·u + b),  P(t) = ∫₀ᵗ e^{As} ds.
//!
//! Where no group of states feeds back on itself, A is triangular in some order and each entry is a
//! sum over the paths j → … → i along which state j reaches state i:
//!
//! (e^{At})ᵢⱼ = Σ_paths (Π coefficients)·tᵏ·exp\[λ₀t, …, λₖt\]
//!
//! with λ the rates (diagonal of A) of the k + 1 states on the path and exp\[…\] the divided
//! difference ([`Op::ExpDifference`]): exact where time constants coincide, accurate where they
//! nearly do. P has the same form with one more node 0 and one more power of t. Groups that do feed
//! back (complex or coupled eigenvalues) get a numeric matrix exponential, also as IR, accurate for
//! ‖A‖·t up to 100.
//!
//! Everything here depends on parameters and t alone, so it belongs to the prologue.

mod affine;
mod block;
mod describe;
mod paths;

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use crate::ir::{Builder, Op, Slot, Value};
use crate::model::Model;

pub(crate) use affine::{Affine, NotAffine, decompose, live_values};
pub(crate) use describe::{describe, state_name};
use paths::Entries;
pub use paths::{Path, PathSource};

/// Why a system has no closed form.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum NotClosed {
    /// An equation is not linear in the states.
    #[error("the equation of `{state}` is not linear in the states: `{term}`")]
    NotLinear {
        /// The state.
        state: String,
        /// The smallest part that is not linear.
        term: String,
    },
    /// A coefficient of a state changes while the network runs.
    #[error(
        "in the equation of `{state}` the coefficient of `{of}` is not constant: \
         only parameters may multiply states"
    )]
    VaryingCoefficient {
        /// The state whose equation it is.
        state: String,
        /// The state that is multiplied.
        of: String,
    },
    /// An equation depends on time.
    #[error("the equation of `{state}` depends on time")]
    TimeDependent {
        /// The state.
        state: String,
    },
    /// Too many states feed back on each other.
    #[error(
        "{states} states depend on a feedback loop; a closed form is built for at most {limit}"
    )]
    TooLarge {
        /// How many.
        states: usize,
        /// The limit.
        limit: usize,
    },
}

/// One equation, as sums over states and over what is constant in a step.
#[derive(Clone, Debug, Default)]
struct Row {
    /// Row of A: coefficients by state.
    states: BTreeMap<u32, Value>,
    /// Row of B: coefficients by slot.
    forcing: BTreeMap<Slot, Value>,
    /// Entry of b that depends on parameters alone.
    constant: Option<Value>,
    /// Entry of b that is not linear in inputs or draws.
    varying: Option<Value>,
}

/// The closed form of a model's equations.
///
/// States without an equation are constants: their rate is zero.
#[derive(Clone, Debug)]
pub struct ClosedForm {
    /// Coefficients, as IR of parameters (and of inputs, for `Row::varying`).
    arena: Builder,
    rows: Vec<Row>,
    /// `reaches[i][j]`: the equation of i depends on j, directly or through others.
    reaches: Vec<Vec<bool>>,
    /// States solved by the numeric matrix exponential, with everything they depend on; ascending.
    coupled: Vec<u32>,
    /// By state: it needs the matrix exponential.
    is_coupled: Vec<bool>,
}

/// e^{At} and the particular solution at one t, in a builder.
#[derive(Clone, Debug)]
pub struct Propagation {
    /// By state: (j, (e^{At})ᵢⱼ), own state first, then ascending; structural zeros left out.
    pub states: Vec<Vec<(u32, Value)>>,
    /// By state: (slot, (P·B)ᵢ,slot), ascending.
    pub forcing: Vec<Vec<(Slot, Value)>>,
    /// By state: (P·b)ᵢ where b depends on parameters alone.
    pub constant: Vec<Option<Value>>,
    /// By state: (k, Pᵢₖ) for every k whose equation has a part not linear in inputs or draws.
    pub varying: Vec<Vec<(u32, Value)>>,
}

impl ClosedForm {
    /// Analyses the equations of `model`.
    ///
    /// # Errors
    /// [`NotClosed`] names the equation and the part that has no closed form.
    pub fn analyse(model: &Model) -> Result<Self, NotClosed> {
        let mut arena = Builder::new();
        let mut rows = vec![Row::default(); model.states.len()];
        for equation in &model.equations {
            let row = analyse_rate(model, equation.state, equation.rate, &mut arena)?;
            rows[equation.state as usize] = row;
        }
        let is_static = static_values(&arena);
        for (i, row) in rows.iter().enumerate() {
            if let Some((j, _)) = row.states.iter().find(|(_, c)| !is_static[c.index()]) {
                return Err(NotClosed::VaryingCoefficient {
                    state: model.states[i].name.clone(),
                    of: state_name(model, *j),
                });
            }
        }
        Self {
            arena,
            rows,
            reaches: vec![],
            coupled: vec![],
            is_coupled: vec![],
        }
        .ordered()
    }

    /// The same system with some states held constant.
    #[must_use]
    pub fn held(&self, is_held: impl Fn(u32) -> bool) -> Self {
        let mut held = self.clone();
        for (i, row) in (0_u32..).zip(&mut held.rows) {
            if is_held(i) {
                *row = Row::default();
            }
        }
        // Removing edges only removes paths and loops: the limits still hold.
        held.ordered().unwrap_or_else(|_| self.clone())
    }

    /// Number of states.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.rows.len()
    }

    /// Whether state i has the explicit representation of [`Self::paths`]; else it is part of, or
    /// driven by, a feedback loop.
    #[must_use]
    pub fn is_explicit(&self, i: u32) -> bool {
        !self.is_coupled[i as usize]
    }

    /// The arena of coefficients: IR whose loads are parameters, `dt` and, in
    /// [`Self::varying_rate`] only, inputs and draws.
    #[must_use]
    pub fn arena(&self) -> &[Op] {
        self.arena.ops()
    }

    /// Rate λᵢ of state i (its own coefficient) \[1/ms\]; `None` for 0. A time constant τ gives −1/τ.
    #[must_use]
    pub fn rate(&self, i: u32) -> Option<Value> {
        self.coefficient(i, i)
    }

    /// Entry Aᵢⱼ in the arena \[unit of i per unit of j and ms\]; `None` for 0.
    #[must_use]
    pub fn coefficient(&self, i: u32, j: u32) -> Option<Value> {
        self.rows[i as usize].states.get(&j).copied()
    }

    /// Coefficients of what is constant in a step, in the arena.
    #[must_use]
    pub fn forcing(&self, i: u32) -> &BTreeMap<Slot, Value> {
        &self.rows[i as usize].forcing
    }

    /// Constant part of the rate of state i that depends on parameters alone, in the arena.
    #[must_use]
    pub fn constant_rate(&self, i: u32) -> Option<Value> {
        self.rows[i as usize].constant
    }

    /// Part of the rate of state i that is constant in a step but not linear in inputs or draws.
    #[must_use]
    pub fn varying_rate(&self, i: u32) -> Option<Value> {
        self.rows[i as usize].varying
    }

    /// Whether state i feels state j (or is it), directly or through others.
    #[must_use]
    pub fn depends(&self, i: u32, j: u32) -> bool {
        i == j || self.reaches[i as usize][j as usize]
    }

    /// Entry (e^{At})ᵢⱼ in `b`; `None` for a structural zero. `load` gives parameters.
    pub fn propagator(
        &self,
        b: &mut Builder,
        i: u32,
        j: u32,
        t: Value,
        load: &mut dyn FnMut(&mut Builder, Slot) -> Value,
    ) -> Option<Value> {
        let all = self.propagation(b, t, load);
        all.states[i as usize]
            .iter()
            .find(|(k, _)| *k == j)
            .map(|(_, v)| *v)
    }

    /// Entry i of the particular solution ∫₀ᵗ e^{As} b ds for the constant part of the rates.
    pub fn constant(
        &self,
        b: &mut Builder,
        i: u32,
        t: Value,
        load: &mut dyn FnMut(&mut Builder, Slot) -> Value,
    ) -> Option<Value> {
        self.propagation(b, t, load).constant[i as usize]
    }

    /// Everything needed to advance by `t` \[ms\]; `load` gives parameters.
    pub fn propagation(
        &self,
        b: &mut Builder,
        t: Value,
        load: &mut dyn FnMut(&mut Builder, Slot) -> Value,
    ) -> Propagation {
        let mut imported = Imported {
            memo: HashMap::new(),
            load,
        };
        let block = self.block(b, t, &mut imported);
        let n = self.rows.len();
        let mut result = Propagation {
            states: Vec::with_capacity(n),
            forcing: Vec::with_capacity(n),
            constant: Vec::with_capacity(n),
            varying: Vec::with_capacity(n),
        };
        for i in (0_u32..).take(n) {
            let mut entries = Entries {
                form: self,
                imported: &mut imported,
                block: &block,
                t,
            };
            result.states.push(entries.states(b, i));
            let integrals = entries.integrals(b, i);
            result
                .forcing
                .push(self.forcing_gain(b, &integrals, &mut imported));
            result
                .constant
                .push(self.constant_gain(b, &integrals, &mut imported));
            let varies = |&(k, _): &(u32, Value)| self.varying_rate(k).is_some();
            result
                .varying
                .push(integrals.into_iter().filter(varies).collect());
        }
        result
    }

    /// Advances the states by `t` \[ms\] in the order own term, other states ascending, what is
    /// constant in the step by slot, parts not linear in it by state, constant.
    pub fn step(
        &self,
        b: &mut Builder,
        now: &[Value],
        t: Value,
        load: &mut dyn FnMut(&mut Builder, Slot) -> Value,
    ) -> Vec<Value> {
        let all = self.propagation(b, t, load);
        let mut varying = Imported {
            memo: HashMap::new(),
            load,
        };
        let mut new = Vec::with_capacity(now.len());
        for i in 0..self.rows.len() {
            let mut sum = None;
            for &(j, p) in &all.states[i] {
                let term = b.mul(p, now[j as usize]);
                sum = Some(plus(b, sum, term));
            }
            for &(slot, gain) in &all.forcing[i] {
                let input = (varying.load)(b, slot);
                let term = b.mul(gain, input);
                sum = Some(plus(b, sum, term));
            }
            for &(k, gain) in &all.varying[i] {
                if let Some(rate) = self.varying_rate(k) {
                    let rate = varying.value(b, &self.arena, rate);
                    let term = b.mul(gain, rate);
                    sum = Some(plus(b, sum, term));
                }
            }
            if let Some(c) = all.constant[i] {
                sum = Some(plus(b, sum, c));
            }
            new.push(sum.unwrap_or(now[i]));
        }
        new
    }

    fn forcing_gain(
        &self,
        b: &mut Builder,
        integrals: &[(u32, Value)],
        imported: &mut Imported<'_>,
    ) -> Vec<(Slot, Value)> {
        let mut gains: BTreeMap<Slot, Value> = BTreeMap::new();
        for &(k, integral) in integrals {
            for (&slot, &coefficient) in self.forcing(k) {
                let coefficient = imported.value(b, &self.arena, coefficient);
                let term = b.mul(integral, coefficient);
                let sum = plus(b, gains.get(&slot).copied(), term);
                gains.insert(slot, sum);
            }
        }
        gains.into_iter().collect()
    }

    fn constant_gain(
        &self,
        b: &mut Builder,
        integrals: &[(u32, Value)],
        imported: &mut Imported<'_>,
    ) -> Option<Value> {
        let mut sum = None;
        for &(k, integral) in integrals {
            if let Some(rate) = self.constant_rate(k) {
                let rate = imported.value(b, &self.arena, rate);
                let term = b.mul(integral, rate);
                sum = Some(plus(b, sum, term));
            }
        }
        sum
    }

    /// Matrix exponential of the coupled states, `None` if there are none.
    fn block(
        &self,
        b: &mut Builder,
        t: Value,
        imported: &mut Imported<'_>,
    ) -> Option<block::Exponential> {
        if self.coupled.is_empty() {
            return None;
        }
        let mut matrix: block::Matrix = Vec::new();
        for &i in &self.coupled {
            let row = self.coupled.iter().map(|&j| {
                self.coefficient(i, j)
                    .map(|c| imported.value(b, &self.arena, c))
            });
            matrix.push(row.collect());
        }
        Some(block::exponential(b, &matrix, t))
    }
}

fn plus(b: &mut Builder, sum: Option<Value>, term: Value) -> Value {
    sum.map_or(term, |s| b.add(s, term))
}

/// Values of the arena copied into a builder.
struct Imported<'a> {
    memo: HashMap<Value, Value>,
    load: &'a mut dyn FnMut(&mut Builder, Slot) -> Value,
}

impl Imported<'_> {
    fn value(&mut self, b: &mut Builder, arena: &Builder, root: Value) -> Value {
        let load = &mut self.load;
        b.import(arena.ops(), root, &mut self.memo, &mut |b, slot| {
            load(b, slot)
        })
    }
}

/// Splits one rate into its row.
fn analyse_rate(
    model: &Model,
    state: u32,
    rate: Value,
    arena: &mut Builder,
) -> Result<Row, NotClosed> {
    let live = affine::live_values(&model.ops, rate);
    if live
        .iter()
        .any(|v| model.ops[v.index()] == Op::Load(Slot::Time))
    {
        return Err(NotClosed::TimeDependent {
            state: state_name(model, state),
        });
    }
    let load = &mut |b: &mut Builder, slot| b.load(slot);
    let linear_in_all = |s: Slot| {
        matches!(
            s,
            Slot::State(_)
                | Slot::Previous(_)
                | Slot::Input(_)
                | Slot::Uniform(_)
                | Slot::Normal(_)
        )
    };
    if let Ok(form) = decompose(arena, &model.ops, rate, &linear_in_all, load) {
        return Ok(row_of(&form, true));
    }
    let linear_in_states = |s: Slot| matches!(s, Slot::State(_));
    match decompose(arena, &model.ops, rate, &linear_in_states, load) {
        Ok(form) => Ok(row_of(&form, false)),
        Err(NotAffine { term }) => Err(NotClosed::NotLinear {
            state: state_name(model, state),
            term: describe(model, term),
        }),
    }
}

fn row_of(form: &Affine, constant_is_static: bool) -> Row {
    let mut row = Row::default();
    for (&slot, &coefficient) in &form.terms {
        match slot {
            Slot::State(j) => row.states.insert(j, coefficient),
            _ => row.forcing.insert(slot, coefficient),
        };
    }
    if constant_is_static {
        row.constant = form.constant;
    } else {
        row.varying = form.constant;
    }
    row
}

/// By value of the arena: depends on nothing but parameters and `dt`.
fn static_values(arena: &Builder) -> Vec<bool> {
    let mut result: Vec<bool> = Vec::with_capacity(arena.ops().len());
    for op in arena.ops() {
        let mut is_static = match op {
            Op::Load(slot) => matches!(slot, Slot::Parameter(_) | Slot::Dt),
            _ => true,
        };
        op.for_each_operand(|v| is_static &= result[v.index()]);
        result.push(is_static);
    }
    result
}

#[cfg(test)]
mod tests;
