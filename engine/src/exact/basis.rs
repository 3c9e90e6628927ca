//! The functions of time a linear neuron is made of.
//!
//! Rates are grouped into *clusters* of equal and nearly equal ones. A cluster of nodes κ₀, κ₁, …
//! contributes the functions
//!
//! φⱼ(t) = e^{κt}\[κ₀, …, κⱼ\],
//!
//! divided differences over its first nodes: e^{κ₀t}; (e^{κ₁t} − e^{κ₀t})/(κ₁ − κ₀), which is
//! t·e^{κ₀t} where both are equal; and so on. They are never negative, and they stay accurate and
//! independent however close the rates lie, where exponentials would cancel. The operator D − λ
//! (derivative minus λ) takes φⱼ to (κⱼ − λ)·φⱼ + φⱼ₋₁.

/// Most functions in a sum.
pub(crate) const MAX_TERMS: usize = 16;
/// A number for each function.
pub(crate) type Terms = [f64; MAX_TERMS];

/// Widest span of nodes, times t, summed as one series of positive terms.
const SERIES_SPAN: f64 = 8.0;
/// e to this and less is 0.
const LOWEST: f64 = -745.2;
/// Most doublings of t: beyond, whatever is slower has vanished or overflowed.
const MAX_DOUBLINGS: u32 = 64;

/// Part of a basis: nodes `first .. first + len`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) first: usize,
    pub(crate) len: usize,
}

/// An ordered set of functions: clusters from the slowest to the fastest.
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    nodes: Terms,
    /// 1 where the next function is of the same cluster, else 0.
    next: Terms,
    clusters: [Cluster; MAX_TERMS],
    n_clusters: usize,
    n_terms: usize,
}

impl Basis {
    pub(crate) fn empty() -> Self {
        Self {
            nodes: [0.0; MAX_TERMS],
            next: [0.0; MAX_TERMS],
            clusters: [Cluster::default(); MAX_TERMS],
            n_clusters: 0,
            n_terms: 0,
        }
    }

    /// Adds a cluster behind the others; no nodes add nothing.
    pub(crate) fn push(&mut self, nodes: &[f64]) {
        if nodes.is_empty() {
            return;
        }
        let (first, len) = (self.n_terms, nodes.len());
        self.nodes[first..first + len].copy_from_slice(nodes);
        self.next[first..first + len - 1].fill(1.0);
        self.next[first + len - 1] = 0.0;
        self.clusters[self.n_clusters] = Cluster { first, len };
        self.n_clusters += 1;
        self.n_terms += len;
    }

    pub(crate) fn clear(&mut self) {
        self.n_clusters = 0;
        self.n_terms = 0;
    }

    pub(crate) fn n_terms(&self) -> usize {
        self.n_terms
    }

    pub(crate) fn nodes(&self) -> &[f64] {
        &self.nodes[..self.n_terms]
    }

    pub(crate) fn clusters(&self) -> &[Cluster] {
        &self.clusters[..self.n_clusters]
    }

    /// By function: 1 where the next one is of the same cluster, else 0.
    pub(crate) fn next(&self) -> &Terms {
        &self.next
    }

    /// e^{−shift·t}·φⱼ(t) for the first `n` functions, t ≥ 0.
    #[inline]
    pub(crate) fn evaluate(&self, t: f64, shift: f64, n: usize, out: &mut Terms) {
        for cluster in self.clusters() {
            let first = cluster.first;
            if first >= n {
                break;
            }
            let len = cluster.len.min(n - first);
            let nodes = &self.nodes[first..first + len];
            let out = &mut out[first..first + len];
            if len == 1 {
                out[0] = exponential(nodes[0] - shift, t);
            } else {
                differences(nodes, t, shift, out);
            }
        }
    }
}

/// e^{rate·t}; 1 without a call where the exponent is 0, and 0 where the result underflows, which
/// the library takes long to find.
#[inline]
fn exponential(rate: f64, t: f64) -> f64 {
    let x = rate * t;
    if x == 0.0 {
        1.0
    } else if x < LOWEST {
        0.0
    } else {
        libm::exp(x)
    }
}

/// e^{−shift·t}·φⱼ(t) for one cluster of two nodes or more.
fn differences(nodes: &[f64], t: f64, shift: f64, out: &mut [f64]) {
    let gap = nodes[1] - nodes[0];
    if nodes.iter().all(|k| k - nodes[0] == 0.0) {
        let mut term = exponential(nodes[0] - shift, t);
        for (out, order) in out.iter_mut().zip(1_u32..) {
            *out = term;
            term = term * t / f64::from(order);
        }
    } else if nodes.len() == 2 {
        out[0] = exponential(nodes[0] - shift, t);
        // From the slower of the two, so that nothing overflows.
        out[1] = if gap < 0.0 {
            out[0] * libm::expm1(gap * t) / gap
        } else {
            exponential(nodes[1] - shift, t) * -libm::expm1(-gap * t) / gap
        };
    } else {
        table(nodes, t, shift, out);
    }
}

/// The first row of exp(tB), B with the nodes on its diagonal and ones beside it: a series of
/// positive terms for a part of t, then doublings of t, so that nothing cancels.
fn table(nodes: &[f64], t: f64, shift: f64, out: &mut [f64]) {
    let n = nodes.len();
    let low = nodes.iter().copied().fold(f64::INFINITY, f64::min);
    let high = nodes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut part, mut doublings) = (t, 0);
    while (high - low) * part > SERIES_SPAN && doublings < MAX_DOUBLINGS {
        part *= 0.5;
        doublings += 1;
    }
    let mut square = [[0.0; MAX_TERMS]; MAX_TERMS];
    let rows = if doublings == 0 { 1 } else { n };
    for (i, row) in square.iter_mut().enumerate().take(rows) {
        series(&nodes[i..], part, low, &mut row[i..n]);
        let scale = exponential(low - shift, part);
        row[i..n].iter_mut().for_each(|x| *x *= scale);
    }
    for _ in 0..doublings {
        part *= 2.0;
        let mut product = [[0.0; MAX_TERMS]; MAX_TERMS];
        for i in 0..n {
            for j in i + 1..n {
                let sum: f64 = (i..=j).map(|k| square[i][k] * square[k][j]).sum();
                product[i][j] = sum;
            }
            // Set anew: squaring over and over would lose a bit each time.
            product[i][i] = exponential(nodes[i] - shift, part);
        }
        square = product;
    }
    out.copy_from_slice(&square[0][..n]);
}

/// Σₚ (tB)ᵖ/p! in the first row, nodes measured from `low`.
fn series(nodes: &[f64], t: f64, low: f64, out: &mut [f64]) {
    let mut power = [0.0; MAX_TERMS];
    power[0] = 1.0;
    out.fill(0.0);
    out[0] = 1.0;
    let n = nodes.len();
    for p in 1..200_u32 {
        let factor = t / f64::from(p);
        let mut before = 0.0;
        let mut settled = p as usize >= n;
        for ((power, out), node) in power.iter_mut().zip(out.iter_mut()).zip(nodes) {
            let here = *power;
            *power = ((node - low) * here + before) * factor;
            before = here;
            *out += *power;
            settled &= *power <= *out * 1e-18;
        }
        if settled {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The divided difference by another way: the integral over a simplex would be exact; here the
    /// differential equation φⱼ' = κⱼφⱼ + φⱼ₋₁ in steps of a Taylor series of order 30.
    fn by_equation(nodes: &[f64], t: f64) -> Vec<f64> {
        let steps = 64_u32;
        let h = t / f64::from(steps);
        let mut phi = vec![0.0; nodes.len()];
        phi[0] = 1.0;
        for _ in 0..steps {
            let mut term = phi.clone();
            for p in 1..30 {
                let next: Vec<f64> = (0..nodes.len())
                    .map(|j| {
                        let before = if j == 0 { 0.0 } else { term[j - 1] };
                        (nodes[j] * term[j] + before) * h / f64::from(p)
                    })
                    .collect();
                phi.iter_mut().zip(&next).for_each(|(a, b)| *a += b);
                term = next;
            }
        }
        phi
    }

    #[test]
    fn functions_obey_their_equation() {
        let clusters: [&[f64]; 8] = [
            &[-0.1],
            &[-0.1, -0.1, -0.1],
            &[-0.1, -0.11],
            &[-0.11, -0.1],
            &[0.0, 0.2],
            &[-0.1, -0.1 - 1e-12, -0.1],
            &[-0.5, -0.4, -0.6, -0.45],
            &[0.0, -0.4, 0.1],
        ];
        for nodes in clusters {
            let mut basis = Basis::empty();
            basis.push(nodes);
            for t in [0.01, 1.0, 7.0, 40.0, 150.0] {
                for shift in [0.0, -0.1] {
                    let mut out = [0.0; MAX_TERMS];
                    basis.evaluate(t, shift, nodes.len(), &mut out);
                    let expected = by_equation(nodes, t);
                    for (a, b) in out.iter().zip(expected) {
                        let b = b * (-shift * t).exp();
                        let error = ((a - b) / b).abs();
                        assert!(error < 1e-13, "{nodes:?} t {t} shift {shift}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn very_long_times_neither_overflow_nor_lose_the_slowest() {
        let mut basis = Basis::empty();
        basis.push(&[0.0, -1e-3, -2e-3]);
        let mut out = [0.0; MAX_TERMS];
        basis.evaluate(1e15, 0.0, 3, &mut out);
        assert_eq!(out[0], 1.0);
        assert!((out[1] / 1e3 - 1.0).abs() < 1e-14, "{out:?}");
        assert!((out[2] / 5e5 - 1.0).abs() < 1e-14, "{out:?}");
    }
}
