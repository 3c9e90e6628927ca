//! One step of one sample, with running statistics.

use rheobase_engine::port::{StepInput, StepLayer, Tensor};
use rheobase_equations::real::Real;

use super::kernel::{Channel, Kernel};

pub(super) struct Step<R> {
    positions: usize,
    channels: Vec<Channel<R>>,
    dense: Vec<R>,
}

impl<R: Real> Step<R> {
    /// `parameters` are those of the layer, then its buffers; without these, they are as at first.
    pub(super) fn new(mut kernel: Kernel<R>, parameters: &[Tensor<R>]) -> Self {
        for buffer in &mut kernel.buffers {
            let given = parameters.iter().find(|t| t.name == buffer.name);
            if let Some(given) = given.filter(|t| t.values.len() == buffer.values.len()) {
                buffer.values.copy_from_slice(&given.values);
            }
        }
        kernel.set_running(parameters);
        Self {
            positions: kernel.positions,
            dense: vec![R::ZERO; kernel.positions * kernel.channels.len()],
            channels: kernel.channels,
        }
    }
}

impl<R: Real> StepLayer<R> for Step<R> {
    fn step(&mut self, input: StepInput<'_, R>, output: &mut [R]) {
        let x = match input {
            StepInput::Real(x) => x,
            StepInput::Spikes(active) => {
                self.dense.fill(R::ZERO);
                for &i in active {
                    self.dense[i as usize] += R::ONE;
                }
                &self.dense
            }
        };
        let positions = self.positions.max(1);
        let parts = x.chunks_exact(positions);
        let parts = parts.zip(output.chunks_exact_mut(positions));
        for ((x, y), channel) in parts.zip(&self.channels) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = channel.apply(x);
            }
        }
    }
}
