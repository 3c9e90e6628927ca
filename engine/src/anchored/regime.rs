//! What neurons do between events, tabulated over the steps of an epoch.

use rheobase_equations::linear_system::{Functional, LinearSystem, MAX_STATES, Modes, Particular};
use rheobase_equations::real::Real;

use super::layout::WIDTH;

/// Rates closer than this share of the larger one stay together in a block: their eigenvectors would
/// cancel to three bits and more.
const NEARNESS: f64 = 0.125;

/// How far an amplitude may grow over an epoch, as a power of e. Alone, modes lose nothing by it; in
/// a block, terms of size t/τ cancel.
const GROWTH_ALONE: f64 = 16.0;
const GROWTH_IN_BLOCKS: f64 = 8.0;

/// Amplitudes below this are set to 0 at the end of an epoch: long before they are subnormal.
pub(super) const LEAST: f64 = 1e-25;

/// Most steps of an epoch: what tables may take.
const LONGEST_EPOCH: u64 = 1024;

/// The modes of a system with its resting solution.
pub(super) struct Split {
    pub(super) modes: Modes,
    pub(super) rest: Particular,
}

impl Split {
    /// `None` where the drive makes a state grow faster than linearly.
    pub(super) fn of(system: &LinearSystem) -> Option<Self> {
        Some(Self {
            modes: Modes::of(system, NEARNESS),
            rest: Particular::of(system)?,
        })
    }

    /// Longest epoch in steps of `dt_ms` that keeps the precision.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "clamped to a small range"
    )]
    pub(super) fn epoch(&self, dt_ms: f64) -> u64 {
        let growth = if self.modes.is_diagonal() {
            GROWTH_ALONE
        } else {
            GROWTH_IN_BLOCKS
        };
        let fastest = self.modes.rates.iter().fold(0.0_f64, |m, r| m.max(r.abs()));
        (growth / (fastest * dt_ms)).clamp(0.0, LONGEST_EPOCH as f64) as u64
    }
}

/// One regime: neurons that are free, or neurons that are refractory.
pub(super) struct Regime<R> {
    n: usize,
    n_ports: usize,
    basis: Vec<f64>,
    inverse: Vec<f64>,
    /// p(0), and what is added to it per step.
    rest: Vec<f64>,
    drift: Vec<f64>,
    /// Entries of G that are not 0.
    pub(super) pairs: Vec<(usize, usize)>,
    /// G(n) and G(n)⁻¹, `[epoch][pairs]`.
    growth: Vec<f64>,
    shrink: Vec<f64>,
    /// What one unit of weight adds to z, `[epoch][ports][modes]`.
    gain: Vec<R>,
    /// G(epoch), by pair, and what the drift adds to z over an epoch, by mode.
    epoch_growth: Vec<R>,
    epoch_drift: Vec<R>,
}

impl<R: Real> Regime<R> {
    /// `keeps(port, state)`: what arrives there is not lost.
    pub(super) fn new(
        system: &LinearSystem,
        split: Split,
        (epoch, dt_ms): (u64, f64),
        keeps: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let Split { modes, rest } = split;
        let n = modes.n;
        let mut regime = Self {
            n,
            n_ports: system.jumps.len(),
            rest: rest.constant,
            drift: rest.slope.iter().map(|s| s * dt_ms).collect(),
            pairs: modes.pairs.clone(),
            growth: Vec::new(),
            shrink: Vec::new(),
            gain: Vec::new(),
            epoch_growth: Vec::new(),
            epoch_drift: Vec::new(),
            basis: modes.basis.clone(),
            inverse: modes.inverse.clone(),
        };
        // One unit of weight, in modes.
        let jumps: Vec<Vec<f64>> = system
            .jumps
            .iter()
            .enumerate()
            .map(|(port, jump)| {
                let kept = (0..n).map(|i| if keeps(port, i) { jump.gain[i] } else { 0.0 });
                let mut modes = vec![0.0; n];
                regime.to_modes(&kept.collect::<Vec<_>>(), &mut modes);
                modes
            })
            .collect();
        for step in 0..epoch {
            #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
            let t_ms = step as f64 * dt_ms;
            regime.growth.extend(modes.growth(t_ms));
            let shrink = modes.growth(-t_ms);
            for jump in &jumps {
                let mut then = vec![0.0; n];
                apply(&regime.pairs, &shrink, jump, &mut then);
                regime.gain.extend(then.into_iter().map(R::from_f64));
            }
            regime.shrink.extend(shrink);
        }
        #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
        let whole = epoch as f64;
        let growth = modes.growth(whole * dt_ms);
        regime.epoch_growth = growth.into_iter().map(R::from_f64).collect();
        let drift: Vec<f64> = regime.drift.iter().map(|d| d * whole).collect();
        let mut of_modes = vec![0.0; n];
        regime.to_modes(&drift, &mut of_modes);
        regime.epoch_drift = of_modes.into_iter().map(R::from_f64).collect();
        regime
    }

    /// V⁻¹·x.
    fn to_modes(&self, x: &[f64], y: &mut [f64]) {
        for (row, y) in self.inverse.chunks_exact(self.n).zip(y) {
            *y = row.iter().zip(x).map(|(v, x)| v * x).sum();
        }
    }

    /// m·V: a functional of the states as one of the modes.
    pub(super) fn of_modes(&self, row: &[f64]) -> Vec<f64> {
        (0..self.n)
            .map(|k| {
                (0..self.n)
                    .map(|i| row[i] * self.basis[i * self.n + k])
                    .sum()
            })
            .collect()
    }

    fn row<'a>(&self, table: &'a [f64], n: usize) -> &'a [f64] {
        let len = self.pairs.len();
        &table[n * len..(n + 1) * len]
    }

    /// G(n), by pair.
    pub(super) fn growth(&self, n: usize) -> &[f64] {
        self.row(&self.growth, n)
    }

    /// What one unit of weight adds to z in the n-th step of an epoch: `[ports][modes]`.
    #[inline(always)]
    pub(super) fn gain(&self, n: usize) -> &[R] {
        let len = self.n_ports * self.n;
        &self.gain[n * len..(n + 1) * len]
    }

    /// The margin of the threshold in the n-th step of an epoch: factors of z, and the constant.
    pub(super) fn margin(&self, margin: &Functional, n: usize) -> (Vec<f64>, f64) {
        let row = self.of_modes(&margin.row);
        let mut factors = vec![0.0; self.n];
        for (&(i, j), g) in self.pairs.iter().zip(self.growth(n)) {
            factors[j] += row[i] * g;
        }
        #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
        let steps = n as f64;
        let rest = margin.row.iter().zip(self.rest.iter().zip(&self.drift));
        let rest: f64 = rest.map(|(m, (p, d))| m * (p + d * steps)).sum();
        (factors, rest + margin.constant)
    }

    /// How far the margin drifts in a step.
    pub(super) fn margin_drift(&self, margin: &Functional) -> f64 {
        margin.row.iter().zip(&self.drift).map(|(m, d)| m * d).sum()
    }

    /// The states in the n-th step of an epoch.
    pub(super) fn states(&self, n: usize, z: &[f64], x: &mut [f64]) {
        let mut y = [0.0; MAX_STATES];
        apply(&self.pairs, self.growth(n), z, &mut y);
        #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
        let steps = n as f64;
        for (i, x) in x.iter_mut().enumerate() {
            let row = &self.basis[i * self.n..(i + 1) * self.n];
            let moving: f64 = row.iter().zip(&y).map(|(v, y)| v * y).sum();
            *x = self.rest[i] + self.drift[i] * steps + moving;
        }
    }

    /// The amplitudes that give states `x` in the n-th step of an epoch.
    pub(super) fn amplitudes(&self, n: usize, x: &[f64], z: &mut [f64]) {
        #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
        let steps = n as f64;
        let mut moving = [0.0; MAX_STATES];
        for (i, x) in x.iter().enumerate() {
            moving[i] = x - (self.rest[i] + self.drift[i] * steps);
        }
        let mut y = [0.0; MAX_STATES];
        self.to_modes(&moving, &mut y);
        apply(&self.pairs, self.row(&self.shrink, n), &y, z);
    }

    /// z ← G(epoch)·z + drift, for the rows of a block. Returns whether that has changed anything.
    #[inline(always)]
    pub(super) fn next_epoch(&self, z: &mut [[R; WIDTH]]) -> bool {
        let mut changed = false;
        // Rows ascending, the diagonal first: a row reads only rows after it, not yet changed.
        for i in 0..self.n {
            let (own, drift) = (self.epoch_growth[i], self.epoch_drift[i]);
            let mut row = z[i];
            for x in &mut row {
                *x *= own;
            }
            for (k, &(to, from)) in self.pairs.iter().enumerate().skip(self.n) {
                if to == i {
                    for (x, other) in row.iter_mut().zip(&z[from]) {
                        *x += self.epoch_growth[k] * *other;
                    }
                }
            }
            for x in &mut row {
                *x = flushed(*x + drift);
            }
            changed |= row != z[i];
            z[i] = row;
        }
        changed
    }

    /// Bytes of the tables.
    pub(super) fn bytes(&self) -> usize {
        (self.growth.len() + self.shrink.len()) * 8 + self.gain.len() * R::BYTES
    }
}

/// 0 where an amplitude has decayed to nothing.
#[inline(always)]
fn flushed<R: Real>(x: R) -> R {
    if x.abs() < R::from_f64(LEAST) {
        R::ZERO
    } else {
        x
    }
}

/// Σ over pairs (i, j): `entries`·x_j into y_i.
fn apply(pairs: &[(usize, usize)], entries: &[f64], x: &[f64], y: &mut [f64]) {
    y.fill(0.0);
    for (&(i, j), e) in pairs.iter().zip(entries) {
        y[i] += e * x[j];
    }
}
