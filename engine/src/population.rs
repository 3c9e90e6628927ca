//! A shard of a population: its neurons, the target sides of the projections onto them, and the
//! duty cycle of a step.

use std::ops::Range;

use rheobase_equations::native::{Aligned, Derived, LANES, StepArgs};
use rheobase_equations::real::Real;

use crate::actor::{Actor, RunError};
use crate::cotangent::Cotangents;
use crate::normal::Normal;
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::port::{Drive, Kernel, Tensor};
use crate::random::Philox;
use crate::record::{Records, Spikes, Trace};
use crate::rows::Rows;
use crate::tape::{PopulationAdjoint, ReverseStep, Tape};
use crate::time::Slice;

/// States are checked for NaN and infinity at the end of every slice, at least this many steps
/// apart.
const CHECK_EVERY_STEPS: u64 = 16;

/// What delivers to an input port.
pub(crate) enum Afferent<R> {
    /// Synapses of a projection.
    Rows(Rows<R>),
    /// Element to element, factor 1.
    Identity(Identity),
    /// A stimulus.
    Drive(Box<dyn Drive<R>>),
}

/// An identity edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) source: NodeId,
    pub(crate) delay: u64,
    /// The source emits real values.
    pub(crate) real: bool,
    /// Lanes of the whole source.
    pub(crate) lanes: usize,
}

/// A recorder of state variables.
pub(crate) struct StateRecorder {
    pub(crate) state: usize,
    /// Lanes of this shard, relative to it.
    pub(crate) lanes: Vec<u32>,
    pub(crate) every_steps: u64,
    pub(crate) trace: Trace,
    /// Base units → unit of the trace.
    pub(crate) scale: f64,
}

/// Names and sizes of a population shard.
pub(crate) struct Shape {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    /// Lanes of this shard (neurons × batch).
    pub(crate) range: Range<u32>,
    pub(crate) state_names: Vec<String>,
    pub(crate) n_inputs: usize,
    pub(crate) n_outputs: usize,
    pub(crate) n_uniforms: usize,
    pub(crate) n_normals: usize,
    /// Real-valued output emitted instead of spikes.
    pub(crate) emits: Option<usize>,
    pub(crate) batch: usize,
    pub(crate) dt_ms: f64,
}

/// A shard of a population.
pub(crate) struct PopulationActor<R: Real> {
    shape: Shape,
    n: usize,
    stride: usize,
    kernel: Box<dyn Kernel<R>>,
    states: Aligned<R>,
    initial: Aligned<R>,
    inputs: Aligned<R>,
    derived: Vec<Derived<R>>,
    random: Aligned<R>,
    outputs: Aligned<R>,
    words: Vec<u32>,
    normal: Option<Normal<R>>,
    stream: Philox,
    /// In the order of the description: projections and edges, then drives.
    afferents: Vec<(usize, Afferent<R>)>,
    record_spikes: bool,
    spikes: Spikes,
    recorders: Vec<StateRecorder>,
    n_spikes: u64,
    synaptic_events: u64,
    next_check: u64,
    tape: Option<Tape<R>>,
    adjoint: Option<PopulationAdjoint<R>>,
}

/// Everything a shard is made of.
pub(crate) struct PopulationParts<R: Real> {
    pub(crate) shape: Shape,
    pub(crate) kernel: Box<dyn Kernel<R>>,
    /// `[states][lanes]`.
    pub(crate) initial: Vec<Vec<R>>,
    pub(crate) derived: Vec<Derived<R>>,
    pub(crate) stream: Philox,
    pub(crate) afferents: Vec<(usize, Afferent<R>)>,
    pub(crate) record_spikes: bool,
    pub(crate) recorders: Vec<StateRecorder>,
    pub(crate) adjoint: Option<PopulationAdjoint<R>>,
}

/// Length of each array of a shard of `n` lanes: whole blocks, and not a multiple of a page, so
/// that the arrays do not fall on the same cache sets.
#[must_use]
pub(crate) fn stride_of<R: Real>(n: usize) -> usize {
    let stride = n.div_ceil(LANES).max(1) * LANES;
    if (stride * R::BYTES).is_multiple_of(4096) {
        stride + LANES
    } else {
        stride
    }
}

impl<R: Real> PopulationActor<R> {
    pub(crate) fn new(parts: PopulationParts<R>) -> Self {
        let n = parts.shape.range.len();
        let stride = stride_of::<R>(n);
        let mut states = Aligned::zeroed(parts.initial.len() * stride);
        for (array, values) in states.chunks_exact_mut(stride).zip(&parts.initial) {
            array[..n].copy_from_slice(values);
            // Padding runs the same code: keep it at a value the equations accept.
            let last = values.last().copied().unwrap_or(R::ZERO);
            array[n..].fill(last);
        }
        let shape = parts.shape;
        let n_random = shape.n_uniforms + shape.n_normals;
        Self {
            n,
            stride,
            kernel: parts.kernel,
            initial: states.clone(),
            states,
            inputs: Aligned::zeroed(shape.n_inputs * stride),
            derived: parts.derived,
            random: Aligned::zeroed(n_random * stride),
            normal: (shape.n_normals > 0).then(|| Normal::new(stride)),
            words: vec![0; if n_random > 0 { stride } else { 0 }],
            outputs: Aligned::zeroed(shape.n_outputs * stride),
            stream: parts.stream,
            afferents: parts.afferents,
            record_spikes: parts.record_spikes,
            spikes: Spikes::default(),
            recorders: parts.recorders,
            n_spikes: 0,
            synaptic_events: 0,
            next_check: CHECK_EVERY_STEPS,
            tape: parts.adjoint.is_some().then(Tape::default),
            adjoint: parts.adjoint,
            shape,
        }
    }

    /// Sums what arrives at `step` into the input arrays, in the order of the description.
    fn deliver(&mut self, step: u64, history: &History<R>) {
        for (port, afferent) in &mut self.afferents {
            let input = &mut self.inputs[*port * self.stride..][..self.n];
            match afferent {
                Afferent::Rows(rows) => {
                    self.synaptic_events += rows.deliver(step, history, input);
                }
                Afferent::Identity(edge) => edge.deliver(step, history, &self.shape.range, input),
                Afferent::Drive(drive) => drive.drive(step, self.shape.range.start, input),
            }
        }
    }

    /// Fills the random draws of a step.
    fn draw(&mut self, step: u64) {
        let n_uniforms = self.shape.n_uniforms;
        for (k, array) in self.random.chunks_exact_mut(self.stride).enumerate() {
            let draw = u32::try_from(k).unwrap_or(u32::MAX);
            self.stream
                .fill(self.shape.range.start, step, draw, &mut self.words);
            match &mut self.normal {
                Some(normal) if k >= n_uniforms => normal.fill(&self.words, array),
                _ => crate::random::uniforms(&self.words, array),
            }
        }
    }

    /// Integrate and emit: one call of the kernel.
    fn integrate(&mut self, step: u64, packet: &mut Packet<R>) {
        let start = packet.n_spikes();
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let time = R::from_f64(step as f64 * self.shape.dt_ms);
        self.kernel.step(&mut StepArgs {
            n: self.n,
            stride: self.stride,
            states: &mut self.states,
            inputs: &mut self.inputs,
            derived: &self.derived,
            random: &self.random,
            time,
            outputs: &mut self.outputs,
            spikes: packet.spikes_mut(),
        });
        let fired = packet.spikes_from_mut(start);
        self.n_spikes += fired.len() as u64;
        if self.shape.range.start > 0 {
            for neuron in fired {
                *neuron += self.shape.range.start;
            }
        }
        if let Some(output) = self.shape.emits {
            let values = &self.outputs[output * self.stride..][..self.n];
            packet.real_mut().extend_from_slice(values);
        }
        packet.end_step();
    }

    fn record(&mut self, slice: Slice, step: u64, packet: &Packet<R>) {
        if self.record_spikes {
            #[allow(clippy::cast_possible_truncation, reason = "offset within a slice")]
            let fired = packet.spikes((step - slice.first) as usize);
            self.spikes
                .steps
                .extend(std::iter::repeat_n(step, fired.len()));
            self.spikes.neurons.extend_from_slice(fired);
        }
        for recorder in &mut self.recorders {
            if step.is_multiple_of(recorder.every_steps) {
                recorder.trace.steps.push(step);
                let values = &self.states[recorder.state * self.stride..][..self.n];
                recorder.trace.values.extend(
                    recorder
                        .lanes
                        .iter()
                        .map(|&l| values[l as usize].to_f64() * recorder.scale),
                );
            }
        }
    }

    /// Looks for NaN and infinity.
    fn check(&mut self, slice: Slice) -> Result<(), RunError> {
        let last = slice.end() - 1;
        if last < self.next_check {
            return Ok(());
        }
        self.next_check = last + CHECK_EVERY_STEPS;
        for (k, array) in self.states.chunks_exact(self.stride).enumerate() {
            // NaN and infinity survive multiplication by zero; nothing else does.
            let sum = sum_of_zeros(&array[..self.n]);
            if sum.is_finite() {
                continue;
            }
            if let Some(i) = array[..self.n].iter().position(|x| !x.is_finite()) {
                #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
                let time_ms = last as f64 * self.shape.dt_ms;
                return Err(RunError::NotFinite {
                    population: self.shape.name.clone(),
                    neuron: self.shape.range.start as usize + i,
                    variable: self.shape.state_names[k].clone(),
                    value: array[i].to_f64(),
                    time_ms,
                    checked_every_steps: CHECK_EVERY_STEPS.max(slice.len as u64),
                });
            }
        }
        Ok(())
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

impl Identity {
    fn deliver<R: Real>(
        &self,
        step: u64,
        history: &History<R>,
        range: &Range<u32>,
        input: &mut [R],
    ) {
        let Some(emitted) = step.checked_sub(self.delay) else {
            return;
        };
        if self.real {
            if let Some(values) = history.real(self.source, emitted, self.lanes) {
                let values = &values[range.start as usize..range.end as usize];
                for (a, &x) in input.iter_mut().zip(values) {
                    *a += x;
                }
            }
            return;
        }
        for spikes in history.spikes(self.source, emitted) {
            for &lane in spikes.iter().filter(|l| range.contains(l)) {
                input[(lane - range.start) as usize] += R::ONE;
            }
        }
    }
}

impl<R: Real> Actor<R> for PopulationActor<R> {
    fn advance(
        &mut self,
        slice: Slice,
        history: &History<R>,
        packet: &mut Packet<R>,
    ) -> Result<(), RunError> {
        for step in slice.steps() {
            self.deliver(step, history);
            self.draw(step);
            if let Some(tape) = &mut self.tape {
                tape.push(&self.states, &self.inputs, &self.random);
            }
            self.integrate(step, packet);
            self.record(slice, step, packet);
        }
        self.check(slice)
    }

    fn state(&mut self, visit: &mut dyn FnMut(&str, &mut [R])) {
        for (name, array) in self
            .shape
            .state_names
            .iter()
            .zip(self.states.chunks_exact_mut(self.stride))
        {
            visit(name, &mut array[..self.n]);
        }
    }

    fn reset(&mut self) {
        self.states.copy_from_slice(&self.initial);
        self.inputs.fill(R::ZERO);
        self.next_check = CHECK_EVERY_STEPS;
        if let Some(tape) = &mut self.tape {
            tape.clear();
        }
        drop(self.take_records());
    }

    fn take_records(&mut self) -> Records {
        let traces = self
            .recorders
            .iter_mut()
            .map(|r| {
                let empty = Trace {
                    steps: Vec::new(),
                    values: Vec::new(),
                    ..r.trace.clone()
                };
                std::mem::replace(&mut r.trace, empty)
            })
            .collect();
        Records {
            node: self.shape.node,
            spikes: self.record_spikes.then(|| std::mem::take(&mut self.spikes)),
            traces,
            n_spikes: std::mem::take(&mut self.n_spikes),
            synaptic_events: std::mem::take(&mut self.synaptic_events),
        }
    }

    fn reverse(
        &mut self,
        slice: Slice,
        _history: &History<R>,
        cotangents: &mut Cotangents<R>,
    ) -> Result<(), RunError> {
        let (Some(adjoint), Some(tape)) = (&mut self.adjoint, &self.tape) else {
            return Err(RunError::NotDifferentiable {
                actor: self.shape.name.clone(),
                reason: "it was not built for training, or has no equations".to_owned(),
            });
        };
        if slice.end() - 1 == tape.len() {
            adjoint.clear();
        }
        for step in slice.steps().collect::<Vec<_>>().into_iter().rev() {
            adjoint.step(&ReverseStep {
                step,
                tape,
                derived: &self.derived,
                emitted: cotangents.at(self.shape.node, step),
                emits: self.shape.emits,
            });
            for (port, afferent) in &self.afferents {
                let input_cotangent = adjoint.input(*port, self.n);
                match afferent {
                    Afferent::Drive(_) => {}
                    Afferent::Identity(edge) => {
                        if let Some(at) = step.checked_sub(edge.delay).filter(|&s| s > 0) {
                            let source = cotangents.at(edge.source, at);
                            let range = &self.shape.range;
                            let source = &mut source[range.start as usize..range.end as usize];
                            for (c, &x) in source.iter_mut().zip(input_cotangent) {
                                *c += x;
                            }
                        }
                    }
                    Afferent::Rows(rows) => {
                        rows.reverse(step, input_cotangent, self.shape.batch, |at, add| {
                            add(cotangents.at(rows.source(), at));
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn parameters(&mut self, _visit: &mut dyn FnMut(&mut Tensor<R>, &mut Tensor<R>)) {}
}
