//! Numeric matrix exponential as IR, for systems whose equations feed back on each other.
//!
//! Scaling and squaring on D = e^{Ah} − I and P = ∫₀ʰ e^{As} ds, with h = t/2⁸ and a Taylor
//! polynomial of degree 14 in Ah: D keeps its relative accuracy where |A|t is small, and the number
//! of operations is fixed, so that the reverse-mode pass differentiates it like anything else.
//! Truncation stays below 1e-16 for ‖A‖t ≤ 100 and below 1e-11 up to ‖A‖t = 256. Rounding is relative to
//! the largest entry e^{As} takes up to t, not to entries that have decayed.

use crate::ir::{Builder, Value};

/// Largest system, in states.
pub(crate) const MAX_STATES: usize = 12;
/// h = t/2ˢ.
const SQUARINGS: u32 = 8;
/// Degree of the Taylor polynomial.
const DEGREE: u32 = 14;

/// Square matrix, `None` where zero by structure.
pub(crate) type Matrix = Vec<Vec<Option<Value>>>;

/// e^{At} and ∫₀ᵗ e^{As} ds.
pub(crate) struct Exponential {
    pub(crate) propagator: Matrix,
    pub(crate) integral: Matrix,
}

/// Builds e^{At} and its integral for the matrix of rates `a` \[1/ms\].
pub(crate) fn exponential(b: &mut Builder, a: &Matrix, t: Value) -> Exponential {
    let scale = b.constant(1.0 / f64::from(1_u32 << SQUARINGS));
    let h = b.mul(t, scale);
    let scaled = map(b, a, |b, x| b.mul(x, h));
    let series = taylor(b, &scaled);
    let mut difference = product(b, &scaled, &series);
    let mut integral = map(b, &series, |b, x| b.mul(x, h));
    for _ in 0..SQUARINGS {
        // P(2h) = P + e^{Ah}·P = 2P + D·P,  D(2h) = 2D + D².
        let dp = product(b, &difference, &integral);
        integral = doubled_plus(b, &integral, &dp);
        let dd = product(b, &difference, &difference);
        difference = doubled_plus(b, &difference, &dd);
    }
    let one = b.constant(1.0);
    let mut propagator = difference;
    for (i, row) in propagator.iter_mut().enumerate() {
        row[i] = Some(row[i].map_or(one, |d| b.add(one, d)));
    }
    Exponential {
        propagator,
        integral,
    }
}

/// F = Σₖ Mᵏ/(k+1)!, by Horner's rule.
fn taylor(b: &mut Builder, m: &Matrix) -> Matrix {
    let one = b.constant(1.0);
    let n = m.len();
    let identity = |i: usize, j: usize| (i == j).then_some(one);
    let mut f: Matrix = (0..n)
        .map(|i| (0..n).map(|j| identity(i, j)).collect())
        .collect();
    for k in (1..=DEGREE).rev() {
        let factor = b.constant(1.0 / f64::from(k + 1));
        let step = product(b, m, &f);
        f = map(b, &step, |b, x| b.mul(x, factor));
        for (i, row) in f.iter_mut().enumerate() {
            row[i] = Some(row[i].map_or(one, |x| b.add(one, x)));
        }
    }
    f
}

fn map(b: &mut Builder, m: &Matrix, mut f: impl FnMut(&mut Builder, Value) -> Value) -> Matrix {
    m.iter()
        .map(|row| row.iter().map(|x| x.map(|x| f(b, x))).collect())
        .collect()
}

fn product(b: &mut Builder, x: &Matrix, y: &Matrix) -> Matrix {
    let n = x.len();
    let mut result = vec![vec![None; n]; n];
    for (i, row) in result.iter_mut().enumerate() {
        for (j, entry) in row.iter_mut().enumerate() {
            for (k, y_row) in y.iter().enumerate() {
                if let (Some(p), Some(q)) = (x[i][k], y_row[j]) {
                    let term = b.mul(p, q);
                    *entry = Some(entry.map_or(term, |sum| b.add(sum, term)));
                }
            }
        }
    }
    result
}

/// 2x + y.
fn doubled_plus(b: &mut Builder, x: &Matrix, y: &Matrix) -> Matrix {
    let n = x.len();
    let mut result = vec![vec![None; n]; n];
    for i in 0..n {
        for j in 0..n {
            let doubled = x[i][j].map(|v| b.add(v, v));
            result[i][j] = match (doubled, y[i][j]) {
                (Some(p), Some(q)) => Some(b.add(p, q)),
                (p, q) => p.or(q),
            };
        }
    }
    result
}
