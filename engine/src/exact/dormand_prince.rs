//! Steps of the method of Dormand and Prince, with control of their size.

use super::adaptive::Evaluator;
use super::linear::MAX_STATES;

/// A number for each state.
pub(super) type States = [f64; MAX_STATES];

/// Coefficients of the stages (Dormand and Prince 1980, doi:10.1016/0771-050X(80)90013-3).
const STAGES: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
    ],
    &[
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
    ],
    &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];
/// Order 5 minus order 4.
const ERROR: [f64; 7] = [
    71.0 / 57600.0,
    0.0,
    -71.0 / 16695.0,
    71.0 / 1920.0,
    -17253.0 / 339_200.0,
    22.0 / 525.0,
    -1.0 / 40.0,
];
/// The interpolant's last coefficient (Hairer, Nørsett and Wanner, DOPRI5).
const DENSE: [f64; 7] = [
    -12_715_105_075.0 / 11_282_082_432.0,
    0.0,
    87_487_479_700.0 / 32_700_410_799.0,
    -10_690_763_975.0 / 1_880_347_072.0,
    701_980_252_875.0 / 199_316_789_632.0,
    -1_453_857_185.0 / 822_651_844.0,
    69_997_945.0 / 29_380_423.0,
];
/// Steps tried before the trajectory counts as one that leaves finite numbers.
const MAX_TRIALS: u32 = 200;

/// One accepted step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    start: States,
    end: States,
    rates: [States; 7],
    size: f64,
    left: f64,
    n: usize,
}

impl Step {
    /// \[ms\].
    pub(super) fn size(&self) -> f64 {
        self.size
    }

    /// What is left to go \[ms\].
    pub(super) fn left(&self) -> f64 {
        self.left
    }

    pub(super) fn end(&self) -> &[f64] {
        &self.end[..self.n]
    }

    /// The states at a part of the step (0 ..= 1), of order 4.
    pub(super) fn interpolate(&self, part: f64) -> States {
        let rest = 1.0 - part;
        let mut states = [0.0; MAX_STATES];
        for (i, state) in states.iter_mut().enumerate().take(self.n) {
            let change = self.end[i] - self.start[i];
            let bend = self.size * self.rates[0][i] - change;
            let twist = change - self.size * self.rates[6][i] - bend;
            let last: f64 = self.rates.iter().zip(DENSE).map(|(k, d)| d * k[i]).sum();
            *state = self.start[i]
                + part * (change + rest * (bend + part * (twist + rest * self.size * last)));
        }
        states
    }
}

/// Steps along a trajectory.
#[derive(Clone, Debug)]
pub(super) struct Stepper {
    rates: Evaluator,
    held: Vec<bool>,
    tolerance: f64,
    /// Where the next step starts, and the rates there.
    now: States,
    rate: States,
    size: f64,
    refractory: bool,
}

impl Stepper {
    pub(super) fn new(rates: Evaluator, held: &[bool], tolerance: f64) -> Self {
        Self {
            rates,
            held: held.to_vec(),
            tolerance,
            now: [0.0; MAX_STATES],
            rate: [0.0; MAX_STATES],
            size: 0.0,
            refractory: false,
        }
    }

    pub(super) fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// Starts a trajectory: nothing of the last one is left.
    pub(super) fn start(&mut self, states: &[f64], refractory: bool) {
        self.now[..states.len()].copy_from_slice(states);
        self.refractory = refractory;
        self.rate = self.rates_at(self.now);
        let fastest = self
            .now
            .iter()
            .zip(&self.rate)
            .take(states.len())
            .filter(|(_, rate)| **rate != 0.0)
            .map(|(x, rate)| (rate / x).abs())
            .fold(0.0, f64::max);
        self.size = (0.01 / fastest).clamp(1e-4, 1.0);
    }

    /// The next step, of at most `left` \[ms\]. A trajectory that leaves finite numbers ends in NaN.
    pub(super) fn step(&mut self, left: f64) -> Step {
        for _ in 0..MAX_TRIALS {
            let size = self.size.min(left);
            let mut step = self.trial(size);
            let error = self.error(&step);
            // err^(−1/5); grows at most fivefold, shrinks at most to a fifth.
            let factor = 0.9 * libm::pow(error.max(1e-10), -0.2);
            self.size = size * factor.clamp(0.2, 5.0);
            if error <= 1.0 {
                step.left = left - size;
                self.now = step.end;
                self.rate = step.rates[6];
                return step;
            }
            if !error.is_finite() {
                self.size = 0.1 * size;
            }
        }
        self.now = [f64::NAN; MAX_STATES];
        Step {
            start: self.now,
            end: self.now,
            rates: [self.now; 7],
            size: left,
            left: 0.0,
            n: self.held.len(),
        }
    }

    /// The states a time `after` the start of a step within it, by a step of that size.
    pub(super) fn part(&mut self, step: &Step, after: f64) -> States {
        let mut rates = step.rates;
        self.stages(step.start, &mut rates, after)
    }

    fn trial(&mut self, size: f64) -> Step {
        let mut rates = [[0.0; MAX_STATES]; 7];
        rates[0] = self.rate;
        let end = self.stages(self.now, &mut rates, size);
        rates[6] = self.rates_at(end);
        Step {
            start: self.now,
            end,
            rates,
            size,
            left: 0.0,
            n: self.held.len(),
        }
    }

    /// Stages 2 to 6 from the first, and the result.
    fn stages(&mut self, start: States, rates: &mut [States; 7], size: f64) -> States {
        let mut states = start;
        for (stage, weights) in STAGES.iter().enumerate() {
            for (i, state) in states.iter_mut().enumerate().take(self.held.len()) {
                let sum: f64 = weights
                    .iter()
                    .zip(rates.iter())
                    .map(|(w, k)| w * k[i])
                    .sum();
                *state = start[i] + size * sum;
            }
            if stage < 5 {
                rates[stage + 1] = self.rates_at(states);
            }
        }
        states
    }

    /// The estimated error in tolerances.
    fn error(&self, step: &Step) -> f64 {
        let mut worst = 0.0_f64;
        for i in 0..self.held.len() {
            let sum: f64 = step.rates.iter().zip(ERROR).map(|(k, e)| e * k[i]).sum();
            let size = step.start[i].abs().max(step.end[i].abs());
            let scale = size.max((step.size * step.rates[0][i]).abs());
            let error = (step.size * sum).abs() / (self.tolerance * scale + 1e-300);
            if error.is_nan() || !step.end[i].is_finite() {
                return f64::INFINITY;
            }
            worst = worst.max(error);
        }
        worst
    }

    fn rates_at(&mut self, states: States) -> States {
        let mut rates = [0.0; MAX_STATES];
        let mut next = rates.iter_mut();
        self.rates.run(&states, 0.0, |_, value| {
            if let Some(rate) = next.next() {
                *rate = value;
            }
        });
        if self.refractory {
            for (rate, _) in rates.iter_mut().zip(&self.held).filter(|(_, held)| **held) {
                *rate = 0.0;
            }
        }
        rates
    }
}
