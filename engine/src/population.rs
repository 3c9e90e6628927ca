//! The neurons of a population that belong to one shard, and what they do in a step.

use std::ops::Range;

use std::time::Instant;

use rheobase_equations::native::{Aligned, LANES};
use rheobase_equations::real::Real;

use crate::actor::RunError;
use crate::anchored::choice::{Chooser, Mode, Work};
use crate::anchored::{Anchored, Lanes, Marks, ModeReport};
use crate::packet::{History, Packet};
use crate::plan::NodeId;
use crate::port::Drive;
use crate::record::{Records, Spikes, Trace};
use crate::stepwise::Stepwise;
use crate::time::Slice;

/// States are checked for NaN and infinity at the end of the slice that holds every so many-th step,
/// and at the end of the run.
pub(crate) const CHECK_EVERY_STEPS: u64 = 16;

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

impl StateRecorder {
    /// Takes what was recorded; nothing is left.
    pub(crate) fn take(&mut self) -> Trace {
        let empty = Trace {
            steps: Vec::new(),
            values: Vec::new(),
            ..self.trace.clone()
        };
        std::mem::replace(&mut self.trace, empty)
    }
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

/// The neurons of a shard, in one of the two arithmetics.
pub(crate) enum Neurons<R: Real> {
    /// One propagator per step.
    Stepwise(Box<Stepwise<R>>),
    /// Amplitudes at the beginning of an epoch, and who decides how they are advanced.
    Anchored(Box<Anchored<R>>, Box<Chooser>),
}

/// The part of a population that belongs to one shard.
pub(crate) struct PopulationShard<R: Real> {
    shape: Shape,
    n: usize,
    /// First lane within each plane of the inputs.
    first_lane: usize,
    neurons: Neurons<R>,
    /// In the order of the description: edges, then drives.
    afferents: Vec<(usize, Afferent<R>)>,
    record_spikes: bool,
    spikes: Spikes,
    recorders: Vec<StateRecorder>,
    n_spikes: u64,
    /// Of the current slice: since when, if it is timed; neurons looked at before it.
    timed: Option<Time>,
    executed_before: u64,
    /// Since records were last taken.
    modes: ModeReport,
}

/// Time spent on a population.
#[derive(Clone, Copy, Default)]
struct Time(std::time::Duration);

/// Everything a shard is made of.
pub(crate) struct PopulationParts<R: Real> {
    pub(crate) shape: Shape,
    pub(crate) first_lane: usize,
    pub(crate) neurons: Neurons<R>,
    pub(crate) afferents: Vec<(usize, Afferent<R>)>,
    pub(crate) record_spikes: bool,
    pub(crate) recorders: Vec<StateRecorder>,
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

impl<R: Real> Neurons<R> {
    /// One step of neurons that stand alone, every one looked at.
    pub(crate) fn step(
        &mut self,
        step: u64,
        shape: &Shape,
        inputs: &mut Inputs<R>,
        packet: &mut Packet<R>,
    ) {
        match self {
            Self::Stepwise(stepwise) => stepwise.step(step, shape, inputs, 0, packet),
            Self::Anchored(anchored, _) => {
                let mut lanes = Lanes {
                    plane: inputs.plane,
                    values: &mut inputs.lanes,
                };
                anchored.step(step, Mode::Dense, &mut lanes, None, packet.spikes_mut());
            }
        }
    }

    /// Shows every array.
    pub(crate) fn state(&mut self, names: &[String], visit: &mut dyn FnMut(&str, &mut [R])) {
        match self {
            Self::Stepwise(stepwise) => stepwise.state(names, visit),
            Self::Anchored(anchored, _) => anchored.state(names, visit),
        }
    }

    /// Goes on after step `now` with what was written into the arrays that [`Self::state`] has shown.
    pub(crate) fn resume(&mut self, now: u64) {
        if let Self::Anchored(anchored, _) = self {
            anchored.resume(now);
        }
    }

    /// Back to the initial state.
    pub(crate) fn restart(&mut self) {
        match self {
            Self::Stepwise(stepwise) => stepwise.restart(),
            Self::Anchored(anchored, chooser) => {
                anchored.restart();
                chooser.restart();
            }
        }
    }
}

impl<R: Real> PopulationShard<R> {
    pub(crate) fn new(parts: PopulationParts<R>) -> Self {
        Self {
            n: parts.shape.range.len(),
            shape: parts.shape,
            first_lane: parts.first_lane,
            neurons: parts.neurons,
            afferents: parts.afferents,
            record_spikes: parts.record_spikes,
            spikes: Spikes::default(),
            recorders: parts.recorders,
            n_spikes: 0,
            timed: None,
            executed_before: 0,
            modes: ModeReport::default(),
        }
    }

    /// The node.
    pub(crate) fn node(&self) -> NodeId {
        self.shape.node
    }

    /// Lanes in the planes of the inputs.
    pub(crate) fn lanes(&self) -> Range<usize> {
        self.first_lane..self.first_lane + self.n
    }

    /// Whether it can be advanced sparsely.
    pub(crate) fn is_anchored(&self) -> bool {
        matches!(&self.neurons, Neurons::Anchored(..))
    }

    /// Whether it wants to know which of its lanes are reached.
    pub(crate) fn is_sparse(&self) -> bool {
        matches!(&self.neurons, Neurons::Anchored(_, c) if c.mode() == Mode::Sparse)
    }

    /// A slice begins.
    pub(crate) fn begin_slice(&mut self) {
        if let Neurons::Anchored(anchored, chooser) = &self.neurons {
            self.timed = chooser.is_timed().then(Time::default);
            self.executed_before = anchored.executed;
        }
    }

    /// Time that marking lanes took, if this slice is timed.
    pub(crate) fn add_time(&mut self, time: std::time::Duration) {
        if let Some(timed) = &mut self.timed {
            timed.0 += time;
        }
    }

    /// Whether the current slice is timed.
    pub(crate) fn is_timed(&self) -> bool {
        self.timed.is_some()
    }

    /// A slice is done in which `reached` lanes stood in blocks that received something, about, summed
    /// over steps.
    pub(crate) fn end_slice(&mut self, slice: Slice, reached: f64) {
        let Neurons::Anchored(anchored, chooser) = &mut self.neurons else {
            return;
        };
        let steps = slice.len as u64;
        let touched = anchored.executed - self.executed_before;
        self.modes.executed += touched;
        self.modes.skipped += (steps * self.n as u64).saturating_sub(touched);
        let work = Work {
            steps,
            touched,
            reached,
            time: self.timed.take().map(|t| t.0),
        };
        chooser.learn(slice.end(), work);
    }

    /// One step, after synapses have delivered: what else acts on the neurons, then the neurons.
    /// `marks` holds the blocks of lanes that were reached, if anyone wanted to know.
    pub(crate) fn step(
        &mut self,
        step: u64,
        history: &History<R>,
        inputs: &mut Inputs<R>,
        marks: Option<&mut Marks>,
        packet: &mut Packet<R>,
    ) {
        let begun = self.timed.map(|_| Instant::now());
        let first_spike = packet.n_spikes();
        self.advance(step, history, inputs, marks, packet);
        packet.end_step();
        let fired = packet.spikes_from_mut(first_spike);
        self.n_spikes += fired.len() as u64;
        if self.shape.range.start > 0 {
            for neuron in fired {
                *neuron += self.shape.range.start;
            }
        }
        if let Some(begun) = begun {
            self.add_time(begun.elapsed());
        }
        self.record(step, packet.spikes_from_mut(first_spike));
    }

    fn advance(
        &mut self,
        step: u64,
        history: &History<R>,
        inputs: &mut Inputs<R>,
        marks: Option<&mut Marks>,
        packet: &mut Packet<R>,
    ) {
        match marks {
            Some(marks) => {
                self.receive(step, history, inputs, |lane| marks.set(lane));
                self.integrate(step, inputs, Some(marks), packet);
            }
            None => {
                self.receive(step, history, inputs, |_| {});
                self.integrate(step, inputs, None, packet);
            }
        }
    }

    /// Adds what arrives at `step` other than by synapses; `mark` is told the lanes that single spikes
    /// reach.
    fn receive(
        &mut self,
        step: u64,
        history: &History<R>,
        inputs: &mut Inputs<R>,
        mut mark: impl FnMut(usize),
    ) {
        for (port, afferent) in &mut self.afferents {
            let first = *port * inputs.plane + self.first_lane;
            let input = &mut inputs.lanes[first..first + self.n];
            match afferent {
                Afferent::Identity(edge) => {
                    let first = self.first_lane;
                    edge.deliver(step, history, &self.shape.range, input, |lane| {
                        mark(first + lane);
                    });
                }
                Afferent::Drive(drive) => drive.drive(step, self.shape.range.start, input),
            }
        }
    }

    fn integrate(
        &mut self,
        step: u64,
        inputs: &mut Inputs<R>,
        marks: Option<&mut Marks>,
        packet: &mut Packet<R>,
    ) {
        let first = self.first_lane;
        match (&mut self.neurons, marks) {
            (Neurons::Stepwise(stepwise), marks) => {
                stepwise.step(step, &self.shape, inputs, first, packet);
                // Nobody needs to know which lanes were reached.
                if let Some(marks) = marks {
                    marks.drop_range(first, self.n);
                }
            }
            (Neurons::Anchored(anchored, chooser), marks) => {
                let mut lanes = Lanes {
                    plane: inputs.plane,
                    values: &mut inputs.lanes[first..],
                };
                let marks = marks.map(|m| (m, first));
                anchored.step(step, chooser.mode(), &mut lanes, marks, packet.spikes_mut());
            }
        }
    }

    fn record(&mut self, step: u64, fired: &[u32]) {
        if self.record_spikes {
            self.spikes
                .steps
                .extend(std::iter::repeat_n(step, fired.len()));
            self.spikes.neurons.extend_from_slice(fired);
        }
        for recorder in &mut self.recorders {
            if !step.is_multiple_of(recorder.every_steps) {
                continue;
            }
            recorder.trace.steps.push(step);
            let (state, scale) = (recorder.state, recorder.scale);
            let lanes = recorder.lanes.iter().map(|&l| l as usize);
            let values = &mut recorder.trace.values;
            match &mut self.neurons {
                Neurons::Stepwise(stepwise) => {
                    let all = stepwise.values(state);
                    values.extend(lanes.map(|l| all[l].to_f64() * scale));
                }
                Neurons::Anchored(anchored, _) => {
                    anchored.wake(&recorder.lanes);
                    values.extend(lanes.map(|l| anchored.value(state, l) * scale));
                }
            }
        }
    }

    /// Looks for NaN and infinity.
    pub(crate) fn check(&mut self, slice: Slice) -> Result<(), RunError> {
        let every = match &self.neurons {
            Neurons::Stepwise(_) => CHECK_EVERY_STEPS,
            Neurons::Anchored(anchored, _) => anchored.epoch(),
        };
        let last = slice.end() - 1;
        let due = last / every > (slice.first - 1) / every;
        if !due && last != self.shape.last_step {
            return Ok(());
        }
        let found = match &mut self.neurons {
            Neurons::Stepwise(stepwise) => stepwise.not_finite(),
            Neurons::Anchored(anchored, _) => anchored.not_finite(),
        };
        let Some((state, i, value)) = found else {
            return Ok(());
        };
        #[allow(clippy::cast_precision_loss, reason = "steps below 2^53")]
        let time_ms = last as f64 * self.shape.dt_ms;
        Err(RunError::NotFinite {
            population: self.shape.name.clone(),
            neuron: self.shape.range.start as usize + i,
            variable: self.shape.state_names[state].clone(),
            value,
            time_ms,
            checked_every_steps: every.max(slice.len as u64),
        })
    }
}

impl Identity {
    pub(crate) fn deliver<R: Real>(
        &self,
        step: u64,
        history: &History<R>,
        range: &Range<u32>,
        input: &mut [R],
        mut reached: impl FnMut(usize),
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
            let lane = (lane - range.start) as usize;
            input[lane] += R::ONE;
            reached(lane);
        }
    }
}

/// What the group calls besides [`PopulationShard::step`].
impl<R: Real> PopulationShard<R> {
    pub(crate) fn state(&mut self, visit: &mut dyn FnMut(NodeId, &str, &mut [R])) {
        let (node, names) = (self.shape.node, &self.shape.state_names);
        let mut visit = |name: &str, values: &mut [R]| visit(node, name, values);
        self.neurons.state(names, &mut visit);
    }

    pub(crate) fn resume(&mut self, now: u64) {
        self.neurons.resume(now);
    }

    pub(crate) fn reset(&mut self) {
        self.neurons.restart();
        drop(self.take_records());
    }

    pub(crate) fn take_records(&mut self) -> Records {
        let traces = self.recorders.iter_mut().map(StateRecorder::take).collect();
        Records {
            node: self.shape.node,
            spikes: self.record_spikes.then(|| std::mem::take(&mut self.spikes)),
            traces,
            n_spikes: std::mem::take(&mut self.n_spikes),
            modes: self.take_modes(),
            ..Records::default()
        }
    }

    /// How the shard was advanced since the last call; `None` for stepwise neurons.
    fn take_modes(&mut self) -> Option<ModeReport> {
        let Neurons::Anchored(anchored, chooser) = &mut self.neurons else {
            return None;
        };
        let mut modes = std::mem::take(&mut self.modes);
        modes.bytes = anchored.bytes() as u64;
        (modes.switches, modes.n_switches) = chooser.take_switches();
        Some(modes)
    }
}
