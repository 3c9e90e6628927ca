//! The modes of a linear system: coordinates in which it falls apart.
//!
//! dx/dt = A·x + b with A triangular in some order becomes x = V·y + p(t) with dy/dt = D·y, where D
//! couples modes of nearly equal rates only. Modes whose rates differ clearly are eigenvectors;
//! those whose rates nearly coincide and that act on each other stay together in a triangular block,
//! because their eigenvectors would nearly coincide too. A single mode grows as e^{λt}; a block as
//! e^{λ̄t}·exp((D − λ̄)t), whose series ends soon.
//!
//! p(t) = p₀ + p₁·t is one solution: the resting state where there is one, a drift for perfect
//! integrators with a constant drive.

use super::LinearSystem;

/// Largest number of states.
pub const MAX_STATES: usize = 16;

/// Modes of a linear system.
#[derive(Clone, PartialEq, Debug)]
pub struct Modes {
    /// Number of modes, that of states.
    pub n: usize,
    /// Rate of each mode \[1/ms\].
    pub rates: Vec<f64>,
    /// V, `[states][modes]`.
    pub basis: Vec<f64>,
    /// V⁻¹, `[modes][states]`.
    pub inverse: Vec<f64>,
    /// D, `[modes][modes]`, upper triangular.
    coupling: Vec<f64>,
    /// The entries of e^{Dt} that are not 0: (row, column), rows ascending, the diagonal first.
    pub pairs: Vec<(usize, usize)>,
    /// By mode: its block.
    pub blocks: Vec<usize>,
}

/// One solution of the system: `constant + slope·t`.
#[derive(Clone, PartialEq, Debug)]
pub struct Particular {
    /// p₀, by state.
    pub constant: Vec<f64>,
    /// p₁ \[per ms\], by state; zero unless a state without decay is driven.
    pub slope: Vec<f64>,
}

impl Modes {
    /// The modes of `system`. Rates closer than `nearness` times the larger of the two share a block
    /// if one acts on the other.
    /// Cost: O(n³).
    #[must_use]
    pub fn of(system: &LinearSystem, nearness: f64) -> Self {
        let n = system.n;
        // Last first: then A is upper triangular.
        let states: Vec<usize> = system.order.iter().rev().copied().collect();
        let t = |i: usize, j: usize| system.rates[states[i] * n + states[j]];
        let rates: Vec<f64> = (0..n).map(|i| t(i, i)).collect();
        let near = |i: usize, j: usize| {
            let larger = f64::max(rates[i].abs(), rates[j].abs());
            (rates[i] - rates[j]).abs() <= nearness * larger
        };
        let clusters = connected(n, near);
        let mut v = vec![0.0; n * n];
        let mut d = vec![0.0; n * n];
        for j in 0..n {
            v[j * n + j] = 1.0;
            d[j * n + j] = rates[j];
            for i in (0..j).rev() {
                // T·V = V·D, entry (i, j), solved for what is still unknown.
                let mut rest = 0.0;
                for k in i + 1..=j {
                    rest += t(i, k) * v[k * n + j];
                }
                for k in i + 1..j {
                    rest -= v[i * n + k] * d[k * n + j];
                }
                if clusters[i] == clusters[j] {
                    d[i * n + j] = rest;
                } else if rest != 0.0 {
                    v[i * n + j] = rest / (rates[j] - rates[i]);
                }
            }
        }
        let inverse = unit_upper_inverse(&v, n);
        // Of those that are near, only modes that act on each other stay together.
        let blocks = connected(n, |i, j| d[j * n + i] != 0.0);
        let mut pairs: Vec<(usize, usize)> = (0..n).map(|i| (i, i)).collect();
        let joined = |i: usize, j: usize| blocks[i] == blocks[j];
        pairs.extend((0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))));
        pairs.retain(|&(i, j)| i == j || joined(i, j));
        // Back to the order of the states.
        let mut basis = vec![0.0; n * n];
        let mut from_states = vec![0.0; n * n];
        for (i, &state) in states.iter().enumerate() {
            for k in 0..n {
                basis[state * n + k] = v[i * n + k];
                from_states[k * n + state] = inverse[k * n + i];
            }
        }
        Self {
            n,
            rates,
            basis,
            inverse: from_states,
            coupling: d,
            pairs,
            blocks,
        }
    }

    /// Whether every mode stands alone.
    #[must_use]
    pub fn is_diagonal(&self) -> bool {
        self.pairs.len() == self.n
    }

    /// e^{Dt}, the entries of [`Self::pairs`]; `t_ms` may be negative.
    #[must_use]
    pub fn growth(&self, t_ms: f64) -> Vec<f64> {
        let full = self.growth_matrix(t_ms);
        self.pairs
            .iter()
            .map(|&(i, j)| full[i * self.n + j])
            .collect()
    }

    fn growth_matrix(&self, t_ms: f64) -> Vec<f64> {
        let n = self.n;
        let mut full = vec![0.0; n * n];
        let n_blocks = self.blocks.iter().max().map_or(0, |b| b + 1);
        for block in 0..n_blocks {
            let members: Vec<usize> = (0..n).filter(|&i| self.blocks[i] == block).collect();
            if let [only] = members.as_slice() {
                full[only * n + only] = libm::exp(self.rates[*only] * t_ms);
                continue;
            }
            self.block_growth(&members, t_ms, &mut full);
        }
        full
    }

    /// e^{λ̄t}·Σ (D − λ̄)ᵏ tᵏ/k!: what is above the diagonal ends after as many terms as there are
    /// members, the differences of the rates are small.
    fn block_growth(&self, members: &[usize], t_ms: f64, full: &mut [f64]) {
        const TERMS: u32 = 80;
        let (n, size) = (self.n, members.len());
        #[allow(clippy::cast_precision_loss, reason = "a few modes")]
        let mean = members.iter().map(|&i| self.rates[i]).sum::<f64>() / size as f64;
        let entry = |a: usize, b: usize| {
            let (i, j) = (members[a], members[b]);
            let d = self.coupling[i * n + j];
            t_ms * if i == j { d - mean } else { d }
        };
        let mut term: Vec<f64> = (0..size * size)
            .map(|k| if k / size == k % size { 1.0 } else { 0.0 })
            .collect();
        let mut sum = term.clone();
        for k in 1..=TERMS {
            let mut next = vec![0.0; size * size];
            for a in 0..size {
                for b in a..size {
                    let product: f64 = (a..=b).map(|c| term[a * size + c] * entry(c, b)).sum();
                    next[a * size + b] = product / f64::from(k);
                }
            }
            let largest = next.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            for (s, x) in sum.iter_mut().zip(&next) {
                *s += x;
            }
            term = next;
            if largest == 0.0 {
                break;
            }
        }
        let scale = libm::exp(mean * t_ms);
        for a in 0..size {
            for b in a..size {
                full[members[a] * n + members[b]] = scale * sum[a * size + b];
            }
        }
    }

    /// Upper bounds of |row·e^{Ds}| for every s ≥ `t_ms`, by mode; infinite where there is none.
    #[must_use]
    pub fn tail_bound(&self, row: &[f64], t_ms: f64) -> Vec<f64> {
        let n = self.n;
        let mut bound = vec![0.0; n];
        for j in 0..n {
            let members: Vec<usize> = (0..=j)
                .filter(|&i| self.blocks[i] == self.blocks[j])
                .collect();
            let fastest = members
                .iter()
                .map(|&i| self.rates[i])
                .fold(f64::NEG_INFINITY, f64::max);
            bound[j] = match members.as_slice() {
                [only] if fastest <= 0.0 => row[*only].abs() * libm::exp(fastest * t_ms),
                // tᵏ·e^{λt} falls from k/|λ| on.
                #[allow(clippy::cast_precision_loss, reason = "a few modes")]
                several if fastest < 0.0 && (several.len() - 1) as f64 <= -fastest * t_ms => {
                    let polynomial = self.absolute_series(row, several, j, t_ms);
                    polynomial * libm::exp(fastest * t_ms)
                }
                members if members.iter().all(|&i| row[i] == 0.0) => 0.0,
                _ => f64::INFINITY,
            };
        }
        bound
    }

    /// Σₖ |row|·|D above the diagonal|ᵏ tᵏ/k!, column j.
    fn absolute_series(&self, row: &[f64], members: &[usize], j: usize, t_ms: f64) -> f64 {
        let n = self.n;
        let mut term: Vec<f64> = members.iter().map(|&i| row[i].abs()).collect();
        let at = members.iter().position(|&i| i == j).unwrap_or(0);
        let mut sum = term[at];
        for k in 1..members.len() {
            let mut next = vec![0.0; members.len()];
            for (b, &column) in members.iter().enumerate() {
                for (a, &i) in members.iter().enumerate().take(b) {
                    next[b] += term[a] * self.coupling[i * n + column].abs();
                }
                #[allow(clippy::cast_precision_loss, reason = "a few modes")]
                let factor = t_ms / k as f64;
                next[b] *= factor;
            }
            sum += next[at];
            term = next;
        }
        sum
    }
}

/// Numbers without gaps for what is connected by `joined(i, j)`, i > j, directly or through others.
fn connected(n: usize, joined: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut block: Vec<usize> = (0..n).collect();
    for i in 0..n {
        for j in 0..i {
            if joined(i, j) {
                let (from, to) = (block[i].max(block[j]), block[i].min(block[j]));
                for b in &mut block {
                    if *b == from {
                        *b = to;
                    }
                }
            }
        }
    }
    let mut names: Vec<usize> = block.clone();
    names.sort_unstable();
    names.dedup();
    block
        .iter()
        .map(|b| names.iter().position(|name| name == b).unwrap_or(0))
        .collect()
}

fn unit_upper_inverse(v: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for j in 0..n {
        inverse[j * n + j] = 1.0;
        for i in (0..j).rev() {
            let sum: f64 = (i + 1..=j).map(|k| v[i * n + k] * inverse[k * n + j]).sum();
            inverse[i * n + j] = -sum;
        }
    }
    inverse
}

impl Particular {
    /// One solution of dx/dt = A·x + b of the form p₀ + p₁·t; `None` where the drive makes a state
    /// grow faster than that.
    #[must_use]
    pub fn of(system: &LinearSystem) -> Option<Self> {
        let n = system.n;
        let mut constant = vec![0.0; n];
        let mut slope = vec![0.0; n];
        for &i in &system.order {
            let row = &system.rates[i * n..(i + 1) * n];
            let others = |x: &[f64]| -> f64 {
                (0..n)
                    .filter(|&j| j != i && row[j] != 0.0)
                    .map(|j| row[j] * x[j])
                    .sum()
            };
            let (drive, growing) = (system.drive[i] + others(&constant), others(&slope));
            if row[i] == 0.0 {
                if growing != 0.0 {
                    return None;
                }
                slope[i] = drive;
            } else {
                slope[i] = -growing / row[i];
                constant[i] = (slope[i] - drive) / row[i];
            }
        }
        Some(Self { constant, slope })
    }

    /// Whether the solution stands still.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.slope.iter().all(|&s| s == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system of equations alone.
    fn system(rates: &[f64], drive: &[f64], order: &[usize]) -> LinearSystem {
        LinearSystem {
            n: drive.len(),
            rates: rates.to_vec(),
            drive: drive.to_vec(),
            held: vec![false; drive.len()],
            order: order.to_vec(),
            jumps: Vec::new(),
            firing: None,
        }
    }

    /// x(t) from x(0), by modes.
    fn advance(s: &LinearSystem, nearness: f64, x: &[f64], t: f64) -> Vec<f64> {
        let (modes, p) = (Modes::of(s, nearness), Particular::of(s).unwrap());
        let n = s.n;
        let y: Vec<f64> = (0..n)
            .map(|k| {
                (0..n)
                    .map(|i| modes.inverse[k * n + i] * (x[i] - p.constant[i]))
                    .sum()
            })
            .collect();
        let growth = modes.growth(t);
        let mut z = vec![0.0; n];
        for (&(i, j), g) in modes.pairs.iter().zip(growth) {
            z[i] += g * y[j];
        }
        (0..n)
            .map(|i| {
                let rest = p.constant[i] + p.slope[i] * t;
                rest + (0..n).map(|k| modes.basis[i * n + k] * z[k]).sum::<f64>()
            })
            .collect()
    }

    /// The same by a Taylor series of the whole system over short stretches.
    fn series(s: &LinearSystem, x: &[f64], t: f64) -> Vec<f64> {
        let (n, parts) = (s.n, 4000);
        let h = t / f64::from(parts);
        let mut x = x.to_vec();
        for _ in 0..parts {
            let rate = |x: &[f64], drive: f64| -> Vec<f64> {
                (0..n)
                    .map(|i| {
                        drive * s.drive[i] + (0..n).map(|j| s.rates[i * n + j] * x[j]).sum::<f64>()
                    })
                    .collect()
            };
            let mut term = rate(&x, 1.0);
            let mut factor = h;
            for k in 2..9 {
                for (x, d) in x.iter_mut().zip(&term) {
                    *x += factor * d;
                }
                term = rate(&term, 0.0);
                factor *= h / f64::from(k);
            }
        }
        x
    }

    #[test]
    fn modes_solve_the_system_whether_rates_are_apart_near_or_equal() {
        for gap in [0.5, 0.1, 1e-3, 1e-9, 0.0] {
            // v <- i <- j with rates -0.1, -0.1(1 + gap), -0.1(1 + 2 gap); u <- v.
            let (a, b, c) = (-0.1, -0.1 * (1.0 + gap), -0.1 * (1.0 + 2.0 * gap));
            #[rustfmt::skip]
            let s = system(
                &[a, 0.04, 0.0, 0.0,
                  0.0, b, 1.0, 0.0,
                  0.0, 0.0, c, 0.0,
                  0.3, 0.0, 0.0, -0.01],
                &[0.2, 0.0, 0.0, 0.05],
                &[2, 1, 0, 3],
            );
            let x = [3.0, -2.0, 7.0, 1.0];
            for nearness in [0.15, 1e-5] {
                let by_modes = advance(&s, nearness, &x, 30.0);
                for (m, e) in by_modes.iter().zip(series(&s, &x, 30.0)) {
                    let lost = if gap > 0.0 && gap > nearness {
                        gap
                    } else {
                        1.0
                    };
                    assert!((m - e).abs() < 1e-11 / lost, "{gap} {nearness}: {m} {e}");
                }
            }
        }
    }

    #[test]
    fn perfect_integrators_drift() {
        // v' = i + 0.5, i' = -i/4; u' = -u/2 + v.
        let s = system(
            &[0.0, 1.0, 0.0, 0.0, -0.25, 0.0, 1.0, 0.0, -0.5],
            &[0.5, 0.0, 0.0],
            &[1, 0, 2],
        );
        let x = [1.0, 2.0, 3.0];
        let by_modes = advance(&s, 0.1, &x, 12.0);
        for (m, e) in by_modes.iter().zip(series(&s, &x, 12.0)) {
            assert!((m - e).abs() < 1e-11, "{m} {e}");
        }
        assert!(!Particular::of(&s).unwrap().rests());
        // Twice integrated drive grows as t².
        let twice = system(&[0.0, 1.0, 0.0, 0.0], &[0.0, 1.0], &[1, 0]);
        assert_eq!(Particular::of(&twice), None);
    }

    #[test]
    fn tails_are_bounded() {
        let s = system(&[-0.1, 0.04, 0.0, -0.1], &[0.0, 0.0], &[1, 0]);
        let modes = Modes::of(&s, 0.1);
        let row: Vec<f64> = (0..2).map(|k| modes.basis[k]).collect();
        let bound = modes.tail_bound(&row, 15.0);
        for t in 15..200 {
            let growth = modes.growth(f64::from(t));
            let mut response = [0.0; 2];
            for (&(i, j), g) in modes.pairs.iter().zip(growth) {
                response[j] += row[i] * g;
            }
            for (r, b) in response.iter().zip(&bound) {
                assert!(r.abs() <= b * (1.0 + 1e-12), "{t}: {r} {b}");
            }
        }
        assert_eq!(modes.tail_bound(&row, 5.0)[0], 0.606_530_659_712_633_4);
        assert!(modes.tail_bound(&row, 5.0)[1].is_infinite());
    }
}
