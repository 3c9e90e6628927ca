//! Populations that run on a device: states, synapses, what is under way and random numbers stay there.
//! Those with layers before or behind them are circuits of another kind: [`dense`].
//!
//! A circuit is one actor of the schedule. It takes the spikes of nodes on the processor for a slice,
//! submits all its steps at once, and reads back what its populations emitted, as lists. Within a slice
//! the device works in chunks as long as the shortest delay among its populations: kernels advance
//! neurons by all steps of a chunk, spikes are listed, and each adds to the ring of arrivals.

mod actor;
mod clock;
mod dense;
mod events;
mod kernels;
mod layout;
mod placement;
mod population;
mod resident;
mod rounds;
mod synapses;
mod tables;
mod traffic;

use std::sync::Arc;

use rheobase_equations::native::Derived;
use rheobase_shaders::Afferent;

use super::device::GpuDevice;
use super::error::GpuError;
use crate::build::device::DeviceCircuit;
use crate::build::{BuildError, BuildOptions, quantities, records_spikes, whole_recorders};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::port::StimulusContext;
use crate::random::{Philox, Purpose};
use crate::record::Spikes;
use crate::simulation::Simulation;
use actor::{CircuitActor, Kept, pad, stride};
use layout::{Failure, Layout};
use population::PopulationParts;
use resident::Resident;
use tables::Tables;

pub use crate::record::DeviceCounts;

impl Simulation<f32> {
    /// Builds `plan` with every population that can run there on `device`; the others run on the
    /// processor, and [`BuildReport::placement`](crate::build::BuildReport) says why.
    ///
    /// # Errors
    /// As [`Simulation::build`]; if the device fails, or the network exceeds a limit of it.
    pub fn build_on(
        plan: Arc<Plan>,
        options: BuildOptions,
        device: &GpuDevice,
    ) -> Result<Self, BuildError> {
        let placed = placement::place(&plan);
        if placed.circuits.is_empty() && placed.dense.is_empty() {
            let names = placed.placement.iter().map(|p| {
                let name = &plan.nodes[p.node].name;
                format!("`{name}`: {}", p.reason)
            });
            let names: Vec<String> = names.collect();
            let what = "no population can run on the device";
            return Err(BuildError::Device(format!("{what} ({})", names.join("; "))));
        }
        let sparse = placed.circuits.iter();
        let sparse = sparse.map(|nodes| circuit(&plan, nodes, device));
        let dense = placed.dense.iter();
        let dense = dense.map(|nodes| dense::circuit(&plan, nodes, device));
        let circuits: Result<Vec<_>, Failure> = sparse.chain(dense).collect();
        Self::build_with(plan, options, circuits?, placed.placement)
    }
}

/// Populations and layers that can run on a device.
pub(super) fn placed_nodes(plan: &Plan) -> Vec<NodeId> {
    let placed = placement::place(plan);
    [placed.circuits, placed.dense].concat().concat()
}

/// The stimuli that act on a population of `batch` samples, and the numbers they look up.
pub(super) fn drives(
    plan: &Plan,
    node: NodeId,
    batch: usize,
) -> Result<(Vec<Afferent>, Vec<u32>), GpuError> {
    for (index, drive) in plan
        .drives
        .iter()
        .enumerate()
        .filter(|(_, d)| d.target == node)
    {
        let size = u32::try_from(plan.nodes[node].size() * batch).unwrap_or(u32::MAX);
        let context = StimulusContext {
            size,
            ..placement::drive_context(plan, index)
        };
        if drive.drive.on_device(context).is_none() {
            return Err(GpuError::NoForm {
                name: drive.name.clone(),
            });
        }
    }
    let mut tables = Tables::default();
    let drives = tables.drives(plan, node)?;
    Ok((drives, tables.words))
}

fn circuit(
    plan: &Plan,
    nodes: &[NodeId],
    device: &GpuDevice,
) -> Result<DeviceCircuit<f32>, Failure> {
    let mut tables = Tables::default();
    let layout = Layout::of(plan, nodes, &mut tables)?;
    let mut kept = Vec::with_capacity(layout.populations.len());
    let mut derived = Vec::with_capacity(kept.capacity());
    let mut per_neuron = Vec::with_capacity(kept.capacity());
    for population in &layout.populations {
        let node = population.node;
        let range = 0..population.n;
        let quantities = quantities(plan, node).map_err(Failure::Build)?;
        let initial = quantities.initial::<f32>(&range).concat();
        let own = quantities.derived::<f32>(&range, stride(population.n as usize));
        let differs = |d: &&Derived<f32>| matches!(d, Derived::PerNeuron(_));
        per_neuron.push(own.iter().filter(differs).count());
        derived.push(own);
        kept.push(keep(plan, node, population.first_lane, initial));
    }
    let parts: Vec<PopulationParts<'_>> = kept
        .iter()
        .zip(derived)
        .filter_map(|(kept, derived)| parts(plan, kept, derived))
        .collect();
    let mean_row = synapses::mean_row(&layout);
    let mut resident = Resident::new(device, plan.dt_ms, &layout, &tables.words, &parts, mean_row)?;
    drop(parts);
    let most = Resident::most_synapses(device);
    let mut synapse_bytes = 0;
    let fanout = synapses::store(plan, &layout, most, |part| {
        synapse_bytes += 4 * (part.rows.len() + part.synapses.len() + part.weights.len()) as u64;
        resident.add_part(&layout, &part)
    })?;
    let heard = synapses::heard(plan, &layout);
    let traffic = traffic::of(plan, &layout, &per_neuron);
    let counts = layout.edges.iter();
    let counts = counts.filter_map(|a| Some((a.edge, a.survey.as_ref()?.counts)));
    Ok(DeviceCircuit {
        nodes: kept.iter().map(|k| k.node).collect(),
        edges: layout.delays.clone(),
        counts: counts.collect(),
        weight_error_bounds: synapses::weight_error_bounds(&layout),
        synapse_bytes,
        unseen: Vec::new(),
        traffic: Some(traffic),
        actor: Box::new(CircuitActor::new(
            resident, &layout, kept, &heard, fanout, plan.dt_ms,
        )),
    })
}

/// What stays on the processor.
fn keep(plan: &Plan, node: NodeId, first_lane: u32, initial: Vec<f32>) -> Kept {
    let recorders = whole_recorders(plan, node);
    let sorted = |values: Vec<u32>| {
        let mut values = values;
        values.sort_unstable();
        values.dedup();
        values
    };
    let states = recorders
        .iter()
        .map(|r| u32::try_from(r.state).unwrap_or(0));
    let columns = sorted(recorders.iter().flat_map(|r| r.lanes.clone()).collect());
    let neurons = match &plan.nodes[node].kind {
        NodeKind::Population(p) => p.neuron.ports().states.iter(),
        _ => [].iter(),
    };
    Kept {
        node,
        name: plan.nodes[node].name.clone(),
        n: plan.nodes[node].size(),
        first_lane,
        state_names: neurons.map(|s| s.name.clone()).collect(),
        states: initial.clone(),
        initial,
        recorded: if columns.is_empty() {
            Vec::new()
        } else {
            sorted(states.collect())
        },
        columns,
        recorders,
        record_spikes: records_spikes(plan, node),
        spikes: Spikes::default(),
        n_spikes: 0,
    }
}

/// What goes to the device.
fn parts<'p>(
    plan: &'p Plan,
    kept: &'p Kept,
    derived: Vec<Derived<f32>>,
) -> Option<PopulationParts<'p>> {
    let NodeKind::Population(population) = &plan.nodes[kept.node].kind else {
        return None;
    };
    let mut columns = Vec::new();
    if !kept.recorded.is_empty() {
        columns.resize(kept.n, 0);
        for (column, &neuron) in (1..).zip(&kept.columns) {
            columns[neuron as usize] = column;
        }
    }
    Some(PopulationParts {
        name: &kept.name,
        component: population.neuron.component()?,
        derived,
        states: pad(&kept.initial, kept.n),
        key: Philox::new(plan.seed, Purpose::Neuron, kept.node as u64).key(),
        recorded: kept.recorded.clone(),
        columns,
    })
}
