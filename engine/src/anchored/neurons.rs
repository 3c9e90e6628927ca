//! The neurons of a shard in anchored arithmetic.

use rheobase_equations::linear_system::{AffineMap, LinearSystem, MAX_STATES};
use rheobase_equations::native::Aligned;
use rheobase_equations::real::Real;

use super::agenda::Agenda;
use super::block::{self, Found, Lanes, Outlook, Step};
use super::choice::Mode;
use super::epochs::{Epochs, Regimes, pass};
use super::layout::{Layout, WIDTH, block_of, closed};
use super::marks::Marks;
use super::regime::{Regime, Split};
use super::rule::Decision;
use super::threshold::Threshold;

/// Releases that room is made for at most.
const MOST_RESERVED: usize = 1 << 22;

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
    pub(super) epochs: Epochs,
    /// Refractory neurons to release after step s, at s modulo the length; in the order of firing.
    pub(super) releases: Vec<Vec<u32>>,
    pub(super) agenda: Agenda,
    /// The agenda holds what it must for neurons that are not touched.
    pub(super) agenda_is_complete: bool,
    /// Buffers: what a step finds, the blocks it touches, and factors of its outlook.
    pub(super) found: Found,
    pub(super) touched: Vec<u32>,
    factors: Vec<(R, R)>,
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
        for neuron in 0..layout.n_blocks() * WIDTH {
            z[layout.gate(neuron)] = closed();
        }
        for neuron in 0..n {
            let x: Vec<f64> = initial[..system.n]
                .iter()
                .map(|s| s[neuron].to_f64())
                .collect();
            let mut amplitudes = [0.0; MAX_STATES];
            free.amplitudes(0, &x, &mut amplitudes[..system.n]);
            write(layout, &mut z, neuron, &amplitudes);
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
            epochs: Epochs::new(layout),
            releases: vec![Vec::new(); usize_of(steps + 1)],
            agenda: Agenda::default(),
            agenda_is_complete: false,
            found: Found::default(),
            touched: Vec::new(),
            factors: Vec::new(),
            executed: 0,
            view: vec![Vec::new(); 2 * system.n + usize::from(has_counter)],
            now: 0,
        })
    }

    /// One step: lets what arrived act, tests the threshold, resets. Appends the neurons that fired,
    /// ascending. `marks` tells the blocks at which something may have arrived, of the population's
    /// lanes from `first_lane` on; they are taken out.
    pub(crate) fn step(
        &mut self,
        step: u64,
        mode: Mode,
        lanes: &mut Lanes<'_, R>,
        marks: Option<(&mut Marks, usize)>,
        spikes: &mut Vec<u32>,
    ) {
        if step.is_multiple_of(self.epoch) {
            self.epochs.begin();
        }
        self.found.fired.clear();
        self.found.doubtful.clear();
        match (mode, marks) {
            (Mode::Dense, None) => self.dense(step, lanes),
            (Mode::Dense, Some((marks, first_lane))) => {
                marks.drop_range(first_lane, self.layout.n);
                self.dense(step, lanes);
            }
            (Mode::Sparse, None) => {
                // Nobody has noted what was reached.
                self.agenda_is_complete = false;
                self.sparse(step, lanes);
            }
            (Mode::Sparse, Some((marks, first_lane))) => {
                self.touched.clear();
                self.agenda
                    .due(step, |neuron| marks.set(first_lane + neuron as usize));
                marks.take(first_lane, self.layout.n, &mut self.touched);
                self.sparse(step, lanes);
            }
        }
        self.reset(step, mode);
        self.release(step, mode);
        spikes.extend_from_slice(&self.found.fired);
        self.now = step;
    }

    fn dense(&mut self, step: u64, lanes: &mut Lanes<'_, R>) {
        self.agenda_is_complete = false;
        self.executed += self.layout.n as u64;
        self.wake_all();
        let gains = (&self.free, self.held.as_ref());
        let step = step_row(self.layout, gains, self.firing.as_ref(), self.place(step));
        block::dense(&step, &mut self.z, lanes, &mut self.found);
    }

    /// Looks at the blocks that are touched.
    fn sparse(&mut self, step: u64, lanes: &mut Lanes<'_, R>) {
        if !self.agenda_is_complete {
            // After dense steps nobody knows who may cross by itself: all are looked at.
            self.agenda_is_complete = true;
            self.agenda.begin(self.layout.n);
            self.touched.clear();
            let blocks = self.layout.n.div_ceil(WIDTH);
            self.touched.extend((0..u32::MAX).take(blocks));
        }
        self.executed += (self.touched.len() * WIDTH).min(self.layout.n) as u64;
        let regimes = Regimes {
            free: &self.free,
            held: self.held.as_ref(),
        };
        let blocks = self.touched.iter().copied();
        self.epochs.wake(self.layout, regimes, &mut self.z, blocks);
        let n = self.place(step);
        let gains = (&self.free, self.held.as_ref());
        let row = step_row(self.layout, gains, self.firing.as_ref(), n);
        let outlook = match &self.firing {
            Some(firing) => firing.outlook(n, &self.free.pairs, &mut self.factors),
            None => Outlook::never(),
        };
        block::sparse(
            (&row, &outlook),
            &self.touched,
            &mut self.z,
            lanes,
            &mut self.found,
        );
        for k in 0..self.found.doubtful.len() {
            let doubtful = self.found.doubtful[k];
            // What was planned before holds as long as nothing arrives.
            if doubtful.reached || !self.agenda.has(doubtful.neuron) {
                self.look_ahead(step, doubtful.neuron);
            }
        }
    }

    /// The step within its epoch.
    fn place(&self, step: u64) -> usize {
        usize_of(step % self.epoch)
    }

    fn regimes(&self) -> Regimes<'_, R> {
        Regimes {
            free: &self.free,
            held: self.held.as_ref(),
        }
    }

    /// Brings all amplitudes to the current epoch.
    pub(super) fn wake_all(&mut self) {
        let regimes = Regimes {
            free: &self.free,
            held: self.held.as_ref(),
        };
        let blocks = (0..u32::MAX).take(self.layout.n_blocks());
        self.epochs.wake(self.layout, regimes, &mut self.z, blocks);
        self.epochs.set_all();
    }

    /// Amplitudes of a neuron in the current epoch.
    pub(super) fn amplitudes(&self, neuron: usize) -> [f64; MAX_STATES] {
        let (block, len) = (neuron / WIDTH, self.layout.block_len());
        let mut of_block = [R::ZERO; (MAX_STATES + 1) * WIDTH];
        let of_block = &mut of_block[..len];
        of_block.copy_from_slice(&self.z[block * len..(block + 1) * len]);
        let pending = self.epochs.pending(block);
        if pending > 0 {
            pass(self.layout, self.regimes(), pending, of_block);
        }
        let mut z = [0.0; MAX_STATES];
        for (m, z) in z[..self.layout.n_modes].iter_mut().enumerate() {
            *z = of_block[m * WIDTH + neuron % WIDTH].to_f64();
        }
        z
    }

    /// Notes when a free neuron that has not fired in `step` has to be looked at again.
    fn look_ahead(&mut self, step: u64, neuron: u32) {
        let Some(firing) = &self.firing else {
            return;
        };
        let n = self.place(step);
        let at = self.layout.at(neuron as usize);
        let pairs = &self.free.pairs;
        let growth = &firing.growth[n * pairs.len()..(n + 1) * pairs.len()];
        let mut y = [R::ZERO; MAX_STATES];
        for (&(i, j), g) in pairs.iter().zip(growth) {
            y[i] += *g * self.z[at + j * WIDTH];
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
        let n = self.place(step);
        let n_states = self.layout.n_modes;
        let steps = firing.refractory_steps;
        let mut x = [0.0; MAX_STATES];
        let mut new = [0.0; MAX_STATES];
        let mut z = [0.0; MAX_STATES];
        for &neuron in &self.found.fired {
            let i = neuron as usize;
            read(self.layout, &self.z, i, &mut z);
            self.free.states(n, &z, &mut x[..n_states]);
            map(&firing.reset, &x[..n_states], &mut new);
            let regime = match &self.held {
                Some(held) if steps > 0 => held,
                _ => &self.free,
            };
            regime.amplitudes(n, &new[..n_states], &mut z[..n_states]);
            write(self.layout, &mut self.z, i, &z);
            if steps > 0 {
                self.z[self.layout.gate(i)] = closed();
                let slot = usize_of((step + steps) % self.releases.len() as u64);
                self.releases[slot].push(neuron);
            }
        }
        if steps == 0 && mode == Mode::Sparse {
            for k in 0..self.found.fired.len() {
                self.look_ahead(step, self.found.fired[k]);
            }
        }
    }

    /// Frees the neurons whose refractory time ends with `step`.
    fn release(&mut self, step: u64, mode: Mode) {
        let slot = usize_of(step % self.releases.len() as u64);
        let Some(held) = self
            .held
            .as_ref()
            .filter(|_| !self.releases[slot].is_empty())
        else {
            return;
        };
        let mut released = std::mem::take(&mut self.releases[slot]);
        let regimes = Regimes {
            free: &self.free,
            held: Some(held),
        };
        let blocks = released.iter().map(|&neuron| block_of(neuron));
        self.epochs.wake(self.layout, regimes, &mut self.z, blocks);
        let n = self.place(step);
        let n_states = self.layout.n_modes;
        let (mut x, mut z) = ([0.0; MAX_STATES], [0.0; MAX_STATES]);
        for &neuron in &released {
            let i = neuron as usize;
            read(self.layout, &self.z, i, &mut z);
            held.states(n, &z, &mut x[..n_states]);
            self.free.amplitudes(n, &x[..n_states], &mut z[..n_states]);
            write(self.layout, &mut self.z, i, &z);
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

    /// Makes room for all neurons firing in any step, so that dense steps need no memory; where a
    /// refractory time is long, in a step that many fire in, lists may still grow.
    pub(crate) fn reserve(&mut self) {
        let n = self.layout.n;
        self.found.fired.reserve(n);
        self.found.doubtful.reserve(n);
        let each = n.min((MOST_RESERVED / self.releases.len()).max(1));
        self.releases.iter_mut().for_each(|list| list.reserve(each));
    }

    /// Back to the initial state.
    pub(crate) fn restart(&mut self) {
        self.z.copy_from_slice(&self.initial);
        self.epochs = Epochs::new(self.layout);
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

/// What the n-th step of an epoch does to all neurons.
fn step_row<'a, R: Real>(
    layout: Layout,
    (free, held): (&'a Regime<R>, Option<&'a Regime<R>>),
    firing: Option<&'a Threshold<R>>,
    n: usize,
) -> Step<'a, R> {
    let (margin, constant, strict) = match firing {
        Some(firing) => firing.margin(n, layout.n_modes),
        // No number reaches the gate.
        None => (&[][..], closed(), false),
    };
    Step {
        layout,
        gain: free.gain(n),
        held_gain: held.unwrap_or(free).gain(n),
        margin,
        constant,
        strict,
    }
}

fn read<R: Real>(layout: Layout, z: &[R], neuron: usize, values: &mut [f64]) {
    let at = layout.at(neuron);
    for (m, value) in values[..layout.n_modes].iter_mut().enumerate() {
        *value = z[at + m * WIDTH].to_f64();
    }
}

fn write<R: Real>(layout: Layout, z: &mut [R], neuron: usize, values: &[f64]) {
    let at = layout.at(neuron);
    for (m, &value) in values[..layout.n_modes].iter().enumerate() {
        z[at + m * WIDTH] = R::from_f64(value);
    }
}

fn map(map: &AffineMap, x: &[f64], new: &mut [f64]) {
    let n = x.len();
    for (i, new) in new[..n].iter_mut().enumerate() {
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
