//! Linear neurons in closed form.

use rheobase_equations::linear_system::{AffineMap, Firing, Functional, Jump, LinearSystem};

use super::basis::{MAX_TERMS, Terms};
use super::crossing::Solver;
use super::flow::{Crossing, Flow};
use super::make::NotExact;
use super::modes::Modes;
use super::quiet::Quiet;

/// Most states of a neuron in closed form.
pub const MAX_STATES: usize = 12;

/// A neuron that is linear between events: its trajectory is a sum of polynomials times exponentials,
/// and its spikes are zeros of such a sum, found to machine precision.
///
/// States are accurate to a few units in the last place of the largest of the terms they are the sum
/// of, however close time constants lie, and advancing in two parts gives what advancing at once
/// gives, but for rounding. A crossing is accurate to that error divided by the slope. No peak is
/// missed; one within 1e-12 of the threshold, relative to the sum of the magnitudes of the margin's
/// terms, is reported as grazing.
///
/// ```
/// use rheobase_engine::exact::flow::Flow;
/// use rheobase_engine::exact::linear::LinearFlow;
/// use rheobase_equations::linear_system::LinearModel;
/// use rheobase_equations::{lower, parse_one};
///
/// let text = "neuron relaxing
///   dv/dt = (20 mV - v)/(10 ms) : mV
///   spike when v >= 10 mV, reset v = 0 mV";
/// let component = lower::lower(&parse_one(text, "text")?.into(), None)?;
/// let mut flow = LinearFlow::new(&LinearModel::analyse(&component)?.at(&[]))?;
/// let crossing = flow.next_crossing(&[0.0], f64::INFINITY);
/// let expected = 10.0 * 2.0_f64.ln();
/// assert!((crossing.after_ms.unwrap_or(0.0) - expected).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearFlow {
    n: usize,
    free: Propagator,
    refractory: Propagator,
    events: Events,
    margin: Option<Margin>,
}

impl LinearFlow {
    /// Solves the system once; events and crossings then allocate nothing.
    ///
    /// # Errors
    /// If there are more than [`MAX_STATES`] states, or a coefficient is not finite.
    pub fn new(system: &LinearSystem) -> Result<Self, NotExact> {
        if system.n > MAX_STATES {
            return Err(NotExact::TooManyStates(system.n));
        }
        let coefficients = system.rates.iter().chain(&system.drive);
        let margin = system.firing.iter().flat_map(|f| {
            let margin = f.margin.row.iter().chain([&f.margin.constant]);
            margin.chain(&f.reset.constant).chain(&f.reset.matrix)
        });
        let jumps = system.jumps.iter().flat_map(|j| &j.gain);
        if !coefficients
            .chain(margin)
            .chain(jumps)
            .all(|x| x.is_finite())
        {
            return Err(NotExact::NotFinite);
        }
        let modes = Modes::of(system);
        let held = Modes::of(&system.while_refractory());
        Ok(Self {
            n: system.n,
            free: Propagator::of(&modes),
            refractory: Propagator::of(&held),
            events: Events::of(&system.jumps, system.firing.as_ref()),
            margin: system
                .firing
                .as_ref()
                .map(|f| Margin::of(f, &Modes::of(&felt(system, &f.margin)))),
        })
    }
}

impl Flow for LinearFlow {
    fn n_states(&self) -> usize {
        self.n
    }

    fn advance(&mut self, states: &mut [f64], elapsed_ms: f64, refractory: bool) {
        if elapsed_ms > 0.0 {
            let propagator = if refractory {
                &self.refractory
            } else {
                &self.free
            };
            propagator.advance(states, elapsed_ms);
        }
    }

    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing {
        if self.fires(states) {
            return Crossing {
                after_ms: Some(0.0),
                grazing: false,
            };
        }
        self.margin
            .as_mut()
            .map_or_else(Crossing::default, |m| m.next_crossing(states, horizon_ms))
    }

    fn quiet_ms(&self, states: &[f64]) -> f64 {
        self.margin
            .as_ref()
            .map_or(f64::INFINITY, |m| m.quiet.before(&m.coefficients(states)))
    }

    fn fires(&self, states: &[f64]) -> bool {
        self.events.fires(states)
    }

    fn input(&self, states: &mut [f64], port: usize, weight: f64, refractory: bool) {
        self.events.input(states, port, weight, refractory);
    }

    fn reset(&self, states: &mut [f64]) {
        self.events.reset(states);
    }

    fn refractory_ms(&self) -> f64 {
        self.events.refractory_ms()
    }
}

/// What happens at events of a neuron whose inputs add, whose threshold is linear and whose reset is
/// affine.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    jumps: Vec<Jump>,
    margin: Option<Functional>,
    strict: bool,
    /// By state that a reset changes: its row of the map, as states and factors, and the constant.
    reset: Vec<(usize, Vec<(usize, f64)>, f64)>,
    refractory_ms: f64,
}

impl Events {
    pub(crate) fn of(jumps: &[Jump], firing: Option<&Firing>) -> Self {
        Self {
            jumps: jumps.to_vec(),
            margin: firing.map(|f| f.margin.clone()),
            strict: firing.is_some_and(|f| f.strict),
            reset: firing.map_or_else(Vec::new, |f| changes(&f.reset)),
            refractory_ms: firing.and_then(|f| f.refractory_ms).unwrap_or(0.0),
        }
    }

    pub(crate) fn refractory_ms(&self) -> f64 {
        self.refractory_ms
    }

    pub(crate) fn fires(&self, states: &[f64]) -> bool {
        let Some(margin) = &self.margin else {
            return false;
        };
        let terms = margin.row.iter().zip(states).map(|(m, x)| m * x);
        let value = terms.sum::<f64>() + margin.constant;
        if self.strict {
            value > 0.0
        } else {
            value >= 0.0
        }
    }

    pub(crate) fn input(&self, states: &mut [f64], port: usize, weight: f64, refractory: bool) {
        let Some(jump) = self.jumps.get(port) else {
            return;
        };
        for ((state, gain), lost) in states
            .iter_mut()
            .zip(&jump.gain)
            .zip(&jump.unless_refractory)
        {
            if *gain != 0.0 && !(refractory && *lost) {
                *state += gain * weight;
            }
        }
    }

    pub(crate) fn reset(&self, states: &mut [f64]) {
        let mut before = [0.0; MAX_STATES];
        before[..states.len()].copy_from_slice(states);
        for (state, terms, constant) in &self.reset {
            let sum: f64 = terms.iter().map(|(j, factor)| factor * before[*j]).sum();
            states[*state] = sum + constant;
        }
    }
}

/// Rows of a map that are not those of the identity.
fn changes(map: &AffineMap) -> Vec<(usize, Vec<(usize, f64)>, f64)> {
    let n = map.constant.len();
    let mut result = Vec::new();
    for (i, &constant) in map.constant.iter().enumerate() {
        let row = &map.matrix[i * n..(i + 1) * n];
        let terms: Vec<(usize, f64)> = nonzero(row);
        let keeps =
            constant == 0.0 && matches!(terms[..], [(j, factor)] if j == i && factor - 1.0 == 0.0);
        if !keeps {
            result.push((i, terms, constant));
        }
    }
    result
}

fn nonzero(row: &[f64]) -> Vec<(usize, f64)> {
    let entries = row.iter().copied().enumerate();
    entries.filter(|(_, x)| *x != 0.0).collect()
}

/// x(t) from x(0), without what is zero.
#[derive(Clone, Debug)]
struct Propagator {
    modes: Modes,
    /// By state: (function, first and last of its sources).
    states: Vec<Vec<(usize, Vec<(usize, f64)>)>>,
}

impl Propagator {
    fn of(modes: &Modes) -> Self {
        let terms_of = |i: usize| {
            let terms = (0..modes.basis.n_terms()).map(|k| (k, nonzero(modes.row(k, i))));
            terms.filter(|(_, sources)| !sources.is_empty()).collect()
        };
        Self {
            states: (0..modes.n - 1).map(terms_of).collect(),
            modes: modes.clone(),
        }
    }

    fn advance(&self, states: &mut [f64], t: f64) {
        let basis = &self.modes.basis;
        let mut phi = [0.0; MAX_TERMS];
        basis.evaluate(t, 0.0, basis.n_terms(), &mut phi);
        let before = with_constant(states);
        for (state, terms) in states.iter_mut().zip(&self.states) {
            let mut sum = 0.0;
            for (k, sources) in terms {
                sum += combine(sources, &before) * phi[*k];
            }
            *state = sum;
        }
    }
}

/// The states, then 1.
fn with_constant(states: &[f64]) -> Terms {
    let mut all = [0.0; MAX_TERMS];
    all[..states.len()].copy_from_slice(states);
    all[states.len()] = 1.0;
    all
}

fn combine(sources: &[(usize, f64)], y: &Terms) -> f64 {
    sources.iter().map(|(j, weight)| weight * y[*j]).sum()
}

/// The system without the equations that the margin does not feel, however indirectly: so that no
/// function of theirs occurs in it.
fn felt(system: &LinearSystem, margin: &Functional) -> LinearSystem {
    let n = system.n;
    let mut is_felt: Vec<bool> = margin.row.iter().map(|m| *m != 0.0).collect();
    for &i in system.order.iter().rev() {
        for j in 0..n {
            is_felt[j] |= is_felt[i] && system.rates[i * n + j] != 0.0;
        }
    }
    let mut result = system.clone();
    for i in (0..n).filter(|&i| !is_felt[i]) {
        result.rates[i * n..(i + 1) * n].fill(0.0);
        result.drive[i] = 0.0;
    }
    result
}

/// The margin as a sum of functions of time.
#[derive(Clone, Debug)]
struct Margin {
    /// By function: weights of states and constant.
    weights: Vec<Vec<(usize, f64)>>,
    solver: Solver,
    quiet: Quiet,
    strict: bool,
}

impl Margin {
    fn of(firing: &Firing, modes: &Modes) -> Self {
        let mut row = firing.margin.row.clone();
        row.push(firing.margin.constant);
        let weights = (0..modes.basis.n_terms()).map(|k| {
            let mut sum = vec![0.0; modes.n];
            for (i, factor) in nonzero(&row) {
                let weights = modes.row(k, i);
                sum.iter_mut()
                    .zip(weights)
                    .for_each(|(sum, w)| *sum += factor * w);
            }
            nonzero(&sum)
        });
        Self {
            weights: weights.collect(),
            solver: Solver::new(&modes.basis),
            quiet: Quiet::new(&modes.basis),
            strict: firing.strict,
        }
    }

    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing {
        let c = self.coefficients(states);
        self.solver.first(&c, horizon_ms, self.strict)
    }

    /// By function: its factor in the margin.
    fn coefficients(&self, states: &[f64]) -> Terms {
        let y = with_constant(states);
        let mut c = [0.0; MAX_TERMS];
        for (c, weights) in c.iter_mut().zip(&self.weights) {
            *c = combine(weights, &y);
        }
        c
    }
}

#[cfg(test)]
mod tests;
