//! A population over the steps of a segment, forward and in reverse.
//!
//! Lanes (sample · size + neuron) are cut into blocks that do not depend on the number of threads. A
//! block runs all steps of a range before the next block: its states stay in the cache. Nothing is kept
//! for the reverse but the states at the beginning of the range: the block runs forward again, keeping
//! the states of every step in the cache, and then backward.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::gradient::Reverse;
use rheobase_equations::ir::Slot;
use rheobase_equations::lower::Component;
use rheobase_equations::native::{Aligned, Derived, LANES, StepArgs};
use rheobase_equations::real::Real;

use super::emission::{Emission, Rows, cut};
use crate::instantiate::Instantiate;
use crate::normal::Normal;
use crate::population::stride_of;
use crate::port::{Kernel, Tensor};
use crate::random::Philox;

/// Bytes of states and inputs that a block may keep over a range of steps.
const BLOCK_BYTES: usize = 192 << 10;
/// Fewest and most lanes of a block.
const LANES_OF_BLOCK: Range<usize> = 64..2048;

/// A population.
pub(super) struct PopulationNode<R: Real> {
    pub(super) size: usize,
    pub(super) batch: usize,
    pub(super) n_ports: usize,
    pub(super) n_states: usize,
    pub(super) emits: Option<usize>,
    pub(super) dt_ms: f64,
    pub(super) stream: Philox,
    pub(super) blocks: Vec<Range<usize>>,
    /// Of every lane, `[states][lanes]`.
    pub(super) initial: Vec<Vec<R>>,
    pub(super) states: Vec<Vec<R>>,
    /// Before the segment, or before each of its steps where it is run step by step.
    pub(super) before: Vec<Vec<Vec<R>>>,
    pub(super) derived: Vec<Derived<R>>,
    /// Cotangents of the states after the step that is reversed next.
    pub(super) state_cotangents: Vec<Vec<R>>,
    /// Cotangents of what arrived, by port; `[steps][lanes]`, or `[lanes]` where it was constant.
    pub(super) arrived_cotangents: Vec<Vec<R>>,
    /// What stimuli add to a port, `[steps][lanes]`; empty without stimuli.
    pub(super) driven: Vec<Vec<R>>,
    /// Cotangents of derived quantities that learned parameters reach, `[derived][lanes]`.
    pub(super) derived_cotangents: Vec<Vec<f64>>,
    pub(super) reverse: Option<Reverse>,
    pub(super) learned: Learned<R>,
    pub(super) workers: Vec<Worker<R>>,
}

/// Parameters of the equations that are trained.
#[derive(Debug, Default)]
pub(super) struct Learned<R> {
    /// Of every parameter of the type, one value or one for each neuron, in base units.
    pub(super) all: Vec<Vec<f64>>,
    pub(super) parameters: Vec<Tensor<R>>,
    pub(super) gradients: Vec<Tensor<R>>,
    /// Initial values that do not come from parameters, by state.
    pub(super) given: Vec<bool>,
}

/// What arrives at a port: source, delay; in the order of the description.
pub(super) type Arrivals<'a, R> = Vec<Vec<(&'a Emission<R>, usize)>>;

/// Which steps of a segment are run.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) steps: Range<usize>,
    /// Steps of the pass before the segment, and of the passes before.
    pub(super) steps_before: u64,
    /// Steps are run one by one.
    pub(super) stepwise: bool,
}

/// A thread's kernel and the memory of its block.
pub(super) struct Worker<R: Real> {
    kernel: Box<dyn Kernel<R>>,
    backward: Option<BlockFunction<R>>,
    n_uniforms: usize,
    n_random: usize,
    n_outputs: usize,
    /// `[steps + 1][states][stride]`.
    states: Aligned<R>,
    /// `[steps][ports][stride]`.
    inputs: Aligned<R>,
    /// What the kernel reads, and clears.
    arrived: Aligned<R>,
    /// `[steps][draws][stride]`.
    random: Aligned<R>,
    outputs: Aligned<R>,
    state_cotangents: Aligned<R>,
    input_cotangents: Aligned<R>,
    derived_cotangents: Aligned<R>,
    emitted: Aligned<R>,
    zeros: Aligned<R>,
    derived: Vec<Derived<R>>,
    words: Vec<u32>,
    normal: Option<(usize, Normal<R>)>,
    spikes: Vec<u32>,
}

/// What all blocks of a population share.
struct Shared<'a, R: Real> {
    arrivals: &'a Arrivals<'a, R>,
    driven: &'a [Vec<R>],
    derived: &'a [Derived<R>],
    stream: Philox,
    dt_ms: f64,
    size: usize,
    lanes: usize,
    emits: Option<usize>,
    span: &'a Span,
}

/// Blocks of lanes for ranges of `steps` steps.
pub(super) fn blocks<R: Real>(
    size: usize,
    batch: usize,
    arrays: usize,
    steps: usize,
) -> Vec<Range<usize>> {
    let fitting = BLOCK_BYTES / (R::BYTES * (steps + 1) * arrays.max(1));
    let most = fitting.clamp(LANES_OF_BLOCK.start, LANES_OF_BLOCK.end) / 64 * 64;
    let mut blocks = Vec::new();
    if size > most {
        // Parts of a sample begin at whole words of its spikes.
        for sample in 0..batch {
            let first = sample * size;
            let mut at = 0;
            while at < size {
                let end = (at + most).min(size);
                blocks.push(first + at..first + end);
                at = end;
            }
        }
    } else if size > 0 {
        let samples = (most / size).max(1);
        for first in (0..batch).step_by(samples) {
            let end = (first + samples).min(batch);
            blocks.push(first * size..end * size);
        }
    }
    blocks
}

impl<R: Instantiate> Worker<R> {
    pub(super) fn new(neuron: &dyn crate::port::NeuronType, reverse: Option<&Reverse>) -> Self {
        let ports = neuron.ports();
        Self {
            kernel: R::kernel(neuron),
            backward: reverse.map(|r| BlockFunction::new(r.step())),
            n_uniforms: ports.n_uniforms,
            n_random: ports.n_uniforms + ports.n_normals,
            n_outputs: ports.outputs.len(),
            states: Aligned::default(),
            inputs: Aligned::default(),
            arrived: Aligned::default(),
            random: Aligned::default(),
            outputs: Aligned::default(),
            state_cotangents: Aligned::default(),
            input_cotangents: Aligned::default(),
            derived_cotangents: Aligned::default(),
            emitted: Aligned::default(),
            zeros: Aligned::default(),
            derived: Vec::new(),
            words: Vec::new(),
            normal: None,
            spikes: Vec::new(),
        }
    }
}

fn room<R: Real>(array: &mut Aligned<R>, len: usize) {
    if array.len() < len {
        *array = Aligned::zeroed(len);
    }
}

impl<R: Real> Worker<R> {
    /// The derived quantities of a block.
    fn derive(&mut self, shared: &Shared<'_, R>, block: &Range<usize>, stride: usize) {
        self.derived
            .resize_with(shared.derived.len(), || Derived::shared(R::ZERO));
        for (mine, whole) in self.derived.iter_mut().zip(shared.derived) {
            match whole {
                Derived::Shared(value) => match mine {
                    Derived::Shared(mine) if mine[0].to_int_bits() == value[0].to_int_bits() => {}
                    _ => *mine = Derived::Shared(value.clone()),
                },
                Derived::PerNeuron(values) => {
                    let mut part = match std::mem::replace(mine, Derived::shared(R::ZERO)) {
                        Derived::PerNeuron(part) => part,
                        Derived::Shared(_) => Vec::new(),
                    };
                    part.clear();
                    part.extend_from_slice(&values[block.clone()]);
                    part.resize(stride, values[block.start]);
                    *mine = Derived::PerNeuron(part);
                }
            }
        }
    }

    fn draw(&mut self, shared: &Shared<'_, R>, block: &Range<usize>, k: usize, stride: usize) {
        let n_random = self.n_random;
        if n_random == 0 {
            return;
        }
        let (lane, step) = (block.start, shared.span.steps_before + k as u64 + 1);
        let at = k - shared.span.steps.start;
        // Groups of four lanes are drawn together.
        let skipped = lane % 4;
        self.words.resize(stride + 3, 0);
        let (n_uniforms, size) = (self.n_uniforms, stride);
        let first = u32::try_from(lane - skipped).unwrap_or(u32::MAX);
        for (draw, array) in self.random[at * n_random * stride..][..n_random * stride]
            .chunks_exact_mut(stride)
            .enumerate()
        {
            let number = u32::try_from(draw).unwrap_or(u32::MAX);
            shared.stream.fill(first, step, number, &mut self.words);
            let words = &self.words[skipped..skipped + size];
            if draw < n_uniforms {
                crate::random::uniforms(words, array);
                continue;
            }
            if self.normal.as_ref().is_none_or(|(n, _)| *n != size) {
                self.normal = Some((size, Normal::new(size)));
            }
            if let Some((_, normal)) = &mut self.normal {
                normal.fill(words, array);
            }
        }
    }

    /// Gathers what arrives at every port in step `k`.
    fn arrive(
        &mut self,
        shared: &Shared<'_, R>,
        block: &Range<usize>,
        (k, at): (usize, usize),
        stride: usize,
    ) {
        let ports = shared.arrivals.len();
        let inputs = &mut self.inputs[at * ports * stride..][..ports * stride];
        for (port, input) in inputs.chunks_exact_mut(stride).enumerate() {
            let (input, padding) = input.split_at_mut(block.len());
            padding.fill(R::ZERO);
            let mut arrivals = shared.arrivals[port].iter();
            match arrivals.next() {
                // Zero plus a value is the value, but for the sign of zero.
                Some((source, delay)) if source.is_real() => {
                    let rows = source.arriving(&(k..k + 1), *delay);
                    let values = &source.values(&rows)[block.clone()];
                    input
                        .iter_mut()
                        .zip(values)
                        .for_each(|(t, &x)| *t = x + R::ZERO);
                }
                first => {
                    input.fill(R::ZERO);
                    if let Some((source, delay)) = first {
                        source.add_lanes(k, *delay, block, input);
                    }
                }
            }
            for (source, delay) in arrivals {
                source.add_lanes(k, *delay, block, input);
            }
            if let Some(driven) = shared.driven.get(port).filter(|d| !d.is_empty()) {
                let values = &driven[k * shared.lanes..][block.clone()];
                input.iter_mut().zip(values).for_each(|(t, &x)| *t += x);
            }
        }
    }

    /// Runs the kernel on the states at `place`; spikes are left in `self.spikes`.
    fn step(
        &mut self,
        shared: &Shared<'_, R>,
        n: usize,
        (k, at, place): (usize, usize, usize),
        stride: usize,
    ) {
        let (ports, n_states) = (shared.arrivals.len(), self.n_states(stride));
        self.arrived[..ports * stride]
            .copy_from_slice(&self.inputs[at * ports * stride..][..ports * stride]);
        self.spikes.clear();
        self.kernel.step(&mut StepArgs {
            n,
            stride,
            states: &mut self.states[place * n_states * stride..][..n_states * stride],
            inputs: &mut self.arrived[..ports * stride],
            input_stride: stride,
            derived: &self.derived,
            random: &self.random[(k - shared.span.steps.start) * self.n_random * stride..]
                [..self.n_random * stride],
            time: time(shared, k),
            outputs: &mut self.outputs[..self.n_outputs * stride],
            spikes: &mut self.spikes,
        });
    }

    fn n_states(&self, stride: usize) -> usize {
        self.state_cotangents.len() / stride.max(1)
    }

    fn prepare(&mut self, shared: &Shared<'_, R>, n_states: usize, kept: usize, stride: usize) {
        let ports = shared.arrivals.len();
        room(&mut self.states, (kept + 1) * n_states * stride);
        room(&mut self.inputs, kept.max(1) * ports * stride);
        room(&mut self.arrived, ports * stride);
        room(
            &mut self.random,
            shared.span.steps.len() * self.n_random * stride,
        );
        room(&mut self.outputs, self.n_outputs * stride);
        if self.state_cotangents.len() != n_states * stride {
            self.state_cotangents = Aligned::zeroed(n_states * stride);
        }
    }

    /// Copies states of a block into the first place; padding repeats the last lane, a value that the
    /// equations accept.
    fn load<'s>(&mut self, states: impl Iterator<Item = &'s [R]>, stride: usize) {
        for (array, values) in self.states.chunks_exact_mut(stride).zip(states) {
            array[..values.len()].copy_from_slice(values);
            let last = values.last().copied().unwrap_or(R::ZERO);
            array[values.len()..].fill(last);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
fn time<R: Real>(shared: &Shared<'_, R>, k: usize) -> R {
    R::from_f64((shared.span.steps_before + k as u64 + 1) as f64 * shared.dt_ms)
}

/// What a block changes in a forward pass.
struct ForwardBlock<'a, R> {
    lanes: Range<usize>,
    states: Vec<&'a mut [R]>,
    /// Values emitted, by step.
    output: Vec<&'a mut [R]>,
}

/// What a block changes in reverse.
struct ReverseBlock<'a, R> {
    lanes: Range<usize>,
    state_cotangents: Vec<&'a mut [R]>,
    /// `[ports][steps]`.
    arrived: Vec<Vec<&'a mut [R]>>,
    derived: Vec<&'a mut [f64]>,
}

impl<R: Instantiate> PopulationNode<R> {
    pub(super) fn lanes(&self) -> usize {
        self.size * self.batch
    }

    pub(super) fn restart(&mut self) {
        for (states, initial) in self.states.iter_mut().zip(&self.initial) {
            states.copy_from_slice(initial);
        }
    }

    /// Runs the steps of a span and writes what is emitted.
    pub(super) fn forward(
        &mut self,
        span: &Span,
        arrivals: &Arrivals<'_, R>,
        emission: &mut Emission<R>,
    ) {
        if self.blocks.is_empty() {
            return;
        }
        let (lanes, n_states) = (self.lanes(), self.n_states);
        let shared = Shared {
            arrivals,
            driven: &self.driven,
            derived: &self.derived,
            stream: self.stream,
            dt_ms: self.dt_ms,
            size: self.size,
            lanes,
            emits: self.emits,
            span,
        };
        let own = emission.own(&span.steps);
        let n_rows_before = own.start;
        let (spikes, mut output) = match &mut emission.rows {
            Rows::Spikes(spikes) => (Some(&*spikes), Vec::new()),
            Rows::Real(values) | Rows::Constant(values) => {
                let rows = &mut values[own.start * self.size..own.end * self.size];
                (None, cut(rows, lanes, &self.blocks))
            }
        };
        output.resize_with(self.blocks.len(), Vec::new);
        let mut states: Vec<_> = self
            .states
            .iter_mut()
            .map(|array| cut(array, lanes, &self.blocks).into_iter())
            .collect();
        let mut tasks: Vec<ForwardBlock<'_, R>> = self
            .blocks
            .iter()
            .zip(output)
            .map(|(block, output)| ForwardBlock {
                lanes: block.clone(),
                states: states
                    .iter_mut()
                    .filter_map(Iterator::next)
                    .flatten()
                    .collect(),
                output,
            })
            .collect();
        each(&mut self.workers, &mut tasks, |worker, task| {
            let n = task.lanes.len();
            let stride = stride_of::<R>(n);
            worker.prepare(&shared, n_states, 1, stride);
            worker.derive(&shared, &task.lanes, stride);
            worker.load(task.states.iter().map(|s| &**s), stride);
            for (at, k) in span.steps.clone().enumerate() {
                worker.draw(&shared, &task.lanes, k, stride);
                worker.arrive(&shared, &task.lanes, (k, 0), stride);
                worker.step(&shared, n, (k, 0, 0), stride);
                if let Some(output) = shared.emits {
                    task.output[at].copy_from_slice(&worker.outputs[output * stride..][..n]);
                } else if let Some(rows) = spikes {
                    let row = n_rows_before + at * (lanes / shared.size);
                    for &spike in &worker.spikes {
                        let lane = task.lanes.start + spike as usize;
                        rows.set(row + lane / shared.size, lane % shared.size);
                    }
                }
            }
            for (state, array) in task
                .states
                .iter_mut()
                .zip(worker.states.chunks_exact(stride))
            {
                state.copy_from_slice(&array[..n]);
            }
        });
    }

    /// Reverses the steps of a span: from `emitted`, the cotangents of what was emitted in them, to those of
    /// what arrived, left in `arrived` (`[ports]`, of the span's steps, or of one step where `summed`).
    pub(super) fn reverse(
        &mut self,
        span: &Span,
        arrivals: &Arrivals<'_, R>,
        emitted: &[R],
        arrived: &mut [&mut [R]],
        summed: &[bool],
    ) {
        let Some(reverse) = &self.reverse else { return };
        if self.blocks.is_empty() {
            return;
        }
        let (lanes, n_states) = (self.lanes(), self.n_states);
        let shared = Shared {
            arrivals,
            driven: &self.driven,
            derived: &self.derived,
            stream: self.stream,
            dt_ms: self.dt_ms,
            size: self.size,
            lanes,
            emits: self.emits,
            span,
        };
        let before = &self.before[if span.stepwise { span.steps.start } else { 0 }];
        let mut ports: Vec<_> = arrived
            .iter_mut()
            .map(|rows| cut(rows, lanes, &self.blocks).into_iter())
            .collect();
        let mut states: Vec<_> = self
            .state_cotangents
            .iter_mut()
            .map(|array| cut(array, lanes, &self.blocks).into_iter())
            .collect();
        let mut derived: Vec<_> = self
            .derived_cotangents
            .iter_mut()
            .map(|array| cut(array, lanes, &self.blocks).into_iter())
            .collect();
        let mut tasks: Vec<ReverseBlock<'_, R>> = self
            .blocks
            .iter()
            .map(|block| ReverseBlock {
                lanes: block.clone(),
                state_cotangents: states
                    .iter_mut()
                    .filter_map(Iterator::next)
                    .flatten()
                    .collect(),
                arrived: ports.iter_mut().filter_map(Iterator::next).collect(),
                derived: derived
                    .iter_mut()
                    .filter_map(Iterator::next)
                    .flatten()
                    .collect(),
            })
            .collect();
        each(&mut self.workers, &mut tasks, |worker, task| {
            let n = task.lanes.len();
            let stride = stride_of::<R>(n);
            let steps = span.steps.len();
            worker.prepare(&shared, n_states, steps, stride);
            worker.derive(&shared, &task.lanes, stride);
            worker.load(before.iter().map(|s| &s[task.lanes.clone()]), stride);
            for (at, k) in span.steps.clone().enumerate() {
                worker.draw(&shared, &task.lanes, k, stride);
                worker.arrive(&shared, &task.lanes, (k, at), stride);
                if at + 1 < steps {
                    let states = n_states * stride;
                    let from = at * states..(at + 1) * states;
                    worker.states.copy_within(from, (at + 1) * states);
                    worker.step(&shared, n, (k, at, at + 1), stride);
                }
            }
            worker.reverse_steps(&shared, reverse, task, (emitted, summed), stride);
        });
    }
}

impl<R: Real> PopulationNode<R> {
    /// From the cotangents of derived quantities and initial states to the gradients of the learned
    /// parameters: sums over samples, then neurons, in ascending order.
    pub(super) fn add_gradients(&mut self) {
        let Some(reverse) = &self.reverse else { return };
        if self.learned.parameters.is_empty()
            || self.derived_cotangents.is_empty() && self.state_cotangents.is_empty()
        {
            return;
        }
        let (size, batch) = (self.size, self.batch);
        let is_shared = self.learned.all.iter().all(|values| values.len() == 1);
        let groups = if is_shared { 1.min(size) } else { size };
        for group in 0..groups {
            let lanes = || {
                let neurons = if is_shared { 0..size } else { group..group + 1 };
                (0..batch).flat_map(move |n| neurons.clone().map(move |i| n * size + i))
            };
            let derived = |k: u32| {
                let place = reverse.derived().iter().position(|&d| d == k);
                place.map_or(0.0, |p| {
                    lanes().map(|l| self.derived_cotangents[p][l]).sum()
                })
            };
            let initial = |i: u32| {
                if self.learned.given[i as usize] {
                    return 0.0;
                }
                let values = &self.state_cotangents[i as usize];
                lanes().map(|l| values[l].to_f64()).sum()
            };
            let all = self.learned.all.iter();
            let parameters: Vec<f64> = all.map(|v| v[group % v.len()]).collect();
            let mut sums = vec![0.0; reverse.learned().len()];
            reverse.add_parameters(&parameters, self.dt_ms, derived, initial, &mut sums);
            for (gradient, sum) in self.learned.gradients.iter_mut().zip(sums) {
                let place = group % gradient.values.len();
                gradient.values[place] += R::from_f64(sum);
            }
        }
    }
}

impl<R: Real> Worker<R> {
    fn reverse_steps(
        &mut self,
        shared: &Shared<'_, R>,
        reverse: &Reverse,
        task: &mut ReverseBlock<'_, R>,
        (emitted, summed): (&[R], &[bool]),
        stride: usize,
    ) {
        let n = task.lanes.len();
        let padded = n.div_ceil(LANES) * LANES;
        let ports = shared.arrivals.len();
        let n_states = self.n_states(stride);
        room(&mut self.input_cotangents, ports * stride);
        room(
            &mut self.derived_cotangents,
            reverse.derived().len() * stride,
        );
        room(&mut self.emitted, stride);
        room(&mut self.zeros, stride);
        for (array, values) in self
            .state_cotangents
            .chunks_exact_mut(stride)
            .zip(&task.state_cotangents)
        {
            array[..n].copy_from_slice(values);
            array[n..].fill(R::ZERO);
        }
        let Some(backward) = &mut self.backward else {
            return;
        };
        for (at, k) in shared.span.steps.clone().enumerate().rev() {
            self.emitted[..n].copy_from_slice(&emitted[at * shared.lanes..][task.lanes.clone()]);
            self.emitted[n..stride].fill(R::ZERO);
            let mut writes: Vec<(Slot, &mut [R])> = Vec::new();
            let stores = |slot: Slot| reverse.step().stores.iter().any(|s| s.slot == slot);
            for (i, array) in (0..).zip(self.state_cotangents.chunks_exact_mut(stride)) {
                if stores(Slot::StateCotangent(i)) {
                    writes.push((Slot::StateCotangent(i), array));
                }
            }
            let inputs = self.input_cotangents[..ports * stride].chunks_exact_mut(stride);
            writes.extend((0..).map(Slot::InputCotangent).zip(inputs));
            let derived = self.derived_cotangents.chunks_exact_mut(stride);
            let slots = reverse.derived().iter().map(|&k| Slot::DerivedCotangent(k));
            writes.extend(slots.zip(derived));
            let states = &self.states[at * n_states * stride..][..n_states * stride];
            let arrived = &self.inputs[at * ports * stride..][..ports * stride];
            let random = &self.random[at * self.n_random * stride..][..self.n_random * stride];
            let (emitted, zeros, n_uniforms) = (&self.emitted, &self.zeros, self.n_uniforms);
            let derived = &self.derived;
            backward.run(
                padded,
                |slot| match slot {
                    Slot::State(i) => Operand::Array(&states[i as usize * stride..][..stride]),
                    Slot::Input(i) => Operand::Array(&arrived[i as usize * stride..][..stride]),
                    Slot::Uniform(d) => Operand::Array(&random[d as usize * stride..][..stride]),
                    Slot::Normal(d) => {
                        Operand::Array(&random[(n_uniforms + d as usize) * stride..][..stride])
                    }
                    Slot::Derived(d) => match &derived[d as usize] {
                        Derived::Shared(block) => Operand::Scalar(block[0]),
                        Derived::PerNeuron(values) => Operand::Array(values),
                    },
                    Slot::Time => Operand::Scalar(time(shared, k)),
                    Slot::SpikeCotangent if shared.emits.is_none() => Operand::Array(emitted),
                    Slot::OutputCotangent(o) if shared.emits == Some(o as usize) => {
                        Operand::Array(emitted)
                    }
                    // Nothing comes back through outputs nobody reads and through counters.
                    _ => Operand::Array(zeros),
                },
                &mut writes,
            );
            for (port, rows) in task.arrived.iter_mut().enumerate() {
                let cotangents = &self.input_cotangents[port * stride..][..n];
                if rows.is_empty() {
                    continue;
                }
                if summed[port] {
                    rows[0]
                        .iter_mut()
                        .zip(cotangents)
                        .for_each(|(t, &x)| *t += x);
                } else {
                    rows[at].copy_from_slice(cotangents);
                }
            }
            for (sums, values) in task
                .derived
                .iter_mut()
                .zip(self.derived_cotangents.chunks_exact(stride))
            {
                sums.iter_mut()
                    .zip(values)
                    .for_each(|(s, x)| *s += x.to_f64());
            }
        }
        for (values, array) in task
            .state_cotangents
            .iter_mut()
            .zip(self.state_cotangents.chunks_exact(stride))
        {
            values.copy_from_slice(&array[..n]);
        }
    }
}

/// Runs tasks on the threads of the pool, a part of them on each.
fn each<W: Send, T: Send>(workers: &mut [W], tasks: &mut [T], run: impl Fn(&mut W, &mut T) + Sync) {
    let part = tasks.len().div_ceil(workers.len().max(1)).max(1);
    if let [worker] = workers {
        tasks.iter_mut().for_each(|task| run(worker, task));
        return;
    }
    workers
        .par_iter_mut()
        .zip(tasks.par_chunks_mut(part))
        .for_each(|(worker, tasks)| tasks.iter_mut().for_each(|task| run(worker, task)));
}

/// What training needs of a component: its reverse with respect to the learned parameters.
pub(super) fn reverse_of(component: &Component) -> Reverse {
    Reverse::of_learnable(component)
}
