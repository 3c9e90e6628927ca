//! What a thread does with a block of a population's lanes.

use std::ops::Range;

use rheobase_equations::block::{BlockFunction, Operand};
use rheobase_equations::gradient::Reverse;
use rheobase_equations::ir::Slot;
use rheobase_equations::native::{
    Aligned, Derived, LANES, Level, ReverseArgs, ReverseFn, StepArgs,
};
use rheobase_equations::real::Real;

use super::population::{Arrivals, Span};
use crate::instantiate::Instantiate;
use crate::normal::Normal;
use crate::port::{Kernel, NeuronType};
use crate::random::Philox;

/// A thread's kernel and the memory of its block.
pub(super) struct Worker<R: Real> {
    kernel: Box<dyn Kernel<R>>,
    backward: Option<Backward<R>>,
    n_uniforms: usize,
    n_random: usize,
    n_outputs: usize,
    /// `[steps + 1][states][stride]`.
    pub(super) states: Aligned<R>,
    /// `[steps][ports][stride]`.
    inputs: Aligned<R>,
    /// What the kernel reads, and clears.
    arrived: Aligned<R>,
    /// `[steps][draws][stride]`.
    random: Aligned<R>,
    pub(super) outputs: Aligned<R>,
    state_cotangents: Aligned<R>,
    input_cotangents: Aligned<R>,
    derived_cotangents: Aligned<R>,
    spike_cotangent: Aligned<R>,
    /// `[outputs][stride]`.
    output_cotangents: Aligned<R>,
    derived: Vec<Derived<R>>,
    words: Vec<u32>,
    normal: Option<(usize, Normal<R>)>,
    spikes: Vec<u32>,
    /// Neurons of the block that fired in the step, a bit for each.
    pub(super) bits: Vec<u64>,
}

/// The reverse of a step.
enum Backward<R: Real> {
    Native(ReverseFn<R>),
    Interpreted(Box<BlockFunction<R>>),
}

/// What all blocks of a population share.
pub(super) struct Shared<'a, R: Real> {
    pub(super) arrivals: &'a Arrivals<'a, R>,
    pub(super) driven: &'a [Vec<R>],
    pub(super) derived: &'a [Derived<R>],
    pub(super) stream: Philox,
    pub(super) dt_ms: f64,
    pub(super) size: usize,
    pub(super) lanes: usize,
    pub(super) emits: Option<usize>,
    pub(super) span: &'a Span,
}

/// What a block changes in reverse.
pub(super) struct ReverseBlock<'a, R> {
    pub(super) lanes: Range<usize>,
    pub(super) state_cotangents: Vec<&'a mut [R]>,
    /// `[ports][steps]`.
    pub(super) arrived: Vec<Vec<&'a mut [R]>>,
    pub(super) derived: Vec<&'a mut [f64]>,
}

impl<R: Instantiate> Worker<R> {
    pub(super) fn new(neuron: &dyn NeuronType, reverse: Option<&Reverse>) -> Self {
        let ports = neuron.ports();
        Self {
            kernel: R::kernel(neuron),
            backward: reverse.map(|reverse| match neuron.native_reverse(reverse) {
                Some(native) => Backward::Native(R::reverse(native)),
                None => Backward::Interpreted(Box::new(BlockFunction::new(reverse.step()))),
            }),
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
            spike_cotangent: Aligned::default(),
            output_cotangents: Aligned::default(),
            derived: Vec::new(),
            words: Vec::new(),
            normal: None,
            spikes: Vec::new(),
            bits: Vec::new(),
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
    pub(super) fn derive(&mut self, shared: &Shared<'_, R>, block: &Range<usize>, stride: usize) {
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

    pub(super) fn draw(
        &mut self,
        shared: &Shared<'_, R>,
        block: &Range<usize>,
        k: usize,
        stride: usize,
    ) {
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
    pub(super) fn arrive(
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

    /// Runs the kernel on the states at `place` and what arrived at `at`, which is kept where `keeps` says
    /// so, and else cleared. Spikes are left in `self.bits`.
    pub(super) fn step(
        &mut self,
        shared: &Shared<'_, R>,
        n: usize,
        (k, at, place): (usize, usize, usize),
        stride: usize,
        keeps: bool,
    ) {
        let (ports, n_states) = (shared.arrivals.len(), self.n_states(stride));
        let mut inputs = &mut self.inputs[at * ports * stride..][..ports * stride];
        if keeps {
            self.arrived[..ports * stride].copy_from_slice(inputs);
            inputs = &mut self.arrived[..ports * stride];
        }
        self.spikes.clear();
        self.bits.clear();
        self.bits.resize(n.div_ceil(64), 0);
        self.kernel.step(&mut StepArgs {
            n,
            stride,
            states: &mut self.states[place * n_states * stride..][..n_states * stride],
            inputs,
            input_stride: stride,
            derived: &self.derived,
            random: &self.random[(k - shared.span.steps.start) * self.n_random * stride..]
                [..self.n_random * stride],
            time: time(shared, k),
            outputs: &mut self.outputs[..self.n_outputs * stride],
            spikes: &mut self.spikes,
            bits: Some(&mut self.bits),
        });
        for &spike in &self.spikes {
            self.bits[spike as usize / 64] |= 1 << (spike % 64);
        }
    }

    fn n_states(&self, stride: usize) -> usize {
        self.state_cotangents.len() / stride.max(1)
    }

    pub(super) fn prepare(
        &mut self,
        shared: &Shared<'_, R>,
        n_states: usize,
        kept: usize,
        stride: usize,
    ) {
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
    pub(super) fn load<'s>(&mut self, states: impl Iterator<Item = &'s [R]>, stride: usize) {
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

impl<R: Real> Worker<R> {
    pub(super) fn reverse_steps(
        &mut self,
        shared: &Shared<'_, R>,
        reverse: &Reverse,
        task: &mut ReverseBlock<'_, R>,
        (emitted, summed): (&[R], &[bool]),
        stride: usize,
    ) {
        let n = task.lanes.len();
        // Whole blocks are read and written where they lie.
        let whole = n.is_multiple_of(LANES);
        let ports = shared.arrivals.len();
        let n_states = self.n_states(stride);
        let n_derived = reverse.derived().len();
        room(&mut self.input_cotangents, ports * stride);
        room(&mut self.derived_cotangents, n_derived * stride);
        room(&mut self.spike_cotangent, stride);
        room(&mut self.output_cotangents, self.n_outputs * stride);
        // Nothing comes back through outputs nobody reads; a block of another stride has left its own here.
        self.output_cotangents[..self.n_outputs * stride].fill(R::ZERO);
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
            let mut emitted = &emitted[at * shared.lanes..][task.lanes.clone()];
            let mut spike_cotangent = &self.spike_cotangent[..stride];
            if let Some(output) = shared.emits {
                let cotangents = &mut self.output_cotangents[output * stride..][..stride];
                cotangents[..n].copy_from_slice(emitted);
                cotangents[n..].fill(R::ZERO);
            } else {
                if !whole {
                    self.spike_cotangent[..n].copy_from_slice(emitted);
                    emitted = &self.spike_cotangent[..stride];
                }
                spike_cotangent = emitted;
            }
            let arrived = &self.inputs[at * ports * stride..][..ports * stride];
            let inputs: Vec<&[R]> = arrived.chunks_exact(stride).collect();
            let mut own = self.input_cotangents[..ports * stride].chunks_exact_mut(stride);
            let is_direct =
                |port: usize, rows: &[&mut [R]]| whole && !rows.is_empty() && !summed[port];
            let mut targets: Vec<&mut [R]> = Vec::with_capacity(ports);
            for (port, rows) in task.arrived.iter_mut().enumerate() {
                let scratch = own.next().unwrap_or_default();
                if is_direct(port, rows) {
                    targets.push(&mut *rows[at]);
                } else {
                    targets.push(scratch);
                }
            }
            let mut args = ReverseArgs {
                n,
                stride,
                states: &self.states[at * n_states * stride..][..n_states * stride],
                inputs: &inputs,
                derived: &self.derived,
                random: &self.random[at * self.n_random * stride..][..self.n_random * stride],
                time: time(shared, k),
                spike_cotangent,
                output_cotangents: &self.output_cotangents[..self.n_outputs * stride],
                state_cotangents: &mut self.state_cotangents[..n_states * stride],
                input_cotangents: &mut targets,
                derived_cotangents: &mut self.derived_cotangents[..n_derived * stride],
            };
            match backward {
                Backward::Native(native) => native(Level::detected(), &mut args),
                Backward::Interpreted(function) => {
                    interpret(function, reverse, self.n_uniforms, &mut args);
                }
            }
            for (port, rows) in task.arrived.iter_mut().enumerate() {
                if rows.is_empty() || is_direct(port, rows) {
                    continue;
                }
                let cotangents = &self.input_cotangents[port * stride..][..n];
                if summed[port] {
                    let sums = rows[0].iter_mut().zip(cotangents);
                    sums.for_each(|(t, &x)| *t += x);
                } else {
                    rows[at].copy_from_slice(cotangents);
                }
            }
            let derived = self.derived_cotangents.chunks_exact(stride);
            for (sums, values) in task.derived.iter_mut().zip(derived) {
                let sums = sums.iter_mut().zip(values);
                sums.for_each(|(s, x)| *s += x.to_f64());
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

/// The reverse of a step that was not compiled.
fn interpret<R: Real>(
    function: &mut BlockFunction<R>,
    reverse: &Reverse,
    n_uniforms: usize,
    args: &mut ReverseArgs<'_, R>,
) {
    let stride = args.stride;
    let stores = |slot: Slot| reverse.step().stores.iter().any(|s| s.slot == slot);
    let mut writes: Vec<(Slot, &mut [R])> = Vec::new();
    for (i, array) in (0..).zip(args.state_cotangents.chunks_exact_mut(stride)) {
        if stores(Slot::StateCotangent(i)) {
            writes.push((Slot::StateCotangent(i), array));
        }
    }
    let inputs = args.input_cotangents.iter_mut().map(|array| &mut **array);
    writes.extend((0..).map(Slot::InputCotangent).zip(inputs));
    let derived = args.derived_cotangents.chunks_exact_mut(stride);
    let slots = reverse.derived().iter().map(|&k| Slot::DerivedCotangent(k));
    writes.extend(slots.zip(derived));
    let row = |values, i: usize| {
        let values: &[R] = values;
        Operand::Array(&values[i * stride..(i + 1) * stride])
    };
    let ReverseArgs {
        n,
        states,
        inputs,
        derived,
        random,
        time,
        spike_cotangent,
        output_cotangents,
        ..
    } = *args;
    function.run(
        n.next_multiple_of(LANES),
        |slot| match slot {
            Slot::State(i) => row(states, i as usize),
            Slot::Input(i) => Operand::Array(inputs[i as usize]),
            Slot::Uniform(d) => row(random, d as usize),
            Slot::Normal(d) => row(random, n_uniforms + d as usize),
            Slot::Derived(d) => match &derived[d as usize] {
                Derived::Shared(block) => Operand::Scalar(block[0]),
                Derived::PerNeuron(values) => Operand::Array(values),
            },
            Slot::Time => Operand::Scalar(time),
            Slot::SpikeCotangent => Operand::Array(spike_cotangent),
            Slot::OutputCotangent(o) => row(output_cotangents, o as usize),
            // Nothing comes back through counters.
            _ => Operand::Scalar(R::ZERO),
        },
        &mut writes,
    );
}
