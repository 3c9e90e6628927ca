//! Neurons without a closed form: Runge-Kutta steps of chosen size, and spikes located in them.

use std::cell::RefCell;

use rheobase_equations::events::EventPrograms;
use rheobase_equations::interpret::Interpreter;
use rheobase_equations::ir::{Program, Slot};

use super::dormand_prince::{Step, Stepper};
use super::flow::{Crossing, Flow};
use super::linear::MAX_STATES;
use super::make::NotExact;

/// Default relative error of a step.
pub const DEFAULT_TOLERANCE: f64 = 1e-10;
/// Peaks this near to the threshold, in tolerances of the margin's largest value in the step, could
/// go either way.
const GRAZING: f64 = 10.0;
/// Parts of a step's interpolant at which the margin is looked at. Two are next to the ends, for
/// peaks of the outer intervals.
const LOOKS: [f64; 11] = [
    0.0, 1e-3, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.999, 1.0,
];
/// Steps of a search within an interval.
const MAX_SEARCH: u32 = 100;

/// Any neuron of equations, events and a threshold, integrated by the method of Dormand and Prince of
/// order 5 with an error estimate of order 4 (Hairer, Nørsett and Wanner, *Solving Ordinary
/// Differential Equations I*, II.4 and II.6).
///
/// # Accuracy
///
/// A step is repeated with a smaller size until the estimated error of each state is below
/// `tolerance` times the state or its change in the step, whichever is larger. Errors of steps add
/// up; those of a trajectory are some tens of tolerances per membrane time constant, more where
/// trajectories part (near an unstable fixed point, say). A crossing has the error of the margin
/// divided by its slope. Advancing in two parts agrees with advancing at once to that accuracy, not
/// to the last bit.
///
/// Within a step the margin is looked at in eleven points of an interpolant of order 4, and its peaks
/// between them are refined: a peak that rises and falls between two such points is missed, in
/// contrast to the closed forms.
///
/// [`Flow::next_crossing`] searches up to the horizon and no further: give a finite one, and search on
/// from the state there.
#[derive(Clone, Debug)]
pub struct AdaptiveFlow {
    stepper: Stepper,
    margin: Option<RefCell<Evaluator>>,
    strict: bool,
    inputs: Vec<[RefCell<Evaluator>; 2]>,
    reset: RefCell<Evaluator>,
    refractory_ms: f64,
    n: usize,
}

/// A program with its parameters.
#[derive(Clone, Debug)]
pub(super) struct Evaluator {
    interpreter: Interpreter<f64>,
    parameters: Vec<f64>,
}

impl Evaluator {
    fn new(program: &Program, parameters: &[f64]) -> Self {
        Self {
            interpreter: Interpreter::new(program.clone()),
            parameters: parameters.to_vec(),
        }
    }

    /// Runs the program on states and what arrived; hands out what it stores.
    pub(super) fn run(&mut self, states: &[f64], input: f64, mut store: impl FnMut(Slot, f64)) {
        let parameters = &self.parameters;
        let load = |slot| match slot {
            Slot::State(i) => states.get(i as usize).copied().unwrap_or(f64::NAN),
            Slot::Parameter(i) => parameters.get(i as usize).copied().unwrap_or(f64::NAN),
            // Nothing else is read but the port itself.
            _ => input,
        };
        self.interpreter.run(load, &mut store);
    }

    /// The only output.
    fn value(&mut self, states: &[f64]) -> f64 {
        let mut result = f64::NAN;
        self.run(states, 0.0, |_, value| result = value);
        result
    }

    /// What the program stores, written back into the states it was read from.
    fn assign(&mut self, states: &mut [f64], input: f64) {
        let mut before = [0.0; MAX_STATES];
        before[..states.len()].copy_from_slice(states);
        self.run(&before, input, |slot, value| {
            if let Slot::State(i) = slot
                && let Some(state) = states.get_mut(i as usize)
            {
                *state = value;
            }
        });
    }
}

impl AdaptiveFlow {
    /// Prepares a neuron; `tolerance` is the relative error of a step.
    ///
    /// # Errors
    /// If the tolerance is not within 1e-14 ..= 0.01.
    pub fn new(
        programs: &EventPrograms,
        parameters: &[f64],
        tolerance: f64,
    ) -> Result<Self, NotExact> {
        if !(1e-14..=0.01).contains(&tolerance) {
            return Err(NotExact::Tolerance(tolerance.to_string()));
        }
        if programs.n_states > MAX_STATES {
            return Err(NotExact::TooManyStates(programs.n_states));
        }
        let evaluator = |program: &Program| RefCell::new(Evaluator::new(program, parameters));
        let refractory_ms = evaluator(&programs.refractory).get_mut().value(&[]);
        if !refractory_ms.is_finite() {
            return Err(NotExact::NotFinite);
        }
        let rates = Evaluator::new(&programs.rates, parameters);
        Ok(Self {
            stepper: Stepper::new(rates, &programs.held, tolerance),
            margin: programs.margin.as_ref().map(evaluator),
            strict: programs.strict,
            inputs: programs
                .inputs
                .iter()
                .map(|[free, refractory]| [evaluator(free), evaluator(refractory)])
                .collect(),
            reset: evaluator(&programs.reset),
            refractory_ms,
            n: programs.n_states,
        })
    }

    fn reached(&self, margin: f64) -> bool {
        if self.strict {
            margin > 0.0
        } else {
            margin >= 0.0
        }
    }

    fn margin(&self, states: &[f64]) -> f64 {
        let none = f64::NEG_INFINITY;
        let margin = self.margin.as_ref();
        margin.map_or(none, |m| m.borrow_mut().value(states))
    }

    /// The first part of a step at which the margin of its interpolant has been reached, if any, and
    /// whether a peak came near.
    fn look(&self, step: &Step) -> (Option<f64>, bool) {
        let at = |part: f64| self.margin(&step.interpolate(part));
        let margins = LOOKS.map(at);
        let size = margins.iter().map(|m| m.abs()).fold(0.0, f64::max);
        let near = GRAZING * self.stepper.tolerance() * size;
        let mut grazing = false;
        for (parts, margins) in LOOKS.windows(3).zip(margins.windows(3)) {
            if margins[1] >= margins[0] && margins[1] >= margins[2] {
                let (part, peak) = maximum(parts[0], parts[2], &at);
                grazing |= peak.abs() <= near;
                if self.reached(peak) {
                    return (Some(part), grazing);
                }
            }
            if let Some(i) = (1..3).find(|&i| self.reached(margins[i])) {
                return (Some(parts[i]), grazing);
            }
        }
        (None, grazing)
    }

    /// The time within a step at which the margin is reached, by steps of the method itself, so that
    /// the state there is as accurate as any: false position with halved ends (Illinois). `None` if
    /// the margin is not reached at `part` by such a step: then it was the interpolant's error.
    fn locate(&mut self, step: &Step, part: f64) -> Option<f64> {
        let (mut low, mut high) = (0.0, part * step.size());
        let mut at_low = self.margin_in(step, low);
        let mut at_high = self.margin_in(step, high);
        if !self.reached(at_high) {
            return None;
        }
        for search in 1..=MAX_SEARCH {
            let secant = high - at_high * (high - low) / (at_high - at_low);
            let inside = secant > low && secant < high && search % 4 != 0;
            let t = if inside { secant } else { 0.5 * (low + high) };
            if t <= low || t >= high {
                break;
            }
            let margin = self.margin_in(step, t);
            if self.reached(margin) {
                (high, at_high) = (t, margin);
                at_low *= 0.5;
            } else {
                (low, at_low) = (t, margin);
                at_high *= 0.5;
            }
        }
        Some(high)
    }

    fn margin_in(&mut self, step: &Step, after: f64) -> f64 {
        let states = self.stepper.part(step, after);
        self.margin(&states)
    }
}

/// The place and value of the maximum of a function with one peak, by golden section.
fn maximum(low: f64, high: f64, f: &impl Fn(f64) -> f64) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_895;
    let (mut low, mut high) = (low, high);
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..40 {
        if at_a >= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - RATIO * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + RATIO * (high - low);
            at_b = f(b);
        }
    }
    if at_a >= at_b { (a, at_a) } else { (b, at_b) }
}

impl Flow for AdaptiveFlow {
    fn n_states(&self) -> usize {
        self.n
    }

    fn advance(&mut self, states: &mut [f64], elapsed_ms: f64, refractory: bool) {
        let mut left = elapsed_ms;
        self.stepper.start(states, refractory);
        while left > 0.0 {
            let step = self.stepper.step(left);
            left = step.left();
            states.copy_from_slice(step.end());
        }
    }

    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing {
        let mut crossing = Crossing::default();
        if self.fires(states) {
            crossing.after_ms = Some(0.0);
            return crossing;
        }
        if self.margin.is_none() {
            return crossing;
        }
        let (mut elapsed, mut left) = (0.0, horizon_ms);
        self.stepper.start(states, false);
        while left > 0.0 {
            let step = self.stepper.step(left);
            let (part, grazing) = self.look(&step);
            crossing.grazing |= grazing;
            if let Some(part) = part {
                match self.locate(&step, part) {
                    Some(after) => {
                        crossing.after_ms = Some((elapsed + after).min(horizon_ms));
                        return crossing;
                    }
                    None => crossing.grazing = true,
                }
            }
            elapsed += step.size();
            left = step.left();
        }
        crossing
    }

    fn fires(&self, states: &[f64]) -> bool {
        self.reached(self.margin(states))
    }

    fn input(&self, states: &mut [f64], port: usize, weight: f64, refractory: bool) {
        if let Some(programs) = self.inputs.get(port) {
            let program = &programs[usize::from(refractory)];
            program.borrow_mut().assign(states, weight);
        }
    }

    fn reset(&self, states: &mut [f64]) {
        self.reset.borrow_mut().assign(states, 0.0);
    }

    fn refractory_ms(&self) -> f64 {
        self.refractory_ms
    }
}

#[cfg(test)]
mod tests;
