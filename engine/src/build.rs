//! From a plan to workers: shards, rows, actors, schedule.

pub(crate) mod bundles;
pub(crate) mod device;
mod exact;
mod populations;
mod rows;
pub(crate) mod shards;
mod user_actors;
mod workers;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::actor::Actor;
use crate::anchored::{ArithmeticReport, ModeChoice};
use crate::exact::make::NotExact;
use crate::group::{Bundle, GroupActor};
use crate::instantiate::Instantiate;
use crate::layer::{Gathered, LayerActor};
use crate::plan::{EdgeKind, InputKind, Monitor, Node, NodeId, NodeKind, Plan};
use crate::population::{Identity, PopulationShard};
use crate::port::{SpikeSource, SpikeSourceType, StimulusContext, Tensor};
use crate::random::{Philox, Purpose, construction_stream};
use crate::record::Spikes;
use crate::rows::RowsError;
use crate::schedule::Schedule;
use crate::source::{InputActor, InputHandle, SourceActor};
use crate::worker::{Placed, Worker};
use bundles::Groups;
use device::DeviceCircuit;
pub use device::{DeviceTraffic, Placement};
#[cfg(feature = "gpu")]
pub(crate) use populations::whole_recorders;
pub(crate) use populations::{Quantities, quantities, whole_population};
pub(crate) use rows::{whole_part, whole_projections};
use shards::{Layout, Layouts, Shards, useful_threads};

/// How a plan is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BuildOptions {
    /// Worker threads; results do not depend on it.
    pub threads: usize,
    /// How populations in anchored arithmetic are advanced; results do not depend on it.
    pub mode: ModeChoice,
    /// How long a user's own actor that may block may take for a slice before the run ends with
    /// [`RunError::NoAnswer`](crate::actor::RunError::NoAnswer); five minutes if not given. Workers
    /// wait longer for each other, so that the cause is told.
    pub answer_within: Duration,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            mode: ModeChoice::Auto,
            answer_within: Duration::from_secs(300),
        }
    }
}

/// Most worker threads.
pub const MAX_THREADS: usize = 1024;

/// Why a plan cannot be built.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A projection cannot be drawn.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A cycle without delay.
    #[error(
        "`{source_node}` -> `{target}`: delay 0 on a cycle without delay; every cycle needs at least one step"
    )]
    ZeroDelayCycle {
        /// Source node.
        source_node: String,
        /// Target node.
        target: String,
    },
    /// A parameter or state is not finite.
    #[error("population `{population}`: {what} of neuron {neuron} is {value}")]
    NotFinite {
        /// The population.
        population: String,
        /// Which quantity.
        what: String,
        /// The neuron.
        neuron: usize,
        /// Its value.
        value: f64,
    },
    /// The number of threads is out of range.
    #[error("threads: {0} is outside 1 ..= {MAX_THREADS}")]
    Threads(usize),
    /// No edge leads to a layer.
    #[error("no edge leads to layer `{layer}`; it needs at least one")]
    LayerWithoutInput {
        /// The layer.
        layer: String,
    },
    /// Anchored arithmetic was asked for and cannot be had.
    #[error(
        "population `{population}`: arithmetic = \"anchored\" is not possible: {reason}; leave it out, or write \"stepwise\""
    )]
    NotAnchored {
        /// The population.
        population: String,
        /// Why.
        reason: String,
    },
    /// A user's own actor cannot be made.
    #[error("actor `{actor}` cannot be made: {message}")]
    Actor {
        /// The actor.
        actor: String,
        /// Why.
        message: String,
    },
    /// A device cannot run a network that was to run there.
    #[error("on the device: {0}")]
    Device(String),
    /// A neuron in continuous time cannot be solved with its parameters.
    #[error("population `{population}`, neuron {neuron}: {reason}")]
    NotExact {
        /// The population.
        population: String,
        /// The neuron.
        neuron: usize,
        /// Why.
        reason: NotExact,
    },
    /// A component panicked while the network was built.
    #[error("building the network failed: {0}")]
    Panicked(String),
}

/// What building found out.
#[derive(Clone, Debug, Default)]
pub struct BuildReport {
    /// Synapses, of each edge of the plan.
    pub synapses: Vec<u64>,
    /// Delays moved to the grid.
    pub rounded_delays: u64,
    /// Delays raised to the smallest allowed.
    pub raised_delays: u64,
    /// Bytes of synapses.
    pub synapse_bytes: usize,
    /// Where weights are quantised: how far a stored weight may be from the drawn one, in base units;
    /// of each edge of the plan. 0 where weights are exact.
    pub weight_error_bounds: Vec<f64>,
    /// Kernel of each population (`native`, `block`, `rust`; `modes` of anchored ones, `exact` in
    /// continuous time), by node name.
    pub kernels: Vec<(String, &'static str)>,
    /// Arithmetic of each population, and why.
    pub arithmetic: Vec<(NodeId, ArithmeticReport)>,
    /// Where each population and layer runs, where a device was asked for.
    pub placement: Vec<Placement>,
    /// Nodes on a device whose real values stay there: they are heard there, and nowhere else.
    pub unseen: Vec<NodeId>,
    /// What moves within a device, of each circuit there.
    pub traffic: Vec<DeviceTraffic>,
}

/// Workers and all that belongs to them.
pub(crate) struct Built<R> {
    pub(crate) workers: Vec<Worker<R>>,
    pub(crate) schedule: Schedule,
    pub(crate) inputs: Vec<(NodeId, InputHandle<R>)>,
    pub(crate) report: BuildReport,
}

pub(crate) fn build<R: Instantiate>(
    plan: &Plan,
    options: BuildOptions,
    mut circuits: Vec<DeviceCircuit<R>>,
) -> Result<Built<R>, BuildError> {
    if !(1..=MAX_THREADS).contains(&options.threads) {
        return Err(BuildError::Threads(options.threads));
    }
    let threads = options.threads.min(useful_threads(plan));
    let options = BuildOptions { threads, ..options };
    let shards = Shards::of(plan, threads);
    let groups = Groups::of(plan);
    let on_device = device::members(plan, &circuits);
    let bundles = bundles::bundles(plan, &groups, &on_device);
    let counted = rows::count_all(plan, &shards, &bundles)?;
    let mut continuous = exact::Continuous::draw(plan, &shards)?;
    let edges = rows::delayed_edges(plan, &bundles, &counted, continuous.delays(plan));
    let schedule = rows::make_schedule(plan, edges, &circuits)?;
    let mut report = rows::report(plan, &bundles, &counted);
    for circuit in &circuits {
        device::report(plan, circuit, &mut report);
    }
    continuous.report(plan, &mut report);
    let layouts = Layouts::of::<R>(plan, &shards, &groups);
    let mut synapses = rows::store_all::<R>(plan, &shards, &bundles, &layouts, counted)?;
    rows::report_storage(&bundles, &synapses, &mut report);
    let inputs: Vec<(NodeId, InputHandle<R>)> = plan
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| matches!(n.kind, NodeKind::Input(_)))
        .map(|(id, _)| (id, InputHandle::default()))
        .collect();
    let mut populations = populations::population_shards::<R>(
        plan,
        options,
        (&shards, &layouts),
        &on_device,
        &mut report,
    )?;
    let abort = Arc::new(AtomicBool::new(false));
    let mut actors: Vec<Vec<Placed<R>>> = (0..threads).map(|_| Vec::new()).collect();
    for shard in 0..shards.n() {
        let placed = &mut actors[shards.worker(shard)];
        placed.extend(group_actors(
            plan,
            &groups,
            &layouts.of_shard[shard],
            std::mem::take(&mut populations[shard]),
            std::mem::take(&mut synapses[shard]),
        ));
        for (id, node) in plan.nodes.iter().enumerate() {
            let range = shards.range(id, shard);
            let context = NodeContext {
                plan,
                id,
                node,
                options,
            };
            if plan.is_continuous(id) && !range.is_empty() {
                let actor = continuous.actor(&context, shard, range.clone())?;
                placed.push(context.place(Box::new(actor)));
            }
            match &node.kind {
                NodeKind::Source(source) if !range.is_empty() => {
                    placed.push(context.place(Box::new(source_actor(&context, source, range))));
                }
                NodeKind::Layer(_) if shard == 0 && !on_device[id] => {
                    placed.push(context.place(Box::new(layer_actor::<R>(&context)?)));
                }
                NodeKind::Input(kind) if shard == 0 => {
                    placed.push(context.place(Box::new(input_actor(&context, *kind, &inputs))));
                }
                NodeKind::Actor(user) if shard == 0 => {
                    let node = user_actors::user_node(&context, user, &abort)?;
                    placed.push(context.place(Box::new(node)));
                }
                _ => {}
            }
        }
    }
    for circuit in circuits.drain(..) {
        let names = circuit.nodes.iter().map(|&n| plan.nodes[n].name.clone());
        actors[0].push(Placed {
            names: names.collect(),
            nodes: circuit.nodes,
            actor: circuit.actor,
        });
    }
    let workers = workers::make_workers(plan, actors, &schedule, options, &abort);
    Ok(Built {
        workers,
        schedule,
        inputs,
        report,
    })
}

/// What a group consists of.
type GroupParts<R> = (Vec<PopulationShard<R>>, Vec<Bundle<R>>);

/// The actors of one shard's populations: one for each group.
fn group_actors<R: Instantiate>(
    plan: &Plan,
    groups: &Groups,
    layout: &Layout,
    populations: Vec<PopulationShard<R>>,
    synapses: Vec<(usize, Bundle<R>)>,
) -> Vec<Placed<R>> {
    let mut of_group: BTreeMap<usize, GroupParts<R>> = BTreeMap::new();
    for population in populations {
        let group = groups.of_node[population.node()];
        of_group.entry(group).or_default().0.push(population);
    }
    for (group, bundle) in synapses {
        if let Some((_, bundles)) = of_group.get_mut(&group) {
            bundles.push(bundle);
        }
    }
    of_group
        .into_iter()
        .map(|(group, (populations, bundles))| {
            let nodes: Vec<NodeId> = populations.iter().map(PopulationShard::node).collect();
            let lanes = layout.lanes[group];
            Placed {
                names: nodes.iter().map(|&n| plan.nodes[n].name.clone()).collect(),
                nodes,
                actor: Box::new(GroupActor::new(populations, bundles, lanes, plan.batch)),
            }
        })
        .collect()
}

struct NodeContext<'p> {
    plan: &'p Plan,
    id: NodeId,
    node: &'p Node,
    options: BuildOptions,
}

impl NodeContext<'_> {
    fn place<R>(&self, actor: Box<dyn Actor<R>>) -> Placed<R> {
        Placed {
            nodes: vec![self.id],
            names: vec![self.node.name.clone()],
            actor,
        }
    }
}

fn input_actor<R: Instantiate>(
    context: &NodeContext<'_>,
    kind: InputKind,
    inputs: &[(NodeId, InputHandle<R>)],
) -> InputActor<R> {
    let data = inputs
        .iter()
        .find(|(n, _)| *n == context.id)
        .map(|(_, h)| Arc::clone(h));
    InputActor {
        node: context.id,
        name: context.node.name.clone(),
        lanes: context.node.size() * context.plan.batch,
        kind,
        data: data.unwrap_or_default(),
    }
}

fn source_actor(
    context: &NodeContext<'_>,
    source: &Arc<dyn SpikeSourceType>,
    range: Range<u32>,
) -> SourceActor {
    let plan = context.plan;
    let stimulus = source_context(plan, context.id);
    // Trains that are given, not drawn, are the same in every copy of the batch.
    let repeated = if source.size().is_some() {
        plan.batch
    } else {
        1
    };
    let timed = source.is_timed();
    let source = Arc::clone(source);
    let make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send> =
        Box::new(move || source.instantiate(stimulus));
    SourceActor {
        node: context.id,
        range,
        copies: to_u32(repeated),
        size: stimulus.size,
        source: make(),
        timed,
        make,
        record_spikes: records_spikes(plan, context.id),
        spikes: Spikes::default(),
        n_spikes: 0,
    }
}

/// What a stimulus that emits spikes is given.
pub(crate) fn source_context(plan: &Plan, id: NodeId) -> StimulusContext {
    StimulusContext {
        dt_ms: plan.dt_ms,
        stream: Philox::new(plan.seed, Purpose::Stimulus, id as u64),
        size: to_u32(plan.nodes[id].size()),
    }
}

fn layer_actor<R: Instantiate>(context: &NodeContext<'_>) -> Result<LayerActor<R>, BuildError> {
    let (plan, id) = (context.plan, context.id);
    let NodeKind::Layer(layer) = &context.node.kind else {
        return Err(BuildError::Panicked("not a layer".to_owned()));
    };
    let edges = layer_edges(plan, id)?;
    let shape = layer_input(plan, id)?;
    let identity = |&(source, delay): &(NodeId, u64)| Identity {
        source,
        delay,
        real: emits_real(&plan.nodes[source]),
        lanes: plan.nodes[source].size() * plan.batch,
    };
    Ok(LayerActor {
        node: id,
        layer: R::layer(layer.as_ref(), shape),
        parameters: layer_parameters::<R>(plan, id)?,
        afferents: edges.iter().map(identity).collect(),
        batch: plan.batch,
        width: shape.iter().product(),
        out: context.node.size(),
        gathered: Gathered::default(),
        output: Vec::new(),
        scratch: Vec::new(),
        stream: layer_stream(plan, id),
    })
}

/// What a layer draws from while a network runs.
pub(crate) fn layer_stream(plan: &Plan, id: NodeId) -> Philox {
    Philox::new(plan.seed, Purpose::Layer, id as u64)
}

/// Source and delay in steps of every edge to a layer, in the order of the description; at least one.
fn layer_edges(plan: &Plan, id: NodeId) -> Result<Vec<(NodeId, u64)>, BuildError> {
    let incoming = plan.edges.iter().filter(|e| e.target == id);
    let edges: Vec<(NodeId, u64)> = incoming
        .filter_map(|edge| match edge.kind {
            EdgeKind::Identity { delay_steps } => Some((edge.source, delay_steps)),
            EdgeKind::Synapses(_) => None,
        })
        .collect();
    if edges.is_empty() {
        return Err(BuildError::LayerWithoutInput {
            layer: plan.nodes[id].name.clone(),
        });
    }
    Ok(edges)
}

/// Shape of what arrives at a layer: all its sources have the same.
pub(crate) fn layer_input(plan: &Plan, id: NodeId) -> Result<&[usize], BuildError> {
    let edges = layer_edges(plan, id)?;
    Ok(&plan.nodes[edges[0].0].shape)
}

/// The initial parameters of a layer.
pub(crate) fn layer_parameters<R: Instantiate>(
    plan: &Plan,
    id: NodeId,
) -> Result<Vec<Tensor<R>>, BuildError> {
    let NodeKind::Layer(layer) = &plan.nodes[id].kind else {
        return Err(BuildError::Panicked("not a layer".to_owned()));
    };
    let mut random = construction_stream(plan.seed, Purpose::Layer, id as u64, 0);
    let mut parameters = layer.parameters(layer_input(plan, id)?, &mut random);
    for initial in plan.layer_initial.iter().filter(|i| i.layer == id) {
        let mut tensors = parameters.iter_mut();
        if let Some(tensor) = tensors.find(|t| t.name == initial.parameter) {
            let n = tensor.values.len();
            tensor.values.clear();
            initial.value.fill(n, &mut random, &mut tensor.values);
        }
    }
    let in_precision = |t: Tensor<f64>| Tensor {
        name: t.name,
        shape: t.shape,
        values: t.values.into_iter().map(R::from_f64).collect(),
    };
    Ok(parameters.into_iter().map(in_precision).collect())
}

/// Whether a node emits real values rather than spikes.
pub(crate) fn emits_real(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Population(p) => p.emits.is_some(),
        NodeKind::Source(_) => false,
        NodeKind::Layer(_) => true,
        NodeKind::Input(kind) => *kind == InputKind::Real,
        NodeKind::Actor(user) => user.ports.kind == InputKind::Real,
    }
}

pub(crate) fn records_spikes(plan: &Plan, id: NodeId) -> bool {
    plan.monitors.contains(&Monitor::Spikes { node: id })
}

/// Sizes were checked against 2³¹ when the plan was made.
fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
