//! Order of the states, paths between them, and the entries of e^{At} and its integral.

use super::block::{Exponential, MAX_STATES};
use super::{ClosedForm, Imported, NotClosed, Row, plus};
use crate::ir::{Builder, Op, Slot, Value};

/// Most paths into one state before the matrix exponential is used instead.
const MAX_PATHS: usize = 512;

/// Where a path starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathSource {
    /// The value of a state at the start of the interval.
    State(u32),
    /// The constant part of the rate of a state (one further node 0).
    ConstantRate(u32),
    /// What is constant in a step, in the rate of a state (one further node 0).
    Forcing(u32, Slot),
}

/// One term of the closed form of a state:
/// (Π coefficients)·tᵏ·exp\[λ₀t, …, λₖt\]·source, with k + 1 the number of `rates`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// What it starts from.
    pub source: PathSource,
    /// States passed, from the state described to the source.
    pub states: Vec<u32>,
    /// Factors, in the arena, to be multiplied in this order.
    pub coefficients: Vec<Value>,
    /// Nodes λ \[1/ms\], in the arena; `None` is 0.
    pub rates: Vec<Option<Value>>,
}

impl ClosedForm {
    /// The explicit representation of state i: the sum of these terms. `None` where it depends on a
    /// feedback loop, or where its rate has a part that is not linear in inputs or draws.
    #[must_use]
    pub fn paths(&self, i: u32) -> Option<Vec<Path>> {
        if !self.is_explicit(i) {
            return None;
        }
        let mut result = Vec::new();
        for states in self.walks(i) {
            let end = *states.last()?;
            if self.varying_rate(end).is_some() {
                return None;
            }
            let rates: Vec<_> = states.iter().map(|&s| self.rate(s)).collect();
            let coefficients = self.edge_coefficients(&states);
            let with_zero = || rates.iter().copied().chain([None]).collect::<Vec<_>>();
            let extended = |c: Value| coefficients.iter().copied().chain([c]).collect::<Vec<_>>();
            if let Some(c) = self.constant_rate(end) {
                let source = PathSource::ConstantRate(end);
                let (coefficients, rates) = (extended(c), with_zero());
                result.push(Path {
                    source,
                    states: states.clone(),
                    coefficients,
                    rates,
                });
            }
            for (&slot, &c) in self.forcing(end) {
                let source = PathSource::Forcing(end, slot);
                let (coefficients, rates) = (extended(c), with_zero());
                result.push(Path {
                    source,
                    states: states.clone(),
                    coefficients,
                    rates,
                });
            }
            result.push(Path {
                source: PathSource::State(end),
                states,
                coefficients,
                rates,
            });
        }
        Some(result)
    }

    /// Fills what depends on which states feel which.
    pub(super) fn ordered(mut self) -> Result<Self, NotClosed> {
        self.reaches = reachability(&self.rows);
        let n = self.rows.len();
        let in_loop = |i: usize| (0..n).any(|j| j != i && self.reaches[i][j] && self.reaches[j][i]);
        let loops: Vec<bool> = (0..n).map(in_loop).collect();
        let behind_loop = |i: usize| loops[i] || (0..n).any(|j| self.reaches[i][j] && loops[j]);
        self.is_coupled = (0..n).map(behind_loop).collect();
        for i in (0_u32..).take(n) {
            if !self.is_coupled[i as usize] && self.walks(i).len() > MAX_PATHS {
                self.is_coupled[i as usize] = true;
            }
        }
        self.coupled = (0_u32..)
            .take(n)
            .filter(|&j| {
                (0_u32..)
                    .take(n)
                    .any(|i| self.is_coupled[i as usize] && self.depends(i, j))
            })
            .collect();
        if self.coupled.len() > MAX_STATES {
            let states = self.coupled.len();
            return Err(NotClosed::TooLarge {
                states,
                limit: MAX_STATES,
            });
        }
        Ok(self)
    }

    /// Every walk from state i along its dependencies, itself included, depth first, dependencies
    /// ascending; stops a little above [`MAX_PATHS`]. Only for states that feel no loop.
    fn walks(&self, i: u32) -> Vec<Vec<u32>> {
        let mut result = Vec::new();
        let mut pending = vec![vec![i]];
        while let Some(walk) = pending.pop() {
            if result.len() > MAX_PATHS {
                break;
            }
            let end = walk.last().map_or(i, |&s| s);
            for (&j, _) in self.rows[end as usize]
                .states
                .iter()
                .rev()
                .filter(|(j, _)| **j != end)
            {
                let mut longer = walk.clone();
                longer.push(j);
                pending.push(longer);
            }
            result.push(walk);
        }
        result
    }

    fn edge_coefficients(&self, states: &[u32]) -> Vec<Value> {
        states
            .windows(2)
            .filter_map(|pair| self.coefficient(pair[0], pair[1]))
            .collect()
    }
}

fn reachability(rows: &[Row]) -> Vec<Vec<bool>> {
    let n = rows.len();
    let mut reaches = vec![vec![false; n]; n];
    for (i, row) in rows.iter().enumerate() {
        for &j in row.states.keys() {
            reaches[i][j as usize] = j as usize != i;
        }
    }
    for k in 0..n {
        let through = reaches[k].clone();
        for row in reaches.iter_mut().filter(|row| row[k]) {
            for (to, via) in row.iter_mut().zip(&through) {
                *to |= via;
            }
        }
    }
    reaches
}

/// Builds the entries of one system at one t.
pub(super) struct Entries<'a, 'l> {
    pub(super) form: &'a ClosedForm,
    pub(super) imported: &'a mut Imported<'l>,
    pub(super) block: &'a Option<Exponential>,
    pub(super) t: Value,
}

impl Entries<'_, '_> {
    /// Row i of e^{At}: own state first, then ascending.
    pub(super) fn states(&mut self, b: &mut Builder, i: u32) -> Vec<(u32, Value)> {
        let mut row = self.row(b, i, false);
        row.sort_by_key(|&(j, _)| (j != i, j));
        row
    }

    /// Row i of ∫₀ᵗ e^{As} ds, for the states that have a constant, a forcing or a varying part.
    pub(super) fn integrals(&mut self, b: &mut Builder, i: u32) -> Vec<(u32, Value)> {
        let mut row = self.row(b, i, true);
        row.sort_by_key(|&(j, _)| (j != i, j));
        row
    }

    fn row(&mut self, b: &mut Builder, i: u32, integral: bool) -> Vec<(u32, Value)> {
        if self.form.is_explicit(i) {
            return self.explicit_row(b, i, integral);
        }
        let Some(block) = self.block else {
            return Vec::new();
        };
        let matrix = if integral {
            &block.integral
        } else {
            &block.propagator
        };
        let coupled = &self.form.coupled;
        let Some(at) = coupled.iter().position(|&s| s == i) else {
            return Vec::new();
        };
        let entries = coupled.iter().zip(&matrix[at]);
        let present = entries.filter_map(|(&j, entry)| entry.map(|v| (j, v)));
        present
            .filter(|&(j, _)| !integral || self.is_driven(j))
            .collect()
    }

    fn explicit_row(&mut self, b: &mut Builder, i: u32, integral: bool) -> Vec<(u32, Value)> {
        let mut row: Vec<(u32, Value)> = Vec::new();
        for walk in self.form.walks(i) {
            let end = walk[walk.len() - 1];
            if integral && !self.is_driven(end) {
                continue;
            }
            let term = self.walk_term(b, &walk, integral);
            match row.iter_mut().find(|(j, _)| *j == end) {
                Some((_, sum)) => *sum = plus(b, Some(*sum), term),
                None => row.push((end, term)),
            }
        }
        row
    }

    fn is_driven(&self, j: u32) -> bool {
        let row = &self.form.rows[j as usize];
        row.constant.is_some() || row.varying.is_some() || !row.forcing.is_empty()
    }

    /// (Π coefficients)·tᵏ·exp\[λ₀t, …\], for the integral with one more node 0 and power of t.
    fn walk_term(&mut self, b: &mut Builder, walk: &[u32], integral: bool) -> Value {
        let mut nodes = Vec::with_capacity(walk.len() + 1);
        for &s in walk {
            let node = self.form.rate(s).map(|rate| {
                let rate = self.imported.value(b, &self.form.arena, rate);
                b.mul(rate, self.t)
            });
            nodes.push(node);
        }
        if integral {
            nodes.push(None);
        }
        let power = u32::try_from(nodes.len() - 1).unwrap_or(u32::MAX);
        let mut term = exp_difference(b, &nodes);
        if power > 0 {
            let powered = b.powi(self.t, power);
            term = b.mul(powered, term);
        }
        for c in self.form.edge_coefficients(walk) {
            let c = self.imported.value(b, &self.form.arena, c);
            term = b.mul(c, term);
        }
        term
    }
}

/// exp\[nodes\] with `None` for 0; 1/k! where every node is 0.
fn exp_difference(b: &mut Builder, nodes: &[Option<Value>]) -> Value {
    if nodes.iter().all(Option::is_none) {
        let factorial: f64 = (1_u32..).take(nodes.len() - 1).map(f64::from).product();
        return b.constant(1.0 / factorial);
    }
    let zero = b.constant(0.0);
    let nodes = nodes.iter().map(|n| n.unwrap_or(zero)).collect();
    b.push(Op::ExpDifference(nodes))
}
