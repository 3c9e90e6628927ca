//! Passes of an unrolled network on a device: what nodes emit, states, cotangents, weights and
//! gradients stay there; inputs go up, outputs and gradients come down.
//!
//! The order of everything is that of the processor (`engine/src/unrolled/`): nodes run in the order of
//! the graph, each for all its steps, those on a cycle step by step; then in reverse. Everything emitted
//! is kept as numbers, spikes too; states are kept before every step.

mod backward;
mod forward;
mod machine;
mod nodes;
mod segments;
mod stream;
mod synapses;
mod update;

use hashbrown::HashMap;
use rheobase_shaders::{MAX_KEPT, SequenceKernel, sequence_kernel};

use super::device::GpuDevice;
use super::error::GpuError;
use crate::plan::NodeId;
use crate::unrolled::device::{DevicePass, GraphPlan};
use crate::unrolled::{DeviceStep, Sequence, UnrolledError, UnrolledNetwork, UpdateEquations};
use machine::{KernelId, Machine};
use nodes::{DeviceNode, DeviceWork};
use segments::Carries;
use update::TrainedArrays;

pub(super) use stream::{Asked, Heard, Stream, Streamed};

impl UnrolledNetwork<f32> {
    /// Runs passes on `device` from now on. Parameters and gradients are shown and changed as before.
    ///
    /// # Errors
    /// If a node has no form for devices, passes are cut into segments, memory does not suffice, or the
    /// device fails. The network goes on where it ran before.
    pub fn run_on(&mut self, device: &GpuDevice) -> Result<(), UnrolledError> {
        let pass = GpuPass::new(device, self)?;
        self.attach(Some(Box::new(pass)));
        Ok(())
    }

    /// Runs passes on the processor from now on.
    pub fn run_on_processor(&mut self) {
        self.attach(None);
    }
}

impl From<GpuError> for UnrolledError {
    fn from(e: GpuError) -> Self {
        Self::Device(e.to_string())
    }
}

/// Kernels for what passes between nodes.
struct SequenceKernels {
    assign: KernelId,
    add: KernelId,
    add_steps: KernelId,
    bits: KernelId,
    squares: KernelId,
}

/// Runs passes on a device.
struct GpuPass {
    machine: Machine,
    graph: GraphPlan,
    nodes: Vec<DeviceNode>,
    sequences: SequenceKernels,
    populations: HashMap<nodes::PopulationKey, nodes::PopulationKernels>,
    /// Of the parameters on the device.
    version: u64,
    steps: usize,
    batch: usize,
    /// Steps of passes before, as random draws count them.
    steps_before: u64,
    pass: u64,
    training: bool,
    /// Steps of a segment, at most.
    segment: usize,
    carries: Carries,
    /// First step of the segment that is run, and its steps.
    first: usize,
    here: usize,
    /// It was run before.
    again: bool,
    /// Nodes that emit the same in every step.
    constants: Vec<bool>,
    seeds: HashMap<NodeId, machine::ArrayId>,
    trained: TrainedArrays,
    reversed: Option<backward::Reversed>,
}

impl GpuPass {
    fn new(device: &GpuDevice, network: &mut UnrolledNetwork<f32>) -> Result<Self, UnrolledError> {
        let graph = network.device_plan()?;
        Self::of(device, network, graph)
    }

    /// With what devices need to know of the network, or less.
    fn of(
        device: &GpuDevice,
        network: &mut UnrolledNetwork<f32>,
        graph: GraphPlan,
    ) -> Result<Self, UnrolledError> {
        let mut machine = Machine::new(device);
        let mut kernel = |kind| machine.kernel(sequence_kernel(kind));
        let sequences = SequenceKernels {
            assign: kernel(SequenceKernel::Assign)?,
            add: kernel(SequenceKernel::Add)?,
            add_steps: kernel(SequenceKernel::AddSteps)?,
            bits: kernel(SequenceKernel::Bits)?,
            squares: kernel(SequenceKernel::Squares)?,
        };
        let segment = segments::length(&graph, network)?;
        let nodes = DeviceNode::all(&mut machine, &graph, network, segment)?;
        let carries = Carries::new(&mut machine, &graph, &nodes, network, segment)?;
        let trained = TrainedArrays::new(&mut machine, &nodes, network)?;
        Ok(Self {
            machine,
            trained,
            reversed: None,
            nodes,
            sequences,
            populations: HashMap::new(),
            version: 0,
            steps: network.steps(),
            batch: network.batch(),
            steps_before: 0,
            pass: 0,
            training: false,
            segment,
            carries,
            first: 0,
            here: segment,
            again: false,
            constants: vec![false; graph.nodes.len()],
            seeds: HashMap::new(),
            graph,
        })
    }
}

impl GpuPass {
    /// After a failure, what the device has done by then is not known: everything goes up anew.
    fn or_anew<T>(&mut self, outcome: Result<T, UnrolledError>) -> Result<T, UnrolledError> {
        if outcome.is_err() {
            self.machine.abandon();
            self.reversed = None;
            self.trained.forget();
            self.version = 0;
        }
        outcome
    }
}

impl DevicePass<f32> for GpuPass {
    fn forward(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        inputs: &[Sequence<'_, f32>],
        training: bool,
    ) -> Result<(), UnrolledError> {
        let outcome = self.run_forward(network, inputs, training);
        self.or_anew(outcome)
    }

    fn segment_steps(&self) -> usize {
        self.segment
    }

    fn kept_bytes(&self) -> u64 {
        self.machine.bytes
    }

    fn submissions(&self) -> u64 {
        self.machine.submissions
    }

    fn emissions(&mut self) -> Result<Vec<(NodeId, Vec<f32>)>, UnrolledError> {
        let is_population = |id: &NodeId| matches!(self.nodes[*id].work, DeviceWork::Population(_));
        let ids: Vec<NodeId> = (0..self.nodes.len()).filter(is_population).collect();
        let pieces: Vec<_> = ids
            .iter()
            .map(|&id| {
                let n = self.here * self.lanes(id);
                (self.nodes[id].emission, self.element(id, 0), n)
            })
            .collect();
        let read = self.machine.run(&pieces)?;
        Ok(ids.into_iter().zip(read).collect())
    }

    fn backward(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        outputs: &[(&str, &[f32])],
    ) -> Result<(), UnrolledError> {
        let outcome = self.run_backward(network, outputs);
        self.or_anew(outcome)
    }

    fn settle(&mut self, network: &mut UnrolledNetwork<f32>) -> Result<(), UnrolledError> {
        let outcome = self.read_backward(network);
        self.or_anew(outcome)
    }

    fn sum_of_squares(&self) -> f64 {
        self.trained.squares
    }

    fn update(
        &mut self,
        equations: &UpdateEquations,
        scale: f64,
        steps: Vec<Option<DeviceStep<f32>>>,
    ) -> Result<(), UnrolledError> {
        let outcome = self.queue_updates(equations, scale, steps);
        self.or_anew(outcome.map_err(UnrolledError::from))
    }

    fn fetch(
        &mut self,
        network: &mut UnrolledNetwork<f32>,
        parameters: bool,
        gradients: bool,
    ) -> Result<(), UnrolledError> {
        let outcome = self.read_trained(network, parameters, gradients);
        self.or_anew(outcome)
    }

    fn takes(&self, equations: &UpdateEquations) -> bool {
        equations.kept().len() <= MAX_KEPT
    }

    fn flush(&mut self) -> Result<(), UnrolledError> {
        let flushed = self.machine.flush();
        self.or_anew(flushed.map_err(UnrolledError::from))
    }

    fn forget_kept(&mut self) {
        self.trained.forget();
    }

    fn kept(&mut self) -> Result<Vec<Vec<Vec<f32>>>, UnrolledError> {
        let outcome = self.read_kept();
        self.or_anew(outcome.map_err(UnrolledError::from))
    }
}
