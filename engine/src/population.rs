//! The neurons of a population that belong to one shard, and what they do in a step.

use std::ops::Range;

use rheobase_equations::native::{Aligned, Derived, LANES, StepArgs};
use rheobase_equations::real::Real;

use crate::actor::RunError;
use crate::cotangent::Cotangents;
use crate::normal::Normal;
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::port::{Drive, Kernel};
use crate::random::Philox;
use crate::record::{Records, Spikes, Trace};
use crate::tape::{PopulationAdjoint, ReverseStep, Tape};
use crate::time::Slice;

/// States are checked for NaN and infinity at the end of the slice that holds every so many-th step,
/// and at the end of the run.
const CHECK_EVERY_STEPS: u64 = 16;

/// What acts on an input port besides synapses.
pub(crate) enum Afferent<R> {
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
    /// The last step of the run.
    pub(crate) last_step: u64,
    pub(crate) dt_ms: f64,
}

/// The input lanes of a shard: one plane per port number, in which every population has its place.
pub(crate) struct Inputs<R> {
    pub(crate) lanes: Aligned<R>,
    /// Lanes of a plane.
    pub(crate) plane: usize,
}

/// The part of a population that belongs to one shard.
pub(crate) struct PopulationShard<R: Real> {
    shape: Shape,
    n: usize,
    stride: usize,
    /// First lane within each plane of the inputs.
    first_lane: usize,
    kernel: Box<dyn Kernel<R>>,
    states: Aligned<R>,
    initial: Aligned<R>,
    derived: Vec<Derived<R>>,
    random: Aligned<R>,
    outputs: Aligned<R>,
    words: Vec<u32>,
    normal: Option<Normal<R>>,
    stream: Philox,
    /// In the order of the description: edges, then drives.
    afferents: Vec<(usize, Afferent<R>)>,
    record_spikes: bool,
    spikes: Spikes,
    recorders: Vec<StateRecorder>,
    n_spikes: u64,
    tape: Option<Tape<R>>,
    adjoint: Option<PopulationAdjoint<R>>,
}

/// Everything a shard is made of.
pub(crate) struct PopulationParts<R: Real> {
    pub(crate) shape: Shape,
    pub(crate) first_lane: usize,
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

impl<R: Real> PopulationShard<R> {
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
            first_lane: parts.first_lane,
            kernel: parts.kernel,
            initial: states.clone(),
            states,
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
            tape: parts.adjoint.is_some().then(Tape::default),
            adjoint: parts.adjoint,
            shape,
        }
    }

    /// The node.
    pub(crate) fn node(&self) -> NodeId {
        self.shape.node
    }

    /// One step, after synapses have delivered: what else acts on the neurons, then the neurons.
    pub(crate) fn step(
        &mut self,
        step: u64,
        history: &History<R>,
        inputs: &mut Inputs<R>,
        packet: &mut Packet<R>,
    ) {
        self.receive(step, history, inputs);
        self.draw(step);
        if self.tape.is_some() {
            let arrived = self.input_arrays(inputs);
            if let Some(tape) = &mut self.tape {
                tape.push(&self.states, arrived, &self.random);
            }
        }
        let first_spike = packet.n_spikes();
        self.integrate(step, inputs, packet);
        self.record(step, packet.spikes_from_mut(first_spike));
    }

    /// Adds what arrives at `step` other than by synapses.
    fn receive(&mut self, step: u64, history: &History<R>, inputs: &mut Inputs<R>) {
        for (port, afferent) in &mut self.afferents {
            let first = *port * inputs.plane + self.first_lane;
            let input = &mut inputs.lanes[first..first + self.n];
            match afferent {
                Afferent::Identity(edge) => edge.deliver(step, history, &self.shape.range, input),
                Afferent::Drive(drive) => drive.drive(step, self.shape.range.start, input),
            }
        }
    }

    /// A copy of the population's input arrays, `[ports][stride]`.
    fn input_arrays(&self, inputs: &Inputs<R>) -> Vec<R> {
        let mut arrays = Vec::with_capacity(self.shape.n_inputs * self.stride);
        for port in 0..self.shape.n_inputs {
            let first = port * inputs.plane + self.first_lane;
            arrays.extend_from_slice(&inputs.lanes[first..first + self.stride]);
        }
        arrays
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
    fn integrate(&mut self, step: u64, inputs: &mut Inputs<R>, packet: &mut Packet<R>) {
        let start = packet.n_spikes();
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let time = R::from_f64(step as f64 * self.shape.dt_ms);
        self.kernel.step(&mut StepArgs {
            n: self.n,
            stride: self.stride,
            states: &mut self.states,
            inputs: &mut inputs.lanes[self.first_lane..],
            input_stride: inputs.plane,
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

    fn record(&mut self, step: u64, fired: &[u32]) {
        if self.record_spikes {
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
    pub(crate) fn check(&self, slice: Slice) -> Result<(), RunError> {
        let last = slice.end() - 1;
        let due = last / CHECK_EVERY_STEPS > (slice.first - 1) / CHECK_EVERY_STEPS;
        if !due && last != self.shape.last_step {
            return Ok(());
        }
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
        let spikes = history.spikes(self.source, emitted);
        for &lane in spikes.iter().filter(|l| range.contains(l)) {
            input[(lane - range.start) as usize] += R::ONE;
        }
    }
}

/// What the group calls besides [`PopulationShard::step`].
impl<R: Real> PopulationShard<R> {
    pub(crate) fn state(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {
        for (name, array) in self
            .shape
            .state_names
            .iter()
            .zip(self.states.chunks_exact_mut(self.stride))
        {
            visit(self.shape.node, name, &mut array[..self.n]);
        }
    }

    pub(crate) fn reset(&mut self) {
        self.states.copy_from_slice(&self.initial);
        if let Some(tape) = &mut self.tape {
            tape.clear();
        }
        drop(self.take_records());
    }

    pub(crate) fn take_records(&mut self) -> Records {
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
            ..Records::default()
        }
    }

    /// Reverses one step: leaves the cotangents of what arrived by synapses in `arrived`, and adds
    /// those of other edges to their sources.
    pub(crate) fn reverse(
        &mut self,
        step: u64,
        last: bool,
        cotangents: &mut Cotangents<R>,
        arrived: &mut Inputs<R>,
    ) -> Result<(), RunError> {
        let (Some(adjoint), Some(tape)) = (&mut self.adjoint, &self.tape) else {
            return Err(RunError::NotDifferentiable {
                actor: self.shape.name.clone(),
                reason: "it was not built for training, or has no equations".to_owned(),
            });
        };
        if last && step == tape.len() {
            adjoint.clear();
        }
        adjoint.step(&ReverseStep {
            step,
            tape,
            derived: &self.derived,
            emitted: cotangents.at(self.shape.node, step),
            emits: self.shape.emits,
        });
        for port in 0..self.shape.n_inputs {
            let first = port * arrived.plane + self.first_lane;
            arrived.lanes[first..first + self.n].copy_from_slice(adjoint.input(port, self.n));
        }
        for (port, afferent) in &self.afferents {
            let Afferent::Identity(edge) = afferent else {
                continue;
            };
            let Some(at) = step.checked_sub(edge.delay).filter(|&s| s > 0) else {
                continue;
            };
            let range = self.shape.range.start as usize..self.shape.range.end as usize;
            let source = &mut cotangents.at(edge.source, at)[range];
            for (c, &x) in source.iter_mut().zip(adjoint.input(*port, self.n)) {
                *c += x;
            }
        }
        Ok(())
    }
}
