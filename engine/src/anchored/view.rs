//! The neurons of a shard as others see them: monitors, checkpoints, reports.

use rheobase_equations::native::LANES;
use rheobase_equations::real::Real;

use super::layout::closed;
use super::neurons::{Anchored, read, usize_of};
use super::regime::Regime;

impl<R: Real> Anchored<R> {
    /// State `state` of a neuron after the last step; the one after the last is the number of
    /// refractory steps left.
    pub(crate) fn value(&self, state: usize, neuron: usize) -> f64 {
        if state == self.layout.n_modes {
            return self.refractory_left(neuron);
        }
        let mut x = vec![0.0; self.layout.n_modes];
        self.states_of(neuron, &mut x);
        x[state]
    }

    fn states_of(&self, neuron: usize, x: &mut [f64]) {
        let is_held = self.z[self.layout.gate(neuron)] != R::ZERO;
        let regime = match &self.held {
            Some(held) if is_held => held,
            _ => &self.free,
        };
        let z: Vec<f64> = read(self.layout, &self.z, neuron)
            .iter()
            .map(|z| z.to_f64())
            .collect();
        regime.states(usize_of(self.now % self.epoch), &z, x);
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
        let mut x = vec![0.0; n_modes];
        for array in &mut self.view {
            array.clear();
            array.resize(n, R::ZERO);
        }
        for neuron in 0..n {
            self.states_of(neuron, &mut x);
            let at = self.layout.at(neuron);
            for (m, x) in x.iter().enumerate() {
                self.view[m][neuron] = R::from_f64(*x);
                self.view[first_amplitude + m][neuron] = self.z[at + m * LANES];
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
                self.z[self.layout.at(neuron) + m * LANES] = *value;
            }
        }
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

    /// A state and neuron that is not finite, and its value.
    pub(crate) fn not_finite(&self) -> Option<(usize, usize, f64)> {
        let len = self.layout.block_len();
        let (block, place) = self
            .z
            .chunks_exact(len)
            .enumerate()
            .find_map(|(b, block)| {
                let amplitudes = &block[..self.layout.n_modes * LANES];
                let bad = amplitudes.iter().position(|x| !x.is_finite())?;
                Some((b, bad))
            })?;
        let neuron = block * LANES + place % LANES;
        let mut x = vec![0.0; self.layout.n_modes];
        self.states_of(neuron.min(self.layout.n - 1), &mut x);
        let state = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
        Some((state, neuron, x[state]))
    }

    /// Bytes of amplitudes and their initial values, agenda, buffers and tables.
    pub(crate) fn bytes(&self) -> usize {
        let tables = self.free.bytes() + self.held.as_ref().map_or(0, Regime::bytes);
        let view: usize = self.view.iter().map(Vec::capacity).sum();
        let lists =
            self.touched.capacity() + self.releases.iter().map(Vec::capacity).sum::<usize>();
        (2 * self.z.len() + view) * R::BYTES + 4 * lists + self.agenda.bytes() + tables
    }
}
