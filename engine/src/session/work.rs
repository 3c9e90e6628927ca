//! What nodes do in a step.

use rheobase_equations::real::Real;

use super::{Emission, Ring, Route, SessionNode};
use crate::packet::Packet;
use crate::plan::NodeId;
use crate::population::{Inputs, Neurons, Shape};
use crate::port::{Drive, SpikeSource, StepInput, StepLayer};
use crate::rows::{Rows, Segment};

/// What a node does in a step.
pub(super) enum Work<R: Real> {
    /// Emits what it is given.
    Input,
    Layer(Box<LayerWork<R>>),
    Population(Box<PopulationWork<R>>),
    Source(Box<SourceWork>),
}

pub(super) struct LayerWork<R: Real> {
    pub(super) layer: Box<dyn StepLayer<R>>,
    /// In the order of the description.
    pub(super) routes: Vec<Route>,
    /// What arrives, where it comes over several routes.
    pub(super) sum: Vec<R>,
    /// Passes spikes on as a list, and emits no values.
    pub(super) is_relay: bool,
}

pub(super) struct PopulationWork<R: Real> {
    pub(super) shape: Shape,
    pub(super) neurons: Neurons<R>,
    pub(super) inputs: Inputs<R>,
    /// Projections onto it, in the order of the description.
    pub(super) synapses: Vec<SynapseWork<R>>,
    /// Segments of synapses that are due: as many as one step of one source can ask for.
    pub(super) due: Vec<Segment>,
    /// Port, and what arrives there; in the order of the description.
    pub(super) afferents: Vec<(usize, Route)>,
    pub(super) drives: Vec<(usize, Box<dyn Drive<R>>)>,
    pub(super) packet: Packet<R>,
}

/// A projection.
pub(super) struct SynapseWork<R> {
    pub(super) port: usize,
    pub(super) source: NodeId,
    pub(super) rows: Rows<R>,
}

/// A stimulus that emits spikes.
pub(super) struct SourceWork {
    pub(super) source: Box<dyn SpikeSource>,
    pub(super) make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send>,
    pub(super) size: u32,
    /// Its spikes have offsets within their step, which nobody on the grid asks for.
    pub(super) is_timed: bool,
    pub(super) offsets_ms: Vec<f64>,
}

/// What all nodes have emitted so far, as one of them sees it.
#[derive(Clone, Copy)]
pub(super) struct Past<'a, R: Real> {
    pub(super) nodes: &'a [SessionNode<R>],
    /// The current step.
    pub(super) now: u64,
}

impl<'a, R: Real> Past<'a, R> {
    fn ring(&self, node: NodeId) -> &'a Ring<R> {
        &self.nodes[node].emitted
    }

    /// What arrives over a route.
    fn arrives(&self, route: Route) -> StepInput<'a, R> {
        let ring = self.ring(route.source);
        let emission = ring.before(self.now, route.delay);
        if ring.is_real {
            StepInput::Real(&emission.values)
        } else {
            StepInput::Spikes(&emission.spikes)
        }
    }

    /// Adds it to `lanes`.
    fn add(&self, route: Route, lanes: &mut [R]) {
        match self.arrives(route) {
            StepInput::Real(values) => lanes.iter_mut().zip(values).for_each(|(a, &x)| *a += x),
            StepInput::Spikes(spikes) => {
                spikes.iter().for_each(|&n| lanes[n as usize] += R::ONE);
            }
        }
    }
}

impl<R: Real> Work<R> {
    pub(super) fn step(&mut self, past: Past<'_, R>, emission: &mut Emission<R>) {
        match self {
            Self::Input => {}
            Self::Layer(layer) => layer.step(past, emission),
            Self::Population(population) => population.step(past, emission),
            Self::Source(source) => source.step(past.now, &mut emission.spikes),
        }
    }

    /// Whether it is a layer that passes spikes on as a list.
    pub(super) fn is_relay(&self) -> bool {
        matches!(self, Self::Layer(layer) if layer.is_relay)
    }

    /// Back to the beginning.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Input | Self::Layer(_) => {}
            Self::Population(population) => population.neurons.restart(),
            Self::Source(source) => source.source = (source.make)(),
        }
    }
}

impl<R: Real> LayerWork<R> {
    fn step(&mut self, past: Past<'_, R>, emission: &mut Emission<R>) {
        let output = &mut emission.values;
        if let [route] = *self.routes.as_slice() {
            match past.arrives(route) {
                StepInput::Spikes(active) if self.is_relay => {
                    self.layer.relay(active, &mut emission.spikes);
                }
                input => self.layer.step(input, output),
            }
            return;
        }
        self.sum.fill(R::ZERO);
        for &route in &self.routes {
            past.add(route, &mut self.sum);
        }
        self.layer.step(StepInput::Real(&self.sum), output);
    }
}

impl<R: Real> PopulationWork<R> {
    fn step(&mut self, past: Past<'_, R>, emission: &mut Emission<R>) {
        let plane = self.inputs.plane;
        for synapses in &self.synapses {
            let ring = past.ring(synapses.source);
            let fired = |delay| ring.before(past.now, delay).spikes.as_slice();
            let lanes = &mut self.inputs.lanes[synapses.port * plane..];
            synapses.rows.deliver_step(fired, &mut self.due, lanes);
        }
        for &(port, route) in &self.afferents {
            past.add(route, &mut self.inputs.lanes[port * plane..]);
        }
        let n = self.shape.range.len();
        for (port, drive) in &mut self.drives {
            let first = *port * plane;
            drive.drive(past.now, 0, &mut self.inputs.lanes[first..first + n]);
        }
        self.packet.clear();
        let (shape, inputs) = (&self.shape, &mut self.inputs);
        self.neurons.step(past.now, shape, inputs, &mut self.packet);
        if shape.emits.is_some() {
            emission.values.copy_from_slice(self.packet.real());
        } else {
            emission.spikes.clear();
            let fired = self.packet.spikes_from_mut(0);
            emission.spikes.extend_from_slice(fired);
        }
    }
}

impl SourceWork {
    fn step(&mut self, now: u64, spikes: &mut Vec<u32>) {
        spikes.clear();
        let range = 0..self.size;
        if self.is_timed {
            self.offsets_ms.clear();
            self.source
                .emit_timed(now, range, spikes, &mut self.offsets_ms);
        } else {
            self.source.emit(now, range, spikes);
        }
    }
}
