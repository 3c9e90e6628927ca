//! The neurons of a shard in anchored arithmetic.

use rheobase_equations::linear_system::{AffineMap, LinearSystem};
use rheobase_equations::native::{Aligned, LANES};
use rheobase_equations::real::Real;

use super::choice::Mode;
use super::dense::{Lanes, StepRow, absorbed, step_all};
use super::layout::{Layout, closed};
use super::look::{Look, MOST_MODES, MOST_PORTS};
use super::marks::Marks;
use super::regime::{Regime, Split};
use super::rule::Decision;
use super::sparse::Agenda;
use super::threshold::Threshold;

/// Neurons of a population that belong to one shard.
pub(crate) struct Anchored<R> {
    pub(super) layout: Layout,
    pub(super) epoch: u64,
    pub(super) free: Regime<R>,
    /// `None` without a refractory time.
    pub(super) held: Option<Regime<R>>,
    pub(super) firing: Option<Threshold<R>>,
    /// By block: rows of amplitudes, and the gates.
    pub(super) z: Aligned<R>,
    pub(super) initial: Aligned<R>,
    /// Refractory neurons to release after step s, at s modulo the length; in the order of firing.
    pub(super) releases: Vec<Vec<u32>>,
    pub(super) agenda: Agenda,
    /// The agenda holds what it must for neurons that are not touched.
    pub(super) agenda_is_complete: bool,
    /// Buffers.
    pub(super) fired: Vec<u32>,
    pub(super) touched: Vec<u32>,
    /// Neuron-steps in which a neuron was looked at.
    pub(crate) executed: u64,
    /// What others look at: states, refractory steps left if the model counts them, amplitudes.
    pub(super) view: Vec<Vec<R>>,
    /// The last step.
    pub(super) now: u64,
}

impl<R: Real> Anchored<R> {
    /// `initial` holds the states, `[states][neurons]`, without the refractory counter.
    pub(crate) fn new(decision: &Decision, dt_ms: f64, initial: &[Vec<R>]) -> Option<Self> {
        let Decision::Anchored {
            system,
            epoch,
            refractory_steps,
        } = decision
        else {
            return None;
        };
        let (epoch, steps) = (*epoch, *refractory_steps);
        let split = Split::of(system)?;
        let threshold_split = Split::of(system)?;
        let free = Regime::new(system, split, (epoch, dt_ms), |_, _| true);
        let held = if steps > 0 {
            Some(held_regime(system, (epoch, dt_ms))?)
        } else {
            None
        };
        let firing = system
            .firing
            .as_ref()
            .map(|f| Threshold::new(f, &threshold_split, &free, (epoch, dt_ms), steps));
        let has_counter = system
            .firing
            .as_ref()
            .is_some_and(|f| f.refractory_ms.is_some());
        let n = initial.first().map_or(0, Vec::len);
        let layout = Layout {
            n_modes: system.n,
            n,
        };
        let mut z = Aligned::zeroed(layout.len());
        for neuron in 0..layout.n_blocks() * LANES {
            z[layout.gate(neuron)] = closed();
        }
        for neuron in 0..n {
            let x: Vec<f64> = initial[..system.n]
                .iter()
                .map(|s| s[neuron].to_f64())
                .collect();
            write(layout, &mut z, neuron, &free.amplitudes(0, &x));
            z[layout.gate(neuron)] = R::ZERO;
        }
        Some(Self {
            layout,
            epoch,
            free,
            held,
            firing,
            initial: z.clone(),
            z,
            releases: vec![Vec::new(); usize_of(steps + 1)],
            agenda: Agenda::default(),
            agenda_is_complete: false,
            fired: Vec::new(),
            touched: Vec::new(),
            executed: 0,
            view: vec![Vec::new(); 2 * system.n + usize::from(has_counter)],
            now: 0,
        })
    }

    /// One step: lets what arrived act, tests the threshold, resets. Appends the neurons that fired,
    /// ascending. `marks` tells the lanes at which something may have arrived, of the population's
    /// lanes from `first_lane` on; they are taken out.
    pub(crate) fn step(
        &mut self,
        step: u64,
        mode: Mode,
        lanes: &mut Lanes<'_, R>,
        marks: Option<(&mut Marks, usize)>,
        spikes: &mut Vec<u32>,
    ) {
        self.begin(step);
        self.fired.clear();
        match (mode, marks) {
            (Mode::Dense, None) => self.dense(step, lanes),
            (Mode::Dense, Some((marks, first_lane))) => {
                marks.drop_range(first_lane, self.layout.n);
                self.dense(step, lanes);
            }
            (Mode::Sparse, None) => {
                // Nobody has noted what was reached.
                self.agenda_is_complete = false;
                self.sparse_all(step, lanes);
            }
            (Mode::Sparse, Some((marks, first_lane))) => {
                let mut touched = std::mem::take(&mut self.touched);
                touched.clear();
                self.agenda
                    .due(step, |neuron| marks.set(first_lane + neuron as usize));
                marks.take(first_lane, self.layout.n, &mut touched);
                if self.agenda_is_complete {
                    self.sparse(step, lanes, &touched);
                } else {
                    self.sparse_all(step, lanes);
                }
                self.touched = touched;
            }
        }
        self.reset(step, mode);
        self.release(step, mode);
        spikes.extend_from_slice(&self.fired);
        self.now = step;
    }

    /// A new epoch begins where it is due.
    fn begin(&mut self, step: u64) {
        if !step.is_multiple_of(self.epoch) {
            return;
        }
        let layout = self.layout;
        // Refractory neurons decay in their own way: kept aside.
        let held: Vec<(u32, Vec<R>)> = match &self.held {
            None => Vec::new(),
            Some(regime) => self
                .refractory()
                .map(|neuron| {
                    let mut z = read(layout, &self.z, neuron as usize);
                    regime.next_epoch(&mut z, 1, 1);
                    (neuron, z)
                })
                .collect(),
        };
        for block in self.z.chunks_exact_mut(layout.block_len()) {
            self.free.next_epoch(block, LANES, LANES);
        }
        for (neuron, z) in held {
            let at = layout.at(neuron as usize);
            for (m, z) in z.into_iter().enumerate() {
                self.z[at + m * LANES] = z;
            }
        }
    }

    /// Neurons that are refractory.
    fn refractory(&self) -> impl Iterator<Item = u32> {
        self.releases.iter().flatten().copied()
    }

    fn dense(&mut self, step: u64, lanes: &mut Lanes<'_, R>) {
        self.agenda_is_complete = false;
        self.executed += self.layout.n as u64;
        let n = usize_of(step % self.epoch);
        // What reaches refractory neurons acts in their way, and is gone before the loop.
        if let Some(regime) = &self.held {
            for neuron in self.releases.iter().flatten() {
                receive(
                    self.layout,
                    &mut self.z,
                    regime.gain(n),
                    lanes,
                    *neuron as usize,
                );
            }
        }
        let row = match &self.firing {
            Some(firing) => StepRow {
                gain: self.free.gain(n),
                margin: &firing.margin[n * self.layout.n_modes..][..self.layout.n_modes],
                constant: firing.constant[n],
                strict: firing.strict,
            },
            None => StepRow {
                gain: self.free.gain(n),
                margin: &[],
                // No number reaches the gate.
                constant: closed(),
                strict: false,
            },
        };
        step_all(self.layout, &mut self.z, lanes, &row, &mut self.fired);
    }

    /// After dense steps nobody knows who may cross by itself: all are looked at.
    fn sparse_all(&mut self, step: u64, lanes: &mut Lanes<'_, R>) {
        self.agenda_is_complete = true;
        self.agenda.begin(self.layout.n);
        let all: Vec<u32> = (0..u32::MAX).take(self.layout.n).collect();
        self.sparse(step, lanes, &all);
    }

    fn sparse(&mut self, step: u64, lanes: &mut Lanes<'_, R>, touched: &[u32]) {
        self.executed += touched.len() as u64;
        let n = usize_of(step % self.epoch);
        let n_modes = self.layout.n_modes;
        let Some(firing) = &self.firing else {
            for &neuron in touched {
                receive(
                    self.layout,
                    &mut self.z,
                    self.free.gain(n),
                    lanes,
                    neuron as usize,
                );
            }
            return;
        };
        if n_modes <= MOST_MODES && self.free.n_ports() <= MOST_PORTS {
            let pairs = &self.free.pairs;
            let mut look = Look {
                layout: self.layout,
                z: &mut self.z,
                lanes,
                gain: self.free.gain(n),
                held_gain: self.held.as_ref().map_or(&[], |h| h.gain(n)),
                margin: &firing.margin[n * n_modes..(n + 1) * n_modes],
                constant: firing.constant[n],
                strict: firing.strict,
                growth: &firing.growth[n * pairs.len()..(n + 1) * pairs.len()],
                pairs,
                bounds: &firing.bounds,
                agenda: &mut self.agenda,
                step,
                fired: &mut self.fired,
            };
            look.at(touched);
        } else {
            self.look_at(step, lanes, touched);
        }
    }

    /// As [`Look::at`], for any number of modes and ports.
    fn look_at(&mut self, step: u64, lanes: &mut Lanes<'_, R>, touched: &[u32]) {
        let n = usize_of(step % self.epoch);
        for &neuron in touched {
            let i = neuron as usize;
            let is_held = self.z[self.layout.gate(i)] != R::ZERO;
            let regime = match &self.held {
                Some(held) if is_held => held,
                _ => &self.free,
            };
            receive(self.layout, &mut self.z, regime.gain(n), lanes, i);
            if is_held {
                continue;
            }
            if self.reaches(n, i) {
                self.fired.push(neuron);
            } else {
                self.look_ahead(step, neuron);
            }
        }
    }

    /// Whether a free neuron is at its threshold.
    fn reaches(&self, n: usize, neuron: usize) -> bool {
        let Some(firing) = &self.firing else {
            return false;
        };
        let n_modes = self.layout.n_modes;
        let at = self.layout.at(neuron);
        let mut margin = firing.constant[n];
        let factors = &firing.margin[n * n_modes..(n + 1) * n_modes];
        for (m, factor) in factors.iter().enumerate() {
            margin += *factor * self.z[at + m * LANES];
        }
        if firing.strict {
            margin > R::ZERO
        } else {
            margin >= R::ZERO
        }
    }

    /// Notes when a free neuron that has not fired in `step` has to be looked at again.
    fn look_ahead(&mut self, step: u64, neuron: u32) {
        let Some(firing) = &self.firing else {
            return;
        };
        let n = usize_of(step % self.epoch);
        let at = self.layout.at(neuron as usize);
        let pairs = &self.free.pairs;
        let growth = &firing.growth[n * pairs.len()..(n + 1) * pairs.len()];
        let mut y = [R::ZERO; rheobase_equations::linear_system::MAX_STATES];
        for (&(i, j), g) in pairs.iter().zip(growth) {
            y[i] += *g * self.z[at + j * LANES];
        }
        let due = firing
            .bounds
            .due(&y[..self.layout.n_modes], firing.constant[n]);
        self.agenda.plan(neuron, step, due);
    }

    fn reset(&mut self, step: u64, mode: Mode) {
        let Some(firing) = &self.firing else {
            return;
        };
        let n = usize_of(step % self.epoch);
        let n_states = self.layout.n_modes;
        let (mut x, mut new) = (vec![0.0; n_states], vec![0.0; n_states]);
        let steps = firing.refractory_steps;
        for k in 0..self.fired.len() {
            let neuron = self.fired[k];
            let i = neuron as usize;
            let z: Vec<f64> = read(self.layout, &self.z, i)
                .iter()
                .map(|z| z.to_f64())
                .collect();
            self.free.states(n, &z, &mut x);
            map(&firing.reset, &x, &mut new);
            let regime = match &self.held {
                Some(held) if steps > 0 => held,
                _ => &self.free,
            };
            write(self.layout, &mut self.z, i, &regime.amplitudes(n, &new));
            if steps > 0 {
                self.z[self.layout.gate(i)] = closed();
                let slot = usize_of((step + steps) % self.releases.len() as u64);
                self.releases[slot].push(neuron);
            }
        }
        if steps == 0 && mode == Mode::Sparse {
            for k in 0..self.fired.len() {
                self.look_ahead(step, self.fired[k]);
            }
        }
    }

    /// Frees the neurons whose refractory time ends with `step`.
    fn release(&mut self, step: u64, mode: Mode) {
        let Some(held) = &self.held else {
            return;
        };
        let n = usize_of(step % self.epoch);
        let slot = usize_of(step % self.releases.len() as u64);
        let mut released = std::mem::take(&mut self.releases[slot]);
        let mut x = vec![0.0; self.layout.n_modes];
        for &neuron in &released {
            let i = neuron as usize;
            let z: Vec<f64> = read(self.layout, &self.z, i)
                .iter()
                .map(|z| z.to_f64())
                .collect();
            held.states(n, &z, &mut x);
            write(self.layout, &mut self.z, i, &self.free.amplitudes(n, &x));
            self.z[self.layout.gate(i)] = R::ZERO;
        }
        if mode == Mode::Sparse {
            for &neuron in &released {
                self.look_ahead(step, neuron);
            }
        }
        released.clear();
        self.releases[slot] = released;
    }

    /// Back to the initial state.
    pub(crate) fn restart(&mut self) {
        self.z.copy_from_slice(&self.initial);
        self.releases.iter_mut().for_each(Vec::clear);
        self.agenda_is_complete = false;
        self.executed = 0;
        self.now = 0;
    }
}

fn held_regime<R: Real>(system: &LinearSystem, time: (u64, f64)) -> Option<Regime<R>> {
    let held = system.while_refractory();
    let keeps = |port: usize, state: usize| !system.jumps[port].unless_refractory[state];
    Some(Regime::new(&held, Split::of(&held)?, time, keeps))
}

/// Lets what arrived at one neuron act.
#[inline(always)]
fn receive<R: Real>(
    layout: Layout,
    z: &mut [R],
    gain: &[R],
    lanes: &mut Lanes<'_, R>,
    neuron: usize,
) {
    let at = layout.at(neuron);
    for (port, gain) in gain.chunks_exact(layout.n_modes).enumerate() {
        let lane = &mut lanes.values[port * lanes.plane + neuron];
        let weight = std::mem::replace(lane, R::ZERO);
        for (m, factor) in gain.iter().enumerate() {
            let z = &mut z[at + m * LANES];
            *z = absorbed(*z, *factor, weight);
        }
    }
}

pub(super) fn read<R: Real>(layout: Layout, z: &[R], neuron: usize) -> Vec<R> {
    let at = layout.at(neuron);
    (0..layout.n_modes).map(|m| z[at + m * LANES]).collect()
}

fn write<R: Real>(layout: Layout, z: &mut [R], neuron: usize, values: &[f64]) {
    let at = layout.at(neuron);
    for (m, &value) in values.iter().enumerate() {
        z[at + m * LANES] = R::from_f64(value);
    }
}

fn map(map: &AffineMap, x: &[f64], new: &mut [f64]) {
    let n = x.len();
    for (i, new) in new.iter_mut().enumerate() {
        let row = &map.matrix[i * n..(i + 1) * n];
        let sum: f64 = row.iter().zip(x).map(|(m, x)| m * x).sum();
        *new = sum + map.constant[i];
    }
}

#[allow(clippy::cast_possible_truncation, reason = "places in short tables")]
#[inline(always)]
pub(super) fn usize_of(x: u64) -> usize {
    x as usize
}
