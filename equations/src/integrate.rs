//! Integrators: one step of a model's differential equations as IR.
//!
//! Inputs, random draws and time are constant over the step. States without an equation stay as
//! they are. An equation marked `unless refractory` has rate 0 while `refractory` holds, so that
//! every other equation sees its state held.
//!
//! | method | step |
//! |---|---|
//! | `exact` | x' = e^{A dt}·x + ∫₀^{dt} e^{As} ds·(B·u + b), [`ClosedForm`] |
//! | `exponential_euler` | x' = x·e^{a dt} + b·dt·exprel(a dt) per variable, a and b frozen, with the mean over the step of every variable that decays by itself |
//! | `euler` | x' = x + dt·f(x) |
//! | `heun` | x' = x + dt/2·(k₁ + k₂), k₂ = f(x + dt·k₁) |
//! | `rk4` | x' = x + dt/6·(k₁ + 2(k₂ + k₃) + k₄) |
//! | `auto` | `exact` where closed, else `exponential_euler` where each equation is linear in its own variable, else `rk4` |

mod stages;

use thiserror::Error;

use crate::closed_form::{ClosedForm, NotAffine, NotClosed, decompose, describe, state_name};
use crate::ir::{Builder, Op, Slot, Unary, Value};
use crate::model::{Equation, Integrator, Model};

/// Gives the value of a slot that is not a state.
pub type Load<'a> = dyn FnMut(&mut Builder, Slot) -> Value + 'a;

/// One integrated step.
#[derive(Clone, Debug)]
pub struct Integrated {
    /// New value of every state, in declaration order.
    pub states: Vec<Value>,
    /// The method used; never [`Integrator::Auto`].
    pub used: Integrator,
}

/// Why a method does not apply.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum IntegrateError {
    /// `exact` needs a closed form.
    #[error("integrator `exact` does not apply: {0}")]
    NotClosed(#[from] NotClosed),
    /// `exponential_euler` needs each equation to be linear in its own variable.
    #[error(
        "integrator `exponential_euler` does not apply: the equation of `{state}` is not linear \
         in `{state}`: `{term}`"
    )]
    NotLinear {
        /// The state.
        state: String,
        /// The smallest part that is not linear in it.
        term: String,
    },
}

/// Advances the equations of `model` by one step.
///
/// `now[i]` is the value of state i; `refractory` is a bool; `load` gives every slot that is not a
/// state (parameters, inputs, `dt`, time, draws, previous values).
///
/// # Errors
/// [`IntegrateError`] where the method asked for does not apply; `auto` always does.
pub fn integrate(
    b: &mut Builder,
    model: &Model,
    method: Integrator,
    now: &[Value],
    refractory: Option<Value>,
    load: &mut Load<'_>,
) -> Result<Integrated, IntegrateError> {
    let used = match method {
        Integrator::Auto => resolve(model),
        named => named,
    };
    let mut step = stages::Step {
        model,
        now,
        refractory,
        load,
    };
    let states = match used {
        Integrator::Exact => exact(b, &mut step)?,
        Integrator::ExponentialEuler => exponential_euler(b, &mut step)?,
        Integrator::Euler => step.euler(b),
        Integrator::Heun => step.heun(b),
        Integrator::RungeKutta4 | Integrator::Auto => step.runge_kutta_4(b),
    };
    Ok(Integrated { states, used })
}

/// The method `auto` stands for in this model.
#[must_use]
pub fn resolve(model: &Model) -> Integrator {
    if ClosedForm::analyse(model).is_ok() {
        return Integrator::Exact;
    }
    let mut scratch = Builder::new();
    let linear = model.equations.iter().all(|equation| {
        own_linear(&mut scratch, model, equation, &mut |b, slot| b.load(slot)).is_ok()
    });
    if linear {
        Integrator::ExponentialEuler
    } else {
        Integrator::RungeKutta4
    }
}

/// Exact step; where some equations are held while refractory, both systems are advanced and the
/// states they disagree on are chosen by `refractory`.
fn exact(b: &mut Builder, step: &mut stages::Step<'_, '_>) -> Result<Vec<Value>, IntegrateError> {
    let form = ClosedForm::analyse(step.model)?;
    let dt = (step.load)(b, Slot::Dt);
    let free = form.step(b, step.now, dt, step.load);
    let Some(refractory) = step.refractory else {
        return Ok(free);
    };
    let is_held = |i| {
        step.model
            .equations
            .iter()
            .any(|e| e.state == i && e.unless_refractory)
    };
    let affected: Vec<bool> = (0_u32..)
        .take(free.len())
        .map(|i| {
            (0_u32..)
                .take(free.len())
                .any(|j| is_held(j) && form.depends(i, j))
        })
        .collect();
    if !affected.contains(&true) {
        return Ok(free);
    }
    let held = form.held(is_held).step(b, step.now, dt, step.load);
    let pairs = free.into_iter().zip(held).zip(affected);
    Ok(pairs
        .map(|((free, held), affected)| {
            if affected {
                b.select(refractory, held, free)
            } else {
                free
            }
        })
        .collect())
}

fn exponential_euler(
    b: &mut Builder,
    step: &mut stages::Step<'_, '_>,
) -> Result<Vec<Value>, IntegrateError> {
    let dt = (step.load)(b, Slot::Dt);
    let means = means(b, step, dt)?;
    let mut new = step.now.to_vec();
    for equation in &step.model.equations {
        let x = step.now[equation.state as usize];
        let load = &mut *step.load;
        let mut reads_state = false;
        let mut frozen = |b: &mut Builder, slot| match slot {
            Slot::State(j) => {
                reads_state = true;
                means[j as usize]
            }
            other => load(b, other),
        };
        let (a, constant) = own_linear(b, step.model, equation, &mut frozen)?;
        let advanced = match a {
            Some(a) if reads_state => follow(b, x, a, constant, dt),
            a => relax(b, x, a, constant, dt),
        };
        new[equation.state as usize] = match step.refractory {
            Some(refractory) if equation.unless_refractory => b.select(refractory, x, advanced),
            _ => advanced,
        };
    }
    Ok(new)
}

/// What each state counts as in the equations of others: its mean over the step where it decays by
/// itself (x' = a·x, a without states: x·exprel(a dt), exactly), else its value at the start. With
/// it an event carries its full charge whatever dt is, and the method is of second order for neurons
/// driven by decaying conductances.
fn means(
    b: &mut Builder,
    step: &mut stages::Step<'_, '_>,
    dt: Value,
) -> Result<Vec<Value>, IntegrateError> {
    let mut means = step.now.to_vec();
    for equation in &step.model.equations {
        let mut reads_state = false;
        let (now, load) = (step.now, &mut *step.load);
        let mut watched = |b: &mut Builder, slot| match slot {
            Slot::State(j) => {
                reads_state = true;
                now[j as usize]
            }
            other => load(b, other),
        };
        let (a, constant) = own_linear(b, step.model, equation, &mut watched)?;
        if let (Some(a), None, false, false) =
            (a, constant, reads_state, equation.unless_refractory)
        {
            let z = b.mul(a, dt);
            let relative = b.unary(Unary::Exprel, z);
            let x = step.now[equation.state as usize];
            means[equation.state as usize] = b.mul(x, relative);
        }
    }
    Ok(means)
}

/// x + (a·x + c)·(dt·exprel(a dt)), `None` is 0: the same as [`relax`] with one function to evaluate
/// in every step instead of two.
fn follow(b: &mut Builder, x: Value, a: Value, c: Option<Value>, dt: Value) -> Value {
    let z = b.mul(a, dt);
    let relative = b.unary(Unary::Exprel, z);
    let gain = b.mul(dt, relative);
    let decay = b.mul(a, x);
    let rate = c.map_or(decay, |c| b.add(decay, c));
    let change = b.mul(rate, gain);
    b.add(x, change)
}

/// x·e^{a dt} + c·(dt·exprel(a dt)); `None` is 0. Where a holds parameters only, the functions are
/// evaluated once, before the run.
fn relax(b: &mut Builder, x: Value, a: Option<Value>, c: Option<Value>, dt: Value) -> Value {
    let (decayed, gain) = match a {
        None => (x, dt),
        Some(a) => {
            let z = b.mul(a, dt);
            let decay = b.unary(Unary::Exp, z);
            let relative = b.unary(Unary::Exprel, z);
            (b.mul(decay, x), b.mul(dt, relative))
        }
    };
    match c {
        None => decayed,
        Some(c) => {
            let drive = b.mul(c, gain);
            b.add(decayed, drive)
        }
    }
}

/// a and b of dx/dt = a·x + b, with x the equation's own variable.
fn own_linear(
    b: &mut Builder,
    model: &Model,
    equation: &Equation,
    load: &mut Load<'_>,
) -> Result<(Option<Value>, Option<Value>), IntegrateError> {
    let own = Slot::State(equation.state);
    match decompose(b, &model.ops, equation.rate, &|slot| slot == own, load) {
        Ok(form) => {
            // A coefficient that is structurally zero may survive as a constant.
            let a = form.terms.get(&own).copied();
            let c = form.constant.filter(|&c| !matches!(b.op(c), Op::Const(0)));
            Ok((a, c))
        }
        Err(NotAffine { term }) => Err(IntegrateError::NotLinear {
            state: state_name(model, equation.state),
            term: describe(model, term),
        }),
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
