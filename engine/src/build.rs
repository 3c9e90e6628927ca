//! From a plan to workers: shards, rows, actors, schedule.

mod populations;
mod rows;
mod workers;

use std::ops::Range;
use std::sync::Arc;

use rheobase_equations::native::LANES;

use crate::actor::Actor;
use crate::instantiate::Instantiate;
use crate::layer::{Gathered, LayerActor};
use crate::plan::{Edge, EdgeKind, InputKind, Monitor, Node, NodeId, NodeKind, Plan};
use crate::port::{SpikeSource, SpikeSourceType, StimulusContext, Tensor};
use crate::random::{Philox, Purpose, construction_stream};
use crate::record::Spikes;
use crate::rows::{RowCounts, Rows, RowsError};
use crate::schedule::Schedule;
use crate::source::{InputActor, InputHandle, SourceActor};
use crate::worker::{Placed, Worker};

/// How a plan is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BuildOptions {
    /// Worker threads; results do not depend on it.
    pub threads: usize,
    /// Keep a tape of so many steps, for [`crate::simulation::Simulation::backward`].
    pub tape_steps: Option<usize>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            tape_steps: None,
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
        "`{source_node}` -> `{target}`: delay 0 on a cycle; every edge on a cycle needs at least one step"
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
    /// A layer has no incoming edge, or several.
    #[error("layer `{layer}` has {edges} incoming edges; it needs exactly one")]
    LayerEdges {
        /// The layer.
        layer: String,
        /// How many.
        edges: usize,
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
    /// Kernel of each population (`native`, `block`, `rust`), by node name.
    pub kernels: Vec<(String, &'static str)>,
}

/// Workers and all that belongs to them.
pub(crate) struct Built<R> {
    pub(crate) workers: Vec<Worker<R>>,
    pub(crate) schedule: Schedule,
    pub(crate) inputs: Vec<(NodeId, InputHandle<R>)>,
    pub(crate) report: BuildReport,
}

/// Rows of one shard, by edge.
type ShardRows<R> = Vec<Option<(Rows<R>, RowCounts)>>;

pub(crate) fn build<R: Instantiate>(
    plan: &Plan,
    options: BuildOptions,
) -> Result<Built<R>, BuildError> {
    if !(1..=MAX_THREADS).contains(&options.threads) {
        return Err(BuildError::Threads(options.threads));
    }
    let threads = options.threads.min(useful_threads(plan));
    let options = BuildOptions { threads, ..options };
    let shards: Vec<Vec<Range<u32>>> = plan
        .nodes
        .iter()
        .map(|n| shard_ranges(n, plan.batch, threads))
        .collect();
    let mut rows = rows::all_rows::<R>(plan, &shards, threads)?;
    let schedule = rows::make_schedule(plan, &rows)?;
    let mut report = rows::report_rows(plan, &rows);
    let inputs: Vec<(NodeId, InputHandle<R>)> = plan
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| matches!(n.kind, NodeKind::Input(_)))
        .map(|(id, _)| (id, InputHandle::default()))
        .collect();
    let mut actors: Vec<Vec<Placed<R>>> = (0..threads).map(|_| Vec::new()).collect();
    for (id, node) in plan.nodes.iter().enumerate() {
        let context = NodeContext {
            plan,
            id,
            node,
            options,
        };
        match &node.kind {
            NodeKind::Population(p) => {
                for (shard, actor) in populations::population_actors(
                    &context,
                    p,
                    &shards[id],
                    &mut rows,
                    &mut report,
                )? {
                    actors[shard].push(context.place(actor));
                }
            }
            NodeKind::Source(source) => {
                for (shard, range) in shards[id].iter().enumerate() {
                    if !range.is_empty() {
                        let actor = source_actor(&context, source, range.clone());
                        actors[shard].push(context.place(Box::new(actor)));
                    }
                }
            }
            NodeKind::Layer(_) => {
                let actor = layer_actor(&context)?;
                actors[0].push(context.place(Box::new(actor)));
            }
            NodeKind::Input(kind) => {
                let data = inputs
                    .iter()
                    .find(|(n, _)| *n == id)
                    .map(|(_, h)| Arc::clone(h));
                let actor = InputActor {
                    node: id,
                    name: node.name.clone(),
                    lanes: node.size() * plan.batch,
                    kind: *kind,
                    data: data.unwrap_or_default(),
                };
                actors[0].push(context.place(Box::new(actor)));
            }
        }
    }
    let workers = workers::make_workers(plan, actors, &schedule, options);
    Ok(Built {
        workers,
        schedule,
        inputs,
        report,
    })
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
            node: self.id,
            name: self.node.name.clone(),
            actor,
        }
    }
}

/// Workers that get anything to do: one per block of lanes of the largest node that can be split.
fn useful_threads(plan: &Plan) -> usize {
    let blocks = |n: &Node| {
        if splits(n, plan.batch) {
            n.size().div_ceil(LANES)
        } else {
            1
        }
    };
    plan.nodes.iter().map(blocks).max().unwrap_or(1).max(1)
}

/// Nodes with a batch axis, nodes that emit real values, layers and inputs stay on one worker.
fn splits(node: &Node, batch: usize) -> bool {
    matches!(node.kind, NodeKind::Population(_) | NodeKind::Source(_))
        && batch == 1
        && !emits_real(node)
}

/// Contiguous lanes of each shard, whole blocks; all on the first worker where a node stays whole.
fn shard_ranges(node: &Node, batch: usize, threads: usize) -> Vec<Range<u32>> {
    let lanes = node.size() * batch;
    let splits = splits(node, batch);
    let blocks = lanes.div_ceil(LANES);
    (0..threads)
        .map(|k| {
            if !splits {
                return if k == 0 {
                    0..to_u32(lanes)
                } else {
                    to_u32(lanes)..to_u32(lanes)
                };
            }
            let at = |k: usize| to_u32((k * blocks / threads * LANES).min(lanes));
            at(k)..at(k + 1)
        })
        .collect()
}

fn source_actor(
    context: &NodeContext<'_>,
    source: &Arc<dyn SpikeSourceType>,
    range: Range<u32>,
) -> SourceActor {
    let plan = context.plan;
    let stimulus = StimulusContext {
        dt_ms: plan.dt_ms,
        stream: Philox::new(plan.seed, Purpose::Stimulus, context.id as u64),
        size: to_u32(context.node.size()),
    };
    // Trains that are given, not drawn, are the same in every copy of the batch.
    let repeated = if source.size().is_some() {
        plan.batch
    } else {
        1
    };
    let source = Arc::clone(source);
    let make: Box<dyn Fn() -> Box<dyn SpikeSource> + Send> =
        Box::new(move || source.instantiate(stimulus));
    SourceActor {
        node: context.id,
        range,
        copies: to_u32(repeated),
        size: stimulus.size,
        source: make(),
        make,
        record_spikes: records_spikes(plan, context.id),
        spikes: Spikes::default(),
        n_spikes: 0,
    }
}

fn layer_actor<R: Instantiate>(context: &NodeContext<'_>) -> Result<LayerActor<R>, BuildError> {
    let plan = context.plan;
    let NodeKind::Layer(layer) = &context.node.kind else {
        return Err(BuildError::Panicked("not a layer".to_owned()));
    };
    let incoming: Vec<&Edge> = plan
        .edges
        .iter()
        .filter(|e| e.target == context.id)
        .collect();
    let [edge] = incoming.as_slice() else {
        return Err(BuildError::LayerEdges {
            layer: context.node.name.clone(),
            edges: incoming.len(),
        });
    };
    let EdgeKind::Identity { delay_steps } = edge.kind else {
        return Err(BuildError::LayerEdges {
            layer: context.node.name.clone(),
            edges: 0,
        });
    };
    let source = &plan.nodes[edge.source];
    let mut random = construction_stream(plan.seed, Purpose::Layer, context.id as u64, 0);
    let parameters: Vec<Tensor<R>> = layer
        .parameters(&source.shape, &mut random)
        .into_iter()
        .map(|t| Tensor {
            name: t.name,
            shape: t.shape,
            values: t.values.into_iter().map(R::from_f64).collect(),
        })
        .collect();
    let gradients = parameters
        .iter()
        .map(|t| Tensor {
            values: vec![R::ZERO; t.values.len()],
            ..t.clone()
        })
        .collect();
    Ok(LayerActor {
        node: context.id,
        layer: R::layer(layer.as_ref(), &source.shape),
        parameters,
        gradients,
        source: edge.source,
        delay: delay_steps,
        real: emits_real(source),
        batch: plan.batch,
        width: source.size(),
        out: context.node.size(),
        gathered: Gathered::default(),
        output: Vec::new(),
    })
}

/// Whether a node emits real values rather than spikes.
pub(crate) fn emits_real(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Population(p) => p.emits.is_some(),
        NodeKind::Source(_) => false,
        NodeKind::Layer(_) => true,
        NodeKind::Input(kind) => *kind == InputKind::Real,
    }
}

fn records_spikes(plan: &Plan, id: NodeId) -> bool {
    plan.monitors.contains(&Monitor::Spikes { node: id })
}

/// Sizes were checked against 2³¹ when the plan was made.
fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
