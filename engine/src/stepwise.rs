//! The neurons of a shard in stepwise arithmetic: one propagator per step, in one kernel call.

use rheobase_equations::native::{Aligned, Derived, StepArgs};
use rheobase_equations::real::Real;

use crate::normal::Normal;
use crate::packet::Packet;
use crate::population::{Inputs, Shape, stride_of};
use crate::port::Kernel;
use crate::random::Philox;

/// What stepwise neurons are made of.
pub(crate) struct StepwiseParts<R: Real> {
    pub(crate) kernel: Box<dyn Kernel<R>>,
    /// `[states][lanes]`.
    pub(crate) initial: Vec<Vec<R>>,
    pub(crate) derived: Vec<Derived<R>>,
    pub(crate) stream: Philox,
}

/// Neurons of a population that belong to one shard.
pub(crate) struct Stepwise<R: Real> {
    n: usize,
    stride: usize,
    kernel: Box<dyn Kernel<R>>,
    states: Aligned<R>,
    initial: Aligned<R>,
    derived: Vec<Derived<R>>,
    random: Aligned<R>,
    outputs: Aligned<R>,
    words: Vec<u32>,
    normal: Option<Normal<R>>,
    stream: Philox,
}

impl<R: Real> Stepwise<R> {
    pub(crate) fn new(shape: &Shape, parts: StepwiseParts<R>) -> Self {
        let n = shape.range.len();
        let stride = stride_of::<R>(n);
        let mut states = Aligned::zeroed(parts.initial.len() * stride);
        for (array, values) in states.chunks_exact_mut(stride).zip(&parts.initial) {
            array[..n].copy_from_slice(values);
            // Padding runs the same code: keep it at a value the equations accept.
            let last = values.last().copied().unwrap_or(R::ZERO);
            array[n..].fill(last);
        }
        let n_random = shape.n_uniforms + shape.n_normals;
        Self {
            n,
            stride,
            kernel: parts.kernel,
            initial: states.clone(),
            states,
            derived: parts.derived,
            random: Aligned::zeroed(n_random * stride),
            normal: (shape.n_normals > 0).then(|| Normal::new(stride)),
            words: vec![0; if n_random > 0 { stride } else { 0 }],
            outputs: Aligned::zeroed(shape.n_outputs * stride),
            stream: parts.stream,
        }
    }

    /// Draws, then integrates and emits.
    pub(crate) fn step(
        &mut self,
        step: u64,
        shape: &Shape,
        inputs: &mut Inputs<R>,
        first_lane: usize,
        packet: &mut Packet<R>,
    ) {
        self.draw(step, shape);
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let time = R::from_f64(step as f64 * shape.dt_ms);
        self.kernel.step(&mut StepArgs {
            n: self.n,
            stride: self.stride,
            states: &mut self.states,
            inputs: &mut inputs.lanes[first_lane..],
            input_stride: inputs.plane,
            derived: &self.derived,
            random: &self.random,
            time,
            outputs: &mut self.outputs,
            spikes: packet.spikes_mut(),
            bits: None,
        });
        if let Some(output) = shape.emits {
            let values = &self.outputs[output * self.stride..][..self.n];
            packet.real_mut().extend_from_slice(values);
        }
    }

    /// Fills the random draws of a step.
    fn draw(&mut self, step: u64, shape: &Shape) {
        for (k, array) in self.random.chunks_exact_mut(self.stride).enumerate() {
            let draw = u32::try_from(k).unwrap_or(u32::MAX);
            self.stream
                .fill(shape.range.start, step, draw, &mut self.words);
            match &mut self.normal {
                Some(normal) if k >= shape.n_uniforms => normal.fill(&self.words, array),
                _ => crate::random::uniforms(&self.words, array),
            }
        }
    }

    /// State `state` of all neurons.
    pub(crate) fn values(&self, state: usize) -> &[R] {
        &self.states[state * self.stride..][..self.n]
    }

    /// The first state and neuron that is not finite, and its value.
    pub(crate) fn not_finite(&self) -> Option<(usize, usize, f64)> {
        let arrays = self.states.chunks_exact(self.stride).enumerate();
        for (k, array) in arrays {
            // NaN and infinity survive multiplication by zero; nothing else does.
            if sum_of_zeros(&array[..self.n]).is_finite() {
                continue;
            }
            if let Some(i) = array[..self.n].iter().position(|x| !x.is_finite()) {
                return Some((k, i, array[i].to_f64()));
            }
        }
        None
    }

    /// Shows every array.
    pub(crate) fn state(&mut self, names: &[String], visit: &mut dyn FnMut(&str, &mut [R])) {
        let arrays = self.states.chunks_exact_mut(self.stride);
        for (name, array) in names.iter().zip(arrays) {
            visit(name, &mut array[..self.n]);
        }
    }

    /// Back to the initial state.
    pub(crate) fn restart(&mut self) {
        self.states.copy_from_slice(&self.initial);
    }
}

/// Σ 0·x: 0 if every x is finite, NaN otherwise. Eight sums, so that it runs as vector code.
fn sum_of_zeros<R: Real>(values: &[R]) -> R {
    let mut sums = [R::ZERO; 8];
    let chunks = values.chunks_exact(8);
    for &x in chunks.remainder() {
        sums[0] += x * R::ZERO;
    }
    for chunk in chunks {
        for (s, &x) in sums.iter_mut().zip(chunk) {
            *s += x * R::ZERO;
        }
    }
    sums.into_iter().fold(R::ZERO, |a, b| a + b)
}
