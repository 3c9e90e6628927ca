//! A triangular linear system as sums over a [`Basis`].
//!
//! With the constant 1 as one more state of rate 0, dy/dt = T·y and y(t) = Σₖ φₖ(t)·Wₖ·y(0). States
//! are solved one after the other in an order in which each depends on earlier ones only: the
//! solution of y' = λy + g is the convolution of g with e^{λt}, and on a basis that is a division by
//! the distance of rates between clusters and a change of nodes within one. Nothing is divided by a
//! small difference.

use rheobase_equations::linear_system::LinearSystem;

use super::basis::{Basis, MAX_TERMS, Terms};

/// How near rates are that form a cluster, relative to the larger, or both this near to 0 \[1/ms\]:
/// tried in turn until functions of different clusters do not cancel much.
const NEARNESS: [(f64, f64); 4] = [(0.1, 1e-3), (0.3, 0.01), (0.6, 0.1), (2.0, f64::INFINITY)];
/// Rates that grow join those near to 0 only below this \[1/ms\]: sooner or later what grows would drown
/// what does not.
const SLOW_GROWTH: f64 = 0.01;
/// How much larger than their sum terms may be.
const MAX_CANCELLATION: f64 = 100.0;
/// Cancellation is looked at up to this time \[ms\]: membranes forget what was long ago.
const LONGEST_MS: f64 = 20.0;

/// y(t) = Σₖ φₖ(t)·Wₖ·y(0).
#[derive(Clone, Debug)]
pub(crate) struct Modes {
    pub(crate) basis: Basis,
    /// States and the constant.
    pub(crate) n: usize,
    /// Wₖ, row-major, one after the other.
    weights: Vec<f64>,
}

/// A function of time and of y(0): by cluster and node, a row of weights of y(0).
type Expansion = Vec<Vec<Vec<f64>>>;

impl Modes {
    /// Solves `system`, which has fewer than [`MAX_TERMS`] states.
    pub(crate) fn of(system: &LinearSystem) -> Self {
        let mut best = Self::with(system, NEARNESS[0]);
        let mut least = best.cancellation();
        for nearness in &NEARNESS[1..] {
            if least <= MAX_CANCELLATION {
                break;
            }
            let modes = Self::with(system, *nearness);
            let cancellation = modes.cancellation();
            if cancellation < least {
                (best, least) = (modes, cancellation);
            }
        }
        best
    }

    /// Wₖ in row i: the weights of y(0) in the coefficient of φₖ in yᵢ.
    pub(crate) fn row(&self, k: usize, i: usize) -> &[f64] {
        let start = (k * self.n + i) * self.n;
        &self.weights[start..start + self.n]
    }

    fn with(system: &LinearSystem, nearness: (f64, f64)) -> Self {
        let n = system.n + 1;
        let rate = |i: usize| rate(system, i);
        let cluster_of = clusters(&(0..n).map(rate).collect::<Vec<_>>(), nearness);
        let n_clusters = cluster_of.iter().max().map_or(0, |m| m + 1);
        let mut nodes: Vec<Vec<f64>> = vec![Vec::new(); n_clusters];
        let mut solved: Vec<Expansion> = vec![vec![Vec::new(); n_clusters]; n];
        for i in std::iter::once(system.n).chain(system.order.iter().copied()) {
            let forcing = forcing(system, i, &solved);
            let own = cluster_of[i];
            solved[i] = convolve(i, rate(i), own, forcing, &mut nodes, n);
        }
        Self::assemble(n, &nodes, &solved)
    }

    /// Clusters sorted from the slowest, weights in that order.
    fn assemble(n: usize, nodes: &[Vec<f64>], solved: &[Expansion]) -> Self {
        let slowest = |c: &usize| nodes[*c].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by(|a, b| slowest(b).total_cmp(&slowest(a)));
        let mut basis = Basis::empty();
        let mut weights = Vec::new();
        for c in order {
            basis.push(&nodes[c]);
            for p in 0..nodes[c].len() {
                for expansion in solved {
                    match expansion[c].get(p) {
                        Some(row) => weights.extend_from_slice(row),
                        None => weights.extend(std::iter::repeat_n(0.0, n)),
                    }
                }
            }
        }
        Self { basis, n, weights }
    }

    /// The largest ratio of the terms of a state to what they add up to, at the times of the rates.
    fn cancellation(&self) -> f64 {
        let n_terms = self.basis.n_terms();
        let rates = self.basis.nodes().iter().map(|rate| 1.0 / rate.abs());
        let times = rates.map(|t| t.min(LONGEST_MS)).chain([0.0]);
        let phi: Vec<Terms> = times
            .map(|t| {
                let mut phi = [0.0; MAX_TERMS];
                self.basis.evaluate(t, 0.0, n_terms, &mut phi);
                phi
            })
            .collect();
        let mut worst = 0.0_f64;
        for (i, j) in (0..self.n).flat_map(|i| (0..self.n).map(move |j| (i, j))) {
            let (mut sum, mut size) = (0.0_f64, 0.0_f64);
            for phi in &phi {
                let terms = (0..n_terms).map(|k| self.row(k, i)[j] * phi[k]);
                sum = sum.max(terms.clone().sum::<f64>().abs());
                size = size.max(terms.map(f64::abs).sum());
            }
            if sum > 0.0 {
                worst = worst.max(size / sum);
            }
        }
        worst
    }
}

/// Rate of state i; the constant follows the states.
fn rate(system: &LinearSystem, i: usize) -> f64 {
    if i == system.n {
        0.0
    } else {
        system.rates[i * system.n + i]
    }
}

/// The cluster of each rate: neighbours that are near share one.
fn clusters(rates: &[f64], (nearness, slow): (f64, f64)) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rates.len()).collect();
    order.sort_by(|&a, &b| rates[a].total_cmp(&rates[b]));
    let mut result = vec![0; rates.len()];
    for pair in order.windows(2) {
        let (a, b) = (rates[pair[0]], rates[pair[1]]);
        let size = a.abs().max(b.abs());
        let near = b - a <= nearness * size && a * b > 0.0;
        let joined = near || size <= slow && b <= SLOW_GROWTH;
        result[pair[1]] = result[pair[0]] + usize::from(!joined);
    }
    result
}

/// What drives state i: Σ Tᵢⱼ·yⱼ over the others.
fn forcing(system: &LinearSystem, i: usize, solved: &[Expansion]) -> Expansion {
    let n = system.n;
    let mut sum: Expansion = vec![Vec::new(); solved[n].len()];
    if i == n {
        return sum;
    }
    for (j, expansion) in solved.iter().enumerate() {
        let factor = if j == n {
            system.drive[i]
        } else if j == i {
            0.0
        } else {
            system.rates[i * n + j]
        };
        if factor == 0.0 {
            continue;
        }
        for (sum, terms) in sum.iter_mut().zip(expansion) {
            for (p, row) in terms.iter().enumerate() {
                add(sum, p, factor, row);
            }
        }
    }
    sum
}

/// `terms[p] += factor·row`, making room.
fn add(terms: &mut Vec<Vec<f64>>, p: usize, factor: f64, row: &[f64]) {
    if terms.len() <= p {
        terms.resize(p + 1, vec![0.0; row.len()]);
    }
    for (sum, x) in terms[p].iter_mut().zip(row) {
        *sum += factor * x;
    }
}

/// The solution of y' = λy + g for state i: the forced part, and e^{λt} times what makes y(0) that of
/// the state. Appends λ to the nodes of its cluster `own` where the solution needs it.
fn convolve(
    i: usize,
    lambda: f64,
    own: usize,
    mut g: Expansion,
    nodes: &mut [Vec<f64>],
    n: usize,
) -> Expansion {
    let mut homogeneous = vec![0.0; n];
    homogeneous[i] = 1.0;
    let within = std::mem::take(&mut g[own]);
    for (terms, nodes) in g.iter_mut().zip(nodes.iter()) {
        divide(terms, nodes, lambda);
        if let Some(first) = terms.first() {
            homogeneous.iter_mut().zip(first).for_each(|(h, u)| *h -= u);
        }
    }
    let nodes = &mut nodes[own];
    let is_zero = |row: &Vec<f64>| row.iter().all(|x| *x == 0.0);
    let used = within
        .iter()
        .rposition(|r| !is_zero(r))
        .map_or(0, |k| k + 1);
    let there = nodes.iter().skip(used).position(|k| k - lambda == 0.0);
    let last = there.map_or(nodes.len(), |p| used + p);
    if there.is_none() {
        nodes.push(lambda);
    }
    // The convolution of φ over the first k nodes with e^{λt} is φ over those nodes and λ: a sum of φ
    // over the first nodes, up to the one that is λ.
    let mut spread = |k: usize, row: &[f64]| {
        let mut factor = 1.0;
        for p in k..=last {
            add(&mut g[own], p, factor, row);
            factor *= lambda - nodes[p];
            if factor == 0.0 {
                break;
            }
        }
    };
    for (k, row) in within.iter().enumerate().take(used) {
        spread(k + 1, row);
    }
    spread(0, &homogeneous);
    g
}

/// The sum u of functions of another cluster for which (D − λ)u is `terms`: uₚ = (gₚ − uₚ₊₁)/(κₚ − λ),
/// from the last to the first.
fn divide(terms: &mut [Vec<f64>], nodes: &[f64], lambda: f64) {
    for p in (0..terms.len()).rev() {
        let (head, tail) = terms.split_at_mut(p + 1);
        let distance = nodes[p] - lambda;
        for (j, x) in head[p].iter_mut().enumerate() {
            let next = tail.first().map_or(0.0, |t| t[j]);
            *x = (*x - next) / distance;
        }
    }
}
