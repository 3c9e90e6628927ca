//! The neurons of a shard as others see them: monitors, checkpoints, reports.

use rheobase_equations::linear_system::MAX_STATES;
use rheobase_equations::real::Real;

use super::epochs::Regimes;
use super::layout::{WIDTH, block_of, closed};
use super::neurons::{Anchored, usize_of};
use super::regime::Regime;

impl<R: Real> Anchored<R> {
    /// Brings neurons up to date, so that looking at them again costs little.
    pub(crate) fn wake(&mut self, neurons: &[u32]) {
        let regimes = Regimes {
            free: &self.free,
            held: self.held.as_ref(),
        };
        let blocks = neurons.iter().map(|&neuron| block_of(neuron));
        self.epochs.wake(self.layout, regimes, &mut self.z, blocks);
    }

    /// State `state` of a neuron after the last step; the one after the last is the number of
    /// refractory steps left.
    pub(crate) fn value(&self, state: usize, neuron: usize) -> f64 {
        if state == self.layout.n_modes {
            return self.refractory_left(neuron);
        }
        self.states_of(neuron)[state]
    }

    fn states_of(&self, neuron: usize) -> [f64; MAX_STATES] {
        let is_held = self.z[self.layout.gate(neuron)] != R::ZERO;
        let regime = match &self.held {
            Some(held) if is_held => held,
            _ => &self.free,
        };
        let (n, n_modes) = (usize_of(self.now % self.epoch), self.layout.n_modes);
        let mut x = [0.0; MAX_STATES];
        let z = self.amplitudes(neuron);
        regime.states(n, &z[..n_modes], &mut x[..n_modes]);
        x
    }

    /// Steps until a neuron is free again.
    #[allow(clippy::cast_precision_loss, reason = "refractory times are short")]
    fn refractory_left(&self, neuron: usize) -> f64 {
        if self.z[self.layout.gate(neuron)] == R::ZERO {
            return 0.0;
        }
        let len = self.releases.len() as u64;
        let left = (1..len).find(|steps| {
            let slot = usize_of((self.now + steps) % len);
            self.releases[slot].iter().any(|&r| r as usize == neuron)
        });
        left.map_or(0.0, |steps| steps as f64)
    }

    /// Shows copies of every array: the states, the refractory counter, the amplitudes. What is changed
    /// in them counts only if [`Self::resume`] follows.
    pub(crate) fn state(&mut self, names: &[String], visit: &mut dyn FnMut(&str, &mut [R])) {
        let (n, n_modes) = (self.layout.n, self.layout.n_modes);
        let first_amplitude = self.view.len() - n_modes;
        self.wake_all();
        for array in &mut self.view {
            array.clear();
            array.resize(n, R::ZERO);
        }
        for neuron in 0..n {
            let x = self.states_of(neuron);
            let at = self.layout.at(neuron);
            for (m, x) in x[..n_modes].iter().enumerate() {
                self.view[m][neuron] = R::from_f64(*x);
                self.view[first_amplitude + m][neuron] = self.z[at + m * WIDTH];
            }
        }
        let len = self.releases.len() as u64;
        for steps in 1..len {
            let slot = usize_of((self.now + steps) % len);
            for &neuron in &self.releases[slot] {
                #[allow(clippy::cast_precision_loss, reason = "refractory times are short")]
                let left = R::from_f64(steps as f64);
                self.view[n_modes][neuron as usize] = left;
            }
        }
        for (name, array) in names.iter().zip(&mut self.view[..first_amplitude]) {
            visit(name, array);
        }
        for (m, array) in self.view[first_amplitude..].iter_mut().enumerate() {
            visit(&format!("amplitude {m}"), array);
        }
    }

    /// Goes on after step `now` from the counter and the amplitudes that were put into the arrays
    /// [`Self::state`] has shown.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small whole numbers"
    )]
    pub(crate) fn resume(&mut self, now: u64) {
        self.now = now;
        self.agenda_is_complete = false;
        let n_modes = self.layout.n_modes;
        let first_amplitude = self.view.len() - n_modes;
        for (m, array) in self.view[first_amplitude..].iter().enumerate() {
            for (neuron, value) in array.iter().enumerate() {
                self.z[self.layout.at(neuron) + m * WIDTH] = *value;
            }
        }
        self.epochs.set_all();
        self.releases.iter_mut().for_each(Vec::clear);
        if first_amplitude == n_modes {
            return;
        }
        let len = self.releases.len() as u64;
        for (neuron, left) in self.view[n_modes].iter().enumerate() {
            let steps = (left.to_f64() as u64).min(len - 1);
            self.z[self.layout.gate(neuron)] = if steps > 0 { closed() } else { R::ZERO };
            if steps > 0 {
                self.releases[usize_of((now + steps) % len)].push(neuron as u32);
            }
        }
    }

    /// Whether states are to be checked after `step`: once an epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A state and neuron that is not finite, and its value, among those that were touched since the
    /// last call: what only decays stays finite.
    pub(crate) fn not_finite(&mut self) -> Option<(usize, usize, f64)> {
        let (len, n_modes) = (self.layout.block_len(), self.layout.n_modes);
        let z = &self.z;
        let (block, place) = self.epochs.take_unchecked().find_map(|b| {
            let amplitudes = &z[b * len..b * len + n_modes * WIDTH];
            // NaN and infinity survive multiplication by zero; nothing else does.
            let zeros = amplitudes.iter().map(|x| *x * R::ZERO);
            if zeros.fold(R::ZERO, |sum, x| sum + x).is_finite() {
                return None;
            }
            let bad = amplitudes.iter().position(|x| !x.is_finite())?;
            Some((b, bad))
        })?;
        let neuron = (block * WIDTH + place % WIDTH).min(self.layout.n - 1);
        let x = self.states_of(neuron);
        let state = x[..n_modes].iter().position(|x| !x.is_finite());
        let state = state.unwrap_or(0);
        Some((state, neuron, x[state]))
    }

    /// Bytes of amplitudes and their initial values, agenda, buffers and tables.
    pub(crate) fn bytes(&self) -> usize {
        let tables = self.free.bytes() + self.held.as_ref().map_or(0, Regime::bytes);
        let view: usize = self.view.iter().map(Vec::capacity).sum();
        let lists =
            self.touched.capacity() + self.releases.iter().map(Vec::capacity).sum::<usize>();
        (2 * self.z.len() + view) * R::BYTES
            + 4 * lists
            + self.agenda.bytes()
            + self.epochs.bytes()
            + tables
    }
}
