//! A population over the steps of a segment, forward and in reverse.
//!
//! Lanes (sample · size + neuron) are cut into blocks that do not depend on the number of threads. A
//! block runs all steps of a range before the next block: its states stay in the cache. Nothing is kept
//! for the reverse but the states at the beginning of the range: the block runs forward again, keeping
//! the states of every step in the cache, and then backward.

use std::ops::Range;

use rayon::prelude::*;
use rheobase_equations::gradient::Reverse;
use rheobase_equations::lower::Component;
use rheobase_equations::native::Derived;
use rheobase_equations::real::Real;

use super::emission::{Emission, Rows, cut};
use super::worker::{ReverseBlock, Shared, Worker};
use crate::instantiate::Instantiate;
use crate::population::stride_of;
use crate::port::Tensor;
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
    } else if let Some(samples) = most.checked_div(size) {
        let samples = samples.max(1);
        for first in (0..batch).step_by(samples) {
            let end = (first + samples).min(batch);
            blocks.push(first * size..end * size);
        }
    }
    blocks
}

/// What a block changes in a forward pass.
struct ForwardBlock<'a, R> {
    lanes: Range<usize>,
    states: Vec<&'a mut [R]>,
    /// Values emitted, by step.
    output: Vec<&'a mut [R]>,
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
                worker.step(&shared, n, (k, 0, 0), stride, false);
                if let Some(output) = shared.emits {
                    task.output[at].copy_from_slice(&worker.outputs[output * stride..][..n]);
                } else if let Some(rows) = spikes {
                    let row = n_rows_before + at * (lanes / shared.size);
                    rows.set_lanes(row, shared.size, &task.lanes, &worker.bits);
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
                    worker.step(&shared, n, (k, at, at + 1), stride, true);
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
