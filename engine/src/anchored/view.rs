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

    /// Shows every array: the states as they are, for looking only; the refractory counter and the
    /// amplitudes, from which a checkpoint continues.
    pub(crate) fn state(&mut self, names: &[String], visit: &mut dyn FnMut(&str, &mut [R])) {
        let n = self.layout.n;
        let mut x = vec![0.0; self.layout.n_modes];
        for array in &mut self.view {
            array.clear();
            array.resize(n, R::ZERO);
        }
        for neuron in 0..n {
            self.states_of(neuron, &mut x);
            for (array, &x) in self.view.iter_mut().zip(&x) {
                array[neuron] = R::from_f64(x);
            }
        }
        let len = self.releases.len() as u64;
        for steps in 1..len {
            let slot = usize_of((self.now + steps) % len);
            for &neuron in &self.releases[slot] {
                #[allow(clippy::cast_precision_loss, reason = "refractory times are short")]
                let left = R::from_f64(steps as f64);
                self.view[self.layout.n_modes][neuron as usize] = left;
            }
        }
        for (name, array) in names.iter().zip(&mut self.view) {
            visit(name, array);
        }
        let mut row = vec![R::ZERO; n];
        for m in 0..self.layout.n_modes {
            for (neuron, value) in row.iter_mut().enumerate() {
                *value = self.z[self.layout.at(neuron) + m * LANES];
            }
            visit(&format!("amplitude {m}"), &mut row);
            for (neuron, value) in row.iter().enumerate() {
                self.z[self.layout.at(neuron) + m * LANES] = *value;
            }
        }
        self.viewed = true;
    }

    /// What follows from the arrays that [`Self::state`] has shown, in case they were changed; `now` is
    /// the last step.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small whole numbers"
    )]
    pub(super) fn take_view(&mut self, now: u64) {
        self.viewed = false;
        self.now = now;
        self.agenda_is_complete = false;
        let Some(left) = self.view.get(self.layout.n_modes) else {
            return;
        };
        let len = self.releases.len() as u64;
        let mut releases = vec![Vec::new(); self.releases.len()];
        for (neuron, left) in left.iter().enumerate() {
            let steps = (left.to_f64() as u64).min(len - 1);
            self.z[self.layout.gate(neuron)] = if steps > 0 { closed() } else { R::ZERO };
            if steps > 0 {
                releases[usize_of((now + steps) % len)].push(neuron as u32);
            }
        }
        self.releases = releases;
    }

    /// Whether states are to be checked after `step`: once an epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A state and neuron that is not finite, and its value.
    pub(crate) fn not_finite(&self) -> Option<(usize, usize, f64)> {
        let bad = self.z.iter().position(|x| !x.is_finite())?;
        let neuron = bad / self.layout.block_len() * LANES + bad % LANES;
        let mut x = vec![0.0; self.layout.n_modes];
        self.states_of(neuron.min(self.layout.n - 1), &mut x);
        let state = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
        Some((state, neuron, x[state]))
    }

    /// Bytes of amplitudes, agenda and tables.
    pub(crate) fn bytes(&self) -> usize {
        let tables = self.free.bytes() + self.held.as_ref().map_or(0, Regime::bytes);
        self.z.len() * R::BYTES + self.agenda.bytes() + tables
    }
}
