//! The first time at which a sum over a [`Basis`] reaches zero.
//!
//! # Isolation
//!
//! Write f₀ = Σ cⱼφⱼ over m functions. Removing the fastest node λ₀ by f₁ = (D − λ₀)f₀ leaves m − 1
//! functions, and (e^{−λ₀t}f₀)' = e^{−λ₀t}f₁: between two zeros of f₁, e^{−λ₀t}f₀ is monotone and has
//! at most one zero. So the zeros of fₖ₊₁ isolate those of fₖ, down to a level without a change of
//! sign among its coefficients, which has no zeros because no φⱼ is negative. No peak can hide
//! between samples: there are no samples.
//!
//! Each piece with a change of sign is solved by the third-order method of Euler from the level and
//! the next two, kept inside a bracket.
//!
//! # Grazing
//!
//! A peak f(t) at a boundary of two pieces with |f(t)| ≤ 1e-12·Σ|cⱼφⱼ(t)| is *grazing*: the sign of
//! the computed value decides, the same on every machine, and the decision is reported. So is a limit
//! for t → ∞ within 1e-12·Σ|cⱼ| of zero.

use super::basis::{Basis, MAX_TERMS, Terms};
use super::flow::Crossing;

/// Peaks this near to the threshold, relative to the terms they are the sum of, could go either way.
const GRAZING: f64 = 1e-12;
/// What an infinite horizon means \[ms\]: 30,000 years.
const FOREVER_MS: f64 = 1e15;
/// Rounding error of a sum, relative to its terms.
const NOISE: f64 = f64::EPSILON;
/// Steps of a search; a few suffice, bisection alone needs some 120.
const MAX_STEPS: u32 = 400;

/// Solves for crossings of sums over one basis.
#[derive(Clone, Debug)]
pub(crate) struct Solver {
    basis: Basis,
    /// Largest value of each function if the slowest cluster is one node, relative to e^{κt} of it.
    peaks: Terms,
    /// What is left of the basis where last coefficients of clusters are 0, kept for the next call.
    active: Basis,
    /// By cluster of the basis: how many of its functions are active.
    lengths: [usize; MAX_TERMS],
    /// e^{−shift·t} is taken out of every function, so that the slowest neither vanishes nor overflows.
    shift: f64,
    /// 1/(the distance of the fastest node from the slowest) \[ms\].
    unit: f64,
    /// Coefficients of the levels; level k has those of the first m − k active functions.
    levels: [Terms; MAX_TERMS],
}

/// Boundaries of pieces, ascending.
#[derive(Clone, Copy, Default)]
struct Splits {
    times: [f64; MAX_TERMS + 2],
    n: usize,
}

impl Splits {
    fn push(&mut self, t: f64) {
        self.times[self.n] = t;
        self.n += 1;
    }

    fn as_slice(&self) -> &[f64] {
        &self.times[..self.n]
    }
}

/// A piece on which a level changes its sign once.
#[derive(Clone, Copy)]
struct Piece {
    low: f64,
    high: f64,
    at_low: f64,
    /// The search starts at the upper end.
    from_high: bool,
}

/// A level and what is known of it at one time.
struct Sample {
    value: f64,
    /// The next level, and the one after it plus (λₖ₊₁ − λₖ)·next: value, first and second derivative
    /// of e^{−λₖt}fₖ, but for that factor.
    slope: f64,
    curvature: f64,
    /// Σ|cⱼφⱼ|.
    size: f64,
}

impl Solver {
    pub(crate) fn new(basis: &Basis) -> Self {
        Self {
            basis: basis.clone(),
            peaks: peaks(basis),
            active: Basis::empty(),
            lengths: [0; MAX_TERMS],
            shift: 0.0,
            unit: 1.0,
            levels: [[0.0; MAX_TERMS]; MAX_TERMS],
        }
    }

    /// The first time in `0 ..= horizon_ms` at which Σ cⱼφⱼ is ≥ 0, or > 0 if `strict`. It is not
    /// now. Without allocation; some 10 ns where a bound decides, some hundred where it is solved.
    pub(crate) fn first(&mut self, c: &Terms, horizon_ms: f64, strict: bool) -> Crossing {
        let n = self.basis.n_terms();
        let size: f64 = c.iter().take(n).map(|c| c.abs()).sum();
        if self.stays_below(c, size) {
            return Crossing::default();
        }
        let horizon = horizon_ms.min(FOREVER_MS);
        let m = self.activate(c);
        if self.levels[0][..m].iter().all(|c| *c <= 0.0) {
            // It tends to 0 from below.
            let grazing = horizon >= FOREVER_MS && c[0].abs() <= GRAZING * size;
            return Crossing {
                after_ms: None,
                grazing,
            };
        }
        self.build_levels(m);
        let has_zeros = |level: &usize| changes_sign(&self.levels[*level][..m - *level]);
        let bottom = (0..m).take_while(has_zeros).count();
        let mut splits = Splits::default();
        for level in (1..bottom).rev() {
            splits = self.zeros(level, &splits, horizon);
        }
        self.search(&splits, horizon, strict, size)
    }

    /// A bound of the sum excludes that it reaches 0; `size` is that of all coefficients.
    fn stays_below(&self, c: &Terms, size: f64) -> bool {
        let terms = c.iter().zip(&self.peaks).take(self.basis.n_terms());
        let rising: f64 = terms
            .skip(1)
            .filter(|(c, _)| **c > 0.0)
            .map(|(c, peak)| c * peak)
            .sum();
        c[0] + rising < -GRAZING * (size + rising)
    }

    /// Copies the coefficients that are not zero; the number of functions left.
    fn activate(&mut self, c: &Terms) -> usize {
        let mut is_same = true;
        let mut n = 0;
        for (cluster, length) in self.basis.clusters().iter().zip(&mut self.lengths) {
            let mut len = cluster.len;
            while len > 0 && c[cluster.first + len - 1] == 0.0 {
                len -= 1;
            }
            is_same &= *length == len;
            *length = len;
            for j in cluster.first..cluster.first + len {
                self.levels[0][n] = c[j];
                n += 1;
            }
        }
        if !is_same {
            self.rebuild();
        }
        n
    }

    /// The active part of the basis, and what follows from its nodes.
    fn rebuild(&mut self) {
        self.active.clear();
        for (cluster, len) in self.basis.clusters().iter().zip(self.lengths) {
            let nodes = &self.basis.nodes()[cluster.first..];
            self.active.push(&nodes[..len]);
        }
        let nodes = self.active.nodes();
        let slowest = self.active.clusters().first().map_or(0, |c| c.len);
        let shift = nodes[..slowest].iter().copied();
        self.shift = shift.fold(f64::NEG_INFINITY, f64::max);
        let span = nodes.iter().map(|k| self.shift - k).fold(0.0, f64::max);
        self.unit = if span > 0.0 { 1.0 / span } else { 1.0 };
    }

    /// Coefficients of all levels from those of the first.
    fn build_levels(&mut self, m: usize) {
        let (nodes, next) = (self.active.nodes(), self.active.next());
        for n in (1..m).rev() {
            let (above, below) = self.levels.split_at_mut(m - n);
            let (above, below) = (&above[m - n - 1], &mut below[0]);
            let lambda = nodes[n];
            for j in 0..n {
                below[j] = (nodes[j] - lambda) * above[j] + next[j] * above[j + 1];
            }
        }
    }

    /// Zeros of a level, given those of the next.
    fn zeros(&self, level: usize, splits: &Splits, horizon: f64) -> Splits {
        let mut zeros = Splits::default();
        if let Some(t) = self.two_terms(level) {
            if t > 0.0 && t < horizon {
                zeros.push(t);
            }
            return zeros;
        }
        let (mut low, mut at_low) = (0.0, self.at_zero(level));
        for (i, &high) in splits.as_slice().iter().chain([&horizon]).enumerate() {
            let at_high = self.value(level, high).0;
            if (at_low < 0.0) != (at_high < 0.0) {
                let piece = Piece {
                    low,
                    high,
                    at_low,
                    from_high: i < splits.n && at_high.abs() < at_low.abs(),
                };
                zeros.push(self.solve(level, piece));
            }
            (low, at_low) = (high, at_high);
        }
        zeros
    }

    /// The first piece of f₀ at whose end it has been reached, solved.
    fn search(&self, splits: &Splits, horizon: f64, strict: bool, size: f64) -> Crossing {
        let mut grazing = false;
        // Not reached now, whatever the rounding of the sum says.
        let (mut low, mut at_low) = (0.0, self.at_zero(0).min(-f64::MIN_POSITIVE));
        let ends = splits.as_slice().iter().chain([&horizon]);
        for (i, &high) in ends.enumerate() {
            let (at_high, size_there) = self.value(0, high);
            grazing |= if i < splits.n {
                at_high.abs() <= GRAZING * size_there
            } else {
                horizon >= FOREVER_MS && at_high.abs() <= GRAZING * size
            };
            let reached = if strict {
                at_high > 0.0
            } else {
                at_high >= 0.0
            };
            if reached {
                let piece = Piece {
                    low,
                    high,
                    at_low,
                    from_high: i < splits.n && at_high.abs() < at_low.abs(),
                };
                let after = self.two_terms(0).unwrap_or_else(|| self.solve(0, piece));
                // Where rounding decides, a closed form may have no solution.
                let after = if after > low { after.min(high) } else { low };
                return Crossing {
                    after_ms: Some(after),
                    grazing,
                };
            }
            (low, at_low) = (high, at_high);
        }
        Crossing {
            after_ms: None,
            grazing,
        }
    }

    /// A level at time 0, where the first function of each cluster is 1 and the others are 0.
    fn at_zero(&self, level: usize) -> f64 {
        let n = self.active.n_terms() - level;
        let first = self.active.clusters().iter().map(|c| c.first);
        first
            .filter(|&j| j < n)
            .map(|j| self.levels[level][j])
            .sum()
    }

    /// A level at time t, and the sum of the sizes of its terms.
    fn value(&self, level: usize, t: f64) -> (f64, f64) {
        let n = self.active.n_terms() - level;
        if t >= FOREVER_MS && self.active.clusters().first().is_some_and(|c| c.len == 1) {
            // The others have vanished.
            let limit = self.levels[level][0];
            return (limit, limit.abs());
        }
        let mut phi = [0.0; MAX_TERMS];
        self.active.evaluate(t, self.shift, n, &mut phi);
        let terms = self.levels[level].iter().zip(&phi).take(n);
        terms.fold((0.0, 0.0), |(sum, size), (c, phi)| {
            (sum + c * phi, size + (c * phi).abs())
        })
    }

    fn sample(&self, level: usize, t: f64) -> Sample {
        let n = self.active.n_terms() - level;
        let mut phi = [0.0; MAX_TERMS];
        self.active.evaluate(t, self.shift, n, &mut phi);
        let dot = |level: usize, n: usize| -> f64 {
            let terms = self.levels[level].iter().zip(&phi).take(n);
            terms.map(|(c, phi)| c * phi).sum()
        };
        let terms = self.levels[level].iter().zip(&phi).take(n);
        let slope = dot(level + 1, n - 1);
        let nodes = self.active.nodes();
        Sample {
            value: dot(level, n),
            slope,
            curvature: dot(level + 2, n - 2) + (nodes[n - 2] - nodes[n - 1]) * slope,
            size: terms.map(|(c, phi)| (c * phi).abs()).sum(),
        }
    }

    /// The zero of a level of two functions, if it has one after 0 (NaN or negative otherwise).
    fn two_terms(&self, level: usize) -> Option<f64> {
        if self.active.n_terms() - level != 2 {
            return None;
        }
        let (a, b) = (self.levels[level][0], self.levels[level][1]);
        let gap = self.active.nodes()[1] - self.active.nodes()[0];
        Some(if self.active.next()[0] == 0.0 {
            // e^{gap·t} = −a/b; near 1 from the sum, which is exact there.
            let ratio = -a / b;
            let log = if ratio > 0.5 {
                libm::log1p(-(a + b) / b)
            } else {
                libm::log(ratio)
            };
            log / gap
        } else if gap == 0.0 {
            -a / b
        } else {
            libm::log1p(-a * gap / b) / gap
        })
    }

    /// The zero of a level of three functions or more on a piece. On level 0 to the last bit that the
    /// rounding of the sum allows; on others well enough to separate pieces: the value of the level
    /// before at a boundary is off by the square of its error.
    fn solve(&self, level: usize, piece: Piece) -> f64 {
        let Piece {
            mut low, mut high, ..
        } = piece;
        if self.active.n_terms() - level < 3 {
            return low;
        }
        let was_negative = piece.at_low < 0.0;
        let near = if level == 0 { 1e-6 } else { 1e-3 };
        let mut t = if piece.from_high { high } else { low };
        for step in 1..=MAX_STEPS {
            let s = self.sample(level, t);
            if s.value.abs() <= NOISE * s.size {
                break;
            }
            if (s.value < 0.0) == was_negative {
                low = t;
            } else {
                high = t;
            }
            let (change, reach) = euler_step(&s, was_negative, self.unit);
            let next = t + change;
            if next > low && next < high && step % 5 != 0 {
                t = next;
                if change.abs() <= near * reach || change.abs() <= f64::EPSILON * t {
                    break;
                }
            } else {
                let middle = middle(low, high, self.unit);
                if middle <= low || middle >= high {
                    t = high;
                    break;
                }
                t = middle;
            }
        }
        t
    }
}

/// The zero of the parabola through value, slope and curvature that lies in the direction in which the
/// piece is monotone, and the distance over which the parabola is a good one.
fn euler_step(s: &Sample, rising: bool, unit: f64) -> (f64, f64) {
    let root = s.slope * s.slope - 2.0 * s.value * s.curvature;
    let bend = (s.slope / s.curvature).abs();
    let reach = if bend < unit { bend } else { unit };
    let denominator = match (root >= 0.0, rising) {
        (true, true) => s.slope + root.sqrt(),
        (true, false) => s.slope - root.sqrt(),
        (false, _) => 2.0 * s.slope,
    };
    (-2.0 * s.value / denominator, reach)
}

/// A point between: by ratio where the ends are far apart.
fn middle(low: f64, high: f64, unit: f64) -> f64 {
    if high - low > 16.0 * (low + unit) {
        ((low + unit) * (high + unit)).sqrt() - unit
    } else {
        low + 0.5 * (high - low)
    }
}

/// Whether there are a positive and a negative number among them.
fn changes_sign(c: &[f64]) -> bool {
    c.iter().any(|c| *c > 0.0) && c.iter().any(|c| *c < 0.0)
}

/// Largest value of each function of a faster cluster relative to e^{κt} of the slowest node:
/// φⱼ ≤ tʲ/j!·e^{−gt}, which peaks at t = j/g.
fn peaks(basis: &Basis) -> Terms {
    let mut peaks = [f64::INFINITY; MAX_TERMS];
    let (Some(slowest), Some(&shift)) = (basis.clusters().first(), basis.nodes().first()) else {
        return peaks;
    };
    if slowest.len > 1 {
        return peaks;
    }
    peaks[0] = 1.0;
    for cluster in &basis.clusters()[1..] {
        let range = cluster.first..cluster.first + cluster.len;
        let nodes = basis.nodes()[range.clone()].iter();
        let gap = shift - nodes.copied().fold(f64::NEG_INFINITY, f64::max);
        let mut peak = 1.0;
        for (j, (order, k)) in (0_u32..).zip(range).enumerate() {
            if j > 0 {
                // (j/(e·g))ʲ/j! from the one before.
                let (now, before) = (f64::from(order), f64::from(order - 1));
                let growth = if before > 0.0 {
                    libm::pow(now / before, before)
                } else {
                    1.0
                };
                peak *= growth / (std::f64::consts::E * gap);
            }
            peaks[k] = peak;
        }
    }
    peaks
}
