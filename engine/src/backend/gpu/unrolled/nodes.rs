//! What each node has on the device.

use rheobase_equations::expand::expand;
use rheobase_equations::native::Derived;
use rheobase_equations::real::Precision;
use rheobase_shaders::{
    Afferent, LayerKernel, LayerShape, MAX_PORTS, Place, PortShape, Role, SpanShape, StepShape,
    emit_forward, emit_reverse, layer_kernels,
};

use super::super::circuit::drives;
use super::super::error::GpuError;
use super::super::step::place_derived;
use super::machine::{ArrayId, KernelId, Machine};
use super::synapses::{self, DeviceProjection};
use crate::plan::NodeId;
use crate::unrolled::device::{GraphPlan, NodePlan, PopulationPlan, WorkPlan};
use crate::unrolled::{UnrolledError, UnrolledNetwork};

/// Arrays and kernels of a node.
pub(super) struct DeviceNode {
    /// `[history + steps, N, *]`, or `[N, *]` where it is the same in every step.
    pub(super) emission: ArrayId,
    /// Of the same shape, where it is wanted.
    pub(super) cotangent: Option<ArrayId>,
    pub(super) work: DeviceWork,
}

pub(super) enum DeviceWork {
    Nothing,
    Layer(Box<DeviceLayer>),
    Population(Box<DevicePopulation>),
    Synapses(Vec<DeviceProjection>),
}

/// A kernel of a layer with its grid.
pub(super) type Launch = (KernelId, rheobase_shaders::Grid, Vec<Role>);

pub(super) struct DeviceLayer {
    pub(super) forward: Vec<Launch>,
    pub(super) begin_reverse: Vec<Launch>,
    pub(super) reverse: Vec<Launch>,
    pub(super) gradients: Vec<Launch>,
    pub(super) parameters: Vec<ArrayId>,
    pub(super) gradient_arrays: Vec<ArrayId>,
    pub(super) buffers: Vec<ArrayId>,
    pub(super) scratch: ArrayId,
    /// Elements that arrive in a row.
    pub(super) n_in: usize,
    /// What arrives, where it is not what one source emits; and its cotangent.
    pub(super) arrived: Option<(ArrayId, Option<ArrayId>)>,
    pub(super) key: [u32; 2],
}

pub(super) struct DevicePopulation {
    pub(super) plan: usize,
    pub(super) n_states: usize,
    pub(super) n_ports: usize,
    pub(super) learned: Vec<u32>,
    /// `[steps + 1, states, lanes]`.
    pub(super) tape: ArrayId,
    pub(super) initial: ArrayId,
    pub(super) sums: ArrayId,
    pub(super) derived: ArrayId,
    pub(super) places: Vec<Place>,
    pub(super) times: Option<ArrayId>,
    pub(super) tables: ArrayId,
    pub(super) drives: Vec<Afferent>,
    /// As of a layer, for each port.
    pub(super) arrived: Vec<Option<(ArrayId, Option<ArrayId>)>>,
}

/// What the kernels of a population depend on besides its equations.
pub(super) type PopulationKey = (NodeId, Vec<PortShape>, Vec<Place>);

#[derive(Clone, Copy)]
pub(super) struct PopulationKernels {
    pub(super) forward: KernelId,
    pub(super) reverse: Option<KernelId>,
}

/// Bytes of everything that grows with steps and batch, in segments of `segment` steps.
pub(super) fn needed(graph: &GraphPlan, (all, segment): (usize, usize), batch: usize) -> u64 {
    let mut elements = 0_u64;
    let segments = all.div_ceil(segment.max(1)) as u64;
    for (id, node) in graph.nodes.iter().enumerate() {
        let lanes = (node.width * batch) as u64;
        let whole = matches!(node.work, WorkPlan::Input | WorkPlan::Source);
        let steps = if whole { all } else { segment };
        let rows = (node.history + steps) as u64;
        if segments > 1 && !whole {
            let carried = lanes.saturating_mul(segments * node.history as u64);
            elements = elements.saturating_add(carried);
        }
        let copies = 1 + u64::from(node.is_wanted);
        elements = elements.saturating_add(lanes.saturating_mul(rows).saturating_mul(copies));
        let row = |width: usize| (width * batch * steps) as u64;
        match &node.work {
            WorkPlan::Population(p) => {
                let states = p.component.states.len() as u64;
                let tape = lanes
                    .saturating_mul(states)
                    .saturating_mul(steps as u64 + 3 + if segments > 1 { segments } else { 0 });
                elements = elements.saturating_add(tape);
                let ports = 0..p.component.model.inputs.len();
                let rooms = ports.filter(|&port| {
                    let heard = node.routes.iter().any(|r| r.port == port);
                    heard && !is_direct(graph, id, Some(port))
                });
                let rooms = rooms.count() as u64 * row(node.width);
                elements = elements.saturating_add(rooms.saturating_mul(copies));
            }
            WorkPlan::Layer { shape, .. } => {
                let n_in = node.routes.first();
                let n_in = n_in.map_or(0, |r| graph.nodes[r.source].width);
                if !is_direct(graph, id, None) || is_mixed(graph, id) {
                    elements = elements.saturating_add(row(n_in).saturating_mul(copies));
                }
                let scratch = layer_kernels(shape).scratch_words;
                elements = elements.saturating_add(u64::from(scratch));
            }
            WorkPlan::Synapses(projections) => {
                let words = projections.iter().map(synapses::words);
                elements = elements.saturating_add(words.sum());
            }
            WorkPlan::Input | WorkPlan::Source => {}
        }
    }
    elements.saturating_mul(4)
}

impl DeviceNode {
    /// Allocates what all nodes need, for the largest batch.
    pub(super) fn all(
        machine: &mut Machine,
        graph: &GraphPlan,
        network: &mut UnrolledNetwork<f32>,
        segment: usize,
    ) -> Result<Vec<Self>, UnrolledError> {
        let batch = network.max_batch();
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for (id, node) in graph.nodes.iter().enumerate() {
            let whole = matches!(node.work, WorkPlan::Input | WorkPlan::Source);
            let steps = if whole { network.steps() } else { segment };
            let n = (node.history + steps) * node.width * batch;
            let emission = machine.array("what nodes emit", n)?;
            let cotangent = match node.is_wanted {
                true => Some(machine.array("cotangents", n)?),
                false => None,
            };
            let work = match &node.work {
                WorkPlan::Input | WorkPlan::Source => DeviceWork::Nothing,
                WorkPlan::Synapses(projections) => {
                    let mut all = Vec::with_capacity(projections.len());
                    for plan in projections {
                        all.push(DeviceProjection::new(machine, graph, plan, node.width)?);
                    }
                    DeviceWork::Synapses(all)
                }
                WorkPlan::Layer { shape, key, .. } => DeviceWork::Layer(Box::new(layer(
                    machine,
                    (graph, segment),
                    network,
                    (id, node),
                    shape,
                    *key,
                )?)),
                WorkPlan::Population(p) => DeviceWork::Population(Box::new(population(
                    machine,
                    (graph, segment),
                    network,
                    (id, node),
                    p,
                )?)),
            };
            nodes.push(Self {
                emission,
                cotangent,
                work,
            });
        }
        Ok(nodes)
    }
}

/// Whether what arrives is what one other node emits, which no other port hears: a kernel cannot change
/// the same array under two names.
pub(super) fn is_direct(graph: &GraphPlan, id: NodeId, port: Option<usize>) -> bool {
    let routes = &graph.nodes[id].routes;
    let mut own = routes.iter().filter(|r| port.is_none_or(|p| r.port == p));
    let (Some(route), None) = (own.next(), own.next()) else {
        return false;
    };
    let heard = routes.iter().filter(|r| r.source == route.source).count();
    route.source != id && heard == 1
}

fn arrays(
    machine: &mut Machine,
    what: &'static str,
    lengths: impl Iterator<Item = usize>,
) -> Result<Vec<ArrayId>, GpuError> {
    lengths.map(|n| machine.array(what, n)).collect()
}

fn layer(
    machine: &mut Machine,
    (graph, segment): (&GraphPlan, usize),
    network: &mut UnrolledNetwork<f32>,
    (id, node): (NodeId, &NodePlan),
    shape: &LayerShape,
    key: [u32; 2],
) -> Result<DeviceLayer, UnrolledError> {
    let kernels = layer_kernels(shape);
    let n_in = node
        .routes
        .first()
        .map_or(0, |r| graph.nodes[r.source].width);
    let lengths = |tensors: &[crate::port::Tensor<f32>]| -> Vec<usize> {
        tensors.iter().map(|t| t.values.len()).collect()
    };
    let parameters = lengths(network.layer_parameters(id));
    let buffers = lengths(network.layer_buffers(id));
    let rows = segment * network.max_batch();
    // A source that is the same in every step is written out where the layer is not.
    let needs_room = !is_direct(graph, id, None) || is_mixed(graph, id);
    let arrived = if needs_room {
        let values = machine.array("what arrives", rows * n_in)?;
        let cotangent = node
            .is_wanted
            .then(|| machine.array("cotangents", rows * n_in));
        Some((values, cotangent.transpose()?))
    } else {
        None
    };
    let mut launches = |kernels: Vec<LayerKernel>| -> Result<Vec<Launch>, GpuError> {
        kernels
            .into_iter()
            .map(|k| {
                let roles = k.module.bindings.iter().map(|b| b.role);
                let roles = roles.filter(|r| *r != Role::Uniform).collect();
                Ok((machine.kernel(k.module)?, k.grid, roles))
            })
            .collect()
    };
    let forward = launches(kernels.forward)?;
    let mut of_reverse = |kernels| match node.is_wanted {
        true => launches(kernels),
        false => Ok(Vec::new()),
    };
    let begin_reverse = of_reverse(kernels.begin_reverse)?;
    let reverse = of_reverse(kernels.reverse)?;
    let gradients = of_reverse(kernels.gradients)?;
    let n_gradients = if node.is_wanted { parameters.len() } else { 0 };
    let of_gradients = parameters.iter().copied().take(n_gradients);
    Ok(DeviceLayer {
        forward,
        begin_reverse,
        reverse,
        gradients,
        parameters: arrays(machine, "weights", parameters.iter().copied())?,
        gradient_arrays: arrays(machine, "gradients", of_gradients)?,
        buffers: arrays(machine, "statistics", buffers.into_iter())?,
        scratch: machine.array("scratch", kernels.scratch_words as usize)?,
        n_in,
        arrived,
        key,
    })
}

/// Whether a source may be the same in every step where the node is not: an input may be constant.
pub(super) fn is_mixed(graph: &GraphPlan, id: NodeId) -> bool {
    let node = &graph.nodes[id];
    let depends = match &node.work {
        WorkPlan::Layer {
            depends_on_step, ..
        } => *depends_on_step,
        _ => false,
    };
    let on_cycle = graph
        .groups
        .iter()
        .any(|g| g.is_cycle && g.nodes.contains(&id));
    let delayed = node.routes.iter().any(|r| r.delay > 0);
    depends || on_cycle || delayed || node.history > 0
}

fn population(
    machine: &mut Machine,
    (graph, steps): (&GraphPlan, usize),
    network: &UnrolledNetwork<f32>,
    (id, node): (NodeId, &NodePlan),
    plan: &PopulationPlan,
) -> Result<DevicePopulation, UnrolledError> {
    let batch = network.max_batch();
    let lanes = node.width * batch;
    let component = &plan.component;
    let (n_states, n_ports) = (component.states.len(), component.model.inputs.len());
    if n_ports > MAX_PORTS {
        return Err(UnrolledError::Device(format!(
            "`{}`: {n_ports} ports, but a device takes {MAX_PORTS}",
            node.name
        )));
    }
    let learned: Vec<u32> = plan
        .reverse
        .iter()
        .flat_map(|r| r.derived().to_vec())
        .collect();
    let (drives, tables) = drives(network.plan(), id, batch)?;
    let table = machine.array("tables", tables.len())?;
    machine.write(table, 0, &tables)?;
    let mut arrived = Vec::with_capacity(n_ports);
    for port in 0..n_ports {
        let is_heard = node.routes.iter().any(|r| r.port == port);
        arrived.push(if is_heard && !is_direct(graph, id, Some(port)) {
            let values = machine.array("what arrives", steps * lanes)?;
            let cotangent = node
                .is_wanted
                .then(|| machine.array("cotangents", steps * lanes));
            Some((values, cotangent.transpose()?))
        } else {
            None
        });
    }
    let uses_time = component
        .step
        .loads()
        .contains(&rheobase_equations::ir::Slot::Time);
    let times = uses_time
        .then(|| machine.array("times", network.steps()))
        .transpose()?;
    Ok(DevicePopulation {
        plan: id,
        n_states,
        n_ports,
        tape: machine.array("states of every step", (steps + 1) * n_states * lanes)?,
        initial: machine.array("states", n_states * lanes)?,
        sums: machine.array("cotangents of states", (n_states + learned.len()) * lanes)?,
        learned,
        derived: machine.array("derived quantities", component.n_derived * lanes)?,
        places: Vec::new(),
        times,
        tables: table,
        drives,
        arrived,
    })
}

impl DevicePopulation {
    /// Uploads derived quantities and initial states, as they are for so many lanes.
    pub(super) fn upload(
        &mut self,
        machine: &Machine,
        network: &UnrolledNetwork<f32>,
    ) -> Result<(), GpuError> {
        let (derived, initial) = network.population_values(self.plan);
        self.upload_derived(machine, derived)?;
        let initial = initial.concat();
        machine.write(self.initial, 0, bytemuck::cast_slice(&initial))
    }

    pub(super) fn upload_derived(
        &mut self,
        machine: &Machine,
        derived: &[Derived<f32>],
    ) -> Result<(), GpuError> {
        let (places, values) = place_derived(derived)?;
        self.places = places;
        machine.write(self.derived, 0, bytemuck::cast_slice(&values))
    }

    /// The kernels for what arrives in this way.
    pub(super) fn kernels(
        &self,
        machine: &mut Machine,
        (name, plan): (&str, &PopulationPlan),
        ports: &[PortShape],
        wanted: Option<Vec<bool>>,
    ) -> Result<PopulationKernels, GpuError> {
        let component = &plan.component;
        let shape = SpanShape {
            step: StepShape::of(component),
            derived: self.places.clone(),
            ports: ports.to_vec(),
            drives: self.drives.clone(),
            key: plan.key,
            emits: plan.emits.and_then(|e| u32::try_from(e).ok()),
            wanted: wanted.clone().unwrap_or_else(|| vec![false; ports.len()]),
            learned: self.learned.clone(),
        };
        let program = component.expanded_step(Precision::F32);
        let forward = machine.kernel(emit_forward(name, &program, &shape)?)?;
        let reverse = match (&plan.reverse, wanted) {
            (Some(reverse), Some(_)) => {
                let program = expand(reverse.step(), Precision::F32);
                Some(machine.kernel(emit_reverse(name, &program, &shape)?)?)
            }
            _ => None,
        };
        Ok(PopulationKernels { forward, reverse })
    }
}
