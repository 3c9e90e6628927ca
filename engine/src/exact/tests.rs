//! Shards in continuous time against a simulator that looks at every neuron at every event, and the
//! rules for what happens at the same moment.

mod brute;
mod memory;
mod ties;

use super::actor::{ExactActor, ExactShape};
use super::flow::{Crossing, Flow};
use super::moment::Clock;
use super::neurons::Neurons;
use super::synapses::Synapses;
use crate::actor::{Actor, RunError};
use crate::packet::{History, Packet};
use crate::record::Spikes;
use crate::time::Slice;

/// dv/dt = (rest − v)/tau, or dv/dt = rest/tau without `leak`; events add to v unless refractory.
#[derive(Clone, Copy, Debug)]
struct Leaky {
    tau_ms: f64,
    rest: f64,
    threshold: f64,
    reset: f64,
    refractory_ms: f64,
    leak: bool,
}

impl Flow for Leaky {
    fn n_states(&self) -> usize {
        1
    }
    fn advance(&mut self, states: &mut [f64], elapsed_ms: f64, refractory: bool) {
        if refractory {
            return;
        }
        if self.leak {
            states[0] = self.rest + (states[0] - self.rest) * (-elapsed_ms / self.tau_ms).exp();
        } else {
            states[0] += self.rest / self.tau_ms * elapsed_ms;
        }
    }
    fn next_crossing(&mut self, states: &[f64], horizon_ms: f64) -> Crossing {
        let after = if self.fires(states) {
            0.0
        } else if !self.leak {
            (self.threshold - states[0]) / (self.rest / self.tau_ms)
        } else if self.rest > self.threshold {
            self.tau_ms * ((self.rest - states[0]) / (self.rest - self.threshold)).ln()
        } else {
            f64::INFINITY
        };
        Crossing {
            after_ms: (after >= 0.0 && after.is_finite() && after <= horizon_ms).then_some(after),
            grazing: false,
        }
    }
    fn fires(&self, states: &[f64]) -> bool {
        states[0] >= self.threshold
    }
    fn input(&self, states: &mut [f64], _port: usize, weight: f64, refractory: bool) {
        if !refractory {
            states[0] += weight;
        }
    }
    fn reset(&self, states: &mut [f64]) {
        states[0] = self.reset;
    }
    fn refractory_ms(&self) -> f64 {
        self.refractory_ms
    }
}

/// Neurons 0 … n − 1 are node 0, in continuous time; node 1 fires on the grid.
struct Case {
    dt_ms: f64,
    neurons: Vec<Leaky>,
    initial: Vec<f64>,
    /// Source, target, delay, weight within node 0.
    recurrent: Vec<(u32, u32, f64, f64)>,
    /// The same from node 1.
    from_grid: Vec<(u32, u32, f64, f64)>,
    /// Step and neuron of node 1, sorted.
    grid_spikes: Vec<(u64, u32)>,
    adaptive: bool,
}

impl Case {
    fn one(neuron: Leaky, initial: f64, dt_ms: f64) -> Self {
        Self {
            dt_ms,
            neurons: vec![neuron],
            initial: vec![initial],
            recurrent: Vec::new(),
            from_grid: Vec::new(),
            grid_spikes: Vec::new(),
            adaptive: false,
        }
    }

    fn n(&self) -> u32 {
        u32::try_from(self.neurons.len()).unwrap()
    }

    fn shard(&self, range: std::ops::Range<u32>) -> ExactActor {
        let clock = Clock::new(self.dt_ms);
        let here = range.start as usize..range.end as usize;
        let flows: Vec<Box<dyn Flow>> = self.neurons[here.clone()]
            .iter()
            .map(|&n| Box::new(n) as Box<dyn Flow>)
            .collect();
        let local = |list: &[(u32, u32, f64, f64)]| -> Vec<(u32, u32, f64, f64)> {
            list.iter()
                .filter(|s| range.contains(&s.1))
                .map(|&(s, t, d, w)| (s, t - range.start, d, w))
                .collect()
        };
        let n = u32::try_from(here.len()).unwrap();
        let synapses = vec![
            Synapses::listed(0, 0, (self.n(), n), clock, &local(&self.recurrent)),
            Synapses::listed(1, 0, (100, n), clock, &local(&self.from_grid)),
        ];
        let shape = ExactShape {
            node: 0,
            name: "E".to_owned(),
            range,
            state_names: vec!["v".to_owned()],
            dt_ms: self.dt_ms,
            record_spikes: true,
        };
        let initial = self.initial[here.clone()].to_vec();
        let neurons = Neurons::new(clock, flows, self.adaptive, initial, &vec![0.0; here.len()]);
        ExactActor::new(shape, neurons, synapses, Vec::new())
    }

    fn shards(&self, n_shards: u32) -> Vec<ExactActor> {
        let at = |k: u32| k * self.n() / n_shards;
        (0..n_shards)
            .map(|k| self.shard(at(k)..at(k + 1)))
            .collect()
    }

    /// Runs to step `last` in slices of at most `slice_len`, cut as `cuts` says.
    fn run(
        &self,
        n_shards: u32,
        slice_len: usize,
        last: u64,
        cuts: &[u64],
    ) -> Result<Spikes, RunError> {
        let mut shards = self.shards(n_shards);
        let mut history = History::<f32>::new(&[2000, 2000], slice_len);
        let mut step = 1;
        while step <= last {
            let end = cuts
                .iter()
                .copied()
                .find(|&c| c >= step)
                .unwrap_or(last)
                .min(last);
            let left = usize::try_from(end - step + 1).unwrap();
            let slice = Slice {
                first: step,
                len: slice_len.min(left),
            };
            self.run_slice(&mut shards, &mut history, slice)?;
            step = slice.end();
        }
        let mut recorded: Vec<Spikes> = Vec::new();
        for shard in &mut shards {
            let records = Actor::<f32>::take_records(shard);
            recorded.extend(records.into_iter().filter_map(|r| r.spikes));
        }
        Ok(Spikes::merge(&recorded))
    }

    fn run_slice(
        &self,
        shards: &mut [ExactActor],
        history: &mut History<f32>,
        slice: Slice,
    ) -> Result<(), RunError> {
        let mut packet = Packet::default();
        packet.clear();
        for step in slice.steps() {
            let fired = self.grid_spikes.iter().filter(|(s, _)| *s == step);
            packet.spikes_mut().extend(fired.map(|(_, n)| n));
            packet.end_step();
        }
        history.append(1, slice, std::iter::once(&packet));
        let mut packets = Vec::new();
        for shard in shards {
            let mut own = [Packet::default()];
            own[0].clear();
            Actor::<f32>::advance(shard, slice, history, &mut own)?;
            packets.extend(own);
        }
        history.append(0, slice, packets.iter());
        Ok(())
    }
}

/// Times \[ms\] and neurons, by time.
fn times(spikes: &Spikes, dt_ms: f64) -> Vec<(f64, u32)> {
    let steps = spikes.steps.iter().zip(&spikes.offsets_ms);
    let mut all: Vec<(f64, u32)> = steps
        .zip(&spikes.neurons)
        .map(|((&step, &offset), &n)| ((step - 1) as f64 * dt_ms + offset, n))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}
