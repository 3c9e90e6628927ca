//! When a neuron may cross its threshold without an event: a bound from below.
//!
//! From now on the margin of a neuron is c + Σ yₘ·hₘ(Δ) with Δ the steps from now, y its amplitudes
//! now and h the same for all neurons. Over a window of Δ each term lies between y·min h and y·max h;
//! where the sum of the larger ones stays below 0, nothing happens in the window. Windows get longer
//! with Δ, an eighth of an octave each.

use rheobase_equations::linear_system::Modes;
use rheobase_equations::real::{Precision, Real};

/// Steps that are looked ahead. A neuron that may cross later is looked at again then.
pub(super) const HORIZON: usize = 1024;

/// Windows of an octave, where it has as many steps.
const PARTS: usize = 8;

/// The result of a look ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// It cannot cross without an event.
    Never,
    /// Not before so many steps from now, ≥ 1.
    After(u32),
}

/// Extremes of h over a range of steps.
#[derive(Debug)]
struct Window<R> {
    /// First step.
    first: u32,
    /// Largest and smallest hₘ, by mode.
    extremes: Vec<(R, R)>,
    /// Most the drift of the margin adds.
    drift: R,
}

/// Bounds of a population.
#[derive(Debug)]
pub(super) struct Bounds<R> {
    /// All steps from 1 on; where this stays below 0, nothing ever happens.
    always: Window<R>,
    /// Each octave and its parts.
    octaves: Vec<(Window<R>, Vec<Window<R>>)>,
    /// Magnitude of the terms a unit of each mode stands for.
    magnitudes: Vec<R>,
    /// Share of the magnitude of the terms that rounding may hide.
    tolerance: R,
    /// Largest drift that is looked at.
    drift: R,
}

impl<R: Real> Bounds<R> {
    /// `row` is the margin as a functional of the modes, `drift` what it drifts in a step.
    pub(super) fn new(modes: &Modes, row: &[f64], drift: f64, (epoch, dt_ms): (u64, f64)) -> Self {
        let n = modes.n;
        let response = |step: usize| -> Vec<f64> {
            #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
            let growth = modes.growth(step as f64 * dt_ms);
            let mut h = vec![0.0; n];
            for (&(i, j), g) in modes.pairs.iter().zip(growth) {
                h[j] += row[i] * g;
            }
            h
        };
        let responses: Vec<Vec<f64>> = (0..=HORIZON).map(response).collect();
        let window = |first: usize, last: usize| {
            let steps = &responses[first..=last];
            let extremes = (0..n).map(|m| extremes(steps.iter().map(|h| h[m])));
            Window::new(first, extremes.collect(), most_drift(drift, first, last))
        };
        let octaves = (0..HORIZON.ilog2())
            .map(|octave| {
                let (first, end) = (1_usize << octave, 2_usize << octave);
                let part = ((end - first) / PARTS).max(1);
                let parts = (first..end).step_by(part);
                let parts = parts.map(|s| window(s, s + part - 1)).collect();
                (window(first, end - 1), parts)
            })
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "1,024")]
        let horizon_ms = HORIZON as f64 * dt_ms;
        let tail = modes.tail_bound(row, horizon_ms);
        let is_alone = |m: usize| {
            let mut joined = modes.pairs.iter().filter(|(i, j)| *i == m || *j == m);
            joined.all(|&(i, j)| i == j)
        };
        let always: Vec<(f64, f64)> = (0..n)
            .map(|m| {
                let (now, next) = (responses[0][m], responses[1][m]);
                if is_alone(m) {
                    // From here on it moves one way: to 0, or nowhere.
                    let end = if modes.rates[m] < 0.0 { 0.0 } else { now };
                    return (next.max(end), next.min(end));
                }
                let (most, least) = extremes(responses.iter().map(|h| h[m]));
                (most.max(tail[m]), least.min(-tail[m]))
            })
            .collect();
        let sizes = always.iter().zip(&responses[0]);
        let sizes: Vec<f64> = sizes
            .map(|(&(most, least), now)| most.abs().max(least.abs()).max(now.abs()))
            .collect();
        let magnitudes = cancelled(modes, &sizes, epoch, dt_ms).into_iter();
        Self {
            magnitudes: magnitudes.map(representable).collect(),
            always: Window::new(1, always, if drift > 0.0 { f64::INFINITY } else { drift }),
            octaves,
            tolerance: R::from_f64(match R::PRECISION {
                Precision::F32 => 1.0 / 8192.0,
                Precision::F64 => 1.0 / 1_099_511_627_776.0,
            }),
            drift: representable(drift.abs() * horizon_ms / dt_ms),
        }
    }

    /// When a neuron with amplitudes `y` may cross, `constant` being its margin at rest.
    pub(super) fn due(&self, y: &[R], constant: R) -> Due {
        let mut size = self.size(constant);
        for (y, m) in y.iter().zip(&self.magnitudes) {
            size += y.abs() * *m;
        }
        if self.excludes(self.always.most(y, constant), size) {
            return Due::Never;
        }
        self.search(y, constant, size)
    }

    /// Of all steps from now on: factors of positive and of negative amplitudes, and of magnitudes.
    ///
    /// # Panics
    /// If there are fewer modes.
    pub(super) fn always<const M: usize>(&self) -> ([R; M], [R; M], [R; M]) {
        let extremes = &self.always.extremes;
        (
            std::array::from_fn(|m| extremes[m].0),
            std::array::from_fn(|m| extremes[m].1),
            std::array::from_fn(|m| self.magnitudes[m]),
        )
    }

    /// What the magnitude of the terms begins with.
    #[inline(always)]
    pub(super) fn size(&self, constant: R) -> R {
        constant.abs() + self.drift
    }

    /// Whether a margin of at most `highest` is certainly below 0, terms
    /// of magnitude `size` being rounded. An overflow is not below anything.
    #[inline(always)]
    pub(super) fn excludes(&self, highest: R, size: R) -> bool {
        highest < -self.tolerance * size
    }

    /// The first window that is not excluded.
    pub(super) fn search(&self, y: &[R], constant: R, size: R) -> Due {
        for (octave, parts) in &self.octaves {
            if self.excludes(octave.most(y, constant), size) {
                continue;
            }
            for part in parts {
                if !self.excludes(part.most(y, constant), size) {
                    return Due::After(part.first);
                }
            }
        }
        #[allow(clippy::cast_possible_truncation, reason = "1,024")]
        Due::After(HORIZON as u32)
    }

    /// Most the drift ever adds.
    pub(super) fn always_drift(&self) -> R {
        self.always.drift
    }
}

impl<R: Real> Window<R> {
    #[allow(clippy::cast_possible_truncation, reason = "at most 1,024")]
    fn new(first: usize, extremes: Vec<(f64, f64)>, drift: f64) -> Self {
        Self {
            first: first as u32,
            extremes: extremes
                .into_iter()
                .map(|(most, least)| (representable(most), representable(least)))
                .collect(),
            drift: representable(drift),
        }
    }

    /// Largest margin within the window, before rounding.
    #[inline(always)]
    fn most(&self, y: &[R], constant: R) -> R {
        let mut sum = constant + self.drift;
        for (&y, &(most, least)) in y.iter().zip(&self.extremes) {
            sum += y * if y > R::ZERO { most } else { least };
        }
        sum
    }
}

/// Magnitudes of the terms that amplitudes of now are computed from, by mode: within a block,
/// y = G·z, and z = G⁻¹·y has been larger.
fn cancelled(modes: &Modes, sizes: &[f64], epoch: u64, dt_ms: f64) -> Vec<f64> {
    let n = modes.n;
    let mut most = sizes.to_vec();
    if modes.is_diagonal() {
        return most;
    }
    for step in 0..=epoch {
        #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
        let t_ms = step as f64 * dt_ms;
        let (growth, shrink) = (modes.growth(t_ms), modes.growth(-t_ms));
        let mut of_z = vec![0.0; n];
        for (&(i, j), g) in modes.pairs.iter().zip(&growth) {
            of_z[j] += sizes[i] * g.abs();
        }
        let mut of_y = vec![0.0; n];
        for (&(j, k), g) in modes.pairs.iter().zip(&shrink) {
            of_y[k] += of_z[j] * g.abs();
        }
        for (most, now) in most.iter_mut().zip(of_y) {
            *most = most.max(now);
        }
    }
    most
}

/// Infinity as a number so large that it excludes nothing, yet times 0 is 0.
fn representable<R: Real>(x: f64) -> R {
    R::from_f64(x.clamp(-1e30, 1e30))
}

fn most_drift(drift: f64, first: usize, last: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
    let (first, last) = (first as f64, last as f64);
    (drift * first).max(drift * last)
}

/// (largest, smallest).
fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::NEG_INFINITY, f64::INFINITY), |(most, least), x| {
        (most.max(x), least.min(x))
    })
}
