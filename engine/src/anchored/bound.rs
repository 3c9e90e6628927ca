//! When a neuron may cross its threshold without an event: a bound from below.
//!
//! From now on the margin of a neuron is c + Σ yₘ·hₘ(Δ) with Δ the steps from now, y its amplitudes
//! now and h the same for all neurons. Over an octave of Δ each term lies between y·min h and
//! y·max h; where the sum of the larger ones stays below 0, nothing happens in it. An octave that
//! cannot be left out is looked at in eight parts. Over a part of steps a to b the margin lies below
//! the larger of its values at a and b plus Σ |yₘ|·(b − a)²/8·max|h″ₘ|, h″ being the second
//! difference: parts of one or two steps are exact.

use rheobase_equations::linear_system::Modes;
use rheobase_equations::real::{Precision, Real};

use super::regime::LEAST;

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
    /// Largest and smallest hₘ, by mode.
    extremes: Vec<(R, R)>,
    /// Most the drift of the margin adds.
    drift: R,
}

/// Values of h at the ends of a range of steps, and what they may be exceeded by in between.
#[derive(Debug)]
struct Part<R> {
    /// First step.
    first: u32,
    /// h at the first and at the last step, and the excess a unit of amplitude may cause, by mode.
    modes: Vec<(R, R, R)>,
    /// What the drift of the margin adds at the first and at the last step.
    drift: (R, R),
}

/// Bounds of a population.
#[derive(Debug)]
pub(super) struct Bounds<R> {
    /// All steps from 1 on; where this stays below 0, nothing ever happens.
    always: Window<R>,
    /// This step and all after it, what rounding may hide included: factors of positive and of
    /// negative amplitudes.
    outlook: Vec<(R, R)>,
    /// Each octave and its parts.
    octaves: Vec<(Window<R>, Vec<Part<R>>)>,
    /// Magnitude of the terms a unit of each mode stands for.
    magnitudes: Vec<R>,
    /// Share of the magnitude of the terms that rounding may hide.
    tolerance: R,
    /// Largest drift that is looked at, and what amplitudes that are set to 0 may amount to, as a
    /// magnitude.
    least_size: R,
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
            Window::new(extremes.collect(), most_drift(drift, first, last))
        };
        let part = |first: usize, last: usize| Part::new(&responses, drift, first, last);
        let octaves = (0..HORIZON.ilog2())
            .map(|octave| {
                let (first, end) = (1_usize << octave, 2_usize << octave);
                let len = ((end - first) / PARTS).max(1);
                let parts = (first..end).step_by(len);
                let parts = parts.map(|s| part(s, s + len - 1)).collect();
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
        let magnitudes = cancelled(modes, &sizes, epoch, dt_ms);
        let tolerance = tolerance::<R>(n, epoch);
        let lost: f64 = magnitudes.iter().map(|m| m * LEAST * 10.0).sum();
        let lost = lost * epochs_ahead(epoch);
        let outlook = always.iter().zip(responses[0].iter().zip(&magnitudes));
        let outlook = outlook.map(|(&(most, least), (&now, size))| {
            let hidden = tolerance * size;
            (
                representable(most.max(now) + hidden),
                representable(least.min(now) - hidden),
            )
        });
        Self {
            outlook: outlook.collect(),
            magnitudes: magnitudes.into_iter().map(representable).collect(),
            always: Window::new(always, if drift > 0.0 { f64::INFINITY } else { drift }),
            octaves,
            tolerance: R::from_f64(tolerance),
            least_size: representable(drift.abs() * horizon_ms / dt_ms + lost / tolerance),
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

    /// Factors of amplitudes of now and the constant of an upper bound of the margin in this step and
    /// all that follow; where it is below 0, that is certain.
    pub(super) fn outlook(&self, constant: R) -> (&[(R, R)], R) {
        let hidden = self.tolerance * self.size(constant);
        // In this step nothing has drifted yet.
        let drift = if self.always.drift > R::ZERO {
            self.always.drift
        } else {
            R::ZERO
        };
        (&self.outlook, constant + drift + hidden)
    }

    /// What the magnitude of the terms begins with.
    #[inline(always)]
    fn size(&self, constant: R) -> R {
        constant.abs() + self.least_size
    }

    /// Whether a margin of at most `highest` is certainly below 0, terms
    /// of magnitude `size` being rounded. An overflow is not below anything.
    #[inline(always)]
    fn excludes(&self, highest: R, size: R) -> bool {
        highest < -self.tolerance * size
    }

    /// The first window that is not excluded.
    fn search(&self, y: &[R], constant: R, size: R) -> Due {
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
}

impl<R: Real> Window<R> {
    fn new(extremes: Vec<(f64, f64)>, drift: f64) -> Self {
        Self {
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

impl<R: Real> Part<R> {
    /// `responses` are h by step and mode.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most 1,024"
    )]
    fn new(responses: &[Vec<f64>], drift: f64, first: usize, last: usize) -> Self {
        let length = (last - first) as f64;
        let bend = |m: usize| {
            let inner = first + 1..last;
            let second =
                |k: usize| responses[k + 1][m] - 2.0 * responses[k][m] + responses[k - 1][m];
            inner.map(|k| second(k).abs()).fold(0.0, f64::max)
        };
        let mode = |m: usize| {
            (
                representable(responses[first][m]),
                representable(responses[last][m]),
                representable(bend(m) * length * length / 8.0),
            )
        };
        Self {
            first: first as u32,
            modes: (0..responses[0].len()).map(mode).collect(),
            drift: (
                representable(drift * first as f64),
                representable(drift * last as f64),
            ),
        }
    }

    /// Largest margin within the part, before rounding.
    #[inline(always)]
    fn most(&self, y: &[R], constant: R) -> R {
        let (mut at_first, mut at_last) = (constant + self.drift.0, constant + self.drift.1);
        let mut excess = R::ZERO;
        for (&y, &(first, last, bend)) in y.iter().zip(&self.modes) {
            at_first += y * first;
            at_last += y * last;
            excess += y.abs() * bend;
        }
        let larger = if at_first > at_last {
            at_first
        } else {
            at_last
        };
        larger + excess
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

/// Share of the magnitude of its terms that rounding may hide of a margin within the horizon: a few
/// roundings for each term, in this epoch and at the end of each one that follows, eight times over.
#[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
fn tolerance<R: Real>(n_modes: usize, epoch: u64) -> f64 {
    let rounding = match R::PRECISION {
        Precision::F32 => f64::from(f32::EPSILON),
        Precision::F64 => f64::EPSILON,
    };
    8.0 * rounding * (n_modes + 4) as f64 * epochs_ahead(epoch)
}

/// Epochs that begin within the horizon, and the current one.
#[allow(clippy::cast_precision_loss, reason = "at most 1,024")]
fn epochs_ahead(epoch: u64) -> f64 {
    1.0 + HORIZON as f64 / epoch.max(1) as f64
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
